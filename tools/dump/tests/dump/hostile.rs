//! Directories in which something stands that does not belong there, and readers that are
//! not let write or not listened to.

use crate::support::{Ended, PROGRAM, Place, done, dumped, ended, run, string};
use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Runs a command that must not wait for anybody.
fn soon(arguments: &[&str]) -> Ended {
    let ended = ended(
        Command::new("timeout")
            .args(["60", PROGRAM])
            .args(arguments),
    );
    assert_ne!(ended.code, Some(124), "{arguments:?} waits");
    ended
}

/// What only reads, and with which arguments behind the directory.
fn readers(other: &str) -> [Vec<&str>; 6] {
    [
        vec!["verify"],
        vec!["dump"],
        vec!["inspect"],
        vec!["inspect", "--segments"],
        vec!["inspect", "--keys"],
        vec!["diff", other],
    ]
}

fn with_directory<'a>(reader: &[&'a str], directory: &'a str) -> Vec<&'a str> {
    let mut arguments = reader.to_vec();
    arguments.insert(1, directory);
    arguments
}

/// All names below, and what the files hold.
fn content(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in directory.read_dir().expect("it is there") {
        let path = entry.expect("it is readable").path();
        let kind = path.symlink_metadata().expect("it is there").file_type();
        if kind.is_dir() {
            found.extend(content(&path));
        } else if kind.is_file() {
            found.insert(path.clone(), std::fs::read(&path).expect("it is readable"));
        } else {
            found.insert(path, Vec::new());
        }
    }
    found
}

#[test]
fn who_only_reads_makes_and_changes_no_file() {
    let (place, directory) = Place::with(&[string("a", "v")]);
    let data = place.path("data");
    std::fs::remove_file(data.join("LOCK")).expect("it is there");
    let before = content(&data);
    let same = place.text("input.jsonl");
    for reader in readers(&same) {
        done(&with_directory(&reader, &directory));
        assert_eq!(content(&data), before, "{reader:?}");
    }
    done(&["repair", &directory, &place.text("new")]);
    done(&["restore", &place.text("copy"), &directory]);
    assert_eq!(content(&data), before);
}

