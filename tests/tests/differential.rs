//! Random kernels on random shapes: machine code and Rust source compute what the interpreter computes, write every
//! element of their outputs and nothing else. The build script has emitted the Rust source.
//!
//! Tensors have gaps between their elements and behind the last one. Gaps of inputs hold NaN, which would show in a
//! result; outputs and their gaps hold a mark that only a write removes.

use attnc::cpu::{Buffer, NoProgram, Program, Scalars, Tensor};
use einattn_compiler::cascade::{Cascade, Extent, parse, print};
use einattn_compiler::driver::Options;
use einattn_compiler::interp::{Tensors, Value, bind, random_inputs, run_cascade};
use einattn_compiler::types::DType;
use einattn_tests::compiled::{Compiled, Made};
use einattn_tests::generator;
use std::collections::BTreeMap;

mod emitted {
    include!(concat!(env!("OUT_DIR"), "/random.rs"));
}

/// Kernels of a plain run on Cranelift; `EINATTN_DIFFERENTIAL` asks for more.
const KERNELS: u64 = 40;

/// What outputs hold before a launch: no result is likely to be this.
const MARK: f64 = 113.0;

fn kernels() -> u64 {
    std::env::var("EINATTN_DIFFERENTIAL").ok().and_then(|n| n.parse().ok()).unwrap_or(KERNELS)
}

/// Extents that end inside of vectors and tiles, and that leave nothing or one element.
fn extents(c: &Cascade, seed: u64) -> BTreeMap<String, i64> {
    let mut rng = generator::Rng::new(seed ^ 0xd1ff);
    let free = c.ranks.iter().filter(|r| r.extent == Extent::Free);
    free.map(|r| (r.name.clone(), *rng.pick(&[0, 1, 2, 3, 3, 5, 9, 17, 33]))).collect()
}

/// A tensor with gaps: the last dimension has stride 2, every row two more elements, and there are some behind all.
fn with_gaps(dtype: DType, value: &Value, gap: f64) -> Tensor {
    let mut strides = vec![2; value.shape.len()];
    for d in (1..value.shape.len()).rev() {
        strides[d - 1] = strides[d] * value.shape[d] + 2;
    }
    let whole = value.shape.first().map_or(1, |n| n * strides[0]);
    let mut data = vec![gap; whole + 7];
    for (i, at) in positions(&value.shape, &strides).into_iter().enumerate() {
        data[at] = value.data[i];
    }
    Tensor { data: Buffer::new(dtype, &data).expect("a type of the runtime"), shape: value.shape.clone(), strides }
}

/// Where the elements of a tensor lie, in row-major order.
fn positions(shape: &[usize], strides: &[usize]) -> Vec<usize> {
    let mut out = vec![0];
    for (n, s) in shape.iter().zip(strides) {
        out = out.iter().flat_map(|at| (0..*n).map(move |i| at + i * s)).collect();
    }
    out
}

struct Launch {
    inputs: Tensors,
    scalars: BTreeMap<String, f64>,
    extents: BTreeMap<String, i64>,
}

/// The outputs of a launch, after its canaries were looked at.
fn outputs(c: &Cascade, code: &dyn Compiled, l: &Launch) -> Result<Tensors, String> {
    let bindings = bind(c, &l.inputs, &l.scalars, &l.extents)?;
    let plain = code.arguments(c, &l.inputs, &bindings, MARK)?;
    let callers = code.callers();
    let mut tensors = vec![];
    for (m, t) in callers.iter().zip(&plain) {
        let gap = if m.written { MARK } else { f64::NAN };
        tensors.push(with_gaps(dtype(c, &m.name), &t.value(), gap));
    }
    let before = tensors.clone();
    code.run(&mut tensors, &Scalars::new(c, &bindings), 1)?;
    let mut out = Tensors::new();
    for ((m, t), old) in callers.iter().zip(&tensors).zip(&before) {
        let at = positions(&t.shape, &t.strides);
        let (data, old) = (t.data.values(), old.data.values());
        let touched = (0..data.len()).find(|i| {
            let element = at.binary_search(i).is_ok() && m.written;
            !element && data[*i].to_bits() != old[*i].to_bits()
        });
        if let Some(i) = touched {
            return Err(format!("element {i} of the buffer of `{}`, which is not the kernel's, was written", m.name));
        }
        if m.written {
            let data = at.into_iter().map(|i| data[i]).collect();
            out.insert(m.name.clone(), Value { shape: t.shape.clone(), data });
        }
    }
    Ok(out)
}

