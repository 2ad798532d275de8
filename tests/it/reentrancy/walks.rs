//! What a closure may do inside a walk of its own pool.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::rc::Rc;

use mem_pool::{FixedPool, Lock, PoolBox};

use crate::support::{
    Ledger, OnDrop, Tracked, Walked, count, in_walked_modes, pool, walked, watchdog,
};

in_walked_modes!(
    the_visited_object_can_be_dropped,
    objects_dropped_before_their_turn_are_not_visited,
    objects_dropped_in_a_pinned_group_are_not_visited_any_more,
    a_walk_that_allocates_on_every_visit_ends,
    a_walk_that_replaces_every_object_ends,
    each_object_is_visited_at_most_once_whatever_happens,
    objects_alive_for_the_whole_walk_are_visited_once,
    the_pool_answers_questions_inside_a_walk,
    memory_can_be_given_back_inside_a_walk,
    reservations_can_be_made_inside_a_walk,
    a_stopped_walk_has_left_every_group,
    the_last_visit_may_drop_everything,
    the_pool_may_grow_by_chunks_inside_a_walk,
);

fn the_visited_object_can_be_dropped<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let handles: Vec<_> = (0..300).map(|_| Some(pool.alloc(ledger.make()))).collect();
    let handles = RefCell::new(handles);
    let mut visits = 0;
    pool.for_each(|object| {
        let len = pool.len();
        let handle = handles.borrow_mut()[object.id].take();
        drop(handle);
        object.check();
        assert_eq!(
            ledger.drops_of(object.id),
            0,
            "the reference is still valid"
        );
        assert_eq!(pool.len(), len - 1, "the drop has begun");
        visits += 1;
    });
    assert_eq!((visits, pool.len(), pool.stats().deferred), (300, 0, 0));
    ledger.assert_settled();
}

fn objects_dropped_before_their_turn_are_not_visited<A: Walked, L: Lock>() {
    for reverse in [false, true] {
        let ledger = Ledger::default();
        let pool = pool::<_, A, L>();
        let mut handles: Vec<_> = (0..1000).map(|_| pool.alloc(ledger.make())).collect();
        if reverse {
            handles.reverse();
        }
        let gone = RefCell::new(Vec::new());
        let mut visits = 0;
        pool.for_each(|object| {
            assert!(
                !gone.borrow().contains(&object.id),
                "despawned, yet visited"
            );
            visits += 1;
            if let Some(handle) = handles.pop() {
                gone.borrow_mut()
                    .push(A::read(&pool, &handle, |object| object.id));
                drop(handle);
            }
        });
        assert!(visits >= 500, "as many are left as are dropped");
        drop(handles);
        ledger.assert_settled();
    }
}

fn objects_dropped_in_a_pinned_group_are_not_visited_any_more<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let handles: Vec<_> = (0..10).map(|_| pool.alloc(ledger.make())).collect();
    let handles = Cell::new(Some(handles));
    let mut visits = 0;
    pool.for_each(|object| {
        drop(handles.take());
        object.check();
        visits += 1;
    });
    assert_eq!(visits, 1, "the first visit dropped all ten");
    ledger.assert_settled();
}

fn a_walk_that_allocates_on_every_visit_ends<A: Walked, L: Lock>() {
    for growth in [1, 64, 1000] {
        let pool = A::builder::<usize, L>().growth(growth).build();
        let objects = count(500);
        let handles: Vec<_> = (0..objects).map(|n| pool.alloc(n)).collect();
        let mut added = Vec::new();
        let mut seen = vec![0; objects];
        pool.for_each(|n| {
            if let Some(seen) = seen.get_mut(*n) {
                *seen += 1;
            }
            added.push(pool.alloc(usize::MAX));
        });
        assert!(seen.iter().all(|&times| times == 1));
        assert_eq!(pool.len(), handles.len() + added.len());
    }
}

