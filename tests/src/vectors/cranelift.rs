//! The Cranelift target, through the runtime's launcher.

use super::{Answer, Launch, Target};
use attnc::cpu::{NoProgram, Program, Scalars};
use einattn_compiler::diag::Code;
use einattn_compiler::driver::Options;
use einattn_compiler::interp::{Tensors, Value, bind};
use std::collections::BTreeMap;

/// Machine code of this process.
pub struct Cranelift;

impl Target for Cranelift {
    fn name(&self) -> &str {
        "cranelift"
    }

    fn run(&self, launch: &Launch) -> Answer {
        let program = match Program::new(&launch.cascade, &Options::default()) {
            Ok(program) => program,
            Err(NoProgram::Refused(refusals)) => {
                let texts: Vec<String> =
                    refusals.iter().map(|r| format!("[{}] {}{}", r.code.0, r.message, notes(&r.notes))).collect();
                // A bug of the compiler is a failure, never a refusal.
                let bug = refusals.iter().any(|r| r.code == Code::INTERNAL);
                return if bug { Answer::Broken(texts.join("; ")) } else { Answer::Refused(texts.join("; ")) };
            }
            Err(NoProgram::Failed(why)) => return Answer::Broken(why),
        };
        execute(&program, launch).map_or_else(Answer::Broken, Answer::Ran)
    }
}

fn execute(program: &Program, launch: &Launch) -> Result<Tensors, String> {
    let member = &launch.cascade;
    let bindings = bind(member, &launch.inputs, &launch.scalars, &BTreeMap::new())?;
    // Outputs start as garbage: what the kernel does not write is seen.
    let mut tensors = program.arguments(member, &launch.inputs, &bindings, -777.0)?;
    program.run(&mut tensors, &Scalars::new(member, &bindings), 2)?;
    let named = program.callers().zip(tensors);
    let value = |t: attnc::cpu::Tensor| Value { data: t.data.values(), shape: t.shape };
    Ok(named.map(|(m, t)| (m.name.clone(), value(t))).collect())
}

fn notes(notes: &[String]) -> String {
    if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) }
}
