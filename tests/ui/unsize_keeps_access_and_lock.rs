use std::any::Any;

use mem_pool::{FixedPool, PoolBox, Unique, local, unsize};

fn main() {
    let shared = FixedPool::new();
    let _: PoolBox<dyn Any, Unique> = unsize!(shared.alloc(1) => dyn Any); //~ E0308 mismatched types
    let local = local::FixedPool::new();
    let _: PoolBox<dyn Any> = unsize!(local.alloc(1) => dyn Any); //~ E0308 mismatched types
}
