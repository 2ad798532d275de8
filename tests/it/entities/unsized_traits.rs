//! What trait-object handles can do: be called, iterated, polled, compared, printed, downcast, sent.

use std::any::Any;
use std::cell::Cell;
use std::collections::HashSet;
use std::error::Error;
use std::fmt::{Debug, Display};
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use mem_pool::{FixedPool, Keyed, PoolBox, Shared, Unique, local, unsize};

use crate::support::{Ledger, Tracked, watchdog};

#[test]
fn any_is_downcast_to_its_own_type_only() {
    let numbers = FixedPool::new();
    let texts = FixedPool::new();
    let things: [PoolBox<dyn Any + Send + Sync>; 2] = [
        unsize!(numbers.alloc(5_i32) => dyn Any + Send + Sync),
        unsize!(texts.alloc("five") => dyn Any + Send + Sync),
    ];
    assert_eq!(things[0].downcast_ref::<i32>(), Some(&5));
    assert_eq!(things[1].downcast_ref::<&str>(), Some(&"five"));
    assert!(things.iter().all(|thing| !thing.is::<u32>()));
    let unique = FixedPool::unique();
    let mut thing = unsize!(unique.alloc(1_u8) => dyn Any);
    *thing.downcast_mut::<u8>().unwrap() += 1;
    assert_eq!(thing.downcast_ref::<u8>(), Some(&2));
}

#[test]
fn a_handle_of_any_becomes_one_of_its_own_type() {
    let ledger = Ledger::default();
    let unique = FixedPool::unique();
    let thing: PoolBox<dyn Any, Unique> = unsize!(unique.alloc(ledger.make()) => dyn Any);
    let thing = PoolBox::downcast::<u32>(thing).unwrap_err();
    assert_eq!((unique.len(), ledger.dropped()), (1, 0));
    let tracked: PoolBox<Tracked, Unique> = PoolBox::downcast(thing).unwrap();
    tracked.check();
    drop(unique);
    drop(PoolBox::into_inner(tracked));
    ledger.assert_settled();

    let shared = FixedPool::new();
    let thing = unsize!(shared.alloc(5_i32) => dyn Any + Send + Sync);
    let number = PoolBox::downcast::<i32>(thing).unwrap();
    assert!(shared.hold().get(&number) == Some(&5) && shared.owns(&number));
    assert_eq!(PoolBox::try_into_inner(number), Ok(5));

    let local = local::FixedPool::unique();
    let thing = unsize!(local.alloc(Cell::new(7)) => dyn Any + Send);
    let thing = PoolBox::downcast::<i32>(thing).err().unwrap();
    let cell: local::PoolBox<Cell<i32>, Unique> = PoolBox::downcast(thing).ok().unwrap();
    assert_eq!((cell.get(), local.len()), (7, 1));
    // What has no size is no danger: every address will do.
    let nothing = FixedPool::new();
    let thing = unsize!(nothing.alloc(()) => dyn Any);
    assert!(PoolBox::downcast::<()>(thing).is_ok() && nothing.is_empty());
}

#[test]
fn errors_are_errors() {
    fn fail(pool: &FixedPool<io::Error>) -> Result<(), PoolBox<dyn Error>> {
        Err(unsize!(pool.alloc(io::Error::other("inner")) => dyn Error))
    }
    fn boxed(pool: &FixedPool<io::Error>) -> Result<(), Box<dyn Error>> {
        fail(pool).map_err(|error| error.to_string())?;
        Ok(())
    }
    let pool = FixedPool::new();
    let error = fail(&pool).unwrap_err();
    assert_eq!((error.to_string(), pool.len()), ("inner".into(), 1));
    assert!(error.downcast_ref::<io::Error>().is_some());
    let dynamic: &dyn Error = &*error;
    assert!(dynamic.source().is_none());
    assert_eq!(boxed(&pool).unwrap_err().to_string(), "inner");

    #[derive(Debug)]
    struct Outer(PoolBox<dyn Error>);
    impl Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("outer")
        }
    }
    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&*self.0)
        }
    }
    let outers = FixedPool::new();
    let chain: PoolBox<dyn Error> = unsize!(outers.alloc(Outer(error)) => dyn Error);
    // The handle itself is an error, and has the source of its object.
    fn source_of(error: &(impl Error + ?Sized)) -> String {
        error.source().unwrap().to_string()
    }
    assert_eq!(source_of(&chain), "inner");
    drop(chain);
    assert_eq!(pool.len(), 0);
}

