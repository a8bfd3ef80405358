//! Kernels on an NVIDIA GPU of this machine, through the runtime's launcher.

use crate::cpu::{NoProgram, Scalars, Tensor, argument, describe, dims, ranks, tables};
use crate::gpu::host_part;
use einattn::cpu::Arg;
use einattn::cuda::{self, Device, Entry, Kernel, Member};
use einattn_compiler::cascade::Cascade;
use einattn_compiler::driver;
use einattn_compiler::interp::{Bindings, Tensors};
use einattn_compiler::lane::{MemRole, MemTensor};
use einattn_compiler::simt::SimtKernel;
use einattn_target_cranelift::{Compiled, compile};
pub use einattn_target_ptx::Arch;
use einattn_target_ptx::{Module, emit};

/// A kernel as PTX, with its host part as machine code of this process.
pub struct Program {
    /// What was emitted.
    pub kernel: SimtKernel,
    /// PTX and what a launch of it needs.
    pub module: Module,
    host: Compiled,
}

/// The family of GPUs that a device belongs to.
///
/// # Errors
///
/// The device is older than all of them, or does not answer.
pub fn arch(device: &cuda::Device) -> Result<Arch, String> {
    let (major, minor) = device.capability().map_err(|e| e.to_string())?;
    Arch::of_capability(major, minor)
        .ok_or_else(|| format!("compute capability {major}.{minor}; the ptx target needs 8.0 or later"))
}

impl Program {
    /// Lowers one member of a kernel for a family of GPUs and emits it.
    ///
    /// # Errors
    ///
    /// The kernel is refused, or the target failed.
    pub fn new(member: &Cascade, arch: Arch, options: &driver::Options) -> Result<Program, NoProgram> {
        let kernel = driver::lower_gpu(member, &arch.caps(), options).map_err(NoProgram::Refused)?;
        Program::of(kernel, arch)
    }

    /// Emits a kernel for a family of GPUs.
    ///
    /// # Errors
    ///
    /// The target failed.
    pub fn of(kernel: SimtKernel, arch: Arch) -> Result<Program, NoProgram> {
        let module = emit(&kernel, arch).map_err(|e| NoProgram::Failed(e.to_string()))?;
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

    /// Gives the kernel to `f` on a device.
    ///
    /// # Errors
    ///
    /// Those of `f`, and types that the runtime lacks.
    pub fn on<R>(
        &self,
        device: &'static Device,
        f: impl FnOnce(&cuda::Program<'_>) -> Result<R, String>,
    ) -> Result<R, String> {
        let kernel = &self.kernel;
        let (tables, dims) = (tables(&kernel.tensors), dims(&kernel.tensors));
        let tensors = describe(&kernel.tensors, &tables, &dims)?;
        let ranks = ranks(&kernel.ints, &kernel.sources);
        let [int_scalars, floats, asserts] = [&kernel.ints.scalars, &kernel.floats, &kernel.ints.asserts]
            .map(|names| names.iter().map(String::as_str).collect::<Vec<_>>());
        let entries: Vec<Entry<'_>> = self.module.entries.iter().map(entry).collect();
        let member = Member {
            spec: &kernel.spec,
            tensors: &tensors,
            ranks: &ranks,
            int_scalars: &int_scalars,
            floats: &floats,
            asserts: &asserts,
            prepare: self.host.prepare(),
            ptx: &self.module.text,
            entries: &entries,
            alignment: &self.module.alignment,
        };
        f(&cuda::Program::new(device, Kernel { name: &kernel.name, members: &[member] }))
    }

    /// Runs the kernel on tensors of the host.
    ///
    /// # Errors
    ///
    /// Those of the launcher.
    pub fn run(&self, device: &'static Device, tensors: &mut [Tensor], scalars: &Scalars<'_>) -> Result<(), String> {
        let written: Vec<bool> = self.callers().map(|t| t.role != MemRole::In).collect();
        let args: Vec<Arg<'_>> = tensors.iter_mut().zip(written).map(|(t, written)| t.arg(written)).collect();
        self.on(device, |p| p.run(&args, &scalars.ints, &scalars.floats).map_err(|e| e.to_string()))
    }
}

fn entry(e: &einattn_target_ptx::Entry) -> Entry<'_> {
    Entry { name: &e.name, threads: e.threads, shared_bytes: e.shared_bytes, scratch: e.scratch }
}
