//! Eight threads that do everything at once, for a long time.
//!
//! `MEM_POOL_STRESS_CYCLES` says how many objects each test makes: a million if it is not set. Each object carries the stamp of
//! its owner, at both ends, and enters it in a table under its address, from which its destructor takes it: so two owners of
//! one slot, a torn object and a destructor that ran twice or never are found. The table knows only relaxed atomics, that its
//! own order does not hide a race from a sanitizer.

use std::hint::black_box;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;

use fastrand::Rng;
use mem_pool::generic::FixedPool;
use mem_pool::{
    Access, Keyed, Locked, PoolBox, PoolBytes, Shared, ThroughPool, Unique, VariadicPool, WeakKey,
};

const THREADS: usize = 8;

/// Each round has a pool of its own.
const ROUNDS: usize = 12;

/// How many objects a test makes.
fn all_cycles() -> usize {
    let set = std::env::var("MEM_POOL_STRESS_CYCLES");
    match set.as_deref() {
        Ok(text) => text.parse().expect("MEM_POOL_STRESS_CYCLES is a number"),
        Err(_) if cfg!(miri) => 1000,
        Err(_) => 1_000_000,
    }
}

/// How many objects each thread makes in a round.
fn cycles() -> usize {
    usize::max(all_cycles() / (THREADS * ROUNDS), 10)
}

/// Whose each slot is, by address.
struct Owners {
    /// An address and a stamp each; an address stays.
    entries: Vec<(AtomicUsize, AtomicU64)>,
    made: AtomicU64,
    gone: AtomicU64,
    /// Objects for whose addresses there was no room.
    unwatched: AtomicU64,
}

impl Owners {
    fn new() -> Self {
        // Memory that is given back and taken again lies elsewhere, so the addresses are the more the longer it goes on.
        let least = if cfg!(miri) { 1 << 10 } else { 1 << 17 };
        let count = usize::max(all_cycles() / 16, least).next_power_of_two();
        let zero = || AtomicU64::new(0);
        Self {
            entries: (0..count).map(|_| Default::default()).collect(),
            made: zero(),
            gone: zero(),
            unwatched: zero(),
        }
    }

    /// The entry of an address, unless there is no room near its place.
    fn stamp_at(&self, address: usize) -> Option<&AtomicU64> {
        let place = (address >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        (place..place + 64).find_map(|place| {
            let (key, stamp) = &self.entries[place % self.entries.len()];
            match key.compare_exchange(0, address, Relaxed, Relaxed) {
                Ok(_) => Some(stamp),
                Err(other) => (other == address).then_some(stamp),
            }
        })
    }

    fn assert_settled(&self) {
        let (made, gone) = (self.made.load(Relaxed), self.gone.load(Relaxed));
        assert_eq!(made, gone, "as many objects are made as destroyed");
        let left = self
            .entries
            .iter()
            .filter(|(_, stamp)| stamp.load(Relaxed) != 0);
        assert_eq!(left.count(), 0, "objects whose destructor did not run");
        assert!(
            self.unwatched.load(Relaxed) <= made / 10,
            "the table is too small"
        );
    }
}

/// An object that knows its owner and the table.
struct Stamped {
    stamp: u64,
    padding: [u64; 3],
    owners: Arc<Owners>,
    /// The address under which it was entered; 0 before and after.
    entered: AtomicUsize,
    echo: u64,
}

impl Stamped {
    fn new(owners: &Arc<Owners>, stamp: u64) -> Self {
        owners.made.fetch_add(1, Relaxed);
        Self {
            stamp,
            padding: [stamp; 3],
            owners: Arc::clone(owners),
            entered: AtomicUsize::new(0),
            echo: stamp,
        }
    }

    /// The stamp of an object that is whole.
    #[track_caller]
    fn stamp(&self) -> u64 {
        let stamp = self.stamp;
        assert_ne!(stamp, 0, "a destroyed object is seen");
        assert_eq!(
            (self.padding, self.echo),
            ([stamp; 3], stamp),
            "a torn object is seen"
        );
        stamp
    }

