//! Clients that wait for keys, and one that brings or takes them.
//!
//! Owns these connections and their keys, new ones for each operation. Who waits is sent
//! before what it waits for, one after the other, so that both servers serve in one order.

use super::disagree;
use crate::differential::DifferentialError;
use crate::differential::generator::Generator;
use crate::differential::grammar::Template;
use crate::differential::pair::{Pair, Session};
use crate::differential::resp::{Command, command};
use std::time::{Duration, Instant};
use thermocline_base::Random;

/// The numbers told for connections: the first that waits, and the one that acts.
const WAITING: usize = 91;
const ACTOR: usize = 90;
/// How many wait at most.
const WAITING_MAX: u64 = 3;
/// Their keys.
const KEYS: [&str; 3] = ["w:0", "w:1", "w:2"];
/// How long a server may take until clients wait.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks.
const POLL: Duration = Duration::from_millis(1);

/// What may wait. It would for longer than a run takes: whoever is not served is unblocked.
const WAITS: &[&str] = &[
    "( blpop | brpop ) { $w } ( 0 | 1000 )",
    "blmove $w $w ( left | right ) ( left | right ) 0",
    "brpoplpush $w $w 1000.5",
    "blmpop 0 #{ $w } ( left | right ) [ count $num ]",
    "( bzpopmin | bzpopmax ) { $w } ( 0 | 1000 )",
    "bzmpop 0 #{ $w } ( min | max ) [ count ( 1 | 2 ) ]",
    "xread [ count 1 ] block 0 streams $w ( $last | 0 | 5-1 )",
    "xread block 100000 streams w:0 w:1 $last 0",
    "xreadgroup group g c block 0 [ noack ] streams $w >",
];
/// What the other does meanwhile.
const ACTS: &[&str] = &[
    "( rpush | lpush ) $w { $element }",
    "( rpush | lpush ) $w { $element }",
    "zadd $w { $score $member }",
    "zadd $w { $score $member }",
    "xadd $w $newid $field $val",
    "xadd $w $newid $field $val",
    "( lmove | blmove ) $list $w left right",
    "linsert $w before a b",
    "( lpop | rpop | del | unlink ) $w",
    "set $w $val",
    "( rename | renamenx ) $key $w",
    "copy $key $w replace",
    "( zunionstore | zdiffstore ) $w 1 $zset",
    "sort $biglist alpha limit 0 2 store $w",
    "( xgroup destroy $w g | xgroup create $w g 0 mkstream )",
    "eval return{redis.call('rpush',KEYS[1],'a','b'),redis.call('lpop',KEYS[1])} 1 $w",
    "eval redis.call('zadd',KEYS[1],1,'a')redis.call('set',KEYS[2],'x') 2 $w $w",
    "eval redis.call('del',KEYS[1])redis.call('xadd',KEYS[1],'90-1','a','b') 1 $w",
    "( multi | exec )",
];

