//! Blocks of bytes that change beside others: an owner reads and writes its header without a lock.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use mem_pool::VariadicPool;

use crate::support::watchdog;

const ROUNDS: usize = if cfg!(miri) { 20 } else { 2_000 };

/// Lets `owner` change what it has, round after round, while `look` is called again and again.
fn beside(owner: impl FnMut(usize) + Send, mut look: impl FnMut()) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            (0..ROUNDS).for_each(owner);
            done.store(true, Ordering::Relaxed);
        });
        while !done.load(Ordering::Relaxed) {
            look();
        }
    });
}

/// The lengths that a block alternates between lie in its header, behind its payload, or now here, now there.
fn lengths_are_whole(first: usize, second: usize) {
    let _watchdog = watchdog();
    let pool = VariadicPool::new(8 << 20, 0);
    let mut bytes = pool.alloc(first.max(second));
    let end = bytes.as_ptr().wrapping_add(first.max(second) - 1);
    let resize = |n| {
        // SAFETY: all of it is initialised.
        #[expect(unsafe_code, reason = "so that only the length changes")]
        unsafe {
            bytes.set_len(if n % 2 == 0 { first } else { second });
        }
    };
    beside(resize, || {
        let seen = [pool.live_bytes(), pool.stats().live_bytes];
        for len in seen {
            assert!(len == first || len == second, "{len} was never set");
        }
        let _ = pool.contains(end);
        pool.check().unwrap();
    });
    drop(bytes);
    assert_eq!(pool.live_bytes(), 0);
}

#[test]
fn lengths_in_a_header_are_seen_whole() {
    lengths_are_whole(3, 70_000);
}

#[test]
fn lengths_behind_a_payload_are_seen_whole() {
    lengths_are_whole(2 << 20, (2 << 20) + 12_345);
}

#[test]
fn lengths_that_move_are_seen_whole() {
    lengths_are_whole(17, 2 << 20);
}

/// The tail is written before the header says that the length lies there: else a look could find a former one.
#[test]
fn a_length_that_moves_behind_a_payload_is_no_former_one() {
    const LONG: usize = 2 << 20;
    let _watchdog = watchdog();
    let pool = VariadicPool::new(8 << 20, 0);
    let most = 100 * ROUNDS;
    let mut bytes = pool.alloc(LONG + most);
    let former = AtomicUsize::new(0);
    let resize = |round| {
        for n in 100 * round..100 * (round + 1) {
            for len in [LONG + n, 17] {
                // SAFETY: all of it is initialised.
                #[expect(unsafe_code, reason = "so that only the length changes")]
                unsafe {
                    bytes.set_len(len);
                }
            }
            former.store(LONG + n, Ordering::Release);
        }
    };
    beside(resize, || {
        let former = former.load(Ordering::Acquire);
        let seen = pool.live_bytes();
        assert!(
            seen == 17 || seen > former,
            "{seen} was set before {former}"
        );
    });
}

#[test]
fn a_block_is_used_while_its_neighbours_come_and_go() {
    let _watchdog = watchdog();
    let pool = VariadicPool::new(64 * 1024, 0);
    let (mut before, mut between, mut behind) = (
        Some(pool.alloc(200)),
        pool.alloc_with_capacity(100),
        Some(pool.alloc(200)),
    );
    let at = between.as_ptr().addr();
    let fill = |n| {
        if between.len() == between.capacity() {
            between.clear();
        }
        between.push(n as u8);
        assert_eq!(
            (between.as_ptr().addr(), between.last()),
            (at, Some(&(n as u8)))
        );
    };
    // The first is merged when the other is released, and that by the check.
    beside(fill, || {
        drop((before.take(), behind.take()));
        pool.check().unwrap();
        before = Some(pool.alloc(200));
        behind = Some(pool.alloc(200));
        assert_eq!(pool.live_blocks(), 3);
    });
    pool.check().unwrap();
}
