//! Weak keys: they answer for the very object they were made of, or not at all.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Barrier;
use std::thread;

use mem_pool::generic::{FixedPool, Hold};
use mem_pool::{Lock, Locked, PoolBox, Unlocked, WeakKey};

use super::fill;
use crate::support::{Ledger, Walked, count, in_walked_modes, pool};

in_walked_modes!(
    a_key_answers_for_its_object_alone,
    a_reused_slot_does_not_answer,
    another_pools_object_does_not_answer,
    a_chunk_given_back_does_not_answer,
    a_chunk_with_reused_keys_does_not_answer,
    an_object_moved_out_does_not_answer,
    a_handle_that_was_given_back_answers,
    keys_of_many_chunks_answer,
    keys_work_in_limited_pools,
    keys_survive_raw_handles,
    keys_can_be_made_when_the_pool_is_gone,
    keys_can_be_made_inside_walks,
    keys_are_ordered_by_their_making,
    keys_of_zero_sized_objects_differ,
    a_key_made_late_answers_too,
    a_borrowed_key_and_a_handle_are_as_good,
);

/// The same for all objects, at any time: what answers to a key is what it was made of.
fn assert_answers<A: Walked, L: Lock>(
    hold: &Hold<'_, usize, A, L>,
    keys: &[WeakKey<usize>],
    alive: impl Fn(usize) -> bool,
) {
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(hold.get(*key).copied(), alive(n).then_some(n));
    }
}

fn a_key_answers_for_its_object_alone<A: Walked, L: Lock>() {
    let pool = pool::<usize, A, L>();
    let handles: Vec<_> = (0..1000).map(|n| pool.alloc(n)).collect();
    let keys: Vec<WeakKey<usize>> = handles.iter().map(WeakKey::from).collect();
    let hold = pool.hold();
    assert_answers(&hold, &keys, |_| true);
    for (handle, key) in handles.iter().zip(&keys) {
        assert_eq!(
            PoolBox::downgrade(handle),
            *key,
            "there is one key of an object"
        );
        assert!(std::ptr::eq(&raw const hold[*key], PoolBox::as_ptr(handle)));
        assert!(std::ptr::eq(&raw const hold[handle], &raw const hold[*key]));
    }
    assert_eq!(keys.iter().collect::<HashSet<_>>().len(), 1000);
}

fn a_reused_slot_does_not_answer<A: Walked, L: Lock>() {
    let pool = A::builder::<usize, L>().limit(1).build();
    let mut keys = Vec::new();
    let mut address = None;
    for n in 0..count(1000) {
        let handle = pool.alloc(n);
        assert_eq!(
            *address.get_or_insert(PoolBox::as_ptr(&handle)),
            PoolBox::as_ptr(&handle)
        );
        // A key that was not made must not be inherited either.
        if n % 3 > 0 {
            keys.push((n, PoolBox::downgrade(&handle)));
        }
        let hold = pool.hold();
        for (made_of, key) in keys.iter().rev().take(10) {
            assert_eq!(hold.get(*key).is_some(), *made_of == n);
        }
    }
    let hold = pool.hold();
    assert!(keys.iter().all(|(_, key)| hold.get(*key).is_none()));
}

fn another_pools_object_does_not_answer<A: Walked, L: Lock>() {
    let pools: [FixedPool<usize, A, L>; 3] = [pool(), pool(), A::builder().growth(3).build()];
    let handles = pools
        .each_ref()
        .map(|pool| (0..100).map(|n| pool.alloc(n)).collect::<Vec<_>>());
    let keys = handles
        .each_ref()
        .map(|handles| handles.iter().map(PoolBox::downgrade).collect::<Vec<_>>());
    let holds = pools.each_ref().map(FixedPool::hold);
    for (home, hold) in holds.iter().enumerate() {
        for (owner, keys) in keys.iter().enumerate() {
            assert_answers(hold, keys, |_| home == owner);
        }
        for (owner, handles) in handles.iter().enumerate() {
            assert!(
                handles
                    .iter()
                    .all(|handle| hold.get(handle).is_some() == (home == owner))
            );
        }
    }
}

fn a_chunk_given_back_does_not_answer<A: Walked, L: Lock>() {
    let pool = A::builder::<usize, L>().growth(64).build();
    let mut keys = Vec::new();
    for round in 0..5 {
        let handles: Vec<_> = (0..1000).map(|n| pool.alloc(keys.len() + n)).collect();
        keys.extend(handles.iter().map(PoolBox::downgrade));
        assert_answers(&pool.hold(), &keys, |n| n >= round * 1000);
        drop(handles);
        assert!(pool.shrink_to_fit() > 0 && pool.capacity() == 0);
        assert_answers(&pool.hold(), &keys, |_| false);
    }
}

