//! Figures about a pool at one moment: [`FixedStats`].

/// Figures about a [`FixedPool`](crate::FixedPool), from [`stats`](crate::generic::FixedPool::stats).
///
/// Each shard is read under its lock, one after the other: while other threads allocate and drop, the figures of different
/// shards belong to slightly different moments.
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
