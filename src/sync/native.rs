#![expect(unsafe_code, reason = "gives back a mutex it has")]
//! What everything stands on, taken from the standard library and parking_lot. Its twin takes the same from a model checker.

use std::time::Duration;

use parking_lot::lock_api::RawMutex as _;

use super::biased::BiasedMutex;
use super::{Rule, cores};

pub(crate) use std::sync::atomic::{
    AtomicPtr, AtomicPtr as StaticPtr, AtomicU32, AtomicU64, AtomicU64 as StaticU64, AtomicUsize,
    Ordering, fence,
};
pub(crate) use std::thread::yield_now;

pub(super) use super::own_number::{number, number_so_far};

/// More shards than this help nobody, and a word has a bit for each.
pub(crate) const MOST_SHARDS: usize = 64;

/// How often in a row the owner of a biased lock must have had the mutex before it takes the bias up again: at first, and at
/// most. Doubled each time it is revoked, so that a shard that is really shared settles on the mutex.
pub(super) const PATIENCE: (u32, u32) = (64, 1 << 14);

/// Room for so many slots in the inbox of a shard: with 128 others find it full so often that the owner loses its bias, and an
/// object made by one thread and dropped by another takes half as long again.
pub(super) const INBOX: usize = 512;

/// So many slots are taken out of an inbox at once: as many as a group has.
pub(crate) const BATCH: usize = 64;

/// The lock behind [`Locked`](super::Locked).
pub(super) type LockedRaw = BiasedMutex;

/// Whether a rule is kept. Always: only models break one, to see that it is needed.
#[inline(always)]
pub(crate) const fn keeps(_: Rule) -> bool {
    true
}

/// How many shards a pool has.
pub(super) fn shard_count() -> usize {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    match COUNT.load(Ordering::Relaxed) {
        0 => {
            let count = cores::count().next_power_of_two().min(MOST_SHARDS);
            COUNT.store(count, Ordering::Relaxed);
            count
        }
        count => count,
    }
}

/// Waits a little, and the longer the more `turns` that took already.
pub(super) fn pause(turns: u32) {
    match turns {
        0..50 => std::hint::spin_loop(),
        50..100 => yield_now(),
        _ => std::thread::sleep(Duration::from_micros(50)),
    }
}

/// A thread-local of constant value, without a destructor.
macro_rules! local {
    (static $name:ident: $type:ty = $value:expr) => {
        std::thread_local!(static $name: $type = const { $value });
    };
}
pub(super) use local;

/// A lock for which one spins: it guards nothing by itself. A word, so that what is beside it is not padded.
pub(super) struct RawSpinLock(AtomicUsize);

impl RawSpinLock {
    pub(super) fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    #[inline]
    pub(super) fn lock(&self) {
        let mut turns = 0_u32;
        while self.0.swap(1, Ordering::Acquire) != 0 {
            pause(turns);
            turns = turns.saturating_add(1);
        }
    }

    /// # Safety
    ///
    /// The calling thread has the lock.
    #[inline]
    pub(super) unsafe fn unlock(&self) {
        self.0.store(0, Ordering::Release);
    }
}

/// A mutex that guards nothing by itself.
pub(super) struct RawMutex(parking_lot::RawMutex);

impl RawMutex {
    pub(super) fn new() -> Self {
        Self(parking_lot::RawMutex::INIT)
    }

    #[inline]
    pub(super) fn lock(&self) {
        self.0.lock();
    }

    /// # Safety
    ///
    /// The calling thread has the lock.
    #[inline]
    pub(super) unsafe fn unlock(&self) {
        // SAFETY: passed on.
        unsafe { self.0.unlock() }
    }
}
