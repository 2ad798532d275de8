#![expect(unsafe_code, reason = "reaches a shard from a slot's header")]
//! Slots behind locks: what a pool's shards have in common, and how they help each other out at the limit.

mod grow;
mod release;
mod remote;

use std::mem::{MaybeUninit, offset_of};
use std::ptr::NonNull;

use super::directory::Directory;
use super::inbox::Inbox;
use super::layout::SlotLayout;
use super::lease::{Lease, Leased};
use super::slots::Slots;
use crate::error::PoolError;
use crate::sync::{
    self, AtomicUsize, Core, Growing, Guard, Lock, Ordering, Room, Rule, Shard, Shards, StaticU64,
    barrier, keeps,
};

use grow::grow_by_a_step;

pub(crate) use grow::reserve;
#[cfg(feature = "rayon")]
pub(crate) use release::Keep;
pub(crate) use release::{
    finish, release_and_finish, release_ending_and_finish, release_left, release_unseen, shrink,
    trim,
};
pub(crate) use remote::{come_in, go_out, leave};

/// What a builder decides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Config {
    /// Slots of each growth step; geometric growth if there is none.
    pub(crate) growth: Option<usize>,
    /// The most slots of the whole pool.
    pub(crate) limit: usize,
    /// The most wholly free chunks of the whole pool; as many as there are if there is none.
    pub(crate) keep_empty: Option<usize>,
}

impl Config {
    pub(crate) const DEFAULT: Self = Self {
        growth: None,
        limit: usize::MAX,
        keep_empty: None,
    };

    /// What is wrong with it.
    pub(crate) const fn fault(&self) -> Option<&'static str> {
        if let Some(0) = self.growth {
            return Some("growth must be at least 1 slot");
        }
        if self.limit == 0 {
            return Some("limit must be at least 1 slot");
        }
        None
    }
}

/// What all shards of a pool have in common.
#[derive(Debug)]
pub(crate) struct Common {
    /// Never given twice, unlike an address.
    number: u64,
    slots: SlotLayout,
    config: Config,
    /// Whether others than the handles reach the objects: then what is posted has [left](leave).
    walked: bool,
    /// Opened slots of all shards, and those just being added.
    capacity: AtomicUsize,
    /// Wholly free chunks of all shards: kept only where `keep_empty` is set.
    idle: AtomicUsize,
    /// How many holds there are.
    holds: AtomicUsize,
    /// How many walks there are that go from chunk to chunk without the lock.
    keeps: AtomicUsize,
}

impl Common {
    pub(crate) fn new(slots: SlotLayout, config: Config, walked: bool) -> Self {
        static NEXT: StaticU64 = StaticU64::new(1);
        let zero = || AtomicUsize::new(0);
        Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            slots,
            config,
            walked,
            capacity: zero(),
            idle: zero(),
            holds: zero(),
            keeps: zero(),
        }
    }

    /// The pool's number.
    #[inline]
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Slots of all shards.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity.load(Ordering::Relaxed)
    }

    /// Whether the pool is held; read under a shard's lock, or behind a barrier, so that a hold opened before is seen.
    #[inline]
    pub(crate) fn is_held(&self) -> bool {
        keeps(Rule::HoldCheck) && self.holds.load(Ordering::Acquire) != 0
    }

    /// One more hold, before it looks for objects: a drop without the lock either sees it, or has marked its slot before. Overflow is
    /// out of reach but for leaked ones: then the process aborts.
    pub(crate) fn raise_hold(&self) {
        if self.holds.fetch_add(1, Ordering::Relaxed) > usize::MAX / 2 {
            std::process::abort();
        }
        barrier::behind_read_modify_write();
    }

    /// One hold less; whether it was the last.
    pub(crate) fn lower_hold(&self) -> bool {
        self.holds.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Whether no chunk may be detached; read under a shard's lock. A hold looks objects up by key without the lock, and a
    /// parallel walk finds its next groups so: in chunks that must stay.
    fn keeps_chunks(&self) -> bool {
        let is_kept = || cfg!(feature = "rayon") && self.keeps.load(Ordering::Acquire) != 0;
        self.is_held() || is_kept()
    }

    /// Forgets holds that were leaked. The caller has the only reference to the pool.
    pub(crate) fn forget_holds(&self) {
        self.holds.swap(0, Ordering::AcqRel);
    }

    /// Adds up to `wanted` slots to the capacity; returns how many the limit allows.
    fn grant(&self, wanted: usize) -> usize {
        let mut granted = 0;
        let _ = self
            .capacity
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |capacity| {
                granted = wanted.min(self.config.limit - capacity);
                Some(capacity + granted)
            });
        granted
    }

    fn revoke(&self, slots: usize) {
        self.capacity.fetch_sub(slots, Ordering::Relaxed);
    }

    /// Follows a change of a counted shard's wholly free chunks.
    fn follow_idle(&self, before: usize, after: usize) {
        self.idle
            .fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
    }
}

