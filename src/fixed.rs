//! [`FixedPool`], the pool of same-type objects, and its builder: policy, in safe code.
//!
//! What it stands on, lowest first: [`layout`] (arithmetic), [`header`] and [`region`] (chunks), [`slots`] (the core), [`shard`] (locks
//! around it), [`store`] (with the objects' type), [`retire`] (how objects end), [`visit`] (walks), [`key`] (weak keys),
//! [`pool_box`] and [`vacant`] (handles), [`reach`] (objects by handle, and the pool's own), [`hold`], [`picture`].

mod directory;
mod header;
pub(crate) mod hold;
mod inbox;
pub(crate) mod key;
mod layout;
mod lease;
mod magazine;
#[cfg(feature = "rayon")]
mod par;
mod picture;
pub(crate) mod pool_box;
mod reach;
mod region;
mod retire;
mod shard;
mod slots;
mod store;
pub(crate) mod vacant;
mod visit;

use std::fmt;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::access::{Access, Keyed, Shared, ThroughPool, Unique};
use crate::error::{PoolError, Rejected, or_fail};
use crate::map::HeapMap;
use crate::stats::FixedStats;
use crate::sync::Lock;
use hold::{Hold, HoldMut, forget_leaked_holds};
use key::WeakKey;
use pool_box::PoolBox;
use shard::{Config, SlotGuard, SlotShards};
use store::Store;
use vacant::Vacant;

/// A pool of objects of one type, behind owning handles, that can be walked while the handles are alive.
///
/// `A` says who may reach an object ([`Shared`], [`Unique`] or [`Keyed`]: see [`Access`]); `L` whether threads may share the
/// pool ([`Locked`](crate::Locked)) or not ([`Unlocked`](crate::Unlocked)). Name it as
/// [`mem_pool::FixedPool<T, A>`](crate::FixedPool) or [`mem_pool::local::FixedPool<T, A>`](crate::local::FixedPool).
///
/// An unused pool is a few words and allocates nothing, so it can stand in a `static`.
/// The table in [`Access`] says when it is `Send` and `Sync`.
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use mem_pool::{FixedPool, PoolBox};
///
/// struct Session { requests: AtomicU32 }
/// static SESSIONS: FixedPool<Session> = FixedPool::new();
///
/// let session: PoolBox<Session> = SESSIONS.alloc(Session { requests: AtomicU32::new(0) });
/// session.requests.fetch_add(1, Ordering::Relaxed);      // the owner reaches it through the handle,
/// let mut busy = 0;
/// SESSIONS.for_each(|session| busy += session.requests.load(Ordering::Relaxed)); // everyone through the pool
/// assert_eq!((busy, SESSIONS.len()), (1, 1));
/// drop(session);
/// assert!(SESSIONS.is_empty());
/// ```
///
/// # Dropping the pool
///
/// Handles may outlive their pool: memory goes back as the last handle of each region goes.
///
/// ```
/// let pool = mem_pool::FixedPool::new();
/// let handle = pool.alloc(5);
/// drop(pool);
/// assert_eq!(*handle, 5);
/// ```
///
/// # Objects
///
/// An object may be of any size, none included, and aligned to up to 32 KiB; a type that is aligned to more does not compile. It
/// may borrow what was there before the pool: not the pool itself, nor what is dropped before it, for the pool runs destructors,
/// which may look at what their object borrows. (A `Vec` promises not to look, which takes an unstable feature.)
///
/// ```
/// use mem_pool::FixedPool;
///
/// let text = String::from("one two");
/// let words = FixedPool::new(); // after the text
/// let handles: Vec<_> = text.split(' ').map(|word| words.alloc(word)).collect();
/// assert_eq!(words.len(), handles.len());
/// ```
///
/// # Variance
///
/// A pool is invariant in `T`: one of `&'static str` is not one of `&'a str`.
///
/// ```compile_fail
/// use mem_pool::FixedPool;
/// fn shorten<'a>(pool: &'a FixedPool<&'static str>) -> &'a FixedPool<&'a str> { pool }
/// ```
pub struct FixedPool<T, A: Access, L: Lock> {
    store: Store<T, A, L>,
}

impl<T, L: Lock> FixedPool<T, Shared, L> {
    /// An empty pool whose handles and walks both give `&T`. Allocates nothing.
    pub const fn new() -> Self {
        FixedPoolBuilder::<T, Shared, L>::new().build()
    }

