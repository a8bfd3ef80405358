//! The checker: names, ranks, types and bounds; elaboration of the AST to L1.
//!
//! Assumes a tree from the parser, however broken. Guarantees: every error of every kernel is reported at once; a kernel
//! without errors becomes one verified cascade per member of its specialisation set, in which no absence is left
//! (`Node::dom`, `Node::fold`), every index is in bounds wherever it is evaluated, and `fn`s, `mask`s, views, consts and
//! the sugar `softmax` and `logsumexp` are gone.
//!
//! | file | what it does |
//! |---|---|
//! | `members` | specialisation sets and overrides |
//! | `kernel` | one kernel: the order of the work |
//! | `decl`, `attrs`, `views`, `state`, `stmt` | statements |
//! | `expr`, `call`, `reduce`, `sugar`, `access` | expressions |
//! | `poly`, `facts`, `ranges` | canonical index forms, the prover, bounds of counts |
//! | `advice` | notes about what is slower than it looks |
//! | `elab`, `names`, `fold` | state, symbols, constant folding |

mod access;
mod advice;
mod attrs;
mod call;
mod decl;
mod elab;
mod expr;
mod facts;
mod fold;
mod kernel;
mod members;
mod names;
mod poly;
mod ranges;
mod reduce;
mod signature;
mod state;
mod stmt;
mod sugar;
#[cfg(test)]
mod tests;
mod views;

use crate::cascade::Cascade;
use crate::diag::{Code, Diagnostic, SpanTable, SrcSpan};
use crate::schedule::Split;
use crate::syntax::ast::{File, Ident, Item, Schedule};
pub use members::{Setting, settable};
pub use names::nearest;
pub use signature::{ScalarSig, Signature, TensorSig};
use std::collections::{BTreeMap, BTreeSet};

/// What the caller chooses.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Values of params, extents of ranks and types of `dtype` variables, as text.
    pub set: Vec<(String, String)>,
}

/// A checked file.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// Kernels in the order of the file.
    pub kernels: Vec<CheckedKernel>,
    /// Places of statements, by `cascade::Origin::span`.
    pub spans: SpanTable,
}

/// A checked kernel.
#[derive(Clone, Debug)]
pub struct CheckedKernel {
    /// Name.
    pub name: Ident,
    /// Documentation, one string a line.
    pub docs: Vec<String>,
    /// One cascade per member of the specialisation set; none if the kernel has errors.
    pub members: Vec<Cascade>,
    /// What callers see, also if the kernel has errors.
    pub signature: Signature,
    /// Notes about what is right but slower than it looks; none if the kernel has errors.
    pub advice: Vec<Diagnostic>,
    /// Schedules for this kernel.
    pub schedules: Vec<Schedule>,
    /// What they choose.
    pub splits: Vec<Split>,
}

/// Checks a file. Diagnostics come in the order of the source.
pub fn check(file: &File, opts: &Options) -> (Checked, Vec<Diagnostic>) {
    let mut diags = vec![];
    // The prelude is tested to parse; what it cannot define is reported where it is used.
    let (prelude, _) = crate::syntax::parse_str(crate::library::PRELUDE);
    let mut defs = names::Defs::default();
    defs.add(&prelude, &mut diags);
    defs.add(file, &mut diags);
    let mut out = Checked::default();
    kernel::definitions(file, &defs, &mut out.spans, &mut diags);
    let mut seen: BTreeMap<&str, SrcSpan> = BTreeMap::new();
    for item in &file.items {
        let Item::Kernel(k) = item else { continue };
        if let Some(first) = seen.insert(&k.name.name, k.name.span) {
            diags.push(names::twice(&k.name, first));
        }
        let schedules = schedules(file, &k.name.name);
        out.kernels.push(kernel::kernel(k, schedules, &defs, opts, &mut out.spans, &mut diags));
    }
    unknown_names(file, opts, &seen, &mut diags);
    (out, without_repetitions(diags))
}

fn schedules(file: &File, kernel: &str) -> Vec<Schedule> {
    let all = file.items.iter().filter_map(|i| match i {
        Item::Schedule(s) => Some(s),
        Item::Kernel(_) | Item::Fn(_) | Item::Mask(_) => None,
    });
    all.filter(|s| s.kernel.name == kernel).cloned().collect()
}

/// Schedules of kernels that do not exist, and overrides that nothing takes.
fn unknown_names(file: &File, opts: &Options, kernels: &BTreeMap<&str, SrcSpan>, diags: &mut Vec<Diagnostic>) {
    for item in &file.items {
        let Item::Schedule(s) = item else { continue };
        if kernels.contains_key(s.kernel.name.as_str()) {
            continue;
        }
        let mut d = Diagnostic::error(Code::NAME, s.kernel.span, format!("there is no kernel `{}`", s.kernel.name));
        d.help = names::nearest(&s.kernel.name, kernels.keys().copied()).map(|n| format!("did you mean `{n}`?"));
        diags.push(d);
    }
    let settable = settable(file);
    for (name, _) in opts.set.iter().filter(|(name, _)| !settable.iter().any(|s| s.name.name == *name)) {
        diags.push(unknown_setting(name, &settable));
    }
}

/// The error about a setting that nothing takes. It has no place in the file.
pub fn unknown_setting(name: &str, settable: &[Setting<'_>]) -> Diagnostic {
    Diagnostic::error(Code::NAME, SrcSpan::call_site(), format!("there is no `{name}` to set"))
        .help(help_with_settings(name, settable))
}

/// What the user may have meant by a name that cannot be set.
fn help_with_settings(name: &str, settable: &[Setting<'_>]) -> String {
    let mut names: Vec<&str> = vec![];
    for s in settable.iter().filter(|s| !s.derived) {
        if !names.contains(&s.name.name.as_str()) {
            names.push(&s.name.name);
        }
    }
    let all = names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    match nearest(name, names.iter().copied()) {
        _ if names.is_empty() => "nothing can be set".to_string(),
        Some(n) => format!("did you mean `{n}`? These can be set: {all}"),
        None => format!("these can be set: {all}"),
    }
}

/// Members of one kernel repeat their errors; one of each is enough.
fn without_repetitions(diags: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let key = |d: &Diagnostic| (d.span.start.start().line, d.span.start.start().column);
    let mut seen = BTreeSet::new();
    let mut out = diags;
    out.retain(|d| seen.insert((key(d), d.code, d.message.clone())));
    out.sort_by_key(key);
    out
}
