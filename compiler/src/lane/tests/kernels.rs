//! Whole kernels on the executor.

use super::attention::Attention;
use crate::lane::exec::{Args, run};
use crate::lane::lower;
use crate::target::CpuCaps;
use crate::tile::verify;
use crate::types::DType;

/// Reproducible values in [-1, 1].
fn noise(n: usize, seed: u64) -> Vec<f64> {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..n)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            f64::from(((x >> 40) as f32 / (1u64 << 23) as f32) - 1.0)
        })
        .collect()
}

struct Sizes {
    bh: usize,
    p: usize,
    m: usize,
    e: usize,
}

fn plain_attention(s: &Sizes, t: &[Vec<f64>], scale: f64, causal: bool) -> Vec<f64> {
    let mut out = vec![];
    for bh in 0..s.bh {
        for p in 0..s.p {
            let score = |m: usize| {
                scale * (0..s.e).map(|e| t[0][(bh * s.p + p) * s.e + e] * t[1][(bh * s.m + m) * s.e + e]).sum::<f64>()
            };
            let keys: Vec<usize> = (0..s.m).filter(|m| !causal || *m <= p).collect();
            let w: Vec<f64> = keys.iter().map(|m| score(*m).exp()).collect();
            let total: f64 = w.iter().sum();
            for f in 0..s.e {
                let sum: f64 = keys.iter().zip(&w).map(|(m, w)| w * t[2][(bh * s.m + m) * s.e + f]).sum();
                out.push(if total > 0.0 { sum / total } else { 0.0 });
            }
        }
    }
    out
}

fn relative(x: &[f64], reference: &[f64]) -> f64 {
    let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|x| x * x).sum::<f64>().sqrt();
    norm(&mut x.iter().zip(reference).map(|(a, b)| a - b)) / norm(&mut reference.iter().copied()).max(1e-30)
}

#[track_caller]
fn check(caps: &CpuCaps, s: &Sizes, causal: bool, head: Option<i64>, dtype: DType, tolerance: f64) {
    let scale = 1.0 / (s.e as f64).sqrt();
    let program = Attention { causal, dtype, head, lane_tile: caps.lane_tile(), stream_tile: 12, scale };
    let kernel = lower(&verify(program.kernel()).expect("the program is well formed"), caps)
        .expect("the program is within what the lowering supports");
    let n = |rows: usize| s.bh * rows * s.e;
    let mut tensors = vec![noise(n(s.p), 1), noise(n(s.m), 2), noise(n(s.m), 3), vec![f64::NAN; n(s.p)]];
    for t in &mut tensors {
        t.iter_mut().for_each(|x| *x = dtype.round(*x));
    }
    let reference = plain_attention(s, &tensors, scale, causal);
    let extents = [1, s.bh, s.p, s.m, s.e, s.e].map(|x| x as i64).to_vec();
    let mut args = Args { ranks: extents, scalars: vec![], floats: vec![], tensors };
    run(&kernel, &mut args).expect("the kernel stays inside its memory");
    let error = relative(&args.tensors[3], &reference);
    assert!(error <= tolerance, "relative error {error:e} for {} {causal} {head:?} {dtype}", caps.name);
}

#[test]
fn attention_on_every_instruction_set() {
    let s = Sizes { bh: 2, p: 37, m: 29, e: 11 };
    for caps in [CpuCaps::AVX512, CpuCaps::AVX2, CpuCaps::PORTABLE, CpuCaps::CRANELIFT] {
        for causal in [false, true] {
            check(&caps, &s, causal, None, DType::F32, 3e-7);
            check(&caps, &s, causal, Some(11), DType::F32, 3e-7);
        }
    }
}

#[test]
fn attention_on_one_row_and_on_exact_tiles() {
    check(&CpuCaps::AVX2, &Sizes { bh: 1, p: 1, m: 1, e: 1 }, true, None, DType::F32, 3e-7);
    check(&CpuCaps::AVX2, &Sizes { bh: 1, p: 16, m: 24, e: 6 }, false, Some(6), DType::F32, 3e-7);
    check(&CpuCaps::AVX2, &Sizes { bh: 1, p: 3, m: 50, e: 8 }, false, None, DType::F32, 3e-7);
}

#[test]
fn attention_on_small_floats() {
    let s = Sizes { bh: 1, p: 20, m: 31, e: 8 };
    check(&CpuCaps::AVX2, &s, true, None, DType::Bf16, 3e-3);
    check(&CpuCaps::AVX2, &s, true, None, DType::F16, 4e-4);
}
