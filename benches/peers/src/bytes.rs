//! Bytes: blocks of many sizes, and the heap calls of real programs.
//!
//! Like is compared with like. In the workloads a block is room for bytes, of which the first is written: nobody zeroes. In the
//! traces a block is all zeroes and grows as a `Vec<u8>` does, with zeroes: everybody zeroes.

mod heaps;
mod memory;
mod trace;
mod workloads;

use std::io;
use std::path::PathBuf;

use crate::Selection;
use crate::chart::{Chart, beside};
use crate::contenders::Side;
use crate::race::race;
use crate::report::Report;
use crate::table::{Table, beside_best, figure, transposed};
use crate::workloads::Effort;
use heaps::{Source, all};
use trace::Trace;

pub(crate) use memory::child;

/// What blocks are taken for, and how that takes its time from an effort.
#[derive(Clone, Copy)]
enum Load<'t> {
    Pair(Sizes),
    Churn(Sizes),
    TwoThreads(Sizes),
    Trace(&'t Trace),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sizes {
    /// As the sizes of real programs are; median 150.
    LogNormal,
    Fixed,
}

const WORKLOADS: [(&str, Load<'static>); 6] = [
    ("pair, log-normal", Load::Pair(Sizes::LogNormal)),
    ("pair, 256", Load::Pair(Sizes::Fixed)),
    ("churn, log-normal", Load::Churn(Sizes::LogNormal)),
    ("churn, 256", Load::Churn(Sizes::Fixed)),
    ("2 threads, log-normal", Load::TwoThreads(Sizes::LogNormal)),
    ("2 threads, 256", Load::TwoThreads(Sizes::Fixed)),
];

/// A source of bytes as the tables see it: whatever its type is.
struct Contender {
    name: &'static str,
    side: Side,
    /// Nanoseconds for each operation; `None` where it cannot run.
    time: fn(&Effort, Load<'_>) -> Option<f64>,
    peak: fn(Load<'_>) -> memory::Peak,
}

fn alone<S: Source>() -> Contender {
    Contender {
        name: S::NAME,
        side: S::SIDE,
        time: |effort, load| match load {
            Load::Pair(sizes) => Some(workloads::pair::<S>(effort, sizes)),
            Load::Churn(sizes) => Some(workloads::churn::<S>(effort, sizes)),
            Load::TwoThreads(_) => None,
            Load::Trace(trace) => Some(trace::time::<S>(effort, trace)),
        },
        peak: memory::peak::<S>,
    }
}

fn shared<S: Source + Sync>() -> Contender {
    Contender {
        time: |effort, load| match load {
            Load::TwoThreads(sizes) => Some(workloads::two_threads::<S>(effort, sizes)),
            _ => (alone::<S>().time)(effort, load),
        },
        ..alone::<S>()
    }
}

/// All contenders' times, and what memory they had.
struct Outcome {
    columns: Vec<String>,
    rows: Vec<(&'static str, Side)>,
    /// By column, then by contender.
    times: Vec<Vec<Option<f64>>>,
    memory: memory::Peaks,
}

pub(crate) fn run(
    effort: &Effort,
    selection: &Selection,
    folders: &[PathBuf],
    report: &mut Report,
) -> io::Result<()> {
    let traces = trace::read_all(folders)?;
    let mut contenders = all();
    contenders.retain(|contender| selection.has_contender(contender.name));
    let traced = traces
        .iter()
        .map(|trace| (trace.name.as_str(), Load::Trace(trace)));
    let chosen = |(name, _): &(&str, Load<'_>)| selection.has_workload(&format!("bytes, {name}"));
    let loads: Vec<_> = WORKLOADS.into_iter().chain(traced).filter(chosen).collect();
    let times = loads
        .iter()
        .map(|&(_, load)| times(effort, &contenders, load));
    let rows = contenders
        .iter()
        .map(|contender| (contender.name, contender.side));
    let result = Outcome {
        times: times.collect(),
        memory: memory::Peaks::ask(&contenders, &loads, folders)?,
        columns: loads.iter().map(|(name, _)| name.to_string()).collect(),
        rows: rows.collect(),
    };
    report.extend(result.tables());
    report.chart("bytes", &result.chart())
}

fn times(effort: &Effort, contenders: &[Contender], load: Load<'_>) -> Vec<Option<f64>> {
    let mut runners: Vec<&Contender> = contenders.iter().collect();
    let times = race(effort.rounds, &mut runners, |contender| {
        (contender.time)(effort, load).unwrap_or(f64::NAN)
    });
    times
        .into_iter()
        .map(|time| (!time.is_nan()).then_some(time))
        .collect()
}

impl Outcome {
    fn tables(&self) -> [Table; 3] {
        [self.table(), self.standing(), self.memory.table()]
    }

    /// All but fixed sizes.
    fn chart(&self) -> Chart {
        let columns = self.columns.iter().zip(&self.times);
        let columns = columns.filter(|(title, _)| !title.ends_with("256"));
        let times = columns.filter_map(|(title, times)| {
            let times = times.iter().copied();
            beside(
                &format!("time, {title}"),
                "Vec glibc",
                self.rows.iter().copied().zip(times),
            )
        });
        let memory = self
            .memory
            .panels()
            .filter(|panel| !panel.title.ends_with("256"));
        Chart {
            title: "Bytes: blocks of many sizes".into(),
            measure: "Time as a multiple of a Vec on glibc; memory resident as a multiple of bytes in use, each at its peak.".into(),
            panels: times.chain(memory).collect(),
        }
    }

    fn table(&self) -> Table {
        let note = "ns for a block taken and given back, or for an event of a trace (ratio to the best of the column)";
        let mut table = Table::new("Bytes", note).columns(&self.columns);
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

    /// Each of ours beside each of the others.
    fn standing(&self) -> Table {
        let note =
            "the ratio of the pool's time to that of others in the same run: below 1 is faster";
        let mut table = Table::new("Where the byte pools stand", note).columns(&self.columns);
        let sides = |ours: bool| {
            let rows = self.rows.iter().enumerate();
            rows.filter(move |(_, (_, side))| (*side == Side::Ours) == ours)
        };
        for (own, (own_name, _)) in sides(true) {
            for (other, (other_name, _)) in sides(false) {
                let ratio = |column: &Vec<Option<f64>>| Some(column[own]? / column[other]?);
                let cell = |column| ratio(column).map_or("-".into(), figure);
                let cells = self.times.iter().map(cell).collect();
                table.row(format!("{own_name} / {other_name}"), cells);
            }
        }
        table
    }
}
