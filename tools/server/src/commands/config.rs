//! CONFIG.
//!
//! Owns the error texts. What a directive is and does stands in `crate::config`.

use std::path::Path;

use thermocline_commands::CommandError;
use thermocline_disk::{BackendChoice, Disk};
use tracing::info;

use super::{CommandResult, Family, Invocation, Outcome, refuse};
use crate::config::{SetError, apply, rewrite};

/// The longest configuration file that is rewritten, in bytes.
const FILE_BYTES: u64 = crate::config_file::FILE_BYTES;

pub(super) static COMMANDS: Family = &[
    ("config|get", get),
    ("config|help", help),
    ("config|resetstat", reset_statistics),
    ("config|rewrite", rewrite_file),
    ("config|set", set),
];

fn get(invocation: &mut Invocation<'_>) -> CommandResult {
    let found = invocation
        .server
        .config
        .matching(&invocation.arguments[2..]);
    invocation.reply.map(found.len());
    for (name, value) in found {
        invocation.reply.bulk(name.as_bytes());
        invocation.reply.bulk(value.as_bytes());
    }
    Ok(Outcome::Done)
}

fn set(invocation: &mut Invocation<'_>) -> CommandResult {
    let words: Vec<_> = (2..invocation.arguments.len())
        .map(|index| invocation.text(index).into_owned())
        .collect();
    if !words.len().is_multiple_of(2) {
        return Err(CommandError::Syntax.into());
    }
    let pairs: Vec<(&str, &str)> = words
        .chunks_exact(2)
        .map(|pair| (pair[0].as_str(), pair[1].as_str()))
        .collect();
    match apply::set(invocation.server, &pairs) {
        Ok(()) => invocation.ok(),
        Err(SetError::Unknown(name)) => {
            let index = words.iter().step_by(2).position(|word| *word == name);
            let raw = index.and_then(|index| invocation.arguments.get(2 + 2 * index));
            Err(CommandError::unknown_parameter(raw.copied().unwrap_or_default()).into())
        }
        Err(SetError::Failed(name, reason)) => Err(refuse(format!(
            "CONFIG SET failed (possibly related to argument '{name}') - {reason}"
        ))),
    }
}

fn reset_statistics(invocation: &mut Invocation<'_>) -> CommandResult {
    invocation.server.statistics.reset();
    if invocation.is_in_transaction() {
        // The store's counters stand in shards, which the transaction holds.
        invocation.session.resets_statistics = true;
    } else {
        invocation.server.store.reset_statistics();
    }
    invocation.ok()
}

fn rewrite_file(invocation: &mut Invocation<'_>) -> CommandResult {
    let server = invocation.server;
    let Some(path) = &server.config.file else {
        return Err(refuse("The server is running without a config file"));
    };
    let _whole = server.configuring.lock();
    rewrite_at(path, &server.config.snapshot())
        .map_err(|error| refuse(format!("Rewriting config file: {error}")))?;
    info!("CONFIG REWRITE executed with success");
    invocation.ok()
}

fn rewrite_at(path: &Path, values: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    // Where it is linked to, the file itself is rewritten, and who could read it still can.
    let path = &path.canonicalize()?;
    let permissions = path.metadata()?.permissions();
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err("the file has no directory".into());
    };
    let name = name.to_string_lossy();
    // The seam of the disk does the durable replacement.
    let disk = Disk::open(directory, BackendChoice::Posix)?;
    let text = String::from_utf8(disk.read_whole(&name, FILE_BYTES)?)?;
    disk.replace_durably(&name, rewrite::rewrite(&text, values)?.as_bytes())?;
    Ok(std::fs::set_permissions(path, permissions)?)
}

fn help(invocation: &mut Invocation<'_>) -> CommandResult {
    invocation.help(
        "CONFIG",
        &[
            "GET <pattern>",
            "    Return parameters matching the glob-like <pattern> and their values.",
            "SET <directive> <value>",
            "    Set the configuration <directive> to <value>.",
            "RESETSTAT",
            "    Reset statistics reported by the INFO command.",
            "REWRITE",
            "    Rewrite the configuration file.",
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{evaluate, table};
    use std::os::unix::fs::{MetadataExt, symlink};

    #[test]
    fn the_file_is_replaced_whole_where_it_is_linked_to_and_who_could_read_it_still_can() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("redis.conf");
        std::fs::write(&file, "# mine\nport 7000\n").unwrap();
        let mode = || std::fs::metadata(&file).unwrap().mode();
        let before = mode();
        let path = directory.path().join("link");
        symlink(&file, &path).unwrap();
        let mut values = evaluate(&[]).unwrap();
        values[table::number("port").unwrap()] = "7001".to_owned();
        rewrite_at(&path, &values).unwrap();
        assert_eq!(
            std::fs::read_to_string(&file).unwrap(),
            "# mine\nport 7001\n"
        );
        assert_eq!(mode(), before);
        assert!(path.is_symlink());
    }
}
