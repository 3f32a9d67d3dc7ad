//! `import`: append-only files into a new directory.
//!
//! Owns the order of files and what becomes of each request: the executor of the
//! daemon runs it, so a command means here what it means there. The wall clock
//! shows the latest time that the files have told: nothing expires before the files
//! say so, as while the servers load them. One thread, beside the store's own.

use crate::aof::{self, AofError, Item, RequestReader};
use crate::arguments::Import;
use crate::failure::{Failure, Outcome};
use crate::filter::{Filter, database_here, no_such_database};
use crate::input::{self, Beside};
use crate::place::Place;
use crate::rdb::{RdbReader, is_magic};
use crate::report::{Rate, count};
use crate::target::{self, Target};
use crate::{pipeline, progress};
use indicatif::ProgressBar;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use thermocline_base::{Clock, Random, UnixMillis};
use thermocline_commands::executor::{Call, Executor};
use thermocline_commands::reply::{ReplyBuffer, Version};
use thermocline_commands::table;
use thermocline_store::FaultSet;
use thermocline_types::Limits;

/// What the clock shows at first: before anything that expires.
const FIRST_TIME: UnixMillis = UnixMillis(1);

/// Runs the command.
pub(crate) fn run(arguments: &Import, messages: &mut dyn Write) -> Result<Outcome, Failure> {
    let files = aof::find_files(&arguments.source)?;
    target::check_new(&arguments.directory)?;
    let mut size_bytes = 0;
    for file in &files {
        let metadata = file.path.metadata().map_err(|source| Failure::File {
            path: file.path.clone(),
            source,
        })?;
        size_bytes += metadata.len();
    }
    let rate = Rate::start();
    let clock = Clock::standing(FIRST_TIME);
    let target = Target::open_at(&arguments.directory, clock.clone())?;
    let mut import = Replay {
        target,
        clock,
        random: Random::new(target::seed(3)),
        limits: target::limits(),
        bar: progress::bytes("import", Some(size_bytes)),
        database: 0,
        transaction: None,
        until_s: arguments.to_time.map(|at| at.0.div_euclid(1000)),
        skip_modules: arguments.skip_modules,
        skip_functions: arguments.skip_functions,
        is_past_until: false,
        told: Told::default(),
    };
    let imported = import.files(&files);
    import.bar.finish_and_clear();
    let Replay { target, told, .. } = import;
    let counts = target.close(imported.is_ok())?;
    imported?;
    write!(messages, "{} of RDB, ", count(counts.restored, "key"))?;
    let requests = count(told.requests, "request");
    writeln!(messages, "{requests} replayed; {}", rate.of(size_bytes))?;
    told.write(messages)?;
    Ok(Outcome::of(0))
}

/// What is to be told in the end.
#[derive(Default)]
struct Told {
    requests: u64,
    beside: Beside,
    /// Requests that change nothing here: PUBLISH and scripts.
    skipped: u64,
    cut: Option<String>,
}

impl Told {
    fn write(&self, messages: &mut dyn Write) -> Result<(), Failure> {
        if let Some(cut) = &self.cut {
            writeln!(messages, "{cut}")?;
        }
        if self.skipped > 0 {
            writeln!(
                messages,
                "{} of scripts or channels skipped: a directory does not hold them",
                count(self.skipped, "request")
            )?;
        }
        if self.beside.modules > 0 {
            let modules = count(self.beside.modules, "value");
            writeln!(messages, "{modules} of modules skipped")?;
        }
        Ok(())
    }
}

/// A request and where it begins.
type Placed = (u64, Vec<Vec<u8>>);

struct Replay {
    target: Target,
    clock: Clock,
    random: Random,
    limits: Limits,
    bar: ProgressBar,
    /// The one that was selected, which need not be there here.
    database: u64,
    /// The requests since MULTI, and where it stands.
    transaction: Option<(u64, Vec<Placed>)>,
    until_s: Option<i64>,
    skip_modules: bool,
    skip_functions: bool,
    is_past_until: bool,
    told: Told,
}

