//! Polynomials against f64, over sweeps of their arguments.

use crate::lane::exec::{Args, run};
use crate::lane::{Builder, Func, Inst, IntLayout, LaneKernel, LaneStage, MemRole, MemTensor, Op, RankSource, Ty, Val};
use crate::math::Math;
use crate::types::DType;

const LANES: usize = 16;

fn tensor(name: &str, role: MemRole) -> MemTensor {
    MemTensor { name: name.into(), dtype: DType::F32, dims: vec!["N".into()], role }
}

/// A kernel `Y[n] = f(X[n], W[n])` in vectors; N is a multiple of the vector length.
fn kernel(f: impl Fn(&mut Builder, Val, Val) -> Val) -> LaneKernel {
    let ints = IntLayout {
        ranks: vec![("N".into(), true)],
        scalars: vec![],
        tensor_dims: vec![1, 1, 1],
        stages: 1,
        asserts: vec![],
    };
    let mut p = Builder::new(vec![]);
    let n = p.op(Op::Int(0));
    for t in 0..3 {
        p.inst(Inst::StoreInt { slot: ints.dim(t, 0), value: n });
    }
    let lanes = p.int(LANES as i64);
    let items = p.bin(crate::lane::LaneBin::FloorDiv, n, lanes);
    p.inst(Inst::StoreInt { slot: ints.items(0), value: items });
    let bytes = p.int(4 * LANES as i64);
    p.inst(Inst::StoreInt { slot: ints.scratch(0), value: bytes });
    let mut b = Builder::new(vec![DType::F32; 3]);
    let zero = b.int(0);
    let lanes = b.int(LANES as i64);
    let item = b.begin_loop();
    let first = b.mul(item, lanes);
    let x = b.op(Op::LoadGlobalVec(0, first));
    let w = b.op(Op::LoadGlobalVec(1, first));
    let y = f(&mut b, x, w);
    b.inst(Inst::StoreLocal { offset: zero, value: y });
    let l = b.begin_loop();
    let four = b.int(4);
    let at = b.mul(l, four);
    let v = b.op(Op::LoadLocal(Ty::F32, at));
    let offset = b.add(first, l);
    b.inst(Inst::StoreGlobal { tensor: 2, offset, value: v });
    b.end_loop(l, zero, lanes, 1);
    b.end_loop(item, Func::BEGIN, Func::END, 1);
    LaneKernel {
        name: "f".into(),
        spec: String::new(),
        lanes: LANES,
        tensors: vec![tensor("X", MemRole::In), tensor("W", MemRole::In), tensor("Y", MemRole::Out)],
        ints,
        sources: vec![RankSource::Dim { tensor: 0, dim: 0 }],
        floats: vec![],
        prepare: p.finish(),
        stages: vec![LaneStage { name: "Y".into(), func: b.finish() }],
    }
}

fn apply2(f: impl Fn(&mut Builder, Val, Val) -> Val, x: &[f32], w: &[f32]) -> Vec<f32> {
    let k = kernel(f);
    assert_eq!(crate::lane::verify(&k), Ok(()));
    let n = x.len().next_multiple_of(LANES);
    let pad = |v: &[f32]| v.iter().copied().chain(std::iter::repeat(1.0)).take(n).map(f64::from).collect();
    let tensors = vec![pad(x), pad(w), vec![0.0; n]];
    let mut args = Args { ranks: vec![n as i64], tensors, ..Args::default() };
    run(&k, &mut args).expect("the function stays in its memory");
    args.tensors[2][..x.len()].iter().map(|y| *y as f32).collect()
}

fn apply(f: impl Fn(&mut Builder, Val) -> Val, x: &[f32]) -> Vec<f32> {
    apply2(|b, x, _| f(b, x), x, &[])
}

/// A grid of `n` points of [lo, hi], with odd offsets so that low mantissa bits vary.
fn sweep(lo: f64, hi: f64, n: usize) -> Vec<f32> {
    (0..n).map(|i| (lo + (hi - lo) * (i as f64 + 0.37) / n as f64) as f32).collect()
}

