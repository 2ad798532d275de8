//! Small numbers for threads: they choose home shards and own biased locks.
//!
//! A thread's number goes back when the thread ends and is given to a later one, which then stands in for it: it has seen all
//! that the former did. So short threads do not use numbers up.

use super::platform::{AtomicU64, Ordering};

/// What threads get that cannot have a number of their own: when all are taken, or while a thread's locals are destroyed.
/// It owns nothing.
pub(crate) const NOBODY: usize = usize::MAX;

/// Takes the lowest free number: at least 1. In `taken` there is a bit for each; the first bit is number 1.
pub(super) fn take_lowest(taken: &[AtomicU64]) -> Option<usize> {
    taken.iter().enumerate().find_map(|(index, word)| {
        let take = |taken: u64| (taken != u64::MAX).then(|| taken | (taken + 1));
        // Acquire: who takes a number has seen what its former owner did.
        let before = word
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, take)
            .ok()?;
        Some(index * 64 + before.trailing_ones() as usize + 1)
    })
}

/// Makes a number free.
pub(super) fn give_back(taken: &[AtomicU64], number: usize) {
    let index = number - 1;
    // Release: whoever gets the number next has seen what this thread did.
    taken[index / 64].fetch_and(!(1 << (index % 64)), Ordering::Release);
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_number_is_taken() {
        let taken = [AtomicU64::new(0), AtomicU64::new(0)];
        let take = || take_lowest(&taken);
        assert!((1..=128).all(|number| take() == Some(number)));
        assert_eq!(take(), None);
        for number in [2, 64, 65] {
            give_back(&taken, number);
        }
        let next = [take(), take(), take(), take()];
        assert_eq!(next, [Some(2), Some(64), Some(65), None]);
    }
}
