#![expect(
    unsafe_code,
    reason = "the lock around each core, and the shared life of a pool's shards"
)]
//! Locks, threads, and the shards they guard: only this file and its folder know mutexes, threads or where atomics come from.
//!
//! A pool is a [`LazyShards`]: nothing until first used, then one [`Shards`] with a table of [`Shard`]s, each made when a
//! thread first needs it. What a shard guards is a [`Core`]: slots or an arena, which know no locks.
//!
//! ```text
//!   LazyShards ──► Shards { claims, common, table }          handle ──► chunk header
//!                             │                                             │
//!                             └──► Shard { lock, open, core } ◄─────────────┘
//! ```
//!
//! `claims` counts who keeps the whole alive: the pool is one, each region is one. So a handle, whose region has a claim,
//! may lock its shard long after the pool was dropped, and whoever gives up the last claim frees everything.

use std::alloc::{Layout, alloc};
#[cfg(debug_assertions)]
use std::cell::Cell;
use std::cell::UnsafeCell;
use std::hint::assert_unchecked;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ops::{Deref, DerefMut};
use std::ptr::{self, NonNull};

pub(crate) mod barrier;
mod biased;
#[cfg(not(loom))]
mod cores;
mod growing;
#[cfg(loom)]
pub(crate) mod modelled;
#[cfg(not(loom))]
mod native;
mod number;
#[cfg(not(loom))]
mod own_number;
mod rule;
mod spin;

#[cfg(loom)]
use modelled as platform;
#[cfg(not(loom))]
use native as platform;

pub(crate) use growing::Growing;
use platform::StaticPtr;
pub(crate) use platform::{
    AtomicPtr, AtomicU64, AtomicUsize, BATCH, MOST_SHARDS, Ordering, StaticU64, keeps, yield_now,
};
pub(crate) use rule::Rule;
pub(crate) use spin::SpinLock;

use crate::sealed::Sealed;

/// What stands behind a pool's shards: [`Locked`] or [`Unlocked`]. Sealed.
pub trait Lock: Sealed + Sized + 'static {
    /// The lock of one shard.
    #[doc(hidden)]
    type Raw: RawLock;
    /// Room for what other threads than a lock's owner leave in its shard.
    #[doc(hidden)]
    type Room: Room;
    /// Whether there may be other threads.
    #[doc(hidden)]
    const SHARED: bool;
    /// How many shards a pool has: a power of two.
    #[doc(hidden)]
    fn shard_count() -> usize;
    /// A number of the calling thread; masked, it names the home shard.
    #[doc(hidden)]
    fn thread_number() -> usize;
    /// As [`thread_number`](Self::thread_number), or what is no thread's, if it has none yet.
    #[doc(hidden)]
    fn thread_number_so_far() -> usize;
}

/// The least a shard asks of a lock.
#[doc(hidden)]
pub trait RawLock {
    /// How the lock was taken.
    type Token: Token;
    /// What [`lock_at_once`](Self::lock_at_once) gives, if anything.
    const AT_ONCE: Self::Token;
    /// An unlocked lock.
    fn new() -> Self;
    /// Waits until the lock is free and takes it.
    fn lock(&self) -> Self::Token;
    /// Takes the lock, if that is a matter of a few instructions for the thread with the number `me`, which is the calling one or
    /// none at all. It may give nothing, whoever asks.
    fn lock_at_once(&self, me: usize) -> Option<Self::Token>;
    /// As [`lock`](Self::lock) for the lock's owner; nothing for others.
    fn lock_if_owner(&self) -> Option<Self::Token>;
    /// Gives the lock back. The store that does so is the last access to the lock's memory: the next owner may free it. So
    /// `this` is a pointer: a reference would have to be good until the call returns, and its padding with it.
    ///
    /// # Safety
    ///
    /// `this` points at a lock that the calling thread has; taking it gave `token`.
    unsafe fn unlock(this: *const Self, token: Self::Token);
    /// Whether the calling thread is the lock's owner: of whatever is the owner's nobody else says so at the same time, and
    /// who says so later has seen what it did. Asked without the lock.
    fn is_owner(&self) -> bool;
}

