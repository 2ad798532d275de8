#![expect(unsafe_code, reason = "lends objects that a hold keeps")]
//! Holds: while one lives no object of the pool is destroyed, so references last as long as the hold, not just a closure.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};
use std::ptr::NonNull;

use super::key::WeakKey;
use super::pool_box::PoolBox;
use super::reach;
use super::retire::sweep_deferred;
use super::shard::{SlotShards, trim};
use super::store::Store;
use crate::access::{Access, Keyed, Shared, ThroughPool};
use crate::error::{PoolError, Rejected};
use crate::generic::FixedPool; // only to name what callers can name in bounds
use crate::sync::{AtomicU64, Lock, Locked, MOST_SHARDS, Ordering, Rule, keeps};

mod iter;

use iter::Spots;
pub use iter::{Iter, IterKeys, IterMut};

const DEAD: &str = "no live object of the held pool answers to this key";

/// What both kinds of hold are: one of the pool's hold count.
///
/// # Invariants
///
/// *held-is-intact*: while this lives, no object of the store is destroyed whose drop had not begun, and no chunk detached
/// that is in its shard's directory, once the shard's lock was taken after the count was raised: by this thread, or by one
/// whose bit in `passed` was acquired.
struct Held<'p, T, A: Access, L: Lock> {
    store: &'p Store<T, A, L>,
    shards: &'p SlotShards<L>,
    /// The shards whose lock was taken since the count was raised: from then on every drop there sees the hold, but for those that
    /// [leave](super::shard::leave), of whose objects it sees nothing.
    passed: AtomicU64,
}

impl<'p, T, A: Access, L: Lock> Held<'p, T, A, L> {
    fn try_new(store: &'p Store<T, A, L>) -> Result<Self, PoolError> {
        let shards = store.shards_or_make()?;
        shards.common().raise_hold();
        Ok(Self {
            store,
            shards,
            passed: AtomicU64::new(0),
        })
    }

    /// The object of a key, if its drop has not begun.
    #[inline]
    fn find(&self, key: WeakKey<T>) -> Option<NonNull<T>> {
        let index = key.shard_index();
        let order = if keeps(Rule::PassOrder) {
            Ordering::Acquire
        } else {
            Ordering::Relaxed
        };
        if self.passed.load(order) & bit(index) == 0 && keeps(Rule::Pass) {
            self.pass(index)?;
        }
        let shard = self.shards.get(index)?;
        // SAFETY: the pool is held, and the shard's lock was taken since.
        unsafe { key.find(shard) }.map(NonNull::cast)
    }

    /// Takes the lock of a shard once, so that drops and detachments under it are either over or see the hold.
    #[cold]
    fn pass(&self, index: usize) -> Option<()> {
        if index >= self.shards.count() {
            return None;
        }
        drop(self.shards.get(index)?.lock());
        self.passed.fetch_or(bit(index), Ordering::Release);
        Some(())
    }

    /// The object of a handle.
    ///
    /// # Panics
    ///
    /// If it is another pool's.
    #[track_caller]
    fn of_handle(&self, handle: &PoolBox<T, A, L>) -> NonNull<T> {
        assert!(
            reach::owns(self.store, handle),
            "the handle is another pool's"
        );
        handle.object()
    }
}

impl<T, A: Access, L: Lock> Drop for Held<'_, T, A, L> {
    fn drop(&mut self) {
        if self.shards.common().lower_hold() {
            carry_out::<T, A, L>(self.store);
        }
    }
}

const _: () = assert!(MOST_SHARDS <= u64::BITS as usize, "a bit for each");

/// The bit of a shard in [`Held::passed`].
#[inline]
fn bit(index: usize) -> u64 {
    1 << index
}

/// Does what forgotten holds have put off: with the only reference to the pool, no hold can be in use.
#[inline]
pub(crate) fn forget_leaked_holds<T, A: Access, L: Lock>(store: &mut Store<T, A, L>) {
    if store
        .shards()
        .is_some_and(|shards| shards.common().is_held())
    {
        forget(store);
    }
}

