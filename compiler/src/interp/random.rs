//! Seeded random inputs that respect what a cascade promises about its tensors.

use super::bind::Bindings;
use super::{Tensors, Value};
use crate::cascade::{Cascade, Facts, Tensor, TensorKind};
use crate::types::DType;
use std::collections::BTreeMap;

/// Random inputs for the given extents of the free ranks (a missing one is 3): the same seed gives the same numbers.
///
/// Floats are normal, integers uniform in their `range` (`0..=3` without one), bools fair. Signs, order, ranges and
/// unit norms follow the facts of each tensor; everything is rounded to its storage type. Integer scalars are 1.
pub fn random_inputs(c: &Cascade, extents: &BTreeMap<String, i64>, seed: u64) -> Result<Tensors, String> {
    let mut extents = extents.clone();
    for r in &c.ranks {
        extents.entry(r.name.clone()).or_insert(3);
    }
    let scalars = c.scalars.iter().map(|s| (s.name.clone(), 1.0)).collect();
    let bindings = Bindings::new(c, &scalars, &extents);
    let mut rng = Rng(seed);
    let mut out = Tensors::new();
    for t in c.tensors.iter().filter(|t| matches!(t.kind, TensorKind::In | TensorKind::InOut)) {
        out.insert(t.name.clone(), tensor(t, &bindings, &mut rng).map_err(|e| format!("`{}`: {e}", t.name))?);
    }
    Ok(out)
}

fn tensor(t: &Tensor, b: &Bindings, rng: &mut Rng) -> Result<Value, String> {
    let dim = |e| {
        let n = b.index(e).map_err(|f| f.to_string())?;
        usize::try_from(n).map_err(|_| format!("a dimension is {n}"))
    };
    let shape = t.dims.iter().map(dim).collect::<Result<Vec<_>, _>>()?;
    let bound = |e| b.index(e).map_err(|f| f.to_string());
    let range = t.facts.range.as_ref().map(|(lo, hi)| Ok::<_, String>((bound(lo)?, bound(hi)?))).transpose()?;
    let mut v = Value::filled(&shape, 0.0);
    for x in &mut v.data {
        *x = element(t.dtype, &t.facts, range, rng);
    }
    let row = shape.last().copied().unwrap_or(1).max(1);
    for row in v.data.chunks_mut(row) {
        fit_row(row, &t.facts);
        for x in row {
            *x = t.dtype.round(*x);
        }
    }
    Ok(v)
}

fn element(ty: DType, f: &Facts, range: Option<(i64, i64)>, rng: &mut Rng) -> f64 {
    if ty == DType::Bool {
        return rng.below(2) as f64;
    }
    if !ty.is_float() {
        let (lo, hi) = range.unwrap_or((0, 3));
        return (lo + rng.below((hi - lo + 1).max(1) as u64) as i64) as f64;
    }
    let x = rng.normal();
    let x = if f.nonpositive {
        -x.abs()
    } else if f.nonnegative {
        x.abs()
    } else {
        x
    };
    range.map_or(x, |(lo, hi)| x.max(lo as f64).min(hi as f64))
}

/// Facts about a whole row along the last dimension.
fn fit_row(row: &mut [f64], f: &Facts) {
    if f.sorted {
        row.sort_by(f64::total_cmp);
    }
    if f.unit_norm {
        // A little below 1, so that rounding to the storage type keeps the promise.
        let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt() * 1.01;
        for x in row.iter_mut().filter(|_| norm > 0.0) {
            *x /= norm;
        }
    }
}

/// SplitMix64.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    /// In (0, 1].
    fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (2.0 * std::f64::consts::PI * self.uniform()).cos()
    }
}
