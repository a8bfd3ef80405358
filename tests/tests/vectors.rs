//! Every vector on every target; `macro_vectors` and `macro_vectors_narrow` run those that the macros made.

use einattn_tests::vectors::{Cranelift, Interpreter, Report, Target, kernels_source, narrow, run, suite};
use std::path::Path;

/// Prints the table, with the reason for what is out of scope, and fails if an output is wrong or a kernel refused.
fn all(target: &dyn Target, dtypes: &[&str]) {
    let cases = suite().expect("the test vectors are there");
    let reports: Vec<Report> = dtypes.iter().map(|dtype| run(&cases, &[target], dtype)).collect();
    reports.iter().for_each(|r| println!("{r}"));
    let failures: Vec<String> = reports.iter().flat_map(Report::complaints).collect();
    assert!(failures.is_empty(), "{}:\n{}", failures.len(), failures.join("\n"));
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

/// Compares a list of instances with its file.
#[track_caller]
fn listed(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("EINATTN_BLESS").is_some() {
        std::fs::write(&path, text).expect("the list can be written");
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == text, "{file}: EINATTN_BLESS=1 writes it anew");
}

/// The tests of the macros have every instance that the compiler accepts, and no other.
#[test]
fn instances_of_f32() {
    let cases = suite().expect("the test vectors are there");
    let text = kernels_source(&cases, &["f32"]).expect("the library has the kernels of the vectors");
    listed("tests/macro_vectors/kernels.rs", &text);
}

/// The same for 16-bit storage.
#[test]
fn instances_of_bf16_and_f16() {
    let cases = suite().and_then(|cases| narrow(&cases)).expect("the test vectors are there");
    let text = kernels_source(&cases, &["bf16", "f16"]).expect("the library has the kernels of the vectors");
    listed("tests/macro_vectors_narrow/kernels.rs", &text);
}
