fn main() {
    let pool = mem_pool::FixedPool::new();
    let handle = pool.alloc(String::new());
    let again = handle;
    drop(handle); //~ E0382 use of moved value: `handle`
    drop(again);
}
