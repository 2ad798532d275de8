//! Shrinking, and pools that go before their handles.

use std::sync::Arc;

use mem_pool::generic::FixedPool;
use mem_pool::{Locked, Shared, Unique};

use crate::support::{
    Ledger, Thing, biased_model, join, large_biased_model, model, spawn, spawn_two,
};
use crate::walks::pool;

#[test]
pub fn shrink_and_visit_and_drop() {
    model("shrink x visit x drop", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let handle = pool.alloc(ledger.thing(0));
        let its = Arc::clone(&pool);
        let dropper = spawn(1, move || {
            drop(handle);
            its.shrink_to_fit();
        });
        pool.for_each(|thing| {
            thing.look();
            pool.shrink_to_fit();
            thing.look();
        });
        join(dropper);
        pool.shrink_to_fit();
        assert_eq!(pool.capacity(), 0);
        ledger.assert_gone([0]);
    });
}

#[test]
pub fn shrink_and_alloc() {
    model("shrink x alloc, drop", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        drop(pool.alloc(ledger.thing(0)));
        let (its, things) = (Arc::clone(&pool), ledger.clone());
        let maker = spawn(4, move || {
            let handle = its.alloc(things.thing(1));
            handle.look();
            handle
        });
        pool.shrink_to_fit();
        let handle = join(maker);
        assert_eq!((pool.shrink_to_fit(), handle.look()), (0, 1));
        drop(handle);
        ledger.assert_gone([0, 1]);
        pool.shrink_to_fit();
        assert_eq!(pool.capacity(), 0);
    });
}

/// A reserved slot keeps its chunk.
#[test]
pub fn shrink_and_reserve() {
    model("shrink x reserve, publish", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        drop(pool.alloc(ledger.thing(0)));
        let (its, things) = (Arc::clone(&pool), ledger.clone());
        let maker = spawn(4, move || its.vacant().write(things.thing(1)));
        pool.shrink_to_fit();
        pool.shrink_to_fit();
        let handle = join(maker);
        assert_eq!(handle.look(), 1);
        drop(handle);
        ledger.assert_gone([1]);
    });
}

/// Chunks that are one too many go back with their last object, whoever drops it.
#[test]
pub fn empty_chunks_go_back() {
    model("keep_empty(0): drop x drop x alloc", || {
        let ledger = Ledger::default();
        let builder = FixedPool::<Thing, Shared, Locked>::builder();
        let pool = Arc::new(builder.growth(2).limit(4).keep_empty(0).build());
        let handles = [0, 1].map(|id| pool.alloc(ledger.thing(id)));
        let droppers = spawn_two(handles, drop);
        let new = pool.alloc(ledger.thing(2));
        droppers.into_iter().for_each(join);
        new.look();
        drop(new);
        ledger.assert_gone([0, 1, 2]);
        assert_eq!(pool.capacity(), 0);
    });
}

#[test]
pub fn pool_drop_and_handle_drop() {
    model("pool drop x handle drop", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let handles = [0, 1].map(|id| pool.alloc(ledger.thing(id)));
        let droppers = spawn_two(handles, drop);
        drop(pool);
        droppers.into_iter().for_each(join);
        ledger.assert_gone([0, 1]);
    });
}

/// As above, behind the biased lock: its memory is freed by whoever comes last.
#[test]
pub fn pool_drop_and_handle_drop_behind_a_biased_lock() {
    large_biased_model("pool drop x handle drop, biased lock", || {
        let (ledger, pool) = (Ledger::default(), pool::<mem_pool::model::Biased>());
        let handles = [0, 1].map(|id| pool.alloc(ledger.thing(id)));
        let droppers = spawn_two(handles, drop);
        drop(pool);
        droppers.into_iter().for_each(join);
        ledger.assert_gone([0, 1]);
    });
}

/// The lock's owner drops, at once where it can, while the pool ends.
#[test]
pub fn pool_drop_and_handle_drop_by_the_owner_of_a_biased_lock() {
    biased_model("pool drop x handle drop by the owner, biased lock", || {
        let (ledger, pool) = (Ledger::default(), pool::<mem_pool::model::Biased>());
        let handles = [0, 1].map(|id| pool.alloc(ledger.thing(id)));
        let ender = spawn(1, move || drop(pool));
        drop(handles);
        join(ender);
        ledger.assert_gone([0, 1]);
    });
}

