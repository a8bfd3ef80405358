//! The verifier of the tile IR. It checks that
//!
//! - ids refer to their tables; names of axes and tiles are unique in a stage, and no keyword;
//! - `memory` holds every input and output once, workspace at its end; workspace tensors are intermediates;
//! - grid axes are distinct, `One` or `Fixed`; the lane axis is the only one, is on the grid and is `Fixed`;
//! - a tile's axes are distinct, not `One`, and the lane axis is last;
//! - an axis is used in its scope: grid axes everywhere, loop axes in their body, whole axes where a statement
//!   iterates them; no axis is opened twice; `Fixed` axes other than grid axes are opened by `Loop`, `One` by `For`;
//! - a local tile is read where all its axes are in scope;
//! - `Reduce` folds a monoid over axes that its tile lacks; `Contract` has float operands of the documented shapes;
//! - bounds and conditions are uniform: no lane, block or whole axis;
//! - value types: stored, compared and combined values have the types that the operators ask for;
//! - a store has one index per dimension, iterates distinct axes, all lanes of the item included, and goes to a tensor
//!   that is not read-only.
//!
//! Only [`verify`] makes a [`Verified`] kernel, and only a verified kernel is accepted by an emitter.

use super::{AxisId, BufId, BufType, Expr, KEYWORDS, Stmt, Tile, TileKernel, TileStage, print_expr};
use crate::cascade::{TensorId, TensorKind};
use crate::types::{BinOp, DType, RedOp, UnOp, ValueType};

/// Something that its verifier accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// The verified thing.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// Gives up the proof.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> std::ops::Deref for Verified<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

/// Checks a kernel; the errors name stage and statement.
pub fn verify(k: TileKernel) -> Result<Verified<TileKernel>, Vec<String>> {
    let mut errors = memory(&k);
    for s in &k.stages {
        let mut c = Checker { k: &k, s, open: vec![], errors: vec![] };
        c.stage();
        errors.extend(c.errors.into_iter().map(|e| format!("stage {}: {e}", s.name)));
    }
    if errors.is_empty() { Ok(Verified(k)) } else { Err(errors) }
}

fn memory(k: &TileKernel) -> Vec<String> {
    let mut out = vec![];
    let n = k.cascade.tensors.len();
    for (i, t) in k.memory.iter().enumerate() {
        if t.index() >= n {
            out.push(format!("memory {i} is no tensor"));
            continue;
        }
        let tensor = k.cascade.tensor(*t);
        if k.memory[..i].contains(t) {
            out.push(format!("{} is in memory twice", tensor.name));
        }
        let is_workspace = i + k.workspace >= k.memory.len();
        if is_workspace != (tensor.kind == TensorKind::Let) {
            out.push(format!("{} is at the wrong place in memory", tensor.name));
        }
    }
    for (i, t) in k.cascade.tensors.iter().enumerate() {
        let needed = matches!(t.kind, TensorKind::In | TensorKind::InOut | TensorKind::Out);
        if needed && !k.memory.contains(&TensorId(i as u32)) {
            out.push(format!("{} is not in memory", t.name));
        }
    }
    out
}

struct Checker<'a> {
    k: &'a TileKernel,
    s: &'a TileStage,
    /// Axes in scope.
    open: Vec<AxisId>,
    errors: Vec<String>,
}

