//! White-box tests of the core: every step is followed by a walk over all invariants.

#![expect(unsafe_code, reason = "plays the part of handles")]

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use rstest::rstest;

use super::*;
use crate::fixed::header::Origin;
use crate::fixed::layout::{CHUNK, SlotLayout};
use crate::sync::Ordering;

/// What a walk over all chunks counts.
#[derive(Debug, Default)]
struct Found {
    live: usize,
    chunks: usize,
    opened: usize,
    unopened: usize,
    deferred: usize,
    pinned: usize,
    lone: usize,
    ending: usize,
    idle: usize,
}

impl Slots {
    /// Asserts every invariant; the messages are their names. `leased` are the slots that somebody has a lease of.
    fn check(&self, leased: &BTreeSet<usize>) {
        let magazine: BTreeSet<usize> = self
            .magazine
            .all()
            .iter()
            .map(|slot| slot.addr().get())
            .collect();
        assert_eq!(
            magazine.len(),
            self.magazine.len(),
            "partition: a slot is in the magazine twice"
        );
        let mut found = Found::default();
        for header in self.chunks.iter() {
            self.check_chunk(header, &magazine, leased, &mut found);
        }
        assert_eq!(
            found.chunks, self.chunk_count,
            "linked-is-live: the count of chunks"
        );
        assert_eq!(
            found.deferred, self.deferred,
            "the count of deferred objects"
        );
        found.pinned += usize::from(self.lone.is_some());
        assert_eq!(found.pinned > 0, self.pins > 0, "the count of pins");
        assert_eq!(
            found.lone,
            usize::from(self.lone.is_some()),
            "lone-is-quiet: a group of this shard"
        );
        assert_eq!(
            found.ending,
            usize::from(self.ending.is_some()),
            "partition: what is ending is a slot of this shard"
        );
        assert!(self.ending.is_none() || self.pins == 0, "ending-is-unseen");
        assert_eq!(found.live, self.live(), "the count of live objects");
        assert_eq!(found.opened, self.opened, "the count of opened slots");
        assert_eq!(found.unopened, self.unopened(), "one-unopened");
        assert_eq!(found.idle, self.idle, "the count of idle chunks");
    }

    fn check_chunk(
        &self,
        header: &Header,
        magazine: &BTreeSet<usize>,
        leased: &BTreeSet<usize>,
        found: &mut Found,
    ) {
        let listed = self
            .with_free
            .iter()
            .any(|listed| std::ptr::eq(listed, header));
        assert_eq!(listed, header.free() > 0, "listed-iff-free");
        let (mut free, mut used) = (0, 0);
        for index in 0..header.total() {
            let address = header.slot(index).addr().get();
            let states = [
                is_free(header, index),
                magazine.contains(&address),
                leased.contains(&address),
            ];
            let count = states.iter().filter(|&&is| is).count();
            assert_eq!(
                count,
                usize::from(index < header.opened()),
                "partition: slot {index} is {states:?}"
            );
            let ending = self.ending == Some(header.slot(index));
            check_slot(header, index, states[2], ending);
            free += usize::from(states[0]);
            used += usize::from(states[2]);
            found.ending += usize::from(ending);
            found.live += usize::from(states[2] && !ending);
        }
        assert_eq!(header.free(), free, "partition: the count of free slots");
        assert!(
            !self.counted || header.used.get() as usize == used,
            "the count of used slots"
        );
        found.chunks += 1;
        found.opened += header.opened();
        found.unopened += header.unopened();
        found.idle += usize::from(self.counted && used == 0);
        for group in header.groups() {
            let gone = group.hidden.get() | group.dropped();
            found.live -= gone.count_ones() as usize;
            found.deferred += group.dropped().count_ones() as usize;
            found.pinned += usize::from(group.counts_any());
            let quiet = group.dropped() == 0;
            assert!(
                !quiet || group.counts()[usize::from(1 - group.role())] == 0,
                "one-role-if-quiet"
            );
            if self.lone == Some(NonNull::from(group)) {
                found.lone += 1;
                assert!(quiet, "lone-is-quiet");
            }
        }
    }
}

fn is_free(header: &Header, index: usize) -> bool {
    let (group, bit) = header.group_of(index);
    group.free.get() & bit != 0
}

