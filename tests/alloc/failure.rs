//! The allocator refuses the n-th request, for every n, once and then for ever: an error, nothing lost, nothing leaked.

use mem_pool::generic::FixedPool;
use mem_pool::{FixedPool as Locked, Lock, PoolBox, PoolError};
use rstest::rstest;

use crate::checking::{Session, refuse_beyond, refuse_none, refuse_nth, unwatched};
use crate::support::{Ledger, Mode, Tracked, Walked, count, in_every_mode, in_walked_modes};

in_every_mode!(
    a_refused_growth_is_an_error_and_changes_nothing,
    every_refusal_is_survived,
    a_step_that_fails_adds_nothing,
    dropping_needs_no_memory,
);

fn assert_out_of_memory(error: &PoolError) {
    unwatched(|| {
        assert!(matches!(error, PoolError::OutOfMemory { .. }), "{error}");
        assert!(error.to_string().starts_with("out of memory"), "{error}");
    });
}

/// Asks for memory in each way there is. Returns whether something was refused.
fn ask<A: Mode, L: Lock>(
    pool: &FixedPool<u64, A, L>,
    handles: &mut Vec<PoolBox<u64, A, L>>,
) -> bool {
    let mut refused = false;
    let mut note = |error: &PoolError| {
        assert_out_of_memory(error);
        refused = true;
    };
    for n in 0..40 {
        let before = (pool.len(), pool.capacity());
        let made = match n % 4 {
            0 => pool.try_alloc(n).map_err(|rejected| {
                note(rejected.error());
                assert_eq!(rejected.into_inner(), n);
            }),
            1 => pool.try_alloc_with(|| n).map_err(|error| note(&error)),
            2 => pool
                .try_vacant()
                .map(|vacant| vacant.write(n))
                .map_err(|error| note(&error)),
            _ => {
                if let Err(error) = pool.try_reserve(30) {
                    note(&error);
                    assert_eq!((pool.len(), pool.capacity()), before);
                }
                Err(())
            }
        };
        match made {
            Ok(handle) => handles.push(handle),
            Err(()) => assert_eq!(pool.len(), before.0),
        }
    }
    refused
}

fn every_refusal_is_survived<A: Mode, L: Lock>() {
    for for_ever in [false, true] {
        for n in 1.. {
            let session = Session::new();
            let mut handles = Vec::with_capacity(100);
            let (refused, _) = session.run(|| {
                let pool = A::builder::<u64, L>().growth(7).build();
                refuse_nth(n, for_ever);
                let refused = ask(&pool, &mut handles);
                refuse_none();
                // What was made is whole, and the pool works.
                assert_eq!(pool.len(), handles.len());
                let more: Vec<_> = (0..50).map(|n| pool.alloc(n)).collect();
                assert_eq!(pool.len(), handles.len() + 50);
                assert!(pool.capacity() % 7 == 0 && pool.stats().capacity == pool.capacity());
                drop(more);
                handles.clear();
                pool.shrink_to_fit();
                assert_eq!(pool.stats().reserved_bytes, 0);
                refused
            });
            session.assert_nothing_left();
            if !refused {
                assert!(n > 3, "nothing was refused");
                break;
            }
        }
    }
}

/// Larger than a chunk, so that each step needs memory.
struct Large(
    Tracked,
    #[expect(dead_code, reason = "only large")] [u64; 9000],
);

fn a_refused_growth_is_an_error_and_changes_nothing<A: Mode, L: Lock>() {
    let ledger = Ledger::default();
    let make = || Large(ledger.make(), [0; 9000]);
    let session = Session::new();
    let pool = A::builder::<_, L>().growth(2).build();
    let _handles = [pool.alloc(make()), pool.alloc(make())];
    let stats = pool.stats();
    let offered = make();
    let (rejected, _) = session.run(|| {
        refuse_nth(1, true);
        assert_out_of_memory(&pool.try_alloc_with(|| unreachable!()).err().unwrap());
        assert_out_of_memory(&pool.try_vacant().err().unwrap());
        assert_out_of_memory(&pool.try_reserve(1).unwrap_err());
        pool.try_alloc(offered).err().unwrap()
    });
    assert_out_of_memory(rejected.error());
    rejected.into_inner().0.check();
    assert_eq!((pool.stats(), pool.capacity()), (stats, 2));
    drop(pool.alloc(make()));
    assert_eq!(pool.capacity(), 4);
}

