//! Walks while other threads drop and make objects, step by step.

use std::cell::Cell;
use std::sync::Barrier;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, ThreadId};

use mem_pool::generic::FixedPool;
use mem_pool::{Locked, PoolBox};

use super::shared_by_threads;
use crate::support::{Ledger, Tracked, Walked};

shared_by_threads! {
    a_drop_on_another_thread_leaves_the_reference_valid: shared Shared, keyed Keyed;
    what_another_thread_dropped_before_its_turn_is_not_visited: shared Shared, keyed Keyed;
    a_deferred_destructor_runs_on_the_thread_of_the_last_walk: shared Shared, keyed Keyed;
    overlapping_walks_cannot_starve_a_destructor: shared Shared, keyed Keyed;
    a_busy_object_is_not_moved_out_by_another_thread: shared Shared, keyed Keyed;
    what_another_thread_is_destroying_is_not_visited: shared Shared, keyed Keyed;
    an_unfinished_object_is_not_visited: shared Shared, keyed Keyed;
    a_pool_wide_shrink_spares_what_another_thread_walks: shared Shared, keyed Keyed;
}

/// Does what it is sent, and says when it is done.
struct Helper<'s> {
    jobs: Sender<Box<dyn FnOnce() + Send + 's>>,
    done: Receiver<()>,
}

impl<'s> Helper<'s> {
    fn new<'e>(scope: &'s thread::Scope<'s, 'e>) -> Self {
        let (jobs, todo) = channel::<Box<dyn FnOnce() + Send + 's>>();
        let (finished, done) = channel();
        scope.spawn(move || {
            for job in todo {
                job();
                let _ = finished.send(());
            }
        });
        Self { jobs, done }
    }

    fn run(&self, job: impl FnOnce() + Send + 's) {
        self.jobs.send(Box::new(job)).unwrap();
        self.done.recv().unwrap();
    }
}

fn a_drop_on_another_thread_leaves_the_reference_valid<A: Walked>()
where
    PoolBox<Tracked, A>: Send,
{
    let ledger = Ledger::default();
    let pool: FixedPool<_, A, Locked> = A::builder().build();
    let handles: Vec<_> = (0..100)
        .map(|_| Cell::new(Some(pool.alloc(ledger.make()))))
        .collect();
    thread::scope(|scope| {
        let helper = Helper::new(scope);
        pool.for_each(|object| {
            let handle = handles[object.id].take();
            helper.run(move || drop(handle)); // returns at once
            assert_eq!(ledger.drops_of(object.id), 0);
            object.check();
        });
    });
    assert_eq!((pool.len(), pool.stats().deferred), (0, 0));
    ledger.assert_settled();
}

fn what_another_thread_dropped_before_its_turn_is_not_visited<A: Walked>()
where
    PoolBox<Tracked, A>: Send,
{
    let ledger = Ledger::default();
    let pool: FixedPool<_, A, Locked> = A::builder().build();
    let handles: Vec<_> = (0..200)
        .map(|_| Cell::new(Some(pool.alloc(ledger.make()))))
        .collect();
    let mut visited = Vec::new();
    thread::scope(|scope| {
        let helper = Helper::new(scope);
        pool.for_each(|object| {
            visited.push(object.id);
            let other = handles[199 - object.id].take();
            helper.run(move || drop(other));
            object.check();
        });
    });
    assert_eq!(visited.len(), 100, "one of each pair");
    assert!(visited.iter().all(|id| !visited.contains(&(199 - id))));
}

/// Remembers which thread destroyed it.
pub struct Witness(pub Sender<ThreadId>);

impl Drop for Witness {
    fn drop(&mut self) {
        self.0.send(thread::current().id()).unwrap();
    }
}

/// A thread that walks a pool and stays with the first object until it is told to go on.
pub struct Walker<'s> {
    go_on: Sender<()>,
    thread: thread::ScopedJoinHandle<'s, ()>,
}

impl<'s> Walker<'s> {
    /// Returns when the walk is inside of the first group.
    pub fn enter<'e, T: Send + Sync, A: Walked>(
        scope: &'s thread::Scope<'s, 'e>,
        pool: &'s FixedPool<T, A, Locked>,
    ) -> Self
    where
        FixedPool<T, A, Locked>: Sync,
    {
        let (entered, inside) = channel();
        let (go_on, told) = channel();
        let thread = scope.spawn(move || {
            let mut first = true;
            pool.for_each(|_| {
                if std::mem::take(&mut first) {
                    entered.send(()).unwrap();
                    told.recv().unwrap();
                }
            });
        });
        inside.recv().unwrap();
        Self { go_on, thread }
    }

    pub fn id(&self) -> ThreadId {
        self.thread.thread().id()
    }

    pub fn leave(self) {
        self.go_on.send(()).unwrap();
        self.thread.join().unwrap();
    }
}

fn a_deferred_destructor_runs_on_the_thread_of_the_last_walk<A: Walked>()
where
    FixedPool<Witness, A, Locked>: Sync,
{
    for first_leaves_first in [true, false] {
        let (sender, destroyed) = channel();
        let pool: FixedPool<_, A, Locked> = A::builder().build();
        let handle = pool.alloc(Witness(sender));
        thread::scope(|scope| {
            let mut walkers = vec![Walker::enter(scope, &pool), Walker::enter(scope, &pool)];
            drop(handle);
            assert_eq!((pool.len(), pool.stats().deferred), (0, 1));
            if first_leaves_first {
                walkers.reverse();
            }
            let last = walkers.swap_remove(0);
            walkers.pop().unwrap().leave();
            assert!(destroyed.try_recv().is_err(), "one walk is still inside");
            let id = last.id();
            last.leave();
            assert_eq!(destroyed.try_recv(), Ok(id));
        });
        assert_eq!(pool.stats().deferred, 0);
    }
}

