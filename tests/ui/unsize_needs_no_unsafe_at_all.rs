//! Compiles: the macro's own `unsafe` is the library's business.
#![forbid(unsafe_code)]
#![no_implicit_prelude]

use ::mem_pool::{FixedPool, PoolBox, Unique, unsize as coerce};

trait Shape {}

struct Circle;

impl Shape for Circle {}

fn main() {
    // Names of the macro's own are not ours.
    let object = 1;
    let parts = FixedPool::unique();
    let handle = parts.alloc(Circle);
    let shape: PoolBox<dyn Shape, Unique> = coerce!(handle => dyn Shape);
    ::std::mem::drop((shape, object));
}
