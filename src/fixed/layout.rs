#![expect(unsafe_code, reason = "finds the objects of a group by address")]
//! All layout arithmetic of the slot pool: where headers, groups and slots lie, and how large a region must be.
//!
//! ```text
//! chunk base (a multiple of CHUNK)
//! │ shift │ header │ group 0 │ group 1 │ … │ pad │ slot 0 │ slot 1 │ … │ slot n-1 │
//! └ 0..7 cache lines, by address                 └ slots_offset(n)
//! ```

use std::alloc::Layout;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use crate::access::Access;
use crate::chunk::{HAS_HUGE_PAGES, HUGE_PAGE};

/// Bytes and alignment of a chunk: masking a slot's address with it finds the chunk.
///
/// 64 KiB are as fast as 1 MiB once headers are shifted, and small pools stay small.
pub(crate) const CHUNK: usize = 1 << 16;

/// Slots of a group: one bitmap word.
pub(crate) const GROUP: usize = u64::BITS as usize;

/// The largest alignment of an object: its first slot must start within the chunk, behind the header.
pub(crate) const MOST_ALIGN: usize = CHUNK / 2;
const _: () = assert!(MOST_ALIGN < CHUNK);

/// Chunks of the largest region.
pub(crate) const MOST_CHUNKS: usize = 32;

/// Bytes of the largest region of packed chunks. Where there are huge pages to ask for it is aligned to as much, so that it can be
/// one: with a million objects at random places, misses of the address translation cost more than those of the cache.
const MOST_REGION: usize = MOST_CHUNKS * CHUNK;

const _: () = assert!(MOST_REGION == HUGE_PAGE);

/// Bytes of a chunk's header.
pub(crate) const HEADER_SIZE: usize = 128;

/// Bytes of a group: one cache line, so that walkers of neighbouring groups do not disturb each other.
pub(crate) const GROUP_SIZE: usize = 64;

/// Bytes of a cache line.
const LINE: usize = 64;

/// How many different places a header can have in its chunk.
const SHIFTS: usize = 8;

/// Objects larger than this get regions of one chunk, whose last object may reach beyond the chunk: packing them into
/// whole chunks would waste up to an object each.
const MOST_PACKED: usize = CHUNK / 16;

/// Bytes of the first region of a shard that grows geometrically: one page.
const FIRST_REGION: usize = 4096;

/// The address of the chunk in which the object at `address` starts.
#[inline]
pub(crate) const fn chunk_address(address: usize) -> usize {
    address & !(CHUNK - 1)
}

/// Where the header lies within the chunk at `chunk`.
///
/// Headers that all sat at the same offset of aligned chunks would fight for the same cache sets.
#[inline]
pub(crate) const fn header_offset(chunk: usize) -> usize {
    chunk / CHUNK % SHIFTS * LINE
}

/// Room for one object, which comes first, so that a slot's address is its object's.
#[repr(C)]
pub(crate) struct Slot<T, A: Access> {
    object: T,
    carried: A::Carried,
}

/// How the slots of one pool lie: fixed by the type of its objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotLayout {
    stride: usize,
    align: usize,
    per_chunk: usize,
}

impl<T, A: Access> Slot<T, A> {
    /// Bytes from one slot to the next: not the size, where that is zero.
    const STRIDE: usize = SlotLayout::of::<Self>().stride();

    /// The object in the slot `index` places behind `first`.
    ///
    /// # Safety
    ///
    /// Both slots are in the same chunk, and `first` has the provenance of its region.
    #[inline]
    pub(crate) unsafe fn object(first: NonNull<Self>, index: usize) -> NonNull<T> {
        // SAFETY: the caller's slots are in one allocation.
        unsafe { first.byte_add(index * Self::STRIDE) }.cast()
    }

    /// Moves an object, and what is carried with it, into a slot.
    ///
    /// # Safety
    ///
    /// - `slot` is a slot of such a layout that is the caller's alone.
    /// - `object` is not used again.
    #[inline]
    pub(crate) unsafe fn fill(slot: NonNull<Self>, object: &ManuallyDrop<T>) {
        // SAFETY: the caller's slot.
        let carried = unsafe { &raw mut (*slot.as_ptr()).carried };
        // SAFETY: a field of the caller's slot, which is aligned for it.
        unsafe { carried.write(A::Carried::default()) };
        let object = NonNull::from(object).cast::<T>();
        // SAFETY: the object comes first in the caller's slot, and is given up by the caller; the two do not overlap.
        unsafe { slot.cast::<T>().copy_from_nonoverlapping(object, 1) };
    }
}

