//! The shapes that members are searched in: a circle, a box, a polygon.
//!
//! Owns which positions are inside, how far they are from the middle, and which cells a
//! search has to look into. Does not know keys or commands. Pure; any thread.

use super::position::{
    Area, Cell, EARTH_RADIUS_M, Position, STEPS, degrees, latitude_distance_m, radians,
};

/// Half of the length of the equator in the Mercator projection, in metres.
const MERCATOR_MAX_M: f64 = 20_037_726.37;

/// The outline.
#[derive(Clone, Debug)]
pub(super) enum Outline {
    /// All up to that distance, in metres.
    Circle {
        /// The radius.
        radius_m: f64,
    },
    /// All up to half of these, in metres.
    Box {
        /// From west to east.
        width_m: f64,
        /// From south to north.
        height_m: f64,
    },
    /// All inside these corners.
    Polygon(Vec<Position>),
}

/// A shape around its middle.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) middle: Position,
    pub(super) outline: Outline,
}

impl Shape {
    /// A polygon around the middle of its corners on the sphere.
    pub(super) fn polygon(corners: Vec<Position>) -> Self {
        let (mut x, mut y, mut z) = (0.0, 0.0, 0.0);
        for corner in &corners {
            let (longitude, latitude) = (radians(corner.longitude), radians(corner.latitude));
            x += latitude.cos() * longitude.cos();
            y += latitude.cos() * longitude.sin();
            z += latitude.sin();
        }
        let count = corners.len() as f64;
        (x, y, z) = (x / count, y / count, z / count);
        Self {
            middle: Position {
                longitude: degrees(y.atan2(x)),
                latitude: degrees(z.atan2(x.hypot(y))),
            },
            outline: Outline::Polygon(corners),
        }
    }

    /// The distance from the middle in metres, if the position is inside.
    pub(super) fn distance_m(&self, position: Position) -> Option<f64> {
        let distance_m = || self.middle.distance_m(position);
        match &self.outline {
            Outline::Circle { radius_m } => {
                Some(distance_m()).filter(|distance_m| *distance_m <= *radius_m)
            }
            Outline::Box { width_m, height_m } => {
                let north_m = latitude_distance_m(position.latitude, self.middle.latitude);
                if north_m > height_m / 2.0 {
                    return None;
                }
                let beside = Position {
                    longitude: self.middle.longitude,
                    latitude: position.latitude,
                };
                let east_m = position.distance_m(beside);
                (east_m <= width_m / 2.0).then(distance_m)
            }
            Outline::Polygon(corners) => is_inside(corners, position).then(distance_m),
        }
    }

    /// What the shape lies in.
    fn bounds(&self) -> Area {
        let (width_m, height_m) = match &self.outline {
            Outline::Circle { radius_m } => (*radius_m, *radius_m),
            Outline::Box { width_m, height_m } => (width_m / 2.0, height_m / 2.0),
            Outline::Polygon(corners) => {
                return Area {
                    longitudes: range(corners.iter().map(|corner| corner.longitude)),
                    latitudes: range(corners.iter().map(|corner| corner.latitude)),
                };
            }
        };
        let Position {
            longitude,
            latitude,
        } = self.middle;
        let north = degrees(height_m / EARTH_RADIUS_M);
        // The side nearer to the pole spans more degrees.
        let widest = if latitude < 0.0 {
            latitude - north
        } else {
            latitude + north
        };
        let east = degrees(width_m / EARTH_RADIUS_M / radians(widest).cos());
        Area {
            longitudes: (longitude - east, longitude + east),
            latitudes: (latitude - north, latitude + north),
        }
    }

    /// How far it reaches from the middle, in metres.
    fn reach_m(&self) -> f64 {
        match &self.outline {
            Outline::Circle { radius_m } => *radius_m,
            Outline::Box { width_m, height_m } => {
                ((width_m / 2.0) * (width_m / 2.0) + (height_m / 2.0) * (height_m / 2.0)).sqrt()
            }
            Outline::Polygon(corners) => {
                let distances = corners.iter().map(|corner| self.middle.distance_m(*corner));
                distances.fold(0.0, f64::max)
            }
        }
    }

    /// The cells that cover it, in the order in which they are searched: its own and up
    /// to eight around that.
    pub(super) fn cells(&self) -> Vec<Cell> {
        let bounds = self.bounds();
        let mut step = steps_for(self.reach_m(), self.middle.latitude);
        let mut cell = self.middle.cell(step);
        if step > 1 && !reaches(cell, &bounds) {
            step -= 1;
            cell = self.middle.cell(step);
        }
        let area = cell.area();
        // Where the cell itself goes beyond the bounds, nothing further is asked for.
        let (west, east) = (
            step >= 2 && area.longitudes.0 < bounds.longitudes.0,
            step >= 2 && area.longitudes.1 > bounds.longitudes.1,
        );
        let (south, north) = (
            step >= 2 && area.latitudes.0 < bounds.latitudes.0,
            step >= 2 && area.latitudes.1 > bounds.latitudes.1,
        );
        let around = [
            (0, 1),
            (0, -1),
            (1, 0),
            (-1, 0),
            (1, 1),
            (-1, 1),
            (1, -1),
            (-1, -1),
        ];
        let mut cells = vec![cell];
        for (eastward, northward) in around {
            let is_left_out = (eastward == 1 && east)
                || (eastward == -1 && west)
                || (northward == 1 && north)
                || (northward == -1 && south);
            let next = cell.neighbour(eastward, northward);
            // In a search around the world neighbours are the same cell. The first cell
            // is compared with none, as in the reference.
            let is_again = cells.len() > 1 && cells.last() == Some(&next);
            if !is_left_out && !is_again {
                cells.push(next);
            }
        }
        cells
    }
}

fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold(
        (f64::INFINITY, f64::NEG_INFINITY),
        |(least, greatest), value| (least.min(value), greatest.max(value)),
    )
}

/// How many steps a cell has whose surroundings hold a search of that reach.
fn steps_for(reach_m: f64, latitude: f64) -> u32 {
    if reach_m == 0.0 {
        return STEPS;
    }
    let (mut reach_m, mut step) = (reach_m, 1_i32);
    while reach_m < MERCATOR_MAX_M {
        reach_m *= 2.0;
        step += 1;
    }
    step -= 2;
    // Towards the poles cells get narrow.
    step -= i32::from(latitude.abs() > 66.0) + i32::from(latitude.abs() > 80.0);
    u32::try_from(step).unwrap_or(1).clamp(1, STEPS)
}

/// Whether the cells beside this one reach to the bounds.
fn reaches(cell: Cell, bounds: &Area) -> bool {
    let beside = |east: i32, north: i32| cell.neighbour(east, north).area();
    beside(0, 1).latitudes.1 >= bounds.latitudes.1
        && beside(0, -1).latitudes.0 <= bounds.latitudes.0
        && beside(1, 0).longitudes.1 >= bounds.longitudes.1
        && beside(-1, 0).longitudes.0 <= bounds.longitudes.0
}

/// Whether a ray to the east leaves the polygon an odd number of times.
fn is_inside(corners: &[Position], position: Position) -> bool {
    let previous = corners.iter().cycle().skip(corners.len().saturating_sub(1));
    let mut inside = false;
    for (one, other) in corners.iter().zip(previous) {
        let is_crossed = (one.latitude > position.latitude) != (other.latitude > position.latitude);
        if is_crossed {
            let slope = (other.longitude - one.longitude) / (other.latitude - one.latitude);
            let crossing = slope * (position.latitude - one.latitude) + one.longitude;
            inside ^= position.longitude < crossing;
        }
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::*;
    use thermocline_base::Random;

    fn position(longitude: f64, latitude: f64) -> Position {
        Position {
            longitude,
            latitude,
        }
    }

    #[test]
    fn the_cells_of_a_shape_cover_all_that_is_inside() {
        let mut random = Random::new(1);
        let mut inside = 0;
        for _ in 0..2000 {
            let mut degrees_below = |bound: u64| random.below(bound * 1000) as f64 / 1000.0;
            let middle = position(degrees_below(340) - 170.0, degrees_below(120) - 60.0);
            let size_m = degrees_below(500) * 1000.0;
            let shape = Shape {
                middle,
                outline: match size_m as u64 % 3 {
                    0 => Outline::Circle { radius_m: size_m },
                    1 => Outline::Box {
                        width_m: size_m,
                        height_m: size_m / 3.0,
                    },
                    _ => Outline::Polygon(vec![
                        position(middle.longitude - 2.0, middle.latitude - 1.0),
                        position(middle.longitude + 2.0, middle.latitude),
                        position(middle.longitude, middle.latitude + 2.0),
                    ]),
                },
            };
            let cells = shape.cells();
            for _ in 0..20 {
                let near = position(
                    middle.longitude + degrees_below(10) - 5.0,
                    middle.latitude + degrees_below(10) - 5.0,
                );
                let near = Position::of_score(near.score());
                if shape.distance_m(near).is_some() {
                    inside += 1;
                    let is_found = cells.iter().any(|cell| {
                        let (least, end) = cell.scores();
                        (least..end).contains(&near.score())
                    });
                    assert!(is_found, "{shape:?} {near:?}");
                }
            }
        }
        assert!(inside > 1000);
    }

    #[test]
    fn a_point_is_inside_a_polygon_or_not() {
        // A square with a notch.
        let corners = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (2.0, 1.0), (0.0, 4.0)];
        let corners: Vec<Position> = corners.iter().map(|(x, y)| position(*x, *y)).collect();
        for (x, y, expected) in [
            (1.0, 1.0, true),
            (3.0, 1.0, true),
            (2.0, 0.5, true),
            (2.0, 2.0, false),
            (0.5, 3.0, true),
            (5.0, 1.0, false),
            (-1.0, 1.0, false),
            (2.0, -1.0, false),
        ] {
            assert_eq!(is_inside(&corners, position(x, y)), expected, "{x} {y}");
        }
    }
}
