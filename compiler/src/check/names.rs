//! Names: the definitions of a file, the symbols of a kernel, and what the user may have meant.

use super::elab::Val;
use super::views::ViewDef;
use crate::cascade::{RankId, ScalarId, TensorId};
use crate::diag::{Code, Diagnostic, SrcSpan};
use crate::syntax::ast::{Expr, File, FnDef, Ident, Item, MaskDef};
use std::collections::BTreeMap;

/// `fn` and `mask` definitions in scope; later ones shadow earlier ones.
#[derive(Default)]
pub(super) struct Defs<'a> {
    /// Scalar functions.
    pub(super) fns: BTreeMap<&'a str, &'a FnDef>,
    /// Predicates.
    pub(super) masks: BTreeMap<&'a str, &'a MaskDef>,
}

impl<'a> Defs<'a> {
    /// Adds the definitions of a file. Two of one name in one file are an error.
    pub(super) fn add(&mut self, file: &'a File, diags: &mut Vec<Diagnostic>) {
        let mut seen: BTreeMap<&str, SrcSpan> = BTreeMap::new();
        for item in &file.items {
            let name = match item {
                Item::Fn(f) => {
                    self.masks.remove(f.name.name.as_str());
                    self.fns.insert(&f.name.name, f);
                    &f.name
                }
                Item::Mask(m) => {
                    self.fns.remove(m.name.name.as_str());
                    self.masks.insert(&m.name.name, m);
                    &m.name
                }
                Item::Kernel(_) | Item::Schedule(_) => continue,
            };
            if let Some(first) = seen.insert(&name.name, name.span) {
                diags.push(twice(name, first));
            }
        }
    }
}

/// A name is declared twice.
pub(super) fn twice(name: &Ident, first: SrcSpan) -> Diagnostic {
    Diagnostic::error(Code::NAME, name.span, format!("`{}` is declared twice", name.name))
        .label(first, "first declared here")
        .help("ranks, tensors, params, scalars and consts of a kernel share one namespace")
}

/// What a name of a kernel stands for.
#[derive(Clone)]
pub(super) enum Sym {
    /// A rank.
    Rank(RankId),
    /// A tensor or a table.
    Tensor(TensorId),
    /// A run-time scalar.
    Scalar(ScalarId),
    /// A param or const: its value.
    Value(Val),
    /// A view.
    View(ViewDef),
    /// A `dtype` variable.
    Type,
    /// Something whose declaration is broken; its uses are not reported again.
    Poison,
}

impl Sym {
    /// What it is called in messages.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Sym::Rank(_) => "a rank",
            Sym::Tensor(_) => "a tensor",
            Sym::Scalar(_) => "a scalar",
            Sym::Value(_) => "a constant",
            Sym::View(_) => "a view",
            Sym::Type => "a type",
            Sym::Poison => "declared with an error",
        }
    }
}

/// The candidate closest to a misspelt name, if one is close.
pub fn nearest<'n>(name: &str, candidates: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let limit = if name.len() <= 3 { 1 } else { 2 };
    let scored = candidates.into_iter().filter(|c| *c != name).map(|c| (distance(name, c), c));
    scored.filter(|(d, c)| *d <= limit && *d < c.len()).min().map(|(_, c)| c)
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// The expression without its outer parentheses.
pub(super) fn bare(e: &Expr) -> &Expr {
    match &e.kind {
        crate::syntax::ast::ExprKind::Paren(inner) => bare(inner),
        _ => e,
    }
}
