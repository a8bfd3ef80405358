//! Launches on slices: upload, run, wait, read back.

use super::{Arg, Gpu, Kernel, Launch};
use crate::plan::View;
use crate::{DType, Error};
use ::wgpu::{Buffer, BufferDescriptor, BufferUsages, CommandEncoderDescriptor, MapMode, PollType};

/// Arguments of a launch on slices.
#[derive(Clone, Copy, Debug)]
pub struct SliceLaunch<'a> {
    /// The caller's tensors, in the order of the kernel's description.
    pub args: &'a [crate::cpu::Arg<'a>],
    /// Integer scalars, and extents of ranks that no tensor fixes, by name.
    pub ints: &'a [(&'a str, i64)],
    /// Float scalars by name.
    pub floats: &'a [(&'a str, f32)],
}

impl Gpu {
    /// Copies the tensors to the device, runs the kernel and copies its outputs back.
    ///
    /// # Errors
    ///
    /// Any [`Error`]; no output has been written then.
    pub fn run(&self, kernel: &Kernel<'_>, launch: &SliceLaunch<'_>) -> Result<(), Error> {
        let most = self.device().limits().max_buffer_size;
        for arg in launch.args {
            let (needed, available) = (u128::from(size(&arg.view)), u128::from(most));
            if needed > available {
                return Err(Error::Limit { what: "bytes of a tensor".into(), needed, available });
            }
        }
        let total = launch.args.iter().map(|a| u128::from(size(&a.view))).sum();
        let buffers = self.guarded(total, || launch.args.iter().map(|a| self.upload(a)).collect::<Vec<_>>())?;
        let args = launch.args.iter().zip(&buffers).map(|(a, b)| Arg {
            buffer: b,
            // The slice ends where it ends, whatever the buffer's padding.
            view: a.view,
        });
        let args: Vec<_> = args.collect();
        self.launch(kernel, &Launch { args: &args, ints: launch.ints, floats: launch.floats })?;
        let outputs: Vec<_> = launch.args.iter().zip(&buffers).filter(|(a, _)| a.view.writable).collect();
        let staged = self.guarded(total, || self.stage(&outputs))?;
        for ((arg, _), staging) in outputs.iter().zip(&staged) {
            self.read_back(arg, staging)?;
        }
        Ok(())
    }

    fn upload(&self, arg: &crate::cpu::Arg<'_>) -> Buffer {
        let buffer = self.device().create_buffer(&BufferDescriptor {
            label: None,
            size: size(&arg.view),
            usage: BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        let bytes = arg.bytes();
        let whole = bytes.len() / 4 * 4;
        if whole > 0 {
            self.queue().write_buffer(&buffer, 0, &bytes[..whole]);
        }
        if whole < bytes.len() {
            let mut last = [0; 4];
            last[..bytes.len() - whole].copy_from_slice(&bytes[whole..]);
            self.queue().write_buffer(&buffer, whole as u64, &last);
        }
        buffer
    }

    /// Copies the outputs to buffers that the host can map.
    fn stage(&self, outputs: &[(&crate::cpu::Arg<'_>, &Buffer)]) -> Vec<Buffer> {
        let mut encoder = self.device().create_command_encoder(&CommandEncoderDescriptor::default());
        let mut staged = vec![];
        for (_, buffer) in outputs {
            let staging = self.device().create_buffer(&BufferDescriptor {
                label: Some("read back"),
                size: buffer.size(),
                usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, buffer.size());
            staged.push(staging);
        }
        self.queue().submit([encoder.finish()]);
        staged.iter().for_each(|s| s.slice(..).map_async(MapMode::Read, |_| {}));
        staged
    }

    fn read_back(&self, arg: &crate::cpu::Arg<'_>, staging: &Buffer) -> Result<(), Error> {
        let failed = |e: &dyn std::fmt::Display| Error::Device { reason: e.to_string() };
        self.device().poll(PollType::wait_indefinitely()).map_err(|e| failed(&e))?;
        let mapped = staging.slice(..).get_mapped_range().map_err(|e| failed(&e))?;
        arg.fill(&mapped);
        Ok(())
    }
}

/// Bytes of a tensor's slice in whole words; buffers are never empty.
fn size(view: &View<'_>) -> u64 {
    (view.len as u64).saturating_mul(view.dtype.bytes() as u64).next_multiple_of(4).max(4)
}

impl crate::cpu::Arg<'_> {
    fn bytes(&self) -> &[u8] {
        // SAFETY: the argument borrows a slice of `len` elements of a type without padding.
        unsafe { std::slice::from_raw_parts(self.ptr, self.view.len * self.view.dtype.bytes()) }
    }

    /// Replaces the elements of an output.
    fn fill(&self, bytes: &[u8]) {
        let len = self.view.len * self.view.dtype.bytes();
        let truth = self.view.dtype == DType::Bool;
        for (i, byte) in bytes[..len].iter().enumerate() {
            let byte = if truth { u8::from(*byte != 0) } else { *byte };
            // SAFETY: a writable argument borrows its slice mutably, and every bit pattern is an element; truth values are 0 or 1.
            unsafe { self.ptr.add(i).write(byte) };
        }
    }
}
