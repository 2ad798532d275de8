//! Walks against what other threads do meanwhile.

use std::ops::ControlFlow;
use std::sync::{Arc, Weak};

use loom::sync::atomic::{AtomicBool, Ordering};
use mem_pool::generic::FixedPool;
use mem_pool::model::Biased;
use mem_pool::{Keyed, Lock, Locked, PoolBox, Shared, ThroughPool};

use crate::support::{Ledger, Thing, biased_model, join, large_model, model, spawn, spawn_two};

/// A pool of four slots in the shard of the model's own thread.
pub fn pool<L: Lock>() -> Arc<FixedPool<Thing, Shared, L>> {
    Arc::new(FixedPool::builder().growth(4).limit(4).build())
}

/// What a walk sees, in order.
fn seen<A: ThroughPool, L: Lock>(pool: &FixedPool<Thing, A, L>) -> Vec<usize> {
    let mut seen = Vec::new();
    pool.for_each(|thing| seen.push(thing.look()));
    seen
}

fn times(seen: &[usize], id: usize) -> usize {
    seen.iter().filter(|&&other| other == id).count()
}

fn visit_and_drop_with<L: Lock + Send + Sync>(name: &str, run: fn(&str, fn())) {
    run(name, || {
        let (ledger, pool) = (Ledger::default(), pool::<L>());
        let (first, second) = (pool.alloc(ledger.thing(0)), pool.alloc(ledger.thing(1)));
        let dropper = spawn(1, move || drop(first));
        let seen = seen(&pool);
        assert_eq!((times(&seen, 0) <= 1, times(&seen, 1)), (true, 1));
        join(dropper);
        ledger.assert_gone([0]);
        assert_eq!(pool.len(), 1);
        drop(second);
        ledger.assert_gone([1]);
    });
}

#[test]
pub fn visit_and_drop() {
    visit_and_drop_with::<Locked>("visit x drop", model);
}

#[test]
pub fn visit_and_drop_behind_a_biased_lock() {
    visit_and_drop_with::<Biased>("visit x drop, biased lock", biased_model);
}

/// The lock's owner drops, at once where it can, while somebody else walks.
#[test]
pub fn visit_and_drop_by_the_owner_of_a_biased_lock() {
    biased_model("visit x drop by the owner, biased lock", || {
        let (ledger, pool) = (Ledger::default(), pool::<Biased>());
        let (first, second) = (pool.alloc(ledger.thing(0)), pool.alloc(ledger.thing(1)));
        let its = Arc::clone(&pool);
        let walker = spawn(1, move || seen(&its));
        drop(first);
        let seen = join(walker);
        assert_eq!((times(&seen, 0) <= 1, times(&seen, 1)), (true, 1));
        ledger.assert_gone([0]);
        assert_eq!(pool.len(), 1);
        drop(second);
        ledger.assert_gone([1]);
    });
}

#[test]
pub fn visit_and_two_drops() {
    model("visit x drop x drop", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let handles = [0, 1].map(|id| pool.alloc(ledger.thing(id)));
        let droppers = spawn_two(handles, drop);
        let seen = seen(&pool);
        assert!(times(&seen, 0) <= 1 && times(&seen, 1) <= 1);
        droppers.into_iter().for_each(join);
        ledger.assert_gone([0, 1]);
        assert_eq!((pool.len(), pool.stats().deferred), (0, 0));
    });
}

#[test]
pub fn visit_and_alloc() {
    model("visit x alloc", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let old = pool.alloc(ledger.thing(0));
        let (its, things) = (Arc::clone(&pool), ledger.clone());
        let maker = spawn(4, move || {
            (its.alloc(things.thing(1)), its.alloc(things.thing(2)))
        });
        let seen = seen(&pool);
        assert_eq!(times(&seen, 0), 1);
        assert!(times(&seen, 1) <= 1 && times(&seen, 2) <= 1);
        let new = join(maker);
        assert_eq!(self::seen(&pool).len(), 3);
        drop((old, new));
        ledger.assert_gone([0, 1, 2]);
    });
}

