//! DUMP and RESTORE: a value as the bytes of an RDB file.
//!
//! Owns their meaning. Does not know the bytes. Runs under the locks of the
//! access.

use crate::arguments::{parse_restore, parse_restore_ttl};
use crate::context::{Context, Failure, Handler};
use crate::error::CommandError;
use thermocline_base::UnixMillis;
use thermocline_store::EventClass;
use thermocline_types::rdb::{self, HashField, RdbError, RdbValue};
use thermocline_types::set::Member;
use thermocline_types::{HashEntry, Limits, SetForm, Update, Value, ValueRef};

pub(super) const HANDLERS: &[(&str, Handler)] = &[("dump", dump), ("restore", restore)];

fn dump(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let now = context.now();
    let entry = context.access.get(context.keys[0]);
    let is_compact = entry.is_some_and(|entry| matches!(entry.value, ValueRef::Inline { .. }));
    match entry.and_then(|entry| RdbValue::of(entry.value, now)) {
        None => context.reply.null(),
        Some(value) => context.reply.bulk(&rdb::dump(&value, is_compact)),
    }
    Ok(())
}

fn restore(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let options = parse_restore(&context.arguments[4..])?;
    if !options.replace && context.peek(0).is_some() {
        return Err(CommandError::BusyKey.into());
    }
    let now_ms = context.now().0;
    let at_ms = parse_restore_ttl(context.argument(2), options.absolute_ttl, now_ms)?;
    let value =
        rdb::restore(context.argument(3), context.string_max_bytes).map_err(
            |error| match error {
                RdbError::VersionOrChecksum => CommandError::BadDumpPayload,
                _ => CommandError::BadDataFormat,
            },
        )?;
    let expiry = at_ms.map(UnixMillis);
    match value {
        _ if at_ms.is_some_and(|at_ms| at_ms <= now_ms) => {
            if context.delete(0) {
                context.notify(EventClass::Generic, "del", 0);
            }
            context.reply.simple("OK");
            return Ok(());
        }
        RdbValue::Stream(stream) => context.put(0, Value::from_stream(*stream), expiry),
        RdbValue::String(bytes) => context.put_string(0, &bytes, expiry),
        RdbValue::Hash(fields) => {
            let is_compact = rdb::is_compact(context.argument(3))
                && fields.len() <= context.settings.hash_max_listpack_entries();
            put_hash(context, &fields, is_compact, expiry)?;
        }
        RdbValue::List(list) => {
            let limits = Limits {
                list_max_listpack_size: context.settings.list_max_listpack_size(),
                ..Limits::default()
            };
            context.put(0, Value::from_list(list, &limits), expiry);
        }
        RdbValue::IntegerSet(numbers) => {
            let members: Vec<_> = numbers
                .iter()
                .map(|number| Member::integer(*number))
                .collect();
            let members = members.iter().map(|member| &**member).collect();
            put_set(context, SetForm::Integers, members, expiry)?;
        }
        RdbValue::SortedSet(entries) => {
            let entries: Vec<(f64, &[u8])> = entries
                .iter()
                .map(|(score, member)| (*score, member.as_slice()))
                .collect();
            let most = context.settings.zset_max_listpack_entries();
            let (is_compact, is_large) =
                (rdb::is_compact(context.argument(3)), entries.len() > most);
            if is_compact && !is_large {
                context.put(0, Value::from_packed_entries(&entries)?, expiry);
            } else {
                let most_bytes = context.settings.zset_max_listpack_value();
                let is_short = entries.iter().all(|entry| entry.1.len() <= most_bytes);
                let becomes_packed = !is_compact && !is_large && is_short;
                // Valkey's compact form keeps whole scores as integers: -0 becomes 0.
                let kept = |score: f64| if becomes_packed { score + 0.0 } else { score };
                let entries = entries
                    .into_iter()
                    .map(|(score, member)| (kept(score), member))
                    .collect();
                let is_full = is_compact || is_large;
                make_anew(context, &Update::SortedSetSet { is_full, entries }, expiry)?;
            }
        }
        RdbValue::Set(members) => {
            let members: Vec<&[u8]> = members.iter().map(Vec::as_slice).collect();
            let is_compact = rdb::is_compact(context.argument(3));
            if is_compact && members.len() <= context.settings.set_max_listpack_entries() {
                context.put(0, Value::from_packed_members(&members)?, expiry);
            } else {
                let is_large = members.len() > context.settings.set_max_intset_entries();
                let at_least = if is_compact || is_large {
                    SetForm::Full
                } else {
                    SetForm::Integers
                };
                put_set(context, at_least, members, expiry)?;
            }
        }
    }
    context.notify(EventClass::Generic, "restore", 0);
    context.reply.simple("OK");
    Ok(())
}

/// Makes the hash anew: a compact one as it is, another by an update, which knows
/// the limits of the forms.
fn put_hash(
    context: &mut Context<'_, '_, '_>,
    fields: &[HashField],
    is_compact: bool,
    expiry: Option<UnixMillis>,
) -> Result<(), Failure> {
    let fields: Vec<HashEntry<'_>> = fields
        .iter()
        .map(|entry| (&*entry.field, &*entry.value, entry.expiry))
        .collect();
    if is_compact {
        let value = Value::from_packed_fields(&fields)?;
        context.put(0, value, expiry);
        return Ok(());
    }
    make_anew(context, &Update::HashSet { fields }, expiry)
}

/// Makes the set anew, in a form not below `at_least`.
fn put_set(
    context: &mut Context<'_, '_, '_>,
    at_least: SetForm,
    members: Vec<&[u8]>,
    expiry: Option<UnixMillis>,
) -> Result<(), Failure> {
    make_anew(context, &Update::SetAdd { at_least, members }, expiry)
}

/// Makes the value by an update of nothing.
fn make_anew(
    context: &mut Context<'_, '_, '_>,
    update: &Update<'_>,
    expiry: Option<UnixMillis>,
) -> Result<(), Failure> {
    // The only check that could fail once the old value is gone.
    update.check(None)?;
    context.delete(0);
    context.update(0, update)?;
    if expiry.is_some() {
        context.set_expiry(0, expiry);
    }
    Ok(())
}
