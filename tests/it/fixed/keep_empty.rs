//! How many wholly free chunks stay with the pool.

use mem_pool::{FixedPool, Lock};
use rstest::rstest;

use crate::support::{Ledger, Mode, OnDrop, Walked, in_every_mode, in_walked_modes, panic_message};

/// Larger than a chunk, so that each object has one of its own.
type Large = [u8; 65_537];
static LARGE: Large = [7; 65_537];

#[rstest]
#[case::front_to_back(false)]
#[case::back_to_front(true)]
fn exactly_so_many_wholly_free_chunks_stay(
    #[case] back_to_front: bool,
    #[values(0, 1, 3, 7)] keep: usize,
) {
    let pool = FixedPool::<Large>::builder()
        .growth(1)
        .keep_empty(keep)
        .build();
    let mut handles: Vec<_> = (0..8).map(|_| pool.alloc(LARGE)).collect();
    if back_to_front {
        handles.reverse();
    }
    assert_eq!((pool.stats().chunks, pool.capacity()), (8, 8));
    for handle in handles {
        drop(handle);
        let expected = pool.len() + keep.min(8 - pool.len());
        assert_eq!((pool.stats().chunks, pool.capacity()), (expected, expected));
    }
}

in_every_mode!(
    by_default_all_stay,
    keeping_none_gives_everything_back,
    a_kept_chunk_is_used_again,
    a_vacant_and_a_failed_constructor_leave_no_more_than_is_kept,
    a_moved_out_object_leaves_no_more_than_is_kept,
    a_destructor_that_panics_leaves_no_more_than_is_kept,
    shrinking_goes_below_what_is_kept,
);

in_walked_modes!(what_becomes_free_under_a_hold_leaves_as_much_as_is_kept);

fn what_becomes_free_under_a_hold_leaves_as_much_as_is_kept<A: Walked, L: Lock>() {
    let pool = A::builder::<Large, L>().growth(1).keep_empty(2).build();
    let handles: Vec<_> = (0..2).map(|_| pool.alloc(LARGE)).collect();
    let vacants: Vec<_> = (0..3).map(|_| pool.vacant()).collect();
    let hold = pool.hold();
    drop((handles, vacants));
    assert_eq!(pool.stats().chunks, 5);
    drop(hold);
    assert_eq!(pool.stats().chunks, 2);
}

fn by_default_all_stay<A: Mode, L: Lock>() {
    let pool = A::builder::<Large, L>().growth(1).build();
    drop((0..8).map(|_| pool.alloc(LARGE)).collect::<Vec<_>>());
    assert_eq!(pool.stats().chunks, 8);
}

fn keeping_none_gives_everything_back<A: Mode, L: Lock>() {
    let pool = A::builder::<u64, L>().keep_empty(0).build();
    for objects in [1, 64, 65, 5000] {
        drop((0..objects).map(|n| pool.alloc(n)).collect::<Vec<_>>());
        assert_eq!((pool.capacity(), pool.stats().reserved_bytes), (0, 0));
    }
}

fn a_kept_chunk_is_used_again<A: Mode, L: Lock>() {
    let pool = A::builder::<Large, L>().growth(1).keep_empty(1).build();
    for _ in 0..10 {
        let handles = (pool.alloc(LARGE), pool.alloc(LARGE));
        assert_eq!(pool.stats().chunks, 2);
        drop(handles);
        assert_eq!(pool.stats().chunks, 1);
    }
}

fn a_vacant_and_a_failed_constructor_leave_no_more_than_is_kept<A: Mode, L: Lock>() {
    for keep in [0, 1] {
        let pool = A::builder::<u64, L>().keep_empty(keep).build();
        drop(pool.vacant());
        assert!(pool.stats().chunks <= keep);
        panic_message(|| pool.alloc_with(|| panic!("on purpose")));
        assert!(pool.stats().chunks <= keep);
        assert_eq!(pool.len(), 0);
        drop(pool.alloc(1));
        assert_eq!(pool.stats().chunks, keep);
    }
}

fn a_moved_out_object_leaves_no_more_than_is_kept<A: Mode, L: Lock>() {
    let ledger = Ledger::default();
    let mut pool = A::builder::<_, L>().keep_empty(0).build();
    let handle = pool.alloc(ledger.make());
    A::move_out(&mut pool, handle).check();
    assert_eq!((pool.capacity(), pool.stats().chunks), (0, 0));
    ledger.assert_settled();
}

fn a_destructor_that_panics_leaves_no_more_than_is_kept<A: Mode, L: Lock>() {
    let pool = A::builder::<_, L>().keep_empty(0).build();
    let handle = pool.alloc(OnDrop::new(|| panic!("on purpose")));
    assert_eq!(panic_message(|| drop(handle)), "on purpose");
    assert_eq!((pool.capacity(), pool.stats().chunks), (0, 0));
}

fn shrinking_goes_below_what_is_kept<A: Mode, L: Lock>() {
    let pool = A::builder::<u64, L>().keep_empty(3).build();
    drop(pool.alloc(1));
    assert!(pool.stats().chunks > 0);
    assert!(pool.shrink_to_fit() > 0);
    assert_eq!(pool.stats().chunks, 0);
}

#[test]
fn what_is_kept_counts_for_the_whole_pool_not_for_each_thread() {
    let pool = FixedPool::<Large>::builder()
        .growth(1)
        .keep_empty(3)
        .build();
    for _ in 0..8 {
        std::thread::scope(|scope| {
            scope.spawn(|| drop((pool.alloc(LARGE), pool.alloc(LARGE))));
        });
        assert!(pool.stats().chunks <= 3);
    }
    let rest: Vec<_> = (0..5).map(|_| pool.alloc(LARGE)).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| drop(rest));
    });
    assert_eq!(pool.stats().chunks, 3);
}
