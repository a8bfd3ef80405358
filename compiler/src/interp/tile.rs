//! Executor of the tile IR in f64.
//!
//! Assumes a verified kernel. Guarantees: every access is checked, to memory against the tensor's dims, to a local
//! tile against its size, and a read of a local element that the item has not written is an error. Items run in grid
//! order, one after another; nothing is rounded except where a `Cast` asks for it.

use super::bind::{Bindings, bind};
use super::ops::{binary, fold, truth, unary};
use super::{Tensors, Value};
use crate::cascade::{RankId, TensorId, TensorKind};
use crate::tile::{AxisId, BufId, Expr, Range, Stmt, Tile, TileKernel, TileStage};
use crate::types::{BinOp, RedOp};
use std::collections::BTreeMap;

/// Runs a kernel on inputs and returns its outputs (`out` and `inout` tensors).
///
/// `scalars` holds a value for every run-time scalar, `extents` for every free rank that no input fixes. An error
/// names what a correct kernel never does.
pub fn run_tile(
    k: &TileKernel,
    inputs: &Tensors,
    scalars: &BTreeMap<String, f64>,
    extents: &BTreeMap<String, i64>,
) -> Result<Tensors, String> {
    let bindings = bind(&k.cascade, inputs, scalars, extents)?;
    let mut memory = k.memory.iter().map(|t| allocate(k, *t, inputs, &bindings)).collect::<Result<Vec<_>, _>>()?;
    for s in &k.stages {
        let axes = vec![AxisState::default(); s.axes.len()];
        let mut m = Machine { k, s, bindings: &bindings, memory: &mut memory, axes, bufs: vec![] };
        m.items(&s.grid).map_err(|e| format!("stage {}: {e}", s.name))?;
    }
    let outs = k.memory.iter().zip(memory).map(|(t, v)| (k.cascade.tensor(*t), v));
    let outs = outs.filter(|(t, _)| matches!(t.kind, TensorKind::Out | TensorKind::InOut));
    Ok(outs.map(|(t, v)| (t.name.clone(), v)).collect())
}

/// The memory of a tensor at launch: what the caller gave, or elements that show up if nothing writes them.
fn allocate(k: &TileKernel, t: TensorId, inputs: &Tensors, b: &Bindings) -> Result<Value, String> {
    let tensor = k.cascade.tensor(t);
    let dim = |e| b.index(e).map_err(|f| f.to_string()).map(|n| n.max(0) as usize);
    let shape = tensor.dims.iter().map(dim).collect::<Result<Vec<_>, _>>()?;
    if let Some(data) = &tensor.table {
        return Ok(Value { shape, data: data.clone() });
    }
    match tensor.kind {
        TensorKind::In | TensorKind::InOut => {
            inputs.get(&tensor.name).cloned().ok_or_else(|| format!("input `{}` is not given", tensor.name))
        }
        TensorKind::Out | TensorKind::Let | TensorKind::Table => Ok(Value::filled(&shape, f64::NAN)),
    }
}

#[derive(Clone, Copy, Default)]
struct AxisState {
    open: bool,
    at: i64,
    base: i64,
    count: i64,
}

struct Local {
    size: Vec<i64>,
    data: Vec<Option<f64>>,
}

struct Machine<'a> {
    k: &'a TileKernel,
    s: &'a TileStage,
    bindings: &'a Bindings,
    memory: &'a mut [Value],
    axes: Vec<AxisState>,
    bufs: Vec<Local>,
}

