//! Expressions: scalar where uniform, vectors where they depend on the lane axis.

use super::{Lanes, Lower, ScalarSlot};
use crate::cascade::TensorId;
use crate::diag::Refusal;
use crate::lane::{Inst, LaneBin, LaneCmp, LaneUn, Op, Ty, Val};
use crate::math::Math;
use crate::tile::{AxisId, BufId, Expr};
use crate::types::{BinOp, DType, UnOp};

impl Lower<'_> {
    /// Value of an expression at the current point.
    pub(super) fn eval(&mut self, e: &Expr) -> Result<Lanes, Refusal> {
        // Inside a scalar loop over the lanes the vectors of the memo are of no use.
        if self.lane.is_some_and(|l| self.vector_mode(l))
            && let Some((_, v)) = self.memo.iter().find(|(m, _)| m == e)
        {
            return Ok(v.clone());
        }
        if self.needs_row(e) {
            return match e {
                Expr::Global(t, idx) if self.rows_in_order => self.load_vectors(*t, idx),
                e => self.row(e),
            };
        }
        Ok(match e {
            Expr::Int(v) => Lanes::Uniform(self.fb.int(*v)),
            Expr::Float(v) => Lanes::Uniform(self.fb.float(*v as f32)),
            Expr::Bool(v) => Lanes::Uniform(self.fb.op(Op::ConstB(*v))),
            Expr::Coord(a) if self.vector_mode(*a) => self.lane_coords(*a)?,
            Expr::Coord(a) => Lanes::Uniform(self.in_scope(*a, self.places[a.0 as usize].point.map(|p| p.0))?),
            Expr::Base(a) => Lanes::Uniform(self.in_scope(*a, self.places[a.0 as usize].base)?),
            Expr::Count(a) => Lanes::Uniform(self.in_scope(*a, self.places[a.0 as usize].count)?),
            Expr::Extent(r) => Lanes::Uniform(self.extent(*r)?),
            Expr::Scalar(s) => Lanes::Uniform(self.scalar(self.slots.scalars[s.index()])),
            Expr::Global(t, idx) => Lanes::Uniform(self.global(*t, idx)?),
            Expr::Local(b) => self.local(*b)?,
            Expr::Unary(op, a) => {
                let a = self.eval(a)?;
                self.map1(a, |s, v| s.unary(*op, v))?
            }
            Expr::Binary(op @ (BinOp::And | BinOp::Or), a, b) if costly(b) => {
                let truth = Expr::Bool(*op == BinOp::Or);
                match op {
                    BinOp::And => self.choice(a, b, &truth)?,
                    _ => self.choice(a, &truth, b)?,
                }
            }
            Expr::Binary(op, a, b) => {
                let (a, b) = (self.eval(a)?, self.eval(b)?);
                self.map2(a, b, |s, a, b| s.binary(*op, a, b))?
            }
            Expr::Select(c, a, b) => self.choice(c, a, b)?,
            Expr::Cast(ty, a) => {
                let a = self.eval(a)?;
                self.cast(*ty, a)?
            }
        })
    }

    /// Value of an expression that does not depend on the lane axis.
    pub(super) fn uniform(&mut self, e: &Expr) -> Result<Val, Refusal> {
        match self.eval(e)? {
            Lanes::Uniform(v) => Ok(v),
            Lanes::Each(_) => Err(self.refuse("an expression that must be uniform depends on the lane axis")),
        }
    }

    /// The vectors of a value, splatting a uniform one.
    pub(super) fn vectors_of(&mut self, v: Lanes) -> Vec<Val> {
        match v {
            Lanes::Each(v) => v,
            Lanes::Uniform(v) => vec![self.fb.op(Op::Splat(v)); self.vectors],
        }
    }

    fn in_scope(&self, a: AxisId, v: Option<Val>) -> Result<Val, Refusal> {
        match v {
            Some(v) => Ok(v),
            None => Err(self.refuse(format!("axis {} is not in scope", self.axis(a)?.name))),
        }
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

    /// Coordinates along the lane axis; padded lanes repeat the last valid one.
    fn lane_coords(&mut self, a: AxisId) -> Result<Lanes, Refusal> {
        let place = self.places[a.0 as usize];
        let (base, count) = (self.in_scope(a, place.base)?, self.in_scope(a, place.count)?);
        let last = self.last_coord(base, count);
        let last = self.fb.op(Op::Splat(last));
        let iota = self.fb.op(Op::Iota);
        let lanes = self.caps.lanes as i64;
        let mut out = vec![];
        for v in 0..self.vectors as i64 {
            let shift = self.fb.int(v * lanes);
            let first = self.fb.add(base, shift);
            let first = self.fb.op(Op::Splat(first));
            let coord = self.fb.add(first, iota);
            out.push(self.fb.min(coord, last));
        }
        Ok(Lanes::Each(out))
    }

    /// Element offset of a tensor access.
    pub(super) fn element(&mut self, t: TensorId, idx: &[Expr]) -> Result<(usize, Val), Refusal> {
        let Some(slot) = self.kernel.memory.iter().position(|m| *m == t) else {
            return Err(self.refuse(format!("tensor {} is not in memory", self.kernel.cascade.tensor(t).name)));
        };
        let mut terms = vec![];
        for (d, e) in idx.iter().enumerate() {
            let i = self.uniform(e)?;
            let stride = self.fb.op(Op::Int(self.slots.ints.stride(slot, d)));
            terms.push(self.fb.mul(i, stride));
        }
        Ok((slot, self.fb.sum(terms)))
    }

    fn global(&mut self, t: TensorId, idx: &[Expr]) -> Result<Val, Refusal> {
        let (slot, at) = self.element(t, idx)?;
        Ok(self.fb.op(Op::LoadGlobal(slot, at)))
    }

    /// Byte offset of a tile's element at the current point (of its first lane in vector code).
    pub(super) fn local_offset(&mut self, b: BufId) -> Result<Val, Refusal> {
        let Some(stage) = self.stage else { return Err(self.refuse("a tile outside of a stage")) };
        let mut stride = self.fb.int(4);
        let mut terms = vec![self.bufs[b.0 as usize]];
        for a in self.buf_axes(b).iter().rev() {
            if !self.vector_mode(*a) {
                let point = self.places[a.0 as usize].point.map(|p| p.1);
                let index = self.in_scope(*a, point)?;
                terms.push(self.fb.mul(index, stride));
            }
            let size = self.axis_size(stage, *a)?;
            stride = self.fb.mul(stride, size);
        }
        Ok(self.fb.sum(terms))
    }

    /// True if a tile's value differs between the lanes of vector code.
    pub(super) fn has_lanes(&self, b: BufId) -> bool {
        self.buf_axes(b).iter().any(|a| self.vector_mode(*a))
    }

    /// Offsets of the vectors of a tile row.
    pub(super) fn vector_offsets(&mut self, first: Val) -> Vec<Val> {
        let bytes = self.caps.lanes as i64 * 4;
        (0..self.vectors as i64)
            .map(|v| {
                let shift = self.fb.int(v * bytes);
                self.fb.add(first, shift)
            })
            .collect()
    }

    fn local(&mut self, b: BufId) -> Result<Lanes, Refusal> {
        let first = self.local_offset(b)?;
        let ty = self.buf_type(b);
        let fixed = self.written == Some(b);
        let load = |s: &mut Self, ty: Ty, at: Val| match fixed {
            true => s.fb.op(Op::LoadLocal(ty, at)),
            false => s.fb.load_invariant(ty, at),
        };
        if !self.has_lanes(b) {
            return Ok(Lanes::Uniform(load(self, ty, first)));
        }
        let offsets = self.vector_offsets(first);
        Ok(Lanes::Each(offsets.into_iter().map(|at| load(self, ty.vector(), at)).collect()))
    }

    pub(super) fn map1(
        &mut self,
        a: Lanes,
        mut f: impl FnMut(&mut Self, Val) -> Result<Val, Refusal>,
    ) -> Result<Lanes, Refusal> {
        Ok(match a {
            Lanes::Uniform(v) => Lanes::Uniform(f(self, v)?),
            Lanes::Each(vs) => Lanes::Each(vs.into_iter().map(|v| f(self, v)).collect::<Result<_, _>>()?),
        })
    }

    pub(super) fn map2(
        &mut self,
        a: Lanes,
        b: Lanes,
        mut f: impl FnMut(&mut Self, Val, Val) -> Result<Val, Refusal>,
    ) -> Result<Lanes, Refusal> {
        if let (Lanes::Uniform(a), Lanes::Uniform(b)) = (&a, &b) {
            return Ok(Lanes::Uniform(f(self, *a, *b)?));
        }
        let (a, b) = (self.vectors_of(a), self.vectors_of(b));
        Ok(Lanes::Each(a.into_iter().zip(b).map(|(a, b)| f(self, a, b)).collect::<Result<_, _>>()?))
    }

    /// A choice. Uniform conditions over costly sides branch; else both sides are evaluated.
    fn choice(&mut self, c: &Expr, a: &Expr, b: &Expr) -> Result<Lanes, Refusal> {
        let c = self.eval(c)?;
        if let Lanes::Uniform(cond) = c
            && (costly(a) || costly(b))
        {
            return self.branch(cond, a, b);
        }
        let (a, b) = (self.eval(a)?, self.eval(b)?);
        match (c, a, b) {
            (Lanes::Uniform(c), a, b) => self.map2(a, b, |s, a, b| Ok(s.fb.select(c, a, b))),
            (Lanes::Each(c), a, b) => {
                let (a, b) = (self.vectors_of(a), self.vectors_of(b));
                Ok(Lanes::Each((0..c.len()).map(|i| self.fb.select(c[i], a[i], b[i])).collect()))
            }
        }
    }

    fn branch(&mut self, cond: Val, a: &Expr, b: &Expr) -> Result<Lanes, Refusal> {
        let wide = self.depends_on_lanes(a) || self.depends_on_lanes(b);
        let mut vars = vec![];
        let mut sides = vec![];
        for side in [a, b] {
            self.fb.begin_block();
            let v = self.eval(side)?;
            let vals = match (v, wide) {
                (Lanes::Uniform(v), false) => vec![v],
                (v, _) => self.vectors_of(v),
            };
            if vars.is_empty() {
                vars = vals.iter().map(|v| self.fb.var(self.fb.ty(*v))).collect();
            }
            for (var, v) in vars.iter().zip(vals) {
                self.fb.set(*var, v);
            }
            sides.push(self.fb.end_block());
        }
        let els = sides.pop().unwrap_or_default();
        let then = sides.pop().unwrap_or_default();
        self.fb.inst(Inst::If { cond, then, els });
        let vals: Vec<Val> = vars.into_iter().map(|v| self.fb.get(v)).collect();
        Ok(if wide { Lanes::Each(vals) } else { Lanes::Uniform(vals[0]) })
    }

    fn unary(&mut self, op: UnOp, a: Val) -> Result<Val, Refusal> {
        let fb = &mut self.fb;
        let un = match op {
            UnOp::Neg => LaneUn::Neg,
            UnOp::Not => LaneUn::Not,
            UnOp::Abs => LaneUn::Abs,
            UnOp::Sqrt => LaneUn::Sqrt,
            UnOp::Floor => LaneUn::Floor,
            UnOp::Ceil => LaneUn::Ceil,
            UnOp::Round => LaneUn::Round,
            UnOp::Popcount => LaneUn::Popcount,
            UnOp::Ilog2 => LaneUn::Ilog2,
            UnOp::ToFloat => {
                return Ok(match fb.ty(a) {
                    Ty::F32 | Ty::VF => a,
                    Ty::B | Ty::VB => {
                        let i = fb.op(Op::BoolToInt(a));
                        fb.op(Op::IntToFloat(i))
                    }
                    Ty::I64 | Ty::VI => fb.op(Op::IntToFloat(a)),
                });
            }
            UnOp::ToIndex => return Ok(self.as_index(a)),
            UnOp::BoolToIndex => return Ok(fb.op(Op::BoolToInt(a))),
            UnOp::Exp => return Ok(self.vector_function(a, Math::exp)),
            UnOp::Exp2 => return Ok(self.vector_function(a, Math::exp2)),
            UnOp::Log => return Ok(self.vector_function(a, Math::log)),
            UnOp::Log2 => return Ok(self.vector_function(a, Math::log2)),
            UnOp::Tanh => return Ok(self.vector_function(a, Math::tanh)),
            UnOp::Sin => return Ok(self.vector_function(a, Math::sin)),
            UnOp::Cos => return Ok(self.vector_function(a, Math::cos)),
            UnOp::Erf => return Ok(self.vector_function(a, Math::erf)),
        };
        Ok(fb.un(un, a))
    }

    /// Applies a vector function to a vector, or to a scalar by way of a vector.
    fn vector_function(&mut self, a: Val, f: impl FnOnce(&mut super::Builder, Val) -> Val) -> Val {
        if self.fb.ty(a).is_vector() {
            return f(&mut self.fb, a);
        }
        let v = self.fb.op(Op::Splat(a));
        let r = f(&mut self.fb, v);
        self.fb.op(Op::First(r))
    }

    /// Toward zero, saturating; vectors are brought in range first, NaN becomes 0.
    fn as_index(&mut self, a: Val) -> Val {
        let fb = &mut self.fb;
        if fb.ty(a) != Ty::VF {
            return if fb.ty(a) == Ty::F32 { fb.op(Op::FloatToInt(a)) } else { a };
        }
        let (lo, hi, zero) = (fb.vfloat(-2_147_483_648.0), fb.vfloat(2_147_483_520.0), fb.vfloat(0.0));
        let ordered = fb.cmp(LaneCmp::Eq, a, a);
        let a = fb.select(ordered, a, zero);
        let a = fb.max(a, lo);
        let a = fb.min(a, hi);
        fb.op(Op::FloatToInt(a))
    }

    fn binary(&mut self, op: BinOp, a: Val, b: Val) -> Result<Val, Refusal> {
        let bin = match op {
            BinOp::Add => LaneBin::Add,
            BinOp::Sub => LaneBin::Sub,
            BinOp::Mul => LaneBin::Mul,
            BinOp::Div => LaneBin::Div,
            BinOp::FloorDiv => return Ok(self.divide(LaneBin::FloorDiv, a, b)),
            BinOp::Mod => return Ok(self.divide(LaneBin::Mod, a, b)),
            BinOp::Min => LaneBin::Min,
            BinOp::Max => LaneBin::Max,
            BinOp::And => LaneBin::And,
            BinOp::Or => LaneBin::Or,
            BinOp::Pow => return Ok(self.power(a, b)),
            BinOp::Eq => return Ok(self.compare(LaneCmp::Eq, a, b)),
            BinOp::Ne => return Ok(self.compare(LaneCmp::Ne, a, b)),
            BinOp::Lt => return Ok(self.compare(LaneCmp::Lt, a, b)),
            BinOp::Le => return Ok(self.compare(LaneCmp::Le, a, b)),
            BinOp::Gt => return Ok(self.compare(LaneCmp::Gt, a, b)),
            BinOp::Ge => return Ok(self.compare(LaneCmp::Ge, a, b)),
        };
        Ok(self.fb.bin(bin, a, b))
    }

    fn compare(&mut self, op: LaneCmp, a: Val, b: Val) -> Val {
        if !self.fb.ty(a).is_bool() {
            return self.fb.cmp(op, a, b);
        }
        let (a, b) = (self.fb.op(Op::BoolToInt(a)), self.fb.op(Op::BoolToInt(b)));
        self.fb.cmp(op, a, b)
    }

    fn power(&mut self, a: Val, b: Val) -> Val {
        if self.fb.ty(a).is_vector() {
            return self.fb.pow(a, b);
        }
        let (a, b) = (self.fb.op(Op::Splat(a)), self.fb.op(Op::Splat(b)));
        let r = self.fb.pow(a, b);
        self.fb.op(Op::First(r))
    }

    /// Floor division and modulus; on vectors the divisor is a power of two (see `needs_row`).
    fn divide(&mut self, op: LaneBin, a: Val, b: Val) -> Val {
        if self.fb.ty(a) != Ty::VI {
            return self.fb.bin(op, a, b);
        }
        let divisor = self.fb.splat_of(b).unwrap_or(1);
        match op {
            LaneBin::Mod => {
                let mask = self.fb.vint(divisor - 1);
                self.fb.bin(LaneBin::And, a, mask)
            }
            _ => self.fb.op(Op::Shr(a, divisor.trailing_zeros())),
        }
    }

    fn cast(&mut self, ty: DType, a: Lanes) -> Result<Lanes, Refusal> {
        match ty {
            DType::F64 | DType::F32 | DType::Bool => Ok(a),
            DType::I32 | DType::I8 | DType::U8 => self.map1(a, |s, v| Ok(s.wrap(ty, v))),
            DType::Bf16 => match a {
                Lanes::Uniform(v) => Ok(Lanes::Uniform(self.fb.op(Op::RoundTo(ty, v)))),
                Lanes::Each(vs) => Ok(Lanes::Each(vs.into_iter().map(|v| self.fb.round_bf16(v)).collect())),
            },
            DType::F16 | DType::F8E4M3 | DType::F8E5M2 => match a {
                Lanes::Uniform(v) => Ok(Lanes::Uniform(self.fb.op(Op::RoundTo(ty, v)))),
                Lanes::Each(vs) => self.round_row(ty, vs),
            },
        }
    }

    /// Wraps an integer around to a narrower type, in 32-bit lanes.
    fn wrap(&mut self, ty: DType, v: Val) -> Val {
        if !self.fb.ty(v).is_vector() {
            let v = self.fb.op(Op::Splat(v));
            let v = self.wrap(ty, v);
            return self.fb.op(Op::First(v));
        }
        match ty {
            DType::I8 => {
                let v = self.fb.op(Op::Shl(v, 24));
                self.fb.op(Op::Shr(v, 24))
            }
            DType::U8 => {
                let mask = self.fb.vint(255);
                self.fb.bin(LaneBin::And, v, mask)
            }
            _ => v,
        }
    }

    /// Rounds vectors lane by lane through the scratch row.
    fn round_row(&mut self, ty: DType, vs: Vec<Val>) -> Result<Lanes, Refusal> {
        self.store_row(&vs);
        let (zero, width, four) = (self.fb.int(0), self.fb.int(self.width()), self.fb.int(4));
        let l = self.fb.begin_loop();
        let at = self.fb.mul(l, four);
        let at = self.fb.add(self.temp, at);
        let v = self.fb.op(Op::LoadLocal(Ty::F32, at));
        let v = self.fb.op(Op::RoundTo(ty, v));
        self.fb.inst(Inst::StoreLocal { offset: at, value: v });
        self.fb.end_loop(l, zero, width, 1);
        Ok(self.load_row(Ty::F32))
    }

    /// Writes vectors to the scratch row.
    pub(super) fn store_row(&mut self, vs: &[Val]) {
        let offsets = self.vector_offsets(self.temp);
        for (offset, value) in offsets.into_iter().zip(vs) {
            self.fb.inst(Inst::StoreLocal { offset, value: *value });
        }
    }

    fn load_row(&mut self, ty: Ty) -> Lanes {
        let offsets = self.vector_offsets(self.temp);
        Lanes::Each(offsets.into_iter().map(|at| self.fb.op(Op::LoadLocal(ty.vector(), at))).collect())
    }

    /// Evaluates lane by lane, through the scratch row.
    fn row(&mut self, e: &Expr) -> Result<Lanes, Refusal> {
        let Some(lane) = self.lane else { return Err(self.refuse("no lane axis")) };
        let entered = self.enter(lane, true)?;
        let four = self.fb.int(4);
        let v = self.uniform(e)?;
        let shift = self.fb.mul(entered.0, four);
        let at = self.fb.add(self.temp, shift);
        self.fb.inst(Inst::StoreLocal { offset: at, value: v });
        let width = self.fb.int(self.width());
        self.leave(lane, entered, width);
        // A truth value is stored as 0 or 1, which loads as a lane mask like any nonzero word.
        Ok(self.load_row(self.fb.ty(v)))
    }

    /// True if an expression must be evaluated lane by lane.
    pub(super) fn needs_row(&self, e: &Expr) -> bool {
        match e {
            Expr::Global(_, idx) => idx.iter().any(|i| self.depends_on_lanes(i)),
            Expr::Unary(UnOp::Popcount | UnOp::Ilog2, a) => self.depends_on_lanes(a),
            Expr::Binary(BinOp::FloorDiv | BinOp::Mod, a, b) => {
                let power = matches!(**b, Expr::Int(d) if d > 0 && d & (d - 1) == 0);
                self.depends_on_lanes(b) || (!power && self.depends_on_lanes(a))
            }
            _ => false,
        }
    }

    /// True if an expression differs between the lanes of vector code.
    pub(super) fn depends_on_lanes(&self, e: &Expr) -> bool {
        match e {
            Expr::Coord(a) => self.vector_mode(*a),
            Expr::Local(b) => self.has_lanes(*b),
            _ => children(e).into_iter().any(|c| self.depends_on_lanes(c)),
        }
    }

    /// Computes what needs rows but none of the inner axes before the loops of a statement.
    pub(super) fn hoist_rows(&mut self, e: &Expr, inner: &[AxisId]) -> Result<(), Refusal> {
        if self.needs_row(e) && !self.varies(e, inner) {
            if !self.memo.iter().any(|(m, _)| m == e) {
                let v = self.row(e)?;
                self.memo.push((e.clone(), v));
            }
            return Ok(());
        }
        children(e).into_iter().try_for_each(|c| self.hoist_rows(c, inner))
    }

    fn varies(&self, e: &Expr, inner: &[AxisId]) -> bool {
        match e {
            Expr::Coord(a) => inner.contains(a),
            Expr::Local(b) => self.written == Some(*b) || self.buf_axes(*b).iter().any(|a| inner.contains(a)),
            _ => children(e).into_iter().any(|c| self.varies(c, inner)),
        }
    }
}

