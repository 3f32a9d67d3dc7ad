//! Keeps the frame of a function that returns what another one gives.
//!
//! Owns the small scanner that finds `return f(x)` in the text of a script. Pure; any thread.
//!
//! The reference's errors name the line at which a script called the server, also in
//! `return redis.call(...)`. LuaJIT has given that frame away by then: such a call is a jump.
//! So `return f(x)` is compiled as `return v(f(x))`, where `v` gives back whatever it is given:
//! then `f` is called, and returns, while the line is still known. No line moves.
//!
//! INVARIANT: what the scanner does not understand it leaves as it is.

/// The name of `v`: a name for LuaJIT, and none that is easily written.
const NAME: &str = "\u{2009}";

/// What stands before the text, in its first line: the function comes as the first argument.
pub(super) fn with_frames(text: &[u8]) -> Vec<u8> {
    let mut out = format!("local {NAME}=...;").into_bytes();
    let mut written = 0;
    for (start, end) in returned_calls(text) {
        let (Some(before), Some(call)) = (text.get(written..start), text.get(start..end)) else {
            break;
        };
        out.extend_from_slice(before);
        out.extend_from_slice(format!(" {NAME}(").as_bytes());
        out.extend_from_slice(call);
        out.push(b')');
        written = end;
    }
    out.extend_from_slice(text.get(written..).unwrap_or_default());
    out
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Word,
    Text,
    Sign(u8),
    Other,
}

#[derive(Clone, Copy, Debug)]
struct Token {
    kind: Kind,
    start: usize,
    end: usize,
}

/// Where the calls of `return f(x)` begin and end: ascending, and apart.
fn returned_calls(text: &[u8]) -> Vec<(usize, usize)> {
    let tokens = tokens(text);
    let mut calls = Vec::new();
    let mut index = 0;
    while let Some(token) = tokens.get(index) {
        index += 1;
        if word(text, token) != b"return" {
            continue;
        }
        // A text with a call inside another one's arguments is rare; the outer one counts.
        if let Some(next) = returned_call(text, &tokens, index, &mut calls) {
            index = next;
        }
    }
    calls
}

fn word<'t>(text: &'t [u8], token: &Token) -> &'t [u8] {
    match token.kind {
        Kind::Word => text.get(token.start..token.end).unwrap_or_default(),
        _ => b"",
    }
}

/// Looks at what is returned from token `first` on; where to go on, if it is a call.
fn returned_call(
    text: &[u8],
    tokens: &[Token],
    first: usize,
    calls: &mut Vec<(usize, usize)>,
) -> Option<usize> {
    let (mut brackets, mut blocks) = (0_usize, 0_usize);
    let mut index = first;
    while let Some(token) = tokens.get(index) {
        let is_outside = brackets == 0 && blocks == 0;
        match word(text, token) {
            b"end" | b"until" if blocks > 0 => blocks -= 1,
            b"end" | b"else" | b"elseif" | b"until" if is_outside => break,
            b"function" | b"if" | b"do" | b"repeat" => blocks += 1,
            _ => {}
        }
        match token.kind {
            Kind::Sign(b'(' | b'[' | b'{') => brackets += 1,
            Kind::Sign(b')' | b']' | b'}') => brackets = brackets.checked_sub(1)?,
            Kind::Sign(b';') if is_outside => break,
            Kind::Sign(b',') if is_outside => return None,
            _ => {}
        }
        index += 1;
    }
    let start = tokens.get(first).filter(|_| index > first)?;
    let last = tokens.get(index.checked_sub(1)?)?;
    let is_call = matches!(last.kind, Kind::Sign(b')' | b'}') | Kind::Text)
        && start.kind == Kind::Word
        && index > first + 1
        && word(text, start) != b"function"
        && word(text, start) != b"not";
    if !is_call {
        return None;
    }
    calls.push((start.start, last.end));
    Some(index)
}

