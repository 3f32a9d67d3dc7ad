//! What a supervisor is told: systemd's readiness protocol.
//!
//! Owns the meaning of `supervised`. The main thread.

use sd_notify::NotifyState;
use tracing::warn;

/// Whether systemd listens.
fn has_systemd() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// The supervisor in effect, as INFO names it.
pub(crate) fn supervisor(supervised: &str) -> &'static str {
    match supervised {
        "systemd" | "auto" if has_systemd() => "systemd",
        _ => "no",
    }
}

fn tell(supervised: &str, state: &[NotifyState<'_>]) {
    if supervisor(supervised) == "systemd"
        && let Err(error) = sd_notify::notify(state)
    {
        warn!("systemd could not be notified: {error}");
    }
}

/// The daemon serves.
pub(crate) fn ready(supervised: &str) {
    tell(
        supervised,
        &[
            NotifyState::Ready,
            NotifyState::Status("Ready to accept connections"),
        ],
    );
}

/// The daemon stops.
pub(crate) fn stopping(supervised: &str) {
    tell(supervised, &[NotifyState::Stopping]);
}
