//! Both servers as one: what is sent goes to both, and their replies are
//! judged.
//!
//! Owns the servers, the connections and the history. Does not choose commands.
//! One thread.

use super::DifferentialError;
use super::compare::differences;
use super::explained::Explained;
use super::history::{History, is_key};
use super::resp::{Client, Command, command, shown};
use super::server::{Kind, Server, Stop};
use std::path::Path;

/// Longer replies are cut when told, bytes.
const TOLD_BYTES: usize = 2000;

/// A connection to each server, and the transaction open on both.
pub(super) struct Session {
    /// Its number; told with a difference.
    number: usize,
    valkey: Client,
    thermocline: Client,
    queued: Option<Vec<Command>>,
}

impl Session {
    /// Whether commands are being queued.
    pub(super) fn in_transaction(&self) -> bool {
        self.queued.is_some()
    }

    /// Follows the transaction by Valkey's reply; the commands that ran by it.
    fn follow(&mut self, command: &Command, reply: &[u8]) -> Vec<Command> {
        let is = |name: &[u8]| command[0].eq_ignore_ascii_case(name);
        if reply == b"+QUEUED\r\n" {
            let queued = self.queued.get_or_insert_default();
            queued.push(command.clone());
        } else if is(b"multi") && reply == b"+OK\r\n" {
            self.queued = Some(Vec::new());
        } else if is(b"exec") && command.len() == 1 {
            return self.queued.take().unwrap_or_default();
        } else if (is(b"discard") || is(b"reset")) && command.len() == 1 {
            self.queued = None;
        }
        Vec::new()
    }
}

/// See the module.
pub(super) struct Pair {
    valkey: Server,
    thermocline: Server,
    protocol: u8,
    history: History,
    explained: Explained,
    replies: u64,
    /// Differences found, and how many end the run.
    found: u64,
    differences: u64,
}

impl Pair {
    /// The two servers, whose replies are to come in this protocol version.
    pub(super) fn new(
        valkey: Server,
        thermocline: Server,
        protocol: u8,
        differences: u64,
    ) -> Result<Self, DifferentialError> {
        Ok(Self {
            valkey,
            thermocline,
            protocol,
            history: History::default(),
            explained: Explained::parse(include_str!("../../differential-explained.txt"))?,
            replies: 0,
            found: 0,
            differences,
        })
    }

    /// A new connection to each.
    pub(super) fn session(&mut self, number: usize) -> Result<Session, DifferentialError> {
        let mut session = Session {
            number,
            valkey: connect(&self.valkey)?,
            thermocline: connect(&self.thermocline)?,
            queued: None,
        };
        self.greet(&mut session)?;
        Ok(session)
    }

    /// Replies come in the protocol version chosen.
    fn greet(&mut self, session: &mut Session) -> Result<(), DifferentialError> {
        let hello = command(&["HELLO", &self.protocol.to_string()]);
        self.exchange_once(session, &[hello]).map(|_| ())
    }

    /// Sends commands to both and compares each reply; what Valkey replied.
    ///
    /// # Errors
    /// The first difference that is not explained, with what led to it.
    pub(super) fn exchange(
        &mut self,
        session: &mut Session,
        commands: &[Command],
    ) -> Result<Vec<Vec<u8>>, DifferentialError> {
        let replies = self.exchange_once(session, commands)?;
        // After RESET a connection speaks RESP2 again.
        let reset = (commands.iter()).any(|command| command[0].eq_ignore_ascii_case(b"reset"));
        if reset && !session.in_transaction() {
            self.greet(session)?;
        }
        Ok(replies)
    }

