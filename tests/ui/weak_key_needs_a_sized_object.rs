use mem_pool::{FixedPool, PoolBox, unsize};

fn main() {
    let thing = unsize!(FixedPool::new().alloc(1) => dyn std::fmt::Debug);
    let _ = PoolBox::downgrade(&thing); //~ E0277 the size for values of type `dyn Debug` cannot be known
    //~^ E0277 the size for values of type `dyn Debug` cannot be known
}
