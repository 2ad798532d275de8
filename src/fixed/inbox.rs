#![expect(unsafe_code, reason = "reads the initialised part of an array")]
//! Slots on their way back from other threads: so that these need not take the lock from a shard's owner for each.
//!
//! Only what nobody may be looking at is posted: slots of pools that nobody walks, and those that have left (see
//! [`leave`](super::shard::leave)). So a free slot and one that was posted look alike to everybody. The owner looks into its
//! inbox when it has no slot at hand, whoever finds it full empties it, and so does everybody who wants to know what is free:
//! always under the shard's lock, so that a slot is in the inbox or in the shard, never in between.

use std::mem::{MaybeUninit, offset_of};
use std::ptr::NonNull;

use super::lease::Lease;
use super::magazine::MAGAZINE;
use crate::sync::{AtomicUsize, BATCH, Lock, Locked, Ordering, Room, Rule, SpinLock, keeps};

const _: () = assert!(BATCH <= MAGAZINE, "a batch finds room in an empty magazine");

/// A shard's inbox. Its counts are written under the spin lock, and so without an atomic read-modify-write.
#[repr(C)]
pub(crate) struct Inbox<R> {
    /// How many slots are in it: a post that happens before is seen.
    count: AtomicUsize,
    /// How many objects were counted out by posts.
    dropped: AtomicUsize,
    posted: SpinLock<Posted<R>>,
}

const _: () = {
    type Full = <Locked as Lock>::Room;
    let count = size_of::<AtomicUsize>();
    assert!(
        size_of::<Inbox<Full>>() == 2 * count + size_of::<SpinLock<Posted<Full>>>()
            && SpinLock::<Posted<Full>>::IS_WITHOUT_PADDING,
        "an inbox may be freed while `post` returns: all of it is in cells, without padding"
    );
};

/// Slots that were posted.
///
/// # Invariants
///
/// *posted-is-leased*: the first `len` places are initialised, and their slots' leases are the inbox's.
#[repr(C)]
struct Posted<R> {
    len: usize,
    /// Nobody will look any more.
    closed: bool,
    slots: R,
}

// SAFETY: leases are rights to slots, which any thread may give back.
unsafe impl<R: Room> Send for Posted<R> {}

impl<R: Room> Inbox<R> {
    /// Where the room lies in it: last.
    pub(crate) const ROOM_AT: usize =
        offset_of!(Self, posted) + SpinLock::<Posted<R>>::VALUE_AT + offset_of!(Posted<R>, slots);

    pub(crate) fn new() -> Self {
        Self {
            count: AtomicUsize::new(0),
            dropped: AtomicUsize::new(0),
            posted: SpinLock::new(Posted {
                len: 0,
                closed: false,
                slots: R::new(),
            }),
        }
    }

    /// Posts a slot, and counts its object out unless it is `counted`. Gives the slot back, and counts nothing, if the inbox is
    /// full or closed. When it does not, the slot may be released already, and the shard be gone.
    #[inline]
    pub(crate) fn post(&self, lease: Lease, counted: bool) -> Option<Lease> {
        self.posted.with(|posted| {
            let place = posted.slots.places().get_mut(posted.len);
            let Some(place) = place.filter(|_| !posted.closed) else {
                return Some(lease);
            };
            lease.shut();
            place.write(lease.into_slot());
            posted.len += 1;
            self.count.store(posted.len, Ordering::Relaxed);
            if !counted {
                let before = self.dropped.load(Ordering::Relaxed);
                self.dropped
                    .store(before.wrapping_add(1), Ordering::Relaxed);
            }
            None
        })
    }

    /// How many objects were counted out by posts: a post that happens before is seen.
    pub(crate) fn dropped(&self) -> usize {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Runs `f` on what was posted last, [`BATCH`] slots at most. The caller has the shard's lock; `f` takes none.
    #[inline]
    pub(crate) fn drain_some(&self, f: impl FnMut(Lease)) {
        if self.count.load(Ordering::Relaxed) != 0 {
            self.take(f);
        }
    }

    /// Runs `f` on all that was posted. The caller has the shard's lock; `f` takes none.
    pub(crate) fn drain(&self, mut f: impl FnMut(Lease)) {
        while self.count.load(Ordering::Relaxed) != 0 {
            self.take(&mut f);
        }
    }

    /// Runs `f` on all that was posted, and nothing is kept from now on. The caller has the shard's lock; `f` takes none.
    pub(crate) fn close(&self, mut f: impl FnMut(Lease)) {
        self.posted
            .with(|posted| posted.closed = keeps(Rule::InboxClosed));
        while self.take(&mut f) {}
    }

    /// Runs `f` on a batch, if there is one. Under the spin lock its slots are only copied: releasing them takes its time, which
    /// other threads that post need not wait.
    fn take(&self, mut f: impl FnMut(Lease)) -> bool {
        let mut batch = [MaybeUninit::<NonNull<u8>>::uninit(); BATCH];
        let taken = self.posted.with(|posted| {
            let (len, kept) = (posted.len, posted.len.saturating_sub(BATCH));
            batch[..len - kept].copy_from_slice(&posted.slots.places()[kept..len]);
            posted.len = kept;
            self.count.store(kept, Ordering::Relaxed);
            len - kept
        });
        for slot in &batch[..taken] {
            // SAFETY: posted-is-leased: its place was below `len`.
            let slot = unsafe { slot.assume_init() };
            // SAFETY: posted-is-leased: the lease was given up in `post`, and the inbox has forgotten it.
            f(unsafe { Lease::from_slot(slot) });
        }
        taken > 0
    }
}
