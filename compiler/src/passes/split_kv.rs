//! SPLIT-KV: cuts the streamed rank of a stage into spans that run in parallel (L2 → L2).
//!
//! The first stage has one grid point more a span: it folds the elements of its span and stores the raw accumulators.
//! The second stage streams the spans and folds the stored accumulators with the same monoid, then finishes as before:
//! `T ⊕ T_s · v(d) / v(d_s)`, with the quotient as the exponential of a difference. Initial values enter once, in the
//! second stage; a span without elements stores identities and is skipped. The span is a fixed number of elements, so
//! boundaries depend on lengths alone.

use super::{Pass, PassCx, Report, Run};
use crate::cascade::{
    Cascade, Expr, Extent, Node, NodeId, Origin, OutIdx, Rank, RankId, Reduce, Tensor, TensorId, TensorKind,
};
use crate::diag::{Code, Refusal};
use crate::schedule::{Cut, Split};
use crate::stream::{self, Acc, Place, Repair, Stage, Stream};
use crate::types::{BinOp, DType, RedOp, UnOp};

/// Applies the options of the kernel's schedule.
pub(super) static PASS: Pass = Pass {
    name: "split_kv",
    summary: "cuts a streamed rank into spans and combines their accumulators",
    post: "stages of ranks to be split are followed by a stage that combines",
    run: Run::Stream(run),
};

fn run(s: &mut Stream, cx: &PassCx) -> Result<Report, Vec<Refusal>> {
    let mut report = Report::default();
    for Split { rank, size, origin, .. } in cx.splits.iter().filter(|s| s.cut == Cut::Spans) {
        split_rank(s, rank, *size, origin).map_err(|r| vec![r])?;
        report.note(format!("SPLIT: rank `{rank}` in spans of {size}"));
    }
    Ok(report)
}

/// Splits the last stage that streams `rank`, as the entry `origin` of a schedule asks.
pub fn split_rank(s: &mut Stream, rank: &str, size: i64, origin: &Origin) -> Result<(), Refusal> {
    let no = |text: String| Refusal::new(Code::SCHEDULE, origin, text);
    let Some(r) = s.cascade.rank_by_name(rank) else {
        return Err(no(format!("`split_kv {rank}`: there is no rank `{rank}`")));
    };
    if size < 1 {
        return Err(no(format!("`split_kv {rank} = {size}`: a span has at least one element")));
    }
    let streams = |g: &Stage| g.passes.iter().filter(|p| p.over.contains(&r)).count();
    match s.stages.iter().rposition(|g| streams(g) > 0) {
        None => Err(no(format!("`split_kv {rank}`: no stage streams rank `{rank}`"))),
        Some(i) if streams(&s.stages[i]) > 1 => {
            let name = &s.stages[i].name;
            Err(no(format!("`split_kv {rank}`: stage `{name}` makes {} passes over it", streams(&s.stages[i]))))
        }
        Some(i) if s.stages[i].scan.is_some() => {
            Err(no(format!("`split_kv {rank}`: stage `{}` steps through a recurrence", s.stages[i].name)))
        }
        Some(i) => match unsplittable(s, i, r) {
            Some(t) => Err(no(format!("`split_kv {rank}`: `{t}` is no sum, maximum or minimum of all elements"))),
            None => {
                split(s, i, r, size);
                Ok(())
            }
        },
    }
}

/// An accumulator whose operator does not combine.
fn unsplittable(s: &Stream, stage: usize, r: RankId) -> Option<String> {
    let accs = s.stages[stage].passes.iter().filter(|p| p.over.contains(&r)).flat_map(|p| &p.accs);
    let nodes = accs.map(|a| &s.cascade.nodes[a.node.index()]);
    let bad = |n: &&Node| n.reduce.as_ref().is_none_or(|x| x.op.identity().is_none());
    nodes.into_iter().find(bad).map(|n| s.cascade.tensor(n.out).name.clone())
}

struct Splitter<'a> {
    s: &'a mut Stream,
    /// Rank of the spans.
    spans: RankId,
    /// Accumulator → its partial accumulator in the first stage.
    partial: Vec<(TensorId, TensorId)>,
    /// Accumulator → its partial values in memory.
    stored: Vec<(TensorId, TensorId)>,
    /// Inline tensor → its copy over partial accumulators.
    copies: Vec<(TensorId, TensorId)>,
}

fn split(s: &mut Stream, stage: usize, r: RankId, size: i64) {
    let spans = add_spans(&mut s.cascade, r, size);
    let k = s.stages[stage].passes.iter().position(|p| p.over.contains(&r)).unwrap_or(0);
    let mut sp = Splitter { s, spans, partial: vec![], stored: vec![], copies: vec![] };
    let first = sp.first_stage(stage, k, r, size);
    sp.second_stage(stage, k);
    sp.s.stages.insert(stage, first);
    prune(sp.s, stage + 1);
    reorder(sp.s);
}

