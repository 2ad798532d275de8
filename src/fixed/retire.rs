#![expect(unsafe_code, reason = "runs destructors in place and gives slots back")]
//! How an object ends: who runs its destructor, when, and how its slot becomes free again.
//!
//! Of a [`Unique`](crate::Unique) object the destructor runs first, then the slot is released: one round under the lock.
//! In a pool that is walked the lock's owner must hide the slot first, or leave it to the walks and holds that may be looking; then
//! the destructor runs, with no lock held, and a second round releases the slot. (Without a destructor one round is enough.)
//! To hide one slot is no look at its group, if no walk is inside: the shard remembers its address, and tells the group when a
//! walk comes, or when the next one is hidden.
//!
//! On other threads an object of such a pool [leaves](leave), without the lock, if nobody may be looking; else it ends like the
//! owner's.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

use super::layout::Slot;
use super::lease::{Due, Idle, Lease};
use super::shard::{
    SlotGuard, SlotShard, SlotShards, count_drop_unlocked, finish, leave, lock_shard_of,
    release_and_finish, release_ending_and_finish, release_left, release_unseen, shard_of,
};
use super::slots::Slots;
use crate::access::Access;
use crate::sync::{Lock, Rule, Shard, keeps};

/// Ends an object whose handle is gone.
///
/// # Safety
///
/// - `object` is in a slot of a pool with access `A` and lock `L`, and may be destroyed as a `T`.
/// - The slot's lease was given up to the caller, who gives it up here.
#[inline]
pub(crate) unsafe fn retire<T: ?Sized, A: Access, L: Lock>(object: NonNull<T>) {
    // SAFETY: the caller gives the lease up.
    let lease = unsafe { Lease::from_slot(object.cast()) };
    if A::THROUGH_POOL && keeps(Rule::Hide) {
        // SAFETY: passed on.
        unsafe { retire_walked::<T, L>(object, lease) }
    } else {
        // SAFETY: passed on.
        unsafe { retire_unwalked::<T, L>(object, lease) }
    }
}

/// # Safety
///
/// As [`retire`]; the pool gives no references to its objects.
#[inline]
unsafe fn retire_unwalked<T: ?Sized, L: Lock>(object: NonNull<T>, lease: Lease) {
    let counted = needs_drop::<T>();
    if counted {
        // SAFETY: the caller's pool has lock `L`.
        unsafe { count_drop_unlocked::<L>(&lease) };
    }
    // SAFETY: passed on.
    unsafe { retire_unseen::<T, L, false>(object, lease, counted) }
}

/// Ends an object that nobody else sees; `counted` says whether it was counted out.
///
/// # Safety
///
/// As [`retire`]; the pool gives no references to its objects, or this one [has `LEFT`](leave).
#[inline]
unsafe fn retire_unseen<T: ?Sized, L: Lock, const LEFT: bool>(
    object: NonNull<T>,
    lease: Lease,
    counted: bool,
) {
    let release = ReleaseUnseen::<L, LEFT>::new(lease, counted);
    // SAFETY: the caller gives the object up, and nobody else has a reference to it. `release` returns the slot even if
    // the destructor panics.
    unsafe { ptr::drop_in_place(object.as_ptr()) };
    release.now();
}

/// # Safety
///
/// As [`retire`].
#[inline]
unsafe fn retire_walked<T: ?Sized, L: Lock>(object: NonNull<T>, lease: Lease) {
    // SAFETY: the caller's pool has lock `L`; the lease is given up under this lock or kept hidden.
    match unsafe { Shard::lock_raw_at_once(shard_of::<L>(&lease)) } {
        // SAFETY: passed on.
        Some(slots) => unsafe { retire_locked(object, lease, slots) },
        // SAFETY: passed on.
        None => unsafe { retire_late::<T, L>(object, lease) },
    }
}

