//! The 80-bit extended float behind INCRBYFLOAT and HINCRBYFLOAT: a 64-bit
//! mantissa, as the reference's `long double` on x86-64.
//!
//! Rust has no such type, so the three operations needed stand here in integer
//! arithmetic: correctly rounded parsing, addition, and printing with at most
//! 17 fractional digits. Digits therefore agree with the reference even where
//! a sum of doubles would not (`0.1 + 0.2` is `0.3`).
//!
//! Differences: hexadecimal text, which `strtold` takes, is refused, and
//! magnitudes below 2^-16382 keep their full mantissa (they print as 0 either
//! way). Pure; runs on any thread.
//!
//! INVARIANT: a mantissa is zero or has its top bit set, so of two values the
//! one with the larger exponent is the larger.

use std::cmp::Ordering;
use std::fmt;

use super::{is_infinity, split_sign};

/// Longest text parsed, in bytes; the reference's buffer, less its terminator.
const LONGEST_TEXT_BYTES: usize = 5 * 1024 - 1;
/// The largest and smallest power of two of a mantissa's top bit.
const LARGEST_EXPONENT: i32 = 16_383;
const SMALLEST_EXPONENT: i32 = -16_446;
/// 10^17: printing keeps 17 fractional digits.
const FRACTION_SCALE: u128 = 100_000_000_000_000_000;

/// A finite or infinite extended float; never not-a-number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongDouble {
    negative: bool,
    magnitude: Magnitude,
}

/// `mantissa * 2^exponent`, or beyond the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Magnitude {
    Finite { mantissa: u64, exponent: i32 },
    Infinite,
}

