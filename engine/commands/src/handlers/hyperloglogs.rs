//! Commands on HyperLogLogs: strings that count different elements.
//!
//! Owns their meaning. Does not own the bytes: `thermocline_types::hyperloglog` does. Runs
//! under the locks of the access. A change is logged as the whole string where it is sparse,
//! as the registers' bytes that changed where it is dense.
//!
//! PFCOUNT writes the cardinality it found into the string, as Redis does, though it only
//! reads: it leaves that out while the log has no room.

mod self_test;

use crate::context::{Context, Failure, Handler};
use crate::error::{BitsError, CommandError};
use smallvec::SmallVec;
use thermocline_store::{EventClass, KeyId};
use thermocline_types::hyperloglog::{self, Encoding, HyperLogLogError, REGISTERS, sparse};
use thermocline_types::{Update, Value};

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("pfadd", pfadd),
    ("pfcount", pfcount),
    ("pfdebug", pfdebug),
    ("pfmerge", pfmerge),
    ("pfselftest", self_test::pfselftest),
];

impl From<HyperLogLogError> for Failure {
    fn from(error: HyperLogLogError) -> Self {
        match error {
            HyperLogLogError::Foreign => BitsError::NotHyperLogLog.into(),
            HyperLogLogError::Corrupt => BitsError::CorruptHyperLogLog.into(),
        }
    }
}

/// The bytes of a key, which are a HyperLogLog by their header.
fn bytes_of<'a>(context: &'a Context<'_, '_, '_>, key: KeyId) -> Result<Option<&'a [u8]>, Failure> {
    let Some(entry) = context.access.peek(key) else {
        return Ok(None);
    };
    let bytes = entry.value.string()?;
    hyperloglog::encoding(bytes)?;
    Ok(Some(bytes))
}

/// Replaces the bytes of key 0, the expiry kept.
fn replace(context: &mut Context<'_, '_, '_>, bytes: Vec<u8>) -> Result<(), Failure> {
    let old = context.peek(0);
    let expiry = old.and_then(|entry| entry.expiry);
    let old = old.and_then(|entry| entry.value.string().ok());
    if let Some(old) = old.filter(|old| old.len() == bytes.len()) {
        // From the first byte that changed to the last.
        let pairs = || old.iter().zip(&bytes);
        let same = pairs().take_while(|(old, new)| old == new).count();
        let behind = pairs().rev().take_while(|(old, new)| old == new).count();
        let end = bytes.len() - behind.min(bytes.len() - same);
        let (offset, bytes) = (same as u64, &bytes[same..end]);
        return context.update(0, &Update::StringSetRange { offset, bytes });
    }
    context.put(0, Value::from_raw_string(bytes)?, expiry);
    Ok(())
}

/// As [`replace`], by what counts the same: no client is told.
fn replace_unseen(context: &mut Context<'_, '_, '_>, bytes: Vec<u8>) -> Result<(), Failure> {
    let old = context.peek(0);
    let old = old.and_then(|entry| entry.value.string().ok());
    if old.is_some_and(|old| old.len() <= bytes.len()) {
        let (offset, bytes) = (0, &*bytes);
        return context.update_unseen(0, &Update::StringSetRange { offset, bytes });
    }
    replace(context, bytes)
}

fn pfadd(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let sparse_max_bytes = context.settings.hll_sparse_max_bytes();
    let found = bytes_of(context, context.keys[0])?;
    let elements = context.arguments[2..].iter();
    let places: SmallVec<[_; 4]> = elements.map(|it| hyperloglog::place(it)).collect();
    // Most change nothing, which is seen before anything is copied.
    let holds = |bytes: &[u8]| {
        let mut places = places.iter();
        places.all(|(index, rank)| hyperloglog::holds(bytes, *index, *rank))
    };
    if found.is_some_and(holds) {
        context.reply.integer(0);
        return Ok(());
    }
    let found = found.map(<[u8]>::to_vec);
    let mut changed = found.is_none();
    let mut bytes = found.unwrap_or_else(hyperloglog::empty);
    for (index, rank) in places {
        changed |= hyperloglog::raise(&mut bytes, index, rank, sparse_max_bytes)?;
    }
    if changed {
        hyperloglog::invalidate(&mut bytes);
        replace(context, bytes)?;
        context.notify(EventClass::String, "pfadd", 0);
    }
    context.reply.integer(changed.into());
    Ok(())
}