/// Each walk begins before the one before it ends: the group is never without one.
fn overlapping_walks_cannot_starve_a_destructor<A: Walked>()
where
    FixedPool<Witness, A, Locked>: Sync,
{
    let pool: FixedPool<_, A, Locked> = A::builder().build();
    let (sender, neighbours_end) = channel();
    let _neighbour = pool.alloc(Witness(sender)); // gives later walks an object to stay with
    let mut pending: Vec<Receiver<ThreadId>> = Vec::new();
    thread::scope(|scope| {
        let mut inside = Walker::enter(scope, &pool);
        for _ in 0..20 {
            let (sender, destroyed) = channel();
            drop(pool.alloc(Witness(sender)));
            pending.push(destroyed);
            let next = Walker::enter(scope, &pool);
            std::mem::replace(&mut inside, next).leave();
            pending.retain(|destroyed| destroyed.try_recv().is_err());
            assert!(pending.len() <= 2, "later walks put destructors off");
        }
        inside.leave();
    });
    assert!(pending.iter().all(|destroyed| destroyed.try_recv().is_ok()));
    assert_eq!((pool.len(), pool.stats().deferred), (1, 0));
    assert!(neighbours_end.try_recv().is_err());
}

fn a_busy_object_is_not_moved_out_by_another_thread<A: Walked>()
where
    PoolBox<Tracked, A>: Send,
    FixedPool<Tracked, A, Locked>: Sync,
{
    let ledger = Ledger::default();
    let pool: FixedPool<_, A, Locked> = A::builder().build();
    let handle = pool.alloc(ledger.make());
    let object = thread::scope(|scope| {
        let walker = Walker::enter(scope, &pool);
        let handle = PoolBox::try_into_inner(handle)
            .err()
            .expect("a walk is inside");
        walker.leave();
        PoolBox::try_into_inner(handle)
            .ok()
            .expect("no walk is inside")
    });
    object.check();
    drop(object);
    ledger.assert_settled();
}

fn an_unfinished_object_is_not_visited<A: Walked>()
where
    FixedPool<u64, A, Locked>: Sync,
    PoolBox<u64, A>: Send,
{
    let pool: FixedPool<_, A, Locked> = A::builder().build();
    let _neighbours: Vec<_> = (0..10).map(|_| pool.alloc(1)).collect();
    let step = Barrier::new(2);
    thread::scope(|scope| {
        let slow = scope.spawn(|| {
            let handle = pool.alloc_with(|| {
                step.wait(); // the constructor has begun
                step.wait(); // the walk is over
                2
            });
            step.wait(); // the object is there
            handle
        });
        step.wait();
        assert_eq!(
            (crate::support::walked(&pool), pool.len()),
            (vec![1; 10], 10)
        );
        step.wait();
        step.wait();
        assert_eq!(crate::support::walked(&pool).iter().sum::<u64>(), 12);
        drop(slow.join().unwrap());
    });
}

/// One of these has a destructor that takes as long as others let it.
struct Slow<'b> {
    id: usize,
    slow: &'b AtomicUsize,
    step: &'b Barrier,
}

impl Drop for Slow<'_> {
    fn drop(&mut self) {
        if self.id == self.slow.load(Relaxed) {
            self.step.wait(); // the destructor has begun
            self.step.wait(); // the walk is over
        }
    }
}

fn what_another_thread_is_destroying_is_not_visited<A: Walked>()
where
    for<'b> FixedPool<Slow<'b>, A, Locked>: Sync,
    for<'b> PoolBox<Slow<'b>, A>: Send,
{
    for begins_before_the_walk in [true, false] {
        let (step, slow) = (&Barrier::new(2), &AtomicUsize::new(usize::MAX));
        let pool: FixedPool<_, A, Locked> = A::builder().build();
        let mut handles: Vec<_> = (0..200)
            .map(|id| Some(pool.alloc(Slow { id, slow, step })))
            .collect();
        // The last one is in another group than the first.
        pool.for_each(|object| slow.store(object.id, Relaxed));
        let id = slow.load(Relaxed);
        let handle = Cell::new(handles[id].take());
        let mut visited = Vec::new();
        thread::scope(|scope| {
            let begin = || {
                if let Some(handle) = handle.take() {
                    scope.spawn(move || drop(handle));
                    step.wait();
                }
            };
            if begins_before_the_walk {
                begin();
            }
            pool.for_each(|object| {
                begin();
                visited.push(object.id);
            });
            step.wait();
        });
        visited.sort_unstable();
        let others: Vec<_> = (0..200).filter(|&other| other != id).collect();
        assert_eq!(visited, others);
    }
}

fn a_pool_wide_shrink_spares_what_another_thread_walks<A: Walked>()
where
    FixedPool<Tracked, A, Locked>: Sync,
{
    let ledger = Ledger::default();
    let pool: FixedPool<_, A, Locked> = A::builder().keep_empty(0).build();
    let handles: Vec<_> = (0..100).map(|_| pool.alloc(ledger.make())).collect();
    thread::scope(|scope| {
        let walker = Walker::enter(scope, &pool);
        drop(handles);
        pool.shrink_to_fit();
        assert!(pool.capacity() > 0 && pool.stats().deferred > 0);
        walker.leave();
    });
    assert_eq!((pool.capacity(), pool.stats().deferred), (0, 0));
    ledger.assert_settled();
}
