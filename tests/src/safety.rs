//! Wild indices: tensors of page tables, lists and lengths hold anything, and kernels neither fail nor touch what is
//! not theirs, write every element of their outputs, and compute the same bits on any number of threads.

use crate::compiled::Compiled;
use crate::vectors::{Case, CpuTarget, Launch, NoCode, Plan};
use attnc::cpu::{Buffer, Scalars, Tensor};
use einattn_compiler::interp::{Bindings, bind};
use einattn_compiler::types::DType;
use std::collections::BTreeMap;

/// What index tensors hold.
const WILD: [f64; 5] = [i32::MIN as f64, i32::MAX as f64, -1.0, 0.0, 1e9];

/// What canaries, and outputs before a launch, hold. A result of 8 bits may happen to be one of them, not both.
const MARKS: [f64; 2] = [113.0, 57.0];

/// Elements behind each buffer that no kernel may touch.
const CANARY: usize = 64;

/// What was launched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Kernels, each with its own inputs or with wild indices.
    pub kernels: usize,
    /// Choices of wild indices.
    pub wild: usize,
}

/// Launches every vector that the target compiles, its index tensors replaced in every way; the floats in `dtype`.
///
/// # Errors
///
/// What went wrong, one line a vector.
pub fn all(cases: &[Case], target: &dyn CpuTarget, dtype: &str) -> Result<Count, String> {
    let (mut count, mut wrong) = (Count::default(), vec![]);
    for case in cases.iter().filter(|c| matches!(c.plan, Plan::Kernel { .. })) {
        match one(case, target, dtype) {
            Ok(Some(wild)) => count = Count { kernels: count.kernels + 1, wild: count.wild + wild },
            Ok(None) => {}
            Err(why) => wrong.push(format!("{} on {}: {why}", case.name, target.name())),
        }
    }
    if wrong.is_empty() { Ok(count) } else { Err(format!("{}:\n{}", wrong.len(), wrong.join("\n"))) }
}

/// The choices of wild indices that were launched; `None` if the kernel is refused.
fn one(case: &Case, target: &dyn CpuTarget, dtype: &str) -> Result<Option<usize>, String> {
    let mut launch = case.kernel(&case.tensors()?, dtype)?;
    let given = launch.inputs.clone();
    let code = match target.code(&launch) {
        Ok(code) => code,
        Err(NoCode::Refused(_)) => return Ok(None),
        Err(NoCode::Broken(why)) => return Err(why),
    };
    let indices = launch.cascade.tensors.iter().filter(|t| t.dtype == DType::I32 && given.contains_key(&t.name));
    let indices: Vec<String> = indices.map(|t| t.name.clone()).collect();
    for first in 0..WILD.len() {
        for name in &indices {
            let data = launch.inputs.get_mut(name).map(|v| &mut v.data).into_iter().flatten();
            data.enumerate().for_each(|(i, x)| *x = WILD[(i + first) % WILD.len()]);
        }
        untouched(&*code, &launch).map_err(|why| format!("from {first}: {why}"))?;
        if indices.is_empty() {
            return Ok(Some(0));
        }
    }
    Ok(Some(WILD.len()))
}

/// Launches with both marks: outputs that differ hold an element that was not written.
fn untouched(code: &dyn Compiled, launch: &Launch) -> Result<(), String> {
    let bindings = bind(&launch.cascade, &launch.inputs, &launch.scalars, &BTreeMap::new())?;
    let [a, b] = MARKS.map(|mark| run(code, launch, &bindings, mark));
    for ((caller, a), b) in code.callers().iter().zip(a?).zip(b?) {
        if a != b {
            return Err(format!("an element of `{}` was not written, or depends on what it held", caller.name));
        }
    }
    Ok(())
}

/// The bits of the caller's tensors after a launch with a mark, the same for every run and number of threads.
fn run(code: &dyn Compiled, l: &Launch, bindings: &Bindings, mark: f64) -> Result<Vec<Vec<u64>>, String> {
    let plain = code.arguments(&l.cascade, &l.inputs, bindings, mark)?;
    let before: Vec<Tensor> = plain.iter().map(|t| with_canary(t, mark)).collect();
    let mut runs = vec![];
    for threads in [1, 1, 2, 7] {
        let mut after = before.clone();
        code.run(&mut after, &Scalars::new(&l.cascade, bindings), threads)?;
        runs.push(after.iter().map(bits).collect::<Vec<_>>());
    }
    let mut first = runs.swap_remove(0);
    if runs.iter().any(|r| *r != first) {
        return Err("the bits depend on the run or on the number of threads".to_string());
    }
    for ((caller, old), new) in code.callers().iter().zip(&before).zip(&mut first) {
        let (old, elements) = (bits(old), new.len() - CANARY);
        let own = if caller.written { elements } else { 0 };
        if old[own..] != new[own..] {
            return Err(format!("something beside `{}` was written", caller.name));
        }
        new.truncate(elements);
    }
    Ok(first)
}

fn with_canary(t: &Tensor, mark: f64) -> Tensor {
    let mut t = t.clone();
    extend(&mut t.data, mark);
    t
}

/// Appends a canary, in the type of the elements.
fn extend(data: &mut Buffer, mark: f64) {
    match data {
        Buffer::F32(d) => d.extend([mark as f32; CANARY]),
        Buffer::F16(d) => d.extend([half::f16::from_f64(mark); CANARY]),
        Buffer::Bf16(d) => d.extend([half::bf16::from_f64(mark); CANARY]),
        Buffer::I32(d) => d.extend([mark as i32; CANARY]),
        Buffer::I8(d) => d.extend([mark as i8; CANARY]),
        Buffer::U8(d) => d.extend([mark as u8; CANARY]),
        Buffer::Bool(d) => d.extend([true; CANARY]),
    }
}

fn bits(t: &Tensor) -> Vec<u64> {
    t.data.values().iter().map(|x| x.to_bits()).collect()
}