    fn exchange_once(
        &mut self,
        session: &mut Session,
        commands: &[Command],
    ) -> Result<Vec<Vec<u8>>, DifferentialError> {
        // Before they are sent: should one of them hang a server, the last is it.
        let first = self.history.push_all(session.number, commands);
        send(&mut session.valkey, Kind::Valkey, commands)?;
        send(&mut session.thermocline, Kind::Thermocline, commands)?;
        let mut differing = Vec::new();
        let mut replies = Vec::with_capacity(commands.len());
        for (index, command) in (first..).zip(commands) {
            let [valkey, thermocline] = self.receive(session, command)?;
            let queued = session.follow(command, &valkey);
            self.replies += 1;
            for found in differences(command, &queued, &valkey, &thermocline) {
                if self
                    .explained
                    .explains(found.command, &found.one, &found.other)
                {
                    continue;
                }
                let number = session.number;
                let mut what = format!("#{index} on connection {number}: {}", shown(command));
                if found.command != command {
                    what = format!("{what}, of it {}", shown(found.command));
                }
                let error = self.difference(&what, found.command, &found.one, &found.other);
                match error {
                    DifferentialError::Difference(text) => self.tolerate(text)?,
                    other => return Err(other),
                }
                let keys = found.command.iter().filter(|word| is_key(word));
                differing.extend(keys.cloned());
            }
            replies.push(valkey);
        }
        if differing.is_empty() || session.in_transaction() {
            return Ok(replies);
        }
        // What differs now would make every later command on these keys differ.
        differing.insert(0, b"DEL".to_vec());
        self.ask(session, &differing)?;
        Ok(replies)
    }

    /// Tells a difference and lets the run go on, unless it is the last allowed.
    ///
    /// # Errors
    /// The difference, if it ends the run.
    pub(super) fn tolerate(&mut self, text: String) -> Result<(), DifferentialError> {
        self.found += 1;
        if self.found >= self.differences {
            return Err(DifferentialError::Difference(text));
        }
        println!("differential: difference {}: {text}", self.found);
        Ok(())
    }

    /// Sends one command to both; their replies, not compared.
    pub(super) fn ask(
        &mut self,
        session: &mut Session,
        command: &Command,
    ) -> Result<[Vec<u8>; 2], DifferentialError> {
        self.ask_each(session, [command, command])
    }

    /// What both push to the session next.
    pub(super) fn receive(
        &mut self,
        session: &mut Session,
        awaited: &Command,
    ) -> Result<[Vec<u8>; 2], DifferentialError> {
        let valkey = read(&mut session.valkey, Kind::Valkey, awaited);
        let valkey = valkey.map_err(|error| self.with_output(&error))?;
        let thermocline = read(&mut session.thermocline, Kind::Thermocline, awaited);
        let thermocline = thermocline.map_err(|error| self.with_output(&error))?;
        Ok([valkey, thermocline])
    }

    /// Sends commands to both, whose replies are taken with [`Pair::receive`] or
    /// [`Pair::receive_until`].
    pub(super) fn begin(
        &mut self,
        session: &mut Session,
        commands: &[Command],
    ) -> Result<(), DifferentialError> {
        self.history.push_all(session.number, commands);
        send(&mut session.valkey, Kind::Valkey, commands)?;
        send(&mut session.thermocline, Kind::Thermocline, commands)
    }

    /// Whether each has sent the session something that was not taken yet.
    pub(super) fn have_sent(
        &self,
        session: &Session,
        awaited: &Command,
    ) -> Result<[bool; 2], DifferentialError> {
        let has_sent = |client: &Client, kind| {
            let sent = client.has_input();
            sent.map_err(|source| failure(kind, awaited, source))
        };
        Ok([
            has_sent(&session.valkey, Kind::Valkey)?,
            has_sent(&session.thermocline, Kind::Thermocline)?,
        ])
    }

    /// What each pushes to the session up to what `is_last`, which is left out.
    pub(super) fn receive_until(
        &mut self,
        session: &mut Session,
        awaited: &Command,
        is_last: impl Fn(&[u8]) -> bool,
    ) -> Result<[Vec<Vec<u8>>; 2], DifferentialError> {
        let mut told: [Vec<Vec<u8>>; 2] = Default::default();
        let clients = [
            (&mut session.valkey, Kind::Valkey),
            (&mut session.thermocline, Kind::Thermocline),
        ];
        for (told, (client, kind)) in told.iter_mut().zip(clients) {
            loop {
                let one = read(client, kind, awaited);
                let one = one.map_err(|error| self.with_output(&error))?;
                if is_last(&one) {
                    break;
                }
                told.push(one);
            }
        }
        Ok(told)
    }

