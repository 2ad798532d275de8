//! Holds and weak keys.

use std::ptr::NonNull;
use std::sync::Arc;

use mem_pool::generic::{FixedPool, Hold};
use mem_pool::{Keyed, Locked, PoolBox, Shared, WeakKey};

use crate::support::{Ledger, Thing, join, model, spawn};
use crate::walks::pool;

#[test]
pub fn hold_and_drop() {
    model("hold x drop", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let handle = pool.alloc(ledger.thing(0));
        let dropper = spawn(1, move || drop(handle));
        let hold = pool.hold();
        let seen: Vec<&Thing> = hold.iter().collect();
        // References last as long as the hold does.
        for thing in &seen {
            thing.look();
        }
        let later = hold.iter().count();
        assert!(later <= seen.len());
        seen.iter().for_each(|thing| assert_eq!(thing.look(), 0));
        drop(hold);
        join(dropper);
        ledger.assert_gone([0]);
        assert_eq!(pool.stats().deferred, 0);
    });
}

/// A handle that is borrowed for a moment gives a reference for as long as the hold lasts.
#[test]
pub fn hold_by_handle_and_drop() {
    model("hold[&handle] x drop", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let handle = pool.alloc(ledger.thing(0));
        let hold = pool.hold();
        let thing = &hold[&handle];
        let dropper = spawn(1, move || drop(handle));
        thing.look();
        assert!(hold.iter().count() <= 1);
        thing.look();
        drop(hold);
        join(dropper);
        ledger.assert_gone([0]);
    });
}

#[test]
pub fn two_holds_and_drop() {
    model("two holds x drop", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let handle = pool.alloc(ledger.thing(0));
        let its = Arc::clone(&pool);
        let holder = spawn(1, move || {
            let hold = its.hold();
            hold.iter().for_each(|thing| {
                thing.look();
            });
        });
        let dropper = spawn(3, move || drop(handle));
        let hold = pool.hold();
        let seen: Vec<_> = hold.iter().collect();
        seen.iter().for_each(|thing| {
            thing.look();
        });
        drop(hold);
        join(holder);
        join(dropper);
        ledger.assert_gone([0]);
        assert_eq!(pool.stats().deferred, 0);
    });
}

#[test]
pub fn hold_and_visit_and_drop() {
    model("hold x visit x drop", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let handle = pool.alloc(ledger.thing(0));
        let its = Arc::clone(&pool);
        let walker = spawn(1, move || {
            its.for_each(|thing| {
                thing.look();
            })
        });
        let dropper = spawn(3, move || drop(handle));
        let hold = pool.hold();
        let seen: Vec<_> = hold.iter().collect();
        seen.iter().for_each(|thing| {
            thing.look();
        });
        drop(hold);
        join(walker);
        join(dropper);
        ledger.assert_gone([0]);
        assert_eq!(pool.stats().deferred, 0);
    });
}

/// What dies under a hold keeps its slot: nothing new is made there.
#[test]
pub fn hold_and_alloc_and_drop() {
    model("hold x drop, alloc", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let handles = [0, 1].map(|id| pool.alloc(ledger.thing(id)));
        let [first, second] = handles;
        let (its, things) = (Arc::clone(&pool), ledger.clone());
        let dropper = spawn(1, move || {
            drop(first);
            its.try_alloc(things.thing(2)).ok()
        });
        let hold = pool.hold();
        let seen: Vec<_> = hold.iter().collect();
        let ids: Vec<_> = seen.iter().map(|thing| thing.look()).collect();
        assert_eq!(ids.iter().filter(|&&id| id == 1).count(), 1);
        for thing in &seen {
            let twins = seen.iter().filter(|other| std::ptr::eq(**other, *thing));
            assert_eq!(twins.count(), 1, "one slot was given twice");
        }
        drop(hold);
        drop(join(dropper));
        drop(second);
        ledger.assert_gone([0, 1, 2]);
    });
}

/// A key finds its own object or nothing, though the slot is used again.
#[test]
pub fn key_and_drop_and_reuse() {
    model("weak key x drop, alloc", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let handle = pool.alloc(ledger.thing(0));
        let key = PoolBox::downgrade(&handle);
        let (its, things) = (Arc::clone(&pool), ledger.clone());
        let dropper = spawn(1, move || {
            drop(handle);
            let new = its.alloc(things.thing(1));
            assert_ne!(PoolBox::downgrade(&new), key);
            new
        });
        let hold = pool.hold();
        let found = hold.get(key);
        if let Some(thing) = found {
            assert_eq!(thing.look(), 0);
        }
        hold.get(key);
        if let Some(thing) = found {
            assert_eq!(thing.look(), 0);
        }
        drop(hold);
        drop(join(dropper));
        ledger.assert_gone([0, 1]);
    });
}

