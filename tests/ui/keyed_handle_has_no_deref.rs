fn main() {
    let pool = mem_pool::FixedPool::keyed();
    let key = pool.alloc(String::from("a"));
    println!("{}", *key); //~ E0614 cannot be dereferenced
    println!("{}", key.len()); //~ E0599 no method named `len`
}
