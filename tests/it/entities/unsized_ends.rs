//! Handles of trait objects and slices: same object, same address, one end, through the vtable.

use std::any::Any;
use std::cell::Cell;
use std::fmt::Display;
use std::rc::Rc;

use mem_pool::generic::FixedPool;
use mem_pool::{Keyed, Lock, PoolBox, unsize};

use super::{Bomb, counts, fill, in_both_locks};
use crate::support::{
    Ledger, Mode, OnDrop, Tracked, Walked, in_every_mode, in_walked_modes, panic_message, pool,
    walked,
};

in_every_mode!(
    the_object_stays_where_it_is,
    the_object_is_destroyed_once,
    the_slot_is_free_again,
    the_pool_may_go_first,
    a_panicking_destructor_frees_the_slot,
    slices_are_destroyed_element_by_element,
    objects_without_size_or_destructor_end_too,
    large_and_aligned_objects_end_too,
    handles_of_many_types_stand_side_by_side,
    unsizing_twice_ends_once,
    raw_handles_are_made_again,
    memory_goes_back_with_the_last_handle,
);
in_walked_modes!(
    a_drop_inside_a_walk_is_put_off,
    a_drop_under_a_hold_is_put_off,
    keys_die_with_the_unsized_handle,
    the_pool_knows_the_object_by_its_type,
    a_panic_at_the_end_of_a_hold_frees_the_slot,
);
in_both_locks!(keyed_handles_are_keys_still);

/// What the tests make of handles.
trait Thing {}
impl<T> Thing for T {}

fn the_object_stays_where_it_is<A: Mode, L: Lock>() {
    let pool = pool::<_, A, L>();
    for n in 0..200_u64 {
        let handle = pool.alloc([n; 3]);
        let address = PoolBox::as_ptr(&handle);
        let thing: PoolBox<dyn Thing, A, L> = unsize!(handle => dyn Thing);
        assert!(std::ptr::addr_eq(PoolBox::as_ptr(&thing), address));
        assert!(pool.contains(address));
        let slice: PoolBox<[u64], A, L> = unsize!(pool.alloc([n; 3]) => [u64]);
        assert_eq!(PoolBox::as_ptr(&slice).len(), 3);
    }
}

fn the_object_is_destroyed_once<A: Mode, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let mut things: Vec<PoolBox<dyn Thing, A, L>> = Vec::new();
    for _ in 0..300 {
        things.push(unsize!(pool.alloc(ledger.make()) => dyn Thing));
    }
    assert_eq!((pool.len(), ledger.dropped()), (300, 0));
    things.truncate(100);
    assert_eq!((pool.len(), ledger.dropped()), (100, 200));
    drop(things);
    assert_eq!(pool.len(), 0);
    ledger.assert_settled();
}

fn the_slot_is_free_again<A: Mode, L: Lock>() {
    let ledger = Ledger::default();
    let pool = A::builder::<_, L>().limit(1).build();
    for _ in 0..100 {
        let thing = unsize!(pool.alloc(ledger.make()) => dyn Thing);
        assert!(pool.try_alloc(ledger.make()).is_err());
        drop(thing);
    }
    ledger.assert_settled();
}

fn the_pool_may_go_first<A: Mode, L: Lock>() {
    let ledger = Ledger::default();
    let pool = A::builder::<_, L>().growth(10).build();
    let mut things: Vec<_> = (0..100)
        .map(|_| unsize!(pool.alloc(ledger.make()) => dyn Thing))
        .collect();
    drop(pool);
    assert_eq!(ledger.dropped(), 0);
    things.truncate(30);
    assert_eq!(ledger.dropped(), 70);
    drop(things);
    ledger.assert_settled();
}

fn a_panicking_destructor_frees_the_slot<A: Mode, L: Lock>() {
    let ledger = Ledger::default();
    let pool = A::builder::<_, L>().limit(1).build();
    let thing = unsize!(pool.alloc(Bomb::new(&ledger, true)) => dyn Thing);
    assert_eq!(panic_message(|| drop(thing)), "bomb 0");
    assert_eq!(pool.len(), 0);
    drop(unsize!(pool.alloc(Bomb::new(&ledger, false)) => dyn Thing));
    ledger.assert_settled();
}

fn slices_are_destroyed_element_by_element<A: Mode, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<[Tracked; 5], A, L>();
    let slice = unsize!(pool.alloc([(); 5].map(|()| ledger.make())) => [Tracked]);
    assert_eq!((pool.len(), PoolBox::as_ptr(&slice).len()), (1, 5));
    drop(slice);
    ledger.assert_settled();
    let empty = mem_pool::FixedPool::keyed();
    let slice: PoolBox<[Tracked], Keyed> = unsize!(empty.alloc([]) => [Tracked]);
    drop(slice);
    assert_eq!((pool.len(), empty.len()), (0, 0));
}

