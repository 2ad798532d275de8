//! Replays the day once, minute by minute, and keeps what the table and the pictures need.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use indicatif::BinaryBytes;
use mem_pool::FixedStats;

use crate::data::{Timetable, count};
use crate::grid::{GROUND, Grid, Pair, SIGHT};
use crate::sky::{Aircraft, Sky, aircraft};

/// The aircraft in the air at one moment.
#[derive(Clone, Default)]
pub struct Scene {
    pub minute: usize,
    pub departed: usize,
    pub landed: usize,
    pub aircraft: Vec<Aircraft>,
}

/// The figures at the end of an hour, counted from midnight on.
#[derive(Clone, Default)]
struct Hour {
    departed: usize,
    landed: usize,
    in_the_air: usize,
    /// The two that came closest to each other within the hour.
    closest: Option<Pair>,
}

#[derive(Default)]
pub struct Day {
    hours: Vec<Hour>,
    /// How many were in the air, minute by minute.
    pub in_the_air: Vec<usize>,
    pub scenes: Vec<Scene>,
    pub busiest: Scene,
    at_busiest: FixedStats,
    at_end: FixedStats,
    flying: Duration,
    searching: Duration,
}

impl Day {
    /// Flies all flights to the last landing, past midnight if need be, and keeps a scene every `step` minutes.
    pub fn replay(timetable: &Timetable, step: usize) -> Self {
        let end = timetable.end();
        let mut sky = Sky::new(end, false);
        let mut day = Day::default();
        let (mut now, mut grid) = (Scene::default(), Grid::new(timetable));
        let mut waiting = timetable.flights.iter().zip(aircraft(timetable)).peekable();
        for minute in 0..=end {
            now.minute = minute;
            now.landed += sky.land(minute);
            while let Some((flight, aircraft)) =
                waiting.next_if(|(flight, _)| flight.departs == minute)
            {
                sky.depart(aircraft, flight.lands());
                now.departed += 1;
            }
            day.note(&now, &sky, minute % step == 0 || minute == end);
            day.search(minute, &mut grid, &sky);
            day.tick(&mut sky);
        }
        day.at_end = sky.stats();
        day
    }

    fn note(&mut self, now: &Scene, sky: &Sky, keep: bool) {
        self.in_the_air.push(sky.in_the_air());
        self.hours.resize(now.minute / 60 + 1, Hour::default());
        let hour = &mut self.hours[now.minute / 60];
        (hour.departed, hour.landed) = (now.departed, now.landed);
        hour.in_the_air = sky.in_the_air();
        let scene = || Scene {
            aircraft: sky.look(),
            ..now.clone()
        };
        if keep {
            self.scenes.push(scene());
        }
        if sky.in_the_air() > self.busiest.aircraft.len() {
            self.busiest = scene();
            self.at_busiest = sky.stats();
        }
    }

    /// Finds the two that are closest to each other; has a clock of its own.
    fn search(&mut self, minute: usize, grid: &mut Grid<'_>, sky: &Sky) {
        let start = Instant::now();
        let found = grid.closest(minute, &sky.hold());
        self.searching += start.elapsed();
        let closest = &mut self.hours[minute / 60].closest;
        *closest = closer(*closest, found);
    }

    fn tick(&mut self, sky: &mut Sky) {
        let start = Instant::now();
        sky.fly();
        self.flying += start.elapsed();
    }

    pub fn print(&self, timetable: &Timetable, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "\nhour    departed   landed   closest two   in the air at its end"
        )?;
        let mut before = &Hour::default();
        for (i, hour) in self.hours.iter().enumerate() {
            let (departed, landed) = (hour.departed - before.departed, hour.landed - before.landed);
            let (name, in_the_air) = (clock(i * 60), hour.in_the_air);
            let apart = hour.closest.map(|pair| format!("{:.1} km", pair.apart));
            let apart = apart.unwrap_or_else(|| "-".to_owned());
            let bar = "\u{2588}".repeat(in_the_air * 30 / self.busiest.aircraft.len().max(1));
            writeln!(
                out,
                "{name:8}{departed:8}{landed:9}{apart:>14}{in_the_air:7} {bar}"
            )?;
            before = hour;
        }
        self.print_closest(timetable, out)?;
        self.print_pool(out)
    }

    fn print_closest(&self, timetable: &Timetable, out: &mut impl Write) -> io::Result<()> {
        let hours = self.hours.iter().map(|hour| hour.closest);
        let Some(pair) = hours.reduce(closer).flatten() else {
            return Ok(());
        };
        let [one, other] = pair.flights.map(|flight| {
            let flight = &timetable.flights[flight as usize];
            let code = |airport: usize| &timetable.airports[airport].code;
            let (from, to) = (code(flight.origin), code(flight.dest));
            format!("the {} from {from} to {to}", clock(flight.departs))
        });
        let (minute, apart) = (clock(pair.minute), pair.apart);
        writeln!(
            out,
            "\nclosest of the day: {one} and {other}, {apart:.1} km apart at {minute}"
        )?;
        writeln!(
            out,
            "(on the map, whatever their height, and up to {SIGHT} km; not counted: the first and last {GROUND} minutes \
             of a flight,\nwhen all come close, and two of the same route, on the same line)"
        )
    }

    fn print_pool(&self, out: &mut impl Write) -> io::Result<()> {
        let (busiest, full) = (clock(self.busiest.minute), figures(&self.at_busiest));
        writeln!(out, "\npool at {busiest}, the busiest minute: {full}")?;
        writeln!(
            out,
            "pool after the last landing: {}",
            figures(&self.at_end)
        )?;
        let ticks = self.in_the_air.len() as f64;
        let flown = self.in_the_air.iter().sum::<usize>() as f64;
        let nanos = self.flying.as_nanos() as f64;
        writeln!(
            out,
            "{ticks} ticks: {:.2} \u{b5}s each, with {:.0} aircraft on average; {:.1} ns per aircraft",
            nanos / 1000.0 / ticks,
            flown / ticks,
            nanos / flown,
        )?;
        let micros = self.searching.as_nanos() as f64 / 1000.0 / ticks;
        writeln!(
            out,
            "search for the closest two: {micros:.2} \u{b5}s each, on top"
        )
    }
}

fn closer(a: Option<Pair>, b: Option<Pair>) -> Option<Pair> {
    let pairs = a.into_iter().chain(b);
    pairs.min_by(|a, b| a.apart.total_cmp(&b.apart))
}

/// The time of day; the next day's hours are marked.
pub fn clock(minute: usize) -> String {
    let (hour, minute) = (minute / 60, minute % 60);
    match hour / 24 {
        0 => format!("{hour:02}:{minute:02}"),
        days => format!("{:02}:{minute:02} +{days}", hour % 24),
    }
}

fn figures(stats: &FixedStats) -> String {
    format!(
        "{} live of {}, {}, {} reserved, {} deferred",
        stats.live,
        count(stats.capacity, "slot"),
        count(stats.chunks, "chunk"),
        BinaryBytes(stats.reserved_bytes as u64),
        stats.deferred
    )
}
