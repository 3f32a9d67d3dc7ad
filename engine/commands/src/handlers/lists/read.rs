//! Commands that read a list: LINDEX, LLEN, LPOS, LRANGE.
//!
//! Owns their replies. Nothing here changes anything.

use super::{place, range, reply_element, used};
use crate::arguments::{PositionOptions, parse_integer, parse_position};
use crate::context::{Context, Failure};
use thermocline_types::{Element, ListRef};

pub(super) fn lindex(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let index = context.argument(2);
    let Some(list) = used(context.access, context.keys[0])? else {
        context.reply.null();
        return Ok(());
    };
    let element = place(parse_integer(index)?, list.len()).and_then(|place| list.get(place));
    match element {
        Some(element) => reply_element(context.reply, element),
        None => context.reply.null(),
    }
    Ok(())
}

pub(super) fn lrange(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let first = parse_integer(context.argument(2))?;
    let last = parse_integer(context.argument(3))?;
    let Some(list) = used(context.access, context.keys[0])? else {
        context.reply.array(0);
        return Ok(());
    };
    let range = range(first, last, list.len());
    context.reply.array(range.len());
    for element in list.iter_from(range.start).take(range.len()) {
        reply_element(context.reply, element);
    }
    Ok(())
}

pub(super) fn lpos(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let options = parse_position(&context.arguments[3..])?;
    let element = Element::of(context.argument(2));
    let list = used(context.access, context.keys[0])?;
    let found = list.map_or(Vec::new(), |list| positions(list, element, options));
    if options.count.is_some() {
        context.reply.array(found.len());
        for place in found {
            context.reply.integer(place as i64);
        }
    } else {
        match found.first() {
            Some(place) => context.reply.integer(*place as i64),
            None => context.reply.null(),
        }
    }
    Ok(())
}

/// Where the element is, in the order in which it is met.
fn positions(list: ListRef<'_>, wanted: Element<'_>, options: PositionOptions) -> Vec<usize> {
    let unless_zero = |most: usize| if most == 0 { usize::MAX } else { most };
    let compared = unless_zero(options.compared);
    let most = options.count.map_or(1, unless_zero);
    let skipped = usize::try_from(options.rank.unsigned_abs() - 1).unwrap_or(usize::MAX);
    let is_wanted = |(place, element): (usize, Element<'_>)| (element == wanted).then_some(place);
    if options.rank > 0 {
        let met = list.iter().enumerate().take(compared);
        return met.filter_map(is_wanted).skip(skipped).take(most).collect();
    }
    let met = list.iter().rev().enumerate().take(compared);
    let met = met.filter_map(is_wanted).skip(skipped).take(most);
    met.map(|from_tail| list.len() - 1 - from_tail).collect()
}
