//! INLINE: map nodes are substituted into their readers.
//!
//! Domains need no care: every conjunct is explicit on every node, so a reader is evaluated only where the values it
//! reads are present, and evaluating their definition instead is the same (value semantics).

use super::util::{rewrite, size};
use super::{Pass, PassCx, Report, Run};
use crate::cascade::{Cascade, Expr, Node, OutIdx, RankId, TensorId, TensorKind};
use crate::diag::{Code, Refusal};

/// The pass.
pub(super) static PASS: Pass = Pass {
    name: "inline",
    summary: "substitute map nodes into their readers",
    post: "no node reads a map, except a map of states that is read at another generation",
    run: Run::Cascade(run),
};

/// A map by its variables and its body.
struct Map {
    vars: Vec<RankId>,
    body: Expr,
    /// Iterative ranks at which the body reads states: readers must not shift them.
    generations: Vec<RankId>,
}

fn run(c: &mut Cascade, cx: &PassCx) -> Result<Report, Vec<Refusal>> {
    let mut report = Report::default();
    substitute(c, cx, &mut report)?;
    Ok(report)
}

/// The work, for passes that make maps themselves.
pub(super) fn substitute(c: &mut Cascade, cx: &PassCx, report: &mut Report) -> Result<(), Vec<Refusal>> {
    let states: Vec<TensorId> = c.nodes.iter().filter(|n| n.is_stateful()).map(|n| n.out).collect();
    let mut maps: Vec<Option<Map>> = c.tensors.iter().map(|_| None).collect();
    for i in 0..c.nodes.len() {
        let mut node = c.nodes[i].clone();
        let mut into = Inliner { maps: &maps, used: vec![] };
        super::util::map_node(&mut node, &mut |e| into.expr(e));
        let used = into.used;
        if let Some(big) = node.exprs().map(size).find(|s| *s > cx.max_body) {
            return Err(vec![too_large(c, &node, big, cx.max_body)]);
        }
        if !used.is_empty() {
            let names: Vec<&str> = used.iter().map(|t| c.tensor(*t).name.as_str()).collect();
            report.note(format!("INLINE: {} substituted into {}", names.join(", "), c.tensor(node.out).name));
        }
        maps[node.out.index()] = as_map(c, &node, &states);
        c.nodes[i] = node;
    }
    Ok(())
}

/// The node as something to substitute: no reduction, no recurrence, and not an `inout`, whose readers see the value
/// before the launch.
fn as_map(c: &Cascade, n: &Node, states: &[TensorId]) -> Option<Map> {
    if n.reduce.is_some() || n.is_stateful() || c.tensor(n.out).kind == TensorKind::InOut {
        return None;
    }
    let mut generations = vec![];
    n.body.walk(&mut |e| {
        if let Expr::Read(t, idx) = e
            && states.contains(t)
        {
            generations.extend(
                n.out_ranks().into_iter().filter(|r| c.ranks[r.index()].iter && idx.iter().any(|i| i.mentions(*r))),
            );
        }
    });
    Some(Map { vars: n.vars.iter().filter_map(plain_var).collect(), body: n.body.clone(), generations })
}

fn plain_var(v: &OutIdx) -> Option<RankId> {
    match v {
        OutIdx::Var(r) => Some(*r),
        OutIdx::Next(_) | OutIdx::Prev(_) | OutIdx::At(_) => None,
    }
}

struct Inliner<'a> {
    maps: &'a [Option<Map>],
    used: Vec<TensorId>,
}

impl Inliner<'_> {
    fn expr(&mut self, e: &Expr) -> Expr {
        rewrite(e, &mut |x| {
            let Expr::Read(t, idx) = &x else { return x };
            let Some(map) = &self.maps[t.index()] else { return x };
            let at = |r: RankId| map.vars.iter().position(|v| *v == r).map(|i| idx[i].clone());
            if map.generations.iter().any(|g| at(*g) != Some(Expr::Var(*g))) {
                return x;
            }
            if !self.used.contains(t) {
                self.used.push(*t);
            }
            map.body.subst(&at)
        })
    }
}

fn too_large(c: &Cascade, n: &Node, size: usize, limit: usize) -> Refusal {
    let name = &c.tensor(n.out).name;
    let mut r = Refusal::new(
        Code::UNSUPPORTED,
        &n.origin,
        format!(
            "`{name}` grows to {size} operations when the maps that it reads are substituted (the limit is {limit})"
        ),
    );
    r.help = Some("split the chain of maps, or make one of them an output".to_string());
    r
}