    /// An empty pool whose handles alone reach their objects, as `&T` and `&mut T`. Allocates nothing.
    pub const fn unique() -> FixedPool<T, Unique, L> {
        FixedPoolBuilder::<T, Shared, L>::new().unique().build()
    }

    /// An empty pool whose handles are owning keys: the pool alone gives `&T` and `&mut T`. Allocates nothing.
    pub const fn keyed() -> FixedPool<T, Keyed, L> {
        FixedPoolBuilder::<T, Shared, L>::new().keyed().build()
    }

    /// Chooses growth, limit and access before building.
    pub const fn builder() -> FixedPoolBuilder<T, Shared, L> {
        FixedPoolBuilder::new()
    }
}

impl<T, A: Access, L: Lock> FixedPool<T, A, L> {
    /// Moves a value into the pool. O(1), but for growth.
    ///
    /// # Panics
    ///
    /// If the limit is reached. When memory is out, calls [`handle_alloc_error`](std::alloc::handle_alloc_error).
    #[inline]
    #[track_caller]
    pub fn alloc(&self, value: T) -> PoolBox<T, A, L> {
        PoolBox::new_in(&self.store, value)
    }

    /// Moves a value into the pool, or gives it back.
    ///
    /// # Errors
    ///
    /// [`LimitReached`](PoolError::LimitReached), if at some moment of the call no slot was free and none could be added;
    /// [`OutOfMemory`](PoolError::OutOfMemory).
    #[inline]
    pub fn try_alloc(&self, value: T) -> Result<PoolBox<T, A, L>, Rejected<T>> {
        PoolBox::try_new_in(&self.store, value)
    }

    /// Reserves a slot, runs the constructor with no lock held, and moves its value in.
    ///
    /// The constructor may use the pool; if it panics, the slot goes back.
    ///
    /// # Panics
    ///
    /// As [`alloc`](Self::alloc), before the constructor runs.
    #[track_caller]
    pub fn alloc_with(&self, make: impl FnOnce() -> T) -> PoolBox<T, A, L> {
        self.vacant().write_with(make)
    }

    /// As [`alloc_with`](Self::alloc_with), without the panic.
    ///
    /// # Errors
    ///
    /// As [`try_alloc`](Self::try_alloc); the constructor has not run then.
    pub fn try_alloc_with(&self, make: impl FnOnce() -> T) -> Result<PoolBox<T, A, L>, PoolError> {
        Ok(self.try_vacant()?.write_with(make))
    }

