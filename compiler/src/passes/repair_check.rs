//! Checks every derived repair numerically in the compiler, on random values.
//!
//! For random elements x and running values d, d′ it must hold that h(g(d,x)) = g(d′,x) and that h distributes over
//! the reduction. A repair that fails is not used: a defect of the derivation costs speed, never correctness.
//! Everything that the body reads is a random number, the same one wherever the same expression stands.

use super::stages::{Defs, plain_vars};
use crate::cascade::{Expr, Node, RankId, TensorId};
use crate::interp::{binary, fold, unary};
use crate::stream::Repair;
use crate::types::{BinOp, RedOp, ValueType};

const ROUNDS: u64 = 64;
/// Rounds in which all values have to be finite.
const NEEDED: usize = 8;
/// Elements that stand for an inline reduction.
const SAMPLES: u64 = 3;

/// True if `repair` repairs the reduction `n` when `running` move.
pub(super) fn verify_repair(d: &Defs, n: &Node, op: RedOp, running: &[TensorId], repair: &Repair) -> bool {
    let mut valid = 0;
    for round in 0..ROUNDS {
        let eval = |x: u64, moved: bool, e: &Expr| {
            Eval { d, running, round, x, moved, streamed: n.reduced().to_vec(), inner: vec![], element: 0 }.num(e)
        };
        let g = |x: u64, moved: bool| eval(x, moved, &n.body);
        let h = |t: f64| apply(repair, t, eval(0, false, repair.expr()), eval(0, true, repair.expr()));
        let (y1, y2) = (g(1, false), g(2, false));
        let pairs = [(h(y1), g(1, true)), (h(y2), g(2, true)), (h(fold(op, y1, y2)), fold(op, h(y1), h(y2)))];
        if pairs.iter().any(|(a, b)| !a.is_finite() || !b.is_finite()) {
            continue;
        }
        if pairs.iter().any(|(a, b)| (a - b).abs() > 1e-7 * (a.abs() + b.abs()).max(1e-6)) {
            return false;
        }
        valid += 1;
    }
    valid >= NEEDED
}

/// True if `repair` carries the value `e` of running drivers to its value after they moved: what may be the initial
/// value of the accumulator.
pub(super) fn carries(d: &Defs, running: &[TensorId], repair: &Repair, e: &Expr) -> bool {
    let mut valid = 0;
    for round in 0..ROUNDS {
        let at = |moved: bool, e: &Expr| {
            Eval { d, running, round, x: 0, moved, streamed: vec![], inner: vec![], element: 0 }.num(e)
        };
        let (old, new) = (at(false, repair.expr()), at(true, repair.expr()));
        let (a, b) = (apply(repair, at(false, e), old, new), at(true, e));
        if !a.is_finite() || !b.is_finite() {
            continue;
        }
        if (a - b).abs() > 1e-7 * (a.abs() + b.abs()).max(1e-6) {
            return false;
        }
        valid += 1;
    }
    valid >= NEEDED
}

/// True if `e` is `identity` whatever the drivers are, once the expression `c` has the value `at`.
pub(super) fn vanishes(d: &Defs, running: &[TensorId], e: &Expr, c: &Expr, at: f64, identity: f64) -> bool {
    let e = replaced(e, c, &Expr::Float(at));
    (0..ROUNDS).all(|round| {
        let streamed = vec![];
        let eval = Eval { d, running, round, x: 0, moved: false, streamed, inner: vec![], element: 0 };
        eval.num(&e) == identity
    })
}

fn replaced(e: &Expr, old: &Expr, new: &Expr) -> Expr {
    if e == old { new.clone() } else { e.map_children(&mut |x| replaced(x, old, new)) }
}

/// True if the repair's expression is finite while the given accumulators still have their identity.
pub(super) fn finite_at_identity(d: &Defs, running: &[(TensorId, f64)], e: &Expr) -> bool {
    let at = e_with(e, running);
    let at_round =
        |round| Eval { d, running: &[], round, x: 0, moved: false, streamed: vec![], inner: vec![], element: 0 };
    (0..ROUNDS).all(|round| at_round(round).num(&at).is_finite())
}

fn e_with(e: &Expr, values: &[(TensorId, f64)]) -> Expr {
    match e {
        Expr::Read(t, _) if values.iter().any(|(u, _)| u == t) => {
            Expr::Float(values.iter().find(|(u, _)| u == t).map_or(0.0, |(_, v)| *v))
        }
        _ => e.map_children(&mut |x| e_with(x, values)),
    }
}

