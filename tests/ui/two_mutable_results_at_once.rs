fn main() {
    let mut pool = mem_pool::FixedPool::keyed();
    let (a, b) = (pool.alloc(1), pool.alloc(2));
    let x = pool.at_mut(&a);
    let y = pool.at_mut(&b); //~ E0499 cannot borrow `pool` as mutable more than once
    std::mem::swap(x, y);
}
