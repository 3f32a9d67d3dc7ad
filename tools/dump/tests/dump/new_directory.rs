//! A new directory is there whole or not at all.

use crate::support::{PROGRAM, Place, done, dumped, ended, request, run, string};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use thermocline_disk::{BackendChoice, Disk};

/// A file of requests whose tenth cannot be read.
fn damaged_requests(place: &Place) -> String {
    let mut text: String = (0..9)
        .map(|number| request(&["SET", &format!("key:{number}"), "v"]))
        .collect();
    text.push_str("*3\r\n$3\r\nSET\r\n$x\r\n");
    text.push_str(&request(&["SET", "later", "v"]));
    place.requests("damaged.aof", &[text])
}

#[test]
fn of_an_import_that_fails_nothing_stays() {
    let place = Place::new();
    let damaged = damaged_requests(&place);
    let directory = place.text("data");
    for is_there in [false, true] {
        if is_there {
            std::fs::create_dir(place.path("data")).expect("it is made");
        }
        let refused = run(&["import", &directory, &damaged]);
        assert_eq!(refused.code, Some(3), "{}", refused.messages);
        assert_eq!(place.path("data").exists(), is_there);
        if is_there {
            assert_eq!(names(&place.path("data")), [""; 0]);
        }
    }
    // So that the same can be tried again, mended.
    let sound = place.requests("sound.aof", &[request(&["SET", "a", "v"])]);
    done(&["import", &directory, &sound]);
    assert_eq!(dumped(&directory, &[]), [string("a", "v")]);
    done(&["verify", &directory]);
    let names = names(&place.path("data"));
    assert!(names.contains(&"manifest".to_owned()), "{names:?}");
    assert!(!names.contains(&"unfinished".to_owned()), "{names:?}");
}

#[test]
fn of_a_stream_that_fails_nothing_stays_in_a_new_directory() {
    let place = Place::new();
    let many: Vec<_> = (0..2000)
        .map(|number| string(&format!("key:{number}"), "v"))
        .collect();
    let bad = place.file("bad", &[many, vec!["no line".to_owned()]].concat());
    let from = |directory: &str| {
        let mut command = Command::new(PROGRAM);
        command.args(["restore", directory, "-"]);
        command.stdin(std::fs::File::open(&bad).expect("it is there"));
        command.output().expect("it starts").status.code()
    };
    let directory = place.text("data");
    assert_eq!(from(&directory), Some(3));
    assert!(!place.path("data").exists());
    // Where keys were before, those that came before the error are there.
    done(&[
        "restore",
        &directory,
        &place.file("one", &[string("a", "v")]),
    ]);
    assert_eq!(from(&directory), Some(3));
    assert!(dumped(&directory, &[]).len() > 1);
}

#[test]
fn of_a_restore_without_room_nothing_stays() {
    let place = Place::new();
    let long = "v".repeat(500_000);
    let lines: Vec<_> = (0..60)
        .map(|number| string(&format!("key:{number}"), &long))
        .collect();
    let file = place.file("lines", &lines);
    std::fs::create_dir(place.path("small")).expect("it is made");
    // Where no such namespace can be made there is nothing to try it on. There is room for
    // nothing, and for some of the keys.
    let script = "mount -t tmpfs -o size=$1m none \"$S\" || exit 99
        shift
        timeout 60 \"$@\"
        echo \"code $?\"
        ls -A \"$S\"";
    for megabytes in ["4", "40"] {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
        command.env("S", place.text("small"));
        command.args(["sh", megabytes, PROGRAM, "restore"]);
        command.args([&place.text("small/data"), &file]);
        let ended = ended(&mut command);
        if !ended.output.starts_with("code") {
            println!("not tried: {}", ended.messages);
            return;
        }
        assert_eq!(ended.output, "code 2\n", "{}", ended.messages);
        let told = &ended.messages;
        assert!(told.contains("No space left"), "{told}");
        assert_eq!(told.contains("line 1:"), megabytes == "4", "{told}");
    }
}

#[test]
fn a_killed_restore_leaves_nothing_that_seems_whole_and_is_begun_again() {
    let place = Place::new();
    let directory = place.text("data");
    let file = place.file("lines", &[string("a", "v")]);
    let mut child = begin_stream(&directory);
    let mut input = child.stdin.take().expect("a pipe");
    // More than is read before the first key is written.
    for number in 0..20_000 {
        writeln!(input, "{}", string(&format!("key:{number}"), "v")).expect("it is read");
    }
    await_file(&place.path("data/unfinished/manifest"));
    // Another run is told so, and takes nothing away.
    let refused = run(&["restore", &directory, &file]);
    assert_eq!(refused.code, Some(2), "{}", refused.messages);
    assert!(
        refused.messages.contains("in use by another process"),
        "{}",
        refused.messages
    );
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let verified = run(&["verify", &directory]);
    assert_eq!(verified.code, Some(2), "{}", verified.output);
    done(&["restore", &directory, &file]);
    assert_eq!(dumped(&directory, &[]), [string("a", "v")]);
    assert!(!place.path("data/unfinished").exists());
    done(&["verify", &directory]);
}