/// One to three clients wait; what they are served, and in which order, is the same.
pub(super) fn wait(generator: &mut Generator, pair: &mut Pair) -> Result<(), DifferentialError> {
    let mut actor = pair.session(ACTOR)?;
    let delete = command(&[&["DEL"], &KEYS[..]].concat());
    let mut prepare = vec![delete.clone()];
    prepare.extend(KEYS.map(|key| command(&["XGROUP", "CREATE", key, "g", "$", "MKSTREAM"])));
    // Lists and sorted sets are waited for where there is nothing, groups of streams only there.
    let is_of_groups = generator.random().chance(4);
    if is_of_groups {
        pair.exchange(&mut actor, &prepare)?;
    } else {
        pair.exchange(&mut actor, &prepare[..1])?;
    }
    let mut waiting: Vec<(Session, Command, [Vec<u8>; 2])> = Vec::new();
    for number in 0..1 + generator.random().below(WAITING_MAX) {
        let mut session = pair.session(WAITING + number as usize)?;
        let ids = pair.ask(&mut session, &command(&["CLIENT", "ID"]))?;
        let ids = ids.map(|id| id.trim_ascii().strip_prefix(b":").unwrap_or(&id).to_vec());
        let made = expand(
            generator,
            if is_of_groups {
                &WAITS[6..]
            } else {
                &WAITS[..8]
            },
        );
        let before = blocked_clients(pair, &mut actor)?;
        pair.begin(&mut session, std::slice::from_ref(&made))?;
        settle(pair, &mut actor, before, (&session, &made))?;
        waiting.push((session, made, ids));
    }
    let count = 1 + generator.random().below(5);
    for _ in 0..count {
        let act = expand(generator, ACTS);
        let stored = stored(&act).map(|key| vec![b"DEL".to_vec(), key]);
        let acts: Vec<Command> = stored.into_iter().chain([act]).collect();
        pair.exchange(&mut actor, &acts)?;
    }
    if actor.in_transaction() {
        pair.exchange(&mut actor, &[command(&["EXEC"])])?;
    }
    let how = ["TIMEOUT", "ERROR"][generator.random().below(2) as usize];
    for (session, made, ids) in &mut waiting {
        let unblock = ids.each_ref().map(|id| {
            let mut unblock = command(&["CLIENT", "UNBLOCK"]);
            unblock.push(id.clone());
            unblock.push(how.as_bytes().to_vec());
            unblock
        });
        let is_waiting = pair.ask_each(&mut actor, unblock.each_ref())?;
        let served = pair.receive(session, made)?;
        let what = "a client that waited";
        if is_waiting[0] != is_waiting[1] || served[0] != served[1] {
            let sides =
                [0, 1].map(|side| [&*served[side], b" unblocked ", &is_waiting[side]].concat());
            return Err(disagree(pair, what, made, &sides));
        }
    }
    pair.exchange(&mut actor, &[delete]).map(|_| ())
}

/// The key that the result of the command takes: if it holds something, even of another type,
/// Valkey does not tell those who wait for it.
fn stored(act: &Command) -> Option<Vec<u8>> {
    match act[0].as_slice() {
        b"sort" => act.last().cloned(),
        b"zunionstore" | b"zdiffstore" => act.get(1).cloned(),
        _ => None,
    }
}

/// Waits until both servers have as many clients that wait, and each has met the last of them:
/// it waits too, or it has its reply. `before` are those that waited before it.
fn settle(
    pair: &mut Pair,
    actor: &mut Session,
    before: [u64; 2],
    (session, made): (&Session, &Command),
) -> Result<(), DifferentialError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let blocked = blocked_clients(pair, actor)?;
        let replied = pair.have_sent(session, made)?;
        let is_met = [0, 1].map(|side| replied[side] || blocked[side] > before[side]);
        if blocked[0] == blocked[1] && is_met == [true; 2] {
            return Ok(());
        }
        if Instant::now() > deadline {
            let sides = blocked.map(|count| format!("{count} wait").into_bytes());
            return Err(disagree(pair, "the clients that wait", made, &sides));
        }
        std::thread::sleep(POLL);
    }
}

fn blocked_clients(pair: &mut Pair, actor: &mut Session) -> Result<[u64; 2], DifferentialError> {
    let texts = pair.ask(actor, &command(&["INFO", "clients"]))?;
    Ok(texts.map(|text| {
        let text = String::from_utf8_lossy(&text);
        let mut lines = text.lines();
        let count = lines.find_map(|line| line.strip_prefix("blocked_clients:"));
        count.and_then(|count| count.parse().ok()).unwrap_or(0)
    }))
}

fn expand(generator: &mut Generator, texts: &[&'static str]) -> Command {
    let template = Template::new(texts[generator.random().below(texts.len() as u64) as usize]);
    let mut choices = Random::new(generator.random().next_u64());
    template.expand(&mut choices, &mut |random, slot| match slot {
        "w" => KEYS[random.below(KEYS.len() as u64) as usize].into(),
        slot => generator.word(slot),
    })
}
