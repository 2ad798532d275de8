fn main() {
    let pool = mem_pool::FixedPool::keyed();
    let key = pool.alloc(String::from("a"));
    let got = pool.at(&key);
    drop(pool); //~ E0505 cannot move out of `pool` because it is borrowed
    println!("{got}");
}