/// What a slot shard keeps beside its lock.
#[repr(C)] // the inbox's room last: it is seldom used, and left out when this is made
pub(crate) struct Open<R> {
    /// Drops that the lock's owner began without the lock, of objects that [`Slots::live`] still counts. It alone writes this.
    dropped_by_owner: AtomicUsize,
    /// The chunks in which weak keys were made.
    pub(crate) directory: Directory,
    others: Others<R>,
}

/// What other threads than the lock's owner write: on cache lines of their own.
#[repr(C, align(64))]
struct Others<R> {
    /// As `Open::dropped_by_owner`, of all others, but for those that their posts counted.
    dropped: AtomicUsize,
    /// How many walks are in the shard. Changed under its lock.
    walks: AtomicUsize,
    /// What they have given back.
    inbox: Inbox<R>,
}

impl<R: Room> Open<R> {
    const ROOM_AT: usize =
        offset_of!(Self, others) + offset_of!(Others<R>, inbox) + Inbox::<R>::ROOM_AT;

    fn new() -> Self {
        let others = Others {
            dropped: AtomicUsize::new(0),
            walks: AtomicUsize::new(0),
            inbox: Inbox::new(),
        };
        Self {
            dropped_by_owner: AtomicUsize::new(0),
            directory: Directory::default(),
            others,
        }
    }
}

impl Core for Slots {
    type Common = Common;
    type Open<L: Lock> = Open<L::Room>;

    unsafe fn write(place: NonNull<Self>, common: &Common) {
        // SAFETY: passed on.
        unsafe { Slots::write(place, common.config.keep_empty.is_some()) }
    }

    unsafe fn write_open<L: Lock>(place: NonNull<Open<L::Room>>) {
        type Nowhere = [MaybeUninit<NonNull<u8>>; 0];
        const { assert!(Open::<L::Room>::ROOM_AT == Open::<Nowhere>::ROOM_AT) };
        // SAFETY: the caller's place. Both lie alike up to the room's places, which may be uninitialised. (Copied there, the
        // larger one would touch all their pages.)
        unsafe { place.cast().write(Open::<Nowhere>::new()) };
    }
}

pub(crate) type SlotShards<L> = Shards<L, Slots>;
pub(crate) type SlotShard<L> = Shard<L, Slots>;
pub(crate) type SlotGuard<'a, L, const AT_ONCE: bool = false> = Guard<'a, L, Slots, AT_ONCE>;

/// A leased slot and the lock of its shard.
pub(crate) struct Acquired<'a, L: Lock> {
    pub(crate) slots: SlotGuard<'a, L>,
    pub(crate) lease: Lease,
}

/// Takes a slot of the calling thread's shard, if that is a matter of a few instructions.
///
/// Not inlined: a thousand objects in a row took a seventh longer, for there is more to do between two of them.
#[inline(never)]
pub(crate) fn take_at_once<L: Lock>(shards: &SlotShards<L>) -> Option<Acquired<'_, L>> {
    let mut slots = shards.lock_home_at_once()?;
    match slots.take_at_hand() {
        Some(lease) => Some(Acquired {
            slots: slots.into_any(),
            lease,
        }),
        None => take_not_at_hand(shards, slots.into_any()),
    }
}

