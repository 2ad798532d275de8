//! Object pools with RAII handles that can be walked while the handles are alive, and a byte pool over a best-fit arena.
//!
//! [`FixedPool<T>`](FixedPool) stores objects of one type. [`alloc`](generic::FixedPool::alloc) moves a value in and returns a
//! [`PoolBox`], a one-word owning handle: dropping it destroys the object and frees its slot. Meanwhile the pool can show all
//! live objects to a closure, which may spawn and despawn as it goes. [`VariadicPool`] stores bytes: blocks of any size, each
//! behind a [`PoolBytes`] handle that is used like a `Vec<u8>`.
//!
//! ```
//! use mem_pool::FixedPool;
//!
//! let pool = FixedPool::new();
//! let ann = pool.alloc(String::from("Ann"));
//! let bob = pool.alloc(String::from("Bob"));
//!
//! let mut names = Vec::new();
//! pool.for_each(|name| names.push(name.clone()));   // while both handles are alive
//! assert_eq!(names, ["Ann", "Bob"]);
//!
//! drop(ann);                                         // the slot is free again
//! assert_eq!((pool.len(), &**bob), (1, "Bob"));
//! ```
//!
//! # Which pool
//!
//! | you have | take | reach the objects |
//! |---|---|---|
//! | objects with an owner each, and something that looks at all of them (sessions, caches, registries) | [`FixedPool::new()`](generic::FixedPool::new): [`Shared`] | `&T` through handle and pool |
//! | objects with an owner each, and nobody else (trees, buffers, futures, `dyn` objects) | [`FixedPool::unique()`](generic::FixedPool::unique): [`Unique`] | `&mut T` through the handle, like a `Box` |
//! | entities that are updated all together (games, simulations) | [`FixedPool::keyed()`](generic::FixedPool::keyed): [`Keyed`] | `&mut T` through the pool; the handle is an owning key |
//! | bytes, records and buffers of many sizes | [`VariadicPool`] | `&mut [u8]` through the handle |
//! | any of these on one thread | the same names in [`local`] | without locks |
//!
//! When not: a handful of boxes wants no pool; plain values that are only ever looped over are best off in a `Vec`; objects that
//! die all together want an arena, such as `bumpalo`.
//!
//! # Walking
//!
//! No lock is held while a closure runs, so it may do what it likes with the pool:
//!
//! ```
//! use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
//! use mem_pool::FixedPool;
//!
//! struct Session { idle: bool, asked_to_go: AtomicBool }
//! static SESSIONS: FixedPool<Session> = FixedPool::new();
//!
//! let workers: Vec<_> = (0..4).map(|n| std::thread::spawn(move || {
//!     let session = SESSIONS.alloc(Session { idle: n % 2 == 0, asked_to_go: AtomicBool::new(false) });
//!     // ... and somewhere the owner looks at `session.asked_to_go`
//!     session
//! })).collect();
//! let sessions: Vec<_> = workers.into_iter().map(|worker| worker.join().unwrap()).collect();
//!
//! SESSIONS.for_each(|session| session.asked_to_go.store(session.idle, Relaxed));
//! assert_eq!(sessions.iter().filter(|session| session.asked_to_go.load(Relaxed)).count(), 2);
//! ```
//!
//! # Entity storage
//!
//! A [`Keyed`] pool is a slot map whose owning keys cannot go stale and free their slot on drop. What entities call each other
//! by is a [`WeakKey`], a copyable name that never answers for another object; it is looked up under a hold
//! ([`hold`](generic::FixedPool::hold), [`hold_mut`](generic::FixedPool::hold_mut)). Objects nobody needs to own are given to
//! the pool ([`adopt`](generic::FixedPool::adopt), [`spawn`](generic::FixedPool::spawn)). The page [`entity_storage`] has a
//! world beside the same world on a slot map.
//!
//! ```
//! use mem_pool::{FixedPool, Keyed, PoolBox, WeakKey};
//!
//! enum Entity {
//!     Ship { x: f32, speed: f32 },
//!     Turret { ship: WeakKey<Entity>, x: f32 },
//!     Bullet { x: f32, ticks_left: u32 },
//! }
//!
//! let mut world: FixedPool<Entity, Keyed> = FixedPool::keyed();
//! let ship = world.alloc(Entity::Ship { x: 0.0, speed: 1.5 });
//! let _turret = world.alloc(Entity::Turret { ship: PoolBox::downgrade(&ship), x: 0.0 });
//!
//! for _ in 0..10 {
//!     let mut hold = world.hold_mut();
//!     let (entities, spawner) = hold.split();
//!     let mut turrets = Vec::new();
//!     for entity in entities {
//!         match entity {
//!             Entity::Ship { x, speed } => *x += *speed,
//!             Entity::Turret { ship, x } => {
//!                 spawner.spawn(Entity::Bullet { x: *x, ticks_left: 3 }); // while walking
//!                 turrets.push((*ship, *x));
//!             }
//!             Entity::Bullet { x, ticks_left } => (*x, *ticks_left) = (*x + 4.0, ticks_left.saturating_sub(1)),
//!         }
//!     }
//!     for (ship, _) in turrets {
//!         assert!(hold.get(ship).is_some()); // follow the name; `None` once the ship is gone
//!     }
//!     drop(hold);
//!     world.retain(|entity| !matches!(entity, Entity::Bullet { ticks_left: 0, .. }));
//! }
//! drop(ship);                                // despawn: nothing to look up, nothing to forget
//! assert!(world.len() < 6);
//! ```
//!
//! # Features
//!
//! All are off by default. Each is for one other crate, and marked where it appears.
//!
//! | feature | with it |
//! |---|---|
//! | `rayon` | `FixedPool::par_for_each` and `par_for_each_mut`: walks on all threads, with all that other walks promise |
//! | `allocator-api2` | containers in a [`VariadicPool`]: `Vec::new_in(&pool)`, or with a `PoolAllocator`, which is owned and cloned |
//! | `bytes` | [`PoolBytes`] into `Bytes` without a copy, and filled as a `BufMut`; see the example `echo` |
//! | `serde` | handles, [statistics](FixedStats) and [heap maps](HeapMap) are serialised; `LoadInto` loads a list into a pool |
//!
//! Who comes from the C library finds its calls [here](from_c).
//!
//! # Guarantees
//!
//! - **Walks** see every object that lives through the whole call exactly once, those made or dropped meanwhile at most once, and
//!   none whose drop happened before its turn. They go by chunk, then by address, and always end.
//! - **Foreign code** (closures, constructors, destructors, `Clone`, `Debug`, wakers, the global allocator) never runs while a
//!   lock is held. Any of it may use the same pool.
//! - **Drops while somebody looks** return at once. The destructor runs when the walks that were inside the object's group of 64
//!   have left it, or the last hold has gone, on that thread. So a destructor must not wait for what a walking thread holds.
//! - **Panics** in closures, constructors and destructors leave the pool usable; no slot is lost. A destructor that panics while
//!   another panic unwinds aborts, as everywhere in Rust.
//! - **Order of dropping** does not matter: handles outlive their pool, and memory goes back as the last handle of each region
//!   goes. Nothing leaks but what `mem::forget`, `leak` or a cycle leaks.
//! - **Memory** is kept for reuse until [`shrink_to_fit`](generic::FixedPool::shrink_to_fit), or beyond what
//!   [`keep_empty`](generic::FixedPoolBuilder::keep_empty) says given back at once; while there is a hold or a parallel walk, when that
//!   ends.
//! - **Limits** hold over all threads, and are reported only if at some moment of the call no slot was free.
//! - **Threads**: see the table in [`Access`]. Over [`Unlocked`] nothing is `Send` or `Sync`.
//!
//! # How it works
//!
//! The words: a *handle* is what a caller holds; a *shard* is the part of a pool that one lock guards; a *region* is one
//! allocation from the system; a *chunk* is an aligned part of a region with one header; a *slot* is room for one object; a
//! *group* is 64 slots, a bitmap word each; a *block* is header and payload in the byte arena; a *bin* holds free blocks of like
//! size; a *pin* is a walk being inside a group; a *hold* is a pool-wide pin.
//!
//! ```text
//!  PoolBox ──────────────────────────────┐ one word; masked, it finds the chunk
//!                                        ▼
//!  ┌ chunk, 64 KiB ─ header ┬ groups ┬ slot │ slot │ slot │ … ┐
//!  │  shard ─┐              │ free   │                        │
//!  └─────────┼──────────────┴ pins ──┴────────────────────────┘
//!            ▼
//!  shard { lock, magazine of free slots, list of chunks }      a few per pool; a thread has a home shard
//! ```
//!
//! `alloc` locks the thread's home shard and pops a slot off its magazine; a drop there locks the shard of the object's chunk and
//! pushes it. No bitmap is touched: they are made exact when a walk looks at them, by flushing the magazine, and where more than
//! the 1024 slots that it has room for come or go at once. (The magazine is after Bonwick and Adams, "Magazines and Vmem", 2001;
//! bitmaps instead of free lists are what lets a pool be walked.)
//!
//! A shard's lock is biased towards the thread that locked it first: that thread says that it is inside and looks whether the bias
//! was revoked, without an atomic read-modify-write. Others take a mutex, revoke the bias and wait for it to leave. What they drop
//! they leave in the shard's inbox without the lock, and whoever allocates there takes 64 at a time out of it. In a pool that can be
//! walked they do so if nobody may be looking: a drop marks its slot, then looks whether walks are in the shard or holds in the
//! pool; those say that they are there, then look which slots are marked. One of the two sees the other (Dekker's handshake).
//!
//! What takes a few instructions (the owner's lock, a slot at hand, room for one) is done in functions that need no registers
//! saved; they leave all else, as a whole, to others.
//!
//! Regions double until they are 2 MiB, aligned to as much, for which Linux is asked for a huge page: among a million objects a
//! drop at random misses the address translation as often as the cache. Memory that has been in use is moved to one.
//!
//! A walk pins a group under the lock, gives the lock back, runs the closure on the group's live objects, and takes the lock again
//! to leave it and pin the next. A drop in a pinned group is marked, and carried out by the last walk that may have seen the
//! object. Two pin counters that change roles keep walks that come later from putting it off for ever. They are left alone while a
//! walk is the only one in a shard and nothing is dropped where it is: not to write to every group makes it a quarter faster.
//!
//! Where objects have destructors a drop by the lock's owner in a pool that can be walked locks twice: to hide the slot, and to free it.
//! The shard remembers the address of the one that was hidden last; the bitmaps hear of it only when a walk comes in, or another
//! is hidden, while the destructor runs.
//!
//! The workers of a parallel walk each have a stretch of the chunks, which stay until it ends; they take groups off it without the
//! lock, and off the others' when there is none left, and pin and leave several at a time.
//!
//! The byte pool's shards guard an arena of blocks with boundary tags (Knuth, TAOCP 1, 2.5): a block has a header of 8 bytes with
//! its size, and whether the block before it is free; a free one ends with its size, so that neighbours merge in O(1). Free ones
//! lie in bins by size, large ones in a trie within the blocks themselves (after Lea's `dlmalloc`), so that the best fit is found
//! without a search over all of them. What was released last waits for the next operation, which may ask for just its size, or
//! for one that only moves its end; whatever else happens first merges it.
//!
//! [How it is tested](how_it_is_tested), what that found, and what has not been run, is a page of its own.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_docs, missing_debug_implementations, unreachable_pub)]

