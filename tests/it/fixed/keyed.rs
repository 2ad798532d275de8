//! The keyed pool: objects reached by key.

use std::cell::RefCell;
use std::collections::hash_map::RandomState;
use std::collections::{BTreeSet, HashSet};
use std::hash::BuildHasher;
use std::ops::ControlFlow;

use mem_pool::{FixedPool, Keyed, PoolBox};
use rstest::rstest;

use crate::support::{Ledger, OnDrop, count, panic_message, sorted, walked};

type Pool<T> = FixedPool<T, Keyed>;

fn keyed<T>() -> Pool<T> {
    FixedPool::keyed()
}

fn filled(objects: u32) -> (Pool<u32>, Vec<PoolBox<u32, Keyed>>) {
    let pool = keyed();
    let keys = (0..objects).map(|n| pool.alloc(n)).collect();
    (pool, keys)
}

#[test]
fn the_pool_reads_and_writes_by_key() {
    let (mut pool, keys) = filled(100);
    for (key, n) in keys.iter().zip(0..) {
        assert_eq!((pool.get(key), *pool.at(key)), (Some(&n), n));
        *pool.get_mut(key).unwrap() += 1;
        *pool.at_mut(key) += 1;
        assert_eq!(*pool.at(key), n + 2);
    }
}

#[test]
fn several_shared_results_live_at_once() {
    let (pool, keys) = filled(3);
    let all: Vec<&u32> = keys.iter().map(|key| pool.at(key)).collect();
    assert_eq!(all, [&0, &1, &2]);
}

#[test]
fn another_pools_key_opens_nothing() {
    let (mut pool, keys) = filled(2);
    let (mut other, foreign) = filled(2);
    assert!(pool.get(&foreign[0]).is_none() && pool.get_mut(&foreign[0]).is_none());
    assert!(pool.get_disjoint_mut([&keys[0], &foreign[1]]).is_none());
    assert!(panic_message(|| *pool.at(&foreign[0])).contains("another pool"));
    assert!(panic_message(|| *pool.at_mut(&foreign[0])).contains("another pool"));
    let mut foreign = foreign.into_iter();
    let back = pool.take(foreign.next().unwrap()).unwrap_err();
    assert_eq!((*other.at(&back), other.len(), pool.len()), (0, 2, 2));
    assert_eq!(other.take(back).unwrap(), 0);
}

#[test]
fn disjoint_objects_can_be_changed_together() {
    let (mut pool, keys) = filled(10);
    let [a, b, c] = pool
        .get_disjoint_mut([&keys[9], &keys[0], &keys[4]])
        .unwrap();
    assert_eq!((*a, *b, *c), (9, 0, 4));
    std::mem::swap(a, b);
    *c = 44;
    assert_eq!(
        (*pool.at(&keys[9]), *pool.at(&keys[0]), *pool.at(&keys[4])),
        (0, 9, 44)
    );
    assert!(pool.get_disjoint_mut([]).is_some());
    assert_eq!(pool.get_disjoint_mut([&keys[3]]).unwrap(), [&mut 3]);
}

#[rstest]
#[case([1, 1, 2])]
#[case([1, 2, 1])]
#[case([2, 1, 1])]
#[case([5, 5, 5])]
fn a_key_named_twice_opens_nothing(#[case] named: [usize; 3]) {
    let (mut pool, keys) = filled(10);
    assert!(pool.get_disjoint_mut(named.map(|n| &keys[n])).is_none());
}

#[test]
fn disjoint_zero_sized_objects_are_disjoint() {
    let mut pool = keyed::<()>();
    let (a, b) = (pool.alloc(()), pool.alloc(()));
    assert!(pool.get_disjoint_mut([&a, &b]).is_some());
    assert!(pool.get_disjoint_mut([&a, &a]).is_none());
}

#[test]
fn take_moves_out_and_frees_the_slot() {
    let ledger = Ledger::default();
    let mut pool = FixedPool::builder().keyed().limit(1).build();
    for round in 0..10 {
        let key = pool.alloc(ledger.make());
        let object = pool.take(key).map_err(drop).unwrap();
        assert_eq!((object.id, pool.len(), ledger.dropped()), (round, 0, round));
    }
    ledger.assert_settled();
}

