// `Index` could not say that the result borrows the handle, too.
fn main() {
    let mut pool = mem_pool::FixedPool::keyed();
    let key = pool.alloc(1);
    let _ = pool[&key]; //~ E0608 cannot index into a value
    pool[&key] = 2; //~ E0608 cannot index into a value
}
