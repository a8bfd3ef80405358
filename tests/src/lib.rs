//! Helpers shared by the test suites.

pub mod compiled;
pub mod generator;
#[cfg(feature = "cuda")]
pub mod gpu;
pub mod gpu_kernels;
pub mod launch;
pub mod oracle;
pub mod safety;
pub mod systems;
pub mod vectors;
