//! Tests of the lines: the documented text, round trips, refusals.

use super::*;
use proptest::prelude::*;

fn written(line: &KeyLine) -> String {
    let mut out = Vec::new();
    let key = OfflineKey {
        database: line.database,
        key: &line.key,
        value: line.value.as_ref(),
        expiry: line.expiry,
    };
    write(&mut out, &key).expect("memory takes all");
    String::from_utf8(out).expect("JSON is UTF-8")
}

fn read(bytes: &[u8]) -> Result<KeyLine, String> {
    match super::read(bytes, &Limits::default())? {
        Line::Key(line) => Ok(line),
        Line::Library(text) => panic!("a library: {text:?}"),
    }
}

fn refused(text: &str) -> String {
    read(text.as_bytes()).expect_err(text)
}

#[test]
fn lines_are_written_as_documented_and_read_back_to_the_letter() {
    for text in [
        r#"{"db":0,"key":"k","type":"string","value":"v"}"#,
        r#"{"db":15,"key":"","type":"string","value":"","expires_at_ms":1700000000000}"#,
        r#"{"db":0,"key":{"base64":"/w=="},"type":"string","value":{"base64":"AP8="}}"#,
        r#"{"db":0,"key":"ключ","type":"string","value":"a\"b\\c\n\u0000"}"#,
        r#"{"db":2,"key":"h","type":"hash","value":[["f","v"],["g",{"base64":"/w=="},12]]}"#,
        r#"{"db":2,"key":"s","type":"set","value":["b","a",{"base64":"/w=="}]}"#,
        r#"{"db":2,"key":"z","type":"zset","value":[["b","-inf"],["a","-0"],["c","1.5"],["d","1e+30"]]}"#,
        r#"{"db":2,"key":"s","type":"set","value":["-5","1","20000000000"]}"#,
        r#"{"db":3,"key":"l","type":"list","value":["a","5",{"base64":"/w=="},"a",""]}"#,
        r#"{"db":0,"key":"s","type":"stream","value":{"entries":[],"last_id":"0-0","max_deleted_id":"0-0","entries_added":0,"groups":[]}}"#,
        r#"{"db":0,"key":"s","type":"stream","value":{"entries":[["1-0","f","v"],["7-3","f",{"base64":"/w=="},"n","-12"]],"last_id":"9-0","max_deleted_id":"8-1","entries_added":4,"groups":[{"name":"g","last_id":"7-3","entries_read":-1,"consumers":[{"name":"c","seen_at_ms":5,"active_at_ms":6,"pending":[["1-0",5,1],["8-1",6,2]]},{"name":"d","seen_at_ms":7,"pending":[]}]}]}}"#,
    ] {
        let line = read(text.as_bytes()).expect(text);
        assert_eq!(written(&line), format!("{text}\n"));
    }
}

