//! Moves a real file through threads in pooled blocks: a reader fills them, workers look at them as words, a writer collects.
//!
//! A block is allocated on one thread and freed on another; however long the file, a few chunks are all it takes.
//!
//! ```text
//! cargo run --release --example pipeline -- [FILE] [--workers 4] [--block 65536]
//! ```

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use mem_pool::{PoolBytes, PoolSlice, VariadicPool};

#[derive(Parser)]
#[command(
    about = "Measures the entropy of a file, read, counted and collected by different threads"
)]
struct Args {
    /// What to read: this executable if not given
    file: Option<PathBuf>,
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..))]
    workers: u8,
    /// Bytes in a block
    #[arg(long, default_value_t = 64 * 1024, value_parser = clap::value_parser!(u32).range(1..=1 << 30))]
    block: u32,
}

/// What a worker makes of a block.
struct Counted {
    index: u64,
    len: usize,
    sum: u64,
    /// How often each byte occurs.
    counts: PoolSlice<u32>,
}

/// Fills blocks with the file, one after the other. Their memory is written once: nothing zeroes it first.
fn read(
    pool: &VariadicPool,
    mut file: File,
    block: u32,
    filled: SyncSender<(u64, PoolBytes)>,
) -> io::Result<()> {
    for index in 0.. {
        let mut bytes = pool.alloc_with_capacity(block as usize);
        if io::copy(&mut file.by_ref().take(u64::from(block)), &mut bytes)? == 0 {
            break;
        }
        if filled.send((index, bytes)).is_err() {
            break; // nobody wants them any more
        }
    }
    Ok(())
}

fn work(
    pool: &VariadicPool,
    filled: &Mutex<Receiver<(u64, PoolBytes)>>,
    counted: SyncSender<Counted>,
) {
    loop {
        let next = filled.lock().expect("no worker panics").recv();
        let Ok((index, bytes)) = next else { return };
        if counted.send(count(pool, index, bytes)).is_err() {
            return;
        }
    }
}

/// Looks at a block byte by byte, then as words; the last word of the file is filled up with zeroes.
fn count(pool: &VariadicPool, index: u64, mut bytes: PoolBytes) -> Counted {
    let len = bytes.len();
    let mut counts = pool.alloc_pod::<u32>(256);
    for &byte in &bytes {
        counts[usize::from(byte)] += 1;
    }
    bytes.resize(len.next_multiple_of(8));
    let words = bytes
        .cast_slice::<u64>()
        .expect("blocks are aligned, and this is a whole number of words");
    let sum = words.iter().fold(index, |sum, &word| {
        (sum.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    });
    Counted {
        index,
        len,
        sum,
        counts,
    }
}

#[derive(Default)]
struct Total {
    blocks: u64,
    bytes: usize,
    sum: u64,
    counts: Vec<u64>,
    most_chunks: usize,
    most_reserved: usize,
}

fn collect(pool: &VariadicPool, counted: Receiver<Counted>) -> Total {
    let mut total = Total {
        counts: vec![0; 256],
        ..Total::default()
    };
    for part in counted {
        let stats = pool.stats();
        total.most_chunks = total.most_chunks.max(stats.chunks);
        total.most_reserved = total.most_reserved.max(stats.reserved_bytes);
        total.blocks += 1;
        total.bytes += part.len;
        total.sum = total
            .sum
            .wrapping_add(part.sum.wrapping_mul(2 * part.index + 1)); // in any order
        total
            .counts
            .iter_mut()
            .zip(&part.counts)
            .for_each(|(all, &here)| *all += u64::from(here));
    }
    total
}

/// Bits of information in a byte of the file.
fn entropy(total: &Total) -> f64 {
    let share = |&count: &u64| count as f64 / total.bytes as f64;
    0.0 - total
        .counts
        .iter()
        .filter(|&&count| count > 0)
        .map(share)
        .map(|share| share * share.log2())
        .sum::<f64>()
}

fn run(args: &Args) -> io::Result<()> {
    let path = args.file.clone().map_or_else(std::env::current_exe, Ok)?;
    let name = path.display();
    let file = File::open(&path)
        .map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?;
    let pool = VariadicPool::new(1 << 20, 0);
    let (send_filled, filled) = sync_channel(8);
    let (send_counted, counted) = sync_channel(8);
    let filled = Mutex::new(filled);
    let start = Instant::now();
    let (read, total) = thread::scope(|scope| {
        let reader = scope.spawn(|| read(&pool, file, args.block, send_filled));
        for _ in 0..args.workers {
            let counted = send_counted.clone();
            scope.spawn(|| work(&pool, &filled, counted));
        }
        drop(send_counted);
        let total = collect(&pool, counted);
        (reader.join().expect("the reader does not panic"), total)
    });
    read.map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?;
    report(&total, start.elapsed(), &name);
    Ok(())
}

fn report(total: &Total, time: Duration, name: &dyn Display) {
    let mebibytes = total.bytes as f64 / f64::from(1 << 20);
    println!(
        "{name}: {} bytes, {:.3} bits of information each, sum {:016x}",
        total.bytes,
        entropy(total),
        total.sum
    );
    println!(
        "{:.1} MiB/s through {} blocks",
        mebibytes / time.as_secs_f64(),
        total.blocks
    );
    println!(
        "in {} chunks at most, {} bytes reserved",
        total.most_chunks, total.most_reserved
    );
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
