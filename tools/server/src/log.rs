//! Where the daemon's log goes and how much of it.
//!
//! Owns the level, which an operator may change, and the output. A log file is opened for
//! every line, as Redis does, so that it can be rotated by renaming it; one descriptor is
//! kept, so that the want of descriptors can be told. Any thread.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

/// How much is logged: `loglevel`.
#[derive(Debug)]
pub(crate) struct Level(AtomicU8);

impl Level {
    /// The level of that name in a configuration.
    pub(crate) fn new(name: &str) -> Self {
        let level = Self(AtomicU8::new(0));
        level.set(name);
        level
    }

    /// Changes the level.
    pub(crate) fn set(&self, name: &str) {
        let verbosity = match name {
            "debug" => 5,
            "verbose" => 4,
            "warning" => 2,
            "nothing" => 0,
            _ => 3,
        };
        self.0.store(verbosity, Relaxed);
    }

    fn shows(&self, level: tracing::Level) -> bool {
        let verbosity = match level {
            tracing::Level::ERROR => 1,
            tracing::Level::WARN => 2,
            tracing::Level::INFO => 3,
            tracing::Level::DEBUG => 4,
            tracing::Level::TRACE => 5,
        };
        verbosity <= self.0.load(Relaxed)
    }
}

struct Output {
    level: Arc<Level>,
    /// Standard output without one.
    file: Option<PathBuf>,
    /// The log as it was opened at the start.
    kept: Option<Arc<File>>,
}

/// Where one line goes.
enum Line {
    File(File),
    Kept(Arc<File>),
    Standard(io::Stdout),
    Nowhere,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Kept(file) => file.as_ref().write(bytes),
            Self::Standard(output) => output.write(bytes),
            Self::Nowhere => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Kept(file) => file.as_ref().flush(),
            Self::Standard(output) => output.flush(),
            Self::Nowhere => Ok(()),
        }
    }
}

impl<'a> MakeWriter<'a> for Output {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        match &self.file {
            // A log that cannot be written must not stop the daemon.
            Some(path) => match (append(path), &self.kept) {
                (Ok(file), _) => Line::File(file),
                (Err(_), Some(kept)) => Line::Kept(Arc::clone(kept)),
                (Err(_), None) => Line::Nowhere,
            },
            None => Line::Standard(io::stdout()),
        }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Line {
        if self.level.shows(*metadata.level()) {
            self.make_writer()
        } else {
            Line::Nowhere
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Starts the log: to `file`, or to standard output if it is empty.
///
/// # Errors
/// A file that cannot be opened.
pub(crate) fn start(level: &str, file: &str) -> io::Result<Arc<Level>> {
    let level = Arc::new(Level::new(level));
    let file = (!file.is_empty()).then(|| PathBuf::from(file));
    let kept = file.as_deref().map(append).transpose()?.map(Arc::new);
    let colours = file.is_none() && io::stdout().is_terminal();
    let output = Output {
        level: Arc::clone(&level),
        file,
        kept,
    };
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_target(false)
        .with_ansi(colours)
        .with_writer(output)
        .finish();
    // A second start, in a test, keeps the first log.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_shows_what_is_graver() {
        for (name, shown) in [
            ("nothing", 0),
            ("warning", 2),
            ("notice", 3),
            ("verbose", 4),
            ("debug", 5),
        ] {
            let level = Level::new(name);
            let levels = [
                tracing::Level::ERROR,
                tracing::Level::WARN,
                tracing::Level::INFO,
                tracing::Level::DEBUG,
                tracing::Level::TRACE,
            ];
            let count = levels
                .into_iter()
                .filter(|other| level.shows(*other))
                .count();
            assert_eq!(count, shown, "{name}");
        }
    }
}
