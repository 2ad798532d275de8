#![expect(unsafe_code, reason = "hands out slots and links chunks by pointer")]
//! The core of a slot pool's shard: which slots are free, and which may be looked at.
//!
//! ```text
//!   magazine  [ s7 s3 s9 ──┐ top: last freed, first reused      take pops, release pushes
//!                ▲ refill  │ flush (half, or all before a walk)
//!                │         ▼
//!   chunks    ┌ header │ free 0110… hidden 0000… dropped 0000… │ slots … ┐
//!             └ header │ free 1111… hidden 0100… dropped 0000… │ slots … ┘
//! ```
//!
//! Taking and releasing touch no bitmap; the bitmaps are exact only after a [`flush`](Slots::flush), which comes before
//! every look at them. This knows no locks, no policy and no handles.

use std::mem::{self, offset_of};
use std::ptr::NonNull;

use super::header::{All, Group, Header, List, WithFree, bits_of, header_of};
use super::layout::GROUP;
use super::lease::{Due, Idle, Lease, Leased, Pin, Spot, View};
use super::magazine::{MAGAZINE, Magazine};
use super::region::{Detached, NewRegion};
use crate::sync::{Rule, keeps};

/// Chunks that have unopened slots: neighbours in one region.
struct Unopened {
    header: NonNull<Header>,
    slots: usize,
}

/// The slots of one shard.
///
/// # Invariants
///
/// - *partition*: each opened slot is exactly one of: free by its bitmap, in the magazine, leased, hidden, dropped
///   (hidden and dropped ones are leased, too); hidden and dropped never overlap. Hidden is what its bitmap says, or `ending`. A leased
///   slot may be leaving, of which nobody here is told.
/// - *live-is-init*: after a flush, an opened slot that is neither free nor hidden nor leaving holds an object.
/// - *ending-is-unseen*: while a walk is inside of a group of the shard, or a hold lives that has looked for one, `ending` is
///   nothing: both flush before, and what is dropped after is hidden in its group or put off.
/// - *linked-is-live*: see [`Header`].
/// - *listed-iff-free*: `with_free` has exactly the chunks with a free bit.
/// - *live-count*: `live_or_at_hand` less the slots in the magazine is how many leased slots are neither hidden nor dropped, and, as
///   [`crate::sync::Core::Open`] counts them out, how many were released after it had. (So what is leaving counts here.)
/// - *one-unopened*: all unopened slots of the shard lie in the chunks of `unopened`.
/// - *one-role-if-quiet*: while nothing is dropped in a group, all who are inside came under its current role: roles change only
///   for what was dropped, and the last of that is settled when nobody is left in the other role.
/// - *lone-is-quiet*: the group that `lone` names has one pin that its counts leave out, and nothing dropped.
#[repr(C)] // the magazine last: most of its places are seldom used, and `write` leaves them out
pub(crate) struct Slots<const ROOM: usize = MAGAZINE> {
    /// Whether every chunk knows how many of its slots are used: what it takes to give chunks back at once.
    counted: bool,
    /// Whether the pool is gone: then chunks go back with their last handle.
    closed: bool,
    /// Pins in all groups together: while it is zero a drop need not look for its group.
    pins: usize,
    /// The group of a walk that is counted nowhere but in `pins`, if there is one: most shards are walked by one walk at a time,
    /// and to write to every group it comes to would take it a third longer, where memory is far. Only compared.
    lone: Option<NonNull<Group>>,
    /// The slot that was hidden last, if its bitmap does not say so yet: most shards destroy one object at a time, and its group
    /// need not be looked for.
    ending: Option<NonNull<u8>>,
    /// Objects and slots in the magazine, together: so neither making an object of a slot nor its end changes it.
    live_or_at_hand: usize,
    chunks: List<All>,
    with_free: List<WithFree>,
    unopened: Option<Unopened>,
    deferred: usize,
    chunk_count: usize,
    opened: usize,
    /// Wholly free chunks: kept only in a counted shard.
    idle: usize,
    reserved_bytes: usize,
    magazine: Magazine<ROOM>,
}

