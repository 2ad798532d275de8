//! A pool's chunks as a [`HeapMap`]: which slots are used, which are free.

use super::header::Header;
use super::layout::{CHUNK, GROUP};
use super::shard::{SlotShard, SlotShards, receive};
use super::slots::Slots;
use crate::map::{Cell, HeapMap};
use crate::sync::Lock;

/// Draws all shards, one after the other.
pub(crate) fn draw<L: Lock>(shards: &SlotShards<L>) -> HeapMap {
    let mut map = HeapMap::new();
    shards.iter().for_each(|shard| draw_shard(shard, &mut map));
    map
}

/// Draws a shard's chunks. Room is made while the shard is not locked, again if meanwhile more is needed.
fn draw_shard<L: Lock>(shard: &SlotShard<L>, map: &mut HeapMap) {
    loop {
        let (chunks, runs) = size(&mut shard.lock(), shard);
        map.reserve(chunks, runs); // from the second time on for twice as many at least
        let mut slots = shard.lock();
        let (chunks, runs) = size(&mut slots, shard);
        if map.has_room(chunks, runs) {
            slots.chunks().for_each(|header| draw_chunk(header, map));
            return;
        }
    }
}

/// How many chunks there are, and at most so many runs of bytes.
fn size<L: Lock>(slots: &mut Slots, shard: &SlotShard<L>) -> (usize, usize) {
    receive(slots, shard);
    slots.flush();
    let runs = |header: &Header| 3 + 2 * header.free().min(header.opened() - header.free());
    (slots.chunk_count(), slots.chunks().map(runs).sum())
}

fn draw_chunk(header: &Header, map: &mut HeapMap) {
    let (stride, slots) = (header.stride(), header.opened());
    let before = header.first().addr().get() % CHUNK;
    map.begin_chunk(before + header.total() * stride);
    map.push(Cell::Header, before);
    for index in 0..slots {
        let free = header.groups()[index / GROUP].free.get() & 1 << (index % GROUP) != 0;
        map.push(if free { Cell::Free } else { Cell::Used }, stride);
    }
    if header.unopened() > 0 {
        map.push(Cell::Free, header.unopened() * stride);
    }
}
