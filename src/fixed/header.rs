#![expect(unsafe_code, reason = "finds headers, groups and slots by address")]
//! A chunk's header and groups, and the lists that chunks are linked into.
//!
//! Everything that changes in a header or group is a cell or an atomic, so shared references to them may exist on any
//! thread; what keeps two threads from a cell is the lock of the chunk's shard. Only a group's marks of what is dropped or
//! leaves, stamps, and what never changes are used without it.

use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use super::layout::{
    CHUNK, GROUP, GROUP_SIZE, HEADER_SIZE, RegionLayout, chunk_address, header_offset, reciprocal,
    slot_index,
};
use crate::chunk::Region;
use crate::sync::{AtomicPtr, AtomicU64, Ordering, Rule, keeps};

/// Whose a new chunk is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    /// The shard.
    pub(crate) owner: NonNull<()>,
    /// The number of its pool.
    pub(crate) pool: u64,
}

/// The header of a chunk.
///
/// # Invariants
///
/// - *own-layout*: `first` points at slot 0 with the provenance of the whole region; `groups` at as many groups as
///   `total` slots need.
/// - *stamped*: `stamps` is null or points at `total` stamps that go with the chunk. The stamp of a slot is not zero only
///   while an object lives in it whose drop has not begun and of which a weak key was made; or whose drop has found a hold, which
///   has just made that key, and waits for the lock to clear it.
/// - *linked-is-live*: a chunk is in its shard's lists exactly while its region is attached, and what it is linked to is too.
#[repr(C, align(64))]
pub(crate) struct Header {
    // The first cache line: what a drop reads.
    owner: NonNull<()>,
    pool: u64,
    first: NonNull<u8>,
    stride: usize,
    /// A stamp for each slot, from the first weak key of the chunk on: null before.
    stamps: AtomicPtr<AtomicU64>,
    reciprocal: u32,
    total: u32,
    /// Slots that are not free: kept only in a counted shard.
    pub(crate) used: Cell<u32>,
    // What follows belongs to the shard's owner.
    /// Slots that have been opened: the others do not count as capacity yet.
    opened: Cell<u32>,
    /// Free slots by the bitmaps.
    free: Cell<u32>,
    /// No group before this one has a free slot.
    hint: Cell<u32>,
    groups: NonNull<Group>,
    pub(crate) all: Links,
    with_free: Links,
    /// The first chunk of this one's region: the only one in which the next three are kept.
    region: NonNull<Header>,
    region_size: usize,
    /// The place in the shard's directory, once there are stamps.
    serial: Cell<u32>,
    region_chunks: u16,
    /// Wholly free chunks of the region: kept only in a counted shard.
    pub(crate) region_idle: Cell<u16>,
}

const _: () = assert!(size_of::<Header>() == HEADER_SIZE);
const _: () = assert!(size_of::<Group>() == GROUP_SIZE);

/// Sixty-four slots: a bit of each word is a slot.
#[repr(C, align(64))]
#[derive(Default)]
pub(crate) struct Group {
    /// Free, and not in the magazine.
    pub(crate) free: Cell<u64>,
    /// Reserved, or its destructor is running, unless the shard has it as the one that is ending.
    pub(crate) hidden: Cell<u64>,
    /// Dropped while the group was pinned or the pool held, not destroyed yet. Walkers read it without the lock.
    dropped: AtomicU64,
    /// Those of `dropped` that wait for the pins of the current role, too.
    newer: Cell<u64>,
    /// Owned by the pool: their handles are gone.
    pub(crate) adopted: Cell<u64>,
    /// Dropped by other threads than the lock's owner, which need no lock to say so; until the slot is released, or the drop takes
    /// the lock after all.
    leaving: AtomicU64,
    /// How many walks are inside, by the role that was current when they came; the shard may know of one more.
    pins: [Cell<u32>; 2],
    /// Which of the two counts newcomers.
    current: Cell<u8>,
}

