//! Lane kernels through the runtime's launcher: the checks, the split over threads and the order of the stages are those
//! that users of the library get.

use einattn::cpu::{Arg, Isa, Kernel, Launch, Member, Options, RankDesc, RankSource, Role, TensorDesc, launch};
use einattn::{bf16, f16};
use einattn_compiler::cascade::Cascade;
use einattn_compiler::diag::Refusal;
use einattn_compiler::driver;
use einattn_compiler::interp::{Bindings, Tensors, Value};
use einattn_compiler::lane::{self, LaneKernel, MemRole};
use einattn_compiler::target::CpuCaps;
use einattn_compiler::types::DType;
use einattn_target_cranelift::{Compiled, compile, table_bytes};

/// Elements of a tensor in their storage type.
#[derive(Clone, Debug, PartialEq)]
pub enum Buffer {
    /// f32
    F32(Vec<f32>),
    /// f16
    F16(Vec<f16>),
    /// bf16
    Bf16(Vec<bf16>),
    /// i32
    I32(Vec<i32>),
    /// i8
    I8(Vec<i8>),
    /// u8
    U8(Vec<u8>),
    /// bool
    Bool(Vec<bool>),
}

/// Runs an expression on the elements, whatever their type.
macro_rules! each {
    ($buffer:expr, $data:ident, $dtype:ident => $body:expr) => {
        match $buffer {
            Buffer::F32($data) => {
                const $dtype: einattn::DType = einattn::DType::F32;
                $body
            }
            Buffer::F16($data) => {
                const $dtype: einattn::DType = einattn::DType::F16;
                $body
            }
            Buffer::Bf16($data) => {
                const $dtype: einattn::DType = einattn::DType::Bf16;
                $body
            }
            Buffer::I32($data) => {
                const $dtype: einattn::DType = einattn::DType::I32;
                $body
            }
            Buffer::I8($data) => {
                const $dtype: einattn::DType = einattn::DType::I8;
                $body
            }
            Buffer::U8($data) => {
                const $dtype: einattn::DType = einattn::DType::U8;
                $body
            }
            Buffer::Bool($data) => {
                const $dtype: einattn::DType = einattn::DType::Bool;
                $body
            }
        }
    };
}

impl Buffer {
    /// Elements rounded to a storage type; an error for the types that the runtime lacks.
    pub fn new(dtype: DType, xs: &[f64]) -> Result<Buffer, String> {
        Ok(match dtype {
            DType::F32 => Buffer::F32(xs.iter().map(|x| *x as f32).collect()),
            DType::F16 => Buffer::F16(xs.iter().map(|x| f16::from_f64(*x)).collect()),
            DType::Bf16 => Buffer::Bf16(xs.iter().map(|x| bf16::from_f64(*x)).collect()),
            DType::I32 => Buffer::I32(xs.iter().map(|x| *x as i32).collect()),
            DType::I8 => Buffer::I8(xs.iter().map(|x| *x as i8).collect()),
            DType::U8 => Buffer::U8(xs.iter().map(|x| *x as u8).collect()),
            DType::Bool => Buffer::Bool(xs.iter().map(|x| *x != 0.0).collect()),
            DType::F64 | DType::F8E4M3 | DType::F8E5M2 => {
                return Err(format!("the runtime has no tensors of {dtype}; the interpreter does"));
            }
        })
    }

    /// The elements as numbers.
    pub fn values(&self) -> Vec<f64> {
        match self {
            Buffer::F32(d) => d.iter().map(|x| f64::from(*x)).collect(),
            Buffer::F16(d) => d.iter().map(|x| x.to_f64()).collect(),
            Buffer::Bf16(d) => d.iter().map(|x| x.to_f64()).collect(),
            Buffer::I32(d) => d.iter().map(|x| f64::from(*x)).collect(),
            Buffer::I8(d) => d.iter().map(|x| f64::from(*x)).collect(),
            Buffer::U8(d) => d.iter().map(|x| f64::from(*x)).collect(),
            Buffer::Bool(d) => d.iter().map(|x| f64::from(u8::from(*x))).collect(),
        }
    }

    fn arg<'a>(&'a mut self, written: bool, shape: &'a [usize], strides: &'a [usize]) -> Arg<'a> {
        each!(self, data, DTYPE => if written {
            Arg::write(DTYPE, data, shape, strides)
        } else {
            Arg::read(DTYPE, data, shape, strides)
        })
    }
}

