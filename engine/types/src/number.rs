//! Numbers as clients write and read them: integers, doubles, and (in
//! [`long_double`]) the wide floats of the increment-by-float commands.
//!
//! Owns parsing and printing, byte-exact with the reference server. Does not
//! know which command asks or what its error reads. Pure; runs on any thread.

mod grisu;
pub mod long_double;
mod powers;

pub use long_double::LongDouble;

/// The longest canonical 64-bit integer, in bytes: `-9223372036854775808`.
const LONGEST_INTEGER_BYTES: usize = 20;

/// Parses a canonical signed 64-bit integer: what [`integer_bytes`] would
/// print and nothing else. No plus sign, blank, leading zero or `-0`.
#[must_use]
pub fn parse_integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    match digits.first() {
        Some(b'1'..=b'9') => {}
        Some(b'0') if text == b"0" => return Some(0),
        _ => return None,
    }
    if text.len() > LONGEST_INTEGER_BYTES {
        return None;
    }
    atoi_simd::parse::<i64, false, false>(text).ok()
}

/// Prints an integer in decimal, 1 to 20 bytes.
#[must_use]
pub fn integer_bytes(value: i64) -> Vec<u8> {
    itoa::Buffer::new().format(value).as_bytes().to_vec()
}

/// Parses a double as the reference does for scores and options: decimal or
/// `inf`/`infinity` in any case with an optional sign, nothing before or
/// after. Refuses not-a-number, hexadecimal, and finite text that overflows
/// to infinity or underflows to zero.
#[must_use]
pub fn parse_double(text: &[u8]) -> Option<f64> {
    let (negative, unsigned) = split_sign(text);
    if is_infinity(unsigned) {
        return Some(if negative {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        });
    }
    // The sign is already off, so a second one must not be taken by the parser.
    if !matches!(unsigned.first(), Some(b'0'..=b'9' | b'.')) {
        return None;
    }
    let magnitude: f64 = fast_float2::parse(unsigned).ok()?;
    if !magnitude.is_finite() || (magnitude == 0.0 && has_nonzero_digit(unsigned)) {
        return None;
    }
    Some(if negative { -magnitude } else { magnitude })
}

/// Prints a double in a short form that reads back the same, with the digits and
/// laid out as the reference does: `3`, `0.1`, `1e+21`, `1e-7`, `inf`, `-inf`, `nan`, `-0`.
/// At most 25 bytes.
#[must_use]
pub fn double_text(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let magnitude = value.abs();
    if magnitude == 0.0 {
        return format!("{sign}0");
    }
    // Whole numbers up to half the 64-bit range print all their digits; beyond
    // it the layout depends on the count of trailing zeros.
    if magnitude <= 4_611_686_018_427_387_904.0 && magnitude.fract() == 0.0 {
        let whole = magnitude as i64;
        return format!("{sign}{}", itoa::Buffer::new().format(whole));
    }
    let (digits, exponent) = grisu::digits(magnitude);
    lay_out(sign, &digits, exponent)
}

/// Prints a double with 17 significant digits, trailing zeros left out, as C's
/// `%.17g`: `0.10000000000000001`, `1e+17`, `inf`, `-0`.
#[must_use]
pub fn precise_double_text(value: f64) -> String {
    const DIGITS: i32 = 17;
    if !value.is_finite() || value == 0.0 {
        return double_text(value);
    }
    if value.abs() < 1e17 && value.fract() == 0.0 {
        // Whole and of at most 17 digits: all of them, and no more.
        return itoa::Buffer::new().format(value as i64).to_owned();
    }
    let scientific = format!("{:.16e}", value.abs());
    let (digits, power) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let sign = if value < 0.0 { "-" } else { "" };
    if (-4..DIGITS).contains(&power) {
        let decimals = usize::try_from(DIGITS - 1 - power).unwrap_or(0);
        let text = format!("{:.decimals$}", value.abs());
        return format!("{sign}{}", without_zeros(&text));
    }
    let power_sign = if power < 0 { '-' } else { '+' };
    let digits = without_zeros(digits);
    format!("{sign}{digits}e{power_sign}{:02}", power.abs())
}

/// The text without the zeros that end its fraction.
fn without_zeros(text: &str) -> &str {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    }
}

/// Arranges `digits * 10^exponent` as the reference's `fpconv` does.
fn lay_out(sign: &str, digits: &str, exponent: i32) -> String {
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    // The power of ten of the first digit.
    let leading = exponent + count - 1;
    if exponent >= 0 && leading < count + 7 {
        let zeros = "0".repeat(usize::try_from(exponent).unwrap_or(0));
        return format!("{sign}{digits}{zeros}");
    }
    if exponent < 0 && (exponent > -7 || leading.abs() < 4) {
        if leading < 0 {
            let zeros = "0".repeat(usize::try_from(-leading - 1).unwrap_or(0));
            return format!("{sign}0.{zeros}{digits}");
        }
        let (whole, fraction) = digits.split_at(usize::try_from(leading + 1).unwrap_or(0));
        return format!("{sign}{whole}.{fraction}");
    }
    let (first, rest) = digits.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    let power_sign = if leading < 0 { '-' } else { '+' };
    format!("{sign}{first}{point}{rest}e{power_sign}{}", leading.abs())
}

