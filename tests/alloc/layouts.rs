//! Everything goes back, with the layout it was made with; nothing is asked for before it is needed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mem_pool::generic::FixedPool;
use mem_pool::{FixedPool as Locked, Lock, PoolBox};
use rstest::rstest;

use crate::checking::{Session, fill_memory, refuse_none, refuse_nth};
use crate::support::{Mode, OnDrop, Walked, count, in_every_mode, in_walked_modes, leaking};

in_every_mode!(
    an_unused_pool_allocates_nothing,
    nothing_is_left_when_all_is_gone,
    nothing_is_left_when_the_pool_goes_first,
    nothing_is_left_after_panics,
    a_warm_pool_allocates_nothing,
    a_small_pool_stays_small,
    ten_objects_touch_at_most_four_pages,
    shrinking_says_what_it_gives_back,
    regions_go_back_one_by_one_when_the_pool_is_gone,
    keeping_nothing_keeps_nothing,
    a_forgotten_handle_leaks_one_region,
);

fn an_unused_pool_allocates_nothing<A: Mode, L: Lock>() {
    let session = Session::new();
    let ((), calls) = session.run(|| {
        let pool = A::builder::<u64, L>().growth(10).limit(100).build();
        assert_eq!(
            (pool.len(), pool.capacity(), pool.shrink_to_fit()),
            (0, 0, 0)
        );
        assert!(pool.is_empty() && !pool.contains(std::ptr::null()));
        assert_eq!(pool.stats().reserved_bytes, 0);
        A::walk(&pool, |_| unreachable!("the pool is empty"));
        drop(pool);
        drop(FixedPool::<u64, A, L>::default());
    });
    assert_eq!(calls, 0);
}

/// Makes, drops and moves objects at random; gives the handles that are left.
fn busy<T, A: Mode, L: Lock>(
    pool: &mut FixedPool<T, A, L>,
    make: impl Fn(usize) -> T,
) -> Vec<PoolBox<T, A, L>> {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut handles = Vec::new();
    for n in 0..count(1000) {
        match rng.u8(0..10) {
            0..6 => handles.push(pool.alloc(make(n))),
            6..8 => drop(handles.pop()),
            8 => drop(pool.vacant()),
            _ => {
                if let Some(handle) = handles.pop() {
                    drop(A::move_out(pool, handle));
                }
            }
        }
        if n % 300 == 0 {
            pool.shrink_to_fit();
        }
    }
    handles
}

fn nothing_is_left_when_all_is_gone<A: Mode, L: Lock>() {
    for growth in [1, 64, 5000] {
        let session = Session::new();
        session.run(|| {
            let mut pool = A::builder::<_, L>().growth(growth).build();
            let handles = busy(&mut pool, |n| vec![n; 3]);
            drop(handles);
            drop(pool);
        });
        session.assert_nothing_left();
    }
}

fn nothing_is_left_when_the_pool_goes_first<A: Mode, L: Lock>() {
    let session = Session::new();
    session.run(|| {
        let mut pool = A::builder::<_, L>().build();
        let mut handles = busy(&mut pool, |n| [n; 20]);
        fastrand::Rng::with_seed(2).shuffle(&mut handles);
        drop(pool);
        drop(handles);
    });
    session.assert_nothing_left();
}

/// Without a message, whose buffer would stay with the test harness.
fn panic_quietly() -> ! {
    std::panic::resume_unwind(Box::new("on purpose"))
}

fn nothing_is_left_after_panics<A: Mode, L: Lock>() {
    let session = Session::new();
    session.run(|| {
        let pool = A::builder::<OnDrop, L>().build();
        let bad = pool.alloc(OnDrop::new(|| panic_quietly()));
        let late = pool.alloc(OnDrop::new(|| panic_quietly()));
        let made = || pool.alloc_with(|| panic_quietly());
        assert!(catch_unwind(AssertUnwindSafe(made)).is_err());
        assert!(catch_unwind(AssertUnwindSafe(|| drop(bad))).is_err());
        drop(pool);
        assert!(catch_unwind(AssertUnwindSafe(|| drop(late))).is_err());
    });
    session.assert_nothing_left();
}

