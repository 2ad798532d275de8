#![expect(unsafe_code, reason = "owns an object in a slot, and lends it")]
//! [`PoolBox`], the handle: a lease with an object in its slot.

mod traits;

use std::any::Any;
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::ptr::NonNull;

use super::key::WeakKey;
use super::layout::Slot;
use super::lease::{Lease, Leased};
use super::retire::retire;
use super::shard::{
    Acquired, acquire, lock_shard_of, release_and_finish, release_unseen, shard_of,
};
use super::store::Store;
use crate::access::{Access, Shared, ThroughHandle, ThroughPool, Unique};
use crate::error::{PoolError, Rejected, fail};
use crate::sync::{Lock, Locked};

/// The owner of one object in a [`FixedPool`](crate::FixedPool): dropping it destroys the object and frees its slot.
///
/// A handle is one word, and so is an `Option` of it. It may outlive its pool. `A` says who reaches the object: through a
/// [`Shared`] handle you get `&T`, through a [`Unique`] one also `&mut T`, and a [`Keyed`](crate::Keyed) handle is only a key for the
/// pool's own methods ([`get`](crate::generic::FixedPool::get), [`get_mut`](crate::generic::FixedPool::get_mut)).
///
/// What is not a trait is an associated function, as with [`Box`], so that it cannot hide a method of `T`: call
/// `PoolBox::into_inner(handle)`, not `handle.into_inner()`.
///
/// ```
/// use mem_pool::{FixedPool, PoolBox};
///
/// let pool = FixedPool::<String>::unique();
/// let mut name = pool.alloc(String::from("pool"));
/// name.push_str("ed");
/// assert_eq!(*name, "pooled");
/// let text: String = PoolBox::into_inner(name);
/// assert_eq!((text.len(), pool.len()), (6, 0));
/// ```
///
/// # Coming from `Box`
///
/// Writing through a handle of a pool made with [`FixedPool::new`](crate::generic::FixedPool::new) does not compile,
/// because the pool may be showing the same object to a walk:
///
/// ```compile_fail,E0594
/// use mem_pool::FixedPool;
///
/// struct Point { x: i32 }
/// let pool = FixedPool::new();
/// let mut a = pool.alloc(Point { x: 1 });
/// a.x = 3;
/// // error[E0594]: cannot assign to data in dereference of `PoolBox<Point>`
/// //   = help: trait `DerefMut` is required to modify through a dereference,
/// //           but it is not implemented for `PoolBox<Point>`
/// ```
///
/// Write one of these instead:
///
/// ```
/// use std::cell::Cell;
/// use mem_pool::FixedPool;
///
/// struct Point { x: i32 }
///
/// // The handle alone needs the object: a unique pool.
/// let pool = FixedPool::unique();
/// let mut a = pool.alloc(Point { x: 1 });
/// a.x = 3;
///
/// // The pool alone needs it, as entity storage does: a keyed pool.
/// let mut pool = FixedPool::keyed();
/// let a = pool.alloc(Point { x: 1 });
/// pool.at_mut(&a).x = 3;
///
/// // Both need it: change it through a `Cell`, an atomic or a `Mutex`.
/// struct Spot { x: Cell<i32> }
/// let pool = FixedPool::new();
/// let a = pool.alloc(Spot { x: Cell::new(1) });
/// a.x.set(3);
/// pool.for_each(|spot| assert_eq!(spot.x.get(), 3));
/// ```
///
/// # Threads
///
/// The table in [`Access`] says when a handle is `Send` and `Sync`: as an `Arc<T>` in a `Shared` pool, as a `Box<T>` in a `Unique`
/// one.
///
/// # Leaks
///
/// `mem::forget` of a handle leaks the object, its slot and the region around it, and nothing else happens; so does a cycle
/// of objects that own each other's handles.
///
/// # Invariants
///
/// *owns-lease*: `object` is in a slot of a pool with access `A` and lock `L`, initialised, and this value has the slot's
/// lease. The pointer has the provenance of the whole region.
pub struct PoolBox<T: ?Sized, A: Access = Shared, L: Lock = Locked> {
    object: NonNull<T>,
    marker: PhantomData<(A, L, PhantomData<T>)>,
}

