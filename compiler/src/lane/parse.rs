//! Reads the text form of the lane IR (see `print.rs` for the grammar by example).
//!
//! Guarantees only well-formedness of the text; `verify` judges the meaning.

use super::print::lower;
use super::{Func, Inst, LaneBin, LaneCmp, LaneKernel, LaneStage, LaneUn, Op, Ty, Val, Var};
use crate::cascade::text::Cursor;
use arguments::index;
use std::fmt::Debug;

mod arguments;

pub(crate) use arguments::{Arguments, Parser};

const TYPES: [Ty; 6] = [Ty::I64, Ty::F32, Ty::B, Ty::VF, Ty::VI, Ty::VB];

const UNARY: [LaneUn; 9] = [
    LaneUn::Neg,
    LaneUn::Abs,
    LaneUn::Not,
    LaneUn::Sqrt,
    LaneUn::Floor,
    LaneUn::Ceil,
    LaneUn::Round,
    LaneUn::Popcount,
    LaneUn::Ilog2,
];

const BINARY: [LaneBin; 10] = [
    LaneBin::Add,
    LaneBin::Sub,
    LaneBin::Mul,
    LaneBin::Div,
    LaneBin::Min,
    LaneBin::Max,
    LaneBin::FloorDiv,
    LaneBin::Mod,
    LaneBin::And,
    LaneBin::Or,
];

pub(crate) const COMPARE: [LaneCmp; 6] = [LaneCmp::Eq, LaneCmp::Ne, LaneCmp::Lt, LaneCmp::Le, LaneCmp::Gt, LaneCmp::Ge];

/// Most values of a function that a text may name: an absurd number is no reason to allocate.
pub(crate) const MAX_VALS: usize = 1 << 24;

/// Nesting depth at which the parser gives up instead of exhausting the stack.
pub(crate) const MAX_DEPTH: usize = 256;

/// Reads a kernel. An error is `line: message`.
pub fn parse(text: &str) -> Result<LaneKernel, String> {
    let mut p = Parser::new(text);
    let (name, lanes, spec) = p.statement(kernel)?;
    let Arguments { tensors, ints, sources, floats } = p.arguments()?;
    let prepare = p.prepare()?;
    let mut k = LaneKernel { name, spec, lanes, tensors, ints, sources, floats, prepare, stages: vec![] };
    while !p.word().is_empty() {
        let (name, func) = p.function()?;
        k.stages.push(LaneStage { name, func });
    }
    k.ints.stages = k.stages.len();
    Ok(k)
}

/// `kernel NAME lanes N spec TEXT`
fn kernel(c: &mut Cursor) -> Result<(String, usize, String), String> {
    c.expect("kernel")?;
    let name = c.name()?;
    c.expect("lanes")?;
    let lanes = index(c)?;
    let spec = if c.eat("spec") { c.name()? } else { String::new() };
    Ok((name, lanes, spec))
}

impl<'a> Parser<'a> {
    /// The function that derives arguments.
    pub(crate) fn prepare(&mut self) -> Result<Func, String> {
        let (head, func) = self.function()?;
        if head == "prepare" { Ok(func) } else { Err(self.error("expected `prepare {`")) }
    }

    /// `prepare vars [..] {` or `stage NAME vars [..] {` up to `}`; the name is `prepare`, or the stage's.
    fn function(&mut self) -> Result<(String, Func), String> {
        let (name, vars) = self.statement(|c| {
            let name = if c.eat("stage") { c.name()? } else { c.expect("prepare").map(|()| "prepare".to_string())? };
            let vars = if c.eat("vars") {
                c.expect("[")?;
                c.list("]", |c| ty(&c.name()?))?
            } else {
                vec![]
            };
            c.expect("{").map(|()| (name, vars))
        })?;
        let mut func = Func { vals: vec![Ty::I64, Ty::I64], vars, body: vec![] };
        let (body, _) = self.block(&mut func, 0)?;
        func.body = body;
        Ok((name, func))
    }

