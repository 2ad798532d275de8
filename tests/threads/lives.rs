//! Handles that cross threads, and threads and pools that end before them.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

use mem_pool::generic::FixedPool;
use mem_pool::{FixedPool as Pool, Keyed, Locked, PoolBox, Unique};

use super::shared_by_threads;
use crate::support::{Ledger, Mode, Tracked, Walked, count, watchdog};

shared_by_threads! {
    handles_made_here_can_be_dropped_there: shared Shared, unique Unique, keyed Keyed;
    handles_outlive_pool_and_threads: shared Shared, unique Unique, keyed Keyed;
    the_pool_can_be_dropped_while_threads_drop_handles: shared Shared, unique Unique, keyed Keyed;
    objects_of_ended_threads_are_still_visited: shared Shared, keyed Keyed;
    a_new_pool_in_the_place_of_an_old_one_is_another: shared Shared, unique Unique, keyed Keyed;
}

fn handles_made_here_can_be_dropped_there<A: Mode>()
where
    PoolBox<Tracked, A>: Send,
    FixedPool<Tracked, A, Locked>: Sync,
{
    let ledger = Ledger::default();
    let pool = A::builder::<_, Locked>().limit(40).build();
    thread::scope(|scope| {
        let (there, here) = sync_channel(16);
        scope.spawn(|| here.into_iter().for_each(drop));
        let pool = &pool;
        let ledger = &ledger;
        for there in [there.clone(), there] {
            scope.spawn(move || {
                for _ in 0..count(10_000) {
                    // At most 16 are on their way, one in each of three hands.
                    there.send(pool.alloc(ledger.make())).unwrap();
                }
            });
        }
    });
    assert_eq!(pool.len(), 0);
    assert!(pool.capacity() <= 40);
    ledger.assert_settled();
}

fn handles_outlive_pool_and_threads<A: Mode>()
where
    PoolBox<Tracked, A>: Send,
    FixedPool<Tracked, A, Locked>: Sync,
{
    let ledger = Ledger::default();
    let pool = A::builder::<_, Locked>().growth(10).build();
    let handles = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let made: Vec<_> = (0..100).map(|_| pool.alloc(ledger.make())).collect();
                handles.lock().unwrap().extend(made);
            });
        }
    });
    assert_eq!(pool.len(), 800);
    drop(pool);
    let handles = handles.into_inner().unwrap();
    assert_eq!(ledger.dropped(), 0);
    thread::scope(|scope| {
        let mut handles = handles;
        while !handles.is_empty() {
            let some = handles.split_off(handles.len() - 100);
            scope.spawn(move || drop(some));
        }
    });
    ledger.assert_settled();
}

fn the_pool_can_be_dropped_while_threads_drop_handles<A: Mode>()
where
    PoolBox<Tracked, A>: Send,
    FixedPool<Tracked, A, Locked>: Sync + Send,
{
    for _ in 0..count(200) {
        let ledger = Ledger::default();
        let pool = A::builder::<_, Locked>().growth(5).build();
        let mut handles: Vec<_> = (0..60).map(|_| pool.alloc(ledger.make())).collect();
        let start = std::sync::Barrier::new(4);
        thread::scope(|scope| {
            for _ in 0..3 {
                let some = handles.split_off(handles.len() - 20);
                scope.spawn(|| {
                    start.wait();
                    drop(some);
                });
            }
            scope.spawn(|| {
                start.wait();
                drop(pool);
            });
        });
        ledger.assert_settled();
    }
}

fn objects_of_ended_threads_are_still_visited<A: Walked>()
where
    PoolBox<usize, A>: Send,
    FixedPool<usize, A, Locked>: Sync,
{
    let pool = A::builder::<usize, Locked>().build();
    let mut handles = Vec::new();
    for n in 0..50 {
        handles.push(thread::scope(|scope| {
            scope.spawn(|| pool.alloc(n)).join().unwrap()
        }));
    }
    let seen = crate::support::sorted(crate::support::walked(&pool));
    assert_eq!(seen, (0..50).collect::<Vec<_>>());
}

fn a_new_pool_in_the_place_of_an_old_one_is_another<A: Mode>()
where
    PoolBox<u64, A>: Send,
    FixedPool<u64, A, Locked>: Sync + Send,
{
    let mut place = A::builder::<u64, Locked>().limit(10).build();
    let (to_thread, from_main) = channel::<PoolBox<u64, A>>();
    let dropper = thread::spawn(move || from_main.into_iter().for_each(drop));
    for n in 0..count(300) {
        for _ in 0..5 {
            to_thread.send(place.alloc(n as u64)).unwrap();
        }
        let old = place.alloc(0);
        place = A::builder().limit(10).build();
        assert!(!place.owns(&old) && !place.contains(PoolBox::as_ptr(&old)));
        let all: Vec<_> = (0..10)
            .map(|n| place.try_alloc(n).expect("ten are free"))
            .collect();
        assert!(place.try_alloc(1).is_err() && all.iter().all(|handle| place.owns(handle)));
    }
    drop(to_thread);
    dropper.join().unwrap();
}

