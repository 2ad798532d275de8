//! What a pool costs beside `Box` and `slab`: objects of 64 bytes made, dropped and walked.
//!
//! `cargo bench --bench fixed` runs all of it in about half a minute, `cargo bench --bench fixed -- churn` what is named so.
//! The ids are pool/operation/size.
//!
//! - `pair`: an object made and dropped.
//! - `in_out`: a thousand made, then a thousand dropped; the time is for all of them.
//! - `churn`: of ten thousand, one picked at random is replaced.
//! - `two_threads`: pairs on two threads at once, in one pool; the time is for a pair on each.
//! - `handoff`: made on one thread, dropped on another.
//! - `walk`: ten thousand objects summed up; `walk_mut`: changed; `walk_tenth`: ten thousand that were left when nine of ten
//!   were dropped. A `Vec<Box>` has no holes to skip: its owner was told who goes.
//!
//! `shared`, `unique` and `keyed` are the accesses of the pool that threads can share, and `local` is the shared access of the
//! one for a single thread. All are used through `&self`, so `slab` stands in a `RefCell`, and for threads in a `Mutex`.

use std::cell::RefCell;
use std::hint::black_box;
use std::sync::{Barrier, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use fastrand::Rng;
use mem_pool::{FixedPool, Keyed, Lock, PoolBox, Shared, Unique, generic, local};
use slab::Slab;

type Object = [u64; 8];

const OBJECT: Object = [1; 8];
const LIVE: usize = 10_000;

/// What makes objects and takes them back.
trait Pool: Default {
    const NAME: &'static str;
    type Handle;

    fn make(&self) -> Self::Handle;
    fn end(&self, handle: Self::Handle);
}

#[derive(Default)]
struct Boxes;

impl Pool for Boxes {
    const NAME: &'static str = "box";
    type Handle = Box<Object>;

    #[inline]
    fn make(&self) -> Box<Object> {
        Box::new(black_box(OBJECT))
    }

    #[inline]
    fn end(&self, handle: Box<Object>) {
        drop(handle);
    }
}

impl Pool for RefCell<Slab<Object>> {
    const NAME: &'static str = "slab";
    type Handle = usize;

    #[inline]
    fn make(&self) -> usize {
        self.borrow_mut().insert(black_box(OBJECT))
    }

    #[inline]
    fn end(&self, handle: usize) {
        self.borrow_mut().remove(handle);
    }
}

impl Pool for Mutex<Slab<Object>> {
    const NAME: &'static str = "slab";
    type Handle = usize;

    #[inline]
    fn make(&self) -> usize {
        let mut slab = self.lock().expect("nobody panics");
        slab.insert(black_box(OBJECT))
    }

    #[inline]
    fn end(&self, handle: usize) {
        let mut slab = self.lock().expect("nobody panics");
        slab.remove(handle);
    }
}

macro_rules! fixed_pool {
    ($pool:ty, $handle:ty, $name:literal) => {
        impl Pool for $pool {
            const NAME: &'static str = $name;
            type Handle = $handle;

            #[inline]
            fn make(&self) -> $handle {
                self.alloc(black_box(OBJECT))
            }

            #[inline]
            fn end(&self, handle: $handle) {
                drop(handle);
            }
        }
    };
}

fixed_pool!(FixedPool<Object>, PoolBox<Object>, "shared");
fixed_pool!(FixedPool<Object, Unique>, PoolBox<Object, Unique>, "unique");
fixed_pool!(FixedPool<Object, Keyed>, PoolBox<Object, Keyed>, "keyed");
fixed_pool!(local::FixedPool<Object>, local::PoolBox<Object>, "local");

fn pair<P: Pool>(c: &mut Criterion) {
    let pool = P::default();
    c.bench_function(&format!("{}/pair/1", P::NAME), |bench| {
        bench.iter(|| pool.end(black_box(pool.make())));
    });
}

fn in_out<P: Pool>(c: &mut Criterion) {
    let (pool, mut handles) = (P::default(), Vec::with_capacity(1000));
    c.bench_function(&format!("{}/in_out/1000", P::NAME), |bench| {
        bench.iter(|| {
            handles.extend((0..1000).map(|_| pool.make()));
            handles.drain(..).for_each(|handle| pool.end(handle));
        });
    });
}

fn churn<P: Pool>(c: &mut Criterion) {
    let (pool, mut rng) = (P::default(), Rng::with_seed(42));
    let mut handles: Vec<P::Handle> = (0..LIVE).map(|_| pool.make()).collect();
    c.bench_function(&format!("{}/churn/{LIVE}", P::NAME), |bench| {
        bench.iter(|| {
            let place = &mut handles[rng.usize(..LIVE)];
            pool.end(std::mem::replace(place, pool.make()));
        });
    });
}

/// Runs both at once; gives the time from when both are there until both are done.
fn together(one: impl FnOnce(), other: impl FnOnce() + Send) -> Duration {
    let barrier = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            barrier.wait();
            other();
            barrier.wait();
        });
        barrier.wait();
        let start = Instant::now();
        one();
        barrier.wait();
        start.elapsed()
    })
}

