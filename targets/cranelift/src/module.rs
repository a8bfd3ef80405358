//! The functions of a kernel, defined in any Cranelift module.

use crate::isa::Features;
use crate::{Error, func};
use cranelift_codegen::Context;
use cranelift_codegen::ir::{AbiParam, Signature, types};
use cranelift_frontend::FunctionBuilderContext;
use cranelift_module::{FuncId, Linkage, Module, ModuleError};
use einattn_compiler::lane::{Func, LaneKernel};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Symbol of the function that prepares a launch.
pub(crate) fn prepare_symbol(kernel: &LaneKernel) -> String {
    format!("{}_prepare", kernel.name)
}

/// Symbol of a stage.
pub(crate) fn stage_symbol(kernel: &LaneKernel, stage: usize) -> String {
    format!("{}_stage{stage}", kernel.name)
}

/// Symbol of a constant table.
pub(crate) fn table_symbol(kernel: &LaneKernel, tensor: &str) -> String {
    format!("{}_table_{tensor}", kernel.name)
}

/// The functions of a kernel in a module.
pub(crate) struct Defined {
    pub(crate) prepare: FuncId,
    pub(crate) stages: Vec<FuncId>,
}

/// Compiles every function of the kernel into the module.
pub(crate) fn define<M: Module>(module: &mut M, kernel: &LaneKernel) -> Result<Defined, Error> {
    if kernel.lanes != 4 {
        return Err(Error::Unsupported(format!("vectors of {} lanes", kernel.lanes)));
    }
    // Cranelift panics where a lowering rule is missing; that is a bug to report, not a reason to die.
    catch_unwind(AssertUnwindSafe(|| define_all(module, kernel))).unwrap_or_else(|p| Err(Error::from_panic(&*p)))
}

fn define_all<M: Module>(module: &mut M, kernel: &LaneKernel) -> Result<Defined, Error> {
    let mut builder = FunctionBuilderContext::new();
    let mut one = |symbol: String, f: &Func, writes: bool| define_one(module, &mut builder, kernel, &symbol, f, writes);
    let prepare = one(prepare_symbol(kernel), &kernel.prepare, true)?;
    let stages = kernel.stages.iter().enumerate().map(|(i, s)| one(stage_symbol(kernel, i), &s.func, false));
    Ok(Defined { prepare, stages: stages.collect::<Result<_, _>>()? })
}

/// `fn(ptrs, ints, floats, scratch, begin, end)` in the platform's C convention.
fn signature<M: Module>(module: &M) -> Signature {
    let mut sig = module.make_signature();
    let pointer = module.target_config().pointer_type();
    sig.params.extend([pointer; 4].map(AbiParam::new));
    sig.params.extend([types::I64; 2].map(AbiParam::new));
    sig
}

fn define_one<M: Module>(
    module: &mut M,
    builder: &mut FunctionBuilderContext,
    kernel: &LaneKernel,
    symbol: &str,
    f: &Func,
    writes_ints: bool,
) -> Result<FuncId, Error> {
    let bug = |e: ModuleError| Error::Bug(format!("{symbol}: {e:?}"));
    let mut ctx = Context::new();
    ctx.func.signature = signature(module);
    let features = Features::of(module.isa());
    func::build(&mut ctx.func, builder, kernel, f, features, writes_ints, module.isa().frontend_config())?;
    let id = module.declare_function(symbol, Linkage::Export, &ctx.func.signature).map_err(bug)?;
    module.define_function(id, &mut ctx).map_err(bug)?;
    let relocs = ctx.compiled_code().map_or(0, |c| c.buffer.relocs().len());
    if relocs != 0 {
        return Err(Error::Bug(format!("{symbol} refers to {relocs} symbols outside of it")));
    }
    Ok(id)
}
