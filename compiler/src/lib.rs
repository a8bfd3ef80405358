//! The einattn compiler: language, intermediate representations, passes and interpreters.
//!
//! Pure: no input or output, no unsafe code, no heavy dependency. Every front door (the `attn!` macro, the `attnc`
//! command, tests) calls the same functions. See `ARCHITECTURE.md` for the map.
#![forbid(unsafe_code)]

pub mod cascade;
pub mod check;
pub mod diag;
pub mod driver;
pub mod explain;
pub mod interp;
pub mod lane;
pub mod library;
pub mod math;
pub mod passes;
pub mod schedule;
pub mod simt;
pub mod stream;
pub mod syntax;
pub mod target;
pub mod tile;
pub mod types;
mod types_fold;
mod types_round;
