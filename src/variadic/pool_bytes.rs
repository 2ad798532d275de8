#![expect(unsafe_code, reason = "lends a block's payload as a slice")]
//! The handle of a block: [`PoolBytes`], a `Vec<u8>` whose memory is a pool's.

#[cfg(feature = "bytes")]
mod buf;

use std::borrow::{Borrow, BorrowMut};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ops::{Deref, DerefMut};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::{ptr, slice};

use bytemuck::PodCastError;

use crate::error::{PoolError, or_fail};
use crate::sync::{Lock, Locked};
use crate::variadic::block::UNIT;
use crate::variadic::request::{MOST_ROOM, Request};
use crate::variadic::supply::{Leased, Shards, alloc};

/// Bytes in a block of a [`VariadicPool`](crate::VariadicPool): what a `Vec<u8>` is to the global allocator.
///
/// Over [`Locked`] it is `Send` and `Sync`, and may be dropped on any thread. It may outlive its pool. Dropping it gives the block
/// back, which merges with its free neighbours at once.
///
/// Bytes that become visible without being written, as by [`resize`](Self::resize), are zero. When it grows, it takes a free
/// neighbour before it moves; when it moves, to another block of its own shard, it keeps its alignment.
///
/// ```
/// use std::io::Write;
/// use mem_pool::VariadicPool;
///
/// let pool = VariadicPool::default();
/// let mut line = pool.alloc_with_capacity(64);
/// write!(line, "{} + {} = {}", 1, 2, 1 + 2)?;
/// assert_eq!(line, b"1 + 2 = 3");
/// line.push(b'\n');
/// assert_eq!(line.len(), 10);
/// assert_eq!(pool.live_bytes(), 10);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
///
/// Methods that grow panic when the pool's limit is reached or a length overflows, and call
/// [`handle_alloc_error`](std::alloc::handle_alloc_error) when memory is out. Each has a `try_` twin that does not, but for
/// [`push`](Self::push) and `extend`: [`try_reserve`](Self::try_reserve) before them says whether there is room.
///
/// # Invariants
///
/// *visible-is-init*: the first `len` bytes of the payload are initialised; `len` is no more than the capacity.
pub struct PoolBytes<L: Lock = Locked> {
    leased: Leased<L>,
    len: usize,
}

// SAFETY: the payload is reached through this handle alone, and bytes are `Send`. The shard it points to is a lock and what the
// lock guards, and stays alive; for `Locked` any thread may lock it. `Unlocked` is not `Send`, so its handles are not.
unsafe impl<L: Lock + Send + Sync> Send for PoolBytes<L> {}
// SAFETY: `&PoolBytes` gives `&[u8]`, figures that only `&mut PoolBytes` changes, and clones, for which it locks the shard, as any
// thread may.
unsafe impl<L: Lock + Send + Sync> Sync for PoolBytes<L> {}

// A block is plain bytes, and nothing foreign runs while its shard is locked: a panic leaves neither half done.
impl<L: Lock> UnwindSafe for PoolBytes<L> {}
impl<L: Lock> RefUnwindSafe for PoolBytes<L> {}

impl<L: Lock> PoolBytes<L> {
    /// A block of zeroes.
    #[inline]
    pub(super) fn try_zeroed(
        shards: &Shards<L>,
        len: usize,
        align: usize,
    ) -> Result<Self, PoolError> {
        let mut leased = alloc(shards, Request::new(len, len, align)?)?;
        leased.zero(0, len);
        Ok(Self { leased, len })
    }

    /// A block in which nothing is visible.
    #[inline]
    pub(super) fn try_empty(shards: &Shards<L>, room: usize) -> Result<Self, PoolError> {
        let leased = alloc(shards, Request::new(0, room, UNIT)?)?;
        Ok(Self { leased, len: 0 })
    }

    /// A copy of `bytes`.
    #[inline]
    pub(super) fn try_copied(shards: &Shards<L>, bytes: &[u8]) -> Result<Self, PoolError> {
        let mut copy = Self::try_empty(shards, bytes.len())?;
        copy.append_within_capacity(bytes);
        Ok(copy)
    }

