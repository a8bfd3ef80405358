//! Plain arrays of 4 lanes, for any CPU. A multiply-add is not fused: without the instruction it would be a call.

/// Vector of f32.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(16))]
pub struct VF([f32; LANES]);
/// Vector of i32.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(16))]
pub struct VI([i32; LANES]);
/// Vector of lane masks: 0 or −1.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(16))]
pub struct VB([i32; LANES]);

const LANES: usize = 4;

macro_rules! ops {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ident),*) -> $out:ident { $body:expr })*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        ///
        /// Always safe; unsafe like its counterparts for other instruction sets.
        #[inline(always)]
        pub unsafe fn $name($($arg: $ty),*) -> $out {
            let lane = |i: usize| {
                $(let $arg = $arg.0[i];)*
                $body
            };
            $out([lane(0), lane(1), lane(2), lane(3)])
        }
    )*};
}

fn mask(truth: bool) -> i32 {
    -i32::from(truth)
}

ops! {
    /// `a + b`
    fn add(a: VF, b: VF) -> VF { a + b }
    /// `a - b`
    fn sub(a: VF, b: VF) -> VF { a - b }
    /// `a * b`
    fn mul(a: VF, b: VF) -> VF { a * b }
    /// `a / b`
    fn div(a: VF, b: VF) -> VF { a / b }
    /// `a < b ? a : b`
    fn min(a: VF, b: VF) -> VF { if a < b { a } else { b } }
    /// `a > b ? a : b`
    fn max(a: VF, b: VF) -> VF { if a > b { a } else { b } }
    /// `a * b + c`, rounded twice
    fn fma(a: VF, b: VF, c: VF) -> VF { a * b + c }
    /// `-a`
    fn neg(a: VF) -> VF { -a }
    /// `|a|`
    fn abs(a: VF) -> VF { a.abs() }
    /// Square root.
    fn sqrt(a: VF) -> VF { a.sqrt() }
    /// Toward −∞.
    fn floor(a: VF) -> VF { a.floor() }
    /// Toward +∞.
    fn ceil(a: VF) -> VF { a.ceil() }
    /// To nearest, ties to even.
    fn round(a: VF) -> VF { a.round_ties_even() }

    /// `a + b`
    fn add_i(a: VI, b: VI) -> VI { a.wrapping_add(b) }
    /// `a - b`
    fn sub_i(a: VI, b: VI) -> VI { a.wrapping_sub(b) }
    /// `a * b`
    fn mul_i(a: VI, b: VI) -> VI { a.wrapping_mul(b) }
    /// Minimum.
    fn min_i(a: VI, b: VI) -> VI { a.min(b) }
    /// Maximum.
    fn max_i(a: VI, b: VI) -> VI { a.max(b) }
    /// `-a`
    fn neg_i(a: VI) -> VI { a.wrapping_neg() }
    /// `|a|`
    fn abs_i(a: VI) -> VI { a.wrapping_abs() }
    /// Bitwise and.
    fn and_i(a: VI, b: VI) -> VI { a & b }
    /// Bitwise or.
    fn or_i(a: VI, b: VI) -> VI { a | b }
    /// Conjunction.
    fn and_b(a: VB, b: VB) -> VB { a & b }
    /// Disjunction.
    fn or_b(a: VB, b: VB) -> VB { a | b }
    /// Negation.
    fn not_b(a: VB) -> VB { !a }

    /// `a == b`
    fn eq(a: VF, b: VF) -> VB { mask(a == b) }
    /// `a != b`
    fn ne(a: VF, b: VF) -> VB { mask(a != b) }
    /// `a < b`
    fn lt(a: VF, b: VF) -> VB { mask(a < b) }
    /// `a <= b`
    fn le(a: VF, b: VF) -> VB { mask(a <= b) }
    /// `a > b`
    fn gt(a: VF, b: VF) -> VB { mask(a > b) }
    /// `a >= b`
    fn ge(a: VF, b: VF) -> VB { mask(a >= b) }
    /// `a == b`
    fn eq_i(a: VI, b: VI) -> VB { mask(a == b) }
    /// `a != b`
    fn ne_i(a: VI, b: VI) -> VB { mask(a != b) }
    /// `a < b`
    fn lt_i(a: VI, b: VI) -> VB { mask(a < b) }
    /// `a <= b`
    fn le_i(a: VI, b: VI) -> VB { mask(a <= b) }
    /// `a > b`
    fn gt_i(a: VI, b: VI) -> VB { mask(a > b) }
    /// `a >= b`
    fn ge_i(a: VI, b: VI) -> VB { mask(a >= b) }

    /// `c ? a : b`
    fn select(c: VB, a: VF, b: VF) -> VF { if c != 0 { a } else { b } }
    /// `c ? a : b`
    fn select_i(c: VB, a: VI, b: VI) -> VI { if c != 0 { a } else { b } }
    /// `c ? a : b`
    fn select_b(c: VB, a: VB, b: VB) -> VB { if c != 0 { a } else { b } }

    /// To float, nearest even.
    fn float(a: VI) -> VF { a as f32 }
    /// To integer, toward zero.
    fn int(a: VF) -> VI { a as i32 }
    /// 0 or 1.
    fn bool_int(a: VB) -> VI { -a }
    /// Same bits.
    fn bits(a: VF) -> VI { a.to_bits() as i32 }
    /// Same bits.
    fn from_bits(a: VI) -> VF { f32::from_bits(a as u32) }
}

