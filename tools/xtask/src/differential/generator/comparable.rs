//! Which commands have one answer that both servers must give.
//!
//! Owns what is left out because the answer depends on the moment or on chance, or because
//! Valkey's is nobody's wish. Pure.

use super::words::SAFE_TIME;
use crate::differential::resp::Command;

/// Whether Valkey's answer is the one to have, at whatever time it comes.
pub(super) fn is_comparable(command: &Command) -> bool {
    !depends_on_time(command) && !depends_on_chance(command) && !is_beyond_valkey(command)
}

/// Whether Valkey does something that nobody wants, so that there is no reference:
/// LSET takes the lowest 32 bits of an index and changes a wrong element; XAUTOCLAIM
/// allocates as many ids as it may claim; SORT of a sorted set, even SORT_RO, makes a skiplist
/// of it for good.
fn is_beyond_valkey(command: &Command) -> bool {
    let number = |word: Option<&Vec<u8>>| {
        let text = word.and_then(|word| std::str::from_utf8(word).ok());
        text.and_then(|text| text.parse::<i64>().ok())
    };
    let is = |name: &[u8]| command[0].eq_ignore_ascii_case(name);
    let is_far = |number: i64| i32::try_from(number).is_err();
    // A picture of each server's own.
    let is_picture = is(b"lolwut") && command.len() > 1;
    // The pools that no sorted set comes to.
    let is_unsorted = |key: &Vec<u8>| key.starts_with(b"bq:") || key.starts_with(b"bt:");
    let may_convert =
        (is(b"sort") || is(b"sort_ro")) && command.get(1).is_some_and(|key| !is_unsorted(key));
    is_picture
        || may_convert
        || is(b"lset") && number(command.get(2)).is_some_and(is_far)
        || is(b"xautoclaim")
            && command.windows(2).any(|pair| {
                let is_count = pair[0].eq_ignore_ascii_case(b"count");
                is_count && number(Some(&pair[1])).is_some_and(is_far)
            })
}

/// Whether a relative time in it passes during the run, or it waits.
pub(super) fn depends_on_time(command: &Command) -> bool {
    let soon = |word: Option<&Vec<u8>>| {
        let text = word.and_then(|word| std::str::from_utf8(word).ok());
        let number = text.and_then(|text| text.parse::<i64>().ok());
        number.is_some_and(|number| (1..SAFE_TIME).contains(&number))
    };
    let name = command[0].to_ascii_lowercase();
    let third_is_time = [
        &b"expire"[..],
        b"pexpire",
        b"setex",
        b"psetex",
        b"hexpire",
        b"hpexpire",
        b"restore",
    ]
    .contains(&&*name);
    let after_option = command.windows(2).any(|pair| {
        let option = &pair[0];
        let is_time = option.eq_ignore_ascii_case(b"ex") || option.eq_ignore_ascii_case(b"px");
        is_time && soon(Some(&pair[1]))
    });
    let waits = match name.as_slice() {
        b"wait" => command.get(1).is_none_or(|replicas| replicas != b"0"),
        // Valkey refuses local ones, here they are waited for.
        b"waitaof" => command.get(1..3) != Some(&[b"0".to_vec(), b"0".to_vec()]),
        _ => false,
    };
    third_is_time && soon(command.get(2)) || after_option || waits || blocks(&name, command)
}

/// Whether it may wait for longer than a moment.
fn blocks(name: &[u8], command: &Command) -> bool {
    let timeout = match name {
        b"blmpop" | b"bzmpop" => command.get(1),
        b"blpop" | b"brpop" | b"blmove" | b"brpoplpush" | b"bzpopmin" | b"bzpopmax" => {
            command.last()
        }
        b"xread" | b"xreadgroup" => {
            let mut pairs = command.windows(2);
            return pairs.any(|pair| pair[0].eq_ignore_ascii_case(b"block") && pair[1] != b"10");
        }
        _ => return false,
    };
    let text = timeout.and_then(|word| std::str::from_utf8(word).ok());
    let seconds = text.and_then(|text| text.parse::<f64>().ok());
    let is_hexadecimal = text.is_some_and(|text| text.starts_with("0x"));
    // A negative one is refused, as is what is no number; but one that rounds to no
    // millisecond waits for ever.
    is_hexadecimal
        || seconds.is_some_and(|seconds| (-0.001..=0.0).contains(&seconds) || seconds > 0.05)
}

/// Whether what it leaves behind is for the server to choose (a random member is gone, or
/// ranges by member are asked of members that have not all one score), or its reply has
/// as many elements as it likes.
fn depends_on_chance(command: &Command) -> bool {
    let is = |name: &[u8]| command[0].eq_ignore_ascii_case(name);
    let pops_any = is(b"spop")
        && command.get(2).is_none_or(|count| {
            // Nothing or everything.
            let text = std::str::from_utf8(count).unwrap_or_default();
            text.parse::<i64>()
                .is_ok_and(|count| (1..100_000).contains(&count))
        });
    let draws = is(b"srandmember") || is(b"hrandfield") || is(b"zrandmember");
    let is_enormous = draws
        && command.get(2).is_some_and(|count| {
            let text = std::str::from_utf8(count).unwrap_or_default();
            text.parse::<i64>()
                .is_ok_and(|count| (i64::MIN + 1..-1000).contains(&count))
        });
    let is_lexical = command.iter().skip(1).any(|key| key.starts_with(b"lex:"));
    let adds = is(b"zadd");
    let adds_other_scores = is_lexical
        && adds
        && (command.len() != 4 || command.get(2).is_none_or(|word| word != b"0"));
    // What makes anything else of such a set.
    let stores = is_lexical && (is(b"zincrby") || is(b"zrangestore") || is(b"geoadd"));
    pops_any || is_enormous || adds_other_scores || stores
}
