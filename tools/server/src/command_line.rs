//! The command line of the daemon.
//!
//! Owns the options that only print; the rest is a configuration file and directives, which
//! `config_file` splits. The main thread.

use std::path::PathBuf;

use crate::config_file::{self, ConfigError, Directive};

const HELP: &str = "\
Usage: thermocline [/path/to/redis.conf | -] [--directive value ...]
       thermocline -v | --version
       thermocline -h | --help

A Redis-compatible server whose data set may be larger than its memory.
With '-' the configuration is read from standard input. Directives given on the
command line come after those of the file.

Directives beside those of a redis.conf, with their defaults:
  --dir ./thermocline-data     the data directory, made if it is missing
  --tier yes                   whether values may sink to the SSD
  --tier-max-bytes 0           what they may take there; 0: four fifths of what is free
  --maxmemory 0                what the process may take; with a tier 0 means half of the
                               machine's or the control group's memory, without one no limit
  --io-backend auto            io_uring where it is allowed, otherwise posix
  --io-threads N               all cores
  --checkpoint-wal-bytes 256mb     log after which a checkpoint begins
  --wal-retention 0                bytes of log kept beyond what a start needs
  --wal-retention-seconds 0        and how far back it is kept, to restore a moment
  --checkpoint-interval-ms 60000   time with changes after which one begins

Defaults that differ from Redis's: appendonly yes (appendfsync everysec), no save points,
client-output-buffer-limit normal 1gb 256mb 60.

Examples:
  thermocline --port 7777 --maxmemory 2gb --dir /var/lib/thermocline
  thermocline /etc/redis.conf --appendfsync always";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// A text, and no more.
    Print(String),
    /// The daemon.
    Serve {
        /// The configuration file; `-` is standard input.
        path: Option<PathBuf>,
        directives: Vec<Directive>,
    },
}

/// Reads the command line, without the program's name.
///
/// # Errors
/// Words that are neither a file nor a directive.
pub(crate) fn read(arguments: &[String]) -> Result<Request, ConfigError> {
    match arguments.first().map(String::as_str) {
        Some("-v" | "--version") => {
            let version = env!("CARGO_PKG_VERSION");
            return Ok(Request::Print(format!("Thermocline server v={version}")));
        }
        Some("-h" | "--help") => return Ok(Request::Print(HELP.to_owned())),
        _ => {}
    }
    let (path, directives) = config_file::command_line(arguments)?;
    Ok(Request::Serve { path, directives })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_print_come_first() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(
            matches!(read(&words("--version")), Ok(Request::Print(text)) if text.contains("v="))
        );
        assert!(matches!(read(&words("-h")), Ok(Request::Print(text)) if text.contains("Usage")));
        let Ok(Request::Serve { path, directives }) = read(&words("- --port 7")) else {
            panic!("a daemon is asked for");
        };
        assert_eq!(path, Some(PathBuf::from("-")));
        assert_eq!(directives.len(), 1);
        assert!(read(&words("a b")).is_err());
    }
}
