//! A line of a dump: one key as JSON.
//!
//! Owns the text, both ways. Does not know directories. Pure.
//!
//! ```text
//! {"db":0,"key":"k","type":"string","value":"v","expires_at_ms":1700000000000}
//! {"db":0,"key":{"base64":"/w=="},"type":"hash","value":[["f","v"],["g","w",1700000000000]]}
//! ```
//!
//! Bytes are a string if they are UTF-8, else an object with their base64 (RFC
//! 4648, padded). Times are Unix milliseconds; a key or field that does not
//! expire has none. A hash has at least one field and none twice. For streams see
//! `line/stream.rs`.
//!
//! INVARIANT: what is read has been checked against the limits of the store;
//! unknown members are refused, so that no later version's line is half read.

mod stream;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::HashSet;
use std::fmt;
use std::io::{self, Write};
use thermocline_base::UnixMillis;
use thermocline_base::limits::{DATABASE_COUNT, KEY_MAX_BYTES, STRING_MAX_BYTES};
use thermocline_store::offline::OfflineKey;
use thermocline_types::hash::SHOW_EXPIRED;
use thermocline_types::{Limits, Update, Value, ValueKind, ValueRef, apply};

const TEXT_OR_BASE64: &str = "a string or {\"base64\": \"...\"}";

/// A key as a line has it.
#[derive(Debug)]
pub struct Line {
    /// The number of the database.
    pub database: u8,
    /// The key.
    pub key: Vec<u8>,
    /// What it holds; no empty collection.
    pub value: Value,
    /// When it expires.
    pub expiry: Option<UnixMillis>,
}

/// Writes `key` as a line, its end included.
///
/// # Errors
/// What the writer refuses.
pub fn write(writer: &mut dyn Write, key: &OfflineKey<'_>) -> io::Result<()> {
    let line = Written {
        db: key.database,
        key: Bytes(key.key),
        kind: key.value.kind().name(),
        value: WrittenValue(key.value),
        expires_at_ms: key.expiry.map(|expiry| expiry.0),
    };
    serde_json::to_writer(&mut *writer, &line)?;
    writer.write_all(b"\n")
}

#[derive(Serialize)]
struct Written<'a> {
    db: u8,
    key: Bytes<'a>,
    #[serde(rename = "type")]
    kind: &'static str,
    value: WrittenValue<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at_ms: Option<i64>,
}

struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Ok(text) = std::str::from_utf8(self.0) {
            return serializer.serialize_str(text);
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("base64", &STANDARD.encode(self.0))?;
        map.end()
    }
}

struct WrittenValue<'a>(ValueRef<'a>);

impl Serialize for WrittenValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.kind() {
            ValueKind::String => {
                let bytes = self.0.string().map_err(serde::ser::Error::custom)?;
                Bytes(bytes).serialize(serializer)
            }
            ValueKind::Stream => {
                let stream = self.0.stream().map_err(serde::ser::Error::custom)?;
                stream::write(stream, serializer)
            }
            ValueKind::Hash => {
                let hash = self.0.hash().map_err(serde::ser::Error::custom)?;
                let mut fields = serializer.serialize_seq(Some(hash.len()))?;
                for (field, value, expiry) in hash.iter(SHOW_EXPIRED) {
                    match expiry {
                        None => fields.serialize_element(&(Bytes(field), Bytes(value)))?,
                        Some(at) => {
                            fields.serialize_element(&(Bytes(field), Bytes(value), at.0))?;
                        }
                    }
                }
                fields.end()
            }
        }
    }
}

/// Reads a line, with or without its end. `limits` say how hashes are laid out;
/// their seed goes into the directory with every large one, so it must be
/// random.
///
/// # Errors
/// What is wrong with it, and in which column if that is known.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Line, String> {
    let raw: RawLine = serde_json::from_slice(bytes).map_err(|error| {
        let text = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let reason = text.strip_suffix(&place).unwrap_or(&text);
        format!("column {}: {reason}", error.column())
    })?;
    if usize::from(raw.db) >= DATABASE_COUNT {
        return Err(format!(
            "\"db\" is {}, a database is a number below {DATABASE_COUNT}",
            raw.db
        ));
    }
    if raw.key.0.len() > KEY_MAX_BYTES {
        return Err(format!("a key has at most {KEY_MAX_BYTES} bytes"));
    }
    let value = match (raw.kind, raw.value) {
        (RawKind::String, RawValue::Bytes(bytes)) => {
            Value::from_string(bytes).map_err(|error| error.to_string())?
        }
        (RawKind::Hash, RawValue::Fields(fields)) => hash(&fields, limits)?,
        (RawKind::Stream, RawValue::Stream(stream)) => stream.build(limits)?,
        (RawKind::Stream, _) => {
            return Err("the value of a stream is an object that begins with entries".to_owned());
        }
        (RawKind::String, RawValue::Fields(_) | RawValue::Stream(_)) => {
            return Err(format!("the value of a string is {TEXT_OR_BASE64}"));
        }
        (RawKind::Hash, RawValue::Bytes(_) | RawValue::Stream(_)) => {
            return Err("the value of a hash is a list of [field, value]".to_owned());
        }
    };
    Ok(Line {
        database: raw.db,
        key: raw.key.0,
        value,
        expiry: raw.expires_at_ms.map(UnixMillis),
    })
}

