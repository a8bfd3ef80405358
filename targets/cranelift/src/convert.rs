//! Storage types: loads, stores and roundings. 16-bit and 8-bit floats by integer arithmetic on 32-bit values.

use crate::func::{Emit, MEMORY};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type, Value, types};
use einattn_compiler::lane::Ty;
use einattn_compiler::types::DType;

/// A binary float of at most 16 bits that rounds to nearest even.
#[derive(Clone, Copy)]
struct Small {
    exponent_bits: u32,
    mantissa_bits: u32,
    /// Has infinities; otherwise the largest code is the only NaN and the rest of its binade are numbers.
    infinite: bool,
    /// Rounding saturates to the largest number, as hardware conversions to 8 bits do.
    saturates: bool,
}

const F16: Small = Small { exponent_bits: 5, mantissa_bits: 10, infinite: true, saturates: false };
const F8E5M2: Small = Small { exponent_bits: 5, mantissa_bits: 2, infinite: true, saturates: true };
const F8E4M3: Small = Small { exponent_bits: 4, mantissa_bits: 3, infinite: false, saturates: true };

impl Small {
    fn bias(self) -> u32 {
        (1 << (self.exponent_bits - 1)) - 1
    }

    /// Mantissa bits that f32 has more.
    fn shift(self) -> u32 {
        23 - self.mantissa_bits
    }

    /// Difference of the exponent biases.
    fn rebias(self) -> u32 {
        127 - self.bias()
    }

    fn sign(self) -> u32 {
        1 << (self.exponent_bits + self.mantissa_bits)
    }

    /// The first code that is no number: infinity, or NaN where there is none.
    fn special(self) -> u32 {
        let top = ((1 << self.exponent_bits) - 1) << self.mantissa_bits;
        if self.infinite { top } else { self.sign() - 1 }
    }

    /// What too large numbers become: infinity, or the largest number where the format saturates.
    fn limit(self) -> u32 {
        if self.saturates { self.special() - 1 } else { self.special() }
    }

    /// A quiet NaN.
    fn nan(self) -> u32 {
        if self.infinite { self.special() | 1 << (self.mantissa_bits - 1) } else { self.special() }
    }
}

fn small(dtype: DType) -> Option<Small> {
    match dtype {
        DType::F16 => Some(F16),
        DType::F8E4M3 => Some(F8E4M3),
        DType::F8E5M2 => Some(F8E5M2),
        DType::F64 | DType::F32 | DType::Bf16 | DType::I32 | DType::I8 | DType::U8 | DType::Bool => None,
    }
}

fn i32_const(e: &mut Emit<'_, '_>, x: u32) -> Value {
    e.b.ins().iconst(types::I32, i64::from(x))
}

fn cast(e: &mut Emit<'_, '_>, ty: Type, x: Value) -> Value {
    e.b.ins().bitcast(ty, MemFlagsData::new(), x)
}

/// f32 of the code in the low bits of an I32.
fn decode(e: &mut Emit<'_, '_>, f: Small, code: Value) -> Value {
    let sign = e.b.ins().band_imm_u(code, i64::from(f.sign()));
    let sign = e.b.ins().ishl_imm_u(sign, i64::from(31 - f.sign().trailing_zeros()));
    let magnitude = e.b.ins().band_imm_u(code, i64::from(f.sign() - 1));
    // Multiplying moves the exponent and makes subnormals right.
    let shifted = e.b.ins().ishl_imm_u(magnitude, i64::from(f.shift()));
    let unscaled = cast(e, types::F32, shifted);
    let scale = e.b.ins().f32const(f32::from_bits((127 + f.rebias()) << 23));
    let scaled = e.b.ins().fmul(unscaled, scale);
    let number = cast(e, types::I32, scaled);
    let special = e.b.ins().bor_imm_u(shifted, 0x7f80_0000);
    let is_special = e.b.ins().icmp_imm_u(IntCC::UnsignedGreaterThanOrEqual, magnitude, i64::from(f.special()));
    let bits = e.b.ins().select(is_special, special, number);
    let bits = e.b.ins().bor(bits, sign);
    cast(e, types::F32, bits)
}

