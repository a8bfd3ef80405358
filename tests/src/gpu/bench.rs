//! Timings of attention on device memory, with events of the driver around every launch.

use attnc::cuda::Program;
use cudarc::driver::result::event;
use cudarc::driver::sys::CUevent_flags;
use einattn::cuda::{self, Arg, Buffer, Device, Launch, Stream, Workspace};
use einattn::{DType, bf16, f16};
use einattn_compiler::driver::{Options, check_source};
use serde_json::{Value as Json, json};

/// Attention of one head dimension in one type.
const KERNEL: &str = "kernel attention {
    rank B, H, P, M, E = 64, F = 64;
    in  q: T[B, H, P, E];
    in  k: T[B, H, M, E];
    in  v: T[B, H, M, F];
    out o: T[B, H, P, F];
    let s[b,h,p,m]: f32 = sum[e](q[b,h,p,e] * k[b,h,m,e]) / sqrt(E) MASK;
    o[b,h,p,f] = sum[m](softmax[m](s[b,h,p,m]) * v[b,h,m,f]);
}";

/// Launches before the timed ones.
const WARM: usize = 5;

/// What is timed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Batch.
    pub batch: usize,
    /// Heads.
    pub heads: usize,
    /// Queries and keys.
    pub length: usize,
    /// Head dimension.
    pub dim: usize,
    /// `bf16`, `f16` or `f32`.
    pub dtype: String,
    /// Causal.
    pub causal: bool,
}

impl Shape {
    /// 16k tokens of 2048 columns, as the peers are timed.
    pub fn defaults() -> Vec<Shape> {
        let mut out = vec![];
        for dim in [64, 128, 256] {
            for length in [1024, 4096, 16384] {
                for causal in [false, true] {
                    let (batch, heads) = (16384 / length, 2048 / dim);
                    out.push(Shape { batch, heads, length, dim, dtype: "bf16".to_string(), causal });
                }
            }
        }
        out
    }

    /// `B,H,N,D[,TYPE][,causal]`.
    pub fn parse(text: &str) -> Result<Shape, String> {
        let mut parts = text.split(',');
        let mut number = || parts.next().and_then(|p| p.parse().ok()).ok_or_else(|| format!("`{text}` is no shape"));
        let [batch, heads, length, dim] = [number()?, number()?, number()?, number()?];
        let rest: Vec<&str> = parts.collect();
        let dtype = rest.iter().find(|p| **p != "causal").unwrap_or(&"bf16").to_string();
        Ok(Shape { batch, heads, length, dim, dtype, causal: rest.contains(&"causal") })
    }

    fn name(&self) -> String {
        let mask = if self.causal { "causal" } else { "full" };
        format!("{},{},{},{} {} {mask}", self.batch, self.heads, self.length, self.dim, self.dtype)
    }

    fn elements(&self) -> usize {
        self.batch * self.heads * self.length * self.dim
    }

    /// Multiply-adds count twice; a causal mask halves them.
    fn flops(&self) -> f64 {
        let all = 4.0 * (self.elements() * self.length) as f64;
        if self.causal { 0.5 * all } else { all }
    }
}

/// Times a shape: milliseconds, TFLOP/s, and the error of some rows.
///
/// # Errors
///
/// The kernel is refused, or the device failed.
pub fn time(device: &'static Device, shape: &Shape, repeats: usize) -> Result<Json, String> {
    let program = program(shape)?;
    let dtype = match &*shape.dtype {
        "f32" => DType::F32,
        "f16" => DType::F16,
        _ => DType::Bf16,
    };
    let n = shape.elements();
    let data: Vec<Vec<f32>> = (1..4).map(|seed| (0..n).map(|i| noise(i as u32, seed)).collect()).collect();
    let bytes = n * dtype.bytes();
    let mut buffers = vec![];
    for x in &data {
        buffers.push(Buffer::of(device, &stored(dtype, x)).map_err(|e| e.to_string())?);
    }
    buffers.push(Buffer::new(device, bytes).map_err(|e| e.to_string())?);
    let dims = [shape.batch, shape.heads, shape.length, shape.dim];
    let strides = [shape.heads * shape.length * shape.dim, shape.length * shape.dim, shape.dim, 1];
    let arg = |(i, b): (usize, &Buffer)| {
        let make = if i == 3 { Arg::write } else { Arg::read };
        make(dtype, b.ptr(), n, &dims, &strides)
    };
    let args: Vec<Arg<'_>> = buffers.iter().enumerate().map(arg).collect();
    let launch = Launch { args: &args, ints: &[], floats: &[], stream: Stream::default(), workspace: None };
    let mut times = program.on(device, |p| measure(device, p, &launch, repeats))?;
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    let mut out = vec![0; bytes];
    buffers[3].read(&mut out).map_err(|e| e.to_string())?;
    Ok(json!({
        "case": shape.name(), "B": shape.batch, "H": shape.heads, "N": shape.length, "D": shape.dim,
        "dtype": shape.dtype, "causal": shape.causal, "ms": median, "best_ms": times[0],
        "TFLOPs": shape.flops() / median / 1e9, "error": error(shape, dtype, &data, &out),
        "threads": program.module.entries.iter().map(|e| e.threads).collect::<Vec<_>>(),
        "shared": program.module.entries.iter().map(|e| e.shared_bytes).collect::<Vec<_>>(),
    }))
}

