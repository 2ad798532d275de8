//! Walks inside walks.

use std::cell::{Cell, RefCell};

use mem_pool::generic::FixedPool;
use mem_pool::{Lock, PoolBox};

use crate::support::{Ledger, Tracked, Walked, count, in_walked_modes, pool};

in_walked_modes!(
    walks_nest,
    a_drop_waits_for_all_the_walks_that_were_there,
    walks_that_come_later_do_not_put_a_drop_off,
    an_inner_walk_does_not_see_what_the_outer_one_dropped,
    walks_nest_deeper_than_any_narrow_counter,
    an_inner_walk_elsewhere_releases_nothing_of_the_outer,
);

fn walks_nest<A: Walked, L: Lock>() {
    let pool = pool::<u8, A, L>();
    let objects: usize = if cfg!(miri) { 5 } else { 70 };
    let handles: Vec<_> = (0..objects).map(|_| pool.alloc(1)).collect();
    let mut visits = [0; 3];
    pool.for_each(|_| {
        visits[0] += 1;
        pool.for_each(|_| {
            visits[1] += 1;
            pool.for_each(|_| visits[2] += 1);
        });
    });
    assert_eq!(visits, [objects, objects.pow(2), objects.pow(3)]);
    assert_eq!(pool.len(), handles.len());
}

fn a_drop_waits_for_all_the_walks_that_were_there<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let handle = Cell::new(Some(pool.alloc(ledger.make())));
    pool.for_each(|outer| {
        pool.for_each(|middle| {
            pool.for_each(|inner| {
                drop(handle.take());
                inner.check();
            });
            assert_eq!(ledger.dropped(), 0, "two walks are still inside");
            middle.check();
        });
        assert_eq!(
            (ledger.dropped(), pool.stats().deferred),
            (0, 1),
            "one walk is still inside"
        );
        outer.check();
    });
    ledger.assert_settled();
}

fn walks_that_come_later_do_not_put_a_drop_off<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let mut handles: Vec<_> = (0..10).map(|_| pool.alloc(ledger.make())).collect();
    pool.for_each(|outer| {
        for _ in 0..5 {
            pool.for_each(|inner| assert_eq!(ledger.drops_of(inner.id), 0));
            handles.pop();
            pool.for_each(|inner| assert_eq!(ledger.drops_of(inner.id), 0));
        }
        outer.check();
    });
    assert_eq!(pool.stats().deferred, 0);
    drop(handles);
    ledger.assert_settled();
}

fn an_inner_walk_does_not_see_what_the_outer_one_dropped<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let handles: Vec<_> = (0..200).map(|_| Some(pool.alloc(ledger.make()))).collect();
    let handles = RefCell::new(handles);
    let mut left = 200;
    pool.for_each(|outer| {
        let handle = handles.borrow_mut()[outer.id].take();
        drop(handle);
        left -= 1;
        let mut seen = 0;
        pool.for_each(|inner| {
            assert!(handles.borrow()[inner.id].is_some(), "dropped, yet visited");
            seen += 1;
        });
        assert_eq!(seen, left);
        outer.check();
    });
    ledger.assert_settled();
}

/// Walks inside walks until `depth` is reached; drops the handle there.
fn descend<A: Walked, L: Lock>(
    pool: &FixedPool<Tracked, A, L>,
    handle: &Cell<Option<PoolBox<Tracked, A, L>>>,
    ledger: &Ledger,
    depth: usize,
) {
    if depth == 0 {
        handle.set(None);
        return;
    }
    pool.for_each(|object| {
        descend(pool, handle, ledger, depth - 1);
        assert_eq!(ledger.drops_of(0), 0, "{depth} walks are inside");
        object.check();
    });
}

fn walks_nest_deeper_than_any_narrow_counter<A: Walked, L: Lock>() {
    let depth = if cfg!(miri) { 300 } else { (1 << 16) + 100 };
    // The stack is reserved, not touched, beyond what the depth needs.
    let deep = std::thread::Builder::new().stack_size(1 << 30);
    let test = deep.spawn(move || {
        let ledger = Ledger::default();
        let pool = pool::<_, A, L>();
        let handle = Cell::new(Some(pool.alloc(ledger.make())));
        descend(&pool, &handle, &ledger, depth);
        ledger.assert_settled();
    });
    test.unwrap().join().unwrap();
}

fn an_inner_walk_elsewhere_releases_nothing_of_the_outer<A: Walked, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let other = crate::support::pool::<_, A, L>();
    let mut handles: Vec<_> = (0..count(130)).map(|_| pool.alloc(ledger.make())).collect();
    let elsewhere: Vec<_> = (0..10).map(|_| other.alloc(ledger.make())).collect();
    pool.for_each(|outer| {
        other.for_each(|inner| {
            drop(handles.pop());
            inner.check();
        });
        outer.check();
        assert_eq!(ledger.drops_of(outer.id), 0);
    });
    drop((handles, elsewhere));
    ledger.assert_settled();
}
