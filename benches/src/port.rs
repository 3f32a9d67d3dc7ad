//! Loopback ports for servers that are started for a test or a measurement.
//!
//! Owns which ports were given out. A port that the kernel chooses, let go for the
//! server to take, may be chosen for somebody else in between; these are not.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// The ports given, below those that Linux takes for outgoing connections and for
/// port 0 (`ip_local_port_range`, from 32,768 by default).
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;
/// Prime to `COUNT`: neighbouring processes begin far from one another.
const STRIDE: u32 = 7_919;

/// How many this process has asked for.
static ASKED: AtomicU32 = AtomicU32::new(0);

/// A port that nobody listens on now, and that this process is not given again before all
/// others were.
///
/// # Errors
/// Every port is taken, or none can be listened on.
pub fn free_port() -> io::Result<u16> {
    let begin = std::process::id().wrapping_mul(STRIDE) % u32::from(COUNT);
    for _ in 0..COUNT {
        let step = ASKED.fetch_add(1, Ordering::Relaxed) % u32::from(COUNT);
        let port = FIRST + ((begin + step) % u32::from(COUNT)) as u16;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
    }
    let last = FIRST + (COUNT - 1);
    let text = format!("something listens on every port from {FIRST} to {last}");
    Err(io::Error::new(ErrorKind::AddrInUse, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    // One test: another that ran beside it would take ports in between.
    #[test]
    fn no_port_is_given_twice_before_all_others_were_nor_while_it_has_a_listener() {
        let take = || (0..500).map(|_| free_port().expect("a port")).collect();
        let ports: Vec<u16> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            threads
                .into_iter()
                .flat_map(|thread| -> Vec<u16> { thread.join().expect("it ends") })
                .collect()
        });
        assert_eq!(ports.iter().collect::<HashSet<_>>().len(), ports.len());

        let taken = free_port().expect("a port");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, taken)).expect("it was free");
        // Once round: it comes by.
        for _ in 0..COUNT {
            assert_ne!(free_port().expect("a port"), taken);
        }
        drop(listener);
    }
}
