//! Reads the text form of the SIMT IR (see `print.rs` for the grammar by example).
//!
//! Guarantees only well-formedness of the text; `verify` judges the meaning.

use super::print::word;
use super::{
    Array, ArrayId, Elem, Inst, MatrixType, Op, Place, SharedMatrix, SimtBin, SimtKernel, SimtStage, SimtUn, Space, Ty,
    Val, Var,
};
use crate::cascade::text::Cursor;
use crate::lane::parse::{Arguments, COMPARE, MAX_DEPTH, MAX_VALS, Parser, bracketed, number, suffix};
use std::fmt::Debug;

const TYPES: [Ty; 5] = [Ty::I32, Ty::Off, Ty::F32, Ty::B, Ty::Pair];
const ELEMENTS: [Elem; 4] = [Elem::F32, Elem::I32, Elem::F16, Elem::Bf16];
const MATRICES: [MatrixType; 3] = [MatrixType::F16, MatrixType::Bf16, MatrixType::Tf32];

const UNARY: [SimtUn; 11] = [
    SimtUn::Neg,
    SimtUn::Abs,
    SimtUn::Not,
    SimtUn::Sqrt,
    SimtUn::Floor,
    SimtUn::Ceil,
    SimtUn::Round,
    SimtUn::Exp2,
    SimtUn::Log2,
    SimtUn::Popcount,
    SimtUn::Ilog2,
];

const BINARY: [SimtBin; 11] = [
    SimtBin::Add,
    SimtBin::Sub,
    SimtBin::Mul,
    SimtBin::Div,
    SimtBin::Min,
    SimtBin::Max,
    SimtBin::FloorDiv,
    SimtBin::Mod,
    SimtBin::And,
    SimtBin::Or,
    SimtBin::Xor,
];

/// Reads a kernel. An error is `line: message`.
pub fn parse(text: &str) -> Result<SimtKernel, String> {
    let mut p = Parser::new(text);
    let (name, spec) = p.statement(|c| {
        c.expect("simt")?;
        let name = c.name()?;
        Ok((name, if c.eat("spec") { c.name()? } else { String::new() }))
    })?;
    let Arguments { tensors, mut ints, sources, floats } = p.arguments()?;
    let prepare = p.prepare()?;
    let mut stages = vec![];
    while !p.word().is_empty() {
        stages.push(stage(&mut p)?);
    }
    ints.stages = stages.len();
    Ok(SimtKernel { name, spec, tensors, ints, sources, floats, prepare, stages })
}

/// `stage NAME threads N subgroup N vars [..] {` up to `}`.
fn stage(p: &mut Parser<'_>) -> Result<SimtStage, String> {
    let mut s = p.statement(|c| {
        c.expect("stage")?;
        let name = c.name()?;
        c.expect("threads")?;
        let threads = count(c)?;
        let subgroup = if c.eat("subgroup") { Some(count(c)?) } else { None };
        let vars = if c.eat("vars") {
            c.expect("[")?;
            c.list("]", |c| named(&TYPES, &c.name()?, |t| format!("{t:?}")))?
        } else {
            vec![]
        };
        c.expect("{")?;
        Ok(SimtStage { name, threads, subgroup, arrays: vec![], vals: vec![], vars, body: vec![] })
    })?;
    while p.word() == "array" {
        let a = p.statement(array)?;
        s.arrays.push(a);
    }
    let (body, _) = block(p, &mut s, 0)?;
    s.body = body;
    Ok(s)
}

fn count(c: &mut Cursor) -> Result<u32, String> {
    u32::try_from(c.int()?).map_err(|_| "expected a number that is not negative".to_string())
}

/// `array s0 shared NAME: f32[64]`
fn array(c: &mut Cursor) -> Result<Array, String> {
    c.expect("array")?;
    c.name()?;
    let space = match c.name()?.as_str() {
        "shared" => Space::Shared,
        "private" => Space::Private,
        other => return Err(format!("`{other}` is no place of an array")),
    };
    let name = c.name()?;
    c.expect(":")?;
    let dtype = c.dtype()?;
    let elem = ELEMENTS.into_iter().find(|e| e.dtype() == dtype).ok_or(format!("no arrays hold {dtype}"))?;
    c.expect("[")?;
    let len = count(c)?;
    c.expect("]")?;
    Ok(Array { name, space, elem, len })
}