    /// How many bytes are visible.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no byte is visible.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many bytes there is room for without another block: what was asked for, rounded up so that it fills 16s together with
    /// a header of 8 (24, 40, 56, ..; beyond 1 MiB with 8 more, so to a multiple of 16), or a little more if what was left over
    /// was too small for a block or the pool tolerated a larger one.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.leased.capacity()
    }

    /// The visible bytes.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        self
    }

    /// The visible bytes.
    #[inline]
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        self
    }

    /// The first byte. The pointer is good for reads of [`capacity`](Self::capacity) bytes, of which `len` are initialised,
    /// until the handle is dropped or moved to another block.
    #[inline]
    pub fn as_ptr(&self) -> *const u8 {
        self.leased.payload().as_ptr()
    }

    /// The first byte. The pointer is good for reads and writes of [`capacity`](Self::capacity) bytes, of which `len` are
    /// initialised, until the handle is dropped or moved to another block.
    #[inline]
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.leased.payload().as_ptr()
    }

    /// The room behind the visible bytes, for a reader to fill before [`set_len`](Self::set_len).
    #[inline]
    pub fn spare_capacity_mut(&mut self) -> &mut [MaybeUninit<u8>] {
        let room = self.capacity() - self.len;
        // SAFETY: visible-is-init: `len` is inside the payload.
        let spare = unsafe { self.leased.payload().add(self.len) };
        // SAFETY: valid: inside the payload, and `MaybeUninit` asks for no more. Aliasing: the handle is borrowed mutably.
        unsafe { slice::from_raw_parts_mut(spare.cast().as_ptr(), room) }
    }

    /// Sets how many bytes are visible.
    ///
    /// # Safety
    ///
    /// - `len` is not more than [`capacity`](Self::capacity).
    /// - The first `len` bytes are initialised.
    #[inline]
    pub unsafe fn set_len(&mut self, len: usize) {
        debug_assert!(len <= self.capacity(), "what is visible has room");
        self.see(len);
    }

    /// Makes room for at least `additional` bytes more; for more than that where it has to move, so that a growing handle moves
    /// seldom: its pushes are amortised like a `Vec`'s.
    #[track_caller]
    pub fn reserve(&mut self, additional: usize) {
        or_fail(self.try_reserve(additional));
    }

    /// Like [`reserve`](Self::reserve).
    ///
    /// # Errors
    ///
    /// [`PoolError::ByteLimitReached`], [`PoolError::OutOfMemory`], [`PoolError::SizeOverflow`]; nothing has changed then.
    #[inline]
    pub fn try_reserve(&mut self, additional: usize) -> Result<(), PoolError> {
        if additional <= self.capacity() - self.len {
            Ok(())
        } else {
            self.try_grow_apart(additional)
        }
    }

    /// Makes room for `capacity` bytes in all where the block is, if what lies behind it is free. Says whether there is room now.
    pub fn try_grow_in_place(&mut self, capacity: usize) -> bool {
        capacity <= self.capacity() || self.leased.extend(capacity, capacity)
    }

    /// Gives back the room behind the visible bytes, as far as it makes a block (32 bytes; less if what follows is free).
    pub fn shrink_to_fit(&mut self) {
        self.leased.shrink(self.len);
    }

    /// Makes `len` bytes visible; those that were not visible before are zero. A shorter `len` keeps the block.
    #[track_caller]
    pub fn resize(&mut self, len: usize) {
        or_fail(self.try_resize(len));
    }

    /// Like [`resize`](Self::resize).
    ///
    /// # Errors
    ///
    /// As [`try_reserve`](Self::try_reserve).
    pub fn try_resize(&mut self, len: usize) -> Result<(), PoolError> {
        self.try_reserve(len.saturating_sub(self.len))?;
        self.leased.zero(self.len, len.saturating_sub(self.len));
        self.see(len);
        Ok(())
    }

    /// Makes only the first `len` bytes visible, if more were; keeps the block.
    pub fn truncate(&mut self, len: usize) {
        if len < self.len {
            self.see(len);
        }
    }

    /// Makes no byte visible; keeps the block.
    pub fn clear(&mut self) {
        self.see(0);
    }

    /// Appends a byte.
    #[inline]
    #[track_caller]
    pub fn push(&mut self, byte: u8) {
        if self.len == self.capacity() {
            self.reserve(1);
        }
        self.append_within_capacity(&[byte]);
    }

    /// Takes the last byte.
    pub fn pop(&mut self) -> Option<u8> {
        let last = *self.last()?;
        self.see(self.len - 1);
        Some(last)
    }

    /// Appends bytes.
    #[inline]
    #[track_caller]
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        or_fail(self.try_extend_from_slice(bytes));
    }

    /// Like [`extend_from_slice`](Self::extend_from_slice).
    ///
    /// # Errors
    ///
    /// As [`try_reserve`](Self::try_reserve).
    #[inline]
    pub fn try_extend_from_slice(&mut self, bytes: &[u8]) -> Result<(), PoolError> {
        self.try_reserve(bytes.len())?;
        self.append_within_capacity(bytes);
        Ok(())
    }

    /// The bytes as values of another type.
    ///
    /// ```
    /// use mem_pool::{PoolError, VariadicPool};
    ///
    /// let pool = VariadicPool::default();
    /// let bytes = pool.alloc_copy(&[1, 0, 2, 0, 3]);
    /// assert_eq!(bytes[..4].len(), 4);
    /// let error = bytes.cast_slice::<u16>().unwrap_err();
    /// assert!(matches!(error, PoolError::CastFailed { len: 5, size: 2, .. }));
    /// ```
    ///
    /// # Errors
    ///
    /// [`PoolError::CastFailed`] if the length is not a multiple of the type's size or the block is not aligned for it.
    pub fn cast_slice<T: bytemuck::AnyBitPattern>(&self) -> Result<&[T], PoolError> {
        let (len, addr) = (self.len, self.as_ptr().addr());
        bytemuck::try_cast_slice(self).map_err(|error| cast_failed::<T>(len, addr, error))
    }

    /// The bytes as values of another type.
    ///
    /// # Errors
    ///
    /// As [`cast_slice`](Self::cast_slice).
    pub fn cast_slice_mut<T: bytemuck::Pod>(&mut self) -> Result<&mut [T], PoolError> {
        let (len, addr) = (self.len, self.as_ptr().addr());
        bytemuck::try_cast_slice_mut(self).map_err(|error| cast_failed::<T>(len, addr, error))
    }

    /// A copy in a block of the same shard, with the same alignment.
    ///
    /// # Errors
    ///
    /// As [`try_reserve`](Self::try_reserve).
    pub fn try_clone(&self) -> Result<Self, PoolError> {
        let request = Request::new(0, self.len, self.leased.align())?;
        let mut copy = Self {
            leased: self.leased.alloc_beside(request)?,
            len: 0,
        };
        copy.append_within_capacity(self);
        Ok(copy)
    }

    /// Sets how many bytes are visible: never more than are initialised.
    #[inline]
    fn see(&mut self, len: usize) {
        self.len = len;
        self.leased.set_len(len);
    }

    /// Appends bytes for which there is room.
    #[inline]
    fn append_within_capacity(&mut self, bytes: &[u8]) {
        let room = &mut self.spare_capacity_mut()[..bytes.len()];
        // SAFETY: both are as long, and what is borrowed mutably is not borrowed as `bytes`.
        unsafe {
            room.as_mut_ptr()
                .cast::<u8>()
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len())
        };
        self.see(self.len + bytes.len());
    }

    /// [`try_grow`](Self::try_grow), to which the handle is moved, and back, so that its address is not taken: where a handle is
    /// local and this is inlined, it stays in registers as long as there is room. (Written word by word and then moved as one it
    /// has to wait for the cache, which made a push cost as much as a block.)
    #[inline(always)]
    fn try_grow_apart(&mut self, additional: usize) -> Result<(), PoolError> {
        /// Moves the handle back, even if there was a panic.
        struct MoveBack<'a, L: Lock> {
            from: &'a mut ManuallyDrop<PoolBytes<L>>,
            to: *mut PoolBytes<L>,
        }

        impl<L: Lock> Drop for MoveBack<'_, L> {
            #[inline(always)]
            fn drop(&mut self) {
                // SAFETY: `from` is moved out of once, here.
                let handle = unsafe { ManuallyDrop::take(self.from) };
                // SAFETY: `to` is the borrowed handle, which was moved out of.
                unsafe { self.to.write(handle) };
            }
        }

        // SAFETY: moved back before the borrow ends, and not used in between.
        let mut handle = ManuallyDrop::new(unsafe { ptr::from_mut(self).read() });
        let moved = MoveBack {
            from: &mut handle,
            to: self,
        };
        moved.from.try_grow(additional)
    }

    /// Takes a free neighbour or else moves: at least `additional` bytes of room, twice the capacity if that is more.
    #[cold]
    fn try_grow(&mut self, additional: usize) -> Result<(), PoolError> {
        let overflow = PoolError::SizeOverflow {
            requested: additional,
            most: MOST_ROOM - self.len,
            unit: "bytes",
        };
        let least = self.len.checked_add(additional).ok_or(overflow)?;
        let wanted = least.max(self.capacity().saturating_mul(2));
        if self.leased.extend(least, wanted) {
            return Ok(());
        }
        self.try_move(wanted).or_else(|_| self.try_move(least))
    }

    /// Moves to another block with so much room and the same alignment.
    fn try_move(&mut self, room: usize) -> Result<(), PoolError> {
        let leased =
            self.leased
                .alloc_beside(Request::new(self.len, room, self.leased.align())?)?;
        let (from, to) = (self.leased.payload(), leased.payload());
        // SAFETY: both payloads have `len` bytes or more, and two leases never overlap.
        unsafe { to.copy_from_nonoverlapping(from, self.len) };
        self.leased = leased;
        Ok(())
    }
}

