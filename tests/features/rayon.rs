//! Walks on many threads keep what sequential ones promise.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use mem_pool::{FixedPool, PoolBox};
use rayon::{ThreadPool, ThreadPoolBuilder};
use rstest::rstest;

const MANY: usize = if cfg!(miri) { 700 } else { 100_000 };

/// More threads than cores, so that they interrupt each other.
fn threads(count: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(count).build().unwrap()
}

/// Counts how often it was visited, and tells when it is destroyed.
struct Counted<'a> {
    number: usize,
    visits: AtomicUsize,
    destroyed: &'a AtomicUsize,
}

impl<'a> Counted<'a> {
    fn new(number: usize, destroyed: &'a AtomicUsize) -> Self {
        Self {
            number,
            visits: AtomicUsize::new(0),
            destroyed,
        }
    }

    fn visit(&self) -> usize {
        self.visits.fetch_add(1, Relaxed) + 1
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.destroyed.fetch_add(1, Relaxed);
    }
}

/// Of each so many neighbours one object stays.
#[rstest]
fn every_object_is_visited_once(
    #[values(1, 2, 5)] workers: usize,
    #[values(1, 3, 64, 500)] sparse: usize,
) {
    let destroyed = AtomicUsize::new(0);
    let pool = FixedPool::new();
    let mut handles: Vec<_> = (0..MANY)
        .map(|n| pool.alloc(Counted::new(n, &destroyed)))
        .collect();
    handles.retain(|object| object.number % sparse == 0);
    let visits = AtomicUsize::new(0);
    threads(workers).install(|| {
        pool.par_for_each(|object| {
            object.visit();
            visits.fetch_add(1, Relaxed);
        });
    });
    assert_eq!(visits.into_inner(), handles.len());
    assert!(
        handles
            .iter()
            .all(|object| object.visits.load(Relaxed) == 1)
    );
}

#[rstest]
fn every_object_is_changed_once(
    #[values(1, 2, 5)] workers: usize,
    #[values(1, 7, 100)] sparse: usize,
) {
    let mut pool = FixedPool::keyed();
    let mut keys: Vec<_> = (0..MANY).map(|n| (n, pool.alloc(Cell::new(n)))).collect();
    keys.retain(|(n, _)| n % sparse == 0);
    for _ in 0..3 {
        threads(workers).install(|| pool.par_for_each_mut(|number| *number.get_mut() += 1));
    }
    assert!(
        keys.iter()
            .all(|(n, key)| pool.get_mut(key).unwrap().get() == n + 3)
    );
}