/// Of two threads that share a hold one takes the shard's lock for both: what it saw under it the other must see, too.
#[test]
#[expect(unsafe_code, reason = "threads of a model outlive what they borrow")]
pub fn shared_hold_and_drop() {
    model("hold on two threads x drop", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let handle = pool.alloc(ledger.thing(0));
        let key = PoolBox::downgrade(&handle);
        let dropper = spawn(1, move || drop(handle));
        let hold = pool.hold();
        let look = move |hold: &Hold<'_, Thing>| {
            if let Some(thing) = hold.get(key) {
                assert_eq!(thing.look(), 0);
            }
        };
        let its = NonNull::from(&hold).cast::<Hold<'static, Thing>>();
        // SAFETY: the thread is joined before the hold ends.
        let its: &'static Hold<'_, Thing> = unsafe { its.as_ref() };
        let other = spawn(3, move || look(its));
        look(&hold);
        join(other);
        drop(hold);
        join(dropper);
        ledger.assert_gone([0]);
    });
}

/// The key's chunk is given back while it is looked up.
#[test]
pub fn key_and_drop_and_shrink() {
    model("weak key x drop, shrink", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let handle = pool.alloc(ledger.thing(0));
        let key = PoolBox::downgrade(&handle);
        let its = Arc::clone(&pool);
        let dropper = spawn(1, move || {
            drop(handle);
            its.shrink_to_fit();
        });
        let hold = pool.hold();
        if let Some(thing) = hold.get(key) {
            assert_eq!(thing.look(), 0);
        }
        drop(hold);
        join(dropper);
        assert!(pool.hold().get(key).is_none());
        ledger.assert_gone([0]);
    });
}

/// Two threads make the first key of one object: it has one stamp.
#[test]
pub fn downgrade_and_downgrade() {
    model("downgrade x downgrade", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let handle = Arc::new(pool.alloc(ledger.thing(0)));
        let other = Arc::clone(&handle);
        let thread = spawn(1, move || PoolBox::downgrade(&other));
        let key = PoolBox::downgrade(&handle);
        assert_eq!(join(thread), key);
        assert_eq!(pool.hold()[key].look(), 0);
        drop(handle);
        ledger.assert_gone([0]);
    });
}

/// Two objects of one chunk get their first keys, and a third thread asks by a key.
#[test]
pub fn downgrade_and_find() {
    model("downgrade x downgrade in one chunk x find", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let handles = [0, 1].map(|id| pool.alloc(ledger.thing(id)));
        let [first, second] = handles;
        let thread = spawn(1, move || (PoolBox::downgrade(&first), first));
        let its = Arc::clone(&pool);
        let finder = spawn(3, move || {
            let hold = its.hold();
            for (key, thing) in hold.iter_keys() {
                assert_eq!(hold[key].look(), thing.look());
            }
        });
        let key: WeakKey<Thing> = PoolBox::downgrade(&second);
        let (other, first) = join(thread);
        join(finder);
        assert_ne!(key, other);
        let hold = pool.hold();
        assert_eq!((hold[other].look(), hold[key].look()), (0, 1));
        drop(hold);
        drop((first, second));
        ledger.assert_gone([0, 1]);
    });
}

/// The keys that an iterator makes are of objects whose drop may begin meanwhile.
#[test]
pub fn iterated_keys_and_drop() {
    model("iter_keys x drop", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let handle = pool.alloc(ledger.thing(0));
        let dropper = spawn(1, move || drop(handle));
        let hold = pool.hold();
        let keys: Vec<_> = hold.iter_keys().collect();
        for (key, thing) in &keys {
            assert_eq!(thing.look(), 0);
            if let Some(found) = hold.get(*key) {
                assert_eq!(found.look(), 0);
            }
        }
        let keys: Vec<_> = keys.into_iter().map(|(key, _)| key).collect();
        drop(hold);
        join(dropper);
        ledger.assert_gone([0]);
        assert!(keys.iter().all(|key| pool.hold().get(*key).is_none()));
    });
}

/// A keyed pool's objects are lent mutably while their keys are dropped elsewhere and others are spawned.
#[test]
pub fn mutable_hold_and_drop_and_spawn() {
    model("hold_mut x drop, spawn", || {
        let ledger = Ledger::default();
        let pool = FixedPool::<Thing, Shared, Locked>::builder()
            .keyed()
            .growth(4)
            .limit(4);
        let mut pool: FixedPool<Thing, Keyed, Locked> = pool.build();
        let handles = [0, 1].map(|id| pool.alloc(ledger.thing(id)));
        let [first, second] = handles;
        let dropper = spawn(1, move || drop(first));
        let mut hold = pool.hold_mut();
        let (things, spawner) = hold.split();
        let mut spawned = None;
        for thing in things {
            thing.touch();
            if spawned.is_none() {
                spawned = Some(spawner.alloc(ledger.thing(2)));
            }
        }
        drop(hold);
        join(dropper);
        ledger.assert_gone([0]);
        assert_eq!(pool.len(), 2);
        drop((second, spawned));
        ledger.assert_gone([1, 2]);
    });
}
