//! What examples say to whoever started them.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};

/// A user's error is one message and exit code 2.
pub fn exit(name: &str, outcome: Result<(), Box<dyn Error + Send + Sync>>) -> ExitCode {
    match outcome {
        Err(why) if !is_broken_pipe(&*why) => {
            eprintln!("{name}: {why}");
            ExitCode::from(2)
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Whoever reads the output may stop early, as `head` does.
fn is_broken_pipe(why: &(dyn Error + 'static)) -> bool {
    let why = why.downcast_ref::<io::Error>();
    why.is_some_and(|why| why.kind() == ErrorKind::BrokenPipe)
}

/// A bar on standard error; none if that is not a terminal.
pub fn progress(what: &'static str, length: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:12} [{bar:40}] {percent:>3} %");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length as u64)
        .with_style(style.progress_chars("=> "))
        .with_message(what)
}
