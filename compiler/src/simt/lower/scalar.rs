//! Scalar operators of L3 as operations of a thread.

use crate::lane::LaneCmp;
use crate::math::Math;
use crate::simt::{Builder, Op, SimtBin, SimtUn, Ty, Val};
use crate::tile::Expr;
use crate::types::{BinOp, DType, RedOp, UnOp};

/// `op(a)`.
pub(super) fn unary(fb: &mut Builder, op: UnOp, a: Val) -> Val {
    let op = match op {
        UnOp::Neg => SimtUn::Neg,
        UnOp::Not => SimtUn::Not,
        UnOp::Abs => SimtUn::Abs,
        UnOp::Sqrt => SimtUn::Sqrt,
        UnOp::Floor => SimtUn::Floor,
        UnOp::Ceil => SimtUn::Ceil,
        UnOp::Round => SimtUn::Round,
        UnOp::Exp2 => SimtUn::Exp2,
        UnOp::Log2 => SimtUn::Log2,
        UnOp::Popcount => SimtUn::Popcount,
        UnOp::Ilog2 => SimtUn::Ilog2,
        UnOp::ToFloat => return as_float(fb, a),
        UnOp::ToIndex if fb.ty(a) == Ty::F32 => return fb.op(Op::FloatToInt(a)),
        UnOp::ToIndex => return a,
        UnOp::BoolToIndex => return fb.op(Op::BoolToInt(a)),
        UnOp::Exp => return fb.exp(a),
        UnOp::Log => return fb.log(a),
        UnOp::Tanh => return fb.tanh(a),
        UnOp::Sin => return fb.sin(a),
        UnOp::Cos => return fb.cos(a),
        UnOp::Erf => return fb.erf(a),
    };
    fb.unary(op, a)
}

/// `op(a, b)`. Both sides have been evaluated.
pub(super) fn binary(fb: &mut Builder, op: BinOp, a: Val, b: Val) -> Val {
    let op = match op {
        BinOp::Add => SimtBin::Add,
        BinOp::Sub => SimtBin::Sub,
        BinOp::Mul => SimtBin::Mul,
        BinOp::Div => SimtBin::Div,
        BinOp::FloorDiv => SimtBin::FloorDiv,
        BinOp::Mod => SimtBin::Mod,
        BinOp::Min => SimtBin::Min,
        BinOp::Max => SimtBin::Max,
        BinOp::And => SimtBin::And,
        BinOp::Or => SimtBin::Or,
        BinOp::Pow => return fb.pow(a, b),
        BinOp::Eq => return compare(fb, LaneCmp::Eq, a, b),
        BinOp::Ne => return compare(fb, LaneCmp::Ne, a, b),
        BinOp::Lt => return compare(fb, LaneCmp::Lt, a, b),
        BinOp::Le => return compare(fb, LaneCmp::Le, a, b),
        BinOp::Gt => return compare(fb, LaneCmp::Gt, a, b),
        BinOp::Ge => return compare(fb, LaneCmp::Ge, a, b),
    };
    fb.binary(op, a, b)
}

/// The factors of `x·y + z` with z, where the sum may be fused: not under `#[strict]`. Differences stay apart: what is left of
/// a large product minus its rounded self would be the rounding error.
pub(super) fn fusable(op: BinOp, a: &Expr, strict: bool) -> Option<(&Expr, &Expr)> {
    match (op, a) {
        (BinOp::Add, Expr::Binary(BinOp::Mul, x, y)) if !strict => Some((x, y)),
        _ => None,
    }
}

/// `x·y + z`, fused if all are floats.
pub(super) fn product_sum(fb: &mut Builder, x: Val, y: Val, z: Val) -> Val {
    if [x, y, z].iter().all(|v| fb.ty(*v) == Ty::F32) {
        return fb.fma(x, y, z);
    }
    let product = binary(fb, BinOp::Mul, x, y);
    binary(fb, BinOp::Add, product, z)
}

fn compare(fb: &mut Builder, op: LaneCmp, a: Val, b: Val) -> Val {
    let (a, b) = (unbool(fb, a), unbool(fb, b));
    fb.cmp(op, a, b)
}

fn unbool(fb: &mut Builder, a: Val) -> Val {
    if fb.ty(a) == Ty::B { fb.op(Op::BoolToInt(a)) } else { a }
}

fn as_float(fb: &mut Builder, a: Val) -> Val {
    match fb.ty(a) {
        Ty::F32 => a,
        _ => {
            let a = unbool(fb, a);
            fb.op(Op::IntToFloat(a))
        }
    }
}

/// Brings a value to the type of a tile or tensor.
pub(super) fn convert(fb: &mut Builder, a: Val, ty: Ty) -> Val {
    match ty {
        Ty::F32 => as_float(fb, a),
        Ty::I32 => unbool(fb, a),
        Ty::B if fb.ty(a) == Ty::I32 => {
            let zero = fb.int(0);
            fb.cmp(LaneCmp::Ne, a, zero)
        }
        Ty::B | Ty::Off | Ty::Pair => a,
    }
}

/// Semantic rounding to a storage type.
pub(super) fn cast(fb: &mut Builder, ty: DType, a: Val) -> Val {
    match ty {
        DType::F64 | DType::F32 | DType::Bool | DType::I32 => a,
        DType::I8 => {
            let a = fb.op(Op::Shl(a, 24));
            fb.op(Op::Shr(a, 24))
        }
        DType::U8 => {
            let mask = fb.int(255);
            fb.binary(SimtBin::And, a, mask)
        }
        DType::F16 | DType::Bf16 | DType::F8E4M3 | DType::F8E5M2 => fb.op(Op::RoundTo(ty, a)),
    }
}

/// The operator of a fold; `None` for populate operators.
pub(super) fn fold(fb: &mut Builder, op: RedOp, acc: Val, v: Val) -> Option<Val> {
    op.binary().map(|op| binary(fb, op, v, acc))
}

/// The identity of a fold.
pub(super) fn identity(fb: &mut Builder, op: RedOp, ty: Ty) -> Val {
    let id = op.identity().unwrap_or(0.0);
    match ty {
        Ty::B => fb.truth(id != 0.0),
        Ty::I32 | Ty::Off | Ty::Pair => fb.int(id.clamp(f64::from(i32::MIN), f64::from(i32::MAX)) as i32),
        Ty::F32 => fb.float(id as f32),
    }
}
