//! Stages on matrix units: tiles with the lane axis are spread over a block as fragments, contractions are matrix products.
//!
//! | tile | where it lies |
//! |---|---|
//! | no axis | a variable that every thread computes |
//! | lane axis | a register a row, the same in the four threads of a quad |
//! | another axis and the lane axis | fragments, see `layout` |
//! | without the lane axis | shared memory, rows padded against bank conflicts |
//!
//! Columns beyond the count of a block hold 0, which products and stores rely on; folds select them away. A statement that reads a tile along
//! another axis than its own columns reads a copy in shared memory. What does not fit this form is left to the general lowering.

mod contract;
mod copy;
mod expr;
mod layout;
mod query;
mod stmt;
mod stream;

use super::internal;
use crate::cascade::{Extent, RankId};
use crate::diag::Refusal;
use crate::lane::Slots;
use crate::math::Math;
use crate::simt::{ArrayId, Builder, Elem, Inst, Op, SimtBin, SimtStage, Space, Ty, Val, Var, swizzle};
use crate::target::{GpuCaps, MatrixUnit};
use crate::tile::{Axis, AxisId, BufId, BufType, Expr, Stmt, Tile, TileKernel, TileStage};
use layout::{Element, Layout};
use std::collections::BTreeMap;

type Res<T> = Result<T, Refusal>;

/// Lowers a stage, or gives it back.
pub(super) fn lower_stage(
    kernel: &TileKernel,
    arguments: &Slots,
    stage: &TileStage,
    caps: &GpuCaps,
) -> Option<SimtStage> {
    if caps.matrix == MatrixUnit::None {
        return None;
    }
    let shape = Shape::of(kernel, stage, caps)?;
    let threads = shape.layout.threads();
    let mut s = Fragments::new(kernel, arguments, stage, shape);
    s.stage().ok()?;
    Some(s.fb.finish(&stage.name, threads, Some(32)))
}

/// Where the tiles of a stage lie.
struct Shape {
    lane: AxisId,
    layout: Layout,
    /// Elements of every axis in a tile; 1 for scalar ones.
    sizes: Vec<i64>,
    bufs: Vec<Kind>,
    /// Tiles whose layout is that of warpgroup products.
    swizzled: Vec<BufId>,
}

/// Layout of a tile in shared memory.
#[derive(Clone, Copy)]
struct SharedTile {
    /// Rows and columns, with what is filled up to multiples of 16.
    rows: i64,
    columns: i64,
    /// Elements from one row to the next.
    stride: i64,
    /// Columns of a panel of the layout of `swizzle`.
    width: Option<u32>,
}

impl SharedTile {
    fn len(self) -> i64 {
        self.rows * self.stride
    }
}

/// Where a tile lies.
#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// Rank 0.
    Scalar,
    /// Lane axis alone.
    Row,
    /// A column axis and the lane axis.
    Tile(AxisId),
    /// No lane axis: elements of this type; two copies where the loop runs ahead.
    Shared(Elem),
}

impl Shape {
    fn of(kernel: &TileKernel, stage: &TileStage, caps: &GpuCaps) -> Option<Shape> {
        let lane = stage.axes.iter().position(|a| a.lane).map(|i| AxisId(i as u32))?;
        let sizes = stage.axes.iter().map(|a| size(kernel, a)).collect::<Option<Vec<_>>>();
        let known = |a: &AxisId| size(kernel, &stage.axes[a.index()]).is_some();
        let used = stage.bufs.iter().flat_map(|b| &b.axes);
        if !used.clone().all(known) || !query::has_product(stage, lane) {
            return None;
        }
        let sizes = sizes.unwrap_or_else(|| stage.axes.iter().map(|a| size(kernel, a).unwrap_or(0)).collect());
        let layout = Layout::of(sizes[lane.index()])?;
        let bufs = (0..stage.bufs.len() as u32).map(|b| kind(kernel, stage, BufId(b))).collect::<Option<Vec<_>>>()?;
        let swizzled = if caps.matrix == MatrixUnit::Warpgroup && layout.warps.is_multiple_of(4) {
            query::columns_of_products(stage, lane)
        } else {
            vec![]
        };
        let shape = Shape { lane, layout, sizes, bufs, swizzled };
        (shape.registers(stage) <= caps.private_words && shape.shared(stage) <= caps.shared_bytes).then_some(shape)
    }

