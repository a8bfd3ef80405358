//! Target Cranelift: machine code from lane IR, in this process or as object code.
//!
//! One lane function becomes one Cranelift function of the same signature. Vectors are 128 bits wide, the widest that
//! Cranelift's backends have. The result calls nothing and refers to nothing: a kernel's code has no relocation, which
//! is checked after every compilation. 16-bit and 8-bit floats are converted by integer arithmetic, since the backends
//! lack them.

mod convert;
mod error;
mod func;
mod header;
mod isa;
mod jit;
mod manifest;
mod math;
mod module;
mod object;
mod op;
mod table;

#[cfg(test)]
mod tests;

pub use error::Error;
pub use header::c_header;
pub use isa::Arch;
pub use jit::{Compiled, StageFn, compile};
pub use manifest::manifest;
pub use object::emit_object;
pub use table::table_bytes;
