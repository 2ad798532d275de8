use std::ops::ControlFlow;

fn main() {
    let pool = mem_pool::FixedPool::unique();
    let handle = pool.alloc(1);
    pool.for_each(|n| println!("{n}")); //~ E0277 a `Unique` pool does not reach its objects by itself
    //~? objects of a `Unique` pool belong to their handles alone
    //~? `FixedPool::new()` makes a `Shared` pool
    let _ = pool.try_for_each(|_| ControlFlow::Break(())); //~ E0277 a `Unique` pool does not reach its objects by itself
    let _ = mem_pool::PoolBox::try_into_inner(handle); //~ E0277 a `Unique` pool does not reach its objects by itself
}
