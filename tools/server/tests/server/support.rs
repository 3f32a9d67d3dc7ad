//! Starts a daemon and speaks to it. Waits by asking again, up to a generous limit.

use std::fmt::Debug;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use thermocline_benches::port::free_port;

/// Longer than anything here takes on a loaded machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A running daemon, killed when it is dropped.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) port: u16,
    pub(crate) directory: tempfile::TempDir,
    options: Vec<String>,
    limit: Option<String>,
}

fn spawn(port: u16, directory: &Path, options: &[String], limit: Option<&str>) -> Child {
    let program = env!("CARGO_BIN_EXE_thermocline");
    let mut command = match limit {
        None => Command::new(program),
        Some(limit) => {
            let mut shell = Command::new("sh");
            let limited = format!("ulimit {limit}; exec \"$0\" \"$@\"");
            shell.args(["-c", &limited, program]);
            shell
        }
    };
    command
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--dir", &directory.join("data").to_string_lossy()])
        .args(["--io-threads", "2", "--logfile"])
        .arg(directory.join("log"))
        .args(options)
        .current_dir(directory)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command.spawn().expect("the daemon starts")
}

impl Daemon {
    /// A daemon with these directives on its command line, ready to serve.
    pub(crate) fn start(options: &[&str]) -> Self {
        Self::start_limited(None, options)
    }

    /// As [`Daemon::start`], with a limit as `ulimit` takes it.
    pub(crate) fn start_limited(limit: Option<&str>, options: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        let port = free_port().expect("a port");
        let child = spawn(port, directory.path(), &options, limit);
        let mut daemon = Self {
            child,
            port,
            directory,
            options,
            limit: limit.map(str::to_owned),
        };
        daemon.wait_until_ready();
        daemon
    }

    fn wait_until_ready(&mut self) {
        let begin = Instant::now();
        while !self.answers() {
            assert!(begin.elapsed() < LIMIT, "the daemon does not listen");
            if let Some(status) = self.child.try_wait().expect("it can be asked") {
                let mut text = String::new();
                let mut error = self.child.stderr.take().expect("it is piped");
                error.read_to_string(&mut text).expect("it can be read");
                panic!("the daemon ended with {status}: {text}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether it serves: it listens before it has recovered.
    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else {
            return false;
        };
        let mut reply = [0];
        stream.set_read_timeout(Some(LIMIT)).expect("it can be set");
        stream.write_all(b"PING\r\n").is_ok() && stream.read_exact(&mut reply).is_ok()
    }

    /// A second daemon over the same directory; how it ended and what it said.
    pub(crate) fn start_another(
        &self,
        limit: Option<&str>,
        options: &[&str],
    ) -> (ExitStatus, String) {
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        let child = spawn(
            free_port().expect("a port"),
            self.directory.path(),
            &options,
            limit,
        );
        let output = child.wait_with_output().expect("it ends");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status, text)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    pub(crate) fn connect(&self) -> Raw {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream.set_read_timeout(Some(LIMIT)).expect("it can be set");
        Raw { stream }
    }

    pub(crate) fn client(&self) -> redis::Connection {
        self.client_at(&format!("redis://127.0.0.1:{}/", self.port))
    }

    pub(crate) fn client_at(&self, url: &str) -> redis::Connection {
        let client = redis::Client::open(url).expect("it is an address");
        client.get_connection().expect("it listens")
    }

    /// Ends it at once, as a crash would, and starts it again.
    pub(crate) fn kill_and_restart(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
        self.restart();
    }

    /// Asks it to end, as a supervisor does; how it ended.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(status.expect("kill runs").success());
        self.wait()
    }

    /// Its process.
    pub(crate) fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// The most it ever took of memory.
    pub(crate) fn peak_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        let kilobytes: u64 = number.expect("it is there").parse().expect("a number");
        kilobytes * 1024
    }

    /// How it ended, by whatever was done to it.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("it ends")
    }

    pub(crate) fn restart(&mut self) {
        self.child = spawn(
            self.port,
            self.directory.path(),
            &self.options,
            self.limit.as_deref(),
        );
        self.wait_until_ready();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A bare socket.
pub(crate) struct Raw {
    stream: TcpStream,
}

impl Raw {
    pub(crate) fn send(&mut self, text: impl AsRef<[u8]>) {
        self.stream.write_all(text.as_ref()).expect("it is open");
    }

    /// As many bytes as `expected` has, which must be those.
    pub(crate) fn expect(&mut self, expected: &str) {
        let mut bytes = vec![0; expected.len()];
        let mut have = 0;
        while have < bytes.len() {
            match self.stream.read(&mut bytes[have..]) {
                Ok(read) if read > 0 => have += read,
                _ => break,
            }
            if !expected.as_bytes().starts_with(&bytes[..have]) {
                break;
            }
        }
        assert_eq!(String::from_utf8_lossy(&bytes[..have]), expected);
    }

    /// Sends an inline request whose reply is one line, and gives the line.
    pub(crate) fn ask(&mut self, request: &str) -> String {
        self.send(format!("{request}\r\n"));
        self.line()
    }

    /// The next line of a reply, without its end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = Vec::new();
        let mut byte = [0];
        while self.stream.read(&mut byte).expect("it is open") == 1 {
            line.push(byte[0]);
            if line.ends_with(b"\r\n") {
                line.truncate(line.len() - 2);
                break;
            }
        }
        String::from_utf8_lossy(&line).into_owned()
    }

    /// Sends an inline request whose reply is a bulk, and gives its text.
    pub(crate) fn bulk(&mut self, request: &str) -> String {
        self.send(format!("{request}\r\n"));
        self.read_bulk()
    }

    /// The text of the next reply, a bulk.
    pub(crate) fn read_bulk(&mut self) -> String {
        let head = self.line();
        let length: usize = head[1..]
            .parse()
            .unwrap_or_else(|_| panic!("no bulk: {head}"));
        let mut bytes = vec![0; length + 2];
        self.stream.read_exact(&mut bytes).expect("it is open");
        bytes.truncate(length);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Says that nothing more will be sent; replies still come.
    pub(crate) fn close_sending(&mut self) {
        let closed = self.stream.shutdown(std::net::Shutdown::Write);
        closed.expect("it is open");
    }

    /// Reads to the end of the stream.
    pub(crate) fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        // A connection that is reset has ended too.
        let _ = self.stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The value of a field in the text of INFO.
pub(crate) fn field(info: &str, name: &str) -> String {
    let mut lines = info.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value
        .unwrap_or_else(|| panic!("{name} is not in {info}"))
        .to_owned()
}

/// Asks again until the answer is the one expected.
pub(crate) fn eventually<T: PartialEq + Debug>(expected: &T, mut ask: impl FnMut() -> T) {
    let begin = Instant::now();
    loop {
        let answer = ask();
        if answer == *expected {
            return;
        }
        assert!(
            begin.elapsed() < LIMIT,
            "{answer:?} instead of {expected:?}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}
