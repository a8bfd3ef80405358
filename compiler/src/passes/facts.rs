//! Facts: what is known about values before they are computed.
//!
//! Float ranges hold in real arithmetic and for inputs without infinities and NaN; that is enough to know signs and
//! bounds. Whether a value is finite whatever the inputs hold is a separate question ([`Facts::finite`]).

use super::affine::{Affine, Scope};
use super::range::Range;
use crate::cascade::{Cascade, Expr, Extent, Node, RankId, TensorId};
use crate::types::{BinOp, RedOp, UnOp, ValueType};

/// How a value moves when another one grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It does not depend on it.
    Constant,
    /// It never falls.
    Up,
    /// It never rises.
    Down,
    /// Not known.
    Unknown,
}

/// Facts about a cascade.
#[derive(Debug)]
pub struct Facts<'a> {
    c: &'a Cascade,
    tensors: Vec<Range>,
    /// Ranks whose variables are in scope.
    scope: Vec<RankId>,
}

impl<'a> Facts<'a> {
    /// Computes the range of every tensor in node order. A state is any number.
    pub fn new(c: &'a Cascade) -> Self {
        let mut facts = Facts::without_tensors(c);
        for n in c.nodes.iter().filter(|n| !n.is_stateful()) {
            if c.value_type(&n.body) == ValueType::Float {
                facts.tensors[n.out.index()] = facts.node(n);
            }
        }
        facts
    }

    /// Facts that know the promises about inputs only: enough for index expressions.
    pub fn without_tensors(c: &'a Cascade) -> Self {
        Facts { c, tensors: c.tensors.iter().map(|t| promised(&t.facts)).collect(), scope: vec![] }
    }

    /// The same facts at points where the variables of these ranks are in scope.
    #[must_use]
    pub fn in_scope(mut self, ranks: Vec<RankId>) -> Self {
        self.scope = ranks;
        self
    }

