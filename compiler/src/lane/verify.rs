//! Verifier of the lane IR: types of operands and results, visibility of values, assignment before use.

use super::typing::infer;
use super::{Func, Inst, LaneKernel, Ty, Val, Var};
use crate::types::DType;

/// Checks every function of a kernel; the errors name function and value.
pub fn verify(kernel: &LaneKernel) -> Result<(), Vec<String>> {
    let mut errors = vec![];
    check("prepare", kernel, &kernel.prepare, true, &mut errors);
    for stage in &kernel.stages {
        check(&stage.name, kernel, &stage.func, false, &mut errors);
    }
    if kernel.ints.stages != kernel.stages.len() {
        errors.push("the layout counts other stages than the kernel has".into());
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn check(name: &str, kernel: &LaneKernel, func: &Func, prepare: bool, errors: &mut Vec<String>) {
    let mut visible = vec![false; func.vals.len()];
    if visible.len() < 2 || func.vals[..2] != [Ty::I64, Ty::I64] {
        errors.push(format!("{name}: begin and end are missing"));
        return;
    }
    visible[..2].fill(true);
    let tensors: Vec<DType> = kernel.tensors.iter().map(|t| t.dtype).collect();
    let set = vec![false; func.vars.len()];
    let mut c = Checker { name, kernel, func, tensors, prepare, visible, set, errors };
    c.block(&func.body);
}

struct Checker<'a> {
    name: &'a str,
    kernel: &'a LaneKernel,
    func: &'a Func,
    tensors: Vec<DType>,
    prepare: bool,
    visible: Vec<bool>,
    set: Vec<bool>,
    errors: &'a mut Vec<String>,
}

impl Checker<'_> {
    fn error(&mut self, message: String) {
        let name = self.name;
        self.errors.push(format!("{name}: {message}"));
    }

    fn need(&mut self, ok: bool, message: &str) {
        if !ok {
            self.error(message.to_string());
        }
    }

    /// Values defined in a block vanish at its end.
    fn block(&mut self, insts: &[Inst]) {
        let before = self.visible.clone();
        insts.iter().for_each(|i| self.inst(i));
        self.visible = before;
    }

    fn read(&mut self, v: Val, expected: &[Ty]) {
        match self.visible.get(v.0 as usize) {
            Some(true) => {}
            _ => return self.error(format!("v{} is not visible where it is used", v.0)),
        }
        let ty = self.func.ty(v);
        if !expected.is_empty() && !expected.contains(&ty) {
            self.error(format!("v{} has type {ty:?} where {expected:?} is needed", v.0));
        }
    }

    fn define(&mut self, v: Val) {
        match self.visible.get_mut(v.0 as usize) {
            Some(seen) => *seen = true,
            None => self.error(format!("v{} has no type", v.0)),
        }
    }

    fn assign(&mut self, var: Var, v: Val) {
        self.read(v, &[]);
        match self.func.vars.get(var.0 as usize) {
            Some(ty) if self.visible.get(v.0 as usize).is_some() && *ty != self.func.ty(v) => {
                self.error(format!("variable {} has type {ty:?}, not that of v{}", var.0, v.0));
            }
            Some(_) => self.set[var.0 as usize] = true,
            None => self.error(format!("variable {} has no type", var.0)),
        }
    }

    fn inst(&mut self, inst: &Inst) {
        match inst {
            Inst::Comment(_) => {}
            Inst::Let(v, op) => {
                op.operands().into_iter().for_each(|a| self.read(a, &[]));
                if let super::Op::Get(var) = op {
                    let set = self.set.get(var.0 as usize).copied().unwrap_or(false);
                    self.need(set, &format!("variable {} is read before it is set", var.0));
                }
                let all_typed = op.operands().iter().all(|a| (a.0 as usize) < self.func.vals.len());
                match (all_typed, self.func.vals.get(v.0 as usize)) {
                    (true, Some(ty)) => match infer(self.func, &self.tensors, op) {
                        Ok(t) if t == *ty => {}
                        Ok(t) => self.error(format!("v{} has type {ty:?}, its operation {t:?}", v.0)),
                        Err(e) => self.error(format!("v{}: {e}", v.0)),
                    },
                    _ => self.error(format!("v{} or its operands have no type", v.0)),
                }
                self.define(*v);
            }
            Inst::Set(var, v) => self.assign(*var, *v),
            Inst::Loop { var, lo, hi, step, body } => {
                self.read(*lo, &[Ty::I64]);
                self.read(*hi, &[Ty::I64]);
                self.need(*step > 0, "a loop has no positive step");
                let set = self.set.clone();
                let before = self.visible.clone();
                self.define(*var);
                self.block(body);
                self.visible = before;
                self.set = set;
            }
            Inst::If { cond, then, els } => {
                self.read(*cond, &[Ty::B]);
                let before = self.set.clone();
                self.block(then);
                let after_then = std::mem::replace(&mut self.set, before);
                self.block(els);
                self.set.iter_mut().zip(after_then).for_each(|(s, t)| *s &= t);
            }
            Inst::StoreLocal { offset, value } => {
                self.read(*offset, &[Ty::I64]);
                self.read(*value, &[]);
            }
            Inst::StoreGlobal { tensor, offset, value } => {
                self.read(*offset, &[Ty::I64]);
                self.read(*value, &[Ty::F32, Ty::I64, Ty::B, Ty::VF]);
                let row = self.func.ty(*value) == Ty::VF;
                self.need(!row || self.tensors.get(*tensor) == Some(&DType::F32), "a row is stored to another type");
                self.need(*tensor < self.tensors.len(), "a store names no tensor");
                self.need(!self.prepare, "prepare stores to a tensor");
            }
            Inst::StoreInt { slot, value } => {
                self.read(*value, &[Ty::I64]);
                self.need(self.prepare, "a stage stores to the integer arguments");
                self.need(*slot < self.kernel.ints.len(), "a store names no slot");
            }
        }
    }
}
