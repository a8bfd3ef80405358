//! Signs of expressions and the direction in which they move with running accumulators (condition C8).

use crate::cascade::{Cascade, Expr, TensorId};
use crate::types::{BinOp, UnOp};

/// How a value moves while a pass goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dir {
    /// It does not move.
    Still,
    /// It never falls.
    Up,
    /// It never rises.
    Down,
    /// Not known.
    Unknown,
}

impl Dir {
    fn flip(self) -> Dir {
        match self {
            Dir::Up => Dir::Down,
            Dir::Down => Dir::Up,
            d => d,
        }
    }

    fn join(self, other: Dir) -> Dir {
        match (self, other) {
            (Dir::Still, d) | (d, Dir::Still) => d,
            (a, b) if a == b => a,
            _ => Dir::Unknown,
        }
    }

    fn scaled(self, by: Sign) -> Dir {
        match (self, by) {
            (Dir::Still, _) => Dir::Still,
            (d, Sign::NonNegative) => d,
            (d, Sign::NonPositive) => d.flip(),
            _ => Dir::Unknown,
        }
    }
}

/// What is known about the sign of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// ≥ 0.
    NonNegative,
    /// ≤ 0.
    NonPositive,
    /// Not known.
    Unknown,
}

impl Sign {
    fn flip(self) -> Sign {
        match self {
            Sign::NonNegative => Sign::NonPositive,
            Sign::NonPositive => Sign::NonNegative,
            Sign::Unknown => Sign::Unknown,
        }
    }

    fn times(self, other: Sign) -> Sign {
        match (self, other) {
            (Sign::Unknown, _) | (_, Sign::Unknown) => Sign::Unknown,
            (a, b) if a == b => Sign::NonNegative,
            _ => Sign::NonPositive,
        }
    }
}

/// Sign of a number.
pub(super) fn sign(c: &Cascade, e: &Expr) -> Sign {
    match e {
        Expr::Int(i) => {
            if *i >= 0 {
                Sign::NonNegative
            } else {
                Sign::NonPositive
            }
        }
        Expr::Float(x) if *x >= 0.0 => Sign::NonNegative,
        Expr::Float(x) if *x <= 0.0 => Sign::NonPositive,
        Expr::Extent(_) | Expr::Var(_) => Sign::NonNegative,
        Expr::Read(t, _) if c.tensor(*t).facts.nonnegative => Sign::NonNegative,
        Expr::Read(t, _) if c.tensor(*t).facts.nonpositive => Sign::NonPositive,
        Expr::Unary(UnOp::Exp | UnOp::Exp2 | UnOp::Sqrt | UnOp::Abs | UnOp::BoolToIndex | UnOp::Popcount, _) => {
            Sign::NonNegative
        }
        Expr::Unary(UnOp::Neg, a) => sign(c, a).flip(),
        Expr::Unary(UnOp::ToFloat | UnOp::Tanh | UnOp::Erf, a) | Expr::Cast(_, a) => sign(c, a),
        Expr::Binary(BinOp::Mul | BinOp::Div, a, b) if a == b => Sign::NonNegative,
        Expr::Binary(BinOp::Mul | BinOp::Div, a, b) => sign(c, a).times(sign(c, b)),
        Expr::Binary(BinOp::Add, a, b) | Expr::Select(_, a, b) if sign(c, a) == sign(c, b) => sign(c, a),
        Expr::Binary(BinOp::Sub, a, b) if sign(c, a) == sign(c, b).flip() => sign(c, a),
        Expr::Binary(BinOp::Max, a, b) if [sign(c, a), sign(c, b)].contains(&Sign::NonNegative) => Sign::NonNegative,
        Expr::Binary(BinOp::Max, a, b) if sign(c, a) == sign(c, b) => sign(c, a),
        Expr::Binary(BinOp::Min, a, b) if [sign(c, a), sign(c, b)].contains(&Sign::NonPositive) => Sign::NonPositive,
        Expr::Binary(BinOp::Min, a, b) if sign(c, a) == sign(c, b) => sign(c, a),
        _ => Sign::Unknown,
    }
}

/// True if the value is provably > 0 wherever it is finite.
pub(super) fn positive(c: &Cascade, e: &Expr) -> bool {
    match e {
        Expr::Float(x) => *x > 0.0,
        Expr::Unary(UnOp::Exp | UnOp::Exp2, _) => true,
        Expr::Unary(UnOp::Sqrt, a) => positive(c, a),
        Expr::Binary(BinOp::Mul | BinOp::Div | BinOp::Min, a, b) => positive(c, a) && positive(c, b),
        Expr::Binary(BinOp::Max, a, b) => positive(c, a) || positive(c, b),
        Expr::Binary(BinOp::Add, a, b) => {
            let some = |x, y| positive(c, x) && sign(c, y) == Sign::NonNegative;
            some(a, b) || some(b, a)
        }
        _ => false,
    }
}

/// Direction of a value when the accumulators move as `of` says (`None`: the tensor does not run).
pub(super) fn direction(c: &Cascade, e: &Expr, of: &dyn Fn(TensorId) -> Option<Dir>) -> Dir {
    let go = |e: &Expr| direction(c, e, of);
    match e {
        Expr::Read(t, _) => of(*t).unwrap_or(Dir::Still),
        Expr::Unary(UnOp::Neg, a) => go(a).flip(),
        Expr::Unary(UnOp::Exp | UnOp::Exp2 | UnOp::Log | UnOp::Log2 | UnOp::Sqrt | UnOp::Tanh | UnOp::Erf, a) => go(a),
        Expr::Binary(BinOp::Add | BinOp::Max | BinOp::Min, a, b) => go(a).join(go(b)),
        Expr::Binary(BinOp::Sub, a, b) => go(a).join(go(b).flip()),
        Expr::Binary(BinOp::Mul, a, b) => match (go(a), go(b)) {
            (d, Dir::Still) => d.scaled(sign(c, b)),
            (Dir::Still, d) => d.scaled(sign(c, a)),
            _ => Dir::Unknown,
        },
        Expr::Binary(BinOp::Div, a, b) => match (go(a), go(b)) {
            (d, Dir::Still) => d.scaled(sign(c, b)),
            (Dir::Still, d) if positive(c, b) => d.flip().scaled(sign(c, a)),
            _ => Dir::Unknown,
        },
        _ => e.children().into_iter().fold(Dir::Still, |d, c| if go(c) == Dir::Still { d } else { Dir::Unknown }),
    }
}