#[cold]
fn take_not_at_hand<'a, L: Lock>(
    shards: &SlotShards<L>,
    mut slots: SlotGuard<'a, L>,
) -> Option<Acquired<'a, L>> {
    let shard = shards.get(slots.shard().index())?;
    let lease = take_received(&mut slots, shard)?;
    Some(Acquired { slots, lease })
}

/// Takes a slot: from the shard at `home`, which grows if need be, else from any other.
pub(crate) fn acquire<L: Lock>(
    shards: &SlotShards<L>,
    home: usize,
) -> Result<Acquired<'_, L>, PoolError> {
    if let Some(shard) = shards.get(home) {
        if let Some(acquired) = take(shard) {
            return Ok(acquired);
        }
    }
    acquire_slow(shards, home)
}

/// Takes a free slot of a shard.
#[inline]
fn take<L: Lock>(shard: &SlotShard<L>) -> Option<Acquired<'_, L>> {
    let mut slots = shard.lock();
    let lease = take_locked(&mut slots, shard)?;
    Some(Acquired { slots, lease })
}

#[inline]
fn take_locked<L: Lock>(slots: &mut Slots, shard: &SlotShard<L>) -> Option<Lease> {
    slots.take_at_hand().or_else(|| take_received(slots, shard))
}

/// Takes a slot, also of those that other threads have given back. Few of these are received at once: they are the ones used last,
/// and while there are more to come the owner looks again.
#[cold]
fn take_received<L: Lock>(slots: &mut Slots, shard: &SlotShard<L>) -> Option<Lease> {
    shard.open().others.inbox.drain_some(received(slots, shard));
    let before = slots.idle();
    let lease = slots.take();
    if slots.is_counted() {
        shard.shards().common().follow_idle(before, slots.idle());
    }
    lease
}

/// Releases what other threads have posted. The caller has the shard's lock.
pub(crate) fn receive<L: Lock>(slots: &mut Slots, shard: &SlotShard<L>) {
    shard.open().others.inbox.drain(received(slots, shard));
}

/// What happens to a slot that was posted.
fn received<L: Lock>(slots: &mut Slots, shard: &SlotShard<L>) -> impl FnMut(Lease) {
    let have_left = shard.shards().common().walked;
    move |lease| {
        if have_left {
            lease.come_back();
        }
        slots.count_in(); // whoever dropped it, or posted it, counted it out
        let idle = slots.release(lease);
        debug_assert!(idle.is_none(), "there are no posts in a counted shard");
    }
}

#[cold]
fn acquire_slow<L: Lock>(
    shards: &SlotShards<L>,
    home: usize,
) -> Result<Acquired<'_, L>, PoolError> {
    loop {
        let grown = match shards.get_or_try_make(home) {
            Ok(shard) => grow_by_a_step(shard),
            Err(layout) => Err(PoolError::OutOfMemory { layout }),
        };
        let error = match grown {
            Ok(Some(acquired)) => return Ok(acquired),
            Ok(None) => None,
            Err(error) => Some(error),
        };
        if let Some(acquired) = take_anywhere(shards) {
            return Ok(acquired);
        }
        match (take_with_all_locks(shards), error) {
            (Verdict::Taken(acquired), _) => return Ok(acquired),
            (_, Some(error)) | (Verdict::NoneFree(error), None) => return Err(error),
            // The slots are being added by this very thread, further down its stack.
            (Verdict::BeingAdded(limit), None) if Growing::is_here() => return Err(limit),
            (Verdict::BeingAdded(_), None) => sync::yield_now(),
            (Verdict::MayGrow, None) => {}
        }
    }
}

fn take_anywhere<L: Lock>(shards: &SlotShards<L>) -> Option<Acquired<'_, L>> {
    shards.iter().find_map(take)
}

/// What the pool as a whole can do.
enum Verdict<'a, L: Lock> {
    /// A slot was free.
    Taken(Acquired<'a, L>),
    /// None is free and none may be added.
    NoneFree(PoolError),
    /// None is free, but the limit is not reached.
    MayGrow,
    /// None is free, but another call is about to add some.
    BeingAdded(PoolError),
}