/// What a slot may be beside leased.
fn check_slot(header: &Header, index: usize, leased: bool, ending: bool) {
    let (group, bit) = header.group_of(index);
    let [in_group, dropped, adopted] =
        [group.hidden.get(), group.dropped(), group.adopted.get()].map(|word| word & bit != 0);
    assert!(
        !(in_group && ending),
        "partition: slot {index} is hidden twice"
    );
    let hidden = in_group || ending;
    assert!(
        !(hidden && dropped),
        "partition: slot {index} is hidden and dropped"
    );
    assert!(
        leased || !hidden && !dropped && !adopted,
        "partition: slot {index} is not leased"
    );
    let stamped = header
        .stamps()
        .is_some_and(|stamps| stamps[index].load(Ordering::Relaxed) != 0);
    assert!(
        !stamped || leased && !hidden && !dropped,
        "stamped: slot {index}"
    );
}

/// A core, and the leases that handles would have.
struct Fixture {
    slots: Slots,
    layout: SlotLayout,
    leased: BTreeSet<usize>,
}

impl Fixture {
    fn new<T>(counted: bool) -> Self {
        Self {
            slots: Slots::new(counted),
            layout: SlotLayout::of::<T>(),
            leased: BTreeSet::new(),
        }
    }

    /// Adds a region of `slots` slots and opens `opened` of them.
    fn grow(&mut self, slots: usize, opened: usize) {
        let region = self.layout.region(slots).unwrap();
        self.slots.attach(
            NewRegion::try_new(
                region,
                Origin {
                    owner: NonNull::dangling(),
                    pool: 7,
                },
            )
            .unwrap(),
        );
        self.slots.open(opened);
        self.check();
    }

    fn check(&self) {
        self.slots.check(&self.leased);
    }

    fn take(&mut self) -> Option<Lease> {
        let lease = self.slots.take()?;
        assert!(
            self.leased.insert(lease.slot().addr().get()),
            "one-lease: a slot is handed out twice"
        );
        self.check();
        Some(lease)
    }

    /// Asserts that walks are where their groups, or the shard, say.
    fn check_pins(&self, pins: &[Pin]) {
        assert_eq!(self.slots.pins, pins.len(), "the count of pins");
        for pin in pins {
            let group = NonNull::from(pin.bits());
            let mut here = [0; 2];
            for other in pins.iter().filter(|other| other.view().bits() == group) {
                here[usize::from(other.role())] += 1;
            }
            let mut counts = pin.bits().counts();
            counts[usize::from(pin.bits().role())] += u32::from(self.slots.lone == Some(group));
            assert_eq!(counts, here, "the counts of pins in a group, by role");
        }
    }

    fn take_all(&mut self) -> Vec<Lease> {
        std::iter::from_fn(|| self.take()).collect()
    }

    fn release(&mut self, lease: Lease) -> Option<Idle> {
        self.leased.remove(&lease.slot().addr().get());
        lease.end();
        let idle = self.slots.release(lease);
        self.check();
        idle
    }

    /// What a destructor's end does.
    fn release_ending(&mut self, lease: Lease) {
        self.leased.remove(&lease.slot().addr().get());
        if let Err(lease) = self.slots.release_ending_at_hand(lease) {
            self.slots.release_hidden(lease);
        }
        self.check();
    }

    /// What the pins and dues that are left in a test would do.
    fn release_due(&mut self, due: &Due) {
        for bit in bits_of(due.spot().mask) {
            self.leased.remove(&due.slot(bit).addr().get());
        }
        self.slots.release_due(due);
        self.check();
    }

    fn defer(&mut self, lease: Lease) {
        lease.end();
        self.slots.defer(lease);
        self.check();
    }
}

impl Drop for Fixture {
    /// Frees the regions, whatever is still leased.
    fn drop(&mut self) {
        self.slots.flush();
        for slot in std::mem::take(&mut self.leased) {
            let header = self
                .slots
                .chunks
                .iter()
                .find(|header| (header.first().addr().get()..).contains(&slot));
            let Some(header) = header else { continue };
            let near = header.first();
            let lease = near.with_addr(slot.try_into().unwrap());
            // SAFETY: the test is over: its leases are given up.
            let lease = unsafe { Lease::from_slot(lease) };
            let (group, bit) = lease.group();
            group.hidden.set(group.hidden.get() & !bit);
            self.slots.release(lease);
        }
        if std::thread::panicking() {
            return;
        }
        drop(self.slots.detach_idle(usize::MAX));
        assert_eq!(
            (self.slots.chunk_count, self.slots.reserved_bytes),
            (0, 0),
            "a region is left"
        );
    }
}

