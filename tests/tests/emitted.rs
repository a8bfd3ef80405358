//! The examples of the language reference as native code, compared with the interpreter of the cascade on every
//! instruction set that they are compiled for. The build script has emitted their source.

use einattn::cpu::{Arg, Kernel, Launch, Options, launch};
use einattn::{DType, bf16, f16};
use einattn_compiler::cascade::{self, Cascade, TensorKind};
use einattn_compiler::interp::{Value, random_inputs, run_cascade};
use einattn_compiler::types::ValueType;
use std::collections::BTreeMap;

mod generated {
    include!(concat!(env!("OUT_DIR"), "/examples.rs"));
}

/// Extents that fit the asserts of every example; masks leave some rows empty.
const SHAPES: &[&[(&str, i64)]] = &[
    &[("B", 1), ("H", 2), ("G", 1), ("P", 150), ("M", 305), ("T", 4), ("C", 3), ("MP", 1), ("NP", 20)],
    &[("B", 2), ("H", 2), ("G", 2), ("P", 5), ("M", 3), ("T", 1), ("C", 2), ("MP", 2), ("NP", 1)],
    &[("B", 1), ("H", 4), ("G", 2), ("P", 97), ("M", 97), ("T", 9), ("C", 5), ("MP", 2), ("NP", 3)],
    &[("B", 1), ("H", 1), ("G", 1), ("P", 2), ("M", 0), ("T", 0), ("C", 1), ("MP", 0), ("NP", 1)],
    &[("B", 1), ("H", 1), ("G", 1), ("P", 0), ("M", 2), ("T", 2), ("C", 0), ("MP", 1), ("NP", 1)],
];

/// Elements of a tensor in their storage type.
enum Data {
    F32(Vec<f32>),
    F16(Vec<f16>),
    Bf16(Vec<bf16>),
    I32(Vec<i32>),
    I8(Vec<i8>),
    U8(Vec<u8>),
    Bool(Vec<bool>),
}

impl Data {
    fn new(dtype: DType, x: &[f64]) -> Data {
        match dtype {
            DType::F32 => Data::F32(x.iter().map(|x| *x as f32).collect()),
            DType::F16 => Data::F16(x.iter().map(|x| f16::from_f64(*x)).collect()),
            DType::Bf16 => Data::Bf16(x.iter().map(|x| bf16::from_f64(*x)).collect()),
            DType::I32 => Data::I32(x.iter().map(|x| *x as i32).collect()),
            DType::I8 => Data::I8(x.iter().map(|x| *x as i8).collect()),
            DType::U8 => Data::U8(x.iter().map(|x| *x as u8).collect()),
            DType::Bool => Data::Bool(x.iter().map(|x| *x != 0.0).collect()),
            other => panic!("storage type {other}"),
        }
    }

    fn values(&self) -> Vec<f64> {
        match self {
            Data::F32(x) => x.iter().map(|x| f64::from(*x)).collect(),
            Data::F16(x) => x.iter().map(|x| x.to_f64()).collect(),
            Data::Bf16(x) => x.iter().map(|x| x.to_f64()).collect(),
            Data::I32(x) => x.iter().map(|x| f64::from(*x)).collect(),
            Data::I8(x) => x.iter().map(|x| f64::from(*x)).collect(),
            Data::U8(x) => x.iter().map(|x| f64::from(*x)).collect(),
            Data::Bool(x) => x.iter().map(|x| f64::from(u8::from(*x))).collect(),
        }
    }

    /// As an argument; all of them may be written, which the launcher allows for inputs too.
    fn arg<'a>(&'a mut self, shape: &'a [usize], strides: &'a [usize]) -> Arg<'a> {
        match self {
            Data::F32(x) => Arg::write(DType::F32, x, shape, strides),
            Data::F16(x) => Arg::write(DType::F16, x, shape, strides),
            Data::Bf16(x) => Arg::write(DType::Bf16, x, shape, strides),
            Data::I32(x) => Arg::write(DType::I32, x, shape, strides),
            Data::I8(x) => Arg::write(DType::I8, x, shape, strides),
            Data::U8(x) => Arg::write(DType::U8, x, shape, strides),
            Data::Bool(x) => Arg::write(DType::Bool, x, shape, strides),
        }
    }
}

fn row_major(shape: &[usize]) -> Vec<usize> {
    (0..shape.len()).map(|d| shape[d + 1..].iter().map(|n| (*n).max(1)).product()).collect()
}

