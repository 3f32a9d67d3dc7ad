//! Lists: elements in an order, near both ends at once.
//!
//! Owns the two forms: small ones are one listpack in place, large ones a chain
//! of nodes, [`List`]; the one way to read both, [`ListRef`]; and the updates.
//! Does not know keys. Runs on whichever thread holds the shard, or holds a
//! capture.

mod full;
mod node;
pub(crate) mod update;

pub use full::List;
pub use node::NodeLimit;
pub use update::{End, ListUpdate};

use crate::hash::packed::with_count;
use crate::listpack::{self, Element};
use crate::value::{Form, Object, Value};
use node::{Node, NodeElements};
use thermocline_base::codec::{put_length_prefixed, put_varint};
use thermocline_base::{CodecError, Reader};

/// Lists of more bytes than this become objects, so that a change does not
/// copy them whole.
const INLINE_MAX_BYTES: usize = 1024;

/// Set in the flags of a node that is one plain element.
const FLAG_PLAIN: u8 = 1;

/// A list to read, whichever its form.
#[derive(Clone, Copy, Debug)]
pub enum ListRef<'a> {
    /// A small one, read in place.
    Packed(PackedList<'a>),
    /// A large one.
    Full(&'a List),
}

/// A small list read in place: its count, then a listpack's entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackedList<'a> {
    count: usize,
    body: &'a [u8],
}

impl<'a> PackedList<'a> {
    /// Reads the count only; the entries are trusted to have been checked.
    /// Unreadable bytes give an empty list.
    #[must_use]
    pub fn trusted(bytes: &'a [u8]) -> Self {
        let mut reader = Reader::new(bytes);
        let count = reader.varint().unwrap_or_default();
        Self {
            count: usize::try_from(count).unwrap_or_default(),
            body: reader.rest(),
        }
    }

    /// Reads and checks every entry and the count.
    ///
    /// # Errors
    /// [`CodecError`], with the offset of the fault in `bytes`.
    pub fn check(bytes: &'a [u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let count = reader.varint()?;
        let body = reader.rest();
        check_entries(&mut reader, count)?;
        Ok(Self::trusted(bytes)).map(|list| Self { body, ..list })
    }
}

/// Reads entries to the end, which must be `count`.
fn check_entries(reader: &mut Reader<'_>, count: u64) -> Result<(), CodecError> {
    let mut found = 0_u64;
    while !reader.is_empty() {
        listpack::next(reader)?;
        found = found.saturating_add(1);
    }
    if found == count {
        Ok(())
    } else {
        Err(reader.invalid("list element count"))
    }
}

impl<'a> ListRef<'a> {
    /// How many elements it holds. O(1).
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::Packed(packed) => packed.count,
            Self::Full(list) => list.len(),
        }
    }

    /// Whether it holds none. O(1).
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it is a quicklist, as `OBJECT ENCODING` names it.
    #[must_use]
    pub const fn is_quicklist(&self) -> bool {
        match self {
            Self::Packed(_) => false,
            Self::Full(list) => list.is_quicklist(),
        }
    }

    /// The list as one of its own; a large one is shared until changed.
    #[must_use]
    pub fn capture(&self) -> List {
        match *self {
            Self::Full(list) => list.clone(),
            Self::Packed(packed) => List::of_node(Node {
                count: packed.count,
                is_plain: false,
                body: packed.body.to_vec(),
            }),
        }
    }

    /// The elements from the head on; from both ends.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Element<'a>> + use<'a> {
        let (body, list) = match *self {
            Self::Packed(packed) => (packed.body, None),
            Self::Full(list) => (&[][..], Some(list)),
        };
        NodeElements::packed(body).chain(list.into_iter().flat_map(List::iter))
    }

    /// The elements from `index` on; steps over whole nodes to get there.
    pub fn iter_from(&self, index: usize) -> impl Iterator<Item = Element<'a>> + use<'a> {
        let (packed, list) = match *self {
            Self::Packed(packed) => (Some(packed), None),
            Self::Full(list) => (None, Some(list)),
        };
        let packed = packed.into_iter().flat_map(move |packed| {
            let mut elements = NodeElements::packed(packed.body);
            if index >= packed.count / 2 {
                // Nearer to the tail: what is wanted lies between the two ends.
                let wanted = packed.count.saturating_sub(index);
                let tail = elements.rev().take(wanted).collect::<Vec<_>>();
                return tail.into_iter().rev().collect::<Vec<_>>().into_iter();
            }
            if let Some(before) = index.checked_sub(1) {
                elements.nth(before);
            }
            elements.collect::<Vec<_>>().into_iter()
        });
        packed.chain(list.into_iter().flat_map(move |list| list.iter_from(index)))
    }

    /// The element at `index`, from the nearer end.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Element<'a>> {
        match *self {
            Self::Packed(packed) => {
                let mut elements = NodeElements::packed(packed.body);
                let from_end = packed.count.checked_sub(index)?.checked_sub(1)?;
                if index <= from_end {
                    elements.nth(index)
                } else {
                    elements.nth_back(from_end)
                }
            }
            Self::Full(list) => list.get(index),
        }
    }
}

