use std::fmt::Display;

use mem_pool::{FixedPool, PoolBox, unsize};

trait Shape {}

struct Circle;

fn main() {
    let numbers = FixedPool::new();
    unsize!(numbers.alloc(5_u64) => u32); //~ E0308 mismatched types
    unsize!(numbers.alloc(5_u64) => i64); //~ E0308 mismatched types
    unsize!(numbers.alloc(5_u64) => dyn Shape); //~ E0277 the trait bound `u64: Shape` is not satisfied
    let circles = FixedPool::new();
    unsize!(circles.alloc(Circle) => dyn Display); //~ E0277 `Circle` doesn't implement `std::fmt::Display`
    let arrays = FixedPool::new();
    unsize!(arrays.alloc([1_u8; 3]) => [u16]); //~ E0308 mismatched types
    unsize!(arrays.alloc([1_u8; 3]) => [u8; 2]); //~ E0308 mismatched types
    let wrapped: PoolBox<[u8]> = unsize!(arrays.alloc([1_u8; 3]) => [u8]);
    unsize!(wrapped => [u8; 3]); //~ E0308 mismatched types
    unsize!(Box::new(5) => dyn Display); //~ E0308 mismatched types
    let handle = numbers.alloc(6);
    unsize!(&handle => dyn Display); //~ E0308 mismatched types
}
