//! Where a kernel's arguments lie: bindings of group 0, and the uniform buffer.

use einattn_compiler::lane::{MemRole, MemTensor};
use einattn_compiler::simt::{SimtKernel, Ty, typing::scalar_type};
use einattn_compiler::types::DType;

/// Binding of the uniform buffer.
pub const BINDING_ARGS: u32 = 0;
/// Binding of the tables: one word an element, table after table.
pub const BINDING_TABLES: u32 = 1;
/// Binding of workspace and scratch: one word an element.
pub const BINDING_POOL: u32 = 2;
/// Binding of the caller's first tensor.
pub const BINDING_TENSORS: u32 = 3;

/// The uniform buffer, in 32-bit words: `ints`; first word of every workspace tensor in the pool, then of the scratch; infinity,
/// NaN, `floats`. Each part begins at a multiple of four words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArgsLayout {
    /// Slots of `ints`.
    pub ints: usize,
    /// Workspace tensors, and the scratch.
    pub bases: usize,
    /// Infinity, NaN and the float scalars.
    pub floats: usize,
}

impl ArgsLayout {
    /// The layout of a kernel.
    pub fn of(kernel: &SimtKernel) -> ArgsLayout {
        let workspaces = kernel.tensors.iter().filter(|t| t.role == MemRole::Workspace).count();
        ArgsLayout { ints: kernel.ints.len().max(1), bases: workspaces + 1, floats: kernel.floats.len() + 2 }
    }

    /// First word of the bases.
    pub fn first_base(&self) -> usize {
        self.ints.next_multiple_of(4)
    }

    /// First word of the floats.
    pub fn first_float(&self) -> usize {
        self.first_base() + self.bases.next_multiple_of(4)
    }

    /// Words of the whole buffer.
    pub fn words(&self) -> usize {
        self.first_float() + self.floats.next_multiple_of(4)
    }
}

/// An element of a part of the uniform buffer.
pub(crate) fn slot(part: &str, i: usize) -> String {
    format!("args.{part}[{}].{}", i / 4, ["x", "y", "z", "w"][i % 4])
}

/// How the elements of a tensor lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    /// One word an element, of the type that it is read as.
    Word,
    /// Two 16-bit floats a word.
    Half,
    /// Four bytes a word.
    Byte,
}

impl Storage {
    /// Storage of a type; `None` for the types that the runtime has no tensors of.
    pub(crate) fn of(dtype: DType) -> Option<Storage> {
        match dtype {
            DType::F32 | DType::I32 => Some(Storage::Word),
            DType::F16 | DType::Bf16 => Some(Storage::Half),
            DType::I8 | DType::U8 | DType::Bool => Some(Storage::Byte),
            DType::F64 | DType::F8E4M3 | DType::F8E5M2 => None,
        }
    }
}

/// True if stages write the tensor.
pub(crate) fn written(t: &MemTensor) -> bool {
    matches!(t.role, MemRole::Out | MemRole::InOut)
}

/// Element type of a tensor's binding.
pub(crate) fn binding_type(t: &MemTensor) -> &'static str {
    match (Storage::of(t.dtype), t.dtype, written(t)) {
        (Some(Storage::Word), DType::I32, _) => "i32",
        (Some(Storage::Word), ..) => "f32",
        (_, _, true) => "atomic<u32>",
        (_, _, false) => "u32",
    }
}

/// The words of a table, as the binding of the tables holds them.
pub fn table_words(dtype: DType, elements: &[f64]) -> Vec<u32> {
    let word = |x: &f64| match scalar_type(dtype) {
        Ty::F32 => (dtype.round(*x) as f32).to_bits(),
        Ty::I32 | Ty::Off | Ty::B | Ty::Pair => *x as i32 as u32,
    };
    elements.iter().map(word).collect()
}

/// First word of each table among the tables; 0 for other tensors.
pub(crate) fn table_bases(kernel: &SimtKernel) -> Vec<usize> {
    let mut next = 0;
    let base = |t: &MemTensor| match &t.role {
        MemRole::Table(elements) => {
            next += elements.len();
            next - elements.len()
        }
        MemRole::In | MemRole::Out | MemRole::InOut | MemRole::Workspace => 0,
    };
    kernel.tensors.iter().map(base).collect()
}
