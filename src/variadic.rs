//! The byte pool: [`VariadicPool`] and its builder. Policy only; the blocks are the arena's.
//!
//! ```text
//!   VariadicPool ──► shards ──► shard: lock + arena ──► chunks ──► blocks ◄── PoolBytes
//! ```

use std::fmt;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};

use bytemuck::Pod;

use crate::error::{Corruption, PoolError, or_fail};
use crate::map::HeapMap;
use crate::stats::VariadicStats;
use crate::sync::{LazyShards, Lock, Locked};

#[cfg(feature = "allocator-api2")]
pub(crate) mod allocator;
mod arena;
mod bins;
mod block;
mod equality;
mod node;
mod pool_bytes;
mod pool_slice;
mod request;
mod supply;

use arena::{Arena, Policy};
use block::{MOST_CHUNK, UNIT};
use supply::{Config, Shard, Shards, Supply};

pub use pool_bytes::PoolBytes;
pub use pool_slice::PoolSlice;

/// The chunks of a pool that was not told otherwise.
const GROW_SIZE: usize = 64 * 1024;

/// A pool of bytes: blocks of any size and alignment, cut from a few large chunks by best fit.
///
/// The alias [`VariadicPool`](crate::VariadicPool) is for any number of threads, [`local::VariadicPool`](crate::local::VariadicPool)
/// for one.
///
/// A block is a header of 8 bytes and what was asked for, rounded up to 16 together, and 32 bytes or more. The smallest free block
/// that will do is taken: whole, if it exceeds the request (so rounded) by at most `tolerance_percent`; otherwise it is split, and
/// the rest stays free. (A rest of less than 32 bytes goes with the block, too, and is recovered when the block is released. A
/// block of more than 1 MiB has 8 bytes behind it, for its length.) Among blocks of one size the one released last is preferred.
/// A released block merges with its free neighbours at once. Finding, splitting and merging take time in the bits of a size, not
/// in the number of blocks.
///
/// When no free block will do, the pool gets a chunk of `grow_size` bytes from the global allocator; a request that needs more
/// gets a chunk of its own. Each thread has a home shard with chunks of its own, so threads seldom meet. A wholly free chunk
/// goes back to the global allocator, beyond one that each shard keeps (of two the smaller);
/// [`shrink_to_fit`](Self::shrink_to_fit) gives those back, too.
///
/// Handles may outlive the pool: the memory goes back as the last handle of each chunk is dropped.
///
/// ```
/// use mem_pool::VariadicPool;
///
/// let pool = VariadicPool::builder().grow_size(1 << 20).tolerance_percent(20).build();
/// let header = pool.alloc_copy(b"GET / HTTP/1.1");
/// let mut body = pool.alloc(10_000);
/// assert!(body.iter().all(|&byte| byte == 0));
/// body.resize(20_000);
/// assert_eq!((pool.live_blocks(), pool.live_bytes()), (2, 20_014));
/// drop(pool);
/// assert_eq!(header, b"GET / HTTP/1.1");
/// ```
pub struct VariadicPool<L: Lock> {
    shards: LazyShards<L, Arena>,
    config: Config,
    // `LazyShards` is `Send` and `Sync` whatever `L` is; this makes the pool so only if `L` is. Behind it are locks and plain
    // bytes, which are reached under those locks or through a handle.
    lock: PhantomData<L>,
}

// Nothing foreign runs while a shard is locked, so no panic leaves an arena half changed.
impl<L: Lock> UnwindSafe for VariadicPool<L> {}
impl<L: Lock> RefUnwindSafe for VariadicPool<L> {}

impl<L: Lock> VariadicPool<L> {
    /// A pool that grows by `grow_size` bytes at least, and takes a free block whole if it exceeds a request by at most
    /// `tolerance_percent`. Allocates nothing until first used; may be a `static`.
    ///
    /// # Panics
    ///
    /// If `grow_size` is 0 or beyond what one chunk can have, or `tolerance_percent` more than 100: at compile time in a `static`.
    #[track_caller]
    pub const fn new(grow_size: usize, tolerance_percent: u8) -> Self {
        Self::builder()
            .grow_size(grow_size)
            .tolerance_percent(tolerance_percent)
            .build()
    }

