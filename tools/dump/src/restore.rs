//! `restore`: the keys of a file into a directory.
//!
//! Owns the two passes over a file: the first only checks, so that a bad line or
//! a wrong CRC is found before anything is written. A stream can be read only
//! once. One thread reads, some decode, this one writes.
//!
//! Stopped halfway, the directory holds some of the keys; the same command then
//! goes on, since keys that are there are left as they are.

use crate::arguments::Restore;
use crate::failure::{Failure, Outcome};
use crate::input::{self, Beside, Input};
use crate::report::{Rate, count};
use crate::target::{self, Target};
use crate::{pipeline, progress};
use std::io::Write;

/// Runs the command.
pub(crate) fn run(arguments: &Restore, messages: &mut dyn Write) -> Result<Outcome, Failure> {
    let limits = target::limits();
    let path = &arguments.file;
    if path.is_dir() {
        return crate::copy::run(arguments, messages);
    }
    if arguments.to_lsn.is_some() || arguments.log.is_some() {
        return Err(Failure::NoData {
            directory: path.clone(),
            reason: "--to-lsn and --log need a data directory to restore from",
        });
    }
    let (mut input, size) = input::open(path)?;
    if size.is_some() {
        check(arguments, input, size)?;
        (input, _) = input::open(path)?;
    }
    target::check_directory(&arguments.directory)?;
    let rate = Rate::start();
    let mut target = Target::open(&arguments.directory)?;
    let bar = progress::bytes("restore", size);
    let mut beside = Beside::default();
    let mut read_bytes = 0;
    let restored = pipeline::run(
        |emit| {
            let mut progress = |bytes| {
                read_bytes += bytes;
                bar.inc(bytes);
            };
            beside = input.batches(path, arguments.skip_modules, &mut progress, emit)?;
            Ok(())
        },
        |batch| input::decode(&batch, &arguments.filter, &limits),
        |keys| target.put(keys, arguments.replace),
    );
    bar.finish_and_clear();
    let counts = target.close(restored.is_ok())?;
    restored?;
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
    writeln!(messages, "; {}", rate.of(read_bytes))?;
    tell(beside, messages)?;
    Ok(Outcome::Intact)
}

/// Reads the file as far as that can be done without a place for its keys.
fn check(arguments: &Restore, input: Input, size: Option<u64>) -> Result<(), Failure> {
    let limits = target::limits();
    let bar = progress::bytes("check", size);
    let is_rdb = input.is_rdb();
    let checked = pipeline::run(
        |emit| {
            let mut progress = |bytes| bar.inc(bytes);
            input
                .batches(
                    &arguments.file,
                    arguments.skip_modules,
                    &mut progress,
                    // The CRC vouches for the values of an RDB file.
                    &mut |batch| is_rdb || emit(batch),
                )
                .map(|_| ())
        },
        |batch| input::decode(&batch, &arguments.filter, &limits).map(|_| ()),
        |()| Ok(()),
    );
    bar.finish_and_clear();
    checked
}

/// Tells what of the input is not in the directory.
fn tell(beside: Beside, messages: &mut dyn Write) -> Result<(), Failure> {
    if beside.functions > 0 {
        let libraries = count_of(beside.functions, "library", "libraries");
        writeln!(
            messages,
            "{libraries} of functions skipped: a directory does not hold them"
        )?;
    }
    if beside.modules > 0 {
        let values = count(beside.modules, "value");
        writeln!(messages, "{values} of modules skipped")?;
    }
    if beside.lacks_crc {
        writeln!(messages, "the file has no CRC: damage would not have shown")?;
    }
    Ok(())
}

fn count_of(count: u64, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}
