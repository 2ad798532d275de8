//! Who may reach an object: [`Shared`], [`Unique`], [`Keyed`], and the traits that carry the answer.

use std::sync::{Arc, Mutex, RwLock};

use crate::sealed::Sealed;

/// Who may reach the objects of a [`FixedPool`](crate::FixedPool): the second type parameter of pools and handles.
///
/// If a handle gave `&mut T` while its pool gave `&T` to the same object, that would be undefined behaviour, even on one
/// thread. So the type says who may reach an object, and every answer costs nothing at run time.
///
/// | | through the handle | through the pool |
/// |---|---|---|
/// | [`Shared`] (default) | `Deref` to `&T` | `&T` |
/// | [`Unique`] | `Deref` and `DerefMut` | nothing |
/// | [`Keyed`] | nothing: the handle is an owning key | `&T` via `&pool`, `&mut T` via `&mut pool` |
///
/// It says, too, what may cross threads, if the pool is [`Locked`](crate::Locked):
///
/// | | pool is `Send` if | pool is `Sync` if | handle is `Send` if | handle is `Sync` if |
/// |---|---|---|---|---|
/// | [`Shared`], as `Arc<T>` | `T: Send + Sync` | `T: Send + Sync` | `T: Send + Sync` | `T: Send + Sync` |
/// | [`Unique`], the handle as `Box<T>` | `T: Send` | `T: Send` | `T: Send` | `T: Sync` |
/// | [`Keyed`] | `T: Send` | `T: Send + Sync` | `T: Send` | always |
///
/// This trait is sealed: the three types above are its only implementors.
pub trait Access: Sealed + Sized + 'static {
    /// Whether the pool hands out references: what decides how a drop proceeds.
    #[doc(hidden)]
    const THROUGH_POOL: bool;
    /// `Send` and `Sync` as a pool of such objects is.
    #[doc(hidden)]
    type Pool<T>;
    /// `Send` as the handle of such an object is.
    #[doc(hidden)]
    type Handle<T: ?Sized>;
    /// `Sync` as the handle of such an object is.
    #[doc(hidden)]
    type HandleRef<T: ?Sized>;
    /// What a slot carries beside its object. Nothing today; a counted handle would put its count here.
    #[doc(hidden)]
    type Carried: Default + 'static;
}

/// An [`Access`] whose handles reach their object: [`Shared`] and [`Unique`].
#[diagnostic::on_unimplemented(
    message = "a `{Self}` handle does not reach its object by itself",
    label = "this needs a handle that gives out its object",
    note = "a `Keyed` handle is an owning key: ask the pool with `pool.get(&handle)`, `pool.get_mut(&handle)`, `pool.at(&handle)` or `pool.at_mut(&handle)`",
    note = "`FixedPool::new()` makes `Shared` handles (`&T`), `FixedPool::unique()` makes `Unique` ones (`&T` and `&mut T`)"
)]
pub trait ThroughHandle: Access {}

/// An [`Access`] whose pool reaches the objects: [`Shared`] and [`Keyed`].
#[diagnostic::on_unimplemented(
    message = "a `{Self}` pool does not reach its objects by itself",
    label = "this needs a pool that may look at its objects",
    note = "objects of a `Unique` pool belong to their handles alone (they give `&mut T`), so the pool cannot walk, hold or look them up",
    note = "`FixedPool::new()` makes a `Shared` pool (handles and pool give `&T`), `FixedPool::keyed()` a `Keyed` one (the pool gives `&T` and `&mut T`)"
)]
pub trait ThroughPool: Access {}

/// Handle and pool both give `&T`: many owners and one that looks on. Mutate through `Cell`, atomics or a `Mutex<T>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shared;

/// The handle alone reaches the object, like a `Box<T>`; the pool gives nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unique;

/// The pool alone reaches the object; the handle is an owning key that frees its slot on drop and cannot go stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keyed;

impl Sealed for Shared {}
impl Sealed for Unique {}
impl Sealed for Keyed {}

impl Access for Shared {
    const THROUGH_POOL: bool = true;
    type Pool<T> = Arc<T>;
    type Handle<T: ?Sized> = Arc<T>;
    type HandleRef<T: ?Sized> = Arc<T>;
    type Carried = ();
}

impl Access for Unique {
    const THROUGH_POOL: bool = false;
    type Pool<T> = Mutex<T>;
    type Handle<T: ?Sized> = Box<T>;
    type HandleRef<T: ?Sized> = Box<T>;
    type Carried = ();
}

impl Access for Keyed {
    const THROUGH_POOL: bool = true;
    type Pool<T> = RwLock<T>;
    type Handle<T: ?Sized> = Box<T>;
    type HandleRef<T: ?Sized> = ();
    type Carried = ();
}

impl ThroughHandle for Shared {}
impl ThroughHandle for Unique {}
impl ThroughPool for Shared {}
impl ThroughPool for Keyed {}
