//! White box: an arena without locks or handles, checked after every step.

use std::collections::BTreeMap;
use std::ptr::NonNull;

use fastrand::Rng;
use rstest::rstest;

use super::{Arena, Policy};
use crate::asan;
use crate::chunk::Region;
use crate::error::{Corruption, PoolError};
use crate::stats::VariadicStats;
use crate::variadic::block::{Block, Chunk, HEADER, LEAST, Lease, MOST_CHUNK, Tag, UNIT, room_of};
use crate::variadic::request::{Request, units_for};

const BEST: Policy = Policy {
    tolerance_percent: 0,
    first_fit: false,
};

/// Mostly small, sometimes large.
fn any_len(rng: &mut Rng) -> usize {
    let bits = rng.usize(..13);
    rng.usize(..1 << bits)
}

/// An arena that grows by itself, as a shard would make it.
struct Grown {
    arena: Arena,
    grow_size: usize,
    /// How many operations there are from one look at the arena to the next: a look merges what was released last.
    patience: u32,
    operations: u32,
}

impl Grown {
    fn new(policy: Policy, grow_size: usize) -> Self {
        Self {
            arena: Arena::new(policy),
            grow_size,
            patience: 1,
            operations: 0,
        }
    }

    fn alloc(&mut self, len: usize, align: usize) -> Lease {
        let request = Request::new(len, len, align).unwrap();
        let lease = self.arena.alloc(request).unwrap_or_else(|| {
            let size = request.chunk_size().max(self.grow_size);
            let region = Region::try_new(Chunk::layout(size).unwrap()).unwrap();
            self.arena.adopt(region, 3, request)
        });
        self.check();
        lease
    }

    fn release(&mut self, lease: Lease) {
        // SAFETY: every lease here is of this arena.
        drop(unsafe { self.arena.release(lease) });
        self.check();
    }

    fn extend(&mut self, lease: &mut Lease, least: usize, wanted: usize) -> bool {
        // SAFETY: every lease here is of this arena.
        let extended = unsafe {
            self.arena
                .extend(lease, units_for(least), units_for(wanted))
        };
        self.check();
        extended
    }

    fn shrink(&mut self, lease: &mut Lease, room: usize) {
        lease.set_len(room.min(lease.block().len()));
        // SAFETY: every lease here is of this arena.
        unsafe { self.arena.shrink(lease, units_for(room)) };
        self.check();
    }

    fn check(&mut self) {
        self.operations += 1;
        if self.operations % self.patience != 0 {
            return;
        }
        self.arena
            .check()
            .unwrap_or_else(|corruption| panic!("{corruption}"));
    }

    fn stats(&mut self) -> VariadicStats {
        let mut stats = VariadicStats::default();
        self.arena.add_to(&mut stats);
        stats
    }

    fn free_sizes(&self) -> Vec<u32> {
        self.arena
            .blocks()
            .filter(|block| block.is_free())
            .map(Block::size)
            .collect()
    }
}

impl Drop for Grown {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            drop(self.arena.close());
            assert_eq!(self.arena.chunks().count(), 0, "what is released goes back");
        }
    }
}

/// Every order of the first `n` numbers (Heap's).
fn for_each_order(n: usize, order: &mut Vec<usize>, visit: &mut impl FnMut(&[usize])) {
    if n <= 1 {
        return visit(order);
    }
    for i in 0..n {
        for_each_order(n - 1, order, visit);
        order.swap(if n % 2 == 0 { i } else { 0 }, n - 1);
    }
}

#[test]
fn every_order_of_releasing_six_blocks_leaves_one_free_block() {
    let mut orders = 0;
    for_each_order(
        if cfg!(miri) { 4 } else { 6 },
        &mut (0..6).collect(),
        &mut |order| {
            let mut grown = Grown::new(BEST, 4096);
            let mut leases: Vec<_> = (0..6)
                .map(|n| Some(grown.alloc(100 * n, 16 << n)))
                .collect();
            order
                .iter()
                .for_each(|&n| grown.release(leases[n].take().unwrap()));
            assert_eq!((grown.stats().free_blocks, grown.stats().chunks), (1, 1));
            orders += 1;
        },
    );
    assert_eq!(orders, if cfg!(miri) { 24 } else { 720 });
}

