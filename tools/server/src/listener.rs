//! Listening sockets: made at the start, accepting while the server runs.
//!
//! Owns `bind`, `port` and `unixsocket`, and whom the server turns away at the door. Every
//! I/O thread has its own socket for each TCP address (SO_REUSEPORT: the kernel spreads the
//! connections); the unix socket is accepted by the main thread, which deals connections
//! out in turn. Running out of descriptors never ends accepting: each newcomer is told by
//! way of a descriptor that is kept for this, and where not even that helps accepting pauses.

use std::fs::File;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::PermissionsExt;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::io::Errno;
use socket2::{Domain, Protocol, SockRef, Socket as RawSocket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::mpsc::UnboundedSender;
use tracing::warn;

use crate::config::Config;
use crate::server::Server;
use crate::socket::Socket;
use crate::thread::Thread;

/// How long accepting pauses when the system has no room for one more.
const FULL_PAUSE: Duration = Duration::from_millis(100);

const FULL_TEXT: &[u8] = b"-ERR max number of clients reached\r\n";
const PROTECTED_TEXT: &[u8] =
    b"-DENIED Running in protected mode because protected mode is enabled and no password is set \
for the default user. In this mode connections are only accepted from the loopback interface. If \
you want to connect from external computers, you may adopt one of the following solutions: 1) \
Just disable protected mode sending the command 'CONFIG SET protected-mode no' from the loopback \
interface by connecting from the same host the server is running, however MAKE SURE it's not \
publicly accessible from internet if you do so. Use CONFIG REWRITE to make this change \
permanent. 2) Alternatively you can just disable the protected mode by editing the configuration \
file, and setting the protected mode option to 'no', and then restarting the server. 3) If you \
started the server manually just for testing, restart it with the '--protected-mode no' option. \
4) Set up an authentication password for the default user. NOTE: You only need to do one of the \
above things in order for the server to start accepting connections from the outside.\r\n";

/// An address of `bind`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bind {
    address: SocketAddr,
    /// Whether the start goes on without it (a `-` in front).
    is_optional: bool,
}

fn parse_bind(config: &Config) -> io::Result<Vec<Bind>> {
    let port = u16::try_from(config.number("port")).unwrap_or(0);
    let mut binds = Vec::new();
    for word in config.get("bind").split_whitespace() {
        let (name, is_optional) = match word.strip_prefix('-') {
            Some(rest) => (rest, true),
            None => (word, false),
        };
        let name = match name {
            "*" => "0.0.0.0",
            "::*" => "::",
            other => other,
        };
        match (name, port).to_socket_addrs() {
            Ok(addresses) => binds.extend(addresses.map(|address| Bind {
                address,
                is_optional,
            })),
            Err(_) if is_optional => {}
            Err(error) => return Err(named(&error, name)),
        }
    }
    Ok(binds)
}

fn named(error: &io::Error, what: impl std::fmt::Display) -> io::Error {
    io::Error::new(error.kind(), format!("cannot listen on {what}: {error}"))
}

fn listen(address: SocketAddr, backlog: i32, shared: bool) -> io::Result<std::net::TcpListener> {
    let socket = RawSocket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(socket.into())
}

/// The listeners of each thread, and what INFO says of them.
pub(crate) type Listeners = (Vec<Vec<std::net::TcpListener>>, Vec<String>);

/// Listens on all addresses of the configuration, for each of `threads`.
///
/// # Errors
/// An address that is taken or not this machine's, unless it is optional; none at all.
pub(crate) fn bind_all(config: &Config, threads: usize) -> io::Result<Listeners> {
    let backlog = i32::try_from(config.number("tcp-backlog")).unwrap_or(i32::MAX);
    let mut of_threads: Vec<Vec<std::net::TcpListener>> =
        std::iter::repeat_with(Vec::new).take(threads).collect();
    let mut descriptions = Vec::new();
    if config.number("port") == 0 {
        return Ok((of_threads, descriptions));
    }
    for bind in parse_bind(config)? {
        // Alone first: sockets that share a port would join another daemon's unnoticed.
        match listen(bind.address, 1, false) {
            Ok(alone) => drop(alone),
            Err(error) if bind.is_optional && is_missing(&error) => continue,
            Err(error) => return Err(named(&error, bind.address)),
        }
        for listeners in &mut of_threads {
            let listener = listen(bind.address, backlog, true);
            listeners.push(listener.map_err(|error| named(&error, bind.address))?);
        }
        let (ip, port) = (bind.address.ip(), bind.address.port());
        descriptions.push(format!("name=tcp,bind={ip},port={port}"));
    }
    if descriptions.is_empty() {
        return Err(io::Error::other("no address of 'bind' can be listened on"));
    }
    Ok((of_threads, descriptions))
}