    /// Reserves a slot, in which an object can be built in place.
    ///
    /// # Panics
    ///
    /// As [`alloc`](Self::alloc).
    #[track_caller]
    pub fn vacant(&self) -> Vacant<'_, T, A, L> {
        or_fail(self.try_vacant())
    }

    /// Reserves a slot, in which an object can be built in place.
    ///
    /// # Errors
    ///
    /// As [`try_alloc`](Self::try_alloc).
    pub fn try_vacant(&self) -> Result<Vacant<'_, T, A, L>, PoolError> {
        Vacant::try_new_in(&self.store)
    }

    /// Objects whose drop has not begun. O(shards), each counted at a moment of its own while other threads allocate and drop.
    ///
    /// What a walk does not show any more is not counted either; but while another thread is just dropping an object, a walk may
    /// still show what is no longer counted.
    pub fn len(&self) -> usize {
        let mut live = 0;
        self.for_each_shard(|slots| live += shard::live(&slots));
        live
    }

    /// Whether there is no object whose drop has not begun. O(shards).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Slots, free or not; bounded by the limit. O(1).
    pub fn capacity(&self) -> usize {
        self.store
            .shards()
            .map_or(0, |shards| shards.common().capacity())
    }

    /// Whether the address is that of a slot of this pool, free or not. Safe for any pointer; false for one into the middle of
    /// a slot. O(chunks).
    pub fn contains(&self, address: *const T) -> bool {
        let address = address.addr();
        self.store
            .shards()
            .is_some_and(|shards| shards.iter().any(|shard| shard.lock().contains(address)))
    }

    /// Whether the handle's object is one of this pool's. O(1).
    pub fn owns(&self, handle: &PoolBox<T, A, L>) -> bool {
        reach::owns(&self.store, handle)
    }

    /// Makes room for at least `additional` more objects made by this thread. O(`additional`).
    ///
    /// # Panics
    ///
    /// If the limit leaves no room for them. When memory is out, calls
    /// [`handle_alloc_error`](std::alloc::handle_alloc_error).
    #[track_caller]
    pub fn reserve(&self, additional: usize) {
        or_fail(self.try_reserve(additional));
    }

    /// Makes room for at least `additional` more objects made by this thread. With a fixed
    /// [`growth`](FixedPoolBuilder::growth), by whole steps. O(`additional`).
    ///
    /// Each shard has slots of its own: other threads may still have to grow theirs. Where the limit is too near for that,
    /// free slots of all shards count.
    ///
    /// # Errors
    ///
    /// [`ReserveBeyondLimit`](PoolError::ReserveBeyondLimit), [`SizeOverflow`](PoolError::SizeOverflow) or
    /// [`OutOfMemory`](PoolError::OutOfMemory); the capacity is unchanged then.
    pub fn try_reserve(&self, additional: usize) -> Result<(), PoolError> {
        if additional == 0 {
            return Ok(());
        }
        let shards = self.store.shards_or_make()?;
        shard::reserve(shards, shards.home(), additional)
    }

    /// Gives wholly free regions back to the system; returns how many bytes. O(capacity / 64).
    ///
    /// A region is a chunk or, in a large pool, up to 32 of them. While the pool is held or walked in parallel, nothing goes back.
    pub fn shrink_to_fit(&self) -> usize {
        self.store.shards().map_or(0, shard::shrink)
    }

    /// Figures about the pool. O(shards).
    pub fn stats(&self) -> FixedStats {
        let mut stats = FixedStats::default();
        self.for_each_shard(|slots| {
            stats.live += shard::live(&slots);
            stats.chunks += slots.chunk_count();
            stats.reserved_bytes += slots.reserved_bytes();
            stats.deferred += slots.deferred();
        });
        stats.capacity = self.capacity();
        stats
    }

    /// A picture of every chunk: which slots are used, which are free. O(capacity).
    ///
    /// ```
    /// use mem_pool::FixedPool;
    ///
    /// let pool = FixedPool::builder().growth(64).build();
    /// let mut objects: Vec<_> = (0..64).map(|n| pool.alloc([n; 32])).collect();
    /// objects.drain(16..32);
    /// println!("{}", pool.heap_map()); // or .to_svg(), .to_json()
    /// ```
    pub fn heap_map(&self) -> HeapMap {
        self.store.shards().map_or_else(HeapMap::new, picture::draw)
    }

    /// Looks at each shard under its lock.
    fn for_each_shard(&self, look: impl FnMut(SlotGuard<'_, L>)) {
        let shards = self.store.shards().into_iter();
        shards
            .flat_map(SlotShards::iter)
            .map(|shard| shard.lock())
            .for_each(look);
    }

    /// Runs a closure on every live object, by chunk, then by address.
    ///
    /// Every object made before the call and alive until after it is visited exactly once; objects made or dropped meanwhile
    /// at most once; none that was dropped before its turn (by the closure, or by a thread it has heard from).
    ///
    /// O(objects + chunks + capacity / 64). What was dropped last, up to 1024 objects in each shard, is looked through first.
    ///
    /// No lock is held while the closure runs. It may allocate, drop any handle (the visited object's, too), walk the pool
    /// again, shrink it. An object dropped while its group (64 neighbours) is being walked is destroyed when the walks that
    /// were inside have left the group, on the thread of the last of them; so a destructor must not wait for something that a
    /// walking thread holds.
    ///
    /// ```
    /// use std::cell::RefCell;
    /// use mem_pool::FixedPool;
    ///
    /// let pool = FixedPool::new();
    /// let handles = RefCell::new((0..10).map(|n| pool.alloc(n)).collect::<Vec<_>>());
    /// pool.for_each(|n| {
    ///     if n % 2 == 0 {
    ///         handles.borrow_mut().retain(|handle| **handle != *n); // despawn this one
    ///         handles.borrow_mut().push(pool.alloc(n + 101));       // spawn another
    ///     }
    /// });
    /// assert_eq!(pool.len(), 10);
    /// ```
    #[inline]
    pub fn for_each(&self, mut f: impl FnMut(&T))
    where
        A: ThroughPool,
    {
        let _: ControlFlow<()> = self.try_for_each(|object| {
            f(object);
            ControlFlow::Continue(())
        });
    }

    /// As [`for_each`](Self::for_each), until the closure breaks; returns what it broke with.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use mem_pool::FixedPool;
    ///
    /// let pool = FixedPool::new();
    /// let handles: Vec<_> = (1..=5).map(|n| pool.alloc(n)).collect();
    /// let found = pool.try_for_each(|n| if n % 2 == 0 { ControlFlow::Break(*n) } else { ControlFlow::Continue(()) });
    /// assert_eq!(found, ControlFlow::Break(2));
    /// # drop(handles);
    /// ```
    #[inline]
    pub fn try_for_each<B>(&self, f: impl FnMut(&T) -> ControlFlow<B>) -> ControlFlow<B>
    where
        A: ThroughPool,
    {
        visit::try_for_each(&self.store, f)
    }

    /// Keeps all objects in place until the hold is dropped, so that references last, and keys can be looked up.
    ///
    /// See [`Hold`]. Opening a hold is one atomic addition; the last one to go takes each shard's lock. A pool that was never used
    /// gets its shards, and when memory is out for them, [`handle_alloc_error`](std::alloc::handle_alloc_error) is called.
    pub fn hold(&self) -> Hold<'_, T, A, L>
    where
        A: ThroughPool,
    {
        or_fail(Hold::try_new(&self.store))
    }
}