// SAFETY: whoever has a shared handle can get `&T`, as can the pool on another thread: the bounds of `Arc<T>`. A unique handle is
// the only way to its object: the bounds of `Box<T>`. A keyed one gives nothing; dropping it elsewhere may destroy the object
// there.
unsafe impl<T: ?Sized, A, L: Lock + Send + Sync> Send for PoolBox<T, A, L>
where
    A: Access,
    A::Handle<T>: Send,
{
}
// SAFETY: through `&handle` of a shared pool there is `&T`, nothing more: the bounds of `Arc<T>`. Of a unique pool, too, but nobody
// else has one: the bounds of `Box<T>`. Through that of a keyed pool nothing touches the object.
unsafe impl<T: ?Sized, A, L: Lock + Send + Sync> Sync for PoolBox<T, A, L>
where
    A: Access,
    A::HandleRef<T>: Sync,
{
}

/// Handles are pointers: moving one does not move its object.
impl<T: ?Sized, A: Access, L: Lock> Unpin for PoolBox<T, A, L> {}

impl<T, A: Access, L: Lock> PoolBox<T, A, L> {
    /// Moves a value into a slot of the store.
    #[inline]
    pub(crate) fn try_new_in(store: &Store<T, A, L>, value: T) -> Result<Self, Rejected<T>> {
        let value = ManuallyDrop::new(value);
        let acquired = match store.take_at_once() {
            Some(acquired) => acquired,
            None => match store.acquire() {
                Ok(acquired) => acquired,
                Err(error) => return reject(value, error),
            },
        };
        // SAFETY: the value is not used again.
        Ok(unsafe { Self::fill(acquired, &value) })
    }

    /// Moves a value into a slot of the store.
    ///
    /// # Panics
    ///
    /// If the limit is reached.
    #[inline]
    #[track_caller]
    pub(crate) fn new_in(store: &Store<T, A, L>, value: T) -> Self {
        // At once: what may have to be destroyed would have to be in memory during the next call, and be copied from there.
        let mut value = ManuallyDrop::new(value);
        let acquired = match store.take_at_once() {
            Some(acquired) => acquired,
            None => match store.acquire() {
                Ok(acquired) => acquired,
                // SAFETY: the value is not used again.
                Err(error) if mem::needs_drop::<T>() => unsafe { refuse(&mut value, &error) },
                Err(error) => fail(&error),
            },
        };
        // SAFETY: the value is not used again.
        unsafe { Self::fill(acquired, &value) }
    }

    /// A key of the object: it does not keep the object alive, and answers for no other. O(1); the first key in a chunk makes
    /// room for all its slots' stamps. When memory is out for that, calls
    /// [`handle_alloc_error`](std::alloc::handle_alloc_error).
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use mem_pool::{FixedPool, PoolBox};
    ///
    /// let pool = FixedPool::new();
    /// let ann = pool.alloc("Ann");
    /// let ages = HashMap::from([(PoolBox::downgrade(&ann), 30)]);
    /// assert_eq!(ages[&PoolBox::downgrade(&ann)], 30);
    /// ```
    pub fn downgrade(this: &Self) -> WeakKey<T>
    where
        A: ThroughPool,
    {
        // SAFETY: owns-lease: the pool has objects `T` and lock `L`, and no lock of it is held where user code runs.
        unsafe { WeakKey::of::<L>(&this.leased()) }
    }

    /// Moves a value into a slot that was just taken.
    ///
    /// By reference: unoptimised, each call that takes a large value as such copies it once more on the stack.
    ///
    /// # Safety
    ///
    /// The value is not used again.
    #[inline]
    unsafe fn fill(acquired: Acquired<'_, L>, value: &ManuallyDrop<T>) -> Self {
        let Acquired { slots, lease } = acquired;
        let slot = lease.into_slot().cast::<Slot<T, A>>();
        if A::THROUGH_POOL {
            // Walks take the slot for an object as soon as it is unlocked.
            // SAFETY: one-lease: the slot is ours alone, and has the layout of a `Slot<T, A>` (typed).
            unsafe { Slot::fill(slot, value) };
            drop(slots);
        } else {
            drop(slots);
            // SAFETY: one-lease, typed. Nobody looks for objects of a `Unique` pool in its slots.
            unsafe { Slot::fill(slot, value) };
        }
        Self {
            object: slot.cast(),
            marker: PhantomData,
        }
    }

