#![expect(
    unsafe_code,
    reason = "splits, merges and leases blocks of memory it owns"
)]
//! The core of a byte pool: takes blocks out of the bins, cuts them to size, merges them when they come back.
//!
//! ```text
//!             best fit                  split                          release: merge
//!   bins ──► ░░░░░░░░░░░░  ──►  ░░░│██████│░░░  ──►  lease    ██│░░░│████│░░│██  ──►  ██│░░░░░░░░░░░│██
//!            the smallest       gap │ leased │ rest               free  back  free         one free block
//! ```
//!
//! The block released last waits for the next operation: if that asks for one of its size, it gets this one, an exact fit, and
//! nothing needs to be merged and cut again; if it asks for another, and all that merging and cutting would do is move the
//! boundary to the free block behind, then it is moved. Any other operation, and every look, first does what the release left
//! undone, so nobody sees that it did not happen at once.
//!
//! An arena takes `&mut self`: it knows no lock, no limit and no handle. It calls no allocator either: a region comes in
//! through [`adopt`](Arena::adopt), and goes out as the result of a release, for the caller to free.

use crate::chunk::Region;
use crate::map::{Cell, HeapMap};
use crate::stats::VariadicStats;
use crate::variadic::bins::Bins;
use crate::variadic::block::{
    Block, CHUNK_OVERHEAD, Chunk, HEADER, LEAST, Lease, Tag, UNIT, room_of,
};
use crate::variadic::node::LARGE;
use crate::variadic::request::Request;

/// How an arena chooses blocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    /// A block is taken whole if its payload exceeds the request by at most so many percent.
    pub(crate) tolerance_percent: u8,
    /// The first adequate block will do.
    pub(crate) first_fit: bool,
}

/// The chunks of one shard, their blocks and the bins that list the free ones.
///
/// # Invariants
///
/// Between operations, beside those of [`Block`] and [`Bins`]:
///
/// - *no-free-twins*: no two neighbours are free;
/// - *listed-iff-free*: the bins list exactly the free blocks;
/// - *one-lease*: a block is used exactly if there is one lease of it; `live_or_late` counts them;
/// - *one-idle*: `idle` is the block of the one chunk that is wholly free; a closed arena has none;
/// - *late-is-last*: nothing has happened in the arena since `late` was released; merging it makes no chunk wholly free but the
///   first. It counts as used for its neighbours, but not as live, and the rules above hold once it is merged;
/// - *own-shard*: a live block's tag names the shard of its arena;
/// - *least-chunk*: no chunk has fewer units for blocks: a smaller block is not all of one, which need not be looked at then.
#[derive(Debug)]
pub(crate) struct Arena {
    bins: Bins,
    policy: Policy,
    /// The newest chunk; the others follow.
    chunks: Option<Chunk>,
    /// The only block of the one chunk that is wholly free.
    idle: Option<Block>,
    /// The block released last, if it was not merged yet.
    late: Option<Block>,
    /// Live blocks, and the late one: so neither leasing that nor a release that leaves one changes it.
    live_or_late: usize,
    /// Never more units than any chunk has for blocks.
    least_chunk: u32,
    /// The shard's place in its pool.
    shard: usize,
    closed: bool,
}

impl Arena {
    /// An arena without memory.
    pub(crate) const fn new(policy: Policy) -> Self {
        Self {
            bins: Bins::new(),
            policy,
            chunks: None,
            idle: None,
            late: None,
            live_or_late: 0,
            least_chunk: u32::MAX,
            shard: 0,
            closed: false,
        }
    }

    /// Leases a block that the bins offer, or the one released last.
    #[inline(never)]
    pub(crate) fn alloc(&mut self, request: Request) -> Option<Lease> {
        match self.alloc_late(request) {
            None => self.alloc_listed(request),
            lease => lease,
        }
    }

    /// Leases the block released last, if it can be made what is asked for.
    #[inline(always)]
    pub(crate) fn alloc_late(&mut self, request: Request) -> Option<Lease> {
        let late = self.late?;
        // SAFETY: late-is-last: its lease was given back, and it is not listed.
        if !unsafe { self.fit_late(late, request) } {
            return None;
        }
        self.late = None;
        // SAFETY: as before, and it is as large as asked for.
        Some(unsafe { self.lease(late, request) })
    }

