//! White box: bins against a sorted list of the same blocks.

use rstest::rstest;

use super::{Bins, Slot};
use crate::chunk::Region;
use crate::variadic::block::{Block, Chunk, LEAST};
use crate::variadic::node::Node;

/// Blocks of these sizes, one after the other in a chunk of their own; and the chunk, to be leaked or freed.
fn blocks(sizes: &[u32]) -> (Chunk, Vec<Block>) {
    let units = sizes.iter().sum::<u32>() + LEAST;
    let region = Region::try_new(Chunk::layout(32 + units as usize * 16).unwrap()).unwrap();
    let chunk = Chunk::new(region);
    let mut rest = chunk.first();
    let split = |&size: &u32| {
        let block = rest;
        // SAFETY: nobody else knows of these blocks; the sizes leave a block at the end.
        rest = unsafe { rest.split(rest.size(), size) };
        block
    };
    (chunk, sizes.iter().map(split).collect())
}

fn sizes(count: usize) -> Vec<u32> {
    let mut state = 9_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    (0..count)
        .map(|_| LEAST + (next() >> (next() % 13 + 11)))
        .collect()
}

fn assert_sound(bins: &Bins, expected: usize) {
    let mut listed = 0;
    bins.for_each(&mut |node, slot: Slot| {
        listed += 1;
        assert!(
            slot.suits(node.size()),
            "own-list: {node:?} of {} in {slot:?}",
            node.size()
        );
        listed <= expected
    });
    assert_eq!(listed, expected);
    assert!(bins.maps_are_true());
}

/// The oracle looks at all.
fn assert_best(bins: &Bins, listed: &[u32], ask: u32) {
    let expected = listed.iter().copied().filter(|&size| size >= ask).min();
    let best = bins.best(ask).map(|node| node.size());
    assert_eq!(best, expected, "for {ask}");
    let first = bins.first(ask).map(|node| node.size());
    assert_eq!(first.is_some(), expected.is_some(), "for {ask}");
    assert!(first.is_none_or(|size| size >= ask), "for {ask}");
}

#[test]
fn the_best_is_the_smallest_that_will_do() {
    let sizes = sizes(if cfg!(miri) { 60 } else { 1500 });
    let (chunk, blocks) = blocks(&sizes);
    let mut bins = Bins::new();
    let mut listed: Vec<u32> = Vec::new();
    for (step, &block) in blocks.iter().chain(&blocks).enumerate() {
        if step < blocks.len() {
            // SAFETY: it is free and not listed.
            unsafe { bins.insert(block, block.size()) };
            listed.push(block.size());
        } else {
            // SAFETY: it was listed in the first round.
            unsafe { bins.remove(block, block.size()) };
            let at = listed
                .iter()
                .position(|&size| size == block.size())
                .unwrap();
            listed.swap_remove(at);
        }
        assert_sound(&bins, listed.len());
        let size = block.size();
        for ask in [
            LEAST,
            40,
            63,
            64,
            65,
            100,
            size,
            size + 1,
            size * 2,
            5000,
            u32::MAX,
        ] {
            assert_best(&bins, &listed, ask);
        }
    }
    // SAFETY: nothing is listed any more, and nobody has a lease.
    drop(unsafe { chunk.into_region() });
}

#[test]
fn a_visit_ends_when_it_is_told_to() {
    let sizes = [2, 2, 40, 64, 70, 70, 500, 600, 700, 5000];
    let (chunk, blocks) = blocks(&sizes);
    let mut bins = Bins::new();
    for &block in &blocks {
        // SAFETY: it is free and not listed.
        unsafe { bins.insert(block, block.size()) };
    }
    // The first is the one that stands apart.
    for most in 1..=sizes.len() {
        let mut visited = 0;
        let to_the_end = bins.for_each(&mut |_, _| {
            visited += 1;
            visited < most
        });
        assert_eq!((visited, to_the_end), (most, false));
    }
    assert!(bins.for_each(&mut |_, _| true));
    // SAFETY: the test is over.
    drop(unsafe { chunk.into_region() });
}

#[test]
fn a_visit_ends_where_a_block_does_not_know_the_one_before() {
    for size in [2, 70] {
        let (chunk, blocks) = blocks(&[100, size, size, size]);
        let mut bins = Bins::new();
        for &block in &blocks {
            // SAFETY: it is free and not listed.
            unsafe { bins.insert(block, block.size()) };
        }
        assert!(bins.for_each(&mut |_, _| true));
        // SAFETY: it is listed.
        let middle = unsafe { Node::of(blocks[2]) };
        let before = middle.before();
        assert!(before.is_some());
        middle.set_before(Some(middle));
        assert!(!bins.for_each(&mut |_, _| true), "{size}");
        middle.set_before(before);
        assert!(bins.for_each(&mut |_, _| true));
        // SAFETY: the test is over.
        drop(unsafe { chunk.into_region() });
    }
}

