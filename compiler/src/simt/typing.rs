//! Result types of operations and of loads: the one table that the builder, the verifier and the emitters share.

use super::{Array, Elem, Inst, Op, Place, SimtBin, SimtKernel, SimtStage, SimtUn, Ty, Val};
use crate::lane;
use crate::types::DType;

impl Elem {
    /// Size of one element in bytes.
    pub fn bytes(self) -> u32 {
        match self {
            Elem::F32 | Elem::I32 => 4,
            Elem::F16 | Elem::Bf16 => 2,
        }
    }

    /// The storage type with the same layout.
    pub fn dtype(self) -> DType {
        match self {
            Elem::F32 => DType::F32,
            Elem::I32 => DType::I32,
            Elem::F16 => DType::F16,
            Elem::Bf16 => DType::Bf16,
        }
    }

    /// The 16-bit element with this storage type.
    pub fn half(dtype: DType) -> Option<Elem> {
        match dtype {
            DType::F16 => Some(Elem::F16),
            DType::Bf16 => Some(Elem::Bf16),
            _ => None,
        }
    }
}

impl Op {
    /// Operands, in order.
    pub fn operands(&self) -> Vec<Val> {
        match self {
            Op::ConstI(_)
            | Op::ConstF(_)
            | Op::ConstB(_)
            | Op::Get(_)
            | Op::Int(_)
            | Op::IntOff(_)
            | Op::FloatArg(_)
            | Op::Item
            | Op::Thread => vec![],
            Op::Un(_, a)
            | Op::ToOff(a)
            | Op::IntToFloat(a)
            | Op::FloatToInt(a)
            | Op::BoolToInt(a)
            | Op::FloatBits(a)
            | Op::BitsFloat(a)
            | Op::Shl(a, _)
            | Op::Shr(a, _)
            | Op::RoundTo(_, a)
            | Op::Shuffle(a, _) => vec![*a],
            Op::Bin(_, a, b) | Op::Cmp(_, a, b) | Op::Pack(_, a, b) => vec![*a, *b],
            Op::Fma(a, b, c) | Op::Select(a, b, c) => vec![*a, *b, *c],
        }
    }
}

impl Place {
    /// The offset.
    pub fn offset(self) -> Val {
        match self {
            Place::Global(_, v) | Place::Array(_, v) | Place::Scratch(v) => v,
        }
    }

    /// Type of the offset.
    pub fn offset_type(self) -> Ty {
        match self {
            Place::Global(..) | Place::Scratch(_) => Ty::Off,
            Place::Array(..) => Ty::I32,
        }
    }
}

impl SimtStage {
    /// Type of a value.
    pub fn ty(&self, v: Val) -> Ty {
        self.vals[v.0 as usize]
    }
}

/// Type of an operation's result; an error names the operand that does not fit.
pub fn infer(vals: &[Ty], vars: &[Ty], op: &Op) -> Result<Ty, String> {
    let ty = |v: &Val| vals.get(v.0 as usize).copied().ok_or_else(|| format!("v{} has no type", v.0));
    let is = |v: &Val, wanted: Ty| need(ty(v)?, ty(v)? == wanted);
    match op {
        Op::ConstI(_) | Op::Int(_) | Op::Item | Op::Thread => Ok(Ty::I32),
        Op::ConstF(_) | Op::FloatArg(_) => Ok(Ty::F32),
        Op::ConstB(_) => Ok(Ty::B),
        Op::IntOff(_) => Ok(Ty::Off),
        Op::Get(var) => vars.get(var.0 as usize).copied().ok_or_else(|| format!("no variable {}", var.0)),
        Op::Un(op, a) => unary(*op, ty(a)?),
        Op::Bin(op, a, b) => same(ty(a)?, ty(b)?).and_then(|t| binary(*op, t)),
        Op::Fma(a, b, c) => [a, b, c].iter().try_for_each(|v| is(v, Ty::F32).map(|_| ())).map(|()| Ty::F32),
        Op::Cmp(_, a, b) => {
            let t = same(ty(a)?, ty(b)?)?;
            need(t, matches!(t, Ty::I32 | Ty::F32)).map(|_| Ty::B)
        }
        Op::Select(c, a, b) => is(c, Ty::B).and_then(|_| same(ty(a)?, ty(b)?)),
        Op::ToOff(a) => is(a, Ty::I32).map(|_| Ty::Off),
        Op::IntToFloat(a) | Op::BitsFloat(a) => is(a, Ty::I32).map(|_| Ty::F32),
        Op::FloatToInt(a) | Op::FloatBits(a) => is(a, Ty::F32).map(|_| Ty::I32),
        Op::BoolToInt(a) => is(a, Ty::B).map(|_| Ty::I32),
        Op::Shl(a, n) | Op::Shr(a, n) => need(ty(a)?, ty(a)? == Ty::I32 && *n < 32),
        Op::RoundTo(_, a) => is(a, Ty::F32),
        Op::Pack(e, a, b) => {
            is(a, Ty::F32)?;
            need(ty(b)?, ty(b)? == Ty::F32 && e.bytes() == 2).map(|_| Ty::Pair)
        }
        Op::Shuffle(a, _) => need(ty(a)?, matches!(ty(a)?, Ty::F32 | Ty::I32)),
    }
}

