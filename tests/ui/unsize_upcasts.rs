//! Compiles, from the Rust on that coerces trait objects to those of their supertraits.
use std::any::Any;

use mem_pool::{FixedPool, PoolBox, unsize};

trait Named: Any {
    fn name(&self) -> &str;
}

impl Named for String {
    fn name(&self) -> &str {
        self
    }
}

fn main() {
    let pool = FixedPool::new();
    let named: PoolBox<dyn Named> = unsize!(pool.alloc(String::from("up")) => dyn Named);
    assert_eq!(named.name(), "up");
    let any: PoolBox<dyn Any> = unsize!(named => dyn Any);
    assert_eq!(any.downcast_ref::<String>().unwrap(), "up");
}
