//! Products: rows from fragments, columns from shared tiles, on matrix instructions.
//!
//! 16-bit tensors are multiplied as they are, and what meets them is rounded to their type. f32 is split into the two
//! halves that a tf32 operand can hold, and three of the four products are summed: about 22 bits of each product.

use super::{Element, Fragments, Held, Kind, Res, SharedTile, Val};
use crate::math::Math;
use crate::simt::{ArrayId, Elem, Inst, MatrixType, Op, Place, SharedMatrix, SimtBin, Ty, Var};
use crate::tile::{AxisId, BufId, Expr};

fn matrix_type(elem: Elem) -> MatrixType {
    if elem == Elem::F16 { MatrixType::F16 } else { MatrixType::Bf16 }
}

/// The bits of an f32 that a tf32 operand holds.
const TF32: i32 = !0x1fff;

/// Left operand of L3: columns of the product in shared memory.
struct Columns {
    array: ArrayId,
    elem: Elem,
    tile: SharedTile,
    /// Offset of the current copy.
    first: Val,
    /// The contracted axis runs along the rows of the tile rather than within them.
    across: bool,
}

impl Fragments<'_> {
    pub(super) fn contract(&mut self, dst: BufId, over: AxisId, a: &Expr, b: BufId, accumulate: bool) -> Res<()> {
        let bufs = &self.stage.bufs;
        self.fb.comment(format!("{} by {}", bufs[dst.index()].name, bufs[b.index()].name));
        let (Kind::Tile(x), Kind::Tile(k), Expr::Local(left)) =
            (self.shape.bufs[dst.index()].clone(), self.shape.bufs[b.index()].clone(), a)
        else {
            return self.refuse("a product of other tiles than fragments");
        };
        let columns = self.columns(*left, over, x)?;
        if k != over {
            return self.refuse("a product over another axis");
        }
        let (Held::Vars(acc), Held::Vars(rows)) = (self.held[dst.index()].clone(), self.held[b.index()].clone()) else {
            return self.refuse("a product of tiles in shared memory");
        };
        if !accumulate && columns.tile.width.is_none() {
            let zero = self.fb.float(0.0);
            acc.iter().for_each(|v| self.set(*v, zero));
        }
        match columns.elem {
            Elem::F16 | Elem::Bf16 if columns.tile.width.is_some() => {
                self.group(&columns, b, &rows, acc.clone(), (over, accumulate));
            }
            Elem::F16 | Elem::Bf16 => self.halves(&columns, b, &rows, &acc, (x, over)),
            Elem::F32 => self.floats(&columns, &rows, &acc, (x, over)),
            Elem::I32 => return self.refuse("a product of integers"),
        }
        acc.iter().for_each(|v| {
            self.read.remove(v);
        });
        Ok(())
    }

    fn columns(&mut self, left: BufId, over: AxisId, x: AxisId) -> Res<Columns> {
        let (Held::Array { array, tile }, Kind::Shared(elem)) =
            (self.held[left.index()].clone(), self.shape.bufs[left.index()].clone())
        else {
            return self.refuse("a product whose columns are not in shared memory");
        };
        let axes = &self.stage.bufs[left.index()].axes;
        let across = match axes[..] {
            [a, b] if a == x && b == over => false,
            [a, b] if a == over && b == x => true,
            _ => return self.refuse("a product with columns along other axes"),
        };
        let first = self.current_copy(left, tile.len());
        Ok(Columns { array, elem, tile, first, across })
    }

    fn groups(&self, a: AxisId) -> u32 {
        super::Layout::groups(self.shape.sizes[a.index()])
    }

    /// Registers of an accumulator.
    fn accumulator(&self, vars: &[Var], row_tile: u32, group: u32, groups: u32) -> [Var; 4] {
        let at = ((row_tile * groups + group) * 4) as usize;
        [vars[at], vars[at + 1], vars[at + 2], vars[at + 3]]
    }

    /// Packs a fragment that only products read, where it is made.
    pub(super) fn pack_once(&mut self, b: BufId) -> Res<()> {
        let Some((_, left)) = self.once.iter().find(|(t, _)| *t == b).copied() else { return Ok(()) };
        let Kind::Shared(elem @ (Elem::F16 | Elem::Bf16)) = self.shape.bufs[left.index()] else { return Ok(()) };
        let Held::Vars(vars) = self.held[b.index()].clone() else { return Ok(()) };
        let pairs = self.pairs(&vars, elem);
        let packed: Vec<Var> = pairs.into_iter().map(|p| self.fb.var_of(p)).collect();
        self.packed.insert(b, (elem, packed));
        Ok(())
    }

    /// Neighbouring columns of a fragment, rounded: (g, 2c), (g, 2c + 1), then row g + 8, of one accumulator after the other.
    fn pairs(&mut self, vars: &[Var], elem: Elem) -> Vec<Val> {
        let mut out = vec![];
        for pair in vars.chunks_exact(2) {
            let (lo, hi) = (self.get(pair[0]), self.get(pair[1]));
            out.push(self.fb.op(Op::Pack(elem, lo, hi)));
        }
        out
    }

    /// Operands of 16 contracted elements each, of one row tile.
    fn left_halves(&mut self, elem: Elem, b: BufId, rows: &[Var], k: AxisId, row_tile: u32) -> Vec<[Val; 4]> {
        let pairs = match self.packed.get(&b).cloned() {
            Some((packed, vars)) if packed == elem => vars.into_iter().map(|v| self.get(v)).collect(),
            _ => self.pairs(rows, elem),
        };
        let groups = self.groups(k);
        let zero = self.fb.float(0.0);
        let zero = self.fb.op(Op::Pack(elem, zero, zero));
        let at = |group: u32, half: u32| {
            let i = ((row_tile * groups + group) * 2 + half) as usize;
            if group < groups { pairs[i] } else { zero }
        };
        let step = |s: u32| [at(2 * s, 0), at(2 * s, 1), at(2 * s + 1, 0), at(2 * s + 1, 1)];
        (0..groups.div_ceil(2)).map(step).collect()
    }

    /// A product of warpgroups.
    fn group(&mut self, columns: &Columns, b: BufId, rows: &[Var], acc: Vec<Var>, (k, accumulate): (AxisId, bool)) {
        let a = self.left_halves(columns.elem, b, rows, k, 0);
        let (array, first, across) = (columns.array, columns.first, columns.across);
        let width = columns.tile.width.unwrap_or(16);
        let b = SharedMatrix { array, first, rows: columns.tile.rows as u32, width, across };
        self.fb.inst(Inst::GroupMma { of: matrix_type(columns.elem), a, b, acc, accumulate });
    }

    fn halves(&mut self, columns: &Columns, b: BufId, rows: &[Var], acc: &[Var], (x, k): (AxisId, AxisId)) {
        let of = matrix_type(columns.elem);
        let (across, groups) = (self.groups(x), self.groups(k));
        let left: Vec<_> = (0..self.shape.layout.row_tiles)
            .map(|row_tile| self.left_halves(columns.elem, b, rows, k, row_tile))
            .collect();
        for step in 0..groups.div_ceil(2) {
            for first in (0..across).step_by(2) {
                let count = (across - first).min(2);
                let right = self.column_halves(columns, first, count, step);
                for (row_tile, a) in left.iter().enumerate() {
                    let a = a[step as usize];
                    for g in 0..count {
                        let b = [right[2 * g as usize], right[2 * g as usize + 1]];
                        let acc = self.accumulator(acc, row_tile as u32, first + g, across);
                        self.fb.inst(Inst::Mma { of, a, b, acc });
                    }
                }
            }
        }
    }

    /// Operands of `count` groups of 8 columns for 16 contracted elements: two Pairs each.
    fn column_halves(&mut self, c: &Columns, group: u32, count: u32, step: u32) -> Vec<Val> {
        let (thread, low7) = (self.fb.op(Op::Thread), self.fb.int(7));
        let row = self.fb.binary(SimtBin::And, thread, low7);
        let matrix = self.fb.shr(thread, 3);
        let (one, three) = (self.fb.int(1), self.fb.int(2 * count as i32 - 1));
        let matrix = self.fb.binary(SimtBin::And, matrix, three);
        let second_half = self.fb.binary(SimtBin::And, matrix, one);
        let next_group = self.fb.shr(matrix, 1);
        // Along the columns: 8·group + 8·next_group; along the contraction: 16·step + 8·second_half; one of them + row.
        let (n, k) = (self.fb.shl(next_group, 3), self.fb.shl(second_half, 3));
        let (n, k) = if c.across { (n, self.fb.add(k, row)) } else { (self.fb.add(n, row), k) };
        let stride = self.fb.int(c.tile.stride as i32);
        let (outer, inner) = if c.across { (k, n) } else { (n, k) };
        let (o, i) = if c.across { (16 * step, 8 * group) } else { (8 * group, 16 * step) };
        let at = self.fb.mul(outer, stride);
        let at = self.fb.add(at, inner);
        let at = self.fb.add(at, c.first);
        let fixed = self.fb.int((i64::from(o) * c.tile.stride + i64::from(i)) as i32);
        let at = self.fb.add(at, fixed);
        self.fb.load_matrix(2 * count as usize, c.array, at, c.across)
    }

    /// Matrix units round sums toward zero, so each product has a sum of its own, which is then added.
    fn floats(&mut self, columns: &Columns, rows: &[Var], acc: &[Var], (x, k): (AxisId, AxisId)) {
        let left: Vec<Vec<[(Val, Val); 4]>> =
            (0..self.shape.layout.row_tiles).map(|row_tile| self.left_floats(rows, k, row_tile)).collect();
        let across = self.groups(x);
        for group in 0..across {
            let zero = self.fb.float(0.0);
            let sums: Vec<[Var; 4]> = left.iter().map(|_| [(); 4].map(|()| self.fb.var_of(zero))).collect();
            for step in 0..self.groups(k) {
                let b = self.column_floats(columns, group, step).map(|v| self.split(v));
                for (a, sum) in left.iter().zip(&sums) {
                    self.three_products(a[step as usize], b, *sum);
                }
            }
            for (row_tile, sum) in sums.into_iter().enumerate() {
                for (var, part) in self.accumulator(acc, row_tile as u32, group, across).into_iter().zip(sum) {
                    let (old, part) = (self.get(var), self.fb.get(part));
                    let new = self.fb.add(old, part);
                    self.set(var, new);
                }
            }
        }
    }

    /// Rows of each 8 contracted elements. Their order is free as long as both operands agree: 2c, then 2c + 1.
    fn left_floats(&mut self, rows: &[Var], k: AxisId, row_tile: u32) -> Vec<[(Val, Val); 4]> {
        let size = self.shape.sizes[k.index()];
        let mut out = vec![];
        for group in 0..self.groups(k) {
            let at = |half, odd| Element { row_tile, half, group, odd };
            out.push([at(0, 0), at(1, 0), at(0, 1), at(1, 1)].map(|e| {
                let v = self.get(rows[e.index(size)]);
                self.split(v)
            }));
        }
        out
    }

    /// The product of split operands without the smallest part, small parts first.
    fn three_products(&mut self, a: [(Val, Val); 4], b: [(Val, Val); 2], acc: [Var; 4]) {
        let (hi, lo) = (|p: (Val, Val)| p.0, |p: (Val, Val)| p.1);
        let of = MatrixType::Tf32;
        self.fb.inst(Inst::Mma { of, a: a.map(lo), b: b.map(hi), acc });
        self.fb.inst(Inst::Mma { of, a: a.map(hi), b: b.map(lo), acc });
        self.fb.inst(Inst::Mma { of, a: a.map(hi), b: b.map(hi), acc });
    }

    /// Column operand of 8 contracted elements: 2c and 2c + 1 of column g.
    fn column_floats(&mut self, c: &Columns, group: u32, step: u32) -> [Val; 2] {
        let (n, k) = (self.quad(), self.in_quad());
        let k = self.fb.shl(k, 1);
        let stride = self.fb.int(c.tile.stride as i32);
        let (outer, inner) = if c.across { (k, n) } else { (n, k) };
        let (o, i) = if c.across { (8 * step, 8 * group) } else { (8 * group, 8 * step) };
        let at = self.fb.mul(outer, stride);
        let at = self.fb.add(at, inner);
        let at = self.fb.add(at, c.first);
        let fixed = self.fb.int((i64::from(o) * c.tile.stride + i64::from(i)) as i32);
        let at = self.fb.add(at, fixed);
        if !c.across {
            let both = self.fb.load_many(Ty::F32, 2, Place::Array(c.array, at));
            return [both[0], both[1]];
        }
        let next = self.fb.add(at, stride);
        [at, next].map(|at| self.fb.load(Ty::F32, Place::Array(c.array, at)))
    }

    /// The part of a float that a tf32 operand holds, and of the rest likewise. What is not finite has no rest.
    fn split(&mut self, v: Val) -> (Val, Val) {
        let mask = self.fb.int(TF32);
        let head = |s: &mut Self, v: Val| {
            let bits = s.fb.float_bits(v);
            let bits = s.fb.binary(SimtBin::And, bits, mask);
            s.fb.bits_float(bits)
        };
        let hi = head(self, v);
        let rest = self.fb.sub(v, hi);
        let lo = head(self, rest);
        (hi, lo)
    }
}