/// Instructions up to a closing line, and that line.
fn block<'a>(p: &mut Parser<'a>, s: &mut SimtStage, depth: usize) -> Result<(Vec<Inst>, &'a str), String> {
    if depth > MAX_DEPTH {
        return Err(p.error("the nesting is too deep"));
    }
    let mut out = vec![];
    loop {
        let line = p.line()?;
        if line.starts_with('}') {
            return Ok((out, line));
        }
        if let Some(comment) = line.strip_prefix('#') {
            out.push(Inst::Comment(comment.strip_prefix(' ').unwrap_or(comment).to_string()));
        } else if let Some(rest) = line.strip_prefix("for ") {
            let (var, lo, hi, step) = loop_head(rest).map_err(|m| p.error(&m))?;
            define(s, &[var], Ty::I32).map_err(|m| p.error(&m))?;
            let (body, end) = block(p, s, depth + 1)?;
            p.closes(end)?;
            out.push(Inst::Loop { var, lo, hi, step, body });
        } else if let Some(rest) = line.strip_prefix("if ") {
            let cond = rest.strip_suffix(" {").ok_or("expected `{`".to_string()).and_then(val);
            let cond = cond.map_err(|m| p.error(&m))?;
            let (then, mut end) = block(p, s, depth + 1)?;
            let mut els = vec![];
            if end == "} else {" {
                (els, end) = block(p, s, depth + 1)?;
            }
            p.closes(end)?;
            out.push(Inst::If { cond, then, els });
        } else if !line.is_empty() {
            out.extend(simple(s, line).map_err(|m| p.error(&m))?);
        }
    }
}

/// `v3 in v0..v1 step 1 {`
fn loop_head(s: &str) -> Result<(Val, Val, Val, i32), String> {
    let bad = || format!("`for {s}` is no loop");
    let (var, rest) = s.split_once(" in ").ok_or_else(bad)?;
    let (lo, rest) = rest.split_once("..").ok_or_else(bad)?;
    let (hi, rest) = rest.split_once(" step ").ok_or_else(bad)?;
    let step = rest.strip_suffix(" {").ok_or_else(bad)?;
    Ok((val(var)?, val(lo)?, val(hi)?, number(step)?))
}

/// An instruction of one line; `None` for the type of a value that nothing defines.
fn simple(s: &mut SimtStage, line: &str) -> Result<Option<Inst>, String> {
    if let Some((v, t)) = line.strip_suffix(" unused").and_then(|l| l.split_once(": ")) {
        return define(s, &[val(v)?], ty(t)?).map(|()| None);
    }
    match line.split_once(' ').unwrap_or((line, "")) {
        ("barrier", _) => return Ok(Some(Inst::Barrier)),
        ("commit", _) => return Ok(Some(Inst::CopyCommit)),
        ("wait", n) => return Ok(Some(Inst::CopyWait(number(n)?))),
        ("mma", rest) => return product(rest).map(Some),
        ("group_mma", rest) => return group_product(rest).map(Some),
        ("copy", rest) => return copy(rest).map(Some),
        _ => {}
    }
    let (left, right) = line.split_once(" = ").ok_or_else(|| format!("`{line}` is no instruction"))?;
    if let Some((dst, t)) = left.split_once(": ") {
        let (dst, t) = (vals(dst)?, ty(t)?);
        define(s, &dst, t)?;
        return defined(dst, t, right).map(Some);
    }
    Ok(Some(match place(left) {
        Some(to) => Inst::Store { to: to?, values: vals(right)? },
        None => Inst::Set(var(left)?, val(right)?),
    }))
}

/// What defines values: a load, a read of matrices or an operation.
fn defined(dst: Vec<Val>, t: Ty, s: &str) -> Result<Inst, String> {
    if let Some(rest) = s.strip_prefix("matrix ") {
        let (from, transposed) = rest.strip_suffix(" transposed").map_or((rest, false), |r| (r, true));
        return match place(from).transpose()? {
            Some(Place::Array(array, offset)) => Ok(Inst::LoadMatrix { dst, array, offset, transposed }),
            _ => Err(format!("matrices are not read from `{from}`")),
        };
    }
    if let Some(from) = place(s) {
        return Ok(Inst::Load { dst, from: from? });
    }
    match dst[..] {
        [v] => Ok(Inst::Let(v, operation(t, s)?)),
        _ => Err(format!("`{s}` has one value")),
    }
}

