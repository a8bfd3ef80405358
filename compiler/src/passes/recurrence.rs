//! Recognition of recurrences: how the next generation of a state depends on the last one.
//!
//! An update that is affine in its state composes: any bracketing of its steps gives the same result, so spans of them
//! can be computed apart (middle-end classes R0 to R6 and Rx). The class says how compact the composed step is. Assumes a verified
//! cascade; guarantees that a class other than R7 is claimed only if every coupled update is affine.

use super::terms::{Mono, Poly};
use crate::cascade::{Cascade, Expr, Node, OutIdx, RankId, TensorId, TensorKind};
use crate::types::{BinOp, RedOp, UnOp};
use std::collections::{BTreeMap, BTreeSet};

/// What multiplies the state in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Nothing: the state accumulates.
    R0,
    /// A factor that does not change over the generations.
    R1,
    /// A scalar of each generation.
    R2,
    /// A vector of each generation along some, but not all, of the state's ranks.
    R3,
    /// A diagonal and a matrix of rank one: delta rules.
    R4,
    /// Several matrices of rank one after another.
    R5,
    /// A matrix: every element of the new state mixes all of the last one.
    R6,
    /// A factor for every element: no form with matrix products.
    Rx,
    /// The update is not affine in the state.
    R7,
}

impl Class {
    /// The class as the literature counts it, with what the step multiplies the state by.
    pub fn describe(self) -> &'static str {
        match self {
            Class::R0 => "R0: the state accumulates",
            Class::R1 => "R1: a constant decay",
            Class::R2 => "R2: a scalar gate",
            Class::R3 => "R3: a gate for each channel",
            Class::R4 => "R4: a correction of rank one",
            Class::R5 => "R5: several corrections of rank one",
            Class::R6 => "R6: a matrix",
            Class::Rx => "Rx: a gate for each element",
            Class::R7 => "R7: not affine in the state, sequential",
        }
    }
}

/// The states of a cascade with their classes, in the order of their updates.
pub fn classes(c: &Cascade) -> Vec<(TensorId, Class)> {
    let coupled = coupled_states(c);
    c.nodes.iter().filter(|n| n.step().is_some()).map(|n| (n.out, class(c, n, &coupled[&n.out]))).collect()
}

fn class(c: &Cascade, step: &Node, group: &BTreeSet<TensorId>) -> Class {
    let degrees = Degrees::of(&c.nodes, group);
    let of_group = |n: &&Node| group.contains(&n.out);
    if c.nodes.iter().filter(of_group).any(|n| degrees.node(n) == Degree::Nonlinear) {
        return Class::R7;
    }
    let a = Analysis { c, degrees: &degrees };
    if a.mixes(group) {
        return Class::R6;
    }
    match c.nodes.iter().filter(of_group).map(|n| a.corrections(&n.body)).max() {
        Some(1) => return Class::R4,
        Some(n) if n > 1 => return Class::R5,
        _ => {}
    }
    let mut step_terms = StepTerms { contracted: a.contracted(), ..StepTerms::default() };
    a.terms(&a.inline(&step.body), &[], &mut step_terms);
    step_terms.class(step)
}

/// What the terms of an affine update have beside the state.
#[derive(Default)]
struct StepTerms {
    /// Rank variables of the factors of the state.
    gate: BTreeSet<RankId>,
    /// A factor other than 1 occurs.
    gated: bool,
    /// Rank variables of each factor of the terms without the state.
    source: Vec<BTreeSet<RankId>>,
    /// Ranks that what reads the state sums over.
    contracted: BTreeSet<RankId>,
}

impl StepTerms {
    fn class(&self, step: &Node) -> Class {
        let own: BTreeSet<RankId> =
            step.vars.iter().filter_map(|v| if let OutIdx::Var(r) = v { Some(*r) } else { None }).collect();
        let generations = step.out_ranks().into_iter().find(|r| !own.contains(r));
        let timed = generations.is_some_and(|t| self.gate.contains(&t));
        // Ranks that every factor of what is added has are a batch: nothing distinguishes their points.
        let batch = self.source.iter().fold(own.clone(), |all, f| all.intersection(f).copied().collect());
        let mut value: BTreeSet<RankId> = own.difference(&batch).copied().collect();
        // A gate along some of the ranks that nothing sums over, heads say, is a scalar at each of their points.
        let free: Vec<RankId> = value.iter().filter(|r| !self.contracted.contains(r)).copied().collect();
        let heads: Vec<RankId> = free.iter().filter(|r| self.gate.contains(r)).copied().collect();
        if heads.len() < free.len() {
            value.retain(|r| !heads.contains(r));
        }
        let gate = self.gate.intersection(&value).count();
        match (self.gated, timed) {
            _ if value.is_empty() || (gate > 0 && gate == value.len()) => Class::Rx,
            (false, _) => Class::R0,
            _ if gate > 0 => Class::R3,
            (true, false) => Class::R1,
            (true, true) => Class::R2,
        }
    }
}

