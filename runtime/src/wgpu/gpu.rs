//! A device with its queue and the pipelines made for it.

use super::pipeline::Pipelines;
use crate::Error;
use ::wgpu::{Device, ErrorFilter, Queue};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A device, its queue, and the pipelines of the kernels that ran on it.
#[derive(Debug)]
pub struct Gpu {
    device: Device,
    queue: Queue,
    pipelines: Mutex<BTreeMap<Key, Arc<Pipelines>>>,
}

/// Text and tables of a module.
pub(super) type Key = (String, Vec<u32>);

impl Gpu {
    /// Uses the caller's device and queue.
    pub fn new(device: Device, queue: Queue) -> Gpu {
        Gpu { device, queue, pipelines: Mutex::default() }
    }

    /// Opens the system's fastest adapter, with all its limits. `WGPU_BACKEND` chooses among back ends.
    ///
    /// # Errors
    ///
    /// Says why there is none.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open() -> Result<Gpu, Error> {
        let instance = ::wgpu::Instance::new(::wgpu::InstanceDescriptor::new_without_display_handle_from_env());
        let fastest = ::wgpu::RequestAdapterOptions {
            power_preference: ::wgpu::PowerPreference::HighPerformance,
            ..::wgpu::RequestAdapterOptions::default()
        };
        let failed = |reason: String| Error::NoDevice { reason };
        let adapter = pollster::block_on(instance.request_adapter(&fastest)).map_err(|e| failed(e.to_string()))?;
        let wanted = ::wgpu::DeviceDescriptor {
            label: Some("einattn"),
            required_limits: adapter.limits(),
            ..::wgpu::DeviceDescriptor::default()
        };
        let opened = pollster::block_on(adapter.request_device(&wanted));
        let (device, queue) = opened.map_err(|e| failed(e.to_string()))?;
        Ok(Gpu::new(device, queue))
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The queue.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// The pipelines of a module, made at its first launch.
    pub(super) fn pipelines(
        &self,
        key: Key,
        make: impl FnOnce(&Key) -> Result<Pipelines, Error>,
    ) -> Result<Arc<Pipelines>, Error> {
        if let Some(made) = self.lock().get(&key) {
            return Ok(made.clone());
        }
        let made = Arc::new(make(&key)?);
        self.lock().insert(key, made.clone());
        Ok(made)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Key, Arc<Pipelines>>> {
        self.pipelines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something and returns the device's complaint as an error; `bytes` is what it allocates. Browsers tell errors later, to
    /// the device's own handler.
    pub(super) fn guarded<T>(&self, bytes: u128, f: impl FnOnce() -> T) -> Result<T, Error> {
        let filters = [ErrorFilter::Validation, ErrorFilter::OutOfMemory, ErrorFilter::Internal];
        let scopes = filters.map(|filter| self.device.push_error_scope(filter));
        let done = f();
        let mut errors = scopes.into_iter().rev().map(|scope| complaint(scope.pop()));
        let first = errors.by_ref().find_map(|e| e);
        // Scopes close in reverse order, all of them.
        errors.for_each(drop);
        match first {
            None => Ok(done),
            Some(::wgpu::Error::OutOfMemory { .. }) => Err(Error::OutOfMemory { bytes }),
            Some(other) => Err(Error::Device { reason: other.to_string() }),
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn complaint(scope: impl Future<Output = Option<::wgpu::Error>>) -> Option<::wgpu::Error> {
    pollster::block_on(scope)
}

#[cfg(target_arch = "wasm32")]
fn complaint(scope: impl Future<Output = Option<::wgpu::Error>>) -> Option<::wgpu::Error> {
    drop(scope);
    None
}
