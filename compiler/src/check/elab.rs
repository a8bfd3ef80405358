//! The state of elaborating one kernel: symbols, the cascade under construction, and the frame of the node at work.

use super::facts;
use super::members::Member;
use super::names::{Defs, Sym, nearest, twice};
use super::ranges;
use crate::cascade::text::RESERVED;
use crate::cascade::{Assert, Cascade, Expr, Node, Origin, OutIdx, RankId, Reduce, Tensor, TensorId, TensorKind};
use crate::diag::{Code, Diagnostic, SpanTable, SrcSpan};
use crate::syntax::ast::Ident;
use crate::types::{BinOp, DType, ValueType};
use std::collections::{BTreeMap, BTreeSet};

/// A value is at most this many operators and statements deep, through everything that it reads: rewrites put what is read in its place.
const MAX_DEPTH: usize = 256;
/// A reduction inside of another is a loop at every level below, which is worth as many operators.
const REDUCTION_DEPTH: usize = 4;
/// A value is present under at most this many conditions.
const MAX_CONDITIONS: usize = 64;

/// The error of an expression that was already reported.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reported;

/// Result of elaborating something.
pub(super) type Res<T> = Result<T, Reported>;

/// A typed expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Val {
    /// The expression.
    pub(super) e: Expr,
    /// What it is computed in.
    pub(super) ty: ValueType,
}

/// What the checker knows about a tensor beyond its declaration.
#[derive(Clone, Default)]
pub(super) struct Info {
    /// Rank variables of the left side that defined it, the variables of `dom`.
    pub(super) vars: Vec<RankId>,
    /// Where its elements are present, in order of evaluation.
    pub(super) dom: Vec<Expr>,
    /// Operators and statements between the value and the inputs.
    pub(super) depth: usize,
    /// It has been defined.
    pub(super) assigned: bool,
    /// Position of the iterative rank, for states.
    pub(super) state: Option<super::state::StateInfo>,
    /// States that its value depends on at the current generation.
    pub(super) reads_state: Vec<TensorId>,
}

/// The node at work: what its reads need so far.
#[derive(Clone, Default)]
pub(super) struct Frame {
    /// Conjuncts that must hold for the body to be evaluated, in order.
    pub(super) dom: Vec<Expr>,
    /// Conditions of the branches around the expression at work.
    pub(super) guards: Vec<Expr>,
    /// What holds where the result is read; it only silences warnings.
    pub(super) outer: Vec<Expr>,
    /// Variables bound by the node's own reduction.
    pub(super) bound: Vec<RankId>,
    /// States read, directly or through other tensors.
    pub(super) states: Vec<TensorId>,
    /// Inside of `or(..)`, where absence is dealt with.
    pub(super) optional: bool,
}

/// The names that an expression may use.
#[derive(Clone, Default)]
pub(super) struct Scope {
    /// Rank variables, outermost first.
    pub(super) vars: Vec<RankId>,
    /// Parameters, inside of a `fn` or `mask`; nothing else is visible there.
    pub(super) params: Option<BTreeMap<String, Val>>,
    /// `fn`s and `mask`s being expanded.
    pub(super) calls: Vec<String>,
}

/// The statement at work.
#[derive(Clone, Default)]
pub(super) struct StmtCx {
    /// Name on its left side.
    pub(super) name: String,
    /// Origin of its nodes.
    pub(super) origin: Origin,
    /// Type of nested float results: f32, or f64 if the statement says so.
    pub(super) float: Option<DType>,
    /// Inside of a `where` predicate.
    pub(super) predicate: bool,
    /// Calls expanded so far.
    pub(super) calls: usize,
}

/// Elaboration of one member of a kernel.
pub(super) struct Elab<'a> {
    pub(super) defs: &'a Defs<'a>,
    pub(super) member: &'a Member,
    pub(super) c: Cascade,
    pub(super) syms: BTreeMap<String, (Sym, SrcSpan)>,
    /// Beside `c.tensors`.
    pub(super) info: Vec<Info>,
    pub(super) spans: &'a mut SpanTable,
    pub(super) diags: Vec<Diagnostic>,
    pub(super) frame: Frame,
    pub(super) scope: Scope,
    pub(super) stmt: StmtCx,
    /// Ranks whose declarations are broken.
    pub(super) broken_ranks: Vec<RankId>,
    /// Tensors whose elements `where` predicates look up, and where the first of them does.
    pub(super) lookups: super::advice::Lookups,
    /// Every name that the kernel declares; fresh names avoid them.
    pub(super) declared: BTreeSet<String>,
}

