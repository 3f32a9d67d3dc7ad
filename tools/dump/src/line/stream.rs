//! The value of a stream in a line.
//!
//! Owns the text, both ways. Pure.
//!
//! ```text
//! {"entries":[["1-0","field","value"]],"last_id":"1-0","max_deleted_id":"0-0","entries_added":1,
//!  "groups":[{"name":"g","last_id":"1-0","entries_read":1,
//!    "consumers":[{"name":"c","seen_at_ms":5,"active_at_ms":5,"pending":[["1-0",5,1]]}]}]}
//! ```
//!
//! `entries` come first, their ids ascend. A pending entry has its id, when it was delivered and
//! how often. `active_at_ms` is missing for a consumer that never got anything. How the entries
//! are cut into nodes is not written: it is made anew.

use super::{Bytes, RawBytes};
use serde::de::{self, MapAccess};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use thermocline_base::UnixMillis;
use thermocline_base::limits::STRING_MAX_BYTES;
use thermocline_types::stream::{Consumer, Group, StreamEntry};
use thermocline_types::{Limits, Stream, StreamId, StreamUpdate, Update, Value, apply};

/// The name that tells a stream from an object of base64.
pub(super) const FIRST_MEMBER: &str = "entries";

/// Writes a stream.
pub(super) fn write<S: Serializer>(stream: &Stream, serializer: S) -> Result<S::Ok, S::Error> {
    let mut value = serializer.serialize_struct("Stream", 5)?;
    let entries = stream.range(StreamId::MIN..=StreamId::MAX);
    value.serialize_field(FIRST_MEMBER, &List(entries.map(Entry).collect()))?;
    value.serialize_field("last_id", &stream.last_id().to_string())?;
    value.serialize_field("max_deleted_id", &stream.max_deleted_id().to_string())?;
    value.serialize_field("entries_added", &stream.entries_added())?;
    let groups = stream
        .groups()
        .map(|(name, group)| WrittenGroup { name, group });
    value.serialize_field("groups", &List(groups.collect()))?;
    value.end()
}

struct List<T>(Vec<T>);

impl<T: Serialize> Serialize for List<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.0)
    }
}

struct Entry<'a>(StreamEntry<'a>);

impl Serialize for Entry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let id = self.0.id.to_string().into_bytes();
        let fields = self.0.fields();
        let texts = fields.flat_map(|(name, value)| [name.into_owned(), value.into_owned()]);
        let texts: Vec<Vec<u8>> = std::iter::once(id).chain(texts).collect();
        serializer.collect_seq(texts.iter().map(|text| Bytes(text)))
    }
}

struct WrittenGroup<'a> {
    name: &'a [u8],
    group: &'a Group,
}

impl Serialize for WrittenGroup<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut value = serializer.serialize_struct("Group", 4)?;
        value.serialize_field("name", &Bytes(self.name))?;
        value.serialize_field("last_id", &self.group.last_id.to_string())?;
        value.serialize_field("entries_read", &self.group.entries_read)?;
        let consumers = self
            .group
            .consumers()
            .map(|(name, consumer)| WrittenConsumer {
                name,
                consumer,
                group: self.group,
            });
        value.serialize_field("consumers", &List(consumers.collect()))?;
        value.end()
    }
}

struct WrittenConsumer<'a> {
    name: &'a [u8],
    consumer: &'a Consumer,
    group: &'a Group,
}

impl Serialize for WrittenConsumer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut value = serializer.serialize_struct("Consumer", 4)?;
        value.serialize_field("name", &Bytes(self.name))?;
        value.serialize_field("seen_at_ms", &self.consumer.seen_at.0)?;
        if let Some(active_at) = self.consumer.active_at {
            value.serialize_field("active_at_ms", &active_at.0)?;
        }
        let pending = self.consumer.pending_from(StreamId::MIN).filter_map(|id| {
            let pending = self.group.pending(id)?;
            Some((id.to_string(), pending.delivered_at.0, pending.deliveries))
        });
        value.serialize_field("pending", &List(pending.collect()))?;
        value.end()
    }
}

