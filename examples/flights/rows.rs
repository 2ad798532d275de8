//! Rows of a CSV file whose complaints name the file, the line and the column.

use std::fs::File;
use std::path::Path;

pub type Error = Box<dyn std::error::Error + Send + Sync>;
pub type Result<T> = std::result::Result<T, Error>;

/// A line of a file, reduced to the columns that are of use.
pub struct Row<'a, const N: usize> {
    path: &'a Path,
    line: u64,
    fields: [(&'static str, String); N],
}

/// Reads the file at `path`. It may have other columns, and any order of them.
pub fn rows<'a, const N: usize>(
    path: &'a Path,
    columns: [&'static str; N],
) -> Result<Vec<Row<'a, N>>> {
    let file = File::open(path).map_err(|why| format!("{}: {why}", path.display()))?;
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(file);
    let headers = reader.headers().map_err(|why| explain(path, &why))?;
    let places = find(headers, columns).map_err(|wrong| complaint(path, 1, &wrong))?;
    let rows = reader.records().map(|record| {
        let record = record.map_err(|why| explain(path, &why))?;
        let line = record.position().map_or(0, csv::Position::line);
        let fields = places.map(|(column, at)| (column, record[at].to_owned()));
        Ok(Row { path, line, fields })
    });
    rows.collect()
}

/// Where the columns stand.
fn find<const N: usize>(
    headers: &csv::StringRecord,
    columns: [&'static str; N],
) -> std::result::Result<[(&'static str, usize); N], String> {
    let find = |column: &str| headers.iter().position(|header| header == column);
    match columns.into_iter().find(|column| find(column).is_none()) {
        Some(missing) => Err(format!("there is no column {missing:?}")),
        None => Ok(columns.map(|column| (column, find(column).unwrap_or_default()))),
    }
}

impl<const N: usize> Row<'_, N> {
    pub fn text(&self, column: &str) -> &str {
        let mut fields = self.fields.iter();
        fields
            .find(|(name, _)| *name == column)
            .map_or("", |(_, text)| text)
    }

    /// The field of a column, or a complaint that it is not `what` it should be.
    pub fn read<T>(
        &self,
        column: &str,
        what: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T> {
        let text = self.text(column);
        parse(text).ok_or_else(|| self.complaint(&format!("{column} is {text:?}, not {what}")))
    }

    pub fn complaint(&self, wrong: &str) -> Error {
        complaint(self.path, self.line, wrong)
    }
}

fn explain(path: &Path, why: &csv::Error) -> Error {
    let line = why.position().map_or(1, csv::Position::line);
    match why.kind() {
        csv::ErrorKind::Io(why) => format!("{}: {why}", path.display()).into(),
        csv::ErrorKind::Utf8 { .. } => complaint(path, line, "this is not UTF-8"),
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => complaint(
            path,
            line,
            &format!("{len} fields instead of {expected_len}"),
        ),
        _ => complaint(path, line, &why.to_string()),
    }
}

fn complaint(path: &Path, line: u64, wrong: &str) -> Error {
    format!("{}, line {line}: {wrong}", path.display()).into()
}
