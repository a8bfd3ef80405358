//! Text form of the SIMT IR, for people and snapshots. Tensors, arguments and `prepare` read as in the lane IR.
//!
//! ```text
//! simt attention
//! tensor 0 in Q: f32[P, 64]
//! prepare {
//! }
//! stage O threads 128 subgroup 32 vars [F32] {
//!   array s0 shared keys: f32[2048]
//!   v0: I32 = thread
//!   v1: Off = off v0
//!   v2, v3: F32 = tensor0[v1]
//!   barrier
//!   s0[v0] = v2, v3
//! }
//! ```

use super::{Inst, Op, Place, SimtKernel, SimtStage, Space, Ty, Val, Var};
use crate::cascade::text::{name_text, quote};
use crate::lane::{print_arguments, print_func};
use std::fmt::{self, Debug, Write};

impl fmt::Display for SimtKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spec = if self.spec.is_empty() { String::new() } else { format!(" spec {}", quote(&self.spec)) };
        writeln!(f, "simt {}{spec}", name_text(&self.name))?;
        print_arguments(f, &self.tensors, &self.ints, &self.sources, &self.floats)?;
        print_func(f, "prepare", &self.prepare)?;
        self.stages.iter().try_for_each(|s| stage(f, s))
    }
}

fn stage(f: &mut fmt::Formatter<'_>, s: &SimtStage) -> fmt::Result {
    write!(f, "stage {} threads {}", name_text(&s.name), s.threads)?;
    if let Some(n) = s.subgroup {
        write!(f, " subgroup {n}")?;
    }
    if !s.vars.is_empty() {
        write!(f, " vars [{}]", list(&s.vars, |t| format!("{t:?}")))?;
    }
    writeln!(f, " {{")?;
    for (i, a) in s.arrays.iter().enumerate() {
        let space = if a.space == Space::Shared { "shared" } else { "private" };
        writeln!(f, "  array s{i} {space} {}: {}[{}]", name_text(&a.name), a.elem.dtype(), a.len)?;
    }
    let mut out = String::new();
    for (v, ty) in undefined(s) {
        writeln!(out, "  v{v}: {ty:?} unused")?;
    }
    block(&mut out, s, &s.body, 1)?;
    f.write_str(&out)?;
    writeln!(f, "}}")
}

/// Values that no instruction defines.
fn undefined(s: &SimtStage) -> impl Iterator<Item = (usize, &Ty)> {
    let mut defined = vec![false; s.vals.len()];
    mark(&s.body, &mut defined);
    s.vals.iter().enumerate().filter(move |(i, _)| !defined[*i])
}

fn mark(insts: &[Inst], defined: &mut [bool]) {
    for i in insts {
        for v in i.defines() {
            if let Some(d) = defined.get_mut(v.0 as usize) {
                *d = true;
            }
        }
        match i {
            Inst::Loop { body, .. } => mark(body, defined),
            Inst::If { then, els, .. } => [then, els].into_iter().for_each(|b| mark(b, defined)),
            _ => {}
        }
    }
}

