#![expect(unsafe_code, reason = "blocks from an allocator of one's choice")]
//! Where bytes come from: the byte pools, and allocators under a `Vec<u8>` of our own.
//!
//! `Vec` takes only the global allocator, of which there is one in a process. [`Buffer`] does what it does: room that at least
//! doubles when it has to grow, by `realloc`, and zeroes by `alloc_zeroed`. Allocators that are objects, not names, are
//! behind a reference. The two that want to be given regions get 64 KiB at a time from the system, as a byte pool takes them.

use std::alloc::{GlobalAlloc, Layout, System, handle_alloc_error};
use std::ptr::NonNull;

use mem_pool::{PoolBytes, VariadicPool, local};
use parking_lot::{Mutex, RawMutex};
use rlsf::{FlexSource, FlexTlsf};
use talc::TalcLock;
use talc::source::GlobalAllocSource;

use super::{Contender, alone, shared};
use crate::contenders::{Glibc, Heap, Jemalloc, Mimalloc, Side};

/// Where bytes come from.
pub(super) trait Source: Sized + 'static {
    const NAME: &'static str;
    const SIDE: Side;
    type Block<'p>: Block;

    fn new() -> Self;
    /// Room for bytes, none of them written.
    fn room(&self, capacity: usize) -> Self::Block<'_>;
    fn zeroed(&self, len: usize) -> Self::Block<'_>;
    /// The bytes it says it has from the system.
    fn reserved(&self) -> Option<usize> {
        None
    }
}

/// Bytes that can grow.
pub(super) trait Block {
    /// Writes the first byte of a block without any.
    fn begin(&mut self, byte: u8);
    /// More bytes are zero, and with much fewer the room becomes smaller, too, as `realloc` would have it.
    fn resize(&mut self, len: usize);
    fn bytes(&mut self) -> &mut [u8];
}

macro_rules! byte_pool {
    ($pool:ty, $bytes:ty, $name:literal) => {
        impl Source for $pool {
            const NAME: &'static str = concat!("mem-pool ", $name);
            const SIDE: Side = Side::Ours;
            type Block<'p> = $bytes;

            fn new() -> Self {
                Self::default()
            }

            #[inline]
            fn room(&self, capacity: usize) -> $bytes {
                self.alloc_with_capacity(capacity)
            }

            #[inline]
            fn zeroed(&self, len: usize) -> $bytes {
                self.alloc(len)
            }

            fn reserved(&self) -> Option<usize> {
                Some(self.reserved_bytes())
            }
        }

        impl Block for $bytes {
            #[inline]
            fn begin(&mut self, byte: u8) {
                self.push(byte);
            }

            #[inline]
            fn resize(&mut self, len: usize) {
                self.resize(len);
                if len < self.capacity() / 2 {
                    self.shrink_to_fit();
                }
            }

            fn bytes(&mut self) -> &mut [u8] {
                self
            }
        }
    };
}

byte_pool!(VariadicPool, PoolBytes, "Variadic");
byte_pool!(local::VariadicPool, local::PoolBytes, "local Variadic");

/// A `Vec<u8>` on the allocator `H`.
pub(super) struct Buffer<H: GlobalAlloc + Copy> {
    heap: H,
    start: NonNull<u8>,
    len: usize,
    /// Never 0: an allocator is asked for bytes.
    capacity: usize,
}

/// As `Vec<u8>` asks for it: what is aligned to more than that is slower in some allocators.
fn layout(capacity: usize) -> Layout {
    Layout::from_size_align(capacity, 1).expect("sizes are small")
}

fn or_abort(start: *mut u8, layout: Layout) -> NonNull<u8> {
    NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout))
}

impl<H: GlobalAlloc + Copy> Buffer<H> {
    #[inline]
    fn room(heap: H, capacity: usize) -> Self {
        let capacity = capacity.max(1);
        let layout = layout(capacity);
        // SAFETY: not of size 0.
        let start = or_abort(unsafe { heap.alloc(layout) }, layout);
        Self {
            heap,
            start,
            len: 0,
            capacity,
        }
    }

    #[inline]
    fn zeroed(heap: H, len: usize) -> Self {
        let capacity = len.max(1);
        let layout = layout(capacity);
        // SAFETY: not of size 0.
        let start = or_abort(unsafe { heap.alloc_zeroed(layout) }, layout);
        Self {
            heap,
            start,
            len,
            capacity,
        }
    }

    fn set_capacity(&mut self, capacity: usize) {
        let capacity = capacity.max(1);
        let (start, from) = (self.start.as_ptr(), layout(self.capacity));
        // SAFETY: from this allocator with this layout, and the new size is not 0.
        let start = unsafe { self.heap.realloc(start, from, capacity) };
        self.start = or_abort(start, layout(capacity));
        self.capacity = capacity;
    }
}

impl<H: GlobalAlloc + Copy> Block for Buffer<H> {
    #[inline]
    fn begin(&mut self, byte: u8) {
        // SAFETY: there is room for a byte at least.
        unsafe { self.start.write(byte) };
        self.len = 1;
    }

