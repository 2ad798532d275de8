//! Holds, drops, growth, shrinking, walks and look-ups on threads at once.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;

use mem_pool::generic::FixedPool;
use mem_pool::{Locked, PoolBox, WeakKey};

use super::shared_and_keyed;
use crate::support::{Ledger, Tracked, Walked, count, pool};

shared_and_keyed!(
    everything_at_once_keeps_what_is_held,
    nothing_put_off_is_lost_between_holds,
    nothing_is_destroyed_while_any_thread_holds,
    a_limited_pool_gets_all_its_slots_back,
    a_drop_that_was_heard_of_is_a_dead_key,
    what_a_racing_look_up_gives_stays,
);

const ALIVE: u64 = 0xa11_fe5_u64;
static SERIALS: AtomicU64 = AtomicU64::new(0);

/// An object that no two can have at once, and that knows whether it is alive.
struct Stamped<'a> {
    serial: u64,
    alive: AtomicU64,
    destroyed: &'a AtomicUsize,
}

impl<'a> Stamped<'a> {
    fn new(destroyed: &'a AtomicUsize) -> Self {
        Self {
            serial: SERIALS.fetch_add(1, Ordering::Relaxed),
            alive: AtomicU64::new(ALIVE),
            destroyed,
        }
    }

    #[track_caller]
    fn check(&self, serial: u64) {
        assert_eq!(
            (self.serial, self.alive.load(Ordering::Relaxed)),
            (serial, ALIVE)
        );
    }
}

impl Drop for Stamped<'_> {
    fn drop(&mut self) {
        assert_eq!(
            self.alive.swap(0, Ordering::Relaxed),
            ALIVE,
            "destroyed twice"
        );
        self.destroyed.fetch_add(1, Ordering::Relaxed);
    }
}

type Published<'a> = Mutex<Vec<(WeakKey<Stamped<'a>>, u64)>>;

fn everything_at_once_keeps_what_is_held<A: Walked>()
where
    for<'a> FixedPool<Stamped<'a>, A, Locked>: Sync,
{
    for growth in [1, 64, 500] {
        let destroyed = AtomicUsize::new(0);
        let pool: FixedPool<Stamped<'_>, A, Locked> = A::builder().growth(growth).build();
        let (keys, stop) = (Published::default(), AtomicBool::new(false));
        let start = Barrier::new(5);
        let until_stopped = |look: &dyn Fn()| {
            start.wait();
            while !stop.load(Ordering::Relaxed) {
                look();
                thread::yield_now();
            }
        };
        let made: usize = thread::scope(|scope| {
            let workers = [1, 2].map(|seed| {
                let (start, pool, keys, destroyed) = (&start, &pool, &keys, &destroyed);
                scope.spawn(move || {
                    start.wait();
                    churn(pool, keys, destroyed, seed)
                })
            });
            for _ in 0..2 {
                scope.spawn(|| until_stopped(&|| hold_and_look(&pool, &keys)));
            }
            scope.spawn(|| {
                until_stopped(&|| {
                    pool.for_each(|object| object.check(object.serial));
                    pool.shrink_to_fit();
                })
            });
            let made = workers.map(|worker| worker.join());
            stop.store(true, Ordering::Relaxed);
            made.map(Result::unwrap).iter().sum()
        });
        assert_eq!((pool.len(), pool.stats().deferred), (0, 0));
        assert_eq!(destroyed.load(Ordering::Relaxed), made);
        pool.shrink_to_fit();
        assert_eq!(pool.stats().reserved_bytes, 0);
    }
}

/// Makes and drops objects at random, shrinks, and publishes some keys; returns how many it made.
fn churn<'a, A: Walked>(
    pool: &FixedPool<Stamped<'a>, A, Locked>,
    keys: &Published<'a>,
    destroyed: &'a AtomicUsize,
    seed: u64,
) -> usize {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut handles = Vec::new();
    let mut made = 0;
    for _ in 0..count(20_000) {
        if rng.bool() {
            let object = Stamped::new(destroyed);
            let serial = object.serial;
            let handle = pool.alloc(object);
            if rng.u8(0..4) == 0 {
                let key = PoolBox::downgrade(&handle);
                keys.lock().unwrap().push((key, serial));
            }
            handles.push(handle);
            made += 1;
        } else if !handles.is_empty() {
            handles.swap_remove(rng.usize(0..handles.len()));
        }
        if rng.u16(0..300) == 0 {
            handles.clear();
            pool.shrink_to_fit();
        }
    }
    made
}

/// Collects references in every way, then looks at all of them again.
fn hold_and_look<'a, A: Walked>(pool: &FixedPool<Stamped<'a>, A, Locked>, keys: &Published<'a>) {
    let hold = pool.hold();
    let mut objects: Vec<(&Stamped<'_>, u64)> = Vec::new();
    let recent = {
        let keys = keys.lock().unwrap();
        keys[keys.len().saturating_sub(100)..].to_vec()
    };
    for (key, serial) in recent {
        objects.extend(hold.get(key).map(|object| (object, serial)));
    }
    for object in hold.iter().take(200) {
        objects.push((object, object.serial));
    }
    for (key, object) in hold.iter_keys().take(200) {
        let found = hold.get(key);
        assert!(found.is_none_or(|found| std::ptr::eq(found, object)));
        objects.push((object, object.serial));
    }
    thread::yield_now();
    for (object, serial) in objects {
        object.check(serial);
    }
}