impl Checker<'_> {
    fn error(&mut self, message: impl Into<String>) {
        self.errors.push(message.into());
    }

    fn require(&mut self, holds: bool, message: impl FnOnce(&TileStage) -> String) {
        if !holds {
            let m = message(self.s);
            self.errors.push(m);
        }
    }

    fn stage(&mut self) {
        if self.tables() {
            self.open.clone_from(&self.s.grid);
            self.stmts(&self.s.body);
        }
    }

    /// Axes, tiles and grid; false if ids are broken, so that nothing else can be looked at.
    fn tables(&mut self) -> bool {
        let s = self.s;
        let axis_ok = |a: &AxisId| a.index() < s.axes.len();
        let ids = s.axes.iter().all(|a| a.rank.index() < self.k.cascade.ranks.len())
            && s.grid.iter().all(axis_ok)
            && s.bufs.iter().all(|b| b.axes.iter().all(axis_ok))
            && s.body.iter().all(|st| self.ids(st));
        if !ids {
            self.error("an id is out of range");
            return false;
        }
        let names: Vec<&String> = s.axes.iter().map(|a| &a.name).chain(s.bufs.iter().map(|b| &b.name)).collect();
        for (i, n) in names.iter().enumerate() {
            self.require(!names[..i].contains(n) && !KEYWORDS.contains(&n.as_str()), |_| {
                format!("the name {n} is taken")
            });
        }
        for (i, a) in s.axes.iter().enumerate() {
            let id = AxisId(i as u32);
            let fixed = matches!(a.tile, Tile::Fixed(1..));
            self.require(fixed || !matches!(a.tile, Tile::Fixed(_)), |_| format!("axis {} has an empty tile", a.name));
            self.require(!a.lane || (fixed && s.grid.contains(&id)), |_| {
                format!("axis {} cannot be the lane axis", a.name)
            });
            self.require(!s.grid.contains(&id) || a.tile != Tile::Whole, |_| {
                format!("axis {} is whole on the grid", a.name)
            });
        }
        self.require(s.axes.iter().filter(|a| a.lane).count() <= 1, |_| "there are two lane axes".into());
        self.require(distinct(&s.grid), |_| "a grid axis occurs twice".into());
        for b in &s.bufs {
            let lane = b.axes.iter().position(|a| s.axis(*a).lane);
            self.require(distinct(&b.axes), |_| format!("tile {} has an axis twice", b.name));
            self.require(lane.is_none_or(|i| i + 1 == b.axes.len()), |_| {
                format!("the lane axis of {} is not last", b.name)
            });
            self.require(b.axes.iter().all(|a| s.axis(*a).tile != Tile::One), |_| {
                format!("tile {} has a scalar axis", b.name)
            });
        }
        true
    }

    fn ids(&self, st: &Stmt) -> bool {
        let axis = |a: &AxisId| a.index() < self.s.axes.len();
        let buf = |b: &BufId| b.index() < self.s.bufs.len();
        let own = match st {
            Stmt::Map { dst, .. } => buf(dst),
            Stmt::Reduce { dst, over, .. } => buf(dst) && over.iter().all(axis),
            Stmt::Contract { dst, over, b, .. } => buf(dst) && buf(b) && axis(over),
            Stmt::Loop { axis: a, .. } | Stmt::For { axis: a, .. } => axis(a),
            Stmt::If { .. } => true,
            Stmt::Store { tensor, axes, .. } => self.k.memory.contains(tensor) && axes.iter().all(axis),
        };
        let mut ok = own;
        for e in st.exprs() {
            e.walk(&mut |e| {
                ok &= match e {
                    Expr::Coord(a) | Expr::Base(a) | Expr::Count(a) => axis(a),
                    Expr::Local(b) => buf(b),
                    Expr::Global(t, _) => self.k.memory.contains(t),
                    Expr::Extent(r) => r.index() < self.k.cascade.ranks.len(),
                    Expr::Scalar(s) => s.index() < self.k.cascade.scalars.len(),
                    _ => true,
                }
            });
        }
        ok && st.bodies().into_iter().flatten().all(|s| self.ids(s))
    }

    fn stmts(&mut self, body: &[Stmt]) {
        body.iter().for_each(|s| self.stmt(s));
    }

    fn stmt(&mut self, st: &Stmt) {
        match st {
            Stmt::Map { dst, op, value } => {
                let axes = self.s.buf(*dst).axes.clone();
                self.require(op.is_none_or(|op| op.identity().is_some()), |_| "a map combines with no monoid".into());
                self.over(&axes, |c| c.value_of(*dst, value));
            }
            Stmt::Reduce { dst, op, over, value } => self.reduce(*dst, *op, over, value),
            Stmt::Contract { dst, over, a, b, .. } => self.contract(*dst, *over, a, *b),
            Stmt::Loop { axis, ranges, full, partial } => {
                self.require(matches!(self.s.axis(*axis).tile, Tile::Fixed(_)), |s| {
                    format!("loop over {}", s.axis(*axis).name)
                });
                for e in ranges
                    .iter()
                    .flat_map(|r| {
                        [Some(&r.lo), Some(&r.hi), r.full.as_ref().map(|f| &f.0), r.full.as_ref().map(|f| &f.1)]
                    })
                    .flatten()
                {
                    self.uniform(e, ValueType::Index);
                }
                self.scoped(*axis, |c| {
                    c.stmts(full);
                    c.stmts(partial);
                });
            }
            Stmt::For { axis, lo, hi, body } => {
                self.require(self.s.axis(*axis).tile == Tile::One, |s| {
                    format!("scalar loop over {}", s.axis(*axis).name)
                });
                self.uniform(lo, ValueType::Index);
                self.uniform(hi, ValueType::Index);
                self.scoped(*axis, |c| c.stmts(body));
            }
            Stmt::If { cond, then, els } => {
                self.uniform(cond, ValueType::Bool);
                self.stmts(then);
                self.stmts(els);
            }
            Stmt::Store { tensor, idx, axes, value } => self.store(*tensor, idx, axes, value),
        }
    }

    fn reduce(&mut self, dst: BufId, op: RedOp, over: &[AxisId], value: &Expr) {
        let mut axes = self.s.buf(dst).axes.clone();
        self.require(op.identity().is_some(), |_| format!("{} is no monoid", op.name()));
        self.require(over.iter().all(|a| !axes.contains(a)), |s| {
            format!("{} is folded over its own axis", s.buf(dst).name)
        });
        axes.extend(over);
        self.over(&axes, |c| c.value_of(dst, value));
    }

    fn contract(&mut self, dst: BufId, over: AxisId, a: &Expr, b: BufId) {
        let s = self.s;
        let (d, bb) = (s.buf(dst), s.buf(b));
        let lane = s.lane();
        let name = &d.name;
        self.require(d.ty == BufType::F32 && bb.ty == BufType::F32, |_| format!("product {name} is not of floats"));
        self.require(!d.axes.contains(&over), |_| format!("product {name} keeps its contracted axis"));
        let mut want = vec![over];
        want.extend(lane);
        self.require(bb.axes == want, |_| format!("the right operand of {name} is not [contracted, lanes]"));
        self.require(lane.is_none_or(|l| d.axes.contains(&l)), |_| format!("product {name} has no lanes"));
        let plain = match a {
            Expr::Local(_) => true,
            Expr::Global(t, idx) => {
                self.k.cascade.tensor(*t).dtype == DType::F32 && idx.iter().all(|i| s.is_plain_index(i))
            }
            _ => false,
        };
        self.require(plain, |_| format!("the left operand of {name} is neither a tile nor a plain f32 read"));
        self.require(s.tile_axes(a).iter().all(|x| Some(*x) != lane), |_| {
            format!("the left operand of {name} has lanes")
        });
        let mut axes = d.axes.clone();
        axes.push(over);
        self.over(&axes, |c| {
            c.typed(a, ValueType::Float);
            c.expr(&Expr::Local(b));
        });
    }

    fn store(&mut self, t: TensorId, idx: &[Expr], axes: &[AxisId], value: &Expr) {
        let tensor = self.k.cascade.tensor(t);
        let writable = matches!(tensor.kind, TensorKind::Out | TensorKind::InOut | TensorKind::Let);
        self.require(writable, |_| format!("a store to {}, which is read only", tensor.name));
        self.require(idx.len() == tensor.dims.len(), |_| {
            format!("a store to {} with {} indices", tensor.name, idx.len())
        });
        self.require(distinct(axes), |_| format!("a store to {} with an axis twice", tensor.name));
        let lane = self.s.lane();
        self.require(lane.is_none_or(|l| axes.contains(&l)), |_| {
            format!("a store to {} without the lanes", tensor.name)
        });
        self.over(axes, |c| {
            idx.iter().for_each(|i| c.typed(i, ValueType::Index));
            c.typed(value, tensor.dtype.value_type());
        });
    }

    /// Checks with the axes of a statement in scope.
    fn over(&mut self, axes: &[AxisId], f: impl FnOnce(&mut Self)) {
        let depth = self.open.len();
        for a in axes {
            let is_whole = self.s.axis(*a).tile == Tile::Whole;
            self.require(is_whole != self.open.contains(a), |s| {
                format!("axis {} is not in scope, or twice", s.axis(*a).name)
            });
            if is_whole {
                self.open.push(*a);
            }
        }
        f(self);
        self.open.truncate(depth);
    }

    fn scoped(&mut self, axis: AxisId, f: impl FnOnce(&mut Self)) {
        self.require(!self.open.contains(&axis), |s| format!("axis {} is opened twice", s.axis(axis).name));
        self.open.push(axis);
        f(self);
        self.open.pop();
    }

    fn uniform(&mut self, e: &Expr, ty: ValueType) {
        self.require(self.s.is_uniform(e), |_| "a bound or condition is not uniform".into());
        self.typed(e, ty);
    }

    fn value_of(&mut self, dst: BufId, e: &Expr) {
        let ty = self.s.buf(dst).ty.value_type();
        self.typed(e, ty);
    }

    fn typed(&mut self, e: &Expr, want: ValueType) {
        let found = self.expr(e);
        if found != want {
            let text = print_expr(&self.k.cascade, self.s, e);
            self.error(format!("{text} is of type {found:?}, not {want:?}"));
        }
    }

    fn in_scope(&mut self, a: AxisId) {
        self.require(self.open.contains(&a), |s| format!("axis {} is not in scope", s.axis(a).name));
    }

    /// Checks an expression and returns its type.
    fn expr(&mut self, e: &Expr) -> ValueType {
        match e {
            Expr::Int(_) | Expr::Extent(_) => ValueType::Index,
            Expr::Float(_) => ValueType::Float,
            Expr::Bool(_) => ValueType::Bool,
            Expr::Coord(a) | Expr::Base(a) | Expr::Count(a) => {
                self.in_scope(*a);
                ValueType::Index
            }
            Expr::Scalar(s) => self.k.cascade.scalars[s.index()].dtype.value_type(),
            Expr::Global(t, idx) => {
                let tensor = self.k.cascade.tensor(*t);
                self.require(idx.len() == tensor.dims.len(), |_| {
                    format!("{} is read with {} indices", tensor.name, idx.len())
                });
                idx.iter().for_each(|i| self.typed(i, ValueType::Index));
                tensor.dtype.value_type()
            }
            Expr::Local(b) => {
                self.s.buf(*b).axes.iter().for_each(|a| self.in_scope(*a));
                self.s.buf(*b).ty.value_type()
            }
            Expr::Unary(op, a) => self.unary(*op, a),
            Expr::Binary(op, a, b) => self.binary(*op, a, b),
            Expr::Select(c, a, b) => {
                self.typed(c, ValueType::Bool);
                let ty = self.expr(a);
                self.typed(b, ty);
                ty
            }
            Expr::Cast(_, a) => self.expr(a),
        }
    }

    fn unary(&mut self, op: UnOp, a: &Expr) -> ValueType {
        let (from, to) = match op {
            UnOp::Neg | UnOp::Abs => {
                let ty = self.expr(a);
                self.require(ty != ValueType::Bool, |_| format!("{} of a truth value", op.name()));
                return ty;
            }
            UnOp::Not => (ValueType::Bool, ValueType::Bool),
            UnOp::ToFloat => (ValueType::Index, ValueType::Float),
            UnOp::ToIndex => (ValueType::Float, ValueType::Index),
            UnOp::BoolToIndex => (ValueType::Bool, ValueType::Index),
            UnOp::Popcount | UnOp::Ilog2 => (ValueType::Index, ValueType::Index),
            UnOp::Exp
            | UnOp::Exp2
            | UnOp::Log
            | UnOp::Log2
            | UnOp::Sqrt
            | UnOp::Tanh
            | UnOp::Sin
            | UnOp::Cos
            | UnOp::Erf
            | UnOp::Floor
            | UnOp::Ceil
            | UnOp::Round => (ValueType::Float, ValueType::Float),
        };
        self.typed(a, from);
        to
    }

    fn binary(&mut self, op: BinOp, a: &Expr, b: &Expr) -> ValueType {
        let ty = self.expr(a);
        self.typed(b, ty);
        let (fits, to) = match op {
            BinOp::Add | BinOp::Sub | BinOp::Mul | BinOp::Min | BinOp::Max => (ty != ValueType::Bool, ty),
            BinOp::Div | BinOp::Pow => (ty == ValueType::Float, ty),
            BinOp::FloorDiv | BinOp::Mod => (ty == ValueType::Index, ty),
            BinOp::Eq | BinOp::Ne => (true, ValueType::Bool),
            BinOp::Lt | BinOp::Le | BinOp::Gt | BinOp::Ge => (ty != ValueType::Bool, ValueType::Bool),
            BinOp::And | BinOp::Or => (ty == ValueType::Bool, ValueType::Bool),
        };
        self.require(fits, |_| format!("{} of {ty:?} values", op.name()));
        to
    }
}

fn distinct(axes: &[AxisId]) -> bool {
    axes.iter().enumerate().all(|(i, a)| !axes[..i].contains(a))
}