/// How a lock was taken: one bit.
#[doc(hidden)]
pub trait Token: Copy {
    /// The bit.
    fn bit(self) -> bool;
    /// What [`bit`](Self::bit) was told of.
    fn of_bit(bit: bool) -> Self;
}

impl Token for () {
    #[inline]
    fn bit(self) -> bool {
        false
    }

    #[inline]
    fn of_bit(_: bool) -> Self {}
}

/// Places for pointers. Those that were never used are not written.
///
/// # Safety
///
/// It is nothing but its places, of which there are always the same.
#[doc(hidden)]
pub unsafe trait Room {
    /// The places, empty.
    fn new() -> Self;
    /// All places.
    fn places(&mut self) -> &mut [MaybeUninit<NonNull<u8>>];
}

// SAFETY: an array is its elements.
unsafe impl<const N: usize> Room for [MaybeUninit<NonNull<u8>>; N] {
    #[inline]
    fn new() -> Self {
        [const { MaybeUninit::uninit() }; N]
    }

    #[inline]
    fn places(&mut self) -> &mut [MaybeUninit<NonNull<u8>>] {
        self
    }
}

/// The pool may be shared by threads: each of its shards stands behind a lock that favours one thread, and parks the others that
/// have to wait. The default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locked;

/// The pool stays on one thread: no mutex, no atomic read-modify-write. Pool and handles are neither `Send` nor `Sync`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unlocked(PhantomData<*mut ()>);

impl Sealed for Locked {}
impl Sealed for Unlocked {}

impl Lock for Locked {
    type Raw = platform::LockedRaw;
    const SHARED: bool = true;
    type Room = [MaybeUninit<NonNull<u8>>; platform::INBOX];

    fn shard_count() -> usize {
        platform::shard_count()
    }

    #[inline]
    fn thread_number() -> usize {
        platform::number()
    }

    #[inline]
    fn thread_number_so_far() -> usize {
        platform::number_so_far()
    }
}

impl Lock for Unlocked {
    type Raw = NoMutex;
    const SHARED: bool = false;
    type Room = [MaybeUninit<NonNull<u8>>; 0]; // there are no others

    fn shard_count() -> usize {
        1
    }

    #[inline]
    fn thread_number() -> usize {
        0
    }

    #[inline]
    fn thread_number_so_far() -> usize {
        0
    }
}

/// Nothing, behind [`Unlocked`]; with debug assertions a flag that catches a second lock.
#[doc(hidden)]
#[derive(Debug)]
pub struct NoMutex {
    #[cfg(debug_assertions)]
    taken: Cell<bool>,
}

impl RawLock for NoMutex {
    type Token = ();
    const AT_ONCE: () = ();

    fn new() -> Self {
        Self {
            #[cfg(debug_assertions)]
            taken: Cell::new(false),
        }
    }

    #[inline]
    fn lock(&self) {
        #[cfg(debug_assertions)]
        assert!(
            !self.taken.replace(true),
            "foreign code ran while a shard was locked"
        );
    }

    #[inline]
    fn lock_at_once(&self, _: usize) -> Option<()> {
        self.lock();
        Some(())
    }

    #[inline]
    fn lock_if_owner(&self) -> Option<()> {
        self.lock();
        Some(())
    }

    #[inline]
    unsafe fn unlock(this: *const Self, (): ()) {
        #[cfg(debug_assertions)]
        // SAFETY: the caller's lock; the flag is all there is to it.
        unsafe { &(*this).taken }.set(false);
        #[cfg(not(debug_assertions))]
        let _ = this;
    }

    #[inline]
    fn is_owner(&self) -> bool {
        true
    }
}

/// What a shard guards.
pub(crate) trait Core: Sized {
    /// What the shards of one pool have in common; reached without a lock.
    type Common;
    /// What one shard keeps beside its lock; reached without it.
    type Open<L: Lock>;
    /// Writes the core of a new shard to its place.
    ///
    /// # Safety
    ///
    /// The place is valid for writes and aligned.
    unsafe fn write(place: NonNull<Self>, common: &Self::Common);
    /// Writes what a new shard keeps beside its lock.
    ///
    /// # Safety
    ///
    /// The place is valid for writes and aligned.
    unsafe fn write_open<L: Lock>(place: NonNull<Self::Open<L>>);
}

