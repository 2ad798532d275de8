//! Many threads that make, drop, walk and shrink at once.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;

use mem_pool::generic::FixedPool;
use mem_pool::{Locked, PoolBox};

use super::{shared_by_threads, ticket};
use crate::support::{Mode, Walked, count};

shared_by_threads! {
    a_slot_never_has_two_owners: shared Shared, unique Unique, keyed Keyed;
    walks_meet_drops_makers_and_shrinks: shared Shared, keyed Keyed;
    walks_that_drop_meet_each_other: shared Shared, keyed Keyed;
    a_half_written_object_is_never_visited: shared Shared, keyed Keyed;
}

const THREADS: u64 = 8;

/// Says whose it is, at both ends; 0 when it is nobody's.
struct Stamped {
    owner: AtomicU64,
    padding: [u64; 3],
    echo: AtomicU64,
}

impl Stamped {
    fn new(owner: u64) -> Self {
        Self {
            owner: owner.into(),
            padding: [owner; 3],
            echo: owner.into(),
        }
    }

    /// The owner, if the object is whole.
    #[track_caller]
    fn owner(&self) -> u64 {
        let owner = self.owner.load(Ordering::Relaxed);
        assert!(owner != 0, "a destroyed object is seen");
        assert_eq!(
            (self.padding, self.echo.load(Ordering::Relaxed)),
            ([owner; 3], owner)
        );
        owner
    }
}

impl Drop for Stamped {
    fn drop(&mut self) {
        let owner = self.owner.swap(0, Ordering::Relaxed);
        assert!(owner != 0, "destroyed twice");
        assert_eq!(self.echo.swap(0, Ordering::Relaxed), owner, "two owners");
        assert_eq!(self.padding, [owner; 3], "two owners");
    }
}

type Pool<A> = FixedPool<Stamped, A, Locked>;
type Held<A> = Vec<(u64, PoolBox<Stamped, A>)>;

/// Makes, checks and drops objects at random; returns what is left.
fn churn<A: Mode>(pool: &Pool<A>, seed: u64, cycles: usize) -> Held<A> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut held: Held<A> = Vec::new();
    for _ in 0..cycles {
        let owner = ticket();
        held.push((owner, pool.alloc(Stamped::new(owner))));
        let (owner, handle) = &held[rng.usize(0..held.len())];
        A::read(pool, handle, |object| {
            assert_eq!(object.owner(), *owner, "two owners")
        });
        while held.len() > rng.usize(0..64) {
            let (owner, handle) = held.swap_remove(rng.usize(0..held.len()));
            A::read(pool, &handle, |object| {
                assert_eq!(object.owner(), owner, "two owners")
            });
            drop(handle);
        }
    }
    held
}

fn a_slot_never_has_two_owners<A: Mode>()
where
    Pool<A>: Sync,
    PoolBox<Stamped, A>: Send,
{
    let pool: Pool<A> = A::builder().build();
    let cycles = count(40_000);
    let mut left = thread::scope(|scope| {
        let churners: Vec<_> = (0..THREADS)
            .map(|seed| {
                let pool = &pool;
                scope.spawn(move || churn(pool, seed, cycles))
            })
            .collect();
        churners
            .into_iter()
            .flat_map(|churner| churner.join().unwrap())
            .collect::<Held<A>>()
    });
    assert_eq!(pool.len(), left.len());
    let addresses: HashSet<_> = left
        .iter()
        .map(|(_, handle)| PoolBox::as_ptr(handle))
        .collect();
    assert_eq!(addresses.len(), left.len());
    left.clear();
    assert_eq!((pool.len(), pool.stats().deferred), (0, 0));
}

/// Walks until told to stop: every resident once, nothing twice, nothing broken, no slot twice.
fn watch<A: Walked>(pool: &Pool<A>, residents: &HashSet<u64>, stop: &AtomicBool) -> usize {
    let mut walks = 0;
    while !stop.load(Ordering::Relaxed) || walks == 0 {
        let mut owners = HashSet::new();
        let mut slots = HashSet::new();
        pool.for_each(|object| {
            assert!(owners.insert(object.owner()), "an object was visited twice");
            assert!(
                slots.insert((&raw const *object).addr()),
                "a slot was visited twice"
            );
        });
        assert!(residents.is_subset(&owners), "an object was not visited");
        walks += 1;
    }
    walks
}

