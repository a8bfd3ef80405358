//! Evaluates a cascade node by node.

use super::bind::{Bindings, bind};
use super::eval::{Fault, Source, element, eval, holds, index};
use super::ops::fold;
use super::schedule::{Unit, step_rank, units};
use super::{Tensors, Value};
use crate::cascade::{Cascade, Expr, Node, OutIdx, RankId, Reduce, ScalarId, TensorId, TensorKind, verify};
use crate::types::RedOp;
use std::collections::BTreeMap;

/// Marks points of intermediates that are absent: a NaN that no arithmetic makes.
pub(super) const ABSENT: u64 = 0x7ff8_dead_beef_0001;

/// Runs a cascade on inputs and returns its outputs (`out` and `inout` tensors).
///
/// `scalars` holds a value for every run-time scalar, `extents` for every free rank that no input fixes.
pub fn run_cascade(
    c: &Cascade,
    inputs: &Tensors,
    scalars: &BTreeMap<String, f64>,
    extents: &BTreeMap<String, i64>,
) -> Result<Tensors, String> {
    verify(c).map_err(|errs| errs.join("; "))?;
    let bindings = bind(c, inputs, scalars, extents)?;
    let mut run = Run {
        c,
        bindings,
        inputs: c.tensors.iter().map(|t| inputs.get(&t.name)).collect(),
        values: vec![None; c.tensors.len()],
        vars: vec![None; c.ranks.len()],
    };
    run.tables()?;
    let all: Vec<_> = (0..c.nodes.len()).collect();
    run.execute(&all, &[])?;
    let outs = c.tensors.iter().zip(run.values);
    let outs = outs.filter(|(t, _)| matches!(t.kind, TensorKind::Out | TensorKind::InOut));
    Ok(outs.filter_map(|(t, v)| Some((t.name.clone(), v?))).collect())
}

pub(super) struct Run<'a> {
    c: &'a Cascade,
    bindings: Bindings,
    /// What the caller gave, by tensor.
    inputs: Vec<Option<&'a Value>>,
    /// What nodes defined so far, and tables, by tensor.
    values: Vec<Option<Value>>,
    /// Values of the rank variables in scope.
    vars: Vec<Option<i64>>,
}

impl Source for Run<'_> {
    fn var(&self, r: RankId) -> Result<i64, Fault> {
        self.vars[r.index()].ok_or_else(|| Fault::new(format!("`{}` is not bound", self.c.ranks[r.index()].name)))
    }

    fn extent(&self, r: RankId) -> Result<i64, Fault> {
        self.bindings.extent(r)
    }

    fn scalar(&self, s: ScalarId) -> Result<f64, Fault> {
        self.bindings.scalar(s)
    }

    fn read(&self, t: TensorId, idx: &[i64]) -> Result<f64, Fault> {
        let tensor = self.c.tensor(t);
        let value = self
            .tensor_value(t)
            .ok_or_else(|| Fault::new(format!("`{}` is read before it is defined", tensor.name)))?;
        let x = element(&tensor.name, value, idx)?;
        if x.is_nan() && x.to_bits() == ABSENT {
            return Err(Fault::new(format!("read of `{}` at {idx:?}, where it is absent", tensor.name)));
        }
        Ok(x)
    }
}

/// A nest of loops with the predicates that can be decided at each depth.
struct Nest<'a> {
    ranks: Vec<RankId>,
    /// `ranks.len() + 1` lists.
    conjuncts: Vec<Vec<&'a Expr>>,
}

impl<'a> Nest<'a> {
    /// A predicate stands as far out as its variables allow, but never before one that is written before it: the
    /// second may be meaningful only where the first holds.
    fn new(ranks: Vec<RankId>, predicates: &'a [Expr]) -> Self {
        let mut conjuncts = vec![vec![]; ranks.len() + 1];
        let mut depth = 0;
        for e in predicates {
            depth = ranks.iter().rposition(|r| e.mentions(*r)).map_or(0, |i| i + 1).max(depth);
            conjuncts[depth].push(e);
        }
        Nest { ranks, conjuncts }
    }
}

impl<'a> Run<'a> {
    fn tables(&mut self) -> Result<(), String> {
        for (i, t) in self.c.tensors.iter().enumerate() {
            if let Some(data) = &t.table {
                let shape = self.shape(TensorId(i as u32))?;
                if shape.iter().product::<usize>() != data.len() {
                    return Err(format!("table `{}` has {} values for the shape {shape:?}", t.name, data.len()));
                }
                self.values[i] = Some(Value { shape, data: data.clone() });
            }
        }
        Ok(())
    }