fn a_chunk_with_reused_keys_does_not_answer<A: Walked, L: Lock>() {
    let pool = A::builder::<usize, L>().growth(64).keep_empty(1).build();
    let mut handles: BTreeMap<usize, _> = BTreeMap::new();
    let mut keys = Vec::new();
    let mut rng = fastrand::Rng::with_seed(7);
    for n in 0..count(3000) {
        let handle = pool.alloc(n);
        keys.push(PoolBox::downgrade(&handle));
        handles.insert(n, handle);
        if n % 300 == 299 {
            handles.retain(|_, _| rng.u8(0..20) == 0); // most chunks go back
            assert_answers(&pool.hold(), &keys, |n| handles.contains_key(&n));
        }
    }
}

fn an_object_moved_out_does_not_answer<A: Walked, L: Lock>() {
    let mut pool = pool::<usize, A, L>();
    let handles: Vec<_> = (0..100).map(|n| pool.alloc(n)).collect();
    let keys: Vec<_> = handles.iter().map(PoolBox::downgrade).collect();
    for (n, handle) in handles.into_iter().enumerate() {
        let object = if n % 2 == 0 {
            PoolBox::try_into_inner(handle).ok().unwrap()
        } else {
            A::move_out(&mut pool, handle)
        };
        assert_eq!(object, n);
        assert_answers(&pool.hold(), &keys, |m| m > n);
    }
    let again: Vec<_> = (0..100).map(|n| pool.alloc(n)).collect();
    assert_answers(&pool.hold(), &keys, |_| false);
    drop(again);
}

fn a_handle_that_was_given_back_answers<A: Walked, L: Lock>() {
    let pool = pool::<usize, A, L>();
    let handle = pool.alloc(7);
    let key = PoolBox::downgrade(&handle);
    let hold = pool.hold();
    let handle = PoolBox::try_into_inner(handle).unwrap_err();
    assert_eq!((hold.get(key), hold.get(&handle)), (Some(&7), Some(&7)));
    assert_eq!(PoolBox::downgrade(&handle), key);
}

fn keys_of_many_chunks_answer<A: Walked, L: Lock>() {
    // Large slots: a few in a chunk, so that the table of chunks grows often.
    type Large = (usize, [u64; 2048]);
    let pool = pool::<Large, A, L>();
    let mut handles = Vec::new();
    let mut keys = Vec::new();
    for n in 0..count(400).max(40) {
        handles.push(Some(pool.alloc((n, [n as u64; 2048]))));
        keys.push(PoolBox::downgrade(handles[n].as_ref().unwrap()));
        if n % 3 == 0 {
            handles[n] = None;
        }
        if n % 16 == 0 || n + 1 == keys.capacity() {
            let hold = pool.hold();
            for (key, handle) in keys.iter().zip(&handles) {
                assert_eq!(hold.get(*key).is_some(), handle.is_some());
            }
        }
    }
    let hold = pool.hold();
    for (n, (key, handle)) in keys.iter().zip(&handles).enumerate() {
        let object = handle.as_ref().map(|_| (n, n as u64));
        assert_eq!(hold.get(*key).map(|(n, rest)| (*n, rest[2047])), object);
    }
}

fn keys_work_in_limited_pools<A: Walked, L: Lock>() {
    for limit in [1, 63, 64, 65, 500] {
        let pool = A::builder::<usize, L>().growth(10).limit(limit).build();
        for _ in 0..3 {
            let handles: Vec<_> = (0..limit).map(|n| pool.alloc(n)).collect();
            assert!(pool.try_alloc(0).is_err());
            let keys: Vec<_> = handles.iter().rev().map(PoolBox::downgrade).rev().collect();
            assert_answers(&pool.hold(), &keys, |_| true);
            drop(handles);
            assert_answers(&pool.hold(), &keys, |_| false);
        }
    }
}

#[expect(unsafe_code, reason = "a handle is made of its raw pointer again")]
fn keys_survive_raw_handles<A: Walked, L: Lock>() {
    let pool = pool::<usize, A, L>();
    let handle = pool.alloc(3);
    let key = PoolBox::downgrade(&handle);
    let raw = PoolBox::into_raw(handle);
    assert_eq!(pool.hold().get(key), Some(&3));
    // SAFETY: `raw` came from `into_raw` of a handle of this type, and is used once.
    let handle = unsafe { PoolBox::<usize, A, L>::from_raw(raw) };
    assert_eq!(PoolBox::downgrade(&handle), key);
    drop(handle);
    assert!(pool.hold().get(key).is_none());
}