/// `tf32 [x0, x1, x2, x3] += [v0, v1, v2, v3] * [v4, v5]`
fn product(s: &str) -> Result<Inst, String> {
    let bad = || format!("`mma {s}` is no product");
    let inner = |s: &str| s.strip_prefix('[').and_then(|s| s.strip_suffix(']')).map(str::to_string);
    let (of, rest) = s.split_once(' ').ok_or_else(bad)?;
    let (acc, rest) = rest.split_once(" += ").ok_or_else(bad)?;
    let (a, b) = rest.split_once(" * ").ok_or_else(bad)?;
    let [acc, a, b] = [acc, a, b].map(|s| inner(s).ok_or_else(bad));
    let acc = acc?.split(", ").map(var).collect::<Result<Vec<_>, _>>()?;
    let acc = <[Var; 4]>::try_from(acc).map_err(|_| bad())?;
    Ok(Inst::Mma { of: named(&MATRICES, of, word)?, a: exactly(&a?)?, b: exactly(&b?)?, acc })
}

/// `bf16 [x0, ..] += [v0, ..] * s0[v1] rows 64 width 32 across`
fn group_product(s: &str) -> Result<Inst, String> {
    let bad = || format!("`group_mma {s}` is no product");
    let inner = |s: &str| s.strip_prefix('[').and_then(|s| s.strip_suffix(']')).map(str::to_string);
    let (of, rest) = s.split_once(' ').ok_or_else(bad)?;
    let (acc, rest) = rest.split_once("= ").ok_or_else(bad)?;
    let (acc, accumulate) = acc.strip_suffix(" +").map_or((acc.trim_end(), false), |a| (a, true));
    let (a, b) = rest.split_once(" * ").ok_or_else(bad)?;
    let acc = inner(acc).ok_or_else(bad)?.split(", ").map(var).collect::<Result<Vec<_>, _>>()?;
    let a = vals(&inner(a).ok_or_else(bad)?)?;
    let a = a.chunks(4).map(|c| <[Val; 4]>::try_from(c).map_err(|_| bad())).collect::<Result<Vec<_>, _>>()?;
    let (b, across) = b.strip_suffix(" across").map_or((b, false), |b| (b, true));
    let (b, width) = b.split_once(" width ").ok_or_else(bad)?;
    let (b, rows) = b.split_once(" rows ").ok_or_else(bad)?;
    let Some(Place::Array(array, first)) = place(b).transpose()? else { return Err(bad()) };
    let b = SharedMatrix { array, first, rows: number(rows)?, width: number(width)?, across };
    Ok(Inst::GroupMma { of: named(&MATRICES, of, word)?, a, b, acc, accumulate })
}

/// `s0[v1] = tensor0[v2] if v3`
fn copy(s: &str) -> Result<Inst, String> {
    let bad = || format!("`copy {s}` is no copy");
    let (to, rest) = s.split_once(" = ").ok_or_else(bad)?;
    let (from, valid) = rest.split_once(" if ").ok_or_else(bad)?;
    match (place(to).transpose()?, place(from).transpose()?) {
        (Some(Place::Array(array, to)), Some(Place::Global(tensor, from))) => {
            Ok(Inst::CopyAsync { array, to, tensor, from, valid: val(valid)? })
        }
        _ => Err(bad()),
    }
}

/// `tensor0[v1]`, `s0[v1]` or `scratch[v1]`; `None` if it is none of them.
fn place(s: &str) -> Option<Result<Place, String>> {
    let (what, offset) = bracketed(s)?;
    let offset = val(offset);
    if let Some(t) = what.strip_prefix("tensor") {
        return Some(number(t).and_then(|t| Ok(Place::Global(t, offset?))));
    }
    match what {
        "scratch" => Some(offset.map(Place::Scratch)),
        "int" | "float" | "off int" => None,
        _ => Some(suffix('s', what).and_then(|a| Ok(Place::Array(ArrayId(a), offset?)))),
    }
}

fn define(s: &mut SimtStage, vs: &[Val], t: Ty) -> Result<(), String> {
    for v in vs {
        let i = v.0 as usize;
        if i >= MAX_VALS {
            return Err(format!("v{i} is more than a stage holds"));
        }
        if s.vals.len() <= i {
            s.vals.resize(i + 1, Ty::I32);
        }
        s.vals[i] = t;
    }
    Ok(())
}