/// The slot that is dropped is taken again at once, and by an object that the walk must not take for the former one.
#[test]
pub fn visit_and_drop_then_alloc() {
    model("visit x drop, alloc, drop", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let handles = [0, 1, 2].map(|id| pool.alloc(ledger.thing(id)));
        let [first, second, third] = handles;
        let (its, things) = (Arc::clone(&pool), ledger.clone());
        let dropper = spawn(1, move || {
            drop(first);
            let new = its.try_alloc(things.thing(3)).ok();
            drop(third);
            new
        });
        let seen = seen(&pool);
        assert_eq!(times(&seen, 1), 1);
        assert!([0, 2, 3].iter().all(|&id| times(&seen, id) <= 1));
        drop(join(dropper));
        ledger.assert_gone([0, 2, 3]);
        drop(second);
    });
}

/// What is made in a slot whose object another thread has dropped is seen again, whether the drop met a walk or not.
#[test]
pub fn visit_of_what_was_made_in_a_slot_that_was_left() {
    model("visit x drop; alloc, visit", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let handles = [0, 1, 2, 3].map(|id| pool.alloc(ledger.thing(id)));
        let [first, second, third, fourth] = handles;
        let dropper = spawn(1, move || drop(second));
        assert!((3..=4).contains(&seen(&pool).len()));
        join(dropper);
        ledger.assert_gone([1]);
        let new = pool.alloc(ledger.thing(4));
        assert_eq!(seen(&pool), [0, 4, 2, 3]);
        drop((first, new, third, fourth));
        ledger.assert_gone([0, 2, 3, 4]);
    });
}

/// An object that fills a chunk: each has a group of its own.
struct Large {
    thing: Thing,
    _room: [u8; 8192],
}

fn seen_large(pool: &FixedPool<Large, Shared, Locked>) -> Vec<usize> {
    let mut seen = Vec::new();
    pool.for_each(|large| seen.push(large.thing.look()));
    seen
}

/// A slot that is freed while another group is visited lies in the magazine when the next live mask is computed.
#[test]
pub fn visit_of_two_groups_and_drop() {
    model("visit of two groups x drop", || {
        let ledger = Ledger::default();
        let pool = FixedPool::<Large, Shared, Locked>::builder();
        let pool = Arc::new(pool.growth(1).limit(2).build());
        let handles = [0, 1].map(|id| {
            let (thing, _room) = (ledger.thing(id), [0; 8192]);
            pool.alloc(Large { thing, _room })
        });
        assert_eq!(pool.stats().chunks, 2);
        let [first, second] = handles;
        let dropper = spawn(4, move || drop(first));
        let seen = seen_large(&pool);
        assert_eq!((times(&seen, 0) <= 1, times(&seen, 1)), (true, 1));
        join(dropper);
        drop(second);
        ledger.assert_gone([0, 1]);
    });
}

/// Where walks meet: the one that came second is counted, then alone in the next group, or the first is.
#[test]
pub fn two_visits_of_two_groups_and_drop() {
    large_model("two visits of two groups x drop", || {
        let ledger = Ledger::default();
        let pool = FixedPool::<Large, Shared, Locked>::builder();
        let pool = Arc::new(pool.growth(1).limit(2).build());
        let [first, second] = [0, 1].map(|id| {
            let (thing, _room) = (ledger.thing(id), [0; 8192]);
            pool.alloc(Large { thing, _room })
        });
        walk_twice_beside_a_drop(&ledger, &pool, seen_large, first);
        drop(second);
    });
}

/// Two walks see object 1, and object 0, whose handle is dropped meanwhile, at most; then that is gone.
fn walk_twice_beside_a_drop<T: Send + Sync + 'static>(
    ledger: &Ledger,
    pool: &Arc<FixedPool<T, Shared, Locked>>,
    seen: fn(&FixedPool<T, Shared, Locked>) -> Vec<usize>,
    first: PoolBox<T, Shared, Locked>,
) {
    let its = Arc::clone(pool);
    let walker = spawn(1, move || seen(&its));
    let dropper = spawn(3, move || drop(first));
    for seen in [seen(pool), join(walker)] {
        assert_eq!((times(&seen, 0) <= 1, times(&seen, 1)), (true, 1));
    }
    join(dropper);
    ledger.assert_gone([0]);
    assert_eq!(pool.stats().deferred, 0);
}