/// Where a step looks for the next group with live objects.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Look {
    /// Right behind, in the same chunk.
    NextDoor,
    /// Anywhere behind.
    Behind,
}

impl<const ROOM: usize> Slots<ROOM> {
    /// A core without slots. `counted` chunks are reported as soon as they are wholly free.
    pub(crate) const fn new(counted: bool) -> Self {
        Self {
            counted,
            closed: false,
            pins: 0,
            lone: None,
            ending: None,
            live_or_at_hand: 0,
            chunks: List::new(),
            with_free: List::new(),
            unopened: None,
            deferred: 0,
            chunk_count: 0,
            opened: 0,
            idle: 0,
            reserved_bytes: 0,
            magazine: Magazine::new(),
        }
    }
}

impl Slots {
    /// Writes a core without slots to its place. Copied there, it would touch all the pages of the magazine.
    ///
    /// # Safety
    ///
    /// The place is valid for writes and aligned.
    pub(crate) unsafe fn write(place: NonNull<Self>, counted: bool) {
        const { assert!(offset_of!(Self, magazine) == offset_of!(Slots<0>, magazine)) };
        // SAFETY: the caller's place. Both lie alike up to the magazine's places, which may be uninitialised.
        unsafe { place.cast().write(Slots::<0>::new(counted)) };
    }

    /// Objects whose drop has not begun, except as far as [`crate::sync::Core::Open`] counts drops.
    pub(crate) fn live(&self) -> usize {
        self.live_or_at_hand.wrapping_sub(self.magazine.len())
    }

    pub(crate) fn deferred(&self) -> usize {
        self.deferred
    }

    pub(crate) fn chunk_count(&self) -> usize {
        self.chunk_count
    }

    /// Slots that have been opened.
    pub(crate) fn opened(&self) -> usize {
        self.opened
    }

    pub(crate) fn reserved_bytes(&self) -> usize {
        self.reserved_bytes
    }

    /// Wholly free chunks, in a counted shard.
    #[inline]
    pub(crate) fn idle(&self) -> usize {
        self.idle
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(crate) fn is_counted(&self) -> bool {
        self.counted
    }

    /// The chunks, newest first.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = &Header> {
        self.chunks.iter()
    }

    /// Slots that may still be opened.
    pub(crate) fn unopened(&self) -> usize {
        self.unopened.as_ref().map_or(0, |unopened| unopened.slots)
    }

    /// Slots that are free, in the magazine or not. O(chunks with free slots).
    pub(crate) fn free(&self) -> usize {
        self.magazine.len() + self.with_free.iter().map(Header::free).sum::<usize>()
    }

    /// A leased slot counts as an object again.
    #[inline]
    pub(crate) fn count_in(&mut self) {
        self.live_or_at_hand = self.live_or_at_hand.wrapping_add(1);
    }

    /// A leased slot counts as an object no longer.
    #[inline]
    fn count_out(&mut self) {
        self.live_or_at_hand = self.live_or_at_hand.wrapping_sub(1);
    }

    /// Takes the slot released last, if that was a short while ago; never in a counted shard.
    ///
    /// Until it is hidden or holds an object, no lock may be given up: it counts as an object, and walks take it for one.
    #[inline]
    pub(crate) fn take_at_hand(&mut self) -> Option<Lease> {
        if self.counted {
            return None;
        }
        self.pop()
    }

    /// Leases the slot on top of the magazine.
    #[inline]
    fn pop(&mut self) -> Option<Lease> {
        let slot = self.magazine.pop()?;
        // SAFETY: partition: what is in the magazine has no lease.
        let lease = unsafe { Lease::from_slot(slot) };
        lease.open();
        Some(lease)
    }

