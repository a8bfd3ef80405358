//! CHUNK: a recurrence that is linear in its state steps by chunks of its generations (L1 → L1).
//!
//! With `S' = a S + k vᵀ` and `o = q S'`, a chunk of C steps from the state S before it gives
//!
//! ```text
//! o_i = a_0 .. a_i · (q_i S) + Σ_{j ≤ i} (q_i · k_j) a_{j+1} .. a_i · v_j        S' = a_0 .. a_{C-1} S + Σ_j a_{j+1} .. a_{C-1} k_j v_jᵀ
//! ```
//!
//! so the steps become products of matrices (classes R0 to R2: the gate does not differ along what a reader sums over).
//! Products of gates are recurrences themselves, over scalars, that start anew in every chunk: nothing is divided, no
//! logarithm is taken, and a gate of 0 is a reset. The state before a step is read by taking the gate of the step itself away.
//!
//! Assumes a verified cascade; guarantees that states which were chunked step along a rank of ⌈T / C⌉ generations.

mod form;
#[cfg(test)]
mod tests;

use super::stages::ranks_of;
use super::terms::Mono;
use super::util::{add_let, lhs, map_node, read_at, rewrite, sorted};
use super::{Pass, PassCx, Report, Run};
use crate::cascade::{Cascade, Expr, Extent, Node, Origin, OutIdx, Rank, RankId, Reduce, Tensor, TensorId};
use crate::diag::{Code, Refusal};
use crate::schedule::{Cut, Split};
use crate::types::{BinOp, DType, RedOp};
use form::{Form, Reader, key_and_value};
use std::collections::BTreeMap;

/// The pass.
pub(super) static PASS: Pass = Pass {
    name: "chunk",
    summary: "step linear recurrences by chunks of their generations",
    post: "the recurrences that the schedule names step by chunks",
    run: Run::Cascade(run),
};

/// Elements of a state from which products of matrices are worth their scores.
const LEAST_STATE: i64 = 1024;

fn run(c: &mut Cascade, cx: &PassCx) -> Result<Report, Vec<Refusal>> {
    let mut report = Report::default();
    let refusals: Vec<Refusal> = asked(cx).filter_map(|s| known(c, s).err()).collect();
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let states: Vec<(TensorId, RankId)> = c.nodes.iter().filter_map(|n| n.step().map(|(_, t, _)| (n.out, t))).collect();
    for (state, t) in states {
        let name = c.ranks[t.index()].name.clone();
        let asked = asked(cx).find(|k| k.rank == name);
        let form = Form::of(c, state);
        let size = match (asked, cx.auto_chunk, &form) {
            (Some(k), ..) => k.size,
            (None, Some(size), Ok(f)) if f.state_size(c) >= LEAST_STATE && is_long(c, t, size) => size,
            _ => continue,
        };
        match form {
            _ if size <= 1 => {}
            Ok(f) => {
                Chunker::new(c, f, size).run();
                report.note(format!("CHUNK: `{}` steps by {size} of {name}", c.tensor(state).name));
            }
            Err(why) => report.note(format!("CHUNK: `{}` steps one by one: {why}", c.tensor(state).name)),
        }
    }
    Ok(report)
}

/// The chunks that the schedule asks for.
fn asked(cx: &PassCx) -> impl Iterator<Item = &Split> {
    cx.splits.iter().filter(|s| s.cut == Cut::Chunks)
}

fn known(c: &Cascade, s: &Split) -> Result<(), Refusal> {
    let steps = c.rank_by_name(&s.rank).is_some_and(|r| c.nodes.iter().any(|n| n.step().is_some_and(|x| x.1 == r)));
    let no = || Refusal::new(Code::SCHEDULE, &s.origin, format!("`chunk {}`: no recurrence steps along it", s.rank));
    if steps { Ok(()) } else { Err(no()) }
}

/// True unless the extent is known to be shorter than two chunks.
fn is_long(c: &Cascade, t: RankId, size: i64) -> bool {
    match c.ranks[t.index()].extent {
        Extent::Const(n) => n >= 2 * size,
        Extent::Free | Extent::Derived(_) => true,
    }
}

/// Rewrites one recurrence.
struct Chunker<'a> {
    c: &'a mut Cascade,
    f: Form,
    size: i64,
    /// Rank of the chunks.
    n: RankId,
    /// Rank of the positions in a chunk whose terms are seen.
    j: RankId,
    /// Rank of the positions in a chunk from which they are seen.
    i: RankId,
    /// The state before and after chunks.
    chunks: TensorId,
    made: Vec<Node>,
    /// Products of gates, by what they span.
    products: BTreeMap<Span, TensorId>,
}

/// Which gates of a chunk a product has, seen from a generation t.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Span {
    /// From the first one up to that of t.
    Upto,
    /// From the first one to the one before t.
    Before,
    /// All after that of t.
    After,
    /// From the one after a position up to that of t.
    Between,
    /// From the one after a position to the one before t.
    Within,
}

