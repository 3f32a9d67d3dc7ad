//! `restore`: the keys of a file into a directory.
//!
//! Owns the two passes over a file: the first only checks, so that a bad line or
//! a wrong CRC is found before anything is written. A stream can be read only
//! once. One thread reads, some decode, this one writes.
//!
//! Stopped halfway, a directory that was there holds some of the keys; the same command then
//! goes on, since keys that are there are left as they are. A new one is not there yet.

use crate::arguments::Restore;
use crate::failure::{Failure, Outcome};
use crate::input::{self, Beside, Input, Library};
use crate::report::{Rate, count, libraries};
use crate::target::{self, Counts, Target};
use crate::{functions, pipeline, progress};
use std::io::Write;
use thermocline_commands::scripts::LIBRARIES_MAX_BYTES;

/// Runs the command.
pub(crate) fn run(arguments: &Restore, messages: &mut dyn Write) -> Result<Outcome, Failure> {
    let limits = target::limits();
    let path = &arguments.file;
    if path.is_dir() {
        return crate::copy::run(arguments, messages);
    }
    if arguments.to_lsn.is_some() || arguments.to_time.is_some() || arguments.log.is_some() {
        return Err(Failure::NoData {
            directory: path.clone(),
            reason: "--to-lsn, --to-time and --log need a data directory to restore from",
        });
    }
    let (mut input, size) = input::open(path)?;
    // Of a file the libraries come first: one that is refused leaves no key behind.
    let mut libraries = None;
    if size.is_some() {
        libraries = Some(check(arguments, input, size)?);
        (input, _) = input::open(path)?;
    }
    target::check_directory(&arguments.directory)?;
    let rate = Rate::start();
    let mut target = Target::open(&arguments.directory)?;
    let bar = progress::bytes("restore", size);
    let mut beside = Beside::default();
    let mut read_bytes = 0;
    let loaded = put_libraries(
        &mut target,
        libraries.as_deref().unwrap_or_default(),
        arguments,
    );
    let restored = loaded.and_then(|()| {
        pipeline::run(
            |emit| {
                let mut progress = |bytes| {
                    read_bytes += bytes;
                    bar.inc(bytes);
                };
                beside = input.batches(path, arguments.skip_modules, &mut progress, emit)?;
                Ok(())
            },
            |batch| input::decode(&batch, &arguments.filter, &limits),
            |decoded| {
                if libraries.is_none() {
                    put_libraries(&mut target, &decoded.libraries, arguments)?;
                }
                target.put(decoded.keys, arguments.replace)
            },
        )
    });
    bar.finish_and_clear();
    let counts = target.close(restored.is_ok())?;
    restored?;
    tell_counts(&counts, messages)?;
    writeln!(messages, "; {}", rate.of(read_bytes))?;
    tell(beside, messages)?;
    Ok(Outcome::Intact)
}

/// Tells what became of keys and libraries, in a line that is not ended.
pub(crate) fn tell_counts(counts: &Counts, messages: &mut dyn Write) -> Result<(), Failure> {
    write!(messages, "{} restored", count(counts.restored, "key"))?;
    if counts.kept > 0 {
        let kept = counts.kept;
        write!(
            messages,
            ", {kept} left as they were (--replace overwrites)"
        )?;
    }
    if counts.expired > 0 {
        write!(messages, ", {} had expired", counts.expired)?;
    }
    if counts.restored_libraries > 0 {
        write!(messages, ", {}", libraries(counts.restored_libraries))?;
    }
    if counts.kept_libraries > 0 {
        let kept = libraries(counts.kept_libraries);
        write!(messages, ", {kept} left as they were")?;
    }
    Ok(())
}

fn put_libraries(
    target: &mut Target,
    libraries: &[Library],
    arguments: &Restore,
) -> Result<(), Failure> {
    if arguments.skip_functions {
        return Ok(());
    }
    let mut libraries = libraries.iter();
    libraries.try_for_each(|library| target.put_library(library, arguments.replace))
}

/// Reads the file as far as that can be done without a place for its keys; its
/// libraries.
fn check(arguments: &Restore, input: Input, size: Option<u64>) -> Result<Vec<Library>, Failure> {
    let limits = target::limits();
    let bar = progress::bytes("check", size);
    let mut libraries = Vec::new();
    let mut libraries_bytes = 0;
    let checked = pipeline::run(
        |emit| {
            let mut progress = |bytes| bar.inc(bytes);
            input
                .batches(&arguments.file, arguments.skip_modules, &mut progress, emit)
                .map(|_| ())
        },
        |batch| input::decode(&batch, &arguments.filter, &limits).map(|decoded| decoded.libraries),
        |found| {
            for library in found {
                libraries_bytes += library.text.len();
                if libraries_bytes > LIBRARIES_MAX_BYTES {
                    return Err(Failure::Library {
                        place: library.place,
                        name: functions::name(&library.text).unwrap_or_default(),
                        reason: format!("all take more than {LIBRARIES_MAX_BYTES} bytes"),
                    });
                }
                libraries.push(library);
            }
            Ok(())
        },
    );
    bar.finish_and_clear();
    checked.map(|()| libraries)
}

/// Tells what of the input is not in the directory.
fn tell(beside: Beside, messages: &mut dyn Write) -> Result<(), Failure> {
    if beside.modules > 0 {
        let values = count(beside.modules, "value");
        writeln!(messages, "{values} of modules skipped")?;
    }
    if beside.lacks_crc {
        writeln!(messages, "the file has no CRC: damage would not have shown")?;
    }
    Ok(())
}