type Line = [u64; 8];

#[test]
fn slots_are_taken_lowest_first_and_reused_last_first() {
    let mut fixture = Fixture::new::<Line>(false);
    fixture.grow(200, 200);
    let leases: Vec<_> = (0..100).filter_map(|_| fixture.take()).collect();
    let addresses: Vec<_> = leases.iter().map(|lease| lease.slot().addr()).collect();
    assert!(addresses.is_sorted());
    let mut leases = leases;
    let last = leases.pop().unwrap();
    let address = last.slot();
    fixture.release(last);
    assert_eq!(fixture.take().unwrap().slot(), address);
}

#[rstest]
#[case::byte(Fixture::new::<u8>(false))]
#[case::line(Fixture::new::<Line>(false))]
#[case::line_counted(Fixture::new::<Line>(true))]
#[case::large(Fixture::new::<[u8; CHUNK]>(false))]
fn every_slot_is_handed_out_once(#[case] mut fixture: Fixture) {
    let per_region = fixture.layout.most_per_region().min(500);
    fixture.grow(per_region, per_region);
    fixture.grow(per_region, 1);
    fixture.slots.open(per_region - 1);
    assert_eq!(fixture.take_all().len(), 2 * per_region);
    assert_eq!(fixture.slots.free(), 0);
}

#[test]
fn opening_step_by_step_adds_exactly_as_many() {
    let mut fixture = Fixture::new::<Line>(false);
    fixture.grow(130, 1);
    for opened in 1..130 {
        assert_eq!(
            (fixture.slots.free(), fixture.slots.unopened()),
            (opened, 130 - opened)
        );
        fixture.slots.open(1);
        fixture.check();
    }
    assert_eq!(fixture.slots.unopened(), 0);
}

#[test]
fn opening_goes_on_over_the_chunks_of_a_region() {
    let mut fixture = Fixture::new::<[u64; 64]>(false);
    let per_chunk = fixture.layout.per_chunk();
    fixture.grow(3 * per_chunk, per_chunk - 1);
    fixture.slots.open(per_chunk + 2);
    fixture.check();
    assert_eq!(fixture.slots.free(), 2 * per_chunk + 1);
    fixture.slots.open(per_chunk - 1);
    assert_eq!(fixture.take_all().len(), 3 * per_chunk);
}

fn live_mask(header: &Header, group: usize) -> u64 {
    let found = header.opened_group(group);
    found.map_or(0, |(bits, opened)| bits.live_mask(opened))
}

#[test]
fn a_flushed_magazine_leaves_exact_bitmaps() {
    let mut fixture = Fixture::new::<Line>(false);
    fixture.grow(100, 100);
    let mut leases: Vec<_> = (0..10).filter_map(|_| fixture.take()).collect();
    fixture.release(leases.remove(3));
    fixture.slots.flush();
    fixture.check();
    let header = fixture.slots.chunks.first().unwrap();
    assert_eq!(live_mask(header, 0), 0b11_1111_0111);
    assert_eq!(live_mask(header, 1), 0);
}

#[test]
fn a_full_magazine_keeps_its_younger_half() {
    let mut fixture = Fixture::new::<Line>(false);
    fixture.grow(MAGAZINE + 1, MAGAZINE + 1);
    let take = |slots: &mut Slots| slots.take().map(|lease| (lease.slot(), lease));
    let leases: Vec<_> = std::iter::from_fn(|| take(&mut fixture.slots)).collect();
    let (mut slots, mut leases): (Vec<_>, Vec<_>) = leases.into_iter().unzip();
    let last = leases.pop().unwrap();
    for lease in leases {
        fixture.slots.release(lease);
    }
    assert_eq!(fixture.slots.magazine.len(), MAGAZINE);
    fixture.leased.insert(last.slot().addr().get());
    fixture.release(last);
    let younger = slots.split_off(MAGAZINE / 2);
    assert_eq!(fixture.slots.magazine.oldest(younger.len()), younger);
    assert_eq!(fixture.slots.magazine.len(), younger.len());
    assert_eq!(fixture.slots.free(), MAGAZINE + 1);
}