/// # Safety
///
/// As [`retire`].
#[inline(never)]
unsafe fn retire_late<T: ?Sized, L: Lock>(object: NonNull<T>, lease: Lease) {
    // SAFETY: as in `retire_walked`.
    match unsafe { Shard::lock_raw_if_owner(shard_of::<L>(&lease)) } {
        // SAFETY: passed on.
        Some(slots) => unsafe { retire_locked(object, lease, slots) },
        // SAFETY: passed on.
        None => unsafe { retire_elsewhere::<T, L>(object, lease) },
    }
}

/// Ends an object of a shard whose lock is another thread's, or nobody's: without it, unless somebody may be looking.
///
/// # Safety
///
/// As [`retire`].
unsafe fn retire_elsewhere<T: ?Sized, L: Lock>(object: NonNull<T>, lease: Lease) {
    // SAFETY: the caller's pool has lock `L`; the lease is given up under the lock that is given, or kept hidden.
    match unsafe { leave::<L>(&lease) } {
        // SAFETY: passed on.
        Ok(()) => unsafe { retire_unseen::<T, L, true>(object, lease, true) },
        // SAFETY: passed on.
        Err(slots) => unsafe { retire_locked(object, lease, slots) },
    }
}

/// # Safety
///
/// As [`retire`]; `slots` is the slot's locked shard.
#[inline]
unsafe fn retire_locked<T: ?Sized, L: Lock, const AT_ONCE: bool>(
    object: NonNull<T>,
    lease: Lease,
    mut slots: SlotGuard<'_, L, AT_ONCE>,
) {
    lease.end();
    if slots.is_pinned(&lease) || slots.shard().shards().common().is_held() {
        return defer(slots.into_any(), lease);
    }
    if !needs_drop::<T>() {
        return release_and_finish(slots, lease);
    }
    if keeps(Rule::OneRound) {
        slots.hide_ending(&lease);
        drop(slots);
    } else {
        drop(slots);
        // SAFETY: the pool has lock `L`, and the lease keeps the shard.
        unsafe { lock_shard_of::<L>(&lease) }.hide_ending(&lease);
    }
    let release = Release::<L>::hidden(lease);
    // SAFETY: the caller gives the object up. It was hidden from walks while none was inside its group and no hold was
    // alive, so nobody has a reference to it.
    unsafe { ptr::drop_in_place(object.as_ptr()) };
    if AT_ONCE {
        release.now();
    } // else the lock was not to be had at once, and will hardly be now
}

/// Leaves a slot to the walks and holds that may be looking.
#[cold]
fn defer<L: Lock>(mut slots: SlotGuard<'_, L>, lease: Lease) {
    slots.defer(lease);
}

/// Whether dropping a `T` in place does anything; `true` where only the vtable knows.
const fn needs_drop<T: ?Sized>() -> bool {
    std::mem::needs_drop::<T>()
}

/// Releases a slot when dropped: after the destructor, even if that panics.
pub(crate) struct Release<L: Lock> {
    lease: ManuallyDrop<Lease>,
    /// Whether walks do not see the slot; then its object was counted out when it was hidden, or never counted in.
    hidden: bool,
    lock: PhantomData<L>,
}

impl<L: Lock> Release<L> {
    fn new(lease: Lease, hidden: bool) -> Self {
        Self {
            lease: ManuallyDrop::new(lease),
            hidden,
            lock: PhantomData,
        }
    }

    /// For a hidden slot.
    pub(crate) fn hidden(lease: Lease) -> Self {
        Self::new(lease, true)
    }

    /// For a slot whose object was moved out, and that walks would see.
    pub(crate) fn emptied(lease: Lease) -> Self {
        Self::new(lease, false)
    }

    /// As dropping it, for a slot that was hidden while its object was destroyed: inlined, where that is a matter of a few
    /// instructions.
    #[inline(always)]
    fn now(self) {
        debug_assert!(self.hidden, "only such a slot has been counted out");
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is not used again.
        let lease = unsafe { ManuallyDrop::take(&mut this.lease) };
        // SAFETY: as in `drop`; or else the lease is kept.
        match unsafe { Shard::lock_raw_at_once(shard_of::<L>(&lease)) } {
            Some(slots) => release_ending_and_finish(slots, lease),
            None => release_hidden_late::<L>(lease),
        }
    }
}

