//! EXEC: many calls under one access, logged as one frame.
//!
//! Owns the order of things that makes a transaction whole. A fault must come
//! before the first call runs, for what ran cannot be taken back:
//!
//! 1. All keys of all calls and all watched keys are named, and the access makes
//!    them resident. If a watched key has changed, that is the end.
//! 2. Calls on whole databases name no keys. All shards are locked for them and
//!    they are *rehearsed*: whatever they may lack then faults before anything has
//!    happened. DBSIZE, the flushes and SWAPDB lack nothing once the store has
//!    settled. KEYS is rehearsed over its whole database. Of SCAN and RANDOMKEY, a
//!    step of the scan is rehearsed that is larger than the real one by as many
//!    keys as the transaction can delete.
//! 3. The keys that SORT's patterns name are guessed from what its key holds and what
//!    earlier calls bring. If there are such that were not named in 1, it all begins
//!    again with them.
//! 4. The calls run. One that faults in spite of this gets an error as its reply.
//!
//! SWAPDB and the flushes count from the next call on. A name means the database
//! that had its number when the access began, and goes with that database where
//! SWAPDB puts it; so names are made through the swaps in front of their call.

use super::route::{Keys, Names, Reach, Route};
use super::{Call, Done, Executor, Handled, Surroundings, Watched};
use crate::arguments::{ScanTarget, parse_cursor, parse_flush, parse_scan, parse_swapdb};
use crate::error::CommandError;
use crate::handlers::{KEYS_STEP, further_keys, further_keys_of};
use crate::reply::{ReplyBuffer, Written};
use std::sync::atomic::Ordering;
use thermocline_base::Random;
use thermocline_base::limits::DATABASE_COUNT;
use thermocline_store::{Access, Fault, FaultSet, KeyName};

/// How often RANDOMKEY draws before it takes the key of a rehearsed scan.
const RANDOM_DRAWS: usize = 8;

/// What the numbers of databases mean while the transaction runs.
pub(super) struct Databases {
    /// The number that each had at first, by the number it has now.
    first_numbers: [u8; DATABASE_COUNT],
    /// Whether it was emptied, by the number it had at first.
    emptied: [bool; DATABASE_COUNT],
}

impl Databases {
    pub(super) fn new() -> Self {
        let mut first_numbers = [0; DATABASE_COUNT];
        for (number, place) in (0..).zip(&mut first_numbers) {
            *place = number;
        }
        Self {
            first_numbers,
            emptied: [false; DATABASE_COUNT],
        }
    }

    /// The number that database `number` had at first.
    pub(super) fn first_number(&self, number: u8) -> u8 {
        let first = self.first_numbers.get(usize::from(number));
        first.copied().unwrap_or(number)
    }

    fn is_emptied(&self, number: u8) -> bool {
        let first = usize::from(self.first_number(number));
        self.emptied.get(first).copied().unwrap_or(false)
    }

    /// Does to the numbers what the call will do to the databases.
    pub(super) fn follow(&mut self, call: &Call<'_>, databases: u32) {
        match (call.command.name, call.arguments) {
            ("swapdb", [_, first, second]) => {
                if let Ok((first, second)) = parse_swapdb(first, second, databases) {
                    self.first_numbers.swap(first.into(), second.into());
                }
            }
            ("flushdb", [_, options @ ..]) if parse_flush(options).is_ok() => {
                let first = usize::from(self.first_number(call.database));
                if let Some(emptied) = self.emptied.get_mut(first) {
                    *emptied = true;
                }
            }
            ("flushall", [_, options @ ..]) if parse_flush(options).is_ok() => {
                self.emptied = [true; DATABASE_COUNT];
            }
            _ => {}
        }
    }
}

