#![expect(unsafe_code, reason = "reads the initialised part of an array")]
//! Slots on their way back from other threads: so that these need not take the lock from a shard's owner for each.
//!
//! Only for pools that nobody walks, where a free slot and one that was posted look alike to everybody. The owner looks into its
//! inbox when it has no slot at hand, whoever finds it full empties it, and so does everybody who wants to know what is free:
//! always under the shard's lock, so that a slot is in the inbox or in the shard, never in between.

use std::mem::MaybeUninit;
use std::ptr::NonNull;

use super::lease::Lease;
use crate::sync::{AtomicUsize, INBOX, Ordering, Rule, SpinLock, keeps};

/// A shard's inbox.
#[derive(Default)]
pub(crate) struct Inbox {
    /// How many slots are in it: a post that happens before is seen.
    count: AtomicUsize,
    posted: SpinLock<Posted>,
}

#[cfg(not(loom))]
const _: () = assert!(
    size_of::<Inbox>() == 2 * size_of::<usize>() + size_of::<Posted>(),
    "an inbox may be freed while `post` returns: all of it is in cells, without padding"
);

/// Slots that were posted.
///
/// # Invariants
///
/// *posted-is-leased*: the first `len` entries are initialised, and their slots' leases are the inbox's.
struct Posted {
    len: usize,
    /// Nobody will look any more.
    closed: bool,
    slots: [MaybeUninit<NonNull<u8>>; INBOX],
}

// SAFETY: leases are rights to slots, which any thread may give back.
unsafe impl Send for Posted {}

impl Default for Posted {
    fn default() -> Self {
        Self {
            len: 0,
            closed: false,
            slots: [MaybeUninit::uninit(); INBOX],
        }
    }
}

impl Inbox {
    /// Posts a slot; gives it back if the inbox is full or closed. When it does not, the slot may be released already, and the
    /// shard be gone.
    #[inline]
    pub(crate) fn post(&self, lease: Lease) -> Option<Lease> {
        self.posted.with(|posted| {
            if posted.closed || posted.len == INBOX {
                return Some(lease);
            }
            lease.shut();
            posted.slots[posted.len].write(lease.into_slot());
            posted.len += 1;
            self.count.store(posted.len, Ordering::Relaxed);
            None
        })
    }

    /// Runs `f` on all that was posted. The caller has the shard's lock; `f` takes none.
    #[inline]
    pub(crate) fn drain(&self, f: impl FnMut(Lease)) {
        if self.count.load(Ordering::Relaxed) != 0 {
            self.posted.with(|posted| self.empty(posted, f));
        }
    }

    /// As [`drain`](Self::drain), and nothing is kept from now on.
    pub(crate) fn close(&self, f: impl FnMut(Lease)) {
        self.posted.with(|posted| {
            posted.closed = keeps(Rule::InboxClosed);
            self.empty(posted, f);
        });
    }

    fn empty(&self, posted: &mut Posted, mut f: impl FnMut(Lease)) {
        self.count.store(0, Ordering::Relaxed);
        for slot in &posted.slots[..std::mem::take(&mut posted.len)] {
            // SAFETY: posted-is-leased: the place was below `len`.
            let slot = unsafe { slot.assume_init() };
            // SAFETY: posted-is-leased: the lease was given up in `post`, and the inbox forgets it.
            f(unsafe { Lease::from_slot(slot) });
        }
    }
}