fn program(shape: &Shape) -> Result<Program, String> {
    let mask = if shape.causal { "where causal(p, m)" } else { "" };
    let text = KERNEL.replace("MASK", mask).replace("T[", &format!("{}[", shape.dtype));
    let set = ["E", "F"].map(|name| (name.to_string(), shape.dim.to_string()));
    let (checked, diags) = check_source(&text, &set);
    if let Some(d) = diags.first() {
        return Err(d.message.clone());
    }
    let member = checked.kernels.first().and_then(|k| k.members.first()).ok_or("there is no kernel")?;
    Program::new(member, super::arch()?, &Options::default()).map_err(|e| format!("{e:?}"))
}

fn measure(
    device: &'static Device,
    program: &cuda::Program<'_>,
    launch: &Launch<'_>,
    repeats: usize,
) -> Result<Vec<f64>, String> {
    let bytes = program.workspace_bytes(launch).map_err(|e| e.to_string())?;
    let workspace = Buffer::new(device, bytes).map_err(|e| e.to_string())?;
    let launch = Launch { workspace: Some(Workspace { ptr: workspace.ptr(), bytes }), ..*launch };
    // SAFETY: the buffers outlive the wait.
    let once = || unsafe { program.launch(&launch) }.map_err(|e| e.to_string());
    for _ in 0..WARM {
        once()?;
    }
    device.wait().map_err(|e| e.to_string())?;
    let fail = |e: cudarc::driver::DriverError| format!("events: {e:?}");
    let event = || event::create(CUevent_flags::CU_EVENT_DEFAULT).map_err(fail);
    let mut events = vec![];
    for _ in 0..repeats {
        let (start, end) = (event()?, event()?);
        // SAFETY: the events are new, and the stream is the device's own.
        unsafe { event::record(start, std::ptr::null_mut()) }.map_err(fail)?;
        once()?;
        // SAFETY: as above.
        unsafe { event::record(end, std::ptr::null_mut()) }.map_err(fail)?;
        events.push((start, end));
    }
    device.wait().map_err(|e| e.to_string())?;
    // SAFETY: both events have been recorded and reached.
    let elapsed = |(start, end)| unsafe { event::elapsed(start, end) }.map(f64::from).map_err(fail);
    events.into_iter().map(elapsed).collect()
}

fn stored(dtype: DType, x: &[f32]) -> Vec<u8> {
    match dtype {
        DType::F32 => x.iter().flat_map(|x| x.to_ne_bytes()).collect(),
        DType::F16 => x.iter().flat_map(|x| f16::from_f32(*x).to_ne_bytes()).collect(),
        _ => x.iter().flat_map(|x| bf16::from_f32(*x).to_ne_bytes()).collect(),
    }
}

/// The largest error of some rows of the last head, as a part of the largest element.
fn error(shape: &Shape, dtype: DType, data: &[Vec<f32>], out: &[u8]) -> f64 {
    let (n, d) = (shape.length, shape.dim);
    let base = shape.elements() - n * d;
    let rounded = |x: f32| match dtype {
        DType::F32 => f64::from(x),
        DType::F16 => f16::from_f32(x).to_f64(),
        _ => bf16::from_f32(x).to_f64(),
    };
    let row = |t: usize, i: usize| data[t][base + i * d..][..d].iter().map(|x| rounded(*x));
    let (mut worst, mut scale) = (0f64, 0f64);
    for p in [0, 1, n / 2, n - 1] {
        let keys = if shape.causal { p + 1 } else { n };
        let scores: Vec<f64> =
            (0..keys).map(|m| row(0, p).zip(row(1, m)).map(|(a, b)| a * b).sum::<f64>() / (d as f64).sqrt()).collect();
        let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = scores.iter().map(|s| (s - most).exp()).collect();
        let sum: f64 = weights.iter().sum();
        let mut want = vec![0.0; d];
        for (m, w) in weights.iter().enumerate() {
            want.iter_mut().zip(row(2, m)).for_each(|(o, v)| *o += w * v / sum);
        }
        for (f, want) in want.iter().enumerate() {
            let at = (base + p * d + f) * dtype.bytes();
            let got = element(dtype, &out[at..][..dtype.bytes()]);
            let error = (got - want).abs();
            worst = if error.is_nan() { f64::MAX } else { worst.max(error) };
            scale = scale.max(want.abs());
        }
    }
    worst / scale
}

fn element(dtype: DType, bytes: &[u8]) -> f64 {
    match (dtype, bytes) {
        (DType::F16, [a, b]) => f16::from_ne_bytes([*a, *b]).to_f64(),
        (_, [a, b]) => bf16::from_ne_bytes([*a, *b]).to_f64(),
        (_, [a, b, c, d]) => f64::from(f32::from_ne_bytes([*a, *b, *c, *d])),
        _ => f64::NAN,
    }
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