fn objects_without_size_or_destructor_end_too<A: Mode, L: Lock>() {
    struct Nothing;
    let nothings = A::builder::<_, L>().limit(3).build();
    let numbers = A::builder::<_, L>().limit(3).build();
    for _ in 0..10 {
        let things = [(); 3].map(|()| unsize!(nothings.alloc(Nothing) => dyn Thing));
        let others = [1, 2, 3].map(|n| unsize!(numbers.alloc(n) => dyn Thing));
        assert!(nothings.try_alloc(Nothing).is_err() && numbers.try_alloc(4).is_err());
        drop((things, others));
        assert_eq!((nothings.len(), numbers.len()), (0, 0));
    }
    thread_local!(static DROPS: Cell<u32> = const { Cell::new(0) });
    struct Counted;
    impl Drop for Counted {
        fn drop(&mut self) {
            DROPS.set(DROPS.get() + 1);
        }
    }
    let pool = pool::<_, A, L>();
    let things = [(); 9].map(|()| unsize!(pool.alloc(Counted) => dyn Thing));
    assert_eq!(DROPS.get(), 0);
    drop(things);
    assert_eq!(DROPS.get(), 9);
}

fn large_and_aligned_objects_end_too<A: Mode, L: Lock>() {
    #[repr(align(4096))]
    struct Aligned(#[expect(dead_code, reason = "it has a destructor")] Tracked);
    let ledger = Ledger::default();
    let aligned = pool::<_, A, L>();
    let large = pool::<_, A, L>();
    let mut things: Vec<PoolBox<dyn Thing, A, L>> = Vec::new();
    for _ in 0..5 {
        things.push(unsize!(aligned.alloc(Aligned(ledger.make())) => dyn Thing));
        things.push(unsize!(large.alloc((ledger.make(), [0_u8; 100_000])) => dyn Thing));
    }
    drop(aligned);
    drop(things);
    ledger.assert_settled();
    assert_eq!(large.len(), 0);
}

fn handles_of_many_types_stand_side_by_side<A: Mode, L: Lock>() {
    let ledger = Ledger::default();
    let numbers = pool::<u8, A, L>();
    let texts = pool::<String, A, L>();
    let tracked = pool::<Tracked, A, L>();
    let mut things: Vec<PoolBox<dyn Thing, A, L>> = Vec::new();
    for n in 0..50 {
        things.push(unsize!(numbers.alloc(n) => dyn Thing));
        things.push(unsize!(texts.alloc(n.to_string()) => dyn Thing));
        things.push(unsize!(tracked.alloc(ledger.make()) => dyn Thing));
    }
    fastrand::Rng::with_seed(5).shuffle(&mut things);
    things.truncate(10);
    assert_eq!(numbers.len() + texts.len() + tracked.len(), 10);
    drop(things);
    ledger.assert_settled();
}

fn unsizing_twice_ends_once<A: Mode, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let sendable = unsize!(pool.alloc(Rc::new(ledger.make())) => dyn Any + Unpin);
    let address = PoolBox::as_ptr(&sendable);
    let plain: PoolBox<dyn Any, A, L> = unsize!(sendable => dyn Any); // an auto trait less
    let same: PoolBox<dyn Any, A, L> = unsize!(plain => dyn Any); // nothing less
    assert!(std::ptr::addr_eq(PoolBox::as_ptr(&same), address));
    // In one expression, and with one in the other's expression.
    let nested = unsize!(unsize!(pool.alloc(Rc::new(ledger.make())) => dyn Any + Unpin) => dyn Any);
    let block = unsize!({
        drop(unsize!(pool.alloc(Rc::new(ledger.make())) => dyn Any));
        pool.alloc(Rc::new(ledger.make()))
    } => dyn Any);
    assert_eq!((pool.len(), ledger.dropped()), (3, 1));
    drop((same, nested, block));
    ledger.assert_settled();
    // What the pool has is no trait object yet, and what is in it may be one.
    let boxes = self::pool::<PoolBox<dyn Thing, A, L>, A, L>();
    let outer =
        unsize!(boxes.alloc(unsize!(pool.alloc(Rc::new(ledger.make())) => dyn Thing)) => dyn Thing);
    assert_eq!((pool.len(), boxes.len()), (1, 1));
    drop(outer);
    assert_eq!((pool.len(), boxes.len()), (0, 0));
    ledger.assert_settled();
}

#[expect(unsafe_code, reason = "a handle is made of its raw pointer again")]
fn raw_handles_are_made_again<A: Mode, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let raw = PoolBox::into_raw(unsize!(pool.alloc(ledger.make()) => dyn Thing));
    assert_eq!((pool.len(), ledger.dropped()), (1, 0));
    // SAFETY: `raw` came from `into_raw` of a handle of this type, and is used once.
    let thing = unsafe { PoolBox::<dyn Thing, A, L>::from_raw(raw) };
    let raw = PoolBox::into_raw(thing);
    // SAFETY: as above; the object is a `Tracked`, as it was when its handle was unsized.
    let handle = unsafe { PoolBox::<Tracked, A, L>::from_raw(raw.cast()) };
    assert!(pool.owns(&handle));
    drop(handle);
    ledger.assert_settled();
}