fn val(s: &str) -> Result<Val, String> {
    suffix('v', s).map(Val)
}

fn var(s: &str) -> Result<Var, String> {
    suffix('x', s).map(Var)
}

fn vals(s: &str) -> Result<Vec<Val>, String> {
    s.split(", ").map(val).collect()
}

fn exactly<const N: usize>(s: &str) -> Result<[Val; N], String> {
    <[Val; N]>::try_from(vals(s)?).map_err(|_| format!("expected {N} values, found `{s}`"))
}

fn ty(s: &str) -> Result<Ty, String> {
    named(&TYPES, s, |t| format!("{t:?}"))
}

fn named<T: Copy + Debug>(all: &[T], s: &str, text: impl Fn(&T) -> String) -> Result<T, String> {
    all.iter().copied().find(|t| text(t) == s).ok_or_else(|| format!("`{s}` is not known here"))
}

/// An operation with this type of result.
fn operation(t: Ty, s: &str) -> Result<Op, String> {
    let Some((first, rest)) = s.split_once(' ') else { return leaf(t, s) };
    let shift = || rest.split_once(", ").ok_or_else(|| format!("`{s}` lacks a number"));
    let dtype = |to: &str| to.parse().map_err(|()| format!("`{to}` is not a storage type"));
    if let Some(to) = first.strip_prefix("round_") {
        return Ok(Op::RoundTo(dtype(to)?, val(rest)?));
    }
    if let Some(to) = first.strip_prefix("pack_") {
        let elem = Elem::half(dtype(to)?).ok_or_else(|| format!("`{to}` has not 16 bits"))?;
        return exactly(rest).map(|[a, b]| Op::Pack(elem, a, b));
    }
    Ok(match first {
        "off" => match bracketed(rest) {
            Some(("int", slot)) => Op::IntOff(number(slot)?),
            _ => Op::ToOff(val(rest)?),
        },
        "fma" => exactly(rest).map(|[a, b, c]| Op::Fma(a, b, c))?,
        "select" => exactly(rest).map(|[c, a, b]| Op::Select(c, a, b))?,
        "float" => Op::IntToFloat(val(rest)?),
        "int" => Op::FloatToInt(val(rest)?),
        "b2i" => Op::BoolToInt(val(rest)?),
        "bits" => Op::FloatBits(val(rest)?),
        "from_bits" => Op::BitsFloat(val(rest)?),
        "shl" => shift().and_then(|(a, n)| Ok(Op::Shl(val(a)?, number(n)?)))?,
        "shr" => shift().and_then(|(a, n)| Ok(Op::Shr(val(a)?, number(n)?)))?,
        "shuffle" => shift().and_then(|(a, n)| Ok(Op::Shuffle(val(a)?, number(n)?)))?,
        _ => match (named(&UNARY, first, word), named(&BINARY, first, word), named(&COMPARE, first, word)) {
            (Ok(op), ..) => Op::Un(op, val(rest)?),
            (_, Ok(op), _) => exactly(rest).map(|[a, b]| Op::Bin(op, a, b))?,
            (.., Ok(op)) => exactly(rest).map(|[a, b]| Op::Cmp(op, a, b))?,
            (Err(_), Err(_), Err(_)) => return Err(format!("`{first}` is no operation")),
        },
    })
}

/// An operation of one word: a constant, an argument or a variable.
fn leaf(t: Ty, s: &str) -> Result<Op, String> {
    match bracketed(s) {
        Some(("int", slot)) => return number(slot).map(Op::Int),
        Some(("float", slot)) => return number(slot).map(Op::FloatArg),
        _ => {}
    }
    match (s, t) {
        ("item", _) => Ok(Op::Item),
        ("thread", _) => Ok(Op::Thread),
        _ if s.starts_with('x') => var(s).map(Op::Get),
        (_, Ty::I32) => number(s).map(Op::ConstI),
        (_, Ty::F32) => number(s).map(Op::ConstF),
        (_, Ty::B) => number(s).map(Op::ConstB),
        (_, Ty::Off | Ty::Pair) => Err(format!("`{s}` is no operation")),
    }
}
