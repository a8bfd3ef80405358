//! A tensor argument without its type.

use crate::plan::View;
use crate::{DType, Element};
use std::marker::PhantomData;

/// Pointer, length, dtype, shape and strides of one argument; borrows its tensor.
#[derive(Clone, Copy, Debug)]
pub struct Arg<'a> {
    pub(crate) ptr: *mut u8,
    pub(crate) view: View<'a>,
    borrow: PhantomData<&'a ()>,
}

impl<'a> Arg<'a> {
    /// An input.
    pub fn read<T: Element>(dtype: DType, data: &'a [T], shape: &'a [usize], strides: &'a [usize]) -> Self {
        let view = View { len: data.len(), dtype, writable: false, shape, strides };
        Arg { ptr: data.as_ptr().cast_mut().cast(), view, borrow: PhantomData }
    }

    /// An output.
    pub fn write<T: Element>(dtype: DType, data: &'a mut [T], shape: &'a [usize], strides: &'a [usize]) -> Self {
        let view = View { len: data.len(), dtype, writable: true, shape, strides };
        Arg { ptr: data.as_mut_ptr().cast(), view, borrow: PhantomData }
    }
}
