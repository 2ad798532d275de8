#![expect(unsafe_code, reason = "all address arithmetic on headers is here")]
//! Blocks and chunks: the only file that turns sizes into addresses.
//!
//! ```text
//!  chunk   ┌──────────────┬────────┬─────────┬────────┬─────────┬─ ─ ─┬──────────┐
//!          │ chunk header │ header │ payload │ header │ payload │     │ sentinel │
//!          └──────────────┴────────┴─────────┴────────┴─────────┴─ ─ ─┴──────────┘
//!                         └──── block ───────┴──── block ───────┘
//!
//!  header  │ size: u31 │ free before: u1 │ tag: u32 = used | log2 align | shard | len │
//!  free    payload begins with next, before (the bin's list); a large one goes on with children and parent; it ends with
//!          the size, so that the block behind finds where this one begins (boundary tags, after Donald Knuth)
//!  long    payload is followed by 8 bytes for a len for which the tag has no room
//! ```
//!
//! Sizes are counted in units of 16 bytes and include the header. `len` is what the user sees, in bytes. A header lies 8 bytes
//! before a multiple of 16, so that payloads are aligned.

use std::alloc::Layout;
use std::ptr::NonNull;
// Not those that the models know, which do not fit into a header: their order is the shard's lock's, but for *tail-first*.
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::asan;
use crate::chunk::Region;
use crate::sync::MOST_SHARDS;

/// Bytes in a unit, in which sizes are counted and to which payloads are aligned.
pub(crate) const UNIT: usize = 16;
/// Bytes in a block's header.
pub(crate) const HEADER: usize = size_of::<Header>();
/// Bytes at the end of a free block and of a long one.
const TAIL: usize = size_of::<AtomicU64>();
/// Bytes of a chunk that no block can have: its header and its sentinel.
pub(crate) const CHUNK_OVERHEAD: usize = FIRST + HEADER;
/// The smallest block, in units: a header, and a payload that can hold a free block's links and its size.
pub(crate) const LEAST: u32 = 2;
/// Blocks of more units are long: their tag may have no room for the len, so they have a tail for it.
const MOST_SHORT: u32 = 1 << (Tag::LEN_BITS - UNIT.trailing_zeros());
/// The largest alignment, in bytes.
pub(crate) const MOST_ALIGN: usize = 1 << 20;
/// The largest chunk, in bytes: its only block's size must fit 31 bits, and no allocation exceeds `isize::MAX`.
pub(crate) const MOST_CHUNK: usize = if usize::BITS > 35 {
    (MOST_UNITS as usize) << UNIT.trailing_zeros()
} else {
    isize::MAX as usize & !(UNIT - 1)
};

/// The largest size.
const MOST_UNITS: u32 = u32::MAX >> 1;
/// The log2 of the alignment every payload has.
const LOG2_UNIT: u32 = UNIT.trailing_zeros();
/// Where a chunk's first block begins: behind the chunk's header, where a payload will be aligned.
const FIRST: usize = (size_of::<ChunkHeader>() + HEADER).next_multiple_of(UNIT) - HEADER;

/// What lies before a payload. While the block is live its owner reads both words without a lock.
#[repr(C, align(8))]
struct Header {
    /// Units, header included, then a bit that says whether the block before is free. Written under the shard's lock alone;
    /// the units of a live block only for its owner. A sentinel has 0 units.
    size: AtomicU32,
    /// A [`Tag`]. While the block is live only its owner writes it; others read it under the shard's lock.
    tag: AtomicU32,
}

impl Header {
    /// Of a block behind one that is used.
    #[inline]
    fn new(size: u32, tag: Tag) -> Self {
        Self {
            size: AtomicU32::new(size << 1),
            tag: AtomicU32::new(tag.0),
        }
    }
}

#[repr(C, align(8))]
struct ChunkHeader {
    /// Bytes of the region.
    size: usize,
    next: Option<Chunk>,
    before: Option<Chunk>,
}

const _: () = assert!(HEADER == TAIL && HEADER < UNIT && FIRST >= size_of::<ChunkHeader>());

/// The bytes of payload of a block of this size.
#[inline]
pub(crate) const fn room_of(units: u32) -> usize {
    units as usize * UNIT - HEADER - if units > MOST_SHORT { TAIL } else { 0 }
}

