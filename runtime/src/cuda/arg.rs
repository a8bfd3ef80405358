//! A tensor argument in device memory.

use crate::DType;
use crate::plan::View;

/// Address, length, dtype, shape and strides of one argument.
#[derive(Clone, Copy, Debug)]
pub struct Arg<'a> {
    pub(super) ptr: u64,
    pub(super) view: View<'a>,
}

impl<'a> Arg<'a> {
    /// An input: `len` elements from an address of the device on; strides in elements.
    pub fn read(dtype: DType, ptr: u64, len: usize, shape: &'a [usize], strides: &'a [usize]) -> Self {
        Arg { ptr, view: View { len, dtype, writable: false, shape, strides } }
    }

    /// An output.
    pub fn write(dtype: DType, ptr: u64, len: usize, shape: &'a [usize], strides: &'a [usize]) -> Self {
        Arg { ptr, view: View { len, dtype, writable: true, shape, strides } }
    }

    /// The addresses from the first byte to behind the last one.
    pub(super) fn bytes(&self) -> std::ops::Range<u128> {
        let start = u128::from(self.ptr);
        start..start + crate::plan::span(&self.view) * self.view.dtype.bytes() as u128
    }
}
