//! Constructors that fold constants: what is known at compile time appears in L1 as a literal.

use crate::cascade::Expr;
use crate::types::{BinOp, DType, UnOp};

/// `op(a)`, folded.
pub(super) fn un(op: UnOp, a: Expr) -> Expr {
    let folded = match (op, &a) {
        (UnOp::Neg, Expr::Int(x)) => x.checked_neg().map(Expr::Int),
        (UnOp::Abs, Expr::Int(x)) => x.checked_abs().map(Expr::Int),
        (UnOp::ToFloat, Expr::Int(x)) => Some(Expr::Float(*x as f64)),
        (UnOp::Popcount, Expr::Int(x)) => Some(Expr::Int(i64::from(x.count_ones()))),
        (UnOp::Ilog2, Expr::Int(x)) => Some(Expr::Int(x.checked_ilog2().map_or(-1, i64::from))),
        (UnOp::Not, Expr::Bool(x)) => Some(Expr::Bool(!x)),
        (UnOp::Not, Expr::Unary(UnOp::Not, x)) => Some((**x).clone()),
        (UnOp::BoolToIndex, Expr::Bool(x)) => Some(Expr::Int(i64::from(*x))),
        (UnOp::ToIndex, Expr::Float(x)) if x.is_finite() => Some(Expr::Int(*x as i64)),
        (_, Expr::Float(x)) => op.of_float(*x).map(Expr::Float),
        _ => None,
    };
    folded.unwrap_or_else(|| Expr::un(op, a))
}

/// `op(a, b)`, folded.
pub(super) fn bin(op: BinOp, a: Expr, b: Expr) -> Expr {
    let folded = match (&a, &b) {
        (Expr::Int(x), Expr::Int(y)) => int_bin(op, *x, *y),
        (Expr::Float(x), Expr::Float(y)) => float_bin(op, *x, *y),
        (Expr::Bool(x), Expr::Bool(y)) => bool_bin(op, *x, *y).map(Expr::Bool),
        _ => neutral(op, &a, &b),
    };
    folded.unwrap_or_else(|| Expr::bin(op, a, b))
}

fn int_bin(op: BinOp, x: i64, y: i64) -> Option<Expr> {
    let int = |v: Option<i64>| v.map(Expr::Int);
    match op {
        BinOp::Add => int(x.checked_add(y)),
        BinOp::Sub => int(x.checked_sub(y)),
        BinOp::Mul => int(x.checked_mul(y)),
        BinOp::FloorDiv => int(floor_div(x, y)),
        BinOp::Mod => int(floor_div(x, y).and_then(|q| x.checked_sub(q.checked_mul(y)?))),
        BinOp::Min => Some(Expr::Int(x.min(y))),
        BinOp::Max => Some(Expr::Int(x.max(y))),
        BinOp::Eq => Some(Expr::Bool(x == y)),
        BinOp::Ne => Some(Expr::Bool(x != y)),
        BinOp::Lt => Some(Expr::Bool(x < y)),
        BinOp::Le => Some(Expr::Bool(x <= y)),
        BinOp::Gt => Some(Expr::Bool(x > y)),
        BinOp::Ge => Some(Expr::Bool(x >= y)),
        BinOp::Div | BinOp::Pow | BinOp::And | BinOp::Or => None,
    }
}

/// Division rounding down; none by 0.
fn floor_div(x: i64, y: i64) -> Option<i64> {
    let q = x.checked_div(y)?;
    Some(if x % y != 0 && (x < 0) != (y < 0) { q - 1 } else { q })
}

fn float_bin(op: BinOp, x: f64, y: f64) -> Option<Expr> {
    Some(match op {
        BinOp::Eq => Expr::Bool(x == y),
        BinOp::Ne => Expr::Bool(x != y),
        BinOp::Lt => Expr::Bool(x < y),
        BinOp::Le => Expr::Bool(x <= y),
        BinOp::Gt => Expr::Bool(x > y),
        BinOp::Ge => Expr::Bool(x >= y),
        _ => Expr::Float(op.of_floats(x, y)?),
    })
}

fn bool_bin(op: BinOp, x: bool, y: bool) -> Option<bool> {
    match op {
        BinOp::And => Some(x && y),
        BinOp::Or => Some(x || y),
        BinOp::Eq => Some(x == y),
        BinOp::Ne => Some(x != y),
        _ => None,
    }
}

/// Laws that hold exactly: those of truth values and of integers.
fn neutral(op: BinOp, a: &Expr, b: &Expr) -> Option<Expr> {
    match (op, a, b) {
        (BinOp::And, Expr::Bool(true), x) | (BinOp::And, x, Expr::Bool(true)) => Some(x.clone()),
        (BinOp::Or, Expr::Bool(false), x) | (BinOp::Or, x, Expr::Bool(false)) => Some(x.clone()),
        (BinOp::And, Expr::Bool(false), _) => Some(Expr::Bool(false)),
        (BinOp::Or, Expr::Bool(true), _) => Some(Expr::Bool(true)),
        (BinOp::Add, Expr::Int(0), x) | (BinOp::Add | BinOp::Sub, x, Expr::Int(0)) => Some(x.clone()),
        (BinOp::Mul, Expr::Int(1), x) | (BinOp::Mul | BinOp::FloorDiv, x, Expr::Int(1)) => Some(x.clone()),
        (BinOp::Mul, Expr::Int(0), _) | (BinOp::Mul, _, Expr::Int(0)) => Some(Expr::Int(0)),
        _ => None,
    }
}

/// `if c { a } else { b }`, folded.
pub(super) fn select(c: Expr, a: Expr, b: Expr) -> Expr {
    match c {
        Expr::Bool(true) => a,
        Expr::Bool(false) => b,
        c => Expr::select(c, a, b),
    }
}

/// A literal as a number: truth values are 0 and 1.
pub(super) fn number(e: &Expr) -> Option<f64> {
    match e {
        Expr::Int(x) => Some(*x as f64),
        Expr::Float(x) => Some(*x),
        Expr::Bool(x) => Some(f64::from(u8::from(*x))),
        _ => None,
    }
}

/// The expression with rank variables replaced and constants folded again.
pub(super) fn refold(e: &Expr) -> Expr {
    let e = e.map_children(&mut |x| refold(x));
    match e {
        Expr::Unary(op, a) => un(op, *a),
        Expr::Binary(op, a, b) => bin(op, *a, *b),
        Expr::Select(c, a, b) => select(*c, *a, *b),
        Expr::Cast(ty, a) => cast(ty, *a),
        other => other,
    }
}

/// `Cast(ty, a)`, folded for the types that the compiler rounds itself.
pub(super) fn cast(ty: DType, a: Expr) -> Expr {
    match (ty, &a) {
        (DType::F32, Expr::Float(x)) => Expr::Float(f64::from(*x as f32)),
        (DType::F64, Expr::Float(_)) | (DType::I32, Expr::Int(_)) | (DType::Bool, Expr::Bool(_)) => a,
        _ => Expr::Cast(ty, Box::new(a)),
    }
}

/// A literal as the user would write it.
pub(super) fn literal_text(e: &Expr) -> Option<String> {
    match e {
        Expr::Int(x) => Some(x.to_string()),
        Expr::Float(x) => Some(format!("{x:?}")),
        Expr::Bool(x) => Some(x.to_string()),
        _ => None,
    }
}
