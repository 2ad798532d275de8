#![expect(unsafe_code, reason = "takes a shard from a slot that is given up")]
//! How slots come back to their shards, and memory goes back to the system.

use super::{SlotGuard, SlotShard, SlotShards, lock_shard_of, receive, shard_of};
use crate::fixed::lease::{Idle, Lease};
use crate::fixed::region::Detached;
use crate::fixed::slots::Slots;
use crate::sync::{Claim, Lock, Ordering, Shard};

/// Gives back the slot of an object of a pool that nobody walks; `counted` says whether the object was counted out.
///
/// # Safety
///
/// - The slot's pool has lock `L` and is not walked.
/// - Its object was destroyed or moved out.
#[inline]
pub(crate) unsafe fn release_unseen<L: Lock>(lease: Lease, counted: bool) {
    // SAFETY: one-lease, as in `lock_shard_of`; the lease is given up under this lock, or kept.
    match unsafe { Shard::lock_raw_at_once(shard_of::<L>(&lease)) } {
        // SAFETY: passed on.
        None => unsafe { release_late::<L>(lease, counted) },
        Some(slots) => release_locked(slots, lease, counted),
    }
}

/// Gives back the slot of an object that [has left](super::leave), and so was counted out.
///
/// # Safety
///
/// - The slot's pool has lock `L`.
/// - Its object was destroyed.
pub(crate) unsafe fn release_left<L: Lock>(lease: Lease) {
    // SAFETY: passed on. (Should the lock be this thread's by now, or nobody's, the slot may be posted all the same.)
    unsafe { release_elsewhere::<L, true>(lease, true) }
}

/// Gives back a slot of a shard whose lock must be waited for, or is another thread's, or nobody's. Not inlined: all that drop
/// would save its registers.
///
/// # Safety
///
/// As [`release_unseen`].
#[inline(never)]
unsafe fn release_late<L: Lock>(lease: Lease, counted: bool) {
    // SAFETY: one-lease, as in `lock_shard_of`; the lease is given up under this lock, or kept.
    match unsafe { Shard::lock_raw_if_owner(shard_of::<L>(&lease)) } {
        // SAFETY: passed on.
        None => unsafe { release_elsewhere::<L, false>(lease, counted) },
        Some(slots) => release_locked(slots, lease, counted),
    }
}

/// Gives back a slot of a shard whose lock is another thread's, or nobody's; `LEFT` says whether it has left.
///
/// # Safety
///
/// As [`release_unseen`] or [`release_left`].
unsafe fn release_elsewhere<L: Lock, const LEFT: bool>(lease: Lease, counted: bool) {
    // SAFETY: one-lease: the slot's region is attached and keeps the shard up to the last access of `post`, the unlock of the
    // inbox, or else the lease is still here. All that is touched is in cells.
    let shard = unsafe { shard_of::<L>(&lease).as_ref() };
    let lease = match shard.shards().common().config.keep_empty {
        Some(_) => Some(lease),
        None => shard.open().others.inbox.post(lease, counted),
    };
    let Some(lease) = lease else { return };
    // SAFETY: the pool has lock `L`, and the lease is given up under this lock.
    let mut slots = unsafe { lock_shard_of::<L>(&lease) };
    if !slots.is_counted() {
        // The inbox was full: it is worth the lock for its others, too. They go on into the bitmaps: the owner does not look into its
        // inbox while it has slots at hand, and it would soon be full again.
        receive(&mut slots, shard);
        slots.flush();
    }
    if LEFT {
        lease.come_back();
    }
    release_locked(slots, lease, counted);
}

/// Gives back a slot under its shard's lock.
#[inline]
fn release_locked<L: Lock, const AT_ONCE: bool>(
    mut slots: SlotGuard<'_, L, AT_ONCE>,
    lease: Lease,
    counted: bool,
) {
    if counted {
        slots.count_in(); // to release it counts it out, once more
    }
    release_and_finish(slots, lease);
}

/// Makes a slot free, which counts as an object until now, and unlocks.
#[inline]
pub(crate) fn release_and_finish<L: Lock, const AT_ONCE: bool>(
    mut slots: SlotGuard<'_, L, AT_ONCE>,
    lease: Lease,
) {
    if let Err(lease) = slots.release_at_hand(lease) {
        release_not_at_hand(slots.into_any(), lease);
    }
}

#[cold]
fn release_not_at_hand<L: Lock>(mut slots: SlotGuard<'_, L>, lease: Lease) {
    let idle = slots.release(lease);
    finish(slots, idle);
}

/// Makes a hidden slot free, and unlocks.
///
/// To reveal the slot first, and release it like any other, would do the same in less code; but a drop takes 7 to 25 % longer for
/// the look at the group that is then inlined into it.
#[inline]
pub(crate) fn release_ending_and_finish<L: Lock, const AT_ONCE: bool>(
    mut slots: SlotGuard<'_, L, AT_ONCE>,
    lease: Lease,
) {
    if let Err(lease) = slots.release_ending_at_hand(lease) {
        release_hidden_and_finish(slots.into_any(), lease);
    }
}

