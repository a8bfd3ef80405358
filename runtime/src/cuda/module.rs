//! PTX on a device: assembled by the driver, with its entries and the tables of constants.

use super::driver::failed;
use super::{Buffer, Device, Member, Role};
use crate::Error;
use cudarc::driver::result::{function, module, occupancy};
use cudarc::driver::sys::{
    CUdevice_attribute as Attribute, CUfunction, CUfunction_attribute as Property, CUjit_option as Jit, CUmodule,
    cuModuleLoadDataEx,
};
use std::ffi::{CString, c_void};
use std::ptr;

/// Bytes of each of the driver's logs.
const LOG: usize = 16 << 10;

/// Shared memory of a block that needs no leave.
const PLAIN_SHARED: u32 = 48 << 10;

/// An assembled member.
pub(super) struct Module {
    pub(super) functions: Vec<CUfunction>,
    /// Blocks of each stage that run at the same time.
    pub(super) resident: Vec<u32>,
    /// Address of each table, by tensor.
    pub(super) tables: Vec<Option<Buffer>>,
}

// SAFETY: the driver's handles may be used on any thread.
unsafe impl Send for Module {}
// SAFETY: nothing is changed once it is loaded.
unsafe impl Sync for Module {}

impl Module {
    /// Assembles a member. It stays loaded until the process ends.
    pub(super) fn load(device: &'static Device, member: &Member<'_>) -> Result<Module, Error> {
        device.enter()?;
        let capability = device.capability()?;
        if capability < (8, 0) {
            let (major, minor) = capability;
            return Err(Error::NoDevice { reason: format!("the GPU has compute capability {major}.{minor}, not 8.0") });
        }
        let image = assemble(member.ptx)?;
        let processors = device.attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
        let (mut functions, mut resident) = (vec![], vec![]);
        for entry in member.entries {
            let name = CString::new(entry.name).map_err(|e| Error::Device { reason: e.to_string() })?;
            // SAFETY: the module was just loaded.
            let f = unsafe { module::get_function(image, name) }.map_err(failed(entry.name))?;
            if entry.shared_bytes > PLAIN_SHARED {
                let property = Property::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
                // SAFETY: the function is the module's.
                let set = unsafe { function::set_function_attribute(f, property, entry.shared_bytes as i32) };
                set.map_err(failed(&format!("{} bytes of shared memory", entry.shared_bytes)))?;
            }
            let (threads, shared) = (entry.threads as i32, entry.shared_bytes as usize);
            // SAFETY: the function is the module's.
            let blocks = unsafe { occupancy::max_active_block_per_multiprocessor(f, threads, shared) };
            let blocks = blocks.map_err(failed("occupancy"))?;
            functions.push(f);
            resident.push((blocks * processors).max(1) as u32);
        }
        let table = |t: &super::TensorDesc<'_>| match t.role {
            Role::Table(bytes) => Buffer::of(device, bytes).map(Some),
            Role::In | Role::Out | Role::InOut | Role::Workspace => Ok(None),
        };
        let tables = member.tensors.iter().map(table).collect::<Result<_, _>>()?;
        Ok(Module { functions, resident, tables })
    }
}

/// Lets the driver assemble a text; its own words if it does not.
fn assemble(text: &str) -> Result<CUmodule, Error> {
    let text = CString::new(text).map_err(|e| Error::Device { reason: e.to_string() })?;
    let (mut errors, mut infos) = (vec![0u8; LOG], vec![0u8; LOG]);
    let mut options = [
        Jit::CU_JIT_ERROR_LOG_BUFFER,
        Jit::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES,
        Jit::CU_JIT_INFO_LOG_BUFFER,
        Jit::CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES,
    ];
    let size: *mut c_void = ptr::without_provenance_mut(LOG);
    let mut values = [errors.as_mut_ptr().cast(), size, infos.as_mut_ptr().cast(), size];
    let mut module = ptr::null_mut();
    let (count, image) = (options.len() as u32, text.as_ptr().cast());
    // SAFETY: the text ends in a zero, and the logs are as long as the options say.
    let result =
        unsafe { cuModuleLoadDataEx(&raw mut module, image, count, options.as_mut_ptr(), values.as_mut_ptr()) };
    match result.result() {
        Ok(()) => Ok(module),
        Err(e) => {
            let words = |log: &[u8]| String::from_utf8_lossy(log.split(|b| *b == 0).next().unwrap_or(&[])).into_owned();
            let log = [words(&errors), words(&infos)].join("\n").trim().to_string();
            let Error::Device { reason } = failed("assembling a kernel")(e) else { return Err(failed("assembly")(e)) };
            Err(Error::Device { reason: format!("{reason}\n{log}") })
        }
    }
}
