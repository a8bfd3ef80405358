//! Small constructors and queries on tile expressions, statements and stages.

use super::{Axis, AxisId, Buf, BufId, BufType, Expr, Stmt, Tile, TileKernel, TileStage};
use crate::cascade::Cascade;
use crate::types::{BinOp, RedOp, UnOp, ValueType};

impl AxisId {
    /// The index into the stage's table.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl BufId {
    /// The index into the stage's table.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl BufType {
    /// The keyword of the textual form.
    pub fn name(self) -> &'static str {
        match self {
            BufType::F32 => "f32",
            BufType::I32 => "i32",
            BufType::Bool => "bool",
        }
    }

    /// What holds values of this type.
    pub fn of(ty: ValueType) -> Self {
        match ty {
            ValueType::Float => BufType::F32,
            ValueType::Index => BufType::I32,
            ValueType::Bool => BufType::Bool,
        }
    }

    /// What a read yields.
    pub fn value_type(self) -> ValueType {
        match self {
            BufType::F32 => ValueType::Float,
            BufType::I32 => ValueType::Index,
            BufType::Bool => ValueType::Bool,
        }
    }
}

impl Expr {
    /// `op(a)`.
    pub fn un(op: UnOp, a: Expr) -> Expr {
        Expr::Unary(op, Box::new(a))
    }

    /// `op(a, b)`.
    pub fn bin(op: BinOp, a: Expr, b: Expr) -> Expr {
        Expr::Binary(op, Box::new(a), Box::new(b))
    }

    /// `if c { a } else { b }`.
    pub fn select(c: Expr, a: Expr, b: Expr) -> Expr {
        Expr::Select(Box::new(c), Box::new(a), Box::new(b))
    }

    /// Conjunction of all, `true` when there is none.
    pub fn all(conjuncts: impl IntoIterator<Item = Expr>) -> Expr {
        conjuncts.into_iter().reduce(|a, b| Expr::bin(BinOp::And, a, b)).unwrap_or(Expr::Bool(true))
    }

    /// The identity of a reduction as a literal of the given type; `None` for populate operators.
    pub fn identity(op: RedOp, ty: BufType) -> Option<Expr> {
        let x = op.identity()?;
        Some(match ty {
            BufType::F32 => Expr::Float(x),
            BufType::I32 if x.is_infinite() => {
                Expr::Int(if x > 0.0 { i64::from(i32::MAX) } else { i64::from(i32::MIN) })
            }
            BufType::I32 => Expr::Int(x as i64),
            BufType::Bool => Expr::Bool(x != 0.0),
        })
    }

    /// Direct subexpressions.
    pub fn children(&self) -> Vec<&Expr> {
        match self {
            Expr::Int(_)
            | Expr::Float(_)
            | Expr::Bool(_)
            | Expr::Coord(_)
            | Expr::Base(_)
            | Expr::Count(_)
            | Expr::Extent(_)
            | Expr::Scalar(_)
            | Expr::Local(_) => vec![],
            Expr::Global(_, idx) => idx.iter().collect(),
            Expr::Unary(_, a) | Expr::Cast(_, a) => vec![a],
            Expr::Binary(_, a, b) => vec![a, b],
            Expr::Select(c, a, b) => vec![c, a, b],
        }
    }

    /// The same expression with `f` applied to every direct subexpression.
    pub fn map_children(&self, f: &mut impl FnMut(&Expr) -> Expr) -> Expr {
        match self {
            Expr::Int(_)
            | Expr::Float(_)
            | Expr::Bool(_)
            | Expr::Coord(_)
            | Expr::Base(_)
            | Expr::Count(_)
            | Expr::Extent(_)
            | Expr::Scalar(_)
            | Expr::Local(_) => self.clone(),
            Expr::Global(t, idx) => Expr::Global(*t, idx.iter().map(f).collect()),
            Expr::Unary(op, a) => Expr::un(*op, f(a)),
            Expr::Cast(ty, a) => Expr::Cast(*ty, Box::new(f(a))),
            Expr::Binary(op, a, b) => {
                let a = f(a);
                Expr::bin(*op, a, f(b))
            }
            Expr::Select(c, a, b) => {
                let c = f(c);
                let a = f(a);
                Expr::select(c, a, f(b))
            }
        }
    }

    /// Calls `f` on this expression and everything below it, parents first.
    pub fn walk(&self, f: &mut impl FnMut(&Expr)) {
        f(self);
        for c in self.children() {
            c.walk(f);
        }
    }

    /// Number of expression nodes.
    pub fn size(&self) -> usize {
        let mut n = 0;
        self.walk(&mut |_| n += 1);
        n
    }

    /// True if the local tile is read.
    pub fn reads_local(&self, b: BufId) -> bool {
        let mut found = false;
        self.walk(&mut |e| found |= *e == Expr::Local(b));
        found
    }
}

