//! A pass as a cascade again, with its streamed rank cut into blocks: what the online and the split algorithm are,
//! Einsum for Einsum.
//!
//! Rank `M` becomes `M1 × M0`. In the online form M1 is iterative and every accumulator X is a running state `RX`; in
//! the split form all blocks are independent and are combined at the end. The cascade can be executed: it is L1.
//!
//! Names follow the structure alone. The base of a maximum is `M`, of a minimum `MI`, of a sum `D`, or `N` and the
//! names of the operands it sums. Prefixes: `B` a block of a tensor, `L` a reduction inside a block, `SL` one that uses
//! the running drivers, `R` running, `PR` the factor of a repair, `SP` repaired, `G` over all blocks, `PL` a block's
//! factor, `S` a sum over all blocks, `A` without the initial value. The map that several accumulators share is `SLN`.

use super::{Acc, Pass, Place, Repair, Stage, Stream};
use crate::cascade::{Cascade, Expr, Extent, Node, Origin, OutIdx, Rank, RankId, Reduce, Tensor, TensorId, TensorKind};
use crate::passes::difference;
use crate::types::{BinOp, DType, RedOp, UnOp};

/// Which algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Blocks one after the other, with running values.
    Online,
    /// Blocks independent of each other, combined at the end.
    Split,
}

/// The cascade of a stream in which one pass over one rank is cut into blocks of `size`. `None` if there is no such
/// pass or its accumulators do not combine.
pub fn tiled(s: &Stream, stage: usize, pass: usize, size: i64, form: Form) -> Option<Cascade> {
    let p = s.stages.get(stage)?.passes.get(pass)?;
    let [m] = p.over.as_slice() else { return None };
    let op = |a: &Acc| s.cascade.nodes[a.node.index()].reduce.as_ref().and_then(|r| r.op.identity());
    if !p.accs.iter().all(|a| op(a).is_some()) {
        return None;
    }
    let mut c = Cascade { nodes: vec![], asserts: vec![], ..s.cascade.clone() };
    // The accumulators give way to states of their own, and leave their names to them.
    for t in p.accs.iter().map(|a| s.cascade.nodes[a.node.index()].out) {
        c.tensors[t.index()].name = c.fresh_name(&format!("old_{}", c.tensor(t).name));
    }
    let (m1, m0) = cut(&mut c, *m, size, form);
    let mut t = Tiler { s, c, m: *m, m1, m0, form, blocks: vec![], states: vec![], pass: p, late: false };
    for (i, g) in s.stages.iter().enumerate() {
        t.stage(g, (i == stage).then_some(pass));
    }
    Some(t.c)
}

/// Adds the ranks of the blocks and inside a block.
fn cut(c: &mut Cascade, m: RankId, size: i64, form: Form) -> (RankId, RankId) {
    let name = c.ranks[m.index()].name.clone();
    let free = c.ranks[m.index()].extent == Extent::Free;
    let id = |c: &Cascade| RankId(c.ranks.len() as u32);
    let (m1, m0) = (id(c), RankId(id(c).0 + 1));
    let whole = Expr::bin(BinOp::Mul, Expr::Extent(m1), Expr::Extent(m0));
    let blocks = Expr::bin(BinOp::FloorDiv, Expr::Extent(m), Expr::Extent(m0));
    let extent = if free { Extent::Free } else { Extent::Derived(blocks) };
    let first = c.fresh_name(&format!("{name}1"));
    c.ranks.push(Rank { name: first, extent, iter: form == Form::Online });
    let second = c.fresh_name(&format!("{name}0"));
    c.ranks.push(Rank { name: second, extent: Extent::Const(size), iter: false });
    if free {
        c.ranks[m.index()].extent = Extent::Derived(whole);
    }
    (m1, m0)
}

/// An accumulator of the pass.
struct State {
    /// Its tensor in the stream.
    acc: TensorId,
    base: String,
    /// Reduction inside a block.
    local: TensorId,
    /// Running value, or value over all blocks.
    total: TensorId,
    /// Where the block's coordinate stands in `local` (and in a running `total`).
    at: usize,
}

struct Tiler<'a> {
    s: &'a Stream,
    c: Cascade,
    m: RankId,
    m1: RankId,
    m0: RankId,
    form: Form,
    pass: &'a Pass,
    /// Tensor → its blocks.
    blocks: Vec<(TensorId, TensorId)>,
    states: Vec<State>,
    /// The pass is over: accumulators are read complete.
    late: bool,
}

