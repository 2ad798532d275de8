//! What a run says: tables on the terminal as soon as they are known, and all of them with charts in a folder.

use std::fmt::Write;
use std::path::PathBuf;
use std::{fs, io};

use crate::chart::Chart;
use crate::table::Table;

pub(crate) struct Report {
    folder: PathBuf,
    name: String,
    text: String,
}

impl Report {
    pub(crate) fn new(folder: PathBuf, name: &str) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let text = format!("# The race: {name}\n\n{}\n", circumstances());
        println!("{text}");
        Ok(Self {
            folder,
            name: name.into(),
            text,
        })
    }

    /// Writes a chart, unless there is nothing on it.
    pub(crate) fn chart(&self, name: &str, chart: &Chart) -> io::Result<()> {
        if chart.panels.is_empty() {
            return Ok(());
        }
        let svg = chart.to_svg().map_err(io::Error::other)?;
        fs::write(self.folder.join(format!("{name}.svg")), svg)
    }

    /// Writes the tables.
    pub(crate) fn write(self) -> io::Result<()> {
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
