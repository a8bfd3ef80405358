//! The textual form of the tile IR: the cascade's declarations, then one line a statement.
//!
//! ```text
//! memory Q K V O
//! stage O
//!   axis b B one
//!   axis p P 64 lane
//!   axis m M 96
//!   axis e E whole
//!   buf s f32 [m, p]
//!   grid b p
//!   s = 0.0
//!   loop m in [0, base(p) + count(p)) full [0, base(p) + 1) {
//!     s = contract e (K[b, m, e]) q
//!   } partial {
//!     g max= max over m (if m <= p { s } else { -inf })
//!   }
//!   store O[b, p, f] over f p = nv / d
//! ```
//!
//! A name of an axis is the coordinate of the point, `base(a)` and `count(a)` describe the current block; a bare name
//! of a tile is its element at the point, `Rank` the extent and `T[..]` an element of a tensor in memory.
//! `parse(print(k)) == k` for verified kernels.

use super::{AxisId, Expr, Range, Stmt, Tile, TileKernel, TileStage};
use crate::cascade::text::{COMPARE, PREFIX, infix, name_text};
use crate::cascade::{self, Cascade};
use crate::types::{RedOp, UnOp};
use std::fmt::Write;

/// The text of a kernel.
pub fn print(k: &TileKernel) -> String {
    cascade::print(&k.cascade) + &print_stages(k)
}

/// The text of a kernel's stages.
pub fn print_stages(k: &TileKernel) -> String {
    let mut out = String::from("memory");
    for (i, t) in k.memory.iter().enumerate() {
        let sep = if i + k.workspace == k.memory.len() { " workspace" } else { "" };
        _ = write!(out, "{sep} {}", name_text(&k.cascade.tensor(*t).name));
    }
    out.push('\n');
    for s in &k.stages {
        out.push_str(&stage(&k.cascade, s));
    }
    out
}

fn stage(c: &Cascade, s: &TileStage) -> String {
    let mut out = format!("stage {}\n", name_text(&s.name));
    for a in &s.axes {
        let tile = match a.tile {
            Tile::One => "one".to_string(),
            Tile::Fixed(n) => n.to_string(),
            Tile::Whole => "whole".to_string(),
        };
        let lane = if a.lane { " lane" } else { "" };
        _ = writeln!(out, "  axis {} {} {tile}{lane}", a.name, name_text(&c.ranks[a.rank.index()].name));
    }
    for b in &s.bufs {
        _ = writeln!(out, "  buf {} {} [{}]", b.name, b.ty.name(), axis_names(s, &b.axes, ", "));
    }
    let grid = axis_names(s, &s.grid, " ");
    _ = writeln!(out, "  grid{}{grid}", if grid.is_empty() { "" } else { " " });
    let mut p = Printer { c, s, out, indent: 1 };
    p.stmts(&s.body);
    p.out
}

fn axis_names(s: &TileStage, axes: &[AxisId], sep: &str) -> String {
    axes.iter().map(|a| s.axis(*a).name.as_str()).collect::<Vec<_>>().join(sep)
}

/// The text of one expression, for messages.
pub fn print_expr(c: &Cascade, s: &TileStage, e: &Expr) -> String {
    let mut p = Printer { c, s, out: String::new(), indent: 0 };
    p.expr(e, 0);
    p.out
}

/// Words with a meaning of their own; no axis or tile may be called so.
pub const KEYWORDS: &[&str] = &[
    "true",
    "false",
    "inf",
    "nan",
    "if",
    "else",
    "base",
    "count",
    "axis",
    "buf",
    "grid",
    "stage",
    "memory",
    "loop",
    "for",
    "when",
    "otherwise",
    "store",
    "over",
    "contract",
    "fold",
    "in",
    "full",
    "partial",
    "lane",
    "one",
    "whole",
    "workspace",
];

struct Printer<'a> {
    c: &'a Cascade,
    s: &'a TileStage,
    out: String,
    indent: usize,
}

