//! Making, counting and moving out.

use std::mem::swap;

use mem_pool::generic::FixedPool;
use mem_pool::{FixedStats, Keyed, Lock, Locked, Shared, Unique, Unlocked};

use crate::support::{Ledger, Mode, OnDrop, in_every_mode, leaking, panic_message, pool};

in_every_mode!(
    objects_keep_their_values,
    len_counts_live_objects,
    a_moved_out_object_is_not_destroyed,
    a_default_pool_is_an_empty_one,
    handles_survive_a_move_of_the_pool,
    debug_shows_figures_and_never_an_object,
    stats_agree_with_the_counts,
    a_forgotten_handle_is_still_an_object,
    alloc_with_runs_its_constructor_once,
    the_slot_freed_last_is_used_again,
);

fn objects_keep_their_values<A: Mode, L: Lock>() {
    let pool = pool::<String, A, L>();
    let handles: Vec<_> = (0..300).map(|n| pool.alloc(n.to_string())).collect();
    for (n, handle) in handles.iter().enumerate() {
        assert!(A::read(&pool, handle, |text| *text == n.to_string()));
    }
}

fn len_counts_live_objects<A: Mode, L: Lock>() {
    let pool = pool::<u32, A, L>();
    assert!(pool.is_empty());
    let mut handles = Vec::new();
    for n in 1..=200 {
        handles.push(pool.alloc(0));
        assert_eq!((pool.len(), pool.is_empty()), (n, false));
        assert!(pool.capacity() >= n);
    }
    while handles.pop().is_some() {
        assert_eq!(pool.len(), handles.len());
    }
    assert!(pool.is_empty());
}

fn a_moved_out_object_is_not_destroyed<A: Mode, L: Lock>() {
    let ledger = Ledger::default();
    let mut pool = A::builder::<_, L>().limit(1).build();
    for id in 0..5 {
        let handle = pool.alloc(ledger.make());
        let object = A::move_out(&mut pool, handle);
        assert_eq!(
            (pool.len(), object.id, ledger.drops_of(id), pool.capacity()),
            (0, id, 0, 1)
        );
        object.check();
    }
    ledger.assert_settled();
}

fn a_default_pool_is_an_empty_one<A: Mode, L: Lock>() {
    let pool = FixedPool::<u8, A, L>::default();
    assert_eq!((pool.len(), pool.capacity()), (0, 0));
    let handle = pool.alloc(7);
    assert_eq!(A::read(&pool, &handle, |n| *n), 7);
}

fn handles_survive_a_move_of_the_pool<A: Mode, L: Lock>() {
    let mut left = pool::<i32, A, L>();
    let mut right = pool::<i32, A, L>();
    let (a, b) = (left.alloc(1), right.alloc(2));
    swap(&mut left, &mut right);
    assert!(left.owns(&b) && right.owns(&a) && !left.owns(&a) && !right.owns(&b));
    let moved = Box::new(left);
    assert_eq!(A::read(&moved, &b, |n| *n), 2);
    drop(b);
    assert_eq!((moved.len(), right.len()), (0, 1));
    drop(a);
}

fn debug_shows_figures_and_never_an_object<A: Mode, L: Lock>() {
    let pool = pool::<OnDrop, A, L>(); // not `Debug`
    let handles: Vec<_> = (0..37).map(|_| pool.alloc(OnDrop::nothing())).collect();
    let text = format!("{pool:?}");
    assert!(text.contains("37"), "{text}");
    assert!(text.contains(&pool.capacity().to_string()), "{text}");
    drop(handles);
}

fn stats_agree_with_the_counts<A: Mode, L: Lock>() {
    let pool = pool::<[u64; 8], A, L>();
    assert_eq!(pool.stats(), FixedStats::default());
    let handles: Vec<_> = (0..1000).map(|n| pool.alloc([n; 8])).collect();
    let stats = pool.stats();
    assert_eq!(
        (stats.live, stats.capacity, stats.deferred),
        (1000, pool.capacity(), 0)
    );
    assert!(stats.chunks > 0 && stats.reserved_bytes >= stats.capacity * 64);
    drop(handles);
    let mut empty = stats;
    empty.live = 0;
    assert_eq!(pool.stats(), empty);
}

