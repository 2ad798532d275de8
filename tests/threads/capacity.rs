//! Slots across threads: the limit holds, and whichever thread freed a slot, any thread can have it.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use mem_pool::generic::FixedPool;
use mem_pool::{FixedPool as Pool, Locked, PoolBox};
use rstest::rstest;

use super::shared_by_threads;
use crate::support::{Mode, count, watchdog};

const THREADS: usize = 8;

shared_by_threads! {
    threads_together_get_exactly_the_limit: shared Shared, unique Unique, keyed Keyed;
    a_slot_for_each_thread_is_always_there: shared Shared, unique Unique, keyed Keyed;
    slots_freed_by_one_thread_serve_another: shared Shared, unique Unique, keyed Keyed;
    short_threads_do_not_make_capacity_grow: shared Shared, unique Unique, keyed Keyed;
    reserved_slots_of_a_limited_pool_serve_any_thread: shared Shared, unique Unique, keyed Keyed;
}

fn pool<A: Mode>(limit: usize) -> FixedPool<u64, A, Locked> {
    A::builder().limit(limit).build()
}

fn threads_together_get_exactly_the_limit<A: Mode>()
where
    FixedPool<u64, A, Locked>: Sync,
{
    for limit in [1, 7, 64, 65, 1000] {
        for growth in [None, Some(3)] {
            let mut builder = A::builder::<u64, Locked>().limit(limit);
            if let Some(slots) = growth {
                builder = builder.growth(slots);
            }
            let pool = builder.build();
            let start = Barrier::new(THREADS);
            let finish = Barrier::new(THREADS);
            let total: usize = thread::scope(|scope| {
                let race = || {
                    start.wait();
                    let got: Vec<_> = std::iter::from_fn(|| pool.try_alloc(1).ok()).collect();
                    finish.wait(); // nobody frees before all have failed
                    got.len()
                };
                let racers: Vec<_> = (0..THREADS).map(|_| scope.spawn(race)).collect();
                racers.into_iter().map(|racer| racer.join().unwrap()).sum()
            });
            assert_eq!((total, pool.capacity(), pool.len()), (limit, limit, 0));
        }
    }
}

/// Each thread has at most `each` objects at a time and the limit is `each` for every thread: at every moment of a call
/// there is a free slot, so no call may report the limit.
fn a_slot_for_each_thread_is_always_there<A: Mode>()
where
    FixedPool<u64, A, Locked>: Sync,
{
    for each in [1, 5] {
        let pool = pool::<A>(THREADS * each);
        thread::scope(|scope| {
            for seed in 0..THREADS as u64 {
                let pool = &pool;
                scope.spawn(move || {
                    let mut rng = fastrand::Rng::with_seed(seed);
                    for _ in 0..count(4_000) {
                        let handles: Vec<_> = (0..rng.usize(1..=each))
                            .map(|n| pool.try_alloc(n as u64).expect("a slot is free"))
                            .collect();
                        let vacant = (handles.len() < each).then(|| pool.try_vacant().unwrap());
                        drop((vacant, handles));
                    }
                });
            }
        });
        assert_eq!(pool.len(), 0);
        assert!(pool.capacity() <= THREADS * each);
    }
}

fn slots_freed_by_one_thread_serve_another<A: Mode>()
where
    FixedPool<u64, A, Locked>: Sync,
    PoolBox<u64, A>: Send,
{
    let pool = pool::<A>(100);
    let fill = || -> Vec<_> { std::iter::from_fn(|| pool.try_alloc(1).ok()).collect() };
    for _ in 0..20 {
        let handles = thread::scope(|scope| scope.spawn(fill).join().unwrap());
        assert_eq!(handles.len(), 100);
        assert!(pool.try_alloc(1).is_err() && pool.try_vacant().is_err());
        thread::scope(|scope| {
            scope.spawn(|| drop(handles));
        });
        let here = fill();
        assert_eq!(here.len(), 100);
        thread::scope(|scope| {
            scope.spawn(move || drop(here));
        });
    }
}

