//! Names of the text: every value is named after what it is, with its number.

use einattn_compiler::lane::{IntLayout, MemRole, MemTensor};
use einattn_compiler::simt::{Array, Inst, Op, Place, SimtKernel, SimtStage, Space, Ty};

/// A text as part of an identifier.
pub(crate) fn clean(text: &str) -> String {
    let kept: String = text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    kept.trim_matches('_').to_string()
}

/// Name of a tensor's binding. No identifier of WGSL begins so.
pub(crate) fn tensor(t: &MemTensor, number: usize) -> String {
    let role = match t.role {
        MemRole::In => "in",
        MemRole::Out => "out",
        MemRole::InOut => "inout",
        MemRole::Table(_) => "table",
        MemRole::Workspace => "work",
    };
    format!("{role}{number}_{}", clean(&t.name))
}

/// Name of an array; shared ones are global and carry the number of their stage.
pub(crate) fn array(a: &Array, stage: usize) -> String {
    match a.space {
        Space::Private => format!("own_{}", clean(&a.name)),
        Space::Shared => format!("shared{stage}_{}", clean(&a.name)),
    }
}

/// Name of a stage's entry point.
pub(crate) fn entry(s: &SimtStage, number: usize) -> String {
    format!("stage{number}_{}", clean(&s.name))
}

/// What a slot of `ints` holds.
fn int(layout: &IntLayout, tensors: &[MemTensor], slot: usize) -> String {
    let scalars = layout.scalar(0);
    if slot < scalars {
        return clean(&layout.ranks[slot].0);
    }
    if let Some(name) = layout.scalars.get(slot - scalars) {
        return clean(name);
    }
    for (t, tensor) in tensors.iter().enumerate() {
        for d in 0..tensor.dims.len() {
            if layout.stride(t, d) == slot {
                return format!("{}_stride{d}", clean(&tensor.name));
            }
            if layout.dim(t, d) == slot {
                return format!("{}_dim{d}", clean(&tensor.name));
            }
        }
    }
    "int".to_string()
}

/// Names of the values of a stage.
pub(crate) fn values(kernel: &SimtKernel, stage: &SimtStage) -> Vec<String> {
    let kind = |t: &Ty| match t {
        Ty::I32 => "i",
        Ty::Off => "at",
        Ty::F32 => "x",
        Ty::B => "is",
        Ty::Pair => "pair",
    };
    let mut names: Vec<String> = stage.vals.iter().map(|t| kind(t).to_string()).collect();
    hints(kernel, stage, &stage.body, &mut names);
    names.into_iter().enumerate().map(|(i, hint)| format!("{hint}_{i}")).collect()
}

fn hints(kernel: &SimtKernel, stage: &SimtStage, insts: &[Inst], names: &mut [String]) {
    for inst in insts {
        let hint = match inst {
            Inst::Let(_, Op::Int(slot) | Op::IntOff(slot)) => int(&kernel.ints, &kernel.tensors, *slot),
            Inst::Let(_, Op::FloatArg(slot)) => kernel.floats.get(*slot).map(|f| clean(f)).unwrap_or_default(),
            Inst::Load { from: Place::Global(t, _), .. } => clean(&kernel.tensors[*t].name),
            Inst::Load { from: Place::Array(a, _), .. } => clean(&stage.arrays[a.0 as usize].name),
            Inst::Loop { body, .. } => {
                hints(kernel, stage, body, names);
                continue;
            }
            Inst::If { then, els, .. } => {
                hints(kernel, stage, then, names);
                hints(kernel, stage, els, names);
                continue;
            }
            _ => continue,
        };
        // A digit cannot begin a name.
        if hint.starts_with(|c: char| c.is_ascii_alphabetic()) {
            inst.defines().iter().for_each(|v| names[v.0 as usize].clone_from(&hint));
        }
    }
}
