#![expect(unsafe_code, reason = "runs destructors in place and gives slots back")]
//! How an object ends: who runs its destructor, when, and how its slot becomes free again.
//!
//! Of a [`Unique`](crate::Unique) object the destructor runs first, then the slot is released: one round under the lock.
//! A pool that is walked must hide the slot first, or leave it to the walks and holds that may be looking; then the
//! destructor runs, with no lock held, and a second round releases the slot. (Without a destructor one round is enough.)

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

use super::layout::Slot;
use super::shard::{SlotShards, count_drop_unlocked, finish, lock_shard_of};
use super::slots::{Due, Lease};
use crate::access::Access;
use crate::sync::Lock;

/// Ends an object whose handle is gone.
///
/// # Safety
///
/// - `object` is in a slot of a pool with access `A` and lock `L`, and may be destroyed as a `T`.
/// - The slot's lease was given up to the caller, who gives it up here.
#[inline]
pub(crate) unsafe fn retire<T: ?Sized, A: Access, L: Lock>(object: NonNull<T>) {
    // SAFETY: the caller gives the lease up.
    let lease = unsafe { Lease::from_slot(object.cast()) };
    if A::THROUGH_POOL {
        // SAFETY: passed on.
        unsafe { retire_walked::<T, L>(object, lease) }
    } else {
        // SAFETY: passed on.
        unsafe { retire_unwalked::<T, L>(object, lease) }
    }
}

/// # Safety
///
/// As [`retire`]; the pool gives no references to its objects.
#[inline]
unsafe fn retire_unwalked<T: ?Sized, L: Lock>(object: NonNull<T>, lease: Lease) {
    let counted = needs_drop::<T>();
    if counted {
        // SAFETY: the caller's pool has lock `L`.
        unsafe { count_drop_unlocked::<L>(&lease) };
    }
    let release = Release::<L> {
        lease: ManuallyDrop::new(lease),
        hidden: false,
        counted,
        lock: PhantomData,
    };
    // SAFETY: the caller gives the object up, and nobody else has a reference to it. `release` returns the slot even if
    // the destructor panics.
    unsafe { ptr::drop_in_place(object.as_ptr()) };
    drop(release);
}

/// # Safety
///
/// As [`retire`].
#[inline]
unsafe fn retire_walked<T: ?Sized, L: Lock>(object: NonNull<T>, lease: Lease) {
    // SAFETY: the caller's pool has lock `L`; the lease is given up under this lock or kept hidden.
    let mut slots = unsafe { lock_shard_of::<L>(&lease) };
    slots.count_dropped();
    if slots.is_pinned(&lease) || slots.shard().shards().common().is_held() {
        slots.defer(lease);
        return;
    }
    if !needs_drop::<T>() {
        let idle = slots.release(lease);
        return finish(slots, idle);
    }
    slots.hide(&lease);
    drop(slots);
    let release = Release::<L>::hidden(lease);
    // SAFETY: the caller gives the object up. It was hidden from walks while none was inside its group and no hold was
    // alive, so nobody has a reference to it.
    unsafe { ptr::drop_in_place(object.as_ptr()) };
    drop(release);
}

/// Whether dropping a `T` in place does anything; `true` where only the vtable knows.
const fn needs_drop<T: ?Sized>() -> bool {
    std::mem::needs_drop::<T>()
}

/// Releases a slot when dropped: after the destructor, even if that panics.
pub(crate) struct Release<L: Lock> {
    lease: ManuallyDrop<Lease>,
    hidden: bool,
    /// Whether the drop of the slot's object has been counted.
    counted: bool,
    lock: PhantomData<L>,
}

impl<L: Lock> Release<L> {
    /// For a hidden slot, whose object was counted out when it was hidden, or never counted in.
    pub(crate) fn hidden(lease: Lease) -> Self {
        Self {
            lease: ManuallyDrop::new(lease),
            hidden: true,
            counted: true,
            lock: PhantomData,
        }
    }

    /// For a slot whose object was moved out.
    pub(crate) fn emptied(lease: Lease) -> Self {
        Self {
            lease: ManuallyDrop::new(lease),
            hidden: false,
            counted: false,
            lock: PhantomData,
        }
    }
}

impl<L: Lock> Drop for Release<L> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this is the drop; the field is not used again.
        let lease = unsafe { ManuallyDrop::take(&mut self.lease) };
        // SAFETY: a `Release` is made for a slot of a pool with lock `L`; the lease is given up under this lock.
        let mut slots = unsafe { lock_shard_of::<L>(&lease) };
        if !self.counted {
            slots.count_dropped();
        }
        let idle = if self.hidden {
            slots.release_hidden(lease)
        } else {
            slots.release(lease)
        };
        finish(slots, idle);
    }
}

/// Destroys objects whose destruction walks or holds have put off: all of them, even if one destructor panics. (A second
/// panic while the first unwinds aborts, as everywhere.)
///
/// # Safety
///
/// `due` came from these shards, and their slots hold objects of type `T`.
pub(crate) unsafe fn destroy_due<T, A: Access, L: Lock>(_: &SlotShards<L>, due: Due) {
    /// Goes on where a panic stopped.
    struct Rest<T, A: Access, L: Lock>(Due, PhantomData<(Slot<T, A>, L)>);

    impl<T, A: Access, L: Lock> Rest<T, A, L> {
        fn destroy(&mut self) {
            while let Some(lease) = self.0.next() {
                let slot = lease.into_slot();
                // SAFETY: due-is-hidden: nobody else has the lease.
                let release = Release::<L>::hidden(unsafe { Lease::from_slot(slot) });
                // SAFETY: live-is-init, and typed by the caller; due-is-hidden: the handle is gone and nobody looks.
                unsafe { ptr::drop_in_place(slot.cast::<Slot<T, A>>().as_ptr()) };
                drop(release);
            }
        }
    }

    impl<T, A: Access, L: Lock> Drop for Rest<T, A, L> {
        fn drop(&mut self) {
            self.destroy();
        }
    }

    if !due.is_empty() {
        Rest::<T, A, L>(due, PhantomData).destroy();
    }
}
