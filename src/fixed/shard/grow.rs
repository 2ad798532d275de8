//! How a shard gets slots: by steps when it has none, as many as are reserved, all of them or none.

use std::alloc::Layout;
use std::ptr::NonNull;

use super::release::detach;
use super::{Acquired, SlotShard, SlotShards, receive, take_locked};
use crate::chunk::Region;
use crate::error::PoolError;
use crate::fixed::header::Origin;
use crate::fixed::lease::Lease;
use crate::fixed::region::NewRegion;
use crate::fixed::slots::Slots;
use crate::sync::{Growing, Lock};

/// Adds the slots of one growth step to a shard and takes one of them; `None` when the limit leaves no slots.
pub(super) fn grow_by_a_step<L: Lock>(
    shard: &SlotShard<L>,
) -> Result<Option<Acquired<'_, L>>, PoolError> {
    let common = shard.shards().common();
    let wanted = {
        let slots = shard.lock();
        match (common.config.growth, slots.unopened()) {
            (Some(growth), _) => growth,
            (None, 0) => common.slots.geometric(slots.reserved_bytes()),
            (None, unopened) => unopened,
        }
    };
    let granted = common.grant(wanted);
    if granted == 0 {
        return Ok(None);
    }
    let mut taken = None;
    grow(shard, granted, |slots| taken = take_and_hide(slots, shard))?;
    let mut slots = shard.lock();
    let lease = taken.expect("a slot was just opened");
    slots.reveal(&lease);
    Ok(Some(Acquired { slots, lease }))
}

/// Takes a slot that walks do not see when the lock is given back.
fn take_and_hide<L: Lock>(slots: &mut Slots, shard: &SlotShard<L>) -> Option<Lease> {
    let lease = take_locked(slots, shard)?;
    slots.hide(&lease);
    Some(lease)
}

/// Adds slots that were granted to a shard: all of them, or none. `then` is run under the lock under which they are opened.
fn grow<L: Lock>(
    shard: &SlotShard<L>,
    granted: usize,
    then: impl FnOnce(&mut Slots),
) -> Result<(), PoolError> {
    let mut fresh = Fresh {
        shard,
        regions: Vec::new(),
        slots: 0,
    };
    let _growing = Growing::begin();
    let result = fresh.provide(granted, then);
    if result.is_err() {
        shard.shards().common().revoke(granted);
    }
    result
}

/// Regions allocated for a shard that are not part of it yet.
struct Fresh<'a, L: Lock> {
    shard: &'a SlotShard<L>,
    regions: Vec<NewRegion>,
    slots: usize,
}

