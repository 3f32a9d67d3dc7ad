//! Numbers as they are told.
//!
//! Owns their texts. Pure, but for the clock.

use std::time::{Duration, Instant};

/// So many of these: "1 key", "2 keys".
pub(crate) fn count(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// So many libraries of functions.
pub(crate) fn libraries(count: u64) -> String {
    let what = if count == 1 { "library" } else { "libraries" };
    format!("{count} {what} of functions")
}

/// How fast something was done.
pub(crate) struct Rate {
    begun: Instant,
}

impl Rate {
    pub(crate) fn start() -> Self {
        Self {
            begun: Instant::now(),
        }
    }

    /// "12.5 MB in 0.25 s, 50 MB/s".
    pub(crate) fn of(&self, bytes: u64) -> String {
        rate(bytes, self.begun.elapsed())
    }
}

fn rate(bytes: u64, elapsed: Duration) -> String {
    let megabytes = bytes as f64 / 1e6;
    let seconds = elapsed.as_secs_f64();
    let each_second = if seconds > 0.0 {
        megabytes / seconds
    } else {
        0.0
    };
    format!("{megabytes:.1} MB in {seconds:.2} s, {each_second:.0} MB/s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(1, "key"), "1 key");
        assert_eq!(count(0, "key"), "0 keys");
        let told = rate(12_500_000, Duration::from_millis(250));
        assert_eq!(told, "12.5 MB in 0.25 s, 50 MB/s");
        assert_eq!(rate(0, Duration::ZERO), "0.0 MB in 0.00 s, 0 MB/s");
    }
}
