//! Memory of a device that is freed when it is dropped.

use super::Device;
use super::driver::failed;
use crate::Error;
use cudarc::driver::result;

/// Memory of a device.
#[derive(Debug)]
pub struct Buffer {
    device: &'static Device,
    ptr: u64,
    len: usize,
}

impl Buffer {
    /// Memory of this many bytes with any content, aligned to 256.
    ///
    /// # Errors
    ///
    /// There is not that much.
    pub fn new(device: &'static Device, bytes: usize) -> Result<Buffer, Error> {
        device.enter()?;
        // SAFETY: every byte is a valid byte.
        let ptr = unsafe { result::malloc_sync(bytes.max(1)) };
        let ptr = ptr.map_err(|_| Error::OutOfMemory { bytes: bytes as u128 })?;
        Ok(Buffer { device, ptr, len: bytes })
    }

    /// A copy of bytes of the host.
    ///
    /// # Errors
    ///
    /// There is not that much memory.
    pub fn of(device: &'static Device, bytes: &[u8]) -> Result<Buffer, Error> {
        let buffer = Buffer::new(device, bytes.len())?;
        buffer.write(bytes)?;
        Ok(buffer)
    }

    /// Address on the device.
    pub fn ptr(&self) -> u64 {
        self.ptr
    }

    /// Bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Copies from the host, after everything that the device was given before.
    ///
    /// # Errors
    ///
    /// The lengths differ, or the driver failed.
    pub fn write(&self, bytes: &[u8]) -> Result<(), Error> {
        self.same_length(bytes.len())?;
        // SAFETY: the memory has this length.
        unsafe { result::memcpy_htod_sync(self.ptr, bytes) }.map_err(failed("copying to the device"))
    }

    /// Copies to the host, after everything that the device was given before.
    ///
    /// # Errors
    ///
    /// The lengths differ, or the driver failed.
    pub fn read(&self, bytes: &mut [u8]) -> Result<(), Error> {
        self.same_length(bytes.len())?;
        // SAFETY: the memory has this length.
        unsafe { result::memcpy_dtoh_sync(bytes, self.ptr) }.map_err(failed("copying from the device"))
    }

    fn same_length(&self, bytes: usize) -> Result<(), Error> {
        self.device.enter()?;
        if bytes == self.len {
            return Ok(());
        }
        Err(Error::Device { reason: format!("a copy of {bytes} bytes of a buffer of {}", self.len) })
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.device.enter().is_ok() {
            // SAFETY: the memory is this buffer's. An error means that the context is gone, and the memory with it.
            let _ = unsafe { result::free_sync(self.ptr) };
        }
    }
}
