#![expect(unsafe_code, reason = "lends objects that a hold keeps")]
//! The iterators over a held pool: each goes from group to group like a walk, but takes the lock only to find the next one.

use std::convert::Infallible;
use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::ptr::NonNull;

use super::Held;
use crate::access::{Access, Keyed, Shared};
use crate::fixed::header::Group;
use crate::fixed::key::{WeakKey, install_stamps};
use crate::fixed::layout::Slot;
use crate::fixed::lease::View;
use crate::fixed::slots::Look;
use crate::fixed::visit::fold_group;
use crate::generic::FixedPool; // only to name what callers can name in bounds
use crate::sync::{Lock, Locked};

/// The live objects of a held pool, group by group: each group once.
pub(super) struct Spots<'h, T, A: Access, L: Lock> {
    place: Place<'h, T, A, L>,
    /// What is left of the group at `place`.
    rest: u64,
    /// Its first slot, and the group: dangling while nothing is left of any.
    first: NonNull<Slot<T, A>>,
    bits: NonNull<Group>,
}

/// Where in a held pool an iterator is.
///
/// Apart from what changes with every object, so that this can stay in registers while only the place is passed on by reference.
struct Place<'h, T, A: Access, L: Lock> {
    held: &'h Held<'h, T, A, L>,
    /// The shard that is being gone through.
    index: usize,
    /// The group that is being gone through, as it was found.
    view: Option<View>,
}

impl<'h, T, A: Access, L: Lock> Spots<'h, T, A, L> {
    pub(super) fn new(held: &'h Held<'h, T, A, L>) -> Self {
        Self {
            place: Place {
                held,
                index: 0,
                view: None,
            },
            rest: 0,
            first: NonNull::dangling(),
            bits: NonNull::dangling(),
        }
    }

    /// The next object whose drop has not begun.
    #[inline]
    fn next(&mut self) -> Option<NonNull<T>> {
        loop {
            while self.rest != 0 {
                let bit = self.rest.trailing_zeros() as usize;
                self.rest &= self.rest - 1;
                // SAFETY: held-is-intact: the group was found with the objects of `rest`. Aliasing: its fields are cells.
                let bits = unsafe { self.bits.as_ref() };
                if !bits.is_dropped(bit) {
                    // SAFETY: partition: it is a slot of the group, which lies in the chunk.
                    return Some(unsafe { Slot::object(self.first, bit) });
                }
            }
            self.next_group()?;
        }
    }

    #[inline]
    fn next_group(&mut self) -> Option<()> {
        if !self.place.step(Look::NextDoor) {
            self.place.advance();
        }
        let view = self.place.view.as_ref()?;
        self.rest = view.mask();
        self.first = view.first_slot().cast();
        self.bits = view.bits();
        Some(())
    }

    /// Folds the objects that are left and whose drop has not begun: faster than asking for one after the other.
    #[inline]
    fn fold<B>(mut self, init: B, mut f: impl FnMut(B, NonNull<T>) -> B) -> B {
        let mut folded = init;
        loop {
            if self.rest != 0 {
                // SAFETY: held-is-intact: the group was found with the objects of `rest`. Aliasing: its fields are cells.
                let bits = unsafe { self.bits.as_ref() };
                let mut add =
                    |folded, object| ControlFlow::<Infallible, B>::Continue(f(folded, object));
                // SAFETY: held-is-intact: its chunk stays, too.
                let end = unsafe { fold_group(self.first, bits, self.rest, folded, &mut add) };
                let ControlFlow::Continue(so_far) = end;
                folded = so_far;
            }
            if self.next_group().is_none() {
                return folded;
            }
        }
    }
}

impl<T, A: Access, L: Lock> Place<'_, T, A, L> {
    /// Goes on to the next group of the shard with a live object, if it is where one looks, the lock is to be had at once and nothing
    /// is to be flushed.
    #[inline(always)]
    fn step(&mut self, look: Look) -> bool {
        let (Some(view), Some(shard)) = (&mut self.view, self.held.shards.get(self.index)) else {
            return false;
        };
        let slots = shard.lock_at_once(L::thread_number_so_far());
        slots.is_some_and(|slots| slots.step_held(view, look))
    }

    /// Goes on to the next group with a live object, if there is one.
    #[inline(never)]
    fn advance(&mut self) {
        if !self.step(Look::Behind) {
            self.advance_slow();
        }
    }

    #[cold]
    fn advance_slow(&mut self) {
        while self.index < self.held.shards.count() {
            if let Some(shard) = self.held.shards.get(self.index) {
                let mut slots = shard.lock();
                self.view = slots.live_next(self.view.as_ref().map(View::spot));
            }
            if self.view.is_some() {
                return;
            }
            self.index += 1;
        }
    }
}

/// The live objects of a pool: from [`Hold::iter`](super::Hold::iter).
pub struct Iter<'h, T, A: Access = Shared, L: Lock = Locked> {
    pub(super) spots: Spots<'h, T, A, L>,
}

// SAFETY: gives `&T`, as `&pool` does.
unsafe impl<T, A: Access, L: Lock> Send for Iter<'_, T, A, L> where FixedPool<T, A, L>: Sync {}
// SAFETY: through `&Iter` nothing can be reached.
unsafe impl<T, A: Access, L: Lock> Sync for Iter<'_, T, A, L> where FixedPool<T, A, L>: Sync {}

