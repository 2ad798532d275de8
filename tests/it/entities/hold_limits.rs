//! Held pools and memory: a full one stays full, nothing in use goes back, and afterwards all of it may.

use mem_pool::{Lock, PoolBox, PoolError};

use super::{counts, fill, held_ids};
use crate::support::{Ledger, Walked, in_walked_modes, panic_message, pool, sorted};

in_walked_modes!(
    a_full_pool_stays_full_and_says_why,
    a_full_pool_has_all_its_slots_after_the_hold,
    one_deferred_object_is_one_slot,
    room_for_more_is_not_counted_twice,
    a_held_pool_gives_nothing_back,
    room_that_was_never_used_stays_under_a_hold,
    what_lives_is_not_given_back_after_the_hold,
    empty_chunks_go_back_with_the_last_hold,
    a_chunk_emptied_by_a_reservation_goes_back_with_the_hold,
    the_pool_grows_under_a_hold,
);

fn a_full_pool_stays_full_and_says_why<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = A::builder::<_, L>().limit(10).build();
    let mut handles = fill(&pool, &ledger, 10);
    let hold = pool.hold();
    for deferred in 0..=10 {
        let rejected = pool.try_alloc(ledger.make()).err().unwrap();
        let error = rejected.error().clone();
        assert!(
            matches!(error, PoolError::LimitReached { limit: 10, deferred: n, .. } if n == deferred),
            "{error:?}"
        );
        assert_eq!(pool.try_vacant().unwrap_err(), error);
        assert_eq!(
            pool.try_alloc_with(|| unreachable!()).err(),
            Some(error.clone())
        );
        let message = error.to_string();
        assert!(
            message.contains("limit of 10 slots is reached"),
            "{message}"
        );
        let explains = message.contains(&format!("({deferred} of them wait"));
        assert_eq!(explains, deferred > 0, "{message}");
        assert_eq!(message.contains("hold"), deferred > 0, "{message}");
        assert_eq!(panic_message(|| pool.alloc(ledger.make())), message);
        assert_eq!(
            (counts(&pool), pool.capacity()),
            ((10 - deferred, deferred), 10)
        );
        handles.pop();
    }
    drop(hold);
    assert!(pool.try_alloc(ledger.make()).is_ok());
    ledger.assert_settled();
}

fn a_full_pool_has_all_its_slots_after_the_hold<A: Walked, L: Lock>() {
    for (growth, limit) in [(1, 1), (1, 10), (64, 64), (10, 65), (1000, 300)] {
        let ledger = Ledger::default();
        let pool = A::builder::<_, L>().growth(growth).limit(limit).build();
        for _ in 0..3 {
            let handles = fill(&pool, &ledger, limit);
            let addresses: Vec<_> = handles.iter().map(PoolBox::as_ptr).collect();
            let hold = pool.hold();
            drop(handles);
            assert!(pool.try_alloc(ledger.make()).is_err());
            drop(hold);
            let handles = fill(&pool, &ledger, limit);
            let again: Vec<_> = handles.iter().map(PoolBox::as_ptr).collect();
            assert_eq!(sorted(addresses), sorted(again), "the very same slots");
            assert!(pool.try_alloc(ledger.make()).is_err());
        }
        ledger.assert_settled();
    }
}

fn one_deferred_object_is_one_slot<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = A::builder::<_, L>().limit(3).build();
    let (first, outer) = (pool.alloc(ledger.make()), pool.hold());
    drop(first);
    let (second, inner) = (pool.alloc(ledger.make()), pool.hold());
    drop(second);
    let third = pool.alloc(ledger.make());
    assert!(pool.try_alloc(ledger.make()).is_err());
    drop(outer);
    assert!(pool.try_alloc(ledger.make()).is_err());
    assert_eq!(counts(&pool), (1, 2));
    drop(inner);
    let more = fill(&pool, &ledger, 2);
    assert!(pool.try_alloc(ledger.make()).is_err());
    drop((third, more));
}

fn room_for_more_is_not_counted_twice<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = A::builder::<_, L>().limit(100).build();
    let mut handles = fill(&pool, &ledger, 60);
    let hold = pool.hold();
    handles.truncate(20);
    let error = pool.try_reserve(41).unwrap_err();
    assert!(
        matches!(
            error,
            PoolError::ReserveBeyondLimit {
                requested: 41,
                room: 40,
                limit: 100,
                ..
            }
        ),
        "{error:?}"
    );
    pool.try_reserve(40).unwrap();
    handles.extend(fill(&pool, &ledger, 40));
    assert!(pool.try_alloc(ledger.make()).is_err());
    drop(hold);
    pool.try_reserve(40).unwrap();
    assert_eq!((counts(&pool), pool.capacity()), ((60, 0), 100));
}

