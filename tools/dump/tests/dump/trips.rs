//! What goes in comes out.

use crate::support::{Place, done, dumped, run, sorted, string};

const GOLDEN: &str = include_str!("golden.jsonl");

fn golden() -> Vec<String> {
    sorted(GOLDEN)
}

#[test]
fn a_dump_is_restored_to_the_letter() {
    let (_place, directory) = Place::with(&golden());
    assert_eq!(dumped(&directory, &[]), golden());
    // Neither of the two has changed anything.
    assert_eq!(dumped(&directory, &[]), golden());
    let verified = done(&["verify", &directory]);
    assert!(
        verified.output.contains("7 keys, intact"),
        "{}",
        verified.output
    );
}

#[test]
fn filters_choose_keys() {
    let (_place, directory) = Place::with(&golden());
    let count = |more: &[&str]| dumped(&directory, more).len();
    assert_eq!(count(&["--type", "hash"]), 2);
    assert_eq!(count(&["--database", "0"]), 4);
    assert_eq!(count(&["--match", "greet*"]), 2);
    assert_eq!(count(&["--match", "*"]), 7);
    assert_eq!(count(&["--match", "user:[13]", "--database", "1"]), 1);
    assert_eq!(count(&["--match", "none"]), 0);
}

#[test]
fn large_values_and_many_keys_are_restored() {
    let long = "x".repeat(3_000_000);
    let mut lines: Vec<_> = (0..5000)
        .map(|number| string(&format!("key:{number}"), &format!("value {number}")))
        .collect();
    lines.push(string("long", &long));
    let elements: Vec<_> = (0..2000)
        .map(|element| format!(r#""e{element}""#))
        .collect();
    lines.push(format!(
        r#"{{"db":2,"key":"list","type":"list","value":[{}]}}"#,
        elements.join(",")
    ));
    let fields: Vec<_> = (0..2000)
        .map(|field| format!(r#"["{field:04}","v"]"#))
        .collect();
    let fields = fields.join(",");
    lines.push(format!(
        r#"{{"db":3,"key":"full","type":"hash","value":[{fields}]}}"#
    ));
    let (_place, directory) = Place::with(&lines);
    let dumped = dumped(&directory, &[]);
    assert_eq!(dumped.len(), lines.len());
    for line in &lines[..lines.len() - 1] {
        assert!(dumped.binary_search(line).is_ok(), "{line:.40}");
    }
    // A full hash has an order of its own.
    let full = dumped.last().expect("it is there");
    assert!((0..2000).all(|field| full.contains(&format!(r#"["{field:04}","v"]"#))));
    done(&["verify", &directory]);
}

#[test]
fn keys_that_are_there_stay_unless_replaced() {
    let old = vec![string("a", "old")];
    let (place, directory) = Place::with(&old);
    let new = vec![string("a", "new"), string("b", "new")];
    let file = place.file("new.jsonl", &new);
    let kept = done(&["restore", &directory, &file]);
    assert!(
        kept.messages
            .contains("1 key restored, 1 left as they were")
    );
    assert_eq!(
        dumped(&directory, &[]),
        [string("a", "old"), string("b", "new")]
    );
    done(&["restore", &directory, &file, "--replace"]);
    assert_eq!(dumped(&directory, &[]), new);
}

#[test]
fn keys_that_have_expired_are_not_restored() {
    let lines = [
        r#"{"db":0,"key":"late","type":"string","value":"v","expires_at_ms":1}"#.to_owned(),
        string("a", "v"),
    ];
    let (_place, directory) = Place::with(&lines);
    assert_eq!(dumped(&directory, &[]), [string("a", "v")]);
}

#[test]
fn a_bad_line_is_named_and_nothing_is_written() {
    let place = Place::new();
    let directory = place.text("data");
    let lines = [string("a", "v"), string("b", "v"), "{\"db\":99}".to_owned()];
    let file = place.file("bad.jsonl", &lines);
    let ended = run(&["restore", &directory, &file]);
    assert_eq!(ended.code, Some(3));
    assert!(
        ended.messages.contains("line 3: column"),
        "{}",
        ended.messages
    );
    assert!(!place.path("data").exists());
}

#[test]
fn a_dump_is_never_written_over_a_file_unless_forced() {
    let (place, directory) = Place::with(&golden());
    let file = place.file("precious", &["keep me".to_owned()]);
    let ended = run(&["dump", &directory, "--output", &file]);
    assert_eq!(ended.code, Some(2));
    let content = || std::fs::read_to_string(&file).expect("it is there");
    assert_eq!(content(), "keep me\n");
    done(&["dump", &directory, "--output", &file, "--force"]);
    assert_eq!(sorted(&content()), golden());
}

#[test]
fn what_holds_no_data_is_refused_and_not_touched() {
    let place = Place::new();
    let missing = place.text("missing");
    let empty = place.text("empty");
    std::fs::create_dir(&empty).expect("it can be made");
    for command in ["verify", "inspect", "dump"] {
        for directory in [&missing, &empty] {
            let ended = run(&[command, directory]);
            assert_eq!(ended.code, Some(2), "{command}");
            assert!(
                ended.messages.contains("holds no data"),
                "{}",
                ended.messages
            );
        }
    }
    assert!(!place.path("missing").exists());
    assert_eq!(std::fs::read_dir(&empty).expect("it is there").count(), 0);
    // A directory of something else is not made one of ours.
    let file = place.file("empty/letter.txt", &[]);
    let input = place.file("input.jsonl", &golden());
    let ended = run(&["restore", &empty, &input]);
    assert_eq!(ended.code, Some(2), "{}", ended.messages);
    assert!(place.path(&file).exists());
    assert_eq!(std::fs::read_dir(&empty).expect("it is there").count(), 1);
}

#[test]
fn inspect_shows_each_part() {
    let mut lines = golden();
    lines.push(string("big", &"z".repeat(9999)));
    let (_place, directory) = Place::with(&lines);
    let shown = |flag: &str| done(&["inspect", &directory, flag]).output;
    let manifest = done(&["inspect", &directory]).output;
    assert!(manifest.contains("checkpoint_lsn"), "{manifest}");
    assert!(shown("--wal").contains("seal"), "{}", shown("--wal"));
    assert!(shown("--segments").contains("tier/00000.segment"));
    assert!(shown("--image").contains("image/0000000001.image"));
    let keys = shown("--keys");
    let biggest = keys.lines().find(|line| line.contains("\"big\""));
    assert!(biggest.is_some_and(|line| line.contains("9999")), "{keys}");
    assert!(
        keys.contains("biggest prefixes") && keys.contains("time to live"),
        "{keys}"
    );
    let picture = format!("{directory}.svg");
    done(&["inspect", &directory, "--svg", &picture]);
    let drawn = std::fs::read_to_string(&picture).expect("it is drawn");
    assert!(drawn.contains("biggest prefixes") && drawn.ends_with("</svg>\n"));
    // A client's bytes never reach the terminal as they are.
    assert!(keys.contains(r"\xff\x00\x7f"), "{keys}");
}