/// Positive values over all exponents from 2^lo to 2^hi.
fn octaves(lo: i32, hi: i32) -> Vec<f32> {
    sweep(f64::from(lo), f64::from(hi), 40_000).into_iter().map(|e| 2f64.powf(f64::from(e)) as f32).collect()
}

fn ulp(x: f64) -> f64 {
    let exponent = x.abs().max(f64::from(f32::MIN_POSITIVE)).log2().floor();
    2f64.powf(exponent - 23.0)
}

#[track_caller]
fn within_ulps(f: fn(&mut Builder, Val) -> Val, g: fn(f64) -> f64, x: &[f32], limit: f64) {
    let worst = apply(f, x)
        .iter()
        .zip(x)
        .map(|(y, x)| ((f64::from(*y) - g(f64::from(*x))).abs() / ulp(g(f64::from(*x))), *x))
        .fold((0.0, 0.0), |a, b| if b.0 > a.0 || b.0.is_nan() { b } else { a });
    assert!(worst.0 <= limit, "{} ulp at {}", worst.0, worst.1);
}

#[track_caller]
fn within(f: fn(&mut Builder, Val) -> Val, g: fn(f64) -> f64, x: &[f32], limit: f64) {
    let worst = apply(f, x)
        .iter()
        .zip(x)
        .map(|(y, x)| ((f64::from(*y) - g(f64::from(*x))).abs(), *x))
        .fold((0.0, 0.0), |a, b| if b.0 > a.0 || b.0.is_nan() { b } else { a });
    assert!(worst.0 <= limit, "error {} at {}", worst.0, worst.1);
}

#[track_caller]
fn exactly(f: fn(&mut Builder, Val) -> Val, cases: &[(f32, f32)]) {
    let x: Vec<f32> = cases.iter().map(|c| c.0).collect();
    for (y, (x, expected)) in apply(f, &x).iter().zip(cases) {
        assert!(y == expected || y.is_nan() && expected.is_nan(), "f({x}) = {y}, expected {expected}");
    }
}

const INF: f32 = f32::INFINITY;

#[test]
fn exponentials() {
    within_ulps(Builder::exp2, f64::exp2, &sweep(-125.9, 127.9, 100_000), 1.0);
    within_ulps(Builder::exp2, f64::exp2, &sweep(-1.0, 1.0, 20_000), 1.0);
    exactly(
        Builder::exp2,
        &[
            (0.0, 1.0),
            (10.0, 1024.0),
            (-126.0, f32::MIN_POSITIVE),
            (-126.5, 0.0),
            (-1e30, 0.0),
            (-INF, 0.0),
            (128.0, INF),
            (1e30, INF),
            (INF, INF),
            (f32::NAN, f32::NAN),
        ],
    );
    within_ulps(Builder::exp, f64::exp, &sweep(-87.3, 88.7, 100_000), 1.5);
    within_ulps(Builder::exp, f64::exp, &sweep(-1.0, 1.0, 20_000), 1.5);
    exactly(
        Builder::exp,
        &[(0.0, 1.0), (-90.0, 0.0), (-1e30, 0.0), (-INF, 0.0), (89.0, INF), (INF, INF), (f32::NAN, f32::NAN)],
    );
}

#[test]
fn logarithms() {
    within_ulps(Builder::log2, f64::log2, &octaves(-149, 128), 2.0);
    within_ulps(Builder::log2, f64::log2, &sweep(0.5, 2.0, 40_000), 2.0);
    within_ulps(Builder::log, f64::ln, &octaves(-149, 128), 2.0);
    within_ulps(Builder::log, f64::ln, &sweep(0.5, 2.0, 40_000), 2.0);
    for f in [Builder::log2, Builder::log] {
        exactly(f, &[(1.0, 0.0), (0.0, -INF), (-1.0, f32::NAN), (INF, INF), (f32::NAN, f32::NAN)]);
    }
    exactly(Builder::log2, &[(8.0, 3.0), (0.125, -3.0)]);
}

