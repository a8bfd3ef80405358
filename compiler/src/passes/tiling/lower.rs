//! Expressions of the cascade at a point → tile expressions; what is inline is evaluated into tiles first.

use super::fold::Fold;
use super::scope::{Key, State, Tiler};
use super::{Env, Res};
use crate::cascade::{Expr as L1, Extent, Node, OutIdx, RankId, TensorId};
use crate::stream::Place;
use crate::tile::{AxisId, BufId, BufType, Expr, Tile};
use crate::types::{BinOp, RedOp, UnOp, ValueType};
use std::collections::{BTreeMap, BTreeSet};

/// Nesting of inlined maps at which lowering gives up instead of exhausting the stack.
const MAX_SIZE: usize = 200_000;
/// Inlined maps larger than this get a tile of their own.
const BIG: usize = 60;

/// What the value of an expression depends on.
#[derive(Clone, Debug, Default)]
pub(super) struct Deps {
    /// Tile axes.
    pub(super) axes: BTreeSet<AxisId>,
    /// Level at which everything is known.
    pub(super) level: usize,
}

impl Deps {
    fn merge(&mut self, other: &Deps) {
        self.axes.extend(&other.axes);
        self.level = self.level.max(other.level);
    }
}

impl Tiler<'_> {
    /// The expression at the point that `env` describes.
    pub(super) fn lower(&mut self, e: &L1, env: &Env) -> Res<Expr> {
        if self.shared.contains(e) {
            let value = self.lower_node(e, env)?;
            let axes = self.out.tile_axes(&value);
            return Ok(if axes.len() == 2 { Expr::Local(self.materialise("t", value, &axes)) } else { value });
        }
        self.lower_node(e, env)
    }

    fn lower_node(&mut self, e: &L1, env: &Env) -> Res<Expr> {
        Ok(match e {
            L1::Int(i) => Expr::Int(*i),
            L1::Float(x) => Expr::Float(*x),
            L1::Bool(b) => Expr::Bool(*b),
            L1::Var(r) => match env.get(r) {
                Some(e) => e.clone(),
                None => return self.refuse(format!("{} has no value here", self.s.cascade.ranks[r.index()].name)),
            },
            L1::Extent(r) => match self.s.cascade.ranks[r.index()].extent {
                Extent::Const(n) => Expr::Int(n),
                Extent::Free | Extent::Derived(_) => Expr::Extent(*r),
            },
            L1::Scalar(s) => Expr::Scalar(*s),
            L1::Read(t, idx) if self.held.contains_key(t) => self.read_held(*t, idx, env)?,
            L1::Read(t, idx) => {
                let idx = idx.iter().map(|i| self.lower(i, env)).collect::<Res<Vec<_>>>()?;
                self.read(*t, idx)?
            }
            L1::Unary(op, a) => simplify_unary(*op, self.lower(a, env)?),
            L1::Cast(ty, a) => Expr::Cast(*ty, Box::new(self.lower(a, env)?)),
            L1::Binary(op, a, b) => {
                let (a, b) = (self.lower(a, env)?, self.lower(b, env)?);
                self.in_block(*op, &a, &b).unwrap_or_else(|| simplify_binary(*op, a, b))
            }
            L1::Select(c, a, b) => match self.lower(c, env)? {
                Expr::Bool(true) => self.lower(a, env)?,
                Expr::Bool(false) => self.lower(b, env)?,
                c => {
                    let a = self.lower(a, env)?;
                    Expr::select(c, a, self.lower(b, env)?)
                }
            },
        })
    }

    fn read(&mut self, t: TensorId, idx: Vec<Expr>) -> Res<Expr> {
        if self.states.contains_key(&t) {
            return self.read_state(t, &idx);
        }
        match self.s.place(t) {
            Place::Memory => self.read_memory(t, idx),
            Place::Inline => self.read_inline(t, idx),
            Place::State | Place::Dead => {
                self.refuse(format!("{} is read before it is known", self.s.cascade.tensor(t).name))
            }
        }
    }

    fn read_state(&mut self, t: TensorId, idx: &[Expr]) -> Res<Expr> {
        let st = self.states[&t].clone();
        let buf = self.stand_in.get(&t).copied().unwrap_or(st.buf);
        self.read_state_at(t, State { buf, ..st }, idx)
    }

    /// The node that defines an inline tensor.
    pub(super) fn inline_node(&self, t: TensorId) -> Res<Node> {
        let c = &self.s.cascade;
        match c.def(t) {
            Some(n) if !n.is_stateful() => Ok(n.clone()),
            _ => self.refuse(format!("{} is part of a recurrence", c.tensor(t).name)),
        }
    }

    fn read_inline(&mut self, t: TensorId, idx: Vec<Expr>) -> Res<Expr> {
        let n = self.inline_node(t)?;
        let env = bind(&n, &idx);
        if n.reduce.is_some() {
            return self.inline_reduction(&n, idx, &env);
        }
        let value = self.lower(&n.body, &env)?;
        let size = value.size();
        if size > MAX_SIZE {
            return self.refuse(format!("{} becomes too large an expression", self.s.cascade.tensor(t).name));
        }
        let axes = self.out.tile_axes(&value);
        if size > BIG && axes.len() <= 2 {
            let name = self.s.cascade.tensor(t).name.to_lowercase();
            return Ok(Expr::Local(self.materialise(&name, value, &axes)));
        }
        Ok(value)
    }

    /// Evaluates a reduction that keeps the streamed rank (or belongs to a store) into a tile.
    pub(super) fn inline_reduction(&mut self, n: &Node, idx: Vec<Expr>, env: &Env) -> Res<Expr> {
        let key = Key::Node(n.out, idx);
        if let Some(b) = self.lookup(&key).filter(|_| self.stand_in.is_empty() || !self.reads_state(n)) {
            return Ok(Expr::Local(b));
        }
        let Some(red) = &n.reduce else { return self.refuse("a map is no reduction") };
        let outer: BTreeMap<_, _> = env.iter().map(|(r, e)| (*r, self.deps_of(e))).collect();
        let mut d = Deps::default();
        for e in std::iter::once(&n.body).chain(&n.fold) {
            d.merge(&self.deps(e, &outer));
        }
        if let Some(slot) = red.slot.and_then(|s| outer.get(&s)) {
            d.merge(slot);
        }
        let ty = match red.op {
            RedOp::ArgMax | RedOp::TopK => BufType::I32,
            _ => BufType::of(self.s.cascade.value_type(&n.body)),
        };
        let block = self.folded_block(n);
        d.level = block.map_or(0, |b| self.axis_level[b.index()]).max(d.level);
        let name = self.s.cascade.tensor(n.out).name.to_lowercase();
        let axes: Vec<AxisId> = d.axes.iter().copied().collect();
        let dst = self.new_buf(&name, ty, &axes, d.level);
        let saved = std::mem::replace(&mut self.origin, n.origin.clone());
        self.at_level(d.level, |t| match (red.op, block) {
            (RedOp::ArgMax | RedOp::TopK, _) => t.pick(dst, n, &n.fold, env),
            (op, None) => {
                let f = Fold { dst, op, body: &n.body, conds: &n.fold, masks: &[], stream: &[] };
                t.fold(&f, &red.over, env, true)
            }
            (op, Some(axis)) => t.fold_block_of(dst, op, n, axis, env),
        })?;
        self.origin = saved;
        self.remember(d.level, key, dst);
        Ok(Expr::Local(dst))
    }

    /// Folds the open block: its points are in scope, and it has no others.
    fn fold_block_of(&mut self, dst: BufId, op: RedOp, n: &Node, axis: AxisId, env: &Env) -> Res<()> {
        let rank = self.out.axis(axis).rank;
        let mut env = env.clone();
        env.insert(rank, Expr::Coord(axis));
        let rest: Vec<RankId> = n.reduced().iter().copied().filter(|r| *r != rank).collect();
        let conds: Vec<L1> = n.fold.iter().filter(|e| !self.is_block_cond(e)).cloned().collect();
        let f = Fold { dst, op, body: &n.body, conds: &conds, masks: &[], stream: &[axis] };
        self.fold(&f, &rest, &env, true)
    }

    fn reads_state(&self, n: &Node) -> bool {
        let mut found = false;
        let mut todo: Vec<TensorId> = n.exprs().flat_map(|e| e.reads()).collect();
        let mut seen = vec![];
        while let Some(t) = todo.pop() {
            found |= self.states.contains_key(&t);
            if self.s.place(t) == Place::Inline && !seen.contains(&t) {
                seen.push(t);
                todo.extend(self.s.cascade.def(t).into_iter().flat_map(|n| n.exprs()).flat_map(|e| e.reads()));
            }
        }
        found
    }

    fn deps_of(&self, e: &Expr) -> Deps {
        Deps { axes: self.out.tile_axes(e).into_iter().collect(), level: self.level_of(e) }
    }

    /// Dependences of an expression whose rank variables depend on `env`.
    pub(super) fn deps(&self, e: &L1, env: &BTreeMap<crate::cascade::RankId, Deps>) -> Deps {
        let mut out = Deps::default();
        self.visit_deps(e, env, &mut out, &mut |_| {});
        out
    }

    /// Adds the dependences of `e` to `out` and calls `nested` with those of every inline reduction in it.
    pub(super) fn visit_deps(
        &self,
        e: &L1,
        env: &BTreeMap<crate::cascade::RankId, Deps>,
        out: &mut Deps,
        nested: &mut dyn FnMut(&Deps),
    ) {
        match e {
            L1::Var(r) => {
                if let Some(d) = env.get(r) {
                    out.merge(d);
                }
            }
            L1::Read(t, idx) => {
                let state = self.states.get(t);
                if let Some(st) = state {
                    let buf = self.stand_in.get(t).copied().unwrap_or(st.buf);
                    // Its axes are those of the index.
                    out.level = out.level.max(self.buf_level[buf.index()]);
                }
                if let Some(level) = self.held_level(*t) {
                    out.level = out.level.max(level);
                }
                let node = self.s.cascade.def(*t).filter(|_| state.is_none() && self.s.place(*t) == Place::Inline);
                let Some(n) = node else {
                    idx.iter().for_each(|i| self.visit_deps(i, env, out, nested));
                    return;
                };
                let mut inner = BTreeMap::new();
                for (v, i) in n.vars.iter().zip(idx) {
                    if let OutIdx::Var(r) = v {
                        inner.insert(*r, self.deps(i, env));
                    }
                }
                let mut d = Deps::default();
                for e in std::iter::once(&n.body).chain(n.fold.iter().filter(|_| n.reduce.is_some())) {
                    self.visit_deps(e, &inner, &mut d, nested);
                }
                if let Some(b) = self.folded_block(n) {
                    d.level = d.level.max(self.axis_level[b.index()]);
                }
                if n.reduce.is_some() {
                    nested(&d);
                }
                out.merge(&d);
            }
            _ => e.children().into_iter().for_each(|c| self.visit_deps(c, env, out, nested)),
        }
    }

    /// Value type of a tile expression.
    pub(super) fn value_type(&self, e: &Expr) -> ValueType {
        self.out.value_type(&self.s.cascade, e)
    }

    /// True for the axes that are iterated one element at a time.
    pub(super) fn is_one(&self, a: AxisId) -> bool {
        self.out.axis(a).tile == Tile::One
    }
}