    /// A builder with the defaults: chunks of 64 KiB, tolerance 0, best fit, no limit, no wiping.
    pub const fn builder() -> VariadicBuilder<L> {
        let policy = Policy {
            tolerance_percent: 0,
            first_fit: false,
        };
        let config = Config {
            policy,
            grow_size: GROW_SIZE,
            limit: usize::MAX,
            zero_on_release: false,
        };
        VariadicBuilder {
            config,
            lock: PhantomData,
        }
    }

    /// A block of `len` zeroes, aligned to 16.
    ///
    /// `alloc(0)` is a block as well: it may be [resized](PoolBytes::resize) later, even when the pool is gone.
    ///
    /// # Panics
    ///
    /// When the pool's limit is reached, or `len` is more than a chunk can have. Calls
    /// [`handle_alloc_error`](std::alloc::handle_alloc_error) when memory is out.
    #[inline]
    #[track_caller]
    pub fn alloc(&self, len: usize) -> PoolBytes<L> {
        or_fail(self.try_alloc(len))
    }

    /// Like [`alloc`](Self::alloc).
    ///
    /// # Errors
    ///
    /// - [`PoolError::ByteLimitReached`] if no shard has an adequate free block and another chunk would exceed the limit.
    ///   Wholly free chunks of all shards have gone back by then.
    /// - [`PoolError::OutOfMemory`] if the global allocator has nothing.
    /// - [`PoolError::SizeOverflow`] if `len` is more than a chunk can have (32 GiB).
    #[inline]
    pub fn try_alloc(&self, len: usize) -> Result<PoolBytes<L>, PoolError> {
        let shards = self.shards()?;
        PoolBytes::try_zeroed(shards, len, UNIT)
    }

    /// A block of `len` zeroes, aligned to `align`: a power of two, at most 1 MiB. What is left out in front to align it stays
    /// free.
    ///
    /// # Panics
    ///
    /// As [`alloc`](Self::alloc), and when `align` is not possible.
    #[track_caller]
    pub fn alloc_aligned(&self, len: usize, align: usize) -> PoolBytes<L> {
        or_fail(self.try_alloc_aligned(len, align))
    }

    /// Like [`alloc_aligned`](Self::alloc_aligned).
    ///
    /// # Errors
    ///
    /// As [`try_alloc`](Self::try_alloc), and [`PoolError::BadAlignment`].
    pub fn try_alloc_aligned(&self, len: usize, align: usize) -> Result<PoolBytes<L>, PoolError> {
        let shards = self.shards()?;
        PoolBytes::try_zeroed(shards, len, align)
    }

    /// A copy of `bytes`.
    ///
    /// # Panics
    ///
    /// As [`alloc`](Self::alloc).
    #[inline]
    #[track_caller]
    pub fn alloc_copy(&self, bytes: &[u8]) -> PoolBytes<L> {
        or_fail(self.try_alloc_copy(bytes))
    }

    /// Like [`alloc_copy`](Self::alloc_copy).
    ///
    /// # Errors
    ///
    /// As [`try_alloc`](Self::try_alloc).
    #[inline]
    pub fn try_alloc_copy(&self, bytes: &[u8]) -> Result<PoolBytes<L>, PoolError> {
        let shards = self.shards()?;
        PoolBytes::try_copied(shards, bytes)
    }

    /// A block with room for `capacity` bytes, none of them visible, and none zeroed.
    ///
    /// # Panics
    ///
    /// As [`alloc`](Self::alloc).
    #[inline]
    #[track_caller]
    pub fn alloc_with_capacity(&self, capacity: usize) -> PoolBytes<L> {
        or_fail(self.try_alloc_with_capacity(capacity))
    }

    /// Like [`alloc_with_capacity`](Self::alloc_with_capacity).
    ///
    /// # Errors
    ///
    /// As [`try_alloc`](Self::try_alloc).
    #[inline]
    pub fn try_alloc_with_capacity(&self, capacity: usize) -> Result<PoolBytes<L>, PoolError> {
        let shards = self.shards()?;
        PoolBytes::try_empty(shards, capacity)
    }

    /// A block of `count` values, all zero, aligned for them.
    ///
    /// # Panics
    ///
    /// As [`alloc`](Self::alloc).
    #[track_caller]
    pub fn alloc_pod<T: Pod>(&self, count: usize) -> PoolSlice<T, L> {
        or_fail(self.try_alloc_pod(count))
    }

