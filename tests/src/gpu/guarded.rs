//! Launches with guards: whatever a kernel writes beside its outputs is found.
//!
//! Around and between the elements of every tensor lies a pattern of bytes that must be there afterwards; the elements of
//! outputs start as NaN, so that one that is not written is found.

use attnc::cpu::{Buffer as Elements, Scalars, Tensor};
use attnc::cuda::Program;
use einattn::cuda::{Arg, Buffer, Device, Launch, Stream};
use einattn::{DType, bf16, f16};
use einattn_compiler::cascade::Cascade;
use einattn_compiler::interp::{Bindings, Tensors, Value};
use einattn_compiler::lane::MemRole;

/// Bytes before and behind each tensor.
const GUARD: usize = 4096;

/// What guards and gaps hold.
const PATTERN: u8 = 0xa5;

/// How the elements of a tensor lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Row-major.
    Dense,
    /// Rows are longer than they need be, by an odd number of elements.
    LongRows,
    /// Every other element.
    Strided,
}

impl Layout {
    /// Every layout.
    pub const ALL: [Layout; 3] = [Layout::Dense, Layout::LongRows, Layout::Strided];

    fn strides(self, shape: &[usize]) -> Vec<usize> {
        let (step, more) = match self {
            Layout::Dense => (1, 0),
            Layout::LongRows => (1, 3),
            Layout::Strided => (2, 0),
        };
        let mut strides = vec![step; shape.len()];
        for d in (1..shape.len()).rev() {
            strides[d - 1] = strides[d] * shape[d].max(1) + if d + 1 == shape.len() { more } else { 0 };
        }
        strides
    }
}

/// A tensor on the device.
struct Placed {
    name: String,
    dtype: DType,
    written: bool,
    shape: Vec<usize>,
    strides: Vec<usize>,
    /// Where the elements lie, in row-major order.
    positions: Vec<usize>,
    /// Elements from the first to the last.
    len: usize,
    before: Vec<u8>,
    buffer: Buffer,
}

/// A launch that can be repeated.
pub struct Guarded<'p> {
    program: &'p Program,
    device: &'static Device,
    placed: Vec<Placed>,
}

impl<'p> Guarded<'p> {
    /// Places the tensors of a launch on the device.
    ///
    /// # Errors
    ///
    /// A tensor has no shape, or there is not enough memory.
    pub fn new(
        program: &'p Program,
        device: &'static Device,
        (c, inputs, bindings): (&Cascade, &Tensors, &Bindings),
        layout: Layout,
    ) -> Result<Self, String> {
        let tensors = program.arguments(c, inputs, bindings, f64::NAN)?;
        let roles = program.callers().map(|m| (m.name.clone(), m.role != MemRole::In));
        let placed = roles.zip(tensors).map(|((name, written), t)| place(device, name, written, &t, layout));
        Ok(Guarded { program, device, placed: placed.collect::<Result<_, _>>()? })
    }

    /// Runs the kernel and looks at the guards.
    ///
    /// # Errors
    ///
    /// Those of the launcher and of the device; what was written that is not the kernel's.
    pub fn run(&self, scalars: &Scalars<'_>) -> Result<Tensors, String> {
        for p in &self.placed {
            p.buffer.write(&p.before).map_err(|e| e.to_string())?;
        }
        let args: Vec<Arg<'_>> = self.placed.iter().map(Placed::arg).collect();
        let (ints, floats) = (&scalars.ints, &scalars.floats);
        let launch = Launch { args: &args, ints, floats, stream: Stream::default(), workspace: None };
        self.program.on(self.device, |p| {
            // SAFETY: the buffers hold the tensors, and the device is waited for before they are read.
            unsafe { p.launch(&launch) }.map_err(|e| e.to_string())
        })?;
        self.device.wait().map_err(|e| e.to_string())?;
        let mut out = Tensors::new();
        for p in &self.placed {
            let value = p.after()?;
            if p.written {
                out.insert(p.name.clone(), value);
            }
        }
        Ok(out)
    }
}

fn place(device: &'static Device, name: String, written: bool, t: &Tensor, layout: Layout) -> Result<Placed, String> {
    let (dtype, dense) = bytes(&t.data);
    let (size, strides) = (dtype.bytes(), layout.strides(&t.shape));
    let mut positions = vec![0];
    for (n, s) in t.shape.iter().zip(&strides) {
        positions = positions.iter().flat_map(|at| (0..*n).map(move |i| at + i * s)).collect();
    }
    let len = positions.last().map_or(0, |last| last + 1);
    let mut before = vec![PATTERN; 2 * GUARD + len * size];
    for (at, element) in positions.iter().zip(dense.chunks_exact(size)) {
        before[GUARD + at * size..][..size].copy_from_slice(element);
    }
    let buffer = Buffer::of(device, &before).map_err(|e| e.to_string())?;
    Ok(Placed { name, dtype, written, shape: t.shape.clone(), strides, positions, len, before, buffer })
}

impl Placed {
    fn arg(&self) -> Arg<'_> {
        let make = if self.written { Arg::write } else { Arg::read };
        make(self.dtype, self.buffer.ptr() + GUARD as u64, self.len, &self.shape, &self.strides)
    }

    /// The elements after a launch, if nothing else was written.
    fn after(&self) -> Result<Value, String> {
        let mut after = vec![0; self.before.len()];
        self.buffer.read(&mut after).map_err(|e| e.to_string())?;
        let size = self.dtype.bytes();
        let mut data = Vec::with_capacity(self.positions.len());
        let mut seen = after.clone();
        for at in &self.positions {
            let place = GUARD + at * size..GUARD + (at + 1) * size;
            data.push(number(self.dtype, &after[place.clone()]));
            if self.written {
                seen[place.clone()].copy_from_slice(&self.before[place]);
            }
        }
        if let Some(i) = (0..seen.len()).find(|i| seen[*i] != self.before[*i]) {
            let at = i as i64 - GUARD as i64;
            return Err(format!("byte {at} of `{}`, which is not the kernel's, was written", self.name));
        }
        Ok(Value { shape: self.shape.clone(), data })
    }
}

fn bytes(elements: &Elements) -> (DType, Vec<u8>) {
    fn all<T: Copy, const N: usize>(xs: &[T], one: impl Fn(T) -> [u8; N]) -> Vec<u8> {
        xs.iter().flat_map(|x| one(*x)).collect()
    }
    match elements {
        Elements::F32(d) => (DType::F32, all(d, f32::to_ne_bytes)),
        Elements::F16(d) => (DType::F16, all(d, f16::to_ne_bytes)),
        Elements::Bf16(d) => (DType::Bf16, all(d, bf16::to_ne_bytes)),
        Elements::I32(d) => (DType::I32, all(d, i32::to_ne_bytes)),
        Elements::I8(d) => (DType::I8, all(d, i8::to_ne_bytes)),
        Elements::U8(d) => (DType::U8, d.clone()),
        Elements::Bool(d) => (DType::Bool, all(d, |b| [u8::from(b)])),
    }
}

fn number(dtype: DType, bytes: &[u8]) -> f64 {
    let word = |n: usize| bytes.iter().take(n).rev().fold(0u32, |w, b| w << 8 | u32::from(*b));
    match dtype {
        DType::F32 => f64::from(f32::from_bits(word(4))),
        DType::F16 => f16::from_bits(word(2) as u16).to_f64(),
        DType::Bf16 => bf16::from_bits(word(2) as u16).to_f64(),
        DType::I32 => f64::from(word(4) as i32),
        DType::I8 => f64::from(word(1) as u8 as i8),
        _ => f64::from(word(1)),
    }
}
