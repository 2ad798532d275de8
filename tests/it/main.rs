//! The public API, as a user meets it.

mod c_library_variadic;
mod variadic;
mod variadic_model;
//! The pools through their public API only.

mod auto_traits;
mod c_library;
mod drops;
mod fixed;
mod model;
mod panics;
mod reentrancy;
mod support;
mod threads;
