//! A line of a dump: one key, or one library of functions, as JSON.
//!
//! Owns the text, both ways. Does not know directories. Pure.
//!
//! ```text
//! {"db":0,"key":"k","type":"string","value":"v","expires_at_ms":1700000000000}
//! {"db":0,"key":{"base64":"/w=="},"type":"hash","value":[["f","v"],["g","w",1700000000000]]}
//! {"db":0,"key":"k","type":"list","value":["a","b","a"]}
//! {"db":0,"key":"k","type":"set","value":["a",{"base64":"/w=="}]}
//! {"db":0,"key":"k","type":"zset","value":[["a","1.5"],["b","inf"]]}
//! {"library":"#!lua name=l\nserver.register_function('f', ...)"}
//! ```
//!
//! Scores are strings, for JSON has no infinity. Bytes are a string if they are
//! UTF-8, else an object with their base64 (RFC 4648, padded). Times are Unix
//! milliseconds; a key or field that does not expire has none. No collection is
//! empty, and none but a list has a field or member twice.
//! For streams see `line/stream.rs`.
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
use thermocline_types::list::End;
use thermocline_types::number::{double_text, parse_double};
use thermocline_types::{Limits, ListUpdate, SetForm, Update, Value, ValueKind, ValueRef, apply};

const NO_FIELDS: &str = "the value of a hash is a list of [field, value]";
const NO_ELEMENTS: &str = "the value of a list is a list of elements";
const NO_MEMBERS: &str = "the value of a set is a list of members";
const NO_SCORES: &str =
    "the value of a sorted set is a list of [member, score], the score a string";
const NO_ENTRIES: &str = "the value of a stream is an object that begins with entries";
const TEXT_OR_BASE64: &str = "a string or {\"base64\": \"...\"}";

/// What a line has.
#[derive(Debug)]
pub enum Line {
    /// A key.
    Key(KeyLine),
    /// A library of functions: its text, unchecked.
    Library(Vec<u8>),
}

/// A key as a line has it.
#[derive(Debug)]
pub struct KeyLine {
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

/// Writes a library of functions as a line, its end included.
///
/// # Errors
/// What the writer refuses.
pub(crate) fn write_library(writer: &mut dyn Write, text: &[u8]) -> io::Result<()> {
    let line = WrittenLibrary {
        library: Bytes(text),
    };
    serde_json::to_writer(&mut *writer, &line)?;
    writer.write_all(b"\n")
}

/// Writes only the value.
pub(crate) fn write_value(writer: &mut dyn Write, value: ValueRef<'_>) -> io::Result<()> {
    Ok(serde_json::to_writer(writer, &WrittenValue(value))?)
}

#[derive(Serialize)]
struct WrittenLibrary<'a> {
    library: Bytes<'a>,
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
            ValueKind::List => {
                let list = self.0.list().map_err(serde::ser::Error::custom)?;
                let mut elements = serializer.serialize_seq(Some(list.len()))?;
                for element in list.iter() {
                    element.with_text(|text| elements.serialize_element(&Bytes(text)))?;
                }
                elements.end()
            }
            ValueKind::Set => {
                let set = self.0.set().map_err(serde::ser::Error::custom)?;
                let mut members = serializer.serialize_seq(Some(set.len()))?;
                for member in set.iter() {
                    members.serialize_element(&Bytes(&member))?;
                }
                members.end()
            }
            ValueKind::SortedSet => {
                let set = self.0.sorted_set().map_err(serde::ser::Error::custom)?;
                let mut entries = serializer.serialize_seq(Some(set.len()))?;
                for (score, member) in set.iter() {
                    entries.serialize_element(&(Bytes(member), double_text(score)))?;
                }
                entries.end()
            }
        }
    }
}

/// Reads a line, with or without its end. `limits` say how collections are laid out;
/// their seed goes into the directory with every large one, so it must be
/// random.
///
/// # Errors
/// What is wrong with it, and in which column if that is known.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Line, String> {
    let raw = match parse(bytes)? {
        RawLine::Key(raw) => raw,
        RawLine::Library(text) => return Ok(Line::Library(text)),
    };
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
        (RawKind::Hash, RawValue::Elements(elements)) => hash(&elements, limits)?,
        (RawKind::List, RawValue::Elements(elements)) => list(&elements, limits)?,
        (RawKind::Set, RawValue::Elements(elements)) => set(&elements, limits)?,
        (RawKind::Zset, RawValue::Elements(elements)) => sorted_set(&elements, limits)?,
        (RawKind::Stream, RawValue::Stream(stream)) => stream.build(limits)?,
        (RawKind::String, _) => return Err(format!("the value of a string is {TEXT_OR_BASE64}")),
        (RawKind::Hash, _) => return Err(NO_FIELDS.to_owned()),
        (RawKind::List, _) => return Err(NO_ELEMENTS.to_owned()),
        (RawKind::Set, _) => return Err(NO_MEMBERS.to_owned()),
        (RawKind::Zset, _) => return Err(NO_SCORES.to_owned()),
        (RawKind::Stream, _) => return Err(NO_ENTRIES.to_owned()),
    };
    Ok(Line::Key(KeyLine {
        database: raw.db,
        key: raw.key.0,
        value,
        expiry: raw.expires_at_ms.map(UnixMillis),
    }))
}

