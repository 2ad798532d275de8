#![expect(unsafe_code, reason = "reaches a chunk's stamps and directory")]
//! [`WeakKey`]: a copyable name of an object that does not keep it alive and never answers for another one.

use std::cmp;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::num::NonZeroU64;
use std::ptr::NonNull;

use super::directory::Larger;
use super::header::Header;
use super::lease::Leased;
use super::pool_box::PoolBox;
use super::shard::{SlotShard, SlotShards};
use crate::access::ThroughPool;
use crate::sync::{AtomicU64, Lock, Ordering, StaticU64};

/// A name of an object in a [`Shared`](crate::Shared) or [`Keyed`](crate::Keyed) pool: 16 bytes, `Copy`, good as a key of hash maps
/// and sorted maps.
///
/// It does not keep the object alive. Looking it up, in a [hold](crate::generic::FixedPool::hold) of the pool, gives the very
/// object it was made of or nothing: keys are stamped with a number that is never given again, so neither an object that
/// later uses the same slot, nor another pool, nor a chunk that was given back can be mistaken for it. (Generational keys go
/// back to the slot maps of game programming; these do not wrap around.)
///
/// Two keys are equal if they were made of the same object; they are ordered by when the first key of each object was made.
///
/// A pool that never makes one pays nothing. The first key of a chunk makes room for a stamp (8 bytes) for each of its slots.
///
/// ```
/// use mem_pool::{FixedPool, PoolBox};
///
/// struct Ship { hull: u32 }
///
/// let pool = FixedPool::<Ship>::keyed();
/// let ship = pool.alloc(Ship { hull: 100 });
/// let target = PoolBox::downgrade(&ship);
/// assert_eq!(pool.hold().get(target).map(|ship| ship.hull), Some(100));
/// drop(ship);
/// assert!(pool.hold().get(target).is_none());
/// ```
pub struct WeakKey<T> {
    stamp: NonZeroU64,
    serial: u32,
    slot: u16,
    shard: u8,
    marker: PhantomData<fn() -> T>,
}

const _: () = assert!(size_of::<Option<WeakKey<String>>>() == 16);

impl<T, A: ThroughPool, L: Lock> From<&PoolBox<T, A, L>> for WeakKey<T> {
    fn from(handle: &PoolBox<T, A, L>) -> Self {
        PoolBox::downgrade(handle)
    }
}

impl<T> From<&WeakKey<T>> for WeakKey<T> {
    fn from(key: &WeakKey<T>) -> Self {
        *key
    }
}

impl<T> WeakKey<T> {
    /// The key of a leased object, whose drop has not begun.
    ///
    /// # Safety
    ///
    /// The slot is one of a pool with objects `T` and lock `L`. No lock is held.
    pub(crate) unsafe fn of<L: Lock>(lease: &Leased) -> Self {
        let header = lease.header();
        // SAFETY: leased: the region is attached, and its claim keeps the shard. Aliasing: a shard is only ever shared.
        let shard = unsafe { header.owner().cast::<SlotShard<L>>().as_ref() };
        if header.stamps().is_none() {
            install_stamps(shard, header);
        }
        Self::of_stamped(shard, header, header.index_of(lease.slot()))
    }

    /// The key of a live object in a chunk that has stamps. The object's drop is not carried out meanwhile: the caller has its handle,
    /// or a hold and its shard's lock.
    pub(crate) fn of_stamped<L: Lock>(shard: &SlotShard<L>, header: &Header, index: usize) -> Self {
        let stamps = header
            .stamps()
            .expect("stamped: the chunk was just given stamps");
        Self {
            stamp: stamp(&stamps[index]),
            serial: header.serial(),
            slot: index as u16,
            shard: shard.index() as u8,
            marker: PhantomData,
        }
    }

    /// The shard of the object, if the pool has as many.
    pub(crate) fn shard_index(self) -> usize {
        usize::from(self.shard)
    }