/// Code, in an I32, of an f32 rounded to nearest even.
fn encode(e: &mut Emit<'_, '_>, f: Small, x: Value) -> Value {
    let bits = cast(e, types::I32, x);
    let sign = e.b.ins().band_imm_u(bits, 0x8000_0000);
    let a = e.b.ins().bxor(bits, sign);
    let normal = round_bits(e, f, a);
    let subnormal = round_subnormal(e, f, a);
    let least_normal = i64::from((f.rebias() + 1) << 23);
    let is_small = e.b.ins().icmp_imm_u(IntCC::UnsignedLessThan, a, least_normal);
    let finite = e.b.ins().select(is_small, subnormal, normal);
    let limit = i32_const(e, f.limit());
    let is_over = e.b.ins().icmp(IntCC::UnsignedGreaterThan, finite, limit);
    let number = e.b.ins().select(is_over, limit, finite);
    let nan = i32_const(e, f.nan());
    let is_nan = e.b.ins().icmp_imm_u(IntCC::UnsignedGreaterThan, a, 0x7f80_0000);
    let code = e.b.ins().select(is_nan, nan, number);
    let sign = e.b.ins().ushr_imm_u(sign, i64::from(31 - f.sign().trailing_zeros()));
    e.b.ins().bor(code, sign)
}

/// Rounds the mantissa; a carry moves into the exponent, which is what rounding up to the next binade means.
fn round_bits(e: &mut Emit<'_, '_>, f: Small, a: Value) -> Value {
    let odd = e.b.ins().ushr_imm_u(a, i64::from(f.shift()));
    let odd = e.b.ins().band_imm_u(odd, 1);
    let half = (1u32 << (f.shift() - 1)) - 1;
    let rebased = e.b.ins().iadd_imm_s(a, i64::from(half) - i64::from(f.rebias() << 23));
    let rounded = e.b.ins().iadd(rebased, odd);
    e.b.ins().ushr_imm_u(rounded, i64::from(f.shift()))
}

/// Lets the adder round: the sum with a power of two has the subnormal's last place as its own.
fn round_subnormal(e: &mut Emit<'_, '_>, f: Small, a: Value) -> Value {
    let magic = (f.rebias() + f.shift() + 1) << 23;
    let x = cast(e, types::F32, a);
    let m = e.b.ins().f32const(f32::from_bits(magic));
    let sum = e.b.ins().fadd(x, m);
    let sum = cast(e, types::I32, sum);
    e.b.ins().iadd_imm_s(sum, -i64::from(magic))
}

fn decode_bf16(e: &mut Emit<'_, '_>, code: Value) -> Value {
    let bits = e.b.ins().ishl_imm_u(code, 16);
    cast(e, types::F32, bits)
}

fn encode_bf16(e: &mut Emit<'_, '_>, x: Value) -> Value {
    let bits = cast(e, types::I32, x);
    let high = e.b.ins().ushr_imm_u(bits, 16);
    let odd = e.b.ins().band_imm_u(high, 1);
    let rounded = e.b.ins().iadd_imm_s(bits, 0x7fff);
    let rounded = e.b.ins().iadd(rounded, odd);
    let rounded = e.b.ins().ushr_imm_u(rounded, 16);
    let nan = e.b.ins().bor_imm_u(high, 0x40);
    let is_nan = e.b.ins().fcmp(FloatCC::Unordered, x, x);
    e.b.ins().select(is_nan, nan, rounded)
}

/// Rounds an F32 to a storage type and back.
pub(crate) fn round_to(e: &mut Emit<'_, '_>, dtype: DType, x: Value) -> Value {
    if let Some(f) = small(dtype) {
        let code = encode(e, f, x);
        return decode(e, f, code);
    }
    match dtype {
        DType::Bf16 => {
            let code = encode_bf16(e, x);
            decode_bf16(e, code)
        }
        DType::I32 | DType::I8 | DType::U8 | DType::Bool => {
            let int = to_int(e, dtype, (Ty::F32, x));
            e.b.ins().fcvt_from_sint(types::F32, int)
        }
        DType::F64 | DType::F32 | DType::F16 | DType::F8E4M3 | DType::F8E5M2 => x,
    }
}