fn walks_meet_drops_makers_and_shrinks<A: Walked>()
where
    Pool<A>: Sync,
    PoolBox<Stamped, A>: Send,
{
    let pool: Pool<A> = A::builder().growth(50).keep_empty(1).build();
    let residents: Held<A> = (0..300)
        .map(|_| {
            let owner = ticket();
            (owner, pool.alloc(Stamped::new(owner)))
        })
        .collect();
    let owners = residents.iter().map(|(owner, _)| *owner).collect();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let (pool, owners, stop) = (&pool, &owners, &stop);
        let watchers: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| watch(pool, owners, stop)))
            .collect();
        let shrinker = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                pool.shrink_to_fit();
                let stats = pool.stats();
                assert!(stats.live >= 300 && stats.capacity >= 300 && pool.len() >= 300);
                thread::yield_now();
            }
        });
        let churners: Vec<_> = (0..3)
            .map(|seed| scope.spawn(move || drop(churn(pool, seed, count(8_000)))))
            .collect();
        churners
            .into_iter()
            .for_each(|churner| churner.join().unwrap());
        stop.store(true, Ordering::Relaxed);
        assert!(
            watchers
                .into_iter()
                .all(|watcher| watcher.join().unwrap() > 0)
        );
        shrinker.join().unwrap();
    });
    assert_eq!((pool.len(), pool.stats().deferred), (300, 0));
    drop(residents);
    pool.shrink_to_fit();
    assert_eq!(pool.stats().reserved_bytes, 0);
}

/// Each thread walks, drops some of its own objects inside the walk, and makes others.
fn walks_that_drop_meet_each_other<A: Walked>()
where
    Pool<A>: Sync,
    PoolBox<Stamped, A>: Send,
{
    let pool: Pool<A> = A::builder().growth(64).build();
    thread::scope(|scope| {
        for seed in 0..4 {
            let pool = &pool;
            scope.spawn(move || {
                let mut rng = fastrand::Rng::with_seed(seed);
                let mut held = churn(pool, seed, 50);
                for _ in 0..count(300) {
                    let mut gone = HashSet::new();
                    pool.for_each(|object| {
                        let owner = object.owner();
                        assert!(!gone.contains(&owner), "despawned, yet visited");
                        if held.len() > 10 && rng.bool() {
                            let (owner, handle) = held.swap_remove(rng.usize(0..held.len()));
                            drop(handle);
                            gone.insert(owner);
                        } else {
                            let owner = ticket();
                            held.push((owner, pool.alloc(Stamped::new(owner))));
                        }
                        assert_eq!(object.owner(), owner, "the reference is still valid");
                    });
                }
            });
        }
    });
    assert_eq!((pool.len(), pool.stats().deferred), (0, 0));
}

const WORDS: usize = 4096;

/// Long enough that moving one into its slot takes a while.
struct Long([u64; WORDS]);

impl Drop for Long {
    fn drop(&mut self) {
        self.0 = [0; WORDS];
    }
}

/// Makers reuse slots whose former objects left zeros; walkers look at both ends of whatever is shown to them.
fn a_half_written_object_is_never_visited<A: Walked>()
where
    FixedPool<Long, A, Locked>: Sync,
{
    let pool: FixedPool<Long, A, Locked> = A::builder().build();
    let making = AtomicUsize::new(2);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..count(4_000) {
                    let owner = ticket();
                    drop(pool.alloc(Long([owner; WORDS])));
                }
                making.fetch_sub(1, Ordering::Relaxed);
            });
        }
        while making.load(Ordering::Relaxed) > 0 {
            pool.for_each(|Long(words)| {
                let ends = (words[0], words[WORDS - 1]);
                assert!(ends.0 != 0 && ends.0 == ends.1, "half-written: {ends:?}");
            });
        }
    });
    assert!(pool.is_empty());
}
