//! What a handler works with: its arguments, its keys, the reply.
//!
//! Owns nothing beyond the call. Does not know sockets or sessions. Runs under
//! the locks of the access, on any thread: a handler never waits.

use crate::blocking::Block;
use crate::error::CommandError;
use crate::reply::ReplyBuffer;
use thermocline_base::{Random, UnixMillis};
use thermocline_store::{Access, Entry, EventClass, Fault, FaultSet, KeyId, Settings};
use thermocline_types::{HashRef, TypeError, Update, Value};

/// Why a handler did not finish. It has changed nothing and what it wrote to
/// the reply is taken back.
#[derive(Debug)]
pub enum Failure {
    /// The client gets this text.
    Error(CommandError),
    /// Something must be read first; the command then runs again.
    Fault(Fault),
    /// There is nothing to reply with yet; the command runs again once one of its
    /// keys has changed.
    Block(Box<Block>),
    /// It needs these keys too, of its database, which depend on what others hold;
    /// it then runs again with them as [`Context::further`].
    Further(Vec<Box<[u8]>>),
}

impl From<Block> for Failure {
    fn from(block: Block) -> Self {
        Self::Block(Box::new(block))
    }
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        Self::Error(error)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<TypeError> for CommandError {
    fn from(error: TypeError) -> Self {
        match error {
            TypeError::TooLarge { .. } => Self::StringTooLong,
            _ => Self::WrongType,
        }
    }
}

impl From<TypeError> for Failure {
    fn from(error: TypeError) -> Self {
        Self::Error(error.into())
    }
}

/// A handler: a plain function that replies, or fails having changed nothing.
pub type Handler = fn(&mut Context<'_, '_, '_>) -> Result<(), Failure>;

/// What a command finds that looks at one key.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    /// What the key holds; `None` if it is not there.
    pub entry: Option<Entry<'a>>,
    /// The request, the command's name included; its key comes first.
    pub arguments: &'a [&'a [u8]],
    /// The time of the command.
    pub now: UnixMillis,
}

/// Writes what a command replies that looks at one key; nothing if it is an error.
type Show = fn(&Look<'_>, &mut ReplyBuffer) -> Result<(), CommandError>;

/// A command that replies to what its one key holds, and does nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    /// The most words of its request for which it is that.
    pub(crate) words_max: usize,
    /// Whether it is a use of the key.
    pub(crate) is_use: bool,
    pub(crate) show: Show,
}

impl Reader {
    /// One that uses the key.
    pub(crate) const fn usage(words_max: usize, show: Show) -> Self {
        Self {
            words_max,
            is_use: true,
            show,
        }
    }

    /// One that does not.
    pub(crate) const fn glance(words_max: usize, show: Show) -> Self {
        Self {
            words_max,
            is_use: false,
            show,
        }
    }

    /// Whether the request is one it replies to.
    pub(crate) fn fits(&self, arguments: &[&[u8]]) -> bool {
        arguments.len() <= self.words_max
    }

    /// Replies to what the key holds, or with the error.
    pub(crate) fn reply(
        &self,
        entry: Option<Entry<'_>>,
        arguments: &[&[u8]],
        now: UnixMillis,
        reply: &mut ReplyBuffer,
    ) {
        let look = Look {
            entry,
            arguments,
            now,
        };
        if let Err(error) = (self.show)(&look, reply) {
            reply.refuse(&error);
        }
    }
}

/// What a handler works with.
pub struct Context<'c, 's, 'k> {
    /// The keys' hold; key 0 of the command is `keys[0]` here.
    pub access: &'c mut Access<'s, 'k>,
    /// The command's keys in the order of the request, then the further ones.
    pub keys: &'c [KeyId],
    /// The names of the keys it asked for beyond those of the request: the last of
    /// `keys`. They may be more than it asked for.
    pub further: &'c [Box<[u8]>],
    /// Whether a script runs the command.
    pub is_nested: bool,
    /// The request, the command's name included.
    pub arguments: &'c [&'k [u8]],
    /// The number of the session's database.
    pub database: u8,
    /// Where the reply goes.
    pub reply: &'c mut ReplyBuffer,
    /// What was read for the command so far.
    pub faults: &'c FaultSet,
    /// For RANDOMKEY and its kin.
    pub random: &'c mut Random,
    /// What the operator set.
    pub settings: &'c Settings,
    /// `proto-max-bulk-len`, bytes: no string grows above.
    pub string_max_bytes: usize,
}