impl Replay {
    fn files(&mut self, files: &[aof::AofFile]) -> Result<(), Failure> {
        for (number, file) in files.iter().enumerate() {
            if self.is_past_until {
                break;
            }
            let is_last = number + 1 == files.len();
            self.database = 0;
            self.file(&file.path, is_last)?;
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, is_last: bool) -> Result<(), Failure> {
        let failed = |source| Failure::File {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(failed)?;
        let mut reader = BufReader::with_capacity(1 << 20, file);
        if !is_magic(reader.fill_buf().map_err(failed)?) {
            return self.requests(path, reader, 0, is_last);
        }
        let rdb = RdbReader::new(reader).map_err(|error| in_rdb(path, error))?;
        let (offset, read, rest) = self.rdb(path, rdb)?;
        let rest = BufReader::new(io::Cursor::new(read).chain(rest));
        self.requests(path, rest, offset, is_last)
    }

    /// The keys of an RDB file; what comes after them, and at which offset.
    fn rdb<R: Read + Send>(
        &mut self,
        path: &Path,
        mut reader: RdbReader<R>,
    ) -> Result<(u64, Vec<u8>, R), Failure> {
        let filter = Filter::default();
        let mut beside = Beside::default();
        let (target, limits, bar) = (&mut self.target, &self.limits, &self.bar);
        let (skip_modules, skip_functions) = (self.skip_modules, self.skip_functions);
        pipeline::run(
            |emit| {
                let mut progress = |bytes| bar.inc(bytes);
                beside = input::rdb_batches(&mut reader, skip_modules, &mut progress, emit)?;
                Ok(())
            },
            |batch| input::decode(&batch, &filter, limits),
            |decoded| {
                for library in decoded.libraries.iter().filter(|_| !skip_functions) {
                    target.put_library(library, true)?;
                }
                target.put(decoded.keys, true)
            },
        )
        .map_err(|failure| match failure {
            Failure::Rdb(error) => in_rdb(path, error),
            other => other,
        })?;
        self.told.beside.modules += beside.modules;
        let offset = reader.offset();
        let (read, rest) = reader.into_rest();
        Ok((offset, read, rest))
    }

    fn requests(
        &mut self,
        path: &Path,
        reader: impl BufRead,
        offset: u64,
        is_last: bool,
    ) -> Result<(), Failure> {
        let mut reader = RequestReader::new(reader, offset);
        let mut told = offset;
        loop {
            let begun = reader.offset();
            if begun - told > 1 << 20 {
                self.bar.inc(begun - told);
                told = begun;
            }
            match reader.next_item() {
                Ok(None) => break,
                Ok(Some(Item::Time(seconds))) => {
                    if self.until_s.is_some_and(|until| seconds > until) {
                        self.is_past_until = true;
                        self.told.cut = Some(format!(
                            "{path:?}: stopped at offset {begun}, whose time is {seconds}"
                        ));
                        break;
                    }
                    self.tell_time(seconds.saturating_mul(1000));
                }
                Ok(Some(Item::Request(request))) => self.request(path, begun, request)?,
                Err(AofError::Truncated { begun }) if is_last => {
                    self.told.cut = Some(format!(
                        "{path:?}: cut at offset {begun}: the file ends in the middle of a request"
                    ));
                    break;
                }
                Err(error) => return Err(in_aof(path, error)),
            }
        }
        self.bar.inc(reader.offset() - told);
        match self.transaction.take() {
            Some((begun, _)) if is_last => {
                self.told.cut = Some(format!(
                    "{path:?}: cut at offset {begun}: the transaction there has no end"
                ));
                Ok(())
            }
            Some((begun, _)) => Err(in_aof(path, AofError::Truncated { begun })),
            None => Ok(()),
        }
    }

    /// The files have told a time; one that is still to come is not believed.
    fn tell_time(&self, at_ms: i64) {
        let now = Clock::system().now();
        self.clock.move_to(UnixMillis(at_ms).min(now));
    }

    fn request(&mut self, path: &Path, offset: u64, request: Vec<Vec<u8>>) -> Result<(), Failure> {
        let name = request.first().map(|name| name.to_ascii_lowercase());
        match name.as_deref().unwrap_or_default() {
            b"multi" => {
                self.transaction = Some((offset, Vec::new()));
                Ok(())
            }
            b"exec" => {
                let (_, requests) = self.transaction.take().unwrap_or_default();
                for (offset, request) in requests {
                    self.run(path, offset, &request)?;
                }
                Ok(())
            }
            _ => match &mut self.transaction {
                Some((_, requests)) => {
                    requests.push((offset, request));
                    Ok(())
                }
                None => self.run(path, offset, &request),
            },
        }
    }

    /// FUNCTION, whose every form that changes libraries is in the files.
    fn function(&mut self, path: &Path, offset: u64, request: &[Vec<u8>]) -> Result<(), Failure> {
        if self.skip_functions {
            return Ok(());
        }
        let words: Vec<&[u8]> = request.iter().map(Vec::as_slice).collect();
        let ran = self.target.function(Place::Offset(offset), &words);
        self.told.requests += 1;
        ran.map_err(|failure| match failure {
            Failure::Refused { reason, .. } => Failure::Request {
                path: path.to_owned(),
                offset,
                reason,
            },
            other => other,
        })
    }

    fn run(&mut self, path: &Path, offset: u64, request: &[Vec<u8>]) -> Result<(), Failure> {
        let refused = |reason: String| Failure::Request {
            path: path.to_owned(),
            offset,
            reason,
        };
        let name = request.first().map(|name| name.to_ascii_lowercase());
        match name.as_deref().unwrap_or_default() {
            b"select" => {
                let number = request.get(1).and_then(|it| std::str::from_utf8(it).ok());
                let number = number.and_then(|it| it.parse().ok());
                let reason = || "SELECT of what is no number of a database".to_owned();
                self.database = number.ok_or_else(|| refused(reason()))?;
                return Ok(());
            }
            b"publish" | b"spublish" | b"script" | b"ping" => {
                self.told.skipped += 1;
                return Ok(());
            }
            b"function" => return self.function(path, offset, request),
            _ => {}
        }
        let command = table::resolve(request).map_err(|error| {
            let mut reply = ReplyBuffer::new(Version::Two);
            reply.refuse(&error);
            refused(text(&reply.as_bytes()))
        })?;
        if !Executor::handles(command) {
            let name = text(request.first().map_or(&b""[..], Vec::as_slice));
            return Err(refused(format!("the command {name} is not known here")));
        }
        let arguments: Vec<&[u8]> = request.iter().map(Vec::as_slice).collect();
        if command.name == "xclaim"
            && let Some(at_ms) = claim_time(&arguments)
        {
            self.tell_time(at_ms);
        }
        let database = database_here(self.database).ok_or_else(|| {
            let key = request.get(1).map_or(&b""[..], Vec::as_slice);
            refused(no_such_database(self.database, key))
        })?;
        let call = Call {
            command,
            database,
            arguments: &arguments,
        };
        self.target.admit(Place::Offset(offset))?;
        let mut reply = ReplyBuffer::new(Version::Two);
        let mut faults = FaultSet::new();
        while let Err(fault) = self
            .target
            .executor
            .run(call, &mut reply, &faults, &mut self.random)
        {
            self.target.satisfy(fault, &mut faults)?;
        }
        self.told.requests += 1;
        if reply.as_bytes().starts_with(b"-") {
            return Err(refused(text(&reply.as_bytes())));
        }
        Ok(())
    }
}

/// When the entries of an XCLAIM were delivered, which was before it was written.
fn claim_time(arguments: &[&[u8]]) -> Option<i64> {
    let mut options = arguments.iter().skip(5);
    options.find(|word| word.eq_ignore_ascii_case(b"time"))?;
    let text = std::str::from_utf8(options.next()?).ok()?;
    text.parse().ok()
}

fn text(reply: &[u8]) -> String {
    reply.trim_ascii().escape_ascii().to_string()
}

fn in_rdb(path: &Path, error: crate::rdb::RdbFileError) -> Failure {
    Failure::InFile {
        path: path.to_owned(),
        source: Box::new(error),
    }
}

fn in_aof(path: &Path, error: AofError) -> Failure {
    Failure::InFile {
        path: path.to_owned(),
        source: Box::new(error),
    }
}
