//! Statements over fragments, row vectors and scalars.

use super::{Element, Fragments, Held, Kind, Res, Val, var_type};
use crate::cascade::TensorId;
use crate::lane::LaneCmp;
use crate::math::Math;
use crate::simt::lower::scalar;
use crate::simt::{Elem, Inst, Op, Place, SimtBin, Space, Ty, Var};
use crate::tile::{AxisId, BufId, BufType, Expr, Stmt};
use crate::types::RedOp;

impl Fragments<'_> {
    pub(super) fn stmts(&mut self, stmts: &[Stmt]) -> Res<()> {
        stmts.iter().try_for_each(|s| self.stmt(s))
    }

    fn stmt(&mut self, s: &Stmt) -> Res<()> {
        self.loaded.clear();
        match s {
            Stmt::Map { dst, .. } if self.ahead.contains(dst) => Ok(()),
            Stmt::Map { dst, op, value } => {
                self.publish(s)?;
                self.map(*dst, *op, value)
            }
            Stmt::Reduce { dst, op, over, value } => {
                self.publish(s)?;
                self.reduce(*dst, *op, over, value, self.shape.columns(s))
            }
            Stmt::Contract { dst, over, a, b, accumulate } => self.contract(*dst, *over, a, *b, *accumulate),
            Stmt::Loop { .. } => self.stream(s),
            Stmt::For { axis, lo, hi, body } => {
                let (lo, hi) = (self.eval(lo)?, self.eval(hi)?);
                let old = self.axes[axis.index()];
                self.looped(lo, hi, 1, |s, i| {
                    s.axes[axis.index()] = s.scalar_axis(i);
                    s.stmts(body)
                })?;
                self.axes[axis.index()] = old;
                Ok(())
            }
            Stmt::If { cond, then, els } => {
                let cond = self.eval(cond)?;
                let then = self.block(|s| s.stmts(then))?;
                let els = self.block(|s| s.stmts(els))?;
                self.fb.inst(Inst::If { cond, then, els });
                Ok(())
            }
            Stmt::Store { tensor, idx, axes, value } => {
                self.publish(s)?;
                self.store(*tensor, idx, axes, value)
            }
        }
    }

    fn name(&self, b: BufId) -> String {
        self.stage.bufs[b.index()].name.clone()
    }

    fn vars(&self, b: BufId) -> Res<Vec<Var>> {
        match &self.held[b.index()] {
            Held::Vars(vars) => Ok(vars.clone()),
            Held::Array { .. } => self.refuse(format!("{} lies in shared memory", self.name(b))),
        }
    }

    /// The elements of a thread that a tile has, with the axis of the columns; scalars have one without an element.
    fn places(&self, b: BufId) -> Vec<Option<(Element, Option<AxisId>)>> {
        match &self.shape.bufs[b.index()] {
            Kind::Tile(x) => {
                let all = self.shape.layout.elements(self.shape.sizes[x.index()]);
                all.into_iter().map(|e| Some((e, Some(*x)))).collect()
            }
            Kind::Row => self.rows().into_iter().map(|e| Some((e, None))).collect(),
            Kind::Scalar | Kind::Shared(_) => vec![None],
        }
    }

    /// The first element of each row of a thread.
    fn rows(&self) -> Vec<Element> {
        let all = (0..self.shape.layout.row_tiles).flat_map(|t| [(t, 0), (t, 1)]);
        all.map(|(row_tile, half)| Element { row_tile, half, group: 0, odd: 0 }).collect()
    }

    fn map(&mut self, dst: BufId, op: Option<RedOp>, value: &Expr) -> Res<()> {
        self.fb.comment(format!("map {}", self.name(dst)));
        if let Kind::Shared(_) = self.shape.bufs[dst.index()] {
            return self.fill(dst, op, value);
        }
        let ty = var_type(self.stage.bufs[dst.index()].ty);
        let vars = self.vars(dst)?;
        for (var, at) in vars.iter().zip(self.places(dst)) {
            self.element = at;
            let v = self.eval(value)?;
            let mut v = scalar::convert(&mut self.fb, v, ty);
            if let Some(op) = op {
                let old = self.get(*var);
                v = self.folded(op, old, v)?;
            }
            if let Some((e, Some(x))) = at
                && let Some(inside) = self.valid(e, false, Some(x))
            {
                let zero = scalar::identity(&mut self.fb, RedOp::Sum, ty);
                v = self.fb.select(inside, v, zero);
            }
            self.set(*var, v);
        }
        self.element = None;
        self.pack_once(dst)
    }

    fn folded(&mut self, op: RedOp, acc: Val, v: Val) -> Res<Val> {
        match scalar::fold(&mut self.fb, op, acc, v) {
            Some(v) => Ok(v),
            None => self.refuse(format!("{} is not a fold", op.name())),
        }
    }

    fn reduce(&mut self, dst: BufId, op: RedOp, over: &[AxisId], value: &Expr, columns: Option<AxisId>) -> Res<()> {
        self.fb.comment(format!("reduce into {}", self.name(dst)));
        let across = over.contains(&self.shape.lane);
        match self.shape.bufs[dst.index()].clone() {
            Kind::Tile(_) if !across => {
                let places = self.places(dst);
                let vars = self.vars(dst)?;
                self.fold_at(op, over, value, &places, &vars)
            }
            Kind::Row if !across => {
                let sums = self.fold_rows(dst, op, over, value, columns, false)?;
                for (var, sum) in self.vars(dst)?.into_iter().zip(sums) {
                    let sum = if columns.is_some() { self.across(op, sum, &[1, 2])? } else { sum };
                    let old = self.get(var);
                    let v = self.folded(op, old, sum)?;
                    self.set(var, v);
                }
                Ok(())
            }
            Kind::Scalar if across => {
                let rest: Vec<AxisId> = over.iter().copied().filter(|a| *a != self.shape.lane).collect();
                let sums = self.fold_rows(dst, op, &rest, value, columns, true)?;
                let mut sum = sums[0];
                for s in &sums[1..] {
                    sum = self.folded(op, sum, *s)?;
                }
                let masks: &[u32] = if columns.is_some() { &[1, 2, 4, 8, 16] } else { &[4, 8, 16] };
                let sum = self.across(op, sum, masks)?;
                let sum = self.across_warps(op, sum)?;
                let var = self.vars(dst)?[0];
                let old = self.get(var);
                let v = self.folded(op, old, sum)?;
                self.set(var, v);
                Ok(())
            }
            Kind::Scalar => self.fold_scalar(dst, op, over, value),
            Kind::Tile(_) | Kind::Row | Kind::Shared(_) => {
                self.refuse(format!("{} is folded across the lanes or in shared memory", self.name(dst)))
            }
        }
    }

    /// Large folds of what all threads share are spread over them.
    fn fold_scalar(&mut self, dst: BufId, op: RedOp, over: &[AxisId], value: &Expr) -> Res<()> {
        let var = self.vars(dst)?[0];
        let sizes: Vec<i64> = over.iter().map(|a| self.shape.sizes[a.index()]).collect();
        let count: i64 = sizes.iter().product();
        if count < i64::from(self.shape.layout.threads()) || self.fb.var_type(var) != Ty::F32 {
            return self.fold_at(op, over, value, &[None], &[var]);
        }
        let id = scalar::identity(&mut self.fb, op, Ty::F32);
        let acc = self.fb.var_of(id);
        self.spread(count, &mut |s, at| {
            s.loaded.clear();
            let (mut rest, mut valid) = (at, s.fb.truth(true));
            for (a, n) in over.iter().zip(&sizes).rev() {
                let n = s.fb.int(*n as i32);
                let i = s.fb.binary(SimtBin::Mod, rest, n);
                rest = s.fb.binary(SimtBin::FloorDiv, rest, n);
                let inside = s.point(*a, i)?;
                valid = s.fb.binary(SimtBin::And, valid, inside);
            }
            let v = s.eval(value)?;
            let v = scalar::convert(&mut s.fb, v, Ty::F32);
            let v = s.fb.select(valid, v, id);
            let old = s.get(acc);
            let v = s.folded(op, old, v)?;
            s.set(acc, v);
            over.iter().for_each(|a| s.axes[a.index()].point = None);
            Ok(())
        })?;
        self.loaded.clear();
        let v = self.get(acc);
        let v = self.across(op, v, &[1, 2, 4, 8, 16])?;
        let v = self.across_warps(op, v)?;
        let old = self.get(var);
        let v = self.folded(op, old, v)?;
        self.set(var, v);
        Ok(())
    }

    /// Folds into variables, one for each place, in loops over the axes.
    fn fold_at(
        &mut self,
        op: RedOp,
        over: &[AxisId],
        value: &Expr,
        places: &[Option<(Element, Option<AxisId>)>],
        vars: &[Var],
    ) -> Res<()> {
        if let [a, rest @ ..] = over {
            let n = self.count(*a);
            let (zero, base, old) = (self.fb.int(0), self.base(*a)?, self.axes[a.index()]);
            self.loaded.clear();
            self.looped(zero, n, 1, |s, i| {
                let coord = s.fb.add(base, i);
                s.axes[a.index()].point = Some((coord, i));
                s.fold_at(op, rest, value, places, vars)
            })?;
            self.axes[a.index()] = old;
            self.loaded.clear();
            return Ok(());
        }
        for (at, var) in places.iter().zip(vars) {
            self.element = *at;
            let v = self.eval(value)?;
            let ty = self.fb.var_type(*var);
            let v = scalar::convert(&mut self.fb, v, ty);
            let old = self.get(*var);
            let v = self.folded(op, old, v)?;
            self.set(*var, v);
        }
        self.element = None;
        Ok(())
    }

    /// Folds of the elements of this thread, one a row.
    fn fold_rows(
        &mut self,
        dst: BufId,
        op: RedOp,
        over: &[AxisId],
        value: &Expr,
        columns: Option<AxisId>,
        lane: bool,
    ) -> Res<Vec<Val>> {
        let ty = var_type(self.stage.bufs[dst.index()].ty);
        let id = scalar::identity(&mut self.fb, op, ty);
        let rest: Vec<AxisId> = over.iter().copied().filter(|a| Some(*a) != columns).collect();
        let accs: Vec<Var> = self.rows().iter().map(|_| self.fb.var_of(id)).collect();
        self.fold_row_loops(op, (&rest, columns, lane), value, &accs)?;
        Ok(accs.into_iter().map(|a| self.get(a)).collect())
    }

    fn fold_row_loops(
        &mut self,
        op: RedOp,
        (rest, columns, lane): (&[AxisId], Option<AxisId>, bool),
        value: &Expr,
        accs: &[Var],
    ) -> Res<()> {
        if let [a, rest @ ..] = rest {
            let n = self.count(*a);
            let (zero, base, old) = (self.fb.int(0), self.base(*a)?, self.axes[a.index()]);
            self.loaded.clear();
            self.looped(zero, n, 1, |s, i| {
                let coord = s.fb.add(base, i);
                s.axes[a.index()].point = Some((coord, i));
                s.fold_row_loops(op, (rest, columns, lane), value, accs)
            })?;
            self.axes[a.index()] = old;
            self.loaded.clear();
            return Ok(());
        }
        let elements = match columns {
            Some(x) => self.shape.layout.elements(self.shape.sizes[x.index()]),
            None => self.rows(),
        };
        for e in elements {
            self.element = Some((e, columns));
            let acc = accs[e.row()];
            let ty = self.fb.var_type(acc);
            let v = self.eval(value)?;
            let mut v = scalar::convert(&mut self.fb, v, ty);
            if let Some(inside) = self.valid(e, lane, columns) {
                let id = scalar::identity(&mut self.fb, op, ty);
                v = self.fb.select(inside, v, id);
            }
            let old = self.get(acc);
            let v = self.folded(op, old, v)?;
            self.set(acc, v);
        }
        self.element = None;
        Ok(())
    }

    /// Folds a value over the threads whose numbers differ in these bits.
    fn across(&mut self, op: RedOp, mut v: Val, masks: &[u32]) -> Res<Val> {
        let ty = self.fb.ty(v);
        v = scalar::convert(&mut self.fb, v, if ty == Ty::B { Ty::I32 } else { ty });
        for mask in masks {
            let other = self.fb.op(Op::Shuffle(v, *mask));
            v = self.folded(op, v, other)?;
        }
        Ok(scalar::convert(&mut self.fb, v, ty))
    }

    /// Folds a value that is equal in a warp over the warps, in their order.
    fn across_warps(&mut self, op: RedOp, v: Val) -> Res<Val> {
        if self.fb.ty(v) != Ty::F32 {
            return self.refuse("a fold over the rows that is no float");
        }
        let warps = self.shape.layout.warps;
        let array = match self.exchange {
            Some(a) => a,
            None => self.fb.array("exchange", Space::Shared, Elem::F32, warps),
        };
        self.exchange = Some(array);
        self.barrier();
        let (thread, low, zero) = (self.fb.op(Op::Thread), self.fb.int(31), self.fb.int(0));
        let lane = self.fb.binary(SimtBin::And, thread, low);
        let first = self.fb.cmp(LaneCmp::Eq, lane, zero);
        let warp = self.fb.shr(thread, 5);
        self.guarded(first, |s| {
            s.fb.store(Place::Array(array, warp), v);
            Ok(())
        })?;
        self.barrier();
        let mut sum = None;
        for w in 0..warps {
            let at = self.fb.int(w as i32);
            let v = self.fb.load(Ty::F32, Place::Array(array, at));
            sum = Some(match sum {
                None => v,
                Some(s) => self.folded(op, s, v)?,
            });
        }
        Ok(sum.unwrap_or(v))
    }

    /// Copies fragments that are read at other columns than the statement's to shared memory.
    fn publish(&mut self, s: &Stmt) -> Res<()> {
        self.published.clear();
        let mut taken = vec![];
        for b in self.shape.read_elsewhere(s) {
            let Kind::Tile(x) = self.shape.bufs[b.index()] else { continue };
            if self.stage.bufs[b.index()].ty != BufType::F32 {
                return self.refuse(format!("{} is no tile of floats", self.name(b)));
            }
            let array = self.copy_array(x, &taken)?;
            let rows = self.fb.int(self.shape.sizes[self.shape.lane.index()] as i32);
            self.barrier();
            for (var, at) in self.vars(b)?.into_iter().zip(self.places(b)) {
                let Some((e, _)) = at else { continue };
                let (column, row) = (self.column(e), self.row(e));
                let at = self.fb.mul(column, rows);
                let at = self.fb.add(at, row);
                let v = self.get(var);
                self.fb.store(Place::Array(array, at), v);
            }
            self.barrier();
            taken.push(array);
            self.published.insert(b, array);
        }
        Ok(())
    }

    /// Runs a branch.
    pub(super) fn guarded(&mut self, cond: Val, body: impl FnOnce(&mut Self) -> Res<()>) -> Res<()> {
        let then = self.block(body)?;
        self.fb.inst(Inst::If { cond, then, els: vec![] });
        Ok(())
    }

    fn store(&mut self, tensor: TensorId, idx: &[Expr], axes: &[AxisId], value: &Expr) -> Res<()> {
        self.fb.comment(format!("store {}", self.kernel.cascade.tensor(tensor).name));
        let lane = self.shape.lane;
        let columns = match axes {
            [l] if *l == lane => None,
            [x, l] if *l == lane => Some(*x),
            _ => return self.refuse("a store over other axes than columns and lanes"),
        };
        let quad = self.in_quad();
        let zero = self.fb.int(0);
        let first = self.fb.cmp(LaneCmp::Eq, quad, zero);
        let elements = match columns {
            Some(x) => self.shape.layout.elements(self.shape.sizes[x.index()]),
            None => self.rows(),
        };
        for e in elements {
            self.element = Some((e, columns));
            let (slot, at) = self.offset(tensor, idx)?;
            let v = self.eval(value)?;
            let ty = crate::simt::typing::scalar_type(self.arguments.tensors[slot].dtype);
            let v = scalar::convert(&mut self.fb, v, ty);
            let mut cond = self.valid(e, true, columns);
            if columns.is_none() {
                cond = Some(match cond {
                    None => first,
                    Some(c) => self.fb.binary(SimtBin::And, c, first),
                });
            }
            match cond {
                None => self.fb.store(Place::Global(slot, at), v),
                Some(c) => self.guarded(c, |s| {
                    s.fb.store(Place::Global(slot, at), v);
                    Ok(())
                })?,
            }
        }
        self.element = None;
        Ok(())
    }
}
