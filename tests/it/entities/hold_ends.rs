//! The end of the last hold: it carries out what was put off, all of it, whatever the destructors do.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::rc::Rc;

use mem_pool::generic::FixedPool;
use mem_pool::{Lock, PoolBox};

use super::{Bomb, counts, fill};
use crate::support::{Ledger, OnDrop, Walked, in_walked_modes, leaking, panic_message, pool};

in_walked_modes!(
    all_are_destroyed_even_if_one_panics,
    memory_goes_back_even_if_one_panics,
    a_panic_passes_through_holds_that_are_not_the_last,
    a_closure_that_panics_ends_its_hold,
    a_walk_that_ends_early_leaves_the_dead_to_the_hold,
    destructors_use_the_pool,
    destructors_hold_the_pool,
    a_destructor_that_keeps_a_hold_keeps_what_is_dropped_then,
    a_destructor_that_keeps_a_hold_keeps_memory,
    destructors_drop_more_of_the_pool,
    a_list_is_destroyed_from_its_head,
);

fn all_are_destroyed_even_if_one_panics<A: Walked, L: Lock>() {
    for (armed, growth) in [(0, 1), (70, 64), (199, 1000), (100, 7)] {
        let ledger = Ledger::default();
        let pool = A::builder::<_, L>().growth(growth).limit(200).build();
        let bombs: Vec<_> = (0..200)
            .map(|n| pool.alloc(Bomb::new(&ledger, n == armed)))
            .collect();
        let hold = pool.hold();
        drop(bombs);
        assert_eq!(ledger.dropped(), 0);
        assert_eq!(panic_message(|| drop(hold)), format!("bomb {armed}"));
        ledger.assert_settled();
        assert_eq!(counts(&pool), (0, 0));
        // No slot was lost, and nothing is held any more.
        let again: Vec<_> = (0..200)
            .map(|_| pool.alloc(Bomb::new(&ledger, false)))
            .collect();
        drop(again);
        ledger.assert_settled();
    }
}

fn memory_goes_back_even_if_one_panics<A: Walked, L: Lock>() {
    for armed in [0, 150, 299] {
        let ledger = Ledger::default();
        let pool = A::builder::<_, L>().growth(64).keep_empty(0).build();
        let bombs: Vec<_> = (0..300)
            .map(|n| pool.alloc(Bomb::new(&ledger, n == armed)))
            .collect();
        let hold = pool.hold();
        drop(bombs);
        panic_message(|| drop(hold));
        assert_eq!(pool.stats().reserved_bytes, 0, "no empty chunk is kept");
    }
}

fn a_panic_passes_through_holds_that_are_not_the_last<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let bomb = pool.alloc(Bomb::new(&ledger, true));
    let (first, second) = (pool.hold(), pool.hold());
    drop(bomb);
    drop(first);
    assert_eq!(ledger.dropped(), 0);
    assert_eq!(panic_message(|| drop(second)), "bomb 0");
    drop(pool.hold()); // the count is even
    drop(pool.alloc(Bomb::new(&ledger, false)));
    ledger.assert_settled();
}

fn a_closure_that_panics_ends_its_hold<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let handle = pool.alloc(ledger.make());
    let message = panic_message(|| {
        let hold = pool.hold();
        drop(handle);
        pool.for_each(|_| unreachable!("it is dead"));
        let _object = hold.iter().next().expect("no object is left");
    });
    assert_eq!(message, "no object is left");
    ledger.assert_settled();
    assert_eq!(counts(&pool), (0, 0));
}

fn a_walk_that_ends_early_leaves_the_dead_to_the_hold<A: Walked, L: Lock>() {
    for panics in [false, true] {
        let ledger = Ledger::default();
        let pool = pool::<_, A, L>();
        let handles = Cell::new(Some(fill(&pool, &ledger, 10)));
        let hold = pool.hold();
        let objects: Vec<_> = hold.iter().collect();
        let walk = || {
            pool.try_for_each(|_| {
                drop(handles.take());
                assert!(!panics, "early");
                ControlFlow::Break(())
            })
        };
        if panics {
            assert_eq!(panic_message(walk), "early");
        } else {
            assert!(walk().is_break());
        }
        assert_eq!((ledger.dropped(), counts(&pool)), (0, (0, 10)));
        objects.iter().for_each(|object| object.check());
        drop(hold);
        ledger.assert_settled();
        assert_eq!(counts(&pool), (0, 0));
    }
}

type Shelf<A, L> = Rc<FixedPool<OnDrop, A, L>>;

fn destructors_use_the_pool<A: Walked, L: Lock>() {
    let pool: Shelf<A, L> = Rc::default();
    let runs = Rc::new(Cell::new(0));
    let made = Rc::new(RefCell::new(Vec::new()));
    let handles: Vec<_> = (0..100)
        .map(|_| {
            let (weak, runs, made) = (Rc::downgrade(&pool), runs.clone(), made.clone());
            pool.alloc(OnDrop::new(move || {
                let pool = weak.upgrade().expect("the hold borrows it");
                pool.for_each(|_| ());
                made.borrow_mut().push(pool.alloc(OnDrop::nothing()));
                pool.shrink_to_fit();
                drop(pool.alloc(OnDrop::nothing()));
                assert_eq!(pool.len(), made.borrow().len());
                runs.set(runs.get() + 1);
            }))
        })
        .collect();
    let hold = pool.hold();
    drop(handles);
    assert_eq!((runs.get(), counts(&pool)), (0, (0, 100)));
    drop(hold);
    assert_eq!((runs.get(), counts(&pool)), (100, (100, 0)));
    made.borrow_mut().clear();
}

