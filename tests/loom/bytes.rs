//! The byte pool.

use std::sync::Arc;

use mem_pool::VariadicPool;

use crate::support::{CHUNK, join, model, spawn, spawn_two};

/// A pool of at most so many chunks.
fn pool(chunks: usize) -> Arc<VariadicPool> {
    let builder = VariadicPool::builder().grow_size(CHUNK);
    Arc::new(builder.limit(chunks * CHUNK).build())
}

#[track_caller]
fn check(pool: &VariadicPool) {
    pool.check().expect("no block breaks a rule");
}

/// Neighbours come back from two threads, and merge.
#[test]
pub fn release_from_two_threads() {
    model("bytes: release x release", || {
        let pool = pool(1);
        let blocks = [1, 2, 3].map(|byte| pool.alloc_copy(&[byte; 64]));
        let [first, second, third] = blocks;
        let threads = spawn_two([first, second], drop);
        threads.into_iter().for_each(join);
        check(&pool);
        assert_eq!((pool.stats().free_blocks, &*third), (2, &[3; 64][..]));
        drop(third);
        check(&pool);
        assert_eq!(pool.stats().free_blocks, 1);
    });
}

#[test]
pub fn release_and_alloc() {
    model("bytes: release x alloc", || {
        let pool = pool(1);
        let blocks = [1, 2].map(|byte| pool.alloc_copy(&[byte; 64]));
        let [first, second] = blocks;
        let thread = spawn(1, move || drop(first));
        let new = pool.alloc(64);
        assert_eq!(*new, [0; 64]);
        join(thread);
        assert_eq!(*second, [2; 64]);
        check(&pool);
        assert_eq!(pool.live_bytes(), 128);
    });
}

/// A block grows into its neighbour, or moves because that is not free yet.
#[test]
pub fn resize_and_release_of_the_neighbour() {
    model("bytes: resize x release of the neighbour", || {
        let pool = pool(1);
        let blocks = [1, 2, 3].map(|byte| pool.alloc_copy(&[byte; 64]));
        let [mut first, second, third] = blocks;
        let thread = spawn(1, move || drop(second));
        first.resize(128);
        assert_eq!((first[63], first[64], first[127]), (1, 0, 0));
        join(thread);
        check(&pool);
        assert_eq!(*third, [3; 64]);
        assert_eq!(pool.live_bytes(), 192);
    });
}

#[test]
pub fn shrink_of_a_block_and_growth_of_another() {
    model("bytes: truncate x grow in place", || {
        let pool = pool(1);
        let blocks = [1, 2].map(|byte| pool.alloc_copy(&[byte; 128]));
        let [mut first, mut second] = blocks;
        let thread = spawn(1, move || {
            first.truncate(16);
            first.shrink_to_fit();
            first
        });
        second.resize(256);
        let first = join(thread);
        check(&pool);
        assert_eq!((&*first, second[127], second[128]), (&[1; 16][..], 2, 0));
    });
}

#[test]
pub fn pool_drop_and_release() {
    model("bytes: pool drop x release", || {
        let pool = pool(1);
        let blocks = [1, 2].map(|byte| pool.alloc_copy(&[byte; 64]));
        let threads = spawn_two(blocks, |block| assert_eq!(block[0], block[63]));
        drop(pool);
        threads.into_iter().for_each(join);
    });
}

/// An orphan grows, which may need a new chunk.
#[test]
pub fn pool_drop_and_growth() {
    model("bytes: pool drop x growth", || {
        let pool = pool(2);
        let mut block = pool.alloc_copy(&[1; 64]);
        let thread = spawn(1, move || {
            block.resize(3000);
            assert_eq!((block[63], block[64]), (1, 0));
        });
        drop(pool);
        join(thread);
    });
}

#[test]
pub fn shrink_and_alloc() {
    model("bytes: shrink_to_fit x alloc", || {
        let pool = pool(1);
        drop(pool.alloc(64));
        let its = Arc::clone(&pool);
        let thread = spawn(4, move || its.try_alloc(64).map(|block| block.len()));
        pool.shrink_to_fit();
        // The chunk may be on its way back to the system, and count until it is there.
        assert!(join(thread).map_or(true, |len| len == 64));
        check(&pool);
        pool.shrink_to_fit();
        assert_eq!(pool.reserved_bytes(), 0);
    });
}

/// One chunk for two shards: what the one has free the other finds.
#[test]
pub fn free_blocks_are_found() {
    model("bytes, one chunk: two threads in two shards", || {
        let pool = pool(1);
        let mine = pool.alloc(64);
        let its = Arc::clone(&pool);
        let once = |pool: &VariadicPool| drop(pool.try_alloc(1024).expect("there is room"));
        let thread = spawn(1, move || {
            once(&its);
            once(&its);
        });
        once(&pool);
        join(thread);
        drop(mine);
        check(&pool);
    });
}

/// A chunk that is wholly free in one shard makes room for another in the other.
#[test]
pub fn idle_chunks_make_room() {
    model("bytes, one chunk: idle x other shard", || {
        let pool = pool(1);
        let block = pool.alloc(64);
        let its = Arc::clone(&pool);
        let thread = spawn(1, move || its.try_alloc(4000).is_ok());
        drop(block);
        let _: bool = join(thread); // before the release there was no room
        let its = Arc::clone(&pool);
        assert!(join(spawn(1, move || its.try_alloc(4000).is_ok())));
        check(&pool);
    });
}