/// Loads one element: floats as F32, integers as I64, bool as B.
pub(crate) fn load(e: &mut Emit<'_, '_>, dtype: DType, addr: Value, disp: i32) -> Value {
    match dtype {
        DType::F64 => {
            let x = e.b.ins().load(types::F64, MEMORY, addr, disp);
            e.b.ins().fdemote(types::F32, x)
        }
        DType::F32 => e.b.ins().load(types::F32, MEMORY, addr, disp),
        DType::Bf16 => {
            let code = e.b.ins().uload16(types::I32, MEMORY, addr, disp);
            decode_bf16(e, code)
        }
        DType::F16 => {
            let code = e.b.ins().uload16(types::I32, MEMORY, addr, disp);
            decode(e, F16, code)
        }
        DType::F8E4M3 => {
            let code = e.b.ins().uload8(types::I32, MEMORY, addr, disp);
            decode(e, F8E4M3, code)
        }
        DType::F8E5M2 => {
            let code = e.b.ins().uload8(types::I32, MEMORY, addr, disp);
            decode(e, F8E5M2, code)
        }
        DType::I32 => {
            let x = e.b.ins().load(types::I32, MEMORY, addr, disp);
            e.b.ins().sextend(types::I64, x)
        }
        DType::I8 => e.b.ins().sload8(types::I64, MEMORY, addr, disp),
        DType::U8 => e.b.ins().uload8(types::I64, MEMORY, addr, disp),
        DType::Bool => {
            let x = e.b.ins().load(types::I8, MEMORY, addr, disp);
            e.b.ins().icmp_imm_u(IntCC::NotEqual, x, 0)
        }
    }
}

/// Stores one element, converted.
pub(crate) fn store(e: &mut Emit<'_, '_>, dtype: DType, value: (Ty, Value), addr: Value, disp: i32) {
    let x = if dtype.is_float() { to_float(e, value) } else { to_int(e, dtype, value) };
    match dtype {
        DType::F64 => {
            let x = e.b.ins().fpromote(types::F64, x);
            e.b.ins().store(MEMORY, x, addr, disp);
        }
        DType::F32 => {
            e.b.ins().store(MEMORY, x, addr, disp);
        }
        DType::Bf16 => {
            let code = encode_bf16(e, x);
            e.b.ins().istore16(MEMORY, code, addr, disp);
        }
        DType::F16 => {
            let code = encode(e, F16, x);
            e.b.ins().istore16(MEMORY, code, addr, disp);
        }
        DType::F8E4M3 => {
            let code = encode(e, F8E4M3, x);
            e.b.ins().istore8(MEMORY, code, addr, disp);
        }
        DType::F8E5M2 => {
            let code = encode(e, F8E5M2, x);
            e.b.ins().istore8(MEMORY, code, addr, disp);
        }
        DType::I32 => {
            e.b.ins().istore32(MEMORY, x, addr, disp);
        }
        DType::I8 | DType::U8 | DType::Bool => {
            e.b.ins().istore8(MEMORY, x, addr, disp);
        }
    }
}

/// Any scalar as an F32.
fn to_float(e: &mut Emit<'_, '_>, (ty, x): (Ty, Value)) -> Value {
    match ty {
        Ty::I64 => e.b.ins().fcvt_from_sint(types::F32, x),
        Ty::B => {
            let x = e.b.ins().uextend(types::I64, x);
            e.b.ins().fcvt_from_sint(types::F32, x)
        }
        Ty::F32 | Ty::VF | Ty::VI | Ty::VB => x,
    }
}

/// Any scalar as an I64 in the range of an integer storage type.
fn to_int(e: &mut Emit<'_, '_>, dtype: DType, (ty, x): (Ty, Value)) -> Value {
    let x = match ty {
        Ty::F32 => e.b.ins().fcvt_to_sint_sat(types::I64, x),
        Ty::B => e.b.ins().uextend(types::I64, x),
        Ty::I64 | Ty::VF | Ty::VI | Ty::VB => x,
    };
    let (lo, hi) = match dtype {
        DType::I32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
        DType::I8 => (-128, 127),
        DType::U8 => (0, 255),
        DType::Bool => {
            let truth = e.b.ins().icmp_imm_s(IntCC::NotEqual, x, 0);
            return e.b.ins().uextend(types::I64, truth);
        }
        DType::F64 | DType::F32 | DType::F16 | DType::Bf16 | DType::F8E4M3 | DType::F8E5M2 => return x,
    };
    let (lo, hi) = (e.b.ins().iconst(types::I64, lo), e.b.ins().iconst(types::I64, hi));
    let x = e.b.ins().smax(x, lo);
    e.b.ins().smin(x, hi)
}
