//! Pass counting: how often a cascade must traverse the fibers of its ranks, and which reads force it to.
//!
//! A longest path (linear in the size of the cascade): a node that iterates over the ranks and reads a completed
//! reduction over them starts a new pass. The count holds for every mapping of the cascade as written.

use crate::cascade::{Cascade, Expr, Node, RankId, TensorId};

/// The passes of a cascade over some ranks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassCount {
    /// Number of passes.
    pub passes: usize,
    /// Pass of every node, 1-based; 0 for a node that needs none.
    pub levels: Vec<usize>,
    /// Barrier edges (node indices): the second one iterates and reads the first one, which must be complete.
    pub barriers: Vec<(usize, usize)>,
}

/// Counts the passes over `ranks`, taken together.
pub fn count_passes(c: &Cascade, ranks: &[RankId]) -> PassCount {
    let mut count = PassCount { passes: 0, levels: vec![], barriers: vec![] };
    let mut depends: Vec<bool> = vec![];
    for (i, n) in c.nodes.iter().enumerate() {
        let iterates = iterates(n, ranks);
        let inputs = defined_before(c, n, i);
        depends.push(touches(n.reduced(), ranks) || inputs.iter().any(|j| depends[*j]));
        let mut level = usize::from(iterates);
        for j in inputs {
            let barrier = iterates && !touches(&c.nodes[j].out_ranks(), ranks) && depends[j];
            if barrier {
                count.barriers.push((j, i));
            }
            level = level.max(count.levels[j] + usize::from(barrier));
        }
        count.levels.push(level);
        if iterates {
            count.passes = count.passes.max(level);
        }
    }
    count
}

/// True if the value of the expression depends on a reduction over one of the ranks.
pub fn contains_reduction(c: &Cascade, e: &Expr, ranks: &[RankId]) -> bool {
    let mut seen: Vec<TensorId> = vec![];
    let mut todo = e.reads();
    while let Some(t) = todo.pop() {
        if seen.contains(&t) {
            continue;
        }
        seen.push(t);
        for n in c.nodes.iter().filter(|n| n.out == t) {
            if touches(n.reduced(), ranks) {
                return true;
            }
            todo.extend(n.exprs().flat_map(|e| e.reads()));
        }
    }
    false
}

/// Every set of ranks that some node reduces together, in order of first occurrence.
pub fn reduced_sets(c: &Cascade) -> Vec<Vec<RankId>> {
    let mut sets: Vec<Vec<RankId>> = vec![];
    for n in c.nodes.iter().filter(|n| !n.reduced().is_empty()) {
        let mut set = n.reduced().to_vec();
        set.sort_unstable();
        if !sets.contains(&set) {
            sets.push(set);
        }
    }
    sets
}

fn iterates(n: &Node, ranks: &[RankId]) -> bool {
    touches(&n.out_ranks(), ranks) || touches(n.reduced(), ranks)
}

fn touches(have: &[RankId], ranks: &[RankId]) -> bool {
    have.iter().any(|r| ranks.contains(r))
}

/// The earlier nodes whose tensors the node reads. A state read by its own update is not among them.
fn defined_before(c: &Cascade, n: &Node, i: usize) -> Vec<usize> {
    let reads: Vec<TensorId> = n.exprs().flat_map(|e| e.reads()).collect();
    (0..i).filter(|j| reads.contains(&c.nodes[*j].out)).collect()
}
