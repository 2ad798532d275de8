#![expect(
    unsafe_code,
    reason = "implements locks, and says which cells may cross threads"
)]
//! What everything stands on, for the model checker: each atomic access, lock and yield is a point where it tries every thread.
//!
//! Chosen so that models stay small: a pool has two shards, [`Locked`](super::Locked) a plain mutex. The biased lock is behind
//! [`Biased`].

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::ptr;

use loom::cell::UnsafeCell;
use loom::sync::{Mutex, MutexGuard};

pub(crate) use loom::sync::atomic::fence;
pub(crate) use loom::thread::yield_now;
pub(crate) use std::sync::atomic::{AtomicU64 as StaticU64, Ordering};

use super::biased::BiasedMutex;
use super::number::{give_back, take_lowest};
pub use super::rule::Rule;
use super::{Lock, RawLock};
use crate::sealed::Sealed;

/// The owner of a biased lock takes the bias up again when it has had the mutex once, later twice.
pub(super) const PATIENCE: (u32, u32) = (1, 2);

std::thread_local! {
    static BROKEN: Cell<Option<Rule>> = const { Cell::new(None) };
    static EVERY_ORDER: Cell<bool> = const { Cell::new(false) };
    static ALL_OWN: Cell<bool> = const { Cell::new(false) };
}

/// Lets the models that this thread runs from now on break a rule.
pub fn break_rule(rule: Rule) {
    BROKEN.set(Some(rule));
}

/// Whether in the models that this thread runs from now on everybody passes for the owner of a plain mutex, or nobody.
///
/// An owner drops objects under the lock, others without it as long as they can.
pub fn let_all_own(all: bool) {
    ALL_OWN.set(all);
}

/// How the models that this thread runs from now on load.
///
/// A load of the checker may give a stale value, as the language allows. But when it looks for orders to try it takes note of
/// the last access to an atomic only: of one thread's load, another's load and then a store by that it does not try the store
/// first. So each model runs once more with loads that count as changes: never stale, but in every order.
pub fn try_every_order(every: bool) {
    EVERY_ORDER.set(every);
}

macro_rules! atomic {
    ($($name:ident $(<$T:ident>)?: $value:ty, $start:expr, $never:expr;)*) => { $(
        /// The checker's, with a `load` that may count as a change.
        #[derive(Debug)]
        #[allow(unreachable_pub, reason = "one of them is named by a public trait")]
        pub struct $name $(<$T>)? (loom::sync::atomic::$name $(<$T>)?);

        impl $(<$T>)? $name $(<$T>)? {
            #[track_caller]
            pub(crate) fn new(value: $value) -> Self {
                Self(loom::sync::atomic::$name::new(value))
            }

            #[track_caller]
            pub(crate) fn load(&self, order: Ordering) -> $value {
                if EVERY_ORDER.get() {
                    let result = self.compare_exchange($never, $never, order, order);
                    result.expect_err("nobody stores this value")
                } else {
                    self.0.load(order)
                }
            }

            #[allow(dead_code, reason = "not every type is changed so")]
            #[track_caller]
            pub(crate) fn fetch_update(
                &self,
                set: Ordering,
                fetch: Ordering,
                mut f: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                let mut before = self.load(fetch);
                while let Some(next) = f(before) {
                    match self.compare_exchange(before, next, set, fetch) {
                        Ok(_) => return Ok(before),
                        Err(other) => before = other,
                    }
                }
                Err(before)
            }
        }

        impl $(<$T>)? Default for $name $(<$T>)? {
            fn default() -> Self {
                Self::new($start)
            }
        }

        impl $(<$T>)? Deref for $name $(<$T>)? {
            type Target = loom::sync::atomic::$name $(<$T>)?;

            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }
    )* };
}

atomic! {
    AtomicU32: u32, 0, 0x5a5a_a5a5;
    AtomicU64: u64, 0, 0x5a5a_a5a5_5a5a_a5a5;
    AtomicUsize: usize, 0, 0x5a5a_a5a5;
    AtomicPtr<T>: *mut T, ptr::null_mut(), ptr::without_provenance_mut(1);
}

