//! Launches on the caller's buffers.

use super::memory::{Memory, Words};
use super::plan::{Plan, plan};
use super::{Gpu, Kernel, pipeline};
use crate::plan::View;
use crate::{DType, Error};
use ::wgpu::{Buffer, CommandEncoderDescriptor, ComputePassDescriptor};

/// A tensor in a buffer of the device. The buffer needs the usage `STORAGE`, and whole words of 4 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Arg<'a> {
    pub(super) buffer: &'a Buffer,
    pub(super) view: View<'a>,
}

impl<'a> Arg<'a> {
    /// An input.
    pub fn read(buffer: &'a Buffer, dtype: DType, shape: &'a [usize], strides: &'a [usize]) -> Self {
        Arg::new(buffer, dtype, false, shape, strides)
    }

    /// An output. No other argument may be in the same buffer.
    pub fn write(buffer: &'a Buffer, dtype: DType, shape: &'a [usize], strides: &'a [usize]) -> Self {
        Arg::new(buffer, dtype, true, shape, strides)
    }

    fn new(buffer: &'a Buffer, dtype: DType, writable: bool, shape: &'a [usize], strides: &'a [usize]) -> Self {
        let words = buffer.size() / 4;
        let len = usize::try_from(words * 4 / dtype.bytes() as u64).unwrap_or(usize::MAX);
        Arg { buffer, view: View { len, dtype, writable, shape, strides } }
    }
}

/// Arguments of a launch.
#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    /// The caller's tensors, in the order of the kernel's description.
    pub args: &'a [Arg<'a>],
    /// Integer scalars, and extents of ranks that no tensor fixes, by name.
    pub ints: &'a [(&'a str, i64)],
    /// Float scalars by name.
    pub floats: &'a [(&'a str, f32)],
}

impl Gpu {
    /// Checks the arguments and queues the kernel.
    ///
    /// # Errors
    ///
    /// Any [`Error`]; no output has been written then. In browsers, what the device itself finds wrong goes to its error handler.
    pub fn launch(&self, kernel: &Kernel<'_>, launch: &Launch<'_>) -> Result<(), Error> {
        let plan = plan(kernel, launch, &self.device().limits())?;
        let key = (plan.member.module.to_string(), Words::tables(plan.member.tensors));
        let pipelines = self.pipelines(key, |key| pipeline::make(self, plan.member, key))?;
        let memory = self.guarded(plan.bytes(), || Memory::new(self, &plan))?;
        self.guarded(0, || self.queue_stages(&plan, launch, &pipelines, &memory))
    }

    fn queue_stages(&self, plan: &Plan<'_>, launch: &Launch<'_>, made: &pipeline::Pipelines, memory: &Memory) {
        let mut encoder = self.device().create_command_encoder(&CommandEncoderDescriptor::default());
        for (s, stage) in plan.member.stages.iter().enumerate() {
            if plan.groups[s] == 0 {
                continue;
            }
            let bound = memory.bind(self, plan, stage, launch, made, s);
            let mut pass =
                encoder.begin_compute_pass(&ComputePassDescriptor { label: Some(stage.entry), timestamp_writes: None });
            pass.set_pipeline(&made.stages[s].pipeline);
            pass.set_bind_group(0, &bound, &[]);
            pass.dispatch_workgroups(plan.groups[s], 1, 1);
        }
        self.queue().submit([encoder.finish()]);
    }
}
