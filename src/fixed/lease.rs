#![expect(unsafe_code, reason = "pointers that stand for rights")]
//! What the core hands out: rights to slots, as values that cannot be copied.

use std::ops::Deref;
use std::ptr::NonNull;

use super::header::{Group, Header, header_of};
use super::layout::GROUP;
use crate::asan;
use crate::sync::{AtomicU64, Ordering, Rule, keeps};

/// A slot of which somebody has the [`Lease`]: where it lies, without any right to it.
///
/// # Invariants
///
/// *leased*: while this is used the slot has a lease, so its region is attached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leased(NonNull<u8>);

impl Leased {
    /// For a slot that others have the lease of.
    ///
    /// # Safety
    ///
    /// - `slot` points at a slot, with the provenance of its region.
    /// - The slot has a lease as long as this is used.
    #[inline]
    pub(crate) unsafe fn of(slot: NonNull<u8>) -> Self {
        Self(slot)
    }

    /// The slot, with the provenance of the region.
    #[inline]
    pub(crate) fn slot(&self) -> NonNull<u8> {
        self.0
    }

    /// The header of the slot's chunk.
    #[inline]
    pub(crate) fn header(&self) -> &Header {
        // SAFETY: leased: the region is attached, at least as long as `self` is borrowed.
        unsafe { header_of(self.0) }
    }

    /// Whether the object is the pool's own. Nobody may be adopting or disowning it meanwhile.
    pub(crate) fn is_adopted(&self) -> bool {
        let (group, bit) = self.group();
        group.adopted.get() & bit != 0
    }

    /// The drop of the object begins: its weak keys do not answer any more.
    #[inline]
    pub(crate) fn end(&self) {
        if let Some(stamp) = self.stamp().filter(|_| keeps(Rule::Stamp)) {
            stamp.store(0, Ordering::Release);
        }
    }

    /// Whether no weak key answers.
    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        self.stamp()
            .is_none_or(|stamp| stamp.load(Ordering::Acquire) == 0)
    }

    #[inline]
    fn stamp(&self) -> Option<&AtomicU64> {
        let header = self.header();
        Some(&header.stamps()?[header.index_of(self.slot())])
    }

    /// The group of the slot, and its bit.
    #[inline]
    pub(crate) fn group(&self) -> (&Group, u64) {
        let header = self.header();
        header.group_of(header.index_of(self.0))
    }
}

/// The sole right to one slot.
///
/// # Invariants
///
/// *one-lease*: a slot has at most one lease, and while it has one its region is attached.
#[derive(Debug)]
pub(crate) struct Lease(Leased);

impl Lease {
    /// Marks the slot as leaving.
    #[inline]
    pub(crate) fn leave(&self) {
        let (group, bit) = self.group();
        group.leave(bit);
    }

    /// The slot is not leaving any more. The caller has the shard's lock.
    #[inline]
    pub(crate) fn come_back(&self) {
        let (group, bit) = self.group();
        group.come_back(bit);
    }

    /// Takes a lease back that was given up with [`into_slot`](Self::into_slot).
    ///
    /// # Safety
    ///
    /// The slot's lease was given up, and is taken back once.
    #[inline]
    pub(crate) unsafe fn from_slot(slot: NonNull<u8>) -> Self {
        Self(Leased(slot))
    }

    /// Gives the lease up to whoever has the pointer, which has the provenance of the region.
    #[inline]
    pub(crate) fn into_slot(self) -> NonNull<u8> {
        self.slot()
    }

    /// Tells AddressSanitizer that the slot may be used.
    #[inline]
    pub(crate) fn open(&self) {
        if cfg!(mem_pool_asan) {
            asan::unpoison(self.slot(), self.header().stride());
        }
    }

    /// Tells AddressSanitizer that nobody may touch the slot any more.
    #[inline]
    pub(crate) fn shut(&self) {
        if cfg!(mem_pool_asan) {
            asan::poison(self.slot(), self.header().stride());
        }
    }
}

/// one-lease is what [`Leased`] asks for.
impl Deref for Lease {
    type Target = Leased;

    #[inline]
    fn deref(&self) -> &Leased {
        &self.0
    }
}

/// Some slots of one group, found under the shard's lock.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(test, derive(PartialEq))]
pub(crate) struct Spot {
    pub(crate) header: NonNull<Header>,
    pub(crate) group: usize,
    pub(crate) mask: u64,
}

