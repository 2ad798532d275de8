//! The library beside the crates its features are for.

#[cfg(feature = "allocator-api2")]
mod allocator;
#[cfg(feature = "bytes")]
mod bytes;
#[cfg(feature = "rayon")]
mod rayon;
#[cfg(feature = "serde")]
mod serde;
