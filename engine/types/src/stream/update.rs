//! The deterministic changes of a stream.
//!
//! Owns their bytes (`FORMAT.md`, "Updates") and what they do. Ids, times and counts in them
//! are those that the command came to; a change of something that is not there does nothing,
//! so applying never fails. Runs on whichever thread holds the shard.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::{Group, Stream, StreamId};
use crate::string;
use crate::value::{Limits, TypeError};
use thermocline_base::codec::{put_length_prefixed, put_varint};
use thermocline_base::{CodecError, Reader, UnixMillis};

/// The numbers of the updates of streams: from the first to the last.
pub(crate) const TAGS: std::ops::RangeInclusive<u8> = ADD..=DELIVER;
const ADD: u8 = 64;
const TRIM: u8 = 65;
const DELETE: u8 = 66;
const SET_ID: u8 = 67;
const CREATE_GROUP: u8 = 68;
const DESTROY_GROUP: u8 = 69;
const SET_GROUP_ID: u8 = 70;
const TOUCH_CONSUMER: u8 = 71;
const REMOVE_CONSUMER: u8 = 72;
const ACKNOWLEDGE: u8 = 73;
const DELIVER: u8 = 74;

/// An entry given to a consumer: its id, when, and how often by now.
pub type Delivery = (StreamId, UnixMillis, u64);

/// One deterministic change of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamUpdate<'a> {
    /// An entry put at the end; a missing stream is made. An id that is not above the last
    /// changes nothing.
    Add {
        /// The entry's id.
        id: StreamId,
        /// Fields and values in turn.
        fields: Vec<&'a [u8]>,
    },
    /// All entries up to an id removed.
    Trim {
        /// The last of them.
        through: StreamId,
    },
    /// Entries removed one by one.
    Delete {
        /// Their ids.
        ids: Vec<StreamId>,
        /// Whether the stream remembers the highest of them: XDEL does, a trim does not.
        is_remembered: bool,
    },
    /// What the stream remembers of entries that are gone, set; a missing stream is not made.
    SetId {
        /// The highest id there was.
        last_id: StreamId,
        /// How many entries were added; `None`: as before.
        entries_added: Option<u64>,
        /// The highest id deleted; `None`: as before.
        max_deleted_id: Option<StreamId>,
    },
    /// A group made; a missing stream is made.
    CreateGroup {
        /// Its name.
        group: &'a [u8],
        /// What counts as delivered to it.
        last_id: StreamId,
        /// How many entries it has read, or -1.
        entries_read: i64,
    },
    /// A group removed.
    DestroyGroup {
        /// Its name.
        group: &'a [u8],
    },
    /// What counts as delivered to a group, set.
    SetGroupId {
        /// Its name.
        group: &'a [u8],
        /// The last entry delivered.
        last_id: StreamId,
        /// How many entries it has read, or -1.
        entries_read: i64,
    },
    /// When a consumer was seen and active, set; a missing one is made.
    TouchConsumer {
        /// The group.
        group: &'a [u8],
        /// The consumer.
        consumer: &'a [u8],
        /// When it was seen.
        seen_at: UnixMillis,
        /// When it was active; `None`: as before.
        active_at: Option<UnixMillis>,
    },
    /// A consumer removed with what was pending for it.
    RemoveConsumer {
        /// The group.
        group: &'a [u8],
        /// The consumer.
        consumer: &'a [u8],
    },
    /// Entries no longer pending.
    Acknowledge {
        /// The group.
        group: &'a [u8],
        /// Their ids.
        ids: Vec<StreamId>,
    },
    /// Entries made pending for a consumer that is there, whoever had them.
    Deliver {
        /// The group.
        group: &'a [u8],
        /// The consumer.
        consumer: &'a [u8],
        /// The entries.
        entries: Vec<Delivery>,
    },
}

