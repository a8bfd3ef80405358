//! The manifest of an object file: what a launcher in any language needs to know, as JSON.

use crate::Arch;
use crate::module::{prepare_symbol, stage_symbol, table_symbol};
use einattn_compiler::lane::{LaneKernel, MemRole, MemTensor, RankSource};
use serde_json::{Value, json};

/// Entry points, parameters and slots of a kernel's object code.
pub fn manifest(kernel: &LaneKernel, arch: &Arch) -> String {
    let ints = &kernel.ints;
    let stages = kernel.stages.iter().enumerate().map(|(i, s)| {
        json!({
            "name": s.name, "symbol": stage_symbol(kernel, i),
            "items_slot": ints.items(i), "scratch_bytes_slot": ints.scratch(i),
        })
    });
    let asserts = ints.asserts.iter().enumerate().map(|(i, text)| json!({ "text": text, "slot": ints.assert(i) }));
    let scalars = ints.scalars.iter().enumerate().map(|(i, name)| json!({ "name": name, "slot": ints.scalar(i) }));
    let all = json!({
        "format": 1,
        "kernel": kernel.name,
        "specialised": kernel.spec,
        "target": "cranelift",
        "arch": arch.to_string(),
        "prepare": prepare_symbol(kernel),
        "stages": stages.collect::<Vec<_>>(),
        "tensors": tensors(kernel),
        "ranks": ranks(kernel),
        "int_scalars": scalars.collect::<Vec<_>>(),
        "float_scalars": kernel.floats,
        "asserts": asserts.collect::<Vec<_>>(),
        "int_slots": ints.len(),
        "scratch_alignment": 64,
    });
    format!("{all:#}\n")
}

fn tensors(kernel: &LaneKernel) -> Vec<Value> {
    let one = |(i, t): (usize, &MemTensor)| {
        let role = match t.role {
            MemRole::In => "in",
            MemRole::Out => "out",
            MemRole::InOut => "inout",
            MemRole::Table(_) => "table",
            MemRole::Workspace => "workspace",
        };
        let table = matches!(t.role, MemRole::Table(_)).then(|| table_symbol(kernel, &t.name));
        json!({
            "name": t.name, "dtype": t.dtype.name(), "role": role, "symbol": table,
            "dims": t.dims,
            "stride_slots": (0..t.dims.len()).map(|d| kernel.ints.stride(i, d)).collect::<Vec<_>>(),
            "dim_slots": (0..t.dims.len()).map(|d| kernel.ints.dim(i, d)).collect::<Vec<_>>(),
        })
    };
    kernel.tensors.iter().enumerate().map(one).collect()
}

fn ranks(kernel: &LaneKernel) -> Vec<Value> {
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
