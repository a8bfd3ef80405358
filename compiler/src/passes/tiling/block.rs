//! Blocks of a rank: the steps of a scan that cover one each, and tiles of the grid that lie in one.
//!
//! The step of a scan over blocks runs inside a loop with one iteration over the block's points, so that folds over the
//! block, what is stored at its points and its short end are those of any other loop over tiles.

use super::Env;
use super::scope::{Block, Tiler};
use crate::cascade::{Expr as L1, Node, RankId};
use crate::stream::{block_of, blocks, folds_block};
use crate::tile::{AxisId, Expr, Range, Stmt, Tile};
use crate::types::BinOp;

impl Tiler<'_> {
    /// Opens the block that step `at` of a scan covers, if the rank of the scan cuts another one into blocks.
    pub(super) fn open_block(&mut self, scan: RankId, at: Expr, env: &mut Env) {
        let Some((rank, size)) = blocks(&self.s.cascade, scan) else { return };
        let axis = self.new_axis(rank, Tile::Fixed(size), false);
        self.open(axis);
        env.insert(rank, Expr::Coord(axis));
        self.block = Some(Block { axis, scan, size, at });
    }

    /// Closes it.
    pub(super) fn close_block(&mut self) {
        let Some(Block { axis, size, at, .. }) = self.block.take() else { return };
        let body = self.close();
        let lo = Expr::bin(BinOp::Mul, at, Expr::Int(size));
        let hi = Expr::bin(BinOp::Add, lo.clone(), Expr::Int(size));
        let ranges = vec![Range { lo: lo.clone(), hi: hi.clone(), full: Some((lo, hi)) }];
        self.emit(Stmt::Loop { axis, ranges, full: body, partial: vec![] });
    }

    /// The axis of the open block, for a node that folds it.
    pub(super) fn folded_block(&self, n: &Node) -> Option<AxisId> {
        let b = self.block.as_ref()?;
        folds_block(n, self.out.axis(b.axis).rank, b.size, b.scan).then_some(b.axis)
    }

    /// True for the conjunct that restricts a fold to the open block.
    pub(super) fn is_block_cond(&self, e: &L1) -> bool {
        let Some(b) = &self.block else { return false };
        *e == L1::bin(BinOp::Eq, block_of(self.out.axis(b.axis).rank, b.size), L1::Var(b.scan))
    }

    /// `a / size` or `a mod size`, where all of the axis of `a` lies in one block.
    pub(super) fn in_block(&self, op: BinOp, a: &Expr, size: &Expr) -> Option<Expr> {
        let (Expr::Coord(axis), Expr::Int(size)) = (a, size) else { return None };
        let number = match &self.block {
            Some(b) if b.axis == *axis && b.size == *size => b.at.clone(),
            _ => self.grid_block(*axis, *size)?,
        };
        match op {
            BinOp::FloorDiv => Some(number),
            BinOp::Mod => {
                let start = Expr::bin(BinOp::Mul, number, Expr::Int(*size));
                Some(Expr::bin(BinOp::Sub, a.clone(), start))
            }
            _ => None,
        }
    }

    /// The length of the open block, for the position of a point in it.
    pub(super) fn block_position(&self, e: &Expr) -> Option<i64> {
        let b = self.block.as_ref()?;
        let start = Expr::bin(BinOp::Mul, b.at.clone(), Expr::Int(b.size));
        (*e == Expr::bin(BinOp::Sub, Expr::Coord(b.axis), start)).then_some(b.size)
    }

    /// The block of a tile of the grid: tiles start at multiples of their length.
    fn grid_block(&self, axis: AxisId, size: i64) -> Option<Expr> {
        let Tile::Fixed(tile) = self.out.axis(axis).tile else { return None };
        let fits = self.out.grid.contains(&axis) && tile > 1 && size % tile == 0;
        fits.then(|| Expr::bin(BinOp::FloorDiv, Expr::Base(axis), Expr::Int(size)))
    }
}