impl Header {
    /// Writes the header and the groups of a chunk that has no opened slots yet.
    ///
    /// # Safety
    ///
    /// - `memory` is a region of this layout, and `index` names one of its chunks.
    /// - Nobody else knows the region yet.
    pub(crate) unsafe fn write(
        memory: &Region,
        layout: &RegionLayout,
        index: usize,
        origin: Origin,
    ) {
        let (base, slots) = (memory.base(), layout.slot);
        let chunk = base.addr().get() + index * CHUNK;
        let total = layout.slots_of(index);
        let header = header_at(base, chunk);
        // SAFETY: `SlotLayout::region` made room for the header and its groups in every chunk.
        let groups = unsafe { header.add(1) }.cast::<Group>();
        for group in 0..total.div_ceil(GROUP) {
            // SAFETY: one of the groups there is room for.
            let place = unsafe { groups.add(group) };
            // SAFETY: it is inside the region, aligned as `Header` is, and nobody else knows this memory yet.
            unsafe { place.write(Group::default()) };
        }
        let slot_0 = chunk + slots.slots_offset(total);
        let made = Header {
            owner: origin.owner,
            pool: origin.pool,
            first: base.map_addr(|_| slot_0.try_into().expect("no slot lies at address zero")),
            stride: slots.stride(),
            stamps: AtomicPtr::new(ptr::null_mut()),
            reciprocal: reciprocal(slots.stride()),
            total: total as u32,
            used: Cell::new(0),
            opened: Cell::new(0),
            free: Cell::new(0),
            hint: Cell::new(0),
            groups,
            all: Links::default(),
            with_free: Links::default(),
            region: header_at(base, base.addr().get()),
            region_size: layout.memory.size(),
            serial: Cell::new(0),
            region_chunks: layout.chunks as u16,
            region_idle: Cell::new(layout.chunks as u16),
        };
        // SAFETY: `SlotLayout::region` made room for the header; nobody else knows this memory yet.
        unsafe { header.write(made) };
    }

    /// The shard that was given to [`NewRegion::try_new`](super::region::NewRegion::try_new).
    #[inline]
    pub(crate) fn owner(&self) -> NonNull<()> {
        self.owner
    }

    /// The number of the chunk's pool.
    #[inline]
    pub(crate) fn pool(&self) -> u64 {
        self.pool
    }

    /// Bytes from one slot to the next.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// Slots that have been opened.
    #[inline]
    pub(crate) fn opened(&self) -> usize {
        self.opened.get() as usize
    }

    /// Slots that may still be opened.
    pub(crate) fn unopened(&self) -> usize {
        (self.total - self.opened.get()) as usize
    }

    /// Slots that are free by the bitmaps.
    pub(crate) fn free(&self) -> usize {
        self.free.get() as usize
    }

    /// Whether every slot is free by the bitmaps.
    pub(crate) fn is_idle(&self) -> bool {
        self.free.get() == self.opened.get()
    }

    /// The index of a slot of this chunk.
    #[inline]
    pub(crate) fn index_of(&self, slot: NonNull<u8>) -> usize {
        slot_index(
            slot.addr().get().wrapping_sub(self.first.addr().get()),
            self.reciprocal,
        )
    }

    /// Slot 0, with the provenance of the region.
    pub(crate) fn first(&self) -> NonNull<u8> {
        self.first
    }

    /// The slot at `index`, with the provenance of the region.
    #[inline]
    pub(crate) fn slot(&self, index: usize) -> NonNull<u8> {
        assert!(
            index < self.total as usize,
            "own-layout: a chunk has {} slots",
            self.total
        );
        // SAFETY: own-layout: the slot lies in the region.
        unsafe { self.first.add(index * self.stride) }
    }

    /// The slots of a group whose bits are set, lowest first, with the provenance of the region.
    #[inline]
    pub(crate) fn slots_of(&self, group: usize, mask: u64) -> impl Iterator<Item = NonNull<u8>> {
        let highest = mask.checked_ilog2().unwrap_or(0) as usize;
        let _ = self.slot(group * GROUP + highest); // all others are below
        bits_of(mask).map(move |bit| {
            let index = group * GROUP + bit as usize;
            // SAFETY: own-layout: it is not above the highest, which was just looked at.
            unsafe { self.first.add(index * self.stride) }
        })
    }

    /// How many slots there are at the start of `slots` that are of one group, and their bits. The first is the one at `index`.
    ///
    /// All of `slots` are slots, of whatever chunk.
    #[inline]
    pub(crate) fn run_from(&self, index: usize, slots: &[NonNull<u8>]) -> (u64, usize) {
        match *slots {
            [first, next, ..] if self.are_near(first, next) => {
                self.run_in(index / GROUP * GROUP, slots)
            }
            _ => (1 << (index % GROUP), 1),
        }
    }

