//! The faults of the C library's fixed pool, one by one: each is either gone or cannot be written.

use std::cell::RefCell;
use std::collections::HashSet;
use std::ops::ControlFlow;

use mem_pool::{FixedPool, PoolBox, PoolError};
use rstest::rstest;

use crate::support::{Ledger, count, sorted, walked, watchdog};

#[rstest]
#[case::the_first(0..1)]
#[case::the_last(299..300)]
#[case::a_buffer_of_them(100..200)]
#[case::all_of_them(0..300)]
fn foreach_does_not_visit_freed_blocks(#[case] freed: std::ops::Range<usize>) {
    let ledger = Ledger::default();
    let pool = FixedPool::builder().growth(100).build();
    let mut handles: Vec<_> = (0..300).map(|_| pool.alloc(ledger.make())).collect();
    handles.drain(freed.clone());
    let mut seen = Vec::new();
    pool.for_each(|object| {
        object.check();
        seen.push(object.id);
    });
    let expected: Vec<_> = (0..300).filter(|id| !freed.contains(id)).collect();
    assert_eq!(sorted(seen), expected);
}

#[test]
fn a_stop_leaves_every_buffer() {
    let pool = FixedPool::<u64>::builder().growth(10).build();
    let handles: Vec<_> = (0..count(50_000) as u64).map(|n| pool.alloc(n)).collect();
    let mut visits = 0;
    let stopped = pool.try_for_each(|_| {
        visits += 1;
        ControlFlow::Break(())
    });
    assert_eq!((stopped, visits), (ControlFlow::Break(()), 1));
    assert!(cfg!(miri) || pool.stats().chunks > 1);
    drop(handles);
}

#[test]
fn foreach_holds_no_lock_over_the_callback() {
    let _watchdog = watchdog();
    let pool = FixedPool::<u64>::builder().growth(10).build();
    let handles = RefCell::new(vec![pool.alloc(1), pool.alloc(2)]);
    let mut visits = 0;
    pool.for_each(|_| {
        visits += 1;
        let more = pool.alloc(3);
        assert!(pool.contains(PoolBox::as_ptr(&more)) && pool.owns(&more));
        handles.borrow_mut().push(more);
        std::thread::scope(|scope| {
            scope.spawn(|| drop(pool.alloc(4))); // not even for other threads
        });
        handles.borrow_mut().swap_remove(0);
    });
    assert!(visits >= 1);
}

#[test]
fn a_growth_that_fails_is_an_error_and_adds_nothing() {
    let pool = FixedPool::<[u8; 4096]>::builder()
        .growth(usize::MAX / 4096 + 1)
        .build();
    let rejected = pool.try_alloc([7; 4096]).unwrap_err();
    assert_eq!(rejected.into_inner(), [7; 4096]);
    assert_eq!(
        (pool.len(), pool.capacity(), pool.stats().chunks),
        (0, 0, 0)
    );
}

#[rstest]
#[case::count_times_size_wraps_to_nothing(1 << 56)]
#[case::count_times_size_wraps_to_little((1 << 56) + 1)]
#[case::plus_header_wraps((isize::MAX as usize >> 8) + 1)]
#[case::most(usize::MAX)]
fn sizes_that_wrap_are_errors(#[case] growth: usize) {
    let pool = FixedPool::<[u8; 256]>::builder().growth(growth).build();
    let rejected = pool.try_alloc([0; 256]).unwrap_err();
    assert!(
        matches!(rejected.error(), PoolError::SizeOverflow { .. }),
        "{rejected}"
    );
    assert!(pool.try_reserve(growth).is_err());
    assert_eq!(pool.capacity(), 0);
}

#[test]
fn a_count_of_nothing_is_refused() {
    assert!(FixedPool::<u64>::builder().growth(0).try_build().is_err());
    assert!(
        FixedPool::<u64>::builder()
            .growth(0)
            .keyed()
            .try_build()
            .is_err()
    );
    let pool = FixedPool::<u64>::builder().growth(1).build();
    let handles: Vec<_> = (0..100).map(|n| pool.alloc(n)).collect();
    assert!(handles.iter().zip(0..).all(|(handle, n)| **handle == n));
}

/// A handle is not `Copy` and is moved into its drop: a second free does not compile. What is left is that freeing does
/// not put a slot into two hands.
#[test]
fn freeing_twice_cannot_be_written_and_slots_come_once() {
    let pool = FixedPool::<u64>::builder().growth(8).build();
    let handles: Vec<_> = (0..8).map(|n| pool.alloc(n)).collect();
    drop(handles);
    let again: Vec<_> = (0..8).map(|n| pool.alloc(n)).collect();
    let addresses: HashSet<_> = again.iter().map(PoolBox::as_ptr).collect();
    assert_eq!((addresses.len(), pool.capacity()), (8, 8));
}

#[test]
fn interior_and_foreign_pointers_are_not_associated() {
    let pool = FixedPool::<[u64; 4]>::builder().growth(8).build();
    let other = FixedPool::<[u64; 4]>::builder().growth(8).build();
    let (handle, foreign) = (pool.alloc([1; 4]), other.alloc([2; 4]));
    let block = PoolBox::as_ptr(&handle);
    assert!(pool.contains(block) && !pool.contains(PoolBox::as_ptr(&foreign)));
    for inside in 1..size_of::<[u64; 4]>() {
        assert!(!pool.contains(block.wrapping_byte_add(inside)));
    }
}

#[test]
fn one_past_the_end_is_not_associated() {
    for slots in [1, 8, 64, 100] {
        let pool = FixedPool::<[u64; 4]>::builder().growth(slots).build();
        let handles: Vec<_> = (0..slots).map(|_| pool.alloc([0; 4])).collect();
        let first = handles.iter().map(PoolBox::as_ptr).min().unwrap();
        let last = handles.iter().map(PoolBox::as_ptr).max().unwrap();
        assert!(pool.contains(first) && pool.contains(last));
        assert!(
            !pool.contains(last.wrapping_add(1)),
            "the end of {slots} slots"
        );
        assert!(
            !pool.contains(first.wrapping_sub(1)),
            "before {slots} slots"
        );
    }
}

#[test]
fn what_is_visited_is_what_was_made() {
    let pool = FixedPool::<u64>::builder().growth(3).build();
    let handles: Vec<_> = (0..10).map(|n| pool.alloc(n)).collect();
    assert_eq!(sorted(walked(&pool)), (0..10).collect::<Vec<_>>());
    drop(handles);
}