/// Whether a rule is kept.
pub(crate) fn keeps(rule: Rule) -> bool {
    BROKEN.get() != Some(rule)
}

/// The shards of a pool.
pub(crate) const MOST_SHARDS: usize = 2;

pub(super) fn shard_count() -> usize {
    MOST_SHARDS
}

pub(super) fn pause(_: u32) {
    yield_now();
}

macro_rules! local {
    (static $name:ident: $type:ty = $value:expr) => {
        loom::thread_local!(static $name: $type = $value);
    };
}
pub(super) use local;

/// A pointer that can stand in a `static`, as the checker's own atomics cannot: what it orders is ordered by one of those.
pub(super) struct StaticPtr<T>(std::sync::atomic::AtomicPtr<T>);

loom::lazy_static! {
    static ref ORDER: AtomicUsize = AtomicUsize::new(0);
}

loom::thread_local! {
    /// The pointers that the thread has read: to read one again needs no order.
    static SEEN: RefCell<Vec<*mut ()>> = RefCell::new(Vec::new());
}

impl<T> StaticPtr<T> {
    pub(super) const fn new(pointer: *mut T) -> Self {
        Self(std::sync::atomic::AtomicPtr::new(pointer))
    }

    pub(super) fn load(&self, order: Ordering) -> *mut T {
        let known = self.0.load(Ordering::Relaxed);
        if SEEN.with(|seen| seen.borrow().contains(&known.cast())) {
            return known;
        }
        ORDER.fetch_add(0, order);
        self.see()
    }

    pub(super) fn compare_exchange(
        &self,
        current: *mut T,
        new: *mut T,
        success: Ordering,
        _: Ordering,
    ) -> Result<*mut T, *mut T> {
        ORDER.fetch_add(1, success);
        let result = self
            .0
            .compare_exchange(current, new, Ordering::Relaxed, Ordering::Relaxed);
        self.see();
        result
    }

    pub(super) fn get_mut(&mut self) -> &mut *mut T {
        self.0.get_mut()
    }

    fn see(&self) -> *mut T {
        let pointer = self.0.load(Ordering::Relaxed);
        if !pointer.is_null() {
            SEEN.with(|seen| seen.borrow_mut().push(pointer.cast()));
        }
        pointer
    }
}

loom::thread_local! {
    static NUMBER: Cell<usize> = Cell::new(0);
}

/// Gives the calling thread its number; an odd and an even one have different home shards.
pub fn set_number(number: usize) {
    NUMBER.with(|own| own.set(number));
}

pub(super) fn number() -> usize {
    let number = NUMBER.with(Cell::get);
    assert!(
        number != 0,
        "each thread of a model is given a number first"
    );
    number
}

/// The calling thread's number, which it has.
pub(super) fn number_so_far() -> usize {
    number()
}

/// The numbers that threads take and give back.
#[derive(Debug, Default)]
pub struct Numbers([AtomicU64; 1]);

impl Numbers {
    /// The lowest free number.
    pub fn take(&self) -> Option<usize> {
        take_lowest(&self.0)
    }

    /// Makes a number free.
    pub fn give_back(&self, number: usize) {
        give_back(&self.0, number);
    }
}

/// Room for so many slots in the inbox of a shard.
pub(super) const INBOX: usize = 2;

/// So many slots are taken out of an inbox at once.
pub(crate) const BATCH: usize = 1;

/// A lock for which one would spin: here one waits, or the checker would try how long.
pub(super) type RawSpinLock = RawMutex;

/// A mutex that guards nothing by itself.
#[expect(missing_debug_implementations, reason = "never seen")]
pub struct RawMutex {
    mutex: Mutex<()>,
    /// Of whoever has the mutex, which outlives its guard.
    guard: std::cell::UnsafeCell<Option<MutexGuard<'static, ()>>>,
}

impl RawMutex {
    pub(super) fn new() -> Self {
        Self {
            mutex: Mutex::new(()),
            guard: std::cell::UnsafeCell::new(None),
        }
    }

    pub(super) fn lock(&self) {
        // SAFETY: the guard does not outlive the mutex: it is dropped by `unlock`, or with this value.
        let mutex: &'static Mutex<()> = unsafe { &*ptr::from_ref(&self.mutex) };
        let guard = mutex.lock().expect("nothing panics under this mutex");
        // SAFETY: the mutex is locked: the cell is this thread's.
        unsafe { *self.guard.get() = Some(guard) };
    }

