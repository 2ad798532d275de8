#![expect(unsafe_code, reason = "lends what the lock guards")]
//! A lock for a few instructions.
//!
//! Who waits for it spins and never parks: parking may call the global allocator, which must not happen where a shard is locked.

use std::cell::UnsafeCell;

use super::platform::RawSpinLock;

/// A value that is used by one thread at a time, for a few instructions that do not panic.
#[repr(C)]
pub(crate) struct SpinLock<T> {
    lock: RawSpinLock,
    value: UnsafeCell<T>,
}

// SAFETY: the value is lent to one thread at a time, under the lock.
unsafe impl<T: Send> Sync for SpinLock<T> {}

impl<T> SpinLock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            lock: RawSpinLock::new(),
            value: UnsafeCell::new(value),
        }
    }

    /// Runs `f` on the value. The store that ends it is the last access to the lock's memory: another thread may free it then,
    /// while `self` is still a reference. That is allowed where all of it is in cells, padding too, of which there is none.
    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        self.lock.lock();
        // SAFETY: this thread has the lock: nobody else has a reference, until it is given back.
        let result = f(unsafe { &mut *self.value.get() });
        // SAFETY: it was taken above.
        unsafe { self.lock.unlock() };
        result
    }
}
