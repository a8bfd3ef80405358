//! Tensors as borrowed slices with a shape and strides, in elements.

use crate::Element;

/// A read-only tensor.
#[derive(Clone, Debug)]
pub struct Tensor<'a, T> {
    data: &'a [T],
    shape: Vec<usize>,
    strides: Vec<usize>,
}

/// A tensor that a kernel writes.
#[derive(Debug)]
pub struct TensorMut<'a, T> {
    data: &'a mut [T],
    shape: Vec<usize>,
    strides: Vec<usize>,
}

/// Row-major strides of a shape, in elements.
fn row_major(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1usize; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i].saturating_mul(shape[i].max(1));
    }
    strides
}

impl<'a, T: Element> Tensor<'a, T> {
    /// A row-major tensor. Whether shape and slice fit is checked at the launch.
    pub fn new(data: &'a [T], shape: impl AsRef<[usize]>) -> Self {
        Tensor { data, strides: row_major(shape.as_ref()), shape: shape.as_ref().to_vec() }
    }

    /// A strided view; strides are in elements, 0 broadcasts.
    pub fn with_strides(data: &'a [T], shape: impl AsRef<[usize]>, strides: impl AsRef<[usize]>) -> Self {
        Tensor { data, shape: shape.as_ref().to_vec(), strides: strides.as_ref().to_vec() }
    }

    /// Extents.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// What the launcher takes.
    #[doc(hidden)]
    pub fn arg(&self) -> crate::cpu::Arg<'_> {
        crate::cpu::Arg::read(T::DTYPE, self.data, &self.shape, &self.strides)
    }
}

impl<'a, T: Element> TensorMut<'a, T> {
    /// A row-major tensor. Whether shape and slice fit is checked at the launch.
    pub fn new(data: &'a mut [T], shape: impl AsRef<[usize]>) -> Self {
        TensorMut { data, strides: row_major(shape.as_ref()), shape: shape.as_ref().to_vec() }
    }

    /// A strided view; strides are in elements. Elements must not share memory.
    pub fn with_strides(data: &'a mut [T], shape: impl AsRef<[usize]>, strides: impl AsRef<[usize]>) -> Self {
        TensorMut { data, shape: shape.as_ref().to_vec(), strides: strides.as_ref().to_vec() }
    }

    /// Extents.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// What the launcher takes.
    #[doc(hidden)]
    pub fn arg(&mut self) -> crate::cpu::Arg<'_> {
        crate::cpu::Arg::write(T::DTYPE, self.data, &self.shape, &self.strides)
    }
}
