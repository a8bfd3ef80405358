//! One kernel: declarations first, then statements, then what must be complete at the end.

use super::attrs::{docs, kernel_attrs, none_allowed};
use super::elab::{Elab, Scope, StmtCx, Val};
use super::members::{Member, members};
use super::names::Defs;
use super::signature::signature;
use super::stmt::Rhs;
use super::{CheckedKernel, Options};
use crate::cascade::{Cascade, Expr, Scalar, ScalarId};
use crate::diag::{Code, Diagnostic, SpanTable, has_errors};
use crate::syntax::ast::{ExprKind, File, FnDef, Item, Kernel, Schedule, Stmt, StmtKind};
use std::collections::BTreeSet;

/// Checks a kernel and elaborates every member of its specialisation set.
pub(super) fn kernel(
    k: &Kernel,
    schedules: Vec<Schedule>,
    defs: &Defs<'_>,
    opts: &Options,
    spans: &mut SpanTable,
    diags: &mut Vec<Diagnostic>,
) -> CheckedKernel {
    let mut own = too_long(k);
    let members = if own.is_empty() { members(k, opts, &mut own) } else { vec![] };
    let mut cascades = vec![];
    let mut advice = vec![];
    for member in members {
        let elaborated = elaborate(k, &member, defs, spans);
        own.extend(elaborated.diags);
        advice.extend(elaborated.advice);
        cascades.push(elaborated.cascade);
    }
    if has_errors(&own) {
        cascades.clear();
        advice.clear();
    }
    diags.append(&mut own);
    let splits = cascades.first().map_or(vec![], |c| crate::schedule::read(&schedules, c, spans, diags));
    let (name, docs, signature) = (k.name.clone(), docs(&k.attrs), signature(k));
    let advice = super::without_repetitions(advice);
    CheckedKernel { name, docs, members: cascades, signature, advice, schedules, splits }
}

/// A kernel has at most this many statements; a `rank` counts for each of its ranks.
const MAX_STATEMENTS: usize = 1024;

/// Refuses what no person wrote, before it takes minutes.
fn too_long(k: &Kernel) -> Vec<Diagnostic> {
    let size = |s: &Stmt| if let StmtKind::Rank(defs) = &s.kind { defs.len() } else { 1 };
    let mut total = 0;
    let first = k.stmts.iter().find(|s| {
        total += size(s);
        total > MAX_STATEMENTS
    });
    let error = |s: &Stmt| {
        let message = format!("`{}` has more than {MAX_STATEMENTS} statements", k.name.name);
        Diagnostic::error(Code::SYNTAX, s.span, message).help("split it into several kernels")
    };
    first.map(error).into_iter().collect()
}

/// One member of a kernel, with what there is to say about it.
struct Elaborated {
    cascade: Cascade,
    diags: Vec<Diagnostic>,
    advice: Vec<Diagnostic>,
}

fn elaborate(k: &Kernel, member: &Member, defs: &Defs<'_>, spans: &mut SpanTable) -> Elaborated {
    let mut diags = vec![];
    let mut c = empty(&k.name.name);
    c.docs = docs(&k.attrs);
    c.attrs = kernel_attrs(&k.attrs, &mut diags);
    c.spec = member.spec.clone();
    let mut elab = start(c, member, defs, spans);
    elab.diags = diags;
    elab.declared = declared(k);
    for s in &k.stmts {
        elab.declaration(s);
    }
    for s in &k.stmts {
        elab.statement(s);
    }
    elab.check_extents();
    elab.finish_states();
    elab.finish_outputs();
    let advice = if has_errors(&elab.diags) { vec![] } else { elab.advice() };
    Elaborated { cascade: elab.c, diags: elab.diags, advice }
}

fn empty(name: &str) -> Cascade {
    Cascade {
        name: name.to_string(),
        docs: vec![],
        ranks: vec![],
        scalars: vec![],
        tensors: vec![],
        nodes: vec![],
        asserts: vec![],
        attrs: Default::default(),
        spec: vec![],
    }
}

fn start<'a>(c: Cascade, member: &'a Member, defs: &'a Defs<'a>, spans: &'a mut SpanTable) -> Elab<'a> {
    Elab {
        defs,
        member,
        c,
        syms: Default::default(),
        info: vec![],
        spans,
        diags: vec![],
        frame: Default::default(),
        scope: Scope::default(),
        stmt: StmtCx::default(),
        broken_ranks: vec![],
        lookups: Default::default(),
        declared: BTreeSet::new(),
    }
}

/// Every name that a kernel declares.
fn declared(k: &Kernel) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for s in &k.stmts {
        match &s.kind {
            StmtKind::Rank(defs) => out.extend(defs.iter().map(|d| d.name.name.clone())),
            StmtKind::Iter(d) => _ = out.insert(d.name.name.clone()),
            StmtKind::DType(n, _)
            | StmtKind::Param(n, ..)
            | StmtKind::Scalar(n, _)
            | StmtKind::Const(n, ..)
            | StmtKind::Tensor(_, n, ..) => _ = out.insert(n.name.clone()),
            StmtKind::View(a, ..) | StmtKind::State(a, _) | StmtKind::Let(a, ..) => {
                out.insert(a.tensor.name.clone());
            }
            StmtKind::Init(..) | StmtKind::Assign(..) | StmtKind::Assert(_) => {}
        }
    }
    out
}

