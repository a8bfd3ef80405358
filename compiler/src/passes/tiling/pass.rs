//! One pass: the loop over blocks of the streamed rank, with the state carried through it.
//!
//! In a block, drivers are updated first; then what they drive is repaired (condition C2: while a driver is at its
//! identity nothing has been accumulated, so the repair is 1) and the block's own part, summed apart, is added.

use super::fold::{Fold, is_heavy};
use super::ranges::{RangeCx, hull, ranges};
use super::repair::moved;
use super::scope::{State, Tiler};
use super::shared::shared_parts;
use super::{Env, Res};
use crate::cascade::{Expr as L1, OutIdx, RankId, TensorId};
use crate::stream::{Acc, Pass};
use crate::tile::{AxisId, BufId, BufType, Expr, Range, Stmt, Tile};
use crate::types::RedOp;
use std::collections::BTreeMap;

impl Tiler<'_> {
    /// Emits a pass; its accumulators are complete afterwards.
    pub(super) fn pass(&mut self, pass: &Pass, grid: &Env) -> Res<()> {
        let mut streamed = vec![];
        for acc in &pass.accs {
            self.origin = self.node(acc).origin.clone();
            self.declare(acc)?;
            match self.reduce_op(acc)? {
                RedOp::ArgMax | RedOp::TopK => self.select_acc(pass, acc, grid)?,
                _ => {
                    self.init(acc, grid)?;
                    streamed.push(acc);
                }
            }
        }
        if streamed.is_empty() {
            return Ok(());
        }
        self.shared = shared_parts(self, &streamed);
        self.traverse(pass, &streamed, grid)?;
        for acc in &streamed {
            let b = self.states[&self.node(acc).out].buf;
            self.buf_level[b.index()] = 0;
        }
        self.shared.clear();
        self.stand_in.clear();
        Ok(())
    }

    /// The loops of a pass: outer streamed ranks one by one, the innermost in blocks. Ranks along which a state is
    /// already held are taken whole.
    fn traverse(&mut self, pass: &Pass, accs: &[&Acc], grid: &Env) -> Res<()> {
        let mut env = grid.clone();
        let held: Vec<AxisId> = pass.over.iter().filter_map(|r| self.held_axis(accs, *r)).collect();
        let rank_of = |t: &Self, a: &AxisId| t.out.axis(*a).rank;
        for a in &held {
            env.insert(rank_of(self, a), Expr::Coord(*a));
        }
        let mut rest = pass.over.clone();
        rest.retain(|r| !held.iter().any(|a| rank_of(self, a) == *r));
        let blocks = if held.is_empty() { rest.pop() } else { None };
        let mut opened = vec![];
        for (i, r) in rest.iter().enumerate() {
            let axis = self.new_axis(*r, Tile::One, false);
            let mut inner = rest[i + 1..].to_vec();
            inner.extend(blocks);
            inner.extend(held.iter().map(|a| rank_of(self, a)));
            let (lo, hi) = self.outer_bounds(pass, axis, &inner, &mut env)?;
            opened.push((axis, lo, hi));
        }
        match blocks {
            Some(rank) => self.stream(pass, accs, rank, &env)?,
            None => {
                let masks = self.masks(pass, &env)?;
                self.block(pass, accs, &held, &env, &masks)?;
            }
        }
        for (axis, lo, hi) in opened.into_iter().rev() {
            let body = self.close();
            self.emit(Stmt::For { axis, lo, hi, body });
        }
        Ok(())
    }

    /// The whole axis of a streamed rank along which a state that the pass reads is held.
    fn held_axis(&self, accs: &[&Acc], r: RankId) -> Option<AxisId> {
        let reads: Vec<TensorId> = accs.iter().flat_map(|a| self.reads(&self.node(a).body)).collect();
        let states = self.states.iter().filter(|(t, _)| reads.contains(t));
        let axes = states.flat_map(|(_, st)| &st.axes);
        axes.copied().find(|a| self.out.axis(*a).rank == r && self.out.axis(*a).tile == Tile::Whole)
    }

    pub(super) fn node(&self, acc: &Acc) -> &crate::cascade::Node {
        &self.s.cascade.nodes[acc.node.index()]
    }

    fn reduce_op(&self, acc: &Acc) -> Res<RedOp> {
        match &self.node(acc).reduce {
            Some(r) => Ok(r.op),
            None => self.refuse("an accumulator without a reduction"),
        }
    }

    /// The tile of an accumulator: value ranks, and the lanes if it varies along them.
    fn declare(&mut self, acc: &Acc) -> Res<()> {
        let n = self.node(acc).clone();
        let mut index = vec![];
        for v in &n.vars {
            let OutIdx::Var(r) = v else { return self.refuse("an accumulator that belongs to a recurrence") };
            let on_grid = self.out.grid.iter().copied().find(|a| self.out.axis(*a).rank == *r);
            index.push(match on_grid {
                Some(a) => a,
                None => self.axis_for(*r, Tile::Whole, &index),
            });
        }
        let axes: Vec<AxisId> = index.iter().copied().filter(|a| !self.is_one(*a)).collect();
        let ty = match self.reduce_op(acc)? {
            RedOp::ArgMax | RedOp::TopK => BufType::I32,
            _ => BufType::of(self.s.cascade.value_type(&n.body)),
        };
        let buf = self.new_buf(&self.s.cascade.tensor(n.out).name.to_lowercase(), ty, &axes, 0);
        self.states.insert(n.out, State { buf, axes: index });
        Ok(())
    }

    fn state_env(&self, acc: &Acc, grid: &Env) -> Env {
        let n = self.node(acc);
        let mut env = grid.clone();
        for (v, a) in n.vars.iter().zip(&self.states[&n.out].axes) {
            if let OutIdx::Var(r) = v {
                env.insert(*r, Expr::Coord(*a));
            }
        }
        env
    }

    fn select_acc(&mut self, pass: &Pass, acc: &Acc, grid: &Env) -> Res<()> {
        let env = self.state_env(acc, grid);
        let n = self.node(acc).clone();
        let conds: Vec<L1> = n.fold.iter().chain(&pass.domain).cloned().collect();
        self.pick(self.states[&n.out].buf, &n, &conds, &env)
    }

    fn init(&mut self, acc: &Acc, grid: &Env) -> Res<()> {
        let dst = self.states[&self.node(acc).out].buf;
        let value = match &acc.init {
            Some(e) => {
                let env = self.state_env(acc, grid);
                self.lower(e, &env)?
            }
            None => self.identity(dst, self.reduce_op(acc)?)?,
        };
        self.emit(Stmt::Map { dst, op: None, value });
        Ok(())
    }

    /// Opens an outer streamed rank and bounds it by the conjuncts that mention no inner one.
    fn outer_bounds(&mut self, pass: &Pass, axis: AxisId, inner: &[RankId], env: &mut Env) -> Res<(Expr, Expr)> {
        let rank = self.out.axis(axis).rank;
        self.open(axis);
        env.insert(rank, Expr::Coord(axis));
        let mut conds = vec![];
        for c in &pass.domain {
            if c.mentions(rank) && !inner.iter().any(|r| c.mentions(*r)) {
                conds.push(self.lower(c, env)?);
            }
        }
        let extent = self.extent(rank);
        Ok(hull(&RangeCx { c: &self.s.cascade, s: &self.out, stream: axis }, &conds, &extent))
    }

    /// The loop over blocks of the innermost streamed rank.
    fn stream(&mut self, pass: &Pass, accs: &[&Acc], rank: RankId, env: &Env) -> Res<()> {
        let tile = super::axes::stream_tile(&self.s.cascade, self.caps, rank);
        let axis = self.new_axis(rank, tile, false);
        let mut env = env.clone();
        env.insert(rank, Expr::Coord(axis));
        let extent = self.extent(rank);
        let everything = Range { lo: Expr::Int(0), hi: extent.clone(), full: Some((Expr::Int(0), extent.clone())) };
        let mut ranges = vec![everything];
        if !pass.domain.is_empty() {
            self.open(axis);
            let masks = self.masks(pass, &env)?;
            let cx = RangeCx { c: &self.s.cascade, s: &self.out, stream: axis };
            ranges = self::ranges(&cx, &masks, &extent);
            self.close();
        }
        let (mut full, mut partial) = (vec![], vec![]);
        if ranges.iter().any(|r| r.full.is_some()) {
            self.open(axis);
            self.block(pass, accs, &[axis], &env, &[])?;
            full = self.close();
        }
        if !pass.domain.is_empty() {
            self.open(axis);
            let mut masks = self.masks(pass, &env)?;
            let cx = RangeCx { c: &self.s.cascade, s: &self.out, stream: axis };
            masks.retain(|m| !cx.is_uniform(m));
            self.mask_tile(&mut masks);
            self.block(pass, accs, &[axis], &env, &masks)?;
            partial = self.close();
        }
        self.emit(Stmt::Loop { axis, ranges, full, partial });
        Ok(())
    }

    fn masks(&mut self, pass: &Pass, env: &Env) -> Res<Vec<Expr>> {
        pass.domain.iter().map(|c| self.lower(c, env)).collect()
    }

    /// A mask that looks up data is evaluated once a block, into a tile of truth values.
    pub(super) fn mask_tile(&mut self, masks: &mut Vec<Expr>) {
        let mut reads = false;
        masks.iter().for_each(|m| m.walk(&mut |e| reads |= matches!(e, Expr::Global(..)) || is_heavy(e)));
        let all = Expr::all(masks.iter().cloned());
        let axes = self.out.tile_axes(&all);
        if axes.len() <= 2 && ((reads && all.size() > 8) || all.size() > 40) {
            *masks = vec![Expr::Local(self.materialise("visible", all, &axes))];
        }
    }

    /// One block: every accumulator in turn.
    fn block(&mut self, pass: &Pass, accs: &[&Acc], axes: &[AxisId], env: &Env, masks: &[Expr]) -> Res<()> {
        let level = self.level();
        self.stand_in.clear();
        let mut drivers: BTreeMap<TensorId, BufId> = BTreeMap::new();
        for acc in accs {
            let st = self.states[&self.node(acc).out].clone();
            self.buf_level[st.buf.index()] = level;
        }
        for (i, acc) in accs.iter().enumerate() {
            let n = self.node(acc).clone();
            self.origin = n.origin.clone();
            let drives = accs[i + 1..].iter().any(|a| self.follows(a, n.out));
            let dst = self.states[&n.out].buf;
            let old = if drives { Some(self.beside(dst, "old", Expr::Local(dst))) } else { None };
            self.update(pass, acc, axes, env, masks, &drivers)?;
            if let Some(old) = old {
                let safe = self.safe_driver(dst, self.reduce_op(acc)?);
                drivers.insert(n.out, old);
                self.stand_in.insert(n.out, safe);
            }
        }
        Ok(())
    }

    /// True if the accumulator's value or repair depends on the driver.
    fn follows(&self, acc: &Acc, driver: TensorId) -> bool {
        let mut reads = self.reads(&self.node(acc).body);
        reads.extend(acc.repair.iter().flat_map(|r| self.reads(r.expr())));
        reads.contains(&driver)
    }

    /// Tensors that an expression reads, through inline nodes.
    pub(super) fn reads(&self, e: &L1) -> Vec<TensorId> {
        let mut seen = vec![];
        let mut todo = e.reads();
        while let Some(t) = todo.pop() {
            if seen.contains(&t) {
                continue;
            }
            seen.push(t);
            if self.s.place(t) == crate::stream::Place::Inline && !self.states.contains_key(&t) {
                todo.extend(self.s.cascade.def(t).into_iter().flat_map(|n| n.exprs()).flat_map(L1::reads));
            }
        }
        seen
    }

    /// Where a driver without a safe stand-in is still at its identity, what it drives stays at its own.
    fn started(&self, acc: &Acc, drivers: &BTreeMap<TensorId, BufId>) -> Vec<Expr> {
        let mut out = vec![];
        for t in drivers.keys().filter(|t| self.follows(acc, **t)) {
            let state = self.states[t].buf;
            if self.stand_in.get(t) == Some(&state) && self.out.buf(state).ty == BufType::F32 {
                let op = self.s.cascade.def(*t).and_then(|n| n.reduce.as_ref()).map_or(RedOp::Sum, |r| r.op);
                out.push(moved(state, op));
            }
        }
        out
    }

    /// Adds a block to one accumulator.
    fn update(
        &mut self,
        pass: &Pass,
        acc: &Acc,
        stream: &[AxisId],
        env: &Env,
        masks: &[Expr],
        drivers: &BTreeMap<TensorId, BufId>,
    ) -> Res<()> {
        let n = self.node(acc).clone();
        let (op, dst) = (self.reduce_op(acc)?, self.states[&n.out].buf);
        let mut env = env.clone();
        env.extend(self.state_env(acc, &Env::new()));
        let repair = match &acc.repair {
            Some(r) => Some(self.repair(r, &env, drivers)?),
            None => None,
        };
        let mut masks = masks.to_vec();
        masks.extend(self.started(acc, drivers));
        let conds: Vec<L1> = n.fold.iter().filter(|c| !pass.domain.contains(c)).cloned().collect();
        let over = n.reduced().to_vec();
        let free: Vec<RankId> = over.into_iter().filter(|r| !pass.over.contains(r)).collect();
        let apart = repair.is_some() || (op == RedOp::Sum && self.out.buf(dst).ty == BufType::F32);
        let apart = apart && !self.caps.in_place();
        let part = if apart {
            let (name, axes) = (format!("{}_block", self.out.buf(dst).name), self.out.buf(dst).axes.clone());
            self.new_buf(&name, self.out.buf(dst).ty, &axes, self.level())
        } else {
            dst
        };
        let repaired = repair.map_or(Expr::Local(dst), |(how, by)| Expr::bin(how, Expr::Local(dst), by));
        if !apart && repaired != Expr::Local(dst) {
            self.emit(Stmt::Map { dst, op: None, value: repaired.clone() });
        }
        let f = Fold { dst: part, op, body: &n.body, conds: &conds, masks: &masks, stream };
        self.fold(&f, &free, &env, apart)?;
        if !apart {
            return Ok(());
        }
        if repaired == Expr::Local(dst) {
            self.emit(Stmt::Map { dst, op: Some(op), value: Expr::Local(part) });
            return Ok(());
        }
        let Some(both) = op.binary() else { return self.refuse(format!("a repaired {}", op.name())) };
        self.emit(Stmt::Map { dst, op: None, value: Expr::bin(both, repaired, Expr::Local(part)) });
        Ok(())
    }
}
