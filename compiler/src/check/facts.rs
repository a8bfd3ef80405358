//! A small prover of inequalities between index expressions.
//!
//! It answers `yes` or `don't know`, never a wrong `yes`. Known are: the boxes of rank variables, extents ≥ 0, the
//! bounds of quotients, `#[range]` of integer tensors, and the predicates that hold at the place in question. A goal
//! `p ≥ 0` is proved by subtracting multiples of known non-negative polynomials until every coefficient is ≥ 0.
//! Minima, maxima, absolute values and selections are split into cases first.

use super::poly::{Atom, Atoms, Poly};
use crate::cascade::{Cascade, Expr, OutIdx, RankId, TensorKind};
use crate::types::{BinOp, DType, UnOp, ValueType};
use std::collections::BTreeMap;

/// Work allowed for one goal.
const BUDGET: usize = 600;
/// Nesting of subtractions.
const DEPTH: usize = 8;
/// Nesting of case splits.
const SPLITS: usize = 6;

/// Known predicates that a proof may use; those nearest to the goal come first.
const FACTS: usize = 32;

/// True if `goal` follows from `known` at every point of the rank variables' boxes.
pub(super) fn implied(c: &Cascade, known: &[&Expr], goal: &Expr) -> bool {
    if known.contains(&goal) {
        return true;
    }
    match goal {
        Expr::Bool(b) => *b,
        Expr::Binary(BinOp::And, a, b) => implied(c, known, a) && implied(c, known, b),
        Expr::Binary(BinOp::Or, a, b) => {
            let otherwise = negation(a);
            let assumed: Vec<&Expr> = known.iter().copied().chain([&otherwise]).collect();
            implied(c, known, a) || implied(c, &assumed, b)
        }
        _ if comparison(c, goal).is_some() => {
            let goal = inline_maps(c, goal, 4);
            let known = relevant(&goal, known);
            cases(c, &goal, &known, SPLITS, &mut BUDGET.clone())
        }
        _ => false,
    }
}

/// True if two index expressions are equal at every point.
pub(super) fn equal(c: &Cascade, known: &[&Expr], a: &Expr, b: &Expr) -> bool {
    let mut atoms = Atoms::new(c);
    let forms = (atoms.form(a), atoms.form(b));
    (forms.0.is_some() && forms.0 == forms.1) || implied(c, known, &Expr::bin(BinOp::Eq, a.clone(), b.clone()))
}

/// True if the rank variable stays inside of a dimension that is an expression over its extent, such as `Z + 1`.
pub(super) fn spans_part_of(c: &Cascade, known: &[&Expr], r: RankId, dim: &Expr) -> bool {
    let mut atoms = Atoms::new(c);
    let (Some(extent), Some(dim_form)) = (atoms.extent(r), atoms.form(dim)) else { return false };
    let related = extent.atoms().any(|a| dim_form.atoms().any(|b| a == b));
    related && implied(c, known, &Expr::bin(BinOp::Lt, Expr::Var(r), dim.clone()))
}

/// The negation of a predicate.
pub(super) fn negation(e: &Expr) -> Expr {
    match e {
        Expr::Bool(b) => Expr::Bool(!b),
        Expr::Unary(UnOp::Not, a) => (**a).clone(),
        _ => Expr::un(UnOp::Not, e.clone()),
    }
}

/// The negation of a comparison of indices.
fn negated(e: &Expr) -> Option<Expr> {
    let Expr::Binary(op, a, b) = e else { return None };
    let op = match op {
        BinOp::Lt => BinOp::Ge,
        BinOp::Le => BinOp::Gt,
        BinOp::Gt => BinOp::Le,
        BinOp::Ge => BinOp::Lt,
        BinOp::Eq => BinOp::Ne,
        BinOp::Ne => BinOp::Eq,
        _ => return None,
    };
    Some(Expr::bin(op, (**a).clone(), (**b).clone()))
}

/// Operands of a comparison of indices.
fn comparison<'e>(c: &Cascade, e: &'e Expr) -> Option<(BinOp, &'e Expr, &'e Expr)> {
    match e {
        Expr::Binary(op @ (BinOp::Lt | BinOp::Le | BinOp::Gt | BinOp::Ge | BinOp::Eq), a, b)
            if c.value_type(a) == ValueType::Index =>
        {
            Some((*op, a, b))
        }
        _ => None,
    }
}

