//! What can go wrong: [`PoolError`], [`Rejected`], which gives a value back with it, and [`Corruption`].

use std::alloc::{Layout, handle_alloc_error};
use std::fmt;

/// Why a pool could not do what was asked.
///
/// Every message says what was asked and what was possible.
///
/// ```
/// use mem_pool::{FixedPool, PoolError};
///
/// let pool = FixedPool::builder().limit(1).build();
/// let first = pool.alloc('a');
/// let error = PoolError::from(pool.try_alloc('b').unwrap_err());
/// assert!(matches!(error, PoolError::LimitReached { limit: 1, .. }));
/// assert_eq!(error.to_string(), "the pool's limit of 1 slot is reached and none is free");
/// # drop(first);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// A [`FixedPool`](crate::FixedPool) has as many slots as its limit allows, and none of them is free.
    #[error("the pool's limit of {} is reached and none is free{}", Slots(*limit), Deferred(*deferred))]
    #[non_exhaustive]
    LimitReached {
        /// The limit, in slots.
        limit: usize,
        /// How many slots hold an object that was dropped while it was being walked or held: they become free when the
        /// walks or holds end.
        deferred: usize,
    },
    /// A `reserve` asked for more slots than the limit leaves room for.
    #[error("cannot reserve {} more: the pool's limit of {} leaves room for {}", Slots(*requested), Slots(*limit), room)]
    #[non_exhaustive]
    ReserveBeyondLimit {
        /// How many free slots were asked for.
        requested: usize,
        /// How many slots are free or may still be added.
        room: usize,
        /// The limit, in slots.
        limit: usize,
    },
    /// The byte limit of a pool leaves no room for a request.
    #[error(
        "{requested} bytes do not fit: {reserved} of the pool's limit of {limit} bytes are reserved and no free block is large enough"
    )]
    #[non_exhaustive]
    ByteLimitReached {
        /// How many bytes were asked for.
        requested: usize,
        /// How many bytes the pool had reserved from the system.
        reserved: usize,
        /// The limit, in reserved bytes.
        limit: usize,
    },
    /// The global allocator returned null.
    #[error("out of memory: the allocator refused {} bytes aligned to {}", layout.size(), layout.align())]
    #[non_exhaustive]
    OutOfMemory {
        /// What the allocator was asked for.
        layout: Layout,
    },
    /// A size is larger than any allocation can be.
    #[error("{requested} {unit} are more than there can be in one piece (at most {most})")]
    #[non_exhaustive]
    SizeOverflow {
        /// How much was asked for.
        requested: usize,
        /// The most that can be asked for.
        most: usize,
        /// What is counted: `"slots"` or `"bytes"`.
        unit: &'static str,
    },
    /// An alignment is not a power of two, or larger than the pool can give.
    #[error(
        "an alignment of {requested} is not possible: it must be a power of two of at most {most}"
    )]
    #[non_exhaustive]
    BadAlignment {
        /// The alignment asked for, in bytes.
        requested: usize,
        /// The largest possible alignment, in bytes.
        most: usize,
    },
    /// Bytes cannot be viewed as a slice of the type asked for.
    #[error(
        "{len} bytes at an address aligned to {aligned} cannot be viewed as `{type_name}` (size {size}, alignment {align}): {reason}"
    )]
    #[non_exhaustive]
    CastFailed {
        /// How many bytes there are.
        len: usize,
        /// The largest power of two that divides their address.
        aligned: usize,
        /// The type asked for.
        type_name: &'static str,
        /// Its size in bytes.
        size: usize,
        /// Its alignment in bytes.
        align: usize,
        /// What does not fit.
        reason: &'static str,
    },
    /// A builder was given a setting that makes no sense.
    #[error("invalid configuration: {reason}")]
    #[non_exhaustive]
    InvalidConfig {
        /// Which setting, and what it may be.
        reason: &'static str,
    },
}

/// A count of slots with its noun.
struct Slots(usize);

impl fmt::Display for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} slot{}", self.0, if self.0 == 1 { "" } else { "s" })
    }
}

/// What a limit's message adds when some slots only wait for a walk or a hold to end.
struct Deferred(usize);

impl fmt::Display for Deferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            n => write!(f, " ({n} of them wait for a walk or a hold to end)"),
        }
    }
}

/// What the methods without `try_` make of a result. They call it from their own bodies, not from closures: those do not pass the
/// caller's place on.
#[inline]
#[track_caller]
pub(crate) fn or_fail<T>(result: Result<T, PoolError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => fail(&error),
    }
}

/// What becomes of a call that cannot be refused politely: a panic where it was made.
#[cold]
#[track_caller]
pub(crate) fn fail(error: &PoolError) -> ! {
    match error {
        PoolError::OutOfMemory { layout } => handle_alloc_error(*layout),
        error => panic!("{error}"),
    }
}

/// A value that a pool could not take, given back with the reason.
///
/// ```
/// use mem_pool::FixedPool;
///
/// let pool = FixedPool::builder().limit(1).build();
/// let first = pool.try_alloc(String::from("first"))?;
/// let rejected = pool.try_alloc(String::from("second")).unwrap_err();
/// assert_eq!(rejected.into_inner(), "second");
/// # drop(first);
/// # Ok::<(), mem_pool::Rejected<String>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Rejected<T> {
    // Made as a literal where it is returned: unoptimised, each call on the way copies a large value once more.
    pub(crate) value: T,
    pub(crate) error: PoolError,
}

impl<T> Rejected<T> {
    /// Gives the value back.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// Says why the pool could not take the value.
    pub fn error(&self) -> &PoolError {
        &self.error
    }
}

// Written by hand: a rejected value need not be `Debug` for `unwrap` and `?` to work.
impl<T> fmt::Debug for Rejected<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejected")
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Display for Rejected<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<T> std::error::Error for Rejected<T> {}

impl<T> From<Rejected<T>> for PoolError {
    fn from(rejected: Rejected<T>) -> Self {
        rejected.error
    }
}

/// A block that breaks a rule of the byte pool, found by [`check`](crate::generic::VariadicPool::check).
///
/// A pool does not corrupt itself: something else wrote where it should not have, such as unsafe code that went beyond a
/// block's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "corrupted pool: the block at byte {offset} of chunk {chunk} in shard {shard} breaks the rule \"{rule}\""
)]
pub struct Corruption {
    /// The shard's place in its pool.
    pub(crate) shard: usize,
    /// The chunk's place in its shard, the newest first.
    pub(crate) chunk: usize,
    /// Where the block begins, in bytes from the start of its chunk.
    pub(crate) offset: usize,
    /// The rule.
    pub(crate) rule: &'static str,
}

impl Corruption {
    /// The rule that is broken: its name, and what it says.
    pub fn rule(&self) -> &'static str {
        self.rule
    }

    /// The shard's place in its pool.
    pub fn shard(&self) -> usize {
        self.shard
    }

    /// The chunk's place in its shard, the newest first; 0 where a rule of the whole shard is broken.
    pub fn chunk(&self) -> usize {
        self.chunk
    }

    /// Where the block begins, header and all, in bytes from the start of its chunk; 0 where a rule of the whole shard is
    /// broken.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The same place, another rule.
    pub(crate) fn breaking(self, rule: &'static str) -> Self {
        Self { rule, ..self }
    }
}
