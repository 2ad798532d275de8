//! Objects that belong to the pool: adopted, retained, removed, cleared, and those that have handles left alone.

use mem_pool::generic::FixedPool;
use mem_pool::{Keyed, Lock, PoolBox};

use super::{counts, fill, in_both_locks};
use crate::support::{Ledger, Mode, Tracked, panic_message, pool, sorted};

in_both_locks!(
    an_adopted_object_lives_on,
    a_key_made_before_adoption_is_the_same,
    a_foreign_handle_is_not_adopted,
    removing_gives_the_object_back_once,
    an_owned_object_is_not_removed,
    foreign_dead_and_taken_keys_remove_nothing,
    retain_asks_about_adopted_objects_only,
    retain_changes_what_it_keeps,
    retain_destroys_before_it_returns,
    a_slot_forgets_that_its_object_was_adopted,
    clear_leaves_owned_objects,
    the_pools_drop_leaves_owned_objects,
    adopting_inside_walks_and_holds,
    adopted_objects_fill_the_pool,
    an_adopted_object_may_own_others,
    adopted_objects_are_walked_and_held,
    memory_of_cleared_objects_goes_back,
    an_unused_pool_has_nothing_to_give,
);

type World<L> = FixedPool<Tracked, Keyed, L>;

fn world<L: Lock>() -> (Ledger, World<L>) {
    (Ledger::default(), pool())
}

fn ids<L: Lock>(pool: &World<L>) -> Vec<usize> {
    let mut ids = Vec::new();
    pool.for_each(|object| ids.push(object.id));
    sorted(ids)
}

fn an_adopted_object_lives_on<L: Lock>() {
    let (ledger, mut pool) = world::<L>();
    let keys: Vec<_> = (0..200)
        .map(|_| pool.adopt(pool.alloc(ledger.make())))
        .collect();
    assert_eq!((counts(&pool), ledger.dropped()), ((200, 0), 0));
    for (id, key) in keys.iter().enumerate() {
        assert_eq!(pool.hold()[*key].id, id);
        assert_eq!(pool.hold_mut().get_mut(*key).unwrap().id, id);
    }
    pool.shrink_to_fit();
    assert_eq!(ids(&pool), (0..200).collect::<Vec<_>>());
    drop(pool);
    ledger.assert_settled();
}

fn a_key_made_before_adoption_is_the_same<L: Lock>() {
    let (ledger, pool) = world::<L>();
    let handles = fill(&pool, &ledger, 100);
    let before: Vec<_> = handles.iter().map(PoolBox::downgrade).collect();
    let addresses: Vec<_> = handles.iter().map(PoolBox::as_ptr).collect();
    let after: Vec<_> = handles
        .into_iter()
        .map(|handle| pool.adopt(handle))
        .collect();
    assert_eq!(before, after);
    let hold = pool.hold();
    assert!(
        after
            .iter()
            .zip(addresses)
            .all(|(key, address)| std::ptr::eq(&raw const hold[*key], address))
    );
}

fn a_foreign_handle_is_not_adopted<L: Lock>() {
    let (ledger, mut pool) = world::<L>();
    let others: World<L> = Mode::builder().limit(1).build();
    let foreign = others.alloc(ledger.make());
    let key = PoolBox::downgrade(&foreign);
    assert_eq!(
        panic_message(|| pool.adopt(foreign)),
        "the handle is another pool's"
    );
    // The handle was given away, so it is dropped as the panic unwinds; neither pool has lost anything.
    ledger.assert_settled();
    assert_eq!((counts(&pool), counts(&others)), ((0, 0), (0, 0)));
    assert!(pool.remove(key).is_none() && others.hold().get(key).is_none());
    drop(others.alloc(ledger.make()));
    let orphan = {
        let gone: World<L> = Mode::builder().build();
        gone.alloc(ledger.make())
    };
    panic_message(|| pool.adopt(orphan));
    ledger.assert_settled();
}

fn removing_gives_the_object_back_once<L: Lock>() {
    let (ledger, mut pool) = world::<L>();
    let keys: Vec<_> = (0..100)
        .map(|_| pool.adopt(pool.alloc(ledger.make())))
        .collect();
    for (id, key) in keys.iter().enumerate().step_by(2) {
        let object = pool.remove(*key).unwrap();
        object.check();
        assert_eq!((object.id, ledger.drops_of(id)), (id, 0));
        assert!(pool.remove(*key).is_none() && pool.hold().get(*key).is_none());
        drop(object);
        assert_eq!(ledger.drops_of(id), 1);
    }
    assert_eq!((ids(&pool).len(), ledger.dropped()), (50, 50));
    let again = pool.alloc(ledger.make()); // in a slot of a removed one
    assert!(
        keys.iter()
            .step_by(2)
            .all(|key| pool.hold().get(*key).is_none())
    );
    drop((again, pool));
    ledger.assert_settled();
}