/// The size of a block with so many bytes of payload, which are no more than a chunk has.
#[inline]
pub(crate) const fn units_of(room: usize) -> u32 {
    let tail = if room > room_of(MOST_SHORT) { TAIL } else { 0 };
    let units = (room + HEADER + tail).div_ceil(UNIT) as u32;
    if units < LEAST { LEAST } else { units }
}

/// What a header says of its block: whether it is used, and if so its length (unless that is too large), alignment and shard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tag(u32);

impl Tag {
    const FREE: Self = Self(0);
    const LEN_BITS: u32 = 20;
    const SHARD_AT: u32 = Self::LEN_BITS;
    const ALIGN_AT: u32 = 26;
    const USED: u32 = 1 << 31;
    /// What the tag has for a `len` of so much or more: that lies in the tail.
    const LONG: usize = (1 << Self::LEN_BITS) - 1;
    const FITS: () = assert!(
        MOST_SHARDS <= 1 << (Self::ALIGN_AT - Self::SHARD_AT)
            && MOST_ALIGN.trailing_zeros() < 1 << (31 - Self::ALIGN_AT)
            && room_of(MOST_SHORT) < Self::LONG
    );

    /// The tag of a live block in which nothing is visible: `log2` below 32, `shard` below 64.
    #[inline]
    pub(crate) fn used(log2: u32, shard: usize) -> Self {
        let () = Self::FITS;
        debug_assert!(log2 < 32 && shard < 64, "both have their bits");
        Self(Self::USED | log2 << Self::ALIGN_AT | (shard as u32) << Self::SHARD_AT)
    }

    /// The tag of the sentinel of a chunk that has so many units for blocks.
    fn sentinel(units: u32) -> Self {
        Self(Self::USED | units)
    }

    /// The same, but for the length, [`LONG`](Self::LONG) at most.
    #[inline]
    fn with_len(self, len: usize) -> Self {
        Self(self.0 & !(Self::LONG as u32) | len as u32)
    }

    #[inline]
    pub(crate) fn is_used(self) -> bool {
        self.0 & Self::USED != 0
    }

    #[inline]
    fn len(self) -> usize {
        self.0 as usize & Self::LONG
    }

    #[inline]
    pub(crate) fn log2_align(self) -> u32 {
        self.0 >> Self::ALIGN_AT & 31
    }

    pub(crate) fn shard(self) -> usize {
        (self.0 >> Self::SHARD_AT) as usize & 63
    }
}

/// A block of a chunk, its sentinel included. Copying it gives no rights: those are the lease's and the arena's.
///
/// # Invariants
///
/// While a `Block` is used, its chunk has not been given up, and
///
/// - *tiling*: a chunk's blocks fill it exactly, from behind its header to its sentinel, which is the only one of size 0,
///   counts as used, and has the size of all the others together for a tag;
/// - *told*: a block says of the one before whether it is free (a first block: that it is not), and the last 8 bytes of a free
///   one are its size;
/// - *payload-aligned*: a payload begins at a multiple of 16, a live one at a multiple of its alignment.
///
/// The pointer may reach the whole region.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Block(NonNull<Header>);

impl Block {
    /// The block of a payload.
    ///
    /// # Safety
    ///
    /// `payload` begins at the address of a block's payload, and may reach the whole region.
    #[cfg(feature = "allocator-api2")]
    pub(crate) unsafe fn of_payload(payload: NonNull<u8>) -> Self {
        // SAFETY: tiling: the header ends where the payload begins.
        Self(unsafe { payload.cast::<Header>().sub(1) })
    }

    #[inline]
    fn size_word<'a>(self) -> &'a AtomicU32 {
        // SAFETY: valid: tiling, and the caller lets go of it at once. Aliasing: the field is a cell.
        unsafe { &(*self.0.as_ptr()).size }
    }

    #[inline]
    fn tag_word<'a>(self) -> &'a AtomicU32 {
        // SAFETY: valid: tiling, and the caller lets go of it at once. Aliasing: the field is a cell.
        unsafe { &(*self.0.as_ptr()).tag }
    }

