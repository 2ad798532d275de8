//! What threads give back that did not take it: in a unique pool, through an inbox that holds 512 slots.

use std::thread;

use mem_pool::{FixedPool, PoolBox, Unique};
use rstest::rstest;

use crate::support::{Ledger, Tracked, watchdog};

type Handles = Vec<PoolBox<Tracked, Unique>>;

fn made(pool: &FixedPool<Tracked, Unique>, ledger: &Ledger, count: usize) -> Handles {
    (0..count).map(|_| pool.alloc(ledger.make())).collect()
}

fn drop_elsewhere(handles: Handles) {
    thread::spawn(|| drop(handles)).join().unwrap();
}

fn take_elsewhere(handles: Handles) {
    let taken = thread::spawn(|| handles.into_iter().map(PoolBox::into_inner).count());
    taken.join().unwrap();
}

#[rstest]
fn what_was_given_back_is_free(
    #[values(1, 64, 65, 511, 512, 513, 2000)] count: usize,
    #[values(drop_elsewhere, take_elsewhere)] give_back: fn(Handles),
) {
    let _watchdog = watchdog();
    let ledger = Ledger::default();
    let pool = FixedPool::unique();
    give_back(made(&pool, &ledger, count));
    ledger.assert_settled();
    assert_eq!((pool.len(), pool.stats().live), (0, 0));
    let capacity = pool.capacity();
    pool.reserve(count);
    assert_eq!(pool.capacity(), capacity, "as many slots are free");
    let again = made(&pool, &ledger, count);
    assert_eq!((pool.len(), pool.capacity()), (count, capacity));
    give_back(again);
    assert!(pool.shrink_to_fit() > 0);
    assert_eq!(pool.stats().reserved_bytes, 0);
    ledger.assert_settled();
}

#[rstest]
fn at_the_limit_each_is_found(#[values(1, 65, 512, 1000)] limit: usize) {
    let _watchdog = watchdog();
    let ledger = Ledger::default();
    let pool = FixedPool::<Tracked>::builder()
        .limit(limit)
        .unique()
        .build();
    for _ in 0..3 {
        let handles = made(&pool, &ledger, limit);
        assert!(pool.try_alloc(ledger.make()).is_err());
        drop_elsewhere(handles);
        // Any thread finds them, not only the one whose shard they are in.
        thread::scope(|scope| {
            let other = scope.spawn(|| made(&pool, &ledger, limit).len());
            assert_eq!(other.join().unwrap(), limit);
        });
    }
    ledger.assert_settled();
}

/// A pool that gives chunks back at once has no inbox: a slot in there would keep its chunk.
#[rstest]
fn wholly_free_chunks_go_back_at_once(
    #[values(0, 1)] kept: usize,
    #[values(drop_elsewhere, take_elsewhere)] give_back: fn(Handles),
) {
    let _watchdog = watchdog();
    let ledger = Ledger::default();
    let pool = FixedPool::<Tracked>::builder()
        .growth(100)
        .keep_empty(kept)
        .unique()
        .build();
    give_back(made(&pool, &ledger, 1000));
    ledger.assert_settled();
    assert_eq!((pool.len(), pool.capacity()), (0, 100 * kept));
}

#[rstest]
fn nothing_stays_with_a_pool_that_is_gone(
    #[values(1, 64, 600)] before: usize,
    #[values(0, 1, 512, 600)] after: usize,
) {
    let _watchdog = watchdog();
    let ledger = Ledger::default();
    let pool = FixedPool::unique();
    let (early, late) = (made(&pool, &ledger, before), made(&pool, &ledger, after));
    drop_elsewhere(early);
    drop(pool);
    drop_elsewhere(late);
    ledger.assert_settled();
}

#[test]
fn a_heap_map_shows_it_free() {
    let _watchdog = watchdog();
    let ledger = Ledger::default();
    let pool = FixedPool::unique();
    let kept = made(&pool, &ledger, 1);
    drop(made(&pool, &ledger, 50));
    let here = pool.heap_map().to_json();
    let handles = made(&pool, &ledger, 50);
    assert_ne!(pool.heap_map().to_json(), here);
    drop_elsewhere(handles);
    assert_eq!(pool.heap_map().to_json(), here);
    drop(kept);
}