    /// What a read of a tensor sees; nothing before its definition.
    pub(super) fn tensor_value(&self, t: TensorId) -> Option<&Value> {
        match self.c.tensor(t).kind {
            TensorKind::In | TensorKind::InOut => self.inputs[t.index()],
            TensorKind::Out | TensorKind::Let | TensorKind::Table => self.values[t.index()].as_ref(),
        }
    }

    fn shape(&self, t: TensorId) -> Result<Vec<usize>, String> {
        let tensor = self.c.tensor(t);
        let dim = |e: &Expr| {
            let n = index(e, self).map_err(|f| format!("dimension of `{}`: {f}", tensor.name))?;
            usize::try_from(n).map_err(|_| format!("a dimension of `{}` is {n}", tensor.name))
        };
        tensor.dims.iter().map(dim).collect()
    }

    /// Evaluates nodes in dependency order; the ranks in `fixed` have their values already.
    fn execute(&mut self, nodes: &[usize], fixed: &[RankId]) -> Result<(), String> {
        for unit in units(self.c, nodes, fixed) {
            match unit {
                Unit::One(n) => self.define(&self.c.nodes[n], fixed)?,
                Unit::Cycle(cycle) => self.recur(&cycle, fixed)?,
            }
        }
        Ok(())
    }

    /// Steps a recurrence along its iterative rank.
    fn recur(&mut self, cycle: &[usize], fixed: &[RankId]) -> Result<(), String> {
        let Some((rank, backwards)) = step_rank(self.c, cycle, fixed) else {
            let names: Vec<_> = cycle.iter().map(|n| self.c.tensor(self.c.nodes[*n].out).name.as_str()).collect();
            return Err(format!("{} are defined by each other and no iterative rank orders them", names.join(", ")));
        };
        let n = self.extent(rank).map_err(|f| f.to_string())?;
        let inner: Vec<_> = fixed.iter().copied().chain([rank]).collect();
        for i in 0..n {
            self.vars[rank.index()] = Some(if backwards { n - 1 - i } else { i });
            self.execute(cycle, &inner)?;
        }
        self.vars[rank.index()] = None;
        Ok(())
    }

    /// Evaluates a node at all points of its left side.
    fn define(&mut self, n: &'a Node, fixed: &[RankId]) -> Result<(), String> {
        self.allocate(n)?;
        let outer = Nest::new(n.out_ranks().into_iter().filter(|r| !fixed.contains(r)).collect(), &n.dom);
        let inner = Nest::new(n.reduced().to_vec(), &n.fold);
        let done = match (&n.reduce, outer.ranks.last()) {
            // Maps run row by row along their last rank.
            (None, Some(last)) => self.nest(&outer, 1, 0, &mut |run| {
                let at = run.points(*last, run.extent(*last)?, &outer.conjuncts[outer.ranks.len()])?;
                let row = run.row(&n.body, *last, &at)?.spread(at.len());
                for (i, x) in at.into_iter().zip(row) {
                    run.vars[last.index()] = Some(i);
                    run.store(n, x)?;
                }
                run.vars[last.index()] = None;
                Ok(())
            }),
            _ => self.nest(&outer, 0, 0, &mut |run| {
                let x = run.value(n, &inner)?;
                run.store(n, x)
            }),
        };
        done.map_err(|f| self.explain(n, &f))
    }

    /// Makes room for a node's tensor, absent everywhere; checks that left ranks match dimensions.
    fn allocate(&mut self, n: &Node) -> Result<(), String> {
        if self.values[n.out.index()].is_some() {
            return Ok(());
        }
        let t = self.c.tensor(n.out);
        let mut shape = self.shape(n.out)?;
        for node in self.c.nodes.iter().filter(|m| m.out == n.out) {
            for (v, dim) in node.vars.iter().zip(&mut shape) {
                self.check_dim(v, dim).map_err(|m| format!("`{}` {m}", t.name))?;
            }
        }
        let absent = if t.kind == TensorKind::Let { f64::from_bits(ABSENT) } else { t.empty };
        self.values[n.out.index()] = Some(Value::filled(&shape, absent));
        Ok(())
    }

