//! A destructor waits for the walks that were in the group when its handle was dropped, not for those that came later.

use std::sync::mpsc::channel;
use std::thread;

use mem_pool::Locked;
use mem_pool::generic::FixedPool;

use super::shared_by_threads;
use super::visits::{Walker, Witness};
use crate::support::Walked;

shared_by_threads! {
    a_walk_that_comes_later_is_not_waited_for: shared Shared, keyed Keyed;
}

fn a_walk_that_comes_later_is_not_waited_for<A: Walked>()
where
    FixedPool<Witness, A, Locked>: Sync,
{
    let pool: FixedPool<_, A, Locked> = A::builder().build();
    let (sender, _neighbours_end) = channel();
    let neighbour = pool.alloc(Witness(sender)); // gives later walks an object to stay with
    let (sender, destroyed) = channel();
    let handle = pool.alloc(Witness(sender));
    let (before, after) = thread::scope(|scope| {
        let early = Walker::enter(scope, &pool);
        drop(handle);
        let late = Walker::enter(scope, &pool);
        let id = early.id();
        early.leave();
        let before = destroyed.try_recv() == Ok(id);
        late.leave();
        (before, destroyed.try_recv().is_ok())
    });
    drop(neighbour);
    assert!(before || !after, "put off until a later walk left");
    assert!(before, "never destroyed");
}
