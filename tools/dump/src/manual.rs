//! `completions` and `man`: what the command line says of itself.
//!
//! Owns nothing: both are made from the command line. Pure.

use crate::arguments::{Arguments, Completions, Man};
use crate::failure::{Failure, Outcome};
use clap::CommandFactory;
use std::io::Write;

/// Prints the completions of a shell.
pub(crate) fn completions(
    arguments: &Completions,
    output: &mut dyn Write,
) -> Result<Outcome, Failure> {
    let mut command = Arguments::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, name, &mut script);
    output.write_all(&script)?;
    Ok(Outcome::Intact)
}

/// Prints a manual page.
pub(crate) fn man(arguments: &Man, output: &mut dyn Write) -> Result<Outcome, Failure> {
    let mut command = Arguments::command();
    command.build();
    if let Some(name) = &arguments.command {
        let found = command.find_subcommand(name).cloned();
        command = found.ok_or_else(|| Failure::NoCommand(name.clone()))?;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    output.write_all(&page)?;
    Ok(Outcome::Intact)
}
