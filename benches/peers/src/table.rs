//! Tables that read well in a terminal and are Markdown as well.

use std::fmt::Write;

/// Rows of figures, one for each contender.
pub(crate) struct Table {
    pub(crate) title: String,
    /// What the figures are.
    pub(crate) note: String,
    columns: Vec<String>,
    rows: Vec<(String, Vec<String>)>,
}

impl Table {
    pub(crate) fn new(title: impl Into<String>, note: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            note: note.into(),
            columns: Vec::new(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn columns(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.columns = names.into_iter().map(Into::into).collect();
        self
    }

    pub(crate) fn row(&mut self, name: impl Into<String>, cells: Vec<String>) {
        self.rows.push((name.into(), cells));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() || self.columns.is_empty()
    }

    /// With every column as wide as its widest cell.
    pub(crate) fn to_markdown(&self) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|(_, cells)| &cells[column]);
            let widths = cells.chain([&self.columns[column]]);
            widths
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
                .max(2)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let first = self.rows.iter().map(|(name, _)| name.chars().count());
        let first = first.max().unwrap_or(0);
        let mut text = format!("### {}\n\n{}\n\n", self.title, self.note);
        let mut line = |name: &str, cells: &[String]| {
            write!(text, "| {name:first$} |").expect("a string takes all");
            for (cell, width) in cells.iter().zip(&widths) {
                write!(text, " {cell:>width$} |").expect("a string takes all");
            }
            text.push('\n');
        };
        line("", &self.columns);
        let rule = |width: &usize| format!("{}:", "-".repeat(width - 1));
        line(
            &"-".repeat(first),
            &widths.iter().map(rule).collect::<Vec<_>>(),
        );
        self.rows.iter().for_each(|(name, cells)| line(name, cells));
        text
    }
}

/// A few significant digits.
pub(crate) fn figure(value: f64) -> String {
    match value {
        _ if value < 10.0 => format!("{value:.2}"),
        _ if value < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// Figures of one column: each with its ratio to the least.
pub(crate) fn beside_best(values: &[Option<f64>]) -> Vec<String> {
    let best = values
        .iter()
        .flatten()
        .copied()
        .fold(f64::INFINITY, f64::min);
    let cell = |value: f64| format!("{} ({:.2})", figure(value), value / best);
    values
        .iter()
        .map(|value| value.map_or("-".into(), cell))
        .collect()
}

/// Rows from columns.
pub(crate) fn transposed(columns: &[Vec<String>], row: usize) -> Vec<String> {
    columns.iter().map(|column| column[row].clone()).collect()
}
