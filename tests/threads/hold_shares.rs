//! Holds that threads hand over and share, and spawning on one thread while another updates.

use std::collections::HashSet;
use std::sync::{Arc, Barrier, Mutex};
use std::thread::{self, ThreadId};

use mem_pool::generic::{FixedPool, Hold};
use mem_pool::{FixedPool as Pool, IterMut, Keyed, Locked, PoolBox, Spawner, WeakKey};

use super::shared_and_keyed;
use crate::support::{Ledger, Mode, Tracked, Walked, count, pool, watchdog};

shared_and_keyed!(
    the_last_hold_destroys_on_its_thread,
    one_hold_serves_many_threads,
    no_key_is_made_for_an_object_that_is_being_dropped,
);

struct Where(Arc<Mutex<Vec<ThreadId>>>);

impl Drop for Where {
    fn drop(&mut self) {
        self.0.lock().unwrap().push(thread::current().id());
    }
}

fn the_last_hold_destroys_on_its_thread<A: Walked>()
where
    PoolBox<Where, A, Locked>: Send,
    for<'p> Hold<'p, Where, A, Locked>: Send,
{
    let destroyed = Arc::new(Mutex::new(Vec::new()));
    let pool: FixedPool<Where, A, Locked> = pool();
    let handles: Vec<_> = (0..200)
        .map(|_| pool.alloc(Where(destroyed.clone())))
        .collect();
    let (first, second) = (pool.hold(), pool.hold());
    thread::scope(|scope| {
        // Dropped here, held there, and there only in the end.
        scope.spawn(move || drop(handles)).join().unwrap();
        drop(first);
        assert!(destroyed.lock().unwrap().is_empty());
        let last = scope.spawn(move || {
            drop(second);
            thread::current().id()
        });
        let last = last.join().unwrap();
        let destroyed = destroyed.lock().unwrap();
        assert!(destroyed.len() == 200 && destroyed.iter().all(|id| *id == last));
    });
}

/// The keys of the objects with small ids, after a look at all.
fn keys_of_the_first<A: Walked>(
    hold: &Hold<'_, Tracked, A, Locked>,
    ids: usize,
) -> Vec<(usize, WeakKey<Tracked>)> {
    let mut found = Vec::new();
    for (key, object) in hold.iter_keys() {
        object.check();
        found.push((object.id, key));
    }
    for object in hold {
        object.check();
    }
    found.retain(|(id, _)| *id < ids);
    found.sort();
    found
}

fn one_hold_serves_many_threads<A: Walked>()
where
    for<'p> Hold<'p, Tracked, A, Locked>: Sync,
    PoolBox<Tracked, A, Locked>: Send,
{
    const THREADS: usize = 4;
    let ledger = Ledger::default();
    let pool = A::builder::<Tracked, Locked>().growth(50).build();
    let mut handles: Vec<_> = (0..500).map(|_| pool.alloc(ledger.make())).collect();
    let dropped = handles.split_off(250);
    let hold = pool.hold();
    let start = Barrier::new(THREADS + 1);
    let look = || {
        start.wait();
        keys_of_the_first(&hold, 250)
    };
    thread::scope(|scope| {
        let looking: Vec<_> = (0..THREADS).map(|_| scope.spawn(look)).collect();
        scope.spawn(|| {
            start.wait();
            drop(dropped);
        });
        let found: Vec<_> = looking
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect();
        assert_eq!(found[0].len(), 250);
        assert!(
            found.iter().all(|other| *other == found[0]),
            "one key of each object"
        );
    });
    assert_eq!(ledger.dropped(), 0);
    drop(hold);
    assert_eq!(ledger.dropped(), 250);
}

/// Drops run after the iterator, which makes keys: of an object that is dropped by then it must make none.
fn no_key_is_made_for_an_object_that_is_being_dropped<A: Walked>()
where
    FixedPool<usize, A, Locked>: Sync,
    PoolBox<usize, A, Locked>: Send,
{
    for _ in 0..count(100) {
        let pool = A::builder::<usize, Locked>().growth(1000).build();
        let handles: Vec<_> = (0..1000).map(|n| pool.alloc(n)).collect();
        let hold = pool.hold();
        let start = Barrier::new(2);
        let keys: Vec<_> = thread::scope(|scope| {
            let dropping = scope.spawn(|| {
                start.wait();
                drop(handles);
            });
            start.wait();
            let keys = hold.iter_keys().map(|(key, _)| key).collect();
            dropping.join().unwrap();
            keys
        });
        let dead = |key: &WeakKey<usize>| pool.hold().get(*key).is_none();
        assert!(hold.iter_keys().next().is_none() && keys.iter().all(dead));
        drop(hold);
        let _others: Vec<_> = (0..1000).map(|n| pool.alloc(n)).collect();
        assert!(keys.iter().all(dead), "a former object's key answers");
    }
}

