//! What a request does for other clients, and what it takes from them: client-side caching,
//! MONITOR, letters.
//!
//! Owns when each happens around a request; every one stands behind one test of a flag. The
//! connection's task.

use thermocline_commands::Executor;
use thermocline_commands::table::{self, Command, Flag};

use super::Runner;
use super::books::redacted;
use crate::commands::{is_shown_to_monitors, monitor_line};
use crate::hub::Hub;
use crate::registry;
use crate::session::{CachingMode, Session};

impl Runner {
    /// Puts what came into the inbox between the replies.
    pub(crate) fn take_letters(&mut self) {
        self.session.write_letters(&mut self.reply, false);
        self.lsn = self.lsn.max(self.session.heard_lsn);
    }

    /// Before a command runs, while some client tracks. Whether the store has to tell that it
    /// ran, for it reads what is tracked.
    pub(super) fn before_tracked(&mut self, command: &Command, words: &[&[u8]]) -> bool {
        Hub::set_source(self.session.client.id);
        remember_later(&self.session, command, words)
    }

    /// After a request of a session that tracks: CLIENT CACHING holds for the command after
    /// it, or for a transaction.
    pub(super) fn end_caching(&mut self, number: u16) {
        let in_transaction = self.session.transaction.is_some();
        let is_of_client = registry::name(number).starts_with("client|");
        if !in_transaction
            && !is_of_client
            && let Some(tracking) = &mut self.session.tracking
        {
            tracking.is_caching_named = false;
        }
    }

    /// After a command ran, while some client monitors; `database` is the one chosen then.
    pub(super) fn show_request(&self, number: u16, database: u8, words: &[&[u8]]) {
        let client = &self.session.client;
        let address = match client.address.strip_suffix(":0") {
            Some(path) if client.is_unix => format!("unix:{path}"),
            _ => client.address.clone(),
        };
        self.show_line(number, database, &address, words);
    }

    /// Shows those who monitor one command, as coming from `address`.
    pub(super) fn show_line(&self, number: u16, database: u8, address: &str, words: &[&[u8]]) {
        let Some(command) = registry::all().get(usize::from(number)) else {
            return;
        };
        if is_shown_to_monitors(command) {
            let at_us = self.server.unix_us();
            let words = redacted(command, words);
            let line = monitor_line(at_us, database, address, &words);
            self.server.hub.show(line);
        }
    }
}

/// Has the keys that the command reads remembered, once the store tells that it ran, as far
/// as they are tracked for the session. Whether there are any.
pub(super) fn remember_later(session: &Session, command: &Command, words: &[&[u8]]) -> bool {
    let Some(tracking) = &session.tracking else {
        return false;
    };
    let is_wanted = match tracking.mode {
        CachingMode::Always => true,
        CachingMode::OptIn => tracking.is_caching_named,
        CachingMode::OptOut => !tracking.is_caching_named,
    };
    // A script reads what its commands read, not what it names.
    if tracking.tracker.is_broadcast
        || !is_wanted
        || !command.flags.contains(Flag::Readonly)
        || Executor::is_scripted(command)
    {
        return false;
    }
    let mut keys: Vec<Box<[u8]>> = Vec::new();
    for range in table::request_keys(command, words) {
        keys.extend(range.positions().map(|position| words[position].into()));
    }
    if keys.is_empty() {
        return false;
    }
    Hub::remember_later(session.client.id, keys);
    true
}
