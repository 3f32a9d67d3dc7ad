//! The digits of a double by Grisu2: Florian Loitsch, "Printing Floating-Point Numbers
//! Quickly and Accurately with Integers", 2010, section 5.
//!
//! The reference prints doubles this way, and its digits are to be met: they always read back
//! as the same double, but in one case of about a thousand there are shorter ones, and more
//! often closer ones. Owns the digits and the power of ten, not how they are laid out. Pure;
//! any thread.

use super::powers::{FIRST, POWERS, STEP};

/// Between these the exponent of a scaled number lies, so that its whole part has 32 bits.
const EXPONENT_MIN: i32 = -60;
/// See [`EXPONENT_MIN`].
const EXPONENT_MAX: i32 = -32;
/// Bits of a double's fraction.
const FRACTION_BITS: u32 = 52;
/// The exponent of a double whose exponent's bits are all zero.
const LEAST_EXPONENT: i32 = -1074;

/// `significand * 2^exponent`, not negative.
#[derive(Clone, Copy)]
struct Wide {
    significand: u64,
    exponent: i32,
}

impl Wide {
    fn normalized(self) -> Self {
        let zeros = self.significand.leading_zeros();
        Self {
            significand: self.significand << zeros,
            exponent: self.exponent - zeros.cast_signed(),
        }
    }

    /// With another exponent, not above its own.
    fn at(self, exponent: i32) -> Self {
        Self {
            significand: self.significand << (self.exponent - exponent),
            exponent,
        }
    }

    /// The product's highest 64 bits, rounded.
    fn times(self, other: Self) -> Self {
        let product = u128::from(self.significand) * u128::from(other.significand);
        Self {
            significand: ((product + (1 << 63)) >> 64) as u64,
            exponent: self.exponent + other.exponent + 64,
        }
    }
}

/// What reads back as one double: the double itself, and where its neighbours begin.
struct Interval {
    value: Wide,
    lower: Wide,
    upper: Wide,
}

impl Interval {
    /// That of a positive finite double; all three have the exponent of the normalized upper
    /// bound, the value its own, which is the same.
    fn of(double: f64) -> Self {
        let bits = double.to_bits();
        let fraction = bits & ((1 << FRACTION_BITS) - 1);
        let biased = (bits >> FRACTION_BITS) as i32;
        let value = Wide {
            significand: if biased == 0 {
                fraction
            } else {
                fraction | 1 << FRACTION_BITS
            },
            exponent: LEAST_EXPONENT + (biased - 1).max(0),
        };
        let half = Wide {
            significand: (value.significand << 1) + 1,
            exponent: value.exponent - 1,
        };
        let upper = half.normalized();
        // Below a power of two the neighbour is twice as near.
        let bits_more = if value.significand == 1 << FRACTION_BITS {
            2
        } else {
            1
        };
        let lower = Wide {
            significand: (value.significand << bits_more) - 1,
            exponent: value.exponent - bits_more,
        };
        Self {
            value: value.normalized(),
            lower: lower.at(upper.exponent),
            upper,
        }
    }
}

/// The power of ten that brings a number of this exponent into the range, and its exponent.
fn power_for(exponent: i32) -> (Wide, i32) {
    const LOG10_OF_2: f64 = 0.301_029_995_663_981_14;
    let entries = POWERS.len() as i32;
    let guess = (f64::from(-(exponent + entries)) * LOG10_OF_2) as i32;
    let mut index = ((guess - FIRST) / STEP).clamp(0, entries - 1);
    loop {
        let (significand, power_exponent) = POWERS[index as usize];
        let scaled = exponent + power_exponent + 64;
        if scaled < EXPONENT_MIN && index + 1 < entries {
            index += 1;
        } else if scaled > EXPONENT_MAX && index > 0 {
            index -= 1;
        } else {
            let power = Wide {
                significand,
                exponent: power_exponent,
            };
            return (power, FIRST + index * STEP);
        }
    }
}

