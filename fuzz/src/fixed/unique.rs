//! A pool that only handles reach: a faster `Box`, against a list.

use mem_pool::generic::{FixedPool, PoolBox};
use mem_pool::{Lock, Unique};

use super::{Setup, set_up};
use crate::input::Input;
use crate::object::{Ledger, Object, State};

type Handle<L> = PoolBox<Object, Unique, L>;

pub(crate) fn run<L: Lock>(mut input: Input<'_>) {
    let setup = Setup::choose(&mut input);
    let pool = set_up!(FixedPool::<Object, _, L>::builder().unique(), setup);
    let ledger = Ledger::default();
    let mut handles: Vec<Handle<L>> = Vec::new();
    while !input.is_empty() {
        step(&pool, &setup, &ledger, &mut handles, &mut input);
        assert_eq!(
            (pool.len(), ledger.count(State::Live)),
            (handles.len(), handles.len())
        );
        let stats = pool.stats();
        assert!(stats.capacity >= handles.len() && stats.capacity <= setup.limit);
        ledger.check();
    }
    let keep = input.below(handles.len() + 1);
    let rest = handles.split_off(keep);
    gone(&ledger, rest);
    drop(pool);
    gone(&ledger, handles);
    ledger.check();
}

fn gone<L: Lock>(ledger: &Ledger, handles: Vec<Handle<L>>) {
    for handle in handles {
        handle.check();
        ledger.set(handle.id, State::Gone);
    }
}

fn step<L: Lock>(
    pool: &FixedPool<Object, Unique, L>,
    setup: &Setup,
    ledger: &Ledger,
    handles: &mut Vec<Handle<L>>,
    input: &mut Input<'_>,
) {
    let room = handles.len() < setup.limit;
    let choice = input.below(16);
    if choice >= 8 && handles.is_empty() {
        return;
    }
    match choice {
        0..=3 => match pool.try_alloc(ledger.make()) {
            Ok(handle) => handles.push(handle),
            Err(rejected) => {
                assert!(!room);
                ledger.set(rejected.into_inner().id, State::Gone);
            }
        },
        4 => match pool.try_alloc_with(|| ledger.make()) {
            Ok(handle) => handles.push(handle),
            Err(_) => assert!(!room),
        },
        5 => match pool.try_vacant() {
            Ok(vacant) if input.flag() => handles.push(vacant.write(ledger.make())),
            Ok(_) => {}
            Err(_) => assert!(!room),
        },
        6 => {
            let before = pool.stats().reserved_bytes;
            assert_eq!(pool.shrink_to_fit(), before - pool.stats().reserved_bytes);
        }
        7 => {
            let more = input.below(100);
            assert_eq!(
                pool.try_reserve(more).is_ok(),
                setup.limit - handles.len() >= more
            );
        }
        choice => {
            let index = input.below(handles.len());
            with_handle(pool, room, ledger, handles, index, choice);
        }
    }
}

fn with_handle<L: Lock>(
    pool: &FixedPool<Object, Unique, L>,
    room: bool,
    ledger: &Ledger,
    handles: &mut Vec<Handle<L>>,
    index: usize,
    choice: usize,
) {
    match choice {
        8 => handles[index].touch(),
        9 if room => {
            let clone = handles[index].clone();
            handles.push(clone);
        }
        10 => {
            let object = PoolBox::into_inner(handles.swap_remove(index));
            object.check();
            ledger.set(object.id, State::Gone);
        }
        11 => {
            let handle = &handles[index];
            let (address, inside) = (
                PoolBox::as_ptr(handle),
                PoolBox::as_ptr(handle).cast::<u8>(),
            );
            assert!(pool.owns(handle) && pool.contains(address));
            assert!(!pool.contains(inside.wrapping_add(1).cast()));
        }
        12 => {
            let raw = PoolBox::into_raw(handles.swap_remove(index));
            // SAFETY: it came from `into_raw` of a handle of this type, and is used once.
            handles.push(unsafe { PoolBox::from_raw(raw) });
        }
        _ => {
            let handle = handles.swap_remove(index);
            handle.check();
            ledger.set(handle.id, State::Gone);
        }
    }
}
