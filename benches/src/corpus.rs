//! Real text for values: the glosses of WordNet.
//!
//! Owns where the text lies and how a document is made of it: JSON, the same
//! field names in each, as an application's records are. Does not own which
//! key gets which document. Read-only after loading, shared by all threads.

use std::fs;
use std::path::{Path, PathBuf};
use thermocline_base::Random;
use thiserror::Error;

/// Where Debian's package puts it.
pub const WORDNET_DIRECTORY: &str = "/usr/share/wordnet";

/// The text could not be had.
#[derive(Debug, Error)]
#[error("no text for the values in {path}: {source}; install the Debian package wordnet-base")]
pub struct CorpusError {
    path: PathBuf,
    source: std::io::Error,
}

/// The entries, each a JSON object of about 130 bytes.
pub struct Corpus {
    text: Vec<u8>,
    /// Where each entry ends in `text`.
    ends: Vec<usize>,
}

impl Corpus {
    /// Reads the dictionary in `directory`.
    ///
    /// # Errors
    /// A file that is missing or has no entries.
    pub fn load(directory: &Path) -> Result<Self, CorpusError> {
        let mut corpus = Self {
            text: Vec::new(),
            ends: Vec::new(),
        };
        for part in ["noun", "verb", "adj", "adv"] {
            let path = directory.join(format!("data.{part}"));
            let read = fs::read_to_string(&path);
            let text = read.map_err(|source| CorpusError { path, source })?;
            // The licence at the top is indented.
            for line in text.lines().filter(|line| !line.starts_with(' ')) {
                corpus.add(part, line);
            }
        }
        if corpus.ends.is_empty() {
            let source = std::io::Error::other("the files have no entries");
            let path = directory.to_owned();
            return Err(CorpusError { path, source });
        }
        Ok(corpus)
    }

    /// A line is `offset file kind count word … | gloss`.
    fn add(&mut self, part: &str, line: &str) {
        let Some((head, gloss)) = line.split_once('|') else {
            return;
        };
        let Some(word) = head.split_whitespace().nth(4) else {
            return;
        };
        let entry = format!(
            r#"{{"word":"{}","part":"{part}","gloss":"{}"}}"#,
            escaped(word),
            escaped(gloss.trim())
        );
        self.text.extend_from_slice(entry.as_bytes());
        self.ends.push(self.text.len());
    }

    /// Appends a document of about `bytes` bytes: `head`, which opens the
    /// object, and entries that `random` chooses.
    pub fn write_document(&self, head: &str, bytes: usize, random: &mut Random, out: &mut Vec<u8>) {
        let begin = out.len();
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(br#","entries":["#);
        loop {
            out.extend_from_slice(self.entry(random));
            // Half an entry short is nearer than one too many.
            if out.len() - begin + 64 >= bytes {
                break;
            }
            out.push(b',');
        }
        out.extend_from_slice(b"]}");
    }

    fn entry(&self, random: &mut Random) -> &[u8] {
        let index = random.below(self.ends.len() as u64) as usize;
        let begin = match index.checked_sub(1) {
            Some(before) => self.ends.get(before).copied().unwrap_or_default(),
            None => 0,
        };
        let end = self.ends.get(index).copied().unwrap_or(begin);
        self.text.get(begin..end).unwrap_or_default()
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', r#"\""#)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Corpus {
        let directory = tempfile::tempdir().expect("a directory");
        for part in ["noun", "verb", "adj", "adv"] {
            let text = format!(
                "  1 A licence\n00000001 03 n 01 {part}_word 0 001 @ 1 n 0 | what a {part} is; \"so it is\"  \n"
            );
            fs::write(directory.path().join(format!("data.{part}")), text).expect("written");
        }
        Corpus::load(directory.path()).expect("a corpus")
    }

    #[test]
    fn documents_are_of_the_size_asked_for_and_repeat() {
        let corpus = small();
        assert_eq!(corpus.ends.len(), 4);
        let mut documents = Vec::new();
        for _ in 0..2 {
            let mut out = Vec::new();
            corpus.write_document(r#"{"key":"k""#, 1024, &mut Random::new(7), &mut out);
            documents.push(out);
        }
        assert_eq!(documents[0], documents[1]);
        assert!((900..1150).contains(&documents[0].len()));
        let text = String::from_utf8(documents.remove(0)).expect("text");
        assert!(
            text.starts_with(r#"{"key":"k","entries":[{"word":""#),
            "{text}"
        );
        assert!(text.ends_with(r#"; \"so it is\""}]}"#), "{text}");
    }

    #[test]
    fn a_missing_dictionary_says_what_to_install() {
        let error = Corpus::load(Path::new("/nowhere")).err().expect("an error");
        assert!(error.to_string().contains("wordnet-base"), "{error}");
    }
}