impl<'a> StreamUpdate<'a> {
    /// Appends the update's bytes, its number first.
    pub(crate) fn encode_into(&self, out: &mut Vec<u8>) {
        match self {
            Self::Add { id, fields } => {
                out.push(ADD);
                id.put(out);
                fields
                    .iter()
                    .for_each(|text| put_length_prefixed(out, text));
            }
            Self::Trim { through } => {
                out.push(TRIM);
                through.put(out);
            }
            Self::Delete { ids, is_remembered } => {
                out.push(DELETE);
                out.push(u8::from(*is_remembered));
                ids.iter().for_each(|id| id.put(out));
            }
            Self::SetId {
                last_id,
                entries_added,
                max_deleted_id,
            } => {
                out.push(SET_ID);
                last_id.put(out);
                put_optional(out, *entries_added, put_varint);
                put_optional(out, *max_deleted_id, |out, id| id.put(out));
            }
            Self::CreateGroup {
                group,
                last_id,
                entries_read,
            } => {
                put_group(out, CREATE_GROUP, group);
                last_id.put(out);
                out.extend_from_slice(&entries_read.to_le_bytes());
            }
            Self::DestroyGroup { group } => put_group(out, DESTROY_GROUP, group),
            Self::SetGroupId {
                group,
                last_id,
                entries_read,
            } => {
                put_group(out, SET_GROUP_ID, group);
                last_id.put(out);
                out.extend_from_slice(&entries_read.to_le_bytes());
            }
            Self::TouchConsumer {
                group,
                consumer,
                seen_at,
                active_at,
            } => {
                put_group(out, TOUCH_CONSUMER, group);
                put_length_prefixed(out, consumer);
                out.extend_from_slice(&seen_at.0.to_le_bytes());
                put_optional(out, *active_at, |out, at| {
                    out.extend_from_slice(&at.0.to_le_bytes());
                });
            }
            Self::RemoveConsumer { group, consumer } => {
                put_group(out, REMOVE_CONSUMER, group);
                put_length_prefixed(out, consumer);
            }
            Self::Acknowledge { group, ids } => {
                put_group(out, ACKNOWLEDGE, group);
                ids.iter().for_each(|id| id.put(out));
            }
            Self::Deliver {
                group,
                consumer,
                entries,
            } => {
                put_group(out, DELIVER, group);
                put_length_prefixed(out, consumer);
                for (id, at, deliveries) in entries {
                    id.put(out);
                    out.extend_from_slice(&at.0.to_le_bytes());
                    put_varint(out, *deliveries);
                }
            }
        }
    }

    /// Reads the update of number `tag`, which takes all that is left.
    pub(crate) fn decode(tag: u8, reader: &mut Reader<'a>) -> Result<Self, TypeError> {
        let update = match tag {
            ADD => {
                let id = StreamId::read(reader)?;
                let mut fields = Vec::new();
                while !reader.is_empty() {
                    fields.push(reader.length_prefixed()?);
                }
                if !fields.len().is_multiple_of(2) {
                    return Err(reader.invalid("fields of a stream entry").into());
                }
                Self::Add { id, fields }
            }
            TRIM => Self::Trim {
                through: StreamId::read(reader)?,
            },
            DELETE => Self::Delete {
                is_remembered: reader.u8()? != 0,
                ids: ids(reader)?,
            },
            SET_ID => Self::SetId {
                last_id: StreamId::read(reader)?,
                entries_added: optional(reader, Reader::varint)?,
                max_deleted_id: optional(reader, StreamId::read)?,
            },
            CREATE_GROUP => Self::CreateGroup {
                group: reader.length_prefixed()?,
                last_id: StreamId::read(reader)?,
                entries_read: reader.i64()?,
            },
            DESTROY_GROUP => Self::DestroyGroup {
                group: reader.length_prefixed()?,
            },
            SET_GROUP_ID => Self::SetGroupId {
                group: reader.length_prefixed()?,
                last_id: StreamId::read(reader)?,
                entries_read: reader.i64()?,
            },
            TOUCH_CONSUMER => Self::TouchConsumer {
                group: reader.length_prefixed()?,
                consumer: reader.length_prefixed()?,
                seen_at: UnixMillis(reader.i64()?),
                active_at: optional(reader, |reader| reader.i64().map(UnixMillis))?,
            },
            REMOVE_CONSUMER => Self::RemoveConsumer {
                group: reader.length_prefixed()?,
                consumer: reader.length_prefixed()?,
            },
            ACKNOWLEDGE => Self::Acknowledge {
                group: reader.length_prefixed()?,
                ids: ids(reader)?,
            },
            DELIVER => {
                let group = reader.length_prefixed()?;
                let consumer = reader.length_prefixed()?;
                let mut entries = Vec::new();
                while !reader.is_empty() {
                    let id = StreamId::read(reader)?;
                    entries.push((id, UnixMillis(reader.i64()?), reader.varint()?));
                }
                Self::Deliver {
                    group,
                    consumer,
                    entries,
                }
            }
            found => return Err(TypeError::UnknownUpdate { found }),
        };
        if !reader.is_empty() {
            return Err(reader.invalid("end of a stream update").into());
        }
        Ok(update)
    }

