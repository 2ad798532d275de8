//! The iterators of holds: each object at most once, none that is dead by then, in order, and fused.

use std::collections::BTreeSet;
use std::iter::FusedIterator;

use mem_pool::{HoldMut, Iter, IterKeys, IterMut, Keyed, Lock, PoolBox, WeakKey, local};

use super::{fill, in_both_locks};
use crate::support::{Ledger, Mode, Walked, in_walked_modes, pool, sorted, walked};

in_walked_modes!(
    iterators_stay_at_their_end,
    size_hints_bound_what_comes,
    the_order_is_that_of_a_walk,
    objects_dropped_before_their_turn_are_not_given,
    objects_made_meanwhile_are_given_at_most_once,
    an_iterator_that_makes_objects_ends,
    objects_alive_throughout_are_given_once,
    several_iterators_do_not_disturb_each_other,
    keys_of_the_iterator_are_the_objects_own,
    an_object_dropped_between_its_turn_and_its_key_has_none,
    references_outlast_their_iterator,
    for_loops_take_a_hold_by_reference,
);
in_both_locks!(mutable_iterators_are_iterators_too);

fn iterators_stay_at_their_end<A: Walked, L: Lock>() {
    fn is_fused(_: &impl FusedIterator) {}
    let ledger = Ledger::default();
    let pool = A::builder::<_, L>().growth(70).build();
    let mut handles = fill(&pool, &ledger, 200);
    let hold = pool.hold();
    let (mut iter, mut keys) = (hold.iter(), hold.iter_keys());
    is_fused(&iter);
    is_fused(&keys);
    assert_eq!((iter.by_ref().count(), keys.by_ref().count()), (200, 200));
    handles.extend(fill(&pool, &ledger, 500)); // in old chunks and in new ones
    for _ in 0..3 {
        assert!(iter.next().is_none() && keys.next().is_none());
    }
    assert_eq!(hold.iter().count(), 700);
}

fn size_hints_bound_what_comes<A: Walked, L: Lock>() {
    let pool = pool::<_, A, L>();
    let _handles: Vec<_> = (0..200).map(|n| pool.alloc(n)).collect();
    let hold = pool.hold();
    let (mut iter, mut keys) = (hold.iter(), hold.iter_keys());
    for left in (0..=200).rev() {
        for (least, most) in [iter.size_hint(), keys.size_hint()] {
            assert!(least <= left && most.is_none_or(|most| most >= left));
        }
        assert_eq!(
            (iter.next().is_some(), keys.next().is_some()),
            (left > 0, left > 0)
        );
    }
}

fn the_order_is_that_of_a_walk<A: Walked, L: Lock>() {
    for growth in [1, 64, 1000] {
        let pool = A::builder::<usize, L>().growth(growth).build();
        let mut handles: Vec<_> = (0..1000).map(|n| pool.alloc(n)).collect();
        let mut rng = fastrand::Rng::with_seed(growth as u64);
        handles.retain(|_| rng.bool());
        let hold = pool.hold();
        assert!(hold.iter().eq(&walked(&pool)));
        assert!(hold.iter_keys().map(|(_, n)| n).eq(hold.iter()));
    }
}

fn objects_dropped_before_their_turn_are_not_given<A: Walked, L: Lock>() {
    for with_keys in [false, true] {
        let ledger = Ledger::default();
        let pool = pool::<_, A, L>();
        let mut handles: Vec<_> = fill(&pool, &ledger, 1000).into_iter().map(Some).collect();
        let hold = pool.hold();
        let mut rng = fastrand::Rng::with_seed(1);
        let mut given = 0;
        let objects: Box<dyn Iterator<Item = _>> = if with_keys {
            Box::new(hold.iter_keys().map(|(_, object)| object))
        } else {
            Box::new(hold.iter())
        };
        for object in objects {
            assert!(handles[object.id].is_some(), "dropped, yet given");
            given += 1;
            for _ in 0..rng.usize(0..3) {
                handles[rng.usize(0..1000)] = None; // the given one, too
            }
            object.check();
        }
        let left = handles.iter().flatten().count();
        assert!(given >= left && given < 1000);
        assert_eq!((pool.len(), ledger.dropped()), (left, 0));
    }
}

fn objects_made_meanwhile_are_given_at_most_once<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let mut handles = fill(&pool, &ledger, 500);
    let hold = pool.hold();
    let mut seen = BTreeSet::new();
    for object in &hold {
        assert!(seen.insert(object.id));
        if ledger.made() < 1500 {
            handles.push(pool.alloc(ledger.make()));
        }
    }
    assert!((0..500).all(|id| seen.contains(&id)));
}

fn an_iterator_that_makes_objects_ends<A: Walked, L: Lock>() {
    for growth in [1, 64, 1000] {
        let pool = A::builder::<usize, L>().growth(growth).build();
        let mut handles: Vec<_> = (0..300).map(|n| pool.alloc(n)).collect();
        let hold = pool.hold();
        for _ in &hold {
            handles.push(pool.alloc(1));
        }
        for _ in hold.iter_keys() {
            handles.push(pool.alloc(1));
        }
    }
}