fn a_walk_that_replaces_every_object_ends<A: Walked, L: Lock>() {
    let pool = pool::<usize, A, L>();
    let handles: HashMap<usize, _> = (0..count(1000)).map(|n| (n, pool.alloc(n))).collect();
    let handles = RefCell::new(handles);
    let mut next = 1_000_000;
    pool.for_each(|n| {
        let handle = handles.borrow_mut().remove(n);
        assert!(handle.is_some(), "{n} was dropped or visited before");
        drop(handle);
        handles.borrow_mut().insert(next, pool.alloc(next));
        next += 1;
    });
    assert_eq!(pool.len(), handles.borrow().len());
    assert!(handles.borrow().keys().all(|n| *n >= 1_000_000));
}

/// Drops and makes objects at random inside a walk; `ids` are never used twice.
fn churn<A: Walked, L: Lock>(seed: u64, growth: usize) -> HashMap<usize, usize> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let ledger = Ledger::default();
    let pool = A::builder::<Tracked, L>().growth(growth).build();
    let mut handles: Vec<_> = (0..400).map(|_| pool.alloc(ledger.make())).collect();
    let mut visits = HashMap::new();
    pool.for_each(|object| {
        assert_eq!(ledger.drops_of(object.id), 0);
        *visits.entry(object.id).or_insert(0) += 1;
        for _ in 0..rng.usize(0..3) {
            handles.swap_remove(rng.usize(0..handles.len()));
            handles.push(pool.alloc(ledger.make()));
        }
        object.check();
    });
    for object in &handles {
        A::read(&pool, object, |object| {
            let original = object.id < 400;
            assert!(
                !original || visits.get(&object.id) == Some(&1),
                "alive throughout"
            );
        });
    }
    drop(handles);
    ledger.assert_settled();
    visits
}

fn each_object_is_visited_at_most_once_whatever_happens<A: Walked, L: Lock>() {
    for seed in 0..count(20) as u64 {
        for growth in [3, 100] {
            assert!(
                churn::<A, L>(seed, growth)
                    .values()
                    .all(|&visits| visits == 1)
            );
        }
    }
}

fn objects_alive_for_the_whole_walk_are_visited_once<A: Walked, L: Lock>() {
    let pool = pool::<usize, A, L>();
    let mut handles: Vec<_> = (0..1000).map(|n| (n, pool.alloc(n))).collect();
    let mut seen = vec![0; 1000];
    let mut n = 0;
    pool.for_each(|object| {
        seen[*object] += 1;
        n += 1;
        handles.retain(|(id, _)| id % 10 == 0 || (id + n) % 7 != 0);
    });
    assert!((0..1000).step_by(10).all(|id| seen[id] == 1));
    assert!(seen.iter().all(|&times| times <= 1));
}

fn the_pool_answers_questions_inside_a_walk<A: Walked, L: Lock>() {
    let pool = pool::<u64, A, L>();
    let handles: Vec<_> = (0..100).map(|n| pool.alloc(n)).collect();
    let stats = pool.stats();
    pool.for_each(|object| {
        assert_eq!((pool.len(), pool.is_empty()), (100, false));
        assert_eq!((pool.stats(), pool.capacity()), (stats, stats.capacity));
        assert!(pool.contains(object) && pool.owns(&handles[*object as usize]));
        assert!(format!("{pool:?}").contains("100"));
        A::read(&pool, &handles[*object as usize], |same| {
            assert!(std::ptr::eq(same, object))
        });
    });
}

fn memory_can_be_given_back_inside_a_walk<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = A::builder::<_, L>().growth(50).build();
    let mut handles: Vec<_> = (0..count(10_000))
        .map(|_| pool.alloc(ledger.make()))
        .collect();
    let mut given_back = 0;
    let mut visits = 0;
    pool.for_each(|object| {
        visits += 1;
        if visits == 2 {
            handles.truncate(3);
        }
        given_back += pool.shrink_to_fit();
        object.check();
        assert_eq!(ledger.drops_of(object.id), 0);
    });
    assert!(
        cfg!(miri) || given_back > 0,
        "the chunks behind the walk were free"
    );
    assert!(visits <= 5);
    drop(handles);
    pool.shrink_to_fit();
    assert_eq!(pool.stats().reserved_bytes, 0);
    ledger.assert_settled();
}

