//! Recurrences: `state`, `init`, update and the reads of a state (rule T-STATE).

use super::elab::{Elab, Info, Res};
use super::facts;
use super::fold::bin;
use super::names::{Sym, bare};
use crate::cascade::{Expr, OutIdx, RankId, Tensor, TensorId, TensorKind};
use crate::diag::{Code, Diagnostic};
use crate::syntax::ast::{self, Access, Binary, ExprKind, TypeName};
use crate::types::BinOp;

/// What is known about a state.
#[derive(Clone, Debug)]
pub(super) struct StateInfo {
    /// Iterative rank.
    pub(super) rank: RankId,
    /// Its position among the indices.
    pub(super) pos: usize,
    /// The scan runs from the last generation to the first; known after `init`.
    pub(super) reverse: Option<bool>,
    /// The update has been seen.
    pub(super) updated: bool,
}

/// A generation of a state.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Generation {
    /// `t`
    This,
    /// `t + 1`
    Next,
    /// `0`
    First,
    /// `T`
    Last,
}

impl Elab<'_> {
    /// `state St[b, t, e]: f32;`
    pub(super) fn state(&mut self, a: &Access, ty: &TypeName) {
        let sym = self.state_decl(a, ty).map_or(Sym::Poison, Sym::Tensor);
        self.declare(&a.tensor, sym);
    }

    fn state_decl(&mut self, a: &Access, ty: &TypeName) -> Res<TensorId> {
        self.begin(&a.tensor.name, a.span);
        let vars = self.left_vars(a)?;
        let dtype = self.dtype(ty)?;
        let iters: Vec<usize> = (0..vars.len()).filter(|i| self.c.ranks[vars[*i].index()].iter).collect();
        let [pos] = iters[..] else {
            let message = format!("a state has one iterative rank, `{}` has {}", a.tensor.name, iters.len());
            return self.report(Diagnostic::error(Code::STATE, a.span, message).help("declare it with `iter T;`"));
        };
        let rank = vars[pos];
        let dims = vars.iter().map(|r| match *r == rank {
            // One generation before the first step and one after every step.
            true => bin(BinOp::Add, Expr::Extent(*r), Expr::Int(1)),
            false => Expr::Extent(*r),
        });
        let tensor = Tensor {
            name: a.tensor.name.clone(),
            dtype,
            dims: dims.collect(),
            kind: TensorKind::Let,
            empty: 0.0,
            facts: Default::default(),
            table: None,
        };
        let state = Some(StateInfo { rank, pos, reverse: None, updated: false });
        Ok(self.add_tensor(tensor, Info { vars, state, ..Info::default() }))
    }

    /// `init St[b, 0, e] = ..;`
    pub(super) fn init(&mut self, a: &Access, value: &ast::Expr) {
        self.begin(&a.tensor.name, a.span);
        let Some((t, state)) = self.state_named(a) else { return };
        _ = self.init_node(a, t, &state, value);
    }

    fn state_named(&mut self, a: &Access) -> Option<(TensorId, StateInfo)> {
        let state = match self.syms.get(&a.tensor.name) {
            Some((Sym::Tensor(t), _)) => self.info[t.index()].state.clone().map(|s| (*t, s)),
            Some((Sym::Poison, _)) => return None,
            _ => None,
        };
        if state.is_none() {
            let message = format!("`{}` is not a state", a.tensor.name);
            let d = Diagnostic::error(Code::STATE, a.tensor.span, message).help("declare it with `state`");
            self.diags.push(d);
        }
        state
    }

    fn init_node(&mut self, a: &Access, t: TensorId, state: &StateInfo, value: &ast::Expr) -> Res<()> {
        if state.reverse.is_some() {
            return self.error(Code::STATE, a.span, format!("`{}` has a second `init`", a.tensor.name));
        }
        let (vars, generation) = self.state_left(a, t, state)?;
        let (at, reverse) = match generation {
            Generation::First => (Expr::Int(0), false),
            Generation::Last => (Expr::Extent(state.rank), true),
            Generation::This | Generation::Next => {
                let rank = self.c.ranks[state.rank.index()].name.clone();
                return self.error(Code::STATE, a.span, format!("`init` is at generation `0` or `{rank}`"));
            }
        };
        if let Some(s) = &mut self.info[t.index()].state {
            s.reverse = Some(reverse);
        }
        let body = self.state_value(t, value)?;
        let frame = std::mem::take(&mut self.frame);
        if let Some(e) = frame.dom.iter().find(|e| e.mentions(state.rank)) {
            let text = self.text(e);
            return self.error(Code::STATE, value.span, format!("the first generation is absent unless `{text}`"));
        }
        let outs = state_outs(&vars, state, OutIdx::At(at));
        self.info[t.index()].dom = frame.dom.clone();
        self.emit(t, outs, None, body, frame);
        Ok(())
    }

    /// The variables of a left side, with the iterative rank at its position, and the generation.
    fn state_left(&mut self, a: &Access, t: TensorId, state: &StateInfo) -> Res<(Vec<RankId>, Generation)> {
        let ranks = self.info[t.index()].vars.clone();
        if a.idx.len() != ranks.len() {
            let message = format!("`{}` has {} ranks but is indexed with {}", a.tensor.name, ranks.len(), a.idx.len());
            return self.error(Code::ACC, a.span, message);
        }
        let others: Vec<ast::Expr> =
            a.idx.iter().enumerate().filter(|(i, _)| *i != state.pos).map(|(_, e)| e.clone()).collect();
        let mut vars = self.left_vars(&Access { idx: others.clone(), ..a.clone() })?;
        vars.insert(state.pos, state.rank);
        if vars != ranks {
            let names: Vec<String> = ranks.iter().map(|r| self.var_text(*r)).collect();
            let message = format!("the left side uses the variables of the declaration: `{}`", names.join(", "));
            return self.error(Code::STATE, a.span, message);
        }
        self.scope.vars = vars.clone();
        let index = &a.idx[state.pos];
        match self.generation_of(index, state) {
            Some(g) => Ok((vars, g)),
            None => self.bad_generation(index, a, state),
        }
    }

    /// The generation that an index as written names.
    fn generation_of(&self, e: &ast::Expr, state: &StateInfo) -> Option<Generation> {
        let (rank, var) = (&self.c.ranks[state.rank.index()].name, self.var_text(state.rank));
        match &bare(e).kind {
            ExprKind::Name(n) if *n == var => Some(Generation::This),
            ExprKind::Name(n) if n == rank => Some(Generation::Last),
            ExprKind::Int(0) => Some(Generation::First),
            ExprKind::Binary(Binary::Add, a, b) => match (&bare(a).kind, &bare(b).kind) {
                (ExprKind::Name(n), ExprKind::Int(1)) | (ExprKind::Int(1), ExprKind::Name(n)) if *n == var => {
                    Some(Generation::Next)
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn bad_generation<T>(&mut self, e: &ast::Expr, a: &Access, state: &StateInfo) -> Res<T> {
        let (rank, var) = (self.c.ranks[state.rank.index()].name.clone(), self.var_text(state.rank));
        let message =
            format!("`{}` takes `{var}`, `{var}+1`, `0` or `{rank}` at its iterative position", a.tensor.name);
        self.error(Code::STATE, e.span, message)
    }

    /// `St[b, t+1, e] = f(St[b, t, e]);` and its reverse.
    pub(super) fn update(&mut self, a: &Access, value: &ast::Expr, pred: Option<&ast::Expr>) {
        let Some((t, state)) = self.state_named(a) else { return };
        _ = self.update_node(a, t, &state, value, pred);
        if let Some(s) = &mut self.info[t.index()].state {
            s.updated = true;
            // A missing `init` was reported.
            s.reverse.get_or_insert(false);
        }
    }

    fn update_node(
        &mut self,
        a: &Access,
        t: TensorId,
        state: &StateInfo,
        value: &ast::Expr,
        pred: Option<&ast::Expr>,
    ) -> Res<()> {
        if state.updated {
            return self.error(Code::OUT, a.span, format!("`{}` is updated twice", a.tensor.name));
        }
        let Some(reverse) = state.reverse else {
            let d =
                Diagnostic::error(Code::STATE, a.span, format!("`{}` has no `init` before its update", a.tensor.name));
            return self.report(d);
        };
        let (vars, generation) = self.state_left(a, t, state)?;
        let out = match (reverse, generation) {
            (false, Generation::Next) => OutIdx::Next(state.rank),
            (true, Generation::This) => OutIdx::Prev(state.rank),
            _ => {
                let var = self.var_text(state.rank);
                let (left, from) = if reverse { (var, "its last generation") } else { (format!("{var}+1"), "0") };
                let message = format!("`{}` starts at {from}, so its update defines `{left}`", a.tensor.name);
                return self.error(Code::STATE, a.span, message);
            }
        };
        let pred = pred.map_or(Ok(()), |p| self.conjuncts(p));
        let body = self.state_value(t, value)?;
        pred?;
        let frame = std::mem::take(&mut self.frame);
        let start = self.info[t.index()].dom.clone();
        if let Some(e) = frame.dom.iter().find(|e| !start.contains(e)) {
            let text = self.text(e);
            let message = format!("the update of `{}` would be absent unless `{text}`", a.tensor.name);
            let d = Diagnostic::error(Code::STATE, value.span, message)
                .note("every later generation would be absent as well")
                .help("keep the state with `if .. { .. } else { .. }`, or fill absent elements with `or(x, c)`");
            return self.report(d);
        }
        self.emit(t, state_outs(&vars, state, out), None, body, frame);
        Ok(())
    }

    /// The right side of an init or update: one value, its reductions in nodes of their own.
    fn state_value(&mut self, t: TensorId, value: &ast::Expr) -> Res<Expr> {
        let dtype = self.c.tensor(t).dtype;
        self.set_float(dtype);
        let v = self.expr(value)?;
        self.convert(v, dtype.value_type(), value.span).map(|v| v.e)
    }

    /// A read of a state.
    pub(super) fn read_state(&mut self, a: &Access, t: TensorId) -> Res<Expr> {
        let info = self.info[t.index()].clone();
        let Some(state) = info.state else { return Err(super::elab::Reported) };
        let mut idx = self.plain_indices(a, info.vars.len())?;
        let Some(reverse) = state.reverse else {
            return self.error(Code::STATE, a.span, format!("`{}` is read before its `init`", a.tensor.name));
        };
        let Some(generation) = self.read_generation(&idx[state.pos], &state) else {
            return self.bad_generation(&a.idx[state.pos], a, &state);
        };
        let current = if reverse { Generation::Next } else { Generation::This };
        let first = if reverse { Generation::Last } else { Generation::First };
        if !state.updated && generation != current && generation != first {
            let var = self.var_text(state.rank);
            let at = if reverse { format!("{var}+1") } else { var };
            let message = format!("before and in its update, `{}` can be read at `{at}` only", a.tensor.name);
            return self
                .report(Diagnostic::error(Code::STATE, a.span, message).help("move this statement below the update"));
        }
        if !state.updated && generation == current {
            self.depends_on_generation(a, t, &state)?;
        }
        for (i, ast) in a.idx.iter().enumerate().filter(|(i, _)| *i != state.pos) {
            self.check_state_index(a, ast, &idx[i].clone(), info.vars[i])?;
        }
        if generation == Generation::Last {
            idx[state.pos] = Expr::Extent(state.rank);
        }
        for conjunct in &info.dom {
            let at = |r: RankId| info.vars.iter().position(|v| *v == r).map(|i| idx[i].clone());
            self.require(super::fold::refold(&conjunct.subst(&at)));
        }
        Ok(Expr::Read(t, idx))
    }

    fn read_generation(&self, e: &Expr, state: &StateInfo) -> Option<Generation> {
        let var = Expr::Var(state.rank);
        let is = |x: &Expr| facts::equal(&self.c, &[], e, x);
        if is(&var) {
            Some(Generation::This)
        } else if is(&bin(BinOp::Add, var, Expr::Int(1))) {
            Some(Generation::Next)
        } else if *e == Expr::Int(0) {
            Some(Generation::First)
        } else {
            is(&Expr::Extent(state.rank)).then_some(Generation::Last)
        }
    }

    /// The statement at work takes part in the recurrence of `t`.
    fn depends_on_generation(&mut self, a: &Access, t: TensorId, state: &StateInfo) -> Res<()> {
        if self.frame.bound.contains(&state.rank) {
            let var = self.var_text(state.rank);
            let message = format!("`{}` is reduced over `{var}` before its update", a.tensor.name);
            return self
                .report(Diagnostic::error(Code::STATE, a.span, message).help("move this statement below the update"));
        }
        if !self.frame.states.contains(&t) {
            self.frame.states.push(t);
        }
        Ok(())
    }

    /// A read of an intermediate that depends on a state which is not updated yet: it must be of the same generation.
    pub(super) fn reads_generation(&mut self, a: &Access, t: TensorId, idx: &[Expr]) -> Res<()> {
        let info = self.info[t.index()].clone();
        for s in &info.reads_state {
            let Some(state) = self.info[s.index()].state.clone().filter(|s| !s.updated) else { continue };
            let same = info.vars.iter().position(|v| *v == state.rank).map(|i| &idx[i]);
            if same == Some(&Expr::Var(state.rank)) {
                self.depends_on_generation(a, *s, &state)?;
                continue;
            }
            let (name, var) = (self.c.tensor(*s).name.clone(), self.var_text(state.rank));
            let message = format!("`{}` depends on the state `{name}` and can be read at `{var}` only", a.tensor.name);
            return self.report(
                Diagnostic::error(Code::STATE, a.span, message).help("other generations exist after the update only"),
            );
        }
        Ok(())
    }

    fn check_state_index(&mut self, a: &Access, ast: &ast::Expr, e: &Expr, rank: RankId) -> Res<()> {
        self.check_index(a, ast, e, &Expr::Extent(rank))
    }

    /// States must be complete at the end of the kernel.
    pub(super) fn finish_states(&mut self) {
        let mut diags = vec![];
        for (t, info) in self.c.tensors.iter().zip(&self.info) {
            let Some(state) = &info.state else { continue };
            let missing = match (state.reverse, state.updated) {
                (None, _) => "`init`",
                (_, false) => "update",
                _ => continue,
            };
            let span = self.syms.get(&t.name).map(|(_, s)| *s);
            if let Some(span) = span {
                diags.push(Diagnostic::error(Code::STATE, span, format!("state `{}` has no {missing}", t.name)));
            }
        }
        self.diags.extend(diags);
    }
}

fn state_outs(vars: &[RankId], state: &StateInfo, at: OutIdx) -> Vec<OutIdx> {
    vars.iter().enumerate().map(|(i, r)| if i == state.pos { at.clone() } else { OutIdx::Var(*r) }).collect()
}
