//! Tests of the checker.

mod elaborate;
mod examples;
mod mutants;
mod prover;
mod rules;

use super::{Checked, Options, check};
use crate::cascade::{Cascade, Extent, TensorKind, node_text, print, verify};
use crate::diag::{Diagnostic, Severity};
use crate::interp::{Bindings, Tensors, bind, random_inputs, run_cascade};
use crate::syntax::parse_str;
use std::collections::BTreeMap;

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

/// Runs a cascade on random inputs of many shapes, empty ones included. The interpreter refuses reads out of bounds and
/// of absent elements, so this tests that domains are complete.
fn executes(c: &Cascade) {
    let mut runs = 0;
    for seed in 0..10u64 {
        let extent = |i: usize| [3, 2, 4, 1, 0][(seed as usize * (i % 4 + 1) + seed as usize / 5 * i) % 5];
        let free = c.ranks.iter().enumerate().filter(|(_, r)| r.extent == Extent::Free);
        let extents: BTreeMap<String, i64> = free.map(|(i, r)| (r.name.clone(), extent(i))).collect();
        let scalars = c.scalars.iter().map(|s| (s.name.clone(), (seed % 4) as f64)).collect();
        let Ok(mut inputs) = random_inputs(c, &extents, seed) else { continue };
        for t in c.tensors.iter().filter(|t| t.dtype.is_int() && t.facts.range.is_none()) {
            // Far out of bounds on both sides.
            let data = inputs.get_mut(&t.name).into_iter().flat_map(|v| &mut v.data);
            data.for_each(|x| *x = t.dtype.round(*x * 3.0 - 4.0));
        }
        if bind(c, &inputs, &scalars, &extents).is_err() || !keeps_promises(c, &inputs, &extents) {
            continue;
        }
        runs += 1;
        if let Err(e) = run_cascade(c, &inputs, &scalars, &extents) {
            panic!("{e}\nextents {extents:?}\n{}", print(c));
        }
    }
    assert!(runs > 0, "{}", print(c));
}

/// A range over an empty rank promises what no element can keep.
fn keeps_promises(c: &Cascade, inputs: &Tensors, extents: &BTreeMap<String, i64>) -> bool {
    let b = Bindings::new(c, &BTreeMap::new(), extents);
    c.tensors.iter().filter(|t| t.kind == TensorKind::In).all(|t| match &t.facts.range {
        Some((lo, hi)) => match (b.index(lo), b.index(hi)) {
            (Ok(lo), Ok(hi)) => inputs[&t.name].data.iter().all(|x| lo as f64 <= *x && *x <= hi as f64),
            _ => true,
        },
        None => true,
    })
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
