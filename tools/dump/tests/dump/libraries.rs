//! Libraries of functions go with the keys.

use crate::support::{Place, done, dumped, request, run, string};

fn library(name: &str, body: &str) -> String {
    format!(
        r##"{{"library":"#!lua name={name}\nserver.register_function('{name}_f', function() return {body} end)"}}"##
    )
}

fn lines() -> Vec<String> {
    let mut lines = vec![library("one", "1"), library("two", "2"), string("a", "v")];
    lines.sort();
    lines
}

#[test]
fn they_go_through_every_form() {
    let (place, directory) = Place::with(&lines());
    assert_eq!(dumped(&directory, &[]), lines());
    for version in ["10", "11", "80"] {
        let (file, new) = (place.text(&format!("{version}.rdb")), place.text(version));
        done(&[
            "dump",
            &directory,
            "--output",
            &file,
            "--rdb-version",
            version,
        ]);
        let restored = done(&["restore", &new, &file]);
        assert!(
            restored
                .messages
                .starts_with("1 key restored, 2 libraries of functions;"),
            "{}",
            restored.messages
        );
        assert_eq!(dumped(&new, &[]), lines());
        done(&["diff", &directory, &file]);
    }
    let copied = place.text("copied");
    done(&["restore", &copied, &directory]);
    assert_eq!(dumped(&copied, &[]), lines());
    let repaired = place.text("repaired");
    let told = done(&["repair", &directory, &repaired]).output;
    assert!(told.contains("2 libraries of functions salvaged"), "{told}");
    assert_eq!(dumped(&repaired, &[]), lines());
    // Redis 5 and 6 know none.
    let old = place.text("old.rdb");
    let omitted = done(&["dump", &directory, "--output", &old, "--rdb-version", "9"]);
    assert!(
        omitted
            .messages
            .contains("2 libraries of functions left out"),
        "{}",
        omitted.messages
    );
}

#[test]
fn filters_of_keys_leave_them_out() {
    let (place, directory) = Place::with(&lines());
    let key = [string("a", "v")];
    assert_eq!(dumped(&directory, &["--database", "0"]), key);
    assert_eq!(dumped(&directory, &["--skip-functions"]), key);
    let new = place.text("new");
    done(&["restore", &new, &directory, "--match", "*"]);
    assert_eq!(dumped(&new, &[]), key);
    let without = place.text("without");
    let file = place.file("lines", &lines());
    done(&["restore", &without, &file, "--skip-functions"]);
    assert_eq!(dumped(&without, &[]), key);
}

#[test]
fn one_that_is_there_stays_unless_replaced_and_a_difference_is_told() {
    let (place, directory) = Place::with(&lines());
    let changed = [library("one", "7"), library("three", "3")];
    let file = place.file("changed", &changed);
    let differs = run(&["diff", &directory, &file]);
    assert_eq!(differs.code, Some(1));
    for line in [
        "value: library \"one\"",
        "missing: library \"two\"",
        "added: library \"three\"",
    ] {
        assert!(differs.output.contains(line), "{}", differs.output);
    }
    let kept = done(&["restore", &directory, &file]).messages;
    assert!(
        kept.contains("1 library of functions, 1 library of functions left as they were"),
        "{kept}"
    );
    let has = |line: &String| dumped(&directory, &[]).contains(line);
    assert!(!has(&changed[0]) && has(&changed[1]));
    done(&["restore", &directory, &file, "--replace"]);
    assert!(has(&changed[0]));
}

#[test]
fn one_that_cannot_be_loaded_is_refused_and_no_key_is_written() {
    let place = Place::new();
    for (number, bad) in [
        r##"{"library":"no first line"}"##.to_owned(),
        r##"{"library":"#!lua name=bad\nnot lua"}"##.to_owned(),
        library("same", "1").replace("name=same", "name=other"),
    ]
    .into_iter()
    .enumerate()
    {
        let file = place.file("bad", &[library("same", "1"), string("a", "v"), bad]);
        let new = place.text(&format!("new{number}"));
        let refused = run(&["restore", &new, &file]);
        assert_eq!(refused.code, Some(3), "{}", refused.messages);
        assert!(refused.messages.contains("line 3"), "{}", refused.messages);
        if place.path(&format!("new{number}")).exists() {
            assert!(!dumped(&new, &[]).contains(&string("a", "v")));
        }
    }
}

#[test]
fn requests_of_append_only_files_load_and_delete_them() {
    let place = Place::new();
    let code = |name: &str| {
        format!("#!lua name={name}\nserver.register_function('{name}_f', function() return 1 end)")
    };
    let requests = [
        request(&["FUNCTION", "LOAD", &code("one")]),
        request(&["FUNCTION", "LOAD", "REPLACE", &code("two")]),
        request(&["FUNCTION", "DELETE", "one"]),
        request(&["SET", "a", "v"]),
    ];
    std::fs::write(place.path("file.aof"), requests.concat()).expect("it can be written");
    let new = place.text("new");
    done(&["import", &new, &place.text("file.aof")]);
    let expected = [string("a", "v"), library("two", "1")];
    assert_eq!(dumped(&new, &[]), expected);
    let without = place.text("without");
    done(&[
        "import",
        &without,
        &place.text("file.aof"),
        "--skip-functions",
    ]);
    assert_eq!(dumped(&without, &[]), expected[..1]);
    std::fs::write(place.path("bad.aof"), request(&["FUNCTION", "LOAD", "x"])).expect("written");
    let refused = run(&["import", &place.text("bad"), &place.text("bad.aof")]);
    assert_eq!(refused.code, Some(3), "{}", refused.messages);
}