/// h(t, d, d′) from the values of the repair's expression.
pub(crate) fn apply(repair: &Repair, t: f64, old: f64, new: f64) -> f64 {
    match repair {
        Repair::MulExp { base2: false, .. } => t * (new - old).exp(),
        Repair::MulExp { base2: true, .. } => t * (new - old).exp2(),
        Repair::MulRatio { .. } => t * new / old,
        Repair::Add { .. } => t + new - old,
    }
}

struct Eval<'a> {
    d: &'a Defs<'a>,
    running: &'a [TensorId],
    round: u64,
    /// Which streamed element.
    x: u64,
    /// New running values.
    moved: bool,
    /// Ranks whose variables change with the streamed element.
    streamed: Vec<RankId>,
    /// Reduced ranks of inline reductions around.
    inner: Vec<RankId>,
    /// Which element of them.
    element: u64,
}

impl Eval<'_> {
    fn num(&self, e: &Expr) -> f64 {
        match e {
            Expr::Int(i) => *i as f64,
            Expr::Float(x) => *x,
            Expr::Bool(b) => f64::from(*b),
            Expr::Var(_) => (self.random(e, self.salt(e)) * 8.0).floor(),
            Expr::Extent(_) => (self.random(e, 0) * 8.0).floor() + 1.0,
            Expr::Scalar(_) => self.leaf(e, 0),
            Expr::Read(t, idx) => self.read(e, *t, idx),
            Expr::Unary(op, a) => unary(*op, self.num(a)),
            Expr::Binary(BinOp::And, a, b) => {
                if self.num(a) != 0.0 {
                    self.num(b)
                } else {
                    0.0
                }
            }
            Expr::Binary(BinOp::Or, a, b) => {
                if self.num(a) != 0.0 {
                    1.0
                } else {
                    self.num(b)
                }
            }
            Expr::Binary(op, a, b) => binary(*op, self.num(a), self.num(b)),
            Expr::Select(c, a, b) => self.num(if self.num(c) != 0.0 { a } else { b }),
            Expr::Cast(_, a) => (self.num(a) * 4.0).round() / 4.0,
        }
    }

    fn read(&self, e: &Expr, t: TensorId, idx: &[Expr]) -> f64 {
        if self.running.contains(&t) {
            return self.random(e, 1000 + u64::from(self.moved)) * 6.0 - 3.0;
        }
        match self.d.local(t) {
            Some(n) if n.exprs().any(|e| self.runs(e)) => self.inline(n, idx),
            _ => self.leaf(e, self.salt(e)),
        }
    }

    fn runs(&self, e: &Expr) -> bool {
        e.reads()
            .into_iter()
            .any(|t| self.running.contains(&t) || self.d.local(t).is_some_and(|n| n.exprs().any(|e| self.runs(e))))
    }

    fn inline(&self, n: &Node, idx: &[Expr]) -> f64 {
        let vars = plain_vars(n);
        let body = n.body.subst(&|r| vars.iter().position(|v| *v == r).map(|i| idx[i].clone()));
        let inner = [self.inner.as_slice(), n.reduced()].concat();
        let at = |k| {
            let (streamed, element) = (self.streamed.clone(), self.element * SAMPLES + k);
            Eval { streamed, inner: inner.clone(), element, ..*self }.num(&body)
        };
        match &n.reduce {
            None => self.num(&body),
            Some(r) => (1..=SAMPLES).map(at).reduce(|a, b| fold(r.op, a, b)).unwrap_or(f64::NAN),
        }
    }

    /// Tells apart the values of one expression at different elements.
    fn salt(&self, e: &Expr) -> u64 {
        let any = |ranks: &[RankId]| ranks.iter().any(|r| e.mentions(*r));
        let streamed = if any(&self.streamed) { self.x } else { 0 };
        streamed + if any(&self.inner) { 16 * self.element } else { 0 }
    }

    fn leaf(&self, e: &Expr, salt: u64) -> f64 {
        let x = self.random(e, salt);
        match self.d.c.value_type(e) {
            ValueType::Float => x * 5.0 - 2.0,
            ValueType::Index => (x * 8.0).floor(),
            ValueType::Bool => f64::from(x > 0.5),
        }
    }

    /// Uniform in [0, 1), a function of the expression's text, the round and the salt.
    fn random(&self, e: &Expr, salt: u64) -> f64 {
        let text = format!("{e:?}");
        let mut h = 0xcbf2_9ce4_8422_2325 ^ self.round.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (salt << 40);
        for b in text.bytes() {
            h = (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3);
        }
        h ^= h >> 30;
        h = h.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        h ^= h >> 27;
        h = h.wrapping_mul(0x94d0_49bb_1331_11eb);
        ((h ^ (h >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}