#[inline(never)]
fn release_hidden_late<L: Lock>(lease: Lease) {
    drop(Release::<L>::hidden(lease));
}

impl<L: Lock> Drop for Release<L> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this is the drop; the field is not used again.
        let lease = unsafe { ManuallyDrop::take(&mut self.lease) };
        // SAFETY: a `Release` is made for a slot of a pool with lock `L`; the lease is given up under this lock.
        let mut slots = unsafe { lock_shard_of::<L>(&lease) };
        let idle = if self.hidden {
            slots.release_hidden(lease)
        } else {
            lease.end();
            slots.release(lease)
        };
        finish(slots, idle);
    }
}

/// As [`Release`], for a slot that nobody else sees (it has `LEFT`, or the pool is not walked), and to be told when the destructor has
/// returned.
struct ReleaseUnseen<L: Lock, const LEFT: bool> {
    lease: ManuallyDrop<Lease>,
    /// Whether its object has been counted out.
    counted: bool,
    lock: PhantomData<L>,
}

impl<L: Lock, const LEFT: bool> ReleaseUnseen<L, LEFT> {
    #[inline]
    fn new(lease: Lease, counted: bool) -> Self {
        Self {
            lease: ManuallyDrop::new(lease),
            counted,
            lock: PhantomData,
        }
    }

    /// As dropping it, inlined.
    #[inline(always)]
    fn now(self) {
        // SAFETY: it is not used again.
        unsafe { ManuallyDrop::new(self).release() }
    }

    /// # Safety
    ///
    /// Once; then this is not used again.
    #[inline(always)]
    unsafe fn release(&mut self) {
        // SAFETY: the field is not used again.
        let lease = unsafe { ManuallyDrop::take(&mut self.lease) };
        if LEFT {
            // SAFETY: this was made for a slot that has left, of a pool with lock `L`; its object is gone.
            unsafe { release_left::<L>(lease) }
        } else {
            // SAFETY: this was made for a slot of a pool with lock `L` that nobody walks; its object is gone.
            unsafe { release_unseen::<L>(lease, self.counted) }
        }
    }
}

impl<L: Lock, const LEFT: bool> Drop for ReleaseUnseen<L, LEFT> {
    /// Where the destructor has panicked.
    #[cold]
    fn drop(&mut self) {
        // SAFETY: this is the drop.
        unsafe { self.release() }
    }
}

/// The slots of destroyed objects: released when dropped.
pub(crate) struct Emptied<L: Lock> {
    due: Due,
    lock: PhantomData<L>,
}

impl<L: Lock> Emptied<L> {
    /// The slots.
    pub(crate) fn due(&self) -> &Due {
        &self.due
    }

    /// Releases the slots under their shard's lock, which the caller has.
    pub(crate) fn release(self, slots: &mut Slots) -> Option<Idle> {
        slots.release_due(&ManuallyDrop::new(self).due)
    }
}

impl<L: Lock> Drop for Emptied<L> {
    fn drop(&mut self) {
        let shard = self.due.header().owner().cast();
        // SAFETY: due-is-hidden: the slots keep their region attached, and it the shard, until they are released under this
        // lock. `destroy` was told the lock's type.
        let mut slots = unsafe { Shard::<L, Slots>::lock_raw(shard) };
        let idle = slots.release_due(&self.due);
        finish(slots, idle);
    }
}

