//! Object pools with RAII handles that can be walked while the handles are alive.

mod access;
mod chunk;
mod error;
mod stats;
mod sync;

mod sealed {
    /// Keeps [`Access`](crate::Access) and [`Lock`](crate::Lock) closed.
    pub trait Sealed {}
}

/// The pools themselves, generic over their [`Lock`]; the aliases at the root and in [`local`](crate::local) choose one.
pub mod generic {}

pub use access::{Access, Keyed, Shared, ThroughHandle, ThroughPool, Unique};
pub use error::{PoolError, Rejected};
pub use stats::FixedStats;
pub use sync::{Lock, Locked, Unlocked};
