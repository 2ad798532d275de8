//! Objects that are the pool's own from the start: `spawn`, on pools and beside an update.

use mem_pool::generic::FixedPool;
use mem_pool::{Keyed, Lock};

use super::{counts, in_both_locks};
use crate::support::{Ledger, Mode, Tracked, panic_message, pool};

in_both_locks!(
    a_spawned_object_is_the_pools_own,
    a_full_pool_refuses_to_spawn,
    spawned_objects_end_with_their_pool,
    spawning_inside_walks_and_holds,
    spawning_beside_an_update,
);

type World<L> = FixedPool<Tracked, Keyed, L>;

fn a_spawned_object_is_the_pools_own<L: Lock>() {
    let ledger = Ledger::default();
    let mut pool: World<L> = pool();
    let keys: Vec<_> = (0..100).map(|_| pool.spawn(ledger.make())).collect();
    assert!((0..).zip(&keys).all(|(id, key)| pool.hold()[*key].id == id));
    let mut asked = 0;
    pool.retain(|object| {
        asked += 1;
        object.id % 2 == 0
    });
    assert_eq!((asked, counts(&pool), ledger.dropped()), (100, (50, 0), 50));
    assert_eq!(pool.remove(keys[4]).unwrap().id, 4);
    assert!(pool.remove(keys[5]).is_none());
    pool.clear();
    ledger.assert_settled();
}

fn a_full_pool_refuses_to_spawn<L: Lock>() {
    let ledger = Ledger::default();
    let mut pool: World<L> = Keyed::builder().limit(3).build();
    let keys = [(); 3].map(|()| pool.spawn(ledger.make()));
    let message = panic_message(|| pool.spawn(ledger.make()));
    assert!(message.contains("limit of 3 slots is reached"), "{message}");
    assert_eq!((counts(&pool), ledger.drops_of(3)), ((3, 0), 1));
    drop(pool.remove(keys[0]));
    pool.spawn(ledger.make());
    drop(pool);
    ledger.assert_settled();
}

fn spawned_objects_end_with_their_pool<L: Lock>() {
    let ledger = Ledger::default();
    let pool: World<L> = pool();
    let owned = pool.alloc(ledger.make());
    (0..300).for_each(|_| _ = pool.spawn(ledger.make()));
    drop(pool);
    assert_eq!((ledger.drops_of(0), ledger.dropped()), (0, 300));
    drop(owned);
    ledger.assert_settled();
}

fn spawning_inside_walks_and_holds<L: Lock>() {
    let ledger = Ledger::default();
    let mut pool: World<L> = Keyed::builder().growth(10).build();
    (0..50).for_each(|_| _ = pool.spawn(ledger.make()));
    pool.for_each(|object| {
        object.check();
        if ledger.made() < 100 {
            pool.spawn(ledger.make());
        }
    });
    let hold = pool.hold();
    let key = pool.spawn(ledger.make());
    assert_eq!(hold[key].id, ledger.made() - 1);
    drop(hold);
    assert_eq!((pool.len(), ledger.dropped()), (ledger.made(), 0));
    pool.clear();
    ledger.assert_settled();
}

fn spawning_beside_an_update<L: Lock>() {
    let ledger = Ledger::default();
    let mut pool: World<L> = Keyed::builder().limit(120).build();
    (0..50).for_each(|_| _ = pool.spawn(ledger.make()));
    let mut hold = pool.hold_mut();
    let (objects, spawner) = hold.split();
    let mut keys = Vec::new();
    for object in objects {
        object.check();
        if keys.len() < 70 {
            keys.push(spawner.spawn(ledger.make()));
        }
    }
    while keys.len() < 70 {
        keys.push(spawner.spawn(ledger.make()));
    }
    let message = panic_message(|| spawner.spawn(ledger.make()));
    assert!(message.contains("limit of 120 slots"), "{message}");
    assert!((50..).zip(&keys).all(|(id, key)| hold[*key].id == id));
    drop(hold);
    assert!(keys.iter().all(|key| pool.remove(*key).is_some()));
    assert_eq!(pool.len(), 50);
}
