//! Operations that need more than one instruction.

use crate::func::Emit;
use crate::op::bits;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, Type, Value, types};

/// A vector of constants.
pub(crate) fn vector_const(e: &mut Emit<'_, '_>, lanes: [i32; 4]) -> Value {
    let bytes: Vec<u8> = lanes.iter().flat_map(|x| x.to_le_bytes()).collect();
    let handle = e.b.func.dfg.constants.insert(bytes.into());
    e.b.ins().vconst(types::I32X4, handle)
}

/// `mask ? a : b` lane by lane.
pub(crate) fn blend(e: &mut Emit<'_, '_>, mask: Value, a: Value, b: Value) -> Value {
    let ty = e.b.func.dfg.value_type(a);
    let mask = if ty == types::I32X4 { mask } else { bits(e, ty, mask) };
    e.b.ins().bitselect(mask, a, b)
}

/// A float constant of the type of a scalar or vector.
fn float_const(e: &mut Emit<'_, '_>, ty: Type, x: f32) -> Value {
    let x = e.b.ins().f32const(x);
    if ty == types::F32 { x } else { e.b.ins().splat(ty, x) }
}

/// `a cc b ? x : y` on scalars or vectors.
fn choose(e: &mut Emit<'_, '_>, cc: FloatCC, (a, b): (Value, Value), x: Value, y: Value) -> Value {
    let scalar = e.b.func.dfg.value_type(a) == types::F32;
    let c = e.b.ins().fcmp(cc, a, b);
    if scalar { e.b.ins().select(c, x, y) } else { blend(e, c, x, y) }
}

/// The magnitude of `x` with the sign of `sign`; on vectors by masks, which every backend has.
fn copysign(e: &mut Emit<'_, '_>, x: Value, sign: Value) -> Value {
    if e.b.func.dfg.value_type(x) == types::F32 {
        return e.b.ins().fcopysign(x, sign);
    }
    let top = vector_const(e, [i32::MIN; 4]);
    let (x, sign) = (bits(e, types::I32X4, x), bits(e, types::I32X4, sign));
    let sign = e.b.ins().band(sign, top);
    let x = e.b.ins().band_not(x, top);
    let both = e.b.ins().bor(x, sign);
    bits(e, types::F32X4, both)
}

/// Nearest integer, ties to even.
pub(crate) fn nearest(e: &mut Emit<'_, '_>, x: Value) -> Value {
    if e.features.round {
        return e.b.ins().nearest(x);
    }
    // Without an instruction Cranelift would call a library: adding and subtracting 2^23 rounds every smaller magnitude.
    let ty = e.b.func.dfg.value_type(x);
    let big = float_const(e, ty, 8_388_608.0);
    let a = e.b.ins().fabs(x);
    let up = e.b.ins().fadd(a, big);
    let rounded = e.b.ins().fsub(up, big);
    let signed = copysign(e, rounded, x);
    choose(e, FloatCC::LessThan, (a, big), signed, x)
}

/// Nearest integer, moved by `step` where it lies on the wrong side of `x`.
fn directed(e: &mut Emit<'_, '_>, x: Value, wrong: FloatCC, step: f32) -> Value {
    let ty = e.b.func.dfg.value_type(x);
    let r = nearest(e, x);
    let step = float_const(e, ty, step);
    let moved = e.b.ins().fadd(r, step);
    let y = choose(e, wrong, (r, x), moved, r);
    copysign(e, y, x)
}

/// Toward −∞.
pub(crate) fn floor(e: &mut Emit<'_, '_>, x: Value) -> Value {
    if e.features.round { e.b.ins().floor(x) } else { directed(e, x, FloatCC::GreaterThan, -1.0) }
}

/// Toward +∞.
pub(crate) fn ceil(e: &mut Emit<'_, '_>, x: Value) -> Value {
    if e.features.round { e.b.ins().ceil(x) } else { directed(e, x, FloatCC::LessThan, 1.0) }
}

/// floor(log2), −1 for x ≤ 0.
pub(crate) fn ilog2(e: &mut Emit<'_, '_>, x: Value) -> Value {
    let zeros = e.b.ins().clz(x);
    let last = e.b.ins().iconst(types::I64, 63);
    let top = e.b.ins().isub(last, zeros);
    let positive = e.b.ins().icmp_imm_s(IntCC::SignedGreaterThan, x, 0);
    let none = e.b.ins().iconst(types::I64, -1);
    e.b.ins().select(positive, top, none)
}

/// Truncated quotient and remainder, with the divisors 0 and −1, which trap, replaced by 1; and the divisor used.
fn divide(e: &mut Emit<'_, '_>, a: Value, b: Value) -> (Value, Value, Value) {
    // b + 1 is 0 or 1 for the two divisors.
    let next = e.b.ins().iadd_imm_s(b, 1);
    let special = e.b.ins().icmp_imm_s(IntCC::UnsignedLessThanOrEqual, next, 1);
    let one = e.b.ins().iconst(types::I64, 1);
    let d = e.b.ins().select(special, one, b);
    let q = e.b.ins().sdiv(a, d);
    let back = e.b.ins().imul(q, d);
    let r = e.b.ins().isub(a, back);
    (q, r, d)
}

/// True where a truncated remainder has the wrong sign for a floor.
fn below(e: &mut Emit<'_, '_>, r: Value, d: Value) -> Value {
    let mixed = e.b.ins().bxor(r, d);
    let mixed = e.b.ins().icmp_imm_s(IntCC::SignedLessThan, mixed, 0);
    let nonzero = e.b.ins().icmp_imm_s(IntCC::NotEqual, r, 0);
    e.b.ins().band(mixed, nonzero)
}

/// Floor division; 0 for the divisor 0.
pub(crate) fn floor_div(e: &mut Emit<'_, '_>, a: Value, b: Value) -> Value {
    let (q, r, d) = divide(e, a, b);
    let below = below(e, r, d);
    let below = e.b.ins().uextend(types::I64, below);
    let q = e.b.ins().isub(q, below);
    let negated = e.b.ins().ineg(a);
    let minus_one = e.b.ins().icmp_imm_s(IntCC::Equal, b, -1);
    let q = e.b.ins().select(minus_one, negated, q);
    let zero = e.b.ins().iconst(types::I64, 0);
    let by_zero = e.b.ins().icmp_imm_s(IntCC::Equal, b, 0);
    e.b.ins().select(by_zero, zero, q)
}

/// Modulus with the sign of the divisor; 0 for the divisor 0.
pub(crate) fn modulus(e: &mut Emit<'_, '_>, a: Value, b: Value) -> Value {
    // The divisors 0 and −1 became 1, whose remainder is 0.
    let (_, r, d) = divide(e, a, b);
    let below = below(e, r, d);
    let moved = e.b.ins().iadd(r, d);
    e.b.ins().select(below, moved, r)
}
