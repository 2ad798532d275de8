fn needs_sync<T: Sync>(_: &T) {}

fn main() {
    let pool = mem_pool::local::FixedPool::new();
    drop(pool.alloc(1u8));
    needs_sync(&pool); //~ E0277 cannot be sent between threads safely
    //~^ E0277 cannot be shared between threads safely
}
