#![expect(unsafe_code, reason = "lends objects to closures")]
//! Walks: how closures come to see live objects while handles are dropped and objects are made around them.
//!
//! A walk pins one group after the other. To pin is to say, under the shard's lock: these objects may be looked at. The lock
//! is then given back and the closure runs on them, one by one; what is dropped meanwhile is marked, skipped if its turn has
//! not come, and destroyed when the last walk that may look at it has left the group. New chunks go in front of the list, so
//! a walk ends whatever its closure allocates.

use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::ptr::NonNull;

use super::header::Group;
use super::layout::Slot;
use super::lease::{Leased, Pin};
use super::retire::{destroy, retire};
use super::shard::{SlotShard, SlotShards, come_in, go_out, lock_shard_of};
use super::slots::Look;
use super::store::Store;
use crate::access::{Access, Keyed, ThroughPool};
use crate::sync::{Lock, Rule, keeps};

/// Runs `f` on each live object, until it breaks.
#[inline]
pub(crate) fn try_for_each<T, A: ThroughPool, L: Lock, B>(
    store: &Store<T, A, L>,
    mut f: impl FnMut(&T) -> ControlFlow<B>,
) -> ControlFlow<B> {
    walk(store, |object: NonNull<T>| {
        // SAFETY: valid: `walk` gives pinned objects, which stay intact while `f` runs. Aliasing: through handles and `&pool`
        // others get `&T` at most: `A` is not `Unique`, and `&mut pool` is nowhere while `store` is borrowed.
        f(unsafe { object.as_ref() })
    })
}

/// Runs `f` on each live object of a pool that nobody else reaches, until it breaks.
#[inline]
pub(crate) fn try_for_each_mut<T, L: Lock, B>(
    store: &mut Store<T, Keyed, L>,
    mut f: impl FnMut(&mut T) -> ControlFlow<B>,
) -> ControlFlow<B> {
    walk(store, |mut object: NonNull<T>| {
        // SAFETY: valid: `walk` gives pinned objects, which stay intact while `f` runs. Aliasing: handles of a `Keyed` pool
        // give nothing, the pool is borrowed uniquely, and one walk gives each object once.
        f(unsafe { object.as_mut() })
    })
}

/// Runs `f` on each adopted object of a pool that nobody else reaches, and destroys those it does not want.
pub(crate) fn retain<T, L: Lock>(
    store: &mut Store<T, Keyed, L>,
    mut f: impl FnMut(&mut T) -> bool,
) {
    let _: ControlFlow<()> = walk(store, |mut object: NonNull<T>| {
        let slot = object.cast();
        // SAFETY: `walk` gives pinned objects: their lease is the pool's, a handle's, or the walk's own.
        let leased = unsafe { Leased::of(slot) };
        // SAFETY: as in `try_for_each_mut`.
        if leased.is_adopted() && !f(unsafe { object.as_mut() }) {
            // SAFETY: the pool has lock `L`, and the pin keeps the slot.
            let mut slots = unsafe { lock_shard_of::<L>(&leased) };
            // SAFETY: the slot is that shard's, and pinned.
            let disowned = unsafe { slots.disown(slot) };
            drop(slots);
            if disowned.is_some() {
                // SAFETY: the lease was the pool's and is given up here. The group is pinned: the object goes when we leave.
                unsafe { retire::<T, Keyed, L>(object) };
            }
        }
        ControlFlow::Continue(())
    });
}