/// One lock and the core behind it.
///
/// In this order, for others read what never changes, in front, while the lock's owner writes the core; and much of what lies open
/// is seldom used.
#[repr(C)]
pub(crate) struct Shard<L: Lock, C: Core> {
    shards: NonNull<Shards<L, C>>,
    index: usize,
    lock: L::Raw,
    core: UnsafeCell<C>,
    open: C::Open<L>,
}

impl<L: Lock, C: Core> Shard<L, C> {
    /// Waits for the lock.
    #[inline]
    pub(crate) fn lock(&self) -> Guard<'_, L, C> {
        Guard::new(NonNull::from(self), self.lock.lock())
    }

    /// As [`lock`](Self::lock) for the thread with the number `me`, which is the calling one or none at all: if that is a matter of
    /// a few instructions, else nothing.
    #[inline]
    pub(crate) fn lock_at_once(&self, me: usize) -> Option<QuickGuard<'_, L, C>> {
        let token = self.lock.lock_at_once(me)?;
        Some(Guard::at_once(NonNull::from(self), token))
    }

    /// Waits for the lock of a shard that may be freed by whoever has the lock after the guard.
    ///
    /// # Safety
    ///
    /// - The shard is not freed before the guard's unlock: the caller owns a slot, block or claim of its pool until then.
    /// - `'a` ends with the guard.
    #[inline]
    pub(crate) unsafe fn lock_raw<'a>(this: NonNull<Self>) -> Guard<'a, L, C> {
        // SAFETY: the caller keeps the shard alive; the reference made here ends with this statement.
        let token = unsafe { this.as_ref() }.lock.lock();
        Guard::new(this, token)
    }

    /// As [`lock_raw`](Self::lock_raw), if that is a matter of a few instructions for the calling thread; else nothing.
    ///
    /// # Safety
    ///
    /// As there.
    #[inline]
    pub(crate) unsafe fn lock_raw_at_once<'a>(this: NonNull<Self>) -> Option<QuickGuard<'a, L, C>> {
        let me = L::thread_number_so_far();
        // SAFETY: the caller keeps the shard alive; the reference made here ends with this statement.
        let token = unsafe { this.as_ref() }.lock.lock_at_once(me)?;
        Some(Guard::at_once(this, token))
    }

    /// As [`lock_raw`](Self::lock_raw) for the lock's owner; nothing for others.
    ///
    /// # Safety
    ///
    /// As there.
    #[inline]
    pub(crate) unsafe fn lock_raw_if_owner<'a>(this: NonNull<Self>) -> Option<Guard<'a, L, C>> {
        // SAFETY: the caller keeps the shard alive; the reference made here ends with this statement.
        let token = unsafe { this.as_ref() }.lock.lock_if_owner()?;
        Some(Guard::new(this, token))
    }

    /// Whether the calling thread is the lock's owner, which alone may write what is the owner's.
    #[inline]
    pub(crate) fn is_owner(&self) -> bool {
        self.lock.is_owner()
    }

    /// What is kept beside the lock.
    #[inline]
    pub(crate) fn open(&self) -> &C::Open<L> {
        &self.open
    }

    /// The shards this one belongs to.
    pub(crate) fn shards(&self) -> &Shards<L, C> {
        // SAFETY: `Shards` frees its shards before itself, so it outlives this borrow; only shared references are made.
        unsafe { self.shards.as_ref() }
    }

    /// Writes a new shard to its place, field by field: some of what is inside is large, and left as it is.
    ///
    /// # Safety
    ///
    /// The place is valid for writes and aligned.
    unsafe fn write(place: NonNull<Self>, shards: &Shards<L, C>, index: usize) {
        macro_rules! field {
            ($field:ident) => {{
                // SAFETY: a field of the caller's place.
                let field = unsafe { &raw mut (*place.as_ptr()).$field };
                NonNull::new(field).expect("no field lies at address zero")
            }};
        }
        let (this, number, lock) = (field!(shards), field!(index), field!(lock));
        let (core, open) = (field!(core), field!(open));
        // SAFETY: all of the caller's place is valid and aligned.
        unsafe { this.write(shards.this) };
        // SAFETY: as before.
        unsafe { number.write(index) };
        // SAFETY: as before.
        unsafe { lock.write(L::Raw::new()) };
        // SAFETY: as before; a cell lies like what is inside.
        unsafe { C::write(core.cast(), &shards.common) };
        // SAFETY: as before.
        unsafe { C::write_open::<L>(open) };
    }

    /// The place in the table.
    pub(crate) fn index(&self) -> usize {
        self.index
    }
}