#[test]
pub fn nested_visit_and_drop() {
    model("nested visit x drop", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let handles = [0, 1].map(|id| pool.alloc(ledger.thing(id)));
        let [first, second] = handles;
        let dropper = spawn(1, move || drop(first));
        pool.for_each(|outer| {
            let inner = seen(&pool);
            assert_eq!((times(&inner, 0) <= 1, times(&inner, 1)), (true, 1));
            outer.look();
        });
        join(dropper);
        ledger.assert_gone([0]);
        drop(second);
    });
}

/// Of two walks the last one to leave destroys what was dropped: once, and nobody looks.
#[test]
pub fn two_visits_and_drop() {
    model("two visits x drop", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let handle = pool.alloc(ledger.thing(0));
        let its = Arc::clone(&pool);
        let walker = spawn(1, move || seen(&its).len());
        let dropper = spawn(3, move || drop(handle));
        assert!(seen(&pool).len() <= 1);
        assert!(join(walker) <= 1);
        join(dropper);
        ledger.assert_gone([0]);
        assert_eq!(pool.stats().deferred, 0);
    });
}

/// A walk that comes after a drop, for what else is in the group, does not carry out what an earlier one may still look at.
#[test]
pub fn two_visits_and_drop_of_one_of_two() {
    model("two visits x drop of one of two", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let [first, second] = [0, 1].map(|id| pool.alloc(ledger.thing(id)));
        walk_twice_beside_a_drop(&ledger, &pool, seen, first);
        drop(second);
    });
}

/// A walk that comes after a drop does not put the destruction off, though it is in the group all the time.
#[test]
pub fn later_visits_do_not_put_off() {
    model("visit that drops x later visit", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let [first, second] = [0, 1].map(|id| pool.alloc(ledger.thing(id)));
        let (mut first, mut walker) = (Some(first), None);
        pool.for_each(|_| {
            drop(first.take());
            let its = Arc::clone(&pool);
            walker.get_or_insert_with(|| spawn(1, move || seen(&its)));
        });
        ledger.assert_gone([0]);
        assert_eq!(walker.map(join), Some(vec![1]));
        drop(second);
    });
}

/// Who has heard of a drop does not see the object any more, even if its group was pinned before.
#[test]
pub fn dropped_objects_are_not_shown() {
    model("visit x drop that the closure hears of", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let handles = [0, 1].map(|id| pool.alloc(ledger.thing(id)));
        let [first, second] = handles;
        let gone = Arc::new(AtomicBool::new(false));
        let tell = Arc::clone(&gone);
        let dropper = spawn(1, move || {
            drop(second);
            tell.store(true, Ordering::Release);
        });
        let mut heard = false;
        pool.for_each(|thing| {
            assert!(!heard || thing.id != 1, "shown after its drop had returned");
            heard |= gone.load(Ordering::Acquire);
            thing.look();
        });
        join(dropper);
        ledger.assert_gone([1]);
        drop(first);
    });
}

/// The closure drops what the other thread's closure looks at.
#[test]
pub fn visits_that_drop() {
    model("visit that drops x visit", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let handle = pool.alloc(ledger.thing(0));
        let its = Arc::clone(&pool);
        let walker = spawn(1, move || seen(&its).len());
        let mut handle = Some(handle);
        pool.for_each(|thing| {
            drop(handle.take());
            thing.look();
        });
        assert!(handle.is_none());
        join(walker);
        ledger.assert_gone([0]);
    });
}

#[test]
pub fn visit_and_move_out() {
    model("visit x try_into_inner", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let handle = pool.alloc(ledger.thing(0));
        let mover = spawn(1, move || match PoolBox::try_into_inner(handle) {
            Ok(thing) => assert_eq!(thing.look(), 0),
            Err(handle) => assert_eq!(handle.look(), 0),
        });
        assert!(seen(&pool).len() <= 1);
        join(mover);
        ledger.assert_gone([0]);
    });
}

