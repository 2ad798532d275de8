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
            system::put_on_huge_pages(base, layout.size());
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
    use std::fs::File;
    use std::io::Read;
    use std::ptr::NonNull;
    use std::sync::OnceLock;

    /// Whether this system can be asked for huge pages.
    pub(crate) const HAS_HUGE_PAGES: bool = true;

    /// Moves what is there to huge pages at once (Linux 6.1). `libc` names it for some C libraries only.
    pub(super) const MADV_COLLAPSE: libc::c_int = 25;

    /// Asks for huge pages, best effort: a kernel without them refuses, and nothing else changes. The advice stays with the
    /// addresses when the allocator has them back.
    ///
    /// Advice alone is for memory that nobody has touched. What the allocator had from others is on small pages, and would stay
    /// there: it is moved, once (some 0.4 ms for 2 MiB, about what it takes to touch as much for the first time; a microsecond
    /// where it is on a huge page already). The first page stands for all.
    pub(super) fn put_on_huge_pages(base: NonNull<u8>, size: usize) {
        // SAFETY: the advice changes neither what the memory holds nor who may use it.
        let advised = unsafe { libc::madvise(base.as_ptr().cast(), size, libc::MADV_HUGEPAGE) };
        // To collapse what is not there yet would fail, but only after all processors have been asked to write their lists of
        // pages back.
        if advised == 0 && is_touched(base) && are_allowed() {
            // SAFETY: as above.
            unsafe { libc::madvise(base.as_ptr().cast(), size, MADV_COLLAPSE) };
        }
    }

    /// Whether there is memory behind `page`, its first byte, already.
    pub(super) fn is_touched(page: NonNull<u8>) -> bool {
        let mut states = [0_u8];
        // SAFETY: `mincore` writes a byte for each page, and memory one byte long lies in one.
        let known = unsafe { libc::mincore(page.as_ptr().cast(), 1, states.as_mut_ptr()) };
        known == 0 && states[0] & 1 == 1
    }

    /// Whether the system's owner allows huge pages: advice is not heard where he does not, but memory would be moved all the same.
    pub(super) fn are_allowed() -> bool {
        static ALLOWED: OnceLock<bool> = OnceLock::new();
        *ALLOWED.get_or_init(|| {
            let mut text = [0; 64];
            let file = File::open("/sys/kernel/mm/transparent_hugepage/enabled");
            let read = file.and_then(|mut file| file.read(&mut text));
            read.is_ok_and(|len| !text[..len].windows(7).any(|word| word == b"[never]"))
        })
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
mod system {
    use std::ptr::NonNull;

    /// Whether this system can be asked for huge pages.
    pub(crate) const HAS_HUGE_PAGES: bool = false;

    /// There is no such call.
    pub(super) fn put_on_huge_pages(_: NonNull<u8>, _: usize) {}
}

#[cfg(all(test, target_os = "linux", not(miri)))]
mod tests {
    use super::*;
    use std::fs;
    use std::ptr::null_mut;
    use std::slice;

    const SMALL_PAGE: usize = 4096;

    /// Whether the kernel has huge pages of this size, for this process, too.
    fn has_huge_pages() -> bool {
        let size = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size");
        // SAFETY: asks for a flag of the process.
        let disabled = unsafe { libc::prctl(libc::PR_GET_THP_DISABLE, 0, 0, 0, 0) };
        size.is_ok_and(|size| size.trim().parse() == Ok(HUGE_PAGE)) && disabled == 0
    }

    /// What the kernel says about the mapping in which `address` is, in the line that begins with `name`.
    fn of_mapping(address: usize, name: &str) -> String {
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
            if let Some(said) = line.strip_prefix(name).filter(|_| here) {
                return said.trim().to_owned();
            }
        }
        panic!("{address:#x} is not mapped");
    }

    /// Whether the kernel was told to put the page at `address` on a huge one.
    fn is_advised(address: usize) -> bool {
        let flags = of_mapping(address, "VmFlags:");
        flags.split_whitespace().any(|flag| flag == "hg")
    }

    #[test]
    fn only_regions_aligned_to_a_huge_page_ask_for_huge_pages() {
        if !has_huge_pages() {
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

    /// Pages of its own, of which the huge one in the middle is aligned.
    struct Mapping {
        start: *mut libc::c_void,
    }

    impl Mapping {
        const BYTES: usize = 3 * HUGE_PAGE;

        fn new() -> Self {
            let (access, kind) = (
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            );
            // SAFETY: a mapping where nothing else is.
            let start = unsafe { libc::mmap(null_mut(), Self::BYTES, access, kind, -1, 0) };
            assert_ne!(start, libc::MAP_FAILED);
            Self { start }
        }

        fn huge_page(&self) -> NonNull<u8> {
            let start = self.start.cast::<u8>();
            let middle = start.addr().next_multiple_of(HUGE_PAGE);
            NonNull::new(start.with_addr(middle)).unwrap()
        }

        fn small_pages(&mut self) -> impl Iterator<Item = (u8, &mut [u8])> {
            let page = self.huge_page().as_ptr();
            // SAFETY: in the mapping, all of which is zero at first, and which nobody else knows.
            let memory = unsafe { slice::from_raw_parts_mut(page, HUGE_PAGE) };
            (1..=u8::MAX).cycle().zip(memory.chunks_mut(SMALL_PAGE))
        }

        /// Puts all of the huge page on small ones, and says something else on each than on those beside it.
        fn touch(&mut self) {
            let page = self.huge_page().as_ptr().cast();
            // SAFETY: the advice changes neither what the memory holds nor who may use it.
            let advised = unsafe { libc::madvise(page, HUGE_PAGE, libc::MADV_NOHUGEPAGE) };
            assert_eq!(advised, 0);
            self.small_pages().for_each(|(mark, page)| page[7] = mark);
        }

        fn is_as_touched(&mut self) -> bool {
            self.small_pages().all(|(mark, page)| page[7] == mark)
        }

        fn is_on_a_huge_page(&self) -> bool {
            let address = self.huge_page().addr().get();
            of_mapping(address, "AnonHugePages:") == format!("{} kB", HUGE_PAGE / 1024)
        }
    }

    impl Drop for Mapping {
        fn drop(&mut self) {
            // SAFETY: mapped in `new`, and used no more.
            unsafe { libc::munmap(self.start, Self::BYTES) };
        }
    }

    #[test]
    fn memory_is_touched_from_the_first_write_on() {
        let mut mapping = Mapping::new();
        assert!(!system::is_touched(mapping.huge_page()));
        mapping.touch();
        assert!(system::is_touched(mapping.huge_page()));
    }

    #[test]
    fn what_others_left_on_small_pages_is_moved_to_a_huge_one() {
        let collapses = |mapping: &mut Mapping| {
            mapping.touch();
            assert!(!mapping.is_on_a_huge_page());
            system::put_on_huge_pages(mapping.huge_page(), HUGE_PAGE);
            assert!(mapping.is_as_touched());
            mapping.is_on_a_huge_page()
        };
        // A kernel that is out of huge pages for a moment may refuse once or twice; one that is too old, or whose owner has
        // forbidden them, always does.
        let mut mappings: Vec<Mapping> = (0..16).map(|_| Mapping::new()).collect();
        assert_eq!(mappings.iter_mut().any(collapses), knows_collapse());
    }

    /// Whether the kernel takes the advice; for no bytes it does nothing else.
    fn knows_collapse() -> bool {
        // SAFETY: the advice is for no memory.
        let answer = unsafe { libc::madvise(null_mut(), 0, system::MADV_COLLAPSE) };
        answer == 0 && has_huge_pages() && system::are_allowed()
    }
}