    /// Instructions up to a closing line, and that line.
    fn block(&mut self, func: &mut Func, depth: usize) -> Result<(Vec<Inst>, &'a str), String> {
        if depth > MAX_DEPTH {
            return Err(self.error("the nesting is too deep"));
        }
        let mut out = vec![];
        loop {
            let line = self.line()?;
            if line.starts_with('}') {
                return Ok((out, line));
            }
            if let Some(comment) = line.strip_prefix('#') {
                out.push(Inst::Comment(comment.strip_prefix(' ').unwrap_or(comment).to_string()));
            } else if !line.is_empty() {
                out.extend(self.inst(func, line, depth)?);
            }
        }
    }

    fn inst(&mut self, func: &mut Func, line: &str, depth: usize) -> Result<Option<Inst>, String> {
        let at = |p: &Self, m: String| p.error(&m);
        if let Some(rest) = line.strip_prefix("for ") {
            let (var, lo, hi, step) = loop_head(rest).map_err(|m| at(self, m))?;
            define(func, var, Ty::I64).map_err(|m| at(self, m))?;
            let (body, end) = self.block(func, depth + 1)?;
            self.closes(end)?;
            return Ok(Some(Inst::Loop { var, lo, hi, step, body }));
        }
        if let Some(rest) = line.strip_prefix("if ") {
            let cond = rest.strip_suffix(" {").ok_or("expected `{`".to_string()).and_then(val);
            let cond = cond.map_err(|m| at(self, m))?;
            let (then, end) = self.block(func, depth + 1)?;
            let els = match end {
                "} else {" => {
                    let (els, end) = self.block(func, depth + 1)?;
                    self.closes(end)?;
                    els
                }
                _ => {
                    self.closes(end)?;
                    vec![]
                }
            };
            return Ok(Some(Inst::If { cond, then, els }));
        }
        simple(func, line).map_err(|m| at(self, m))
    }
}

/// `v3 in v0..v1 step 1 {`
fn loop_head(s: &str) -> Result<(Val, Val, Val, i64), String> {
    let bad = || format!("`for {s}` is no loop");
    let (var, rest) = s.split_once(" in ").ok_or_else(bad)?;
    let (lo, rest) = rest.split_once("..").ok_or_else(bad)?;
    let (hi, rest) = rest.split_once(" step ").ok_or_else(bad)?;
    let step = rest.strip_suffix(" {").ok_or_else(bad)?;
    Ok((val(var)?, val(lo)?, val(hi)?, step.parse().map_err(|_| bad())?))
}

/// An instruction of one line; `None` for the type of a value that nothing defines.
fn simple(func: &mut Func, line: &str) -> Result<Option<Inst>, String> {
    if let Some((v, t)) = line.strip_suffix(" unused").and_then(|l| l.split_once(": ")) {
        return define(func, val(v)?, ty(t)?).map(|()| None);
    }
    let (left, right) = line.split_once(" = ").ok_or_else(|| format!("`{line}` is no instruction"))?;
    if let Some((v, t)) = left.split_once(": ") {
        let (v, t) = (val(v)?, ty(t)?);
        define(func, v, t)?;
        return Ok(Some(Inst::Let(v, operation(t, right)?)));
    }
    let value = val(right)?;
    Ok(Some(match bracketed(left) {
        Some(("local", offset)) => Inst::StoreLocal { offset: val(offset)?, value },
        Some(("int", slot)) => Inst::StoreInt { slot: number(slot)?, value },
        Some((tensor, offset)) => {
            let tensor = tensor.strip_prefix("tensor").ok_or_else(|| format!("nothing is stored to `{left}`"))?;
            Inst::StoreGlobal { tensor: number(tensor)?, offset: val(offset)?, value }
        }
        None => Inst::Set(Var(suffix('x', left)?), value),
    }))
}

fn define(func: &mut Func, v: Val, t: Ty) -> Result<(), String> {
    let i = v.0 as usize;
    if i >= MAX_VALS {
        return Err(format!("v{i} is more than a function holds"));
    }
    if func.vals.len() <= i {
        func.vals.resize(i + 1, Ty::I64);
    }
    func.vals[i] = t;
    Ok(())
}

/// `word[inner]`
pub(crate) fn bracketed(s: &str) -> Option<(&str, &str)> {
    s.strip_suffix(']').and_then(|s| s.split_once('['))
}

pub(crate) fn number<T: std::str::FromStr>(s: &str) -> Result<T, String> {
    s.parse().map_err(|_| format!("`{s}` is not a number that fits"))
}