    /// The handle of an object that was just written.
    ///
    /// # Safety
    ///
    /// The slot is one of a pool with objects `T`, access `A` and lock `L`, holds an object, and is not hidden.
    pub(crate) unsafe fn from_lease(lease: Lease) -> Self {
        Self {
            object: lease.into_slot().cast(),
            marker: PhantomData,
        }
    }

    /// Moves the object out, or gives the handle back while the object is being visited or held.
    ///
    /// # Errors
    ///
    /// The handle, as it was. "Visited" is decided by the group of (at most 64) neighbours that a walk is inside of.
    ///
    /// ```
    /// use std::cell::RefCell;
    /// use mem_pool::{FixedPool, PoolBox};
    ///
    /// let pool = FixedPool::new();
    /// let handle = RefCell::new(Some(pool.alloc(7)));
    /// pool.for_each(|_| {
    ///     let busy = handle.take().unwrap();
    ///     handle.replace(PoolBox::try_into_inner(busy).err());
    /// });
    /// assert_eq!(PoolBox::try_into_inner(handle.take().unwrap()), Ok(7));
    /// ```
    pub fn try_into_inner(this: Self) -> Result<T, Self>
    where
        A: ThroughPool,
    {
        let lease = Self::into_lease(this);
        // SAFETY: owns-lease: the pool has lock `L`, and the lease is kept until `release`.
        let slots = unsafe { lock_shard_of::<L>(&lease) };
        if slots.is_pinned(&lease) || slots.shard().shards().common().is_held() {
            drop(slots);
            // SAFETY: nothing was changed since `into_lease`.
            return Err(unsafe { Self::from_lease(lease) });
        }
        lease.end();
        // SAFETY: owns-lease; nobody looks, and under the lock nobody begins to, so nobody has a reference. Read once: the slot is
        // freed next.
        let object = unsafe { lease.slot().cast::<T>().read() };
        release_and_finish(slots, lease);
        Ok(object)
    }

    /// The lease, with the object still in the slot.
    pub(crate) fn into_lease(this: Self) -> Lease {
        let object = ManuallyDrop::new(this).object;
        // SAFETY: owns-lease: this handle had it, and does not run its drop.
        unsafe { Lease::from_slot(object.cast()) }
    }
}

impl<T, L: Lock> PoolBox<T, Unique, L> {
    /// Moves the object out and frees its slot. O(1).
    pub fn into_inner(this: Self) -> T {
        let lease = Self::into_lease(this);
        // SAFETY: owns-lease: initialised, and the handle was its only way. Read once: the slot is freed next.
        let object = unsafe { lease.slot().cast::<T>().read() };
        // SAFETY: owns-lease: the pool has lock `L`, and is not walked; its object was moved out.
        unsafe { release_unseen::<L>(lease, false) };
        object
    }
}

impl<T: ?Sized, A: Access, L: Lock> PoolBox<T, A, L> {
    /// The object's address: the same for the handle's whole life.
    ///
    /// Reading through the pointer is up to the same rules as reaching the object: in a `Keyed` or `Shared` pool a walk may
    /// have a reference to it.
    pub fn as_ptr(this: &Self) -> *const T {
        this.object.as_ptr()
    }

    /// Gives up the handle for a raw pointer. Without [`from_raw`](Self::from_raw) the object leaks.
    ///
    /// ```
    /// use mem_pool::{FixedPool, PoolBox};
    ///
    /// let pool = FixedPool::new();
    /// let raw = PoolBox::into_raw(pool.alloc(5));
    /// // SAFETY: `raw` came from `into_raw` of a handle of this very type, and is used once.
    /// let again = unsafe { PoolBox::<i32>::from_raw(raw) };
    /// assert_eq!(*again, 5);
    /// ```
    pub fn into_raw(this: Self) -> NonNull<T> {
        ManuallyDrop::new(this).object
    }