    /// Whether two slots may be of one group: those that come in any order seldom are, and can do without its bounds.
    #[inline]
    fn are_near(&self, a: NonNull<u8>, b: NonNull<u8>) -> bool {
        a.addr().get().abs_diff(b.addr().get()) < GROUP * self.stride
    }

    /// As [`run_from`](Self::run_from), of the group that begins at index `before`.
    fn run_in(&self, before: usize, slots: &[NonNull<u8>]) -> (u64, usize) {
        let start = self.first.addr().get() + before * self.stride;
        // Only so far: behind the last slot of a chunk there may be those of the next.
        let end = (self.total as usize - before).min(GROUP) * self.stride;
        let (mut mask, mut run) = (0, 0);
        for slot in slots {
            let offset = slot.addr().get().wrapping_sub(start);
            if offset >= end {
                break;
            }
            let bit = 1 << slot_index(offset, self.reciprocal);
            debug_assert_eq!(mask & bit, 0, "partition: twice in here");
            mask |= bit;
            run += 1;
        }
        (mask, run)
    }

    /// The groups.
    #[inline]
    pub(crate) fn groups(&self) -> &[Group] {
        let count = (self.total as usize).div_ceil(GROUP);
        // SAFETY: own-layout: so many groups were written when the chunk was made. Aliasing: all their fields are cells,
        // and only shared references to them are ever made.
        unsafe { std::slice::from_raw_parts(self.groups.as_ptr(), count) }
    }

    /// A group with opened slots, and which of its slots are.
    #[inline]
    pub(crate) fn opened_group(&self, group: usize) -> Option<(&Group, u64)> {
        let mask = match self.opened().checked_sub(group * GROUP)? {
            0 => return None,
            n if n >= GROUP => u64::MAX,
            n => (1 << n) - 1,
        };
        Some((self.groups().get(group)?, mask))
    }

    /// A group all of whose bits stand for opened slots.
    #[inline]
    pub(crate) fn full_group(&self, group: usize) -> Option<&Group> {
        if (group + 1) * GROUP > self.opened() {
            return None;
        }
        self.groups().get(group)
    }

    /// Has the processor fetch what a walk that is at a group will soon read: of one some groups ahead, maybe the next chunk's.
    #[inline]
    pub(crate) fn fetch_ahead(&self, group: usize) {
        let group = group + AHEAD;
        if group * GROUP < self.total as usize {
            fetch(self.groups.as_ptr().wrapping_add(group));
        } else if let Some(next) = self.all.next.get() {
            // Its header is two lines, then come its groups.
            let lines = next.as_ptr().cast::<Group>();
            fetch(lines.wrapping_add(group - self.groups().len()));
        }
    }

    /// The group of the slot at `index`, and the slot's bit in it.
    #[inline]
    pub(crate) fn group_of(&self, index: usize) -> (&Group, u64) {
        (&self.groups()[index / GROUP], 1 << (index % GROUP))
    }

    /// The opened slots of a group.
    #[inline]
    fn opened_mask(&self, group: usize) -> u64 {
        self.opened_group(group).map_or(0, |(_, opened)| opened)
    }

    /// Marks so many slots of a group free; returns whether the chunk had none before.
    ///
    /// Who calls has counted them: to count bits takes a dozen instructions where processors are not asked to.
    #[inline]
    pub(crate) fn add_free(&self, group: usize, slots: u64, count: usize) -> bool {
        let before = self.free.get();
        let bits = &self.groups()[group].free;
        debug_assert_eq!(slots.count_ones() as usize, count, "each slot has a bit");
        debug_assert_eq!(
            bits.get() & slots,
            0,
            "partition: a free slot is freed again"
        );
        debug_assert_eq!(
            self.groups()[group].leaving.load(Ordering::Relaxed) & slots,
            0,
            "marked-until-received: it would be seen by nobody"
        );
        bits.set(bits.get() | slots);
        self.free.set(before + count as u32);
        self.hint.set(self.hint.get().min(group as u32));
        before == 0
    }

    /// Takes the free slots of the first group that has any; returns the group and the slots.
    pub(crate) fn take_free(&self) -> (usize, u64) {
        let start = self.hint.get() as usize;
        let found = self.groups()[start..]
            .iter()
            .position(|bits| bits.free.get() != 0);
        let Some(group) = found.map(|ahead| start + ahead) else {
            return (start, 0);
        };
        let taken = self.groups()[group].free.take();
        self.free.set(self.free.get() - taken.count_ones());
        self.hint.set(group as u32);
        (group, taken)
    }

