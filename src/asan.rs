//! Tells AddressSanitizer which bytes of a region nobody may touch: free slots, and the payloads of free blocks.
//!
//! Only under `--cfg mem_pool_asan`, which `.ci/sanitizers` sets; else these functions are empty. Without them a stale read
//! inside a chunk would pass for a good one, for to the allocator the whole chunk is in use.

use std::ptr::NonNull;

/// Whether it is told. To be asked before a size is read that is only of use here: the compiler keeps reads of atomics.
pub(crate) const TOLD: bool = cfg!(mem_pool_asan);

/// From now on nobody may touch these bytes.
#[inline]
pub(crate) fn poison(start: NonNull<u8>, size: usize) {
    shadow::poison(start, size);
}

/// From now on these bytes may be used.
#[inline]
pub(crate) fn unpoison(start: NonNull<u8>, size: usize) {
    shadow::unpoison(start, size);
}

/// Poisoned bytes that may be used for as long as this lives.
pub(crate) struct Opened {
    start: NonNull<u8>,
    size: usize,
}

/// Lets poisoned bytes be used for a moment.
#[inline]
pub(crate) fn open(start: NonNull<u8>, size: usize) -> Opened {
    unpoison(start, size);
    Opened { start, size }
}

impl Drop for Opened {
    #[inline]
    fn drop(&mut self) {
        poison(self.start, self.size);
    }
}

#[cfg(not(mem_pool_asan))]
mod shadow {
    use std::ptr::NonNull;

    #[inline]
    pub(super) fn poison(_: NonNull<u8>, _: usize) {}

    #[inline]
    pub(super) fn unpoison(_: NonNull<u8>, _: usize) {}
}

#[cfg(mem_pool_asan)]
#[expect(unsafe_code, reason = "calls the sanitizer's runtime")]
mod shadow {
    use std::ffi::c_void;
    use std::ptr::NonNull;

    // SAFETY: these are the runtime's own declarations.
    unsafe extern "C" {
        fn __asan_poison_memory_region(start: *const c_void, size: usize);
        fn __asan_unpoison_memory_region(start: *const c_void, size: usize);
    }

    pub(super) fn poison(start: NonNull<u8>, size: usize) {
        // SAFETY: it only marks the addresses, which are the program's, in the sanitizer's own memory.
        unsafe { __asan_poison_memory_region(start.as_ptr().cast(), size) }
    }

    pub(super) fn unpoison(start: NonNull<u8>, size: usize) {
        // SAFETY: it only marks the addresses, as `poison` does.
        unsafe { __asan_unpoison_memory_region(start.as_ptr().cast(), size) }
    }
}
