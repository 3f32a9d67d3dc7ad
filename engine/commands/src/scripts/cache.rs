//! The scripts of EVAL and SCRIPT LOAD, compiled, by the digest of their text.
//!
//! Owns how many scripts of EVAL are kept: those of SCRIPT LOAD stay until SCRIPT FLUSH.
//! Under the lock of the machine, any thread.

use super::metadata::ScriptFlags;
use hashbrown::HashMap;
use sha1::{Digest, Sha1};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Scripts of EVAL that are kept.
const EVAL_SCRIPTS_MAX: usize = 500;
/// What a script takes beside its text, about, in bytes.
const SCRIPT_BYTES: usize = 168;

/// Forty hexadecimal digits.
pub(super) type Sha = [u8; 40];

/// The digest of a text.
pub(super) fn digest(text: &[u8]) -> Sha {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut sha = [0; 40];
    for (pair, byte) in sha.chunks_exact_mut(2).zip(Sha1::digest(text)) {
        for (place, digit) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
            *place = DIGITS.get(usize::from(digit)).copied().unwrap_or(b'0');
        }
    }
    sha
}

/// The digest as it is kept, whatever letters it was given in.
fn key(sha: &[u8]) -> Option<Sha> {
    sha.to_ascii_lowercase().try_into().ok()
}

/// A compiled script.
#[derive(Clone)]
pub(super) struct Script {
    pub(super) text: Arc<[u8]>,
    /// Shared, for a function of its own is a reference that the machine keeps.
    pub(super) function: Arc<mlua::Function>,
    pub(super) flags: Option<ScriptFlags>,
    /// When it was last used, if it may be evicted.
    used: Option<u64>,
}

#[derive(Default)]
pub(super) struct ScriptCache {
    scripts: HashMap<Sha, Script>,
    /// Those that may be evicted, by when they were last used.
    by_use: BTreeMap<u64, Sha>,
    uses: u64,
    bytes: usize,
    evicted: u64,
}

impl ScriptCache {
    pub(super) fn len(&self) -> usize {
        self.scripts.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    pub(super) fn contains(&self, sha: &[u8]) -> bool {
        key(sha).is_some_and(|sha| self.scripts.contains_key(&sha))
    }

    /// The script of that digest, in capitals or not; not a use of it.
    pub(super) fn peek(&self, sha: &[u8]) -> Option<&Script> {
        self.scripts.get(&key(sha)?)
    }

    /// The script of that digest, for a run.
    pub(super) fn get(&mut self, sha: &[u8]) -> Option<Script> {
        let sha = key(sha)?;
        let script = self.scripts.get_mut(&sha)?;
        if let Some(used) = &mut script.used {
            self.by_use.remove(used);
            self.uses += 1;
            *used = self.uses;
            self.by_use.insert(self.uses, sha);
        }
        Some(script.clone())
    }

    /// Keeps a script that is not kept yet. `is_evictable`: EVAL brought it.
    pub(super) fn insert(
        &mut self,
        sha: Sha,
        text: &[u8],
        function: mlua::Function,
        flags: Option<ScriptFlags>,
        is_evictable: bool,
    ) {
        if is_evictable {
            while self.by_use.len() >= EVAL_SCRIPTS_MAX {
                let Some((_, oldest)) = self.by_use.pop_first() else {
                    break;
                };
                if let Some(script) = self.scripts.remove(&oldest) {
                    self.bytes -= script.text.len() + SCRIPT_BYTES;
                }
                self.evicted += 1;
            }
            self.uses += 1;
            self.by_use.insert(self.uses, sha);
        }
        self.bytes += text.len() + SCRIPT_BYTES;
        let script = Script {
            text: text.into(),
            function: Arc::new(function),
            flags,
            used: is_evictable.then_some(self.uses),
        };
        self.scripts.insert(sha, script);
    }

    /// A script that EVAL brought is not evicted any more: SCRIPT LOAD named it too.
    pub(super) fn keep(&mut self, sha: &Sha) {
        if let Some(script) = self.scripts.get_mut(sha)
            && let Some(used) = script.used.take()
        {
            self.by_use.remove(&used);
        }
    }

    pub(super) fn clear(&mut self) {
        let evicted = self.evicted;
        *self = Self {
            evicted,
            ..Self::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_sha1() {
        assert_eq!(digest(b""), *b"da39a3ee5e6b4b0d3255bfef95601890afd80709");
        assert_eq!(
            digest(b"return 1"),
            *b"e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
        );
    }

    #[test]
    fn the_script_used_longest_ago_makes_room() {
        let lua = mlua::Lua::new();
        let function = lua.load("return 1").into_function().unwrap();
        let mut cache = ScriptCache::default();
        let sha = |number: usize| digest(number.to_string().as_bytes());
        cache.insert(sha(0), b"0", function.clone(), None, false);
        for number in 1..=EVAL_SCRIPTS_MAX {
            cache.insert(sha(number), b"n", function.clone(), None, true);
        }
        assert!(cache.get(&sha(1)).is_some());
        cache.insert(sha(1000), b"n", function, None, true);
        assert!(cache.contains(&sha(0)) && cache.contains(&sha(1)));
        assert!(!cache.contains(&sha(2)));
        assert_eq!((cache.len(), cache.evicted()), (EVAL_SCRIPTS_MAX + 1, 1));
        cache.clear();
        assert_eq!((cache.len(), cache.bytes()), (0, 0));
    }
}