    /// Takes any free slot; what [`take_at_hand`](Self::take_at_hand) says holds here, too.
    #[cold]
    pub(crate) fn take(&mut self) -> Option<Lease> {
        if self.magazine.is_empty() {
            self.refill();
        }
        let lease = self.pop()?;
        if self.counted {
            let header = lease.header();
            header.used.set(header.used.get() + 1);
            if header.used.get() == 1 {
                // SAFETY: linked-is-live: the region's first chunk is attached with this one.
                let region = unsafe { header.region().as_ref() };
                region.region_idle.set(region.region_idle.get() - 1);
                self.idle -= 1;
            }
        }
        Some(lease)
    }

    /// Fills the empty magazine from one group.
    fn refill(&mut self) {
        let Some(header) = self.with_free.first() else {
            return;
        };
        let (group, taken) = header.take_free();
        let count = taken.count_ones() as usize;
        // The lowest address on top.
        self.magazine.fill(count, header.slots_of(group, taken));
        self.live_or_at_hand = self.live_or_at_hand.wrapping_add(count);
        if header.free() == 0 {
            let header = NonNull::from(header);
            // SAFETY: listed-iff-free: it was the first of the list.
            unsafe { self.with_free.remove(header) };
        }
    }

    /// As [`release`](Self::release), if that is a matter of a few instructions; else the lease comes back. Never in a counted shard.
    #[inline]
    pub(crate) fn release_at_hand(&mut self, lease: Lease) -> Result<(), Lease> {
        if self.counted || !self.magazine.push(lease.slot()) {
            return Err(lease);
        }
        lease.shut();
        Ok(())
    }

    /// Makes a slot free, which counts as an object until now. In a counted shard, tells when that was the last one used of its
    /// chunk.
    #[inline]
    pub(crate) fn release(&mut self, lease: Lease) -> Option<Idle> {
        lease.shut();
        if self.counted {
            return self.release_counted(lease);
        }
        self.put_at_hand(&lease);
        None
    }

    /// Puts a slot on top of the magazine.
    #[inline]
    fn put_at_hand(&mut self, lease: &Leased) {
        if !self.magazine.push(lease.slot()) {
            self.flush_oldest(MAGAZINE / 2);
            self.magazine.push(lease.slot());
        }
    }

    #[cold]
    fn release_counted(&mut self, lease: Lease) -> Option<Idle> {
        self.put_at_hand(&lease);
        let header = lease.header();
        header.used.set(header.used.get() - 1);
        if header.used.get() > 0 {
            return None;
        }
        // SAFETY: linked-is-live: the region's first chunk is attached with this one.
        let region = unsafe { header.region().as_ref() };
        region.region_idle.set(region.region_idle.get() + 1);
        self.idle += 1;
        Some(Idle::new(header.region()))
    }

    /// Makes the bitmaps exact: nothing stays in the magazine, and what is hidden they say.
    #[inline]
    pub(crate) fn flush(&mut self) {
        if self.ending.is_some() && keeps(Rule::Ending) {
            self.replace_ending(None).iter().for_each(hide_in_group);
        }
        let count = self.magazine.len();
        if count > 0 {
            self.flush_oldest(count);
        }
    }

    /// Marks the slots free that have been longest in the magazine. Those of one group that lie there in a row are marked
    /// together.
    fn flush_oldest(&mut self, count: usize) {
        let mut slots = self.magazine.oldest(count);
        while let Some(&slot) = slots.first() {
            // SAFETY: partition: it is a slot of an attached chunk.
            let header = unsafe { header_of(slot) };
            let index = header.index_of(slot);
            let (mask, run) = header.run_from(index, slots);
            mark_free(&mut self.with_free, header, index / GROUP, mask, run);
            slots = &slots[run..];
        }
        self.magazine.forget_oldest(count);
        self.live_or_at_hand = self.live_or_at_hand.wrapping_sub(count);
    }

