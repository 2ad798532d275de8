//! Small numbers for threads: they choose home shards and own biased locks.
//!
//! A thread's number goes back when the thread ends and is given to a later one, which then stands in for it: it has seen all
//! that the former did. So short threads do not use numbers up.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// The calling thread has no number yet.
const NONE: usize = 0;

/// What threads get that cannot have a number of their own: when all are taken, or while a thread's locals are destroyed.
/// It owns nothing.
pub(crate) const NOBODY: usize = usize::MAX;

/// Numbers that are taken, a bit each: the first bit is number 1.
static TAKEN: [AtomicU64; 16] = [const { AtomicU64::new(0) }; 16];

thread_local! {
    // Constant and without a destructor: usable even while the thread's other locals are destroyed.
    static NUMBER: Cell<usize> = const { Cell::new(NONE) };
    static RETURN: Return = const { Return };
}

/// Gives the thread's number back.
struct Return;

impl Drop for Return {
    fn drop(&mut self) {
        let number = NUMBER.replace(NOBODY);
        if let Some(index) = number.checked_sub(1).filter(|_| number != NOBODY) {
            // Release: whoever gets the number next has seen what this thread did.
            TAKEN[index / 64].fetch_and(!(1 << (index % 64)), Ordering::Release);
        }
    }
}

/// The calling thread's number: at least 1, and no other living thread's, or [`NOBODY`].
#[inline]
pub(crate) fn number() -> usize {
    match NUMBER.get() {
        NONE => take(),
        number => number,
    }
}

#[cold]
fn take() -> usize {
    let number = match RETURN.try_with(|_| ()) {
        Ok(()) => lowest_free().unwrap_or(NOBODY),
        Err(_) => NOBODY,
    };
    NUMBER.set(number);
    number
}

fn lowest_free() -> Option<usize> {
    TAKEN.iter().enumerate().find_map(|(index, word)| {
        let take = |taken: u64| (taken != u64::MAX).then(|| taken | (taken + 1));
        let before = word
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, take)
            .ok()?;
        Some(index * 64 + before.trailing_ones() as usize + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_living_threads_differ() {
        let mine = number();
        assert_eq!(number(), mine);
        let barrier = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            let take = || {
                let number = number();
                barrier.wait();
                number
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            let mut numbers: Vec<_> = threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect();
            numbers.push(mine);
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len(), 5);
        });
    }

    #[test]
    fn numbers_of_ended_threads_are_given_again() {
        let short = || std::thread::spawn(number).join().unwrap();
        assert!((0..3000).all(|_| short() < 1024));
    }
}