fn list<T>(xs: &[T], text: impl Fn(&T) -> String) -> String {
    xs.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn vals(vs: &[Val]) -> String {
    list(vs, |v| format!("v{}", v.0))
}

fn vars(xs: &[Var]) -> String {
    list(xs, |x| format!("x{}", x.0))
}

fn place(p: Place) -> String {
    match p {
        Place::Global(t, v) => format!("tensor{t}[v{}]", v.0),
        Place::Array(a, v) => format!("s{}[v{}]", a.0, v.0),
        Place::Scratch(v) => format!("scratch[v{}]", v.0),
    }
}

fn block(f: &mut String, s: &SimtStage, insts: &[Inst], depth: usize) -> fmt::Result {
    insts.iter().try_for_each(|i| inst(f, s, i, depth))
}

fn inst(f: &mut String, s: &SimtStage, inst: &Inst, depth: usize) -> fmt::Result {
    let pad = "  ".repeat(depth);
    let ty = |vs: &[Val]| vs.first().map_or("?".to_string(), |v| format!("{:?}", s.ty(*v)));
    match inst {
        Inst::Comment(text) => writeln!(f, "{pad}# {}", text.replace('\n', " ")),
        Inst::Let(v, op) => writeln!(f, "{pad}v{}: {} = {}", v.0, ty(&[*v]), operation(op)),
        Inst::Set(var, v) => writeln!(f, "{pad}x{} = v{}", var.0, v.0),
        Inst::Loop { var, lo, hi, step, body } => {
            writeln!(f, "{pad}for v{} in v{}..v{} step {step} {{", var.0, lo.0, hi.0)?;
            block(f, s, body, depth + 1)?;
            writeln!(f, "{pad}}}")
        }
        Inst::If { cond, then, els } => {
            writeln!(f, "{pad}if v{} {{", cond.0)?;
            block(f, s, then, depth + 1)?;
            if !els.is_empty() {
                writeln!(f, "{pad}}} else {{")?;
                block(f, s, els, depth + 1)?;
            }
            writeln!(f, "{pad}}}")
        }
        Inst::Load { dst, from } => writeln!(f, "{pad}{}: {} = {}", vals(dst), ty(dst), place(*from)),
        Inst::Store { to, values } => writeln!(f, "{pad}{} = {}", place(*to), vals(values)),
        Inst::Barrier => writeln!(f, "{pad}barrier"),
        Inst::Mma { of, a, b, acc } => {
            writeln!(f, "{pad}mma {} [{}] += [{}] * [{}]", word(of), vars(acc), vals(a), vals(b))
        }
        Inst::GroupMma { of, a, b, acc, accumulate } => {
            let a: Vec<Val> = a.iter().flatten().copied().collect();
            let (op, way) = (if *accumulate { "+=" } else { "=" }, if b.across { " across" } else { "" });
            let right = format!("s{}[v{}] rows {} width {}{way}", b.array.0, b.first.0, b.rows, b.width);
            writeln!(f, "{pad}group_mma {} [{}] {op} [{}] * {right}", word(of), vars(acc), vals(&a))
        }
        Inst::LoadMatrix { dst, array, offset, transposed } => {
            let way = if *transposed { " transposed" } else { "" };
            writeln!(f, "{pad}{}: Pair = matrix s{}[v{}]{way}", vals(dst), array.0, offset.0)
        }
        Inst::CopyAsync { array, to, tensor, from, valid } => {
            writeln!(f, "{pad}copy s{}[v{}] = tensor{tensor}[v{}] if v{}", array.0, to.0, from.0, valid.0)
        }
        Inst::CopyCommit => writeln!(f, "{pad}commit"),
        Inst::CopyWait(n) => writeln!(f, "{pad}wait {n}"),
    }
}

fn operation(op: &Op) -> String {
    match op {
        Op::ConstI(v) => format!("{v}"),
        Op::ConstF(v) => format!("{v:?}"),
        Op::ConstB(v) => format!("{v}"),
        Op::Get(var) => format!("x{}", var.0),
        Op::Int(slot) => format!("int[{slot}]"),
        Op::IntOff(slot) => format!("off int[{slot}]"),
        Op::FloatArg(slot) => format!("float[{slot}]"),
        Op::Item => "item".into(),
        Op::Thread => "thread".into(),
        Op::Un(op, a) => format!("{} v{}", word(op), a.0),
        Op::Bin(op, a, b) => format!("{} {}", word(op), vals(&[*a, *b])),
        Op::Cmp(op, a, b) => format!("{} {}", word(op), vals(&[*a, *b])),
        Op::Fma(a, b, c) => format!("fma {}", vals(&[*a, *b, *c])),
        Op::Select(c, a, b) => format!("select {}", vals(&[*c, *a, *b])),
        Op::ToOff(a) => format!("off v{}", a.0),
        Op::IntToFloat(a) => format!("float v{}", a.0),
        Op::FloatToInt(a) => format!("int v{}", a.0),
        Op::BoolToInt(a) => format!("b2i v{}", a.0),
        Op::FloatBits(a) => format!("bits v{}", a.0),
        Op::BitsFloat(a) => format!("from_bits v{}", a.0),
        Op::Shl(a, n) => format!("shl v{}, {n}", a.0),
        Op::Shr(a, n) => format!("shr v{}, {n}", a.0),
        Op::RoundTo(t, a) => format!("round_{t} v{}", a.0),
        Op::Pack(e, a, b) => format!("pack_{} {}", e.dtype(), vals(&[*a, *b])),
        Op::Shuffle(a, mask) => format!("shuffle v{}, {mask}", a.0),
    }
}

/// The word of an operator.
pub(super) fn word(x: &impl Debug) -> String {
    format!("{x:?}").to_lowercase()
}
