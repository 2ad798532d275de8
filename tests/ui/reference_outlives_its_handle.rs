fn main() {
    let pool = mem_pool::FixedPool::new();
    let handle = pool.alloc(String::from("a"));
    let text: &str = &handle;
    drop(handle); //~ E0505 cannot move out of `handle` because it is borrowed
    println!("{text}");
}
