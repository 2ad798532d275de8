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
/// The one on top has a place of its own: what is freed and at once reused goes through one word, whose address both sides know
/// early, not through a length and what it says. A pair takes half the time for it where there is one thread, two thirds where the
/// lock is taken; a thousand objects that are made and then dropped a tenth more at most.
///
/// # Invariants
///
/// *stacked-is-init*: the first `below` entries of `slots` are initialised; `below` is less than `ROOM`, or there is no `top`.
#[repr(C)] // what is always used comes before what may be
pub(crate) struct Magazine<const ROOM: usize = MAGAZINE> {
    top: Option<NonNull<u8>>,
    below: usize,
    slots: [MaybeUninit<NonNull<u8>>; ROOM],
}

impl<const ROOM: usize> Magazine<ROOM> {
    pub(crate) const fn new() -> Self {
        Self {
            top: None,
            below: 0,
            slots: [MaybeUninit::uninit(); ROOM],
        }
    }
}

impl Magazine {
    pub(crate) fn len(&self) -> usize {
        self.below + usize::from(self.top.is_some())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.top.is_none() && self.below == 0
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<NonNull<u8>> {
        if let Some(top) = self.top {
            self.top = None;
            return Some(top);
        }
        let below = self.below.checked_sub(1)?;
        let place = self.slots.get(below)?;
        self.below = below;
        // SAFETY: stacked-is-init: the place was below `below`.
        Some(unsafe { place.assume_init() })
    }

    /// Puts a slot on top, unless the magazine is full.
    #[inline]
    pub(crate) fn push(&mut self, slot: NonNull<u8>) -> bool {
        if let Some(old) = self.top {
            let Some(entry) = self.slots[..MAGAZINE - 1].get_mut(self.below) else {
                return false;
            };
            entry.write(old);
            self.below += 1;
        }
        self.top = Some(slot);
        true
    }

    /// Puts the slot on top with the others.
    fn settle(&mut self) {
        if let Some(top) = self.top.take() {
            self.slots[self.below].write(top);
            self.below += 1;
        }
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
        self.below = count;
    }

    /// The `count` oldest slots, the oldest first.
    ///
    /// # Panics
    ///
    /// If there are fewer.
    #[inline]
    pub(crate) fn oldest(&mut self, count: usize) -> &[NonNull<u8>] {
        self.settle();
        let oldest = &self.slots[..self.below][..count];
        // SAFETY: stacked-is-init: their places are below `below`, and an initialised `MaybeUninit` is what it wraps.
        unsafe { std::slice::from_raw_parts(oldest.as_ptr().cast(), count) }
    }

    /// Forgets the `count` oldest slots.
    pub(crate) fn forget_oldest(&mut self, count: usize) {
        self.settle();
        self.slots.copy_within(count..self.below, 0);
        self.below -= count;
    }
}

#[cfg(test)]
impl Magazine {
    /// All slots, the oldest first, left where they are.
    pub(crate) fn all(&self) -> Vec<NonNull<u8>> {
        // SAFETY: stacked-is-init: their places are below `below`.
        let init = |slot: &MaybeUninit<NonNull<u8>>| unsafe { slot.assume_init() };
        let below = self.slots[..self.below].iter().map(init);
        below.chain(self.top).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots() -> impl Iterator<Item = NonNull<u8>> {
        (1..).map(|address| {
            NonNull::without_provenance(std::num::NonZeroUsize::new(address).unwrap())
        })
    }

    fn assert_like(magazine: &Magazine, stack: &[NonNull<u8>]) {
        assert_eq!(magazine.all(), stack);
        let (len, is_empty) = (stack.len(), stack.is_empty());
        assert_eq!((magazine.len(), magazine.is_empty()), (len, is_empty));
    }

    #[test]
    fn a_magazine_is_a_stack_with_room_for_so_many() {
        let (mut magazine, mut stack) = (Magazine::new(), Vec::new());
        for (n, slot) in slots().take(4 * MAGAZINE).enumerate() {
            assert_eq!(magazine.push(slot), stack.len() < MAGAZINE);
            if stack.len() < MAGAZINE {
                stack.push(slot);
            }
            if n % 3 == 1 {
                assert_eq!(magazine.pop(), stack.pop());
            }
            if n % 100 < 2 || stack.len() > MAGAZINE - 3 {
                assert_like(&magazine, &stack);
            }
        }
        assert_eq!(magazine.len(), MAGAZINE);
        while let Some(slot) = stack.pop() {
            assert_eq!(magazine.pop(), Some(slot));
        }
        assert_eq!(magazine.pop(), None);
        assert_like(&magazine, &[]);
    }

    #[test]
    fn the_oldest_are_forgotten_first() {
        for (len, count) in [
            (0, 0),
            (1, 0),
            (1, 1),
            (5, 2),
            (5, 5),
            (MAGAZINE, 512),
            (MAGAZINE, MAGAZINE),
        ] {
            let mut magazine = Magazine::new();
            let stack: Vec<_> = slots().take(len).collect();
            assert!(stack.iter().all(|&slot| magazine.push(slot)));
            assert_eq!(magazine.oldest(count), &stack[..count]);
            assert_like(&magazine, &stack);
            magazine.forget_oldest(count);
            assert_like(&magazine, &stack[count..]);
        }
    }

    #[test]
    fn what_fills_it_comes_out_in_order() {
        let mut magazine = Magazine::new();
        magazine.fill(64, slots().take(64));
        assert_eq!(magazine.len(), 64);
        assert!(std::iter::from_fn(|| magazine.pop()).eq(slots().take(64)));
    }
}
