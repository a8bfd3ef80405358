//! Evaluation of one expression; where variables and elements come from is the caller's business.

use super::Value;
use super::ops::{binary, truth, unary};
use crate::cascade::{Expr, RankId, ScalarId, TensorId};
use crate::types::BinOp;
use std::fmt;

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault(pub Box<str>);

impl Fault {
    /// A fault with this message.
    pub fn new(message: impl Into<String>) -> Fault {
        Fault(message.into().into_boxed_str())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where the leaves of an expression get their values.
pub trait Source {
    /// Value of a rank variable.
    fn var(&self, r: RankId) -> Result<i64, Fault>;
    /// Extent of a rank.
    fn extent(&self, r: RankId) -> Result<i64, Fault>;
    /// Value of a scalar argument.
    fn scalar(&self, s: ScalarId) -> Result<f64, Fault>;
    /// Element of a tensor.
    fn read(&self, t: TensorId, idx: &[i64]) -> Result<f64, Fault>;
}

/// The value of an expression: an index or truth value as the float of the same value.
pub fn eval(e: &Expr, src: &impl Source) -> Result<f64, Fault> {
    match e {
        Expr::Int(i) => Ok(*i as f64),
        Expr::Float(x) => Ok(*x),
        Expr::Bool(b) => Ok(truth(*b)),
        Expr::Var(r) => src.var(*r).map(|i| i as f64),
        Expr::Extent(r) => src.extent(*r).map(|i| i as f64),
        Expr::Scalar(s) => src.scalar(*s),
        Expr::Read(t, idx) => read(*t, idx, src),
        Expr::Unary(op, a) => Ok(unary(*op, eval(a, src)?)),
        Expr::Binary(BinOp::And, a, b) => Ok(truth(holds(a, src)? && holds(b, src)?)),
        Expr::Binary(BinOp::Or, a, b) => Ok(truth(holds(a, src)? || holds(b, src)?)),
        Expr::Binary(op, a, b) => Ok(binary(*op, eval(a, src)?, eval(b, src)?)),
        Expr::Select(c, a, b) => eval(if holds(c, src)? { a } else { b }, src),
        Expr::Cast(ty, a) => Ok(ty.round(eval(a, src)?)),
    }
}

/// The value of a predicate.
pub fn holds(e: &Expr, src: &impl Source) -> Result<bool, Fault> {
    Ok(eval(e, src)? != 0.0)
}

/// The value of an index expression.
pub fn index(e: &Expr, src: &impl Source) -> Result<i64, Fault> {
    match e {
        Expr::Var(r) => src.var(*r),
        _ => Ok(eval(e, src)? as i64),
    }
}

fn read(t: TensorId, idx: &[Expr], src: &impl Source) -> Result<f64, Fault> {
    // Indices of the usual ranks need no allocation: reads are what the time goes into.
    let mut few = [0; 8];
    if let Some(few) = few.get_mut(..idx.len()) {
        for (i, e) in few.iter_mut().zip(idx) {
            *i = index(e, src)?;
        }
        return src.read(t, few);
    }
    let many = idx.iter().map(|e| index(e, src)).collect::<Result<Vec<_>, _>>()?;
    src.read(t, &many)
}

/// Element of an array, with a message that names it.
pub fn element(name: &str, v: &Value, idx: &[i64]) -> Result<f64, Fault> {
    match v.offset(idx) {
        Ok(at) => Ok(v.data[at]),
        Err(d) => Err(Fault::new(format!(
            "read of `{name}` at {idx:?} is out of bounds: index {d} is {}, the shape is {:?}",
            idx[d], v.shape
        ))),
    }
}