    /// Opens the next `count` slots: they become free. Returns whether the chunk had no free slot before.
    pub(crate) fn open(&self, count: usize) -> bool {
        let (start, end) = (self.opened(), self.opened() + count);
        let had_none = self.free.get() == 0;
        self.opened.set(end as u32);
        for group in start / GROUP..end.div_ceil(GROUP) {
            let before = match start.saturating_sub(group * GROUP) {
                0 => 0,
                n => (1 << n) - 1,
            };
            let opened = self.opened_mask(group) & !before;
            self.add_free(group, opened, opened.count_ones() as usize);
        }
        had_none
    }

    /// The stamps of the slots, if a weak key of the chunk was ever made.
    #[inline]
    pub(crate) fn stamps(&self) -> Option<&[AtomicU64]> {
        let stamps = NonNull::new(self.stamps.load(Ordering::Acquire))?;
        // SAFETY: stamped. Aliasing: atomics are only ever referred to as shared.
        Some(unsafe { std::slice::from_raw_parts(stamps.as_ptr(), self.total as usize) })
    }

    /// Slots of the chunk, opened or not.
    pub(crate) fn total(&self) -> usize {
        self.total as usize
    }

    /// Gives the chunk its stamps, `total` of them, all zero, and its place in the directory.
    pub(crate) fn set_stamps(&self, stamps: Box<[AtomicU64]>, serial: u32) {
        assert!(
            stamps.len() == self.total as usize && self.stamps().is_none(),
            "stamped: once, one for each slot"
        );
        self.serial.set(serial);
        self.stamps
            .store(Box::into_raw(stamps).cast(), Ordering::Release);
    }

    /// The place in the directory, of a chunk with stamps.
    pub(crate) fn serial(&self) -> u32 {
        self.serial.get()
    }

    /// Frees the stamps.
    ///
    /// # Safety
    ///
    /// The chunk's region is detached: nobody uses the stamps any more. No lock is held.
    pub(crate) unsafe fn free_stamps(&self) {
        if let Some(stamps) = NonNull::new(self.stamps.load(Ordering::Relaxed)) {
            let stamps = NonNull::slice_from_raw_parts(stamps, self.total as usize);
            // SAFETY: stamped: they came from such a box in `set_stamps`.
            drop(unsafe { Box::from_raw(stamps.as_ptr()) });
        }
    }

    /// The chunk behind this one in its region, if this is not the last of the region.
    pub(crate) fn neighbour(&self) -> Option<NonNull<Header>> {
        let base = self.base();
        // SAFETY: linked-is-live: the region's first chunk is alive as long as this one; it is only read.
        let first = unsafe { self.region.as_ref() };
        let end = first.base().addr().get() + usize::from(first.region_chunks) * CHUNK;
        let next = base.addr().get() + CHUNK;
        (next < end).then(|| header_at(base, next))
    }

    /// A chunk of the region of which this is the first, by its place in there.
    #[cfg(feature = "rayon")]
    pub(crate) fn chunk(&self, index: usize) -> NonNull<Header> {
        assert!(
            index < usize::from(self.region_chunks),
            "a region has {} chunks",
            self.region_chunks
        );
        let base = self.base();
        header_at(base, base.addr().get() + index * CHUNK)
    }

    /// The first chunk of the region, in which the region's figures are kept.
    pub(crate) fn region(&self) -> NonNull<Header> {
        self.region
    }

    /// Bytes of the region; in its first chunk.
    pub(crate) fn region_size(&self) -> usize {
        self.region_size
    }

    /// Chunks of the region; in its first chunk.
    pub(crate) fn region_chunks(&self) -> u16 {
        self.region_chunks
    }

    /// Where the chunk begins, with the provenance of the region.
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.first.map_addr(|first| {
            // `first` lies in this chunk, whose address is a non-zero multiple of CHUNK.
            chunk_address(first.get())
                .try_into()
                .expect("no chunk lies at address zero")
        })
    }
}

/// So many groups ahead of a walk are fetched: in a sparse pool the objects of one take a third as long as its bitmaps to come from
/// a far cache.
const AHEAD: usize = 8;

