//! Reference execution in f64: the oracle that every pass and target is compared with.
//!
//! `run_cascade` evaluates L1 as it is defined, node by node, without any rewriting. Numbers are f64 throughout
//! (indices are exact below 2^53, truth values are 0 and 1); inputs are taken as they are and nothing is rounded
//! unless a `Cast` says so. Guarantees: no panic on any verified cascade and any input; a read out of bounds, of
//! an absent point or of an undefined tensor is an error that names the statement.

mod bind;
pub mod eval;
mod ops;
mod random;
mod rows;
mod run;
mod schedule;
mod stream;
mod tile;

#[cfg(test)]
mod stream_tests;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use bind::{Bindings, bind};
pub use eval::{Fault, Source, eval};
pub use ops::{binary, fold, unary};
pub use random::random_inputs;
pub use run::run_cascade;
pub use stream::run_stream;
pub use tile::run_tile;

/// An array of numbers, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// Extents; empty for a single number.
    pub shape: Vec<usize>,
    /// Elements.
    pub data: Vec<f64>,
}

/// Named arrays: inputs or results of a kernel.
pub type Tensors = BTreeMap<String, Value>;

impl Value {
    /// An array with the same number everywhere.
    pub fn filled(shape: &[usize], x: f64) -> Value {
        Value { shape: shape.to_vec(), data: vec![x; shape.iter().product()] }
    }

    /// Position of an element, or the dimension whose index is out of bounds.
    pub fn offset(&self, idx: &[i64]) -> Result<usize, usize> {
        let mut at = 0;
        for (d, (i, n)) in idx.iter().zip(&self.shape).enumerate() {
            match usize::try_from(*i) {
                Ok(i) if i < *n => at = at * n + i,
                _ => return Err(d),
            }
        }
        Ok(at)
    }
}
