#![expect(unsafe_code, reason = "says which types may cross threads")]
//! The shards of a pool together with the type of their objects: what pools and handles are made of.

use std::marker::PhantomData;

use super::layout::{Slot, SlotLayout};
use super::shard::{Acquired, Common, Config, SlotShards, acquire, take_at_once};
use super::slots::Slots;
use crate::access::Access;
use crate::error::PoolError;
use crate::sync::{LazyShards, Lock};

/// Shards whose slots hold objects of type `T` that are reached as `A` says.
///
/// # Invariants
///
/// *typed*: the shards are made for `Slot<T, A>`, and whatever is in a slot that is neither free nor hidden is one.
pub(crate) struct Store<T, A: Access, L: Lock> {
    shards: LazyShards<L, Slots>,
    config: Config,
    /// Invariant in `T`: a pool of longer-lived objects must not pass for one of shorter-lived ones, or the other way round.
    marker: PhantomData<(*mut T, A)>,
}

// SAFETY: whoever has the pool may run destructors. Beside that
// - a shared one gives `&T` to whoever has it or a handle, on any thread: what `Arc<T>` does, with the same bounds;
// - a unique one moves objects into and out of slots and gives no reference to any: each crosses threads only as a whole, in
//   its handle;
// - a keyed one has, if it is the only reference to the pool, the only references to its objects; elsewhere keys are only dropped.
unsafe impl<T, A, L: Lock + Send + Sync> Send for Store<T, A, L>
where
    A: Access,
    A::Pool<T>: Send,
{
}
// SAFETY: with `&pool`
// - a shared one gives no more than with the pool;
// - a unique one moves objects in, as with the pool, and gives none;
// - a keyed one gives `&T`, on any thread that has it, and keys are dropped elsewhere, as before.
unsafe impl<T, A, L: Lock + Send + Sync> Sync for Store<T, A, L>
where
    A: Access,
    A::Pool<T>: Sync,
{
}

impl<T, A: Access, L: Lock> Store<T, A, L> {
    /// Fails to compile for a type whose alignment is beyond what a chunk allows.
    const LAYOUT: SlotLayout = SlotLayout::of::<Slot<T, A>>();

    pub(crate) const fn new(config: Config) -> Self {
        let _ = Self::LAYOUT;
        Self {
            shards: LazyShards::new(),
            config,
            marker: PhantomData,
        }
    }

    /// The shards, if anything was ever allocated.
    #[inline]
    pub(crate) fn shards(&self) -> Option<&SlotShards<L>> {
        self.shards.get()
    }

    /// The shards, made if need be.
    #[inline]
    pub(crate) fn shards_or_make(&self) -> Result<&SlotShards<L>, PoolError> {
        let common = || Common::new(Self::LAYOUT, self.config, A::THROUGH_POOL);
        self.shards
            .get_or_try_make(common)
            .map_err(|layout| PoolError::OutOfMemory { layout })
    }

    /// Takes a slot of the calling thread's home shard, if that is a matter of a few instructions.
    #[inline]
    pub(crate) fn take_at_once(&self) -> Option<Acquired<'_, L>> {
        take_at_once(self.shards()?)
    }

    /// Takes a slot, in the calling thread's home shard if it can be.
    #[cold]
    pub(crate) fn acquire(&self) -> Result<Acquired<'_, L>, PoolError> {
        let shards = self.shards_or_make()?;
        acquire(shards, shards.home())
    }
}
