//! Expressions: a precedence climber.
//!
//! Every production returns the height of its tree beside the expression, because whoever walks the tree later recurses:
//! a sum of a hundred thousand terms must be refused here.

use super::ast::{Access, Binary, Expr, ExprKind, Ident, Unary};
use super::cursor::{PResult, Parser, with_help};
use super::lex::Kind;
use crate::diag::SrcSpan;
use proc_macro2::{Delimiter, Literal};

/// The reductions of the language.
pub const REDUCTIONS: &[&str] = &["sum", "prod", "max", "min", "any", "all", "argmax", "topk", "softmax", "logsumexp"];

/// Trees are at most this high.
const MAX_HEIGHT: u32 = 256;

/// An expression with the height of its tree.
type Tall = (Expr, u32);

/// Precedence of comparisons, which do not chain.
const COMPARE: u8 = 3;

/// The binary operator with this spelling and its precedence.
fn binary(op: &str) -> Option<(Binary, u8)> {
    Some(match op {
        "||" => (Binary::Or, 1),
        "&&" => (Binary::And, 2),
        "==" => (Binary::Eq, COMPARE),
        "!=" => (Binary::Ne, COMPARE),
        "<" => (Binary::Lt, COMPARE),
        "<=" => (Binary::Le, COMPARE),
        ">" => (Binary::Gt, COMPARE),
        ">=" => (Binary::Ge, COMPARE),
        "+" => (Binary::Add, 4),
        "-" => (Binary::Sub, 4),
        "*" => (Binary::Mul, 5),
        "/" => (Binary::Div, 5),
        "%" => (Binary::Rem, 5),
        _ => return None,
    })
}