#[test]
fn objects_of_all_shards_are_visited() {
    let pool = FixedPool::new();
    let handles: Vec<_> = thread::scope(|scope| {
        let makers: Vec<_> = (0..8)
            .map(|maker| {
                let pool = &pool;
                scope.spawn(move || {
                    (0..MANY / 8)
                        .map(|n| pool.alloc((maker, n)))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        makers
            .into_iter()
            .flat_map(|maker| maker.join().unwrap())
            .collect()
    });
    let seen = Mutex::new(Vec::new());
    threads(3).install(|| pool.par_for_each(|object| seen.lock().unwrap().push(*object)));
    let mut seen = seen.into_inner().unwrap();
    seen.sort_unstable();
    let mut expected: Vec<_> = handles.iter().map(|handle| **handle).collect();
    expected.sort_unstable();
    assert_eq!(seen, expected);
}

#[test]
fn an_empty_pool_has_nothing_to_visit() {
    let mut pool = FixedPool::<u8>::keyed();
    pool.par_for_each(|_| unreachable!("there is no object"));
    drop(pool.alloc(1));
    pool.par_for_each_mut(|_| unreachable!("there is no object"));
    assert_eq!(pool.stats().deferred, 0);
}

#[test]
fn objects_without_a_size_are_visited() {
    let pool = FixedPool::new();
    let handles: Vec<_> = (0..1000).map(|_| pool.alloc(())).collect();
    let visits = AtomicUsize::new(0);
    threads(3).install(|| {
        pool.par_for_each(|()| {
            visits.fetch_add(1, Relaxed);
        });
    });
    assert_eq!(visits.into_inner(), handles.len());
}

/// Handles by the numbers of their objects, to be dropped by anybody.
struct Handles<'a>(Vec<Mutex<Option<PoolBox<Counted<'a>>>>>);

impl<'a> Handles<'a> {
    fn new(pool: &FixedPool<Counted<'a>>, count: usize, destroyed: &'a AtomicUsize) -> Self {
        let handle = |n| Mutex::new(Some(pool.alloc(Counted::new(n, destroyed))));
        Self((0..count).map(handle).collect())
    }

    /// Whether it was there.
    fn drop(&self, number: usize) -> bool {
        let handle = self.0[number].lock().unwrap().take();
        handle.is_some()
    }
}

#[test]
fn closures_may_drop_any_handle() {
    let destroyed = AtomicUsize::new(0);
    let pool = FixedPool::new();
    let handles = Handles::new(&pool, MANY, &destroyed);
    let (visits, drops) = (AtomicUsize::new(0), AtomicUsize::new(0));
    threads(4).install(|| {
        pool.par_for_each(|object| {
            assert_eq!(object.visit(), 1);
            visits.fetch_add(1, Relaxed);
            let other = (object.number * 7919 + 13) % MANY;
            let dropped =
                usize::from(handles.drop(other)) + usize::from(handles.drop(object.number));
            drops.fetch_add(dropped, Relaxed);
            assert!(object.number < MANY); // still a valid reference
        });
    });
    assert!(visits.into_inner() <= MANY && drops.into_inner() == destroyed.load(Relaxed));
    assert_eq!(
        (pool.stats().deferred, pool.len()),
        (0, MANY - destroyed.load(Relaxed))
    );
    drop(handles);
    assert_eq!(destroyed.load(Relaxed), MANY);
}

/// With one worker, whose units are of several groups here, the order is that of a sequential walk.
#[test]
fn what_a_closure_drops_is_destroyed_when_its_group_is_left() {
    let count = 64 * 100;
    let destroyed = AtomicUsize::new(0);
    let pool = FixedPool::new();
    let handles = Handles::new(&pool, count, &destroyed);
    let visited = AtomicUsize::new(0);
    threads(1).install(|| {
        pool.par_for_each(|object| {
            let before = visited.fetch_add(1, Relaxed);
            let waiting = before - destroyed.load(Relaxed);
            assert!(waiting < 64, "{waiting} objects wait");
            handles.drop(object.number);
        });
    });
    assert_eq!(destroyed.load(Relaxed), count);
}

#[test]
fn what_was_dropped_before_its_turn_is_not_visited() {
    let destroyed = AtomicUsize::new(0);
    let pool = FixedPool::new();
    let handles = Handles::new(&pool, 64, &destroyed); // one group, one worker
    threads(4).install(|| {
        pool.par_for_each(|object| {
            assert!(object.number % 2 == 0, "its neighbour has dropped it");
            handles.drop(object.number + 1);
        });
    });
    assert_eq!((destroyed.load(Relaxed), pool.len()), (32, 32));
}

#[test]
fn closures_may_spawn_walk_hold_and_shrink() {
    let destroyed = AtomicUsize::new(0);
    let pool = FixedPool::new();
    let handles = Handles::new(&pool, 2000.min(MANY), &destroyed);
    let spawned = Mutex::new(Vec::new());
    threads(3).install(|| {
        pool.par_for_each(|object| {
            assert_eq!(object.visit(), 1);
            if object.number == usize::MAX {
                return; // spawned meanwhile
            }
            let handle = pool.alloc(Counted::new(usize::MAX, &destroyed));
            spawned.lock().unwrap().push(handle);
            match object.number % 500 {
                0 => pool.par_for_each(|other| assert!(other.visits.load(Relaxed) <= 1)),
                1 => assert!(pool.hold().iter().count() > 0),
                2 => drop(pool.shrink_to_fit()),
                _ => drop(handles.drop(object.number)),
            }
        });
    });
    assert_eq!(pool.stats().deferred, 0);
    drop((handles, spawned));
    assert_eq!((pool.len(), pool.stats().live), (0, 0));
}

#[test]
fn chunks_that_become_free_meanwhile_go_back_at_the_end() {
    let destroyed = AtomicUsize::new(0);
    let pool = FixedPool::builder().keep_empty(1).build();
    let handles = Handles::new(&pool, MANY, &destroyed);
    let chunks = pool.stats().chunks;
    threads(3).install(|| {
        pool.par_for_each(|object| {
            handles.drop(object.number);
            if object.number % 500 == 0 {
                assert_eq!((pool.shrink_to_fit(), pool.stats().chunks), (0, chunks));
            }
        });
    });
    assert_eq!((destroyed.load(Relaxed), pool.len()), (MANY, 0));
    assert!(chunks > 1 || cfg!(miri));
    assert_eq!(pool.stats().chunks, 1);
    pool.par_for_each(|_| unreachable!("there is no object"));
    assert!(pool.shrink_to_fit() > 0 && pool.stats().chunks == 0);
}

#[test]
fn under_a_hold_destruction_waits_for_its_end() {
    let destroyed = AtomicUsize::new(0);
    let pool = FixedPool::new();
    let handles = Handles::new(&pool, 1000, &destroyed);
    let hold = pool.hold();
    threads(3).install(|| {
        pool.par_for_each(|object| {
            handles.drop(object.number);
        })
    });
    assert_eq!((destroyed.load(Relaxed), pool.stats().deferred), (0, 1000));
    drop(hold);
    assert_eq!((destroyed.load(Relaxed), pool.stats().deferred), (1000, 0));
}

#[test]
fn drops_and_allocations_go_on_beside_walks() {
    let destroyed = AtomicUsize::new(0);
    let made = AtomicUsize::new(0);
    let rounds = if cfg!(miri) { 2 } else { 60 };
    let pool = FixedPool::new();
    let stays: Vec<_> = (0..1000.min(MANY))
        .map(|n| pool.alloc(Counted::new(n, &destroyed)))
        .collect();
    thread::scope(|scope| {
        for seed in 0..3 {
            let (pool, made, destroyed) = (&pool, &made, &destroyed);
            scope.spawn(move || {
                let mut handles = Vec::new();
                for n in 0..rounds * 1000.min(MANY) {
                    handles.push(pool.alloc(Counted::new(usize::MAX, destroyed)));
                    made.fetch_add(1, Relaxed);
                    if n % 3 == 0 {
                        drop(handles.swap_remove((n * 31 + seed) % handles.len()));
                    }
                }
            });
        }
        let workers = threads(3);
        for round in 1..=rounds {
            workers.install(|| {
                pool.par_for_each(|object| {
                    object.visit();
                })
            });
            assert!(
                stays
                    .iter()
                    .all(|object| object.visits.load(Relaxed) == round)
            );
        }
    });
    assert_eq!((pool.len(), pool.stats().deferred), (stays.len(), 0));
    drop(stays);
    assert_eq!(destroyed.load(Relaxed), made.into_inner() + 1000.min(MANY));
}

#[test]
fn keys_may_be_dropped_while_objects_change() {
    struct Entity<'a> {
        key: Option<usize>,
        updates: u32,
        destroyed: &'a AtomicUsize,
    }
    impl Drop for Entity<'_> {
        fn drop(&mut self) {
            self.destroyed.fetch_add(1, Relaxed);
        }
    }
    let destroyed = AtomicUsize::new(0);
    let mut pool = FixedPool::keyed();
    let entity = |n| Entity {
        key: Some(n),
        updates: 0,
        destroyed: &destroyed,
    };
    let keys: Vec<_> = (0..5000.min(MANY))
        .map(|n| Mutex::new(Some(pool.alloc(entity(n)))))
        .collect();
    threads(4).install(|| {
        pool.par_for_each_mut(|entity| {
            entity.updates += 1;
            if let Some(number) = entity.key.take_if(|number| *number % 3 == 0) {
                keys[number].lock().unwrap().take(); // its own
            }
        });
    });
    assert_eq!(
        (destroyed.load(Relaxed), pool.stats().deferred),
        (keys.len().div_ceil(3), 0)
    );
    pool.for_each(|entity| assert_eq!(entity.updates, 1));
}

/// A panic that is expected: without a message.
fn fail() -> ! {
    resume_unwind(Box::new("expected"))
}

#[rstest]
fn a_panic_of_the_closure_ends_the_walk_and_leaves_the_pool_usable(#[values(1, 4)] workers: usize) {
    let destroyed = AtomicUsize::new(0);
    let pool = FixedPool::new();
    let handles = Handles::new(&pool, MANY, &destroyed);
    let visits = AtomicUsize::new(0);
    let walk = || {
        pool.par_for_each(|object| {
            visits.fetch_add(1, Relaxed);
            handles.drop(object.number);
            if object.number == 200 {
                fail();
            }
        });
    };
    let panic = threads(workers).install(|| catch_unwind(AssertUnwindSafe(walk)));
    assert_eq!(*panic.unwrap_err().downcast::<&str>().unwrap(), "expected");
    assert!(visits.load(Relaxed) < MANY);
    assert_eq!(
        (pool.stats().deferred, pool.len()),
        (0, MANY - destroyed.load(Relaxed))
    );
    let rest = AtomicUsize::new(0);
    threads(workers).install(|| {
        pool.par_for_each(|_| {
            rest.fetch_add(1, Relaxed);
        })
    });
    assert_eq!(rest.into_inner(), pool.len());
    drop(handles);
    assert_eq!((destroyed.load(Relaxed), pool.len()), (MANY, 0));
    assert!(pool.shrink_to_fit() > 0 && pool.capacity() == 0);
}

#[test]
fn a_panic_of_a_destructor_loses_no_slot() {
    struct Fails<'a>(usize, &'a AtomicUsize);
    impl Drop for Fails<'_> {
        fn drop(&mut self) {
            self.1.fetch_add(1, Relaxed);
            if self.0 == 100 {
                fail();
            }
        }
    }
    let destroyed = AtomicUsize::new(0);
    let mut pool = FixedPool::<Fails<'_>>::keyed();
    let keys: Vec<_> = (0..640)
        .map(|n| Mutex::new(Some(pool.alloc(Fails(n, &destroyed)))))
        .collect();
    let visits = AtomicUsize::new(0);
    let walk = AssertUnwindSafe(|| {
        pool.par_for_each_mut(|object| {
            visits.fetch_add(1, Relaxed);
            keys[object.0].lock().unwrap().take();
        });
    });
    assert!(threads(3).install(|| catch_unwind(walk)).is_err());
    assert_eq!(visits.into_inner(), destroyed.load(Relaxed));
    drop(keys);
    assert_eq!(
        (pool.len(), pool.stats().deferred, destroyed.load(Relaxed)),
        (0, 0, 640)
    );
    assert!(pool.shrink_to_fit() > 0 && pool.capacity() == 0);
}