/// A locked shard: its core, until dropped.
///
/// # Invariants
///
/// *tagged*: it points at the shard, but for the lowest bit, which is the token's. So this is one word, and one with a slot is two,
/// which are returned in registers: through memory a pair of an allocation and a drop takes half a nanosecond longer. If it was
/// taken `AT_ONCE`, that says what the token is, and it just points at the shard.
pub(crate) struct Guard<'a, L: Lock, C: Core, const AT_ONCE: bool = false> {
    /// A pointer, not a reference: the shard may be freed as soon as the lock is given back.
    tagged: NonNull<Shard<L, C>>,
    lifetime: PhantomData<&'a Shard<L, C>>,
}

/// A shard that was locked at once. What is done with it in a few instructions need not ask how.
pub(crate) type QuickGuard<'a, L, C> = Guard<'a, L, C, true>;

/// How the lock of `L` was taken.
type TokenOf<L> = <<L as Lock>::Raw as RawLock>::Token;

impl<'a, L: Lock, C: Core> Guard<'a, L, C> {
    /// For a shard that was just locked so.
    #[inline]
    fn new(shard: NonNull<Shard<L, C>>, token: TokenOf<L>) -> Self {
        const { assert!(align_of::<Shard<L, C>>() > 1, "tagged: a bit to spare") };
        // SAFETY: pointers to shards are aligned. Said, so that what is not tagged need not be masked.
        unsafe { assert_unchecked(shard.is_aligned()) };
        Self {
            tagged: shard.map_addr(|address| address | usize::from(token.bit())),
            lifetime: PhantomData,
        }
    }
}

impl<'a, L: Lock, C: Core> QuickGuard<'a, L, C> {
    /// For a shard that was just locked at once.
    #[inline]
    fn at_once(shard: NonNull<Shard<L, C>>, token: TokenOf<L>) -> Self {
        debug_assert_eq!(token.bit(), L::Raw::AT_ONCE.bit(), "it is known beforehand");
        Self {
            tagged: shard,
            lifetime: PhantomData,
        }
    }
}

impl<'a, L: Lock, C: Core, const AT_ONCE: bool> Guard<'a, L, C, AT_ONCE> {
    /// The same, for those who ask how it was locked.
    #[inline]
    pub(crate) fn into_any(self) -> Guard<'a, L, C> {
        let this = ManuallyDrop::new(self);
        if AT_ONCE {
            Guard::new(this.tagged, L::Raw::AT_ONCE)
        } else {
            Guard {
                tagged: this.tagged,
                lifetime: PhantomData,
            }
        }
    }

    #[inline]
    fn token(&self) -> TokenOf<L> {
        if AT_ONCE {
            L::Raw::AT_ONCE
        } else {
            TokenOf::<L>::of_bit(self.tagged.addr().get() & 1 != 0)
        }
    }

    /// The shard, with the provenance of whoever locked it.
    #[inline]
    fn pointer(&self) -> *mut Shard<L, C> {
        if AT_ONCE || size_of::<TokenOf<L>>() == 0 {
            self.tagged.as_ptr()
        } else {
            self.tagged.as_ptr().map_addr(|address| address & !1)
        }
    }

    /// The locked shard.
    #[inline]
    pub(crate) fn shard(&self) -> &Shard<L, C> {
        // SAFETY: tagged; a locked shard is alive; all that changes in it is behind cells.
        unsafe { &*self.pointer() }
    }
}