impl<'a> Elab<'a> {
    /// Reports an error.
    pub(super) fn error<T>(&mut self, code: Code, span: SrcSpan, message: impl Into<String>) -> Res<T> {
        self.report(Diagnostic::error(code, span, message))
    }

    /// Reports a diagnostic that refuses the expression at work.
    pub(super) fn report<T>(&mut self, d: Diagnostic) -> Res<T> {
        self.diags.push(d);
        Err(Reported)
    }

    /// Declares a name.
    pub(super) fn declare(&mut self, name: &Ident, sym: Sym) {
        if let Some((_, first)) = self.syms.get(&name.name) {
            let d = twice(name, *first);
            self.diags.push(d);
            return;
        }
        let problem = self.reserved(name, &sym).or_else(|| self.variable_clash(name, &sym));
        self.diags.extend(problem);
        self.syms.insert(name.name.clone(), (sym, name.span));
    }

    /// Words that mean something in the textual form of the cascade.
    fn reserved(&self, name: &Ident, sym: &Sym) -> Option<Diagnostic> {
        let bare = matches!(sym, Sym::Rank(_) | Sym::Scalar(_));
        let taken = bare && RESERVED.contains(&name.name.to_lowercase().as_str());
        taken.then(|| {
            Diagnostic::error(Code::NAME, name.span, format!("`{}` is a reserved word", name.name.to_lowercase()))
        })
    }

    /// A bare name that is also the variable of a rank. Tensors are safe: they are written with indices.
    fn variable_clash(&self, name: &Ident, sym: &Sym) -> Option<Diagnostic> {
        let is_bare = |s: &Sym| match s {
            Sym::Scalar(_) | Sym::Value(_) => true,
            Sym::Tensor(t) => self.c.tensor(*t).dims.is_empty(),
            Sym::Rank(_) | Sym::View(_) | Sym::Type | Sym::Poison => false,
        };
        let is_rank = |s: &Sym| matches!(s, Sym::Rank(_));
        let (other, (_, first)) = self.syms.iter().find(|(other, (s, _))| match sym {
            Sym::Rank(_) => {
                let var = name.name.to_lowercase();
                (is_bare(s) && **other == var) || (is_rank(s) && other.to_lowercase() == var && **other != name.name)
            }
            _ => is_bare(sym) && is_rank(s) && other.to_lowercase() == name.name,
        })?;
        if is_rank(sym) && other.to_lowercase() != *other {
            let message = format!("the ranks `{other}` and `{}` have the same rank variable", name.name);
            return Some(Diagnostic::error(Code::NAME, name.span, message).label(*first, "the other declaration"));
        }
        let (rank, var) = if is_rank(sym) { (&name.name, other) } else { (other, &name.name) };
        let message = format!("`{var}` is the rank variable of `{rank}` and cannot be another value");
        Some(Diagnostic::error(Code::NAME, name.span, message).label(*first, "the other declaration"))
    }

    /// A `dtype` variable shares the namespace and is no value.
    pub(super) fn declare_dtype(&mut self, name: &Ident) {
        self.declare(name, Sym::Type);
    }

    /// A name that nothing in the kernel has.
    pub(super) fn fresh(&self, base: &str) -> String {
        let taken = |n: &str| self.declared.contains(n) || self.c.fresh_name(n) != n;
        if !taken(base) {
            return base.to_string();
        }
        self.fresh_numbered(base, 2)
    }

    /// `base_i` for the first free i.
    pub(super) fn fresh_numbered(&self, base: &str, from: usize) -> String {
        let taken = |n: &str| self.declared.contains(n) || self.c.fresh_name(n) != n;
        (from..).map(|i| format!("{base}_{i}")).find(|n| !taken(n)).unwrap_or_default()
    }

    /// Adds a tensor together with its info.
    pub(super) fn add_tensor(&mut self, t: Tensor, info: Info) -> TensorId {
        self.info.push(info);
        self.c.add_tensor(t)
    }

