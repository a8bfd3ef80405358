//! Target `rust`: lane IR → Rust source for rustc, one module an instruction set.
//!
//! The text is the same for every instruction set but for the `use` line, the target features and the constants that
//! follow from the vector length: operations are calls of small inlined functions of `einattn`'s runtime. It assumes
//! verified kernels and guarantees source that compiles without warnings where `einattn` is a dependency.

pub mod expand;
mod func;
mod inline;
pub mod isas;
mod launcher;
mod names;
mod request;

use einattn_compiler::cascade::Origin;
use einattn_compiler::diag::{Code, Refusal};
use einattn_compiler::lane::{LaneKernel, MemRole, MemTensor, RankSource};
use einattn_compiler::target::CpuCaps;
use einattn_compiler::types::DType;
use std::fmt::Write;

/// One member of a specialisation set: the same kernel for each instruction set, the best one first, the last one
/// for any CPU.
pub type Member = Vec<(CpuCaps, LaneKernel)>;

/// Items of a module: the functions of all members, and `pub(super) const KERNEL`, which the runtime launches.
///
/// # Errors
///
/// Refuses storage types that the runtime does not have.
pub fn emit(members: &[Member]) -> Result<String, Refusal> {
    let mut out = String::new();
    let mut descriptions = String::new();
    let mut name = "";
    for (i, member) in members.iter().enumerate() {
        let Some((_, first)) = member.first() else { continue };
        name = &first.name;
        for (caps, kernel) in member {
            module(&mut out, i, caps, kernel)?;
        }
        descriptions.push_str(&describe(i, member, first)?);
    }
    let name = text(name);
    put(
        &mut out,
        format_args!(
            "/// Description of the kernel for the launcher.\n\
             pub(super) const KERNEL: {CPU}::Kernel<'static> = {CPU}::Kernel {{\n    name: {name},\n    members: &[\n{descriptions}    ],\n}};\n"
        ),
    );
    Ok(out)
}

const CPU: &str = "::einattn::__private::cpu";

/// Appends; writing to a string does not fail.
fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

fn text(s: &str) -> String {
    format!("{s:?}")
}

fn refuse(kernel: &LaneKernel, message: String) -> Refusal {
    let origin = Origin { stmt: kernel.name.clone(), line: 0, span: u32::MAX };
    Refusal::new(Code::UNSUPPORTED, &origin, message)
}

/// `#[target_feature]` of an instruction set, and whether it needs an x86-64 CPU.
fn features(isa: &str) -> Option<&'static str> {
    match isa {
        "avx512" => Some("avx512f,avx512dq,avx512bw,avx512vl"),
        "avx2" => Some("avx2,fma"),
        _ => None,
    }
}

fn module_name(member: usize, isa: &str) -> String {
    if member == 0 { isa.to_string() } else { format!("{isa}_{member}") }
}

fn module(out: &mut String, member: usize, caps: &CpuCaps, kernel: &LaneKernel) -> Result<(), Refusal> {
    let isa = caps.name;
    if !["avx512", "avx2", "portable"].contains(&isa) {
        return Err(refuse(kernel, format!("the rust target has no instruction set `{isa}`")));
    }
    if features(isa).is_some() {
        out.push_str("#[cfg(target_arch = \"x86_64\")]\n");
    }
    let spec = if kernel.spec.is_empty() { String::new() } else { format!(" ({})", kernel.spec) };
    let module = module_name(member, isa);
    put(
        out,
        format_args!(
            "/// `{}`{spec} for {isa}: {} lanes.\n\
             #[allow(clippy::all, clippy::pedantic, unused, non_snake_case, reason = \"generated code\")]\n\
             mod {module} {{\n    \
                 use {CPU}::simd::{isa}::*;\n    \
                 use {CPU}::simd::scalar::*;\n\n",
            kernel.name, kernel.lanes
        ),
    );
    func::function(out, kernel, "prepare", &kernel.prepare, None)?;
    for (i, stage) in kernel.stages.iter().enumerate() {
        out.push('\n');
        func::function(out, kernel, &stage_name(i, &stage.name), &stage.func, features(isa))?;
    }
    out.push_str("}\n\n");
    Ok(())
}

fn stage_name(i: usize, name: &str) -> String {
    format!("stage_{i}_{}", names::identifier(name))
}