impl<L: Lock, C: Core, const AT_ONCE: bool> Deref for Guard<'_, L, C, AT_ONCE> {
    type Target = C;

    #[inline]
    fn deref(&self) -> &C {
        let core = self.shard().core.get();
        // SAFETY: valid: a locked shard is alive. Aliasing: only the lock's owner reaches the core, through this guard.
        unsafe { &*core }
    }
}

impl<L: Lock, C: Core, const AT_ONCE: bool> DerefMut for Guard<'_, L, C, AT_ONCE> {
    #[inline]
    fn deref_mut(&mut self) -> &mut C {
        let core = self.shard().core.get();
        // SAFETY: as in `deref`, and `&mut self` makes this the only reference.
        unsafe { &mut *core }
    }
}

impl<L: Lock, C: Core, const AT_ONCE: bool> Drop for Guard<'_, L, C, AT_ONCE> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: a locked shard is alive up to the store that unlocks it.
        let lock = unsafe { &raw const (*self.pointer()).lock };
        // SAFETY: the guard has the lock, and tagged.
        unsafe { L::Raw::unlock(lock, self.token()) }
    }
}

/// The shards of one pool and what they have in common.
///
/// # Invariants
///
/// - *claimed*: `claims` is the number of owners (the pool, each region, each [`Claim`] value); nothing is freed while
///   there is one.
/// - *once-made*: a table entry is null until its shard is made, and never changes after that.
pub(crate) struct Shards<L: Lock, C: Core> {
    /// Where this is: the pointer that may free it (one made from a reference may not).
    this: NonNull<Self>,
    claims: AtomicUsize,
    common: C::Common,
    /// How many places the table has, less one: a power of two, less one.
    mask: usize,
    /// As large as any, so that it lies in here, and a thread finds its shard with one load.
    table: [AtomicPtr<Shard<L, C>>; MOST_SHARDS],
}

impl<L: Lock, C: Core> Shards<L, C> {
    /// What the shards have in common.
    #[inline]
    pub(crate) fn common(&self) -> &C::Common {
        &self.common
    }

    /// The calling thread's place in the table.
    #[inline]
    pub(crate) fn home(&self) -> usize {
        L::thread_number() & self.mask
    }

    /// Locks the calling thread's shard, if that is a matter of a few instructions.
    #[inline]
    pub(crate) fn lock_home_at_once(&self) -> Option<QuickGuard<'_, L, C>> {
        let me = L::thread_number_so_far();
        // The remainder is what it is of, which compilers need not know to see that there is such a place.
        self.get((me & self.mask) % MOST_SHARDS)?.lock_at_once(me)
    }

    /// The shard at `index`, if there is one and it has been made.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<&Shard<L, C>> {
        let shard = self.table.get(index)?.load(Ordering::Acquire);
        // SAFETY: once-made: null or a shard that lives as long as `self`; only shared references are made.
        unsafe { shard.as_ref() }
    }

    /// The shard at `index`, made if need be; `Err` tells the layout for which there was no memory.
    #[inline]
    pub(crate) fn get_or_try_make(&self, index: usize) -> Result<&Shard<L, C>, Layout> {
        match self.get(index) {
            Some(shard) => Ok(shard),
            None => self.make(index),
        }
    }

    #[cold]
    fn make(&self, index: usize) -> Result<&Shard<L, C>, Layout> {
        let made = try_allocate::<Shard<L, C>>()?;
        // SAFETY: freshly allocated.
        unsafe { Shard::write(made, self, index) };
        let entry = &self.table[index];
        if entry
            .compare_exchange(
                ptr::null_mut(),
                made.as_ptr(),
                Ordering::AcqRel,
                Ordering::Acquire,
            )
            .is_err()
        {
            // SAFETY: `made` came from `try_allocate` and nobody else has seen it.
            drop(unsafe { Box::from_raw(made.as_ptr()) });
        }
        Ok(self
            .get(index)
            .expect("once-made: the entry was just filled"))
    }

    /// The shards that have been made, in index order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Shard<L, C>> {
        (0..self.count()).filter_map(|index| self.get(index))
    }

    /// How many places the table has: a power of two.
    pub(crate) fn count(&self) -> usize {
        self.mask + 1
    }

    /// Locks every shard that has been made. Locks are taken in index order and nobody else waits for a second lock while
    /// having one, so nobody waits in a circle.
    pub(crate) fn lock_all(&self) -> AllLocked<'_, L, C> {
        let mut tokens = [None; MOST_SHARDS];
        for shard in self.iter() {
            tokens[shard.index] = Some(shard.lock.lock());
        }
        AllLocked {
            shards: self,
            tokens,
        }
    }

    /// One more owner.
    pub(crate) fn claim(&self) -> Claim<L, C> {
        let before = self.claims.fetch_add(1, Ordering::Relaxed);
        if before > usize::MAX / 2 {
            std::process::abort(); // cannot be reached by regions, which have addresses of their own
        }
        Claim(self.this)
    }
}

