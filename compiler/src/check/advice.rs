//! What is right but slower than it looks: predicates from which no bounds follow (A-MASK), and recurrences that cannot be
//! computed in chunks (A-REC).
//!
//! Assumes an elaborated kernel without errors. The notes change nothing, and nothing silences them: they say what the
//! source cannot show.

use super::elab::Elab;
use crate::cascade::{Cascade, Expr, Node, OutIdx, RankId, TensorId};
use crate::diag::{Code, Diagnostic, SrcSpan};
use crate::types::{BinOp, RedOp, UnOp, ValueType};
use std::collections::{BTreeMap, BTreeSet};

/// Where `where` predicates look elements up.
pub(super) type Lookups = BTreeMap<TensorId, SrcSpan>;

impl Elab<'_> {
    /// Notes about the kernel.
    pub(super) fn advice(&self) -> Vec<Diagnostic> {
        let mut out = self.opaque_predicates();
        out.extend(self.sequential_recurrences());
        out
    }

    /// One note for each tensor whose elements decide, point by point, what a reduction folds.
    fn opaque_predicates(&self) -> Vec<Diagnostic> {
        let mut seen = BTreeSet::new();
        let mut out = vec![];
        for n in &self.c.nodes {
            for conjunct in &n.fold {
                conjunct.walk(&mut |e| {
                    if let Expr::Read(t, idx) = e
                        && let Some(span) = self.lookups.get(t)
                        && let Some(rank) = self.opaque_over(n, *t, idx)
                        && seen.insert(*t)
                    {
                        out.push(self.opaque(e, *t, rank, *span));
                    }
                });
            }
        }
        out
    }

    /// The reduced rank along which elements of `t` decide; none if bounds follow from them.
    fn opaque_over(&self, n: &Node, t: TensorId, idx: &[Expr]) -> Option<RankId> {
        let tensor = self.c.tensor(t);
        let monotone = tensor.facts.sorted && tensor.dtype.value_type() == ValueType::Index;
        // A sorted tensor gives bounds along its last dimension.
        let looked_at = if monotone { &idx[..idx.len().saturating_sub(1)] } else { idx };
        n.reduced().iter().copied().find(|r| looked_at.iter().any(|i| i.mentions(*r)))
    }

    fn opaque(&self, e: &Expr, t: TensorId, rank: RankId, span: SrcSpan) -> Diagnostic {
        let var = self.var_text(rank);
        let name = &self.c.tensor(t).name;
        let message = format!("the predicate on `{}` is opaque: it skips no tile over `{var}`", self.text(e));
        let help = match self.c.tensor(t).dtype.value_type() {
            ValueType::Index => format!("promise `#[sorted]` if the elements of `{name}` do not decrease"),
            ValueType::Bool | ValueType::Float => {
                format!(
                    "bounds follow from comparisons of `{var}` with other indices, or with elements at other indices"
                )
            }
        };
        Diagnostic::note_about(Code::MASK, span, message)
            .note("tiles that no other condition skips are evaluated element by element")
            .help(help)
    }

    /// One note for each update that is not linear in its state.
    fn sequential_recurrences(&self) -> Vec<Diagnostic> {
        let coupled = coupled_states(&self.c);
        let mut out = vec![];
        for (i, n) in self.c.nodes.iter().enumerate() {
            let iterative = n.vars.iter().find_map(|v| match v {
                OutIdx::Next(r) | OutIdx::Prev(r) => Some(*r),
                OutIdx::Var(_) | OutIdx::At(_) => None,
            });
            let Some(rank) = iterative else { continue };
            let degrees = degrees(&self.c.nodes[..i], &coupled[&n.out]);
            if degree(&n.body, &degrees) < Degree::Nonlinear {
                continue;
            }
            let (name, rank) = (&self.c.tensor(n.out).name, &self.c.ranks[rank.index()].name);
            let message = format!("the update of `{name}` is not linear in `{name}`: it is sequential over {rank}");
            let note = format!("`{}` is what is not linear", self.text(culprit(&n.body, &degrees)));
            let help = format!(
                "an update such as `a * {name} + b`, where `a` and `b` do not read it, can be computed in chunks"
            );
            out.push(Diagnostic::note_about(Code::REC, self.spans.get(n.origin.span), message).note(note).help(help));
        }
        out
    }
}

/// How a value depends on a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Degree {
    /// Not at all.
    Free,
    /// As `a · state + b`.
    Affine,
    /// In any other way.
    Nonlinear,
}

type Degrees = BTreeMap<TensorId, Degree>;

/// For each state, the states that depend on it and that it depends on, itself among them.
fn coupled_states(c: &Cascade) -> BTreeMap<TensorId, BTreeSet<TensorId>> {
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

/// How what `nodes` define depends on `states`.
fn degrees(nodes: &[Node], states: &BTreeSet<TensorId>) -> Degrees {
    let mut out: Degrees = states.iter().map(|t| (*t, Degree::Affine)).collect();
    for n in nodes.iter().filter(|n| !states.contains(&n.out)) {
        let linear = n.reduce.as_ref().is_none_or(|r| r.op == RedOp::Sum);
        let mut d = degree(&n.body, &out);
        if d > Degree::Free && !linear || n.fold.iter().chain(&n.dom).any(|e| degree(e, &out) > Degree::Free) {
            d = Degree::Nonlinear;
        }
        out.insert(n.out, d);
    }
    out
}

fn degree(e: &Expr, of: &Degrees) -> Degree {
    let any = |es: &[&Expr]| {
        let free = es.iter().all(|e| degree(e, of) == Degree::Free);
        if free { Degree::Free } else { Degree::Nonlinear }
    };
    match e {
        Expr::Int(_) | Expr::Float(_) | Expr::Bool(_) | Expr::Var(_) | Expr::Extent(_) | Expr::Scalar(_) => {
            Degree::Free
        }
        Expr::Read(t, idx) => any(&idx.iter().collect::<Vec<_>>()).max(of.get(t).copied().unwrap_or(Degree::Free)),
        Expr::Unary(UnOp::Neg, a) => degree(a, of),
        Expr::Unary(_, a) | Expr::Cast(_, a) => any(&[a]),
        Expr::Binary(BinOp::Add | BinOp::Sub, a, b) => degree(a, of).max(degree(b, of)),
        Expr::Binary(BinOp::Mul, a, b) => match (degree(a, of), degree(b, of)) {
            (Degree::Free, d) | (d, Degree::Free) => d,
            _ => Degree::Nonlinear,
        },
        Expr::Binary(BinOp::Div, a, b) => degree(a, of).max(any(&[b])),
        Expr::Binary(_, a, b) => any(&[a, b]),
        Expr::Select(c, a, b) => degree(a, of).max(degree(b, of)).max(any(&[c])),
    }
}

/// The innermost part that is not linear.
fn culprit<'e>(e: &'e Expr, of: &Degrees) -> &'e Expr {
    let inner = e.children().into_iter().find(|x| degree(x, of) == Degree::Nonlinear);
    inner.map_or(e, |x| culprit(x, of))
}