/// Looks at all shards at one moment: only so can it be said that no slot is free.
fn take_with_all_locks<L: Lock>(shards: &SlotShards<L>) -> Verdict<'_, L> {
    let common = shards.common();
    let limit = common.config.limit;
    if !keeps(Rule::AllLocks) {
        return Verdict::NoneFree(PoolError::LimitReached { limit, deferred: 0 });
    }
    let mut locked = shards.lock_all();
    let (mut deferred, mut opened) = (0, 0);
    for index in 0..shards.count() {
        let (Some(slots), Some(shard)) = (locked.core(index), shards.get(index)) else {
            continue;
        };
        deferred += slots.deferred();
        opened += slots.opened();
        if let Some(lease) = take_locked(slots, shard) {
            return Verdict::Taken(Acquired {
                slots: locked.keep(index),
                lease,
            });
        }
    }
    let capacity = common.capacity();
    let reached = PoolError::LimitReached { limit, deferred };
    match () {
        () if capacity < limit => Verdict::MayGrow,
        () if opened < capacity => Verdict::BeingAdded(reached),
        () => Verdict::NoneFree(reached),
    }
}

/// The shard of a leased slot.
#[inline]
pub(crate) fn shard_of<L: Lock>(lease: &Leased) -> NonNull<SlotShard<L>> {
    lease.header().owner().cast()
}

/// Locks the shard of a leased slot.
///
/// # Safety
///
/// - The slot's pool has lock `L`.
/// - The guard is dropped before the slot is given up.
#[inline]
pub(crate) unsafe fn lock_shard_of<'a, L: Lock>(lease: &Leased) -> SlotGuard<'a, L> {
    // SAFETY: one-lease: the slot's region is attached and has a claim, so the shard lives until the slot is released under
    // this very lock. Whoever frees the shard after that has waited for the unlock.
    unsafe { Shard::lock_raw(shard_of::<L>(lease)) }
}

/// Counts the drop of an object whose slot is released later.
///
/// # Safety
///
/// The slot's pool has lock `L`.
#[inline]
pub(crate) unsafe fn count_drop_unlocked<L: Lock>(lease: &Leased) {
    // SAFETY: as in `lock_shard_of`; only atomics are touched.
    let shard = unsafe { shard_of::<L>(lease).as_ref() };
    count_drop(shard, shard.is_owner());
}