    /// Hides a leased slot from walks, and counts it out: no object is in it yet, or its destructor is about to run.
    #[inline]
    pub(crate) fn hide(&mut self, lease: &Leased) {
        hide_in_group(lease);
        self.count_out();
    }

    /// As [`hide`](Self::hide), without a look at the slot's group, if no walk is inside.
    ///
    /// There is one place that writes to a group: with two, inlined both, a drop takes a sixth longer.
    #[inline]
    pub(crate) fn hide_ending(&mut self, lease: &Leased) {
        let outer;
        let in_group = if self.pins > 0 {
            Some(lease)
        } else {
            // Of two that are nested the inner one is released first, and maybe a thousand others after it.
            outer = self.replace_ending(Some(lease.slot()));
            outer.as_ref()
        };
        if let Some(lease) = in_group {
            hide_in_group(lease);
        }
        self.count_out();
    }

    /// Forgets the slot that is hidden by its address, for another or none: it is to be hidden in its group.
    #[inline]
    fn replace_ending(&mut self, slot: Option<NonNull<u8>>) -> Option<Leased> {
        let former = mem::replace(&mut self.ending, slot);
        // SAFETY: partition: somebody has its lease.
        former.map(|slot| unsafe { Leased::of(slot) })
    }

    /// Shows a hidden slot, which holds an object now, and counts it in.
    #[inline]
    pub(crate) fn reveal(&mut self, lease: &Leased) {
        if self.ending == Some(lease.slot()) {
            self.ending = None;
        } else {
            let (group, bit) = lease.group();
            group.hidden.set(group.hidden.get() & !bit);
        }
        self.count_in();
    }

    /// As [`release_hidden`](Self::release_hidden), if that is a matter of a few instructions; else the lease comes back, and the
    /// slot is as hidden as it was. Never in a counted shard.
    #[inline]
    pub(crate) fn release_ending_at_hand(&mut self, lease: Lease) -> Result<(), Lease> {
        if self.ending != Some(lease.slot()) {
            return Err(lease);
        }
        self.release_at_hand(lease)?;
        self.ending = None;
        self.count_in(); // for it is at hand
        Ok(())
    }

    /// Makes a hidden slot free.
    #[inline]
    pub(crate) fn release_hidden(&mut self, lease: Lease) -> Option<Idle> {
        self.reveal(&lease);
        self.release(lease)
    }

    /// Whether a walk may be looking at the object in a slot.
    #[inline]
    pub(crate) fn is_pinned(&self, lease: &Leased) -> bool {
        if self.pins == 0 || !keeps(Rule::PinCheck) {
            return false;
        }
        let (group, _) = lease.group();
        self.lone == Some(NonNull::from(group)) || group.counts_any()
    }

    /// Leaves a slot to the walks and holds that may look at its object. Its lease is theirs now.
    pub(crate) fn defer(&mut self, lease: Lease) {
        let (group, bit) = lease.group();
        if self.lone == Some(NonNull::from(group)) && keeps(Rule::Lone) {
            self.lone = None;
            group.pin(); // what is dropped waits for those that are counted
        }
        group.defer(bit);
        self.deferred += 1;
        self.count_out();
    }

    /// The first chunk of a region: of the newest, or of the one behind the given one, which is attached.
    #[cfg(feature = "rayon")]
    pub(crate) fn next_region(&self, after: Option<&Header>) -> Option<&Header> {
        let Some(first) = after else {
            return self.chunks.first();
        };
        // SAFETY: linked-is-live: all of a region is attached together.
        let last = unsafe { first.chunk(usize::from(first.region_chunks()) - 1).as_ref() };
        // Chunks of one region are neighbours in the list, the first in front.
        self.chunks.after(last)
    }

    /// Flushes, then pins the first group with a live object: behind the pinned one, or from the start.
    pub(crate) fn pin_next(&mut self, after: Option<&Pin>) -> Option<Pin> {
        if after.is_none() || keeps(Rule::Flush) {
            self.flush();
        }
        let live = self.next(after.map(Pin::spot), Group::live_mask)?;
        // SAFETY: it was just found, in the list (linked-is-live), under the same `&mut self`.
        Some(unsafe { self.pin(live) })
    }