/// Has the processor fetch a cache line, where it can be asked to.
#[inline]
fn fetch<T>(line: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a hint, which accesses nothing, whatever lies there.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(line.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = line;
}

/// The places of the set bits, lowest first.
#[inline]
pub(crate) fn bits_of(mut mask: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let bit = mask.trailing_zeros();
        (bit < u64::BITS).then(|| {
            mask &= mask - 1;
            bit
        })
    })
}

/// The header of the chunk at address `chunk`, a multiple of [`CHUNK`]; the pointer has the provenance of `near`.
#[inline]
pub(crate) fn header_at(near: NonNull<u8>, chunk: usize) -> NonNull<Header> {
    let address = chunk + header_offset(chunk);
    near.map_addr(|_| address.try_into().expect("no chunk lies at address zero"))
        .cast()
}

/// The header of the chunk in which the object at `slot` starts.
///
/// # Safety
///
/// - `slot` points at a slot, with the provenance of its region.
/// - The region is alive for `'a`.
#[inline]
pub(crate) unsafe fn header_of<'a>(slot: NonNull<u8>) -> &'a Header {
    let header = header_at(slot, chunk_address(slot.addr().get()));
    // SAFETY: own-layout: a header lies there, in the same region. Aliasing: whatever changes in it is a cell.
    unsafe { header.as_ref() }
}

impl Group {
    /// The objects that were dropped while the group was pinned or the pool held.
    ///
    /// Relaxed: a drop that happens before this load is seen by it, and nothing else is promised.
    #[inline]
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Whether one slot is among [`dropped`](Self::dropped). Walks ask it for every object, so first whether there are any at all:
    /// to look for the bit of each takes a walk over a sparse pool a tenth longer.
    #[inline(always)]
    pub(crate) fn is_dropped(&self, index: usize) -> bool {
        self.dropped() != 0 && self.is_among_dropped(index)
    }

    /// Cold: a walk's loop is laid out for groups without such slots.
    #[cold]
    fn is_among_dropped(&self, index: usize) -> bool {
        self.dropped() & 1 << index != 0
    }

    /// Whether a walk is inside that is counted: not all of them are.
    pub(crate) fn counts_any(&self) -> bool {
        self.pins[0].get() | self.pins[1].get() != 0
    }

    /// How many walks are counted, by role.
    #[cfg(test)]
    pub(crate) fn counts(&self) -> [u32; 2] {
        self.pins.each_ref().map(Cell::get)
    }

    /// The role that counts newcomers.
    #[inline]
    pub(crate) fn role(&self) -> u8 {
        self.current.get()
    }

    /// The live slots among those that are opened; exact after a flush.
    #[inline]
    pub(crate) fn live_mask(&self, opened: u64) -> u64 {
        opened
            & !self.free.get()
            & !self.hidden.get()
            & !self.dropped()
            & !self.leaving.load(Ordering::Acquire)
    }

    /// Marks a slot as leaving. Who sees that sees what was done before, too.
    #[inline]
    pub(crate) fn leave(&self, slot: u64) {
        if keeps(Rule::Leave) {
            self.leaving.fetch_or(slot, Ordering::Release);
        }
    }

    /// Slots are not leaving any more. The caller has the shard's lock.
    #[inline]
    pub(crate) fn come_back(&self, slots: u64) {
        if keeps(Rule::ComeBack) {
            self.leaving.fetch_and(!slots, Ordering::Relaxed);
        }
    }

    /// A walk comes in. Returns the role it counts under, to be given to [`unpin`](Self::unpin).
    ///
    /// Not inlined, for a step seldom has to count: it takes a tenth longer with these in it.
    #[inline(never)]
    pub(crate) fn pin(&self) -> u8 {
        let role = self.role();
        let count = &self.pins[usize::from(role & 1)];
        count.set(
            count
                .get()
                .checked_add(u32::from(keeps(Rule::Pin)))
                .unwrap_or_else(|| std::process::abort()),
        );
        role
    }

    /// A walk leaves.
    #[inline(never)]
    pub(crate) fn unpin(&self, role: u8) {
        let count = &self.pins[usize::from(role & 1)];
        count.set(count.get() - u32::from(keeps(Rule::Pin)));
    }

