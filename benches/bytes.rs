//! Bytes from a pool beside the same work on `Vec<u8>`: what a pair, a busy heap, a heap full of holes, pushes, and the heap
//! calls of real programs cost. Ids are `pool/operation/size`.
//!
//! Every `*.trace` file in the directory that `MEM_POOL_TRACES` names is replayed; `examples/data` by default.

use std::fs;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fastrand::Rng;
use mem_pool::{PoolBytes, VariadicPool, local};

/// Where bytes come from.
trait Source {
    const NAME: &'static str;
    type Bytes;
    fn make() -> Self;
    /// Zeroes.
    fn alloc(&self, len: usize) -> Self::Bytes;
    /// Room for bytes, none of them written.
    fn room(&self, len: usize) -> Self::Bytes;
    fn resize(bytes: &mut Self::Bytes, len: usize);
    fn push(bytes: &mut Self::Bytes, byte: u8);
}

struct Global;

impl Source for Global {
    const NAME: &'static str = "vec";
    type Bytes = Vec<u8>;

    fn make() -> Self {
        Self
    }

    fn alloc(&self, len: usize) -> Vec<u8> {
        vec![0; len]
    }

    fn room(&self, len: usize) -> Vec<u8> {
        Vec::with_capacity(len)
    }

    fn resize(bytes: &mut Vec<u8>, len: usize) {
        bytes.resize(len, 0);
    }

    fn push(bytes: &mut Vec<u8>, byte: u8) {
        bytes.push(byte);
    }
}

impl Source for VariadicPool {
    const NAME: &'static str = "variadic";
    type Bytes = PoolBytes;

    fn make() -> Self {
        Self::default()
    }

    fn alloc(&self, len: usize) -> PoolBytes {
        self.alloc(len)
    }

    fn room(&self, len: usize) -> PoolBytes {
        self.alloc_with_capacity(len)
    }

    fn resize(bytes: &mut PoolBytes, len: usize) {
        bytes.resize(len);
    }

    fn push(bytes: &mut PoolBytes, byte: u8) {
        bytes.push(byte);
    }
}

impl Source for local::VariadicPool {
    const NAME: &'static str = "local";
    type Bytes = local::PoolBytes;

    fn make() -> Self {
        Self::default()
    }

    fn alloc(&self, len: usize) -> local::PoolBytes {
        self.alloc(len)
    }

    fn room(&self, len: usize) -> local::PoolBytes {
        self.alloc_with_capacity(len)
    }

    fn resize(bytes: &mut local::PoolBytes, len: usize) {
        bytes.resize(len);
    }

    fn push(bytes: &mut local::PoolBytes, byte: u8) {
        bytes.push(byte);
    }
}

/// Log-normal, as the sizes of real programs are; median 150.
fn log_normal(rng: &mut Rng) -> usize {
    let radius = (-2.0 * rng.f64().max(1e-12).ln()).sqrt();
    let normal = radius * (std::f64::consts::TAU * rng.f64()).cos();
    ((150_f64.ln() + normal).exp() as usize).clamp(1, 20_000)
}

fn sizes() -> Vec<usize> {
    let mut rng = Rng::with_seed(1);
    (0..1 << 16).map(|_| log_normal(&mut rng)).collect()
}

/// Allocate and free at once, while something else lives.
fn pair<S: Source>(c: &mut Criterion) {
    let source = S::make();
    let _fence = source.alloc(16);
    let mut group = c.benchmark_group(S::NAME);
    for len in [64, 150, 1000, 16_384] {
        group.bench_function(BenchmarkId::new("zeroed_pair", len), |b| {
            b.iter(|| source.alloc(black_box(len)))
        });
        group.bench_function(BenchmarkId::new("room_pair", len), |b| {
            b.iter(|| source.room(black_box(len)))
        });
    }
}

