//! What a walk on one thread sees.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;

use mem_pool::generic;
use mem_pool::{FixedPool, Lock, PoolBox};

use crate::support::{Ledger, Walked, count, in_walked_modes, pool, sorted, walked};

in_walked_modes!(
    every_live_object_is_visited_once,
    a_walk_of_an_empty_pool_visits_nothing,
    objects_come_in_the_order_of_their_addresses,
    holes_are_passed_over,
    rows_and_what_is_left_of_them_come_in_order,
    what_is_dropped_ahead_in_a_row_is_passed_over,
    chunks_without_objects_are_passed_over,
    a_stop_is_final_and_carries_its_value,
    an_unstopped_walk_continues,
    a_busy_object_is_not_moved_out,
    most_objects_can_be_moved_out_during_a_walk,
);

fn every_live_object_is_visited_once<A: Walked, L: Lock>() {
    for objects in [1, 63, 64, 65, 128, 1000, count(60_000)] {
        let pool = pool::<usize, A, L>();
        let handles: Vec<_> = (0..objects).map(|n| pool.alloc(n)).collect();
        assert_eq!(sorted(walked(&pool)), (0..objects).collect::<Vec<_>>());
        drop(handles);
        assert_eq!(walked(&pool), []);
    }
}

fn a_walk_of_an_empty_pool_visits_nothing<A: Walked, L: Lock>() {
    let pool = pool::<u8, A, L>();
    pool.for_each(|_| panic!("there is nothing to visit"));
    pool.reserve(100);
    pool.for_each(|_| panic!("there is nothing to visit"));
    drop(pool.alloc(1));
    pool.for_each(|_| panic!("there is nothing to visit"));
    let reserved = pool.vacant();
    pool.for_each(|_| panic!("there is nothing to visit"));
    drop(reserved);
}

fn objects_come_in_the_order_of_their_addresses<A: Walked, L: Lock>() {
    let pool = A::builder::<u64, L>().growth(20_000).build();
    let handles: Vec<_> = (0..count(40_000)).map(|_| pool.alloc(0)).collect();
    let mut addresses = Vec::new();
    pool.for_each(|object| addresses.push(&raw const *object));
    assert_eq!(addresses.len(), handles.len());
    let jumps_back = addresses
        .windows(2)
        .filter(|pair| pair[0] >= pair[1])
        .count();
    assert!(jumps_back < pool.stats().chunks, "by chunk, then address");
}

fn holes_are_passed_over<A: Walked, L: Lock>() {
    let pool = pool::<usize, A, L>();
    let mut handles: Vec<_> = (0..1000).map(|n| (n, pool.alloc(n))).collect();
    for keep in [3usize, 10, 100, 999] {
        handles.retain(|(n, _)| n % keep == 0);
        let expected: Vec<_> = handles.iter().map(|(n, _)| *n).collect();
        assert_eq!(sorted(walked(&pool)), expected);
    }
    let replaced: Vec<_> = (1000..1500).map(|n| pool.alloc(n)).collect();
    assert_eq!(walked(&pool).len(), handles.len() + replaced.len());
}

/// Which of 64 neighbours live: so many from the first on, then none, one behind a hole, or some.
fn rows() -> impl Iterator<Item = Vec<usize>> {
    let row = |length: usize| {
        let behind = length + 1..64;
        let scattered = behind.clone().step_by(3);
        let tails = [vec![], behind.take(1).collect(), scattered.collect()];
        tails.map(|tail| (0..length).chain(tail).collect())
    };
    [0, 1, 15, 16, 17, 31, 32, 33, 47, 48, 49, 62, 63, 64]
        .into_iter()
        .flat_map(row)
}

type Handles<A, L> = Vec<(usize, PoolBox<usize, A, L>)>;

/// A pool with one group, and the handles of those that live.
fn group<A: Walked, L: Lock>(live: &[usize]) -> (generic::FixedPool<usize, A, L>, Handles<A, L>) {
    let pool = A::builder::<usize, L>().growth(64).build();
    let mut handles: Vec<_> = (0..64).map(|n| (n, pool.alloc(n))).collect();
    handles.retain(|(n, _)| live.contains(n));
    (pool, handles)
}

fn rows_and_what_is_left_of_them_come_in_order<A: Walked, L: Lock>() {
    for live in rows() {
        let (pool, _handles) = group::<A, L>(&live);
        assert_eq!(walked(&pool), live);
        for before in [1, 15, 16, 17, 40] {
            let hold = pool.hold();
            let mut rest = hold.iter();
            let mut seen: Vec<_> = rest.by_ref().take(before).copied().collect();
            rest.for_each(|n| seen.push(*n));
            assert_eq!(seen, live);
        }
        for (place, last) in live.iter().enumerate() {
            let mut visits = 0;
            let flow = pool.try_for_each(|n| {
                visits += 1;
                if n == last {
                    ControlFlow::Break(*n)
                } else {
                    ControlFlow::Continue(())
                }
            });
            assert_eq!((flow, visits), (ControlFlow::Break(*last), place + 1));
        }
    }
}