/// Replaces elements of integer intermediates by the map that defines them.
fn inline_maps(c: &Cascade, e: &Expr, fuel: usize) -> Expr {
    if let (Expr::Read(t, idx), true) = (e, fuel > 0)
        && c.tensor(*t).kind == TensorKind::Let
        && c.tensor(*t).dtype.is_int()
        && let Some(node) = c.def(*t)
        && node.reduce.is_none()
        && !node.is_stateful()
    {
        let at = |r: RankId| node.vars.iter().position(|v| *v == OutIdx::Var(r)).map(|i| idx[i].clone());
        return inline_maps(c, &node.body.subst(&at), fuel - 1);
    }
    e.map_children(&mut |x| inline_maps(c, x, fuel))
}

/// Known predicates that share a variable with the goal, directly or through others, and those without variables.
fn relevant(goal: &Expr, known: &[&Expr]) -> Vec<Expr> {
    let mut vars = vars_of(goal);
    let mut out: Vec<Expr> = vec![];
    let mut rest: Vec<&Expr> = known.to_vec();
    loop {
        let touches = |e: &&Expr| {
            let v = vars_of(e);
            v.is_empty() || v.iter().any(|r| vars.contains(r))
        };
        let (now, later): (Vec<&Expr>, Vec<&Expr>) = rest.into_iter().partition(touches);
        if now.is_empty() || out.len() >= FACTS {
            out.truncate(FACTS);
            return out;
        }
        vars.extend(now.iter().flat_map(|e| vars_of(e)));
        out.extend(now.into_iter().cloned());
        rest = later;
    }
}

/// Rank variables of an expression.
pub(super) fn vars_of(e: &Expr) -> Vec<RankId> {
    let mut out = vec![];
    e.walk(&mut |e| {
        if let Expr::Var(r) = e
            && !out.contains(r)
        {
            out.push(*r);
        }
    });
    out
}

/// Splits minima, maxima, absolute values and selections, then proves every case.
fn cases(c: &Cascade, goal: &Expr, known: &[Expr], splits: usize, budget: &mut usize) -> bool {
    let found = std::iter::once(goal).chain(known).find_map(|e| splittable(c, e));
    let Some(e) = found.filter(|_| splits > 0) else {
        return prove_comparison(c, goal, known, budget);
    };
    alternatives(&e).into_iter().all(|(value, cond)| {
        let put = |x: &Expr| replace(x, &e, &value);
        let mut known: Vec<Expr> = known.iter().map(put).collect();
        known.extend(cond);
        cases(c, &put(goal), &known, splits - 1, budget)
    })
}

/// An innermost subexpression that takes one of two values.
fn splittable(c: &Cascade, e: &Expr) -> Option<Expr> {
    if let Some(found) = e.children().into_iter().find_map(|x| splittable(c, x)) {
        return Some(found);
    }
    let splits = matches!(e, Expr::Binary(BinOp::Min | BinOp::Max, ..) | Expr::Unary(UnOp::Abs, _) | Expr::Select(..));
    (splits && c.value_type(e) == ValueType::Index).then(|| e.clone())
}

/// The values that a splittable expression takes, each with what is then known.
fn alternatives(e: &Expr) -> Vec<(Expr, Vec<Expr>)> {
    let cmp = |op, a: &Expr, b: &Expr| vec![Expr::bin(op, a.clone(), b.clone())];
    match e {
        Expr::Binary(BinOp::Min, a, b) => {
            vec![((**a).clone(), cmp(BinOp::Le, a, b)), ((**b).clone(), cmp(BinOp::Le, b, a))]
        }
        Expr::Binary(BinOp::Max, a, b) => {
            vec![((**a).clone(), cmp(BinOp::Ge, a, b)), ((**b).clone(), cmp(BinOp::Ge, b, a))]
        }
        Expr::Unary(UnOp::Abs, a) => {
            let zero = Expr::Int(0);
            vec![
                ((**a).clone(), cmp(BinOp::Ge, a, &zero)),
                (Expr::un(UnOp::Neg, (**a).clone()), cmp(BinOp::Le, a, &zero)),
            ]
        }
        Expr::Select(cond, a, b) => {
            vec![((**a).clone(), vec![(**cond).clone()]), ((**b).clone(), negated(cond).into_iter().collect())]
        }
        _ => vec![],
    }
}