#[test]
fn random_orders_of_releasing_64_blocks_leave_one_free_block() {
    let mut rng = Rng::with_seed(7);
    for _ in 0..if cfg!(miri) { 2 } else { 200 } {
        let mut grown = Grown::new(BEST, 256 * 1024);
        let mut leases: Vec<_> = (0..64)
            .map(|_| grown.alloc(any_len(&mut rng) / 2, 1 << rng.usize(..9)))
            .collect();
        while !leases.is_empty() {
            grown.release(leases.swap_remove(rng.usize(..leases.len())));
        }
        assert_eq!((grown.stats().free_blocks, grown.stats().chunks), (1, 1));
    }
}

#[test]
fn a_block_merges_with_what_is_free_beside_it() {
    // Which of the neighbours are free when the middle one is released, and how many free blocks there are then. (Behind
    // the last block lies the rest of the chunk.)
    for (first, last, expected) in [
        (false, false, 2),
        (true, false, 2),
        (false, true, 1),
        (true, true, 1),
    ] {
        let mut grown = Grown::new(BEST, 4096);
        let [a, b, c] = [0; 3].map(|_| grown.alloc(64, 16));
        let mut kept = Vec::new();
        for (lease, free) in [(a, first), (c, last)] {
            if free {
                grown.release(lease)
            } else {
                kept.push(lease)
            }
        }
        grown.release(b);
        assert_eq!(grown.stats().free_blocks, expected, "{first} {last}");
        kept.into_iter().for_each(|lease| grown.release(lease));
    }
}

#[test]
fn a_small_rest_goes_with_the_block_and_comes_back() {
    let mut grown = Grown::new(BEST, 4096);
    let (a, fence) = (grown.alloc(64, 16), grown.alloc(0, 16));
    grown.release(a);
    let b = grown.alloc(48, 16);
    assert_eq!(b.capacity(), 72);
    grown.release(b);
    assert_eq!(grown.free_sizes()[0], units_for(64));
    grown.release(fence);
}

#[test]
fn a_block_within_the_tolerance_is_taken_whole() {
    // A hole of 1600 bytes; what is asked for; the tolerance; what is given.
    for (len, tolerance_percent, expected) in [
        (1600, 0, 1608),
        (1568, 0, 1576),
        (1568, 2, 1576),
        (1568, 3, 1608),
        (800, 99, 808),
        (800, 100, 1608),
        (784, 100, 792),
        (1, 100, 24),
        (0, 100, 24),
    ] {
        let mut grown = Grown::new(
            Policy {
                tolerance_percent,
                first_fit: false,
            },
            8192,
        );
        let (hole, fence) = (grown.alloc(1600, 16), grown.alloc(5000, 16));
        grown.release(hole);
        let lease = grown.alloc(len, 16);
        assert_eq!(
            lease.capacity(),
            expected,
            "{len} bytes at {tolerance_percent} %"
        );
        grown.release(lease);
        grown.release(fence);
    }
}

#[test]
fn of_two_wholly_free_chunks_the_smaller_is_kept() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let mut grown = Grown::new(BEST, 4096);
        let mut leases = [4000, 50_000, 9_000].map(|len| Some(grown.alloc(len, 16)));
        assert_eq!(grown.stats().chunks, 3);
        order
            .iter()
            .for_each(|&n| grown.release(leases[n].take().unwrap()));
        assert_eq!(
            (grown.stats().chunks, grown.stats().reserved_bytes),
            (1, 4096)
        );
    }
}

#[test]
fn a_closed_arena_keeps_nothing() {
    let mut grown = Grown::new(BEST, 4096);
    let [first, second] = [4000, 9000].map(|len| grown.alloc(len, 16));
    grown.release(first);
    assert_eq!(grown.stats().chunks, 2, "one is kept");
    assert_eq!(grown.arena.close().unwrap().size(), 4096);
    grown.release(second);
    assert_eq!(grown.stats().chunks, 0);
}

