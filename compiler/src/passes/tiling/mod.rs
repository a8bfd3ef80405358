//! Stream IR → tile IR: queries in the lanes, blocks of the streamed rank, everything else in tiles.
//!
//! Assumes a verified stream. Guarantees a kernel that `tile::verify` accepts, in which no statement reads outside a
//! tensor, or a refusal that names the statement.

mod axes;
mod block;
mod finite;
mod fold;
mod generic;
mod held;
mod lin;
mod lower;
mod memory;
mod nested;
mod pass;
mod pick;
mod ranges;
#[cfg(test)]
mod ranges_tests;
mod repair;
mod reuse;
mod scan;
#[cfg(test)]
mod scan_tests;
mod scope;
mod shared;
#[cfg(test)]
mod tests;
mod tidy;

#[cfg(test)]
use super::to_tile;
use super::{PassCx, Report, Run};
use crate::cascade::{Node, NodeId, OutIdx, RankId, TensorKind};
use crate::diag::{Code, Refusal};
use crate::stream::{Place, Stage, Stream};
use crate::target::Caps;
use crate::tile::{AxisId, Expr, Stmt, Tile, TileKernel, TileStage};
use crate::types::{DType, UnOp, ValueType};
use scope::{Scope, Tiler};
use std::collections::BTreeMap;

type Res<T> = Result<T, Refusal>;
/// What each rank variable stands for.
type Env = BTreeMap<RankId, Expr>;

/// Forms tile programs.
pub(super) static PASS: super::Pass = super::Pass {
    name: "tile",
    summary: "lowers stages to loops over tiles",
    post: "L3; no statement reads outside a tensor",
    run: Run::Tiles(form),
};

/// Tiles of disjoint lives share memory.
pub(super) static REUSE: super::Pass = super::Pass {
    name: "reuse",
    summary: "tiles whose lives do not overlap share their memory",
    post: "a tile may hold several values, one after the other",
    run: Run::Tile(|k, _| each_stage(k, reuse::reuse)),
};

/// Clean-up.
pub(super) static TIDY: super::Pass = super::Pass {
    name: "tidy",
    summary: "drops axes and tiles that nothing uses",
    post: "every axis and tile is used",
    run: Run::Tile(|k, _| each_stage(k, tidy::tidy)),
};

fn each_stage(k: &mut TileKernel, f: fn(TileStage) -> TileStage) -> Result<Report, Vec<Refusal>> {
    k.stages = std::mem::take(&mut k.stages).into_iter().map(f).collect();
    Ok(Report::default())
}

fn form(s: &Stream, cx: &PassCx) -> Result<TileKernel, Vec<Refusal>> {
    let caps = &cx.caps;
    let (memory, workspace) = memory(s);
    let mut k = TileKernel { cascade: s.cascade.clone(), memory, workspace, stages: vec![] };
    let mut refusals = vec![];
    for st in &s.stages {
        match stage(s, caps, st) {
            Ok((stage, asserts)) => {
                k.stages.push(stage);
                for a in asserts {
                    if !k.cascade.asserts.contains(&a) {
                        k.cascade.asserts.push(a);
                    }
                }
            }
            Err(r) => refusals.push(r),
        }
    }
    if refusals.is_empty() { Ok(k) } else { Err(refusals) }
}

/// Tensors in memory: those of the caller in declaration order, tables, then intermediates that a stage stores.
fn memory(s: &Stream) -> (Vec<crate::cascade::TensorId>, usize) {
    let of = |kinds: &[TensorKind]| -> Vec<crate::cascade::TensorId> {
        let ids = (0..s.cascade.tensors.len() as u32).map(crate::cascade::TensorId);
        ids.filter(|t| kinds.contains(&s.cascade.tensor(*t).kind)).collect()
    };
    let mut memory = of(&[TensorKind::In, TensorKind::InOut, TensorKind::Out]);
    memory.extend(of(&[TensorKind::Table]));
    let stored = |t: &crate::cascade::TensorId| {
        let is_stored = |n: &NodeId| s.cascade.nodes[n.index()].out == *t;
        s.place(*t) == Place::Memory || s.stages.iter().any(|st| st.stores.iter().any(is_stored))
    };
    let workspace: Vec<_> = of(&[TensorKind::Let]).into_iter().filter(stored).collect();
    let count = workspace.len();
    memory.extend(workspace);
    (memory, count)
}

