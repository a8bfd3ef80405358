//! Names and literals of generated code.

use einattn_compiler::lane::{IntLayout, LaneKernel};

/// A name as a part of an identifier: other characters become `_`.
pub(crate) fn identifier(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}

/// A float literal.
pub(crate) fn float(v: f32) -> String {
    if v.is_nan() {
        "f32::NAN".into()
    } else if v.is_infinite() {
        (if v > 0.0 { "f32::INFINITY" } else { "f32::NEG_INFINITY" }).into()
    } else if v.is_sign_negative() {
        format!("({v:?}_f32)")
    } else {
        format!("{v:?}_f32")
    }
}

/// An integer literal that methods can be called on.
pub(crate) fn int(v: i64) -> String {
    match v {
        i64::MIN => "i64::MIN".into(),
        v if v < 0 => format!("({v}_i64)"),
        v => format!("{v}_i64"),
    }
}

/// What a slot of the integer arguments holds.
pub(crate) fn slot(kernel: &LaneKernel, slot: usize) -> String {
    let layout: &IntLayout = &kernel.ints;
    if let Some((name, _)) = layout.ranks.get(slot) {
        return format!("extent of {name}");
    }
    if let Some(name) = layout.scalars.get(slot - layout.ranks.len()) {
        return name.clone();
    }
    for (t, tensor) in kernel.tensors.iter().enumerate() {
        for d in 0..tensor.dims.len() {
            if layout.stride(t, d) == slot {
                return format!("stride {d} of {}", tensor.name);
            }
            if layout.dim(t, d) == slot {
                return format!("dimension {d} of {}", tensor.name);
            }
        }
    }
    for (i, stage) in kernel.stages.iter().enumerate() {
        if layout.items(i) == slot {
            return format!("items of stage {}", stage.name);
        }
        if layout.scratch(i) == slot {
            return format!("scratch bytes of stage {}", stage.name);
        }
    }
    "assertion".into()
}
