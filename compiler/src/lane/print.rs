//! Text form of the lane IR, for people and snapshots.

use super::{Func, Inst, LaneKernel, MemRole, Op, Val};
use std::fmt::{self, Write};

impl fmt::Display for LaneKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "kernel {} lanes {}", self.name, self.lanes)?;
        for (i, t) in self.tensors.iter().enumerate() {
            let role = match &t.role {
                MemRole::In => "in",
                MemRole::Out => "out",
                MemRole::InOut => "inout",
                MemRole::Table(_) => "table",
                MemRole::Workspace => "workspace",
            };
            writeln!(f, "tensor {i} {role} {}: {}[{}]", t.name, t.dtype, t.dims.join(", "))?;
        }
        for (i, (name, given)) in self.ints.ranks.iter().enumerate() {
            writeln!(f, "int {} {} {name}", self.ints.rank(i), if *given { "extent" } else { "derived" })?;
        }
        for (i, name) in self.ints.scalars.iter().enumerate() {
            writeln!(f, "int {} scalar {name}", self.ints.scalar(i))?;
        }
        for (i, name) in self.floats.iter().enumerate() {
            writeln!(f, "float {i} {name}")?;
        }
        for (i, text) in self.ints.asserts.iter().enumerate() {
            writeln!(f, "int {} assert {text}", self.ints.assert(i))?;
        }
        func(f, "prepare", &self.prepare)?;
        self.stages.iter().try_for_each(|s| func(f, &format!("stage {}", s.name), &s.func))
    }
}

fn func(f: &mut fmt::Formatter<'_>, name: &str, func: &Func) -> fmt::Result {
    writeln!(f, "{name} {{")?;
    let mut out = String::new();
    block(&mut out, func, &func.body, 1)?;
    f.write_str(&out)?;
    writeln!(f, "}}")
}

fn block(f: &mut String, func: &Func, insts: &[Inst], depth: usize) -> fmt::Result {
    insts.iter().try_for_each(|i| inst(f, func, i, depth))
}

fn inst(f: &mut String, func: &Func, inst: &Inst, depth: usize) -> fmt::Result {
    let pad = "  ".repeat(depth);
    match inst {
        Inst::Comment(text) => writeln!(f, "{pad}# {text}"),
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

fn lower(x: &impl fmt::Debug) -> String {
    format!("{x:?}").to_lowercase()
}