    /// In units, header included.
    #[inline]
    pub(crate) fn size(self) -> u32 {
        self.size_word().load(Ordering::Relaxed) >> 1
    }

    /// Whether the block before this one is free.
    #[inline]
    pub(crate) fn is_free_before(self) -> bool {
        self.size_and_free_before().1
    }

    /// The size, and whether the block before this one is free.
    #[inline]
    pub(crate) fn size_and_free_before(self) -> (u32, bool) {
        let word = self.size_word().load(Ordering::Relaxed);
        (word >> 1, word & 1 != 0)
    }

    #[inline]
    pub(crate) fn tag(self) -> Tag {
        Tag(self.tag_word().load(Ordering::Relaxed))
    }

    #[inline]
    pub(crate) fn is_free(self) -> bool {
        !self.tag().is_used()
    }

    #[inline]
    pub(crate) fn is_sentinel(self) -> bool {
        self.size() == 0
    }

    /// Whether this is a sentinel of a chunk with so many units for blocks.
    #[inline]
    pub(crate) fn is_sentinel_of(self, units: u32) -> bool {
        self.is_sentinel() && self.tag() == Tag::sentinel(units)
    }

    /// Whether this is the only block of its chunk.
    #[inline]
    pub(crate) fn is_whole_chunk(self) -> bool {
        self.next().is_sentinel_of(self.size())
    }

    /// Whether this may be all of its chunk once it is merged; a quick answer, that only looks behind it.
    #[inline]
    pub(crate) fn may_be_whole_chunk(self) -> bool {
        let next = self.next();
        next.is_free() || next.is_sentinel()
    }

    /// So many units behind the beginning of this block.
    ///
    /// # Safety
    ///
    /// They are no more than this and the blocks behind it have.
    #[inline]
    pub(crate) unsafe fn behind(self, units: u32) -> Self {
        // SAFETY: tiling: inside the chunk, whose sentinel lies behind all blocks.
        Self(unsafe { self.0.byte_add(units as usize * UNIT) })
    }

    /// The block behind this one, which is not a sentinel.
    #[inline]
    pub(crate) fn next(self) -> Self {
        debug_assert!(!self.is_sentinel(), "tiling: nothing is behind a sentinel");
        // SAFETY: tiling: another block or the sentinel begins where this one ends.
        unsafe { self.behind(self.size()) }
    }

    /// The block of `size` that ends where this one begins.
    ///
    /// # Safety
    ///
    /// There is one.
    #[inline]
    pub(crate) unsafe fn before(self, size: u32) -> Self {
        // SAFETY: the caller says that this is inside the chunk.
        Self(unsafe { self.0.byte_sub(size as usize * UNIT) })
    }

    /// The size of the block before this one, which is free.
    #[inline]
    pub(crate) fn told_size(self) -> u32 {
        debug_assert!(
            self.is_free_before(),
            "told: a used block's last bytes are its owner's"
        );
        // SAFETY: tiling: this is no first block, so another one's tail is before it.
        let tail = unsafe { self.0.cast::<AtomicU64>().sub(1) };
        let _opened = asan::open(tail.cast(), TAIL);
        // SAFETY: valid: it was written when that was freed. Aliasing: it is a cell.
        unsafe { tail.as_ref() }.load(Ordering::Relaxed) as u32
    }

    /// The chunk whose only block this is.
    pub(crate) fn chunk(self) -> Option<Chunk> {
        if !self.is_whole_chunk() {
            return None;
        }
        // SAFETY: tiling: this is a first block, so the chunk's header lies right before it.
        Some(Chunk(unsafe { self.0.byte_sub(FIRST) }.cast()))
    }

    /// The first byte behind the header.
    #[inline]
    pub(crate) fn payload(self) -> NonNull<u8> {
        // SAFETY: tiling: a header ends inside its chunk, or at its end.
        unsafe { self.0.add(1) }.cast()
    }

    /// Bytes of payload that a user can have.
    #[inline]
    pub(crate) fn capacity(self) -> usize {
        room_of(self.size())
    }

    /// Bytes that no user can have.
    pub(crate) fn overhead(self) -> usize {
        self.size() as usize * UNIT - self.capacity()
    }

    /// The address of the header.
    #[inline]
    pub(crate) fn addr(self) -> usize {
        self.0.addr().get()
    }