#[test]
fn a_walk_during_another_panic_is_a_whole_one() {
    struct Walks<'a>(&'a FixedPool<u32>, &'a AtomicUsize);
    impl Drop for Walks<'_> {
        fn drop(&mut self) {
            self.0.par_for_each(|_| {
                self.1.fetch_add(1, Relaxed);
            });
        }
    }
    let (pool, visits) = (FixedPool::new(), AtomicUsize::new(0));
    let handles: Vec<_> = (0..1000).map(|n| pool.alloc(n)).collect();
    let walk = AssertUnwindSafe(|| {
        let _walks = Walks(&pool, &visits);
        fail();
    });
    assert!(threads(3).install(|| catch_unwind(walk)).is_err());
    assert_eq!(visits.into_inner(), handles.len());
}

#[test]
fn a_slow_group_holds_nobody_up() {
    let pool = FixedPool::new();
    let handles: Vec<_> = (0..64 * 20).map(|n| pool.alloc(n)).collect();
    let visited = AtomicUsize::new(0);
    threads(2).install(|| {
        pool.par_for_each(|number| {
            visited.fetch_add(1, Relaxed);
            // The first object waits for all groups but its own, which the other worker must do.
            while *number == 0 && visited.load(Relaxed) < 64 * 19 {
                thread::yield_now();
            }
        });
    });
    assert_eq!(visited.into_inner(), handles.len());
}
