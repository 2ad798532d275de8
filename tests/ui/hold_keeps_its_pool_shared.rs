use mem_pool::FixedPool;

fn main() {
    let mut pool = FixedPool::keyed();
    let handle = pool.alloc(1);
    let hold = pool.hold();
    pool.hold_mut(); //~ E0502 cannot borrow `pool` as mutable
    pool.clear(); //~ E0502 cannot borrow `pool` as mutable
    pool.at_mut(&handle); //~ E0502 cannot borrow `pool` as mutable
    pool.for_each_mut(|n| *n += 1); //~ E0502 cannot borrow `pool` as mutable
    println!("{}", hold[&handle]);
}
