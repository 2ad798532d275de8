use mem_pool::{FixedPool, PoolBox, WeakKey};

fn main() {
    let pool = FixedPool::unique();
    let handle = pool.alloc(1);
    let _ = pool.hold(); //~ E0277 a `Unique` pool does not reach its objects by itself
    //~? objects of a `Unique` pool belong to their handles alone
    //~? `FixedPool::new()` makes a `Shared` pool
    let _ = PoolBox::downgrade(&handle); //~ E0277 a `Unique` pool does not reach its objects by itself
    let _ = WeakKey::from(&handle); //~ E0277
}