impl<L: Lock, C: Core> Drop for Shards<L, C> {
    fn drop(&mut self) {
        for entry in &self.table[..self.count()] {
            let shard = entry.load(Ordering::Relaxed);
            if !shard.is_null() {
                // SAFETY: once-made: the entry came from `try_allocate`, and nobody has a claim any more.
                drop(unsafe { Box::from_raw(shard) });
            }
        }
    }
}

/// All shards of a pool, locked.
pub(crate) struct AllLocked<'a, L: Lock, C: Core> {
    shards: &'a Shards<L, C>,
    /// By index, how each was locked: a shard made after the locks were taken has none.
    tokens: [Option<<L::Raw as RawLock>::Token>; MOST_SHARDS],
}

impl<'a, L: Lock, C: Core> AllLocked<'a, L, C> {
    /// The core of one locked shard.
    pub(crate) fn core(&mut self, index: usize) -> Option<&mut C> {
        let shard = self
            .shards
            .get(index)
            .filter(|_| self.tokens[index].is_some())?;
        // SAFETY: valid: shards live as long as `self.shards`. Aliasing: this value has the lock, and `&mut self` is unique.
        Some(unsafe { &mut *shard.core.get() })
    }

    /// Unlocks all shards but the one at `index`, which is one of them.
    pub(crate) fn keep(mut self, index: usize) -> Guard<'a, L, C> {
        let token = self.tokens[index]
            .take()
            .expect("only a locked shard can be kept");
        let shard = self.shards.get(index).expect("once-made: it is locked");
        Guard::new(NonNull::from(shard), token)
    }
}

impl<L: Lock, C: Core> Drop for AllLocked<'_, L, C> {
    fn drop(&mut self) {
        for shard in self.shards.iter() {
            if let Some(token) = self.tokens[shard.index].take() {
                // SAFETY: this value has the lock, and this is its token.
                unsafe { L::Raw::unlock(&raw const shard.lock, token) }
            }
        }
    }
}

/// One owner of a pool's shards. Dropping it may free them; that must happen outside every lock.
pub(crate) struct Claim<L: Lock, C: Core>(NonNull<Shards<L, C>>);

impl<L: Lock, C: Core> Claim<L, C> {
    /// The claimed shards.
    pub(crate) fn shards(&self) -> &Shards<L, C> {
        // SAFETY: claimed: this value is an owner.
        unsafe { self.0.as_ref() }
    }

    /// Gives the claim to something that lives in memory of its own, such as a region.
    pub(crate) fn into_owner(self) {
        std::mem::forget(self);
    }

    /// Takes back the claim of a region that is about to be freed.
    ///
    /// # Safety
    ///
    /// It was given up with [`into_owner`](Self::into_owner) and is taken back once.
    pub(crate) unsafe fn of_owner(shards: &Shards<L, C>) -> Self {
        Self(shards.this)
    }
}

impl<L: Lock, C: Core> Drop for Claim<L, C> {
    fn drop(&mut self) {
        let shards = self.0;
        // Release: what this owner did happens before the free. Acquire: what all others did, too.
        if self.shards().claims.fetch_sub(1, Ordering::AcqRel) == 1 {
            // SAFETY: claimed: this was the last owner; the pointer came from `LazyShards::make`.
            drop(unsafe { Box::from_raw(shards.as_ptr()) });
        }
    }
}

