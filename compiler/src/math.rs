//! Transcendental functions as polynomials, over whatever a level computes with: vectors of lanes, or values of a thread. Every target
//! shares them, so results agree across targets up to the fusing of multiply-adds.
//!
//! Errors are against exact mathematics, over the ranges that the tests sweep. Subnormal results are flushed to zero
//! by `exp2` and `exp`: hardware needs a hundred cycles for them and no attention weight needs them.
//!
//! | function | error | remarks |
//! |---|---|---|
//! | `exp2` | 1 ulp | 0 below −126 and at −∞, ∞ from 128 |
//! | `exp` | 1.5 ulp | 0 below −87.33, ∞ above 88.72 |
//! | `log2`, `log` | 2 ulp | −∞ at 0, NaN below |
//! | `tanh` | 4 ulp | |
//! | `sin`, `cos` | 1e-7 absolute for arguments up to 1e4, 1e-6 up to 1e6 | meaningless beyond 6e6 |
//! | `erf` | 1e-7 absolute | |
//! | `pow` | relative `1e-7 · (1 + abs(y · log2 x))` | NaN for a negative base unless y is an integer |

use crate::lane::{LaneBin, LaneCmp, LaneUn};

/// Adding and subtracting this rounds floats below 2^22 to integers and leaves the integer in the low bits.
const MAGIC: f32 = 12_582_912.0;

/// Exponential polynomial on [−½, ½], base 2, without its constant 1; also used by `tanh`.
const EXP2: [f32; 6] =
    [std::f32::consts::LN_2, 0.240_226_49, 0.055_503_573, 0.009_618_238, 0.001_339_073_5, 0.000_154_035_12];

const EXP: [f32; 6] = [0.5, 0.166_666_66, 0.041_665_796, 0.008_333_452, 0.001_398_2, 0.000_198_756_9];

const LOG: [f32; 9] = [
    0.333_333_3,
    -0.25,
    0.200_007_15,
    -0.166_680_58,
    0.142_493_23,
    -0.124_201_41,
    0.116_769_99,
    -0.115_146_1,
    0.070_376_836,
];

const LN2_HI: f32 = 0.693_359_4;
const LN2_LO: f32 = -0.000_212_194_44;

/// π/2 in three parts; the first two have few bits, so that their products with a quotient are exact.
const HALF_PI: [f32; 3] = [1.570_312_5, 0.000_483_751_3, 7.549_79e-8];

const SIN: [f32; 3] = [-0.166_666_55, 0.008_332_161, -0.000_195_152_96];
const COS: [f32; 3] = [0.041_666_646, -0.001_388_731_6, 0.000_024_433_157];

const ERF_SMALL: [f32; 6] =
    [0.128_379_17, -0.376_125_34, 0.112_819_925, -0.026_768_135, 0.004_991_194_2, -0.000_596_761_7];
const ERF_LARGE: [f32; 6] =
    [-0.128_717_51, -0.634_846_7, -0.106_777_88, 0.024_254_622, -0.003_883_964_4, 0.000_383_197_13];
const ERF_LARGE_LAST: f32 = -0.000_017_285_347;

/// What the functions are built from; all of them are provided.
pub trait Math {
    /// An f32, an i32 or a truth value, or a vector of them.
    type Val: Copy;

    /// Float constant.
    fn vfloat(&mut self, v: f32) -> Self::Val;
    /// 32-bit integer constant.
    fn vint(&mut self, v: i64) -> Self::Val;
    /// Unary operation.
    fn un(&mut self, op: LaneUn, a: Self::Val) -> Self::Val;
    /// Binary operation.
    fn bin(&mut self, op: LaneBin, a: Self::Val, b: Self::Val) -> Self::Val;
    /// `a·b + c`.
    fn fma(&mut self, a: Self::Val, b: Self::Val, c: Self::Val) -> Self::Val;
    /// Comparison.
    fn cmp(&mut self, op: LaneCmp, a: Self::Val, b: Self::Val) -> Self::Val;
    /// Choice.
    fn select(&mut self, c: Self::Val, a: Self::Val, b: Self::Val) -> Self::Val;
    /// The bits of a float.
    fn float_bits(&mut self, a: Self::Val) -> Self::Val;
    /// The float with these bits.
    fn bits_float(&mut self, a: Self::Val) -> Self::Val;
    /// Shift to the left.
    fn shl(&mut self, a: Self::Val, n: u32) -> Self::Val;
    /// Arithmetic shift to the right.
    fn shr(&mut self, a: Self::Val, n: u32) -> Self::Val;
    /// Integer to float.
    fn int_to_float(&mut self, a: Self::Val) -> Self::Val;

