#![expect(unsafe_code, reason = "shares a walk between threads")]
//! Parallel walks: one walk whose groups go to whichever of `rayon`'s threads is free.
//!
//! ```text
//!   chunks  ┌ chunk ┬ chunk ┬ chunk ┬ chunk ┬ chunk ┬ chunk ┬ chunk ┬ chunk ┐
//!           │ left  │ pinned│       │       │ left  │ left  │ pinned│       │
//!           └───────┴───────┴───────┴───────┴───────┴───────┴───────┴───────┘
//!            stretch 1          ▲ next        stretch 2          ▲ next
//! ```
//!
//! A walk first writes down where the chunks are, which stay until it ends. Each worker has a stretch of them, takes unit after unit
//! off its front without a lock, and goes on with what is left of others' stretches: so nobody waits for a slow one. A thread has
//! the same stretch in each walk, so that what it changed, objects and pins, is in its cache: taken by whoever comes first, half of
//! the lines would be in another's, and to fetch one of those takes as long as ten objects.
//!
//! A unit of work is a group, or in a large pool many, but no more than leave some units for each worker. With its shard's lock a
//! worker pins several groups of its unit, and leaves those it had, so that workers seldom meet there. A group in which something
//! was dropped is left as soon as it was visited.

use std::marker::PhantomData;
use std::ops::{ControlFlow, Range};
use std::ptr::NonNull;

use super::FixedPool;
use super::header::Header;
use super::hold::forget_leaked_holds;
use super::layout::{GROUP, MOST_CHUNKS};
use super::lease::{Due, Pin, View};
use super::retire::destroy;
use super::shard::{Keep, SlotGuard, SlotShard, SlotShards, come_in, go_out, live};
use super::slots::Slots;
use super::store::Store;
use super::visit::visit;
use crate::access::{Access, Keyed, ThroughPool};
use crate::sync::{AtomicU64, AtomicUsize, Locked, Ordering};

/// The most groups that a worker is inside of.
const MOST_GROUPS: usize = 32;
/// The most objects of these.
const MOST_OBJECTS: usize = 8 * GROUP;
/// The most groups of a unit, of which many may be empty.
const MOST_OF_UNIT: usize = 8 * MOST_GROUPS;
/// How many units there are at least for each worker, where there are more objects than a group has.
const LEAST_UNITS: usize = 16;

/// Walks on all of `rayon`'s threads.
impl<T, A: Access> FixedPool<T, A, Locked> {
    /// Runs a closure on every live object, on the threads of the current `rayon` pool.
    ///
    /// All that [`for_each`](Self::for_each) promises holds, but for the order, and the closure is run on several objects at
    /// once. A panic of the closure, or of a destructor, ends the walk as soon as the closures that are running have ended,
    /// and goes on in the caller.
    ///
    /// Destructors put off by the walk run on the thread that leaves the group last, hence the bounds. In a large pool a thread is
    /// inside of several groups at once: an object dropped meanwhile is destroyed at most 512 objects later. Memory is given back
    /// when the walk ends, not before.
    ///
    /// O(objects + chunks + capacity / 64), of which the threads have a share each once the chunks are listed.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    /// use mem_pool::FixedPool;
    ///
    /// let pool = FixedPool::new();
    /// let handles: Vec<_> = (1..=10_000_u64).map(|n| pool.alloc(n)).collect();
    /// let sum = AtomicU64::new(0);
    /// pool.par_for_each(|n| { sum.fetch_add(*n, Relaxed); });
    /// assert_eq!(sum.into_inner(), 50_005_000);
    /// # drop(handles);
    /// ```
    ///
    /// The closure runs on other threads while the caller waits: what the caller holds it must not wait for.
    ///
    /// Objects must be `Sync`, and a pool over [`Unlocked`](crate::Unlocked) has no such walk:
    ///
    /// ```compile_fail,E0277
    /// mem_pool::FixedPool::<std::cell::Cell<u32>>::new().par_for_each(|_| {});
    /// ```
    ///
    /// ```compile_fail,E0599
    /// mem_pool::local::FixedPool::<u32>::new().par_for_each(|_| {});
    /// ```
    pub fn par_for_each(&self, f: impl Fn(&T) + Sync)
    where
        A: ThroughPool,
        T: Send + Sync,
    {
        walk(&self.store, |object: NonNull<T>| {
            // SAFETY: valid: workers give pinned objects, which stay intact while `f` runs. Aliasing: as in a sequential walk
            // others get `&T` at most; on other threads, too, for `T` is `Sync`.
            f(unsafe { object.as_ref() });
        });
    }
}

