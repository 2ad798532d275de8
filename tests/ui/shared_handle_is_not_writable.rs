// Every `Box` user's first error.
struct Point {
    x: i32,
}

fn main() {
    let pool = mem_pool::FixedPool::new();
    let mut a = pool.alloc(Point { x: 1 });
    a.x = 3; //~ E0594 cannot assign to data in dereference of `PoolBox<Point>`
    //~? trait `DerefMut` is required to modify through a dereference, but it is not implemented for `PoolBox<Point>`
    println!("{}", a.x);
}