#[cold]
fn cast_failed<T>(len: usize, addr: usize, error: PodCastError) -> PoolError {
    let reason = match error {
        PodCastError::OutputSliceWouldHaveSlop => "the length is not a multiple of the size",
        PodCastError::TargetAlignmentGreaterAndInputNotAligned => "the address is not aligned",
        _ => "the sizes do not fit",
    };
    let (size, align, aligned) = (size_of::<T>(), align_of::<T>(), 1 << addr.trailing_zeros());
    PoolError::CastFailed {
        len,
        aligned,
        type_name: std::any::type_name::<T>(),
        size,
        align,
        reason,
    }
}

impl<L: Lock> Deref for PoolBytes<L> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: valid: visible-is-init. Aliasing: the payload is this handle's, which is borrowed.
        unsafe { slice::from_raw_parts(self.as_ptr(), self.len) }
    }
}

impl<L: Lock> DerefMut for PoolBytes<L> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: valid: visible-is-init. Aliasing: the payload is this handle's, which is borrowed mutably.
        unsafe { slice::from_raw_parts_mut(self.as_mut_ptr(), self.len) }
    }
}

/// Into a block of the same shard, with the same alignment; panics as [`reserve`](PoolBytes::reserve).
impl<L: Lock> Clone for PoolBytes<L> {
    #[track_caller]
    fn clone(&self) -> Self {
        or_fail(self.try_clone())
    }
}