#[test]
fn a_lease_grows_into_a_free_neighbour_and_gives_its_tail_back() {
    let mut grown = Grown::new(BEST, 4096);
    let (mut a, b, fence) = (
        grown.alloc(100, 16),
        grown.alloc(200, 16),
        grown.alloc(16, 16),
    );
    assert!(!grown.extend(&mut a, 128, 128), "what is behind is used");
    grown.release(b);
    assert!(
        !grown.extend(&mut a, 104 + 8 + 200 + 1, 1000),
        "more than there is"
    );
    assert!(grown.extend(&mut a, 128, 160));
    assert_eq!(a.capacity(), 168);
    assert!(grown.extend(&mut a, 128, 1000));
    assert_eq!(a.capacity(), 104 + 8 + 200);
    grown.shrink(&mut a, 10);
    assert_eq!((a.capacity(), a.block().len()), (24, 10));
    assert_eq!(grown.free_sizes()[0], units_for(104 + 8 + 200) - LEAST);
    grown.release(fence);
    grown.release(a);
}

#[test]
fn an_exact_place_for_a_large_alignment_is_found() {
    let mut grown = Grown::new(BEST, 64 * 1024);
    let filler: Vec<_> = (0..15).map(|_| grown.alloc(4088, 4096)).collect();
    let mut small = Vec::new();
    let request = Request::new(16, 16, 16).unwrap();
    while let Some(lease) = grown.arena.alloc(request) {
        small.push(lease);
    }
    let mut filler = filler.into_iter();
    let hole = filler.next_back().unwrap();
    let addr = hole.payload().addr();
    grown.release(hole);
    let request = Request::new(4088, 4088, 4096).unwrap();
    assert!(
        grown.arena.alloc(request).is_none(),
        "no block will do wherever it begins"
    );
    let lease = grown.arena.alloc_anywhere(request).unwrap();
    grown.check();
    assert_eq!(lease.payload().addr(), addr);
    let rest = filler.chain(small).chain([lease]);
    rest.for_each(|lease| grown.release(lease));
}

/// A live block of the model: its lease, and the byte it is filled with.
struct Live {
    lease: Lease,
    fill: u8,
}

impl Live {
    fn write(&mut self) {
        let (payload, capacity) = (self.lease.payload(), self.lease.capacity());
        // SAFETY: the payload is the lease's.
        unsafe { payload.write_bytes(self.fill, capacity) };
    }

    fn assert_intact(&self, count: usize) {
        let payload = self.lease.payload().as_ptr();
        // SAFETY: the payload is the lease's, and was written whole.
        let bytes = unsafe { std::slice::from_raw_parts(payload, count) };
        assert!(
            bytes.iter().all(|&byte| byte == self.fill),
            "contents are kept"
        );
    }

    fn range(&self) -> (usize, usize) {
        let start = self.lease.payload().addr().get();
        (start, start + self.lease.capacity())
    }
}

/// The smallest free blocks that will do, found by looking at all: where each begins and ends.
fn smallest_adequate(arena: &Arena, units: u32) -> Option<Vec<(usize, usize)>> {
    let adequate = || {
        arena
            .blocks()
            .filter(|block| block.is_free() && block.size() >= units)
    };
    let least = adequate().map(Block::size).min()?;
    let ranges = adequate().filter(|block| block.size() == least);
    Some(
        ranges
            .map(|block| (block.addr(), block.addr() + block.size() as usize * UNIT))
            .collect(),
    )
}

fn assert_disjoint(live: &[Live]) {
    let ranges: BTreeMap<_, _> = live.iter().map(Live::range).collect();
    assert_eq!(ranges.len(), live.len(), "no two begin at one place");
    let ends = ranges.values().zip(ranges.keys().skip(1));
    assert!(
        ends.into_iter().all(|(end, start)| end <= start),
        "no two overlap"
    );
}

fn alloc_best(grown: &mut Grown, rng: &mut Rng) -> Live {
    let aligned = rng.u8(..4) == 0;
    let (len, align) = (
        any_len(rng),
        if aligned { 1 << rng.usize(..13) } else { 16 },
    );
    let request = Request::new(len, len, align).unwrap();
    let adequate = smallest_adequate(&grown.arena, request.search_units());
    let mut new = Live {
        lease: grown.alloc(len, align),
        fill: rng.u8(..),
    };
    let (start, end) = new.range();
    assert!(start % align == 0 && end - start >= len);
    // What was released last need not be merged before another takes just its place.
    let exact = grown.arena.policy.first_fit || grown.patience > 1;
    if let (Some(adequate), false) = (adequate, exact) {
        let smallest = adequate.iter().any(|free| free.0 < start && end <= free.1);
        assert!(smallest, "best fit is the smallest that fits");
    }
    new.write();
    new
}

