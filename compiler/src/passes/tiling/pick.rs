//! `argmax` and `topk`: coordinates of the best candidates, in a strict order.
//!
//! Slot j takes the best candidate after slot j−1's in the order (value falling, coordinate rising). All candidates'
//! values are computed once, so that every slot compares the same bits.

use super::fold::coords;
use super::scope::Tiler;
use super::{Env, Res};
use crate::cascade::{Expr as L1, Node};
use crate::tile::{AxisId, BufId, BufType, Expr, Stmt, Tile};
use crate::types::{BinOp, RedOp};

/// Above every coordinate.
const NONE: i64 = i32::MAX as i64;

/// The tiles of one selection.
struct Pick {
    /// Candidates' axis.
    c: AxisId,
    /// Value of each candidate.
    score: Expr,
    /// Whether a candidate is present.
    present: Expr,
    /// Value and coordinate of the last choice.
    last: (BufId, BufId),
}

impl Tiler<'_> {
    /// Fills `dst` (and its slot axis) with the coordinates that the node selects.
    /// `conds` restrict the candidates.
    pub(super) fn pick(&mut self, dst: BufId, n: &Node, conds: &[L1], env: &Env) -> Res<()> {
        let Some(red) = n.reduce.clone() else { return self.refuse("a map selects nothing") };
        let [rank] = red.over[..] else { return self.refuse("a selection over several ranks at once") };
        let mut used: Vec<AxisId> = env.values().flat_map(coords).collect();
        used.extend(&self.out.buf(dst).axes);
        let c = self.axis_for(rank, Tile::Whole, &used);
        let mut env = env.clone();
        env.insert(rank, Expr::Coord(c));
        let value = self.lower(&n.body, &env)?;
        let conds = conds.iter().map(|e| self.lower(e, &env)).collect::<Res<Vec<_>>>()?;
        let slot = red.slot.and_then(|s| Some((s, env.get(&s)?.clone())));
        let slot_axes = slot.iter().flat_map(|(_, e)| self.out.tile_axes(e)).collect::<Vec<_>>();
        let mut rest = self.out.buf(dst).axes.clone();
        rest.retain(|a| !slot_axes.contains(a));
        let p = self.candidates(c, value, conds, &rest);
        self.emit(Stmt::Map { dst, op: None, value: Expr::Int(-1) });
        let Some((slot, at)) = slot else {
            let best = self.next_best(&p, &rest)?;
            self.emit(Stmt::Map { dst, op: None, value: best });
            return Ok(());
        };
        let j = self.axis_for(slot, Tile::One, &used);
        self.open(j);
        let best = self.next_best(&p, &rest)?;
        let here = Expr::bin(BinOp::Eq, at, Expr::Coord(j));
        self.emit(Stmt::Map { dst, op: None, value: Expr::select(here, best, Expr::Local(dst)) });
        let body = self.close();
        self.emit(Stmt::For { axis: j, lo: Expr::Int(0), hi: self.extent(slot), body });
        Ok(())
    }

    fn candidates(&mut self, c: AxisId, value: Expr, conds: Vec<Expr>, rest: &[AxisId]) -> Pick {
        let with_c = |mut axes: Vec<AxisId>| {
            if !axes.contains(&c) {
                axes.push(c);
            }
            axes
        };
        let axes = with_c(self.out.tile_axes(&value));
        let ty = BufType::of(self.value_type(&value));
        let score = Expr::Local(self.materialise("score", value, &axes));
        let mut present = Expr::all(conds);
        if present.size() > 3 {
            let axes = with_c(self.out.tile_axes(&present));
            present = Expr::Local(self.materialise("present", present, &axes));
        }
        let level = self.level();
        let last = (self.new_buf("last", ty, rest, level), self.new_buf("at", BufType::I32, rest, level));
        let top = Expr::identity(RedOp::Min, ty).unwrap_or(Expr::Float(f64::INFINITY));
        self.emit(Stmt::Map { dst: last.0, op: None, value: top });
        self.emit(Stmt::Map { dst: last.1, op: None, value: Expr::Int(-1) });
        Pick { c, score, present, last }
    }

    /// Moves the selection on by one; returns the coordinate, or −1.
    fn next_best(&mut self, p: &Pick, rest: &[AxisId]) -> Res<Expr> {
        let (last, at) = (Expr::Local(p.last.0), Expr::Local(p.last.1));
        let ty = self.out.buf(p.last.0).ty;
        let below = Expr::bin(BinOp::Lt, p.score.clone(), last.clone());
        let tied = Expr::all([
            Expr::bin(BinOp::Le, p.score.clone(), last),
            Expr::bin(BinOp::Gt, Expr::Coord(p.c), at.clone()),
        ]);
        let mut eligible = Expr::bin(BinOp::Or, below, tied);
        if p.present != Expr::Bool(true) {
            eligible = Expr::all([p.present.clone(), eligible]);
        }
        let level = self.level();
        let (value, coord) =
            (self.new_buf("best", ty, rest, level), self.new_buf("best_at", BufType::I32, rest, level));
        let lowest = self.identity(value, RedOp::Max)?;
        self.emit(Stmt::Map { dst: value, op: None, value: lowest.clone() });
        let of = Expr::select(eligible.clone(), p.score.clone(), lowest);
        self.emit(Stmt::Reduce { dst: value, op: RedOp::Max, over: vec![p.c], value: of });
        self.emit(Stmt::Map { dst: coord, op: None, value: Expr::Int(NONE) });
        let is_best = Expr::all([eligible, Expr::bin(BinOp::Ge, p.score.clone(), Expr::Local(value))]);
        let of = Expr::select(is_best, Expr::Coord(p.c), Expr::Int(NONE));
        self.emit(Stmt::Reduce { dst: coord, op: RedOp::Min, over: vec![p.c], value: of });
        self.emit(Stmt::Map { dst: p.last.0, op: None, value: Expr::Local(value) });
        self.emit(Stmt::Map { dst: p.last.1, op: None, value: Expr::Local(coord) });
        let found = Expr::bin(BinOp::Lt, at.clone(), Expr::Int(NONE));
        Ok(Expr::select(found, at, Expr::Int(-1)))
    }
}
