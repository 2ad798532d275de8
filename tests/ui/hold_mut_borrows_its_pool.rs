use mem_pool::FixedPool;

fn main() {
    let mut pool = FixedPool::keyed();
    let handle = pool.alloc(1);
    let mut hold = pool.hold_mut();
    let _ = pool.alloc(2); //~ E0502 cannot borrow `pool` as immutable
    pool.for_each(|n| println!("{n}")); //~ E0502 cannot borrow `pool` as immutable
    pool.hold(); //~ E0502 cannot borrow `pool` as immutable
    pool.hold_mut(); //~ E0499 cannot borrow `pool` as mutable more than once
    hold[&handle] += 1;
}
