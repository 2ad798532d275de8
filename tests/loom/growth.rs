//! Shards: homes, growth, and the limit across them.

use std::sync::Arc;

use mem_pool::generic::FixedPool;
use mem_pool::model::Biased;
use mem_pool::{Locked, Shared, Unique};

use crate::support::{Ledger, Plain, Thing, join, large_biased_model, model, spawn};
use crate::walks::pool;

/// Both threads are at home in one shard.
#[test]
pub fn one_shard() {
    model("alloc, drop x alloc, drop in one shard", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let (its, things) = (Arc::clone(&pool), ledger.clone());
        let thread = spawn(4, move || drop(its.alloc(things.thing(1))));
        drop(pool.alloc(ledger.thing(0)));
        join(thread);
        ledger.assert_gone([0, 1]);
        assert_eq!(pool.len(), 0);
    });
}

/// Two threads are the first to use a pool, each with a shard of its own.
#[test]
pub fn home_shards() {
    model("first use x first use, two homes", || {
        let ledger = Ledger::default();
        let pool = Arc::new(
            FixedPool::<Thing, Shared, Locked>::builder()
                .growth(1)
                .build(),
        );
        let (its, things) = (Arc::clone(&pool), ledger.clone());
        let thread = spawn(1, move || its.alloc(things.thing(1)));
        let mine = pool.alloc(ledger.thing(0));
        let other = join(thread);
        assert_eq!((mine.look(), other.look(), pool.capacity()), (0, 1, 2));
        drop((mine, other));
        ledger.assert_gone([0, 1]);
    });
}

/// As above, with one home: the loser of the race to make the shard takes the winner's.
#[test]
pub fn first_use_of_one_shard() {
    model("first use x first use, one home", || {
        let pool = Arc::new(
            FixedPool::<usize, Shared, Locked>::builder()
                .growth(1)
                .build(),
        );
        let its = Arc::clone(&pool);
        let thread = spawn(4, move || its.alloc(1));
        let mine = pool.alloc(0);
        let other = join(thread);
        assert_eq!((*mine, *other, pool.capacity()), (0, 1, 2));
    });
}

/// A slot changes hands: who takes it sees what its former owner did to it.
#[test]
pub fn alloc_and_drop() {
    model("alloc x drop", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let handles = [0, 1, 2, 3].map(|id| pool.alloc(ledger.thing(id)));
        let [first, second, third, _fourth] = handles;
        let droppers = [(1, first), (3, second)];
        let droppers = droppers.map(|(number, handle)| spawn(number, move || drop(handle)));
        let new = pool.try_alloc(ledger.thing(4)).ok();
        assert!(new.iter().all(|new| new.look() == 4));
        droppers.into_iter().for_each(join);
        ledger.assert_gone([0, 1]);
        assert_eq!(third.look(), 2);
    });
}

/// As many threads as slots, each with one object at most: whichever thread freed a slot, any thread can have it.
#[test]
pub fn free_slots_are_found() {
    model("limit 2: two threads in two shards", || {
        let builder = FixedPool::<Plain, Shared, Locked>::builder();
        let pool: Arc<FixedPool<Plain, Unique, Locked>> =
            Arc::new(builder.unique().growth(2).limit(2).build());
        drop(pool.alloc(Plain::default()));
        let once = |pool: &FixedPool<Plain, Unique, Locked>| {
            let handle = pool.try_alloc(Plain::default());
            let handle = handle.expect("a slot is free");
            handle.add_one();
            assert_eq!(handle.get(), 1);
        };
        let its = Arc::clone(&pool);
        let thread = spawn(1, move || {
            once(&its);
            once(&its);
        });
        once(&pool);
        once(&pool);
        join(thread);
    });
}

/// One slot is always free, but which one changes: the other thread makes the near one free before it takes the far one.
#[test]
pub fn free_slot_that_moves() {
    model("limit 2: a free slot moves between shards", || {
        let builder = FixedPool::<usize, Shared, Locked>::builder();
        let pool: Arc<FixedPool<usize, Unique, Locked>> =
            Arc::new(builder.unique().growth(1).limit(2).build());
        let near = pool.alloc(0);
        let its = Arc::clone(&pool);
        join(spawn(1, move || drop(its.alloc(1))));
        let its = Arc::clone(&pool);
        let mover = spawn(1, move || {
            drop(near);
            its.try_alloc(2).ok()
        });
        let taken = pool.try_alloc(3);
        assert_eq!(
            taken.as_deref().ok(),
            Some(&3),
            "a slot was free all the time"
        );
        assert!(join(mover).is_some());
    });
}

