//! Object code: what a linker takes, without any other file of this project.

use crate::isa::target_isa;
use crate::module::define;
use crate::{Arch, Error};
use cranelift_module::default_libcall_names;
use cranelift_object::{ObjectBuilder, ObjectModule};
use einattn_compiler::lane::LaneKernel;

/// Object code of a kernel with the C symbols `NAME_prepare`, `NAME_stage0`, …, in the format of the system.
pub fn emit_object(kernel: &LaneKernel, arch: &Arch) -> Result<Vec<u8>, Error> {
    let isa = target_isa(arch, true)?;
    let bug = |e: &dyn std::fmt::Display| Error::Bug(e.to_string());
    let builder = ObjectBuilder::new(isa, kernel.name.clone(), default_libcall_names()).map_err(|e| bug(&e))?;
    let mut module = ObjectModule::new(builder);
    define(&mut module, kernel)?;
    module.finish().emit().map_err(|e| bug(&e))
}
