//! Descriptions of compiled kernels: plain data and function pointers, made by the `rust` target as constants and
//! by the `cranelift` target at run time.

use crate::DType;

/// A stage (or `prepare`) function; see `lane` in the compiler for the calling convention:
/// base pointers, integers, floats, scratch, first item, one past the last item.
pub type StageFn = unsafe extern "C" fn(*const *mut u8, *mut i64, *const f32, *mut u8, i64, i64);

/// A kernel: one or more members of its specialisation set.
#[derive(Clone, Copy, Debug)]
pub struct Kernel<'k> {
    /// Name.
    pub name: &'k str,
    /// Members; the launcher takes the first whose dtypes and constant extents fit.
    pub members: &'k [Member<'k>],
}

/// One member of a specialisation set. The layout of `ints` follows `einattn_compiler::lane::IntLayout`: extents of
/// `ranks`, `int_scalars`, strides of all tensors, dims of all tensors, items and scratch bytes of each stage, asserts.
#[derive(Clone, Copy, Debug)]
pub struct Member<'k> {
    /// What it is specialised for, as text: `E = 64, T = bf16`.
    pub spec: &'k str,
    /// Memory tensors in the order of `ptrs`: caller's tensors first, then tables and workspace.
    pub tensors: &'k [TensorDesc<'k>],
    /// Ranks.
    pub ranks: &'k [RankDesc<'k>],
    /// Integer scalars.
    pub int_scalars: &'k [&'k str],
    /// Float scalars.
    pub floats: &'k [&'k str],
    /// Source texts of the asserts.
    pub asserts: &'k [&'k str],
    /// Code, best instruction set first.
    pub isas: &'k [Isa<'k>],
}

/// A tensor in memory.
#[derive(Clone, Copy, Debug)]
pub struct TensorDesc<'k> {
    /// Name.
    pub name: &'k str,
    /// Storage type.
    pub dtype: DType,
    /// Dimensions as declared.
    pub dims: &'k [&'k str],
    /// Who provides it.
    pub role: Role<'k>,
}

/// Who provides a tensor.
#[derive(Clone, Copy, Debug)]
pub enum Role<'k> {
    /// The caller; read only.
    In,
    /// The caller; written.
    Out,
    /// The caller; read and written.
    InOut,
    /// Constant data in the tensor's dtype, native byte order.
    Table(&'k [u8]),
    /// The launcher.
    Workspace,
}

/// A rank.
#[derive(Clone, Copy, Debug)]
pub struct RankDesc<'k> {
    /// Upper-case name.
    pub name: &'k str,
    /// Where its extent comes from.
    pub source: RankSource,
}

/// Where the extent of a rank comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RankSource {
    /// A dimension of one of the caller's tensors.
    Dim {
        /// Tensor.
        tensor: usize,
        /// Dimension.
        dim: usize,
    },
    /// The caller gives it by name.
    Given,
    /// A compile-time constant, also written by `prepare`.
    Const(i64),
    /// `prepare` computes it.
    Derived,
}

/// Code for one instruction set.
#[derive(Clone, Copy, Debug)]
pub struct Isa<'k> {
    /// `avx512`, `avx2`, `neon`, `portable`, `cranelift`.
    pub name: &'k str,
    /// Fills the derived part of `ints`.
    pub prepare: StageFn,
    /// Stages in order.
    pub stages: &'k [StageFn],
}

impl Isa<'_> {
    /// True if this CPU has the instructions.
    pub fn available(&self) -> bool {
        match self.name {
            #[cfg(target_arch = "x86_64")]
            "avx512" => {
                std::arch::is_x86_feature_detected!("avx512f")
                    && std::arch::is_x86_feature_detected!("avx512dq")
                    && std::arch::is_x86_feature_detected!("avx512bw")
                    && std::arch::is_x86_feature_detected!("avx512vl")
            }
            #[cfg(target_arch = "x86_64")]
            "avx2" => std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma"),
            "portable" | "cranelift" => true,
            _ => false,
        }
    }
}

impl Member<'_> {
    fn dims_total(&self) -> usize {
        self.tensors.iter().map(|t| t.dims.len()).sum()
    }

    fn dims_before(&self, tensor: usize) -> usize {
        self.tensors[..tensor].iter().map(|t| t.dims.len()).sum()
    }

    /// Slot of an integer scalar.
    pub(super) fn scalar_slot(&self, i: usize) -> usize {
        self.ranks.len() + i
    }

    /// Slot of a stride.
    pub(super) fn stride_slot(&self, tensor: usize, dim: usize) -> usize {
        self.scalar_slot(self.int_scalars.len()) + self.dims_before(tensor) + dim
    }

    /// Slot of a dimension.
    pub(super) fn dim_slot(&self, tensor: usize, dim: usize) -> usize {
        self.stride_slot(0, 0) + self.dims_total() + self.dims_before(tensor) + dim
    }

    /// Slot of a stage's item count; its scratch bytes follow.
    pub(super) fn items_slot(&self, stage: usize) -> usize {
        self.stride_slot(0, 0) + 2 * self.dims_total() + 2 * stage
    }

    /// Slot of an assert.
    pub(super) fn assert_slot(&self, stages: usize, i: usize) -> usize {
        self.items_slot(stages) + i
    }

    /// Number of slots.
    pub(super) fn int_slots(&self, stages: usize) -> usize {
        self.assert_slot(stages, self.asserts.len())
    }
}
