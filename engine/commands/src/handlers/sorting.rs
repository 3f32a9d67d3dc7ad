//! SORT and SORT_RO.
//!
//! Owns the order of elements and what is returned for each. Does not know which
//! kinds of values have elements ([`elements`] does). Runs under the locks of the
//! access.
//!
//! The keys that BY and GET name depend on the elements: the handler asks for them
//! and is run again with them at hand. Should the elements have changed meanwhile,
//! it asks once more.

use crate::arguments::{SortOptions, SortSource, parse_sort, sort_source};
use crate::context::{Context, Failure, Handler};
use crate::error::CommandError;
use hashbrown::{HashMap, HashSet};
use std::cmp::Ordering;
use thermocline_store::{EventClass, KeyId};
use thermocline_types::list::End;
use thermocline_types::number::parse_double;
use thermocline_types::{ListUpdate, Update, ValueKind, ValueRef};

pub(super) const HANDLERS: &[(&str, Handler)] = &[("sort", sort), ("sort_ro", sort_read_only)];

/// The keys of the request, further keys aside.
const SOURCE: usize = 0;
const TARGET: usize = 1;

/// What an element is sorted by.
#[derive(Debug, PartialEq)]
enum Weight {
    Number(f64),
    /// `None` sorts before all others.
    Text(Option<Vec<u8>>),
}

fn sort(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let mut options = parse_sort(&context.arguments[2..], true)?;
    order_sets(context, &mut options);
    let rows = sorted(context, &options)?;
    if !options.stores {
        reply_rows(context, rows);
        return Ok(());
    }
    let elements: Vec<Vec<u8>> = rows.into_iter().map(Option::unwrap_or_default).collect();
    if elements.is_empty() {
        context.store_nothing(TARGET);
    } else {
        let update = Update::List(ListUpdate::Push {
            end: End::Tail,
            elements: elements.iter().map(Vec::as_slice).collect(),
        });
        context.replace(TARGET, &update)?;
        context.notify(EventClass::List, "sortstore", TARGET);
    }
    context.reply.integer(elements.len() as i64);
    Ok(())
}

fn sort_read_only(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let mut options = parse_sort(&context.arguments[2..], false)?;
    order_sets(context, &mut options);
    let rows = sorted(context, &options)?;
    reply_rows(context, rows);
    Ok(())
}

/// A set has no order: what is stored, or what a script goes by, must not depend on how it is
/// kept.
fn order_sets(context: &Context<'_, '_, '_>, options: &mut SortOptions<'_>) {
    let source = context.access.peek(context.keys[SOURCE]);
    let is_set = source.is_some_and(|entry| entry.value.kind() == ValueKind::Set);
    if is_set && (options.stores || context.is_nested) && options.keeps_order() {
        options.by = None;
        options.is_alphabetic = true;
    }
}

fn reply_rows(context: &mut Context<'_, '_, '_>, rows: Vec<Option<Vec<u8>>>) {
    context.reply.array(rows.len());
    for row in rows {
        match row {
            Some(text) => context.reply.bulk(&text),
            None => context.reply.null(),
        }
    }
}

/// The elements of a value that can be sorted.
fn elements(value: ValueRef<'_>) -> Result<Vec<Vec<u8>>, CommandError> {
    match value.kind() {
        ValueKind::List => {
            let list = value.list()?;
            Ok(list.iter().map(|element| element.to_vec()).collect())
        }
        ValueKind::Set => {
            let set = value.set()?;
            Ok(set.iter().map(|member| member.to_vec()).collect())
        }
        ValueKind::SortedSet => {
            let entries = value.sorted_set()?.iter();
            Ok(entries.map(|(_, member)| member.to_vec()).collect())
        }
        ValueKind::String | ValueKind::Hash | ValueKind::Stream => Err(CommandError::WrongType),
    }
}

/// The keys that the patterns of a request name for any of `elements`, each once;
/// none for a request that is refused.
pub(crate) fn further_keys(
    arguments: &[&[u8]],
    elements: impl IntoIterator<Item = impl AsRef<[u8]>>,
) -> Vec<Box<[u8]>> {
    // With STORE or without: what may not stand there is refused later.
    let options = arguments.get(2..).map(|options| parse_sort(options, true));
    let Some(Ok(options)) = options else {
        return Vec::new();
    };
    let mut names = HashSet::new();
    if options.patterns().next().is_some() {
        for element in elements {
            for pattern in options.patterns() {
                if let SortSource::Key(key) | SortSource::Field(key, _) =
                    sort_source(pattern, element.as_ref())
                {
                    names.insert(key.into_boxed_slice());
                }
            }
        }
    }
    names.into_iter().collect()
}

/// As [`further_keys`], for the elements of `value`.
pub(crate) fn further_keys_of(arguments: &[&[u8]], value: ValueRef<'_>) -> Vec<Box<[u8]>> {
    further_keys(arguments, elements(value).unwrap_or_default())
}