#[test]
fn among_equals_the_one_that_stands_apart_is_the_last_choice() {
    let sizes = [500, 500, 400];
    let (chunk, blocks) = blocks(&sizes);
    let mut bins = Bins::new();
    for &block in &blocks[..2] {
        // SAFETY: it is free and not listed.
        unsafe { bins.insert(block, block.size()) };
    }
    for ask in [LEAST, 300, 500] {
        assert_eq!(bins.best(ask), Some(blocks[1]));
    }
    // SAFETY: it was listed above.
    unsafe { bins.remove(blocks[1], blocks[1].size()) };
    assert_eq!(bins.best(LEAST), Some(blocks[0]));
    // SAFETY: it is free and not listed.
    unsafe { bins.insert(blocks[2], blocks[2].size()) };
    let best = [LEAST, 400, 401].map(|ask| bins.best(ask).unwrap());
    assert_eq!(best, [blocks[2], blocks[2], blocks[0]]);
    // SAFETY: the test is over.
    drop(unsafe { chunk.into_region() });
}

#[rstest]
#[case::apart(Slot::Apart, 63, false)]
#[case::apart(Slot::Apart, 64, true)]
#[case::its_list(Slot::List(63), 63, true)]
#[case::another_list(Slot::List(62), 63, false)]
#[case::its_tree(Slot::Tree(1, 0, 0), 128, true)]
#[case::the_tree_before(Slot::Tree(0, 0, 0), 128, false)]
#[case::the_tree_behind(Slot::Tree(1, 0, 0), 127, false)]
#[case::a_small_one_in_a_tree(Slot::Tree(0, 0, 0), 63, false)]
#[case::below_child_1(Slot::Tree(0, 0b1, 1), 64 | 32, true)]
#[case::below_child_0(Slot::Tree(0, 0b0, 1), 64 | 32, false)]
#[case::two_below(Slot::Tree(0, 0b01, 2), 64 | 16, true)]
#[case::two_below_elsewhere(Slot::Tree(0, 0b10, 2), 64 | 16, false)]
fn a_place_suits_the_sizes_whose_bits_lead_there(
    #[case] slot: Slot,
    #[case] size: u32,
    #[case] suits: bool,
) {
    assert_eq!(slot.suits(size), suits);
}

#[test]
fn visited_blocks_tell_where_they_are() {
    let (chunk, blocks) = blocks(&[500, 5, 64, 64 | 32, 64 | 32 | 16]);
    let mut bins = Bins::new();
    for &block in &blocks {
        // SAFETY: it is free and not listed.
        unsafe { bins.insert(block, block.size()) };
    }
    let mut places = Vec::new();
    bins.for_each(&mut |_, slot| {
        places.push(slot);
        true
    });
    let trees = [
        Slot::Tree(0, 0, 0),
        Slot::Tree(0, 0b1, 1),
        Slot::Tree(0, 0b11, 2),
    ];
    assert_eq!(places[..2], [Slot::Apart, Slot::List(5)]);
    assert_eq!(places[2..], trees);
    // SAFETY: the test is over.
    drop(unsafe { chunk.into_region() });
}

#[test]
fn the_smallest_large_block_is_found_in_its_tree() {
    let (chunk, blocks) = blocks(&[500, 64]);
    let mut bins = Bins::new();
    for &block in &blocks {
        // SAFETY: it is free and not listed.
        unsafe { bins.insert(block, block.size()) };
    }
    // SAFETY: it was listed above, and stood apart.
    unsafe { bins.remove(blocks[0], blocks[0].size()) };
    assert_eq!([bins.first(64), bins.best(64)], [Some(blocks[1]); 2]);
    assert_eq!([bins.first(65), bins.best(65)], [None; 2]);
    // SAFETY: the test is over.
    drop(unsafe { chunk.into_region() });
}

#[test]
fn a_map_that_is_not_true_is_found() {
    let (mut small, mut large) = (Bins::new(), Bins::new());
    assert!(small.maps_are_true() && large.maps_are_true());
    small.small_map = 1 << 7;
    large.large_map = 1 << 7;
    assert!(!small.maps_are_true() && !large.maps_are_true());
}