impl<L: Lock> Fresh<'_, L> {
    /// Allocates what is missing and opens `granted` slots.
    fn provide(&mut self, granted: usize, then: impl FnOnce(&mut Slots)) -> Result<(), PoolError> {
        self.probe(granted)?;
        loop {
            let mut slots = self.shard.lock();
            let have = slots.unopened() + self.slots;
            if have >= granted {
                self.open(&mut slots, granted);
                then(&mut slots);
                // Nobody would give back the regions of a pool that is gone in which no slot is ever used.
                let unused = slots
                    .is_closed()
                    .then(|| detach(&mut slots, |slots| slots.detach_idle(usize::MAX)));
                drop(slots);
                drop(unused);
                return Ok(()); // what is left of the new regions is freed with `self`
            }
            let reserved = slots.reserved_bytes();
            drop(slots);
            self.add(granted - have, reserved)?;
        }
    }

    /// Asks the allocator for the memory of `slots` slots in one piece and gives it back: region by region, a request
    /// beyond all reason would eat up the machine before it failed.
    fn probe(&self, slots: usize) -> Result<(), PoolError> {
        let layout = self.shard.shards().common().slots;
        if slots <= layout.most_per_region() {
            return Ok(());
        }
        let memory = layout.at_least(slots).ok_or_else(|| self.too_many(slots))?;
        Region::try_new(memory)
            .map(drop)
            .map_err(|layout| PoolError::OutOfMemory { layout })
    }

    fn too_many(&self, requested: usize) -> PoolError {
        let most = isize::MAX as usize / self.shard.shards().common().slots.stride();
        PoolError::SizeOverflow {
            requested,
            most,
            unit: "slots",
        }
    }

    /// Allocates a region towards `missing` slots. No lock is held.
    fn add(&mut self, missing: usize, reserved: usize) -> Result<(), PoolError> {
        let common = self.shard.shards().common();
        let region = common
            .slots
            .region(self.next_slots(missing, reserved))
            .ok_or_else(|| self.too_many(missing))?;
        let entry = Layout::new::<NewRegion>();
        self.regions
            .try_reserve(1)
            .map_err(|_| PoolError::OutOfMemory { layout: entry })?;
        let origin = Origin {
            owner: NonNull::from(self.shard).cast(),
            pool: common.number,
        };
        let region = NewRegion::try_new(region, origin)
            .map_err(|layout| PoolError::OutOfMemory { layout })?;
        self.slots += region.slots();
        self.regions.push(region);
        Ok(())
    }

    /// How many slots the next region gets: what is missing, and more if later steps can use it.
    fn next_slots(&self, missing: usize, reserved: usize) -> usize {
        let common = self.shard.shards().common();
        let usable = missing.saturating_add(common.config.limit - common.capacity());
        let wanted = common
            .slots
            .geometric(reserved)
            .clamp(missing, missing.max(usable));
        match common.config.keep_empty {
            None => wanted.min(common.slots.most_per_region()),
            Some(_) => wanted.min(common.slots.per_chunk()), // so that each chunk can go back alone
        }
    }

    /// Opens `count` slots, the shard's unopened ones first. Regions that turn out not to be needed stay.
    fn open(&mut self, slots: &mut Slots, count: usize) {
        let common = self.shard.shards().common();
        let before = slots.idle();
        let first = count.min(slots.unopened());
        slots.open(first);
        let mut left = count - first;
        while left > 0 {
            let region = self
                .regions
                .pop()
                .expect("there are as many slots as are opened");
            let here = left.min(region.slots());
            slots.attach(region);
            self.shard.shards().claim().into_owner();
            slots.open(here);
            left -= here;
        }
        if slots.is_counted() {
            common.follow_idle(before, slots.idle());
        }
    }
}

/// Makes sure that the shard at `home`, or at the limit the whole pool, has `count` free slots.
pub(crate) fn reserve<L: Lock>(
    shards: &SlotShards<L>,
    home: usize,
    count: usize,
) -> Result<(), PoolError> {
    let shard = shards
        .get_or_try_make(home)
        .map_err(|layout| PoolError::OutOfMemory { layout })?;
    let common = shards.common();
    let missing = count.saturating_sub(free(shard));
    let most = isize::MAX as usize / common.slots.stride();
    if missing > most {
        return Err(PoolError::SizeOverflow {
            requested: count,
            most,
            unit: "slots",
        });
    }
    let steps = match common.config.growth {
        Some(growth) => missing.div_ceil(growth).saturating_mul(growth),
        None => missing,
    };
    if missing == 0 {
        return Ok(());
    }
    let granted = common.grant(steps);
    if granted < missing {
        let free: usize = shards.iter().map(free).sum();
        if free + granted < count {
            common.revoke(granted);
            let (limit, room) = (common.config.limit, free + granted);
            return Err(PoolError::ReserveBeyondLimit {
                requested: count,
                room,
                limit,
            });
        }
    }
    if granted == 0 {
        Ok(())
    } else {
        grow(shard, granted, |_| {})
    }
}

/// How many slots of a shard are free.
fn free<L: Lock>(shard: &SlotShard<L>) -> usize {
    let mut slots = shard.lock();
    receive(&mut slots, shard);
    slots.free()
}
