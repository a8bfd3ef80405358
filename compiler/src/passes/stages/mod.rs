//! STAGES: from a rewritten cascade to stages of passes (L1 → L2), one pass a barrier level.
//!
//! Assumes that maps are inlined: what is left are reductions and the maps that define outputs. Guarantees that
//! every reduction is placed: an accumulator of one stage (*state*), evaluated where it is read (*inline*), or stored
//! by a stage of its own (*memory*); and that nothing over grid × streamed ranks is stored unless it is an output.
//!
//! 1. `normalise` gives every output its own map, so that what is stored and what is folded have different names.
//! 2. `grid` splits the left side of a stored node into grid ranks and value ranks.
//! 3. `reads` walks from a stored node through what it reads and places every reduction.
//! 4. `scan` finds what a recurrence computes; the rest reads it from memory.
//! 5. `plan` repeats this until the set of stored reductions is stable, and merges stages that share state.
//! 6. `build` writes the stages; `passes` orders the accumulators of a stage into passes.

mod build;
mod grid;
mod normalise;
mod passes;
mod plan;
mod reads;
mod scan;
#[cfg(test)]
mod tests;

use super::{Pass, PassCx, Report, Run};
use crate::cascade::{Cascade, Expr, Node, OutIdx, RankId, TensorId, TensorKind};
use crate::diag::{Code, Refusal};
use crate::stream::Stream;
use std::collections::BTreeSet;

pub(in crate::passes) use passes::{Member, merge_domain, order, split_domain};

/// Forms stages.
pub(in crate::passes) static PASS: Pass = Pass {
    name: "stages",
    summary: "places every reduction and forms stages of passes",
    post: "L2; every barrier starts a new pass",
    run: Run::Stages(run),
};

fn run(c: &Cascade, _: &PassCx) -> Result<(Stream, Report), Vec<Refusal>> {
    let s = stages(c)?;
    let mut report = Report::default();
    for stage in &s.stages {
        let n = stage.passes.len();
        report.note(format!("STAGES: `{}` has {n} {}", stage.name, if n == 1 { "pass" } else { "passes" }));
    }
    Ok((s, report))
}

/// Forms stages. Every barrier starts a new pass; `fuse` merges them afterwards.
pub fn stages(c: &Cascade) -> Result<Stream, Vec<Refusal>> {
    let refusals = unsupported(c);
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let c = normalise::normalise(c);
    let scans = scan::scans(&c)?;
    let groups = plan::plan(&c, &scans)?;
    Ok(build::build(&c, &groups))
}

/// What has no stages yet.
fn unsupported(c: &Cascade) -> Vec<Refusal> {
    let mut out: Vec<Refusal> = vec![];
    for n in &c.nodes {
        if c.tensor(n.out).kind == TensorKind::InOut && reads_elsewhere(c, n.out, &n.out_ranks()) {
            out.push(Refusal::new(
                Code::UNSUPPORTED,
                &n.origin,
                format!("`{}` is written while it is read at other points", c.tensor(n.out).name),
            ));
        }
    }
    out
}

/// True if a node reads `t` at another point than the one that the writer of `t` is at.
fn reads_elsewhere(c: &Cascade, t: TensorId, vars: &[RankId]) -> bool {
    let own: Vec<Expr> = vars.iter().map(|r| Expr::Var(*r)).collect();
    let mut found = false;
    for n in &c.nodes {
        n.exprs().for_each(|e| {
            e.walk(&mut |x| {
                if let Expr::Read(u, idx) = x {
                    found |= *u == t && (n.out != t || *idx != own || n.reduce.is_some());
                }
            })
        });
    }
    found
}

/// A cascade with its definitions by tensor.
pub(in crate::passes) struct Defs<'a> {
    /// The cascade.
    pub(in crate::passes) c: &'a Cascade,
    by_tensor: Vec<Option<usize>>,
    /// Intermediates that count as memory.
    hidden: BTreeSet<TensorId>,
}

impl<'a> Defs<'a> {
    /// Indexes a cascade.
    pub(in crate::passes) fn new(c: &'a Cascade) -> Self {
        Defs::without(c, BTreeSet::new())
    }

    /// Indexes a cascade in which some intermediates are in memory.
    fn without(c: &'a Cascade, hidden: BTreeSet<TensorId>) -> Self {
        let mut by_tensor = vec![None; c.tensors.len()];
        for (i, n) in c.nodes.iter().enumerate() {
            by_tensor[n.out.index()] = Some(i);
        }
        Defs { c, by_tensor, hidden }
    }

    /// Position of the node that defines `t`.
    pub(in crate::passes) fn position(&self, t: TensorId) -> Option<usize> {
        self.by_tensor[t.index()]
    }

    /// The node that defines the intermediate `t`; `None` for everything that is in memory anyway, and for states: a scan holds
    /// them, and what is below a state reads the state again.
    pub(in crate::passes) fn local(&self, t: TensorId) -> Option<&'a Node> {
        if self.c.tensor(t).kind != TensorKind::Let || self.hidden.contains(&t) {
            return None;
        }
        self.position(t).map(|i| &self.c.nodes[i]).filter(|n| !n.is_stateful())
    }
}

/// Rank variables that occur in an expression, each once, in order.
pub(in crate::passes) fn ranks_of<'e>(es: impl IntoIterator<Item = &'e Expr>) -> Vec<RankId> {
    let mut out = vec![];
    for e in es {
        e.walk(&mut |x| {
            if let Expr::Var(r) = x
                && !out.contains(r)
            {
                out.push(*r);
            }
        });
    }
    out
}

/// The rank variables of an index that consists of distinct bare variables.
pub(in crate::passes) fn bare(idx: &[Expr]) -> Option<Vec<RankId>> {
    let mut out = vec![];
    for e in idx {
        match e {
            Expr::Var(r) if !out.contains(r) => out.push(*r),
            _ => return None,
        }
    }
    Some(out)
}

/// Rank variables of a left side without generations.
pub(in crate::passes) fn plain_vars(n: &Node) -> Vec<RankId> {
    n.vars
        .iter()
        .filter_map(|v| match v {
            OutIdx::Var(r) => Some(*r),
            OutIdx::Next(_) | OutIdx::Prev(_) | OutIdx::At(_) => None,
        })
        .collect()
}
