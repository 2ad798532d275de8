#![expect(unsafe_code, reason = "lends the objects of a keyed pool by handle")]
//! Reaching the objects of a [`Keyed`] pool by their owning keys.
//!
//! What is lent borrows the handle as well as the pool: that keeps the handle's owner from dropping it meanwhile.

use super::pool_box::PoolBox;
use super::retire::Release;
use super::slots::Lease;
use super::store::Store;
use crate::access::{Access, Keyed};
use crate::sync::Lock;

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
