//! What a hold keeps, for how long, and what it looks like to everyone meanwhile.

use std::cell::{Cell, RefCell};

use mem_pool::{Lock, PoolBox};

use super::{counts, fill, held_ids};
use crate::support::{Ledger, Tracked, Walked, in_walked_modes, pool, walked};

in_walked_modes!(
    dropped_objects_are_dead_to_all_but_references,
    several_holds_end_in_any_order,
    a_later_hold_keeps_what_was_dropped_before_it,
    a_hold_inside_a_walk_ends_before_the_group_is_left,
    a_hold_inside_a_walk_outlasts_it,
    a_walk_inside_a_hold_destroys_nothing,
    a_hold_that_ends_inside_a_walk_leaves_the_rest_to_the_walk,
    walks_and_holds_in_layers,
    objects_are_not_moved_out_of_a_held_pool,
    objects_made_under_a_hold_are_found,
    an_unused_pool_can_be_held,
    a_hold_may_outlive_all_handles,
    a_hold_keeps_its_own_pool_only,
    objects_without_destructors_are_kept_too,
    a_reserved_slot_is_not_seen_by_a_hold,
    what_was_dropped_before_the_hold_is_gone,
    slots_are_not_reused_under_a_hold,
);

fn dropped_objects_are_dead_to_all_but_references<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let mut handles = fill(&pool, &ledger, 10);
    let key = PoolBox::downgrade(&handles[3]);
    let hold = pool.hold();
    let by_key = hold.get(key).unwrap();
    let by_handle = &hold[&handles[3]];
    let in_turn = hold.iter().nth(3).unwrap();
    assert!(std::ptr::eq(by_key, by_handle) && by_key.id == 3 && in_turn.id == 3);
    drop(handles.remove(3));
    assert_eq!(counts(&pool), (9, 1));
    assert!(hold.get(key).is_none());
    assert_eq!(held_ids(&hold), [0, 1, 2, 4, 5, 6, 7, 8, 9]);
    assert_eq!(walked(&pool).len(), 9);
    by_key.check();
    in_turn.check();
    assert_eq!(ledger.drops_of(3), 0, "it is held");
    drop(hold);
    assert_eq!((counts(&pool), ledger.drops_of(3)), ((9, 0), 1));
    assert!(pool.hold().get(key).is_none());
}

fn several_holds_end_in_any_order<A: Walked, L: Lock>() {
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let ledger = Ledger::default();
        let pool = pool::<_, A, L>();
        let mut handles = fill(&pool, &ledger, 200);
        let mut holds = [const { None }; 3];
        for hold in &mut holds {
            *hold = Some(pool.hold());
            handles.truncate(handles.len() - 30);
        }
        for (ended, index) in (0..).zip(order) {
            assert_eq!(
                (ledger.dropped(), pool.stats().deferred),
                (0, 90 + 5 * ended)
            );
            holds[index] = None;
            if ended < 2 {
                handles.truncate(handles.len() - 5);
            }
        }
        assert_eq!((ledger.dropped(), counts(&pool)), (100, (100, 0)));
    }
}

fn a_later_hold_keeps_what_was_dropped_before_it<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let mut handles = fill(&pool, &ledger, 3);
    let mut hold = pool.hold();
    for _ in 0..5 {
        handles.pop();
        let next = pool.hold();
        hold = next; // the former one ends while the pool is held
        assert_eq!(ledger.dropped(), 0);
    }
    drop(hold);
    ledger.assert_settled();
}

fn a_hold_inside_a_walk_ends_before_the_group_is_left<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let handles = fill(&pool, &ledger, 10);
    let handles = Cell::new(Some(handles));
    let mut visits = 0;
    pool.for_each(|object| {
        let hold = pool.hold();
        drop(handles.take());
        assert_eq!(held_ids(&hold), []);
        drop(hold);
        object.check();
        assert_eq!(ledger.dropped(), 0, "the walk is still inside the group");
        visits += 1;
    });
    assert_eq!((visits, counts(&pool)), (1, (0, 0)));
    ledger.assert_settled();
}