fn short_threads_do_not_make_capacity_grow<A: Mode>()
where
    FixedPool<u64, A, Locked>: Sync,
{
    let pool = A::builder::<u64, Locked>().build();
    let run = |threads| {
        for _ in 0..threads {
            thread::scope(|scope| {
                scope.spawn(|| drop((0..100).map(|n| pool.alloc(n)).collect::<Vec<_>>()));
            });
        }
        pool.capacity()
    };
    // Whose home a thread shares depends on the threads around it, but there are no more homes than this.
    let homes = thread::available_parallelism()
        .map_or(1, usize::from)
        .next_power_of_two();
    let settled = run(1) * homes;
    assert!(run(count(3000)) <= settled);
}

fn reserved_slots_of_a_limited_pool_serve_any_thread<A: Mode>()
where
    FixedPool<u64, A, Locked>: Sync,
{
    let pool = pool::<A>(50);
    pool.reserve(50);
    assert_eq!(pool.capacity(), 50);
    thread::scope(|scope| {
        scope.spawn(|| {
            pool.try_reserve(50).unwrap();
            let all: Vec<_> = (0..50).map(|n| pool.alloc(n)).collect();
            assert!(pool.try_reserve(1).is_err());
            drop(all);
        });
    });
    assert_eq!((pool.capacity(), pool.len()), (50, 0));
}

#[test]
fn capacity_is_never_seen_above_the_limit() {
    let _watchdog = watchdog();
    let pool = Pool::<u64>::builder().growth(7).limit(40).build();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let churners: Vec<_> = (0..4)
            .map(|seed| {
                let pool = &pool;
                scope.spawn(move || {
                    let mut rng = fastrand::Rng::with_seed(seed);
                    for _ in 0..count(3000) {
                        let wanted = rng.usize(0..40);
                        drop(
                            (0..wanted)
                                .map_while(|n| pool.try_alloc(n as u64).ok())
                                .collect::<Vec<_>>(),
                        );
                        if rng.u8(0..8) == 0 {
                            pool.shrink_to_fit();
                        }
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                assert!(pool.capacity() <= 40 && pool.stats().capacity <= 40);
                thread::yield_now();
            }
        });
        churners
            .into_iter()
            .for_each(|churner| churner.join().unwrap());
        done.store(true, Ordering::Relaxed);
    });
    let all: Vec<_> = std::iter::from_fn(|| pool.try_alloc(1).ok()).collect();
    assert_eq!((all.len(), pool.capacity()), (40, 40), "no slot was lost");
}

#[rstest]
#[case::one_chunk(10)]
#[case::several_chunks(5000)]
fn threads_that_grow_at_once_lose_no_slot(#[case] growth: usize) {
    let _watchdog = watchdog();
    for _ in 0..count(30) {
        let pool = Pool::<[u8; 64]>::builder().growth(growth).build();
        let start = Barrier::new(THREADS);
        let handles: Vec<PoolBox<_>> = thread::scope(|scope| {
            let make = || {
                start.wait();
                pool.alloc([1; 64])
            };
            let makers: Vec<_> = (0..THREADS).map(|_| scope.spawn(make)).collect();
            makers
                .into_iter()
                .map(|maker| maker.join().unwrap())
                .collect()
        });
        let capacity = pool.capacity();
        assert!(capacity % growth == 0 && capacity <= THREADS * growth);
        assert_eq!((pool.len(), pool.stats().capacity), (THREADS, capacity));
        drop(handles);
        pool.shrink_to_fit();
        assert_eq!(pool.capacity(), 0);
    }
}

#[test]
fn what_one_thread_reserved_at_the_limit_is_there_for_all() {
    let _watchdog = watchdog();
    let pool = Pool::<u64>::builder().limit(10).build();
    pool.try_reserve(10).unwrap();
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                start.wait(); // so that they have different home shards
                pool.try_reserve(10).unwrap();
                assert!(pool.try_reserve(11).is_err());
                start.wait();
            });
        }
    });
    assert_eq!((pool.capacity(), pool.len()), (10, 0));
}
