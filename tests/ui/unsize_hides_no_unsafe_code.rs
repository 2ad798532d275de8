use std::any::Any;

use mem_pool::{FixedPool, PoolBox, Shared, unsize};

unsafe fn trust_me() -> PoolBox<u8, Shared> {
    FixedPool::new().alloc(1)
}

fn main() {
    let _ = unsize!(trust_me() => dyn Any); //~ E0133 call to unsafe function `trust_me` is unsafe
    let _ = unsize!(FixedPool::<u8>::new().alloc(*std::ptr::null()) => dyn Any); //~ E0133 dereference of raw pointer is unsafe
}
