//! Scalar operations on words. I32, F32 and B lie in the low half of a word, a Pair is two F32 in its two halves, an Off is the word.

use crate::lane::LaneCmp;
use crate::lane::exec::{floor_div, floor_mod};
use crate::simt::{Op, SimtBin, SimtUn, Ty};
use crate::types::DType;

/// A value of one thread.
pub(super) type Word = u64;

pub(super) fn int(w: Word) -> i32 {
    w as u32 as i32
}

pub(super) fn of_int(x: i32) -> Word {
    Word::from(x as u32)
}

pub(super) fn float(w: Word) -> f32 {
    f32::from_bits(w as u32)
}

pub(super) fn of_float(x: f32) -> Word {
    Word::from(x.to_bits())
}

pub(super) fn of_bool(x: bool) -> Word {
    Word::from(x)
}

pub(super) fn pair(w: Word) -> (f32, f32) {
    (float(w), float(w >> 32))
}

pub(super) fn of_pair(a: f32, b: f32) -> Word {
    of_float(a) | of_float(b) << 32
}

/// Rounds to a storage type and back.
pub(super) fn round(dtype: DType, x: f32) -> f32 {
    dtype.round(f64::from(x)) as f32
}

type Un = fn(Word) -> Word;
type Bin = fn(Word, Word) -> Word;

macro_rules! floats {
    ($f:expr) => {
        |a| of_float(($f)(float(a)))
    };
}

macro_rules! int_bin {
    ($f:expr) => {
        |a, b| of_int(($f)(int(a), int(b)))
    };
}

macro_rules! float_bin {
    ($f:expr) => {
        |a, b| of_float(($f)(float(a), float(b)))
    };
}

macro_rules! off_bin {
    ($f:expr) => {
        |a, b| ($f)(a as i64, b as i64) as Word
    };
}

/// An operation of one operand.
pub(super) fn unary(op: &Op, ty: Ty) -> Option<Un> {
    Some(match (op, ty) {
        (Op::Un(op, _), _) => return un(*op, ty),
        (Op::ToOff(_), Ty::I32) => |a| i64::from(int(a)) as Word,
        (Op::IntToFloat(_), Ty::I32) => |a| of_float(int(a) as f32),
        (Op::FloatToInt(_), Ty::F32) => |a| of_int(float(a) as i32),
        (Op::BoolToInt(_), Ty::B) | (Op::FloatBits(_), Ty::F32) | (Op::BitsFloat(_), Ty::I32) => |a| a,
        _ => return None,
    })
}

fn un(op: SimtUn, ty: Ty) -> Option<Un> {
    Some(match (op, ty) {
        (SimtUn::Neg, Ty::I32) => |a| of_int(int(a).wrapping_neg()),
        (SimtUn::Neg, Ty::Off) => |a| (a as i64).wrapping_neg() as Word,
        (SimtUn::Neg, Ty::F32) => floats!(|x: f32| -x),
        (SimtUn::Abs, Ty::I32) => |a| of_int(int(a).wrapping_abs()),
        (SimtUn::Abs, Ty::F32) => floats!(f32::abs),
        (SimtUn::Not, Ty::B) => |a| of_bool(a == 0),
        (SimtUn::Sqrt, Ty::F32) => floats!(f32::sqrt),
        (SimtUn::Floor, Ty::F32) => floats!(f32::floor),
        (SimtUn::Ceil, Ty::F32) => floats!(f32::ceil),
        (SimtUn::Round, Ty::F32) => floats!(f32::round_ties_even),
        // The machine's units are about this exact; subnormal results are flushed.
        (SimtUn::Exp2, Ty::F32) => floats!(|x: f32| flush(f64::from(x).exp2() as f32)),
        (SimtUn::Log2, Ty::F32) => floats!(|x: f32| f64::from(x).log2() as f32),
        (SimtUn::Popcount, Ty::I32) => |a| of_int(int(a).count_ones() as i32),
        (SimtUn::Ilog2, Ty::I32) => |a| of_int(int(a).checked_ilog2().map_or(-1, |n| n as i32)),
        _ => return None,
    })
}

