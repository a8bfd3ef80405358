//! Every vector on every target.

use einattn_tests::vectors::{Cranelift, Interpreter, Report, Target, run, suite};

/// Prints the table and fails if an output is wrong. What a target refuses, and what is out of scope, is counted and
/// printed with its reason.
fn all(target: &dyn Target, dtypes: &[&str]) {
    let cases = suite().expect("the test vectors are there");
    let reports: Vec<Report> = dtypes.iter().map(|dtype| run(&cases, &[target], dtype)).collect();
    let mut failures = vec![];
    for report in &reports {
        println!("{report}");
        failures.extend(report.failures());
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

/// The interpreter reproduces every vector in scope to 1e-6.
#[test]
fn interpreter() {
    all(&Interpreter, &["f32"]);
}

/// Machine code, with the bounds of eager evaluations in the same type.
#[test]
fn cranelift() {
    all(&Cranelift, &["f32", "bf16", "f16"]);
}
