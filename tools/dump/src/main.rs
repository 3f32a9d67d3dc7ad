//! The `thermocline-dump` command: arguments in, exit code out. Everything
//! else is the library's.
//!
//! Where nobody reads the output any more, as behind `head`, there is nothing left to do and
//! nobody to tell it: the end is silent, with the code by which shells know a process that
//! the signal of a broken pipe ended.

use clap::Parser;
use std::io::{self, Write};
use std::process::ExitCode;
use thermocline_dump::{Arguments, Failure, run};

/// 128 and the number of SIGPIPE.
const BROKEN_PIPE: u8 = 141;

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
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::from(BROKEN_PIPE)
        }
        Err(failure) => {
            // Where that cannot be written either, the code has to do.
            let _ = writeln!(io::stderr(), "thermocline-dump: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
