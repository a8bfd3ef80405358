//! The scalar operators over f64.

use crate::types::{BinOp, RedOp, UnOp};

/// `op(a)`.
pub fn unary(op: UnOp, a: f64) -> f64 {
    match op {
        UnOp::Neg => -a,
        UnOp::Not => truth(a == 0.0),
        UnOp::Abs => a.abs(),
        UnOp::Exp => a.exp(),
        UnOp::Exp2 => a.exp2(),
        UnOp::Log => a.ln(),
        UnOp::Log2 => a.log2(),
        UnOp::Sqrt => a.sqrt(),
        UnOp::Tanh => a.tanh(),
        UnOp::Sin => a.sin(),
        UnOp::Cos => a.cos(),
        UnOp::Erf => erf(a),
        UnOp::Floor => a.floor(),
        UnOp::Ceil => a.ceil(),
        UnOp::Round => a.round_ties_even(),
        // An index has no negative zero.
        UnOp::ToFloat => a + 0.0,
        UnOp::ToIndex => a.trunc() as i64 as f64,
        UnOp::BoolToIndex => a,
        UnOp::Popcount => f64::from((a as i64).count_ones()),
        UnOp::Ilog2 => (a as i64).checked_ilog2().map_or(-1.0, f64::from),
    }
}

/// `op(a, b)`; the caller evaluates `And` and `Or` lazily.
pub fn binary(op: BinOp, a: f64, b: f64) -> f64 {
    match op {
        BinOp::Add => a + b,
        BinOp::Sub => a - b,
        BinOp::Mul => a * b,
        BinOp::Div => a / b,
        BinOp::FloorDiv => floor_div(a as i64, b as i64) as f64,
        BinOp::Mod => (a as i64).wrapping_sub(floor_div(a as i64, b as i64).wrapping_mul(b as i64)) as f64,
        BinOp::Min => least(a, b),
        BinOp::Max => greatest(a, b),
        BinOp::Pow => a.powf(b),
        BinOp::Eq => truth(a == b),
        BinOp::Ne => truth(a != b),
        BinOp::Lt => truth(a < b),
        BinOp::Le => truth(a <= b),
        BinOp::Gt => truth(a > b),
        BinOp::Ge => truth(a >= b),
        BinOp::And => truth(a != 0.0 && b != 0.0),
        BinOp::Or => truth(a != 0.0 || b != 0.0),
    }
}

/// One step of a reduction that is a monoid; `ArgMax` and `TopK` are none and keep `acc`.
pub fn fold(op: RedOp, acc: f64, x: f64) -> f64 {
    match op {
        RedOp::Sum => acc + x,
        RedOp::Prod => acc * x,
        RedOp::Max => greatest(acc, x),
        RedOp::Min => least(acc, x),
        RedOp::Any => truth(acc != 0.0 || x != 0.0),
        RedOp::All => truth(acc != 0.0 && x != 0.0),
        RedOp::ArgMax | RedOp::TopK => acc,
    }
}

/// 1 or 0.
pub(crate) fn truth(b: bool) -> f64 {
    f64::from(u8::from(b))
}

fn floor_div(a: i64, b: i64) -> i64 {
    if b == 0 {
        return 0;
    }
    let (q, r) = (a.wrapping_div(b), a.wrapping_rem(b));
    if r != 0 && (r < 0) != (b < 0) { q - 1 } else { q }
}

/// Maximum; NaN wins, so that it is seen.
fn greatest(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

/// Minimum; NaN wins.
fn least(a: f64, b: f64) -> f64 {
    if a.is_nan() || a < b { a } else { b }
}

/// Error function by the series 2x/√π · e^(−x²) · Σ (2x²)^n / (1·3·…·(2n+1)), whose terms are all positive.
fn erf(x: f64) -> f64 {
    if x.is_nan() || x.abs() > 6.0 {
        return if x.is_nan() { x } else { x.signum() };
    }
    let (mut term, mut sum, mut n) = (1.0, 1.0, 1.0);
    while term > sum * f64::EPSILON / 4.0 {
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
        n += 1.0;
    }
    2.0 * x / std::f64::consts::PI.sqrt() * (-x * x).exp() * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floor_division_and_modulus() {
        for (a, b, q, r) in
            [(7.0, 2.0, 3.0, 1.0), (-7.0, 2.0, -4.0, 1.0), (7.0, -2.0, -4.0, -1.0), (5.0, 0.0, 0.0, 5.0)]
        {
            assert_eq!((binary(BinOp::FloorDiv, a, b), binary(BinOp::Mod, a, b)), (q, r), "{a} by {b}");
        }
    }

    #[test]
    fn error_function() {
        for (x, y) in [(0.0, 0.0), (0.5, 0.520_499_877_813_046_5), (2.0, 0.995_322_265_018_952_7), (7.0, 1.0)] {
            assert!((erf(x) - y).abs() < 4e-16, "erf({x}) = {}", erf(x));
            assert_eq!(erf(-x), -erf(x));
        }
    }

    #[test]
    fn bits() {
        assert_eq!(unary(UnOp::Popcount, 11.0), 3.0);
        assert_eq!([0.0, 1.0, 7.0, 8.0].map(|x| unary(UnOp::Ilog2, x)), [-1.0, 0.0, 2.0, 3.0]);
        assert_eq!(unary(UnOp::ToIndex, -2.7), -2.0);
        assert!(binary(BinOp::Max, f64::NAN, 1.0).is_nan() && binary(BinOp::Max, 1.0, f64::NAN).is_nan());
    }
}
