//! Attention kernels, compiled ahead of time from Einsum cascades.
//!
//! [`attn!`] takes kernels written as cascades of Einsums and expands to one launcher struct a kernel: fill in its
//! tensors and scalars, then call `run`. Nothing is compiled at run time.
//!
//! ```
//! use einattn::{Tensor, TensorMut, attn};
//!
//! attn! {
//!     /// Causal softmax attention of one head.
//!     kernel causal_attention {
//!         rank P, M, E = 2;
//!         in  q: f32[P, E];
//!         in  k: f32[M, E];
//!         in  v: f32[M, E];
//!         out o: f32[P, E];
//!
//!         let s[p,m]: f32 = sum[e](q[p,e] * k[m,e]) / sqrt(E) where causal(p, m);
//!         o[p,e] = sum[m](softmax[m](s[p,m]) * v[m,e]);
//!         assert passes(M) == 1;
//!     }
//! }
//!
//! # fn main() -> Result<(), einattn::Error> {
//! // All keys are equal, so a row is the mean of the values that it sees.
//! let (q, k, v) = ([0.5_f32; 6], [1.0_f32; 6], [1.0_f32, 10.0, 3.0, 20.0, 5.0, 60.0]);
//! let mut o = [0.0_f32; 6];
//! causal_attention {
//!     q: Tensor::new(&q, [3, 2]),
//!     k: Tensor::new(&k, [3, 2]),
//!     v: Tensor::new(&v, [3, 2]),
//!     o: TensorMut::new(&mut o, [3, 2]),
//! }
//! .run()?;
//! let mean = [1.0, 10.0, 2.0, 15.0, 3.0, 30.0];
//! assert!(o.iter().zip(mean).all(|(o, mean)| (o - mean).abs() < 1e-4));
//! # Ok(())
//! # }
//! ```
//!
//! Tensors are borrowed slices with a shape and strides ([`Tensor`], [`TensorMut`]). Every launch checks shapes,
//! dtypes, strides and bounds before the first write and returns an [`Error`] that names what does not fit.

mod arg;
mod element;
mod error;
mod plan;
mod signature;
mod tensor;

pub mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
#[cfg(feature = "wgpu")]
pub mod wgpu;

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

/// The examples of the page that users see first.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct ReadmeExamples;
