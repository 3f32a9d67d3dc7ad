//! What a benchmark measured, as tables for people and as JSON for later.
//!
//! Owns the forms of figures and the files in `benches/results`: one a day and
//! benchmark, an array with one object a run. Does not know what is measured.

use crate::bench::BenchError;
use crate::bench::machine;
use crate::bench::measure::verdict::Verdict;
use crate::bench::measure::{Findings, page};
use crate::bench::setup::Context;
use crate::step::workspace_root;
use comfy_table::{CellAlignment, presets};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

/// Another folder than `benches/results`, if one was named.
static FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// Keeps the results of this process in `folder`.
pub(crate) fn keep_in(folder: PathBuf) {
    // The first word counts; the command line has only one.
    let _ = FOLDER.set(folder);
}

fn folder() -> PathBuf {
    let named = FOLDER.get().cloned();
    named.unwrap_or_else(|| workspace_root().join("benches/results"))
}

/// One figure.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    Text(String),
    Count(u64),
    Bytes(u64),
    /// A number with two decimals; its unit is in the column's name.
    Decimal(f64),
    /// A share of one, shown in percent.
    Share(f64),
    /// The same figure of several rounds.
    Rounds(Vec<f64>),
    /// Not measured here.
    Nothing,
}

impl Cell {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Count(count) => grouped(*count),
            Self::Bytes(bytes) => format!("{:.1} MiB", *bytes as f64 / f64::from(1 << 20)),
            Self::Decimal(number) => decimal(*number),
            Self::Share(share) => format!("{:.1} %", share * 100.0),
            Self::Rounds(figures) => {
                let (least, greatest) = bounds(figures);
                let median = decimal(median(figures));
                format!("{median} ({}–{})", decimal(least), decimal(greatest))
            }
            Self::Nothing => String::new(),
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Count(count) | Self::Bytes(count) => json!(count),
            Self::Decimal(number) | Self::Share(number) => json!(number),
            Self::Rounds(figures) => json!({ "median": median(figures), "rounds": figures }),
            Self::Nothing => Value::Null,
        }
    }
}

/// The figure in the middle, or the mean of the two in the middle; 0 of none.
pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    if sorted.len() % 2 == 1 {
        return upper;
    }
    let lower = sorted.get((sorted.len() / 2).saturating_sub(1)).copied();
    f64::midpoint(lower.unwrap_or_default(), upper)
}

/// Each figure over the one of the same round in `base`.
pub(crate) fn ratios(figures: &[f64], base: &[f64]) -> Vec<f64> {
    let pairs = figures.iter().zip(base);
    pairs
        .map(|(figure, base)| figure / base.max(1e-9))
        .collect()
}

fn bounds(figures: &[f64]) -> (f64, f64) {
    let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if figures.is_empty() {
        (0.0, 0.0)
    } else {
        (least, greatest)
    }
}

/// Thousands apart, as `1,234`.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut shown = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

fn decimal(number: f64) -> String {
    if number.abs() >= 1000.0 {
        let sign = if number < 0.0 { "-" } else { "" };
        format!("{sign}{}", grouped(number.abs().round() as u64))
    } else {
        format!("{number:.2}")
    }
}

/// Figures under one heading.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    title: String,
    columns: &'static [&'static str],
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(crate) fn new(title: impl Into<String>, columns: &'static [&'static str]) -> Self {
        Self {
            title: title.into(),
            columns,
            rows: Vec::new(),
        }
    }

    /// Adds a row, one cell a column.
    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.columns.len(), "{}", self.title);
        self.rows.push(cells);
    }

    pub(crate) fn print(&self) {
        let mut table = comfy_table::Table::new();
        table.load_preset(presets::ASCII_MARKDOWN);
        table.set_header(self.columns);
        for row in &self.rows {
            table.add_row(row.iter().map(|cell| {
                let alignment = match cell {
                    Cell::Text(_) => CellAlignment::Left,
                    _ => CellAlignment::Right,
                };
                comfy_table::Cell::new(cell.shown()).set_alignment(alignment)
            }));
        }
        println!("\n{}\n{table}", self.title);
    }

    fn value(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            let pairs = self.columns.iter().zip(row);
            let fields = pairs.map(|(name, cell)| ((*name).to_owned(), cell.value()));
            Value::Object(fields.collect::<Map<_, _>>())
        });
        json!({ "title": self.title, "columns": self.columns, "rows": rows.collect::<Vec<_>>() })
    }
}

