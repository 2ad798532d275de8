//! The six workloads: what programs do with objects of one type.
//!
//! Each makes a pool, sets the scene, and gives back nanoseconds for an operation: an object made and another ended.

use std::hint::black_box;
use std::mem;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_queue::ArrayQueue;
use crossbeam_utils::Backoff;
use fastrand::Rng;

use crate::contenders::{Object, Pool};

/// Names, in the order of [`Contender::workloads`](crate::contenders::Contender::workloads).
pub(crate) const WORKLOADS: [&str; 6] = [
    "pair",
    "1000 in, 1000 out",
    "churn, 10 k live",
    "churn, 1 M live",
    "2 threads",
    "handed over",
];

pub(crate) const FEW: usize = 10_000;
pub(crate) const MANY: usize = 1_000_000;
const BATCH: usize = 1000;
/// Handles that go from one thread to the other at once, and how many such hands there are.
const HAND: usize = 256;
const HANDS: usize = 16;

/// How much to measure.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// Turns that each contender has.
    pub(crate) rounds: usize,
    /// The same where the scene alone takes longer than a turn.
    pub(crate) few_rounds: usize,
    /// How long a turn is.
    pub(crate) turn: Duration,
}

/// Nanoseconds for each of the operations that a call of `batch` does.
pub(crate) fn timed(turn: Duration, operations: usize, mut batch: impl FnMut()) -> f64 {
    batch(); // nothing is warm yet
    let (start, mut batches) = (Instant::now(), 0);
    loop {
        batch();
        batches += 1;
        let elapsed = start.elapsed();
        if elapsed >= turn {
            return elapsed.as_nanos() as f64 / (batches * operations) as f64;
        }
    }
}

#[inline]
pub(crate) fn make<T: Object, P: Pool<T>>(pool: &P) -> P::Handle<'_> {
    black_box(pool.make(T::new(black_box(1))))
}

/// An object made and ended at once.
pub(crate) fn pair<T: Object, P: Pool<T>>(effort: &Effort) -> f64 {
    let pool = P::new();
    timed(effort.turn, BATCH, || pairs(&pool, BATCH))
}

fn pairs<T: Object, P: Pool<T>>(pool: &P, count: usize) {
    for _ in 0..count {
        pool.end(make(pool));
    }
}

/// A thousand made, then ended in the order in which they were made.
pub(crate) fn in_out<T: Object, P: Pool<T>>(effort: &Effort) -> f64 {
    let pool = P::new();
    let mut live = Vec::with_capacity(BATCH);
    timed(effort.turn, BATCH, || {
        live.extend((0..BATCH).map(|_| make(&pool)));
        live.drain(..).for_each(|handle| pool.end(handle));
    })
}

pub(crate) fn churn_few<T: Object, P: Pool<T>>(effort: &Effort) -> f64 {
    churn::<T, P>(effort.turn, FEW)
}

/// Each turn has to set a large scene, so it may as well be longer.
pub(crate) fn churn_many<T: Object, P: Pool<T>>(effort: &Effort) -> f64 {
    churn::<T, P>(5 * effort.turn, MANY)
}

/// Of many objects, one at random is replaced.
fn churn<T: Object, P: Pool<T>>(turn: Duration, count: usize) -> f64 {
    let pool = P::new();
    let handles = (0..count).map(|_| make(&pool)).collect();
    let mut live = if P::OBJECTS_IN_HANDLES {
        Shuffled::of_objects(handles, 1)
    } else {
        Shuffled::new(handles, 1)
    };
    let mut replace = || live.each(BATCH, |place| pool.end(mem::replace(place, make(&pool))));
    replace(); // nothing is warm yet
    let (mut time, mut batches) = (Duration::ZERO, 0);
    while time < turn {
        time += replace();
        batches += 1;
    }
    live.handles.into_iter().for_each(|handle| pool.end(handle));
    time.as_nanos() as f64 / (batches * BATCH) as f64
}

/// Handles to take at random, but from front to back: they are shuffled before, and again when all have had their turn.
///
/// With a random place in a long table, the table's cache misses were what is measured, and whether the processor lets them overlap
/// with the last drop: the same machine code took 140 or 430 ns by where it lay.
///
/// Handles that contain their objects stay where they are, and a shuffled table of their places is gone through. Were they shuffled,
/// their objects would be gone through in the order of their addresses, which is what random churn is not.
pub(crate) struct Shuffled<H> {
    handles: Vec<H>,
    /// Whose turn it is, where handles stay where they are.
    places: Option<Vec<u32>>,
    next: usize,
    random: Rng,
}

