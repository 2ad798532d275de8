#![expect(unsafe_code, reason = "boxes on an allocator of one's choice")]
//! Boxes on three allocators in one process.
//!
//! A process has one global allocator, and a race needs all three in one run. So none is made the global one: [`BoxIn`] calls
//! its allocator's `GlobalAlloc` methods directly, with a layout that is known when it is compiled, as `Box` does. What is left
//! out is the jump through the symbol of the global allocator, for all three alike; so each is a little faster than as a `Box`.

use std::alloc::{GlobalAlloc, Layout, System, handle_alloc_error};
use std::marker::PhantomData;
use std::ptr::NonNull;

use mimalloc::MiMalloc;
use tikv_jemallocator::Jemalloc as TikvJemalloc;

use super::{Contender, Object, Pool, Side, shared};
use crate::process;

/// An allocator that is no more than a name.
pub(crate) trait Heap: GlobalAlloc + Copy + Send + Sync + 'static {
    const BOX: &'static str;
    const VEC: &'static str;
    const HEAP: Self;

    /// Gives back to the system what is free.
    fn trim();
}

macro_rules! heap {
    ($heap:ident, $global:expr, $name:literal, $trim:expr) => {
        #[derive(Clone, Copy)]
        pub(crate) struct $heap;

        // SAFETY: passes every call on to an allocator.
        unsafe impl GlobalAlloc for $heap {
            #[inline]
            unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
                // SAFETY: as the caller promises.
                unsafe { $global.alloc(layout) }
            }

            #[inline]
            unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
                // SAFETY: as the caller promises.
                unsafe { $global.alloc_zeroed(layout) }
            }

            #[inline]
            unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
                // SAFETY: as the caller promises.
                unsafe { $global.dealloc(ptr, layout) }
            }

            #[inline]
            unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
                // SAFETY: as the caller promises.
                unsafe { $global.realloc(ptr, layout, size) }
            }
        }

        impl Heap for $heap {
            const BOX: &'static str = concat!("Box ", $name);
            const VEC: &'static str = concat!("Vec ", $name);
            const HEAP: Self = Self;

            fn trim() {
                $trim
            }
        }
    };
}

heap!(Glibc, System, "glibc", process::trim());
heap!(Mimalloc, MiMalloc, "mimalloc", {
    // SAFETY: may be called at any time.
    unsafe { libmimalloc_sys::mi_collect(true) };
});
heap!(Jemalloc, TikvJemalloc, "jemalloc", purge());

/// Arena 4096 stands for all of them.
fn purge() {
    use std::ptr::null_mut;
    let all = c"arena.4096.purge".as_ptr();
    // SAFETY: the control neither reads nor writes a value.
    unsafe { tikv_jemalloc_sys::mallctl(all, null_mut(), null_mut(), null_mut(), 0) };
}

/// A `Box` on the allocator `H`.
pub(crate) struct BoxIn<T, H: Heap> {
    object: NonNull<T>,
    owns: PhantomData<(T, H)>,
}

// SAFETY: owns its object, and the allocators may be called by any thread.
unsafe impl<T: Send, H: Heap> Send for BoxIn<T, H> {}

impl<T, H: Heap> BoxIn<T, H> {
    const LAYOUT: Layout = Layout::new::<T>();

    #[inline]
    pub(crate) fn new(object: T) -> Self {
        const { assert!(size_of::<T>() > 0, "an allocator is asked for bytes") };
        // SAFETY: not of size 0.
        let room = unsafe { H::HEAP.alloc(Self::LAYOUT) };
        let Some(room) = NonNull::new(room.cast::<T>()) else {
            handle_alloc_error(Self::LAYOUT)
        };
        // SAFETY: room for a `T`, and nobody else's.
        unsafe { room.write(object) };
        Self {
            object: room,
            owns: PhantomData,
        }
    }

    pub(crate) fn get(&self) -> &T {
        // SAFETY: valid: written by `new`. Aliasing: this handle's own, which is borrowed.
        unsafe { self.object.as_ref() }
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        // SAFETY: valid: written by `new`. Aliasing: this handle's own, which is borrowed mutably.
        unsafe { self.object.as_mut() }
    }
}

impl<T, H: Heap> Drop for BoxIn<T, H> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: written by `new`, and not used again.
        unsafe { self.object.drop_in_place() };
        // SAFETY: from this allocator, with this layout.
        unsafe { H::HEAP.dealloc(self.object.as_ptr().cast(), Self::LAYOUT) };
    }
}

/// The heap as a pool.
struct Boxes<H>(PhantomData<H>);

impl<T: Object, H: Heap> Pool<T> for Boxes<H> {
    const NAME: &'static str = H::BOX;
    const SIDE: Side = Side::Heap;
    type Handle<'p> = BoxIn<T, H>;

    fn new() -> Self {
        Self(PhantomData)
    }

    #[inline]
    fn make(&self, object: T) -> BoxIn<T, H> {
        BoxIn::new(object)
    }

    fn shrink(&self) -> bool {
        H::trim();
        true
    }
}

/// The real one, on the global allocator, which is glibc's: to see what [`BoxIn`] leaves out.
struct StdBoxes;

impl<T: Object> Pool<T> for StdBoxes {
    const NAME: &'static str = "std Box (glibc)";
    const SIDE: Side = Side::Heap;
    type Handle<'p> = Box<T>;

    fn new() -> Self {
        Self
    }

    #[inline]
    fn make(&self, object: T) -> Box<T> {
        Box::new(object)
    }

    fn shrink(&self) -> bool {
        process::trim();
        true
    }
}

pub(super) fn all<T: Object>() -> Vec<Contender> {
    vec![
        shared::<T, StdBoxes>(),
        shared::<T, Boxes<Glibc>>(),
        shared::<T, Boxes<Mimalloc>>(),
        shared::<T, Boxes<Jemalloc>>(),
    ]
}