#[test]
fn a_destructors_panic_stays_on_the_thread_of_the_last_hold() {
    struct Loud;
    impl Drop for Loud {
        fn drop(&mut self) {
            panic!("loud");
        }
    }
    let _watchdog = watchdog();
    let pool = Pool::<Loud>::new();
    let handle = pool.alloc(Loud);
    let (first, last) = (pool.hold(), pool.hold());
    let ended = thread::scope(|scope| {
        let quiet = scope.spawn(move || drop(handle)).join().is_ok();
        drop(first);
        (quiet, scope.spawn(move || drop(last)).join().is_err())
    });
    assert_eq!(
        (ended, pool.len(), pool.stats().deferred),
        ((true, true), 0, 0)
    );
}

type Counted = (Tracked, u32);

#[test]
fn objects_are_updated_here_and_spawned_there() {
    let _watchdog = watchdog();
    for _ in 0..count(50) {
        let ledger = Ledger::default();
        let mut pool = Keyed::builder::<Counted, Locked>().growth(64).build();
        let mut old: Vec<_> = (0..300).map(|_| pool.alloc((ledger.make(), 0))).collect();
        let staying = old.split_off(100);
        let mut hold = pool.hold_mut();
        let (iter, spawner) = hold.split();
        let start = Barrier::new(4);
        let spawned: Vec<_> = thread::scope(|scope| {
            let spawning = [(); 2].map(|()| {
                scope.spawn(|| {
                    start.wait();
                    spawn(&spawner, &ledger)
                })
            });
            scope.spawn(|| {
                start.wait();
                old.clear();
            });
            start.wait();
            update_all(iter);
            let spawning = spawning.into_iter();
            spawning.flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert!(staying.iter().all(|handle| hold[handle].1 == 1));
        assert!(
            hold.iter().all(|object| object.1 <= 1),
            "none was given twice"
        );
        assert_eq!(ledger.dropped(), 0);
        drop(hold);
        assert_eq!((pool.len(), ledger.dropped()), (600, 100));
        drop((spawned, staying));
        pool.clear();
        ledger.assert_settled();
    }
}

/// Makes 200 objects and gives every third to the pool.
fn spawn(spawner: &Spawner<'_, Counted>, ledger: &Ledger) -> Vec<PoolBox<Counted, Keyed>> {
    let mut owned = Vec::new();
    for n in 0..200 {
        let handle = spawner.alloc((ledger.make(), 0));
        if n % 3 == 0 {
            spawner.adopt(handle);
        } else {
            owned.push(handle);
        }
    }
    owned
}

fn update_all(objects: IterMut<'_, Counted>) {
    let objects: Vec<&mut Counted> = objects.collect(); // all borrowed at once
    for object in objects {
        object.0.check();
        object.1 += 1;
    }
}

#[test]
fn adopted_objects_are_adopted_from_many_threads() {
    let _watchdog = watchdog();
    let ledger = Ledger::default();
    let mut pool = Pool::<Tracked>::keyed();
    let adopt = || {
        let keys = (0..200).map(|_| pool.adopt(pool.alloc(ledger.make())));
        keys.collect::<Vec<_>>()
    };
    let keys: Vec<_> = thread::scope(|scope| {
        let threads = [(); 4].map(|()| scope.spawn(adopt));
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(keys.iter().collect::<HashSet<_>>().len(), 800);
    for key in keys.iter().step_by(2) {
        pool.remove(*key).unwrap().check();
    }
    let mut asked = 0;
    pool.retain(|_| {
        asked += 1;
        true
    });
    assert_eq!((asked, pool.len()), (400, 400));
    drop(pool);
    ledger.assert_settled();
}