mod access;
mod asan;
mod chunk;
mod error;
mod fixed;
#[cfg(any(doc, doctest))]
pub mod from_c;
mod map;
#[cfg(feature = "serde")]
mod serial;
mod stats;
mod sync;
mod variadic;

mod sealed {
    /// Keeps [`Access`](crate::Access) and [`Lock`](crate::Lock) closed.
    pub trait Sealed {}
}

/// The pools themselves, generic over their [`Lock`]; the aliases at the root and in [`local`] choose one.
pub mod generic {
    pub use crate::fixed::hold::{Hold, HoldMut, Iter, IterKeys, IterMut, Spawner};
    pub use crate::fixed::key::WeakKey;
    pub use crate::fixed::pool_box::PoolBox;
    pub use crate::fixed::vacant::Vacant;
    pub use crate::fixed::{FixedPool, FixedPoolBuilder};
    #[cfg(feature = "allocator-api2")]
    pub use crate::variadic::allocator::PoolAllocator;
    pub use crate::variadic::{PoolBytes, PoolSlice, VariadicBuilder, VariadicPool};
}

/// The same pools for one thread: no lock, no atomic read-modify-write, and neither `Send` nor `Sync`.
pub mod local {
    use crate::{Shared, Unlocked, generic};

    /// A [`FixedPool`](generic::FixedPool) for one thread.
    pub type FixedPool<T, A = Shared> = generic::FixedPool<T, A, Unlocked>;
    /// Chooses the settings of a [`local::FixedPool`](FixedPool).
    pub type FixedPoolBuilder<T, A = Shared> = generic::FixedPoolBuilder<T, A, Unlocked>;
    /// The handle of a [`local::FixedPool`](FixedPool).
    pub type PoolBox<T, A = Shared> = generic::PoolBox<T, A, Unlocked>;
    /// A reserved slot of a [`local::FixedPool`](FixedPool).
    pub type Vacant<'p, T, A = Shared> = generic::Vacant<'p, T, A, Unlocked>;
    /// A hold of a [`local::FixedPool`](FixedPool).
    pub type Hold<'p, T, A = Shared> = generic::Hold<'p, T, A, Unlocked>;
    /// A mutable hold of a keyed [`local::FixedPool`](FixedPool).
    pub type HoldMut<'p, T> = generic::HoldMut<'p, T, Unlocked>;
    /// The objects of a held [`local::FixedPool`](FixedPool).
    pub type Iter<'h, T, A = Shared> = generic::Iter<'h, T, A, Unlocked>;
    /// The objects of a held [`local::FixedPool`](FixedPool), each with its key.
    pub type IterKeys<'h, T, A = Shared> = generic::IterKeys<'h, T, A, Unlocked>;
    /// The objects of a keyed [`local::FixedPool`](FixedPool), mutably.
    pub type IterMut<'h, T> = generic::IterMut<'h, T, Unlocked>;
    /// Makes objects in a [`local::FixedPool`](FixedPool) while others are updated.
    pub type Spawner<'h, T> = generic::Spawner<'h, T, Unlocked>;
    /// A [`VariadicPool`](generic::VariadicPool) for one thread.
    pub type VariadicPool = generic::VariadicPool<Unlocked>;
    /// Settings of a [`local::VariadicPool`](VariadicPool).
    pub type VariadicBuilder = generic::VariadicBuilder<Unlocked>;
    /// Bytes in a block of a [`local::VariadicPool`](VariadicPool).
    pub type PoolBytes = generic::PoolBytes<Unlocked>;
    /// Plain values in a block of a [`local::VariadicPool`](VariadicPool).
    pub type PoolSlice<T> = generic::PoolSlice<T, Unlocked>;
    /// A [`local::VariadicPool`](VariadicPool) as an allocator that can be cloned and owned.
    #[cfg(feature = "allocator-api2")]
    pub type PoolAllocator = generic::PoolAllocator<Unlocked>;
}

