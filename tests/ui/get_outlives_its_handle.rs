fn main() {
    let mut pool = mem_pool::FixedPool::keyed();
    let key = pool.alloc(String::from("a"));
    let got = pool.get(&key);
    drop(key); //~ E0505 cannot move out of `key` because it is borrowed
    println!("{got:?}");

    let key = pool.alloc(String::from("b"));
    let got = pool.get_mut(&key);
    drop(key); //~ E0505 cannot move out of `key` because it is borrowed
    println!("{got:?}");

    let (a, b) = (pool.alloc(String::from("a")), pool.alloc(String::from("b")));
    let got = pool.get_disjoint_mut([&a, &b]);
    drop(b); //~ E0505 cannot move out of `b` because it is borrowed
    println!("{got:?}");

    let at = pool.at(&a);
    let taken = pool.take(a); //~ E0505 cannot move out of `a` because it is borrowed
    //~^ E0502 cannot borrow `pool` as mutable
    println!("{at} {taken:?}");
}
