//! Attention kernels, compiled ahead of time from Einsum cascades.
//!
//! [`attn!`] takes kernels written as cascades of Einsums and expands to one launcher struct a kernel: fill in its
//! tensors and scalars, then call `run`. Nothing is compiled at run time.
//!
//! Tensors are borrowed slices with a shape and strides ([`Tensor`], [`TensorMut`]). Every launch checks shapes,
//! dtypes, strides and bounds before the first write and returns an [`Error`] that names what does not fit.

mod element;
mod error;
mod tensor;

pub mod cpu;

pub use einattn_macros::{attn, attn_file, attn_lib};
pub use element::{DType, Element};
pub use error::Error;
pub use half::{bf16, f16};
pub use tensor::{Tensor, TensorMut};

/// What generated code names; not part of the public interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::cpu;
    pub use crate::element::Element;
    pub use crate::error::Error;
    pub use crate::tensor::{Tensor, TensorMut};
}