fn step(grown: &mut Grown, live: &mut Vec<Live>, rng: &mut Rng) {
    match rng.u8(..10) {
        0..=4 => live.push(alloc_best(grown, rng)),
        5..=7 if !live.is_empty() => {
            let old = live.swap_remove(rng.usize(..live.len()));
            old.assert_intact(old.lease.capacity());
            grown.release(old.lease);
        }
        8 if !live.is_empty() => {
            let n = rng.usize(..live.len());
            let before = live[n].lease.capacity();
            let least = before + any_len(rng) + 1;
            let extended = grown.extend(&mut live[n].lease, least, least + any_len(rng));
            assert_eq!(extended, live[n].lease.capacity() >= least);
            live[n].assert_intact(before);
            live[n].write();
        }
        _ if !live.is_empty() => {
            let n = rng.usize(..live.len());
            let room = rng.usize(..live[n].lease.capacity() + 1);
            grown.shrink(&mut live[n].lease, room);
            live[n].assert_intact(live[n].lease.capacity());
        }
        _ => {}
    }
}

#[test]
fn an_arena_agrees_with_a_map_of_live_ranges() {
    let steps = if cfg!(miri) { 200 } else { 4_000 };
    for (seed, tolerance_percent, first_fit, patience) in [
        (1, 0, false, 1),
        (2, 20, false, 1),
        (3, 100, false, 1),
        (4, 0, true, 1),
        (5, 0, false, 7),
        (6, 50, true, 3),
    ] {
        let mut grown = Grown::new(
            Policy {
                tolerance_percent,
                first_fit,
            },
            16 * 1024,
        );
        grown.patience = patience;
        let (mut live, mut rng) = (Vec::new(), Rng::with_seed(seed));
        for _ in 0..steps {
            step(&mut grown, &mut live, &mut rng);
            assert_disjoint(&live);
            assert_eq!(grown.arena.live(), live.len());
            if patience == 1 {
                assert_eq!(grown.stats().live_blocks, live.len());
            }
        }
        for old in live {
            old.assert_intact(old.lease.capacity());
            grown.release(old.lease);
        }
        assert_eq!(grown.stats().chunks, 1);
    }
}

/// An arena that has just released the middle one of three blocks, and what is left.
fn after_a_release() -> (Grown, [Lease; 2], NonNull<u8>) {
    let mut grown = Grown::new(BEST, 4096);
    grown.patience = u32::MAX;
    let [first, middle, last] = [100; 3].map(|len| grown.alloc(len, 16));
    let place = middle.payload();
    grown.release(middle);
    assert!(grown.arena.late.is_some());
    (grown, [first, last], place)
}

#[test]
fn the_block_released_last_waits_for_one_of_its_size() {
    let (mut grown, leases, place) = after_a_release();
    let again = grown.alloc(104, 16);
    assert_eq!(again.payload(), place);
    assert!(grown.arena.late.is_none());
    assert_eq!(grown.free_sizes().len(), 1, "nothing was cut");
    let [first, last] = leases;
    grown.release(first);
    grown.release(again);
    let again = grown.alloc(104, 16);
    assert_eq!(again.payload(), place, "nothing was merged");
    grown.release(last);
    grown.release(again);
}

#[test]
fn whatever_else_happens_merges_it_first() {
    type Happens = fn(&mut Grown, &mut Vec<Lease>);
    let all: [(&str, Happens); 13] = [
        ("smaller", |g, leases| {
            leases.push(g.alloc(10, 16));
            assert_eq!(leases[2].capacity(), 24);
        }),
        ("larger", |g, leases| leases.push(g.alloc(105, 16))),
        ("aligned", |g, leases| leases.push(g.alloc(104, 2048))),
        ("release", |g, leases| g.release(leases.remove(0))),
        ("growth", |g, leases| {
            assert!(g.extend(&mut leases[0], 120, 120))
        }),
        ("shrinking", |g, leases| g.shrink(&mut leases[0], 10)),
        ("idle", |g, _| assert!(g.arena.take_idle().is_none())),
        ("closing", |g, _| assert!(g.arena.close().is_none())),
        ("stats", |g, _| assert_eq!(g.stats().live_blocks, 2)),
        ("contains", |g, _| assert!(!g.arena.contains(0))),
        ("bytes", |g, _| assert_eq!(g.arena.live_bytes(), 200)),
        ("map", |g, _| assert_eq!(g.arena.map_size(), (1, 10))),
        ("check", |g, _| g.arena.check().unwrap()),
    ];
    for (name, happens) in all {
        let (mut grown, leases, place) = after_a_release();
        let mut leases = Vec::from(leases);
        happens(&mut grown, &mut leases);
        assert_ne!(grown.arena.late.map(Block::payload), Some(place), "{name}");
        grown.arena.check().unwrap();
        leases.into_iter().for_each(|lease| grown.release(lease));
    }
}