fn a_warm_pool_allocates_nothing<A: Mode, L: Lock>() {
    let session = Session::new();
    let mut pool = A::builder::<u64, L>().build();
    let mut handles: Vec<_> = (0..1000).map(|n| pool.alloc(n)).collect();
    let ((), calls) = session.run(|| {
        for round in 0..3 {
            handles.truncate(100 * round);
            while handles.len() < 1000 {
                handles.push(pool.alloc(7));
            }
            drop(pool.vacant());
            A::walk(&pool, |_| ());
            assert!(pool.len() == 1000 && pool.owns(&handles[5]));
            let handle = handles.pop().unwrap();
            A::move_out(&mut pool, handle);
        }
        handles.clear();
    });
    assert_eq!(calls, 0);
}

fn ten_objects_touch_at_most_four_pages<A: Mode, L: Lock>() {
    if cfg!(any(mem_pool_asan, miri)) {
        return; // all memory is read here, also what is nobody's, or padding
    }
    let mut handles = Vec::with_capacity(10);
    let session = Session::new();
    let (_alive, _) = session.run(|| {
        fill_memory();
        let pool = A::builder::<[u64; 8], L>().build();
        handles.extend((0..10).map(|n| pool.alloc([n; 8])));
        pool
    });
    let touched = session.pages_touched();
    assert!((2..=4).contains(&touched), "{touched}");
}

/// The second request of a growth step is for the region; the first is for the list it stands in.
#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "only there are huge pages")]
#[cfg_attr(miri, ignore = "huge pages are not asked for")]
fn memory_that_cannot_be_a_huge_page_will_do() {
    let session = Session::new();
    session.run(|| {
        let pool = Locked::unique();
        let mut handles: Vec<PoolBox<[u64; 8], _>> = Vec::with_capacity(100_000);
        let mut grow = || {
            while handles.len() < pool.capacity() {
                handles.push(pool.alloc([1; 8]));
            }
            let before = pool.stats().reserved_bytes;
            handles.push(pool.alloc([1; 8]));
            pool.stats().reserved_bytes - before
        };
        while grow() < 2 << 20 {}
        refuse_nth(2, false);
        assert_eq!(grow(), (2 << 20) + 64, "a cache line more");
        refuse_none();
        assert_eq!(grow(), 2 << 20);
        drop(pool);
        assert!(handles.iter().all(|object| **object == [1; 8]));
    });
    session.assert_nothing_left();
}

fn a_small_pool_stays_small<A: Mode, L: Lock>() {
    let session = Session::new();
    session.run(|| {
        let pool = A::builder::<[u64; 8], L>().build();
        let handles: [_; 10] = std::array::from_fn(|n| pool.alloc([n as u64; 8]));
        assert!(pool.stats().reserved_bytes <= 8192, "{:?}", pool.stats());
        // Room for a magazine and an inbox, of which next to nothing is touched: see the test above.
        assert!(session.bytes_left() <= 18_432, "{:?}", session.left());
        drop(handles);
    });
    session.assert_nothing_left();
}

fn shrinking_says_what_it_gives_back<A: Mode, L: Lock>() {
    let session = Session::new();
    session.run(|| {
        let pool = A::builder::<[u64; 4], L>().build();
        let mut handles: Vec<_> = (0..count(20_000))
            .map(|n| pool.alloc([n as u64; 4]))
            .collect();
        handles.truncate(1);
        let before = (session.bytes_left(), pool.stats().reserved_bytes);
        let given_back = pool.shrink_to_fit();
        let after = (session.bytes_left(), pool.stats().reserved_bytes);
        assert_eq!(
            (before.0 - after.0, before.1 - after.1),
            (given_back, given_back)
        );
        assert!(cfg!(miri) || given_back > 0);
        handles.clear();
        let rest = pool.stats().reserved_bytes;
        assert_eq!(
            (pool.shrink_to_fit(), session.bytes_left()),
            (rest, after.0 - rest)
        );
    });
}

/// Larger than a chunk, so that each has a region of its own.
type Large = [u64; 9000];

/// How many blocks are left that could hold a `Large`.
fn large_blocks(session: &Session) -> usize {
    session
        .left()
        .iter()
        .filter(|layout| layout.size() >= size_of::<Large>())
        .count()
}

fn regions_go_back_one_by_one_when_the_pool_is_gone<A: Mode, L: Lock>() {
    let session = Session::new();
    session.run(|| {
        let pool = A::builder::<Large, L>().growth(1).build();
        let mut handles: Vec<_> = (0..6).map(|n| pool.alloc([n; 9000])).collect();
        drop(handles.pop());
        assert_eq!(large_blocks(&session), 6);
        drop(pool);
        assert_eq!(large_blocks(&session), 5, "wholly free regions go at once");
        while !handles.is_empty() {
            handles.swap_remove(handles.len() / 2);
            assert_eq!(large_blocks(&session), handles.len());
        }
    });
    session.assert_nothing_left();
}

