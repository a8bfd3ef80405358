//! Kernels of the library whose sums hold further sums over the same long rank, executed and compared with the
//! interpreter of the cascade.

use super::examples::{compare_at, members};
use crate::target::CpuCaps;

const SHAPES: &[&[(&str, i64)]] = &[
    &[("B", 1), ("H", 2), ("G", 1), ("P", 19), ("M", 67), ("T", 19)],
    &[("B", 1), ("H", 1), ("G", 1), ("P", 67), ("M", 3), ("T", 67)],
    &[("B", 1), ("H", 1), ("G", 1), ("P", 4), ("M", 4), ("T", 4)],
    &[("B", 1), ("H", 1), ("G", 1), ("P", 0), ("M", 0), ("T", 0)],
];

type Case = (&'static str, &'static [(&'static str, &'static str)]);

const CASES: &[Case] = &[
    ("attention_sparsemax", &[("E", "5"), ("F", "7")]),
    ("attention_entmax15", &[("E", "5"), ("F", "7")]),
    ("stick_breaking", &[("E", "5"), ("F", "7")]),
    ("linear_hedgehog", &[("E", "5"), ("F", "7"), ("D", "3")]),
    ("linear_hedgehog_causal", &[("E", "5"), ("F", "7"), ("D", "3")]),
    ("lolcats_hybrid", &[("E", "5"), ("F", "7"), ("D", "3"), ("W", "3")]),
    (
        "minference_vertical_slash",
        &[("E", "5"), ("F", "7"), ("N", "4"), ("A", "1"), ("C", "2"), ("I", "3"), ("J", "3")],
    ),
];

#[test]
fn sums_inside_sums() {
    for (name, set) in CASES {
        let text = crate::library::FILES.iter().map(|(_, t)| *t).find(|t| t.contains(&format!("kernel {name} {{")));
        for c in members(text.unwrap_or_default(), name, set) {
            assert_eq!(compare_at(&c, &CpuCaps::PORTABLE, SHAPES), Ok(SHAPES.len()), "{name}");
        }
    }
}