/// A pool's shards, made when first needed: an unused pool is a null pointer and allocates nothing.
///
/// Dropping it gives up the pool's claim.
pub(crate) struct LazyShards<L: Lock, C: Core>(StaticPtr<Shards<L, C>>);

impl<L: Lock, C: Core> LazyShards<L, C> {
    /// No shards yet.
    pub(crate) const fn new() -> Self {
        Self(StaticPtr::new(ptr::null_mut()))
    }

    /// The shards, if they have been made.
    #[inline]
    pub(crate) fn get(&self) -> Option<&Shards<L, C>> {
        let shards = self.0.load(Ordering::Acquire);
        // SAFETY: null, or made by `make` and claimed by this value; only shared references are made.
        unsafe { shards.as_ref() }
    }

    /// The shards, made if need be; `Err` tells the layout for which there was no memory.
    #[inline]
    pub(crate) fn get_or_try_make(
        &self,
        common: impl FnOnce() -> C::Common,
    ) -> Result<&Shards<L, C>, Layout> {
        match self.get() {
            Some(shards) => Ok(shards),
            None => self.make(common),
        }
    }

    #[cold]
    fn make(&self, common: impl FnOnce() -> C::Common) -> Result<&Shards<L, C>, Layout> {
        let made = try_place(|this| Shards {
            this,
            claims: AtomicUsize::new(1),
            common: common(),
            mask: L::shard_count() - 1,
            table: std::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())),
        })?;
        if self
            .0
            .compare_exchange(
                ptr::null_mut(),
                made.as_ptr(),
                Ordering::AcqRel,
                Ordering::Acquire,
            )
            .is_err()
        {
            // SAFETY: `made` came from `try_place` and nobody else has seen it.
            drop(unsafe { Box::from_raw(made.as_ptr()) });
        }
        Ok(self.get().expect("the pointer was just set"))
    }
}

impl<L: Lock, C: Core> Drop for LazyShards<L, C> {
    fn drop(&mut self) {
        if let Some(shards) = NonNull::new(*self.0.get_mut()) {
            drop(Claim(shards));
        }
    }
}

/// Puts a value on the heap; reports missing memory instead of aborting. `Box::from_raw` frees it.
///
/// The value is told its own address. No box is made here: its claim to be the only pointer would forbid that.
fn try_place<T>(make: impl FnOnce(NonNull<T>) -> T) -> Result<NonNull<T>, Layout> {
    let place = try_allocate::<T>()?;
    // SAFETY: freshly allocated for a `T`. (A panic in `make` would leak it; the callers' closures do not panic.)
    unsafe { place.write(make(place)) };
    Ok(place)
}

/// Room for a value on the heap, or the layout for which there was no memory. `Box::from_raw` frees it once it is written.
fn try_allocate<T>() -> Result<NonNull<T>, Layout> {
    let layout = Layout::new::<T>();
    assert!(layout.size() > 0, "only used for types that hold something");
    // SAFETY: the size was just checked not to be zero.
    let memory = unsafe { alloc(layout) };
    NonNull::new(memory.cast::<T>()).ok_or(layout)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_locked_pool_has_shards_for_all_cores() {
        let count = Locked::shard_count();
        assert!(count.is_power_of_two() && count <= MOST_SHARDS);
        assert!(count >= cores::count().min(MOST_SHARDS), "{count} shards");
        assert_eq!(Unlocked::shard_count(), 1);
    }

    #[test]
    fn threads_that_live_at_once_have_numbers_of_their_own() {
        let mine = Locked::thread_number();
        let others = std::thread::spawn(Locked::thread_number).join().unwrap();
        assert_ne!(mine, others);
        assert_eq!(mine, Locked::thread_number());
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "foreign code ran while a shard was locked")]
    fn a_second_lock_without_a_mutex_is_caught() {
        let lock = NoMutex::new();
        lock.lock();
        lock.lock();
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "foreign code ran while a shard was locked")]
    fn a_second_lock_after_an_owners_is_caught() {
        let lock = NoMutex::new();
        assert_eq!(lock.lock_if_owner(), Some(()));
        lock.lock();
    }
}