    /// Leases a block that the bins offer once the one released last is in them.
    #[inline(always)]
    pub(crate) fn alloc_listed(&mut self, request: Request) -> Option<Lease> {
        if let Some(late) = self.late {
            // SAFETY: late-is-last: its lease was given back, and it is not listed.
            unsafe { self.merge_late(late) };
        }
        let units = request.search_units();
        let (block, size) = match self.bins.take_small(units) {
            Some(found) => found,
            None => self.take_large(units)?,
        };
        // SAFETY: it is free, no longer listed, and as large as the bins were asked for.
        Some(unsafe { self.carve(block, size, request) })
    }

    /// Takes out the block that the bins offer if they have no small one that is large enough.
    #[inline(never)]
    fn take_large(&mut self, units: u32) -> Option<(Block, u32)> {
        let found = if self.policy.first_fit {
            self.bins.first(units)
        } else {
            self.bins.best(units)
        };
        let block = found?;
        let size = block.size();
        // SAFETY: listed-iff-free: the bins just offered it.
        unsafe { self.bins.remove(block, size) };
        Some((block, size))
    }

    /// Leases a block, trying every place where one could begin. Slow, and only of use for large alignments.
    pub(crate) fn alloc_anywhere(&mut self, request: Request) -> Option<Lease> {
        self.alloc(request).or_else(|| {
            let fits = |block: &Block| {
                block.is_free() && block.size() >= block.gap(request.log2_align()) + request.units()
            };
            let block = self.chunks().flat_map(Chunk::blocks).find(fits)?;
            // SAFETY: listed-iff-free: it is free.
            unsafe { self.bins.remove(block, block.size()) };
            // SAFETY: it is free, no longer listed, and large enough with its gap.
            Some(unsafe { self.carve(block, block.size(), request) })
        })
    }

    /// Adds a chunk for the arena of this shard, and leases a block of it.
    ///
    /// # Panics
    ///
    /// If the region is smaller than the request's [`chunk_size`](Request::chunk_size).
    pub(crate) fn adopt(&mut self, region: Region, shard: usize, request: Request) -> Lease {
        assert!(
            region.size() >= request.chunk_size(),
            "the region was made for the request"
        );
        debug_assert!(
            self.late.is_none(),
            "late-is-last: a refused request came before"
        );
        let chunk = Chunk::new(region);
        self.shard = shard;
        chunk.set_next(self.chunks);
        if let Some(head) = self.chunks {
            head.set_before(Some(chunk));
        }
        self.chunks = Some(chunk);
        let block = chunk.first();
        self.least_chunk = self.least_chunk.min(block.size());
        // SAFETY: a new chunk's block is free and not listed; the region is as large as the request says.
        unsafe { self.carve(block, block.size(), request) }
    }

    /// As [`release`](Self::release), if that is a matter of a few instructions; else the lease comes back.
    ///
    /// # Safety
    ///
    /// As there.
    #[inline]
    pub(crate) unsafe fn release_late(&mut self, lease: Lease) -> Result<(), Lease> {
        if self.late.is_some() || self.must_merge(lease.block()) {
            return Err(lease);
        }
        self.put_late(lease.block());
        Ok(())
    }

    /// Takes a block back, to be merged with its free neighbours. Gives the region that is no longer needed, if any.
    ///
    /// # Safety
    ///
    /// The block was leased by this arena.
    #[inline(never)]
    pub(crate) unsafe fn release(&mut self, lease: Lease) -> Option<Region> {
        self.catch_up();
        let block = lease.block();
        if self.must_merge(block) {
            // SAFETY: the lease ends here.
            return unsafe { self.merge(block) };
        }
        self.put_late(block);
        None
    }

    /// Whether a block cannot wait to be merged, since a chunk might go back (late-is-last).
    #[inline]
    fn must_merge(&self, block: Block) -> bool {
        self.closed || self.idle.is_some() && block.may_be_whole_chunk()
    }

    #[inline]
    fn put_late(&mut self, block: Block) {
        block.forbid();
        self.late = Some(block);
    }

    /// Makes the late block what is asked for: if it has the right size, or else if merging it, choosing the best and cutting that
    /// would come to the same, for it begins what it would be merged to, and that is the block to cut. (Only an aligned request
    /// may find a place so that it would not have found: a search must allow for the largest gap.)
    ///
    /// # Safety
    ///
    /// `late` is the late block.
    #[inline(always)]
    unsafe fn fit_late(&mut self, late: Block, request: Request) -> bool {
        let (units, (size, free_before)) = (request.units(), late.size_and_free_before());
        if late.gap(request.log2_align()) != 0 {
            return false;
        }
        if size == units {
            return true;
        }
        // SAFETY: tiling: the next block.
        let behind = unsafe { late.behind(size) };
        if free_before || !self.bins.is_apart(behind) {
            return false;
        }
        let size = size + behind.size();
        let excess = size.saturating_sub(units);
        let cut = excess >= LARGE
            && !self.tolerates(excess, units)
            && self.bins.only_apart(units, self.policy.first_fit);
        if cut {
            // SAFETY: the right to the late block is the arena's, the one behind it is free; both parts are large enough.
            let rest = unsafe { late.split(size, units) };
            // SAFETY: it is free, and what is behind it knew of the block that stood apart.
            unsafe { rest.tell_size(excess) };
            // SAFETY: it is free and unlisted; what stood apart is part of it, or of the late block.
            unsafe { self.bins.set_apart(rest) };
        }
        cut
    }

