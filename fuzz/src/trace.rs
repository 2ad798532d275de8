//! The replay example's parser: whatever the text, an event that can be carried out or an error.

#[path = "../../examples/replay/trace.rs"]
mod lines;

use lines::{Event, parse};
use mem_pool::{PoolBytes, VariadicPool};

/// Longer blocks are parsed but not made.
const MOST: usize = 1 << 16;

pub(crate) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let pool = VariadicPool::default();
    let mut lens = Vec::new();
    let mut blocks: Vec<Option<PoolBytes>> = Vec::new();
    for line in text.lines() {
        let before = lens.clone();
        let Ok(event) = parse(line, &mut lens) else {
            assert_eq!(lens, before, "a bad line changes nothing");
            continue;
        };
        match event {
            Event::Alloc(len) => blocks.push(Some(pool.alloc(len.min(MOST)))),
            Event::Resize(id, len) => blocks[id].as_mut().unwrap().resize(len.min(MOST)),
            Event::Free(id) => drop(blocks[id].take().unwrap()),
        }
        assert_eq!(blocks.len(), lens.len());
        for (block, len) in blocks.iter().zip(&lens) {
            assert_eq!(
                block.as_ref().map(|block| block.len()),
                len.map(|len| len.min(MOST))
            );
        }
    }
    pool.check().unwrap();
}
