//! How capacity comes and goes: `growth`, `reserve`, `shrink_to_fit`.

use mem_pool::generic::FixedPool;
use mem_pool::{FixedPool as Locked, Lock, PoolBox, PoolError};
use rstest::rstest;

use crate::support::{Mode, count, in_every_mode, on_a_large_stack, panic_message, pool};

/// Fills the pool and asserts that each time it is full it grows by `step`, cut to `limit`.
fn assert_grows_by<T, A: Mode, L: Lock>(
    pool: &FixedPool<T, A, L>,
    step: usize,
    limit: usize,
    objects: impl Iterator<Item = T>,
) -> Vec<PoolBox<T, A, L>> {
    let mut handles = Vec::new();
    let mut capacity = 0;
    for object in objects {
        if handles.len() == capacity {
            capacity = limit.min(capacity + step);
        }
        handles.push(pool.alloc(object));
        assert_eq!(pool.capacity(), capacity, "with {} objects", handles.len());
    }
    handles
}

#[rstest]
#[case::one(1, 300)]
#[case::two(2, 300)]
#[case::one_less_than_a_group(63, 700)]
#[case::a_group(64, 700)]
#[case::one_more_than_a_group(65, 700)]
#[case::a_page(512, 2000)]
#[case::several_chunks(20_000, 50_001)]
#[case::many_chunks(300_000, 300_001)]
fn each_step_adds_exactly_the_growth(#[case] step: usize, #[case] objects: usize) {
    let pool = Locked::<u64>::builder().growth(step).build();
    let handles = assert_grows_by(&pool, step, usize::MAX, 0..count(objects) as u64);
    assert!(
        handles
            .iter()
            .enumerate()
            .all(|(n, object)| **object == n as u64)
    );
}

#[rstest]
#[case::small_objects([0u8; 1], 1000)]
#[case::odd_size([0u8; 3], 777)]
#[case::zero_sized([0u8; 0], 100)]
#[case::zero_sized_more_than_a_chunk_of_bytes([0u8; 0], 70_000)]
#[case::page_sized([0u8; 4096], 33)]
#[case::larger_than_a_chunk([0u8; 100_000], 3)]
fn growth_is_exact_for_any_size<const N: usize>(#[case] object: [u8; N], #[case] step: usize) {
    on_a_large_stack(|| {
        let pool = Locked::<[u8; N]>::builder().growth(step).build();
        let objects = std::iter::repeat_n(object, count(2 * step + 1));
        drop(assert_grows_by(&pool, step, usize::MAX, objects));
    });
}

#[rstest]
#[case(10, 25)]
#[case(10, 10)]
#[case(10, 3)]
#[case(1, 1)]
#[case(usize::MAX, 10)]
#[case(1 << 40, 1000)]
#[case(20_000, 30_001)]
fn the_last_step_is_cut_to_fit_the_limit(#[case] step: usize, #[case] limit: usize) {
    let pool = Locked::<u64>::builder().growth(step).limit(limit).build();
    let objects = if cfg!(miri) { limit.min(40) } else { limit };
    let handles = assert_grows_by_saturating(&pool, step, limit, objects);
    if objects == limit {
        assert_eq!(pool.try_alloc(7).unwrap_err().into_inner(), 7);
    }
    assert!(pool.capacity() <= limit);
    drop(handles);
}

fn assert_grows_by_saturating(
    pool: &Locked<u64>,
    step: usize,
    limit: usize,
    objects: usize,
) -> Vec<PoolBox<u64>> {
    assert_grows_by(pool, step.min(limit), limit, 0..objects as u64)
}

in_every_mode!(
    the_default_grows_geometrically,
    reserved_room_is_room,
    reserve_grows_by_whole_steps,
    impossible_reserves_change_nothing,
    a_limit_bounds_reserves,
    shrinking_gives_back_what_is_wholly_free,
    shrinking_keeps_every_live_object,
    no_growth_is_too_small,
);

fn the_default_grows_geometrically<A: Mode, L: Lock>() {
    let pool = pool::<u64, A, L>();
    let mut handles = Vec::new();
    let mut steps = Vec::new();
    for _ in 0..count(100_000) {
        let before = pool.capacity();
        handles.push(pool.alloc(0));
        if pool.capacity() != before {
            steps.push(pool.capacity() - before);
        }
    }
    assert!(steps[0] <= 1024, "a small pool is small: {steps:?}");
    assert!(steps.len() <= 20, "{steps:?}");
    assert!(pool.capacity() <= 3 * handles.len().max(1000), "{steps:?}");
}

fn reserved_room_is_room<A: Mode, L: Lock>() {
    for (live, additional) in [(0, 1), (0, 100), (10, 1000), (500, 20_000), (3, 0)] {
        let pool = pool::<u64, A, L>();
        let mut handles: Vec<_> = (0..live).map(|_| pool.alloc(1)).collect();
        pool.reserve(additional);
        let capacity = pool.capacity();
        assert!(capacity >= live + additional);
        handles.extend((0..additional).map(|_| pool.alloc(2)));
        assert_eq!(pool.capacity(), capacity);
        pool.reserve(0);
        assert_eq!(pool.capacity(), capacity);
    }
}

fn reserve_grows_by_whole_steps<A: Mode, L: Lock>() {
    let pool = A::builder::<u64, L>().growth(10).build();
    pool.reserve(1);
    assert_eq!(pool.capacity(), 10);
    pool.reserve(10);
    assert_eq!(pool.capacity(), 10, "there was room");
    let handle = pool.alloc(1);
    pool.reserve(10);
    assert_eq!(pool.capacity(), 20);
    pool.reserve(32);
    assert_eq!(pool.capacity(), 40);
    drop(handle);
}

