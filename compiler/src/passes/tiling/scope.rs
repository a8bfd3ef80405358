//! The tiler's state: scopes of statements under construction, and values already computed.
//!
//! A scope is the body of the item (level 0) or of an open loop. A value is computed at the outermost level at which
//! everything it depends on is known, once: that hoists packing out of loops and shares what two accumulators need.

use super::Res;
use super::scan::Held;
use crate::cascade::{Assert, Origin, RankId, TensorId};
use crate::diag::{Code, Refusal};
use crate::stream::Stream;
use crate::target::Caps;
use crate::tile::{Axis, AxisId, Buf, BufId, BufType, Expr, Stmt, Tile, TileStage};
use std::collections::BTreeMap;

/// Statements of one loop body under construction.
#[derive(Default)]
pub(super) struct Scope {
    pub(super) stmts: Vec<Stmt>,
    /// Loop axes that this scope opened.
    pub(super) open: Vec<AxisId>,
    pub(super) memo: Vec<(Key, BufId)>,
}

/// What a tile holds.
#[derive(Clone, PartialEq)]
pub(super) enum Key {
    /// An expression over these axes.
    Value(Expr, Vec<AxisId>),
    /// An inline reduction at an index.
    Node(TensorId, Vec<Expr>),
}

/// A component of the state of the stage.
#[derive(Clone)]
pub(super) struct State {
    pub(super) buf: BufId,
    /// Axis of each index of its tensor.
    pub(super) axes: Vec<AxisId>,
}

/// A block of a rank that a step of a scan covers.
#[derive(Clone)]
pub(super) struct Block {
    /// Its axis, open while the step is written.
    pub(super) axis: AxisId,
    /// The rank of the scan.
    pub(super) scan: RankId,
    pub(super) size: i64,
    /// The number of the block.
    pub(super) at: Expr,
}

/// Lowers one stage.
pub(super) struct Tiler<'a> {
    pub(super) s: &'a Stream,
    pub(super) caps: &'a Caps,
    pub(super) out: TileStage,
    pub(super) scopes: Vec<Scope>,
    /// Level at which an axis is opened; 0 for grid and whole axes.
    pub(super) axis_level: Vec<usize>,
    /// Level at which a tile gets its value.
    pub(super) buf_level: Vec<usize>,
    pub(super) states: BTreeMap<TensorId, State>,
    /// States of a scan.
    pub(super) held: BTreeMap<TensorId, Held>,
    /// The block of the running scan's step.
    pub(super) block: Option<Block>,
    /// Tiles read instead of a state: its old value, or one that is safe to subtract.
    pub(super) stand_in: BTreeMap<TensorId, BufId>,
    /// Subexpressions that several accumulators evaluate.
    pub(super) shared: Vec<crate::cascade::Expr>,
    /// Loop axes of the scopes that [`Tiler::at_level`] sets aside.
    pub(super) hidden: Vec<AxisId>,
    /// Assertions that make clamped indices valid.
    pub(super) asserts: Vec<Assert>,
    /// Statement being lowered, for refusals.
    pub(super) origin: Origin,
}

