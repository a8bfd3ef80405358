//! Devices, and what is loaded on them.

use super::driver::{failed, start};
use super::module::Module;
use super::{Member, Role, TensorDesc};
use crate::Error;
use cudarc::driver::result::{ctx, device, primary_ctx};
use cudarc::driver::sys::{CUcontext, CUdevice, CUdevice_attribute as Attribute};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// What a module is made of: PTX and tables.
type Source = (String, Vec<Vec<u8>>);

/// A GPU with its primary context, which other libraries of the process share. It stays open until the process ends.
pub struct Device {
    ordinal: usize,
    device: CUdevice,
    context: CUcontext,
    /// Modules by what they were made of.
    modules: Mutex<BTreeMap<Source, Arc<Module>>>,
}

// SAFETY: the driver's handles may be used on any thread; the modules are behind a lock.
unsafe impl Send for Device {}
// SAFETY: as above.
unsafe impl Sync for Device {}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").field("ordinal", &self.ordinal).finish_non_exhaustive()
    }
}

static DEVICES: Mutex<BTreeMap<usize, &'static Device>> = Mutex::new(BTreeMap::new());

impl Device {
    /// The GPU with this number.
    ///
    /// # Errors
    ///
    /// There is no driver or no such GPU.
    pub fn get(ordinal: usize) -> Result<&'static Device, Error> {
        start()?;
        let mut devices = DEVICES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = devices.get(&ordinal) {
            return Ok(known);
        }
        let opened: &'static Device = Box::leak(Box::new(Device::open(ordinal)?));
        devices.insert(ordinal, opened);
        Ok(opened)
    }

    fn open(ordinal: usize) -> Result<Device, Error> {
        let count = device::get_count().map_err(failed("counting devices"))?;
        let number = i32::try_from(ordinal).ok().filter(|n| *n < count);
        let number = number.ok_or_else(|| Error::NoDevice { reason: format!("GPU {ordinal} of {count}") })?;
        let device = device::get(number).map_err(failed("opening a device"))?;
        // SAFETY: the device is the driver's.
        let context = unsafe { primary_ctx::retain(device) }.map_err(failed("opening a context"))?;
        Ok(Device { ordinal, device, context, modules: Mutex::new(BTreeMap::new()) })
    }

    /// Name of the product.
    ///
    /// # Errors
    ///
    /// The driver failed.
    pub fn name(&self) -> Result<String, Error> {
        device::get_name(self.device).map_err(failed("naming the device"))
    }

    /// Compute capability: (9, 0) for Hopper.
    ///
    /// # Errors
    ///
    /// The driver failed.
    pub fn capability(&self) -> Result<(i32, i32), Error> {
        let major = self.attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
        Ok((major, self.attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?))
    }

    pub(super) fn attribute(&self, which: Attribute) -> Result<i32, Error> {
        // SAFETY: the device is the driver's.
        unsafe { device::get_attribute(self.device, which) }.map_err(failed("asking the device"))
    }

    /// Makes the device's context the calling thread's.
    pub(super) fn enter(&self) -> Result<(), Error> {
        let current = ctx::get_current().map_err(failed("asking for the context"))?;
        if current == Some(self.context) {
            return Ok(());
        }
        // SAFETY: the context is retained for as long as the process runs.
        unsafe { ctx::set_current(self.context) }.map_err(failed("entering the context"))
    }

    /// Waits for everything that the device was given.
    ///
    /// # Errors
    ///
    /// What went wrong in a kernel since the last wait.
    pub fn wait(&self) -> Result<(), Error> {
        self.enter()?;
        ctx::synchronize().map_err(failed("waiting for the device"))
    }

    /// A member on this device: loaded now, or before if it has the same code and tables.
    pub(super) fn module(&'static self, member: &Member<'_>) -> Result<Arc<Module>, Error> {
        let table = |t: &TensorDesc<'_>| match t.role {
            Role::Table(bytes) => Some(bytes.to_vec()),
            Role::In | Role::Out | Role::InOut | Role::Workspace => None,
        };
        let source = (member.ptx.to_string(), member.tensors.iter().filter_map(table).collect());
        let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = modules.get(&source) {
            return Ok(known.clone());
        }
        let module = Arc::new(Module::load(self, member)?);
        modules.insert(source, module.clone());
        Ok(module)
    }
}