impl Spot {
    /// The header of the chunk.
    ///
    /// # Safety
    ///
    /// The chunk is attached for `'a`.
    #[inline]
    pub(crate) unsafe fn header<'a>(self) -> &'a Header {
        // SAFETY: the caller keeps it alive. Aliasing: whatever changes in it is a cell.
        unsafe { self.header.as_ref() }
    }
}

/// A spot as walks see it, together with what they would look up again for each object.
///
/// # Invariants
///
/// *looked-up*: `bits` and `first` are those of the spot's group; the latter has the provenance of its region.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(test, derive(PartialEq))]
pub(crate) struct View {
    spot: Spot,
    bits: NonNull<Group>,
    first: NonNull<u8>,
}

impl View {
    /// For a group that was looked up: `bits` are its, and `mask` names slots of it.
    #[inline]
    pub(crate) fn of(header: &Header, group: usize, bits: &Group, mask: u64) -> Self {
        Self {
            spot: Spot {
                header: NonNull::from(header),
                group,
                mask,
            },
            bits: NonNull::from(bits),
            first: header.slot(group * GROUP),
        }
    }

    /// The group and its slots.
    #[inline]
    pub(crate) fn spot(&self) -> Spot {
        self.spot
    }

    /// The slots.
    #[inline]
    pub(crate) fn mask(&self) -> u64 {
        self.spot.mask
    }

    /// The first slot of the group, with the provenance of its region.
    #[inline]
    pub(crate) fn first_slot(&self) -> NonNull<u8> {
        self.first
    }

    /// The group.
    #[inline]
    pub(crate) fn bits(&self) -> NonNull<Group> {
        self.bits
    }
}

/// A group that a walk is inside of.
///
/// # Invariants
///
/// *pinned-is-intact*: while a pin lives, its chunk is attached and no object that it shows is destroyed.
#[derive(Debug)]
pub(crate) struct Pin {
    view: View,
    role: u8,
}

impl Pin {
    /// For a group that was just entered, under a role.
    ///
    /// # Safety
    ///
    /// It was just looked up, in an attached chunk, under the lock that the caller still has.
    #[inline]
    pub(crate) unsafe fn new(view: View, role: u8) -> Self {
        Self { view, role }
    }

    /// What [`Group::unpin`] wants to know.
    #[inline]
    pub(crate) fn role(&self) -> u8 {
        self.role
    }

    /// The group, and the objects that were live when it was pinned.
    #[inline]
    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    /// The same, to be found again.
    #[inline]
    pub(crate) fn spot(&self) -> Spot {
        self.view.spot
    }

    /// The group; without the lock only its dropped mark may be read.
    #[inline]
    pub(crate) fn bits(&self) -> &Group {
        // SAFETY: looked-up, pinned-is-intact. Aliasing: all its fields are cells.
        unsafe { self.view.bits.as_ref() }
    }
}

/// Slots of one group that are hidden from everyone else: their objects are to be destroyed, then they are released.
///
/// # Invariants
///
/// *due-is-hidden*: every slot of the mask is hidden, its handle is gone, and this value has its lease.
#[derive(Debug)]
#[must_use = "the objects are to be destroyed and their slots released"]
pub(crate) struct Due(Spot);

impl Due {
    /// For slots that were just hidden.
    pub(crate) fn new(spot: Spot) -> Self {
        Self(spot)
    }

    /// The group and the slots.
    pub(crate) fn spot(&self) -> Spot {
        self.0
    }

    /// Whether there is no slot.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.mask == 0
    }

    /// The header of the slots' chunk. There is at least one slot.
    pub(crate) fn header(&self) -> &Header {
        assert!(
            !self.is_empty(),
            "due-is-hidden: without slots the chunk may be gone"
        );
        // SAFETY: due-is-hidden: the slots are not free, so their region is attached.
        unsafe { self.0.header() }
    }

    /// The slot of one bit of the mask, with the provenance of its region.
    pub(crate) fn slot(&self, bit: u32) -> NonNull<u8> {
        self.header().slot(self.0.group * GROUP + bit as usize)
    }
}

/// A chunk that has just become wholly free: its region.
#[derive(Debug)]
pub(crate) struct Idle(NonNull<Header>);

impl Idle {
    /// For the first chunk of the region.
    pub(crate) fn new(region: NonNull<Header>) -> Self {
        Self(region)
    }

    /// The first chunk of the region.
    pub(crate) fn region(&self) -> NonNull<Header> {
        self.0
    }
}
