//! Kernels on the CPU: descriptions, checks, launch.

mod kernel;
mod launch;
mod plan;
mod pool;
#[doc(hidden)]
pub mod simd;
#[cfg(test)]
mod tests;

pub use crate::arg::Arg;
pub use crate::signature::{RankDesc, RankSource, Role, TensorDesc};
pub use kernel::{Isa, Kernel, Member, StageFn};
pub use launch::{Launch, launch};

/// Options of a launch.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// Threads to use; 0 uses the current rayon pool. Results do not depend on it.
    pub threads: usize,
    /// Use this instruction set (`avx512`, `avx2`, `portable`) instead of the best one that the CPU has. Ignored if
    /// the CPU lacks it.
    pub isa: Option<&'a str>,
}
