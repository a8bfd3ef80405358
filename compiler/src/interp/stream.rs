//! Executes the stream IR: grid points one by one, streamed points in blocks, with repairs between the blocks.
//!
//! This is the online algorithm in f64: running values at the end of a block have folded exactly the elements up to
//! there. Condition C2 is kept by value: while a repair's expression is not finite (its driver has folded nothing),
//! the accumulator is left alone.

use super::bind::{Bindings, bind};
use super::eval::{Fault, Source, element, eval, holds, index};
use super::ops::fold;
use super::run::ABSENT;
use super::{Tensors, Value};
use crate::cascade::{Expr, Node, RankId, ScalarId, TensorId, TensorKind};
use crate::passes::repair_check::apply;
use crate::stream::{Acc, Pass, Place, Scan, Stage, Stream, verify};
use crate::types::RedOp;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// Runs a stream on inputs and returns its outputs; `block` streamed points are folded between two repairs.
///
/// Arguments and results as in `run_cascade`; the block size must not change the results beyond rounding.
pub fn run_stream(
    s: &Stream,
    inputs: &Tensors,
    scalars: &BTreeMap<String, f64>,
    extents: &BTreeMap<String, i64>,
    block: usize,
) -> Result<Tensors, String> {
    verify(s).map_err(|errs| errs.join("; "))?;
    let c = &s.cascade;
    let mut run = Run {
        s,
        bindings: bind(c, inputs, scalars, extents)?,
        inputs: c.tensors.iter().map(|t| inputs.get(&t.name)).collect(),
        memory: vec![None; c.tensors.len()],
        state: vec![None; c.tensors.len()],
        before: vec![None; c.tensors.len()],
        look_before: Cell::new(false),
        grid: vec![],
        vars: RefCell::new(vec![None; c.ranks.len()]),
        memo: RefCell::new(BTreeMap::new()),
        step: None,
        moving: (0..c.tensors.len()).map(|t| reads_state(s, TensorId(t as u32))).collect(),
        block: block.max(1),
    };
    run.tables()?;
    s.stages.iter().try_for_each(|stage| run.stage(stage).map_err(|f| format!("stage `{}`: {f}", stage.name)))?;
    let outs = c.tensors.iter().zip(run.memory);
    let outs = outs.filter(|(t, _)| matches!(t.kind, TensorKind::Out | TensorKind::InOut));
    Ok(outs.filter_map(|(t, v)| Some((t.name.clone(), v?))).collect())
}

/// True if the value of an inline tensor depends on accumulators.
fn reads_state(s: &Stream, t: TensorId) -> bool {
    s.place(t) == Place::State
        || s.place(t) == Place::Inline
            && s.cascade.def(t).is_some_and(|n| n.exprs().flat_map(Expr::reads).any(|t| reads_state(s, t)))
}

struct Run<'a> {
    s: &'a Stream,
    bindings: Bindings,
    inputs: Vec<Option<&'a Value>>,
    /// Tables and what stages stored, by tensor.
    memory: Vec<Option<Value>>,
    /// Accumulators of the current grid point over their value ranks, by tensor.
    state: Vec<Option<Value>>,
    /// Accumulators before the current block.
    before: Vec<Option<Value>>,
    /// Reads of state see `before`.
    look_before: Cell<bool>,
    /// Grid ranks of the current stage.
    grid: Vec<RankId>,
    /// Values of the rank variables in scope.
    vars: RefCell<Vec<Option<i64>>>,
    /// Inline values at the current grid point that do not depend on accumulators.
    memo: RefCell<BTreeMap<(TensorId, Vec<i64>), f64>>,
    /// Coordinate of the current step of a scan.
    step: Option<i64>,
    /// By tensor: depends on accumulators.
    moving: Vec<bool>,
    block: usize,
}

