//! Clean-up of a finished stage: axes and tiles that nothing uses are dropped.

use crate::tile::{AxisId, BufId, Expr, Range, Stmt, TileStage};
use std::collections::BTreeSet;

/// Drops unused axes and tiles and renumbers the rest.
pub(super) fn tidy(mut s: TileStage) -> TileStage {
    let mut used = Used::default();
    used.axes.extend(&s.grid);
    used.stmts(&s.body);
    for b in &used.bufs {
        used.axes.extend(&s.buf(*b).axes);
    }
    let axes: Vec<AxisId> = used.axes.into_iter().collect();
    let bufs: Vec<BufId> = used.bufs.into_iter().collect();
    let renumber = Renumber {
        axes: (0..s.axes.len()).map(|i| AxisId(axes.partition_point(|a| a.index() < i) as u32)).collect(),
        bufs: (0..s.bufs.len()).map(|i| BufId(bufs.partition_point(|b| b.index() < i) as u32)).collect(),
    };
    s.axes = axes.iter().map(|a| s.axis(*a).clone()).collect();
    s.bufs = bufs.iter().map(|b| s.buf(*b).clone()).collect();
    s.bufs.iter_mut().for_each(|b| b.axes.iter_mut().for_each(|a| *a = renumber.axis(*a)));
    s.grid.iter_mut().for_each(|a| *a = renumber.axis(*a));
    s.body = renumber.stmts(&s.body);
    s
}

#[derive(Default)]
struct Used {
    axes: BTreeSet<AxisId>,
    bufs: BTreeSet<BufId>,
}

impl Used {
    fn stmts(&mut self, body: &[Stmt]) {
        for s in body {
            match s {
                Stmt::Map { dst, .. } => _ = self.bufs.insert(*dst),
                Stmt::Reduce { dst, over, .. } => {
                    self.bufs.insert(*dst);
                    self.axes.extend(over);
                }
                Stmt::Contract { dst, over, b, .. } => {
                    self.bufs.extend([dst, b]);
                    self.axes.insert(*over);
                }
                Stmt::Loop { axis, .. } | Stmt::For { axis, .. } => _ = self.axes.insert(*axis),
                Stmt::Store { axes, .. } => self.axes.extend(axes),
                Stmt::If { .. } => {}
            }
            s.exprs().into_iter().for_each(|e| self.expr(e));
            s.bodies().into_iter().for_each(|b| self.stmts(b));
        }
    }

    fn expr(&mut self, e: &Expr) {
        e.walk(&mut |e| match e {
            Expr::Coord(a) | Expr::Base(a) | Expr::Count(a) => _ = self.axes.insert(*a),
            Expr::Local(b) => _ = self.bufs.insert(*b),
            _ => {}
        });
    }
}

/// New ids of axes and tiles.
pub(super) struct Renumber {
    pub(super) axes: Vec<AxisId>,
    pub(super) bufs: Vec<BufId>,
}

impl Renumber {
    fn axis(&self, a: AxisId) -> AxisId {
        self.axes[a.index()]
    }

    fn buf(&self, b: BufId) -> BufId {
        self.bufs[b.index()]
    }

    fn axes(&self, axes: &[AxisId]) -> Vec<AxisId> {
        axes.iter().map(|a| self.axis(*a)).collect()
    }

    fn expr(&self, e: &Expr) -> Expr {
        match e {
            Expr::Coord(a) => Expr::Coord(self.axis(*a)),
            Expr::Base(a) => Expr::Base(self.axis(*a)),
            Expr::Count(a) => Expr::Count(self.axis(*a)),
            Expr::Local(b) => Expr::Local(self.buf(*b)),
            _ => e.map_children(&mut |c| self.expr(c)),
        }
    }

    pub(super) fn stmts(&self, body: &[Stmt]) -> Vec<Stmt> {
        body.iter().map(|s| self.stmt(s)).collect()
    }

    fn range(&self, r: &Range) -> Range {
        Range {
            lo: self.expr(&r.lo),
            hi: self.expr(&r.hi),
            full: r.full.as_ref().map(|(lo, hi)| (self.expr(lo), self.expr(hi))),
        }
    }

    fn stmt(&self, s: &Stmt) -> Stmt {
        match s {
            Stmt::Map { dst, op, value } => Stmt::Map { dst: self.buf(*dst), op: *op, value: self.expr(value) },
            Stmt::Reduce { dst, op, over, value } => {
                Stmt::Reduce { dst: self.buf(*dst), op: *op, over: self.axes(over), value: self.expr(value) }
            }
            Stmt::Contract { dst, over, a, b, accumulate } => Stmt::Contract {
                dst: self.buf(*dst),
                over: self.axis(*over),
                a: self.expr(a),
                b: self.buf(*b),
                accumulate: *accumulate,
            },
            Stmt::Loop { axis, ranges, full, partial } => Stmt::Loop {
                axis: self.axis(*axis),
                ranges: ranges.iter().map(|r| self.range(r)).collect(),
                full: self.stmts(full),
                partial: self.stmts(partial),
            },
            Stmt::For { axis, lo, hi, body } => {
                Stmt::For { axis: self.axis(*axis), lo: self.expr(lo), hi: self.expr(hi), body: self.stmts(body) }
            }
            Stmt::If { cond, then, els } => {
                Stmt::If { cond: self.expr(cond), then: self.stmts(then), els: self.stmts(els) }
            }
            Stmt::Store { tensor, idx, axes, value } => Stmt::Store {
                tensor: *tensor,
                idx: idx.iter().map(|e| self.expr(e)).collect(),
                axes: self.axes(axes),
                value: self.expr(value),
            },
        }
    }
}
