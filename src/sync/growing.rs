//! Whether the calling thread is inside a growth step, and so perhaps inside the global allocator.

use std::cell::Cell;

use super::platform::local;

local!(static DEPTH: Cell<u32> = Cell::new(0));

/// The calling thread is inside a growth step until this is dropped.
///
/// A thread that finds no free slot waits for those that another is just adding. It must not wait for itself: a global
/// allocator that uses the pool is called in the middle of a growth step.
#[derive(Debug)]
pub(crate) struct Growing(());

impl Growing {
    pub(crate) fn begin() -> Self {
        DEPTH.with(|depth| depth.set(depth.get() + 1));
        Self(())
    }

    /// Whether the calling thread is inside a growth step of any pool.
    pub(crate) fn is_here() -> bool {
        DEPTH.with(Cell::get) > 0
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        DEPTH.with(|depth| depth.set(depth.get() - 1));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Growing;

    #[test]
    fn a_thread_is_growing_until_its_outermost_step_ends() {
        let steps = || {
            assert!(!Growing::is_here());
            let outer = Growing::begin();
            drop(Growing::begin());
            assert!(Growing::is_here());
            drop(outer);
            assert!(!Growing::is_here());
        };
        std::thread::spawn(steps).join().unwrap();
    }
}
