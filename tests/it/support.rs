//! What the tests share: one interface over the three accesses, objects that account for themselves, and a watchdog.

use std::cell::RefCell;
use std::io::Write;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use mem_pool::generic::{FixedPool, FixedPoolBuilder};
use mem_pool::{Access, Keyed, Lock, PoolBox, Shared, ThroughPool, Unique};

/// Writes a test once for each access and lock: `in_every_mode!(name)` runs the generic function `name::<A, L>()` as
/// `name::shared`, `name::unique_local` and so on. `in_walked_modes!` leaves out `Unique`, whose pool has no walks.
macro_rules! in_every_mode {
    ($($name:ident),* $(,)?) => { $(mod $name {
        crate::support::mode_tests!($name: shared Shared, unique Unique, keyed Keyed);
    })* };
}
macro_rules! in_walked_modes {
    ($($name:ident),* $(,)?) => { $(mod $name {
        crate::support::mode_tests!($name: shared Shared, keyed Keyed);
    })* };
}
macro_rules! mode_tests {
    ($name:ident: $($access:ident $A:ident),*) => { $(mod $access {
        #[test]
        fn locked() {
            let _watchdog = crate::support::watchdog();
            super::super::$name::<mem_pool::$A, mem_pool::Locked>();
        }
        #[test]
        fn local() {
            let _watchdog = crate::support::watchdog();
            super::super::$name::<mem_pool::$A, mem_pool::Unlocked>();
        }
    })* };
}
pub(crate) use {in_every_mode, in_walked_modes, mode_tests};

/// What the tests do with a pool of any access.
pub trait Mode: Access {
    fn builder<T, L: Lock>() -> FixedPoolBuilder<T, Self, L>;
    fn read<T, L: Lock, R>(
        pool: &FixedPool<T, Self, L>,
        handle: &PoolBox<T, Self, L>,
        f: impl FnOnce(&T) -> R,
    ) -> R;
    /// Walks the pool, if it can be walked.
    fn walk<T, L: Lock>(pool: &FixedPool<T, Self, L>, f: impl FnMut(&T)) -> bool;
    fn move_out<T, L: Lock>(pool: &mut FixedPool<T, Self, L>, handle: PoolBox<T, Self, L>) -> T;
}

impl Mode for Shared {
    fn builder<T, L: Lock>() -> FixedPoolBuilder<T, Self, L> {
        FixedPool::builder()
    }
    fn read<T, L: Lock, R>(
        _: &FixedPool<T, Self, L>,
        handle: &PoolBox<T, Self, L>,
        f: impl FnOnce(&T) -> R,
    ) -> R {
        f(handle)
    }
    fn walk<T, L: Lock>(pool: &FixedPool<T, Self, L>, f: impl FnMut(&T)) -> bool {
        pool.for_each(f);
        true
    }
    fn move_out<T, L: Lock>(_: &mut FixedPool<T, Self, L>, handle: PoolBox<T, Self, L>) -> T {
        PoolBox::try_into_inner(handle)
            .ok()
            .expect("nothing walks the pool")
    }
}

impl Mode for Unique {
    fn builder<T, L: Lock>() -> FixedPoolBuilder<T, Self, L> {
        FixedPool::builder().unique()
    }
    fn read<T, L: Lock, R>(
        _: &FixedPool<T, Self, L>,
        handle: &PoolBox<T, Self, L>,
        f: impl FnOnce(&T) -> R,
    ) -> R {
        f(handle)
    }
    fn walk<T, L: Lock>(_: &FixedPool<T, Self, L>, _: impl FnMut(&T)) -> bool {
        false
    }
    fn move_out<T, L: Lock>(_: &mut FixedPool<T, Self, L>, handle: PoolBox<T, Self, L>) -> T {
        PoolBox::into_inner(handle)
    }
}

impl Mode for Keyed {
    fn builder<T, L: Lock>() -> FixedPoolBuilder<T, Self, L> {
        FixedPool::builder().keyed()
    }
    fn read<T, L: Lock, R>(
        pool: &FixedPool<T, Self, L>,
        handle: &PoolBox<T, Self, L>,
        f: impl FnOnce(&T) -> R,
    ) -> R {
        f(pool.at(handle))
    }
    fn walk<T, L: Lock>(pool: &FixedPool<T, Self, L>, f: impl FnMut(&T)) -> bool {
        pool.for_each(f);
        true
    }
    fn move_out<T, L: Lock>(pool: &mut FixedPool<T, Self, L>, handle: PoolBox<T, Self, L>) -> T {
        pool.take(handle).expect("the handle is this pool's")
    }
}

/// A [`Mode`] whose pool can be walked.
pub trait Walked: Mode + ThroughPool {}
impl<A: Mode + ThroughPool> Walked for A {}

/// A pool with the defaults.
pub fn pool<T, A: Mode, L: Lock>() -> FixedPool<T, A, L> {
    A::builder().build()
}

/// Every object a walk shows, cloned, in the order of the walk.
pub fn walked<T: Clone, A: Walked, L: Lock>(pool: &FixedPool<T, A, L>) -> Vec<T> {
    let mut seen = Vec::new();
    pool.for_each(|object| seen.push(object.clone()));
    seen
}

pub fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort();
    values
}

/// Loop counts that an interpreter can bear.
pub const fn count(full: usize) -> usize {
    if cfg!(miri) {
        let few = full / 100;
        if few < 3 {
            if full < 3 { full } else { 3 }
        } else {
            few
        }
    } else {
        full
    }
}

