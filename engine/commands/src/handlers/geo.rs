//! The commands on positions: sorted sets whose scores are hashes of places.
//!
//! Owns what each name runs, and GEOADD, GEODIST, GEOHASH and GEOPOS. Handlers run under
//! the locks of the access, on any thread.
//!
//! Use order: `position` stands alone, `shape` uses it, `options` both; `search` and this
//! file use all.

mod options;
mod position;
mod search;
mod shape;

use super::sorted_sets::{Options as AddOptions, add_entries, used};
use crate::context::{Context, Failure, Handler};
use crate::error::CommandError;
use crate::reply::ReplyBuffer;
use options::{parse_position, parse_unit};
use position::Position;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("geoadd", geoadd),
    ("geodist", geodist),
    ("geohash", geohash),
    ("geopos", geopos),
    ("georadius", search::georadius),
    ("georadius_ro", search::georadius_ro),
    ("georadiusbymember", search::georadiusbymember),
    ("georadiusbymember_ro", search::georadiusbymember_ro),
    ("geosearch", search::geosearch),
    ("geosearchstore", search::geosearchstore),
];

/// GEOADD key [NX|XX] [CH] longitude latitude member …
fn geoadd(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let mut options = AddOptions::default();
    let mut words = &context.arguments[2..];
    while let Some((word, rest)) = words.split_first() {
        if !options.take_for_positions(word) {
            break;
        }
        words = rest;
    }
    let (triplets, rest) = words.as_chunks::<3>();
    if !rest.is_empty() || options.is_contradictory() {
        return Err(CommandError::Syntax.into());
    }
    let entries: Result<Vec<(f64, &[u8])>, CommandError> = triplets
        .iter()
        .map(|[longitude, latitude, member]| {
            Ok((parse_position(longitude, latitude)?.score(), *member))
        })
        .collect();
    add_entries(context, options, &entries?)
}

/// GEODIST key member member [unit].
fn geodist(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let unit_m = match &context.arguments[4..] {
        [] => 1.0,
        [unit] => parse_unit(unit)?,
        _ => return Err(CommandError::Syntax.into()),
    };
    let (one, other) = (context.argument(2), context.argument(3));
    let set = used(context.access, context.keys[0])?;
    let place = |member: &[u8]| Some(Position::of_score(set?.score(member)?));
    match place(one).zip(place(other)) {
        Some((one, other)) => reply_distance(context.reply, one.distance_m(other) / unit_m),
        None => context.reply.null(),
    }
    Ok(())
}

/// GEOHASH key [member …].
fn geohash(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let members = &context.arguments[2..];
    let set = used(context.access, context.keys[0])?;
    context.reply.array(members.len());
    for member in members {
        match set.and_then(|set| set.score(member)) {
            Some(score) => context.reply.bulk(&Position::of_score(score).text()),
            None => context.reply.null(),
        }
    }
    Ok(())
}

/// GEOPOS key [member …].
fn geopos(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let members = &context.arguments[2..];
    let set = used(context.access, context.keys[0])?;
    context.reply.array(members.len());
    for member in members {
        match set.and_then(|set| set.score(member)) {
            Some(score) => reply_position(context.reply, Position::of_score(score)),
            None => context.reply.null_array(),
        }
    }
    Ok(())
}

fn reply_position(reply: &mut ReplyBuffer, position: Position) {
    reply.array(2);
    for degrees in [position.longitude, position.latitude] {
        let text = format!("{degrees:.17}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        reply.double_text(text);
    }
}

/// Four digits after the point, halves to the even one.
fn reply_distance(reply: &mut ReplyBuffer, distance: f64) {
    let scaled = (distance * 10_000.0).round_ties_even() as i64;
    let text = format!("{}.{:04}", scaled / 10_000, scaled % 10_000);
    reply.bulk(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table;

    #[test]
    fn every_geo_command_of_the_table_has_a_handler() {
        let names: Vec<&str> = HANDLERS.iter().map(|(name, _)| *name).collect();
        let in_table: Vec<&str> = table::all()
            .iter()
            .filter(|command| command.group == table::Group::Geo)
            .map(|command| command.name)
            .collect();
        assert_eq!(names, in_table);
    }
}
