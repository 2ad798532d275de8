//! Who takes part with objects of one type, and what all of them can do: make an object, and end it.

mod boxes;
mod others;
mod ours;
mod slabs;

pub(crate) use boxes::{BoxIn, Glibc, Heap, Jemalloc, Mimalloc};

use crate::spike::{self, Left, Spike};
use crate::workloads::{self, Effort, WORKLOADS};
use crate::worst::{self, Times};

/// What is made: so many words, with or without a destructor.
pub(crate) trait Object: Send + Sync + Sized + 'static {
    /// Writes the number into every word, so that the whole object is written.
    fn new(number: u64) -> Self;
    fn word(&self) -> u64;
    fn word_mut(&mut self) -> &mut u64;
}

/// An object that nobody has to destroy.
pub(crate) struct Plain<const WORDS: usize>([u64; WORDS]);

impl<const WORDS: usize> Object for Plain<WORDS> {
    #[inline]
    fn new(number: u64) -> Self {
        Self([number; WORDS])
    }

    #[inline]
    fn word(&self) -> u64 {
        self.0[0]
    }

    #[inline]
    fn word_mut(&mut self) -> &mut u64 {
        &mut self.0[0]
    }
}

/// An object whose destructor looks at it once more.
pub(crate) struct Dropping<const WORDS: usize>(Plain<WORDS>);

impl<const WORDS: usize> Object for Dropping<WORDS> {
    #[inline]
    fn new(number: u64) -> Self {
        Self(Plain::new(number))
    }

    #[inline]
    fn word(&self) -> u64 {
        self.0.word()
    }

    #[inline]
    fn word_mut(&mut self) -> &mut u64 {
        self.0.word_mut()
    }
}

impl<const WORDS: usize> Drop for Dropping<WORDS> {
    #[inline]
    fn drop(&mut self) {
        std::hint::black_box(self.0.word());
    }
}

/// Sides in the race.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    /// This library's pools.
    Ours,
    /// An allocator of any type.
    Heap,
    /// Other pools.
    Pool,
}

/// What makes objects and ends them.
pub(crate) trait Pool<T: Object>: Sized + 'static {
    const NAME: &'static str;
    const SIDE: Side;
    /// With more objects than this, making one takes so long that nobody would.
    const MOST: usize = usize::MAX;
    /// Then the pool's memory says nothing about live objects, and who shuffles handles moves objects.
    const OBJECTS_IN_HANDLES: bool = false;
    type Handle<'p>;

    fn new() -> Self;

    fn make(&self, object: T) -> Self::Handle<'_>;

    #[inline]
    fn end<'p>(&'p self, handle: Self::Handle<'p>) {
        drop(handle);
    }

    /// Gives back what memory it can; says whether there is such a call.
    fn shrink(&self) -> bool {
        false
    }

    /// The bytes it says it has from the system.
    fn reserved(&self) -> Option<usize> {
        None
    }
}

/// A way to spend time with a pool: nanoseconds for each operation.
pub(crate) type Workload = fn(&Effort) -> f64;

/// A pool as the tables see it: whatever its type is.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) side: Side,
    /// Whether threads can share it.
    pub(crate) shared: bool,
    /// In the order of [`WORKLOADS`]; `None` where it cannot run.
    pub(crate) workloads: [Option<Workload>; WORKLOADS.len()],
    pub(crate) worst: Option<fn() -> Times>,
    pub(crate) spike: Option<fn(Left) -> Spike>,
}

fn alone<T: Object, P: Pool<T>>() -> Contender {
    let can = |objects| P::MOST >= objects;
    Contender {
        name: P::NAME,
        side: P::SIDE,
        shared: false,
        workloads: [
            Some(workloads::pair::<T, P>),
            Some(workloads::in_out::<T, P>),
            can(workloads::FEW).then_some(workloads::churn_few::<T, P> as Workload),
            can(workloads::MANY).then_some(workloads::churn_many::<T, P> as Workload),
            None,
            None,
        ],
        worst: can(worst::LIVE).then_some(worst::times::<T, P>),
        spike: (can(spike::OBJECTS) && !P::OBJECTS_IN_HANDLES).then_some(spike::measure::<T, P>),
    }
}

fn shared<T: Object, P: Pool<T> + Sync>() -> Contender
where
    for<'p> P::Handle<'p>: Send,
{
    let mut contender = alone::<T, P>();
    contender.shared = true;
    contender.workloads[4] = Some(workloads::two_threads::<T, P>);
    contender.workloads[5] = Some(workloads::handed_over::<T, P>);
    contender
}

/// Everybody, in the order of the tables.
pub(crate) fn all<T: Object>() -> Vec<Contender> {
    let mut all = ours::all::<T>();
    all.extend(boxes::all::<T>());
    all.extend(slabs::all::<T>());
    all.extend(others::all::<T>());
    all
}
