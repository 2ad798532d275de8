#![expect(unsafe_code, reason = "lends uninitialised memory")]
//! [`Vacant`]: a reserved slot in which a large object is built in place.

use std::mem::{ManuallyDrop, MaybeUninit};

use super::layout::Slot;
use super::lease::Lease;
use super::pool_box::PoolBox;
use super::retire::Release;
use super::shard::{Acquired, lock_shard_of};
use super::store::Store;
use crate::access::{Access, Shared};
use crate::error::PoolError;
use crate::generic::FixedPool; // only to name what callers can name in bounds
use crate::sync::{Lock, Locked};

/// A reserved slot, from [`vacant`](crate::generic::FixedPool::vacant): room to build an object in place.
///
/// Nobody sees the slot until it is filled. Dropped unfilled, it goes back to the pool; forgotten, it leaks.
///
/// ```
/// use mem_pool::FixedPool;
///
/// let pool = FixedPool::<[u8; 1 << 20]>::new();
/// let mut vacant = pool.vacant();
/// let bytes = vacant.as_uninit_mut().as_mut_ptr().cast::<u8>();
/// // SAFETY: the slot has room for a mebibyte.
/// unsafe { bytes.write_bytes(7, 1 << 20) };
/// // SAFETY: every byte was just written.
/// let block = unsafe { vacant.assume_init() };
/// assert_eq!((block[0], block[(1 << 20) - 1]), (7, 7));
/// ```
pub struct Vacant<'p, T, A: Access = Shared, L: Lock = Locked> {
    store: &'p Store<T, A, L>,
    /// Hidden: walks pass over it.
    lease: ManuallyDrop<Lease>,
}

// SAFETY: filling or dropping a vacant slot is what `&pool` can do on any thread: alloc, and give a slot back.
unsafe impl<T, A: Access, L: Lock> Send for Vacant<'_, T, A, L> where FixedPool<T, A, L>: Sync {}
// SAFETY: through `&Vacant` nothing can be reached at all.
unsafe impl<T, A: Access, L: Lock> Sync for Vacant<'_, T, A, L> where FixedPool<T, A, L>: Sync {}

impl<'p, T, A: Access, L: Lock> Vacant<'p, T, A, L> {
    /// Reserves a slot.
    pub(crate) fn try_new_in(store: &'p Store<T, A, L>) -> Result<Self, PoolError> {
        let Acquired { mut slots, lease } = match store.take_at_once() {
            Some(acquired) => acquired,
            None => store.acquire()?,
        };
        slots.hide(&lease);
        drop(slots);
        Ok(Self {
            store,
            lease: ManuallyDrop::new(lease),
        })
    }

    /// The slot's memory.
    pub fn as_uninit_mut(&mut self) -> &mut MaybeUninit<T> {
        let mut slot = self.lease.slot().cast::<MaybeUninit<T>>();
        // SAFETY: valid: the slot has room for a `T` (typed), which may be uninitialised. Aliasing: one-lease, and `&mut
        // self` lasts as long as the reference.
        unsafe { slot.as_mut() }
    }

    /// Moves a value in.
    pub fn write(mut self, value: T) -> PoolBox<T, A, L> {
        self.as_uninit_mut().write(value);
        // SAFETY: just written.
        unsafe { self.assume_init() }
    }

    /// Runs a constructor and moves its value in; if it panics, the slot goes back.
    pub(crate) fn write_with(mut self, make: impl FnOnce() -> T) -> PoolBox<T, A, L> {
        self.as_uninit_mut().write(make());
        // SAFETY: just written.
        unsafe { self.assume_init() }
    }

    /// Makes the object in the slot one of the pool's.
    ///
    /// # Safety
    ///
    /// The slot holds an initialised `T`.
    pub unsafe fn assume_init(self) -> PoolBox<T, A, L> {
        let _: &Store<T, A, L> = self.store;
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is not used again.
        let lease = unsafe { ManuallyDrop::take(&mut this.lease) };
        // SAFETY: the lease is of a slot of `store`, whose lock is `L`, and outlives the guard.
        let mut slots = unsafe { lock_shard_of::<L>(&lease) };
        slots.reveal(&lease);
        drop(slots);
        // SAFETY: the caller initialised the object; typed: the store's types are this handle's.
        unsafe { PoolBox::from_lease(lease) }
    }
}

impl<T, A: Access, L: Lock> Drop for Vacant<'_, T, A, L> {
    fn drop(&mut self) {
        // SAFETY: this is the drop; the field is not used again.
        let lease = unsafe { ManuallyDrop::take(&mut self.lease) };
        drop(Release::<L>::hidden(lease));
    }
}

impl<T, A: Access, L: Lock> std::fmt::Debug for Vacant<'_, T, A, L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vacant").finish_non_exhaustive()
    }
}

const _: () = assert!(size_of::<Slot<u64, Shared>>() == size_of::<u64>());
