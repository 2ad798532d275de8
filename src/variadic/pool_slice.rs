#![expect(unsafe_code, reason = "lends a block's bytes as values")]
//! The handle of a block with values in it: [`PoolSlice`].

use std::borrow::{Borrow, BorrowMut};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::slice;

use bytemuck::Pod;

use crate::error::{PoolError, or_fail};
use crate::sync::{Lock, Locked};
use crate::variadic::pool_bytes::PoolBytes;
use crate::variadic::supply::Shards;

/// Plain values in a block of a [`VariadicPool`](crate::VariadicPool): what a `Box<[T]>` is to the global allocator.
///
/// ```
/// use mem_pool::VariadicPool;
///
/// let pool = VariadicPool::default();
/// let mut samples = pool.alloc_pod::<f32>(4);
/// assert_eq!(*samples, [0.0; 4]);
/// samples[1] = 0.5;
/// assert_eq!(samples.iter().sum::<f32>(), 0.5);
/// ```
///
/// # Invariants
///
/// *holds-values*: `bytes` has room for `count` values, all visible, and the alignment of `T`.
pub struct PoolSlice<T, L: Lock = Locked> {
    bytes: PoolBytes<L>,
    count: usize,
    values: PhantomData<T>,
}

impl<T: Pod, L: Lock> PoolSlice<T, L> {
    /// A block of `count` values, all zero.
    pub(super) fn try_zeroed(shards: &Shards<L>, count: usize) -> Result<Self, PoolError> {
        let len = count.saturating_mul(size_of::<T>()); // more than any pool has
        let bytes = PoolBytes::try_zeroed(shards, len, align_of::<T>())?;
        Ok(Self {
            bytes,
            count,
            values: PhantomData,
        })
    }
}

impl<T, L: Lock> PoolSlice<T, L> {
    /// The block, its values as bytes.
    pub fn into_bytes(self) -> PoolBytes<L> {
        self.bytes
    }

    /// A copy in a block of the same shard.
    ///
    /// # Errors
    ///
    /// As [`PoolBytes::try_clone`].
    pub fn try_clone(&self) -> Result<Self, PoolError> {
        let bytes = self.bytes.try_clone()?; // keeps the alignment; plain values are no more than their bytes
        Ok(Self {
            bytes,
            count: self.count,
            values: PhantomData,
        })
    }
}

impl<T, L: Lock> Deref for PoolSlice<T, L> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: valid: holds-values, and only `Pod` values get here. Aliasing: the payload is this handle's, which is borrowed.
        unsafe { slice::from_raw_parts(self.bytes.as_ptr().cast(), self.count) }
    }
}

impl<T, L: Lock> DerefMut for PoolSlice<T, L> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`; the handle is borrowed mutably, and any bytes written through `Pod` values are initialised.
        unsafe { slice::from_raw_parts_mut(self.bytes.as_mut_ptr().cast(), self.count) }
    }
}

/// Into a block of the same shard; panics as [`PoolBytes::reserve`].
impl<T, L: Lock> Clone for PoolSlice<T, L> {
    #[track_caller]
    fn clone(&self) -> Self {
        or_fail(self.try_clone())
    }
}

impl<T, L: Lock> AsRef<[T]> for PoolSlice<T, L> {
    fn as_ref(&self) -> &[T] {
        self
    }
}

impl<T, L: Lock> AsMut<[T]> for PoolSlice<T, L> {
    fn as_mut(&mut self) -> &mut [T] {
        self
    }
}

impl<T, L: Lock> Borrow<[T]> for PoolSlice<T, L> {
    fn borrow(&self) -> &[T] {
        self
    }
}

impl<T, L: Lock> BorrowMut<[T]> for PoolSlice<T, L> {
    fn borrow_mut(&mut self) -> &mut [T] {
        self
    }
}

impl<T: fmt::Debug, L: Lock> fmt::Debug for PoolSlice<T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: PartialEq, L: Lock, M: Lock> PartialEq<PoolSlice<T, M>> for PoolSlice<T, L> {
    fn eq(&self, other: &PoolSlice<T, M>) -> bool {
        **self == **other
    }
}

impl<T: Eq, L: Lock> Eq for PoolSlice<T, L> {}

impl<T: PartialOrd, L: Lock> PartialOrd for PoolSlice<T, L> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (**self).partial_cmp(&**other)
    }
}

impl<T: Ord, L: Lock> Ord for PoolSlice<T, L> {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl<T: Hash, L: Lock> Hash for PoolSlice<T, L> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl<'a, T, L: Lock> IntoIterator for &'a PoolSlice<T, L> {
    type Item = &'a T;
    type IntoIter = slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, T, L: Lock> IntoIterator for &'a mut PoolSlice<T, L> {
    type Item = &'a mut T;
    type IntoIter = slice::IterMut<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}
