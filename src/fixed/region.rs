#![expect(unsafe_code, reason = "owns memory that is linked through itself")]
//! Regions on their way into a shard and out of it.

use std::alloc::Layout;
use std::ptr::NonNull;

use super::header::{Header, Origin, header_at};
use super::layout::{CHUNK, RegionLayout, modest, region_memory};
use crate::asan;
use crate::chunk::Region;

/// A region whose chunks have been laid out and are not in a shard yet. Dropping it frees it.
pub(crate) struct NewRegion {
    memory: Region,
    layout: RegionLayout,
}

impl NewRegion {
    /// Allocates a region and writes its headers and groups. No lock may be held.
    pub(crate) fn try_new(mut layout: RegionLayout, origin: Origin) -> Result<Self, Layout> {
        let memory = Region::try_new(layout.memory).or_else(|refused| {
            layout.memory = modest(refused).ok_or(refused)?;
            Region::try_new(layout.memory)
        })?;
        for index in 0..layout.chunks {
            // SAFETY: the memory is of this layout, and was just allocated.
            unsafe { Header::write(&memory, &layout, index, origin) };
        }
        let region = Self { memory, layout };
        if cfg!(mem_pool_asan) {
            region.poison();
        }
        Ok(region)
    }

    /// Free slots are nobody's to read.
    fn poison(&self) {
        for index in 0..self.layout.chunks {
            // SAFETY: own-layout: its header was written.
            let header = unsafe { self.chunk(index).as_ref() };
            asan::poison(header.first(), header.total() * header.stride());
        }
    }

    /// Slots of the region, all of them unopened.
    pub(crate) fn slots(&self) -> usize {
        self.layout.slots
    }

    /// Chunks of the region.
    pub(crate) fn chunks(&self) -> usize {
        self.layout.chunks
    }

    /// Bytes of the region.
    pub(crate) fn bytes(&self) -> usize {
        self.memory.size()
    }

    /// The chunk at `index`.
    pub(crate) fn chunk(&self, index: usize) -> NonNull<Header> {
        assert!(
            index < self.layout.chunks,
            "a region has {} chunks",
            self.layout.chunks
        );
        let base = self.memory.base();
        header_at(base, base.addr().get() + index * CHUNK)
    }

    /// Gives the region to a shard, which has its chunks.
    pub(crate) fn into_shard(self) {
        self.memory.into_raw();
    }
}

/// Regions that have left their shard, linked through their first chunks. Dropping it frees them; no lock may be held.
///
/// # Invariants
///
/// *pushed-is-ours*: the listed regions are alive, and nothing else points to them.
#[must_use = "regions are to be freed after unlocking"]
pub(crate) struct Detached {
    head: Option<NonNull<Header>>,
    /// Slots that were opened in them.
    pub(crate) slots: usize,
    /// How many regions: each returns a claim.
    pub(crate) regions: usize,
    /// Their size in bytes.
    pub(crate) bytes: usize,
}

impl Detached {
    pub(crate) const fn none() -> Self {
        Self {
            head: None,
            slots: 0,
            regions: 0,
            bytes: 0,
        }
    }

    /// Adds a region by its first chunk.
    ///
    /// # Safety
    ///
    /// Its chunks are in no list, all their slots are free, and nothing points to them any more.
    pub(crate) unsafe fn push(&mut self, first: NonNull<Header>, slots: usize) {
        // SAFETY: the caller gives the region up, alive.
        let header = unsafe { first.as_ref() };
        header.all.next.set(self.head);
        self.head = Some(first);
        self.slots += slots;
        self.regions += 1;
        self.bytes += header.region_size();
    }

    /// The serial numbers of the chunks that have stamps.
    pub(crate) fn serials(&self, mut remove: impl FnMut(u32)) {
        let mut next = self.head;
        while let Some(first) = next {
            // SAFETY: pushed-is-ours: it is alive until this is dropped.
            for chunk in unsafe { chunks_of(first) } {
                // SAFETY: pushed-is-ours.
                let header = unsafe { chunk.as_ref() };
                if header.stamps().is_some() {
                    remove(header.serial());
                }
            }
            // SAFETY: pushed-is-ours.
            next = unsafe { first.as_ref() }.all.next.get();
        }
    }
}

/// The chunks of a region.
///
/// # Safety
///
/// `first` is the first chunk of a region that is alive as long as the iterator is used.
unsafe fn chunks_of(first: NonNull<Header>) -> impl Iterator<Item = NonNull<Header>> {
    std::iter::successors(Some(first), |chunk| {
        // SAFETY: the caller keeps the region alive.
        unsafe { chunk.as_ref() }.neighbour()
    })
}

impl Drop for Detached {
    fn drop(&mut self) {
        while let Some(first) = self.head {
            // SAFETY: pushed-is-ours: it is freed below.
            for chunk in unsafe { chunks_of(first) } {
                // SAFETY: pushed-is-ours.
                let header = unsafe { chunk.as_ref() };
                // SAFETY: nothing points to it any more, and no lock is held.
                unsafe { header.free_stamps() };
            }
            // SAFETY: pushed-is-ours.
            let header = unsafe { first.as_ref() };
            self.head = header.all.next.get();
            let layout = region_memory(header.region_size());
            let layout = layout.expect("own-layout: it was allocated with this");
            // SAFETY: own-layout: `base` has the region's address and provenance; each region is pushed once.
            drop(unsafe { Region::from_raw(header.base(), layout) });
        }
    }
}
