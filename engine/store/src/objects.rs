//! The large values of a shard, which records name by number.
//!
//! Owns the objects and counts their memory. Does not know keys. Under the
//! shard's lock, any thread.
//!
//! A record of form [`OBJECT_FORM`] holds the number, four bytes little endian,
//! where a small value's bytes would be.

use crate::record::RecordParts;
use crate::record::layout::FORM_LIMIT;
use thermocline_types::{Form, Object, Value, ValueRef};

/// The form byte of a record whose value is an object; no form of
/// `thermocline_types`, and never on disk.
pub(crate) const OBJECT_FORM: u8 = FORM_LIMIT - 1;
const _: () = assert!(Form::from_u8(OBJECT_FORM).is_err());

/// See the module.
#[derive(Default)]
pub(crate) struct Objects {
    slots: Vec<Option<Box<Object>>>,
    free: Vec<u32>,
    heap_bytes: usize,
}

impl Objects {
    /// Memory of the objects, bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.heap_bytes
            + self.slots.capacity() * size_of::<Option<Box<Object>>>()
            + self.free.capacity() * size_of::<u32>()
    }

    /// Keeps an object; the value bytes of its record.
    pub(crate) fn insert(&mut self, object: Box<Object>) -> [u8; 4] {
        self.heap_bytes += size_of::<Object>() + object.heap_bytes();
        let number = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        });
        self.slots[number as usize] = Some(object);
        number.to_le_bytes()
    }

    fn number(value: &[u8]) -> usize {
        value
            .first_chunk()
            .map_or(usize::MAX, |bytes| u32::from_le_bytes(*bytes) as usize)
    }

    /// The object that a record's value bytes name.
    pub(crate) fn get(&self, value: &[u8]) -> Option<&Object> {
        self.slots.get(Self::number(value))?.as_deref()
    }

    /// Changes the object that a record's value bytes name; `None` if there is none.
    pub(crate) fn change<R>(
        &mut self,
        value: &[u8],
        change: impl FnOnce(&mut Object) -> R,
    ) -> Option<R> {
        let object = self.slots.get_mut(Self::number(value))?.as_deref_mut()?;
        let before = object.heap_bytes();
        let result = change(object);
        self.heap_bytes = self.heap_bytes - before + object.heap_bytes();
        Some(result)
    }

    /// Takes the object that a record's value bytes name.
    pub(crate) fn remove(&mut self, value: &[u8]) -> Option<Box<Object>> {
        let number = Self::number(value);
        let object = self.slots.get_mut(number)?.take()?;
        self.heap_bytes -= size_of::<Object>() + object.heap_bytes();
        self.free.push(number as u32);
        Some(object)
    }

    /// The value of a record of this shard.
    pub(crate) fn value<'a>(&'a self, parts: &RecordParts<'a>) -> ValueRef<'a> {
        if parts.form == OBJECT_FORM
            && let Some(object) = self.get(parts.value)
        {
            return ValueRef::Object(object);
        }
        ValueRef::Inline {
            // INVARIANT: only forms of the types or `OBJECT_FORM` are stored.
            form: Form::from_u8(parts.form).unwrap_or(Form::StringBytes),
            bytes: parts.value,
        }
    }

    /// A record's form and value bytes for `value`, whose object is kept here.
    pub(crate) fn keep(&mut self, value: Value) -> (u8, smallvec::SmallVec<[u8; 4]>) {
        match value {
            Value::Inline { form, bytes } => (form as u8, bytes.into()),
            Value::Object(object) => (OBJECT_FORM, self.insert(object).as_slice().into()),
        }
    }
}