fn memory_goes_back_with_the_last_handle<A: Mode, L: Lock>() {
    let ledger = Ledger::default();
    let pool = A::builder::<_, L>().growth(50).keep_empty(0).build();
    let things: Vec<_> = (0..500)
        .map(|_| unsize!(pool.alloc(ledger.make()) => dyn Thing))
        .collect();
    drop(things);
    assert_eq!(pool.stats().reserved_bytes, 0);
    ledger.assert_settled();
}

fn a_drop_inside_a_walk_is_put_off<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let things: Vec<_> = (0..100)
        .map(|_| unsize!(pool.alloc(ledger.make()) => dyn Thing))
        .collect();
    let things = Cell::new(Some(things));
    let mut visits = 0;
    pool.for_each(|object| {
        drop(things.take());
        assert_eq!(ledger.drops_of(object.id), 0);
        object.check();
        visits += 1;
    });
    assert_eq!((visits, counts(&pool)), (1, (0, 0)));
    ledger.assert_settled();
}

fn a_drop_under_a_hold_is_put_off<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let tracked = pool::<_, A, L>();
    let arrays = pool::<[Tracked; 2], A, L>();
    let thing = unsize!(tracked.alloc(ledger.make()) => dyn Thing);
    let slice = unsize!(arrays.alloc([ledger.make(), ledger.make()]) => [Tracked]);
    let holds = (tracked.hold(), arrays.hold());
    let objects = (
        holds.0.iter().next().unwrap(),
        holds.1.iter().next().unwrap(),
    );
    drop((thing, slice));
    assert_eq!(
        (counts(&tracked), counts(&arrays), ledger.dropped()),
        ((0, 1), (0, 1), 0)
    );
    objects.0.check();
    objects.1.iter().for_each(Tracked::check);
    drop(holds);
    ledger.assert_settled();
    assert_eq!((counts(&tracked), counts(&arrays)), ((0, 0), (0, 0)));
}

fn keys_die_with_the_unsized_handle<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = A::builder::<_, L>().limit(10).build();
    for _ in 0..3 {
        let handles = fill(&pool, &ledger, 10);
        let keys: Vec<_> = handles.iter().map(PoolBox::downgrade).collect();
        let mut things = Vec::new();
        for handle in handles {
            things.push(unsize!(handle => dyn Thing));
        }
        assert!(keys.iter().all(|key| pool.hold().get(*key).is_some()));
        things.truncate(5);
        let answers = keys.iter().map(|key| pool.hold().get(*key).is_some());
        assert!(answers.eq((0..10).map(|n| n < 5)));
        let hold = pool.hold();
        drop(things);
        assert!(keys.iter().all(|key| hold.get(*key).is_none()));
    }
    ledger.assert_settled();
}

fn the_pool_knows_the_object_by_its_type<A: Walked, L: Lock>() {
    let pool: FixedPool<String, A, L> = pool();
    let thing = unsize!(pool.alloc("seen".into()) => dyn Display);
    assert_eq!(walked(&pool), ["seen"]);
    assert_eq!(pool.hold().iter().next().unwrap(), "seen");
    let key = pool.hold().iter_keys().next().unwrap().0;
    assert_eq!(pool.hold()[key], "seen");
    drop(thing);
    assert!(pool.hold().get(key).is_none());
}

fn a_panic_at_the_end_of_a_hold_frees_the_slot<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = A::builder::<_, L>().limit(70).build();
    let mut things: Vec<PoolBox<dyn Thing, A, L>> = Vec::new();
    for n in 0..70 {
        things.push(unsize!(pool.alloc(Bomb::new(&ledger, n == 3)) => dyn Thing));
    }
    let hold = pool.hold();
    drop(things);
    assert_eq!(panic_message(|| drop(hold)), "bomb 3");
    ledger.assert_settled();
    assert_eq!(counts(&pool), (0, 0));
    let _again: Vec<_> = (0..70)
        .map(|_| pool.alloc(Bomb::new(&ledger, false)))
        .collect();
}

fn keyed_handles_are_keys_still<L: Lock>() {
    let pool = pool::<OnDrop, Keyed, L>();
    let runs = Rc::new(Cell::new(0));
    let count = || {
        let runs = runs.clone();
        OnDrop::new(move || runs.set(runs.get() + 1))
    };
    let (a, b) = (pool.alloc(count()), pool.alloc(count()));
    let (a, b) = (unsize!(a => dyn Thing), unsize!(b => dyn Thing));
    let same = &a;
    assert!(*same == a && a != b && (a < b) != (b < a));
    assert_eq!(format!("{a:?}"), format!("PoolBox({a:p})"));
    drop(a);
    assert_eq!((runs.get(), counts(&pool)), (1, (1, 0)));
    drop(pool);
    drop(b);
    assert_eq!(runs.get(), 2);
}
