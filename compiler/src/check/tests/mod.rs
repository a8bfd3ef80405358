//! Tests of the checker.

mod elaborate;
mod examples;
mod rules;

use super::{Checked, Options, check};
use crate::cascade::{Cascade, node_text, print, verify};
use crate::diag::{Diagnostic, Severity};
use crate::syntax::parse_str;

/// Parses and checks.
fn run(src: &str, set: &[(&str, &str)]) -> (Checked, Vec<Diagnostic>) {
    let (file, diags) = parse_str(src);
    assert!(diags.is_empty(), "{src}\n{diags:?}");
    let set = set.iter().map(|(k, v)| ((*k).to_string(), (*v).to_string())).collect();
    check(&file, &Options { set })
}

/// Checks a program without errors; every member is verified and survives its textual form.
fn accepted(src: &str, set: &[(&str, &str)]) -> (Vec<Cascade>, Vec<Diagnostic>) {
    let (checked, diags) = run(src, set);
    let errors: Vec<_> = diags.iter().filter(|d| d.severity == Severity::Error).map(text).collect();
    assert!(errors.is_empty(), "{src}\n{errors:#?}");
    let all: Vec<Cascade> = checked.kernels.into_iter().flat_map(|k| k.members).collect();
    for c in &all {
        if let Err(e) = verify(c) {
            panic!("{e:#?}\n{}", print(c));
        }
        assert_eq!(crate::cascade::parse(&print(c)).as_ref(), Ok(c), "{}", print(c));
    }
    (all, diags)
}

/// `CODE line: message`
fn text(d: &Diagnostic) -> String {
    format!("{} {}: {}", d.code.0, d.span.start.start().line, d.message)
}

/// The nodes of a cascade, without their origins.
fn nodes(c: &Cascade) -> Vec<String> {
    let bare = |n| node_text(c, n).split(" ; ").next().unwrap_or_default().to_string();
    c.nodes.iter().map(bare).collect()
}