    /// Makes a handle of a raw pointer again.
    ///
    /// # Safety
    ///
    /// - The pointer came from [`into_raw`](Self::into_raw) of a handle with the same `T` (or one whose object was unsized to
    ///   this `T`), `A` and `L`. A pointer made from a reference to the object will not do: its provenance does not reach the
    ///   chunk's header.
    /// - It is used once.
    pub unsafe fn from_raw(object: NonNull<T>) -> Self {
        Self {
            object,
            marker: PhantomData,
        }
    }

    /// Pins the object: it never moves, and its slot is not used again before it was dropped.
    pub fn into_pin(this: Self) -> Pin<Self>
    where
        A: ThroughHandle,
    {
        // SAFETY: the object stays at its address until it is destroyed: only the handle's owner could move it out, with
        // functions that take the handle itself. Both `Deref`s are this file's and move nothing.
        unsafe { Pin::new_unchecked(this) }
    }

    /// The header's number of the pool.
    pub(crate) fn pool_number(&self) -> u64 {
        self.leased().header().pool()
    }

    /// The object; how it may be used is the caller's business.
    pub(crate) fn object(&self) -> NonNull<T> {
        self.object
    }

    /// For [`unsize!`](crate::unsize).
    #[doc(hidden)]
    pub fn into_parts(this: Self) -> (*mut T, Parts<A, L>) {
        (Self::into_raw(this).as_ptr(), Parts(PhantomData))
    }

    /// For [`unsize!`](crate::unsize).
    ///
    /// # Safety
    ///
    /// The pointer is the one that [`into_parts`](Self::into_parts) gave together with `parts`, unsized or not, and is used
    /// once.
    #[doc(hidden)]
    pub unsafe fn from_parts(object: *mut T, _: Parts<A, L>) -> Self {
        // SAFETY: handles have no null pointers.
        let object = unsafe { NonNull::new_unchecked(object) };
        Self {
            object,
            marker: PhantomData,
        }
    }

    /// Where the object's slot lies.
    fn leased(&self) -> Leased {
        // SAFETY: owns-lease: it is ours; callers use this while they borrow the handle.
        unsafe { Leased::of(self.object.cast()) }
    }
}

/// What [`unsize!`](crate::unsize) must not lose beside the pointer: the types of a handle.
#[doc(hidden)]
#[derive(Debug)]
pub struct Parts<A, L>(PhantomData<(A, L)>);

/// Turns a handle of a concrete type into one of a trait object, or a handle of an array into one of a slice.
///
/// `unsize!(handle => dyn Trait)` gives a `PoolBox<dyn Trait, A, L>` with the handle's own access and lock. Only a true
/// unsizing coercion compiles. The object stays where it is; the last drop goes through the vtable.
///
/// ```
/// use mem_pool::{FixedPool, PoolBox, Unique, unsize};
///
/// let counters = FixedPool::unique();
/// let words = FixedPool::unique();
/// let things: Vec<PoolBox<dyn std::fmt::Display, Unique>> =
///     vec![unsize!(counters.alloc(7) => dyn std::fmt::Display), unsize!(words.alloc("up") => dyn std::fmt::Display)];
/// assert_eq!(format!("{} {}", things[0], things[1]), "7 up");
///
/// let mut slice: PoolBox<[u8], Unique> = unsize!(FixedPool::unique().alloc([3, 1, 2]) => [u8]);
/// slice.sort();
/// assert_eq!(*slice, [1, 2, 3]);
///
/// // A boxed closure is called like any other; a boxed future is spawned as `PoolBox::into_pin(future)`.
/// let closures = FixedPool::unique();
/// let mut n = 0;
/// let mut count: PoolBox<dyn FnMut() -> u32, Unique> = unsize!(closures.alloc(move || { n += 1; n }) => dyn FnMut() -> u32);
/// assert_eq!((count(), count()), (1, 2));
/// ```
///
/// ```compile_fail,E0308
/// use mem_pool::{FixedPool, unsize};
/// let handle = FixedPool::new().alloc(5_u64);
/// unsize!(handle => u32); // no coercion
/// ```
#[macro_export]
macro_rules! unsize {
    ($handle:expr => $target:ty) => {{
        let handle = $handle;
        let (object, parts) = $crate::PoolBox::into_parts(handle);
        // A plain coercion, and no `as`: what is not an unsizing does not compile.
        let object: *mut $target = object;
        // SAFETY: the pointer was just given with these parts, and a coercion does not change its address.
        unsafe { $crate::PoolBox::from_parts(object, parts) }
    }};
}