/// Where a block lies, whatever the addresses of the chunks are, and how large it is.
fn place_in(grown: &Grown, lease: &Lease) -> (usize, usize, usize) {
    let addr = lease.block().addr();
    let mut chunks = grown.arena.chunks().enumerate();
    let (index, chunk) = chunks
        .find(|(_, chunk)| (chunk.addr()..chunk.end()).contains(&addr))
        .expect("tiling: a block lies in a chunk");
    (index, addr - chunk.addr(), lease.capacity())
}

/// Allocates in one arena, and in another that first merges what waits if it is not of just this size. Says whether it was
/// made to fit in the first.
fn alloc_in_both(quick: &mut Grown, plain: &mut Grown, len: usize) -> ([Lease; 2], bool) {
    let waits = |grown: &Grown| grown.arena.late.map(Block::payload);
    let units = units_for(len);
    let late = waits(quick);
    let exact = plain.arena.late.is_some_and(|late| late.size() == units);
    if !exact {
        plain.arena.catch_up();
    }
    let leases = [quick, plain].map(|grown| grown.alloc(len, 16));
    let fitted = !exact && late == Some(leases[0].payload());
    (leases, fitted)
}

#[rstest]
fn what_fits_late_lies_where_it_would_after_merging(
    #[values(0, 20, 100)] tolerance_percent: u8,
    #[values(false, true)] first_fit: bool,
    #[values(2 << 10, 6 << 10, 16 << 10)] grow_size: usize,
) {
    let steps = if cfg!(miri) { 300 } else { 20_000 };
    let policy = Policy {
        tolerance_percent,
        first_fit,
    };
    let [mut quick, mut plain] = [(); 2].map(|()| Grown::new(policy, grow_size));
    (quick.patience, plain.patience) = (u32::MAX, u32::MAX);
    let (mut live, mut rng, mut fitted) = (Vec::<[Lease; 2]>::new(), Rng::with_seed(9), 0);
    for _ in 0..steps {
        let most = 1 + rng.usize(..8);
        if live.len() < most && rng.bool() {
            let (leases, fits) = alloc_in_both(&mut quick, &mut plain, any_len(&mut rng));
            let places = [place_in(&quick, &leases[0]), place_in(&plain, &leases[1])];
            assert_eq!(places[0], places[1]);
            fitted += usize::from(fits);
            live.push(leases);
        } else if !live.is_empty() {
            let newest = live.len() - 1;
            let n = [newest, rng.usize(..live.len())][rng.usize(..2)];
            let [one, other] = live.remove(n);
            quick.release(one);
            plain.release(other);
        }
    }
    assert!(fitted > steps / 50, "{fitted}");
    quick.arena.check().unwrap();
    for [one, other] in live {
        quick.release(one);
        plain.release(other);
    }
}

#[test]
fn nothing_waits_that_could_be_a_second_chunk() {
    let mut grown = Grown::new(BEST, 4096);
    let [first, second] = [4000, 9000].map(|len| grown.alloc(len, 16));
    grown.release(first);
    grown.patience = u32::MAX;
    let request = Request::new(5000, 5000, 16).unwrap();
    // SAFETY: it is of this arena.
    let region = unsafe { grown.arena.release(second) };
    assert_eq!(
        region.unwrap().size(),
        Request::new(9000, 9000, 16).unwrap().chunk_size()
    );
    assert!(grown.arena.late.is_none());
    assert!(grown.arena.alloc(request).is_none());
}