pub(crate) fn suffix(letter: char, s: &str) -> Result<u32, String> {
    s.strip_prefix(letter).and_then(|n| n.parse().ok()).ok_or_else(|| format!("expected `{letter}N`, found `{s}`"))
}

fn val(s: &str) -> Result<Val, String> {
    suffix('v', s).map(Val)
}

fn vals<const N: usize>(s: &str) -> Result<[Val; N], String> {
    let all = s.split(", ").map(val).collect::<Result<Vec<_>, _>>()?;
    <[Val; N]>::try_from(all).map_err(|_| format!("expected {N} values, found `{s}`"))
}

fn ty(s: &str) -> Result<Ty, String> {
    TYPES.into_iter().find(|t| format!("{t:?}") == s).ok_or_else(|| format!("`{s}` is no type of a value"))
}

pub(crate) fn named<T: Copy + Debug>(all: &[T], word: &str) -> Option<T> {
    all.iter().copied().find(|t| lower(t) == word)
}

/// An operation with this type of result.
fn operation(t: Ty, s: &str) -> Result<Op, String> {
    let Some((word, rest)) = s.split_once(' ') else { return leaf(t, s) };
    if let Some((from, offset)) = word.strip_prefix("local.").zip(bracketed(rest)) {
        let loaded = named(&TYPES, from).ok_or_else(|| format!("`{from}` is no type of a value"))?;
        return Ok(Op::LoadLocal(loaded, val(offset.1)?));
    }
    if let Some(to) = word.strip_prefix("round_") {
        let to = to.parse().map_err(|()| format!("`{to}` is not a storage type"))?;
        return Ok(Op::RoundTo(to, val(rest)?));
    }
    let shift = || rest.split_once(", ").ok_or_else(|| format!("`{s}` lacks the number of bits"));
    Ok(match word {
        "fma" => vals(rest).map(|[a, b, c]| Op::Fma(a, b, c))?,
        "select" => vals(rest).map(|[c, a, b]| Op::Select(c, a, b))?,
        "splat" => Op::Splat(val(rest)?),
        "first" => Op::First(val(rest)?),
        "float" => Op::IntToFloat(val(rest)?),
        "int" => Op::FloatToInt(val(rest)?),
        "b2i" => Op::BoolToInt(val(rest)?),
        "bits" => Op::FloatBits(val(rest)?),
        "from_bits" => Op::BitsFloat(val(rest)?),
        "shl" => shift().and_then(|(a, n)| Ok(Op::Shl(val(a)?, number(n)?)))?,
        "shr" => shift().and_then(|(a, n)| Ok(Op::Shr(val(a)?, number(n)?)))?,
        _ => match (named(&UNARY, word), named(&BINARY, word), named(&COMPARE, word)) {
            (Some(op), ..) => Op::Un(op, val(rest)?),
            (_, Some(op), _) => vals(rest).map(|[a, b]| Op::Bin(op, a, b))?,
            (.., Some(op)) => vals(rest).map(|[a, b]| Op::Cmp(op, a, b))?,
            _ => return Err(format!("`{word}` is no operation")),
        },
    })
}

/// An operation of one word: a constant, an argument, a variable or an element.
fn leaf(t: Ty, s: &str) -> Result<Op, String> {
    match bracketed(s) {
        Some(("int", slot)) => return number(slot).map(Op::Int),
        Some(("float", slot)) => return number(slot).map(Op::FloatArg),
        Some((tensor, offset)) => {
            let tensor = tensor.strip_prefix("tensor").ok_or_else(|| format!("nothing is read from `{s}`"))?;
            let tensor = number(tensor)?;
            return match offset.strip_suffix("..") {
                Some(offset) => Ok(Op::LoadGlobalVec(tensor, val(offset)?)),
                None => Ok(Op::LoadGlobal(tensor, val(offset)?)),
            };
        }
        None => {}
    }
    if s == "iota" {
        return Ok(Op::Iota);
    }
    if s.starts_with('x') {
        return suffix('x', s).map(|v| Op::Get(Var(v)));
    }
    match t {
        Ty::I64 => number(s).map(Op::ConstI),
        Ty::F32 => number(s).map(Op::ConstF),
        Ty::B => number(s).map(Op::ConstB),
        Ty::VF | Ty::VI | Ty::VB => Err(format!("`{s}` is no operation")),
    }
}
