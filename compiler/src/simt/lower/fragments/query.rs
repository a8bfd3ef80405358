//! What is asked about the statements of a stage before any code is made.

use crate::cascade::TensorId;
use crate::simt::Elem;
use crate::tile::{AxisId, BufId, BufType, Expr, Stmt, TileKernel, TileStage};

fn is_tile(axes: &[crate::tile::Axis], x: AxisId) -> bool {
    axes[x.index()].tile != crate::tile::Tile::One
}

/// Visits all statements, outer ones first.
pub(super) fn walk<'s>(stmts: &'s [Stmt], f: &mut dyn FnMut(&'s Stmt)) {
    for s in stmts {
        f(s);
        match s {
            Stmt::Loop { full, partial, .. } => {
                walk(full, f);
                walk(partial, f);
            }
            Stmt::For { body, .. } => walk(body, f),
            Stmt::If { then, els, .. } => {
                walk(then, f);
                walk(els, f);
            }
            Stmt::Map { .. } | Stmt::Reduce { .. } | Stmt::Contract { .. } | Stmt::Store { .. } => {}
        }
    }
}

/// The tile that a statement writes.
pub(super) fn written(s: &Stmt) -> Option<BufId> {
    match s {
        Stmt::Map { dst, .. } | Stmt::Reduce { dst, .. } | Stmt::Contract { dst, .. } => Some(*dst),
        Stmt::Loop { .. } | Stmt::For { .. } | Stmt::If { .. } | Stmt::Store { .. } => None,
    }
}

/// True if some product has rows in the lanes and columns.
pub(super) fn has_product(stage: &TileStage, lane: AxisId) -> bool {
    let mut found = false;
    walk(&stage.body, &mut |s| {
        if let Stmt::Contract { dst, .. } = s {
            let axes = &stage.bufs[dst.index()].axes;
            found |= axes.len() == 2 && axes[1] == lane;
        }
    });
    found
}

/// The values that are written to a tile as a whole; `None` if anything else writes it.
fn maps(stage: &TileStage, b: BufId) -> Option<Vec<&Expr>> {
    let mut out = Some(vec![]);
    walk(&stage.body, &mut |s| match s {
        Stmt::Map { dst, op: None, value } if *dst == b => out.iter_mut().for_each(|o| o.push(value)),
        s if written(s) == Some(b) => out = None,
        _ => {}
    });
    out
}

/// Element type of a shared tile: that of the tensor if it holds nothing but its elements.
pub(super) fn shared_elem(kernel: &TileKernel, stage: &TileStage, b: BufId) -> Elem {
    if stage.bufs[b.index()].ty != BufType::F32 {
        return Elem::I32;
    }
    let half = |e: &&Expr| match e {
        Expr::Global(t, _) => Elem::half(kernel.cascade.tensor(*t).dtype),
        _ => None,
    };
    match maps(stage, b).map(|values| values.iter().map(half).collect::<Vec<_>>()) {
        Some(halves) if !halves.is_empty() && halves.iter().all(|h| *h == halves[0]) => halves[0].unwrap_or(Elem::F32),
        _ => Elem::F32,
    }
}

/// Copies of tensors that a loop can start one step ahead: the same in both bodies, of nothing but what was known before the loop,
/// into tiles that nothing else writes.
pub(super) fn ahead<'s>(stage: &TileStage, s: &'s Stmt) -> Vec<(BufId, TensorId, &'s [Expr])> {
    let Stmt::Loop { axis, ranges, full, partial } = s else { return vec![] };
    if ranges.len() != 1 {
        return vec![];
    }
    let copies = full.iter().filter(|s| partial.contains(s)).filter_map(|s| match s {
        Stmt::Map { dst, op: None, value: Expr::Global(t, idx) } => Some((*dst, *t, &idx[..])),
        _ => None,
    });
    let eligible = |(b, _, idx): &(BufId, TensorId, &[Expr])| {
        let axes = &stage.bufs[b.index()].axes;
        let fixed = |e: &Expr| match e {
            Expr::Coord(a) => axes.contains(a) || !is_tile(&stage.axes, *a),
            e => is_fixed(stage, e, *axis),
        };
        let lanes = axes.iter().any(|a| stage.axes[a.index()].lane);
        let everywhere = maps(stage, *b).is_some_and(|values| values.len() == 2);
        axes.contains(axis) && axes.len() == 2 && !lanes && everywhere && idx.iter().all(fixed)
    };
    copies.filter(eligible).collect()
}

/// True if an index is known before the loop over an axis.
fn is_fixed(stage: &TileStage, e: &Expr, axis: AxisId) -> bool {
    match e {
        Expr::Local(_) | Expr::Global(..) => false,
        Expr::Coord(a) | Expr::Base(a) | Expr::Count(a) => *a != axis && !is_tile(&stage.axes, *a),
        e => e.children().into_iter().all(|c| is_fixed(stage, c, axis)),
    }
}

/// True if a loop copies the tile ahead.
pub(super) fn is_copied_ahead(stage: &TileStage, b: BufId) -> bool {
    let mut found = false;
    walk(&stage.body, &mut |s| found |= ahead(stage, s).iter().any(|(t, ..)| *t == b));
    found
}

/// Left operands of products with rows in the lanes, which nothing else than whole tiles and single elements reads.
pub(super) fn columns_of_products(stage: &TileStage, lane: AxisId) -> Vec<BufId> {
    let mut out = vec![];
    walk(&stage.body, &mut |s| {
        if let Stmt::Contract { dst, a: Expr::Local(a), .. } = s
            && stage.bufs[dst.index()].axes.get(1) == Some(&lane)
        {
            out.push(*a);
        }
    });
    out
}

/// Right operands of products that are written once: they are packed where they are written.
pub(super) fn packed_once(stage: &TileStage) -> Vec<(BufId, BufId)> {
    let mut out = vec![];
    walk(&stage.body, &mut |s| {
        if let Stmt::Contract { a: Expr::Local(a), b, .. } = s
            && maps(stage, *b).is_some_and(|v| v.len() == 1)
            && !out.iter().any(|(known, _)| known == b)
        {
            out.push((*b, *a));
        }
    });
    out
}
