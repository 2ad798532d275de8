use mem_pool::FixedPool;

fn main() {
    let mut pool = FixedPool::keyed();
    let handle = pool.alloc(1);

    let mut hold = pool.hold_mut();
    let (_, spawner) = hold.split();
    hold[&handle] += 1; //~ E0499 cannot borrow `hold` as mutable more than once
    drop(spawner.alloc(2));

    let (_, spawner) = hold.split();
    drop(hold); //~ E0505 cannot move out of `hold` because it is borrowed
    drop(spawner.alloc(2));
}