    /// Pins a group with all its live objects.
    ///
    /// # Safety
    ///
    /// They were just looked up, flushed, in an attached chunk of this shard, under the same `&mut self`.
    #[inline]
    pub(crate) unsafe fn pin(&mut self, live: View) -> Pin {
        self.pins += 1;
        // SAFETY: the caller's.
        unsafe { self.enter(live) }
    }

    /// Lets a walk into a group, which does not count it if it need not.
    ///
    /// # Safety
    ///
    /// As for [`pin`](Self::pin).
    #[inline(always)]
    unsafe fn enter(&mut self, live: View) -> Pin {
        // SAFETY: the caller says that its chunk is attached. Aliasing: all its fields are cells.
        let group = unsafe { live.bits().as_ref() };
        let role = if self.lone.is_none() && group.dropped() == 0 && keeps(Rule::Pin) {
            self.lone = Some(live.bits());
            group.role()
        } else {
            group.pin()
        };
        // SAFETY: the caller's, and it was just entered.
        unsafe { Pin::new(live, role) }
    }

    /// Lets a walk out of its group, which is attached: if one there is not counted, it may as well be this one (lone-is-quiet,
    /// one-role-if-quiet).
    #[inline]
    fn leave(&mut self, pin: &Pin) {
        if self.lone == Some(pin.view().bits()) {
            self.lone = None;
        } else {
            pin.bits().unpin(pin.role());
        }
    }

    /// Gives a pin back. Unless the pool is held, also returns the objects whose destruction it was the last to put off.
    #[inline]
    pub(crate) fn unpin(&mut self, pin: Pin, held: bool) -> Due {
        self.leave(&pin);
        self.pins -= 1;
        let due = |mask| Spot { mask, ..pin.spot() };
        if pin.bits().dropped() == 0 {
            return Due::new(due(0)); // without a look at what else there is to do, for it is nothing
        }
        let mask = if held { 0 } else { pin.bits().settle() };
        self.due(due(mask))
    }

    /// Moves a pin on to the next group with live objects, if there is one and nothing else is to be done: what [`pin_next`] and
    /// [`unpin`] do then, in place.
    ///
    /// A pin that was built anew, returned and moved for every group cost as much as sixty objects: each copy reads, in one
    /// piece, what was just written in several, and has to wait for the cache.
    ///
    /// [`pin_next`]: Self::pin_next
    /// [`unpin`]: Self::unpin
    #[inline(always)]
    pub(crate) fn step(&mut self, pin: &mut Pin, look: Look) -> bool {
        if pin.bits().dropped() != 0 {
            return false;
        }
        let found = self.look(pin.spot(), look);
        if let Some(found) = found {
            self.leave(pin);
            // SAFETY: it was just found, in the list (linked-is-live), under the same `&mut self`.
            *pin = unsafe { self.enter(found) };
        }
        found.is_some()
    }

    /// As [`step`](Self::step), for a view that is not pinned: its chunk is held.
    #[inline(always)]
    pub(crate) fn step_held(&self, view: &mut View, look: Look) -> bool {
        let found = self.look(view.spot(), look);
        if let Some(found) = found {
            *view = found;
        }
        found.is_some()
    }

    /// The next group with live objects, if that is where one looks, and nothing is to be flushed. A walk is inside, or a hold has
    /// looked for the group of the spot.
    #[inline(always)]
    fn look(&self, spot: Spot, look: Look) -> Option<View> {
        debug_assert!(
            self.ending.is_none() || !keeps(Rule::Ending),
            "ending-is-unseen"
        );
        if !self.magazine.is_empty() {
            return None;
        }
        match look {
            Look::NextDoor => self.live_next_door(spot),
            Look::Behind => self.next(Some(spot), Group::live_mask),
        }
    }

