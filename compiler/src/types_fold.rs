//! Arithmetic on floats at compile time: one table for the checker and for the passes.

use crate::types::{BinOp, UnOp};

impl UnOp {
    /// Its value on a float at compile time, if the result is a float.
    pub fn of_float(self, x: f64) -> Option<f64> {
        Some(match self {
            UnOp::Neg => -x,
            UnOp::Abs => x.abs(),
            UnOp::Exp => x.exp(),
            UnOp::Exp2 => x.exp2(),
            UnOp::Log => x.ln(),
            UnOp::Log2 => x.log2(),
            UnOp::Sqrt => x.sqrt(),
            UnOp::Tanh => x.tanh(),
            UnOp::Sin => x.sin(),
            UnOp::Cos => x.cos(),
            UnOp::Floor => x.floor(),
            UnOp::Ceil => x.ceil(),
            UnOp::Round => x.round_ties_even(),
            // No error function in std; the targets have one.
            UnOp::Erf => return None,
            UnOp::Not | UnOp::ToFloat | UnOp::ToIndex | UnOp::BoolToIndex | UnOp::Popcount | UnOp::Ilog2 => {
                return None;
            }
        })
    }
}

impl BinOp {
    /// Its value on two floats at compile time, if the result is a float.
    pub fn of_floats(self, x: f64, y: f64) -> Option<f64> {
        Some(match self {
            BinOp::Add => x + y,
            BinOp::Sub => x - y,
            BinOp::Mul => x * y,
            BinOp::Div => x / y,
            BinOp::Pow => x.powf(y),
            BinOp::Min => x.min(y),
            BinOp::Max => x.max(y),
            BinOp::Eq | BinOp::Ne | BinOp::Lt | BinOp::Le | BinOp::Gt | BinOp::Ge => return None,
            BinOp::FloorDiv | BinOp::Mod | BinOp::And | BinOp::Or => return None,
        })
    }
}
