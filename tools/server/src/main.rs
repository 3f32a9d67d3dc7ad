//! The `thermocline` binary: the daemon's library with the allocator it is measured with.

use std::process::{ExitCode, abort};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    end_on_panic();
    thermocline_server::allocator::set();
    let arguments: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    thermocline_server::run(&arguments)
}

/// Has a panic of any thread end the process: what it left half changed under a lock must
/// not be served or logged. The profile cannot say so, for scripts need to unwind.
fn end_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        abort();
    }));
}