fn objects_alive_throughout_are_given_once<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = A::builder::<_, L>().growth(100).build();
    let mut others = fill(&pool, &ledger, 500);
    let staying = fill(&pool, &ledger, 500);
    others.truncate(250);
    let mut times = vec![0; 1000];
    let hold = pool.hold();
    for object in hold.iter() {
        if let Some(times) = times.get_mut(object.id) {
            *times += 1;
        }
        others.pop();
        others.insert(0, pool.alloc(ledger.make()));
    }
    assert!(times[500..].iter().all(|&times| times == 1));
    assert!(times.iter().all(|&times| times <= 1));
    drop(staying);
}

fn several_iterators_do_not_disturb_each_other<A: Walked, L: Lock>() {
    let pool = pool::<usize, A, L>();
    let _handles: Vec<_> = (0..50).map(|n| pool.alloc(n)).collect();
    let (hold, other) = (pool.hold(), pool.hold());
    let mut pairs = BTreeSet::new();
    for a in &hold {
        for b in &other {
            assert!(pairs.insert((a, b)));
        }
    }
    assert_eq!(pairs.len(), 2500);
}

fn keys_of_the_iterator_are_the_objects_own<A: Walked, L: Lock>() {
    let pool = pool::<usize, A, L>();
    let handles: Vec<_> = (0..300).map(|n| pool.alloc(n)).collect();
    let known: Vec<_> = handles.iter().step_by(2).map(PoolBox::downgrade).collect();
    let hold = pool.hold();
    let keys: Vec<(WeakKey<usize>, &usize)> = hold.iter_keys().collect();
    assert_eq!(keys.len(), 300);
    for (key, n) in keys {
        assert!(std::ptr::eq(hold.get(key).unwrap(), n));
        assert_eq!(PoolBox::downgrade(&handles[*n]), key);
        assert!(n % 2 == 1 || known[n / 2] == key);
    }
}

fn an_object_dropped_between_its_turn_and_its_key_has_none<A: Walked, L: Lock>() {
    let pool = pool::<usize, A, L>();
    let mut handles: Vec<_> = (0..100).map(|n| pool.alloc(n)).collect();
    let hold = pool.hold();
    let (key, n) = hold.iter_keys().next().unwrap();
    let n = *n;
    drop(handles.remove(n));
    assert!(hold.get(key).is_none());
    assert!(hold.iter_keys().all(|(other, _)| other != key));
}

fn references_outlast_their_iterator<A: Walked, L: Lock>() {
    let pool = pool::<String, A, L>();
    let handles: Vec<_> = ["a", "b", "c"].map(|s| pool.alloc(s.into())).into();
    let hold = pool.hold();
    let mut texts: Vec<&String> = Vec::new();
    texts.extend(&hold);
    texts.extend(hold.iter().take(1));
    texts.extend(hold.iter_keys().map(|(_, text)| text));
    drop(handles);
    assert_eq!(sorted(texts), ["a", "a", "a", "b", "b", "c", "c"]);
}

fn for_loops_take_a_hold_by_reference<A: Walked, L: Lock>() {
    let pool = pool::<u64, A, L>();
    let _handles: Vec<_> = (0..100).map(|n| pool.alloc(n)).collect();
    let hold = pool.hold();
    let mut sum = 0;
    for n in &hold {
        sum += n;
    }
    assert_eq!(sum, hold.iter().sum());
}

#[test]
fn what_a_local_pool_lends_has_names_in_local() {
    fn sum(objects: local::Iter<'_, u8>, keys: local::IterKeys<'_, u8>) -> u8 {
        objects.sum::<u8>() + keys.map(|(_, n)| n).sum::<u8>()
    }
    fn double(objects: local::IterMut<'_, u8>, spawner: local::Spawner<'_, u8>) {
        for n in objects {
            spawner.spawn(*n);
            *n *= 2;
        }
    }
    let pool = local::FixedPool::new();
    let _object = pool.alloc(1);
    let hold: local::Hold<'_, u8> = pool.hold();
    assert_eq!(sum(hold.iter(), hold.iter_keys()), 2);
    let builder: local::FixedPoolBuilder<u8, Keyed> = local::FixedPool::builder().keyed();
    let mut pool = builder.build();
    pool.spawn(1);
    let mut hold: local::HoldMut<'_, u8> = pool.hold_mut();
    let (objects, spawner) = hold.split();
    double(objects, spawner);
    assert_eq!(hold.iter().sum::<u8>(), 3);
}

fn mutable_iterators_are_iterators_too<L: Lock>() {
    fn is_fused<I: FusedIterator>() {}
    is_fused::<Iter<'_, u8, Keyed, L>>();
    is_fused::<IterKeys<'_, u8, Keyed, L>>();
    is_fused::<IterMut<'_, u8, L>>();
    let mut pool = Keyed::builder::<usize, L>().growth(70).build();
    let _handles: Vec<_> = (0..200).map(|n| pool.alloc(n)).collect();
    let mut hold: HoldMut<'_, usize, L> = pool.hold_mut();
    assert_eq!((hold.iter().count(), hold.iter_keys().count()), (200, 200));
    assert!(hold.iter().eq(&hold));
    let (mut iter, spawner) = hold.split();
    for left in (0..=200).rev() {
        let (least, most) = iter.size_hint();
        assert!(least <= left && most.is_none_or(|most| most >= left));
        assert_eq!(iter.next().is_some(), left > 0);
    }
    let _spawned: Vec<_> = (0..500).map(|n| spawner.alloc(n)).collect();
    assert!((0..3).all(|_| iter.next().is_none()));
}
