//! What happens to a pool while the allocator is at work for it: memory may come free, or not be there yet.

use std::cell::{Cell, RefCell};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use mem_pool::{FixedPool, PoolBytes, PoolError, VariadicPool};

use crate::checking::{Session, set_callback};
use crate::support::watchdog;

/// Larger than a chunk, so that growing calls the allocator for each slot.
type Large = [u64; 9000];

const fn two_and_two() -> FixedPool<Large> {
    FixedPool::builder().growth(2).limit(4).build()
}

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static REFUSED: Cell<usize> = const { Cell::new(0) };
    static KEPT: RefCell<Option<PoolBytes>> = const { RefCell::new(None) };
}

#[test]
fn slots_that_this_very_thread_is_adding_are_not_waited_for() {
    static POOL: FixedPool<Large> = two_and_two();
    fn ask() {
        if let Err(rejected) = POOL.try_alloc([7; 9000]) {
            let error = rejected.error();
            assert!(matches!(error, PoolError::LimitReached { limit: 4, .. }));
            REFUSED.set(REFUSED.get() + 1);
        }
    }
    let _watchdog = watchdog();
    let first = [1, 2].map(|n| POOL.alloc([n; 9000]));
    let (third, _) = Session::new().run(|| {
        set_callback(Some(ask));
        let third = POOL.alloc([3; 9000]);
        set_callback(None);
        third
    });
    assert!(REFUSED.get() > 0, "the last two slots were not there yet");
    let fourth = POOL.alloc([4; 9000]);
    assert!(POOL.try_alloc([5; 9000]).is_err());
    drop((first, third, fourth));
    POOL.shrink_to_fit();
}

#[test]
fn slots_that_another_thread_is_adding_are_waited_for() {
    static POOL: FixedPool<Large> = two_and_two();
    static START: Barrier = Barrier::new(2);
    fn let_the_other_ask() {
        CALLS.set(CALLS.get() + 1);
        if CALLS.get() == 1 {
            START.wait();
            // Whenever the other asks its answer must be the same; now it most likely asks before there are slots.
            thread::sleep(Duration::from_millis(if cfg!(miri) { 0 } else { 100 }));
        }
    }
    let _watchdog = watchdog();
    let first = [1, 2].map(|n| POOL.alloc([n; 9000]));
    let (third, fourth) = thread::scope(|scope| {
        let other = scope.spawn(|| {
            START.wait();
            POOL.try_alloc([4; 9000]).ok()
        });
        let (third, _) = Session::new().run(|| {
            set_callback(Some(let_the_other_ask));
            let third = POOL.alloc([3; 9000]);
            set_callback(None);
            third
        });
        (third, other.join().unwrap())
    });
    let fourth = fourth.expect("a slot was about to be free");
    assert_eq!((third[0], fourth[0]), (3, 4));
    drop((first, third, fourth));
    POOL.shrink_to_fit();
}

#[test]
fn a_shard_that_was_made_meanwhile_is_the_one() {
    static POOL: FixedPool<Large> = FixedPool::new();
    fn use_it() {
        assert!(POOL.try_alloc([7; 9000]).is_ok());
    }
    let _watchdog = watchdog();
    let session = Session::new();
    session.run(|| {
        drop(POOL.hold()); // from now on the shards can be made, one by one
        set_callback(Some(use_it));
        let handle = POOL.alloc([1; 9000]);
        set_callback(None);
        assert_eq!((handle[8999], POOL.len()), (1, 1));
        drop(handle);
        POOL.shrink_to_fit();
    });
    // A static pool keeps its table and the one shard.
    let regions = session
        .left()
        .into_iter()
        .filter(|left| left.align() >= 4096);
    assert_eq!(regions.count(), 0);
    assert_eq!(POOL.stats().chunks, 0);
}

#[test]
fn a_block_released_while_a_chunk_is_made_takes_its_place() {
    fn release() {
        drop(KEPT.take());
    }
    let _watchdog = watchdog();
    let session = Session::new();
    session.run(|| {
        let pool = VariadicPool::new(4096, 0);
        let kept = pool.alloc(3000);
        let place = kept.as_ptr().addr();
        KEPT.set(Some(kept));
        set_callback(Some(release));
        let block = pool.alloc(3000);
        set_callback(None);
        assert_eq!(block.as_ptr().addr(), place);
        assert_eq!((pool.stats().chunks, pool.reserved_bytes()), (1, 4096));
        assert!(pool.check().is_ok());
    });
    session.assert_nothing_left();
}
