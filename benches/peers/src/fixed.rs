//! The six workloads for objects of three sizes, with and without a destructor.

use std::io;

use crate::Selection;
use crate::chart::{Chart, beside};
use crate::contenders::{Contender, Dropping, Plain, Side, all};
use crate::race::race;
use crate::report::Report;
use crate::table::{Table, beside_best, figure, transposed};
use crate::workloads::{Effort, WORKLOADS};

/// All contenders' times with one kind of object.
struct Outcome {
    objects: &'static str,
    contenders: Vec<Contender>,
    workloads: Vec<&'static str>,
    /// By workload, then by contender.
    times: Vec<Vec<Option<f64>>>,
}

type Kind = (&'static str, fn() -> Vec<Contender>);

/// The kind that the chart shows, first.
const CHARTED: &str = "64 bytes";

const KINDS: [Kind; 6] = [
    (CHARTED, all::<Plain<8>>),
    ("64 bytes, destructor", all::<Dropping<8>>),
    ("24 bytes", all::<Plain<3>>),
    ("24 bytes, destructor", all::<Dropping<3>>),
    ("256 bytes", all::<Plain<32>>),
    ("256 bytes, destructor", all::<Dropping<32>>),
];

/// Left out of the chart: what is much like another contender.
const UNCHARTED: [&str; 10] = [
    "std Box (glibc)",
    "mem-pool Keyed",
    "mem-pool local Keyed",
    "mem-pool local Unique",
    "slotmap Dense",
    "slotmap Hop",
    "thunderdome",
    "infinity_pool Local",
    "plurality, Mutex",
    "shared_arena Pool",
];

/// Each kind's race; a quick one for the first alone.
pub(crate) fn run(
    effort: &Effort,
    selection: &Selection,
    quick: bool,
    report: &mut Report,
) -> io::Result<()> {
    for &(objects, contenders) in if quick { &KINDS[..1] } else { &KINDS[..] } {
        let mut contenders = contenders();
        contenders.retain(|contender| selection.has_contender(contender.name));
        let chosen = |index: &usize| {
            let name = format!("{objects}, {}", WORKLOADS[*index]);
            selection.has_workload(&name)
        };
        let workloads: Vec<usize> = (0..WORKLOADS.len()).filter(chosen).collect();
        let times = workloads
            .iter()
            .map(|&workload| times(effort, &contenders, workload))
            .collect();
        let result = Outcome {
            objects,
            contenders,
            workloads: workloads
                .iter()
                .map(|&workload| WORKLOADS[workload])
                .collect(),
            times,
        };
        report.extend(result.tables());
        if objects == CHARTED {
            report.chart("fixed", &result.chart())?;
        }
    }
    Ok(())
}

/// A workload's times by contender.
fn times(effort: &Effort, contenders: &[Contender], workload: usize) -> Vec<Option<f64>> {
    let can = |index: &usize| contenders[*index].workloads[workload].is_some();
    let mut runners: Vec<usize> = (0..contenders.len()).filter(can).collect();
    let rounds = if WORKLOADS[workload].contains("1 M") {
        effort.few_rounds
    } else {
        effort.rounds
    };
    let medians = race(rounds, &mut runners, |index| {
        contenders[*index].workloads[workload].map_or(f64::NAN, |run| run(effort))
    });
    let mut times = vec![None; contenders.len()];
    for (index, median) in runners.into_iter().zip(medians) {
        times[index] = Some(median);
    }
    times
}

impl Outcome {
    fn chart(&self) -> Chart {
        let rows = self
            .contenders
            .iter()
            .map(|contender| (contender.name, contender.side));
        let rows: Vec<_> = rows.collect();
        let panel = |(title, times): (&&str, &Vec<Option<f64>>)| {
            let known = rows
                .iter()
                .zip(times)
                .filter(|((name, _), _)| !UNCHARTED.contains(name));
            beside(title, "Box glibc", known.map(|(&row, time)| (row, *time)))
        };
        Chart {
            title: format!("Objects of {}: made and dropped", self.objects),
            measure: "Time, as a multiple of a Box on glibc: shorter is faster.".into(),
            panels: self
                .workloads
                .iter()
                .zip(&self.times)
                .filter_map(panel)
                .collect(),
        }
    }

    fn tables(&self) -> [Table; 2] {
        [self.table(), self.standing()]
    }

    fn table(&self) -> Table {
        let title = format!("Fixed pools, objects of {}", self.objects);
        let note = "ns for an object made and ended (ratio to the best of the column)";
        let mut table = Table::new(title, note).columns(self.workloads.iter().copied());
        let columns: Vec<_> = self
            .times
            .iter()
            .map(|column| beside_best(column))
            .collect();
        for (row, contender) in self.contenders.iter().enumerate() {
            table.row(contender.name, transposed(&columns, row));
        }
        table
    }

    /// The best of ours beside the best of others.
    fn standing(&self) -> Table {
        let title = format!("Where the pools stand, objects of {}", self.objects);
        let note = "ns of the better of Shared and Unique, and its ratio to others in the same run: below 1 is faster";
        let mut table = Table::new(title, note).columns(self.workloads.iter().copied());
        for (name, ours, rivals) in STANDINGS {
            let own = |times| self.best(ours, times).map(|(_, time)| time);
            let times = self
                .times
                .iter()
                .map(|times| own(times).map_or("-".into(), figure));
            table.row(name, times.collect());
            for (name, rivals) in rivals {
                let ratio = |times| {
                    let (own, (rival, time)) = (own(times)?, self.best(*rivals, times)?);
                    Some(format!("{:.2} {rival}", own / time))
                };
                let ratios = self
                    .times
                    .iter()
                    .map(|times| ratio(times).unwrap_or("-".into()));
                table.row(format!("/ {name}"), ratios.collect());
            }
        }
        table
    }

    /// The fastest of some.
    fn best(&self, of: Group, times: &[Option<f64>]) -> Option<(&'static str, f64)> {
        let times = self.contenders.iter().zip(times);
        let times = times.filter(|(contender, _)| of(contender));
        let times = times.filter_map(|(contender, time)| Some((contender.name, (*time)?)));
        times.min_by(|one, other| one.1.total_cmp(&other.1))
    }
}

type Group = fn(&Contender) -> bool;
type Rivals = &'static [(&'static str, Group)];

/// Ours, and those who are compared with them.
const STANDINGS: [(&str, Group, Rivals); 2] = [
    (
        "pool",
        |contender| contender.side == Side::Ours && contender.shared && !is_keyed(contender),
        &[
            ("glibc", |contender| contender.name == "Box glibc"),
            ("best pool for threads", |contender| {
                contender.side == Side::Pool && contender.shared
            }),
            ("best of all", |contender| contender.side != Side::Ours),
        ],
    ),
    (
        "local pool",
        |contender| contender.side == Side::Ours && !contender.shared && !is_keyed(contender),
        &[
            ("glibc", |contender| contender.name == "Box glibc"),
            ("slab", |contender| contender.name == "slab"),
            ("best pool", |contender| contender.side == Side::Pool),
            ("best of all", |contender| contender.side != Side::Ours),
        ],
    ),
];

fn is_keyed(contender: &Contender) -> bool {
    contender.name.ends_with("Keyed")
}