    fn points(&self) -> Scope<'_> {
        Scope { c: self.c, ranks: &self.scope }
    }

    /// Range of a tensor's elements.
    pub fn tensor(&self, t: TensorId) -> Range {
        self.tensors[t.index()]
    }

    fn node(&self, n: &Node) -> Range {
        let body = self.range(&n.body);
        let Some(red) = &n.reduce else { return body };
        let filled = self.never_empty(n);
        match red.op {
            RedOp::Sum => sum_range(&body, filled),
            RedOp::Max if filled => body,
            RedOp::Max => body.join(&Range::point(f64::NEG_INFINITY)).closed_lo(),
            RedOp::Min if filled => body,
            RedOp::Min => body.neg().join(&Range::point(f64::NEG_INFINITY)).closed_lo().neg(),
            RedOp::Prod | RedOp::Any | RedOp::All | RedOp::ArgMax | RedOp::TopK => Range::ALL,
        }
    }

    /// True if the fold of a reduction is never empty: no extent can be 0, and the first or the last point of the
    /// reduced ranks is always in it.
    pub fn never_empty(&self, n: &Node) -> bool {
        let scope = n.out_ranks();
        let points = Scope { c: self.c, ranks: &scope };
        let extent = |r: &RankId| Affine::of(self.c, &Expr::Extent(*r));
        let filled = n.reduced().iter().all(|r| points.lower(&extent(r)).is_some_and(|n| n >= 1));
        let last = |r: RankId| extent(&r).add(&Affine::constant(1), -1).map(|a| a.expr());
        let in_fold = |at: &dyn Fn(RankId) -> Option<Expr>| {
            let reduced = |r: RankId| if n.reduced().contains(&r) { at(r) } else { None };
            n.fold.iter().all(|p| self.prove_at(&p.subst(&reduced), points) == Some(true))
        };
        filled && (in_fold(&|_| Some(Expr::Int(0))) || in_fold(&last))
    }

    /// Range of a float expression.
    pub fn range(&self, e: &Expr) -> Range {
        self.range_under(e, &[])
    }

    /// Range where further expressions are known to lie in ranges (the chosen side of a `Select`).
    fn range_under(&self, e: &Expr, known: &[(Expr, Range)]) -> Range {
        let range = self.range_of(e, known);
        known.iter().filter(|(k, _)| k == e).fold(range, |r, (_, k)| r.meet(k))
    }

    fn range_of(&self, e: &Expr, known: &[(Expr, Range)]) -> Range {
        match e {
            Expr::Float(x) => Range::point(*x),
            Expr::Read(t, _) => self.tensor(*t),
            Expr::Scalar(_) => Range::REAL,
            Expr::Unary(op, a) => self.unary(*op, a, known),
            Expr::Binary(op, a, b) => self.binary(*op, a, b, known),
            Expr::Select(p, a, b) => {
                let yes: Vec<_> = known.iter().cloned().chain(implied(p, true)).collect();
                let no: Vec<_> = known.iter().cloned().chain(implied(p, false)).collect();
                self.range_under(a, &yes).join(&self.range_under(b, &no))
            }
            Expr::Cast(_, a) => self.range_under(a, known).rounded(),
            Expr::Int(_) | Expr::Bool(_) | Expr::Var(_) | Expr::Extent(_) => Range::ALL,
        }
    }

    fn unary(&self, op: UnOp, a: &Expr, known: &[(Expr, Range)]) -> Range {
        if op == UnOp::ToFloat {
            return self.index_range(a);
        }
        let r = self.range_under(a, known);
        match op {
            UnOp::Neg => r.neg(),
            UnOp::Abs => r.abs(),
            UnOp::Exp => r.increasing(f64::exp),
            UnOp::Exp2 => r.increasing(f64::exp2),
            UnOp::Log if r.is_nonnegative() => r.increasing(f64::ln),
            UnOp::Log2 if r.is_nonnegative() => r.increasing(f64::log2),
            UnOp::Sqrt if r.is_nonnegative() => r.increasing(f64::sqrt),
            UnOp::Tanh => r.increasing(f64::tanh),
            UnOp::Erf => Range::closed(-1.0, 1.0),
            UnOp::Sin | UnOp::Cos => Range::closed(-1.0, 1.0),
            UnOp::Floor => r.increasing(f64::floor).rounded(),
            UnOp::Ceil => r.increasing(f64::ceil).rounded(),
            UnOp::Round => r.increasing(f64::round_ties_even).rounded(),
            UnOp::Log | UnOp::Log2 | UnOp::Sqrt => Range::ALL,
            UnOp::Not | UnOp::ToFloat | UnOp::ToIndex | UnOp::BoolToIndex | UnOp::Popcount | UnOp::Ilog2 => Range::ALL,
        }
    }

    fn binary(&self, op: BinOp, a: &Expr, b: &Expr, known: &[(Expr, Range)]) -> Range {
        let (x, y) = (self.range_under(a, known), self.range_under(b, known));
        match op {
            BinOp::Add => x.add(&y),
            BinOp::Sub => x.add(&y.neg()),
            BinOp::Mul if a == b => x.abs().mul(&x.abs()),
            BinOp::Mul => x.mul(&y),
            BinOp::Div => x.mul(&y.recip()),
            BinOp::Max => x.maximum(&y),
            BinOp::Min => x.neg().maximum(&y.neg()).neg(),
            BinOp::Pow if x.is_positive() => Range { lo_open: true, ..Range::closed(0.0, f64::INFINITY) },
            _ => Range::ALL,
        }
    }

    fn index_range(&self, i: &Expr) -> Range {
        let a = Affine::of(self.c, i);
        let lo = self.points().lower(&a).map_or(f64::NEG_INFINITY, |x| x as f64);
        let hi = self.points().upper(&a).map_or(f64::INFINITY, |x| x as f64);
        Range::closed(lo, hi)
    }

    /// True if the value is a number whatever the inputs hold: literals, extents, rank variables, and what is made
    /// from them without a division by 0.
    pub fn finite(&self, e: &Expr) -> bool {
        match e {
            Expr::Float(x) => x.is_finite(),
            Expr::Int(_) | Expr::Bool(_) | Expr::Var(_) | Expr::Extent(_) => true,
            Expr::Read(..) | Expr::Scalar(_) => self.c.value_type(e) != ValueType::Float,
            Expr::Unary(op, a) => match op {
                UnOp::Exp | UnOp::Exp2 => self.finite(a) && self.range(a).hi <= 80.0,
                UnOp::Log | UnOp::Log2 => self.finite(a) && self.range(a).is_positive(),
                UnOp::Sqrt => self.finite(a) && self.range(a).is_nonnegative(),
                _ => self.finite(a),
            },
            Expr::Binary(BinOp::Div, a, b) => {
                let r = self.range(b);
                self.finite(a) && self.finite(b) && (r.is_positive() || r.is_negative())
            }
            Expr::Binary(BinOp::Pow, ..) => false,
            Expr::Binary(_, a, b) => self.finite(a) && self.finite(b),
            Expr::Select(p, a, b) => self.finite(p) && self.finite(a) && self.finite(b),
            Expr::Cast(..) => false,
        }
    }

    /// Decides a predicate at every point in scope, where that is easy.
    pub fn prove(&self, p: &Expr) -> Option<bool> {
        self.prove_at(p, self.points())
    }

    fn prove_at(&self, p: &Expr, at: Scope) -> Option<bool> {
        match p {
            Expr::Bool(b) => Some(*b),
            Expr::Unary(UnOp::Not, a) => self.prove_at(a, at).map(|b| !b),
            Expr::Binary(BinOp::And, a, b) => match (self.prove_at(a, at), self.prove_at(b, at)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Expr::Binary(BinOp::Or, a, b) => match (self.prove_at(a, at), self.prove_at(b, at)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Expr::Binary(op, a, b) if self.c.value_type(a) == ValueType::Index => compare(*op, a, b, at),
            _ => None,
        }
    }

    /// How the expression moves when the elements of `t` grow. Condition C8 asks this of repairs.
    pub fn direction(&self, e: &Expr, t: TensorId) -> Direction {
        use Direction::*;
        match e {
            Expr::Read(x, idx) if idx.iter().all(|i| !i.reads().contains(&t)) => {
                if *x == t {
                    Up
                } else {
                    Constant
                }
            }
            Expr::Read(..) => Unknown,
            Expr::Unary(op, a) => match (op, self.direction(a, t)) {
                (_, Constant) => Constant,
                (UnOp::Neg, d) => d.flip(),
                (UnOp::Exp | UnOp::Exp2 | UnOp::Log | UnOp::Log2 | UnOp::Sqrt | UnOp::Tanh | UnOp::Erf, d) => d,
                (UnOp::Floor | UnOp::Ceil | UnOp::Round, d) => d,
                _ => Unknown,
            },
            Expr::Binary(op, a, b) => self.direction_of(*op, a, b, t),
            Expr::Select(p, a, b) if self.direction(p, t) == Constant => self.direction(a, t).and(self.direction(b, t)),
            Expr::Select(..) => Unknown,
            Expr::Cast(_, a) => self.direction(a, t),
            _ => Constant,
        }
    }

    fn direction_of(&self, op: BinOp, a: &Expr, b: &Expr, t: TensorId) -> Direction {
        use Direction::*;
        let (x, y) = (self.direction(a, t), self.direction(b, t));
        match op {
            _ if x == Constant && y == Constant => Constant,
            BinOp::Add | BinOp::Min | BinOp::Max => x.and(y),
            BinOp::Sub => x.and(y.flip()),
            BinOp::Mul if y == Constant => x.scaled(&self.range(b)),
            BinOp::Mul if x == Constant => y.scaled(&self.range(a)),
            BinOp::Div if y == Constant => x.scaled(&self.range(b)),
            _ => Unknown,
        }
    }

    /// True if two ranks have the same extent in every launch.
    pub fn same_extent(&self, a: RankId, b: RankId) -> bool {
        let of = |r| Affine::of(self.c, &Expr::Extent(r));
        a == b || of(a).add(&of(b), -1) == Some(Affine::constant(0))
    }

    /// The extent as a number, if it is one.
    pub fn const_extent(&self, r: RankId) -> Option<i64> {
        match &self.c.ranks[r.index()].extent {
            Extent::Const(n) => Some(*n),
            Extent::Free => None,
            Extent::Derived(_) => {
                let a = Affine::of(self.c, &Expr::Extent(r));
                a.terms.is_empty().then_some(a.constant)
            }
        }
    }
}

impl Direction {
    /// The direction of the negated value.
    pub fn flip(self) -> Direction {
        match self {
            Direction::Up => Direction::Down,
            Direction::Down => Direction::Up,
            other => other,
        }
    }

    fn and(self, o: Direction) -> Direction {
        match (self, o) {
            (Direction::Constant, d) | (d, Direction::Constant) => d,
            (a, b) if a == b => a,
            _ => Direction::Unknown,
        }
    }

    fn scaled(self, factor: &Range) -> Direction {
        if factor.is_nonnegative() {
            self
        } else if factor.is_nonpositive() {
            self.flip()
        } else {
            Direction::Unknown
        }
    }
}

fn compare(op: BinOp, a: &Expr, b: &Expr, at: Scope) -> Option<bool> {
    let diff = Affine::of(at.c, a).add(&Affine::of(at.c, b), -1)?;
    let (lo, hi) = (at.lower(&diff), at.upper(&diff));
    let (above, below) = (|k: i64| lo.is_some_and(|x| x >= k), |k: i64| hi.is_some_and(|x| x <= k));
    let decide = |yes: bool, no: bool| if yes { Some(true) } else { no.then_some(false) };
    match op {
        BinOp::Lt => decide(below(-1), above(0)),
        BinOp::Le => decide(below(0), above(1)),
        BinOp::Gt => decide(above(1), below(0)),
        BinOp::Ge => decide(above(0), below(-1)),
        BinOp::Eq => decide(above(0) && below(0), above(1) || below(-1)),
        BinOp::Ne => decide(above(1) || below(-1), above(0) && below(0)),
        _ => None,
    }
}

fn promised(f: &crate::cascade::Facts) -> Range {
    let mut r = Range::REAL;
    if f.nonnegative {
        r = r.meet(&Range::closed(0.0, f64::INFINITY));
    }
    if f.nonpositive {
        r = r.meet(&Range::closed(f64::NEG_INFINITY, 0.0));
    }
    if f.unit_norm {
        r = r.meet(&Range::closed(-1.0, 1.0));
    }
    r
}

/// A sum of any number of terms in a range: its sign survives, its size does not.
fn sum_range(body: &Range, filled: bool) -> Range {
    let mut r = Range::REAL;
    if body.is_nonnegative() {
        r = Range { lo: 0.0, lo_open: filled && body.is_positive(), ..r };
    }
    if body.is_nonpositive() {
        r = Range { hi: 0.0, hi_open: filled && body.is_negative(), ..r };
    }
    r
}

/// What a comparison with a literal says about its other side.
fn implied(p: &Expr, holds: bool) -> Option<(Expr, Range)> {
    let Expr::Binary(op, a, b) = p else { return None };
    let Expr::Float(x) = **b else { return None };
    let above = |lo_open| Range { lo: x, lo_open, ..Range::ALL };
    let below = |hi_open| Range { hi: x, hi_open, ..Range::ALL };
    let range = match (op, holds) {
        (BinOp::Gt, true) | (BinOp::Le, false) => above(true),
        (BinOp::Ge, true) | (BinOp::Lt, false) => above(false),
        (BinOp::Lt, true) | (BinOp::Ge, false) => below(true),
        (BinOp::Le, true) | (BinOp::Gt, false) => below(false),
        _ => return None,
    };
    Some(((**a).clone(), range))
}
