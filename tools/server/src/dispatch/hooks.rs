//! What a request does for other clients, and what it takes from them: client-side caching,
//! MONITOR, letters.
//!
//! Owns when each happens around a request; every one stands behind one test of a flag. The
//! connection's task.

use thermocline_commands::table::{self, Command, Flag};
use thermocline_commands::{Call, Executor};

use super::Runner;
use super::books::redacted;
use crate::commands::{is_shown_to_monitors, monitor_line};
use crate::hub::Hub;
use crate::registry;
use crate::server::Server;
use crate::session::{CachingMode, Session};

impl Runner {
    /// Puts what came into the inbox between the replies.
    pub(crate) fn take_letters(&mut self) {
        self.session.write_letters(&mut self.reply, false);
        self.lsn = self.lsn.max(self.session.heard_lsn);
    }

    /// Before a command runs, while some client tracks. A command that runs again after a
    /// fault comes here again: what it reads then is what is remembered.
    pub(super) fn before_tracked(&mut self, command: &Command, words: &[&[u8]]) {
        Hub::set_source(self.session.client.id);
        if self.session.tracking.is_none() || command.name == "exec" {
            return;
        }
        self.remember_keys(command, words);
    }

    /// Before EXEC runs what was queued, while some client tracks.
    pub(super) fn before_tracked_queue(&mut self, calls: &[Call<'_>]) {
        for call in calls {
            self.remember_keys(call.command, call.arguments);
        }
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

    fn remember_keys(&self, command: &Command, words: &[&[u8]]) {
        let remembering = Remembering {
            server: &self.server,
            session: &self.session,
        };
        remembering.remember_keys(command, words);
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

/// What it takes to remember which keys a client has read.
pub(super) struct Remembering<'r> {
    pub(super) server: &'r Server,
    pub(super) session: &'r Session,
}

impl Remembering<'_> {
    pub(super) fn remember_keys(&self, command: &Command, words: &[&[u8]]) {
        let Some(tracking) = &self.session.tracking else {
            return;
        };
        let is_wanted = match tracking.mode {
            CachingMode::Always => true,
            CachingMode::OptIn => tracking.is_caching_named,
            CachingMode::OptOut => !tracking.is_caching_named,
        };
        if tracking.tracker.is_broadcast || !is_wanted || !command.flags.contains(Flag::Readonly) {
            return;
        }
        // A script reads what its commands read, not what it names.
        if Executor::is_scripted(command) {
            return;
        }
        let (hub, id) = (&self.server.hub, self.session.client.id);
        for range in table::request_keys(command, words) {
            for position in range.positions() {
                hub.tracking.remember(&hub.post, words[position], id);
            }
        }
        hub.post.wake();
    }
}
