//! Replays the heap calls of a real program through a `VariadicPool` and through the system allocator.
//!
//! A trace has a line for each call: `a SIZE` allocates (the k-th `a` makes block k, from 0), `r ID SIZE` resizes, `f ID` frees.
//! Every block is filled, and its contents are checked when it is resized or freed.
//!
//! ```text
//! cargo run --release --example replay -- [TRACE] [--tolerance 20] [--first-fit] [--svg peak.svg]
//! ```

use std::fmt::Display;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use mem_pool::{HeapMap, PoolBytes, PoolError, VariadicPool};
use textplots::{Chart, Plot, Shape};

#[path = "replay/trace.rs"]
mod trace;

use trace::{Event, parse};

#[derive(Parser)]
#[command(about = "Replays a heap trace through a VariadicPool and through the system allocator")]
struct Args {
    /// What to replay: sqlite3 importing, indexing and joining a table if not given
    #[arg(default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/sqlite.trace"))]
    trace: PathBuf,
    /// Bytes by which the pool grows
    #[arg(long, default_value_t = 64 * 1024)]
    grow_size: usize,
    /// By how many percent a block may be larger than what was asked for
    #[arg(long, default_value_t = 0)]
    tolerance: u8,
    /// Take the first adequate block, not the best
    #[arg(long)]
    first_fit: bool,
    /// The most bytes the pool may reserve
    #[arg(long, default_value_t = 1 << 30)]
    limit: usize,
    /// Write a picture of the heap at its peak to this file
    #[arg(long)]
    svg: Option<PathBuf>,
}

impl Args {
    fn pool(&self) -> Result<VariadicPool, PoolError> {
        let builder = VariadicPool::builder()
            .grow_size(self.grow_size)
            .tolerance_percent(self.tolerance);
        let builder = builder.limit(self.limit);
        if self.first_fit {
            builder.first_fit().try_build()
        } else {
            builder.try_build()
        }
    }
}

fn read(path: &Path) -> Result<Vec<Event>, String> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let text = String::from_utf8_lossy(&bytes); // what is no text is no event either
    let mut lens = Vec::new();
    let lines = text.lines().enumerate();
    let event =
        |(n, line): (usize, &str)| parse(line, &mut lens).map_err(|error| at(path, n, error));
    lines.map(event).collect()
}

fn at(path: &Path, index: usize, error: impl Display) -> String {
    format!("{}:{}: {error}", path.display(), index + 1)
}

/// A block, filled with a byte of its own.
struct Filled(PoolBytes, u8);

impl Filled {
    fn check(&self) {
        assert!(
            self.0.iter().all(|&byte| byte == self.1),
            "a block keeps its contents"
        );
    }
}

/// The blocks of a replay that looks at every byte.
#[derive(Default)]
struct Heap {
    blocks: Vec<Option<Filled>>,
    live: usize,
}

impl Heap {
    fn step(&mut self, pool: &VariadicPool, event: Event) -> Result<(), PoolError> {
        match event {
            Event::Alloc(len) => {
                let (mut bytes, fill) = (pool.try_alloc(len)?, self.blocks.len() as u8);
                bytes.fill(fill);
                self.blocks.push(Some(Filled(bytes, fill)));
                self.live += len;
            }
            Event::Resize(id, len) => {
                let block = self.blocks[id].as_mut().expect("checked when it was read");
                block.check();
                let before = block.0.len();
                resize(&mut block.0, len)?;
                block.0[before.min(len)..].fill(block.1);
                block.check();
                self.live = self.live - before + len;
            }
            Event::Free(id) => {
                let block = self.blocks[id].take().expect("checked when it was read");
                block.check();
                self.live -= block.0.len();
            }
        }
        Ok(())
    }
}

/// As `realloc` does: a block that becomes much smaller gives its tail back.
fn resize(bytes: &mut PoolBytes, len: usize) -> Result<(), PoolError> {
    bytes.try_resize(len)?;
    if len < bytes.capacity() / 2 {
        bytes.shrink_to_fit();
    }
    Ok(())
}

