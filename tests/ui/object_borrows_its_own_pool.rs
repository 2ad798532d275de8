use std::cell::Cell;

use mem_pool::FixedPool;

struct Selfish<'p>(Cell<Option<&'p FixedPool<Selfish<'p>>>>);

fn main() {
    let pool = FixedPool::new();
    let handle = pool.alloc(Selfish(Cell::new(None)));
    handle.0.set(Some(&pool)); //~ E0597 `pool` does not live long enough
    drop(handle);
}
