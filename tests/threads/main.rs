//! Pools that threads share, through their public API. Every test has a watchdog, none waits by the clock. Apart from the other
//! tests, so that ThreadSanitizer need not look at those.

mod bytes;
mod capacity;
mod churn;
mod hold_shares;
mod holds;
mod late_walks;
mod lives;
mod returns;
#[path = "../it/support.rs"]
#[expect(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "shared with another binary, which uses all of it"
)]
mod support;
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
/// Writes a test of threads once for each access: `shared_and_keyed!(name)` runs the generic function `name::<A>()`.
macro_rules! shared_and_keyed {
    ($($name:ident),* $(,)?) => { $(mod $name {
        #[test]
        fn shared() {
            let _watchdog = crate::support::watchdog();
            super::$name::<mem_pool::Shared>();
        }
        #[test]
        fn keyed() {
            let _watchdog = crate::support::watchdog();
            super::$name::<mem_pool::Keyed>();
        }
    })* };
}

use {shared_and_keyed, shared_by_threads};
