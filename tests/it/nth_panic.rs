//! Foreign code that panics at its k-th call, for every k: constructors, destructors, closures and `Clone` alike.
//!
//! A scenario calls [`Fuse::burn`] wherever a user's code would run. It is run with a fuse of 1, 2, and so on until nothing
//! panics any more. Whatever the k, every object made is destroyed exactly once, and the pool can be filled and emptied again.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use mem_pool::generic::FixedPool;
use mem_pool::{Keyed, Lock, Locked, PoolBox, Shared, Unique, Unlocked};
use rstest::rstest;

use crate::support::{Ledger, Mode, Tracked, Walked, watchdog};

/// Panics at its k-th call, and never again.
#[derive(Clone)]
struct Fuse(Rc<Cell<usize>>);

impl Fuse {
    fn new(k: usize) -> Self {
        Self(Rc::new(Cell::new(k)))
    }

    fn burn(&self) {
        let left = self.0.get();
        self.0.set(left.saturating_sub(1));
        assert!(left != 1, "on purpose");
    }

    fn has_burnt(&self) -> bool {
        self.0.get() == 0
    }
}

/// An object whose clone and destructor are on the fuse, too.
struct Wired {
    tracked: Tracked,
    fuse: Fuse,
}

impl Clone for Wired {
    fn clone(&self) -> Self {
        let tracked = self.tracked.clone();
        self.fuse.burn();
        Self {
            tracked,
            fuse: self.fuse.clone(),
        }
    }
}

impl Drop for Wired {
    fn drop(&mut self) {
        // A second panic while the first unwinds ends the process, as everywhere.
        if !std::thread::panicking() {
            self.fuse.burn();
        }
    }
}

/// What a scenario works with.
struct Wires {
    ledger: Ledger,
    fuse: Fuse,
}

impl Wires {
    /// A constructor that may panic half-way.
    fn make(&self) -> Wired {
        let tracked = self.ledger.make();
        self.fuse.burn();
        Wired {
            tracked,
            fuse: self.fuse.clone(),
        }
    }
}

/// Runs a scenario on a new pool for every k. Returns how many calls there were.
fn for_every_k<A: Mode, L: Lock>(scenario: Scenario<A, L>) -> usize {
    let _watchdog = watchdog();
    for pool_first in [false, true] {
        for k in 1.. {
            let wires = Wires {
                ledger: Ledger::default(),
                fuse: Fuse::new(k),
            };
            let mut pool = A::builder::<Wired, L>().limit(150).growth(9).build();
            let _ = catch_unwind(AssertUnwindSafe(|| scenario(&mut pool, &wires)));
            let burnt = wires.fuse.has_burnt();
            wires.fuse.0.set(0);
            assert_whole(pool, &wires, pool_first);
            if !burnt {
                assert!(k > 5, "the scenario has no calls");
                return k - 1;
            }
        }
    }
    unreachable!("a scenario ends")
}

/// Nothing is pinned, held, reserved or lost: adopted objects are all there is.
fn assert_whole<A: Mode, L: Lock>(pool: FixedPool<Wired, A, L>, wires: &Wires, pool_first: bool) {
    let (before, deferred) = (pool.len(), pool.stats().deferred);
    assert_eq!(
        (wires.ledger.made() - wires.ledger.dropped(), deferred),
        (before, 0)
    );
    A::walk(&pool, |wired| wired.tracked.check());
    let handles: Vec<_> =
        std::iter::from_fn(|| pool.try_alloc_with(|| wires.make()).ok()).collect();
    assert_eq!(
        (handles.len() + before, pool.len()),
        (150, 150),
        "a slot was lost"
    );
    if pool_first {
        drop(pool);
        drop(handles);
    } else {
        drop(handles);
        drop(pool);
    }
    wires.ledger.assert_settled();
}

fn constructing<A: Mode, L: Lock>(pool: &mut FixedPool<Wired, A, L>, wires: &Wires) {
    let mut handles = Vec::new();
    for n in 0..12 {
        handles.push(match n % 4 {
            0 => pool.alloc(wires.make()),
            1 => pool.alloc_with(|| wires.make()),
            2 => pool.try_alloc_with(|| wires.make()).unwrap(),
            _ => pool.vacant().write(wires.make()),
        });
        if n % 5 == 4 {
            let object = A::move_out(pool, handles.swap_remove(1));
            wires.fuse.burn();
            object.tracked.check();
        }
    }
}

/// A constructor that itself makes and drops.
fn nested<A: Mode, L: Lock>(pool: &mut FixedPool<Wired, A, L>, wires: &Wires) {
    let outer = pool.alloc_with(|| {
        let inner = pool.alloc_with(|| {
            drop(pool.alloc(wires.make()));
            wires.make()
        });
        A::walk(pool, |_| wires.fuse.burn());
        drop(inner);
        wires.make()
    });
    drop(outer);
}

