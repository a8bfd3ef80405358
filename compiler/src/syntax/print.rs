//! AST → canonical text: one statement a line, four spaces, parentheses as written and where precedence needs them.
//!
//! Guarantees: the text parses, and the tree it parses to prints the same text.

use super::ast::{
    Access, Attr, Binary, Expr, ExprKind, File, FnDef, Ident, Item, Kernel, MaskDef, RankDef, RankExtent, Role,
    SchedStmt, Schedule, Stmt, StmtKind, TypeKind, TypeName, Unary,
};
use std::fmt::Write;

/// The canonical text of a file.
pub fn print(file: &File) -> String {
    let mut out = String::new();
    for line in file.docs.iter().flat_map(|d| d.lines_or_empty()) {
        let _ = writeln!(out, "//!{}", doc_line(line));
    }
    for (i, item) in file.items.iter().enumerate() {
        if i > 0 || !file.docs.is_empty() {
            out.push('\n');
        }
        out.push_str(&item_text(item));
    }
    out
}

trait Lines {
    fn lines_or_empty(&self) -> Vec<&str>;
}

impl Lines for String {
    fn lines_or_empty(&self) -> Vec<&str> {
        if self.is_empty() { vec![""] } else { self.lines().collect() }
    }
}

/// A line of documentation. A slash at its start would make it an ordinary comment.
fn doc_line(line: &str) -> String {
    let line = line.trim_end().replace('\r', " ");
    if line.starts_with('/') { format!(" {line}") } else { line }
}

fn item_text(item: &Item) -> String {
    match item {
        Item::Kernel(k) => kernel(k),
        Item::Fn(f) => function(f),
        Item::Mask(m) => mask(m),
        Item::Schedule(s) => schedule(s),
    }
}

fn kernel(k: &Kernel) -> String {
    let body: String = k.stmts.iter().map(|s| format!("{}\n", print_stmt(s))).collect();
    format!("{}kernel {} {{\n{body}}}\n", item_attrs(&k.attrs), k.name.name)
}

fn function(f: &FnDef) -> String {
    let params = f.params.iter().map(|(p, t)| format!("{}: {}", p.name, ty(t)));
    let head = format!("fn {}({}) -> {}", f.name.name, comma(params), ty(&f.result));
    format!("{}{head} = {};\n", item_attrs(&f.attrs), print_expr(&f.body))
}

fn mask(m: &MaskDef) -> String {
    let head = format!("mask {}({})", m.name.name, names(&m.params));
    format!("{}{head} = {};\n", item_attrs(&m.attrs), print_expr(&m.body))
}

fn schedule(s: &Schedule) -> String {
    let body: String = s.stmts.iter().map(|s| format!("    {};\n", sched_stmt(s))).collect();
    format!("{}schedule {} on {} {{\n{body}}}\n", item_attrs(&s.attrs), s.kernel.name, s.target.name)
}

/// Tokens with spaces between them, except around brackets and before commas.
fn sched_stmt(s: &SchedStmt) -> String {
    let mut out = s.word.name.clone();
    let mut glue = false;
    for (tok, _) in &s.tokens {
        if !glue && !matches!(tok.as_str(), "," | ")" | "]" | "}") {
            out.push(' ');
        }
        out.push_str(tok);
        glue = matches!(tok.as_str(), "(" | "[" | "{");
    }
    out
}

/// Documentation and attributes of an item, each on its line.
fn item_attrs(attrs: &[Attr]) -> String {
    attrs.iter().map(|a| attr(a, "", "\n")).collect()
}

fn attr(a: &Attr, indent: &str, end: &str) -> String {
    match &a.doc {
        Some(doc) => doc.lines_or_empty().iter().map(|l| format!("{indent}///{}\n", doc_line(l))).collect(),
        None if a.args.is_empty() => format!("#[{}]{end}", a.name.name),
        None => format!("#[{}({})]{end}", a.name.name, exprs(&a.args)),
    }
}

/// A statement with its documentation and attributes, indented as in a kernel, without the final line end.
pub fn print_stmt(s: &Stmt) -> String {
    let (docs, plain): (Vec<&Attr>, Vec<&Attr>) = s.attrs.iter().partition(|a| a.doc.is_some());
    let docs: String = docs.iter().map(|a| attr(a, "    ", "")).collect();
    let plain: String = plain.iter().map(|a| attr(a, "", " ")).collect();
    format!("{docs}    {plain}{};", stmt(&s.kind))
}

fn stmt(kind: &StmtKind) -> String {
    match kind {
        StmtKind::Rank(defs) => format!("rank {}", comma(defs.iter().map(rank_def))),
        StmtKind::Iter(def) => format!("iter {}", rank_def(def)),
        StmtKind::DType(name, set) => format!("dtype {} in {{{}}}", name.name, comma(set.iter().map(ty))),
        StmtKind::Param(name, t, default) => {
            format!("param {}: {}{}", name.name, ty(t), option(" = ", default.as_ref()))
        }
        StmtKind::Scalar(name, t) => format!("scalar {}: {}", name.name, ty(t)),
        StmtKind::Const(name, vars, value) => {
            let vars = vars.as_ref().map_or(String::new(), |v| format!("[{}]", names(v)));
            format!("const {}{vars} = {}", name.name, print_expr(value))
        }
        StmtKind::Tensor(role, name, t, dims) => {
            let dims = if dims.is_empty() { String::new() } else { format!("[{}]", exprs(dims)) };
            format!("{} {}: {}{dims}", role_word(*role), name.name, ty(t))
        }
        StmtKind::View(left, right, filter) => {
            filtered(format!("view {} = {}", access(left), access(right)), filter.as_ref())
        }
        StmtKind::State(left, t) => format!("state {}: {}", access(left), ty(t)),
        StmtKind::Init(left, value) => format!("init {} = {}", access(left), print_expr(value)),
        StmtKind::Let(left, t, value, filter) => {
            let t = t.as_ref().map_or(String::new(), |t| format!(": {}", ty(t)));
            filtered(format!("let {}{t} = {}", access(left), print_expr(value)), filter.as_ref())
        }
        StmtKind::Assign(left, value, filter) => {
            filtered(format!("{} = {}", access(left), print_expr(value)), filter.as_ref())
        }
        StmtKind::Assert(pred) => format!("assert {}", print_expr(pred)),
    }
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::In => "in",
        Role::Out => "out",
        Role::InOut => "inout",
    }
}