impl Elab<'_> {
    /// Declarations: what later statements may use wherever they stand.
    fn declaration(&mut self, s: &Stmt) {
        if !matches!(s.kind, StmtKind::Tensor(..) | StmtKind::Let(..)) {
            none_allowed(&s.attrs, &mut self.diags);
        }
        match &s.kind {
            StmtKind::Rank(defs) => defs.iter().for_each(|d| self.rank(d, false)),
            StmtKind::Iter(d) => self.rank(d, true),
            StmtKind::DType(name, _) => self.declare_dtype(name),
            StmtKind::Param(name, ty, default) => self.param(name, ty, default.as_ref()),
            StmtKind::Scalar(name, ty) => self.scalar(name, ty),
            StmtKind::Const(name, None, e) => self.constant(name, e),
            StmtKind::Tensor(role, name, ty, dims) => self.tensor(&s.attrs, *role, name, ty, dims),
            StmtKind::Assert(e) if !is_about_passes(e) => self.assert(e, s.span),
            StmtKind::Assert(_)
            | StmtKind::Const(..)
            | StmtKind::View(..)
            | StmtKind::State(..)
            | StmtKind::Init(..)
            | StmtKind::Let(..)
            | StmtKind::Assign(..) => {}
        }
    }

    /// Definitions, in order.
    fn statement(&mut self, s: &Stmt) {
        match &s.kind {
            StmtKind::Const(name, Some(vars), e) => self.table(name, vars, e),
            StmtKind::View(left, right, pred) => self.view(left, right, pred.as_ref()),
            StmtKind::State(a, ty) => self.state(a, ty),
            StmtKind::Init(a, e) => self.init(a, e),
            StmtKind::Let(a, ty, value, pred) => {
                self.let_stmt(&s.attrs, a, ty.as_ref(), &Rhs { value, pred: pred.as_ref() }, s.span);
            }
            StmtKind::Assign(a, value, pred) => self.assign(a, &Rhs { value, pred: pred.as_ref() }, s.span),
            StmtKind::Assert(e) if is_about_passes(e) => self.assert(e, s.span),
            StmtKind::Assert(_)
            | StmtKind::Const(_, None, _)
            | StmtKind::Rank(_)
            | StmtKind::Iter(_)
            | StmtKind::DType(..)
            | StmtKind::Param(..)
            | StmtKind::Scalar(..)
            | StmtKind::Tensor(..) => {}
        }
    }
}

fn is_about_passes(e: &crate::syntax::ast::Expr) -> bool {
    match &super::names::bare(e).kind {
        ExprKind::Binary(_, a, _) => matches!(&super::names::bare(a).kind, ExprKind::Call(f, _) if f.name == "passes"),
        _ => false,
    }
}

/// Checks the bodies of a file's `fn`s and `mask`s by themselves, so that errors appear although nothing calls them.
pub(super) fn definitions(file: &File, defs: &Defs<'_>, spans: &mut SpanTable, diags: &mut Vec<Diagnostic>) {
    for item in &file.items {
        match item {
            Item::Fn(f) => {
                none_allowed(&f.attrs, diags);
                function(f, defs, spans, diags);
            }
            Item::Mask(m) => none_allowed(&m.attrs, diags),
            Item::Schedule(s) => none_allowed(&s.attrs, diags),
            Item::Kernel(_) => {}
        }
    }
}

/// Elaborates a function with parameters of which nothing is known.
fn function(f: &FnDef, defs: &Defs<'_>, spans: &mut SpanTable, diags: &mut Vec<Diagnostic>) {
    let member = Member::default();
    let mut elab = start(empty(&f.name.name), &member, defs, spans);
    let mut params = std::collections::BTreeMap::new();
    let mut types_ok = true;
    for (name, ty) in &f.params {
        match elab.plain_type(ty) {
            Ok(dtype) => {
                let id = ScalarId(elab.c.scalars.len() as u32);
                elab.c.scalars.push(Scalar { name: name.name.clone(), dtype });
                params.insert(name.name.clone(), Val { e: Expr::Scalar(id), ty: dtype.value_type() });
            }
            Err(_) => types_ok = false,
        }
    }
    let result = elab.plain_type(&f.result);
    if let (Ok(result), true) = (result, types_ok) {
        elab.scope = Scope { vars: vec![], params: Some(params), calls: vec![f.name.name.clone()] };
        let value = elab.expr(&f.body);
        _ = value.and_then(|v| elab.convert(v, result.value_type(), f.body.span));
    }
    diags.append(&mut elab.diags);
}
