//! The deterministic changes of a list.
//!
//! Owns their bytes (`FORMAT.md`, "Updates") and what they do, changes of form
//! included. Does not know commands: which element is meant is an index by
//! then. Runs on whichever thread holds the shard.

use super::node::Node;
use super::{List, NodeLimit, fits_inline, inline_node, inline_value, into_value, is_small};
use crate::listpack::entry_bytes;
use crate::string;
use crate::value::{Object, TypeError, Value, ValueRef};
use thermocline_base::Reader;
use thermocline_base::codec::{put_length_prefixed, put_varint};

const PUSH_HEAD: u8 = 16;
const PUSH_TAIL: u8 = 17;
const POP_HEAD: u8 = 18;
const POP_TAIL: u8 = 19;
const INSERT: u8 = 20;
const SET: u8 = 21;
const REMOVE: u8 = 22;
const TRIM: u8 = 23;
const ROTATE: u8 = 24;

/// The first and last number that updates of lists may have.
pub(crate) const NUMBERS: std::ops::RangeInclusive<u8> = 16..=31;

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Left, index 0.
    Head,
    /// Right.
    Tail,
}

/// One deterministic change of one list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListUpdate<'a> {
    /// Elements put at an end one after another; a missing list is made.
    Push {
        /// Which end.
        end: End,
        /// The elements.
        elements: Vec<&'a [u8]>,
    },
    /// Elements taken at an end, as many as there are.
    Pop {
        /// Which end.
        end: End,
        /// How many at most.
        count: u64,
    },
    /// An element put beside another; without effect if that is not there.
    Insert {
        /// The other's index.
        index: u64,
        /// Whether it goes behind it.
        is_after: bool,
        /// The new one.
        element: &'a [u8],
    },
    /// An element replaced; without effect if it is not there.
    Set {
        /// Its index.
        index: u64,
        /// The new one.
        element: &'a [u8],
    },
    /// Elements equal to another removed.
    Remove {
        /// At most how many from the head on if positive, from the tail on if
        /// negative; 0: all.
        count: i64,
        /// The element.
        element: &'a [u8],
    },
    /// All elements removed but those from `start` to below `stop`.
    Trim {
        /// The first that stays.
        start: u64,
        /// The first behind it that does not.
        stop: u64,
    },
    /// The element at one end taken and put at an end again.
    Rotate {
        /// Where it is taken.
        from: End,
        /// Where it is put.
        to: End,
    },
}

impl<'a> ListUpdate<'a> {
    /// Appends the update's bytes.
    pub(crate) fn encode_into(&self, out: &mut Vec<u8>) {
        match self {
            Self::Push { end, elements } => {
                out.push(if *end == End::Head {
                    PUSH_HEAD
                } else {
                    PUSH_TAIL
                });
                for element in elements {
                    put_length_prefixed(out, element);
                }
            }
            Self::Pop { end, count } => {
                out.push(if *end == End::Head {
                    POP_HEAD
                } else {
                    POP_TAIL
                });
                put_varint(out, *count);
            }
            Self::Insert {
                index,
                is_after,
                element,
            } => {
                out.push(INSERT);
                put_varint(out, *index);
                out.push(u8::from(*is_after));
                out.extend_from_slice(element);
            }
            Self::Set { index, element } => {
                out.push(SET);
                put_varint(out, *index);
                out.extend_from_slice(element);
            }
            Self::Remove { count, element } => {
                out.push(REMOVE);
                out.extend_from_slice(&count.to_le_bytes());
                out.extend_from_slice(element);
            }
            Self::Trim { start, stop } => {
                out.push(TRIM);
                put_varint(out, *start);
                put_varint(out, *stop);
            }
            Self::Rotate { from, to } => {
                let ends = u8::from(*from == End::Tail) | u8::from(*to == End::Tail) << 1;
                out.extend_from_slice(&[ROTATE, ends]);
            }
        }
    }

    /// Reads the update of this number, which takes all of what is left.
    pub(crate) fn decode(number: u8, reader: &mut Reader<'a>) -> Result<Self, TypeError> {
        let end = match number {
            PUSH_HEAD | POP_HEAD => End::Head,
            _ => End::Tail,
        };
        let update = match number {
            PUSH_HEAD | PUSH_TAIL => {
                let mut elements = Vec::new();
                while !reader.is_empty() {
                    elements.push(reader.length_prefixed()?);
                }
                return Ok(Self::Push { end, elements });
            }
            POP_HEAD | POP_TAIL => Self::Pop {
                end,
                count: reader.varint()?,
            },
            INSERT => {
                let index = reader.varint()?;
                let is_after = match reader.u8()? {
                    0 => false,
                    1 => true,
                    _ => return Err(reader.invalid("side of a list element").into()),
                };
                return Ok(Self::Insert {
                    index,
                    is_after,
                    element: reader.rest(),
                });
            }
            SET => {
                return Ok(Self::Set {
                    index: reader.varint()?,
                    element: reader.rest(),
                });
            }
            REMOVE => {
                return Ok(Self::Remove {
                    count: reader.i64()?,
                    element: reader.rest(),
                });
            }
            TRIM => Self::Trim {
                start: reader.varint()?,
                stop: reader.varint()?,
            },
            ROTATE => {
                let ends = reader.u8()?;
                if ends > 3 {
                    return Err(reader.invalid("ends of a list").into());
                }
                let end = |bit| {
                    if ends & bit == 0 {
                        End::Head
                    } else {
                        End::Tail
                    }
                };
                Self::Rotate {
                    from: end(1),
                    to: end(2),
                }
            }
            found => return Err(TypeError::UnknownUpdate { found }),
        };
        if reader.is_empty() {
            Ok(update)
        } else {
            Err(reader.invalid("end of a list update").into())
        }
    }

