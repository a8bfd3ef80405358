//! Specialisation sets: `rank E in {..}` and `dtype T in {..}`, and what the caller overrides.

use super::Options;
use crate::diag::{Code, Diagnostic};
use crate::syntax::ast::{ExprKind, File, Ident, Item, Kernel, RankDef, RankExtent, StmtKind, TypeKind, TypeName};
use crate::types::DType;
use std::collections::BTreeMap;

/// The most members that a kernel may have.
const MAX_MEMBERS: usize = 256;

/// One member of a kernel's specialisation set.
#[derive(Clone, Debug, Default)]
pub(super) struct Member {
    /// Extents that are chosen.
    pub(super) ranks: BTreeMap<String, i64>,
    /// Types of `dtype` variables.
    pub(super) dtypes: BTreeMap<String, DType>,
    /// Params that the caller gives, as text.
    pub(super) params: BTreeMap<String, String>,
    /// What was chosen, in the order of the kernel.
    pub(super) spec: Vec<(String, String)>,
}

impl Member {
    fn with_rank(mut self, name: &str, n: i64) -> Member {
        self.ranks.insert(name.to_string(), n);
        self.spec.push((name.to_string(), n.to_string()));
        self
    }

    fn with_dtype(mut self, name: &str, t: DType) -> Member {
        self.dtypes.insert(name.to_string(), t);
        self.spec.push((name.to_string(), t.to_string()));
        self
    }
}

/// Every member of a kernel.
pub(super) fn members(kernel: &Kernel, opts: &Options, diags: &mut Vec<Diagnostic>) -> Vec<Member> {
    let set: BTreeMap<&str, &str> = opts.set.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let mut all = vec![Member::default()];
    for stmt in &kernel.stmts {
        match &stmt.kind {
            StmtKind::Rank(defs) => {
                for d in defs {
                    let choices = rank_choices(d, set.get(d.name.name.as_str()).copied(), diags);
                    all = product(all, &choices, |m, n| m.with_rank(&d.name.name, *n));
                }
            }
            StmtKind::Iter(d) => {
                let choices = rank_choices(d, set.get(d.name.name.as_str()).copied(), diags);
                all = product(all, &choices, |m, n| m.with_rank(&d.name.name, *n));
            }
            StmtKind::DType(name, types) => {
                let choices = dtype_choices(name, types, set.get(name.name.as_str()).copied(), diags);
                all = product(all, &choices, |m, t| m.with_dtype(&name.name, *t));
            }
            StmtKind::Param(name, ..) => {
                if let Some(v) = set.get(name.name.as_str()) {
                    for m in &mut all {
                        m.params.insert(name.name.clone(), (*v).to_string());
                    }
                }
            }
            _ => {}
        }
        if all.len() > MAX_MEMBERS {
            let message = format!("`{}` has more than {MAX_MEMBERS} members", kernel.name.name);
            diags.push(Diagnostic::error(Code::TYPE, stmt.span, message));
            all.truncate(1);
        }
    }
    all
}

/// A name that `Options::set` may set. Errors about its value are at the name.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'f> {
    /// Its declaration.
    pub name: &'f Ident,
    /// A rank whose extent follows from others: setting it is an error of its own.
    pub derived: bool,
}

impl<'f> Setting<'f> {
    fn rank(d: &'f RankDef) -> Self {
        Setting { name: &d.name, derived: is_derived(d) }
    }
}

/// Every name of a file that `Options::set` may set, in the order of the source.
pub fn settable(file: &File) -> Vec<Setting<'_>> {
    let mut out = vec![];
    for item in &file.items {
        let Item::Kernel(k) = item else { continue };
        for s in &k.stmts {
            match &s.kind {
                StmtKind::Rank(defs) => out.extend(defs.iter().map(Setting::rank)),
                StmtKind::Iter(d) => out.push(Setting::rank(d)),
                StmtKind::DType(name, _) | StmtKind::Param(name, ..) => out.push(Setting { name, derived: false }),
                _ => {}
            }
        }
    }
    out
}

/// True if the extent follows from other extents.
fn is_derived(d: &RankDef) -> bool {
    matches!(&d.extent, RankExtent::Is(e) if !matches!(e.kind, ExprKind::Int(_)))
}

fn product<T>(all: Vec<Member>, choices: &[T], with: impl Fn(Member, &T) -> Member) -> Vec<Member> {
    if choices.is_empty() {
        return all;
    }
    all.iter().flat_map(|m| choices.iter().map(|c| with(m.clone(), c)).collect::<Vec<_>>()).collect()
}

/// Extents to choose from; none if nothing is to be chosen.
fn rank_choices(d: &RankDef, given: Option<&str>, diags: &mut Vec<Diagnostic>) -> Vec<i64> {
    let mut bad = |span, message: String| diags.push(Diagnostic::error(Code::TYPE, span, message));
    if let Some(text) = given {
        match text.parse::<i64>() {
            Ok(_) if is_derived(d) => {
                bad(d.name.span, format!("the extent of `{}` is derived and cannot be set", d.name.name))
            }
            Ok(n) if n >= 0 => return vec![n],
            _ => bad(d.name.span, format!("`{text}` is no extent for rank `{}`", d.name.name)),
        }
        return vec![];
    }
    let RankExtent::In(list) = &d.extent else { return vec![] };
    let mut out = vec![];
    for e in list {
        match e.kind {
            ExprKind::Int(n) if n >= 0 && !out.contains(&n) => out.push(n),
            ExprKind::Int(n) if n >= 0 => bad(e.span, format!("{n} stands twice in the set of `{}`", d.name.name)),
            _ => bad(e.span, "the extents of a set are integer literals".to_string()),
        }
    }
    out
}

fn dtype_choices(name: &Ident, types: &[TypeName], given: Option<&str>, diags: &mut Vec<Diagnostic>) -> Vec<DType> {
    if let Some(text) = given {
        if let Ok(t) = text.parse() {
            return vec![t];
        }
        diags.push(Diagnostic::error(Code::TYPE, name.span, format!("`{text}` is no type for `{}`", name.name)));
    }
    let mut out = vec![];
    for t in types {
        match &t.kind {
            TypeKind::DType(d) if !out.contains(d) => out.push(*d),
            TypeKind::DType(d) => {
                let message = format!("`{d}` stands twice in the set of `{}`", name.name);
                diags.push(Diagnostic::error(Code::TYPE, t.span, message));
            }
            TypeKind::Int | TypeKind::Var(_) => {
                diags.push(Diagnostic::error(Code::TYPE, t.span, "the types of a set are storage types"));
            }
        }
    }
    out
}
