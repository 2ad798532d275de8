#![expect(unsafe_code, reason = "handles are made of unsized raw pointers")]
//! Handles whose object's type is forgotten: `from_raw` takes an unsizing of what `into_raw` gave.

use std::cell::Cell;
use std::fmt::Debug;
use std::ptr::NonNull;

use mem_pool::generic::FixedPool;
use mem_pool::{FixedPool as Locked, Lock, PoolBox, Unique};

use crate::support::{Ledger, Mode, Tracked, Walked, in_every_mode, in_walked_modes, pool};

trait Whole {
    fn id(&self) -> usize;
}

/// Padded, so that the object of a trait object is larger than a word and its slot than its object.
struct Padded(
    Tracked,
    #[expect(dead_code, reason = "only large")] [u8; 13],
);

impl Whole for Padded {
    fn id(&self) -> usize {
        self.0.check();
        self.0.id
    }
}

fn forget_type<A: Mode, L: Lock>(handle: PoolBox<Padded, A, L>) -> PoolBox<dyn Whole, A, L> {
    let raw = PoolBox::into_raw(handle);
    let raw: NonNull<dyn Whole> = raw;
    // SAFETY: an unsizing of a pointer from `into_raw`, with the same access and lock, used once.
    unsafe { PoolBox::from_raw(raw) }
}

in_every_mode!(
    trait_objects_are_destroyed_once,
    trait_objects_outlive_their_pool
);

fn filled<A: Mode, L: Lock>(
    pool: &FixedPool<Padded, A, L>,
    ledger: &Ledger,
) -> Vec<PoolBox<dyn Whole, A, L>> {
    (0..200)
        .map(|_| forget_type(pool.alloc(Padded(ledger.make(), [0; 13]))))
        .collect()
}

fn trait_objects_are_destroyed_once<A: Mode, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool(); // filled twice, the second time in slots that trait objects gave back
    for round in 1..=2 {
        let mut handles = filled::<A, L>(&pool, &ledger);
        assert_eq!(pool.len(), 200);
        handles.retain({
            let mut n = 0;
            move |_| {
                n += 1;
                n % 3 == 0
            }
        });
        assert_eq!(pool.len(), 66);
        drop(handles);
        assert_eq!((pool.len(), ledger.dropped()), (0, 200 * round));
    }
    ledger.assert_settled();
}

fn trait_objects_outlive_their_pool<A: Mode, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool();
    let handles = filled::<A, L>(&pool, &ledger);
    drop(pool);
    assert_eq!(ledger.dropped(), 0);
    drop(handles);
    ledger.assert_settled();
}

in_walked_modes!(a_trait_object_can_be_dropped_in_a_walk);

fn a_trait_object_can_be_dropped_in_a_walk<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool();
    let handles = Cell::new(Some(filled::<A, L>(&pool, &ledger)));
    pool.for_each(|object| {
        drop(handles.take());
        assert_eq!(ledger.drops_of(object.id()), 0);
    });
    ledger.assert_settled();
}

#[test]
fn a_shared_or_unique_trait_object_is_reached() {
    let ledger = Ledger::default();
    let pool = Locked::new();
    let handle = forget_type(pool.alloc(Padded(ledger.make(), [0; 13])));
    assert_eq!(handle.id(), 0);
    pool.for_each(|object| assert_eq!(object.id(), 0));
    let boxed = forget_type(Locked::unique().alloc(Padded(ledger.make(), [0; 13])));
    assert_eq!(boxed.id(), 1);
}

#[test]
fn an_array_becomes_a_slice() {
    let pool = Locked::<[String; 3]>::unique();
    let array = pool.alloc(["a", "b", "c"].map(String::from));
    let raw = PoolBox::into_raw(array);
    let raw: NonNull<[String]> = raw;
    // SAFETY: an unsizing of a pointer from `into_raw`, with the same access and lock, used once.
    let mut slice: PoolBox<[String], Unique> = unsafe { PoolBox::from_raw(raw) };
    slice[1].push('!');
    assert_eq!((slice.len(), slice.join("")), (3, "ab!c".into()));
    drop(slice);
    assert!(pool.is_empty());
    let number = PoolBox::into_raw(Locked::<u8>::new().alloc(7));
    let number: NonNull<dyn Debug> = number;
    // SAFETY: as above.
    let number: PoolBox<dyn Debug> = unsafe { PoolBox::from_raw(number) };
    assert_eq!(format!("{number:?}"), "7");
}