    /// `a + b`.
    fn add(&mut self, a: Self::Val, b: Self::Val) -> Self::Val {
        self.bin(LaneBin::Add, a, b)
    }

    /// `a - b`.
    fn sub(&mut self, a: Self::Val, b: Self::Val) -> Self::Val {
        self.bin(LaneBin::Sub, a, b)
    }

    /// `a * b`.
    fn mul(&mut self, a: Self::Val, b: Self::Val) -> Self::Val {
        self.bin(LaneBin::Mul, a, b)
    }

    /// Minimum.
    fn min(&mut self, a: Self::Val, b: Self::Val) -> Self::Val {
        self.bin(LaneBin::Min, a, b)
    }

    /// Maximum.
    fn max(&mut self, a: Self::Val, b: Self::Val) -> Self::Val {
        self.bin(LaneBin::Max, a, b)
    }

    /// 2^x.
    fn exp2(&mut self, x: Self::Val) -> Self::Val {
        self.exp2_polynomial(x)
    }

    /// 2^x, not by a machine's unit.
    fn exp2_polynomial(&mut self, x: Self::Val) -> Self::Val {
        let top = self.vfloat(128.0);
        let x = self.min(top, x);
        let (t, n) = self.round_magic(x);
        let f = self.sub(x, n);
        let q = self.poly(f, &EXP2);
        let one = self.vfloat(1.0);
        let p = self.fma(q, f, one);
        let r = self.scale_by_magic(p, t);
        self.zero_below(x, -126.0, r)
    }

    /// e^x.
    fn exp(&mut self, x: Self::Val) -> Self::Val {
        let c = self.vfloat(std::f32::consts::LOG2_E);
        let y = self.mul(x, c);
        let (t, n) = self.round_magic(y);
        let hi = self.vfloat(-LN2_HI);
        let lo = self.vfloat(-LN2_LO);
        let f = self.fma(n, hi, x);
        let f = self.fma(n, lo, f);
        let q = self.poly(f, &EXP);
        let f2 = self.mul(f, f);
        let q = self.fma(q, f2, f);
        let one = self.vfloat(1.0);
        let p = self.add(q, one);
        let r = self.scale_by_magic(p, t);
        let top = self.vfloat(88.722_84);
        let over = self.cmp(LaneCmp::Gt, x, top);
        let inf = self.vfloat(f32::INFINITY);
        let r = self.select(over, inf, r);
        self.zero_below(x, -87.336_54, r)
    }

    /// Base-2 logarithm.
    fn log2(&mut self, x: Self::Val) -> Self::Val {
        let (f, y, e) = self.log_parts(x);
        let c = self.vfloat(std::f32::consts::LOG2_E - 1.0);
        let z = self.mul(y, c);
        let z = self.fma(f, c, z);
        let z = self.add(z, y);
        let z = self.add(z, f);
        let r = self.add(z, e);
        self.log_special(x, r)
    }

    /// Natural logarithm.
    fn log(&mut self, x: Self::Val) -> Self::Val {
        let (f, y, e) = self.log_parts(x);
        let lo = self.vfloat(LN2_LO);
        let hi = self.vfloat(LN2_HI);
        let y = self.fma(e, lo, y);
        let r = self.add(f, y);
        let r = self.fma(e, hi, r);
        self.log_special(x, r)
    }

    /// Hyperbolic tangent.
    fn tanh(&mut self, x: Self::Val) -> Self::Val {
        let a = self.un(LaneUn::Abs, x);
        let c = self.vfloat(2.0 * std::f32::consts::LOG2_E);
        let y = self.mul(a, c);
        let top = self.vfloat(30.0);
        let y = self.min(top, y);
        let (t, n) = self.round_magic(y);
        let f = self.sub(y, n);
        let q = self.poly(f, &EXP2);
        let g = self.mul(f, q);
        let one = self.vfloat(1.0);
        let s = self.scale_by_magic(one, t);
        let s1 = self.sub(s, one);
        let e = self.fma(s, g, s1);
        let two = self.vfloat(2.0);
        let e2 = self.add(e, two);
        let r = self.bin(LaneBin::Div, e, e2);
        self.with_sign_of(x, r)
    }

    /// Sine (radians).
    fn sin(&mut self, x: Self::Val) -> Self::Val {
        self.circular(x, 0)
    }