fn what_is_dropped_ahead_in_a_row_is_passed_over<A: Walked, L: Lock>() {
    for live in rows() {
        let (pool, handles) = group::<A, L>(&live);
        let handles = RefCell::new(handles);
        let mut seen = Vec::new();
        pool.for_each(|&n| {
            seen.push(n);
            let mut handles = handles.borrow_mut();
            let next = handles.iter().position(|&(other, _)| other > n);
            let next = next.map(|next| handles.remove(next));
            drop((handles, next));
        });
        assert_eq!(seen, live.into_iter().step_by(2).collect::<Vec<_>>());
        assert_eq!((pool.len(), pool.stats().deferred), (seen.len(), 0));
    }
}

fn chunks_without_objects_are_passed_over<A: Walked, L: Lock>() {
    let pool = A::builder::<[usize; 64], L>().growth(300).build();
    let mut handles: Vec<_> = (0..3000).map(|n| (n, pool.alloc([n; 64]))).collect();
    assert!(pool.stats().chunks > 20);
    handles.retain(|(n, _)| [0, 1, 999, 1000, 2999].contains(n));
    for shrink in [false, true] {
        let mut seen = Vec::new();
        pool.for_each(|object| {
            seen.push(object[0]);
            if shrink {
                pool.shrink_to_fit();
            }
        });
        assert_eq!(sorted(seen), [0, 1, 999, 1000, 2999]);
        assert_eq!(pool.hold().iter().count(), 5);
    }
    pool.reserve(3000); // opened by and by: the newest chunks have no slots yet
    assert_eq!(walked(&pool).len(), 5);
    drop(handles);
    assert_eq!(walked(&pool).len(), 0);
}

fn a_stop_is_final_and_carries_its_value<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = A::builder::<_, L>().growth(100).build();
    let handles: Vec<_> = (0..count(20_000))
        .map(|_| pool.alloc(ledger.make()))
        .collect();
    for stop in [1, 64, 65, 200, count(15_000)] {
        let mut visits = 0;
        let flow = pool.try_for_each(|_| {
            visits += 1;
            if visits == stop {
                ControlFlow::Break("stop")
            } else {
                ControlFlow::Continue(())
            }
        });
        if stop <= handles.len() {
            assert_eq!((flow, visits), (ControlFlow::Break("stop"), stop));
        }
    }
    drop(handles);
    assert_eq!(
        pool.stats().deferred,
        0,
        "a stopped walk has left its group"
    );
    ledger.assert_settled();
}

fn an_unstopped_walk_continues<A: Walked, L: Lock>() {
    let pool = pool::<u8, A, L>();
    let handle = pool.alloc(1);
    let flow = pool.try_for_each(|_| ControlFlow::<()>::Continue(()));
    assert!(flow.is_continue());
    drop(handle);
}

fn a_busy_object_is_not_moved_out<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let handle = Cell::new(Some(pool.alloc(ledger.make())));
    pool.for_each(|object| {
        for _ in 0..3 {
            let busy = PoolBox::try_into_inner(handle.take().unwrap());
            handle.set(Some(busy.err().expect("the object is being visited")));
            object.check();
        }
        assert_eq!((pool.len(), pool.stats().deferred), (1, 0));
    });
    let object = PoolBox::try_into_inner(handle.take().unwrap())
        .ok()
        .unwrap();
    object.check();
    assert_eq!((pool.len(), ledger.dropped()), (0, 0));
}

fn most_objects_can_be_moved_out_during_a_walk<A: Walked, L: Lock>() {
    let pool = pool::<usize, A, L>();
    let handles: Vec<_> = (0..1000).map(|n| pool.alloc(n)).collect();
    let handles = RefCell::new(handles);
    let mut busy = Vec::new();
    let mut visits = 0;
    pool.for_each(|_| {
        visits += 1;
        for handle in handles.take() {
            busy.extend(PoolBox::try_into_inner(handle).err());
        }
    });
    assert!((1..=64).contains(&busy.len()), "one group: {}", busy.len());
    assert_eq!(visits, busy.len(), "what was moved out is not visited");
    assert_eq!(pool.len(), busy.len());
}

#[test]
fn objects_are_changed_through_cells() {
    let pool = FixedPool::<Cell<u32>>::new();
    let handle = pool.alloc(Cell::new(1));
    pool.for_each(|cell| cell.set(cell.get() + 1));
    handle.set(handle.get() * 10);
    pool.for_each(|cell| assert_eq!(cell.get(), 20));
}