/// Destroys the objects in hidden slots: all of them, even if one destructor panics. (A second panic while the first unwinds
/// aborts, as everywhere.) The slots are released when what is returned is dropped.
///
/// # Safety
///
/// - There is at least one slot, and the slots hold objects of type `T` in a pool with access `A` and lock `L`.
/// - No lock is held.
pub(crate) unsafe fn destroy<T, A: Access, L: Lock>(due: Due) -> Emptied<L> {
    /// The objects that are left; goes on where a panic stopped.
    struct Objects<'a, T, A: Access> {
        due: &'a Due,
        left: u64,
        marker: PhantomData<Slot<T, A>>,
    }

    impl<T, A: Access> Objects<'_, T, A> {
        fn destroy(&mut self) {
            while self.left != 0 {
                let slot = self.due.slot(self.left.trailing_zeros());
                self.left &= self.left - 1;
                // SAFETY: the caller's type; due-is-hidden: the handle is gone and nobody looks.
                unsafe { ptr::drop_in_place(slot.cast::<Slot<T, A>>().as_ptr()) };
            }
        }
    }

    impl<T, A: Access> Drop for Objects<'_, T, A> {
        fn drop(&mut self) {
            self.destroy();
        }
    }

    let emptied = Emptied {
        due,
        lock: PhantomData,
    };
    let left = emptied.due.spot().mask;
    Objects::<T, A> {
        due: &emptied.due,
        left,
        marker: PhantomData,
    }
    .destroy();
    emptied
}

/// Destroys objects that are found group by group: all of them, even if one destructor panics.
///
/// `next` finds and hides them: it is given a shard's locked slots and what was destroyed last, which is released only
/// afterwards, so that its chunk is still there to go on from.
///
/// # Safety
///
/// The slots hold objects of type `T` in a pool with access `A` and lock `L`.
pub(crate) unsafe fn sweep<T, A, L, N>(shards: &SlotShards<L>, next: N)
where
    A: Access,
    L: Lock,
    N: FnMut(&mut Slots, Option<&Due>) -> Option<Due>,
{
    Sweep::<T, A, L, N> {
        shards,
        index: 0,
        next,
        marker: PhantomData,
    }
    .run();
}

/// A sweep in progress; goes on where a panic stopped, with the same shard.
struct Sweep<'a, T, A, L, N>
where
    A: Access,
    L: Lock,
    N: FnMut(&mut Slots, Option<&Due>) -> Option<Due>,
{
    shards: &'a SlotShards<L>,
    index: usize,
    next: N,
    marker: PhantomData<Slot<T, A>>,
}

impl<T, A, L, N> Sweep<'_, T, A, L, N>
where
    A: Access,
    L: Lock,
    N: FnMut(&mut Slots, Option<&Due>) -> Option<Due>,
{
    fn run(&mut self) {
        while self.index < self.shards.count() {
            if let Some(shard) = self.shards.get(self.index) {
                self.run_shard(shard);
            }
            self.index += 1;
        }
    }

    fn run_shard(&mut self, shard: &SlotShard<L>) {
        let mut last: Option<Emptied<L>> = None;
        loop {
            let mut slots = shard.lock();
            let due = (self.next)(&mut slots, last.as_ref().map(Emptied::due));
            let idle = last.take().and_then(|emptied| emptied.release(&mut slots));
            finish(slots, idle);
            let Some(due) = due else { return };
            // SAFETY: `sweep`'s caller names the types; spots with an empty mask are not found.
            last = Some(unsafe { destroy::<T, A, L>(due) });
        }
    }
}

impl<T, A, L, N> Drop for Sweep<'_, T, A, L, N>
where
    A: Access,
    L: Lock,
    N: FnMut(&mut Slots, Option<&Due>) -> Option<Due>,
{
    fn drop(&mut self) {
        self.run();
    }
}

/// Destroys what was dropped under holds that are gone, unless the pool is held again: then the last of those will.
///
/// # Safety
///
/// As [`sweep`].
pub(crate) unsafe fn sweep_deferred<T, A: Access, L: Lock>(shards: &SlotShards<L>) {
    let next = |slots: &mut Slots, after: Option<&Due>| {
        if shards.common().is_held() {
            None
        } else {
            slots.sweep_next(after)
        }
    };
    // SAFETY: passed on.
    unsafe { sweep::<T, A, L, _>(shards, next) }
}
