//! The options of GEOSEARCH, GEOSEARCHSTORE, GEORADIUS and GEORADIUSBYMEMBER.
//!
//! Owns their rules and the order in which errors are found. A member that is searched
//! around is looked up as it is met, for its error comes in that order too. Pure but for
//! that; any thread.

use super::position::Position;
use super::shape::{Outline, Shape};
use crate::arguments::parse_integer;
use crate::error::CommandError;
use thermocline_types::SortedSetRef;
use thermocline_types::number::parse_double;

/// Which command asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// GEOSEARCH and GEOSEARCHSTORE: everything is an option.
    Search { is_stored: bool },
    /// GEORADIUS: a position, a radius, options.
    Radius { may_store: bool },
    /// GEORADIUSBYMEMBER: a member, a radius, options.
    RadiusOfMember { may_store: bool },
}

/// In which order what is found is replied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    NearestFirst,
    FarthestFirst,
}

/// What is asked for.
#[derive(Debug)]
pub(super) struct Asked {
    /// `None` where there is no sorted set to search.
    pub(super) shape: Option<Shape>,
    /// In metres, the unit of distances.
    pub(super) unit_m: f64,
    pub(super) with_distance: bool,
    pub(super) with_hash: bool,
    pub(super) with_position: bool,
    pub(super) order: Option<Order>,
    /// At most so many.
    pub(super) count: Option<usize>,
    /// Whether any so many do.
    pub(super) any: bool,
    /// Whether the result is stored, with its distances as scores.
    pub(super) store: Option<Store>,
}

/// What a stored result has for scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Store {
    Hashes,
    Distances,
}

/// The metres of a unit.
pub(super) fn parse_unit(unit: &[u8]) -> Result<f64, CommandError> {
    let units = [
        (&b"m"[..], 1.0),
        (b"km", 1000.0),
        (b"ft", 0.3048),
        (b"mi", 1609.34),
    ];
    let found = units
        .into_iter()
        .find(|(name, _)| unit.eq_ignore_ascii_case(name));
    found
        .map(|(_, metres)| metres)
        .ok_or(CommandError::UnsupportedUnit)
}

/// A longitude and a latitude.
pub(super) fn parse_position(longitude: &[u8], latitude: &[u8]) -> Result<Position, CommandError> {
    let longitude = parse_double(longitude).ok_or(CommandError::NotFloat)?;
    let latitude = parse_double(latitude).ok_or(CommandError::NotFloat)?;
    let position = Position {
        longitude,
        latitude,
    };
    if position.is_valid() {
        Ok(position)
    } else {
        Err(CommandError::invalid_position(longitude, latitude))
    }
}

/// The place of a member of the set.
fn place_of(set: SortedSetRef<'_>, member: &[u8]) -> Result<Position, CommandError> {
    let score = set.score(member);
    let score = score.ok_or_else(|| CommandError::no_such_member(member))?;
    Ok(Position::of_score(score))
}

/// A radius and its unit, as metres and the unit's.
fn parse_radius(radius: &[u8], unit: &[u8]) -> Result<(Outline, f64), CommandError> {
    let radius = parse_double(radius).ok_or(CommandError::RadiusNotNumeric)?;
    if radius < 0.0 {
        return Err(CommandError::NegativeRadius);
    }
    let unit_m = parse_unit(unit)?;
    let radius_m = radius * unit_m;
    Ok((Outline::Circle { radius_m }, unit_m))
}

fn parse_box(width: &[u8], height: &[u8], unit: &[u8]) -> Result<(Outline, f64), CommandError> {
    let width = parse_double(width).ok_or(CommandError::WidthNotNumeric)?;
    let height = parse_double(height).ok_or(CommandError::HeightNotNumeric)?;
    if width < 0.0 || height < 0.0 {
        return Err(CommandError::NegativeSide);
    }
    let unit_m = parse_unit(unit)?;
    let (width_m, height_m) = (width * unit_m, height * unit_m);
    Ok((Outline::Box { width_m, height_m }, unit_m))
}

