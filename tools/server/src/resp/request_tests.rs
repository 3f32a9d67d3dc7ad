//! Tests of the request decoder: hostile inputs and cuts anywhere. One thread.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

use proptest::prelude::*;

use super::*;

/// Feeds `stream` in pieces ending at `cuts`; all requests, then the error.
fn run(
    stream: &[u8],
    cuts: &[usize],
    limits: &Limits,
) -> (Vec<Vec<Vec<u8>>>, Option<ProtocolError>) {
    let mut decoder = Decoder::new();
    let (mut requests, mut start) = (Vec::new(), 0);
    let mut ends: Vec<usize> = cuts.iter().map(|&c| c.min(stream.len())).collect();
    ends.push(stream.len());
    ends.sort_unstable();
    for end in ends {
        loop {
            let mut arguments = Vec::new();
            let step = match decoder.decode(&stream[start..end], limits, &mut arguments) {
                Err(error) => return (requests, Some(error)),
                Ok(Decoded::Incomplete { needed }) => {
                    assert!(needed > 0);
                    0
                }
                Ok(Decoded::Empty { consumed }) => consumed,
                Ok(Decoded::Request { bytes, consumed }) => {
                    requests.push(arguments.into_iter().map(|r| bytes[r].to_vec()).collect());
                    consumed
                }
            };
            assert!(decoder.held_bytes() <= 4096 + 16 * stream.len());
            if step == 0 {
                break;
            }
            start += step;
        }
    }
    (requests, None)
}

#[test]
fn hostile_inputs_have_the_exact_error() {
    let long = |prefix: &str| [prefix.as_bytes(), &[b'1'; 65_537]].concat();
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"*abc\r\n".to_vec(), "invalid multibulk length"),
        (b"*\r\n".to_vec(), "invalid multibulk length"),
        (b"*+1\r\n".to_vec(), "invalid multibulk length"),
        (b"*01\r\n".to_vec(), "invalid multibulk length"),
        (b"*-0\r\n".to_vec(), "invalid multibulk length"),
        (b"*2147483648\r\n".to_vec(), "invalid multibulk length"),
        (
            b"*99999999999999999999\r\n".to_vec(),
            "invalid multibulk length",
        ),
        (b"*1\r\n:3\r\n".to_vec(), "expected '$', got ':'"),
        (b"*1\r\n\r\n".to_vec(), "expected '$', got '\r'"),
        (b"*1\r\n$-1\r\n".to_vec(), "invalid bulk length"),
        (b"*1\r\n$\r\n".to_vec(), "invalid bulk length"),
        (b"*1\r\n$536870913\r\n".to_vec(), "invalid bulk length"),
        (b"*1\r\n$4\r\nPINGxx".to_vec(), "invalid CRLF in request"),
        (b"*1\rX$4\r\n".to_vec(), "invalid CRLF in request"),
        (b"\"unb\r\n".to_vec(), "unbalanced quotes in request"),
        (long("a"), "too big inline request"),
        (
            [b"a\0\n".as_slice(), &long("")].concat(),
            "too big inline request",
        ),
        (long("*"), "too big mbulk count string"),
        (long("*1\r\n$"), "too big bulk count string"),
        (long("*1\r\n"), "too big bulk count string"),
    ];
    for (input, text) in cases {
        let error = run(&input, &[], &Limits::default()).1.unwrap();
        assert_eq!(error.to_string(), format!("Protocol error: {text}"));
    }
}

#[test]
fn unauthenticated_clients_are_held_short() {
    let limits = Limits {
        unauthenticated: true,
        ..Limits::default()
    };
    let error = |input: &[u8]| run(input, &[], &limits).1;
    assert_eq!(error(b"*10\r\n"), None);
    assert_eq!(error(b"*11\r\n"), Some(ProtocolError::UnauthenticatedCount));
    assert_eq!(error(b"*1\r\n$16384\r\n"), None);
    assert_eq!(
        error(b"*1\r\n$16385\r\n"),
        Some(ProtocolError::UnauthenticatedBulk)
    );
    assert_eq!(
        error(b"*1\r\n$600000000\r\n"),
        Some(ProtocolError::InvalidBulk)
    );
}

#[test]
fn empty_requests_are_skipped_and_inline_ones_split() {
    let stream = b"*-5\r\n*0\r\n\r\n   \r\nPING\nSET 'a b' \"\\x41\"\r\n*1\r\n$0\r\n\r\n";
    let expected: Vec<Vec<Vec<u8>>> = vec![
        vec![b"PING".to_vec()],
        vec![b"SET".to_vec(), b"a b".to_vec(), b"A".to_vec()],
        vec![vec![]],
    ];
    assert_eq!(run(stream, &[], &Limits::default()), (expected, None));
}

#[test]
fn a_line_at_the_limit_is_taken() {
    let line = [vec![b'a'; 65_535], b"\n".to_vec()].concat();
    assert_eq!(run(&line, &[], &Limits::default()).0.len(), 1);
}

#[test]
fn a_missing_body_says_how_much_is_missing() {
    let mut decoder = Decoder::new();
    let mut arguments = Vec::new();
    let decoded = decoder.decode(b"*1\r\n$10\r\nabc", &Limits::default(), &mut arguments);
    assert_eq!(decoded, Ok(Decoded::Incomplete { needed: 9 }));
}

proptest! {
    #[test]
    fn cuts_do_not_change_requests(
        requests in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..12), 1..4),
        cuts in prop::collection::vec(0usize..600, 0..20),
    ) {
        let mut stream = Vec::new();
        for request in &requests {
            stream.extend(format!("*{}\r\n", request.len()).bytes());
            for argument in request {
                stream.extend(format!("${}\r\n", argument.len()).bytes());
                stream.extend(argument);
                stream.extend(b"\r\n");
            }
        }
        prop_assert_eq!(run(&stream, &cuts, &Limits::default()), (requests, None));
    }

    #[test]
    fn arbitrary_bytes_decode_alike_however_cut(
        stream in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"*$\r\n0123\"' ".to_vec())], 0..300),
        cuts in prop::collection::vec(0usize..300, 0..20),
    ) {
        let limits = Limits { line_bytes: 32, arguments: 20, bulk_bytes: 50, unauthenticated: false };
        prop_assert_eq!(run(&stream, &cuts, &limits), run(&stream, &[], &limits));
    }
}
