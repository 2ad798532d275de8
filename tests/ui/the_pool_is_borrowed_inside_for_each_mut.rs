fn main() {
    let mut pool = mem_pool::FixedPool::keyed();
    let key = pool.alloc(1);
    pool.for_each_mut(|n| *n += pool.at(&key)); //~ E0502 cannot borrow `pool`
}
