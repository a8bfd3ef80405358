//! Compiled code of a kernel, whichever target made it: what the tests of safety and the differential tests launch.

use attnc::cpu::{Program, Scalars, Tensor, argument};
use einattn::cpu::{Kernel, Launch, Options, Role, launch};
use einattn_compiler::cascade::Cascade;
use einattn_compiler::interp::{Bindings, Tensors};
use einattn_compiler::lane::MemRole;

/// A tensor that the caller of a kernel provides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Name.
    pub name: String,
    /// True for outputs, also for those that are read.
    pub written: bool,
}

/// Code that the runtime's launcher runs.
pub trait Compiled {
    /// Tensors of the caller in the order of the kernel.
    fn callers(&self) -> Vec<Caller>;

    /// Runs the code on the caller's tensors.
    ///
    /// # Errors
    ///
    /// Those of the launcher.
    fn run(&self, tensors: &mut [Tensor], scalars: &Scalars<'_>, threads: usize) -> Result<(), String>;

    /// The caller's tensors: the inputs, and outputs filled with a number.
    ///
    /// # Errors
    ///
    /// Names the tensor that has no shape.
    fn arguments(&self, c: &Cascade, inputs: &Tensors, bound: &Bindings, fill: f64) -> Result<Vec<Tensor>, String> {
        self.callers().iter().map(|t| argument(&t.name, c, inputs, bound, fill)).collect()
    }
}

impl Compiled for Program {
    fn callers(&self) -> Vec<Caller> {
        let caller =
            |m: &einattn_compiler::lane::MemTensor| Caller { name: m.name.clone(), written: m.role != MemRole::In };
        self.callers().map(caller).collect()
    }

    fn run(&self, tensors: &mut [Tensor], scalars: &Scalars<'_>, threads: usize) -> Result<(), String> {
        self.run(tensors, scalars, threads)
    }
}

/// A kernel of the target `rust`, for one of its instruction sets.
pub struct Made<'k> {
    /// Kernel.
    pub kernel: &'k Kernel<'k>,
    /// Instruction set, if not the best one. Another one never runs in its place.
    pub isa: Option<&'k str>,
}

impl Compiled for Made<'_> {
    fn callers(&self) -> Vec<Caller> {
        let tensors = self.kernel.members.first().map_or(&[][..], |m| m.tensors);
        let caller = |name: &str, written| Some(Caller { name: name.to_string(), written });
        let callers = tensors.iter().filter_map(|t| match t.role {
            Role::In => caller(t.name, false),
            Role::Out | Role::InOut => caller(t.name, true),
            Role::Table(_) | Role::Workspace => None,
        });
        callers.collect()
    }

    fn run(&self, tensors: &mut [Tensor], scalars: &Scalars<'_>, threads: usize) -> Result<(), String> {
        let args: Vec<_> = tensors.iter_mut().zip(self.callers()).map(|(t, c)| t.arg(c.written)).collect();
        let options = Options { threads, isa: self.isa };
        let request = Launch { args: &args, ints: &scalars.ints, floats: &scalars.floats, options };
        let ran = launch(self.kernel, &request).map_err(|e| e.to_string())?;
        match self.isa {
            Some(wanted) if wanted != ran => Err(format!("`{ran}` ran instead of `{wanted}`")),
            _ => Ok(()),
        }
    }
}
