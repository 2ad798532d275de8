//! Object pools with RAII handles that can be walked while the handles are alive.

mod access;
mod chunk;
mod error;
mod fixed;
mod map;
mod stats;
mod sync;
mod variadic;

mod sealed {
    /// Keeps [`Access`](crate::Access) and [`Lock`](crate::Lock) closed.
    pub trait Sealed {}
}

/// The pools themselves, generic over their [`Lock`]; the aliases at the root and in [`local`](crate::local) choose one.
pub mod generic {
    pub use crate::fixed::hold::{Hold, HoldMut, Iter, IterKeys, IterMut, Spawner};
    pub use crate::fixed::key::WeakKey;
    pub use crate::fixed::pool_box::PoolBox;
    pub use crate::fixed::vacant::Vacant;
    pub use crate::fixed::{FixedPool, FixedPoolBuilder};
    pub use crate::variadic::{PoolBytes, PoolSlice, VariadicBuilder, VariadicPool};
}

/// The same pools for one thread: no lock, no atomic read-modify-write, and neither `Send` nor `Sync`.
pub mod local {
    use crate::{Shared, Unlocked, generic};

    /// A [`FixedPool`](generic::FixedPool) for one thread.
    pub type FixedPool<T, A = Shared> = generic::FixedPool<T, A, Unlocked>;
    /// The handle of a [`local::FixedPool`](FixedPool).
    pub type PoolBox<T, A = Shared> = generic::PoolBox<T, A, Unlocked>;
    /// A reserved slot of a [`local::FixedPool`](FixedPool).
    pub type Vacant<'p, T, A = Shared> = generic::Vacant<'p, T, A, Unlocked>;
    /// A [`VariadicPool`](generic::VariadicPool) for one thread.
    pub type VariadicPool = generic::VariadicPool<Unlocked>;
    /// Bytes in a block of a [`local::VariadicPool`](VariadicPool).
    pub type PoolBytes = generic::PoolBytes<Unlocked>;
    /// Plain values in a block of a [`local::VariadicPool`](VariadicPool).
    pub type PoolSlice<T> = generic::PoolSlice<T, Unlocked>;
}

/// A [`FixedPool`](generic::FixedPool) that threads may share.
pub type FixedPool<T, A = Shared> = generic::FixedPool<T, A, Locked>;
/// A [`VariadicPool`](generic::VariadicPool) that threads may share.
pub type VariadicPool = generic::VariadicPool<Locked>;

pub use access::{Access, Keyed, Shared, ThroughHandle, ThroughPool, Unique};
pub use error::{Corruption, PoolError, Rejected};
pub use generic::{
    Hold, HoldMut, IterMut, PoolBox, PoolBytes, PoolSlice, Spawner, Vacant, WeakKey,
};
pub use map::HeapMap;
pub use stats::{FixedStats, VariadicStats};
pub use sync::{Lock, Locked, Unlocked};
