//! Faults that this suite has found.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use mem_pool::{FixedPool, PoolBox, PoolError};

use crate::support::{count, watchdog};

#[test]
fn a_pool_without_a_limit_speaks_of_none() {
    let pool = FixedPool::<u64>::new();
    let handle = pool.alloc(5);
    for additional in [usize::MAX, usize::MAX - 1] {
        let error = pool.try_reserve(additional).unwrap_err();
        assert!(matches!(error, PoolError::SizeOverflow { .. }), "{error}");
    }
    drop(handle);
}

#[test]
fn a_key_prints_its_objects_address_wherever_the_key_lies() {
    let pool = FixedPool::<u64>::keyed();
    let key = pool.alloc(5);
    let address = format!("{:p}", PoolBox::as_ptr(&key));
    assert_eq!(format!("{key:p}"), address);
    let printed = format!("{key:?}");
    assert!(printed.contains(&address), "{printed} is not at {address}");
    let moved = Box::new(key);
    assert_eq!(format!("{moved:?}"), printed);
}

#[test]
fn an_impossible_reserve_does_not_make_another_thread_fail() {
    let _watchdog = watchdog();
    let pool = FixedPool::<u64>::new();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                assert!(pool.try_reserve(usize::MAX).is_err());
            }
        });
        let made = (0..count(20_000)).all(|n| {
            let made = pool.try_alloc(n as u64).is_ok();
            pool.shrink_to_fit(); // so that each needs to grow
            made
        });
        done.store(true, Ordering::Relaxed);
        assert!(made, "a pool without a limit reported one");
    });
}

/// Makes a pool of many chunks that are all free when this returns.
fn free_chunks<A: mem_pool::Access>(pool: &FixedPool<PanicsIf, A>) {
    drop(
        (0..count(20_000))
            .map(|_| pool.vacant())
            .collect::<Vec<_>>(),
    );
}

struct PanicsIf(bool);

impl Drop for PanicsIf {
    fn drop(&mut self) {
        assert!(!self.0, "as asked");
    }
}

#[test]
fn chunks_freed_under_a_hold_go_back_even_if_a_destructor_panics() {
    let pool = FixedPool::<PanicsIf>::builder().keep_empty(0).build();
    let hold = pool.hold();
    drop(pool.alloc(PanicsIf(true)));
    free_chunks(&pool);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(hold))).is_err());
    assert_eq!(pool.stats().chunks, 0);
}

#[test]
fn chunks_freed_under_a_forgotten_hold_go_back() {
    let mut pool = FixedPool::<PanicsIf>::builder()
        .keyed()
        .keep_empty(0)
        .build();
    std::mem::forget(pool.hold());
    free_chunks(&pool);
    assert!(pool.stats().chunks > 0);
    pool.clear();
    assert_eq!(pool.stats().chunks, 0);
}
