//! What is right but slower than it looks: predicates from which no bounds follow (A-MASK), and recurrences that cannot be
//! computed in chunks (A-REC).
//!
//! Assumes an elaborated kernel without errors. The notes change nothing, and nothing silences them: they say what the
//! source cannot show.

use super::elab::Elab;
use crate::cascade::{Expr, Node, RankId, TensorId};
use crate::diag::{Code, Diagnostic, SrcSpan};
use crate::passes::recurrence::{Degree, Degrees, coupled_states};
use crate::types::ValueType;
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
            let Some((_, rank, _)) = n.step() else { continue };
            let degrees = Degrees::of(&self.c.nodes[..i], &coupled[&n.out]);
            if degrees.degree(&n.body) < Degree::Nonlinear {
                continue;
            }
            let (name, rank) = (&self.c.tensor(n.out).name, &self.c.ranks[rank.index()].name);
            let message = format!("the update of `{name}` is not linear in `{name}`: it is sequential over {rank}");
            let note = format!("`{}` is what is not linear", self.text(degrees.culprit(&n.body)));
            let help = format!(
                "an update such as `a * {name} + b`, where `a` and `b` do not read it, can be computed in chunks"
            );
            out.push(Diagnostic::note_about(Code::REC, self.spans.get(n.origin.span), message).note(note).help(help));
        }
        out
    }
}