impl SlotLayout {
    /// The layout for slots that hold an `S`.
    ///
    /// # Panics
    ///
    /// At compile time, if the alignment is beyond [`MOST_ALIGN`].
    pub(crate) const fn of<S>() -> Self {
        assert!(
            align_of::<S>() <= MOST_ALIGN,
            "a FixedPool's objects can be aligned to at most 32768 bytes"
        );
        let stride = if size_of::<S>() == 0 {
            align_of::<S>()
        } else {
            size_of::<S>()
        };
        let natural = 1 << stride.trailing_zeros();
        let align = max(align_of::<S>(), min(natural, LINE));
        let mut layout = Self {
            stride,
            align,
            per_chunk: 0,
        };
        layout.per_chunk = if layout.is_packed() {
            layout.most_packed()
        } else {
            layout.most_starting()
        };
        layout
    }

    /// Bytes from one slot to the next.
    pub(crate) const fn stride(&self) -> usize {
        self.stride
    }

    /// Slots of a full chunk.
    pub(crate) const fn per_chunk(&self) -> usize {
        self.per_chunk
    }

    /// Slots of the largest region.
    pub(crate) const fn most_per_region(&self) -> usize {
        if self.is_packed() {
            self.per_chunk * MOST_CHUNKS
        } else {
            self.per_chunk
        }
    }

    /// Whether chunks lie side by side in regions, every slot wholly inside its chunk.
    const fn is_packed(&self) -> bool {
        self.stride <= MOST_PACKED
    }

    /// Where slot 0 of a chunk with `slots` slots lies.
    pub(crate) const fn slots_offset(&self, slots: usize) -> usize {
        let groups = slots.div_ceil(GROUP);
        let headers = (SHIFTS - 1) * LINE + HEADER_SIZE + groups * GROUP_SIZE;
        headers.next_multiple_of(self.align)
    }

    /// The most slots that lie wholly inside a chunk.
    const fn most_packed(&self) -> usize {
        // A slot costs its stride and its share of a group; padding may then cost a few slots more.
        let mut slots = CHUNK * GROUP / (self.stride * GROUP + GROUP_SIZE);
        while self.slots_offset(slots) + slots * self.stride > CHUNK {
            slots -= 1;
        }
        slots
    }

    /// The most slots that start inside a chunk: at most 16, hence one group.
    const fn most_starting(&self) -> usize {
        (CHUNK - 1 - self.slots_offset(1)) / self.stride + 1
    }

    /// Bytes of a chunk with `slots` slots, if they can be counted.
    const fn chunk_bytes(&self, slots: usize) -> Option<usize> {
        match self.stride.checked_mul(slots) {
            Some(bytes) => bytes.checked_add(self.slots_offset(slots)),
            None => None,
        }
    }

    /// How many slots the next region of a geometrically growing shard gets that has `reserved` bytes already.
    pub(crate) const fn geometric(&self, reserved: usize) -> usize {
        let bytes = max(reserved, FIRST_REGION);
        if bytes >= CHUNK {
            return min(bytes / CHUNK * self.per_chunk, self.most_per_region());
        }
        let slots = bytes.saturating_sub(self.slots_offset(GROUP)) / self.stride;
        max(min(slots, self.per_chunk), 1)
    }

    /// The memory that `slots` slots take at least; `None` beyond what can be allocated.
    pub(crate) fn at_least(&self, slots: usize) -> Option<Layout> {
        Layout::from_size_align(self.stride.checked_mul(slots)?, self.align).ok()
    }

    /// The region that holds `slots` slots: at least one, at most [`most_per_region`](Self::most_per_region).
    ///
    /// `None` when its size is beyond what can be allocated.
    pub(crate) fn region(&self, slots: usize) -> Option<RegionLayout> {
        let chunks = slots.div_ceil(self.per_chunk);
        let last = self.chunk_bytes(slots - (chunks - 1) * self.per_chunk)?;
        let bytes = if self.is_packed() && slots == self.most_per_region() {
            MOST_REGION
        } else {
            (chunks - 1) * CHUNK + last
        };
        Some(RegionLayout {
            slot: *self,
            slots,
            chunks,
            per_chunk: self.per_chunk,
            memory: region_memory(bytes)?,
        })
    }
}