impl<'k> Context<'_, '_, 'k> {
    /// The time, the same throughout the command (and its transaction).
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        self.access.now()
    }

    /// Argument `index`, 0 being the command's name.
    ///
    /// # Panics
    /// Beyond the arity the table guarantees.
    #[must_use]
    pub fn argument(&self, index: usize) -> &'k [u8] {
        self.arguments[index]
    }

    /// What the command's key number `index` holds; a use of it.
    pub fn get(&mut self, index: usize) -> Option<Entry<'_>> {
        let key = self.keys[index];
        self.access.get(key)
    }

    /// What the command's key number `index` holds; not a use of it.
    #[must_use]
    pub fn peek(&self, index: usize) -> Option<Entry<'_>> {
        self.access.peek(self.keys[index])
    }

    /// As [`Context::peek`] for a command that reads the key: it counts as a hit or a miss,
    /// and subscribers are told that it is not there.
    pub fn look(&mut self, index: usize) -> Option<Entry<'_>> {
        if !self.count_look(index) {
            self.notify(EventClass::Miss, "keymiss", index);
        }
        self.peek(index)
    }

    /// Counts a look at the key as a hit or a miss: whether it is there.
    pub fn count_look(&mut self, index: usize) -> bool {
        self.access.count_look(self.keys[index])
    }

    /// Replies as `reader` does to what the command's one key holds.
    ///
    /// # Errors
    /// The reader's.
    pub(crate) fn read(&mut self, reader: Reader) -> Result<(), Failure> {
        let now = self.now();
        if !reader.is_use {
            // Tells that it is not there.
            self.look(0);
        }
        let key = self.keys[0];
        let entry = if reader.is_use {
            self.access.get(key)
        } else {
            self.access.peek(key)
        };
        let look = Look {
            entry,
            arguments: self.arguments,
            now,
        };
        Ok((reader.show)(&look, self.reply)?)
    }

    /// The string that key number `index` holds; a use of it.
    ///
    /// # Errors
    /// [`CommandError::WrongType`].
    pub fn string(&mut self, index: usize) -> Result<Option<&[u8]>, Failure> {
        match self.get(index) {
            None => Ok(None),
            Some(entry) => Ok(Some(entry.value.string()?)),
        }
    }

    /// Replies with the string that key number `index` holds, or with null; a
    /// use of it.
    ///
    /// # Errors
    /// [`CommandError::WrongType`].
    pub fn reply_string(&mut self, index: usize) -> Result<(), Failure> {
        match self.access.get(self.keys[index]) {
            None => self.reply.null(),
            Some(entry) => self.reply.bulk(entry.value.string()?),
        }
        Ok(())
    }

    /// The hash that key number `index` holds; a use of it.
    ///
    /// # Errors
    /// [`CommandError::WrongType`].
    pub fn hash(&mut self, index: usize) -> Result<Option<HashRef<'_>>, Failure> {
        match self.get(index) {
            None => Ok(None),
            Some(entry) => Ok(Some(entry.value.hash()?)),
        }
    }

    /// See [`Access::put`].
    pub fn put(&mut self, index: usize, value: Value, expiry: Option<UnixMillis>) {
        self.access.put(self.keys[index], value, expiry);
    }

    /// See [`Access::put_string`].
    pub fn put_string(&mut self, index: usize, bytes: &[u8], expiry: Option<UnixMillis>) {
        self.access.put_string(self.keys[index], bytes, expiry);
    }

    /// See [`Access::update`].
    ///
    /// # Errors
    /// [`CommandError::WrongType`], [`CommandError::StringTooLong`],
    /// [`CommandError::ValueTooLarge`] if that makes a string longer.
    pub fn update(&mut self, index: usize, update: &Update<'_>) -> Result<(), Failure> {
        self.check_length(index, update)?;
        Ok(self.access.update(self.keys[index], update)?)
    }

    fn check_length(&self, index: usize, update: &Update<'_>) -> Result<(), CommandError> {
        let added = match update {
            Update::StringSetRange { offset, bytes } => offset.saturating_add(bytes.len() as u64),
            Update::StringAppend(bytes) => bytes.len() as u64,
            _ => return Ok(()),
        };
        let Some(most) = self.access.value_max_bytes() else {
            return Ok(());
        };
        let string = self.peek(index).and_then(|entry| entry.value.string().ok());
        let length = string.map_or(0, <[u8]>::len) as u64;
        let longer = match update {
            Update::StringAppend(_) => length.saturating_add(added),
            _ => added,
        };
        if longer > length.max(most) {
            return Err(CommandError::ValueTooLarge);
        }
        Ok(())
    }

    /// See [`Access::replace`].
    ///
    /// # Errors
    /// As [`Context::update`].
    pub fn replace(&mut self, index: usize, update: &Update<'_>) -> Result<(), Failure> {
        Ok(self.access.replace(self.keys[index], update)?)
    }

    /// See [`Access::update_unseen`].
    ///
    /// # Errors
    /// As [`Context::update`].
    pub fn update_unseen(&mut self, index: usize, update: &Update<'_>) -> Result<(), Failure> {
        Ok(self.access.update_unseen(self.keys[index], update)?)
    }

    /// See [`Access::set_expiry`].
    pub fn set_expiry(&mut self, index: usize, expiry: Option<UnixMillis>) -> bool {
        self.access.set_expiry(self.keys[index], expiry)
    }

    /// Tells subscribers of an event of the command's key number `index`, after the change;
    /// nothing happens while nobody asked for events of the class.
    pub fn notify(&mut self, class: EventClass, event: &'static str, index: usize) {
        self.notify_in(self.database, class, event, index);
    }

    /// As [`Context::notify`] for a key of another database than the session's.
    pub fn notify_in(
        &mut self,
        database: u8,
        class: EventClass,
        event: &'static str,
        index: usize,
    ) {
        let key = self.keys[index];
        self.access.notify(class, event, database, key);
    }

    /// A time that has passed took the command's key number `index`: it is counted, and told.
    pub fn expired(&mut self, index: usize) {
        self.access.count_expired(self.keys[index]);
        self.notify(EventClass::Expired, "expired", index);
    }

    /// Tells of the event `del` if a change before has left the key number `index` without a
    /// value: a collection that was emptied.
    pub fn notify_if_gone(&mut self, index: usize) {
        if self.access.wants(EventClass::Generic) && self.peek(index).is_none() {
            self.notify(EventClass::Generic, "del", index);
        }
    }

    /// Deletes key number `index` in the place of storing an empty result there, and tells
    /// of it where there was something.
    pub fn store_nothing(&mut self, index: usize) {
        if self.delete(index) {
            self.notify(EventClass::Generic, "del", index);
        }
    }

    /// See [`Access::delete`].
    pub fn delete(&mut self, index: usize) -> bool {
        self.access.delete(self.keys[index])
    }
}