/// Runs `f` on each live object, pinned; what the call's own pins put off is destroyed before it ends.
///
/// Inlined into the caller: the dropped mark is an atomic, and around its loads what a closure that was not inlined adds up
/// would go through memory for each object (1.8 instead of 0.9 ns at 10,000 dense objects).
#[inline(always)]
fn walk<T, A: Access, L: Lock, B>(
    store: &Store<T, A, L>,
    mut f: impl FnMut(NonNull<T>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let Some(shards) = store.shards() else {
        return ControlFlow::Continue(());
    };
    let mut walk = Walk::<T, A, L> {
        shards,
        index: 0,
        inside: None,
        marker: PhantomData,
    };
    while let Some(inside) = walk.advance() {
        loop {
            visit::<T, A, B>(&inside.pin, &mut f)?;
            if !inside.step(Look::NextDoor) && !inside.step_behind() {
                break;
            }
        }
    }
    ControlFlow::Continue(())
}

/// Runs `f` on the objects of a pinned group that have not been dropped by then.
#[inline(always)]
pub(crate) fn visit<T, A: Access, B>(
    pin: &Pin,
    f: &mut impl FnMut(NonNull<T>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    // SAFETY: pinned-is-intact: the mask names slots of the group that begins there, in a chunk that stays.
    unsafe {
        fold_group::<T, A, B, ()>(
            pin.view().first_slot().cast(),
            pin.bits(),
            pin.view().mask(),
            (),
            |(), object| f(object),
        )
    }
}

/// Neighbours that are visited in a row, without a loop: the end of a loop of 64 is beyond what processors predict, and a
/// misprediction costs as much as twenty objects.
///
/// Only from the start of a group on, for that is how pools fill up: to look for rows behind holes costs more than it gives.
const BLOCK: usize = 16;
const ROW: u64 = (1 << BLOCK) - 1;
const _: () = assert!(BLOCK == 16, "so many are written out below");

/// Folds the objects of `mask` that have not been dropped by then, until `f` breaks off.
///
/// # Safety
///
/// `first` is the first slot of the group `bits`, with the provenance of its region; the mask names slots of that group, and
/// the chunk stays attached until the end.
#[inline(always)]
pub(crate) unsafe fn fold_group<T, A: Access, B, C>(
    first: NonNull<Slot<T, A>>,
    bits: &Group,
    mask: u64,
    init: C,
    mut f: impl FnMut(C, NonNull<T>) -> ControlFlow<B, C>,
) -> ControlFlow<B, C> {
    let mut folded = init;
    let (mut head, mut passed) = (mask, 0);
    while head & ROW == ROW {
        // Written out, for compilers take the loops for one, or unroll the outer.
        macro_rules! visit {
            ($($index:literal)*) => {$(
                let index = passed + $index;
                if !bits.is_dropped(index) || !keeps(Rule::Mark) {
                    // SAFETY: partition: it is a slot of the group, which lies in the chunk.
                    folded = f(folded, unsafe { Slot::object(first, index) })?;
                }
            )*};
        }
        visit!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        head >>= BLOCK;
        passed += BLOCK;
    }
    if head == 0 {
        return ControlFlow::Continue(folded); // all may have passed, and nothing can be shifted by 64
    }
    let mut rest = head << passed;
    while rest != 0 {
        let index = rest.trailing_zeros() as usize;
        rest &= rest - 1;
        if !bits.is_dropped(index) || !keeps(Rule::Mark) {
            // SAFETY: as before: the mask has its bit.
            folded = f(folded, unsafe { Slot::object(first, index) })?;
        }
    }
    ControlFlow::Continue(folded)
}

/// A walk in progress: at most one group of one shard is pinned.
struct Walk<'a, T, A: Access, L: Lock> {
    shards: &'a SlotShards<L>,
    index: usize,
    inside: Option<Inside<'a, L>>,
    marker: PhantomData<(T, A)>,
}

/// The pinned group, and the shard whose it is.
struct Inside<'a, L: Lock> {
    pin: Pin,
    shard: &'a SlotShard<L>,
}

impl<L: Lock> Inside<'_, L> {
    /// Goes on to the next group of the shard with a live object, if it is where one looks and all is well: the lock is to be had at
    /// once, nothing is to be flushed, and nobody waits for the group. Says whether it did.
    #[inline(always)]
    fn step(&mut self, look: Look) -> bool {
        let slots = self.shard.lock_at_once(L::thread_number_so_far());
        slots.is_some_and(|mut slots| slots.step(&mut self.pin, look))
    }

    #[inline(never)]
    fn step_behind(&mut self) -> bool {
        self.step(Look::Behind)
    }
}

impl<'a, T, A: Access, L: Lock> Walk<'a, T, A, L> {
    /// Leaves the group and pins the next, with nothing in between: whatever is to be done.
    #[cold]
    fn advance(&mut self) -> Option<&mut Inside<'a, L>> {
        while self.index < self.shards.count() {
            match self.shards.get(self.index) {
                Some(shard) => self.advance_within(shard),
                None => self.index += 1,
            }
            if self.inside.is_some() {
                break;
            }
        }
        self.inside.as_mut()
    }

    fn advance_within(&mut self, shard: &'a SlotShard<L>) {
        let mut slots = shard.lock();
        if self.inside.is_none() {
            come_in(&slots);
        }
        let next = slots.pin_next(self.inside.as_ref().map(|inside| &inside.pin));
        let held = self.shards.common().is_held();
        let left = self.inside.take();
        let due = left.map(|inside| slots.unpin(inside.pin, held));
        if next.is_none() {
            go_out(&slots);
            self.index += 1;
        }
        drop(slots);
        self.inside = next.map(|pin| Inside { pin, shard });
        if let Some(due) = due.filter(|due| !due.is_empty()) {
            // SAFETY: typed, by `walk`'s store. If a destructor panics, dropping `self` leaves the next group.
            drop(unsafe { destroy::<T, A, L>(due) });
        }
    }
}

impl<T, A: Access, L: Lock> Drop for Walk<'_, T, A, L> {
    /// Leaves the group when the closure broke off or panicked.
    fn drop(&mut self) {
        let Some(Inside { pin, shard }) = self.inside.take() else {
            return;
        };
        let mut slots = shard.lock();
        let held = self.shards.common().is_held();
        let due = slots.unpin(pin, held);
        go_out(&slots);
        drop(slots);
        if !due.is_empty() {
            // SAFETY: typed, by `walk`'s store.
            drop(unsafe { destroy::<T, A, L>(due) });
        }
    }
}
