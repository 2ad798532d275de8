fn main() {
    let pool = mem_pool::FixedPool::new();
    let _handle = pool.alloc(String::from("a"));
    let mut kept = None;
    pool.for_each(|object| kept = Some(object)); //~ E0521 borrowed data escapes outside of closure
    println!("{kept:?}");
}
