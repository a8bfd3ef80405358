//! Times `attn!` kernels for plain attention in f32: `bench_sdpa HEADS LENGTH DIM full|causal [THREADS]`.
//! Prints one JSON line; `tests/bench/sdpa.py` runs it beside PyTorch.

use einattn::cpu::Options;
use einattn::{Tensor, TensorMut, attn};
use std::time::Instant;

attn! {
    /// Attention without a mask.
    kernel full {
        rank B, H, P, M, E in {64, 128}, F = E;
        in q: f32[B, H, P, E];
        in k: f32[B, H, M, E];
        in v: f32[B, H, M, F];
        out o: f32[B, H, P, F];
        let s[b,h,p,m] = sum[e](q[b,h,p,e] * k[b,h,m,e]) / sqrt(E);
        o[b,h,p,f] = sum[m](softmax[m](s[b,h,p,m]) * v[b,h,m,f]);
    }

    /// Causal attention.
    kernel masked {
        rank B, H, P, M, E in {64, 128}, F = E;
        in q: f32[B, H, P, E];
        in k: f32[B, H, M, E];
        in v: f32[B, H, M, F];
        out o: f32[B, H, P, F];
        let s[b,h,p,m] = sum[e](q[b,h,p,e] * k[b,h,m,e]) / sqrt(E) where causal(p, m);
        o[b,h,p,f] = sum[m](softmax[m](s[b,h,p,m]) * v[b,h,m,f]);
    }
}

const USAGE: &str = "bench_sdpa HEADS LENGTH DIM full|causal [THREADS]";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [heads, length, dim, mask, rest @ ..] = &args[..] else { return Err(USAGE.into()) };
    let (h, n, d) = (heads.parse()?, length.parse()?, dim.parse()?);
    let threads = rest.first().map_or(Ok(2), |t| t.parse())?;
    let causal = mask == "causal";
    let shape: [usize; 4] = [1, h, n, d];
    let data = |seed: u32| (0..h * n * d).map(|i| noise(i as u32, seed)).collect::<Vec<f32>>();
    let (q, k, v, mut o) = (data(1), data(2), data(3), vec![0.0; h * n * d]);
    let mut times = vec![];
    let mut isa = "";
    for _ in 0..7 {
        let start = Instant::now();
        let (q, k, v) = (Tensor::new(&q, shape), Tensor::new(&k, shape), Tensor::new(&v, shape));
        let (o, options) = (TensorMut::new(&mut o, shape), Options { threads, isa: None });
        isa = if causal { masked { q, k, v, o }.run_with(options)? } else { full { q, k, v, o }.run_with(options)? };
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let work = 4.0 * (h * n * n * d) as f64 * if causal { 0.5 } else { 1.0 };
    let median = times[times.len() / 2];
    println!(
        "{{\"isa\": \"{isa}\", \"ms\": {:.3}, \"best_ms\": {:.3}, \"GFLOPs\": {:.1}}}",
        median * 1e3,
        times[0] * 1e3,
        work / median / 1e9
    );
    Ok(())
}

/// Approximately normal noise: the sum of four uniform numbers from a hash.
fn noise(i: u32, seed: u32) -> f32 {
    let mut x = i.wrapping_mul(0x9E37_79B9) ^ seed.wrapping_mul(0x85EB_CA6B);
    let mut sum = 0.0;
    for _ in 0..4 {
        x ^= x >> 16;
        x = x.wrapping_mul(0x7FEB_352D);
        x ^= x >> 15;
        x = x.wrapping_mul(0x846C_A68B);
        sum += x as f32 / u32::MAX as f32 - 0.5;
    }
    sum * 1.7
}
