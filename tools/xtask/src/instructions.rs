//! `cargo xtask instructions`: how many instructions the hot paths take, beside
//! what is kept in the repository.
//!
//! Owns the call of the benchmarks in `benches/instructions`, the reading of
//! their summaries and `benches/results/instructions.json`. Instructions are
//! counted by valgrind, so the figures are the same on a loaded machine and,
//! but for the code that a processor's features choose, on another one.

use crate::bench::BenchError;
use crate::bench::report::{Cell, Table};
use crate::bench::setup;
use crate::step::{StepError, run as step, workspace_root};
use clap::Args;
use serde_json::{Map, Value};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What must change together: this and the dependency in
/// `benches/instructions/Cargo.toml`.
const RUNNER: (&str, &str) = ("gungraun-runner", "0.20.0");
/// A change below this is noise of the allocator and of hashing.
const NOISE: f64 = 0.01;
/// Each benchmark does its work so often.
const TIMES: f64 = 1000.0;

/// The options of the task.
#[derive(Args)]
pub(crate) struct Options {
    /// Keeps the counts as what later runs are compared with.
    #[arg(long)]
    keep: bool,
}

/// Counts, compares, and fails only where it cannot count.
pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        let remedy = "valgrind is missing: install the Debian package (apt-get install valgrind)";
        return Err(StepError::Missing(remedy.to_owned()).into());
    }
    let target = setup::target_directory()?;
    let runner = runner(&target)?;
    let home = target.join("instructions").join("counted");
    let _ = fs::remove_dir_all(&home); // nothing may be there yet
    let folder = workspace_root().join("benches/instructions");
    step(
        Command::new("cargo")
            .args(["bench", "--manifest-path"])
            .arg(folder.join("Cargo.toml"))
            .env("CARGO_TARGET_DIR", target.join("instructions"))
            .env("GUNGRAUN_RUNNER", runner)
            .env("GUNGRAUN_HOME", &home)
            .env("GUNGRAUN_SAVE_SUMMARY", "json"),
    )?;
    let mut counts = Map::new();
    collect(&home, &mut counts)?;
    if counts.is_empty() {
        let home = home.display();
        return Err(BenchError::Unexpected(format!("no summaries under {home}")));
    }
    let path = workspace_root().join("benches/results/instructions.json");
    let kept: Map<String, Value> = match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|source| BenchError::Results {
            path: path.clone(),
            source,
        })?,
        Err(_) => Map::new(),
    };
    compare(&kept, &counts).print();
    if options.keep {
        let mut text = serde_json::to_string_pretty(&counts).map_err(std::io::Error::from)?;
        text.push('\n');
        fs::write(&path, text)?;
        println!("\nkept in {}", path.display());
    }
    Ok(())
}

/// The runner that the benchmarks need, installed into the target folder.
fn runner(target: &Path) -> Result<PathBuf, StepError> {
    let root = target.join("tools");
    let path = root.join("bin").join(RUNNER.0);
    if !path.exists() {
        let version = format!("={}", RUNNER.1);
        step(
            Command::new("cargo")
                .args(["install", "--locked", "--version", &version, "--root"])
                .arg(&root)
                .arg(RUNNER.0),
        )?;
    }
    Ok(path)
}

/// Reads every `summary.json` under `folder`.
fn collect(folder: &Path, counts: &mut Map<String, Value>) -> Result<(), BenchError> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, counts)?;
        } else if path.file_name().is_some_and(|name| name == "summary.json") {
            let bytes = fs::read(&path)?;
            let source = |source| BenchError::Results {
                path: path.clone(),
                source,
            };
            let summary: Value = serde_json::from_slice(&bytes).map_err(source)?;
            if let Some((name, count)) = count(&summary) {
                counts.insert(name, Value::from(count));
            }
        }
    }
    Ok(())
}

/// A benchmark's name and its instructions.
fn count(summary: &Value) -> Option<(String, u64)> {
    let function = summary["function_name"].as_str()?;
    let name = match summary["id"].as_str() {
        Some(id) => format!("{function}, {id}"),
        None => function.to_owned(),
    };
    Some((name, instructions(summary)?))
}

/// The first count under the name `Ir`, however deep.
fn instructions(value: &Value) -> Option<u64> {
    match value {
        Value::Object(fields) => {
            let own = fields.get("Ir").and_then(first_number);
            own.or_else(|| fields.values().find_map(instructions))
        }
        Value::Array(items) => items.iter().find_map(instructions),
        _ => None,
    }
}

fn first_number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::Object(fields) => fields.values().find_map(first_number),
        Value::Array(items) => items.iter().find_map(first_number),
        _ => None,
    }
}

fn compare(kept: &Map<String, Value>, counts: &Map<String, Value>) -> Table {
    let columns = &["path", "instructions each", "kept", "change", "answer"];
    let mut table = Table::new("instructions of the hot paths", columns);
    for (name, count) in counts {
        let now = count.as_f64().unwrap_or_default();
        let before = kept.get(name).and_then(Value::as_f64);
        let change = before.map(|before| now / before.max(1.0) - 1.0);
        table.row(vec![
            Cell::text(name),
            Cell::Decimal(now / TIMES),
            before.map_or(Cell::Nothing, |before| Cell::Decimal(before / TIMES)),
            change.map_or(Cell::Nothing, Cell::Share),
            Cell::text(match change {
                None => "new",
                Some(change) if change > NOISE => "more than kept",
                Some(change) if change < -NOISE => "fewer than kept",
                Some(_) => "as kept",
            }),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_summary_gives_its_name_and_count() {
        let summary = json!({
            "function_name": "index", "id": "hit",
            "profiles": [{"tool": "Callgrind", "summaries": {"total": {"summary":
                {"Callgrind": {"Ir": {"metrics": {"Left": {"Int": 4711}}}}}}}}]
        });
        assert_eq!(count(&summary), Some(("index, hit".to_owned(), 4711)));
        assert_eq!(count(&json!({"function_name": "index"})), None);
    }

    #[test]
    fn more_instructions_than_kept_are_said() {
        let counts = |count: u64| Map::from_iter([("a".to_owned(), Value::from(count))]);
        let answer = |now| {
            let table = compare(&counts(100_000), &counts(now));
            crate::bench::report::json_of(&table)["rows"][0]["answer"].clone()
        };
        assert_eq!(answer(100_900), "as kept");
        assert_eq!(answer(102_000), "more than kept");
        assert_eq!(answer(90_000), "fewer than kept");
    }
}