fn dtype(c: &Cascade, name: &str) -> DType {
    c.tensor_by_name(name).map_or(DType::F32, |t| c.tensor(t).dtype)
}

/// f32 against f64, both on the same rounded inputs.
fn close(c: &Cascade, want: &Tensors, got: &Tensors) -> Result<(), String> {
    for (name, want) in want {
        let got = got.get(name).ok_or_else(|| format!("`{name}` is missing"))?;
        let step = match dtype(c, name) {
            DType::Bf16 => 1.0 / 128.0,
            DType::F16 => 1.0 / 1024.0,
            DType::F64 | DType::F32 | DType::F8E4M3 | DType::F8E5M2 => 0.0,
            DType::I32 | DType::I8 | DType::U8 | DType::Bool => 0.0,
        };
        let scale = want.data.iter().filter(|x| x.abs() <= f64::from(f32::MAX)).fold(1.0, |m: f64, x| m.max(x.abs()));
        for (i, (a, b)) in want.data.iter().zip(&got.data).enumerate() {
            // What f32 cannot hold is infinite there.
            let a = &f64::from(*a as f32);
            let near = (a - b).abs() <= 2e-5 * scale + step * a.abs();
            if !(a == b || a.is_nan() && b.is_nan() || near) {
                return Err(format!("element {i} of `{name}` is {b}, the interpreter says {a}"));
            }
        }
    }
    Ok(())
}

/// Machine code; `Ok(None)`: the CPU refuses the kernel.
fn program(c: &Cascade, options: &Options) -> Result<Option<Program>, String> {
    match Program::new(c, options) {
        Ok(program) => Ok(Some(program)),
        Err(NoProgram::Refused(r)) if r.iter().all(|r| r.code.0 != "X-BUG") => Ok(None),
        Err(e) => Err(format!("{e:?}")),
    }
}

/// Compares a kernel on some launches.
fn agree(c: &Cascade, seed: u64, code: &dyn Compiled) -> Result<(), String> {
    for round in 0..3 {
        let extents = extents(c, seed * 8 + round);
        let inputs = random_inputs(c, &extents, seed + round)?;
        let l = Launch { inputs, scalars: c.scalars.iter().map(|s| (s.name.clone(), 0.75)).collect(), extents };
        let want = run_cascade(c, &l.inputs, &l.scalars, &l.extents)?;
        let got = outputs(c, code, &l).map_err(|e| format!("{e} for {:?}", l.extents))?;
        close(c, &want, &got).map_err(|e| format!("{e} for {:?}", l.extents))?;
    }
    Ok(())
}

fn all_agree(options: &Options) {
    let (mut refused, mut wrong) = (0, vec![]);
    for seed in 0..kernels() {
        let c = generator::cascade(seed);
        match program(&c, options).and_then(|p| p.map(|p| agree(&c, seed, &p)).transpose()) {
            Ok(compiled) => refused += u64::from(compiled.is_none()),
            Err(e) => wrong.push(format!("seed {seed}: {e}\n{}", print(&c))),
        }
    }
    println!("{} kernels, {refused} refused", kernels());
    assert!(wrong.is_empty(), "{} of {} kernels are wrong:\n{}", wrong.len(), kernels(), wrong.join("\n"));
    assert!(refused * 10 < kernels(), "{refused} of {} random kernels are refused", kernels());
}

#[test]
fn machine_code_computes_what_the_interpreter_computes() {
    all_agree(&Options::default());
}

#[test]
fn kernels_without_rewrites_mean_the_same() {
    all_agree(&Options { rewrite: false, ..Options::default() });
}

#[test]
fn rust_source_computes_what_the_interpreter_computes() {
    let (mut compared, mut wrong) = (0, vec![]);
    for (i, (kernel, text)) in emitted::KERNELS.iter().zip(emitted::CASCADES).enumerate() {
        let c = parse(text).expect("what the printer wrote");
        for isa in kernel.members[0].isas.iter().map(|isa| isa.name) {
            match agree(&c, i as u64, &Made { kernel, isa: Some(isa) }) {
                Ok(()) => compared += 1,
                Err(e) => wrong.push(format!("{isa}: {e}\n{text}")),
            }
        }
    }
    println!("{} kernels, {} refused", emitted::KERNELS.len(), emitted::REFUSED.len());
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    let refused: Vec<_> = emitted::REFUSED.iter().map(|(_, why)| why).collect();
    assert!(compared >= emitted::KERNELS.len() && refused.len() * 10 < emitted::KERNELS.len(), "{refused:?}");
}
