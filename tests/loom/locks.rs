//! The locks by themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mem_pool::model::{BiasedLock, Numbers, set_number};

use crate::support::{Plain, biased_model, join, spawn};

#[derive(Default)]
struct Guarded {
    lock: BiasedLock,
    number: Plain,
}

impl Guarded {
    /// Adds one under the lock; says whether the mutex was not needed.
    fn add_one(&self) -> bool {
        self.lock.with(|| self.number.add_one())
    }
}

/// The first to lock becomes the owner, and does so before there are others.
fn owned() -> Arc<Guarded> {
    let guarded = Arc::new(Guarded::default());
    assert!(!guarded.add_one(), "nobody has the bias yet");
    guarded
}

#[test]
pub fn owner_and_revoker() {
    biased_model("biased lock: owner, revoker", || {
        let guarded = owned();
        let other = Arc::clone(&guarded);
        let revoker = spawn(1, move || other.add_one());
        guarded.add_one();
        guarded.add_one();
        assert!(!join(revoker));
        assert_eq!(guarded.number.get(), 4);
    });
}

#[test]
pub fn owner_and_two_revokers() {
    biased_model("biased lock: owner, two revokers", || {
        let guarded = owned();
        let revokers = [1, 3].map(|number| {
            let other = Arc::clone(&guarded);
            spawn(number, move || {
                other.add_one();
            })
        });
        guarded.add_one();
        revokers.into_iter().for_each(join);
        assert_eq!(guarded.number.get(), 4);
    });
}

#[test]
pub fn first_lock_is_a_race() {
    biased_model("biased lock: two would be owners", || {
        let guarded = Arc::new(Guarded::default());
        let other = Arc::clone(&guarded);
        let thread = spawn(1, move || {
            other.add_one();
            other.add_one();
        });
        guarded.add_one();
        guarded.add_one();
        join(thread);
        assert_eq!(guarded.number.get(), 4);
    });
}

#[test]
pub fn owner_takes_the_bias_up_again() {
    let again = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&again);
    biased_model("biased lock: bias taken up again", move || {
        let guarded = owned();
        let other = Arc::clone(&guarded);
        let revoker = spawn(1, move || {
            other.add_one();
            other.add_one();
        });
        let mut revoked = false;
        for _ in 0..3 {
            let biased = guarded.add_one();
            counted.fetch_add((revoked && biased).into(), Ordering::Relaxed);
            revoked |= !biased;
        }
        join(revoker);
        assert_eq!(guarded.number.get(), 6);
    });
    assert!(
        again.load(Ordering::Relaxed) > 0,
        "the bias never came back"
    );
}

/// A thread that ends gives its number to another, which may be the owner then.
#[test]
pub fn number_is_handed_on() {
    let owners = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&owners);
    biased_model("biased lock: owner's number is handed on", move || {
        let (guarded, numbers) = (Arc::new(Guarded::default()), Arc::new(Numbers::default()));
        let threads = [0, 1].map(|_| {
            let (guarded, numbers) = (Arc::clone(&guarded), Arc::clone(&numbers));
            let counted = Arc::clone(&counted);
            spawn(1, move || {
                let number = numbers.take().expect("there are 64");
                set_number(number);
                let biased = guarded.add_one();
                counted.fetch_add(biased.into(), Ordering::Relaxed);
                guarded.add_one();
                numbers.give_back(number);
            })
        });
        threads.into_iter().for_each(join);
        assert_eq!(guarded.number.get(), 4);
    });
    assert!(
        owners.load(Ordering::Relaxed) > 0,
        "a number was never handed on"
    );
}