/// What has been said of the shape so far.
#[derive(Default)]
struct Parts {
    from_member: bool,
    from_position: bool,
    middle: Option<Position>,
    outline: Option<(Outline, f64)>,
    polygon: Option<Vec<Position>>,
}

/// Reads what follows the key; `name` is the command's as it was given, `set` what is
/// searched, if it is there.
pub(super) fn parse(
    arguments: &[&[u8]],
    form: Form,
    name: &[u8],
    set: Option<SortedSetRef<'_>>,
) -> Result<Asked, CommandError> {
    let mut parts = Parts::default();
    let options = match (form, arguments) {
        (Form::Radius { .. }, [longitude, latitude, radius, unit, options @ ..]) => {
            parts.middle = Some(parse_position(longitude, latitude)?);
            parts.outline = Some(parse_radius(radius, unit)?);
            options
        }
        (Form::RadiusOfMember { .. }, [member, radius, unit, options @ ..]) => {
            // Without a sorted set only the options are looked at.
            if let Some(set) = set {
                parts.middle = Some(place_of(set, member)?);
                parts.outline = Some(parse_radius(radius, unit)?);
            }
            options
        }
        (_, options) => options,
    };
    let mut asked = Asked {
        shape: None,
        unit_m: 1.0,
        with_distance: false,
        with_hash: false,
        with_position: false,
        order: None,
        count: None,
        any: false,
        store: match form {
            Form::Search { is_stored: true } => Some(Store::Hashes),
            _ => None,
        },
    };
    let mut rest = options;
    while let Some((option, after)) = rest.split_first() {
        rest = if let Some(after) = asked.take(option, after, form)? {
            after
        } else if matches!(form, Form::Search { .. }) {
            parts
                .take(option, after, set)?
                .ok_or(CommandError::Syntax)?
        } else {
            return Err(CommandError::Syntax);
        };
    }
    asked.check(form, &parts, name)?;
    if set.is_some() {
        asked.unit_m = parts.outline.as_ref().map_or(1.0, |(_, unit_m)| *unit_m);
        asked.shape = match (parts.polygon, parts.middle, parts.outline) {
            (Some(corners), ..) => Some(Shape::polygon(corners)),
            (None, Some(middle), Some((outline, _))) => Some(Shape { middle, outline }),
            _ => None,
        };
    }
    Ok(asked)
}

impl Asked {
    /// Takes an option that is not about the shape; what is left, `None` if it is none.
    fn take<'c, 'k>(
        &mut self,
        option: &[u8],
        after: &'c [&'k [u8]],
        form: Form,
    ) -> Result<Option<&'c [&'k [u8]]>, CommandError> {
        let is = |word: &[u8]| option.eq_ignore_ascii_case(word);
        let may_store = matches!(
            form,
            Form::Radius { may_store: true } | Form::RadiusOfMember { may_store: true }
        );
        if is(b"withdist") {
            self.with_distance = true;
        } else if is(b"withhash") {
            self.with_hash = true;
        } else if is(b"withcoord") {
            self.with_position = true;
        } else if is(b"any") {
            self.any = true;
        } else if is(b"asc") {
            self.order = Some(Order::NearestFirst);
        } else if is(b"desc") {
            self.order = Some(Order::FarthestFirst);
        } else if let (true, [count, after @ ..]) = (is(b"count"), after) {
            let count = parse_integer(count)?;
            let count = usize::try_from(count).ok().filter(|count| *count > 0);
            self.count = Some(count.ok_or(CommandError::CountNotAboveZero)?);
            return Ok(Some(after));
        } else if let (true, [_, after @ ..]) = (may_store && is(b"store"), after) {
            self.store = Some(Store::Hashes);
            return Ok(Some(after));
        } else if let (true, [_, after @ ..]) = (may_store && is(b"storedist"), after) {
            self.store = Some(Store::Distances);
            return Ok(Some(after));
        } else if is(b"storedist") && form == (Form::Search { is_stored: true }) {
            self.store = Some(Store::Distances);
        } else {
            return Ok(None);
        }
        Ok(Some(after))
    }

    /// What must be there together, or must not.
    fn check(&self, form: Form, parts: &Parts, name: &[u8]) -> Result<(), CommandError> {
        let is_search = matches!(form, Form::Search { .. });
        if self.store.is_some() && (self.with_distance || self.with_hash || self.with_position) {
            return Err(CommandError::StoreWithDetails(if is_search {
                "GEOSEARCHSTORE"
            } else {
                "STORE option in GEORADIUS"
            }));
        }
        let is_polygon = parts.polygon.is_some();
        if is_search && !(parts.from_member || parts.from_position || is_polygon) {
            return Err(CommandError::search_from_nowhere(name));
        }
        if is_search && !(parts.outline.is_some() || is_polygon) {
            return Err(CommandError::search_without_shape(name));
        }
        if self.any && self.count.is_none() {
            return Err(CommandError::AnyWithoutCount);
        }
        Ok(())
    }
}

