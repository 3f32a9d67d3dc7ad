//! The `thermocline-dump` command: arguments in, exit code out. Everything
//! else is the library's.

use clap::Parser;
use std::io::{self, Write};
use std::process::ExitCode;
use thermocline_dump::{Arguments, run};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut output = io::BufWriter::new(io::stdout().lock());
    let outcome = run(&arguments, &mut output, &mut io::stderr());
    let outcome = outcome.and_then(|outcome| {
        output.flush()?;
        Ok(outcome)
    });
    match outcome {
        Ok(outcome) => ExitCode::from(outcome.exit_code()),
        Err(failure) => {
            eprintln!("thermocline-dump: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
