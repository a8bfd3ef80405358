//! Kernels in WGSL on a GPU of this machine, through the runtime's launcher: the checks and the order of the stages are those that users of the
//! library get.

use crate::cpu::{NoProgram, Scalars, Tensor, argument, describe, dims, ranks, tables};
use crate::gpu::host_part;
use einattn::cpu::{Arg, Role};
use einattn::wgpu::{Gpu, Kernel, Member, SliceLaunch, Stage};
use einattn_compiler::cascade::Cascade;
use einattn_compiler::driver::{self, lower_gpu};
use einattn_compiler::interp::{Bindings, Tensors};
use einattn_compiler::lane::{MemRole, MemTensor};
use einattn_compiler::simt::SimtKernel;
use einattn_compiler::target::GpuCaps;
use einattn_target_cranelift::{Compiled, compile};
use einattn_target_wgsl::{Module, emit};

/// A kernel as a module of WGSL.
pub struct Program {
    /// What was emitted.
    pub kernel: SimtKernel,
    /// Text and entry points.
    pub module: Module,
    host: Compiled,
}

impl Program {
    /// Lowers and emits one member of a kernel.
    ///
    /// # Errors
    ///
    /// The kernel is refused, or its host part failed.
    pub fn new(member: &Cascade, options: &driver::Options) -> Result<Program, NoProgram> {
        Program::of(lower_gpu(member, &GpuCaps::WGSL, options).map_err(NoProgram::Refused)?)
    }

    /// Emits a kernel.
    ///
    /// # Errors
    ///
    /// The kernel is refused, or its host part failed.
    pub fn of(kernel: SimtKernel) -> Result<Program, NoProgram> {
        let module = emit(&kernel).map_err(NoProgram::Refused)?;
        let host = compile(&host_part(&kernel)).map_err(|e| NoProgram::Failed(e.to_string()))?;
        Ok(Program { kernel, module, host })
    }

    /// The tensors that the caller provides.
    pub fn callers(&self) -> impl Iterator<Item = &MemTensor> {
        self.kernel.tensors.iter().filter(|t| !matches!(t.role, MemRole::Table(_) | MemRole::Workspace))
    }

    /// Tensors of the caller in the order of the kernel: the inputs, and outputs filled with a number.
    ///
    /// # Errors
    ///
    /// Names the tensor that has no shape.
    pub fn arguments(
        &self,
        member: &Cascade,
        inputs: &Tensors,
        bindings: &Bindings,
        fill: f64,
    ) -> Result<Vec<Tensor>, String> {
        self.callers().map(|m| argument(&m.name, member, inputs, bindings, fill)).collect()
    }

    /// Runs the kernel on the caller's tensors.
    ///
    /// # Errors
    ///
    /// Those of the launcher.
    pub fn run(&self, gpu: &Gpu, tensors: &mut [Tensor], scalars: &Scalars<'_>) -> Result<(), String> {
        let kernel = &self.kernel;
        let tables = tables(&kernel.tensors);
        let dims = dims(&kernel.tensors);
        let described = describe(&kernel.tensors, &tables, &dims)?;
        let ranks = ranks(&kernel.ints, &kernel.sources);
        let [scalar_names, float_names, asserts] = [&kernel.ints.scalars, &kernel.floats, &kernel.ints.asserts]
            .map(|names| names.iter().map(String::as_str).collect::<Vec<_>>());
        let stages = self.module.entries.iter().map(|e| Stage {
            entry: &e.name,
            tensors: &e.tensors,
            tables: e.tables,
            pool: e.pool,
            scratch: e.scratch,
        });
        let stages: Vec<Stage<'_>> = stages.collect();
        let member = Member {
            spec: &kernel.spec,
            tensors: &described,
            ranks: &ranks,
            int_scalars: &scalar_names,
            floats: &float_names,
            asserts: &asserts,
            prepare: self.host.prepare(),
            module: &self.module.text,
            stages: &stages,
        };
        let kernel = Kernel { name: &kernel.name, members: &[member] };
        let args: Vec<Arg<'_>> =
            tensors.iter_mut().zip(&described).map(|(t, d)| t.arg(!matches!(d.role, Role::In))).collect();
        let request = SliceLaunch { args: &args, ints: &scalars.ints, floats: &scalars.floats };
        gpu.run(&kernel, &request).map_err(|e| e.to_string())
    }
}