impl Printer<'_> {
    fn line(&mut self, f: impl FnOnce(&mut Self)) {
        for _ in 0..self.indent {
            self.out.push_str("  ");
        }
        f(self);
        self.out.push('\n');
    }

    fn text(&mut self, s: &str) {
        self.out.push_str(s);
    }

    fn stmts(&mut self, body: &[Stmt]) {
        for s in body {
            self.stmt(s);
        }
    }

    fn block(&mut self, body: &[Stmt]) {
        self.indent += 1;
        self.stmts(body);
        self.indent -= 1;
    }

    fn stmt(&mut self, stmt: &Stmt) {
        let s = self.s;
        match stmt {
            Stmt::Map { dst, op, value } => self.line(|p| {
                p.assign(&s.buf(*dst).name, *op);
                p.expr(value, 0);
            }),
            Stmt::Reduce { dst, op, over, value } => self.line(|p| {
                p.assign(&s.buf(*dst).name, Some(*op));
                _ = write!(p.out, "fold over {} (", axis_names(s, over, ", "));
                p.expr(value, 0);
                p.text(")");
            }),
            Stmt::Contract { dst, over, a, b, accumulate } => self.line(|p| {
                p.assign(&s.buf(*dst).name, accumulate.then_some(RedOp::Sum));
                _ = write!(p.out, "contract {} (", s.axis(*over).name);
                p.expr(a, 0);
                _ = write!(p.out, ") {}", s.buf(*b).name);
            }),
            Stmt::Loop { axis, ranges, full, partial } => self.loop_stmt(*axis, ranges, full, partial),
            Stmt::For { axis, lo, hi, body } => {
                self.line(|p| {
                    _ = write!(p.out, "for {} in [", s.axis(*axis).name);
                    p.expr(lo, 0);
                    p.text(", ");
                    p.expr(hi, 0);
                    p.text(") {");
                });
                self.block(body);
                self.line(|p| p.text("}"));
            }
            Stmt::If { cond, then, els } => {
                self.line(|p| {
                    p.text("when (");
                    p.expr(cond, 0);
                    p.text(") {");
                });
                self.block(then);
                self.line(|p| p.text("} otherwise {"));
                self.block(els);
                self.line(|p| p.text("}"));
            }
            Stmt::Store { tensor, idx, axes, value } => self.line(|p| {
                _ = write!(p.out, "store {}[", name_text(&p.c.tensor(*tensor).name));
                p.list(idx);
                p.text("]");
                if !axes.is_empty() {
                    _ = write!(p.out, " over {}", axis_names(s, axes, ", "));
                }
                p.text(" = ");
                p.expr(value, 0);
            }),
        }
    }

    fn assign(&mut self, name: &str, op: Option<RedOp>) {
        _ = write!(self.out, "{name} {}= ", op.map_or("", RedOp::name));
    }

    fn loop_stmt(&mut self, axis: AxisId, ranges: &[Range], full: &[Stmt], partial: &[Stmt]) {
        let name = self.s.axis(axis).name.clone();
        self.line(|p| {
            _ = write!(p.out, "loop {name}");
            for (i, r) in ranges.iter().enumerate() {
                p.text(if i == 0 { " in " } else { ", " });
                p.interval(&r.lo, &r.hi);
                if let Some((lo, hi)) = &r.full {
                    p.text(" full ");
                    p.interval(lo, hi);
                }
            }
            p.text(" {");
        });
        self.block(full);
        self.line(|p| p.text("} partial {"));
        self.block(partial);
        self.line(|p| p.text("}"));
    }

    fn interval(&mut self, lo: &Expr, hi: &Expr) {
        self.text("[");
        self.expr(lo, 0);
        self.text(", ");
        self.expr(hi, 0);
        self.text(")");
    }

    fn list(&mut self, es: &[Expr]) {
        for (i, e) in es.iter().enumerate() {
            self.text(if i == 0 { "" } else { ", " });
            self.expr(e, 0);
        }
    }

    fn call(&mut self, name: &str, args: &[&Expr]) {
        self.text(name);
        self.text("(");
        for (i, e) in args.iter().enumerate() {
            self.text(if i == 0 { "" } else { ", " });
            self.expr(e, 0);
        }
        self.text(")");
    }

    fn expr(&mut self, e: &Expr, min: u8) {
        let s = self.s;
        match e {
            Expr::Int(i) => _ = write!(self.out, "{i}"),
            Expr::Float(x) if x.is_finite() => _ = write!(self.out, "{x:?}"),
            Expr::Float(x) => self.text(if x.is_nan() {
                "nan"
            } else if *x > 0.0 {
                "inf"
            } else {
                "-inf"
            }),
            Expr::Bool(b) => _ = write!(self.out, "{b}"),
            Expr::Coord(a) => self.text(&s.axis(*a).name),
            Expr::Base(a) => _ = write!(self.out, "base({})", s.axis(*a).name),
            Expr::Count(a) => _ = write!(self.out, "count({})", s.axis(*a).name),
            Expr::Extent(r) => self.text(&name_text(&self.c.ranks[r.index()].name)),
            Expr::Scalar(i) => self.text(&name_text(&self.c.scalars[i.index()].name)),
            Expr::Global(t, idx) => {
                self.text(&name_text(&self.c.tensor(*t).name));
                self.text("[");
                self.list(idx);
                self.text("]");
            }
            Expr::Local(b) => self.text(&s.buf(*b).name),
            // `-3` is a literal, so the negation of a literal is spelled out.
            Expr::Unary(op @ (UnOp::Neg | UnOp::Not), a) if !matches!(**a, Expr::Int(_) | Expr::Float(_)) => {
                self.text(if *op == UnOp::Neg { "-" } else { "!" });
                self.expr(a, PREFIX);
            }
            Expr::Unary(op, a) => self.call(op.name(), &[a]),
            Expr::Cast(ty, a) => self.call(ty.name(), &[a]),
            Expr::Binary(op, a, b) => match infix(*op) {
                None => self.call(op.name(), &[a, b]),
                Some((text, prec)) => {
                    self.text(if prec < min { "(" } else { "" });
                    self.expr(a, if prec == COMPARE { prec + 1 } else { prec });
                    _ = write!(self.out, " {text} ");
                    self.expr(b, prec + 1);
                    self.text(if prec < min { ")" } else { "" });
                }
            },
            Expr::Select(c, a, b) => {
                for (word, e) in [("if ", c), (" { ", a), (" } else { ", b)] {
                    self.text(word);
                    self.expr(e, 0);
                }
                self.text(" }");
            }
        }
    }
}
