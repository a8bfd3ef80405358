//! Times recurrences in f32, step by step: `bench_scan retention|gla|gated_delta HEADS LENGTH [THREADS]`, 128 × 128 states.
//! Prints one JSON line with the memory that the launch needed beside its arguments; `tests/bench/scan.py` runs it beside
//! PyTorch.

use einattn::cpu::Options;
use einattn::{Error, Tensor, TensorMut, attn};
use std::time::Instant;

attn! {
    /// Constant decay per head (class R1).
    kernel retention {
        rank B, H, E = 128, F = 128;
        iter T;
        in q: f32[B, H, T, E];
        in k: f32[B, H, T, E];
        in v: f32[B, H, T, F];
        in gamma: f32[H];
        out o: f32[B, H, T, F];
        state st[b,h,t,e,f]: f32;
        init st[b,h,0,e,f] = 0.0;
        st[b,h,t+1,e,f] = gamma[h] * st[b,h,t,e,f] + k[b,h,t,e] * v[b,h,t,f];
        o[b,h,t,f] = sum[e](q[b,h,t,e] * st[b,h,t+1,e,f]);
    }

    /// A gate per key channel (class R3).
    kernel gla {
        rank B, H, E = 128, F = 128;
        iter T;
        in q: f32[B, H, T, E];
        in k: f32[B, H, T, E];
        in v: f32[B, H, T, F];
        #[nonpositive] in g: f32[B, H, T, E];
        out o: f32[B, H, T, F];
        state st[b,h,t,e,f]: f32;
        init st[b,h,0,e,f] = 0.0;
        st[b,h,t+1,e,f] = exp(g[b,h,t,e]) * st[b,h,t,e,f] + k[b,h,t,e] * v[b,h,t,f];
        o[b,h,t,f] = sum[e](q[b,h,t,e] * st[b,h,t+1,e,f]);
    }

    /// A scalar gate and a correction along the key (class R4).
    kernel gated_delta {
        rank B, H, E = 128, F = 128;
        iter T;
        in q: f32[B, H, T, E];
        in k: f32[B, H, T, E];
        in v: f32[B, H, T, F];
        #[nonpositive] in g: f32[B, H, T];
        in beta: f32[B, H, T];
        out o: f32[B, H, T, F];
        state st[b,h,t,e,f]: f32;
        init st[b,h,0,e,f] = 0.0;
        let d[b,h,t,e,f] = exp(g[b,h,t]) * st[b,h,t,e,f];
        let r[b,h,t,f] = beta[b,h,t] * (v[b,h,t,f] - sum[e](k[b,h,t,e] * d[b,h,t,e,f]));
        st[b,h,t+1,e,f] = d[b,h,t,e,f] + k[b,h,t,e] * r[b,h,t,f];
        o[b,h,t,f] = sum[e](q[b,h,t,e] * st[b,h,t+1,e,f]);
    }
}

const USAGE: &str = "bench_scan retention|gla|gated_delta HEADS LENGTH [THREADS]";
const DIM: usize = 128;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [kernel, heads, length, rest @ ..] = &args[..] else { return Err(USAGE.into()) };
    let (h, t) = (heads.parse()?, length.parse()?);
    let threads = rest.first().map_or(Ok(2), |t| t.parse())?;
    let data = Data::new(h, t);
    // Touched before the launch, so that its pages do not count as the launch's memory.
    let mut o = vec![1.0; h * t * DIM];
    let before = peak_kib()?;
    let mut times = vec![];
    let mut isa = "";
    for _ in 0..5 {
        let start = Instant::now();
        isa = data.run(kernel, &mut o, Options { threads, isa: None })?;
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    println!(
        "{{\"isa\": \"{isa}\", \"ms\": {:.3}, \"us_a_step\": {:.4}, \"workspace_KiB\": {}}}",
        times[times.len() / 2] * 1e3,
        times[times.len() / 2] * 1e6 / t as f64,
        peak_kib()? - before
    );
    Ok(())
}

/// Arguments of all three kernels.
struct Data {
    heads: usize,
    length: usize,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    g: Vec<f32>,
    gates: Vec<f32>,
    beta: Vec<f32>,
    gamma: Vec<f32>,
}

impl Data {
    fn new(heads: usize, length: usize) -> Data {
        let n = heads * length;
        let unit = |seed: u32| (0..n * DIM).map(|i| (uniform(i, seed) - 0.5) * 0.3).collect::<Vec<f32>>();
        let gate = |count: usize, seed: u32| (0..count).map(|i| -0.1 * uniform(i, seed)).collect::<Vec<f32>>();
        Data {
            heads,
            length,
            q: unit(1),
            k: unit(2),
            v: unit(3),
            g: gate(n * DIM, 4),
            gates: gate(n, 5),
            beta: (0..n).map(|i| uniform(i, 6)).collect(),
            gamma: (0..heads).map(|i| 1.0 - 0.5_f32.powi(5 + i as i32)).collect(),
        }
    }

    fn run(&self, kernel: &str, o: &mut [f32], options: Options) -> Result<&'static str, Box<dyn std::error::Error>> {
        let rows = [1, self.heads, self.length, DIM];
        let one = [1, self.heads, self.length];
        let (q, k) = (Tensor::new(&self.q, rows), Tensor::new(&self.k, rows));
        let (v, o) = (Tensor::new(&self.v, rows), TensorMut::new(o, rows));
        let isa: Result<_, Error> = match kernel {
            "retention" => retention { q, k, v, gamma: Tensor::new(&self.gamma, [self.heads]), o }.run_with(options),
            "gla" => gla { q, k, v, g: Tensor::new(&self.g, rows), o }.run_with(options),
            "gated_delta" => {
                let (g, beta) = (Tensor::new(&self.gates, one), Tensor::new(&self.beta, one));
                gated_delta { q, k, v, g, beta, o }.run_with(options)
            }
            _ => return Err(USAGE.into()),
        };
        Ok(isa?)
    }
}

/// Uniform in 0..1, from a hash.
fn uniform(i: usize, seed: u32) -> f32 {
    let mut x = (i as u32).wrapping_mul(0x9E37_79B9) ^ seed.wrapping_mul(0x85EB_CA6B);
    for _ in 0..2 {
        x ^= x >> 16;
        x = x.wrapping_mul(0x7FEB_352D);
        x ^= x >> 15;
    }
    x as f32 / u32::MAX as f32
}

/// Peak of the resident memory in KiB; 0 where the system does not say.
fn peak_kib() -> Result<u64, Box<dyn std::error::Error>> {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return Ok(0) };
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    Ok(line.and_then(|l| l.split_whitespace().next()).map_or(Ok(0), str::parse)?)
}
