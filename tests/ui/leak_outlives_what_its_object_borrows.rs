use mem_pool::{FixedPool, PoolBox, Shared, Unique};

fn main() {
    let text = String::from("a");
    let shared = FixedPool::new();
    let _: &'static &String = PoolBox::<_, Shared>::leak(shared.alloc(&text)); //~ E0597 `text` does not live long enough
    let unique = FixedPool::unique();
    let other = String::from("b");
    let _: &'static mut &String = PoolBox::<_, Unique>::leak(unique.alloc(&other)); //~ E0597 `other` does not live long enough
}