/// The table as files of results have it.
#[cfg(test)]
pub(crate) fn json_of(table: &Table) -> Value {
    table.value()
}

/// Prints `tables` and adds them to the file of today and `name`.
pub(crate) fn publish(
    name: &str,
    scale: f64,
    rounds: usize,
    tables: &[Table],
) -> Result<(), BenchError> {
    for table in tables {
        table.print();
    }
    keep(name, scale, rounds, tables, &json!({}))?;
    Ok(())
}

/// Adds a run, with the fields of `extra`, to the file of today and `name`;
/// gives its path.
fn keep(
    name: &str,
    scale: f64,
    rounds: usize,
    tables: &[Table],
    extra: &Value,
) -> Result<PathBuf, BenchError> {
    let now = thermocline_base::Clock::system().now().0;
    let (day, time) = machine::utc(now);
    let folder = folder();
    fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{day}-{name}.json"));
    let mut runs = earlier_runs(&path)?;
    let mut run = json!({
        "benchmark": name,
        "time": format!("{day}T{time}Z"),
        "scale": scale,
        "rounds": rounds,
        "commit": machine::commit(),
        "machine": machine::describe(),
        "tables": tables.iter().map(Table::value).collect::<Vec<_>>(),
    });
    if let (Some(run), Some(extra)) = (run.as_object_mut(), extra.as_object()) {
        run.extend(extra.clone());
    }
    runs.push(run);
    let mut text = serde_json::to_string_pretty(&runs).map_err(std::io::Error::from)?;
    text.push('\n');
    fs::write(&path, text)?;
    println!("\nadded to {}", path.display());
    Ok(path)
}

/// Prints what measures found and adds it to the file of today's measures.
pub(crate) fn keep_measures(
    context: &Context,
    numbers: &[&str],
    found: &Findings,
) -> Result<(), BenchError> {
    for table in &found.tables {
        table.print();
    }
    let verdicts = found.verdicts.iter().map(Verdict::value);
    let extra = json!({
        "measures": numbers,
        "verdicts": verdicts.collect::<Vec<_>>(),
    });
    let (scale, rounds) = (context.scale, context.rounds);
    let path = keep("measures", scale, rounds, &found.tables, &extra)?;
    println!("the page: {}", page::write(&path)?.display());
    Ok(())
}

fn earlier_runs(path: &PathBuf) -> Result<Vec<Value>, BenchError> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|source| BenchError::Results {
            path: path.clone(),
            source,
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_stand_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&[]), 0.0);
        assert_eq!(ratios(&[2.0, 9.0], &[1.0, 3.0]), [2.0, 3.0]);
    }

    #[test]
    fn figures_are_shown_with_their_spread_and_kept_whole() {
        let rounds = Cell::Rounds(vec![1500.0, 1000.0, 2000.4]);
        assert_eq!(rounds.shown(), "1,500 (1,000–2,000)");
        assert_eq!(rounds.value()["rounds"][2], 2000.4);
        assert_eq!(Cell::Bytes(3 << 20).shown(), "3.0 MiB");
        assert_eq!(Cell::Share(0.125).shown(), "12.5 %");
        assert_eq!(Cell::Count(1_234_567).shown(), "1,234,567");
    }

    #[test]
    fn rows_are_objects_by_column() {
        let mut table = Table::new("title", &["name", "bytes"]);
        table.row(vec![Cell::text("a"), Cell::Bytes(5)]);
        assert_eq!(table.value()["rows"][0]["bytes"], 5);
    }
}
