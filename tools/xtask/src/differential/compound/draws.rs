//! What a server may choose: random keys, members and fields, of which all that is asked is
//! that the other has them too.
//!
//! Owns nothing. Runs on a session outside of a transaction.

use super::disagree;
use crate::differential::DifferentialError;
use crate::differential::generator::Generator;
use crate::differential::pair::{Pair, Session};
use crate::differential::resp::{Reply, command};
use std::collections::BTreeSet;

/// A random key of one side is a key of both, of the same type.
pub(super) fn random_key(pair: &mut Pair, session: &mut Session) -> Result<(), DifferentialError> {
    let asked = command(&["RANDOMKEY"]);
    let replies = pair.ask(session, &asked)?;
    let parsed = [Reply::parse(&replies[0]), Reply::parse(&replies[1])];
    match parsed {
        [Some(Reply::Bulk(one)), Some(Reply::Bulk(other))] => {
            for key in [one, other] {
                let key = vec![b"EXISTS".to_vec(), key];
                let exists = pair.ask(session, &key)?;
                if exists.iter().any(|reply| reply != b":1\r\n") {
                    return Err(disagree(pair, "a random key is none", &key, &exists));
                }
            }
            Ok(())
        }
        [one, other] if one == other => Ok(()),
        _ => Err(disagree(pair, "RANDOMKEY", &asked, &replies)),
    }
}

/// Random members of Thermocline are members of Valkey.
pub(super) fn random_members(
    generator: &mut Generator,
    pair: &mut Pair,
    session: &mut Session,
) -> Result<(), DifferentialError> {
    let (name, slot, has) = [
        ("SRANDMEMBER", "set", "SMISMEMBER"),
        ("SRANDMEMBER", "bigset", "SMISMEMBER"),
        ("ZRANDMEMBER", "zset", "ZMSCORE"),
        ("ZRANDMEMBER", "bigzset", "ZMSCORE"),
    ][generator.random().below(4) as usize];
    let key = generator.word(slot);
    let count = (generator.random().below(60) as i64 - 20).to_string();
    let mut asked = vec![name.as_bytes().to_vec(), key.clone()];
    asked.extend(command(&[&count]));
    let replies = pair.ask(session, &asked)?;
    let parsed = [Reply::parse(&replies[0]), Reply::parse(&replies[1])];
    let [Some(one), Some(other)] = parsed else {
        return Err(disagree(pair, name, &asked, &replies));
    };
    let found = other.elements();
    if one.elements().len() != found.len() || one.is_error() && one != other {
        return Err(disagree(pair, name, &asked, &replies));
    }
    let different: BTreeSet<_> = found.iter().collect();
    if !count.starts_with('-') && different.len() != found.len() {
        return Err(disagree(pair, "a member is repeated", &asked, &replies));
    }
    if found.is_empty() {
        return Ok(());
    }
    // Both sides answer alike, and no answer is "no".
    let mut question = vec![has.as_bytes().to_vec(), key];
    question.extend(found.iter().map(|member| member.bytes().to_vec()));
    let answers = pair.ask(session, &question)?;
    let absent = |raw: &Vec<u8>| {
        let parsed = Reply::parse(raw);
        let answers = parsed.as_ref().map(Reply::elements).unwrap_or_default();
        answers.len() != found.len()
            || answers
                .iter()
                .any(|one| matches!(one, Reply::Line(line) if line == b":0\r\n" || line == b"_\r\n" || line == b"$-1\r\n"))
    };
    if answers[0] != answers[1] || answers.iter().any(absent) {
        return Err(disagree(pair, "a member is made up", &question, &answers));
    }
    Ok(())
}

/// Random fields of Thermocline, with their values, are fields of Valkey.
pub(super) fn random_fields(
    generator: &mut Generator,
    pair: &mut Pair,
    session: &mut Session,
) -> Result<(), DifferentialError> {
    let slot = if generator.random().chance(2) {
        "hash"
    } else {
        "bighash"
    };
    let key = generator.word(slot);
    let count = (generator.random().below(60) as i64 - 20).to_string();
    let mut asked = vec![b"HRANDFIELD".to_vec(), key.clone()];
    asked.extend(command(&[&count, "WITHVALUES"]));
    let replies = pair.ask(session, &asked)?;
    let parsed = [Reply::parse(&replies[0]), Reply::parse(&replies[1])];
    let [Some(one), Some(other)] = parsed else {
        return Err(disagree(pair, "HRANDFIELD", &asked, &replies));
    };
    let (ones, others) = (flat(&one), flat(&other));
    if ones.len() != others.len() || one.is_error() && one != other {
        return Err(disagree(pair, "HRANDFIELD", &asked, &replies));
    }
    let fields: BTreeSet<_> = others.iter().step_by(2).collect();
    if !count.starts_with('-') && fields.len() * 2 != others.len() {
        return Err(disagree(
            pair,
            "HRANDFIELD repeats a field",
            &asked,
            &replies,
        ));
    }
    for pair_of in others.chunks(2) {
        let [field, value] = pair_of else { continue };
        let get = vec![b"HGET".to_vec(), key.clone(), field.bytes().to_vec()];
        let [valkey, _] = pair.ask(session, &get)?;
        if Reply::parse(&valkey).as_ref() != Some(value) {
            return Err(disagree(
                pair,
                "HRANDFIELD made a field up",
                &asked,
                &replies,
            ));
        }
    }
    Ok(())
}

/// The elements, and those of inner pairs in RESP3, in one list.
fn flat(reply: &Reply) -> Vec<Reply> {
    let elements = reply.elements().iter();
    let inner = elements.flat_map(|element| match element {
        Reply::Aggregate(_, inner) => inner.clone(),
        other => vec![other.clone()],
    });
    inner.collect()
}

/// What SPOP takes is for the server to choose, unless there is only one.
pub(super) fn pop_the_only_member(
    generator: &mut Generator,
    pair: &mut Pair,
    session: &mut Session,
) -> Result<(), DifferentialError> {
    let key = b"t:one".to_vec();
    let on = |name: &str, words: &[Vec<u8>]| {
        let mut line = vec![name.as_bytes().to_vec(), key.clone()];
        line.extend_from_slice(words);
        line
    };
    let count = if generator.random().chance(2) {
        vec![b"1".to_vec()]
    } else {
        Vec::new()
    };
    let member = generator.word("member");
    pair.exchange(
        session,
        &[
            on("DEL", &[]),
            on("SADD", &[member]),
            on("SPOP", &count),
            on("EXISTS", &[]),
        ],
    )
    .map(|_| ())
}