    /// How many units to leave out in front so that the payload is aligned: none, or enough for a free block.
    #[inline]
    pub(crate) fn gap(self, log2_align: u32) -> u32 {
        if log2_align <= LOG2_UNIT {
            return 0;
        }
        let units = 1 << (log2_align - LOG2_UNIT);
        let past = (self.payload().addr().get() / UNIT) as u32 & (units - 1);
        match (units - past) & (units - 1) {
            gap if gap != 0 && gap < LEAST => gap + units,
            gap => gap,
        }
    }

    /// What the user sees of a live block, in bytes.
    #[inline]
    pub(crate) fn len(self) -> usize {
        // Its owner may be changing it: tail-first.
        match Tag(self.tag_word().load(Ordering::Acquire)).len() {
            Tag::LONG => self.tail(self.size()).load(Ordering::Relaxed) as usize,
            short => short,
        }
    }

    /// The last bytes of a free block or a long one, which has this size.
    #[inline]
    fn tail<'a>(self, size: u32) -> &'a AtomicU64 {
        // SAFETY: tiling: the block ends there.
        let end = unsafe { self.behind(size) };
        // SAFETY: tiling: behind the block's header, and aligned as the next one is.
        let tail = unsafe { end.0.cast::<AtomicU64>().sub(1) };
        // SAFETY: valid: inside the block, and integers; the caller writes first, or it was written. Aliasing: it is a cell, and no
        // part of what a user has.
        unsafe { tail.as_ref() }
    }

    /// Sets the tag.
    ///
    /// # Safety
    ///
    /// The caller has the sole right to this block: nobody has a lease of it, or the caller does.
    #[inline]
    pub(crate) unsafe fn set_tag(self, tag: Tag) {
        self.tag_word().store(tag.0, Ordering::Relaxed);
    }

    /// Sets the tag, with this `len`, of which the block has as many bytes.
    ///
    /// # Safety
    ///
    /// The caller has the sole right to this block.
    #[inline]
    pub(crate) unsafe fn set_tag_and_len(self, tag: Tag, len: usize) {
        debug_assert!(len <= self.capacity(), "what is visible has room");
        if len < Tag::LONG {
            // SAFETY: the caller has the sole right.
            return unsafe { self.set_tag(tag.with_len(len)) };
        }
        self.tail(self.size()).store(len as u64, Ordering::Relaxed);
        // *tail-first*: whoever reads in the tag that the length is in the tail finds this one there, or a later one. (Did the size
        // say where a length is, it would be one word. But then each push reads the size once more, and an allocation asks
        // for it: 2 to 4 % of a pair or a replacement.)
        self.tag_word()
            .store(tag.with_len(Tag::LONG).0, Ordering::Release);
    }

    /// Tells AddressSanitizer that nobody may touch what is behind the header any more.
    #[inline]
    pub(crate) fn forbid(self) {
        if asan::TOLD {
            asan::poison(self.payload(), self.size() as usize * UNIT - HEADER);
        }
    }

    /// Tells AddressSanitizer that what is behind the header may be used.
    #[inline]
    fn permit(self) {
        if asan::TOLD {
            asan::unpoison(self.payload(), self.size() as usize * UNIT - HEADER);
        }
    }

    /// Makes this a free block. Its owner has ended, or it never had one. The block behind is yet to be [told](Self::tell).
    ///
    /// # Safety
    ///
    /// The caller has the shard's lock and the sole right to this block.
    #[inline]
    pub(crate) unsafe fn set_free(self) {
        // SAFETY: the caller has the sole right.
        unsafe { self.set_tag(Tag::FREE) }
        self.forbid();
    }

    /// Tells the block behind that this one is free, and where it begins.
    ///
    /// # Safety
    ///
    /// The caller has the shard's lock and the sole right to this block, which is free and has this size.
    #[inline]
    pub(crate) unsafe fn tell(self, size: u32) {
        // SAFETY: passed on.
        unsafe { self.tell_size(size) };
        // SAFETY: tiling: the next block.
        let next = unsafe { self.behind(size) };
        // SAFETY: passed on, and it is so.
        unsafe { next.set_free_before(true) };
    }

