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

/// Blocks made by watched threads and not yet freed, by address.
static BLOCKS: Mutex<BTreeMap<usize, Block>> = Mutex::new(BTreeMap::new());

#[derive(Clone, Copy)]
struct Block {
    start: *mut u8,
    layout: Layout,
    session: usize,
}

// SAFETY: a pointer that says where a block is; what is in there is read by [`Session::pages_touched`] alone, which says when.
unsafe impl Send for Block {}

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
    /// Whether new memory is filled with [`UNTOUCHED`].
    fill: bool,
}

const UNWATCHED: Watch = Watch {
    session: 0,
    calls: 0,
    refuse_from: usize::MAX,
    refuse_to: usize::MAX,
    budget: usize::MAX,
    callback: None,
    fill: false,
};

/// What new memory is filled with where a test asks which of it is touched.
const UNTOUCHED: u8 = 0xc7;

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
        if WATCH.get().fill && !block.is_null() {
            // SAFETY: it was just allocated with this layout.
            unsafe { block.write_bytes(UNTOUCHED, layout.size()) };
        }
        unwatched(|| {
            let made = Block {
                start: block,
                layout,
                session,
            };
            BLOCKS.lock().unwrap().insert(block.addr(), made)
        });
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if IN_BLOCKS.get() {
            // SAFETY: as the caller promises.
            return unsafe { System.dealloc(block, layout) };
        }
        let known = forget(block);
        if let Some(Block {
            layout: made_with, ..
        }) = known
        {
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

fn forget(block: *mut u8) -> Option<Block> {
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
        self.blocks().iter().map(|block| block.layout).collect()
    }

    /// The session's blocks that were not freed.
    fn blocks(&self) -> Vec<Block> {
        unwatched(|| {
            IN_BLOCKS.set(true);
            let blocks = BLOCKS.lock().unwrap();
            let ours = |block: &&Block| block.session == self.0;
            let found = blocks.values().filter(ours).copied().collect();
            drop(blocks);
            IN_BLOCKS.set(false);
            found
        })
    }

    /// How many pages of the session's blocks were written to since [`fill_memory`], which came first, as if each block began with
    /// a page. Nobody uses the blocks meanwhile. Not for Miri and other tools that know what is initialised: moved padding is
    /// not.
    pub fn pages_touched(&self) -> usize {
        const PAGE: usize = 4096;
        let mut pages = 0;
        for block in self.blocks() {
            // SAFETY: a block that was not freed. All of it was filled when it was made; what was moved over it since may be
            // uninitialised by the rules, but has some value in memory, which is all that is asked for.
            let bytes = unsafe { std::slice::from_raw_parts(block.start, block.layout.size()) };
            let touched = |page: &&[u8]| page.iter().any(|byte| *byte != UNTOUCHED);
            pages += bytes.chunks(PAGE).filter(touched).count();
        }
        pages
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

/// Fills all memory that this thread allocates from now on, so that one sees what of it is touched.
pub fn fill_memory() {
    update(|watch| watch.fill = true);
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
