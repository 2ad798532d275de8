#![expect(unsafe_code, reason = "implements `GlobalAlloc`")]
//! A global allocator that checks each call, can refuse it, and can call back.
//!
//! It watches only threads inside [`Session::run`], so that tests do not see each other.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Write;
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

pub struct Checking;

/// Blocks made by watched threads and not yet freed: their layouts and sessions, by address.
static BLOCKS: Mutex<BTreeMap<usize, (Layout, usize)>> = Mutex::new(BTreeMap::new());

/// What the allocator does for a thread.
#[derive(Clone, Copy)]
struct Watch {
    /// 0: not watched.
    session: usize,
    /// Allocations so far, refused ones included.
    calls: usize,
    /// The number of the first allocation to refuse.
    refuse_from: usize,
    /// The number of the last one.
    refuse_to: usize,
    /// Allocations larger than what is left of this are refused.
    budget: usize,
    /// Called at each call, but not from within itself.
    callback: Option<fn()>,
}

const UNWATCHED: Watch = Watch {
    session: 0,
    calls: 0,
    refuse_from: usize::MAX,
    refuse_to: usize::MAX,
    budget: usize::MAX,
    callback: None,
};

thread_local! {
    static WATCH: Cell<Watch> = const { Cell::new(UNWATCHED) };
}

/// Runs a closure with the thread unwatched.
pub fn unwatched<R>(f: impl FnOnce() -> R) -> R {
    let watch = WATCH.replace(UNWATCHED);
    let result = f();
    WATCH.set(watch);
    result
}

fn update(change: impl FnOnce(&mut Watch)) {
    let mut watch = WATCH.get();
    change(&mut watch);
    WATCH.set(watch);
}

/// Ends the process: an allocator must not unwind.
fn fail(message: &str, layouts: [Layout; 2]) -> ! {
    unwatched(|| {
        let _ = writeln!(std::io::stderr(), "allocator: {message}: {layouts:?}");
    });
    std::process::abort()
}

fn call_back() {
    if let Some(callback) = WATCH.get().callback {
        update(|watch| watch.callback = None);
        callback();
        update(|watch| watch.callback = Some(callback));
    }
}

/// Whether the call is to be refused.
fn refuse(layout: Layout) -> bool {
    let mut refused = false;
    update(|watch| {
        watch.calls += 1;
        let chosen = (watch.refuse_from..=watch.refuse_to).contains(&watch.calls)
            && !std::thread::panicking(); // a failed assertion needs memory to say so
        refused = chosen || layout.size() > watch.budget;
        if !refused && watch.budget != usize::MAX {
            watch.budget -= layout.size();
        }
    });
    refused
}

// SAFETY: all memory is the system allocator's; what is added only counts, refuses by returning null, or ends the process.
unsafe impl GlobalAlloc for Checking {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let session = WATCH.get().session;
        if layout.size() == 0 {
            fail("a request for nothing", [layout; 2]);
        }
        if session == 0 {
            // SAFETY: as the caller promises.
            return unsafe { System.alloc(layout) };
        }
        call_back();
        if refuse(layout) {
            return ptr::null_mut();
        }
        // SAFETY: as the caller promises.
        let block = unsafe { System.alloc(layout) };
        unwatched(|| {
            BLOCKS
                .lock()
                .unwrap()
                .insert(block.addr(), (layout, session))
        });
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if IN_BLOCKS.get() {
            // SAFETY: as the caller promises.
            return unsafe { System.dealloc(block, layout) };
        }
        let known = forget(block);
        if let Some((made_with, _)) = known {
            if made_with != layout {
                fail(
                    "made with one layout, freed with another",
                    [made_with, layout],
                );
            }
        }
        if WATCH.get().session != 0 {
            call_back();
        }
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }
}

thread_local! {
    /// Whether the thread has the lock of `BLOCKS`, whose own memory is not recorded.
    static IN_BLOCKS: Cell<bool> = const { Cell::new(false) };
}

fn forget(block: *mut u8) -> Option<(Layout, usize)> {
    IN_BLOCKS.set(true);
    let known = unwatched(|| BLOCKS.lock().unwrap().remove(&block.addr()));
    IN_BLOCKS.set(false);
    known
}

/// The allocations of one test.
pub struct Session(usize);

impl Session {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Watches the thread while the closure runs; returns how many allocations it asked for, too.
    pub fn run<R>(&self, f: impl FnOnce() -> R) -> (R, usize) {
        let before = WATCH.replace(Watch {
            session: self.0,
            ..UNWATCHED
        });
        let result = f();
        let calls = WATCH.replace(before).calls;
        (result, calls)
    }

    /// Layouts of the session's blocks that were not freed.
    pub fn left(&self) -> Vec<Layout> {
        unwatched(|| {
            IN_BLOCKS.set(true);
            let blocks = BLOCKS.lock().unwrap();
            let ours = blocks.values().filter(|(_, session)| *session == self.0);
            let layouts = ours.map(|(layout, _)| *layout).collect();
            drop(blocks);
            IN_BLOCKS.set(false);
            layouts
        })
    }

    pub fn bytes_left(&self) -> usize {
        self.left().iter().map(Layout::size).sum()
    }

    #[track_caller]
    pub fn assert_nothing_left(&self) {
        let left = self.left();
        assert!(left.is_empty(), "leaked: {left:?}");
    }
}

/// Refuses the `n`-th allocation of this thread from now on, counted from 1; and, if told so, all that follow.
pub fn refuse_nth(n: usize, for_ever: bool) {
    update(|watch| {
        watch.refuse_from = watch.calls + n;
        watch.refuse_to = if for_ever {
            usize::MAX
        } else {
            watch.refuse_from
        };
    });
}

pub fn refuse_none() {
    update(|watch| {
        watch.refuse_from = usize::MAX;
        watch.budget = usize::MAX;
    });
}

/// Refuses what is more than so many bytes from now on.
pub fn refuse_beyond(bytes: usize) {
    update(|watch| watch.budget = bytes);
}

/// Has the allocator call a function at each allocation and deallocation.
pub fn set_callback(callback: Option<fn()>) {
    update(|watch| watch.callback = callback);
}
