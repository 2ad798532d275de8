//! The library beside the crates its features are for.

#[cfg(feature = "allocator-api2")]
mod allocator;
#[cfg(feature = "bytes")]
mod bytes;
#[cfg(feature = "rayon")]
mod rayon;
#[cfg(feature = "serde")]
mod serde;

#[cfg(feature = "bytes")]
#[path = "../it/support.rs"]
#[expect(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "shared with another binary, which uses all of it"
)]
mod support;
