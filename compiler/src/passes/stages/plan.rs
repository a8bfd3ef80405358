//! Which reductions are stored, and which stored nodes share a stage: a fixed point over the placements of all roots.

use super::grid::{Root, is_populate};
use super::normalise::copy_node;
use super::reads::{Placed, place};
use super::scan::{Family, Scans};
use super::{Defs, bare};
use crate::cascade::{Cascade, Expr, Extent, Node, RankId, TensorId, TensorKind};
use crate::diag::{Code, Refusal};
use std::collections::BTreeSet;

/// The stored nodes of one stage.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// Roots in definition order.
    pub(super) roots: Vec<Root>,
    /// What they read.
    pub(super) placed: Placed,
    /// The scan that computes them.
    pub(super) scan: Option<Family>,
}

/// State of the fixed point.
struct Planner<'a> {
    d: Defs<'a>,
    scans: &'a Scans,
    /// Reductions that some stage stores.
    stored: BTreeSet<TensorId>,
    /// (root, reduction): the root reads it from memory although it could hold it.
    forced: BTreeSet<(TensorId, TensorId)>,
    /// Reductions that were stored for nothing; each is dropped once, so that the rounds end.
    dropped: BTreeSet<TensorId>,
}

/// Plans the stages of a normalised cascade, in execution order.
pub(super) fn plan(c: &Cascade, scans: &Scans) -> Result<Vec<Group>, Vec<Refusal>> {
    let d = Defs::without(c, scans.hidden.clone());
    let stored = populated(c).union(&scans.needs).copied().collect();
    let mut p = Planner { d, scans, stored, forced: BTreeSet::new(), dropped: BTreeSet::new() };
    // Almost every round adds to `stored` or `forced`, and both are bounded.
    let rounds = (c.nodes.len() + 1) * (c.nodes.len() + 1);
    for _ in 0..rounds {
        let roots = p.roots();
        let placed: Vec<Placed> = roots.iter().map(|r| p.place(r, &roots)).collect();
        if p.learn(&roots, &placed) {
            continue;
        }
        let unread = p.unread(&placed);
        if !unread.is_empty() {
            // An earlier round wanted it; now its readers hold it or are gone, so dropping it changes no placement.
            p.stored.retain(|t| !unread.contains(t));
            p.dropped.extend(unread);
            continue;
        }
        let groups = p.merge(roots, placed);
        if !p.split_shared(&groups) {
            return in_order(c, groups);
        }
    }
    Err(vec![stuck(c)])
}

fn stuck(c: &Cascade) -> Refusal {
    let origin = c.nodes.last().map(|n| n.origin.clone()).unwrap_or_default();
    Refusal::new(Code::UNSUPPORTED, &origin, "the stages of this kernel depend on each other in a circle")
}

/// Reductions that yield coordinates are stored from the start, unless they are never read.
fn populated(c: &Cascade) -> BTreeSet<TensorId> {
    let read: BTreeSet<TensorId> = c.nodes.iter().flat_map(|n| n.exprs().flat_map(Expr::reads)).collect();
    let is_let = |t: TensorId| c.tensor(t).kind == TensorKind::Let;
    c.nodes.iter().filter(|n| is_populate(n) && is_let(n.out) && read.contains(&n.out)).map(|n| n.out).collect()
}

