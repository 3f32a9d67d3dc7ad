//! Libraries of functions as they are loaded: their texts, and what they registered.
//!
//! Owns that no two functions share a name. Does not run texts. Under the lock of the
//! machine, any thread.

use super::metadata::{ScriptFlags, is_name};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a library or function takes beside its text, about, in bytes.
const LIBRARY_BYTES: usize = 256;

/// What a text asked to be registered.
pub(super) struct Registered {
    pub(super) name: Vec<u8>,
    pub(super) callback: mlua::Function,
    pub(super) flags: ScriptFlags,
    pub(super) description: Option<Vec<u8>>,
}

/// A function.
#[derive(Clone)]
pub(super) struct Function {
    pub(super) callback: Arc<mlua::Function>,
    pub(super) flags: ScriptFlags,
    pub(super) description: Option<Arc<[u8]>>,
    library: Arc<[u8]>,
}

/// A library; its functions stand with all others.
pub(super) struct Library {
    pub(super) text: Arc<[u8]>,
    pub(super) functions: Vec<Vec<u8>>,
}

#[derive(Default)]
pub(super) struct Libraries {
    libraries: BTreeMap<Vec<u8>, Library>,
    functions: BTreeMap<Vec<u8>, Function>,
}

impl Libraries {
    pub(super) fn len(&self) -> usize {
        self.libraries.len()
    }

    pub(super) fn functions(&self) -> usize {
        self.functions.len()
    }

    pub(super) fn bytes(&self) -> usize {
        let texts = self.libraries.values().map(|it| it.text.len());
        texts.map(|bytes| bytes + LIBRARY_BYTES).sum::<usize>()
            + self.functions.len() * LIBRARY_BYTES
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Vec<u8>, &Library)> {
        self.libraries.iter()
    }

    pub(super) fn contains(&self, name: &[u8]) -> bool {
        self.libraries.contains_key(name)
    }

    /// The function of that name, letter case ignored as the reference does.
    pub(super) fn function(&self, name: &[u8]) -> Option<&Function> {
        self.functions.get(name).or_else(|| {
            let mut all = self.functions.iter();
            all.find_map(|(known, function)| known.eq_ignore_ascii_case(name).then_some(function))
        })
    }

    pub(super) fn named(&self, name: &[u8]) -> Option<&Function> {
        self.functions.get(name)
    }

    /// Why the library cannot be added, if there is a reason. One of the same name makes
    /// room for it.
    pub(super) fn refusal(&self, name: &[u8], registered: &[Registered]) -> Option<String> {
        for (index, function) in registered.iter().enumerate() {
            if !is_name(&function.name) {
                let text = "ERR Function names can only contain letters, numbers, or \
                            underscores(_) and must be at least one character long";
                return Some(text.to_owned());
            }
            let before = registered.iter().take(index);
            if before.into_iter().any(|other| other.name == function.name) {
                return Some("ERR Function already exists in the library".to_owned());
            }
        }
        if registered.is_empty() {
            return Some("ERR No functions registered".to_owned());
        }
        registered.iter().find_map(|function| {
            let known = self.functions.get(&function.name)?;
            let shown = String::from_utf8_lossy(&function.name);
            (*known.library != *name).then(|| format!("ERR Function {shown} already exists"))
        })
    }

    /// Adds a library that there is no reason to refuse.
    pub(super) fn add(&mut self, name: Vec<u8>, text: &[u8], registered: Vec<Registered>) {
        self.remove(&name);
        let shared: Arc<[u8]> = name.as_slice().into();
        let mut names = Vec::new();
        for function in registered {
            names.push(function.name.clone());
            let entry = Function {
                callback: Arc::new(function.callback),
                flags: function.flags,
                description: function.description.map(Into::into),
                library: Arc::clone(&shared),
            };
            self.functions.insert(function.name, entry);
        }
        names.sort_unstable();
        let library = Library {
            text: text.into(),
            functions: names,
        };
        self.libraries.insert(name, library);
    }

    /// Removes a library; whether there was one.
    pub(super) fn remove(&mut self, name: &[u8]) -> bool {
        let Some(library) = self.libraries.remove(name) else {
            return false;
        };
        for function in &library.functions {
            self.functions.remove(function);
        }
        true
    }

    /// What is kept of them in the store.
    pub(super) fn dump(&self) -> Vec<u8> {
        let texts = self.libraries.values().map(|library| &*library.text);
        thermocline_types::rdb::dump_libraries(texts)
    }
}