/// Walks on all of `rayon`'s threads.
impl<T> FixedPool<T, Keyed, Locked> {
    /// Runs a closure on every live object, on the threads of the current `rayon` pool.
    ///
    /// As [`par_for_each`](Self::par_for_each); the pool is borrowed uniquely, so the closure cannot use it. It may drop any key.
    ///
    /// ```
    /// use mem_pool::FixedPool;
    ///
    /// let mut pool = FixedPool::keyed();
    /// let keys: Vec<_> = (0..10_000).map(|n| pool.alloc(n)).collect();
    /// pool.par_for_each_mut(|n| *n *= 2);
    /// assert_eq!(*pool.at(&keys[4321]), 8642);
    /// ```
    pub fn par_for_each_mut(&mut self, f: impl Fn(&mut T) + Sync)
    where
        T: Send,
    {
        forget_leaked_holds(&mut self.store);
        walk(&self.store, |mut object: NonNull<T>| {
            // SAFETY: valid: workers give pinned objects, which stay intact while `f` runs. Aliasing: handles of a `Keyed` pool
            // give nothing, the pool is borrowed uniquely, and the walk gives each object once; to any thread, for `T` is `Send`.
            f(unsafe { object.as_mut() });
        });
    }
}

/// Runs `f` on each live object, pinned, on the threads of the current `rayon` pool.
fn walk<T: Send, A: Access>(store: &Store<T, A, Locked>, f: impl Fn(NonNull<T>) + Sync) {
    let Some(shards) = store.shards() else {
        return;
    };
    let workers = rayon::current_num_threads();
    let walk = Walk::<T, A>::new(shards, workers);
    fork(0, workers, &|number| {
        // A thread begins where it began in the walk before: the groups that it has written are in its cache.
        let number = rayon::current_thread_index().unwrap_or(number);
        Worker::new(&walk, number % workers).run(&f)
    });
}

/// Runs `f` for each number from `start` to `end`, on as many threads as are free.
fn fork(start: usize, end: usize, f: &(impl Fn(usize) + Sync)) {
    let middle = start.midpoint(end);
    if middle == start {
        return f(start);
    }
    rayon::join(|| fork(start, middle, f), || fork(middle, end, f));
}

/// A chunk, and the place of its shard.
struct Piece {
    header: NonNull<Header>,
    shard: usize,
}

/// A group of the list of chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    chunk: u32,
    group: u32,
}

impl Place {
    fn of_word(word: u64) -> Self {
        Self {
            chunk: (word >> 32) as u32,
            group: word as u32,
        }
    }

    fn word(self) -> u64 {
        u64::from(self.chunk) << 32 | u64::from(self.group)
    }
}

/// The part of the list of chunks that one worker begins with. On a cache line of its own.
#[repr(align(64))]
struct Stretch {
    /// The place of the first group that was not given to a worker, as a word.
    next: AtomicU64,
    /// The first chunk behind it.
    end: u32,
}

/// What the workers of a parallel walk share.
///
/// # Invariants
///
/// - *chunks-stay*: while this lives, `pieces` are attached: they were found under their shards' locks while `keep` was there.
/// - *given-once*: a chunk is in one stretch, of which the cursor only goes forward: no group is given to two workers, nor twice
///   to one.
struct Walk<'a, T, A: Access> {
    shards: &'a SlotShards<Locked>,
    /// The chunks of all shards, in the order of a sequential walk.
    pieces: Vec<Piece>,
    /// One for each worker.
    stretches: Vec<Stretch>,
    /// Groups of a unit.
    unit: u32,
    /// Not zero once a worker has panicked: then no more groups are given.
    panicked: AtomicUsize,
    _keep: Keep<'a, Locked>,
    marker: PhantomData<(*mut T, A)>,
}

// SAFETY: what workers share are locks, counters, and chunks, of which they read without a lock what never changes. Each object is
// given to one of them (given-once), and may be destroyed by another: on any thread, for `T` is `Send`.
unsafe impl<T: Send, A: Access> Sync for Walk<'_, T, A> {}

impl<'a, T, A: Access> Walk<'a, T, A> {
    fn new(shards: &'a SlotShards<Locked>, workers: usize) -> Self {
        let keep = Keep::new(shards);
        let mut pieces = Vec::new();
        let (mut live_objects, mut opened) = (0, 0);
        for shard in shards.iter() {
            let slots = shard.lock();
            live_objects += live(&slots);
            opened += slots.opened();
            let chunks = slots.chunk_count();
            drop(slots);
            find_pieces(shard, chunks, &mut pieces);
        }
        let chunks = pieces.len();
        let stretch = |number: usize| Stretch {
            next: AtomicU64::new(
                Place {
                    chunk: (number * chunks / workers) as u32,
                    group: 0,
                }
                .word(),
            ),
            end: ((number + 1) * chunks / workers) as u32,
        };
        let balanced = opened / GROUP / (workers * LEAST_UNITS);
        let full = (MOST_OBJECTS / GROUP).saturating_mul(opened) / live_objects.max(1);
        Self {
            shards,
            stretches: (0..workers).map(stretch).collect(),
            pieces,
            unit: full.min(balanced).clamp(1, MOST_OF_UNIT) as u32,
            panicked: AtomicUsize::new(0),
            _keep: keep,
            marker: PhantomData,
        }
    }