struct Analysis<'a> {
    c: &'a Cascade,
    degrees: &'a Degrees,
}

impl Analysis<'_> {
    /// The maps that depend on the state, substituted.
    fn inline(&self, e: &Expr) -> Expr {
        let e = e.map_children(&mut |x| self.inline(x));
        let Expr::Read(t, idx) = &e else { return e };
        match self.map(*t) {
            Some(n) => {
                let vars = n.out_ranks();
                let at = |r: RankId| vars.iter().position(|v| *v == r).map(|i| idx[i].clone());
                self.inline(&n.body).subst(&at)
            }
            None => e,
        }
    }

    /// The node of an intermediate map that depends on the state.
    fn map(&self, t: TensorId) -> Option<&Node> {
        let n = self.c.def(t).filter(|n| !n.is_stateful() && self.c.tensor(t).kind == TensorKind::Let)?;
        (n.reduce.is_none() && self.degrees.tensor(t) == Degree::Affine).then_some(n)
    }

    /// True if a sum over one of the state's ranks still has that rank: a product with a matrix.
    fn mixes(&self, group: &BTreeSet<TensorId>) -> bool {
        let sums = self.c.nodes.iter().filter(|n| n.reduce.is_some() && self.degrees.tensor(n.out) == Degree::Affine);
        let mut found = false;
        for n in sums {
            self.inline(&n.body).walk(&mut |e| {
                let Expr::Read(t, idx) = e else { return };
                let Some(step) = group.get(t).and_then(|t| self.c.def(*t)) else { return };
                let kept = n.out_ranks();
                let mixed = |(v, i): (&OutIdx, &Expr)| {
                    matches!(v, OutIdx::Var(r) if kept.contains(r) && n.reduced().iter().any(|m| i.mentions(*m)))
                };
                found |= step.vars.iter().zip(idx).any(mixed);
            });
        }
        found
    }

    /// Reductions of the state under each other: each of them is a correction of rank one.
    fn corrections(&self, e: &Expr) -> usize {
        let below = e.children().into_iter().map(|x| self.corrections(x)).max().unwrap_or(0);
        let Expr::Read(t, _) = e else { return below };
        let def = self.c.def(*t).filter(|n| !n.is_stateful() && self.degrees.tensor(*t) == Degree::Affine);
        let own = def.map_or(0, |n| usize::from(n.reduce.is_some()) + self.corrections(&n.body));
        below.max(own)
    }

    /// Collects the terms of an update; `factors` stand around all of it.
    fn terms(&self, e: &Expr, factors: &[Expr], out: &mut StepTerms) {
        for m in Poly::of(e).monos {
            let state = m.atoms.iter().find(|(a, _)| self.degrees.degree(a) == Degree::Affine).map(|(a, _)| a.clone());
            let rest: Vec<Expr> =
                m.atoms.iter().map(|(a, _)| a).filter(|a| Some(*a) != state.as_ref()).chain(factors).cloned().collect();
            match state {
                None => out.source.extend(rest.iter().map(|f| self.ranks(f)).filter(|r| !r.is_empty())),
                Some(Expr::Select(c, a, b)) => {
                    let around: Vec<Expr> = rest.into_iter().chain([*c]).collect();
                    self.terms(&a, &around, out);
                    self.terms(&b, &around, out);
                }
                Some(_) => self.gate(&m, &rest, out),
            }
        }
    }

    fn gate(&self, m: &Mono, rest: &[Expr], out: &mut StepTerms) {
        out.gated |= m.coef != 1.0 || !rest.is_empty();
        rest.iter().for_each(|f| out.gate.extend(self.ranks(f)));
    }

    /// Ranks over which values that depend on the state are summed.
    fn contracted(&self) -> BTreeSet<RankId> {
        let moving = |n: &&Node| self.degrees.degree(&n.body) > Degree::Free;
        self.c.nodes.iter().filter(moving).flat_map(|n| n.reduced().to_vec()).collect()
    }

    fn ranks(&self, e: &Expr) -> BTreeSet<RankId> {
        let mut out = BTreeSet::new();
        e.walk(&mut |x| {
            if let Expr::Var(r) = x {
                out.insert(*r);
            }
        });
        out
    }
}

/// How a value depends on a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Degree {
    /// Not at all.
    Free,
    /// As `a · state + b`.
    Affine,
    /// In any other way.
    Nonlinear,
}

/// How the tensors of a cascade depend on some states.
pub(crate) struct Degrees(BTreeMap<TensorId, Degree>);

