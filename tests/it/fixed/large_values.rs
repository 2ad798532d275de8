//! An object of a mebibyte, moved in by value, needs no larger stack than a program's first thread has.

use std::process::Command;
use std::thread;

use mem_pool::{FixedPool, PoolBox};
use rstest::rstest;

type Huge = [u8; 1 << 20];

fn alloc(pool: &FixedPool<Huge>) -> PoolBox<Huge> {
    pool.alloc([1; 1 << 20])
}

fn try_alloc(pool: &FixedPool<Huge>) -> PoolBox<Huge> {
    pool.try_alloc([1; 1 << 20]).ok().unwrap()
}

fn alloc_with(pool: &FixedPool<Huge>) -> PoolBox<Huge> {
    pool.alloc_with(|| [1; 1 << 20])
}

type Way = fn(&FixedPool<Huge>) -> PoolBox<Huge>;

const WAYS: [(&str, Way); 3] = [
    ("alloc", alloc),
    ("try_alloc", try_alloc),
    ("alloc_with", alloc_with),
];

#[test]
#[ignore = "may overflow its stack; run by the test below"]
fn on_eight_mebibytes() {
    let wanted = std::env::var("LARGE_VALUES").unwrap();
    let way = WAYS
        .into_iter()
        .find(|(name, _)| *name == wanted)
        .unwrap()
        .1;
    let first = thread::Builder::new().stack_size(8 << 20);
    let test = first.spawn(move || {
        let pool = FixedPool::new();
        assert_eq!(way(&pool)[77], 1);
    });
    test.unwrap().join().unwrap();
}

#[rstest]
#[cfg_attr(miri, ignore = "starts a process")]
fn a_mebibyte_fits_a_first_threads_stack(#[values("alloc", "try_alloc", "alloc_with")] way: &str) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "fixed::large_values::on_eight_mebibytes",
            "--ignored",
            "--nocapture",
        ])
        .env("LARGE_VALUES", way)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
