//! Reads: arity, ranks, bounds, and the domains that come with them (rules T-ACC and T-BND).

use super::elab::{Elab, Res, Val};
use super::facts;
use super::fold::{bin, refold};
use super::names::{Sym, bare};
use crate::cascade::{Assert, Expr, Extent, RankId, TensorId, TensorKind};
use crate::diag::{Code, Diagnostic, SrcSpan};
use crate::syntax::ast::{self, Access, ExprKind};
use crate::types::{BinOp, ValueType};

impl Elab<'_> {
    /// `T[i, j]` as a value.
    pub(super) fn access(&mut self, a: &Access) -> Res<Val> {
        if self.scope.params.is_some() {
            let message = format!("`{}[..]`: a `fn` or `mask` sees its parameters only", a.tensor.name);
            return self.report(Diagnostic::error(Code::NAME, a.span, message).help("pass the element as an argument"));
        }
        let Some((sym, _)) = self.syms.get(&a.tensor.name).cloned() else {
            return self.unknown(&a.tensor, "not a tensor of this kernel");
        };
        match sym {
            Sym::Tensor(t) => self.access_tensor(a, t),
            Sym::View(v) => {
                let dims: Vec<Expr> = v.vars.iter().map(|r| Expr::Extent(*r)).collect();
                let idx = self.indices(a, &dims)?;
                Ok(self.read_view(&v, &idx))
            }
            Sym::Poison => {
                // Its indices may hold errors of their own.
                for i in &a.idx {
                    _ = self.expr(i);
                }
                Err(super::elab::Reported)
            }
            Sym::Rank(_) | Sym::Scalar(_) | Sym::Value(_) | Sym::Type => {
                let message = format!("`{}` is {}, not a tensor", a.tensor.name, sym.word());
                self.error(Code::ACC, a.span, message)
            }
        }
    }

    fn access_tensor(&mut self, a: &Access, t: TensorId) -> Res<Val> {
        let tensor = self.c.tensor(t);
        if tensor.kind == TensorKind::Out && !self.info[t.index()].assigned {
            let d = Diagnostic::error(
                Code::NAME,
                a.span,
                format!("output `{}` is read before it is assigned", a.tensor.name),
            );
            return self.report(d.help("compute the value in a `let` and use it twice"));
        }
        let ty = tensor.dtype.value_type();
        let e = if self.info[t.index()].state.is_some() {
            self.read_state(a, t)?
        } else {
            let dims = tensor.dims.clone();
            let idx = self.indices(a, &dims)?;
            self.reads_generation(a, t, &idx)?;
            if self.stmt.predicate {
                self.lookups.entry(t).or_insert(a.span);
            }
            self.read_tensor(t, idx)
        };
        Ok(Val { e, ty })
    }

    /// Elaborates and checks indices against dimensions.
    fn indices(&mut self, a: &Access, dims: &[Expr]) -> Res<Vec<Expr>> {
        let idx = self.plain_indices(a, dims.len())?;
        for ((ast, e), dim) in a.idx.iter().zip(&idx).zip(dims) {
            self.check_index(a, ast, e, dim)?;
        }
        Ok(idx)
    }

    /// Elaborates indices without looking at their ranges.
    pub(super) fn plain_indices(&mut self, a: &Access, dims: usize) -> Res<Vec<Expr>> {
        let idx: Vec<Res<Expr>> = a.idx.iter().map(|i| self.index(i)).collect();
        if a.idx.len() != dims {
            let message = format!("`{}` has {dims} ranks but is indexed with {}", a.tensor.name, a.idx.len());
            return self.error(Code::ACC, a.span, message);
        }
        idx.into_iter().collect()
    }

    /// An expression of type index.
    pub(super) fn index(&mut self, e: &ast::Expr) -> Res<Expr> {
        let v = self.expr(e)?;
        match v.ty {
            ValueType::Index => Ok(v.e),
            ValueType::Float => {
                let d = Diagnostic::error(Code::TYPE, e.span, "an index must be an integer, this is a float");
                self.report(d.help("convert with `as i32`"))
            }
            ValueType::Bool => self.error(Code::TYPE, e.span, "an index must be an integer, this is a truth value"),
        }
    }

    /// An element of a tensor, with the domain that comes with it.
    pub(super) fn read_tensor(&mut self, t: TensorId, idx: Vec<Expr>) -> Expr {
        let info = self.info[t.index()].clone();
        for conjunct in &info.dom {
            let at = |r: RankId| info.vars.iter().position(|v| *v == r).map(|i| idx[i].clone());
            self.require(refold(&conjunct.subst(&at)));
        }
        for s in info.reads_state {
            if !self.frame.states.contains(&s) {
                self.frame.states.push(s);
            }
        }
        match self.table_entry(t, &idx) {
            Some(e) => e,
            None => Expr::Read(t, idx),
        }
    }

    /// The entry of a compile-time table at constant indices.
    pub(super) fn table_entry(&self, t: TensorId, idx: &[Expr]) -> Option<Expr> {
        let tensor = self.c.tensor(t);
        let table = tensor.table.as_ref()?;
        let mut at = 0usize;
        for (i, dim) in idx.iter().zip(&tensor.dims) {
            let (Expr::Int(i), Expr::Int(n)) = (i, self.dim_value(dim)) else { return None };
            at = at.checked_mul(usize::try_from(n).ok()?)?.checked_add(usize::try_from(*i).ok()?)?;
        }
        let x = *table.get(at)?;
        Some(match tensor.dtype.value_type() {
            ValueType::Index => Expr::Int(x as i64),
            ValueType::Float => Expr::Float(x),
            ValueType::Bool => Expr::Bool(x != 0.0),
        })
    }

    /// A dimension as a value: constant extents are literals.
    pub(super) fn dim_value(&self, dim: &Expr) -> Expr {
        match dim {
            Expr::Extent(r) => match &self.c.ranks[r.index()].extent {
                Extent::Const(n) => Expr::Int(*n),
                Extent::Free | Extent::Derived(_) => dim.clone(),
            },
            other => other.clone(),
        }
    }

    /// Checks one index: a bare rank variable needs the rank of its position, anything else must stay in bounds.
    pub(super) fn check_index(&mut self, a: &Access, ast: &ast::Expr, e: &Expr, dim: &Expr) -> Res<()> {
        if let (ExprKind::Name(_), Expr::Var(r)) = (&bare(ast).kind, e) {
            return self.check_variable(a, ast.span, *r, dim, true);
        }
        let limit = self.dim_value(dim);
        let (zero, data) = (Expr::Int(0), !e.reads().is_empty());
        let mut open = vec![];
        for (inside, outside) in [(BinOp::Ge, BinOp::Lt), (BinOp::Lt, BinOp::Ge)] {
            let bound = if inside == BinOp::Ge { &zero } else { &limit };
            let goal = bin(inside, e.clone(), bound.clone());
            if self.known(&goal) || self.known_if_divisible(&goal) {
                continue;
            }
            if !data && self.known(&bin(outside, e.clone(), bound.clone())) {
                let message =
                    format!("index `{}` of `{}` is never inside of its dimension", self.text(e), a.tensor.name);
                let d = Diagnostic::error(Code::BND, ast.span, message);
                return self.report(d.note(format!("the dimension is {}", self.text(dim))));
            }
            open.push(goal);
        }
        if !open.is_empty() {
            self.warn_bounds(a, ast, e, &Expr::all(open.clone()), data);
            open.into_iter().for_each(|goal| self.require(goal));
        }
        Ok(())
    }

    /// A bare rank variable at a dimension (rule T-ACC).
    pub(super) fn check_variable(&mut self, a: &Access, span: SrcSpan, r: RankId, dim: &Expr, reads: bool) -> Res<()> {
        let promises = self.promises();
        let known: Vec<&Expr> = promises.iter().collect();
        if facts::equal(&self.c, &known, &Expr::Extent(r), dim) {
            return Ok(());
        }
        // `offsets[z]` and `offsets[z + 1]` of a tensor with `Z + 1` elements; a left side defines all of them.
        if reads && facts::spans_part_of(&self.c, &known, r, dim) {
            return Ok(());
        }
        let (var, rank, dim_text) = (self.var_text(r), self.c.ranks[r.index()].name.clone(), self.text(dim));
        let message = format!(
            "rank variable `{var}` ranges over `{rank}`, but this position of `{}` has rank `{dim_text}`",
            a.tensor.name
        );
        let help = match dim {
            Expr::Extent(_) => format!("declare `rank {rank} = {dim_text}` if the extents are equal"),
            _ => format!("declare `rank {rank} = {dim_text}`"),
        };
        self.report(Diagnostic::error(Code::ACC, span, message).help(help))
    }

    /// Tries the goal under the assumption that a quotient of extents is exact (`H / G` query heads per group). If that
    /// decides it, the assumption becomes a promise that the launcher checks.
    fn known_if_divisible(&mut self, goal: &Expr) -> bool {
        let mut quotients: Vec<Expr> = vec![];
        goal.walk(&mut |e| {
            if let Expr::Binary(BinOp::FloorDiv, x, d) = e
                && is_closed(e)
                && !matches!(**d, Expr::Int(_))
            {
                quotients.push(exact(x, d));
            }
        });
        for pred in quotients {
            let text = match &pred {
                Expr::Binary(BinOp::And, _, exact) => self.text(exact),
                _ => continue,
            };
            let origin = self.stmt.origin.clone();
            self.c.asserts.push(Assert::Holds { pred, text, origin });
            if self.known(goal) {
                return true;
            }
            self.c.asserts.pop();
        }
        false
    }

    fn warn_bounds(&mut self, a: &Access, ast: &ast::Expr, e: &Expr, goal: &Expr, data: bool) {
        // The ragged last block of a fold is no surprise; results that become absent are.
        let folds = self.frame.bound.iter().any(|r| goal.mentions(*r));
        let promises = self.promises();
        let around: Vec<&Expr> =
            [&self.frame.dom, &self.frame.guards, &self.frame.outer, &promises].into_iter().flatten().collect();
        if self.frame.optional || (folds && !data) || facts::implied(&self.c, &around, goal) {
            return;
        }
        let message = format!("index `{}` of `{}` may leave its dimension", self.text(e), a.tensor.name);
        let mut d = Diagnostic::warning(Code::OOB, ast.span, message)
            .note(format!("elements where not `{}` are absent", self.text(goal)));
        d.help = Some(match data {
            true => "restrict it with `where`, or promise its values with `#[range(lo, hi)]`".to_string(),
            false => format!("add `where {}`, or fill absent elements with `or(x, c)`", self.text(goal)),
        });
        self.diags.push(d);
    }
}

/// `x % d == 0`, for a positive `d`.
pub(super) fn exact(x: &Expr, d: &Expr) -> Expr {
    let positive = bin(BinOp::Ge, d.clone(), Expr::Int(1));
    bin(BinOp::And, positive, bin(BinOp::Eq, bin(BinOp::Mod, x.clone(), d.clone()), Expr::Int(0)))
}

/// True for expressions over extents and scalars.
pub(super) fn is_closed(e: &Expr) -> bool {
    let mut closed = true;
    e.walk(&mut |e| closed &= !matches!(e, Expr::Var(_) | Expr::Read(..)));
    closed
}
