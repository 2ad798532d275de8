#![expect(unsafe_code, reason = "all address arithmetic on headers is here")]
//! Blocks and chunks: the only file that turns sizes into addresses.
//!
//! ```text
//!  chunk   ┌──────────────┬────────┬─────────┬────────┬─────────┬─ ─ ─┬──────────┐
//!          │ chunk header │ header │ payload │ header │ payload │     │ sentinel │
//!          └──────────────┴────────┴─────────┴────────┴─────────┴─ ─ ─┴──────────┘
//!                         └──── block ───────┴──── block ───────┘
//!
//!  header  │ size: u32 │ prev: u32 │ word: u64 = len << 12 | shard << 6 | log2 align << 1 | used │
//!  free    payload begins with next, before (the bin's list); a large one goes on with children and parent
//! ```
//!
//! Sizes are counted in units of 16 bytes and include the header. `len` is what the user sees, in bytes.

use std::alloc::Layout;
use std::ptr::NonNull;

use crate::asan;
use crate::chunk::Region;
use crate::sync::{AtomicU64, MOST_SHARDS, Ordering};

/// Bytes in a unit, in which sizes are counted and to which payloads are aligned.
pub(crate) const UNIT: usize = 16;
/// Bytes in a block's header.
pub(crate) const HEADER: usize = size_of::<Header>();
/// Bytes of a chunk that no block can have: its header and its sentinel.
pub(crate) const CHUNK_OVERHEAD: usize = size_of::<ChunkHeader>() + HEADER;
/// The smallest block, in units: a header, and a payload that can hold a free block's links.
pub(crate) const LEAST: u32 = 2;
/// The largest alignment, in bytes.
pub(crate) const MOST_ALIGN: usize = 1 << 20;
/// The largest chunk, in bytes: its only block's size must fit 32 bits, and no allocation exceeds `isize::MAX`.
pub(crate) const MOST_CHUNK: usize = if usize::BITS > 36 {
    (u32::MAX as usize) << UNIT.trailing_zeros()
} else {
    isize::MAX as usize & !(UNIT - 1)
};

/// The log2 of the alignment every payload has.
const LOG2_UNIT: u32 = UNIT.trailing_zeros();

#[repr(C, align(16))]
struct Header {
    /// Units, header included; 0 in a sentinel.
    size: u32,
    /// The size of the block before; 0 in a chunk's first block.
    prev: u32,
    /// A [`Tag`]. While the block is live only its owner writes it; others read it under the shard's lock.
    word: AtomicU64,
}

#[repr(C, align(16))]
struct ChunkHeader {
    /// Bytes of the region.
    size: usize,
    next: Option<Chunk>,
    before: Option<Chunk>,
}

const _: () = assert!(HEADER == UNIT && size_of::<ChunkHeader>() % UNIT == 0);

/// What a header's word says: whether the block is used, and if so its length, alignment and shard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tag(u64);

impl Tag {
    const FREE: Self = Self(0);
    const USED: u64 = 1;
    const ALIGN_AT: u32 = 1;
    const SHARD_AT: u32 = 6;
    const LEN_AT: u32 = 12;
    const FITS: () = assert!(MOST_SHARDS <= 1 << (Self::LEN_AT - Self::SHARD_AT));

    /// The tag of a live block: `log2` below 32, `shard` below 64.
    #[inline]
    pub(crate) fn used(len: usize, log2: u32, shard: usize) -> Self {
        let () = Self::FITS;
        debug_assert!(log2 < 32 && shard < 64, "both have their bits");
        let place = (shard as u64) << Self::SHARD_AT | u64::from(log2) << Self::ALIGN_AT;
        Self((len as u64) << Self::LEN_AT | place | Self::USED)
    }

    #[inline]
    fn with_len(self, len: usize) -> Self {
        Self((len as u64) << Self::LEN_AT | self.0 & ((1 << Self::LEN_AT) - 1))
    }

    #[inline]
    pub(crate) fn is_used(self) -> bool {
        self.0 & Self::USED != 0
    }

    #[inline]
    pub(crate) fn len(self) -> usize {
        (self.0 >> Self::LEN_AT) as usize
    }

