//! The first line of a script or library, `#!lua name=value`: what it says and what is wrong
//! with it.
//!
//! Owns the flags a script may carry. Pure; any thread.

/// What a script or function declares about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ScriptFlags {
    bits: u8,
}

/// The flags by their names, in the order in which they are shown.
pub(super) const FLAGS: [(&str, u8); 5] = [
    ("no-writes", 1),
    ("allow-oom", 2),
    ("allow-stale", 4),
    ("no-cluster", 8),
    ("allow-cross-slot-keys", 16),
];

impl ScriptFlags {
    /// Adds the flag of that name; `false` if there is none.
    pub(super) fn add(&mut self, name: &[u8]) -> bool {
        let known = FLAGS.iter().find(|(known, _)| known.as_bytes() == name);
        if let Some((_, bit)) = known {
            self.bits |= bit;
        }
        known.is_some()
    }

    pub(super) fn names(self) -> impl Iterator<Item = &'static str> {
        let set = move |(_, bit): &&(&str, u8)| self.bits & bit != 0;
        FLAGS.iter().filter(set).map(|(name, _)| *name)
    }

    pub(super) const fn writes(self) -> bool {
        self.bits & 1 == 0
    }

    pub(super) const fn allows_oom(self) -> bool {
        self.bits & 2 != 0
    }
}

/// A script's text taken apart.
pub(super) struct ScriptText<'t> {
    /// `None` if it says nothing about itself.
    pub(super) flags: Option<ScriptFlags>,
    /// What is compiled: the line breaks before it kept.
    pub(super) body: &'t [u8],
}

fn quoted(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Takes the text of EVAL or SCRIPT LOAD apart.
pub(super) fn script(text: &[u8]) -> Result<ScriptText<'_>, String> {
    let Some(rest) = text.strip_prefix(b"#!") else {
        let body = text;
        return Ok(ScriptText { flags: None, body });
    };
    let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
        return Err("ERR Invalid script shebang".to_owned());
    };
    let (line, body) = rest.split_at(end);
    let words = split(line).ok_or("ERR Invalid script shebang")?;
    let mut words = words.iter();
    // A line that begins with a space names no engine.
    let engine = match line.first() {
        None | Some(b' ' | b'\t') => &b""[..],
        Some(_) => words.next().map_or(&b""[..], Vec::as_slice),
    };
    let mut flags = ScriptFlags::default();
    for word in words {
        let Some(list) = word.strip_prefix(b"flags=") else {
            let option = quoted(word);
            return Err(format!("ERR Unknown lua shebang option: {option}"));
        };
        for name in list.split(|byte| *byte == b',').filter(|it| !it.is_empty()) {
            if !flags.add(name) {
                let name = quoted(name);
                return Err(format!("ERR Unexpected flag in script shebang: {name}"));
            }
        }
    }
    if !engine.eq_ignore_ascii_case(b"lua") {
        let engine = quoted(engine);
        return Err(format!("ERR Could not find scripting engine '{engine}'"));
    }
    Ok(ScriptText {
        flags: Some(flags),
        body,
    })
}

/// A library's text taken apart.
#[derive(Debug)]
pub(super) struct LibraryText<'t> {
    pub(super) name: Vec<u8>,
    pub(super) body: &'t [u8],
}

/// Whether a library or function may have the name.
pub(super) fn is_name(name: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    !name.is_empty() && name.iter().all(is_plain)
}

