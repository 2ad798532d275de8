//! The same day with every flight flown many times, in the pool and in a `Vec<Box<Aircraft>>` in turn.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use indicatif::{BinaryBytes, ProgressBar};

use crate::data::{Timetable, count};
use crate::sky::{Aircraft, Sky, aircraft};

/// Copies of a flight leave over this many minutes, so that those who are neighbours in memory do not land together.
const SPREAD: usize = 15;

/// What a container of aircraft must do.
trait Airspace {
    fn depart(&mut self, aircraft: Aircraft, lands: usize);
    fn fly(&mut self);
    fn land(&mut self, minute: usize);
}

impl Airspace for Sky {
    fn depart(&mut self, aircraft: Aircraft, lands: usize) {
        Sky::depart(self, aircraft, lands);
    }

    fn fly(&mut self) {
        Sky::fly(self);
    }

    fn land(&mut self, minute: usize) {
        Sky::land(self, minute);
    }
}

impl Airspace for Vec<Box<Aircraft>> {
    fn depart(&mut self, aircraft: Aircraft, _lands: usize) {
        self.push(Box::new(aircraft));
    }

    /// Flies and lands in one pass, the best a `Vec` can do.
    fn fly(&mut self) {
        self.retain_mut(|aircraft| aircraft.fly());
    }

    fn land(&mut self, _minute: usize) {}
}

/// Who departs when, worked out before any clock runs.
struct Plan {
    fleet: Vec<Aircraft>,
    minutes: Vec<usize>,
    /// Indexes into `fleet`, by minute.
    departures: Vec<Vec<u32>>,
    busiest: usize,
    peak: usize,
}

impl Plan {
    fn new(timetable: &Timetable, times: usize) -> Self {
        let end = timetable.end() + SPREAD;
        let mut departures = vec![Vec::new(); end + 1];
        let mut change = vec![0_isize; end + 1];
        for copy in 0..times {
            for (i, flight) in timetable.flights.iter().enumerate() {
                departures[flight.departs + copy % SPREAD].push(i as u32);
                change[flight.departs + copy % SPREAD] += 1;
                change[flight.lands() + copy % SPREAD] -= 1;
            }
        }
        let (busiest, peak) = highest(&change);
        Plan {
            fleet: aircraft(timetable),
            minutes: timetable.flights.iter().map(|f| f.minutes).collect(),
            departures,
            busiest,
            peak,
        }
    }

    /// How many flights depart, and how many minutes they are in the air altogether.
    fn size(&self) -> (usize, usize) {
        let all = self.departures.iter().flatten();
        let minutes = all.clone().map(|&flight| self.minutes[flight as usize]);
        (all.count(), minutes.sum())
    }
}

/// Where the running sum of `change` is largest, and how large.
fn highest(change: &[isize]) -> (usize, usize) {
    let mut sum = 0;
    let sums = change.iter().map(|change| {
        sum += change;
        sum.unsigned_abs()
    });
    sums.enumerate()
        .max_by_key(|&(_, sum)| sum)
        .unwrap_or_default()
}

/// What a day took.
#[derive(Clone, Copy, Default)]
struct Times {
    depart: Duration,
    fly: Duration,
    land: Duration,
}

impl Times {
    fn total(&self) -> Duration {
        self.depart + self.fly + self.land
    }
}

/// Flies the plan once, with a look at the sky when it is fullest.
fn fly<A: Airspace>(
    plan: &Plan,
    sky: &mut A,
    bar: &ProgressBar,
    mut look: impl FnMut(&A),
) -> Times {
    let mut times = Times::default();
    for (minute, departing) in plan.departures.iter().enumerate() {
        let start = Instant::now();
        sky.land(minute);
        let landed = Instant::now();
        for &flight in departing {
            let flight = flight as usize;
            sky.depart(plan.fleet[flight].clone(), minute + plan.minutes[flight]);
        }
        let departed = Instant::now();
        sky.fly();
        times.fly += departed.elapsed();
        times.depart += departed - landed;
        times.land += landed - start;
        if minute == plan.busiest {
            look(sky);
        }
        bar.inc(1);
    }
    times
}

/// Runs `rounds` days in each container, turn by turn, and prints the medians.
pub fn run(
    timetable: &Timetable,
    times: usize,
    rounds: usize,
    parallel: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let plan = Plan::new(timetable, times);
    print_plan(&plan, times, rounds, out)?;
    let bar = crate::shell::progress("under load", 2 * rounds * plan.departures.len());
    let mut sky = Sky::new(plan.departures.len(), parallel);
    let mut boxes: Vec<Box<Aircraft>> = Vec::new();
    let (mut pooled, mut boxed, mut peak) = (Vec::new(), Vec::new(), 0);
    for _ in 0..rounds {
        let look = |sky: &Sky| peak = sky.stats().reserved_bytes;
        pooled.push(fly(&plan, &mut sky, &bar, look));
        boxed.push(fly(&plan, &mut boxes, &bar, |_| {}));
    }
    bar.finish_and_clear();
    let pool = match parallel {
        true => "FixedPool, parallel",
        false => "FixedPool, keyed",
    };
    let rows = [
        (pool, median(pooled)),
        ("Vec<Box<Aircraft>>", median(boxed)),
    ];
    print_times(&plan, rows, out)?;
    print_memory(&sky, peak, out)
}

fn median(mut rounds: Vec<Times>) -> Times {
    rounds.sort_by_key(Times::total);
    rounds[rounds.len() / 2]
}

fn print_plan(plan: &Plan, times: usize, rounds: usize, out: &mut impl Write) -> io::Result<()> {
    let (flights, minutes) = plan.size();
    writeln!(
        out,
        "\nunder load: every flight {}, {flights} departures, {} in the air at the busiest minute,\n\
         {:.1} million aircraft moved in {} ticks; {} for each, turn by turn; medians:",
        count(times, "time"),
        plan.peak,
        minutes as f64 / 1e6,
        plan.departures.len(),
        count(rounds, "such day"),
    )
}

fn print_times(plan: &Plan, rows: [(&str, Times); 2], out: &mut impl Write) -> io::Result<()> {
    let (flights, minutes) = plan.size();
    let per = |time: Duration, count: usize| time.as_secs_f64() * 1e9 / count.max(1) as f64;
    writeln!(
        out,
        "\n                          ns per     ns per aircraft and tick"
    )?;
    writeln!(
        out,
        "                       departure   fly and land   all in all"
    )?;
    for (name, times) in rows {
        let departure = per(times.depart, flights);
        let moving = per(times.fly + times.land, minutes);
        let all = per(times.depart + times.fly + times.land, minutes);
        writeln!(out, "{name:20}{departure:12.1}{moving:15.2}{all:13.2}")?;
    }
    Ok(())
}

fn print_memory(sky: &Sky, peak: usize, out: &mut impl Write) -> io::Result<()> {
    let reserved = || BinaryBytes(sky.stats().reserved_bytes as u64);
    let (peak, empty) = (BinaryBytes(peak as u64), reserved());
    sky.shrink();
    let shrunk = reserved();
    writeln!(
        out,
        "\npool memory: {peak} at the busiest minute, {empty} after the last landing, {shrunk} after shrink_to_fit",
    )
}