    /// Like [`alloc_pod`](Self::alloc_pod).
    ///
    /// # Errors
    ///
    /// As [`try_alloc`](Self::try_alloc), and [`PoolError::BadAlignment`] for a type aligned to more than 1 MiB.
    pub fn try_alloc_pod<T: Pod>(&self, count: usize) -> Result<PoolSlice<T, L>, PoolError> {
        let shards = self.shards()?;
        PoolSlice::try_zeroed(shards, count)
    }

    /// Whether a visible byte of a live block lies at `ptr`, any pointer. Takes time in the number of chunks, and of blocks in one.
    ///
    /// ```
    /// let pool = mem_pool::VariadicPool::default();
    /// let bytes = pool.alloc(10);
    /// assert!(pool.contains(&bytes[9]));
    /// assert!(!pool.contains(bytes.as_ptr_range().end));
    /// ```
    pub fn contains(&self, ptr: *const u8) -> bool {
        self.made().any(|shard| shard.lock().contains(ptr.addr()))
    }

    /// How many blocks handles have. O(shards).
    pub fn live_blocks(&self) -> usize {
        self.made().map(|shard| shard.lock().live()).sum()
    }

    /// The sum of all handles' lengths. Takes time in the number of blocks.
    pub fn live_bytes(&self) -> usize {
        self.made().map(|shard| shard.lock().live_bytes()).sum()
    }

    /// Bytes reserved from the global allocator: all chunks. The limit bounds them. O(1), without a lock.
    pub fn reserved_bytes(&self) -> usize {
        self.shards
            .get()
            .map_or(0, |shards| shards.common().reserved())
    }

    /// Figures about the pool. Takes time in the number of blocks.
    pub fn stats(&self) -> VariadicStats {
        let mut stats = VariadicStats::default();
        self.made()
            .for_each(|shard| shard.lock().add_to(&mut stats));
        stats
    }

    /// A picture of every chunk. Takes time and memory in the number of blocks.
    pub fn heap_map(&self) -> HeapMap {
        let mut map = HeapMap::new();
        self.made().for_each(|shard| draw(shard, &mut map));
        map
    }

    /// Gives wholly free chunks back to the global allocator, those kept for later, too; one of each shard at most.
    /// Returns how many bytes went.
    pub fn shrink_to_fit(&self) -> usize {
        self.shards.get().map_or(0, supply::shrink)
    }

    /// Walks every block and looks at every rule of the pool: for tests, and for users in doubt.
    ///
    /// # Errors
    ///
    /// [`Corruption`] names the block and the rule it breaks.
    pub fn check(&self) -> Result<(), Corruption> {
        self.made().try_for_each(|shard| shard.lock().check())
    }

    #[inline]
    fn shards(&self) -> Result<&Shards<L>, PoolError> {
        let made = self.shards.get_or_try_make(|| Supply::new(self.config));
        made.map_err(|layout| PoolError::OutOfMemory { layout })
    }

    /// The shards that have been made.
    fn made(&self) -> impl Iterator<Item = &Shard<L>> {
        self.shards
            .get()
            .into_iter()
            .flat_map(|shards| shards.iter())
    }
}

/// Draws a shard's chunks. Room is made while the shard is not locked, again if meanwhile more is needed.
fn draw<L: Lock>(shard: &Shard<L>, map: &mut HeapMap) {
    loop {
        let (chunks, runs) = shard.lock().map_size();
        map.reserve(chunks, runs); // from the second time on for twice as many at least
        let mut arena = shard.lock();
        let (chunks, runs) = arena.map_size();
        if map.has_room(chunks, runs) {
            return arena.draw(map);
        }
    }
}

impl<L: Lock> Default for VariadicPool<L> {
    fn default() -> Self {
        Self::builder().build()
    }
}

/// Figures, never the bytes.
impl<L: Lock> fmt::Debug for VariadicPool<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VariadicPool")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl<L: Lock> Drop for VariadicPool<L> {
    fn drop(&mut self) {
        if let Some(shards) = self.shards.get() {
            supply::close(shards);
        }
    }
}

/// Settings of a [`VariadicPool`], from [`builder`](VariadicPool::builder).
///
/// ```
/// use mem_pool::{PoolError, VariadicPool};
///
/// static SCRATCH: VariadicPool = VariadicPool::builder().grow_size(16 * 1024).limit(1 << 20).build();
/// assert_eq!(SCRATCH.alloc(100).len(), 100);
///
/// let error = VariadicPool::builder().tolerance_percent(101).try_build().unwrap_err();
/// assert!(matches!(error, PoolError::InvalidConfig { .. }));
/// ```
#[must_use = "a builder does nothing until `build`"]
pub struct VariadicBuilder<L: Lock = Locked> {
    config: Config,
    lock: PhantomData<L>,
}