fn an_owned_object_is_not_removed<L: Lock>() {
    let (ledger, mut pool) = world::<L>();
    let mut handles = fill(&pool, &ledger, 100);
    let keys: Vec<_> = handles.iter().map(PoolBox::downgrade).collect();
    for (id, key) in keys.iter().enumerate() {
        assert!(pool.remove(*key).is_none());
        assert_eq!((pool.at(&handles[id]).id, pool.hold()[*key].id), (id, id));
    }
    assert_eq!((counts(&pool), ledger.dropped()), ((100, 0), 0));
    let key = pool.adopt(handles.pop().unwrap());
    assert_eq!(pool.remove(key).unwrap().id, 99);
    drop(handles);
    ledger.assert_settled();
}

fn foreign_dead_and_taken_keys_remove_nothing<L: Lock>() {
    let (ledger, mut pool) = world::<L>();
    let (_, mut other) = world::<L>();
    let foreign = other.adopt(other.alloc(ledger.make()));
    assert!(pool.remove(foreign).is_none(), "the pool is unused");
    let _there = fill(&pool, &ledger, 10);
    let dropped = PoolBox::downgrade(&pool.alloc(ledger.make()));
    let handle = pool.alloc(ledger.make());
    let taken = PoolBox::downgrade(&handle);
    drop(pool.take(handle).ok());
    let cleared = pool.adopt(pool.alloc(ledger.make()));
    pool.clear();
    let retired = pool.adopt(pool.alloc(ledger.make()));
    pool.retain(|_| false);
    for _ in 0..2 {
        for key in [foreign, dropped, taken, cleared, retired] {
            assert!(pool.remove(key).is_none());
        }
        pool.adopt(pool.alloc(ledger.make())); // in one of their slots
    }
    assert_eq!((pool.len(), other.len()), (12, 1));
    assert!(other.remove(foreign).is_some());
}

fn retain_asks_about_adopted_objects_only<L: Lock>() {
    let (ledger, mut pool) = world::<L>();
    let mut handles = fill(&pool, &ledger, 300);
    let mut owned = Vec::new();
    for handle in handles.drain(..) {
        if pool.at(&handle).id % 3 == 0 {
            owned.push(handle);
        } else {
            pool.adopt(handle);
        }
    }
    let mut asked = Vec::new();
    pool.retain(|object| {
        object.check();
        asked.push(object.id);
        object.id % 2 == 0
    });
    assert_eq!(
        sorted(asked),
        (0..300).filter(|id| id % 3 > 0).collect::<Vec<_>>()
    );
    let left: Vec<_> = (0..300).filter(|id| id % 3 == 0 || id % 2 == 0).collect();
    assert_eq!((ids(&pool), ledger.dropped()), (left, 100));
    assert!(owned.iter().all(|handle| pool.get(handle).is_some()));
    pool.retain(|_| false);
    assert_eq!(counts(&pool), (100, 0));
    drop(owned);
    ledger.assert_settled();
}

fn retain_changes_what_it_keeps<L: Lock>() {
    let mut pool = pool::<u32, Keyed, L>();
    let keys: Vec<_> = (0..100).map(|n| pool.adopt(pool.alloc(n))).collect();
    let owned = pool.alloc(1000);
    pool.retain(|n| {
        *n += 1;
        *n > 50
    });
    let hold = pool.hold();
    for (key, n) in keys.iter().zip(0..) {
        assert_eq!(hold.get(*key).copied(), (n >= 50).then_some(n + 1));
    }
    assert_eq!(hold[&owned], 1000);
}

fn retain_destroys_before_it_returns<L: Lock>() {
    let (ledger, mut pool) = world::<L>();
    for _ in 0..200 {
        pool.adopt(pool.alloc(ledger.make()));
    }
    pool.retain(|object| {
        object.check(); // its neighbours may be gone, it is not
        false
    });
    ledger.assert_settled();
    assert_eq!(counts(&pool), (0, 0));
}

fn a_slot_forgets_that_its_object_was_adopted<L: Lock>() {
    let ledger = Ledger::default();
    let mut pool: World<L> = Mode::builder().limit(64).build();
    for round in 0..4 {
        let keys: Vec<_> = (0..64)
            .map(|_| pool.adopt(pool.alloc(ledger.make())))
            .collect();
        match round {
            0 => keys.iter().for_each(|key| drop(pool.remove(*key))),
            1 => pool.retain(|_| false),
            _ => pool.clear(),
        }
        let handles = fill(&pool, &ledger, 64);
        pool.retain(|_| unreachable!("none of these is adopted"));
        pool.clear();
        let dropped = ledger.dropped();
        assert_eq!((pool.len(), dropped), (64, ledger.made() - 64));
        drop(handles);
        ledger.assert_settled();
    }
}

fn clear_leaves_owned_objects<L: Lock>() {
    let (ledger, mut pool) = world::<L>();
    let owned: Vec<_> = fill(&pool, &ledger, 300)
        .into_iter()
        .filter_map(|handle| {
            if pool.at(&handle).id % 2 == 0 {
                return Some(handle);
            }
            pool.adopt(handle);
            None
        })
        .collect();
    for _ in 0..2 {
        pool.clear();
        assert_eq!((counts(&pool), ledger.dropped()), ((150, 0), 150));
    }
    assert!(owned.iter().all(|handle| pool.at(handle).id % 2 == 0));
    drop(owned);
    ledger.assert_settled();
}