/// For each state, the states that depend on it and that it depends on, itself among them.
pub(crate) fn coupled_states(c: &Cascade) -> BTreeMap<TensorId, BTreeSet<TensorId>> {
    let states: BTreeSet<TensorId> = c.nodes.iter().filter(|n| n.is_stateful()).map(|n| n.out).collect();
    let mut below: BTreeMap<TensorId, BTreeSet<TensorId>> = BTreeMap::new();
    // States are read before they are defined, so one sweep does not reach everything.
    let mut grown = true;
    while std::mem::take(&mut grown) {
        for n in &c.nodes {
            let reads: BTreeSet<TensorId> = n.exprs().flat_map(Expr::reads).collect();
            let through: BTreeSet<TensorId> = reads.iter().filter_map(|t| below.get(t)).flatten().copied().collect();
            let own = reads.into_iter().filter(|t| states.contains(t));
            let known = below.entry(n.out).or_default();
            let before = known.len();
            known.extend(own.chain(through));
            grown |= known.len() > before;
        }
    }
    let depends = |a: &TensorId, b: &TensorId| below.get(a).is_some_and(|s| s.contains(b));
    let group = |s: &TensorId| states.iter().filter(|t| *t == s || depends(s, t) && depends(t, s)).copied().collect();
    states.iter().map(|s| (*s, group(s))).collect()
}

impl Degrees {
    /// How what `nodes` define depends on `states`.
    pub(crate) fn of(nodes: &[Node], states: &BTreeSet<TensorId>) -> Degrees {
        let mut out = Degrees(states.iter().map(|t| (*t, Degree::Affine)).collect());
        for n in nodes.iter().filter(|n| !states.contains(&n.out)) {
            let d = out.node(n);
            out.0.insert(n.out, d);
        }
        out
    }

    /// Of a tensor.
    fn tensor(&self, t: TensorId) -> Degree {
        self.0.get(&t).copied().unwrap_or(Degree::Free)
    }

    /// Of the right side of a node.
    fn node(&self, n: &Node) -> Degree {
        let d = self.degree(&n.body);
        let linear = n.reduce.as_ref().is_none_or(|r| r.op == RedOp::Sum);
        let chosen = n.fold.iter().chain(&n.dom).any(|e| self.degree(e) > Degree::Free);
        if (d > Degree::Free && !linear) || chosen { Degree::Nonlinear } else { d }
    }

    /// Of an expression.
    pub(crate) fn degree(&self, e: &Expr) -> Degree {
        match e {
            Expr::Int(_) | Expr::Float(_) | Expr::Bool(_) | Expr::Var(_) | Expr::Extent(_) | Expr::Scalar(_) => {
                Degree::Free
            }
            Expr::Read(t, idx) => self.any(idx).max(self.tensor(*t)),
            Expr::Unary(UnOp::Neg, a) => self.degree(a),
            Expr::Unary(_, a) | Expr::Cast(_, a) => self.any([&**a]),
            Expr::Binary(BinOp::Add | BinOp::Sub, a, b) => self.degree(a).max(self.degree(b)),
            Expr::Binary(BinOp::Mul, a, b) => match (self.degree(a), self.degree(b)) {
                (Degree::Free, d) | (d, Degree::Free) => d,
                _ => Degree::Nonlinear,
            },
            Expr::Binary(BinOp::Div, a, b) => self.degree(a).max(self.any([&**b])),
            Expr::Binary(_, a, b) => self.any([&**a, &**b]),
            Expr::Select(c, a, b) => self.degree(a).max(self.degree(b)).max(self.any([&**c])),
        }
    }

    /// Of something that is not linear in any of these.
    fn any<'e>(&self, es: impl IntoIterator<Item = &'e Expr>) -> Degree {
        let free = es.into_iter().all(|e| self.degree(e) == Degree::Free);
        if free { Degree::Free } else { Degree::Nonlinear }
    }

    /// The innermost part that is not linear.
    pub(crate) fn culprit<'e>(&self, e: &'e Expr) -> &'e Expr {
        let inner = e.children().into_iter().find(|x| self.degree(x) == Degree::Nonlinear);
        inner.map_or(e, |x| self.culprit(x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Options, check};
    use crate::syntax::parse_str;

    /// `name: state class, ..` of every kernel with a recurrence.
    fn found() -> Vec<String> {
        let mut out = vec![];
        for (_, text) in crate::library::FILES {
            let (checked, _) = check(&parse_str(text).0, &Options::default());
            for c in checked.kernels.iter().filter_map(|k| k.members.first()) {
                let all = classes(c);
                let text: Vec<String> = all.iter().map(|(t, k)| format!("{} {k:?}", c.tensor(*t).name)).collect();
                if !text.is_empty() {
                    out.push(format!("{}: {}", c.name, text.join(", ")));
                }
            }
        }
        out
    }

    #[test]
    fn classes_of_the_library() {
        let want: Vec<&str> = include_str!("recurrence_classes.txt").lines().collect();
        assert_eq!(found(), want, "{}", found().join("\n"));
    }
}
