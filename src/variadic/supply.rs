#![expect(
    unsafe_code,
    reason = "a lease reaches its shard by a raw pointer, and a region goes back with its claim"
)]
//! Where blocks come from and go to: the shards of a pool, its limit, and the regions it gets from the system.
//!
//! Nothing foreign runs under a lock: regions are allocated before one is taken and freed after it was given back.

use std::ptr::NonNull;

use crate::chunk::Region;
use crate::error::PoolError;
use crate::sync::{self, AtomicUsize, Claim, Core, Guard, Lock, MOST_SHARDS, Ordering, QuickGuard};
use crate::variadic::arena::{Arena, Policy};
#[cfg(feature = "allocator-api2")]
use crate::variadic::block::Block;
use crate::variadic::block::{Chunk, Lease, UNIT};
use crate::variadic::request::{MOST_ROOM, Request, units_for};

pub(crate) type Shards<L> = sync::Shards<L, Arena>;
pub(crate) type Shard<L> = sync::Shard<L, Arena>;

/// What a builder settles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    pub(crate) policy: Policy,
    /// The least a chunk has, in bytes.
    pub(crate) grow_size: usize,
    /// The most that may be reserved, in bytes.
    pub(crate) limit: usize,
    pub(crate) zero_on_release: bool,
}

/// What the shards of one pool have in common.
#[derive(Debug)]
pub(crate) struct Supply {
    config: Config,
    /// Bytes of all regions, of those about to be made, too.
    reserved: AtomicUsize,
}

impl Core for Arena {
    type Common = Supply;
    type Open<L: Lock> = ();

    unsafe fn write(place: NonNull<Self>, supply: &Supply) {
        // SAFETY: the caller's place.
        unsafe { place.write(Self::new(supply.config.policy)) };
    }

    unsafe fn write_open<L: Lock>(_: NonNull<()>) {}
}

impl Supply {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            reserved: AtomicUsize::new(0),
        }
    }

    /// Bytes of all regions.
    pub(crate) fn reserved(&self) -> usize {
        self.reserved.load(Ordering::Relaxed)
    }

    /// Counts a chunk for the request, and at the same moment that `returned` bytes are no longer reserved, so that nobody
    /// else can have them. Gives the chunk's bytes: cut to fit the limit, but never less than the request needs.
    fn reserve(&self, request: Request, returned: usize) -> Result<usize, PoolError> {
        let least = request.chunk_size();
        let wanted = least.max(self.config.grow_size & !(UNIT - 1));
        let limit = self.config.limit;
        let mut size = None;
        let exchange = |reserved: usize| {
            let rest = reserved - returned;
            let room = limit.saturating_sub(rest) & !(UNIT - 1);
            size = Some(wanted.min(room)).filter(|&size| size >= least);
            Some(rest + size.unwrap_or(0))
        };
        let before = self
            .reserved
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, exchange);
        size.ok_or_else(|| {
            let reserved = before.unwrap_or_else(|reserved| reserved) - returned;
            PoolError::ByteLimitReached {
                requested: request.room(),
                reserved,
                limit,
            }
        })
    }

    fn give_back(&self, size: usize) {
        self.reserved.fetch_sub(size, Ordering::Relaxed);
    }
}

/// A lease and the shard to give it back to; dropping it does so.
///
/// # Invariants
///
/// *own-shard*: the block was leased by the arena of this shard. Its region has a claim, so the shard lives as long as this.
#[derive(Debug)]
pub(crate) struct Leased<L: Lock> {
    lease: Lease,
    shard: NonNull<Shard<L>>,
}

impl<L: Lock> Leased<L> {
    #[inline]
    fn new(lease: Lease, shard: &Shard<L>) -> Self {
        Self {
            lease,
            shard: NonNull::from(shard),
        }
    }

    /// Gives the lease up for its payload, without releasing the block.
    ///
    /// The provenance is exposed: containers make references of what they are given and pointers of those again, and such
    /// a pointer does not reach the block's header.
    #[cfg(feature = "allocator-api2")]
    pub(crate) fn into_exposed(self) -> NonNull<u8> {
        let payload = std::mem::ManuallyDrop::new(self).payload();
        payload.as_ptr().expose_provenance();
        payload
    }

