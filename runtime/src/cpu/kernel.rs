//! Descriptions of compiled kernels: plain data and function pointers, made by the `rust` target as constants and
//! by the `cranelift` target at run time.

use crate::signature::{RankDesc, Signature, TensorDesc};

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

impl<'k> Member<'k> {
    /// What the checks of a launch need to know, for code with this many stages.
    pub(super) fn signature(&self, stages: usize) -> Signature<'k> {
        Signature {
            tensors: self.tensors,
            ranks: self.ranks,
            int_scalars: self.int_scalars,
            floats: self.floats,
            asserts: self.asserts,
            stages,
        }
    }
}