#[test]
fn what_derefs_prints_and_compares_as_its_object() {
    let texts = FixedPool::new();
    let numbers = FixedPool::unique();
    let shown: PoolBox<dyn Display> = unsize!(texts.alloc("text") => dyn Display);
    let debugged: PoolBox<dyn Debug, Unique> = unsize!(numbers.alloc([1, 2]) => dyn Debug);
    assert_eq!(format!("{shown:>6} {debugged:?}"), "  text [1, 2]");
    let slices = FixedPool::unique();
    let longer = FixedPool::unique();
    let a = unsize!(slices.alloc([1, 2, 3]) => [u8]);
    let b = unsize!(longer.alloc([1, 2, 3, 4]) => [u8]);
    assert!(a < b && a != b && *a == [1, 2, 3] && AsRef::<[u8]>::as_ref(&b).len() == 4);
    let set = HashSet::from([a, b]);
    assert!(set.contains(&[1, 2, 3, 4][..]) && !set.contains(&[4][..]));
    struct Sum(u64);
    impl Hasher for Sum {
        fn finish(&self) -> u64 {
            self.0
        }
        fn write(&mut self, bytes: &[u8]) {
            self.0 += bytes.iter().map(|b| u64::from(*b)).sum::<u64>();
        }
    }
    let hashers = FixedPool::unique();
    let mut hasher = unsize!(hashers.alloc(Sum(0)) => dyn Hasher);
    7_u8.hash(&mut &mut *hasher);
    assert_eq!(hasher.finish(), 7);
}

#[test]
fn slices_are_written_through_unique_handles() {
    let pool = FixedPool::unique();
    let mut slice: PoolBox<[String], Unique> =
        unsize!(pool.alloc(["b", "a"].map(String::from)) => [String]);
    slice.sort();
    slice[1].push('c');
    assert_eq!(*slice, ["a", "bc"]);
    let shared = FixedPool::new();
    let slice = unsize!(shared.alloc([1, 2, 3]) => [i32]);
    let mut seen = Vec::new();
    shared.for_each(|array| seen.extend(array));
    assert_eq!((seen.as_slice(), slice.len()), (&*slice, 3));
}

#[test]
fn iterators_iterate() {
    let ranges = FixedPool::unique();
    let chars = FixedPool::unique();
    let mut numbers: PoolBox<dyn Iterator<Item = u32>, Unique> =
        unsize!(ranges.alloc(1..5) => dyn Iterator<Item = u32>);
    assert_eq!(
        (numbers.size_hint(), numbers.nth(1)),
        ((4, Some(4)), Some(2))
    );
    assert!(numbers.by_ref().map(|n| n * 2).eq([6, 8]));
    let letters: PoolBox<dyn DoubleEndedIterator<Item = char>, Unique> =
        unsize!(chars.alloc("abc".chars()) => dyn DoubleEndedIterator<Item = char>);
    assert_eq!(letters.rev().collect::<String>(), "cba");
    let exact: PoolBox<dyn ExactSizeIterator<Item = u32>, Unique> =
        unsize!(ranges.alloc(0..9) => dyn ExactSizeIterator<Item = u32>);
    assert_eq!(exact.len(), 9);
    drop((numbers, exact));
    assert_eq!((ranges.len(), chars.len()), (0, 0));
}

#[test]
fn closures_are_called() {
    let pool = FixedPool::unique();
    let total = Arc::new(AtomicUsize::new(0));
    let add = |n: usize| {
        let total = total.clone();
        move || {
            total.fetch_add(n, Ordering::Relaxed);
        }
    };
    let mut jobs: Vec<PoolBox<dyn FnMut() + Send, Unique>> = Vec::new();
    for n in 0..10 {
        jobs.push(unsize!(pool.alloc(add(n)) => dyn FnMut() + Send));
    }
    thread::scope(|scope| {
        for mut job in jobs {
            scope.spawn(move || {
                job();
                job();
            });
        }
    });
    assert_eq!((total.load(Ordering::Relaxed), pool.len()), (90, 0));
    let shared = local::FixedPool::new();
    let constant: local::PoolBox<dyn Fn() -> u8> = unsize!(shared.alloc(|| 7) => dyn Fn() -> u8);
    assert_eq!((constant(), constant()), (7, 7));
    let text = String::from("moved");
    let once = FixedPool::unique();
    let closure = once.alloc(move || text);
    assert_eq!(PoolBox::into_inner(closure)(), "moved");
}

#[test]
fn readers_and_writers_read_and_write() {
    let readers = FixedPool::unique();
    let writers = FixedPool::unique();
    let mut reader = unsize!(readers.alloc(io::repeat(7).take(3)) => dyn Read);
    let mut writer = unsize!(writers.alloc(Vec::new()) => dyn Write);
    assert_eq!(io::copy(&mut *reader, &mut *writer).unwrap(), 3);
    writer.flush().unwrap();
    // The handles themselves are a reader and a writer.
    let reader = unsize!(readers.alloc(io::repeat(b'a').take(3)) => dyn Read);
    assert_eq!(io::read_to_string(reader).unwrap(), "aaa");
    let mut writer = io::BufWriter::new(writer);
    write!(writer, "{}", 7).unwrap();
    assert!(writer.into_inner().is_ok());
}

