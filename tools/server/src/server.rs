//! What all threads of the daemon share.
//!
//! Owns the store, the configuration, the registers of clients, counters and slow
//! commands, and how the daemon is asked to pause or stop. Any thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use thermocline_base::{Clock, Random};
use thermocline_commands::table::Command;
use thermocline_commands::{ReplyRoom, Scripts, Waiters};
use thermocline_store::{StartReport, Store};
use tokio::sync::{Notify, watch};

use crate::clients::Clients;
use crate::config::Config;
use crate::config::live::Live;
use crate::gate::ScriptGate;
use crate::hotkeys::HotKeys;
use crate::hub::Hub;
use crate::limits::AddressSpace;
use crate::log::Level;
use crate::post::Post;
use crate::slowlog::{LatencyMonitor, SlowLog};
use crate::statistics::Statistics;

/// What does not change after the start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// 40 hexadecimal digits, others at each start.
    pub(crate) run_id: String,
    pub(crate) executable: String,
    /// Addresses in the form of INFO's `listener` lines.
    pub(crate) listeners: Vec<String>,
    pub(crate) supervised: &'static str,
    pub(crate) started_at_s: i64,
    pub(crate) io_threads: usize,
    pub(crate) report: StartReport,
    /// Memory counted when nothing had been done yet, in bytes.
    pub(crate) startup_bytes: u64,
    /// Of what `maxmemory` has to leave room in.
    pub(crate) address_space: AddressSpace,
}

/// Which commands wait: CLIENT PAUSE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PauseScope {
    /// Those that may write.
    Writes,
    /// All.
    All,
}

/// CLIENT PAUSE and its end.
#[derive(Debug, Default)]
pub(crate) struct Pause {
    /// By the server's monotonic clock, in ms; 0 for none. Twice the time, plus one if all
    /// commands wait: so that one load tells both.
    until: AtomicU64,
    ended: Notify,
}

impl Pause {
    /// Pauses until `until_ms`, never shorter than before; gives until when.
    pub(crate) fn begin(&self, until_ms: u64, scope: PauseScope) -> u64 {
        let all = u64::from(scope == PauseScope::All);
        let before = self.until.fetch_update(Relaxed, Relaxed, |before| {
            let until_ms = until_ms.max(before >> 1);
            Some((until_ms << 1) | all)
        });
        let (Ok(before) | Err(before)) = before;
        until_ms.max(before >> 1)
    }

    /// Ends the pause.
    pub(crate) fn end(&self) {
        self.until.store(0, Relaxed);
        self.ended.notify_waiters();
    }

    /// Until when commands of which scope wait, in ms; `None` if none do.
    pub(crate) fn now(&self, now_ms: u64) -> Option<(u64, PauseScope)> {
        let until = self.until.load(Relaxed);
        let scope = if until & 1 == 1 {
            PauseScope::All
        } else {
            PauseScope::Writes
        };
        (until >> 1 > now_ms).then_some((until >> 1, scope))
    }

    /// Whether there may be a pause: the cheap question asked for every command.
    pub(crate) fn is_possible(&self) -> bool {
        self.until.load(Relaxed) != 0
    }

    /// Returns when the pause of now has ended or `left_ms` have passed.
    pub(crate) async fn ended(&self, left_ms: u64) {
        let wait = self.ended.notified();
        let left = std::time::Duration::from_millis(left_ms);
        let _ = tokio::time::timeout(left, wait).await;
    }
}

/// Lets one in a second through.
#[derive(Debug, Default)]
pub(crate) struct Turnstile {
    /// When the next may pass, by the server's monotonic clock, in ns.
    opens_at_ns: AtomicU64,
}

impl Turnstile {
    /// Whether the caller passes.
    pub(crate) fn take(&self, now_ns: u64) -> bool {
        let opens_at_ns = self.opens_at_ns.load(Relaxed);
        now_ns >= opens_at_ns
            && self
                .opens_at_ns
                .compare_exchange(opens_at_ns, now_ns + 1_000_000_000, Relaxed, Relaxed)
                .is_ok()
    }
}