    /// Swaps the stamp in, now that the object is in its slot.
    fn enter(&self) {
        let address = std::ptr::from_ref(self).addr();
        match self.owners.stamp_at(address) {
            Some(place) => {
                assert_eq!(place.swap(self.stamp, Relaxed), 0, "two owners of a slot");
                self.entered.store(address, Relaxed);
            }
            None => drop(self.owners.unwatched.fetch_add(1, Relaxed)),
        }
    }

    /// Swaps the stamp out, before the object leaves its slot.
    fn leave(&self) {
        let address = self.entered.swap(0, Relaxed);
        if address != 0 {
            assert_eq!(
                address,
                std::ptr::from_ref(self).addr(),
                "an object has moved"
            );
            let place = self.owners.stamp_at(address).expect("it was entered");
            assert_eq!(place.swap(0, Relaxed), self.stamp, "two owners of a slot");
        }
    }
}

impl Drop for Stamped {
    fn drop(&mut self) {
        self.stamp();
        self.leave();
        (self.stamp, self.padding, self.echo) = (0, [0; 3], 0);
        black_box(&mut *self);
        self.owners.gone.fetch_add(1, Relaxed);
    }
}

type Pool<A> = FixedPool<Stamped, A, Locked>;
type Handle<A> = PoolBox<Stamped, A, Locked>;

/// What differs from access to access.
trait Mode: Access + Sized {
    fn pool(round: usize) -> Pool<Self>;
    fn read<R>(pool: &Pool<Self>, handle: &Handle<Self>, f: impl FnOnce(&Stamped) -> R) -> R;
    /// Something that only this access can do; ends the object, or gives the handle back.
    fn special(pool: &Pool<Self>, handle: Handle<Self>) -> Option<Handle<Self>>;
    /// Looks at all objects.
    fn look(pool: &Pool<Self>, rng: &mut Rng);
    /// Walks, if the pool can be walked.
    fn walk(pool: &Pool<Self>, f: impl FnMut(&Stamped));
    /// Remembers a key of an object.
    fn key(handle: &Handle<Self>) -> Option<WeakKey<Stamped>>;
    /// Looks keys up that were made of objects with these stamps.
    fn find(pool: &Pool<Self>, keys: &[(WeakKey<Stamped>, u64)], dead: Option<WeakKey<Stamped>>);
}

macro_rules! pool {
    ($($access:ident)?, $round:expr) => {{
        let builder = FixedPool::builder()$(.$access())?;
        match $round % 4 {
            0 => builder,
            1 => builder.growth(7).limit(300),
            2 => builder.keep_empty(1).growth(100),
            _ => builder.growth(64),
        }
        .build()
    }};
}

impl Mode for Unique {
    fn pool(round: usize) -> Pool<Self> {
        pool!(unique, round)
    }

    fn read<R>(_: &Pool<Self>, handle: &Handle<Self>, f: impl FnOnce(&Stamped) -> R) -> R {
        f(handle)
    }

    fn special(_: &Pool<Self>, mut handle: Handle<Self>) -> Option<Handle<Self>> {
        handle.padding = [!0; 3];
        black_box(&mut *handle);
        handle.padding = [handle.stamp; 3];
        handle.leave();
        PoolBox::into_inner(handle).stamp();
        None
    }

    fn look(pool: &Pool<Self>, _: &mut Rng) {
        assert!(pool.len() <= pool.capacity());
    }

    fn walk(_: &Pool<Self>, _: impl FnMut(&Stamped)) {}

    fn key(_: &Handle<Self>) -> Option<WeakKey<Stamped>> {
        None
    }

    fn find(_: &Pool<Self>, _: &[(WeakKey<Stamped>, u64)], _: Option<WeakKey<Stamped>>) {}
}

impl Mode for Shared {
    fn pool(round: usize) -> Pool<Self> {
        pool!(, round)
    }

    fn read<R>(_: &Pool<Self>, handle: &Handle<Self>, f: impl FnOnce(&Stamped) -> R) -> R {
        f(handle)
    }

    fn special(_: &Pool<Self>, handle: Handle<Self>) -> Option<Handle<Self>> {
        handle.leave();
        match PoolBox::try_into_inner(handle) {
            Ok(object) => {
                object.stamp();
                None
            }
            Err(handle) => {
                handle.enter();
                Some(handle)
            }
        }
    }

