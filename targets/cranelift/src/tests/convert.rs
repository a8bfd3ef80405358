//! Loads, stores and roundings of every storage type, on all codes where there are few.

use super::{Build, Scratch, kernel, run};
use einattn_compiler::lane::{Func, Inst, Op, Ty};
use einattn_compiler::types::DType;

/// `to[i] = from[i]` for i in begin..end, through a value of type `ty`, rounded to `round` on the way.
fn copy(from: DType, to: DType, ty: Ty, round: Option<DType>, bytes: Vec<u8>) -> Vec<u8> {
    let n = bytes.len() / from.bytes();
    let mut b = Build::new();
    let i = b.val(Ty::I64);
    let body = b.nested(|b| {
        let mut x = b.op(ty, Op::LoadGlobal(0, i));
        if let Some(dtype) = round {
            x = b.op(ty, Op::RoundTo(dtype, x));
        }
        b.inst(Inst::StoreGlobal { tensor: 1, offset: i, value: x });
    });
    b.inst(Inst::Loop { var: i, lo: Func::BEGIN, hi: Func::END, step: 1, body });
    let mut tensors = [bytes, vec![0xa5; n * to.bytes()]];
    run(&kernel(b.finish(), &[from, to]), &mut tensors, &mut [], &[], &mut Scratch::new(), (0, n as i64));
    let [_, out] = tensors;
    out
}

fn f32s(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|c| f32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect()
}

fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

/// Value of a code, by the definition of the format.
fn value(code: u32, exponent_bits: i32, mantissa_bits: i32, infinite: bool) -> f32 {
    let mantissa = code & ((1 << mantissa_bits) - 1);
    let exponent = (code >> mantissa_bits) & ((1 << exponent_bits) - 1);
    let sign = if code >> (mantissa_bits + exponent_bits) == 1 { -1.0 } else { 1.0 };
    let bias = (1 << (exponent_bits - 1)) - 1;
    let top = exponent == (1 << exponent_bits) - 1;
    let all = mantissa == (1 << mantissa_bits) - 1;
    if infinite && top {
        return if mantissa == 0 { sign * f32::INFINITY } else { f32::NAN };
    }
    if !infinite && top && all {
        return f32::NAN;
    }
    let (hidden, e) = if exponent == 0 { (0.0, 1 - bias) } else { (1.0, exponent as i32 - bias) };
    sign * (hidden + mantissa as f32 / (1 << mantissa_bits) as f32) * 2f32.powi(e)
}

/// The small floats with the parameters of their formats.
const SMALL: [(DType, i32, i32, bool); 4] =
    [(DType::F16, 5, 10, true), (DType::Bf16, 8, 7, true), (DType::F8E4M3, 4, 3, false), (DType::F8E5M2, 5, 2, true)];

fn codes(dtype: DType) -> (Vec<u32>, Vec<u8>) {
    let codes: Vec<u32> = (0..1 << (8 * dtype.bytes())).collect();
    let bytes = codes.iter().flat_map(|c| c.to_le_bytes().into_iter().take(dtype.bytes())).collect();
    (codes, bytes)
}

#[test]
fn every_code_of_the_small_floats_is_read() {
    for (dtype, e, m, infinite) in SMALL {
        let (codes, bytes) = codes(dtype);
        let got = f32s(&copy(dtype, DType::F32, Ty::F32, None, bytes));
        assert_eq!(got.len(), codes.len());
        for (code, x) in codes.iter().zip(got) {
            let expected = value(*code, e, m, infinite);
            assert!(same(x, expected), "{dtype} {code:#x}: got {x:e}, expected {expected:e}");
        }
    }
}

/// Every value of the format, every midpoint of two neighbours, and the floats on both sides of each.
fn hard_cases(dtype: DType, e: i32, m: i32, infinite: bool) -> Vec<f32> {
    let (codes, _) = codes(dtype);
    let mut finite: Vec<f32> = codes.iter().map(|c| value(*c, e, m, infinite)).filter(|x| x.is_finite()).collect();
    finite.sort_by(f32::total_cmp);
    let beyond = [f32::INFINITY, f32::MAX, f32::MIN_POSITIVE, 1e-45, 65520.0, 65519.99, 464.0, 465.0, 480.0, 61440.0];
    let middles: Vec<f32> = finite.windows(2).map(|w| ((f64::from(w[0]) + f64::from(w[1])) / 2.0) as f32).collect();
    let mut all: Vec<f32> = finite.into_iter().chain(middles).flat_map(|x| [x.next_down(), x, x.next_up()]).collect();
    all.extend(beyond.iter().flat_map(|x| [*x, -*x]));
    all
}

