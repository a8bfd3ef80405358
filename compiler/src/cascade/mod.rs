//! L1: the cascade IR. One node is one Einsum; SSA; no loops, no memory.
//!
//! All algebra happens at this level. Absence is gone: the checker's elaboration made every domain explicit
//! (`Node::dom`, `Node::fold`), so a body is evaluated only where all its reads are present.

mod build;
mod def;
mod parse;
mod print;
pub(crate) mod text;
mod typing;
mod verify;

#[cfg(test)]
mod tests;

pub use def::*;
pub use parse::parse;
pub use print::{node_text, print};
pub use verify::verify;
