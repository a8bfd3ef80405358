//! Launches on tensors of the host.

use super::{Arg, Buffer, Launch, Program, Stream};
use crate::{Error, cpu};

impl Program<'_> {
    /// Copies the tensors to the device, runs the kernel, waits, and copies what it wrote back.
    ///
    /// # Errors
    ///
    /// Any [`Error`]; no output has been written then.
    pub fn run(&self, args: &[cpu::Arg<'_>], ints: &[(&str, i64)], floats: &[(&str, f32)]) -> Result<(), Error> {
        let buffers = args.iter().map(|a| Buffer::of(self.device, bytes(a))).collect::<Result<Vec<_>, _>>()?;
        let there: Vec<Arg<'_>> = args.iter().zip(&buffers).map(|(a, b)| Arg { ptr: b.ptr(), view: a.view }).collect();
        let launch = Launch { args: &there, ints, floats, stream: Stream::default(), workspace: None };
        // SAFETY: the buffers hold the tensors, nobody else has them, and they live until the device is waited for.
        unsafe { self.launch(&launch) }?;
        self.device.wait()?;
        for (a, b) in args.iter().zip(&buffers).filter(|(a, _)| a.view.writable) {
            let mut written = vec![0; b.len()];
            b.read(&mut written)?;
            // SAFETY: the argument borrows its elements mutably, and every bit pattern that a kernel writes is an element.
            unsafe { std::ptr::copy_nonoverlapping(written.as_ptr(), a.ptr, written.len()) };
        }
        Ok(())
    }
}

/// The bytes of an argument's slice.
fn bytes<'a>(a: &'a cpu::Arg<'_>) -> &'a [u8] {
    // SAFETY: the argument borrows this many elements, none of which has padding.
    unsafe { std::slice::from_raw_parts(a.ptr, a.view.len * a.view.dtype.bytes()) }
}
