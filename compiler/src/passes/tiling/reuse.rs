//! Tiles whose lives do not overlap share their memory; a map may overwrite what it reads.
//!
//! Blocks must stay in the first-level cache, so every tile less counts. Assumes that a read of a tile is at the
//! current point. Lives are intervals of statement positions; a value carried around a loop lives through all of it.

use super::tidy::Renumber;
use crate::tile::{AxisId, BufId, Expr, Stmt, TileStage};

/// The life of a tile.
#[derive(Clone, Copy)]
struct Life {
    first: usize,
    last: usize,
    /// True if the first occurrence is inside a loop and needs the value of an earlier trip.
    carried: bool,
}

#[derive(Default)]
struct Lives {
    of: Vec<Option<Life>>,
    /// First and last position of every loop or branch.
    loops: Vec<(usize, usize)>,
    /// Whether the statement at a position is a map.
    is_map: Vec<bool>,
}

/// Gives tiles of the same type and axes the same memory where that is possible.
pub(super) fn reuse(mut s: TileStage) -> TileStage {
    let mut l = Lives { of: vec![None; s.bufs.len()], ..Lives::default() };
    l.stmts(&s.body);
    l.extend_over_loops();
    let mut order: Vec<BufId> = (0..s.bufs.len() as u32).map(BufId).filter(|b| l.of[b.index()].is_some()).collect();
    order.sort_by_key(|b| l.of[b.index()].map(|l| l.first));
    let mut bufs: Vec<BufId> = (0..s.bufs.len() as u32).map(BufId).collect();
    let mut homes: Vec<(BufId, usize)> = vec![];
    for b in order {
        let Some(life) = l.of[b.index()] else { continue };
        let fits = |home: BufId, free: usize| {
            let same = s.buf(home).ty == s.buf(b).ty && s.buf(home).axes == s.buf(b).axes;
            // Rows are small: sharing is for readers only, between the bodies of a loop.
            let same = same && (s.buf(b).axes.len() > 1 || stem(&s.buf(home).name) == stem(&s.buf(b).name));
            same && !life.carried && (free < life.first || (free == life.first && l.is_map[free]))
        };
        match homes.iter_mut().find(|(home, free)| fits(*home, *free)) {
            Some((home, free)) => {
                bufs[b.index()] = *home;
                *free = life.last;
            }
            None => homes.push((b, life.last)),
        }
    }
    let axes = (0..s.axes.len() as u32).map(AxisId).collect();
    s.body = Renumber { axes, bufs }.stmts(&s.body);
    s
}

/// A name without its number.
fn stem(name: &str) -> &str {
    name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('_')
}

impl Lives {
    fn stmts(&mut self, body: &[Stmt]) {
        body.iter().for_each(|s| self.stmt(s));
    }

    fn stmt(&mut self, s: &Stmt) {
        let at = self.is_map.len();
        self.is_map.push(matches!(s, Stmt::Map { .. }));
        for e in s.exprs() {
            e.walk(&mut |e| {
                if let Expr::Local(b) = e {
                    self.touch(*b, at, false);
                }
            });
        }
        match s {
            Stmt::Map { dst, op, .. } => self.touch(*dst, at, op.is_none()),
            Stmt::Reduce { dst, .. } => self.touch(*dst, at, false),
            Stmt::Contract { dst, b, accumulate, .. } => {
                self.touch(*b, at, false);
                self.touch(*dst, at, !accumulate);
            }
            Stmt::Loop { .. } | Stmt::For { .. } | Stmt::If { .. } | Stmt::Store { .. } => {}
        }
        let bodies = s.bodies();
        if !bodies.is_empty() {
            bodies.into_iter().for_each(|b| self.stmts(b));
            self.loops.push((at, self.is_map.len() - 1));
        }
    }

    fn touch(&mut self, b: BufId, at: usize, defines: bool) {
        let life = self.of[b.index()].get_or_insert(Life { first: at, last: at, carried: !defines });
        life.last = at;
    }

    /// A life that is partly inside a loop covers all of it, and so does one that the loop carries.
    fn extend_over_loops(&mut self) {
        let mut changed = true;
        while changed {
            changed = false;
            for life in self.of.iter_mut().flatten() {
                for (from, to) in &self.loops {
                    let inside = *from <= life.first && life.last <= *to;
                    let apart = life.last < *from || *to < life.first;
                    let partly = !inside && !apart;
                    if (partly || (inside && life.carried)) && (life.first > *from || life.last < *to) {
                        life.first = life.first.min(*from);
                        life.last = life.last.max(*to);
                        changed = true;
                    }
                }
            }
        }
    }
}