    fn has_panicked(&self) -> bool {
        self.panicked.load(Ordering::Relaxed) != 0
    }

    /// The header of a chunk of the list, and the place of its shard.
    fn piece(&self, chunk: u32) -> (&Header, usize) {
        let piece = &self.pieces[chunk as usize];
        // SAFETY: chunks-stay. Aliasing: whatever changes in it is a cell.
        (unsafe { piece.header.as_ref() }, piece.shard)
    }

    /// Gives the next unit of a stretch: groups of one shard.
    fn give(&self, stretch: &Stretch) -> Option<Range<Place>> {
        if self.has_panicked() {
            return None;
        }
        let mut given = None;
        let _ = stretch
            .next
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
                let start = Place::of_word(word);
                given = (start.chunk < stretch.end).then(|| start..self.behind(start, stretch.end));
                given.as_ref().map(|unit| unit.end.word())
            });
        given
    }

    /// The place behind the unit that begins at `start`: groups of one shard.
    fn behind(&self, start: Place, end: u32) -> Place {
        let (mut place, mut left) = (start, self.unit);
        let (_, shard) = self.piece(start.chunk);
        while place.chunk < end {
            let (header, other) = self.piece(place.chunk);
            let here = header.groups().len() as u32 - place.group;
            if other != shard {
                break;
            }
            if left < here {
                place.group += left;
                break;
            }
            left -= here;
            place = Place {
                chunk: place.chunk + 1,
                group: 0,
            };
        }
        place
    }
}

/// How many regions are looked up under one lock.
const REGIONS_AT_ONCE: usize = 64;

/// Adds the chunks of a shard, of which there were so many. Room for them is made while the lock is free.
fn find_pieces(shard: &SlotShard<Locked>, mut chunks: usize, pieces: &mut Vec<Piece>) {
    let before = pieces.len();
    let mut last: Option<NonNull<Header>> = None;
    loop {
        let found = pieces.len() - before;
        pieces.reserve(chunks - found + MOST_CHUNKS);
        let slots = shard.lock();
        for _ in 0..REGIONS_AT_ONCE {
            // SAFETY: chunks-stay.
            let after = last.map(|first| unsafe { first.as_ref() });
            let Some(first) = slots.next_region(after) else {
                return;
            };
            let count = usize::from(first.region_chunks());
            if count > pieces.capacity() - pieces.len() {
                break; // since they were counted others have added some
            }
            let piece = |index| Piece {
                header: first.chunk(index),
                shard: shard.index(),
            };
            pieces.extend((0..count).map(piece));
            last = Some(NonNull::from(first));
        }
        chunks = slots.chunk_count();
    }
}

/// One thread's part of a parallel walk: the groups it is inside of, and what is to be destroyed since it left the last ones.
struct Worker<'w, 'a, T, A: Access> {
    walk: &'w Walk<'a, T, A>,
    /// The stretch it begins with.
    number: usize,
    /// What is left of its unit.
    unit: Range<Place>,
    /// The place of the shard whose groups all these are.
    shard: usize,
    pins: [Option<Pin>; MOST_GROUPS],
    pinned: usize,
    dues: [Option<Due>; MOST_GROUPS],
    due: usize,
    /// Nothing has panicked, and there is no group left.
    done: bool,
}

impl<'w, 'a, T, A: Access> Worker<'w, 'a, T, A> {
    fn new(walk: &'w Walk<'a, T, A>, number: usize) -> Self {
        let nowhere = Place { chunk: 0, group: 0 };
        Self {
            walk,
            number,
            unit: nowhere..nowhere,
            shard: 0,
            pins: [const { None }; MOST_GROUPS],
            pinned: 0,
            dues: [const { None }; MOST_GROUPS],
            due: 0,
            done: false,
        }
    }

    /// Runs `f` on the objects of unit after unit, until there is none left.
    fn run(mut self, f: &impl Fn(NonNull<T>)) {
        while self.advance() {
            for place in 0..self.pinned {
                self.visit(place, f);
            }
        }
        self.done = true;
    }

