//! Reductions (rule T-RED). A reduction at the root of a statement is that statement's; any other gets its own node.

use super::elab::{Elab, Frame, Res, Val};
use crate::cascade::{Expr, RankId, Reduce};
use crate::diag::{Code, Diagnostic, SrcSpan};
use crate::syntax::ast::{self, ExprKind, Ident};
use crate::types::{DType, RedOp, ValueType};

/// A reduction with its elaborated argument.
pub(super) struct Reduction {
    pub(super) reduce: Reduce,
    /// Argument.
    pub(super) body: Expr,
    /// Type of the result.
    pub(super) ty: ValueType,
}

impl Elab<'_> {
    /// A reduction inside of an expression.
    pub(super) fn reduce(
        &mut self,
        op: &Ident,
        vars: &[Ident],
        body: &ast::Expr,
        opts: &[(Ident, ast::Expr)],
        span: SrcSpan,
    ) -> Res<Val> {
        if self.scope.params.is_some() {
            return self.error(
                Code::NAME,
                span,
                "a `fn` or `mask` is scalar; reduce in the kernel and pass the result",
            );
        }
        match op.name.as_str() {
            "softmax" => return self.softmax(vars, body, opts),
            "logsumexp" => return self.logsumexp(vars, body, opts),
            _ => {}
        }
        let over = self.bound_vars(vars)?;
        let (red, frame) = self.in_frame(over.clone(), |s| s.reduction(op, &over, body, opts, span))?;
        Ok(self.bind_reduction(red, frame))
    }

    /// Gives a reduction its own node and reads it.
    pub(super) fn bind_reduction(&mut self, red: Reduction, frame: Frame) -> Val {
        let name = self.fresh_numbered(&self.stmt.name, 1);
        let dtype = self.node_type(red.ty, red.reduce.acc);
        let e = self.bind(name, dtype, Some(red.reduce), red.body, frame);
        Val { e, ty: red.ty }
    }

    /// Type of a node that the source does not name.
    fn node_type(&self, ty: ValueType, acc: DType) -> DType {
        match ty {
            ValueType::Index => DType::I32,
            ValueType::Bool => DType::Bool,
            ValueType::Float if acc == DType::F64 => DType::F64,
            ValueType::Float => self.stmt.float.unwrap_or(DType::F32),
        }
    }

    /// Ranks that a reduction binds.
    pub(super) fn bound_vars(&mut self, vars: &[Ident]) -> Res<Vec<RankId>> {
        let mut over: Vec<RankId> = vec![];
        let mut ok = true;
        for v in vars {
            let d = match self.rank_of_variable(&v.name) {
                Some(r) if !over.contains(&r) => {
                    over.push(r);
                    continue;
                }
                Some(_) => Diagnostic::error(Code::RED, v.span, format!("`{}` is reduced twice", v.name)),
                None => {
                    let message =
                        format!("cannot reduce over `{}`: no `rank {}` is declared", v.name, v.name.to_uppercase());
                    Diagnostic::error(Code::NAME, v.span, message)
                }
            };
            self.diags.push(d);
            ok = false;
        }
        if ok { Ok(over) } else { Err(super::elab::Reported) }
    }

    /// Elaborates a reduction in the current frame, its variables in scope.
    pub(super) fn reduction(
        &mut self,
        op: &Ident,
        over: &[RankId],
        body: &ast::Expr,
        opts: &[(Ident, ast::Expr)],
        span: SrcSpan,
    ) -> Res<Reduction> {
        let Some(red) = RedOp::from_name(&op.name) else {
            return self.error(Code::RED, op.span, format!("`{}` is not a reduction", op.name));
        };
        if over.is_empty() {
            return self.error(Code::RED, span, format!("`{}` needs the rank variables that it reduces", op.name));
        }
        let outer = self.scope.vars.clone();
        self.scope.vars.extend(over);
        let value = self.expr(body);
        let slot = self.slot(red, op, opts, over);
        let acc = self.options(opts).and_then(|()| self.accumulator(opts));
        self.scope.vars = outer;
        let (value, slot, acc) = (value?, slot?, acc?);
        let ty = self.reduced_type(red, op, &value, body.span)?;
        if red.identity().is_none() && over.len() != 1 {
            return self.error(Code::RED, span, format!("`{}` yields a coordinate of one rank", op.name));
        }
        let acc = self.accumulator_type(red, op, value.ty, acc)?;
        Ok(Reduction { reduce: Reduce { op: red, over: over.to_vec(), acc, slot }, body: value.e, ty })
    }

    /// The type of the result, if the argument fits.
    fn reduced_type(&mut self, red: RedOp, op: &Ident, v: &Val, span: SrcSpan) -> Res<ValueType> {
        let truth = v.ty == ValueType::Bool;
        match red {
            RedOp::Any | RedOp::All if truth => Ok(ValueType::Bool),
            RedOp::Any | RedOp::All => {
                let d =
                    Diagnostic::error(Code::RED, span, format!("`{}` takes truth values, these are numbers", op.name));
                self.report(d.help("compare them: `x != 0`"))
            }
            _ if truth => {
                let d =
                    Diagnostic::error(Code::RED, span, format!("`{}` takes numbers, these are truth values", op.name));
                self.report(d.help("use `any` or `all`, or convert with `as i32`"))
            }
            RedOp::ArgMax | RedOp::TopK => Ok(ValueType::Index),
            RedOp::Sum | RedOp::Prod | RedOp::Max | RedOp::Min => Ok(v.ty),
        }
    }

    /// `; slot = j`
    fn slot(&mut self, red: RedOp, op: &Ident, opts: &[(Ident, ast::Expr)], over: &[RankId]) -> Res<Option<RankId>> {
        let given = opts.iter().find(|(k, _)| k.name == "slot");
        match (red, given) {
            (RedOp::TopK, None) => {
                let d = Diagnostic::error(Code::RED, op.span, "`topk` needs the rank variable of its slots");
                self.report(d.help("write `topk[c](x; slot = j)` with `j` on the left side"))
            }
            (RedOp::TopK, Some((_, e))) => {
                let name = match &e.kind {
                    ExprKind::Name(n) => n.clone(),
                    _ => return self.error(Code::RED, e.span, "`slot` names a rank variable"),
                };
                match self.rank_of_variable(&name) {
                    Some(r) if self.scope.vars.contains(&r) && !over.contains(&r) => Ok(Some(r)),
                    Some(_) => {
                        let left = self.stmt.name.clone();
                        let message = format!("the slot `{name}` of `topk` must be on the left side of `{left}`");
                        self.error(Code::RED, e.span, message)
                    }
                    None => self.error(Code::NAME, e.span, format!("`{name}` is not a rank variable")),
                }
            }
            (_, Some((k, _))) => self.error(Code::RED, k.span, format!("`{}` has no slots", op.name)),
            (_, None) => Ok(None),
        }
    }

    /// Every option exists and is given once.
    fn options(&mut self, opts: &[(Ident, ast::Expr)]) -> Res<()> {
        for (i, (key, _)) in opts.iter().enumerate() {
            if !matches!(key.name.as_str(), "slot" | "acc") {
                let message = format!("a reduction has no option `{}`; it has `acc` and `slot`", key.name);
                return self.error(Code::RED, key.span, message);
            }
            if let Some((first, _)) = opts[..i].iter().find(|(k, _)| k.name == key.name) {
                let d = Diagnostic::error(Code::RED, key.span, format!("`{}` is given twice", key.name));
                return self.report(d.label(first.span, "first given here"));
            }
        }
        Ok(())
    }

    /// `; acc = f64`
    fn accumulator(&mut self, opts: &[(Ident, ast::Expr)]) -> Res<Option<(DType, SrcSpan)>> {
        let Some((_, e)) = opts.iter().find(|(k, _)| k.name == "acc") else { return Ok(None) };
        let text = crate::syntax::print_expr(e);
        match text.parse::<DType>().ok().or_else(|| self.member.dtypes.get(&text).copied()) {
            Some(t @ (DType::F32 | DType::F64 | DType::I32)) => Ok(Some((t, e.span))),
            Some(t) => self.error(Code::RED, e.span, format!("`{t}` is too narrow an accumulator")),
            None => self.error(Code::NAME, e.span, format!("`{text}` is not a type")),
        }
    }

    /// What the reduction accumulates in, if that is what the source asks for.
    fn accumulator_type(
        &mut self,
        red: RedOp,
        op: &Ident,
        arg: ValueType,
        given: Option<(DType, SrcSpan)>,
    ) -> Res<DType> {
        let sums = matches!(red, RedOp::Sum | RedOp::Prod);
        if let (Some((_, span)), false) = (given, sums) {
            return self.error(Code::RED, span, format!("`{}` rounds nothing and takes no `acc`", op.name));
        }
        if let Some((t, span)) = given
            && t.value_type() != arg
        {
            let what = if arg == ValueType::Float { "floats" } else { "integers" };
            return self.error(Code::RED, span, format!("`{t}` does not accumulate {what}"));
        }
        Ok(match arg {
            ValueType::Bool => DType::Bool,
            ValueType::Index => DType::I32,
            ValueType::Float => given.filter(|_| sums).map(|(t, _)| t).or(self.stmt.float).unwrap_or(DType::F32),
        })
    }
}
