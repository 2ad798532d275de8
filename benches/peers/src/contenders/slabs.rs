#![expect(deprecated, reason = "the hop slot map is still on offer")]
//! Slabs and slot maps: a key is the handle. They are used through `&self`, like all others, so they stand in a `RefCell`, and
//! one also in a `Mutex` for threads.

use std::cell::RefCell;

use parking_lot::Mutex;
use slab::Slab;
use slotmap::{DefaultKey, DenseSlotMap, HopSlotMap, SlotMap};
use thunderdome::{Arena, Index};

use super::{Contender, Object, Pool, Side, alone, shared};

macro_rules! slab {
    ($slab:ty, $key:ty, $lock:ident, $name:literal $(, $shrink:ident)?) => {
        impl<T: Object> Pool<T> for $slab {
            const NAME: &'static str = $name;
            const SIDE: Side = Side::Pool;
            type Handle<'p> = $key;

            fn new() -> Self {
                Self::default()
            }

            #[inline]
            fn make(&self, object: T) -> $key {
                self.$lock().insert(object)
            }

            /// The destructor runs when the lock is free again.
            #[inline]
            fn end(&self, key: $key) {
                let object = self.$lock().remove(key);
                drop(object);
            }

            $(fn shrink(&self) -> bool {
                self.$lock().$shrink();
                true
            })?
        }
    };
}

slab!(RefCell<Slab<T>>, usize, borrow_mut, "slab", shrink_to_fit);
slab!(Mutex<Slab<T>>, usize, lock, "slab, Mutex", shrink_to_fit);
slab!(
    RefCell<SlotMap<DefaultKey, T>>,
    DefaultKey,
    borrow_mut,
    "slotmap"
);
slab!(
    RefCell<DenseSlotMap<DefaultKey, T>>,
    DefaultKey,
    borrow_mut,
    "slotmap Dense"
);
slab!(
    RefCell<HopSlotMap<DefaultKey, T>>,
    DefaultKey,
    borrow_mut,
    "slotmap Hop"
);
slab!(RefCell<Arena<T>>, Index, borrow_mut, "thunderdome");

pub(super) fn all<T: Object>() -> Vec<Contender> {
    vec![
        shared::<T, Mutex<Slab<T>>>(),
        alone::<T, RefCell<Slab<T>>>(),
        alone::<T, RefCell<SlotMap<DefaultKey, T>>>(),
        alone::<T, RefCell<DenseSlotMap<DefaultKey, T>>>(),
        alone::<T, RefCell<HopSlotMap<DefaultKey, T>>>(),
        alone::<T, RefCell<Arena<T>>>(),
    ]
}
