//! Running the program, and looking at what it left.

use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// What a run has ended with.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    pub(crate) messages: String,
}

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_thermocline-dump");

pub(crate) fn run(arguments: &[&str]) -> Ended {
    ended(Command::new(PROGRAM).args(arguments))
}

/// Runs a command to its end.
pub(crate) fn ended(command: &mut Command) -> Ended {
    let ended = command.output().expect("the program starts");
    Ended {
        code: ended.status.code(),
        output: String::from_utf8(ended.stdout).expect("text"),
        messages: String::from_utf8(ended.stderr).expect("text"),
    }
}

/// Runs and expects success.
pub(crate) fn done(arguments: &[&str]) -> Ended {
    let ended = run(arguments);
    assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.messages);
    ended
}

/// A place for a data directory and files beside it.
pub(crate) struct Place {
    root: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().expect("a directory");
        Self { root }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        text(&self.path(name))
    }

    /// Writes a file of lines; its path.
    pub(crate) fn file(&self, name: &str, lines: &[String]) -> String {
        let path = self.path(name);
        let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(&path, lines).expect("it can be written");
        text(&path)
    }

    /// Writes an append-only file; its path.
    pub(crate) fn requests(&self, name: &str, requests: &[String]) -> String {
        let path = self.path(name);
        std::fs::write(&path, requests.concat()).expect("it can be written");
        text(&path)
    }

    /// A data directory with the keys of `lines`; its path.
    pub(crate) fn with(lines: &[String]) -> (Self, String) {
        let place = Self::new();
        let file = place.file("input.jsonl", lines);
        let directory = place.text("data");
        done(&["restore", &directory, &file]);
        (place, directory)
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("a plain path").to_owned()
}

/// The lines of a dump, sorted, as keys come in no order.
pub(crate) fn sorted(output: &str) -> Vec<String> {
    let mut lines: Vec<_> = output.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

pub(crate) fn dumped(directory: &str, more: &[&str]) -> Vec<String> {
    let arguments = [&["dump", directory], more].concat();
    sorted(&done(&arguments).output)
}

pub(crate) fn string(key: &str, value: &str) -> String {
    format!(r#"{{"db":0,"key":"{key}","type":"string","value":"{value}"}}"#)
}

/// A request of an append-only file.
pub(crate) fn request(words: &[&str]) -> String {
    let words = words
        .iter()
        .map(|word| format!("${}\r\n{word}\r\n", word.len()));
    let count = words.len();
    format!("*{count}\r\n{}", words.collect::<String>())
}
