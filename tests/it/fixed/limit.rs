//! The limit, and the settings of the builder.

use mem_pool::{FixedPool, Keyed, Lock, PoolError};
use rstest::rstest;

use crate::support::{Mode, in_every_mode, panic_message};

in_every_mode!(
    exactly_the_limit_fits,
    a_freed_slot_is_free_again,
    a_reserved_slot_counts_against_the_limit,
    alloc_at_the_limit_panics_and_says_so,
    without_growth_the_limit_is_exact_too,
);

fn exactly_the_limit_fits<A: Mode, L: Lock>() {
    for limit in [1, 2, 63, 64, 65, 1000] {
        let pool = A::builder::<usize, L>().limit(limit).build();
        let handles: Vec<_> = (0..limit).map(|n| pool.try_alloc(n).unwrap()).collect();
        assert_eq!((pool.len(), pool.capacity()), (limit, limit));
        for _ in 0..3 {
            let rejected = pool.try_alloc(77).err().unwrap();
            assert!(matches!(
                rejected.error(),
                PoolError::LimitReached { limit: l, deferred: 0, .. } if *l == limit
            ));
            assert_eq!(rejected.into_inner(), 77);
        }
        assert_eq!((pool.len(), pool.capacity()), (limit, limit));
        drop(handles);
    }
}

fn a_freed_slot_is_free_again<A: Mode, L: Lock>() {
    let pool = A::builder::<usize, L>().limit(5).build();
    let mut handles: Vec<_> = (0..5).map(|n| pool.alloc(n)).collect();
    for n in 0..100 {
        handles.swap_remove(n % 5);
        handles.push(pool.try_alloc(n).unwrap());
        assert!(pool.try_alloc(n).is_err());
    }
}

fn a_reserved_slot_counts_against_the_limit<A: Mode, L: Lock>() {
    let pool = A::builder::<u8, L>().limit(2).build();
    let reserved = pool.vacant();
    let handle = pool.alloc(1);
    assert!(pool.try_alloc(2).is_err() && pool.try_vacant().is_err());
    drop(reserved);
    let vacant = pool.try_vacant().unwrap();
    drop((handle, vacant));
}

fn alloc_at_the_limit_panics_and_says_so<A: Mode, L: Lock>() {
    let pool = A::builder::<u8, L>().limit(3).build();
    let handles = [pool.alloc(1), pool.alloc(2), pool.alloc(3)];
    let messages = [
        panic_message(|| pool.alloc(4)),
        panic_message(|| pool.vacant().write(4)),
        panic_message(|| pool.alloc_with(|| 4)),
    ];
    for message in messages {
        assert!(message.contains("limit of 3 slots"), "{message}");
    }
    drop(handles);
    assert_eq!(pool.len(), 0);
    drop(pool.alloc(5));
}

fn without_growth_the_limit_is_exact_too<A: Mode, L: Lock>() {
    let pool = A::builder::<[u8; 1000], L>().limit(700).build();
    let handles: Vec<_> = std::iter::from_fn(|| pool.try_alloc([1; 1000]).ok()).collect();
    assert_eq!((handles.len(), pool.capacity()), (700, 700));
}

#[rstest]
#[case::growth(FixedPool::<u8>::builder().growth(0).try_build(), "growth")]
#[case::limit(FixedPool::<u8>::builder().limit(0).try_build(), "limit")]
fn nonsense_is_refused_by_name(
    #[case] built: Result<FixedPool<u8>, PoolError>,
    #[case] setting: &str,
) {
    let error = built.unwrap_err();
    assert!(matches!(error, PoolError::InvalidConfig { .. }));
    assert!(error.to_string().contains(setting), "{error}");
}

#[test]
fn nonsense_panics_in_build() {
    let message = panic_message(|| FixedPool::<u8>::builder().growth(0).build());
    assert!(message.contains("growth"), "{message}");
    panic_message(|| FixedPool::<u8>::builder().keyed().limit(0).build());
}

#[test]
fn access_may_be_chosen_before_and_after_the_rest() {
    let first = FixedPool::<u8>::builder()
        .keyed()
        .growth(3)
        .limit(5)
        .build();
    let last: FixedPool<u8, Keyed> = FixedPool::builder().growth(3).limit(5).keyed().build();
    for pool in [first, last] {
        let handles: Vec<_> = std::iter::from_fn(|| pool.try_alloc(1).ok()).collect();
        assert_eq!((handles.len(), pool.capacity()), (5, 5));
    }
}

#[test]
fn try_build_builds_what_build_builds() {
    let pool = FixedPool::<u8>::builder().growth(3).try_build().unwrap();
    let handle = pool.alloc(1);
    assert_eq!(pool.capacity(), 3);
    drop(handle);
    let keep_none = FixedPool::<u8>::builder().keep_empty(0).try_build();
    assert!(keep_none.is_ok(), "keeping nothing makes sense");
}
