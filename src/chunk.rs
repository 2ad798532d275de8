#![expect(unsafe_code, reason = "calls the global allocator")]
//! One raw allocation and its layout, freed on drop: what both pools build their chunks in.

use std::alloc::{Layout, alloc, dealloc};
use std::ptr::NonNull;

use crate::asan;

/// One raw allocation from the global allocator.
///
/// # Invariants
///
/// *own-layout*: `base` was allocated with exactly `layout`, is not freed, and belongs to this value alone.
#[derive(Debug)]
pub(crate) struct Region {
    base: NonNull<u8>,
    layout: Layout,
}

impl Region {
    /// Allocates `layout`, uninitialised; gives the layout back when memory is out.
    ///
    /// No lock may be held: the global allocator is foreign code.
    pub(crate) fn try_new(layout: Layout) -> Result<Self, Layout> {
        assert!(layout.size() > 0, "a region is never empty");
        // SAFETY: the layout's size was just checked not to be zero.
        let base = unsafe { alloc(layout) };
        NonNull::new(base)
            .map(|base| Self { base, layout })
            .ok_or(layout)
    }

    /// The first byte; its provenance spans the region.
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Bytes in the region.
    pub(crate) fn size(&self) -> usize {
        self.layout.size()
    }

    /// Gives up ownership: the memory stays until [`from_raw`](Self::from_raw) takes it back.
    pub(crate) fn into_raw(self) -> NonNull<u8> {
        let base = self.base;
        std::mem::forget(self);
        base
    }

    /// Takes ownership back.
    ///
    /// # Safety
    ///
    /// - `base` came from [`into_raw`](Self::into_raw) of a region with this `layout` (or has its address and provenance).
    /// - It is taken back once.
    pub(crate) unsafe fn from_raw(base: NonNull<u8>, layout: Layout) -> Self {
        Self { base, layout }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        asan::unpoison(self.base, self.layout.size());
        // SAFETY: own-layout.
        unsafe { dealloc(self.base.as_ptr(), self.layout) }
    }
}
