//! Synthetic workloads with blocks of two kinds of sizes.

use std::hint::black_box;
use std::mem;
use std::time::Duration;

use fastrand::Rng;
use parking_lot::Mutex;

use super::Sizes;
use super::heaps::{Block, Source};
use crate::workloads::{Effort, Shuffled, timed, timed_together, together};

/// How many blocks live while others come and go.
pub(super) const LIVE: usize = 10_000;
const BATCH: usize = 1000;

/// Sizes to take one after the other, for ever; there are a power of two of them.
pub(super) fn sizes(kind: Sizes) -> Vec<usize> {
    let mut random = Rng::with_seed(1);
    let mut size = || match kind {
        Sizes::Fixed => 256,
        Sizes::LogNormal => log_normal(&mut random),
    };
    (0..1 << 16).map(|_| size()).collect()
}

fn log_normal(random: &mut Rng) -> usize {
    let radius = (-2.0 * random.f64().max(1e-12).ln()).sqrt();
    let normal = radius * (std::f64::consts::TAU * random.f64()).cos();
    ((150_f64.ln() + normal).exp() as usize).clamp(1, 20_000)
}

#[inline]
fn make<S: Source>(source: &S, size: usize) -> S::Block<'_> {
    let mut block = source.room(size);
    block.begin(size as u8);
    black_box(block)
}

/// A block taken and given back at once, while another lives: some would give all their memory back otherwise.
pub(super) fn pair<S: Source>(effort: &Effort, kind: Sizes) -> f64 {
    let source = S::new();
    let _fence = make(&source, 16);
    let sizes = sizes(kind);
    let mut next = sizes.iter().cycle();
    timed(effort.turn, BATCH, || {
        for &size in next.by_ref().take(BATCH) {
            drop(make(&source, size));
        }
    })
}

/// Of so many live blocks, one at random is replaced by another of another size.
struct Churn<'p, S: Source> {
    source: &'p S,
    sizes: Vec<usize>,
    live: Shuffled<S::Block<'p>>,
    turn: usize,
}

impl<'p, S: Source> Churn<'p, S> {
    fn new(source: &'p S, kind: Sizes, count: usize, seed: u64) -> Self {
        let sizes = sizes(kind);
        let live = sizes.iter().take(count);
        let live = live.map(|&size| make(source, size)).collect();
        let mut churn = Self {
            source,
            sizes,
            live: Shuffled::new(live, seed),
            turn: count,
        };
        churn.replace(2 * count);
        churn
    }

    fn replace(&mut self, times: usize) -> Duration {
        self.live.each(times, |block| {
            let size = self.sizes[self.turn % self.sizes.len()];
            self.turn += 1;
            drop(mem::replace(block, make(self.source, size)));
        })
    }
}

pub(super) fn churn<S: Source>(effort: &Effort, kind: Sizes) -> f64 {
    let source = S::new();
    let mut churn = Churn::new(&source, kind, LIVE, 2);
    let (mut time, mut batches) = (Duration::ZERO, 0);
    while time < effort.turn {
        time += churn.replace(BATCH);
        batches += 1;
    }
    time.as_nanos() as f64 / (batches * BATCH) as f64
}

/// Churns on two threads at once, in one pool, each with half the live blocks: the time for a replacement on each.
pub(super) fn two_threads<S: Source + Sync>(effort: &Effort, kind: Sizes) -> f64 {
    let source = &S::new();
    timed_together(effort.turn, |count| {
        let time = Mutex::new(Duration::ZERO);
        let churn = |seed| {
            let (mut churn, time) = (Churn::new(source, kind, LIVE / 2, seed), &time);
            move || *time.lock() += churn.replace(count)
        };
        together(|| churn(3), || churn(4));
        time.into_inner() / 2
    })
}
