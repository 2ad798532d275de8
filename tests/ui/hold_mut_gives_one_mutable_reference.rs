use mem_pool::{FixedPool, PoolBox};

fn main() {
    let mut pool = FixedPool::keyed();
    let handle = pool.alloc(1);
    let key = PoolBox::downgrade(&handle);
    let mut hold = pool.hold_mut();

    let mut objects = hold.iter_mut();
    *hold.get_mut(key).unwrap() += 1; //~ E0499 cannot borrow `hold` as mutable more than once
    *objects.next().unwrap() += 1;

    let objects = hold.iter_mut();
    println!("{:?}", hold.get(key)); //~ E0502 cannot borrow `hold` as immutable
    println!("{}", hold.iter().count()); //~ E0502 cannot borrow `hold` as immutable
    println!("{}", objects.count());

    let (objects, _) = hold.split();
    let (others, _) = hold.split(); //~ E0499 cannot borrow `hold` as mutable more than once
    println!("{}", objects.count() + others.count());

    let a = hold.get_mut(key);
    let b = hold.get_mut(&handle); //~ E0499 cannot borrow `hold` as mutable more than once
    println!("{a:?} {b:?}");

    let seen = hold.get(key);
    hold[key] += 1; //~ E0502 cannot borrow `hold` as mutable
    println!("{seen:?}");
}