/// Takes off one optional sign; whether it was a minus, and the rest.
fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    }
}

/// Whether unsigned text spells infinity.
fn is_infinity(unsigned: &[u8]) -> bool {
    unsigned.eq_ignore_ascii_case(b"inf") || unsigned.eq_ignore_ascii_case(b"infinity")
}

/// Whether the digits before the exponent hold anything but zeros.
fn has_nonzero_digit(unsigned: &[u8]) -> bool {
    unsigned
        .iter()
        .take_while(|byte| !matches!(byte, b'e' | b'E'))
        .any(|byte| matches!(byte, b'1'..=b'9'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_canonical_integers_parse() {
        for (text, value) in [
            ("0", 0),
            ("-1", -1),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(parse_integer(text.as_bytes()), Some(value), "{text}");
        }
        for text in [
            "",
            "-",
            "+1",
            "01",
            "-0",
            "-01",
            " 1",
            "1 ",
            "1a",
            "9223372036854775808",
            "-9223372036854775809",
            "99999999999999999999",
            "00000000000000000000001",
            "1\0",
            "--1",
        ] {
            assert_eq!(parse_integer(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn doubles_print_as_the_reference() {
        // Answers of ZSCORE of Valkey 9.1.2.
        for (text, printed) in [
            ("0.1", "0.1"),
            ("3", "3"),
            ("-1.5", "-1.5"),
            ("1e21", "1e+21"),
            ("1e20", "1e+20"),
            ("1e17", "100000000000000000"),
            ("4e18", "4000000000000000000"),
            ("5e18", "5e+18"),
            ("123456789012345678", "123456789012345680"),
            ("12345678901234567890", "12345678901234567000"),
            ("1e-5", "0.00001"),
            ("0.000001", "0.000001"),
            ("0.0000012", "1.2e-6"),
            ("1e-7", "1e-7"),
            ("1.25e-5", "1.25e-5"),
            ("12345.678901234567", "1.2345678901234567e+4"),
            ("1234.5678901234567", "1234.5678901234567"),
            ("1234567.891", "1234567.891"),
            ("123456.75", "123456.75"),
            ("0.30000000000000004", "0.30000000000000004"),
            ("5e-324", "5e-324"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("-2e30", "-2e+30"),
            ("35.940419808523", "35.940419808522996"),
            ("6016.951217939863", "6016.9512179398635"),
            ("50.97991103285948", "50.979911032859476"),
            ("94.6278635471106", "94.62786354711061"),
            ("9223372036854775807", "9223372036854776000"),
            ("33333333333333333333", "33333333333333330000"),
            ("+5", "5"),
            ("5.", "5"),
            (".5", "0.5"),
            ("-iNf", "-inf"),
            ("Infinity", "inf"),
            ("-0", "-0"),
        ] {
            let value = parse_double(text.as_bytes()).expect(text);
            assert_eq!(double_text(value), printed, "{text}");
        }
    }

    #[test]
    fn precise_doubles_have_seventeen_digits() {
        for (value, text) in [
            (0.1, "0.10000000000000001"),
            (1.1, "1.1000000000000001"),
            (3.0, "3"),
            (-1e16, "-10000000000000000"),
            (99_999_999_999_999_984.0, "99999999999999984"),
            (-0.0, "-0"),
            (3.5e-5, "3.4999999999999997e-05"),
            (1e-7, "9.9999999999999995e-08"),
            (123_456.789, "123456.789"),
            (1e17, "1e+17"),
            (123_456_789_012_345_680.0, "1.2345678901234568e+17"),
            (5e-324, "4.9406564584124654e-324"),
            (f64::MIN, "-1.7976931348623157e+308"),
            (f64::INFINITY, "inf"),
            (0.0001, "0.0001"),
        ] {
            assert_eq!(precise_double_text(value), text);
        }
    }

    #[test]
    fn malformed_doubles_are_refused() {
        for text in [
            "", " 5", "5 ", "nan", "-nan", "1e400", "1e-400", "5e", "1_0", "0x10", "0x1p4", ".",
            "+-5", "--5", "infx", "e5", "+",
        ] {
            assert_eq!(parse_double(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(parse_double(b"0e-400"), Some(0.0));
    }

    proptest! {
        #[test]
        fn integers_round_trip(value: i64) {
            prop_assert_eq!(parse_integer(&integer_bytes(value)), Some(value));
        }

        #[test]
        fn doubles_round_trip(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(!value.is_nan());
            let text = double_text(value);
            prop_assert_eq!(parse_double(text.as_bytes()).map(f64::to_bits), Some(bits));
        }

        #[test]
        fn arbitrary_text_never_panics(text: Vec<u8>) {
            let _ = parse_integer(&text);
            let _ = parse_double(&text);
            let _ = LongDouble::parse(&text);
        }
    }
}