/// The last slots are just being added by another thread: that is waited for.
#[test]
pub fn slots_being_added() {
    model("limit 2: growth x growth", || {
        let builder = FixedPool::<usize, Shared, Locked>::builder();
        let pool: Arc<FixedPool<usize, Unique, Locked>> =
            Arc::new(builder.unique().growth(2).limit(2).build());
        let its = Arc::clone(&pool);
        let thread = spawn(1, move || its.try_alloc(1).ok().map(|handle| *handle));
        let mine = pool.try_alloc(0).expect("a slot is free");
        assert_eq!(join(thread), Some(1));
        assert_eq!(*mine, 0);
    });
}

/// `len` and the capacity while they change.
#[test]
pub fn figures() {
    model("len, stats x alloc x drop", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let old = pool.alloc(ledger.thing(0));
        let (its, things) = (Arc::clone(&pool), ledger.clone());
        let maker = spawn(4, move || its.alloc(things.thing(1)));
        let dropper = spawn(1, move || drop(old));
        assert!(pool.len() <= 2);
        let new = join(maker);
        join(dropper);
        assert_eq!((pool.len(), pool.stats().live), (1, 1));
        drop(new);
    });
}

/// A slot that another thread has given back is free.
#[test]
pub fn limit_and_post() {
    model("unique, limit 1: alloc x post", || {
        let builder = FixedPool::<usize, Shared, Locked>::builder();
        let pool: FixedPool<usize, Unique, Locked> = builder.unique().growth(1).limit(1).build();
        let handle = pool.alloc(1);
        let dropper = spawn(1, move || drop(handle));
        let early = pool.try_alloc(2).ok();
        join(dropper);
        let late = pool.try_alloc(3).ok();
        assert!(early.is_some() != late.is_some());
        assert_eq!((pool.len(), pool.stats().capacity), (1, 1));
    });
}

/// A slot is always free, while the inbox of two becomes full and is emptied.
#[test]
pub fn limit_and_full_inbox() {
    model("unique, limit 3: alloc x post, post", || {
        let builder = FixedPool::<usize, Shared, Locked>::builder();
        let pool: FixedPool<usize, Unique, Locked> = builder.unique().growth(3).limit(3).build();
        let [first, second, third] = [0, 1, 2].map(|n| pool.alloc(n));
        drop(first);
        let dropper = spawn(1, move || {
            drop(second);
            drop(third);
        });
        let new = pool.try_alloc(3);
        assert_eq!(
            new.as_deref().ok(),
            Some(&3),
            "a slot was free all the time"
        );
        join(dropper);
        assert_eq!(pool.len(), 1);
    });
}

/// Drops that begin without the lock are counted apart: those of its owner, and those of others.
#[test]
pub fn drops_of_the_owner_and_of_another() {
    large_biased_model("unique: owner's drop x another's drop x len", || {
        let ledger = Ledger::default();
        let builder = FixedPool::<Thing, Shared, Biased>::builder();
        let pool: Arc<FixedPool<Thing, Unique, Biased>> =
            Arc::new(builder.unique().growth(4).build());
        let [first, second, third] = [0, 1, 2].map(|id| pool.alloc(ledger.thing(id)));
        let dropper = spawn(1, move || drop(second));
        let its = Arc::clone(&pool);
        let looker = spawn(3, move || its.len());
        drop(first);
        assert!((1..=2).contains(&pool.len()));
        drop(third);
        join(dropper);
        assert!(join(looker) <= 3);
        assert_eq!((pool.len(), pool.stats().live), (0, 0));
        ledger.assert_gone([0, 1, 2]);
    });
}

/// `reserve` and `alloc` at the limit count the same slots.
#[test]
pub fn reserve_and_alloc() {
    model("limit 3: try_reserve x alloc, alloc", || {
        let builder = FixedPool::<usize, Shared, Locked>::builder();
        let pool: Arc<FixedPool<usize, Unique, Locked>> =
            Arc::new(builder.unique().growth(1).limit(3).build());
        let its = Arc::clone(&pool);
        let thread = spawn(1, move || [its.alloc(1), its.alloc(2)]);
        let reserved = pool.try_reserve(1);
        let new = pool.try_alloc(3);
        assert_eq!(new.as_deref().ok(), Some(&3));
        assert!(reserved.is_ok() && pool.capacity() <= 3);
        drop(join(thread));
        assert_eq!(pool.len(), 1);
    });
}
