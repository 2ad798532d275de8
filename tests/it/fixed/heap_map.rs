//! What a pool's picture shows.

use mem_pool::{HeapMap, Lock};

use crate::support::{Mode, in_every_mode, pool};

in_every_mode!(
    an_unused_pool_has_an_empty_map,
    a_map_shows_every_slot,
    what_is_not_opened_is_free,
    a_map_shows_every_chunk,
);

/// The bytes of a map, and the runs of each chunk: their kinds and bytes.
fn runs(map: &HeapMap) -> (usize, Vec<Vec<(String, usize)>>) {
    let json = map.to_json();
    let bytes = |text: &str| -> usize {
        let digits = text.split(|c: char| !c.is_ascii_digit()).next().unwrap();
        digits.parse().unwrap()
    };
    let run = |text: &str| {
        let (kind, rest) = text.split_once("\", \"bytes\": ").unwrap();
        (kind.to_owned(), bytes(rest))
    };
    let chunk = |text: &str| {
        let runs: Vec<_> = text.split("{\"kind\": \"").skip(1).map(run).collect();
        assert_eq!(bytes(text), runs.iter().map(|run| run.1).sum::<usize>());
        runs
    };
    let reserved = bytes(json.strip_prefix("{\"reserved_bytes\": ").unwrap());
    let chunks = json.split("{\"bytes\": ").skip(1).map(chunk).collect();
    (reserved, chunks)
}

fn an_unused_pool_has_an_empty_map<A: Mode, L: Lock>() {
    assert_eq!(pool::<u64, A, L>().heap_map(), HeapMap::default());
}

fn a_map_shows_every_slot<A: Mode, L: Lock>() {
    let pool = A::builder::<[u8; 32], L>().growth(100).limit(100).build();
    let mut objects: Vec<_> = (0..100).map(|n| pool.alloc([n; 32])).collect();
    objects.drain(70..90);
    objects.drain(16..17);
    let (reserved, chunks) = runs(&pool.heap_map());
    assert_eq!(reserved, pool.stats().reserved_bytes);
    let [header, slots @ ..] = &chunks[0][..] else {
        panic!("{chunks:?}")
    };
    assert_eq!((chunks.len(), header.0.as_str()), (1, "header"));
    // Slots may lie a little further apart than their size where the pool carries something with each.
    let slot = (reserved - header.1) / 100;
    let slots: Vec<_> = slots
        .iter()
        .map(|(kind, bytes)| (kind.as_str(), bytes / slot))
        .collect();
    let expected = [
        ("used", 16),
        ("free", 1),
        ("used", 53),
        ("free", 20),
        ("used", 10),
    ];
    assert_eq!(slots, expected);
    drop(objects);
    let (_, chunks) = runs(&pool.heap_map());
    assert_eq!((chunks[0].len(), chunks[0][1].0.as_str()), (2, "free"));
}

fn what_is_not_opened_is_free<A: Mode, L: Lock>() {
    let pool = A::builder::<[u8; 32], L>().growth(10).build();
    let objects: Vec<_> = (0..10).map(|n| pool.alloc([n; 32])).collect();
    assert_eq!(pool.capacity(), 10);
    let (reserved, chunks) = runs(&pool.heap_map());
    let [header, used, free] = &chunks[0][..] else {
        panic!("{chunks:?}")
    };
    assert_eq!([&header.0, &used.0, &free.0], ["header", "used", "free"]);
    assert!(
        used.1 >= 10 * 32 && free.1 > 10 * used.1 / 2,
        "a page has room for more"
    );
    assert_eq!(header.1 + used.1 + free.1, reserved);
    drop(objects);
}

fn a_map_shows_every_chunk<A: Mode, L: Lock>() {
    let pool = A::builder::<[u8; 5000], L>().build();
    pool.reserve(1000);
    let (reserved, chunks) = runs(&pool.heap_map());
    assert_eq!(reserved, pool.stats().reserved_bytes);
    assert!(chunks.len() > 50 && chunks.len() == pool.stats().chunks);
}
