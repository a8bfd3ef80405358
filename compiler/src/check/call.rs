//! Calls: `fn`s and `mask`s are expanded where they are called, builtins are operators.

use super::elab::{Elab, Reported, Res, Scope, Val};
use super::expr::to_float;
use super::fold::{bin, select, un};
use super::names::{bare, nearest};
use crate::cascade::Expr;
use crate::diag::{Code, Diagnostic, SrcSpan};
use crate::syntax::ast::{self, Binary, ExprKind, FnDef, Ident, MaskDef, TypeKind};
use crate::types::{BinOp, DType, UnOp, ValueType};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Functions of one float.
const FLOAT_FUNCTIONS: &[UnOp] = &[
    UnOp::Exp,
    UnOp::Exp2,
    UnOp::Log,
    UnOp::Log2,
    UnOp::Sqrt,
    UnOp::Tanh,
    UnOp::Sin,
    UnOp::Cos,
    UnOp::Erf,
    UnOp::Floor,
    UnOp::Ceil,
    UnOp::Round,
];

/// The other builtins.
const OTHER_BUILTINS: &[&str] = &["abs", "min", "max", "pow", "clamp", "or", "popcount", "ilog2"];

/// Arguments with more operators than this are bound to a node before a function duplicates them.
const BIG_ARGUMENT: usize = 48;
/// Arguments have at most this many operators.
const MAX_ARGUMENT: usize = 10_000;
/// Calls nest at most this deep.
const MAX_CALLS: usize = 16;
/// A statement expands at most this many calls: calls of calls multiply.
const MAX_EXPANSIONS: usize = 1024;