impl Parser<'_> {
    /// An expression.
    pub(super) fn expr(&mut self) -> PResult<Expr> {
        Ok(self.climb(0)?.0)
    }

    /// `T[i, j]`
    pub(super) fn access(&mut self, what: &str) -> PResult<Access> {
        let tensor = self.ident(what)?;
        self.open(Delimiter::Bracket, "`[` and the indices (a tensor without ranks is written `T[]`)")?;
        Ok(self.indices(tensor)?.0)
    }

    fn indices(&mut self, tensor: Ident) -> PResult<(Access, u32)> {
        let (idx, height) = self.exprs("`,` or `]`")?;
        let span = self.since(tensor.span);
        Ok((Access { tensor, idx, span }, height))
    }

    fn exprs(&mut self, what: &str) -> PResult<(Vec<Expr>, u32)> {
        let mut height = 0;
        let list = self.nested(|p| {
            p.list(what, |p| {
                let (e, h) = p.climb(0)?;
                height = height.max(h);
                Ok(e)
            })
        })?;
        Ok((list, height))
    }

    fn climb(&mut self, min: u8) -> PResult<Tall> {
        let mut left = self.cast()?;
        while let Some((op, prec)) = self.peek_binary()
            && prec >= min
        {
            self.bump();
            let right = self.climb(prec + 1)?;
            if prec == COMPARE && self.peek_binary().is_some_and(|(_, p)| p == COMPARE) {
                return Err(self.error_here("comparisons do not chain; write `a <= b && b < c`"));
            }
            let span = left.0.span.to(right.0.span);
            let height = left.1.max(right.1);
            left = self.node(ExprKind::Binary(op, Box::new(left.0), Box::new(right.0)), span, height)?;
        }
        Ok(left)
    }

    fn peek_binary(&self) -> Option<(Binary, u8)> {
        match self.ahead(0).kind {
            Kind::Op(op) => binary(op),
            _ => None,
        }
    }

    /// One more level of tree.
    fn node(&self, kind: ExprKind, span: SrcSpan, below: u32) -> PResult<Tall> {
        if below >= MAX_HEIGHT {
            let error = self.error(span, format!("this expression is more than {MAX_HEIGHT} operators deep"));
            return Err(with_help(error, "name a part of the expression with `let`"));
        }
        Ok((Expr { kind, span }, below + 1))
    }

    fn cast(&mut self) -> PResult<Tall> {
        let mut e = self.unary()?;
        while self.eat_word("as") {
            let ty = self.type_name()?;
            let span = e.0.span.to(ty.span);
            e = self.node(ExprKind::As(Box::new(e.0), ty), span, e.1)?;
        }
        Ok(e)
    }

    fn unary(&mut self) -> PResult<Tall> {
        let op = match self.ahead(0).kind {
            Kind::Op("-") => Unary::Neg,
            Kind::Op("!") => Unary::Not,
            _ => return self.primary(),
        };
        let start = self.bump();
        let (e, height) = self.nested(Self::unary)?;
        let span = start.to(e.span);
        self.node(ExprKind::Unary(op, Box::new(e)), span, height)
    }

    fn primary(&mut self) -> PResult<Tall> {
        let start = self.span();
        match &self.ahead(0).kind {
            Kind::Lit(lit) => {
                let kind = self.number(lit)?;
                self.bump();
                Ok((Expr { kind, span: start }, 1))
            }
            Kind::Open(Delimiter::Parenthesis) => self.paren(),
            Kind::Word(w) => match w.as_str() {
                "if" => self.if_else(),
                "true" | "false" => {
                    let value = w == "true";
                    Ok((Expr { kind: ExprKind::Bool(value), span: self.bump() }, 1))
                }
                _ => self.name(),
            },
            _ => Err(self.expected("an expression")),
        }
    }

    fn number(&self, lit: &Literal) -> PResult<ExprKind> {
        let text = lit.to_string().replace('_', "");
        let (digits, radix) = match text.get(..2) {
            Some("0x") => (&text[2..], 16),
            Some("0o") => (&text[2..], 8),
            Some("0b") => (&text[2..], 2),
            _ => (text.as_str(), 10),
        };
        if let Ok(value) = i64::from_str_radix(digits, radix) {
            return Ok(ExprKind::Int(value));
        }
        if !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix)) {
            return Err(self.error_here("this integer does not fit in 64 bits"));
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(ExprKind::Float(value)),
            Ok(_) => Err(self.error_here("this number is too large for f64")),
            Err(_) if text.starts_with(|c: char| c.is_ascii_digit()) => {
                let error = self.error_here(format!("`{text}` is not a number"));
                Err(with_help(error, "numbers have no suffix; a value is converted with `x as f32`"))
            }
            Err(_) => Err(self.expected("an expression")),
        }
    }

    fn paren(&mut self) -> PResult<Tall> {
        let start = self.bump();
        let (e, height) = self.nested(|p| p.climb(0))?;
        self.close("`)` or an operator")?;
        self.node(ExprKind::Paren(Box::new(e)), self.since(start), height)
    }

    fn if_else(&mut self) -> PResult<Tall> {
        let start = self.bump();
        let cond = self.nested(|p| p.climb(0))?;
        let then = self.block("`{` after the condition")?;
        if !self.eat_word("else") {
            let error = self.expected("`else`");
            return Err(with_help(error, "every `if` has an `else`: it is a value"));
        }
        if self.at_word("if") {
            let error = self.error_here("expected `{` after `else`, found `if`");
            return Err(with_help(error, "write `else { if c { a } else { b } }`"));
        }
        let other = self.block("`{` after `else`")?;
        let height = cond.1.max(then.1).max(other.1);
        let kind = ExprKind::If(Box::new(cond.0), Box::new(then.0), Box::new(other.0));
        self.node(kind, self.since(start), height)
    }

    fn block(&mut self, what: &str) -> PResult<Tall> {
        self.open(Delimiter::Brace, what)?;
        let e = self.nested(|p| p.climb(0))?;
        self.close("`}` or an operator")?;
        Ok(e)
    }

    /// What starts with a name: a reduction, an access, a call, or the name alone.
    fn name(&mut self) -> PResult<Tall> {
        let name = self.ident("an expression")?;
        let reduction = REDUCTIONS.contains(&name.name.as_str());
        if self.opens(0, Delimiter::Bracket) {
            let start = self.bump();
            if reduction {
                return self.reduce(name);
            }
            let (access, height) = self.indices(name)?;
            if self.opens(0, Delimiter::Parenthesis) {
                let message = format!("`{}` is not a reduction", access.tensor.name);
                let error = self.error(access.tensor.span, message);
                return Err(with_help(error, &format!("the reductions are `{}`", REDUCTIONS.join("`, `"))));
            }
            let span = access.tensor.span.to(self.since(start));
            return self.node(ExprKind::Access(access), span, height);
        }
        if self.opens(0, Delimiter::Parenthesis) {
            if reduction && !matches!(name.name.as_str(), "max" | "min") {
                let error = self.error(name.span, format!("`{}` needs the rank variables that it reduces", name.name));
                return Err(with_help(error, &format!("write `{}[e](..)`", name.name)));
            }
            self.bump();
            let (args, height) = self.exprs("`,` or `)`")?;
            let span = self.since(name.span);
            return self.node(ExprKind::Call(name, args), span, height);
        }
        Ok((Expr { kind: ExprKind::Name(name.name), span: name.span }, 1))
    }

    /// `sum[e](x; acc = f64)` after the opening bracket.
    fn reduce(&mut self, name: Ident) -> PResult<Tall> {
        let vars = self.list("`,` or `]`", |p| p.rank_var("a rank variable"))?;
        if vars.is_empty() {
            let error = self.error(self.since(name.span), format!("`{}[]` names no rank variable", name.name));
            return Err(with_help(error, &format!("write `{}[e](..)`", name.name)));
        }
        if !self.opens(0, Delimiter::Parenthesis) {
            let message = format!("`{}[..]` is a reduction and needs its argument in parentheses", name.name);
            return Err(self.error(self.since(name.span), message));
        }
        self.bump();
        let (body, height) = self.nested(|p| p.climb(0))?;
        let mut options = vec![];
        let mut height = height;
        if self.eat(";") {
            options = self.list("`,` or `)`", |p| {
                let key = p.ident("an option such as `acc` or `slot`")?;
                p.expect("=")?;
                let (value, tall) = p.nested(|p| p.climb(0))?;
                height = height.max(tall);
                Ok((key, value))
            })?;
        } else {
            self.close("`)`, `;` or an operator")?;
        }
        let span = self.since(name.span);
        self.node(ExprKind::Reduce(name, vars, Box::new(body), options), span, height)
    }

    /// A rank variable, which is lower case.
    pub(super) fn rank_var(&mut self, what: &str) -> PResult<Ident> {
        let span = self.span();
        let name = self.ident(what)?;
        if name.name.starts_with(|c: char| c.is_ascii_uppercase()) {
            let error = self.error(span, format!("expected {what}, found the rank `{}`", name.name));
            return Err(with_help(error, &format!("the rank variable is `{}`", name.name.to_lowercase())));
        }
        Ok(name)
    }
}
