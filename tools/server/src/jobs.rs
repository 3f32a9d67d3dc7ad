//! What walks over keys for long: KEYS beyond the memory, and of DEBUG DIGEST,
//! DIGEST-VALUE and POPULATE.
//!
//! Owns the digest: the sum over all keys of a hash of database, name, expiry and value,
//! whatever the order they are met in or stored in. It says whether two states are equal,
//! within Thermocline; it is not the number Valkey shows. The connection's task, which
//! yields between slices.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering::Relaxed;

use thermocline_commands::table;
use thermocline_commands::{Call, CommandError, ReplyBuffer};

use crate::connection::{Connection, Ended};
use crate::resp_reader::{Item, read_item};

/// Keys made or digested before other connections get their turn.
const SLICE_KEYS: u64 = 64;

/// Keys that KEYS takes in one step, and so pages that it reads at once.
const KEYS_STEP: &[u8] = b"512";

/// What a name takes beside its bytes until the reply is written.
const NAME_BYTES: u64 = 64;

/// A sum of 128-bit hashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Digest(u128);

impl Digest {
    fn add(&mut self, parts: &[&[u8]]) {
        self.0 = self.0.wrapping_add(hash(parts));
    }

    fn text(self) -> String {
        format!("{:040x}", self.0)
    }
}