#[test]
fn hidden_slots_are_not_pinned() {
    let mut fixture = Fixture::new::<Line>(false);
    fixture.grow(64, 64);
    let lease = fixture.take().unwrap();
    fixture.slots.hide(&lease);
    fixture.check();
    assert!(fixture.slots.pin_next(None).is_none());
    fixture.slots.reveal(&lease);
    let pin = fixture.slots.pin_next(None).unwrap();
    assert_eq!(pin.view().mask(), 1);
    assert!(fixture.slots.is_pinned(&lease));
    assert!(fixture.slots.unpin(pin, false).is_empty());
    assert!(!fixture.slots.is_pinned(&lease));
}

#[rstest]
#[case::at_hand(false)]
#[case::counted(true)]
fn the_slot_that_was_hidden_last_is_hidden_by_its_address_until_a_walk_comes(
    #[case] counted: bool,
) {
    let mut fixture = Fixture::new::<Line>(counted);
    fixture.grow(64, 64);
    let leases: Vec<_> = (0..4).filter_map(|_| fixture.take()).collect();
    let hidden = |fixture: &Fixture| {
        fixture.slots.chunks.first().unwrap().groups()[0]
            .hidden
            .get()
    };
    let [a, b, c, d] = leases.try_into().unwrap();
    for (lease, in_group) in [(&a, 0), (&b, 0b1)] {
        fixture.slots.hide_ending(lease);
        fixture.check();
        assert_eq!(hidden(&fixture), in_group);
    }
    let pin = fixture.slots.pin_next(None).unwrap();
    assert_eq!((pin.view().mask(), hidden(&fixture)), (0b1100, 0b11));
    fixture.slots.hide_ending(&c); // in another group than the walk, for all that this knows
    fixture.check();
    assert_eq!(hidden(&fixture), 0b111);
    assert!(fixture.slots.unpin(pin, false).is_empty());
    fixture.slots.hide_ending(&d);
    fixture.check();
    assert_eq!((hidden(&fixture), fixture.slots.live()), (0b111, 0));
    for lease in [b, d, a, c] {
        fixture.release_ending(lease);
    }
    assert_eq!((hidden(&fixture), fixture.slots.free()), (0, 64));
}

/// With and without slots in the magazine, which are flushed, too.
#[rstest]
fn walks_and_holds_do_not_find_what_is_ending(#[values(1, 4)] slots: usize) {
    let mut fixture = Fixture::new::<Line>(false);
    fixture.grow(slots, slots);
    let lease = fixture.take().unwrap();
    fixture.slots.hide_ending(&lease);
    assert!(fixture.slots.pin_next(None).is_none());
    fixture.slots.reveal(&lease);
    fixture.slots.hide_ending(&lease);
    assert!(fixture.slots.live_next(None).is_none());
    fixture.release_ending(lease);
    assert_eq!(fixture.slots.free(), slots);
}

#[test]
fn what_was_hidden_by_its_address_can_be_shown_again() {
    let mut fixture = Fixture::new::<Line>(false);
    fixture.grow(64, 64);
    let lease = fixture.take().unwrap();
    fixture.slots.hide_ending(&lease);
    assert_eq!(fixture.slots.live(), 0);
    fixture.slots.reveal(&lease);
    fixture.check();
    assert_eq!(fixture.slots.live(), 1);
    let pin = fixture.slots.pin_next(None).unwrap();
    assert_eq!(pin.view().mask(), 1);
    assert!(fixture.slots.unpin(pin, false).is_empty());
}

#[test]
fn with_a_full_magazine_what_was_ending_goes_the_long_way() {
    let mut fixture = Fixture::new::<Line>(false);
    fixture.grow(MAGAZINE + 1, MAGAZINE + 1);
    let mut leases = fixture.take_all();
    let last = leases.pop().unwrap();
    for lease in leases {
        fixture.leased.remove(&lease.slot().addr().get());
        fixture.slots.release(lease);
    }
    assert_eq!(fixture.slots.magazine.len(), MAGAZINE);
    fixture.slots.hide_ending(&last);
    fixture.check();
    let last = fixture.slots.release_ending_at_hand(last).unwrap_err();
    fixture.check();
    fixture.leased.clear();
    fixture.slots.release_hidden(last);
    fixture.check();
    assert_eq!(fixture.slots.free(), MAGAZINE + 1);
}