#[cold]
fn forget<T, A: Access, L: Lock>(store: &mut Store<T, A, L>) {
    if let Some(shards) = store.shards() {
        shards.common().forget_holds();
    }
    carry_out(store);
}

/// Does what holds that are gone have put off: destroys, and gives back.
fn carry_out<T, A: Access, L: Lock>(store: &Store<T, A, L>) {
    /// Even if a destructor panics.
    struct Trim<'a, L: Lock>(&'a SlotShards<L>);

    impl<L: Lock> Drop for Trim<'_, L> {
        fn drop(&mut self) {
            trim(self.0);
        }
    }

    if let Some(shards) = store.shards() {
        let _trim = Trim(shards);
        // SAFETY: typed, by the store.
        unsafe { sweep_deferred::<T, A, L>(shards) };
    }
}

/// Keeps all objects of a pool in place: from [`hold`](crate::generic::FixedPool::hold).
///
/// While a hold lives no object of the pool is destroyed. Handles may be dropped, here and on other threads: that returns at
/// once, the object counts as dead (for `len`, walks and look-ups alike), and it is destroyed when the last hold goes, on its
/// thread. So references into the pool live as long as the hold, and keys can be followed from object to object.
///
/// A held pool that is full stays full: slots become free as their objects are destroyed. Chunks are not given back either.
/// `mem::forget` of a hold puts destructions off until the pool is next borrowed uniquely or dropped, or for ever.
///
/// ```
/// use mem_pool::{FixedPool, PoolBox, WeakKey};
///
/// struct Person { name: &'static str, friend: Option<WeakKey<Person>> }
///
/// let pool = FixedPool::new();
/// let ann = pool.alloc(Person { name: "Ann", friend: None });
/// let bob = pool.alloc(Person { name: "Bob", friend: Some(PoolBox::downgrade(&ann)) });
///
/// let hold = pool.hold();
/// let friend = hold.get(hold[&bob].friend.unwrap()).unwrap();
/// drop(ann);                                      // put off: `friend` is a reference to her
/// assert_eq!(friend.name, "Ann");
/// assert!(hold.get(hold[&bob].friend.unwrap()).is_none()); // but she is not found any more
/// assert_eq!(hold.iter().count(), 1);
/// ```
///
/// A reference cannot outlive its hold, nor a hold its pool:
///
/// ```compile_fail,E0505
/// let pool = mem_pool::FixedPool::new();
/// let handle = pool.alloc(5);
/// let hold = pool.hold();
/// let five = &hold[&handle];
/// drop(hold);
/// println!("{five}");
/// ```
pub struct Hold<'p, T, A: Access = Shared, L: Lock = Locked> {
    held: Held<'p, T, A, L>,
}

// SAFETY: a hold gives `&T` and may run destructors where it is dropped, as `&pool` does.
unsafe impl<T, A: Access, L: Lock> Send for Hold<'_, T, A, L> where FixedPool<T, A, L>: Sync {}
// SAFETY: through `&Hold` there is what `&pool` gives; which shards were passed is an atomic.
unsafe impl<T, A: Access, L: Lock> Sync for Hold<'_, T, A, L> where FixedPool<T, A, L>: Sync {}

impl<'p, T, A: ThroughPool, L: Lock> Hold<'p, T, A, L> {
    pub(crate) fn try_new(store: &'p Store<T, A, L>) -> Result<Self, PoolError> {
        Held::try_new(store).map(|held| Self { held })
    }

    /// The live objects, by chunk, then by address. To go through all of them takes as long as
    /// [`for_each`](FixedPool::for_each).
    ///
    /// Objects made or dropped meanwhile are given at most once; none whose drop had returned.
    pub fn iter(&self) -> Iter<'_, T, A, L> {
        Iter {
            spots: Spots::new(&self.held),
        }
    }

    /// The live objects with their keys. Makes keys, and so may allocate.
    pub fn iter_keys(&self) -> IterKeys<'_, T, A, L> {
        IterKeys {
            spots: Spots::new(&self.held),
        }
    }

    /// The object of a key; `None` if its drop has begun, or if it is another pool's. O(1), without a lock.
    ///
    /// A handle is as good as a key, `hold.get(&handle)`, but the first key that is made in a chunk needs the lock and memory;
    /// `hold[&handle]` makes none.
    #[inline]
    pub fn get(&self, key: impl Into<WeakKey<T>>) -> Option<&T> {
        // SAFETY: valid: held-is-intact. Aliasing: `A` gives `&T` at most, while the pool is borrowed shared.
        self.held
            .find(key.into())
            .map(|object| unsafe { object.as_ref() })
    }
}

