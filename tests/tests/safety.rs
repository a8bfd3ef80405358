//! Wild indices: tensors of page tables, lists and lengths hold anything, and kernels neither fail nor touch what is
//! not theirs, write every element of their outputs, and compute the same bits on any number of threads.

use attnc::cpu::{Buffer, NoProgram, Program, Scalars, Tensor};
use einattn_compiler::driver::Options;
use einattn_compiler::interp::{Bindings, Value, bind};
use einattn_compiler::lane::{MemRole, MemTensor};
use einattn_compiler::types::DType;
use einattn_tests::vectors::{Case, Launch, Plan, suite};
use std::collections::BTreeMap;

/// What index tensors hold.
const WILD: [f64; 5] = [i32::MIN as f64, i32::MAX as f64, -1.0, 0.0, 1e9];

/// What canaries, and outputs before a launch, hold. A result of 8 bits may happen to be one of them, not both.
const MARKS: [f64; 2] = [113.0, 57.0];

/// Elements behind each buffer that no kernel may touch.
const CANARY: usize = 64;

fn with_canary(m: &MemTensor, t: &Tensor, mark: f64) -> Tensor {
    let mut data = t.data.values();
    data.extend([mark; CANARY]);
    Tensor { data: Buffer::new(m.dtype, &data).expect("a type of the runtime"), ..t.clone() }
}

fn bits(t: &Tensor) -> Vec<u64> {
    t.data.values().iter().map(|x| x.to_bits()).collect()
}

/// Runs a vector with its index tensors replaced; the number of tensors that were, 0 if the kernel is refused.
fn wild(case: &Case, first: usize) -> Result<usize, String> {
    let mut launch = case.kernel(&case.tensors()?, "f32")?;
    let c = &launch.cascade;
    let mut replaced = 0;
    for t in c.tensors.iter().filter(|t| t.dtype == DType::I32) {
        if let Some(Value { data, .. }) = launch.inputs.get_mut(&t.name) {
            data.iter_mut().enumerate().for_each(|(i, x)| *x = WILD[(i + first) % WILD.len()]);
            replaced += 1;
        }
    }
    let program = match Program::new(c, &Options::default()) {
        Ok(program) => program,
        Err(NoProgram::Refused(_)) => return Ok(0),
        Err(NoProgram::Failed(why)) => return Err(why),
    };
    let bindings = bind(c, &launch.inputs, &launch.scalars, &BTreeMap::new())?;
    let [a, b] = MARKS.map(|mark| run(&program, &launch, &bindings, mark));
    for ((m, a), b) in program.callers().zip(a?).zip(b?) {
        if a != b {
            return Err(format!("an element of `{}` was not written, or depends on what it held", m.name));
        }
    }
    Ok(replaced)
}

/// The bits of the caller's tensors after a launch with a mark, the same for every run and number of threads.
fn run(program: &Program, l: &Launch, bindings: &Bindings, mark: f64) -> Result<Vec<Vec<u64>>, String> {
    let plain = program.arguments(&l.cascade, &l.inputs, bindings, mark)?;
    let before: Vec<Tensor> = program.callers().zip(&plain).map(|(m, t)| with_canary(m, t, mark)).collect();
    let mut runs = vec![];
    for threads in [1, 1, 2, 7] {
        let mut after = before.clone();
        program.run(&mut after, &Scalars::new(&l.cascade, bindings), threads)?;
        runs.push(after.iter().map(bits).collect::<Vec<_>>());
    }
    let mut first = runs.swap_remove(0);
    if runs.iter().any(|r| *r != first) {
        return Err("the bits depend on the run or on the number of threads".to_string());
    }
    for ((m, old), new) in program.callers().zip(&before).zip(&mut first) {
        let (old, elements) = (bits(old), new.len() - CANARY);
        let own = if m.role == MemRole::In { 0 } else { elements };
        if old[own..] != new[own..] {
            return Err(format!("something beside `{}` was written", m.name));
        }
        new.truncate(elements);
    }
    Ok(first)
}

#[test]
fn wild_indices_stay_inside() {
    let cases = suite().expect("the test vectors are there");
    let (mut with_indices, mut ran, mut wrong) = (0, 0, vec![]);
    for case in cases.iter().filter(|c| matches!(c.plan, Plan::Kernel { .. })) {
        for first in 0..WILD.len() {
            match wild(case, first) {
                Ok(n) => {
                    ran += 1;
                    with_indices += usize::from(n > 0);
                    if n == 0 {
                        break;
                    }
                }
                Err(why) => wrong.push(format!("{} from {first}: {why}", case.name)),
            }
        }
    }
    println!("{ran} launches, {with_indices} with wild indices");
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(with_indices > 0, "no kernel has indices");
}