    /// As `Update::check`; the value is a list, if there is one.
    pub(crate) fn check(&self, current: Option<ValueRef<'_>>) -> Result<(), TypeError> {
        match self {
            Self::Push { elements, .. } => {
                for element in elements {
                    string::bounded(element.len())?;
                }
                return Ok(());
            }
            Self::Insert { element, .. } | Self::Set { element, .. } => {
                string::bounded(element.len())?;
            }
            Self::Pop { .. } | Self::Remove { .. } | Self::Trim { .. } | Self::Rotate { .. } => {}
        }
        current.map(|_| ()).ok_or(TypeError::NoValue)
    }

    /// The list after the update, which was checked.
    pub(crate) fn apply(&self, current: Option<Value>, limit: NodeLimit) -> Value {
        let mut list = match current {
            Some(Value::Inline { bytes, .. }) => match self.change_small(bytes, limit) {
                Ok(node) => return inline_value(node),
                Err(node) => List::of_node(node),
            },
            Some(Value::Object(object)) => match *object {
                Object::List(list) => list,
                _ => List::default(),
            },
            None => List::default(),
        };
        self.change(&mut list, limit);
        into_value(list)
    }

    /// A push or pop, the commonest changes, of a small list that stays small: without a
    /// chain of one node. The node as it was if it is another one.
    fn change_small(&self, bytes: Vec<u8>, limit: NodeLimit) -> Result<Node, Node> {
        let mut node = inline_node(bytes);
        match self {
            Self::Push { end, elements } => {
                let text_bytes: usize = elements.iter().map(|element| element.len()).sum();
                let entry_bytes = elements.iter().map(|element| entry_bytes(element));
                let body_bytes = entry_bytes.fold(node.body.len(), usize::saturating_add);
                let node_bytes = node.bytes().saturating_add(text_bytes);
                let count = node.count.saturating_add(elements.len());
                if limit.is_exceeded(node_bytes, count) || !fits_inline(body_bytes) {
                    return Err(node);
                }
                for element in elements {
                    let at = if *end == End::Head { 0 } else { node.count };
                    node.insert(at, element);
                }
            }
            Self::Pop { end, count } => {
                let count = usize::try_from(*count).unwrap_or(usize::MAX);
                let count = count.min(node.count);
                let left = node.count.saturating_sub(count);
                node.remove(match end {
                    End::Head => 0..count,
                    End::Tail => left..node.count,
                });
            }
            _ => return Err(node),
        }
        Ok(node)
    }

    /// As [`Self::apply`] to a list that is an object; its value if it is small now, and
    /// the object is left empty.
    pub(crate) fn apply_in_place(&self, list: &mut List, limit: NodeLimit) -> Option<Value> {
        self.change(list, limit);
        is_small(list).then(|| into_value(std::mem::take(list)))
    }

    fn change(&self, list: &mut List, limit: NodeLimit) {
        let index = |index: &u64| usize::try_from(*index).unwrap_or(usize::MAX);
        match self {
            Self::Push { end, elements } => {
                let bytes = elements.iter().map(|element| element.len()).sum();
                list.make_room(elements.len(), bytes, limit);
                for element in elements {
                    list.push(*end, element, limit);
                }
            }
            Self::Pop { end, count } => {
                list.pop(*end, index(count));
                list.shrink(limit);
            }
            Self::Insert {
                index: at,
                is_after,
                element,
            } => {
                list.make_room(1, element.len(), limit);
                list.insert(index(at), *is_after, element, limit);
            }
            Self::Set { index: at, element } => {
                list.make_room(1, element.len(), limit);
                list.set(index(at), element, limit);
                list.shrink(limit);
            }
            Self::Remove { count, element } => {
                let end = if *count < 0 { End::Tail } else { End::Head };
                let most = match count.unsigned_abs() {
                    0 => usize::MAX,
                    most => usize::try_from(most).unwrap_or(usize::MAX),
                };
                if list.remove_equal(end, most, element) > 0 {
                    list.shrink(limit);
                }
            }
            Self::Trim { start, stop } => {
                let (start, stop) = (index(start), index(stop));
                list.remove_range(stop..usize::MAX);
                list.remove_range(0..start.min(stop));
                list.shrink(limit);
            }
            Self::Rotate { from, to } => {
                let taken = match from {
                    End::Head => list.iter().next(),
                    End::Tail => list.iter().next_back(),
                };
                let Some(element) = taken.map(|element| element.to_vec()) else {
                    return;
                };
                list.pop(*from, 1);
                list.make_room(1, element.len(), limit);
                list.push(*to, &element, limit);
                list.shrink(limit);
            }
        }
    }
}
