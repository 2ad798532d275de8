//! An asymmetric memory barrier: one side costs next to nothing, the other makes every thread of the process pass a barrier.
//!
//! On Linux the heavy side is `membarrier(2)`; elsewhere, and where the kernel refuses it, both sides are plain fences; so they are for a model checker.

use std::sync::atomic::{AtomicU8, Ordering, compiler_fence};

use super::Rule;
use super::platform::{fence, keeps};

const UNDECIDED: u8 = 0;
const PLAIN: u8 = 1;
const ASYMMETRIC: u8 = 2;

static KIND: AtomicU8 = AtomicU8::new(UNDECIDED);

/// Decides between the kinds, once. Comes before any [`light`] whose thread it happens before.
pub(crate) fn decide() {
    if KIND.load(Ordering::Acquire) == UNDECIDED {
        let kind = if system::register() {
            ASYMMETRIC
        } else {
            PLAIN
        };
        KIND.store(kind, Ordering::Release);
    }
}

/// The light side: nothing before it is taken to be after it by a thread that did a [`heavy`] one, nor the other way round.
#[inline]
pub(crate) fn light() {
    if KIND.load(Ordering::Relaxed) == ASYMMETRIC {
        compiler_fence(Ordering::SeqCst);
    } else if keeps(Rule::Barrier) {
        fence(Ordering::SeqCst);
    }
}

/// The heavy side.
#[cold]
pub(crate) fn heavy() {
    fence(Ordering::SeqCst);
    if KIND.load(Ordering::Relaxed) == ASYMMETRIC {
        system::barrier();
    }
}

#[cfg(all(target_os = "linux", not(miri), not(loom)))]
#[expect(
    unsafe_code,
    reason = "a system call that the standard library does not have"
)]
mod system {
    /// Announces that this process will use the barrier; whether it may.
    pub(super) fn register() -> bool {
        call(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)
    }

    /// Makes every running thread of the process pass a full barrier. (Those that do not run have passed one.)
    pub(super) fn barrier() {
        if !call(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED) {
            std::process::abort(); // it was registered: the kernel must not refuse now
        }
    }

    fn call(command: libc::c_int) -> bool {
        // SAFETY: the call takes a command, flags and a processor, and touches no memory.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    }
}

#[cfg(not(all(target_os = "linux", not(miri), not(loom))))]
mod system {
    pub(super) fn register() -> bool {
        false
    }

    pub(super) fn barrier() {
        unreachable!("only registered barriers are used");
    }
}