fn parse(bytes: &[u8]) -> Result<RawLine, String> {
    // The first member says which of the two it is; both refuse what is of neither.
    let parsed = if is_library(bytes) {
        serde_json::from_slice(bytes).map(|raw: RawLibrary| RawLine::Library(raw.library.0))
    } else {
        serde_json::from_slice(bytes).map(RawLine::Key)
    };
    parsed.map_err(|error| {
        let text = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let reason = text.strip_suffix(&place).unwrap_or(&text);
        format!("column {}: {reason}", error.column())
    })
}

fn is_library(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    for word in [&b"{"[..], b"\"library\""] {
        let Some(after) = rest.trim_ascii_start().strip_prefix(word) else {
            return false;
        };
        rest = after;
    }
    true
}

fn hash(elements: &[RawElement], limits: &Limits) -> Result<Value, String> {
    let fields: Option<Vec<&RawField>> = elements.iter().map(RawElement::field).collect();
    let fields = fields.ok_or(NO_FIELDS)?;
    if fields.is_empty() {
        return Err("a hash has at least one field".to_owned());
    }
    let mut seen = HashSet::with_capacity(fields.len());
    for RawField(field, value, _) in &fields {
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

fn list(elements: &[RawElement], limits: &Limits) -> Result<Value, String> {
    let elements: Option<Vec<&[u8]>> = elements.iter().map(RawElement::bytes).collect();
    let elements = elements.ok_or(NO_ELEMENTS)?;
    if elements.is_empty() {
        return Err("a list has at least one element".to_owned());
    }
    let push = ListUpdate::Push {
        end: End::Tail,
        elements,
    };
    apply(None, &Update::List(push), limits).map_err(|error| error.to_string())
}

fn set(elements: &[RawElement], limits: &Limits) -> Result<Value, String> {
    let members: Option<Vec<&[u8]>> = elements.iter().map(RawElement::bytes).collect();
    let members = members.ok_or(NO_MEMBERS)?;
    if members.is_empty() {
        return Err("a set has at least one member".to_owned());
    }
    check_members(members.iter().copied())?;
    let update = Update::SetAdd {
        at_least: SetForm::Integers,
        members,
    };
    apply(None, &update, limits).map_err(|error| error.to_string())
}

fn sorted_set(elements: &[RawElement], limits: &Limits) -> Result<Value, String> {
    let mut entries: Vec<(f64, &[u8])> = Vec::new();
    for element in elements {
        let Some(RawField(member, score, None)) = element.field() else {
            return Err(NO_SCORES.to_owned());
        };
        let score = parse_double(&score.0).ok_or(NO_SCORES)?;
        entries.push((score, &member.0));
    }
    if entries.is_empty() {
        return Err("a sorted set has at least one member".to_owned());
    }
    check_members(entries.iter().map(|entry| entry.1))?;
    let is_full = entries.len() > limits.zset_max_listpack_entries;
    let update = Update::SortedSetSet { is_full, entries };
    apply(None, &update, limits).map_err(|error| error.to_string())
}

fn check_members<'a>(members: impl Iterator<Item = &'a [u8]>) -> Result<(), String> {
    let mut seen = HashSet::new();
    for member in members {
        if !seen.insert(member) {
            let name = String::from_utf8_lossy(member);
            return Err(format!("the member {name:?} is there twice"));
        }
        if member.len() > STRING_MAX_BYTES {
            return Err(format!("a member has at most {STRING_MAX_BYTES} bytes"));
        }
    }
    Ok(())
}

enum RawLine {
    Key(RawKey),
    Library(Vec<u8>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLibrary {
    library: RawBytes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey {
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
    List,
    Set,
    Zset,
    Stream,
}

struct RawBytes(Vec<u8>);

enum RawValue {
    Bytes(Vec<u8>),
    Elements(Vec<RawElement>),
    Stream(Box<stream::RawStream>),
}

/// An element of a list.
enum RawElement {
    Bytes(Vec<u8>),
    Field(RawField),
}

impl RawElement {
    fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Field(_) => None,
        }
    }

    fn field(&self) -> Option<&RawField> {
        match self {
            Self::Bytes(_) => None,
            Self::Field(field) => Some(field),
        }
    }
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
        write!(formatter, "{TEXT_OR_BASE64}, or a list")
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
        let mut elements = Vec::new();
        while let Some(element) = list.next_element()? {
            elements.push(element);
        }
        Ok(RawValue::Elements(elements))
    }
}

impl<'de> Deserialize<'de> for RawValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ElementVisitor;

impl<'de> Visitor<'de> for ElementVisitor {
    type Value = RawElement;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{TEXT_OR_BASE64}, [field, value] or [field, value, expires_at_ms]"
        )
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<RawElement, E> {
        Ok(RawElement::Bytes(text.as_bytes().to_vec()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<RawElement, E> {
        Ok(RawElement::Bytes(text.into_bytes()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawElement, A::Error> {
        base64_member(map).map(RawElement::Bytes)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<RawElement, A::Error> {
        let missing = || de::Error::invalid_length(0, &"a field and a value");
        let field = list.next_element()?.ok_or_else(missing)?;
        let value = list.next_element()?.ok_or_else(missing)?;
        let expiry = list.next_element()?;
        Ok(RawElement::Field(RawField(field, value, expiry)))
    }
}

impl<'de> Deserialize<'de> for RawElement {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ElementVisitor)
    }
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