fn replace(e: &Expr, from: &Expr, to: &Expr) -> Expr {
    if e == from { to.clone() } else { e.map_children(&mut |x| replace(x, from, to)) }
}

fn prove_comparison(c: &Cascade, goal: &Expr, known: &[Expr], budget: &mut usize) -> bool {
    let mut p =
        Prover { atoms: Atoms::new(c), facts: vec![], unequal: vec![], failed: BTreeMap::new(), expanded: 0, budget };
    let Some(goals) = p.polys(goal) else { return false };
    for k in known {
        p.learn(k);
    }
    p.expand_atoms();
    p.divide();
    p.sharpen();
    p.failed.clear();
    let facts = p.facts.clone();
    goals.iter().all(|g| p.prove(g, &facts, DEPTH))
}

struct Prover<'a, 'b> {
    atoms: Atoms<'a>,
    /// Polynomials known to be ≥ 0.
    facts: Vec<Poly>,
    /// Polynomials known not to be 0.
    unequal: Vec<Poly>,
    /// Goals that were not proved, with the depth that was left.
    failed: BTreeMap<Poly, usize>,
    /// Atoms whose facts are in.
    expanded: usize,
    budget: &'b mut usize,
}

impl Prover<'_, '_> {
    /// Polynomials whose non-negativity is the comparison.
    fn polys(&mut self, e: &Expr) -> Option<Vec<Poly>> {
        let (op, a, b) = comparison(self.atoms.c, e)?;
        let (a, b) = (self.atoms.form(a)?, self.atoms.form(b)?);
        let (up, down) = (b.add(&a, -1)?, a.add(&b, -1)?);
        let strict = |p: Poly| p.add(&Poly::int(1), -1);
        Some(match op {
            BinOp::Le => vec![up],
            BinOp::Lt => vec![strict(up)?],
            BinOp::Ge => vec![down],
            BinOp::Gt => vec![strict(down)?],
            _ => vec![up, down],
        })
    }

    fn learn(&mut self, e: &Expr) {
        match e {
            Expr::Binary(BinOp::And, a, b) => {
                self.learn(a);
                self.learn(b);
            }
            Expr::Unary(UnOp::Not, a) => {
                if let Some(n) = negated(a) {
                    self.learn(&n);
                }
            }
            Expr::Binary(BinOp::Ne, a, b) if self.atoms.c.value_type(a) == ValueType::Index => {
                if let (Some(a), Some(b)) = (self.atoms.form(a), self.atoms.form(b)) {
                    self.unequal.extend(a.add(&b, -1));
                }
            }
            _ => {
                if let Some(polys) = self.polys(e) {
                    self.facts.extend(polys);
                }
            }
        }
    }

    /// Bounds of quotients whose divisors need a proof to be positive: `T` is, where a variable of rank `T` is in scope.
    fn divide(&mut self) {
        for id in 0..self.expanded {
            let Atom::Div(x, d) = self.atoms.list[id].clone() else { continue };
            let Some(less) = d.add(&Poly::int(1), -1) else { continue };
            let facts = self.facts.clone();
            if !self.is_nonneg(&less) && self.prove(&less, &facts, 3) {
                let new = quotient_bounds(&Poly::term(vec![id as u32], 1), &x, &d);
                self.facts.extend(new.into_iter().flatten());
            }
        }
    }

    /// What is ≥ 0 and not 0 is ≥ 1.
    fn sharpen(&mut self) {
        let facts = self.facts.clone();
        for d in std::mem::take(&mut self.unequal) {
            for sign in [1, -1] {
                let Some(signed) = Poly::default().add(&d, sign) else { continue };
                if self.prove(&signed, &facts, 2) {
                    self.facts.extend(signed.add(&Poly::int(1), -1));
                }
            }
        }
    }

