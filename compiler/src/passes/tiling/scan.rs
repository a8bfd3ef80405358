//! A scan: the scalar loop over the generations, with every state in a tile that the loop carries.
//!
//! A step updates a state in place, unless something after it in the step still reads the generation before: then the
//! new generation gets a tile of its own and is copied at the end of the step. Stores that read old generations only
//! come before the updates.

use super::scope::{Key, State, Tiler};
use super::{Env, Res};
use crate::cascade::{Expr as L1, Node, NodeId, OutIdx, RankId, TensorId};
use crate::stream::{Carry, Generation, Place, Scan};
use crate::tile::{AxisId, BufId, BufType, Expr, Stmt, Tile};
use crate::types::{BinOp, UnOp};

/// A state while its scan runs.
#[derive(Clone)]
pub(super) struct Held {
    /// Position of the generation in its indices.
    at: usize,
    rank: RankId,
    reverse: bool,
    before: BufId,
    after: BufId,
    /// Axis of each other index.
    axes: Vec<AxisId>,
}

impl Tiler<'_> {
    /// Emits a scan; its states hold their last generations afterwards.
    pub(super) fn scan(&mut self, scan: &Scan, grid: &Env) -> Res<()> {
        let mut after: Vec<NodeId> = scan.carries.iter().map(|c| c.step).chain(scan.stores.iter().copied()).collect();
        let early: Vec<NodeId> =
            scan.stores.iter().copied().filter(|n| !self.sees(*n, None, Generation::After)).collect();
        after.retain(|n| !early.contains(n));
        for (i, c) in scan.carries.iter().enumerate() {
            let state = self.node_of(c.step).out;
            let late = after[i + 1..].iter().any(|n| self.sees(*n, Some(state), Generation::Before));
            self.hold(scan, c, grid, late)?;
        }
        let axis = self.new_axis(scan.rank, Tile::One, false);
        self.open(axis);
        let mut env = grid.clone();
        let step = self.step_coord(scan, axis);
        env.insert(scan.rank, step.clone());
        self.open_block(scan.rank, step, &mut env);
        self.set_carry_level(scan, self.level());
        for n in &early {
            self.store_in(*n, &env)?;
        }
        for c in &scan.carries {
            self.step(c, &env)?;
        }
        for n in scan.stores.iter().filter(|n| !early.contains(n)) {
            self.store_in(*n, &env)?;
        }
        for c in &scan.carries {
            let h = self.held[&self.node_of(c.step).out].clone();
            if h.after != h.before {
                self.emit(Stmt::Map { dst: h.before, op: None, value: Expr::Local(h.after) });
            }
        }
        self.close_block();
        let body = self.close();
        self.set_carry_level(scan, 0);
        self.emit(Stmt::For { axis, lo: Expr::Int(0), hi: self.extent(scan.rank), body });
        Ok(())
    }

    fn node_of(&self, id: NodeId) -> Node {
        self.s.cascade.nodes[id.index()].clone()
    }

    fn store_in(&mut self, id: NodeId, env: &Env) -> Res<()> {
        let n = self.node_of(id);
        self.store(&n, env)
    }

    /// The coordinate of a step: a reverse scan counts down.
    fn step_coord(&self, scan: &Scan, axis: AxisId) -> Expr {
        let step = Expr::Coord(axis);
        if !scan.reverse {
            return step;
        }
        let last = Expr::bin(BinOp::Sub, self.extent(scan.rank), Expr::Int(1));
        Expr::bin(BinOp::Sub, last, step)
    }

    fn set_carry_level(&mut self, scan: &Scan, level: usize) {
        for c in &scan.carries {
            let h = &self.held[&self.s.cascade.nodes[c.step.index()].out];
            self.buf_level[h.before.index()] = level;
            self.buf_level[h.after.index()] = level;
        }
    }

    /// True if a node sees this generation of the state (of any state, without one), through inline nodes too.
    fn sees(&self, id: NodeId, state: Option<TensorId>, generation: Generation) -> bool {
        let n = &self.s.cascade.nodes[id.index()];
        self.node_sees(n, state, generation)
    }

    fn node_sees(&self, n: &Node, state: Option<TensorId>, generation: Generation) -> bool {
        let mut found = false;
        for e in n.exprs() {
            e.walk(&mut |x| {
                let L1::Read(t, idx) = x else { return };
                found |= match (self.s.place(*t), self.s.cascade.def(*t)) {
                    (Place::State, Some(step)) => state.is_none_or(|s| s == *t) && sees_at(self, step, idx, generation),
                    (Place::Inline, Some(m)) => self.node_sees(m, state, generation),
                    _ => false,
                };
            });
        }
        found
    }

    /// Declares the tiles of a state and evaluates its first generation.
    fn hold(&mut self, scan: &Scan, c: &Carry, grid: &Env, late: bool) -> Res<()> {
        let n = self.node_of(c.step);
        self.origin = n.origin.clone();
        let Some(at) = n.vars.iter().position(|v| !matches!(v, OutIdx::Var(_))) else {
            return self.refuse("a state without generations");
        };
        let mut axes: Vec<AxisId> = vec![];
        for r in n.out_ranks().into_iter().filter(|r| *r != scan.rank) {
            let on_grid = self.out.grid.iter().copied().find(|a| self.out.axis(*a).rank == r);
            axes.push(on_grid.unwrap_or_else(|| self.axis_for(r, Tile::Whole, &axes)));
        }
        let tiled: Vec<AxisId> = axes.iter().copied().filter(|a| !self.is_one(*a)).collect();
        let ty = BufType::of(self.s.cascade.value_type(&n.body));
        let name = self.s.cascade.tensor(n.out).name.to_lowercase();
        let before = self.new_buf(&name, ty, &tiled, 0);
        let after = if late { self.new_buf(&format!("{name}_next"), ty, &tiled, 0) } else { before };
        let h = Held { at, rank: scan.rank, reverse: scan.reverse, before, after, axes };
        self.held.insert(n.out, h);
        let init = self.node_of(c.init);
        self.move_to(&init, before, grid)
    }

    fn step(&mut self, c: &Carry, env: &Env) -> Res<()> {
        let n = self.node_of(c.step);
        let h = self.held[&n.out].clone();
        self.move_to(&n, h.after, env)?;
        // What was computed from the generation before looks the same as what the new one gives.
        self.forget(h.after);
        Ok(())
    }

    /// Evaluates a generation into its tile; absent points hold 0, which nothing reads.
    fn move_to(&mut self, n: &Node, dst: BufId, env: &Env) -> Res<()> {
        self.origin = n.origin.clone();
        let h = self.held[&n.out].clone();
        let mut env = env.clone();
        let ranks = n.vars.iter().filter_map(|v| if let OutIdx::Var(r) = v { Some(*r) } else { None });
        for (r, a) in ranks.zip(&h.axes) {
            env.insert(r, Expr::Coord(*a));
        }
        let value = self.lower(&n.body, &env)?;
        let conds = n.dom.iter().map(|c| self.lower(c, &env)).collect::<Res<Vec<_>>>()?;
        let absent = match self.out.buf(dst).ty {
            BufType::F32 => Expr::Float(0.0),
            BufType::I32 => Expr::Int(0),
            BufType::Bool => Expr::Bool(false),
        };
        let value = match (self.out.buf(dst).ty, self.value_type(&value)) {
            (BufType::F32, crate::types::ValueType::Index) => Expr::un(UnOp::ToFloat, value),
            _ => value,
        };
        let value = self.masked(value, &conds, absent);
        // What depends on fewer axes than the state, a gate or a gathered row, is evaluated once.
        let value = self.parts(&value, self.out.buf(dst).axes.len());
        self.emit(Stmt::Map { dst, op: None, value });
        Ok(())
    }

    /// Drops values that were computed from a tile.
    fn forget(&mut self, b: BufId) {
        for s in &mut self.scopes {
            s.memo.retain(|(key, _)| match key {
                Key::Value(e, _) => {
                    let mut reads = false;
                    e.walk(&mut |e| reads |= *e == Expr::Local(b));
                    !reads
                }
                Key::Node(..) => true,
            });
        }
    }

    /// The loop level at which a state of a scan changes.
    pub(super) fn held_level(&self, t: TensorId) -> Option<usize> {
        self.held.get(&t).map(|h| self.buf_level[h.before.index()])
    }

    /// An element of a state of the running (or finished) scan.
    pub(super) fn read_held(&mut self, t: TensorId, idx: &[L1], env: &Env) -> Res<Expr> {
        let h = self.held[&t].clone();
        let generation = crate::stream::generation(&self.s.cascade, h.rank, h.reverse, &idx[h.at]);
        let buf = match generation {
            Some(Generation::Before | Generation::Last) => h.before,
            Some(Generation::After) => h.after,
            None => return self.refuse(format!("a generation of {} that is gone", self.s.cascade.tensor(t).name)),
        };
        let others = idx.iter().enumerate().filter(|(i, _)| *i != h.at).map(|(_, e)| e);
        let at = others.map(|e| self.lower(e, env)).collect::<Res<Vec<_>>>()?;
        self.read_state_at(t, State { buf, axes: h.axes }, &at)
    }
}

fn sees_at(t: &Tiler<'_>, step: &Node, idx: &[L1], generation: Generation) -> bool {
    step.vars.iter().zip(idx).any(|(v, e)| match v {
        OutIdx::Next(r) => crate::stream::generation(&t.s.cascade, *r, false, e) == Some(generation),
        OutIdx::Prev(r) => crate::stream::generation(&t.s.cascade, *r, true, e) == Some(generation),
        OutIdx::Var(_) | OutIdx::At(_) => false,
    })
}
