//! Normal forms for rewriting: a float expression as a product of factors, or as a sum of signed terms.

use super::util::is_uniform;
use crate::cascade::Expr;
use crate::types::{BinOp, UnOp};

/// `coef · Π num / Π den`. Reassociates, so only licensed rewrites may use it.
#[derive(Clone, Debug, PartialEq)]
pub struct Product {
    /// Literal factors, the sign included.
    pub coef: f64,
    /// Factors.
    pub num: Vec<Expr>,
    /// Divisors.
    pub den: Vec<Expr>,
}

impl Product {
    /// The factors of a float expression.
    pub fn of(e: &Expr) -> Product {
        let mut p = Product { coef: 1.0, num: vec![], den: vec![] };
        p.collect(e, false);
        p
    }

    fn collect(&mut self, e: &Expr, inverse: bool) {
        match e {
            Expr::Float(x) if inverse && *x != 0.0 => self.coef /= x,
            Expr::Float(x) if !inverse => self.coef *= x,
            Expr::Unary(UnOp::Neg, a) => {
                self.coef = -self.coef;
                self.collect(a, inverse);
            }
            Expr::Binary(BinOp::Mul, a, b) => {
                self.collect(a, inverse);
                self.collect(b, inverse);
            }
            Expr::Binary(BinOp::Div, a, b) => {
                self.collect(a, inverse);
                self.collect(b, !inverse);
            }
            _ if inverse => self.den.push(e.clone()),
            _ => self.num.push(e.clone()),
        }
    }

    /// The factors that `pred` accepts, and the others. The coefficient goes with the first.
    pub fn split(self, pred: impl Fn(&Expr) -> bool) -> (Product, Product) {
        let (num, num_rest) = self.num.into_iter().partition(&pred);
        let (den, den_rest) = self.den.into_iter().partition(&pred);
        (Product { coef: self.coef, num, den }, Product { coef: 1.0, num: num_rest, den: den_rest })
    }

    /// True if nothing but 1 is left.
    pub fn is_one(&self) -> bool {
        self.coef == 1.0 && self.num.is_empty() && self.den.is_empty()
    }

    /// As an expression. Factors without a rank variable are grouped, so that they cost one multiplication.
    pub fn expr(self) -> Expr {
        let (uniform, varying) = Product { coef: 1.0, ..self.clone() }.split(is_uniform);
        let scale = Product { coef: self.coef, ..uniform };
        if varying.num.is_empty() && varying.den.is_empty() {
            return scale.quotient();
        }
        if scale.is_one() {
            return varying.quotient();
        }
        if scale == (Product { coef: -1.0, num: vec![], den: vec![] }) {
            return Expr::un(UnOp::Neg, varying.quotient());
        }
        if varying.num.is_empty() {
            return Expr::bin(BinOp::Div, scale.quotient(), multiply(varying.den));
        }
        let scaled = Expr::bin(BinOp::Mul, multiply(varying.num), scale.quotient());
        divide(scaled, varying.den)
    }

    fn quotient(self) -> Expr {
        let mut num = self.num;
        if self.coef != 1.0 || num.is_empty() {
            num.push(Expr::Float(self.coef));
        }
        divide(multiply(num), self.den)
    }
}

fn multiply(factors: Vec<Expr>) -> Expr {
    factors.into_iter().reduce(|a, b| Expr::bin(BinOp::Mul, a, b)).unwrap_or(Expr::Float(1.0))
}

fn divide(a: Expr, den: Vec<Expr>) -> Expr {
    if den.is_empty() { a } else { Expr::bin(BinOp::Div, a, multiply(den)) }
}

/// `Σ ± term`, outermost additions only.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms(pub Vec<(bool, Expr)>);

impl Terms {
    /// The terms of an expression; `true` marks a negated one.
    pub fn of(e: &Expr) -> Terms {
        let mut t = Terms(vec![]);
        t.collect(e, false);
        t
    }

    fn collect(&mut self, e: &Expr, negative: bool) {
        match e {
            Expr::Unary(UnOp::Neg, a) => self.collect(a, !negative),
            Expr::Binary(BinOp::Add, a, b) => {
                self.collect(a, negative);
                self.collect(b, negative);
            }
            Expr::Binary(BinOp::Sub, a, b) => {
                self.collect(a, negative);
                self.collect(b, !negative);
            }
            _ => self.0.push((negative, e.clone())),
        }
    }

    /// The terms that `pred` accepts, and the others.
    pub fn split(self, pred: impl Fn(&Expr) -> bool) -> (Terms, Terms) {
        let (a, b) = self.0.into_iter().partition(|(_, e)| pred(e));
        (Terms(a), Terms(b))
    }

    /// As an expression: a positive term first where there is one.
    pub fn expr(mut self) -> Expr {
        if let Some(first) = self.0.iter().position(|(negative, _)| !negative) {
            let term = self.0.remove(first);
            self.0.insert(0, term);
        }
        let sum = self.0.into_iter().fold(None, |acc, (negative, e)| {
            Some(match (acc, negative) {
                (None, false) => e,
                (None, true) => Expr::un(UnOp::Neg, e),
                (Some(a), false) => Expr::bin(BinOp::Add, a, e),
                (Some(a), true) => Expr::bin(BinOp::Sub, a, e),
            })
        });
        sum.unwrap_or(Expr::Float(0.0))
    }
}