/// Direct subexpressions.
pub(super) fn children(e: &Expr) -> Vec<&Expr> {
    match e {
        Expr::Int(_)
        | Expr::Float(_)
        | Expr::Bool(_)
        | Expr::Coord(_)
        | Expr::Base(_)
        | Expr::Count(_)
        | Expr::Extent(_)
        | Expr::Scalar(_)
        | Expr::Local(_) => vec![],
        Expr::Global(_, idx) => idx.iter().collect(),
        Expr::Unary(_, a) | Expr::Cast(_, a) => vec![a],
        Expr::Binary(_, a, b) => vec![a, b],
        Expr::Select(c, a, b) => vec![c, a, b],
    }
}

/// True if an expression is worth a branch: it loads from a tensor or evaluates a polynomial.
pub(super) fn costly(e: &Expr) -> bool {
    let here = match e {
        Expr::Global(..) | Expr::Binary(BinOp::Pow, ..) => true,
        Expr::Unary(op, _) => matches!(
            op,
            UnOp::Exp
                | UnOp::Exp2
                | UnOp::Log
                | UnOp::Log2
                | UnOp::Sqrt
                | UnOp::Tanh
                | UnOp::Sin
                | UnOp::Cos
                | UnOp::Erf
        ),
        _ => false,
    };
    here || children(e).into_iter().any(costly)
}