fn destructors_hold_the_pool<A: Walked, L: Lock>() {
    let pool: Shelf<A, L> = Rc::default();
    let runs = Rc::new(Cell::new(0));
    let handles: Vec<_> = (0..300)
        .map(|_| {
            let (weak, runs) = (Rc::downgrade(&pool), runs.clone());
            pool.alloc(OnDrop::new(move || {
                let pool = weak.upgrade().unwrap();
                let inner = runs.clone();
                let another = pool.alloc(OnDrop::new(move || inner.set(inner.get() + 1)));
                let hold = pool.hold();
                assert_eq!(hold.iter().count(), 1, "those that die are not found");
                drop(another);
                let before = runs.get();
                assert_eq!(hold.iter().count(), 0);
                assert_eq!(runs.get(), before, "this hold keeps, too");
                drop(hold);
            }))
        })
        .collect();
    let hold = pool.hold();
    drop(handles);
    drop(hold);
    assert_eq!((runs.get(), counts(&pool)), (300, (0, 0)));
}

fn a_destructor_that_keeps_a_hold_keeps_what_is_dropped_then<A: Walked, L: Lock>() {
    let Some(_leaking) = leaking() else { return };
    let pool = A::builder::<OnDrop, L>().growth(500).build(); // one chunk, in order
    let pool: &'static FixedPool<OnDrop, A, L> = Box::leak(Box::new(pool));
    let kept = Rc::new(Cell::new(None));
    let runs = Rc::new(Cell::new((0, false)));
    let late = Rc::new(Cell::new(None));
    let first = pool.alloc(OnDrop::new({
        let (kept, late) = (kept.clone(), late.clone());
        move || {
            kept.set(Some(pool.hold()));
            drop(late.take()); // while what was put off is being carried out
        }
    }));
    let others: Vec<_> = (0..400)
        .map(|_| {
            let runs = runs.clone();
            pool.alloc(OnDrop::new(move || {
                runs.set((runs.get().0 + 1, runs.get().1))
            }))
        })
        .collect();
    late.set(Some(pool.alloc(OnDrop::new({
        let runs = runs.clone();
        move || runs.set((runs.get().0, true))
    }))));
    let hold = pool.hold();
    drop((first, others));
    drop(hold);
    assert!(
        !runs.get().1,
        "a hold that was there when it was dropped still lives"
    );
    drop(kept.take());
    assert_eq!((runs.get(), counts(pool)), ((400, true), (0, 0)));
    pool.shrink_to_fit();
}

fn a_destructor_that_keeps_a_hold_keeps_memory<A: Walked, L: Lock>() {
    let Some(_leaking) = leaking() else { return };
    let pool = A::builder::<OnDrop, L>().growth(64).keep_empty(0).build();
    let pool: &'static FixedPool<OnDrop, A, L> = Box::leak(Box::new(pool));
    let kept = Rc::new(Cell::new(None));
    let object = pool.alloc(OnDrop::new({
        let kept = kept.clone();
        move || kept.set(Some(pool.hold()))
    }));
    let hold = pool.hold();
    drop(object);
    drop(hold);
    let stats = pool.stats();
    assert_eq!(
        (stats.deferred, stats.chunks),
        (0, 1),
        "the pool is held again"
    );
    drop(kept.take().expect("the destructor ran"));
    assert_eq!(pool.stats().reserved_bytes, 0);
}

fn destructors_drop_more_of_the_pool<A: Walked, L: Lock>() {
    let pool: Shelf<A, L> = Rc::default();
    let others: Vec<_> = (0..200).map(|_| pool.alloc(OnDrop::nothing())).collect();
    let handle = pool.alloc(OnDrop::new(move || drop(others)));
    let hold = pool.hold();
    drop(handle);
    assert_eq!(
        counts(&pool),
        (200, 1),
        "what it owns lives as long as it does"
    );
    drop(hold);
    assert_eq!(counts(&pool), (0, 0));
}

struct Node<A: Walked, L: Lock> {
    _body: crate::support::Tracked,
    _next: Option<PoolBox<Node<A, L>, A, L>>,
}

fn a_list_is_destroyed_from_its_head<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let mut head = None;
    for _ in 0..200 {
        head = Some(pool.alloc(Node {
            _body: ledger.make(),
            _next: head,
        }));
    }
    let hold = pool.hold();
    drop(head);
    assert_eq!((counts(&pool), ledger.dropped()), ((199, 1), 0));
    drop(hold);
    ledger.assert_settled();
    assert_eq!(counts(&pool), (0, 0));
}