/// A step of several regions, of which each in turn is refused.
fn a_step_that_fails_adds_nothing<A: Mode, L: Lock>() {
    if cfg!(miri) {
        return; // a step of megabytes
    }
    for for_ever in [false, true] {
        for n in 1.. {
            let session = Session::new();
            let (refused, _) = session.run(|| {
                let pool = A::builder::<[u64; 16], L>().growth(50_000).build();
                refuse_nth(n, for_ever);
                let made = pool.try_alloc([1; 16]).ok();
                refuse_none();
                if made.is_none() {
                    let stats = pool.stats();
                    assert_eq!(
                        (stats.capacity, stats.chunks, stats.reserved_bytes),
                        (0, 0, 0)
                    );
                    assert_eq!((pool.capacity(), pool.len()), (0, 0));
                }
                let handle = pool.alloc([2; 16]);
                assert_eq!(pool.capacity(), 50_000);
                drop(handle);
                let refused = made.is_none();
                drop(made);
                refused
            });
            session.assert_nothing_left();
            if !refused {
                assert!(n > 3, "a step of several regions");
                break;
            }
        }
    }
}

fn dropping_needs_no_memory<A: Mode, L: Lock>() {
    let session = Session::new();
    session.run(|| {
        let mut pool = A::builder::<u64, L>().build();
        let mut handles: Vec<_> = (0..count(5000) as u64).map(|n| pool.alloc(n)).collect();
        refuse_nth(1, true);
        let handle = handles.pop().unwrap();
        assert_eq!(A::move_out(&mut pool, handle), count(5000) as u64 - 1);
        handles.truncate(1000);
        pool.shrink_to_fit();
        let reserved = pool.vacant();
        drop(reserved);
        handles.truncate(500);
        drop(pool);
        drop(handles);
    });
    session.assert_nothing_left();
}

in_walked_modes!(walking_needs_no_memory);

fn walking_needs_no_memory<A: Walked, L: Lock>() {
    let session = Session::new();
    session.run(|| {
        let pool = A::builder::<u64, L>().limit(1000).build();
        let mut handles: Vec<_> = (0..1000).map(|n| pool.alloc(n)).collect();
        refuse_nth(1, true);
        pool.for_each(|_| {
            handles.pop();
            pool.for_each(|_| ());
            drop(pool.try_alloc(5));
        });
        drop(handles);
        assert_eq!((pool.len(), pool.stats().deferred), (0, 0));
    });
    session.assert_nothing_left();
}

#[rstest]
#[case::growth(1 << 33)]
#[case::growth_just_below_what_can_be(isize::MAX as usize / 64)]
fn a_step_larger_than_memory_is_an_error_and_gives_all_back(#[case] growth: usize) {
    if cfg!(miri) {
        return;
    }
    let session = Session::new();
    session.run(|| {
        let pool = Locked::<u64>::builder().growth(growth).build();
        refuse_beyond(64 << 20);
        assert!(pool.try_alloc(1).is_err());
        assert!(pool.try_reserve(growth / 2).is_err());
        assert_eq!((pool.capacity(), pool.stats().reserved_bytes), (0, 0));
    });
    session.assert_nothing_left();
}

#[test]
fn a_reserve_larger_than_memory_changes_nothing() {
    if cfg!(miri) {
        return;
    }
    let session = Session::new();
    session.run(|| {
        let pool = Locked::<u64>::new();
        let handle = pool.alloc(1);
        let stats = pool.stats();
        refuse_beyond(64 << 20);
        assert_out_of_memory(&pool.try_reserve(1 << 33).unwrap_err());
        assert_eq!(pool.stats(), stats);
        drop(handle);
    });
    session.assert_nothing_left();
}

#[test]
#[ignore = "ends the process; run by the test below"]
fn ends_the_process() {
    Session::new().run(|| {
        let pool = Locked::new();
        refuse_nth(1, true);
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pool.alloc(1)));
        std::process::exit(0);
    });
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn alloc_without_memory_ends_the_process_as_box_does() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "failure::ends_the_process",
            "--ignored",
            "--nocapture",
        ])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("memory allocation of"),
        "{said}"
    );
}

#[test]
#[ignore = "wants a process that never had a pool; run by the test below"]
fn the_first_pools_have_no_memory() {
    Session::new().run(|| {
        refuse_nth(1, true);
        assert_out_of_memory(&Locked::new().try_alloc(1).unwrap_err().into());
        let bytes = mem_pool::VariadicPool::default().try_alloc(1);
        assert_out_of_memory(&bytes.err().unwrap());
    });
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn a_process_whose_first_pools_have_no_memory_goes_on() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "failure::the_first_pools_have_no_memory"])
        .args(["--ignored", "--nocapture"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}