impl Tiler<'_> {
    pub(super) fn refuse<T>(&self, message: impl Into<String>) -> Res<T> {
        Err(Refusal::new(Code::UNSUPPORTED, &self.origin, message))
    }

    pub(super) fn level(&self) -> usize {
        self.scopes.len() - 1
    }

    pub(super) fn emit(&mut self, s: Stmt) {
        let level = self.level();
        self.scopes[level].stmts.push(s);
    }

    /// Opens a loop body.
    pub(super) fn open(&mut self, axis: AxisId) {
        self.scopes.push(Scope { open: vec![axis], ..Scope::default() });
        self.axis_level[axis.index()] = self.level();
    }

    /// Closes the innermost loop body and returns its statements.
    pub(super) fn close(&mut self) -> Vec<Stmt> {
        self.scopes.pop().map(|s| s.stmts).unwrap_or_default()
    }

    /// Runs `f` as if the scopes deeper than `level` were not there yet.
    pub(super) fn at_level<T>(&mut self, level: usize, f: impl FnOnce(&mut Self) -> Res<T>) -> Res<T> {
        let deeper = self.scopes.split_off(level + 1);
        let visible = self.hidden.len();
        self.hidden.extend(deeper.iter().flat_map(|s| &s.open));
        let out = f(self);
        self.hidden.truncate(visible);
        self.scopes.extend(deeper);
        out
    }

    pub(super) fn lookup(&self, key: &Key) -> Option<BufId> {
        self.scopes.iter().flat_map(|s| &s.memo).find(|(k, _)| k == key).map(|(_, b)| *b)
    }

    pub(super) fn remember(&mut self, level: usize, key: Key, b: BufId) {
        self.scopes[level].memo.push((key, b));
    }

    /// A new axis with a fresh name.
    pub(super) fn new_axis(&mut self, rank: RankId, tile: Tile, lane: bool) -> AxisId {
        let name = self.fresh(&self.s.cascade.ranks[rank.index()].name.to_lowercase());
        self.out.axes.push(Axis { name, rank, tile, lane });
        self.axis_level.push(0);
        AxisId(self.out.axes.len() as u32 - 1)
    }

    /// An axis of this rank and tile that is not in `used`, new if need be.
    pub(super) fn axis_for(&mut self, rank: RankId, tile: Tile, used: &[AxisId]) -> AxisId {
        let fits = |i: usize| {
            let a = &self.out.axes[i];
            a.rank == rank && a.tile == tile && !a.lane && !self.out.grid.contains(&AxisId(i as u32))
        };
        let open = |a: AxisId| self.hidden.contains(&a) || self.scopes.iter().any(|s| s.open.contains(&a));
        let found = (0..self.out.axes.len())
            .filter(|i| fits(*i))
            .map(|i| AxisId(i as u32))
            .find(|a| !used.contains(a) && !open(*a));
        found.unwrap_or_else(|| self.new_axis(rank, tile, false))
    }

    /// A new tile; its axes are sorted (blocks, then whole axes, then lanes).
    pub(super) fn new_buf(&mut self, name: &str, ty: BufType, axes: &[AxisId], level: usize) -> BufId {
        let mut axes = axes.to_vec();
        axes.sort_by_key(|a| {
            let axis = self.out.axis(*a);
            (axis.lane, axis.tile == Tile::Whole, *a)
        });
        let name = self.fresh(name);
        self.out.bufs.push(Buf { name, ty, axes });
        self.buf_level.push(level);
        BufId(self.out.bufs.len() as u32 - 1)
    }

    /// A name that no axis, tile, rank or scalar has.
    fn fresh(&self, base: &str) -> String {
        let c = &self.s.cascade;
        let word: String = base.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let word = if word.starts_with(|c: char| c.is_ascii_alphabetic()) { word } else { format!("t{word}") };
        let taken = |n: &str| {
            crate::tile::KEYWORDS.contains(&n)
                || self.out.axes.iter().any(|a| a.name == n)
                || self.out.bufs.iter().any(|b| b.name == n)
                || c.scalars.iter().any(|s| s.name == n)
                || c.ranks.iter().any(|r| r.name == n)
        };
        let mut name = word.clone();
        let mut i = 1;
        while taken(&name) {
            i += 1;
            name = format!("{word}_{i}");
        }
        name
    }

    /// The level at which all that an expression depends on is known.
    pub(super) fn level_of(&self, e: &Expr) -> usize {
        let mut level = 0;
        e.walk(&mut |e| match e {
            Expr::Coord(a) | Expr::Base(a) | Expr::Count(a) => level = level.max(self.axis_level[a.index()]),
            Expr::Local(b) => level = level.max(self.buf_level[b.index()]),
            _ => {}
        });
        level
    }

    /// A tile over `axes` that holds the value: an existing one if the value is a tile already.
    pub(super) fn materialise(&mut self, name: &str, value: Expr, axes: &[AxisId]) -> BufId {
        if let Expr::Local(b) = value {
            let same =
                self.out.buf(b).axes.len() == axes.len() && axes.iter().all(|a| self.out.buf(b).axes.contains(a));
            if same {
                return b;
            }
        }
        let mut sorted = axes.to_vec();
        sorted.sort();
        let key = Key::Value(value.clone(), sorted);
        if let Some(b) = self.lookup(&key) {
            return b;
        }
        let block = axes.iter().map(|a| self.axis_level[a.index()]).max().unwrap_or(0);
        let level = self.level_of(&value).max(block);
        let ty = BufType::of(self.out.value_type(&self.s.cascade, &value));
        let b = self.new_buf(name, ty, axes, level);
        self.scopes[level].stmts.push(Stmt::Map { dst: b, op: None, value });
        self.remember(level, key, b);
        b
    }
}
