//! Definition of the tile IR.

use crate::cascade::{Cascade, RankId, ScalarId, TensorId};
use crate::types::{BinOp, DType, RedOp, UnOp};

/// An axis of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AxisId(pub u32);

/// A local tile buffer of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BufId(pub u32);

/// A kernel as tile programs.
#[derive(Clone, Debug, PartialEq)]
pub struct TileKernel {
    /// Ranks, scalars and tensors; the nodes are no longer used.
    pub cascade: Cascade,
    /// Tensors in memory, in parameter order: inputs, inouts, outputs, tables, then workspace.
    pub memory: Vec<TensorId>,
    /// How many of `memory` are workspace (at its end), allocated by the launcher.
    pub workspace: usize,
    /// Stages in execution order; all of one stage is complete before the next starts.
    pub stages: Vec<TileStage>,
}

/// One parallel region.
#[derive(Clone, Debug, PartialEq)]
pub struct TileStage {
    /// Name.
    pub name: String,
    /// Axes; ids index this table.
    pub axes: Vec<Axis>,
    /// Axes that span the grid, outermost first: items are independent. `Tile::One` or `Tile::Fixed`.
    pub grid: Vec<AxisId>,
    /// Local tiles of one item.
    pub bufs: Vec<Buf>,
    /// Body of one item.
    pub body: Vec<Stmt>,
}

/// A dimension of iteration. In its scope it has a base (global coordinate of its first element) and a count.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// Printed name, unique in the stage.
    pub name: String,
    /// Its rank.
    pub rank: RankId,
    /// Elements at a time.
    pub tile: Tile,
    /// The lane axis: innermost in every tile that has it; at most one a stage; `Tile::Fixed`.
    pub lane: bool,
}

/// How an axis is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tile {
    /// One element at a time: a scalar loop (or grid) variable.
    One,
    /// Blocks of this many elements; the last one may be shorter.
    Fixed(i64),
    /// All at once: base 0, count = extent of the rank.
    Whole,
}

/// Element type of a local tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BufType {
    /// 32-bit float.
    F32,
    /// 32-bit integer.
    I32,
    /// Truth value.
    Bool,
}

/// A local tile.
#[derive(Clone, Debug, PartialEq)]
pub struct Buf {
    /// Printed name, unique in the stage.
    pub name: String,
    /// Element type.
    pub ty: BufType,
    /// Axes, outermost first; the lane axis, if any, is last. No axis: a scalar.
    pub axes: Vec<AxisId>,
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Stmt {
    /// `dst = value` at every point of dst's axes; with an operator `dst = op(dst, value)`.
    Map {
        /// Written tile.
        dst: BufId,
        /// Combine with the old value instead of replacing it.
        op: Option<RedOp>,
        /// Value at a point; may read `dst` itself at the same point.
        value: Expr,
    },
    /// `dst = op(dst, fold of value over the axes)` at every point of dst's axes.
    Reduce {
        /// Written tile; must be initialised.
        dst: BufId,
        /// Operator (a monoid).
        op: RedOp,
        /// Folded axes, none of them dst's.
        over: Vec<AxisId>,
        /// Value at a point of dst's axes and `over`.
        value: Expr,
    },
    /// `dst[i.., l] (+)= Σ_k a(i.., k) · b[k, l]`: a matrix product with the lane axis l (when the stage has one).
    /// There may be no row axis, or several.
    Contract {
        /// Written tile: row axes, then (optionally) the lane axis.
        dst: BufId,
        /// Contracted axis.
        over: AxisId,
        /// Left operand, independent of the lane axis: a `Local`, or a `Global` of type f32 whose indices are each
        /// uniform, or a `Coord` that uniform values move or bound.
        a: Expr,
        /// Right operand: a tile over `over` and the lane axis (and no row axis).
        b: BufId,
        /// Add to `dst` instead of replacing it.
        accumulate: bool,
    },
    /// Tiles of `axis` (`Tile::Fixed`) in increasing order from the least `lo` to the greatest `hi` of the non-empty
    /// ranges (clipped to the extent): the first starts at that `lo`, the last may be shorter, nothing outside is
    /// touched. A tile that lies inside the full part of a range runs `full`, one that touches a range runs `partial`,
    /// any other is skipped.
    Loop {
        /// Streamed axis.
        axis: AxisId,
        /// Live and full ranges, one a disjunct of the mask; empty ranges have lo ≥ hi. Bounds may exceed the
        /// extent and be negative: the loop clips them.
        ranges: Vec<Range>,
        /// Body where the mask is known to hold.
        full: Vec<Stmt>,
        /// Body where the mask is evaluated per element.
        partial: Vec<Stmt>,
    },
    /// Scalar loop over `lo..hi` of an axis with `Tile::One`.
    For {
        /// Loop variable.
        axis: AxisId,
        /// First coordinate.
        lo: Expr,
        /// One past the last.
        hi: Expr,
        /// Body.
        body: Vec<Stmt>,
    },
    /// Uniform branch.
    If {
        /// Condition without lane or tile axes.
        cond: Expr,
        /// Taken when true.
        then: Vec<Stmt>,
        /// Taken when false.
        els: Vec<Stmt>,
    },
    /// `tensor[idx] = value` at every point of the axes. Distinct points write distinct elements.
    Store {
        /// Written tensor.
        tensor: TensorId,
        /// Its indices, in bounds.
        idx: Vec<Expr>,
        /// Axes iterated, beyond the scalar ones in scope.
        axes: Vec<AxisId>,
        /// Value, converted to the tensor's dtype.
        value: Expr,
    },
}

/// A live range of a streamed axis with its full part. Bounds are uniform expressions.
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    /// First coordinate that may be visible.
    pub lo: Expr,
    /// One past the last coordinate that may be visible.
    pub hi: Expr,
    /// First coordinate of the part where every row sees every key; `None` when unknown (always partial).
    pub full: Option<(Expr, Expr)>,
}

/// An expression at a point of the axes in scope.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// Index literal.
    Int(i64),
    /// Float literal.
    Float(f64),
    /// Truth literal.
    Bool(bool),
    /// Global coordinate of the point along an axis.
    Coord(AxisId),
    /// Global coordinate of the first element of an axis's current block (uniform).
    Base(AxisId),
    /// Number of valid elements of an axis's current block (uniform).
    Count(AxisId),
    /// Extent of a rank.
    Extent(RankId),
    /// Run-time scalar.
    Scalar(ScalarId),
    /// Element of a tensor in memory; indices are in bounds.
    Global(TensorId, Vec<Expr>),
    /// Element of a local tile at the current point.
    Local(BufId),
    /// Unary operator.
    Unary(UnOp, Box<Expr>),
    /// Binary operator.
    Binary(BinOp, Box<Expr>, Box<Expr>),
    /// Lazy choice.
    Select(Box<Expr>, Box<Expr>, Box<Expr>),
    /// Semantic rounding.
    Cast(DType, Box<Expr>),
}
