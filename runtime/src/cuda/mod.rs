//! Kernels on NVIDIA GPUs, through the driver alone: descriptions, checks, launch.
//!
//! [`Program::launch`] takes pointers of device memory and a stream, so that it works with the tensors of any framework. It
//! neither waits for the device nor allocates when it is given its workspace, and hence can be captured in a CUDA graph.
//! [`Program::run`] takes tensors of the host and waits.
//!
//! The driver assembles a kernel's PTX when a launch first needs it, or at [`Program::load`]: once in a process for each
//! device.

mod arg;
mod buffer;
mod device;
mod driver;
mod host;
mod kernel;
mod launch;
mod module;
#[cfg(test)]
mod tests;

pub use crate::signature::{RankDesc, RankSource, Role, TensorDesc};
pub use arg::Arg;
pub use buffer::Buffer;
pub use device::Device;
pub use kernel::{Entry, Kernel, Member, PrepareFn};
pub use launch::{Launch, Program, Stream, Workspace};
