//! Expressions at an element of a fragment.

use super::{Element, Fragments, Held, Kind, Res, Val};
use crate::cascade::TensorId;
use crate::lane::{LaneCmp, ScalarSlot};
use crate::math::Math;
use crate::simt::lower::scalar;
use crate::simt::{Op, Place, SimtBin, Ty, typing};
use crate::tile::{AxisId, BufId, Expr};
use crate::types::{BinOp, UnOp};

impl Fragments<'_> {
    /// Value at the current element and point. Both sides of a choice are evaluated: indices are in bounds on both.
    pub(super) fn eval(&mut self, e: &Expr) -> Res<Val> {
        match e {
            Expr::Int(v) => match i32::try_from(*v) {
                Ok(v) => Ok(self.fb.int(v)),
                Err(_) => self.refuse(format!("the integer {v} has more than 32 bits")),
            },
            Expr::Float(v) => Ok(self.fb.float(*v as f32)),
            Expr::Bool(v) => Ok(self.fb.truth(*v)),
            Expr::Coord(a) => self.coord(*a),
            Expr::Base(a) => self.base(*a),
            Expr::Count(a) => Ok(self.count(*a)),
            Expr::Extent(r) => Ok(self.extent(*r)),
            Expr::Scalar(s) => Ok(self.scalar(self.arguments.scalars[s.index()])),
            Expr::Global(t, idx) => self.global(*t, idx),
            Expr::Local(b) => self.local(*b),
            Expr::Unary(op, a) => {
                let a = self.eval(a)?;
                Ok(scalar::unary(&mut self.fb, *op, a))
            }
            Expr::Binary(op, a, b) => self.binary(*op, a, b),
            Expr::Select(c, a, b) => {
                let (c, a, b) = (self.eval(c)?, self.eval(a)?, self.eval(b)?);
                let float = [a, b].iter().any(|v| self.fb.ty(*v) == Ty::F32);
                let (a, b) = if float { (self.float(a), self.float(b)) } else { (a, b) };
                Ok(self.fb.select(c, a, b))
            }
            Expr::Cast(ty, a) => {
                let a = self.eval(a)?;
                Ok(scalar::cast(&mut self.fb, *ty, a))
            }
        }
    }

    fn float(&mut self, v: Val) -> Val {
        scalar::unary(&mut self.fb, UnOp::ToFloat, v)
    }

    fn binary(&mut self, op: BinOp, a: &Expr, b: &Expr) -> Res<Val> {
        if let Some((x, y)) = scalar::fusable(op, a, self.kernel.cascade.attrs.strict) {
            let (x, y, z) = (self.eval(x)?, self.eval(y)?, self.eval(b)?);
            return Ok(scalar::product_sum(&mut self.fb, x, y, z));
        }
        let (a, b) = (self.eval(a)?, self.eval(b)?);
        Ok(scalar::binary(&mut self.fb, op, a, b))
    }

    fn scalar(&mut self, slot: ScalarSlot) -> Val {
        match slot {
            ScalarSlot::Int(i) => self.fb.op(Op::Int(i)),
            ScalarSlot::Float(i) => self.fb.op(Op::FloatArg(i)),
            ScalarSlot::Bool(i) => {
                let (v, zero) = (self.fb.op(Op::Int(i)), self.fb.int(0));
                self.fb.cmp(LaneCmp::Ne, v, zero)
            }
        }
    }

    pub(super) fn base(&mut self, a: AxisId) -> Res<Val> {
        match self.axes[a.index()].base {
            Some(v) => Ok(v),
            None => self.refuse(format!("axis {} is not in scope", self.axis(a).name)),
        }
    }

    /// Valid elements of the current block.
    pub(super) fn count(&mut self, a: AxisId) -> Val {
        match self.axes[a.index()].count {
            Some(v) => v,
            None => self.fb.int(self.shape.sizes[a.index()] as i32),
        }
    }

    /// Row of the current element in the lane tile.
    pub(super) fn row(&mut self, e: Element) -> Val {
        let layout = self.shape.layout;
        let thread = self.fb.op(Op::Thread);
        let warp = self.fb.shr(thread, 5);
        let rows = self.fb.int(16 * layout.row_tiles as i32);
        let first = self.fb.mul(warp, rows);
        let quad = self.quad();
        let first = self.fb.add(first, quad);
        let at = self.fb.int((16 * e.row_tile + 8 * e.half) as i32);
        self.fb.add(first, at)
    }

    /// Number of the quad in its warp.
    pub(super) fn quad(&mut self) -> Val {
        let (thread, low) = (self.fb.op(Op::Thread), self.fb.int(31));
        let lane = self.fb.binary(SimtBin::And, thread, low);
        self.fb.shr(lane, 2)
    }

    /// Number of the thread in its quad.
    pub(super) fn in_quad(&mut self) -> Val {
        let (thread, low) = (self.fb.op(Op::Thread), self.fb.int(3));
        self.fb.binary(SimtBin::And, thread, low)
    }

    /// Column of an element.
    pub(super) fn column(&mut self, e: Element) -> Val {
        let c = self.in_quad();
        let c = self.fb.shl(c, 1);
        let at = self.fb.int((8 * e.group + e.odd) as i32);
        self.fb.add(c, at)
    }

    /// Index in the block of the current point along an axis; beyond the count it repeats the last one.
    fn index(&mut self, a: AxisId) -> Res<Val> {
        if let Some((_, i)) = self.axes[a.index()].point {
            return Ok(i);
        }
        let Some((e, columns)) = self.element else {
            return self.refuse(format!("axis {} is not in scope", self.axis(a).name));
        };
        let i = match columns {
            _ if a == self.shape.lane => self.row(e),
            Some(x) if x == a => self.column(e),
            _ => return self.refuse(format!("axis {} is not in scope", self.axis(a).name)),
        };
        Ok(match self.axes[a.index()].count {
            None => i,
            Some(n) => {
                let one = self.fb.int(1);
                let last = self.fb.sub(n, one);
                self.fb.min(i, last)
            }
        })
    }

    fn coord(&mut self, a: AxisId) -> Res<Val> {
        if let Some((coord, _)) = self.axes[a.index()].point {
            return Ok(coord);
        }
        let (base, i) = (self.base(a)?, self.index(a)?);
        Ok(self.fb.add(base, i))
    }

    /// Tensor and offset of an element.
    pub(super) fn offset(&mut self, t: TensorId, idx: &[Expr]) -> Res<(usize, Val)> {
        let Some(slot) = self.kernel.memory.iter().position(|m| *m == t) else {
            return self.refuse(format!("tensor {} is not in memory", self.kernel.cascade.tensor(t).name));
        };
        let zero = self.fb.int(0);
        let mut sum = self.fb.op(Op::ToOff(zero));
        for (d, e) in idx.iter().enumerate() {
            let i = self.eval(e)?;
            let i = self.fb.op(Op::ToOff(i));
            let stride = self.fb.op(Op::IntOff(self.arguments.ints.stride(slot, d)));
            let term = self.fb.mul(i, stride);
            sum = if d == 0 { term } else { self.fb.add(sum, term) };
        }
        Ok((slot, sum))
    }

    fn global(&mut self, t: TensorId, idx: &[Expr]) -> Res<Val> {
        let (slot, at) = self.offset(t, idx)?;
        if let Some(v) = self.loaded.get(&(slot, at)) {
            return Ok(*v);
        }
        let ty = typing::scalar_type(self.arguments.tensors[slot].dtype);
        let v = self.fb.load(ty, Place::Global(slot, at));
        self.loaded.insert((slot, at), v);
        Ok(v)
    }

    fn local(&mut self, b: BufId) -> Res<Val> {
        let buf = &self.stage.bufs[b.index()];
        match (self.held[b.index()].clone(), self.shape.bufs[b.index()].clone(), self.element) {
            (Held::Vars(vars), Kind::Scalar, _) => Ok(self.get(vars[0])),
            (Held::Vars(vars), Kind::Row, Some((e, _))) => Ok(self.get(vars[e.row()])),
            (Held::Vars(vars), Kind::Tile(x), Some((e, Some(columns)))) if x == columns => {
                Ok(self.get(vars[e.index(self.shape.sizes[x.index()])]))
            }
            (Held::Vars(_), Kind::Tile(x), Some((e, _))) => self.elsewhere(b, x, e),
            (Held::Array { array, tile }, ..) => {
                let mut at = vec![];
                for a in &buf.axes {
                    at.push(self.index(*a)?);
                }
                let zero = self.fb.int(0);
                let (row, column) = match at[..] {
                    [column] => (zero, column),
                    [row, column] => (row, column),
                    _ => (zero, zero),
                };
                let at = self.within(tile, row, column);
                let first = self.current_copy(b, tile.len());
                let at = self.fb.add(at, first);
                let ty = super::var_type(buf.ty);
                let v = self.fb.load(if ty == Ty::B { Ty::I32 } else { ty }, Place::Array(array, at));
                Ok(scalar::convert(&mut self.fb, v, ty))
            }
            _ => self.refuse(format!("{} is read where its axes are not in scope", buf.name)),
        }
    }

    /// An element of a fragment at another column, from its copy in shared memory.
    fn elsewhere(&mut self, b: BufId, x: AxisId, e: Element) -> Res<Val> {
        let Some(array) = self.published.get(&b).copied() else {
            return self.refuse(format!("{} was not published", self.stage.bufs[b.index()].name));
        };
        let rows = self.fb.int(self.shape.sizes[self.shape.lane.index()] as i32);
        let (i, row) = (self.index(x)?, self.row(e));
        let at = self.fb.mul(i, rows);
        let at = self.fb.add(at, row);
        Ok(self.fb.load(Ty::F32, Place::Array(array, at)))
    }

    /// Offset of the current copy of a shared tile.
    pub(super) fn current_copy(&mut self, b: BufId, size: i64) -> Val {
        match self.parity.get(&b).copied() {
            None => self.fb.int(0),
            Some(p) => {
                let size = self.fb.int(size as i32);
                self.fb.mul(p, size)
            }
        }
    }

    /// Whether the current element is no padding, along the axes given; `None` if it never is.
    pub(super) fn valid(&mut self, e: Element, lane: bool, columns: Option<AxisId>) -> Option<Val> {
        let mut out = None;
        if let (true, Some(n)) = (lane, self.axes[self.shape.lane.index()].count) {
            let row = self.row(e);
            out = Some(self.fb.cmp(LaneCmp::Lt, row, n));
        }
        if let Some(n) = columns.and_then(|x| self.axes[x.index()].count) {
            let column = self.column(e);
            let inside = self.fb.cmp(LaneCmp::Lt, column, n);
            out = Some(match out {
                None => inside,
                Some(v) => self.fb.binary(SimtBin::And, v, inside),
            });
        }
        out
    }
}