struct Case<'a> {
    kernel: &'a Kernel<'static>,
    cascade: &'a Cascade,
    inputs: BTreeMap<String, Value>,
    exact: BTreeMap<String, Value>,
    scalars: BTreeMap<String, f64>,
    extents: BTreeMap<String, i64>,
}

impl Case<'_> {
    /// Runs on an instruction set; `None` if the launcher refuses the extents.
    fn run(&self, isa: &str) -> Option<()> {
        let descriptions = self.kernel.members[0].tensors;
        let caller = self
            .cascade
            .tensors
            .iter()
            .filter(|t| matches!(t.kind, TensorKind::In | TensorKind::InOut | TensorKind::Out));
        let names: Vec<&str> = caller.map(|t| t.name.as_str()).collect();
        let mut data = vec![];
        for d in &descriptions[..names.len()] {
            let value = self.inputs.get(d.name).unwrap_or_else(|| &self.exact[d.name]);
            let poisoned = vec![77.0; value.data.len()];
            let start = if self.inputs.contains_key(d.name) { &value.data } else { &poisoned };
            data.push((Data::new(d.dtype, start), value.shape.clone(), row_major(&value.shape)));
        }
        let ints: Vec<(&str, i64)> = self.extents.iter().map(|(n, v)| (n.as_str(), *v)).chain(self.ints()).collect();
        let floats: Vec<(&str, f32)> = self.scalars.iter().map(|(n, v)| (n.as_str(), *v as f32)).collect();
        let args: Vec<Arg<'_>> = data.iter_mut().map(|(d, shape, strides)| d.arg(shape, strides)).collect();
        let options = Options { threads: 1, isa: Some(isa) };
        match launch(self.kernel, &Launch { args: &args, ints: &ints, floats: &floats, options }) {
            Ok(_) => {}
            Err(einattn::Error::Assertion { .. }) => return None,
            Err(e) => panic!("{}: {e} at {:?}", self.cascade.name, self.extents),
        }
        drop(args);
        for (d, (got, ..)) in descriptions.iter().zip(&data) {
            if let Some(exact) = self.exact.get(d.name) {
                self.compare(isa, d.name, d.dtype, &got.values(), &exact.data);
            }
        }
        Some(())
    }

    fn ints(&self) -> impl Iterator<Item = (&str, i64)> {
        let index = self.cascade.scalars.iter().filter(|s| s.dtype.value_type() == ValueType::Index);
        index.map(|s| (s.name.as_str(), self.scalars[&s.name] as i64))
    }

    fn compare(&self, isa: &str, tensor: &str, dtype: DType, got: &[f64], exact: &[f64]) {
        let scale = exact.iter().filter(|x| x.is_finite()).fold(1.0f64, |a, x| a.max(x.abs()));
        let tolerance = match dtype {
            DType::Bf16 => 1e-2,
            DType::F16 => 2e-3,
            _ => 2e-5,
        };
        for (i, (g, w)) in got.iter().zip(exact).enumerate() {
            let same = g == w || g.is_nan() && w.is_nan() || (g - w).abs() <= tolerance * scale;
            let (name, extents) = (&self.cascade.name, &self.extents);
            assert!(same, "{name} on {isa}: {tensor}[{i}] is {g} instead of {w} at {extents:?}");
        }
    }
}

#[test]
fn examples_compute_what_the_cascade_says() {
    let mut compared = 0;
    for (kernel, text) in generated::KERNELS.iter().zip(generated::CASCADES) {
        let cascade = cascade::parse(text).expect("what the printer wrote");
        let scalars: BTreeMap<String, f64> =
            cascade.scalars.iter().map(|s| (s.name.clone(), if s.dtype.is_int() { 1.0 } else { 1.5 })).collect();
        for (seed, shape) in SHAPES.iter().enumerate() {
            let extents: BTreeMap<String, i64> = shape.iter().map(|(n, k)| ((*n).to_string(), *k)).collect();
            let Ok(inputs) = random_inputs(&cascade, &extents, seed as u64) else { continue };
            let Ok(exact) = run_cascade(&cascade, &inputs, &scalars, &extents) else { continue };
            let (scalars, cascade) = (scalars.clone(), &cascade);
            let case = Case { kernel, cascade, inputs, exact, scalars, extents };
            compared += kernel.members[0].isas.iter().filter(|isa| case.run(isa.name).is_some()).count();
        }
    }
    assert!(generated::REFUSED.is_empty(), "{:#?}", generated::REFUSED);
    assert!(compared >= 100, "{compared} launches were compared");
}
