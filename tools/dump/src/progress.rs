//! Progress bars on the standard error, invisible where that is no terminal.
//!
//! Owns their looks.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

fn styled(what: &'static str, length: Option<u64>, template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template(template);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(what);
    bar
}

/// One that counts things.
pub(crate) fn items(what: &'static str, length: u64) -> ProgressBar {
    let template = "{msg} {wide_bar} {pos}/{len} {per_sec} {eta} left";
    styled(what, Some(length), template)
}

/// One that counts bytes, of so many if that is known.
pub(crate) fn bytes(what: &'static str, length: Option<u64>) -> ProgressBar {
    let template = match length {
        Some(_) => "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta} left",
        None => "{msg} {spinner} {bytes} {bytes_per_sec}",
    };
    styled(what, length, template)
}