fn stage(s: &Stream, caps: &Caps, st: &Stage) -> Res<(TileStage, Vec<crate::cascade::Assert>)> {
    let out = TileStage { name: st.name.clone(), axes: vec![], grid: vec![], bufs: vec![], body: vec![] };
    let mut t = Tiler {
        s,
        caps,
        out,
        scopes: vec![Scope::default()],
        axis_level: vec![],
        buf_level: vec![],
        states: BTreeMap::new(),
        held: BTreeMap::new(),
        block: None,
        stand_in: BTreeMap::new(),
        shared: vec![],
        hidden: vec![],
        asserts: vec![],
        origin: Default::default(),
    };
    let lane = axes::lane_rank(s, st);
    let mut grid = Env::new();
    for r in &st.grid {
        let is_lane = lane == Some(*r);
        let tile = if is_lane { axes::lane_tile(&s.cascade, caps, *r, st.scan.is_some()) } else { Tile::One };
        let a = t.new_axis(*r, tile, is_lane);
        t.out.grid.push(a);
        grid.insert(*r, Expr::Coord(a));
    }
    for p in &st.passes {
        t.pass(p, &grid)?;
    }
    if let Some(scan) = &st.scan {
        t.scan(scan, &grid)?;
    }
    for n in &st.stores {
        t.store(&s.cascade.nodes[n.index()], &grid)?;
    }
    t.out.body = t.close();
    let asserts = std::mem::take(&mut t.asserts);
    Ok((t.out, asserts))
}

impl Tiler<'_> {
    /// Evaluates a node over its value ranks and writes it to memory.
    fn store(&mut self, n: &Node, grid: &Env) -> Res<()> {
        self.origin = n.origin.clone();
        let mut env = grid.clone();
        let (mut idx, mut axes) = (vec![], vec![]);
        for v in &n.vars {
            let OutIdx::Var(r) = v else { return self.refuse("a store that belongs to a recurrence") };
            let axis = match grid.get(r) {
                Some(Expr::Coord(a)) => *a,
                Some(step) => {
                    idx.push(step.clone());
                    continue;
                }
                None => self.value_axis(n, *r, &axes),
            };
            env.insert(*r, Expr::Coord(axis));
            idx.push(Expr::Coord(axis));
            if !self.is_one(axis) {
                axes.push(axis);
            }
        }
        if let Some(lane) = self.out.lane()
            && !axes.contains(&lane)
        {
            return self.refuse("a store that does not vary along its grid");
        }
        axes.sort_by_key(|a| (self.out.axis(*a).lane, *a));
        let value = self.stored_value(n, &idx, &env)?;
        self.emit(Stmt::Store { tensor: n.out, idx, axes, value });
        Ok(())
    }

    /// The axis of a value rank: that of the accumulators, so that they can be read.
    fn value_axis(&mut self, n: &Node, r: RankId, used: &[AxisId]) -> AxisId {
        let own = self.states.get(&n.out).and_then(|st| {
            let i = n.vars.iter().position(|v| *v == OutIdx::Var(r))?;
            st.axes.get(i).copied()
        });
        own.unwrap_or_else(|| self.axis_for(r, Tile::Whole, used))
    }

    fn stored_value(&mut self, n: &Node, idx: &[Expr], env: &Env) -> Res<Expr> {
        let mut value = match self.states.get(&n.out) {
            Some(st) => Expr::Local(st.buf),
            None if n.reduce.is_some() => self.inline_reduction(n, idx.to_vec(), env)?,
            None => self.lower(&n.body, env)?,
        };
        let t = self.s.cascade.tensor(n.out);
        let ty = self.value_type(&value);
        if t.dtype.is_float() && ty == ValueType::Index {
            value = Expr::un(UnOp::ToFloat, value);
        } else if t.dtype.value_type() != ty {
            return Err(Refusal::new(Code::UNSUPPORTED, &n.origin, format!("{} stores another type", t.name)));
        }
        if !n.dom.is_empty() {
            let empty = match t.dtype {
                DType::Bool => Expr::Bool(t.empty != 0.0),
                d if d.is_int() => Expr::Int(t.empty as i64),
                _ => Expr::Float(t.empty),
            };
            let conds = n.dom.iter().map(|c| self.lower(c, env)).collect::<Res<Vec<_>>>()?;
            value = Expr::select(Expr::all(conds), value, empty);
        }
        Ok(value)
    }
}
