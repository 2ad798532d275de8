use mem_pool::{FixedPool, PoolBox};

// Two errors: one of the bound, one of the result's type.
fn main() {
    let pool = FixedPool::keyed();
    let key = pool.alloc(1);
    PoolBox::leak(key); //~ E0277 a `Keyed` handle leaves no reference when it is leaked
    //~^ E0277 a `Keyed` handle leaves no reference when it is leaked
    //~? `pool.adopt(handle)` gives the object to the pool
    //~? `FixedPool::new()` makes `Shared` handles
}
