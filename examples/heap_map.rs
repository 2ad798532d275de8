//! Makes fragmentation visible: fills a heap, punches holes, and fills the holes again with blocks of other sizes: three times,
//! with best fit under tolerance 0 and 20, and with first fit.
//!
//! ```text
//! cargo run --release --example heap_map -- [--svg heap_map.svg] [--seed 7]
//! ```

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use mem_pool::{HeapMap, PoolBytes, VariadicBuilder, VariadicPool, VariadicStats};

#[derive(Parser)]
#[command(about = "Draws the same heap under three ways to choose a block")]
struct Args {
    /// Write the three maps side by side to this file
    #[arg(long)]
    svg: Option<PathBuf>,
    /// Other sizes and other holes
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

/// A repeatable row of numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    /// Most blocks are small, a few are large.
    fn len(&mut self) -> usize {
        let most = 100 << self.below(6);
        50 + self.below(most)
    }
}

/// A pool after the same work as the others.
struct Picture {
    name: &'static str,
    map: HeapMap,
    stats: VariadicStats,
    /// Bytes of room that nobody asked for.
    waste: usize,
}

fn work(name: &'static str, builder: VariadicBuilder, seed: u64) -> Picture {
    let (pool, mut random) = (builder.grow_size(16 * 1024).build(), Random(seed));
    let mut blocks: Vec<PoolBytes> = (0..250).map(|_| pool.alloc(random.len())).collect();
    for _ in 0..20 {
        for _ in 0..40 {
            blocks.swap_remove(random.below(blocks.len()));
        }
        blocks.extend((0..40).map(|_| pool.alloc(random.len())));
    }
    let waste = blocks
        .iter()
        .map(|block| block.capacity() - block.len())
        .sum();
    Picture {
        name,
        map: pool.heap_map(),
        stats: pool.stats(),
        waste,
    }
}

/// Columns of text, a map each.
fn side_by_side(pictures: &[Picture]) -> String {
    let columns: Vec<Vec<String>> = pictures.iter().map(lines).collect();
    let height = columns.iter().map(Vec::len).max().unwrap_or(0);
    let row = |n| {
        columns.iter().map(move |column: &Vec<String>| {
            format!("{:<46}", column.get(n).map_or("", String::as_str))
        })
    };
    (0..height)
        .map(|n| row(n).collect::<String>().trim_end().to_owned() + "\n")
        .collect()
}

fn lines(picture: &Picture) -> Vec<String> {
    let stats = &picture.stats;
    let drawn = format!("{:20}", picture.map);
    let mut lines = vec![
        picture.name.to_owned(),
        format!(
            "  {} bytes reserved, {} live",
            stats.reserved_bytes, stats.live_bytes
        ),
        format!(
            "  {} free blocks, the largest {}",
            stats.free_blocks, stats.largest_free
        ),
        format!("  {:.0} % fragmented", 100.0 * stats.fragmentation()),
        format!("  {} bytes of room unused in blocks", picture.waste),
        String::new(),
    ];
    lines.extend(drawn.lines().skip(1).map(str::to_owned));
    lines
}

/// The maps as they are, each an `<svg>` of its own in one around all.
fn to_svg(pictures: &[Picture]) -> String {
    const WIDTH: usize = 760;
    let maps: Vec<String> = pictures
        .iter()
        .map(|picture| picture.map.to_svg())
        .collect();
    let height = 70 + maps.iter().map(|map| height_of(map)).max().unwrap_or(0);
    let width = WIDTH * pictures.len();
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="system-ui, 'DejaVu Sans', sans-serif">"#
    );
    svg += "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n";
    for (n, (picture, map)) in pictures.iter().zip(&maps).enumerate() {
        let (x, stats) = (n * WIDTH, &picture.stats);
        let (free, largest, waste) = (stats.free_blocks, stats.largest_free, picture.waste);
        let line = format!(
            "{free} free blocks, the largest {largest} bytes; {waste} bytes of room unused in blocks"
        );
        let _ = writeln!(
            svg,
            r##"<text x="{}" y="34" font-size="20" font-weight="600" fill="#22303a">{}</text>"##,
            x + 88,
            picture.name
        );
        let _ = writeln!(
            svg,
            r##"<text x="{}" y="58" font-size="14" fill="#6b7c88">{line}</text>"##,
            x + 88
        );
        svg += &map.replacen("<svg ", &format!(r#"<svg x="{x}" y="70" "#), 1);
    }
    svg + "</svg>\n"
}

fn height_of(svg: &str) -> usize {
    let height = svg
        .split(r#" height=""#)
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    height.and_then(|height| height.parse().ok()).unwrap_or(0)
}

fn main() -> ExitCode {
    let args = Args::parse();
    let pictures = [
        work("best fit, tolerance 0", VariadicPool::builder(), args.seed),
        work(
            "best fit, tolerance 20",
            VariadicPool::builder().tolerance_percent(20),
            args.seed,
        ),
        work("first fit", VariadicPool::builder().first_fit(), args.seed),
    ];
    let _ = io::stdout().write_all(side_by_side(&pictures).as_bytes()); // a reader that has enough is no error
    let written = args
        .svg
        .as_ref()
        .map(|path| (path, fs::write(path, to_svg(&pictures))));
    if let Some((path, Err(error))) = written {
        eprintln!("{}: {error}", path.display());
        return ExitCode::from(2);
    }
    ExitCode::SUCCESS
}