    #[inline]
    pub(crate) fn log2_align(self) -> u32 {
        (self.0 >> Self::ALIGN_AT) as u32 & 31
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
/// - *tiling*: a chunk's blocks fill it exactly, from behind its header to its sentinel, which is the only one of size 0
///   and counts as used;
/// - *back-link*: `prev` is the size of the block before; 0 marks the first block of a chunk and nothing else;
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

    /// In units, header included.
    #[inline]
    pub(crate) fn size(self) -> u32 {
        // SAFETY: tiling: a header is here. Only the lock's owner, or for a live block's its owner, writes this field.
        unsafe { (*self.0.as_ptr()).size }
    }

    /// The size of the block before; 0 if this is a chunk's first.
    #[inline]
    pub(crate) fn prev_size(self) -> u32 {
        // SAFETY: tiling: a header is here. This field belongs to the lock's owner.
        unsafe { (*self.0.as_ptr()).prev }
    }

    #[inline]
    fn word<'a>(self) -> &'a AtomicU64 {
        // SAFETY: valid: tiling, and the caller lets go of it at once. Aliasing: the field is a cell.
        unsafe { &(*self.0.as_ptr()).word }
    }

    #[inline]
    pub(crate) fn tag(self) -> Tag {
        Tag(self.word().load(Ordering::Relaxed))
    }

    #[inline]
    pub(crate) fn is_free(self) -> bool {
        !self.tag().is_used()
    }

    #[inline]
    pub(crate) fn is_sentinel(self) -> bool {
        self.size() == 0
    }

    /// Whether this is the only block of its chunk.
    #[inline]
    pub(crate) fn is_whole_chunk(self) -> bool {
        self.prev_size() == 0 && self.next().is_sentinel()
    }

    /// Whether this may be all of its chunk once it is merged; a quick answer, that only looks behind it.
    #[inline]
    pub(crate) fn may_be_whole_chunk(self) -> bool {
        let next = self.next();
        next.is_free() || next.is_sentinel()
    }

    /// The block behind this one, which is not a sentinel.
    #[inline]
    pub(crate) fn next(self) -> Self {
        debug_assert!(!self.is_sentinel(), "tiling: nothing is behind a sentinel");
        // SAFETY: tiling: another block or the sentinel begins where this one ends.
        Self(unsafe { self.0.add(self.size() as usize) })
    }

    /// The block before this one, unless this is the first.
    #[inline]
    pub(crate) fn previous(self) -> Option<Self> {
        match self.prev_size() {
            0 => None,
            // SAFETY: back-link: so far before this one another begins, in the same chunk.
            size => Some(Self(unsafe { self.0.sub(size as usize) })),
        }
    }

    /// The chunk whose first block this is.
    pub(crate) fn chunk(self) -> Option<Chunk> {
        if self.prev_size() != 0 {
            return None;
        }
        // SAFETY: back-link: this is a first block, so the chunk's header lies right before it.
        Some(Chunk(unsafe { self.0.cast::<ChunkHeader>().sub(1) }))
    }

    /// The first byte behind the header.
    #[inline]
    pub(crate) fn payload(self) -> NonNull<u8> {
        // SAFETY: tiling: a header ends inside its chunk, or at its end.
        unsafe { self.0.add(1) }.cast()
    }

    /// Bytes of payload.
    #[inline]
    pub(crate) fn capacity(self) -> usize {
        self.size() as usize * UNIT - HEADER
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

    /// Sets the word.
    ///
    /// # Safety
    ///
    /// The caller has the sole right to this block: nobody has a lease of it, or the caller does.
    #[inline]
    pub(crate) unsafe fn set_tag(self, tag: Tag) {
        self.word().store(tag.0, Ordering::Relaxed);
    }

    /// Tells AddressSanitizer that nobody may touch the payload any more.
    #[inline]
    pub(crate) fn forbid(self) {
        asan::poison(self.payload(), self.capacity());
    }

    /// Makes this a free block. Its owner has ended, or it never had one.
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

    /// Cuts this block behind `units`, and gives the rest, which is free.
    ///
    /// # Safety
    ///
    /// - The caller has the shard's lock and the sole right to this block.
    /// - Both parts are blocks: `LEAST <= units` and `units + LEAST <= size`.
    #[inline]
    pub(crate) unsafe fn split(self, units: u32) -> Self {
        let rest = self.size() - units;
        debug_assert!(units >= LEAST && rest >= LEAST, "both parts are blocks");
        let next = self.next();
        // SAFETY: `units` is less than the size, so this is inside the block.
        let cut = Self(unsafe { self.0.add(units as usize) });
        let header = Header {
            size: rest,
            prev: units,
            word: AtomicU64::new(Tag::FREE.0),
        };
        asan::unpoison(cut.0.cast(), HEADER);
        // SAFETY: inside the payload, to which the caller has the sole right.
        unsafe { cut.0.write(header) };
        asan::poison(cut.payload(), cut.capacity());
        // SAFETY: tiling holds again: `cut` begins where this now ends.
        unsafe { self.set_size(units) };
        // SAFETY: back-link holds again.
        unsafe { next.set_prev(rest) };
        cut
    }

    /// Makes this block and the next one.
    ///
    /// # Safety
    ///
    /// The caller has the shard's lock and the sole right to both; the next is not the sentinel.
    #[inline]
    pub(crate) unsafe fn join_next(self) {
        let next = self.next();
        debug_assert!(!next.is_sentinel(), "tiling: a sentinel is permanent");
        let size = self.size() + next.size();
        // SAFETY: back-link will hold: the block behind both begins `size` after this one.
        unsafe { next.next().set_prev(size) };
        if self.is_free() {
            asan::poison(next.0.cast(), HEADER);
        } else {
            asan::unpoison(next.payload(), next.capacity());
        }
        // SAFETY: tiling holds again.
        unsafe { self.set_size(size) };
    }

    /// Moves the boundary to the free block behind this one so that this has `units`, and gives the block that is then behind.
    ///
    /// # Safety
    ///
    /// - The caller has the shard's lock and the sole right to both blocks.
    /// - Both will be blocks: `LEAST <= units`, and `units + LEAST` is no more than they have together.
    #[inline]
    pub(crate) unsafe fn move_end(self, units: u32) -> Self {
        let next = self.next();
        debug_assert!(next.is_free(), "the boundary is to a free block");
        // SAFETY: tiling is restored by what follows: the block behind both begins where `split` will look for it.
        unsafe { self.set_size(self.size() + next.size()) };
        // SAFETY: this is both blocks now; both parts are blocks.
        unsafe { self.split(units) }
    }

    /// # Safety
    ///
    /// The caller has the lock and the sole right to the block, and restores *tiling*.
    #[inline]
    unsafe fn set_size(self, size: u32) {
        // SAFETY: a header is here; the right to write is the caller's.
        unsafe { (*self.0.as_ptr()).size = size }
    }

    /// # Safety
    ///
    /// The caller has the lock and restores *back-link*.
    #[inline]
    unsafe fn set_prev(self, prev: u32) {
        // SAFETY: a header is here; this field is the lock's owner's, whoever owns the block.
        unsafe { (*self.0.as_ptr()).prev = prev }
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
        asan::unpoison(block.payload(), block.capacity());
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
        let tag = self.0.tag().with_len(len);
        // SAFETY: this is the lease.
        unsafe { self.0.set_tag(tag) }
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
        let units =
            u32::try_from((size - CHUNK_OVERHEAD) / UNIT).expect("no larger than MOST_CHUNK");
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
        let header = Header {
            size: units,
            prev: 0,
            word: AtomicU64::new(Tag::FREE.0),
        };
        // SAFETY: the region has room for the header of the only block, behind its own.
        unsafe { first.0.write(header) };
        let sentinel = Header {
            size: 0,
            prev: units,
            word: AtomicU64::new(Tag::USED),
        };
        // SAFETY: the sentinel's header is the last thing in the region: CHUNK_OVERHEAD keeps room for it.
        unsafe { first.next().0.write(sentinel) };
        asan::poison(first.payload(), first.capacity());
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
        Block(unsafe { self.0.add(1) }.cast())
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
