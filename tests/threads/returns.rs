//! What threads give back that did not take it: through an inbox that holds 512 slots, unless somebody may be looking.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use mem_pool::{FixedPool, PoolBox, Unique};
use rstest::rstest;

use super::shared_by_threads;
use crate::support::{Ledger, Mode, Tracked, Walked, watchdog};

shared_by_threads! {
    what_was_given_back_is_free: shared Shared, unique Unique, keyed Keyed;
    at_the_limit_each_is_found: shared Shared, unique Unique, keyed Keyed;
    wholly_free_chunks_go_back_at_once: shared Shared, unique Unique, keyed Keyed;
    nothing_stays_with_a_pool_that_is_gone: shared Shared, unique Unique, keyed Keyed;
    a_heap_map_shows_it_free: shared Shared, unique Unique, keyed Keyed;
    a_destructor_may_panic: shared Shared, unique Unique, keyed Keyed;
    a_destructor_may_use_the_pool: shared Shared, unique Unique, keyed Keyed;
    a_walk_sees_what_is_made_in_its_place: shared Shared, keyed Keyed;
    what_was_put_off_is_given_back: shared Shared, keyed Keyed;
}

type Handles<A, T = Tracked> = Vec<PoolBox<T, A>>;

fn made<A: Mode>(pool: &FixedPool<Tracked, A>, ledger: &Ledger, count: usize) -> Handles<A> {
    (0..count).map(|_| pool.alloc(ledger.make())).collect()
}

fn drop_elsewhere<T: Sync, A: Mode>(handles: Handles<A, T>)
where
    PoolBox<T, A>: Send,
{
    thread::scope(|scope| scope.spawn(|| drop(handles)).join().unwrap());
}

fn take_elsewhere(handles: Handles<Unique>) {
    let taken = thread::spawn(|| handles.into_iter().map(PoolBox::into_inner).count());
    taken.join().unwrap();
}

fn what_was_given_back_is_free<A: Mode>()
where
    PoolBox<Tracked, A>: Send,
{
    for count in [1, 64, 65, 511, 512, 513, 2000] {
        is_free_again::<A>(count, drop_elsewhere);
    }
}

#[rstest]
fn what_was_taken_out_is_free(#[values(1, 64, 65, 511, 512, 513, 2000)] count: usize) {
    let _watchdog = watchdog();
    is_free_again(count, take_elsewhere);
}

fn is_free_again<A: Mode>(count: usize, give_back: fn(Handles<A>)) {
    let ledger = Ledger::default();
    let pool: FixedPool<Tracked, A> = A::builder().build();
    give_back(made(&pool, &ledger, count));
    ledger.assert_settled();
    assert_eq!((pool.len(), pool.stats().live), (0, 0));
    let capacity = pool.capacity();
    pool.reserve(count);
    assert_eq!(pool.capacity(), capacity, "as many slots are free");
    let again = made(&pool, &ledger, count);
    assert_eq!((pool.len(), pool.capacity()), (count, capacity));
    give_back(again);
    assert!(pool.shrink_to_fit() > 0);
    assert_eq!(pool.stats().reserved_bytes, 0);
    ledger.assert_settled();
}

fn at_the_limit_each_is_found<A: Mode>()
where
    FixedPool<Tracked, A>: Sync,
    PoolBox<Tracked, A>: Send,
{
    for limit in [1, 65, 512, 1000] {
        let ledger = Ledger::default();
        let pool: FixedPool<Tracked, A> = A::builder().limit(limit).build();
        for _ in 0..3 {
            let handles = made(&pool, &ledger, limit);
            assert!(pool.try_alloc(ledger.make()).is_err());
            drop_elsewhere(handles);
            // Any thread finds them, not only the one whose shard they are in.
            thread::scope(|scope| {
                let other = scope.spawn(|| made(&pool, &ledger, limit).len());
                assert_eq!(other.join().unwrap(), limit);
            });
        }
        ledger.assert_settled();
    }
}

/// A pool that gives chunks back at once has no inbox: a slot in there would keep its chunk.
fn wholly_free_chunks_go_back_at_once<A: Mode>()
where
    PoolBox<Tracked, A>: Send,
{
    for kept in [0, 1] {
        goes_back_at_once::<A>(kept, drop_elsewhere);
    }
}

#[rstest]
fn chunks_go_back_at_once_when_all_is_taken_out(#[values(0, 1)] kept: usize) {
    let _watchdog = watchdog();
    goes_back_at_once(kept, take_elsewhere);
}

fn goes_back_at_once<A: Mode>(kept: usize, give_back: fn(Handles<A>)) {
    let ledger = Ledger::default();
    let builder = A::builder().growth(100).keep_empty(kept);
    let pool: FixedPool<Tracked, A> = builder.build();
    give_back(made(&pool, &ledger, 1000));
    ledger.assert_settled();
    assert_eq!((pool.len(), pool.capacity()), (0, 100 * kept));
}