impl<'a> Chunker<'a> {
    fn new(c: &'a mut Cascade, f: Form, size: i64) -> Self {
        let name = c.ranks[f.t.index()].name.clone();
        let up = add(Expr::Extent(f.t), Expr::Int(size - 1));
        let count = Expr::bin(BinOp::FloorDiv, up, Expr::Int(size));
        let n = add_rank(c, &format!("{name}_chunk"), Extent::Derived(count), true);
        let j = add_rank(c, &format!("{name}_in"), Extent::Const(size), false);
        let i = add_rank(c, &format!("{name}_out"), Extent::Const(size), true);
        let old = c.tensor(f.state).clone();
        let mut dims = old.dims.clone();
        dims[f.at] = add(Expr::Extent(n), Expr::Int(1));
        let chunks = c.add_tensor(Tensor { name: c.fresh_name(&format!("{}_chunk", old.name)), dims, ..old });
        Chunker { c, f, size, n, j, i, chunks, made: vec![], products: BTreeMap::new() }
    }

    fn run(mut self) {
        let (old, state) = (std::mem::take(&mut self.c.nodes), self.f.state);
        self.state();
        for (i, n) in old.iter().enumerate().filter(|(_, n)| n.out != state) {
            match self.f.readers.iter().position(|r| r.node == i) {
                Some(r) => self.reader(r, n),
                None => {
                    let n = self.last(n);
                    self.made.push(n);
                }
            }
        }
        let nodes = std::mem::take(&mut self.made);
        self.c.nodes = sorted(self.c, nodes);
    }

    /// Reads of the last generation.
    fn last(&self, n: &Node) -> Node {
        let mut n = n.clone();
        let last = if self.f.reverse { Expr::Int(0) } else { Expr::Extent(self.n) };
        map_node(&mut n, &mut |e| {
            rewrite(e, &mut |x| match x {
                Expr::Read(t, mut idx) if t == self.f.state => {
                    idx[self.f.at] = last.clone();
                    Expr::Read(self.chunks, idx)
                }
                other => other,
            })
        });
        n
    }

    /// First generation and step of the chunks' state.
    fn state(&mut self) {
        let (n, t) = (Expr::Var(self.n), self.f.t);
        let first = if self.f.reverse { Expr::Extent(self.n) } else { Expr::Int(0) };
        let init = Node { out: self.chunks, vars: self.f.left(OutIdx::At(first)), ..self.f.init.clone() };
        let (next, before) = match self.f.reverse {
            false => (OutIdx::Next(self.n), n.clone()),
            true => (OutIdx::Prev(self.n), add(n.clone(), Expr::Int(1))),
        };
        let mut body = Expr::Read(self.chunks, self.f.index(before));
        if let Some(all) = self.whole() {
            body = mul(all, body);
        }
        let here = Expr::bin(BinOp::Eq, self.chunk_of(Expr::Var(t)), n);
        let ranks = [self.f.own.clone(), vec![self.n]].concat();
        for m in self.f.source.clone() {
            let added = self.product(Span::After).into_iter().fold(m.expr(), mul);
            let sum = self.sum("gain", &ranks, t, added, vec![here.clone()], vec![]);
            body = add(body, sum);
        }
        let step = Node { out: self.chunks, vars: self.f.left(next), body, ..self.f.step.clone() };
        self.made.extend([init, step]);
    }

    /// A sum over `over` as a new intermediate, read at its own ranks.
    fn sum(&mut self, name: &str, ranks: &[RankId], over: RankId, body: Expr, fold: Vec<Expr>, dom: Vec<Expr>) -> Expr {
        self.sums(name, ranks, vec![over], body, fold, dom)
    }

    fn sums(
        &mut self,
        name: &str,
        ranks: &[RankId],
        over: Vec<RankId>,
        body: Expr,
        fold: Vec<Expr>,
        dom: Vec<Expr>,
    ) -> Expr {
        let name = format!("{}_{name}", self.c.tensor(self.f.state).name);
        let out = add_let(self.c, &name, DType::F32, ranks);
        let reduce = Some(Reduce { op: RedOp::Sum, over, acc: DType::F32, slot: None });
        self.made.push(Node { out, vars: lhs(ranks), reduce, body, fold, dom, origin: self.origin() });
        read_at(out, ranks)
    }

    fn origin(&self) -> Origin {
        self.f.step.origin.clone()
    }

