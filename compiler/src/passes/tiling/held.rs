//! Reads of values that a stage holds: at their own point, or at another coordinate of an axis that is held whole.

use super::Res;
use super::scope::{Key, State, Tiler};
use crate::cascade::TensorId;
use crate::tile::{AxisId, BufId, BufType, Expr, Stmt, Tile};
use crate::types::{BinOp, RedOp};

impl Tiler<'_> {
    /// A state at an index: at the point at which it is held, or picked from it along whole axes. Another grid point is
    /// out of reach.
    pub(super) fn read_state_at(&mut self, t: TensorId, st: State, idx: &[Expr]) -> Res<Expr> {
        let apart: Vec<(AxisId, &Expr)> =
            st.axes.iter().copied().zip(idx).filter(|(a, e)| **e != Expr::Coord(*a)).collect();
        let held = |a: &AxisId| self.out.axis(*a).tile == Tile::Whole;
        // An index over the axis itself (`1 - s`) would need two points of it at once.
        let itself = |(a, _): &(AxisId, &Expr)| apart.iter().any(|(_, e)| self.out.tile_axes(e).contains(a));
        if idx.len() != st.axes.len() || !apart.iter().all(|(a, _)| held(a)) || apart.iter().any(itself) {
            let name = &self.s.cascade.tensor(t).name;
            let at: Vec<String> = idx.iter().map(|e| crate::tile::print_expr(&self.s.cascade, &self.out, e)).collect();
            let at = at.join(", ");
            return self.refuse(format!("{name} is read at [{at}], not where it is accumulated"));
        }
        if apart.is_empty() { Ok(Expr::Local(st.buf)) } else { self.pick_held(st.buf, &apart) }
    }

    /// The elements of a tile at other coordinates of some of its axes: a fold that selects the one that is meant.
    fn pick_held(&mut self, buf: BufId, apart: &[(AxisId, &Expr)]) -> Res<Expr> {
        let over: Vec<AxisId> = apart.iter().map(|(a, _)| *a).collect();
        let here = Expr::all(apart.iter().map(|(a, e)| Expr::bin(BinOp::Eq, (*e).clone(), Expr::Coord(*a))));
        let ty = self.out.buf(buf).ty;
        let op = if ty == BufType::Bool { RedOp::Any } else { RedOp::Sum };
        let Some(none) = Expr::identity(op, ty) else { return self.refuse("a held value of no type") };
        let value = Expr::select(here, Expr::Local(buf), none.clone());
        let mut axes = self.out.tile_axes(&value);
        axes.retain(|a| !over.contains(a));
        let (level, key) = (self.level_of(&value), Key::Value(value.clone(), axes.clone()));
        // A running value changes between two reads, so only complete ones are remembered.
        let known = self.lookup(&key).filter(|_| self.stand_in.is_empty());
        if let Some(b) = known {
            return Ok(Expr::Local(b));
        }
        let name = format!("{}_at", self.out.buf(buf).name);
        let dst = self.new_buf(&name, ty, &axes, level);
        self.scopes[level].stmts.push(Stmt::Map { dst, op: None, value: none });
        self.scopes[level].stmts.push(Stmt::Reduce { dst, op, over, value });
        self.remember(level, key, dst);
        Ok(Expr::Local(dst))
    }
}
