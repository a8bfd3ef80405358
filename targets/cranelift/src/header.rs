//! The C header of an object file.

use crate::module::{prepare_symbol, stage_symbol, table_symbol};
use einattn_compiler::lane::{LaneKernel, MemRole};
use std::fmt::Write;

/// C declarations of a kernel's functions and tables, and names for the slots of their arguments.
pub fn c_header(kernel: &LaneKernel) -> String {
    let name = &kernel.name;
    let guard = format!("EINATTN_{}_H", name.to_uppercase());
    let mut out = format!(
        "/* {name}: attention kernel compiled by einattn.\n\
         \x20  1. Fill the given slots of `ints`: extents of the ranks, integer scalars, strides (in elements) of your tensors.\n\
         \x20  2. Call {prepare}: it fills the other slots.\n\
         \x20  3. Check that every {upper}_DIM slot is the dimension of your tensor, and that every {upper}_ASSERT slot is 1.\n\
         \x20  4. For each stage in order, run the items 0 .. ints[{upper}_ITEMS_n] in any split, over any threads; `scratch` is\n\
         \x20     64-byte aligned, ints[{upper}_SCRATCH_n] bytes, one a thread. All of one stage ends before the next begins. */\n\
         #ifndef {guard}\n#define {guard}\n#include <stdint.h>\n#ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n",
        prepare = prepare_symbol(kernel),
        upper = name.to_uppercase(),
    );
    let parameters =
        "uint8_t *const *ptrs, int64_t *ints, const float *floats, uint8_t *scratch, int64_t begin, int64_t end";
    let stages: Vec<String> = (0..kernel.stages.len()).map(|i| stage_symbol(kernel, i)).collect();
    for symbol in std::iter::once(prepare_symbol(kernel)).chain(stages.iter().cloned()) {
        _ = writeln!(out, "void {symbol}({parameters});");
    }
    _ = writeln!(out, "static void (*const {name}_stages[])({parameters}) = {{{}}};", stages.join(", "));
    for t in &kernel.tensors {
        if matches!(t.role, MemRole::Table(_)) {
            _ = writeln!(out, "extern const uint8_t {}[];", table_symbol(kernel, &t.name));
        }
    }
    slots(&mut out, kernel);
    out.push_str("\n#ifdef __cplusplus\n}\n#endif\n#endif\n");
    out
}

/// An identifier that C accepts.
fn word(s: &str) -> String {
    s.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

fn slots(out: &mut String, kernel: &LaneKernel) {
    let (ints, upper) = (&kernel.ints, kernel.name.to_uppercase());
    let mut lines: Vec<(String, usize)> = vec![];
    for (i, t) in kernel.tensors.iter().enumerate() {
        lines.push((format!("PTR_{}", word(&t.name)), i));
    }
    for (i, name) in kernel.floats.iter().enumerate() {
        lines.push((format!("FLOAT_{}", word(name)), i));
    }
    for (i, (name, _)) in ints.ranks.iter().enumerate() {
        lines.push((format!("RANK_{}", word(name)), ints.rank(i)));
    }
    for (i, name) in ints.scalars.iter().enumerate() {
        lines.push((format!("SCALAR_{}", word(name)), ints.scalar(i)));
    }
    for (i, t) in kernel.tensors.iter().enumerate().filter(|(_, t)| !t.dims.is_empty()) {
        lines.push((format!("STRIDE_{}", word(&t.name)), ints.stride(i, 0)));
        lines.push((format!("DIM_{}", word(&t.name)), ints.dim(i, 0)));
    }
    for i in 0..kernel.stages.len() {
        lines.push((format!("ITEMS_{i}"), ints.items(i)));
        lines.push((format!("SCRATCH_{i}"), ints.scratch(i)));
    }
    for i in 0..ints.asserts.len() {
        lines.push((format!("ASSERT_{i}"), ints.assert(i)));
    }
    let counts = [("PTRS", kernel.tensors.len()), ("FLOATS", kernel.floats.len()), ("INTS", ints.len())];
    lines.extend(counts.map(|(n, v)| (n.to_string(), v)));
    lines.push(("STAGES".into(), kernel.stages.len()));
    _ = writeln!(
        out,
        "\n/* Indices into ptrs, floats and ints. STRIDE and DIM are followed by those of the further dimensions. */\nenum {{"
    );
    for (text, value) in lines {
        _ = writeln!(out, "  {upper}_{text} = {value},");
    }
    out.push_str("};\n");
}