#[cfg(feature = "allocator-api2")]
pub use generic::PoolAllocator;

/// A [`FixedPool`](generic::FixedPool) that threads may share.
pub type FixedPool<T, A = Shared> = generic::FixedPool<T, A, Locked>;
/// Chooses the settings of a [`FixedPool`].
pub type FixedPoolBuilder<T, A = Shared> = generic::FixedPoolBuilder<T, A, Locked>;
/// A [`VariadicPool`](generic::VariadicPool) that threads may share.
pub type VariadicPool = generic::VariadicPool<Locked>;

pub use access::{Access, Keyed, Shared, ThroughHandle, ThroughPool, Unique};
pub use error::{Corruption, PoolError, Rejected};
pub use generic::{
    Hold, HoldMut, Iter, IterKeys, IterMut, PoolBox, PoolBytes, PoolSlice, Spawner, Vacant,
    VariadicBuilder, WeakKey,
};
pub use map::HeapMap;
#[cfg(feature = "serde")]
pub use serial::LoadInto;
pub use stats::{FixedStats, VariadicStats};
pub use sync::{Lock, Locked, Unlocked};

#[doc = include_str!("entity_storage.md")]
pub mod entity_storage {}
#[doc = include_str!("how_it_is_tested.md")]
pub mod how_it_is_tested {}
/// What models need beside the public API.
#[cfg(loom)]
#[doc(hidden)]
pub mod model {
    pub use crate::sync::modelled::{
        Biased, BiasedLock, Numbers, Rule, break_rule, let_all_own, set_number, try_every_order,
    };
}

/// The README's code is tested with the docs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