#[derive(Default)]
struct Seen {
    peak_live: usize,
    peak_at: usize,
    peak_reserved: usize,
    fragmentation: Vec<(f32, f32)>,
    map: Option<HeapMap>,
}

/// Replays with checks. Where the heap is largest is only known in the end, so another round draws it.
fn watch(args: &Args, events: &[Event], draw_at: Option<usize>) -> Result<Seen, String> {
    let pool = args.pool().map_err(|error| error.to_string())?;
    let (mut heap, mut seen) = (Heap::default(), Seen::default());
    for (n, &event) in events.iter().enumerate() {
        heap.step(&pool, event)
            .map_err(|error| at(&args.trace, n, error))?;
        if heap.live > seen.peak_live {
            (seen.peak_live, seen.peak_at) = (heap.live, n);
        }
        seen.peak_reserved = seen.peak_reserved.max(pool.reserved_bytes());
        if n % (events.len() / 150 + 1) == 0 {
            seen.fragmentation
                .push((n as f32, 100.0 * pool.stats().fragmentation() as f32));
        }
        if draw_at == Some(n) {
            seen.map = Some(pool.heap_map());
        }
    }
    heap.blocks.iter().flatten().for_each(Filled::check);
    pool.check().map_err(|corruption| corruption.to_string())?;
    Ok(seen)
}

/// The best of a few rounds without checks.
fn time<B>(
    events: &[Event],
    alloc: impl Fn(usize) -> B,
    resize: impl Fn(&mut B, usize),
) -> Duration {
    let round = || {
        let mut blocks = Vec::with_capacity(events.len());
        let start = Instant::now();
        for &event in events {
            match event {
                Event::Alloc(len) => blocks.push(Some(alloc(len))),
                Event::Resize(id, len) => {
                    resize(blocks[id].as_mut().expect("checked when it was read"), len)
                }
                Event::Free(id) => blocks[id] = None,
            }
        }
        start.elapsed()
    };
    (0..7).map(|_| round()).min().expect("there were rounds")
}

fn report(args: &Args, events: &[Event]) -> Result<String, String> {
    let seen = watch(args, events, None)?;
    let map = watch(args, events, Some(seen.peak_at))?
        .map
        .unwrap_or_default();
    if let Some(path) = &args.svg {
        fs::write(path, map.to_svg()).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let pool = args.pool().map_err(|error| error.to_string())?;
    let fits = "it fitted before";
    let pooled = time(
        events,
        |len| pool.alloc(len),
        |bytes, len| resize(bytes, len).expect(fits),
    );
    let system = time(
        events,
        |len| vec![0_u8; len],
        |bytes, len| bytes.resize(len, 0),
    );
    let nanoseconds = |time: Duration| time.as_secs_f64() * 1e9 / events.len().max(1) as f64;
    let (pooled, system) = (nanoseconds(pooled), nanoseconds(system));
    let (reserved, live) = (seen.peak_reserved, seen.peak_live);
    let (name, count, at) = (args.trace.display(), events.len(), seen.peak_at + 1);
    let percent = 100.0 * reserved as f64 / live.max(1) as f64;
    let mut chart = Chart::new_with_y_range(150, 40, 0.0, count.max(2) as f32, 0.0, 100.0);
    let lines = Shape::Lines(&seen.fragmentation);
    let chart = chart.lineplot(&lines);
    chart.axis();
    chart.figures();
    Ok(format!(
        "{name}: {count} events, every block's contents checked
time per event   {pooled:.1} ns pool, {system:.1} ns system
peak             {reserved} bytes reserved for {live} live, {percent:.0} %

fragmentation of the free bytes in percent, by event
{chart}
the heap at its peak, event {at}
{map}
"
    ))
}

fn main() -> ExitCode {
    let args = Args::parse();
    match read(&args.trace).and_then(|events| report(&args, &events)) {
        Ok(report) => {
            let _ = io::stdout().write_all(report.as_bytes()); // a reader that has enough is no error
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}