impl LongDouble {
    /// Parses decimal text, hexadecimal text as C's `strtold` reads it
    /// (`0x1.8p3`), or `inf`/`infinity` in any case, with an optional sign.
    /// Refuses blanks, not-a-number, more than 5,119 bytes, and what overflows
    /// or underflows the range (about 10^±4932).
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > LONGEST_TEXT_BYTES {
            return None;
        }
        let (negative, unsigned) = split_sign(text);
        if is_infinity(unsigned) {
            return Some(Self {
                negative,
                magnitude: Magnitude::Infinite,
            });
        }
        if let [b'0', b'x' | b'X', digits @ ..] = unsigned {
            return Self::parse_hexadecimal(negative, digits);
        }
        let (digits, power) = decimal_parts(unsigned)?;
        let mantissa_digits = i64::try_from(digits.len()).ok()?;
        if digits.is_empty() {
            return Some(Self::from_parts(negative, 0, false, 0));
        }
        // Far outside the range: refused before any power of ten is computed.
        if !(-5_000..=5_000).contains(&power.saturating_add(mantissa_digits)) {
            return None;
        }
        let mut numerator = Natural::from_digits(&digits);
        let mut denominator = Natural::from_digits(b"1");
        let scaled = if power < 0 {
            &mut denominator
        } else {
            &mut numerator
        };
        for _ in 0..power.unsigned_abs() {
            scaled.multiply_add(10, 0);
        }
        Self::from_ratio(negative, numerator, denominator).in_range()
    }

    /// The value, unless it left the range.
    fn in_range(self) -> Option<Self> {
        match self.magnitude {
            Magnitude::Finite { exponent, .. } if exponent + 63 >= SMALLEST_EXPONENT => Some(self),
            _ => None,
        }
    }

    /// Parses what follows `0x`: digits with an optional point, then an
    /// optional binary exponent in decimal.
    fn parse_hexadecimal(negative: bool, text: &[u8]) -> Option<Self> {
        /// Beyond it every exponent is out of range.
        const EXPONENT_LIMIT: i32 = 100_000;
        let exponent_at = text.iter().position(|byte| matches!(byte, b'p' | b'P'));
        let (digits, exponent) = match exponent_at {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        let (mut wide, mut lost, mut power) = (0_u128, false, 0_i32);
        let (mut has_digit, mut has_point) = (false, false);
        for &byte in digits {
            if byte == b'.' && !has_point {
                has_point = true;
                continue;
            }
            let digit = char::from(byte).to_digit(16)?;
            has_digit = true;
            if wide >> 120 == 0 {
                wide = wide << 4 | u128::from(digit);
                power -= if has_point { 4 } else { 0 };
            } else {
                lost |= digit != 0;
                power += if has_point { 0 } else { 4 };
            }
        }
        if !has_digit {
            return None;
        }
        if let Some(exponent) = exponent {
            let (is_negative, number) = split_sign(exponent);
            if number.is_empty() || !number.iter().all(u8::is_ascii_digit) {
                return None;
            }
            let value = number.iter().fold(0_i32, |value, digit| {
                (value * 10 + i32::from(digit - b'0')).min(EXPONENT_LIMIT)
            });
            power += if is_negative { -value } else { value };
        }
        if wide == 0 {
            return Some(Self::from_parts(negative, 0, false, 0));
        }
        Self::from_parts(negative, wide, lost, power).in_range()
    }

    /// Whether this is not an infinity.
    #[must_use]
    pub fn is_finite(self) -> bool {
        self.magnitude != Magnitude::Infinite
    }

    /// The rounded sum. `None` where the result is an infinity or not a number.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let sum = match (self.magnitude, other.magnitude) {
            (
                Magnitude::Finite {
                    mantissa: a,
                    exponent: a_exponent,
                },
                Magnitude::Finite {
                    mantissa: b,
                    exponent: b_exponent,
                },
            ) => {
                if b == 0 {
                    return Some(self);
                }
                if a == 0 {
                    return Some(other);
                }
                if a_exponent < b_exponent {
                    return other.checked_add(self);
                }
                self.add_aligned(a, a_exponent, other, b, b_exponent)
            }
            _ => return None,
        };
        sum.is_finite().then_some(sum)
    }

    /// Adds where `a_exponent >= b_exponent` and neither mantissa is zero.
    fn add_aligned(self, a: u64, a_exponent: i32, other: Self, b: u64, b_exponent: i32) -> Self {
        // 62 spare bits hold a smaller operand exactly, or all of it that can
        // matter and a flag for the rest.
        const SPARE_BITS: u32 = 62;
        let distance = a_exponent.abs_diff(b_exponent);
        let wide_a = u128::from(a) << SPARE_BITS;
        let (wide_b, lost) = if distance <= SPARE_BITS {
            (u128::from(b) << (SPARE_BITS - distance), false)
        } else if distance - SPARE_BITS >= 64 {
            (0, true)
        } else {
            let dropped = distance - SPARE_BITS;
            (u128::from(b >> dropped), b << (64 - dropped) != 0)
        };
        let exponent = a_exponent - 62;
        if self.negative == other.negative {
            return Self::from_parts(self.negative, wide_a + wide_b, lost, exponent);
        }
        match wide_a.cmp(&wide_b) {
            Ordering::Equal => Self::from_parts(false, 0, false, 0),
            Ordering::Less => Self::from_parts(other.negative, wide_b - wide_a, false, exponent),
            Ordering::Greater => Self::from_parts(
                self.negative,
                wide_a - wide_b - u128::from(lost),
                lost,
                exponent,
            ),
        }
    }

    /// Rounds `(bits + something below one if sticky) * 2^exponent` to nearest,
    /// ties to even. A sticky value must have at least 65 significant bits.
    fn from_parts(negative: bool, bits: u128, sticky: bool, exponent: i32) -> Self {
        if bits == 0 {
            // One zero only: no text the reference prints shows its sign.
            return Self {
                negative: false,
                magnitude: Magnitude::Finite {
                    mantissa: 0,
                    exponent: 0,
                },
            };
        }
        // Left-aligned: the upper 64 bits are the mantissa, the rest decides.
        let shift = bits.leading_zeros();
        let aligned = bits << shift;
        let shift = i32::try_from(shift).unwrap_or(0);
        let mut mantissa = (aligned >> 64) as u64;
        let mut exponent = exponent - shift + 64;
        let rest = aligned & u128::from(u64::MAX);
        let half = 1_u128 << 63;
        if rest > half || (rest == half && (sticky || mantissa & 1 == 1)) {
            if let Some(next) = mantissa.checked_add(1) {
                mantissa = next;
            } else {
                mantissa = 1 << 63;
                exponent += 1;
            }
        }
        let magnitude = if exponent + 63 > LARGEST_EXPONENT {
            Magnitude::Infinite
        } else {
            Magnitude::Finite { mantissa, exponent }
        };
        Self {
            negative,
            magnitude,
        }
    }

    /// The quotient of two positive numbers, correctly rounded.
    fn from_ratio(negative: bool, mut numerator: Natural, mut denominator: Natural) -> Self {
        const QUOTIENT_BITS: i32 = 67;
        // Bring the quotient into (1/4, 1): then 67 bits of it hold at least 65
        // significant ones.
        let up = i64::from(denominator.bits()) - i64::from(numerator.bits()) - 1;
        let distance = u32::try_from(up.unsigned_abs()).unwrap_or(0);
        if up > 0 {
            numerator.shift_left(distance);
        } else {
            denominator.shift_left(distance);
        }
        let mut quotient = 0_u128;
        for _ in 0..QUOTIENT_BITS {
            numerator.shift_left(1);
            quotient <<= 1;
            if numerator.compare(&denominator) != Ordering::Less {
                numerator.subtract(&denominator);
                quotient |= 1;
            }
        }
        let up = i32::try_from(up).unwrap_or(0);
        Self::from_parts(
            negative,
            quotient,
            !numerator.is_zero(),
            -QUOTIENT_BITS - up,
        )
    }
}