    /// Takes a lease back that was given up.
    ///
    /// # Safety
    ///
    /// - `payload` has the address that [`into_exposed`](Self::into_exposed) gave for a lease of one of these shards.
    /// - It is taken back once.
    #[cfg(feature = "allocator-api2")]
    pub(crate) unsafe fn from_exposed(shards: &Shards<L>, payload: NonNull<u8>) -> Self {
        let payload = std::ptr::with_exposed_provenance_mut(payload.addr().get());
        // SAFETY: a payload does not lie at address zero.
        let payload = unsafe { NonNull::new_unchecked(payload) };
        // SAFETY: the payload of a live block, whose provenance was exposed.
        let block = unsafe { Block::of_payload(payload) };
        let shard = shards.get(block.tag().shard());
        Self {
            // SAFETY: the caller takes back the only lease, which keeps the chunk.
            lease: unsafe { Lease::new(block) },
            shard: NonNull::from(shard.expect("own-shard: the block was leased by it")),
        }
    }

    #[inline]
    fn shard(&self) -> &Shard<L> {
        // SAFETY: valid: own-shard, for as long as this is borrowed. Aliasing: only shared references are made.
        unsafe { self.shard.as_ref() }
    }

    #[inline]
    pub(crate) fn payload(&self) -> NonNull<u8> {
        self.lease.payload()
    }

    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.lease.capacity()
    }

    pub(crate) fn align(&self) -> usize {
        1 << self.lease.log2_align()
    }

    /// Tells the pool how much of the payload the user sees.
    #[inline]
    pub(crate) fn set_len(&mut self, len: usize) {
        self.lease.set_len(len);
    }

    /// Another block, of the same shard if it has or gets one.
    pub(crate) fn alloc_beside(&self, request: Request) -> Result<Self, PoolError> {
        alloc_at(self.shard().shards(), self.shard().index(), request)
    }

    /// Makes the payload at least `least` bytes large where it is, and up to `wanted`, if what lies behind it is free.
    pub(crate) fn extend(&mut self, least: usize, wanted: usize) -> bool {
        if least > MOST_ROOM {
            return false;
        }
        let (least, wanted) = (units_for(least), units_for(wanted.min(MOST_ROOM)));
        let mut arena = lock(self.shard);
        // SAFETY: own-shard.
        unsafe { arena.extend(&mut self.lease, least, wanted) }
    }

    /// Gives back what lies behind `room` bytes of payload, as far as that makes a free block.
    pub(crate) fn shrink(&mut self, room: usize) {
        self.wipe_from(room);
        let mut arena = lock(self.shard);
        // SAFETY: own-shard.
        unsafe { arena.shrink(&mut self.lease, units_for(room)) };
    }

    /// Overwrites what is about to be released, if the pool was told to.
    #[inline]
    fn wipe_from(&mut self, room: usize) {
        if self.shard().shards().common().config.zero_on_release {
            self.zero(room, usize::MAX);
        }
    }

    /// Zeroes `count` bytes of the payload from `start`; both are cut to what there is.
    #[inline]
    pub(crate) fn zero(&mut self, start: usize, count: usize) {
        let start = start.min(self.capacity());
        let count = count.min(self.capacity() - start);
        // SAFETY: inside the payload.
        let start = unsafe { self.payload().add(start) };
        // SAFETY: inside the payload, which belongs to this lease alone.
        unsafe { start.write_bytes(0, count) };
    }
}

impl<L: Lock> Drop for Leased<L> {
    #[inline]
    fn drop(&mut self) {
        self.wipe_from(0);
        // SAFETY: this lease ends here, and is not used again.
        let lease = unsafe { Lease::new(self.lease.block()) };
        // SAFETY: own-shard, and as in `lock`.
        match unsafe { Shard::lock_raw_at_once(self.shard) } {
            // SAFETY: own-shard.
            Some(arena) => unsafe { release(arena, lease) },
            // SAFETY: own-shard.
            None => unsafe { release_waiting(self.shard, lease) },
        }
    }
}