    /// Adds what is known about every atom, and about the atoms of those facts.
    fn expand_atoms(&mut self) {
        while self.expanded < self.atoms.list.len() && self.expanded < 64 {
            let id = self.expanded as u32;
            self.expanded += 1;
            let facts = self.atom_facts(id).unwrap_or_default();
            self.facts.extend(facts);
        }
    }

    fn atom_facts(&mut self, id: u32) -> Option<Vec<Poly>> {
        let this = Poly::term(vec![id], 1);
        let below = |bound: Poly| bound.add(&this, -1);
        match self.atoms.list[id as usize].clone() {
            Atom::Extent(_) => Some(vec![this]),
            Atom::Var(r) => {
                let last = self.atoms.extent(r)?.add(&Poly::int(1), -1)?;
                Some(vec![below(last)?, this])
            }
            Atom::Div(x, d) => {
                let mut facts = vec![];
                let (x_ok, d_ok) = (self.is_nonneg(&x), self.is_nonneg(&d));
                let d_pos = d.constant().is_some_and(|d| d > 0) || self.is_nonneg(&d.add(&Poly::int(1), -1)?);
                if d_pos {
                    facts.extend(quotient_bounds(&this, &x, &d)?);
                } else if x_ok && d_ok {
                    facts.push(x.add(&d.mul(&this)?, -1)?);
                }
                if x_ok && d_ok {
                    facts.push(this);
                }
                Some(facts)
            }
            Atom::Other(e) => self.other_facts(&e, &this),
        }
    }

    fn other_facts(&mut self, e: &Expr, this: &Poly) -> Option<Vec<Poly>> {
        match e {
            Expr::Unary(UnOp::Popcount | UnOp::BoolToIndex, _) => Some(vec![this.clone()]),
            Expr::Read(t, _) => {
                let tensor = self.atoms.c.tensor(*t);
                let (lo, hi) = match tensor.dtype {
                    DType::U8 => (Some(Poly::int(0)), Some(Poly::int(255))),
                    DType::I8 => (Some(Poly::int(-128)), Some(Poly::int(127))),
                    _ => (None, None),
                };
                let mut facts: Vec<Option<Poly>> =
                    vec![lo.and_then(|lo| this.add(&lo, -1)), hi.and_then(|hi| hi.add(this, -1))];
                if let Some((lo, hi)) = &tensor.facts.range {
                    facts.push(this.add(&self.atoms.form(lo)?, -1));
                    facts.push(self.atoms.form(hi)?.add(this, -1));
                }
                if tensor.facts.nonnegative {
                    facts.push(Some(this.clone()));
                }
                if tensor.facts.nonpositive {
                    facts.push(Poly::default().add(this, -1));
                }
                Some(facts.into_iter().flatten().collect())
            }
            _ => None,
        }
    }

    /// A quick test: every coefficient is ≥ 0 and so is every atom, or a known fact says so.
    fn is_nonneg(&self, p: &Poly) -> bool {
        let plain = p.terms.iter().all(|(m, c)| *c >= 0 && m.iter().all(|a| self.atom_nonneg(*a)));
        plain || self.above_a_fact(p)
    }

    /// A known fact plus a constant ≥ 0.
    fn above_a_fact(&self, p: &Poly) -> bool {
        self.facts.iter().any(|f| p.exceeds(f))
    }

    fn atom_nonneg(&self, a: u32) -> bool {
        match &self.atoms.list[a as usize] {
            Atom::Var(_) | Atom::Extent(_) => true,
            Atom::Div(x, d) => self.is_nonneg(x) && self.is_nonneg(d),
            Atom::Other(_) => self.above_a_fact(&Poly::term(vec![a], 1)),
        }
    }

    fn prove(&mut self, p: &Poly, facts: &[Poly], depth: usize) -> bool {
        if self.is_nonneg(p) {
            return true;
        }
        if depth == 0 || *self.budget == 0 || self.failed.get(p).is_some_and(|d| *d >= depth) {
            return false;
        }
        *self.budget -= 1;
        let proved = self.prove_by_cancelling(p, facts, depth);
        if !proved {
            self.failed.insert(p.clone(), depth);
        }
        proved
    }

