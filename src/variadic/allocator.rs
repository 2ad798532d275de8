#![expect(unsafe_code, reason = "hands blocks out as raw memory")]
//! [`VariadicPool`] as the memory of other crates' containers, through `allocator-api2`.
//!
//! An allocation of some size is a block; one of size 0 is none, just an aligned address.

use std::alloc::Layout;
use std::fmt;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use allocator_api2::alloc::{AllocError, Allocator};

use super::VariadicPool;
use crate::error::PoolError;
use crate::sync::{Lock, Locked};
use crate::variadic::request::Request;
use crate::variadic::supply::{Leased, alloc};

/// Containers live in the pool: their memory is blocks, aligned to at most 1 MiB. Beyond that, and where
/// [`try_alloc`](VariadicPool::try_alloc) fails, an allocation fails.
///
/// A reference to the pool is an allocator, too, and the usual one; [`PoolAllocator`] is one that can be cloned and sent away.
///
/// ```
/// use allocator_api2::vec::Vec;
/// use hashbrown::{DefaultHashBuilder, HashMap};
/// use mem_pool::VariadicPool;
///
/// let pool = VariadicPool::default();
/// let mut squares = Vec::new_in(&pool);
/// squares.extend((0..100_u64).map(|n| n * n));
/// let mut names = HashMap::with_hasher_in(DefaultHashBuilder::default(), &pool);
/// names.insert("nine", squares[3]);
/// assert_eq!((names["nine"], pool.live_blocks()), (9, 2));
/// ```
// SAFETY: a block is a lease given up until `deallocate`: nobody else has its payload meanwhile, and it stays even when the
// pool is dropped, or moved. The pool is not cloned. Any pool pointer finds its block, whatever thread it comes from.
unsafe impl<L: Lock> Allocator for VariadicPool<L> {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if layout.size() == 0 {
            return Ok(nothing(layout));
        }
        Ok(give_out(self.lease(layout).map_err(refused)?))
    }

    unsafe fn deallocate(&self, memory: NonNull<u8>, layout: Layout) {
        if layout.size() > 0 {
            // SAFETY: the caller gives back what this pool gave out.
            drop(unsafe { self.take_back(memory) });
        }
    }

    unsafe fn grow(
        &self,
        memory: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        if old.size() == 0 {
            return self.allocate(new);
        }
        // SAFETY: the caller lends what this pool gave out; it is given back only if this succeeds.
        let mut leased = ManuallyDrop::new(unsafe { self.take_back(memory) });
        let mut fits = || leased.capacity() >= new.size() || leased.extend(new.size(), new.size());
        if is_aligned(memory, new) && fits() {
            leased.set_len(new.size());
            return Ok(give_out(ManuallyDrop::into_inner(leased)));
        }
        move_to(leased, new, old.size())
    }

    unsafe fn grow_zeroed(
        &self,
        memory: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: passed on.
        let grown = unsafe { self.grow(memory, old, new) }?;
        // SAFETY: what has grown is not smaller.
        let fresh = unsafe { grown.cast::<u8>().add(old.size()) };
        // SAFETY: inside the memory just given out, which nobody else has yet.
        unsafe { fresh.write_bytes(0, grown.len() - old.size()) };
        Ok(grown)
    }

    unsafe fn shrink(
        &self,
        memory: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        if new.size() == 0 {
            // SAFETY: the caller gives back what this pool gave out.
            unsafe { self.deallocate(memory, old) };
            return Ok(nothing(new));
        }
        // SAFETY: the caller lends what this pool gave out; it is given back only if this succeeds.
        let mut leased = ManuallyDrop::new(unsafe { self.take_back(memory) });
        if is_aligned(memory, new) {
            leased.set_len(new.size());
            leased.shrink(new.size());
            return Ok(give_out(ManuallyDrop::into_inner(leased)));
        }
        move_to(leased, new, new.size())
    }
}

impl<L: Lock> VariadicPool<L> {
    /// A block for a layout of some size.
    fn lease(&self, layout: Layout) -> Result<Leased<L>, PoolError> {
        let shards = self.shards()?;
        alloc(shards, request(layout)?)
    }

    /// The block of an allocation of some size.
    ///
    /// # Safety
    ///
    /// The memory was given out by this pool, and is given back once.
    unsafe fn take_back(&self, memory: NonNull<u8>) -> Leased<L> {
        let shards = self.shards.get().expect("who gave memory out has shards");
        // SAFETY: passed on.
        unsafe { Leased::from_exposed(shards, memory) }
    }
}

