use std::cell::Cell;

fn main() {
    let pool = mem_pool::FixedPool::new();
    let _handle = pool.alloc(Cell::new(1));
    pool.for_each(|cell| cell.set(2)); // on one thread it works
    std::thread::scope(|scope| {
        scope.spawn(|| pool.for_each(|cell| cell.set(3))); //~ E0277 `Cell<i32>` cannot be shared between threads safely
    });
}
