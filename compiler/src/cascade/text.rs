//! Tokens and expressions of the textual intermediate representations.
//!
//! A text is read line by line; [`Cursor`] walks the tokens of one line. Expressions are infix with the precedences
//! of the language (`||`, `&&`, comparisons, `+ -`, `* / // %`, unary `- !`); a rank variable is the lower-case
//! spelling of its rank, a rank name is its extent, `T[..]` reads a tensor, `op(..)` applies an operator and
//! `bf16(..)` rounds. Guarantees: what [`expr_text`] prints, [`parse_expr`] reads back as the same expression,
//! provided the names of the cascade are unambiguous (the verifier checks that).

use super::{Cascade, Expr, RankId, ScalarId, TensorId};
use crate::types::{BinOp, DType, UnOp};
use std::fmt::Write;

/// Words with a meaning of their own inside expressions and left sides; no rank variable or scalar may be one.
pub(crate) const RESERVED: &[&str] =
    &["true", "false", "inf", "nan", "if", "else", "at", "prev", "acc", "slot", "fold", "dom"];

/// Nesting depth at which the parser gives up instead of exhausting the stack.
const MAX_DEPTH: usize = 256;

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tok {
    /// `[A-Za-z_][A-Za-z0-9_]*`
    Ident(String),
    /// A quoted string.
    Str(String),
    /// Integer without sign.
    Int(u64),
    /// Float without sign.
    Float(f64),
    /// Punctuation.
    Punct(&'static str),
}

/// Punctuation, longest first.
const PUNCT: &[&str] = &[
    "->", "=>", "..", "==", "!=", "<=", ">=", "&&", "||", "//", "+=", "*=", "(", ")", "[", "]", "{", "}", ",", ";",
    ":", "=", "<", ">", "+", "-", "*", "/", "%", "!", "@", "?", ".", "|", "&", "^", "~", "$",
];

/// Splits one line into tokens; `#` starts a comment.
pub(crate) fn tokenize(line: &str) -> Result<Vec<Tok>, String> {
    let mut toks = vec![];
    let mut rest = line.trim_start();
    while let Some(c) = rest.chars().next() {
        if c == '#' {
            break;
        }
        let (tok, len) = if c.is_ascii_alphabetic() || c == '_' {
            let len = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            (Tok::Ident(rest[..len].to_string()), len)
        } else if c.is_ascii_digit() {
            number(rest)?
        } else if c == '"' {
            string(rest)?
        } else {
            let p = PUNCT.iter().find(|p| rest.starts_with(**p)).ok_or_else(|| format!("unexpected `{c}`"))?;
            (Tok::Punct(p), p.len())
        };
        toks.push(tok);
        rest = rest[len..].trim_start();
    }
    Ok(toks)
}

fn number(s: &str) -> Result<(Tok, usize), String> {
    let digits = |from: usize| from + s[from..].find(|c: char| !c.is_ascii_digit()).unwrap_or(s.len() - from);
    let mut end = digits(0);
    let mut float = false;
    if s[end..].starts_with('.') && !s[end..].starts_with("..") {
        float = true;
        end = digits(end + 1);
    }
    if s[end..].starts_with(['e', 'E']) {
        let sign = usize::from(s[end + 1..].starts_with(['+', '-']));
        let exp = digits(end + 1 + sign);
        if exp > end + 1 + sign {
            float = true;
            end = exp;
        }
    }
    let text = &s[..end];
    let bad = |_| format!("`{text}` is not a number that fits");
    let tok = if float {
        Tok::Float(text.parse().map_err(|_| bad(()))?)
    } else {
        Tok::Int(text.parse().map_err(|_| bad(()))?)
    };
    Ok((tok, end))
}

fn string(s: &str) -> Result<(Tok, usize), String> {
    let mut out = String::new();
    let mut chars = s.char_indices().skip(1);
    while let Some((i, c)) = chars.next() {
        match c {
            '"' => return Ok((Tok::Str(out), i + 1)),
            '\\' => match chars.next() {
                Some((_, 'n')) => out.push('\n'),
                Some((_, 'r')) => out.push('\r'),
                Some((_, c)) => out.push(c),
                None => break,
            },
            c => out.push(c),
        }
    }
    Err("a string is not closed".to_string())
}

/// A string literal that [`tokenize`] reads back.
pub(crate) fn quote(s: &str) -> String {
    let mut out = String::from("\"");
    for c in s.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A name: itself if it is an identifier, quoted otherwise.
pub(crate) fn name_text(s: &str) -> String {
    let ident = s.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && s.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if ident { s.to_string() } else { quote(s) }
}

/// A float that [`Cursor::float`] reads back bit by bit (NaN payloads aside).
pub(crate) fn float_text(x: f64) -> String {
    if x.is_nan() {
        "nan".to_string()
    } else if x.is_infinite() {
        if x > 0.0 { "inf".to_string() } else { "-inf".to_string() }
    } else {
        format!("{x:?}")
    }
}

/// The tokens of one line, with a position.
pub(crate) struct Cursor {
    toks: Vec<Tok>,
    pos: usize,
    depth: usize,
}

impl Cursor {
    /// At the start of a line.
    pub(crate) fn new(line: &str) -> Result<Cursor, String> {
        Ok(Cursor { toks: tokenize(line)?, pos: 0, depth: 0 })
    }

    /// The token `ahead` of the next.
    pub(crate) fn peek(&self, ahead: usize) -> Option<&Tok> {
        self.toks.get(self.pos + ahead)
    }

    /// Position, for [`Cursor::rewind`].
    pub(crate) fn pos(&self) -> usize {
        self.pos
    }

    /// Goes back to a position.
    pub(crate) fn rewind(&mut self, pos: usize) {
        self.pos = pos;
    }

    /// True after the last token.
    pub(crate) fn at_end(&self) -> bool {
        self.pos >= self.toks.len()
    }

    /// True if the next token is this word or punctuation.
    pub(crate) fn is(&self, s: &str) -> bool {
        self.is_ahead(0, s)
    }

    /// True if the token `ahead` of the next is this word or punctuation.
    pub(crate) fn is_ahead(&self, ahead: usize, s: &str) -> bool {
        match self.peek(ahead) {
            Some(Tok::Ident(i)) => i == s,
            Some(Tok::Punct(p)) => *p == s,
            _ => false,
        }
    }

    /// Takes this word or punctuation if it is next.
    pub(crate) fn eat(&mut self, s: &str) -> bool {
        let yes = self.is(s);
        self.pos += usize::from(yes);
        yes
    }

    /// Takes this word or punctuation.
    pub(crate) fn expect(&mut self, s: &str) -> Result<(), String> {
        if self.eat(s) { Ok(()) } else { Err(format!("expected `{s}`, found {}", self.found())) }
    }

    /// Nothing may follow.
    pub(crate) fn end(&self) -> Result<(), String> {
        if self.at_end() { Ok(()) } else { Err(format!("unexpected {}", self.found())) }
    }

    /// A description of the next token.
    pub(crate) fn found(&self) -> String {
        match self.peek(0) {
            None => "the end of the line".to_string(),
            Some(Tok::Ident(s)) => format!("`{s}`"),
            Some(Tok::Str(s)) => quote(s),
            Some(Tok::Int(i)) => format!("`{i}`"),
            Some(Tok::Float(x)) => format!("`{x:?}`"),
            Some(Tok::Punct(p)) => format!("`{p}`"),
        }
    }

    /// An identifier or a quoted name.
    pub(crate) fn name(&mut self) -> Result<String, String> {
        match self.peek(0) {
            Some(Tok::Ident(s) | Tok::Str(s)) => {
                let s = s.clone();
                self.pos += 1;
                Ok(s)
            }
            _ => Err(format!("expected a name, found {}", self.found())),
        }
    }

    /// An integer, with an optional minus sign.
    pub(crate) fn int(&mut self) -> Result<i64, String> {
        let neg = self.eat("-");
        match self.peek(0) {
            Some(Tok::Int(i)) => {
                let i = signed(neg, *i)?;
                self.pos += 1;
                Ok(i)
            }
            _ => Err(format!("expected an integer, found {}", self.found())),
        }
    }

    /// A float, `inf` or `nan`, with an optional minus sign; an integer is taken as a float.
    pub(crate) fn float(&mut self) -> Result<f64, String> {
        let neg = self.eat("-");
        let x = match self.peek(0) {
            Some(Tok::Float(x)) => *x,
            Some(Tok::Int(i)) => *i as f64,
            Some(Tok::Ident(s)) if s == "inf" => f64::INFINITY,
            Some(Tok::Ident(s)) if s == "nan" => f64::NAN,
            _ => return Err(format!("expected a number, found {}", self.found())),
        };
        self.pos += 1;
        Ok(if neg { -x } else { x })
    }

    /// A storage type.
    pub(crate) fn dtype(&mut self) -> Result<DType, String> {
        let name = self.name()?;
        name.parse().map_err(|()| format!("`{name}` is not a storage type"))
    }

    /// `item, item, .. close`; the opening bracket is already taken.
    pub(crate) fn list<T>(
        &mut self,
        close: &str,
        mut item: impl FnMut(&mut Cursor) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        let mut out = vec![];
        while !self.eat(close) {
            out.push(item(self)?);
            if !self.eat(",") && !self.is(close) {
                return Err(format!("expected `,` or `{close}`, found {}", self.found()));
            }
        }
        Ok(out)
    }
}

fn signed(neg: bool, magnitude: u64) -> Result<i64, String> {
    let v = if neg { -i128::from(magnitude) } else { i128::from(magnitude) };
    i64::try_from(v).map_err(|_| format!("`{v}` does not fit into 64 bits"))
}

/// The rank whose variable is spelled like this.
pub(crate) fn rank_by_var(c: &Cascade, var: &str) -> Option<RankId> {
    c.ranks.iter().position(|r| r.name.to_lowercase() == var).map(|i| RankId(i as u32))
}

/// The rank variable of a rank.
pub(crate) fn var_text(c: &Cascade, r: RankId) -> String {
    c.ranks.get(r.index()).map_or_else(|| format!("rank_{}", r.0), |r| name_text(&r.name.to_lowercase()))
}

/// The name of a rank.
pub(crate) fn rank_text(c: &Cascade, r: RankId) -> String {
    c.ranks.get(r.index()).map_or_else(|| format!("Rank_{}", r.0), |r| name_text(&r.name))
}

/// The name of a tensor.
pub(crate) fn tensor_text(c: &Cascade, t: TensorId) -> String {
    c.tensors.get(t.index()).map_or_else(|| format!("tensor_{}", t.0), |t| name_text(&t.name))
}

/// The name of a scalar.
pub(crate) fn scalar_text(c: &Cascade, s: ScalarId) -> String {
    c.scalars.get(s.index()).map_or_else(|| format!("scalar_{}", s.0), |s| name_text(&s.name))
}

/// Reads a rank variable.
pub(crate) fn parse_var(cur: &mut Cursor, c: &Cascade) -> Result<RankId, String> {
    let name = cur.name()?;
    rank_by_var(c, &name).ok_or_else(|| format!("`{name}` is no rank variable"))
}

/// Reads a rank name.
pub(crate) fn parse_rank(cur: &mut Cursor, c: &Cascade) -> Result<RankId, String> {
    let name = cur.name()?;
    c.rank_by_name(&name).ok_or_else(|| format!("`{name}` is no rank"))
}

/// Reads a tensor name.
pub(crate) fn parse_tensor(cur: &mut Cursor, c: &Cascade) -> Result<TensorId, String> {
    let name = cur.name()?;
    c.tensor_by_name(&name).ok_or_else(|| format!("`{name}` is no tensor"))
}

/// Infix spelling and precedence; `None` for the operators that are printed as calls.
pub(crate) fn infix(op: BinOp) -> Option<(&'static str, u8)> {
    Some(match op {
        BinOp::Or => ("||", 1),
        BinOp::And => ("&&", 2),
        BinOp::Eq => ("==", 3),
        BinOp::Ne => ("!=", 3),
        BinOp::Lt => ("<", 3),
        BinOp::Le => ("<=", 3),
        BinOp::Gt => (">", 3),
        BinOp::Ge => (">=", 3),
        BinOp::Add => ("+", 4),
        BinOp::Sub => ("-", 4),
        BinOp::Mul => ("*", 5),
        BinOp::Div => ("/", 5),
        BinOp::FloorDiv => ("//", 5),
        BinOp::Mod => ("%", 5),
        BinOp::Min | BinOp::Max | BinOp::Pow => return None,
    })
}

/// Precedence of comparisons, which do not chain.
pub(crate) const COMPARE: u8 = 3;
/// Precedence of prefix operators.
pub(crate) const PREFIX: u8 = 6;

/// The text of an expression.
pub(crate) fn expr_text(c: &Cascade, e: &Expr) -> String {
    let mut out = String::new();
    put(&mut out, c, e, 0);
    out
}

/// The texts of expressions, with commas between them.
pub(crate) fn exprs_text(c: &Cascade, es: &[Expr]) -> String {
    es.iter().map(|e| expr_text(c, e)).collect::<Vec<_>>().join(", ")
}

fn put(out: &mut String, c: &Cascade, e: &Expr, min: u8) {
    let mut call = |name: &str, args: &[&Expr]| {
        out.push_str(name);
        out.push('(');
        for (i, a) in args.iter().enumerate() {
            out.push_str(if i == 0 { "" } else { ", " });
            put(out, c, a, 0);
        }
        out.push(')');
    };
    match e {
        Expr::Int(i) => _ = write!(out, "{i}"),
        Expr::Float(x) => out.push_str(&float_text(*x)),
        Expr::Bool(b) => _ = write!(out, "{b}"),
        Expr::Var(r) => out.push_str(&var_text(c, *r)),
        Expr::Extent(r) => out.push_str(&rank_text(c, *r)),
        Expr::Scalar(s) => out.push_str(&scalar_text(c, *s)),
        Expr::Read(t, idx) => _ = write!(out, "{}[{}]", tensor_text(c, *t), exprs_text(c, idx)),
        // `-3` is a literal, so the negation of a literal is spelled out.
        Expr::Unary(UnOp::Neg, a) if matches!(**a, Expr::Int(_) | Expr::Float(_)) => call("neg", &[a]),
        Expr::Unary(op @ (UnOp::Neg | UnOp::Not), a) => {
            out.push(if *op == UnOp::Neg { '-' } else { '!' });
            put(out, c, a, PREFIX);
        }
        Expr::Unary(op, a) => call(op.name(), &[a]),
        Expr::Cast(ty, a) => call(ty.name(), &[a]),
        Expr::Binary(op, a, b) => match infix(*op) {
            None => call(op.name(), &[a, b]),
            Some((text, prec)) => {
                out.push_str(if prec < min { "(" } else { "" });
                put(out, c, a, if prec == COMPARE { prec + 1 } else { prec });
                _ = write!(out, " {text} ");
                put(out, c, b, prec + 1);
                out.push_str(if prec < min { ")" } else { "" });
            }
        },
        Expr::Select(cond, a, b) => {
            for (word, e) in [("if ", cond), (" { ", a), (" } else { ", b)] {
                out.push_str(word);
                put(out, c, e, 0);
            }
            out.push_str(" }");
        }
    }
}

/// Reads an expression over the names of a cascade.
pub(crate) fn parse_expr(cur: &mut Cursor, c: &Cascade) -> Result<Expr, String> {
    binary(cur, c, 0)
}

fn binary(cur: &mut Cursor, c: &Cascade, min: u8) -> Result<Expr, String> {
    cur.depth += 1;
    if cur.depth > MAX_DEPTH {
        return Err("the expression is nested too deeply".to_string());
    }
    let mut lhs = prefix(cur, c)?;
    while let Some((op, prec)) = next_infix(cur).filter(|(_, prec)| *prec >= min) {
        cur.pos += 1;
        let rhs = binary(cur, c, prec + 1)?;
        lhs = Expr::bin(op, lhs, rhs);
        if prec == COMPARE && next_infix(cur).is_some_and(|(_, p)| p == COMPARE) {
            return Err("comparisons do not chain".to_string());
        }
    }
    cur.depth -= 1;
    Ok(lhs)
}

/// The infix operator at the cursor.
pub(crate) fn next_infix(cur: &Cursor) -> Option<(BinOp, u8)> {
    let Some(Tok::Punct(p)) = cur.peek(0) else { return None };
    BinOp::ALL.iter().find_map(|(op, _)| infix(*op).filter(|(text, _)| text == p).map(|(_, prec)| (*op, prec)))
}

fn prefix(cur: &mut Cursor, c: &Cascade) -> Result<Expr, String> {
    if cur.eat("!") {
        return Ok(Expr::un(UnOp::Not, binary(cur, c, PREFIX)?));
    }
    if !cur.is("-") {
        return primary(cur, c);
    }
    match cur.peek(1) {
        Some(Tok::Int(_)) => cur.int().map(Expr::Int),
        Some(Tok::Float(_)) => cur.float().map(Expr::Float),
        Some(Tok::Ident(s)) if s == "inf" || s == "nan" => cur.float().map(Expr::Float),
        _ => {
            cur.pos += 1;
            Ok(Expr::un(UnOp::Neg, binary(cur, c, PREFIX)?))
        }
    }
}

fn primary(cur: &mut Cursor, c: &Cascade) -> Result<Expr, String> {
    match cur.peek(0) {
        Some(Tok::Int(_)) => return cur.int().map(Expr::Int),
        Some(Tok::Float(_)) => return cur.float().map(Expr::Float),
        Some(Tok::Punct("(")) => {
            cur.pos += 1;
            let e = parse_expr(cur, c)?;
            cur.expect(")")?;
            return Ok(e);
        }
        Some(Tok::Ident(_) | Tok::Str(_)) => {}
        _ => return Err(format!("expected an expression, found {}", cur.found())),
    }
    if cur.is_ahead(1, "[") {
        let t = parse_tensor(cur, c)?;
        cur.pos += 1;
        return Ok(Expr::Read(t, cur.list("]", |cur| parse_expr(cur, c))?));
    }
    if cur.is("if") {
        return select(cur, c);
    }
    if cur.is_ahead(1, "(") {
        return call(cur, c);
    }
    named(cur, c)
}

fn select(cur: &mut Cursor, c: &Cascade) -> Result<Expr, String> {
    cur.expect("if")?;
    let cond = parse_expr(cur, c)?;
    cur.expect("{")?;
    let a = parse_expr(cur, c)?;
    cur.expect("}")?;
    cur.expect("else")?;
    cur.expect("{")?;
    let b = parse_expr(cur, c)?;
    cur.expect("}")?;
    Ok(Expr::select(cond, a, b))
}

fn call(cur: &mut Cursor, c: &Cascade) -> Result<Expr, String> {
    let name = cur.name()?;
    cur.expect("(")?;
    let args = cur.list(")", |cur| parse_expr(cur, c))?;
    if let Some(op) = UnOp::from_name(&name) {
        let [a] = exactly(args, &name)?;
        Ok(Expr::un(op, a))
    } else if let Some(op) = BinOp::from_name(&name) {
        let [a, b] = exactly(args, &name)?;
        Ok(Expr::bin(op, a, b))
    } else if let Ok(ty) = name.parse::<DType>() {
        let [a] = exactly(args, &name)?;
        Ok(Expr::Cast(ty, Box::new(a)))
    } else {
        Err(format!("`{name}` is no operator"))
    }
}

fn exactly<const N: usize>(args: Vec<Expr>, name: &str) -> Result<[Expr; N], String> {
    let found = args.len();
    args.try_into().map_err(|_| format!("`{name}` takes {N} arguments, not {found}"))
}

fn named(cur: &mut Cursor, c: &Cascade) -> Result<Expr, String> {
    let name = cur.name()?;
    match name.as_str() {
        "true" => return Ok(Expr::Bool(true)),
        "false" => return Ok(Expr::Bool(false)),
        "inf" => return Ok(Expr::Float(f64::INFINITY)),
        "nan" => return Ok(Expr::Float(f64::NAN)),
        _ => {}
    }
    if let Some(r) = rank_by_var(c, &name) {
        return Ok(Expr::Var(r));
    }
    if let Some(r) = c.rank_by_name(&name) {
        return Ok(Expr::Extent(r));
    }
    match c.scalars.iter().position(|s| s.name == name) {
        Some(i) => Ok(Expr::Scalar(ScalarId(i as u32))),
        None => Err(format!("`{name}` is no rank variable, rank or scalar")),
    }
}
