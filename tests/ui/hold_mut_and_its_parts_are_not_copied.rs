use mem_pool::FixedPool;

fn main() {
    let mut pool = FixedPool::<u8>::keyed();
    let handle = pool.alloc(1);
    let mut hold = pool.hold_mut();
    let iter = hold.iter_mut();
    let _ = iter.clone(); //~ E0599 no method named `clone` found
    let (_, spawner) = hold.split();
    let _: &u8 = spawner.get(&handle); //~ E0599 no method named `get` found
    let _ = hold.clone(); //~ E0599 no method named `clone` found
}