/// # Panics
///
/// If no live object of the pool answers to the key.
impl<T, A: ThroughPool, L: Lock> Index<WeakKey<T>> for Hold<'_, T, A, L> {
    type Output = T;

    #[inline]
    #[track_caller]
    fn index(&self, key: WeakKey<T>) -> &T {
        self.get(key).expect(DEAD)
    }
}

/// # Panics
///
/// If the handle is another pool's.
impl<T, A: ThroughPool, L: Lock> Index<&PoolBox<T, A, L>> for Hold<'_, T, A, L> {
    type Output = T;

    #[inline]
    #[track_caller]
    fn index(&self, handle: &PoolBox<T, A, L>) -> &T {
        // SAFETY: valid: the handle is alive, and when it is dropped the hold keeps its object. Aliasing: as in `get`.
        unsafe { self.held.of_handle(handle).as_ref() }
    }
}

impl<'h, T, A: ThroughPool, L: Lock> IntoIterator for &'h Hold<'_, T, A, L> {
    type Item = &'h T;
    type IntoIter = Iter<'h, T, A, L>;

    fn into_iter(self) -> Iter<'h, T, A, L> {
        self.iter()
    }
}

impl<T, A: Access, L: Lock> fmt::Debug for Hold<'_, T, A, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold").finish_non_exhaustive()
    }
}

/// Keeps all objects of a keyed pool in place and lends them mutably: from
/// [`hold_mut`](crate::generic::FixedPool::hold_mut).
///
/// All that [`Hold`] says holds here, too. This is the place for an update that looks around: it follows keys, changes
/// objects, and with [`split`](Self::split) spawns new ones while it walks.
///
/// ```
/// use mem_pool::{FixedPool, PoolBox};
///
/// struct Turret { ammo: u32 }
///
/// let mut pool = FixedPool::keyed();
/// let turret = pool.alloc(Turret { ammo: 3 });
/// let key = PoolBox::downgrade(&turret);
///
/// let mut hold = pool.hold_mut();
/// hold[key].ammo -= 1;
/// drop(turret);                        // returns at once; the object goes with the hold
/// assert!(hold.get_mut(key).is_none());
/// ```
pub struct HoldMut<'p, T, L: Lock = Locked> {
    held: Held<'p, T, Keyed, L>,
    unique: PhantomData<&'p mut T>,
}

// SAFETY: a unique hold is the only way to its objects, like `&mut pool`, and may run destructors where it is dropped.
unsafe impl<T, L: Lock> Send for HoldMut<'_, T, L> where FixedPool<T, Keyed, L>: Send {}
// SAFETY: through `&HoldMut` there is `&T`, as through `&pool`.
unsafe impl<T, L: Lock> Sync for HoldMut<'_, T, L> where FixedPool<T, Keyed, L>: Sync {}

impl<'p, T, L: Lock> HoldMut<'p, T, L> {
    pub(crate) fn try_new(store: &'p mut Store<T, Keyed, L>) -> Result<Self, PoolError> {
        forget_leaked_holds(store);
        Held::try_new(store).map(|held| Self {
            held,
            unique: PhantomData,
        })
    }

