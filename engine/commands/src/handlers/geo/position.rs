//! Positions on the earth, their 52-bit hashes and the distance between two.
//!
//! Owns the arithmetic, which has to agree with Valkey's to the last bit: the order of
//! its operations is part of it. Does not know keys or commands. Pure; any thread.
//!
//! A hash interleaves two fixed-point fractions, of the longitude in its odd bits and of
//! the latitude in its even ones (G. Niemeyer's geohash), `step` bits each: a cell of the
//! earth. The score of a member is its cell of 26 steps.

use std::f64::consts::PI;

/// Radius of the earth, in metres.
pub(super) const EARTH_RADIUS_M: f64 = 6_372_797.560_856;
/// Steps of the hash that is a score.
pub(super) const STEPS: u32 = 26;

const LONGITUDES: (f64, f64) = (-180.0, 180.0);
/// Those of the Mercator projection: the poles have no place in it.
const LATITUDES: (f64, f64) = (-85.05112878, 85.05112878);
/// Those of the text form of a geohash.
const WHOLE_LATITUDES: (f64, f64) = (-90.0, 90.0);

const ODD_BITS: u64 = 0xaaaa_aaaa_aaaa_aaaa;
const EVEN_BITS: u64 = 0x5555_5555_5555_5555;

/// A longitude and a latitude, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Position {
    pub(super) longitude: f64,
    pub(super) latitude: f64,
}

/// A cell of the earth: `step` bits of each fraction, interleaved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) bits: u64,
    pub(super) step: u32,
}

/// What a cell covers, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Area {
    pub(super) longitudes: (f64, f64),
    pub(super) latitudes: (f64, f64),
}

impl Position {
    /// Whether it has a place in the projection.
    pub(super) fn is_valid(self) -> bool {
        (LONGITUDES.0..=LONGITUDES.1).contains(&self.longitude)
            && (LATITUDES.0..=LATITUDES.1).contains(&self.latitude)
    }

    /// The position that a score stands for: the middle of its cell.
    pub(super) fn of_score(score: f64) -> Self {
        let bits = bits_of(score);
        Cell { bits, step: STEPS }.area().middle()
    }

    /// The cell of that many steps.
    pub(super) fn cell(self, step: u32) -> Cell {
        cell_within(self, LATITUDES, step)
    }

    /// The score of a member here.
    pub(super) fn score(self) -> f64 {
        self.cell(STEPS).bits as f64
    }

    /// The eleven characters of the geohash that the world uses: its latitudes go from
    /// pole to pole, and of its 55 bits the last three are always 0 here.
    pub(super) fn text(self) -> [u8; 11] {
        const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
        let bits = cell_within(self, WHOLE_LATITUDES, STEPS).bits;
        let mut text = [ALPHABET[0]; 11];
        for (place, character) in text.iter_mut().take(10).enumerate() {
            let index = bits >> (52 - (place + 1) * 5) & 0x1f;
            *character = ALPHABET[index as usize];
        }
        text
    }

    /// The distance on the surface, in metres, by the haversine formula.
    pub(super) fn distance_m(self, other: Self) -> f64 {
        let (from, to) = (radians(self.longitude), radians(other.longitude));
        let v = ((to - from) / 2.0).sin();
        if v == 0.0 {
            return latitude_distance_m(self.latitude, other.latitude);
        }
        let (from, to) = (radians(self.latitude), radians(other.latitude));
        let u = ((to - from) / 2.0).sin();
        let a = u * u + from.cos() * to.cos() * v * v;
        2.0 * EARTH_RADIUS_M * a.sqrt().asin()
    }
}

/// The distance of two positions of the same longitude, in metres.
pub(super) fn latitude_distance_m(one: f64, other: f64) -> f64 {
    EARTH_RADIUS_M * (radians(other) - radians(one)).abs()
}

pub(super) fn radians(degrees: f64) -> f64 {
    degrees * (PI / 180.0)
}

pub(super) fn degrees(radians: f64) -> f64 {
    radians / (PI / 180.0)
}

/// The bits of a score, as C converts a double: any score may be asked for.
fn bits_of(score: f64) -> u64 {
    const END: f64 = 18_446_744_073_709_551_616.0;
    if score < 0.0 {
        (score as i64) as u64
    } else if score < END {
        score as u64
    } else {
        0
    }
}

fn cell_within(position: Position, latitudes: (f64, f64), step: u32) -> Cell {
    let fraction = |value: f64, (least, greatest): (f64, f64)| {
        let offset = (value - least) / (greatest - least);
        (offset * (1_u64 << step) as f64) as u32
    };
    let latitude = fraction(position.latitude, latitudes);
    let longitude = fraction(position.longitude, LONGITUDES);
    Cell {
        bits: spread(latitude) | spread(longitude) << 1,
        step,
    }
}

