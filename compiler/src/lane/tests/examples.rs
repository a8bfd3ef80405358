//! The examples of the language reference from source to lane programs, executed and compared with the interpreter of
//! the cascade.

use super::agrees;
use crate::cascade::Cascade;
use crate::check::{Options, check};
use crate::driver;
use crate::interp::{random_inputs, run_cascade};
use crate::passes::Ir;
use crate::syntax::ast::{File, Item};
use crate::syntax::parse_str;
use crate::target::CpuCaps;
use std::collections::BTreeMap;

/// Small heads, windows and blocks where a kernel leaves them open.
const SET: [(&str, &str); 8] =
    [("E", "5"), ("F", "7"), ("W", "3"), ("C", "4"), ("J", "2"), ("N", "4"), ("R", "1"), ("PG", "4")];

/// Extents that fit the asserts of every example; masks leave some rows empty.
pub(crate) const SHAPES: &[&[(&str, i64)]] = &[
    &[("B", 1), ("H", 2), ("G", 1), ("P", 19), ("M", 105), ("T", 4), ("C", 3), ("MP", 1), ("NP", 2)],
    &[("B", 2), ("H", 2), ("G", 2), ("P", 5), ("M", 3), ("T", 1), ("C", 2), ("MP", 2), ("NP", 1)],
    &[("B", 1), ("H", 1), ("G", 1), ("P", 2), ("M", 0), ("T", 0), ("C", 1), ("MP", 0), ("NP", 1)],
    &[("B", 1), ("H", 1), ("G", 1), ("P", 0), ("M", 2), ("T", 2), ("C", 0), ("MP", 1), ("NP", 1)],
];

pub(crate) fn kernels(text: &str) -> Vec<Cascade> {
    let (file, diags) = parse_str(text);
    assert!(diags.is_empty(), "{diags:?}");
    elaborate(&file, &SET)
}

/// The first member of the kernel `name`, with those of the names set that it has.
pub(crate) fn members(text: &str, name: &str, set: &[(&str, &str)]) -> Vec<Cascade> {
    let (mut file, diags) = parse_str(text);
    assert!(diags.is_empty(), "{diags:?}");
    file.items.retain(|i| match i {
        Item::Kernel(k) => k.name.name == name,
        Item::Schedule(_) => false,
        Item::Fn(_) | Item::Mask(_) => true,
    });
    let mut c = elaborate(&file, set);
    c.truncate(1);
    c
}

fn elaborate(file: &File, set: &[(&str, &str)]) -> Vec<Cascade> {
    let set = set.iter().map(|(k, v)| ((*k).to_string(), (*v).to_string())).collect();
    let (checked, _) = check(file, &Options { set });
    checked.kernels.into_iter().flat_map(|k| k.members).collect()
}

/// Lowers a kernel and compares it at every shape that its asserts accept; the number of comparisons.
fn compare(c: &Cascade, caps: &CpuCaps) -> Result<usize, String> {
    compare_at(c, caps, SHAPES)
}

/// [`compare`] at these shapes.
pub(super) fn compare_at(c: &Cascade, caps: &CpuCaps, shapes: &[&[(&str, i64)]]) -> Result<usize, String> {
    let mut tile = None;
    let options = driver::Options::default();
    driver::lower_observed(c, caps, &options, &mut |_, level| {
        if let Ir::Tile(k) = level {
            tile = Some(k.clone());
        }
    })
    .map_err(|r| {
        r.iter().map(|r| format!("{}: {} {:?}", r.code.0, r.message, r.notes)).collect::<Vec<_>>().join("; ")
    })?;
    let tile = tile.ok_or("no tile program was seen")?;
    let scalars: BTreeMap<String, f64> =
        c.scalars.iter().map(|s| (s.name.clone(), if s.dtype.is_int() { 1.0 } else { 1.5 })).collect();
    let mut compared = 0;
    for (seed, shape) in shapes.iter().enumerate() {
        let extents: BTreeMap<String, i64> = shape.iter().map(|(n, k)| ((*n).to_string(), *k)).collect();
        let Ok(inputs) = random_inputs(c, &extents, seed as u64) else { continue };
        let Ok(exact) = run_cascade(c, &inputs, &scalars, &extents) else { continue };
        agrees(&tile, caps, &inputs, &scalars, &extents, &exact);
        compared += 1;
    }
    Ok(compared)
}

#[test]
fn examples_compute_what_the_cascade_says() {
    let text = include_str!("../../check/tests/examples.attn");
    let mut refused = vec![];
    let mut compared = 0;
    for c in kernels(text) {
        for caps in [CpuCaps::AVX2, CpuCaps::PORTABLE] {
            match compare(&c, &caps) {
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
