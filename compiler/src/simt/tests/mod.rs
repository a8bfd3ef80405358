//! Tests of the SIMT level: the executor on stages built by hand, the lowering against the interpreter of the cascade.

mod exec;
mod lowering;
