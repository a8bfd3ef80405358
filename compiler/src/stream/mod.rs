//! L2: the stream IR. Ordered passes over ranks, each carrying one state monoid. What "online" means lives here.
//!
//! A stage evaluates every point of its grid independently. Its passes stream ranks and fold accumulators; nodes
//! that keep a streamed rank are recomputed where they are read, so no stage holds a tensor over grid × streamed
//! ranks. Stages communicate through memory only.

mod def;
mod explain;
#[cfg(test)]
mod explain_tests;
mod parse;
mod print;
#[cfg(test)]
mod tests;
mod tiled;
mod verify;

pub use def::*;
pub use explain::{cascades, einsums, explain};
pub use parse::parse;
pub use print::print;
pub use tiled::{Form, tiled};
pub use verify::verify;
