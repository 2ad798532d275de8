//! Other pools.
//!
//! Two of them, `object-pool` and `lockfree-object-pool`, do not destroy objects but lend them again. There, making an object is
//! pulling one and overwriting it, so that they, too, write and destroy an object for each that the others do. The handle of the
//! first holds the object itself: it is never far from the table of handles, and moves with it.

use infinity_pool::{LocalPinnedPool, LocalPooledMut, PinnedPool, PooledMut};
use lockfree_object_pool::{LinearObjectPool, LinearReusable};
use object_pool::Reusable;
use parking_lot::Mutex;
use shared_arena::{ArenaBox, SharedArena};

use super::{Contender, Object, Pool, Side, alone, shared};

impl<T: Object> Pool<T> for object_pool::Pool<T> {
    const NAME: &'static str = "object-pool";
    const SIDE: Side = Side::Pool;
    const OBJECTS_IN_HANDLES: bool = true;
    type Handle<'p> = Reusable<'p, T>;

    fn new() -> Self {
        Self::new(0, || T::new(0))
    }

    #[inline]
    fn make(&self, object: T) -> Reusable<'_, T> {
        match self.try_pull() {
            Some(mut handle) => {
                *handle = object;
                handle
            }
            None => Reusable::new(self, object),
        }
    }
}

impl<T: Object> Pool<T> for LinearObjectPool<T> {
    const NAME: &'static str = "lockfree-object-pool";
    const SIDE: Side = Side::Pool;
    /// It looks for a free object from the first page on.
    const MOST: usize = 20_000;
    type Handle<'p> = LinearReusable<'p, T>;

    fn new() -> Self {
        Self::new(|| T::new(0), |_| ())
    }

    #[inline]
    fn make(&self, object: T) -> LinearReusable<'_, T> {
        let mut handle = self.pull();
        *handle = object;
        handle
    }
}

impl<T: Object> Pool<T> for sharded_slab::Slab<T> {
    const NAME: &'static str = "sharded-slab";
    const SIDE: Side = Side::Pool;
    type Handle<'p> = usize;

    fn new() -> Self {
        Self::new()
    }

    #[inline]
    fn make(&self, object: T) -> usize {
        self.insert(object).expect("there are keys enough")
    }

    #[inline]
    fn end(&self, key: usize) {
        self.remove(key);
    }
}

impl<T: Object> Pool<T> for PinnedPool<T> {
    const NAME: &'static str = "infinity_pool";
    const SIDE: Side = Side::Pool;
    type Handle<'p> = PooledMut<T>;

    fn new() -> Self {
        Self::new()
    }

    #[inline]
    fn make(&self, object: T) -> PooledMut<T> {
        self.insert(object)
    }

    fn shrink(&self) -> bool {
        self.shrink_to_fit();
        true
    }
}

impl<T: Object> Pool<T> for LocalPinnedPool<T> {
    const NAME: &'static str = "infinity_pool Local";
    const SIDE: Side = Side::Pool;
    type Handle<'p> = LocalPooledMut<T>;

    fn new() -> Self {
        Self::new()
    }

    #[inline]
    fn make(&self, object: T) -> LocalPooledMut<T> {
        self.insert(object)
    }

    fn shrink(&self) -> bool {
        self.shrink_to_fit();
        true
    }
}

/// One thread at a time may make objects; any may drop them.
impl<T: Object> Pool<T> for plurality::Pool<T> {
    const NAME: &'static str = "plurality";
    const SIDE: Side = Side::Pool;
    type Handle<'p> = plurality::Box<T>;

    fn new() -> Self {
        Self::new()
    }

    #[inline]
    fn make(&self, object: T) -> plurality::Box<T> {
        self.alloc_box(object)
    }
}

/// As its docs propose for threads: only making takes the lock.
impl<T: Object> Pool<T> for Mutex<plurality::Pool<T>> {
    const NAME: &'static str = "plurality, Mutex";
    const SIDE: Side = Side::Pool;
    type Handle<'p> = plurality::Box<T>;

    fn new() -> Self {
        Self::default()
    }

    #[inline]
    fn make(&self, object: T) -> plurality::Box<T> {
        self.lock().alloc_box(object)
    }
}

impl<T: Object> Pool<T> for SharedArena<T> {
    const NAME: &'static str = "shared_arena";
    const SIDE: Side = Side::Pool;
    type Handle<'p> = ArenaBox<T>;

    fn new() -> Self {
        Self::new()
    }

    #[inline]
    fn make(&self, object: T) -> ArenaBox<T> {
        self.alloc(object)
    }

    fn shrink(&self) -> bool {
        self.shrink_to_fit();
        true
    }
}

impl<T: Object> Pool<T> for shared_arena::Pool<T> {
    const NAME: &'static str = "shared_arena Pool";
    const SIDE: Side = Side::Pool;
    type Handle<'p> = shared_arena::PoolBox<T>;

    fn new() -> Self {
        Self::new()
    }

    #[inline]
    fn make(&self, object: T) -> shared_arena::PoolBox<T> {
        self.alloc(object)
    }
}

pub(super) fn all<T: Object>() -> Vec<Contender> {
    vec![
        shared::<T, object_pool::Pool<T>>(),
        shared::<T, LinearObjectPool<T>>(),
        shared::<T, sharded_slab::Slab<T>>(),
        shared::<T, PinnedPool<T>>(),
        shared::<T, Mutex<plurality::Pool<T>>>(),
        shared::<T, SharedArena<T>>(),
        alone::<T, LocalPinnedPool<T>>(),
        alone::<T, plurality::Pool<T>>(),
        alone::<T, shared_arena::Pool<T>>(),
    ]
}