    /// Does what the last release left undone.
    #[inline(never)]
    fn catch_up(&mut self) {
        if let Some(late) = self.late {
            // SAFETY: late-is-last: its lease was given back, and it is not listed.
            unsafe { self.merge_late(late) };
        }
    }

    /// Merges the late block.
    ///
    /// # Safety
    ///
    /// `late` is the late block.
    #[inline(always)]
    unsafe fn merge_late(&mut self, late: Block) {
        self.late = None;
        // SAFETY: late-is-last: its lease was given back.
        let region = unsafe { self.merge(late) };
        debug_assert!(
            region.is_none(),
            "late-is-last: no chunk becomes one too many"
        );
    }

    /// Merges a block with its free neighbours and lists it. Gives the region that is no longer needed, if any.
    ///
    /// # Safety
    ///
    /// The block was leased by this arena, and the lease given back.
    #[inline(always)]
    unsafe fn merge(&mut self, mut block: Block) -> Option<Region> {
        self.live_or_late -= 1;
        // SAFETY: nobody has a lease of it any more.
        unsafe { block.set_free() };
        let (mut size, free_before) = block.size_and_free_before();
        // SAFETY: tiling: the next block.
        let next = unsafe { block.behind(size) };
        if next.is_free() {
            let more = next.size();
            // SAFETY: listed-iff-free: it is free.
            unsafe { self.bins.remove(next, more) };
            next.forget();
            size += more;
        } else {
            // SAFETY: this block is free now.
            unsafe { next.set_free_before(true) };
        }
        if free_before {
            let more = block.told_size();
            block.forget();
            // SAFETY: told: a free block of this size ends here.
            block = unsafe { block.before(more) };
            // SAFETY: listed-iff-free: it is free.
            unsafe { self.bins.remove(block, more) };
            size += more;
        }
        // SAFETY: all parts are free and unlisted; the block behind was told just now, or by its free neighbour.
        unsafe { block.set_merged(size) };
        if size >= self.least_chunk && block.is_whole_chunk() {
            // SAFETY: it is free, unlisted, and the only one of its chunk.
            return unsafe { self.retire(block, size) };
        }
        // SAFETY: it is free and unlisted, and what was free beside it is part of it.
        unsafe { self.bins.insert(block, size) };
        None
    }

    /// Makes a leased block at least `least` units large, and up to `wanted`, from the free block behind it.
    ///
    /// # Safety
    ///
    /// The block was leased by this arena.
    pub(crate) unsafe fn extend(&mut self, lease: &mut Lease, least: u32, wanted: u32) -> bool {
        self.catch_up();
        let block = lease.block();
        let next = block.next();
        let most = block.size() + if next.is_free() { next.size() } else { 0 };
        if most < least {
            return false;
        }
        // SAFETY: the lease is of this arena.
        unsafe { self.settle(lease, wanted.min(most)) };
        true
    }

    /// Gives back what a leased block has beyond `units`, as far as that makes a free block. What is visible is in what is left.
    ///
    /// # Safety
    ///
    /// The block was leased by this arena.
    pub(crate) unsafe fn shrink(&mut self, lease: &mut Lease, units: u32) {
        self.catch_up();
        if units < lease.block().size() {
            // SAFETY: the lease is of this arena.
            unsafe { self.settle(lease, units) };
        }
    }

    /// Takes the one wholly free chunk out.
    pub(crate) fn take_idle(&mut self) -> Option<Region> {
        self.catch_up();
        let idle = self.idle.take()?;
        // SAFETY: listed-iff-free, one-idle: it is free.
        unsafe { self.bins.remove(idle, idle.size()) };
        // SAFETY: one-idle: it is the only block of its chunk; it was just unlisted.
        Some(unsafe { self.give_up(idle) })
    }

    /// From now on no wholly free chunk is kept.
    pub(crate) fn close(&mut self) -> Option<Region> {
        let idle = self.take_idle();
        self.closed = true;
        idle
    }

