//! What a kernel asks of its caller, and the layout of its integers: the same on every device.

use crate::DType;

/// Tensors, ranks and scalars of one member of a specialisation set. The layout of `ints` follows
/// `einattn_compiler::lane::IntLayout`: extents of `ranks`, `int_scalars`, strides of all tensors, dims of all tensors,
/// items and scratch bytes of each stage, asserts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signature<'k> {
    /// Memory tensors: the caller's first, then tables and workspace.
    pub(crate) tensors: &'k [TensorDesc<'k>],
    /// Ranks.
    pub(crate) ranks: &'k [RankDesc<'k>],
    /// Integer scalars.
    pub(crate) int_scalars: &'k [&'k str],
    /// Float scalars.
    pub(crate) floats: &'k [&'k str],
    /// Source texts of the asserts.
    pub(crate) asserts: &'k [&'k str],
    /// Number of stages.
    pub(crate) stages: usize,
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

impl Signature<'_> {
    fn dims_total(&self) -> usize {
        self.tensors.iter().map(|t| t.dims.len()).sum()
    }

    fn dims_before(&self, tensor: usize) -> usize {
        self.tensors[..tensor].iter().map(|t| t.dims.len()).sum()
    }

    /// Slot of an integer scalar.
    pub(crate) fn scalar_slot(&self, i: usize) -> usize {
        self.ranks.len() + i
    }

    /// Slot of a stride.
    pub(crate) fn stride_slot(&self, tensor: usize, dim: usize) -> usize {
        self.scalar_slot(self.int_scalars.len()) + self.dims_before(tensor) + dim
    }

    /// Slot of a dimension.
    pub(crate) fn dim_slot(&self, tensor: usize, dim: usize) -> usize {
        self.stride_slot(0, 0) + self.dims_total() + self.dims_before(tensor) + dim
    }

    /// Slot of a stage's item count; its scratch bytes follow.
    pub(crate) fn items_slot(&self, stage: usize) -> usize {
        self.stride_slot(0, 0) + 2 * self.dims_total() + 2 * stage
    }

    /// Slot of an assert.
    pub(crate) fn assert_slot(&self, i: usize) -> usize {
        self.items_slot(self.stages) + i
    }

    /// Number of slots.
    pub(crate) fn int_slots(&self) -> usize {
        self.assert_slot(self.asserts.len())
    }

    /// True if the dimension that a stride (counted from the first one) belongs to has at most one element.
    #[cfg(feature = "wgpu")]
    pub(crate) fn single(&self, ints: &[i64], stride: usize) -> bool {
        ints[self.dim_slot(0, 0) + stride] <= 1
    }

    /// Bytes of a workspace tensor of these integers, its elements of `size` bytes.
    pub(crate) fn workspace_bytes(&self, ints: &[i64], tensor: usize, size: usize) -> u128 {
        let dims = self.tensors[tensor].dims.len();
        let elements: u128 = (0..dims).map(|d| ints[self.dim_slot(tensor, d)].max(0) as u128).product();
        elements * size as u128
    }
}