impl<T: ?Sized, A: Access, L: Lock> PoolBox<T, A, L> {
    /// Leaks the object: it stays where it is for ever. Gives `&'a T` for a [`Shared`] handle (the pool goes on showing the
    /// object to walks), `&'a mut T` for a [`Unique`] one.
    ///
    /// The slot and the region around it leak, too, even when the pool is dropped.
    ///
    /// ```
    /// use mem_pool::{FixedPool, PoolBox};
    ///
    /// let shared: &'static u8 = PoolBox::leak(FixedPool::new().alloc(1));
    /// let unique: &'static mut u8 = PoolBox::leak(FixedPool::unique().alloc(1));
    /// *unique += *shared;
    /// ```
    pub fn leak<'a>(this: Self) -> A::Leaked<'a, T>
    where
        A: Leak,
        T: 'a,
    {
        // SAFETY: owns-lease, never given back: the object is there for ever.
        unsafe { A::lend(Self::into_raw(this)) }
    }
}

/// What a leaked handle of this access leaves: a detail of [`PoolBox::leak`].
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a `{Self}` handle leaves no reference when it is leaked",
    label = "this needs a handle that gives out its object",
    note = "a `Keyed` handle is an owning key, and the pool may give `&mut T` to its object: `pool.adopt(handle)` gives the object to the pool, for as long as that lives",
    note = "`FixedPool::new()` makes `Shared` handles (leaked: `&T`), `FixedPool::unique()` makes `Unique` ones (leaked: `&mut T`)"
)]
pub trait Leak: ThroughHandle {
    /// `&'a T` or `&'a mut T`.
    type Leaked<'a, T: ?Sized + 'a>;

    /// Lends a leaked object.
    ///
    /// # Safety
    ///
    /// The object's handle had this access, is gone, and never ran its drop.
    unsafe fn lend<'a, T: ?Sized + 'a>(object: NonNull<T>) -> Self::Leaked<'a, T>;
}

impl Leak for Shared {
    type Leaked<'a, T: ?Sized + 'a> = &'a T;

    unsafe fn lend<'a, T: ?Sized + 'a>(object: NonNull<T>) -> &'a T {
        // SAFETY: valid: the caller leaked it. Aliasing: a shared pool gives `&T` at most.
        unsafe { object.as_ref() }
    }
}

impl Leak for Unique {
    type Leaked<'a, T: ?Sized + 'a> = &'a mut T;

    unsafe fn lend<'a, T: ?Sized + 'a>(mut object: NonNull<T>) -> &'a mut T {
        // SAFETY: valid: the caller leaked it. Aliasing: the handle was the only way to it.
        unsafe { object.as_mut() }
    }
}

impl<D: ?Sized + Downcast, A: Access, L: Lock> PoolBox<D, A, L> {
    /// Turns a handle of a `dyn Any` (or `dyn Any + Send`, `dyn Any + Send + Sync`) into one of the object's own type, or
    /// gives it back if that is another. A key does not reach its object, and so cannot tell.
    ///
    /// ```
    /// use std::any::Any;
    /// use mem_pool::{FixedPool, PoolBox, Unique, unsize};
    ///
    /// let texts = FixedPool::unique();
    /// let thing: PoolBox<dyn Any, Unique> = unsize!(texts.alloc(String::from("text")) => dyn Any);
    /// let thing = PoolBox::downcast::<u32>(thing).unwrap_err();
    /// let text = PoolBox::downcast::<String>(thing).unwrap();
    /// assert_eq!(PoolBox::into_inner(text), "text");
    /// ```
    ///
    /// # Errors
    ///
    /// The handle, if the object is no `U`.
    pub fn downcast<U: Any>(this: Self) -> Result<PoolBox<U, A, L>, Self>
    where
        A: ThroughHandle,
    {
        if !D::is::<U>(&this) {
            return Err(this);
        }
        let object = Self::into_raw(this).cast::<U>();
        // SAFETY: owns-lease: the object is a `U`, for only a handle of a `U`, with this `A` and `L`, can have been unsized to
        // one of a `D` that says so. The pointer is that handle's, and is used once.
        Ok(unsafe { PoolBox::from_raw(object) })
    }
}

