use std::fmt::Display;

use mem_pool::{FixedPool, PoolBox, Shared, unsize};

fn forever<'a>(handle: PoolBox<dyn Display + 'a>) -> PoolBox<dyn Display> {
    unsize!(handle => dyn Display) //~ lifetime may not live long enough
}

fn sent(handle: PoolBox<dyn Display>) -> PoolBox<dyn Display + Send + Sync> {
    unsize!(handle => dyn Display + Send + Sync) //~ E0308 mismatched types
}

fn of_a_borrow<'a>(handle: PoolBox<&'a str, Shared>) -> PoolBox<dyn Display + 'static> {
    unsize!(handle => dyn Display + 'static) //~ lifetime may not live long enough
}

fn main() {
    let text = String::from("short-lived");
    let pool = FixedPool::new();
    drop(forever(unsize!(pool.alloc(text.as_str()) => dyn Display + '_)));
    drop(of_a_borrow(pool.alloc(&text)));
    drop(sent(unsize!(FixedPool::new().alloc(1) => dyn Display)));
}
