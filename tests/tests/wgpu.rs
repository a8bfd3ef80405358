//! Every vector on a GPU through WGSL, be it a software one. Needs an adapter.

use einattn::wgpu::Gpu;
use einattn_tests::vectors::{Report, Wgpu, run, suite};

/// Prints the table and fails if an output is wrong or a kernel refused.
#[track_caller]
fn all(dtypes: &[&str]) {
    let target = Wgpu { gpu: Gpu::open().expect("an adapter, such as Mesa's lavapipe") };
    let wanted = std::env::var("EINATTN_VECTOR").unwrap_or_default();
    let mut cases = suite().expect("the test vectors are there");
    cases.retain(|c| c.name.contains(&wanted));
    let reports: Vec<Report> = dtypes.iter().map(|dtype| run(&cases, &[&target], dtype)).collect();
    reports.iter().for_each(|r| println!("{r}"));
    let failures: Vec<String> = reports.iter().flat_map(Report::complaints).collect();
    assert!(failures.is_empty(), "{}:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn vectors_in_f32() {
    all(&["f32"]);
}

#[test]
fn vectors_in_16_bits() {
    all(&["bf16", "f16"]);
}
