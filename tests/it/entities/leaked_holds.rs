//! A hold that is forgotten only puts destructions off: the next exclusive use of the pool, or its drop, carries them out.

use std::mem;
use std::ops::ControlFlow;

use mem_pool::generic::FixedPool;
use mem_pool::{Keyed, Lock, PoolBox};

use super::{Bomb, counts, fill, in_both_locks};
use crate::support::{Ledger, Mode, Tracked, Walked, in_walked_modes, panic_message, pool};

in_walked_modes!(
    the_pools_drop_carries_out,
    the_pools_drop_carries_out_even_if_one_panics,
    handles_that_outlive_the_pool_are_not_held_any_more,
    other_holds_do_not_end_a_forgotten_one,
    many_forgotten_holds_are_one,
);
in_both_locks!(
    the_next_exclusive_use_carries_out,
    reaching_an_object_exclusively_carries_out_too,
    forgotten_mutable_holds_put_off_too,
    an_unfinished_iterator_is_nothing,
    an_ended_hold_after_an_exclusive_use_counts_right,
    a_panic_in_what_was_put_off_reaches_the_user,
    nothing_that_lives_is_lost_with_a_forgotten_hold,
);

fn the_pools_drop_carries_out<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let handles = fill(&pool, &ledger, 300);
    mem::forget(pool.hold());
    drop(handles);
    assert_eq!((ledger.dropped(), counts(&pool)), (0, (0, 300)));
    assert_eq!(pool.shrink_to_fit(), 0);
    drop(pool);
    ledger.assert_settled();
}

fn the_pools_drop_carries_out_even_if_one_panics<A: Walked, L: Lock>() {
    for armed in [0, 128, 299] {
        let ledger = Ledger::default();
        let pool = pool::<_, A, L>();
        let bombs: Vec<_> = (0..300)
            .map(|n| pool.alloc(Bomb::new(&ledger, n == armed)))
            .collect();
        mem::forget(pool.hold());
        drop(bombs);
        assert_eq!(panic_message(|| drop(pool)), format!("bomb {armed}"));
        ledger.assert_settled();
    }
}

fn handles_that_outlive_the_pool_are_not_held_any_more<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let mut handles = fill(&pool, &ledger, 300);
    mem::forget(pool.hold());
    handles.truncate(200);
    drop(pool);
    assert_eq!(ledger.dropped(), 100);
    handles.truncate(100);
    assert_eq!(ledger.dropped(), 200);
    let object = PoolBox::try_into_inner(handles.pop().unwrap());
    object.ok().expect("no pool is left to be held").check();
    drop(handles);
    ledger.assert_settled();
}

fn other_holds_do_not_end_a_forgotten_one<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let handles = fill(&pool, &ledger, 10);
    mem::forget(pool.hold());
    let hold = pool.hold();
    drop(handles);
    drop(hold);
    drop(pool.hold());
    pool.for_each(|_| unreachable!("all are dead"));
    assert_eq!((ledger.dropped(), counts(&pool)), (0, (0, 10)));
    drop(pool);
    ledger.assert_settled();
}

fn many_forgotten_holds_are_one<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    for _ in 0..1000 {
        mem::forget(pool.hold());
    }
    drop(fill(&pool, &ledger, 10));
    assert_eq!(counts(&pool), (0, 10));
    drop(pool);
    ledger.assert_settled();
}

type World<L> = FixedPool<Tracked, Keyed, L>;

/// Something that borrows the pool uniquely.
type Exclusive<L> = fn(&mut World<L>);

fn the_next_exclusive_use_carries_out<L: Lock>() {
    let uses: [(&str, Exclusive<L>); 5] = [
        ("for_each_mut", |pool| {
            pool.for_each_mut(|object| object.check())
        }),
        ("try_for_each_mut", |pool| {
            let _ = pool.try_for_each_mut(|_| ControlFlow::Break(()));
        }),
        ("retain", |pool| {
            pool.retain(|_| unreachable!("none is adopted"))
        }),
        ("clear", World::clear),
        ("hold_mut", |pool| drop(pool.hold_mut())),
    ];
    for (name, exclusive) in uses {
        for mutable in [false, true] {
            carries_out(name, exclusive, mutable);
        }
    }
}

type WithHandle<L> = fn(&mut World<L>, PoolBox<Tracked, Keyed, L>);

