//! Target cranelift.