    /// # Safety
    ///
    /// The calling thread has the lock.
    pub(super) unsafe fn unlock(&self) {
        // SAFETY: the mutex is locked: the cell is this thread's.
        let guard = unsafe { (*self.guard.get()).take() };
        drop(guard);
    }
}

impl RawLock for RawMutex {
    type Token = ();
    const AT_ONCE: () = ();

    fn new() -> Self {
        Self::new()
    }

    fn lock(&self) {
        self.lock();
    }

    fn lock_at_once(&self, _: usize) -> Option<()> {
        None
    }

    fn lock_if_owner(&self) -> Option<()> {
        ALL_OWN.get().then(|| self.lock())
    }

    unsafe fn unlock(this: *const Self, (): ()) {
        // SAFETY: the caller's lock.
        let lock = unsafe { &*this };
        // SAFETY: passed on.
        unsafe { lock.unlock() }
    }

    fn is_owner(&self) -> bool {
        false
    }
}

/// A lock that tells the checker when two threads are inside at once, or one does not see what another did there.
#[expect(missing_debug_implementations, reason = "never seen")]
pub struct Watched<R> {
    lock: R,
    inside: UnsafeCell<()>,
}

impl<R: RawLock> RawLock for Watched<R> {
    type Token = R::Token;
    const AT_ONCE: R::Token = R::AT_ONCE;

    fn new() -> Self {
        Self {
            lock: R::new(),
            inside: UnsafeCell::new(()),
        }
    }

    fn lock(&self) -> R::Token {
        let token = self.lock.lock();
        self.inside.with_mut(|_| ());
        token
    }

    fn lock_at_once(&self, me: usize) -> Option<R::Token> {
        let token = self.lock.lock_at_once(me)?;
        self.inside.with_mut(|_| ());
        Some(token)
    }

    fn lock_if_owner(&self) -> Option<R::Token> {
        let token = self.lock.lock_if_owner()?;
        self.inside.with_mut(|_| ());
        Some(token)
    }

    unsafe fn unlock(this: *const Self, token: R::Token) {
        // SAFETY: the caller's lock.
        let watched = unsafe { &*this };
        watched.inside.with_mut(|_| ());
        // SAFETY: passed on.
        unsafe { R::unlock(&raw const watched.lock, token) }
    }

    fn is_owner(&self) -> bool {
        self.lock.is_owner()
    }
}

/// The lock behind [`Locked`](super::Locked).
pub(crate) type LockedRaw = Watched<RawMutex>;

/// As [`Locked`](super::Locked), with the biased lock.
#[derive(Debug)]
pub struct Biased;

impl Sealed for Biased {}

impl Lock for Biased {
    type Raw = Watched<BiasedMutex>;
    const SHARED: bool = true;
    type Room = <super::Locked as Lock>::Room;

    fn shard_count() -> usize {
        shard_count()
    }

    fn thread_number() -> usize {
        number()
    }

    fn thread_number_so_far() -> usize {
        number_so_far()
    }
}

/// A biased lock by itself.
#[expect(missing_debug_implementations, reason = "never seen")]
pub struct BiasedLock(Watched<BiasedMutex>);

// SAFETY: what changes in it is behind atomics and the mutex.
unsafe impl Send for BiasedLock {}
// SAFETY: a lock is there to be shared; atomics and the mutex decide who goes in.
unsafe impl Sync for BiasedLock {}

impl Default for BiasedLock {
    fn default() -> Self {
        Self(Watched::new())
    }
}

impl BiasedLock {
    /// Runs a closure under the lock; says whether the mutex was not needed.
    pub fn with(&self, f: impl FnOnce()) -> bool {
        let at_once = self.0.lock_at_once(number_so_far());
        let taken = at_once.unwrap_or_else(|| self.0.lock());
        f();
        // SAFETY: it was locked here.
        unsafe { Watched::unlock(&raw const self.0, taken) };
        taken == super::biased::Taken::Biased
    }
}
