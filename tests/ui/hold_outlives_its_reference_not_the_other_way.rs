use mem_pool::{FixedPool, PoolBox};

fn main() {
    let mut pool = FixedPool::keyed();
    let handle = pool.alloc(5);
    let key = PoolBox::downgrade(&handle);

    let hold = pool.hold();
    let by_key = hold.get(key).unwrap();
    drop(hold); //~ E0505 cannot move out of `hold` because it is borrowed
    println!("{by_key}");

    let hold = pool.hold();
    let by_handle = &hold[&handle];
    drop(hold); //~ E0505 cannot move out of `hold` because it is borrowed
    println!("{by_handle}");

    let in_turn: Vec<_> = pool.hold().iter().collect(); //~ E0716 temporary value dropped while borrowed
    println!("{in_turn:?}");

    let with_keys = pool.hold().iter_keys().next(); //~ E0716 temporary value dropped while borrowed
    println!("{with_keys:?}");

    let mut hold = pool.hold_mut();
    let by_key = hold.get_mut(key).unwrap();
    drop(hold); //~ E0505 cannot move out of `hold` because it is borrowed
    *by_key += 1;

    let changed: Vec<_> = pool.hold_mut().iter_mut().collect(); //~ E0716 temporary value dropped while borrowed
    println!("{changed:?}");
}