/// The layout of a region of so many bytes; `None` beyond what can be allocated.
///
/// It must depend on the size alone: that is all that a header keeps of it. (An object of its own region that makes this just as
/// large gets a huge page, too.)
pub(crate) fn region_memory(bytes: usize) -> Option<Layout> {
    let align = if bytes == MOST_REGION && HAS_HUGE_PAGES {
        bytes
    } else {
        CHUNK
    };
    Layout::from_size_align(bytes, align).ok()
}

/// A region of one pool: its memory and how its slots are spread over chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RegionLayout {
    /// How each slot lies.
    pub(crate) slot: SlotLayout,
    /// Slots in all chunks together.
    pub(crate) slots: usize,
    /// How many chunks; all but the last are full.
    pub(crate) chunks: usize,
    per_chunk: usize,
    /// What to ask the allocator for.
    pub(crate) memory: Layout,
}

/// What a region that was to be a huge page asks for if the allocator has no such memory: it may take twice the address space to
/// align it. A cache line larger, for its size must tell how it is aligned.
pub(crate) fn modest(memory: Layout) -> Option<Layout> {
    if memory.align() == CHUNK {
        return None;
    }
    region_memory(memory.size() + LINE)
}

impl RegionLayout {
    /// Slots of the chunk at `index`.
    pub(crate) fn slots_of(&self, index: usize) -> usize {
        self.per_chunk.min(self.slots - index * self.per_chunk)
    }
}

const fn min(a: usize, b: usize) -> usize {
    if a < b { a } else { b }
}

