//! Emitted source, compiled by rustc and run: `generated/attention.inc` is what the target emits for a hand-built
//! program (small register tiles keep it readable). Run with `EINATTN_BLESS=1` to write it anew.

use einattn::__private::cpu::{Launch, Options, launch};
use einattn::{Tensor, TensorMut};
use einattn_compiler::target::CpuCaps;
use einattn_compiler::tile::verify;
use program::Attention;

#[path = "../../../compiler/src/lane/tests/attention.rs"]
mod program;

/// What the hand-built program needs.
mod names {
    pub(super) use einattn_compiler::cascade::{
        self, Attrs, Cascade, Extent, Facts, Rank, RankId, Tensor, TensorId, TensorKind,
    };
    pub(super) use einattn_compiler::tile::{
        Axis, AxisId, Buf, BufId, BufType, Expr, Range, Stmt, Tile, TileKernel, TileStage,
    };
    pub(super) use einattn_compiler::types::{BinOp, DType, RedOp, UnOp};
}

mod generated {
    include!("generated/attention.inc");
}

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/generated/attention.inc");
const SCALE: f32 = 0.25;

fn emitted() -> String {
    let member = [CpuCaps::AVX512, CpuCaps::AVX2, CpuCaps::PORTABLE].map(|caps| {
        let caps = CpuCaps { rows: 2, vectors: 1, ..caps };
        let program = Attention {
            causal: true,
            dtype: names::DType::F32,
            head: None,
            lane_tile: caps.lane_tile(),
            stream_tile: 12,
            scale: f64::from(SCALE),
        };
        let kernel = einattn_compiler::lane::lower(&verify(program.kernel()).expect("well formed"), &caps)
            .expect("the program can be lowered");
        (caps, kernel)
    });
    einattn_target_rust::emit(&[member.into()]).expect("the kernel can be emitted")
}

#[test]
fn the_generated_file_is_what_the_target_emits() {
    let emitted = emitted();
    if std::env::var_os("EINATTN_BLESS").is_some() {
        std::fs::write(FILE, &emitted).expect("the file can be written");
    }
    let file = std::fs::read_to_string(FILE).expect("the file exists");
    let line = emitted.lines().zip(file.lines()).position(|(a, b)| a != b);
    assert!(emitted == file, "generated/attention.inc is out of date from line {line:?}; run with EINATTN_BLESS=1");
}

fn noise(n: usize, seed: u32) -> Vec<f32> {
    let mut x = seed;
    let mut next = || {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (x >> 8) as f32 / (1u32 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// Causal attention in f64.
fn plain(q: &[f32], k: &[f32], v: &[f32], [heads, rows, keys, e]: [usize; 4]) -> Vec<f64> {
    let mut out = vec![];
    for h in 0..heads {
        for p in 0..rows {
            let at = |x: &[f32], row: usize, n: usize, c: usize| f64::from(x[(h * n + row) * e + c]);
            let weights: Vec<f64> = (0..keys.min(p + 1))
                .map(|m| (0..e).map(|c| at(q, p, rows, c) * at(k, m, keys, c)).sum::<f64>() * f64::from(SCALE))
                .map(f64::exp)
                .collect();
            let total: f64 = weights.iter().sum();
            out.extend(
                (0..e).map(|c| weights.iter().enumerate().map(|(m, w)| w * at(v, m, keys, c)).sum::<f64>() / total),
            );
        }
    }
    out
}

#[track_caller]
fn check(isa: &str, [heads, rows, keys, e]: [usize; 4]) {
    let (q, k, v) = (noise(heads * rows * e, 1), noise(heads * keys * e, 2), noise(heads * keys * e, 3));
    let mut o = vec![f32::NAN; heads * rows * e];
    let ran = {
        let (q, k, v) = (
            Tensor::new(&q, [1, heads, rows, e]),
            Tensor::new(&k, [1, heads, keys, e]),
            Tensor::new(&v, [1, heads, keys, e]),
        );
        let mut o = TensorMut::new(&mut o, [1, heads, rows, e]);
        let args = [q.arg(), k.arg(), v.arg(), o.arg()];
        let options = Options { threads: 1, isa: Some(isa) };
        launch(&generated::KERNEL, &Launch { args: &args, ints: &[], floats: &[], options }).expect("it fits")
    };
    let exact = plain(&q, &k, &v, [heads, rows, keys, e]);
    let error: f64 = o.iter().zip(&exact).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum();
    let norm: f64 = exact.iter().map(|b| b * b).sum();
    assert!(error.sqrt() <= 5e-7 * norm.sqrt(), "{ran}: relative error {:e}", (error / norm).sqrt());
}

#[test]
fn emitted_kernels_compute_attention() {
    for isa in ["portable", "avx2", "avx512"] {
        check(isa, [2, 37, 29, 11]);
        check(isa, [1, 1, 1, 1]);
        check(isa, [1, 64, 64, 16]);
    }
}
