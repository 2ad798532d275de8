//! Entity storage: holds, weak keys, adoption, and handles of trait objects and slices.

mod adoption;
mod adoption_ends;
mod hold_ends;
mod hold_limits;
mod hold_mut;
mod holds;
mod iterators;
mod key_traits;
mod keys;
mod leaked_holds;
mod model;
mod spawning;
mod unsized_ends;
mod unsized_traits;

use std::collections::BTreeSet;

use mem_pool::generic::{FixedPool, Hold};
use mem_pool::{Lock, PoolBox};

use crate::support::{Ledger, Tracked, Walked, sorted};

/// Writes a test once for each lock: `in_both_locks!(name)` runs the generic function `name::<L>()`.
macro_rules! in_both_locks {
    ($($name:ident),* $(,)?) => { $(mod $name {
        #[test]
        fn locked() {
            let _watchdog = crate::support::watchdog();
            super::$name::<mem_pool::Locked>();
        }
        #[test]
        fn local() {
            let _watchdog = crate::support::watchdog();
            super::$name::<mem_pool::Unlocked>();
        }
    })* };
}

use in_both_locks;

/// An object whose destructor panics if it is told to, after it has told its [`Ledger`].
struct Bomb {
    body: Tracked,
    armed: bool,
}

impl Bomb {
    fn new(ledger: &Ledger, armed: bool) -> Self {
        Self {
            body: ledger.make(),
            armed,
        }
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.armed {
            panic!("bomb {}", self.body.id); // the body is dropped all the same
        }
    }
}

/// The ids that a hold shows, in order of their making.
fn held_ids<A: Walked, L: Lock>(hold: &Hold<'_, Tracked, A, L>) -> Vec<usize> {
    let ids: Vec<_> = hold.iter().map(|object| object.id).collect();
    let by_key: Vec<_> = hold.iter_keys().map(|(_, object)| object.id).collect();
    assert_eq!(ids, by_key);
    let ids = sorted(ids);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    ids
}

/// `(live, deferred)`, the same by all accounts.
#[track_caller]
fn counts<T, A: Walked, L: Lock>(pool: &FixedPool<T, A, L>) -> (usize, usize) {
    let stats = pool.stats();
    let mut walked = 0;
    pool.for_each(|_| walked += 1);
    assert_eq!((pool.len(), walked), (stats.live, stats.live));
    assert_eq!(pool.is_empty(), stats.live == 0);
    (stats.live, stats.deferred)
}

/// So many objects of a ledger.
fn fill<A: Walked, L: Lock>(
    pool: &FixedPool<Tracked, A, L>,
    ledger: &Ledger,
    count: usize,
) -> Vec<PoolBox<Tracked, A, L>> {
    (0..count).map(|_| pool.alloc(ledger.make())).collect()
}