/// What a keyed pool does for the owners of its keys.
///
/// These results borrow the handle, too: that is what keeps its owner from dropping it meanwhile, and why the pool cannot be
/// indexed: `Index` could not say so.
impl<T, L: Lock> FixedPool<T, Keyed, L> {
    /// Runs a closure on every live object, by chunk, then by address.
    ///
    /// As [`for_each`](Self::for_each); the pool is borrowed uniquely, so the closure cannot use it. It may drop any key.
    ///
    /// ```
    /// use mem_pool::FixedPool;
    ///
    /// let mut pool = FixedPool::keyed();
    /// let key = pool.alloc(1);
    /// pool.for_each_mut(|n| *n += 1);
    /// assert_eq!(*pool.at(&key), 2);
    /// ```
    #[inline]
    pub fn for_each_mut(&mut self, mut f: impl FnMut(&mut T)) {
        let _: ControlFlow<()> = self.try_for_each_mut(|object| {
            f(object);
            ControlFlow::Continue(())
        });
    }

    /// As [`for_each_mut`](Self::for_each_mut), until the closure breaks; returns what it broke with.
    #[inline]
    pub fn try_for_each_mut<B>(
        &mut self,
        f: impl FnMut(&mut T) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        forget_leaked_holds(&mut self.store);
        visit::try_for_each_mut(&mut self.store, f)
    }

    /// The handle's object; `None` for another pool's handle. O(1).
    #[inline]
    pub fn get<'a>(&'a self, handle: &'a PoolBox<T, Keyed, L>) -> Option<&'a T> {
        reach::get(&self.store, handle)
    }

    /// The handle's object; `None` for another pool's handle. O(1).
    #[inline]
    pub fn get_mut<'a>(&'a mut self, handle: &'a PoolBox<T, Keyed, L>) -> Option<&'a mut T> {
        forget_leaked_holds(&mut self.store);
        reach::get_mut(&mut self.store, handle)
    }

    /// The handle's object. O(1).
    ///
    /// # Panics
    ///
    /// If the handle is another pool's.
    #[inline]
    #[track_caller]
    pub fn at<'a>(&'a self, handle: &'a PoolBox<T, Keyed, L>) -> &'a T {
        self.get(handle).expect(FOREIGN)
    }

    /// The handle's object. O(1).
    ///
    /// # Panics
    ///
    /// If the handle is another pool's.
    #[inline]
    #[track_caller]
    pub fn at_mut<'a>(&'a mut self, handle: &'a PoolBox<T, Keyed, L>) -> &'a mut T {
        self.get_mut(handle).expect(FOREIGN)
    }

    /// The objects of several handles at once; `None` if one is another pool's or named twice. O(`N`²).
    ///
    /// ```
    /// use mem_pool::FixedPool;
    ///
    /// let mut pool = FixedPool::keyed();
    /// let (a, b) = (pool.alloc(1), pool.alloc(2));
    /// let [x, y] = pool.get_disjoint_mut([&a, &b]).unwrap();
    /// std::mem::swap(x, y);
    /// assert_eq!((*pool.at(&a), *pool.at(&b)), (2, 1));
    /// assert!(pool.get_disjoint_mut([&a, &a]).is_none());
    /// ```
    pub fn get_disjoint_mut<'a, const N: usize>(
        &'a mut self,
        handles: [&'a PoolBox<T, Keyed, L>; N],
    ) -> Option<[&'a mut T; N]> {
        forget_leaked_holds(&mut self.store);
        reach::get_disjoint_mut(&mut self.store, handles)
    }

