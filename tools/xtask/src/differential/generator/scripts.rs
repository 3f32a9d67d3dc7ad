//! Makes the commands of scripts: random texts of Lua around random commands, libraries of
//! functions, and what calls and lists them.
//!
//! Owns the digests of the last scripts sent. A script has one answer only: its commands are
//! those whose replies are compared byte for byte, and where their elements have no order it
//! sorts them. Pure.

mod writer;

use super::Generator;
use super::is_comparable;
use crate::differential::compare::{is_exact, is_unordered};
use crate::differential::grammar::Template;
use crate::differential::resp::{Command, command};
use crate::differential::templates::scripts::{BROKEN, HEADS, OTHERS, REGISTRATIONS};
use sha1::{Digest, Sha1};
use std::collections::VecDeque;
use thermocline_base::Random;
use writer::Writer;

/// Scripts whose digests are remembered.
const REMEMBERED: usize = 30;
/// Libraries, and functions of each.
const LIBRARIES: u64 = 4;
/// Commands that a script does not send: they concern the connection or the server, or their
/// reply is explained by the command's name, or they cannot be taken back.
const NOT_SCRIPTED: [&[u8]; 17] = [
    b"client",
    b"config",
    b"flushall",
    b"flushdb",
    b"swapdb",
    b"object",
    b"pfdebug",
    b"pfselftest",
    b"waitaof",
    b"wait",
    b"debug",
    b"latency",
    b"slowlog",
    b"commandlog",
    b"memory",
    b"pubsub",
    b"command",
];

/// What is remembered of the scripts sent.
pub(super) struct Scripts {
    others: Vec<(u64, Template)>,
    total_weight: u64,
    digests: VecDeque<Vec<u8>>,
}

impl Scripts {
    pub(super) fn new() -> Self {
        let others = OTHERS.iter();
        let others: Vec<_> = others
            .map(|(weight, text)| (*weight, Template::new(text)))
            .collect();
        Self {
            total_weight: others.iter().map(|(weight, _)| weight).sum(),
            others,
            digests: VecDeque::new(),
        }
    }

    fn remember(&mut self, text: &[u8]) {
        if self.digests.len() == REMEMBERED {
            self.digests.pop_front();
        }
        let digest = Sha1::digest(text);
        let hex = digest.iter().map(|byte| format!("{byte:02x}"));
        self.digests.push_back(hex.collect::<String>().into_bytes());
    }

    fn digest(&self, random: &mut Random) -> Vec<u8> {
        let at = random.below(self.digests.len() as u64 + 1) as usize;
        match self.digests.get(at) {
            Some(digest) => digest.clone(),
            None => b"e0e1f9fabfc9d4800c877a703b823ac0578ff8db".to_vec(),
        }
    }
}

impl Generator {
    /// A command of scripts.
    pub(in super::super) fn scripted(&mut self) -> Command {
        match self.random.below(20) {
            0..=9 => self.eval(),
            10 => {
                let text = self.script().0;
                vec![b"script".to_vec(), b"load".to_vec(), text]
            }
            11..=12 => self.load(),
            _ => self.other(),
        }
    }

    fn eval(&mut self) -> Command {
        let (text, keys, arguments) = self.script();
        let name = if self.random.chance(6) {
            "eval_ro"
        } else {
            "eval"
        };
        let mut made = command(&[name.as_bytes(), &text, keys.len().to_string().as_bytes()]);
        made.extend(keys);
        made.extend(arguments);
        made
    }

    /// A script, its keys and its arguments.
    fn script(&mut self) -> (Vec<u8>, Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let mut text = String::new();
        if self.random.chance(8) {
            text.push_str(HEADS[self.random.below(HEADS.len() as u64) as usize]);
        }
        let mut writer = Writer::new(self, false);
        let body = writer.body();
        let (keys, arguments) = (writer.keys, writer.arguments);
        text.push_str(&body);
        if self.random.chance(40) {
            text.push(' ');
            text.push_str(BROKEN[self.random.below(BROKEN.len() as u64) as usize]);
        }
        self.scripts.remember(text.as_bytes());
        (text.into_bytes(), keys, arguments)
    }

