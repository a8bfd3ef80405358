//! Reads that decide whether a barrier is reached.
//!
//! The verifier has proved that all threads read the same there, but WGSL's analysis takes memory that is written for
//! different in every thread. Such a read is made once and shared by `workgroupUniformLoad`, which is a barrier itself: what decides
//! whether it is reached must be uniform too.

use einattn_compiler::simt::{Inst, Op, Place, SimtKernel, SimtStage, Space, Val, Var};
use std::collections::BTreeSet;

/// What WGSL has to see as uniform.
#[derive(Default)]
pub(crate) struct Uniform {
    vals: BTreeSet<Val>,
    vars: BTreeSet<Var>,
}

impl Uniform {
    /// The values of a stage that barriers depend on.
    pub(crate) fn of(kernel: &SimtKernel, stage: &SimtStage) -> Uniform {
        let mut u = Uniform::default();
        loop {
            let before = u.vals.len() + u.vars.len();
            u.block(kernel, stage, &stage.body, &mut vec![]);
            if u.vals.len() + u.vars.len() == before {
                return u;
            }
        }
    }

    /// True if a read has to be made uniform.
    pub(crate) fn shares(&self, kernel: &SimtKernel, stage: &SimtStage, dst: &[Val], from: Place) -> bool {
        dst.iter().any(|v| self.vals.contains(v)) && changes(kernel, stage, from)
    }

    /// `control` holds what the enclosing branches and loops depend on.
    fn block(&mut self, kernel: &SimtKernel, stage: &SimtStage, insts: &[Inst], control: &mut Vec<Val>) {
        for inst in insts {
            self.inst(kernel, stage, inst, control);
        }
    }

    fn inst(&mut self, kernel: &SimtKernel, stage: &SimtStage, inst: &Inst, control: &mut Vec<Val>) {
        let needed = inst.defines().iter().any(|v| self.vals.contains(v));
        let sets = matches!(inst, Inst::Set(var, _) if self.vars.contains(var));
        if needed || sets {
            self.vals.extend(inst.reads());
        }
        if let Inst::Let(_, Op::Get(var)) = inst
            && needed
        {
            self.vars.insert(*var);
        }
        let collective = match inst {
            Inst::Load { dst, from } => self.shares(kernel, stage, dst, *from),
            other => matches!(other, Inst::Barrier),
        };
        if collective || sets || needed {
            self.vals.extend(control.iter());
        }
        let depth = control.len();
        match inst {
            Inst::Loop { lo, hi, body, .. } => {
                control.extend([*lo, *hi]);
                self.block(kernel, stage, body, control);
            }
            Inst::If { cond, then, els } => {
                control.push(*cond);
                self.block(kernel, stage, then, control);
                self.block(kernel, stage, els, control);
            }
            _ => {}
        }
        control.truncate(depth);
    }
}

/// True for memory that the stage can write.
fn changes(kernel: &SimtKernel, stage: &SimtStage, from: Place) -> bool {
    match from {
        Place::Global(t, _) => crate::memory::is_written(&kernel.tensors[t]),
        Place::Array(a, _) => stage.arrays[a.0 as usize].space == Space::Shared,
        Place::Scratch(_) => true,
    }
}