    /// Tells the block behind, which knows that a free one is before it, where that now begins.
    ///
    /// # Safety
    ///
    /// As for [`tell`](Self::tell).
    #[inline]
    pub(crate) unsafe fn tell_size(self, size: u32) {
        debug_assert!(self.is_free() && size == self.size(), "told: it is so");
        let tail = self.tail(size);
        let _opened = asan::open(NonNull::from(tail).cast(), TAIL);
        tail.store(size.into(), Ordering::Relaxed);
    }

    /// Makes this free block `size` units large, which is what it and free blocks behind it were, and tells the block behind
    /// where it begins. The one before is used.
    ///
    /// # Safety
    ///
    /// The caller has the shard's lock and the sole right to all of it, and the block behind knows that a free one is before it.
    #[inline]
    pub(crate) unsafe fn set_merged(self, size: u32) {
        // Without looking at what it was: no-free-twins, so this is behind a used block.
        self.size_word().store(size << 1, Ordering::Relaxed);
        // SAFETY: passed on.
        unsafe { self.tell_size(size) };
    }

    /// Tells AddressSanitizer that this header is now inside a free block.
    #[inline]
    pub(crate) fn forget(self) {
        asan::poison(self.0.cast(), HEADER);
    }

    /// Says in this block's header whether the block before it is free.
    ///
    /// # Safety
    ///
    /// The caller has the shard's lock, whoever owns the block, and it is or will be so.
    #[inline]
    pub(crate) unsafe fn set_free_before(self, free: bool) {
        let size = self.size_word().load(Ordering::Relaxed) & !1;
        self.size_word()
            .store(size | u32::from(free), Ordering::Relaxed);
    }

    /// Cuts this block of `size` behind `units`, and gives the rest, which is free and says that the block before it is not. The
    /// block behind the rest is told nothing.
    ///
    /// # Safety
    ///
    /// - The caller has the shard's lock and the sole right to `size` units from here on.
    /// - Both parts are blocks: `LEAST <= units` and `units + LEAST <= size`.
    #[inline]
    pub(crate) unsafe fn split(self, size: u32, units: u32) -> Self {
        let rest = size - units;
        debug_assert!(units >= LEAST && rest >= LEAST, "both parts are blocks");
        // SAFETY: `units` is less than the size.
        let cut = unsafe { self.behind(units) };
        asan::unpoison(cut.0.cast(), HEADER);
        // SAFETY: inside the payload, to which the caller has the sole right.
        unsafe { cut.0.write(Header::new(rest, Tag::FREE)) };
        cut.forbid();
        // SAFETY: tiling holds again: `cut` begins where this now ends.
        unsafe { self.set_size(units) };
        cut
    }

    /// Makes this live block and the next one, which is free, one. The block behind that is told nothing.
    ///
    /// # Safety
    ///
    /// The caller has the shard's lock and the sole right to both.
    #[inline]
    pub(crate) unsafe fn join_next(self) {
        let next = self.next();
        debug_assert!(next.is_free(), "tiling: a sentinel is permanent");
        next.permit();
        // SAFETY: tiling holds again.
        unsafe { self.set_size(self.size() + next.size()) };
    }

    /// # Safety
    ///
    /// The caller has the lock and the sole right to the block, and restores *tiling*.
    #[inline]
    unsafe fn set_size(self, size: u32) {
        let free_before = self.size_word().load(Ordering::Relaxed) & 1;
        self.size_word()
            .store(size << 1 | free_before, Ordering::Relaxed);
    }
}

/// The sole right to a live block, and so to its payload. Whoever gives it back ends it.
#[derive(Debug)]
pub(crate) struct Lease(Block);

impl Lease {
    /// # Safety
    ///
    /// The block is live, nobody else has a lease of it, and its chunk stays until this one is given back.
    #[inline]
    pub(crate) unsafe fn new(block: Block) -> Self {
        block.permit();
        Self(block)
    }

    /// The leased block.
    #[inline]
    pub(crate) fn block(&self) -> Block {
        self.0
    }

    /// The first byte of the payload; the pointer may reach the whole region.
    #[inline]
    pub(crate) fn payload(&self) -> NonNull<u8> {
        self.0.payload()
    }

