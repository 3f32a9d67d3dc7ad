//! Answers of Valkey 9.1.2 to the arguments of the hash commands.

use super::*;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

fn split(line: &str) -> Vec<&[u8]> {
    line.split(' ').map(str::as_bytes).collect()
}

/// The options, and the fields joined again, or the error's text.
fn shown<'a, T>(
    parsed: &'a Result<(T, Fields<'_, 'a>), CommandError>,
) -> Result<(&'a T, String), String> {
    match parsed {
        Ok((options, fields)) => {
            let fields: Vec<_> = fields.iter().map(|field| field.escape_ascii()).collect();
            let fields: Vec<_> = fields.iter().map(ToString::to_string).collect();
            Ok((options, fields.join(" ")))
        }
        Err(error) => Err(error.to_string()),
    }
}

const COUNT: &str =
    "ERR numfields should be greater than 0 and match the provided number of fields";
const SYNTAX: &str = "ERR syntax error";
const INTEGER: &str = "ERR value is not an integer or out of range";

#[test]
fn fields_at_a_fixed_place() {
    for (line, expected) in [
        ("FIELDS 1 a", Ok("a")),
        ("fields 2 a zz", Ok("a zz")),
        ("FOO x a", Err(SYNTAX)),
        ("FOO 2 a", Err(SYNTAX)),
        ("FIELDS x a", Err(INTEGER)),
        ("FIELDS 0 a", Err(COUNT)),
        ("FIELDS -1 a", Err(COUNT)),
        ("FIELDS 2 a", Err(COUNT)),
        ("FIELDS 1 a b", Err(COUNT)),
        ("FIELDS 9223372036854775807 a", Err(COUNT)),
        ("FIELDS", Err(COUNT)),
    ] {
        let arguments = split(line);
        let parsed = parse_fields(&arguments, CommandError::InvalidFieldCount)
            .map(|fields| fields.join(&b' '))
            .map_err(|error| error.to_string());
        let expected = expected.map(|fields| fields.as_bytes().to_vec());
        assert_eq!(parsed, expected.map_err(str::to_owned), "{line}");
    }
    let arguments = split("FIELDS 2 a");
    let parsed = parse_fields(&arguments, CommandError::Syntax);
    assert_eq!(parsed, Err(CommandError::Syntax));
}

#[test]
fn options_of_hexpire() {
    const NX: &str = "ERR NX and XX, GT or LT options at the same time are not compatible";
    const GT: &str = "ERR GT and LT options at the same time are not compatible";
    for (line, expected) in [
        ("FIELDS 1 a", Ok("a")),
        ("nx Fields 1 a", Ok("a")),
        ("XX XX FIELDS 1 a", Ok("a")),
        ("gt XX FIELDS 2 a b", Ok("a b")),
        ("LT GT FIELDS 1 a", Err(GT)),
        ("NX GT FIELDS 1 a", Err(NX)),
        ("NX XX FIELDS x a", Err(NX)),
        ("FOO FIELDS 1 a", Err("ERR Unsupported option FOO")),
        ("a FIELDS 1 b", Err("ERR Unsupported option a")),
        ("NX FIELDS y a", Err(INTEGER)),
        ("FIELDS FIELDS 1 a", Err(INTEGER)),
        ("NX FIELDS 2 a", Err(COUNT)),
        ("FIELDS 0 a", Err(COUNT)),
        ("FIELDS -1 a", Err(COUNT)),
        ("FOO 2 a", Err(COUNT)),
        ("NX a b FIELDS", Err(COUNT)),
    ] {
        let arguments = split(line);
        let parsed = parse_expire_fields(&arguments);
        let fields = shown(&parsed).map(|(_, fields)| fields);
        let expected = expected.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(fields, expected, "{line}");
    }
}

#[test]
fn times_of_fields_may_be_past_but_not_negative() {
    use ExpireUnit::{Milliseconds, Seconds, UnixMilliseconds, UnixSeconds};
    const INVALID: &str = "ERR invalid expire time in 'hexpire' command";
    for (time, unit, expected) in [
        ("10", Seconds, Ok(NOW.0 + 10_000)),
        ("0", Seconds, Ok(NOW.0)),
        ("0", UnixSeconds, Ok(0)),
        ("1", UnixSeconds, Ok(1000)),
        ("7", UnixMilliseconds, Ok(7)),
        ("9223372036854775807", UnixMilliseconds, Ok(i64::MAX)),
        ("-1", Seconds, Err(INVALID)),
        ("-1", UnixMilliseconds, Err(INVALID)),
        ("9223372036854775807", Seconds, Err(INVALID)),
        ("9223372036854775807", UnixSeconds, Err(INVALID)),
        ("9223372036854775806", Milliseconds, Err(INVALID)),
        ("9223372036854775", Seconds, Err(INVALID)),
        ("x", Seconds, Err(INTEGER)),
    ] {
        let parsed = parse_field_time(time.as_bytes(), unit, NOW, "hexpire")
            .map(|point| point.0)
            .map_err(|error| error.to_string());
        assert_eq!(parsed, expected.map_err(str::to_owned), "{time} {unit:?}");
    }
}

fn options<'k>(
    key: Option<Presence>,
    field: Option<Presence>,
    expiry: FieldExpiry<'k>,
) -> FieldOptions<'k> {
    FieldOptions { key, field, expiry }
}

