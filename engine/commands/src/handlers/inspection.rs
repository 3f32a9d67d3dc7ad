//! What a key costs and how it is kept: OBJECT and MEMORY USAGE.
//!
//! Owns their meaning, above all what they say of the use of a key. Runs under
//! the locks of the access; none of them is a use of the key.
//!
//! A key has two bits that tell how often it was used lately, and no time of its
//! last use: 16 bytes for a cold key leave no room for one. So OBJECT FREQ answers
//! with these bits, 0 to 3, and OBJECT IDLETIME with what they lack to 3: a number
//! of seconds that is small for every key, never overstates how long a key was not
//! used by more than that, and is the larger the less a key was used. RESTORE takes
//! IDLETIME and FREQ and has no use for them.

use crate::arguments::parse_memory_usage;
use crate::context::{Context, Failure, Handler};
use crate::error::CommandError;
use thermocline_types::string::canonical_integer;
use thermocline_types::{Form, ValueRef};

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("memory|usage", memory_usage),
    ("object|encoding", encoding),
    ("object|freq", frequency),
    ("object|help", help),
    ("object|idletime", idle_time),
    ("object|refcount", reference_count),
];

const MOST_FREQUENT: u8 = 3;

const HELP: &[&str] = &[
    "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "ENCODING <key>",
    "    Return the kind of internal representation used in order to store the value",
    "    associated with a <key>.",
    "FREQ <key>",
    "    Return the access frequency index of the <key>. The returned integer is",
    "    proportional to the logarithm of the recent access frequency of the key.",
    "IDLETIME <key>",
    "    Return the idle time of the <key>, that is the approximated number of",
    "    seconds elapsed since the last access to the key.",
    "REFCOUNT <key>",
    "    Return the number of references of the value associated with the specified",
    "    <key>.",
    "HELP",
    "    Print this help.",
];

fn help(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    context.reply.array(HELP.len());
    for line in HELP {
        context.reply.simple(line);
    }
    Ok(())
}

fn encoding(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    context.count_look(0);
    let name = context
        .peek(0)
        .map(|entry| encoding_name(context.argument(2), entry.value));
    match name {
        None => context.reply.null(),
        Some(name) => context.reply.bulk(name.as_bytes()),
    }
    Ok(())
}

/// As Valkey, which keeps a string in one allocation with its key if both fit
/// into 128 bytes with their headers, and calls that `embstr`. The header of a key
/// above 31 bytes takes two bytes more.
fn encoding_name(key: &[u8], value: ValueRef<'_>) -> &'static str {
    match value {
        ValueRef::Inline {
            form: Form::StringBytes,
            bytes,
        } if canonical_integer(bytes).is_none() => {
            let room_bytes = if key.len() > 31 { 111 } else { 113 };
            if key.len() + bytes.len() <= room_bytes {
                "embstr"
            } else {
                "raw"
            }
        }
        other => other.encoding_name(),
    }
}

/// Values are not shared between keys.
fn reference_count(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    if context.count_look(0) {
        context.reply.integer(1);
    } else {
        context.reply.null();
    }
    Ok(())
}

fn frequency(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    if !context.count_look(0) {
        context.reply.null();
        return Ok(());
    }
    if !context.settings.policy().counts_frequency() {
        return Err(CommandError::FrequencyNotTracked.into());
    }
    let frequency = context.access.frequency(context.keys[0]);
    context.reply.integer(frequency.into());
    Ok(())
}

fn idle_time(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    if !context.count_look(0) {
        context.reply.null();
        return Ok(());
    }
    if context.settings.policy().counts_frequency() {
        return Err(CommandError::IdleTimeNotTracked.into());
    }
    let frequency = context.access.frequency(context.keys[0]);
    let idle_s = MOST_FREQUENT.saturating_sub(frequency);
    context.reply.integer(idle_s.into());
    Ok(())
}

fn memory_usage(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    parse_memory_usage(&context.arguments[3..])?;
    match context.access.memory_usage(context.keys[0]) {
        None => context.reply.null(),
        Some(bytes) => context.reply.integer(bytes as i64),
    }
    Ok(())
}
