//! Whatever panics, the pool stays usable and nothing is lost.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mem_pool::generic::FixedPool;
use mem_pool::{Lock, Locked, PoolBox, Unique, Unlocked};

use crate::support::{
    Ledger, Mode, OnDrop, Tracked, Walked, in_every_mode, in_walked_modes, panic_message, watchdog,
};

in_every_mode!(
    a_constructor_that_panics_gives_its_slot_back,
    a_constructor_that_panics_in_a_fresh_chunk_loses_nothing,
    a_destructor_that_panics_reaches_the_caller_and_frees_the_slot,
    a_destructor_that_panics_does_not_harm_its_neighbours,
    a_destructor_that_panics_after_the_pool_is_gone_leaks_nothing,
    handles_are_dropped_while_unwinding,
    a_reservation_is_given_back_while_unwinding,
);

/// Fills the pool to its limit and empties it again: no slot is lost.
fn assert_usable<T, A: Mode, L: Lock>(
    pool: &FixedPool<T, A, L>,
    limit: usize,
    make: impl Fn() -> T,
) {
    let before = pool.len();
    let handles: Vec<_> = std::iter::from_fn(|| pool.try_alloc(make()).ok()).collect();
    assert_eq!(
        (handles.len() + before, pool.len(), pool.capacity()),
        (limit, limit, limit)
    );
    drop(handles);
    assert_eq!((pool.len(), pool.stats().deferred), (before, 0));
}

fn a_constructor_that_panics_gives_its_slot_back<A: Mode, L: Lock>() {
    let ledger = Ledger::default();
    let pool = A::builder::<_, L>().limit(3).build();
    let _neighbour = pool.alloc(ledger.make());
    for _ in 0..10 {
        let message = panic_message(|| pool.alloc_with(|| panic!("on purpose")));
        assert_eq!(message, "on purpose");
        let half_made = || {
            let _parts = ledger.make();
            panic!("on purpose")
        };
        panic_message(|| pool.try_alloc_with(half_made));
        let mut visits = 0;
        if A::walk(&pool, |object: &Tracked| {
            object.check();
            visits += 1;
        }) {
            assert_eq!(visits, 1);
        }
        assert_eq!(pool.len(), 1);
    }
    assert_usable(&pool, 3, || ledger.make());
    assert_eq!(ledger.made() - ledger.dropped(), 1);
}

fn a_constructor_that_panics_in_a_fresh_chunk_loses_nothing<A: Mode, L: Lock>() {
    let pool = A::builder::<u64, L>().growth(10).limit(30).build();
    let mut handles = Vec::new();
    for full in [0, 10, 20] {
        handles.extend((handles.len()..full).map(|n| pool.alloc(n as u64)));
        assert_eq!(pool.capacity(), full);
        panic_message(|| pool.alloc_with(|| panic!("on purpose")));
        assert_eq!((pool.len(), pool.capacity()), (full, full + 10));
    }
    assert_usable(&pool, 30, || 7);
}

fn a_destructor_that_panics_reaches_the_caller_and_frees_the_slot<A: Mode, L: Lock>() {
    let pool = A::builder::<OnDrop, L>().limit(3).build();
    let _neighbour = pool.alloc(OnDrop::nothing());
    for _ in 0..10 {
        let handle = pool.alloc(OnDrop::new(|| panic!("on purpose")));
        assert_eq!(panic_message(|| drop(handle)), "on purpose");
        assert_eq!(pool.len(), 1);
    }
    assert_usable(&pool, 3, OnDrop::nothing);
}

fn a_destructor_that_panics_does_not_harm_its_neighbours<A: Mode, L: Lock>() {
    struct Volatile(Tracked);
    impl Drop for Volatile {
        fn drop(&mut self) {
            assert!(self.0.id % 2 == 0, "odd");
        }
    }
    let ledger = Ledger::default();
    let pool = A::builder::<Volatile, L>().growth(5).build();
    let handles: Vec<_> = (0..100)
        .map(|_| pool.alloc(Volatile(ledger.make())))
        .collect();
    let mut panics = 0;
    for handle in handles {
        panics += usize::from(catch_unwind(AssertUnwindSafe(|| drop(handle))).is_err());
    }
    assert_eq!((panics, pool.len()), (50, 0));
    ledger.assert_settled();
    pool.shrink_to_fit();
    assert_eq!(pool.capacity(), 0, "every slot was free");
}