    /// The group next door, if it is all opened and has live objects; after a flush.
    ///
    /// What most steps come to, without [`next`](Self::next)'s loops and shifts: inlined into walks it takes 5 to 10 %
    /// off those of dense and of half full pools in the cache.
    #[inline(always)]
    fn live_next_door(&self, spot: Spot) -> Option<View> {
        // SAFETY: what spots are kept in (a pin, a hold's iterator) keeps their chunk attached.
        let header = unsafe { spot.header() };
        let group = spot.group + 1;
        let bits = header.full_group(group)?;
        header.fetch_ahead(group);
        let mask = bits.live_mask(u64::MAX);
        (mask != 0).then(|| View::of(header, group, bits, mask))
    }

    /// Flushes, then finds the first group with a live object, behind the given one or from the start, whose chunk is attached:
    /// a pin keeps it, or a hold.
    pub(crate) fn live_next(&mut self, after: Option<Spot>) -> Option<View> {
        self.flush();
        self.next(after, Group::live_mask)
    }

    /// Hides and returns the dropped objects of the first group, behind the given one or from the start, that has any whose
    /// destruction no walk puts off. The pool is not held.
    pub(crate) fn sweep_next(&mut self, after: Option<&Due>) -> Option<Due> {
        if self.deferred == 0 {
            return None;
        }
        let settle = |bits: &Group, _| match bits.dropped() {
            0 => 0,
            _ => bits.settle(),
        };
        let settled = self.next(after.map(Due::spot), settle)?;
        Some(self.due(settled.spot()))
    }

    /// Hides and returns the adopted objects of the first group, behind the given one or from the start, that has any.
    pub(crate) fn disown_next(&mut self, after: Option<&Due>) -> Option<Due> {
        self.flush();
        let adopted = |bits: &Group, _| bits.adopted.get();
        let spot = self.next(after.map(Due::spot), adopted)?.spot();
        let due = Due::new(spot);
        for bit in bits_of(spot.mask) {
            // SAFETY: an adopted object's lease was the pool's, and is `due`'s now.
            let leased = unsafe { Leased::of(due.slot(bit)) };
            leased.end();
            self.hide(&leased);
        }
        self.group(spot).adopted.set(0);
        Some(due)
    }

    /// What was dropped and is hidden now.
    fn due(&mut self, spot: Spot) -> Due {
        self.deferred -= spot.mask.count_ones() as usize;
        Due::new(spot)
    }

    /// Makes the slots of destroyed objects free.
    pub(crate) fn release_due(&mut self, due: &Due) -> Option<Idle> {
        let mut idle = None;
        for bit in bits_of(due.spot().mask) {
            // SAFETY: due-is-hidden: the lease was `due`'s.
            idle = self.release_hidden(unsafe { Lease::from_slot(due.slot(bit)) });
        }
        idle
    }

    /// The first group, behind the given one or from the start, of which `mask` picks slots: it is told which are opened.
    ///
    /// The chunk of the group that is given is attached.
    ///
    /// Inlined, like what passes its result on: a view has more words than there are registers to return it in.
    #[inline(always)]
    fn next(&self, after: Option<Spot>, mask: impl Fn(&Group, u64) -> u64) -> Option<View> {
        let (mut header, mut group) = match after {
            // SAFETY: what spots are kept in (a pin, a due, a hold's iterator) keeps their chunk attached.
            Some(spot) => (unsafe { spot.header() }, spot.group + 1),
            None => (self.chunks.first()?, 0),
        };
        loop {
            if let Some((bits, opened)) = header.opened_group(group) {
                header.fetch_ahead(group);
                let mask = mask(bits, opened);
                if mask != 0 {
                    return Some(View::of(header, group, bits, mask));
                }
                group += 1;
            } else {
                header = self.chunks.after(header)?;
                group = 0;
            }
        }
    }