/// The rank of the spans: ⌈extent / size⌉.
fn add_spans(c: &mut Cascade, r: RankId, size: i64) -> RankId {
    let base = format!("{}1", c.ranks[r.index()].name);
    let lower = |c: &Cascade, n: &str| {
        let l = n.to_lowercase();
        c.tensors.iter().any(|t| t.name == l) || c.scalars.iter().any(|s| s.name == l)
    };
    let mut name = c.fresh_name(&base);
    let mut i = 1;
    while lower(c, &name) || c.ranks.iter().any(|x| x.name.eq_ignore_ascii_case(&name)) {
        i += 1;
        name = c.fresh_name(&format!("{base}_{i}"));
    }
    let up = Expr::bin(BinOp::Add, Expr::Extent(r), Expr::Int(size - 1));
    let extent = Extent::Derived(Expr::bin(BinOp::FloorDiv, up, Expr::Int(size)));
    c.ranks.push(Rank { name, extent, iter: false });
    RankId(c.ranks.len() as u32 - 1)
}

impl Splitter<'_> {
    /// Everything up to the split pass, for the elements of one span.
    fn first_stage(&mut self, stage: usize, k: usize, r: RankId, size: i64) -> Stage {
        let old = self.s.stages[stage].clone();
        let mut passes = vec![];
        for (i, p) in old.passes[..=k].iter().enumerate() {
            for a in &p.accs {
                let t = self.s.cascade.nodes[a.node.index()].out;
                let copy = self.add_tensor(t, "part", i == k);
                self.s.places[copy.index()] = Place::State;
                self.partial.push((t, copy));
            }
            let mut accs = vec![];
            for a in &p.accs {
                accs.push(self.partial_acc(a, i == k));
            }
            let domain = p.domain.iter().map(|e| self.redirect(e)).collect();
            passes.push(stream::Pass { over: p.over.clone(), domain, accs });
        }
        let start = Expr::bin(BinOp::Mul, Expr::Var(self.spans), Expr::Int(size));
        let end = Expr::bin(BinOp::Add, start.clone(), Expr::Int(size));
        passes[k].domain.push(Expr::bin(BinOp::Le, start, Expr::Var(r)));
        passes[k].domain.push(Expr::bin(BinOp::Lt, Expr::Var(r), end));
        let stores: Vec<NodeId> = old.passes[k].accs.iter().map(|a| self.store_partial(a)).collect();
        let grid = [vec![self.spans], old.grid].concat();
        let name = stores
            .first()
            .map_or(String::new(), |n| self.s.cascade.tensor(self.s.cascade.nodes[n.index()].out).name.clone());
        Stage { name, grid, passes, scan: None, stores }
    }

    /// A tensor like `t`, in f32 at least, with the rank of the spans in front.
    fn add_tensor(&mut self, t: TensorId, suffix: &str, spanned: bool) -> TensorId {
        let c = &mut self.s.cascade;
        let old = c.tensor(t).clone();
        let name = c.fresh_name(&format!("{}_{suffix}", old.name));
        let span = spanned.then_some(Expr::Extent(self.spans));
        let dims = span.into_iter().chain(old.dims).collect();
        let narrow = old.dtype.is_float() && old.dtype.bytes() < 4;
        let dtype = if narrow { DType::F32 } else { old.dtype };
        let facts = Default::default();
        let id = c.add_tensor(Tensor { name, dtype, dims, kind: TensorKind::Let, empty: 0.0, facts, table: None });
        self.s.places.push(Place::Memory);
        id
    }

    /// Reads of accumulators become reads of the partial ones; inline nodes that read some are copied.
    fn redirect(&mut self, e: &Expr) -> Expr {
        let e = {
            let mut go = |x: &Expr| self.redirect(x);
            e.map_children(&mut go)
        };
        let Expr::Read(t, idx) = e else { return e };
        if let Some((_, to)) = self.partial.iter().find(|(a, _)| *a == t) {
            let spanned = self.s.cascade.tensor(*to).dims.len() > idx.len();
            let span = spanned.then_some(Expr::Var(self.spans));
            return Expr::Read(*to, span.into_iter().chain(idx).collect());
        }
        match self.s.cascade.def(t).cloned() {
            Some(n) if self.s.place(t) == Place::Inline && self.reads_partial(&n) => self.copy_inline(t, &n, idx),
            _ => Expr::Read(t, idx),
        }
    }

    fn reads_partial(&self, n: &Node) -> bool {
        n.exprs().flat_map(Expr::reads).any(|t| {
            self.partial.iter().any(|(a, _)| *a == t)
                || self.s.place(t) == Place::Inline && self.s.cascade.def(t).is_some_and(|n| self.reads_partial(n))
        })
    }

    fn copy_inline(&mut self, t: TensorId, n: &Node, idx: Vec<Expr>) -> Expr {
        let known = self.copies.iter().find(|(a, _)| *a == t).map(|(_, copy)| *copy);
        let copy = known.unwrap_or_else(|| {
            let copy = self.add_tensor(t, "part", true);
            self.s.places[copy.index()] = Place::Inline;
            self.copies.push((t, copy));
            let n = self.redirect_node(n, copy, true);
            self.s.cascade.nodes.push(n);
            copy
        });
        Expr::Read(copy, std::iter::once(Expr::Var(self.spans)).chain(idx).collect())
    }

    fn redirect_node(&mut self, n: &Node, out: TensorId, spanned: bool) -> Node {
        let span = spanned.then_some(OutIdx::Var(self.spans));
        let vars = span.into_iter().chain(n.vars.clone()).collect();
        let body = self.redirect(&n.body);
        let fold = n.fold.iter().map(|e| self.redirect(e)).collect();
        let dom = n.dom.iter().map(|e| self.redirect(e)).collect();
        Node { out, vars, body, fold, dom, reduce: n.reduce.clone(), origin: n.origin.clone() }
    }

    fn partial_acc(&mut self, a: &Acc, spanned: bool) -> Acc {
        let n = self.s.cascade.nodes[a.node.index()].clone();
        let to = self.partial.iter().find(|(t, _)| *t == n.out).map_or(n.out, |(_, to)| *to);
        let n = self.redirect_node(&n, to, spanned);
        let repair = a.repair.as_ref().map(|r| r.map(&mut |e| self.redirect(e)));
        // Initial values of the split pass enter in the second stage.
        let init = if spanned { None } else { a.init.as_ref().map(|e| self.redirect(e)) };
        Acc { node: self.push(n), repair, init }
    }

    fn push(&mut self, n: Node) -> NodeId {
        self.s.cascade.nodes.push(n);
        NodeId(self.s.cascade.nodes.len() as u32 - 1)
    }

    fn store_partial(&mut self, a: &Acc) -> NodeId {
        let n = self.s.cascade.nodes[a.node.index()].clone();
        let memory = self.add_tensor(n.out, "span", true);
        self.stored.push((n.out, memory));
        let own = Expr::Read(n.out, n.out_ranks().into_iter().map(Expr::Var).collect());
        let body = self.redirect(&own);
        let vars = std::iter::once(self.spans).chain(n.out_ranks()).map(OutIdx::Var).collect();
        self.push(Node { out: memory, vars, reduce: None, body, fold: vec![], dom: vec![], origin: n.origin })
    }

    /// Reads of accumulators become reads of the values that a span stored.
    fn at_span(&self, e: &Expr) -> Expr {
        match e.map_children(&mut |x| self.at_span(x)) {
            Expr::Read(t, idx) => match self.stored.iter().find(|(a, _)| *a == t) {
                Some((_, m)) => Expr::Read(*m, std::iter::once(Expr::Var(self.spans)).chain(idx).collect()),
                None => Expr::Read(t, idx),
            },
            e => e,
        }
    }

    fn second_stage(&mut self, stage: usize, k: usize) {
        let old = self.s.stages[stage].passes[k].clone();
        for a in &old.accs {
            let n = &self.s.cascade.nodes[a.node.index()];
            let own = Expr::Read(n.out, n.out_ranks().into_iter().map(Expr::Var).collect());
            let op = n.reduce.as_ref().map_or(RedOp::Sum, |r| r.op);
            let body = self.combine(a, op, self.at_span(&own));
            let acc = n.reduce.as_ref().map_or(DType::F32, |r| r.acc);
            let n = &mut self.s.cascade.nodes[a.node.index()];
            n.body = body;
            n.fold.clear();
            n.reduce = Some(Reduce { op, over: vec![self.spans], acc, slot: None });
        }
        let row = |e: &&Expr| !old.over.iter().any(|r| e.mentions(*r));
        let domain = old.domain.iter().filter(row).cloned().collect();
        self.s.stages[stage].passes[k] = stream::Pass { over: vec![self.spans], domain, accs: old.accs };
    }

    /// What a span contributes, moved to the running drivers.
    fn combine(&self, a: &Acc, op: RedOp, value: Expr) -> Expr {
        let Some(r) = &a.repair else { return value };
        let (now, then) = (r.expr().clone(), self.at_span(r.expr()));
        let moved = match r {
            Repair::MulExp { base2, .. } => {
                let exp = if *base2 { UnOp::Exp2 } else { UnOp::Exp };
                Expr::bin(BinOp::Mul, value, Expr::un(exp, Expr::bin(BinOp::Sub, now, then)))
            }
            Repair::MulRatio { .. } => Expr::bin(BinOp::Mul, value, Expr::bin(BinOp::Div, now, then)),
            Repair::Add { .. } => Expr::bin(BinOp::Add, value, Expr::bin(BinOp::Sub, now, then)),
        };
        let identity = op.identity().unwrap_or(0.0);
        match self.nonempty(r) {
            Some(c) => Expr::select(c, moved, Expr::Float(identity)),
            None => moved,
        }
    }

    /// Every driver of a repair has seen an element of the span.
    fn nonempty(&self, r: &Repair) -> Option<Expr> {
        let mut all = vec![];
        r.expr().walk(&mut |e| {
            let Expr::Read(t, _) = e else { return };
            let op = self.s.cascade.def(*t).and_then(|n| n.reduce.as_ref()).map(|r| r.op);
            let seen = match op.filter(|_| self.stored.iter().any(|(a, _)| a == t)) {
                Some(RedOp::Max) => Expr::bin(BinOp::Gt, self.at_span(e), Expr::Float(f64::NEG_INFINITY)),
                Some(RedOp::Min) => Expr::bin(BinOp::Lt, self.at_span(e), Expr::Float(f64::INFINITY)),
                _ => return,
            };
            if !all.contains(&seen) {
                all.push(seen);
            }
        });
        all.into_iter().reduce(|a, b| Expr::bin(BinOp::And, a, b))
    }
}