/// Whether the machine has no such address or protocol.
fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::AddrNotAvailable | ErrorKind::Unsupported
    ) || error
        .raw_os_error()
        .is_some_and(|code| [93, 94, 97].contains(&code)) // no such protocol, type, family
}

/// Listens on the unix socket of the configuration, if there is one.
///
/// # Errors
/// A path that cannot be made, or at which something else listens.
pub(crate) fn bind_unix(config: &Config) -> io::Result<Option<std::os::unix::net::UnixListener>> {
    let path = config.get("unixsocket");
    if path.is_empty() {
        return Ok(None);
    }
    if std::os::unix::net::UnixStream::connect(&path).is_ok() {
        return Err(io::Error::other(format!(
            "cannot listen on {path}: another process does"
        )));
    }
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(named(&error, &path)),
        _ => {}
    }
    let listener = std::os::unix::net::UnixListener::bind(&path);
    let listener = listener.map_err(|error| named(&error, &path))?;
    let mode = u32::from_str_radix(&config.get("unixsocketperm"), 8).unwrap_or(0);
    if mode > 0 {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))?;
    }
    listener.set_nonblocking(true)?;
    Ok(Some(listener))
}

/// A descriptor that is kept for the moment when there is no other.
struct Reserve(Option<File>);

impl Reserve {
    fn new() -> Self {
        Self(File::open("/dev/null").ok())
    }

    /// After an accept that failed with `error`: where no descriptor was left, gives up the
    /// one kept and turns away the connection that `poll_next` accepts with it; else waits
    /// if the system is full. Then has a descriptor again, if there is one.
    async fn recover<S: AsFd>(
        &mut self,
        server: &Server,
        error: &io::Error,
        mut poll_next: impl FnMut(&mut Context<'_>) -> Poll<io::Result<S>>,
    ) {
        let has_none = matches!(
            Errno::from_io_error(error),
            Some(Errno::MFILE | Errno::NFILE)
        );
        if has_none && self.0.take().is_some() {
            warn_of(server, error);
            // Without waiting: what waits to be accepted may have gone meanwhile.
            let next = poll_fn(|context| Poll::Ready(poll_next(context))).await;
            if let Poll::Ready(Ok(stream)) = next {
                turn_away(server, &stream, FULL_TEXT);
            }
        } else {
            pause(server, error).await;
        }
        if self.0.is_none() {
            *self = Self::new();
        }
    }
}

/// Accepts TCP connections for a thread, for ever.
pub(crate) async fn accept(thread: Rc<Thread>, listener: TcpListener) {
    let server = &thread.server;
    let mut reserve = Reserve::new();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => admit(&thread, stream, peer),
            Err(error) => {
                let recovered = reserve.recover(server, &error, |context| {
                    listener.poll_accept(context).map_ok(|(stream, _)| stream)
                });
                recovered.await;
            }
        }
    }
}

/// After an accept that failed: waits if the system is full, goes on otherwise.
async fn pause(server: &Server, error: &io::Error) {
    if matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted
    ) {
        return;
    }
    warn_of(server, error);
    tokio::time::sleep(FULL_PAUSE).await;
}

/// As often as it is tried, by every thread, nobody would read it.
fn warn_of(server: &Server, error: &io::Error) {
    if server.accept_warnings.take(server.now_ns()) {
        warn!("Accepting client connection: accept: {error}");
    }
}

