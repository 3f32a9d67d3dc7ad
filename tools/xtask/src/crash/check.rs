//! Reads all keys of one writer after a restart and holds them against its
//! ledger.
//!
//! Owns the reading and the words for what is wrong; the rule is the ledger's.

use super::layout::{self, BRIEFS, FIELD_BYTES, HASHES, STRING_BYTES, STRINGS};
use super::ledger::Breach;
use super::queues::{self, QUEUES};
use super::value;
use super::writer::Writer;
use thermocline_base::Clock;
use thermocline_benches::client::{Client, ClientError, write_request};
use thermocline_benches::reply::Reply;

/// Keys asked for before their replies are read.
const BATCH: usize = 64;
/// Breaches put into words.
const SHOWN: usize = 10;

/// Checks the keys of `writer`, whose operations up to `least` must have
/// survived; what is wrong is added to its problems.
pub(super) fn check(writer: &mut Writer, port: u16, least: u64) -> Result<(), ClientError> {
    let mut client = Client::connect(port)?;
    let mut found = vec![None; layout::registers()];
    read_strings(writer, &mut client, &mut found)?;
    for hash in 0..HASHES {
        read_hash(writer, &mut client, hash, &mut found)?;
    }
    read_queues(writer, &mut client, &mut found)?;
    read_briefs(writer, &mut client, &mut found)?;
    if let Err(breaches) = writer.ledger.settle(least, &found) {
        for breach in breaches.iter().take(SHOWN) {
            let text = describe(writer.number, breach);
            writer.problem(text);
        }
        if breaches.len() > SHOWN {
            let more = breaches.len() - SHOWN;
            writer.problem(format!("writer {}: and {more} more", writer.number));
        }
    }
    Ok(())
}

fn describe(writer: usize, breach: &Breach) -> String {
    match breach {
        Breach::Register {
            register,
            found,
            expected,
            is_older,
        } => {
            let how = if *is_older {
                "a state from before the last that had to survive"
            } else {
                "a version that cannot be"
            };
            format!(
                "{}: version {found:?} instead of {expected:?} or later: {how}",
                layout::describe(writer, *register)
            )
        }
        Breach::Order { least, sent } => format!(
            "writer {writer}: no state between operations {least} and {sent} has all that was \
             found: a transaction is torn or a later write outlived an earlier one"
        ),
    }
}

fn read_strings(
    writer: &mut Writer,
    client: &mut Client,
    found: &mut [Option<u64>],
) -> Result<(), ClientError> {
    for begin in (0..STRINGS).step_by(BATCH) {
        let strings = begin..(begin + BATCH).min(STRINGS);
        let mut out = Vec::new();
        for string in strings.clone() {
            let key = layout::string_key(writer.number, string);
            write_request(&[b"GET", &key], &mut out);
            write_request(&[b"PEXPIRETIME", &key], &mut out);
        }
        client.send(&out)?;
        for string in strings {
            let key = layout::string_key(writer.number, string);
            match client.receive()? {
                Reply::Bulk(None) => {}
                Reply::Bulk(Some(content)) => {
                    found[string] = value::version(&key, STRING_BYTES, content);
                    if found[string].is_none() {
                        corrupt(writer, string, content);
                    }
                }
                other => {
                    let text = format!("GET of string {string}: {other:?}");
                    writer.problem(text);
                }
            }
            match client.receive()? {
                Reply::Integer(-2 | -1) => {}
                Reply::Integer(at_ms) => {
                    let operation = u64::try_from(at_ms).ok().and_then(layout::operation_of);
                    found[layout::time_register(string)] = operation;
                    if operation.is_none() {
                        let text = format!("string {string} expires at {at_ms}, which nobody set");
                        writer.problem(text);
                    }
                }
                other => {
                    let text = format!("PEXPIRETIME of string {string}: {other:?}");
                    writer.problem(text);
                }
            }
        }
    }
    Ok(())
}

fn read_queues(
    writer: &mut Writer,
    client: &mut Client,
    found: &mut [Option<u64>],
) -> Result<(), ClientError> {
    let mut out = Vec::new();
    for queue in 0..QUEUES {
        queues::write_read(writer.number, queue, &mut out);
    }
    client.send(&out)?;
    for queue in 0..QUEUES {
        let elements = queues::elements(writer.number, queue, &client.receive()?);
        let version = elements.and_then(|elements| writer.ledger.queues[queue].version(&elements));
        let register = layout::queue_register(queue);
        match version {
            Ok(version) => found[register] = version,
            Err(wrong) => {
                let what = layout::describe(writer.number, register);
                writer.problem(format!("{what}: {wrong}"));
            }
        }
    }
    Ok(())
}

/// Reads the strings that expire meanwhile: each is there up to its time and not after it.
fn read_briefs(
    writer: &mut Writer,
    client: &mut Client,
    found: &mut [Option<u64>],
) -> Result<(), ClientError> {
    let clock = Clock::system();
    let mut out = Vec::new();
    for brief in 0..BRIEFS {
        write_request(
            &[b"GET", &layout::brief_key(writer.number, brief)],
            &mut out,
        );
    }
    let before_ms = clock.now().0;
    client.send(&out)?;
    for brief in 0..BRIEFS {
        let key = layout::brief_key(writer.number, brief);
        let register = layout::brief_register(brief);
        let now_ms = match client.receive()? {
            Reply::Bulk(Some(content)) => {
                found[register] = value::version(&key, FIELD_BYTES, content);
                if found[register].is_none() {
                    corrupt(writer, register, content);
                }
                before_ms
            }
            Reply::Bulk(None) => clock.now().0 + 1,
            other => {
                let text = format!("GET of brief string {brief}: {other:?}");
                writer.problem(text);
                before_ms
            }
        };
        writer.ledger.registers[register].expire(now_ms);
    }
    Ok(())
}

fn read_hash(
    writer: &mut Writer,
    client: &mut Client,
    hash: usize,
    found: &mut [Option<u64>],
) -> Result<(), ClientError> {
    let key = layout::hash_key(writer.number, hash);
    let reply = client.ask(&[b"HGETALL", &key])?;
    let Reply::Array(Some(items)) = reply else {
        writer.problem(format!("HGETALL of hash {hash}: {reply:?}"));
        return Ok(());
    };
    for pair in items.chunks(2) {
        let [Reply::Bulk(Some(name)), Reply::Bulk(Some(content))] = pair else {
            writer.problem(format!("HGETALL of hash {hash}: {pair:?}"));
            return Ok(());
        };
        let Some(field) = layout::field_number(hash, name) else {
            writer.problem(format!("hash {hash}: field {}", name.escape_ascii()));
            continue;
        };
        let register = layout::field_register(hash, field);
        let value_name = layout::field_value_name(writer.number, hash, field);
        found[register] = value::version(&value_name, FIELD_BYTES, content);
        if found[register].is_none() {
            corrupt(writer, register, content);
        }
    }
    Ok(())
}

fn corrupt(writer: &mut Writer, register: usize, content: &[u8]) {
    let what = layout::describe(writer.number, register);
    let shown = content.get(..40).unwrap_or(content).escape_ascii();
    writer.problem(format!(
        "{what}: {} bytes that nobody wrote: {shown}",
        content.len()
    ));
}
