use std::cell::Cell;

fn main() {
    let pool = mem_pool::FixedPool::new();
    pool.alloc(Cell::new(1));
    std::thread::spawn(move || pool.for_each(|cell| cell.set(3))); //~ E0277 `Cell<i32>` cannot be shared between threads safely
}