    /// Sends a command to Valkey and another to Thermocline; their replies.
    pub(super) fn ask_each(
        &mut self,
        session: &mut Session,
        [to_valkey, to_thermocline]: [&Command; 2],
    ) -> Result<[Vec<u8>; 2], DifferentialError> {
        self.history.push(session.number, to_thermocline);
        send(
            &mut session.valkey,
            Kind::Valkey,
            std::slice::from_ref(to_valkey),
        )?;
        let sent = std::slice::from_ref(to_thermocline);
        send(&mut session.thermocline, Kind::Thermocline, sent)?;
        self.receive(session, to_thermocline)
    }

    /// The error for replies that disagree.
    pub(super) fn difference(
        &mut self,
        what: &str,
        command: &Command,
        valkey: &[u8],
        thermocline: &[u8],
    ) -> DifferentialError {
        let related = self.history.related(command);
        let ends = self.found + 1 >= self.differences;
        let output = if ends { self.keep() } else { String::new() };
        DifferentialError::Difference(format!(
            "{what}\nvalkey:      {}\nthermocline: {}\nthe last commands on its keys:\n{related}\n\
             {output}",
            cut(valkey),
            cut(thermocline),
        ))
    }

    fn with_output(&mut self, error: &DifferentialError) -> DifferentialError {
        let output = self.keep();
        DifferentialError::Server(format!("{error}\n{output}"))
    }

    /// Leaves what Thermocline wrote behind, and the last commands with it.
    fn keep(&mut self) -> String {
        let path = self.thermocline.keep();
        let reference = self.valkey.keep();
        let commands = Path::new(&path).join("commands.log");
        let written = std::fs::write(&commands, self.history.last());
        let last = match written {
            Ok(()) => format!("the last commands are in {}", commands.display()),
            Err(error) => format!("the last commands could not be written: {error}"),
        };
        format!(
            "the output and the data of thermocline are in {path}\n\
             the output of valkey is in {reference}\n{last}"
        )
    }

    /// Stops Thermocline and starts it again; no session may be open.
    pub(super) fn restart(&mut self, stop: Stop) -> Result<(), DifferentialError> {
        self.thermocline.restart(stop)
    }

    /// Tells what was compared.
    ///
    /// # Errors
    /// If differences were found on the way.
    pub(super) fn report(&self, seed: u64) -> Result<(), DifferentialError> {
        println!(
            "differential: seed {seed}: {} replies compared, {} unexplained differences",
            self.replies, self.found
        );
        for (count, reason) in self.explained.counts() {
            println!("differential: seed {seed}: explained {count} times: {reason}");
        }
        if self.found > 0 {
            let text = format!("{} differences were found on the way", self.found);
            return Err(DifferentialError::Difference(text));
        }
        Ok(())
    }

    /// Ends Thermocline cleanly, which must work at any time.
    pub(super) fn stop(&mut self) -> Result<(), DifferentialError> {
        self.thermocline.stop(Stop::Terminate)
    }
}

fn connect(server: &Server) -> Result<Client, DifferentialError> {
    Client::connect(server.port).map_err(|source| DifferentialError::Connection {
        server: server.kind.name(),
        command: "connecting".to_owned(),
        source,
    })
}

fn failure(kind: Kind, command: &Command, source: std::io::Error) -> DifferentialError {
    DifferentialError::Connection {
        server: kind.name(),
        command: cut(shown(command).as_bytes()),
        source,
    }
}

fn send(client: &mut Client, kind: Kind, commands: &[Command]) -> Result<(), DifferentialError> {
    let sent = client.send(commands);
    sent.map_err(|source| failure(kind, &commands[0], source))
}

fn read(client: &mut Client, kind: Kind, command: &Command) -> Result<Vec<u8>, DifferentialError> {
    let reply = client.read();
    reply.map_err(|source| failure(kind, command, source))
}

fn cut(reply: &[u8]) -> String {
    let told = reply.get(..TOLD_BYTES).unwrap_or(reply);
    let more = reply.len() - told.len();
    let more = if more > 0 {
        format!(" ...{more} bytes more")
    } else {
        String::new()
    };
    format!("{}{more}", told.escape_ascii())
}
