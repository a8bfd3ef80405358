//! Attributes of kernels and tensors (rule T-ATTR): an unknown one is an error, never ignored.

use super::elab::Elab;
use super::names::nearest;
use crate::cascade::{Attrs, Facts};
use crate::diag::{Code, Diagnostic};
use crate::syntax::ast::{Attr, Expr, ExprKind, Unary};

/// Attributes of a kernel.
const KERNEL: &[&str] = &["strict", "deterministic", "operands", "expand"];
/// Attributes of a tensor.
const TENSOR: &[&str] = &["sorted", "range", "nonpositive", "nonnegative", "unit_norm", "empty"];

/// Documentation lines.
pub(super) fn docs(attrs: &[Attr]) -> Vec<String> {
    let lines = attrs.iter().filter_map(|a| a.doc.as_deref());
    lines.flat_map(str::lines).map(str::to_string).collect()
}

/// Attributes of a kernel.
pub(super) fn kernel_attrs(attrs: &[Attr], diags: &mut Vec<Diagnostic>) -> Attrs {
    let mut out = Attrs::default();
    for a in attrs.iter().filter(|a| a.doc.is_none()) {
        match (a.name.name.as_str(), &a.args[..]) {
            ("strict", []) => out.strict = true,
            ("deterministic", []) => out.deterministic = true,
            ("expand", []) => out.expand = true,
            ("operands", [e]) if matches!(&e.kind, ExprKind::Name(n) if n == "f32") => out.operands_f32 = true,
            ("operands", _) => diags.push(misused(a, "`#[operands(f32)]` is the only form")),
            (name, _) if KERNEL.contains(&name) => diags.push(misused(a, &format!("`#[{name}]` takes no arguments"))),
            _ => diags.push(unknown(a, "kernel", KERNEL, TENSOR)),
        }
    }
    out
}

/// Reports attributes where none but documentation is allowed.
pub(super) fn none_allowed(attrs: &[Attr], diags: &mut Vec<Diagnostic>) {
    for a in attrs.iter().filter(|a| a.doc.is_none()) {
        let message = format!("`#[{}]` has no meaning here", a.name.name);
        diags.push(Diagnostic::error(Code::ATTR, a.span, message).help("attributes stand before kernels and tensors"));
    }
}

fn misused(a: &Attr, message: &str) -> Diagnostic {
    Diagnostic::error(Code::ATTR, a.span, message)
}

fn unknown(a: &Attr, place: &str, known: &[&str], elsewhere: &[&str]) -> Diagnostic {
    let name = a.name.name.as_str();
    let d = Diagnostic::error(Code::ATTR, a.span, format!("a {place} has no attribute `#[{name}]`"));
    if elsewhere.contains(&name) {
        let other = if place == "kernel" { "tensors" } else { "kernels" };
        return d.help(format!("`#[{name}]` belongs to {other}"));
    }
    match nearest(name, known.iter().copied()) {
        Some(n) => d.help(format!("did you mean `#[{n}]`?")),
        None => d.help(format!("there are {}", known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", "))),
    }
}

impl Elab<'_> {
    /// Attributes of a tensor: facts, and the value of absent elements.
    pub(super) fn tensor_attrs(&mut self, attrs: &[Attr], is_output: bool, is_int: bool) -> (Facts, f64) {
        let mut facts = Facts::default();
        let mut empty = 0.0;
        for a in attrs.iter().filter(|a| a.doc.is_none()) {
            match (a.name.name.as_str(), &a.args[..]) {
                ("sorted", []) => facts.sorted = true,
                ("nonpositive", []) => facts.nonpositive = true,
                ("nonnegative", []) => facts.nonnegative = true,
                ("unit_norm", []) if !is_int => facts.unit_norm = true,
                ("unit_norm", []) => self.diags.push(misused(a, "`#[unit_norm]` is about floats")),
                ("range", [lo, hi]) if is_int => {
                    if let (Ok(lo), Ok(hi)) = (self.closed_index(lo), self.closed_index(hi)) {
                        facts.range = Some((lo, hi));
                    }
                }
                ("range", [_, _]) => self.diags.push(misused(a, "`#[range(lo, hi)]` is about integers")),
                ("range", _) => self.diags.push(misused(a, "`#[range(lo, hi)]` takes two inclusive bounds")),
                ("empty", [x]) if is_output => match literal(x) {
                    Some(x) => empty = x,
                    None => self.diags.push(misused(a, "`#[empty(x)]` takes a number, or `-inf`")),
                },
                ("empty", [_]) => self.diags.push(misused(a, "`#[empty(x)]` belongs to outputs")),
                ("empty", _) => self.diags.push(misused(a, "`#[empty(x)]` takes one number")),
                (name, _) if TENSOR.contains(&name) => {
                    let message = format!("`#[{name}]` takes no arguments");
                    self.diags.push(misused(a, &message));
                }
                ("layout", _) => self.diags.push(misused(a, "`#[layout(..)]` is not supported; tensors are row-major")),
                _ => self.diags.push(unknown(a, "tensor", TENSOR, KERNEL)),
            }
        }
        (facts, empty)
    }
}

/// A number as written: `0`, `-1.5`, `-inf`, `nan`.
fn literal(e: &Expr) -> Option<f64> {
    match &e.kind {
        ExprKind::Int(x) => Some(*x as f64),
        ExprKind::Float(x) => Some(*x),
        ExprKind::Name(n) if n == "inf" => Some(f64::INFINITY),
        ExprKind::Name(n) if n == "nan" => Some(f64::NAN),
        ExprKind::Unary(Unary::Neg, x) => literal(x).map(|x| -x),
        ExprKind::Paren(x) => literal(x),
        _ => None,
    }
}
