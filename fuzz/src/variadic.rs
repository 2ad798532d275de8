//! `VariadicPool` against `Vec`s with the same contents and a map of live ranges.

use std::collections::BTreeMap;

use mem_pool::generic::{PoolBytes, VariadicPool};
use mem_pool::{Lock, PoolError};

use crate::input::Input;

/// A handle, what it should contain, and the alignment it was asked for.
struct Live<L: Lock> {
    bytes: PoolBytes<L>,
    expected: Vec<u8>,
    align: usize,
}

pub(crate) fn run<L: Lock>(mut input: Input<'_>) {
    let (limit, long) = [
        (usize::MAX, false),
        (1 << 20, false),
        (20_000, false),
        (usize::MAX, true),
    ][input.below(4)];
    let mut builder = VariadicPool::<L>::builder()
        .grow_size([1, 1000, 4096, 65_536][input.below(4)])
        .tolerance_percent([0, 20, 100][input.below(3)])
        .zero_on_release(input.flag())
        .limit(limit);
    if input.flag() {
        builder = builder.first_fit();
    }
    let pool = builder.build();
    let mut live = Vec::new();
    let mut fill = 0;
    while !input.is_empty() {
        fill = u8::wrapping_add(fill, 1);
        step(&pool, &mut live, &mut input, fill, long);
        check(&pool, &live, limit);
    }
    while live.len() > 5 {
        live.swap_remove(input.below(live.len()));
        check(&pool, &live, limit);
    }
    drop(pool);
    for left in live {
        assert_eq!(left.bytes, left.expected);
    }
}

/// Without a limit there is no reason to fail.
fn made<L: Lock, T>(pool: &VariadicPool<L>, result: Result<T, PoolError>) -> Option<T> {
    if let Err(error) = &result {
        assert!(
            matches!(error, PoolError::ByteLimitReached { .. }),
            "{error}"
        );
        assert!(pool.reserved_bytes() <= 1 << 20);
    }
    result.ok()
}

/// Up to 16 KiB, or in place of the larger of these around 1 MiB, beyond which the length of a block lies behind it.
fn size(input: &mut Input<'_>, long: bool) -> usize {
    match input.size(14) {
        large if long && large > 4096 => (1 << 20) - 64 + large % 128,
        size => size,
    }
}

fn step<L: Lock>(
    pool: &VariadicPool<L>,
    live: &mut Vec<Live<L>>,
    input: &mut Input<'_>,
    fill: u8,
    long: bool,
) {
    let choice = input.below(16);
    let size = size(input, long && live.len() < 4);
    match choice {
        0 | 1 => {
            let align = 1 << input.below(14);
            if let Some(bytes) = made(pool, pool.try_alloc_aligned(size, align)) {
                live.push(Live {
                    bytes,
                    expected: vec![0; size],
                    align,
                });
            }
        }
        2 | 3 => {
            let expected = vec![fill; size];
            if let Some(bytes) = made(pool, pool.try_alloc_copy(&expected)) {
                live.push(Live {
                    bytes,
                    expected,
                    align: 16,
                });
            }
        }
        4 => {
            if let Some(bytes) = made(pool, pool.try_alloc_with_capacity(size)) {
                assert!(bytes.capacity() >= size);
                live.push(Live {
                    bytes,
                    expected: Vec::new(),
                    align: 16,
                });
            }
        }
        5 => {
            let before = pool.reserved_bytes();
            assert_eq!(pool.shrink_to_fit(), before - pool.reserved_bytes());
        }
        _ if live.is_empty() => {}
        6..=8 => drop(live.swap_remove(input.below(live.len()))),
        9 => {
            let index = input.below(live.len());
            if let Some(bytes) = made(pool, live[index].bytes.try_clone()) {
                let (expected, align) = (live[index].expected.clone(), live[index].align);
                live.push(Live {
                    bytes,
                    expected,
                    align,
                });
            }
        }
        _ => {
            let index = input.below(live.len());
            change(pool, &mut live[index], choice, size, fill);
        }
    }
}

fn change<L: Lock>(
    pool: &VariadicPool<L>,
    live: &mut Live<L>,
    choice: usize,
    size: usize,
    fill: u8,
) {
    let Live {
        bytes, expected, ..
    } = live;
    match choice {
        10 => {
            if made(pool, bytes.try_resize(size)).is_some() {
                expected.resize(size, 0);
            }
        }
        11 => {
            let more = vec![fill; size];
            if made(pool, bytes.try_extend_from_slice(&more)).is_some() {
                expected.extend(more);
            }
        }
        12 => {
            bytes.truncate(size);
            expected.truncate(size);
        }
        13 => {
            bytes.shrink_to_fit();
            bytes.fill(fill);
            expected.fill(fill);
        }
        14 => {
            let address = bytes.as_ptr();
            let grown = bytes.try_grow_in_place(size);
            assert_eq!((grown, address), (bytes.capacity() >= size, bytes.as_ptr()));
        }
        _ => {
            assert_eq!(bytes.pop(), expected.pop());
            bytes.spare_capacity_mut().iter_mut().for_each(|byte| {
                byte.write(fill);
            });
        }
    }
}

fn check<L: Lock>(pool: &VariadicPool<L>, live: &[Live<L>], limit: usize) {
    pool.check().unwrap();
    assert!(pool.reserved_bytes() <= limit);
    let len: usize = live.iter().map(|live| live.expected.len()).sum();
    assert_eq!((pool.live_blocks(), pool.live_bytes()), (live.len(), len));
    let mut ranges = BTreeMap::new();
    for live in live {
        assert!(live.bytes == live.expected);
        let start = live.bytes.as_ptr().addr();
        assert_eq!(start % live.align, 0);
        assert!(
            ranges
                .insert(start, start + live.bytes.capacity())
                .is_none()
        );
    }
    let mut neighbours = ranges.values().zip(ranges.keys().skip(1));
    assert!(neighbours.all(|(end, start)| end <= start), "two overlap");
}
