//! What `attnc check` prints for broken programs: `ui/check/NAME.attn` with the expected text in `NAME.txt`.
//!
//! `UPDATE_UI=1 cargo test -p einattn-tests --test ui_check` writes the expectations; read the difference before committing it.

use einattn_compiler::diag::CODES;
use std::path::{Path, PathBuf};

/// Codes that `attnc check` cannot report, each with the reason.
const ELSEWHERE: &[(&str, &str)] = &[
    ("U-TARGET", "the program is right: commands that compile for a target report it"),
    ("X-BUG", "never the fault of a program"),
];

/// What the command prints for a file, and its exit code.
fn attnc_check(file: &Path) -> (u8, String) {
    let (mut out, mut err) = (vec![], vec![]);
    let mut io = attnc::Io { out: &mut out, err: &mut err, styled: false };
    let code = attnc::main(["attnc".into(), "check".into(), file.into()], &mut io);
    assert!(out.is_empty(), "diagnostics go to the error stream");
    (code, String::from_utf8(err).expect("UTF-8"))
}

fn cases() -> Vec<PathBuf> {
    let entries = std::fs::read_dir("ui/check").expect("tests run in the folder of their crate");
    let mut files: Vec<PathBuf> = entries.map(|e| e.expect("a readable entry").path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "attn"));
    files.sort();
    files
}

#[test]
fn diagnostics_look_as_expected() {
    let update = std::env::var_os("UPDATE_UI").is_some();
    let mut wrong = vec![];
    for file in cases() {
        let (_, text) = attnc_check(&file);
        let expected = file.with_extension("txt");
        if update {
            std::fs::write(&expected, &text).expect("a writable folder");
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != text {
            wrong.push(format!("{}:\n{text}", expected.display()));
        }
    }
    assert!(wrong.is_empty(), "these differ from the expectation:\n{}", wrong.join("\n"));
}

/// The code that a case is about: `t_free.attn`, `p_lex_brackets.attn`.
fn code_of(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    stem.split('_').take(2).collect::<Vec<_>>().join("-").to_uppercase()
}

#[test]
fn every_code_has_a_case() {
    let cases = cases();
    for info in CODES {
        let code = info.code.0;
        let elsewhere = ELSEWHERE.iter().any(|(c, _)| *c == code);
        let mut cases = cases.iter().filter(|f| code_of(f) == code).peekable();
        assert_ne!(cases.peek().is_some(), elsewhere, "{code}: a case, or a reason why there is none");
        for case in cases {
            let (exit, text) = attnc_check(case);
            assert!(text.contains(&format!("[{code}]")), "{} does not show {code}", case.display());
            assert_eq!(exit == 1, text.contains("error["), "{}", case.display());
        }
    }
}