    /// How many blocks are leased.
    pub(crate) fn live(&self) -> usize {
        self.live_or_late - usize::from(self.late.is_some())
    }

    /// The sum of the live blocks' `len`. Walks every block.
    pub(crate) fn live_bytes(&mut self) -> usize {
        self.catch_up();
        self.blocks()
            .filter(|block| !block.is_free())
            .map(|block| block.len())
            .sum()
    }

    /// Whether a live block's visible bytes lie at this address. Walks the blocks of one chunk.
    pub(crate) fn contains(&mut self, addr: usize) -> bool {
        self.catch_up();
        let chunk = self
            .chunks()
            .find(|chunk| (chunk.addr()..chunk.end()).contains(&addr));
        let mut blocks = chunk
            .into_iter()
            .flat_map(Chunk::blocks)
            .take_while(|block| block.addr() <= addr);
        blocks.any(|block| {
            let offset = addr.wrapping_sub(block.payload().addr().get());
            !block.is_free() && offset < block.len()
        })
    }

    /// Adds this arena's figures. Walks every block.
    pub(crate) fn add_to(&mut self, stats: &mut VariadicStats) {
        self.catch_up();
        for chunk in self.chunks() {
            stats.chunks += 1;
            stats.reserved_bytes += chunk.size();
            stats.header_bytes += CHUNK_OVERHEAD;
            chunk.blocks().for_each(|block| add_block(block, stats));
        }
    }

    /// How many chunks a map of this arena has, and at most how many runs.
    pub(crate) fn map_size(&mut self) -> (usize, usize) {
        self.catch_up();
        let runs = |chunk: Chunk| 2 + 2 * chunk.blocks().count();
        (self.chunks().count(), self.chunks().map(runs).sum())
    }

    /// Draws every block, right after [`map_size`](Self::map_size). The map has room for it, so nothing is allocated.
    pub(crate) fn draw(&self, map: &mut HeapMap) {
        for chunk in self.chunks() {
            map.begin_chunk(chunk.size());
            map.push(Cell::Header, CHUNK_OVERHEAD - HEADER);
            for block in chunk.blocks() {
                let cell = if block.is_free() {
                    Cell::Free
                } else {
                    Cell::Used
                };
                map.push(Cell::Header, HEADER);
                map.push(cell, block.capacity());
                map.push(Cell::Header, block.overhead() - HEADER); // in the same run as the header behind it
            }
            map.push(Cell::Header, HEADER);
        }
    }