impl Elab<'_> {
    /// `f(..)`
    pub(super) fn call(&mut self, f: &Ident, args: &[ast::Expr], span: SrcSpan) -> Res<Val> {
        let defs = self.defs;
        if let Some(def) = defs.fns.get(f.name.as_str()) {
            return self.call_fn(def, f, args);
        }
        if let Some(def) = defs.masks.get(f.name.as_str()) {
            return self.enter_mask(def, f, args, |s| s.truth(&def.body)).map(Val::truth);
        }
        match f.name.as_str() {
            "or" => self.call_or(args, span),
            _ => self.builtin(f, args, span),
        }
    }

    fn call_fn(&mut self, def: &FnDef, f: &Ident, args: &[ast::Expr]) -> Res<Val> {
        let values = self.arguments(f, def.params.len(), args)?;
        let mut params = BTreeMap::new();
        for ((name, ty), (v, ast)) in def.params.iter().zip(values.into_iter().zip(args)) {
            let want = self.plain_type(ty)?;
            let v = self.convert(v, want.value_type(), ast.span)?;
            let v = self.tamed(v, ast.span)?;
            params.insert(name.name.clone(), v);
        }
        let result = self.plain_type(&def.result)?.value_type();
        let v = self.enter(f, params, |s| s.expr(&def.body))?;
        self.convert(v, result, def.body.span)
    }

    /// Types of a `fn` are storage types: there is no `dtype` variable outside of kernels.
    pub(super) fn plain_type(&mut self, ty: &ast::TypeName) -> Res<DType> {
        match &ty.kind {
            TypeKind::Var(name) => self.error(Code::NAME, ty.span, format!("`{name}` is not a type")),
            TypeKind::DType(_) | TypeKind::Int => self.dtype(ty),
        }
    }

    /// An argument that may be duplicated: what is big gets a node of its own.
    fn tamed(&mut self, v: Val, span: SrcSpan) -> Res<Val> {
        let mut size = 0;
        v.e.walk(&mut |_| size += 1);
        if size > MAX_ARGUMENT {
            let message = format!("this argument expands to more than {MAX_ARGUMENT} operators");
            let d = Diagnostic::error(Code::TYPE, span, message);
            return self.report(d.help("name a part of it with `let`"));
        }
        if size <= BIG_ARGUMENT || v.ty != ValueType::Float || self.stmt.name.is_empty() {
            return Ok(v);
        }
        let name = self.fresh_numbered(&self.stmt.name, 1);
        // Bounds may have been proved from everything that holds here.
        let dom = [&self.frame.dom[..], &self.frame.guards].concat();
        let frame = super::elab::Frame { dom, states: self.frame.states.clone(), ..Default::default() };
        let dtype = self.stmt.float.unwrap_or(DType::F32);
        Ok(Val::float(self.bind(name, dtype, None, v.e, frame)))
    }

    /// Elaborates the body of a mask in its own scope.
    pub(super) fn enter_mask<T>(
        &mut self,
        def: &MaskDef,
        f: &Ident,
        args: &[ast::Expr],
        body: impl FnOnce(&mut Self) -> Res<T>,
    ) -> Res<T> {
        let values = self.arguments(f, def.params.len(), args)?;
        let mut params = BTreeMap::new();
        for (p, (v, ast)) in def.params.iter().zip(values.into_iter().zip(args)) {
            params.insert(p.name.clone(), self.tamed(v, ast.span)?);
        }
        self.enter(f, params, body)
    }

    fn arguments(&mut self, f: &Ident, want: usize, args: &[ast::Expr]) -> Res<Vec<Val>> {
        let values: Vec<Res<Val>> = args.iter().map(|a| self.expr(a)).collect();
        if args.len() != want {
            let s = if want == 1 { "" } else { "s" };
            let message = format!("`{}` takes {want} argument{s}, {} given", f.name, args.len());
            return self.error(Code::TYPE, f.span, message);
        }
        values.into_iter().collect()
    }

    fn enter<T>(&mut self, f: &Ident, params: BTreeMap<String, Val>, body: impl FnOnce(&mut Self) -> Res<T>) -> Res<T> {
        if self.scope.calls.contains(&f.name) {
            return self.error(Code::NAME, f.span, format!("`{}` calls itself", f.name));
        }
        if self.scope.calls.len() >= MAX_CALLS {
            return self.error(Code::NAME, f.span, format!("calls nest more than {MAX_CALLS} deep"));
        }
        self.stmt.calls += 1;
        match self.stmt.calls.cmp(&MAX_EXPANSIONS) {
            Ordering::Less => {}
            Ordering::Equal => {
                let message = format!("this statement expands more than {MAX_EXPANSIONS} calls");
                return self.error(Code::NAME, f.span, message);
            }
            Ordering::Greater => return Err(Reported),
        }
        let calls = [&self.scope.calls[..], std::slice::from_ref(&f.name)].concat();
        let vars = self.scope.vars.clone();
        let outer = std::mem::replace(&mut self.scope, Scope { vars, params: Some(params), calls });
        let result = body(self);
        self.scope = outer;
        result
    }

    /// `or(x, c)`: the value of `x` where it is present, `c` elsewhere.
    fn call_or(&mut self, args: &[ast::Expr], span: SrcSpan) -> Res<Val> {
        let [x, c] = args else {
            return self.error(Code::TYPE, span, "`or` takes 2 arguments: a value and what stands where it is absent");
        };
        let before = self.frame.dom.len();
        let optional = std::mem::replace(&mut self.frame.optional, true);
        let x_val = self.expr(x);
        self.frame.optional = optional;
        let present = Expr::all(self.frame.dom.split_off(before));
        let absent = super::facts::negation(&present);
        let c_val = self.guarded(&absent, |s| s.expr(c));
        let (x_val, c_val) = self.unify(x_val?, c_val?, span)?;
        Ok(Val { e: select(present, x_val.e, c_val.e), ty: x_val.ty })
    }

    fn builtin(&mut self, f: &Ident, args: &[ast::Expr], span: SrcSpan) -> Res<Val> {
        if let Some(op) = FLOAT_FUNCTIONS.iter().find(|op| op.name() == f.name) {
            let v = self.arguments(f, 1, args)?.remove(0);
            let v = self.convert(v, ValueType::Float, args[0].span)?;
            return Ok(Val::float(un(*op, v.e)));
        }
        match f.name.as_str() {
            "abs" => {
                let v = self.arguments(f, 1, args)?.remove(0);
                self.numbers(std::slice::from_ref(&v), span)?;
                Ok(Val { e: un(UnOp::Abs, v.e), ty: v.ty })
            }
            "popcount" => self.integer_function(UnOp::Popcount, f, args),
            "ilog2" => self.integer_function(UnOp::Ilog2, f, args),
            "min" => self.extremum(BinOp::Min, f, args, span),
            "max" => self.extremum(BinOp::Max, f, args, span),
            "pow" => {
                let mut v = self.arguments(f, 2, args)?;
                self.numbers(&v, span)?;
                let (y, x) = (v.pop().ok_or(Reported)?, v.pop().ok_or(Reported)?);
                Ok(Val::float(bin(BinOp::Pow, to_float(x).e, to_float(y).e)))
            }
            "clamp" => {
                let v = self.arguments(f, 3, args)?;
                self.numbers(&v, span)?;
                let [x, lo, hi] = <[Val; 3]>::try_from(v).map_err(|_| Reported)?;
                let low = self.arithmetic(BinOp::Max, x, lo, span)?;
                self.arithmetic(BinOp::Min, low, hi, span)
            }
            _ => self.unknown_function(f),
        }
    }

    fn integer_function(&mut self, op: UnOp, f: &Ident, args: &[ast::Expr]) -> Res<Val> {
        let v = self.arguments(f, 1, args)?.remove(0);
        let v = self.convert(v, ValueType::Index, args[0].span)?;
        Ok(Val::index(un(op, v.e)))
    }

    fn extremum(&mut self, op: BinOp, f: &Ident, args: &[ast::Expr], span: SrcSpan) -> Res<Val> {
        let values = self.arguments(f, args.len().max(2), args)?;
        self.numbers(&values, span)?;
        let mut values = values.into_iter();
        let first = values.next().ok_or(Reported)?;
        values.try_fold(first, |a, b| self.arithmetic(op, a, b, span))
    }

    fn numbers(&mut self, values: &[Val], span: SrcSpan) -> Res<()> {
        if values.iter().any(|v| v.ty == ValueType::Bool) {
            return self.error(Code::TYPE, span, "a number is needed, this is a truth value");
        }
        Ok(())
    }

    fn unknown_function<T>(&mut self, f: &Ident) -> Res<T> {
        let mut d = Diagnostic::error(Code::NAME, f.span, format!("there is no function `{}`", f.name));
        if crate::syntax::REDUCTIONS.contains(&f.name.as_str()) {
            d.help = Some(format!("`{}` is a reduction: name its rank variables, `{}[m](..)`", f.name, f.name));
        } else {
            let own = self.defs.fns.keys().chain(self.defs.masks.keys()).copied();
            let builtin = FLOAT_FUNCTIONS.iter().map(|op| op.name()).chain(OTHER_BUILTINS.iter().copied());
            d.help = nearest(&f.name, own.chain(builtin)).map(|n| format!("did you mean `{n}`?"));
        }
        self.report(d)
    }

    /// A `where` predicate: its conjuncts go to the frame, in order (rule T-WHERE).
    pub(super) fn conjuncts(&mut self, e: &ast::Expr) -> Res<()> {
        let outer = std::mem::replace(&mut self.stmt.predicate, true);
        let result = self.split_conjuncts(bare(e));
        self.stmt.predicate = outer;
        result
    }

    fn split_conjuncts(&mut self, e: &ast::Expr) -> Res<()> {
        match &e.kind {
            ExprKind::Binary(Binary::And, a, b) => {
                let (a, b) = (self.conjuncts(a), self.conjuncts(b));
                a.and(b)
            }
            ExprKind::Call(f, args) if self.defs.masks.contains_key(f.name.as_str()) => {
                let defs = self.defs;
                match defs.masks.get(f.name.as_str()) {
                    Some(def) => self.enter_mask(def, f, args, |s| s.conjuncts(&def.body)),
                    None => Err(Reported),
                }
            }
            _ => self.conjunct(e),
        }
    }

    fn conjunct(&mut self, e: &ast::Expr) -> Res<()> {
        let v = self.expr(e)?;
        if v.ty != ValueType::Bool {
            let d = Diagnostic::error(Code::WHERE, e.span, "a `where` predicate is a truth value, this is a number");
            return self.report(d.help("compare it: `x != 0`"));
        }
        if self.has_float(&v.e) {
            let d = Diagnostic::error(Code::WHERE, e.span, "a `where` predicate compares integers, this has floats");
            return self.report(d.help("select by floats with `topk`, `argmax`, or a `bool` intermediate"));
        }
        for t in v.e.reads() {
            // Reductions inside of the predicate have no lookup of their own.
            self.lookups.entry(t).or_insert(e.span);
        }
        if v.e != Expr::Bool(true) && !self.frame.dom.contains(&v.e) {
            self.frame.dom.push(v.e);
        }
        Ok(())
    }

    /// True if any part of the expression is a float.
    pub(super) fn has_float(&self, e: &Expr) -> bool {
        let mut found = false;
        e.walk(&mut |e| found |= self.c.value_type(e) == ValueType::Float);
        found
    }
}
