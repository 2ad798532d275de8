//! The faults of the C library's variadic pool, one by one: none of them came along.

use mem_pool::{PoolError, VariadicPool};

#[test]
fn best_fit_is_never_smaller_than_what_was_asked_for() {
    // There, a block within the tolerance of the request would do: also one that was too small.
    let pool = VariadicPool::new(1 << 16, 100);
    let blocks: Vec<_> = (1..100)
        .flat_map(|n| [pool.alloc(n * 16), pool.alloc(16)])
        .collect();
    let fences: Vec<_> = blocks.into_iter().skip(1).step_by(2).collect();
    for len in (1..1600).step_by(7) {
        assert!(pool.alloc(len).capacity() >= len);
    }
    drop(fences);
}

#[test]
fn best_fit_is_the_smallest_that_fits() {
    // There, the first block within the tolerance was taken.
    let pool = VariadicPool::new(1 << 16, 0);
    let mut blocks: Vec<_> = [900, 700, 500, 600, 800]
        .map(|len| [Some(pool.alloc(len)), Some(pool.alloc(16))])
        .into();
    let smallest = blocks[3][0].as_ref().unwrap().as_ptr();
    blocks.iter_mut().for_each(|pair| pair[0] = None);
    assert_eq!(pool.alloc(590).as_ptr(), smallest);
}

#[test]
fn large_free_blocks_are_split() {
    let pool = VariadicPool::new(1 << 16, 0);
    drop(pool.alloc(60_000));
    let blocks: Vec<_> = (0..50).map(|_| pool.alloc(1000)).collect();
    assert_eq!(pool.stats().chunks, 1);
    drop(blocks);
}

#[test]
fn size_zero_does_not_reach_the_next_header() {
    let pool = VariadicPool::new(4096, 0);
    let mut blocks: Vec<_> = (0..20).map(|_| pool.alloc(0)).collect();
    for block in &mut blocks {
        let room = block.capacity();
        block.resize(room);
        block.fill(0xFF);
    }
    pool.check().unwrap();
    assert_eq!(pool.live_blocks(), 20);
}

#[test]
fn after_a_merge_the_next_back_link_is_right() {
    // There, it kept the size of what had been merged, so that the next merge went astray.
    let pool = VariadicPool::new(4096, 0);
    let [a, b, c, d] = [100, 200, 300, 400].map(|len| pool.alloc(len));
    drop(a);
    drop(b);
    pool.check().unwrap();
    drop(c);
    pool.check().unwrap();
    assert_eq!(pool.stats().free_blocks, 2);
    drop(d);
    assert_eq!(pool.stats().free_blocks, 1);
}

#[test]
fn one_past_the_end_does_not_belong_to_the_pool() {
    let pool = VariadicPool::new(4096, 0);
    let bytes = pool.alloc(4096 - 64);
    let range = bytes.as_ptr_range();
    assert!(pool.contains(range.start) && pool.contains(range.end.wrapping_sub(1)));
    assert!(!pool.contains(range.end));
    let chunk_end = bytes.as_ptr().wrapping_add(4096 - 48);
    assert!(!pool.contains(chunk_end) && !pool.contains(chunk_end.wrapping_sub(1)));
}

#[test]
fn no_tolerance_divides_by_zero() {
    for tolerance in [0, 1, 50, 100] {
        let pool = VariadicPool::new(4096, tolerance);
        for len in [0, 1, 15, 16, 17, 4000] {
            drop(pool.alloc(len));
            assert!(pool.alloc(len).capacity() >= len);
        }
    }
}

#[test]
fn header_and_size_do_not_overflow() {
    let pool = VariadicPool::new(4096, 0);
    for len in [
        usize::MAX,
        usize::MAX - 15,
        usize::MAX - 16,
        usize::MAX - 64,
    ] {
        assert!(matches!(
            pool.try_alloc(len),
            Err(PoolError::SizeOverflow { .. })
        ));
    }
}

#[test]
fn a_growth_that_fails_is_an_error_and_changes_nothing() {
    let pool = VariadicPool::builder().grow_size(4096).limit(4096).build();
    let kept = pool.alloc_copy(b"kept");
    let before = pool.stats();
    assert!(pool.try_alloc(5000).is_err());
    assert_eq!((pool.stats(), kept), (before, pool.alloc_copy(b"kept")));
}
