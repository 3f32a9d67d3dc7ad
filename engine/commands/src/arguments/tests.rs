//! Tests of the option parsers against known answers of Valkey 9.1.2.
//!
//! Owns no data; single-threaded.

use proptest::prelude::*;

use super::*;

const NOW_MS: i64 = 1_700_000_000_000;

fn words(line: &str) -> Vec<&[u8]> {
    line.split_ascii_whitespace().map(str::as_bytes).collect()
}

fn text<T: std::fmt::Debug>(result: Result<T, CommandError>) -> String {
    result.map_or_else(|error| error.to_string(), |_| "OK".to_owned())
}

const SYNTAX: &str = "ERR syntax error";
const INTEGER: &str = "ERR value is not an integer or out of range";

#[test]
fn integers_are_strict() {
    for good in [0, 1, -1, i64::MAX, i64::MIN] {
        assert_eq!(parse_integer(good.to_string().as_bytes()), Ok(good));
    }
    for bad in [
        "",
        "-",
        "-0",
        "+1",
        "01",
        " 1",
        "1 ",
        "9223372036854775808",
        "1e3",
        "\u{661}",
    ] {
        assert_eq!(
            parse_integer(bad.as_bytes()),
            Err(CommandError::NotInteger),
            "{bad}"
        );
    }
}

#[test]
fn set_options_conflict_as_in_valkey() {
    let expire = "ERR invalid expire time in 'set' command";
    for (line, expected) in [
        ("NX XX", SYNTAX),
        ("EX 0", expire),
        ("EX -1", expire),
        ("EX abc", INTEGER),
        ("EX 9223372036854775807", expire),
        ("PX 9223372036854775807", expire),
        ("PXAT 9223372036854775807", "OK"),
        ("EXAT 9223372036854775807", expire),
        ("EX 10 PX 10", SYNTAX),
        ("KEEPTTL EX 10", SYNTAX),
        ("EX 10 KEEPTTL", SYNTAX),
        ("EX", SYNTAX),
        ("IFEQ", SYNTAX),
        ("IFEQ v NX", SYNTAX),
        ("XX IFEQ v", SYNTAX),
        ("IFEQ a IFEQ b", SYNTAX),
        ("NX NX", "OK"),
        ("EX 10 EX 10", "OK"),
        ("KEEPTTL KEEPTTL", "OK"),
        ("nx get", "OK"),
        ("PERSIST", SYNTAX),
        ("EX abc NX XX", SYNTAX),
    ] {
        assert_eq!(text(parse_set(&words(line), NOW_MS)), expected, "{line}");
    }
    let line = words("IFEQ v Get pX 5");
    let options = parse_set(&line, NOW_MS).unwrap();
    assert_eq!(options.condition, Some(Condition::Equals(b"v")));
    assert!(options.get);
    assert_eq!(options.expiry, Expiry::At(NOW_MS + 5));
    assert_eq!(
        parse_set(&words("EX 1 EX 2"), NOW_MS).unwrap().expiry,
        Expiry::At(NOW_MS + 2000)
    );
}

#[test]
fn getex_options_conflict_as_in_valkey() {
    for (line, expected) in [
        ("EX 0", "ERR invalid expire time in 'getex' command"),
        ("PERSIST EX 10", SYNTAX),
        ("EX 10 PERSIST", SYNTAX),
        ("PERSIST PERSIST", "OK"),
        ("KEEPTTL", SYNTAX),
        ("NX", SYNTAX),
        ("GET", SYNTAX),
        ("", "OK"),
    ] {
        assert_eq!(text(parse_getex(&words(line), NOW_MS)), expected, "{line}");
    }
    assert_eq!(
        parse_getex(&words("persist"), NOW_MS).unwrap().expiry,
        Expiry::Remove
    );
}

