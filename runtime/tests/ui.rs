//! What rustc shows for broken calls of the macros: `ui/NAME.rs` with the expected text in `ui/NAME.stderr`. Nothing but
//! the compiler's own diagnostics may appear in it.
//!
//! `TRYBUILD=overwrite cargo test -p einattn --test ui` writes the expectations.

use einattn_compiler::diag::CODES;
use std::path::PathBuf;

/// Codes that a macro call cannot show, each with the reason.
const ELSEWHERE: &[(&str, &str)] = &[
    ("A-MASK", "a note: whatever rustc shows of a stable macro is a warning or an error"),
    ("A-REC", "a note: whatever rustc shows of a stable macro is a warning or an error"),
    ("X-BUG", "never the fault of a program"),
];

#[test]
fn broken_calls_show_our_diagnostics() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

/// Texts of the expectations.
fn expectations() -> Vec<(PathBuf, String)> {
    let entries = std::fs::read_dir("tests/ui").expect("tests run in the folder of their crate");
    let mut files: Vec<PathBuf> = entries.map(|e| e.expect("a readable entry").path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "stderr"));
    files.sort();
    files.into_iter().map(|f| (f.clone(), std::fs::read_to_string(&f).expect("UTF-8"))).collect()
}

#[test]
fn every_code_is_shown_or_excused() {
    let all: String = expectations().into_iter().map(|(_, text)| text).collect();
    for info in CODES {
        let code = info.code.0;
        let excused = ELSEWHERE.iter().any(|(c, _)| *c == code);
        assert_ne!(all.contains(&format!("[{code}]")), excused, "{code}: a case, or a reason why there is none");
    }
    for (code, _) in ELSEWHERE {
        assert!(CODES.iter().any(|info| info.code.0 == *code), "there is no code {code}");
    }
}

#[test]
fn rustc_has_nothing_to_add() {
    for (file, text) in expectations() {
        let errors: Vec<&str> = text.lines().filter(|l| l.starts_with("error") || l.starts_with("warning")).collect();
        assert!(!errors.is_empty(), "{} is empty", file.display());
        if file.ends_with("elsewhere.stderr") {
            continue;
        }
        for line in errors {
            let ours = line.starts_with("error: ") || line.starts_with("warning: use of deprecated constant `_::");
            assert!(ours && line.ends_with(']'), "{}: not ours: {line}", file.display());
        }
    }
}
