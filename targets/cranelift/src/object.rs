//! Object code: what a linker takes, without any other file of this project.

use crate::isa::target_isa;
use crate::module::{define, table_symbol};
use crate::table::table_bytes;
use crate::{Arch, Error};
use cranelift_module::{DataDescription, Linkage, Module, default_libcall_names};
use cranelift_object::{ObjectBuilder, ObjectModule};
use einattn_compiler::lane::{LaneKernel, MemRole};

/// Object code of a kernel with the C symbols `NAME_prepare`, `NAME_stage0`, … and `NAME_table_TENSOR`, in the
/// format of the system.
pub fn emit_object(kernel: &LaneKernel, arch: &Arch) -> Result<Vec<u8>, Error> {
    let isa = target_isa(arch, true)?;
    let builder = ObjectBuilder::new(isa, kernel.name.clone(), default_libcall_names()).map_err(bug)?;
    let mut module = ObjectModule::new(builder);
    define(&mut module, kernel)?;
    for t in &kernel.tensors {
        if let MemRole::Table(elements) = &t.role {
            let id = module.declare_data(&table_symbol(kernel, &t.name), Linkage::Export, false, false).map_err(bug)?;
            let mut data = DataDescription::new();
            data.define(table_bytes(t.dtype, elements).into());
            data.set_align(64);
            module.define_data(id, &data).map_err(bug)?;
        }
    }
    module.finish().emit().map_err(bug)
}

fn bug(e: impl std::fmt::Display) -> Error {
    Error::Bug(e.to_string())
}
