//! A small game: ships, their turrets, bullets and rocks live in four keyed pools, and a grid of weak keys finds who meets whom.
//!
//! `cargo run --release --example asteroids -- --seed 5`
//!
//! Plays by itself, the same game for the same seed; draws the replay as an animated GIF and the fullest tick as a picture,
//! and prints a final table. The game is in `world.rs`.

mod bodies;
#[path = "../common/canvas.rs"]
mod canvas;
#[path = "../common/film.rs"]
mod film;
#[path = "../common/font.rs"]
mod font;
mod picture;
mod plane;
mod scene;
#[path = "../common/shell.rs"]
mod shell;
mod world;

use std::fmt::Display;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use clap::builder::RangedU64ValueParser;

use crate::film::Film;
use crate::picture::{MOST_SHIPS, Picture, SIZE, name};
use crate::scene::Scene;
use crate::world::World;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const PICTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/asteroids");

/// Plays a small game in four pools, and draws the replay.
#[derive(Parser)]
#[command(name = "asteroids")]
struct Options {
    /// The same seed gives the same game
    #[arg(long, default_value_t = 5)]
    seed: u64,
    /// How long the game is; 20 ticks are a second of the replay
    #[arg(long, default_value_t = 500, value_parser = RangedU64ValueParser::<u32>::new().range(1..=5000))]
    ticks: u32,
    /// How many ships there are
    #[arg(long, default_value_t = 4, value_parser = RangedU64ValueParser::<u8>::new().range(1..=u64::from(MOST_SHIPS)))]
    ships: u8,
    /// Where the pictures go [default: target/asteroids]
    #[arg(long, value_name = "DIR", default_value = PICTURES, hide_default_value = true)]
    out: PathBuf,
}

fn main() -> ExitCode {
    shell::exit(
        "asteroids",
        run(&Options::parse(), &mut io::stdout().lock()),
    )
}

fn run(options: &Options, out: &mut impl Write) -> Result<()> {
    let mut world = World::new(options.seed, options.ships);
    let mut scenes = vec![Scene::of(&world)];
    for _ in 0..options.ticks {
        world.tick();
        scenes.push(Scene::of(&world));
    }
    writeln!(out, "seed {}, {} ticks", options.seed, options.ticks)?;
    print_scores(&world, out)?;
    print_pools(&world, out)?;
    draw(&scenes, &options.out, out)
}

/// The final table.
fn print_scores(world: &World, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "\nship      shots   hits   late hits   rocks rammed   lost"
    )?;
    for (ship, score) in world.scores.values().enumerate() {
        let (name, shots, hits) = (name(ship), score.shots, score.hits);
        let (late, rammed) = (score.late, score.rammed);
        let lost = match score.lost {
            Some(tick) => format!("at tick {tick}"),
            None => "no".to_owned(),
        };
        writeln!(
            out,
            "{name:8}{shots:7}{hits:7}{late:12}{rammed:15}   {lost}"
        )?;
    }
    writeln!(out, "(late hits: the ship was lost before its bullet hit)")
}

fn print_pools(world: &World, out: &mut impl Write) -> io::Result<()> {
    let pools = [
        ("ships", world.ships.stats()),
        ("turrets", world.turrets.stats()),
        ("rocks", world.rocks.stats()),
        ("bullets", world.bullets.stats()),
    ];
    writeln!(out)?;
    for (name, stats) in pools {
        let (live, slots) = (stats.live, stats.capacity);
        writeln!(out, "{name:7}{live:4} left, in a pool of {slots} slots")?;
    }
    Ok(())
}

/// Draws the fullest tick and the replay.
fn draw(scenes: &[Scene], folder: &Path, out: &mut impl Write) -> Result<()> {
    fs::create_dir_all(folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    let (still, replay) = (folder.join("fullest-tick.png"), folder.join("replay.gif"));
    let fail = |path: &Path, why: &dyn Display| format!("{}: {why}", path.display());
    let fullest = (0..scenes.len()).max_by_key(|&frame| scenes[frame].objects());
    let large = Picture::new(scenes, 2).draw(fullest.unwrap_or_default());
    large.save(&still).map_err(|why| fail(&still, &why))?;
    let small = Picture::new(scenes, 1);
    let film = Film {
        size: SIZE,
        frames: scenes.len(),
        delay: 5,
        draw: &|frame| small.draw(frame),
    };
    let bar = shell::progress("drawing", scenes.len());
    film.write(&replay, &bar)
        .map_err(|why| fail(&replay, &why))?;
    bar.finish_and_clear();
    writeln!(out, "\n{}\n{}", still.display(), replay.display())?;
    Ok(())
}