/// A hash of the parts and their lengths: two FNV-1a streams of 64 bits (Fowler, Noll, Vo),
/// finished with a mixer. Not for secrets.
fn hash(parts: &[&[u8]]) -> u128 {
    let stream = |seed: u64| {
        let mut state = seed;
        for part in parts {
            let length = (part.len() as u64).to_le_bytes();
            for byte in length.iter().chain(part.iter()) {
                state = (state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        thermocline_base::Random::new(state).next_u64()
    };
    (u128::from(stream(0xcbf2_9ce4_8422_2325)) << 64) | u128::from(stream(0x8422_2325_cbf2_9ce4))
}

impl Connection {
    /// Runs a call beside the client's requests and gives its reply.
    async fn run_internal(&mut self, database: u8, words: &[&[u8]]) -> Result<Vec<u8>, Ended> {
        let Ok(command) = table::resolve(words) else {
            return Ok(Vec::new());
        };
        loop {
            let mut reply = ReplyBuffer::default();
            let call = Call {
                command,
                database,
                arguments: words,
            };
            match self.runner.run_aside(call, &mut reply) {
                Ok(()) => return Ok(reply.as_bytes().into_owned()),
                Err(fault) => self.fault(fault, false).await?,
            }
            if let Some(text) = self.runner.verdict.take() {
                return Ok(format!("-{text}\r\n").into_bytes());
            }
        }
    }

    /// KEYS: writes the names that match, or the error that stopped it. Every key that is
    /// there throughout is named, once; only the pages of one step are held.
    pub(crate) async fn keys(&mut self, pattern: &[u8]) -> Result<(), Ended> {
        let database = self.runner.session.database;
        let (mut names, mut names_bytes) = (BTreeSet::new(), 0);
        let most_bytes = self.thread.server.live.clients_bytes.load(Relaxed);
        let mut cursor = b"0".to_vec();
        loop {
            let words: [&[u8]; 6] = [b"scan", &cursor, b"match", pattern, b"count", KEYS_STEP];
            let page = self.run_internal(database, &words).await?;
            let parts = match read_item(&page, 0) {
                Some((Item::Array(parts), _)) => parts,
                Some((Item::Line(line), _)) => {
                    let text = String::from_utf8_lossy(line.get(1..).unwrap_or_default());
                    self.runner.reply.error(&text);
                    return Ok(());
                }
                _ => return Ok(()),
            };
            let [Item::Bulk(next), Item::Array(found)] = parts.as_slice() else {
                return Ok(());
            };
            for name in found {
                if let Item::Bulk(name) = name {
                    names_bytes += NAME_BYTES + name.len() as u64;
                    names.insert(name.clone());
                }
            }
            if most_bytes > 0 && names_bytes > most_bytes {
                self.runner.reply.refuse(&CommandError::OutOfMemory);
                return Ok(());
            }
            self.ahead.clear(&mut self.runner.faults);
            if next == b"0" {
                break;
            }
            cursor.clone_from(next);
            tokio::task::yield_now().await;
            self.runner.refresh();
        }
        self.runner.reply.array(names.len());
        for name in &names {
            self.runner.reply.bulk(name);
        }
        Ok(())
    }

    /// DEBUG DIGEST: writes the digest of all databases, or the error that stopped it.
    pub(crate) async fn digest(&mut self) -> Result<(), Ended> {
        let mut digest = Digest::default();
        for database in 0..16_u8 {
            let mut cursor = b"0".to_vec();
            loop {
                let page = self
                    .run_internal(database, &[b"scan", &cursor, b"count", b"64"])
                    .await?;
                let Some((Item::Array(parts), _)) = read_item(&page, 0) else {
                    self.runner.reply.error("ERR the keys cannot be scanned");
                    return Ok(());
                };
                let [Item::Bulk(next), Item::Array(keys)] = parts.as_slice() else {
                    return Ok(());
                };
                for key in keys {
                    if let Item::Bulk(key) = key {
                        self.digest_key(database, key, &mut digest).await?;
                    }
                }
                if next == b"0" {
                    break;
                }
                cursor.clone_from(next);
                self.ahead.clear(&mut self.runner.faults);
                tokio::task::yield_now().await;
            }
        }
        self.runner.reply.simple(&digest.text());
        Ok(())
    }

    async fn digest_key(
        &mut self,
        database: u8,
        key: &[u8],
        digest: &mut Digest,
    ) -> Result<(), Ended> {
        let expiry = self.run_internal(database, &[b"pexpiretime", key]).await?;
        let value = self.value_digest(database, key).await?;
        digest.add(&[&[database], key, &expiry, &value.0.to_le_bytes()]);
        Ok(())
    }

    async fn value_digest(&mut self, database: u8, key: &[u8]) -> Result<Digest, Ended> {
        let mut value = Digest::default();
        let hash_reply = self.run_internal(database, &[b"hgetall", key]).await?;
        if let Some((Item::Array(fields), _)) = read_item(&hash_reply, 0) {
            for pair in fields.chunks_exact(2) {
                if let [Item::Bulk(field), Item::Bulk(bytes)] = pair {
                    value.add(&[field, bytes]);
                }
            }
        } else {
            let bytes = self.run_internal(database, &[b"get", key]).await?;
            value.add(&[&bytes]);
        }
        Ok(value)
    }

    /// DEBUG DIGEST-VALUE: writes the digest of each key's value.
    pub(crate) async fn digest_values(&mut self, keys: &[Vec<u8>]) -> Result<(), Ended> {
        let database = self.runner.session.database;
        let mut digests = Vec::with_capacity(keys.len());
        for key in keys {
            let exists = self.run_internal(database, &[b"exists", key]).await?;
            let digest = if exists == b":1\r\n" {
                self.value_digest(database, key).await?
            } else {
                Digest::default()
            };
            digests.push(digest);
        }
        self.runner.reply.array(digests.len());
        for digest in digests {
            self.runner.reply.simple(&digest.text());
        }
        Ok(())
    }

    /// DEBUG POPULATE: makes string keys that are not there yet, then writes OK.
    pub(crate) async fn populate(
        &mut self,
        count: u64,
        prefix: &[u8],
        value_bytes: Option<usize>,
    ) -> Result<(), Ended> {
        let database = self.runner.session.database;
        for index in 0..count {
            let key = [prefix, b":", index.to_string().as_bytes()].concat();
            let mut value = format!("value:{index}").into_bytes();
            if let Some(bytes) = value_bytes {
                value.resize(bytes, 0);
            }
            let reply = self
                .run_internal(database, &[b"set", &key, &value, b"nx"])
                .await?;
            if reply.first() == Some(&b'-') {
                let text = String::from_utf8_lossy(&reply[1..]).into_owned();
                self.runner.reply.error(&text);
                return Ok(());
            }
            if index % SLICE_KEYS == SLICE_KEYS - 1 {
                self.ahead.clear(&mut self.runner.faults);
                tokio::task::yield_now().await;
            }
        }
        self.runner.reply.simple("OK");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_knows_content_and_not_order() {
        let (mut one, mut other) = (Digest::default(), Digest::default());
        one.add(&[b"a", b"1"]);
        one.add(&[b"b", b"2"]);
        other.add(&[b"b", b"2"]);
        other.add(&[b"a", b"1"]);
        assert_eq!(one, other);
        other.add(&[b"a", b"1"]);
        assert_ne!(one, other);
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
        assert_eq!(one.text().len(), 40);
    }
}
