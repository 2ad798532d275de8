#![expect(unsafe_code, reason = "gives back a mutex it has")]
//! The lock behind [`Locked`](super::Locked): a mutex that its owner need not take.
//!
//! The first thread that locks a shard becomes the lock's *owner*, for good. While the bias is not *revoked*, the owner locks by
//! saying so and looking whether it is: two stores, two loads and no atomic read-modify-write. Everybody else takes the mutex,
//! revokes the bias, and waits until the owner is not inside; from then on the owner takes the mutex, too, until it has had it
//! some times in a row and takes the bias up again. (Biased locking: Kawachiya, Koseki and Onodera 2002; the handshake is
//! Dekker's.)
//!
//! # Why two threads are never inside at once
//!
//! - *mutex*: whoever is inside has the mutex, or is the owner with the bias.
//! - *handshake*: the owner stores `inside`, passes a barrier, loads `revoked`. A revoker stores `revoked`, passes a barrier,
//!   loads `inside`. At least one of them sees the other's store: then the owner goes to the mutex, or the revoker waits.
//! - *own-bias*: `revoked` is cleared only by the owner, while it has the mutex: nobody else is inside, and whoever comes next
//!   must take the mutex first, sees the bias, and revokes it.
//! - *one-owner*: `owner` is set once, under the mutex. A thread number is one living thread's at a time, and a thread that gets
//!   a former one's number has seen all that one did, so that it may stand in for it.
//! - *quick-is-owner*: `quick_owner` is nobody or the owner, and the latter only where the owner's barrier is free. It is a hint that
//!   may be late: who finds itself there still does its part of the handshake.
//!
//! What one thread did inside is seen by the next: between mutex holders by the mutex; from the owner to a revoker by the release
//! store of `inside` that the revoker's wait acquires; from others to the owner by the mutex, which it had when it cleared
//! `revoked`; from the owner to itself by program order.
//!
//! # The end
//!
//! Unlocking is one release store to `inside`, or the mutex's unlock: in both cases the last access to the lock's memory.

use super::platform::{AtomicU32, AtomicUsize, Ordering, PATIENCE, RawMutex, keeps, pause};
use super::{RawLock, Rule, Token, barrier, number::NOBODY, platform};

/// No thread has this number.
const UNOWNED: usize = 0;

/// A mutex biased towards the thread that locked it first.
#[doc(hidden)]
#[expect(missing_debug_implementations, reason = "never seen")]
#[repr(C)] // `owner` stays with what lies in front and never changes
pub struct BiasedMutex {
    owner: AtomicUsize,
    /// The owner, as long as its barrier is free and, as far as anybody knows, the bias is not revoked: who finds its number here
    /// comes in like every owner. Changed under the mutex.
    quick_owner: AtomicUsize,
    state: State,
}

/// What changes with each locking: on a cache line of its own, since others look who the owner is.
#[repr(align(64))]
struct State {
    /// The owner is inside without the mutex, or is about to see that it must not be.
    inside: Flag,
    /// The owner must take the mutex. Changed under the mutex.
    revoked: Flag,
    mutex: RawMutex,
    /// How often in a row the owner has had the mutex. Changed under the mutex.
    calm: AtomicU32,
    /// How often it must. Changed under the mutex.
    patience: AtomicU32,
}

/// Says whether something is so; at first it is not.
///
/// A word, not a byte: with bytes a Zen 3 does not foresee which store the next load of a magazine's top will read, and waits until
/// its address is known. An allocation and the drop of what it made take 7.5 to 7.8 ns there instead of 4.3 to 4.7.
struct Flag(AtomicU32);

impl Flag {
    fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    #[inline]
    fn load(&self, order: Ordering) -> bool {
        self.0.load(order) != 0
    }

    #[inline]
    fn store(&self, is_so: bool, order: Ordering) {
        self.0.store(u32::from(is_so), order);
    }
}

/// How a lock was taken, and so how it is given back.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// By the owner, without the mutex.
    Biased,
    /// With the mutex.
    Mutex,
}

impl Token for Taken {
    #[inline]
    fn bit(self) -> bool {
        self == Self::Mutex
    }

    #[inline]
    fn of_bit(bit: bool) -> Self {
        if bit { Self::Mutex } else { Self::Biased }
    }
}

impl RawLock for BiasedMutex {
    type Token = Taken;
    const AT_ONCE: Taken = Taken::Biased;

    fn new() -> Self {
        Self {
            owner: AtomicUsize::new(UNOWNED),
            quick_owner: AtomicUsize::new(UNOWNED),
            state: State {
                inside: Flag::new(),
                revoked: Flag::new(),
                mutex: RawMutex::new(),
                calm: AtomicU32::new(0),
                patience: AtomicU32::new(PATIENCE.0),
            },
        }
    }