    /// A left rank spans its dimension; a state has one generation more than there are steps.
    fn check_dim(&self, v: &OutIdx, dim: &mut usize) -> Result<(), String> {
        let (OutIdx::Var(r) | OutIdx::Next(r) | OutIdx::Prev(r)) = v else { return Ok(()) };
        let extent = self.extent(*r).map_err(|f| f.to_string())?.max(0) as usize;
        if !matches!(v, OutIdx::Var(_)) {
            *dim = extent + 1;
        } else if *dim != extent {
            return Err(format!("has a dimension {dim} where rank `{}` has {extent}", self.c.ranks[r.index()].name));
        }
        Ok(())
    }

    /// Runs `body` at every point of a nest, its innermost `skip` ranks aside, where the predicates hold.
    fn nest(
        &mut self,
        nest: &Nest<'a>,
        skip: usize,
        depth: usize,
        body: &mut dyn FnMut(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        for e in &nest.conjuncts[depth] {
            if !holds(e, self)? {
                return Ok(());
            }
        }
        let Some(r) = nest.ranks.get(depth).filter(|_| depth + skip < nest.ranks.len()) else { return body(self) };
        for i in 0..self.extent(*r)? {
            self.vars[r.index()] = Some(i);
            self.nest(nest, skip, depth + 1, body)?;
        }
        self.vars[r.index()] = None;
        Ok(())
    }

    /// Right side of a node at one point.
    fn value(&mut self, n: &'a Node, inner: &Nest<'a>) -> Result<f64, Fault> {
        let (Some(r), Some(last)) = (&n.reduce, inner.ranks.last()) else { return eval(&n.body, self) };
        let mut acc = r.op.identity();
        let mut candidates = vec![];
        self.nest(inner, 1, 0, &mut |run| {
            let at = run.points(*last, run.extent(*last)?, &inner.conjuncts[inner.ranks.len()])?;
            let row = run.row(&n.body, *last, &at)?.spread(at.len());
            match &mut acc {
                Some(acc) => row.into_iter().for_each(|x| *acc = fold(r.op, *acc, x)),
                None => candidates.extend(row.into_iter().zip(at)),
            }
            Ok(())
        })?;
        acc.map_or_else(|| self.choose(r, candidates), Ok)
    }

    /// The coordinate that `argmax` or `topk` yields.
    fn choose(&self, r: &Reduce, mut candidates: Vec<(f64, i64)>) -> Result<f64, Fault> {
        // Adding 0 makes -0 and 0 the same value; the sort is stable, so ties keep the lower coordinate first.
        candidates.sort_by(|a, b| (b.0 + 0.0).total_cmp(&(a.0 + 0.0)));
        let slot = match (r.op, r.slot) {
            (RedOp::TopK, Some(s)) => self.var(s)?,
            _ => 0,
        };
        let chosen = usize::try_from(slot).ok().and_then(|s| candidates.get(s));
        Ok(chosen.map_or(-1.0, |(_, coordinate)| *coordinate as f64))
    }

    fn store(&mut self, n: &Node, x: f64) -> Result<(), Fault> {
        let coordinate = |v: &OutIdx| match v {
            OutIdx::Var(r) | OutIdx::Prev(r) => self.var(*r),
            OutIdx::Next(r) => Ok(self.var(*r)? + 1),
            OutIdx::At(e) => index(e, self),
        };
        let idx = n.vars.iter().map(coordinate).collect::<Result<Vec<_>, _>>()?;
        let value = self.values[n.out.index()].as_mut();
        if let Some(value) = value {
            let at = value.offset(&idx).map_err(|_| Fault::new(format!("{idx:?} lies outside of the left side")))?;
            value.data[at] = x;
        }
        Ok(())
    }

    /// A fault with the statement and the point where it happened.
    fn explain(&self, n: &Node, fault: &Fault) -> String {
        let named = self.c.ranks.iter().zip(&self.vars);
        let point: Vec<_> =
            named.filter_map(|(r, v)| Some(format!("{}={}", r.name.to_lowercase(), v.as_ref()?))).collect();
        let line = if n.origin.line > 0 { format!(" (line {})", n.origin.line) } else { String::new() };
        let at = if point.is_empty() { String::new() } else { format!(" at {}", point.join(" ")) };
        format!("in the definition of `{}`{line}{at}: {fault}", self.c.tensor(n.out).name)
    }
}