#[test]
fn released_last_is_taken_first() {
    for len in [100, 5000] {
        let mut grown = Grown::new(BEST, 64 * 1024);
        let mut leases: Vec<_> = (0..8)
            .map(|n| grown.alloc(if n % 2 == 0 { len } else { 0 }, 16))
            .collect();
        let (third, first) = (leases.remove(4), leases.remove(0));
        let expected = [&third, &first].map(|lease| lease.payload());
        grown.release(first);
        grown.release(third);
        let again = [0; 2].map(|_| grown.alloc(len, 16));
        assert_eq!(
            [&again[0], &again[1]].map(|lease| lease.payload()),
            expected
        );
        leases
            .into_iter()
            .chain(again)
            .for_each(|lease| grown.release(lease));
    }
}

#[test]
fn a_request_is_refused_if_it_cannot_be_counted() {
    for (room, align) in [
        (usize::MAX, 16),
        (isize::MAX as usize, 16),
        (usize::MAX - 15, 1),
        (MOST_CHUNK, 16),
    ] {
        assert!(Request::new(0, room, align).is_err(), "{room}");
    }
    for align in [0, 3, 24, 2 << 20, usize::MAX, 1 << (usize::BITS - 1)] {
        assert!(Request::new(0, 16, align).is_err(), "{align}");
    }
}

#[test]
fn the_largest_request_makes_the_largest_chunk() {
    for log2 in 4..=20 {
        let error = Request::new(0, usize::MAX, 1 << log2).unwrap_err();
        let PoolError::SizeOverflow { most, .. } = error else {
            panic!("{error}")
        };
        let size = Request::new(0, most, 1 << log2).unwrap().chunk_size();
        assert!((MOST_CHUNK - UNIT..=MOST_CHUNK).contains(&size));
        assert!(Request::new(0, most + 1, 1 << log2).is_err());
    }
}

/// The header of a block, to be written over as a user's unsafe code might.
fn header_of(block: Block) -> *mut [u8; HEADER] {
    // SAFETY: the header lies right before the payload.
    unsafe { block.payload().sub(HEADER) }.cast().as_ptr()
}

/// What `check` says while some bytes of a header, or of as many others, are different.
fn corrupted(
    arena: &mut Arena,
    header: *mut [u8; HEADER],
    offset: usize,
    bytes: &[u8],
) -> Corruption {
    // The end of a free block is poisoned, again each time the arena has looked at it.
    let unpoison = || asan::unpoison(NonNull::new(header).unwrap().cast(), HEADER);
    unpoison();
    // SAFETY: all of its bytes are initialised.
    let intact = unsafe { header.read() };
    let mut corrupt = intact;
    corrupt[offset..offset + bytes.len()].copy_from_slice(bytes);
    // SAFETY: as above; no reference to the header is alive.
    unsafe { header.write(corrupt) };
    let corruption = arena.check().unwrap_err();
    unpoison();
    // SAFETY: as above.
    unsafe { header.write(intact) };
    corruption
}

#[rstest]
#[case(0, &[0; 4], "tiling: blocks fill")]
#[case::smaller_than_any(0, &[2, 0, 0, 0], "tiling: blocks fill")]
#[case::beyond_the_end(0, &[244, 1, 0, 0], "tiling: blocks fill")]
#[case(0, &[255; 4], "tiling: blocks fill")]
#[case::behind_a_free_one(0, &[11, 0, 0, 0], "told")]
#[case(4, &[255], "len")]
#[case(6, &[0x20], "own-shard")]
#[case(7, &[0x80 | 20 << 2], "payload-aligned")]
fn a_corrupted_header_is_reported(#[case] offset: usize, #[case] bytes: &[u8], #[case] rule: &str) {
    let mut grown = Grown::new(BEST, 4096);
    let leases = [0; 3].map(|_| grown.alloc(64, 16));
    let place = leases[1].block().addr() - grown.arena.chunks().next().unwrap().addr();
    let header = header_of(leases[1].block());
    let corruption = corrupted(&mut grown.arena, header, offset, bytes);
    assert!(corruption.rule().starts_with(rule), "{corruption}");
    assert_eq!((corruption.offset, corruption.chunk), (place, 0));
    leases.into_iter().for_each(|lease| grown.release(lease));
}

