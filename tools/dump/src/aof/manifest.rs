//! Which append-only files make up a data set, in which order.
//!
//! Owns the manifest's lines. INVARIANT: a file that a manifest names stands
//! beside it: its name is a name, not a path.

use crate::failure::Failure;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The largest manifest that is read, in bytes.
const MANIFEST_MAX_BYTES: u64 = 1 << 20;
const MANIFEST_ENDING: &str = ".manifest";

/// A file to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AofFile {
    /// Where it is.
    pub path: PathBuf,
}

/// The files to read, in order: those that the manifest names which `path` is or
/// which stands in the directory `path`; else `path` itself.
///
/// # Errors
/// What cannot be read, and a manifest that is none.
pub fn find_files(path: &Path) -> Result<Vec<AofFile>, Failure> {
    let failed = |path: &Path, source| Failure::File {
        path: path.to_owned(),
        source,
    };
    let is_manifest = |path: &Path| path.to_string_lossy().ends_with(MANIFEST_ENDING);
    let manifest = if path.is_dir() {
        let mut found = Vec::new();
        for entry in path.read_dir().map_err(|error| failed(path, error))? {
            let entry = entry.map_err(|error| failed(path, error))?.path();
            if is_manifest(&entry) {
                found.push(entry);
            }
        }
        match <[PathBuf; 1]>::try_from(found) {
            Ok([manifest]) => manifest,
            Err(found) => {
                return Err(Failure::NoData {
                    directory: path.to_owned(),
                    reason: if found.is_empty() {
                        "no file of its name ends with .manifest"
                    } else {
                        "several files end with .manifest: name one"
                    },
                });
            }
        }
    } else if is_manifest(path) {
        path.to_owned()
    } else {
        return Ok(vec![AofFile {
            path: path.to_owned(),
        }]);
    };
    let size_bytes = fs::metadata(&manifest).map_err(|error| failed(&manifest, error))?;
    if size_bytes.len() > MANIFEST_MAX_BYTES {
        let reason = format!("a manifest of over {MANIFEST_MAX_BYTES} bytes");
        return Err(Failure::Line { line: 1, reason });
    }
    let text = fs::read_to_string(&manifest).map_err(|error| failed(&manifest, error))?;
    let directory = manifest.parent().unwrap_or(Path::new("."));
    let files = parse(&text).map_err(|(line, reason)| Failure::Line { line, reason })?;
    files
        .into_iter()
        .map(|name| {
            let path = directory.join(name);
            // A name that the content gives leads nowhere else.
            let metadata = path.symlink_metadata();
            if metadata.map_err(|error| failed(&path, error))?.is_file() {
                return Ok(AofFile { path });
            }
            let reason = "the manifest names it, and it is no plain file";
            Err(failed(&path, io::Error::other(reason)))
        })
        .collect()
}

/// The names of the files to read, the base first; or in which line what is
/// wrong.
fn parse(text: &str) -> Result<Vec<String>, (u64, String)> {
    let mut base = None;
    let mut incremental: Vec<(u64, String)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let refuse = |reason: &str| Err((number, reason.to_owned()));
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some(words) = words(line) else {
            return refuse("a quote is not closed");
        };
        let (mut file, mut sequence, mut kind) = (None, None, None);
        for pair in words.chunks(2) {
            match pair {
                [name, value] if name == "file" => file = Some(value.clone()),
                [name, value] if name == "seq" => sequence = value.parse::<u64>().ok(),
                [name, value] if name == "type" => kind = Some(value.clone()),
                // Later versions add more: offsets to start and end at.
                [name, _] if name == "startoffset" || name == "endoffset" => {}
                _ => return refuse("not pairs of file, seq, type and their values"),
            }
        }
        let (Some(file), Some(sequence), Some(kind)) = (file, sequence, kind) else {
            return refuse("a line has a file, a seq and a type");
        };
        if file.contains('/') || file.is_empty() || file == ".." || file == "." {
            return refuse("the file is no name of a file beside the manifest");
        }
        match kind.as_str() {
            "b" if base.is_some() => return refuse("a second base"),
            "b" => base = Some(file),
            "i" => match incremental.last() {
                Some((last, _)) if *last >= sequence => {
                    return refuse("the numbers of incremental files do not ascend");
                }
                _ => incremental.push((sequence, file)),
            },
            "h" => {}
            _ => return refuse("a type that is neither b, i nor h"),
        }
    }
    if base.is_none() && incremental.is_empty() {
        return Err((1, "the manifest names no file".to_owned()));
    }
    let incremental = incremental.into_iter().map(|(_, file)| file);
    Ok(base.into_iter().chain(incremental).collect())
}

/// The words of a line; one in quotes may hold spaces. Escapes other than of
/// quotes and backslashes do not occur in names the servers choose.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut characters = line.chars().peekable();
    loop {
        while characters.next_if(char::is_ascii_whitespace).is_some() {}
        let Some(first) = characters.next() else {
            return Some(words);
        };
        let mut word = String::new();
        if first == '"' {
            loop {
                match characters.next()? {
                    '"' => break,
                    '\\' => word.push(characters.next()?),
                    other => word.push(other),
                }
            }
        } else {
            word.push(first);
            while let Some(next) = characters.next_if(|it| !it.is_ascii_whitespace()) {
                word.push(next);
            }
        }
        words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_comes_first_and_history_not_at_all() {
        let text = "file a.1.incr.aof seq 1 type i\nfile a.1.base.rdb seq 1 type b\n\
            file old.rdb seq 0 type h\nfile \"a b\\\".aof\" seq 2 type i startoffset 10\n";
        let expected = ["a.1.base.rdb", "a.1.incr.aof", "a b\".aof"];
        assert_eq!(parse(text), Ok(expected.map(str::to_owned).to_vec()));
    }

    #[test]
    fn what_is_no_manifest_is_refused_with_its_line() {
        for (text, line) in [
            ("", 1),
            ("file a seq 1 type b\nfile b seq 1 type b", 2),
            ("file ../a seq 1 type b", 1),
            ("file a seq x type b", 1),
            ("file a seq 1", 1),
            ("file a seq 1 type z", 1),
            ("file a seq 2 type i\n\nfile b seq 2 type i", 3),
            ("file \"a seq 1 type b", 1),
            ("nonsense", 1),
        ] {
            let refused = parse(text).map_err(|(line, _)| line);
            assert_eq!(refused, Err(line), "{text}");
        }
    }
}
