#![expect(unsafe_code, reason = "shares a walk between threads")]
//! Parallel walks: one walk whose groups go to whichever of `rayon`'s threads is free.
//!
//! ```text
//!   shard   ┌ group ┬ group ┬ group ┬ group ┬ group ┬ group ┬ group ┐
//!           │ left  │ pinned│ left  │ pinned│ pinned│       │       │
//!           └───────┴───────┴───────┴───────┴───────┴───────┴───────┘
//!                    worker 1        worker 2: a unit  ▲ the cursor goes on here
//! ```
//!
//! The workers of a walk share a cursor for each shard. With the shard's lock, a worker pins the groups behind the cursor, moves
//! the cursor to the last of them, and leaves those it had: all in one round, as a sequential walk does. So whoever is free
//! takes the next groups, and nobody waits for a slow one. Workers begin at different shards.
//!
//! A unit of work is a group, or in a large pool several, so that workers seldom meet at the lock: but no more than leave some
//! units for each worker. A group in which something was dropped is left as soon as it was visited.

use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::{ControlFlow, Range};
use std::ptr::NonNull;

use super::FixedPool;
use super::hold::forget_leaked_holds;
use super::layout::GROUP;
use super::lease::{Due, Pin, Spot};
use super::retire::destroy;
use super::shard::{SlotShard, SlotShards, live};
use super::slots::Slots;
use super::store::Store;
use super::visit::visit;
use crate::access::{Access, Keyed, ThroughPool};
use crate::sync::{AtomicUsize, Locked, Ordering};

/// The most groups of a unit.
const MOST_GROUPS: usize = 32;
/// The most objects of a unit.
const MOST_OBJECTS: usize = 8 * GROUP;
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
    /// inside of several groups at once: an object dropped meanwhile is destroyed at most 512 objects later.
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
        Worker::new(&walk, number, workers).run(&f)
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

/// How far a parallel walk has come in a shard. On a cache line of its own.
#[derive(Default)]
#[repr(align(64))]
struct Cursor {
    /// The last group that was given to a worker.
    last: Option<Spot>,
    /// There is no group behind it.
    at_end: bool,
}

/// What the workers of a parallel walk share.
///
/// # Invariants
///
/// - *cursor-under-lock*: the cursor of a shard is touched only with the shard's lock.
/// - *cursor-is-pinned*: while a cursor is not at its end, the group it names is pinned by the worker it was given to, which
///   under the lock in which it leaves the group moves the cursor on, or to its end. So the chunk to go on from is attached.
/// - *given-once*: a cursor only goes forward in the list of chunks, to which new ones are added in front: no group is given to
///   two workers, nor twice to one.
struct Walk<'a, T, A: Access> {
    shards: &'a SlotShards<Locked>,
    /// One for each place of the shards' table.
    cursors: Vec<UnsafeCell<Cursor>>,
    /// The most objects of a unit of several groups.
    most_objects: usize,
    /// Not zero once a worker has panicked: then no more groups are given.
    panicked: AtomicUsize,
    marker: PhantomData<(*mut T, A)>,
}

// SAFETY: what workers share are locks, a counter, and cursors, which are touched with a lock (cursor-under-lock). Each object
// is given to one of them (given-once), and may be destroyed by another: on any thread, for `T` is `Send`.
unsafe impl<T: Send, A: Access> Sync for Walk<'_, T, A> {}

impl<'a, T, A: Access> Walk<'a, T, A> {
    fn new(shards: &'a SlotShards<Locked>, workers: usize) -> Self {
        let live: usize = shards.iter().map(|shard| live(&shard.lock())).sum();
        Self {
            shards,
            most_objects: (live / (workers * LEAST_UNITS)).clamp(GROUP, MOST_OBJECTS),
            cursors: (0..shards.count()).map(|_| UnsafeCell::default()).collect(),
            panicked: AtomicUsize::new(0),
            marker: PhantomData,
        }
    }

    fn has_panicked(&self) -> bool {
        self.panicked.load(Ordering::Relaxed) != 0
    }

