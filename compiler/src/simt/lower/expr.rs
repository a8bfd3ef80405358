//! Expressions: the value that a thread has at its point.

use super::{Lower, scalar};
use crate::cascade::TensorId;
use crate::diag::Refusal;
use crate::lane::{LaneCmp, ScalarSlot};
use crate::math::Math;
use crate::simt::typing::scalar_type;
use crate::simt::{Inst, Op, Place, Val};
use crate::tile::{AxisId, Expr};
use crate::types::{BinOp, UnOp};

impl Lower<'_> {
    /// Value of an expression at the current point.
    pub(super) fn eval(&mut self, e: &Expr) -> Result<Val, Refusal> {
        let at = |s: &Self, a: &AxisId| s.points[a.index()];
        Ok(match e {
            Expr::Int(v) => self.int(*v),
            Expr::Float(v) => self.fb.float(*v as f32),
            Expr::Bool(v) => self.fb.truth(*v),
            Expr::Coord(a) => self.in_scope(*a, at(self, a).at.map(|p| p.0))?,
            Expr::Base(a) => self.in_scope(*a, at(self, a).base)?,
            Expr::Count(a) => self.in_scope(*a, at(self, a).count)?,
            Expr::Extent(r) => self.extent(*r),
            Expr::Scalar(s) => self.scalar(self.slots.scalars[s.index()]),
            Expr::Global(t, idx) => {
                let (tensor, offset) = self.element(*t, idx)?;
                let ty = scalar_type(self.slots.tensors[tensor].dtype);
                self.fb.load(ty, Place::Global(tensor, offset))
            }
            Expr::Local(b) => self.read_tile(*b)?,
            // What is the same for all threads may be a factor of every step of a recurrence: the machine's unit is not exact enough.
            Expr::Unary(UnOp::Exp2, a) if !self.varies(a) => {
                let a = self.eval(a)?;
                self.fb.exp2_polynomial(a)
            }
            Expr::Unary(op, a) => {
                let a = self.eval(a)?;
                scalar::unary(&mut self.fb, *op, a)
            }
            Expr::Binary(BinOp::And, a, b) if costly(b) => self.choice(a, b, &Expr::Bool(false))?,
            Expr::Binary(BinOp::Or, a, b) if costly(b) => self.choice(a, &Expr::Bool(true), b)?,
            Expr::Binary(op, a, b) => {
                if let Some((x, y)) = scalar::fusable(*op, a, self.kernel.cascade.attrs.strict) {
                    let (x, y, z) = (self.eval(x)?, self.eval(y)?, self.eval(b)?);
                    return Ok(scalar::product_sum(&mut self.fb, x, y, z));
                }
                let (a, b) = (self.eval(a)?, self.eval(b)?);
                scalar::binary(&mut self.fb, *op, a, b)
            }
            Expr::Select(c, a, b) => self.choice(c, a, b)?,
            Expr::Cast(ty, a) => {
                let a = self.eval(a)?;
                scalar::cast(&mut self.fb, *ty, a)
            }
        })
    }

    /// Value of an expression that is the same for all threads.
    pub(super) fn uniform(&mut self, e: &Expr) -> Result<Val, Refusal> {
        if self.varies(e) {
            return Err(self.refuse("an expression that must be uniform depends on the lane axis"));
        }
        self.eval(e)
    }

    fn in_scope(&self, a: AxisId, v: Option<Val>) -> Result<Val, Refusal> {
        v.ok_or_else(|| self.refuse(format!("axis {} is not in scope", self.axis(a).name)))
    }

    fn scalar(&mut self, slot: ScalarSlot) -> Val {
        match slot {
            ScalarSlot::Int(i) => self.fb.op(Op::Int(i)),
            ScalarSlot::Float(i) => self.fb.op(Op::FloatArg(i)),
            ScalarSlot::Bool(i) => {
                let (v, zero) = (self.fb.op(Op::Int(i)), self.fb.int(0));
                self.fb.cmp(LaneCmp::Ne, v, zero)
            }
        }
    }

    /// Element offset of a tensor access.
    pub(super) fn element(&mut self, t: TensorId, idx: &[Expr]) -> Result<(usize, Val), Refusal> {
        let Some(slot) = self.kernel.memory.iter().position(|m| *m == t) else {
            return Err(self.refuse(format!("tensor {} is not in memory", self.kernel.cascade.tensor(t).name)));
        };
        let mut terms = vec![];
        for (d, e) in idx.iter().enumerate() {
            let i = self.eval(e)?;
            let i = self.fb.off(i);
            let stride = self.fb.op(Op::IntOff(self.slots.ints.stride(slot, d)));
            terms.push(self.fb.mul(i, stride));
        }
        let zero = self.fb.int(0);
        let start = self.fb.off(zero);
        Ok((slot, self.fb.sum(terms).unwrap_or(start)))
    }

    /// A choice. Uniform conditions over costly sides branch; else both sides are evaluated.
    fn choice(&mut self, c: &Expr, a: &Expr, b: &Expr) -> Result<Val, Refusal> {
        let branches = (costly(a) || costly(b)) && !self.varies(c);
        let c = self.eval(c)?;
        if branches {
            return self.branch(c, a, b);
        }
        let (a, b) = (self.eval(a)?, self.eval(b)?);
        Ok(self.fb.select(c, a, b))
    }

    fn branch(&mut self, cond: Val, a: &Expr, b: &Expr) -> Result<Val, Refusal> {
        self.fb.begin_block();
        let v = self.eval(a)?;
        let var = self.fb.var(self.fb.ty(v));
        self.fb.set(var, v);
        let then = self.fb.end_block();
        self.fb.begin_block();
        let v = self.eval(b)?;
        self.fb.set(var, v);
        let els = self.fb.end_block();
        self.fb.inst(Inst::If { cond, then, els });
        Ok(self.fb.get(var))
    }

    /// True if an expression may differ between the threads.
    pub(super) fn varies(&self, e: &Expr) -> bool {
        match e {
            Expr::Coord(a) => self.lane == Some(*a) || (self.spread && !self.stage.grid.contains(a)),
            Expr::Local(b) => self.has_lanes(*b) || (self.spread && !self.stage.buf(*b).axes.is_empty()),
            _ => e.children().into_iter().any(|c| self.varies(c)),
        }
    }
}

/// True if an expression is worth a branch: it loads from a tensor or evaluates a polynomial.
fn costly(e: &Expr) -> bool {
    let here = match e {
        Expr::Global(..) | Expr::Binary(BinOp::Pow, ..) => true,
        Expr::Unary(op, _) => {
            matches!(op, UnOp::Log | UnOp::Log2 | UnOp::Tanh | UnOp::Sin | UnOp::Cos | UnOp::Erf)
        }
        _ => false,
    };
    here || e.children().into_iter().any(costly)
}