    /// Whether it makes a stream where there is none.
    pub(crate) const fn makes_stream(&self) -> bool {
        matches!(self, Self::Add { .. } | Self::CreateGroup { .. })
    }

    /// Whether it changes entries.
    pub(crate) const fn is_of_entries(&self) -> bool {
        matches!(
            self,
            Self::Add { .. } | Self::Trim { .. } | Self::Delete { .. }
        )
    }

    /// Whether its texts are short enough.
    pub(crate) fn check_size(&self) -> Result<(), TypeError> {
        if let Self::Add { fields, .. } = self {
            let sum = fields
                .iter()
                .fold(0_usize, |sum, text| sum.saturating_add(text.len()));
            string::bounded(sum)?;
        }
        Ok(())
    }

    /// Does it.
    pub(crate) fn apply(&self, stream: &mut Stream, limits: &Limits) {
        match self {
            Self::Add { id, fields } => {
                if *id > stream.last_id() {
                    let (bytes, entries) =
                        (limits.stream_node_max_bytes, limits.stream_node_max_entries);
                    stream.add(*id, fields, bytes, entries);
                }
            }
            Self::Trim { through } => stream.trim(*through),
            Self::Delete { ids, is_remembered } => {
                for id in ids {
                    if stream.delete(*id) && *is_remembered {
                        stream.max_deleted_id = stream.max_deleted_id.max(*id);
                    }
                }
                stream.find_first();
            }
            Self::SetId {
                last_id,
                entries_added,
                max_deleted_id,
            } => {
                stream.last_id = *last_id;
                stream.entries_added = entries_added.unwrap_or(stream.entries_added);
                stream.max_deleted_id = max_deleted_id.unwrap_or(stream.max_deleted_id);
            }
            Self::CreateGroup {
                group,
                last_id,
                entries_read,
            } => {
                stream.add_group(group, Group::new(*last_id, *entries_read));
            }
            Self::DestroyGroup { group } => stream.remove_group(group),
            Self::SetGroupId {
                group,
                last_id,
                entries_read,
            } => {
                stream.change_group(group, |group| {
                    group.last_id = *last_id;
                    group.entries_read = *entries_read;
                });
            }
            Self::TouchConsumer {
                group,
                consumer,
                seen_at,
                active_at,
            } => {
                stream.change_group(group, |group| group.touch(consumer, *seen_at, *active_at));
            }
            Self::RemoveConsumer { group, consumer } => {
                stream.change_group(group, |group| group.remove_consumer(consumer));
            }
            Self::Acknowledge { group, ids } => stream.change_group(group, |group| {
                ids.iter().for_each(|id| group.acknowledge(*id));
            }),
            Self::Deliver {
                group,
                consumer,
                entries,
            } => stream.change_group(group, |group| {
                for (id, at, deliveries) in entries {
                    group.deliver(*id, consumer, *at, *deliveries);
                }
            }),
        }
    }
}

fn put_group(out: &mut Vec<u8>, tag: u8, group: &[u8]) {
    out.push(tag);
    put_length_prefixed(out, group);
}

fn put_optional<T>(out: &mut Vec<u8>, value: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put(out, value);
    }
}

fn optional<'a, T>(
    reader: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, CodecError>,
) -> Result<Option<T>, CodecError> {
    match reader.u8()? {
        0 => Ok(None),
        1 => read(reader).map(Some),
        _ => Err(reader.invalid("mark of an optional number")),
    }
}

fn ids(reader: &mut Reader<'_>) -> Result<Vec<StreamId>, CodecError> {
    let mut ids = Vec::new();
    while !reader.is_empty() {
        ids.push(StreamId::read(reader)?);
    }
    Ok(ids)
}