fn option(lead: &str, e: Option<&Expr>) -> String {
    e.map_or(String::new(), |e| format!("{lead}{}", print_expr(e)))
}

/// A statement with its `where`, on a line of its own if the first one is full.
fn filtered(head: String, filter: Option<&Expr>) -> String {
    let tail = option("where ", filter);
    let gap = if tail.is_empty() {
        ""
    } else if head.len() + tail.len() > 110 {
        "\n        "
    } else {
        " "
    };
    format!("{head}{gap}{tail}")
}

fn rank_def(def: &RankDef) -> String {
    match &def.extent {
        RankExtent::Free => def.name.name.clone(),
        RankExtent::Is(e) => format!("{} = {}", def.name.name, print_expr(e)),
        RankExtent::In(set) => format!("{} in {{{}}}", def.name.name, exprs(set)),
    }
}

fn ty(t: &TypeName) -> String {
    match &t.kind {
        TypeKind::DType(d) => d.name().to_string(),
        TypeKind::Int => "int".to_string(),
        TypeKind::Var(v) => v.clone(),
    }
}

/// Indices that are all plain names stand close together, as in papers.
fn access(a: &Access) -> String {
    let plain = a.idx.iter().all(|i| matches!(i.kind, ExprKind::Name(_)));
    let idx: Vec<String> = a.idx.iter().map(print_expr).collect();
    format!("{}[{}]", a.tensor.name, idx.join(if plain { "," } else { ", " }))
}

fn names(list: &[Ident]) -> String {
    comma(list.iter().map(|i| i.name.clone()))
}

fn exprs(list: &[Expr]) -> String {
    comma(list.iter().map(print_expr))
}

fn comma(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

/// The canonical text of an expression.
pub fn print_expr(e: &Expr) -> String {
    at(e, 0)
}

/// Precedences above those of the binary operators.
const CAST: u8 = 6;
const UNARY: u8 = 7;

/// An expression in a place that needs at least this precedence.
fn at(e: &Expr, min: u8) -> String {
    let (text, prec) = match &e.kind {
        ExprKind::Binary(op, a, b) => {
            let (word, prec) = binary(*op);
            // Comparisons do not chain, so neither side may be one.
            let left = if prec == 3 { prec + 1 } else { prec };
            (format!("{} {word} {}", at(a, left), at(b, prec + 1)), prec)
        }
        ExprKind::As(x, t) => (format!("{} as {}", at(x, CAST), ty(t)), CAST),
        ExprKind::Unary(op, x) => {
            let word = if *op == Unary::Neg { "-" } else { "!" };
            (format!("{word}{}", at(x, UNARY)), UNARY)
        }
        ExprKind::Int(i) if *i < 0 => (i.to_string(), UNARY),
        ExprKind::Float(x) if x.is_sign_negative() => (format!("{x:?}"), UNARY),
        _ => (primary(e), UNARY + 1),
    };
    if prec < min { format!("({text})") } else { text }
}

fn primary(e: &Expr) -> String {
    match &e.kind {
        ExprKind::Int(i) => i.to_string(),
        ExprKind::Float(x) => format!("{x:?}"),
        ExprKind::Bool(b) => b.to_string(),
        ExprKind::Name(n) => n.clone(),
        ExprKind::Access(a) => access(a),
        ExprKind::Call(f, args) => format!("{}({})", f.name, exprs(args)),
        ExprKind::Reduce(f, vars, body, options) => {
            let options = comma(options.iter().map(|(k, v)| format!("{} = {}", k.name, print_expr(v))));
            let options = if options.is_empty() { options } else { format!("; {options}") };
            let vars = vars.iter().map(|v| v.name.as_str()).collect::<Vec<_>>().join(",");
            format!("{}[{vars}]({}{options})", f.name, print_expr(body))
        }
        ExprKind::If(c, a, b) => {
            format!("if {} {{ {} }} else {{ {} }}", print_expr(c), print_expr(a), print_expr(b))
        }
        ExprKind::Paren(x) => format!("({})", print_expr(x)),
        ExprKind::Unary(..) | ExprKind::Binary(..) | ExprKind::As(..) => print_expr(e),
    }
}

/// Spelling and precedence.
fn binary(op: Binary) -> (&'static str, u8) {
    match op {
        Binary::Or => ("||", 1),
        Binary::And => ("&&", 2),
        Binary::Eq => ("==", 3),
        Binary::Ne => ("!=", 3),
        Binary::Lt => ("<", 3),
        Binary::Le => ("<=", 3),
        Binary::Gt => (">", 3),
        Binary::Ge => (">=", 3),
        Binary::Add => ("+", 4),
        Binary::Sub => ("-", 4),
        Binary::Mul => ("*", 5),
        Binary::Div => ("/", 5),
        Binary::Rem => ("%", 5),
    }
}
