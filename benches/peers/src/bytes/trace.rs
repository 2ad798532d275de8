//! The heap calls of real programs, replayed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::heaps::{Block, Source};
use crate::workloads::{Effort, timed};

#[path = "../../../../examples/replay/trace.rs"]
mod format;

pub(super) use format::Event;

/// A program's heap calls from its first to its last.
pub(super) struct Trace {
    /// `trace` and what the file is called.
    pub(super) name: String,
    pub(super) events: Vec<Event>,
}

/// All `*.trace` files of some folders, by name; of two with one name the first.
pub(super) fn read_all(folders: &[PathBuf]) -> io::Result<Vec<Trace>> {
    let mut paths = Vec::new();
    for folder in folders {
        let entries = fs::read_dir(folder).map_err(|error| at(folder, error))?;
        for entry in entries {
            paths.push(entry?.path());
        }
    }
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "trace")
    });
    paths.sort_by(|one, other| one.file_name().cmp(&other.file_name())); // stable: the first folder stays first
    paths.dedup_by(|next, last| next.file_name() == last.file_name());
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> io::Result<Trace> {
    let text = fs::read_to_string(path).map_err(|error| at(path, error))?;
    let mut lens = Vec::new();
    let mut events = Vec::with_capacity(text.lines().count());
    for line in text.lines() {
        let event = format::parse(line, &mut lens);
        events.push(event.map_err(|error| at(path, io::Error::other(error)))?);
    }
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    Ok(Trace {
        name: format!("trace {name}"),
        events,
    })
}

fn at(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Nanoseconds for each event.
pub(super) fn time<S: Source>(effort: &Effort, trace: &Trace) -> f64 {
    let source = S::new();
    let mut live = Vec::with_capacity(trace.events.len());
    timed(effort.turn, trace.events.len(), || {
        replay(&source, &trace.events, &mut live)
    })
}

fn replay<'p, S: Source>(source: &'p S, events: &[Event], live: &mut Vec<Option<S::Block<'p>>>) {
    for event in events {
        match *event {
            Event::Alloc(len) => live.push(Some(source.zeroed(len))),
            Event::Resize(id, len) => live[id]
                .as_mut()
                .expect("checked when it was read")
                .resize(len),
            Event::Free(id) => live[id] = None,
        }
    }
    live.clear();
}