    /// A node that reads the state in step: what the state before the chunk gives, and what the chunk's own terms give.
    fn reader(&mut self, r: usize, n: &Node) {
        let t = Expr::Var(self.f.t);
        let (query, inclusive, mut parts) = {
            let r = &self.f.readers[r];
            (r.query.clone(), r.inclusive, r.rest.clone())
        };
        let before = match self.f.reverse {
            false => self.chunk_of(t.clone()),
            true => add(self.chunk_of(t.clone()), Expr::Int(1)),
        };
        let (ranks, over) = (n.out_ranks(), n.reduced().to_vec());
        let old = Expr::Read(self.chunks, self.f.index(before));
        let carried = self.sums("seen", &ranks, over.clone(), mul(query, old), vec![], n.dom.clone());
        let gates = self.product(if inclusive { Span::Upto } else { Span::Before });
        let mut body = gates.into_iter().fold(carried, |e, g| mul(g, e));
        for m in self.f.source.clone() {
            let own = self.within(r, n, &m);
            body = add(body, own);
        }
        if !parts.monos.is_empty() {
            let rest = std::mem::take(&mut parts).expr();
            let rest = self.sums("rest", &ranks, over, rest, vec![], n.dom.clone());
            body = add(body, rest);
        }
        self.made.push(Node { reduce: None, body, ..n.clone() });
    }

    /// What a term of the source gives to a reader in its own chunk: scores, then the values that they weigh.
    fn within(&mut self, r: usize, n: &Node, m: &Mono) -> Expr {
        let reader: &Reader = &self.f.readers[r];
        let (key, value) = key_and_value(n, m);
        let (inclusive, query) = (reader.inclusive, reader.query.clone());
        let mut ranks = self.f.score_ranks(n, reader, m);
        let decay = self.product(if inclusive { Span::Between } else { Span::Within });
        let (t, chunk, i) = (self.f.t, Expr::Var(self.n), Expr::Var(self.i));
        let (here, there) = (self.at(chunk.clone(), self.i), self.at(chunk, self.j));
        let moved = |e: &Expr, to: &Expr| e.subst(&|x| (x == t).then(|| to.clone()));
        let mut body = moved(&query, &here);
        if !key.atoms.is_empty() {
            body = mul(body, moved(&key.expr(), &there));
        }
        if let Some(g) = decay {
            body = mul(body, moved(&g, &here));
        }
        let mut dom = vec![self.seen(inclusive, i)];
        let last = if self.f.reverse { there } else { here };
        dom.push(Expr::bin(BinOp::Lt, last, Expr::Extent(t)));
        ranks.extend([self.n, self.j, self.i]);
        let scores = self.sums("score", &ranks, n.reduced().to_vec(), body, vec![], dom);
        let (n_, i_) = (self.n, self.i);
        let scores = scores.subst(&|x| match x {
            x if x == n_ => Some(self.chunk_of(Expr::Var(t))),
            x if x == i_ => Some(self.position()),
            _ => None,
        });
        let there = self.at(self.chunk_of(Expr::Var(t)), self.j);
        let own = mul(scores, moved(&value.expr(), &there));
        let mut fold = vec![self.seen(inclusive, self.position())];
        if self.f.reverse {
            // The last chunk may be short at the end that a reverse scan starts from.
            fold.push(Expr::bin(BinOp::Lt, there, Expr::Extent(t)));
        }
        self.sum("own", &n.out_ranks(), self.j, own, fold, n.dom.clone())
    }

    /// `t / C`.
    fn chunk_of(&self, t: Expr) -> Expr {
        Expr::bin(BinOp::FloorDiv, t, Expr::Int(self.size))
    }

    /// `t mod C`.
    fn position(&self) -> Expr {
        Expr::bin(BinOp::Mod, Expr::Var(self.f.t), Expr::Int(self.size))
    }

    /// The generation at a position of a chunk.
    fn at(&self, chunk: Expr, position: RankId) -> Expr {
        add(Expr::bin(BinOp::Mul, chunk, Expr::Int(self.size)), Expr::Var(position))
    }

    /// True for the positions j whose terms the state at position i of their chunk has.
    fn seen(&self, inclusive: bool, i: Expr) -> Expr {
        let op = match (self.f.reverse, inclusive) {
            (false, true) => BinOp::Le,
            (false, false) => BinOp::Lt,
            (true, true) => BinOp::Ge,
            (true, false) => BinOp::Gt,
        };
        Expr::bin(op, Expr::Var(self.j), i)
    }

    /// The product of all gates of chunk n; `None` without gates.
    fn whole(&mut self) -> Option<Expr> {
        let start = Expr::bin(BinOp::Mul, Expr::Var(self.n), Expr::Int(self.size));
        let end = Expr::bin(BinOp::Min, add(start.clone(), Expr::Int(self.size)), Expr::Extent(self.f.t));
        let first = if self.f.reverse { Expr::bin(BinOp::Sub, end, Expr::Int(1)) } else { start };
        let rest = self.product(Span::After)?;
        let all = mul(self.f.gate.clone()?, rest);
        Some(all.subst(&|x| (x == self.f.t).then(|| first.clone())))
    }