/// The bits of a number at the even places.
fn spread(number: u32) -> u64 {
    let mut bits = u64::from(number);
    bits = (bits | bits << 16) & 0x0000_ffff_0000_ffff;
    bits = (bits | bits << 8) & 0x00ff_00ff_00ff_00ff;
    bits = (bits | bits << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    bits = (bits | bits << 2) & 0x3333_3333_3333_3333;
    (bits | bits << 1) & EVEN_BITS
}

/// Undoes [`spread`], whatever stands at the odd places.
fn gather(bits: u64) -> u32 {
    let mut bits = bits & EVEN_BITS;
    bits = (bits | bits >> 1) & 0x3333_3333_3333_3333;
    bits = (bits | bits >> 2) & 0x0f0f_0f0f_0f0f_0f0f;
    bits = (bits | bits >> 4) & 0x00ff_00ff_00ff_00ff;
    bits = (bits | bits >> 8) & 0x0000_ffff_0000_ffff;
    (bits | bits >> 16) as u32
}

impl Cell {
    /// What it covers.
    pub(super) fn area(self) -> Area {
        let whole = (1_u64 << self.step) as f64;
        let side = |index: u32, (least, greatest): (f64, f64)| {
            let scale = greatest - least;
            let at = |index: u32| least + (f64::from(index) / whole) * scale;
            (at(index), at(index.wrapping_add(1)))
        };
        Area {
            longitudes: side(gather(self.bits >> 1), LONGITUDES),
            latitudes: side(gather(self.bits), LATITUDES),
        }
    }

    /// The cell so many cells to the east and to the north, around the world.
    pub(super) fn neighbour(self, east: i32, north: i32) -> Self {
        let unused = 64 - self.step * 2;
        let longitude = moved(self.bits, ODD_BITS, EVEN_BITS >> unused, unused, east);
        let latitude = moved(self.bits, EVEN_BITS, ODD_BITS >> unused, unused, north);
        Self {
            bits: longitude | latitude,
            step: self.step,
        }
    }

    /// The scores of the members in it, from the first to before the second.
    pub(super) fn scores(self) -> (f64, f64) {
        let shift = (STEPS - self.step) * 2;
        let at = |bits: u64| (bits << shift) as f64;
        (at(self.bits), at(self.bits.wrapping_add(1)))
    }
}

/// One fraction, at the places of `own`, one up or down; `others` are the places between
/// them, filled so that a carry passes over.
fn moved(bits: u64, own: u64, others: u64, unused: u32, by: i32) -> u64 {
    let fraction = bits & own;
    let moved = match by {
        0 => return fraction,
        1.. => fraction.wrapping_add(others.wrapping_add(1)),
        _ => (fraction | others).wrapping_sub(others.wrapping_add(1)),
    };
    moved & (own >> unused)
}

impl Area {
    fn middle(self) -> Position {
        let middle = |(least, greatest): (f64, f64), (low, high): (f64, f64)| {
            f64::midpoint(least, greatest).clamp(low, high)
        };
        Position {
            longitude: middle(self.longitudes, LONGITUDES),
            latitude: middle(self.latitudes, LATITUDES),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PALERMO: Position = Position {
        longitude: 13.361389,
        latitude: 38.115556,
    };

    #[test]
    fn a_position_survives_its_score_but_for_the_size_of_a_cell() {
        assert_eq!(PALERMO.score(), 3_479_099_956_230_698.0);
        let back = Position::of_score(PALERMO.score());
        assert_eq!(back.longitude, 13.361389338970184);
        assert_eq!(back.latitude, 38.1155563954963);
        assert_eq!(&back.text(), b"sqc8b49rny0");
        assert_eq!(back.score(), PALERMO.score());
    }

    #[test]
    fn neighbours_touch_and_lead_around_the_world() {
        for step in [1, 5, 20, 26] {
            let cell = PALERMO.cell(step);
            let (east, north) = (cell.neighbour(1, 0), cell.neighbour(0, 1));
            assert_eq!(east.neighbour(-1, 0), cell);
            assert_eq!(north.neighbour(0, -1), cell);
            assert_eq!(cell.neighbour(1, 1), east.neighbour(0, 1));
            if step > 1 {
                assert_eq!(cell.area().longitudes.1, east.area().longitudes.0);
                assert_eq!(cell.area().latitudes.1, north.area().latitudes.0);
            }
        }
    }

    #[test]
    fn any_score_is_some_position() {
        for score in [
            -1.0,
            1e300,
            f64::INFINITY,
            f64::NEG_INFINITY,
            0.5,
            2f64.powi(60),
        ] {
            assert!(Position::of_score(score).is_valid(), "{score}");
        }
    }

    #[test]
    fn distances_are_those_on_the_sphere() {
        let other = Position {
            longitude: 15.087269,
            latitude: 37.502669,
        };
        let cells = [PALERMO, other].map(|place| Position::of_score(place.score()));
        let distance_m = cells[0].distance_m(cells[1]);
        assert!((distance_m - 166_274.0).abs() < 1.0);
        assert_eq!(cells[0].distance_m(cells[0]), 0.0);
    }
}
