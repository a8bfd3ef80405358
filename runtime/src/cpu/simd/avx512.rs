//! AVX-512 F, DQ, BW, VL: 16 lanes. Lane masks live in mask registers.

use super::ops;
use std::arch::x86_64::*;

/// Vector of f32.
pub type VF = __m512;
/// Vector of i32.
pub type VI = __m512i;
/// Vector of lane masks.
pub type VB = __mmask16;

ops! {
    /// The same float in every lane.
    fn splat(a: f32) -> VF { _mm512_set1_ps(a) }
    /// The same integer in every lane, wrapped to 32 bits.
    fn splat_i(a: i64) -> VI { _mm512_set1_epi32(a as i32) }
    /// The same truth value in every lane.
    fn splat_b(a: bool) -> VB { if a { !0 } else { 0 } }
    /// 0, 1, 2, …
    fn iota() -> VI { _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) }
    /// First lane.
    fn first(a: VF) -> f32 { _mm512_cvtss_f32(a) }
    /// First lane.
    fn first_i(a: VI) -> i64 { i64::from(_mm512_cvtsi512_si32(a)) }

    /// `a + b`
    fn add(a: VF, b: VF) -> VF { _mm512_add_ps(a, b) }
    /// `a - b`
    fn sub(a: VF, b: VF) -> VF { _mm512_sub_ps(a, b) }
    /// `a * b`
    fn mul(a: VF, b: VF) -> VF { _mm512_mul_ps(a, b) }
    /// `a / b`
    fn div(a: VF, b: VF) -> VF { _mm512_div_ps(a, b) }
    /// `a < b ? a : b`
    fn min(a: VF, b: VF) -> VF { _mm512_min_ps(a, b) }
    /// `a > b ? a : b`
    fn max(a: VF, b: VF) -> VF { _mm512_max_ps(a, b) }
    /// `a * b + c`, fused
    fn fma(a: VF, b: VF, c: VF) -> VF { _mm512_fmadd_ps(a, b, c) }
    /// `-a`
    fn neg(a: VF) -> VF { _mm512_xor_ps(a, _mm512_set1_ps(-0.0)) }
    /// `|a|`
    fn abs(a: VF) -> VF { _mm512_abs_ps(a) }
    /// Square root.
    fn sqrt(a: VF) -> VF { _mm512_sqrt_ps(a) }
    /// Toward −∞.
    fn floor(a: VF) -> VF { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>(a) }
    /// Toward +∞.
    fn ceil(a: VF) -> VF { _mm512_roundscale_ps::<{ _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC }>(a) }
    /// To nearest, ties to even.
    fn round(a: VF) -> VF { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }

    /// `a + b`
    fn add_i(a: VI, b: VI) -> VI { _mm512_add_epi32(a, b) }
    /// `a - b`
    fn sub_i(a: VI, b: VI) -> VI { _mm512_sub_epi32(a, b) }
    /// `a * b`
    fn mul_i(a: VI, b: VI) -> VI { _mm512_mullo_epi32(a, b) }
    /// Minimum.
    fn min_i(a: VI, b: VI) -> VI { _mm512_min_epi32(a, b) }
    /// Maximum.
    fn max_i(a: VI, b: VI) -> VI { _mm512_max_epi32(a, b) }
    /// `-a`
    fn neg_i(a: VI) -> VI { _mm512_sub_epi32(_mm512_setzero_si512(), a) }
    /// `|a|`
    fn abs_i(a: VI) -> VI { _mm512_abs_epi32(a) }
    /// Bitwise and.
    fn and_i(a: VI, b: VI) -> VI { _mm512_and_si512(a, b) }
    /// Bitwise or.
    fn or_i(a: VI, b: VI) -> VI { _mm512_or_si512(a, b) }
    /// Conjunction.
    fn and_b(a: VB, b: VB) -> VB { a & b }
    /// Disjunction.
    fn or_b(a: VB, b: VB) -> VB { a | b }
    /// Negation.
    fn not_b(a: VB) -> VB { !a }

    /// `a == b`
    fn eq(a: VF, b: VF) -> VB { _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b) }
    /// `a != b`
    fn ne(a: VF, b: VF) -> VB { _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(a, b) }
    /// `a < b`
    fn lt(a: VF, b: VF) -> VB { _mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b) }
    /// `a <= b`
    fn le(a: VF, b: VF) -> VB { _mm512_cmp_ps_mask::<_CMP_LE_OQ>(a, b) }
    /// `a > b`
    fn gt(a: VF, b: VF) -> VB { _mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b) }
    /// `a >= b`
    fn ge(a: VF, b: VF) -> VB { _mm512_cmp_ps_mask::<_CMP_GE_OQ>(a, b) }
    /// `a == b`
    fn eq_i(a: VI, b: VI) -> VB { _mm512_cmpeq_epi32_mask(a, b) }
    /// `a != b`
    fn ne_i(a: VI, b: VI) -> VB { _mm512_cmpneq_epi32_mask(a, b) }
    /// `a < b`
    fn lt_i(a: VI, b: VI) -> VB { _mm512_cmplt_epi32_mask(a, b) }
    /// `a <= b`
    fn le_i(a: VI, b: VI) -> VB { _mm512_cmple_epi32_mask(a, b) }
    /// `a > b`
    fn gt_i(a: VI, b: VI) -> VB { _mm512_cmpgt_epi32_mask(a, b) }
    /// `a >= b`
    fn ge_i(a: VI, b: VI) -> VB { _mm512_cmpge_epi32_mask(a, b) }

    /// `c ? a : b`
    fn select(c: VB, a: VF, b: VF) -> VF { _mm512_mask_blend_ps(c, b, a) }
    /// `c ? a : b`
    fn select_i(c: VB, a: VI, b: VI) -> VI { _mm512_mask_blend_epi32(c, b, a) }
    /// `c ? a : b`
    fn select_b(c: VB, a: VB, b: VB) -> VB { (a & c) | (b & !c) }

    /// To float, nearest even.
    fn float(a: VI) -> VF { _mm512_cvtepi32_ps(a) }
    /// To integer, toward zero.
    fn int(a: VF) -> VI { _mm512_cvttps_epi32(a) }
    /// 0 or 1.
    fn bool_int(a: VB) -> VI { _mm512_maskz_set1_epi32(a, 1) }
    /// Same bits.
    fn bits(a: VF) -> VI { _mm512_castps_si512(a) }
    /// Same bits.
    fn from_bits(a: VI) -> VF { _mm512_castsi512_ps(a) }

    /// From scratch, at a byte offset.
    fn load(scratch: *const u8, offset: i64) -> VF { _mm512_loadu_ps(scratch.offset(offset as isize).cast()) }
    /// From scratch, at a byte offset.
    fn load_i(scratch: *const u8, offset: i64) -> VI { bits(load(scratch, offset)) }
    /// From scratch, at a byte offset; any nonzero word is true.
    fn load_b(scratch: *const u8, offset: i64) -> VB { _mm512_test_epi32_mask(load_i(scratch, offset), load_i(scratch, offset)) }
    /// To a tensor, at an element offset.
    fn store_global(base: *mut u8, offset: i64, a: VF) -> () { _mm512_storeu_ps(base.cast::<f32>().offset(offset as isize), a) }
    /// To scratch, at a byte offset.
    fn store(scratch: *mut u8, offset: i64, a: VF) -> () { _mm512_storeu_ps(scratch.offset(offset as isize).cast(), a) }
    /// To scratch, at a byte offset.
    fn store_i(scratch: *mut u8, offset: i64, a: VI) -> () { store(scratch, offset, from_bits(a)) }
    /// To scratch, at a byte offset: 0 or −1.
    fn store_b(scratch: *mut u8, offset: i64, a: VB) -> () { store_i(scratch, offset, _mm512_maskz_set1_epi32(a, -1)) }
    /// From a tensor, at an element offset.
    fn load_global(base: *const u8, offset: i64) -> VF { _mm512_loadu_ps(base.cast::<f32>().offset(offset as isize)) }
}

/// Shift to the left.
///
/// # Safety
///
/// The CPU has the instructions of this module.
#[inline(always)]
pub unsafe fn shl<const N: i32>(a: VI) -> VI {
    // SAFETY: the caller vouches for the instruction set.
    unsafe { _mm512_sllv_epi32(a, _mm512_set1_epi32(N)) }
}

/// Arithmetic shift to the right.
///
/// # Safety
///
/// The CPU has the instructions of this module.
#[inline(always)]
pub unsafe fn shr<const N: i32>(a: VI) -> VI {
    // SAFETY: the caller vouches for the instruction set.
    unsafe { _mm512_srav_epi32(a, _mm512_set1_epi32(N)) }
}
