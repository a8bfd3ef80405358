//! Target PTX: text for NVIDIA GPUs from compute capability 8.0 on, from SIMT programs.
//!
//! One stage becomes one entry. All entries of a kernel have the same parameters, so that a launcher fills them once:
//! a pointer a memory tensor, the pointer of the scratch, `ints` by value, the floats. Nothing is copied to the device for a launch.
//!
//! Assumes that tensors do not overlap where one of them is written: what a stage only reads is read through the
//! read-only path. Pointers are aligned as [`Module::alignment`] says.

mod convert;
mod error;
mod func;
mod matrix;
mod memory;
mod module;
mod op;
pub mod ptxas;

pub use error::Error;
pub use module::{Arch, Entry, MAX_PARAMETER_BYTES, Module, emit};