/// Reads the object whose first name was read.
pub(super) fn read<'de, A: MapAccess<'de>>(mut map: A) -> Result<RawStream, A::Error> {
    let entries: Vec<Vec<RawBytes>> = map.next_value()?;
    let rest = RawRest::deserialize(de::value::MapAccessDeserializer::new(map))?;
    Ok(RawStream { entries, rest })
}

/// A stream as its line has it; [`RawStream::build`] checks it.
pub(super) struct RawStream {
    entries: Vec<Vec<RawBytes>>,
    rest: RawRest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRest {
    last_id: String,
    max_deleted_id: String,
    entries_added: u64,
    groups: Vec<RawGroup>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGroup {
    name: RawBytes,
    last_id: String,
    entries_read: i64,
    consumers: Vec<RawConsumer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConsumer {
    name: RawBytes,
    seen_at_ms: i64,
    #[serde(default)]
    active_at_ms: Option<i64>,
    pending: Vec<(String, i64, u64)>,
}

fn id(text: &[u8]) -> Result<StreamId, String> {
    let parts = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.split_once('-'));
    let id = parts
        .and_then(|(ms, sequence)| Some(StreamId::new(ms.parse().ok()?, sequence.parse().ok()?)));
    id.ok_or_else(|| format!("{:?} is no id of a stream", String::from_utf8_lossy(text)))
}

/// The stream as far as it is built.
struct Building<'a> {
    value: Option<Value>,
    limits: &'a Limits,
}

impl Building<'_> {
    fn update(&mut self, update: StreamUpdate<'_>) -> Result<(), String> {
        let value = apply(self.value.take(), &Update::Stream(update), self.limits);
        self.value = Some(value.map_err(|error| error.to_string())?);
        Ok(())
    }
}

impl RawStream {
    /// The stream, by the updates that would make it.
    pub(super) fn build(&self, limits: &Limits) -> Result<Value, String> {
        let mut building = Building {
            value: Some(Value::from_stream(Stream::default())),
            limits,
        };
        let mut last = StreamId::MIN;
        for entry in &self.entries {
            let (first, fields) = entry.split_first().ok_or("an entry has an id")?;
            let id = id(&first.0)?;
            if id <= last || fields.is_empty() || !fields.len().is_multiple_of(2) {
                return Err(format!("the entry {id} is out of order or has no fields"));
            }
            let bytes: usize = fields.iter().map(|text| text.0.len()).sum();
            if bytes > STRING_MAX_BYTES {
                return Err(format!("an entry has at most {STRING_MAX_BYTES} bytes"));
            }
            last = id;
            let fields = fields.iter().map(|text| text.0.as_slice()).collect();
            building.update(StreamUpdate::Add { id, fields })?;
        }
        let last_id = id(self.rest.last_id.as_bytes())?;
        if last_id < last {
            return Err("\"last_id\" is below the last entry".to_owned());
        }
        building.update(StreamUpdate::SetId {
            last_id,
            entries_added: Some(self.rest.entries_added),
            max_deleted_id: Some(id(self.rest.max_deleted_id.as_bytes())?),
        })?;
        for group in &self.rest.groups {
            group.build(&mut building)?;
        }
        building
            .value
            .ok_or_else(|| "there is no stream".to_owned())
    }
}

impl RawGroup {
    fn build(&self, building: &mut Building<'_>) -> Result<(), String> {
        let (group, entries_read) = (self.name.0.as_slice(), self.entries_read);
        let last_id = id(self.last_id.as_bytes())?;
        building.update(StreamUpdate::CreateGroup {
            group,
            last_id,
            entries_read,
        })?;
        for raw in &self.consumers {
            let consumer = raw.name.0.as_slice();
            let seen_at = UnixMillis(raw.seen_at_ms);
            let active_at = raw.active_at_ms.map(UnixMillis);
            let touch = StreamUpdate::TouchConsumer {
                group,
                consumer,
                seen_at,
                active_at,
            };
            building.update(touch)?;
            let entries = raw
                .pending
                .iter()
                .map(|(text, delivered_at_ms, deliveries)| {
                    Ok((
                        id(text.as_bytes())?,
                        UnixMillis(*delivered_at_ms),
                        *deliveries,
                    ))
                });
            let entries = entries.collect::<Result<Vec<_>, String>>()?;
            building.update(StreamUpdate::Deliver {
                group,
                consumer,
                entries,
            })?;
        }
        Ok(())
    }
}
