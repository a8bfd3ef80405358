//! Expressions: AST to typed L1 (rule T-TYPE).
//!
//! Both operands of an operator are elaborated before either is given up, so that all errors of an expression appear.

use super::elab::{Elab, Reported, Res, Val};
use super::fold::{bin, cast, select, un};
use super::names::{Sym, bare, nearest};
use crate::cascade::{Expr, RankId};
use crate::diag::{Code, Diagnostic, SrcSpan};
use crate::syntax::ast::{self, Binary, ExprKind, Ident, TypeKind, TypeName, Unary};
use crate::types::{BinOp, DType, UnOp, ValueType};

impl Elab<'_> {
    /// Elaborates an expression in the current scope and frame.
    pub(super) fn expr(&mut self, e: &ast::Expr) -> Res<Val> {
        match &e.kind {
            ExprKind::Int(x) => Ok(Val::index(Expr::Int(*x))),
            ExprKind::Float(x) => Ok(Val::float(Expr::Float(*x))),
            ExprKind::Bool(x) => Ok(Val::truth(Expr::Bool(*x))),
            ExprKind::Name(n) => self.name(&Ident { name: n.clone(), span: e.span }),
            ExprKind::Access(a) => self.access(a),
            ExprKind::Call(f, args) => self.call(f, args, e.span),
            ExprKind::Reduce(op, vars, body, opts) => self.reduce(op, vars, body, opts, e.span),
            ExprKind::Unary(op, a) => self.unary(*op, a),
            ExprKind::Binary(op, a, b) => self.binary(*op, a, b, e.span),
            ExprKind::As(a, ty) => self.conversion(a, ty),
            ExprKind::If(c, a, b) => self.if_else(c, a, b, e.span),
            ExprKind::Paren(inner) => self.expr(inner),
        }
    }

    /// A name as a value.
    fn name(&mut self, id: &Ident) -> Res<Val> {
        if let Some(params) = &self.scope.params {
            return match params.get(&id.name) {
                Some(v) => Ok(v.clone()),
                None => self.unknown(id, "not a parameter; a `fn` or `mask` sees its parameters only"),
            };
        }
        if let Some(r) = self.rank_of_variable(&id.name) {
            return self.variable(r, id);
        }
        match self.syms.get(&id.name).map(|(s, _)| s.clone()) {
            Some(Sym::Rank(r)) => Ok(Val::index(self.dim_value(&Expr::Extent(r)))),
            Some(Sym::Value(v)) => Ok(v),
            Some(Sym::Scalar(s)) => Ok(Val { e: Expr::Scalar(s), ty: self.c.scalars[s.index()].dtype.value_type() }),
            Some(Sym::Tensor(t)) if self.c.tensor(t).dims.is_empty() => {
                self.access(&ast::Access { tensor: id.clone(), idx: vec![], span: id.span })
            }
            Some(sym @ (Sym::Tensor(_) | Sym::View(_))) => {
                let message = format!("`{}` is {}; write its indices: `{}[..]`", id.name, sym.word(), id.name);
                self.error(Code::ACC, id.span, message)
            }
            Some(Sym::Type) => self.error(Code::TYPE, id.span, format!("`{}` is a type, not a value", id.name)),
            Some(Sym::Poison) => Err(Reported),
            None => {
                let what = format!(
                    "neither a rank variable (no `rank {}`), nor a param, scalar or const",
                    id.name.to_uppercase()
                );
                self.unknown(id, &what)
            }
        }
    }

    /// The declared rank that a name is the variable of.
    pub(super) fn rank_of_variable(&self, name: &str) -> Option<RankId> {
        let i = self.c.ranks.iter().position(|r| r.name != name && r.name.to_lowercase() == name)?;
        Some(RankId(i as u32))
    }

    fn variable(&mut self, r: RankId, id: &Ident) -> Res<Val> {
        if self.scope.vars.contains(&r) {
            return Ok(Val::index(Expr::Var(r)));
        }
        let (v, left) = (&id.name, &self.stmt.name);
        let message = if left.is_empty() {
            format!("rank variable `{v}` has no value here; write `{}` for the extent", self.c.ranks[r.index()].name)
        } else {
            format!(
                "rank variable `{v}` appears on the right but not on the left, and no reduction binds it; \
                 write `sum[{v}](..)` or add it to `{left}[..]`"
            )
        };
        self.error(Code::FREE, id.span, message)
    }

    fn unary(&mut self, op: Unary, a: &ast::Expr) -> Res<Val> {
        let v = self.expr(a)?;
        match (op, v.ty) {
            (Unary::Neg, ValueType::Index | ValueType::Float) => Ok(Val { e: un(UnOp::Neg, v.e), ty: v.ty }),
            (Unary::Not, ValueType::Bool) => Ok(Val::truth(un(UnOp::Not, v.e))),
            (Unary::Neg, ValueType::Bool) => {
                self.error(Code::TYPE, a.span, "`-` takes a number, this is a truth value")
            }
            (Unary::Not, _) => self.error(Code::TYPE, a.span, "`!` takes a truth value, this is a number"),
        }
    }

    fn binary(&mut self, op: Binary, a: &ast::Expr, b: &ast::Expr, span: SrcSpan) -> Res<Val> {
        if let Binary::And | Binary::Or = op {
            return self.logic(op, a, b);
        }
        let literals = [a, b].iter().all(|e| matches!(bare(e).kind, ExprKind::Int(_)));
        let (x, y) = (self.expr(a), self.expr(b));
        let (x, y) = (x?, y?);
        match op {
            Binary::Add => self.arithmetic(BinOp::Add, x, y, span),
            Binary::Sub => self.arithmetic(BinOp::Sub, x, y, span),
            Binary::Mul => self.arithmetic(BinOp::Mul, x, y, span),
            Binary::Div if x.ty == ValueType::Index && y.ty == ValueType::Index => {
                self.integer_division(BinOp::FloorDiv, x, y, literals, span)
            }
            Binary::Div => self.arithmetic(BinOp::Div, x, y, span),
            Binary::Rem if x.ty == ValueType::Index && y.ty == ValueType::Index => {
                self.integer_division(BinOp::Mod, x, y, literals, span)
            }
            Binary::Rem => self.error(Code::TYPE, span, "`%` takes two integers"),
            Binary::Eq => self.compare(BinOp::Eq, x, y, span),
            Binary::Ne => self.compare(BinOp::Ne, x, y, span),
            Binary::Lt => self.compare(BinOp::Lt, x, y, span),
            Binary::Le => self.compare(BinOp::Le, x, y, span),
            Binary::Gt => self.compare(BinOp::Gt, x, y, span),
            Binary::Ge => self.compare(BinOp::Ge, x, y, span),
            Binary::And | Binary::Or => Err(Reported),
        }
    }

    /// `&&` and `||`: the right side is evaluated only where the left side leaves the question open.
    fn logic(&mut self, op: Binary, a: &ast::Expr, b: &ast::Expr) -> Res<Val> {
        let x = self.truth(a);
        let guard = match (&x, op) {
            (Ok(x), Binary::And) => x.clone(),
            (Ok(x), _) => super::facts::negation(x),
            (Err(_), _) => Expr::Bool(true),
        };
        let y = self.guarded(&guard, |s| s.truth(b));
        let op = if op == Binary::And { BinOp::And } else { BinOp::Or };
        Ok(Val::truth(bin(op, x?, y?)))
    }

    /// An expression of type bool.
    pub(super) fn truth(&mut self, e: &ast::Expr) -> Res<Expr> {
        let v = self.expr(e)?;
        match v.ty {
            ValueType::Bool => Ok(v.e),
            ValueType::Index | ValueType::Float => {
                let d = Diagnostic::error(Code::TYPE, e.span, "a truth value is needed, this is a number");
                self.report(d.help("compare it: `x != 0`"))
            }
        }
    }

    /// An operator on two numbers; an index meets a float as a float.
    pub(super) fn arithmetic(&mut self, op: BinOp, x: Val, y: Val, span: SrcSpan) -> Res<Val> {
        let (x, y) = self.unify(x, y, span)?;
        if x.ty == ValueType::Bool {
            return self.error(Code::TYPE, span, "arithmetic takes numbers, these are truth values");
        }
        Ok(Val { e: bin(op, x.e, y.e), ty: x.ty })
    }

    fn integer_division(&mut self, op: BinOp, x: Val, y: Val, literals: bool, span: SrcSpan) -> Res<Val> {
        if y.e == Expr::Int(0) {
            return self.error(Code::TYPE, span, "division of an integer by 0");
        }
        if let (BinOp::FloorDiv, Expr::Int(a), Expr::Int(b), true) = (op, &x.e, &y.e, literals)
            && a % b != 0
        {
            let message = format!("`{a} / {b}` of integers rounds down, to {}", a.div_euclid(*b));
            let help = format!("for the fraction, write `{a}.0 / {b}.0`");
            self.diags.push(Diagnostic::warning(Code::TYPE, span, message).help(help));
        }
        Ok(Val::index(bin(op, x.e, y.e)))
    }

    fn compare(&mut self, op: BinOp, x: Val, y: Val, span: SrcSpan) -> Res<Val> {
        let equality = matches!(op, BinOp::Eq | BinOp::Ne);
        // A byte of a mask compared with 0 or 1.
        let bit = |v: &Val| match v.e {
            Expr::Int(0) => Some(false),
            Expr::Int(1) => Some(true),
            _ => None,
        };
        if let (ValueType::Bool, Some(b), true) = (x.ty, bit(&y), equality) {
            let keep = b == (op == BinOp::Eq);
            return Ok(Val::truth(if keep { x.e } else { un(UnOp::Not, x.e) }));
        }
        let (x, y) = self.unify(x, y, span)?;
        if x.ty == ValueType::Bool && !equality {
            return self.error(Code::TYPE, span, "truth values have no order");
        }
        Ok(Val::truth(bin(op, x.e, y.e)))
    }

    /// Two values of one type.
    pub(super) fn unify(&mut self, x: Val, y: Val, span: SrcSpan) -> Res<(Val, Val)> {
        match (x.ty, y.ty) {
            (a, b) if a == b => Ok((x, y)),
            (ValueType::Bool, _) | (_, ValueType::Bool) => {
                let d = Diagnostic::error(Code::TYPE, span, "a number meets a truth value");
                self.report(d.help("convert with `as i32` or `as f32`, or select with `if`"))
            }
            _ => Ok((to_float(x), to_float(y))),
        }
    }

    /// Implicit conversion to the type of a statement or parameter.
    pub(super) fn convert(&mut self, v: Val, want: ValueType, span: SrcSpan) -> Res<Val> {
        match (v.ty, want) {
            (a, b) if a == b => Ok(v),
            (ValueType::Index, ValueType::Float) => Ok(to_float(v)),
            (ValueType::Float, ValueType::Index) => {
                let d = Diagnostic::error(Code::TYPE, span, "a float where an integer is needed");
                self.report(d.help("convert with `as i32`, which rounds toward zero"))
            }
            (ValueType::Bool, _) => {
                let d = Diagnostic::error(Code::TYPE, span, "a truth value where a number is needed");
                self.report(d.help("convert with `as i32` or `as f32`, or select with `if`"))
            }
            (_, ValueType::Bool) | (_, ValueType::Index | ValueType::Float) => {
                let d = Diagnostic::error(Code::TYPE, span, "a number where a truth value is needed");
                self.report(d.help("compare it: `x != 0`"))
            }
        }
    }

    /// The storage type that a type as written stands for.
    pub(super) fn dtype(&mut self, ty: &TypeName) -> Res<DType> {
        match &ty.kind {
            TypeKind::DType(t) => Ok(*t),
            TypeKind::Int => Ok(DType::I32),
            TypeKind::Var(name) => match self.member.dtypes.get(name) {
                Some(t) => Ok(*t),
                None => {
                    let known = DType::ALL.map(DType::name).into_iter().chain(["int"]);
                    let near = nearest(name, known.chain(self.member.dtypes.keys().map(String::as_str)));
                    let mut d = Diagnostic::error(Code::NAME, ty.span, format!("`{name}` is not a type"));
                    d.help = Some(match near {
                        Some(n) => format!("did you mean `{n}`?"),
                        None => format!("a type that varies is declared with `dtype {name} in {{f32, bf16}};`"),
                    });
                    self.report(d)
                }
            },
        }
    }

    /// `x as bf16`
    fn conversion(&mut self, a: &ast::Expr, ty: &TypeName) -> Res<Val> {
        let (v, ty) = (self.expr(a), self.dtype(ty));
        let (v, ty) = (v?, ty?);
        let e = match (v.ty, ty.value_type()) {
            (ValueType::Float, ValueType::Float) if self.is_widening(&v.e, ty) => v.e,
            (ValueType::Float, ValueType::Float) => cast(ty, v.e),
            // Integers of attention kernels are coordinates: exact in f32.
            (ValueType::Index, ValueType::Float) if matches!(ty, DType::F32 | DType::F64) => un(UnOp::ToFloat, v.e),
            (ValueType::Index, ValueType::Float) => cast(ty, un(UnOp::ToFloat, v.e)),
            (ValueType::Bool, ValueType::Float) => un(UnOp::ToFloat, un(UnOp::BoolToIndex, v.e)),
            (ValueType::Float, ValueType::Index) => narrow(ty, un(UnOp::ToIndex, v.e)),
            (ValueType::Index, ValueType::Index) => narrow(ty, v.e),
            (ValueType::Bool, ValueType::Index) => un(UnOp::BoolToIndex, v.e),
            (ValueType::Bool, ValueType::Bool) => v.e,
            (ValueType::Index, ValueType::Bool) => bin(BinOp::Ne, v.e, Expr::Int(0)),
            (ValueType::Float, ValueType::Bool) => bin(BinOp::Ne, v.e, Expr::Float(0.0)),
        };
        Ok(Val { e, ty: ty.value_type() })
    }

    /// Every value of the expression is one of the type: the conversion rounds nothing.
    fn is_widening(&self, e: &Expr, ty: DType) -> bool {
        let from = match e {
            Expr::Read(t, _) => self.c.tensor(*t).dtype,
            Expr::Scalar(s) => self.c.scalars[s.index()].dtype,
            _ => return false,
        };
        from == ty || ty == DType::F64 || (ty == DType::F32 && from != DType::F64)
    }

    /// `if c { a } else { b }`
    fn if_else(&mut self, c: &ast::Expr, a: &ast::Expr, b: &ast::Expr, span: SrcSpan) -> Res<Val> {
        let cond = self.truth(c);
        let yes = cond.clone().unwrap_or(Expr::Bool(true));
        let x = self.guarded(&yes, |s| s.expr(a));
        let no = super::facts::negation(&yes);
        let y = self.guarded(&no, |s| s.expr(b));
        let (cond, x, y) = (cond?, x?, y?);
        let (x, y) = self.unify(x, y, span)?;
        Ok(Val { e: select(cond, x.e, y.e), ty: x.ty })
    }
}

/// An integer as a float; floats stay.
pub(super) fn to_float(v: Val) -> Val {
    match v.ty {
        ValueType::Index => Val::float(un(UnOp::ToFloat, v.e)),
        ValueType::Float | ValueType::Bool => v,
    }
}

/// An integer as a storage type; i32 holds every coordinate.
fn narrow(ty: DType, e: Expr) -> Expr {
    if ty == DType::I32 { e } else { cast(ty, e) }
}