/// The digits of a positive finite double, and the power of ten of the last one.
pub(super) fn digits(double: f64) -> (String, i32) {
    let interval = Interval::of(double);
    let (power, power_of_ten) = power_for(interval.upper.exponent);
    let value = interval.value.times(power);
    // The product may be off by its last bit.
    let upper = interval.upper.times(power).significand - 1;
    let lower = interval.lower.times(power).significand + 1;
    let mut writer = Writer {
        digits: String::with_capacity(17),
        to_value: upper - value.significand,
    };
    let exponent = writer.write(upper, upper - lower, -value.exponent);
    (writer.digits, exponent - power_of_ten)
}

/// Writes the digits of the upper bound until what is left is within the interval.
struct Writer {
    digits: String,
    /// From the upper bound down to the value, in the unit of the scaled numbers.
    to_value: u64,
}

impl Writer {
    /// The power of ten of the last digit. `width`: of the interval; `fraction_bits`: of the
    /// scaled numbers.
    fn write(&mut self, upper: u64, mut width: u64, fraction_bits: i32) -> i32 {
        let one = 1_u64 << fraction_bits;
        let (mut whole, mut fraction) = (upper >> fraction_bits, upper & (one - 1));
        for exponent in (0..10).rev() {
            let unit = 10_u64.pow(exponent);
            self.push(whole / unit);
            whole %= unit;
            let rest = (whole << fraction_bits) + fraction;
            if rest <= width {
                self.approach(width, rest, unit << fraction_bits, self.to_value);
                return exponent.cast_signed();
            }
        }
        let (mut exponent, mut scale) = (0, 1_u64);
        loop {
            fraction *= 10;
            width *= 10;
            scale = scale.wrapping_mul(10);
            exponent -= 1;
            self.push(fraction >> fraction_bits);
            fraction &= one - 1;
            if fraction < width {
                let to_value = self.to_value.wrapping_mul(scale);
                self.approach(width, fraction, one, to_value);
                return exponent;
            }
        }
    }

    fn push(&mut self, digit: u64) {
        if digit > 0 || !self.digits.is_empty() {
            self.digits.push(char::from(b'0' + digit as u8));
        }
    }

    /// Lowers the last digit while that brings the number closer to the value and keeps it in
    /// the interval. `rest`: from the upper bound down to the number; `unit`: of its last digit.
    fn approach(&mut self, width: u64, mut rest: u64, unit: u64, to_value: u64) {
        let Some(mut last) = self.digits.pop() else {
            return;
        };
        while rest < to_value
            && width - rest >= unit
            && (rest + unit < to_value || to_value - rest > rest + unit - to_value)
        {
            last = char::from((last as u8).saturating_sub(1));
            rest += unit;
        }
        self.digits.push(last);
    }
}

#[cfg(test)]
mod tests {
    use super::digits;
    use proptest::prelude::*;

    #[test]
    fn digits_are_those_of_the_reference() {
        // Answers of ZSCORE of Valkey 9.1.2.
        for (double, expected) in [
            (0.1, ("1", -1)),
            (5e-324, ("5", -324)),
            (f64::MAX, ("17976931348623157", 292)),
            (f64::MIN_POSITIVE, ("22250738585072014", -324)),
        ] {
            let (text, exponent) = digits(double);
            assert_eq!((text.as_str(), exponent), expected, "{double:e}");
        }
    }

    proptest! {
        #[test]
        fn digits_read_back_as_the_double(bits in 1_u64..0x7ff0_0000_0000_0000) {
            let double = f64::from_bits(bits);
            let (text, exponent) = digits(double);
            prop_assert!(text.len() <= 17);
            prop_assert!(!text.starts_with('0'));
            prop_assert_eq!(format!("{text}e{exponent}").parse::<f64>(), Ok(double));
        }
    }
}