    /// Text of an L1 expression.
    pub(super) fn text(&self, e: &Expr) -> String {
        let text = crate::cascade::text::expr_text(&self.c, e);
        match text.strip_prefix('(').and_then(|t| t.strip_suffix(')')) {
            Some(inner) if !inner.contains(['(', ')']) => inner.to_string(),
            _ => text,
        }
    }

    /// Text of a rank variable.
    pub(super) fn var_text(&self, r: RankId) -> String {
        self.c.ranks[r.index()].name.to_lowercase()
    }

    /// Predicates of the source that hold everywhere.
    pub(super) fn promises(&self) -> Vec<Expr> {
        let pred = |a: &Assert| match a {
            Assert::Holds { pred, .. } => Some(pred.clone()),
            Assert::Passes { .. } => None,
        };
        self.c.asserts.iter().filter_map(pred).collect()
    }

    /// True if the predicate holds wherever the expression at work is evaluated.
    ///
    /// A predicate without bound variables may end up in `dom`, which is evaluated before any `fold`: it must follow
    /// from what is known there.
    pub(super) fn known(&self, goal: &Expr) -> bool {
        let promises = self.promises();
        let in_dom = !self.mentions_bound(goal);
        let usable = |e: &&Expr| !in_dom || !self.mentions_bound(e);
        let local = self.frame.dom.iter().chain(&self.frame.guards).filter(usable);
        let known: Vec<&Expr> = local.chain(&promises).collect();
        facts::implied(&self.c, &known, goal)
    }

    fn mentions_bound(&self, e: &Expr) -> bool {
        self.frame.bound.iter().any(|r| e.mentions(*r))
    }

    /// Demands a conjunct for the expression at work, unless it holds anyway.
    pub(super) fn require(&mut self, conjunct: Expr) {
        if !self.frame.dom.contains(&conjunct) && !self.known(&conjunct) {
            self.frame.dom.push(conjunct);
        }
    }

    /// Elaborates something that is evaluated only where `guard` holds.
    pub(super) fn guarded<T>(&mut self, guard: &Expr, f: impl FnOnce(&mut Self) -> Res<T>) -> Res<T> {
        let before = self.frame.dom.len();
        self.frame.guards.push(guard.clone());
        let result = f(self);
        self.frame.guards.pop();
        let not = facts::negation(guard);
        for conjunct in self.frame.dom.split_off(before) {
            let lazy = super::fold::bin(BinOp::Or, not.clone(), conjunct);
            if lazy != Expr::Bool(true) && !self.frame.dom.contains(&lazy) {
                self.frame.dom.push(lazy);
            }
        }
        result
    }

    /// Elaborates something in a frame of its own, for a node of its own.
    pub(super) fn in_frame<T>(&mut self, bound: Vec<RankId>, f: impl FnOnce(&mut Self) -> Res<T>) -> Res<(T, Frame)> {
        let outer = [&self.frame.dom[..], &self.frame.guards, &self.frame.outer].concat();
        let optional = self.frame.optional;
        let parent = std::mem::replace(&mut self.frame, Frame { outer, bound, optional, ..Frame::default() });
        let result = f(self);
        let frame = std::mem::replace(&mut self.frame, parent);
        Ok((result?, frame))
    }

    /// Adds a node that defines a new intermediate over the free variables of its right side, and reads it.
    pub(super) fn bind(
        &mut self,
        name: String,
        dtype: DType,
        reduce: Option<Reduce>,
        body: Expr,
        frame: Frame,
    ) -> Expr {
        let (t, idx) = self.define(name, dtype, reduce, body, frame);
        self.read_tensor(t, idx)
    }

    /// Adds a node that defines a new intermediate over the free variables of its right side: the element at the point
    /// at work.
    pub(super) fn define(
        &mut self,
        name: String,
        dtype: DType,
        reduce: Option<Reduce>,
        body: Expr,
        frame: Frame,
    ) -> (TensorId, Vec<Expr>) {
        let vars = self.free_vars(&body, reduce.as_ref(), &frame);
        let dims = vars.iter().map(|r| Expr::Extent(*r)).collect();
        let t = self.add_tensor(
            Tensor { name, dtype, dims, kind: TensorKind::Let, empty: 0.0, facts: Default::default(), table: None },
            Info::default(),
        );
        let outs = vars.iter().map(|r| OutIdx::Var(*r)).collect();
        self.emit(t, outs, reduce, body, frame);
        (t, vars.into_iter().map(Expr::Var).collect())
    }

