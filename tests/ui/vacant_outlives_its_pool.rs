fn main() {
    let pool = mem_pool::FixedPool::<u8>::new();
    let vacant = pool.vacant();
    drop(pool); //~ E0505 cannot move out of `pool` because it is borrowed
    vacant.write(1);
}
