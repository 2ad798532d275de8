fn main() {
    let mut pool = mem_pool::FixedPool::keyed();
    let _handle = pool.alloc(String::from("a"));
    let mut kept = Vec::new();
    pool.for_each_mut(|object| kept.push(object)); //~ E0521 borrowed data escapes outside of closure
}
