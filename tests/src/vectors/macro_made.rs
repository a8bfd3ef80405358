//! The target `rust` through the macros. Outputs start as NaN, so that an element which is not written is found.

use super::{Answer, Launch, Target};
use attnc::cpu::{Scalars, Tensor, argument};
use einattn::cpu::{Kernel, Options, Role, launch};
use einattn_compiler::interp::{Tensors, bind};
use std::collections::BTreeMap;

/// Kernels that the macros made, by the names of their instances.
pub struct MacroMade {
    /// Name and kernel.
    pub kernels: &'static [(&'static str, &'static Kernel<'static>)],
    /// Instruction set, if not the best one.
    pub isa: Option<&'static str>,
}

impl Target for MacroMade {
    fn name(&self) -> &str {
        self.isa.unwrap_or("rust")
    }

    fn run(&self, launch: &Launch) -> Answer {
        let name = launch.instance.name();
        match self.kernels.iter().find(|(n, _)| *n == name) {
            Some((_, kernel)) => run_macro_made(kernel, launch, self.isa).map_or_else(Answer::Broken, Answer::Ran),
            None => Answer::Refused(format!("no code was made for `{name}`")),
        }
    }
}

fn run_macro_made(kernel: &Kernel<'_>, l: &Launch, isa: Option<&str>) -> Result<Tensors, String> {
    let mut tensors = tensors_of(kernel, l, f64::NAN)?;
    run_kernel(kernel, l, &mut tensors, Options { threads: 0, isa })?;
    Ok(callers(kernel).map(|(name, _)| name.to_string()).zip(tensors.iter().map(Tensor::value)).collect())
}

/// The caller's tensors of a kernel, outputs filled with a number.
pub fn tensors_of(kernel: &Kernel<'_>, l: &Launch, fill: f64) -> Result<Vec<Tensor>, String> {
    let bindings = bind(&l.cascade, &l.inputs, &l.scalars, &BTreeMap::new())?;
    callers(kernel).map(|(name, _)| argument(name, &l.cascade, &l.inputs, &bindings, fill)).collect()
}

/// Runs a kernel on tensors that [`tensors_of`] made.
pub fn run_kernel(kernel: &Kernel<'_>, l: &Launch, tensors: &mut [Tensor], options: Options<'_>) -> Result<(), String> {
    let bindings = bind(&l.cascade, &l.inputs, &l.scalars, &BTreeMap::new())?;
    let scalars = Scalars::new(&l.cascade, &bindings);
    let args: Vec<_> = tensors.iter_mut().zip(callers(kernel)).map(|(t, (_, written))| t.arg(written)).collect();
    let request = einattn::cpu::Launch { args: &args, ints: &scalars.ints, floats: &scalars.floats, options };
    let ran = launch(kernel, &request).map_err(|e| e.to_string())?;
    match options.isa {
        Some(wanted) if wanted != ran => Err(format!("`{ran}` ran instead of `{wanted}`")),
        _ => Ok(()),
    }
}

/// Names of the caller's tensors, and if they are written.
fn callers<'k>(kernel: &Kernel<'k>) -> impl Iterator<Item = (&'k str, bool)> {
    let tensors = kernel.members.first().map_or(&[][..], |m| m.tensors);
    tensors.iter().filter_map(|t| match t.role {
        Role::In => Some((t.name, false)),
        Role::Out | Role::InOut => Some((t.name, true)),
        Role::Table(_) | Role::Workspace => None,
    })
}
