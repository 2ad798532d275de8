//! `VariadicPool` and its handles: what each method promises.

use std::borrow::{Borrow, BorrowMut};
use std::collections::{BTreeSet, HashSet};
use std::io::Write;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

use mem_pool::{HeapMap, PoolBytes, PoolError, PoolSlice, VariadicBuilder, VariadicPool, local};
use rstest::rstest;

/// Bytes that differ from place to place.
fn pattern(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 31 + seed * 7 + 1) as u8).collect()
}

#[rstest]
fn every_size_with_every_alignment(
    #[values(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)] align: usize,
    #[values(0, 20, 100)] tolerance: u8,
) {
    let pool = VariadicPool::new(1 << 16, tolerance);
    let most = if cfg!(miri) { 20 } else { 257 };
    let mut blocks: Vec<_> = (0..=most)
        .map(|len| pool.alloc_aligned(len, align))
        .collect();
    for (len, block) in blocks.iter_mut().enumerate() {
        assert_eq!((block.len(), block.as_ptr().addr() % align), (len, 0));
        assert!(block.capacity() >= len && block.iter().all(|&byte| byte == 0));
        let spare = block.capacity() - len;
        block.extend_from_slice(&pattern(spare, len));
        block[..len].copy_from_slice(&pattern(len, len));
    }
    pool.check().unwrap();
    for (len, block) in blocks.iter().enumerate() {
        assert_eq!(block[..len], pattern(len, len));
        assert_eq!(block[len..], pattern(block.capacity() - len, len));
    }
    blocks.into_iter().rev().step_by(2).for_each(drop);
    pool.check().unwrap();
    assert_eq!((pool.live_blocks(), pool.stats().chunks), (0, 1));
}

#[rstest]
#[case(1 << 14)]
#[case(1 << 18)]
#[case(1 << 20)]
fn large_alignments_leave_their_padding_free(#[case] align: usize) {
    let pool = VariadicPool::default();
    let block = pool.alloc_aligned(1000, align);
    assert_eq!(block.as_ptr().addr() % align, 0);
    assert!(block.capacity() < 1040, "the padding is not the block's");
    drop(block);
    pool.check().unwrap();
    assert_eq!(pool.stats().free_blocks, 1);
}

#[test]
fn what_cannot_be_counted_is_an_error() {
    let pool = VariadicPool::default();
    for len in [
        usize::MAX,
        usize::MAX - 16,
        isize::MAX as usize,
        isize::MAX as usize + 1,
        1 << 37,
    ] {
        assert!(
            matches!(pool.try_alloc(len), Err(PoolError::SizeOverflow { requested, .. }) if requested == len)
        );
        assert!(matches!(
            pool.try_alloc_with_capacity(len),
            Err(PoolError::SizeOverflow { .. })
        ));
        assert!(matches!(
            pool.try_alloc_aligned(len, 4096),
            Err(PoolError::SizeOverflow { .. })
        ));
        assert!(matches!(
            pool.try_alloc_pod::<u8>(len),
            Err(PoolError::SizeOverflow { .. })
        ));
    }
    assert!(matches!(
        pool.try_alloc_pod::<u64>(usize::MAX / 4),
        Err(PoolError::SizeOverflow { .. })
    ));
    assert!(matches!(
        pool.try_alloc_pod::<u64>(usize::MAX / 8 + 2),
        Err(PoolError::SizeOverflow { .. })
    ));
    for align in [0, 3, 48, 1 << 21, usize::MAX] {
        let error = pool.try_alloc_aligned(1, align).unwrap_err();
        assert!(matches!(error, PoolError::BadAlignment { requested, .. } if requested == align));
    }
    assert_eq!((pool.live_blocks(), pool.reserved_bytes()), (0, 0));
}

#[test]
fn growth_that_cannot_be_counted_changes_nothing() {
    let pool = VariadicPool::default();
    let mut bytes = pool.alloc_copy(b"kept");
    for more in [usize::MAX, usize::MAX - 3, isize::MAX as usize] {
        assert!(bytes.try_reserve(more).is_err());
        assert!(bytes.try_resize(more).is_err());
        assert!(!bytes.try_grow_in_place(more));
    }
    assert_eq!(bytes, b"kept");
    pool.check().unwrap();
}

#[test]
#[should_panic(expected = "do not fit: 4096 of the pool's limit of 5000 bytes are reserved")]
fn at_the_limit_alloc_panics_with_a_clear_message() {
    let pool = VariadicPool::builder().grow_size(4096).limit(5000).build();
    let _first = pool.alloc(3000);
    let _second = pool.alloc(3000);
}

