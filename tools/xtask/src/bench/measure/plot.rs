//! Plots of results as SVG texts, drawn by `plotters`.
//!
//! Owns which columns of a table are worth a plot and what a plot looks like.

use crate::bench::BenchError;
use crate::bench::measure::page::{bounds, number};
use plotters::coord::Shift;
use plotters::prelude::*;
use serde_json::Value;

/// Columns that are compared between servers.
const PLOTTED: &[&str] = &[
    "requests/s",
    "CPU µs a request",
    "p99 µs",
    "B a key above its bytes",
    "from RAM",
];
const SIZE: (u32, u32) = (560, 90);
const BAR_HEIGHT: u32 = 26;
const BLUE_OURS: RGBColor = RGBColor(23, 105, 170);
const GREY_PEER: RGBColor = RGBColor(150, 160, 172);

fn failed(error: impl std::fmt::Display) -> BenchError {
    BenchError::Unexpected(format!("a plot could not be drawn: {error}"))
}

/// One bar of a plot.
struct Bar {
    label: String,
    median: f64,
    least: f64,
    greatest: f64,
}

/// A plot for each load of the table and each column that is compared.
pub(super) fn bars(table: &Value) -> Result<Vec<String>, BenchError> {
    let rows = table["rows"].as_array().map_or(&[][..], Vec::as_slice);
    let mut loads: Vec<&str> = Vec::new();
    for row in rows {
        let load = row["load"].as_str().unwrap_or_default();
        if !loads.contains(&load) {
            loads.push(load);
        }
    }
    let mut plots = Vec::new();
    for column in PLOTTED {
        for load in &loads {
            let of_load = rows
                .iter()
                .filter(|row| row["load"].as_str().unwrap_or_default() == *load);
            let bars: Vec<Bar> = of_load.filter_map(|row| bar(row, column)).collect();
            if !bars.is_empty() {
                let title = [*load, *column].join(", ");
                plots.push(draw_bars(title.trim_start_matches(", "), &bars)?);
            }
        }
    }
    Ok(plots)
}

fn bar(row: &Value, column: &str) -> Option<Bar> {
    let cell = &row[column];
    let median = cell["median"].as_f64().or_else(|| cell.as_f64())?;
    let rounds = cell["rounds"].as_array();
    let rounds: Vec<f64> = rounds
        .into_iter()
        .flatten()
        .filter_map(Value::as_f64)
        .collect();
    let (least, greatest) = if rounds.is_empty() {
        (median, median)
    } else {
        bounds(&rounds)
    };
    let mut label = row["server"].as_str().unwrap_or_default().to_owned();
    for more in ["value", "of data"] {
        if let Some(figure) = row[more].as_f64() {
            label.push_str(&format!(" {figure}"));
        }
    }
    Some(Bar {
        label,
        median,
        least,
        greatest,
    })
}

fn draw_bars(title: &str, bars: &[Bar]) -> Result<String, BenchError> {
    let height = SIZE.1 + BAR_HEIGHT * bars.len() as u32;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (SIZE.0, height)).into_drawing_area();
        draw_bars_on(&area, title, bars).map_err(failed)?;
        area.present().map_err(failed)?;
    }
    Ok(svg)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

fn draw_bars_on(area: &Area<'_>, title: &str, bars: &[Bar]) -> Drawn {
    let most = bars.iter().map(|bar| bar.greatest).fold(0.0, f64::max);
    let count = bars.len();
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 15))
        .margin(8)
        .x_label_area_size(24)
        .y_label_area_size(150)
        .build_cartesian_2d(0.0..(most * 1.08).max(1e-9), (0..count).into_segmented())?;
    // The first stands at the top.
    let at = |index: usize| count - 1 - index;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(WHITE)
        .x_labels(5)
        .y_labels(count + 1)
        .x_label_formatter(&|figure| number(*figure))
        .y_label_formatter(&|segment| match segment {
            SegmentValue::CenterOf(index) if *index < count => {
                bars[count - 1 - *index].label.clone()
            }
            _ => String::new(),
        })
        .draw()?;
    chart.draw_series(bars.iter().enumerate().map(|(index, bar)| {
        let is_ours = bar.label.starts_with("Thermocline");
        let color = if is_ours { BLUE_OURS } else { GREY_PEER };
        let low = SegmentValue::Exact(at(index));
        let high = SegmentValue::Exact(at(index) + 1);
        let mut shape = Rectangle::new([(0.0, low), (bar.median, high)], color.filled());
        shape.set_margin(4, 4, 0, 0);
        shape
    }))?;
    chart.draw_series(bars.iter().enumerate().map(|(index, bar)| {
        let middle = || SegmentValue::CenterOf(at(index));
        PathElement::new(vec![(bar.least, middle()), (bar.greatest, middle())], BLACK)
    }))?;
    Ok(())
}

/// A line over the runs, the oldest first.
pub(super) fn history(title: &str, points: &[(String, f64)]) -> Result<String, BenchError> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (SIZE.0, 200)).into_drawing_area();
        draw_history(&area, title, points).map_err(failed)?;
        area.present().map_err(failed)?;
    }
    Ok(svg)
}

fn draw_history(area: &Area<'_>, title: &str, points: &[(String, f64)]) -> Drawn {
    let figures: Vec<f64> = points.iter().map(|(_, figure)| *figure).collect();
    let (_, most) = bounds(&figures);
    let last = points.len().saturating_sub(1).max(1);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 12))
        .margin(8)
        .x_label_area_size(24)
        .y_label_area_size(50)
        .build_cartesian_2d(0..last, 0.0..(most * 1.1).max(1e-9))?;
    let day = |index: &usize| {
        let time = points.get(*index).map_or("", |(time, _)| time.as_str());
        time.get(..10).unwrap_or(time).to_owned()
    };
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_labels(points.len().min(5))
        .x_label_formatter(&day)
        .y_label_formatter(&|figure| number(*figure))
        .draw()?;
    let line = || figures.iter().copied().enumerate();
    chart.draw_series(LineSeries::new(line(), BLUE_OURS))?;
    chart.draw_series(line().map(|point| Circle::new(point, 3, BLUE_OURS.filled())))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn any_number_of_servers_and_any_figures_can_be_drawn() {
        for count in [1, 2, 3, 5, 9, 24] {
            for figure in [0.0, 1e-7, 3.0, 2.5e9] {
                let row = json!({ "load": "GET", "server": "one", "requests/s": figure });
                let table = json!({ "rows": vec![row; count] });
                let plots = bars(&table).expect("plots");
                assert_eq!(plots.len(), 1);
                assert_eq!(plots[0].matches("<rect").count(), count, "{figure}");
            }
        }
    }

    #[test]
    fn any_history_can_be_drawn() {
        for count in [2, 3, 7, 100] {
            for figure in [0.0, 1e-7, 4e6] {
                let points = vec![("2026-01-01T00:00:00Z".to_owned(), figure); count];
                let svg = history("a title", &points).expect("a plot");
                assert_eq!(svg.matches("<circle").count(), count);
            }
        }
    }
}