#[test]
fn small_floats_round_like_the_interpreter() {
    for (dtype, e, m, infinite) in SMALL {
        let xs = hard_cases(dtype, e, m, infinite);
        let bytes: Vec<u8> = xs.iter().flat_map(|x| x.to_le_bytes()).collect();
        let rounded = f32s(&copy(DType::F32, DType::F32, Ty::F32, Some(dtype), bytes.clone()));
        let stored = copy(DType::F32, dtype, Ty::F32, None, bytes);
        let stored = stored.chunks_exact(dtype.bytes()).map(|c| {
            let code = c.iter().rev().fold(0, |n, b| n << 8 | u32::from(*b));
            value(code, e, m, infinite)
        });
        for ((x, r), s) in xs.iter().zip(rounded).zip(stored) {
            let expected = dtype.round(f64::from(*x)) as f32;
            assert!(same(r, expected), "{x:e} as {dtype}: got {r:e}, expected {expected:e}");
            assert!(same(s, expected), "{x:e} stored as {dtype}: got {s:e}, expected {expected:e}");
        }
    }
}

#[test]
fn nan_stays_nan() {
    for (dtype, ..) in SMALL {
        let nans = [f32::NAN, -f32::NAN, f32::from_bits(0x7f80_0001), f32::from_bits(0xff80_0001)];
        let bytes = nans.iter().flat_map(|x| x.to_le_bytes()).collect();
        let got = f32s(&copy(DType::F32, DType::F32, Ty::F32, Some(dtype), bytes));
        assert!(got.iter().all(|x| x.is_nan()), "{dtype}: {got:?}");
    }
}

#[test]
fn doubles_are_narrowed_and_widened() {
    let xs = [0.1f64, 1e300, -0.0, f64::INFINITY, 1e-300];
    let bytes = xs.iter().flat_map(|x| x.to_le_bytes()).collect();
    let narrow = copy(DType::F64, DType::F32, Ty::F32, None, bytes);
    assert_eq!(f32s(&narrow), xs.map(|x| x as f32));
    let wide = copy(DType::F32, DType::F64, Ty::F32, None, narrow);
    let expected: Vec<u8> = xs.iter().flat_map(|x| f64::from(*x as f32).to_le_bytes()).collect();
    assert_eq!(wide, expected);
}

fn ints(xs: &[i32]) -> Vec<u8> {
    xs.iter().flat_map(|x| x.to_le_bytes()).collect()
}

#[test]
fn integers_are_extended_and_saturate() {
    let xs = ints(&[0, 1, -1, 127, 128, -128, -129, 255, 256, i32::MAX, i32::MIN]);
    let to_i8 = copy(DType::I32, DType::I8, Ty::I64, None, xs.clone());
    let expected: [i8; 11] = [0, 1, -1, 127, 127, -128, -128, 127, 127, 127, -128];
    assert_eq!(to_i8, expected.map(|x| x as u8));
    let to_u8 = copy(DType::I32, DType::U8, Ty::I64, None, xs.clone());
    assert_eq!(to_u8, [0, 1, 0, 127, 128, 0, 0, 255, 255, 255, 0]);
    assert_eq!(copy(DType::I32, DType::I32, Ty::I64, None, xs.clone()), xs);
    assert_eq!(copy(DType::U8, DType::I32, Ty::I64, None, vec![0, 127, 128, 255]), ints(&[0, 127, 128, 255]));
    assert_eq!(copy(DType::I8, DType::I32, Ty::I64, None, vec![0, 127, 128, 255]), ints(&[0, 127, -128, -1]));
}

#[test]
fn truth_is_one_byte() {
    assert_eq!(copy(DType::Bool, DType::Bool, Ty::B, None, vec![0, 1, 2, 255]), [0, 1, 1, 1]);
    assert_eq!(copy(DType::Bool, DType::I32, Ty::B, None, vec![0, 1, 3]), ints(&[0, 1, 1]));
    assert_eq!(f32s(&copy(DType::Bool, DType::F32, Ty::B, None, vec![0, 1])), [0.0, 1.0]);
    assert_eq!(copy(DType::I32, DType::Bool, Ty::I64, None, ints(&[0, 1, -5, 256])), [0, 1, 1, 1]);
}

#[test]
fn numbers_meet_the_other_kind_of_tensor() {
    assert_eq!(f32s(&copy(DType::I32, DType::F32, Ty::I64, None, ints(&[3, -4]))), [3.0, -4.0]);
    let xs: Vec<u8> = [1.9f32, -1.9, 1e20, f32::NAN].iter().flat_map(|x| x.to_le_bytes()).collect();
    assert_eq!(copy(DType::F32, DType::I32, Ty::F32, None, xs), ints(&[1, -1, i32::MAX, 0]));
}
