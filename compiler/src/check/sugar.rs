//! `softmax` and `logsumexp`: the only place of the compiler that knows them. Both become ordinary Einsums.

use super::elab::{Elab, Frame, Res, Val};
use super::fold::{bin, un};
use crate::cascade::{Expr, Origin, RankId, Reduce, TensorId};
use crate::diag::Code;
use crate::syntax::ast::{self, Ident};
use crate::types::{BinOp, DType, RedOp, UnOp, ValueType};

/// An argument that every part reads: an element, and where it is present.
struct Arg {
    e: Expr,
    frame: Frame,
}

/// The nodes of a softmax, each read as `(tensor, indices)`.
struct Parts {
    /// Maximum.
    max: Point,
    /// exp(x − max).
    num: Point,
    /// Sum of the numerators.
    den: Point,
}

/// An element of a node.
type Point = (TensorId, Vec<Expr>);

impl Elab<'_> {
    /// `softmax[m](x)`: `G = max x; N = exp(x - G); D = sum N; A = N / D`, read at the point at work.
    pub(super) fn softmax(&mut self, vars: &[Ident], body: &ast::Expr, opts: &[(Ident, ast::Expr)]) -> Res<Val> {
        self.no_options(opts)?;
        let over = self.bound_vars(vars)?;
        if let Some(i) = over.iter().position(|r| !self.scope.vars.contains(r)) {
            let v = &vars[i];
            let message = format!("`softmax[{0}]` keeps `{0}`, but nothing binds it here", v.name);
            return self.error(Code::FREE, v.span, message);
        }
        let (arg, origin) = self.argument("softmax", body)?;
        let outer = std::mem::replace(&mut self.stmt.origin, origin);
        let p = self.parts(&over, &arg);
        let (ratio, frame) = self.within(Frame::default(), |s| {
            let num = s.read_point(&p.num);
            bin(BinOp::Div, num, s.read_point(&p.den))
        });
        let a = self.part("A", None, ratio, frame);
        self.stmt.origin = outer;
        Ok(Val::float(self.read_point(&a)))
    }

    /// `logsumexp[m](x)`: `G + log(D)` of the softmax over `m`.
    pub(super) fn logsumexp(&mut self, vars: &[Ident], body: &ast::Expr, opts: &[(Ident, ast::Expr)]) -> Res<Val> {
        self.no_options(opts)?;
        let over = self.bound_vars(vars)?;
        let outer_vars = self.scope.vars.clone();
        self.scope.vars.extend(&over);
        let arg = self.argument("logsumexp", body);
        let parts = arg.map(|(arg, origin)| {
            let outer = std::mem::replace(&mut self.stmt.origin, origin);
            let p = self.parts(&over, &arg);
            self.stmt.origin = outer;
            p
        });
        self.scope.vars = outer_vars;
        let p = parts?;
        let max = self.read_point(&p.max);
        let den = self.read_point(&p.den);
        Ok(Val::float(bin(BinOp::Add, max, un(UnOp::Log, den))))
    }

    fn no_options(&mut self, opts: &[(Ident, ast::Expr)]) -> Res<()> {
        match opts.first() {
            Some((k, _)) => self.error(Code::RED, k.span, format!("this takes no option `{}`", k.name)),
            None => Ok(()),
        }
    }

    /// Elaborates the argument; what is not an element already gets a node of its own.
    fn argument(&mut self, word: &str, body: &ast::Expr) -> Res<(Arg, Origin)> {
        let (x, frame) = self.in_frame(vec![], |s| {
            let v = s.expr(body)?;
            s.convert(v, ValueType::Float, body.span)
        })?;
        let arg = if let Expr::Read(..) = x.e {
            Arg { e: x.e, frame }
        } else {
            let name = self.fresh_numbered(&self.stmt.name, 1);
            let point = self.define(name, self.float_type(), None, x.e, frame);
            let (e, frame) = self.within(Frame::default(), |s| s.read_point(&point));
            Arg { e, frame }
        };
        let of = match &arg.e {
            Expr::Read(t, _) => self.c.tensor(*t).name.clone(),
            _ => String::new(),
        };
        Ok((arg, Origin { stmt: format!("{word} of {of}"), ..self.stmt.origin.clone() }))
    }

    /// Maximum, numerators and denominator of the argument over `over`.
    fn parts(&mut self, over: &[RankId], x: &Arg) -> Parts {
        let acc = self.float_type();
        let red = |op| Some(Reduce { op, over: over.to_vec(), acc, slot: None });
        let max = self.part("G", red(RedOp::Max), x.e.clone(), x.frame.clone());
        let (num, frame) = self.within(x.frame.clone(), |s| {
            let max = s.read_point(&max);
            un(UnOp::Exp, bin(BinOp::Sub, x.e.clone(), max))
        });
        let num = self.part("N", None, num, frame);
        let (sum, frame) = self.within(Frame::default(), |s| s.read_point(&num));
        let den = self.part("D", red(RedOp::Sum), sum, frame);
        Parts { max, num, den }
    }

    fn part(&mut self, base: &str, reduce: Option<Reduce>, body: Expr, frame: Frame) -> Point {
        let name = self.fresh(base);
        self.define(name, self.float_type(), reduce, body, frame)
    }

    /// Runs `f` in a given frame instead of the current one.
    fn within(&mut self, frame: Frame, f: impl FnOnce(&mut Self) -> Expr) -> (Expr, Frame) {
        let outer = std::mem::replace(&mut self.frame, frame);
        let e = f(self);
        (e, std::mem::replace(&mut self.frame, outer))
    }

    fn read_point(&mut self, p: &Point) -> Expr {
        self.read_tensor(p.0, p.1.clone())
    }

    fn float_type(&self) -> DType {
        self.stmt.float.unwrap_or(DType::F32)
    }
}