/// What `hold` says of forgotten holds goes for every unique borrow, these short ones included.
fn reaching_an_object_exclusively_carries_out_too<L: Lock>() {
    let uses: [(&str, WithHandle<L>); 5] = [
        ("get_mut", |pool, handle| {
            pool.get_mut(&handle).unwrap().check()
        }),
        ("at_mut", |pool, handle| pool.at_mut(&handle).check()),
        ("get_disjoint_mut", |pool, handle| {
            assert!(pool.get_disjoint_mut([&handle]).is_some());
        }),
        ("take", |pool, handle| drop(pool.take(handle).ok())),
        ("remove", |pool, handle| {
            let key = pool.adopt(handle);
            drop(pool.remove(key));
        }),
    ];
    for (name, exclusive) in uses {
        let ledger = Ledger::default();
        let mut pool = pool::<_, Keyed, L>();
        let mut handles = fill(&pool, &ledger, 300);
        mem::forget(pool.hold());
        handles.truncate(200);
        exclusive(&mut pool, handles.pop().unwrap());
        assert_eq!(counts(&pool), (199, 0), "{name}");
        drop(handles);
        ledger.assert_settled();
    }
}

fn carries_out<L: Lock>(name: &str, exclusive: Exclusive<L>, mutable: bool) {
    let ledger = Ledger::default();
    let mut pool = pool::<_, Keyed, L>();
    let mut handles = fill(&pool, &ledger, 300);
    if mutable {
        mem::forget(pool.hold_mut());
    } else {
        mem::forget(pool.hold());
    }
    handles.truncate(200);
    assert_eq!((ledger.dropped(), counts(&pool)), (0, (200, 100)), "{name}");
    exclusive(&mut pool);
    assert_eq!((ledger.dropped(), counts(&pool)), (100, (200, 0)), "{name}");
    handles.truncate(150);
    assert_eq!(ledger.dropped(), 150, "{name}: it is not held any more");
    drop(handles);
    ledger.assert_settled();
}

fn forgotten_mutable_holds_put_off_too<L: Lock>() {
    let ledger = Ledger::default();
    let mut pool = pool::<_, Keyed, L>();
    let handles = fill(&pool, &ledger, 100);
    let key = PoolBox::downgrade(&handles[0]);
    let mut hold = pool.hold_mut();
    let object = hold.get_mut(key).unwrap();
    drop(handles);
    object.check();
    mem::forget(hold);
    assert_eq!((ledger.dropped(), counts(&pool)), (0, (0, 100)));
    assert!(pool.hold().get(key).is_none());
    drop(pool.hold_mut());
    ledger.assert_settled();
}

fn an_unfinished_iterator_is_nothing<L: Lock>() {
    let ledger = Ledger::default();
    let mut pool = pool::<_, Keyed, L>();
    let handles = fill(&pool, &ledger, 100);
    let mut hold = pool.hold_mut();
    hold.iter_mut().next().unwrap().check();
    hold.iter().next().unwrap().check();
    assert_eq!(hold.iter_mut().count(), 100);
    drop(hold);
    drop(handles);
    ledger.assert_settled();
}

fn an_ended_hold_after_an_exclusive_use_counts_right<L: Lock>() {
    let ledger = Ledger::default();
    let mut pool = pool::<_, Keyed, L>();
    for _ in 0..3 {
        mem::forget(pool.hold());
        mem::forget(pool.hold_mut());
        pool.clear();
        let handle = pool.alloc(ledger.make());
        let hold = pool.hold();
        drop(handle);
        assert_eq!(counts(&pool), (0, 1));
        drop(hold);
        assert_eq!(counts(&pool), (0, 0));
    }
    ledger.assert_settled();
}

fn a_panic_in_what_was_put_off_reaches_the_user<L: Lock>() {
    let ledger = Ledger::default();
    let mut pool = pool::<_, Keyed, L>();
    let bombs: Vec<_> = (0..100)
        .map(|n| pool.alloc(Bomb::new(&ledger, n == 50)))
        .collect();
    mem::forget(pool.hold());
    drop(bombs);
    assert_eq!(panic_message(|| pool.clear()), "bomb 50");
    ledger.assert_settled();
    pool.clear();
    assert_eq!(counts(&pool), (0, 0));
}

fn nothing_that_lives_is_lost_with_a_forgotten_hold<L: Lock>() {
    let ledger = Ledger::default();
    let mut pool = Keyed::builder::<_, L>().growth(64).build();
    let mut handles = fill(&pool, &ledger, 300);
    let keys: Vec<_> = handles.iter().map(PoolBox::downgrade).collect();
    mem::forget(pool.hold());
    handles.retain(|handle| pool.at(handle).id % 2 == 0);
    let mut seen = 0;
    pool.for_each_mut(|object| seen += usize::from(object.id % 2 == 0));
    assert_eq!((seen, ledger.dropped()), (150, 150));
    let hold = pool.hold();
    assert!(
        keys.iter()
            .enumerate()
            .all(|(id, key)| hold.get(*key).is_some() == (id % 2 == 0))
    );
}
