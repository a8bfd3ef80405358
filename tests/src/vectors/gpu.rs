//! The target `wgsl` on a GPU of this machine, through the runtime's launcher. Outputs start as NaN, so that an element which is not
//! written is found.

use super::cpu::text;
use super::{Answer, Launch, Target};
use attnc::cpu::{NoProgram, Scalars};
use attnc::wgpu::Program;
use einattn::wgpu::Gpu;
use einattn_compiler::diag::Code;
use einattn_compiler::driver::Options;
use einattn_compiler::interp::{Tensors, bind};
use std::collections::BTreeMap;

/// WGSL on a device.
pub struct Wgpu {
    /// The device.
    pub gpu: Gpu,
}

impl Target for Wgpu {
    fn name(&self) -> &str {
        "wgpu"
    }

    fn run(&self, launch: &Launch) -> Answer {
        match Program::new(&launch.cascade, &Options::default()) {
            Ok(program) => execute(&program, &self.gpu, launch).map_or_else(Answer::Broken, Answer::Ran),
            // A bug of the compiler is a failure, never a refusal.
            Err(NoProgram::Refused(r)) if r.iter().any(|r| r.code == Code::INTERNAL) => Answer::Broken(text(&r)),
            Err(NoProgram::Refused(r)) => Answer::Refused(text(&r)),
            Err(NoProgram::Failed(why)) => Answer::Broken(why),
        }
    }
}

fn execute(program: &Program, gpu: &Gpu, l: &Launch) -> Result<Tensors, String> {
    let bindings = bind(&l.cascade, &l.inputs, &l.scalars, &BTreeMap::new())?;
    let mut tensors = program.arguments(&l.cascade, &l.inputs, &bindings, f64::NAN)?;
    program.run(gpu, &mut tensors, &Scalars::new(&l.cascade, &bindings))?;
    Ok(program.callers().zip(tensors).map(|(m, t)| (m.name.clone(), t.value())).collect())
}