    #[inline]
    fn lock(&self) -> Taken {
        let me = platform::number();
        if self.owner.load(Ordering::Relaxed) == me {
            self.lock_as_owner(me)
        } else {
            self.lock_mutex(me)
        }
    }

    #[inline]
    fn lock_at_once(&self, me: usize) -> Option<Taken> {
        let mine = self.quick_owner.load(Ordering::Relaxed) == me;
        (mine && self.come_in(barrier::light_for_free)).then_some(Taken::Biased)
    }

    #[inline]
    fn lock_if_owner(&self) -> Option<Taken> {
        let me = platform::number();
        (self.owner.load(Ordering::Relaxed) == me).then(|| self.lock_as_owner(me))
    }

    #[inline]
    unsafe fn unlock(this: *const Self, taken: Taken) {
        match taken {
            // SAFETY: the caller's lock, up to this very store; the reference is to a cell alone.
            Taken::Biased => unsafe { &(*this).state.inside }.store(false, Ordering::Release),
            // SAFETY: passed on.
            Taken::Mutex => unsafe { Self::unlock_mutex(this) },
        }
    }

    #[inline]
    fn is_owner(&self) -> bool {
        self.owner.load(Ordering::Relaxed) == platform::number_so_far()
    }
}

impl BiasedMutex {
    /// # Safety
    ///
    /// As [`RawLock::unlock`], of a lock that was taken with the mutex.
    #[cold]
    unsafe fn unlock_mutex(this: *const Self) {
        // SAFETY: the caller's lock; the reference is to a mutex that may be freed as it is given back.
        let mutex = unsafe { &(*this).state.mutex };
        // SAFETY: the caller has the lock, and by the mutex.
        unsafe { mutex.unlock() }
    }

    /// Locks for the owner, which the caller is.
    #[inline]
    fn lock_as_owner(&self, me: usize) -> Taken {
        if self.come_in(barrier::light) {
            Taken::Biased
        } else {
            self.lock_mutex(me)
        }
    }

    /// The owner comes in without the mutex, unless the bias is revoked.
    #[inline]
    fn come_in(&self, barrier: impl FnOnce()) -> bool {
        self.state.inside.store(true, Ordering::Relaxed);
        barrier();
        let may = !self.state.revoked.load(Ordering::Relaxed) || !keeps(Rule::OwnerLooks);
        if !may {
            self.state.inside.store(false, Ordering::Release);
        }
        may
    }

    #[cold]
    fn lock_mutex(&self, me: usize) -> Taken {
        self.state.mutex.lock();
        match self.owner.load(Ordering::Relaxed) {
            UNOWNED if me != NOBODY => {
                self.owner.store(me, Ordering::Relaxed);
                self.be_quick(me);
            }
            owner if owner == me => self.take_up_again(me),
            _ => self.revoke(),
        }
        Taken::Mutex
    }

    /// From now on the owner need not ask whether its barrier is free, unless the bias is revoked before it was first used.
    fn be_quick(&self, me: usize) {
        if barrier::decide() && !self.state.revoked.load(Ordering::Relaxed) {
            self.quick_owner.store(me, Ordering::Relaxed);
        }
    }

    /// The owner has the mutex once more.
    fn take_up_again(&self, me: usize) {
        let calm = self.state.calm.load(Ordering::Relaxed) + 1;
        let enough = calm >= self.state.patience.load(Ordering::Relaxed);
        self.state
            .calm
            .store(if enough { 0 } else { calm }, Ordering::Relaxed);
        if enough {
            self.state.revoked.store(false, Ordering::Relaxed);
            self.be_quick(me);
        }
    }

    /// Another thread has the mutex: makes sure that the owner is not inside and does not come in.
    fn revoke(&self) {
        self.state.calm.store(0, Ordering::Relaxed);
        if self.state.revoked.load(Ordering::Relaxed) {
            return;
        }
        let patience = self.state.patience.load(Ordering::Relaxed);
        self.state
            .patience
            .store((patience * 2).min(PATIENCE.1), Ordering::Relaxed);
        self.quick_owner.store(UNOWNED, Ordering::Relaxed);
        self.state.revoked.store(true, Ordering::Relaxed);
        barrier::heavy();
        if keeps(Rule::RevokerWaits) {
            self.wait_for_owner();
        }
    }