impl fmt::Display for LongDouble {
    /// Prints as the reference does: never an exponent, at most 17 fractional
    /// digits rounded half to even, trailing zeros off, no `-0`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mantissa, exponent) = match self.magnitude {
            Magnitude::Infinite => {
                return formatter.write_str(if self.negative { "-inf" } else { "inf" });
            }
            Magnitude::Finite { mantissa, exponent } => (mantissa, exponent),
        };
        let sign = if self.negative { "-" } else { "" };
        if exponent >= 0 && mantissa != 0 {
            let mut whole = Natural::from_u64(mantissa);
            whole.shift_left(exponent.unsigned_abs());
            return write!(formatter, "{sign}{}", whole.into_decimal());
        }
        // 64 bits times 10^17 stay below 2^121.
        let scaled = u128::from(mantissa) * FRACTION_SCALE;
        let drop_bits = exponent.unsigned_abs();
        let rounded = if drop_bits >= 128 {
            0
        } else {
            let kept = scaled >> drop_bits;
            let rest = scaled - (kept << drop_bits);
            let half = (1_u128 << drop_bits) >> 1;
            let up = drop_bits > 0 && (rest > half || (rest == half && kept & 1 == 1));
            kept + u128::from(up)
        };
        if rounded == 0 {
            return formatter.write_str("0");
        }
        let whole = rounded / FRACTION_SCALE;
        let fraction = rounded % FRACTION_SCALE;
        if fraction == 0 {
            return write!(formatter, "{sign}{whole}");
        }
        let fraction = format!("{fraction:017}");
        write!(
            formatter,
            "{sign}{whole}.{}",
            fraction.trim_end_matches('0')
        )
    }
}

/// Splits unsigned decimal text into its significant digits (no leading zero;
/// empty for zero) and the power of ten of the last of them.
fn decimal_parts(unsigned: &[u8]) -> Option<(Vec<u8>, i64)> {
    let (number, power) = match unsigned.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (unsigned.get(..at)?, decimal_power(unsigned.get(at + 1..)?)?),
        None => (unsigned, 0),
    };
    let mut digits = Vec::with_capacity(number.len());
    let mut fraction_digits = None;
    for byte in number {
        match byte {
            b'0'..=b'9' => {
                digits.push(*byte);
                if let Some(count) = &mut fraction_digits {
                    *count += 1;
                }
            }
            b'.' if fraction_digits.is_none() => fraction_digits = Some(0_i64),
            _ => return None,
        }
    }
    if digits.is_empty() {
        return None;
    }
    let zeros = digits.iter().take_while(|byte| **byte == b'0').count();
    digits.drain(..zeros);
    Some((digits, power - fraction_digits.unwrap_or(0)))
}

/// The exponent of decimal text; one beyond any range stops growing.
fn decimal_power(text: &[u8]) -> Option<i64> {
    let (negative, digits) = split_sign(text);
    if digits.is_empty() {
        return None;
    }
    let mut power = 0_i64;
    for byte in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        power = (power * 10 + i64::from(byte - b'0')).min(1_000_000);
    }
    Some(if negative { -power } else { power })
}

/// A natural number of any size in 32-bit limbs, the lowest first, without
/// leading zero limbs.
struct Natural(Vec<u32>);

impl Natural {
    fn from_u64(value: u64) -> Self {
        let mut natural = Self(vec![value as u32, (value >> 32) as u32]);
        natural.trim();
        natural
    }

    fn from_digits(digits: &[u8]) -> Self {
        let mut natural = Self(Vec::new());
        for digit in digits {
            natural.multiply_add(10, u32::from(digit - b'0'));
        }
        natural
    }

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    fn bits(&self) -> u32 {
        self.0.last().map_or(0, |top| {
            let below = u32::try_from(self.0.len() - 1).unwrap_or(0) * 32;
            below + 32 - top.leading_zeros()
        })
    }

    fn multiply_add(&mut self, factor: u32, addend: u32) {
        let mut carry = u64::from(addend);
        for limb in &mut self.0 {
            let product = u64::from(*limb) * u64::from(factor) + carry;
            *limb = product as u32;
            carry = product >> 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    fn shift_left(&mut self, bits: u32) {
        let small = bits % 32;
        if small > 0 {
            self.multiply_add(1 << small, 0);
        }
        if !self.is_zero() {
            let limbs = (bits / 32) as usize;
            self.0.splice(0..0, std::iter::repeat_n(0, limbs));
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        let by_length = self.0.len().cmp(&other.0.len());
        by_length.then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    /// Subtracts a number that is not larger.
    fn subtract(&mut self, other: &Self) {
        let mut borrow = 0_i64;
        for (index, limb) in self.0.iter_mut().enumerate() {
            let taken = i64::from(other.0.get(index).copied().unwrap_or(0));
            let difference = i64::from(*limb) - taken - borrow;
            borrow = i64::from(difference < 0);
            *limb = difference as u32;
        }
        self.trim();
    }

    fn into_decimal(mut self) -> String {
        const GROUP: u64 = 1_000_000_000;
        let mut groups = Vec::new();
        while !self.is_zero() {
            let mut rest = 0_u64;
            for limb in self.0.iter_mut().rev() {
                let part = (rest << 32) | u64::from(*limb);
                *limb = (part / GROUP) as u32;
                rest = part % GROUP;
            }
            self.trim();
            groups.push(rest);
        }
        let mut text = groups.pop().unwrap_or(0).to_string();
        for group in groups.iter().rev() {
            text.push_str(&format!("{group:09}"));
        }
        text
    }
}

#[cfg(test)]
mod tests;