/// Holds end while drops decide whether the pool is held.
fn nothing_put_off_is_lost_between_holds<A: Walked>()
where
    FixedPool<Tracked, A, Locked>: Sync,
    PoolBox<Tracked, A, Locked>: Send,
{
    for _ in 0..count(100) {
        let ledger = Ledger::default();
        let pool = pool::<Tracked, A, Locked>();
        let start = Barrier::new(4);
        thread::scope(|scope| {
            for _ in 0..2 {
                let handles: Vec<_> = (0..50).map(|_| pool.alloc(ledger.make())).collect();
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    for handle in handles {
                        drop(handle);
                    }
                });
                scope.spawn(|| {
                    start.wait();
                    for _ in 0..50 {
                        drop(pool.hold());
                    }
                });
            }
        });
        ledger.assert_settled();
        assert_eq!((pool.len(), pool.stats().deferred), (0, 0));
    }
}

fn nothing_is_destroyed_while_any_thread_holds<A: Walked>()
where
    FixedPool<Tracked, A, Locked>: Sync,
{
    const THREADS: usize = 4;
    for _ in 0..count(50) {
        let ledger = Ledger::default();
        let pool = pool::<Tracked, A, Locked>();
        let barrier = Barrier::new(THREADS);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    let handles: Vec<_> = (0..100).map(|_| pool.alloc(ledger.make())).collect();
                    let hold = pool.hold();
                    barrier.wait();
                    drop(handles);
                    barrier.wait();
                    assert_eq!(ledger.dropped(), 0);
                    assert_eq!((pool.len(), pool.stats().deferred), (0, 100 * THREADS));
                    barrier.wait();
                    drop(hold);
                });
            }
        });
        ledger.assert_settled();
        assert_eq!(pool.stats().deferred, 0);
    }
}

fn a_limited_pool_gets_all_its_slots_back<A: Walked>()
where
    FixedPool<Tracked, A, Locked>: Sync,
{
    const LIMIT: usize = 50;
    for _ in 0..count(20) {
        let ledger = Ledger::default();
        let pool = A::builder::<Tracked, Locked>().limit(LIMIT).build();
        thread::scope(|scope| {
            for seed in 0..4 {
                let (pool, ledger) = (&pool, &ledger);
                scope.spawn(move || {
                    let mut rng = fastrand::Rng::with_seed(seed);
                    let mut handles = Vec::new();
                    for _ in 0..100 {
                        let hold = (rng.u8(0..3) == 0).then(|| pool.hold());
                        for _ in 0..rng.usize(0..20) {
                            handles.extend(pool.try_alloc(ledger.make()).ok());
                        }
                        handles.truncate(rng.usize(0..20));
                        assert!(pool.capacity() <= LIMIT);
                        drop(hold);
                    }
                });
            }
        });
        ledger.assert_settled();
        let all: Vec<_> = (0..LIMIT).map(|_| pool.alloc(ledger.make())).collect();
        assert!(pool.try_alloc(ledger.make()).is_err());
        drop(all);
    }
}

fn a_drop_that_was_heard_of_is_a_dead_key<A: Walked>()
where
    FixedPool<u64, A, Locked>: Sync,
{
    let pool = A::builder::<u64, Locked>().growth(64).build();
    let dead: Mutex<Vec<(WeakKey<u64>, u64)>> = Mutex::default();
    thread::scope(|scope| {
        let dropping = scope.spawn(|| {
            for n in 0..count(20_000) as u64 {
                let handle = pool.alloc(n);
                let key = PoolBox::downgrade(&handle);
                drop(handle);
                dead.lock().unwrap().push((key, n));
                if n % 100 == 0 {
                    pool.shrink_to_fit();
                }
            }
        });
        while !dropping.is_finished() {
            let hold = pool.hold();
            let dead: HashSet<_> = {
                let dead = dead.lock().unwrap();
                dead.iter().rev().take(100).copied().collect()
            };
            assert!(dead.iter().all(|(key, _)| hold.get(*key).is_none()));
            let gone: HashSet<_> = dead.iter().map(|(_, n)| n).collect();
            assert!(hold.iter().all(|n| !gone.contains(n)));
            pool.for_each(|n| assert!(!gone.contains(n)));
        }
    });
    assert_eq!((pool.len(), pool.stats().deferred), (0, 0));
}

/// A drop and a look-up under a hold that was just opened meet: either the key is dead, or the object stays.
fn what_a_racing_look_up_gives_stays<A: Walked>()
where
    for<'a> FixedPool<Stamped<'a>, A, Locked>: Sync,
    for<'a> PoolBox<Stamped<'a>, A, Locked>: Send,
{
    let destroyed = AtomicUsize::new(0);
    let pool: FixedPool<Stamped<'_>, A, Locked> = A::builder().growth(1).build();
    let objects = count(50_000);
    let handles: Vec<_> = (0..objects)
        .map(|_| pool.alloc(Stamped::new(&destroyed)))
        .collect();
    let keys: Vec<_> = handles.iter().map(PoolBox::downgrade).collect();
    let turn = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            for (n, handle) in (1..).zip(handles) {
                while turn.load(Ordering::Acquire) < n {
                    thread::yield_now();
                }
                drop(handle);
            }
        });
        for (n, key) in (1..).zip(keys) {
            turn.store(n, Ordering::Release);
            let hold = pool.hold();
            if let Some(object) = hold.get(key) {
                for _ in 0..20 {
                    object.check(object.serial);
                }
            }
        }
    });
    assert_eq!(destroyed.load(Ordering::Relaxed), objects);
    assert_eq!((pool.len(), pool.stats().deferred), (0, 0));
}