#[test]
fn what_another_fills_while_a_run_waits_for_it_stays_as_it_is() {
    let place = Place::new();
    let data = place.path("data");
    let disk = Disk::open(&data, BackendChoice::Posix).expect("it is made");
    let lock = disk.lock_directory(Duration::ZERO).expect("it is free");
    let mut command = Command::new(PROGRAM);
    let file = place.file("lines", &[string("a", "v")]);
    command.args(["restore", &place.text("data"), &file]);
    let mut child = command.stderr(Stdio::null()).spawn().expect("it starts");
    // It waits once it has opened what it waits for.
    let files = format!("/proc/{}/fd", child.id());
    let waits = || {
        let links = Path::new(&files).read_dir().into_iter().flatten().flatten();
        let mut paths = links.filter_map(|link| link.path().read_link().ok());
        paths.any(|path| path == data.join("LOCK"))
    };
    let begun = Instant::now();
    while !waits() && child.try_wait().expect("it can be asked").is_none() {
        assert!(begun.elapsed() < Duration::from_secs(30));
        std::thread::park_timeout(Duration::from_millis(1));
    }
    std::fs::write(data.join("manifest"), b"mine").expect("it is written");
    drop(lock);
    assert_eq!(child.wait().expect("it ends").code(), Some(2));
    assert_eq!(names(&data), ["LOCK", "manifest"]);
    let manifest = std::fs::read(data.join("manifest")).expect("it is there");
    assert_eq!(manifest, b"mine");
}

#[test]
fn a_run_that_was_killed_at_its_last_step_is_told_and_nothing_is_removed() {
    let (place, directory) = Place::with(&[string("a", "v")]);
    let data = place.path("data");
    std::fs::create_dir(data.join("unfinished")).expect("it is made");
    #[expect(clippy::disallowed_methods, reason = "as it was before the last step")]
    std::fs::rename(data.join("manifest"), data.join("unfinished/manifest")).expect("moved");
    let before = names(&data);
    for command in ["restore", "import"] {
        let refused = run(&[command, &directory, &place.text("input.jsonl")]);
        assert_eq!(refused.code, Some(2), "{}", refused.messages);
        assert!(
            refused.messages.contains("remove all that is in it"),
            "{}",
            refused.messages
        );
    }
    assert_eq!(names(&data), before);
}

#[test]
fn what_is_made_is_for_its_owner_only() {
    let (place, directory) = Place::with(&[string("a", "v")]);
    done(&["repair", &directory, &place.text("repaired")]);
    let sound = place.requests("sound.aof", &[request(&["SET", "a", "v"])]);
    done(&["import", &place.text("imported"), &sound]);
    for made in ["data", "repaired", "imported"] {
        for name in [
            "",
            "LOCK",
            "manifest",
            "manifest.copy",
            "image",
            "tier",
            "wal",
        ] {
            let path = place.path(made).join(name);
            let found = path.metadata().expect(name);
            let expected = if found.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(found.mode() & 0o777, expected, "{path:?}");
        }
    }
}

#[test]
fn keys_of_databases_that_are_not_here_matter_only_where_they_are_wanted() {
    let lines = [
        string("a", "v"),
        string("far", "v").replace("\"db\":0", "\"db\":1"),
    ];
    let (place, directory) = Place::with(&lines);
    let file = place.text("dump.rdb");
    done(&["dump", &directory, "--output", &file]);
    let mut bytes = std::fs::read(&file).expect("it is there");
    // SELECTDB 1 becomes SELECTDB 20, and the file one without a CRC.
    let at = bytes.windows(2).position(|it| it == [0xfe, 1]);
    bytes[at.expect("two databases") + 1] = 20;
    let length = bytes.len();
    bytes[length - 8..].fill(0);
    std::fs::write(&file, bytes).expect("it is written");
    for (number, filter) in [["--database", "0"], ["--match", "a*"]].iter().enumerate() {
        let new = place.text(&format!("new{number}"));
        done(&["restore", &new, &file, filter[0], filter[1]]);
        assert_eq!(dumped(&new, &[]), [string("a", "v")]);
        done(&["diff", &new, &file, filter[0], filter[1]]);
    }
    let expected = "the key \"far\" of database 20, where those below 16 can be kept";
    let refused = run(&["restore", &place.text("all"), &file]);
    assert_eq!(refused.code, Some(3), "{}", refused.messages);
    assert!(refused.messages.contains(expected), "{}", refused.messages);
    assert!(!place.path("all").exists());

    let sound = [
        request(&["SELECT", "20"]),
        request(&["SELECT", "2"]),
        request(&["SET", "a", "v"]),
    ]
    .concat();
    let far = [
        sound.clone(),
        request(&["SELECT", "20"]),
        request(&["SET", "far", "v"]),
    ]
    .concat();
    done(&[
        "import",
        &place.text("near"),
        &place.requests("near.aof", &[sound]),
    ]);
    let refused = run(&[
        "import",
        &place.text("all"),
        &place.requests("far.aof", &[far]),
    ]);
    assert_eq!(refused.code, Some(3), "{}", refused.messages);
    assert!(refused.messages.contains(expected), "{}", refused.messages);
}

fn names(directory: &Path) -> Vec<String> {
    let entries = directory.read_dir().expect("it is there");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("it is readable").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn begin_stream(directory: &str) -> Child {
    let mut command = Command::new(PROGRAM);
    command.args(["restore", directory, "-"]);
    command.stdin(Stdio::piped()).stderr(Stdio::null());
    command.spawn().expect("it starts")
}

fn await_file(path: &Path) {
    let begun = Instant::now();
    while !path.exists() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{path:?}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