    /// Registers of a thread that hold tiles.
    fn registers(&self, stage: &TileStage) -> u32 {
        let once = query::packed_once(stage);
        let of = |b: usize| match &self.bufs[b] {
            Kind::Tile(x) => {
                let elements = (self.layout.row_tiles * 4).saturating_mul(Layout::groups(self.sizes[x.index()]));
                let left = once.iter().find(|(t, _)| t.index() == b).map(|(_, left)| &self.bufs[left.index()]);
                // What only products read is kept in pairs.
                if matches!(left, Some(Kind::Shared(Elem::F16 | Elem::Bf16))) { elements / 2 } else { elements }
            }
            Kind::Scalar | Kind::Row | Kind::Shared(_) => 0,
        };
        (0..stage.bufs.len()).map(of).fold(0, u32::saturating_add)
    }

    /// The axis of the columns at which a statement is evaluated.
    fn columns(&self, s: &Stmt) -> Option<AxisId> {
        match s {
            Stmt::Map { dst, .. } => self.own_columns(*dst),
            Stmt::Reduce { dst, over, value, .. } => self.own_columns(*dst).or_else(|| self.folded(over, value)),
            Stmt::Store { axes, .. } => axes.iter().copied().find(|a| *a != self.lane),
            Stmt::Contract { .. } | Stmt::Loop { .. } | Stmt::For { .. } | Stmt::If { .. } => None,
        }
    }

    fn own_columns(&self, b: BufId) -> Option<AxisId> {
        match self.bufs[b.index()] {
            Kind::Tile(x) => Some(x),
            Kind::Scalar | Kind::Row | Kind::Shared(_) => None,
        }
    }

    /// The folded axis that lies along the columns: that of a fragment that is read.
    fn folded(&self, over: &[AxisId], value: &Expr) -> Option<AxisId> {
        let read = self.tiles_read(value).into_iter().map(|(_, x)| x).find(|x| over.contains(x));
        read.or(over.iter().copied().find(|a| *a != self.lane && self.sizes[a.index()] > 0))
    }

    /// Fragments that an expression reads, with their columns.
    fn tiles_read(&self, e: &Expr) -> Vec<(BufId, AxisId)> {
        let mut out: Vec<_> = e.children().into_iter().flat_map(|c| self.tiles_read(c)).collect();
        if let Expr::Local(b) = e
            && let Kind::Tile(x) = self.bufs[b.index()]
        {
            out.push((*b, x));
        }
        out.sort();
        out.dedup();
        out
    }

    /// Fragments that a statement reads at other columns than its own.
    fn read_elsewhere(&self, s: &Stmt) -> Vec<BufId> {
        let columns = self.columns(s);
        let (Stmt::Map { value, .. } | Stmt::Reduce { value, .. } | Stmt::Store { value, .. }) = s else {
            return vec![];
        };
        self.tiles_read(value).into_iter().filter(|(_, x)| Some(*x) != columns).map(|(b, _)| b).collect()
    }

    /// Bytes of shared memory: tiles, twice, and copies of fragments.
    fn shared(&self, stage: &TileStage) -> u32 {
        let mut bytes = 1024;
        let mut copy = 0;
        query::walk(&stage.body, &mut |s| {
            let of = |b: &BufId| self.own_columns(*b).map_or(0, |x| self.copy_len(x));
            copy = copy.max(self.read_elsewhere(s).iter().map(|b| 4 * of(b)).sum());
        });
        for (i, b) in stage.bufs.iter().enumerate() {
            match &self.bufs[i] {
                Kind::Shared(e) => {
                    let tile = self.shared_tile(BufId(i as u32), &b.axes, *e);
                    let copies = if query::is_copied_ahead(stage, BufId(i as u32)) { 2 } else { 1 };
                    bytes += copies * tile.rows.saturating_mul(tile.stride).saturating_mul(i64::from(e.bytes())) + 1024;
                }
                Kind::Tile(_) | Kind::Scalar | Kind::Row => {}
            }
        }
        u32::try_from(bytes.saturating_add(copy)).unwrap_or(u32::MAX)
    }

    /// Elements of a copy of a fragment in shared memory.
    fn copy_len(&self, columns: AxisId) -> i64 {
        (self.sizes[columns.index()] + 7) / 8 * 8 * self.sizes[self.lane.index()]
    }

    /// Layout of a shared tile. Products read 16 rows and columns at a time; 16 bytes of padding keep 8 rows in different banks.
    fn shared_tile(&self, b: BufId, axes: &[AxisId], elem: Elem) -> SharedTile {
        let up = |a: &AxisId| (self.sizes[a.index()] + 15) / 16 * 16;
        let (rows, columns) = match axes {
            [x] => (1, up(x)),
            [r, x] => (up(r), up(x)),
            _ => (1, 1),
        };
        let width = (elem.bytes() == 2 && self.swizzled.contains(&b)).then(|| swizzle::width(columns as u32));
        let pad = if width.is_none() && axes.len() == 2 { i64::from(16 / elem.bytes()) } else { 0 };
        SharedTile { rows, columns, stride: columns + pad, width }
    }
}

