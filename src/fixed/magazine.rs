#![expect(unsafe_code, reason = "reads the initialised part of an array")]
//! A shard's free slots at hand: last freed, first reused, still hot in cache.

use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// Free slots kept at hand. A refill brings at most one group, a flush takes half.
///
/// So many that what comes and goes in hundreds stays out of the bitmaps: with 64, a thousand objects that are made and then dropped
/// take a third longer, and two thirds in a pool for one thread. Places that were never used are not touched.
pub(crate) const MAGAZINE: usize = 1024;

/// A stack of free slots.
///
/// # Invariants
///
/// *stacked-is-init*: the first `len` entries of `slots` are initialised; `len` is at most `ROOM`.
#[repr(C)] // what is always used comes before what may be
pub(crate) struct Magazine<const ROOM: usize = MAGAZINE> {
    len: usize,
    slots: [MaybeUninit<NonNull<u8>>; ROOM],
}

impl<const ROOM: usize> Magazine<ROOM> {
    pub(crate) const fn new() -> Self {
        Self {
            len: 0,
            slots: [MaybeUninit::uninit(); ROOM],
        }
    }
}

impl Magazine {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<NonNull<u8>> {
        let len = self.len.checked_sub(1)?;
        let place = self.slots.get(len)?;
        self.len = len;
        // SAFETY: stacked-is-init: the place was below `len`.
        Some(unsafe { place.assume_init() })
    }

    /// Puts a slot on top, unless the magazine is full.
    #[inline]
    pub(crate) fn push(&mut self, slot: NonNull<u8>) -> bool {
        let Some(entry) = self.slots.get_mut(self.len) else {
            return false;
        };
        entry.write(slot);
        self.len += 1;
        true
    }

    /// Fills the empty magazine with `count` slots, the first one on top.
    ///
    /// # Panics
    ///
    /// If there are more or fewer, or too many, or it is not empty.
    #[inline]
    pub(crate) fn fill(&mut self, count: usize, slots: impl Iterator<Item = NonNull<u8>>) {
        assert!(self.is_empty(), "nothing is written over");
        let places = &mut self.slots[..count];
        let mut left = count;
        for slot in slots {
            left -= 1;
            places[left].write(slot);
        }
        assert_eq!(left, 0, "stacked-is-init: all places were written");
        self.len = count;
    }

    /// The `count` oldest slots, the oldest first.
    ///
    /// # Panics
    ///
    /// If there are fewer.
    #[inline]
    pub(crate) fn oldest(&self, count: usize) -> &[NonNull<u8>] {
        let oldest = &self.slots[..self.len][..count];
        // SAFETY: stacked-is-init: their places are below `len`, and an initialised `MaybeUninit` is what it wraps.
        unsafe { std::slice::from_raw_parts(oldest.as_ptr().cast(), count) }
    }

    /// Forgets the `count` oldest slots.
    pub(crate) fn forget_oldest(&mut self, count: usize) {
        self.slots.copy_within(count..self.len, 0);
        self.len -= count;
    }
}
