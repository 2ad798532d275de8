//! Walks: all objects of a pool are read, or all are changed.
//!
//! Every container was filled, and then emptied at random to what the column says. The time is for each object that is left.
//!
//! A few thousand holes that stay where they are, walk after walk, some processors learn; so there are walks, too, before each of
//! which all are filled, and as many objects end elsewhere.

mod containers;
mod parallel;

use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::Selection;
use crate::chart::{Chart, Panel, beside};
use crate::contenders::Side;
use crate::race::race;
use crate::report::Report;
use crate::table::{Table, beside_best, figure, transposed};
use crate::workloads::{Effort, timed};
use containers::{Keeper, OURS, PEERS, Walk};

/// How full the containers are, as one of so many.
const FULL: [(&str, usize); 3] = [("dense", 1), ("half full", 2), ("a tenth full", 10)];
const SIZES: [(&str, usize); 2] = [("10 k", 10_000), ("1 M", 1_000_000)];
/// Of so many objects, among other holes each time; a million holes nothing can learn.
const MOVING: (&str, usize) = SIZES[0];
/// Walks in a turn, if the holes are others each time.
const WALKS: usize = 30;

/// The walks over containers that once had so many objects.
struct Outcome {
    size: &'static str,
    /// What is particular about them.
    but: &'static str,
    columns: Vec<String>,
    rows: Vec<(&'static str, Side)>,
    /// By column, then by contender.
    times: Vec<Vec<Option<f64>>>,
}

pub(crate) fn run(effort: &Effort, selection: &Selection, report: &mut Report) -> io::Result<()> {
    let all = OURS.iter().chain(&PEERS).copied();
    let keepers: Vec<Keeper> = all
        .filter(|(name, ..)| selection.has_contender(name))
        .collect();
    let mut results = Vec::new();
    for (size, objects) in SIZES {
        let result = walks(effort, selection, &keepers, size, objects);
        report.extend(result.tables());
        results.push(result);
    }
    let moving = among_other_holes(effort, selection, &keepers);
    report.extend(moving.tables());
    report.extend(parallel::run(effort, selection));
    report.chart("walks", &chart(&results, &moving))
}

fn walks(
    effort: &Effort,
    selection: &Selection,
    keepers: &[Keeper],
    size: &'static str,
    objects: usize,
) -> Outcome {
    let (mut columns, mut times) = (Vec::new(), Vec::new());
    for (full, of) in FULL {
        if selection.has_workload(&format!("walks, {size}, {full}")) {
            let keep = keep(objects, of);
            let mut walks: Vec<_> = keepers.iter().map(|(_, _, fill)| fill(&keep)).collect();
            columns.extend([format!("{full}, read"), format!("{full}, changed")]);
            times.extend(both(effort, objects / of, &mut walks));
        }
    }
    Outcome::new(size, "", columns, keepers, times)
}

/// Walks of containers that were filled and emptied anew before each.
fn among_other_holes(effort: &Effort, selection: &Selection, keepers: &[Keeper]) -> Outcome {
    let (size, objects) = MOVING;
    let (mut columns, mut times) = (Vec::new(), Vec::new());
    for (full, of) in FULL.into_iter().filter(|&(_, of)| of > 1) {
        if selection.has_workload(&format!("walks, {size}, {full}, other holes")) {
            let keep = keep(objects, of);
            let mut walks: Vec<_> = keepers.iter().map(|(_, _, fill)| fill(&keep)).collect();
            let mut random = Rng::with_seed(4);
            let reads = race(effort.rounds, &mut walks, |walk| {
                let each = |_| {
                    walk.replace(objects - objects / of, &mut random);
                    let start = Instant::now();
                    black_box(walk.read());
                    start.elapsed()
                };
                let time: Duration = (0..WALKS).map(each).sum();
                time.as_nanos() as f64 / (WALKS * objects / of) as f64
            });
            columns.push(format!("{full}, read"));
            times.push(reads.into_iter().map(Some).collect());
        }
    }
    Outcome::new(size, ", other holes each time", columns, keepers, times)
}

/// One of so many, at random places.
fn keep(objects: usize, of: usize) -> Vec<bool> {
    let mut keep: Vec<bool> = (0..objects).map(|number| number % of == 0).collect();
    Rng::with_seed(3).shuffle(&mut keep);
    keep
}

/// Reads and changes, by walk.
fn both(effort: &Effort, left: usize, walks: &mut [Box<dyn Walk>]) -> [Vec<Option<f64>>; 2] {
    let reads = race(effort.rounds, walks, |walk| {
        timed(effort.turn, left, || _ = black_box(walk.read()))
    });
    let changes = race(effort.rounds, walks, |walk| {
        if walk.change() {
            timed(effort.turn, left, || _ = black_box(walk.change()))
        } else {
            f64::NAN
        }
    });
    let known = |time: f64| (!time.is_nan()).then_some(time);
    [reads, changes].map(|times| times.into_iter().map(known).collect())
}

/// Reading walks, a panel each: of both sizes, then among other holes each time.
fn chart(results: &[Outcome], moving: &Outcome) -> Chart {
    let panels = |column: usize| {
        results
            .iter()
            .filter_map(move |result| result.panel(2 * column))
    };
    Chart {
        title: "Walks over all objects, 64 bytes each".into(),
        measure: "Time for an object, as a multiple of a slab's: shorter is faster.".into(),
        panels: (0..FULL.len())
            .flat_map(panels)
            .chain((0..FULL.len()).filter_map(|column| moving.panel(column)))
            .collect(),
    }
}

impl Outcome {
    fn new(
        size: &'static str,
        but: &'static str,
        columns: Vec<String>,
        keepers: &[Keeper],
        times: Vec<Vec<Option<f64>>>,
    ) -> Self {
        let rows = keepers.iter().map(|&(name, side, _)| (name, side));
        Self {
            size,
            but,
            columns,
            rows: rows.collect(),
            times,
        }
    }