    #[inline]
    fn resize(&mut self, len: usize) {
        if len > self.capacity {
            self.set_capacity(len.max(2 * self.capacity));
        } else if len < self.capacity / 2 {
            self.set_capacity(len);
        }
        if len > self.len {
            // SAFETY: inside the capacity.
            let tail = unsafe { self.start.add(self.len) };
            // SAFETY: so is the end.
            unsafe { tail.write_bytes(0, len - self.len) };
        }
        self.len = len;
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: valid: so many bytes are written. Aliasing: this handle's own, which is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl<H: GlobalAlloc + Copy> Drop for Buffer<H> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: from this allocator with this layout.
        unsafe {
            self.heap
                .dealloc(self.start.as_ptr(), layout(self.capacity))
        };
    }
}

/// An allocator that is no more than a name.
struct Named<H>(H);

impl<H: Heap> Source for Named<H> {
    const NAME: &'static str = H::VEC;
    const SIDE: Side = Side::Heap;
    type Block<'p> = Buffer<H>;

    fn new() -> Self {
        Self(H::HEAP)
    }

    #[inline]
    fn room(&self, capacity: usize) -> Buffer<H> {
        Buffer::room(self.0, capacity)
    }

    #[inline]
    fn zeroed(&self, len: usize) -> Buffer<H> {
        Buffer::zeroed(self.0, len)
    }
}

/// An allocator that is an object.
macro_rules! object {
    ($heap:ty, $name:literal, $new:expr) => {
        impl Source for $heap {
            const NAME: &'static str = $name;
            const SIDE: Side = Side::Pool;
            type Block<'p> = Buffer<&'p $heap>;

            fn new() -> Self {
                $new
            }

            #[inline]
            fn room(&self, capacity: usize) -> Buffer<&$heap> {
                Buffer::room(self, capacity)
            }

            #[inline]
            fn zeroed(&self, len: usize) -> Buffer<&$heap> {
                Buffer::zeroed(self, len)
            }
        }
    };
}

/// As a byte pool grows when it is not told otherwise.
const GROW_SIZE: usize = 64 * 1024;

struct Talc(TalcLock<RawMutex, GlobalAllocSource<System>>);

object!(Talc, "talc, Mutex", {
    Self(TalcLock::new(GlobalAllocSource::with_block_size(
        System, GROW_SIZE,
    )))
});

// SAFETY: passes every call on to an allocator.
unsafe impl GlobalAlloc for &Talc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { self.0.alloc(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { self.0.dealloc(ptr, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { self.0.realloc(ptr, layout, size) }
    }
}

/// With as many lists as its own global allocator has.
struct Rlsf(Mutex<FlexTlsf<Regions, usize, usize, 64, 64>>);

object!(
    Rlsf,
    "rlsf, Mutex",
    Self(Mutex::new(FlexTlsf::new(Regions)))
);

struct Regions;

fn region(len: usize) -> Layout {
    let len = len.next_multiple_of(GROW_SIZE);
    Layout::from_size_align(len, 16).expect("sizes are small")
}

// SAFETY: regions come from the system's allocator, and go back to it.
unsafe impl FlexSource for Regions {
    unsafe fn alloc(&mut self, least: usize) -> Option<NonNull<[u8]>> {
        let region = region(least);
        // SAFETY: not of size 0.
        let start = NonNull::new(unsafe { System.alloc(region) })?;
        Some(NonNull::slice_from_raw_parts(start, region.size()))
    }

    unsafe fn dealloc(&mut self, gone: NonNull<[u8]>) {
        // SAFETY: from `alloc`, whose sizes are whole regions.
        unsafe { System.dealloc(gone.cast().as_ptr(), region(gone.len())) };
    }

    fn supports_dealloc(&self) -> bool {
        true
    }

    fn min_align(&self) -> usize {
        16
    }
}

// SAFETY: passes every call on to an allocator, under a lock.
unsafe impl GlobalAlloc for &Rlsf {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.0.lock().allocate(layout);
        start.map_or(std::ptr::null_mut(), NonNull::as_ptr)
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        let Some(ptr) = NonNull::new(ptr) else { return };
        // SAFETY: as the caller promises.
        unsafe { self.0.lock().deallocate(ptr, layout.align()) };
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let (Some(ptr), Ok(layout)) = (
            NonNull::new(ptr),
            Layout::from_size_align(size, layout.align()),
        ) else {
            return std::ptr::null_mut();
        };
        // SAFETY: as the caller promises.
        let start = unsafe { self.0.lock().reallocate(ptr, layout) };
        start.map_or(std::ptr::null_mut(), NonNull::as_ptr)
    }
}

pub(super) fn all() -> Vec<Contender> {
    vec![
        shared::<VariadicPool>(),
        alone::<local::VariadicPool>(),
        shared::<Named<Glibc>>(),
        shared::<Named<Mimalloc>>(),
        shared::<Named<Jemalloc>>(),
        shared::<Rlsf>(),
        shared::<Talc>(),
    ]
}
