//! Figures about a pool at one moment: [`FixedStats`], [`VariadicStats`].

/// Figures about a [`FixedPool`](crate::FixedPool), from [`stats`](crate::generic::FixedPool::stats).
///
/// Each shard is read under its lock, one after the other, and the capacity last: while other threads allocate and drop, the
/// figures of different shards belong to slightly different moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct FixedStats {
    /// Objects whose drop has not begun.
    pub live: usize,
    /// Slots, free or not.
    pub capacity: usize,
    /// Chunks the slots lie in.
    pub chunks: usize,
    /// Bytes reserved from the global allocator for slots and their headers.
    pub reserved_bytes: usize,
    /// Objects dropped while they were walked or held, to be destroyed when the walk or hold ends.
    pub deferred: usize,
}

/// Figures about a [`VariadicPool`](crate::VariadicPool), from [`stats`](crate::generic::VariadicPool::stats).
///
/// All sizes are in bytes. `header_bytes`, `free_bytes` and the capacities of the live blocks add up to `reserved_bytes`.
/// Each shard is read under its lock, one after the other: while other threads allocate and drop, the figures of different
/// shards belong to slightly different moments.
///
/// ```
/// use mem_pool::VariadicPool;
///
/// let pool = VariadicPool::new(4096, 0);
/// let blocks: Vec<_> = (0..3).map(|_| pool.alloc(1000)).collect();
/// let stats = pool.stats();
/// assert_eq!((stats.live_blocks, stats.live_bytes), (3, 3000));
/// assert_eq!((stats.chunks, stats.reserved_bytes), (1, 4096));
/// assert_eq!(stats.fragmentation(), 0.0); // all that is free is one block
/// # drop(blocks);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct VariadicStats {
    /// Blocks that a handle has.
    pub live_blocks: usize,
    /// The sum of the live blocks' lengths.
    pub live_bytes: usize,
    /// Blocks that nobody has.
    pub free_blocks: usize,
    /// Payload of the free blocks.
    pub free_bytes: usize,
    /// The largest payload of a free block: so much can be had without another chunk.
    pub largest_free: usize,
    /// Headers of blocks, free or live, and of chunks, with their sentinels; and what blocks of more than 1 MiB have behind them.
    pub header_bytes: usize,
    /// Chunks the blocks lie in.
    pub chunks: usize,
    /// Bytes reserved from the global allocator for all chunks.
    pub reserved_bytes: usize,
}

impl VariadicStats {
    /// How scattered the free bytes are: 0 if one block has them all (or nothing is free), towards 1 the smaller even the
    /// largest free block is beside their sum. (`1 - largest_free / free_bytes`.)
    pub fn fragmentation(&self) -> f64 {
        match self.free_bytes {
            0 => 0.0,
            free => 1.0 - self.largest_free as f64 / free as f64,
        }
    }
}
