use mem_pool::{FixedPool, Keyed, PoolBox, WeakKey};

fn main() {
    let (numbers, texts) = (FixedPool::new(), FixedPool::new());
    let (number, text) = (numbers.alloc(1_u32), texts.alloc("one"));
    let hold = numbers.hold();
    hold.get(PoolBox::downgrade(&text)); //~ E0277 the trait bound
    hold.get(&text); //~ E0277 the trait bound
    let _ = hold[PoolBox::downgrade(&text)]; //~ E0277 cannot be indexed by
    let _ = PoolBox::downgrade(&number) == PoolBox::downgrade(&text); //~ E0308 mismatched types

    let keyed: FixedPool<u32, Keyed> = FixedPool::keyed();
    let handle = keyed.alloc(1);
    let key: WeakKey<u32> = (&handle).into();
    let _ = (hold.get(&handle), hold.get(key), hold[key]); // another pool's: found by nobody
    let _ = hold[&handle]; //~ E0277 cannot be indexed by
}
