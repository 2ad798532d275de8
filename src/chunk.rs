#![expect(unsafe_code, reason = "calls the global allocator")]
//! One raw allocation and its layout, freed on drop: what both pools build their chunks in.

use std::alloc::{Layout, alloc, dealloc};
use std::ptr::NonNull;

use crate::asan;

/// Bytes of a huge page, on x86-64 and on AArch64 with pages of 4 KiB. Regions that are aligned to as much are put on huge pages
/// where the system does that when asked.
pub(crate) const HUGE_PAGE: usize = 2 << 20;

pub(crate) use system::HAS_HUGE_PAGES;

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
        let base = NonNull::new(base).ok_or(layout)?;
        if layout.align() >= HUGE_PAGE {
            system::advise_huge_pages(base, layout.size());
        }
        Ok(Self { base, layout })
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

#[cfg(all(target_os = "linux", not(miri)))]
mod system {
    use std::ptr::NonNull;

    /// Whether this system can be asked for huge pages.
    pub(crate) const HAS_HUGE_PAGES: bool = true;

    /// Asks for huge pages, best effort: a kernel without them refuses, and nothing else changes. The advice stays with the
    /// addresses when the allocator has them back.
    pub(super) fn advise_huge_pages(base: NonNull<u8>, size: usize) {
        // SAFETY: the advice changes neither what the memory holds nor who may use it.
        unsafe { libc::madvise(base.as_ptr().cast(), size, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
mod system {
    use std::ptr::NonNull;

    /// Whether this system can be asked for huge pages.
    pub(crate) const HAS_HUGE_PAGES: bool = false;

    /// There is no such call.
    pub(super) fn advise_huge_pages(_: NonNull<u8>, _: usize) {}
}

#[cfg(all(test, target_os = "linux", not(miri)))]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    /// Whether the kernel was told to put the page at `address` on a huge one.
    fn is_advised(address: usize) -> bool {
        let maps = fs::read_to_string("/proc/self/smaps").unwrap();
        let mut here = false;
        for line in maps.lines() {
            let range = line
                .split_once(' ')
                .and_then(|(range, _)| range.split_once('-'));
            let ends = range.and_then(|(start, end)| {
                let hex = |text| usize::from_str_radix(text, 16).ok();
                Some(hex(start)?..hex(end)?)
            });
            here = ends.map_or(here, |range| range.contains(&address));
            if here && line.starts_with("VmFlags:") {
                return line.split_whitespace().any(|flag| flag == "hg");
            }
        }
        panic!("{address:#x} is not mapped");
    }

    #[test]
    fn only_regions_aligned_to_a_huge_page_ask_for_huge_pages() {
        if !Path::new("/sys/kernel/mm/transparent_hugepage").exists() {
            return; // a kernel that has none
        }
        let region = |size, align| {
            let layout = Layout::from_size_align(size, align).unwrap();
            Region::try_new(layout).unwrap()
        };
        let huge = region(HUGE_PAGE, HUGE_PAGE);
        // So large that no allocator puts it where a region was before.
        let plain = region(64 * HUGE_PAGE, HUGE_PAGE / 2);
        let first = huge.base().addr().get();
        assert!(is_advised(first) && is_advised(first + HUGE_PAGE - 1));
        assert!(!is_advised(plain.base().addr().get()));
    }
}
