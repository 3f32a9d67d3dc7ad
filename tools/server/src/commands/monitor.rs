//! MONITOR, and the lines it shows.
//!
//! Owns how a request looks to those who monitor, secrets left out. Does not own who they
//! are. The connection's task.

use thermocline_commands::table::{Command, Flag};

use super::{CommandResult, Family, Invocation, Outcome, refuse};

pub(super) static COMMANDS: Family = &[("monitor", monitor)];

fn monitor(invocation: &mut Invocation<'_>) -> CommandResult {
    if invocation.is_in_transaction() {
        return Err(refuse("MONITOR isn't allowed for DENY BLOCKING client"));
    }
    let session = &mut *invocation.session;
    // Asked again, it has no reply at all.
    if session.is_monitor {
        return Ok(Outcome::Done);
    }
    session.is_monitor = true;
    let client = &session.client;
    client
        .is_monitor
        .store(true, std::sync::atomic::Ordering::Relaxed);
    invocation.server.hub.add_monitor(client);
    invocation.ok()
}

/// Whether those who monitor see the command: not an administrator's.
pub(crate) fn is_shown(command: &Command) -> bool {
    !command.flags.contains(Flag::Admin)
}

/// Whether a client that monitors may not run the command.
pub(crate) fn is_refused(command: &Command) -> bool {
    let flags = command.flags;
    flags.contains(Flag::Write)
        || flags.contains(Flag::Readonly)
        || matches!(command.name, "publish" | "spublish")
}

/// The line of a request: `+1700000000.000001 [0 127.0.0.1:5] "GET" "k"`.
pub(crate) fn line(at_us: i64, database: u8, address: &str, words: &[&[u8]]) -> Vec<u8> {
    let (seconds, us) = (at_us.div_euclid(1_000_000), at_us.rem_euclid(1_000_000));
    let mut line = format!("+{seconds}.{us:06} [{database} {address}]").into_bytes();
    for word in words {
        line.extend_from_slice(b" \"");
        for byte in *word {
            match byte {
                b'\\' | b'"' => line.extend_from_slice(&[b'\\', *byte]),
                b'\n' => line.extend_from_slice(b"\\n"),
                b'\r' => line.extend_from_slice(b"\\r"),
                b'\t' => line.extend_from_slice(b"\\t"),
                7 => line.extend_from_slice(b"\\a"),
                8 => line.extend_from_slice(b"\\b"),
                b' '..=b'~' => line.push(*byte),
                other => line.extend_from_slice(format!("\\x{other:02x}").as_bytes()),
            }
        }
        line.push(b'"');
    }
    line.extend_from_slice(b"\r\n");
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_valkeys_byte_for_byte() {
        let word: Vec<u8> = (0..=35).chain([92, 126, 127, 255]).collect();
        let line = line(
            1_795_635_081_659_501,
            3,
            "127.0.0.1:33144",
            &[b"ECHO", &word],
        );
        let expected = concat!(
            r#"+1795635081.659501 [3 127.0.0.1:33144] "ECHO" "#,
            r#""\x00\x01\x02\x03\x04\x05\x06\a\b\t\n\x0b\x0c\r\x0e\x0f\x10\x11\x12\x13\x14"#,
            r##"\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f !\"#\\~\x7f\xff""##,
            "\r\n"
        );
        assert_eq!(String::from_utf8_lossy(&line), expected);
    }
}