/// A tensor argument: elements, shape, strides in elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Elements, with whatever lies between them.
    pub data: Buffer,
    /// Extents.
    pub shape: Vec<usize>,
    /// Strides.
    pub strides: Vec<usize>,
}

impl Tensor {
    /// A row-major tensor.
    pub fn new(dtype: DType, value: &Value) -> Result<Tensor, String> {
        let mut strides = vec![1; value.shape.len()];
        for d in (1..value.shape.len()).rev() {
            strides[d - 1] = strides[d] * value.shape[d];
        }
        Ok(Tensor { data: Buffer::new(dtype, &value.data)?, shape: value.shape.clone(), strides })
    }

    /// The tensor as an argument of a launch.
    pub fn arg(&mut self, written: bool) -> Arg<'_> {
        self.data.arg(written, &self.shape, &self.strides)
    }

    /// Shape and elements as numbers, of a row-major tensor.
    pub fn value(&self) -> Value {
        Value { shape: self.shape.clone(), data: self.data.values() }
    }
}

/// One tensor of the caller: an input, or an output filled with a number.
pub fn argument(
    name: &str,
    member: &Cascade,
    inputs: &Tensors,
    bindings: &Bindings,
    fill: f64,
) -> Result<Tensor, String> {
    let declared = member.tensor_by_name(name).map(|t| member.tensor(t));
    let declared = declared.ok_or_else(|| format!("the kernel has no tensor `{name}`"))?;
    if let Some(value) = inputs.get(name) {
        return Tensor::new(declared.dtype, value);
    }
    let dims = declared.dims.iter().map(|e| {
        let n = bindings.index(e).map_err(|f| format!("a dimension of `{name}`: {f}"))?;
        usize::try_from(n).map_err(|_| format!("a dimension of `{name}` is {n}"))
    });
    let shape = dims.collect::<Result<Vec<_>, String>>()?;
    Tensor::new(declared.dtype, &Value::filled(&shape, fill))
}

