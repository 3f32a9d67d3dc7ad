//! Templates of commands: words, slots for random ones, choices, repetition.
//!
//! Owns the template language. Does not know what fills a slot. Pure.
//!
//! A template is words parted by spaces. `$name` is a slot; `[ … ]` is there or
//! not; `( … | … )` is one of several; `{ … }` is there one to four times;
//! `#{ … }` is too, with the number of times before it. Anything else stands
//! for itself.

use super::resp::Command;
use thermocline_base::Random;

/// Most times a part is repeated.
const REPEATS: u64 = 4;

/// A part of a template.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Word(&'static str),
    Slot(&'static str),
    Optional(Vec<Part>),
    Choice(Vec<Vec<Part>>),
    Repeat { counted: bool, parts: Vec<Part> },
}

/// What a command is made from.
#[derive(Debug)]
pub(super) struct Template {
    parts: Vec<Part>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Panics
    /// If it is malformed: templates are part of the program.
    pub(super) fn new(text: &'static str) -> Self {
        let mut words = text.split_ascii_whitespace();
        let (parts, closing) = sequence(&mut words);
        assert!(closing.is_none(), "too many brackets: {text}");
        Self { parts }
    }

    /// A command: choices are made by `random`, slots filled by `fill`.
    pub(super) fn expand(
        &self,
        random: &mut Random,
        fill: &mut dyn FnMut(&mut Random, &str) -> Vec<u8>,
    ) -> Command {
        let mut command = Vec::new();
        expand(&self.parts, random, fill, &mut command);
        command
    }
}

/// Parts up to a closing word, which is given too.
fn sequence(words: &mut dyn Iterator<Item = &'static str>) -> (Vec<Part>, Option<&'static str>) {
    let mut parts = Vec::new();
    while let Some(word) = words.next() {
        parts.push(match word {
            "]" | ")" | "}" | "|" => return (parts, Some(word)),
            "[" => Part::Optional(closed(words, "]")),
            "{" | "#{" => Part::Repeat {
                counted: word == "#{",
                parts: closed(words, "}"),
            },
            "(" => {
                let mut choices = Vec::new();
                loop {
                    let (choice, closing) = sequence(words);
                    choices.push(choice);
                    match closing {
                        Some("|") => {}
                        Some(")") => break,
                        other => panic!("a choice ends with {other:?}"),
                    }
                }
                Part::Choice(choices)
            }
            word => match word.strip_prefix('$') {
                Some(name) => Part::Slot(name),
                None => Part::Word(word),
            },
        });
    }
    (parts, None)
}

fn closed(words: &mut dyn Iterator<Item = &'static str>, with: &str) -> Vec<Part> {
    let (parts, closing) = sequence(words);
    assert_eq!(closing, Some(with), "unbalanced brackets");
    parts
}

fn expand(
    parts: &[Part],
    random: &mut Random,
    fill: &mut dyn FnMut(&mut Random, &str) -> Vec<u8>,
    command: &mut Command,
) {
    for part in parts {
        match part {
            Part::Word(word) => command.push(word.as_bytes().to_vec()),
            Part::Slot(name) => {
                let word = fill(random, name);
                command.push(word);
            }
            Part::Optional(parts) => {
                if random.chance(2) {
                    expand(parts, random, fill, command);
                }
            }
            Part::Choice(choices) => {
                let choice = random.below(choices.len() as u64) as usize;
                expand(&choices[choice], random, fill, command);
            }
            Part::Repeat { counted, parts } => {
                let times = 1 + random.below(REPEATS);
                if *counted {
                    command.push(times.to_string().into_bytes());
                }
                for _ in 0..times {
                    expand(parts, random, fill, command);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differential::resp::shown;
    use std::collections::BTreeSet;

    fn expansions(text: &'static str) -> BTreeSet<String> {
        let template = Template::new(text);
        let mut random = Random::new(1);
        let mut fill = |_: &mut Random, name: &str| name.as_bytes().to_vec();
        (0..200)
            .map(|_| shown(&template.expand(&mut random, &mut fill)))
            .collect()
    }

    #[test]
    fn every_way_through_a_template_is_taken() {
        let found = expansions("set $key [ ( nx | ex $ttl ) ]");
        let expected = ["set key", "set key ex ttl", "set key nx"];
        assert_eq!(
            found.iter().map(String::as_str).collect::<Vec<_>>(),
            expected
        );
        let found = expansions("hget #{ $f v }");
        let expected = [
            "hget 1 f v",
            "hget 2 f v f v",
            "hget 3 f v f v f v",
            "hget 4 f v f v f v f v",
        ];
        assert_eq!(
            found.iter().map(String::as_str).collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    #[should_panic(expected = "unbalanced")]
    fn unbalanced_templates_are_refused() {
        Template::new("set [ a )");
    }
}
