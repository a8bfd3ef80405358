//! Every instruction set against plain arithmetic, lane by lane.

macro_rules! agrees {
    ($test:ident, $set:ident, $lanes:literal, $available:expr) => {
        #[test]
        fn $test() {
            use super::$set::*;
            const N: usize = $lanes;
            if !$available {
                return;
            }
            let x: [f32; N] = std::array::from_fn(|i| [1.5, -2.5, 0.0, 3.25, -0.5, 7.0, f32::NAN, -9.75][i % 8]);
            let y: [f32; N] = std::array::from_fn(|i| [2.0, -2.5, -1.0, 0.125][i % 4]);
            let (i, j): ([i32; N], [i32; N]) =
                (std::array::from_fn(|k| k as i32 - 5), std::array::from_fn(|k| (k % 3) as i32));
            // SAFETY: the CPU has the instructions, and the arrays hold one vector each.
            unsafe {
                let (a, b) = (load(x.as_ptr().cast(), 0), load(y.as_ptr().cast(), 0));
                let (p, q) = (load_i(i.as_ptr().cast(), 0), load_i(j.as_ptr().cast(), 0));
                let f = |v: VF| {
                    let mut out = [0f32; N];
                    store(out.as_mut_ptr().cast(), 0, v);
                    out.map(|x| if x.is_nan() { 1e9 } else { x })
                };
                let n = |v: VI| {
                    let mut out = [0i32; N];
                    store_i(out.as_mut_ptr().cast(), 0, v);
                    out
                };
                let m = |v: VB| {
                    let mut out = [7i32; N];
                    store_b(out.as_mut_ptr().cast(), 0, v);
                    out
                };
                let float = |g: &dyn Fn(f32, f32) -> f32| -> [f32; N] {
                    std::array::from_fn(|k| g(x[k], y[k])).map(|x: f32| if x.is_nan() { 1e9 } else { x })
                };
                let int = |g: &dyn Fn(i32, i32) -> i32| -> [i32; N] { std::array::from_fn(|k| g(i[k], j[k])) };
                let truth = |g: &dyn Fn(usize) -> bool| -> [i32; N] { std::array::from_fn(|k| -i32::from(g(k))) };
                assert_eq!(f(add(a, b)), float(&|a, b| a + b));
                assert_eq!(f(sub(a, b)), float(&|a, b| a - b));
                assert_eq!(f(mul(a, b)), float(&|a, b| a * b));
                assert_eq!(f(div(a, b)), float(&|a, b| a / b));
                assert_eq!(f(min(a, b)), float(&|a, b| if a < b { a } else { b }));
                assert_eq!(f(max(a, b)), float(&|a, b| if a > b { a } else { b }));
                assert_eq!(f(fma(a, b, b)), float(&|a, b| a.mul_add(b, b)));
                assert_eq!(f(neg(a)), float(&|a, _| -a));
                assert_eq!(f(abs(a)), float(&|a, _| a.abs()));
                assert_eq!(f(sqrt(abs(a))), float(&|a, _| a.abs().sqrt()));
                assert_eq!(f(floor(a)), float(&|a, _| a.floor()));
                assert_eq!(f(ceil(a)), float(&|a, _| a.ceil()));
                assert_eq!(f(round(a)), float(&|a, _| a.round_ties_even()));
                assert_eq!(f(splat(2.5)), [2.5; N]);
                assert_eq!(n(splat_i((1 << 32) + 3)), [3; N]);
                assert_eq!(m(splat_b(true)), [-1; N]);
                assert_eq!(n(iota()), std::array::from_fn(|k| k as i32));
                assert_eq!((first(a), first_i(p)), (x[0], i64::from(i[0])));
                assert_eq!(n(add_i(p, q)), int(&|a, b| a + b));
                assert_eq!(n(sub_i(p, q)), int(&|a, b| a - b));
                assert_eq!(n(mul_i(p, q)), int(&|a, b| a * b));
                assert_eq!(n(min_i(p, q)), int(&|a, b| a.min(b)));
                assert_eq!(n(max_i(p, q)), int(&|a, b| a.max(b)));
                assert_eq!(n(neg_i(p)), int(&|a, _| -a));
                assert_eq!(n(abs_i(p)), int(&|a, _| a.abs()));
                assert_eq!(n(and_i(p, q)), int(&|a, b| a & b));
                assert_eq!(n(or_i(p, q)), int(&|a, b| a | b));
                assert_eq!(n(shl::<3>(p)), int(&|a, _| a << 3));
                assert_eq!(n(shr::<1>(p)), int(&|a, _| a >> 1));
                assert_eq!(m(eq(a, b)), truth(&|k| x[k] == y[k]));
                assert_eq!(m(ne(a, b)), truth(&|k| x[k] != y[k]));
                assert_eq!(m(lt(a, b)), truth(&|k| x[k] < y[k]));
                assert_eq!(m(le(a, b)), truth(&|k| x[k] <= y[k]));
                assert_eq!(m(gt(a, b)), truth(&|k| x[k] > y[k]));
                assert_eq!(m(ge(a, b)), truth(&|k| x[k] >= y[k]));
                assert_eq!(m(eq_i(p, q)), truth(&|k| i[k] == j[k]));
                assert_eq!(m(ne_i(p, q)), truth(&|k| i[k] != j[k]));
                assert_eq!(m(lt_i(p, q)), truth(&|k| i[k] < j[k]));
                assert_eq!(m(le_i(p, q)), truth(&|k| i[k] <= j[k]));
                assert_eq!(m(gt_i(p, q)), truth(&|k| i[k] > j[k]));
                assert_eq!(m(ge_i(p, q)), truth(&|k| i[k] >= j[k]));
                let (c, d) = (lt(a, b), lt_i(p, q));
                let (ct, dt) = (|k: usize| x[k] < y[k], |k: usize| i[k] < j[k]);
                assert_eq!(m(and_b(c, d)), truth(&|k| ct(k) && dt(k)));
                assert_eq!(m(or_b(c, d)), truth(&|k| ct(k) || dt(k)));
                assert_eq!(m(not_b(c)), truth(&|k| !ct(k)));
                assert_eq!(m(select_b(c, d, splat_b(true))), truth(&|k| !ct(k) || dt(k)));
                assert_eq!(f(select(d, b, splat(8.0))), std::array::from_fn(|k| if dt(k) { y[k] } else { 8.0 }));
                assert_eq!(n(select_i(d, p, q)), int(&|a, b| if a < b { a } else { b }));
                assert_eq!(n(bool_int(d)), int(&|a, b| i32::from(a < b)));
                assert_eq!(m(load_b(j.as_ptr().cast(), 0)), truth(&|k| j[k] != 0));
                assert_eq!(f(super::$set::float(p)), std::array::from_fn(|k| i[k] as f32));
                assert_eq!(n(super::$set::int(b)), std::array::from_fn(|k| y[k] as i32));
                assert_eq!(n(bits(b)), std::array::from_fn(|k| y[k].to_bits() as i32));
                assert_eq!(f(from_bits(bits(b))), y);
                let wide: Vec<f32> = (0..N + 3).map(|k| k as f32).collect();
                assert_eq!(f(load_global(wide.as_ptr().cast(), 3)), std::array::from_fn(|k| (k + 3) as f32));
                let mut row = vec![0.0; N + 3];
                store_global(row.as_mut_ptr().cast(), 3, load_global(wide.as_ptr().cast(), 3));
                assert_eq!(row[..3], [0.0; 3]);
                assert_eq!(row[3..], wide[3..]);
            }
        }
    };
}