/// Takes the text of FUNCTION LOAD apart.
pub(super) fn library(text: &[u8]) -> Result<LibraryText<'_>, String> {
    let Some(rest) = text.strip_prefix(b"#!") else {
        return Err("ERR Missing library metadata".to_owned());
    };
    let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
        return Err("ERR Invalid library metadata".to_owned());
    };
    let (line, body) = rest.split_at(end);
    let words = split(line).ok_or("ERR Invalid library metadata")?;
    let mut words = words.into_iter();
    // A line that begins with a space names no engine.
    let engine = match line.first() {
        None | Some(b' ' | b'\t') => Vec::new(),
        Some(_) => words.next().unwrap_or_default(),
    };
    let mut name = None;
    for word in words {
        match word.get(..5) {
            Some(head) if head.eq_ignore_ascii_case(b"name=") => {
                if name.is_some() {
                    let text = "ERR Invalid metadata value, name argument was given multiple times";
                    return Err(text.to_owned());
                }
                name = Some(word.get(5..).unwrap_or_default().to_vec());
            }
            _ => {
                let word = quoted(&word);
                return Err(format!("ERR Invalid metadata value given: {word}"));
            }
        }
    }
    let Some(name) = name else {
        return Err("ERR Library name was not given".to_owned());
    };
    if !is_name(&name) {
        let text = "ERR Library names can only contain letters, numbers, or underscores(_) and \
                    must be at least one character long";
        return Err(text.to_owned());
    }
    if !engine.eq_ignore_ascii_case(b"lua") {
        return Err(format!("ERR Engine '{}' not found", quoted(&engine)));
    }
    Ok(LibraryText { name, body })
}

/// Words parted by spaces; quotes hold one together. `None` if a quote is not closed.
fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote = None;
    let mut escaped = false;
    for (at, &byte) in line.iter().enumerate() {
        // Between single quotes only one of these is escaped.
        let is_escape = byte == b'\\'
            && (quote == Some(b'"') || line.get(at.saturating_add(1)) == Some(&b'\''));
        if escaped {
            word.get_or_insert_default().push(byte);
            escaped = false;
        } else if let Some(open) = quote {
            if is_escape {
                escaped = true;
            } else if byte == open {
                quote = None;
            } else {
                word.get_or_insert_default().push(byte);
            }
        } else if byte.is_ascii_whitespace() {
            words.extend(word.take());
        } else if matches!(byte, b'"' | b'\'') {
            quote = Some(byte);
            word.get_or_insert_default();
        } else {
            word.get_or_insert_default().push(byte);
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_say_who_they_are() {
        let found = library(b"#!lua   name=\"a_1\"\nbody").unwrap();
        assert_eq!((&*found.name, found.body), (&b"a_1"[..], &b"\nbody"[..]));
        for (text, why) in [
            ("x", "ERR Missing library metadata"),
            ("#!lua name=x", "ERR Invalid library metadata"),
            ("#!lua\nx", "ERR Library name was not given"),
            ("#!foo name=x\n", "ERR Engine 'foo' not found"),
            ("#! name=x\n", "ERR Engine '' not found"),
            ("#! bar=1\n", "ERR Invalid metadata value given: bar=1"),
            ("#!lua foo=x\n", "ERR Invalid metadata value given: foo=x"),
        ] {
            assert_eq!(library(text.as_bytes()).unwrap_err(), why);
        }
    }

    #[test]
    fn scripts_say_what_they_do() {
        let text = script(b"#!lua flags=no-writes,allow-oom\nreturn 1")
            .ok()
            .unwrap();
        let flags = text.flags.unwrap();
        assert!(!flags.writes() && flags.allows_oom());
        assert_eq!(text.body, b"\nreturn 1");
        let names: Vec<_> = flags.names().collect();
        assert_eq!(names, ["no-writes", "allow-oom"]);
        let why = |text: &[u8]| script(text).err().unwrap();
        assert_eq!(why(b"#!lua"), "ERR Invalid script shebang");
        assert_eq!(why(b"#!\nx"), "ERR Could not find scripting engine ''");
        assert_eq!(
            why(b"#!other 'a\\1\\'b'\n"),
            "ERR Unknown lua shebang option: a\\1'b"
        );
        assert_eq!(
            why(b"#!lua flags=foo\n"),
            "ERR Unexpected flag in script shebang: foo"
        );
    }
}
