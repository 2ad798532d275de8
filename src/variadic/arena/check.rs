//! Walks every block of an arena and looks at every rule, by the names they have in `# Invariants`.

use crate::error::Corruption;
use crate::variadic::arena::Arena;
use crate::variadic::block::{Block, Chunk, LEAST, UNIT};

impl Arena {
    /// Walks every block and reports the first that breaks a rule.
    pub(crate) fn check(&mut self) -> Result<(), Corruption> {
        self.catch_up();
        let (mut free, mut live) = (0, 0);
        for (index, chunk) in self.chunks().enumerate() {
            let walk = Walk {
                arena: self,
                chunk,
                index,
            };
            let found = walk.check()?;
            free += found.free;
            live += found.live;
        }
        let whole = Corruption {
            shard: self.shard,
            chunk: 0,
            offset: 0,
            rule: "",
        };
        ensure(
            live == self.live(),
            whole.breaking("one-lease: as many blocks are used as were leased"),
        )?;
        ensure(
            self.bins.maps_are_true(),
            whole.breaking("map-bit: a bit is set where something is listed"),
        )?;
        self.check_bins(free, whole)
    }

    /// *listed-iff-free*, *own-list*: what is listed is free and where it belongs, and there are as many as free blocks.
    fn check_bins(&self, free: usize, whole: Corruption) -> Result<(), Corruption> {
        let (mut listed, mut right) = (0, true);
        let known = self.bins.for_each(&mut |block, slot| {
            listed += 1;
            right &= listed <= free && block.is_free() && slot.suits(block.size());
            right
        });
        ensure(
            right,
            whole.breaking("own-list: what is listed is free and in the list of its size"),
        )?;
        ensure(
            known,
            whole.breaking("before-known: what is listed behind another knows that"),
        )?;
        ensure(
            listed == free,
            whole.breaking("listed-iff-free: every free block is listed"),
        )
    }
}

/// How many blocks of a chunk are free, and how many live.
struct Found {
    free: usize,
    live: usize,
}

/// A walk that trusts no header before it has checked it.
struct Walk<'a> {
    arena: &'a Arena,
    chunk: Chunk,
    index: usize,
}

impl Walk<'_> {
    fn check(&self) -> Result<Found, Corruption> {
        let mut found = Found { free: 0, live: 0 };
        let (mut block, mut before): (_, Option<Block>) = (self.chunk.first(), None);
        while block.addr() < self.chunk.end() {
            self.check_place(block, before)?;
            if block.is_free() {
                let twins = before.is_some_and(Block::is_free);
                self.ensure(
                    !twins,
                    block,
                    "no-free-twins: of two neighbours one is used",
                )?;
                found.free += 1;
            } else {
                self.check_tag(block)?;
                found.live += 1;
            }
            (block, before) = (block.next(), Some(block));
        }
        let units = (self.chunk.end() - self.chunk.first().addr()) / UNIT;
        let ends = block.is_sentinel_of(units as u32);
        self.ensure(ends, block, "tiling: a sentinel ends the chunk")?;
        self.ensure(
            units >= self.arena.least_chunk as usize,
            self.chunk.first(),
            "least-chunk: no chunk is smaller",
        )?;
        self.check_told(block, before)?;
        self.check_idle(found)
    }

    /// *one-idle*: a wholly free chunk is the one that is kept.
    fn check_idle(&self, found: Found) -> Result<Found, Corruption> {
        let first = self.chunk.first();
        let kept = self.arena.idle == Some(first);
        self.ensure(
            kept == (found.live == 0),
            first,
            "one-idle: one wholly free chunk is kept, and known",
        )?;
        Ok(found)
    }

    fn check_place(&self, block: Block, before: Option<Block>) -> Result<(), Corruption> {
        let room = (self.chunk.end() - block.addr()) / UNIT;
        let tiles = (LEAST as usize..=room).contains(&(block.size() as usize));
        self.ensure(
            tiles,
            block,
            "tiling: blocks fill the chunk up to its sentinel",
        )?;
        self.check_told(block, before)
    }

    fn check_told(&self, block: Block, before: Option<Block>) -> Result<(), Corruption> {
        let free = before.filter(|before| before.is_free());
        let told = block.is_free_before() == free.is_some()
            && free.is_none_or(|free| block.told_size() == free.size());
        self.ensure(
            told,
            block,
            "told: a block knows whether the one before is free, and how large that is",
        )
    }

    fn check_tag(&self, block: Block) -> Result<(), Corruption> {
        let tag = block.tag();
        let aligned = block.payload().addr().trailing_zeros() >= tag.log2_align();
        self.ensure(
            aligned,
            block,
            "payload-aligned: a payload has the alignment it was asked for",
        )?;
        self.ensure(
            block.len() <= block.capacity(),
            block,
            "len: no more is visible than there is",
        )?;
        self.ensure(
            tag.shard() == self.arena.shard,
            block,
            "own-shard: a live block names its shard",
        )
    }

    fn ensure(&self, holds: bool, block: Block, rule: &'static str) -> Result<(), Corruption> {
        let offset = block.addr() - self.chunk.addr();
        ensure(
            holds,
            Corruption {
                shard: self.arena.shard,
                chunk: self.index,
                offset,
                rule,
            },
        )
    }
}

fn ensure(holds: bool, corruption: Corruption) -> Result<(), Corruption> {
    if holds { Ok(()) } else { Err(corruption) }
}
