//! What a block is asked for, checked and rounded.

use crate::error::PoolError;
use crate::variadic::block::{CHUNK_OVERHEAD, MOST_ALIGN, MOST_CHUNK, UNIT, room_of, units_of};

/// The most bytes of payload that a block can have.
pub(crate) const MOST_ROOM: usize = room_of(((MOST_CHUNK - CHUNK_OVERHEAD) / UNIT) as u32);

/// What a block is asked for, known to be possible. Two words of 64 bits, which calls pass in registers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    /// What the user will see, in bytes.
    len: usize,
    /// The size of the block, in 32 bits; then the alignment of its payload, and by how many bytes what was asked for is smaller
    /// than the block.
    place: u64,
}

/// Where in a request's `place` the alignment is.
const ALIGN_AT: u32 = u32::BITS;
/// Where in it the difference is.
const SPARE_AT: u32 = ALIGN_AT + 8;

impl Request {
    /// Asks for a block with `len` visible bytes and `room` bytes of payload, aligned to `align`.
    #[inline]
    pub(crate) fn new(len: usize, room: usize, align: usize) -> Result<Self, PoolError> {
        if !align.is_power_of_two() || align > MOST_ALIGN {
            return Err(PoolError::BadAlignment {
                requested: align,
                most: MOST_ALIGN,
            });
        }
        let log2_align = align.max(UNIT).trailing_zeros();
        let most = MOST_ROOM - largest_gap(log2_align);
        if room > most {
            return Err(PoolError::SizeOverflow {
                requested: room,
                most,
                unit: "bytes",
            });
        }
        debug_assert!(len <= room, "what is visible has room");
        let units = units_for(room);
        let spare = (units as usize * UNIT - room) as u64;
        Ok(Self {
            len,
            place: u64::from(units) | u64::from(log2_align) << ALIGN_AT | spare << SPARE_AT,
        })
    }

    /// Whether any block that is large enough will do: no more alignment is asked for than every payload has.
    #[inline]
    pub(super) fn is_plain(self) -> bool {
        self.log2_align() == UNIT.trailing_zeros()
    }

    /// The same request, if it is `PLAIN` so that the compiler knows: then nobody asks for its alignment.
    #[inline]
    pub(super) fn known<const PLAIN: bool>(self) -> Self {
        debug_assert_eq!(self.is_plain(), PLAIN, "nobody's alignment is forgotten");
        if !PLAIN {
            return self;
        }
        let plain = u64::from(UNIT.trailing_zeros()) << ALIGN_AT;
        Self {
            len: self.len,
            place: self.place & !(63 << ALIGN_AT) | plain,
        }
    }

    /// What the user will see, in bytes.
    #[inline]
    pub(super) fn len(self) -> usize {
        self.len
    }

    /// The size of the block.
    #[inline]
    pub(super) fn units(self) -> u32 {
        self.place as u32
    }

    /// The alignment of the payload, 16 or more, as a power of two.
    #[inline]
    pub(super) fn log2_align(self) -> u32 {
        (self.place >> ALIGN_AT) as u32 & 63
    }

    /// The size of a block that will do wherever it begins.
    #[inline]
    pub(super) fn search_units(self) -> u32 {
        self.units() + (largest_gap(self.log2_align()) / UNIT) as u32
    }

    /// The bytes of a chunk that will do.
    pub(crate) fn chunk_size(self) -> usize {
        CHUNK_OVERHEAD + self.search_units() as usize * UNIT
    }

    /// The payload asked for, in bytes.
    pub(crate) fn room(self) -> usize {
        self.units() as usize * UNIT - (self.place >> SPARE_AT) as usize
    }
}

/// The size of a block with so many bytes of payload.
///
/// # Panics
///
/// If they are more than [`MOST_ROOM`].
#[inline]
pub(crate) fn units_for(room: usize) -> u32 {
    assert!(room <= MOST_ROOM, "sizes are checked where they come in");
    units_of(room)
}

/// The most bytes that a block's `gap` can leave out. (One unit is too small for a free block; the next aligned place is
/// taken then.)
#[inline]
fn largest_gap(log2_align: u32) -> usize {
    if log2_align > UNIT.trailing_zeros() {
        (1 << log2_align) + UNIT
    } else {
        0
    }
}