    /// The chunks, newest first.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = Chunk> + use<> {
        std::iter::successors(self.chunks, |chunk| chunk.next())
    }

    fn blocks(&self) -> impl Iterator<Item = Block> + use<> {
        self.chunks().flat_map(Chunk::blocks)
    }

    /// Cuts a free block to what was asked for and leases it.
    ///
    /// # Safety
    ///
    /// The block is this arena's, free and unlisted, of this size, and large enough with its gap.
    #[inline(always)]
    unsafe fn carve(&mut self, block: Block, size: u32, request: Request) -> Lease {
        if self.idle == Some(block) {
            self.idle = None;
        }
        let gap = block.gap(request.log2_align());
        let (block, size) = if gap == 0 {
            (block, size)
        } else {
            // SAFETY: the caller says all of this.
            unsafe { self.skip_gap(block, size, gap) }
        };
        let units = request.units();
        let excess = size - units;
        if excess >= LEAST && !self.tolerates(excess, units) {
            // SAFETY: the block is free and unlisted; both parts are blocks.
            let rest = unsafe { block.split(size, units) };
            // SAFETY: it is free; what is behind it knew of the block.
            unsafe { rest.tell_size(excess) };
            // SAFETY: it is free and unlisted; a used block follows, as one followed the whole.
            unsafe { self.bins.insert(rest, excess) };
        } else {
            // SAFETY: tiling: the next block.
            let next = unsafe { block.behind(size) };
            // SAFETY: the block is about to be leased.
            unsafe { next.set_free_before(false) };
        }
        self.live_or_late += 1;
        // SAFETY: the block is free and unlisted: nobody else has a right to it.
        unsafe { self.lease(block, request) }
    }

    /// Leases a block as it is.
    ///
    /// # Safety
    ///
    /// The block is this arena's, no longer listed, as large as asked for, and nobody has a lease of it.
    #[inline]
    unsafe fn lease(&mut self, block: Block, request: Request) -> Lease {
        // SAFETY: one-lease: there was none, and the block stays until released.
        let lease = unsafe { Lease::new(block) };
        let tag = Tag::used(request.log2_align(), self.shard);
        // SAFETY: this is the lease.
        unsafe { block.set_tag_and_len(tag, request.len()) };
        lease
    }

    /// Leaves a free block in front so that the payload of the rest is aligned; gives the rest and its size.
    ///
    /// # Safety
    ///
    /// The block is this arena's, free and unlisted, of this size, and larger than its gap by a block.
    #[cold]
    unsafe fn skip_gap(&mut self, block: Block, size: u32, gap: u32) -> (Block, u32) {
        // SAFETY: the block is free and unlisted; its gap is large enough for a block, and so is the rest.
        let rest = unsafe { block.split(size, gap) };
        // SAFETY: it is free and unlisted.
        unsafe { block.tell(gap) };
        // SAFETY: it is free and unlisted; the rest behind it is about to be used.
        unsafe { self.bins.insert(block, gap) };
        (rest, size - gap)
    }

    /// Whether a block of `units` may have so many more.
    #[inline]
    fn tolerates(&self, excess: u32, units: u32) -> bool {
        let excess = u64::from(excess) * UNIT as u64;
        excess * 100 <= room_of(units) as u64 * u64::from(self.policy.tolerance_percent)
    }

    /// Makes a leased block `units` large, or one more.
    ///
    /// # Safety
    ///
    /// The block was leased by this arena; it and a free block behind it have so many units.
    unsafe fn settle(&mut self, lease: &mut Lease, units: u32) {
        let (block, len) = (lease.block(), lease.block().len());
        let next = block.next();
        if next.is_free() {
            // SAFETY: listed-iff-free: it is free.
            unsafe { self.bins.remove(next, next.size()) };
            // SAFETY: the lease is the sole right to the one, the other is free and unlisted.
            unsafe { block.join_next() };
        }
        let size = block.size();
        if size - units >= LEAST {
            // SAFETY: the lease is the sole right; both parts are blocks.
            let rest = unsafe { block.split(size, units) };
            // SAFETY: it is new, free, and nobody's.
            unsafe { rest.tell(size - units) };
            // SAFETY: it is free and unlisted; what was free behind the lease is part of it, so a used block follows.
            unsafe { self.bins.insert(rest, size - units) };
        } else {
            // SAFETY: the lease is of a live block.
            unsafe { block.next().set_free_before(false) };
        }
        lease.set_len(len); // whose place depends on the size
    }

    /// Keeps one wholly free chunk, the smaller of two, and gives up the other.
    ///
    /// # Safety
    ///
    /// The block is the only one of one of this arena's chunks, free, unlisted, and of this size.
    #[cold]
    unsafe fn retire(&mut self, block: Block, size: u32) -> Option<Region> {
        if self.closed || self.idle.is_some() {
            // SAFETY: the caller says all of this.
            return unsafe { self.give_up_one(block, size) };
        }
        // SAFETY: it is free and unlisted.
        unsafe { self.bins.insert(block, size) };
        self.idle = Some(block);
        None
    }

    /// # Safety
    ///
    /// As for [`retire`](Self::retire).
    #[cold]
    unsafe fn give_up_one(&mut self, block: Block, size: u32) -> Option<Region> {
        if self.closed || self.idle.is_some_and(|idle| idle.size() <= size) {
            // SAFETY: the caller says all of this.
            return Some(unsafe { self.give_up(block) });
        }
        let larger = self.take_idle();
        // SAFETY: it is free and unlisted.
        unsafe { self.bins.insert(block, size) };
        self.idle = Some(block);
        larger
    }

    /// Takes a chunk out of the list and makes it a region.
    ///
    /// # Safety
    ///
    /// `first` is the only block of one of this arena's chunks, free and unlisted.
    unsafe fn give_up(&mut self, first: Block) -> Region {
        let chunk = first
            .chunk()
            .expect("tiling: a wholly free block is all of its chunk");
        match chunk.before() {
            Some(before) => before.set_next(chunk.next()),
            None => self.chunks = chunk.next(),
        }
        if let Some(next) = chunk.next() {
            next.set_before(chunk.before());
        }
        // SAFETY: the only block is neither leased nor listed; the chunk is no longer in the list.
        unsafe { chunk.into_region() }
    }
}

fn add_block(block: Block, stats: &mut VariadicStats) {
    stats.header_bytes += block.overhead();
    if block.is_free() {
        stats.free_blocks += 1;
        stats.free_bytes += block.capacity();
        stats.largest_free = stats.largest_free.max(block.capacity());
    } else {
        stats.live_blocks += 1;
        stats.live_bytes += block.len();
    }
}

mod check;
#[cfg(test)]
mod tests;