#[test]
fn dropped_objects_wait_for_the_last_pin() {
    let mut fixture = Fixture::new::<Line>(false);
    fixture.grow(64, 64);
    let (a, _b) = (fixture.take().unwrap(), fixture.take().unwrap());
    let first = fixture.slots.pin_next(None).unwrap();
    let second = fixture.slots.pin_next(None).unwrap();
    fixture.defer(a);
    let third = fixture.slots.pin_next(None).unwrap();
    assert_eq!(
        (first.view().mask(), third.view().mask()),
        (0b11, 0b10),
        "a dropped object is not pinned any more"
    );
    assert!(fixture.slots.unpin(first, false).is_empty());
    fixture.check();
    let due = fixture.slots.unpin(second, false);
    assert_eq!(
        due.spot().mask,
        0b01,
        "the third came too late to put it off"
    );
    fixture.check();
    fixture.release_due(&due);
    assert!(fixture.slots.unpin(third, false).is_empty());
}

#[test]
fn a_walk_that_is_alone_is_not_counted_until_something_is_dropped() {
    let mut fixture = Fixture::new::<Line>(false);
    fixture.grow(128, 128);
    let mut leases = fixture.take_all();
    let mut alone = fixture.slots.pin_next(None).unwrap();
    assert_eq!(alone.bits().counts().iter().sum::<u32>(), 0);
    assert!(fixture.slots.is_pinned(&leases[0]) && !fixture.slots.is_pinned(&leases[64]));
    assert!(fixture.slots.step(&mut alone, Look::NextDoor));
    assert_eq!(alone.bits().counts().iter().sum::<u32>(), 0);
    assert!(!fixture.slots.is_pinned(&leases[0]) && fixture.slots.is_pinned(&leases[64]));
    fixture.defer(leases.remove(64));
    assert_eq!(alone.bits().counts().iter().sum::<u32>(), 1);
    let second = fixture.slots.pin_next(None).unwrap();
    assert_eq!(
        second.bits().counts().iter().sum::<u32>(),
        0,
        "in the first group it is alone"
    );
    let due = fixture.slots.unpin(alone, false);
    assert_eq!(due.spot().mask, 1);
    fixture.release_due(&due);
    assert!(fixture.slots.is_pinned(&leases[0]));
    assert!(fixture.slots.unpin(second, false).is_empty());
    assert!(!fixture.slots.is_pinned(&leases[0]));
}

#[test]
fn a_step_next_door_shows_what_is_live_there() {
    let mut fixture = Fixture::new::<Line>(false);
    fixture.grow(256, 256);
    let mut leases = fixture.take_all();
    let mut first = fixture.slots.pin_next(None).unwrap();
    let second = fixture.slots.pin_next(Some(&first)).unwrap();
    fixture.defer(leases.remove(64 + 5));
    let next_door = fixture.slots.look(first.spot(), Look::NextDoor).unwrap();
    assert_eq!(next_door.mask(), !(1 << 5), "it was dropped");
    let due = fixture.slots.unpin(second, false);
    fixture.release_due(&due);
    assert!(
        !fixture.slots.step(&mut first, Look::NextDoor),
        "to be flushed"
    );
    // Nothing is left in the second group.
    leases.drain(64..127).for_each(|lease| {
        fixture.release(lease);
    });
    fixture.slots.flush();
    assert_eq!(fixture.slots.look(first.spot(), Look::NextDoor), None);
    assert!(fixture.slots.step(&mut first, Look::Behind));
    assert_eq!((first.spot().group, first.spot().mask), (2, u64::MAX));
    assert!(fixture.slots.step(&mut first, Look::NextDoor));
    assert!(!fixture.slots.step(&mut first, Look::NextDoor), "the last");
    assert!(fixture.slots.unpin(first, false).is_empty());
}

#[rstest]
fn a_second_walk_in_a_group_is_counted(#[values(false, true)] first_leaves_first: bool) {
    let mut fixture = Fixture::new::<Line>(false);
    fixture.grow(64, 64);
    let mut leases = fixture.take_all();
    let (first, second) = (
        fixture.slots.pin_next(None).unwrap(),
        fixture.slots.pin_next(None).unwrap(),
    );
    assert_eq!(first.bits().counts().iter().sum::<u32>(), 1);
    let [earlier, later] = if first_leaves_first {
        [first, second]
    } else {
        [second, first]
    };
    assert!(fixture.slots.unpin(earlier, false).is_empty());
    assert!(fixture.slots.is_pinned(&leases[0]));
    fixture.defer(leases.remove(0));
    let due = fixture.slots.unpin(later, false);
    assert_eq!(due.spot().mask, 1);
    fixture.release_due(&due);
    assert!(!fixture.slots.is_pinned(&leases[0]));
}

