//! What a recurrence must look like to be stepped in chunks: its gate, its source and its readers, as products of factors.
//!
//! Guarantees that the step is `gate · state + Σ source` with factors that do not read the state, that every reader in
//! step sums `query · state` over ranks that the gate lacks, and that some rank of the state stays out of the scores,
//! so that they are smaller than the states they stand for.

use super::super::recurrence::{Degree, Degrees};
use super::super::stages::ranks_of;
use super::super::terms::{Mono, Poly};
use crate::cascade::{Cascade, Expr, Extent, Node, OutIdx, RankId, TensorId};
use crate::stream::{Generation, generation};
use crate::types::{DType, RedOp};

/// A recurrence that can be stepped in chunks.
pub(super) struct Form {
    pub(super) state: TensorId,
    /// Position of the generation among the indices.
    pub(super) at: usize,
    /// Rank of the generations.
    pub(super) t: RankId,
    pub(super) reverse: bool,
    /// The other ranks, in order.
    pub(super) own: Vec<RankId>,
    pub(super) init: Node,
    pub(super) step: Node,
    /// What multiplies the state; `None`: nothing.
    pub(super) gate: Option<Expr>,
    /// Terms without the state.
    pub(super) source: Vec<Mono>,
    /// Nodes that read the state in step.
    pub(super) readers: Vec<Reader>,
}

/// A sum over products with the state.
pub(super) struct Reader {
    /// Position of the node.
    pub(super) node: usize,
    /// It reads the generation after its step.
    pub(super) inclusive: bool,
    /// Factor of the state.
    pub(super) query: Expr,
    /// Terms without the state.
    pub(super) rest: Poly,
}

/// Why a recurrence stays as it is, as the end of a sentence.
type Res<T> = Result<T, String>;

impl Form {
    /// Analyses the recurrence of a state.
    pub(super) fn of(c: &Cascade, state: TensorId) -> Res<Form> {
        let name = &c.tensor(state).name;
        let find = |first: bool| c.nodes.iter().find(|n| n.out == state && n.step().is_some() != first).cloned();
        let (Some(init), Some(step)) = (find(true), find(false)) else { return Err(format!("`{name}` is no state")) };
        let Some((at, t, reverse)) = step.step() else { return Err(format!("`{name}` has no step")) };
        if c.tensor(state).dtype != DType::F32 || step.reduce.is_some() || !step.dom.is_empty() {
            return Err(format!("the step of `{name}` is no f32 map of everywhere"));
        }
        let own: Vec<RankId> = step.out_ranks().into_iter().filter(|r| *r != t).collect();
        let mut f = Form { state, at, t, reverse, own, init, step, gate: None, source: vec![], readers: vec![] };
        f.update(c)?;
        for (i, n) in c.nodes.iter().enumerate().filter(|(_, n)| n.out != state) {
            f.reader(c, i, n)?;
        }
        f.factors_are_known(c)?;
        f.scores_are_small(c)?;
        Ok(f)
    }

    /// Nothing but the state itself may depend on a state: the factors are evaluated at generations of the whole chunk.
    fn factors_are_known(&self, c: &Cascade) -> Res<()> {
        let states = c.nodes.iter().filter(|n| n.is_stateful()).map(|n| n.out).collect();
        let degrees = Degrees::of(&c.nodes, &states);
        let source: Vec<Expr> = self.source.iter().map(Mono::expr).collect();
        let queries = self.readers.iter().map(|r| &r.query);
        let moving = self.gate.iter().chain(&source).chain(queries).any(|e| degrees.degree(e) != Degree::Free);
        let name = &c.tensor(self.state).name;
        if moving { Err(format!("what is added to `{name}`, its gate or a query depends on a state")) } else { Ok(()) }
    }