    /// The group of a spot that was just found.
    fn group(&self, spot: Spot) -> &Group {
        // SAFETY: linked-is-live: `next` found it in the list, under the same `&mut self`.
        &unsafe { spot.header() }.groups()[spot.group]
    }

    /// Gives an object to the pool: its lease is the pool's from now on.
    pub(crate) fn adopt(&mut self, lease: Lease) {
        let (group, bit) = lease.group();
        group.adopted.set(group.adopted.get() | bit);
    }

    /// Takes an object from the pool again: its lease, if it was adopted.
    ///
    /// # Safety
    ///
    /// `slot` is a slot of this shard that has a lease.
    pub(crate) unsafe fn disown(&mut self, slot: NonNull<u8>) -> Option<Lease> {
        // SAFETY: the caller says that somebody has its lease.
        let leased = unsafe { Leased::of(slot) };
        let (group, bit) = leased.group();
        let was = group.adopted.get();
        group.adopted.set(was & !bit);
        // SAFETY: an adopted object's lease is the pool's, which gives it up: the bit was set, and is not set any more.
        (was & bit != 0).then(|| unsafe { Lease::from_slot(slot) })
    }

    /// Puts a laid-out region into the shard, in front of the others, its slots unopened.
    ///
    /// # Panics
    ///
    /// If there are unopened slots already (one-unopened).
    pub(crate) fn attach(&mut self, region: NewRegion) {
        assert!(
            self.unopened.is_none(),
            "one-unopened: the slots of the last region are opened first"
        );
        let (slots, chunks) = (region.slots(), region.chunks());
        self.chunk_count += chunks;
        self.reserved_bytes += region.bytes();
        if self.counted {
            self.idle += chunks;
        }
        self.unopened = Some(Unopened {
            header: region.chunk(0),
            slots,
        });
        // The last first, so that walks go up in memory.
        for index in (0..chunks).rev() {
            // SAFETY: the region is this shard's from now on, and a new chunk is in no list.
            unsafe { self.chunks.push(region.chunk(index)) };
        }
        region.into_shard();
    }

    /// Opens `count` unopened slots: they become free.
    ///
    /// # Panics
    ///
    /// If there are fewer.
    pub(crate) fn open(&mut self, count: usize) {
        let mut left = count;
        self.opened += count;
        while left > 0 {
            let unopened = self
                .unopened
                .as_mut()
                .expect("as many slots as are opened must be unopened");
            let chunk = unopened.header;
            // SAFETY: one-unopened: the chunk is attached.
            let header = unsafe { chunk.as_ref() };
            let here = header.unopened().min(left);
            left -= here;
            unopened.slots -= here;
            if header.unopened() == here {
                match header.neighbour() {
                    Some(next) => unopened.header = next,
                    None => self.unopened = None,
                }
            }
            if header.open(here) {
                // SAFETY: listed-iff-free: it had no free slot, so it was not in the list; linked-is-live.
                unsafe { self.with_free.push(chunk) };
            }
        }
    }

    /// Takes the region of a chunk that became idle out of the shard, if its other chunks are idle, too.
    pub(crate) fn detach(&mut self, idle: Idle) -> Detached {
        let mut detached = Detached::none();
        // SAFETY: linked-is-live: nothing was detached since `release` found the region attached.
        let region = unsafe { idle.region().as_ref() };
        if region.region_idle.get() == region.region_chunks() {
            self.flush();
            // SAFETY: all slots of all chunks are free, and by now by the bitmaps.
            unsafe { self.detach_region(idle.region(), &mut detached) };
        }
        detached
    }

