//! GEOSEARCH, GEOSEARCHSTORE, GEORADIUS and GEORADIUSBYMEMBER.
//!
//! Owns how a shape is searched in a sorted set, and the replies. INVARIANT: what is
//! stored is whole in memory before its key changes, for the key may be the source.

use super::super::sorted_sets::{OwnedEntry, store_result, used};
use super::options::{Asked, Form, Order, Store, parse};
use super::position::Position;
use super::shape::Shape;
use super::{reply_distance, reply_position};
use crate::context::{Context, Failure};
use thermocline_types::SortedSetRef;

/// A member that was found.
struct Found<'a> {
    member: &'a [u8],
    score: f64,
    position: Position,
    distance_m: f64,
}

pub(super) fn geosearch(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    search(context, Form::Search { is_stored: false })
}

pub(super) fn geosearchstore(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    search(context, Form::Search { is_stored: true })
}

pub(super) fn georadius(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    search(context, Form::Radius { may_store: true })
}

pub(super) fn georadius_ro(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    search(context, Form::Radius { may_store: false })
}

pub(super) fn georadiusbymember(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    search(context, Form::RadiusOfMember { may_store: true })
}

pub(super) fn georadiusbymember_ro(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    search(context, Form::RadiusOfMember { may_store: false })
}

fn search(context: &mut Context<'_, '_, '_>, form: Form) -> Result<(), Failure> {
    // The target of GEOSEARCHSTORE stands before the source, that of STORE behind it.
    let (source, target) = match form {
        Form::Search { is_stored: true } => (1, 0),
        _ => (0, 1),
    };
    let set = used(context.access, context.keys[source])?;
    let arguments = &context.arguments[source + 2..];
    let asked = parse(arguments, form, context.arguments[0], set)?;
    let found = match (set, &asked.shape) {
        (Some(set), Some(shape)) => wanted(set, shape, &asked),
        _ => Vec::new(),
    };
    let Some(scores) = asked.store else {
        reply(context.reply, &found, &asked);
        return Ok(());
    };
    let entry = |found: &Found<'_>| {
        let score = match scores {
            Store::Hashes => found.score,
            Store::Distances => found.distance_m / asked.unit_m,
        };
        (score, found.member.to_vec())
    };
    let entries: Vec<OwnedEntry> = found.iter().map(entry).collect();
    let event = match form {
        Form::Search { .. } => "geosearchstore",
        Form::Radius { .. } | Form::RadiusOfMember { .. } => "georadiusstore",
    };
    store_result(context, (target, event), &entries)
}

/// What is inside the shape, in the order and number asked for.
fn wanted<'a>(set: SortedSetRef<'a>, shape: &Shape, asked: &Asked) -> Vec<Found<'a>> {
    let enough = asked.count.filter(|_| asked.any).unwrap_or(usize::MAX);
    let mut found = Vec::new();
    for cell in shape.cells() {
        if found.len() >= enough {
            break;
        }
        let (least, end) = cell.scores();
        let first = set.position(|(score, _)| score < least);
        for (score, member) in set.range(first..set.len()) {
            if score >= end || found.len() >= enough {
                break;
            }
            let position = Position::of_score(score);
            if let Some(distance_m) = shape.distance_m(position) {
                found.push(Found {
                    member,
                    score,
                    position,
                    distance_m,
                });
            }
        }
    }
    // The nearest are meant where a number is asked for and no order.
    let order = match asked.order {
        None if asked.count.is_some() && !asked.any => Some(Order::NearestFirst),
        order => order,
    };
    match order {
        Some(Order::NearestFirst) => {
            found.sort_by(|one, other| one.distance_m.total_cmp(&other.distance_m));
        }
        Some(Order::FarthestFirst) => {
            found.sort_by(|one, other| other.distance_m.total_cmp(&one.distance_m));
        }
        None => {}
    }
    found.truncate(asked.count.unwrap_or(usize::MAX));
    found
}

fn reply(reply: &mut crate::reply::ReplyBuffer, found: &[Found<'_>], asked: &Asked) {
    let details = [asked.with_distance, asked.with_hash, asked.with_position];
    let details = details.into_iter().filter(|is_set| *is_set).count();
    reply.array(found.len());
    for one in found {
        if details > 0 {
            reply.array(details + 1);
        }
        reply.bulk(one.member);
        if asked.with_distance {
            reply_distance(reply, one.distance_m / asked.unit_m);
        }
        if asked.with_hash {
            reply.integer(one.score as i64);
        }
        if asked.with_position {
            reply_position(reply, one.position);
        }
    }
}