    /// Reads of the state in an expression.
    fn reads<'e>(&self, e: &'e Expr) -> Vec<&'e [Expr]> {
        let mut out = vec![];
        collect(e, self.state, &mut out);
        out
    }

    fn update(&mut self, c: &Cascade) -> Res<()> {
        let name = &c.tensor(self.state).name;
        let (linear, source) = self.split(c, &self.step.body, Generation::Before)?;
        match &linear[..] {
            [m] if m.atoms.is_empty() && m.coef == 1.0 => {}
            [m] => self.gate = Some(m.expr()),
            _ => return Err(format!("the step of `{name}` does not keep its last generation")),
        }
        self.source = source.monos;
        if self.source.is_empty() {
            return Err(format!("the step of `{name}` adds nothing"));
        }
        Ok(())
    }

    /// The factors of the state in the terms that have it, and the other terms.
    fn split(&self, c: &Cascade, e: &Expr, want: Generation) -> Res<(Vec<Mono>, Poly)> {
        let (mut linear, mut rest) = (vec![], Poly::default());
        for m in Poly::of(e).monos {
            let with: Vec<&(Expr, i32)> = m.atoms.iter().filter(|(a, _)| !self.reads(a).is_empty()).collect();
            match with[..] {
                [] => rest.monos.push(m),
                [(Expr::Read(t, idx), 1)] if *t == self.state && self.is_here(c, idx, want) => {
                    let q = m.part(|a| self.reads(a).is_empty());
                    linear.push(Mono { coef: m.coef, ..q });
                }
                _ => return Err(format!("`{}` is not read as a factor at its own step", c.tensor(self.state).name)),
            }
        }
        Ok((linear, rest))
    }

    /// True for a read of this generation at the state's own ranks.
    fn is_here(&self, c: &Cascade, idx: &[Expr], want: Generation) -> bool {
        let others = idx.iter().enumerate().filter(|(i, _)| *i != self.at).map(|(_, e)| e);
        generation(c, self.t, self.reverse, &idx[self.at]) == Some(want)
            && others.zip(&self.own).all(|(e, r)| *e == Expr::Var(*r))
    }

    fn reader(&mut self, c: &Cascade, node: usize, n: &Node) -> Res<()> {
        let generations: Vec<Option<Generation>> = n
            .exprs()
            .flat_map(|e| self.reads(e))
            .map(|idx| generation(c, self.t, self.reverse, &idx[self.at]))
            .collect();
        if generations.iter().all(|g| *g == Some(Generation::Last)) {
            return Ok(());
        }
        let name = &c.tensor(n.out).name;
        let no = |why: &str| Err(format!("`{name}` {why}"));
        let sums = n
            .reduce
            .as_ref()
            .is_some_and(|r| r.op == RedOp::Sum && r.acc == DType::F32 && r.over.iter().all(|x| self.own.contains(x)));
        if !sums || !n.fold.is_empty() || n.is_stateful() || !n.out_ranks().contains(&self.t) {
            return no("reads the states one by one, not as a sum over a rank of theirs");
        }
        if n.dom.iter().any(|e| !self.reads(e).is_empty()) {
            return no("is present where the state says so");
        }
        let inclusive = generations.contains(&Some(Generation::After));
        let want = if inclusive { Generation::After } else { Generation::Before };
        let (linear, rest) = self.split(c, &n.body, want)?;
        let query = Poly { monos: linear }.expr();
        self.readers.push(Reader { node, inclusive, query, rest });
        Ok(())
    }

    /// Ranks of the state that the scores of a reader lack must be left, and the gate must not vary along what is summed.
    fn scores_are_small(&self, c: &Cascade) -> Res<()> {
        if self.readers.is_empty() {
            return Err("nothing reads the states in between".to_string());
        }
        for r in &self.readers {
            let n = &c.nodes[r.node];
            let name = &c.tensor(n.out).name;
            let gate = ranks_of(&self.gate);
            if let Some(x) = gate.iter().find(|x| n.reduced().contains(x)) {
                let rank = &c.ranks[x.index()].name;
                return Err(format!("the gate differs along `{rank}`, which `{name}` sums over"));
            }
            for m in &self.source {
                let scores = self.score_ranks(n, r, m);
                if self.own.iter().all(|x| n.reduced().contains(x) || scores.contains(x)) {
                    return Err(format!("the scores of `{name}` would be as large as its values"));
                }
            }
        }
        Ok(())
    }

    /// Ranks of the scores that a term of the source has in a reader, without generations.
    pub(super) fn score_ranks(&self, n: &Node, r: &Reader, m: &Mono) -> Vec<RankId> {
        let (over, (key, _)) = (n.reduced(), key_and_value(n, m));
        let mut out = vec![];
        for e in [&r.query, &key.expr()].into_iter().chain(&self.gate) {
            let ranks = ranks_of([e]);
            out.extend(ranks.into_iter().filter(|x| *x != self.t && !over.contains(x)));
        }
        out.sort();
        out.dedup();
        out
    }

    /// Elements of the state's ranks that are constant: how much a chunk has to gain.
    pub(super) fn state_size(&self, c: &Cascade) -> i64 {
        let of = |r: &RankId| match c.ranks[r.index()].extent {
            Extent::Const(n) => n,
            Extent::Free | Extent::Derived(_) => 1,
        };
        self.own.iter().map(of).product()
    }

    /// The state's left side with another generation.
    pub(super) fn left(&self, generation: OutIdx) -> Vec<OutIdx> {
        let mut out: Vec<OutIdx> = self.own.iter().map(|r| OutIdx::Var(*r)).collect();
        out.insert(self.at, generation);
        out
    }

    /// The state's own ranks as an index, with another generation.
    pub(super) fn index(&self, generation: Expr) -> Vec<Expr> {
        let mut out: Vec<Expr> = self.own.iter().map(|r| Expr::Var(*r)).collect();
        out.insert(self.at, generation);
        out
    }
}

/// A term of the source as the factors that a reader sums over, and the others with the coefficient.
pub(super) fn key_and_value(reader: &Node, m: &Mono) -> (Mono, Mono) {
    let summed = |e: &Expr| reader.reduced().iter().any(|x| e.mentions(*x));
    let value = m.part(|e| !summed(e));
    (m.part(summed), Mono { coef: m.coef, ..value })
}

fn collect<'e>(e: &'e Expr, t: TensorId, out: &mut Vec<&'e [Expr]>) {
    if let Expr::Read(u, idx) = e
        && *u == t
    {
        out.push(idx);
    }
    e.children().into_iter().for_each(|x| collect(x, t, out));
}