    fn panel(&self, column: usize) -> Option<Panel> {
        let title = format!(
            "{} objects, {}{}",
            self.size,
            self.columns.get(column)?,
            self.but
        );
        let times = self.times[column].iter().copied();
        beside(&title, "slab", self.rows.iter().copied().zip(times))
    }

    fn tables(&self) -> [Table; 2] {
        [self.table(), self.standing()]
    }

    fn table(&self) -> Table {
        let title = format!("Walks, {} objects of 64 bytes{}", self.size, self.but);
        let note = "ns for each object that is left (ratio to the best of the column)";
        let mut table = Table::new(title, note).columns(&self.columns);
        let columns: Vec<_> = self
            .times
            .iter()
            .map(|column| beside_best(column))
            .collect();
        for (row, (name, _)) in self.rows.iter().enumerate() {
            table.row(*name, transposed(&columns, row));
        }
        table
    }

    /// `for_each` and `for_each_mut` of a keyed pool beside what one would take otherwise.
    fn standing(&self) -> Table {
        let title = format!("Where the walks stand, {} objects{}", self.size, self.but);
        let note =
            "the ratio of the pool's time to that of others in the same run: below 1 is faster";
        let mut table = Table::new(title, note).columns(&self.columns);
        let time = |name: &str, column: &[Option<f64>]| {
            let row = self.rows.iter().position(|(row, _)| *row == name)?;
            column[row]
        };
        for own in ["mem-pool Keyed, for_each", "mem-pool Keyed, hold"] {
            for other in ["slab", "Vec (of Option if sparse)", "Vec of Box, shuffled"] {
                let cell = |column: &Vec<Option<f64>>| {
                    let ratio = Some(time(own, column)? / time(other, column)?);
                    ratio.map(figure)
                };
                let cells = self
                    .times
                    .iter()
                    .map(|column| cell(column).unwrap_or("-".into()));
                table.row(format!("{own} / {other}"), cells.collect());
            }
        }
        table
    }
}