/// Takes a block back, and unlocks.
///
/// # Safety
///
/// It was leased by this arena.
#[inline]
unsafe fn release<L: Lock, const AT_ONCE: bool>(
    mut arena: Guard<'_, L, Arena, AT_ONCE>,
    lease: Lease,
) {
    // SAFETY: passed on.
    if let Err(lease) = unsafe { arena.release_late(lease) } {
        // SAFETY: passed on.
        unsafe { release_and_merge(arena.into_any(), lease) };
    }
}

/// # Safety
///
/// As [`release`].
#[inline(never)]
unsafe fn release_and_merge<L: Lock>(mut arena: Guard<'_, L, Arena>, lease: Lease) {
    // SAFETY: passed on.
    let region = unsafe { arena.release(lease) };
    if let Some(region) = region {
        free(region, arena);
    }
}

/// # Safety
///
/// The block was leased by the arena of this shard.
#[cold]
unsafe fn release_waiting<L: Lock>(shard: NonNull<Shard<L>>, lease: Lease) {
    // SAFETY: passed on.
    unsafe { release(lock(shard), lease) };
}

/// Locks the shard of a lease.
#[inline]
fn lock<'a, L: Lock>(shard: NonNull<Shard<L>>) -> Guard<'a, L, Arena> {
    // SAFETY: own-shard: the caller has a lease, so the shard lives until the guard is dropped: when the lease is given back
    // under it, what may free the shard is a claim taken under it, too.
    unsafe { Shard::lock_raw(shard) }
}

/// Unlocks, then frees a region that the locked arena has given up, and with it the region's claim.
#[cold]
fn free<L: Lock>(region: Region, arena: Guard<'_, L, Arena>) -> usize {
    let size = region.size();
    // SAFETY: the claim was given up when the arena adopted the region, which it now has given up, once.
    let claim = unsafe { Claim::of_owner(arena.shard().shards()) };
    drop(arena);
    drop(region);
    claim.shards().common().give_back(size);
    size
}

/// Leases a block: from the calling thread's shard, from a new chunk for it, or, when the limit is reached, from any shard.
#[inline]
pub(crate) fn alloc<L: Lock>(shards: &Shards<L>, request: Request) -> Result<Leased<L>, PoolError> {
    let leased = if request.is_plain() {
        alloc_at_once::<L, true>(shards, request)
    } else {
        alloc_at_once::<L, false>(shards, request)
    };
    match leased {
        Some(leased) => Ok(leased),
        None => alloc_at(shards, shards.home(), request),
    }
}

/// Leases a block from the calling thread's shard, if that is there, its lock need not be waited for, and it has one.
///
/// Not inlined: what it gives comes in two registers, and what comes after it need not be done with the lock.
#[inline(never)]
fn alloc_at_once<L: Lock, const PLAIN: bool>(
    shards: &Shards<L>,
    request: Request,
) -> Option<Leased<L>> {
    let mut arena = shards.lock_home_at_once()?;
    let request = request.known::<PLAIN>();
    match arena.alloc_late(request) {
        Some(lease) => Some(Leased::new(lease, arena.shard())),
        None => alloc_listed::<L, PLAIN>(arena, request),
    }
}

/// A function of its own, for it needs more registers than what is done for a block that waits.
#[inline(never)]
fn alloc_listed<L: Lock, const PLAIN: bool>(
    mut arena: QuickGuard<'_, L, Arena>,
    request: Request,
) -> Option<Leased<L>> {
    let lease = arena.alloc_listed(request.known::<PLAIN>())?;
    Some(Leased::new(lease, arena.shard()))
}

/// As [`alloc`], from the shard at `index`.
#[cold]
fn alloc_at<L: Lock>(
    shards: &Shards<L>,
    index: usize,
    request: Request,
) -> Result<Leased<L>, PoolError> {
    let shard = shards
        .get_or_try_make(index)
        .map_err(|layout| PoolError::OutOfMemory { layout })?;
    match alloc_in(shard, request) {
        Some(leased) => Ok(leased),
        None => alloc_more(shard, request),
    }
}

