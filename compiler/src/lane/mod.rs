//! Lane IR: what the CPU targets share below L3. Typed scalar and vector operations on local scratch and memory.
//!
//! The lane axis of L3 has become vectors, contractions have become register tiles, transcendental functions have
//! become polynomials. An emitter is one flat match over `Op` and `Inst`.

mod build;
mod def;
pub mod exec;
mod lower;
pub(crate) mod parse;
mod print;
#[cfg(test)]
pub(crate) mod tests;
mod typing;
mod verify;

pub use build::Builder;
pub use def::*;
pub use lower::lower;
pub(crate) use lower::{ScalarSlot, Slots, prepare_threads};
pub use parse::parse;
pub(crate) use print::{print_arguments, print_func};
pub use typing::{infer, load_type};
pub use verify::verify;
