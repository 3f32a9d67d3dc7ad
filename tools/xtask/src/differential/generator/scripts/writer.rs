//! Writes the text of one script.
//!
//! Owns its keys, arguments and local variables. Expressions are of the kind that their place
//! asks for, but now and then of another, so that most scripts run to their end and some fail
//! anywhere. Pure.

use crate::differential::generator::Generator;
use crate::differential::history::is_key;
use crate::differential::resp::Command;
use crate::differential::templates::scripts::{
    CONDITIONS, FAILURES, LISTS, NUMBERS, STATEMENTS, STRINGS, VALUES,
};

/// How deep expressions are nested.
const DEPTH: u32 = 3;
/// One place in this many holds a value of another kind than it asks for.
const ODD_ONE_IN: u64 = 60;
/// One script in this many has a statement that ends it.
const FAILURE_ONE_IN: u64 = 8;
/// What `sorted` is in the texts; a set of RESP3 has its members as names.
const SORTED: &str = "local function text(a) return type(a)=='table' and '' or tostring(a) end \
    local function sorted(t) if type(t)=='table' then \
    if type(t.set)=='table' then local l={} for m in pairs(t.set) do l[#l+1]=m end t=l end \
    table.sort(t,function(a,b) return text(a)<text(b) end) end return t end ";

/// See the module.
pub(super) struct Writer<'g> {
    generator: &'g mut Generator,
    /// What its keys and arguments are called.
    names: [&'static str; 2],
    pub(super) keys: Vec<Vec<u8>>,
    pub(super) arguments: Vec<Vec<u8>>,
    /// Local variables that have been declared, and how many of them can be seen.
    locals: u64,
    visible: Vec<u64>,
}

impl<'g> Writer<'g> {
    pub(super) fn new(generator: &'g mut Generator, is_function: bool) -> Self {
        let names = if is_function {
            ["keys", "args"]
        } else {
            ["KEYS", "ARGV"]
        };
        let mut keys = Vec::new();
        let mut arguments = Vec::new();
        for _ in 0..generator.random.below(3) {
            keys.push(generator.word("key"));
            arguments.push(generator.word("val"));
        }
        Self {
            generator,
            names,
            keys,
            arguments,
            locals: 0,
            visible: Vec::new(),
        }
    }

    /// Statements and what they return.
    pub(super) fn body(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..self.below(4) {
            text.push_str(&self.one_of(STATEMENTS, DEPTH));
            text.push_str([" ", ";", "\n"][self.below(3) as usize]);
        }
        if self.generator.random.chance(FAILURE_ONE_IN) {
            // Whatever comes after a return has to be in another block.
            let failure = self.one_of(FAILURES, DEPTH);
            text.push_str(&format!("do {failure} end "));
        }
        if !self.generator.random.chance(12) {
            text.push_str("return ");
            text.push_str(&self.one_of(VALUES, DEPTH));
        }
        if text.contains("sorted(") {
            text.insert_str(0, SORTED);
        }
        text
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.generator.random.below(bound)
    }

    /// One of the texts, its parts written. Near the end of the depth only those without
    /// parts are taken, which stand first.
    fn one_of(&mut self, texts: &[&'static str], depth: u32) -> String {
        let ends = texts.iter().take_while(|text| !text.contains('$')).count();
        let count = if depth == 0 && ends > 0 {
            ends
        } else {
            texts.len()
        };
        let at = self.below(count as u64) as usize;
        self.write(texts[at], depth.saturating_sub(1))
    }

    fn write(&mut self, text: &str, depth: u32) -> String {
        let mut out = String::new();
        let mut new_local = None;
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            if letter != '$' {
                out.push(letter);
                continue;
            }
            let part = letters.next().unwrap_or_default();
            if !part.is_alphabetic() {
                // The end of a pattern of Lua.
                out.extend([letter, part]);
            } else if part == 'L' {
                let number = *new_local.get_or_insert_with(|| {
                    self.locals += 1;
                    self.locals
                });
                out.push_str(&format!("v{number}"));
            } else {
                out.push_str(&self.part(part, depth));
            }
        }
        self.visible.extend(new_local);
        out
    }

