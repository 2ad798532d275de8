//! The three ways to reach an object in a pool: `Shared`, `Unique` and `Keyed`.
//!
//! `cargo run --example quickstart`

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use mem_pool::{FixedPool, Keyed, PoolBox, Unique};

struct Session {
    user: &'static str,
    requests: AtomicU32,
}

/// Shared: both the owner of a session and whoever walks the pool get `&Session`.
static SESSIONS: FixedPool<Session> = FixedPool::new();

fn log_in(user: &'static str) -> PoolBox<Session> {
    let requests = AtomicU32::new(0);
    SESSIONS.alloc(Session { user, requests })
}

struct Ship {
    x: i32,
    speed: i32,
}

fn main() {
    let (ann, bob) = (log_in("Ann"), log_in("Bob"));
    ann.requests.fetch_add(3, Relaxed);
    SESSIONS.for_each(|s| println!("{}: {} requests", s.user, s.requests.load(Relaxed)));
    drop(bob); // his session is destroyed, and its slot is free again
    println!("{} session is left: {}'s", SESSIONS.len(), ann.user);

    // Unique: the handle alone reaches the object, as with a `Box`, and gives `&mut` to it.
    let lists: FixedPool<Vec<i32>, Unique> = FixedPool::unique();
    let mut list: PoolBox<Vec<i32>, Unique> = lists.alloc(vec![3, 1, 2]);
    list.sort();
    println!("sorted: {list:?}");
    let list: Vec<i32> = PoolBox::into_inner(list);
    println!("moved out: {list:?}, {} left in the pool", lists.len());

    // Keyed: the pool alone reaches the objects, all of them mutably; the handle is the key to one and owns it.
    let mut ships: FixedPool<Ship, Keyed> = FixedPool::keyed();
    let ship: PoolBox<Ship, Keyed> = ships.alloc(Ship { x: 10, speed: 5 });
    ships.for_each_mut(|ship| ship.x += ship.speed);
    ships.at_mut(&ship).speed = 0;
    println!("the ship is at {}", ships.at(&ship).x);

    // A weak key names an object for as long as it lives, and no other one ever after.
    let target = PoolBox::downgrade(&ship);
    println!("in sight: {}", ships.hold().get(target).is_some());
    drop(ship);
    let _other = ships.alloc(Ship { x: 0, speed: 1 }); // in the very same slot
    println!("in sight: {}", ships.hold().get(target).is_some());
}
