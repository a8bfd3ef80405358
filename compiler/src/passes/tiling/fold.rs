//! Reductions over tile axes: matrix products where the factors split, generic folds elsewhere.
//!
//! A sum over k of a product is a `Contract` when its factors fall into those that depend on rows and k but not on
//! the lanes (A), those that depend on k and the lanes but not on rows (B), and those without k (applied afterwards).

use super::lower::Deps;
use super::scope::Tiler;
use super::{Env, Res};
use crate::cascade::{Expr as L1, Extent, RankId, TensorKind};
use crate::tile::{AxisId, BufId, BufType, Expr, Stmt, Tile};
use crate::types::{BinOp, DType, RedOp, UnOp};

/// What is folded.
#[derive(Clone, Copy)]
pub(super) struct Fold<'e> {
    /// Written tile.
    pub(super) dst: BufId,
    /// Operator.
    pub(super) op: RedOp,
    /// Value.
    pub(super) body: &'e L1,
    /// Predicates on the fold.
    pub(super) conds: &'e [L1],
    /// The same, already lowered.
    pub(super) masks: &'e [Expr],
    /// Streamed axes, in scope or whole, that are folded too.
    pub(super) stream: &'e [AxisId],
}

/// A lowered leaf: one value folded over tile axes.
pub(super) struct Leaf {
    pub(super) dst: BufId,
    pub(super) op: RedOp,
    pub(super) over: Vec<AxisId>,
    pub(super) value: Expr,
    pub(super) conds: Vec<Expr>,
    pub(super) init: bool,
}

/// Factors of a product by what they depend on.
#[derive(Default)]
struct Split {
    /// On k or rows, not on lanes.
    a: Vec<Expr>,
    /// On k and lanes, not on rows.
    b: Vec<Expr>,
    /// Not on k, but on rows.
    outer: Vec<Expr>,
    /// Neither on k nor on rows.
    scale: Vec<Expr>,
}

