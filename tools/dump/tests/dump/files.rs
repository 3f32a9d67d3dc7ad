//! RDB files and append-only files, and what differs.

use crate::support::{Place, done, dumped, request, run, sorted, string};

const GOLDEN: &str = include_str!("golden.jsonl");

#[test]
fn an_rdb_file_holds_what_the_lines_do() {
    let (place, directory) = Place::with(&sorted(GOLDEN));
    let file = place.text("dump.rdb");
    let plain = run(&["dump", &directory, "--output", &file]);
    // Fields that expire are not lost without a word.
    assert_eq!(plain.code, Some(2), "{}", plain.messages);
    assert!(
        plain.messages.contains("--rdb-version 80"),
        "{}",
        plain.messages
    );
    done(&[
        "dump",
        &directory,
        "--output",
        &file,
        "--force",
        "--rdb-version",
        "80",
    ]);
    let again = place.text("again");
    let restored = done(&["restore", &again, &file]);
    assert!(
        restored.messages.starts_with("7 keys restored"),
        "{}",
        restored.messages
    );
    assert_eq!(dumped(&again, &[]), sorted(GOLDEN));
    let same = done(&["diff", &directory, &file]);
    assert_eq!((same.output.as_str(), same.code), ("", Some(0)));
    // As a stream too.
    let piped = place.text("piped");
    let output = std::process::Command::new("sh")
        .args([
            "-c",
            "\"$0\" dump \"$1\" --format rdb --rdb-version 80 | \"$0\" restore \"$2\" -",
        ])
        .args([env!("CARGO_BIN_EXE_thermocline-dump"), &directory, &piped])
        .output();
    assert!(output.is_ok_and(|output| output.status.success()));
    assert_eq!(dumped(&piped, &[]), sorted(GOLDEN));
}

#[test]
fn a_damaged_rdb_file_restores_nothing() {
    let (place, directory) = Place::with(&[string("a", "v"), string("b", "v")]);
    let file = place.text("dump.rdb");
    done(&["dump", &directory, "--output", &file]);
    let mut bytes = std::fs::read(&file).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(&file, bytes).expect("it is writable");
    let new = place.text("new");
    let refused = run(&["restore", &new, &file]);
    assert_eq!(refused.code, Some(3), "{}", refused.messages);
    assert!(!place.path("new").exists());
}

#[test]
fn a_difference_is_told_key_by_key() {
    let left = [
        string("same", "v"),
        string("gone", "v"),
        string("changed", "v"),
        r#"{"db":1,"key":"later","type":"set","value":["a","b"],"expires_at_ms":4000000000000}"#
            .to_owned(),
        r#"{"db":1,"key":"order","type":"set","value":["a","b"]}"#.to_owned(),
    ];
    let right = [
        string("same", "v"),
        string("changed", "w"),
        string("new", "v"),
        r#"{"db":1,"key":"later","type":"set","value":["a","b"],"expires_at_ms":4000000000001}"#
            .to_owned(),
        r#"{"db":1,"key":"order","type":"set","value":["b","a"]}"#.to_owned(),
    ];
    let (place, left) = Place::with(&left);
    let right = place.file("right.jsonl", &right);
    let differs = run(&["diff", &left, &right]);
    assert_eq!(differs.code, Some(1), "{}", differs.messages);
    let expected = [
        r#"added: database 0 "new""#,
        r#"expiry: database 1 "later""#,
        r#"missing: database 0 "gone""#,
        r#"value: database 0 "changed""#,
    ];
    assert_eq!(sorted(&differs.output), expected);
    let filtered = run(&["diff", &left, &right, "--match", "order"]);
    assert_eq!(filtered.code, Some(0), "{}", filtered.output);
}