    fn look(pool: &Pool<Self>, rng: &mut Rng) {
        look(pool, rng);
    }

    fn walk(pool: &Pool<Self>, f: impl FnMut(&Stamped)) {
        pool.for_each(f);
    }

    fn key(handle: &Handle<Self>) -> Option<WeakKey<Stamped>> {
        Some(PoolBox::downgrade(handle))
    }

    fn find(pool: &Pool<Self>, keys: &[(WeakKey<Stamped>, u64)], dead: Option<WeakKey<Stamped>>) {
        find(pool, keys, dead);
    }
}

impl Mode for Keyed {
    fn pool(round: usize) -> Pool<Self> {
        pool!(keyed, round)
    }

    fn read<R>(pool: &Pool<Self>, handle: &Handle<Self>, f: impl FnOnce(&Stamped) -> R) -> R {
        f(pool.at(handle))
    }

    fn special(pool: &Pool<Self>, handle: Handle<Self>) -> Option<Handle<Self>> {
        // The pool keeps it to its end: not too many.
        if pool.len() < 200 {
            let stamp = pool.at(&handle).stamp();
            let key = pool.adopt(handle);
            assert_eq!(pool.hold()[key].stamp(), stamp);
            None
        } else {
            Some(handle)
        }
    }

    fn look(pool: &Pool<Self>, rng: &mut Rng) {
        look(pool, rng);
    }

    fn walk(pool: &Pool<Self>, f: impl FnMut(&Stamped)) {
        pool.for_each(f);
    }

    fn key(handle: &Handle<Self>) -> Option<WeakKey<Stamped>> {
        Some(PoolBox::downgrade(handle))
    }

    fn find(pool: &Pool<Self>, keys: &[(WeakKey<Stamped>, u64)], dead: Option<WeakKey<Stamped>>) {
        find(pool, keys, dead);
    }
}

/// Looks at all objects in one of several ways.
fn look<A: ThroughPool>(pool: &Pool<A>, rng: &mut Rng) {
    match rng.u8(0..6) {
        0 => look_slowly(pool),
        1 => look_nested(pool),
        2 => look_until(pool, rng.usize(0..64)),
        3 => look_for_long(pool),
        4 => look_by_key(pool),
        _ => drop(pool.shrink_to_fit()),
    }
}

/// Lets others run in the middle of a look.
fn look_slowly<A: ThroughPool>(pool: &Pool<A>) {
    let mut seen = 0;
    pool.for_each(|object| {
        let stamp = object.stamp();
        seen += 1;
        if seen % 8 == 0 {
            thread::yield_now();
        }
        assert_eq!(object.stamp(), stamp, "an object ends under a look");
    });
}

/// Walks within a walk, which ends soon.
fn look_nested<A: ThroughPool>(pool: &Pool<A>) {
    let mut left = 3;
    pool.for_each(|outer| {
        if left > 0 {
            left -= 1;
            pool.for_each(|inner| assert_ne!(inner.stamp(), 0));
        }
        outer.stamp();
    });
}

/// Breaks a walk off.
fn look_until<A: ThroughPool>(pool: &Pool<A>, most: usize) {
    let mut seen = 0;
    let end = pool.try_for_each(|object| {
        seen += 1;
        match object.stamp() {
            stamp if seen > most => ControlFlow::Break(stamp),
            _ => ControlFlow::Continue(()),
        }
    });
    assert_ne!(end, ControlFlow::Break(0));
}

/// Keeps references while others drop and make objects.
fn look_for_long<A: ThroughPool>(pool: &Pool<A>) {
    let hold = pool.hold();
    let objects: Vec<_> = hold.iter().map(|object| (object, object.stamp())).collect();
    thread::yield_now();
    assert!(
        objects
            .iter()
            .all(|(object, stamp)| object.stamp() == *stamp)
    );
}

fn look_by_key<A: ThroughPool>(pool: &Pool<A>) {
    let hold = pool.hold();
    for (key, object) in hold.iter_keys() {
        let found = hold.get(key);
        assert!(found.is_none_or(|found| std::ptr::eq(found, object)));
    }
}

/// A key finds its own object or nothing; nothing, if its object's drop has returned.
fn find<A: ThroughPool>(
    pool: &Pool<A>,
    keys: &[(WeakKey<Stamped>, u64)],
    dead: Option<WeakKey<Stamped>>,
) {
    let hold = pool.hold();
    for (key, stamp) in keys {
        assert!(hold.get(*key).is_none_or(|object| object.stamp() == *stamp));
    }
    assert!(
        dead.is_none_or(|key| hold.get(key).is_none()),
        "a dead object is found"
    );
}

/// What a thread has, and what others gave it to drop.
struct Worker<'a, A: Mode> {
    pool: &'a Pool<A>,
    owners: &'a Arc<Owners>,
    mailboxes: &'a [Mutex<Vec<Handle<A>>>],
    keys: Vec<(WeakKey<Stamped>, u64)>,
    held: Vec<Handle<A>>,
    rng: Rng,
}

