//! Walks on all of `rayon`'s threads beside sequential ones, and beside `rayon` over a `Vec<Box<_>>`: how much the threads help,
//! with a closure that computes and one that only touches, in a dense pool and in one with an object in sixteen slots.

use std::hint::black_box;
use std::time::Duration;

use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use mem_pool::{FixedPool, Keyed, PoolBox};
use rayon::prelude::*;

const OBJECTS: usize = 1_000_000;
/// Of so many slots one has an object.
const SPARSE: usize = 16;

struct Body {
    at: [f64; 3],
    speed: [f64; 3],
    age: u64,
}

impl Body {
    fn new(n: usize) -> Self {
        Self {
            at: [n as f64; 3],
            speed: [1.0, 0.5, 0.25],
            age: 0,
        }
    }

    /// A few divisions and square roots: some 20 ns.
    fn fly(&mut self) {
        let distance = self.at.iter().map(|x| x * x).sum::<f64>().sqrt() + 1.0;
        for (x, v) in self.at.iter_mut().zip(&mut self.speed) {
            *v -= *x / (distance * distance * distance);
            *v /= (1.0 + *v * *v).sqrt();
            *x += *v * 0.01;
        }
    }

    fn touch(&mut self) {
        self.age += 1;
    }
}

type Pool = FixedPool<Body, Keyed>;

fn pooled(objects: usize, of: usize) -> (Pool, Vec<PoolBox<Body, Keyed>>) {
    let pool = FixedPool::keyed();
    let mut keys: Vec<_> = (0..objects * of)
        .map(|n| pool.alloc(Body::new(n)))
        .collect();
    let mut number = 0;
    keys.retain(|_| {
        number += 1;
        number % of == 0
    });
    (pool, keys)
}

fn run(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, work: fn(&mut Body)) {
    for (kind, objects, of) in [("dense", OBJECTS, 1), ("sparse", OBJECTS / SPARSE, SPARSE)] {
        group.throughput(Throughput::Elements(objects as u64));
        let (mut pool, keys) = pooled(objects, of);
        group.bench_function(format!("pool/{name}/{kind}/sequential"), |b| {
            b.iter(|| pool.for_each_mut(work));
        });
        group.bench_function(format!("pool/{name}/{kind}/parallel"), |b| {
            b.iter(|| pool.par_for_each_mut(work));
        });
        drop(keys);
    }
    let mut boxes: Vec<_> = (0..OBJECTS).map(|n| Box::new(Body::new(n))).collect();
    group.throughput(Throughput::Elements(OBJECTS as u64));
    group.bench_function(format!("box/{name}/dense/sequential"), |b| {
        b.iter(|| boxes.iter_mut().for_each(|body| work(body)));
    });
    group.bench_function(format!("box/{name}/dense/parallel"), |b| {
        b.iter(|| boxes.par_iter_mut().for_each(|body| work(body)));
    });
    black_box(boxes);
}

fn walks(c: &mut Criterion) {
    let mut group = c.benchmark_group("par_for_each_mut");
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(2))
        .warm_up_time(Duration::from_millis(300));
    run(&mut group, "fly", Body::fly);
    run(&mut group, "touch", Body::touch);
    group.finish();
}

criterion_group!(benches, walks);
criterion_main!(benches);