    /// Cosine (radians).
    fn cos(&mut self, x: Self::Val) -> Self::Val {
        self.circular(x, 1)
    }

    /// Error function.
    fn erf(&mut self, x: Self::Val) -> Self::Val {
        let s = self.mul(x, x);
        let small = self.poly(s, &ERF_SMALL);
        let small = self.fma(small, x, x);
        let a = self.un(LaneUn::Abs, x);
        let top = self.vfloat(10.0);
        let t = self.min(top, a);
        let mut r = self.vfloat(ERF_LARGE_LAST);
        for c in ERF_LARGE.iter().rev() {
            let c = self.vfloat(*c);
            r = self.fma(r, t, c);
        }
        let minus = self.un(LaneUn::Neg, t);
        let r = self.fma(r, t, minus);
        let r = self.exp(r);
        let one = self.vfloat(1.0);
        let large = self.sub(one, r);
        let large = self.with_sign_of(x, large);
        let limit = self.vfloat(0.921_875);
        let big = self.cmp(LaneCmp::Gt, a, limit);
        self.select(big, large, small)
    }

    /// x^y.
    fn pow(&mut self, x: Self::Val, y: Self::Val) -> Self::Val {
        let a = self.un(LaneUn::Abs, x);
        let l = self.log2(a);
        let p = self.mul(y, l);
        let r = self.exp2(p);
        let zero = self.vfloat(0.0);
        let half = self.vfloat(0.5);
        let h = self.mul(y, half);
        let hf = self.un(LaneUn::Floor, h);
        let odd = self.cmp(LaneCmp::Ne, h, hf);
        let minus = self.un(LaneUn::Neg, r);
        let signed = self.select(odd, minus, r);
        let whole = self.un(LaneUn::Floor, y);
        let fraction = self.cmp(LaneCmp::Ne, y, whole);
        let nan = self.nan();
        let signed = self.select(fraction, nan, signed);
        let negative = self.cmp(LaneCmp::Lt, x, zero);
        let r = self.select(negative, signed, r);
        let is_zero = self.cmp(LaneCmp::Eq, y, zero);
        let one = self.vfloat(1.0);
        self.select(is_zero, one, r)
    }

    /// Rounds to bfloat16 (nearest even) and back; NaN stays NaN.
    fn round_bf16(&mut self, x: Self::Val) -> Self::Val {
        let b = self.float_bits(x);
        let odd = self.shr(b, 16);
        let one = self.vint(1);
        let odd = self.bin(LaneBin::And, odd, one);
        let half = self.vint(0x7fff);
        let r = self.add(b, half);
        let r = self.add(r, odd);
        let mask = self.vint(-0x1_0000);
        let r = self.bin(LaneBin::And, r, mask);
        let r = self.bits_float(r);
        let ordered = self.cmp(LaneCmp::Eq, x, x);
        self.select(ordered, r, x)
    }

    /// Horner's rule, low order first.
    fn poly(&mut self, x: Self::Val, coefficients: &[f32]) -> Self::Val {
        let mut terms = coefficients.iter().rev().map(|c| self.vfloat(*c)).collect::<Vec<_>>().into_iter();
        let first = terms.next().unwrap_or(x);
        terms.fold(first, |acc, c| self.fma(acc, x, c))
    }

    /// `x + MAGIC` and the nearest integer to x.
    fn round_magic(&mut self, x: Self::Val) -> (Self::Val, Self::Val) {
        let magic = self.vfloat(MAGIC);
        let t = self.add(x, magic);
        let n = self.sub(t, magic);
        (t, n)
    }

    /// `p · 2^n` where `t = n + MAGIC`, by an addition to the exponent.
    fn scale_by_magic(&mut self, p: Self::Val, t: Self::Val) -> Self::Val {
        let n = self.float_bits(t);
        let n = self.shl(n, 23);
        let p = self.float_bits(p);
        let r = self.add(p, n);
        self.bits_float(r)
    }

    fn zero_below(&mut self, x: Self::Val, limit: f32, r: Self::Val) -> Self::Val {
        let limit = self.vfloat(limit);
        let below = self.cmp(LaneCmp::Lt, x, limit);
        let zero = self.vfloat(0.0);
        self.select(below, zero, r)
    }

    fn with_sign_of(&mut self, x: Self::Val, r: Self::Val) -> Self::Val {
        let zero = self.vfloat(0.0);
        let negative = self.cmp(LaneCmp::Lt, x, zero);
        let minus = self.un(LaneUn::Neg, r);
        self.select(negative, minus, r)
    }