fn pfcount(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    if context.keys.len() > 1 {
        let mut registers = Box::new([0; REGISTERS]);
        for key in context.keys {
            context.access.get(*key);
            if let Some(bytes) = bytes_of(context, *key)? {
                hyperloglog::merge(&mut registers, bytes)?;
            }
        }
        let cardinality = hyperloglog::estimate(&registers);
        context.reply.integer(cardinality as i64);
        return Ok(());
    }
    context.get(0);
    let Some(bytes) = bytes_of(context, context.keys[0])? else {
        context.reply.integer(0);
        return Ok(());
    };
    let cardinality = match hyperloglog::cached_cardinality(bytes) {
        Some(cardinality) => cardinality,
        None => {
            let cardinality = hyperloglog::cardinality(bytes)?;
            if context.access.log_has_room() {
                let (offset, bytes) = hyperloglog::cardinality_bytes(cardinality);
                let bytes = &bytes;
                context.update(0, &Update::StringSetRange { offset, bytes })?;
            }
            cardinality
        }
    };
    context.reply.integer(cardinality as i64);
    Ok(())
}

fn pfmerge(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let mut registers = Box::new([0; REGISTERS]);
    let mut is_dense = false;
    for (index, key) in context.keys.iter().enumerate() {
        context.look(index);
        if let Some(bytes) = bytes_of(context, *key)? {
            is_dense |= hyperloglog::encoding(bytes)? == Encoding::Dense;
            hyperloglog::merge(&mut registers, bytes)?;
        }
    }
    let target = bytes_of(context, context.keys[0])?;
    let mut bytes = target.map_or_else(hyperloglog::empty, <[u8]>::to_vec);
    if is_dense {
        hyperloglog::make_dense(&mut bytes)?;
    }
    let sparse_max_bytes = context.settings.hll_sparse_max_bytes();
    for (index, rank) in registers.iter().enumerate() {
        if *rank > 0 {
            hyperloglog::raise(&mut bytes, index, *rank, sparse_max_bytes)?;
        }
    }
    hyperloglog::invalidate(&mut bytes);
    replace(context, bytes)?;
    context.notify(EventClass::String, "pfadd", 0);
    context.reply.simple("OK");
    Ok(())
}

fn pfdebug(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let name = context.argument(1);
    if name.eq_ignore_ascii_case(b"simd") {
        return simd(context);
    }
    let found = bytes_of(context, context.keys[0])?;
    let mut bytes = found.ok_or(BitsError::NoHyperLogLog)?.to_vec();
    let encoding = hyperloglog::encoding(&bytes)?;
    match name.to_ascii_lowercase().as_slice() {
        b"getreg" => {
            let mut registers = Box::new([0; REGISTERS]);
            hyperloglog::merge(&mut registers, &bytes)?;
            if encoding == Encoding::Sparse {
                hyperloglog::make_dense(&mut bytes)?;
                replace_unseen(context, bytes)?;
            }
            context.reply.array(REGISTERS);
            for rank in registers.iter() {
                context.reply.integer((*rank).into());
            }
        }
        b"decode" if encoding == Encoding::Dense => return Err(BitsError::NotSparse.into()),
        b"decode" => {
            let runs = sparse::runs(&bytes[hyperloglog::HEADER_BYTES..]);
            let texts: Vec<String> = runs
                .map(|run| match (run.rank, run.is_long) {
                    (0, false) => format!("z:{}", run.length),
                    (0, true) => format!("Z:{}", run.length),
                    (rank, _) => format!("v:{rank},{}", run.length),
                })
                .collect();
            context.reply.bulk(texts.join(" ").as_bytes());
        }
        b"encoding" => context.reply.simple(match encoding {
            Encoding::Dense => "dense",
            Encoding::Sparse => "sparse",
        }),
        b"todense" => {
            let is_sparse = encoding == Encoding::Sparse;
            if is_sparse {
                hyperloglog::make_dense(&mut bytes)?;
                replace_unseen(context, bytes)?;
            }
            context.reply.integer(is_sparse.into());
        }
        _ => return Err(BitsError::unknown_debug(name).into()),
    }
    Ok(())
}

/// The instructions that are used are chosen by the compiler: nothing to switch.
fn simd(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let state = match context.argument(2).to_ascii_lowercase().as_slice() {
        b"on" => "enabled",
        b"off" => "disabled",
        _ => return Err(CommandError::from(BitsError::NotOnOrOff).into()),
    };
    context.reply.simple(state);
    Ok(())
}