fn a_destructor_that_panics_after_the_pool_is_gone_leaks_nothing<A: Mode, L: Lock>() {
    let ledger = Ledger::default();
    let pool = A::builder::<OnDrop, L>().build();
    let owned = ledger.make();
    let handle = pool.alloc(OnDrop::new(move || {
        let _owned = owned;
        panic!("on purpose")
    }));
    drop(pool);
    assert_eq!(panic_message(|| drop(handle)), "on purpose");
    ledger.assert_settled();
}

fn handles_are_dropped_while_unwinding<A: Mode, L: Lock>() {
    let ledger = Ledger::default();
    let pool = A::builder::<_, L>().limit(5).build();
    for _ in 0..3 {
        panic_message(|| {
            let _handles = [pool.alloc(ledger.make()), pool.alloc(ledger.make())];
            panic!("on purpose");
        });
        assert!(pool.is_empty());
    }
    ledger.assert_settled();
    assert_usable(&pool, 5, || ledger.make());
}

fn a_reservation_is_given_back_while_unwinding<A: Mode, L: Lock>() {
    let pool = A::builder::<u8, L>().limit(2).build();
    panic_message(|| {
        let _vacant = (pool.vacant(), pool.vacant());
        panic!("on purpose");
    });
    assert_usable(&pool, 2, || 1);
}

in_walked_modes!(
    a_closure_that_panics_releases_its_pins,
    a_closure_that_panics_still_ends_what_was_deferred,
    a_closure_that_panics_deep_inside_leaves_every_walk,
    a_deferred_destructor_that_panics_leaves_the_walk,
    a_deferred_destructor_that_panics_loses_nothing,
    a_caught_panic_inside_a_walk_changes_nothing,
    a_limit_panic_inside_a_walk_changes_nothing,
);

fn a_closure_that_panics_releases_its_pins<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = A::builder::<_, L>().limit(100).build();
    let handles: Vec<_> = (0..100).map(|_| pool.alloc(ledger.make())).collect();
    for stop in [1, 2, 64, 65, 100] {
        let mut visits = 0;
        let message = panic_message(|| {
            pool.for_each(|_| {
                visits += 1;
                assert!(visits < stop, "on purpose");
            });
        });
        assert_eq!((message.as_str(), visits), ("on purpose", stop));
    }
    for handle in handles {
        let before = ledger.dropped();
        drop(handle);
        assert_eq!(
            (ledger.dropped(), pool.stats().deferred),
            (before + 1, 0),
            "a pin was left"
        );
    }
    assert_usable(&pool, 100, || ledger.make());
}

fn a_closure_that_panics_still_ends_what_was_deferred<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = A::builder::<_, L>().limit(50).build();
    let mut handles: Vec<_> = (0..50).map(|_| pool.alloc(ledger.make())).collect();
    let message = panic_message(|| {
        pool.for_each(|object| {
            handles.clear();
            object.check();
            panic!("on purpose");
        });
    });
    assert_eq!(message, "on purpose");
    ledger.assert_settled();
    assert_usable(&pool, 50, || ledger.make());
}

fn a_closure_that_panics_deep_inside_leaves_every_walk<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = A::builder::<_, L>().limit(10).build();
    let handle = Cell::new(Some(pool.alloc(ledger.make())));
    panic_message(|| {
        pool.for_each(|_| {
            pool.for_each(|_| {
                pool.for_each(|_| {
                    handle.set(None);
                    panic!("on purpose");
                });
            });
        });
    });
    ledger.assert_settled();
    assert_usable(&pool, 10, || ledger.make());
}

fn a_deferred_destructor_that_panics_leaves_the_walk<A: Walked, L: Lock>() {
    let pool = A::builder::<OnDrop, L>().limit(10).build();
    let handle = Cell::new(Some(pool.alloc(OnDrop::new(|| panic!("on purpose")))));
    let message = panic_message(|| pool.for_each(|_| drop(handle.take())));
    assert_eq!((message.as_str(), pool.len()), ("on purpose", 0));
    assert_usable(&pool, 10, OnDrop::nothing);
}

fn a_deferred_destructor_that_panics_loses_nothing<A: Walked, L: Lock>() {
    for volatile in [0, 1, 7, 9] {
        let ran = Rc::new(Cell::new(0));
        let pool = A::builder::<OnDrop, L>().limit(200).build();
        let mut handles: Vec<_> = (0..10)
            .map(|n| {
                let ran = ran.clone();
                pool.alloc(OnDrop::new(move || {
                    ran.set(ran.get() + 1);
                    assert!(n != volatile, "on purpose");
                }))
            })
            .collect();
        let behind: Vec<_> = (0..150).map(|_| pool.alloc(OnDrop::nothing())).collect();
        let message = panic_message(|| pool.for_each(|_| handles.clear()));
        assert_eq!(message, "on purpose");
        assert_eq!((ran.get(), pool.len()), (10, 150), "all are destroyed");
        drop(behind);
        assert_usable(&pool, 200, OnDrop::nothing);
    }
}