/// What SORT returns, row after row.
fn sorted(
    context: &mut Context<'_, '_, '_>,
    options: &SortOptions<'_>,
) -> Result<Vec<Option<Vec<u8>>>, Failure> {
    let entry = context.access.get(context.keys[SOURCE]);
    let mut elements = entry.map_or(Ok(Vec::new()), |entry| elements(entry.value))?;
    let wanted = further_keys(context.arguments, &elements);
    let first = context.keys.len() - context.further.len();
    let further = context.further.iter().zip(&context.keys[first..]);
    let further: HashMap<&[u8], KeyId> = further.map(|(name, key)| (&**name, *key)).collect();
    if wanted.iter().any(|name| !further.contains_key(&**name)) {
        return Err(Failure::Further(wanted));
    }
    let range = options.range(elements.len());
    if options.keeps_order() {
        if options.is_descending {
            elements.reverse();
        }
    } else {
        elements = in_order(context, options, elements, &further)?;
    }
    let mut rows = Vec::new();
    for element in elements.drain(range) {
        if options.gets.is_empty() {
            rows.push(Some(element));
            continue;
        }
        for pattern in &options.gets {
            rows.push(look_up(context, pattern, &element, &further));
        }
    }
    Ok(rows)
}

/// What a pattern means for an element.
fn look_up(
    context: &mut Context<'_, '_, '_>,
    pattern: &[u8],
    element: &[u8],
    further: &HashMap<&[u8], KeyId>,
) -> Option<Vec<u8>> {
    let (name, field) = match sort_source(pattern, element) {
        SortSource::Element => return Some(element.to_vec()),
        SortSource::Nothing => return None,
        SortSource::Key(name) => (name, None),
        SortSource::Field(name, field) => (name, Some(field)),
    };
    let now = context.now();
    let entry = context.access.get(*further.get(&*name)?)?;
    match field {
        None => entry.value.string().ok().map(<[u8]>::to_vec),
        Some(field) => {
            let hash = entry.value.hash().ok()?;
            hash.get(field, now).map(|(_, value, _)| value.to_vec())
        }
    }
}

fn in_order(
    context: &mut Context<'_, '_, '_>,
    options: &SortOptions<'_>,
    elements: Vec<Vec<u8>>,
    further: &HashMap<&[u8], KeyId>,
) -> Result<Vec<Vec<u8>>, Failure> {
    let mut weighted = Vec::with_capacity(elements.len());
    for element in elements {
        let text = match options.by {
            Some(pattern) => look_up(context, pattern, &element, further),
            None => Some(element.clone()),
        };
        let weight = if options.is_alphabetic {
            Weight::Text(text)
        } else {
            let score = text.map_or(Some(0.0), |text| score(&text));
            Weight::Number(score.ok_or(CommandError::ScoreNotFloat)?)
        };
        weighted.push((weight, element));
    }
    weighted.sort_by(|one, other| {
        let order = compare(one, other);
        if options.is_descending {
            order.reverse()
        } else {
            order
        }
    });
    Ok(weighted.into_iter().map(|(_, element)| element).collect())
}

fn compare(one: &(Weight, Vec<u8>), other: &(Weight, Vec<u8>)) -> Ordering {
    match (&one.0, &other.0) {
        // Elements of one score are in the order of their bytes.
        (Weight::Number(first), Weight::Number(second)) => {
            first.total_cmp(second).then_with(|| one.1.cmp(&other.1))
        }
        (Weight::Text(first), Weight::Text(second)) => first.cmp(second),
        _ => Ordering::Equal,
    }
}

/// The number that is all of the text up to a NUL, as C would end it.
fn score(text: &[u8]) -> Option<f64> {
    let end = text.iter().position(|byte| *byte == 0);
    let score = parse_double(&text[..end.unwrap_or(text.len())])?;
    // Negative zero equals zero.
    Some(score + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_read_as_the_reference_reads_them() {
        for (text, expected) in [
            ("1", Some(1.0)),
            ("-1.5e2", Some(-150.0)),
            ("+3", Some(3.0)),
            ("INF", Some(f64::INFINITY)),
            ("4.9e-324", Some(4.9e-324)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("1\0x", Some(1.0)),
            ("", None),
            (" 7", None),
            ("7 ", None),
            ("0x10", None),
            ("nan", None),
            ("1e", None),
            ("+-1", None),
            (".", None),
            ("1e999", None),
            ("1e-999", None),
        ] {
            assert_eq!(score(text.as_bytes()), expected, "{text:?}");
        }
        assert!(score(b"-0").is_some_and(f64::is_sign_positive));
    }

    #[test]
    fn further_keys_are_each_named_once() {
        let arguments: Vec<&[u8]> = "sort k by w_* get w_* get # get h_*->f"
            .split(' ')
            .map(str::as_bytes)
            .collect();
        let mut names = further_keys(&arguments, ["a", "b", "a"]);
        names.sort();
        let expected: [&[u8]; 4] = [b"h_a", b"h_b", b"w_a", b"w_b"];
        assert_eq!(
            names.iter().map(AsRef::as_ref).collect::<Vec<_>>(),
            expected
        );
        assert!(further_keys(&[b"sort", b"k", b"by"], ["a"]).is_empty());
    }
}
