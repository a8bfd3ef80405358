//! Result types of operations: the one table that the builder, the verifier and the emitters share.

use super::{Func, LaneBin, LaneUn, Op, Ty, Val};
use crate::types::DType;

impl Ty {
    /// The vector of this scalar type (vectors stay).
    pub fn vector(self) -> Ty {
        match self {
            Ty::I64 | Ty::VI => Ty::VI,
            Ty::F32 | Ty::VF => Ty::VF,
            Ty::B | Ty::VB => Ty::VB,
        }
    }

    /// The scalar of this vector type (scalars stay).
    pub fn scalar(self) -> Ty {
        match self {
            Ty::I64 | Ty::VI => Ty::I64,
            Ty::F32 | Ty::VF => Ty::F32,
            Ty::B | Ty::VB => Ty::B,
        }
    }

    /// True for the vector types.
    pub fn is_vector(self) -> bool {
        matches!(self, Ty::VI | Ty::VF | Ty::VB)
    }

    /// True for floats.
    pub fn is_float(self) -> bool {
        matches!(self, Ty::F32 | Ty::VF)
    }

    /// True for integers.
    pub fn is_int(self) -> bool {
        matches!(self, Ty::I64 | Ty::VI)
    }

    /// True for truth values.
    pub fn is_bool(self) -> bool {
        matches!(self, Ty::B | Ty::VB)
    }
}

impl Op {
    /// Operands, in order.
    pub fn operands(&self) -> Vec<Val> {
        match self {
            Op::ConstI(_) | Op::ConstF(_) | Op::ConstB(_) | Op::Get(_) | Op::Int(_) | Op::FloatArg(_) | Op::Iota => {
                vec![]
            }
            Op::Un(_, a)
            | Op::Splat(a)
            | Op::First(a)
            | Op::IntToFloat(a)
            | Op::FloatToInt(a)
            | Op::BoolToInt(a)
            | Op::FloatBits(a)
            | Op::BitsFloat(a)
            | Op::Shl(a, _)
            | Op::Shr(a, _)
            | Op::RoundTo(_, a)
            | Op::LoadLocal(_, a)
            | Op::LoadGlobal(_, a)
            | Op::LoadGlobalVec(_, a) => vec![*a],
            Op::Bin(_, a, b) | Op::Cmp(_, a, b) => vec![*a, *b],
            Op::Fma(a, b, c) | Op::Select(a, b, c) => vec![*a, *b, *c],
        }
    }
}

/// Type of an operation's result; an error names the operand that does not fit.
pub fn infer(func: &Func, tensors: &[DType], op: &Op) -> Result<Ty, String> {
    let ty = |v: &Val| func.ty(*v);
    match op {
        Op::ConstI(_) | Op::Int(_) => Ok(Ty::I64),
        Op::ConstF(_) | Op::FloatArg(_) => Ok(Ty::F32),
        Op::ConstB(_) => Ok(Ty::B),
        Op::Get(var) => func.vars.get(var.0 as usize).copied().ok_or_else(|| format!("no variable {}", var.0)),
        Op::Un(op, a) => unary(*op, ty(a)),
        Op::Bin(op, a, b) => same(ty(a), ty(b)).and_then(|t| binary(*op, t)),
        Op::Fma(a, b, c) => same(ty(a), ty(b)).and_then(|t| same(t, ty(c))).and_then(|t| need(t, t.is_float())),
        Op::Cmp(_, a, b) => match same(ty(a), ty(b))? {
            Ty::I64 | Ty::F32 => Ok(Ty::B),
            Ty::VI | Ty::VF => Ok(Ty::VB),
            t => need(t, false),
        },
        Op::Select(c, a, b) => {
            let t = same(ty(a), ty(b))?;
            need(ty(c), ty(c) == Ty::B || (ty(c) == Ty::VB && t.is_vector()))?;
            Ok(t)
        }
        Op::Splat(a) => need(ty(a), !ty(a).is_vector()).map(Ty::vector),
        Op::Iota => Ok(Ty::VI),
        Op::First(a) => need(ty(a), matches!(ty(a), Ty::VF | Ty::VI)).map(Ty::scalar),
        Op::IntToFloat(a) => match ty(a) {
            Ty::I64 => Ok(Ty::F32),
            Ty::VI => Ok(Ty::VF),
            t => need(t, false),
        },
        Op::FloatToInt(a) => match ty(a) {
            Ty::F32 => Ok(Ty::I64),
            Ty::VF => Ok(Ty::VI),
            t => need(t, false),
        },
        Op::BoolToInt(a) => match ty(a) {
            Ty::B => Ok(Ty::I64),
            Ty::VB => Ok(Ty::VI),
            t => need(t, false),
        },
        Op::FloatBits(a) => need(ty(a), ty(a) == Ty::VF).map(|_| Ty::VI),
        Op::BitsFloat(a) => need(ty(a), ty(a) == Ty::VI).map(|_| Ty::VF),
        Op::Shl(a, n) | Op::Shr(a, n) => need(ty(a), ty(a) == Ty::VI && *n < 32),
        Op::RoundTo(_, a) => need(ty(a), ty(a) == Ty::F32),
        Op::LoadLocal(t, a) => need(ty(a), ty(a) == Ty::I64).map(|_| *t),
        Op::LoadGlobal(t, a) => {
            need(ty(a), ty(a) == Ty::I64)?;
            tensors.get(*t).map(|d| load_type(*d)).ok_or_else(|| format!("no tensor {t}"))
        }
        Op::LoadGlobalVec(t, a) => {
            need(ty(a), ty(a) == Ty::I64)?;
            match tensors.get(*t) {
                Some(DType::F32) => Ok(Ty::VF),
                _ => Err(format!("tensor {t} is not an f32 tensor")),
            }
        }
    }
}

/// What a load of one element of this storage type yields.
pub fn load_type(dtype: DType) -> Ty {
    match dtype {
        DType::F64 | DType::F32 | DType::F16 | DType::Bf16 | DType::F8E4M3 | DType::F8E5M2 => Ty::F32,
        DType::I32 | DType::I8 | DType::U8 => Ty::I64,
        DType::Bool => Ty::B,
    }
}

fn same(a: Ty, b: Ty) -> Result<Ty, String> {
    if a == b { Ok(a) } else { Err(format!("operands have types {a:?} and {b:?}")) }
}

fn need(t: Ty, ok: bool) -> Result<Ty, String> {
    if ok { Ok(t) } else { Err(format!("an operand of type {t:?} does not fit")) }
}

fn unary(op: LaneUn, t: Ty) -> Result<Ty, String> {
    let ok = match op {
        LaneUn::Neg | LaneUn::Abs => !t.is_bool(),
        LaneUn::Not => t.is_bool(),
        LaneUn::Sqrt | LaneUn::Floor | LaneUn::Ceil | LaneUn::Round => t.is_float(),
        LaneUn::Popcount | LaneUn::Ilog2 => t == Ty::I64,
    };
    need(t, ok)
}

fn binary(op: LaneBin, t: Ty) -> Result<Ty, String> {
    let ok = match op {
        LaneBin::Add | LaneBin::Sub | LaneBin::Mul | LaneBin::Min | LaneBin::Max => !t.is_bool(),
        LaneBin::Div => t.is_float(),
        LaneBin::FloorDiv | LaneBin::Mod => t == Ty::I64,
        LaneBin::And | LaneBin::Or => t.is_bool() || t == Ty::VI,
    };
    need(t, ok)
}
