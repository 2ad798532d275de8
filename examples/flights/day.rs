//! Replays the day once, minute by minute, and keeps what the table and the pictures need.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use indicatif::BinaryBytes;
use mem_pool::FixedStats;

use crate::data::{Timetable, count};
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
}

impl Day {
    /// Flies all flights to the last landing, past midnight if need be, and keeps a scene every `step` minutes.
    pub fn replay(timetable: &Timetable, step: usize) -> Self {
        let end = timetable.end();
        let mut sky = Sky::new(end);
        let mut day = Day::default();
        let mut now = Scene::default();
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
            day.tick(&mut sky);
        }
        day.at_end = sky.stats();
        day
    }

    fn note(&mut self, now: &Scene, sky: &Sky, keep: bool) {
        self.in_the_air.push(sky.in_the_air());
        self.hours.resize(now.minute / 60 + 1, Hour::default());
        self.hours[now.minute / 60] = Hour {
            departed: now.departed,
            landed: now.landed,
            in_the_air: sky.in_the_air(),
        };
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

    fn tick(&mut self, sky: &mut Sky) {
        let start = Instant::now();
        sky.fly();
        self.flying += start.elapsed();
    }

    pub fn print(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "\nhour    departed   landed   in the air at its end")?;
        let mut before = &Hour::default();
        for (i, hour) in self.hours.iter().enumerate() {
            let (departed, landed) = (hour.departed - before.departed, hour.landed - before.landed);
            let (name, in_the_air) = (clock(i * 60), hour.in_the_air);
            let bar = "\u{2588}".repeat(in_the_air * 30 / self.busiest.aircraft.len().max(1));
            writeln!(out, "{name:8}{departed:8}{landed:9}{in_the_air:7} {bar}")?;
            before = hour;
        }
        self.print_pool(out)
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
        )
    }
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