/// Counts a drop that begins without the lock; `own` says whether the calling thread is the lock's owner.
#[inline]
fn count_drop<L: Lock>(shard: &SlotShard<L>, own: bool) {
    let open = shard.open();
    if own {
        let before = open.dropped_by_owner.load(Ordering::Relaxed);
        open.dropped_by_owner
            .store(before.wrapping_add(1), Ordering::Relaxed);
    } else {
        open.others.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// Objects of a shard whose drop has not begun.
pub(crate) fn live<L: Lock>(slots: &SlotGuard<'_, L>) -> usize {
    // Whatever began to drop was made, under this lock, before.
    let open = slots.shard().open();
    slots
        .live()
        .wrapping_sub(open.others.dropped.load(Ordering::Relaxed))
        .wrapping_sub(open.dropped_by_owner.load(Ordering::Relaxed))
        .wrapping_sub(open.others.inbox.dropped())
}

/// Tells all shards that the pool is gone.
pub(crate) fn close<L: Lock>(shards: &SlotShards<L>) {
    for shard in shards.iter() {
        let mut slots = shard.lock();
        let walks = shard.open().others.walks.load(Ordering::Relaxed);
        debug_assert_eq!(walks, 0, "who comes in goes out");
        shard.open().others.inbox.close(received(&mut slots, shard));
        slots.close();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Barrier;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use rstest::rstest;

    use super::{PoolError, Verdict, come_in, go_out, take_with_all_locks};
    use crate::sync::{Lock, Locked};
    use crate::{Access, FixedPool, PoolBox};

    /// As many objects as an inbox has room for.
    fn full<A: Access>(pool: &FixedPool<usize, A>) -> Vec<PoolBox<usize, A>> {
        let room = size_of::<<Locked as Lock>::Room>() / size_of::<usize>();
        (0..room).map(|n| pool.alloc(n)).collect()
    }

    /// Drops all objects of a pool elsewhere while their shard is locked; whether that waits for the lock, as `may_wait` allows.
    fn waits<A>(
        pool: &FixedPool<usize, A>,
        handles: Vec<PoolBox<usize, A>>,
        walked: bool,
        may_wait: bool,
    ) -> bool
    where
        A: Access,
        A::Handle<usize>: Send,
    {
        let shards = pool.store.shards().unwrap();
        let locked = shards.get(shards.home()).unwrap().lock();
        if walked {
            come_in(&locked);
        }
        let (done, dropped) = channel();
        let waits = std::thread::scope(|scope| {
            scope.spawn(move || {
                drop(handles);
                done.send(()).unwrap();
            });
            let patience = Duration::from_millis(if may_wait { 50 } else { 60_000 });
            let waits = dropped.recv_timeout(patience).is_err();
            if walked {
                go_out(&locked);
            }
            drop(locked);
            waits
        });
        assert_eq!(pool.len(), 0);
        waits
    }

    #[test]
    fn what_other_threads_drop_waits_for_no_lock_as_long_as_the_inbox_has_room() {
        let pool = FixedPool::unique();
        assert!(!waits(&pool, full(&pool), false, false));
        let pool = FixedPool::new();
        assert!(!waits(&pool, full(&pool), false, false));
        pool.shrink_to_fit(); // empties the inbox
        let mut handles = full(&pool);
        handles.push(pool.alloc(0));
        assert!(waits(&pool, handles, false, true));
    }

    #[test]
    fn what_has_keys_waits_for_no_lock_either() {
        let pool = FixedPool::keyed();
        let handles = full(&pool);
        let keys: Vec<_> = handles.iter().map(PoolBox::downgrade).collect();
        assert!(!waits(&pool, handles, false, false));
        assert!(keys.iter().all(|&key| pool.hold().get(key).is_none()));
    }

    #[rstest]
    fn what_somebody_may_be_looking_at_waits_for_the_lock(#[values(false, true)] held: bool) {
        let pool = FixedPool::new();
        let hold = held.then(|| pool.hold());
        assert!(waits(&pool, vec![pool.alloc(1)], !held, true));
        drop(hold);
        assert_eq!(pool.stats().deferred, 0);
        assert!(!waits(&pool, vec![pool.alloc(1)], false, false));
    }

    #[test]
    fn threads_are_at_home_in_different_shards() {
        let pool = FixedPool::<u8>::new();
        drop(pool.alloc(0));
        let shards = pool.store.shards().unwrap();
        let all_here = Barrier::new(16);
        let home_in = |pool: &FixedPool<u8>| {
            let home = pool.store.shards().unwrap().home();
            all_here.wait(); // while all live, no two have the same number
            home
        };
        let home = || home_in(&pool);
        let homes: BTreeSet<usize> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(home)).collect();
            threads.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(homes.iter().all(|&home| home < shards.count()));
        assert!(homes.len() > 1 || shards.count() == 1, "{homes:?}");
    }

    #[test]
    fn the_limit_is_reported_only_where_it_is_reached() {
        let pool = FixedPool::builder().growth(2).limit(4).build();
        let mut handles = vec![pool.alloc(0), pool.alloc(1)];
        let shards = pool.store.shards().unwrap();
        assert!(matches!(take_with_all_locks(shards), Verdict::MayGrow));
        assert_eq!(shards.common().grant(9), 2); // as another thread would, before it adds them
        let verdict = take_with_all_locks(shards);
        assert!(matches!(verdict, Verdict::BeingAdded(_)));
        shards.common().revoke(2);
        handles.extend([pool.alloc(2), pool.alloc(3)]);
        let Verdict::NoneFree(error) = take_with_all_locks(shards) else {
            panic!("no slot is free, and none may be added");
        };
        assert!(matches!(error, PoolError::LimitReached { limit: 4, .. }));
        handles.pop();
        let Verdict::Taken(acquired) = take_with_all_locks(shards) else {
            panic!("a slot is free");
        };
        let mut slots = acquired.slots;
        slots.release(acquired.lease);
    }
}
