//! Any pattern on any text: no more than pattern x text steps, and a star in front takes
//! anything.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thermocline_commands::glob::{Case, matches_with_fuel};

fn matches(pattern: &[u8], text: &[u8], case: Case) -> bool {
    // Each try of the pattern at a place of the text looks at each byte of it once, once
    // more inside brackets, and at its end.
    let most = (2 * pattern.len() as u64 + 4) * (text.len() as u64 + 2);
    let mut fuel = most;
    let answer = matches_with_fuel(pattern, text, case, &mut fuel);
    answer.expect("a pattern takes no more than pattern x text steps")
}

fuzz_target!(|input: (bool, u8, &[u8])| {
    let (is_sensitive, pattern_bytes, both) = input;
    let (pattern, text) = both.split_at(both.len().min(usize::from(pattern_bytes)));
    let case = if is_sensitive {
        Case::Sensitive
    } else {
        Case::Insensitive
    };
    let answer = matches(pattern, text, case);
    if answer && !text.is_empty() {
        let longer = [b"ab", text].concat();
        let starred = [b"*", pattern].concat();
        assert!(matches(&starred, &longer, case));
        assert!(matches(&starred, text, case));
        assert!(matches(&[b"??", pattern].concat(), &longer, case));
    }
});