/// A copy of the visible bytes; the block is released.
impl<L: Lock> From<PoolBytes<L>> for Vec<u8> {
    fn from(bytes: PoolBytes<L>) -> Self {
        bytes.to_vec()
    }
}

impl<L: Lock> fmt::Debug for PoolBytes<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(f)
    }
}

impl<L: Lock> AsRef<[u8]> for PoolBytes<L> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl<L: Lock> AsMut<[u8]> for PoolBytes<L> {
    fn as_mut(&mut self) -> &mut [u8] {
        self
    }
}

impl<L: Lock> Borrow<[u8]> for PoolBytes<L> {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl<L: Lock> BorrowMut<[u8]> for PoolBytes<L> {
    fn borrow_mut(&mut self) -> &mut [u8] {
        self
    }
}

impl<L: Lock, M: Lock> PartialEq<PoolBytes<M>> for PoolBytes<L> {
    fn eq(&self, other: &PoolBytes<M>) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl<L: Lock> Eq for PoolBytes<L> {}

impl<L: Lock> PartialOrd for PoolBytes<L> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<L: Lock> Ord for PoolBytes<L> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_slice().cmp(other)
    }
}

impl<L: Lock> Hash for PoolBytes<L> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
}

impl<'a, L: Lock> IntoIterator for &'a PoolBytes<L> {
    type Item = &'a u8;
    type IntoIter = slice::Iter<'a, u8>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, L: Lock> IntoIterator for &'a mut PoolBytes<L> {
    type Item = &'a mut u8;
    type IntoIter = slice::IterMut<'a, u8>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl<L: Lock> Extend<u8> for PoolBytes<L> {
    #[track_caller]
    fn extend<I: IntoIterator<Item = u8>>(&mut self, bytes: I) {
        let bytes = bytes.into_iter();
        self.reserve(bytes.size_hint().0);
        // No closure: it would not know the caller.
        for byte in bytes {
            self.push(byte);
        }
    }
}

impl<'a, L: Lock> Extend<&'a u8> for PoolBytes<L> {
    #[track_caller]
    fn extend<I: IntoIterator<Item = &'a u8>>(&mut self, bytes: I) {
        self.extend(bytes.into_iter().copied());
    }
}

/// Appends; an error is of kind [`OutOfMemory`](io::ErrorKind::OutOfMemory) and has the [`PoolError`] inside.
impl<L: Lock> io::Write for PoolBytes<L> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.try_extend_from_slice(bytes).map(|()| bytes.len());
        written.map_err(|error| io::Error::new(io::ErrorKind::OutOfMemory, error))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