#[test]
fn walks_that_overlap_without_end_do_not_put_off_for_ever() {
    let mut fixture = Fixture::new::<Line>(false);
    fixture.grow(64, 64);
    let mut leases: Vec<_> = (0..3).filter_map(|_| fixture.take()).collect();
    let mut inside = fixture.slots.pin_next(None).unwrap();
    fixture.defer(leases.pop().unwrap());
    let mut destroyed = 0;
    for turn in 0..6 {
        let newcomer = fixture.slots.pin_next(None).unwrap();
        if turn == 2 {
            fixture.defer(leases.pop().unwrap());
        }
        let due = fixture.slots.unpin(inside, false);
        destroyed += due.spot().mask.count_ones();
        if !due.is_empty() {
            fixture.release_due(&due);
        }
        inside = newcomer;
    }
    assert_eq!(destroyed, 2);
    assert!(fixture.slots.unpin(inside, false).is_empty());
}

#[test]
fn holds_put_off_what_pins_do_not() {
    let mut fixture = Fixture::new::<Line>(false);
    fixture.grow(128, 128);
    let mut leases: Vec<_> = (0..70).filter_map(|_| fixture.take()).collect();
    fixture.defer(leases.remove(65));
    fixture.defer(leases.remove(0));
    let pin = fixture.slots.pin_next(None).unwrap();
    assert!(
        fixture.slots.unpin(pin, true).is_empty(),
        "the pool is held"
    );
    let first = fixture.slots.sweep_next(None).unwrap();
    let second = fixture.slots.sweep_next(Some(&first)).unwrap();
    assert_eq!((first.spot().mask, second.spot().mask), (1, 2));
    fixture.release_due(&first);
    fixture.release_due(&second);
    assert!(fixture.slots.sweep_next(None).is_none());
}

#[test]
fn a_sweep_leaves_what_is_still_pinned() {
    let mut fixture = Fixture::new::<Line>(false);
    fixture.grow(64, 64);
    let (a, _b) = (fixture.take().unwrap(), fixture.take().unwrap());
    let pin = fixture.slots.pin_next(None).unwrap();
    fixture.defer(a);
    assert!(fixture.slots.sweep_next(None).is_none());
    fixture.check();
    let due = fixture.slots.unpin(pin, false);
    fixture.release_due(&due);
}

#[test]
fn wholly_free_regions_are_detached_and_others_stay() {
    let mut fixture = Fixture::new::<[u64; 64]>(false);
    let per_chunk = fixture.layout.per_chunk();
    fixture.grow(2 * per_chunk, 2 * per_chunk);
    let mut leases = fixture.take_all();
    fixture.grow(10, 10);
    for lease in leases.drain(1..) {
        fixture.release(lease);
    }
    let detached = fixture.slots.detach_idle(usize::MAX);
    assert_eq!(
        (detached.regions, detached.slots),
        (1, 10),
        "one slot keeps both chunks of its region"
    );
    drop(detached);
    fixture.check();
    fixture.release(leases.pop().unwrap());
    let detached = fixture.slots.detach_idle(usize::MAX);
    assert_eq!((detached.regions, detached.slots), (1, 2 * per_chunk));
    fixture.check();
}

#[test]
fn reserved_dying_and_deferred_slots_keep_their_chunk() {
    let mut fixture = Fixture::new::<Line>(false);
    fixture.grow(64, 64);
    let lease = fixture.take().unwrap();
    fixture.slots.hide(&lease);
    assert_eq!(fixture.slots.detach_idle(usize::MAX).regions, 0);
    fixture.slots.reveal(&lease);
    fixture.defer(lease);
    assert_eq!(fixture.slots.detach_idle(usize::MAX).regions, 0);
}

#[test]
fn counted_chunks_say_when_they_become_idle() {
    let mut fixture = Fixture::new::<Line>(true);
    fixture.grow(64, 64);
    assert_eq!(fixture.slots.idle(), 1);
    let (a, b) = (fixture.take().unwrap(), fixture.take().unwrap());
    assert_eq!(fixture.slots.idle(), 0);
    assert!(fixture.release(a).is_none());
    let idle = fixture.release(b).unwrap();
    assert_eq!(fixture.slots.idle(), 1);
    assert_eq!(fixture.slots.detach(idle).slots, 64);
    fixture.check();
}