fn nothing_stays_with_a_pool_that_is_gone<A: Mode>()
where
    PoolBox<Tracked, A>: Send,
{
    for before in [1, 64, 600] {
        for after in [0, 1, 512, 600] {
            let ledger = Ledger::default();
            let pool: FixedPool<Tracked, A> = A::builder().build();
            let (early, late) = (made(&pool, &ledger, before), made(&pool, &ledger, after));
            drop_elsewhere(early);
            drop(pool);
            drop_elsewhere(late);
            ledger.assert_settled();
        }
    }
}

fn a_heap_map_shows_it_free<A: Mode>()
where
    PoolBox<Tracked, A>: Send,
{
    let ledger = Ledger::default();
    let pool: FixedPool<Tracked, A> = A::builder().build();
    let kept = made(&pool, &ledger, 1);
    drop(made(&pool, &ledger, 50));
    let here = pool.heap_map().to_json();
    let handles = made(&pool, &ledger, 50);
    assert_ne!(pool.heap_map().to_json(), here);
    drop_elsewhere(handles);
    assert_eq!(pool.heap_map().to_json(), here);
    drop(kept);
}

/// Does something when it is dropped.
struct Doing<F: FnMut()>(F);

impl<F: FnMut()> Drop for Doing<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn a_destructor_may_panic<A: Mode>()
where
    PoolBox<Doing<fn()>, A>: Send,
{
    let pool: FixedPool<Doing<fn()>, A> = A::builder().limit(70).build();
    for _ in 0..10 {
        let fill = || (0..70).map(|_| pool.alloc(Doing(|| panic!("as it must"))));
        let handles: Vec<_> = fill().collect();
        assert!(pool.try_alloc(Doing(|| ())).is_err());
        thread::scope(|scope| {
            let dropper = scope.spawn(|| {
                for handle in handles {
                    let dropped = catch_unwind(AssertUnwindSafe(|| drop(handle)));
                    assert!(dropped.is_err());
                }
            });
            dropper.join().unwrap();
        });
        assert_eq!(pool.len(), 0);
    }
}

/// The object that is dropped elsewhere makes and drops another, and gives memory back.
fn a_destructor_may_use_the_pool<A: Mode>()
where
    FixedPool<Nested<A>, A>: Send + Sync,
    PoolBox<Nested<A>, A>: Send,
    Nested<A>: Sync,
{
    let pool: Arc<FixedPool<Nested<A>, A>> = Arc::new(A::builder().build());
    let made = |_| {
        let its = Some(Arc::clone(&pool));
        pool.alloc(Nested(its))
    };
    drop_elsewhere((0..1000).map(made).collect::<Vec<_>>());
    assert_eq!((pool.len(), Arc::strong_count(&pool)), (0, 1));
    pool.shrink_to_fit();
    assert_eq!(pool.stats().reserved_bytes, 0);
}

struct Nested<A: Mode>(Option<Arc<FixedPool<Nested<A>, A>>>);

impl<A: Mode> Drop for Nested<A> {
    fn drop(&mut self) {
        if let Some(pool) = self.0.take() {
            drop(pool.alloc(Nested(None)));
            pool.shrink_to_fit();
        }
    }
}

/// A slot that another thread has given back is no longer marked: whatever is made there is seen.
fn a_walk_sees_what_is_made_in_its_place<A: Walked>()
where
    PoolBox<Tracked, A>: Send,
{
    let ledger = Ledger::default();
    let pool: FixedPool<Tracked, A> = A::builder().build();
    for count in [1, 64, 65, 600] {
        drop_elsewhere(made(&pool, &ledger, count));
        let again = made(&pool, &ledger, count);
        let mut seen = 0;
        pool.for_each(|object| {
            object.check();
            seen += 1;
        });
        assert_eq!((seen, pool.hold().iter().count()), (count, count));
        drop(again);
    }
}

/// What is dropped while somebody may be looking takes the lock, and is free when they have gone.
fn what_was_put_off_is_given_back<A: Walked>()
where
    FixedPool<Tracked, A>: Sync,
    PoolBox<Tracked, A>: Send,
    Tracked: Sync,
{
    let ledger = Ledger::default();
    let pool: FixedPool<Tracked, A> = A::builder().limit(100).build();
    let (handles, late) = (made(&pool, &ledger, 50), made(&pool, &ledger, 50));
    let (mut handles, mut left) = (Some(handles), 0);
    pool.for_each(|object| {
        if let Some(handles) = handles.take() {
            drop_elsewhere(handles);
            assert_eq!(pool.len(), 50);
        }
        object.check();
        left += 1;
    });
    assert!(left <= 51);
    let hold = pool.hold();
    let held: Vec<&Tracked> = hold.iter().collect();
    drop_elsewhere(late);
    assert_eq!((pool.len(), pool.stats().deferred), (0, 50));
    held.iter().for_each(|object| object.check());
    drop(hold);
    ledger.assert_settled();
    let again = made(&pool, &ledger, 100);
    let mut seen = 0;
    pool.for_each(|_| seen += 1);
    assert_eq!(seen, again.len());
    drop(again);
    ledger.assert_settled();
}
