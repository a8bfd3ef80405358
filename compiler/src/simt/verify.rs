//! Verifier of the SIMT IR: types of operands and results, visibility of values, assignment before use, and that what is
//! collective is reached by all threads together.

use super::typing::{elements, infer, stored_type};
use super::{Array, Inst, MatrixType, Op, Place, SimtKernel, SimtStage, Space, Ty, Val, Var};
use std::collections::BTreeSet;

/// Checks every stage of a kernel; the errors name stage and value.
pub fn verify(kernel: &SimtKernel) -> Result<(), Vec<String>> {
    let mut errors = vec![];
    if kernel.ints.stages != kernel.stages.len() {
        errors.push("the layout counts other stages than the kernel has".to_string());
    }
    for stage in &kernel.stages {
        let mut c = Checker {
            kernel,
            stage,
            visible: vec![false; stage.vals.len()],
            set: vec![false; stage.vars.len()],
            varying: varying(stage),
            uniform: true,
            errors: vec![],
        };
        c.arrays();
        c.block(&stage.body);
        errors.extend(c.errors.into_iter().map(|e| format!("{}: {e}", stage.name)));
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Values and variables that may differ between the threads of a block.
#[derive(Default)]
struct Varying {
    vals: BTreeSet<Val>,
    vars: BTreeSet<Var>,
}

fn varying(stage: &SimtStage) -> Varying {
    let mut v = Varying::default();
    loop {
        let before = v.vals.len() + v.vars.len();
        v.block(stage, &stage.body, true);
        if v.vals.len() + v.vars.len() == before {
            return v;
        }
    }
}

impl Varying {
    fn block(&mut self, stage: &SimtStage, insts: &[Inst], uniform: bool) {
        insts.iter().for_each(|i| self.inst(stage, i, uniform));
    }

    fn inst(&mut self, stage: &SimtStage, inst: &Inst, uniform: bool) {
        let reads = inst.reads().iter().any(|v| self.vals.contains(v));
        let varies = reads || self.source(stage, inst);
        if varies {
            self.vals.extend(inst.defines());
        }
        match inst {
            Inst::Set(var, _) if varies || !uniform => {
                self.vars.insert(*var);
            }
            Inst::Mma { acc, .. } => self.vars.extend(acc),
            Inst::GroupMma { acc, .. } => self.vars.extend(acc),
            Inst::Loop { body, .. } => self.block(stage, body, uniform && !varies),
            Inst::If { then, els, .. } => {
                self.block(stage, then, uniform && !varies);
                self.block(stage, els, uniform && !varies);
            }
            _ => {}
        }
    }

    /// True where values begin to differ.
    fn source(&self, stage: &SimtStage, inst: &Inst) -> bool {
        let private = |a: usize| stage.arrays.get(a).is_none_or(|a| a.space == Space::Private);
        match inst {
            Inst::Let(_, Op::Thread | Op::Shuffle(..)) | Inst::LoadMatrix { .. } => true,
            Inst::Let(_, Op::Get(var)) => self.vars.contains(var),
            Inst::Load { from: Place::Array(a, _), .. } => private(a.0 as usize),
            _ => false,
        }
    }
}

struct Checker<'a> {
    kernel: &'a SimtKernel,
    stage: &'a SimtStage,
    visible: Vec<bool>,
    set: Vec<bool>,
    varying: Varying,
    uniform: bool,
    errors: Vec<String>,
}

impl Checker<'_> {
    fn need(&mut self, ok: bool, message: impl FnOnce() -> String) {
        if !ok {
            self.errors.push(message());
        }
    }

    fn arrays(&mut self) {
        let stage = self.stage;
        for (i, a) in stage.arrays.iter().enumerate() {
            let again = stage.arrays[..i].iter().any(|b| b.name == a.name);
            self.need(!again && a.len > 0, || format!("array {} is empty or there twice", a.name));
        }
        self.need(stage.threads > 0, || "a block has no threads".into());
        if let Some(n) = stage.subgroup {
            self.need(n.is_power_of_two() && stage.threads.is_multiple_of(n), || format!("a subgroup of {n}"));
        }
    }

    fn block(&mut self, insts: &[Inst]) {
        let before = self.visible.clone();
        insts.iter().for_each(|i| self.inst(i));
        self.visible = before;
    }

    fn read(&mut self, v: Val, wanted: &[Ty]) {
        if self.visible.get(v.0 as usize) != Some(&true) {
            return self.errors.push(format!("v{} is not visible where it is used", v.0));
        }
        let ty = self.stage.ty(v);
        self.need(wanted.is_empty() || wanted.contains(&ty), || {
            format!("v{} has type {ty:?} where {wanted:?} is needed", v.0)
        });
    }

    fn define(&mut self, v: Val) {
        match self.visible.get_mut(v.0 as usize) {
            Some(seen) => *seen = true,
            None => self.errors.push(format!("v{} has no type", v.0)),
        }
    }

    fn types(&self, vals: &[Val]) -> Vec<Ty> {
        vals.iter().filter_map(|v| self.stage.vals.get(v.0 as usize).copied()).collect()
    }

    fn collective(&mut self, what: &str) {
        let uniform = self.uniform;
        self.need(uniform, || format!("{what} in a branch or loop that threads may take apart"));
    }

    fn in_subgroup(&mut self, what: &str, size: Option<u32>) {
        self.collective(what);
        let subgroup = self.stage.subgroup;
        self.need(subgroup.is_some() && (size.is_none() || size == subgroup), || {
            format!("{what} in a stage with subgroup {subgroup:?}")
        });
    }

    fn array(&self, a: super::ArrayId) -> Option<&Array> {
        self.stage.arrays.get(a.0 as usize)
    }

    fn moves(&mut self, place: Place, vals: &[Val], store: bool) {
        self.read(place.offset(), &[place.offset_type()]);
        let types = self.types(vals);
        let checked = stored_type(self.kernel, &self.stage.arrays, place).and_then(|t| elements(t, store, &types));
        if let Err(e) = checked {
            self.errors.push(e);
        }
    }

    fn inst(&mut self, inst: &Inst) {
        match inst {
            Inst::Comment(_) | Inst::CopyCommit | Inst::CopyWait(_) => {}
            Inst::Let(v, op) => self.let_(*v, op),
            Inst::Set(var, v) => {
                self.read(*v, &[]);
                let (ty, given) = (self.stage.vars.get(var.0 as usize).copied(), self.types(&[*v]));
                self.need(ty.is_some() && ty == given.first().copied(), || format!("x{} has type {ty:?}", var.0));
                if let Some(set) = self.set.get_mut(var.0 as usize) {
                    *set = true;
                }
            }
            Inst::Loop { var, lo, hi, step, body } => {
                self.read(*lo, &[Ty::I32]);
                self.read(*hi, &[Ty::I32]);
                self.need(*step > 0, || "a loop has no positive step".into());
                let (before, set, uniform) = (self.visible.clone(), self.set.clone(), self.uniform);
                self.uniform &= !self.varying.vals.contains(lo) && !self.varying.vals.contains(hi);
                self.define(*var);
                self.block(body);
                (self.visible, self.set, self.uniform) = (before, set, uniform);
            }
            Inst::If { cond, then, els } => {
                self.read(*cond, &[Ty::B]);
                let (before, uniform) = (self.set.clone(), self.uniform);
                self.uniform &= !self.varying.vals.contains(cond);
                self.block(then);
                let after_then = std::mem::replace(&mut self.set, before);
                self.block(els);
                self.set.iter_mut().zip(after_then).for_each(|(s, t)| *s &= t);
                self.uniform = uniform;
            }
            Inst::Load { dst, from } => {
                self.moves(*from, dst, false);
                dst.iter().for_each(|v| self.define(*v));
            }
            Inst::Store { to, values } => {
                values.iter().for_each(|v| self.read(*v, &[]));
                self.moves(*to, values, true);
            }
            Inst::Barrier => self.collective("a barrier"),
            Inst::Mma { of, a, b, acc } => {
                self.in_subgroup("a matrix product", Some(32));
                let ty = if *of == MatrixType::Tf32 { Ty::F32 } else { Ty::Pair };
                a.iter().chain(b).for_each(|v| self.read(*v, &[ty]));
                acc.iter().for_each(|x| self.accumulator(*x));
            }
            Inst::GroupMma { of, a, b, acc, accumulate: _ } => {
                self.in_subgroup("a matrix product", Some(32));
                let groups = self.stage.threads.is_multiple_of(128) && *of != MatrixType::Tf32;
                self.need(groups, || "a product of warpgroups by other blocks or of other types".into());
                a.iter().flatten().for_each(|v| self.read(*v, &[Ty::Pair]));
                self.read(b.first, &[Ty::I32]);
                let varies = self.varying.vals.contains(&b.first);
                let halves = self.array(b.array).is_some_and(|a| a.space == Space::Shared && a.elem.bytes() == 2);
                let known = matches!(b.width, 16 | 32 | 64) && b.rows.is_multiple_of(16);
                self.need(halves && known && !varies, || "columns of a product in another array or layout".into());
                self.need(!a.is_empty() && matches!(acc.len(), 4..=128) && acc.len().is_multiple_of(4), || {
                    format!("a product of {} columns", acc.len() * 2)
                });
                acc.iter().for_each(|x| self.accumulator(*x));
            }
            Inst::LoadMatrix { dst, array, offset, transposed: _ } => {
                self.in_subgroup("a read of matrices", Some(32));
                self.read(*offset, &[Ty::I32]);
                let halves = self.array(*array).is_some_and(|a| a.space == Space::Shared && a.elem.bytes() == 2);
                let counted = matches!(dst.len(), 1 | 2 | 4) && self.types(dst).iter().all(|t| *t == Ty::Pair);
                self.need(halves && counted, || "matrices of another array or count are read".into());
                dst.iter().for_each(|v| self.define(*v));
            }
            Inst::CopyAsync { array, to, tensor, from, valid } => {
                self.read(*to, &[Ty::I32]);
                self.read(*from, &[Ty::Off]);
                self.read(*valid, &[Ty::B]);
                let elem = self.array(*array).filter(|a| a.space == Space::Shared).map(|a| a.elem.dtype());
                let given = self.kernel.tensors.get(*tensor).map(|t| t.dtype);
                self.need(elem.is_some() && elem == given, || "a copy changes the element type".into());
            }
        }
    }

    fn accumulator(&mut self, x: Var) {
        let float = self.stage.vars.get(x.0 as usize) == Some(&Ty::F32);
        let set = self.set.get(x.0 as usize) == Some(&true);
        self.need(float && set, || format!("x{} is no accumulator that has a value", x.0));
    }

    fn let_(&mut self, v: Val, op: &Op) {
        op.operands().into_iter().for_each(|a| self.read(a, &[]));
        match op {
            Op::Get(var) => {
                let set = self.set.get(var.0 as usize) == Some(&true);
                self.need(set, || format!("x{} is read before it is set", var.0));
            }
            Op::Shuffle(..) => self.in_subgroup("a shuffle", None),
            Op::Int(slot) | Op::IntOff(slot) => {
                let there = *slot < self.kernel.ints.len();
                self.need(there, || format!("there is no slot {slot}"));
            }
            _ => {}
        }
        match (infer(&self.stage.vals, &self.stage.vars, op), self.stage.vals.get(v.0 as usize)) {
            (Ok(t), Some(ty)) => self.need(t == *ty, || format!("v{} has type {ty:?}, its operation {t:?}", v.0)),
            (Err(e), _) => self.errors.push(format!("v{}: {e}", v.0)),
            (_, None) => {}
        }
        self.define(v);
    }
}
