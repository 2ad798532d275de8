//! Which types may cross threads and unwinds: what must hold, and what must not.

use std::cell::Cell;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;
use std::sync::MutexGuard;

use mem_pool::{
    FixedPool, Keyed, Locked, PoolBox, Rejected, Shared, Unique, Unlocked, Vacant, local,
};

/// The answer for a type whose bound does not hold.
trait Otherwise {
    const ANSWER: bool = false;
}
impl<T: ?Sized> Otherwise for T {}

/// Whether a type has a trait: an inherent constant, if its bound holds, is preferred to a trait's.
macro_rules! implements {
    ($type:ty: $bound:path) => {{
        struct Probe<T: ?Sized>(std::marker::PhantomData<T>);
        #[allow(dead_code, reason = "used only if the bound holds")]
        impl<T: ?Sized + $bound> Probe<T> {
            const ANSWER: bool = true;
        }
        <Probe<$type>>::ANSWER
    }};
}

/// `Type: yes/no Send, yes/no Sync`.
macro_rules! assert_threads {
    ($($type:ty: $send:literal $sync:literal),* $(,)?) => { $(
        assert_eq!(
            (implements!($type: Send), implements!($type: Sync)),
            ($send, $sync),
            stringify!($type)
        );
    )* };
}

/// `Send + Sync`.
type Both = u8;
/// `Send`, not `Sync`.
type Sent = Cell<u8>;
/// `Sync`, not `Send`.
type Seen = MutexGuard<'static, u8>;
/// Neither.
type None = Rc<u8>;

#[test]
fn the_examples_are_what_they_are_said_to_be() {
    assert_threads!(Both: true true, Sent: true false, Seen: false true, None: false false);
}

#[test]
fn shared_pools_and_handles_cross_threads_as_arc_does() {
    assert_threads!(
        FixedPool<Both>: true true, FixedPool<Sent>: false false,
        FixedPool<Seen>: false false, FixedPool<None>: false false,
        PoolBox<Both>: true true, PoolBox<Sent>: false false,
        PoolBox<Seen>: false false, PoolBox<None>: false false,
        PoolBox<dyn Send>: false false, PoolBox<dyn Send + Sync>: true true,
    );
}

#[test]
fn unique_handles_cross_threads_as_box_does() {
    assert_threads!(
        FixedPool<Both, Unique>: true true, FixedPool<Sent, Unique>: true true,
        FixedPool<Seen, Unique>: false false, FixedPool<None, Unique>: false false,
        PoolBox<Both, Unique>: true true, PoolBox<Sent, Unique>: true false,
        PoolBox<Seen, Unique>: false true, PoolBox<None, Unique>: false false,
        PoolBox<dyn Send, Unique>: true false, PoolBox<[Both], Unique>: true true,
    );
}

#[test]
fn keys_are_always_sync() {
    assert_threads!(
        FixedPool<Both, Keyed>: true true, FixedPool<Sent, Keyed>: true false,
        FixedPool<Seen, Keyed>: false false, FixedPool<None, Keyed>: false false,
        PoolBox<Both, Keyed>: true true, PoolBox<Sent, Keyed>: true true,
        PoolBox<Seen, Keyed>: false true, PoolBox<None, Keyed>: false true,
    );
}

#[test]
fn a_reservation_crosses_threads_if_its_pool_is_sync() {
    assert_threads!(
        Vacant<'static, Both>: true true, Vacant<'static, Sent>: false false,
        Vacant<'static, Seen>: false false, Vacant<'static, None>: false false,
        Vacant<'static, Sent, Unique>: true true, Vacant<'static, Seen, Unique>: false false,
        Vacant<'static, Both, Keyed>: true true, Vacant<'static, Sent, Keyed>: false false,
    );
}

#[test]
fn nothing_over_unlocked_crosses_threads() {
    assert_threads!(
        Unlocked: false false, Locked: true true,
        local::FixedPool<Both>: false false, local::PoolBox<Both>: false false,
        local::FixedPool<Both, Unique>: false false, local::PoolBox<Both, Unique>: false false,
        local::FixedPool<Both, Keyed>: false false, local::PoolBox<Both, Keyed>: false false,
        local::Vacant<'static, Both>: false false, local::Vacant<'static, Both, Unique>: false false,
        local::Vacant<'static, Both, Keyed>: false false,
        local::Hold<'static, Both>: false false, local::HoldMut<'static, Both>: false false,
        local::Iter<'static, Both>: false false, local::IterKeys<'static, Both>: false false,
        local::IterMut<'static, Both>: false false, local::Spawner<'static, Both>: false false,
    );
}

