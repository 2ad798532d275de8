use mem_pool::FixedPool;

fn main() {
    let pool = FixedPool::keyed(); //~ E0596 cannot borrow `pool` as mutable
    let key = pool.adopt(pool.alloc(1));
    pool.remove(key);
    pool.clear();
    pool.retain(|_| true);
    let handle = pool.alloc(1);
    pool.adopt(handle);
    drop(handle); //~ E0382 use of moved value: `handle`
}
