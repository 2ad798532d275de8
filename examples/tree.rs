//! Objects that own objects of the same pool: a list a million nodes deep and a quadtree, both dropped safely.
//!
//! `cargo run --release --example tree`

use std::thread;

use mem_pool::{FixedPool, PoolBox, Unique};

const DEEP: u64 = 1_000_000;
const POINTS: u64 = 250_000;

/// A link of the deep tree: each node owns the next one.
struct Link {
    number: u64,
    next: Option<PoolBox<Link, Unique>>,
}

struct List {
    first: Option<PoolBox<Link, Unique>>,
}

impl List {
    fn build(links: &FixedPool<Link, Unique>, length: u64) -> Self {
        let mut first = None;
        for number in (0..length).rev() {
            let next = first.take();
            first = Some(links.alloc(Link { number, next }));
        }
        List { first }
    }

    fn sum(&self) -> u64 {
        let links = std::iter::successors(self.first.as_ref(), |link| link.next.as_ref());
        links.map(|link| link.number).sum()
    }
}

/// Left alone, a link would drop the next one inside its own drop, and so on: a million calls deep. Taken apart from the
/// front, each link is alone when it goes.
impl Drop for List {
    fn drop(&mut self) {
        let mut rest = self.first.take();
        while let Some(link) = rest {
            rest = PoolBox::into_inner(link).next;
        }
    }
}

type Point = (u32, u32);

/// A square of the wide tree: four quarters, or a few points. As deep as its side has bits, at most: nothing to take apart.
#[derive(Clone)]
enum Square {
    Leaf(Vec<Point>),
    Quarters([PoolBox<Square, Unique>; 4]),
}

impl Square {
    const ROOM: usize = 8;

    /// Adds a point to a square with a side of `2 << half` whose corner is at (0, 0).
    fn add(&mut self, squares: &FixedPool<Square, Unique>, (x, y): Point, half: u32) {
        match self {
            Square::Leaf(points) if points.len() < Self::ROOM || half == 0 => points.push((x, y)),
            Square::Leaf(points) => {
                let points = std::mem::take(points);
                let empty = || squares.alloc(Square::Leaf(Vec::new()));
                *self = Square::Quarters(std::array::from_fn(|_| empty()));
                for point in points.into_iter().chain([(x, y)]) {
                    self.add(squares, point, half);
                }
            }
            Square::Quarters(quarters) => {
                let quarter = (x >> half & 1) + (y >> half & 1) * 2;
                quarters[quarter as usize].add(squares, (x, y), half - 1);
            }
        }
    }

    /// How many squares there are, how many points, and how deep it goes.
    fn measure(&self) -> (usize, usize, usize) {
        match self {
            Square::Leaf(points) => (1, points.len(), 1),
            Square::Quarters(quarters) => {
                let parts = quarters.iter().map(|quarter| quarter.measure());
                let sum = parts.reduce(|a, b| (a.0 + b.0, a.1 + b.1, a.2.max(b.2)));
                sum.map_or((1, 0, 1), |(squares, points, deep)| {
                    (squares + 1, points, deep + 1)
                })
            }
        }
    }
}

fn main() {
    // A stack of 64 KiB has no room for a million nested calls.
    let deep = thread::Builder::new().stack_size(64 << 10).spawn(deep);
    let deep = deep.expect("there is room for a small thread");
    deep.join().expect("the list is taken apart link by link");
    wide();
}

fn deep() {
    println!("deep: every node owns the next");
    let links = FixedPool::unique();
    let list = List::build(&links, DEEP);
    println!("  {} nodes, which add up to {}", links.len(), list.sum());
    report(&links);
    drop(list);
    report(&links);
    give_back(&links);
}

fn wide() {
    println!("wide: every square owns four quarters");
    let squares = FixedPool::unique();
    let mut tree = squares.alloc(Square::Leaf(Vec::new()));
    for i in 0..POINTS {
        // Denser towards one corner, so that some branches are deeper than others.
        let (x, y) = (i * 7919 % 65_521, i * 104_729 % 65_519);
        tree.add(
            &squares,
            ((x * x / 65_536) as u32, (y * y / 65_536) as u32),
            15,
        );
    }
    let (nodes, points, deep) = tree.measure();
    println!("  {nodes} squares with {points} points, up to {deep} deep");
    let copy = tree.clone(); // square by square, into the same pool
    let all = squares.len();
    println!("  its copy has {:?}; {all} squares in all", copy.measure());
    report(&squares);
    drop((tree, copy));
    report(&squares);
    give_back(&squares);
}

fn report<T>(pool: &FixedPool<T, Unique>) {
    let stats = pool.stats();
    println!(
        "  pool: {} live, {} KiB reserved",
        stats.live,
        stats.reserved_bytes >> 10
    );
}

fn give_back<T>(pool: &FixedPool<T, Unique>) {
    println!(
        "  shrink_to_fit gave back {} KiB",
        pool.shrink_to_fit() >> 10
    );
    report(pool);
}
