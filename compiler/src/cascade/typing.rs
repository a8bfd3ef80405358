//! Value types of expressions, checked bottom up. Assumes that ids are in range.

use super::text::expr_text;
use super::{Cascade, Expr};
use crate::types::{BinOp, UnOp, ValueType};

/// The type of an expression whose operands all fit; otherwise what does not.
pub(crate) fn check_type(c: &Cascade, e: &Expr) -> Result<ValueType, String> {
    use ValueType::{Bool, Float, Index};
    match e {
        Expr::Int(_) | Expr::Var(_) | Expr::Extent(_) => Ok(Index),
        Expr::Float(_) => Ok(Float),
        Expr::Bool(_) => Ok(Bool),
        Expr::Scalar(s) => Ok(c.scalars[s.index()].dtype.value_type()),
        Expr::Read(t, idx) => read(c, e, c.tensor(*t).dims.len(), idx).map(|()| c.tensor(*t).dtype.value_type()),
        Expr::Unary(op, a) => {
            let a = check_type(c, a)?;
            let (ok, result) = unary(*op, a);
            if ok { Ok(result) } else { Err(format!("`{}` does not take {}: `{}`", op.name(), word(a), text(c, e))) }
        }
        Expr::Binary(op, a, b) => {
            let (a, b) = (check_type(c, a)?, check_type(c, b)?);
            let (ok, result) = binary(*op, a);
            if ok && a == b {
                Ok(result)
            } else {
                Err(format!("`{}` does not take {} and {}: `{}`", op.name(), word(a), word(b), text(c, e)))
            }
        }
        Expr::Select(cond, a, b) => {
            let types = (check_type(c, cond)?, check_type(c, a)?, check_type(c, b)?);
            match types {
                (Bool, a, b) if a == b => Ok(a),
                _ => Err(format!("`if` takes a bool and two values of one type: `{}`", text(c, e))),
            }
        }
        Expr::Cast(ty, a) => {
            let a = check_type(c, a)?;
            if ty.value_type() == a { Ok(a) } else { Err(format!("{} is cast to `{ty}`: `{}`", word(a), text(c, e))) }
        }
    }
}

fn text(c: &Cascade, e: &Expr) -> String {
    expr_text(c, e)
}

fn read(c: &Cascade, e: &Expr, dims: usize, idx: &[Expr]) -> Result<(), String> {
    if dims != idx.len() {
        return Err(format!("{dims} indices are needed: `{}`", text(c, e)));
    }
    for i in idx {
        if check_type(c, i)? != ValueType::Index {
            return Err(format!("`{}` is no index in `{}`", text(c, i), text(c, e)));
        }
    }
    Ok(())
}

/// What a type is called.
pub(crate) fn word(t: ValueType) -> &'static str {
    match t {
        ValueType::Index => "an index",
        ValueType::Float => "a float",
        ValueType::Bool => "a bool",
    }
}

fn unary(op: UnOp, a: ValueType) -> (bool, ValueType) {
    use ValueType::{Bool, Float, Index};
    match op {
        UnOp::Neg | UnOp::Abs => (a != Bool, a),
        UnOp::Not => (a == Bool, Bool),
        UnOp::Exp
        | UnOp::Exp2
        | UnOp::Log
        | UnOp::Log2
        | UnOp::Sqrt
        | UnOp::Tanh
        | UnOp::Sin
        | UnOp::Cos
        | UnOp::Erf
        | UnOp::Floor
        | UnOp::Ceil
        | UnOp::Round => (a == Float, Float),
        UnOp::ToFloat => (a == Index, Float),
        UnOp::ToIndex => (a == Float, Index),
        UnOp::BoolToIndex => (a == Bool, Index),
        UnOp::Popcount | UnOp::Ilog2 => (a == Index, Index),
    }
}

fn binary(op: BinOp, a: ValueType) -> (bool, ValueType) {
    use ValueType::{Bool, Float, Index};
    match op {
        BinOp::Add | BinOp::Sub | BinOp::Mul | BinOp::Min | BinOp::Max => (a != Bool, a),
        BinOp::Div | BinOp::Pow => (a == Float, Float),
        BinOp::FloorDiv | BinOp::Mod => (a == Index, Index),
        BinOp::Eq | BinOp::Ne => (true, Bool),
        BinOp::Lt | BinOp::Le | BinOp::Gt | BinOp::Ge => (a != Bool, Bool),
        BinOp::And | BinOp::Or => (a == Bool, Bool),
    }
}
