//! Equality of handles with what else is a slice, on either side.

use crate::sync::Lock;
use crate::variadic::pool_bytes::PoolBytes;
use crate::variadic::pool_slice::PoolSlice;

/// `[generics] handle = other`: each is compared with the other.
macro_rules! equal_as_slices {
    ($([$($generics:tt)*] $handle:ty = $other:ty;)*) => { $(
        impl<$($generics)*> PartialEq<$other> for $handle {
            fn eq(&self, other: &$other) -> bool {
                self[..] == other[..]
            }
        }

        impl<$($generics)*> PartialEq<$handle> for $other {
            fn eq(&self, handle: &$handle) -> bool {
                self[..] == handle[..]
            }
        }
    )* };
}

equal_as_slices! {
    [L: Lock] PoolBytes<L> = [u8];
    [L: Lock] PoolBytes<L> = &[u8];
    [L: Lock, const N: usize] PoolBytes<L> = [u8; N];
    [L: Lock, const N: usize] PoolBytes<L> = &[u8; N];
    [L: Lock] PoolBytes<L> = Vec<u8>;

    [T: PartialEq, L: Lock] PoolSlice<T, L> = [T];
    [T: PartialEq, L: Lock] PoolSlice<T, L> = &[T];
    [T: PartialEq, L: Lock, const N: usize] PoolSlice<T, L> = [T; N];
    [T: PartialEq, L: Lock, const N: usize] PoolSlice<T, L> = &[T; N];
    [T: PartialEq, L: Lock] PoolSlice<T, L> = Vec<T>;
}