    /// The cursor of a shard.
    ///
    /// # Safety
    ///
    /// The caller has locked the shard at `index` as long as it has the cursor, and takes it once.
    #[expect(clippy::mut_from_ref, reason = "what the shard's lock guards")]
    unsafe fn cursor(&self, index: usize) -> &mut Cursor {
        let cursor = self.cursors[index].get();
        // SAFETY: valid: `self` is borrowed. Aliasing: cursor-under-lock.
        unsafe { &mut *cursor }
    }
}

/// One thread's part of a parallel walk: a unit of groups it is inside of, and what is to be destroyed since it left the last one.
struct Worker<'w, 'a, T, A: Access> {
    walk: &'w Walk<'a, T, A>,
    /// The place of the shard whose groups these are.
    index: usize,
    pins: [Option<Pin>; MOST_GROUPS],
    pinned: usize,
    dues: [Option<Due>; MOST_GROUPS],
    due: usize,
    /// Nothing has panicked, and there is no group left.
    done: bool,
}

impl<'w, 'a, T, A: Access> Worker<'w, 'a, T, A> {
    /// One of so many workers.
    fn new(walk: &'w Walk<'a, T, A>, number: usize, workers: usize) -> Self {
        Self {
            walk,
            index: number * walk.shards.count() / workers,
            pins: [const { None }; MOST_GROUPS],
            pinned: 0,
            dues: [const { None }; MOST_GROUPS],
            due: 0,
            done: false,
        }
    }

    /// Runs `f` on the objects of unit after unit, from shard to shard, until there is none left.
    fn run(mut self, f: &impl Fn(NonNull<T>)) {
        let shards = self.walk.shards;
        for _ in 0..shards.count() {
            if let Some(shard) = shards.get(self.index) {
                self.run_shard(shard, f);
            }
            self.index = (self.index + 1) % shards.count();
        }
        self.done = true;
    }

    fn run_shard(&mut self, shard: &SlotShard<Locked>, f: &impl Fn(NonNull<T>)) {
        loop {
            self.advance(shard);
            if self.pinned == 0 {
                return;
            }
            for place in 0..self.pinned {
                self.visit(place, shard, f);
            }
        }
    }

    /// Runs `f` on the objects of one pinned group.
    fn visit(&mut self, place: usize, shard: &SlotShard<Locked>, f: &impl Fn(NonNull<T>)) {
        let Some(pin) = &self.pins[place] else { return };
        let _: ControlFlow<()> = visit::<T, A, ()>(pin, &mut |object| {
            f(object);
            ControlFlow::Continue(())
        });
        // The last one is left when the cursor has moved on.
        if pin.bits().dropped() != 0 && place + 1 < self.pinned {
            self.leave(&mut shard.lock(), place..place + 1);
            self.destroy();
        }
    }

    /// Leaves the groups and pins the next ones behind the cursor, under one lock.
    #[inline(never)]
    fn advance(&mut self, shard: &SlotShard<Locked>) {
        let mut slots = shard.lock();
        // SAFETY: the shard at `index` is locked until `slots` is dropped.
        let cursor = unsafe { self.walk.cursor(self.index) };
        debug_assert!(
            cursor.at_end || cursor.last.is_none_or(|last| slots.is_inside(last)),
            "cursor-is-pinned: a worker has left the last group before its time"
        );
        self.leave(&mut slots, 0..self.pinned);
        self.pinned = 0;
        if !self.walk.has_panicked() && !cursor.at_end {
            self.pin_behind(&mut slots, cursor.last);
        }
        match self.pinned.checked_sub(1) {
            Some(last) => cursor.last = self.pins[last].as_ref().map(Pin::spot),
            None => cursor.at_end = true,
        }
        drop(slots);
        self.destroy();
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

    /// Pins groups behind the given one, or from the start: one, if there is one with a live object, and as many more as make a
    /// unit.
    fn pin_behind(&mut self, slots: &mut Slots, mut last: Option<Spot>) {
        let mut objects = 0;
        let most = self.walk.most_objects;
        while self.pinned < MOST_GROUPS && objects < most {
            let Some(spot) = slots.live_next(last) else {
                return;
            };
            objects += spot.mask.count_ones() as usize;
            if objects > most {
                return;
            }
            self.pins[self.pinned] = Some(slots.pin(spot));
            self.pinned += 1;
            last = Some(spot);
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
        if let Some(shard) = self.walk.shards.get(self.index) {
            self.advance(shard);
        }
    }
}