#[rstest]
#[case::of_a_size(0, &[2, 0, 0, 0], "tiling: a sentinel")]
#[case::that_is_free(4, &[0; 4], "tiling: a sentinel")]
#[case::of_another_chunk(4, &[1], "tiling: a sentinel")]
#[case::behind_a_used_one(0, &[0; 4], "told")]
fn a_corrupted_sentinel_is_reported(
    #[case] offset: usize,
    #[case] bytes: &[u8],
    #[case] rule: &str,
) {
    let mut grown = Grown::new(BEST, 4096);
    let lease = grown.alloc(64, 16);
    let sentinel = lease.block().next().next();
    assert!(sentinel.is_sentinel());
    let corruption = corrupted(&mut grown.arena, header_of(sentinel), offset, bytes);
    assert!(corruption.rule().starts_with(rule), "{corruption}");
    grown.release(lease);
}

#[rstest]
#[case::with_another_size(|block: Block| header_of(block.next()).wrapping_sub(1), 0)]
#[case::that_says_it_is_used(|block: Block| header_of(block), 7)]
fn a_corrupted_free_block_is_reported(
    #[case] place: impl Fn(Block) -> *mut [u8; HEADER],
    #[case] offset: usize,
) {
    let mut grown = Grown::new(BEST, 4096);
    let [first, between, last] = [0; 3].map(|_| grown.alloc(64, 16));
    let free = between.block();
    grown.release(between);
    let corruption = corrupted(&mut grown.arena, place(free), offset, &[0x80]);
    let rule = if offset == 0 { "told" } else { "own-shard" };
    assert!(corruption.rule().starts_with(rule), "{corruption}");
    grown.release(first);
    grown.release(last);
}

#[test]
fn a_used_block_that_says_it_is_free_is_reported() {
    let mut grown = Grown::new(BEST, 4096);
    let leases = [0; 2].map(|_| grown.alloc(64, 16));
    let header = header_of(leases[0].block());
    let corruption = corrupted(&mut grown.arena, header, 4, &[0; 4]);
    assert!(corruption.rule().starts_with("told"), "{corruption}");
    leases.into_iter().for_each(|lease| grown.release(lease));
}

#[test]
fn a_chunk_smaller_than_any_is_reported() {
    let mut grown = Grown::new(BEST, 4096);
    let lease = grown.alloc(64, 16);
    let least = grown.arena.least_chunk;
    grown.arena.least_chunk += 1;
    let corruption = grown.arena.check().unwrap_err();
    assert!(corruption.rule().starts_with("least-chunk"), "{corruption}");
    grown.arena.least_chunk = least;
    grown.release(lease);
}

#[test]
fn a_lost_lease_is_reported() {
    let mut grown = Grown::new(BEST, 4096);
    let lease = grown.alloc(64, 16);
    grown.arena.live_or_late += 1;
    let corruption = grown.arena.check().unwrap_err();
    assert!(corruption.rule().starts_with("one-lease"), "{corruption}");
    grown.arena.live_or_late -= 1;
    grown.release(lease);
}

/// What `check` says of bins in which something is wrong: there are a used block, a free one, a used and the free rest.
fn with_wrong_bins(change: impl FnOnce(&mut Arena, [Block; 4])) -> Corruption {
    let mut grown = Grown::new(BEST, 4096);
    let leases = [0; 3].map(|_| grown.alloc(64, 16));
    let blocks = [0, 1, 2].map(|at: usize| leases[at].block());
    let [first, between, last] = leases;
    grown.release(between);
    change(
        &mut grown.arena,
        [blocks[0], blocks[1], blocks[2], blocks[2].next()],
    );
    let corruption = grown.arena.check().unwrap_err();
    let chunk = grown.arena.chunks().next().unwrap();
    std::mem::forget((first, last, grown)); // which could not tell what is free
    // SAFETY: nothing points to the chunk any more.
    drop(unsafe { chunk.into_region() });
    corruption
}

