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

/// Decides between the kinds, once for all. Comes before any [`light`] whose thread it happens before. Says whether
/// [`light_for_free`] may stand for that from now on.
pub(crate) fn decide() -> bool {
    let kind = match KIND.load(Ordering::Acquire) {
        UNDECIDED => decide_now(),
        kind => kind,
    };
    kind == ASYMMETRIC || EVEN_IF_PLAIN
}

/// The first decision holds: what somebody was told to be free must not be taken back.
#[cold]
fn decide_now() -> u8 {
    let kind = if system::register() {
        ASYMMETRIC
    } else {
        PLAIN
    };
    let first = KIND.compare_exchange(UNDECIDED, kind, Ordering::AcqRel, Ordering::Acquire);
    first.err().unwrap_or(kind)
}

/// Model checkers and Miri have no asymmetric barrier. So that they go the same ways, it is said to be free, and is not.
const EVEN_IF_PLAIN: bool = cfg!(any(loom, miri));

/// As [`light`], where [`decide`] said that it is free.
#[inline]
pub(crate) fn light_for_free() {
    if EVEN_IF_PLAIN {
        light();
    } else {
        compiler_fence(Ordering::SeqCst);
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

/// A full barrier, right behind an atomic read-modify-write: on x86-64 that is one already, and a fence would take as long again.
/// (crossbeam-epoch does so, too.)
#[inline]
pub(crate) fn behind_read_modify_write() {
    if cfg!(all(target_arch = "x86_64", not(any(loom, miri)))) {
        compiler_fence(Ordering::SeqCst);
    } else if keeps(Rule::Handshake) {
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

#[cfg(all(test, not(loom)))]
mod tests {
    use std::hint::black_box;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    const ROUNDS: usize = if cfg!(miri) { 50 } else { 50_000 };

    /// On a cache line of its own.
    #[derive(Default)]
    #[repr(align(64))]
    struct Line(AtomicUsize);

    fn store(line: &AtomicUsize, round: usize) {
        line.store(round, Ordering::Relaxed);
    }

    fn modify(line: &AtomicUsize, _: usize) {
        line.fetch_add(1, Ordering::Relaxed);
    }

    /// In which rounds a thread that says that it is there, then passes a barrier, sees the other.
    ///
    /// It comes a little later each time, up to so many steps, so that the two meet whatever their pace.
    fn seen(
        mine: &Line,
        other: &Line,
        arrived: &Line,
        late: usize,
        say: fn(&AtomicUsize, usize),
        barrier: fn(),
    ) -> Vec<bool> {
        let round = |n: usize| {
            arrived.0.fetch_add(1, Ordering::SeqCst);
            let mut turns = 0_u32;
            while arrived.0.load(Ordering::Relaxed) < 2 * n {
                turns += 1; // who sleeps comes too late
                if turns % 4096 == 0 {
                    std::thread::yield_now();
                }
            }
            (0..n % late).for_each(|step| {
                black_box(step);
            });
            say(&mine.0, n);
            barrier();
            other.0.load(Ordering::Relaxed) >= n
        };
        (1..=ROUNDS).map(round).collect()
    }

    #[test]
    fn of_two_threads_that_come_at_once_one_sees_the_other() {
        decide();
        let (a, b, arrived) = (Line::default(), Line::default(), Line::default());
        std::thread::scope(|scope| {
            let light = scope.spawn(|| seen(&a, &b, &arrived, 97, store, light));
            let heavy = seen(&b, &a, &arrived, 1, store, heavy);
            let both = light.join().unwrap().into_iter().zip(heavy);
            assert_eq!(both.filter(|&seen| seen == (false, false)).count(), 0);
        });
    }

    #[test]
    fn a_read_modify_write_and_its_barrier_are_one() {
        let (a, b, arrived) = (Line::default(), Line::default(), Line::default());
        std::thread::scope(|scope| {
            let first =
                scope.spawn(|| seen(&a, &b, &arrived, 97, modify, behind_read_modify_write));
            let second = seen(&b, &a, &arrived, 1, modify, behind_read_modify_write);
            let both = first.join().unwrap().into_iter().zip(second);
            assert_eq!(both.filter(|&seen| seen == (false, false)).count(), 0);
        });
    }

    #[test]
    fn the_kind_is_decided_once() {
        decide();
        let kind = KIND.load(Ordering::Relaxed);
        assert_eq!(kind == ASYMMETRIC, system::register());
        assert_ne!(kind, UNDECIDED);
    }
}
