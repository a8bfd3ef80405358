//! The checks: names, and what each does.

use super::guarded::{Guarded, Layout};
use crate::gpu_kernels::{KERNELS, text_for};
use crate::vectors::{Case, Launch, Outcome, Plan, judge, refusals_text};
use attnc::cpu::{NoProgram, Scalars};
use attnc::cuda::Program;
use einattn::cuda::Device;
use einattn_compiler::cascade::Cascade;
use einattn_compiler::diag::Code;
use einattn_compiler::driver::{Options, check_source};
use einattn_compiler::interp::{Tensors, bind, random_inputs, run_cascade};
use einattn_compiler::types::DType;
use std::collections::BTreeMap;

/// Types of the floats.
const TYPES: [&str; 3] = ["f32", "bf16", "f16"];

/// Head dimensions; the second is the one that large models have.
const HEADS: [i64; 2] = [16, 64];

/// Extents of the free ranks: longer and shorter than tiles, no multiples of them, single and no elements.
const SHAPES: [&[(&str, i64)]; 6] = [
    &[("B", 2), ("H", 2), ("G", 1), ("P", 9), ("M", 71), ("Y", 6), ("X", 5)],
    &[("B", 1), ("H", 2), ("G", 2), ("P", 130), ("M", 200), ("Y", 11), ("X", 13)],
    &[("B", 1), ("H", 1), ("G", 1), ("P", 64), ("M", 128), ("Y", 8), ("X", 8)],
    &[("B", 1), ("H", 3), ("G", 3), ("P", 67), ("M", 65), ("Y", 5), ("X", 9)],
    &[("B", 1), ("H", 1), ("G", 1), ("P", 1), ("M", 1), ("Y", 5), ("X", 5)],
    &[("B", 1), ("H", 1), ("G", 1), ("P", 3), ("M", 0), ("Y", 5), ("X", 0)],
];

/// Launches of a kernel that must give the same bits.
const REPEATS: usize = 1000;