#[test]
fn options_of_hsetex() {
    use FieldExpiry::{Keep, Time, Unspecified};
    use Presence::{Absent, Present};
    let time = |time: &'static [u8]| Time(ExpireUnit::Seconds, time);
    for (line, expected) in [
        ("h FIELDS 1 a 1", Ok(options(None, None, Unspecified))),
        (
            "h NX NX FIELDS 1 a 1",
            Ok(options(Some(Absent), None, Unspecified)),
        ),
        (
            "h xx FNX FIELDS 1 a 1",
            Ok(options(Some(Present), Some(Absent), Unspecified)),
        ),
        (
            "h ex 10 fxx ex 5 FIELDS 1 a 1",
            Ok(options(None, Some(Present), time(b"5"))),
        ),
        ("h EX x FIELDS 1 a 1", Ok(options(None, None, time(b"x")))),
        (
            "h KEEPTTL KEEPTTL FIELDS 1 a 1",
            Ok(options(None, None, Keep)),
        ),
        ("fields 2 a 1 b 2", Ok(options(None, None, Unspecified))),
        ("h FIELDS 1 FIELDS 1", Ok(options(None, None, Unspecified))),
        ("h NX XX FIELDS 1 a 1", Err(SYNTAX)),
        ("h FNX FXX FIELDS 1 a 1", Err(SYNTAX)),
        ("h EX 10 PX 10 FIELDS 1 a 1", Err(SYNTAX)),
        ("h EX 10 KEEPTTL FIELDS 1 a 1", Err(SYNTAX)),
        ("h KEEPTTL EX 10 FIELDS 1 a 1", Err(SYNTAX)),
        ("h EX FIELDS 1 a 1", Err(SYNTAX)),
        ("h EX FIELDS FIELDS 1 a 1", Err(SYNTAX)),
        ("h PERSIST FIELDS 1 a 1", Err(SYNTAX)),
        ("h GET FIELDS 1 a 1", Err(SYNTAX)),
        ("h FOO FIELDS x a 1", Err(SYNTAX)),
        ("h FIELDS x a 1", Err(INTEGER)),
        ("fields EX 10 FIELDS 1 a 1", Err(INTEGER)),
        ("h EX x FIELDS 2 a 1", Err(COUNT)),
        ("h FIELDS 0 a 1", Err(COUNT)),
        ("h FIELDS -1 a 1", Err(COUNT)),
        ("h FIELDS 4611686018427387904 a 1", Err(COUNT)),
        ("h FIELDS 1 d 1 extra", Err(COUNT)),
        ("h a b c FIELDS", Err(COUNT)),
        ("h a b c d", Err(COUNT)),
    ] {
        let arguments = split(line);
        let parsed = parse_hsetex(&arguments);
        let found = shown(&parsed).map(|(options, _)| *options);
        assert_eq!(found, expected.map_err(str::to_owned), "{line}");
    }
}

#[test]
fn options_of_hgetex() {
    use FieldExpiry::{Remove, Time, Unspecified};
    for (line, expected) in [
        ("h FIELDS 1 a", Ok(Unspecified)),
        ("h PERSIST PERSIST FIELDS 1 b", Ok(Remove)),
        (
            "h PXAT 7 PXAT 8 FIELDS 2 a b",
            Ok(Time(ExpireUnit::UnixMilliseconds, b"8")),
        ),
        ("h PERSIST EX 10 FIELDS 1 b", Err(SYNTAX)),
        ("h EX 10 PERSIST FIELDS 1 b", Err(SYNTAX)),
        ("h KEEPTTL FIELDS 1 b", Err(SYNTAX)),
        ("h NX FIELDS 1 b", Err(SYNTAX)),
        ("h FNX FIELDS 1 b", Err(SYNTAX)),
        ("h FIELDS 2 a", Err(COUNT)),
        ("h FIELDS 1 a b", Err(COUNT)),
        ("h a b FIELDS", Err(COUNT)),
        ("fields FIELDS 1 a", Err(INTEGER)),
    ] {
        let arguments = split(line);
        let parsed = parse_hgetex(&arguments);
        let found = shown(&parsed).map(|(options, _)| options.expiry);
        assert_eq!(found, expected.map_err(str::to_owned), "{line}");
    }
}

#[test]
fn arguments_of_hrandfield() {
    const BOUNDS: &str = "ERR value is out of range, value must between \
                          -9223372036854775807 and 9223372036854775807";
    const RANGE: &str = "ERR value is out of range";
    for (line, expected) in [
        ("5", Ok((5, false))),
        ("-5 WithValues", Ok((-5, true))),
        (
            "4611686018427387903 withvalues",
            Ok((4_611_686_018_427_387_903, true)),
        ),
        ("x FOO", Err(INTEGER)),
        ("-0", Err(INTEGER)),
        ("5 FOO", Err(SYNTAX)),
        ("5 WITHVALUES x", Err(SYNTAX)),
        ("-9223372036854775808 FOO", Err(BOUNDS)),
        ("4611686018427387904 withvalues", Err(RANGE)),
        ("-4611686018427387904 withvalues", Err(RANGE)),
    ] {
        let parsed = parse_random(&split(line))
            .map(|wanted| wanted.map(|wanted| (wanted.count, wanted.values)))
            .map_err(|error| error.to_string());
        assert_eq!(parsed, expected.map(Some).map_err(str::to_owned), "{line}");
    }
    assert_eq!(parse_random(&[]), Ok(None));
}
