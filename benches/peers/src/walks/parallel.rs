//! Walks on all of `rayon`'s threads beside walks on one.

use super::containers::{Item, keyed, touch};
use super::{FULL, keep};
use crate::Selection;
use crate::contenders::Object;
use crate::race::race;
use crate::table::{Table, figure};
use crate::workloads::{Effort, timed};

type Work = (&'static str, fn(&mut Item));

pub(super) fn run(effort: &Effort, selection: &Selection) -> Option<Table> {
    if !selection.has_workload("walks, parallel") || !selection.has_contender("mem-pool") {
        return None;
    }
    let note = format!(
        "ns for each object, in a keyed pool; `rayon` has {} threads",
        rayon::current_num_threads()
    );
    let mut table = Table::new("Parallel walks, 1 M objects of 64 bytes", note).columns([
        "one thread",
        "all threads",
        "ratio",
    ]);
    for (full, of) in FULL {
        let keep = keep(1_000_000, of);
        let (mut held, left) = (keyed(&keep), keep.len() / of);
        let works: [Work; 2] = [("changed", touch), ("20 ns of work", work)];
        for (name, work) in works {
            let times = race(effort.rounds, &mut [false, true], |all| {
                timed(effort.turn, left, || match all {
                    false => held.container.for_each_mut(work),
                    true => held.container.par_for_each_mut(work),
                })
            });
            let (one, all) = (times[0], times[1]);
            table.row(
                format!("{full}, {name}"),
                [one, all, one / all].map(figure).into(),
            );
        }
    }
    Some(table)
}

/// Some 20 ns.
fn work(item: &mut Item) {
    let mut number = *item.word_mut() as f64;
    for _ in 0..4 {
        number = (number * number + 1.0).sqrt();
    }
    *item.word_mut() = number as u64;
}