/// Elements of an axis in a tile, if that is known when the kernel is compiled.
fn size(kernel: &TileKernel, a: &Axis) -> Option<i64> {
    match (a.tile, &kernel.cascade.ranks[a.rank.index()].extent) {
        (Tile::One, _) => Some(1),
        (Tile::Fixed(n), _) => Some(n),
        (Tile::Whole, Extent::Const(n)) => Some(*n),
        (Tile::Whole, _) => None,
    }
}

fn kind(kernel: &TileKernel, stage: &TileStage, b: BufId) -> Option<Kind> {
    let buf = &stage.bufs[b.index()];
    let lane = |a: &AxisId| stage.axes[a.index()].lane;
    match &buf.axes[..] {
        [] => Some(Kind::Scalar),
        [a] if lane(a) => Some(Kind::Row),
        [x, a] if lane(a) => Some(Kind::Tile(*x)),
        axes if axes.len() <= 2 && !axes.iter().any(lane) => Some(Kind::Shared(query::shared_elem(kernel, stage, b))),
        _ => None,
    }
}

/// What holds a tile.
#[derive(Clone)]
enum Held {
    Vars(Vec<Var>),
    Array { array: ArrayId, tile: SharedTile },
}

/// Where an axis is.
#[derive(Clone, Copy, Default)]
struct AxisAt {
    /// Coordinate of the first element of the block.
    base: Option<Val>,
    /// Valid elements of the block; `None` when all of the tile are.
    count: Option<Val>,
    /// Coordinate of the current point, and its index in the block.
    point: Option<(Val, Val)>,
}

/// Lowering of one stage.
struct Fragments<'a> {
    kernel: &'a TileKernel,
    arguments: &'a Slots,
    stage: &'a TileStage,
    shape: Shape,
    fb: Builder,
    held: Vec<Held>,
    axes: Vec<AxisAt>,
    /// The element of a fragment that is evaluated, and the axis of its columns.
    element: Option<(Element, Option<AxisId>)>,
    /// Values of variables since the last assignment.
    read: BTreeMap<Var, Val>,
    /// Copies of fragments in shared memory that the current statement reads.
    published: BTreeMap<BufId, ArrayId>,
    /// Fragments that were packed for products where they were made.
    packed: BTreeMap<BufId, (Elem, Vec<Var>)>,
    /// Which of two copies of a shared tile is current: 0 or 1.
    parity: BTreeMap<BufId, Val>,
    /// Tiles that are copied ahead by the loop around.
    ahead: Vec<BufId>,
    exchange: Option<ArrayId>,
    /// Shared memory for copies of fragments, with its length.
    copies: Vec<(ArrayId, u32)>,
    /// Elements of tensors that the current statement has read.
    loaded: BTreeMap<(usize, Val), Val>,
    /// Right operands of products that are written once, with the left operand that they meet.
    once: Vec<(BufId, BufId)>,
}

impl<'a> Fragments<'a> {
    fn new(kernel: &'a TileKernel, arguments: &'a Slots, stage: &'a TileStage, shape: Shape) -> Self {
        Fragments {
            kernel,
            arguments,
            stage,
            shape,
            fb: Builder::new(),
            held: vec![],
            axes: vec![AxisAt::default(); stage.axes.len()],
            element: None,
            read: BTreeMap::new(),
            published: BTreeMap::new(),
            packed: BTreeMap::new(),
            parity: BTreeMap::new(),
            ahead: vec![],
            exchange: None,
            copies: vec![],
            loaded: BTreeMap::new(),
            once: query::packed_once(stage),
        }
    }

    fn refuse<T>(&self, message: impl Into<String>) -> Res<T> {
        Err(internal(&self.stage.name, message))
    }

    fn stage(&mut self) -> Res<()> {
        for b in 0..self.stage.bufs.len() {
            let held = self.hold(BufId(b as u32))?;
            self.held.push(held);
        }
        self.enter_whole_axes()?;
        self.enter_grid()?;
        let stage = self.stage;
        self.stmts(&stage.body)
    }

