//! Reserved slots.

use std::thread;

use mem_pool::{FixedPool, Lock, PoolBox, Unique};

use crate::support::{Ledger, Mode, in_every_mode, leaking, pool};

in_every_mode!(
    nobody_sees_a_reserved_slot,
    a_filled_slot_holds_its_object,
    a_dropped_reservation_frees_its_slot,
    reservations_do_not_share_slots,
    a_forgotten_reservation_only_leaks,
);

fn nobody_sees_a_reserved_slot<A: Mode, L: Lock>() {
    let pool = pool::<u64, A, L>();
    let neighbours = [pool.alloc(1), pool.alloc(2)];
    let mut vacant = pool.vacant();
    vacant.as_uninit_mut().write(99);
    assert_eq!(pool.len(), 2);
    A::walk(&pool, |object| assert_ne!(*object, 99));
    let handle = vacant.write(3);
    assert_eq!(pool.len(), 3);
    let mut sum = 0;
    if A::walk(&pool, |object| sum += object) {
        assert_eq!(sum, 6);
    }
    drop((neighbours, handle));
}

fn a_filled_slot_holds_its_object<A: Mode, L: Lock>() {
    let ledger = Ledger::default();
    let pool = A::builder::<_, L>().limit(1).build();
    for id in 0..10 {
        let mut vacant = pool.try_vacant().unwrap();
        let address = vacant.as_uninit_mut().as_ptr();
        let handle = vacant.write(ledger.make());
        assert_eq!(PoolBox::as_ptr(&handle), address);
        A::read(&pool, &handle, |object| {
            object.check();
            assert_eq!(object.id, id);
        });
    }
    ledger.assert_settled();
}

fn a_dropped_reservation_frees_its_slot<A: Mode, L: Lock>() {
    let ledger = Ledger::default();
    let pool = A::builder::<_, L>().limit(1).build();
    for _ in 0..100 {
        drop(pool.vacant());
    }
    assert_eq!((pool.len(), ledger.made()), (0, 0));
    drop(pool.alloc(ledger.make()));
    ledger.assert_settled();
}

fn reservations_do_not_share_slots<A: Mode, L: Lock>() {
    let pool = A::builder::<usize, L>().growth(7).build();
    let mut vacants: Vec<_> = (0..100).map(|_| pool.vacant()).collect();
    let mut addresses: Vec<_> = vacants
        .iter_mut()
        .map(|v| v.as_uninit_mut().as_ptr())
        .collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 100);
    let mut handles = Vec::new();
    for (n, vacant) in vacants.into_iter().enumerate() {
        if n % 3 == 0 {
            handles.push((n, vacant.write(n)));
        }
    }
    assert_eq!(pool.len(), 34);
    for (n, handle) in &handles {
        A::read(&pool, handle, |object| assert_eq!(object, n));
    }
}

fn a_forgotten_reservation_only_leaks<A: Mode, L: Lock>() {
    let Some(_leaking) = leaking() else { return };
    let pool = A::builder::<u8, L>().growth(4).build();
    std::mem::forget(pool.vacant());
    assert_eq!(pool.len(), 0);
    let handles = [pool.alloc(1), pool.alloc(2), pool.alloc(3)];
    assert_eq!(pool.capacity(), 4);
    A::walk(&pool, |object| assert!((1..=3).contains(object)));
    drop(handles);
    pool.shrink_to_fit();
    assert_eq!(pool.capacity(), 4, "the leaked slot keeps its region");
}

/// 1 MiB: sixteen times the stack it is built on.
type Huge = [u8; 1 << 20];

#[test]
fn a_mebibyte_is_built_in_place_on_a_small_stack() {
    let pool = FixedPool::<Huge>::unique();
    thread::scope(|scope| {
        let builder = thread::Builder::new().stack_size(64 << 10);
        let build = || {
            let mut handle = in_place(&pool, 1);
            handle[5] = 9;
            assert_eq!((handle[0], handle[5], handle[(1 << 20) - 1]), (1, 9, 1));
            drop(pool.vacant());
            drop(handle);
        };
        builder.spawn_scoped(scope, build).unwrap();
    });
    assert!(pool.is_empty() && pool.capacity() > 0);
}

#[expect(unsafe_code, reason = "builds an object in place, byte by byte")]
fn in_place(pool: &FixedPool<Huge, Unique>, byte: u8) -> PoolBox<Huge, Unique> {
    let mut vacant = pool.vacant();
    let bytes = vacant.as_uninit_mut().as_mut_ptr().cast::<u8>();
    // SAFETY: the slot has room for a mebibyte.
    unsafe { bytes.write_bytes(byte, 1 << 20) };
    // SAFETY: every byte was just written, and any byte is a valid `u8`.
    unsafe { vacant.assume_init() }
}
