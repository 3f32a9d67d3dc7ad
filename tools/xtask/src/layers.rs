//! The rule of the layers: a crate may use only crates of a lower level.

use crate::step::{StepError, output};
use serde_json::Value;
use std::process::Command;

/// Every crate of the workspace with its level. What must change together:
/// this table and the one in the README.
const LEVELS: &[(&str, u32)] = &[
    ("thermocline-base", 0),
    ("thermocline-disk", 1),
    ("thermocline-types", 1),
    ("thermocline-wal", 2),
    ("thermocline-store", 3),
    ("thermocline-commands", 4),
    ("thermocline-benches", 4),
    ("thermocline-dump", 5),
    ("thermocline-server", 5),
    ("thermocline-sim", 5),
    ("xtask", 5),
];

fn level(name: &str) -> Option<u32> {
    LEVELS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, level)| *level)
}

/// Reads the workspace's own dependencies from cargo and checks each.
pub(crate) fn check() -> Result<(), StepError> {
    let bytes =
        output(Command::new("cargo").args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_slice(&bytes)
        .map_err(|error| StepError::Layers(format!("cargo metadata is not JSON: {error}")))?;
    let broken = broken_rules(&metadata);
    if broken.is_empty() {
        println!("xtask: layers hold");
        Ok(())
    } else {
        Err(StepError::Layers(broken.join("\n")))
    }
}

/// One line a broken rule. Development dependencies count too: a test that
/// needs a higher crate belongs to that crate.
fn broken_rules(metadata: &Value) -> Vec<String> {
    let mut broken = Vec::new();
    for package in array(metadata, "packages") {
        let name = text(package, "name");
        let Some(own) = level(name) else {
            broken.push(format!(
                "{name} has no level: add it to the table of layers"
            ));
            continue;
        };
        for dependency in array(package, "dependencies") {
            let used = text(dependency, "name");
            match level(used) {
                Some(other) if other >= own => broken.push(format!(
                    "{name} (level {own}) must not use {used} (level {other})"
                )),
                _ => {}
            }
        }
    }
    broken
}

fn array<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value
        .get(field)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::broken_rules;
    use serde_json::json;

    fn metadata(name: &str, dependency: &str) -> serde_json::Value {
        json!({"packages": [{"name": name, "dependencies": [{"name": dependency}]}]})
    }

    #[test]
    fn lower_crates_and_foreign_crates_may_be_used() {
        assert!(broken_rules(&metadata("thermocline-wal", "thermocline-disk")).is_empty());
        assert!(broken_rules(&metadata("thermocline-wal", "tracing")).is_empty());
    }

    #[test]
    fn upward_and_sideways_use_is_refused() {
        assert_eq!(
            broken_rules(&metadata("thermocline-wal", "thermocline-store")),
            ["thermocline-wal (level 2) must not use thermocline-store (level 3)"]
        );
        assert_eq!(
            broken_rules(&metadata("thermocline-disk", "thermocline-types")).len(),
            1
        );
    }

    #[test]
    fn a_crate_without_a_level_is_refused() {
        assert_eq!(broken_rules(&metadata("new-crate", "tracing")).len(), 1);
    }
}