fn keeping_nothing_keeps_nothing<A: Mode, L: Lock>() {
    let session = Session::new();
    session.run(|| {
        let pool = A::builder::<Large, L>().growth(1).keep_empty(0).build();
        let handles: Vec<_> = (0..4).map(|n| pool.alloc([n; 9000])).collect();
        for (left, handle) in (0..4).rev().zip(handles) {
            drop(handle);
            assert_eq!(large_blocks(&session), left);
        }
        drop(pool.vacant());
        assert_eq!(large_blocks(&session), 0);
    });
    session.assert_nothing_left();
}

fn a_forgotten_handle_leaks_one_region<A: Mode, L: Lock>() {
    let Some(_leaking) = leaking() else { return };
    let session = Session::new();
    session.run(|| {
        let pool = A::builder::<Large, L>().growth(1).build();
        let mut handles: Vec<_> = (0..4).map(|n| pool.alloc([n; 9000])).collect();
        std::mem::forget(handles.swap_remove(1));
        drop(handles);
        pool.shrink_to_fit();
        assert_eq!(large_blocks(&session), 1);
        drop(pool);
    });
    assert_eq!(large_blocks(&session), 1);
}

in_walked_modes!(
    nothing_is_left_after_drops_in_a_walk,
    a_walk_allocates_nothing
);

fn nothing_is_left_after_drops_in_a_walk<A: Walked, L: Lock>() {
    let session = Session::new();
    session.run(|| {
        let pool = A::builder::<Box<usize>, L>().keep_empty(0).build();
        let mut handles: Vec<_> = (0..300).map(|n| pool.alloc(Box::new(n))).collect();
        pool.for_each(|_| handles.truncate(handles.len().saturating_sub(3)));
        assert_eq!((pool.len(), pool.stats().deferred), (75, 0));
        drop(handles);
        assert_eq!(pool.capacity(), 0);
    });
    session.assert_nothing_left();
}

fn a_walk_allocates_nothing<A: Walked, L: Lock>() {
    let session = Session::new();
    let pool = A::builder::<usize, L>().build();
    let mut handles: Vec<_> = (0..1000).map(|n| pool.alloc(n)).collect();
    let ((), calls) = session.run(|| {
        pool.for_each(|_| {
            handles.pop();
            pool.for_each(|_| ());
        });
    });
    assert_eq!(calls, 0);
}

#[rstest]
#[case::zero_sized([(); 0])]
#[case::bytes([0u8; 1])]
#[case::odd([0u8; 4097])]
#[case::two_chunks([0u64; 16_384])]
fn layouts_match_for_any_size<T: Clone>(#[case] object: T) {
    let session = Session::new();
    session.run(|| {
        let mut pool = Locked::<T>::builder().growth(3).build();
        let handles = busy(&mut pool, |_| object.clone());
        drop(handles);
    });
    session.assert_nothing_left();
}

#[test]
fn nothing_is_left_by_threads() {
    let session = Session::new();
    let (pool, _) = session.run(|| Locked::<Vec<usize>>::builder().growth(10).build());
    let mut handles = Vec::new();
    for n in 0..8 {
        let make = || {
            session.run(|| {
                (0..50)
                    .map(|k| pool.alloc(vec![n; k + 1]))
                    .collect::<Vec<_>>()
            })
        };
        handles.push(std::thread::scope(|scope| {
            scope.spawn(make).join().unwrap().0
        }));
    }
    assert!(session.bytes_left() > 0);
    drop(pool);
    for some in handles {
        std::thread::spawn(move || drop(some)).join().unwrap();
    }
    session.assert_nothing_left();
}

#[test]
fn nothing_is_left_by_clones() {
    let session = Session::new();
    session.run(|| {
        let pool = Locked::<Vec<u8>>::unique();
        let first = pool.alloc(vec![1]);
        drop(pool);
        let mut clones: Vec<_> = (0..500).map(|_| first.clone()).collect();
        drop(first);
        let more = clones[7].clone();
        clones.clear();
        drop(more);
    });
    session.assert_nothing_left();
}
