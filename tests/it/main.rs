//! The pools through their public API only, as a user meets it.

#[cfg(mem_pool_asan)]
mod asan;
mod auto_traits;
mod c_library;
mod c_library_variadic;
mod debug;
mod drops;
mod entities;
mod fixed;
mod model;
mod nth_panic;
mod panic_location;
mod panics;
mod reentrancy;
mod support;
mod variadic;
mod variadic_model;