static SESSIONS: Pool<AtomicUsize> = Pool::new();

#[test]
fn a_static_pool_serves_all_threads() {
    let _watchdog = watchdog();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..count(1000) {
                    let session = SESSIONS.alloc(AtomicUsize::new(1));
                    SESSIONS.for_each(|session| {
                        session.fetch_add(1, Ordering::Relaxed);
                    });
                    assert!(session.load(Ordering::Relaxed) >= 2);
                }
            });
        }
    });
    assert!(SESSIONS.is_empty());
}

#[test]
fn keys_can_be_used_from_many_threads_at_once() {
    let _watchdog = watchdog();
    let mut pool: Pool<u64, Keyed> = Pool::keyed();
    let keys: Vec<_> = (0..100).map(|n| pool.alloc(n)).collect();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let sum: u64 = keys.iter().map(|key| pool.at(key)).sum();
                assert_eq!(sum, 4950);
                drop(pool.alloc(7));
            });
        }
    });
    thread::scope(|scope| {
        scope
            .spawn(|| pool.for_each_mut(|n| *n += 1))
            .join()
            .unwrap()
    });
    assert_eq!(*pool.at(&keys[99]), 100);
}

#[test]
fn clones_are_made_on_threads_when_the_pool_is_gone() {
    let _watchdog = watchdog();
    let ledger = Ledger::default();
    let pool = Pool::unique();
    let handles: Vec<PoolBox<Tracked, Unique>> =
        (0..8).map(|_| pool.alloc(ledger.make())).collect();
    drop(pool);
    thread::scope(|scope| {
        for handle in handles {
            scope.spawn(move || {
                let mut clones = vec![handle];
                for n in 0..count(1000) {
                    clones.push(clones[n / 2].clone());
                    if n % 3 == 0 {
                        clones.swap_remove(n / 4);
                    }
                }
                clones.iter().for_each(|clone| clone.check());
            });
        }
    });
    ledger.assert_settled();
}

#[test]
fn a_pool_can_be_used_after_a_thread_that_panicked_with_it() {
    let _watchdog = watchdog();
    let pool = Arc::new(Pool::<AtomicU64>::builder().limit(10).build());
    for _ in 0..3 {
        let inside = pool.clone();
        let thread = thread::spawn(move || {
            let _handles: Vec<_> = (0..10).map(|_| inside.alloc(AtomicU64::new(0))).collect();
            drop(inside.alloc_with(|| unreachable!("the limit is reached")));
        });
        assert!(thread.join().is_err());
        assert_eq!((pool.len(), pool.capacity()), (0, 10));
    }
}

thread_local! {
    static KEPT: std::cell::RefCell<Vec<PoolBox<Tracked>>> = const { std::cell::RefCell::new(Vec::new()) };
    static LAST: LastWord = const { LastWord(std::cell::RefCell::new(None)) };
}

/// Uses a pool when its thread ends.
struct LastWord(std::cell::RefCell<Option<(Arc<Pool<Tracked>>, Ledger)>>);

impl Drop for LastWord {
    fn drop(&mut self) {
        if let Some((pool, ledger)) = self.0.take() {
            let handles: Vec<_> = (0..10).map(|_| pool.alloc(ledger.make())).collect();
            pool.for_each(|object| object.check());
            drop(handles);
        }
    }
}

#[test]
fn a_pool_can_be_used_while_a_thread_ends() {
    let _watchdog = watchdog();
    let ledger = Ledger::default();
    let pool = Arc::new(Pool::<Tracked>::builder().limit(60).build());
    for _ in 0..4 {
        let (inside, made) = (pool.clone(), ledger.clone());
        let thread = thread::spawn(move || {
            KEPT.with_borrow_mut(|kept| kept.extend((0..40).map(|_| inside.alloc(made.make()))));
            LAST.with(|last| last.0.replace(Some((inside, made))));
        });
        thread.join().unwrap();
        assert!(pool.is_empty());
    }
    assert_eq!(Arc::strong_count(&pool), 1);
    ledger.assert_settled();
}

#[test]
fn a_pool_can_be_new_when_a_thread_has_ended_but_for_its_last_word() {
    let _watchdog = watchdog();
    let ledger = Ledger::default();
    for _ in 0..count(100) {
        let new = Arc::new(Pool::<Tracked>::new());
        let (inside, made) = (new.clone(), ledger.clone());
        let thread = thread::spawn(move || {
            // What is used first is destroyed last: after what the library keeps for the thread.
            LAST.with(|last| last.0.replace(Some((inside, made))));
            drop(Pool::new().alloc(1));
        });
        thread.join().unwrap();
        assert!(new.is_empty() && new.capacity() > 0);
        let handles: Vec<_> = (0..10).map(|_| new.alloc(ledger.make())).collect();
        assert_eq!(new.len(), 10);
        drop(handles);
    }
    ledger.assert_settled();
}