/// What stands around a transaction beside the store.
pub trait Beside {
    /// Runs a command that has no handler here; it writes the one reply.
    fn run(&mut self, call: &Call<'_>, reply: &mut ReplyBuffer);
    /// The next of the calls has run, and nothing can take it back. `reply` is its reply.
    /// Whether observers are to be told that it ran: see [`thermocline_store::Change::Aside`].
    fn note(&mut self, reply: Written<'_>) -> bool;
}

/// A call with its route and its keys' places among the names.
struct Step<'c, 'k> {
    call: &'c Call<'k>,
    route: Option<Route>,
    keys: Keys,
    /// The names of the last of its keys, which the request does not tell.
    further: &'c [Box<[u8]>],
}

/// What became of one try at a transaction.
enum Tried {
    Ran(Done),
    /// A watched key has changed.
    Changed,
    /// It has to be tried again with these keys too, call by call.
    Further(Vec<Vec<Box<[u8]>>>),
}

impl Executor {
    /// Runs calls one after another with nothing between them, logged as one
    /// frame; `reply` gets an array of their replies. Entries without a handler
    /// here are asked of `beside`, which is told of all. `None` if a watched
    /// key has changed: nothing ran and nothing was written.
    ///
    /// # Errors
    /// What is missing; nothing was changed or written, and `beside` not called.
    pub fn run_transaction(
        &self,
        calls: &[Call<'_>],
        watched: Option<Watched<'_>>,
        reply: &mut ReplyBuffer,
        faults: &FaultSet,
        random: &mut Random,
        beside: &mut dyn Beside,
    ) -> Result<Option<Done>, Fault> {
        let mut further = vec![Vec::new(); calls.len()];
        loop {
            let tried =
                self.try_transaction(calls, &further, watched, reply, faults, random, beside)?;
            match tried {
                Tried::Further(names) => further = names,
                Tried::Ran(done) => {
                    self.serve_ready(random);
                    return Ok(Some(done));
                }
                Tried::Changed => return Ok(None),
            }
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "those of its one caller, and `further`"
    )]
    fn try_transaction(
        &self,
        calls: &[Call<'_>],
        further: &[Vec<Box<[u8]>>],
        watched: Option<Watched<'_>>,
        reply: &mut ReplyBuffer,
        faults: &FaultSet,
        random: &mut Random,
        beside: &mut dyn Beside,
    ) -> Result<Tried, Fault> {
        let mut names = Names::new();
        let mut databases = Databases::new();
        let mut steps = Vec::with_capacity(calls.len());
        for (call, further) in calls.iter().zip(further) {
            let route = Route::find(call.command);
            let before = names.len();
            if let Some(route) = route {
                let resolve = |number| databases.first_number(number);
                route.add_names(call, resolve, &mut names);
            }
            let database = databases.first_number(call.database);
            names.extend(further.iter().map(|key| KeyName { database, key }));
            let keys = (before..names.len()).collect();
            steps.push(Step {
                call,
                route,
                keys,
                further,
            });
            databases.follow(call, self.store.settings().databases());
        }
        let whole = steps
            .iter()
            .any(|step| step.route.is_some_and(|route| route.reach.is_whole()));
        names.extend(
            watched
                .iter()
                .flat_map(|watched| watched.names.iter().copied()),
        );
        let mut access = Access::new(&self.store, &names);
        access.acquire(faults, whole)?;
        if watched.is_some_and(|watched| watched.changed.load(Ordering::Acquire)) {
            return Ok(Tried::Changed);
        }
        if whole {
            rehearse(&steps, names.len(), &mut access, faults)?;
        }
        if let Some(further) = more_keys(&steps, &access) {
            return Ok(Tried::Further(further));
        }
        reply.array(steps.len());
        for step in &steps {
            let from = reply.len();
            match step.route {
                None => {
                    beside.run(step.call, reply);
                    access.note_aside();
                }
                Some(route) => {
                    let mut surroundings = Surroundings {
                        faults,
                        random,
                        further: step.further,
                        is_nested: false,
                    };
                    self.run_step(route, step, &mut access, reply, &mut surroundings);
                }
            }
            if beside.note(reply.last(from)) {
                access.note_aside();
            }
        }
        let lsn = access.commit();
        Ok(Tried::Ran(Done { lsn }))
    }

    /// Runs a call that may not fault any more.
    fn run_step<'k>(
        &self,
        route: Route,
        step: &Step<'_, 'k>,
        access: &mut Access<'_, 'k>,
        reply: &mut ReplyBuffer,
        surroundings: &mut Surroundings<'_>,
    ) {
        let is_random = step.call.command.name == "randomkey";
        let draws = if is_random { RANDOM_DRAWS } else { 1 };
        for _ in 0..draws {
            let outcome =
                self.run_handler(route, step.call, &step.keys, access, reply, surroundings);
            match outcome {
                Ok(Handled::Replied) => return,
                // Nothing waits within a transaction.
                Ok(Handled::Blocks(block)) => return reply.nil(block.nil),
                Ok(Handled::Further(_)) => break,
                Err(_) => {}
            }
        }
        if is_random {
            // The rehearsal saw to it that the first step finds what it meets.
            let found = access.scan(step.call.database, 0, 1, surroundings.faults);
            if let Some(key) = found.ok().and_then(|(_, keys)| keys.into_iter().next()) {
                return reply.bulk(&key.key);
            }
        }
        reply.refuse(&CommandError::ReadWithinTransaction);
    }
}

/// The keys that calls need beyond those of their requests, if any is not among the
/// names yet. What their elements will be is guessed: those of now, and whatever words
/// earlier calls bring. One that is guessed wrong gets an error as its reply.
fn more_keys(steps: &[Step<'_, '_>], access: &Access<'_, '_>) -> Option<Vec<Vec<Box<[u8]>>>> {
    let mut is_more = false;
    let mut more = Vec::with_capacity(steps.len());
    for (number, step) in steps.iter().enumerate() {
        let reach = step.route.map(|route| route.reach);
        let key = step
            .keys
            .first()
            .filter(|_| reach == Some(Reach::FurtherKeys));
        let mut wanted = Vec::new();
        if let Some(key) = key {
            let arguments = step.call.arguments;
            if let Some(entry) = access.peek(*key) {
                wanted = further_keys_of(arguments, entry.value);
            }
            let before = steps[..number].iter();
            wanted.extend(further_keys(
                arguments,
                before.flat_map(|step| step.call.arguments),
            ));
            wanted.sort_unstable();
            wanted.dedup();
        }
        is_more |= wanted != step.further;
        more.push(wanted);
    }
    is_more.then_some(more)
}

/// Has everything fault that calls on whole databases may lack; `names` is how
/// many keys the transaction can delete at most.
fn rehearse(
    steps: &[Step<'_, '_>],
    names: usize,
    access: &mut Access<'_, '_>,
    faults: &FaultSet,
) -> Result<(), Fault> {
    // Faults unless everything has come up since the start.
    access.database_len(0)?;
    let mut databases = Databases::new();
    for step in steps {
        let call = step.call;
        // An emptied database holds nothing but what the transaction put there.
        if step
            .route
            .is_some_and(|route| route.reach == Reach::Database)
            && !databases.is_emptied(call.database)
        {
            let number = databases.first_number(call.database);
            match (call.command.name, call.arguments) {
                ("keys", _) => scan_all(number, access, faults)?,
                ("randomkey", _) => {
                    access.scan(number, 0, names.saturating_add(1), faults)?;
                }
                ("scan", [_, cursor, options @ ..]) => {
                    let options = parse_scan(options, ScanTarget::Keys);
                    if let (Ok(cursor), Ok(options)) = (parse_cursor(cursor), options) {
                        let count = usize::try_from(options.count).unwrap_or(usize::MAX);
                        access.scan(number, cursor, count.saturating_add(names), faults)?;
                    }
                }
                _ => {}
            }
        }
        databases.follow(call, access.databases());
    }
    Ok(())
}

fn scan_all(database: u8, access: &mut Access<'_, '_>, faults: &FaultSet) -> Result<(), Fault> {
    let mut cursor = 0;
    loop {
        (cursor, _) = access.scan(database, cursor, KEYS_STEP, faults)?;
        if cursor == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table;

    fn follow(databases: &mut Databases, database: u8, line: &str) {
        let arguments: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let command = table::find(&arguments).expect("is a command");
        let call = Call {
            command,
            database,
            arguments: &arguments,
        };
        databases.follow(&call, 16);
    }

    #[test]
    fn numbers_follow_swaps_and_flushes() {
        let mut databases = Databases::new();
        follow(&mut databases, 0, "swapdb 0 1");
        follow(&mut databases, 0, "swapdb 1 2");
        let numbers = [0, 1, 2, 3].map(|number| databases.first_number(number));
        assert_eq!(numbers, [1, 2, 0, 3]);
        // What is database 2 now was 0 at first, and goes on being empty as 5.
        follow(&mut databases, 2, "flushdb");
        follow(&mut databases, 0, "swapdb 2 5");
        let emptied = [0, 1, 2, 5].map(|number| databases.is_emptied(number));
        assert_eq!(emptied, [false, false, false, true]);
        assert_eq!(databases.first_number(5), 0);
    }

    #[test]
    fn refused_requests_are_not_followed() {
        let mut databases = Databases::new();
        follow(&mut databases, 0, "swapdb 0 16");
        follow(&mut databases, 0, "swapdb 0 x");
        follow(&mut databases, 0, "flushall now");
        follow(&mut databases, 0, "flushdb sync async");
        assert!((0..16).all(|number| databases.first_number(number) == number));
        assert!((0..16).all(|number| !databases.is_emptied(number)));
        follow(&mut databases, 0, "flushall async");
        assert!((0..16).all(|number| databases.is_emptied(number)));
    }
}
