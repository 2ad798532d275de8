fn needs_send<T: Send>(_: T) {}

fn main() {
    let pool = mem_pool::local::FixedPool::unique();
    needs_send(pool.alloc(1u8)); //~ E0277 cannot be sent between threads safely
    //~^ E0277 cannot be shared between threads safely
}