    /// Takes wholly free regions out of the shard, until they have had `chunks` chunks.
    pub(crate) fn detach_idle(&mut self, chunks: usize) -> Detached {
        self.flush();
        let mut detached = Detached::none();
        let enough = self.chunk_count.saturating_sub(chunks);
        let mut next = self.chunks.first().map(NonNull::from);
        while let Some(chunk) = next.filter(|_| self.chunk_count > enough) {
            // SAFETY: linked-is-live: it was linked to a chunk that was attached, and another region's.
            let header = unsafe { chunk.as_ref() };
            // Chunks of one region are neighbours in the list.
            let region = header.region();
            let mut idle = true;
            next = Some(chunk);
            while let Some(inside) = next {
                // SAFETY: linked-is-live.
                let header = unsafe { inside.as_ref() };
                if header.region() != region {
                    break;
                }
                idle &= header.is_idle();
                next = self.chunks.after(header).map(NonNull::from);
            }
            if idle {
                // SAFETY: all slots of all chunks are free by the bitmaps.
                unsafe { self.detach_region(region, &mut detached) };
            }
        }
        detached
    }

    /// Takes a region out of the shard.
    ///
    /// # Safety
    ///
    /// It is attached, and all its slots are free by the bitmaps.
    unsafe fn detach_region(&mut self, first: NonNull<Header>, detached: &mut Detached) {
        let mut slots = 0;
        let mut next = Some(first);
        while let Some(chunk) = next {
            // SAFETY: linked-is-live: the region is attached until its last chunk is unlinked.
            let header = unsafe { chunk.as_ref() };
            next = header.neighbour();
            slots += header.opened();
            if header.free() > 0 {
                // SAFETY: listed-iff-free.
                unsafe { self.with_free.remove(chunk) };
            }
            // SAFETY: linked-is-live.
            unsafe { self.chunks.remove(chunk) };
            self.chunk_count -= 1;
            if self.counted {
                self.idle -= 1;
            }
            if self
                .unopened
                .as_ref()
                .is_some_and(|unopened| unopened.header == chunk)
            {
                self.unopened = None;
            }
        }
        self.opened -= slots;
        // SAFETY: the chunks are in no list any more; all slots are free, so nobody has a lease, pin or due of them.
        unsafe { detached.push(first, slots) };
        // SAFETY: pushed regions are alive until `detached` is dropped.
        self.reserved_bytes -= unsafe { first.as_ref() }.region_size();
    }

    /// From now on chunks go back with their last handle.
    pub(crate) fn close(&mut self) {
        self.flush();
        self.closed = keeps(Rule::Closed);
        if !self.counted {
            self.count_used();
        }
    }

    /// Brings every chunk's count of used slots up to date, and keeps it from now on.
    fn count_used(&mut self) {
        self.counted = true;
        self.idle = self.chunk_count;
        for header in self.chunks.iter() {
            // SAFETY: linked-is-live: the region's first chunk is attached with this one.
            let region = unsafe { header.region().as_ref() };
            let used = header.opened() - header.free();
            header.used.set(used as u32);
            if used > 0 {
                region.region_idle.set(region.region_idle.get() - 1);
                self.idle -= 1;
            }
        }
    }

    /// Whether `address` is the start of an opened slot. O(chunks).
    pub(crate) fn contains(&self, address: usize) -> bool {
        self.chunks.iter().any(|header| {
            let offset = address.wrapping_sub(header.first().addr().get());
            offset / header.stride() < header.opened() && offset % header.stride() == 0
        })
    }
}

/// Has the bitmap say that a leased slot is hidden.
#[inline]
fn hide_in_group(lease: &Leased) {
    let (group, bit) = lease.group();
    group.hidden.set(group.hidden.get() | bit);
}

/// Marks slots free, so many of one group, that are used by the bitmaps of an attached chunk and not leased any more.
#[inline]
fn mark_free(
    with_free: &mut List<WithFree>,
    header: &Header,
    group: usize,
    slots: u64,
    count: usize,
) {
    if header.add_free(group, slots, count) {
        // SAFETY: listed-iff-free: it had no free slot, so it was not in the list; linked-is-live.
        unsafe { with_free.push(NonNull::from(header)) };
    }
}

#[cfg(test)]
mod tests;