fn walking<A: Walked, L: Lock>(pool: &mut FixedPool<Wired, A, L>, wires: &Wires) {
    let mut handles: Vec<_> = (0..70).map(|_| pool.alloc(wires.make())).collect();
    pool.for_each(|wired| {
        wires.fuse.burn();
        wired.tracked.check();
        handles.pop();
        pool.for_each(|_| {
            handles.pop();
        });
        if handles.len() > 60 {
            pool.for_each(|_| wires.fuse.burn());
        }
        drop(pool.try_alloc_with(|| wires.make()));
    });
}

fn holding<A: Walked, L: Lock>(pool: &mut FixedPool<Wired, A, L>, wires: &Wires) {
    let mut handles: Vec<_> = (0..20).map(|_| pool.alloc(wires.make())).collect();
    let (first, second) = (pool.hold(), pool.hold());
    for wired in &first {
        wires.fuse.burn();
        handles.pop();
        wired.tracked.check();
    }
    pool.for_each(|_| handles.clear());
    drop(first);
    wires.fuse.burn();
    drop(second);
    handles.extend((0..5).map(|_| pool.alloc(wires.make())));
}

fn owning<L: Lock>(pool: &mut FixedPool<Wired, Keyed, L>, wires: &Wires) {
    let mut keys: Vec<_> = (0..12)
        .map(|_| pool.adopt(pool.alloc(wires.make())))
        .collect();
    let handles: Vec<_> = (0..6).map(|_| pool.alloc(wires.make())).collect();
    pool.for_each_mut(|_| wires.fuse.burn());
    drop(pool.remove(keys.swap_remove(3)));
    let mut asked = 0;
    pool.retain(|_| {
        wires.fuse.burn();
        asked += 1;
        asked % 3 > 0
    });
    let mut hold = pool.hold_mut();
    let (objects, spawner) = hold.split();
    for wired in objects.take(5) {
        wires.fuse.burn();
        wired.tracked.check();
        spawner.adopt(spawner.alloc(wires.make()));
    }
    drop(handles);
    drop(hold);
    let mut rest = 0;
    pool.retain(|_| {
        rest += 1;
        rest % 2 == 0
    });
    pool.clear();
}

fn cloning<L: Lock>(pool: &mut FixedPool<Wired, Unique, L>, wires: &Wires) {
    let mut handle = pool.alloc(wires.make());
    let clones = [handle.clone(), handle.clone(), handle.clone()];
    handle.clone_from(&clones[1]);
    drop(clones);
    drop(PoolBox::into_inner(handle.clone()));
}

type Scenario<A, L> = fn(&mut FixedPool<Wired, A, L>, &Wires);
type Run<A, L> = fn(Scenario<A, L>) -> usize;

#[rstest]
#[case::constructing_shared(for_every_k::<Shared, Locked>, constructing, 20)]
#[case::constructing_shared_local(for_every_k::<Shared, Unlocked>, constructing, 20)]
#[case::nested_shared(for_every_k::<Shared, Locked>, nested, 5)]
#[case::walking_shared(for_every_k::<Shared, Locked>, walking, 150)]
#[case::walking_shared_local(for_every_k::<Shared, Unlocked>, walking, 150)]
#[case::holding_shared(for_every_k::<Shared, Locked>, holding, 40)]
#[case::holding_shared_local(for_every_k::<Shared, Unlocked>, holding, 40)]
fn shared_pools_survive<L: Lock>(
    #[case] run: Run<Shared, L>,
    #[case] scenario: Scenario<Shared, L>,
    #[case] least: usize,
) {
    assert!(run(scenario) >= least);
}

#[rstest]
#[case::constructing(for_every_k::<Unique, Locked>, constructing, 20)]
#[case::constructing_local(for_every_k::<Unique, Unlocked>, constructing, 20)]
#[case::nested(for_every_k::<Unique, Locked>, nested, 5)]
#[case::cloning(for_every_k::<Unique, Locked>, cloning, 8)]
#[case::cloning_local(for_every_k::<Unique, Unlocked>, cloning, 8)]
fn unique_pools_survive<L: Lock>(
    #[case] run: Run<Unique, L>,
    #[case] scenario: Scenario<Unique, L>,
    #[case] least: usize,
) {
    assert!(run(scenario) >= least);
}

#[rstest]
#[case::constructing(for_every_k::<Keyed, Locked>, constructing, 20)]
#[case::nested(for_every_k::<Keyed, Locked>, nested, 5)]
#[case::walking(for_every_k::<Keyed, Locked>, walking, 150)]
#[case::holding(for_every_k::<Keyed, Locked>, holding, 40)]
#[case::holding_local(for_every_k::<Keyed, Unlocked>, holding, 40)]
#[case::owning(for_every_k::<Keyed, Locked>, owning, 50)]
#[case::owning_local(for_every_k::<Keyed, Unlocked>, owning, 50)]
fn keyed_pools_survive<L: Lock>(
    #[case] run: Run<Keyed, L>,
    #[case] scenario: Scenario<Keyed, L>,
    #[case] least: usize,
) {
    assert!(run(scenario) >= least);
}
