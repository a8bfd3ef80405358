//! Vectors of all families in bf16 and f16 through the macros: right, and inside of their tensors.
//!
//! `kernels.rs` instantiates each kernel of the library for each distinct choice of params, extents and storage type. It
//! is a file, so that an instance that the compiler begins to refuse is an error of this crate. The code is made for the
//! best instruction set of this machine alone (`build.rs`).

#[rustfmt::skip]
mod kernels;

use einattn_tests::safety;
use einattn_tests::vectors::{MacroMade, Report, narrow, run, suite};

const DTYPES: &[&str] = &["bf16", "f16"];

const RUST: MacroMade = MacroMade { kernels: kernels::KERNELS };

#[test]
fn vectors_are_right() {
    let cases = suite().and_then(|cases| narrow(&cases)).expect("the test vectors are there");
    let reports: Vec<Report> = DTYPES.iter().map(|dtype| run(&cases, &[&RUST], dtype)).collect();
    reports.iter().for_each(|r| println!("{r}"));
    let failures: Vec<String> = reports.iter().flat_map(Report::complaints).collect();
    assert!(failures.is_empty(), "{}:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn wild_indices_stay_inside() {
    let cases = suite().and_then(|cases| narrow(&cases)).expect("the test vectors are there");
    for dtype in DTYPES {
        let count = safety::all(&cases, &RUST, dtype).unwrap_or_else(|wrong| panic!("{wrong}"));
        println!("{dtype}: {count:?}");
        assert!(count.kernels >= 30 && count.wild >= 40, "{count:?}");
    }
}
