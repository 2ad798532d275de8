fn main() {
    let mut pool = mem_pool::FixedPool::new();
    let handle = pool.alloc(1);
    pool.get(&handle); //~ E0599 no method named `get`
    pool.for_each_mut(|n| *n += 1); //~ E0599 no method named `for_each_mut`
}
