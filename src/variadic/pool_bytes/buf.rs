#![expect(unsafe_code, reason = "`BufMut` is an unsafe trait")]
//! [`PoolBytes`] beside the `bytes` crate: filled as a [`BufMut`], shared as [`Bytes`].

use bytes::buf::UninitSlice;
use bytes::{BufMut, Bytes};

use super::PoolBytes;
use crate::sync::Lock;
use crate::variadic::request::MOST_ROOM;

/// What a writer that asks for room is given at least, as with `Vec<u8>`.
const LEAST_ROOM: usize = 64;

/// Without copying: the block is released when the last clone or slice of the [`Bytes`] is dropped, on that thread.
///
/// The global allocator is asked for a few words that count the clones. To share a block whose room is larger than what is
/// in it, [`shrink_to_fit`](PoolBytes::shrink_to_fit) it first.
///
/// ```
/// use bytes::{BufMut, Bytes};
/// use mem_pool::VariadicPool;
///
/// let pool = VariadicPool::default();
/// let mut frame = pool.alloc_with_capacity(64);
/// frame.put_u16(5);
/// frame.put_slice(b"hello");
/// let frame = Bytes::from(frame);
/// let body = frame.slice(2..);
/// drop(frame);
/// assert_eq!((&body[..], pool.live_blocks()), (&b"hello"[..], 1));
/// drop(body);
/// assert_eq!(pool.live_blocks(), 0);
/// ```
impl<L: Lock + Send + Sync> From<PoolBytes<L>> for Bytes {
    fn from(bytes: PoolBytes<L>) -> Self {
        Bytes::from_owner(bytes)
    }
}

/// Appends, and grows as [`reserve`](PoolBytes::reserve) does, with its panics: where the pool has a limit,
/// [`try_reserve`](PoolBytes::try_reserve) first. What was reserved is filled without another block.
// SAFETY: `chunk_mut` gives the room behind the visible bytes, which stays where it is until the next call, and `advance_mut`
// makes no more of it visible than there is.
unsafe impl<L: Lock> BufMut for PoolBytes<L> {
    #[inline]
    fn remaining_mut(&self) -> usize {
        MOST_ROOM.saturating_sub(self.len())
    }

    #[inline]
    #[track_caller]
    unsafe fn advance_mut(&mut self, count: usize) {
        let room = self.capacity() - self.len();
        assert!(
            count <= room,
            "cannot advance by {count}: there is room for {room} bytes"
        );
        // SAFETY: inside the capacity; the caller has initialised them.
        unsafe { self.set_len(self.len() + count) }
    }

    #[inline]
    #[track_caller]
    fn chunk_mut(&mut self) -> &mut UninitSlice {
        if self.len() == self.capacity() {
            self.reserve(LEAST_ROOM);
        }
        UninitSlice::uninit(self.spare_capacity_mut())
    }

    #[inline]
    #[track_caller]
    fn put_slice(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    #[track_caller]
    fn put_bytes(&mut self, byte: u8, count: usize) {
        let start = self.len();
        self.resize(start.saturating_add(count));
        self[start..].fill(byte);
    }
}