fn tokens(text: &[u8]) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        let (kind, length) = match byte {
            b' ' | b'\t' | b'\r' | b'\n' => (None, 1),
            b'-' if rest.starts_with(b"--") => {
                let comment = rest.get(2..).unwrap_or_default();
                let long = long_bracket(comment).map(|length| length + 2);
                let line = rest.iter().position(|byte| *byte == b'\n');
                (None, long.or(line).unwrap_or(rest.len()))
            }
            b'"' | b'\'' => (Some(Kind::Text), quoted(rest)),
            b'[' => match long_bracket(rest) {
                Some(length) => (Some(Kind::Text), length),
                None => (Some(Kind::Sign(byte)), 1),
            },
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 128.. => {
                let is_part =
                    |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_' || **byte >= 128;
                (Some(Kind::Word), rest.iter().take_while(is_part).count())
            }
            b'0'..=b'9' => {
                let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'.';
                (Some(Kind::Other), rest.iter().take_while(is_part).count())
            }
            b'(' | b')' | b']' | b'{' | b'}' | b',' | b';' => (Some(Kind::Sign(byte)), 1),
            _ => (Some(Kind::Other), 1),
        };
        let end = at + length.max(1);
        if let Some(kind) = kind {
            tokens.push(Token {
                kind,
                start: at,
                end: end.min(text.len()),
            });
        }
        at = end;
    }
    tokens
}

/// How long the quoted text is that begins here.
fn quoted(rest: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = rest.get(at) {
        match byte {
            b'\\' => at += 2,
            byte if Some(byte) == rest.first() => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// How long the text in long brackets is that begins here, if one does.
fn long_bracket(rest: &[u8]) -> Option<usize> {
    let level = rest
        .get(1..)?
        .iter()
        .take_while(|byte| **byte == b'=')
        .count();
    if rest.first() != Some(&b'[') || rest.get(level + 1) != Some(&b'[') {
        return None;
    }
    let mut close = vec![b']'];
    close.resize(level + 1, b'=');
    close.push(b']');
    let found = rest.windows(close.len()).position(|part| part == close);
    Some(found.map_or(rest.len(), |at| at + close.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> String {
        let out = String::from_utf8(with_frames(text.as_bytes())).unwrap();
        let head = format!("local {NAME}=...;");
        out.strip_prefix(&head).unwrap().replace(NAME, "V")
    }

    #[test]
    fn calls_that_are_returned_keep_their_frame() {
        for (text, expected) in [
            ("return f(x)", "return  V(f(x))"),
            (
                "return redis.call('get', 'a')",
                "return  V(redis.call('get', 'a'))",
            ),
            (
                "if a then return f(x) else return g'x' end",
                "if a then return  V(f(x)) else return  V(g'x') end",
            ),
            (
                "return f(function() return 1 end);",
                "return  V(f(function() return 1 end));",
            ),
            ("return a.b{1,2}", "return  V(a.b{1,2})"),
            ("return f(x), 1", "return f(x), 1"),
            ("return {f(x)}", "return {f(x)}"),
            ("return x", "return x"),
            ("return", "return"),
            ("return 'f(x)'", "return 'f(x)'"),
            (
                "-- return f(x)\nreturn f([[ return g(x) ]])",
                "-- return f(x)\nreturn  V(f([[ return g(x) ]]))",
            ),
            (
                "return function(a) return g(a) end",
                "return function(a) return  V(g(a)) end",
            ),
            (
                "--[==[ return f(x) ]] ]==] return 1",
                "--[==[ return f(x) ]] ]==] return 1",
            ),
        ] {
            assert_eq!(shown(text), expected);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_or_loses_a_line(text in "[a-z \\n()\\[\\]{}=\"'\\\\,;-]{0,80}|(return |f\\(|\\)|end|function\\(\\) |if |then |\\n|x){0,20}") {
            let out = with_frames(text.as_bytes());
            let lines = |text: &[u8]| text.iter().filter(|byte| **byte == b'\n').count();
            prop_assert_eq!(lines(&out), lines(text.as_bytes()));
        }
    }
}
