fn main() {
    let mut pool = mem_pool::FixedPool::keyed();
    let key = pool.alloc(1);
    let result = pool.at(&key);
    pool.for_each_mut(|n| *n += 1); //~ E0502 cannot borrow `pool` as mutable
    println!("{result}");
}