#[test]
fn for_each_mut_changes_every_object_once() {
    let (mut pool, keys) = filled(count(1000) as u32);
    pool.for_each_mut(|n| *n += 1000);
    assert_eq!(
        sorted(walked(&pool)),
        (1000..1000 + keys.len() as u32).collect::<Vec<_>>()
    );
}

#[test]
fn try_for_each_mut_stops_where_told() {
    let (mut pool, keys) = filled(count(1000) as u32);
    let mut visits = 0;
    let stopped = pool.try_for_each_mut(|n| {
        visits += 1;
        *n += 5000;
        if visits == 2 {
            ControlFlow::Break(*n)
        } else {
            ControlFlow::Continue(())
        }
    });
    let changed = walked(&pool).into_iter().filter(|n| *n >= 5000).count();
    assert!(matches!(stopped, ControlFlow::Break(n) if n >= 5000));
    assert_eq!((visits, changed, pool.len()), (2, 2, keys.len()));
    let all = pool.try_for_each_mut(|_| ControlFlow::<()>::Continue(()));
    assert!(all.is_continue());
}

#[test]
fn keys_dropped_in_for_each_mut_are_not_visited_any_more() {
    let ledger = Ledger::default();
    let mut pool = keyed();
    let keys: Vec<_> = (0..200).map(|_| Some(pool.alloc(ledger.make()))).collect();
    let keys = RefCell::new(keys);
    let mut visited = Vec::new();
    pool.for_each_mut(|object| {
        assert_eq!(ledger.drops_of(object.id), 0);
        visited.push(object.id);
        // The visited one, and one that may be before or behind it.
        for id in [object.id, 199 - object.id] {
            keys.borrow_mut()[id] = None;
        }
        object.check();
    });
    assert_eq!(visited.len(), 100, "one of each pair");
    assert!(visited.iter().all(|id| !visited.contains(&(199 - id))));
    assert_eq!(pool.len(), 0);
    ledger.assert_settled();
}

#[test]
fn a_panic_in_for_each_mut_leaves_the_pool_usable() {
    let (mut pool, mut keys) = filled(100);
    let message = panic_message(|| pool.for_each_mut(|_| panic!("on purpose")));
    assert_eq!(message, "on purpose");
    drop(keys.drain(..50));
    assert_eq!((pool.stats().deferred, pool.len()), (0, 50));
    pool.for_each_mut(|n| *n += 1);
    assert_eq!(pool.take(keys.pop().unwrap()), Ok(100));
}

#[test]
fn keys_compare_hash_and_print_by_address() {
    let pool = keyed::<OnDrop>(); // an object without any trait
    let keys: Vec<_> = (0..10).map(|_| pool.alloc(OnDrop::nothing())).collect();
    let in_order: BTreeSet<_> = keys.iter().collect();
    let addresses: BTreeSet<_> = keys.iter().map(PoolBox::as_ptr).collect();
    assert!(in_order.into_iter().map(PoolBox::as_ptr).eq(addresses));
    let hashed: HashSet<_> = keys.iter().collect();
    assert!(hashed.len() == 10 && hashed.contains(&keys[3]));
    let hasher = RandomState::new();
    let address = PoolBox::as_ptr(&keys[0]).addr();
    assert_eq!(hasher.hash_one(&keys[0]), hasher.hash_one(address));
    assert!(keys[0] == keys[0] && keys[0] != keys[1]);
    let address = format!("{:p}", PoolBox::as_ptr(&keys[0]));
    assert_eq!(format!("{:p}", keys[0]), address);
}

#[test]
fn a_key_outlives_its_pool() {
    let ledger = Ledger::default();
    let pool = keyed();
    let key = pool.alloc(ledger.make());
    drop(pool);
    assert_eq!(ledger.dropped(), 0);
    drop(key);
    ledger.assert_settled();
}

#[test]
fn try_into_inner_moves_out_of_a_keyed_pool_too() {
    let (pool, mut keys) = filled(3);
    assert_eq!(PoolBox::try_into_inner(keys.pop().unwrap()), Ok(2));
    let pool_gone = keys.pop().unwrap();
    drop(pool);
    assert_eq!(PoolBox::try_into_inner(pool_gone), Ok(1));
}
