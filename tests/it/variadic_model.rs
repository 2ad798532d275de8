//! `VariadicPool` against a model: handles beside `Vec`s with the same contents, and a map of live ranges.

use std::collections::BTreeMap;

use fastrand::Rng;
use mem_pool::{Lock, Locked, PoolBytes, Unlocked, generic};
use rstest::rstest;

/// What sizes there are.
#[derive(Clone, Copy)]
enum Sizes {
    /// Up to 8 KiB, mostly small.
    Small,
    /// Mostly around 1 MiB, beyond which the length of a block lies behind it.
    Long,
}

/// Any of these sizes, and bytes.
struct Random {
    rng: Rng,
    sizes: Sizes,
}

impl Random {
    fn size(&mut self) -> usize {
        let rng = &mut self.rng;
        match (self.sizes, rng.u8(..8)) {
            (Sizes::Long, 0) => rng.usize(..3 << 20),
            (Sizes::Long, 1..=5) => (1 << 20) - 48 + rng.usize(..80),
            _ => {
                let bits = rng.usize(..14);
                rng.usize(..1 << bits)
            }
        }
    }

    fn bytes(&mut self) -> Vec<u8> {
        let mut bytes = vec![self.rng.u8(..); self.size()];
        if let Sizes::Small = self.sizes {
            self.rng.fill(&mut bytes);
        }
        bytes
    }
}

/// What is done to a pool or a handle.
#[derive(Debug)]
enum Op {
    Alloc { len: usize, align: usize },
    Copy(Vec<u8>),
    WithCapacity(usize),
    Drop(usize),
    Resize(usize, usize),
    Append(usize, Vec<u8>),
    Truncate(usize, usize),
    Shrink(usize),
    GrowInPlace(usize, usize),
    Clone(usize),
    ShrinkPool,
}

impl Op {
    fn any(random: &mut Random, live: usize) -> Self {
        let of = random.rng.usize(..live.max(1));
        match random.rng.u8(..if live == 0 { 4 } else { 16 }) {
            0 => Self::WithCapacity(random.size()),
            1 => Self::Alloc {
                len: random.size(),
                align: 1 << random.rng.u8(..13),
            },
            2 => Self::Alloc {
                len: random.size(),
                align: 1,
            },
            3 => Self::Copy(random.bytes()),
            4..=7 => Self::Drop(of),
            8 | 9 => Self::Resize(of, random.size()),
            10 | 11 => Self::Append(of, random.bytes()),
            12 => Self::Truncate(of, random.size()),
            13 => Self::Shrink(of),
            14 => Self::GrowInPlace(of, random.size()),
            _ if random.rng.u8(..20) == 0 => Self::ShrinkPool,
            _ => Self::Clone(of),
        }
    }
}

/// A handle, what it should contain, and the alignment it was asked for.
struct Live<L: Lock> {
    bytes: PoolBytes<L>,
    expected: Vec<u8>,
    align: usize,
}

struct Model<L: Lock> {
    pool: generic::VariadicPool<L>,
    live: Vec<Live<L>>,
}