/// A reserved slot is not shown before its object is there.
#[test]
pub fn reserve_and_publish_and_visit() {
    model("reserve, publish x visit x drop", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let old = pool.alloc(ledger.thing(0));
        let (its, things) = (Arc::clone(&pool), ledger.clone());
        let maker = spawn(4, move || {
            let vacant = its.vacant();
            drop(its.vacant());
            vacant.write(things.thing(1))
        });
        let dropper = spawn(1, move || drop(old));
        let seen = seen(&pool);
        assert!(times(&seen, 0) <= 1 && times(&seen, 1) <= 1);
        let new = join(maker);
        join(dropper);
        assert_eq!(self::seen(&pool), [1]);
        drop(new);
        ledger.assert_gone([0, 1]);
    });
}

#[test]
pub fn adopt_and_visit() {
    model("adopt x visit x drop", || {
        let ledger = Ledger::default();
        let pool = FixedPool::<_, Shared, Locked>::builder()
            .keyed()
            .growth(4)
            .limit(4);
        let pool = Arc::new(pool.build());
        let handles = [0, 1].map(|id| pool.alloc(ledger.thing(id)));
        let [first, second] = handles;
        let its = Arc::clone(&pool);
        let adopter = spawn(1, move || its.adopt(first));
        let dropper = spawn(3, move || drop(second));
        let seen = seen(&pool);
        assert_eq!((times(&seen, 0), times(&seen, 1) <= 1), (1, true));
        let key = join(adopter);
        join(dropper);
        let mut pool = Arc::into_inner(pool).expect("the threads have ended");
        assert_eq!(pool.len(), 1);
        assert!(pool.remove(key).is_some());
        ledger.assert_gone([0, 1]);
    });
}

/// A keyed pool's objects are changed by a walk while their keys are dropped elsewhere.
#[test]
pub fn mutable_visit_and_drop() {
    model("mutable visit x drop x drop", || {
        let ledger = Ledger::default();
        let pool = FixedPool::<Thing, Shared, Locked>::builder()
            .keyed()
            .growth(4)
            .limit(4);
        let mut pool: FixedPool<Thing, Keyed, Locked> = pool.build();
        let handles = [0, 1].map(|id| pool.alloc(ledger.thing(id)));
        let droppers = spawn_two(handles, drop);
        pool.for_each_mut(|thing| {
            thing.touch();
        });
        droppers.into_iter().for_each(join);
        ledger.assert_gone([0, 1]);
    });
}

/// A walk that breaks off leaves its group, too.
#[test]
pub fn visit_that_breaks_off_and_drop() {
    model("visit that breaks off x drop x drop", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let handles = [0, 1].map(|id| pool.alloc(ledger.thing(id)));
        let droppers = spawn_two(handles, drop);
        let found = pool.try_for_each(|thing| ControlFlow::Break(thing.look()));
        assert!(found.is_break() || pool.is_empty());
        droppers.into_iter().for_each(join);
        ledger.assert_gone([0, 1]);
        assert_eq!(pool.stats().deferred, 0);
    });
}

#[test]
pub fn two_visits_and_drop_then_alloc_and_shrink() {
    large_model("two visits x drop, alloc, drop x shrink, shrink", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let [first, second, third] = [1, 2, 3].map(|id| pool.alloc(ledger.thing(id)));
        let its = Arc::clone(&pool);
        let walker = spawn(1, move || seen(&its));
        let (its, things) = (Arc::clone(&pool), ledger.clone());
        let dropper = spawn(3, move || {
            drop(first);
            let new = its.try_alloc(things.thing(4));
            drop(third);
            new.ok()
        });
        let its = Arc::clone(&pool);
        let shrinker = spawn(5, move || {
            its.shrink_to_fit();
            its.shrink_to_fit();
        });
        for seen in [seen(&pool), join(walker)] {
            assert_eq!(times(&seen, 2), 1);
            assert!([1, 3, 4].iter().all(|&id| times(&seen, id) <= 1));
        }
        join(shrinker);
        drop(join(dropper));
        ledger.assert_gone([1, 3, 4]);
        drop(second);
    });
}

