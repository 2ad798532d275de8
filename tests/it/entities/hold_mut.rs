//! The mutable hold of a keyed pool: every object changed through it alone, others spawned and dropped meanwhile.

use std::collections::BTreeMap;

use mem_pool::generic::FixedPool;
use mem_pool::{Keyed, Lock, PoolBox, WeakKey};

use super::{counts, fill, in_both_locks};
use crate::support::{Ledger, Mode, OnDrop, panic_message, pool, sorted};

in_both_locks!(
    objects_are_changed_by_key_and_by_handle,
    several_objects_are_changed_at_once,
    disjoint_keys_must_be_different_and_alive,
    each_object_is_given_once_to_be_changed,
    all_mutable_references_live_together,
    dropped_objects_are_dead_but_stay_changeable,
    objects_dropped_before_their_turn_are_not_given,
    spawned_objects_are_given_at_most_once,
    spawning_never_reuses_what_is_borrowed,
    a_spawner_adopts,
    a_spawner_stops_at_the_limit,
    a_spawner_refuses_foreign_handles,
    dead_keys_and_foreign_handles_panic_with_a_reason,
    nothing_is_destroyed_before_the_mutable_hold_ends,
    a_mutable_hold_can_be_used_again_after_its_parts,
    an_unused_pool_can_be_held_mutably,
    a_destructor_panics_at_the_end_of_a_mutable_hold,
    references_through_keys_form_a_graph,
);

type Numbers<L> = FixedPool<usize, Keyed, L>;
type Number<L> = PoolBox<usize, Keyed, L>;

fn numbers<L: Lock>(count: usize) -> (Numbers<L>, Vec<Number<L>>) {
    let pool = pool::<usize, Keyed, L>();
    let handles = (0..count).map(|n| pool.alloc(n)).collect();
    (pool, handles)
}

fn objects_are_changed_by_key_and_by_handle<L: Lock>() {
    let (mut pool, handles) = numbers::<L>(3);
    let keys: Vec<_> = handles.iter().map(PoolBox::downgrade).collect();
    let mut hold = pool.hold_mut();
    *hold.get_mut(keys[0]).unwrap() += 10;
    *hold.get_mut(&handles[0]).unwrap() += 10;
    hold[keys[1]] += 20;
    hold[&handles[1]] += 20;
    *hold.iter_mut().nth(2).unwrap() += 40;
    assert_eq!(
        [hold[keys[0]], hold[&handles[1]], hold[keys[2]]],
        [20, 41, 42]
    );
    assert_eq!(
        (hold.get(keys[0]), hold.get(&handles[0])),
        (Some(&20), Some(&20))
    );
    assert_eq!(sorted(hold.iter().copied().collect()), [20, 41, 42]);
    assert!(hold.iter_keys().all(|(key, n)| hold[key] == *n));
    drop(hold);
    assert_eq!((*pool.at(&handles[0]), *pool.at(&handles[1])), (20, 41));
}

fn several_objects_are_changed_at_once<L: Lock>() {
    let (mut pool, handles) = numbers::<L>(200);
    let keys: Vec<_> = handles.iter().map(PoolBox::downgrade).collect();
    let mut hold = pool.hold_mut();
    let [a, b, c] = hold
        .get_disjoint_mut([keys[0], keys[199], keys[64]])
        .unwrap();
    std::mem::swap(a, b);
    *c += *a + *b;
    (*a, *b) = (*a + 1, *b + 1);
    assert_eq!(
        [hold[keys[0]], hold[keys[199]], hold[keys[64]]],
        [200, 1, 263]
    );
    assert_eq!(hold.get_disjoint_mut([]), Some([]));
    assert_eq!(hold.get_disjoint_mut([keys[5]]), Some([&mut 5]));
    let all: [WeakKey<usize>; 200] = keys.try_into().unwrap();
    for object in hold.get_disjoint_mut(all).unwrap() {
        *object = 7;
    }
    assert!(hold.iter().all(|n| *n == 7));
}