/// The `Member` constant.
fn describe(i: usize, member: &Member, kernel: &LaneKernel) -> Result<String, Refusal> {
    let mut out = String::new();
    put(
        &mut out,
        format_args!("        {CPU}::Member {{\n            spec: {},\n            tensors: &[\n", text(&kernel.spec)),
    );
    for t in &kernel.tensors {
        tensor(&mut out, kernel, t)?;
    }
    out.push_str("            ],\n            ranks: &[\n");
    for ((name, _), source) in kernel.ints.ranks.iter().zip(&kernel.sources) {
        let source = rank_source(source);
        put(
            &mut out,
            format_args!(
                "                {CPU}::RankDesc {{ name: {}, source: {CPU}::RankSource::{source} }},\n",
                text(name)
            ),
        );
    }
    let list = |names: &[String]| names.iter().map(|n| text(n)).collect::<Vec<_>>().join(", ");
    put(
        &mut out,
        format_args!(
            "            ],\n            int_scalars: &[{}],\n            floats: &[{}],\n            asserts: &[{}],\n            isas: &[\n",
            list(&kernel.ints.scalars),
            list(&kernel.floats),
            list(&kernel.ints.asserts)
        ),
    );
    for (caps, kernel) in member {
        isa(&mut out, i, caps, kernel);
    }
    out.push_str("            ],\n        },\n");
    Ok(out)
}

fn isa(out: &mut String, member: usize, caps: &CpuCaps, kernel: &LaneKernel) {
    let module = module_name(member, caps.name);
    let stages: Vec<String> =
        kernel.stages.iter().enumerate().map(|(i, s)| format!("{module}::{}", stage_name(i, &s.name))).collect();
    if features(caps.name).is_some() {
        out.push_str("                #[cfg(target_arch = \"x86_64\")]\n");
    }
    put(
        out,
        format_args!(
            "                {CPU}::Isa {{\n                    name: {},\n                    prepare: {module}::prepare,\n                    stages: &[{}],\n                }},\n",
            text(caps.name),
            stages.join(", ")
        ),
    );
}

fn rank_source(source: &RankSource) -> String {
    match source {
        RankSource::Dim { tensor, dim } => format!("Dim {{ tensor: {tensor}, dim: {dim} }}"),
        RankSource::Given => "Given".into(),
        RankSource::Const(n) => format!("Const({n})"),
        RankSource::Derived => "Derived".into(),
    }
}

/// The runtime's name of a storage type.
fn dtype(kernel: &LaneKernel, tensor: &MemTensor) -> Result<&'static str, Refusal> {
    Ok(match tensor.dtype {
        DType::F32 => "F32",
        DType::F16 => "F16",
        DType::Bf16 => "Bf16",
        DType::I32 => "I32",
        DType::I8 => "I8",
        DType::U8 => "U8",
        DType::Bool => "Bool",
        DType::F64 | DType::F8E4M3 | DType::F8E5M2 => {
            let message = format!("`{}` is stored as {}, which the CPU targets do not have", tensor.name, tensor.dtype);
            return Err(refuse(kernel, message));
        }
    })
}

fn tensor(out: &mut String, kernel: &LaneKernel, t: &MemTensor) -> Result<(), Refusal> {
    let dims: Vec<String> = t.dims.iter().map(|d| text(d)).collect();
    let role = match &t.role {
        MemRole::In => "In".into(),
        MemRole::Out => "Out".into(),
        MemRole::InOut => "InOut".into(),
        MemRole::Workspace => "Workspace".into(),
        MemRole::Table(values) => format!("Table({CPU}::simd::bytes(&{}))", table(t.dtype, values)),
    };
    put(
        out,
        format_args!(
            "                {CPU}::TensorDesc {{ name: {}, dtype: ::einattn::DType::{}, dims: &[{}], role: {CPU}::Role::{role} }},\n",
            text(&t.name),
            dtype(kernel, t)?,
            dims.join(", ")
        ),
    );
    Ok(())
}

/// An array of a table's elements in their stored form; f16 and bf16 as bits.
fn table(dtype: DType, values: &[f64]) -> String {
    if values.is_empty() {
        return "[0_u8; 0]".into();
    }
    let stored: Vec<String> = values.iter().map(|v| element(dtype, dtype.round(*v))).collect();
    format!("[{}]", stored.join(", "))
}

fn element(dtype: DType, v: f64) -> String {
    match dtype {
        DType::F32 => names::float(v as f32),
        DType::Bf16 => format!("{}_u16", (v as f32).to_bits() >> 16),
        DType::F16 => format!("{}_u16", f16_bits(v)),
        DType::I32 => format!("{v}_i32"),
        DType::I8 => format!("{v}_i8"),
        DType::U8 | DType::Bool | DType::F64 | DType::F8E4M3 | DType::F8E5M2 => format!("{v}_u8"),
    }
}

/// Bits of a value that binary16 represents exactly.
fn f16_bits(v: f64) -> u16 {
    let sign = u16::from(v.is_sign_negative()) << 15;
    let a = v.abs();
    let magnitude = if a.is_nan() {
        0x7e00
    } else if a.is_infinite() {
        0x7c00
    } else if a < 2f64.powi(-14) {
        (a * 2f64.powi(24)) as u16
    } else {
        let bits = a.to_bits();
        (((bits >> 52) as u16).wrapping_sub(1023 - 15) << 10) | ((bits >> 42) & 0x3ff) as u16
    };
    sign | magnitude
}
