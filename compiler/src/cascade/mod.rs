//! L1: the cascade IR. One node is one Einsum; SSA; no loops, no memory.
//!
//! All algebra happens at this level. Absence is gone: the checker's elaboration made every domain explicit
//! (`Node::dom`, `Node::fold`), so a body is evaluated only where all its reads are present.

mod build;
mod def;

pub use def::*;