/// Which value of a driver.
#[derive(Clone, Copy, PartialEq)]
enum When {
    /// Before the block.
    Before,
    /// What the block's elements see.
    Now,
    /// Over all blocks.
    Complete,
}

impl Tiler<'_> {
    fn stage(&mut self, g: &Stage, tiled: Option<usize>) {
        for (i, p) in g.passes.iter().enumerate() {
            if tiled == Some(i) {
                self.tile(p);
                self.late = true;
                continue;
            }
            for a in &p.accs {
                let mut n = self.s.cascade.nodes[a.node.index()].clone();
                let (fold, dom) = p.domain.iter().cloned().partition(|e| p.over.iter().any(|r| e.mentions(*r)));
                let (fold, dom): (Vec<Expr>, Vec<Expr>) = (fold, dom);
                n.fold.extend(fold);
                n.dom.extend(dom);
                self.plain(&n);
            }
        }
        for n in &g.stores {
            self.plain(&self.s.cascade.nodes[n.index()].clone());
        }
    }

    /// A node outside of the tiled pass.
    fn plain(&mut self, n: &Node) {
        let mut n = n.clone();
        n.body = self.outside(&n.body);
        n.fold = n.fold.iter().map(|e| self.outside(e)).collect();
        n.dom = n.dom.iter().map(|e| self.outside(e)).collect();
        self.c.nodes.push(n);
    }

    /// Reads of accumulators become reads of complete values; inline nodes follow along.
    fn outside(&mut self, e: &Expr) -> Expr {
        for t in e.reads() {
            self.need(t);
        }
        if self.late { self.drivers(e, When::Complete) } else { e.clone() }
    }

    /// Defines an inline node as it is.
    fn need(&mut self, t: TensorId) {
        if self.s.place(t) != Place::Inline || self.c.nodes.iter().any(|n| n.out == t) {
            return;
        }
        if let Some(n) = self.s.cascade.def(t).cloned() {
            self.plain(&n);
        }
    }

    fn drivers(&self, e: &Expr, when: When) -> Expr {
        match e.map_children(&mut |x| self.drivers(x, when)) {
            Expr::Read(t, idx) => match self.states.iter().find(|s| s.acc == t) {
                Some(s) => self.value(s, idx, when),
                None => Expr::Read(t, idx),
            },
            e => e,
        }
    }

    /// A value of an accumulator at an index without the block's coordinate.
    fn value(&self, s: &State, mut idx: Vec<Expr>, when: When) -> Expr {
        let block = Expr::Var(self.m1);
        let next = Expr::bin(BinOp::Add, block.clone(), Expr::Int(1));
        match (self.form, when) {
            (Form::Online, When::Before) => idx.insert(s.at, block),
            (Form::Online, When::Now) => idx.insert(s.at, next),
            (Form::Online, When::Complete) => idx.insert(s.at, Expr::Extent(self.m1)),
            (Form::Split, When::Complete) => {}
            (Form::Split, When::Before | When::Now) => {
                idx.insert(s.at, block);
                return Expr::Read(s.local, idx);
            }
        }
        Expr::Read(s.total, idx)
    }

    fn tile(&mut self, p: &Pass) {
        let old: Vec<Node> = p.accs.iter().map(|a| self.s.cascade.nodes[a.node.index()].clone()).collect();
        for (a, n) in p.accs.iter().zip(&old) {
            self.declare(a, n);
        }
        if self.form == Form::Online {
            for (a, n) in p.accs.iter().zip(&old) {
                self.init(a, n);
            }
        }
        let all: Vec<(&Acc, &Node)> = p.accs.iter().zip(&old).collect();
        let (driven, plain): (Vec<_>, Vec<_>) = all.into_iter().partition(|(a, _)| a.repair.is_some());
        for (a, n) in &plain {
            let body = self.block(&n.body);
            self.local(n, body);
            self.total(a, n, None);
        }
        driven.iter().for_each(|(_, n)| self.driven_local(n));
        let factors: Vec<_> = driven.iter().map(|(a, n)| self.factor(a, n)).collect();
        for ((a, n), factor) in driven.iter().zip(factors) {
            self.total(a, n, factor);
        }
    }

    /// The block's coordinate stands before the first grid rank.
    fn declare(&mut self, a: &Acc, n: &Node) {
        let base = self.base(a, n);
        let grid: Vec<RankId> =
            self.s.stages.iter().find(|g| g.passes.contains(self.pass)).map_or(vec![], |g| g.grid.clone());
        let at = n.out_ranks().iter().position(|r| grid.contains(r)).unwrap_or(0);
        let (local, total) = match (self.form, a.repair.is_some()) {
            (Form::Online, false) => ("L", "R"),
            (Form::Online, true) => ("SL", "R"),
            (Form::Split, false) => ("L", "G"),
            (Form::Split, true) => ("SL", "S"),
        };
        let generations = Expr::bin(BinOp::Add, Expr::Extent(self.m1), Expr::Int(1));
        let span = (self.form == Form::Online).then_some((at, generations));
        let local = self.like(n.out, &format!("{local}{base}"), Some((at, Expr::Extent(self.m1))));
        let total = self.like(n.out, &format!("{total}{base}"), span);
        self.states.push(State { acc: n.out, base, local, total, at });
    }

    fn base(&self, a: &Acc, n: &Node) -> String {
        let base = match n.reduce.as_ref().map(|r| r.op) {
            Some(RedOp::Max) => "M".to_string(),
            Some(RedOp::Min) => "MI".to_string(),
            _ => {
                let (_, rest) = self.shared(n);
                let rest: Vec<TensorId> = rest.iter().flat_map(Expr::reads).collect();
                let names: String = rest.iter().map(|t| self.s.cascade.tensor(*t).name.to_uppercase()).collect();
                if names.is_empty() || a.repair.is_none() && rest.len() > 2 {
                    "D".to_string()
                } else {
                    format!("N{names}")
                }
            }
        };
        let taken = |b: &str| self.states.iter().any(|s| s.base == b);
        let numbered = (2..).map(|i| format!("{base}{i}"));
        std::iter::once(base.clone()).chain(numbered).find(|b| !taken(b)).unwrap_or(base)
    }

    fn like(&mut self, t: TensorId, name: &str, span: Option<(usize, Expr)>) -> TensorId {
        let old = self.s.cascade.tensor(t).clone();
        let mut dims = old.dims;
        if let Some((at, n)) = span {
            dims.insert(at, n);
        }
        let (name, facts) = (self.c.fresh_name(name), Default::default());
        let dtype = if old.dtype.is_float() { DType::F32 } else { old.dtype };
        self.c.add_tensor(Tensor { name, dtype, dims, kind: TensorKind::Let, empty: 0.0, facts, table: None })
    }

    fn state(&self, n: &Node) -> Option<&State> {
        self.states.iter().find(|s| s.acc == n.out)
    }

    fn init(&mut self, a: &Acc, n: &Node) {
        let Some(s) = self.state(n) else { return };
        let identity = n.reduce.as_ref().and_then(|r| r.op.identity()).unwrap_or(0.0);
        let mut vars = n.vars.clone();
        vars.insert(s.at, OutIdx::At(Expr::Int(0)));
        let start = |e: &Expr| self.start(e);
        let body = a.init.as_ref().map_or(Expr::Float(identity), start);
        let out = s.total;
        self.push(out, vars, None, body, vec![], n);
    }

    /// An initial value reads the initial values of the drivers.
    fn start(&self, e: &Expr) -> Expr {
        match e.map_children(&mut |x| self.start(x)) {
            Expr::Read(t, mut idx) => match self.states.iter().find(|s| s.acc == t) {
                Some(s) => {
                    idx.insert(s.at, Expr::Int(0));
                    Expr::Read(s.total, idx)
                }
                None => Expr::Read(t, idx),
            },
            e => e,
        }
    }

    fn push(&mut self, out: TensorId, vars: Vec<OutIdx>, op: Option<RedOp>, body: Expr, fold: Vec<Expr>, n: &Node) {
        let acc = n.reduce.as_ref().map_or(DType::F32, |r| r.acc);
        let reduce = op.map(|op| Reduce { op, over: vec![self.m0], acc, slot: None });
        let origin = Origin { stmt: n.origin.stmt.clone(), ..Origin::default() };
        self.c.nodes.push(Node { out, vars, reduce, body, fold, dom: vec![], origin });
    }

    /// Where an element counts, inside a block.
    fn conjuncts(&mut self, n: &Node) -> Vec<Expr> {
        let all: Vec<Expr> = self.pass.domain.iter().chain(&n.fold).chain(&n.dom).cloned().collect();
        all.iter().map(|e| self.block(e)).collect()
    }

    fn local(&mut self, n: &Node, body: Expr) {
        let fold = self.conjuncts(n);
        let Some(s) = self.state(n) else { return };
        let (out, at) = (s.local, s.at);
        let mut vars = n.vars.clone();
        vars.insert(at, OutIdx::Var(self.m1));
        let (fold, dom) = fold.into_iter().partition(|e| e.mentions(self.m0));
        self.push(out, vars, n.reduce.as_ref().map(|r| r.op), body, fold, n);
        if let Some(n) = self.c.nodes.last_mut() {
            n.dom = dom;
        }
    }

    /// Factors of the body that follow the drivers, and the others.
    fn shared(&self, n: &Node) -> (Vec<Expr>, Vec<Expr>) {
        let accs: Vec<TensorId> = self.pass.accs.iter().map(|a| self.s.cascade.nodes[a.node.index()].out).collect();
        let is_sum = n.reduce.as_ref().is_some_and(|r| r.op == RedOp::Sum);
        let factors = if is_sum { factors(&n.body) } else { vec![n.body.clone()] };
        factors.into_iter().partition(|e| e.reads().iter().any(|t| accs.contains(t)))
    }

    /// A reduction inside a block under the running drivers, through the map that accumulators share.
    fn driven_local(&mut self, n: &Node) {
        let (own, rest) = self.shared(n);
        let times = |a, b| Expr::bin(BinOp::Mul, a, b);
        let Some(own) = own.into_iter().reduce(times) else {
            let body = self.block(&n.body);
            return self.local(n, body);
        };
        let map = self.block(&own);
        let map = self.shared_map(map, n);
        let rest: Vec<Expr> = rest.iter().map(|e| self.block(e)).collect();
        if let Some(body) = std::iter::once(map).chain(rest).reduce(times) {
            self.local(n, body);
        }
    }

    fn shared_map(&mut self, body: Expr, n: &Node) -> Expr {
        let ranks = ranks_in(&body);
        let grid = n.out_ranks().into_iter().filter(|r| ranks.contains(r));
        let vars: Vec<RankId> = [self.m1, self.m0].into_iter().chain(grid).collect();
        let read = |t| Expr::Read(t, vars.iter().map(|r| Expr::Var(*r)).collect());
        let left: Vec<OutIdx> = vars.iter().map(|r| OutIdx::Var(*r)).collect();
        let dom: Vec<Expr> =
            self.conjuncts(n).into_iter().filter(|e| ranks_in(e).iter().all(|r| vars.contains(r))).collect();
        let known = self.c.nodes.iter().find(|m| m.body == body && m.vars == left && m.dom == dom).map(|m| m.out);
        if let Some(t) = known {
            return read(t);
        }
        let dims = vars.iter().map(|r| Expr::Extent(*r)).collect();
        let (name, facts) = (self.c.fresh_name("SLN"), Default::default());
        let kind = TensorKind::Let;
        let t = self.c.add_tensor(Tensor { name, dtype: DType::F32, dims, kind, empty: 0.0, facts, table: None });
        self.push(t, left, None, body, vec![], n);
        if let Some(n) = self.c.nodes.last_mut() {
            n.dom = dom;
        }
        read(t)
    }

    /// The factor (or shift) that moves a value to the new drivers: defined once, read by all that share it.
    fn factor(&mut self, a: &Acc, n: &Node) -> Option<(bool, Expr)> {
        let r = a.repair.as_ref()?;
        let (from, to) = match self.form {
            Form::Online => (When::Before, When::Now),
            Form::Split => (When::Now, When::Complete),
        };
        let (old, new) = (self.drivers(r.expr(), from), self.drivers(r.expr(), to));
        let body = match r {
            Repair::MulExp { base2, .. } => {
                Expr::un(if *base2 { UnOp::Exp2 } else { UnOp::Exp }, difference(&new, &old))
            }
            Repair::MulRatio { .. } => Expr::bin(BinOp::Div, new.clone(), old.clone()),
            Repair::Add { .. } => difference(&new, &old),
        };
        let adds = matches!(r, Repair::Add { .. });
        let body = self.guarded(body, r.expr(), n, adds);
        let bases: String = r
            .expr()
            .reads()
            .iter()
            .filter_map(|t| self.states.iter().find(|s| s.acc == *t))
            .map(|s| s.base.clone())
            .collect();
        let ranks = ranks_in(&body);
        let mut vars: Vec<RankId> = n.out_ranks().into_iter().filter(|r| ranks.contains(r)).collect();
        vars.insert(0, self.m1);
        let read = |t| Expr::Read(t, vars.iter().map(|r| Expr::Var(*r)).collect());
        let left: Vec<OutIdx> = vars.iter().map(|r| OutIdx::Var(*r)).collect();
        if let Some(m) = self.c.nodes.iter().find(|m| m.body == body && m.vars == left) {
            return Some((adds, read(m.out)));
        }
        let dims = vars.iter().map(|r| Expr::Extent(*r)).collect();
        let prefix = if self.form == Form::Online { "PR" } else { "PL" };
        let (name, facts) = (self.c.fresh_name(&format!("{prefix}{bases}")), Default::default());
        let kind = TensorKind::Let;
        let t = self.c.add_tensor(Tensor { name, dtype: DType::F32, dims, kind, empty: 0.0, facts, table: None });
        self.push(t, left, None, body, vec![], n);
        Some((adds, read(t)))
    }

    /// With masks a block may be empty: while a driver has seen nothing there is nothing to move.
    fn guarded(&self, body: Expr, e: &Expr, n: &Node, adds: bool) -> Expr {
        if self.pass.domain.is_empty() && n.fold.is_empty() && n.dom.is_empty() {
            return body;
        }
        let mut seen: Vec<Expr> = vec![];
        e.walk(&mut |x| {
            let Expr::Read(t, _) = x else { return };
            let op = self.s.cascade.def(*t).and_then(|n| n.reduce.as_ref()).map(|r| r.op);
            let now = self.drivers(x, When::Now);
            match op.filter(|_| self.states.iter().any(|s| s.acc == *t)) {
                Some(RedOp::Max) => seen.push(Expr::bin(BinOp::Gt, now, Expr::Float(f64::NEG_INFINITY))),
                Some(RedOp::Min) => seen.push(Expr::bin(BinOp::Lt, now, Expr::Float(f64::INFINITY))),
                _ => {}
            }
        });
        match seen.into_iter().reduce(|a, b| Expr::bin(BinOp::And, a, b)) {
            Some(c) => Expr::select(c, body, Expr::Float(if adds { 0.0 } else { 1.0 })),
            None => body,
        }
    }

    /// `RX[m1+1] = SLX ⊕ SPX`, or `SX = ⊕ SLX · PL`.
    fn total(&mut self, a: &Acc, n: &Node, factor: Option<(bool, Expr)>) {
        let Some(s) = self.state(n) else { return };
        let (local, total, at, base) = (s.local, s.total, s.at, s.base.clone());
        let op = n.reduce.as_ref().map_or(RedOp::Sum, |r| r.op);
        let own: Vec<Expr> = n.out_ranks().into_iter().map(Expr::Var).collect();
        let block = self.m1;
        let here = |t: TensorId| {
            let mut idx = own.clone();
            idx.insert(at, Expr::Var(block));
            Expr::Read(t, idx)
        };
        let moved = |e: Expr| match &factor {
            Some((true, f)) => Expr::bin(BinOp::Add, e, f.clone()),
            Some((false, f)) => Expr::bin(BinOp::Mul, e, f.clone()),
            None => e,
        };
        let mut vars = n.vars.clone();
        if self.form == Form::Split {
            return self.combine(a, n, total, moved(here(local)));
        }
        let mut before = here(total);
        if factor.is_some() {
            let body = moved(before);
            let span = Some((at, Expr::Extent(self.m1)));
            let sp = self.like(n.out, &format!("SP{base}"), span);
            let mut vars = n.vars.clone();
            vars.insert(at, OutIdx::Var(self.m1));
            before = here(sp);
            self.push(sp, vars, None, body, vec![], n);
        }
        vars.insert(at, OutIdx::Next(self.m1));
        let (first, second) = if factor.is_some() { (here(local), before) } else { (before, here(local)) };
        let body = Expr::bin(op.binary().unwrap_or(BinOp::Add), first, second);
        self.push(total, vars, None, body, vec![], n);
    }

    /// All blocks of the split form at once; the initial value, for the final drivers, joins them here.
    fn combine(&mut self, a: &Acc, n: &Node, total: TensorId, body: Expr) {
        let name = self.c.tensor(total).name.clone();
        let all = if a.init.is_some() { self.like(n.out, &format!("A{name}"), None) } else { total };
        let op = n.reduce.as_ref().map_or(RedOp::Sum, |r| r.op);
        self.push(all, n.vars.clone(), Some(op), body, vec![], n);
        if let Some(r) = self.c.nodes.last_mut().and_then(|n| n.reduce.as_mut()) {
            r.over = vec![self.m1];
        }
        let (Some(init), Some(join)) = (&a.init, op.binary()) else { return };
        let init = self.drivers(init, When::Complete);
        let own = Expr::Read(all, n.out_ranks().into_iter().map(Expr::Var).collect());
        self.push(total, n.vars.clone(), None, Expr::bin(join, own, init), vec![], n);
    }

    /// An expression of the pass inside a block.
    fn block(&mut self, e: &Expr) -> Expr {
        let e = match e {
            Expr::Var(r) if *r == self.m => return self.position(),
            Expr::Read(t, idx) if idx.contains(&Expr::Var(self.m)) => {
                if let Some(b) = self.blocked(*t, idx) {
                    let split = |e: &Expr| {
                        if *e == Expr::Var(self.m) {
                            vec![Expr::Var(self.m1), Expr::Var(self.m0)]
                        } else {
                            vec![e.clone()]
                        }
                    };
                    return Expr::Read(b, idx.iter().flat_map(split).collect());
                }
                self.need(*t);
                e.map_children(&mut |x| self.block(x))
            }
            Expr::Read(t, _) => {
                self.need(*t);
                e.map_children(&mut |x| self.block(x))
            }
            _ => e.map_children(&mut |x| self.block(x)),
        };
        let top = matches!(&e, Expr::Read(t, _) if self.states.iter().any(|s| s.acc == *t));
        if top { self.drivers(&e, When::Now) } else { e }
    }

    /// The coordinate of the streamed rank.
    fn position(&self) -> Expr {
        let start = Expr::bin(BinOp::Mul, Expr::Var(self.m1), Expr::Extent(self.m0));
        Expr::bin(BinOp::Add, start, Expr::Var(self.m0))
    }

    /// The blocks of a tensor that is read at distinct variables, the streamed one among them.
    fn blocked(&mut self, t: TensorId, idx: &[Expr]) -> Option<TensorId> {
        if let Some((_, b)) = self.blocks.iter().find(|(a, _)| *a == t) {
            return Some(*b);
        }
        let mut vars = vec![];
        for e in idx {
            match e {
                Expr::Var(r) if !vars.contains(r) => vars.push(*r),
                _ => return None,
            }
        }
        let n = self.s.cascade.def(t).filter(|_| self.s.place(t) == Place::Inline).cloned();
        if n.as_ref().is_some_and(|n| n.out_ranks() != vars) {
            return None;
        }
        let at = vars.iter().position(|r| *r == self.m)?;
        let split = |r: RankId| if r == self.m { vec![self.m1, self.m0] } else { vec![r] };
        let ranks: Vec<RankId> = vars.iter().flat_map(|r| split(*r)).collect();
        let mut dims = self.c.tensor(t).dims.clone();
        dims.splice(at..=at, [Expr::Extent(self.m1), Expr::Extent(self.m0)]);
        let old = self.c.tensor(t).clone();
        let lower = old.name.starts_with(|c: char| c.is_lowercase());
        let name = self.c.fresh_name(&format!("{}{}", if lower { 'b' } else { 'B' }, old.name));
        let b = self.c.add_tensor(Tensor { name, dims, kind: TensorKind::Let, empty: 0.0, table: None, ..old });
        self.blocks.push((t, b));
        let left = ranks.iter().map(|r| OutIdx::Var(*r)).collect();
        let node = match n {
            None => {
                let from = vars.iter().map(|r| if *r == self.m { self.position() } else { Expr::Var(*r) }).collect();
                let body = Expr::Read(t, from);
                Node { out: b, vars: left, reduce: None, body, fold: vec![], dom: vec![], origin: Origin::default() }
            }
            Some(n) => Node {
                out: b,
                vars: left,
                body: self.block(&n.body),
                fold: n.fold.iter().map(|e| self.block(e)).collect(),
                dom: n.dom.iter().map(|e| self.block(e)).collect(),
                ..n
            },
        };
        self.c.nodes.push(node);
        Some(b)
    }
}

fn ranks_in(e: &Expr) -> Vec<RankId> {
    let mut out = vec![];
    e.walk(&mut |x| {
        if let Expr::Var(r) = x
            && !out.contains(r)
        {
            out.push(*r);
        }
    });
    out
}

fn factors(e: &Expr) -> Vec<Expr> {
    match e {
        Expr::Binary(BinOp::Mul, a, b) => [factors(a), factors(b)].concat(),
        _ => vec![e.clone()],
    }
}
