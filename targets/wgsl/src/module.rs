//! A kernel as one module.

use crate::layout::{ArgsLayout, BINDING_ARGS, BINDING_POOL, BINDING_TABLES};
use crate::{limits, memory, names, prelude, stage};
use einattn_compiler::cascade::Origin;
use einattn_compiler::diag::{Code, Refusal};
use einattn_compiler::lane::MemRole;
use einattn_compiler::simt::{SimtKernel, verify};

/// A module of WGSL with what a launcher has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Text.
    pub text: String,
    /// Layout of the uniform buffer.
    pub args: ArgsLayout,
    /// Entry points, one a stage, in execution order.
    pub entries: Vec<Entry>,
}

/// An entry point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Name in the module.
    pub name: String,
    /// The caller's tensors that it touches: tensor `t` is binding `BINDING_TENSORS + t`.
    pub tensors: Vec<usize>,
    /// True if it reads the tables.
    pub tables: bool,
    /// True if it touches workspace or scratch.
    pub pool: bool,
    /// True if every workgroup has scratch of its own in the pool.
    pub scratch: bool,
    /// Threads of a workgroup.
    pub threads: u32,
    /// Bytes of workgroup memory.
    pub shared_bytes: u32,
}

/// Emits a kernel.
///
/// # Errors
///
/// What WGSL cannot express, and what exceeds the limits, each with its numbers.
pub fn emit(kernel: &SimtKernel) -> Result<Module, Vec<Refusal>> {
    let origin = Origin { stmt: kernel.name.clone(), line: 0, span: u32::MAX };
    let bug = |e: Vec<String>| vec![Refusal::new(Code::INTERNAL, &origin, format!("no SIMT kernel: {}", e.join("; ")))];
    verify(kernel).map_err(bug)?;
    let refusals = limits::inexpressible(kernel);
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let (mut globals, mut functions, mut entries) = (String::new(), String::new(), vec![]);
    let mut refusals = vec![];
    for (i, s) in kernel.stages.iter().enumerate() {
        let text = stage::write(kernel, i);
        let role = |t: &usize| &kernel.tensors[*t].role;
        let touched = &text.touched;
        let entry = Entry {
            name: names::entry(s, i),
            tensors: touched.tensors.iter().copied().filter(|t| is_callers(role(t))).collect(),
            tables: touched.tensors.iter().any(|t| matches!(role(t), MemRole::Table(_))),
            pool: touched.scratch() || touched.tensors.iter().any(|t| *role(t) == MemRole::Workspace),
            scratch: touched.scratch(),
            threads: s.threads,
            shared_bytes: text.shared_bytes,
        };
        refusals.extend(limits::excess(&s.name, &entry));
        entries.push(entry);
        globals.push_str(&text.globals);
        functions.push('\n');
        functions.push_str(&text.function);
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let text = format!("{}{globals}{}{functions}", header(kernel, &entries), prelude::called(&functions));
    Ok(Module { text, args: ArgsLayout::of(kernel), entries })
}

fn is_callers(role: &MemRole) -> bool {
    matches!(role, MemRole::In | MemRole::Out | MemRole::InOut)
}

/// The arguments and the bindings that some entry touches.
fn header(kernel: &SimtKernel, entries: &[Entry]) -> String {
    let l = ArgsLayout::of(kernel);
    let [ints, bases, floats] = [l.ints, l.bases, l.floats].map(|n| n.div_ceil(4));
    let spec = if kernel.spec.is_empty() { String::new() } else { format!(" for {}", kernel.spec) };
    let mut out = format!(
        "// `{}`{spec}, made by attnc: do not edit.\n\n\
         struct Args {{\n\
         \x20 // Extents, scalars, strides, dims, items and scratch bytes of the stages, asserts.\n\
         \x20 ints: array<vec4<i32>, {ints}>,\n\
         \x20 // First word of every workspace tensor in the pool, then of the scratch.\n\
         \x20 bases: array<vec4<i32>, {bases}>,\n\
         \x20 // Infinity, NaN, scalars.\n\
         \x20 floats: array<vec4<f32>, {floats}>,\n\
         }}\n\n\
         @group(0) @binding({BINDING_ARGS}) var<uniform> args: Args;\n",
        kernel.name
    );
    if entries.iter().any(|e| e.tables) {
        out.push_str(&format!("@group(0) @binding({BINDING_TABLES}) var<storage, read> tables: array<u32>;\n"));
    }
    if entries.iter().any(|e| e.pool) {
        out.push_str(&format!("@group(0) @binding({BINDING_POOL}) var<storage, read_write> pool: array<u32>;\n"));
    }
    for (i, t) in kernel.tensors.iter().enumerate() {
        if entries.iter().any(|e| e.tensors.contains(&i)) {
            out.push_str(&memory::declaration(t, i));
        }
    }
    out
}
