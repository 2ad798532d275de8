// A file that must compile: `leak` is called as `Box::leak` is.
use mem_pool::{FixedPool, PoolBox};

fn main() {
    let shared: &'static u8 = PoolBox::leak(FixedPool::new().alloc(1));
    let unique: &'static mut u8 = PoolBox::leak(FixedPool::unique().alloc(1));
    *unique += *shared;
}
