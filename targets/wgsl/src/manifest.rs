//! The manifest of a module: what a launcher in any language needs to know, as JSON.

use crate::layout::{BINDING_ARGS, BINDING_POOL, BINDING_TABLES, BINDING_TENSORS};
use crate::module::{Entry, Module};
use einattn_compiler::lane::{MemRole, MemTensor, RankSource};
use einattn_compiler::simt::SimtKernel;
use serde_json::{Value, json};

/// Entry points, bindings and argument layout of a module.
pub fn manifest(kernel: &SimtKernel, module: &Module) -> String {
    let ints = &kernel.ints;
    let asserts = ints.asserts.iter().enumerate().map(|(i, text)| json!({ "text": text, "slot": ints.assert(i) }));
    let scalars = ints.scalars.iter().enumerate().map(|(i, name)| json!({ "name": name, "slot": ints.scalar(i) }));
    let stages = module.entries.iter().enumerate().map(|(i, e)| stage(kernel, i, e));
    let args = &module.args;
    let all = json!({
        "format": 1,
        "kernel": kernel.name,
        "specialised": kernel.spec,
        "target": "wgsl",
        "stages": stages.collect::<Vec<_>>(),
        "tensors": tensors(kernel),
        "ranks": ranks(kernel),
        "int_scalars": scalars.collect::<Vec<_>>(),
        "float_scalars": kernel.floats,
        "asserts": asserts.collect::<Vec<_>>(),
        "args": {
            "binding": BINDING_ARGS, "words": args.words(), "int_slots": args.ints,
            "first_base": args.first_base(), "first_float": args.first_float(),
        },
        "tables_binding": BINDING_TABLES,
        "pool_binding": BINDING_POOL,
    });
    format!("{all:#}\n")
}

fn stage(kernel: &SimtKernel, i: usize, e: &Entry) -> Value {
    json!({
        "name": kernel.stages[i].name, "entry": e.name, "threads": e.threads, "workgroup_bytes": e.shared_bytes,
        "items_slot": kernel.ints.items(i), "scratch_bytes_slot": kernel.ints.scratch(i), "scratch": e.scratch,
        "bindings": e.tensors.iter().map(|t| *t as u32 + BINDING_TENSORS).collect::<Vec<_>>(),
        "tables": e.tables, "pool": e.pool,
    })
}

fn tensors(kernel: &SimtKernel) -> Vec<Value> {
    let one = |(i, t): (usize, &MemTensor)| {
        let role = match t.role {
            MemRole::In => "in",
            MemRole::Out => "out",
            MemRole::InOut => "inout",
            MemRole::Table(_) => "table",
            MemRole::Workspace => "workspace",
        };
        let callers = matches!(t.role, MemRole::In | MemRole::Out | MemRole::InOut);
        let elements = if let MemRole::Table(e) = &t.role { Some(e) } else { None };
        json!({
            "name": t.name, "dtype": t.dtype.name(), "role": role, "dims": t.dims,
            "binding": callers.then(|| i as u32 + BINDING_TENSORS), "elements": elements,
            "stride_slots": (0..t.dims.len()).map(|d| kernel.ints.stride(i, d)).collect::<Vec<_>>(),
            "dim_slots": (0..t.dims.len()).map(|d| kernel.ints.dim(i, d)).collect::<Vec<_>>(),
        })
    };
    kernel.tensors.iter().enumerate().map(one).collect()
}

fn ranks(kernel: &SimtKernel) -> Vec<Value> {
    let one = |(i, (name, _)): (usize, &(String, bool))| {
        let source = match kernel.sources.get(i) {
            Some(RankSource::Dim { tensor, dim }) => json!({ "tensor": kernel.tensors[*tensor].name, "dim": dim }),
            Some(RankSource::Const(n)) => json!({ "const": n }),
            Some(RankSource::Derived) => json!("derived"),
            Some(RankSource::Given) | None => json!("given"),
        };
        json!({ "name": name, "slot": kernel.ints.rank(i), "extent": source })
    };
    kernel.ints.ranks.iter().enumerate().map(one).collect()
}