fn keys_can_be_made_when_the_pool_is_gone<A: Walked, L: Lock>() {
    for key_before in [false, true] {
        let former = pool::<usize, A, L>();
        let handles: Vec<_> = (0..200).map(|n| former.alloc(n)).collect();
        let before = key_before.then(|| PoolBox::downgrade(&handles[7]));
        drop(former);
        let keys: Vec<_> = handles.iter().map(PoolBox::downgrade).collect();
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), 200);
        assert_eq!(before.unwrap_or(keys[7]), keys[7]);
        let pool = pool::<usize, A, L>();
        let others: Vec<_> = (0..200).map(|n| pool.alloc(n)).collect();
        assert_answers(&pool.hold(), &keys, |_| false);
        drop(handles);
        assert!(
            others
                .iter()
                .all(|handle| !keys.contains(&PoolBox::downgrade(handle)))
        );
        assert_answers(&pool.hold(), &keys, |_| false);
    }
}

fn keys_can_be_made_inside_walks<A: Walked, L: Lock>() {
    let pool = pool::<usize, A, L>();
    let handles: Vec<_> = (0..500).map(|n| pool.alloc(n)).collect();
    let mut keys = HashMap::new();
    pool.for_each(|n| {
        keys.insert(PoolBox::downgrade(&handles[*n]), *n);
        let late = pool.alloc(1000);
        let key = PoolBox::downgrade(&late);
        assert_eq!(pool.hold().get(key), Some(&1000));
    });
    let hold = pool.hold();
    assert_eq!(keys.len(), 500);
    assert!(keys.iter().all(|(key, n)| hold.get(*key) == Some(n)));
    for (key, n) in hold.iter_keys() {
        assert_eq!(keys[&key], *n);
    }
}

fn keys_are_ordered_by_their_making<A: Walked, L: Lock>() {
    let pool = pool::<usize, A, L>();
    let handles: Vec<_> = (0..300).map(|n| pool.alloc(n)).collect();
    let keys: Vec<_> = handles.iter().rev().map(PoolBox::downgrade).collect();
    assert!(keys.is_sorted());
    let found: BTreeSet<_> = pool.hold().iter_keys().map(|(key, _)| key).collect();
    assert!(found.iter().eq(&keys), "looking made no new ones");
}

fn keys_of_zero_sized_objects_differ<A: Walked, L: Lock>() {
    let pool = pool::<(), A, L>();
    let mut handles: Vec<_> = (0..200).map(|_| pool.alloc(())).collect();
    let keys: Vec<_> = handles.iter().map(PoolBox::downgrade).collect();
    assert_eq!(keys.iter().collect::<HashSet<_>>().len(), 200);
    handles.truncate(50);
    let hold = pool.hold();
    let answers = keys.iter().filter(|key| hold.get(**key).is_some());
    assert_eq!(answers.count(), 50);
}

fn a_key_made_late_answers_too<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let handles = fill(&pool, &ledger, 300);
    let early = PoolBox::downgrade(&handles[299]);
    let hold = pool.hold();
    assert_eq!(hold[early].id, 299);
    for handle in &handles {
        let id = hold[handle].id;
        assert_eq!(hold[PoolBox::downgrade(handle)].id, id); // made while held
    }
    let late = pool.alloc(ledger.make());
    assert_eq!(hold[PoolBox::downgrade(&late)].id, 300);
}

fn a_borrowed_key_and_a_handle_are_as_good<A: Walked, L: Lock>() {
    let pool = pool::<usize, A, L>();
    let [first, second] = [1, 2].map(|n| pool.alloc(n));
    let key = PoolBox::downgrade(&second);
    let hold = pool.hold();
    assert_eq!(
        (hold.get(WeakKey::from(&key)), hold.get(&first)),
        (Some(&2), Some(&1))
    );
}

/// Where there is more than one core, a pool for threads has shards that a local one has not.
#[test]
fn a_key_of_a_shard_that_the_pool_has_not_does_not_answer() {
    let pool = FixedPool::<usize, _, Locked>::keyed();
    let make = |n| {
        let handle = pool.alloc(n);
        (PoolBox::downgrade(&handle), handle)
    };
    // Threads that live at once have different homes, as far as there are any.
    let barrier = Barrier::new(8);
    let made: Vec<_> = thread::scope(|scope| {
        let at_once = |n| {
            let (make, barrier) = (&make, &barrier);
            scope.spawn(move || {
                barrier.wait();
                let made = make(n);
                barrier.wait();
                made
            })
        };
        let threads: Vec<_> = (0..8).map(at_once).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let mut local = FixedPool::<usize, _, Unlocked>::keyed();
    let own = local.spawn(7);
    for (key, handle) in &made {
        assert_eq!(local.hold().get(*key), None);
        assert_eq!(local.remove(*key), None);
        assert_eq!(pool.hold().get(*key), Some(pool.at(handle)));
    }
    assert_eq!(local.remove(own), Some(7));
}
