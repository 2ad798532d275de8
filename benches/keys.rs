//! What weak keys and holds cost beside `slotmap` and `slab`: objects of 64 bytes.
//!
//! `cargo bench --bench keys` runs all of it in about ten seconds, `cargo bench --bench keys -- get` what is named so. The ids
//! are pool/operation/size. First it prints bytes per object, as counted by the allocator after room for ten thousand was
//! reserved: what the containers themselves take, without handles and keys.
//!
//! - `get`: ten thousand look-ups in random order, in an open hold by weak key (`keyed`), in the pool by handle
//!   (`keyed_by_handle`, which checks the pool but no stamp); the time is for all of them.
//! - `walk`: ten thousand objects summed up, by `for_each` and by the iterator of a hold (`keyed_hold`).
//! - `pair`: an object made and dropped: in a pool that never made a key, in one that made some (`keyed_stamped`: its chunks have
//!   stamps), and each with a key of its own (`keyed_downgraded`).
//! - `hold`: one opened and closed, with nothing to destroy.

use std::alloc::System;
use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group};
use mem_pool::{FixedPool, Keyed, PoolBox, WeakKey};
use slab::Slab;
use slotmap::{DefaultKey, SlotMap};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static SYSTEM: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

type Object = [u64; 8];

const OBJECT: Object = [1; 8];
const LIVE: usize = 10_000;

/// The same objects in every container.
struct World {
    pool: FixedPool<Object, Keyed>,
    handles: Vec<PoolBox<Object, Keyed>>,
    keys: Vec<WeakKey<Object>>,
    slots: SlotMap<DefaultKey, Object>,
    slot_keys: Vec<DefaultKey>,
    slab: Slab<Object>,
    places: Vec<usize>,
}

impl World {
    fn new() -> Self {
        let (pool, mut slots) = (FixedPool::keyed(), SlotMap::new());
        let handles: Vec<_> = (0..LIVE).map(|_| pool.alloc(OBJECT)).collect();
        World {
            keys: handles.iter().map(PoolBox::downgrade).collect(),
            slot_keys: (0..LIVE).map(|_| slots.insert(OBJECT)).collect(),
            slab: (0..LIVE).map(|place| (place, OBJECT)).collect(),
            places: (0..LIVE).collect(),
            pool,
            handles,
            slots,
        }
    }

    fn shuffle(&mut self) {
        let mut rng = fastrand::Rng::with_seed(42);
        rng.shuffle(&mut self.places);
        let places = &self.places;
        self.keys = places.iter().map(|&place| self.keys[place]).collect();
        self.slot_keys = places.iter().map(|&place| self.slot_keys[place]).collect();
        rng.shuffle(&mut self.handles);
    }
}

fn get(c: &mut Criterion) {
    let mut world = World::new();
    world.shuffle();
    let id = |pool: &str| format!("{pool}/get/{LIVE}");
    let hold = world.pool.hold();
    c.bench_function(&id("keyed"), |bench| {
        let objects = || world.keys.iter().filter_map(|&key| hold.get(key));
        bench.iter(|| objects().map(|object| object[0]).sum::<u64>());
    });
    c.bench_function(&id("keyed_by_handle"), |bench| {
        let objects = || {
            world
                .handles
                .iter()
                .filter_map(|handle| world.pool.get(handle))
        };
        bench.iter(|| objects().map(|object| object[0]).sum::<u64>());
    });
    c.bench_function(&id("slotmap"), |bench| {
        let objects = || {
            world
                .slot_keys
                .iter()
                .filter_map(|&key| world.slots.get(key))
        };
        bench.iter(|| objects().map(|object| object[0]).sum::<u64>());
    });
    c.bench_function(&id("slab"), |bench| {
        let objects = || {
            world
                .places
                .iter()
                .filter_map(|&place| world.slab.get(place))
        };
        bench.iter(|| objects().map(|object| object[0]).sum::<u64>());
    });
}

fn walk(c: &mut Criterion) {
    let world = World::new();
    let id = |pool: &str| format!("{pool}/walk/{LIVE}");
    c.bench_function(&id("keyed"), |bench| {
        bench.iter(|| {
            let mut sum = 0;
            world.pool.for_each(|object| sum += object[0]);
            sum
        });
    });
    c.bench_function(&id("keyed_hold"), |bench| {
        let hold = world.pool.hold();
        bench.iter(|| hold.iter().map(|object| object[0]).sum::<u64>());
    });
    c.bench_function(&id("slotmap"), |bench| {
        bench.iter(|| world.slots.values().map(|object| object[0]).sum::<u64>());
    });
    c.bench_function(&id("slab"), |bench| {
        bench.iter(|| world.slab.iter().map(|(_, object)| object[0]).sum::<u64>());
    });
}

fn pair(c: &mut Criterion) {
    let pool = FixedPool::keyed();
    let make = || black_box(pool.alloc(black_box(OBJECT)));
    c.bench_function("keyed/pair/1", |bench| bench.iter(|| drop(make())));
    black_box(PoolBox::downgrade(&make()));
    c.bench_function("keyed_stamped/pair/1", |bench| bench.iter(|| drop(make())));
    c.bench_function("keyed_downgraded/pair/1", |bench| {
        bench.iter(|| PoolBox::downgrade(&make()));
    });
    let mut slots = SlotMap::new();
    c.bench_function("slotmap/pair/1", |bench| {
        bench.iter(|| {
            let key: DefaultKey = black_box(slots.insert(black_box(OBJECT)));
            slots.remove(key);
        });
    });
}

fn hold(c: &mut Criterion) {
    let world = World::new();
    c.bench_function("keyed/hold/1", |bench| {
        bench.iter(|| drop(world.pool.hold()))
    });
}

/// What the allocator gave for each of so many objects; `make` keeps them in what it returns.
fn bytes<T>(what: &str, make: impl FnOnce() -> T) {
    let region = Region::new(SYSTEM);
    let made = make();
    let change = region.change();
    let bytes = change.bytes_allocated - change.bytes_deallocated;
    println!(
        "{what:24}{:6.1} bytes per object",
        bytes as f64 / LIVE as f64
    );
    drop(made);
}

fn print_bytes() {
    let mut handles = Vec::with_capacity(LIVE);
    bytes("keyed pool, no keys", || {
        let pool = FixedPool::keyed();
        pool.reserve(LIVE);
        handles.extend((0..LIVE).map(|_| pool.alloc(OBJECT)));
        pool
    });
    handles.clear();
    bytes("keyed pool, all with keys", || {
        let pool = FixedPool::keyed();
        pool.reserve(LIVE);
        handles.extend((0..LIVE).map(|_| pool.alloc(OBJECT)));
        handles
            .iter()
            .for_each(|handle| _ = PoolBox::downgrade(handle));
        pool
    });
    handles.clear();
    bytes("slotmap", || {
        let mut slots: SlotMap<DefaultKey, Object> = SlotMap::with_capacity(LIVE);
        (0..LIVE).for_each(|_| _ = slots.insert(OBJECT));
        slots
    });
    bytes("slab", || {
        let mut slab = Slab::with_capacity(LIVE);
        (0..LIVE).for_each(|_| _ = slab.insert(OBJECT));
        slab
    });
    println!();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400));
    targets = get, walk, pair, hold
}

fn main() {
    print_bytes();
    benches();
    Criterion::default().configure_from_args().final_summary();
}
