//! Target WGSL: one module a kernel, with one compute entry point a stage.
//!
//! Assumes a SIMT kernel that verifies. Guarantees portable text: no infinite or NaN constant, no subgroup operation, no feature
//! beyond the core of WebGPU and none of its default limits exceeded but that of storage buffers (up to 10 instead of 8); barriers lie in control flow that WGSL's own analysis
//! finds uniform. What does not fit is refused, with the numbers.
//!
//! `ints`, `floats` and the place of each workspace tensor lie in a uniform buffer ([`ArgsLayout`]). Every tensor of the caller is a
//! binding; tables share one, workspace and scratch share another.

mod layout;
mod limits;
mod manifest;
mod memory;
mod module;
mod names;
mod op;
mod prelude;
mod stage;
mod uniform;

pub use layout::{ArgsLayout, BINDING_ARGS, BINDING_POOL, BINDING_TABLES, BINDING_TENSORS, table_words};
pub use manifest::manifest;
pub use module::{Entry, Module, emit};
