#![expect(unsafe_code, reason = "reads what must not be read")]
//! Stale reads inside a chunk end the process, and so does a leak: else a run under AddressSanitizer says nothing.
//!
//! Each fault is a process of its own: this binary, told to run one of the ignored tests below.

use std::hint::black_box;

use mem_pool::{FixedPool, PoolBox, VariadicPool};
use rstest::rstest;

#[rstest]
#[case::of_a_dropped_object("a_dropped_object", "use-after-poison")]
#[case::of_a_dropped_local_object("a_dropped_local_object", "use-after-poison")]
#[case::of_an_object_dropped_in_a_walk("an_object_dropped_in_a_walk", "use-after-poison")]
#[case::of_a_slot_never_taken("a_slot_never_taken", "use-after-poison")]
#[case::of_an_object_of_a_dropped_pool("an_object_of_a_dropped_pool", "use-after-poison")]
#[case::of_a_small_block("a_small_block", "use-after-poison")]
#[case::of_a_large_block("a_large_block", "use-after-poison")]
#[case::of_a_block_that_merged("a_block_that_merged", "use-after-poison")]
#[case::of_a_block_that_shrank("a_block_that_shrank", "use-after-poison")]
#[case::of_a_region_that_went_back("a_region_that_went_back", "heap-use-after-free")]
#[case::none_but_a_leak("a_leak", "detected memory leaks")]
fn a_stale_read_dies(#[case] fault: &str, #[case] reason: &str) {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([&format!("asan::{fault}"), "--exact", "--ignored"])
        .arg("--nocapture")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains(reason), "{said}");
}

/// Reads a byte that may be anybody's.
fn read(stale: *const u8) {
    // SAFETY: none: this is the fault.
    black_box(unsafe { stale.read_volatile() });
}

#[test]
#[ignore = "ends the process"]
fn a_dropped_object() {
    let pool = FixedPool::new();
    let handles = [7_u64, 8, 9].map(|n| pool.alloc(n));
    let stale = PoolBox::as_ptr(&handles[1]);
    let [_first, second, _third] = handles;
    drop(second);
    read(stale.cast());
}

#[test]
#[ignore = "ends the process"]
fn a_dropped_local_object() {
    let pool = mem_pool::local::FixedPool::unique();
    let handle = pool.alloc(7_u64);
    let stale = mem_pool::local::PoolBox::as_ptr(&handle);
    drop(handle);
    read(stale.cast());
}

#[test]
#[ignore = "ends the process"]
fn an_object_dropped_in_a_walk() {
    let pool = FixedPool::new();
    let mut handle = Some(pool.alloc(String::from("seven")));
    let stale = PoolBox::as_ptr(handle.as_ref().unwrap());
    pool.for_each(|text| {
        handle = None;
        assert_eq!(text, "seven", "until the walk has left");
    });
    read(stale.cast());
}

#[test]
#[ignore = "ends the process"]
fn a_slot_never_taken() {
    let pool = FixedPool::<[u64; 4]>::builder().growth(8).build();
    let handle = pool.alloc([7; 4]);
    read(PoolBox::as_ptr(&handle).wrapping_add(1).cast());
}

#[test]
#[ignore = "ends the process"]
fn an_object_of_a_dropped_pool() {
    let pool = FixedPool::unique();
    let (first, _second) = (pool.alloc([7_u8; 100]), pool.alloc([8; 100]));
    let stale = PoolBox::as_ptr(&first);
    drop((pool, first));
    read(stale.cast());
}

#[test]
#[ignore = "ends the process"]
fn a_small_block() {
    let pool = VariadicPool::default();
    let [first, _second] = [b"a", b"b"].map(|bytes| pool.alloc_copy(bytes));
    let stale = first.as_ptr();
    drop(first);
    read(stale);
}

#[test]
#[ignore = "ends the process"]
fn a_large_block() {
    let pool = VariadicPool::default();
    let (first, _second) = (pool.alloc(5000), pool.alloc(1));
    let stale = first.as_ptr();
    drop(first);
    read(stale);
}

#[test]
#[ignore = "ends the process"]
fn a_block_that_merged() {
    let pool = VariadicPool::default();
    let blocks = [100, 200, 300].map(|len| pool.alloc(len));
    let stale = blocks[1].as_ptr();
    let [first, second, _third] = blocks;
    drop((first, second));
    pool.check().unwrap(); // the last release is merged by whatever comes next
    read(stale.wrapping_sub(1)); // the last byte of what was the header
}

#[test]
#[ignore = "ends the process"]
fn a_block_that_shrank() {
    let pool = VariadicPool::default();
    let mut block = pool.alloc(1000);
    let stale = block.as_ptr().wrapping_add(500);
    block.truncate(100);
    block.shrink_to_fit();
    read(stale);
}

#[test]
#[ignore = "ends the process"]
fn a_region_that_went_back() {
    let pool = FixedPool::new();
    let handle = pool.alloc(7_u64);
    let stale = PoolBox::as_ptr(&handle);
    drop((pool, handle));
    read(stale.cast());
}

#[test]
#[ignore = "ends the process"]
fn a_leak() {
    std::mem::forget(black_box(vec![1_u8; 1000]));
}