    fn nan(&mut self) -> Self::Val {
        let inf = self.vfloat(f32::INFINITY);
        self.sub(inf, inf)
    }

    /// `x = 2^e · (1 + f)` with 1 + f in [√½, √2); returns f, ln(1 + f) − f, and e.
    fn log_parts(&mut self, x: Self::Val) -> (Self::Val, Self::Val, Self::Val) {
        let tiny = self.vfloat(f32::MIN_POSITIVE);
        let subnormal = self.cmp(LaneCmp::Lt, x, tiny);
        let up = self.vfloat(8_388_608.0);
        let scaled = self.mul(x, up);
        let x = self.select(subnormal, scaled, x);
        let (zero, shift) = (self.vint(0), self.vint(-23));
        let e0 = self.select(subnormal, shift, zero);
        let root = self.vint(0x3f35_04f3);
        let b = self.float_bits(x);
        let b = self.sub(b, root);
        let e = self.shr(b, 23);
        let e = self.add(e, e0);
        let mask = self.vint(0x7f_ffff);
        let m = self.bin(LaneBin::And, b, mask);
        let m = self.add(m, root);
        let m = self.bits_float(m);
        let one = self.vfloat(1.0);
        let f = self.sub(m, one);
        let e = self.int_to_float(e);
        let p = self.poly(f, &LOG);
        let f2 = self.mul(f, f);
        let f3 = self.mul(f2, f);
        let y = self.mul(p, f3);
        let half = self.vfloat(-0.5);
        let y = self.fma(f2, half, y);
        (f, y, e)
    }

    fn log_special(&mut self, x: Self::Val, r: Self::Val) -> Self::Val {
        let inf = self.vfloat(f32::INFINITY);
        let minus_inf = self.vfloat(f32::NEG_INFINITY);
        let zero = self.vfloat(0.0);
        let nan = self.nan();
        let is_zero = self.cmp(LaneCmp::Eq, x, zero);
        let outside = self.select(is_zero, minus_inf, nan);
        let positive = self.cmp(LaneCmp::Gt, x, zero);
        let r = self.select(positive, r, outside);
        let finite = self.cmp(LaneCmp::Lt, x, inf);
        self.select(finite, r, x)
    }

    /// sin(x + quarter·π/2).
    fn circular(&mut self, x: Self::Val, quarter: i64) -> Self::Val {
        let c = self.vfloat(std::f32::consts::FRAC_2_PI);
        let y = self.mul(x, c);
        let (t, n) = self.round_magic(y);
        let r = self.reduce_half_pi(x, n);
        let z = self.mul(r, r);
        let s = self.poly(z, &SIN);
        let zr = self.mul(z, r);
        let s = self.fma(s, zr, r);
        let k = self.poly(z, &COS);
        let z2 = self.mul(z, z);
        let k = self.mul(k, z2);
        let half = self.vfloat(-0.5);
        let k = self.fma(z, half, k);
        let one = self.vfloat(1.0);
        let k = self.add(k, one);
        let q = self.float_bits(t);
        let shift = self.vint(quarter);
        let q = self.add(q, shift);
        let odd = self.bit(q, 1);
        let r = self.select(odd, k, s);
        let minus = self.un(LaneUn::Neg, r);
        let flip = self.bit(q, 2);
        self.select(flip, minus, r)
    }

    fn bit(&mut self, x: Self::Val, mask: i64) -> Self::Val {
        let (mask, zero) = (self.vint(mask), self.vint(0));
        let b = self.bin(LaneBin::And, x, mask);
        self.cmp(LaneCmp::Ne, b, zero)
    }

    /// `x − n·π/2`. The quotient is split so that every product with the first two parts is exact.
    fn reduce_half_pi(&mut self, x: Self::Val, n: Self::Val) -> Self::Val {
        let (down, up) = (self.vfloat(1.0 / 4096.0), self.vfloat(4096.0));
        let high = self.mul(n, down);
        let (_, high) = self.round_magic(high);
        let high = self.mul(high, up);
        let low = self.sub(n, high);
        let mut r = x;
        for part in &HALF_PI[..2] {
            let c = self.vfloat(-part);
            r = self.fma(high, c, r);
            r = self.fma(low, c, r);
        }
        let c = self.vfloat(-HALF_PI[2]);
        self.fma(n, c, r)
    }
}