    /// A product of gates at generation t (and position j); `None` without gates. Between two positions of a chunk, gates that
    /// do not change have the same product in every chunk: it is read at position i.
    fn product(&mut self, span: Span) -> Option<Expr> {
        let gate = self.f.gate.clone()?;
        let between = matches!(span, Span::Between | Span::Within);
        let clock = if between && !gate.mentions(self.f.t) { self.i } else { self.f.t };
        let mut ranks: Vec<RankId> = ranks_of([&gate]).into_iter().filter(|r| *r != self.f.t).collect();
        ranks.sort();
        ranks.push(clock);
        if between {
            ranks.push(self.j);
        }
        if let Some(t) = self.products.get(&span) {
            return Some(read_at(*t, &ranks));
        }
        let out = self.scan_of(span, gate, clock, &ranks);
        self.products.insert(span, out);
        Some(read_at(out, &ranks))
    }

    /// Products of gates as a recurrence over scalars, copied to memory at every generation.
    fn scan_of(&mut self, span: Span, gate: Expr, clock: RankId, ranks: &[RankId]) -> TensorId {
        // What follows a generation is known from the other end.
        let reverse = self.f.reverse != (span == Span::After);
        let (t, one) = (Expr::Var(clock), Expr::Float(1.0));
        let (before, after, next, first) = match reverse {
            false => (t.clone(), add(t.clone(), Expr::Int(1)), OutIdx::Next(clock), Expr::Int(0)),
            true => (add(t.clone(), Expr::Int(1)), t.clone(), OutIdx::Prev(clock), Expr::Extent(clock)),
        };
        let name = format!("{}_gates", self.c.tensor(self.f.state).name);
        let state = add_let(self.c, &name, DType::F32, ranks);
        let at = ranks.iter().position(|r| *r == clock).unwrap_or_default();
        self.c.tensors[state.index()].dims[at] = add(Expr::Extent(clock), Expr::Int(1));
        let read = |g: &Expr| read_at(state, ranks).subst(&|r| (r == clock).then(|| g.clone()));
        let longer = mul(gate.clone(), read(&before));
        let is = |e: Expr, i: i64| Expr::bin(BinOp::Eq, e, Expr::Int(i));
        let position = if clock == self.i { t } else { self.position() };
        let here = Expr::bin(BinOp::Eq, Expr::Var(self.j), position.clone());
        // The first generation of a chunk, as this recurrence goes, and the one before the first of the next.
        let (opens, closes) = match reverse {
            false => (0, self.size - 1),
            true => (self.size - 1, 0),
        };
        let (body, seen) = match span {
            Span::Upto => (Expr::select(is(position, opens), gate, longer), after),
            Span::Before | Span::After => (Expr::select(is(position, closes), one.clone(), longer), before),
            Span::Between => (Expr::select(here, one.clone(), longer), after),
            Span::Within => (Expr::select(here, one.clone(), longer), before),
        };
        let left = |g: OutIdx| {
            let mut out = lhs(ranks);
            out[at] = g;
            out
        };
        let node = |out, vars, body| Node {
            out,
            vars,
            reduce: None,
            body,
            fold: vec![],
            dom: vec![],
            origin: self.f.step.origin.clone(),
        };
        self.made.push(node(state, left(OutIdx::At(first)), one));
        self.made.push(node(state, left(next), body));
        let copy = node(TensorId(0), lhs(ranks), read(&seen));
        let name = format!("{}_decay", self.c.tensor(self.f.state).name);
        let out = add_let(self.c, &name, DType::F32, ranks);
        self.made.push(Node { out, ..copy });
        out
    }
}

fn add(a: Expr, b: Expr) -> Expr {
    Expr::bin(BinOp::Add, a, b)
}

fn mul(a: Expr, b: Expr) -> Expr {
    match (&a, &b) {
        (Expr::Float(1.0), _) => b,
        (_, Expr::Float(1.0)) => a,
        _ => Expr::bin(BinOp::Mul, a, b),
    }
}

/// A rank whose name, and its variable, are not taken.
fn add_rank(c: &mut Cascade, base: &str, extent: Extent, iter: bool) -> RankId {
    let taken = |name: &String| {
        let low = name.to_lowercase();
        c.fresh_name(name) != *name
            || c.tensors.iter().any(|t| t.name == low)
            || c.scalars.iter().any(|s| s.name == low)
            || c.ranks.iter().any(|r| r.name.eq_ignore_ascii_case(name))
    };
    let more = (2..).map(|i| format!("{base}_{i}"));
    let name = std::iter::once(base.to_string()).chain(more).find(|n| !taken(n)).unwrap_or_default();
    c.ranks.push(Rank { name, extent, iter });
    RankId(c.ranks.len() as u32 - 1)
}