fn request(layout: Layout) -> Result<Request, PoolError> {
    Request::new(layout.size(), layout.size(), layout.align())
}

/// All the room of a block, for its new owner.
fn give_out<L: Lock>(leased: Leased<L>) -> NonNull<[u8]> {
    let room = leased.capacity();
    NonNull::slice_from_raw_parts(leased.into_exposed(), room)
}

/// Gives another block out with a copy of this one's first bytes, and this one back; if there is none, nothing happens.
fn move_to<L: Lock>(
    leased: ManuallyDrop<Leased<L>>,
    layout: Layout,
    bytes: usize,
) -> Result<NonNull<[u8]>, AllocError> {
    let request = request(layout).map_err(refused)?;
    let other = leased.alloc_beside(request).map_err(refused)?;
    let (from, to) = (leased.payload(), other.payload());
    // SAFETY: both payloads have so many bytes, and two leases never overlap.
    unsafe { to.copy_from_nonoverlapping(from, bytes) };
    drop(ManuallyDrop::into_inner(leased));
    Ok(give_out(other))
}

/// What an allocation of size 0 is.
fn nothing(layout: Layout) -> NonNull<[u8]> {
    let address = ptr::without_provenance_mut(layout.align());
    let address = NonNull::new(address).expect("an alignment is not zero");
    NonNull::slice_from_raw_parts(address, 0)
}

fn is_aligned(memory: NonNull<u8>, layout: Layout) -> bool {
    memory.addr().get() & (layout.align() - 1) == 0
}

/// The trait has no room for reasons.
fn refused(_: PoolError) -> AllocError {
    AllocError
}

/// A [`VariadicPool`] as an allocator that can be cloned and owned: for containers that are sent away or stored beside others.
///
/// All clones are the same allocator. The pool lives as long as the last of them.
///
/// ```
/// use allocator_api2::{boxed::Box, vec::Vec};
/// use mem_pool::{PoolAllocator, VariadicPool};
///
/// type Row = Vec<f32, PoolAllocator>;
///
/// let memory = PoolAllocator::new(VariadicPool::new(16 * 1024, 10));
/// let mut rows: Vec<Row, PoolAllocator> = Vec::new_in(memory.clone());
/// rows.resize_with(10, || Vec::with_capacity_in(100, memory.clone()));
/// assert_eq!(memory.pool().live_blocks(), 11);
///
/// let sent = Box::new_in(rows, memory);                 // the pool has no other owner now
/// std::thread::spawn(move || drop(sent)).join().unwrap();
/// ```
pub struct PoolAllocator<L: Lock = Locked> {
    pool: Arc<VariadicPool<L>>,
}

impl<L: Lock> PoolAllocator<L> {
    /// An allocator that owns its pool.
    pub fn new(pool: VariadicPool<L>) -> Self {
        Self::from(Arc::new(pool))
    }

    /// The pool: for its figures, and for blocks beside the containers.
    pub fn pool(&self) -> &VariadicPool<L> {
        &self.pool
    }
}

/// For a pool that has other owners, too.
impl<L: Lock> From<Arc<VariadicPool<L>>> for PoolAllocator<L> {
    fn from(pool: Arc<VariadicPool<L>>) -> Self {
        Self { pool }
    }
}

impl<L: Lock> Clone for PoolAllocator<L> {
    fn clone(&self) -> Self {
        Self::from(Arc::clone(&self.pool))
    }
}

impl<L: Lock> fmt::Debug for PoolAllocator<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pool.fmt(f)
    }
}

// SAFETY: all clones refer to one pool, which is an allocator and lives as long as they do; each method is the pool's.
unsafe impl<L: Lock> Allocator for PoolAllocator<L> {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        self.pool.allocate(layout)
    }

    unsafe fn deallocate(&self, memory: NonNull<u8>, layout: Layout) {
        // SAFETY: passed on.
        unsafe { self.pool.deallocate(memory, layout) }
    }

    unsafe fn grow(
        &self,
        memory: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: passed on.
        unsafe { self.pool.grow(memory, old, new) }
    }

    unsafe fn grow_zeroed(
        &self,
        memory: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: passed on.
        unsafe { self.pool.grow_zeroed(memory, old, new) }
    }

    unsafe fn shrink(
        &self,
        memory: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: passed on.
        unsafe { self.pool.shrink(memory, old, new) }
    }
}
