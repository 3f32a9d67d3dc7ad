//! Numbers as the C library prints and reads them: `%.Ng` and `strtod`.
//!
//! Owns nothing. Pure; any thread.

/// The number as `%.{precision}g` prints it; `precision` is at least 1.
pub(super) fn general(value: f64, precision: usize) -> String {
    if value.is_nan() {
        return if value.is_sign_negative() {
            "-nan"
        } else {
            "nan"
        }
        .to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let precision = precision.max(1);
    let scientific = format!("{:.*e}", precision.saturating_sub(1), value);
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let below = i32::try_from(precision).unwrap_or(i32::MAX);
    if exponent < -4 || exponent >= below {
        let sign = if exponent < 0 { '-' } else { '+' };
        let size = exponent.unsigned_abs();
        return format!("{}e{sign}{size:02}", without_zeros(digits));
    }
    let decimals = usize::try_from(below.saturating_sub(1).saturating_sub(exponent)).unwrap_or(0);
    without_zeros(&format!("{value:.decimals$}")).to_owned()
}

fn without_zeros(digits: &str) -> &str {
    if digits.contains('.') {
        digits.trim_end_matches('0').trim_end_matches('.')
    } else {
        digits
    }
}

/// The number at the start of the bytes as `strtod` reads it, and how many bytes it takes.
pub(super) fn leading(bytes: &[u8]) -> Option<(f64, usize)> {
    let (is_negative, start) = match bytes.first() {
        Some(b'-') => (true, 1),
        Some(b'+') => (false, 1),
        _ => (false, 0),
    };
    let rest = bytes.get(start..)?;
    let (value, taken) = unsigned(rest)?;
    let value = if is_negative { -value } else { value };
    Some((value, start.saturating_add(taken)))
}

fn unsigned(bytes: &[u8]) -> Option<(f64, usize)> {
    let begins = |word: &[u8]| {
        let head = bytes.get(..word.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(word))
    };
    for (word, value) in [
        (&b"infinity"[..], f64::INFINITY),
        (b"inf", f64::INFINITY),
        (b"nan", f64::NAN),
    ] {
        if begins(word) {
            return Some((value, word.len()));
        }
    }
    if begins(b"0x") {
        let digits = bytes
            .get(2..)?
            .iter()
            .take_while(|it| it.is_ascii_hexdigit());
        let (mut value, mut count) = (0.0, 2_usize);
        for digit in digits {
            value = value * 16.0 + f64::from(char::from(*digit).to_digit(16)?);
            count = count.saturating_add(1);
        }
        return Some(if count > 2 { (value, count) } else { (0.0, 1) });
    }
    let digits = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        rest.iter().take_while(|it| it.is_ascii_digit()).count()
    };
    let whole = digits(0);
    let mut end = whole;
    let mut has_digits = whole > 0;
    if bytes.get(end) == Some(&b'.') {
        let fraction = digits(end.saturating_add(1));
        if has_digits || fraction > 0 {
            has_digits = true;
            end = end.saturating_add(1).saturating_add(fraction);
        }
    }
    if !has_digits {
        return None;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(
            bytes.get(end.saturating_add(1)),
            Some(b'+' | b'-')
        ));
        let from = end.saturating_add(1).saturating_add(sign);
        let exponent = digits(from);
        if exponent > 0 {
            end = from.saturating_add(exponent);
        }
    }
    let text = std::str::from_utf8(bytes.get(..end)?).ok()?;
    Some((text.parse().ok()?, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_printed_as_c_does() {
        for (value, precision, text) in [
            (0.1, 14, "0.1"),
            (1e15, 14, "1e+15"),
            (1e14, 14, "1e+14"),
            (123_456_789_012_345_680.0, 14, "1.2345678901235e+17"),
            (1.5, 17, "1.5"),
            (0.1, 17, "0.10000000000000001"),
            (1e20, 17, "1e+20"),
            (-3.0, 14, "-3"),
            (0.0001, 14, "0.0001"),
            (0.000_01, 14, "1e-05"),
            (9.999_999_999_999_99, 3, "10"),
            (f64::INFINITY, 14, "inf"),
        ] {
            assert_eq!(general(value, precision), text);
        }
    }

    #[test]
    fn numbers_are_read_as_c_does() {
        for (text, value, taken) in [
            ("12]", 12.0, 2),
            ("-1.5e3,", -1500.0, 6),
            ("1e", 1.0, 1),
            ("1e+", 1.0, 1),
            (".5", 0.5, 2),
            ("1.", 1.0, 2),
            ("0x10", 16.0, 4),
            ("0xg", 0.0, 1),
            ("+7", 7.0, 2),
        ] {
            assert_eq!(leading(text.as_bytes()), Some((value, taken)), "{text}");
        }
        for text in ["", "-", ".", "e5", "x"] {
            assert_eq!(leading(text.as_bytes()), None, "{text}");
        }
    }
}
