//! Rounding of real numbers to storage types, exactly as a conversion instruction does it.
//!
//! Floats round to nearest, ties to even, in one step from f64 (no double rounding through f32), with subnormals.
//! f16, bf16, f32 overflow to infinity; the 8-bit floats saturate to their largest finite value, as hardware
//! conversions do. Integers are truncated and saturate; NaN becomes 0.

use crate::types::DType;

impl DType {
    /// The value that `x` has after it was stored as this type.
    pub fn round(self, x: f64) -> f64 {
        match self {
            DType::F64 => x,
            DType::F32 => f64::from(x as f32),
            DType::F16 => round_float(x, 10, -14, 65504.0, false),
            DType::Bf16 => round_float(x, 7, -126, 3.389_531_389_251_535_5e38, false),
            DType::F8E4M3 => round_float(x, 3, -6, 448.0, true),
            DType::F8E5M2 => round_float(x, 2, -14, 57344.0, true),
            DType::I32 => f64::from(x as i32),
            DType::I8 => f64::from(x as i8),
            DType::U8 => f64::from(x as u8),
            DType::Bool => f64::from(u8::from(x != 0.0)),
        }
    }
}

/// To `mantissa` fraction bits and the smallest normal exponent `min_exp`.
fn round_float(x: f64, mantissa: i32, min_exp: i32, max: f64, saturate: bool) -> f64 {
    if x.is_nan() || x == 0.0 {
        return x;
    }
    if x.is_infinite() {
        return if saturate { max.copysign(x) } else { x };
    }
    let exp = (((x.to_bits() >> 52) & 0x7ff) as i32 - 1023).max(min_exp);
    // Powers of two are exact, and so are both products: the quotient needs no more bits than `x`.
    let ulp = 2f64.powi(exp - mantissa);
    let y = (x / ulp).round_ties_even() * ulp;
    if y.abs() <= max {
        y
    } else if saturate {
        max.copysign(x)
    } else {
        f64::INFINITY.copysign(x)
    }
}

#[cfg(test)]
mod tests {
    use crate::types::DType;

    #[track_caller]
    fn check(ty: DType, x: f64, expected: f64) {
        assert_eq!(ty.round(x).to_bits(), expected.to_bits(), "{x} as {ty} is {}", ty.round(x));
        assert_eq!(ty.round(-x).to_bits(), (-expected).to_bits(), "-{x} as {ty}");
    }

    #[test]
    fn floats_round_to_nearest_even() {
        check(DType::F16, 2049.0, 2048.0);
        check(DType::F16, 2051.0, 2052.0);
        check(DType::F16, 65519.9, 65504.0);
        check(DType::F16, 65520.0, f64::INFINITY);
        check(DType::F16, 2f64.powi(-24), 2f64.powi(-24));
        check(DType::F16, 2f64.powi(-25), 0.0);
        check(DType::F16, 2f64.powi(-25) * 1.001, 2f64.powi(-24));
        check(DType::Bf16, 257.0, 256.0);
        check(DType::Bf16, 259.0, 260.0);
        check(DType::Bf16, 3.4e38, f64::INFINITY);
        check(DType::Bf16, 1e-40, 2f64.powi(-133));
        check(DType::F8E4M3, 460.0, 448.0);
        check(DType::F8E4M3, f64::INFINITY, 448.0);
        check(DType::F8E4M3, 17.0, 16.0);
        check(DType::F8E4M3, 2f64.powi(-10) * 1.5, 2f64.powi(-9));
        check(DType::F8E5M2, 1e9, 57344.0);
        check(DType::F32, 1.0 + 2f64.powi(-24), 1.0);
        check(DType::F64, 0.1, 0.1);
    }

    /// A value just above a tie of the target that a detour through f32 would put on the tie.
    #[test]
    fn no_double_rounding() {
        let x = 1.0 + 2f64.powi(-11) + 2f64.powi(-40);
        check(DType::F16, x, 1.0 + 2f64.powi(-10));
        check(DType::Bf16, 1.0 + 2f64.powi(-8) + 2f64.powi(-40), 1.0 + 2f64.powi(-7));
    }

    #[test]
    fn integers_saturate_and_bools_are_bits() {
        assert_eq!(DType::I8.round(130.0), 127.0);
        assert_eq!(DType::U8.round(-1.0), 0.0);
        assert_eq!(DType::I32.round(-3.0), -3.0);
        assert_eq!(DType::Bool.round(-3.0), 1.0);
        assert!(DType::F16.round(f64::NAN).is_nan());
    }
}