#[test]
fn hyperbolic_tangent() {
    within_ulps(Builder::tanh, f64::tanh, &sweep(-20.0, 20.0, 100_000), 4.0);
    within_ulps(Builder::tanh, f64::tanh, &octaves(-60, 4), 4.0);
    exactly(Builder::tanh, &[(0.0, 0.0), (INF, 1.0), (-INF, -1.0), (f32::NAN, f32::NAN)]);
}

#[test]
fn circular_functions() {
    for (f, g) in [(Builder::sin as fn(&mut Builder, Val) -> Val, f64::sin as fn(f64) -> f64), (Builder::cos, f64::cos)]
    {
        within(f, g, &sweep(-8.0, 8.0, 50_000), 1e-7);
        within(f, g, &sweep(-1e4, 1e4, 100_000), 1e-7);
        within(f, g, &sweep(-1e6, 1e6, 100_000), 1e-6);
        exactly(f, &[(INF, f32::NAN), (f32::NAN, f32::NAN)]);
    }
    exactly(Builder::sin, &[(0.0, 0.0)]);
    exactly(Builder::cos, &[(0.0, 1.0)]);
}

/// erf by its series and continued fraction, in f64.
fn erf(x: f64) -> f64 {
    let a = x.abs();
    let y = if a < 3.0 {
        let (mut term, mut sum, mut n) = (a, a, 0.0);
        while term.abs() > 1e-18 {
            n += 1.0;
            term *= -a * a / n;
            sum += term / (2.0 * n + 1.0);
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    } else {
        let fraction = (1..60).rev().fold(0.0, |c, k| f64::from(k) / 2.0 / (a + c));
        1.0 - (-a * a).exp() / (std::f64::consts::PI.sqrt() * (a + fraction))
    };
    y.copysign(x)
}

#[test]
fn error_function() {
    within(Builder::erf, erf, &sweep(-6.0, 6.0, 100_000), 1e-7);
    exactly(Builder::erf, &[(0.0, 0.0), (INF, 1.0), (-INF, -1.0), (50.0, 1.0), (f32::NAN, f32::NAN)]);
}

#[test]
fn powers() {
    let mut worst: f64 = 0.0;
    for y in [-3.5f32, -1.0, 0.5, 1.0, 2.0, 17.0] {
        let x = octaves(-4, 4);
        let w = vec![y; x.len()];
        for (r, x) in apply2(Builder::pow, &x, &w).iter().zip(&x) {
            let (x, y) = (f64::from(*x), f64::from(y));
            let exact = x.powf(y);
            worst = worst.max((f64::from(*r) / exact - 1.0).abs() / (1.0 + (y * x.log2()).abs()));
        }
    }
    assert!(worst <= 1e-7, "{worst:e}");
    let cases: [(f32, f32, f32); 9] = [
        (0.0, 2.0, 0.0),
        (0.0, 0.0, 1.0),
        (0.0, -1.0, INF),
        (-2.0, 3.0, -8.0),
        (-2.0, 2.0, 4.0),
        (-2.0, 0.5, f32::NAN),
        (5.0, 0.0, 1.0),
        (2.0, 10.0, 1024.0),
        (0.5, INF, 0.0),
    ];
    let (x, w): (Vec<f32>, Vec<f32>) = cases.iter().map(|c| (c.0, c.1)).unzip();
    for (r, c) in apply2(Builder::pow, &x, &w).iter().zip(cases) {
        assert!(*r == c.2 || r.is_nan() && c.2.is_nan(), "pow({}, {}) = {r}", c.0, c.1);
    }
}

#[test]
fn bfloat16_rounding_is_that_of_the_type() {
    let mut x = octaves(-149, 128);
    x.extend([0.0, INF, f32::NAN, 3.4e38, 1.003_906_3, 1.011_718_8]);
    for (y, x) in apply(Builder::round_bf16, &x).iter().zip(&x) {
        let expected = DType::Bf16.round(f64::from(*x)) as f32;
        assert!(*y == expected || y.is_nan() && expected.is_nan(), "bf16({x}) = {y}, expected {expected}");
    }
}