#[test]
fn msetex_arguments_are_judged_as_in_valkey() {
    let count = "ERR invalid numkeys value or out of range";
    let expire = "ERR invalid expire time in 'msetex' command";
    for (line, expected) in [
        ("abc k v", count),
        ("0 k v", count),
        ("-1 a b", count),
        ("9999999999 k v", count),
        ("2147483647 k v", SYNTAX),
        ("2 k v", SYNTAX),
        ("1 k v NX XX", SYNTAX),
        ("1 k v EX 0", expire),
        ("1 k v EXAT 99999999999999999", expire),
        ("1 k v EX 10 KEEPTTL", SYNTAX),
        ("1 k v FOO", SYNTAX),
        ("1 k v PX abc", INTEGER),
        ("1 k v GET", SYNTAX),
        ("1 k v IFEQ v", SYNTAX),
        ("1 k v PERSIST", SYNTAX),
        ("1 k v NX NX", "OK"),
    ] {
        assert_eq!(text(parse_msetex(&words(line), NOW_MS)), expected, "{line}");
    }
    let line = words("2 a 1 b 2 XX KEEPTTL");
    let options = parse_msetex(&line, NOW_MS).unwrap();
    assert_eq!(options.pairs, &line[1..5]);
    assert_eq!(
        (options.condition, options.expiry),
        (Some(Condition::Present), Expiry::Keep)
    );
}

#[test]
fn expire_options_are_judged_before_the_time() {
    let expire = "ERR invalid expire time in 'expire' command";
    let nx = "ERR NX and XX, GT or LT options at the same time are not compatible";
    let both = "ERR GT and LT options at the same time are not compatible";
    for (time, options, expected) in [
        ("abc", "", INTEGER),
        ("abc", "FOO", "ERR Unsupported option FOO"),
        ("9223372036854775807", "", expire),
        ("-9223372036854775808", "", expire),
        ("9223372036854775", "", expire),
        ("-9223372036854775", "", "OK"),
        ("10", "NX XX", nx),
        ("10", "NX GT", nx),
        ("10", "GT LT", both),
        ("10", "GT XX LT", both),
        ("10", "XX GT", "OK"),
        ("10", "XX XX", "OK"),
    ] {
        let unit = ExpireUnit::Seconds;
        let found = parse_expire(time.as_bytes(), &words(options), unit, NOW_MS, "expire");
        assert_eq!(text(found), expected, "{time} {options}");
    }
    let unit = ExpireUnit::UnixMilliseconds;
    let most = parse_expire(
        b"9223372036854775807",
        &words(""),
        unit,
        NOW_MS,
        "pexpireat",
    );
    assert_eq!(most.unwrap().0, i64::MAX);
}

#[test]
fn a_key_that_never_expires_counts_as_the_latest() {
    let greater = ExpireCondition {
        greater: true,
        ..ExpireCondition::default()
    };
    let less = ExpireCondition {
        less: true,
        ..ExpireCondition::default()
    };
    assert!(!greater.allows(None, 5) && less.allows(None, 5));
    assert!(greater.allows(Some(4), 5) && !greater.allows(Some(5), 5));
    assert!(less.allows(Some(6), 5) && !less.allows(Some(5), 5));
    let with = ExpireCondition {
        with_expiry: true,
        ..ExpireCondition::default()
    };
    let without = ExpireCondition {
        without_expiry: true,
        ..ExpireCondition::default()
    };
    assert!(!with.allows(None, 5) && with.allows(Some(1), 5));
    assert!(without.allows(None, 5) && !without.allows(Some(1), 5));
}

#[test]
fn cursors_are_unsigned_and_may_have_leading_zeros() {
    for (bytes, value) in [
        ("0", 0),
        ("00", 0),
        ("+0", 0),
        ("18446744073709551615", u64::MAX),
    ] {
        assert_eq!(parse_cursor(bytes.as_bytes()), Ok(value));
    }
    for bad in ["", "abc", "-1", "0x", "18446744073709551616"] {
        assert_eq!(
            text(parse_cursor(bad.as_bytes())),
            "ERR invalid cursor",
            "{bad}"
        );
    }
}