const fn max(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

/// What turns a byte offset within a chunk into a slot index by multiplication: [`slot_index`] needs it.
///
/// Exact for offsets below 2^16 (Granlund and Montgomery 1994, "Division by invariant integers using multiplication").
pub(crate) const fn reciprocal(stride: usize) -> u32 {
    if stride == 1 {
        u32::MAX
    } else if stride >= CHUNK {
        0
    } else {
        ((1u64 << 32) / stride as u64) as u32
    }
}

/// The index of the slot that starts `offset` bytes behind slot 0; `offset` is below [`CHUNK`].
#[inline]
pub(crate) const fn slot_index(offset: usize, reciprocal: u32) -> usize {
    ((offset as u64 * (reciprocal as u64 + 1)) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[repr(align(4096))]
    struct Page;
    #[repr(align(32768))]
    struct Half;

    #[test]
    fn overhead_of_64_byte_objects_is_below_three_percent() {
        let layout = SlotLayout::of::<[u64; 8]>();
        assert!(layout.per_chunk * 64 * 100 > CHUNK * 97, "{layout:?}");
    }

    #[rstest]
    #[case::zero(SlotLayout::of::<()>())]
    #[case::byte(SlotLayout::of::<u8>())]
    #[case::odd(SlotLayout::of::<[u8; 3]>())]
    #[case::word(SlotLayout::of::<u64>())]
    #[case::line(SlotLayout::of::<[u64; 8]>())]
    #[case::most_packed(SlotLayout::of::<[u8; 4096]>())]
    #[case::page(SlotLayout::of::<[Page; 1]>())]
    #[case::least_unpacked(SlotLayout::of::<[u8; 4097]>())]
    #[case::half(SlotLayout::of::<Half>())]
    #[case::chunk(SlotLayout::of::<[u8; CHUNK]>())]
    #[case::mebibyte(SlotLayout::of::<[u8; 1 << 20]>())]
    fn slots_start_within_their_chunk(#[case] layout: SlotLayout) {
        for slots in [1, 2, 63, 64, 65, layout.per_chunk]
            .into_iter()
            .filter(|&n| n <= layout.per_chunk)
        {
            let offset = layout.slots_offset(slots);
            let last = offset + (slots - 1) * layout.stride;
            assert!(last < CHUNK, "slot {slots} starts at {last}");
            assert_eq!(offset % layout.align, 0);
            assert!(!layout.is_packed() || last + layout.stride <= CHUNK);
        }
        assert!(layout.per_chunk >= 1);
        let one_more = layout.per_chunk + 1;
        let beyond = layout.slots_offset(one_more) + (one_more - 1) * layout.stride;
        assert!(beyond >= CHUNK || layout.is_packed() && beyond + layout.stride > CHUNK);
    }

    #[rstest]
    fn reciprocal_divides_exactly(
        #[values(1, 2, 3, 5, 7, 8, 24, 63, 64, 65, 1000, 4097, 32767, 32768, 65535, 65536, 1 << 20)]
        stride: usize,
    ) {
        let reciprocal = reciprocal(stride);
        for offset in 0..CHUNK {
            assert_eq!(
                slot_index(offset, reciprocal),
                offset / stride,
                "{offset} / {stride}"
            );
        }
    }

    #[test]
    fn regions_cut_the_last_chunk_to_fit() {
        let layout = SlotLayout::of::<[u64; 8]>();
        let region = layout.region(2 * layout.per_chunk + 1).unwrap();
        assert_eq!(
            (region.chunks, region.slots_of(0), region.slots_of(2)),
            (3, layout.per_chunk, 1)
        );
        assert_eq!(
            region.memory.size(),
            2 * CHUNK + layout.chunk_bytes(1).unwrap()
        );
    }

    #[test]
    fn the_largest_regions_of_packed_chunks_are_huge_pages() {
        let layout = SlotLayout::of::<[u8; 72]>();
        let largest = layout.region(layout.most_per_region()).unwrap().memory;
        let align = if HAS_HUGE_PAGES { HUGE_PAGE } else { CHUNK };
        assert_eq!((largest.size(), largest.align()), (HUGE_PAGE, align));
        let modest = modest(largest);
        let is_right = |memory: Layout| {
            memory.align() == CHUNK
                && memory.size() > HUGE_PAGE
                && region_memory(memory.size()) == Some(memory)
        };
        assert_eq!(modest.is_some_and(is_right), HAS_HUGE_PAGES);
        let smaller = layout.region(layout.most_per_region() - 1).unwrap().memory;
        assert!(smaller.size() < HUGE_PAGE);
        assert_eq!(smaller.align(), CHUNK);
    }

    #[test]
    fn headers_of_neighbouring_chunks_lie_in_different_lines() {
        let offset = |chunk: usize| header_offset(chunk * CHUNK);
        let offsets: Vec<usize> = (8..16).map(offset).collect();
        assert_eq!(offsets, [0, 64, 128, 192, 256, 320, 384, 448]);
        assert_eq!(offset(16), 0);
    }

    #[rstest]
    #[case::byte(SlotLayout::of::<u8>(), 1)]
    #[case::odd(SlotLayout::of::<[u8; 3]>(), 1)]
    #[case::words(SlotLayout::of::<[u8; 24]>(), 8)]
    #[case::half_a_line(SlotLayout::of::<[u8; 32]>(), 32)]
    #[case::line(SlotLayout::of::<[u8; 64]>(), 64)]
    #[case::lines(SlotLayout::of::<[u8; 128]>(), 64)]
    #[case::page(SlotLayout::of::<Page>(), 4096)]
    fn an_object_touches_no_more_lines_than_it_must(
        #[case] layout: SlotLayout,
        #[case] align: usize,
    ) {
        assert_eq!(layout.align, align);
    }

    #[test]
    fn growth_starts_with_a_page_and_ends_with_full_regions() {
        let layout = SlotLayout::of::<[u64; 8]>();
        assert!(layout.region(layout.geometric(0)).unwrap().memory.size() <= FIRST_REGION);
        assert_eq!(layout.geometric(usize::MAX), layout.most_per_region());
        assert_eq!(layout.geometric(3 * CHUNK), 3 * layout.per_chunk);
    }

    #[test]
    fn sizes_beyond_the_address_space_have_no_layout() {
        assert_eq!(SlotLayout::of::<u64>().at_least(usize::MAX / 8), None);
        assert_eq!(SlotLayout::of::<u64>().at_least(usize::MAX), None);
        assert!(SlotLayout::of::<u64>().at_least(1000).is_some());
        assert_eq!(SlotLayout::of::<u64>().chunk_bytes(usize::MAX / 4), None);
    }
}