/// Runs a closure where objects of a mebibyte can be moved about, as unoptimised code does a lot.
pub fn on_a_large_stack(f: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let large = std::thread::Builder::new().stack_size(64 << 20);
        let test = large.spawn_scoped(scope, f).unwrap();
        if let Err(panic) = test.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Ends the process with a message if the test that made it is still running after half a minute.
pub struct Watchdog(#[expect(dead_code, reason = "dropping it is the message")] Sender<()>);

pub fn watchdog() -> Watchdog {
    let (alive, death) = channel();
    let current = std::thread::current();
    let test = current.name().unwrap_or("a test").to_owned();
    std::thread::spawn(move || {
        let patience = Duration::from_secs(if cfg!(miri) { 3600 } else { 60 });
        if death.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
            // Not `eprintln!`: the harness would keep it and lose it.
            let _ = writeln!(
                std::io::stderr(),
                "watchdog: {test} hangs (deadlock or endless walk)"
            );
            std::process::abort();
        }
    });
    Watchdog(alive)
}

/// What a closure panicked with, as text; panics if it did not.
pub fn panic_message<R>(f: impl FnOnce() -> R) -> String {
    let payload = match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("there was no panic"),
        Err(payload) => payload,
    };
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload
            .downcast::<&str>()
            .map_or("?".into(), |text| (*text).into()),
    }
}

/// Where a closure panics: the file and the line.
pub fn panic_location(f: impl FnOnce()) -> (String, u32) {
    thread_local! {
        /// While some, panics of this thread are written here and not shown.
        static LOCATION: RefCell<Option<(String, u32)>> = const { RefCell::new(None) };
    }
    // There is one hook for all tests, which run side by side: it is set once, and tells their threads apart.
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let shown = take_hook();
        set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            let note = |place: &RefCell<Option<(String, u32)>>| {
                let (mut place, location) = (place.borrow_mut(), info.location().unwrap());
                let place = place.as_mut()?;
                *place = (location.file().into(), location.line());
                Some(())
            };
            // A thread that ends may panic, too, when it has no such variables any more.
            let is_ours = LOCATION.try_with(note).is_ok_and(|noted| noted.is_some());
            if !is_ours {
                shown(info);
            }
        }));
    });
    LOCATION.set(Some((String::new(), 0)));
    let result = catch_unwind(AssertUnwindSafe(f));
    let location = LOCATION.take();
    assert!(result.is_err(), "there was no panic");
    location.expect("it was set above")
}

/// Counts how often each of its objects is destroyed.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<Vec<u32>>>);

impl Ledger {
    pub fn make(&self) -> Tracked {
        let mut drops = self.0.lock().unwrap();
        drops.push(0);
        let id = drops.len() - 1;
        Tracked {
            id,
            canary: canary(id),
            ledger: self.clone(),
        }
    }

    /// How often object `id` was destroyed.
    pub fn drops_of(&self, id: usize) -> u32 {
        self.0.lock().unwrap()[id]
    }

    pub fn made(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub fn dropped(&self) -> usize {
        self.0
            .lock()
            .unwrap()
            .iter()
            .filter(|&&drops| drops > 0)
            .count()
    }

    /// Asserts that every object made was destroyed exactly once.
    #[track_caller]
    pub fn assert_settled(&self) {
        let drops = self.0.lock().unwrap();
        for (id, &drops) in drops.iter().enumerate() {
            assert_eq!(
                drops, 1,
                "object {id} was destroyed {drops} times instead of once"
            );
        }
    }
}

/// An object that knows whether it is whole, and tells its [`Ledger`] of its end. A clone is an object of its own.
pub struct Tracked {
    pub id: usize,
    canary: [u64; 3],
    ledger: Ledger,
}

fn canary(id: usize) -> [u64; 3] {
    let seed = (id as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    [seed, !seed, seed.rotate_left(17)]
}

impl Tracked {
    #[track_caller]
    pub fn check(&self) {
        assert_eq!(
            self.canary,
            canary(self.id),
            "object {} is not intact",
            self.id
        );
    }
}

impl Clone for Tracked {
    fn clone(&self) -> Self {
        self.check();
        self.ledger.make()
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.check();
        self.canary = [0; 3];
        self.ledger.0.lock().unwrap()[self.id] += 1;
    }
}

/// Runs a closure when destroyed.
pub struct OnDrop(Option<Box<dyn FnOnce()>>);

impl OnDrop {
    pub fn new(f: impl FnOnce() + 'static) -> Self {
        Self(Some(Box::new(f)))
    }

    pub fn nothing() -> Self {
        Self(None)
    }
}

impl Drop for OnDrop {
    fn drop(&mut self) {
        if let Some(f) = self.0.take() {
            f();
        }
    }
}

/// Lives while a test leaks on purpose.
pub struct Leaking(());

/// For tests that leak on purpose: `None` where a leak is an error whatever one says. Else what the calling thread allocates
/// is not looked for by LeakSanitizer while the result lives.
pub fn leaking() -> Option<Leaking> {
    lsan::disable();
    (!cfg!(miri)).then_some(Leaking(()))
}

impl Drop for Leaking {
    fn drop(&mut self) {
        lsan::enable();
    }
}

#[cfg(not(mem_pool_asan))]
mod lsan {
    pub fn disable() {}
    pub fn enable() {}
}

#[cfg(mem_pool_asan)]
#[expect(unsafe_code, reason = "calls the sanitizer's runtime")]
mod lsan {
    // SAFETY: these are the runtime's own declarations, and can be called at any time.
    unsafe extern "C" {
        #[link_name = "__lsan_disable"]
        pub safe fn disable();
        #[link_name = "__lsan_enable"]
        pub safe fn enable();
    }
}