/// What any type may have been unsized to: a detail of [`PoolBox::downcast`], which trusts it. Nobody else can name it.
#[doc(hidden)]
pub trait Downcast {
    /// Whether the object is a `U`.
    fn is<U: Any>(&self) -> bool;
}

macro_rules! downcast {
    ($($any:ty),*) => { $(
        impl Downcast for $any {
            fn is<U: Any>(&self) -> bool {
                <$any>::is::<U>(self)
            }
        }
    )* };
}

downcast!(dyn Any, dyn Any + Send, dyn Any + Send + Sync);

impl<T: ?Sized, A: Access, L: Lock> Drop for PoolBox<T, A, L> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: owns-lease; this handle is not used again.
        unsafe { retire::<T, A, L>(self.object) }
    }
}

impl<T: ?Sized, A: ThroughHandle, L: Lock> Deref for PoolBox<T, A, L> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: valid: owns-lease. Aliasing: a shared pool gives `&T` at most, a unique one nothing, and `&mut T` is only
        // to be had through `&mut` of a unique handle.
        unsafe { self.object.as_ref() }
    }
}

impl<T: ?Sized, L: Lock> DerefMut for PoolBox<T, Unique, L> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: valid: owns-lease. Aliasing: the handle is the only way to its object, and is borrowed uniquely.
        unsafe { self.object.as_mut() }
    }
}

/// Clones the object into the handle's own shard: the pool may be gone.
///
/// # Panics
///
/// If the pool's limit is reached. When memory is out, calls [`handle_alloc_error`](std::alloc::handle_alloc_error).
impl<T: Clone, L: Lock> Clone for PoolBox<T, Unique, L> {
    #[track_caller]
    fn clone(&self) -> Self {
        let object = T::clone(self);
        // SAFETY: owns-lease: the handle's region keeps the shard alive, and is borrowed.
        let shard = unsafe { shard_of::<L>(&self.leased()).as_ref() };
        match acquire(shard.shards(), shard.index()) {
            // SAFETY: the clone is not used again.
            Ok(acquired) => unsafe { Self::fill(acquired, &ManuallyDrop::new(object)) },
            Err(error) => fail(&error),
        }
    }

    fn clone_from(&mut self, source: &Self) {
        T::clone_from(self, source);
    }
}

/// Fails, and destroys the value for which there was no slot.
///
/// A copy of it: were it destroyed in its place, this would have to be in memory in calls that succeed, too, and the pieces in which
/// it is copied from there are not those in which it was written: then it has to wait for the cache.
///
/// # Safety
///
/// The value is not used again.
#[inline(always)]
#[track_caller]
unsafe fn refuse<T>(value: &mut ManuallyDrop<T>, error: &PoolError) -> ! {
    #[cold]
    #[inline(never)]
    #[track_caller]
    fn drop_and_fail<T>(_value: T, error: &PoolError) -> ! {
        fail(error)
    }
    // SAFETY: passed on.
    drop_and_fail(unsafe { ManuallyDrop::take(value) }, error)
}

/// Gives a value back. A function of its own: unoptimised, what it copies of a large value would be on the stack of every
/// call that succeeds.
#[cold]
#[inline(never)]
fn reject<H, T>(value: ManuallyDrop<T>, error: PoolError) -> Result<H, Rejected<T>> {
    Err(Rejected {
        value: ManuallyDrop::into_inner(value),
        error,
    })
}

const _: () = assert!(size_of::<Option<PoolBox<u8>>>() == size_of::<usize>());
const _: () = assert!(mem::align_of::<PoolBox<u8>>() == mem::align_of::<usize>());