impl<A: Mode> Worker<'_, A> {
    fn run(mut self, number: usize, cycles: usize) -> Vec<Handle<A>> {
        for cycle in 0..cycles {
            self.make((number * cycles + cycle + 1) as u64);
            while self.held.len() > self.rng.usize(0..64) {
                self.end_one();
            }
            match self.rng.u16(0..1024) {
                0..4 => A::look(self.pool, &mut self.rng),
                4..6 => A::find(self.pool, &self.keys, None),
                6 => drop(self.pool.shrink_to_fit()),
                7 => self.end_in_a_walk(),
                8..64 => self.exchange(number),
                _ => {}
            }
        }
        self.held
    }

    fn make(&mut self, stamp: u64) {
        let handle = if stamp % 8 == 0 {
            let make = || Stamped::new(self.owners, stamp);
            self.pool.try_alloc_with(make).ok()
        } else {
            self.pool.try_alloc(Stamped::new(self.owners, stamp)).ok()
        };
        let Some(handle) = handle else {
            self.held.truncate(8); // the limit: make room
            return;
        };
        A::read(self.pool, &handle, Stamped::enter);
        if stamp % 64 == 0 {
            self.keys.truncate(32);
            let key = A::key(&handle).map(|key| (key, stamp));
            self.keys.splice(0..0, key);
        }
        self.held.push(handle);
    }

    fn end_one(&mut self) {
        let handle = self.held.swap_remove(self.rng.usize(0..self.held.len()));
        A::read(self.pool, &handle, Stamped::stamp);
        match self.rng.u16(0..1024) {
            0..32 => drop(A::special(self.pool, handle)),
            32..40 => {
                let key = A::key(&handle);
                drop(handle);
                A::find(self.pool, &self.keys, key);
            }
            _ => drop(handle),
        }
    }

    /// What the closure of a walk drops is not shown to it any more.
    fn end_in_a_walk(&mut self) {
        let mut gone = Vec::new();
        A::walk(self.pool, |object| {
            let stamp = object.stamp();
            assert!(!gone.contains(&stamp), "a dropped object is shown");
            if let Some(handle) = self.held.pop() {
                gone.push(A::read(self.pool, &handle, Stamped::stamp));
                drop(handle);
            }
            assert_eq!(object.stamp(), stamp, "an object ends under a look");
        });
    }

    /// Gives a handle to a thread, and drops what others gave this one.
    fn exchange(&mut self, number: usize) {
        let other = self.rng.usize(0..THREADS);
        if let (Ok(mut mailbox), Some(handle)) = (self.mailboxes[other].try_lock(), self.held.pop())
        {
            mailbox.push(handle);
        }
        let mine = std::mem::take(&mut *self.mailboxes[number].lock().unwrap());
        for handle in mine {
            A::read(self.pool, &handle, Stamped::stamp);
        }
    }
}

fn stress<A: Mode>()
where
    Pool<A>: Send + Sync,
    Handle<A>: Send,
{
    for round in 0..ROUNDS {
        let owners = Arc::new(Owners::new());
        let pool = A::pool(round);
        let mailboxes: Vec<_> = (0..THREADS).map(|_| Mutex::default()).collect();
        let start = |number| Worker {
            pool: &pool,
            owners: &owners,
            mailboxes: &mailboxes,
            keys: Vec::new(),
            held: Vec::new(),
            rng: Rng::with_seed((round * THREADS + number) as u64),
        };
        let left: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|number| (number, start(number)))
                .map(|(number, worker)| scope.spawn(move || worker.run(number, cycles())))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        // The pool goes while others drop what they still have.
        thread::scope(|scope| {
            for handles in left {
                scope.spawn(move || drop(handles));
            }
            scope.spawn(move || drop(pool));
        });
        drop(mailboxes);
        owners.assert_settled();
    }
}