/// One of many live blocks goes, another of another size comes.
fn churn<S: Source>(c: &mut Criterion) {
    let (sizes, mut rng) = (sizes(), Rng::with_seed(2));
    let mut group = c.benchmark_group(S::NAME);
    for count in [1000, 10_000] {
        let source = S::make();
        let mut live: Vec<_> = sizes
            .iter()
            .take(count)
            .map(|&len| source.alloc(len))
            .collect();
        let mut lens = sizes.iter().copied().cycle();
        group.bench_function(BenchmarkId::new("zeroed_churn", count), |b| {
            b.iter(|| live[rng.usize(..count)] = source.alloc(lens.next().unwrap()));
        });
        group.bench_function(BenchmarkId::new("room_churn", count), |b| {
            b.iter(|| live[rng.usize(..count)] = source.room(lens.next().unwrap()));
        });
    }
}

/// Finds a block among so many holes of mixed sizes, and gives it back.
fn holes<S: Source>(c: &mut Criterion) {
    let sizes = sizes();
    let mut group = c.benchmark_group(S::NAME);
    for count in [100, 10_000] {
        let source = S::make();
        let (mut holes, mut fences) = (Vec::new(), Vec::new());
        for &len in sizes.iter().take(count) {
            holes.push(source.room(len));
            fences.push(source.room(16));
        }
        drop(holes);
        let mut lens = sizes.iter().copied().cycle();
        group.bench_function(BenchmarkId::new("holes", count), |b| {
            b.iter(|| source.room(lens.next().unwrap()))
        });
    }
}

fn push<S: Source>(c: &mut Criterion) {
    let source = S::make();
    let mut group = c.benchmark_group(S::NAME);
    let count = 100_000;
    group.throughput(Throughput::Elements(count as u64));
    group.bench_function(BenchmarkId::new("push", count), |b| {
        b.iter(|| {
            let mut bytes = source.room(0);
            (0..count).for_each(|n| S::push(&mut bytes, n as u8));
            bytes
        });
    });
}

enum Event {
    Alloc(usize),
    Resize(usize, usize),
    Free(usize),
}

/// The traces, each with its name.
fn traces() -> Vec<(String, Vec<Event>)> {
    let default = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/data");
    let directory = std::env::var_os("MEM_POOL_TRACES").map_or(default, PathBuf::from);
    let entries =
        fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "trace")
    });
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (
            path.file_stem().unwrap().to_string_lossy().into_owned(),
            text.lines().map(parse).collect(),
        )
    };
    paths.into_iter().map(read).collect()
}

fn parse(line: &str) -> Event {
    let mut words = line.split(' ');
    let kind = words.next();
    let mut number = || {
        words
            .next()
            .and_then(|word| word.parse().ok())
            .expect("a trace has numbers")
    };
    match kind {
        Some("a") => Event::Alloc(number()),
        Some("r") => Event::Resize(number(), number()),
        Some("f") => Event::Free(number()),
        other => panic!("{other:?} is no event"),
    }
}

fn replay<S: Source>(source: &S, events: &[Event], live: &mut Vec<Option<S::Bytes>>) {
    for event in events {
        match *event {
            Event::Alloc(len) => live.push(Some(source.alloc(len))),
            Event::Resize(id, len) => S::resize(live[id].as_mut().expect("live"), len),
            Event::Free(id) => live[id] = None,
        }
    }
    live.clear();
}

/// The heap calls of a real program, from its first to its last.
fn trace<S: Source>(c: &mut Criterion) {
    let source = S::make();
    let mut group = c.benchmark_group(S::NAME);
    for (name, events) in traces() {
        let mut live = Vec::with_capacity(events.len());
        group.throughput(Throughput::Elements(events.len() as u64));
        let id = BenchmarkId::new(format!("trace_{name}"), events.len());
        group.bench_function(id, |b| b.iter(|| replay(&source, &events, &mut live)));
    }
}

fn all<S: Source>(c: &mut Criterion) {
    pair::<S>(c);
    churn::<S>(c);
    holes::<S>(c);
    push::<S>(c);
    trace::<S>(c);
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = all::<Global>, all::<VariadicPool>, all::<local::VariadicPool>
}
criterion_main!(benches);