    fn hold(&mut self, b: BufId) -> Res<Held> {
        let buf = &self.stage.bufs[b.index()];
        let count = match &self.shape.bufs[b.index()] {
            Kind::Scalar => 1,
            Kind::Row => self.shape.layout.rows() as usize,
            Kind::Tile(x) => self.shape.layout.elements(self.shape.sizes[x.index()]).len(),
            Kind::Shared(e) => {
                let tile = self.shape.shared_tile(b, &buf.axes, *e);
                let copies = if query::is_copied_ahead(self.stage, b) { 2 } else { 1 };
                let Ok(len) = u32::try_from(tile.len() * copies) else {
                    return self.refuse("a shared tile is too large");
                };
                let array = self.fb.array(buf.name.clone(), Space::Shared, *e, len);
                return Ok(Held::Array { array, tile });
            }
        };
        let ty = var_type(buf.ty);
        // Every variable has a value on every path.
        let first = match ty {
            Ty::F32 => self.fb.float(0.0),
            Ty::B => self.fb.truth(false),
            Ty::I32 | Ty::Off | Ty::Pair => self.fb.int(0),
        };
        Ok(Held::Vars((0..count).map(|_| self.fb.var_of(first)).collect()))
    }

    fn axis(&self, a: AxisId) -> &'a Axis {
        &self.stage.axes[a.index()]
    }

    fn extent(&mut self, rank: RankId) -> Val {
        match self.kernel.cascade.ranks[rank.index()].extent {
            Extent::Const(c) if i32::try_from(c).is_ok() => self.fb.int(c as i32),
            _ => self.fb.op(Op::Int(self.arguments.ints.rank(rank.index()))),
        }
    }

    fn enter_whole_axes(&mut self) -> Res<()> {
        for (i, a) in self.stage.axes.iter().enumerate() {
            if a.tile == Tile::Whole {
                let zero = self.fb.int(0);
                // Columns come in groups of 8; what is beyond the extent is known by its count.
                let padded = self.shape.sizes[i] % 8 != 0;
                let count = if padded { Some(self.extent(a.rank)) } else { None };
                self.axes[i] = AxisAt { base: Some(zero), count, point: None };
            }
        }
        Ok(())
    }

    /// Splits the item number into the bases of the grid axes, last axis fastest.
    fn enter_grid(&mut self) -> Res<()> {
        let mut rest = self.fb.op(Op::Item);
        let grid = self.stage.grid.clone();
        for (i, a) in grid.iter().enumerate().rev() {
            let axis = self.axis(*a);
            let extent = self.extent(axis.rank);
            let tile = self.shape.sizes[a.index()];
            let (t, round) = (self.fb.int(tile as i32), self.fb.int(tile as i32 - 1));
            let blocks = if axis.tile == Tile::One {
                extent
            } else {
                let up = self.fb.add(extent, round);
                self.fb.binary(SimtBin::FloorDiv, up, t)
            };
            let index = if i == 0 { rest } else { self.fb.binary(SimtBin::Mod, rest, blocks) };
            if i > 0 {
                rest = self.fb.binary(SimtBin::FloorDiv, rest, blocks);
            }
            self.axes[a.index()] = match axis.tile {
                Tile::Fixed(_) => {
                    let base = self.fb.mul(index, t);
                    let left = self.fb.sub(extent, base);
                    AxisAt { base: Some(base), count: Some(self.fb.min(t, left)), point: None }
                }
                Tile::One | Tile::Whole => self.scalar_axis(index),
            };
        }
        Ok(())
    }

    fn scalar_axis(&mut self, coord: Val) -> AxisAt {
        let (zero, one) = (self.fb.int(0), self.fb.int(1));
        AxisAt { base: Some(coord), count: Some(one), point: Some((coord, zero)) }
    }

    /// Value of a variable.
    fn get(&mut self, var: Var) -> Val {
        if let Some(v) = self.read.get(&var) {
            return *v;
        }
        let v = self.fb.get(var);
        self.read.insert(var, v);
        v
    }

    /// Assigns a variable.
    fn set(&mut self, var: Var, value: Val) {
        self.fb.set(var, value);
        self.read.insert(var, value);
    }

    /// A branch or loop body: what was read outside holds only outside.
    fn block(&mut self, body: impl FnOnce(&mut Self) -> Res<()>) -> Res<Vec<Inst>> {
        self.forget();
        self.fb.begin_block();
        let done = body(self);
        let insts = self.fb.end_block();
        self.forget();
        done.map(|()| insts)
    }

    fn looped(&mut self, lo: Val, hi: Val, step: i32, body: impl FnOnce(&mut Self, Val) -> Res<()>) -> Res<()> {
        self.forget();
        let var = self.fb.begin_loop();
        let done = body(self, var);
        self.fb.end_loop(var, lo, hi, step);
        self.forget();
        done
    }

    fn forget(&mut self) {
        self.read.clear();
        self.loaded.clear();
    }

    fn barrier(&mut self) {
        self.fb.inst(Inst::Barrier);
    }
}

/// What holds an element of a tile.
fn var_type(ty: BufType) -> Ty {
    match ty {
        BufType::F32 => Ty::F32,
        BufType::I32 => Ty::I32,
        BufType::Bool => Ty::B,
    }
}
