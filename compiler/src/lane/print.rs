//! Text form of the lane IR, for people, snapshots and `parse`.
//!
//! ```text
//! kernel attention lanes 8 spec "E = 64"
//! tensor 0 in Q: f32[P, 64]
//! tensor 1 table T: f32[2] = [0.5, 1.0]
//! int 0 extent P from 0.0                   given by dimension 0 of tensor 0; `given`, `const 64`, `computed`
//! int 4 scalar n
//! float 0 scale
//! int 9 assert "P > 0"
//! prepare {
//!   v2: I64 = int[0]
//!   int[8] = v2
//! }
//! stage O vars [VF] {
//!   # a comment
//!   v2: I64 = 0
//!   for v3 in v0..v1 step 1 {
//!     v4: VF = tensor0[v3..]
//!     x0 = v4
//!     local[v2] = v4
//!   }
//! }
//! ```
//!
//! `v0` and `v1` are the bounds of the items. `parse(print(k)) == k` for verified kernels.

use super::{Func, Inst, IntLayout, LaneKernel, MemRole, MemTensor, Op, RankSource, Ty, Val};
use crate::cascade::text::{float_text, name_text, quote};
use std::fmt::{self, Write};

impl fmt::Display for LaneKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spec = if self.spec.is_empty() { String::new() } else { format!(" spec {}", quote(&self.spec)) };
        writeln!(f, "kernel {} lanes {}{spec}", name_text(&self.name), self.lanes)?;
        print_arguments(f, &self.tensors, &self.ints, &self.sources, &self.floats)?;
        print_func(f, "prepare", &self.prepare)?;
        self.stages.iter().try_for_each(|s| print_func(f, &format!("stage {}", name_text(&s.name)), &s.func))
    }
}

/// Tensors and arguments, as the levels below L3 print them.
pub(crate) fn print_arguments(
    f: &mut fmt::Formatter<'_>,
    tensors: &[MemTensor],
    ints: &IntLayout,
    sources: &[RankSource],
    floats: &[String],
) -> fmt::Result {
    tensors.iter().enumerate().try_for_each(|(i, t)| tensor(f, i, t))?;
    for (i, ((name, given), source)) in ints.ranks.iter().zip(sources).enumerate() {
        let kind = if *given { "extent" } else { "derived" };
        writeln!(f, "int {} {kind} {} {}", ints.rank(i), name_text(name), source_text(source))?;
    }
    for (i, name) in ints.scalars.iter().enumerate() {
        writeln!(f, "int {} scalar {}", ints.scalar(i), name_text(name))?;
    }
    for (i, name) in floats.iter().enumerate() {
        writeln!(f, "float {i} {}", name_text(name))?;
    }
    for (i, text) in ints.asserts.iter().enumerate() {
        writeln!(f, "int {} assert {}", ints.assert(i), quote(text))?;
    }
    Ok(())
}

fn tensor(f: &mut fmt::Formatter<'_>, i: usize, t: &MemTensor) -> fmt::Result {
    let number = |d: &str| d == "0" || (d.len() < 19 && !d.starts_with('0') && d.bytes().all(|b| b.is_ascii_digit()));
    let dim = |d: &String| if !d.is_empty() && number(d) { d.clone() } else { name_text(d) };
    let dims: Vec<String> = t.dims.iter().map(dim).collect();
    write!(f, "tensor {i} {} {}: {}[{}]", role_word(&t.role), name_text(&t.name), t.dtype, dims.join(", "))?;
    if let MemRole::Table(elements) = &t.role {
        let elements: Vec<String> = elements.iter().map(|x| float_text(*x)).collect();
        write!(f, " = [{}]", elements.join(", "))?;
    }
    writeln!(f)
}

fn role_word(role: &MemRole) -> &'static str {
    match role {
        MemRole::In => "in",
        MemRole::Out => "out",
        MemRole::InOut => "inout",
        MemRole::Table(_) => "table",
        MemRole::Workspace => "workspace",
    }
}

fn source_text(s: &RankSource) -> String {
    match s {
        RankSource::Dim { tensor, dim } => format!("from {tensor} {dim}"),
        RankSource::Given => "given".to_string(),
        RankSource::Const(n) => format!("const {n}"),
        RankSource::Derived => "computed".to_string(),
    }
}

/// A function with its name.
pub(crate) fn print_func(f: &mut fmt::Formatter<'_>, name: &str, func: &Func) -> fmt::Result {
    let vars: Vec<String> = func.vars.iter().map(|t| format!("{t:?}")).collect();
    let vars = if vars.is_empty() { String::new() } else { format!(" vars [{}]", vars.join(", ")) };
    writeln!(f, "{name}{vars} {{")?;
    let mut out = String::new();
    for (v, ty) in undefined(func) {
        writeln!(out, "  v{v}: {ty:?} unused")?;
    }
    block(&mut out, func, &func.body, 1)?;
    f.write_str(&out)?;
    writeln!(f, "}}")
}

