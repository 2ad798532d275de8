//! Every object is destroyed exactly once, on whatever way it ends.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::mem::take;
use std::rc::Rc;

use mem_pool::generic::FixedPool;
use mem_pool::{Lock, PoolBox, Unique};

use crate::support::{
    Ledger, Mode, OnDrop, Walked, count, in_every_mode, in_walked_modes, leaking, panic_message,
    pool,
};

in_every_mode!(
    a_dropped_handle_destroys_its_object_at_once,
    a_dropped_pool_destroys_nothing,
    handles_in_any_order_before_and_after_the_pool,
    objects_survive_every_way_through_the_pool,
    rejected_values_are_destroyed_by_their_owner,
    unfilled_reservations_destroy_nothing,
    random_lives_end_once,
    fields_go_before_the_slot_is_free,
    overwriting_a_handle_destroys_the_former_object,
    a_cycle_only_leaks,
);

fn a_dropped_handle_destroys_its_object_at_once<A: Mode, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let handles: Vec<_> = (0..300).map(|_| pool.alloc(ledger.make())).collect();
    for (id, handle) in handles.into_iter().enumerate() {
        assert_eq!(ledger.drops_of(id), 0);
        drop(handle);
        assert_eq!((ledger.drops_of(id), pool.stats().deferred), (1, 0));
    }
    ledger.assert_settled();
}

fn a_dropped_pool_destroys_nothing<A: Mode, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let handles: Vec<_> = (0..300).map(|_| pool.alloc(ledger.make())).collect();
    drop(pool);
    assert_eq!(ledger.dropped(), 0);
    for (n, handle) in handles.into_iter().enumerate() {
        drop(handle);
        assert_eq!(ledger.dropped(), n + 1);
    }
    ledger.assert_settled();
}

fn handles_in_any_order_before_and_after_the_pool<A: Mode, L: Lock>() {
    for seed in 0..count(20) as u64 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let ledger = Ledger::default();
        let pool = A::builder::<_, L>().growth(30).build();
        let mut handles: Vec<_> = (0..300).map(|_| pool.alloc(ledger.make())).collect();
        rng.shuffle(&mut handles);
        let rest = handles.split_off(rng.usize(0..=300));
        drop(handles);
        drop(pool);
        drop(rest);
        ledger.assert_settled();
    }
}

fn objects_survive_every_way_through_the_pool<A: Mode, L: Lock>() {
    let ledger = Ledger::default();
    let mut pool = pool::<_, A, L>();
    let handles = [
        pool.alloc(ledger.make()),
        pool.alloc_with(|| ledger.make()),
        pool.try_alloc(ledger.make()).ok().unwrap(),
        pool.try_alloc_with(|| ledger.make()).ok().unwrap(),
        pool.vacant().write(ledger.make()),
        pool.try_vacant().unwrap().write(ledger.make()),
    ];
    assert_eq!((ledger.made(), ledger.dropped(), pool.len()), (6, 0, 6));
    for (id, handle) in handles.into_iter().enumerate() {
        A::read(&pool, &handle, |object| object.check());
        let object = A::move_out(&mut pool, handle);
        assert_eq!((object.id, ledger.drops_of(id)), (id, 0));
        let again = pool.alloc(object);
        assert_eq!(ledger.drops_of(id), 0);
        drop(again);
    }
    ledger.assert_settled();
}

fn rejected_values_are_destroyed_by_their_owner<A: Mode, L: Lock>() {
    let ledger = Ledger::default();
    let pool = A::builder::<_, L>().limit(1).build();
    let only = pool.alloc(ledger.make());
    let rejected = pool.try_alloc(ledger.make()).err().unwrap();
    assert_eq!(ledger.dropped(), 0);
    rejected.into_inner().check();
    assert_eq!(ledger.drops_of(1), 1);
    drop(pool.try_alloc(ledger.make()));
    assert_eq!(ledger.drops_of(2), 1);
    panic_message(|| pool.alloc(ledger.make()));
    assert_eq!(ledger.drops_of(3), 1, "the panic destroys what was offered");
    drop(only);
    ledger.assert_settled();
}

fn unfilled_reservations_destroy_nothing<A: Mode, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    drop(pool.alloc(ledger.make()));
    for _ in 0..100 {
        drop(pool.vacant()); // in the very slot that had an object
    }
    let vacant = pool.vacant();
    drop(pool.vacant());
    drop(vacant);
    ledger.assert_settled();
}

fn random_lives_end_once<A: Mode, L: Lock>() {
    let ledger = Ledger::default();
    let mut rng = fastrand::Rng::with_seed(5);
    let mut pool = pool::<_, A, L>();
    let mut handles = VecDeque::new();
    for step in 0..count(100_000) {
        match rng.u8(0..100) {
            0..50 => handles.push_back(pool.alloc(ledger.make())),
            50..95 => drop(handles.swap_remove_back(rng.usize(0..=handles.len()))),
            95..99 => {
                if let Some(handle) = handles.pop_front() {
                    A::move_out(&mut pool, handle).check();
                }
            }
            _ => drop(pool.vacant()),
        }
        if step % (1 << 14) == 0 {
            pool.shrink_to_fit();
        }
        assert_eq!(pool.len(), handles.len());
    }
    assert_eq!(ledger.made() - ledger.dropped(), handles.len());
    drop(pool);
    drop(handles);
    ledger.assert_settled();
}