    /// Moves the handle's object out and frees its slot: never busy, for the pool is borrowed uniquely. O(1).
    ///
    /// # Errors
    ///
    /// The handle, if it is another pool's.
    pub fn take(&mut self, handle: PoolBox<T, Keyed, L>) -> Result<T, PoolBox<T, Keyed, L>> {
        forget_leaked_holds(&mut self.store);
        reach::take(&mut self.store, handle)
    }

    /// Keeps all objects in place and lends them mutably, by key or in turn, while others are spawned and dropped.
    ///
    /// See [`HoldMut`]. Memory as for [`hold`](Self::hold).
    pub fn hold_mut(&mut self) -> HoldMut<'_, T, L> {
        or_fail(HoldMut::try_new(&mut self.store))
    }

    /// Makes an object that belongs to the pool: [`alloc`](Self::alloc) and [`adopt`](Self::adopt) in one.
    ///
    /// # Panics
    ///
    /// As [`alloc`](Self::alloc).
    #[track_caller]
    pub fn spawn(&self, value: T) -> WeakKey<T> {
        self.adopt(self.alloc(value))
    }

    /// Gives an object to the pool, which owns it from then on: it lives until it is removed, not retained, cleared, or the
    /// pool is dropped. O(1).
    ///
    /// # Panics
    ///
    /// If the handle is another pool's: it is dropped then, and its object with it. The key may have to allocate
    /// ([`PoolBox::downgrade`] says when); when memory is out for that, calls
    /// [`handle_alloc_error`](std::alloc::handle_alloc_error).
    ///
    /// ```
    /// use mem_pool::FixedPool;
    ///
    /// let mut pool = FixedPool::keyed();
    /// let bullet = pool.adopt(pool.alloc(100));
    /// assert_eq!((pool.len(), pool.hold().get(bullet)), (1, Some(&100)));
    /// assert_eq!(pool.remove(bullet), Some(100));
    /// assert_eq!(pool.remove(bullet), None);
    /// ```
    #[track_caller]
    pub fn adopt(&self, handle: PoolBox<T, Keyed, L>) -> WeakKey<T> {
        reach::adopt(&self.store, handle)
    }

    /// Moves an adopted object out; `None` if the key's object is gone, another pool's, or has an owning handle. O(1).
    pub fn remove(&mut self, key: WeakKey<T>) -> Option<T> {
        forget_leaked_holds(&mut self.store);
        reach::remove(&mut self.store, key)
    }

    /// Keeps the adopted objects for which the closure answers `true`, and destroys the others. Objects with handles are not
    /// asked about. Takes as long as a walk.
    ///
    /// ```
    /// use mem_pool::FixedPool;
    ///
    /// let mut pool = FixedPool::keyed();
    /// for life in 0..5 {
    ///     pool.adopt(pool.alloc(life));
    /// }
    /// pool.retain(|life| { *life -= 1; *life > 0 });
    /// assert_eq!(pool.len(), 3);
    /// ```
    pub fn retain(&mut self, f: impl FnMut(&mut T) -> bool) {
        forget_leaked_holds(&mut self.store);
        visit::retain(&mut self.store, f);
    }

    /// Destroys all adopted objects, even if one destructor panics. Objects with handles stay. Takes as long as a walk.
    pub fn clear(&mut self) {
        forget_leaked_holds(&mut self.store);
        reach::clear(&mut self.store);
    }
}

const FOREIGN: &str = "the handle is another pool's";

impl<T, A: Access, L: Lock> Drop for FixedPool<T, A, L> {
    /// Destroys what the pool has adopted and leaves the other objects to their handles.
    fn drop(&mut self) {
        reach::close(&mut self.store);
    }
}

impl<T, A: Access, L: Lock> Default for FixedPool<T, A, L> {
    fn default() -> Self {
        Self {
            store: Store::new(Config::DEFAULT),
        }
    }
}