fn the_pools_drop_leaves_owned_objects<L: Lock>() {
    let (ledger, pool) = world::<L>();
    let mut handles = fill(&pool, &ledger, 300);
    for handle in handles.drain(100..) {
        pool.adopt(handle);
    }
    drop(pool);
    assert_eq!(ledger.dropped(), 200);
    assert!((0..100).all(|id| ledger.drops_of(id) == 0));
    drop(handles);
    ledger.assert_settled();
}

fn adopting_inside_walks_and_holds<L: Lock>() {
    let (ledger, mut pool) = world::<L>();
    let mut handles = fill(&pool, &ledger, 100);
    let mut keys = Vec::new();
    pool.for_each(|object| {
        keys.extend(handles.pop().map(|handle| pool.adopt(handle)));
        object.check();
    });
    let hold = pool.hold();
    keys.push(pool.adopt(pool.alloc(ledger.make())));
    assert!(keys.iter().all(|key| hold.get(*key).is_some()));
    drop(hold);
    assert_eq!((counts(&pool), ledger.dropped()), ((101, 0), 0));
    assert!(keys.iter().all(|key| pool.remove(*key).is_some()));
    ledger.assert_settled();
}

fn adopted_objects_fill_the_pool<L: Lock>() {
    let ledger = Ledger::default();
    let mut pool: World<L> = Mode::builder().limit(5).build();
    for _ in 0..10 {
        for _ in 0..5 {
            pool.adopt(pool.alloc(ledger.make()));
        }
        assert!(pool.try_alloc(ledger.make()).is_err());
        pool.retain(|object| object.id % 2 == 0);
        pool.clear();
    }
    ledger.assert_settled();
}

struct Carrier<L: Lock> {
    _cargo: Vec<PoolBox<Carrier<L>, Keyed, L>>,
    _body: Tracked,
}

fn an_adopted_object_may_own_others<L: Lock>() {
    for way in 0..4 {
        let ledger = Ledger::default();
        let mut pool = pool::<_, Keyed, L>();
        let carrier = |cargo| Carrier {
            _cargo: cargo,
            _body: ledger.make(),
        };
        for _ in 0..50 {
            let cargo = (0..5).map(|_| pool.alloc(carrier(Vec::new()))).collect();
            let inner = pool.alloc(carrier(cargo));
            pool.adopt(pool.alloc(carrier(vec![inner])));
        }
        assert_eq!(pool.len(), 350);
        match way {
            0 => pool.clear(),
            1 => pool.retain(|_| false),
            2 => pool.retain(|carrier| {
                carrier._cargo.clear(); // its own and its neighbours' groups are being walked
                false
            }),
            _ => drop(std::mem::take(&mut pool)),
        }
        ledger.assert_settled();
        assert_eq!(counts(&pool), (0, 0));
    }
}

fn adopted_objects_are_walked_and_held<L: Lock>() {
    let (ledger, mut pool) = world::<L>();
    let keys: Vec<_> = (0..100)
        .map(|_| pool.adopt(pool.alloc(ledger.make())))
        .collect();
    let mut visits = 0;
    pool.for_each_mut(|object| visits += usize::from(object.id < 100));
    let mut hold = pool.hold_mut();
    visits += hold.iter_mut().count();
    assert!(hold.iter_keys().all(|(key, object)| keys[object.id] == key));
    let many: [_; 100] = keys.try_into().unwrap();
    visits += hold.get_disjoint_mut(many).unwrap().len();
    assert_eq!(visits, 300);
}

fn memory_of_cleared_objects_goes_back<L: Lock>() {
    let ledger = Ledger::default();
    for keep in [None, Some(0)] {
        let builder = Keyed::builder::<_, L>().growth(100);
        let builder = match keep {
            Some(chunks) => builder.keep_empty(chunks),
            None => builder,
        };
        let mut pool = builder.build();
        for way in 0..3 {
            let keys: Vec<_> = (0..1000)
                .map(|_| pool.adopt(pool.alloc(ledger.make())))
                .collect();
            match way {
                0 => pool.clear(),
                1 => pool.retain(|_| false),
                _ => keys.iter().for_each(|key| drop(pool.remove(*key))),
            }
            if keep.is_none() {
                assert!(pool.shrink_to_fit() > 0);
            }
            assert_eq!((pool.stats().reserved_bytes, pool.capacity()), (0, 0));
        }
    }
    ledger.assert_settled();
}

fn an_unused_pool_has_nothing_to_give<L: Lock>() {
    let (_, mut pool) = world::<L>();
    pool.clear();
    pool.retain(|_| unreachable!());
    assert_eq!((counts(&pool), pool.capacity()), ((0, 0), 0));
}