fn two_threads<P: Pool + Sync>(c: &mut Criterion) {
    let pool = P::default();
    let pairs = |count| (0..count).for_each(|_| pool.end(black_box(pool.make())));
    c.bench_function(&format!("{}/two_threads/1", P::NAME), |bench| {
        bench.iter_custom(|count| together(|| pairs(count), || pairs(count)));
    });
}

/// Handed over by the hundred, for it is not the channel that is measured.
fn handoff<P: Pool + Sync>(c: &mut Criterion)
where
    P::Handle: Send,
{
    let pool = &P::default();
    let run = |count: u64| {
        let hundreds = count.div_ceil(100);
        let (send, receive) = mpsc::sync_channel::<Vec<P::Handle>>(16);
        let make = move || {
            for _ in 0..hundreds {
                let objects = (0..100).map(|_| pool.make()).collect();
                send.send(objects).expect("the receiver waits for all");
            }
        };
        let end = move || receive.iter().flatten().for_each(|handle| pool.end(handle));
        together(make, end).mul_f64(count as f64 / (hundreds * 100) as f64)
    };
    c.bench_function(&format!("{}/handoff/1", P::NAME), |bench| {
        bench.iter_custom(run);
    });
}

/// All handles, or a tenth of ten times as many.
fn live<H>(tenth: bool, mut make: impl FnMut() -> H) -> Vec<H> {
    let step = if tenth { 10 } else { 1 };
    let handles: Vec<H> = (0..LIVE * step).map(|_| make()).collect();
    handles.into_iter().step_by(step).collect()
}

fn walk(c: &mut Criterion) {
    for (tenth, operation) in [(false, "walk"), (true, "walk_tenth")] {
        let id = |pool: &str| format!("{pool}/{operation}/{LIVE}");
        let boxes = live(tenth, || Box::new(OBJECT));
        c.bench_function(&id("box"), |bench| {
            bench.iter(|| boxes.iter().map(|object| object[0]).sum::<u64>());
        });
        let mut slab = Slab::new();
        let keys = live(tenth, || slab.insert(OBJECT));
        slab.retain(|key, _| keys.binary_search(&key).is_ok());
        c.bench_function(&id("slab"), |bench| {
            bench.iter(|| slab.iter().map(|(_, object)| object[0]).sum::<u64>());
        });
        let (shared, local) = (FixedPool::new(), local::FixedPool::new());
        let handles = (
            live(tenth, || shared.alloc(OBJECT)),
            live(tenth, || local.alloc(OBJECT)),
        );
        c.bench_function(&id("shared"), |bench| bench.iter(|| sum(&shared)));
        c.bench_function(&id("local"), |bench| bench.iter(|| sum(&local)));
        drop(handles);
    }
}

fn sum<L: Lock>(pool: &generic::FixedPool<Object, Shared, L>) -> u64 {
    let mut sum = 0;
    pool.for_each(|object| sum += object[0]);
    sum
}

fn walk_mut(c: &mut Criterion) {
    let id = |pool: &str| format!("{pool}/walk_mut/{LIVE}");
    let mut boxes = live(false, || Box::new(OBJECT));
    c.bench_function(&id("box"), |bench| {
        bench.iter(|| boxes.iter_mut().for_each(|object| object[0] += 1));
    });
    let mut slab = Slab::new();
    live(false, || slab.insert(OBJECT));
    c.bench_function(&id("slab"), |bench| {
        bench.iter(|| slab.iter_mut().for_each(|(_, object)| object[0] += 1));
    });
    let mut keyed = FixedPool::keyed();
    let handles = live(false, || keyed.alloc(OBJECT));
    c.bench_function(&id("keyed"), |bench| {
        bench.iter(|| keyed.for_each_mut(|object| object[0] += 1));
    });
    drop(handles);
}

fn alone<P: Pool>(c: &mut Criterion) {
    pair::<P>(c);
    in_out::<P>(c);
    churn::<P>(c);
}

fn on_threads<P: Pool + Sync>(c: &mut Criterion)
where
    P::Handle: Send,
{
    two_threads::<P>(c);
    handoff::<P>(c);
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400));
    targets = alone::<Boxes>, alone::<RefCell<Slab<Object>>>, alone::<FixedPool<Object>>,
        alone::<FixedPool<Object, Unique>>, alone::<FixedPool<Object, Keyed>>, alone::<local::FixedPool<Object>>,
        on_threads::<Boxes>, on_threads::<Mutex<Slab<Object>>>, on_threads::<FixedPool<Object>>,
        on_threads::<FixedPool<Object, Unique>>, walk, walk_mut
}
criterion_main!(benches);