fn a_caught_panic_inside_a_walk_changes_nothing<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = A::builder::<_, L>().build();
    let handles: Vec<_> = (0..200).map(|_| pool.alloc(ledger.make())).collect();
    let mut visits = 0;
    pool.for_each(|object| {
        visits += 1;
        panic_message(|| pool.alloc_with(|| panic!("on purpose")));
        panic_message(|| pool.for_each(|_| panic!("on purpose")));
        object.check();
    });
    assert_eq!(visits, 200);
    drop(handles);
    ledger.assert_settled();
}

fn a_limit_panic_inside_a_walk_changes_nothing<A: Walked, L: Lock>() {
    let pool = A::builder::<u8, L>().limit(3).build();
    let _handles = [pool.alloc(1), pool.alloc(2), pool.alloc(3)];
    let message = panic_message(|| pool.for_each(|_| drop(pool.alloc(4))));
    assert!(message.contains("limit"), "{message}");
    assert_usable(&pool, 3, || 1);
}

/// An object whose `n`-th clone panics.
struct Fragile(Rc<Cell<usize>>);

impl Clone for Fragile {
    fn clone(&self) -> Self {
        self.0.set(self.0.get() - 1);
        assert!(self.0.get() > 0, "on purpose");
        Self(self.0.clone())
    }
}

fn a_clone_that_panics_gives_its_slot_back<L: Lock>() {
    for pool_first in [false, true] {
        let fuse = Rc::new(Cell::new(3));
        let pool: FixedPool<Fragile, Unique, L> = FixedPool::builder().unique().limit(4).build();
        let handle = pool.alloc(Fragile(fuse.clone()));
        let mut pool = Some(pool);
        if pool_first {
            pool = None;
        }
        let clones = [handle.clone(), handle.clone()];
        for _ in 0..10 {
            fuse.set(1);
            assert_eq!(panic_message(|| handle.clone()), "on purpose");
            assert!(pool.as_ref().is_none_or(|pool| pool.len() == 3));
        }
        fuse.set(10);
        drop(handle.clone());
        drop(clones);
        assert_eq!(Rc::strong_count(&fuse), 2, "two clones are gone");
        drop(handle);
        assert_eq!(Rc::strong_count(&fuse), 1);
    }
}

#[test]
fn clones_that_panic_give_their_slots_back() {
    let _watchdog = watchdog();
    a_clone_that_panics_gives_its_slot_back::<Locked>();
    a_clone_that_panics_gives_its_slot_back::<Unlocked>();
}

#[test]
fn a_panic_in_for_each_mut_ends_what_was_deferred() {
    let _watchdog = watchdog();
    let ledger = Ledger::default();
    let mut pool = mem_pool::FixedPool::keyed();
    let mut keys: Vec<_> = (0..100).map(|_| pool.alloc(ledger.make())).collect();
    let message = panic_message(|| {
        pool.for_each_mut(|object| {
            keys.clear();
            object.check();
            panic!("on purpose");
        });
    });
    assert_eq!(
        (message.as_str(), pool.len(), pool.stats().deferred),
        ("on purpose", 0, 0)
    );
    ledger.assert_settled();
}

#[test]
fn a_thread_that_panics_with_handles_gives_them_back() {
    static VISITS: AtomicUsize = AtomicUsize::new(0);
    let _watchdog = watchdog();
    let ledger = Ledger::default();
    let pool = mem_pool::FixedPool::<Tracked>::builder().limit(20).build();
    for _ in 0..5 {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let _handles: Vec<PoolBox<_>> =
                    (0..20).map(|_| pool.alloc(ledger.make())).collect();
                pool.for_each(|_| {
                    VISITS.fetch_add(1, Ordering::Relaxed);
                    panic!("on purpose");
                });
            });
            assert!(thread.join().is_err());
        });
        assert!(pool.is_empty());
    }
    assert_eq!(VISITS.load(Ordering::Relaxed), 5);
    ledger.assert_settled();
    assert_usable(&pool, 20, || ledger.make());
}
