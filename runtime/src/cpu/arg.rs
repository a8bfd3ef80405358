//! A tensor argument without its type.

use crate::{DType, Element};
use std::marker::PhantomData;

/// Pointer, length, dtype, shape and strides of one argument; borrows its tensor.
#[derive(Clone, Copy, Debug)]
pub struct Arg<'a> {
    pub(super) ptr: *mut u8,
    pub(super) len: usize,
    pub(super) dtype: DType,
    pub(super) writable: bool,
    pub(super) shape: &'a [usize],
    pub(super) strides: &'a [usize],
    borrow: PhantomData<&'a ()>,
}

impl<'a> Arg<'a> {
    /// An input.
    pub fn read<T: Element>(dtype: DType, data: &'a [T], shape: &'a [usize], strides: &'a [usize]) -> Self {
        let ptr = data.as_ptr().cast_mut().cast();
        Arg { ptr, len: data.len(), dtype, writable: false, shape, strides, borrow: PhantomData }
    }

    /// An output.
    pub fn write<T: Element>(dtype: DType, data: &'a mut [T], shape: &'a [usize], strides: &'a [usize]) -> Self {
        let ptr = data.as_mut_ptr().cast();
        Arg { ptr, len: data.len(), dtype, writable: true, shape, strides, borrow: PhantomData }
    }
}