#[test]
fn a_library_is_a_line_of_its_own() {
    let read = |text: &str| super::read(text.as_bytes(), &Limits::default());
    for (text, line) in [
        (
            &b"#!lua name=l\nx"[..],
            "{\"library\":\"#!lua name=l\\nx\"}\n",
        ),
        (b"\xff", "{\"library\":{\"base64\":\"/w==\"}}\n"),
    ] {
        let mut out = Vec::new();
        write_library(&mut out, text).expect("memory takes all");
        assert_eq!(out, line.as_bytes());
        assert!(matches!(read(line), Ok(Line::Library(it)) if it == text));
    }
    assert!(read(r#" { "library" : "x" }"#).is_ok());
    for text in [
        r#"{"library":"x","db":0}"#,
        r#"{"library":1}"#,
        r#"{"db":0,"library":"x"}"#,
        r#"{"library"}"#,
    ] {
        assert!(read(text).is_err(), "{text}");
    }
}

#[test]
fn what_dump_does_not_write_is_refused_with_the_reason() {
    for (text, reason) in [
        ("", "column 0: EOF while parsing a value"),
        (
            r#"{"db":16,"key":"k","type":"string","value":"v"}"#,
            "\"db\" is 16, a database is a number below 16",
        ),
        (
            r#"{"db":0,"key":"k","type":"string","value":"v","more":1}"#,
            "column 52: unknown field `more`, expected one of `db`, `key`, `type`, `value`, `expires_at_ms`",
        ),
        (
            r#"{"db":0,"key":"k","type":"string"}"#,
            "column 34: missing field `value`",
        ),
        (
            r#"{"db":0,"key":"k","key":"l","type":"string","value":"v"}"#,
            "column 23: duplicate field `key`",
        ),
        (
            r#"{"db":0,"key":"k","type":"string","value":[["f","v"]]}"#,
            "the value of a string is a string or {\"base64\": \"...\"}",
        ),
        (
            r#"{"db":0,"key":"k","type":"hash","value":"v"}"#,
            "the value of a hash is a list of [field, value]",
        ),
        (
            r#"{"db":0,"key":"k","type":"hash","value":[]}"#,
            "a hash has at least one field",
        ),
        (
            r#"{"db":0,"key":"k","type":"hash","value":[["f","v"],["f","w"]]}"#,
            "the field \"f\" is there twice",
        ),
        (
            r#"{"db":0,"key":"k","type":"hash","value":["f","v"]}"#,
            "the value of a hash is a list of [field, value]",
        ),
        (
            r#"{"db":0,"key":"k","type":"set","value":[["f","v"]]}"#,
            "the value of a set is a list of members",
        ),
        (
            r#"{"db":0,"key":"k","type":"zset","value":[["m","nan"]]}"#,
            "the value of a sorted set is a list of [member, score], the score a string",
        ),
        (
            r#"{"db":0,"key":"k","type":"zset","value":[["m","1",5]]}"#,
            "the value of a sorted set is a list of [member, score], the score a string",
        ),
        (
            r#"{"db":0,"key":"k","type":"zset","value":[["m","1"],["m","2"]]}"#,
            "the member \"m\" is there twice",
        ),
        (
            r#"{"db":0,"key":"k","type":"set","value":"v"}"#,
            "the value of a set is a list of members",
        ),
        (
            r#"{"db":0,"key":"k","type":"set","value":[]}"#,
            "a set has at least one member",
        ),
        (
            r#"{"db":0,"key":"k","type":"set","value":["a","b","a"]}"#,
            "the member \"a\" is there twice",
        ),
        (
            r#"{"db":0,"key":"k","type":"list","value":"v"}"#,
            "the value of a list is a list of elements",
        ),
        (
            r#"{"db":0,"key":"k","type":"list","value":[["f","v"]]}"#,
            "the value of a list is a list of elements",
        ),
        (
            r#"{"db":0,"key":"k","type":"list","value":[]}"#,
            "a list has at least one element",
        ),
    ] {
        assert_eq!(refused(text), reason);
    }
    for text in [
        r#"{"db":0,"key":1,"type":"string","value":"v"}"#,
        r#"{"db":0,"key":{"base64":"*"},"type":"string","value":"v"}"#,
        r#"{"db":0,"key":{"base64":"","x":""},"type":"string","value":"v"}"#,
        r#"{"db":0,"key":{},"type":"string","value":"v"}"#,
        r#"{"db":0,"key":"k","type":"list","value":[1]}"#,
        r#"{"db":0,"key":"k","type":"nosuch","value":"v"}"#,
        r#"{"db":-1,"key":"k","type":"string","value":"v"}"#,
        r#"{"db":0,"key":"k","type":"hash","value":[["f"]]}"#,
        r#"{"db":0,"key":"k","type":"hash","value":[["f","v",1,2]]}"#,
        r#"{"db":0,"key":"k","type":"hash","value":[["f","v",null,2]]}"#,
        r#"{"db":0,"key":"k","type":"string","value":"v","expires_at_ms":1.5}"#,
        r#"{"db":0,"key":"k","type":"string","value":"v"}{}"#,
        r#"["db",0]"#,
    ] {
        refused(text);
    }
    // Depth is bounded.
    refused(&"[".repeat(1_000_000));
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        any::<String>().prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn any_key_reads_back(
        database in 0..16_u8, key in bytes(), string in bytes(),
        fields in proptest::collection::btree_map(bytes(), (bytes(), proptest::option::of(any::<i64>())), 0..20),
        elements in proptest::collection::vec(bytes(), 0..20),
        expiry in proptest::option::of(any::<i64>()),
    ) {
        let value = if !elements.is_empty() {
            let elements = elements.iter().map(Vec::as_slice).collect();
            let push = Update::List(ListUpdate::Push { end: End::Tail, elements });
            apply(None, &push, &Limits::default()).expect("nothing is there")
        } else if fields.is_empty() {
            Value::from_string(string).expect("it is short")
        } else {
            let fields = fields.iter()
                .map(|(field, (value, at))| (&field[..], &value[..], at.map(UnixMillis))).collect();
            apply(None, &Update::HashSet { fields }, &Limits::default()).expect("nothing is there")
        };
        let line = KeyLine { database, key, value, expiry: expiry.map(UnixMillis) };
        let text = written(&line);
        prop_assert!(!text[..text.len() - 1].contains('\n'));
        let read = read(text.as_bytes()).expect("it was just written");
        prop_assert_eq!(written(&read), text);
        prop_assert_eq!((read.database, read.key, read.expiry), (line.database, line.key, line.expiry));
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        prop_assert!(read(&bytes).is_err());
    }

    #[test]
    fn no_change_of_a_line_panics(at in any::<prop::sample::Index>(), byte: u8) {
        let text = r#"{"db":2,"key":"h","type":"hash","value":[["f","v"],["g",{"base64":"/w=="},12]]}"#;
        let mut bytes = text.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(line) = read(&bytes) {
            prop_assert!(!line.value.as_ref().is_empty_collection());
        }
    }
}
