use mem_pool::{FixedPool, PoolBox};

fn main() {
    let _ = PoolBox::into_inner(FixedPool::new().alloc(1)); //~ E0308 mismatched types
    let _ = PoolBox::into_inner(FixedPool::keyed().alloc(1)); //~ E0308 mismatched types
}
