#![expect(unsafe_code, reason = "calls to the system")]
//! Processes of their own for contenders whose memory is counted.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs, io};

/// Has the system count in small pages: a huge one would be resident as a whole, whatever is used of it.
pub(crate) fn refuse_huge_pages() {
    // SAFETY: the call sets a flag of this process.
    let error = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
    assert_eq!(error, 0, "Linux can do this");
}

/// Gives free memory of the system's allocator back. Nobody is to find there what others have left behind: neither a contender,
/// most of which stand on it, nor who counts.
pub(crate) fn trim() {
    // SAFETY: may be called at any time.
    unsafe { libc::malloc_trim(0) };
}

/// Bytes of memory that this process has and no file: exactly, where the sum in `statm` is only near.
pub(crate) fn resident() -> usize {
    let text = fs::read_to_string("/proc/self/smaps_rollup").expect("Linux has it");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Anonymous:"));
    let kilobytes = line.and_then(|line| {
        line.trim()
            .strip_suffix(" kB")?
            .trim()
            .parse::<usize>()
            .ok()
    });
    1024 * kilobytes.expect("a number of kilobytes")
}

/// Runs this program for one question, and gives the figures it answers with.
pub(crate) fn ask(question: &[&str], traces: &[PathBuf]) -> io::Result<Vec<f64>> {
    let mut command = Command::new(env::current_exe()?);
    for folder in traces {
        command.args([OsStr::new("--traces"), folder.as_os_str()]);
    }
    let output = command.arg("--child").args(question).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!(
            "{question:?}: {} {error}",
            output.status
        )));
    }
    let figures: Result<_, _> = text.split_whitespace().map(str::parse).collect();
    figures.map_err(|error| io::Error::other(format!("{question:?}: {error}: {text}")))
}
