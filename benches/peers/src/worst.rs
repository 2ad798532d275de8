//! The worst cases: every single operation is timed while an empty pool grows, with its growth.
//!
//! Of three operations two make an object and one ends one at random, until so many live. The clock is read before and after each:
//! its own time is in all figures, and the table's last row.

use std::time::Instant;

use fastrand::Rng;

use crate::Selection;
use crate::contenders::{Contender, Object, Plain, Pool, all};
use crate::race::{median, turns};
use crate::table::Table;
use crate::workloads::{Effort, make};

/// How many live in the end.
pub(crate) const LIVE: usize = 200_000;

/// In the order of the columns.
const POINTS: [(&str, f64); 4] = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

/// Nanoseconds at each of [`POINTS`].
type Points = [f64; POINTS.len()];

/// What a turn gives: objects made, and ended.
pub(crate) struct Times {
    made: Points,
    ended: Points,
}

/// Nanoseconds of single operations.
struct Clock(Vec<u32>);

impl Clock {
    #[inline]
    fn time<R>(&mut self, operation: impl FnOnce() -> R) -> R {
        let start = Instant::now();
        let result = operation();
        let time = start.elapsed().as_nanos();
        self.0.push(u32::try_from(time).unwrap_or(u32::MAX));
        result
    }

    fn points(mut self) -> Points {
        self.0.sort_unstable();
        let last = self.0.len() - 1;
        POINTS.map(|(_, share)| f64::from(self.0[(last as f64 * share) as usize]))
    }
}

pub(crate) fn times<T: Object, P: Pool<T>>() -> Times {
    let pool = P::new();
    let mut live = Vec::with_capacity(LIVE);
    let (mut made, mut ended) = (
        Clock(Vec::with_capacity(3 * LIVE)),
        Clock(Vec::with_capacity(2 * LIVE)),
    );
    let mut random = Rng::with_seed(6);
    while live.len() < LIVE {
        if random.usize(..3) > 0 || live.is_empty() {
            live.push(made.time(|| make(&pool)));
        } else {
            let handle = live.swap_remove(random.usize(..live.len()));
            ended.time(|| pool.end(handle));
        }
    }
    live.into_iter().for_each(|handle| pool.end(handle));
    Times {
        made: made.points(),
        ended: ended.points(),
    }
}

/// What reading the clock twice takes.
fn clock_alone() -> Times {
    let mut clock = Clock(Vec::with_capacity(LIVE));
    (0..LIVE).for_each(|_| clock.time(|| ()));
    let made = clock.points();
    Times { made, ended: made }
}

type Runner = (&'static str, fn() -> Times);

pub(crate) fn run(effort: &Effort, selection: &Selection) -> Option<Table> {
    let mut runners: Vec<Runner> = Vec::new();
    let timed = |contender: Contender| Some((contender.name, contender.worst?));
    runners.extend(all::<Plain<8>>().into_iter().filter_map(timed));
    runners.retain(|(name, _)| selection.has_contender(name));
    if runners.is_empty() || !selection.has_workload("worst") {
        return None;
    }
    runners.push(("the clock alone", clock_alone));
    let results = turns(effort.few_rounds, &mut runners, |(_, times)| times());
    let columns = ["made", "ended"].map(|what| POINTS.map(|(point, _)| format!("{what}, {point}")));
    let note = "ns of a single operation; medians over the rounds, of the greatest times, too";
    let title = format!(
        "Worst cases, 64 bytes, from none to {} k live objects",
        LIVE / 1000
    );
    let mut table = Table::new(title, note).columns(columns.into_iter().flatten());
    for ((name, _), turns) in runners.iter().zip(&results) {
        table.row(*name, cells(turns));
    }
    Some(table)
}

fn cells(turns: &[Times]) -> Vec<String> {
    let cell = |points: fn(&Times) -> &Points, index: usize| {
        let values = turns.iter().map(|times| points(times)[index]);
        time(median(values.collect()))
    };
    let columns = 0..POINTS.len();
    let made = columns
        .clone()
        .map(|index| cell(|times| &times.made, index));
    made.chain(columns.map(|index| cell(|times| &times.ended, index)))
        .collect()
}

fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        _ if nanoseconds < 1e4 => format!("{nanoseconds:.0}"),
        _ if nanoseconds < 1e6 => format!("{:.0} µs", nanoseconds / 1e3),
        _ => format!("{:.1} ms", nanoseconds / 1e6),
    }
}