impl Machine<'_> {
    fn extent(&self, r: RankId) -> i64 {
        self.bindings.extents[r.index()].unwrap_or(0)
    }

    fn axis_extent(&self, a: AxisId) -> i64 {
        self.extent(self.s.axis(a).rank)
    }

    fn items(&mut self, rest: &[AxisId]) -> Result<(), String> {
        let Some((a, rest)) = rest.split_first() else {
            self.poison();
            return self.stmts(&self.s.body);
        };
        let (extent, step) = (self.axis_extent(*a), step(self.s.axis(*a).tile));
        let mut base = 0;
        while base < extent {
            self.open(*a, base, step.min(extent - base));
            self.items(rest)?;
            base += step;
        }
        self.axes[a.index()].open = false;
        Ok(())
    }

    fn open(&mut self, a: AxisId, base: i64, count: i64) {
        self.axes[a.index()] = AxisState { open: true, at: base, base, count };
    }

    /// Fresh local tiles in which every element is unwritten.
    fn poison(&mut self) {
        let size = |b: &crate::tile::Buf| -> Vec<i64> {
            b.axes
                .iter()
                .map(|a| {
                    if self.s.axis(*a).tile == Tile::Whole { self.axis_extent(*a) } else { step(self.s.axis(*a).tile) }
                })
                .collect()
        };
        let sizes: Vec<Vec<i64>> = self.s.bufs.iter().map(size).collect();
        self.bufs = sizes
            .into_iter()
            .map(|size| Local { data: vec![None; size.iter().product::<i64>().max(0) as usize], size })
            .collect();
    }

    fn stmts(&mut self, body: &[Stmt]) -> Result<(), String> {
        body.iter().try_for_each(|s| self.stmt(s))
    }

    fn stmt(&mut self, s: &Stmt) -> Result<(), String> {
        match s {
            Stmt::Map { dst, op, value } => self.map(*dst, *op, value),
            Stmt::Reduce { dst, op, over, value } => self.each(&self.s.buf(*dst).axes, &mut |m| {
                let mut acc = m.local(*dst)?;
                m.each(over, &mut |m| {
                    acc = fold(*op, acc, m.eval(value)?);
                    Ok(())
                })?;
                m.set_local(*dst, acc)
            }),
            Stmt::Contract { dst, over, a, b, accumulate } => self.each(&self.s.buf(*dst).axes, &mut |m| {
                let mut acc = if *accumulate { m.local(*dst)? } else { 0.0 };
                m.each(&[*over], &mut |m| {
                    acc += m.eval(a)? * m.local(*b)?;
                    Ok(())
                })?;
                m.set_local(*dst, acc)
            }),
            Stmt::Loop { axis, ranges, full, partial } => self.tiles(*axis, ranges, full, partial),
            Stmt::For { axis, lo, hi, body } => {
                let (lo, hi) = (self.index(lo)?, self.index(hi)?);
                for i in lo..hi {
                    self.open(*axis, i, 1);
                    self.stmts(body)?;
                }
                self.axes[axis.index()].open = false;
                Ok(())
            }
            Stmt::If { cond, then, els } => {
                let taken = if self.eval(cond)? != 0.0 { then } else { els };
                self.stmts(taken)
            }
            Stmt::Store { tensor, idx, axes, value } => self.each(axes, &mut |m| {
                let v = m.eval(value)?;
                let at = m.address(*tensor, idx)?;
                let slot = m.k.slot(*tensor).ok_or("a store to a tensor that is not in memory")?;
                m.memory[slot].data[at] = v;
                Ok(())
            }),
        }
    }

    fn map(&mut self, dst: BufId, op: Option<RedOp>, value: &Expr) -> Result<(), String> {
        self.each(&self.s.buf(dst).axes, &mut |m| {
            let mut v = m.eval(value)?;
            if let Some(op) = op {
                v = fold(op, m.local(dst)?, v);
            }
            m.set_local(dst, v)
        })
    }

    /// Calls `f` at every point of the axes.
    fn each(&mut self, axes: &[AxisId], f: &mut dyn FnMut(&mut Self) -> Result<(), String>) -> Result<(), String> {
        let Some((a, rest)) = axes.split_first() else { return f(self) };
        let whole = self.s.axis(*a).tile == Tile::Whole;
        if whole {
            if self.axes[a.index()].open {
                return Err(format!("axis {} is iterated twice", self.s.axis(*a).name));
            }
            self.open(*a, 0, self.axis_extent(*a));
        } else if !self.axes[a.index()].open {
            return Err(format!("axis {} is not in scope", self.s.axis(*a).name));
        }
        let AxisState { base, count, .. } = self.axes[a.index()];
        for i in base..base + count {
            self.axes[a.index()].at = i;
            self.each(rest, f)?;
        }
        self.axes[a.index()].open = !whole;
        Ok(())
    }

    fn tiles(&mut self, axis: AxisId, ranges: &[Range], full: &[Stmt], partial: &[Stmt]) -> Result<(), String> {
        let (extent, step) = (self.axis_extent(axis), step(self.s.axis(axis).tile));
        let mut live = vec![];
        for r in ranges {
            let inner = match &r.full {
                Some((lo, hi)) => (self.index(lo)?, self.index(hi)?),
                None => (0, 0),
            };
            live.push((self.index(&r.lo)?.max(0), self.index(&r.hi)?.min(extent), inner));
        }
        live.retain(|(lo, hi, _)| lo < hi);
        let mut base = live.iter().map(|l| l.0).min().unwrap_or(0);
        let stop = live.iter().map(|l| l.1).max().unwrap_or(0);
        while base < stop {
            let end = stop.min(base + step);
            let inside = live.iter().any(|(_, _, (lo, hi))| *lo <= base && end <= *hi);
            let touched = live.iter().any(|(lo, hi, _)| (*lo).max(base) < (*hi).min(end));
            if touched {
                self.open(axis, base, end - base);
                self.stmts(if inside { full } else { partial })?;
            }
            base += step;
        }
        self.axes[axis.index()].open = false;
        Ok(())
    }

    fn point(&self, b: BufId) -> Result<usize, String> {
        let mut at = 0;
        for (a, size) in self.s.buf(b).axes.iter().zip(&self.bufs[b.index()].size) {
            let st = self.axes[a.index()];
            let i = st.at - st.base;
            if !st.open || i < 0 || i >= *size {
                return Err(format!("{} read outside of axis {}", self.s.buf(b).name, self.s.axis(*a).name));
            }
            at = at * size + i;
        }
        Ok(at as usize)
    }

    fn local(&self, b: BufId) -> Result<f64, String> {
        let x = self.bufs[b.index()].data[self.point(b)?];
        x.ok_or_else(|| format!("{} is read before it is written", self.s.buf(b).name))
    }

    fn set_local(&mut self, b: BufId, x: f64) -> Result<(), String> {
        let at = self.point(b)?;
        self.bufs[b.index()].data[at] = Some(x);
        Ok(())
    }

    fn address(&mut self, t: TensorId, idx: &[Expr]) -> Result<usize, String> {
        let name = &self.k.cascade.tensor(t).name;
        let slot = self.k.slot(t).ok_or_else(|| format!("{name} is not in memory"))?;
        let idx = idx.iter().map(|e| self.index(e)).collect::<Result<Vec<_>, _>>()?;
        let shape = &self.memory[slot].shape;
        self.memory[slot].offset(&idx).map_err(|d| format!("{name}: {idx:?} leaves dimension {d} of {shape:?}"))
    }

    fn index(&mut self, e: &Expr) -> Result<i64, String> {
        Ok(self.eval(e)? as i64)
    }

    fn eval(&mut self, e: &Expr) -> Result<f64, String> {
        Ok(match e {
            Expr::Int(i) => *i as f64,
            Expr::Float(x) => *x,
            Expr::Bool(b) => truth(*b),
            Expr::Coord(a) => self.state(*a)?.at as f64,
            Expr::Base(a) => self.state(*a)?.base as f64,
            Expr::Count(a) => self.state(*a)?.count as f64,
            Expr::Extent(r) => self.extent(*r) as f64,
            Expr::Scalar(s) => self.bindings.scalars[s.index()].ok_or("a scalar is not given")?,
            Expr::Global(t, idx) => {
                let at = self.address(*t, idx)?;
                let slot = self.k.slot(*t).ok_or("a tensor that is not in memory")?;
                self.memory[slot].data[at]
            }
            Expr::Local(b) => self.local(*b)?,
            Expr::Unary(op, a) => unary(*op, self.eval(a)?),
            Expr::Binary(BinOp::And, a, b) => truth(self.eval(a)? != 0.0 && self.eval(b)? != 0.0),
            Expr::Binary(BinOp::Or, a, b) => truth(self.eval(a)? != 0.0 || self.eval(b)? != 0.0),
            Expr::Binary(op, a, b) => {
                let a = self.eval(a)?;
                binary(*op, a, self.eval(b)?)
            }
            Expr::Select(c, a, b) => {
                let taken = if self.eval(c)? != 0.0 { a } else { b };
                self.eval(taken)?
            }
            Expr::Cast(ty, a) => ty.round(self.eval(a)?),
        })
    }

    fn state(&self, a: AxisId) -> Result<AxisState, String> {
        let st = self.axes[a.index()];
        if st.open { Ok(st) } else { Err(format!("axis {} is not in scope", self.s.axis(a).name)) }
    }
}

fn step(t: Tile) -> i64 {
    match t {
        Tile::One => 1,
        Tile::Fixed(n) => n,
        Tile::Whole => i64::MAX,
    }
}