    /// As [`Hold::iter`].
    pub fn iter(&self) -> Iter<'_, T, Keyed, L> {
        Iter {
            spots: Spots::new(&self.held),
        }
    }

    /// As [`Hold::iter_keys`].
    pub fn iter_keys(&self) -> IterKeys<'_, T, Keyed, L> {
        IterKeys {
            spots: Spots::new(&self.held),
        }
    }

    /// The live objects, by chunk, then by address, to be changed.
    pub fn iter_mut(&mut self) -> IterMut<'_, T, L> {
        IterMut {
            spots: Spots::new(&self.held),
            unique: PhantomData,
        }
    }

    /// As [`Hold::get`].
    #[inline]
    pub fn get(&self, key: impl Into<WeakKey<T>>) -> Option<&T> {
        // SAFETY: valid: held-is-intact. Aliasing: handles of a keyed pool give nothing, and this hold, the only way to the
        // objects, is borrowed shared.
        self.held
            .find(key.into())
            .map(|object| unsafe { object.as_ref() })
    }

    /// As [`Hold::get`], to be changed.
    #[inline]
    pub fn get_mut(&mut self, key: impl Into<WeakKey<T>>) -> Option<&mut T> {
        // SAFETY: valid: held-is-intact. Aliasing: handles of a keyed pool give nothing, and this hold, the only way to the
        // objects, is borrowed uniquely.
        self.held
            .find(key.into())
            .map(|mut object| unsafe { object.as_mut() })
    }

    /// The objects of several keys at once; `None` if one is dead, another pool's, or named twice. O(`N`²).
    pub fn get_disjoint_mut<const N: usize>(
        &mut self,
        keys: [WeakKey<T>; N],
    ) -> Option<[&mut T; N]> {
        let mut objects = [NonNull::dangling(); N];
        for (index, key) in keys.iter().enumerate() {
            if keys[..index].contains(key) {
                return None;
            }
            objects[index] = self.held.find(*key)?;
        }
        // SAFETY: as in `get_mut`, for each was found; different keys are of different objects, so no two references overlap.
        Some(objects.map(|mut object| unsafe { object.as_mut() }))
    }

    /// The live objects to be changed, and beside them a [`Spawner`] for new ones.
    ///
    /// An object spawned meanwhile is given by the iterator at most once.
    ///
    /// ```
    /// use mem_pool::FixedPool;
    ///
    /// let mut pool = FixedPool::keyed();
    /// let first = pool.alloc(1);
    /// let mut hold = pool.hold_mut();
    /// let (numbers, spawner) = hold.split();
    /// let spawned: Vec<_> = numbers.map(|n| spawner.alloc(*n + 1)).collect();
    /// drop(hold);
    /// assert!(pool.len() >= 2);
    /// assert_eq!(*pool.at(&spawned[0]), 2);
    /// # drop(first);
    /// ```
    pub fn split(&mut self) -> (IterMut<'_, T, L>, Spawner<'_, T, L>) {
        let objects = IterMut {
            spots: Spots::new(&self.held),
            unique: PhantomData,
        };
        (
            objects,
            Spawner {
                store: self.held.store,
            },
        )
    }
}

/// # Panics
///
/// If no live object of the pool answers to the key.
impl<T, L: Lock> Index<WeakKey<T>> for HoldMut<'_, T, L> {
    type Output = T;

    #[inline]
    #[track_caller]
    fn index(&self, key: WeakKey<T>) -> &T {
        self.get(key).expect(DEAD)
    }
}

/// # Panics
///
/// If no live object of the pool answers to the key.
impl<T, L: Lock> IndexMut<WeakKey<T>> for HoldMut<'_, T, L> {
    #[inline]
    #[track_caller]
    fn index_mut(&mut self, key: WeakKey<T>) -> &mut T {
        self.get_mut(key).expect(DEAD)
    }
}

/// # Panics
///
/// If the handle is another pool's.
impl<T, L: Lock> Index<&PoolBox<T, Keyed, L>> for HoldMut<'_, T, L> {
    type Output = T;

    #[inline]
    #[track_caller]
    fn index(&self, handle: &PoolBox<T, Keyed, L>) -> &T {
        // SAFETY: valid: the handle is alive, and when it is dropped the hold keeps its object. Aliasing: as in `get`.
        unsafe { self.held.of_handle(handle).as_ref() }
    }
}

