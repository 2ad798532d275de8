use std::cell::Cell;

fn main() {
    let pool = mem_pool::FixedPool::new();
    let handle = pool.alloc(Cell::new(1));
    std::thread::spawn(move || handle.set(4)); //~ E0277 `Cell<i32>` cannot be shared between threads safely
}
