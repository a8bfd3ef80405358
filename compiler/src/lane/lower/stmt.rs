//! Statements over tiles: maps, reductions and stores.

use super::expr::{children, costly};
use super::{Lanes, Lower};
use crate::cascade::TensorId;
use crate::diag::Refusal;
use crate::lane::{Inst, LaneBin, Op, Ty, Val, Var};
use crate::math::Math;
use crate::tile::{AxisId, BufId, Expr, Stmt, Tile};
use crate::types::{BinOp, RedOp};

/// Independent accumulators of a cheap reduction: they hide the latency of the operator.
const CHAINS: usize = 4;

impl Lower<'_> {
    /// Statements in order.
    pub(super) fn stmts(&mut self, stmts: &[Stmt]) -> Result<(), Refusal> {
        stmts.iter().try_for_each(|s| self.stmt(s))
    }

    fn stmt(&mut self, stmt: &Stmt) -> Result<(), Refusal> {
        match stmt {
            Stmt::Map { dst, op, value } => self.map(*dst, *op, value),
            Stmt::Reduce { dst, op, over, value } => self.reduce(*dst, *op, over, value),
            Stmt::Contract { dst, over, a, b, accumulate } => self.contract(*dst, *over, a, *b, *accumulate),
            Stmt::Loop { axis, ranges, full, partial } => self.stream(*axis, ranges, full, partial),
            Stmt::For { axis, lo, hi, body } => self.for_loop(*axis, lo, hi, body),
            Stmt::If { cond, then, els } => {
                self.begin(None);
                let cond = self.uniform(cond)?;
                let then = self.block(then)?;
                let els = self.block(els)?;
                self.fb.inst(Inst::If { cond, then, els });
                Ok(())
            }
            Stmt::Store { tensor, idx, axes, value } => self.store(*tensor, idx, axes, value),
        }
    }

    /// Starts a statement that writes a tile.
    pub(super) fn begin(&mut self, written: Option<BufId>) {
        self.fb.statement();
        self.written = written;
        self.memo.clear();
    }

    /// A branch of an `If`.
    pub(super) fn block(&mut self, stmts: &[Stmt]) -> Result<Vec<Inst>, Refusal> {
        self.fb.begin_block();
        self.stmts(stmts)?;
        Ok(self.fb.end_block())
    }

    fn for_loop(&mut self, axis: AxisId, lo: &Expr, hi: &Expr, body: &[Stmt]) -> Result<(), Refusal> {
        self.begin(None);
        let (lo, hi) = (self.uniform(lo)?, self.uniform(hi)?);
        let old = *self.place(axis);
        let var = self.fb.begin_loop();
        *self.place(axis) = self.scalar_place(var);
        self.stmts(body)?;
        self.fb.end_loop(var, lo, hi, 1);
        *self.place(axis) = old;
        Ok(())
    }

    fn note_buf(&mut self, dst: BufId, what: &str) {
        if let Some(stage) = self.stage {
            self.fb.comment(format!("{what} {}", stage.bufs[dst.0 as usize].name));
        }
    }

    fn map(&mut self, dst: BufId, op: Option<RedOp>, value: &Expr) -> Result<(), Refusal> {
        self.note_buf(dst, "map");
        self.begin(Some(dst));
        let axes = self.loop_axes(self.buf_axes(dst))?;
        let mut each = |s: &mut Self| {
            let v = s.eval(value)?;
            s.assign(dst, op, v)
        };
        let Some(lane) = self.lane.filter(|_| self.has_lanes(dst)) else { return self.nest(&axes, &mut each) };
        self.by_rows(value, None, &mut |s| s.nest(&axes, &mut each), &mut |s| {
            if s.is_pack(value, &axes) {
                return s.pack(lane, dst, op, value, &axes);
            }
            s.hoist_rows(value, &axes)?;
            s.nest(&axes, &mut |s| {
                let v = s.eval(value)?;
                s.assign(dst, op, v)
            })
        })
    }

    /// True for a transposing copy: a gather, possibly under cheap operations, that varies along the loops.
    fn is_pack(&self, value: &Expr, axes: &[AxisId]) -> bool {
        let gathers = |e: &Expr| matches!(e, Expr::Global(..)) && self.needs_row(e);
        match value {
            Expr::Global(..) => gathers(value) && !axes.is_empty(),
            Expr::Cast(_, a) | Expr::Unary(_, a) => !costly_here(value) && self.is_pack(a, axes),
            Expr::Binary(BinOp::Mul | BinOp::Add | BinOp::Sub, a, b) => {
                (self.is_pack(a, axes) && !self.depends_on_lanes(b) && !costly(b))
                    || (self.is_pack(b, axes) && !self.depends_on_lanes(a) && !costly(a))
            }
            _ => false,
        }
    }

    /// A transposing copy: lanes outside, so that reads run along the tensor's rows.
    fn pack(
        &mut self,
        lane: AxisId,
        dst: BufId,
        op: Option<RedOp>,
        value: &Expr,
        axes: &[AxisId],
    ) -> Result<(), Refusal> {
        let entered = self.enter(lane, true)?;
        self.nest(axes, &mut |s| {
            let v = s.eval(value)?;
            s.assign(dst, op, v)
        })?;
        let width = self.fb.int(self.width());
        self.leave(lane, entered, width);
        Ok(())
    }

    /// Writes a value to a tile at the current point.
    fn assign(&mut self, dst: BufId, op: Option<RedOp>, value: Lanes) -> Result<(), Refusal> {
        let ty = self.buf_type(dst);
        let value = self.convert(value, ty)?;
        let first = self.local_offset(dst)?;
        let (offsets, vals, ty) = match (self.has_lanes(dst), value) {
            (true, v) => (self.vector_offsets(first), self.vectors_of(v), ty.vector()),
            (false, Lanes::Uniform(v)) => (vec![first], vec![v], ty),
            (false, Lanes::Each(_)) => return Err(self.refuse("a tile without lanes is given a value per lane")),
        };
        for (offset, v) in offsets.into_iter().zip(vals) {
            let value = match op {
                None => v,
                Some(op) => {
                    let old = self.fb.op(Op::LoadLocal(ty, offset));
                    self.fold(op, old, v)?
                }
            };
            self.fb.inst(Inst::StoreLocal { offset, value });
        }
        Ok(())
    }

    /// Brings a value to the scalar type of a tile or tensor.
    fn convert(&mut self, v: Lanes, ty: Ty) -> Result<Lanes, Refusal> {
        self.map1(v, |s, v| {
            Ok(match (s.fb.ty(v).scalar(), ty) {
                (Ty::I64, Ty::F32) => s.fb.op(Op::IntToFloat(v)),
                (Ty::B, Ty::I64) => s.fb.op(Op::BoolToInt(v)),
                (Ty::B, Ty::F32) => {
                    let i = s.fb.op(Op::BoolToInt(v));
                    s.fb.op(Op::IntToFloat(i))
                }
                _ => v,
            })
        })
    }

    fn fold(&mut self, op: RedOp, acc: Val, v: Val) -> Result<Val, Refusal> {
        let op = match op {
            RedOp::Sum => LaneBin::Add,
            RedOp::Prod => LaneBin::Mul,
            RedOp::Max => LaneBin::Max,
            RedOp::Min => LaneBin::Min,
            RedOp::Any => LaneBin::Or,
            RedOp::All => LaneBin::And,
            RedOp::ArgMax | RedOp::TopK => return Err(self.refuse(format!("{} is not a fold", op.name()))),
        };
        Ok(self.fb.bin(op, v, acc))
    }

    fn identity(&mut self, op: RedOp, ty: Ty) -> Val {
        let id = op.identity().unwrap_or(0.0);
        let v = match ty.scalar() {
            Ty::B | Ty::VB => self.fb.op(Op::ConstB(id != 0.0)),
            Ty::I64 | Ty::VI => self.fb.int(id.clamp(f64::from(i32::MIN), f64::from(i32::MAX)) as i64),
            Ty::F32 | Ty::VF => self.fb.float(id as f32),
        };
        if ty.is_vector() { self.fb.op(Op::Splat(v)) } else { v }
    }

    fn reduce(&mut self, dst: BufId, op: RedOp, over: &[AxisId], value: &Expr) -> Result<(), Refusal> {
        self.note_buf(dst, "reduce into");
        self.begin(Some(dst));
        let axes = self.loop_axes(self.buf_axes(dst))?;
        let mut inner = axes.clone();
        inner.extend(over);
        if self.has_lanes(dst) {
            self.hoist_rows(value, &inner)?;
        }
        self.nest(&axes, &mut |s| s.reduce_point(dst, op, over, value))
    }

    fn reduce_point(&mut self, dst: BufId, op: RedOp, over: &[AxisId], value: &Expr) -> Result<(), Refusal> {
        let wide = self.has_lanes(dst);
        let ty = if wide { self.buf_type(dst).vector() } else { self.buf_type(dst) };
        let chains = if costly(value) || over.is_empty() { 1 } else { CHAINS };
        let id = self.identity(op, ty);
        let accs: Vec<Vec<Var>> = (0..chains)
            .map(|_| (0..if wide { self.vectors } else { 1 }).map(|_| self.new_var(ty, id)).collect())
            .collect();
        let (last, outer) = match over.split_last() {
            Some((last, outer)) => (Some(*last), outer),
            None => (None, over),
        };
        self.nest(outer, &mut |s| s.reduce_row(last, op, &accs, value))?;
        let mut total = vec![];
        for i in 0..accs[0].len() {
            let first = self.fb.get(accs[0][i]);
            let mut sum = first;
            for chain in &accs[1..] {
                let v = self.fb.get(chain[i]);
                sum = self.fold(op, v, sum)?;
            }
            total.push(sum);
        }
        let total = if wide { Lanes::Each(total) } else { Lanes::Uniform(total[0]) };
        self.assign(dst, Some(op), total)
    }

    fn new_var(&mut self, ty: Ty, init: Val) -> Var {
        let var = self.fb.var(ty);
        self.fb.set(var, init);
        var
    }

    /// Folds along the innermost axis, in `accs.len()` interleaved chains.
    fn reduce_row(&mut self, axis: Option<AxisId>, op: RedOp, accs: &[Vec<Var>], value: &Expr) -> Result<(), Refusal> {
        let Some(axis) = axis else { return self.reduce_element(op, &accs[0], value) };
        let place = *self.place(axis);
        if self.axis(axis)?.tile == Tile::One {
            return self.reduce_element(op, &accs[0], value);
        }
        let (Some(base), Some(count)) = (place.base, place.count) else {
            return Err(self.refuse("a folded axis is not in scope"));
        };
        let zero = self.fb.int(0);
        let mut from = zero;
        if accs.len() > 1 {
            let n = self.fb.int(accs.len() as i64);
            let groups = self.fb.bin(LaneBin::FloorDiv, count, n);
            let whole = self.fb.mul(groups, n);
            let var = self.fb.begin_loop();
            for (u, chain) in accs.iter().enumerate() {
                let shift = self.fb.int(u as i64);
                let index = self.fb.add(var, shift);
                let coord = self.fb.add(base, index);
                self.place(axis).point = Some((coord, index));
                self.reduce_element(op, chain, value)?;
            }
            self.fb.end_loop(var, zero, whole, accs.len() as i64);
            from = whole;
        }
        let var = self.fb.begin_loop();
        let coord = self.fb.add(base, var);
        self.place(axis).point = Some((coord, var));
        self.reduce_element(op, &accs[0], value)?;
        self.fb.end_loop(var, from, count, 1);
        *self.place(axis) = place;
        Ok(())
    }

    fn reduce_element(&mut self, op: RedOp, acc: &[Var], value: &Expr) -> Result<(), Refusal> {
        let v = self.eval(value)?;
        let written = self.written.map_or(Ty::F32, |b| self.buf_type(b));
        let v = self.convert(v, written)?;
        let vals = match v {
            Lanes::Uniform(v) if !self.written.is_some_and(|b| self.has_lanes(b)) => vec![v],
            v => self.vectors_of(v),
        };
        if vals.len() != acc.len() {
            return Err(self.refuse("a fold without lanes is given a value per lane"));
        }
        for (var, v) in acc.iter().zip(vals) {
            let old = self.fb.get(*var);
            let new = self.fold(op, old, v)?;
            self.fb.set(*var, new);
        }
        Ok(())
    }

    fn store(&mut self, tensor: TensorId, idx: &[Expr], axes: &[AxisId], value: &Expr) -> Result<(), Refusal> {
        self.fb.comment(format!("store {}", self.kernel.cascade.tensor(tensor).name));
        self.begin(None);
        let inner = self.loop_axes(axes)?;
        let lane = self.lane.filter(|l| axes.contains(l));
        let Some(lane) = lane else {
            return self.nest(&inner, &mut |s| s.store_element(tensor, idx, value));
        };
        let contiguous = idx.last() == Some(&Expr::Coord(lane));
        if !contiguous || !self.is_float_row(value) {
            return self.store_rows(tensor, idx, lane, &inner, value);
        }
        self.by_rows(
            value,
            Some((tensor, idx)),
            &mut |s| s.nest(&inner, &mut |s| s.store_in_order(tensor, idx, value)),
            &mut |s| s.store_rows(tensor, idx, lane, &inner, value),
        )
    }

    /// Stores rows of any shape.
    fn store_rows(
        &mut self,
        tensor: TensorId,
        idx: &[Expr],
        lane: AxisId,
        inner: &[AxisId],
        value: &Expr,
    ) -> Result<(), Refusal> {
        if worth_vectors(value) {
            self.hoist_rows(value, inner)?;
            return self.nest(inner, &mut |s| s.store_vectors(tensor, idx, lane, value));
        }
        let mut order = inner.to_vec();
        let contiguous = idx.last() == Some(&Expr::Coord(lane));
        order.insert(if contiguous { order.len() } else { 0 }, lane);
        self.nest(&order, &mut |s| s.store_element(tensor, idx, value))
    }

    fn store_element(&mut self, tensor: TensorId, idx: &[Expr], value: &Expr) -> Result<(), Refusal> {
        let v = self.uniform(value)?;
        self.store_value(tensor, idx, v)
    }

    fn store_value(&mut self, tensor: TensorId, idx: &[Expr], v: Val) -> Result<(), Refusal> {
        let (tensor, offset) = self.element(tensor, idx)?;
        self.fb.inst(Inst::StoreGlobal { tensor, offset, value: v });
        Ok(())
    }

    /// Computes a row in vectors, then scatters its valid lanes.
    fn store_vectors(&mut self, tensor: TensorId, idx: &[Expr], lane: AxisId, value: &Expr) -> Result<(), Refusal> {
        let v = self.eval(value)?;
        let ty = match &v {
            Lanes::Uniform(v) => self.fb.ty(*v),
            Lanes::Each(v) => self.fb.ty(v[0]).scalar(),
        };
        let vals = self.vectors_of(v);
        self.store_row(&vals);
        let count = self.places[lane.0 as usize].count;
        let entered = self.enter(lane, false)?;
        let four = self.fb.int(4);
        let at = self.fb.mul(entered.0, four);
        let at = self.fb.add(self.temp, at);
        let v = self.fb.op(Op::LoadLocal(ty, at));
        self.store_value(tensor, idx, v)?;
        let count = count.unwrap_or(entered.0);
        self.leave(lane, entered, count);
        Ok(())
    }
}

fn costly_here(e: &Expr) -> bool {
    match e {
        Expr::Unary(op, _) => costly(&Expr::Unary(*op, Box::new(Expr::Int(0)))),
        _ => false,
    }
}

/// True if a value has a division or polynomial, which vectors compute at a fraction of the scalar cost.
fn worth_vectors(e: &Expr) -> bool {
    matches!(e, Expr::Binary(BinOp::Div, ..)) || costly_here(e) || children(e).into_iter().any(worth_vectors)
}
