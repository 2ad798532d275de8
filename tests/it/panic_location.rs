//! Who misuses a pool is shown a line of their own, not one inside the library.

use mem_pool::{
    FixedPool, Keyed, PoolBox, PoolBytes, Shared, ThroughPool, Unique, VariadicPool, WeakKey,
};
use rstest::rstest;

use crate::support::{Mode, panic_location};

/// A pool that is at its limit of one slot, and the handle of that slot.
fn full<A: Mode>() -> (FixedPool<u8, A>, PoolBox<u8, A>) {
    let pool = A::builder().limit(1).build();
    let handle = pool.alloc(1);
    (pool, handle)
}

/// A handle of a pool that is gone: another's to every pool.
fn foreign<A: Mode>() -> PoolBox<u8, A> {
    full().1
}

/// A key to which no pool answers.
fn dead<A: Mode + ThroughPool>() -> WeakKey<u8> {
    PoolBox::downgrade(&foreign::<A>())
}

/// A pool that has at most one small chunk.
fn small() -> VariadicPool {
    VariadicPool::builder().grow_size(4096).limit(4096).build()
}

/// More than a [`small`] pool has.
const MUCH: usize = 10_000;

/// A block of a [`small`] pool that is gone, which still has its limit.
fn block() -> PoolBytes {
    small().alloc(10)
}

/// So many bytes, whose number an iterator does not tell.
fn uncounted(count: usize) -> impl Iterator<Item = u8> {
    std::iter::repeat_n(7, count).filter(|_| true)
}

#[rstest]
#[case::alloc(line!(), || drop(full::<Shared>().0.alloc(2)))]
#[case::alloc_with(line!(), || drop(full::<Unique>().0.alloc_with(|| 2)))]
#[case::vacant(line!(), || drop(full::<Keyed>().0.vacant()))]
#[case::reserve(line!(), || full::<Shared>().0.reserve(2))]
#[case::reserve_too_much(line!(), || FixedPool::<u64>::new().reserve(usize::MAX))]
#[case::spawn(line!(), || _ = full::<Keyed>().0.spawn(2))]
#[case::adopt(line!(), || _ = full::<Keyed>().0.adopt(foreign()))]
#[case::at(line!(), || _ = full::<Keyed>().0.at(&foreign()))]
#[case::at_mut(line!(), || *full::<Keyed>().0.at_mut(&foreign()) = 2)]
#[case::clone(line!(), || drop(full::<Unique>().1.clone()))]
#[case::nonsense(line!(), || drop(FixedPool::<u8>::builder().growth(0).build()))]
#[case::hold_key(line!(), || _ = full::<Shared>().0.hold()[dead::<Shared>()])]
#[case::hold_handle(line!(), || _ = full::<Shared>().0.hold()[&foreign()])]
#[case::hold_mut_key(line!(), || _ = full::<Keyed>().0.hold_mut()[dead::<Keyed>()])]
#[case::hold_mut_key_mut(line!(), || full::<Keyed>().0.hold_mut()[dead::<Keyed>()] = 2)]
#[case::hold_mut_handle(line!(), || _ = full::<Keyed>().0.hold_mut()[&foreign()])]
#[case::hold_mut_handle_mut(line!(), || full::<Keyed>().0.hold_mut()[&foreign()] = 2)]
#[case::spawner_alloc(line!(), || drop(full::<Keyed>().0.hold_mut().split().1.alloc(2)))]
#[case::spawner_spawn(line!(), || _ = full::<Keyed>().0.hold_mut().split().1.spawn(2))]
#[case::spawner_adopt(line!(), || _ = full::<Keyed>().0.hold_mut().split().1.adopt(foreign()))]
fn a_fixed_pool_names_its_callers_line(#[case] line: u32, #[case] misuse: fn()) {
    assert_eq!(panic_location(misuse), (file!().into(), line));
}

#[rstest]
#[case::alloc(line!(), || drop(small().alloc(MUCH)))]
#[case::alloc_too_much(line!(), || drop(VariadicPool::default().alloc(usize::MAX)))]
#[case::alloc_aligned(line!(), || drop(small().alloc_aligned(MUCH, 64)))]
#[case::alloc_badly_aligned(line!(), || drop(small().alloc_aligned(16, 3)))]
#[case::alloc_copy(line!(), || drop(small().alloc_copy(&[7; MUCH])))]
#[case::alloc_with_capacity(line!(), || drop(small().alloc_with_capacity(MUCH)))]
#[case::alloc_pod(line!(), || drop(small().alloc_pod::<u64>(MUCH)))]
#[case::new(line!(), || drop(VariadicPool::new(0, 0)))]
#[case::nonsense(line!(), || drop(VariadicPool::builder().tolerance_percent(101).build()))]
#[case::reserve(line!(), || block().reserve(MUCH))]
#[case::reserve_too_much(line!(), || block().reserve(usize::MAX))]
#[case::resize(line!(), || block().resize(MUCH))]
#[case::push(line!(), || { let mut block = block(); loop { block.push(7) } })]
#[case::extend_from_slice(line!(), || block().extend_from_slice(&[7; MUCH]))]
#[case::extend(line!(), || block().extend([7; MUCH]))]
#[case::extend_uncounted(line!(), || block().extend(uncounted(MUCH)))]
#[case::extend_by_reference(line!(), || block().extend(&[7; MUCH]))]
#[case::clone(line!(), || drop(small().alloc(3000).clone()))]
#[case::clone_values(line!(), || drop(small().alloc_pod::<u64>(300).clone()))]
fn a_byte_pool_names_its_callers_line(#[case] line: u32, #[case] misuse: fn()) {
    assert_eq!(panic_location(misuse), (file!().into(), line));
}