/// Drops what only the split pass needed: accumulators of the stage, inline nodes.
fn prune(s: &mut Stream, stage: usize) {
    loop {
        let read = read_by(s, &s.stages[stage]);
        let g = &mut s.stages[stage];
        let accs = g.passes.iter().flat_map(|p| &p.accs);
        let out = |a: &Acc| s.cascade.nodes[a.node.index()].out;
        let Some(t) = accs.map(out).find(|t| !read.contains(t)) else { break };
        s.places[t.index()] = Place::Dead;
        g.passes.iter_mut().for_each(|p| p.accs.retain(|a| s.cascade.nodes[a.node.index()].out != t));
        g.passes.retain(|p| !p.accs.is_empty());
    }
    let read: Vec<TensorId> = s.stages.iter().flat_map(|g| read_by(s, g)).collect();
    for (i, p) in s.places.iter_mut().enumerate() {
        if *p == Place::Inline && !read.contains(&TensorId(i as u32)) {
            *p = Place::Dead;
        }
    }
}

/// Tensors that a stage reads, through inline nodes.
fn read_by(s: &Stream, g: &Stage) -> Vec<TensorId> {
    let mut read = vec![];
    let accs = g.passes.iter().flat_map(|p| &p.accs);
    let nodes = g.nodes();
    let own = accs.flat_map(|a| a.repair.iter().map(Repair::expr).chain(&a.init));
    let domains = g.passes.iter().flat_map(|p| &p.domain);
    let exprs = nodes.flat_map(|n| s.cascade.nodes[n.index()].exprs()).chain(own).chain(domains);
    exprs.for_each(|e| reach(s, e, &mut read));
    read
}

