//! `contains` and `owns`: whose an address and a handle are.

use std::ptr;

use mem_pool::generic::FixedPool;
use mem_pool::{FixedPool as Locked, Lock, PoolBox};
use rstest::rstest;

use crate::support::{Mode, in_every_mode, pool};

in_every_mode!(
    slots_are_contained_live_or_free,
    nothing_but_the_start_of_a_slot_is_contained,
    another_pools_handle_is_not_owned,
    a_chunk_given_back_is_not_contained,
    a_new_pool_does_not_own_the_handles_of_the_one_before,
);

fn slots_are_contained_live_or_free<A: Mode, L: Lock>() {
    let pool = pool::<[u16; 3], A, L>();
    let handles: Vec<_> = (0..500).map(|_| pool.alloc([0; 3])).collect();
    let addresses: Vec<_> = handles.iter().map(PoolBox::as_ptr).collect();
    assert!(handles.iter().all(|handle| pool.owns(handle)));
    assert!(addresses.iter().all(|&address| pool.contains(address)));
    drop(handles);
    assert!(addresses.iter().all(|&address| pool.contains(address)));
}

fn nothing_but_the_start_of_a_slot_is_contained<A: Mode, L: Lock>() {
    let pool = pool::<u64, A, L>();
    let handles: Vec<_> = (0..100).map(|n| pool.alloc(n)).collect();
    for handle in &handles {
        let address = PoolBox::as_ptr(handle);
        for inside in 1..8 {
            assert!(!pool.contains(address.wrapping_byte_add(inside)));
        }
    }
    let elsewhere = Box::new(7u64);
    assert!(!pool.contains(&raw const *elsewhere));
    for stray in [
        ptr::null(),
        ptr::dangling(),
        ptr::without_provenance(usize::MAX),
    ] {
        assert!(!pool.contains(stray));
    }
}

fn another_pools_handle_is_not_owned<A: Mode, L: Lock>() {
    let (used, other, unused) = (pool::<u8, A, L>(), pool(), pool());
    let (a, b) = (used.alloc(1), other.alloc(2));
    assert!(used.owns(&a) && !used.owns(&b));
    assert!(!unused.owns(&a) && !unused.contains(PoolBox::as_ptr(&a)));
    assert!(used.contains(PoolBox::as_ptr(&a)) && !other.contains(PoolBox::as_ptr(&a)));
}

fn a_chunk_given_back_is_not_contained<A: Mode, L: Lock>() {
    let pool = pool::<u8, A, L>();
    let handle = pool.alloc(1);
    let address = PoolBox::as_ptr(&handle);
    drop(handle);
    pool.shrink_to_fit();
    assert_eq!(pool.capacity(), 0);
    assert!(!pool.contains(address));
}

fn a_new_pool_does_not_own_the_handles_of_the_one_before<A: Mode, L: Lock>() {
    let mut place = pool::<u32, A, L>();
    let mut handles = Vec::new();
    for _ in 0..20 {
        handles.push(place.alloc(1));
        place = pool();
        assert!(handles.iter().all(|handle| !place.owns(handle)));
        let newcomer = place.alloc(2);
        assert!(place.owns(&newcomer));
        for handle in &handles {
            assert!(!place.owns(handle) && !place.contains(PoolBox::as_ptr(handle)));
        }
    }
}

#[test]
fn a_keyed_pool_does_not_answer_for_a_handle_of_the_one_before() {
    let mut place = Locked::<u32>::keyed();
    let old = place.alloc(1);
    place = Locked::keyed();
    assert!(place.get(&old).is_none() && place.get_mut(&old).is_none());
    let new = place.alloc(2);
    assert!(place.get(&old).is_none());
    assert!(place.get_disjoint_mut([&new, &old]).is_none());
    let old = place.take(old).unwrap_err();
    drop(old);
    assert_eq!((place.len(), *place.at(&new)), (1, 2));
}

/// How many addresses in a window around `known` the pool calls its slots.
fn contained_around<T, A: Mode, L: Lock>(
    pool: &FixedPool<T, A, L>,
    known: *const T,
    window: usize,
) -> usize {
    (0..2 * window)
        .map(|offset| known.wrapping_byte_sub(window).wrapping_byte_add(offset))
        .filter(|&address| pool.contains(address))
        .count()
}

#[rstest]
#[case([0u8; 1], 40)]
#[case([0u8; 3], 9)]
#[case([0u8; 24], 1)]
#[case([0u8; 64], 8)]
#[case([0u8; 64], 65)]
#[case([0u8; 5000], 3)]
#[case([0u8; 0], 5)]
fn as_many_addresses_are_contained_as_there_are_slots<const N: usize>(
    #[case] object: [u8; N],
    #[case] slots: usize,
) {
    if cfg!(miri) {
        return; // a sweep of 128 Ki addresses
    }
    let pool = Locked::<[u8; N]>::builder().growth(slots).build();
    let handle = pool.alloc(object);
    let address = PoolBox::as_ptr(&handle);
    assert_eq!(contained_around(&pool, address, 1 << 16), slots);
    drop(handle);
    assert_eq!(contained_around(&pool, address, 1 << 16), slots);
}