fn reservations_can_be_made_inside_a_walk<A: Walked, L: Lock>() {
    let pool = pool::<u64, A, L>();
    let mut handles = vec![pool.alloc(0)];
    pool.for_each(|_| {
        pool.reserve(100);
        pool.try_reserve(usize::MAX).unwrap_err();
        let vacant = pool.vacant();
        drop(pool.vacant());
        handles.push(vacant.write(1));
        handles.push(pool.alloc_with(|| 2));
    });
    assert!(walked(&pool).len() == handles.len() && handles.len() >= 3);
}

fn a_stopped_walk_has_left_every_group<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let mut handles: Vec<_> = (0..200).map(|_| pool.alloc(ledger.make())).collect();
    let stopped = pool.try_for_each(|_| {
        drop(handles.split_off(1));
        ControlFlow::Break(ledger.dropped())
    });
    let ControlFlow::Break(at_once) = stopped else {
        panic!("the walk did not stop")
    };
    assert!(at_once >= 199 - 64, "far from the walk");
    assert_eq!((ledger.dropped(), pool.stats().deferred), (199, 0));
    drop(handles);
    ledger.assert_settled();
}

fn the_last_visit_may_drop_everything<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = A::builder::<_, L>().keep_empty(0).build();
    let mut handles: Vec<_> = (0..100).map(|_| pool.alloc(ledger.make())).collect();
    let mut visits = 0;
    pool.for_each(|_| {
        visits += 1;
        if visits == 100 {
            handles.clear();
        }
    });
    assert_eq!(
        (visits, pool.capacity(), pool.stats().reserved_bytes),
        (100, 0, 0)
    );
    ledger.assert_settled();
}

fn the_pool_may_grow_by_chunks_inside_a_walk<A: Walked, L: Lock>() {
    let pool = A::builder::<[u8; 3000], L>().growth(100).build();
    let handles: Vec<_> = (0..50).map(|_| pool.alloc([0; 3000])).collect();
    let mut more = Vec::new();
    let mut visits = 0;
    pool.for_each(|object| {
        visits += usize::from(object[0] == 0);
        more.extend((0..20).map(|_| pool.alloc([1; 3000])));
    });
    assert_eq!(visits, handles.len());
}

#[test]
fn entities_can_be_dropped_and_made_while_the_pool_is_borrowed_mutably() {
    let _watchdog = watchdog();
    let ledger = Ledger::default();
    let mut pool = FixedPool::keyed();
    let keys: Vec<_> = (0..300).map(|_| Some(pool.alloc(ledger.make()))).collect();
    let keys = RefCell::new(keys);
    pool.for_each_mut(|object| {
        keys.borrow_mut()[object.id] = None;
        keys.borrow_mut()[(object.id + 1) % 300] = None;
        object.check();
        assert_eq!(ledger.drops_of(object.id), 0);
    });
    assert!(pool.is_empty());
    ledger.assert_settled();
}

#[test]
fn a_deferred_destructor_may_use_the_pool() {
    let _watchdog = watchdog();
    let pool = Rc::new(FixedPool::<OnDrop>::new());
    let made = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::new(Cell::new(0));
    let handles: Vec<PoolBox<OnDrop>> = (0..100)
        .map(|_| {
            let inside = (pool.clone(), made.clone(), log.clone());
            pool.alloc(OnDrop::new(move || {
                inside
                    .1
                    .borrow_mut()
                    .push(inside.0.alloc(OnDrop::nothing()));
                inside.0.for_each(|_| inside.2.set(inside.2.get() + 1));
                inside.0.shrink_to_fit();
            }))
        })
        .collect();
    let mut handles = Some(handles);
    pool.for_each(|_| drop(handles.take()));
    assert_eq!((pool.len(), made.borrow().len()), (100, 100));
    assert!(log.get() >= 100 * 101 / 2);
    made.borrow_mut().clear();
}