fn a_hold_inside_a_walk_outlasts_it<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let handles = RefCell::new(fill(&pool, &ledger, 300));
    let mut hold = None;
    pool.for_each(|_| {
        hold.get_or_insert_with(|| pool.hold());
        handles.borrow_mut().pop();
    });
    let gone = ledger.made() - handles.borrow().len();
    assert_eq!((ledger.dropped(), pool.stats().deferred), (0, gone));
    hold = None;
    assert!(hold.is_none());
    assert_eq!((ledger.dropped(), pool.stats().deferred), (gone, 0));
}

fn a_walk_inside_a_hold_destroys_nothing<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let mut handles: Vec<_> = fill(&pool, &ledger, 300).into_iter().map(Some).collect();
    let hold = pool.hold();
    let objects: Vec<&Tracked> = hold.iter().collect();
    let mut visits = 0;
    pool.for_each(|object| {
        handles[object.id] = None;
        visits += 1;
    });
    assert_eq!(
        (visits, ledger.dropped(), counts(&pool)),
        (300, 0, (0, 300))
    );
    objects.iter().for_each(|object| object.check());
    drop(hold);
    ledger.assert_settled();
}

fn a_hold_that_ends_inside_a_walk_leaves_the_rest_to_the_walk<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = A::builder::<_, L>().growth(200).build();
    let mut handles = fill(&pool, &ledger, 200); // several groups
    let hold = Cell::new(Some(pool.hold()));
    let mut visits = 0;
    pool.for_each(|object| {
        if visits == 0 {
            handles.clear();
            drop(hold.take());
            assert_eq!(ledger.drops_of(object.id), 0, "its group is pinned");
            assert_eq!(ledger.drops_of(199), 1, "nobody looks at the other groups");
            object.check();
        }
        visits += 1;
    });
    assert_eq!((visits, counts(&pool)), (1, (0, 0)));
    ledger.assert_settled();
}

fn walks_and_holds_in_layers<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let handles = Cell::new(Some(fill(&pool, &ledger, 5)));
    let mut innermost = 0;
    let outer = pool.hold();
    pool.for_each(|first| {
        let middle = pool.hold();
        pool.for_each(|second| {
            let inner = pool.hold();
            pool.for_each(|third| {
                innermost += 1;
                drop(handles.take());
                [first, second, third].into_iter().for_each(Tracked::check);
            });
            drop(inner);
            second.check();
        });
        drop(middle);
        first.check();
    });
    assert_eq!((innermost, ledger.dropped(), counts(&pool)), (1, 0, (0, 5)));
    drop(outer);
    ledger.assert_settled();
}

fn objects_are_not_moved_out_of_a_held_pool<A: Walked, L: Lock>() {
    let pool = pool::<_, A, L>();
    let mut handle = pool.alloc(String::from("kept"));
    let key = PoolBox::downgrade(&handle);
    for holds in 1..4 {
        let holds: Vec<_> = (0..holds).map(|_| pool.hold()).collect();
        let text = holds[0].get(key).unwrap();
        handle = PoolBox::try_into_inner(handle).unwrap_err();
        assert_eq!((text.as_str(), pool.len()), ("kept", 1));
        assert_eq!(holds[0].get(key), Some(text), "it is as alive as before");
    }
    assert_eq!(
        PoolBox::try_into_inner(handle).ok().as_deref(),
        Some("kept")
    );
    assert_eq!(counts(&pool), (0, 0));
    assert!(pool.hold().get(key).is_none());
}

fn objects_made_under_a_hold_are_found<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let hold = pool.hold();
    let mut handles = fill(&pool, &ledger, 100);
    assert_eq!(held_ids(&hold), (0..100).collect::<Vec<_>>());
    handles.push(pool.alloc_with(|| ledger.make()));
    handles.push(pool.vacant().write(ledger.make()));
    for (id, handle) in handles.iter().enumerate() {
        assert_eq!(hold.get(handle).unwrap().id, id);
        assert_eq!(hold[PoolBox::downgrade(handle)].id, id);
        assert_eq!(hold[handle].id, id);
    }
    drop(handles); // made and dropped under the same hold
    assert_eq!((ledger.dropped(), counts(&pool)), (0, (0, 102)));
    drop(hold);
    ledger.assert_settled();
}

