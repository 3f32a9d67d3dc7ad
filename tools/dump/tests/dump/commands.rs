//! The command line as a whole: what it says of itself, and its exit codes.

use crate::support::{Place, done, run, string};

const COMMANDS: [&str; 7] = [
    "verify", "inspect", "dump", "restore", "import", "repair", "diff",
];

#[test]
fn the_exit_codes_are_told_and_kept() {
    for help in COMMANDS.map(|command| done(&[command, "--help"]).output) {
        for code in ["0  done", "1  damage", "2  the directory", "3  the input"] {
            assert!(help.contains(code), "{help}");
        }
    }
    let readme = include_str!("../../../../README.md");
    for code in 0..=3 {
        assert!(readme.contains(&format!("\n| {code} | ")), "{code}");
    }
    let (place, directory) = Place::with(&[string("a", "v")]);
    let same = place.file("same", &[string("a", "v")]);
    let other = place.file("other", &[string("a", "w")]);
    let bad = place.file("bad", &["no line".to_owned()]);
    let new = place.text("new");
    let missing = place.text("missing");
    for (arguments, code) in [
        (vec!["verify", &directory], 0),
        (vec!["diff", &directory, &same], 0),
        (vec!["diff", &directory, &other], 1),
        (vec!["verify", &missing], 2),
        (vec!["dump", &directory, "--output", &same], 2),
        (vec!["dump", &directory, "--no-such-option"], 2),
        (vec!["restore", &new, &missing], 2),
        (vec!["restore", &new, &same, "--to-lsn", "1"], 2),
        (vec!["restore", &new, &directory, "--to-time", "soon"], 2),
        (vec!["restore", &new, &bad], 3),
        (vec!["import", &new, &bad], 3),
        (vec!["man", "nothing"], 2),
    ] {
        let ended = run(&arguments);
        assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.messages);
    }
}

#[test]
fn shells_complete_every_command_and_each_has_a_manual() {
    for shell in ["bash", "zsh", "fish"] {
        let script = done(&["completions", shell]).output;
        for command in COMMANDS {
            assert!(script.contains(command), "{shell} {command}");
        }
    }
    let all = done(&["man"]).output;
    assert!(
        all.contains(".TH thermocline-dump") && all.contains("Exit codes"),
        "{all}"
    );
    for command in COMMANDS {
        let page = done(&["man", command]).output;
        assert!(
            page.contains(&format!("thermocline\\-dump\\-{command}")),
            "{page}"
        );
    }
}
