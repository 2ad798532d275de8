#[repr(align(65536))]
struct Vast(u8);

fn main() {
    let pool = mem_pool::FixedPool::new();
    drop(pool.alloc(Vast(1)));
    //~? E0080
    //~? aligned to at most 32768 bytes
}
