//! Every vector on every target.

use einattn_tests::vectors::{Interpreter, Plan, run, suite};

/// The interpreter reproduces every vector in scope to 1e-6.
#[test]
fn interpreter() {
    let cases = suite().expect("the test vectors are there");
    let report = run(&cases, &[&Interpreter], "f32");
    println!("{report}");
    for case in &cases {
        if let Plan::OutOfScope(why) = &case.plan {
            println!("out of scope: {}: {why}", case.name);
        }
    }
    assert!(
        report.failures().is_empty(),
        "{} of {}:\n{}",
        report.failures().len(),
        cases.len(),
        report.failures().join("\n")
    );
}