    fn prove_by_cancelling(&mut self, p: &Poly, facts: &[Poly], depth: usize) -> bool {
        // Any proof must cancel every negative term, so one of them decides. Products go first, because what cancels
        // them adds terms of lower degree; constants go last.
        let obstacles = p.terms.iter().filter(|(m, c)| self.is_obstacle(m, **c));
        let Some((mono, coef)) = obstacles.max_by_key(|(m, _)| m.len()) else { return false };
        let (mono, coef) = (mono.clone(), *coef);
        facts.iter().any(|f| self.cancel(p, &mono, coef, f, facts, depth))
            || self.quotient_rule(p, facts, depth).unwrap_or(false)
    }

    fn is_obstacle(&self, m: &[u32], c: i64) -> bool {
        c < 0 || !m.iter().all(|a| self.atom_nonneg(*a))
    }

    /// Subtracts a multiple of `f` (times non-negative atoms) that removes the term, and proves the rest.
    fn cancel(&mut self, p: &Poly, mono: &[u32], coef: i64, f: &Poly, facts: &[Poly], depth: usize) -> bool {
        for (m, c) in &f.terms {
            if (*c < 0) != (coef < 0) || m.is_empty() != mono.is_empty() {
                continue;
            }
            let Some(factor) = quotient_of(mono, m) else { continue };
            if !factor.iter().all(|a| self.atom_nonneg(*a)) {
                continue;
            }
            // a·p − b·(factor·f) with a, b > 0 such that the term vanishes.
            let g = gcd(c.unsigned_abs(), coef.unsigned_abs()).max(1);
            let scaled = |x: i64| i64::try_from(x.unsigned_abs() / g).ok();
            let (Some(a), Some(b)) = (scaled(*c), scaled(coef)) else { continue };
            let next = f.times(&factor).and_then(|f| Poly::default().add(p, a)?.add(&f, b.checked_neg()?));
            if next.is_some_and(|n| self.prove(&n, facts, depth - 1)) {
                return true;
            }
        }
        false
    }

    /// `U - x / d ≥ 0` if `d·U + d − 1 − x ≥ 0`, and `x / d + L ≥ 0` if `x + d·L ≥ 0`, for d > 0; for d = 0 the
    /// quotient is 0.
    fn quotient_rule(&mut self, p: &Poly, facts: &[Poly], depth: usize) -> Option<bool> {
        let quotients = p.terms.iter().filter_map(|(m, c)| match (m.as_slice(), c) {
            ([a], 1 | -1) => Some((*a, *c)),
            _ => None,
        });
        for (id, sign) in quotients.collect::<Vec<_>>() {
            let Atom::Div(x, d) = self.atoms.list[id as usize].clone() else { continue };
            let rest = p.add(&Poly::term(vec![id], 1), -sign)?;
            if rest.atoms().any(|a| a == id) || !self.is_nonneg(&d) {
                continue;
            }
            let scaled = if sign < 0 {
                d.mul(&rest)?.add(&d, 1)?.add(&Poly::int(1), -1)?.add(&x, -1)?
            } else {
                x.add(&d.mul(&rest)?, 1)?
            };
            let d_pos = d.constant().is_some_and(|d| d > 0)
                || self.prove(&d.add(&Poly::int(1), -1)?, facts, (depth - 1).min(2));
            if (d_pos || self.prove(&rest, facts, depth - 1)) && self.prove(&scaled, facts, depth - 1) {
                return Some(true);
            }
        }
        Some(false)
    }
}

/// `0 ≤ x − d·q ≤ d − 1` for q = x / d and d > 0.
fn quotient_bounds(q: &Poly, x: &Poly, d: &Poly) -> Option<Vec<Poly>> {
    let rest = x.add(&d.mul(q)?, -1)?;
    Some(vec![d.add(&Poly::int(1), -1)?.add(&rest, -1)?, rest])
}

/// `a / b` as products of atoms.
fn quotient_of(a: &[u32], b: &[u32]) -> Option<Vec<u32>> {
    let mut rest = a.to_vec();
    for x in b {
        let i = rest.iter().position(|y| y == x)?;
        rest.remove(i);
    }
    Some(rest)
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