#[test]
fn scan_options_are_judged_in_their_order() {
    use ScanTarget::{Hash, Keys, Set, SortedSet};
    let values = "ERR NOVALUES option can only be used in HSCAN";
    for (target, line, expected) in [
        (Keys, "COUNT 0", SYNTAX),
        (Keys, "COUNT abc", INTEGER),
        (Keys, "COUNT", SYNTAX),
        (Keys, "MATCH", SYNTAX),
        (Keys, "FOO bar", SYNTAX),
        (Keys, "TYPE nosuch FOO", "ERR unknown type name 'nosuch'"),
        (Keys, "NOVALUES FOO", values),
        (Set, "NOVALUES", values),
        (Hash, "NOVALUES", "OK"),
        (Hash, "TYPE hash", SYNTAX),
        (
            Hash,
            "NOSCORES",
            "ERR NOSCORES option can only be used in ZSCAN",
        ),
        (SortedSet, "NOSCORES", "OK"),
    ] {
        assert_eq!(text(parse_scan(&words(line), target)), expected, "{line}");
    }
    let line = words("match a* type HASH count 7");
    let options = parse_scan(&line, Keys).unwrap();
    assert_eq!(
        (options.pattern, options.count),
        (Some(b"a*".as_slice()), 7)
    );
    assert_eq!(options.type_name, Some("hash"));
    assert_eq!(parse_scan(&words("match *"), Keys).unwrap().pattern, None);
}

#[test]
fn copy_and_restore_options_are_judged_as_in_valkey() {
    let bounds = "ERR value is out of range, value must between -2147483648 and 2147483647";
    for (line, expected) in [
        ("DB abc", INTEGER),
        ("DB 99", "ERR DB index is out of range"),
        ("DB -1", "ERR DB index is out of range"),
        ("DB 2147483648", bounds),
        ("DB", SYNTAX),
        ("FOO", SYNTAX),
        ("REPLACE REPLACE DB 1 DB 2", "OK"),
    ] {
        assert_eq!(text(parse_copy(&words(line), 16)), expected, "{line}");
    }
    for (line, expected) in [
        (
            "REPLACE IDLETIME -1",
            "ERR Invalid IDLETIME value, must be >= 0",
        ),
        (
            "REPLACE FREQ 256",
            "ERR Invalid FREQ value, must be >= 0 and <= 255",
        ),
        ("FREQ 1 IDLETIME 1", SYNTAX),
        ("IDLETIME 5 FREQ 5", SYNTAX),
        ("FREQ", SYNTAX),
        ("FREQ abc", INTEGER),
        ("FOO", SYNTAX),
        ("ABSTTL REPLACE FREQ 255", "OK"),
    ] {
        assert_eq!(text(parse_restore(&words(line))), expected, "{line}");
    }
    assert_eq!(parse_restore_ttl(b"0", false, NOW_MS), Ok(None));
    assert_eq!(parse_restore_ttl(b"5", false, NOW_MS), Ok(Some(NOW_MS + 5)));
    assert_eq!(parse_restore_ttl(b"5", true, NOW_MS), Ok(Some(5)));
    assert_eq!(
        parse_restore_ttl(b"-1", false, NOW_MS),
        Err(CommandError::NegativeTtl)
    );
}

proptest! {
    #[test]
    fn no_arguments_panic(
        line in prop::collection::vec(
            "(?i)nx|xx|gt|ex|px|exat|get|ifeq|keepttl|persist|count|match|type|db|freq|-?[0-9]{1,20}|[^ ]{0,3}",
            0..6,
        ),
        now_ms in any::<i64>(),
    ) {
        let _ = parse_set(&line, now_ms);
        let _ = parse_getex(&line, now_ms);
        let _ = parse_msetex(&line, now_ms);
        let _ = parse_scan(&line, ScanTarget::Keys);
        let _ = parse_copy(&line, 16);
        let _ = parse_restore(&line);
        let _ = parse_expire_conditions(&line);
        for argument in &line {
            let _ = parse_cursor(argument.as_bytes());
            let _ = parse_restore_ttl(argument.as_bytes(), false, now_ms);
        }
    }
}