/// A unique pool's drops do not hide their slots first.
#[test]
pub fn unique_pool_drop_and_handle_drop() {
    model("unique pool drop x handle drop, into_inner", || {
        let ledger = Ledger::default();
        let builder = FixedPool::<Thing, Shared, Locked>::builder();
        let pool: FixedPool<Thing, Unique, Locked> = builder.unique().growth(4).limit(4).build();
        let handles = [0, 1].map(|id| pool.alloc(ledger.thing(id)));
        let [mut first, second] = handles;
        let dropper = spawn(1, move || drop(second));
        let mover = spawn(3, move || {
            first.touch();
            mem_pool::PoolBox::into_inner(first).look()
        });
        drop(pool);
        join(dropper);
        assert_eq!(join(mover), 0);
        ledger.assert_gone([0, 1]);
    });
}

/// Two threads give back what they have, into the inbox or past it; nothing is left in there.
#[test]
pub fn unique_pool_drop_and_posts() {
    model("unique pool drop x post x post, post", || {
        let ledger = Ledger::default();
        let builder = FixedPool::<Thing, Shared, Locked>::builder();
        let pool: FixedPool<Thing, Unique, Locked> = builder.unique().growth(4).build();
        let [first, second, third] = [0, 1, 2].map(|id| pool.alloc(ledger.thing(id)));
        let one = spawn(1, move || drop(first));
        let other = spawn(3, move || {
            drop(second);
            drop(third);
        });
        drop(pool);
        join(one);
        join(other);
        ledger.assert_gone([0, 1, 2]);
    });
}

/// Memory goes back that another thread has just given up.
#[test]
pub fn shrink_and_post() {
    model("unique: shrink x post, post", || {
        let ledger = Ledger::default();
        let builder = FixedPool::<Thing, Shared, Locked>::builder();
        let pool: FixedPool<Thing, Unique, Locked> = builder.unique().growth(4).build();
        let handles = [0, 1].map(|id| pool.alloc(ledger.thing(id)));
        let dropper = spawn(1, move || drop(handles));
        pool.shrink_to_fit();
        join(dropper);
        pool.shrink_to_fit();
        assert_eq!((pool.stats().reserved_bytes, pool.len()), (0, 0));
        ledger.assert_gone([0, 1]);
    });
}

/// What is cloned goes into the handle's shard, though the pool may be gone by then.
#[test]
pub fn pool_drop_and_reuse_by_an_orphan() {
    model("pool drop x orphan's clone", || {
        let builder = FixedPool::<usize, Shared, Locked>::builder();
        let pool: FixedPool<usize, Unique, Locked> = builder.unique().growth(2).limit(2).build();
        let handle = pool.alloc(7);
        let cloner = spawn(1, move || {
            let clone = handle.clone();
            drop(handle);
            *clone
        });
        drop(pool);
        assert_eq!(join(cloner), 7);
    });
}

/// Adopted objects go with the pool, while a handle is dropped elsewhere.
#[test]
pub fn adopted_objects_go_with_the_pool() {
    model("drop of a pool with adopted objects x drop", || {
        let ledger = Ledger::default();
        let builder = FixedPool::<Thing, Shared, Locked>::builder();
        let pool = builder.keyed().growth(4).limit(4).build();
        pool.adopt(pool.alloc(ledger.thing(0)));
        let handle = pool.alloc(ledger.thing(1));
        let dropper = spawn(1, move || drop(handle));
        drop(pool);
        join(dropper);
        ledger.assert_gone([0, 1]);
    });
}

/// What became wholly free while the pool was held goes back when the last hold ends.
#[test]
pub fn empty_chunks_go_back_after_a_hold() {
    model("keep_empty(0): hold x drop x hold", || {
        let ledger = Ledger::default();
        let builder = FixedPool::<Thing, Shared, Locked>::builder();
        let pool = Arc::new(builder.growth(1).limit(2).keep_empty(0).build());
        let handle = pool.alloc(ledger.thing(0));
        let its = Arc::clone(&pool);
        let holder = spawn(1, move || assert!(its.hold().iter().count() <= 1));
        let dropper = spawn(3, move || drop(handle));
        let hold = pool.hold();
        let seen: Vec<_> = hold.iter().collect();
        assert!(seen.iter().all(|thing| thing.look() == 0));
        drop(hold);
        join(holder);
        join(dropper);
        ledger.assert_gone([0]);
        assert_eq!((pool.capacity(), pool.stats().deferred), (0, 0));
    });
}
