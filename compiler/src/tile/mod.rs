//! L3: the tile IR. Structured loops over tile values with explicit memory spaces.
//!
//! One axis of a stage may be the lane axis: tiles keep it innermost, and a target vectorises it. Masks have become
//! loop ranges (`Range`) and `Select`s; indices that were not proved in bounds are clamped and selected explicitly,
//! so no statement reads outside a tensor, whatever the data.

mod build;
mod def;
mod parse;
mod print;
mod verify;

pub use def::*;
pub use parse::parse;
pub use print::{KEYWORDS, print, print_expr, print_stages};
pub use verify::{Verified, verify};
