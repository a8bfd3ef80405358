//! Small constructors and queries on expressions and cascades.

use super::{Cascade, Expr, Node, OutIdx, RankId, Tensor, TensorId};
use crate::types::{BinOp, UnOp, ValueType};

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

    /// Direct subexpressions.
    pub fn children(&self) -> Vec<&Expr> {
        match self {
            Expr::Int(_) | Expr::Float(_) | Expr::Bool(_) | Expr::Var(_) | Expr::Extent(_) | Expr::Scalar(_) => vec![],
            Expr::Read(_, idx) => idx.iter().collect(),
            Expr::Unary(_, a) | Expr::Cast(_, a) => vec![a],
            Expr::Binary(_, a, b) => vec![a, b],
            Expr::Select(c, a, b) => vec![c, a, b],
        }
    }

    /// The same expression with `f` applied to every direct subexpression.
    pub fn map_children(&self, f: &mut impl FnMut(&Expr) -> Expr) -> Expr {
        match self {
            Expr::Int(_) | Expr::Float(_) | Expr::Bool(_) | Expr::Var(_) | Expr::Extent(_) | Expr::Scalar(_) => {
                self.clone()
            }
            Expr::Read(t, idx) => Expr::Read(*t, idx.iter().map(f).collect()),
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

    /// Operators on the longest way to a leaf.
    pub fn depth(&self) -> usize {
        let below = self.children().into_iter().map(Expr::depth).max().unwrap_or(0);
        let operator = matches!(self, Expr::Unary(..) | Expr::Binary(..) | Expr::Select(..) | Expr::Cast(..));
        below + usize::from(operator)
    }

    /// Calls `f` on this expression and everything below it, parents first.
    pub fn walk(&self, f: &mut impl FnMut(&Expr)) {
        f(self);
        for c in self.children() {
            c.walk(f);
        }
    }

    /// Simultaneous substitution of rank variables.
    pub fn subst(&self, map: &dyn Fn(RankId) -> Option<Expr>) -> Expr {
        match self {
            Expr::Var(r) => map(*r).unwrap_or_else(|| self.clone()),
            _ => self.map_children(&mut |c| c.subst(map)),
        }
    }

    /// True if the rank variable occurs.
    pub fn mentions(&self, r: RankId) -> bool {
        let mut found = false;
        self.walk(&mut |e| found |= *e == Expr::Var(r));
        found
    }

    /// Tensors read, in order of first occurrence, each once.
    pub fn reads(&self) -> Vec<TensorId> {
        let mut out = vec![];
        self.walk(&mut |e| {
            if let Expr::Read(t, _) = e
                && !out.contains(t)
            {
                out.push(*t);
            }
        });
        out
    }
}

impl Cascade {
    /// The tensor behind an id.
    pub fn tensor(&self, t: TensorId) -> &Tensor {
        &self.tensors[t.index()]
    }

    /// Tensor by name.
    pub fn tensor_by_name(&self, name: &str) -> Option<TensorId> {
        self.tensors.iter().position(|t| t.name == name).map(|i| TensorId(i as u32))
    }

    /// Rank by its upper-case name.
    pub fn rank_by_name(&self, name: &str) -> Option<RankId> {
        self.ranks.iter().position(|r| r.name == name).map(|i| RankId(i as u32))
    }

    /// Adds a tensor.
    pub fn add_tensor(&mut self, t: Tensor) -> TensorId {
        self.tensors.push(t);
        TensorId(self.tensors.len() as u32 - 1)
    }

    /// A name that no tensor, rank or scalar has yet, made from `base`.
    pub fn fresh_name(&self, base: &str) -> String {
        let taken = |n: &str| {
            self.tensors.iter().any(|t| t.name == n)
                || self.ranks.iter().any(|r| r.name == n)
                || self.scalars.iter().any(|s| s.name == n)
        };
        let mut name = base.to_string();
        let mut i = 1;
        while taken(&name) {
            i += 1;
            name = format!("{base}_{i}");
        }
        name
    }

    /// The node that defines `t`, if one does (the update node for a state).
    pub fn def(&self, t: TensorId) -> Option<&Node> {
        self.nodes.iter().rev().find(|n| n.out == t)
    }

    /// Value type of an expression.
    pub fn value_type(&self, e: &Expr) -> ValueType {
        match e {
            Expr::Int(_) | Expr::Var(_) | Expr::Extent(_) => ValueType::Index,
            Expr::Float(_) => ValueType::Float,
            Expr::Bool(_) => ValueType::Bool,
            Expr::Scalar(s) => self.scalars[s.index()].dtype.value_type(),
            Expr::Read(t, _) => self.tensor(*t).dtype.value_type(),
            Expr::Unary(op, a) => match op {
                UnOp::ToIndex | UnOp::BoolToIndex | UnOp::Popcount | UnOp::Ilog2 => ValueType::Index,
                UnOp::ToFloat => ValueType::Float,
                UnOp::Not => ValueType::Bool,
                _ => self.value_type(a),
            },
            Expr::Binary(op, a, _) => match op {
                BinOp::Eq | BinOp::Ne | BinOp::Lt | BinOp::Le | BinOp::Gt | BinOp::Ge | BinOp::And | BinOp::Or => {
                    ValueType::Bool
                }
                _ => self.value_type(a),
            },
            Expr::Select(_, a, _) => self.value_type(a),
            Expr::Cast(_, a) => self.value_type(a),
        }
    }
}

impl Node {
    /// Rank variables on the left side, the iterative ones included.
    pub fn out_ranks(&self) -> Vec<RankId> {
        self.vars
            .iter()
            .filter_map(|v| match v {
                OutIdx::Var(r) | OutIdx::Next(r) | OutIdx::Prev(r) => Some(*r),
                OutIdx::At(_) => None,
            })
            .collect()
    }

    /// Reduced ranks.
    pub fn reduced(&self) -> &[RankId] {
        self.reduce.as_ref().map_or(&[], |r| &r.over)
    }

    /// Every expression of the node: body, fold, dom.
    pub fn exprs(&self) -> impl Iterator<Item = &Expr> {
        std::iter::once(&self.body).chain(&self.fold).chain(&self.dom)
    }

    /// Of an update of a state: the position of its iterative index, its rank, and whether it runs backwards.
    pub fn step(&self) -> Option<(usize, RankId, bool)> {
        self.vars.iter().enumerate().find_map(|(i, v)| match v {
            OutIdx::Next(r) => Some((i, *r, false)),
            OutIdx::Prev(r) => Some((i, *r, true)),
            OutIdx::Var(_) | OutIdx::At(_) => None,
        })
    }

    /// True if the node belongs to a recurrence (its left side has an iterative index).
    pub fn is_stateful(&self) -> bool {
        self.vars.iter().any(|v| !matches!(v, OutIdx::Var(_)))
    }
}