fn disjoint_keys_must_be_different_and_alive<L: Lock>() {
    let (mut pool, mut handles) = numbers::<L>(3);
    let (_other, foreign) = numbers::<L>(3);
    let keys: Vec<_> = handles.iter().map(PoolBox::downgrade).collect();
    let foreign = PoolBox::downgrade(&foreign[0]);
    let mut hold = pool.hold_mut();
    handles.remove(1);
    let again = PoolBox::downgrade(&handles[0]);
    for keys in [
        [keys[0], keys[2], again],
        [keys[0], keys[0], keys[2]],
        [keys[2], keys[0], keys[0]],
        [keys[0], keys[1], keys[2]],
        [keys[1], keys[0], keys[2]],
        [keys[1], keys[1], keys[1]],
        [keys[0], keys[2], foreign],
        [foreign, keys[0], keys[2]],
    ] {
        assert!(hold.get_disjoint_mut(keys).is_none());
    }
    assert!(hold.get_disjoint_mut([keys[2], keys[0]]).is_some());
}

fn each_object_is_given_once_to_be_changed<L: Lock>() {
    for growth in [1, 64, 1000] {
        let mut pool = Keyed::builder::<usize, L>().growth(growth).build();
        let mut handles: Vec<_> = (0..1000).map(|_| pool.alloc(0)).collect();
        let mut rng = fastrand::Rng::with_seed(3);
        handles.retain(|_| rng.u8(0..3) > 0);
        let mut hold = pool.hold_mut();
        for n in hold.iter_mut() {
            *n += 1;
        }
        for n in &mut hold {
            *n += 1;
        }
        assert!(handles.iter().all(|handle| hold[handle] == 2));
        assert_eq!(hold.iter().count(), handles.len());
    }
}

fn all_mutable_references_live_together<L: Lock>() {
    let (mut pool, _handles) = numbers::<L>(300);
    let mut hold = pool.hold_mut();
    let (iter, spawner) = hold.split();
    let mut objects: Vec<&mut usize> = iter.collect();
    let spawned: Vec<_> = (0..300).map(|n| spawner.alloc(n)).collect();
    for n in 0..150 {
        let (front, back) = objects.split_at_mut(299 - n);
        std::mem::swap(front[n], back[0]);
    }
    drop(spawned);
    drop(objects);
    let mut sum = 0;
    drop(hold);
    pool.for_each(|n| sum += n);
    assert_eq!(sum, 299 * 150, "they were only swapped");
}

fn dropped_objects_are_dead_but_stay_changeable<L: Lock>() {
    let ledger = Ledger::default();
    let mut pool = pool::<_, Keyed, L>();
    let handle = pool.alloc((1, ledger.make()));
    let key = PoolBox::downgrade(&handle);
    let mut hold = pool.hold_mut();
    let object = hold.get_mut(key).unwrap();
    drop(handle);
    object.0 += 1;
    object.1.check();
    assert_eq!((object.0, ledger.dropped()), (2, 0));
    assert!(hold.get_mut(key).is_none() && hold.get(key).is_none());
    assert_eq!((hold.iter().count(), hold.iter_mut().count()), (0, 0));
    drop(hold);
    ledger.assert_settled();
}

fn objects_dropped_before_their_turn_are_not_given<L: Lock>() {
    let ledger = Ledger::default();
    let mut pool = pool::<_, Keyed, L>();
    let mut handles: Vec<_> = fill(&pool, &ledger, 1000).into_iter().map(Some).collect();
    let mut hold = pool.hold_mut();
    let mut rng = fastrand::Rng::with_seed(2);
    let mut given = Vec::new();
    for object in hold.iter_mut() {
        assert!(handles[object.id].is_some(), "dropped, yet given");
        handles[rng.usize(0..1000)] = None;
        given.push(object);
    }
    given.iter().for_each(|object| object.check());
    assert_eq!(ledger.dropped(), 0);
    assert!(given.len() < 1000 && given.len() >= handles.iter().flatten().count());
    drop(hold);
    assert_eq!(ledger.dropped(), 1000 - handles.iter().flatten().count());
}