impl Source for Run<'_> {
    fn var(&self, r: RankId) -> Result<i64, Fault> {
        let value = self.vars.borrow()[r.index()];
        value.ok_or_else(|| Fault::new(format!("`{}` is not bound", self.s.cascade.ranks[r.index()].name)))
    }

    fn extent(&self, r: RankId) -> Result<i64, Fault> {
        self.bindings.extent(r)
    }

    fn scalar(&self, s: ScalarId) -> Result<f64, Fault> {
        self.bindings.scalar(s)
    }

    fn read(&self, t: TensorId, idx: &[i64]) -> Result<f64, Fault> {
        match self.s.place(t) {
            Place::Memory => self.read_memory(t, idx),
            Place::State => self.read_state(t, idx),
            Place::Inline => self.read_inline(t, idx),
            Place::Dead => Err(Fault::new(format!("`{}` is dead and read", self.name(t)))),
        }
    }
}

impl<'a> Run<'a> {
    fn name(&self, t: TensorId) -> &str {
        &self.s.cascade.tensor(t).name
    }

    fn def(&self, t: TensorId) -> Result<&'a Node, Fault> {
        self.s.cascade.def(t).ok_or_else(|| Fault::new(format!("`{}` has no definition", self.name(t))))
    }

    fn read_memory(&self, t: TensorId, idx: &[i64]) -> Result<f64, Fault> {
        let value = match self.s.cascade.tensor(t).kind {
            TensorKind::In | TensorKind::InOut => self.inputs[t.index()],
            TensorKind::Out | TensorKind::Let | TensorKind::Table => self.memory[t.index()].as_ref(),
        };
        let value = value.ok_or_else(|| Fault::new(format!("`{}` is read before it is stored", self.name(t))))?;
        let x = element(self.name(t), value, idx)?;
        if x.is_nan() && x.to_bits() == ABSENT {
            return Err(Fault::new(format!("read of `{}` at {idx:?}, where it is absent", self.name(t))));
        }
        Ok(x)
    }

    fn read_state(&self, t: TensorId, idx: &[i64]) -> Result<f64, Fault> {
        let n = self.def(t)?;
        if let Some((at, _, reverse)) = n.step() {
            return self.read_generation(n, at, reverse, idx);
        }
        let mut at = vec![];
        for (r, i) in n.out_ranks().into_iter().zip(idx) {
            if !self.grid.contains(&r) {
                at.push(*i);
            } else if self.grid_value(r) != Some(*i) {
                return Err(Fault::new(format!("`{}` is read at {idx:?}, beside its grid point", self.name(t))));
            }
        }
        let values = if self.look_before.get() { &self.before } else { &self.state };
        match &values[t.index()] {
            Some(v) => element(self.name(t), v, &at),
            None => Err(Fault::new(format!("`{}` is read before its pass", self.name(t)))),
        }
    }

    /// An element of a state of a scan; its index at position `at` is the generation.
    fn read_generation(&self, n: &Node, at: usize, reverse: bool, idx: &[i64]) -> Result<f64, Fault> {
        let before = self.step.is_some_and(|t| idx[at] == t + i64::from(reverse));
        let inner =
            n.out_ranks().into_iter().zip(idx).enumerate().filter(|(i, (r, _))| *i != at && !self.grid.contains(r));
        let point: Vec<i64> = inner.map(|(_, (_, i))| *i).collect();
        let values = if before { &self.before } else { &self.state };
        match &values[n.out.index()] {
            Some(v) => element(self.name(n.out), v, &point),
            None => Err(Fault::new(format!("`{}` is read before its scan", self.name(n.out)))),
        }
    }

    /// Grid variables are never shadowed: an inline node substitutes, it does not rebind them to other values.
    fn grid_value(&self, r: RankId) -> Option<i64> {
        self.vars.borrow().get(self.s.cascade.ranks.len() + r.index()).copied().flatten()
    }

    fn read_inline(&self, t: TensorId, idx: &[i64]) -> Result<f64, Fault> {
        let key = (t, idx.to_vec());
        if let Some(x) = self.memo.borrow().get(&key) {
            return Ok(*x);
        }
        let n = self.def(t)?;
        let outer = self.vars.borrow().clone();
        {
            let mut vars = self.vars.borrow_mut();
            vars[..self.s.cascade.ranks.len()].fill(None);
            n.out_ranks().into_iter().zip(idx).for_each(|(r, i)| vars[r.index()] = Some(*i));
        }
        let x = self.evaluate(n);
        *self.vars.borrow_mut() = outer;
        let x = x?;
        if !self.moving[t.index()] {
            self.memo.borrow_mut().insert(key, x);
        }
        Ok(x)
    }

    /// Right side of a node at the point that the variables name.
    fn evaluate(&self, n: &Node) -> Result<f64, Fault> {
        let Some(r) = &n.reduce else { return eval(&n.body, self) };
        let Some(mut acc) = r.op.identity() else {
            return Err(Fault::new("a reduction that yields coordinates is not inline"));
        };
        for point in self.points(&r.over)? {
            self.set(&r.over, &point);
            if self.all(&n.fold)? {
                acc = fold(r.op, acc, eval(&n.body, self)?);
            }
        }
        Ok(acc)
    }

    fn set(&self, ranks: &[RankId], point: &[i64]) {
        let mut vars = self.vars.borrow_mut();
        ranks.iter().zip(point).for_each(|(r, i)| vars[r.index()] = Some(*i));
    }

    fn all(&self, conjuncts: &[Expr]) -> Result<bool, Fault> {
        for e in conjuncts {
            if !holds(e, self)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// All points of a box, the last rank fastest.
    fn points(&self, ranks: &[RankId]) -> Result<Vec<Vec<i64>>, Fault> {
        let mut out = vec![vec![]];
        for r in ranks {
            let n = self.extent(*r)?;
            let longer = |p: Vec<i64>| (0..n).map(move |i| [p.as_slice(), &[i]].concat());
            out = out.into_iter().flat_map(longer).collect();
        }
        Ok(out)
    }

    fn tables(&mut self) -> Result<(), String> {
        for (i, t) in self.s.cascade.tensors.iter().enumerate() {
            if let Some(data) = &t.table {
                let shape = self.shape(&t.dims).map_err(|f| f.to_string())?;
                if shape.iter().product::<usize>() != data.len() {
                    return Err(format!("table `{}` has {} values for the shape {shape:?}", t.name, data.len()));
                }
                self.memory[i] = Some(Value { shape, data: data.clone() });
            }
        }
        Ok(())
    }

    fn shape(&self, dims: &[Expr]) -> Result<Vec<usize>, Fault> {
        dims.iter().map(|e| Ok(index(e, self)?.max(0) as usize)).collect()
    }

    fn stage(&mut self, stage: &Stage) -> Result<(), Fault> {
        self.grid = stage.grid.clone();
        for n in stage.stored() {
            let n = &self.s.cascade.nodes[n.index()];
            let t = self.s.cascade.tensor(n.out);
            let absent = if t.kind == TensorKind::Let { f64::from_bits(ABSENT) } else { t.empty };
            self.memory[n.out.index()] = Some(Value::filled(&self.shape(&t.dims)?, absent));
        }
        for point in self.points(&stage.grid)? {
            let ranks = self.s.cascade.ranks.len();
            let mut vars = vec![None; 2 * ranks];
            for (r, i) in stage.grid.iter().zip(&point) {
                vars[r.index()] = Some(*i);
                vars[ranks + r.index()] = Some(*i);
            }
            *self.vars.borrow_mut() = vars;
            self.memo.borrow_mut().clear();
            self.state.fill(None);
            stage.passes.iter().try_for_each(|p| self.pass(p))?;
            if let Some(scan) = &stage.scan {
                self.scan(scan)?;
            }
            stage.stores.iter().try_for_each(|n| self.store(&self.s.cascade.nodes[n.index()]))?;
        }
        Ok(())
    }

    fn value_ranks(&self, n: &Node) -> Vec<RankId> {
        n.out_ranks().into_iter().filter(|r| !self.grid.contains(r)).collect()
    }

    fn store(&mut self, n: &Node) -> Result<(), Fault> {
        self.store_at(n, None)
    }

    /// Writes a node over its value ranks; `step` is the rank of a scan whose step this is.
    fn store_at(&mut self, n: &Node, step: Option<RankId>) -> Result<(), Fault> {
        let value: Vec<RankId> = self.value_ranks(n).into_iter().filter(|r| Some(*r) != step).collect();
        for point in self.points(&value)? {
            self.set(&value, &point);
            if !self.all(&n.dom)? {
                continue;
            }
            let x = eval(&n.body, self)?;
            let idx = n.out_ranks().into_iter().map(|r| self.var(r)).collect::<Result<Vec<_>, _>>()?;
            if let Some(v) = &mut self.memory[n.out.index()] {
                let at = v.offset(&idx).map_err(|_| Fault::new(format!("{idx:?} lies outside of the left side")))?;
                v.data[at] = x;
            }
        }
        Ok(())
    }

    /// Steps through a recurrence; a state holds its generation before the step in `before`, after it in `state`.
    fn scan(&mut self, scan: &Scan) -> Result<(), Fault> {
        for c in &scan.carries {
            self.generation(scan, &self.s.cascade.nodes[c.init.index()])?;
        }
        let steps = self.extent(scan.rank)?.max(0);
        for i in 0..steps {
            let t = if scan.reverse { steps - 1 - i } else { i };
            self.set(&[scan.rank], &[t]);
            self.step = Some(t);
            self.before = self.state.clone();
            self.memo.borrow_mut().clear();
            for c in &scan.carries {
                self.generation(scan, &self.s.cascade.nodes[c.step.index()])?;
            }
            for n in &scan.stores {
                self.store_step(scan, t, &self.s.cascade.nodes[n.index()])?;
            }
        }
        self.step = None;
        self.vars.borrow_mut()[scan.rank.index()] = None;
        Ok(())
    }

    /// Stores a node at a step, or at every point of the block that the step covers.
    fn store_step(&mut self, scan: &Scan, step: i64, n: &Node) -> Result<(), Fault> {
        let rank = scan.step_rank(&self.s.cascade, n).unwrap_or(scan.rank);
        let size = crate::stream::blocks(&self.s.cascade, scan.rank).filter(|_| rank != scan.rank).map(|(_, s)| s);
        let Some(size) = size else { return self.store_at(n, Some(rank)) };
        for t in step * size..(step * size + size).min(self.extent(rank)?) {
            self.set(&[rank], &[t]);
            self.store_at(n, Some(rank))?;
        }
        self.vars.borrow_mut()[rank.index()] = None;
        Ok(())
    }

    /// Evaluates a state over its value ranks; absent points hold 0, which nothing reads.
    fn generation(&mut self, scan: &Scan, n: &Node) -> Result<(), Fault> {
        let ranks: Vec<RankId> = self.value_ranks(n).into_iter().filter(|r| *r != scan.rank).collect();
        let shape = ranks.iter().map(|r| Ok(self.extent(*r)?.max(0) as usize)).collect::<Result<Vec<_>, Fault>>()?;
        let mut new = Value::filled(&shape, 0.0);
        for (k, point) in self.points(&ranks)?.iter().enumerate() {
            self.set(&ranks, point);
            if self.all(&n.dom)? {
                new.data[k] = eval(&n.body, self)?;
            }
        }
        self.state[n.out.index()] = Some(new);
        Ok(())
    }

    fn pass(&mut self, p: &Pass) -> Result<(), Fault> {
        for a in &p.accs {
            self.start(a)?;
        }
        for block in self.points(&p.over)?.chunks(self.block) {
            self.before = self.state.clone();
            for a in &p.accs {
                self.fold_block(p, a, block)?;
            }
        }
        Ok(())
    }

    fn node(&self, a: &Acc) -> &'a Node {
        &self.s.cascade.nodes[a.node.index()]
    }

    fn start(&mut self, a: &Acc) -> Result<(), Fault> {
        let n = self.node(a);
        let ranks = self.value_ranks(n);
        let shape = ranks.iter().map(|r| Ok(self.extent(*r)?.max(0) as usize)).collect::<Result<Vec<_>, Fault>>()?;
        let identity = n.reduce.as_ref().and_then(|r| r.op.identity()).unwrap_or(-1.0);
        let x = a.init.as_ref().map_or(Ok(identity), |e| eval(e, self))?;
        self.state[n.out.index()] = Some(Value::filled(&shape, x));
        Ok(())
    }

    /// Folds one block of streamed points into every element of an accumulator.
    fn fold_block(&mut self, p: &Pass, a: &Acc, block: &[Vec<i64>]) -> Result<(), Fault> {
        let n = self.node(a);
        let value = self.value_ranks(n);
        for (k, point) in self.points(&value)?.iter().enumerate() {
            self.set(&value, point);
            if !self.all(&n.dom)? {
                continue;
            }
            let old = self.state[n.out.index()].as_ref().map_or(f64::NAN, |v| v.data[k]);
            let new = if n.reduce.as_ref().is_some_and(|r| r.op.identity().is_none()) {
                self.coordinate(p, n)?
            } else {
                self.follow(p, a, old, block)?
            };
            if let Some(v) = &mut self.state[n.out.index()] {
                v.data[k] = new;
            }
        }
        Ok(())
    }

    /// The repaired running value with the block's elements folded in.
    fn follow(&self, p: &Pass, a: &Acc, old: f64, block: &[Vec<i64>]) -> Result<f64, Fault> {
        let n = self.node(a);
        let op = n.reduce.as_ref().map_or(RedOp::Sum, |r| r.op);
        let mut t = old;
        // A row without elements is left alone: what its repair reads may be absent there.
        let row = |e: &&Expr| !p.over.iter().any(|r| e.mentions(*r));
        for e in p.domain.iter().filter(row) {
            if !holds(e, self)? {
                return Ok(old);
            }
        }
        if let Some(r) = &a.repair {
            let now = eval(r.expr(), self)?;
            if !now.is_finite() {
                return Ok(old);
            }
            self.look_before.set(true);
            let then = eval(r.expr(), self);
            self.look_before.set(false);
            let then = then?;
            t = if then.is_finite() { apply(r, t, then, now) } else { t };
        }
        for point in block {
            if let Some(x) = self.at(p, n, point)? {
                t = fold(op, t, x);
            }
        }
        Ok(t)
    }

    /// The body at a streamed point, if the point counts.
    fn at(&self, p: &Pass, n: &Node, point: &[i64]) -> Result<Option<f64>, Fault> {
        self.set(&p.over, point);
        if !self.all(&p.domain)? || !self.all(&n.fold)? {
            return Ok(None);
        }
        eval(&n.body, self).map(Some)
    }

    /// `topk` and `argmax` look at the whole pass at once.
    fn coordinate(&self, p: &Pass, n: &Node) -> Result<f64, Fault> {
        let mut found: Vec<(f64, i64)> = vec![];
        for point in self.points(&p.over)? {
            if let Some(x) = self.at(p, n, &point)? {
                found.push((x + 0.0, point[0]));
            }
        }
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        let slot = match n.reduce.as_ref().and_then(|r| r.slot) {
            Some(s) => self.var(s)?,
            None => 0,
        };
        let chosen = usize::try_from(slot).ok().and_then(|s| found.get(s));
        Ok(chosen.map_or(-1.0, |(_, i)| *i as f64))
    }
}