impl Stmt {
    /// Expressions of this statement itself, not of nested ones.
    pub fn exprs(&self) -> Vec<&Expr> {
        match self {
            Stmt::Map { value, .. } | Stmt::Reduce { value, .. } => vec![value],
            Stmt::Contract { a, .. } => vec![a],
            Stmt::Loop { ranges, .. } => ranges
                .iter()
                .flat_map(|r| [Some(&r.lo), Some(&r.hi), r.full.as_ref().map(|f| &f.0), r.full.as_ref().map(|f| &f.1)])
                .flatten()
                .collect(),
            Stmt::For { lo, hi, .. } => vec![lo, hi],
            Stmt::If { cond, .. } => vec![cond],
            Stmt::Store { idx, value, .. } => idx.iter().chain([value]).collect(),
        }
    }

    /// Nested statement lists.
    pub fn bodies(&self) -> Vec<&Vec<Stmt>> {
        match self {
            Stmt::Loop { full, partial, .. } => vec![full, partial],
            Stmt::For { body, .. } => vec![body],
            Stmt::If { then, els, .. } => vec![then, els],
            Stmt::Map { .. } | Stmt::Reduce { .. } | Stmt::Contract { .. } | Stmt::Store { .. } => vec![],
        }
    }
}

impl TileStage {
    /// The axis behind an id.
    pub fn axis(&self, a: AxisId) -> &Axis {
        &self.axes[a.index()]
    }

    /// The tile behind an id.
    pub fn buf(&self, b: BufId) -> &Buf {
        &self.bufs[b.index()]
    }

    /// The lane axis, if the stage has one.
    pub fn lane(&self) -> Option<AxisId> {
        self.axes.iter().position(|a| a.lane).map(|i| AxisId(i as u32))
    }

    /// Axes with more than one point at a time that the value of an expression depends on, in order of their ids.
    pub fn tile_axes(&self, e: &Expr) -> Vec<AxisId> {
        let mut out = vec![];
        let mut add = |a: AxisId| {
            if self.axis(a).tile != Tile::One && !out.contains(&a) {
                out.push(a);
            }
        };
        e.walk(&mut |e| match e {
            Expr::Coord(a) => add(*a),
            Expr::Local(b) => self.buf(*b).axes.iter().for_each(|a| add(*a)),
            _ => {}
        });
        out.sort();
        out
    }

    /// True if the expression has one value for all points of the tile axes.
    pub fn is_uniform(&self, e: &Expr) -> bool {
        self.tile_axes(e).is_empty()
    }

    /// True for an index that a contraction's left operand may have: uniform, or a coordinate that uniform values move or
    /// bound.
    pub fn is_plain_index(&self, e: &Expr) -> bool {
        match e {
            Expr::Coord(_) => true,
            Expr::Binary(BinOp::Add | BinOp::Sub | BinOp::Min | BinOp::Max, a, b) => {
                (self.is_uniform(a) && self.is_plain_index(b)) || (self.is_uniform(b) && self.is_plain_index(a))
            }
            e => self.is_uniform(e),
        }
    }

    /// Value type of an expression.
    pub fn value_type(&self, c: &Cascade, e: &Expr) -> ValueType {
        match e {
            Expr::Int(_) | Expr::Coord(_) | Expr::Base(_) | Expr::Count(_) | Expr::Extent(_) => ValueType::Index,
            Expr::Float(_) => ValueType::Float,
            Expr::Bool(_) => ValueType::Bool,
            Expr::Scalar(s) => c.scalars[s.index()].dtype.value_type(),
            Expr::Global(t, _) => c.tensor(*t).dtype.value_type(),
            Expr::Local(b) => self.buf(*b).ty.value_type(),
            Expr::Unary(op, a) => match op {
                UnOp::ToIndex | UnOp::BoolToIndex | UnOp::Popcount | UnOp::Ilog2 => ValueType::Index,
                UnOp::ToFloat => ValueType::Float,
                UnOp::Not => ValueType::Bool,
                _ => self.value_type(c, a),
            },
            Expr::Binary(op, a, _) => match op {
                BinOp::Eq | BinOp::Ne | BinOp::Lt | BinOp::Le | BinOp::Gt | BinOp::Ge | BinOp::And | BinOp::Or => {
                    ValueType::Bool
                }
                _ => self.value_type(c, a),
            },
            Expr::Select(_, a, _) => self.value_type(c, a),
            Expr::Cast(_, a) => self.value_type(c, a),
        }
    }
}

impl TileKernel {
    /// Position of a tensor in `memory`.
    pub fn slot(&self, t: crate::cascade::TensorId) -> Option<usize> {
        self.memory.iter().position(|m| *m == t)
    }
}
