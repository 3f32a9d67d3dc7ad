//! An I/O thread: a runtime of its own, its listeners, its connections, its reader.
//!
//! Owns what the connections of one thread share without locks. Threads share nothing with
//! each other but the [`Server`]. A thread ends when the server stops: it stops accepting,
//! lets its connections finish what they run, and gives up on those that do not.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use thermocline_base::Random;
use tokio::net::UnixStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tracing::{error, info};

use crate::buffers::Pool;
use crate::client_memory;
use crate::clients::{Client, End};
use crate::cold::Cold;
use crate::connection::Connection;
use crate::dispatch;
use crate::listener;
use crate::server::Server;
use crate::socket::Socket;
use crate::statistics::ThreadStatistics;
use crate::turns::Turns;

/// How often idle clients and soft limits are looked at.
const TICK: Duration = Duration::from_secs(1);

/// What the connections of a thread share.
pub(crate) struct Thread {
    pub(crate) server: Arc<Server>,
    pub(crate) statistics: Arc<ThreadStatistics>,
    pub(crate) pool: Pool,
    /// `None` without a tier.
    pub(crate) cold: Option<Cold>,
    pub(crate) turns: Turns,
    clients: RefCell<BTreeMap<u64, Arc<Client>>>,
    connections: Cell<usize>,
    emptied: Notify,
}

/// What a thread starts with.
pub(crate) struct Start {
    pub(crate) server: Arc<Server>,
    pub(crate) index: usize,
    pub(crate) listeners: Vec<std::net::TcpListener>,
    /// Connections accepted elsewhere: those of the unix socket.
    pub(crate) unix_streams: UnboundedReceiver<std::os::unix::net::UnixStream>,
    /// Told once when the thread has all that it needs.
    pub(crate) ready: UnboundedSender<()>,
    pub(crate) phase: watch::Receiver<Phase>,
}

/// Where the life of all I/O threads together stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Some have not yet what they need: nobody serves, so that a server which serves has all
    /// its threads, their descriptors and their rings.
    Starting,
    Serving,
    Stopping,
}

/// Runs an I/O thread until the server stops.
///
/// # Errors
/// If the system has no room for its runtime, listeners or reader.
pub(crate) fn run(start: Start) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, serve(start))
}

async fn serve(start: Start) -> io::Result<()> {
    let Start {
        server,
        index,
        listeners,
        mut unix_streams,
        ready,
        mut phase,
    } = start;
    let statistics = server.statistics.of_thread(index);
    let cold = if server.config.is_yes("tier") {
        let (clock, statistics) = (server.clock.clone(), Arc::clone(&statistics));
        Some(Cold::new(&server.store, clock, statistics)?)
    } else {
        None
    };
    let thread = Rc::new(Thread {
        statistics,
        pool: Pool::default(),
        cold,
        turns: Turns::default(),
        clients: RefCell::new(BTreeMap::new()),
        connections: Cell::new(0),
        emptied: Notify::new(),
        server,
    });
    let driver = Rc::clone(&thread);
    spawn_local(async move {
        if let Some(cold) = &driver.cold
            && let Err(error) = cold.drive().await
        {
            error!("the tier's reader cannot be watched: {error}");
        }
    });
    let listeners: Vec<_> = listeners
        .into_iter()
        .map(tokio::net::TcpListener::from_std)
        .collect::<io::Result<_>>()?;
    // If nobody listens, the server stops, which the phase says.
    let _ = ready.send(());
    let _ = phase.wait_for(|phase| *phase != Phase::Starting).await;
    let mut accepting = Vec::new();
    for listener in listeners {
        accepting.push(spawn_local(listener::accept(Rc::clone(&thread), listener)));
    }
    let adopting = Rc::clone(&thread);
    accepting.push(spawn_local(async move {
        while let Some(stream) = unix_streams.recv().await {
            if let Ok(stream) = UnixStream::from_std(stream) {
                adopting.adopt(
                    Socket::Unix(stream),
                    listener::unix_addresses(&adopting.server),
                );
            }
        }
    }));
    let ticking = Rc::clone(&thread);
    accepting.push(spawn_local(async move {
        loop {
            tokio::time::sleep(TICK).await;
            ticking.tick();
        }
    }));
    if index == 0 {
        accepting.push(spawn_local(serve_ready(Arc::clone(&thread.server))));
    }
    // An error means that the sender is gone, which is a stop too.
    let _ = phase.wait_for(|phase| *phase == Phase::Stopping).await;
    accepting.iter().for_each(JoinHandle::abort);
    thread.finish().await;
    Ok(())
}

