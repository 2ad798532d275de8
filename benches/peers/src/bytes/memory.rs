//! What memory a byte pool or an allocator has at its peak, for what is in use at its peak.
//!
//! Each contender has a process of its own: what one has reserved does not count for another, and nothing is left from before.
//! There every block is written as a whole, so that what was reserved becomes resident, and that is what is counted, of all of
//! them in the same way.

use std::io;
use std::path::PathBuf;

use fastrand::Rng;

use super::heaps::{Block, Source, all};
use super::trace::{self, Event, Trace};
use super::{Contender, Load, Sizes, WORKLOADS, workloads};
use crate::chart::{Bar, Panel};
use crate::contenders::Side;
use crate::process::{ask, resident, trim};
use crate::table::{Table, figure};

/// In bytes, each at its own peak.
pub(super) struct Peak {
    live: usize,
    resident: usize,
    /// What the pool says it had from the system.
    reserved: Option<usize>,
}

/// How often the memory is looked at, in a run.
const LOOKS: usize = 250;

/// A source and its blocks, while somebody counts.
struct Watch<'p, S: Source> {
    source: &'p S,
    blocks: Vec<Option<S::Block<'p>>>,
    before: usize,
    live: usize,
    looked_at: usize,
    peak: Peak,
}

impl<'p, S: Source> Watch<'p, S> {
    fn new(source: &'p S, blocks: usize) -> Self {
        trim();
        drop(source.room(64)); // what an allocator needs to begin at all is not held against it
        let mut watch = Self {
            source,
            blocks: (0..blocks).map(|_| None).collect(),
            before: 0,
            live: 0,
            looked_at: 0,
            peak: Peak {
                live: 0,
                resident: 0,
                reserved: None,
            },
        };
        trim();
        watch.before = resident();
        watch
    }

    fn alloc(&mut self, id: usize, len: usize) {
        let mut block = self.source.zeroed(len);
        block.bytes().fill(1);
        self.live += len;
        self.blocks[id] = Some(block);
    }

    fn resize(&mut self, id: usize, len: usize) {
        let block = self.blocks[id].as_mut().expect("a live block");
        self.live -= block.bytes().len();
        block.resize(len);
        block.bytes().fill(1);
        self.live += len;
    }

    fn free(&mut self, id: usize) {
        let mut block = self.blocks[id].take().expect("a live block");
        self.live -= block.bytes().len();
    }

    /// Looks at the memory if it is time, or if more is live than ever.
    fn look(&mut self, due: bool) {
        self.peak.live = self.peak.live.max(self.live);
        self.peak.reserved = self.peak.reserved.max(self.source.reserved());
        if due || self.live > self.looked_at + self.looked_at / 50 {
            self.looked_at = self.looked_at.max(self.live);
            let grown = resident().saturating_sub(self.before);
            self.peak.resident = self.peak.resident.max(grown);
        }
    }
}

pub(super) fn peak<S: Source>(load: Load<'_>) -> Peak {
    let source = S::new();
    match load {
        Load::Trace(trace) => replayed(&source, trace),
        Load::Pair(sizes) | Load::Churn(sizes) | Load::TwoThreads(sizes) => churned(&source, sizes),
    }
}

fn replayed<S: Source>(source: &S, trace: &Trace) -> Peak {
    let allocs = trace.events.iter();
    let allocs = allocs.filter(|event| matches!(event, Event::Alloc(_)));
    let mut watch = Watch::new(source, allocs.count());
    let mut next = 0;
    for (number, event) in trace.events.iter().enumerate() {
        match *event {
            Event::Alloc(len) => {
                watch.alloc(next, len);
                next += 1;
            }
            Event::Resize(id, len) => watch.resize(id, len),
            Event::Free(id) => watch.free(id),
        }
        watch.look(number % (trace.events.len() / LOOKS + 1) == 0);
    }
    watch.peak
}

fn churned<S: Source>(source: &S, sizes: Sizes) -> Peak {
    let (sizes, mut random) = (workloads::sizes(sizes), Rng::with_seed(5));
    let mut watch = Watch::new(source, workloads::LIVE);
    let mut sizes = sizes.iter().copied().cycle();
    for (id, size) in (0..workloads::LIVE).zip(sizes.by_ref()) {
        watch.alloc(id, size);
        watch.look(false);
    }
    let turns = 20 * workloads::LIVE;
    for (turn, size) in (0..turns).zip(sizes) {
        let id = random.usize(..workloads::LIVE);
        watch.free(id);
        watch.alloc(id, size);
        watch.look(turn % (turns / LOOKS) == 0);
    }
    watch.peak
}

