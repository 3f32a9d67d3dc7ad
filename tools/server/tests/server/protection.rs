//! Who may connect, and what they may do.

use super::support::{Daemon, eventually, field};
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_password_is_asked_for_first() {
    let daemon = Daemon::start(&["--requirepass", "secret"]);
    let mut raw = daemon.connect();
    assert_eq!(raw.ask("get a"), "-NOAUTH Authentication required.");
    assert!(
        raw.ask("hello 3")
            .starts_with("-NOAUTH HELLO must be called")
    );
    let wrong = "-WRONGPASS invalid username-password pair or user is disabled.";
    assert_eq!(raw.ask("auth wrong"), wrong);
    assert_eq!(raw.ask("auth nobody secret"), wrong);
    assert_eq!(raw.ask("auth default secret"), "+OK");
    assert_eq!(raw.ask("get a"), "$-1");
    assert_eq!(raw.ask("reset"), "+RESET");
    assert_eq!(raw.ask("get a"), "-NOAUTH Authentication required.");
    // What a stranger may make the server hold is little.
    raw.send("*1\r\n$20000\r\n");
    assert_eq!(
        raw.rest(),
        "-ERR Protocol error: unauthenticated bulk length\r\n"
    );
    // Authentication and a large request in one piece.
    let mut raw = daemon.connect();
    let value = "v".repeat(30_000);
    raw.send(format!(
        "auth secret\r\n*3\r\n$3\r\nset\r\n$1\r\na\r\n$30000\r\n{value}\r\n"
    ));
    raw.expect("+OK\r\n+OK\r\n");
    let mut raw = daemon.connect();
    raw.send("auth secret\r\nget a\r\n");
    raw.expect(&format!("+OK\r\n$30000\r\n{value}\r\n"));
    let url = format!("redis://:secret@127.0.0.1:{}/", daemon.port);
    let mut client = daemon.client_at(&url);
    let length: usize = redis::cmd("STRLEN").arg("a").query(&mut client).unwrap();
    assert_eq!(length, 30_000);
    let log: Vec<redis::Value> = redis::cmd("SLOWLOG").arg("GET").query(&mut client).unwrap();
    assert!(!format!("{log:?}").contains("secret"));
}

#[test]
fn one_client_too_many_is_told_and_places_come_back() {
    let daemon = Daemon::start(&["--maxclients", "2"]);
    let mut one = daemon.connect();
    assert_eq!(one.ask("ping"), "+PONG");
    // The connection that asked whether the daemon is up may still be closing.
    eventually(&"1".to_owned(), || {
        field(&one.bulk("info clients"), "connected_clients").to_owned()
    });
    let mut two = daemon.connect();
    assert_eq!(two.ask("ping"), "+PONG");
    let mut three = daemon.connect();
    assert_eq!(three.rest(), "-ERR max number of clients reached\r\n");
    assert_eq!(field(&one.bulk("info stats"), "rejected_connections"), "1");
    two.send("quit\r\n");
    assert_eq!(two.rest(), "+OK\r\n");
    eventually(&"+PONG".to_owned(), || {
        let mut again = daemon.connect();
        again.send("ping\r\n");
        again.line()
    });
}

#[test]
fn the_unix_socket_serves_with_its_mode_and_goes_with_the_daemon() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let text = path.to_str().unwrap();
    let mut daemon = Daemon::start(&["--unixsocket", text, "--unixsocketperm", "700"]);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    for _ in 0..3 {
        let mut client = daemon.client_at(&format!("unix://{text}"));
        let reply: String = redis::cmd("PING").query(&mut client).unwrap();
        assert_eq!(reply, "PONG");
        let info: String = redis::cmd("CLIENT").arg("INFO").query(&mut client).unwrap();
        assert!(
            info.contains(&format!(" addr={text}:0 ")) && info.contains(" flags=U "),
            "{info}"
        );
    }
    assert_eq!(daemon.terminate().code(), Some(0));
    assert!(!path.exists());
}

#[test]
fn strangers_are_turned_away_in_protected_mode() {
    // Any address of this machine that is not loopback will do; without one there is
    // nothing to test.
    let probe = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    let address = probe
        .connect("192.0.2.1:9")
        .and_then(|()| probe.local_addr());
    let Ok(address) = address else { return };
    if address.ip().is_loopback() || address.ip().is_unspecified() {
        return;
    }
    let ip = address.ip().to_string();
    let daemon = Daemon::start(&["--bind", "127.0.0.1", &ip]);
    let connect = || {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect((ip.as_str(), daemon.port)).unwrap();
        let mut text = [0; 7];
        // A socket that was turned away may refuse what is sent to it.
        let _ = stream.write_all(b"ping\r\n");
        stream.read_exact(&mut text).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    };
    assert_eq!(connect(), "-DENIED");
    assert_eq!(daemon.connect().ask("config set protected-mode no"), "+OK");
    assert_eq!(connect(), "+PONG\r\n");
}

#[test]
fn debug_needs_the_operators_word() {
    let daemon = Daemon::start(&[]);
    let reply = daemon.connect().ask("debug sleep 0");
    assert!(
        reply.starts_with("-ERR DEBUG command not allowed."),
        "{reply}"
    );
}

#[test]
fn a_slow_reader_meets_the_output_limit() {
    let options = ["--client-output-buffer-limit", "normal", "1mb", "0", "0"];
    let daemon = Daemon::start(&options);
    let mut slow = daemon.connect();
    let value = "v".repeat(60_000);
    assert_eq!(slow.ask(&format!("set a {value}")), "+OK");
    slow.send("get a\r\n".repeat(2000));
    let mut other = daemon.connect();
    eventually(&"1".to_owned(), || {
        field(
            &other.bulk("info stats"),
            "client_output_buffer_limit_disconnections",
        )
    });
    assert!(daemon.log().contains("client-output-buffer-limit"));
}
