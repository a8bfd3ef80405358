//! Kernels from source to SIMT programs, executed and compared with the interpreter of the cascade.

use crate::cascade::Cascade;
use crate::driver::Options;
use crate::interp::{random_inputs, run_cascade};
use crate::lane::tests::examples::{SHAPES, kernels, members};
use crate::lane::tests::{all_close, arguments};
use crate::passes::{Ir, Level, lower_in_plain_terms};
use crate::simt::exec::run;
use crate::simt::{SimtKernel, parse};
use crate::target::{Caps, GpuCaps};
use crate::tile::{TileKernel, print_stages};
use crate::types::DType;
use std::collections::BTreeMap;

/// The program of a kernel, and the tile program before it.
fn lowered(c: &Cascade, caps: &GpuCaps) -> Result<(TileKernel, SimtKernel), String> {
    let mut tile = None;
    let cx = Options::default().context(c, Caps::Gpu(caps.clone()));
    let simt = lower_in_plain_terms(c, Level::Simt, &cx, &mut |_, ir| {
        if let Ir::Tile(k) = ir {
            tile = Some(k.clone());
        }
    });
    let text = |r: crate::diag::Refusal| format!("{}: {} {:?}", r.code.0, r.message, r.notes);
    match (simt.map_err(|r| r.into_iter().map(text).collect::<Vec<_>>().join("; "))?, tile) {
        (Ir::Simt(simt), Some(tile)) => Ok((tile, simt)),
        _ => Err("no program came out".into()),
    }
}

fn scalars_of(c: &Cascade) -> BTreeMap<String, f64> {
    c.scalars.iter().map(|s| (s.name.clone(), if s.dtype.is_int() { 1.0 } else { 1.5 })).collect()
}

/// Lowers a kernel and compares it at every shape that its asserts accept; the number of comparisons.
fn compare(c: &Cascade, caps: &GpuCaps, shapes: &[&[(&str, i64)]]) -> Result<usize, String> {
    let (tile, simt) = lowered(c, caps)?;
    let text = simt.to_string();
    assert!(parse(&text).as_ref() == Ok(&simt), "{text}\nbecame {:?}", parse(&text).map(|k| k.to_string()));
    let scalars = scalars_of(c);
    let mut compared = 0;
    for (seed, shape) in shapes.iter().enumerate() {
        let extents: BTreeMap<String, i64> = shape.iter().map(|(n, k)| ((*n).to_string(), *k)).collect();
        let Ok(inputs) = random_inputs(c, &extents, seed as u64) else { continue };
        let Ok(exact) = run_cascade(c, &inputs, &scalars, &extents) else { continue };
        let mut args = arguments(&tile, &simt.sources, &inputs, &scalars, &extents, &exact);
        let context = || format!("{} on {} at {extents:?}\n{}", c.name, caps.name, print_stages(&tile));
        match run(&simt, &mut args) {
            Err(e) if e.starts_with("assertion does not hold") => continue,
            Err(e) => panic!("{e} of {}\n{simt}", context()),
            Ok(()) => all_close(&tile, &args, &exact, context),
        }
        compared += 1;
    }
    Ok(compared)
}

#[test]
fn examples_compute_what_the_cascade_says() {
    let text = include_str!("../../check/tests/examples.attn");
    let (mut refused, mut compared) = (vec![], 0);
    for c in kernels(text) {
        for caps in &GpuCaps::ALL {
            match compare(&c, caps, SHAPES) {
                Ok(n) => compared += n,
                Err(e) => refused.push(format!("{} {:?} on {}: {e}", c.name, c.spec, caps.name)),
            }
        }
    }
    // What no stage before this one supports is its business.
    let unexpected: Vec<&String> = refused.iter().filter(|r| !r.contains("U-TARGET")).collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
    assert!(compared > 60, "{compared} launches were compared");
}

type Case = (&'static str, &'static [(&'static str, &'static str)]);

/// Kernels of every way that tiles are spread: sums inside sums, scans, gathers, sorts, 16-bit storage.
const CASES: &[Case] = &[
    ("attention_sparsemax", &[("E", "5"), ("F", "7")]),
    ("stick_breaking", &[("E", "5"), ("F", "7")]),
    ("linear_hedgehog_causal", &[("E", "5"), ("F", "7"), ("D", "3")]),
    (
        "minference_vertical_slash",
        &[("E", "5"), ("F", "7"), ("N", "4"), ("A", "1"), ("C", "2"), ("I", "3"), ("J", "3")],
    ),
];

const LIBRARY_SHAPES: &[&[(&str, i64)]] = &[
    &[("B", 1), ("H", 2), ("G", 1), ("P", 19), ("M", 67), ("T", 19)],
    &[("B", 1), ("H", 1), ("G", 1), ("P", 67), ("M", 3), ("T", 67)],
    &[("B", 1), ("H", 1), ("G", 1), ("P", 0), ("M", 0), ("T", 0)],
];