fn admit(thread: &Rc<Thread>, stream: TcpStream, peer: SocketAddr) {
    let server = &thread.server;
    let is_local = match peer.ip() {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => {
            ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback())
        }
    };
    if !is_local && server.live.protected_mode.load(Relaxed) && !server.live.has_password() {
        return turn_away(server, &stream, PROTECTED_TEXT);
    }
    if !server
        .clients
        .take_place(server.live.maxclients.load(Relaxed))
    {
        return turn_away(server, &stream, FULL_TEXT);
    }
    // A socket that refuses an option is no reason to refuse its client.
    let _ = stream.set_nodelay(true);
    let keepalive_s = server.live.tcp_keepalive_s.load(Relaxed);
    if keepalive_s > 0 {
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_secs(keepalive_s))
            .with_interval(Duration::from_secs((keepalive_s / 3).max(1)))
            .with_retries(3);
        let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
    }
    let local = stream
        .local_addr()
        .map_or_else(|_| String::new(), |address| address.to_string());
    let descriptor = stream.as_raw_fd();
    thread.adopt(Socket::Tcp(stream), (peer.to_string(), local, descriptor));
}

/// Sends what fits at once and closes.
fn turn_away<S: AsFd>(server: &Server, stream: &S, text: &[u8]) {
    server.statistics.rejected_connections.fetch_add(1, Relaxed);
    let _ = SockRef::from(stream).send(text);
}

/// Accepts on the unix socket and deals the connections out to the threads, for ever.
pub(crate) async fn deal_unix(
    server: &Server,
    listener: UnixListener,
    threads: &[UnboundedSender<std::os::unix::net::UnixStream>],
) {
    let mut reserve = Reserve::new();
    for turn in 0_usize.. {
        let accepted = listener.accept().await;
        let stream = match accepted.and_then(|(stream, _)| stream.into_std()) {
            Ok(stream) => stream,
            Err(error) => {
                let recovered = reserve.recover(server, &error, |context| {
                    listener.poll_accept(context).map_ok(|(stream, _)| stream)
                });
                recovered.await;
                continue;
            }
        };
        let maxclients = server.live.maxclients.load(Relaxed);
        if !server.clients.take_place(maxclients) {
            turn_away(server, &stream, FULL_TEXT);
            continue;
        }
        // A thread that is gone means that the server stops.
        let _ = threads[turn % threads.len()].send(stream);
    }
}

/// How clients of the unix socket are shown.
pub(crate) fn unix_addresses(server: &Server) -> (String, String, i32) {
    let address = format!("{}:0", server.config.get("unixsocket"));
    (address.clone(), address, -1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config_file;

    fn config(text: &str) -> Config {
        let directives = config_file::parse("t.conf", text.as_bytes()).unwrap();
        Config::new(&directives, None).unwrap()
    }

    #[test]
    fn addresses_are_read_with_their_marks() {
        let binds = parse_bind(&config("port 7\nbind 127.0.0.1 -::1 *")).unwrap();
        let shown: Vec<(String, bool)> = binds
            .iter()
            .map(|bind| (bind.address.to_string(), bind.is_optional))
            .collect();
        let expected = [
            ("127.0.0.1:7", false),
            ("[::1]:7", true),
            ("0.0.0.0:7", false),
        ];
        let expected = expected.map(|(address, optional)| (address.to_owned(), optional));
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_port_in_use_is_an_error_that_names_it() {
        let taken = listen("127.0.0.1:0".parse().unwrap(), 1, true).unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = bind_all(&config(&format!("bind 127.0.0.1\nport {port}")), 2).unwrap_err();
        assert!(
            error.to_string().contains(&format!("127.0.0.1:{port}")),
            "{error}"
        );
    }

    #[test]
    fn threads_share_a_port() {
        let free = listen("127.0.0.1:0".parse().unwrap(), 1, false).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let bound = bind_all(&config(&format!("bind 127.0.0.1\nport {port}")), 3).unwrap();
        assert_eq!(bound.0.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1]);
        assert_eq!(bound.1, [format!("name=tcp,bind=127.0.0.1,port={port}")]);
    }

    #[test]
    fn no_port_means_no_listener() {
        let (of_threads, descriptions) = bind_all(&config("port 0"), 2).unwrap();
        assert!(of_threads.iter().all(Vec::is_empty) && descriptions.is_empty());
    }
}