    /// Free variables in the order of the scope.
    fn free_vars(&self, body: &Expr, reduce: Option<&Reduce>, frame: &Frame) -> Vec<RankId> {
        let over = reduce.map_or(&[][..], |r| &r.over);
        let slot = reduce.and_then(|r| r.slot);
        let used = |r: &RankId| slot == Some(*r) || body.mentions(*r) || frame.dom.iter().any(|e| e.mentions(*r));
        let mut vars = vec![];
        for r in &self.scope.vars {
            if !over.contains(r) && !vars.contains(r) && used(r) {
                vars.push(*r);
            }
        }
        vars
    }

    /// Adds the node that defines `out`: its conjuncts are split between `fold` and `dom`.
    pub(super) fn emit(&mut self, out: TensorId, vars: Vec<OutIdx>, reduce: Option<Reduce>, body: Expr, frame: Frame) {
        let over = reduce.as_ref().map_or(&[][..], |r| &r.over);
        let (fold, dom): (Vec<Expr>, Vec<Expr>) =
            frame.dom.into_iter().partition(|e| over.iter().any(|r| e.mentions(*r)));
        if let Some(r) = &reduce
            && self.c.tensor(out).dtype.is_int()
            && self.c.tensor(out).kind == TensorKind::Let
            && self.c.tensor(out).facts.range.is_none()
        {
            let range = ranges::of_reduction(&self.c, r, &body);
            self.c.tensors[out.index()].facts.range = range;
        }
        let loops = if reduce.is_some() { REDUCTION_DEPTH } else { 0 };
        let depth = self.depth(out, loops + body.depth(), &body, fold.len() + dom.len());
        let info = &mut self.info[out.index()];
        // What is too big is reported once: its readers start anew.
        info.depth = depth.unwrap_or(0);
        info.assigned = true;
        if info.state.is_none() {
            info.vars = vars.iter().filter_map(|v| if let OutIdx::Var(r) = v { Some(*r) } else { None }).collect();
            info.dom = if depth.is_some() { dom.clone() } else { vec![] };
            info.reads_state = frame.states;
        }
        self.c.nodes.push(Node { out, vars, reduce, body, fold, dom, origin: self.stmt.origin.clone() });
    }

    /// The depth of a value; none if it is too deep, or present under too many conditions, which is reported.
    fn depth(&mut self, out: TensorId, own: usize, body: &Expr, conditions: usize) -> Option<usize> {
        let reads = body.reads().into_iter().filter(|t| *t != out);
        let depth = 1 + own + reads.map(|t| self.info[t.index()].depth).max().unwrap_or(0);
        let problem = if depth > MAX_DEPTH {
            format!("is more than {MAX_DEPTH} operators and statements deep")
        } else if conditions > MAX_CONDITIONS {
            format!("is present under more than {MAX_CONDITIONS} conditions")
        } else {
            return Some(depth);
        };
        let message = format!("`{}` {problem}", self.c.tensor(out).name);
        let span = self.spans.get(self.stmt.origin.span);
        self.diags.push(Diagnostic::error(Code::TYPE, span, message).help("make it an output of a kernel of its own"));
        None
    }

    /// The origin of a statement.
    pub(super) fn origin(&mut self, stmt: &str, span: SrcSpan) -> Origin {
        Origin { stmt: stmt.to_string(), line: span.start.start().line as u32, span: self.spans.add(span) }
    }

    /// The unknown-name diagnostic.
    pub(super) fn unknown<T>(&mut self, name: &Ident, what: &str) -> Res<T> {
        let d = if self.declared.contains(&name.name) {
            Diagnostic::error(Code::NAME, name.span, format!("`{}` is used before it is declared", name.name))
                .help("move its declaration above this statement")
        } else {
            let message = format!("`{}` is {what}", name.name);
            let params = self.scope.params.iter().flat_map(|p| p.keys());
            let near = nearest(&name.name, self.syms.keys().chain(params).map(String::as_str));
            let d = Diagnostic::error(Code::NAME, name.span, message);
            match near {
                Some(n) => d.help(format!("did you mean `{n}`?")),
                None => d,
            }
        };
        self.report(d)
    }
}
