//! Choice of the lane axis and of tile sizes.

use crate::cascade::{Cascade, Expr as L1, Extent, NodeId, RankId, TensorId};
use crate::stream::{Place, Scan, Stage, Stream};
use crate::target::Caps;
use crate::tile::Tile;

/// The grid rank that lies in the lanes: one along which what is streamed does not vary (so that its elements are
/// broadcast), of run-time extent, and last in the grid. An empty grid has none.
pub(super) fn lane_rank(s: &Stream, st: &Stage) -> Option<RankId> {
    if let Some(scan) = &st.scan {
        return scan_lane(&s.cascade, st, scan);
    }
    let streamed: Vec<RankId> = st.passes.iter().flat_map(|p| p.over.iter().copied()).collect();
    let reads = reads(s, st);
    let key = |r: &RankId| {
        let gathers = reads.iter().filter(|(_, ranks)| ranks.contains(r) && ranks.iter().any(|q| streamed.contains(q)));
        let extent = match s.cascade.ranks[r.index()].extent {
            Extent::Const(n) if n <= 1 => 2,
            Extent::Const(_) => 1,
            Extent::Free | Extent::Derived(_) => 0,
        };
        (extent == 2, gathers.count(), extent)
    };
    let mut best = None;
    for r in &st.grid {
        // Later ranks win ties.
        if best.is_none_or(|b| key(r) <= key(&b)) {
            best = Some(*r);
        }
    }
    best
}

/// The innermost independent rank of the largest state, or of what a step stores.
fn scan_lane(c: &Cascade, st: &Stage, scan: &Scan) -> Option<RankId> {
    let mut nodes: Vec<NodeId> = scan.carries.iter().map(|k| k.step).chain(scan.stores.iter().copied()).collect();
    nodes.sort_by_key(|n| std::cmp::Reverse(c.nodes[n.index()].vars.len()));
    let inner = |n: &NodeId| c.nodes[n.index()].out_ranks().into_iter().rev().find(|r| st.grid.contains(r));
    nodes.iter().find_map(inner).or(st.grid.last().copied())
}

/// Memory tensors that a stage reads, each with the ranks of its index at that read.
fn reads(s: &Stream, st: &Stage) -> Vec<(TensorId, Vec<RankId>)> {
    let mut out = vec![];
    let roots = st.passes.iter().flat_map(|p| p.accs.iter().map(|a| a.node)).chain(st.stores.iter().copied());
    for n in roots {
        let n = &s.cascade.nodes[n.index()];
        visit(s, &n.body, &|r| vec![r], &mut out, 0);
    }
    out
}

/// `ranks` gives what a rank variable of `e` stands for.
fn visit(
    s: &Stream,
    e: &L1,
    ranks: &dyn Fn(RankId) -> Vec<RankId>,
    out: &mut Vec<(TensorId, Vec<RankId>)>,
    depth: usize,
) {
    let L1::Read(t, idx) = e else {
        e.children().into_iter().for_each(|c| visit(s, c, ranks, out, depth));
        return;
    };
    let of = |e: &L1| {
        let mut v = vec![];
        e.walk(&mut |e| {
            if let L1::Var(r) = e {
                v.extend(ranks(*r));
            }
        });
        v
    };
    let index: Vec<Vec<RankId>> = idx.iter().map(of).collect();
    match s.place(*t) {
        Place::Memory => {
            let entry = (*t, index.concat());
            if !out.contains(&entry) {
                out.push(entry);
            }
        }
        Place::Inline if depth < 64 => {
            let Some(n) = s.cascade.def(*t) else { return };
            let vars = n.out_ranks();
            let inner = |r: RankId| match vars.iter().position(|v| *v == r) {
                Some(i) => index.get(i).cloned().unwrap_or_default(),
                None => vec![],
            };
            visit(s, &n.body, &inner, out, depth + 1);
        }
        Place::Inline | Place::State | Place::Dead => {}
    }
}

/// Lanes at a time: no more vectors than a constant extent needs.
pub(super) fn lane_tile(c: &Cascade, caps: &Caps, r: RankId, scan: bool) -> Tile {
    let lanes = caps.lanes();
    let all = if scan { caps.scan_tile() } else { caps.lane_tile() };
    Tile::Fixed(match c.ranks[r.index()].extent {
        Extent::Const(n) => ((n + lanes - 1) / lanes * lanes).clamp(lanes, all),
        Extent::Free | Extent::Derived(_) => all,
    })
}

/// Streamed elements at a time.
pub(super) fn stream_tile(c: &Cascade, caps: &Caps, r: RankId) -> Tile {
    let all = caps.stream_tile();
    Tile::Fixed(match c.ranks[r.index()].extent {
        Extent::Const(n) => n.clamp(1, all),
        Extent::Free | Extent::Derived(_) => all,
    })
}