fn a_held_pool_gives_nothing_back<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = A::builder::<_, L>().growth(50).build();
    let handles = fill(&pool, &ledger, 500);
    let hold = pool.hold();
    let objects: Vec<_> = hold.iter().collect();
    drop(handles);
    let before = pool.stats();
    assert_eq!(pool.shrink_to_fit(), 0);
    let after = pool.stats();
    assert_eq!(
        (after.capacity, after.reserved_bytes),
        (before.capacity, before.reserved_bytes)
    );
    for object in objects {
        object.check();
    }
    drop(hold);
    ledger.assert_settled();
    assert_eq!(pool.shrink_to_fit(), before.reserved_bytes);
    assert_eq!((pool.stats().reserved_bytes, pool.capacity()), (0, 0));
}

fn room_that_was_never_used_stays_under_a_hold<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = A::builder::<_, L>().growth(64).build();
    let handle = pool.alloc(ledger.make());
    pool.reserve(5000);
    let hold = pool.hold();
    let reserved = pool.stats().reserved_bytes;
    assert_eq!(pool.shrink_to_fit(), 0);
    assert_eq!(
        (pool.stats().reserved_bytes, held_ids(&hold)),
        (reserved, vec![0])
    );
    drop(hold);
    assert!(pool.shrink_to_fit() > 0);
    assert_eq!(pool.hold()[&handle].id, 0);
}

fn what_lives_is_not_given_back_after_the_hold<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = A::builder::<_, L>().growth(64).build();
    let mut handles = fill(&pool, &ledger, 5000);
    let keys: Vec<_> = handles.iter().map(PoolBox::downgrade).collect();
    let first = pool.hold();
    handles.retain(|handle| first[handle].id % 1000 == 0);
    let second = pool.hold();
    drop(first);
    assert_eq!(pool.shrink_to_fit(), 0);
    drop(second);
    let before = pool.stats().reserved_bytes;
    let bytes = pool.shrink_to_fit();
    assert!(bytes > 0 && pool.stats().reserved_bytes == before - bytes);
    let hold = pool.hold();
    for (id, key) in keys.iter().enumerate() {
        assert_eq!(
            hold.get(*key).map(|object| object.id),
            (id % 1000 == 0).then_some(id)
        );
    }
    assert_eq!(held_ids(&hold), [0, 1000, 2000, 3000, 4000]);
}

fn empty_chunks_go_back_with_the_last_hold<A: Walked, L: Lock>() {
    for keep in 0..3 {
        // The same without a hold says how much is right.
        let mut kept = [0, 0];
        for (held, kept) in kept.iter_mut().enumerate() {
            let ledger = Ledger::default();
            let pool = A::builder::<_, L>().growth(1200).keep_empty(keep).build();
            let handles = fill(&pool, &ledger, 12_000);
            let holds = (held == 1).then(|| (pool.hold(), pool.hold()));
            let full = pool.stats().reserved_bytes;
            drop(handles);
            if let Some((first, second)) = holds {
                assert_eq!(pool.stats().reserved_bytes, full);
                drop(first);
                assert_eq!(pool.stats().reserved_bytes, full);
                drop(second);
            }
            ledger.assert_settled();
            let stats = pool.stats();
            assert!(stats.chunks <= keep, "{} of {keep}", stats.chunks);
            *kept = stats.chunks;
        }
        assert_eq!(kept[0], kept[1]);
    }
}

fn a_chunk_emptied_by_a_reservation_goes_back_with_the_hold<A: Walked, L: Lock>() {
    let pool = A::builder::<[u8; 100], L>().keep_empty(0).build();
    let hold = pool.hold();
    drop(pool.vacant());
    assert!(pool.stats().reserved_bytes > 0, "the pool is held");
    drop(hold);
    assert_eq!(pool.stats().reserved_bytes, 0);
}

fn the_pool_grows_under_a_hold<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let hold = pool.hold();
    let mut objects = Vec::new();
    let mut handles = Vec::new();
    for n in 0..3000 {
        handles.push(pool.alloc(ledger.make()));
        if n % 500 == 0 {
            objects.push(hold.get(handles.last().unwrap()).unwrap());
            handles.clear();
        }
    }
    assert!(
        objects
            .iter()
            .map(|object| object.id)
            .eq((0..3000).step_by(500))
    );
    objects.iter().for_each(|object| object.check());
    assert_eq!((ledger.dropped(), pool.len()), (0, handles.len()));
    drop(hold);
    drop(handles);
    ledger.assert_settled();
}