#[test]
fn append_only_files_are_replayed_and_a_torn_end_is_cut_and_told() {
    let place = Place::new();
    std::fs::create_dir(place.path("aof")).expect("it can be made");
    let write = |name: &str, text: &str| {
        std::fs::write(place.path("aof").join(name), text).expect("it can be written");
    };
    write(
        "a.manifest",
        "file a.1.base.aof seq 1 type b\nfile a.1.incr.aof seq 1 type i\nfile a.2.incr.aof seq 2 type i\n",
    );
    let base = [request(&["SELECT", "0"]), request(&["SET", "a", "1"])].concat();
    write("a.1.base.aof", &base);
    let first = [
        request(&["SELECT", "2"]),
        request(&["RPUSH", "list", "x", "y"]),
        request(&["MULTI"]),
        request(&["SET", "b", "1", "PXAT", "1000"]),
        request(&["INCR", "b"]),
        request(&["EXEC"]),
        request(&["PUBLISH", "channel", "text"]),
        "#TS:1700000000\r\n".to_owned(),
        request(&["DEL", "b"]),
    ];
    write("a.1.incr.aof", &first.concat());
    let torn = request(&["SET", "c", "3"]);
    let open = [request(&["INCR", "a"]), torn[..torn.len() - 4].to_owned()].concat();
    write("a.2.incr.aof", &open);
    let directory = place.text("data");
    let imported = done(&["import", &directory, &place.text("aof")]);
    let cut = format!("cut at offset {}", request(&["INCR", "a"]).len());
    assert!(imported.messages.contains(&cut), "{}", imported.messages);
    assert!(
        imported
            .messages
            .contains("1 request of scripts or channels skipped"),
        "{}",
        imported.messages
    );
    let list = r#"{"db":2,"key":"list","type":"list","value":["x","y"]}"#;
    assert_eq!(dumped(&directory, &[]), [string("a", "2"), list.to_owned()]);

    // In the middle a torn file is no end but damage.
    write("a.1.incr.aof", &first.concat()[..40]);
    let refused = run(&["import", &place.text("other"), &place.text("aof")]);
    assert_eq!(refused.code, Some(3), "{}", refused.messages);
    assert!(
        refused.messages.contains("a.1.incr.aof"),
        "{}",
        refused.messages
    );

    // Up to a time: b expires only where the file says so.
    write("a.1.incr.aof", &first.concat());
    let until = place.text("until");
    done(&[
        "import",
        &until,
        &place.text("aof"),
        "--to-time",
        "1699999999",
    ]);
    let lines = dumped(&until, &[]);
    assert!(
        lines.iter().any(|line| line.contains(r#""key":"b""#)),
        "{lines:?}"
    );
    let number = lines.iter().any(|line| *line == string("a", "1"));
    assert!(number, "{lines:?}");
}

#[test]
fn a_directory_is_restored_as_it_was_at_a_position_of_its_log() {
    let (place, directory) = Place::with(&[string("a", "first")]);
    let inspected = done(&["inspect", &directory]).output;
    let line = inspected.lines().find(|line| line.contains("| end_lsn"));
    let first = line.and_then(|line| line.split('|').nth(2)).map(str::trim);
    let first = first.expect("it is told").to_owned();
    let then = place.text("then");
    done(&["restore", &then, &directory, "--to-lsn", &first]);
    assert_eq!(dumped(&then, &[]), [string("a", "first")]);

    // Neither before the image nor behind the log.
    for position in ["1", "99999999"] {
        let refused = run(&[
            "restore",
            &place.text("never"),
            &directory,
            "--to-lsn",
            position,
        ]);
        assert_eq!(refused.code, Some(2), "{}", refused.messages);
        assert!(
            refused.messages.contains("cannot be had"),
            "{}",
            refused.messages
        );
    }
}

#[test]
fn no_name_of_a_manifest_leads_out_of_its_directory() {
    let place = Place::new();
    std::fs::create_dir(place.path("aof")).expect("it can be made");
    std::fs::write(place.path("secret"), request(&["SET", "a", "v"])).expect("it can be written");
    std::os::unix::fs::symlink(place.path("secret"), place.path("aof/link")).expect("made");
    for (name, code) in [("../secret", 3), ("link", 2)] {
        let line = format!("file {name} seq 1 type i\n");
        std::fs::write(place.path("aof/a.manifest"), line).expect("it can be written");
        let new = place.text("new");
        let refused = run(&["import", &new, &place.text("aof")]);
        assert_eq!(refused.code, Some(code), "{}", refused.messages);
        assert!(!place.path("new").exists());
    }
}

#[test]
fn hostile_files_end_with_a_reason_and_write_nothing() {
    let place = Place::new();
    let huge = [&b"REDIS0011\x00\x01k\x81"[..], &(1_u64 << 40).to_be_bytes()].concat();
    // A hash that declares more fields than any file holds, its CRC left out.
    let fields = [&b"REDIS0011\x04\x01h\x81"[..], &u64::MAX.to_be_bytes()].concat();
    // Valid to its end, but for a value that is none: an integer set of nothing.
    let mut empty = b"REDIS0011\x00\x01a\x01v\x0b\x01s\x08\x02\0\0\0\0\0\0\0\xff".to_vec();
    empty.extend_from_slice(&[0; 8]);
    let deep = format!("{{\"db\":{}", "[".repeat(100_000)).into_bytes();
    let request = b"*1048576\r\n$536870912\r\n".to_vec();
    for (name, bytes, command) in [
        ("huge", huge, "restore"),
        ("fields", fields, "restore"),
        ("empty", empty, "restore"),
        ("deep", deep, "restore"),
        ("request", request, "restore"),
        ("torn", b"*1\r\n$99999999999\r\n".to_vec(), "import"),
    ] {
        std::fs::write(place.path(name), bytes).expect("it can be written");
        let new = place.text(&format!("new-{name}"));
        let refused = run(&[command, &new, &place.text(name)]);
        assert_eq!(refused.code, Some(3), "{name}: {}", refused.messages);
        assert!(!refused.messages.contains("panic"), "{}", refused.messages);
        if command == "restore" {
            assert!(!place.path(&format!("new-{name}")).exists(), "{name}");
        }
    }
}