fn hash(fields: &[RawField], limits: &Limits) -> Result<Value, String> {
    if fields.is_empty() {
        return Err("a hash has at least one field".to_owned());
    }
    let mut seen = HashSet::with_capacity(fields.len());
    for RawField(field, value, _) in fields {
        if !seen.insert(&field.0) {
            let name = String::from_utf8_lossy(&field.0);
            return Err(format!("the field {name:?} is there twice"));
        }
        if field.0.len().max(value.0.len()) > STRING_MAX_BYTES {
            return Err(format!(
                "a field or value has at most {STRING_MAX_BYTES} bytes"
            ));
        }
    }
    let fields = fields
        .iter()
        .map(|RawField(field, value, expiry)| (&field.0[..], &value.0[..], expiry.map(UnixMillis)))
        .collect();
    apply(None, &Update::HashSet { fields }, limits).map_err(|error| error.to_string())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLine {
    db: u8,
    key: RawBytes,
    #[serde(rename = "type")]
    kind: RawKind,
    value: RawValue,
    #[serde(default)]
    expires_at_ms: Option<i64>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawKind {
    String,
    Hash,
    Stream,
}

struct RawBytes(Vec<u8>);

enum RawValue {
    Bytes(Vec<u8>),
    Fields(Vec<RawField>),
    Stream(Box<stream::RawStream>),
}

struct RawField(RawBytes, RawBytes, Option<i64>);

fn base64_member<'de, A: MapAccess<'de>>(mut map: A) -> Result<Vec<u8>, A::Error> {
    let name = map.next_key()?;
    base64_text(name, map)
}

/// The bytes of an object whose first name was read.
fn base64_text<'de, A: MapAccess<'de>>(
    name: Option<String>,
    mut map: A,
) -> Result<Vec<u8>, A::Error> {
    let name = name.ok_or_else(|| de::Error::missing_field("base64"))?;
    if name != "base64" {
        return Err(de::Error::unknown_field(&name, &["base64"]));
    }
    let text: String = map.next_value()?;
    if map.next_key::<String>()?.is_some() {
        return Err(de::Error::custom("nothing may stand beside \"base64\""));
    }
    STANDARD
        .decode(text)
        .map_err(|error| de::Error::custom(format!("not base64: {error}")))
}

struct BytesVisitor;

impl<'de> Visitor<'de> for BytesVisitor {
    type Value = RawBytes;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(TEXT_OR_BASE64)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<RawBytes, E> {
        Ok(RawBytes(text.as_bytes().to_vec()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<RawBytes, E> {
        Ok(RawBytes(text.into_bytes()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawBytes, A::Error> {
        base64_member(map).map(RawBytes)
    }
}

impl<'de> Deserialize<'de> for RawBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BytesVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = RawValue;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{TEXT_OR_BASE64}, or a list of fields")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<RawValue, E> {
        Ok(RawValue::Bytes(text.as_bytes().to_vec()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<RawValue, E> {
        Ok(RawValue::Bytes(text.into_bytes()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawValue, A::Error> {
        let name: Option<String> = map.next_key()?;
        if name.as_deref() == Some(stream::FIRST_MEMBER) {
            return stream::read(map).map(|stream| RawValue::Stream(Box::new(stream)));
        }
        base64_text(name, map).map(RawValue::Bytes)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<RawValue, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = list.next_element()? {
            fields.push(field);
        }
        Ok(RawValue::Fields(fields))
    }
}

impl<'de> Deserialize<'de> for RawValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = RawField;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[field, value] or [field, value, expires_at_ms]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<RawField, A::Error> {
        let missing = || de::Error::invalid_length(0, &"a field and a value");
        let field = list.next_element()?.ok_or_else(missing)?;
        let value = list.next_element()?.ok_or_else(missing)?;
        Ok(RawField(field, value, list.next_element()?))
    }
}

impl<'de> Deserialize<'de> for RawField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(FieldVisitor)
    }
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