    fn part(&mut self, part: char, depth: u32) -> String {
        let is_odd =
            matches!(part, 'n' | 'i' | 's' | 't') && self.generator.random.chance(ODD_ONE_IN);
        match if is_odd { 'w' } else { part } {
            'n' => self.one_of(NUMBERS, depth),
            'i' => (self.below(9) as i64 - 2).to_string(),
            's' => match self.below(4) {
                0 => self.key(),
                1 => self.argument(),
                _ => self.one_of(STRINGS, depth),
            },
            't' => self.one_of(LISTS, depth),
            'b' => self.one_of(CONDITIONS, depth),
            'v' => self.one_of(VALUES, depth),
            'w' => {
                let odd = [
                    "nil",
                    "true",
                    "{}",
                    "'abc'",
                    "1",
                    "'10'",
                    "{1}",
                    "cjson.null",
                ];
                odd[self.below(odd.len() as u64) as usize].to_owned()
            }
            'x' => {
                // What is declared within can not be seen after it.
                let seen = self.visible.len();
                let text = if depth == 0 {
                    self.call(false)
                } else {
                    self.one_of(&STATEMENTS[..4], depth - 1)
                };
                self.visible.truncate(seen);
                text
            }
            'c' => self.call(false),
            'o' => self.call(true),
            'l' => match self.visible.len() as u64 {
                0 => "nil".to_owned(),
                count => format!(
                    "v{}",
                    self.visible[self.generator.random.below(count) as usize]
                ),
            },
            'k' => self.key(),
            'a' => self.argument(),
            'K' => self.names[0].to_owned(),
            'A' => self.names[1].to_owned(),
            other => panic!("no part is named {other}"),
        }
    }

    /// One of the keys, or one that is not there.
    fn key(&mut self) -> String {
        let at = 1 + self.below(self.keys.len().max(1) as u64);
        format!("{}[{at}]", self.names[0])
    }

    fn argument(&mut self) -> String {
        let at = 1 + self.below(self.arguments.len().max(1) as u64);
        format!("{}[{at}]", self.names[1])
    }

    /// A call of a command: its words are keys, arguments, numbers and strings.
    fn call(&mut self, is_unordered: bool) -> String {
        let made = self.generator.within_script(is_unordered);
        let name = if self.generator.random.chance(4) {
            "pcall"
        } else {
            "call"
        };
        // A function is called with other keys and arguments than it was written with.
        let may_refer = self.names[0] == "KEYS" && !must_stand(&made);
        let words: Vec<String> = made
            .iter()
            .map(|word| self.given(word, may_refer))
            .collect();
        format!("redis.{name}({})", words.join(","))
    }

    fn given(&mut self, word: &[u8], may_refer: bool) -> String {
        if may_refer && is_key(word) && self.generator.random.chance(2) {
            self.keys.push(word.to_vec());
            return format!("{}[{}]", self.names[0], self.keys.len());
        }
        let text = std::str::from_utf8(word).unwrap_or_default();
        let is_number = text
            .parse::<i32>()
            .is_ok_and(|number| number.to_string() == text);
        if is_number && self.generator.random.chance(2) {
            return text.to_owned();
        }
        if may_refer && self.generator.random.chance(4) {
            self.arguments.push(word.to_vec());
            return format!("{}[{}]", self.names[1], self.arguments.len());
        }
        quoted(word)
    }
}

/// Whether each word must be the one chosen whatever arguments the script gets: others would
/// expire soon, draw by chance, or do what nobody wants.
fn must_stand(command: &Command) -> bool {
    const NAMES: [&[u8]; 5] = [b"spop", b"lset", b"xautoclaim", b"restore", b"sort"];
    let name = command[0].to_ascii_lowercase();
    // EXPIRE, SETEX, HGETEX and their kin.
    let is_named_so = name.windows(2).any(|pair| pair == b"ex");
    let is_of_time = command.iter().any(|word| {
        let words: [&[u8]; 4] = [b"ex", b"px", b"exat", b"pxat"];
        words.iter().any(|other| word.eq_ignore_ascii_case(other))
    });
    is_named_so
        || is_of_time
        || NAMES.contains(&name.as_slice())
        || command.iter().any(|word| word.starts_with(b"lex:"))
}

/// As a string of Lua.
fn quoted(word: &[u8]) -> String {
    let mut text = String::from("'");
    for byte in word {
        match byte {
            b'\'' | b'\\' => {
                text.push('\\');
                text.push(char::from(*byte));
            }
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => text.push_str(&format!("\\{byte:03}")),
        }
    }
    text.push('\'');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differential::resp::command;

    #[test]
    fn any_bytes_are_a_string_of_lua() {
        assert_eq!(quoted(b"a'b\\c\0\n\xff1"), r"'a\'b\\c\000\010\2551'");
    }

    #[test]
    fn what_would_expire_or_draw_stands_as_it_is() {
        for line in [
            "setex k 5 v",
            "set k v PX 5",
            "hpexpire h 5",
            "spop t 1",
            "zadd lex:1 0 a",
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            assert!(must_stand(&command(&words)), "{line}");
        }
        assert!(!must_stand(&command(&["set", "k", "v"])));
    }
}
