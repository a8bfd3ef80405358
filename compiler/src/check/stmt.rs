//! Statements that define tensors, and asserts.

use super::access::{exact, is_closed};
use super::elab::{Elab, Info, Reported, Res, Scope, StmtCx};
use super::fold::bin;
use super::names::{Sym, bare};
use crate::cascade::{Assert, Expr, OutIdx, RankId, Tensor, TensorId, TensorKind};
use crate::diag::{Code, Diagnostic, SrcSpan};
use crate::syntax::ast::{self, Access, Attr, Binary, ExprKind, TypeName};
use crate::types::{BinOp, DType, ValueType};

/// The right side of a statement.
pub(super) struct Rhs<'s> {
    /// Value.
    pub(super) value: &'s ast::Expr,
    /// `where`
    pub(super) pred: Option<&'s ast::Expr>,
}

impl Elab<'_> {
    /// Starts a statement.
    pub(super) fn begin(&mut self, name: &str, span: SrcSpan) {
        self.scope = Scope::default();
        self.frame = Default::default();
        let origin = self.origin(name, span);
        self.stmt = StmtCx { name: name.to_string(), origin, float: None, predicate: false, calls: 0 };
    }

    /// Results without a name of this statement are at least as precise as what it declares.
    pub(super) fn set_float(&mut self, dtype: DType) {
        self.stmt.float = (dtype == DType::F64).then_some(DType::F64);
    }

    /// Left indices: distinct bare rank variables (rule T-OUT).
    pub(super) fn left_vars(&mut self, a: &Access) -> Res<Vec<RankId>> {
        let mut vars: Vec<RankId> = vec![];
        let mut ok = true;
        for e in &a.idx {
            let d = match &bare(e).kind {
                ExprKind::Name(n) => match self.rank_of_variable(n) {
                    Some(r) if !vars.contains(&r) => {
                        vars.push(r);
                        continue;
                    }
                    Some(_) => Diagnostic::error(Code::OUT, e.span, format!("`{n}` stands twice on the left side")),
                    None => {
                        let message = format!("`{n}` is no rank variable: no `rank {}` is declared", n.to_uppercase());
                        Diagnostic::error(Code::NAME, e.span, message)
                    }
                },
                _ => Diagnostic::error(Code::OUT, e.span, "an index on the left side is a bare rank variable")
                    .help("index expressions go to the right side, or into a `view`"),
            };
            self.diags.push(d);
            ok = false;
        }
        if ok { Ok(vars) } else { Err(Reported) }
    }

    /// `let S[..]: f32 = expr where pred;`
    pub(super) fn let_stmt(&mut self, attrs: &[Attr], a: &Access, ty: Option<&TypeName>, rhs: &Rhs<'_>, span: SrcSpan) {
        self.begin(&a.tensor.name, span);
        let sym = match self.let_tensor(attrs, a, ty, rhs) {
            Ok(t) => Sym::Tensor(t),
            Err(Reported) => Sym::Poison,
        };
        self.declare(&a.tensor, sym);
    }

    fn let_tensor(&mut self, attrs: &[Attr], a: &Access, ty: Option<&TypeName>, rhs: &Rhs<'_>) -> Res<TensorId> {
        let vars = self.left_vars(a);
        let declared = ty.map(|t| self.dtype(t)).transpose();
        let (vars, declared) = (vars?, declared?);
        self.set_float(declared.unwrap_or(DType::F32));
        self.scope.vars = vars.clone();
        let right = self.right_side(rhs, declared.map(DType::value_type));
        let is_int = declared.is_some_and(DType::is_int);
        let (stmt, frame, scope) = (self.stmt.clone(), std::mem::take(&mut self.frame), self.scope.clone());
        let (facts, _) = self.tensor_attrs(attrs, false, is_int);
        (self.stmt, self.frame, self.scope) = (stmt, frame, scope);
        let (reduce, body, ty) = right?;
        let dtype = declared.unwrap_or(match ty {
            ValueType::Index => DType::I32,
            ValueType::Float => DType::F32,
            ValueType::Bool => DType::Bool,
        });
        let tensor = Tensor {
            name: a.tensor.name.clone(),
            dtype,
            dims: vars.iter().map(|r| Expr::Extent(*r)).collect(),
            kind: TensorKind::Let,
            empty: 0.0,
            facts,
            table: None,
        };
        let t = self.add_tensor(tensor, Info::default());
        let frame = std::mem::take(&mut self.frame);
        self.emit(t, vars.into_iter().map(OutIdx::Var).collect(), reduce, body, frame);
        Ok(t)
    }

    /// `where` and value of a statement: its root reduction, the body, and the type of the result.
    fn right_side(
        &mut self,
        rhs: &Rhs<'_>,
        want: Option<ValueType>,
    ) -> Res<(Option<crate::cascade::Reduce>, Expr, ValueType)> {
        let (op, names, arg, opts) = match &bare(rhs.value).kind {
            ExprKind::Reduce(op, names, arg, opts) if !matches!(op.name.as_str(), "softmax" | "logsumexp") => {
                (op, names, arg, opts)
            }
            _ => {
                let pred = rhs.pred.map_or(Ok(()), |p| self.conjuncts(p));
                let v = self.expr(rhs.value);
                pred?;
                let v = v?;
                let v = self.convert(v.clone(), want.unwrap_or(v.ty), rhs.value.span)?;
                return Ok((None, v.e, v.ty));
            }
        };
        let over = self.bound_vars(names)?;
        if let Some(i) = over.iter().position(|r| self.scope.vars.contains(r)) {
            let message = format!("`{}` is reduced, but it stands on the left side as well", names[i].name);
            let d = Diagnostic::error(Code::RED, names[i].span, message);
            return self.report(d.help(format!(
                "declare another rank of the same extent: `rank {0}2 = {0}`",
                self.c.ranks[over[i].index()].name
            )));
        }
        self.frame.bound = over.clone();
        let left = self.scope.vars.clone();
        self.scope.vars.extend(&over);
        let pred = rhs.pred.map_or(Ok(()), |p| self.conjuncts(p));
        self.scope.vars = left;
        let red = self.reduction(op, &over, arg, opts, rhs.value.span);
        pred?;
        let red = red?;
        if want.is_none_or(|w| w == red.ty) {
            return Ok((Some(red.reduce), red.body, red.ty));
        }
        // The result is converted: the reduction becomes a node of its own.
        let frame = std::mem::take(&mut self.frame);
        let v = self.bind_reduction(red, frame);
        let v = self.convert(v.clone(), want.unwrap_or(v.ty), rhs.value.span)?;
        Ok((None, v.e, v.ty))
    }

    /// `O[..] = expr where pred;`: an output, or the update of a state.
    pub(super) fn assign(&mut self, a: &Access, rhs: &Rhs<'_>, span: SrcSpan) {
        self.begin(&a.tensor.name, span);
        let target = self.syms.get(&a.tensor.name).map(|(s, at)| (s.clone(), *at));
        match target {
            Some((Sym::Tensor(t), _)) if self.info[t.index()].state.is_some() => self.update(a, rhs.value, rhs.pred),
            Some((Sym::Tensor(t), at)) => _ = self.output(a, t, at, rhs),
            Some((Sym::Poison, _)) => {}
            Some((sym, at)) => {
                let message = format!("`{}` is {} and cannot be assigned", a.tensor.name, sym.word());
                self.diags.push(Diagnostic::error(Code::OUT, a.span, message).label(at, "declared here"));
            }
            None => {
                let what = "not an output or state of this kernel; a new intermediate is written with `let`";
                _ = self.unknown::<()>(&a.tensor, what);
            }
        }
    }

    fn output(&mut self, a: &Access, t: TensorId, at: SrcSpan, rhs: &Rhs<'_>) -> Res<()> {
        let tensor = self.c.tensor(t).clone();
        let problem = match tensor.kind {
            TensorKind::In => Some("is an input"),
            TensorKind::Table => Some("is a table"),
            TensorKind::Let => Some("is assigned already"),
            TensorKind::Out | TensorKind::InOut if self.c.def(t).is_some() => Some("is assigned already"),
            TensorKind::Out | TensorKind::InOut => None,
        };
        if let Some(p) = problem {
            let d = Diagnostic::error(Code::OUT, a.span, format!("`{}` {p}", a.tensor.name));
            return self.report(d.label(at, "declared here"));
        }
        if a.idx.len() != tensor.dims.len() {
            let message =
                format!("`{}` has {} ranks but is indexed with {}", a.tensor.name, tensor.dims.len(), a.idx.len());
            return self.error(Code::ACC, a.span, message);
        }
        let vars = self.left_vars(a)?;
        for ((r, dim), e) in vars.iter().zip(&tensor.dims).zip(&a.idx) {
            _ = self.check_variable(a, e.span, *r, dim, false);
        }
        self.set_float(tensor.dtype);
        self.scope.vars = vars.clone();
        let right = self.right_side(rhs, Some(tensor.dtype.value_type()));
        // Later reads of a broken output are not reported again.
        self.info[t.index()].assigned = true;
        let (reduce, body, _) = right?;
        let frame = std::mem::take(&mut self.frame);
        let info = self.info[t.index()].clone();
        self.emit(t, vars.into_iter().map(OutIdx::Var).collect(), reduce, body, frame);
        if tensor.kind == TensorKind::InOut {
            // Reads see the value before the launch, which is present everywhere.
            self.info[t.index()] = info;
        }
        Ok(())
    }

    /// Every output is assigned.
    pub(super) fn finish_outputs(&mut self) {
        let mut diags = vec![];
        for (i, (t, info)) in self.c.tensors.iter().zip(&self.info).enumerate() {
            let assigned = match t.kind {
                TensorKind::Out => info.assigned,
                TensorKind::InOut => self.c.def(TensorId(i as u32)).is_some(),
                TensorKind::In | TensorKind::Let | TensorKind::Table => true,
            };
            if let (false, Some((_, span))) = (assigned, self.syms.get(&t.name)) {
                diags.push(Diagnostic::error(Code::OUT, *span, format!("output `{}` is never assigned", t.name)));
            }
        }
        self.diags.extend(diags);
    }

    /// `assert expr;`
    pub(super) fn assert(&mut self, e: &ast::Expr, span: SrcSpan) {
        self.begin("assert", span);
        self.stmt.name.clear();
        if let ExprKind::Binary(op, a, b) = &bare(e).kind
            && let ExprKind::Call(f, args) = &bare(a).kind
            && f.name == "passes"
        {
            _ = self.assert_passes(*op, args, b, span);
            return;
        }
        _ = self.assert_holds(e);
    }

    fn assert_passes(&mut self, op: Binary, args: &[ast::Expr], n: &ast::Expr, span: SrcSpan) -> Res<()> {
        let passes = match (op, &bare(n).kind) {
            (Binary::Eq, ExprKind::Int(n)) => usize::try_from(*n).ok(),
            _ => None,
        };
        let Some(passes) = passes else {
            return self.error(Code::TYPE, span, "the number of passes is promised as `assert passes(M) == 1`");
        };
        let mut ranks = vec![];
        for a in args {
            let name = match &a.kind {
                ExprKind::Name(n) => n.clone(),
                _ => String::new(),
            };
            match self.syms.get(&name) {
                Some((Sym::Rank(r), _)) => ranks.push(*r),
                _ => {
                    let text = crate::syntax::print_expr(a);
                    return self.error(
                        Code::NAME,
                        a.span,
                        format!("`{text}` is not a rank; `passes` takes rank names"),
                    );
                }
            }
        }
        if ranks.is_empty() {
            return self.error(Code::TYPE, span, "`passes` takes at least one rank");
        }
        let origin = self.stmt.origin.clone();
        self.c.asserts.push(Assert::Passes { ranks, passes, origin });
        Ok(())
    }

    fn assert_holds(&mut self, e: &ast::Expr) -> Res<()> {
        let pred = self.truth(e)?;
        if !is_closed(&pred) {
            return self.error(Code::TYPE, e.span, "an assertion is over extents, params and scalars");
        }
        if self.has_float(&pred) {
            return self.error(Code::TYPE, e.span, "an assertion compares integers, this has floats");
        }
        let text = crate::syntax::print_expr(e);
        match pred {
            Expr::Bool(true) => {}
            Expr::Bool(false) => {
                return self.error(Code::ASSERT, e.span, format!("the assertion `{text}` does not hold"));
            }
            pred => {
                let origin = self.stmt.origin.clone();
                let mut divisors = vec![];
                pred.walk(&mut |e| {
                    if let Expr::Binary(BinOp::Mod | BinOp::FloorDiv, x, d) = e
                        && !matches!(**d, Expr::Int(_))
                        && let Expr::Binary(BinOp::And, positive, _) = exact(x, d)
                        && !divisors.contains(&*positive)
                    {
                        divisors.push(*positive);
                    }
                });
                // A remainder by 0 proves nothing.
                let pred = divisors.into_iter().rev().fold(pred, |p, d| bin(BinOp::And, d, p));
                self.c.asserts.push(Assert::Holds { pred, text, origin });
            }
        }
        Ok(())
    }
}
