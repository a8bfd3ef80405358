//! AVX2 with FMA: 8 lanes. A lane mask is all ones or all zeros in every lane.

use super::ops;
use std::arch::x86_64::*;

/// Vector of f32.
pub type VF = __m256;
/// Vector of i32.
pub type VI = __m256i;
/// Vector of lane masks.
pub type VB = __m256;

ops! {
    /// The same float in every lane.
    fn splat(a: f32) -> VF { _mm256_set1_ps(a) }
    /// The same integer in every lane, wrapped to 32 bits.
    fn splat_i(a: i64) -> VI { _mm256_set1_epi32(a as i32) }
    /// The same truth value in every lane.
    fn splat_b(a: bool) -> VB { _mm256_castsi256_ps(_mm256_set1_epi32(-i32::from(a))) }
    /// 0, 1, 2, …
    fn iota() -> VI { _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7) }
    /// First lane.
    fn first(a: VF) -> f32 { _mm256_cvtss_f32(a) }
    /// First lane.
    fn first_i(a: VI) -> i64 { i64::from(_mm256_cvtsi256_si32(a)) }

    /// `a + b`
    fn add(a: VF, b: VF) -> VF { _mm256_add_ps(a, b) }
    /// `a - b`
    fn sub(a: VF, b: VF) -> VF { _mm256_sub_ps(a, b) }
    /// `a * b`
    fn mul(a: VF, b: VF) -> VF { _mm256_mul_ps(a, b) }
    /// `a / b`
    fn div(a: VF, b: VF) -> VF { _mm256_div_ps(a, b) }
    /// `a < b ? a : b`
    fn min(a: VF, b: VF) -> VF { _mm256_min_ps(a, b) }
    /// `a > b ? a : b`
    fn max(a: VF, b: VF) -> VF { _mm256_max_ps(a, b) }
    /// `a * b + c`, fused
    fn fma(a: VF, b: VF, c: VF) -> VF { _mm256_fmadd_ps(a, b, c) }
    /// `-a`
    fn neg(a: VF) -> VF { _mm256_xor_ps(a, _mm256_set1_ps(-0.0)) }
    /// `|a|`
    fn abs(a: VF) -> VF { _mm256_andnot_ps(_mm256_set1_ps(-0.0), a) }
    /// Square root.
    fn sqrt(a: VF) -> VF { _mm256_sqrt_ps(a) }
    /// Toward −∞.
    fn floor(a: VF) -> VF { _mm256_floor_ps(a) }
    /// Toward +∞.
    fn ceil(a: VF) -> VF { _mm256_ceil_ps(a) }
    /// To nearest, ties to even.
    fn round(a: VF) -> VF { _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }

    /// `a + b`
    fn add_i(a: VI, b: VI) -> VI { _mm256_add_epi32(a, b) }
    /// `a - b`
    fn sub_i(a: VI, b: VI) -> VI { _mm256_sub_epi32(a, b) }
    /// `a * b`
    fn mul_i(a: VI, b: VI) -> VI { _mm256_mullo_epi32(a, b) }
    /// Minimum.
    fn min_i(a: VI, b: VI) -> VI { _mm256_min_epi32(a, b) }
    /// Maximum.
    fn max_i(a: VI, b: VI) -> VI { _mm256_max_epi32(a, b) }
    /// `-a`
    fn neg_i(a: VI) -> VI { _mm256_sub_epi32(_mm256_setzero_si256(), a) }
    /// `|a|`
    fn abs_i(a: VI) -> VI { _mm256_abs_epi32(a) }
    /// Bitwise and.
    fn and_i(a: VI, b: VI) -> VI { _mm256_and_si256(a, b) }
    /// Bitwise or.
    fn or_i(a: VI, b: VI) -> VI { _mm256_or_si256(a, b) }
    /// Conjunction.
    fn and_b(a: VB, b: VB) -> VB { _mm256_and_ps(a, b) }
    /// Disjunction.
    fn or_b(a: VB, b: VB) -> VB { _mm256_or_ps(a, b) }
    /// Negation.
    fn not_b(a: VB) -> VB { _mm256_xor_ps(a, splat_b(true)) }

    /// `a == b`
    fn eq(a: VF, b: VF) -> VB { _mm256_cmp_ps::<_CMP_EQ_OQ>(a, b) }
    /// `a != b`
    fn ne(a: VF, b: VF) -> VB { _mm256_cmp_ps::<_CMP_NEQ_UQ>(a, b) }
    /// `a < b`
    fn lt(a: VF, b: VF) -> VB { _mm256_cmp_ps::<_CMP_LT_OQ>(a, b) }
    /// `a <= b`
    fn le(a: VF, b: VF) -> VB { _mm256_cmp_ps::<_CMP_LE_OQ>(a, b) }
    /// `a > b`
    fn gt(a: VF, b: VF) -> VB { _mm256_cmp_ps::<_CMP_GT_OQ>(a, b) }
    /// `a >= b`
    fn ge(a: VF, b: VF) -> VB { _mm256_cmp_ps::<_CMP_GE_OQ>(a, b) }
    /// `a == b`
    fn eq_i(a: VI, b: VI) -> VB { _mm256_castsi256_ps(_mm256_cmpeq_epi32(a, b)) }
    /// `a != b`
    fn ne_i(a: VI, b: VI) -> VB { not_b(eq_i(a, b)) }
    /// `a < b`
    fn lt_i(a: VI, b: VI) -> VB { gt_i(b, a) }
    /// `a <= b`
    fn le_i(a: VI, b: VI) -> VB { not_b(gt_i(a, b)) }
    /// `a > b`
    fn gt_i(a: VI, b: VI) -> VB { _mm256_castsi256_ps(_mm256_cmpgt_epi32(a, b)) }
    /// `a >= b`
    fn ge_i(a: VI, b: VI) -> VB { not_b(gt_i(b, a)) }

    /// `c ? a : b`
    fn select(c: VB, a: VF, b: VF) -> VF { _mm256_blendv_ps(b, a, c) }
    /// `c ? a : b`
    fn select_i(c: VB, a: VI, b: VI) -> VI { bits(select(c, from_bits(a), from_bits(b))) }
    /// `c ? a : b`
    fn select_b(c: VB, a: VB, b: VB) -> VB { _mm256_blendv_ps(b, a, c) }

    /// To float, nearest even.
    fn float(a: VI) -> VF { _mm256_cvtepi32_ps(a) }
    /// To integer, toward zero.
    fn int(a: VF) -> VI { _mm256_cvttps_epi32(a) }
    /// 0 or 1.
    fn bool_int(a: VB) -> VI { _mm256_srli_epi32::<31>(bits(a)) }
    /// Same bits.
    fn bits(a: VF) -> VI { _mm256_castps_si256(a) }
    /// Same bits.
    fn from_bits(a: VI) -> VF { _mm256_castsi256_ps(a) }

    /// From scratch, at a byte offset.
    fn load(scratch: *const u8, offset: i64) -> VF { _mm256_loadu_ps(scratch.offset(offset as isize).cast()) }
    /// From scratch, at a byte offset.
    fn load_i(scratch: *const u8, offset: i64) -> VI { bits(load(scratch, offset)) }
    /// From scratch, at a byte offset; any nonzero word is true.
    fn load_b(scratch: *const u8, offset: i64) -> VB { ne_i(load_i(scratch, offset), _mm256_setzero_si256()) }
    /// To a tensor, at an element offset.
    fn store_global(base: *mut u8, offset: i64, a: VF) -> () { _mm256_storeu_ps(base.cast::<f32>().offset(offset as isize), a) }
    /// To scratch, at a byte offset.
    fn store(scratch: *mut u8, offset: i64, a: VF) -> () { _mm256_storeu_ps(scratch.offset(offset as isize).cast(), a) }
    /// To scratch, at a byte offset.
    fn store_i(scratch: *mut u8, offset: i64, a: VI) -> () { store(scratch, offset, from_bits(a)) }
    /// To scratch, at a byte offset: 0 or −1.
    fn store_b(scratch: *mut u8, offset: i64, a: VB) -> () { store(scratch, offset, a) }
    /// From a tensor, at an element offset.
    fn load_global(base: *const u8, offset: i64) -> VF { _mm256_loadu_ps(base.cast::<f32>().offset(offset as isize)) }
}

/// Shift to the left.
///
/// # Safety
///
/// The CPU has the instructions of this module.
#[inline(always)]
pub unsafe fn shl<const N: i32>(a: VI) -> VI {
    // SAFETY: the caller vouches for the instruction set.
    unsafe { _mm256_slli_epi32::<N>(a) }
}

/// Arithmetic shift to the right.
///
/// # Safety
///
/// The CPU has the instructions of this module.
#[inline(always)]
pub unsafe fn shr<const N: i32>(a: VI) -> VI {
    // SAFETY: the caller vouches for the instruction set.
    unsafe { _mm256_srai_epi32::<N>(a) }
}
