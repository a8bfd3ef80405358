//! Short spelling of expressions for reports: tensors without indices, usual precedence.

use crate::cascade::{Cascade, Expr, TensorId};
use crate::types::{BinOp, UnOp};

/// The expression in a few characters, for people: `exp(S - G) / D`.
pub fn brief(c: &Cascade, e: &Expr) -> String {
    at(&Names { c, source: false }, e, 0)
}

/// [`brief`] in the names of the source's statements.
pub(super) fn brief_of_source(c: &Cascade, e: &Expr) -> String {
    at(&Names { c, source: true }, e, 0)
}

/// What the source calls a tensor: `O` for `O_1`, a part of the statement `O`.
pub(super) fn source_name(c: &Cascade, t: TensorId) -> &str {
    let name = c.tensor(t).name.as_str();
    let stmt = c.def(t).map_or("", |n| n.origin.stmt.as_str());
    let part = name.strip_prefix(stmt).is_some_and(|rest| rest.starts_with('_'));
    if part && !stmt.is_empty() { stmt } else { name }
}

struct Names<'a> {
    c: &'a Cascade,
    source: bool,
}

impl Names<'_> {
    fn tensor(&self, t: TensorId) -> String {
        if self.source { source_name(self.c, t).to_string() } else { self.c.tensor(t).name.clone() }
    }
}

fn at(c: &Names<'_>, e: &Expr, outer: u8) -> String {
    match e {
        Expr::Int(i) => i.to_string(),
        Expr::Float(x) => format!("{x}"),
        Expr::Bool(b) => b.to_string(),
        Expr::Var(r) => c.c.ranks[r.index()].name.to_lowercase(),
        Expr::Extent(r) => c.c.ranks[r.index()].name.clone(),
        Expr::Scalar(s) => c.c.scalars[s.index()].name.clone(),
        Expr::Read(t, _) => c.tensor(*t),
        Expr::Unary(UnOp::ToFloat | UnOp::BoolToIndex, a) => at(c, a, outer),
        Expr::Unary(UnOp::Neg, a) => parens(format!("-{}", at(c, a, 6)), 5, outer),
        Expr::Unary(UnOp::Not, a) => format!("!{}", at(c, a, 7)),
        Expr::Unary(op, a) => format!("{}({})", op.name(), at(c, a, 0)),
        Expr::Binary(op, a, b) => binary(c, *op, a, b, outer),
        Expr::Select(p, a, b) => format!("if {} {{ {} }} else {{ {} }}", at(c, p, 0), at(c, a, 0), at(c, b, 0)),
        Expr::Cast(ty, a) => parens(format!("{} as {ty}", at(c, a, 6)), 5, outer),
    }
}

fn binary(c: &Names<'_>, op: BinOp, a: &Expr, b: &Expr, outer: u8) -> String {
    let (sign, level) = match op {
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
        BinOp::Div | BinOp::FloorDiv => ("/", 5),
        BinOp::Mod => ("%", 5),
        BinOp::Min | BinOp::Max | BinOp::Pow => return format!("{}({}, {})", op.name(), at(c, a, 0), at(c, b, 0)),
    };
    parens(format!("{} {sign} {}", at(c, a, level), at(c, b, level + 1)), level, outer)
}

fn parens(text: String, level: u8, outer: u8) -> String {
    if level < outer { format!("({text})") } else { text }
}