/// As [`release_ending_and_finish`], where that takes more than a few instructions.
#[inline(never)]
fn release_hidden_and_finish<L: Lock>(mut slots: SlotGuard<'_, L>, lease: Lease) {
    let idle = slots.release_hidden(lease);
    finish(slots, idle);
}

/// Unlocks; before that, takes the chunk that became idle out of the shard if it is one too many, and frees it after.
///
/// Touches nothing of the pool after unlocking, unless it has taken a region's claim.
#[inline]
pub(crate) fn finish<L: Lock>(slots: SlotGuard<'_, L>, idle: Option<Idle>) {
    if let Some(idle) = idle {
        give_back(slots, idle);
    }
}

#[cold]
fn give_back<L: Lock>(mut slots: SlotGuard<'_, L>, idle: Idle) {
    let common = slots.shard().shards().common();
    if !slots.is_closed() {
        let kept = common.config.keep_empty.unwrap_or(usize::MAX);
        let others = common.idle.fetch_add(1, Ordering::Relaxed);
        if others < kept || common.keeps_chunks() {
            return;
        }
    }
    let (detached, claims) = detach(&mut slots, |slots| slots.detach(idle));
    drop(slots);
    drop(detached);
    drop(claims);
}

/// Takes regions out of a shard. What is returned is to be dropped after unlocking: the memory, then its claims.
pub(super) fn detach<L: Lock>(
    slots: &mut SlotGuard<'_, L>,
    which: impl FnOnce(&mut Slots) -> Detached,
) -> (Detached, Claims<L>) {
    let before = slots.idle();
    let detached = which(slots);
    detached.serials(|serial| slots.shard().open().directory.remove(serial));
    let shards = slots.shard().shards();
    let common = shards.common();
    common.revoke(detached.slots);
    if slots.is_counted() {
        common.follow_idle(before, slots.idle());
    }
    // SAFETY: each attached region had a claim, given up in `Fresh::open`; detached regions return theirs once.
    let claim = (detached.regions > 0).then(|| unsafe { Claim::of_owner(shards) });
    let rest = detached.regions.saturating_sub(1);
    (detached, Claims { claim, rest })
}

/// The claims of detached regions.
pub(super) struct Claims<L: Lock> {
    claim: Option<Claim<L, Slots>>,
    /// How many there are beside `claim`.
    rest: usize,
}

impl<L: Lock> Drop for Claims<L> {
    fn drop(&mut self) {
        if let Some(claim) = &self.claim {
            for _ in 0..self.rest {
                // SAFETY: as in `detach`.
                drop(unsafe { Claim::of_owner(claim.shards()) });
            }
        }
    }
}

/// Gives all wholly free regions back to the system, unless chunks must stay; returns how many bytes.
pub(crate) fn shrink<L: Lock>(shards: &SlotShards<L>) -> usize {
    let give_back = |shard: &SlotShard<L>| {
        let mut slots = shard.lock();
        if shards.common().keeps_chunks() {
            return 0;
        }
        receive(&mut slots, shard);
        let (detached, claims) = detach(&mut slots, |slots| slots.detach_idle(usize::MAX));
        drop(slots);
        let bytes = detached.bytes;
        drop(detached);
        drop(claims);
        bytes
    };
    shards.iter().map(give_back).sum()
}

/// Gives back what wholly free chunks are too many: those that became free while chunks had to stay.
pub(crate) fn trim<L: Lock>(shards: &SlotShards<L>) {
    let common = shards.common();
    let kept = common.config.keep_empty.unwrap_or(usize::MAX);
    for shard in shards.iter() {
        let too_many = common.idle.load(Ordering::Relaxed).saturating_sub(kept);
        if too_many == 0 {
            return;
        }
        let mut slots = shard.lock();
        if common.keeps_chunks() {
            return;
        }
        let (detached, claims) = detach(&mut slots, |slots| slots.detach_idle(too_many));
        drop(slots);
        drop(detached);
        drop(claims);
    }
}

/// While this lives no chunk of the pool is detached that is found under its shard's lock.
#[cfg(feature = "rayon")]
pub(crate) struct Keep<'a, L: Lock>(&'a SlotShards<L>);

#[cfg(feature = "rayon")]
impl<'a, L: Lock> Keep<'a, L> {
    pub(crate) fn new(shards: &'a SlotShards<L>) -> Self {
        // Each stands for a call that has not returned: they cannot overflow.
        shards.common().keeps.fetch_add(1, Ordering::Relaxed);
        Self(shards)
    }
}

#[cfg(feature = "rayon")]
impl<L: Lock> Drop for Keep<'_, L> {
    fn drop(&mut self) {
        if self.0.common().keeps.fetch_sub(1, Ordering::AcqRel) == 1 {
            trim(self.0);
        }
    }
}
