//! Scalar operations and memory accesses of generated code, the same for every instruction set.

use half::{bf16, f16};

/// Floor division; 0 if the divisor is 0.
#[inline(always)]
pub fn floor_div(a: i64, b: i64) -> i64 {
    if b == 0 {
        return 0;
    }
    let q = a.wrapping_div(b);
    if a.wrapping_rem(b) != 0 && (a < 0) != (b < 0) { q - 1 } else { q }
}

/// Modulus with the divisor's sign; 0 if the divisor is 0.
#[inline(always)]
pub fn floor_mod(a: i64, b: i64) -> i64 {
    if b == 0 { 0 } else { a.wrapping_sub(floor_div(a, b).wrapping_mul(b)) }
}

/// floor(log2 a), −1 for a ≤ 0.
#[inline(always)]
pub fn ilog2(a: i64) -> i64 {
    if a <= 0 { -1 } else { 63 - i64::from(a.leading_zeros()) }
}

/// `a < b ? a : b`
#[inline(always)]
pub fn min_f(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// `a > b ? a : b`
#[inline(always)]
pub fn max_f(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// To bfloat16 and back.
#[inline(always)]
pub fn round_bf16(a: f32) -> f32 {
    bf16::from_f32(a).to_f32()
}

/// To binary16 and back.
#[inline(always)]
pub fn round_f16(a: f32) -> f32 {
    f16::from_f32(a).to_f32()
}

/// To an 8-bit float with 4 exponent bits and back; too large values become ±448.
pub fn round_f8e4m3(a: f32) -> f32 {
    round_small(a, 3, -6, 448.0)
}

/// To an 8-bit float with 5 exponent bits and back; too large values become ±57344.
pub fn round_f8e5m2(a: f32) -> f32 {
    round_small(a, 2, -14, 57344.0)
}

fn round_small(a: f32, mantissa: i32, min_exponent: i32, max: f32) -> f32 {
    if a.is_nan() || a == 0.0 {
        return a;
    }
    let exponent = ((a.to_bits() >> 23) & 0xff) as i32 - 127;
    // Powers of two down to the smallest subnormal of either type: exact.
    let quantum = f32::from_bits(((exponent.clamp(min_exponent, 64) - mantissa + 127) as u32) << 23);
    ((a / quantum).round_ties_even() * quantum).clamp(-max, max)
}

macro_rules! accesses {
    ($($(#[$doc:meta])* fn $read:ident, $write:ident: $stored:ty as $value:ty, |$x:ident| $from:expr, |$y:ident| $to:expr;)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        ///
        /// The element at this offset from the base lies in a readable tensor.
        #[inline(always)]
        pub unsafe fn $read(base: *const u8, offset: i64) -> $value {
            // SAFETY: the caller vouches for the element.
            let $x = unsafe { base.cast::<$stored>().offset(offset as isize).read() };
            $from
        }

        $(#[$doc])*
        ///
        /// # Safety
        ///
        /// The element at this offset from the base lies in a writable tensor.
        #[inline(always)]
        pub unsafe fn $write(base: *mut u8, offset: i64, $y: $value) {
            // SAFETY: the caller vouches for the element.
            unsafe { base.cast::<$stored>().offset(offset as isize).write($to) }
        }
    )*};
}

accesses! {
    /// An element of an f32 tensor.
    fn read_f32, write_f32: f32 as f32, |x| x, |y| y;
    /// An element of a bf16 tensor.
    fn read_bf16, write_bf16: u16 as f32, |x| f32::from_bits(u32::from(x) << 16), |y| bf16::from_f32(y).to_bits();
    /// An element of an f16 tensor.
    fn read_f16, write_f16: u16 as f32, |x| widen_f16(x), |y| f16::from_f32(y).to_bits();
    /// An element of an i32 tensor.
    fn read_i32, write_i32: i32 as i64, |x| i64::from(x), |y| y as i32;
    /// An element of an i8 tensor.
    fn read_i8, write_i8: i8 as i64, |x| i64::from(x), |y| y as i8;
    /// An element of a u8 tensor.
    fn read_u8, write_u8: u8 as i64, |x| i64::from(x), |y| y as u8;
    /// An element of a bool tensor.
    fn read_bool, write_bool: u8 as bool, |x| x != 0, |y| u8::from(y);
}

/// Binary16 to f32 without a branch or a table: generated code does this in inner loops.
#[inline(always)]
fn widen_f16(h: u16) -> f32 {
    let magnitude = u32::from(h & 0x7fff) << 13;
    // The product moves the exponent's bias and normalises subnormals.
    let scaled = (f32::from_bits(magnitude) * f32::from_bits(0x7780_0000)).to_bits();
    let special = if magnitude >= 0x0f80_0000 { 0x7f80_0000 } else { 0 };
    f32::from_bits(scaled | special | (u32::from(h & 0x8000) << 16))
}

macro_rules! locals {
    ($($(#[$doc:meta])* fn $get:ident, $put:ident: $stored:ty as $value:ty, |$x:ident| $from:expr, |$y:ident| $to:expr;)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        ///
        /// The word at this byte offset lies in the scratch memory.
        #[inline(always)]
        pub unsafe fn $get(scratch: *const u8, offset: i64) -> $value {
            // SAFETY: the caller vouches for the word.
            let $x = unsafe { scratch.offset(offset as isize).cast::<$stored>().read() };
            $from
        }

        $(#[$doc])*
        ///
        /// # Safety
        ///
        /// The word at this byte offset lies in the scratch memory.
        #[inline(always)]
        pub unsafe fn $put(scratch: *mut u8, offset: i64, $y: $value) {
            // SAFETY: the caller vouches for the word.
            unsafe { scratch.offset(offset as isize).cast::<$stored>().write($to) }
        }
    )*};
}

locals! {
    /// A float in scratch.
    fn get_f, put_f: f32 as f32, |x| x, |y| y;
    /// An integer in scratch, 32 bits there.
    fn get_i, put_i: i32 as i64, |x| i64::from(x), |y| y as i32;
    /// A truth value in scratch.
    fn get_b, put_b: i32 as bool, |x| x != 0, |y| i32::from(y);
}
