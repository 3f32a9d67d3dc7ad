//! A server under a name with its own options, and what its loads cost.
//!
//! Owns the start of one contender and the columns that every table of loads
//! has. Does not own which contenders meet.

use crate::bench::BenchError;
use crate::bench::report::{Cell, Table, median};
use crate::bench::setup::{self, Measured};
use std::path::Path;
use tempfile::TempDir;
use thermocline_benches::server::{Program, Server};

/// The columns of a table of loads.
const COLUMNS: &[&str] = &[
    "load",
    "server",
    "requests/s",
    "requests/CPU-s",
    "CPU µs a request",
    "p50 µs",
    "p99 µs",
    "p99.9 µs",
    "max µs",
    "RSS",
    "read",
    "written",
    "bad replies",
];

/// A server under a name.
#[derive(Clone)]
pub(super) struct Contender {
    pub(super) label: String,
    pub(super) program: Program,
    options: Vec<(String, String)>,
}

impl Contender {
    pub(super) fn new(label: &str, program: Program, options: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            label: label.to_owned(),
            program,
            options: options.iter().map(owned).collect(),
        }
    }

    /// Starts it in a directory of its own, which goes with the directory's
    /// guard.
    pub(super) fn start(&self) -> Result<(Server, TempDir), BenchError> {
        let directory = setup::directory("measure")?;
        Ok((self.start_in(directory.path())?, directory))
    }

    /// Starts it in `directory`, with what is there.
    pub(super) fn start_in(&self, directory: &Path) -> Result<Server, BenchError> {
        Ok(Server::start(&self.program, directory, &self.borrowed())?)
    }

    /// As [`Contender::start_in`], without waiting for its readiness.
    pub(super) fn spawn_in(&self, directory: &Path) -> Result<Server, BenchError> {
        Ok(Server::spawn(&self.program, directory, &self.borrowed())?)
    }

    fn borrowed(&self) -> Vec<(&str, &str)> {
        let pairs = self.options.iter();
        pairs
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }
}

/// Figures of one load against one contender, one entry a round.
#[derive(Clone, Default)]
pub(super) struct Series {
    pub(super) per_second: Vec<f64>,
    pub(super) cpu_us: Vec<f64>,
    pub(super) p50_us: Vec<f64>,
    pub(super) p99_us: Vec<f64>,
    pub(super) p999_us: Vec<f64>,
    pub(super) p9999_us: Vec<f64>,
    pub(super) max_us: Vec<f64>,
    pub(super) resident_bytes: u64,
    pub(super) read_bytes: u64,
    pub(super) written_bytes: u64,
    pub(super) bad_replies: u64,
}

impl Series {
    /// Adds a round.
    pub(super) fn add(&mut self, measured: &Measured) {
        let outcome = &measured.outcome;
        let latency = outcome.latency();
        self.per_second.push(outcome.per_second());
        self.cpu_us.push(1e6 / measured.per_cpu_second());
        self.p50_us.push(latency.percentile_us(50.0));
        self.p99_us.push(latency.percentile_us(99.0));
        self.p999_us.push(latency.percentile_us(99.9));
        self.p9999_us.push(latency.percentile_us(99.99));
        self.max_us.push(latency.max_us());
        self.resident_bytes = self.resident_bytes.max(measured.resident_bytes);
        self.read_bytes = self.read_bytes.max(measured.usage.read_bytes);
        self.written_bytes = self.written_bytes.max(measured.usage.written_bytes);
        self.bad_replies += measured.bad_replies();
    }

    fn cells(&self, load: &str, server: &str) -> Vec<Cell> {
        let per_cpu_second = self.cpu_us.iter().map(|cpu| 1e6 / cpu.max(1e-9)).collect();
        vec![
            Cell::text(load),
            Cell::text(server),
            Cell::Rounds(self.per_second.clone()),
            Cell::Rounds(per_cpu_second),
            Cell::Rounds(self.cpu_us.clone()),
            Cell::Decimal(median(&self.p50_us)),
            Cell::Decimal(median(&self.p99_us)),
            Cell::Decimal(median(&self.p999_us)),
            Cell::Decimal(median(&self.max_us)),
            Cell::Bytes(self.resident_bytes),
            Cell::Bytes(self.read_bytes),
            Cell::Bytes(self.written_bytes),
            Cell::Count(self.bad_replies),
        ]
    }
}

/// Series by load and contender, in the order of their first round.
#[derive(Default)]
pub(super) struct Loads(Vec<(String, String, Series)>);

impl Loads {
    /// Adds a round of `load` against `server`.
    pub(super) fn add(&mut self, load: &str, server: &str, measured: &Measured) {
        measured.print_error(server);
        self.entry(load, server).add(measured);
    }

    fn entry(&mut self, load: &str, server: &str) -> &mut Series {
        let is_it = |(l, s, _): &(String, String, Series)| l == load && s == server;
        let at = self.0.iter().position(is_it).unwrap_or_else(|| {
            self.0
                .push((load.to_owned(), server.to_owned(), Series::default()));
            self.0.len() - 1
        });
        &mut self.0[at].2
    }

    /// What was found; nothing if the two never met.
    pub(super) fn get(&self, load: &str, server: &str) -> Series {
        let mut all = self.0.iter();
        all.find(|(l, s, _)| l == load && s == server)
            .map(|(_, _, series)| series.clone())
            .unwrap_or_default()
    }

    /// One row a load and contender, the loads together.
    pub(super) fn table(&self, title: impl Into<String>) -> Table {
        let mut table = Table::new(title, COLUMNS);
        let mut loads: Vec<&str> = Vec::new();
        for (load, ..) in &self.0 {
            if !loads.contains(&load.as_str()) {
                loads.push(load);
            }
        }
        for wanted in loads {
            for (load, server, series) in &self.0 {
                if load == wanted {
                    table.row(series.cells(load, server));
                }
            }
        }
        table
    }
}
