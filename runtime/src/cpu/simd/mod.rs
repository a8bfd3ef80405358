//! Vector operations under one interface for every instruction set: generated code is the same text for each and
//! names the set in its `use` line.
//!
//! Every function is `inline(always)` without a target feature of its own, so that it becomes one instruction of the
//! calling kernel, which has the features. Calling one where the CPU lacks them is undefined behaviour; hence `unsafe`.

#[cfg(target_arch = "x86_64")]
pub mod avx2;
#[cfg(target_arch = "x86_64")]
pub mod avx512;
pub mod portable;
pub mod scalar;
#[cfg(test)]
mod tests;

/// Declares operations as thin wrappers.
macro_rules! ops {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),*) -> $out:ty { $body:expr })*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        ///
        /// The CPU has the instructions of this module.
        #[inline(always)]
        pub unsafe fn $name($($arg: $ty),*) -> $out {
            #[allow(unused_unsafe, reason = "mask registers are plain integers, whose operations are safe")]
            // SAFETY: the caller vouches for the instruction set.
            unsafe {
                $body
            }
        }
    )*};
}
#[cfg(target_arch = "x86_64")]
use ops;

/// Types of table elements: every bit of them is a value.
pub trait Plain: Copy {}
impl Plain for f32 {}
impl Plain for i32 {}
impl Plain for u16 {}
impl Plain for i8 {}
impl Plain for u8 {}

/// The bytes of a table.
pub const fn bytes<T: Plain, const N: usize>(table: &[T; N]) -> &[u8] {
    // SAFETY: the elements have no padding, and the slice covers exactly the array.
    unsafe { std::slice::from_raw_parts(table.as_ptr().cast(), std::mem::size_of::<[T; N]>()) }
}
