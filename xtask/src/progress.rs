//! What the tasks tell on standard error.

use std::borrow::Cow;
use std::fmt::Display;

use indicatif::{ProgressBar, ProgressStyle};

/// Prints one line.
#[expect(
    clippy::print_stderr,
    reason = "tasks talk to people, and tests capture what they say"
)]
pub(crate) fn say(line: impl Display) {
    eprintln!("{line}");
}

/// A bar over `total` bytes with speed and estimate, drawn on terminals only.
pub(crate) fn bytes(what: impl Into<Cow<'static, str>>, total: u64) -> ProgressBar {
    let template = "{msg:>11} [{wide_bar}] {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left";
    let bar = ProgressBar::new(total).with_message(what);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}