    /// FUNCTION LOAD. A library's functions are its own, so that names seldom collide.
    fn load(&mut self) -> Command {
        let library = self.random.below(LIBRARIES);
        let mut text = match self.random.below(25) {
            0 => "#!lua\n".to_owned(),
            1 => "#!lua name=a-b\n".to_owned(),
            2 => format!("#!nosuch name=lib{library}\n"),
            3 => String::new(),
            4 => format!("#!lua name=lib{library} name=lib{library}\n"),
            5 => format!("#!lua nosuch=1 name=lib{library}\n"),
            _ => format!("#!lua name=lib{library}\n"),
        };
        for number in 0..1 + self.random.below(2) {
            let owner = if self.random.chance(12) {
                self.random.below(LIBRARIES)
            } else {
                library
            };
            let form = if self.random.chance(6) {
                self.random.below(REGISTRATIONS.len() as u64)
            } else {
                self.random.below(7)
            };
            let body = Writer::new(self, true).body();
            let form = REGISTRATIONS[form as usize];
            let form = form.replace("$f", &format!("f{owner}{number}"));
            text.push_str(&form.replace("$B", &body));
        }
        let mut made = command(&["function", "load"]);
        if !self.random.chance(5) {
            made.push(b"replace".to_vec());
        }
        made.push(text.into_bytes());
        made
    }

    fn other(&mut self) -> Command {
        let mut left = self.random.below(self.scripts.total_weight);
        let (scripts, now) = (&self.scripts, self.now);
        let mut fill = |random: &mut Random, slot: &str| match slot {
            "sha" => scripts.digest(random),
            "lib" => format!("lib{}", random.below(LIBRARIES)).into_bytes(),
            "fn" => format!("f{}{}", random.below(LIBRARIES), random.below(2)).into_bytes(),
            slot => super::fill(random, slot, now),
        };
        for (weight, template) in &scripts.others {
            if left < *weight {
                return template.expand(&mut self.random, &mut fill);
            }
            left -= weight;
        }
        command(&["PING"])
    }

    /// A command that a script may send: one whose reply is compared byte for byte, or whose
    /// elements are, in any order, where `is_sorted` says that the script sorts them.
    fn within_script(&mut self, is_sorted: bool) -> Command {
        loop {
            let made = self.of_templates();
            let is_left_out = NOT_SCRIPTED.contains(&made[0].to_ascii_lowercase().as_slice());
            let has_order = if is_sorted {
                is_unordered(&made)
            } else {
                is_exact(&made)
            };
            if has_order && !is_left_out && is_comparable(&made) {
                return made;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differential::generator::tests::generator;

    #[test]
    fn digests_are_those_of_scripts_sent_before() {
        let mut generator = generator(5);
        let mut sent = std::collections::BTreeSet::new();
        let (mut known, mut calls) = (0, 0);
        for _ in 0..5000 {
            let made = generator.scripted();
            let name = made[0].to_ascii_lowercase();
            match name.as_slice() {
                b"eval" | b"eval_ro" => sent.insert(made[1].clone()),
                b"script" if made[1] == b"load" && made.len() > 2 => sent.insert(made[2].clone()),
                b"evalsha" => {
                    calls += 1;
                    let is_known = sent.iter().any(|text| {
                        let hex = Sha1::digest(text)
                            .iter()
                            .map(|byte| format!("{byte:02x}"))
                            .collect::<String>();
                        made[1] == hex.as_bytes()
                    });
                    known += u64::from(is_known);
                    true
                }
                _ => true,
            };
            if calls == 20 {
                break;
            }
        }
        assert!(known > calls / 2, "{known} of {calls}");
    }
}
