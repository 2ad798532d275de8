//! The six workloads for objects of three sizes, with and without a destructor.

use crate::Selection;
use crate::contenders::{Contender, Dropping, Plain, Side, all};
use crate::race::race;
use crate::table::{Table, beside_best, figure, transposed};
use crate::workloads::{Effort, WORKLOADS};

/// All contenders' times with one kind of object.
pub(crate) struct Result {
    pub(crate) objects: &'static str,
    pub(crate) contenders: Vec<Contender>,
    /// By workload, then by contender.
    pub(crate) times: Vec<Vec<Option<f64>>>,
}

type Kind = (&'static str, fn() -> Vec<Contender>);

/// The kind that the charts show, first.
pub(crate) const CHARTED: &str = "64 bytes";

const KINDS: [Kind; 6] = [
    (CHARTED, all::<Plain<8>>),
    ("64 bytes, destructor", all::<Dropping<8>>),
    ("24 bytes", all::<Plain<3>>),
    ("24 bytes, destructor", all::<Dropping<3>>),
    ("256 bytes", all::<Plain<32>>),
    ("256 bytes, destructor", all::<Dropping<32>>),
];

/// Each kind's race; `quick` is for the first alone.
pub(crate) fn run(
    effort: &Effort,
    selection: &Selection,
    quick: bool,
    mut done: impl FnMut(Result),
) {
    let kinds = if quick { &KINDS[..1] } else { &KINDS[..] };
    for &(objects, contenders) in kinds {
        let mut contenders = contenders();
        contenders.retain(|contender| selection.has_contender(contender.name));
        let chosen = |name: &str| selection.has_workload(&format!("{objects}, {name}"));
        if !WORKLOADS.iter().any(|name| chosen(name)) {
            continue;
        }
        let column = |index: usize| {
            let chosen = chosen(WORKLOADS[index]);
            if chosen {
                times(effort, &contenders, index)
            } else {
                vec![None; contenders.len()]
            }
        };
        let times = (0..WORKLOADS.len()).map(column).collect();
        done(Result {
            objects,
            contenders,
            times,
        });
    }
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

impl Result {
    pub(crate) fn tables(&self) -> [Table; 2] {
        [self.table(), self.standing()]
    }

    fn table(&self) -> Table {
        let title = format!("Fixed pools, objects of {}", self.objects);
        let note = "ns for an object made and ended (ratio to the best of the column)";
        let mut table = Table::new(title, note).columns(WORKLOADS);
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
        let note = "the better of Shared and Unique, and its ratio to others in the same run: below 1 is faster";
        let mut table = Table::new(title, note).columns(WORKLOADS);
        let best = |chosen: &dyn Fn(&Contender) -> bool, workload: usize| {
            let times = self.contenders.iter().zip(&self.times[workload]);
            let times = times.filter(|(contender, _)| chosen(contender));
            let times = times.filter_map(|(contender, time)| Some((contender.name, (*time)?)));
            times.min_by(|one, other| one.1.total_cmp(&other.1))
        };
        for (whose, shared) in [("", true), ("local ", false)] {
            let ours = |contender: &Contender| {
                let unkeyed = !contender.name.contains("Keyed");
                contender.side == Side::Ours && contender.shared == shared && unkeyed
            };
            let own = |workload| best(&ours, workload);
            let cell = |workload| own(workload).map_or("-".into(), |(_, time)| figure(time));
            table.row(
                format!("{whose}pool"),
                (0..WORKLOADS.len()).map(cell).collect(),
            );
            let mut row = |name: &str, others: &dyn Fn(&Contender) -> bool| {
                let cell = |workload| {
                    let (Some((_, own)), Some((name, other))) =
                        (own(workload), best(others, workload))
                    else {
                        return "-".into();
                    };
                    format!("{:.2} {name}", own / other)
                };
                table.row(
                    format!("{whose}/ {name}"),
                    (0..WORKLOADS.len()).map(cell).collect(),
                );
            };
            let peer = |contender: &Contender| contender.side != Side::Ours;
            row("Box glibc", &|contender| contender.name == "Box glibc");
            if shared {
                row("best pool for threads", &|contender| {
                    contender.side == Side::Pool && contender.shared
                });
            } else {
                row("slab", &|contender| contender.name == "slab");
                row("best pool", &|contender| contender.side == Side::Pool);
            }
            row("best of all", &peer);
        }
        table
    }
}