/// Values that no instruction defines.
fn undefined(func: &Func) -> impl Iterator<Item = (usize, &Ty)> {
    let mut defined = vec![false; func.vals.len()];
    mark(&func.body, &mut defined);
    func.vals.iter().enumerate().skip(2).filter(move |(i, _)| !defined[*i])
}

fn mark(insts: &[Inst], defined: &mut [bool]) {
    for i in insts {
        if let Inst::Let(v, _) | Inst::Loop { var: v, .. } = i
            && let Some(d) = defined.get_mut(v.0 as usize)
        {
            *d = true;
        }
        match i {
            Inst::Loop { body, .. } => mark(body, defined),
            Inst::If { then, els, .. } => {
                mark(then, defined);
                mark(els, defined);
            }
            Inst::Comment(_)
            | Inst::Let(..)
            | Inst::Set(..)
            | Inst::StoreLocal { .. }
            | Inst::StoreGlobal { .. }
            | Inst::StoreInt { .. } => {}
        }
    }
}

fn block(f: &mut String, func: &Func, insts: &[Inst], depth: usize) -> fmt::Result {
    insts.iter().try_for_each(|i| inst(f, func, i, depth))
}

fn inst(f: &mut String, func: &Func, inst: &Inst, depth: usize) -> fmt::Result {
    let pad = "  ".repeat(depth);
    match inst {
        Inst::Comment(text) => writeln!(f, "{pad}# {}", text.replace('\n', " ")),
        Inst::Let(v, op) => writeln!(f, "{pad}v{}: {:?} = {}", v.0, func.ty(*v), operation(op)),
        Inst::Set(var, v) => writeln!(f, "{pad}x{} = v{}", var.0, v.0),
        Inst::Loop { var, lo, hi, step, body } => {
            writeln!(f, "{pad}for v{} in v{}..v{} step {step} {{", var.0, lo.0, hi.0)?;
            block(f, func, body, depth + 1)?;
            writeln!(f, "{pad}}}")
        }
        Inst::If { cond, then, els } => {
            writeln!(f, "{pad}if v{} {{", cond.0)?;
            block(f, func, then, depth + 1)?;
            if !els.is_empty() {
                writeln!(f, "{pad}}} else {{")?;
                block(f, func, els, depth + 1)?;
            }
            writeln!(f, "{pad}}}")
        }
        Inst::StoreLocal { offset, value } => writeln!(f, "{pad}local[v{}] = v{}", offset.0, value.0),
        Inst::StoreGlobal { tensor, offset, value } => {
            writeln!(f, "{pad}tensor{tensor}[v{}] = v{}", offset.0, value.0)
        }
        Inst::StoreInt { slot, value } => writeln!(f, "{pad}int[{slot}] = v{}", value.0),
    }
}

fn operation(op: &Op) -> String {
    let names = |vs: &[Val]| vs.iter().map(|v| format!("v{}", v.0)).collect::<Vec<_>>().join(", ");
    match op {
        Op::ConstI(v) => format!("{v}"),
        Op::ConstF(v) => format!("{v:?}"),
        Op::ConstB(v) => format!("{v}"),
        Op::Get(var) => format!("x{}", var.0),
        Op::Int(slot) => format!("int[{slot}]"),
        Op::FloatArg(slot) => format!("float[{slot}]"),
        Op::Un(op, a) => format!("{} v{}", lower(op), a.0),
        Op::Bin(op, a, b) => format!("{} {}", lower(op), names(&[*a, *b])),
        Op::Cmp(op, a, b) => format!("{} {}", lower(op), names(&[*a, *b])),
        Op::Fma(a, b, c) => format!("fma {}", names(&[*a, *b, *c])),
        Op::Select(c, a, b) => format!("select {}", names(&[*c, *a, *b])),
        Op::Splat(a) => format!("splat v{}", a.0),
        Op::Iota => "iota".into(),
        Op::First(a) => format!("first v{}", a.0),
        Op::IntToFloat(a) => format!("float v{}", a.0),
        Op::FloatToInt(a) => format!("int v{}", a.0),
        Op::BoolToInt(a) => format!("b2i v{}", a.0),
        Op::FloatBits(a) => format!("bits v{}", a.0),
        Op::BitsFloat(a) => format!("from_bits v{}", a.0),
        Op::Shl(a, n) => format!("shl v{}, {n}", a.0),
        Op::Shr(a, n) => format!("shr v{}, {n}", a.0),
        Op::RoundTo(t, a) => format!("round_{t} v{}", a.0),
        Op::LoadLocal(t, a) => format!("local.{} [v{}]", lower(t), a.0),
        Op::LoadGlobal(t, a) => format!("tensor{t}[v{}]", a.0),
        Op::LoadGlobalVec(t, a) => format!("tensor{t}[v{}..]", a.0),
    }
}

/// The word of an operator.
pub(super) fn lower(x: &impl fmt::Debug) -> String {
    format!("{x:?}").to_lowercase()
}