fn flush(x: f32) -> f32 {
    if x.is_subnormal() { 0.0 } else { x }
}

fn wide(f: fn(i64, i64) -> i64, a: i32, b: i32) -> i32 {
    f(i64::from(a), i64::from(b)) as i32
}

/// An operation of two operands.
pub(super) fn binary(op: SimtBin, ty: Ty) -> Option<Bin> {
    Some(match (op, ty) {
        (SimtBin::Add, Ty::I32) => int_bin!(i32::wrapping_add),
        (SimtBin::Sub, Ty::I32) => int_bin!(i32::wrapping_sub),
        (SimtBin::Mul, Ty::I32) => int_bin!(i32::wrapping_mul),
        (SimtBin::Min, Ty::I32) => int_bin!(i32::min),
        (SimtBin::Max, Ty::I32) => int_bin!(i32::max),
        (SimtBin::FloorDiv, Ty::I32) => int_bin!(|a, b| wide(floor_div, a, b)),
        (SimtBin::Mod, Ty::I32) => int_bin!(|a, b| wide(floor_mod, a, b)),
        (SimtBin::And, Ty::I32 | Ty::B) => |a, b| a & b,
        (SimtBin::Or, Ty::I32 | Ty::B) => |a, b| a | b,
        (SimtBin::Xor, Ty::I32) => |a, b| a ^ b,
        (SimtBin::Add, Ty::Off) => off_bin!(i64::wrapping_add),
        (SimtBin::Sub, Ty::Off) => off_bin!(i64::wrapping_sub),
        (SimtBin::Mul, Ty::Off) => off_bin!(i64::wrapping_mul),
        (SimtBin::Add, Ty::F32) => float_bin!(|a, b| a + b),
        (SimtBin::Sub, Ty::F32) => float_bin!(|a, b| a - b),
        (SimtBin::Mul, Ty::F32) => float_bin!(|a, b| a * b),
        (SimtBin::Div, Ty::F32) => float_bin!(|a, b| a / b),
        (SimtBin::Min, Ty::F32) => float_bin!(|a, b| if a < b { a } else { b }),
        (SimtBin::Max, Ty::F32) => float_bin!(|a, b| if a > b { a } else { b }),
        _ => return None,
    })
}

/// A comparison.
pub(super) fn compare(op: LaneCmp, ty: Ty) -> Option<Bin> {
    Some(match (op, ty) {
        (LaneCmp::Eq, Ty::I32) => |a, b| of_bool(int(a) == int(b)),
        (LaneCmp::Ne, Ty::I32) => |a, b| of_bool(int(a) != int(b)),
        (LaneCmp::Lt, Ty::I32) => |a, b| of_bool(int(a) < int(b)),
        (LaneCmp::Le, Ty::I32) => |a, b| of_bool(int(a) <= int(b)),
        (LaneCmp::Gt, Ty::I32) => |a, b| of_bool(int(a) > int(b)),
        (LaneCmp::Ge, Ty::I32) => |a, b| of_bool(int(a) >= int(b)),
        (LaneCmp::Eq, Ty::F32) => |a, b| of_bool(float(a) == float(b)),
        (LaneCmp::Ne, Ty::F32) => |a, b| of_bool(float(a) != float(b)),
        (LaneCmp::Lt, Ty::F32) => |a, b| of_bool(float(a) < float(b)),
        (LaneCmp::Le, Ty::F32) => |a, b| of_bool(float(a) <= float(b)),
        (LaneCmp::Gt, Ty::F32) => |a, b| of_bool(float(a) > float(b)),
        (LaneCmp::Ge, Ty::F32) => |a, b| of_bool(float(a) >= float(b)),
        (_, Ty::Off | Ty::B | Ty::Pair) => return None,
    })
}