    /// Marks a slot dropped.
    pub(crate) fn defer(&self, slot: u64) {
        self.dropped.store(self.dropped() | slot, Ordering::Relaxed);
        self.newer.set(self.newer.get() | slot);
        self.change_roles();
    }

    /// Lets newcomers count under the other role, if nobody is left there; whether it did.
    ///
    /// Newcomers do not see the slots dropped so far. So those wait only for the walks counted under the role that was
    /// current, and walks that overlap without end do not put a destruction off for ever.
    fn change_roles(&self) -> bool {
        let current = self.current.get();
        let change = self.newer.get() != 0 && self.pins[usize::from(1 - current)].get() == 0;
        if change {
            self.newer.set(0);
            self.current.set(1 - current);
        }
        change
    }

    /// Hides and returns the dropped slots that no walk can look at any more.
    pub(crate) fn settle(&self) -> u64 {
        let mut due = 0;
        loop {
            let former = self.pins[usize::from(1 - self.current.get())].get();
            if former == 0 || !keeps(Rule::LastLeaver) {
                due |= self.dropped() & !self.newer.get();
            }
            if !self.change_roles() {
                break;
            }
        }
        self.dropped.store(self.dropped() & !due, Ordering::Relaxed);
        self.hidden.set(self.hidden.get() | due);
        due
    }
}

/// A chunk's place in one list.
#[derive(Default)]
pub(crate) struct Links {
    pub(crate) next: Cell<Option<NonNull<Header>>>,
    previous: Cell<Option<NonNull<Header>>>,
}

/// Which of a chunk's links a list uses.
pub(crate) trait Linked {
    fn links(header: &Header) -> &Links;
}

/// All chunks of a shard, newest first.
pub(crate) enum All {}
/// The chunks that have free slots by the bitmaps.
pub(crate) enum WithFree {}

impl Linked for All {
    fn links(header: &Header) -> &Links {
        &header.all
    }
}

impl Linked for WithFree {
    fn links(header: &Header) -> &Links {
        &header.with_free
    }
}

/// A doubly linked list through the chunks' own memory.
///
/// What it gives out borrows the list: chunks leave it, and then die, only through `&mut`.
pub(crate) struct List<K> {
    head: Option<NonNull<Header>>,
    kind: PhantomData<K>,
}

impl<K: Linked> List<K> {
    pub(crate) const fn new() -> Self {
        Self {
            head: None,
            kind: PhantomData,
        }
    }

    /// The first chunk.
    pub(crate) fn first(&self) -> Option<&Header> {
        // SAFETY: linked-is-live.
        self.head.map(|head| unsafe { head.as_ref() })
    }

    /// The chunk behind one that is in the list.
    pub(crate) fn after(&self, header: &Header) -> Option<&Header> {
        // SAFETY: linked-is-live.
        K::links(header)
            .next
            .get()
            .map(|next| unsafe { next.as_ref() })
    }

    /// The chunks from `first` on, which is in the list.
    pub(crate) fn iter_from<'a>(
        &'a self,
        first: Option<&'a Header>,
    ) -> impl Iterator<Item = &'a Header> {
        std::iter::successors(first, |header| self.after(header))
    }

    /// The chunks.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Header> {
        self.iter_from(self.first())
    }

    /// Puts a chunk in front.
    ///
    /// # Safety
    ///
    /// The chunk is alive until it is removed, and not in such a list.
    pub(crate) unsafe fn push(&mut self, header: NonNull<Header>) {
        // SAFETY: the caller keeps the chunk alive.
        let links = K::links(unsafe { header.as_ref() });
        links.previous.set(None);
        links.next.set(self.head);
        if let Some(head) = self.first() {
            K::links(head).previous.set(Some(header));
        }
        self.head = Some(header);
    }

    /// Takes a chunk out.
    ///
    /// # Safety
    ///
    /// The chunk is in this list.
    pub(crate) unsafe fn remove(&mut self, header: NonNull<Header>) {
        // SAFETY: linked-is-live.
        let links = K::links(unsafe { header.as_ref() });
        let (next, previous) = (links.next.take(), links.previous.take());
        if let Some(next) = next {
            // SAFETY: linked-is-live.
            K::links(unsafe { next.as_ref() }).previous.set(previous);
        }
        match previous {
            // SAFETY: linked-is-live.
            Some(previous) => K::links(unsafe { previous.as_ref() }).next.set(next),
            None => self.head = next,
        }
    }
}
