//! Where and when a measurement was made.
//!
//! Owns the description that goes with every result; reads, never changes.

use crate::step::output;
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

/// The commit, marked where files differ from it.
pub(crate) fn commit() -> String {
    let described = output(Command::new("git").args(["describe", "--always", "--dirty"]));
    described.map_or_else(
        |_| "unknown".to_owned(),
        |bytes| String::from_utf8_lossy(&bytes).trim().to_owned(),
    )
}

/// Processor, cores, memory and kernel.
pub(crate) fn describe() -> Value {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    json!({
        "processor": field(&processors, "model name"),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "memory": field(&memory, "MemTotal"),
        "kernel": kernel.trim(),
    })
}

fn field<'a>(text: &'a str, name: &str) -> &'a str {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map_or("unknown", |(_, value)| value.trim())
}

/// Day and time in UTC of milliseconds since 1970, as ISO 8601 writes them.
///
/// The day is counted as H. Hinnant's "chrono-Compatible Low-Level Date
/// Algorithms" do it: years begin in March, so that the leap day comes last.
pub(crate) fn utc(unix_ms: i64) -> (String, String) {
    let seconds = unix_ms.div_euclid(1000);
    let days = seconds.div_euclid(86_400) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let of_day = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    (
        format!("{year:04}-{month:02}-{day:02}"),
        format!("{hour:02}:{minute:02}:{second:02}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_over_leap_years() {
        let at = |seconds: i64| {
            let (day, time) = utc(seconds * 1000);
            format!("{day} {time}")
        };
        assert_eq!(at(0), "1970-01-01 00:00:00");
        assert_eq!(at(951_782_399), "2000-02-28 23:59:59");
        assert_eq!(at(951_782_400), "2000-02-29 00:00:00");
        assert_eq!(at(1_709_251_200), "2024-03-01 00:00:00");
        assert_eq!(at(1_767_225_599), "2025-12-31 23:59:59");
    }
}