/// # Panics
///
/// If the handle is another pool's.
impl<T, L: Lock> IndexMut<&PoolBox<T, Keyed, L>> for HoldMut<'_, T, L> {
    #[inline]
    #[track_caller]
    fn index_mut(&mut self, handle: &PoolBox<T, Keyed, L>) -> &mut T {
        // SAFETY: valid: the handle is alive, and when it is dropped the hold keeps its object. Aliasing: as in `get_mut`.
        unsafe { self.held.of_handle(handle).as_mut() }
    }
}

impl<'h, T, L: Lock> IntoIterator for &'h HoldMut<'_, T, L> {
    type Item = &'h T;
    type IntoIter = Iter<'h, T, Keyed, L>;

    fn into_iter(self) -> Iter<'h, T, Keyed, L> {
        self.iter()
    }
}

impl<'h, T, L: Lock> IntoIterator for &'h mut HoldMut<'_, T, L> {
    type Item = &'h mut T;
    type IntoIter = IterMut<'h, T, L>;

    fn into_iter(self) -> IterMut<'h, T, L> {
        self.iter_mut()
    }
}

impl<T, L: Lock> fmt::Debug for HoldMut<'_, T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HoldMut").finish_non_exhaustive()
    }
}

/// Makes objects while the others are updated: from [`HoldMut::split`].
pub struct Spawner<'h, T, L: Lock = Locked> {
    store: &'h Store<T, Keyed, L>,
}

// SAFETY: a spawner moves objects into the pool and gives no reference to any.
unsafe impl<T, L: Lock> Send for Spawner<'_, T, L> where FixedPool<T, Keyed, L>: Send {}
// SAFETY: through `&Spawner` objects are moved in, too, from two threads at once, as each shard is locked.
unsafe impl<T, L: Lock> Sync for Spawner<'_, T, L> where FixedPool<T, Keyed, L>: Send {}

impl<T, L: Lock> Spawner<'_, T, L> {
    /// As [`FixedPool::alloc`](crate::generic::FixedPool::alloc).
    ///
    /// # Panics
    ///
    /// As `FixedPool::alloc`. Slots of objects dropped under a hold are not free before it ends.
    #[track_caller]
    pub fn alloc(&self, value: T) -> PoolBox<T, Keyed, L> {
        PoolBox::new_in(self.store, value)
    }

    /// As [`FixedPool::try_alloc`](crate::generic::FixedPool::try_alloc).
    ///
    /// # Errors
    ///
    /// As `FixedPool::try_alloc`.
    pub fn try_alloc(&self, value: T) -> Result<PoolBox<T, Keyed, L>, Rejected<T>> {
        PoolBox::try_new_in(self.store, value)
    }

    /// As [`FixedPool::spawn`](crate::generic::FixedPool::spawn): makes an object that belongs to the pool.
    ///
    /// # Panics
    ///
    /// As [`alloc`](Self::alloc).
    #[track_caller]
    pub fn spawn(&self, value: T) -> WeakKey<T> {
        self.adopt(self.alloc(value))
    }

    /// As [`FixedPool::adopt`](crate::generic::FixedPool::adopt).
    ///
    /// # Panics
    ///
    /// If the handle is another pool's: it is dropped then, and its object with it. When memory is out for the key, calls
    /// [`handle_alloc_error`](std::alloc::handle_alloc_error).
    #[track_caller]
    pub fn adopt(&self, handle: PoolBox<T, Keyed, L>) -> WeakKey<T> {
        reach::adopt(self.store, handle)
    }
}

impl<T, L: Lock> fmt::Debug for Spawner<'_, T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawner").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::bit;
    use crate::local::FixedPool;

    #[test]
    fn only_the_first_look_into_a_shard_takes_its_lock() {
        let pool = FixedPool::new();
        let handle = pool.alloc(7);
        let hold = pool.hold();
        assert_eq!(hold.get(&handle), Some(&7));
        // With debug assertions a second lock of an `Unlocked` shard is caught.
        let _locked = pool.store.shards().unwrap().get(0).unwrap().lock();
        assert_eq!(hold.get(&handle), Some(&7));
    }

    #[test]
    fn each_shard_has_a_bit_of_its_own() {
        assert_eq!([0, 1, 63].map(bit), [1, 2, 1 << 63]);
    }
}
