//! What weak keys are as values: size, traits, threads.

use std::cell::Cell;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::sync::Barrier;
use std::thread;

use mem_pool::{FixedPool, PoolBox, WeakKey, local};

use crate::support::{count, watchdog};

/// No trait at all.
struct Plain(#[expect(dead_code, reason = "not zero-sized")] Rc<Cell<u8>>);

#[test]
fn keys_have_the_traits_of_numbers_whatever_their_object() {
    fn has<K: Copy + Eq + Ord + Hash + Debug + Send + Sync + Unpin + 'static>() {}
    has::<WeakKey<Plain>>();
    has::<Option<WeakKey<Plain>>>();
    has::<WeakKey<std::sync::MutexGuard<'static, *mut u8>>>();
}

#[test]
fn keys_take_sixteen_bytes() {
    assert_eq!(size_of::<WeakKey<Plain>>(), 16);
    assert_eq!(size_of::<Option<WeakKey<[u8; 1000]>>>(), 16);
    assert_eq!(size_of::<WeakKey<()>>(), 16);
}

#[test]
fn equal_keys_hash_alike_and_compare_equal() {
    let hash = |key: &WeakKey<Plain>| {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        hasher.finish()
    };
    let pool = local::FixedPool::keyed();
    let [a, b] = [0, 1].map(|_| pool.alloc(Plain(Rc::default())));
    let (key, other) = (PoolBox::downgrade(&a), PoolBox::downgrade(&b));
    let (again, from) = (PoolBox::downgrade(&a), WeakKey::from(&a));
    for same in [key, again, from] {
        assert_eq!((same, hash(&same)), (key, hash(&key)));
        assert_eq!(same.cmp(&key), std::cmp::Ordering::Equal);
        assert_eq!(same.partial_cmp(&other), Some(same.cmp(&other)));
        assert_eq!(format!("{same:?}"), format!("{key:?}"));
    }
    assert!(key < other && key != other && hash(&key) != hash(&other));
    assert!(format!("{key:?}").contains("WeakKey"));
    assert_ne!(format!("{key:?}"), format!("{other:?}"));
}

#[test]
fn keys_stay_good_in_maps_when_their_objects_are_gone() {
    let pool = FixedPool::new();
    let mut handles: Vec<_> = (0..100).map(|n| pool.alloc(n)).collect();
    let hashed: HashMap<_, _> = handles
        .iter()
        .map(|h| (PoolBox::downgrade(h), **h))
        .collect();
    let ordered: BTreeMap<_, _> = hashed.iter().map(|(key, n)| (*key, *n)).collect();
    handles.truncate(40);
    handles.extend((100..160).map(|n| pool.alloc(n)));
    assert!(ordered.values().copied().eq(0..100));
    for handle in &handles {
        let known = (**handle < 100).then_some(**handle);
        assert_eq!(hashed.get(&PoolBox::downgrade(handle)).copied(), known);
        assert_eq!(ordered.get(&PoolBox::downgrade(handle)).copied(), known);
    }
    let hold = pool.hold();
    let found = ordered.iter().filter(|(key, _)| hold.get(**key).is_some());
    assert!(found.map(|(_, n)| *n).eq(0..40));
}

#[test]
fn a_local_pools_key_may_travel_but_finds_nothing_elsewhere() {
    let home = local::FixedPool::<Plain>::new();
    let handle = home.alloc(Plain(Rc::default()));
    let key = PoolBox::downgrade(&handle);
    let back = thread::scope(|scope| {
        let elsewhere = scope.spawn(move || {
            let pool = FixedPool::<Plain>::keyed(); // the other lock, the other access
            let other = pool.alloc(Plain(Rc::default()));
            assert!(pool.hold().get(key).is_none());
            assert_ne!(PoolBox::downgrade(&other), key);
            key
        });
        elsewhere.join().unwrap()
    });
    assert!(home.hold().get(back).is_some());
}

#[test]
fn threads_that_downgrade_at_once_get_one_key() {
    const THREADS: usize = 4;
    let _watchdog = watchdog();
    for _ in 0..count(200) {
        let pool = FixedPool::new();
        let handles: Vec<_> = (0..20_u32).map(|n| pool.alloc(n)).collect();
        let start = Barrier::new(THREADS);
        let downgrade = || {
            start.wait();
            handles.iter().map(PoolBox::downgrade).collect::<Vec<_>>()
        };
        let keys: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(downgrade)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert!(keys.iter().all(|seen| *seen == keys[0]));
        let hold = pool.hold();
        assert!(keys[0].iter().map(|key| hold[*key]).eq(0..20));
    }
}

#[test]
fn threads_that_key_chunks_at_once_lose_none() {
    const THREADS: usize = 4;
    let _watchdog = watchdog();
    for _ in 0..count(20) {
        let pool = FixedPool::keyed();
        let start = Barrier::new(THREADS);
        let make = |thread: usize| {
            start.wait();
            let handles: Vec<_> = (0..40)
                .map(|n| pool.alloc([thread * 40 + n; 1000]))
                .collect();
            let keys: Vec<_> = handles.iter().map(PoolBox::downgrade).collect();
            (handles, keys)
        };
        let made: Vec<_> = thread::scope(|scope| {
            let make = &make;
            let threads: Vec<_> = (0..THREADS).map(|n| scope.spawn(move || make(n))).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        let hold = pool.hold();
        let keys = made.iter().flat_map(|(_, keys)| keys);
        assert!(keys.map(|key| hold[*key][999]).eq(0..THREADS * 40));
    }
}