fn a_forgotten_handle_is_still_an_object<A: Mode, L: Lock>() {
    let Some(_leaking) = leaking() else { return };
    let ledger = Ledger::default();
    let pool = pool::<_, A, L>();
    std::mem::forget(pool.alloc(ledger.make()));
    assert_eq!(pool.len(), 1);
    let mut seen = 0;
    let walked = A::walk(&pool, |object| {
        object.check();
        seen += 1;
    });
    assert_eq!(seen, usize::from(walked));
    drop(pool.alloc(ledger.make()));
    drop(pool);
    assert_eq!((ledger.drops_of(0), ledger.drops_of(1)), (0, 1));
}

fn alloc_with_runs_its_constructor_once<A: Mode, L: Lock>() {
    let pool = A::builder::<_, L>().limit(2).build();
    let mut runs = 0;
    let a = pool.alloc_with(|| {
        runs += 1;
        String::from("a")
    });
    let b = pool
        .try_alloc_with(|| {
            runs += 1;
            String::from("b")
        })
        .unwrap();
    let text = |handle| A::read(&pool, handle, String::clone);
    assert_eq!((text(&a), text(&b), runs), ("a".into(), "b".into(), 2));
    let refused = pool.try_alloc_with(|| unreachable!("no slot is free"));
    assert!(refused.is_err());
    let message = panic_message(|| pool.alloc_with(|| unreachable!("no slot is free")));
    assert!(message.contains("limit of 2"), "{message}");
}

fn the_slot_freed_last_is_used_again<A: Mode, L: Lock>() {
    let pool = pool::<u64, A, L>();
    let mut handles: Vec<_> = (0..20).map(|n| pool.alloc(n)).collect();
    let handle = handles.swap_remove(7);
    let address = mem_pool::PoolBox::as_ptr(&handle);
    drop(handle);
    assert_eq!(mem_pool::PoolBox::as_ptr(&pool.alloc(0)), address);
}

#[test]
fn constructors_choose_the_access() {
    let _: FixedPool<u8, Shared, Locked> = mem_pool::FixedPool::new();
    let _: FixedPool<u8, Unique, Locked> = mem_pool::FixedPool::unique();
    let _: FixedPool<u8, Keyed, Locked> = mem_pool::FixedPool::keyed();
    let _: FixedPool<u8, Shared, Unlocked> = mem_pool::local::FixedPool::new();
    let _: FixedPool<u8, Unique, Unlocked> = mem_pool::local::FixedPool::unique();
    let _: FixedPool<u8, Keyed, Unlocked> = mem_pool::local::FixedPool::keyed();
    let _: mem_pool::local::PoolBox<u8> = mem_pool::local::FixedPool::new().alloc(1);
    let _: mem_pool::PoolBox<u8, Keyed> = mem_pool::FixedPool::keyed().alloc(1);
    let _: mem_pool::FixedPool<u8> = mem_pool::FixedPool::builder().build();
    let _: mem_pool::FixedPool<u8, Unique> = mem_pool::FixedPool::builder().unique().build();
}

#[test]
fn a_pool_can_be_built_in_a_constant() {
    const fn empty() -> mem_pool::FixedPool<String, Keyed> {
        mem_pool::FixedPool::builder()
            .growth(10)
            .limit(100)
            .keep_empty(1)
            .keyed()
            .build()
    }
    static POOL: mem_pool::FixedPool<String, Keyed> = empty();
    static PLAIN: mem_pool::FixedPool<u8> = mem_pool::FixedPool::new();
    let (a, b) = (POOL.alloc("a".into()), PLAIN.alloc(1));
    assert_eq!((POOL.capacity(), *b, &**POOL.at(&a)), (10, 1, "a"));
    const { assert!(size_of::<mem_pool::FixedPool<[u8; 1 << 20]>>() <= 128) };
}

#[test]
fn a_builder_can_be_used_twice() {
    let builder: mem_pool::FixedPoolBuilder<u8> = mem_pool::FixedPool::builder().limit(1);
    for pool in [builder.clone().build(), builder.build()] {
        let _only = pool.alloc(1);
        assert!(pool.try_alloc(2).is_err());
    }
}
