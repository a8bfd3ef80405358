//! How the state follows its drivers in a block.
//!
//! While a driver is at its identity nothing has been accumulated, so the repair is neutral (condition C2); an
//! infinite driver is never subtracted from another.

use super::lower::simplify_binary;
use super::scope::Tiler;
use super::{Env, Res};
use crate::cascade::TensorId;
use crate::stream::Repair;
use crate::tile::{BufId, BufType, Expr, Stmt};
use crate::types::{BinOp, RedOp, UnOp};
use std::collections::BTreeMap;

impl Tiler<'_> {
    /// A tile like `like` that holds a value.
    pub(super) fn beside(&mut self, like: BufId, suffix: &str, value: Expr) -> BufId {
        let b = self.out.buf(like);
        let (name, ty, axes) = (format!("{}_{suffix}", b.name), b.ty, b.axes.clone());
        let dst = self.new_buf(&name, ty, &axes, self.level());
        self.emit(Stmt::Map { dst, op: None, value });
        dst
    }

    /// The driver, or 0 in its place while it is infinite: ∞ − ∞ is no number.
    pub(super) fn safe_driver(&mut self, b: BufId, op: RedOp) -> BufId {
        if !matches!(op, RedOp::Max | RedOp::Min) || self.out.buf(b).ty != BufType::F32 {
            return b;
        }
        self.beside(b, "safe", Expr::select(moved(b, op), Expr::Local(b), Expr::Float(0.0)))
    }

    /// Operator and operand by which the old state follows its drivers.
    pub(super) fn repair(&mut self, r: &Repair, env: &Env, drivers: &BTreeMap<TensorId, BufId>) -> Res<(BinOp, Expr)> {
        let new = self.lower(r.expr(), env)?;
        let saved = self.stand_in.clone();
        let reads = self.reads(r.expr());
        let mut guards = vec![];
        for (t, old) in drivers.iter().filter(|(t, _)| reads.contains(t)) {
            self.stand_in.insert(*t, *old);
            let op = self.s.cascade.def(*t).and_then(|n| n.reduce.as_ref()).map_or(RedOp::Sum, |r| r.op);
            guards.push(moved(*old, op));
        }
        let old = self.lower(r.expr(), env)?;
        self.stand_in = saved;
        let (how, by, none) = match r {
            Repair::MulExp { base2, .. } => {
                let op = if *base2 { UnOp::Exp2 } else { UnOp::Exp };
                (BinOp::Mul, Expr::un(op, simplify_binary(BinOp::Sub, new, old)), 1.0)
            }
            Repair::MulRatio { .. } => (BinOp::Mul, Expr::bin(BinOp::Div, new, old), 1.0),
            Repair::Add { .. } => (BinOp::Add, simplify_binary(BinOp::Sub, new, old), 0.0),
        };
        let by = if guards.is_empty() { by } else { Expr::select(Expr::all(guards), by, Expr::Float(none)) };
        let axes = self.out.tile_axes(&by);
        Ok((how, Expr::Local(self.materialise("r", by, &axes))))
    }
}

/// True where a driver has left its identity.
pub(super) fn moved(b: BufId, op: RedOp) -> Expr {
    let x = || Expr::Local(b);
    match op {
        RedOp::Max => Expr::bin(BinOp::Gt, x(), Expr::Float(f64::NEG_INFINITY)),
        RedOp::Min => Expr::bin(BinOp::Lt, x(), Expr::Float(f64::INFINITY)),
        RedOp::Sum | RedOp::Prod | RedOp::Any | RedOp::All | RedOp::ArgMax | RedOp::TopK => {
            let id = || Expr::Float(op.identity().unwrap_or(0.0));
            Expr::bin(BinOp::Or, Expr::bin(BinOp::Lt, x(), id()), Expr::bin(BinOp::Gt, x(), id()))
        }
    }
}
