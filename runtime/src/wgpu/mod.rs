//! Kernels on GPUs through `wgpu`: Vulkan, Metal, DX12, and WebGPU in browsers.
//!
//! A [`Gpu`] is the caller's device and queue with the pipelines made for it. [`Gpu::launch`] works on the caller's buffers and returns
//! when the work is queued; [`Gpu::run`] takes slices, waits and reads back. Both check what the launcher of the CPU checks, and
//! that the device can bind and hold what the kernel needs, before anything is written.

mod gpu;
mod kernel;
mod launch;
mod memory;
mod pipeline;
mod plan;
#[cfg(not(target_arch = "wasm32"))]
mod slices;
#[cfg(test)]
mod tests;

pub use crate::cpu::StageFn;
pub use crate::signature::{RankDesc, RankSource, Role, TensorDesc};
pub use ::wgpu as api;
pub use gpu::Gpu;
pub use kernel::{Kernel, Member, Stage};
pub use launch::{Arg, Launch};
#[cfg(not(target_arch = "wasm32"))]
pub use slices::SliceLaunch;
