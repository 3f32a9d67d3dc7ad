//! What the disk can do by itself: random 4 KiB reads past the page cache.
//!
//! Owns the call of fio and the reading of its report. Reads the tier's own
//! files and never writes to them.

use crate::bench::BenchError;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// fio opens them all at once.
const FILES: usize = 64;

/// What fio measured.
pub(super) struct DiskReads {
    pub(super) per_second: f64,
    pub(super) p99_us: f64,
    /// The engine that worked.
    pub(super) engine: &'static str,
}

/// Whether fio can be run at all, asked before hours of filling.
pub(super) fn check() -> Result<(), BenchError> {
    let version = Command::new("fio").arg("--version").output();
    match version {
        Ok(output) if output.status.success() => Ok(()),
        _ => Err(BenchError::Fio(
            "fio is missing: install the Debian package fio (apt-get install fio)".to_owned(),
        )),
    }
}

/// The tier's segment files under a data directory, at most 64.
pub(super) fn segment_files(data: &Path) -> Result<Vec<PathBuf>, BenchError> {
    let mut files: Vec<PathBuf> = fs::read_dir(data.join("tier"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|kind| kind == "segment"))
        .collect();
    files.sort();
    files.truncate(FILES);
    if files.is_empty() {
        return Err(BenchError::Unexpected(format!(
            "no segment files in {}: nothing has sunk",
            data.display()
        )));
    }
    Ok(files)
}

/// Reads for `duration` with `depth` reads on the way.
pub(super) fn random_reads(
    files: &[PathBuf],
    depth: usize,
    duration: Duration,
) -> Result<DiskReads, BenchError> {
    let mut refusal = String::new();
    for engine in ["io_uring", "libaio"] {
        let names: Vec<_> = files.iter().map(|file| file.to_string_lossy()).collect();
        let output = Command::new("fio")
            .args(["--name=cold", "--rw=randread", "--bs=4k", "--direct=1"])
            .args(["--readonly", "--time_based", "--output-format=json"])
            .arg(format!("--filename={}", names.join(":")))
            .arg(format!("--ioengine={engine}"))
            .arg(format!("--iodepth={depth}"))
            .arg(format!("--runtime={}", duration.as_secs().max(1)))
            .output()?;
        if output.status.success() {
            return read_report(&output.stdout, engine);
        }
        refusal = String::from_utf8_lossy(&output.stderr).into_owned();
    }
    Err(BenchError::Fio(format!("fio failed: {}", refusal.trim())))
}

fn read_report(bytes: &[u8], engine: &'static str) -> Result<DiskReads, BenchError> {
    // Notes may stand before the object.
    let begin = bytes.iter().position(|&byte| byte == b'{').unwrap_or(0);
    let report: Value = serde_json::from_slice(bytes.get(begin..).unwrap_or_default())
        .map_err(|error| BenchError::Fio(format!("fio's report is not JSON: {error}")))?;
    let read = |pointer: &str| {
        let value = report.pointer(pointer).and_then(Value::as_f64);
        value.ok_or_else(|| BenchError::Fio(format!("fio's report has no {pointer}")))
    };
    Ok(DiskReads {
        per_second: read("/jobs/0/read/iops")?,
        p99_us: read("/jobs/0/read/clat_ns/percentile/99.000000")? / 1000.0,
        engine,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_found_behind_notes() {
        let report = br#"note: something
{"jobs":[{"read":{"iops":1250.5,"clat_ns":{"percentile":{"99.000000":81000}}}}]}"#;
        let reads = read_report(report, "io_uring").expect("a report");
        assert_eq!((reads.per_second, reads.p99_us), (1250.5, 81.0));
        assert!(read_report(b"{}", "io_uring").is_err());
    }
}