impl Parts {
    /// Takes an option of GEOSEARCH about the shape; what is left, `None` if it is none.
    fn take<'c, 'k>(
        &mut self,
        option: &[u8],
        after: &'c [&'k [u8]],
        set: Option<SortedSetRef<'_>>,
    ) -> Result<Option<&'c [&'k [u8]]>, CommandError> {
        let is = |word: &[u8]| option.eq_ignore_ascii_case(word);
        let is_polygon = self.polygon.is_some();
        let is_box = matches!(self.outline, Some((Outline::Box { .. }, _)));
        let is_circle = matches!(self.outline, Some((Outline::Circle { .. }, _)));
        match after {
            [member, after @ ..] if is(b"frommember") && !self.from_position && !is_polygon => {
                if let Some(set) = set {
                    self.middle = Some(place_of(set, member)?);
                }
                self.from_member = true;
                Ok(Some(after))
            }
            [longitude, latitude, after @ ..]
                if is(b"fromlonlat") && !self.from_member && !is_polygon =>
            {
                self.middle = Some(parse_position(longitude, latitude)?);
                self.from_position = true;
                Ok(Some(after))
            }
            [radius, unit, after @ ..] if is(b"byradius") && !is_box && !is_polygon => {
                self.outline = Some(parse_radius(radius, unit)?);
                Ok(Some(after))
            }
            [width, height, unit, after @ ..] if is(b"bybox") && !is_circle && !is_polygon => {
                self.outline = Some(parse_box(width, height, unit)?);
                Ok(Some(after))
            }
            [count, after @ ..]
                if is(b"bypolygon")
                    && self.outline.is_none()
                    && !self.from_member
                    && !self.from_position =>
            {
                let (corners, after) = parse_polygon(count, after)?;
                self.polygon = Some(corners);
                Ok(Some(after))
            }
            _ => Ok(None),
        }
    }
}

/// The number of corners, then a longitude and a latitude for each.
fn parse_polygon<'c, 'k>(
    count: &[u8],
    after: &'c [&'k [u8]],
) -> Result<(Vec<Position>, &'c [&'k [u8]]), CommandError> {
    let invalid = CommandError::InvalidCornerCount;
    let count = parse_integer(count).map_err(|_| CommandError::InvalidCornerCount)?;
    // More than Valkey counts in an int.
    let count = i32::try_from(count).map_err(|_| invalid)?;
    let corners = usize::try_from(count).ok().filter(|count| *count >= 3);
    let values = corners.and_then(|count| after.split_at_checked(count.saturating_mul(2)));
    let (values, after) = values.ok_or(CommandError::TooFewCorners)?;
    let corners: Result<Vec<Position>, CommandError> = values
        .as_chunks::<2>()
        .0
        .iter()
        .map(|[longitude, latitude]| parse_position(longitude, latitude))
        .collect();
    Ok((corners?, after))
}