#[test]
fn the_limit_bounds_what_is_reserved() {
    let pool = VariadicPool::builder()
        .grow_size(4096)
        .limit(10_000)
        .build();
    let mut blocks = Vec::new();
    let error = loop {
        match pool.try_alloc(500) {
            Ok(block) => blocks.push(block),
            Err(error) => break error,
        }
        assert!(pool.reserved_bytes() <= 10_000);
    };
    assert!(
        matches!(
            error,
            PoolError::ByteLimitReached {
                requested: 500,
                limit: 10_000,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(
        pool.reserved_bytes(),
        10_000,
        "the last chunk is cut to fit"
    );
    assert_eq!(blocks.len(), 7 + 7 + 3);
    blocks.pop();
    pool.alloc(500);
    pool.check().unwrap();
}

#[test]
fn a_wholly_free_chunk_makes_way_for_a_larger_one() {
    let pool = VariadicPool::builder()
        .grow_size(4096)
        .limit(10_000)
        .build();
    drop(pool.alloc(4000));
    assert_eq!(pool.reserved_bytes(), 4096);
    assert_eq!(pool.alloc(9_000).len(), 9_000);
}

#[test]
fn at_the_limit_is_told_what_is_reserved_without_the_free_chunks() {
    let pool = VariadicPool::builder()
        .grow_size(4096)
        .limit(10_000)
        .build();
    let _kept = pool.alloc(4000);
    drop(pool.alloc(4000));
    assert_eq!(pool.reserved_bytes(), 8192);
    let error = pool.try_alloc(9_000).unwrap_err();
    assert!(
        matches!(
            error,
            PoolError::ByteLimitReached {
                requested: 9_000,
                reserved: 4096,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(pool.reserved_bytes(), 4096);
}

#[test]
fn at_the_limit_other_shards_help_out() {
    let pool = VariadicPool::builder()
        .grow_size(1 << 16)
        .limit(1 << 16)
        .build();
    // The whole limit becomes the chunk of another thread's shard; one block stays.
    let kept = thread::scope(|scope| scope.spawn(|| pool.alloc(100)).join().unwrap());
    for _ in 0..4 {
        thread::scope(|scope| {
            scope.spawn(|| assert_eq!(pool.try_alloc(1000).unwrap().len(), 1000));
        });
    }
    drop(kept);
    // And a wholly free chunk of one shard makes way for a chunk of another.
    for _ in 0..4 {
        thread::scope(|scope| {
            scope.spawn(|| assert_eq!(pool.try_alloc(50_000).unwrap().len(), 50_000));
        });
    }
    assert_eq!(pool.reserved_bytes(), 1 << 16);
}

#[rstest]
#[case(VariadicPool::builder().grow_size(0))]
#[case(VariadicPool::builder().grow_size(usize::MAX))]
#[case(VariadicPool::builder().tolerance_percent(101))]
#[case(VariadicPool::builder().tolerance_percent(255))]
fn nonsense_is_refused(#[case] builder: VariadicBuilder) {
    assert!(matches!(
        builder.try_build(),
        Err(PoolError::InvalidConfig { .. })
    ));
}

#[test]
#[cfg(target_pointer_width = "64")]
fn a_growth_step_of_all_that_a_chunk_can_have_is_not_nonsense() {
    let grow = |size: usize| VariadicPool::builder().grow_size(size).try_build();
    assert!(grow((1 << 35) - 16).is_ok() && grow((1 << 35) - 15).is_err());
}

#[rstest]
#[case(1)]
#[case(15)]
#[case(33)]
#[case(1 << 20)]
fn any_growth_step_will_do(#[case] grow_size: usize) {
    let pool = VariadicPool::new(grow_size, 0);
    let blocks: Vec<_> = (0..100)
        .map(|len| pool.alloc_copy(&pattern(len, len)))
        .collect();
    blocks
        .iter()
        .enumerate()
        .for_each(|(len, block)| assert_eq!(block, &pattern(len, len)));
    pool.check().unwrap();
}

#[test]
fn a_request_beyond_the_growth_step_gets_a_chunk_of_its_own() {
    let pool = VariadicPool::new(4096, 0);
    let small = pool.alloc(10);
    let large = pool.alloc(100_000);
    assert_eq!(pool.stats().chunks, 2);
    assert!(pool.reserved_bytes() < 4096 + 100_100);
    drop(large);
    assert_eq!(pool.stats().chunks, 2, "one wholly free chunk is kept");
    assert_eq!(pool.shrink_to_fit(), pool_bytes_of_a_chunk(100_000));
    assert_eq!(pool.reserved_bytes(), 4096);
    drop(small);
}

/// What a chunk of its own takes: the payload, rounded to 16, its header, the chunk's header and the sentinel.
fn pool_bytes_of_a_chunk(len: usize) -> usize {
    (8 + len).next_multiple_of(16) + 32
}

#[test]
fn one_wholly_free_chunk_is_kept_until_the_pool_shrinks() {
    let pool = VariadicPool::new(4096, 0);
    let blocks: Vec<_> = (0..20).map(|_| pool.alloc(2000)).collect();
    assert_eq!(pool.stats().chunks, 10);
    drop(blocks);
    assert_eq!((pool.stats().chunks, pool.reserved_bytes()), (1, 4096));
    assert_eq!(pool.shrink_to_fit(), 4096);
    assert_eq!((pool.reserved_bytes(), pool.shrink_to_fit()), (0, 0));
    assert_eq!(pool.alloc_copy(b"and on"), b"and on");
}

#[test]
fn handles_outlive_their_pool() {
    let pool = VariadicPool::new(4096, 0);
    let mut blocks: Vec<_> = (0..40).map(|n| pool.alloc_copy(&pattern(300, n))).collect();
    let mut empty = pool.alloc(0);
    drop(pool);
    empty.resize(100_000);
    assert!(empty.iter().all(|&byte| byte == 0));
    for (n, block) in blocks.iter_mut().enumerate() {
        block.resize(300 + n * 100);
        assert_eq!(block[..300], pattern(300, n));
        block.shrink_to_fit();
    }
    let copy = blocks[3].clone();
    blocks.into_iter().step_by(3).for_each(drop);
    assert_eq!(copy[..300], pattern(300, 3));
}

#[test]
fn handles_may_be_dropped_anywhere() {
    let pool = Arc::new(VariadicPool::new(1 << 14, 20));
    let (send, receive) = mpsc::channel::<PoolBytes>();
    let makers: Vec<_> = (0..3)
        .map(|seed| (seed, Arc::clone(&pool), send.clone()))
        .collect();
    drop(send);
    let makers: Vec<_> = makers
        .into_iter()
        .map(|(seed, pool, send)| {
            thread::spawn(move || {
                for len in 0..if cfg!(miri) { 30 } else { 2000 } {
                    let mut bytes = pool.alloc_copy(&pattern(len % 700, seed));
                    bytes.push(seed as u8);
                    send.send(bytes).unwrap();
                }
            })
        })
        .collect();
    for mut bytes in receive {
        let seed = usize::from(bytes.pop().unwrap());
        assert_eq!(bytes, pattern(bytes.len(), seed));
        bytes.resize(bytes.len() * 2);
        assert_eq!(bytes[..bytes.len() / 2], pattern(bytes.len() / 2, seed));
    }
    makers.into_iter().for_each(|maker| maker.join().unwrap());
    pool.check().unwrap();
    assert_eq!((pool.live_blocks(), pool.live_bytes()), (0, 0));
    pool.shrink_to_fit();
    assert_eq!(pool.reserved_bytes(), 0);
}

#[test]
fn the_pool_may_go_while_threads_have_handles() {
    let pool = VariadicPool::new(2048, 0);
    let barrier = Arc::new(Barrier::new(5));
    let threads: Vec<_> = (0..4)
        .map(|seed| {
            let mut blocks: Vec<_> = (0..50)
                .map(|n| pool.alloc_copy(&pattern(n * 5, seed)))
                .collect();
            let barrier = Arc::clone(&barrier);
            thread::spawn(move || {
                barrier.wait();
                for (n, block) in blocks.iter_mut().enumerate() {
                    block.extend_from_slice(b"more");
                    assert_eq!(block[..n * 5], pattern(n * 5, seed));
                }
            })
        })
        .collect();
    barrier.wait();
    drop(pool);
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
}

#[test]
fn looking_on_while_others_work_is_sound() {
    let pool = VariadicPool::new(4096, 20);
    let rounds = if cfg!(miri) { 20 } else { 2000 };
    thread::scope(|scope| {
        for seed in 1..4 {
            let pool = &pool;
            scope.spawn(move || {
                let mut blocks: Vec<_> = (0..20).map(|n| pool.alloc(n * 10)).collect();
                for n in 0..rounds {
                    let block = &mut blocks[n * seed % 20];
                    block.push(n as u8);
                    block.truncate(n % 300);
                    block.extend_from_slice(&[seed as u8; 40]);
                    if n % 5 == 0 {
                        *block = pool.alloc(n % 500);
                    }
                }
            });
        }
        for n in 0..rounds / 10 {
            pool.check().unwrap();
            let stats = pool.stats();
            assert!(
                stats.live_blocks <= 63
                    && stats.live_bytes + stats.header_bytes <= stats.reserved_bytes
            );
            assert!(pool.live_bytes() <= 63 * 1000);
            assert!(!pool.contains((&raw const n).cast()));
            assert!(pool.heap_map().to_json().ends_with("]}"));
            pool.shrink_to_fit();
        }
    });
    assert_eq!((pool.live_blocks(), pool.live_bytes()), (0, 0));
}

#[test]
fn many_threads_share_a_limit() {
    let pool = VariadicPool::builder()
        .grow_size(4096)
        .limit(64 * 1024)
        .build();
    thread::scope(|scope| {
        for seed in 0..4 {
            let pool = &pool;
            scope.spawn(move || {
                let mut blocks = Vec::new();
                for n in 0..if cfg!(miri) { 50 } else { 5000 } {
                    match pool.try_alloc_copy(&pattern(n % 900, seed)) {
                        Ok(block) => blocks.push((n, block)),
                        Err(error) => assert!(matches!(error, PoolError::ByteLimitReached { .. })),
                    }
                    assert!(pool.reserved_bytes() <= 64 * 1024);
                    if n % 3 == 0 && !blocks.is_empty() {
                        let (n, block) = blocks.swap_remove(n * 7 % blocks.len());
                        assert_eq!(block, pattern(n % 900, seed));
                    }
                }
            });
        }
    });
    pool.check().unwrap();
    assert_eq!(pool.live_blocks(), 0);
}

/// Leaves bytes that nobody may see.
fn fill_and_release(pool: &VariadicPool, len: usize) {
    let mut bytes = pool.alloc(len);
    bytes.fill(0xAA);
}

#[test]
fn a_recycled_block_never_shows_former_bytes() {
    let pool = VariadicPool::new(4096, 100);
    for len in [1, 16, 100, 1000, 3000] {
        fill_and_release(&pool, 3900);
        assert!(pool.alloc(len).iter().all(|&byte| byte == 0));
        fill_and_release(&pool, 3900);
        let mut bytes = pool.alloc_with_capacity(len);
        assert_eq!(bytes.len(), 0);
        bytes.resize(len);
        assert!(bytes.iter().all(|&byte| byte == 0));
        bytes.fill(0xAA);
        bytes.truncate(len / 2);
        bytes.resize(len * 2);
        assert!(bytes[..len / 2].iter().all(|&byte| byte == 0xAA));
        assert!(
            bytes[len / 2..].iter().all(|&byte| byte == 0),
            "truncated bytes do not come back"
        );
    }
    fill_and_release(&pool, 3900);
    assert_eq!(*pool.alloc_pod::<u64>(100), [0; 100]);
}

#[rstest]
#[case(false)]
#[case(true)]
fn a_pool_wipes_on_release_if_told_to(#[case] wipe: bool) {
    let pool = VariadicPool::builder()
        .grow_size(4096)
        .zero_on_release(wipe)
        .build();
    let fence = pool.alloc(16);
    let mut bytes = pool.alloc(1000);
    bytes.fill(0xAA);
    bytes.truncate(10);
    drop(bytes);
    let mut bytes = pool.alloc_with_capacity(1000);
    // SAFETY: the same block again, whose bytes have all been written.
    #[expect(unsafe_code, reason = "to see what safe code cannot")]
    unsafe {
        bytes.set_len(1000);
    }
    // The pool's own links are at the beginning of a free block.
    assert_eq!(bytes[64..].contains(&0xAA), !wipe);
    drop(fence);
}

#[test]
fn a_given_back_tail_is_wiped_too() {
    let pool = VariadicPool::builder()
        .grow_size(4096)
        .zero_on_release(true)
        .build();
    let mut first = pool.alloc(1000);
    first.fill(0xAA);
    first.truncate(100);
    first.shrink_to_fit();
    let mut second = pool.alloc_with_capacity(1000);
    // SAFETY: the former tail of the first block, whose bytes have all been written, and a rest of the chunk is not.
    #[expect(unsafe_code, reason = "to see what safe code cannot")]
    unsafe {
        second.set_len(800);
    }
    assert!(!second[64..].contains(&0xAA));
    assert_eq!(first, [0xAA; 100]);
}

#[test]
fn resizing_keeps_the_contents_and_shows_zeroes() {
    let pool = VariadicPool::new(8192, 0);
    let mut bytes = pool.alloc_aligned(0, 64);
    let mut expected: Vec<u8> = Vec::new();
    let fences: Vec<_> = (0..50).map(|n| pool.alloc(n * 20)).collect();
    for (step, len) in [1, 15, 16, 17, 40, 3, 300, 299, 0, 5000, 100, 20_000, 33]
        .into_iter()
        .enumerate()
    {
        bytes.resize(len);
        expected.resize(len, 0);
        assert_eq!(bytes, expected);
        assert_eq!(bytes.as_ptr().addr() % 64, 0, "alignment is kept");
        let fresh = pattern(len, step);
        bytes.copy_from_slice(&fresh);
        expected.copy_from_slice(&fresh);
        if step % 3 == 0 {
            bytes.shrink_to_fit();
            assert!(bytes.capacity() < len.max(1).next_multiple_of(16) + 32);
        }
        pool.check().unwrap();
    }
    drop(fences);
}

#[test]
fn a_free_neighbour_is_used_before_moving() {
    let pool = VariadicPool::new(8192, 0);
    let mut first = pool.alloc_copy(&pattern(100, 1));
    let second = pool.alloc(1000);
    let third = pool.alloc(16);
    let at = first.as_ptr();
    assert!(!first.try_grow_in_place(200), "what follows is used");
    drop(second);
    assert!(first.try_grow_in_place(200));
    assert_eq!((first.capacity(), first.as_ptr()), (200, at));
    first.resize(1000);
    assert_eq!((first.as_ptr(), &first[..100]), (at, &pattern(100, 1)[..]));
    first.resize(2000);
    assert_ne!(first.as_ptr(), at, "no more room there");
    assert_eq!(first[..100], pattern(100, 1));
    pool.check().unwrap();
    drop(third);
}

#[test]
fn growing_by_pushes_moves_seldom() {
    let pool = VariadicPool::default();
    let mut bytes = pool.alloc_with_capacity(0);
    let (mut places, mut fences) = (BTreeSet::new(), Vec::new());
    let count = if cfg!(miri) { 2_000 } else { 100_000 };
    for n in 0..count {
        if bytes.len() == bytes.capacity() {
            fences.push(pool.alloc(16)); // so that it cannot grow in place
        }
        bytes.push(n as u8);
        places.insert(bytes.as_ptr());
    }
    assert!(
        places.len() <= 20,
        "{} moves for {count} pushes",
        places.len()
    );
    assert!(bytes.iter().enumerate().all(|(n, &byte)| byte == n as u8));
}

#[test]
fn at_the_limit_growth_takes_what_it_needs() {
    // Twice the capacity has no room, what is asked for has.
    let pool = VariadicPool::builder()
        .grow_size(1024)
        .limit(1 << 16)
        .build();
    let mut bytes = pool.alloc_copy(&pattern(25_000, 1));
    bytes.extend_from_slice(&pattern(5_000, 2));
    assert_eq!(
        (bytes.len(), &bytes[..25_000]),
        (30_000, &pattern(25_000, 1)[..])
    );
    assert!(bytes.try_reserve(40_000).is_err());
    pool.check().unwrap();
}

/// The most bytes a block can have: what the error says.
fn most_bytes(pool: &VariadicPool) -> usize {
    match pool.try_alloc(usize::MAX) {
        Err(PoolError::SizeOverflow { most, .. }) => most,
        other => panic!("{other:?}"),
    }
}

/// Sizes near what the headers can count, where it is 32 bits that could wrap around.
#[rstest]
fn sizes_that_no_block_can_have_are_refused(
    #[values(0, 1, 15, 16, 17, 32, 48, 64, 80)] more: usize,
) {
    let pool = VariadicPool::new(64 * 1024, 0);
    let size = most_bytes(&pool) + more;
    let mut bytes = pool.alloc_copy(b"as they were");
    let capacity = bytes.capacity();
    assert!(!bytes.try_grow_in_place(size));
    if more > 0 {
        for room in [size, size - bytes.len()] {
            assert!(bytes.try_reserve(room).is_err());
        }
        assert!(bytes.try_resize(size).is_err());
        assert!(pool.try_alloc(size).is_err());
    }
    assert_eq!(
        (bytes.capacity(), &*bytes),
        (capacity, &b"as they were"[..])
    );
    pool.check().unwrap();
}

#[test]
fn the_end_of_a_block_is_the_users() {
    let pool = VariadicPool::new(8192, 50);
    let mut blocks: Vec<_> = (0..60).map(|len| pool.alloc_with_capacity(len)).collect();
    for fill in [0xFF, 0, 0xA5] {
        for block in &mut blocks {
            block.clear();
            block.resize(block.capacity());
            block.fill(fill);
        }
        pool.check().unwrap();
    }
}

#[test]
fn what_a_vec_can_do() {
    let pool = VariadicPool::default();
    let mut bytes = pool.alloc_copy(b"abc");
    bytes.push(b'd');
    bytes.extend([b'e', b'f']);
    bytes.extend(b"g");
    bytes.extend_from_slice(b"hi");
    bytes.try_extend_from_slice(b"j").unwrap();
    write!(bytes, "{}", 42).unwrap();
    assert_eq!(bytes, b"abcdefghij42");
    assert_eq!((bytes.pop(), bytes.pop()), (Some(b'2'), Some(b'4')));
    bytes.truncate(100);
    bytes.truncate(3);
    assert_eq!(
        (bytes.len(), bytes.is_empty(), bytes.first()),
        (3, false, Some(&b'a'))
    );
    for byte in &mut bytes {
        byte.make_ascii_uppercase();
    }
    assert_eq!((&bytes).into_iter().copied().collect::<Vec<_>>(), b"ABC");
    bytes.reserve(1000);
    assert!(bytes.capacity() >= 1003);
    let room = bytes.spare_capacity_mut();
    room[0].write(b'D');
    // SAFETY: one byte more was just written.
    #[expect(unsafe_code, reason = "as a reader does")]
    unsafe {
        bytes.set_len(4);
    }
    assert_eq!(bytes.as_slice(), b"ABCD");
    bytes.clear();
    assert_eq!((bytes.pop(), bytes.len()), (None, 0));
    assert_eq!(pool.live_bytes(), 0);
}

#[test]
fn bytes_are_copied_out_into_a_vec() {
    let pool = VariadicPool::default();
    let mut bytes = pool.alloc_copy(b"abcd");
    bytes.truncate(3);
    assert_eq!(Vec::from(bytes), b"abc");
    assert_eq!(pool.live_blocks(), 0);
}

#[test]
fn handles_compare_and_hash_as_their_bytes() {
    let (pool, other) = (VariadicPool::default(), local::VariadicPool::default());
    let (a, b) = (pool.alloc_copy(b"a"), pool.alloc_copy(b"b"));
    assert!(a < b && a != b && a == other.alloc_copy(b"a"));
    assert_eq!(a, *b"a");
    assert_eq!(a, b"a");
    assert_eq!(a, b"a"[..]);
    assert_eq!(a, &b"a"[..]);
    assert_eq!(a, Vec::from(b"a"));
    assert_eq!(format!("{a:?}"), "[97]");
    let set: HashSet<PoolBytes> = [a, b].into_iter().collect();
    assert!(set.contains(&b"a"[..]) && !set.contains(&b"c"[..]));
    let copy = set.get(&b"b"[..]).unwrap().clone();
    drop(set);
    assert_eq!(copy, b"b");
}

#[test]
fn an_error_of_write_has_the_pools_error_inside() {
    let pool = VariadicPool::builder().grow_size(1024).limit(1024).build();
    let mut bytes = pool.alloc(10);
    let error = bytes.write_all(&[1; 4096]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::OutOfMemory);
    let inner = error.into_inner().unwrap().downcast::<PoolError>().unwrap();
    assert!(matches!(
        *inner,
        PoolError::ByteLimitReached { limit: 1024, .. }
    ));
    assert_eq!(bytes, [0; 10]);
}

#[test]
fn what_cannot_be_added_is_an_error_that_says_how_much_can() {
    let pool = VariadicPool::default();
    let most = |len: usize| match pool.alloc(len).try_reserve(usize::MAX) {
        Err(PoolError::SizeOverflow { most, .. }) => most,
        other => panic!("{other:?}"),
    };
    assert_eq!(most(1) - most(1000), 999);
}

#[test]
fn views_are_checked() {
    let pool = VariadicPool::default();
    let mut bytes = pool.alloc(24);
    bytes.cast_slice_mut::<u64>().unwrap()[1] = u64::MAX;
    assert_eq!(bytes.cast_slice::<u64>().unwrap(), [0, u64::MAX, 0]);
    assert_eq!(bytes.cast_slice::<[u8; 3]>().unwrap().len(), 8);
    let error = bytes.cast_slice::<[u8; 5]>().unwrap_err();
    assert!(
        matches!(
            error,
            PoolError::CastFailed {
                len: 24,
                size: 5,
                align: 1,
                reason: "the length is not a multiple of the size",
                ..
            }
        ),
        "{error}"
    );
    bytes.push(0);
    assert!(matches!(
        bytes.cast_slice_mut::<u64>(),
        Err(PoolError::CastFailed { len: 25, .. })
    ));
    bytes.clear();
    assert!(bytes.cast_slice::<u64>().unwrap().is_empty());
}

#[repr(C, align(4096))]
#[derive(Clone, Copy)]
struct Page([u8; 4096]);

#[expect(unsafe_code, reason = "plain bytes, all of them")]
// SAFETY: zeroes are a page.
unsafe impl bytemuck::Zeroable for Page {}
#[expect(unsafe_code, reason = "plain bytes, all of them")]
// SAFETY: an array of bytes without padding.
unsafe impl bytemuck::Pod for Page {}

#[test]
fn views_need_the_alignment_of_their_type() {
    let pool = VariadicPool::default();
    let fence = pool.alloc(16);
    let bytes = pool.alloc(4096);
    let error = bytes.cast_slice::<Page>().err().unwrap();
    assert!(
        matches!(error, PoolError::CastFailed { size: 4096, align: 4096, aligned, .. } if aligned < 4096),
        "{error}"
    );
    let address = bytes.as_ptr().addr();
    let largest = format!(
        "at an address aligned to {} ",
        address & address.wrapping_neg()
    );
    let text = error.to_string();
    assert!(text.contains(&largest), "{text}");
    assert!(text.ends_with("the address is not aligned"), "{text}");
    let aligned = pool.alloc_aligned(4096, 4096);
    assert_eq!(aligned.cast_slice::<Page>().unwrap().len(), 1);
    let mut pages: PoolSlice<Page> = pool.alloc_pod(3);
    pages[2].0[4095] = 7;
    assert_eq!((pages.len(), pages.as_ptr().addr() % 4096), (3, 0));
    assert_eq!(pages.into_bytes()[3 * 4096 - 1], 7);
    drop(fence);
}

#[test]
fn slices_of_values() {
    let pool = VariadicPool::default();
    let mut numbers = pool.alloc_pod::<u32>(5);
    assert_eq!((numbers.len(), pool.live_bytes()), (5, 20));
    for (n, number) in (&mut numbers).into_iter().enumerate() {
        *number = n as u32;
    }
    assert_eq!(numbers.iter().sum::<u32>(), 10);
    assert_eq!(format!("{numbers:?}"), "[0, 1, 2, 3, 4]");
    assert!(pool.alloc_pod::<f64>(0).is_empty());
    assert_eq!(pool.alloc_pod::<()>(7).len(), 7);
    drop(pool);
    assert_eq!(
        numbers.into_bytes().cast_slice::<u32>().unwrap(),
        [0, 1, 2, 3, 4]
    );
}

/// A block with these values.
fn slice_of<T: bytemuck::Pod>(pool: &VariadicPool, values: &[T]) -> PoolSlice<T> {
    let mut slice = pool.alloc_pod(values.len());
    slice.copy_from_slice(values);
    slice
}

#[test]
fn slices_compare_and_hash_as_their_values() {
    let pool = VariadicPool::default();
    // As bytes they would be in another order.
    let (low, high) = (slice_of(&pool, &[2_u16, 0]), slice_of(&pool, &[256_u16]));
    assert!(low < high && low.cmp(&high).is_lt() && high >= low);
    let nan = slice_of(&pool, &[f32::NAN]);
    assert!(nan != nan.clone() && nan.partial_cmp(&nan).is_none());
    let set: HashSet<PoolSlice<u16>> = [low.clone(), high].into_iter().collect();
    assert!(set.contains(&[256][..]) && set.contains(&low) && !set.contains(&[0, 2][..]));
    let set: BTreeSet<PoolSlice<u16>> = set.into_iter().collect();
    assert!(set.contains(&[256][..]) && set.first() == Some(&low));
}

#[test]
fn equal_values_are_equal_and_others_are_not() {
    let pool = VariadicPool::default();
    let values = slice_of(&pool, &[1_u32, 2, 3]);
    let mut local = local::VariadicPool::default().alloc_pod::<u32>(3);
    for (other, equal) in [([1, 2, 3], true), ([1, 2, 4], false)] {
        let (lent, slice) = (&other, &other[..]);
        assert_eq!((values == *lent, values == lent), (equal, equal));
        assert_eq!((*lent == values, lent == values), (equal, equal));
        assert_eq!((values == *slice, values == slice), (equal, equal));
        assert_eq!((*slice == values, slice == values), (equal, equal));
        assert_eq!(values == other.to_vec(), equal);
        assert_eq!(other.to_vec() == values, equal);
        local.copy_from_slice(slice);
        assert_eq!((values == local, local == values), (equal, equal));
    }
    assert!(values != [1, 2] && [1, 2, 3, 0] != values);
}

#[test]
fn slices_are_cloned_into_blocks_of_their_own() {
    let pool = VariadicPool::builder().grow_size(1 << 16).limit(1 << 16);
    let pool = pool.build();
    let numbers = slice_of(&pool, &[1_u64, 2, 3]);
    let mut copy = numbers.clone();
    copy[0] = 7;
    assert_eq!((&numbers[..], &copy[..]), (&[1, 2, 3][..], &[7, 2, 3][..]));
    assert_eq!(pool.alloc_pod::<()>(7).clone().len(), 7);
    let page = slice_of(&pool, &[Page([5; 4096])]);
    let fence = pool.alloc(1);
    let copy = page.clone();
    assert_eq!((copy.as_ptr().addr() % 4096, copy[0].0), (0, [5; 4096]));
    drop(copy);
    drop((pool, fence));
    let more: Vec<_> = std::iter::from_fn(|| numbers.try_clone().ok()).collect();
    assert!(more.iter().all(|copy| *copy == [1, 2, 3]));
    assert!(matches!(
        page.try_clone(),
        Err(PoolError::ByteLimitReached { .. })
    ));
}

#[test]
fn contains_means_a_visible_byte() {
    let pool = VariadicPool::new(4096, 100);
    let mut bytes = pool.alloc(100);
    let other = VariadicPool::default().alloc(100);
    let range = bytes.as_ptr_range();
    assert!(pool.contains(range.start) && pool.contains(range.end.wrapping_sub(1)));
    assert!(!pool.contains(range.end) && !pool.contains(range.start.wrapping_sub(1)));
    assert!(!pool.contains(other.as_ptr()) && !pool.contains(std::ptr::null()));
    assert!(!pool.contains(std::ptr::without_provenance(usize::MAX)));
    bytes.push(1);
    assert!(pool.contains(range.end));
    bytes.clear();
    assert!(!pool.contains(range.start));
    bytes.resize(100);
    let start = bytes.as_ptr();
    drop(bytes);
    assert!(!pool.contains(start));
}

#[test]
fn live_bytes_is_the_sum_of_lengths() {
    let pool = VariadicPool::new(4096, 50);
    let mut blocks: Vec<_> = (0..50).map(|n| pool.alloc(n * 7)).collect();
    let assert_sum = |blocks: &[PoolBytes]| {
        assert_eq!(
            pool.live_bytes(),
            blocks.iter().map(|block| block.len()).sum::<usize>()
        );
        assert_eq!(pool.live_blocks(), blocks.len());
        let stats = pool.stats();
        let capacities: usize = blocks.iter().map(|block| block.capacity()).sum();
        assert_eq!(
            stats.reserved_bytes,
            stats.header_bytes + stats.free_bytes + capacities
        );
        assert_eq!(
            (stats.live_bytes, stats.reserved_bytes),
            (pool.live_bytes(), pool.reserved_bytes())
        );
    };
    assert_sum(&blocks);
    for n in 0..blocks.len() {
        match n % 6 {
            0 => blocks[n].push(1),
            1 => blocks[n].truncate(5),
            2 => blocks[n].resize(n * 13),
            3 => blocks[n].clear(),
            4 => blocks[n].extend([1, 2, 3]),
            _ => blocks[n].shrink_to_fit(),
        }
        assert_sum(&blocks);
    }
    while blocks.pop().is_some() {
        assert_sum(&blocks);
    }
}

#[test]
fn fragmentation_is_what_the_largest_free_block_lacks() {
    let pool = VariadicPool::new(16 * 1008 + 32, 0);
    assert_eq!(pool.stats().fragmentation(), 0.0);
    let mut blocks: Vec<_> = (0..16).map(|_| Some(pool.alloc(1000))).collect();
    blocks.iter_mut().step_by(2).for_each(|block| *block = None);
    let stats = pool.stats();
    assert_eq!(stats.largest_free, 1000);
    let expected = 1.0 - 1000.0 / stats.free_bytes as f64;
    assert!((stats.fragmentation() - expected).abs() < 1e-9 && expected > 0.8);
    let largest = pool.alloc(stats.largest_free);
    assert_eq!((largest.len(), pool.stats().chunks), (1000, 1));
}

#[test]
fn a_map_shows_every_chunk() {
    let pool = VariadicPool::new(4096, 0);
    let _blocks: Vec<_> = (0..50).map(|_| pool.alloc(4000)).collect();
    assert_eq!(pool.stats().chunks, 50);
    let json = pool.heap_map().to_json();
    assert_eq!(json.matches("{\"bytes\"").count(), 50);
}

/// The bytes of all runs of a map of one chunk.
fn bytes_in_runs(map: &HeapMap) -> usize {
    let json = map.to_json();
    let sizes = json
        .split("\"bytes\": ")
        .skip(2)
        .map(|rest| rest.split('}').next().unwrap());
    sizes.map(|size| size.parse::<usize>().unwrap()).sum()
}

#[test]
fn a_map_shows_every_byte() {
    let pool = VariadicPool::new(4096, 0);
    let mut blocks: Vec<_> = (0..7).map(|_| pool.alloc(500)).collect();
    blocks.swap_remove(2);
    let map = pool.heap_map();
    let json = map.to_json();
    assert!(json.starts_with(r#"{"reserved_bytes": 4096, "chunks": [{"bytes": 4096, "runs": [{"kind": "header", "bytes": 32}"#));
    assert_eq!(bytes_in_runs(&map), 4096);
    let drawn = map.to_string();
    assert!(
        ['█', '·', '│'].iter().all(|&glyph| drawn.contains(glyph)),
        "{drawn}"
    );
    assert!(map.to_svg().starts_with("<svg ") && map.to_svg().matches("<title>used").count() == 6);
}

#[test]
fn a_map_shows_what_is_behind_long_blocks() {
    let pool = VariadicPool::new(8 << 20, 0);
    let _blocks = [2 << 20, 100, 3 << 20].map(|len| pool.alloc(len));
    assert_eq!(bytes_in_runs(&pool.heap_map()), 8 << 20);
}

#[test]
fn one_thread_needs_no_atomics() {
    let builder: local::VariadicBuilder = local::VariadicPool::builder();
    let pool = builder.grow_size(4096).tolerance_percent(20).build();
    let mut bytes: local::PoolBytes = pool.alloc_copy(b"abc");
    let numbers: local::PoolSlice<u16> = pool.alloc_pod(3);
    drop(pool);
    bytes.resize(10_000);
    assert_eq!((&bytes[..3], &numbers[..]), (&b"abc"[..], &[0; 3][..]));
}

#[test]
fn who_may_share() {
    fn shared<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() {}
    shared::<VariadicPool>();
    shared::<PoolBytes>();
    shared::<PoolSlice<u8>>();
    fn unwinds<T: Unpin + UnwindSafe + RefUnwindSafe>() {}
    unwinds::<local::VariadicPool>();
    unwinds::<local::PoolBytes>();
}

#[test]
fn a_pool_may_be_static_and_is_nothing_until_used() {
    static POOL: VariadicPool = VariadicPool::new(4096, 10);
    assert_eq!(
        (POOL.reserved_bytes(), POOL.stats(), POOL.check()),
        (0, Default::default(), Ok(()))
    );
    assert_eq!(POOL.heap_map(), VariadicPool::default().heap_map());
    assert_eq!(POOL.alloc(3), [0; 3]);
    assert!(format!("{POOL:?}").contains("reserved_bytes: 4096"));
}

#[test]
fn a_forgotten_handle_only_leaks() {
    let pool = VariadicPool::new(4096, 0);
    let bytes = std::mem::ManuallyDrop::new(pool.alloc(10));
    assert_eq!(pool.live_blocks(), 1);
    pool.check().unwrap();
    drop(pool);
    drop(std::mem::ManuallyDrop::into_inner(bytes)); // for the leak checker's sake
}

#[test]
fn a_panic_while_handles_are_alive_leaves_the_pool_whole() {
    let pool = VariadicPool::default();
    let result = std::panic::catch_unwind(|| {
        let _bytes = pool.alloc(100);
        panic!("on purpose");
    });
    assert!(result.is_err());
    pool.check().unwrap();
    assert_eq!(pool.live_blocks(), 0);
}

#[test]
fn the_same_bytes_are_lent_under_every_name() {
    let pool = VariadicPool::default();
    let mut bytes = pool.alloc(4);
    bytes.as_mut_slice()[0] = 1;
    AsMut::<[u8]>::as_mut(&mut bytes)[1] = 2;
    BorrowMut::<[u8]>::borrow_mut(&mut bytes)[2] = 3;
    bytes.flush().unwrap();
    assert_eq!(bytes, [1, 2, 3, 0]);
    assert_eq!(
        AsRef::<[u8]>::as_ref(&bytes),
        Borrow::<[u8]>::borrow(&bytes)
    );
    let mut numbers = pool.alloc_pod::<u16>(2);
    numbers.as_mut()[1] = 7;
    BorrowMut::<[u16]>::borrow_mut(&mut numbers)[0] += 1;
    assert_eq!(AsRef::<[u16]>::as_ref(&numbers), [1, 7]);
    numbers[0] = 0;
    let mut others = pool.alloc_pod::<u16>(2);
    assert_ne!(numbers, others);
    others[1] = 7;
    assert_eq!(numbers, others);
}

#[test]
fn a_setting_that_makes_no_sense_is_a_panic() {
    assert!(
        VariadicPool::builder()
            .tolerance_percent(100)
            .try_build()
            .is_ok()
    );
    let builder = VariadicPool::builder().grow_size(0);
    let panic = std::panic::catch_unwind(|| drop(builder.build())).unwrap_err();
    let message = panic.downcast::<String>().unwrap();
    assert!(message.contains("grow_size"), "{message}");
}

#[test]
fn a_builder_is_cloned_with_its_settings() {
    let builder = VariadicPool::builder().grow_size(4096).limit(4096);
    for pool in [builder.clone().build(), builder.build()] {
        drop(pool.alloc(1));
        assert_eq!(pool.reserved_bytes(), 4096);
        assert!(pool.try_alloc(4096).is_err());
    }
}

#[test]
fn a_builder_may_be_tried_in_a_static() {
    static SOUND: Result<VariadicPool, PoolError> = VariadicPool::builder().try_build();
    static NONSENSE: Result<VariadicPool, PoolError> =
        VariadicPool::builder().grow_size(0).try_build();
    assert_eq!(SOUND.as_ref().unwrap().alloc(3), [0; 3]);
    assert!(matches!(NONSENSE, Err(PoolError::InvalidConfig { .. })));
}

/// The search by size leaves room for the worst place; when the limit is reached, the places themselves are looked at.
#[test]
fn at_the_limit_an_aligned_block_may_begin_anywhere() {
    let (chunk, align) = (1 << 16, 4096);
    let pool = VariadicPool::builder()
        .grow_size(chunk)
        .limit(chunk)
        .build();
    let whole = pool.alloc(1);
    let start = whole.as_ptr().addr();
    drop(whole);
    let most = pool.stats().largest_free;
    // A gap in front is a free block: at least two units.
    let gap = match start.next_multiple_of(align) - start {
        16 => 16 + align,
        gap => gap,
    };
    for _ in 0..3 {
        let block = pool.try_alloc_aligned(most - gap, align).unwrap();
        assert_eq!(
            (block.len(), block.as_ptr().addr() % align),
            (most - gap, 0)
        );
        assert!(pool.try_alloc_aligned(most - gap, align).is_err());
        pool.check().unwrap();
        drop(block);
        assert_eq!((pool.stats().chunks, pool.stats().largest_free), (1, most));
    }
}

#[test]
fn equal_bytes_are_equal_and_others_are_not() {
    let pool = VariadicPool::default();
    let bytes = pool.alloc_copy(b"abc");
    let local = local::VariadicPool::default();
    for (other, equal) in [(*b"abc", true), (*b"abd", false)] {
        let (lent, slice) = (&other, &other[..]);
        assert_eq!((bytes == *lent, bytes == lent), (equal, equal));
        assert_eq!((bytes == *slice, bytes == slice), (equal, equal));
        assert_eq!(bytes == other.to_vec(), equal);
        assert_eq!((*lent == bytes, lent == bytes), (equal, equal));
        assert_eq!((*slice == bytes, slice == bytes), (equal, equal));
        assert_eq!(other.to_vec() == bytes, equal);
        assert_eq!(bytes == local.alloc_copy(&other), equal);
        assert_eq!(bytes >= pool.alloc_copy(&other), equal);
        assert!(bytes <= pool.alloc_copy(&other));
    }
    assert!(bytes != *b"ab" && bytes != b"abcd"[..]);
    assert!(*b"ab" != bytes && b"abcd"[..] != bytes);
}