impl<'h, T, A: Access, L: Lock> Iterator for Iter<'h, T, A, L> {
    type Item = &'h T;

    #[inline]
    fn next(&mut self) -> Option<&'h T> {
        // SAFETY: valid: held-is-intact, for `'h`. Aliasing: made by a shared borrow of a hold; `A` gives `&T` at most.
        self.spots.next().map(|object| unsafe { object.as_ref() })
    }

    #[inline]
    fn fold<B, F: FnMut(B, &'h T) -> B>(self, init: B, mut f: F) -> B {
        // SAFETY: as in `next`.
        self.spots
            .fold(init, |folded, object| f(folded, unsafe { object.as_ref() }))
    }
}

impl<T, A: Access, L: Lock> FusedIterator for Iter<'_, T, A, L> {}

impl<T, A: Access, L: Lock> fmt::Debug for Iter<'_, T, A, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").finish_non_exhaustive()
    }
}

/// The live objects of a pool with their keys: from [`Hold::iter_keys`](super::Hold::iter_keys).
pub struct IterKeys<'h, T, A: Access = Shared, L: Lock = Locked> {
    pub(super) spots: Spots<'h, T, A, L>,
}

// SAFETY: gives `&T`, as `&pool` does.
unsafe impl<T, A: Access, L: Lock> Send for IterKeys<'_, T, A, L> where FixedPool<T, A, L>: Sync {}
// SAFETY: through `&IterKeys` nothing can be reached.
unsafe impl<T, A: Access, L: Lock> Sync for IterKeys<'_, T, A, L> where FixedPool<T, A, L>: Sync {}

impl<T, A: Access, L: Lock> IterKeys<'_, T, A, L> {
    /// The key of an object just found; `None` if its drop has begun since.
    fn key_of(&self, object: NonNull<T>) -> Option<WeakKey<T>> {
        let view = self.spots.place.view.as_ref();
        let spot = view.expect("an object was found in it").spot();
        let shard = self.spots.place.held.shards.get(self.spots.place.index)?;
        // SAFETY: held-is-intact: the spot was found with live objects.
        let header = unsafe { spot.header() };
        if header.stamps().is_none() {
            install_stamps(shard, header);
        }
        let index = header.index_of(object.cast());
        // A drop would clear the stamp before we gave it: so, under its lock. (One without the lock may have done so, but then it
        // looks again, or finds the hold, and clears it once more: no-late-key.)
        let slots = shard.lock();
        let (group, bit) = header.group_of(index);
        let key = (group.dropped() & bit == 0).then(|| WeakKey::of_stamped(shard, header, index));
        drop(slots);
        key
    }
}

impl<'h, T, A: Access, L: Lock> Iterator for IterKeys<'h, T, A, L> {
    type Item = (WeakKey<T>, &'h T);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let object = self.spots.next()?;
            if let Some(key) = self.key_of(object) {
                // SAFETY: as in `Iter::next`.
                return Some((key, unsafe { object.as_ref() }));
            }
        }
    }
}

impl<T, A: Access, L: Lock> FusedIterator for IterKeys<'_, T, A, L> {}

impl<T, A: Access, L: Lock> fmt::Debug for IterKeys<'_, T, A, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IterKeys").finish_non_exhaustive()
    }
}

/// The live objects of a keyed pool, to be changed: from [`HoldMut::iter_mut`](super::HoldMut::iter_mut).
pub struct IterMut<'h, T, L: Lock = Locked> {
    pub(super) spots: Spots<'h, T, Keyed, L>,
    /// Invariant in `T`, like what it gives.
    pub(super) unique: PhantomData<&'h mut T>,
}

// SAFETY: gives each `&mut T` once, as `&mut pool` does.
unsafe impl<T, L: Lock> Send for IterMut<'_, T, L> where FixedPool<T, Keyed, L>: Send {}
// SAFETY: through `&IterMut` nothing can be reached.
unsafe impl<T, L: Lock> Sync for IterMut<'_, T, L> where FixedPool<T, Keyed, L>: Sync {}

impl<'h, T, L: Lock> Iterator for IterMut<'h, T, L> {
    type Item = &'h mut T;

    #[inline]
    fn next(&mut self) -> Option<&'h mut T> {
        let mut object = self.spots.next()?;
        // SAFETY: valid: held-is-intact, for `'h`. Aliasing: the hold is borrowed uniquely for `'h` and its objects are
        // reached only through this iterator, which takes each group once, so gives each object once: what dies in a slot
        // under a hold keeps it until the hold ends.
        Some(unsafe { object.as_mut() })
    }

    #[inline]
    fn fold<B, F: FnMut(B, &'h mut T) -> B>(self, init: B, mut f: F) -> B {
        self.spots.fold(init, |folded, mut object| {
            // SAFETY: as in `next`.
            f(folded, unsafe { object.as_mut() })
        })
    }
}

impl<T, L: Lock> FusedIterator for IterMut<'_, T, L> {}

impl<T, L: Lock> fmt::Debug for IterMut<'_, T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IterMut").finish_non_exhaustive()
    }
}