impl Planner<'_> {
    fn roots(&self) -> Vec<Root> {
        let c = self.d.c;
        let mut roots = vec![];
        for n in &c.nodes {
            let kind = c.tensor(n.out).kind;
            if self.scans.groups.iter().any(|g| g.roots.iter().any(|r| r.key == n.out)) {
                continue;
            }
            if matches!(kind, TensorKind::Out | TensorKind::InOut) {
                if !self.is_copy_of_stored(n) {
                    roots.push(Root::new(&self.d, self.own_key(n), n.clone()));
                }
            } else if self.stored.contains(&n.out) {
                let node = self.output_copy(n.out).cloned().unwrap_or_else(|| copy_node(n, n.out, n.out));
                roots.push(Root::new(&self.d, n.out, node));
            }
        }
        roots
    }

    /// A populate reduction that is an output is its own root: the output's map stands for it.
    fn own_key(&self, n: &Node) -> TensorId {
        match &n.body {
            Expr::Read(t, _) if self.d.local(*t).is_some_and(is_populate) => *t,
            _ => n.out,
        }
    }

    /// The output that is nothing but a copy of the stored reduction `t`, without a rounding of its own.
    fn output_copy(&self, t: TensorId) -> Option<&Node> {
        let c = self.d.c;
        let serves = |n: &&Node| {
            c.tensor(n.out).kind == TensorKind::Out && c.tensor(n.out).dtype == c.tensor(t).dtype && is_copy(n, t)
        };
        c.nodes.iter().find(serves)
    }

    fn is_copy_of_stored(&self, n: &Node) -> bool {
        let Expr::Read(t, _) = &n.body else { return false };
        self.stored.contains(t) && self.output_copy(*t).is_some_and(|m| m.out == n.out)
    }

    fn place(&self, root: &Root, roots: &[Root]) -> Placed {
        let far = |t: TensorId| {
            self.forced.contains(&(root.key, t))
                || (self.stored.contains(&t) && !roots.iter().any(|r| r.key == t && same_grid(r, root)))
        };
        place(&self.d, root, &far)
    }

    /// Adds what has to be stored; true if anything is new.
    fn learn(&mut self, roots: &[Root], placed: &[Placed]) -> bool {
        let before = (self.stored.len(), self.forced.len());
        for (r, p) in roots.iter().zip(placed) {
            self.stored.extend(&p.memory);
            // Held at the grid point and read elsewhere too: one copy, in memory.
            let both = p.memory.intersection(&p.states).chain(p.memory.intersection(&p.inlines));
            self.forced.extend(both.map(|t| (r.key, *t)));
        }
        before != (self.stored.len(), self.forced.len())
    }

    /// Stored reductions that nothing reads from memory.
    fn unread(&self, placed: &[Placed]) -> BTreeSet<TensorId> {
        let again = |t: &TensorId| self.dropped.contains(t);
        let needed = |t: &TensorId| {
            self.scans.needs.contains(t)
                || placed.iter().any(|p| p.memory.contains(t))
                || self.output_copy(*t).is_some()
        };
        self.stored.iter().filter(|t| !needed(t) && !again(t)).copied().collect()
    }

    /// Roots over the same grid that share state or a traversal share a stage, unless one needs the other's memory.
    fn merge(&self, roots: Vec<Root>, placed: Vec<Placed>) -> Vec<Group> {
        let mut groups: Vec<Group> =
            roots.into_iter().zip(placed).map(|(r, placed)| Group { roots: vec![r], placed, scan: None }).collect();
        groups.extend(self.scans.groups.iter().cloned());
        let mut i = 0;
        while i < groups.len() {
            let partner = (i + 1..groups.len()).find(|j| can_merge(&self.d, &groups, i, *j));
            match partner {
                Some(j) => {
                    let other = groups.remove(j);
                    groups[i].roots.extend(other.roots);
                    groups[i].placed.states.extend(other.placed.states);
                    groups[i].placed.inlines.extend(other.placed.inlines);
                    groups[i].placed.memory.extend(other.placed.memory);
                    i = 0;
                }
                None => i += 1,
            }
        }
        groups
    }

    /// A state of two stages is stored by the first and read by the others; true if there was one.
    fn split_shared(&mut self, groups: &[Group]) -> bool {
        let before = (self.stored.len(), self.forced.len());
        for (i, g) in groups.iter().enumerate().filter(|(_, g)| g.scan.is_none()) {
            for t in &g.placed.states {
                let owner = groups.iter().position(|h| h.roots.iter().any(|r| r.key == *t));
                let shared = groups.iter().enumerate().any(|(j, h)| j != i && h.placed.states.contains(t));
                if !shared {
                    continue;
                }
                self.stored.insert(*t);
                if owner.is_some_and(|o| o != i) {
                    self.forced.extend(g.roots.iter().map(|r| (r.key, *t)));
                }
            }
        }
        before != (self.stored.len(), self.forced.len())
    }
}

fn is_copy(n: &Node, t: TensorId) -> bool {
    matches!(&n.body, Expr::Read(u, idx) if *u == t && bare(idx).is_some_and(|b| b == n.out_ranks()))
}

fn same_grid(a: &Root, b: &Root) -> bool {
    a.grid.len() == b.grid.len() && a.grid.iter().all(|r| b.grid.contains(r))
}

fn can_merge(d: &Defs, groups: &[Group], i: usize, j: usize) -> bool {
    let (a, b) = (&groups[i], &groups[j]);
    let (sa, sb) = (&a.placed.states, &b.placed.states);
    same_grid(&a.roots[0], &b.roots[0])
        && a.scan == b.scan
        && (a.scan.is_some() || !sa.is_disjoint(sb) || sa.iter().any(|x| sb.iter().any(|y| same_traversal(d, *x, *y))))
        && !reaches(groups, i, j)
        && !reaches(groups, j, i)
}

/// True if both fold the same ranks, a run-time extent among them: one traversal serves both.
fn same_traversal(d: &Defs, x: TensorId, y: TensorId) -> bool {
    let ranks = |t| {
        let mut over = d.local(t).map_or(vec![], |n| n.reduced().to_vec());
        over.sort();
        over
    };
    let long = |r: &RankId| !matches!(d.c.ranks[r.index()].extent, Extent::Const(_));
    ranks(x) == ranks(y) && ranks(x).iter().any(long)
}

/// True if group `i` needs, through memory, what group `j` stores.
fn reaches(groups: &[Group], i: usize, j: usize) -> bool {
    let mut seen = vec![false; groups.len()];
    let mut todo = vec![i];
    while let Some(k) = todo.pop() {
        for n in needs(groups, k) {
            if n == j {
                return true;
            }
            if !std::mem::replace(&mut seen[n], true) {
                todo.push(n);
            }
        }
    }
    false
}

/// Groups that store what group `i` reads from memory.
fn needs(groups: &[Group], i: usize) -> Vec<usize> {
    let stores = |g: &Group, t: &TensorId| g.roots.iter().any(|r| r.key == *t);
    (0..groups.len()).filter(|j| groups[i].placed.memory.iter().any(|t| stores(&groups[*j], t))).collect()
}

/// Stages in execution order: what is read from memory comes first, otherwise in definition order.
fn in_order(c: &Cascade, mut groups: Vec<Group>) -> Result<Vec<Group>, Vec<Refusal>> {
    for g in &mut groups {
        g.roots.sort_by_key(|r| (c.tensor(r.node.out).kind == TensorKind::Let, r.key));
    }
    let mut order: Vec<usize> = vec![];
    while order.len() < groups.len() {
        let ready = |i: &usize| !order.contains(i) && needs(&groups, *i).iter().all(|j| order.contains(j));
        let Some(i) = (0..groups.len()).find(ready) else { return Err(vec![stuck(c)]) };
        order.push(i);
    }
    Ok(order.into_iter().map(|i| groups[i].clone()).collect())
}