/// See the module.
pub(crate) struct Server {
    pub(crate) store: Arc<Store>,
    pub(crate) scripts: Arc<Scripts>,
    /// Shut while a script runs for long.
    pub(crate) gate: ScriptGate,
    /// Clients that wait for keys.
    pub(crate) waiters: Arc<Waiters>,
    pub(crate) config: Config,
    pub(crate) live: Arc<Live>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) facts: Facts,
    pub(crate) clients: Clients,
    /// What replies share while they are written.
    pub(crate) reply_room: Arc<ReplyRoom>,
    pub(crate) statistics: Arc<Statistics>,
    pub(crate) slowlog: SlowLog,
    pub(crate) large_requests: SlowLog,
    pub(crate) large_replies: SlowLog,
    pub(crate) latencies: LatencyMonitor,
    pub(crate) hotkeys: HotKeys,
    pub(crate) pause: Pause,
    /// Warnings that no connection could be accepted.
    pub(crate) accept_warnings: Turnstile,
    pub(crate) clock: Clock,
    pub(crate) log_level: Arc<Level>,
    /// Held while a client changes the configuration, so that changes are whole.
    pub(crate) configuring: Mutex<()>,
    /// Asks the main thread to stop; whether with a last checkpoint.
    pub(crate) stop: watch::Sender<Option<bool>>,
    random: Mutex<Random>,
}

impl Server {
    /// The shared state of a daemon about to serve.
    pub(crate) fn new(
        store: Arc<Store>,
        config: Config,
        facts: Facts,
        clock: Clock,
        log_level: Arc<Level>,
        seed: u64,
    ) -> Self {
        let commands = crate::registry::all().len();
        let live = Arc::new(Live::default());
        let statistics = Arc::new(Statistics::new(facts.io_threads, commands));
        let post = Post::new(Arc::clone(&live), Arc::clone(&statistics));
        let hub = Arc::new(Hub::new(post));
        store.set_observer(Arc::clone(&hub) as _);
        Self {
            store,
            scripts: Arc::new(Scripts::new(clock.clone())),
            gate: ScriptGate::default(),
            waiters: Arc::default(),
            config,
            live,
            hub,
            clients: Clients::default(),
            reply_room: Arc::default(),
            statistics,
            facts,
            slowlog: SlowLog::default(),
            large_requests: SlowLog::default(),
            large_replies: SlowLog::default(),
            latencies: LatencyMonitor::default(),
            hotkeys: HotKeys::default(),
            pause: Pause::default(),
            accept_warnings: Turnstile::default(),
            clock,
            log_level,
            configuring: Mutex::new(()),
            stop: watch::Sender::new(None),
            random: Mutex::new(Random::new(seed)),
        }
    }

    /// Time since the start, in ns; never jumps.
    pub(crate) fn now_ns(&self) -> u64 {
        self.clock.monotonic_ns()
    }

    /// Time since the start, in ms; never jumps.
    pub(crate) fn now_ms(&self) -> u64 {
        self.now_ns() / 1_000_000
    }

    /// The wall clock, Unix seconds.
    pub(crate) fn unix_s(&self) -> i64 {
        self.clock.now().0.div_euclid(1000)
    }

    /// The wall clock, Unix microseconds: the clock gives milliseconds, and the monotonic one
    /// fills in what lies below.
    pub(crate) fn unix_us(&self) -> i64 {
        let below_us = i64::try_from(self.now_ns() / 1000 % 1000).unwrap_or(0);
        self.clock
            .now()
            .0
            .saturating_mul(1000)
            .saturating_add(below_us)
    }

    /// A seed for a thread or connection.
    pub(crate) fn seed(&self) -> u64 {
        self.random.lock().next_u64()
    }

    /// Whether CLIENT PAUSE holds this command back; for how many ms.
    pub(crate) fn paused_ms(&self, command: &Command, writes: bool) -> Option<u64> {
        if !self.pause.is_possible() || command.name == "client|unpause" {
            return None;
        }
        let now_ms = self.now_ms();
        let (until_ms, scope) = self.pause.now(now_ms)?;
        (scope == PauseScope::All || writes).then(|| until_ms - now_ms)
    }

    /// How long writes are paused for yet, in ms; `None` if they are not.
    pub(crate) fn writes_paused_ms(&self) -> Option<u64> {
        if !self.pause.is_possible() {
            return None;
        }
        let now_ms = self.now_ms();
        let (until_ms, _) = self.pause.now(now_ms)?;
        Some(until_ms - now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_never_shortened_and_can_be_ended() {
        let pause = Pause::default();
        assert!(!pause.is_possible());
        assert_eq!(pause.begin(100, PauseScope::All), 100);
        assert_eq!(pause.begin(50, PauseScope::Writes), 100);
        assert_eq!(pause.now(99), Some((100, PauseScope::Writes)));
        assert_eq!(pause.now(100), None);
        pause.end();
        assert_eq!(pause.now(0), None);
    }
}
