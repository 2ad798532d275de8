//! The allocator itself may use the pool: no lock is held while it is called, and no slot gets two owners.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;

use mem_pool::generic::FixedPool;
use mem_pool::{Access, FixedPool as Locked, Keyed, PoolBox, Shared, Unique, local};
use rstest::rstest;

use crate::checking::{Session, refuse_none, set_callback};
use crate::support::watchdog;

/// Larger than a chunk, so that growing and shrinking call the allocator often.
type Large = [u64; 9000];

static SHARED: Locked<Large, Shared> = Locked::builder().growth(3).keep_empty(0).build();
static UNIQUE: Locked<Large, Unique> = Locked::builder().growth(3).keep_empty(0).unique().build();
static KEYED: Locked<Large, Keyed> = Locked::builder().growth(3).keep_empty(0).keyed().build();

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static SHARED_MADE: RefCell<Vec<PoolBox<Large, Shared>>> = const { RefCell::new(Vec::new()) };
    static UNIQUE_MADE: RefCell<Vec<PoolBox<Large, Unique>>> = const { RefCell::new(Vec::new()) };
    static KEYED_MADE: RefCell<Vec<PoolBox<Large, Keyed>>> = const { RefCell::new(Vec::new()) };
}

/// Uses the pool for which the allocator was called.
fn meddle<A: Access>(
    pool: &FixedPool<Large, A, mem_pool::Locked>,
    made: &RefCell<Vec<PoolBox<Large, A>>>,
) {
    CALLS.set(CALLS.get() + 1);
    let _ = (
        pool.len(),
        pool.capacity(),
        pool.stats(),
        pool.contains(std::ptr::null()),
    );
    let handle = pool.try_alloc([7; 9000]).ok();
    drop(pool.try_vacant());
    pool.shrink_to_fit();
    let _ = pool.try_reserve(1);
    // Not while the list itself is growing, for that calls the allocator, too.
    if let Ok(mut made) = made.try_borrow_mut() {
        if made.len() < made.capacity() {
            made.extend(handle);
        }
    }
}

fn meddle_shared() {
    SHARED.for_each(|_| ());
    SHARED_MADE.with(|made| meddle(&SHARED, made));
}

fn meddle_unique() {
    UNIQUE_MADE.with(|made| meddle(&UNIQUE, made));
}

fn meddle_keyed() {
    KEYED.for_each(|_| ());
    KEYED_MADE.with(|made| meddle(&KEYED, made));
}

fn the_allocator_may_use<A: Access>(
    pool: &'static FixedPool<Large, A, mem_pool::Locked>,
    made: &'static std::thread::LocalKey<RefCell<Vec<PoolBox<Large, A>>>>,
    callback: fn(),
) {
    let _watchdog = watchdog();
    let session = Session::new();
    made.with_borrow_mut(|made| made.reserve(500));
    let mut handles = Vec::with_capacity(500);
    session.run(|| {
        set_callback(Some(callback));
        for n in 0..100 {
            handles.push(pool.alloc([n; 9000]));
            if n % 10 == 9 {
                handles.truncate(handles.len() / 2); // regions go back: the allocator is called for that, too
                pool.shrink_to_fit();
            }
        }
        set_callback(None);
        refuse_none();
    });
    assert!(CALLS.get() > 50, "the allocator was not called");
    let theirs = made.take();
    let both = handles.iter().chain(&theirs).map(PoolBox::as_ptr);
    let addresses: HashSet<_> = both.collect();
    assert_eq!(
        addresses.len(),
        handles.len() + theirs.len(),
        "a slot has two owners"
    );
    assert_eq!(pool.len(), addresses.len());
    drop((handles, theirs));
    pool.shrink_to_fit(); // what was reserved, but never used
    assert_eq!((pool.len(), pool.capacity()), (0, 0), "no slot is lost");
}

#[test]
fn the_allocator_may_use_a_shared_pool() {
    the_allocator_may_use(&SHARED, &SHARED_MADE, meddle_shared);
}

#[test]
fn the_allocator_may_use_a_unique_pool() {
    the_allocator_may_use(&UNIQUE, &UNIQUE_MADE, meddle_unique);
}

#[test]
fn the_allocator_may_use_a_keyed_pool() {
    the_allocator_may_use(&KEYED, &KEYED_MADE, meddle_keyed);
}

thread_local! {
    /// With debug assertions a second lock is caught here; a lock's owner would come by unnoticed.
    static DRAWN: local::FixedPool<u64> = const { local::FixedPool::new() };
}

/// The picture has room for whatever is drawn before the lock is taken.
#[rstest]
fn the_allocator_may_use_a_pool_whose_map_is_drawn(#[values(1, 2, 3, 100, 20_000)] step: usize) {
    let _watchdog = watchdog();
    let session = Session::new();
    let mut handles: Vec<_> = (0..10_000)
        .map(|n| Some(DRAWN.with(|pool| pool.alloc(n))))
        .collect();
    handles
        .iter_mut()
        .skip(1)
        .step_by(step)
        .for_each(|handle| *handle = None);
    session.run(|| {
        set_callback(Some(|| {
            CALLS.set(CALLS.get() + 1);
            let _ = DRAWN.with(|pool| pool.stats());
        }));
        let map = DRAWN.with(|pool| pool.heap_map());
        set_callback(None);
        refuse_none();
        drop(map);
    });
    assert!(CALLS.get() > 0, "the allocator was not called");
}