/// The rank variables of a node's left side at an index.
pub(super) fn bind(n: &Node, idx: &[Expr]) -> Env {
    let mut env = Env::new();
    for (v, e) in n.vars.iter().zip(idx) {
        if let OutIdx::Var(r) = v {
            env.insert(*r, e.clone());
        }
    }
    env
}

fn simplify_unary(op: UnOp, a: Expr) -> Expr {
    match (op, &a) {
        (UnOp::Neg, Expr::Int(i)) if *i != i64::MIN => Expr::Int(-i),
        (UnOp::Neg, Expr::Float(x)) => Expr::Float(-x),
        (UnOp::ToFloat, Expr::Int(i)) if i.unsigned_abs() < 1 << 24 => Expr::Float(*i as f64),
        (UnOp::Sqrt, Expr::Float(x)) => Expr::Float(x.sqrt()),
        (UnOp::Not, Expr::Bool(b)) => Expr::Bool(!b),
        _ => Expr::un(op, a),
    }
}

pub(super) fn simplify_binary(op: BinOp, a: Expr, b: Expr) -> Expr {
    match (op, &a, &b) {
        (BinOp::Add, Expr::Int(0), _) => b,
        (BinOp::Add | BinOp::Sub, _, Expr::Int(0)) => a,
        (BinOp::Mul, Expr::Int(1), _) => b,
        (BinOp::Mul | BinOp::FloorDiv, _, Expr::Int(1)) => a,
        (BinOp::And, Expr::Bool(true), _) | (BinOp::Or, Expr::Bool(false), _) => b,
        (BinOp::And, _, Expr::Bool(true)) | (BinOp::Or, _, Expr::Bool(false)) => a,
        (BinOp::Add, Expr::Int(x), Expr::Int(y)) => x.checked_add(*y).map(Expr::Int).unwrap_or(Expr::bin(op, a, b)),
        (BinOp::Sub, Expr::Int(x), Expr::Int(y)) => x.checked_sub(*y).map(Expr::Int).unwrap_or(Expr::bin(op, a, b)),
        (BinOp::Mul, Expr::Int(x), Expr::Int(y)) => x.checked_mul(*y).map(Expr::Int).unwrap_or(Expr::bin(op, a, b)),
        (BinOp::Sub, Expr::Unary(UnOp::Neg, x), Expr::Unary(UnOp::Neg, y)) => {
            Expr::bin(op, (**y).clone(), (**x).clone())
        }
        (BinOp::Div, Expr::Float(x), Expr::Float(y)) => Expr::Float(x / y),
        (BinOp::Mul, Expr::Float(x), Expr::Float(y)) => Expr::Float(x * y),
        _ => Expr::bin(op, a, b),
    }
}
