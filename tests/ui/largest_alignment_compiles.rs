#[repr(align(32768))]
struct Wide(u8);

fn main() {
    let pool = mem_pool::FixedPool::new();
    drop(pool.alloc(Wide(1)));
}
