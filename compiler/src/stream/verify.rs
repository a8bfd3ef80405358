//! What holds for every stream between passes.
//!
//! | check | |
//! |---|---|
//! | V1 | the cascade is verified, and there is one place a tensor |
//! | V2 | a tensor is an accumulator of one stage exactly if its place is state, stored once exactly if it is an output or workspace |
//! | V3 | grid ranks are distinct; a pass streams ranks that are not in the grid; an accumulator reduces the ranks of its pass |
//! | V4 | stores are maps whose left side has all grid ranks |
//! | V5 | domains range over grid and streamed ranks; a conjunct stands in the domain or at the node, not in both |
//! | V6 | state is read in its own stage, at the grid point, and after its pass; in its own pass only by what follows it |
//! | V7 | repairs and initial values mention no streamed rank; a repair reads accumulators above it |
//! | V8 | workspace is read after the stage that stores it |
//! | V9 | a stage has passes or a scan; a carry is the init and the step of one state, both maps; generations are read when they exist |

use super::{Acc, Carry, Generation, Pass, Place, Scan, Stage, Stream};
use crate::cascade::text::{expr_text, tensor_text, var_text};
use crate::cascade::{self, Expr, Node, NodeId, OutIdx, RankId, TensorId, TensorKind};

/// Checks a stream; the errors are for developers.
pub fn verify(s: &Stream) -> Result<(), Vec<String>> {
    cascade::verify(&s.cascade)?;
    if s.places.len() != s.cascade.tensors.len() {
        return Err(vec![format!("{} places for {} tensors", s.places.len(), s.cascade.tensors.len())]);
    }
    if let Some(n) = s.stages.iter().flat_map(Stage::nodes).find(|n| n.index() >= s.cascade.nodes.len()) {
        return Err(vec![format!("there is no node {}", n.0)]);
    }
    let mut v = Verifier { s, errs: vec![], stored: vec![] };
    v.places();
    for g in &s.stages {
        v.stage(g);
    }
    if v.errs.is_empty() { Ok(()) } else { Err(v.errs) }
}

/// Nodes that define the states of a stage, one a state.
fn states(g: &Stage) -> impl Iterator<Item = &NodeId> {
    let carries = g.scan.iter().flat_map(|s| s.carries.iter().map(|c| &c.step));
    g.passes.iter().flat_map(|p| p.accs.iter().map(|a| &a.node)).chain(carries)
}

struct Verifier<'a> {
    s: &'a Stream,
    errs: Vec<String>,
    /// Workspace and outputs of the stages above.
    stored: Vec<TensorId>,
}

/// Which accumulators a node may read, and how far they are.
struct Scope<'a> {
    grid: &'a [RankId],
    complete: Vec<TensorId>,
    /// Accumulators of the same pass above the reader.
    running: Vec<TensorId>,
    /// The reader follows running values.
    follows: bool,
    /// The scan of the stage, and how far it is.
    scan: Option<(&'a Scan, Phase)>,
}

/// Where in a scan a reader stands.
#[derive(Clone, Copy, PartialEq)]
enum Phase {
    /// Before the first step.
    Init,
    /// In a step, after so many carries have moved.
    Step(usize),
    /// After the last step.
    Done,
}

