//! Lowered tile kernels against the interpreter's outputs; the tests of the tiling call it.

use crate::cascade::{Extent, Tensor, TensorKind};
use crate::interp::Tensors;
use crate::lane::exec::{Args, run};
use crate::lane::{RankSource, lower};
use crate::target::CpuCaps;
use crate::tile::{TileKernel, print_stages, verify};
use crate::types::{DType, ValueType};
use std::collections::BTreeMap;

/// Lowers a tile kernel, runs it in f32 and compares its outputs with the exact ones, unless its asserts refuse the
/// arguments.
#[track_caller]
pub(crate) fn agrees(
    k: &TileKernel,
    caps: &CpuCaps,
    inputs: &Tensors,
    scalars: &BTreeMap<String, f64>,
    extents: &BTreeMap<String, i64>,
    exact: &Tensors,
) {
    let verified = verify(k.clone()).unwrap_or_else(|e| panic!("{e:?}"));
    let lane = lower(&verified, caps).unwrap_or_else(|e| panic!("{e:?}\n{}", print_stages(k)));
    let mut args = arguments(k, &lane.sources, inputs, scalars, extents, exact);
    match run(&lane, &mut args) {
        Err(e) if e.starts_with("assertion does not hold") => return,
        other => other,
    }
    .unwrap_or_else(|e| panic!("{e} at {extents:?}\n{}\n{lane}", print_stages(k)));
    all_close(k, &args, exact, || format!("{extents:?}\n{}", print_stages(k)));
}

/// The outputs that a run left in its arguments are those of the interpreter.
#[track_caller]
pub(crate) fn all_close(k: &TileKernel, args: &Args, exact: &Tensors, context: impl Fn() -> String) {
    for (t, id) in k.memory.iter().enumerate() {
        let tensor = k.cascade.tensor(*id);
        if let Some(want) = exact.get(&tensor.name) {
            close(tensor, &args.tensors[t], &want.data, &context);
        }
    }
}

/// What a kernel from this tile program is called with.
pub(crate) fn arguments(
    k: &TileKernel,
    sources: &[RankSource],
    inputs: &Tensors,
    scalars: &BTreeMap<String, f64>,
    extents: &BTreeMap<String, i64>,
    exact: &Tensors,
) -> Args {
    let mut args = Args::default();
    for id in &k.memory {
        let tensor = k.cascade.tensor(*id);
        let data = match tensor.kind {
            TensorKind::In | TensorKind::InOut => inputs[&tensor.name].data.clone(),
            TensorKind::Out => vec![f64::NAN; exact[&tensor.name].data.len()],
            TensorKind::Let | TensorKind::Table => vec![],
        };
        args.tensors.push(data);
    }
    for (rank, source) in k.cascade.ranks.iter().zip(sources) {
        args.ranks.push(match (source, &rank.extent) {
            (RankSource::Dim { tensor, dim }, _) => {
                inputs[&k.cascade.tensor(k.memory[*tensor]).name].shape[*dim] as i64
            }
            (RankSource::Given, Extent::Free) => extents[&rank.name],
            _ => 0,
        });
    }
    for s in &k.cascade.scalars {
        match s.dtype.value_type() {
            ValueType::Float => args.floats.push(scalars[&s.name] as f32),
            ValueType::Index | ValueType::Bool => args.scalars.push(scalars[&s.name] as i64),
        }
    }
    args
}

/// Equal infinities and NaNs agree; numbers up to f32 rounding of sums of the size of the largest element, or up to
/// one unit of a narrower storage type.
#[track_caller]
fn close(tensor: &Tensor, got: &[f64], want: &[f64], context: impl Fn() -> String) {
    let scale = want.iter().filter(|x| x.is_finite()).fold(1.0f64, |a, x| a.max(x.abs()));
    let tolerance = match tensor.dtype {
        DType::Bf16 => 1e-2,
        DType::F16 => 2e-3,
        DType::F8E4M3 | DType::F8E5M2 => 0.3,
        _ => 2e-5,
    };
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        let same = g == w || g.is_nan() && w.is_nan() || (g - w).abs() <= tolerance * scale;
        assert!(same, "{}[{i}] is {g} instead of {w} at {}", tensor.name, context());
    }
}
