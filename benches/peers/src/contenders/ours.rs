//! This library's pools, as their constructors make them.

use mem_pool::{FixedPool, Keyed, PoolBox, Shared, Unique, local};

use super::{Contender, Object, Pool, Side, alone, shared};

macro_rules! fixed_pool {
    ($pool:ty, $handle:ty, $name:literal) => {
        impl<T: Object> Pool<T> for $pool {
            const NAME: &'static str = concat!("mem-pool ", $name);
            const SIDE: Side = Side::Ours;
            type Handle<'p> = $handle;

            fn new() -> Self {
                Self::default()
            }

            #[inline]
            fn make(&self, object: T) -> $handle {
                self.alloc(object)
            }

            fn shrink(&self) -> bool {
                self.shrink_to_fit();
                true
            }

            fn reserved(&self) -> Option<usize> {
                Some(self.stats().reserved_bytes)
            }
        }
    };
}

fixed_pool!(FixedPool<T, Shared>, PoolBox<T, Shared>, "Shared");
fixed_pool!(FixedPool<T, Unique>, PoolBox<T, Unique>, "Unique");
fixed_pool!(FixedPool<T, Keyed>, PoolBox<T, Keyed>, "Keyed");
fixed_pool!(local::FixedPool<T, Shared>, local::PoolBox<T, Shared>, "local Shared");
fixed_pool!(local::FixedPool<T, Unique>, local::PoolBox<T, Unique>, "local Unique");
fixed_pool!(local::FixedPool<T, Keyed>, local::PoolBox<T, Keyed>, "local Keyed");

pub(super) fn all<T: Object>() -> Vec<Contender> {
    vec![
        shared::<T, FixedPool<T, Shared>>(),
        shared::<T, FixedPool<T, Unique>>(),
        shared::<T, FixedPool<T, Keyed>>(),
        alone::<T, local::FixedPool<T, Shared>>(),
        alone::<T, local::FixedPool<T, Unique>>(),
        alone::<T, local::FixedPool<T, Keyed>>(),
    ]
}
