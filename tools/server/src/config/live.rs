//! The values that are read for every connection or request.
//!
//! Owns them in the form they are used in, each behind an atomic. Does not know where they
//! come from: `apply` copies them here. Any thread reads; whoever changes the
//! configuration writes.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};

use parking_lot::RwLock;

/// See the module. Sizes are in bytes; 0 is no limit where a limit may be missing.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) maxclients: AtomicU64,
    /// Seconds after which an idle client is closed; 0 for never.
    pub(crate) timeout_s: AtomicU64,
    /// Seconds of silence before a TCP probe; 0 for none.
    pub(crate) tcp_keepalive_s: AtomicU64,
    /// Of normal clients and of those subscribed to something: hard bytes, soft bytes,
    /// seconds a client may stay above the latter.
    output_limits: [[AtomicU64; 3]; 2],
    pub(crate) query_buffer_bytes: AtomicU64,
    /// What all clients may hold together.
    pub(crate) clients_bytes: AtomicU64,
    pub(crate) bulk_bytes: AtomicU64,
    pub(crate) protected_mode: AtomicBool,
    /// Microseconds above which a command goes to the slow log; negative for never.
    pub(crate) slower_than_us: AtomicI64,
    pub(crate) slowlog_entries: AtomicU64,
    /// Bytes above which a request is logged; negative for never.
    pub(crate) large_request_bytes: AtomicI64,
    pub(crate) large_request_entries: AtomicU64,
    /// Bytes above which a reply is logged; negative for never.
    pub(crate) large_reply_bytes: AtomicI64,
    pub(crate) large_reply_entries: AtomicU64,
    pub(crate) latency_tracking: AtomicBool,
    /// Milliseconds from which a latency event is kept; 0 for none.
    pub(crate) latency_threshold_ms: AtomicU64,
    /// Milliseconds a script may keep others waiting before they are told.
    pub(crate) busy_threshold_ms: AtomicU64,
    /// Whether scripts may run DEBUG, for test suites.
    pub(crate) scripts_may_debug: AtomicBool,
    has_password: AtomicBool,
    password: RwLock<String>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            maxclients: AtomicU64::new(10_000),
            timeout_s: AtomicU64::new(0),
            tcp_keepalive_s: AtomicU64::new(300),
            output_limits: Default::default(),
            query_buffer_bytes: AtomicU64::new(1 << 30),
            clients_bytes: AtomicU64::new(0),
            bulk_bytes: AtomicU64::new(512 << 20),
            protected_mode: AtomicBool::new(true),
            slower_than_us: AtomicI64::new(10_000),
            slowlog_entries: AtomicU64::new(128),
            large_request_bytes: AtomicI64::new(1 << 20),
            large_request_entries: AtomicU64::new(128),
            large_reply_bytes: AtomicI64::new(1 << 20),
            large_reply_entries: AtomicU64::new(128),
            latency_tracking: AtomicBool::new(true),
            latency_threshold_ms: AtomicU64::new(0),
            busy_threshold_ms: AtomicU64::new(5000),
            scripts_may_debug: AtomicBool::new(false),
            has_password: AtomicBool::new(false),
            password: RwLock::new(String::new()),
        }
    }
}

impl Live {
    /// Hard bytes, soft bytes and soft seconds of what waits for a client, subscribed to
    /// something or not.
    pub(crate) fn output_limits(&self, is_subscribed: bool) -> [u64; 3] {
        let limits = &self.output_limits[usize::from(is_subscribed)];
        [0, 1, 2].map(|place| limits[place].load(Relaxed))
    }

    /// Sets what [`Live::output_limits`] gives.
    pub(crate) fn set_output_limits(&self, is_subscribed: bool, limits: [u64; 3]) {
        let places = &self.output_limits[usize::from(is_subscribed)];
        for (place, limit) in places.iter().zip(limits) {
            place.store(limit, Relaxed);
        }
    }

    /// Whether clients have to authenticate.
    pub(crate) fn has_password(&self) -> bool {
        self.has_password.load(Relaxed)
    }

    /// Sets the password; an empty one asks for none.
    pub(crate) fn set_password(&self, password: &str) {
        password.clone_into(&mut self.password.write());
        self.has_password.store(!password.is_empty(), Relaxed);
    }

    /// Whether `given` is the password. Takes as long for a wrong one as for the right one
    /// of the same length.
    pub(crate) fn is_password(&self, given: &[u8]) -> bool {
        let password = self.password.read();
        let password = password.as_bytes();
        let differences = given
            .iter()
            .enumerate()
            .fold(0_u8, |differences, (index, byte)| {
                differences | (byte ^ password.get(index % password.len().max(1)).unwrap_or(&0))
            });
        differences == 0 && given.len() == password.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_password_fits() {
        let live = Live::default();
        assert!(!live.has_password());
        live.set_password("secret");
        assert!(live.has_password() && live.is_password(b"secret"));
        for wrong in ["", "secre", "secrets", "secretsecret", "Secret"] {
            assert!(!live.is_password(wrong.as_bytes()), "{wrong}");
        }
        live.set_password("");
        assert!(!live.has_password());
    }
}
