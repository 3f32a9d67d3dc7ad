//! The functions that the store keeps are loaded before anybody is served.
//!
//! Owns the wait for what that lacks. The main thread, at the start.

use std::sync::atomic::Ordering::Relaxed;

use thermocline_store::{Fault, FaultSet, PageReader};
use tokio::runtime::Runtime;
use tracing::warn;

use crate::dispatch;
use crate::server::Server;

/// Reads after which it is given up.
const TRIES: usize = 16;

/// Loads them. Those that cannot be had are told to the log; whoever calls one is told too.
pub(crate) fn load(server: &Server, runtime: &Runtime) {
    if let Err(reason) = try_to_load(server, runtime) {
        warn!("the functions that are kept could not be loaded: {reason}");
    }
}

fn try_to_load(server: &Server, runtime: &Runtime) -> Result<(), String> {
    let executor = dispatch::executor_for(server, server.live.bulk_bytes.load(Relaxed));
    let store = &server.store;
    let mut faults = FaultSet::new();
    for _ in 0..TRIES {
        match executor.load_functions(&faults) {
            Ok(()) => return Ok(()),
            Err(Fault::Recovering(keys)) => runtime.block_on(store.hydrate(&keys)),
            Err(Fault::Unsettled) => runtime.block_on(store.settled()),
            Err(Fault::Long(values)) => {
                // Without its pages it asks for them again.
                if let Err(Fault::Damaged(reason)) = store.decode_all(values, &mut faults) {
                    return Err(reason);
                }
            }
            Err(Fault::Reads(requests)) => {
                let reader = PageReader::new(store, requests.len());
                let mut reader = reader.map_err(|error| error.to_string())?;
                let mut done = Vec::new();
                reader.read_all(&requests, &mut done);
                for fetched in done {
                    let page = fetched.page.map_err(|error| error.to_string())?;
                    faults.insert(fetched.request.address, page);
                }
            }
            Err(Fault::Damaged(reason)) => return Err(reason),
        }
    }
    Err("they are not where they are looked for".to_owned())
}