    /// Waits until the owner is not inside. It leaves after a dozen instructions, unless it was put to sleep there; then this
    /// thread sleeps, too. (It cannot park: the owner's unlock may not touch the lock after its store to look for sleepers.)
    fn wait_for_owner(&self) {
        let mut turns = 0_u32;
        while self.state.inside.load(Ordering::Acquire) {
            pause(turns);
            turns = turns.saturating_add(1);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// How the lock is taken so many times in a row.
    fn take(lock: &BiasedMutex, times: u32) -> Vec<Taken> {
        let once = |_| {
            let taken = lock.lock();
            // SAFETY: it was just taken so.
            unsafe { RawLock::unlock(&raw const *lock, taken) };
            taken
        };
        (0..times).map(once).collect()
    }

    #[test]
    #[cfg_attr(miri, ignore = "locks thirty thousand times, on one thread")]
    fn the_owner_takes_the_bias_up_again_and_is_the_more_patient_the_more_often_it_was_revoked() {
        let lock = BiasedMutex::new();
        assert_eq!(take(&lock, 3), [Taken::Mutex, Taken::Biased, Taken::Biased]);
        let mut patience = PATIENCE.0;
        while patience < PATIENCE.1 {
            // Revoked once, however often the other comes.
            let others = std::thread::scope(|scope| scope.spawn(|| take(&lock, 3)).join().unwrap());
            assert_eq!(others, [Taken::Mutex; 3]);
            patience *= 2;
            let mut mine = take(&lock, patience + 2);
            assert_eq!(mine.split_off(patience as usize), [Taken::Biased; 2]);
            assert!(mine.iter().all(|taken| *taken == Taken::Mutex));
        }
        std::thread::scope(|scope| scope.spawn(|| take(&lock, 1)).join().unwrap());
        let mine = take(&lock, patience + 1);
        assert_eq!(
            mine.iter().filter(|taken| **taken == Taken::Biased).count(),
            1
        );
    }

    #[test]
    fn others_begin_the_owners_count_anew() {
        let lock = BiasedMutex::new();
        take(&lock, 1);
        for _ in 0..3 {
            std::thread::scope(|scope| scope.spawn(|| take(&lock, 1)).join().unwrap());
            let mine = take(&lock, 2 * PATIENCE.0 - 1);
            assert!(mine.iter().all(|taken| *taken == Taken::Mutex));
        }
        assert_eq!(take(&lock, 2), [Taken::Mutex, Taken::Biased]);
    }

    #[test]
    fn the_thread_that_locks_first_is_the_owner() {
        let lock = BiasedMutex::new();
        assert!(!lock.is_owner());
        take(&lock, 1);
        let others = || {
            take(&lock, 1);
            lock.is_owner()
        };
        assert!(!std::thread::scope(|scope| scope
            .spawn(others)
            .join()
            .unwrap()));
        assert!(lock.is_owner());
    }

    /// Whether the lock can be taken at once.
    fn is_quick(lock: &BiasedMutex) -> bool {
        let taken = lock.lock_at_once(platform::number_so_far());
        if let Some(taken) = taken {
            // SAFETY: it was just taken so.
            unsafe { RawLock::unlock(&raw const *lock, taken) };
        }
        taken.is_some()
    }

    #[test]
    fn the_owner_locks_at_once_as_long_as_it_has_the_bias() {
        let lock = BiasedMutex::new();
        let elsewhere = |f: fn(&BiasedMutex) -> bool| {
            std::thread::scope(|scope| scope.spawn(|| f(&lock)).join().unwrap())
        };
        assert!(!elsewhere(is_quick), "a thread without a number");
        take(&lock, 1);
        let free = barrier::decide();
        assert_eq!(is_quick(&lock), free);
        let with_a_number = |lock: &BiasedMutex| {
            platform::number();
            is_quick(lock)
        };
        assert!(!elsewhere(with_a_number), "not the owner");
        assert_eq!(is_quick(&lock), free, "nobody revoked it");
        assert!(!elsewhere(|lock| take(lock, 1) != [Taken::Mutex]));
        assert!(!is_quick(&lock), "revoked");
        take(&lock, 2 * PATIENCE.0);
        assert_eq!(is_quick(&lock), free, "taken up again");
    }

    #[test]
    fn a_thread_without_a_number_owns_nothing() {
        let lock = BiasedMutex::new();
        let taken = lock.lock_mutex(NOBODY);
        // SAFETY: it was just taken so.
        unsafe { RawLock::unlock(&raw const lock, taken) };
        assert_eq!(lock.owner.load(Ordering::Relaxed), UNOWNED);
        assert_eq!(lock.lock_at_once(NOBODY), None);
        take(&lock, 1);
        assert!(lock.is_owner());
        assert!(!is_quick(&lock), "who had no number has revoked the bias");
    }
}
