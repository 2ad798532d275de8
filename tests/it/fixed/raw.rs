#![expect(unsafe_code, reason = "handles are made of raw pointers again")]
//! Handles as pointers: `into_raw`, `from_raw`, `as_ptr`, `into_pin`, `leak`.

use std::marker::PhantomPinned;
use std::pin::Pin;

use mem_pool::{FixedPool, Keyed, Lock, PoolBox, Shared, ThroughHandle, Unique};

use crate::support::{Ledger, Mode, in_every_mode, leaking, mode_tests, pool};

in_every_mode!(
    a_raw_handle_comes_back_whole,
    a_raw_handle_outlives_its_pool,
    a_raw_handle_is_still_an_object,
    addresses_never_change,
);

fn a_raw_handle_comes_back_whole<A: Mode, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let handles: Vec<_> = (0..100).map(|_| pool.alloc(ledger.make())).collect();
    let raw: Vec<_> = handles.into_iter().map(PoolBox::into_raw).collect();
    assert_eq!((pool.len(), ledger.dropped()), (100, 0));
    for (id, raw) in raw.into_iter().enumerate() {
        assert!(pool.contains(raw.as_ptr()));
        // SAFETY: `raw` came from `into_raw` of a handle of this type, and is used once.
        let handle = unsafe { PoolBox::<_, A, L>::from_raw(raw) };
        assert!(pool.owns(&handle));
        A::read(&pool, &handle, |object| assert_eq!(object.id, id));
        drop(handle);
        assert_eq!(ledger.drops_of(id), 1);
    }
    assert_eq!(pool.len(), 0);
}

fn a_raw_handle_outlives_its_pool<A: Mode, L: Lock>() {
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    let raw = PoolBox::into_raw(pool.alloc(ledger.make()));
    drop(pool);
    // SAFETY: `raw` came from `into_raw` of a handle of this type, and is used once.
    drop(unsafe { PoolBox::<_, A, L>::from_raw(raw) });
    ledger.assert_settled();
}

fn a_raw_handle_is_still_an_object<A: Mode, L: Lock>() {
    let pool = pool::<u32, A, L>();
    let raw = PoolBox::into_raw(pool.alloc(5));
    let mut seen = Vec::new();
    if A::walk(&pool, |object| seen.push(*object)) {
        assert_eq!(seen, [5]);
    }
    // SAFETY: nothing has a unique reference to the object.
    assert_eq!(unsafe { raw.read() }, 5);
    // SAFETY: `raw` came from `into_raw` of a handle of this type, and is used once.
    drop(unsafe { PoolBox::<_, A, L>::from_raw(raw) });
    assert!(pool.is_empty());
}

fn addresses_never_change<A: Mode, L: Lock>() {
    let pool = pool::<u32, A, L>();
    let first = pool.alloc(5);
    let address = PoolBox::as_ptr(&first);
    let more: Vec<_> = (0..10_000).map(|n| pool.alloc(n)).collect();
    let moved = Box::new(first);
    drop(more);
    pool.shrink_to_fit();
    assert_eq!(PoolBox::as_ptr(&moved), address);
    A::read(&pool, &moved, |object| {
        assert_eq!((&raw const *object, *object), (address, 5));
    });
}

mod a_pinned_object_stays_where_it_is {
    super::mode_tests!(a_pinned_object_stays_where_it_is: shared Shared, unique Unique);
}

fn a_pinned_object_stays_where_it_is<A: Mode + ThroughHandle, L: Lock>() {
    let pool = pool::<(u8, PhantomPinned), A, L>();
    let handle = pool.alloc((5, PhantomPinned));
    let address = PoolBox::as_ptr(&handle);
    let pinned: Pin<PoolBox<_, A, L>> = PoolBox::into_pin(handle);
    assert_eq!((&raw const *pinned, pinned.0), (address, 5));
    let converted: Pin<PoolBox<_, A, L>> = pool.alloc((6, PhantomPinned)).into();
    assert_eq!((converted.0, pool.len()), (6, 2));
    drop((pinned, converted));
    assert!(pool.is_empty());
}

#[test]
fn every_handle_is_one_word_with_a_niche() {
    fn assert_word<T>() {
        assert_eq!(size_of::<T>(), size_of::<usize>());
        assert_eq!(align_of::<T>(), align_of::<usize>());
        assert_eq!(size_of::<Option<T>>(), size_of::<usize>());
    }
    assert_word::<PoolBox<u8>>();
    assert_word::<PoolBox<()>>();
    assert_word::<PoolBox<[u64; 1000], Unique>>();
    assert_word::<PoolBox<String, Keyed>>();
    assert_word::<mem_pool::local::PoolBox<String, Unique>>();
    assert_eq!(size_of::<PoolBox<dyn Send>>(), 2 * size_of::<usize>());
    assert_eq!(
        size_of::<Option<PoolBox<[u8], Unique>>>(),
        2 * size_of::<usize>()
    );
}

#[test]
fn a_leaked_object_lives_for_ever() {
    let Some(_leaking) = leaking() else { return };
    let ledger = Ledger::default();
    let pool = FixedPool::<_, Shared>::new();
    let leaked: &'static crate::support::Tracked =
        PoolBox::<_, Shared>::leak(pool.alloc(ledger.make()));
    let mut seen = 0;
    pool.for_each(|_| seen += 1);
    assert_eq!((pool.len(), seen), (1, 1));
    drop(pool.alloc(ledger.make()));
    pool.shrink_to_fit();
    drop(pool);
    leaked.check();
    assert_eq!((ledger.drops_of(0), ledger.drops_of(1)), (0, 1));
    let unique = mem_pool::local::FixedPool::unique();
    let leaked: &'static mut u32 = mem_pool::local::PoolBox::<_, Unique>::leak(unique.alloc(1));
    drop(unique);
    *leaked += 1;
    assert_eq!(*leaked, 2);
}

#[test]
fn a_leak_may_be_as_short_as_what_its_object_borrows() {
    let Some(_leaking) = leaking() else { return };
    let text = String::from("borrowed");
    let pool = FixedPool::new();
    let leaked: &&str = PoolBox::<_, Shared>::leak(pool.alloc(text.as_str()));
    assert_eq!(*leaked, "borrowed");
}

#[test]
fn a_handle_is_covariant() {
    fn shorten<'a>(handle: PoolBox<&'static str>) -> PoolBox<&'a str> {
        handle
    }
    let pool = FixedPool::<&'static str>::new();
    let local = String::from("local");
    let pair = [shorten(pool.alloc("static")), shorten(pool.alloc("other"))];
    assert!(pair.iter().all(|handle| **handle != local.as_str()));
}