agrees!(portable_lanes, portable, 4, true);
#[cfg(target_arch = "x86_64")]
agrees!(avx2_lanes, avx2, 8, std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma"));
#[cfg(target_arch = "x86_64")]
agrees!(avx512_lanes, avx512, 16, std::arch::is_x86_feature_detected!("avx512dq"));

#[test]
fn half_floats_widen_exactly() {
    for bits in 0..=u16::MAX {
        // SAFETY: the pointer is to one element.
        let (ours, bf) = unsafe {
            let at = std::ptr::from_ref(&bits).cast();
            (super::scalar::read_f16(at, 0), super::scalar::read_bf16(at, 0))
        };
        let (exact, exact_bf) = (half::f16::from_bits(bits).to_f32(), half::bf16::from_bits(bits).to_f32());
        assert!(
            ours == exact && ours.is_sign_negative() == exact.is_sign_negative() || ours.is_nan() && exact.is_nan()
        );
        assert!(bf == exact_bf || bf.is_nan() && exact_bf.is_nan());
    }
}

#[test]
fn small_floats_round_to_nearest_even() {
    use super::scalar::{round_f8e4m3, round_f8e5m2};
    let cases =
        [(17.0, 16.0), (460.0, 448.0), (1e9, 448.0), (0.5 / 512.0, 0.0), (1.5 / 512.0, 2.0 / 512.0), (-3.3, -3.25)];
    for (x, expected) in cases {
        assert_eq!(round_f8e4m3(x), expected, "{x}");
    }
    assert_eq!((round_f8e5m2(1e9), round_f8e5m2(f32::NEG_INFINITY), round_f8e5m2(1.1)), (57344.0, -57344.0, 1.0));
}

#[test]
fn integer_division_rounds_down() {
    use super::scalar::{floor_div, floor_mod, ilog2};
    let cases = [(7, 3, 2, 1), (-7, 3, -3, 2), (7, -3, -3, -2), (-7, -3, 2, -1), (6, 3, 2, 0), (5, 0, 0, 0)];
    for (a, b, q, r) in cases {
        assert_eq!((floor_div(a, b), floor_mod(a, b)), (q, r), "{a} by {b}");
    }
    assert_eq!([-1, 0, 1, 2, 255, 256].map(ilog2), [-1, -1, 0, 1, 7, 8]);
}