fn same(a: Ty, b: Ty) -> Result<Ty, String> {
    if a == b { Ok(a) } else { Err(format!("operands have types {a:?} and {b:?}")) }
}

fn need(t: Ty, ok: bool) -> Result<Ty, String> {
    if ok { Ok(t) } else { Err(format!("an operand of type {t:?} does not fit")) }
}

fn unary(op: SimtUn, t: Ty) -> Result<Ty, String> {
    let ok = match op {
        SimtUn::Neg => matches!(t, Ty::I32 | Ty::Off | Ty::F32),
        SimtUn::Abs => matches!(t, Ty::I32 | Ty::F32),
        SimtUn::Not => t == Ty::B,
        SimtUn::Sqrt | SimtUn::Floor | SimtUn::Ceil | SimtUn::Round | SimtUn::Exp2 | SimtUn::Log2 => t == Ty::F32,
        SimtUn::Popcount | SimtUn::Ilog2 => t == Ty::I32,
    };
    need(t, ok)
}

fn binary(op: SimtBin, t: Ty) -> Result<Ty, String> {
    let ok = match op {
        SimtBin::Add | SimtBin::Sub | SimtBin::Mul => matches!(t, Ty::I32 | Ty::Off | Ty::F32),
        SimtBin::Div => t == Ty::F32,
        SimtBin::Min | SimtBin::Max => matches!(t, Ty::I32 | Ty::F32),
        SimtBin::FloorDiv | SimtBin::Mod | SimtBin::Xor => t == Ty::I32,
        SimtBin::And | SimtBin::Or => matches!(t, Ty::B | Ty::I32),
    };
    need(t, ok)
}

/// What a place holds: a storage type, or `None` for scratch, whose words hold what is read.
pub fn stored_type(kernel: &SimtKernel, arrays: &[Array], place: Place) -> Result<Option<DType>, String> {
    match place {
        Place::Global(t, _) => kernel.tensors.get(t).map(|t| Some(t.dtype)).ok_or_else(|| format!("no tensor {t}")),
        Place::Array(a, _) => {
            arrays.get(a.0 as usize).map(|a| Some(a.elem.dtype())).ok_or_else(|| format!("no array {}", a.0))
        }
        Place::Scratch(_) => Ok(None),
    }
}

/// Checks the types of the values that a load defines or a store writes; returns how many elements they are.
pub fn elements(stored: Option<DType>, store: bool, types: &[Ty]) -> Result<usize, String> {
    let Some(first) = types.first() else { return Err("nothing is moved".into()) };
    if types.iter().any(|t| t != first) {
        return Err("values of several types are moved at once".into());
    }
    let fits = match (stored, first) {
        (None, t) => matches!(t, Ty::F32 | Ty::I32),
        (Some(d), Ty::Pair) => Elem::half(d).is_some(),
        (Some(d), t) if store => scalar_type(d) == *t || (d == DType::I32 && *t == Ty::B),
        (Some(d), t) => scalar_type(d) == *t,
    };
    let count = types.len() * if *first == Ty::Pair { 2 } else { 1 };
    match (fits, count) {
        (false, _) => Err(format!("values of type {first:?} do not fit {stored:?}")),
        (true, 1 | 2 | 4 | 8) => Ok(count),
        (true, n) => Err(format!("{n} elements are moved at once")),
    }
}

/// What one element of this storage type is read as.
pub fn scalar_type(dtype: DType) -> Ty {
    match lane::load_type(dtype) {
        lane::Ty::F32 | lane::Ty::VF => Ty::F32,
        lane::Ty::I64 | lane::Ty::VI => Ty::I32,
        lane::Ty::B | lane::Ty::VB => Ty::B,
    }
}

impl Inst {
    /// Values that the instruction itself reads, without those of nested blocks.
    pub fn reads(&self) -> Vec<Val> {
        match self {
            Inst::Comment(_) | Inst::Barrier | Inst::CopyCommit | Inst::CopyWait(_) => vec![],
            Inst::Let(_, op) => op.operands(),
            Inst::Set(_, v) => vec![*v],
            Inst::Loop { lo, hi, .. } => vec![*lo, *hi],
            Inst::If { cond, .. } => vec![*cond],
            Inst::Load { from, .. } => vec![from.offset()],
            Inst::Store { to, values } => std::iter::once(to.offset()).chain(values.iter().copied()).collect(),
            Inst::Mma { a, b, .. } => a.iter().chain(b).copied().collect(),
            Inst::GroupMma { a, b, .. } => a.iter().flatten().copied().chain([b.first]).collect(),
            Inst::LoadMatrix { offset, .. } => vec![*offset],
            Inst::CopyAsync { to, from, valid, .. } => vec![*to, *from, *valid],
        }
    }

    /// Values that the instruction itself defines, without those of nested blocks.
    pub fn defines(&self) -> Vec<Val> {
        match self {
            Inst::Let(v, _) | Inst::Loop { var: v, .. } => vec![*v],
            Inst::Load { dst, .. } | Inst::LoadMatrix { dst, .. } => dst.clone(),
            Inst::Comment(_)
            | Inst::Set(..)
            | Inst::If { .. }
            | Inst::Store { .. }
            | Inst::Barrier
            | Inst::Mma { .. }
            | Inst::GroupMma { .. }
            | Inst::CopyAsync { .. }
            | Inst::CopyCommit
            | Inst::CopyWait(_) => vec![],
        }
    }
}