#[test]
fn a_lock_that_is_a_link_makes_no_file_elsewhere() {
    let (place, directory) = Place::with(&[string("a", "v")]);
    let data = place.path("data");
    let elsewhere = place.path("made");
    std::fs::remove_file(data.join("LOCK")).expect("it is there");
    symlink(&elsewhere, data.join("LOCK")).expect("a link");
    let same = place.text("input.jsonl");
    let mut commands: Vec<_> = readers(&same)
        .iter()
        .map(|reader| with_directory(reader, &directory))
        .collect();
    commands.push(vec!["restore", &directory, &same]);
    for command in commands {
        let refused = run(&command);
        assert_eq!(refused.code, Some(2), "{command:?}: {}", refused.messages);
        assert!(
            refused.messages.contains("\"LOCK\" is a symbolic link"),
            "{command:?}: {}",
            refused.messages
        );
        assert!(!elsewhere.exists(), "{command:?}");
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_read_and_repaired_elsewhere() {
    let (place, directory) = Place::with(&[string("a", "v")]);
    // As the system mounts a file system again after errors.
    let read_only = |arguments: &[&str]| {
        let script = "mount --bind \"$D\" \"$D\" && mount -o remount,bind,ro \"$D\" || exit 99
            touch \"$D/new\" 2> /dev/null && exit 98
            exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
        ended(
            command
                .env("D", &directory)
                .arg("sh")
                .arg(PROGRAM)
                .args(arguments),
        )
    };
    let first = read_only(&["verify", &directory]);
    assert!(
        matches!(first.code, Some(0..=3)),
        "unshare (package util-linux) must be able to make a mount of its own: run this as root \
         or allow user namespaces: {}",
        first.messages
    );
    let same = place.text("input.jsonl");
    let (new, copy) = (place.text("new"), place.text("copy"));
    let commands = [
        vec!["verify", &directory],
        vec!["dump", &directory],
        vec!["inspect", &directory],
        vec!["diff", &directory, &same],
        vec!["repair", &directory, &new],
        vec!["restore", &copy, &directory],
    ];
    for lock in [true, false] {
        if !lock {
            std::fs::remove_file(place.path("data/LOCK")).expect("it is there");
            for made in ["new", "copy"] {
                std::fs::remove_dir_all(place.path(made)).expect("it is there");
            }
        }
        for command in &commands {
            let ended = read_only(command);
            assert_eq!(ended.code, Some(0), "{command:?}: {}", ended.messages);
        }
        assert_eq!(dumped(&new, &[]), [string("a", "v")]);
    }
}

#[test]
fn a_pipe_in_the_place_of_a_file_is_told_and_not_waited_for() {
    for name in [
        "manifest",
        "manifest.copy",
        "LOCK",
        "image/0000000001.image",
        "tier/00000.segment",
    ] {
        let (place, directory) = Place::with(&[string("a", "v")]);
        let path = place.path("data").join(name);
        std::fs::remove_file(&path).expect(name);
        let made = Command::new("mkfifo").arg(&path).status();
        assert!(made.is_ok_and(|status| status.success()));
        let same = place.text("input.jsonl");
        soon(&["dump", &directory]);
        soon(&["inspect", &directory, "--segments", "--image"]);
        let verified = soon(&["verify", &directory]);
        let text = format!("{}{}", verified.output, verified.messages);
        assert!(matches!(verified.code, Some(1 | 2)), "{name}: {text}");
        let told = format!("cannot open {name:?}: ").replace('"', "\\\"");
        assert!(
            text.contains(&told) || text.contains(&told.replace('\\', "")),
            "{name}: {text}"
        );
        assert!(text.contains("is a named pipe"), "{name}: {text}");
        soon(&["repair", &directory, &place.text("new")]);
        soon(&["restore", &directory, &same, "--replace"]);
    }
}

#[test]
fn no_link_leads_out_of_a_data_directory() {
    for name in ["wal", "image", "tier"] {
        let (place, directory) = Place::with(&[string("a", "v")]);
        let inside = place.path("data").join(name);
        let outside = place.path("outside");
        #[expect(clippy::disallowed_methods, reason = "what an operator does")]
        std::fs::rename(&inside, &outside).expect("it is moved");
        symlink(&outside, &inside).expect("a link");
        let before = content(&outside);
        let more = place.file("more", &[string("a", "w"), string("b", "w")]);
        for command in [
            vec!["verify", &directory],
            vec!["dump", &directory],
            vec!["restore", &directory, &more, "--replace"],
        ] {
            let refused = run(&command);
            let text = format!("{}{}", refused.output, refused.messages);
            assert!(
                matches!(refused.code, Some(1 | 2)),
                "{command:?}: {:?} {text}",
                refused.code
            );
            assert!(text.contains("mount --bind"), "{command:?}: {text}");
        }
        assert_eq!(content(&outside), before, "{name}");
    }
}

#[test]
fn a_linked_file_is_not_read() {
    for name in ["manifest", "image/0000000001.image"] {
        let (place, directory) = Place::with(&[string("a", "v")]);
        let secret = place.file("secret", &["root:x:0:0:".repeat(1000)]);
        let path = place.path("data").join(name);
        std::fs::remove_file(&path).expect(name);
        symlink(&secret, &path).expect("a link");
        let verified = run(&["verify", &directory]);
        let text = format!("{}{}", verified.output, verified.messages);
        assert!(matches!(verified.code, Some(1 | 2)), "{name}: {text}");
        assert!(text.contains("is a symbolic link"), "{name}: {text}");
        // Nor as the number that its first bytes are.
        assert!(!text.contains("746f6f72"), "{name}: {text}");
    }
}

#[test]
fn an_output_that_nobody_reads_ends_the_run_without_a_word() {
    let lines: Vec<_> = (0..5000)
        .map(|number| string(&format!("key:{number}"), &"v".repeat(100)))
        .collect();
    let (_place, directory) = Place::with(&lines);
    for format in ["json", "rdb"] {
        let mut command = Command::new(PROGRAM);
        command.args(["dump", &directory, "--format", format]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut output = child.stdout.take().expect("a pipe");
        output.read_exact(&mut [0; 9]).expect("it is written");
        drop(output);
        let ended = child.wait_with_output().expect("it ends");
        assert_eq!(ended.status.code(), Some(141), "{format}");
        assert_eq!(String::from_utf8_lossy(&ended.stderr), "", "{format}");
    }
}

/// CVE-2025-27151: the checker of append-only files copied a path into a buffer of fixed
/// length. Here paths, and names in a manifest, of any length end with a reason.
#[test]
fn a_path_of_any_length_ends_with_a_reason() {
    let place = Place::new();
    let files = place.path("files");
    std::fs::create_dir(&files).expect("it is made");
    let target = place.text("target");
    for length in [300, 5_000, 70_000] {
        let name = "a".repeat(length);
        let manifest = format!("file {name} seq 1 type i\n");
        std::fs::write(files.join("x.manifest"), manifest).expect("it is written");
        let far = format!("{}/{}", place.text("x"), "a/".repeat(length / 2));
        for arguments in [
            vec!["verify", &far],
            vec!["dump", &far],
            vec!["import", &target, &far],
            vec!["import", &target, &place.text("files")],
        ] {
            let ended = soon(&arguments);
            assert!(matches!(ended.code, Some(1..=3)), "{:?}", ended.code);
            assert!(!ended.messages.trim().is_empty());
            assert!(!place.path("target").exists(), "{}", ended.messages);
        }
    }
}