fn spawned_objects_are_given_at_most_once<L: Lock>() {
    let ledger = Ledger::default();
    for growth in [3, 64, 5000] {
        let mut pool = Keyed::builder::<_, L>().growth(growth).build();
        let mut handles = fill(&pool, &ledger, 300);
        let old = handles.len();
        let mut hold = pool.hold_mut();
        let (iter, spawner) = hold.split();
        let mut times: BTreeMap<usize, u32> = BTreeMap::new();
        let mut given = Vec::new();
        let first = ledger.made() - old;
        for object in iter {
            *times.entry(object.id).or_default() += 1;
            if handles.len() < 1500 {
                handles.push(spawner.alloc(ledger.make()));
            }
            given.push(object); // a second reference to one object would be found by an interpreter, too
        }
        given.iter().for_each(|object| object.check());
        assert!(times.values().all(|&times| times == 1));
        assert!((first..first + old).all(|id| times.contains_key(&id)));
        drop(hold);
        assert_eq!(counts(&pool), (handles.len(), 0));
    }
}

fn spawning_never_reuses_what_is_borrowed<L: Lock>() {
    let ledger = Ledger::default();
    let mut pool = Keyed::builder::<_, L>().growth(64).build();
    let mut handles = fill(&pool, &ledger, 64);
    let mut hold = pool.hold_mut();
    let (iter, spawner) = hold.split();
    let given: Vec<_> = iter.collect();
    handles.clear();
    for _ in 0..200 {
        drop(spawner.alloc(ledger.make()));
    }
    let kept = spawner.alloc(ledger.make());
    assert!(given.iter().enumerate().all(|(id, object)| object.id == id));
    given.iter().for_each(|object| object.check());
    assert_eq!(ledger.dropped(), 0);
    drop(hold);
    assert_eq!((ledger.dropped(), counts(&pool)), (264, (1, 0)));
    drop(kept);
}

fn a_spawner_adopts<L: Lock>() {
    let ledger = Ledger::default();
    let mut pool = pool::<_, Keyed, L>();
    let owned = pool.alloc(ledger.make());
    let mut hold = pool.hold_mut();
    let (iter, spawner) = hold.split();
    let mut keys = vec![spawner.adopt(owned)];
    for object in iter {
        object.check();
        if keys.len() < 50 {
            keys.push(spawner.adopt(spawner.alloc(ledger.make())));
        }
    }
    keys.push(spawner.adopt(spawner.try_alloc(ledger.make()).unwrap()));
    for (id, key) in keys.iter().enumerate() {
        assert_eq!(hold.get_mut(*key).unwrap().id, id);
    }
    drop(hold);
    assert_eq!((ledger.dropped(), counts(&pool)), (0, (keys.len(), 0)));
    assert_eq!(pool.remove(keys[0]).map(|object| object.id), Some(0));
    pool.clear();
    ledger.assert_settled();
}

fn a_spawner_stops_at_the_limit<L: Lock>() {
    let mut pool = Keyed::builder::<_, L>().limit(4).build();
    let mut handles: Vec<_> = (0..4).map(|n| pool.alloc(n)).collect();
    let mut hold = pool.hold_mut();
    handles.truncate(1);
    let (iter, spawner) = hold.split();
    let rejected = spawner.try_alloc(99).unwrap_err();
    let message = rejected.to_string();
    assert!(message.contains("3 of them wait"), "{message}");
    assert_eq!(rejected.into_inner(), 99);
    assert_eq!(panic_message(|| spawner.alloc(1)), message);
    assert_eq!(iter.count(), 1);
    drop(hold);
    handles.extend((0..3).map(|n| pool.alloc(n)));
}

fn a_spawner_refuses_foreign_handles<L: Lock>() {
    let ledger = Ledger::default();
    let (mut pool, other) = (pool::<_, Keyed, L>(), pool::<_, Keyed, L>());
    let foreign = other.alloc(ledger.make());
    let mut hold = pool.hold_mut();
    let (_, spawner) = hold.split();
    let message = panic_message(|| spawner.adopt(foreign));
    assert_eq!(message, "the handle is another pool's");
    ledger.assert_settled();
    drop(hold);
    assert_eq!((counts(&pool), counts(&other)), ((0, 0), (0, 0)));
}

