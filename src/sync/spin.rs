#![expect(unsafe_code, reason = "lends what the lock guards")]
//! A lock for a few instructions.
//!
//! Who waits for it spins and never parks: parking may call the global allocator, which must not happen where a shard is locked.

use std::cell::UnsafeCell;
use std::mem::offset_of;

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
    /// Whether all of its bytes are its lock's or its value's. (A model's need not be.)
    pub(crate) const IS_WITHOUT_PADDING: bool =
        cfg!(loom) || size_of::<Self>() == size_of::<RawSpinLock>() + size_of::<T>();

    /// Where the value lies in it.
    pub(crate) const VALUE_AT: usize = offset_of!(Self, value);

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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::SpinLock;

    #[test]
    fn no_two_threads_have_the_value_at_once() {
        let times = if cfg!(miri) { 100 } else { 50_000 };
        let lock = SpinLock::new(0);
        let count = || (0..times).for_each(|_| lock.with(|value| *value += 1));
        std::thread::scope(|scope| {
            (0..4).for_each(|_| drop(scope.spawn(count)));
        });
        assert_eq!(lock.with(|value| *value), 4 * times);
    }
}
