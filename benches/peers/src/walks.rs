//! Walks: all objects of a pool are read, or all are changed.
//!
//! Every container was filled, and then emptied at random to what the column says. The time is for each object that is left.

mod containers;
mod parallel;

use std::hint::black_box;
use std::io;

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

/// The walks over containers that once had so many objects.
struct Outcome {
    size: &'static str,
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
    report.extend(parallel::run(effort, selection));
    report.chart("walks", &chart(&results))
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
    Outcome {
        size,
        columns,
        rows: keepers
            .iter()
            .map(|&(name, side, _)| (name, side))
            .collect(),
        times,
    }
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

/// Reading walks of both sizes, a panel each.
fn chart(results: &[Outcome]) -> Chart {
    let panels = |column: usize| {
        results
            .iter()
            .filter_map(move |result| result.panel(2 * column))
    };
    Chart {
        title: "Walks over all objects, 64 bytes each".into(),
        measure: "Time for an object, as a multiple of a slab's: shorter is faster.".into(),
        panels: (0..FULL.len()).flat_map(panels).collect(),
    }
}

impl Outcome {
    fn panel(&self, column: usize) -> Option<Panel> {
        let title = format!("{} objects, {}", self.size, self.columns.get(column)?);
        let times = self.times[column].iter().copied();
        beside(&title, "slab", self.rows.iter().copied().zip(times))
    }

    fn tables(&self) -> [Table; 2] {
        [self.table(), self.standing()]
    }

    fn table(&self) -> Table {
        let title = format!("Walks, {} objects of 64 bytes", self.size);
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
        let title = format!("Where the walks stand, {} objects", self.size);
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