fn an_unused_pool_can_be_held<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let (unused, other) = (pool::<_, A, L>(), pool::<_, A, L>());
    let foreign = other.alloc(ledger.make());
    let hold = unused.hold();
    assert_eq!(held_ids(&hold), []);
    assert!(hold.get(&foreign).is_none());
    assert!(hold.get(PoolBox::downgrade(&foreign)).is_none());
    assert_eq!((unused.capacity(), unused.shrink_to_fit()), (0, 0));
    let handle = unused.alloc(ledger.make());
    assert_eq!(held_ids(&hold), [1]);
    drop(handle);
    drop(hold);
    assert_eq!(ledger.drops_of(1), 1);
    drop(unused.hold()); // used, and empty
    assert_eq!(counts(&unused), (0, 0));
}

fn a_hold_may_outlive_all_handles<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let handles = fill(&pool, &ledger, 500);
    let hold = pool.hold();
    let objects: Vec<_> = hold.iter().collect();
    drop(handles);
    for object in &objects {
        object.check();
    }
    assert_eq!(
        (objects.len(), ledger.dropped(), counts(&pool)),
        (500, 0, (0, 500))
    );
    drop(hold);
    ledger.assert_settled();
    drop(pool);
    ledger.assert_settled();
}

fn a_hold_keeps_its_own_pool_only<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let (held, other) = (pool::<_, A, L>(), pool::<_, A, L>());
    let handles = (held.alloc(ledger.make()), other.alloc(ledger.make()));
    let hold = held.hold();
    assert!(PoolBox::try_into_inner(handles.1).is_ok());
    assert_eq!(ledger.drops_of(1), 1);
    drop(other.alloc(ledger.make()));
    drop(handles.0);
    assert_eq!((ledger.drops_of(2), ledger.drops_of(0)), (1, 0));
    drop(hold);
    ledger.assert_settled();
}

fn objects_without_destructors_are_kept_too<A: Walked, L: Lock>() {
    let pool = A::builder::<[u32; 4], L>().limit(64).build();
    let mut handles: Vec<_> = (0..64).map(|n| pool.alloc([n; 4])).collect();
    let hold = pool.hold();
    let objects: Vec<_> = hold.iter().collect();
    handles.truncate(32);
    assert!(pool.try_alloc([99; 4]).is_err(), "no slot may be reused");
    assert!((0..).zip(objects).all(|(n, object)| *object == [n; 4]));
    assert_eq!(counts(&pool), (32, 32));
    drop(hold);
    assert_eq!(counts(&pool), (32, 0));
    handles.extend((0..32).map(|n| pool.alloc([n; 4])));
}

fn a_reserved_slot_is_not_seen_by_a_hold<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let handles = fill(&pool, &ledger, 3);
    let hold = pool.hold();
    let vacant = pool.vacant();
    assert_eq!(held_ids(&hold), [0, 1, 2]);
    drop(vacant); // a slot without an object need not wait
    assert_eq!(counts(&pool), (3, 0));
    let handle = pool.vacant().write(ledger.make());
    assert_eq!(held_ids(&hold), [0, 1, 2, 3]);
    drop((handle, handles));
    assert_eq!(held_ids(&hold), []);
}

fn what_was_dropped_before_the_hold_is_gone<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let mut handles = fill(&pool, &ledger, 130);
    let keys: Vec<_> = handles.iter().map(PoolBox::downgrade).collect();
    handles.retain(|handle| A::read(&pool, handle, |object| object.id % 2 == 0));
    let hold = pool.hold();
    for (id, key) in keys.into_iter().enumerate() {
        assert_eq!(
            hold.get(key).map(|object| object.id),
            (id % 2 == 0).then_some(id)
        );
    }
    assert_eq!(held_ids(&hold).len(), 65);
}

fn slots_are_not_reused_under_a_hold<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let hold = pool.hold();
    let mut addresses = std::collections::HashSet::new();
    for _ in 0..500 {
        let handle = pool.alloc(ledger.make());
        assert!(
            addresses.insert(PoolBox::as_ptr(&handle)),
            "a dead object is still there"
        );
    }
    assert_eq!((ledger.dropped(), counts(&pool)), (0, (0, 500)));
    drop(hold);
    ledger.assert_settled();
}
