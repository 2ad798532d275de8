//! Pools that threads share. Every test has a watchdog, none waits by the clock.

mod capacity;
mod churn;
mod late_walks;
mod lives;
mod visits;

/// A number that no other call gives.
fn ticket() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Runs the test behind a lock in each access; `in_every_mode!` would also try it without one.
macro_rules! shared_by_threads {
    ($($name:ident: $($access:ident $A:ident),*;)*) => { $(mod $name { $(
        #[test]
        fn $access() {
            let _watchdog = crate::support::watchdog();
            super::$name::<mem_pool::$A>();
        }
    )* })* };
}
use shared_by_threads;
