//! The race: this library's pools beside other pools and allocators, in one process and in interleaved rounds.

mod bytes;
mod chart;
mod contenders;
mod fixed;
mod process;
mod race;
mod report;
mod spike;
mod table;
mod walks;
mod workloads;
mod worst;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use report::Report;
use workloads::Effort;

/// The pools beside other pools and allocators.
///
/// All contenders of a workload run in one process, in rounds in which each has a turn; the figures are medians over the rounds.
/// Prints tables, and writes them with charts into a folder. All of it takes some five minutes on a quiet machine.
#[derive(Parser)]
struct Args {
    /// What to measure
    #[arg(value_enum, default_value_t = Part::All)]
    part: Part,
    /// Short turns, few rounds, objects of 64 bytes only: to see whether it works, not what is faster
    #[arg(long)]
    quick: bool,
    /// Only contenders whose names contain this; may be given several times
    #[arg(long, value_name = "SUBSTRING")]
    filter: Vec<String>,
    /// Only workloads whose names contain this: `64 bytes, pair` or `walks, 1 M`; may be given several times
    #[arg(long, value_name = "SUBSTRING")]
    only: Vec<String>,
    /// A folder with more heap traces than the library's own; may be given several times
    #[arg(long, value_name = "FOLDER")]
    traces: Vec<PathBuf>,
    /// Where tables and charts go
    #[arg(long, value_name = "FOLDER", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/results"))]
    out: PathBuf,
    /// Answer one question in a process of its own
    #[arg(long, hide = true, num_args = 1..)]
    child: Vec<String>,
}

/// The traces that the library's examples have.
const TRACES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/data");

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Six workloads with objects of one type
    Fixed,
    /// Walks over all objects
    Walks,
    /// The slowest single operations, growth included
    Worst,
    /// Memory when most objects are gone again
    Spike,
    /// Blocks of bytes, heap traces of real programs
    Bytes,
    /// Everything
    All,
}

impl Part {
    fn has(self, part: Part) -> bool {
        self == part || self == Part::All
    }
}

/// Which of the contenders and workloads to run.
pub(crate) struct Selection {
    contenders: Vec<String>,
    workloads: Vec<String>,
}

impl Selection {
    pub(crate) fn has_contender(&self, name: &str) -> bool {
        matches(&self.contenders, name)
    }

    pub(crate) fn has_workload(&self, name: &str) -> bool {
        matches(&self.workloads, name)
    }
}

/// Without a part everything matches.
fn matches(parts: &[String], name: &str) -> bool {
    let name = name.to_lowercase();
    parts.is_empty() || parts.iter().any(|part| name.contains(&part.to_lowercase()))
}

impl Args {
    fn effort(&self) -> Effort {
        if self.quick {
            Effort {
                rounds: 3,
                few_rounds: 1,
                turn: Duration::from_millis(2),
            }
        } else {
            Effort {
                rounds: 11,
                few_rounds: 5,
                turn: Duration::from_millis(10),
            }
        }
    }

    fn run(mut self) -> io::Result<()> {
        self.traces.insert(0, TRACES.into());
        if self.child.is_empty() {
            return self.race();
        }
        process::refuse_huge_pages();
        match &self.child[..] {
            [part, name, load] if part == "bytes" => bytes::child(name, load, &self.traces),
            [part, name, case] if part == "spike" => spike::child(name, case),
            _ => Err(io::Error::other("not a question")),
        }
    }

    fn race(self) -> io::Result<()> {
        let effort = self.effort();
        let name = self.part.to_possible_value().expect("no part is hidden");
        let mut report = Report::new(self.out, name.get_name())?;
        let selection = Selection {
            contenders: self.filter,
            workloads: self.only,
        };
        if self.part.has(Part::Fixed) {
            fixed::run(&effort, &selection, self.quick, &mut report)?;
        }
        if self.part.has(Part::Walks) {
            walks::run(&effort, &selection, &mut report)?;
        }
        if self.part.has(Part::Worst) {
            report.extend(worst::run(&effort, &selection));
        }
        if self.part.has(Part::Spike) {
            report.extend(spike::run(&selection)?);
        }
        if self.part.has(Part::Bytes) {
            bytes::run(&effort, &selection, &self.traces, &mut report)?;
        }
        report.write()
    }
}

fn main() -> ExitCode {
    match Args::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