impl<H> Shuffled<H> {
    pub(crate) fn new(handles: Vec<H>, seed: u64) -> Self {
        Self {
            next: handles.len(),
            handles,
            places: None,
            random: Rng::with_seed(seed),
        }
    }

    /// The handles contain their objects.
    fn of_objects(handles: Vec<H>, seed: u64) -> Self {
        Self {
            places: Some((0..).take(handles.len()).collect()),
            ..Self::new(handles, seed)
        }
    }

    /// Does something to so many handles, and gives the time without that of shuffling.
    pub(crate) fn each(&mut self, times: usize, mut act: impl FnMut(&mut H)) -> Duration {
        let (mut time, mut left) = (Duration::ZERO, times);
        while left > 0 {
            if self.next == self.handles.len() {
                self.shuffle();
            }
            let end = self.handles.len().min(self.next + left);
            let start = Instant::now();
            match &self.places {
                None => self.handles[self.next..end].iter_mut().for_each(&mut act),
                Some(places) => places[self.next..end]
                    .iter()
                    .for_each(|&place| act(&mut self.handles[place as usize])),
            }
            time += start.elapsed();
            left -= end - self.next;
            self.next = end;
        }
        time
    }

    fn shuffle(&mut self) {
        match &mut self.places {
            None => self.random.shuffle(&mut self.handles),
            Some(places) => self.random.shuffle(places),
        }
        self.next = 0;
    }
}

/// Runs both at once; gives the time from when both are there until both are done.
///
/// Each first sets its scene, on its own thread; what that gives is run, and dropped when the time is taken.
pub(crate) fn together<A: FnMut(), B: FnMut()>(
    one: impl FnOnce() -> A,
    other: impl FnOnce() -> B + Send,
) -> Duration {
    let barrier = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut run = other();
            barrier.wait();
            run();
            barrier.wait();
        });
        let mut run = one();
        barrier.wait();
        let start = Instant::now();
        run();
        barrier.wait();
        start.elapsed()
    })
}

/// Nanoseconds for each of so many operations as take a turn.
pub(crate) fn timed_together(turn: Duration, run: impl Fn(usize) -> Duration) -> f64 {
    let trial = 20 * BATCH;
    let share = turn.as_secs_f64() / run(trial).as_secs_f64();
    let count = ((trial as f64 * share) as usize).clamp(trial, 1000 * trial);
    run(count).as_nanos() as f64 / count as f64
}

/// Pairs on two threads at once, in one pool: the time for a pair on each.
pub(crate) fn two_threads<T: Object, P: Pool<T> + Sync>(effort: &Effort) -> f64 {
    let pool = &P::new();
    timed_together(effort.turn, |count| {
        let run = || move || pairs(pool, count);
        together(run, run)
    })
}

/// Made by one thread and ended by another.
pub(crate) fn handed_over<T: Object, P: Pool<T> + Sync>(effort: &Effort) -> f64
where
    for<'p> P::Handle<'p>: Send,
{
    let pool = &P::new();
    timed_together(effort.turn, |count| hand_over(pool, count))
}

/// The handles go by the hand, in vectors that go back and forth: nothing is allocated meanwhile, nobody sleeps, and the same
/// few cache lines move whatever the pool is.
fn hand_over<T: Object, P: Pool<T> + Sync>(pool: &P, count: usize) -> Duration
where
    for<'p> P::Handle<'p>: Send,
{
    let (full, empty) = (ArrayQueue::new(HANDS), ArrayQueue::new(HANDS));
    for _ in 0..HANDS {
        assert!(
            empty.push(Vec::with_capacity(HAND)).is_ok(),
            "there is room"
        );
    }
    let (hands, done) = (count.div_ceil(HAND), AtomicBool::new(false));
    let maker = || {
        for _ in 0..hands {
            let mut hand: Vec<_> = wait_for(|| empty.pop());
            hand.extend((0..HAND).map(|_| make(pool)));
            assert!(full.push(hand).is_ok(), "there is room for all");
        }
        done.store(true, Ordering::Release);
    };
    let ender = || {
        while let Some(mut hand) = wait_for(|| {
            let last = done.load(Ordering::Acquire);
            let hand = full.pop();
            (hand.is_some() || last).then_some(hand)
        }) {
            hand.drain(..).for_each(|handle| pool.end(handle));
            assert!(empty.push(hand).is_ok(), "there is room for all");
        }
    };
    together(|| maker, || ender).mul_f64(count as f64 / (hands * HAND) as f64)
}

fn wait_for<R>(mut what: impl FnMut() -> Option<R>) -> R {
    let backoff = Backoff::new();
    loop {
        match what() {
            Some(found) => return found,
            None => backoff.snooze(),
        }
    }
}
