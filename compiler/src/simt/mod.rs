//! SIMT IR: what the GPU targets share below L3. The program of one thread of a block.
//!
//! The tiles of L3 are spread over the threads of a block, what threads share lies in shared memory between barriers, and contractions
//! are matrix instructions or multiply-adds. An emitter is one flat match over `Op` and `Inst`.

mod build;
mod def;
pub mod exec;
mod lower;
mod parse;
mod print;
pub mod swizzle;
#[cfg(test)]
pub(crate) mod tests;
pub mod typing;
mod verify;

pub use build::Builder;
pub use def::*;
pub use lower::lower;
pub use parse::parse;
pub use verify::verify;