/// One check.
pub enum Check {
    /// A vector, its floats in a type.
    Vector(Box<Case>, &'static str),
    /// A kernel on random tensors of some shapes: text, type, head dimension.
    Random(&'static str, &'static str, i64),
    /// A kernel many times.
    Repeat(&'static str, &'static str),
}

/// All checks with their names. Without the folder of the vectors there are none of those.
pub fn all(cases: Vec<Case>) -> Vec<(String, Check)> {
    let mut out = vec![];
    for dtype in TYPES {
        for (name, text) in KERNELS {
            for head in HEADS {
                out.push((format!("random/{name}/{dtype}/{head}"), Check::Random(text, dtype, head)));
            }
        }
    }
    for dtype in ["f32", "bf16"] {
        out.push((format!("repeat/causal/{dtype}"), Check::Repeat(KERNELS[1].1, dtype)));
    }
    for case in cases {
        for dtype in TYPES {
            if dtype == "f32" || case.is_generic() {
                out.push((format!("vector/{}/{dtype}", case.name), Check::Vector(Box::new(case.clone()), dtype)));
            }
        }
    }
    out
}

impl Check {
    /// Runs the check.
    pub fn run(&self, device: &'static Device) -> Outcome {
        let outcome = match self {
            Check::Vector(case, dtype) => vector(device, case, dtype),
            Check::Random(text, dtype, head) => random(device, text, dtype, *head),
            Check::Repeat(text, dtype) => repeat(device, text, dtype),
        };
        outcome.unwrap_or_else(|o| o)
    }
}

/// Failures and refusals end a check early.
type Ended = Result<Outcome, Outcome>;

fn failed(why: String) -> Outcome {
    Outcome::Failed(why)
}

fn program(c: &Cascade) -> Result<Program, Outcome> {
    match Program::new(c, super::arch().map_err(Outcome::Failed)?, &Options::default()) {
        Ok(program) => Ok(program),
        // A bug of the compiler is a failure, never a refusal.
        Err(NoProgram::Refused(r)) if r.iter().any(|r| r.code == Code::INTERNAL) => {
            Err(Outcome::Failed(refusals_text(&r)))
        }
        Err(NoProgram::Refused(r)) => Err(Outcome::Refused(refusals_text(&r))),
        Err(NoProgram::Failed(why)) => Err(Outcome::Failed(why)),
    }
}

fn vector(device: &'static Device, case: &Case, dtype: &str) -> Ended {
    match &case.plan {
        Plan::OutOfScope(why) => return Ok(Outcome::OutOfScope(why.clone())),
        Plan::Missing => return Err(failed("no kernel in the library".to_string())),
        Plan::Kernel { .. } => {}
    }
    let tensors = case.tensors().map_err(failed)?;
    let launch = case.kernel(&tensors, dtype).map_err(failed)?;
    let program = program(&launch.cascade)?;
    let got = run(device, &program, &launch, Layout::Dense).map_err(failed)?;
    Ok(judge(case, &tensors, &got, dtype))
}

fn run(device: &'static Device, program: &Program, l: &Launch, layout: Layout) -> Result<Tensors, String> {
    let bindings = bind(&l.cascade, &l.inputs, &l.scalars, &BTreeMap::new())?;
    let guarded = Guarded::new(program, device, (&l.cascade, &l.inputs, &bindings), layout)?;
    guarded.run(&Scalars::new(&l.cascade, &bindings))
}

/// A kernel of `tests/kernels` with its floats in a type.
fn kernel(text: &str, dtype: &str, head: i64) -> Result<Cascade, Outcome> {
    let (text, set) = text_for(text, dtype, head);
    let (checked, diags) = check_source(&text, &set);
    if let Some(d) = diags.first() {
        return Err(failed(d.message.clone()));
    }
    let member = checked.kernels.into_iter().next().and_then(|k| k.members.into_iter().next());
    member.ok_or_else(|| failed("there is no kernel".to_string()))
}

fn random(device: &'static Device, text: &str, dtype: &str, head: i64) -> Ended {
    let c = kernel(text, dtype, head)?;
    let program = program(&c)?;
    let scalars: BTreeMap<String, f64> = c.scalars.iter().map(|s| (s.name.clone(), 2.0)).collect();
    let (mut worst, mut launches) = (0f64, 0);
    for (i, shape) in SHAPES.iter().enumerate() {
        let extents = shape.iter().map(|(name, n)| ((*name).to_string(), *n)).collect();
        // A shape that the kernel's own asserts rule out is none of its shapes.
        let Ok(inputs) = random_inputs(&c, &extents, i as u64) else { continue };
        let Ok(want) = run_cascade(&c, &inputs, &scalars, &extents) else { continue };
        let bindings = bind(&c, &inputs, &scalars, &extents).map_err(failed)?;
        for layout in Layout::ALL {
            let place = |why: String| failed(format!("{why} for {shape:?} {layout:?}"));
            let guarded = Guarded::new(&program, device, (&c, &inputs, &bindings), layout).map_err(place)?;
            let got = guarded.run(&Scalars::new(&c, &bindings)).map_err(place)?;
            worst = worst.max(difference(&c, &want, &got).map_err(place)?);
            launches += 1;
        }
    }
    if launches == 0 { Err(failed("no shape fits".to_string())) } else { Ok(Outcome::Accepted(worst)) }
}

/// The largest error of an element, as a part of the largest element.
fn difference(c: &Cascade, want: &Tensors, got: &Tensors) -> Result<f64, String> {
    let mut worst = 0f64;
    for (name, want) in want {
        let got = got.get(name).ok_or_else(|| format!("`{name}` is missing"))?;
        let dtype = c.tensor_by_name(name).map_or(DType::F32, |t| c.tensor(t).dtype);
        // Probabilities that enter a matrix product are rounded to the type of its operands.
        let bound = match dtype {
            DType::Bf16 => 1.0 / 64.0,
            DType::F16 => 1.0 / 512.0,
            _ => 2e-5,
        };
        let scale = want.data.iter().filter(|x| x.is_finite()).fold(1.0, |m: f64, x| m.max(x.abs()));
        for (i, (a, b)) in want.data.iter().zip(&got.data).enumerate() {
            let a = f64::from(*a as f32);
            if a == *b || a.is_nan() && b.is_nan() {
                continue;
            }
            let error = (a - b).abs() / scale;
            if error.is_nan() || error > bound {
                return Err(format!("element {i} of `{name}` is {b}, the interpreter says {a}"));
            }
            worst = worst.max(error);
        }
    }
    Ok(worst)
}

fn repeat(device: &'static Device, text: &str, dtype: &str) -> Ended {
    let c = kernel(text, dtype, 64)?;
    let program = program(&c)?;
    let extents = [("B", 2), ("H", 4), ("P", 333), ("M", 333)].map(|(n, x)| (n.to_string(), x)).into();
    let inputs = random_inputs(&c, &extents, 7).map_err(failed)?;
    let bindings = bind(&c, &inputs, &BTreeMap::new(), &extents).map_err(failed)?;
    let guarded = Guarded::new(&program, device, (&c, &inputs, &bindings), Layout::Dense).map_err(failed)?;
    let scalars = Scalars::new(&c, &bindings);
    let bits = |t: &Tensors| t.values().flat_map(|v| v.data.iter().map(|x| x.to_bits())).collect::<Vec<u64>>();
    let first = bits(&guarded.run(&scalars).map_err(failed)?);
    for i in 1..REPEATS {
        if bits(&guarded.run(&scalars).map_err(failed)?) != first {
            return Err(failed(format!("launch {i} gave other bits than the first")));
        }
    }
    Ok(Outcome::Accepted(0.0))
}
