use std::any::Any;

use mem_pool::{FixedPool, PoolBox, ThroughHandle, unsize};

fn show<A: ThroughHandle>(handle: &PoolBox<u8, A>) -> u8 {
    **handle
}

fn main() {
    let pool = FixedPool::keyed();
    let key = pool.alloc(1u8);
    show(&key); //~ E0277 a `Keyed` handle does not reach its object by itself
    //~? ask the pool with `pool.get(&handle)`
    let _ = PoolBox::into_pin(pool.alloc(2)); //~ E0277 a `Keyed` handle does not reach its object by itself
    let any = unsize!(pool.alloc(3) => dyn Any);
    let _ = PoolBox::downcast::<u8>(any); //~ E0277 a `Keyed` handle does not reach its object by itself
}
