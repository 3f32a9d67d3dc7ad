//! What a client asks for, and of which keys.
//!
//! Owns the names of keys and which of them a request may change. Pure.

use thermocline_commands::table;

/// The number of a database and a key in it.
pub type Key = (u8, String);

/// One request: the number of the database, and its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The number of the session's database.
    pub database: u8,
    /// The command and its arguments.
    pub words: Vec<Vec<u8>>,
}

/// Which keys a request may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// These.
    Keys(Vec<Key>),
    /// All of all databases.
    Everything,
}

impl Request {
    /// A request of these words.
    pub fn new(database: u8, words: &[&[u8]]) -> Self {
        Self {
            database,
            words: words.iter().map(|word| word.to_vec()).collect(),
        }
    }

    /// For people: long words shortened.
    #[must_use]
    pub fn shown(&self) -> String {
        let words = self.words.iter().map(|word| match word.len() {
            0..=24 => word.escape_ascii().to_string(),
            bytes => format!("<{bytes} bytes>"),
        });
        let words: Vec<_> = words.collect();
        format!("[{}] {}", self.database, words.join(" "))
    }

    /// Whether it is the command of that name.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.words
            .first()
            .is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// The keys it may change.
    #[must_use]
    pub fn reach(&self) -> Reach {
        if ["FLUSHDB", "FLUSHALL", "SWAPDB"]
            .iter()
            .any(|it| self.is(it))
        {
            return Reach::Everything;
        }
        if self.is("FUNCTION") {
            return Reach::Keys(vec![libraries()]);
        }
        let ranges = table::find(&self.words)
            .map(|command| table::request_keys(command, &self.words))
            .unwrap_or_default();
        let positions = ranges.iter().flat_map(|range| range.positions());
        let names = positions.filter_map(|position| self.words.get(position));
        let names: Vec<String> = names
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect();
        // The last key of these two is in the other database; MOVE names it once.
        if let (Some(other), Some(source), Some(target)) =
            (self.other_database(), names.first(), names.last())
        {
            return Reach::Keys(vec![
                (self.database, source.clone()),
                (other, target.clone()),
            ]);
        }
        let keys = names.into_iter().map(|name| (self.database, name));
        Reach::Keys(keys.collect())
    }

    /// The other database that MOVE and COPY may name.
    fn other_database(&self) -> Option<u8> {
        let word = if self.is("MOVE") {
            self.words.get(2)
        } else if self.is("COPY") {
            let db = self.words.iter().position(|word| word == b"DB")?;
            self.words.get(db + 1)
        } else {
            None
        };
        std::str::from_utf8(word?).ok()?.parse().ok()
    }
}

/// What stands for the libraries of functions, which are no key of a database.
#[must_use]
pub fn libraries() -> Key {
    (0, "f".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(words: &str) -> Vec<String> {
        let words: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
        match Request::new(0, &words).reach() {
            Reach::Keys(keys) => keys
                .into_iter()
                .map(|(database, name)| format!("{database}:{name}"))
                .collect(),
            Reach::Everything => vec!["*".to_owned()],
        }
    }

    #[test]
    fn a_request_reaches_its_targets_in_other_databases_too() {
        assert_eq!(keys("SORT l0 ALPHA STORE l1"), ["0:l0", "0:l1"]);
        assert_eq!(keys("COPY s0 s1 DB 1"), ["0:s0", "1:s1"]);
        assert_eq!(keys("MOVE s0 1"), ["0:s0", "1:s0"]);
        assert_eq!(keys("SWAPDB 0 1"), ["*"]);
        assert_eq!(keys("FUNCTION FLUSH"), ["0:f"]);
        assert_eq!(keys("XREADGROUP GROUP g0 c0 STREAMS x0 >"), ["0:x0"]);
    }
}