impl<L: Lock> Model<L> {
    fn add(&mut self, bytes: PoolBytes<L>, expected: Vec<u8>, align: usize) {
        self.live.push(Live {
            bytes,
            expected,
            align,
        });
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Alloc { len, align } => {
                self.add(self.pool.alloc_aligned(len, align), vec![0; len], align)
            }
            Op::Copy(bytes) => self.add(self.pool.alloc_copy(&bytes), bytes, 16),
            Op::WithCapacity(room) => self.add(self.pool.alloc_with_capacity(room), Vec::new(), 16),
            Op::Drop(n) => drop(self.live.swap_remove(n)),
            Op::Clone(n) => {
                let (bytes, expected) = (self.live[n].bytes.clone(), self.live[n].expected.clone());
                self.add(bytes, expected, self.live[n].align);
            }
            Op::ShrinkPool => {
                let before = self.pool.reserved_bytes();
                let given_back = self.pool.shrink_to_fit();
                assert_eq!(self.pool.reserved_bytes(), before - given_back);
            }
            Op::Resize(..)
            | Op::Append(..)
            | Op::Truncate(..)
            | Op::Shrink(_)
            | Op::GrowInPlace(..) => self.change(op),
        }
    }

    fn change(&mut self, op: Op) {
        match op {
            Op::Resize(n, len) => {
                self.live[n].bytes.resize(len);
                self.live[n].expected.resize(len, 0);
            }
            Op::Append(n, more) => {
                self.live[n].bytes.extend_from_slice(&more);
                self.live[n].expected.extend_from_slice(&more);
            }
            Op::Truncate(n, len) => {
                self.live[n].bytes.truncate(len);
                self.live[n].expected.truncate(len);
            }
            Op::Shrink(n) => self.live[n].bytes.shrink_to_fit(),
            Op::GrowInPlace(n, room) => {
                let at = self.live[n].bytes.as_ptr();
                let grown = self.live[n].bytes.try_grow_in_place(room);
                assert_eq!(
                    (grown, at),
                    (
                        self.live[n].bytes.capacity() >= room,
                        self.live[n].bytes.as_ptr()
                    )
                );
            }
            op => unreachable!("{op:?} is no change"),
        }
    }

    fn check(&self) {
        self.pool.check().unwrap();
        assert_eq!(self.pool.live_blocks(), self.live.len());
        assert_eq!(
            self.pool.live_bytes(),
            self.live
                .iter()
                .map(|live| live.expected.len())
                .sum::<usize>()
        );
        let mut ranges = BTreeMap::new();
        for live in &self.live {
            assert_eq!(live.bytes, live.expected);
            let start = live.bytes.as_ptr().addr();
            assert_eq!(start % live.align, 0);
            assert!(
                ranges
                    .insert(start, start + live.bytes.capacity())
                    .is_none()
            );
        }
        let mut neighbours = ranges.values().zip(ranges.keys().skip(1));
        assert!(
            neighbours.all(|(end, start)| end <= start),
            "no two overlap"
        );
    }
}

fn run<L: Lock>(builder: generic::VariadicBuilder<L>, sizes: Sizes, seed: u64) {
    let mut model = Model {
        pool: builder.build(),
        live: Vec::new(),
    };
    let (steps, most_live) = match sizes {
        _ if cfg!(miri) => (100, 200),
        Sizes::Small => (3_000, 200),
        Sizes::Long => (500, 6),
    };
    let mut random = Random {
        rng: Rng::with_seed(seed),
        sizes,
    };
    for step in 0..steps {
        let op = if model.live.len() > most_live {
            Op::Drop(step % most_live)
        } else {
            Op::any(&mut random, model.live.len())
        };
        model.apply(op);
        model.check();
    }
    while !model.live.is_empty() {
        model.apply(Op::Drop(random.rng.usize(..model.live.len())));
        model.pool.check().unwrap();
    }
    assert!(model.pool.stats().chunks <= 1);
}

#[rstest]
fn a_pool_agrees_with_vecs(
    #[values(1, 4096, 65536)] grow_size: usize,
    #[values(0, 20, 100)] tolerance: u8,
    #[values(false, true)] first_fit: bool,
) {
    agrees_with_vecs(Sizes::Small, grow_size, tolerance, first_fit);
}

#[rstest]
#[cfg_attr(miri, ignore = "copies and compares megabytes")]
fn a_pool_of_long_blocks_agrees_with_vecs(
    #[values(1, 5 << 20)] grow_size: usize,
    #[values(0, 20, 100)] tolerance: u8,
    #[values(false, true)] first_fit: bool,
) {
    agrees_with_vecs(Sizes::Long, grow_size, tolerance, first_fit);
}

fn agrees_with_vecs(sizes: Sizes, grow_size: usize, tolerance: u8, first_fit: bool) {
    let builder = generic::VariadicPool::<Locked>::builder()
        .grow_size(grow_size)
        .tolerance_percent(tolerance);
    let builder = builder.zero_on_release(tolerance == 20);
    run(
        if first_fit {
            builder.first_fit()
        } else {
            builder
        },
        sizes,
        1 + grow_size as u64 + u64::from(tolerance),
    );
}

#[test]
fn a_local_pool_agrees_with_vecs() {
    run(
        generic::VariadicPool::<Unlocked>::builder().grow_size(8192),
        Sizes::Small,
        99,
    );
}
