//! A day of air traffic: every flight is an entity in a keyed pool, from its departure to its landing.
//!
//! Prints the day hour by hour, draws it as an animated GIF and its busiest minute as a PNG, and flies it again
//! with a hundred thousand aircraft in the air, beside the same loop over a `Vec<Box<Aircraft>>`.

#[path = "../common/canvas.rs"]
mod canvas;
mod data;
mod day;
#[path = "../common/film.rs"]
mod film;
#[path = "../common/font.rs"]
mod font;
mod globe;
mod grid;
mod ground;
mod labels;
mod load;
mod map;
mod picture;
mod rows;
#[path = "../common/shell.rs"]
mod shell;
mod sky;

use std::fmt::Display;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use jiff::civil::Date;

use crate::data::Timetable;
use crate::day::Day;
use crate::film::Film;
use crate::ground::{Ground, SIZE};
use crate::picture::Picture;
use crate::rows::Result;

const FLIGHTS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/examples/data/flights-2013-07-01.csv"
);
const AIRPORTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/airports.csv");
const PICTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/flights");

/// So many aircraft are in the air under load, unless the user says otherwise.
const HUNDRED_THOUSAND: usize = 100_000;

/// Replays a day of air traffic in a pool, draws it, and measures it under load.
#[derive(Parser)]
#[command(name = "flights")]
struct Options {
    /// Flights: departure (local time), minutes (in the air), origin, dest; other columns are ignored
    #[arg(value_name = "FLIGHTS.csv", default_value = FLIGHTS, hide_default_value = true)]
    flights: PathBuf,
    /// Airports: faa (the code that flights use), name, lat, lon
    #[arg(value_name = "AIRPORTS.csv", default_value = AIRPORTS, hide_default_value = true)]
    airports: PathBuf,
    /// The day to replay, such as 2013-07-01 [default: the first in the file]
    #[arg(long)]
    day: Option<Date>,
    /// Under load every flight is flown this many times; 0 leaves the load out
    /// [default: enough for a hundred thousand aircraft in the air]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=20_000))]
    times: Option<u32>,
    /// Fewer frames, and one round under a tenth of the load
    #[arg(long)]
    quick: bool,
    /// Under load the pool's aircraft fly on all threads
    #[cfg_attr(feature = "rayon", arg(long))]
    #[cfg_attr(not(feature = "rayon"), arg(skip))]
    parallel: bool,
    /// Where the pictures go [default: target/flights]
    #[arg(long, value_name = "DIR", default_value = PICTURES, hide_default_value = true)]
    out: PathBuf,
}

fn main() -> ExitCode {
    shell::exit("flights", run(&Options::parse(), &mut io::stdout().lock()))
}

fn run(options: &Options, out: &mut impl Write) -> Result<()> {
    let timetable = Timetable::read(&options.flights, &options.airports, options.day)?;
    writeln!(out, "{}: {}", timetable.date(), timetable.title())?;
    let day = Day::replay(&timetable, if options.quick { 20 } else { 6 });
    day.print(&timetable, out)?;
    draw(&timetable, &day, &options.out, out)?;
    let enough = HUNDRED_THOUSAND.div_ceil(day.busiest.aircraft.len());
    let parallel = options.parallel;
    match options.times.map_or(enough, |times| times as usize) {
        0 => {}
        times if options.quick => load::run(&timetable, times.div_ceil(10), 1, parallel, out)?,
        times => load::run(&timetable, times, 3, parallel, out)?,
    }
    Ok(())
}

/// Draws the busiest minute and the film of the day.
fn draw(timetable: &Timetable, day: &Day, folder: &Path, out: &mut impl Write) -> Result<()> {
    fs::create_dir_all(folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    let ground = Ground::new(timetable);
    let (still, film) = (folder.join("busiest-minute.png"), folder.join("day.gif"));
    let fail = |path: &Path, why: &dyn Display| format!("{}: {why}", path.display());
    let large = Picture::new(timetable, day, &ground, 2).draw(&day.busiest);
    large.save(&still).map_err(|why| fail(&still, &why))?;
    let small = Picture::new(timetable, day, &ground, 1);
    let bar = shell::progress("drawing", day.scenes.len());
    let reel = Film {
        size: SIZE,
        frames: day.scenes.len(),
        delay: 8,
        draw: &|frame| small.draw(&day.scenes[frame]),
    };
    reel.write(&film, &bar).map_err(|why| fail(&film, &why))?;
    bar.finish_and_clear();
    writeln!(out, "\n{}\n{}", still.display(), film.display())?;
    Ok(())
}