impl Tiler<'_> {
    /// Folds over `free` ranks (and the streamed axis); `init` starts from the identity instead of dst's value.
    pub(super) fn fold(&mut self, f: &Fold<'_>, free: &[RankId], env: &Env, init: bool) -> Res<()> {
        if let Some(rank) = self.block_rank(f, free, env) {
            if init {
                let value = self.identity(f.dst, f.op)?;
                self.emit(Stmt::Map { dst: f.dst, op: None, value });
            }
            return self.fold_blocks(f, rank, free, env);
        }
        let (loops, tiles) = self.split_ranks(f, free, env);
        if loops.is_empty() {
            return self.leaf(f, &tiles, env, init);
        }
        if init {
            let value = self.identity(f.dst, f.op)?;
            self.emit(Stmt::Map { dst: f.dst, op: None, value });
        }
        let mut env = env.clone();
        for r in &loops {
            let used: Vec<AxisId> = env.values().flat_map(coords).collect();
            let axis = self.axis_for(*r, Tile::One, &used);
            self.open(axis);
            env.insert(*r, Expr::Coord(axis));
        }
        self.leaf(f, &tiles, &env, false)?;
        for r in loops.iter().rev() {
            let Some(Expr::Coord(axis)) = env.get(r) else { continue };
            let body = self.close();
            self.emit(Stmt::For { axis: *axis, lo: Expr::Int(0), hi: self.extent(*r), body });
        }
        Ok(())
    }

    pub(super) fn identity(&self, dst: BufId, op: RedOp) -> Res<Expr> {
        match Expr::identity(op, self.out.buf(dst).ty) {
            Some(e) => Ok(e),
            None => self.refuse(format!("{} is not a fold of values", op.name())),
        }
    }

    pub(super) fn extent(&self, r: RankId) -> Expr {
        match self.s.cascade.ranks[r.index()].extent {
            Extent::Const(n) => Expr::Int(n),
            Extent::Free | Extent::Derived(_) => Expr::Extent(r),
        }
    }

    /// Which ranks become scalar loops: all but one of a sum, and those whose inner reductions would need a tile with
    /// three axes.
    fn split_ranks(&mut self, f: &Fold<'_>, free: &[RankId], env: &Env) -> (Vec<RankId>, Vec<RankId>) {
        let (mut loops, mut tiles) = (vec![], vec![]);
        for r in free {
            if self.has_large_inner(f, *r, free, env) { loops.push(*r) } else { tiles.push(*r) }
        }
        let keep = usize::from(f.stream.is_empty());
        while f.op == RedOp::Sum && tiles.len() > keep {
            // The rank with the largest extent stays the contracted one; most of unknown extent are groups of heads.
            let size = |r: &RankId| match self.s.cascade.ranks[r.index()].extent {
                Extent::Const(n) => n,
                Extent::Free | Extent::Derived(_) => 32,
            };
            let least = (0..tiles.len()).min_by_key(|i| size(&tiles[*i])).unwrap_or(0);
            loops.push(tiles.remove(least));
        }
        (loops, tiles)
    }

    fn has_large_inner(&mut self, f: &Fold<'_>, r: RankId, free: &[RankId], env: &Env) -> bool {
        let (marks, mine) = self.marks(free, r, env);
        let Some(mine) = mine else { return false };
        let mut large = false;
        for e in std::iter::once(f.body).chain(f.conds) {
            self.visit_deps(e, &marks, &mut Deps::default(), &mut |d| {
                large |= d.axes.contains(&mine) && d.axes.len() > 2
            });
        }
        large
    }

    fn leaf(&mut self, f: &Fold<'_>, tiles: &[RankId], env: &Env, init: bool) -> Res<()> {
        let mut env = env.clone();
        let mut over: Vec<AxisId> = vec![];
        for r in tiles {
            let mut used: Vec<AxisId> = env.values().flat_map(coords).collect();
            used.extend(&self.out.buf(f.dst).axes);
            let axis = self.axis_for(*r, Tile::Whole, &used);
            env.insert(*r, Expr::Coord(axis));
            over.push(axis);
        }
        over.extend(f.stream);
        let value = self.lower(f.body, &env)?;
        let mut conds = f.masks.to_vec();
        for c in f.conds {
            conds.push(self.lower(c, &env)?);
        }
        conds.retain(|c| *c != Expr::Bool(true));
        let leaf = Leaf { dst: f.dst, op: f.op, over, value, conds, init };
        if let [k] = leaf.over[..]
            && leaf.op == RedOp::Sum
            && self.out.buf(leaf.dst).ty == BufType::F32
            && self.product(&leaf, k)?
        {
            return Ok(());
        }
        self.generic(leaf)
    }

    /// Emits a sum over k as a product; false if the factors do not split.
    fn product(&mut self, l: &Leaf, k: AxisId) -> Res<bool> {
        let lane = self.out.buf(l.dst).axes.iter().copied().find(|a| self.out.axis(*a).lane);
        let rows: Vec<AxisId> = self.out.buf(l.dst).axes.iter().copied().filter(|a| Some(*a) != lane).collect();
        let Some(mut s) = self.split(l, k, lane) else { return Ok(false) };
        self.lighten(&mut s, k);
        let (mut a_conds, mut b_conds) = (vec![], vec![]);
        for c in &l.conds {
            let axes = self.out.tile_axes(c);
            let on_rows = axes.iter().any(|a| rows.contains(a));
            match (on_rows, lane.is_some_and(|l| axes.contains(&l))) {
                (true, true) => return Ok(false),
                (true, false) => a_conds.push(c.clone()),
                (false, _) => b_conds.push(c.clone()),
            }
        }
        if !l.conds.is_empty() && !self.move_inside(&mut s) {
            return Ok(false);
        }
        let on_lanes = |t: &Self, e: &[Expr]| e.iter().any(|c| t.out.tile_axes(c).iter().any(|a| Some(*a) == lane));
        if s.b.is_empty() && on_lanes(self, &b_conds) {
            s.b.push(Expr::Float(1.0));
        }
        if s.a.is_empty() || s.b.is_empty() || lane.is_none() {
            return self.half(l, k, s);
        }
        let (Some(lane), a) = (lane, self.left_operand(&s.a, &a_conds, k, &rows)) else { return Ok(false) };
        let b = self.right_operand(&mut s, &b_conds, k, lane);
        s.outer.append(&mut s.scale);
        if l.conds.is_empty() {
            self.contract(l, k, a, b, s.outer);
        } else {
            self.guarded(l, k, a, b, s.outer)?;
        }
        Ok(true)
    }

    /// What varies along k alone goes to the operand that is written anyway, if the other one can stay in memory then.
    fn lighten(&self, s: &mut Split, k: AxisId) {
        let along = |e: &Expr| self.out.tile_axes(e) == [k];
        let (along, rest): (Vec<Expr>, Vec<Expr>) = s.a.iter().cloned().partition(along);
        if !along.is_empty() && !rest.is_empty() && !s.b.is_empty() && self.is_plain(&multiply(&rest)) {
            s.a = rest;
            s.b.extend(along);
        }
    }

    /// Under a mask nothing but numbers stays outside: of a row that sees nothing, the sum is 0 whatever its factor.
    /// False if a factor fits neither operand.
    fn move_inside(&self, s: &mut Split) -> bool {
        let is_number = |e: &Expr| matches!(e, Expr::Float(x) if x.is_finite());
        let (numbers, scale): (Vec<_>, Vec<_>) = std::mem::take(&mut s.scale).into_iter().partition(is_number);
        let lanes = |e: &Expr| self.out.tile_axes(e).iter().any(|a| self.out.axis(*a).lane);
        if s.outer.iter().any(lanes) {
            return false;
        }
        s.scale = numbers;
        s.b.extend(scale);
        s.a.append(&mut s.outer);
        true
    }

    fn split(&self, l: &Leaf, k: AxisId, lane: Option<AxisId>) -> Option<Split> {
        let mut s = Split::default();
        let mut factors = vec![];
        flatten(&l.value, &mut factors);
        for f in factors {
            let axes = self.out.tile_axes(&f);
            let on_k = axes.contains(&k);
            let on_lane = lane.is_some_and(|l| axes.contains(&l));
            let on_rows = axes.iter().any(|a| *a != k && Some(*a) != lane);
            match (on_k, on_rows, on_lane) {
                (true, true, true) => return None,
                (true, _, false) => s.a.push(f),
                (true, false, true) => s.b.push(f),
                (false, true, _) => s.outer.push(f),
                (false, false, _) => s.scale.push(f),
            }
        }
        Some(s)
    }

    /// Factors of one kind only: a fold over fewer axes than dst has, then the other factors.
    fn half(&mut self, l: &Leaf, k: AxisId, mut s: Split) -> Res<bool> {
        s.outer.append(&mut s.scale);
        let mut inner = s.a;
        inner.append(&mut s.b);
        let value = multiply(&inner);
        let mut axes = self.out.tile_axes(&value);
        l.conds.iter().for_each(|c| axes.extend(self.out.tile_axes(c)));
        axes.retain(|a| *a != k);
        axes.sort();
        axes.dedup();
        let dst_axes = self.out.buf(l.dst).axes.clone();
        let smaller = axes.len() < dst_axes.len();
        if s.outer.is_empty() && !smaller {
            let leaf = Leaf { over: l.over.clone(), value, conds: l.conds.clone(), ..*l };
            self.generic(leaf)?;
            return Ok(true);
        }
        let name = format!("{}_part", self.out.buf(l.dst).name);
        let tmp = self.new_buf(&name, BufType::F32, &axes, self.level());
        self.generic(Leaf { dst: tmp, over: l.over.clone(), value, conds: l.conds.clone(), init: true, op: l.op })?;
        s.outer.push(Expr::Local(tmp));
        self.emit(Stmt::Map { dst: l.dst, op: (!l.init).then_some(RedOp::Sum), value: multiply(&s.outer) });
        Ok(true)
    }

    /// What products read columns from: f32 in memory at plain indices where that will do, or a packed tile.
    fn left_operand(&mut self, factors: &[Expr], conds: &[Expr], k: AxisId, rows: &[AxisId]) -> Expr {
        let value = multiply(factors);
        let open: Vec<Expr> = conds.iter().filter(|c| !self.is_zero_unless(&value, c)).cloned().collect();
        let value = self.masked(value, &open, Expr::Float(0.0));
        if matches!(value, Expr::Local(_)) || (self.is_plain(&value) && !self.caps.in_place()) {
            return value;
        }
        let mut axes = self.out.tile_axes(&value);
        axes.retain(|a| *a == k || rows.contains(a));
        let name = format!("{}_pack", first_name(&self.s.cascade, &value));
        Expr::Local(self.materialise(&name, value, &axes))
    }

    /// True for an element of an intermediate in memory that is 0 where the predicate does not hold, because it is absent
    /// there.
    fn is_zero_unless(&mut self, e: &Expr, cond: &Expr) -> bool {
        let Expr::Global(t, idx) = e else { return false };
        let Some(n) = self.s.cascade.def(*t).filter(|_| self.s.cascade.tensor(*t).kind == TensorKind::Let) else {
            return false;
        };
        let env = super::lower::bind(n, idx);
        n.dom.iter().any(|d| self.lower(d, &env).is_ok_and(|d| d == *cond))
    }

    fn is_plain(&self, e: &Expr) -> bool {
        match e {
            Expr::Local(_) => true,
            Expr::Global(t, idx) => {
                self.s.cascade.tensor(*t).dtype == DType::F32 && idx.iter().all(|i| self.out.is_plain_index(i))
            }
            _ => false,
        }
    }

    fn right_operand(&mut self, s: &mut Split, conds: &[Expr], k: AxisId, lane: AxisId) -> BufId {
        if let ([Expr::Local(b)], []) = (&s.b[..], conds)
            && self.out.buf(*b).axes == [k, lane]
        {
            return *b;
        }
        // The tile is written anyway, so a scale costs nothing here, unless it varies where the rest does not.
        let level = s.b.iter().chain(conds).map(|e| self.level_of(e)).max().unwrap_or(0);
        let level = level.max(self.axis_level[k.index()]);
        let (cheap, rest) = std::mem::take(&mut s.scale).into_iter().partition(|e| self.level_of(e) <= level);
        s.scale = rest;
        let mut factors: Vec<Expr> = std::mem::take(&mut s.b);
        let mut cheap: Vec<Expr> = cheap;
        factors.append(&mut cheap);
        let value = self.masked(multiply(&factors), conds, Expr::Float(0.0));
        let name = match &value {
            Expr::Select(..) => "w".to_string(),
            v => first_name(&self.s.cascade, v),
        };
        self.materialise(&name, value, &[k, lane])
    }

    fn contract(&mut self, l: &Leaf, k: AxisId, a: Expr, b: BufId, mut after: Vec<Expr>) {
        if after.is_empty() {
            self.emit(Stmt::Contract { dst: l.dst, over: k, a, b, accumulate: !l.init });
            return;
        }
        let dst = if l.init {
            l.dst
        } else {
            let (name, axes) = (format!("{}_part", self.out.buf(l.dst).name), self.out.buf(l.dst).axes.clone());
            self.new_buf(&name, BufType::F32, &axes, self.level())
        };
        self.emit(Stmt::Contract { dst, over: k, a, b, accumulate: false });
        after.push(Expr::Local(dst));
        self.emit(Stmt::Map { dst: l.dst, op: (!l.init).then_some(RedOp::Sum), value: multiply(&after) });
    }
}

