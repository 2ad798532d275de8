fn main() {
    let key = mem_pool::FixedPool::keyed().alloc(1);
    let _ = key.clone(); //~ E0599 no method named `clone`
}
