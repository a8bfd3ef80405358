//! Machine code in this process.

use crate::isa::target_isa;
use crate::module::define;
use crate::{Arch, Error};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, default_libcall_names};
use einattn_compiler::lane::LaneKernel;
use std::sync::Mutex;

/// A compiled function: `(ptrs, ints, floats, scratch, begin, end)`, see `einattn_compiler::lane`.
///
/// # Safety
/// `ptrs` holds one valid base pointer a tensor, with the shapes that `ints` tells; `ints` and `floats` hold every
/// slot; `scratch` is 64-byte aligned, has the bytes that `prepare` computed and is private to the call; the items lie in the
/// stage's grid.
pub type StageFn = unsafe extern "C" fn(*const *mut u8, *mut i64, *const f32, *mut u8, i64, i64);

/// Machine code of a kernel in this process; dropping it frees the code.
pub struct Compiled {
    prepare: StageFn,
    stages: Vec<StageFn>,
    /// Owner of the code. Locked by nobody: the mutex makes the owner shareable.
    module: Mutex<Option<JITModule>>,
}

impl Compiled {
    /// Fills the derived part of `ints`. Valid as long as `self` lives.
    pub fn prepare(&self) -> StageFn {
        self.prepare
    }

    /// The stages in execution order. Valid as long as `self` lives.
    pub fn stages(&self) -> &[StageFn] {
        &self.stages
    }
}

impl Drop for Compiled {
    fn drop(&mut self) {
        let module = match self.module.get_mut() {
            Ok(m) => m.take(),
            Err(poisoned) => poisoned.into_inner().take(),
        };
        if let Some(module) = module {
            // SAFETY: the function pointers are handed out with the promise that they are not used after `self`.
            unsafe { module.free_memory() };
        }
    }
}

/// Compiles a kernel for this machine.
pub fn compile(kernel: &LaneKernel) -> Result<Compiled, Error> {
    compile_for(kernel, &Arch::Native)
}

/// Compiles a kernel for an instruction set that this machine must have.
pub(crate) fn compile_for(kernel: &LaneKernel, arch: &Arch) -> Result<Compiled, Error> {
    let isa = target_isa(arch, false)?;
    let mut module = JITModule::new(JITBuilder::with_isa(isa, default_libcall_names()));
    let defined = define(&mut module, kernel)?;
    module.finalize_definitions().map_err(|e| Error::Bug(e.to_string()))?;
    let prepare = function(&module, defined.prepare);
    let stages = defined.stages.iter().map(|id| function(&module, *id)).collect();
    Ok(Compiled { prepare, stages, module: Mutex::new(Some(module)) })
}

fn function(module: &JITModule, id: FuncId) -> StageFn {
    let code = module.get_finalized_function(id);
    // SAFETY: `define` declared every function of the module with this signature in the platform's C convention.
    unsafe { std::mem::transmute::<*const u8, StageFn>(code) }
}