/// Axes whose coordinate occurs.
pub(super) fn coords(e: &Expr) -> Vec<AxisId> {
    let mut out = vec![];
    e.walk(&mut |e| {
        if let Expr::Coord(a) = e {
            out.push(*a);
        }
    });
    out
}

/// Multiplicative factors: of products, quotients and negations.
pub(super) fn flatten(e: &Expr, out: &mut Vec<Expr>) {
    match e {
        Expr::Binary(BinOp::Mul, a, b) => {
            flatten(a, out);
            flatten(b, out);
        }
        Expr::Binary(BinOp::Div, a, b) => {
            flatten(a, out);
            out.push(match **b {
                Expr::Float(x) => Expr::Float(1.0 / x),
                _ => Expr::bin(BinOp::Div, Expr::Float(1.0), (**b).clone()),
            });
        }
        Expr::Unary(UnOp::Neg, a) => {
            out.push(Expr::Float(-1.0));
            flatten(a, out);
        }
        Expr::Float(1.0) => {}
        _ => out.push(e.clone()),
    }
}

pub(super) fn multiply(factors: &[Expr]) -> Expr {
    factors.iter().cloned().reduce(|a, b| Expr::bin(BinOp::Mul, a, b)).unwrap_or(Expr::Float(1.0))
}

/// True if recomputing the value is dearer than storing it.
pub(super) fn is_heavy(e: &Expr) -> bool {
    let mut heavy = false;
    e.walk(&mut |e| {
        heavy |= match e {
            Expr::Unary(op, _) => matches!(
                op,
                UnOp::Exp | UnOp::Exp2 | UnOp::Log | UnOp::Log2 | UnOp::Tanh | UnOp::Sin | UnOp::Cos | UnOp::Erf
            ),
            Expr::Binary(op, ..) => *op == BinOp::Pow,
            _ => false,
        }
    });
    heavy
}

/// A name for a tile made from the first tensor that is read.
pub(super) fn first_name(c: &crate::cascade::Cascade, e: &Expr) -> String {
    let mut name = None;
    e.walk(&mut |e| {
        if let (Expr::Global(t, _), None) = (e, &name) {
            name = Some(c.tensor(*t).name.to_lowercase());
        }
    });
    name.unwrap_or_else(|| "w".to_string())
}
