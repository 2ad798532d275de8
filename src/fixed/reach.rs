#![expect(unsafe_code, reason = "lends the objects of a keyed pool by handle")]
//! Reaching the objects of a [`Keyed`] pool by their owning keys.
//!
//! What is lent borrows the handle as well as the pool: that keeps the handle's owner from dropping it meanwhile.

use super::key::{WeakKey, find_locked};
use super::lease::Lease;
use super::pool_box::PoolBox;
use super::retire::{Release, sweep, sweep_deferred};
use super::shard::{self, lock_shard_of};
use super::slots::Slots;
use super::store::Store;
use crate::access::{Access, Keyed};
use crate::sync::Lock;
use std::ptr::NonNull;

/// Whether the handle's object is in a slot of this store.
pub(crate) fn owns<T, A: Access, L: Lock>(
    store: &Store<T, A, L>,
    handle: &PoolBox<T, A, L>,
) -> bool {
    store
        .shards()
        .is_some_and(|shards| shards.common().number() == handle.pool_number())
}

/// The handle's object, if it is one of this store's.
pub(crate) fn get<'a, T, L: Lock>(
    store: &'a Store<T, Keyed, L>,
    handle: &'a PoolBox<T, Keyed, L>,
) -> Option<&'a T> {
    // SAFETY: valid: the handle is borrowed, so its object lives. Aliasing: it is this store's, which is borrowed shared:
    // nobody gives `&mut` to it.
    owns(store, handle).then(|| unsafe { handle.object().as_ref() })
}

/// The handle's object, if it is one of this store's.
pub(crate) fn get_mut<'a, T, L: Lock>(
    store: &'a mut Store<T, Keyed, L>,
    handle: &'a PoolBox<T, Keyed, L>,
) -> Option<&'a mut T> {
    // SAFETY: valid: the handle is borrowed, so its object lives. Aliasing: it is this store's, which is borrowed uniquely:
    // nobody else gives a reference to it.
    owns(store, handle).then(|| unsafe { handle.object().as_mut() })
}

/// The handles' objects, if all are this store's and none is named twice. O(`N`²).
pub(crate) fn get_disjoint_mut<'a, T, L: Lock, const N: usize>(
    store: &'a mut Store<T, Keyed, L>,
    handles: [&'a PoolBox<T, Keyed, L>; N],
) -> Option<[&'a mut T; N]> {
    for (index, handle) in handles.iter().enumerate() {
        if !owns(store, handle) || handles[..index].contains(handle) {
            return None;
        }
    }
    // SAFETY: as in `get_mut`; no two handles have the same object, so no two references overlap.
    Some(handles.map(|handle| unsafe { handle.object().as_mut() }))
}

/// Moves the handle's object out, if it is one of this store's.
pub(crate) fn take<T, L: Lock>(
    store: &mut Store<T, Keyed, L>,
    handle: PoolBox<T, Keyed, L>,
) -> Result<T, PoolBox<T, Keyed, L>> {
    if !owns(store, &handle) {
        return Err(handle);
    }
    let object = PoolBox::into_raw(handle);
    // SAFETY: the handle was given up, its object lives, and the store is borrowed uniquely: nobody has a reference to it.
    let value = unsafe { object.read() };
    // SAFETY: the handle's lease was given up above.
    drop(Release::<L>::emptied(unsafe {
        Lease::from_slot(object.cast())
    }));
    Ok(value)
}

/// Gives the handle's object to the pool.
///
/// # Panics
///
/// If it is another store's.
#[track_caller]
pub(crate) fn adopt<T, L: Lock>(
    store: &Store<T, Keyed, L>,
    handle: PoolBox<T, Keyed, L>,
) -> WeakKey<T> {
    assert!(owns(store, &handle), "the handle is another pool's");
    let key = PoolBox::downgrade(&handle);
    let lease = PoolBox::into_lease(handle);
    // SAFETY: the lease's pool has lock `L`; it becomes the pool's own under this lock.
    let mut slots = unsafe { lock_shard_of::<L>(&lease) };
    slots.adopt(lease);
    key
}

/// Takes an adopted object out of the pool again.
pub(crate) fn remove<T, L: Lock>(store: &mut Store<T, Keyed, L>, key: WeakKey<T>) -> Option<T> {
    let disown = |slots: &mut Slots, slot: NonNull<u8>| {
        // SAFETY: the key was found in this shard, which is locked: the slot has a lease, though its handle may just be dropped.
        unsafe { slots.disown(slot) }
    };
    // SAFETY: the slot is kept only with its lease.
    let lease = unsafe { find_locked(store.shards()?, key, disown) }?;
    // SAFETY: an adopted object's lease was the pool's; typed.
    let handle = unsafe { PoolBox::from_lease(lease) };
    take(store, handle).ok()
}

/// Destroys all adopted objects, even if one destructor panics.
pub(crate) fn clear<T, A: Access, L: Lock>(store: &mut Store<T, A, L>) {
    if let Some(shards) = store.shards() {
        // SAFETY: typed, by the store. No hold or walk can look: the store is borrowed uniquely.
        unsafe { sweep::<T, A, L, _>(shards, Slots::disown_next) };
    }
}

/// Closes the shards of a pool that is being dropped; destroys what it owns and what forgotten holds left behind, even if a
/// destructor panics; frees what is wholly free.
pub(crate) fn close<T, A: Access, L: Lock>(store: &mut Store<T, A, L>) {
    let Some(shards) = store.shards() else {
        return;
    };
    shards.common().forget_holds();
    shard::close(shards);
    // What becomes wholly free after this goes back with its last slot.
    shard::shrink(shards);
    if A::THROUGH_POOL {
        // SAFETY: typed, by the store.
        let rest = Rest(store, |store| unsafe {
            sweep_deferred::<T, A, L>(store.shards().expect("they were made"))
        });
        clear(rest.0);
    }
}

/// Does the second of two things even if the first panics.
struct Rest<'a, S>(&'a mut S, fn(&mut S));

impl<S> Drop for Rest<'_, S> {
    fn drop(&mut self) {
        (self.1)(self.0);
    }
}
