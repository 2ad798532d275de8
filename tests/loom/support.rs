#![expect(
    unsafe_code,
    reason = "an allocator that watches regions, and cells that the checker watches"
)]
//! What models share: how they are run, objects that find out when they are not left alone, and an allocator that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::{self, Display, Formatter};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use loom::cell::UnsafeCell;
use loom::thread::JoinHandle;
use mem_pool::model::{let_all_own, set_number, try_every_order};

/// Runs a model with nobody as owner of a shard and then with everybody, each time with loads that may be stale and then with
/// loads in every order. `LOOM_MAX_PREEMPTIONS` and `LOOM_MAX_DURATION` (in seconds) bound each of the runs; `MODEL_DEEP` does away
/// with the bound of 3 preemptions that there is otherwise. A run that was cut short has a `+` behind the number of its executions.
///
/// The model's own thread has number 2; an even number means the first shard, an odd one the second.
#[track_caller]
pub fn model(name: &str, f: impl Fn() + Sync + Send + 'static) {
    run_each(name, &[false, true], 3, f);
}

/// As [`model`], with a bound of 2 preemptions.
#[track_caller]
pub fn large_model(name: &str, f: impl Fn() + Sync + Send + 'static) {
    run_each(name, &[false, true], 2, f);
}

/// As [`model`], of locks that find their owners themselves.
#[track_caller]
pub fn biased_model(name: &str, f: impl Fn() + Sync + Send + 'static) {
    run_each(name, &[false], 3, f);
}

/// As [`biased_model`], with a bound of 2 preemptions.
#[track_caller]
pub fn large_biased_model(name: &str, f: impl Fn() + Sync + Send + 'static) {
    run_each(name, &[false], 2, f);
}

fn run_each(
    name: &str,
    all_own: &[bool],
    preemptions: usize,
    f: impl Fn() + Sync + Send + 'static,
) {
    let f = Arc::new(f);
    let mut line = format!("model {name:55}");
    for &all_own in all_own {
        let_all_own(all_own);
        for every_order in [false, true] {
            try_every_order(every_order);
            line += &format!(" {}", run(preemptions, Arc::clone(&f)));
        }
    }
    println!("{line}");
}

/// How long a run took.
struct Run {
    executions: usize,
    time: Duration,
    cut: bool,
}

impl Display for Run {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (seconds, cut) = (self.time.as_secs_f64(), if self.cut { '+' } else { ' ' });
        write!(f, "{:9}{cut} {seconds:6.2} s", self.executions)
    }
}

fn run(preemptions: usize, f: Arc<impl Fn() + Sync + Send + 'static>) -> Run {
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 20_000;
    builder.checkpoint_interval = 1000;
    if builder.preemption_bound.is_none() && std::env::var_os("MODEL_DEEP").is_none() {
        builder.preemption_bound = Some(preemptions);
    }
    let executions = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&executions);
    let start = Instant::now();
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        set_number(2);
        f();
        assert_eq!(LIVE.get(), 0, "a region leaked");
        QUARANTINE.take().into_iter().for_each(Region::free);
    });
    let time = start.elapsed();
    Run {
        executions: executions.load(Ordering::Relaxed),
        time,
        cut: builder.max_duration.is_some_and(|most| time >= most),
    }
}

/// Starts a thread with a number.
pub fn spawn<R: 'static>(number: usize, f: impl FnOnce() -> R + 'static) -> JoinHandle<R> {
    loom::thread::spawn(move || {
        set_number(number);
        f()
    })
}

/// Starts two threads, at home in the second and the first shard, with a value each.
pub fn spawn_two<T: 'static>(
    values: [T; 2],
    f: impl Fn(T) + Copy + 'static,
) -> [JoinHandle<()>; 2] {
    let [first, second] = values;
    [spawn(1, move || f(first)), spawn(4, move || f(second))]
}

/// Waits for a thread's end.
pub fn join<R>(thread: JoinHandle<R>) -> R {
    thread.join().expect("the checker itself tells of panics")
}

/// Counts how often each object was destroyed. Not a part of the model: the checker does not see it.
#[derive(Clone, Default)]
pub struct Ledger(Arc<[AtomicUsize; 8]>);