fn dead_keys_and_foreign_handles_panic_with_a_reason<L: Lock>() {
    let (mut pool, mut handles) = numbers::<L>(2);
    let (other, foreign) = numbers::<L>(2);
    let dead = PoolBox::downgrade(&handles.pop().unwrap());
    let foreign_key = PoolBox::downgrade(&foreign[0]);
    for key in [dead, foreign_key] {
        let no_answer = "no live object of the held pool answers to this key";
        assert_eq!(panic_message(|| pool.hold()[key]), no_answer);
        assert_eq!(panic_message(|| pool.hold_mut()[key]), no_answer);
        assert_eq!(panic_message(|| pool.hold_mut()[key] += 1), no_answer);
    }
    let not_ours = "the handle is another pool's";
    assert_eq!(panic_message(|| pool.hold()[&foreign[1]]), not_ours);
    assert_eq!(panic_message(|| pool.hold_mut()[&foreign[1]]), not_ours);
    assert_eq!(
        panic_message(|| pool.hold_mut()[&foreign[1]] += 1),
        not_ours
    );
    // The panics have ended their holds.
    handles.clear();
    assert_eq!((counts(&pool), *other.at(&foreign[1])), ((0, 0), 1));
    let shared = mem_pool::FixedPool::new();
    let handle = mem_pool::FixedPool::new().alloc(1);
    assert_eq!(panic_message(|| shared.hold()[&handle]), not_ours);
}

fn nothing_is_destroyed_before_the_mutable_hold_ends<L: Lock>() {
    let ledger = Ledger::default();
    let mut pool = Keyed::builder::<_, L>().growth(100).build();
    let handles = fill(&pool, &ledger, 500);
    let mut hold = pool.hold_mut();
    let objects: Vec<_> = hold.iter_mut().collect();
    drop(handles);
    objects.iter().for_each(|object| object.check());
    assert_eq!(ledger.dropped(), 0);
    drop(hold);
    ledger.assert_settled();
    assert_eq!(counts(&pool), (0, 0));
}

fn a_mutable_hold_can_be_used_again_after_its_parts<L: Lock>() {
    let (mut pool, handles) = numbers::<L>(100);
    let mut hold = pool.hold_mut();
    let mut all = handles;
    for round in 1..4 {
        let (iter, spawner) = hold.split();
        let objects: Vec<_> = iter.collect();
        assert_eq!(objects.len(), 100 * round);
        all.extend((0..100).map(|n| spawner.alloc(n)));
        assert_eq!(hold.iter().count(), 100 * round + 100);
    }
}

fn an_unused_pool_can_be_held_mutably<L: Lock>() {
    let mut pool = pool::<usize, Keyed, L>();
    let mut hold = pool.hold_mut();
    assert_eq!((hold.iter().count(), hold.iter_mut().count()), (0, 0));
    let handle = hold.split().1.alloc(1);
    hold[&handle] += 1;
    drop(hold);
    assert_eq!(pool.take(handle).unwrap(), 2);
}

fn a_destructor_panics_at_the_end_of_a_mutable_hold<L: Lock>() {
    let mut pool = pool::<OnDrop, Keyed, L>();
    let bomb = pool.alloc(OnDrop::new(|| panic!("the only one")));
    let others: Vec<_> = (0..100).map(|_| pool.alloc(OnDrop::nothing())).collect();
    let hold = pool.hold_mut();
    drop((bomb, others));
    assert_eq!(panic_message(|| drop(hold)), "the only one");
    assert_eq!(counts(&pool), (0, 0));
    drop(pool.hold_mut());
}

struct Person {
    friend: Option<WeakKey<Person>>,
    visits: u32,
}

fn references_through_keys_form_a_graph<L: Lock>() {
    let mut pool = pool::<Person, Keyed, L>();
    let person = |friend| Person { friend, visits: 0 };
    let mut handles: Vec<_> = (0..100).map(|_| pool.alloc(person(None))).collect();
    let keys: Vec<_> = handles.iter().map(PoolBox::downgrade).collect();
    let mut hold = pool.hold_mut();
    for (n, key) in keys.iter().enumerate() {
        hold[*key].friend = Some(keys[(n * 37 + 1) % 100]);
    }
    let mut at = keys[0];
    for _ in 0..1000 {
        hold[at].visits += 1;
        at = hold[at].friend.unwrap();
    }
    assert_eq!(hold.iter().map(|person| person.visits).sum::<u32>(), 1000);
    handles.remove(1);
    let lost = hold
        .iter()
        .filter(|person| hold.get(person.friend.unwrap()).is_none());
    assert_eq!(lost.count(), 1, "who named the one that is gone");
}