    /// Runs `f` on the objects of one pinned group.
    fn visit(&mut self, place: usize, f: &impl Fn(NonNull<T>)) {
        let Some(pin) = &self.pins[place] else { return };
        let _: ControlFlow<()> = visit::<T, A, ()>(pin, &mut |object| {
            f(object);
            ControlFlow::Continue(())
        });
        if pin.bits().dropped() != 0 {
            self.leave(&mut self.slots(), place..place + 1);
            self.destroy();
        }
    }

    /// Leaves the groups and pins the next ones, if there are any: under one lock where they are of one shard.
    #[inline(never)]
    fn advance(&mut self) -> bool {
        loop {
            if (self.unit.is_empty() || self.walk.has_panicked()) && !self.begin_unit() {
                self.leave_all();
                return false;
            }
            let mut slots = self.slots();
            if self.pinned == 0 {
                come_in(&slots);
            }
            self.leave(&mut slots, 0..self.pinned);
            self.pinned = 0;
            self.pin(&mut slots);
            if self.pinned == 0 {
                go_out(&slots);
            }
            drop(slots);
            self.destroy();
            if self.pinned > 0 {
                return true;
            }
        }
    }

    /// Takes the next unit, if there is one: of its own stretch, or of one that others have not come to the end of.
    fn begin_unit(&mut self) -> bool {
        let (before, behind) = self.walk.stretches.split_at(self.number);
        let mut stretches = behind.iter().chain(before);
        let Some(unit) = stretches.find_map(|stretch| self.walk.give(stretch)) else {
            return false;
        };
        let (_, shard) = self.walk.piece(unit.start.chunk);
        if shard != self.shard {
            self.leave_all();
        }
        (self.unit, self.shard) = (unit, shard);
        true
    }

    /// Locks the shard.
    fn slots(&self) -> SlotGuard<'w, Locked> {
        let shard = self.walk.shards.get(self.shard);
        shard.expect("a shard with chunks was made").lock()
    }

    fn leave_all(&mut self) {
        if self.pinned > 0 {
            let mut slots = self.slots();
            self.leave(&mut slots, 0..self.pinned);
            self.pinned = 0;
            go_out(&slots);
            drop(slots);
            self.destroy();
        }
    }

    /// Gives pins back, whose groups' chunks stay attached while the shard is locked.
    fn leave(&mut self, slots: &mut Slots, places: Range<usize>) {
        let held = self.walk.shards.common().is_held();
        for pin in self.pins[places].iter_mut().filter_map(Option::take) {
            let due = slots.unpin(pin, held);
            if !due.is_empty() {
                self.dues[self.due] = Some(due);
                self.due += 1;
            }
        }
    }

    /// Pins groups of the unit that have live objects: as many as may be pinned at once.
    fn pin(&mut self, slots: &mut Slots) {
        slots.flush();
        let mut objects = 0;
        while !self.unit.is_empty() {
            let (Place { chunk, group }, end) = (self.unit.start, self.unit.end);
            let (header, _) = self.walk.piece(chunk);
            let behind = if chunk < end.chunk {
                header.groups().len() as u32
            } else {
                end.group
            };
            let opened = |group: u32| Some((group, header.opened_group(group as usize)?));
            for (group, (bits, opened)) in (group..behind).map_while(opened) {
                header.fetch_ahead(group as usize);
                let mask = bits.live_mask(opened);
                if mask == 0 {
                    continue;
                }
                objects += mask.count_ones() as usize;
                if objects > MOST_OBJECTS || self.pinned == MOST_GROUPS {
                    self.unit.start.group = group;
                    return;
                }
                let live = View::of(header, group as usize, bits, mask);
                // SAFETY: flushed above, and chunks-stay; the shard is locked.
                self.pins[self.pinned] = Some(unsafe { slots.pin(live) });
                self.pinned += 1;
            }
            self.unit.start = end.min(Place {
                chunk: chunk + 1,
                group: 0,
            });
        }
    }

    /// Destroys what is due. No lock is held. If a destructor panics, dropping the worker goes on.
    fn destroy(&mut self) {
        while self.due > 0 {
            self.due -= 1;
            if let Some(due) = self.dues[self.due].take() {
                // SAFETY: typed, by `walk`'s store; nothing is kept of groups without something due.
                drop(unsafe { destroy::<T, A, Locked>(due) });
            }
        }
    }
}

impl<T, A: Access> Drop for Worker<'_, '_, T, A> {
    /// Ends the walk when a closure or a destructor panicked.
    fn drop(&mut self) {
        if self.done {
            return;
        }
        self.walk.panicked.store(1, Ordering::Relaxed);
        self.destroy();
        self.leave_all();
    }
}