#[test]
fn accesses_and_errors_cross_threads() {
    assert_threads!(
        Shared: true true, Unique: true true, Keyed: true true,
        mem_pool::PoolError: true true, mem_pool::FixedStats: true true,
        Rejected<Both>: true true, Rejected<Sent>: true false, Rejected<None>: false false,
    );
}

/// Objects that own others of their kind, and their pool. To say whether they cross threads is to ask for what is being asked.
struct Nested<A: mem_pool::Access + 'static> {
    _below: Vec<PoolBox<Nested<A>, A>>,
    _pool: std::sync::Arc<FixedPool<Nested<A>, A>>,
}

#[test]
fn objects_that_own_each_other_cross_threads() {
    assert_threads!(
        Nested<Shared>: true true, FixedPool<Nested<Shared>>: true true,
        Nested<Unique>: true true, FixedPool<Nested<Unique>, Unique>: true true,
        Nested<Keyed>: true true, FixedPool<Nested<Keyed>, Keyed>: true true,
    );
}

/// Not `Unpin`.
type Pinned = std::marker::PhantomPinned;

#[test]
fn handles_are_always_unpin() {
    assert!(!implements!(Pinned: Unpin));
    let handles = [
        implements!(PoolBox<Pinned>: Unpin),
        implements!(PoolBox<Pinned, Unique>: Unpin),
        implements!(PoolBox<Pinned, Keyed>: Unpin),
        implements!(local::PoolBox<Pinned>: Unpin),
        implements!(PoolBox<dyn Send>: Unpin),
    ];
    assert_eq!(handles, [true; 5]);
    assert!(implements!(FixedPool<Pinned>: Unpin) && implements!(Vacant<'static, Pinned>: Unpin));
}

/// Asserts that a pool or handle is unwind-safe in both ways where `Box` is.
macro_rules! assert_unwinds_as_box {
    ($($object:ty),*) => { $(assert_unwinds_as_box!(@ $object:
        FixedPool<$object>, FixedPool<$object, Unique>, FixedPool<$object, Keyed>,
        PoolBox<$object>, PoolBox<$object, Unique>, PoolBox<$object, Keyed>,
        local::FixedPool<$object>, local::FixedPool<$object, Unique>, local::FixedPool<$object, Keyed>,
        local::PoolBox<$object>, local::PoolBox<$object, Unique>, local::PoolBox<$object, Keyed>
    );)* };
    (@ $object:ty: $($type:ty),*) => { $(
        assert_eq!(
            (implements!($type: UnwindSafe), implements!($type: RefUnwindSafe)),
            (implements!(Box<$object>: UnwindSafe), implements!(Box<$object>: RefUnwindSafe)),
            stringify!($type)
        );
    )* };
}

#[test]
fn pools_and_handles_are_unwind_safe_where_box_is() {
    assert!(implements!(Box<u8>: UnwindSafe) && !implements!(Box<Cell<u8>>: RefUnwindSafe));
    assert!(!implements!(Box<&'static mut u8>: UnwindSafe));
    assert_unwinds_as_box!(
        u8,
        Cell<u8>,
        &'static mut u8,
        &'static Cell<u8>,
        std::sync::Mutex<u8>
    );
}

#[test]
fn keys_are_hashable_and_ordered_whatever_they_open() {
    struct Nothing;
    assert!(implements!(PoolBox<Nothing, Keyed>: std::hash::Hash));
    assert!(
        implements!(PoolBox<Nothing, Keyed>: Ord)
            && implements!(PoolBox<Nothing, Keyed>: std::fmt::Debug)
    );
    assert!(implements!(PoolBox<Nothing, Keyed>: std::fmt::Pointer));
    assert!(
        !implements!(PoolBox<Nothing>: Ord)
            && !implements!(PoolBox<Nothing, Unique>: std::fmt::Debug)
    );
}

#[test]
fn what_would_be_unsound_is_not_there() {
    use std::borrow::BorrowMut;
    use std::ops::{Deref, DerefMut, Index};
    assert!(!implements!(PoolBox<u8>: DerefMut) && !implements!(PoolBox<u8>: AsMut<u8>));
    assert!(!implements!(PoolBox<u8>: BorrowMut<u8>) && !implements!(PoolBox<u8>: Clone));
    assert!(!implements!(PoolBox<u8, Keyed>: Deref) && !implements!(PoolBox<u8, Keyed>: Clone));
    assert!(
        !implements!(PoolBox<u8, Keyed>: AsRef<u8>)
            && !implements!(PoolBox<u8, Keyed>: std::borrow::Borrow<u8>)
    );
    assert!(!implements!(FixedPool<u8, Keyed>: Index<&'static PoolBox<u8, Keyed>>));
    assert!(!implements!(FixedPool<u8>: Clone) && !implements!(PoolBox<None, Unique>: Copy));
    assert!(!implements!(PoolBox<std::ops::Range<u8>>: Iterator));
}