#[test]
fn a_closed_shard_gives_chunks_back_with_their_last_slot() {
    let mut fixture = Fixture::new::<[u64; 64]>(false);
    let per_chunk = fixture.layout.per_chunk();
    fixture.grow(2 * per_chunk, 2 * per_chunk);
    let mut leases = fixture.take_all();
    fixture.slots.close();
    fixture.check();
    let last = leases.pop().unwrap();
    for lease in leases {
        if let Some(idle) = fixture.release(lease) {
            assert_eq!(
                fixture.slots.detach(idle).regions,
                0,
                "the other chunk of the region is in use"
            );
        }
    }
    let again = fixture.take().unwrap();
    fixture.release(again);
    let idle = fixture.release(last).unwrap();
    assert_eq!(fixture.slots.detach(idle).slots, 2 * per_chunk);
    fixture.check();
}

#[test]
fn adopted_objects_are_disowned_once() {
    let mut fixture = Fixture::new::<Line>(false);
    fixture.grow(64, 64);
    let (a, b) = (fixture.take().unwrap(), fixture.take().unwrap());
    let (slot, other) = (a.slot(), b.slot());
    fixture.slots.adopt(a);
    // SAFETY: both slots are leased.
    assert!(unsafe { fixture.slots.disown(other) }.is_none());
    // SAFETY: as above.
    let lease = unsafe { fixture.slots.disown(slot) }.unwrap();
    // SAFETY: as above.
    assert!(unsafe { fixture.slots.disown(slot) }.is_none());
    fixture.slots.adopt(lease);
    fixture.slots.adopt(b);
    let due = fixture.slots.disown_next(None).unwrap();
    assert_eq!(due.spot().mask, 0b11);
    assert_eq!(fixture.slots.live(), 0);
    fixture.release_due(&due);
    assert!(fixture.slots.disown_next(None).is_none());
}

#[test]
fn addresses_inside_and_behind_slots_are_not_contained() {
    let mut fixture = Fixture::new::<Line>(false);
    fixture.grow(10, 9);
    let first = fixture.slots.chunks.first().unwrap().slot(0).addr().get();
    assert!(fixture.slots.contains(first) && fixture.slots.contains(first + 8 * 64));
    for address in [
        first - 64,
        first + 1,
        first + 63,
        first + 9 * 64,
        0,
        usize::MAX,
    ] {
        assert!(!fixture.slots.contains(address));
    }
}

#[test]
fn a_chunk_without_opened_slots_has_neither_free_nor_live_ones() {
    let mut fixture = Fixture::new::<Line>(false);
    fixture.grow(130, 64);
    let leases = fixture.take_all();
    let header = fixture.slots.chunks().next().unwrap();
    assert_eq!((header.take_free(), header.free()), ((0, 0), 0));
    let live = [0, 1, 2].map(|group| live_mask(header, group));
    assert_eq!(live, [u64::MAX, 0, 0]);
    leases
        .into_iter()
        .for_each(|lease| assert!(fixture.release(lease).is_none()));
}

#[test]
fn a_group_has_no_slots_beyond_the_chunk() {
    let mut fixture = Fixture::new::<Line>(false);
    fixture.grow(70, 70);
    let header = fixture.slots.chunks.first().unwrap();
    assert_eq!(header.slots_of(1, 1 << 5).next(), Some(header.slot(69)));
    let beyond = || drop(header.slots_of(1, 1 << 6));
    let panic = catch_unwind(AssertUnwindSafe(beyond)).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert_eq!(message, "own-layout: a chunk has 70 slots");
}

#[test]
fn a_run_of_a_group_ends_with_its_chunk() {
    let mut fixture = Fixture::new::<[u64; 80]>(false);
    let per_chunk = fixture.layout.per_chunk();
    fixture.grow(2 * per_chunk, 2 * per_chunk);
    let mut chunks = fixture.slots.chunks.iter();
    let [header, next] = [(); 2].map(|()| chunks.next().unwrap());
    let place = (per_chunk - 1) % GROUP;
    assert!(
        place + 4 < GROUP,
        "the next chunk begins where the group might go on"
    );
    let slots = [header.slot(per_chunk - 1), next.slot(0)];
    assert_eq!(header.run_from(per_chunk - 1, &slots), (1 << place, 1));
}

mod streams;