impl Verifier<'_> {
    fn err(&mut self, text: impl Into<String>) {
        self.errs.push(text.into());
    }

    fn name(&self, t: TensorId) -> String {
        tensor_text(&self.s.cascade, t)
    }

    fn node(&self, n: NodeId) -> &Node {
        &self.s.cascade.nodes[n.index()]
    }

    /// V2.
    fn places(&mut self) {
        for (i, t) in self.s.cascade.tensors.iter().enumerate() {
            let id = TensorId(i as u32);
            let is = |n: &NodeId| self.s.cascade.nodes[n.index()].out == id;
            let folded = self.s.stages.iter().flat_map(states).filter(|n| is(n)).count();
            let stored = self.s.stages.iter().flat_map(Stage::stored).filter(|n| is(n)).count();
            let want = match (t.kind, self.s.place(id)) {
                (TensorKind::In | TensorKind::Table, Place::Memory) => (0, 0),
                (TensorKind::Out | TensorKind::InOut, Place::Memory) | (TensorKind::Let, Place::Memory) => (0, 1),
                (TensorKind::Let, Place::State) => (1, 0),
                (TensorKind::Let, Place::Inline | Place::Dead) => (0, 0),
                (_, p) => return self.err(format!("`{}` cannot have the place {p:?}", t.name)),
            };
            if (folded, stored) != want {
                self.err(format!("`{}` is folded {folded} times and stored {stored} times, expected {want:?}", t.name));
            }
        }
    }

    fn stage(&mut self, g: &Stage) {
        let twice = g.grid.iter().enumerate().find(|(i, r)| g.grid[..*i].contains(r));
        if let Some((_, r)) = twice {
            self.err(format!("`{}` stands twice in the grid", var_text(&self.s.cascade, *r)));
        }
        let mut scope = Scope { grid: &g.grid, complete: vec![], running: vec![], follows: false, scan: None };
        for p in &g.passes {
            self.pass(p, &mut scope);
        }
        if let Some(scan) = &g.scan {
            if !g.passes.is_empty() {
                self.err("a stage has passes and a scan");
            }
            self.scan(scan, &mut scope);
        }
        scope.follows = false;
        for n in &g.stores {
            self.store(*n, &scope);
        }
        let stores = g.stored().map(|n| self.s.cascade.nodes[n.index()].out);
        self.stored.extend(stores);
    }

    /// V9.
    fn scan<'a>(&mut self, s: &'a Scan, scope: &mut Scope<'a>) {
        if !self.s.cascade.ranks[s.rank.index()].iter || scope.grid.contains(&s.rank) {
            self.err("a scan steps through no iterative rank, or through one of the grid");
        }
        for (i, c) in s.carries.iter().enumerate() {
            self.carry(s, c);
            for (id, phase) in [(c.init, Phase::Init), (c.step, Phase::Step(i))] {
                scope.scan = Some((s, phase));
                let n = self.node(id).clone();
                let name = self.name(n.out);
                n.exprs().for_each(|e| self.reads(e, scope, &name));
            }
        }
        scope.scan = Some((s, Phase::Step(s.carries.len())));
        for id in &s.stores {
            if s.step_rank(&self.s.cascade, self.node(*id)).is_none() {
                let name = self.name(self.node(*id).out);
                self.err(format!("the step's store of `{name}` lacks the rank of its scan"));
            }
            self.store(*id, scope);
        }
        scope.scan = Some((s, Phase::Done));
    }

    fn carry(&mut self, s: &Scan, c: &Carry) {
        let (init, step) = (self.node(c.init), self.node(c.step));
        let (out, name) = (step.out, self.name(step.out));
        let next = if s.reverse { OutIdx::Prev(s.rank) } else { OutIdx::Next(s.rank) };
        let first = init.vars.iter().any(|v| matches!(v, OutIdx::At(_)));
        if init.out != out || !first || !step.vars.contains(&next) {
            self.err(format!("`{name}` is not carried from its first generation by its step"));
        } else if init.reduce.is_some() || step.reduce.is_some() {
            self.err(format!("the init or the step of `{name}` is no map"));
        }
    }

    /// V9 for one read of a state of a scan.
    fn read_carry(&mut self, t: TensorId, idx: &[Expr], s: &Scan, phase: Phase, reader: &str) {
        let moved = s.carries.iter().position(|c| self.node(c.step).out == t);
        let step = moved.map(|i| self.node(s.carries[i].step));
        let at = step.and_then(Node::step).and_then(|(i, ..)| idx.get(i));
        let exists = match (at.and_then(|e| s.generation(&self.s.cascade, e)), phase) {
            (Some(Generation::Before), Phase::Step(_)) | (Some(Generation::Last), Phase::Done) => true,
            (Some(Generation::After), Phase::Step(done)) => moved.is_some_and(|i| i < done),
            _ => false,
        };
        if !exists {
            let name = self.name(t);
            self.err(format!("`{reader}` reads a generation of `{name}` that is not there"));
        }
    }

    /// V3, V5.
    fn pass(&mut self, p: &Pass, scope: &mut Scope) {
        if p.over.is_empty() || p.over.iter().any(|r| scope.grid.contains(r)) {
            self.err("a pass streams no rank, or a rank of the grid");
        }
        for e in &p.domain {
            let known = |r: &RankId| scope.grid.contains(r) || p.over.contains(r);
            if let Some(r) = variables(e).into_iter().find(|r| !known(r)) {
                let (r, e) = (var_text(&self.s.cascade, r), expr_text(&self.s.cascade, e));
                self.err(format!("the domain conjunct `{e}` mentions `{r}`"));
            }
            self.reads(e, scope, "domain");
        }
        for a in &p.accs {
            self.acc(p, a, scope);
            scope.running.push(self.node(a.node).out);
        }
        scope.complete.append(&mut scope.running);
    }

    fn acc(&mut self, p: &Pass, a: &Acc, scope: &mut Scope) {
        let n = self.node(a.node).clone();
        let name = self.name(n.out);
        if n.reduced().len() != p.over.len() || n.reduced().iter().any(|r| !p.over.contains(r)) {
            self.err(format!("`{name}` does not reduce the ranks of its pass"));
        }
        if n.is_stateful() || n.out_ranks().iter().any(|r| p.over.contains(r)) {
            self.err(format!("`{name}` keeps a streamed rank"));
        }
        if let Some(e) = n.fold.iter().chain(&n.dom).find(|e| p.domain.contains(e)) {
            let e = expr_text(&self.s.cascade, e);
            self.err(format!("`{e}` stands in the domain and at `{name}`"));
        }
        scope.follows = a.repair.is_some();
        n.exprs().for_each(|e| self.reads(e, scope, &name));
        scope.follows = true;
        for e in a.repair.iter().map(|r| r.expr()).chain(&a.init) {
            if p.over.iter().any(|r| e.mentions(*r)) {
                let e = expr_text(&self.s.cascade, e);
                self.err(format!("`{e}` of `{name}` mentions a streamed rank"));
            }
            self.reads(e, scope, &name);
        }
    }

    /// V4.
    fn store(&mut self, id: NodeId, scope: &Scope) {
        let n = self.node(id).clone();
        let name = self.name(n.out);
        if n.reduce.is_some() || n.is_stateful() {
            self.err(format!("the store of `{name}` is no map"));
        }
        if scope.grid.iter().any(|r| !n.out_ranks().contains(r)) {
            self.err(format!("the store of `{name}` lacks a grid rank"));
        }
        n.exprs().for_each(|e| self.reads(e, scope, &name));
    }

    /// V6, V8, through inline nodes.
    fn reads(&mut self, e: &Expr, scope: &Scope, reader: &str) {
        let mut found = vec![];
        e.walk(&mut |x| {
            if let Expr::Read(t, idx) = x {
                found.push((*t, idx.clone()));
            }
        });
        for (t, idx) in found {
            self.read(t, &idx, scope, reader);
        }
    }

    fn read(&mut self, t: TensorId, idx: &[Expr], scope: &Scope, reader: &str) {
        let name = self.name(t);
        match self.s.place(t) {
            Place::Memory if self.s.cascade.tensor(t).kind != TensorKind::Let || self.stored.contains(&t) => {}
            Place::Memory => self.err(format!("`{reader}` reads `{name}` before it is stored")),
            Place::Dead => self.err(format!("`{reader}` reads `{name}`, which is dead")),
            Place::Inline => {
                let Some(n) = self.s.cascade.def(t) else {
                    return self.err(format!("`{name}` has no definition"));
                };
                n.exprs().for_each(|e| self.reads(e, scope, reader));
            }
            Place::State => {
                let running = scope.follows && scope.running.contains(&t);
                if let Some((scan, phase)) = scope.scan {
                    self.read_carry(t, idx, scan, phase, reader);
                } else if !running && !scope.complete.contains(&t) {
                    self.err(format!("`{reader}` reads `{name}`, which is not complete"));
                }
                let vars = self.s.cascade.def(t).map(Node::out_ranks).unwrap_or_default();
                let beside = |(r, e): &(RankId, &Expr)| scope.grid.contains(r) && **e != Expr::Var(*r);
                if vars.into_iter().zip(idx).any(|x| beside(&x)) {
                    self.err(format!("`{reader}` reads `{name}` beside its grid point"));
                }
            }
        }
    }
}

fn variables(e: &Expr) -> Vec<RankId> {
    let mut out = vec![];
    e.walk(&mut |x| {
        if let Expr::Var(r) = x {
            out.push(*r);
        }
    });
    out
}
