//! Files of other servers, as they wrote them or as their sources say they would:
//! see `tools/xtask/interop/golden.py`.

use crate::support::{Place, done, dumped, sorted};
use std::path::Path;

#[test]
fn files_of_every_version_are_read() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for (name, magic) in [
        ("redis-5", "REDIS0009"),
        ("redis-7.0", "REDIS0010"),
        ("redis-8", "REDIS0012"),
        ("valkey-9.1", "VALKEY080"),
    ] {
        let file = golden.join(format!("{name}.rdb"));
        let bytes = std::fs::read(&file).expect("it is there");
        assert!(bytes.starts_with(magic.as_bytes()), "{name}");
        let lines = std::fs::read_to_string(golden.join(format!("{name}.jsonl")));
        let expected = sorted(&lines.expect("it is there"));
        let place = Place::new();
        let directory = place.text("data");
        let restored = done(&["restore", &directory, file.to_str().expect("a plain path")]);
        assert!(
            !restored.messages.contains("no CRC"),
            "{name}: {}",
            restored.messages
        );
        assert_eq!(dumped(&directory, &[]), expected, "{name}");
        // What is read is written again in the newest form, and is the same.
        let again = place.text("again.rdb");
        for version in ["80", "12"] {
            done(&[
                "dump",
                &directory,
                "--output",
                &again,
                "--force",
                "--rdb-version",
                version,
            ]);
            done(&["diff", &directory, &again]);
        }
    }
}
