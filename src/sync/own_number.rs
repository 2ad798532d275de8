//! Each thread's own number, for as long as the thread lives.

use std::cell::Cell;

use super::number::{NOBODY, give_back, take_lowest};
use super::platform::AtomicU64;

/// The calling thread has no number yet. Nobody's number, and not what says that a lock has no owner.
const NONE: usize = NOBODY - 1;

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
        // Who has no number yet has no `Return` either.
        if number != NOBODY {
            give_back(&TAKEN, number);
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

/// The calling thread's number, or what is no thread's if it has none yet.
#[inline]
pub(crate) fn number_so_far() -> usize {
    NUMBER.get()
}

#[cold]
fn take() -> usize {
    let number = match RETURN.try_with(|_| ()) {
        Ok(()) => take_lowest(&TAKEN).unwrap_or(NOBODY),
        Err(_) => NOBODY,
    };
    NUMBER.set(number);
    number
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

    #[test]
    fn who_has_no_number_gives_none_back() {
        let end = || {
            NUMBER.set(NOBODY);
            drop(Return);
            NUMBER.get()
        };
        assert_eq!(std::thread::spawn(end).join().unwrap(), NOBODY);
    }
}
