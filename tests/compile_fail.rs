//! What must not compile, and what the compiler says then.
//!
//! Each file of `tests/ui` is compiled by itself. A comment in it names what is expected:
//!
//! - `//~ E0594 some text`: an error on this line, with this code, whose message contains the text;
//! - `//~^ E0594 some text`: the same on the line before;
//! - `//~? some text`: the text somewhere in the output, such as a note or an error in the library.
//!
//! There must be no other errors in the file. A file that expects nothing must compile. Whole outputs are not compared:
//! they differ between compilers.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::{env, fs};

use rstest::rstest;

/// The library as `cargo test` has built it, and where its dependencies are.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let output = Command::new(env!("CARGO"))
            .args(["build", "--lib", "--message-format=json", "--manifest-path"])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
            .output()
            .expect("cargo runs");
        let messages = text(&output.stdout);
        let ours = messages
            .lines()
            .filter(|line| line.contains(r#""name":"mem_pool""#));
        ours.flat_map(|line| line.split('"'))
            .find(|field| field.ends_with(".rlib"))
            .unwrap_or_else(|| panic!("no library: {}", text(&output.stderr)))
            .into()
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Compiles a file, with code generation: some errors come as late as that.
fn compile(file: &Path) -> Output {
    let library = library();
    let name = file.file_stem().unwrap();
    let object = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(name)
        .with_extension("o");
    let dependencies = library.with_file_name("deps");
    let flags = env::var("RUSTFLAGS").unwrap_or_default();
    let output = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args([
            "--edition=2024",
            "--crate-type=bin",
            "--emit=obj",
            "--color=never",
            "-Awarnings",
        ])
        .args(flags.split_whitespace())
        .arg("--extern")
        .arg(format!("mem_pool={}", library.display()))
        .arg("-L")
        .arg(format!("dependency={}", dependencies.display()))
        .arg("-o")
        .args([&object, file])
        .output()
        .expect("the compiler runs");
    let _ = fs::remove_file(object);
    output
}

/// What a file's comments expect.
#[derive(Debug, Default)]
struct Expected {
    /// Line, code, text.
    errors: Vec<(usize, String, String)>,
    anywhere: Vec<String>,
}

impl Expected {
    fn of(source: &str) -> Self {
        let mut expected = Self::default();
        for (line, text) in (1..).zip(source.lines()) {
            let Some((_, comment)) = text.split_once("//~") else {
                continue;
            };
            if let Some(text) = comment.strip_prefix('?') {
                expected.anywhere.push(text.trim().into());
                continue;
            }
            let (line, comment) = match comment.strip_prefix('^') {
                Some(comment) => (line - 1, comment),
                None => (line, comment),
            };
            let comment = comment.trim();
            // Some errors have no code.
            let code = comment
                .split(' ')
                .next()
                .filter(|word| word.starts_with("E0"));
            let code = code.unwrap_or_default();
            let text = comment[code.len()..].trim_start();
            expected.errors.push((line, code.into(), text.into()));
        }
        expected
    }
}

/// The errors that the compiler's output places in the file: line, code, message.
fn errors(output: &str, file: &Path) -> Vec<(usize, String, String)> {
    let mut errors = Vec::new();
    let mut pending: Option<(String, String)> = None;
    for line in output.lines() {
        if let Some(rest) = line.strip_prefix("error") {
            let (code, message) = match rest
                .strip_prefix('[')
                .and_then(|rest| rest.split_once("]: "))
            {
                Some((code, message)) => (code, message),
                None => ("", rest.trim_start_matches(": ")),
            };
            pending = Some((code.into(), message.into()));
        } else if let Some(place) = line.trim_start().strip_prefix("--> ") {
            let line = place.strip_prefix(&format!("{}:", file.display()));
            let line = line
                .and_then(|rest| rest.split(':').next())
                .and_then(|n| n.parse().ok());
            if let (Some((code, message)), Some(line)) = (pending.take(), line) {
                errors.push((line, code, message));
            }
        }
    }
    errors
}

#[rstest]
#[cfg_attr(miri, ignore = "starts the compiler")]
fn says_what_it_should(#[files("tests/ui/*.rs")] file: PathBuf) {
    let expected = Expected::of(&fs::read_to_string(&file).unwrap());
    let output = compile(&file);
    let said = text(&output.stderr);
    let is_wanted = expected.errors.is_empty() && expected.anywhere.is_empty();
    assert_eq!(output.status.success(), is_wanted, "{said}");
    let errors = errors(&said, &file);
    assert_eq!(errors.len(), expected.errors.len(), "{errors:#?}\n{said}");
    for (line, code, text) in &expected.errors {
        let found = errors
            .iter()
            .any(|(l, c, message)| l == line && c == code && message.contains(text));
        assert!(found, "line {line}: no {code} with {text:?}\n{said}");
    }
    for text in &expected.anywhere {
        // The compiler may show the comment itself.
        let mut lines = said.lines().filter(|line| !line.contains("//~"));
        assert!(
            lines.any(|line| line.contains(text.as_str())),
            "{text:?} is not in\n{said}"
        );
    }
}
