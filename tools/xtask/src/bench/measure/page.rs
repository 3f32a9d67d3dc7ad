//! The page of a day's measures: goals, tables and plots, from the files of
//! results alone.
//!
//! Owns the HTML. For each measure the last run of the day stands there, so
//! that measures taken one by one come together; earlier runs of other days
//! stand below as history. Shows what the files hold and computes nothing but
//! scales.

use crate::bench::BenchError;
use crate::bench::measure::plot;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:76em;padding:0 1em;\
color:#1c2530;background:#fff}h1,h2{font-weight:600}table{border-collapse:collapse;margin:1em 0;\
font-size:13px}th,td{padding:.25em .7em;border-bottom:1px solid #dde3ea;text-align:right}\
th:first-child,td:first-child,td.text{text-align:left}th{background:#f4f6f9}.holds{color:#0a7d3b}\
.missed{color:#b3261e}.void{color:#6b7480}figure{display:inline-block;margin:.5em}\
.tables{overflow-x:auto}";

/// Writes the page beside the file of results at `path`; gives its place.
pub(crate) fn write(path: &Path) -> Result<PathBuf, BenchError> {
    let runs = runs(path)?;
    let mut earlier = Vec::new();
    if let Some(folder) = path.parent() {
        let mut files: Vec<PathBuf> = fs::read_dir(folder)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|other| other.to_string_lossy().ends_with("-measures.json"))
            .collect();
        files.sort();
        for file in files {
            earlier.extend(self::runs(&file)?);
        }
    }
    let page = path.with_extension("html");
    fs::write(&page, html(&runs, &earlier)?)?;
    Ok(page)
}

fn runs(path: &Path) -> Result<Vec<Value>, BenchError> {
    let source = |source| BenchError::Results {
        path: path.to_owned(),
        source,
    };
    serde_json::from_slice(&fs::read(path)?).map_err(source)
}

fn html(runs: &[Value], history: &[Value]) -> Result<String, BenchError> {
    let last = runs.last().unwrap_or(&Value::Null);
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Thermocline, measured</title>\
         <style>{STYLE}</style><h1>Thermocline, measured</h1><p>{} cores of {}, {} of memory, kernel {}. \
         Each figure is a median over rounds, with the least and the greatest in brackets; servers \
         are measured in turn in the same run.</p>",
        text(&last["machine"]["cores"]),
        text(&last["machine"]["processor"]),
        text(&last["machine"]["memory"]),
        text(&last["machine"]["kernel"]),
    );
    let shown = latest(runs);
    out.push_str("<h2>Goals</h2><div class=\"tables\"><table><tr><th>measure<th>what<th>measured<th>goal<th>answer<th>scale</tr>");
    for run in &shown {
        for verdict in list(&run["verdicts"]) {
            let (class, answer) = match verdict["holds"].as_bool() {
                Some(true) => ("holds", "holds".to_owned()),
                Some(false) => ("missed", "missed".to_owned()),
                None => ("void", format!("void: {}", text(&verdict["void"]))),
            };
            out.push_str(&format!(
                "<tr><td>{}<td class=\"text\">{}<td>{}<td>{}<td class=\"{class}\">{answer}<td>{}</tr>",
                text(&verdict["measure"]),
                text(&verdict["what"]),
                figure(verdict),
                text(&verdict["goal"]),
                text(&run["scale"]),
            ));
        }
    }
    out.push_str("</table></div>");
    for run in &shown {
        let numbers: Vec<String> = list(&run["measures"]).iter().map(text).collect();
        out.push_str(&format!(
            "<h2>Measures {}</h2><p>{}, commit {}, scale {}, {} rounds</p>",
            numbers.join(", "),
            text(&run["time"]),
            text(&run["commit"]),
            text(&run["scale"]),
            text(&run["rounds"])
        ));
        for table in list(&run["tables"]) {
            write_table(table, &mut out);
            for svg in plot::bars(table)? {
                out.push_str(&format!("<figure>{svg}</figure>"));
            }
        }
    }
    write_history(history, &mut out)?;
    out.push_str("</html>\n");
    Ok(out)
}

/// For each measure the last run that took it, in the order of the runs.
fn latest(runs: &[Value]) -> Vec<&Value> {
    let is_last = |at: usize, run: &Value| {
        list(&run["measures"]).iter().any(|number| {
            let mut later = runs.iter().skip(at + 1);
            !later.any(|other| list(&other["measures"]).contains(number))
        })
    };
    let all = runs.iter().enumerate();
    all.filter(|(at, run)| is_last(*at, run))
        .map(|(_, run)| run)
        .collect()
}

fn write_table(table: &Value, out: &mut String) {
    out.push_str(&format!("<h3>{}</h3>", text(&table["title"])));
    out.push_str("<div class=\"tables\"><table><tr>");
    let columns = list(&table["columns"]);
    for column in columns {
        out.push_str(&format!("<th>{}", text(column)));
    }
    out.push_str("</tr>");
    for row in list(&table["rows"]) {
        out.push_str("<tr>");
        for column in columns {
            let cell = &row[column.as_str().unwrap_or_default()];
            let class = if cell.is_string() {
                " class=\"text\""
            } else {
                ""
            };
            out.push_str(&format!("<td{class}>{}", figure(cell)));
        }
        out.push_str("</tr>");
    }
    out.push_str("</table></div>");
}

/// Each goal over all runs at full size.
fn write_history(runs: &[Value], out: &mut String) -> Result<(), BenchError> {
    let mut lines: Vec<(String, Vec<(String, f64)>)> = Vec::new();
    for run in runs.iter().filter(|run| run["scale"].as_f64() >= Some(1.0)) {
        for verdict in list(&run["verdicts"]) {
            let Some(median) = verdict["median"].as_f64() else {
                continue;
            };
            let name = format!(
                "{}: {} ({})",
                text(&verdict["measure"]),
                text(&verdict["what"]),
                text(&verdict["goal"])
            );
            let point = (text(&run["time"]), median);
            match lines.iter_mut().find(|(known, _)| *known == name) {
                Some((_, points)) => points.push(point),
                None => lines.push((name, vec![point])),
            }
        }
    }
    lines.retain(|(_, points)| points.len() > 1);
    if lines.is_empty() {
        return Ok(());
    }
    out.push_str("<h2>History, full size</h2>");
    for (name, points) in lines {
        let svg = plot::history(&name, &points)?;
        out.push_str(&format!("<figure>{svg}</figure>"));
    }
    Ok(())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A text or number, safe in HTML.
pub(super) fn text(value: &Value) -> String {
    let plain = match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    plain
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// A cell: a text, a number, or a median with its bounds.
fn figure(cell: &Value) -> String {
    let (Some(median), Some(rounds)) = (cell["median"].as_f64(), cell["rounds"].as_array()) else {
        return cell.as_f64().map_or_else(|| text(cell), number);
    };
    let rounds: Vec<f64> = rounds.iter().filter_map(Value::as_f64).collect();
    let (least, greatest) = bounds(&rounds);
    if rounds.len() < 2 {
        return number(median);
    }
    format!(
        "{} ({}–{})",
        number(median),
        number(least),
        number(greatest)
    )
}

/// The least and the greatest.
pub(super) fn bounds(figures: &[f64]) -> (f64, f64) {
    let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (least, greatest)
}

/// Three digits, in thousands, millions or billions where it is long.
pub(super) fn number(figure: f64) -> String {
    let (scaled, unit) = match figure.abs() {
        size if size >= 1e9 => (figure / 1e9, " G"),
        size if size >= 1e6 => (figure / 1e6, " M"),
        size if size >= 1e4 => (figure / 1e3, " k"),
        _ => (figure, ""),
    };
    if scaled.fract() == 0.0 || scaled.abs() >= 1000.0 {
        format!("{scaled:.0}{unit}")
    } else {
        format!("{scaled:.2}{unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(time: &str, number: &str, median: f64) -> Value {
        json!({
            "time": time, "scale": 1.0, "rounds": 2, "commit": "abc", "measures": [number],
            "verdicts": [{
                "measure": number, "what": "a < b", "median": median, "rounds": [median, 2.0],
                "goal": "≤ 0.45", "holds": median <= 0.45, "void": null
            }],
            "tables": [{
                "title": "loads", "columns": ["load", "server", "requests/s"],
                "rows": [{"load": "GET", "server": "one", "requests/s":
                    {"median": 2e6, "rounds": [1e6, 3e6]}}]
            }],
        })
    }

    #[test]
    fn the_last_run_of_each_measure_is_shown() {
        let runs = [run("1", "1", 0.5), run("2", "2", 0.1), run("3", "1", 0.4)];
        let times: Vec<_> = latest(&runs).iter().map(|run| text(&run["time"])).collect();
        assert_eq!(times, ["2", "3"]);
    }

    #[test]
    fn the_page_holds_goals_tables_and_plots() {
        let runs = [run("1", "1", 0.5), run("2", "1", 0.4)];
        let page = html(&runs, &runs).expect("a page");
        assert!(page.contains("a &lt; b"), "{page}");
        assert!(page.contains("class=\"holds\">holds"), "{page}");
        assert!(!page.contains("class=\"missed\">missed"), "{page}");
        assert!(page.contains("2 M (1 M–3 M)"), "{page}");
        // One plot of the table, one of the history.
        assert_eq!(page.matches("<svg").count(), 2);
    }

    #[test]
    fn long_numbers_are_cut() {
        assert_eq!(number(0.456), "0.46");
        assert_eq!(number(12.0), "12");
        assert_eq!(number(123_456.0), "123.46 k");
    }
}