#[test]
fn wrong_bins_are_reported() {
    let unlisted = with_wrong_bins(|arena, [_, free, ..]| {
        // SAFETY: it is listed.
        unsafe { arena.bins.remove(free, free.size()) };
    });
    let used = with_wrong_bins(|arena, [used, free, ..]| {
        // SAFETY: it is listed.
        unsafe { arena.bins.remove(free, free.size()) };
        // SAFETY: nobody looks at its payload.
        unsafe { arena.bins.insert(used, used.size()) };
    });
    let twice = with_wrong_bins(|arena, [_, free, ..]| {
        // SAFETY: nothing but `check` looks at the list.
        unsafe { arena.bins.insert(free, free.size()) };
    });
    let elsewhere = with_wrong_bins(|arena, [.., rest]| {
        // SAFETY: it is free, and large enough for two.
        let behind = unsafe { rest.split(rest.size(), LEAST) };
        // SAFETY: it is nobody's.
        unsafe { behind.set_tag(Tag::used(4, arena.shard)) };
        // SAFETY: it is free.
        unsafe { rest.tell(LEAST) };
        // SAFETY: it is used now.
        unsafe { behind.next().set_free_before(false) };
        arena.live_or_late += 1;
    });
    assert!(unlisted.rule().starts_with("listed-iff-free"), "{unlisted}");
    for corruption in [used, twice, elsewhere] {
        assert!(corruption.rule().starts_with("own-list"), "{corruption}");
    }
}

#[test]
fn only_a_block_that_is_all_of_its_chunk_tells_it() {
    let mut grown = Grown::new(BEST, 4096);
    let leases = [0; 2].map(|_| grown.alloc(64, 16));
    let [first, second] = [0, 1].map(|at: usize| leases[at].block());
    let rest = second.next();
    assert_eq!([first, second, rest].map(Block::chunk), [None; 3]);
    let whole = grown.alloc(room_of(254), 16);
    let chunk = grown.arena.chunks().next();
    assert_eq!(whole.block().chunk(), chunk);
    let all = leases.into_iter().chain([whole]);
    all.for_each(|lease| grown.release(lease));
}

#[test]
fn a_long_block_keeps_its_length_behind_its_payload() {
    const SHORT: usize = (1 << 20) - 8;
    for (room, capacity) in [
        (SHORT - 1, SHORT),
        (SHORT, SHORT),
        (SHORT + 1, SHORT + 8),
        (SHORT + 8, SHORT + 8),
        (SHORT + 9, SHORT + 24),
    ] {
        let mut grown = Grown::new(BEST, 4 << 20);
        let mut lease = grown.alloc(room, 16);
        assert_eq!(lease.capacity(), capacity);
        // The tag has room for lengths up to SHORT + 6.
        let lens = [room, 0, SHORT + 6, SHORT + 7, capacity];
        for len in lens.into_iter().filter(|&len| len <= capacity) {
            lease.set_len(len);
            assert_eq!((lease.block().len(), grown.arena.live_bytes()), (len, len));
        }
        // SAFETY: inside the payload.
        unsafe { lease.payload().write_bytes(0xff, capacity) };
        assert_eq!(lease.block().len(), capacity);
        let stats = grown.stats();
        assert_eq!(
            stats.header_bytes + stats.free_bytes + capacity,
            stats.reserved_bytes
        );
        grown.release(lease);
    }
}

#[test]
fn a_block_that_becomes_long_or_short_keeps_its_length() {
    const LONG: usize = 2 << 20;
    let mut grown = Grown::new(BEST, 2 * LONG);
    let mut lease = grown.alloc(1000, 4096);
    for room in [LONG, 1000, LONG + 1] {
        if room > 1000 {
            assert!(grown.extend(&mut lease, room, room));
        } else {
            grown.shrink(&mut lease, room);
        }
        assert_eq!((lease.block().len(), lease.log2_align()), (1000, 12));
        assert!(lease.capacity() >= room && lease.capacity() < room + 32);
    }
    grown.release(lease);
}

#[test]
fn a_length_behind_a_payload_moves_with_its_end() {
    const LONG: usize = 2 << 20;
    let mut grown = Grown::new(BEST, 3 * LONG);
    let mut lease = grown.alloc(LONG, 16);
    for room in [LONG + 1000, LONG + 100, LONG] {
        let before = lease.capacity();
        // SAFETY: the payload is the lease's.
        unsafe { lease.payload().write_bytes(0xff, before) };
        if room > before {
            assert!(grown.extend(&mut lease, room, room));
        } else {
            grown.shrink(&mut lease, room);
        }
        assert_ne!(lease.capacity(), before);
        assert_eq!(
            (lease.block().len(), grown.arena.live_bytes()),
            (LONG, LONG)
        );
    }
    grown.release(lease);
}