impl<L: Lock> VariadicBuilder<L> {
    /// The least a chunk has, in bytes, its headers included. 64 KiB by default.
    pub const fn grow_size(mut self, bytes: usize) -> Self {
        self.config.grow_size = bytes;
        self
    }

    /// By how many percent a free block's payload may exceed a request (rounded up to what a block of its size has) and still be
    /// taken whole: 0 to 100, 0 by default. More wastes bytes inside blocks, less leaves more and smaller free blocks.
    pub const fn tolerance_percent(mut self, percent: u8) -> Self {
        self.config.policy.tolerance_percent = percent;
        self
    }

    /// Takes the first adequate block that the bins offer, not the smallest. That is quicker when there are many
    /// large free blocks of different sizes (1 KiB and more), and makes no difference among smaller ones.
    pub const fn first_fit(mut self) -> Self {
        self.config.policy.first_fit = true;
        self
    }

    /// The most bytes that may be reserved from the global allocator, over all shards. The last chunk is cut to fit.
    pub const fn limit(mut self, bytes: usize) -> Self {
        self.config.limit = bytes;
        self
    }

    /// Whether blocks are overwritten with zeroes when they are released, their spare room included. `false` by default: no
    /// safe code sees what a former owner wrote in either case.
    pub const fn zero_on_release(mut self, wipe: bool) -> Self {
        self.config.zero_on_release = wipe;
        self
    }

    /// The pool.
    ///
    /// # Panics
    ///
    /// When a setting makes no sense: at compile time in a `static`.
    #[track_caller]
    pub const fn build(self) -> VariadicPool<L> {
        match self.config.fault() {
            None => VariadicPool {
                shards: LazyShards::new(),
                config: self.config,
                lock: PhantomData,
            },
            Some(reason) => panic!("{}", reason),
        }
    }

    /// The pool.
    ///
    /// # Errors
    ///
    /// [`PoolError::InvalidConfig`] when a setting makes no sense.
    pub const fn try_build(self) -> Result<VariadicPool<L>, PoolError> {
        match self.config.fault() {
            None => Ok(self.build()),
            Some(reason) => Err(PoolError::InvalidConfig { reason }),
        }
    }
}

impl<L: Lock> Clone for VariadicBuilder<L> {
    fn clone(&self) -> Self {
        Self {
            config: self.config,
            lock: PhantomData,
        }
    }
}

impl<L: Lock> fmt::Debug for VariadicBuilder<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VariadicBuilder")
            .field("config", &self.config)
            .finish()
    }
}

impl Config {
    /// What makes no sense.
    const fn fault(&self) -> Option<&'static str> {
        if self.grow_size == 0 {
            Some("grow_size must be at least 1 byte")
        } else if self.grow_size > MOST_CHUNK {
            Some(
                "grow_size must not exceed what one chunk can have (32 GiB less 16 bytes, or half the address space)",
            )
        } else if self.policy.tolerance_percent > 100 {
            Some("tolerance_percent must be from 0 to 100")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::VariadicPool;
    use super::block::Tag;
    use crate::Locked;

    #[test]
    fn a_pools_check_looks_at_its_shards() {
        let pool = VariadicPool::<Locked>::default();
        let _bytes = pool.alloc(100);
        assert_eq!(pool.check(), Ok(()));
        let chunk = pool.made().find_map(|shard| shard.lock().chunks().next());
        let chunk = chunk.unwrap();
        let block = chunk.first();
        let intact = block.tag();
        #[expect(unsafe_code, reason = "plays the part of unsafe code gone wrong")]
        // SAFETY: the block's lease is not used until the tag is what it was.
        let set = |tag: Tag| unsafe { block.set_tag(tag) };
        set(Tag::used(4, 63 - intact.shard()));
        let corruption = pool.check().unwrap_err();
        set(intact);
        assert!(corruption.rule().starts_with("own-shard"), "{corruption}");
        let offset = block.addr() - chunk.addr();
        assert_eq!(corruption.shard(), intact.shard());
        assert_eq!((corruption.chunk(), corruption.offset()), (0, offset));
        assert!(corruption.to_string().contains(&format!("byte {offset} ")));
    }
}