    /// Bytes of payload.
    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// The alignment the block was asked for, as a power of two.
    pub(crate) fn log2_align(&self) -> u32 {
        self.0.tag().log2_align()
    }

    /// Tells the pool how much of the payload the user sees.
    #[inline]
    pub(crate) fn set_len(&mut self, len: usize) {
        // SAFETY: this is the lease.
        unsafe { self.0.set_tag_and_len(self.0.tag(), len) }
    }
}

/// A chunk: one region, tiled by blocks. Copying it gives no rights. Valid until it is made a region again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Chunk(NonNull<ChunkHeader>);

impl Chunk {
    /// The layout of a region for a chunk of so many bytes.
    pub(crate) fn layout(size: usize) -> Option<Layout> {
        Layout::from_size_align(size, UNIT).ok()
    }

    /// Makes a region a chunk with one free block.
    pub(crate) fn new(region: Region) -> Self {
        let size = region.size();
        assert!(
            size % UNIT == 0 && size >= CHUNK_OVERHEAD + LEAST as usize * UNIT,
            "room for a block"
        );
        let units = u32::try_from((size - CHUNK_OVERHEAD) / UNIT)
            .ok()
            .filter(|&units| units <= MOST_UNITS);
        let units = units.expect("no larger than MOST_CHUNK");
        let chunk = Self(region.into_raw().cast());
        // SAFETY: the region was just given to this chunk; it is aligned to units and large enough.
        unsafe {
            chunk.0.write(ChunkHeader {
                size,
                next: None,
                before: None,
            })
        };
        let first = chunk.first();
        // SAFETY: the region has room for the header of the only block, behind its own.
        unsafe { first.0.write(Header::new(units, Tag::FREE)) };
        let sentinel = Header::new(0, Tag::sentinel(units));
        // SAFETY: the sentinel's header is the last thing in the region: CHUNK_OVERHEAD keeps room for it.
        unsafe { first.next().0.write(sentinel) };
        first.forbid();
        // SAFETY: the chunk is new, so all rights are the caller's.
        unsafe { first.tell(units) };
        chunk
    }

    /// Makes the chunk a region again, to be freed.
    ///
    /// # Safety
    ///
    /// Nobody has a lease of its blocks, none is listed, and neither they nor the chunk are used again.
    pub(crate) unsafe fn into_region(self) -> Region {
        let layout = Self::layout(self.size()).expect("own-layout: it was allocated so");
        // SAFETY: own-layout: `new` gave up a region of this size, and all its alignments are the same.
        unsafe { Region::from_raw(self.0.cast(), layout) }
    }

    /// Bytes of the region.
    pub(crate) fn size(self) -> usize {
        // SAFETY: a chunk's header is initialised.
        unsafe { (*self.0.as_ptr()).size }
    }

    /// The first block.
    pub(crate) fn first(self) -> Block {
        // SAFETY: a chunk is larger than its header.
        Block(unsafe { self.0.byte_add(FIRST) }.cast())
    }

    /// The blocks, without the sentinel.
    pub(crate) fn blocks(self) -> impl Iterator<Item = Block> {
        let following = |block: &Block| (!block.is_sentinel()).then(|| block.next());
        std::iter::successors(Some(self.first()), following)
            .take_while(|block| !block.is_sentinel())
    }

    /// The address of the chunk's header.
    pub(crate) fn addr(self) -> usize {
        self.0.addr().get()
    }

    /// The address of the sentinel.
    pub(crate) fn end(self) -> usize {
        self.addr() + self.size() - HEADER
    }

    pub(crate) fn next(self) -> Option<Self> {
        // SAFETY: a chunk's header is initialised.
        unsafe { (*self.0.as_ptr()).next }
    }

    pub(crate) fn before(self) -> Option<Self> {
        // SAFETY: a chunk's header is initialised.
        unsafe { (*self.0.as_ptr()).before }
    }

    pub(crate) fn set_next(self, next: Option<Self>) {
        // SAFETY: a chunk's header is its arena's.
        unsafe { (*self.0.as_ptr()).next = next }
    }

    pub(crate) fn set_before(self, before: Option<Self>) {
        // SAFETY: a chunk's header is its arena's.
        unsafe { (*self.0.as_ptr()).before = before }
    }
}