    /// The object's slot, with the provenance of its region, if its drop has not begun.
    ///
    /// # Safety
    ///
    /// `shard` is at [`shard_index`](Self::shard_index) of its pool's table. Either the caller has its lock; or the pool is
    /// held, and its lock was taken since.
    #[inline]
    pub(crate) unsafe fn find<L: Lock>(self, shard: &SlotShard<L>) -> Option<NonNull<u8>> {
        let header = shard.open().directory.find(self.serial)?;
        // SAFETY: found-is-attached, and chunks are detached only under the shard's lock, while the pool is not held: either
        // the entry was removed before the lock was taken, which we would see, or the chunk stays.
        let header = unsafe { header.as_ref() };
        let index = usize::from(self.slot);
        let stamp = header.stamps()?.get(index)?.load(Ordering::Acquire);
        (stamp == self.stamp.get()).then(|| header.slot(index))
    }
}

/// The stamp of a live object, given now if this is its first key.
fn stamp(place: &AtomicU64) -> NonZeroU64 {
    static LAST: StaticU64 = StaticU64::new(0);
    if let Some(stamp) = NonZeroU64::new(place.load(Ordering::Acquire)) {
        return stamp;
    }
    // 64 bits: at a key a nanosecond they last for centuries.
    let fresh = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    let given = match place.compare_exchange(0, fresh, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => fresh,
        Err(others) => others, // another thread has a reference to the handle, too
    };
    NonZeroU64::new(given).expect("stamps start at 1 and are cleared only when the object ends")
}

/// Gives a chunk its stamps, and the shard's directory room for it. No lock is held.
///
/// The chunk stays attached meanwhile.
#[cold]
pub(crate) fn install_stamps<L: Lock>(shard: &SlotShard<L>, header: &Header) {
    let mut stamps = Some(
        (0..header.total())
            .map(|_| AtomicU64::new(0))
            .collect::<Box<[_]>>(),
    );
    let mut larger = None;
    loop {
        let directory = &shard.open().directory;
        let slots = shard.lock();
        if header.stamps().is_some() {
            break;
        }
        let unused = larger.take().and_then(|larger| directory.enlarge(larger));
        if let Some(serial) = directory.insert(NonNull::from(header)) {
            header.set_stamps(stamps.take().expect("they are set once"), serial);
            drop(slots);
            drop(unused);
            break;
        }
        let len = directory.next_len();
        drop(slots);
        drop(unused);
        match Larger::try_new(len) {
            Ok(made) => larger = Some(made),
            Err(layout) => std::alloc::handle_alloc_error(layout),
        }
    }
}

/// Looks a key up in a pool that is not held; the answer is as good as the caller's reasons for the object to stay.
///
/// # Safety
///
/// `f` does not keep the slot, whose shard is locked while it runs.
pub(crate) unsafe fn find_locked<T, L: Lock, R>(
    shards: &SlotShards<L>,
    key: WeakKey<T>,
    f: impl FnOnce(&mut super::slots::Slots, NonNull<u8>) -> Option<R>,
) -> Option<R> {
    if key.shard_index() >= shards.count() {
        return None;
    }
    let shard = shards.get(key.shard_index())?;
    let mut slots = shard.lock();
    // SAFETY: the shard is at the key's index, and locked.
    let slot = unsafe { key.find(shard) }?;
    f(&mut slots, slot)
}

impl<T> Clone for WeakKey<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for WeakKey<T> {}

impl<T> PartialEq for WeakKey<T> {
    fn eq(&self, other: &Self) -> bool {
        self.stamp == other.stamp
    }
}

impl<T> Eq for WeakKey<T> {}

impl<T> PartialOrd for WeakKey<T> {
    fn partial_cmp(&self, other: &Self) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for WeakKey<T> {
    fn cmp(&self, other: &Self) -> cmp::Ordering {
        self.stamp.cmp(&other.stamp)
    }
}

impl<T> Hash for WeakKey<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.stamp.hash(state);
    }
}

impl<T> fmt::Debug for WeakKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WeakKey({})", self.stamp)
    }
}