/// Tensors that an expression reads, through inline nodes.
fn reach(s: &Stream, e: &Expr, out: &mut Vec<TensorId>) {
    for t in e.reads() {
        if !out.contains(&t) {
            out.push(t);
        }
        if let (Place::Inline, Some(n)) = (s.place(t), s.cascade.def(t)) {
            n.exprs().for_each(|e| reach(s, e, out));
        }
    }
}

/// Puts the nodes into an order in which every read is defined, and renumbers the stages.
fn reorder(s: &mut Stream) {
    let live = |n: &Node| s.places[n.out.index()] != Place::Dead;
    let n = s.cascade.nodes.iter().filter(|n| live(n)).count();
    let mut order: Vec<usize> = vec![];
    while order.len() < n {
        let defined = |t: TensorId| {
            let def = s.cascade.nodes.iter().position(|m| m.out == t);
            def.is_none_or(|d| order.contains(&d))
        };
        let all = |n: &Node| live(n) && n.exprs().flat_map(Expr::reads).all(defined);
        let ready = |i: &usize| !order.contains(i) && all(&s.cascade.nodes[*i]);
        let Some(next) = (0..s.cascade.nodes.len()).find(ready) else { return };
        order.push(next);
    }
    let to = |id: NodeId| NodeId(order.iter().position(|i| *i == id.index()).unwrap_or(id.index()) as u32);
    for g in &mut s.stages {
        g.stores.iter_mut().for_each(|n| *n = to(*n));
        g.passes.iter_mut().flat_map(|p| &mut p.accs).for_each(|a| a.node = to(a.node));
    }
    s.cascade.nodes = order.iter().map(|i| s.cascade.nodes[*i].clone()).collect();
}