/// In a process of its own: prints a contender's peak under a load.
pub(crate) fn child(name: &str, load: &str, folders: &[PathBuf]) -> io::Result<()> {
    let traces = trace::read_all(folders)?;
    let traced = traces
        .iter()
        .map(|trace| (trace.name.as_str(), Load::Trace(trace)));
    let load = WORKLOADS
        .into_iter()
        .chain(traced)
        .find(|(known, _)| *known == load);
    let contender = all().into_iter().find(|contender| contender.name == name);
    let (Some(contender), Some((_, load))) = (contender, load) else {
        return Err(io::Error::other("no such contender or load"));
    };
    let peak = (contender.peak)(load);
    println!(
        "{} {} {}",
        peak.live,
        peak.resident,
        peak.reserved.unwrap_or(0)
    );
    Ok(())
}

/// The peaks of all contenders, for those loads that differ in what is live.
pub(super) struct Peaks {
    loads: Vec<String>,
    rows: Vec<(&'static str, Side)>,
    /// By load, then by contender.
    peaks: Vec<Vec<Peak>>,
}

impl Peaks {
    /// Asks a process for each.
    pub(super) fn ask(
        contenders: &[Contender],
        loads: &[(&str, Load<'_>)],
        folders: &[PathBuf],
    ) -> io::Result<Self> {
        let differ =
            |(_, load): &&(&str, Load<'_>)| matches!(load, Load::Churn(_) | Load::Trace(_));
        let loads: Vec<String> = loads
            .iter()
            .filter(differ)
            .map(|(name, _)| name.to_string())
            .collect();
        let peak = |load: &String, contender: &Contender| {
            let answer = ask(&["bytes", contender.name, load], folders)?;
            Peak::new(&answer).ok_or(io::Error::other("a child answers with three figures"))
        };
        let peaks = |load| {
            contenders
                .iter()
                .map(|contender| peak(load, contender))
                .collect()
        };
        Ok(Self {
            peaks: loads.iter().map(peaks).collect::<io::Result<_>>()?,
            rows: contenders
                .iter()
                .map(|contender| (contender.name, contender.side))
                .collect(),
            loads,
        })
    }

    pub(super) fn table(&self) -> Table {
        let note = "peak resident bytes over peak live bytes, each contender in a process of its own \
                    (in brackets: what the pool itself says it has reserved)";
        let mut table = Table::new("Memory of byte pools", note).columns(&self.loads);
        for (row, (name, _)) in self.rows.iter().enumerate() {
            let cell = |peaks: &Vec<Peak>| peaks[row].figures();
            table.row(*name, self.peaks.iter().map(cell).collect());
        }
        let live = |peaks: &Vec<Peak>| {
            peaks
                .first()
                .map_or("-".into(), |peak| format!("{} KiB", peak.live >> 10))
        };
        table.row("peak live", self.peaks.iter().map(live).collect());
        table
    }

    pub(super) fn panels(&self) -> impl Iterator<Item = Panel> {
        let bar = |(&(name, side), peak): (&(&str, Side), &Peak)| Bar {
            name: name.into(),
            side,
            value: peak.ratio(peak.resident),
        };
        self.loads
            .iter()
            .zip(&self.peaks)
            .map(move |(load, peaks)| Panel {
                title: format!("memory, {load}"),
                bars: self.rows.iter().zip(peaks).map(bar).collect(),
            })
    }
}

impl Peak {
    fn new(figures: &[f64]) -> Option<Self> {
        let &[live, resident, reserved] = figures else {
            return None;
        };
        Some(Self {
            live: live as usize,
            resident: resident as usize,
            reserved: (reserved > 0.0).then_some(reserved as usize),
        })
    }

    fn ratio(&self, bytes: usize) -> f64 {
        bytes as f64 / self.live as f64
    }

    fn figures(&self) -> String {
        let own = self
            .reserved
            .map(|bytes| format!(" ({})", figure(self.ratio(bytes))));
        figure(self.ratio(self.resident)) + &own.unwrap_or_default()
    }
}