fn fields_go_before_the_slot_is_free<A: Mode, L: Lock>() {
    let pool: Rc<FixedPool<OnDrop, A, L>> = Rc::new(A::builder().limit(1).build());
    let refused = Rc::new(Cell::new(false));
    let inside = (pool.clone(), refused.clone());
    drop(pool.alloc(OnDrop::new(move || {
        // The dying object still has the only slot.
        inside.1.set(inside.0.try_alloc(OnDrop::nothing()).is_err());
    })));
    assert!(refused.get());
    assert!(pool.try_alloc(OnDrop::nothing()).is_ok());
}

fn overwriting_a_handle_destroys_the_former_object<A: Mode, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let mut handle = pool.alloc(ledger.make());
    for round in 1..10 {
        handle = pool.alloc(ledger.make());
        assert_eq!((ledger.dropped(), pool.len()), (round, 1));
    }
    drop(handle);
    ledger.assert_settled();
}

/// Where an object may keep another of its pool, or itself.
type Owned<A, L> = RefCell<Option<PoolBox<Link<A, L>, A, L>>>;

struct Link<A: Mode, L: Lock>(#[expect(dead_code, reason = "owned, not read")] Rc<Owned<A, L>>);

fn a_cycle_only_leaks<A: Mode, L: Lock>() {
    let Some(_leaking) = leaking() else { return };
    let pool = pool::<Link<A, L>, A, L>();
    let owned = Rc::new(RefCell::new(None));
    let handle = pool.alloc(Link(owned.clone()));
    owned.replace(Some(handle));
    drop(owned);
    assert_eq!(pool.len(), 1);
    drop(pool.alloc(Link(Rc::default())));
    assert_eq!(pool.len(), 1);
    drop(pool);
}

in_walked_modes!(
    objects_dropped_in_a_walk_are_destroyed_once,
    one_walk_puts_a_drop_off_by_at_most_a_group,
    objects_dropped_far_from_the_walk_are_destroyed_at_once,
    the_pool_can_be_dropped_right_after_a_walk_with_drops,
);

fn objects_dropped_in_a_walk_are_destroyed_once<A: Walked, L: Lock>() {
    for seed in 0..count(20) as u64 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let ledger = Ledger::default();
        let pool = pool::<_, A, L>();
        let mut handles: Vec<_> = (0..500).map(|_| pool.alloc(ledger.make())).collect();
        rng.shuffle(&mut handles);
        pool.for_each(|object| {
            handles.truncate(handles.len().saturating_sub(rng.usize(0..4)));
            object.check();
            assert_eq!(ledger.drops_of(object.id), 0);
        });
        assert_eq!(pool.stats().deferred, 0);
        assert_eq!(ledger.made() - ledger.dropped(), handles.len());
        drop(handles);
        ledger.assert_settled();
    }
}

fn one_walk_puts_a_drop_off_by_at_most_a_group<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let mut handles: Vec<_> = (0..count(3000))
        .map(|_| Some(pool.alloc(ledger.make())))
        .collect();
    fastrand::Rng::with_seed(1).shuffle(&mut handles);
    let mut dropped_at: Vec<(usize, usize)> = Vec::new();
    let mut visit = 0;
    pool.for_each(|object| {
        for (id, at) in &dropped_at {
            assert!(
                visit - at <= 64 || ledger.drops_of(*id) == 1,
                "put off for too long"
            );
        }
        dropped_at.retain(|(id, _)| ledger.drops_of(*id) == 0);
        // Every other visit drops the visited object or any other.
        let visited = |handle: &Option<_>| {
            handle
                .as_ref()
                .is_some_and(|h| std::ptr::eq(PoolBox::as_ptr(h), object))
        };
        let victim = match visit % 4 {
            0 => handles.iter().position(visited),
            2 => handles.iter().position(Option::is_some),
            _ => None,
        };
        if let Some(handle) = victim.and_then(|n| handles[n].take()) {
            dropped_at.push((A::read(&pool, &handle, |object| object.id), visit));
            drop(handle);
        }
        visit += 1;
    });
    drop(take(&mut handles));
    ledger.assert_settled();
}

fn objects_dropped_far_from_the_walk_are_destroyed_at_once<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let handles: Vec<_> = (0..1000).map(|_| pool.alloc(ledger.make())).collect();
    let mut handles = Some(handles);
    pool.for_each(|_| {
        handles = None;
        let pending = ledger.made() - ledger.dropped();
        assert!(
            (1..=64).contains(&pending),
            "{pending} wait, more than a group"
        );
        assert_eq!(pool.stats().deferred, pending);
    });
    ledger.assert_settled();
}

fn the_pool_can_be_dropped_right_after_a_walk_with_drops<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let mut handles: Vec<_> = (0..100).map(|_| pool.alloc(ledger.make())).collect();
    pool.for_each(|_| drop(handles.pop()));
    drop(pool);
    drop(handles);
    ledger.assert_settled();
}

#[test]
fn clones_are_destroyed_once_each() {
    let ledger = Ledger::default();
    let pool = mem_pool::FixedPool::<crate::support::Tracked>::unique();
    let mut handles = vec![pool.alloc(ledger.make())];
    let mut rng = fastrand::Rng::with_seed(9);
    let mut pool = Some(pool);
    for step in 0..count(2000) {
        let of = rng.usize(0..handles.len());
        handles.push(handles[of].clone());
        if rng.bool() {
            handles.swap_remove(rng.usize(0..handles.len()));
        }
        if step == count(1000) {
            pool = None;
        }
    }
    assert!(pool.is_none());
    drop(handles);
    ledger.assert_settled();
}

#[test]
fn into_inner_works_when_the_pool_is_gone() {
    let ledger = Ledger::default();
    let pool = mem_pool::FixedPool::<_>::unique();
    let handle: PoolBox<_, Unique> = pool.alloc(ledger.make());
    drop(pool);
    PoolBox::into_inner(handle).check();
    ledger.assert_settled();
}