fn alloc_in<L: Lock>(shard: &Shard<L>, request: Request) -> Option<Leased<L>> {
    let lease = shard.lock().alloc(request)?;
    Some(Leased::new(lease, shard))
}

#[cold]
fn alloc_more<L: Lock>(shard: &Shard<L>, request: Request) -> Result<Leased<L>, PoolError> {
    let shards = shard.shards();
    let error = match shards.common().reserve(request, 0) {
        Ok(size) => match grow(shard, request, size) {
            Ok(leased) => return Ok(leased),
            Err(error) => error,
        },
        Err(error) => error,
    };
    if let Some(leased) = shards.iter().find_map(|shard| alloc_in(shard, request)) {
        return Ok(leased);
    }
    match error {
        PoolError::ByteLimitReached { .. } => alloc_last(shard, request),
        error => Err(error),
    }
}

/// Makes a chunk of `size` bytes, which are already counted, for the request.
fn grow<L: Lock>(shard: &Shard<L>, request: Request, size: usize) -> Result<Leased<L>, PoolError> {
    let supply = shard.shards().common();
    let layout = Chunk::layout(size).expect("a request is never larger than an allocation can be");
    let region = Region::try_new(layout).map_err(|layout| {
        supply.give_back(size);
        PoolError::OutOfMemory { layout }
    })?;
    let claim = shard.shards().claim();
    let mut arena = shard.lock();
    // Meanwhile another thread may have released a block that will do.
    let lease = match arena.alloc(request) {
        Some(lease) => {
            claim.into_owner();
            free(region, arena);
            lease
        }
        None => {
            claim.into_owner();
            arena.adopt(region, shard.index(), request)
        }
    };
    Ok(Leased::new(lease, shard))
}

/// Before the limit is reported: looks for a block in all shards, all locked at once; if there is none, frees all wholly free
/// chunks and grows again.
fn alloc_last<L: Lock>(shard: &Shard<L>, request: Request) -> Result<Leased<L>, PoolError> {
    let shards = shard.shards();
    let mut all = shards.lock_all();
    for index in 0..shards.count() {
        let lease = all
            .core(index)
            .and_then(|arena| arena.alloc_anywhere(request));
        if let (Some(lease), Some(shard)) = (lease, shards.get(index)) {
            return Ok(Leased::new(lease, shard));
        }
    }
    let mut idle = [const { None }; MOST_SHARDS];
    for (index, region) in idle.iter_mut().enumerate().take(shards.count()) {
        *region = all.core(index).and_then(Arena::take_idle);
    }
    drop(all);
    let returned = idle
        .into_iter()
        .flatten()
        .map(|region| unclaim(shards, region))
        .sum();
    let size = shards.common().reserve(request, returned)?;
    grow(shard, request, size)
}

/// Frees a region and its claim, but leaves its bytes counted.
fn unclaim<L: Lock>(shards: &Shards<L>, region: Region) -> usize {
    let size = region.size();
    drop(region);
    // SAFETY: as in `free`.
    drop(unsafe { Claim::of_owner(shards) });
    size
}

/// Frees every wholly free chunk; gives the bytes.
pub(crate) fn shrink<L: Lock>(shards: &Shards<L>) -> usize {
    free_from_each(shards, Arena::take_idle)
}

/// The pool is being dropped: what is wholly free goes now, the rest with the last lease of each region.
pub(crate) fn close<L: Lock>(shards: &Shards<L>) {
    free_from_each(shards, Arena::close);
}

fn free_from_each<L: Lock>(
    shards: &Shards<L>,
    take: impl Fn(&mut Arena) -> Option<Region>,
) -> usize {
    let free_from = |shard: &Shard<L>| {
        let mut arena = shard.lock();
        take(&mut arena).map_or(0, |region| free(region, arena))
    };
    shards.iter().map(free_from).sum()
}