macro_rules! plain {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),*) -> $out:ty { $body:expr })*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        ///
        /// Pointers and offsets lead to readable or writable memory.
        #[inline(always)]
        pub unsafe fn $name($($arg: $ty),*) -> $out {
            // SAFETY: the caller vouches for pointers and offsets.
            unsafe { $body }
        }
    )*};
}

plain! {
    /// From scratch, at a byte offset.
    fn load(scratch: *const u8, offset: i64) -> VF { VF(scratch.offset(offset as isize).cast::<[f32; LANES]>().read_unaligned()) }
    /// From scratch, at a byte offset.
    fn load_i(scratch: *const u8, offset: i64) -> VI { VI(scratch.offset(offset as isize).cast::<[i32; LANES]>().read_unaligned()) }
    /// From scratch, at a byte offset; any nonzero word is true.
    fn load_b(scratch: *const u8, offset: i64) -> VB { ne_i(load_i(scratch, offset), splat_i(0)) }
    /// To a tensor, at an element offset.
    fn store_global(base: *mut u8, offset: i64, a: VF) -> () { base.cast::<f32>().offset(offset as isize).cast::<[f32; LANES]>().write_unaligned(a.0) }
    /// To scratch, at a byte offset.
    fn store(scratch: *mut u8, offset: i64, a: VF) -> () { scratch.offset(offset as isize).cast::<[f32; LANES]>().write_unaligned(a.0) }
    /// To scratch, at a byte offset.
    fn store_i(scratch: *mut u8, offset: i64, a: VI) -> () { scratch.offset(offset as isize).cast::<[i32; LANES]>().write_unaligned(a.0) }
    /// To scratch, at a byte offset: 0 or −1.
    fn store_b(scratch: *mut u8, offset: i64, a: VB) -> () { scratch.offset(offset as isize).cast::<[i32; LANES]>().write_unaligned(a.0) }
    /// From a tensor, at an element offset.
    fn load_global(base: *const u8, offset: i64) -> VF { VF(base.cast::<f32>().offset(offset as isize).cast::<[f32; LANES]>().read_unaligned()) }
}

macro_rules! safe {
    ($($(#[$doc:meta])* fn $name:ident$(<const $n:ident: i32>)?($($arg:ident: $ty:ty),*) -> $out:ty { $body:expr })*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        ///
        /// Always safe; unsafe like its counterparts for other instruction sets.
        #[inline(always)]
        pub unsafe fn $name$(<const $n: i32>)?($($arg: $ty),*) -> $out {
            $body
        }
    )*};
}

safe! {
    /// The same float in every lane.
    fn splat(a: f32) -> VF { VF([a; LANES]) }
    /// The same integer in every lane, wrapped to 32 bits.
    fn splat_i(a: i64) -> VI { VI([a as i32; LANES]) }
    /// The same truth value in every lane.
    fn splat_b(a: bool) -> VB { VB([mask(a); LANES]) }
    /// 0, 1, 2, …
    fn iota() -> VI { VI([0, 1, 2, 3]) }
    /// First lane.
    fn first(a: VF) -> f32 { a.0[0] }
    /// First lane.
    fn first_i(a: VI) -> i64 { i64::from(a.0[0]) }
    /// Shift to the left.
    fn shl<const N: i32>(a: VI) -> VI { VI(a.0.map(|x| x << N)) }
    /// Arithmetic shift to the right.
    fn shr<const N: i32>(a: VI) -> VI { VI(a.0.map(|x| x >> N)) }
}