#[test]
pub fn two_visits_and_drops_and_reserve() {
    large_model("two visits x drop, drop x reserve, publish, shrink", || {
        let (ledger, pool) = (Ledger::default(), pool::<Locked>());
        let handles = [1, 2, 3].map(|id| pool.alloc(ledger.thing(id)));
        let [first, second, third] = handles;
        let its = Arc::clone(&pool);
        let walker = spawn(1, move || seen(&its));
        let dropper = spawn(3, move || drop((third, first)));
        let (its, things) = (Arc::clone(&pool), ledger.clone());
        let maker = spawn(4, move || {
            let new = its.vacant().write(things.thing(4));
            its.shrink_to_fit();
            new
        });
        for seen in [seen(&pool), join(walker)] {
            assert_eq!(times(&seen, 2), 1);
            assert!([1, 3, 4].iter().all(|&id| times(&seen, id) <= 1));
        }
        join(dropper);
        drop((second, join(maker)));
        ledger.assert_gone([1, 2, 3, 4]);
    });
}

#[test]
pub fn visit_and_two_droppers_and_shrink() {
    large_model(
        "visit x drop x drop, alloc x reserve, alloc, shrink",
        || {
            let (ledger, pool) = (Ledger::default(), pool::<Locked>());
            let [first, second] = [1, 2].map(|id| pool.alloc(ledger.thing(id)));
            let dropper = spawn(1, move || drop(first));
            let (its, things) = (Arc::clone(&pool), ledger.clone());
            let other = spawn(3, move || {
                drop(second);
                its.try_alloc(things.thing(3)).ok()
            });
            let (its, things) = (Arc::clone(&pool), ledger.clone());
            let maker = spawn(4, move || {
                drop(its.try_vacant());
                let new = its.try_alloc(things.thing(4)).ok();
                its.shrink_to_fit();
                new
            });
            let seen = seen(&pool);
            assert!([1, 2, 3, 4].iter().all(|&id| times(&seen, id) <= 1));
            join(dropper);
            drop((join(other), join(maker)));
            ledger.assert_gone([1, 2, 3, 4]);
            pool.shrink_to_fit();
            assert_eq!(pool.capacity(), 0);
        },
    );
}

/// An object whose destructor shrinks its own pool.
struct Shrinking {
    thing: Thing,
    pool: Weak<FixedPool<Shrinking, Shared, Locked>>,
}

impl Drop for Shrinking {
    fn drop(&mut self) {
        self.thing.look();
        if let Some(pool) = self.pool.upgrade() {
            pool.shrink_to_fit();
        }
        self.thing.look();
    }
}

#[test]
pub fn destructors_that_shrink() {
    large_model("visit x drop, alloc x drop; destructors shrink", || {
        let ledger = Ledger::default();
        let pool = Arc::new(FixedPool::builder().growth(2).limit(2).build());
        let make = |pool: &Arc<FixedPool<Shrinking, Shared, Locked>>, thing: Thing| {
            let weak = Arc::downgrade(pool);
            pool.try_alloc(Shrinking { thing, pool: weak }).ok()
        };
        let [first, second] = [1, 2].map(|id| make(&pool, ledger.thing(id)));
        let (its, things) = (Arc::clone(&pool), ledger.clone());
        let dropper = spawn(1, move || {
            drop(second);
            drop(make(&its, things.thing(3)));
        });
        let other = spawn(3, move || drop(first));
        let mut seen = Vec::new();
        pool.for_each(|object| seen.push(object.thing.look()));
        assert!([1, 2, 3].iter().all(|&id| times(&seen, id) <= 1));
        join(dropper);
        join(other);
        ledger.assert_gone([1, 2, 3]);
    });
}

/// `retain` and `clear` have the only reference to the pool, but not to its keys.
#[test]
pub fn retain_and_clear_and_drop() {
    model("retain, clear x drop x drop", || {
        let ledger = Ledger::default();
        let pool = FixedPool::<Thing, Shared, Locked>::builder()
            .keyed()
            .growth(4)
            .limit(4);
        let mut pool = pool.build();
        let handles = [0, 1].map(|id| pool.alloc(ledger.thing(id)));
        pool.adopt(pool.alloc(ledger.thing(2)));
        pool.adopt(pool.alloc(ledger.thing(3)));
        let droppers = spawn_two(handles, drop);
        pool.retain(|thing| thing.look() == 3);
        ledger.assert_gone([2]);
        pool.clear();
        ledger.assert_gone([3]);
        droppers.into_iter().for_each(join);
        ledger.assert_gone([0, 1]);
        assert!(pool.is_empty());
    });
}
