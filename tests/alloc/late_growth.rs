//! A handle that is cloned when its pool is gone may make the shard grow: what grew goes back with the handles.

use std::sync::Barrier;
use std::thread;

use mem_pool::{FixedPool, PoolBox, Unique};

use crate::checking::Session;
use crate::support::watchdog;

/// Larger than a chunk, so that a step of three slots is three regions.
type Large = [u64; 9000];

#[test]
fn a_step_of_several_regions_goes_back_whole() {
    let session = Session::new();
    session.run(|| {
        let pool = FixedPool::<Large>::builder().unique().growth(3).build();
        let handles = [(); 3].map(|()| pool.alloc([1; 9000]));
        drop(pool);
        let clone = handles[0].clone();
        assert_eq!(clone[8999], 1);
        drop(handles);
        drop(clone);
    });
    session.assert_nothing_left();
}

/// Two of them start in one chunk, so that two threads may both take from the same new region and leave another unused.
type Half = [u64; 5000];

#[test]
fn steps_of_several_threads_at_once_go_back_whole() {
    let _watchdog = watchdog();
    let session = Session::new();
    for _ in 0..if cfg!(miri) { 3 } else { 500 } {
        let (handles, _) = session.run(|| {
            let pool = FixedPool::<Half>::builder().unique().growth(2).build();
            [(); 2].map(|()| pool.alloc([1; 5000]))
        });
        let start = Barrier::new(2);
        let clone_and_drop = |handle: PoolBox<Half, Unique>| {
            start.wait();
            let clone = session.run(|| handle.clone()).0;
            start.wait();
            drop((handle, clone));
        };
        thread::scope(|scope| {
            for handle in handles {
                scope.spawn(|| clone_and_drop(handle));
            }
        });
    }
    // What a contended lock keeps for itself is not the pool's.
    let regions = session
        .left()
        .into_iter()
        .filter(|layout| layout.align() >= 4096);
    assert_eq!(regions.collect::<Vec<_>>(), []);
}