/// Serves clients that wait for keys which expired or were evicted. (A command serves those
/// whose keys it changed.)
async fn serve_ready(server: Arc<Server>) {
    let executor = dispatch::executor_for(&server, server.live.bulk_bytes.load(Relaxed));
    let mut random = Random::new(server.seed());
    loop {
        server.store.ready_key().await;
        server.gate.is_open().await;
        executor.serve_ready(&mut random);
    }
}

impl Thread {
    /// Serves a socket that has been given a place among the clients.
    pub(crate) fn adopt(self: &Rc<Self>, socket: Socket, addresses: (String, String, i32)) {
        let server = &self.server;
        let is_unix = matches!(socket, Socket::Unix(_));
        let (address, local_address, descriptor) = addresses;
        let client = Arc::new(Client::new(
            server.clients.next_id(),
            address,
            local_address,
            descriptor,
            is_unix,
            server.now_ns(),
        ));
        server.clients.enter(&client);
        server.statistics.refresh(&self.statistics);
        self.statistics.connections.add(1);
        self.clients
            .borrow_mut()
            .insert(client.id, Arc::clone(&client));
        self.connections.set(self.connections.get() + 1);
        let connection = Connection::new(self, &client, socket);
        let thread = Rc::clone(self);
        spawn_local(async move {
            connection.serve().await;
            thread.forget(&client);
        });
    }

    fn forget(&self, client: &Client) {
        self.clients.borrow_mut().remove(&client.id);
        self.server.clients.leave(client);
        self.connections.set(self.connections.get() - 1);
        if self.connections.get() == 0 {
            self.emptied.notify_one();
        }
    }

    /// Ends clients that are idle or too slow for the limits.
    fn tick(&self) {
        let live = &self.server.live;
        let now_ns = self.server.now_ns();
        let timeout_s = live.timeout_s.load(Relaxed);
        // What came into inboxes since the last request of any client.
        client_memory::settle(&self.server);
        for client in self.clients.borrow().values() {
            if client.is_stranger_too_long(now_ns) {
                info!(
                    "closing {}: it did not authenticate in time",
                    client.address
                );
                let statistics = &self.server.statistics;
                statistics.strangers_disconnected.fetch_add(1, Relaxed);
                client.ask_to_end(End::Now);
                continue;
            }
            let is_blocked = client.is_blocked.load(Relaxed);
            let may_idle = is_blocked || client.is_subscribed() || client.is_monitor.load(Relaxed);
            if timeout_s > 0 && !may_idle && client.idle_s(now_ns) > timeout_s {
                info!("closing idle client {}", client.address);
                client.ask_to_end(End::Now);
            }
            let [_, soft_bytes, soft_s] = live.output_limits(client.is_subscribed());
            let soft_ns = soft_s.saturating_mul(1_000_000_000);
            let pending = client.unread_bytes();
            if soft_bytes == 0 || pending <= soft_bytes {
                client.above_soft_since_ns.store(0, Relaxed);
                continue;
            }
            let since_ns = client.above_soft_since_ns.load(Relaxed);
            if since_ns == 0 {
                client.above_soft_since_ns.store(now_ns.max(1), Relaxed);
            } else if now_ns.saturating_sub(since_ns) > soft_ns {
                info!(
                    "closing {}: it stayed above its soft output limit",
                    client.address
                );
                let statistics = &self.server.statistics;
                statistics
                    .output_buffer_disconnections
                    .fetch_add(1, Relaxed);
                client.ask_to_end(End::Now);
            }
        }
    }

    /// Lets the connections finish, for `shutdown-timeout` at most.
    async fn finish(&self) {
        for client in self.clients.borrow().values() {
            client.ask_to_end(End::Soon);
        }
        let limit = Duration::from_secs(self.server.config.number("shutdown-timeout"));
        let finished = async {
            while self.connections.get() > 0 {
                self.emptied.notified().await;
            }
        };
        if tokio::time::timeout(limit, finished).await.is_err() {
            info!(
                "{} connections did not finish in time",
                self.connections.get()
            );
        }
    }
}