impl Ledger {
    pub fn thing(&self, id: usize) -> Thing {
        Thing {
            id,
            intact: UnsafeCell::new(true),
            ledger: self.clone(),
        }
    }

    pub fn drops(&self, id: usize) -> usize {
        self.0[id].load(Ordering::Relaxed)
    }

    /// Asserts that the objects named were destroyed once each.
    #[track_caller]
    pub fn assert_gone<const N: usize>(&self, ids: [usize; N]) {
        for id in ids {
            assert_eq!(self.drops(id), 1, "how often object {id} was destroyed");
        }
    }
}

/// An object that may be looked at by many and is destroyed once, when nobody looks any more.
pub struct Thing {
    pub id: usize,
    intact: UnsafeCell<bool>,
    ledger: Ledger,
}

// SAFETY: the checker finds out when the cell is not used as it should.
unsafe impl Send for Thing {}
// SAFETY: as above.
unsafe impl Sync for Thing {}

impl Thing {
    /// Reads the object; its number.
    pub fn look(&self) -> usize {
        // SAFETY: the checker makes sure of it.
        self.intact
            .with(|intact| assert!(unsafe { *intact }, "object {} is not intact", self.id));
        self.id
    }

    /// Writes the object.
    pub fn touch(&mut self) {
        // SAFETY: the checker makes sure of it.
        self.intact
            .with_mut(|intact| assert!(unsafe { *intact }, "object {} is not intact", self.id));
    }
}

impl Drop for Thing {
    fn drop(&mut self) {
        // SAFETY: the checker makes sure of it.
        self.intact.with_mut(|intact| unsafe { *intact = false });
        self.ledger.0[self.id].fetch_add(1, Ordering::Relaxed);
    }
}

/// A number that threads change without an atomic: whatever excludes them must be elsewhere.
#[derive(Default)]
pub struct Plain(UnsafeCell<usize>);

// SAFETY: the checker finds out when the cell is not used as it should.
unsafe impl Send for Plain {}
// SAFETY: as above.
unsafe impl Sync for Plain {}

impl Plain {
    pub fn add_one(&self) {
        // SAFETY: the checker makes sure of it.
        self.0.with_mut(|number| unsafe { *number += 1 });
    }

    pub fn get(&self) -> usize {
        // SAFETY: the checker makes sure of it.
        self.0.with(|number| unsafe { *number })
    }
}

/// Bytes of a byte pool's chunk, in models: nothing else has this size.
pub const CHUNK: usize = 4112;

/// A freed region, kept until the execution ends, so that its memory is not used again meanwhile.
#[derive(Clone, Copy)]
struct Region(*mut u8, Layout);

impl Region {
    fn free(self) {
        // SAFETY: it was allocated so and was to be freed.
        unsafe { System.dealloc(self.0, self.1) }
    }
}

/// At most as many freed regions are kept.
const MOST: usize = 16;

#[derive(Default)]
struct Quarantine([Option<Region>; MOST]);

impl IntoIterator for Quarantine {
    type Item = Region;
    type IntoIter = std::iter::Flatten<std::array::IntoIter<Option<Region>, MOST>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().flatten()
    }
}

// All threads of a model are one thread of the system.
thread_local! {
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static QUARANTINE: Cell<Quarantine> = const { Cell::new(Quarantine([None; MOST])) };
}

/// Counts regions, and overwrites what is freed.
struct Watching;

#[global_allocator]
static ALLOCATOR: Watching = Watching;

fn is_region(layout: Layout) -> bool {
    layout.align() == 1 << 16 || layout.size() == CHUNK
}

// SAFETY: passes everything on, late at times.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_region(layout) {
            LIVE.set(LIVE.get() + 1);
        }
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller gives the memory up.
        unsafe { memory.write_bytes(0xdb, layout.size()) };
        if is_region(layout) {
            LIVE.set(LIVE.get().wrapping_sub(1));
            let mut quarantine = QUARANTINE.take();
            let place = quarantine.0.iter_mut().find(|place| place.is_none());
            let kept = place
                .map(|place| *place = Some(Region(memory, layout)))
                .is_some();
            QUARANTINE.set(quarantine);
            if kept {
                return;
            }
        }
        // SAFETY: passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}