#[test]
fn shared() {
    stress::<Shared>();
}

#[test]
fn unique() {
    stress::<Unique>();
}

#[test]
fn keyed() {
    stress::<Keyed>();
}

/// Bytes with a pattern: the visible ones are the owner's.
struct Patterned(PoolBytes, u8);

impl Patterned {
    fn make(pool: &VariadicPool, rng: &mut Rng) -> Option<Self> {
        let (len, byte) = (rng.usize(0..600), rng.u8(1..));
        let bytes = match rng.u8(0..4) {
            0 => pool.try_alloc_copy(&vec![byte; len]).ok()?,
            1 => pool.try_alloc_aligned(len, 1 << rng.u8(0..9)).ok()?,
            _ => pool.try_alloc(len).ok()?,
        };
        assert!(
            bytes.iter().all(|&other| other == 0 || other == byte),
            "not zeroed"
        );
        let mut made = Self(bytes, byte);
        made.0.fill(byte);
        Some(made)
    }

    #[track_caller]
    fn check(&self) {
        assert!(
            self.0.iter().all(|&other| other == self.1),
            "two owners of a block"
        );
    }

    /// Grows or shrinks; what becomes visible is zero.
    fn resize(&mut self, rng: &mut Rng) {
        let (before, len) = (self.0.len(), rng.usize(0..1200));
        if self.0.try_resize(len).is_ok() {
            assert!(
                self.0[before.min(len)..].iter().all(|&byte| byte == 0),
                "not zeroed"
            );
            self.0.fill(self.1);
        }
        if len % 3 == 0 {
            self.0.shrink_to_fit();
        }
    }
}

fn use_bytes(
    pool: &VariadicPool,
    mailboxes: &[Mutex<Vec<Patterned>>],
    number: usize,
    seed: u64,
) -> Vec<Patterned> {
    let mut rng = Rng::with_seed(seed);
    let mut held: Vec<Patterned> = Vec::new();
    for _ in 0..cycles() {
        match Patterned::make(pool, &mut rng) {
            Some(made) => held.push(made),
            None => held.truncate(8),
        }
        while held.len() > rng.usize(0..64) {
            held.swap_remove(rng.usize(0..held.len())).check();
        }
        match rng.u16(0..1024) {
            0 => drop(pool.shrink_to_fit()),
            1 => pool.check().expect("no block breaks a rule"),
            2..100 => held.iter_mut().take(1).for_each(|bytes| {
                bytes.check();
                bytes.resize(&mut rng);
            }),
            100..160 => {
                let mut other = mailboxes[rng.usize(0..THREADS)].lock().unwrap();
                other.extend(held.pop());
                drop(other);
                let mine = std::mem::take(&mut *mailboxes[number].lock().unwrap());
                mine.iter().for_each(Patterned::check);
            }
            _ => {}
        }
    }
    held
}

#[test]
fn bytes() {
    for round in 0..ROUNDS {
        let builder = VariadicPool::builder();
        let pool = match round % 3 {
            0 => builder.build(),
            1 => builder.grow_size(8192).limit(256 << 10).build(),
            _ => builder
                .grow_size(8192)
                .first_fit()
                .zero_on_release(true)
                .build(),
        };
        let mailboxes: Vec<_> = (0..THREADS).map(|_| Mutex::default()).collect();
        let (its, boxes) = (&pool, &mailboxes[..]);
        let left: Vec<_> = thread::scope(|scope| {
            let seed = |number| (round * THREADS + number) as u64;
            let threads: Vec<_> = (0..THREADS)
                .map(|number| scope.spawn(move || use_bytes(its, boxes, number, seed(number))))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        pool.check().expect("no block breaks a rule");
        thread::scope(|scope| {
            for bytes in left {
                scope.spawn(move || bytes.iter().for_each(Patterned::check));
            }
            scope.spawn(move || drop(pool));
        });
    }
}