/// Compares a kernel of the library on every GPU at these shapes; at least two of them fit its asserts.
#[track_caller]
fn library_kernel(name: &str, set: &[(&str, &str)], shapes: &[&[(&str, i64)]]) {
    let text = crate::library::FILES.iter().map(|(_, t)| *t).find(|t| t.contains(&format!("kernel {name} {{")));
    let found = members(text.unwrap_or_default(), name, set);
    assert!(!found.is_empty(), "the library has no {name}");
    for c in found {
        for caps in &GpuCaps::ALL {
            let compared = compare(&c, caps, shapes);
            assert!(compared.as_ref().is_ok_and(|n| *n >= 2), "{name} on {}: {compared:?}", caps.name);
        }
    }
}

#[test]
fn kernels_of_the_library() {
    for (name, set) in CASES {
        library_kernel(name, set, LIBRARY_SHAPES);
    }
}

/// Heads so large that left operands pass through shared memory in parts, and that tiles of a thread lie in scratch.
#[test]
fn large_heads() {
    const SHAPES: &[&[(&str, i64)]] =
        &[&[("B", 1), ("H", 1), ("G", 1), ("P", 5), ("M", 40)], &[("B", 1), ("H", 1), ("G", 1), ("P", 2), ("M", 3)]];
    for set in [[("E", "130"), ("F", "140")], [("E", "1100"), ("F", "9")]] {
        library_kernel("attention_causal", &set, SHAPES);
    }
}

/// Page tables, lists and lengths that hold anything: no access leaves its tensor.
#[test]
fn wild_indices_stay_inside() {
    const WILD: [f64; 5] = [i32::MIN as f64, i32::MAX as f64, -1.0, 0.0, 1e9];
    const SET: &[(&str, &str)] =
        &[("E", "5"), ("F", "7"), ("W", "3"), ("C", "4"), ("J", "2"), ("N", "4"), ("PG", "4"), ("D", "3"), ("S", "1")];
    let text = |file: &str| crate::library::FILES.iter().find(|(name, _)| *name == file).map_or("", |(_, t)| *t);
    let extents: BTreeMap<String, i64> = SHAPES[1].iter().map(|(n, k)| ((*n).to_string(), *k)).collect();
    let mut launched = 0;
    for (file, name) in
        [("decode.attn", "paged_decode"), ("decode.attn", "paged_prefill"), ("decode.attn", "ring_buffer_decode")]
    {
        for (c, caps) in members(text(file), name, SET).iter().flat_map(|c| GpuCaps::ALL.iter().map(move |g| (c, g))) {
            let (tile, simt) = lowered(c, caps).expect("it is lowered");
            let mut inputs = random_inputs(c, &extents, 1).expect("the shape fits");
            let exact = run_cascade(c, &inputs, &scalars_of(c), &extents).expect("the shape fits");
            for first in 0..WILD.len() {
                for t in c.tensors.iter().filter(|t| t.dtype == DType::I32) {
                    let data = inputs.get_mut(&t.name).map(|v| &mut v.data).into_iter().flatten();
                    data.enumerate().for_each(|(i, x)| *x = WILD[(i + first) % WILD.len()]);
                }
                let mut args = arguments(&tile, &simt.sources, &inputs, &scalars_of(c), &extents, &exact);
                let ran = run(&simt, &mut args);
                assert!(ran.is_ok(), "{name} on {}: {ran:?}\n{simt}", caps.name);
                launched += 1;
            }
        }
    }
    assert!(launched >= 30, "{launched} launches");
}

/// Stages that take the matrix units: head dims that are no multiples of a fragment, ragged tiles, masked rows, every storage type.
#[test]
fn products_of_attention_are_fragments() {
    const SHAPES: &[&[(&str, i64)]] = &[
        &[("B", 1), ("H", 2), ("G", 1), ("P", 70), ("M", 150)],
        &[("B", 2), ("H", 1), ("G", 1), ("P", 65), ("M", 3)],
        &[("B", 1), ("H", 1), ("G", 1), ("P", 1), ("M", 64)],
    ];
    let text = crate::library::FILES.iter().find(|(name, _)| *name == "dense.attn").map(|(_, t)| *t);
    let mut compared = 0;
    for (e, f, dtype) in [("40", "24", "bf16"), ("40", "24", "f32"), ("20", "12", "f16"), ("20", "12", "f32")] {
        for c in members(text.unwrap_or_default(), "attention_causal", &[("E", e), ("F", f), ("Elem", dtype)]) {
            for caps in [&GpuCaps::SM_80, &GpuCaps::SM_90A] {
                let (_, simt) = lowered(&c, caps).expect("it is lowered");
                assert!(simt.stages.iter().all(|s| s.subgroup == Some(32)), "{:?}", c.spec);
                compared += compare(&c, caps, SHAPES).expect("it is lowered");
            }
        }
    }
    assert_eq!(compared, 2 * 4 * SHAPES.len());
}