/// Scalars, and extents that no input fixes, by name.
#[derive(Clone, Debug, Default)]
pub struct Scalars<'a> {
    /// Integers.
    pub ints: Vec<(&'a str, i64)>,
    /// Floats.
    pub floats: Vec<(&'a str, f32)>,
}

/// A kernel as machine code of this process.
pub struct Program {
    /// What was compiled.
    pub kernel: LaneKernel,
    code: Compiled,
}

/// Why a kernel has no program.
#[derive(Clone, Debug)]
pub enum NoProgram {
    /// A level refused it.
    Refused(Vec<Refusal>),
    /// The target failed.
    Failed(String),
}

impl Program {
    /// Lowers and compiles one member of a kernel.
    pub fn new(member: &Cascade, options: &driver::Options) -> Result<Program, NoProgram> {
        let kernel = driver::lower(member, &CpuCaps::CRANELIFT, options).map_err(NoProgram::Refused)?;
        let code = compile(&kernel).map_err(|e| NoProgram::Failed(e.to_string()))?;
        Ok(Program { kernel, code })
    }

    /// Tensors of the caller in the order of the kernel: the inputs, and outputs filled with a number.
    pub fn arguments(
        &self,
        member: &Cascade,
        inputs: &Tensors,
        bindings: &Bindings,
        fill: f64,
    ) -> Result<Vec<Tensor>, String> {
        self.callers().map(|m| argument(&m.name, member, inputs, bindings, fill)).collect()
    }

    /// The tensors that the caller provides.
    pub fn callers(&self) -> impl Iterator<Item = &lane::MemTensor> {
        self.kernel.tensors.iter().filter(|t| !matches!(t.role, MemRole::Table(_) | MemRole::Workspace))
    }

    /// Runs the kernel on the caller's tensors. `threads` of 0 takes one a processor.
    pub fn run(&self, tensors: &mut [Tensor], scalars: &Scalars<'_>, threads: usize) -> Result<(), String> {
        run(&self.kernel, &self.code, tensors, scalars, threads)
    }
}

impl<'s> Scalars<'s> {
    /// Scalars by name, and the extents of all ranks.
    pub fn new(member: &'s Cascade, bindings: &Bindings) -> Scalars<'s> {
        let mut out = Scalars::default();
        for (s, x) in member.scalars.iter().zip(&bindings.scalars) {
            let x = x.unwrap_or_default();
            out.ints.push((&s.name, x as i64));
            out.floats.push((&s.name, x as f32));
        }
        let extents = member.ranks.iter().zip(&bindings.extents);
        out.ints.extend(extents.filter_map(|(r, n)| Some((r.name.as_str(), (*n)?))));
        out
    }
}

fn run(
    kernel: &LaneKernel,
    code: &Compiled,
    tensors: &mut [Tensor],
    scalars: &Scalars<'_>,
    threads: usize,
) -> Result<(), String> {
    let tables = tables(&kernel.tensors);
    let dims = dims(&kernel.tensors);
    let described = describe(&kernel.tensors, &tables, &dims)?;
    let ranks = ranks(&kernel.ints, &kernel.sources);
    let [scalar_names, float_names, asserts] = [&kernel.ints.scalars, &kernel.floats, &kernel.ints.asserts]
        .map(|names| names.iter().map(String::as_str).collect::<Vec<_>>());
    let isa = Isa { name: "cranelift", prepare: code.prepare(), stages: code.stages() };
    let member = Member {
        spec: &kernel.spec,
        tensors: &described,
        ranks: &ranks,
        int_scalars: &scalar_names,
        floats: &float_names,
        asserts: &asserts,
        isas: &[isa],
    };
    let kernel = Kernel { name: &kernel.name, members: &[member] };
    let args: Vec<Arg<'_>> =
        tensors.iter_mut().zip(&described).map(|(t, d)| t.arg(!matches!(d.role, Role::In))).collect();
    let options = Options { threads, isa: None };
    let request = Launch { args: &args, ints: &scalars.ints, floats: &scalars.floats, options };
    launch(&kernel, &request).map(|_| ()).map_err(|e| e.to_string())
}

/// The bytes of each table, none of other tensors.
pub(crate) fn tables(tensors: &[lane::MemTensor]) -> Vec<Vec<u8>> {
    let bytes = |t: &lane::MemTensor| match &t.role {
        MemRole::Table(elements) => table_bytes(t.dtype, elements),
        MemRole::In | MemRole::Out | MemRole::InOut | MemRole::Workspace => vec![],
    };
    tensors.iter().map(bytes).collect()
}

/// The dimensions of each tensor.
pub(crate) fn dims(tensors: &[lane::MemTensor]) -> Vec<Vec<&str>> {
    tensors.iter().map(|t| t.dims.iter().map(String::as_str).collect()).collect()
}

/// Tensors as the runtime describes them.
pub(crate) fn describe<'k>(
    tensors: &'k [lane::MemTensor],
    tables: &'k [Vec<u8>],
    dims: &'k [Vec<&'k str>],
) -> Result<Vec<TensorDesc<'k>>, String> {
    let one = |((t, table), dims): ((&'k lane::MemTensor, &'k Vec<u8>), &'k Vec<&'k str>)| {
        let role = match &t.role {
            MemRole::In => Role::In,
            MemRole::Out => Role::Out,
            MemRole::InOut => Role::InOut,
            MemRole::Table(_) => Role::Table(table),
            MemRole::Workspace => Role::Workspace,
        };
        Ok(TensorDesc { name: &t.name, dtype: dtype(t.dtype)?, dims, role })
    };
    tensors.iter().zip(tables).zip(dims).map(one).collect()
}

fn dtype(dtype: DType) -> Result<einattn::DType, String> {
    let mut empty = Buffer::new(dtype, &[])?;
    Ok(each!(&mut empty, _data, DTYPE => DTYPE))
}

/// Ranks as the runtime describes them.
pub(crate) fn ranks<'k>(ints: &'k lane::IntLayout, sources: &[lane::RankSource]) -> Vec<RankDesc<'k>> {
    let source = |s: &lane::RankSource| match *s {
        lane::RankSource::Dim { tensor, dim } => RankSource::Dim { tensor, dim },
        lane::RankSource::Given => RankSource::Given,
        lane::RankSource::Const(n) => RankSource::Const(n),
        lane::RankSource::Derived => RankSource::Derived,
    };
    let named = ints.ranks.iter().zip(sources);
    named.map(|((name, _), s)| RankDesc { name, source: source(s) }).collect()
}