#[test]
fn objects_behind_unsized_handles_cross_threads() {
    trait Work: Send + Sync {
        fn run(&self) -> usize;
    }
    struct Sum(Vec<usize>);
    impl Work for Sum {
        fn run(&self) -> usize {
            self.0.iter().sum()
        }
    }
    let pool = FixedPool::new();
    let jobs: Vec<PoolBox<dyn Work>> = (0..8)
        .map(|n| unsize!(pool.alloc(Sum(vec![n; 10])) => dyn Work))
        .collect();
    let keyed = FixedPool::keyed();
    let key: PoolBox<dyn Work, Keyed> = unsize!(keyed.alloc(Sum(vec![1])) => dyn Work);
    let sum: usize = thread::scope(|scope| {
        scope.spawn(move || drop(key));
        let threads: Vec<_> = jobs
            .into_iter()
            .map(|job| scope.spawn(move || job.run()))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert_eq!((sum, pool.len(), keyed.len()), (280, 0, 0));
}

#[test]
fn generic_code_unsizes_for_any_lifetime() {
    trait Name {
        fn name(&self) -> &str;
    }
    struct Borrowed<'a>(&'a str);
    impl Name for Borrowed<'_> {
        fn name(&self) -> &str {
            self.0
        }
    }
    fn name<'a, T: Name + 'a>(handle: PoolBox<T, Shared>) -> PoolBox<dyn Name + 'a> {
        unsize!(handle => dyn Name + 'a)
    }
    let text = String::from("short-lived");
    let pool = FixedPool::new();
    let named = name(pool.alloc(Borrowed(&text)));
    assert_eq!(named.name(), "short-lived");
}

type Task = Pin<PoolBox<dyn Future<Output = ()> + Send, Unique>>;

/// A small executor: tasks that are ready stand in a channel.
struct Spawned {
    task: Mutex<Option<Task>>,
    ready: SyncSender<Arc<Spawned>>,
}

impl Wake for Spawned {
    fn wake(self: Arc<Self>) {
        let ready = self.ready.clone();
        let _ = ready.send(self);
    }
}

fn spawn(
    ready: &SyncSender<Arc<Spawned>>,
    future: PoolBox<dyn Future<Output = ()> + Send, Unique>,
) {
    let task = Mutex::new(Some(PoolBox::into_pin(future)));
    let _ = ready.send(Arc::new(Spawned {
        task,
        ready: ready.clone(),
    }));
}

/// Runs tasks until nothing can wake one any more.
fn run(tasks: &Receiver<Arc<Spawned>>) {
    while let Ok(spawned) = tasks.recv() {
        let mut task = spawned.task.lock().unwrap();
        let waker = Waker::from(spawned.clone());
        if let Some(running) = task.as_mut() {
            if running
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_ready()
            {
                *task = None;
            }
        }
    }
}

/// Pending the first `0` times.
struct Yield(u32);

impl Future for Yield {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

#[test]
fn futures_are_spawned() {
    let _watchdog = watchdog();
    let ledger = Ledger::default();
    let pool = FixedPool::unique();
    let others = FixedPool::unique();
    let done = Arc::new(AtomicUsize::new(0));
    let (ready, tasks) = sync_channel(1000);
    let work = |yields: u32| {
        let (body, done) = (ledger.make(), done.clone());
        async move {
            for _ in 0..yields {
                Yield(1).await;
                body.check(); // it has not moved, nor has what it borrows
            }
            done.fetch_add(1, Ordering::Relaxed);
        }
    };
    for yields in 0..50 {
        spawn(
            &ready,
            unsize!(pool.alloc(work(yields)) => dyn Future<Output = ()> + Send),
        );
    }
    spawn(
        &ready,
        unsize!(others.alloc(Yield(3)) => dyn Future<Output = ()> + Send),
    );
    drop((ready, others)); // tasks outlive a pool
    thread::scope(|scope| {
        scope.spawn(move || run(&tasks));
    });
    assert_eq!((done.load(Ordering::Relaxed), pool.len()), (50, 0));
    ledger.assert_settled();
}

#[test]
fn unpin_futures_are_polled_through_the_handle() {
    let pool = FixedPool::unique();
    let mut future: PoolBox<dyn Future<Output = ()> + Unpin, Unique> =
        unsize!(pool.alloc(Yield(1)) => dyn Future<Output = ()> + Unpin);
    let mut context = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut future).poll(&mut context).is_pending());
    assert!(Pin::new(&mut future).poll(&mut context).is_ready());
    // A future that is dropped half-way ends as any other object.
    let ledger = Ledger::default();
    let (body, pool) = (ledger.make(), FixedPool::unique());
    let half: Pin<PoolBox<dyn Future<Output = ()>, Unique>> =
        PoolBox::into_pin(unsize!(pool.alloc(async move {
        Yield(9).await;
        drop(body);
    }) => dyn Future<Output = ()>));
    let mut half = half;
    assert!(half.as_mut().poll(&mut context).is_pending());
    drop(half);
    ledger.assert_settled();
    assert_eq!(pool.len(), 0);
}
