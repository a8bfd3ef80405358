//! No kernel fails or leaves its tensors, whatever indices it is given: machine code of Cranelift for every vector.
//! `macro_vectors` and `macro_vectors_narrow` do the same to what the macros made.

use einattn_tests::safety;
use einattn_tests::vectors::{Cranelift, suite};

#[track_caller]
fn check(dtype: &str) {
    let cases = suite().expect("the test vectors are there");
    let count = safety::all(&cases, &Cranelift, dtype).unwrap_or_else(|wrong| panic!("{wrong}"));
    println!("{dtype}: {count:?}");
    assert!(count.kernels >= 100 && count.wild >= 100, "{count:?}");
}

#[test]
fn f32_stays_inside() {
    check("f32");
}

#[test]
fn bf16_stays_inside() {
    check("bf16");
}

#[test]
fn f16_stays_inside() {
    check("f16");
}