/// Whether the value of the list lies in place.
pub(crate) fn is_small(list: &List) -> bool {
    list.is_small(INLINE_MAX_BYTES)
}

/// The value of a list: small ones in place.
pub(crate) fn into_value(list: List) -> Value {
    match list.into_small_node(INLINE_MAX_BYTES) {
        Ok(node) => inline_value(node),
        Err(list) => Value::Object(Box::new(Object::List(list))),
    }
}

/// The list of a small one's bytes.
pub(crate) fn from_inline(bytes: Vec<u8>) -> List {
    List::of_node(inline_node(bytes))
}

/// The one node that a small list's bytes are.
pub(crate) fn inline_node(mut bytes: Vec<u8>) -> Node {
    let packed = PackedList::trusted(&bytes);
    let (count, prefix_bytes) = (packed.count, bytes.len() - packed.body.len());
    bytes.drain(..prefix_bytes);
    Node {
        count,
        is_plain: false,
        body: bytes,
    }
}

/// The value of a list that is one node, and small.
pub(crate) fn inline_value(node: Node) -> Value {
    Value::Inline {
        form: Form::ListPacked,
        bytes: with_count(node.count, node.body),
    }
}

/// Whether a listpack of so many bytes lies in place.
pub(crate) const fn fits_inline(body_bytes: usize) -> bool {
    body_bytes <= INLINE_MAX_BYTES
}

/// Appends the serialised form of a list that is an object; which form it is.
pub(crate) fn serialize_full(list: &List, out: &mut Vec<u8>) -> Form {
    if !list.is_quicklist() {
        put_varint(out, list.len() as u64);
        for node in list.nodes() {
            out.extend_from_slice(&node.body);
        }
        return Form::ListPacked;
    }
    for node in list.nodes() {
        out.push(if node.is_plain { FLAG_PLAIN } else { 0 });
        put_varint(out, node.count as u64);
        put_length_prefixed(out, &node.body);
    }
    Form::ListFull
}

/// Reads what [`serialize_full`] wrote of a quicklist, checking every element.
pub(crate) fn deserialize_full(bytes: &[u8]) -> Result<List, CodecError> {
    let mut reader = Reader::new(bytes);
    let mut nodes = Vec::new();
    while !reader.is_empty() {
        let flags = reader.u8()?;
        if flags & !FLAG_PLAIN != 0 {
            return Err(reader.invalid("list node flags"));
        }
        let count = reader.varint()?;
        let body = reader.length_prefixed()?;
        let is_plain = flags & FLAG_PLAIN != 0;
        if count == 0 || (is_plain && count != 1) {
            return Err(reader.invalid("list node count"));
        }
        if is_plain && matches!(Element::of(body), Element::Integer(_)) {
            return Err(reader.invalid("plain list node"));
        }
        if !is_plain {
            check_entries(&mut Reader::new(body), count)?;
        }
        nodes.push(Node {
            count: usize::try_from(count).unwrap_or_default(),
            is_plain,
            body: body.to_vec(),
        });
    }
    Ok(List::of_nodes(nodes))
}

/// Reads a small list's bytes as the value they are.
pub(crate) fn deserialize_packed(bytes: &[u8]) -> Result<Value, CodecError> {
    PackedList::check(bytes)?;
    Ok(into_value(from_inline(bytes.to_vec())))
}

#[cfg(test)]
mod tests;