impl<T, A: Access, L: Lock> fmt::Debug for FixedPool<T, A, L> {
    /// Prints figures, never the objects.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FixedStats {
            live,
            capacity,
            chunks,
            reserved_bytes,
            deferred,
        } = self.stats();
        f.debug_struct("FixedPool")
            .field("live", &live)
            .field("capacity", &capacity)
            .field("chunks", &chunks)
            .field("reserved_bytes", &reserved_bytes)
            .field("deferred", &deferred)
            .finish_non_exhaustive()
    }
}

impl<T: UnwindSafe, A: Access, L: Lock> UnwindSafe for FixedPool<T, A, L> {}
impl<T: RefUnwindSafe, A: Access, L: Lock> RefUnwindSafe for FixedPool<T, A, L> {}

/// Chooses a [`FixedPool`]'s access, growth and limits; from [`FixedPool::builder`].
///
/// ```
/// use mem_pool::{FixedPool, Keyed};
///
/// static PARTICLES: FixedPool<[f32; 4], Keyed> = FixedPool::builder().keyed().growth(256).limit(10_000).build();
///
/// let particle = PARTICLES.alloc([0.0; 4]);
/// assert_eq!(PARTICLES.capacity(), 256);
/// # drop(particle);
/// ```
pub struct FixedPoolBuilder<T, A: Access, L: Lock> {
    config: Config,
    access: PhantomData<(A, L)>,
    objects: PhantomData<fn() -> T>,
}

impl<T, L: Lock> FixedPoolBuilder<T, Shared, L> {
    const fn new() -> Self {
        Self::with(Config::DEFAULT)
    }

    /// Makes the pool [`Unique`]: the handles alone reach their objects.
    #[must_use]
    pub const fn unique(self) -> FixedPoolBuilder<T, Unique, L> {
        FixedPoolBuilder::with(self.config)
    }

    /// Makes the pool [`Keyed`]: the pool alone reaches the objects.
    #[must_use]
    pub const fn keyed(self) -> FixedPoolBuilder<T, Keyed, L> {
        FixedPoolBuilder::with(self.config)
    }
}

impl<T, A: Access, L: Lock> FixedPoolBuilder<T, A, L> {
    const fn with(config: Config) -> Self {
        Self {
            config,
            access: PhantomData,
            objects: PhantomData,
        }
    }

    /// Each growth step adds exactly `slots` slots (the last one what the limit leaves); at least 1.
    ///
    /// The default grows geometrically: from a page, each step as large as all before, up to 2 MiB. For memory of
    /// that size Linux is asked for huge pages.
    #[must_use]
    pub const fn growth(mut self, slots: usize) -> Self {
        self.config.growth = Some(slots);
        self
    }

    /// The pool has at most `slots` slots; at least 1. The default is no limit.
    #[must_use]
    pub const fn limit(mut self, slots: usize) -> Self {
        self.config.limit = slots;
        self
    }

    /// At most `chunks` wholly free chunks stay with the pool: further ones go back to the system as soon as their last
    /// object goes, or when what holds the pool or walks it in parallel ends. The default keeps all of them until
    /// [`shrink_to_fit`](FixedPool::shrink_to_fit).
    #[must_use]
    pub const fn keep_empty(mut self, chunks: usize) -> Self {
        self.config.keep_empty = Some(chunks);
        self
    }

    /// Builds the pool. Allocates nothing.
    ///
    /// # Panics
    ///
    /// If a setting makes no sense, such as a growth of 0: in a `static`, at compile time.
    #[must_use]
    #[track_caller]
    pub const fn build(self) -> FixedPool<T, A, L> {
        if let Some(fault) = self.config.fault() {
            panic!("{}", fault);
        }
        FixedPool {
            store: Store::new(self.config),
        }
    }

    /// Builds the pool. Allocates nothing.
    ///
    /// # Errors
    ///
    /// [`InvalidConfig`](PoolError::InvalidConfig), if a setting makes no sense.
    pub const fn try_build(self) -> Result<FixedPool<T, A, L>, PoolError> {
        match self.config.fault() {
            Some(reason) => Err(PoolError::InvalidConfig { reason }),
            None => Ok(FixedPool {
                store: Store::new(self.config),
            }),
        }
    }
}

impl<T, A: Access, L: Lock> Clone for FixedPoolBuilder<T, A, L> {
    fn clone(&self) -> Self {
        Self::with(self.config)
    }
}

impl<T, A: Access, L: Lock> fmt::Debug for FixedPoolBuilder<T, A, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.config.fmt(f)
    }
}
