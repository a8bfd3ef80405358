//! The CPU targets, through the runtime's launcher. Outputs start as NaN, so that an element which is not written is
//! found.

use super::{Answer, Launch, Target};
use crate::compiled::{Compiled, Made};
use attnc::cpu::{NoProgram, Program, Scalars};
use einattn::cpu::Kernel;
use einattn_compiler::diag::{Code, Refusal};
use einattn_compiler::driver::Options;
use einattn_compiler::interp::{Tensors, bind};
use std::collections::BTreeMap;

/// Why there is no code for a launch.
pub enum NoCode {
    /// The target refuses the kernel, with its reason.
    Refused(String),
    /// Something went wrong.
    Broken(String),
}

/// A target that compiles kernels for the runtime.
pub trait CpuTarget {
    /// Name in reports.
    fn name(&self) -> &str;

    /// Code for a launch.
    ///
    /// # Errors
    ///
    /// Says if the kernel is refused.
    fn code(&self, launch: &Launch) -> Result<Box<dyn Compiled + '_>, NoCode>;
}

impl<T: CpuTarget> Target for T {
    fn name(&self) -> &str {
        CpuTarget::name(self)
    }

    fn run(&self, launch: &Launch) -> Answer {
        match self.code(launch) {
            Ok(code) => execute(&*code, launch).map_or_else(Answer::Broken, Answer::Ran),
            Err(NoCode::Refused(why)) => Answer::Refused(why),
            Err(NoCode::Broken(why)) => Answer::Broken(why),
        }
    }
}

fn execute(code: &dyn Compiled, l: &Launch) -> Result<Tensors, String> {
    let bindings = bind(&l.cascade, &l.inputs, &l.scalars, &BTreeMap::new())?;
    let mut tensors = code.arguments(&l.cascade, &l.inputs, &bindings, f64::NAN)?;
    code.run(&mut tensors, &Scalars::new(&l.cascade, &bindings), 2)?;
    Ok(code.callers().into_iter().zip(tensors).map(|(c, t)| (c.name, t.value())).collect())
}

/// Machine code of this process.
pub struct Cranelift;

impl CpuTarget for Cranelift {
    fn name(&self) -> &str {
        "cranelift"
    }

    fn code(&self, launch: &Launch) -> Result<Box<dyn Compiled + '_>, NoCode> {
        match Program::new(&launch.cascade, &Options::default()) {
            Ok(program) => Ok(Box::new(program)),
            // A bug of the compiler is a failure, never a refusal.
            Err(NoProgram::Refused(r)) if r.iter().any(|r| r.code == Code::INTERNAL) => Err(NoCode::Broken(text(&r))),
            Err(NoProgram::Refused(r)) => Err(NoCode::Refused(text(&r))),
            Err(NoProgram::Failed(why)) => Err(NoCode::Broken(why)),
        }
    }
}

/// Refusals in one line, each with its code.
pub fn text(refusals: &[Refusal]) -> String {
    let notes = |notes: &[String]| if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) };
    let one = |r: &Refusal| format!("[{}] {}{}", r.code.0, r.message, notes(&r.notes));
    refusals.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// The target `rust`: kernels that the macros made, by the names of their instances.
pub struct MacroMade {
    /// Name and kernel.
    pub kernels: &'static [(&'static str, &'static Kernel<'static>)],
}

impl CpuTarget for MacroMade {
    fn name(&self) -> &str {
        "rust"
    }

    fn code(&self, launch: &Launch) -> Result<Box<dyn Compiled + '_>, NoCode> {
        let name = launch.instance.name();
        match self.kernels.iter().find(|(n, _)| *n == name) {
            Some((_, kernel)) => Ok(Box::new(Made { kernel, isa: None })),
            None => Err(NoCode::Refused(format!("no code was made for `{name}`"))),
        }
    }
}
