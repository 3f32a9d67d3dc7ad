//! A thread for a script that takes long, so that its client's thread goes on.
//!
//! Owns that thread for the time of the script. The gate is shut meanwhile, so there is one at
//! most.

use std::sync::Arc;
use std::time::Duration;

use thermocline_commands::table::Command;
use tokio::sync::oneshot;

use crate::dispatch::{Runner, Step};

/// How long the thread lets those finish who began before the gate was shut: they hold shards
/// for microseconds.
const SETTLE: Duration = Duration::from_millis(1);

/// What the thread gives back.
pub(crate) type Finished = (Box<Runner>, Step);

/// Runs the request on a thread of its own; the gate is shut, and opened when it has ended.
/// `None` if there is no thread to be had: the runner is lost then, and its connection ends.
pub(crate) fn run(
    runner: Box<Runner>,
    command: &'static Command,
    words: Vec<Vec<u8>>,
) -> Option<oneshot::Receiver<Finished>> {
    let (finished, receiver) = oneshot::channel();
    let server = Arc::clone(&runner.server);
    let task = move || {
        let mut runner = runner;
        let server = Arc::clone(&runner.server);
        std::thread::park_timeout(SETTLE);
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let is_function = command.name.starts_with("fcall");
        server.scripts.begin_long(is_function, &words);
        runner.refresh();
        runner.is_patient = true;
        let step = runner.step(Some(command), &words);
        runner.end_lease();
        runner.is_patient = false;
        server.scripts.end_long();
        server.gate.open(&server.store);
        let _ = finished.send((runner, step));
    };
    let spawned = std::thread::Builder::new()
        .name("script".to_owned())
        .spawn(task);
    if let Err(error) = spawned {
        tracing::warn!("no thread for a script: {error}");
        server.gate.open(&server.store);
        return None;
    }
    Some(receiver)
}