fn impossible_reserves_change_nothing<A: Mode, L: Lock>() {
    let pool = pool::<u64, A, L>();
    let handle = pool.alloc(5);
    let capacity = pool.capacity();
    let most = isize::MAX as usize;
    for additional in [
        usize::MAX,
        usize::MAX - 1,
        most,
        most / 8,
        usize::MAX / 8 + 2,
    ] {
        assert!(pool.try_reserve(additional).is_err(), "{additional}");
        assert_eq!(pool.capacity(), capacity);
    }
    panic_message(|| pool.reserve(usize::MAX));
    assert_eq!(A::read(&pool, &handle, |n| *n), 5);
    assert_eq!(pool.len(), 1);
}

#[test]
fn as_many_slots_as_an_allocation_can_have_are_asked_for_and_no_more() {
    let pool = Locked::<u64>::builder().unique().build();
    let possible = isize::MAX as usize / 8;
    let error = pool.try_reserve(possible).unwrap_err();
    assert!(matches!(error, PoolError::OutOfMemory { .. }), "{error}");
    let error = pool.try_reserve(possible + 1).unwrap_err();
    assert!(
        matches!(error, PoolError::SizeOverflow { most, .. } if most == possible),
        "{error}"
    );
}

/// A step of several regions, the first of which is a full one.
#[test]
fn the_last_region_has_what_is_missing() {
    const SIZE: usize = 5000;
    let pool = Locked::<[u8; SIZE]>::builder().growth(20).limit(20).build();
    pool.reserve(20);
    let stats = pool.stats();
    assert_eq!((stats.capacity, stats.chunks), (20, 2));
    assert!(stats.reserved_bytes < 21 * SIZE, "{stats:?}");
}

fn a_limit_bounds_reserves<A: Mode, L: Lock>() {
    let pool = A::builder::<u64, L>().limit(100).build();
    let handles: Vec<_> = (0..40).map(|_| pool.alloc(0)).collect();
    let before = pool.capacity();
    let error = pool.try_reserve(61).unwrap_err();
    assert!(
        matches!(error, PoolError::ReserveBeyondLimit { .. }),
        "{error}"
    );
    assert_eq!(pool.capacity(), before);
    let text = error.to_string();
    assert!(
        ["61", "100", "60"]
            .iter()
            .all(|figure| text.contains(figure)),
        "{text}"
    );
    let message = panic_message(|| pool.reserve(61));
    assert!(message.contains("100"), "{message}");
    pool.try_reserve(60).unwrap();
    assert_eq!(pool.capacity(), 100);
    assert!(pool.try_reserve(usize::MAX).is_err());
    drop(handles);
    pool.try_reserve(100).unwrap();
    assert!(pool.try_reserve(101).is_err());
}

fn shrinking_gives_back_what_is_wholly_free<A: Mode, L: Lock>() {
    let pool = pool::<u64, A, L>();
    assert_eq!(pool.shrink_to_fit(), 0);
    drop(
        (0..count(50_000))
            .map(|_| pool.alloc(0))
            .collect::<Vec<_>>(),
    );
    let before = pool.stats();
    assert_eq!(pool.shrink_to_fit(), before.reserved_bytes);
    let after = pool.stats();
    assert_eq!(
        (after.capacity, after.chunks, after.reserved_bytes),
        (0, 0, 0)
    );
    assert_eq!(pool.capacity(), 0);
    let handle = pool.alloc(9);
    assert_eq!(A::read(&pool, &handle, |n| *n), 9);
}

fn shrinking_keeps_every_live_object<A: Mode, L: Lock>() {
    let pool = A::builder::<usize, L>().growth(100).build();
    let mut handles: Vec<_> = (0..count(40_000)).map(|n| (n, pool.alloc(n))).collect();
    handles.retain(|(n, _)| *n < 10 || n % 9973 == 0);
    let before = pool.stats();
    let bytes = pool.shrink_to_fit();
    let after = pool.stats();
    assert_eq!(before.reserved_bytes - after.reserved_bytes, bytes);
    assert_eq!(after.live, handles.len());
    assert!(cfg!(miri) || bytes > 0, "most chunks were wholly free");
    for (n, handle) in &handles {
        assert!(A::read(&pool, handle, |object| object == n) && pool.owns(handle));
    }
    assert_eq!(pool.shrink_to_fit(), 0);
}

fn no_growth_is_too_small<A: Mode, L: Lock>() {
    let pool = A::builder::<[u8; 24], L>().growth(1).limit(1).build();
    for round in 0..100 {
        let handle = pool.alloc([round; 24]);
        assert_eq!(A::read(&pool, &handle, |bytes| *bytes), [round; 24]);
        assert_eq!(pool.capacity(), 1);
    }
}

#[test]
fn an_impossible_growth_is_an_error_and_gives_the_value_back() {
    let pool = Locked::<String>::builder().growth(usize::MAX).build();
    let rejected = pool.try_alloc("kept".into()).unwrap_err();
    let possible = isize::MAX as usize / size_of::<String>();
    assert!(
        matches!(rejected.error(), PoolError::SizeOverflow { most, .. } if *most == possible),
        "{rejected}"
    );
    assert_eq!(rejected.into_inner(), "kept");
    assert!(pool.try_vacant().is_err() && pool.try_reserve(1).is_err());
    assert_eq!(
        (pool.capacity(), pool.len(), pool.stats().reserved_bytes),
        (0, 0, 0)
    );
}

#[test]
fn zero_sized_objects_have_a_greatest_number_too() {
    let pool = Locked::<()>::new();
    assert!(pool.try_reserve(usize::MAX).is_err());
    let pool = Locked::<()>::builder().growth(usize::MAX).build();
    assert!(pool.try_alloc(()).is_err());
}
