//! What a run says: tables on the terminal as soon as they are known, and all of them with charts in a folder.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::PathBuf;

use crate::table::Table;
use crate::{bytes, fixed, walks};

pub(crate) struct Report {
    folder: PathBuf,
    name: String,
    text: String,
}

impl Report {
    pub(crate) fn new(folder: PathBuf, name: &str) -> Self {
        let text = format!("# The race: {name}\n\n{}\n", circumstances());
        println!("{text}");
        Self {
            folder,
            name: name.into(),
            text,
        }
    }

    pub(crate) fn fixed(&mut self, result: &fixed::Result) {
        self.extend(result.tables());
    }

    pub(crate) fn walks(&mut self, result: &walks::Result) {
        self.extend(result.tables());
    }

    pub(crate) fn bytes(&mut self, result: bytes::Result) {
        self.extend(result.tables());
    }

    /// Writes the files.
    pub(crate) fn write(self) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        fs::write(self.folder.join(format!("{}.md", self.name)), self.text)
    }
}

impl Extend<Table> for Report {
    fn extend<I: IntoIterator<Item = Table>>(&mut self, tables: I) {
        for table in tables.into_iter().filter(|table| !table.is_empty()) {
            let table = table.to_markdown();
            println!("{table}");
            write!(self.text, "\n{table}").expect("a string takes all");
        }
    }
}

/// When and on what the figures were taken.
fn circumstances() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let about = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = about
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model);
    let date = jiff::Timestamp::now().strftime("%Y-%m-%d");
    format!("{date}, {model}, {cores} cores, {}.", std::env::consts::OS)
}
