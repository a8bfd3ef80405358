//! Attention of a real encoder: the query, key and value activations of two layers of all-MiniLM-L6-v2 for eight
//! sentences with their padding mask, computed by a kernel that `attn!` compiled, compared with the stored answer.
//!
//! `cargo run --release -p einattn --example encoder_attention`

use einattn::cpu::Options;
use einattn::{Tensor, TensorMut, attn};
use safetensors::SafeTensors;
use std::time::Instant;

attn! {
    /// Softmax attention of an encoder: keys beyond the end of a sentence are masked.
    kernel encoder_attention {
        rank B, H, P, M, E = 32, F = 32;
        in  q: bf16[B, H, P, E];
        in  k: bf16[B, H, M, E];
        in  v: bf16[B, H, M, F];
        in  keymask: bool[B, M];
        out o: f32[B, H, P, F];
        out lse: f32[B, H, P];

        let s[b,h,p,m]: f32 = sum[e](q[b,h,p,e] * k[b,h,m,e]) / sqrt(E) where keymask[b,m];
        o[b,h,p,f] = sum[m](softmax[m](s[b,h,p,m]) * v[b,h,m,f]);
        lse[b,h,p] = logsumexp[m](s[b,h,p,m]);

        assert passes(M) == 1;
    }
}

/// Acceptance: twice the error that an eager f32 evaluation makes, plus 1e-6.
const NAIVE_F32: f64 = 1.3e-7;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/encoder");
    for layer in [0, 5] {
        layer_attention(layer, &std::fs::read(format!("{folder}/layer{layer}.safetensors"))?)?;
    }
    Ok(())
}

fn layer_attention(layer: u32, bytes: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    let file = SafeTensors::deserialize(bytes)?;
    let shape = file.tensor("q")?.shape().to_vec();
    let [b, h, p, e] = shape[..] else { return Err("q must have four dimensions".into()) };
    let [q, k, v] = ["q", "k", "v"].map(|name| file.tensor(name).map(|t| read_bf16(t.data())));
    let (q, k, v) = (q?, k?, v?);
    let keymask: Vec<bool> = file.tensor("keymask")?.data().iter().map(|byte| *byte != 0).collect();
    let (mut o, mut lse) = (vec![f32::NAN; b * h * p * e], vec![f32::NAN; b * h * p]);

    let mut best = f64::INFINITY;
    let mut isa = "";
    for _ in 0..50 {
        let start = Instant::now();
        isa = encoder_attention {
            q: Tensor::new(&q, &shape),
            k: Tensor::new(&k, &shape),
            v: Tensor::new(&v, &shape),
            keymask: Tensor::new(&keymask, [b, p]),
            o: TensorMut::new(&mut o, &shape),
            lse: TensorMut::new(&mut lse, [b, h, p]),
        }
        .run_with(Options::default())?;
        best = best.min(start.elapsed().as_secs_f64());
    }

    let error_o = relative_error(&o, &read_f32(file.tensor("out.o")?.data()));
    let error_lse = relative_error(&lse, &read_f32(file.tensor("out.lse")?.data()));
    let gflops = 4.0 * (b * h * p * p * e) as f64 / best / 1e9;
    println!("layer {layer}: q, k, v {shape:?} bf16, keymask [{b}, {p}], o {shape:?} f32");
    println!("  relative error o {error_o:.2e}, lse {error_lse:.2e}");
    println!("  {:.1} us, {gflops:.1} GFLOP/s, {isa}", best * 1e6);
    if error_o > 2.0 * NAIVE_F32 + 1e-6 || error_lse > 2.0 * NAIVE_F32 + 1e-6 {
        return Err(format!("layer {layer} differs from the stored answer").into());
    }
    Ok(())
}

fn read_bf16(bytes: &[u8]) -> Vec<einattn::bf16> {
    bytes.chunks_exact(2).map(|c| einattn::bf16::from_le_bytes([c[0], c[1]])).collect()
}

fn read_f32(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|c| f32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect()
}

/// Frobenius norm of the difference over that of the reference.
fn relative_error(x: &[f32], reference: &[f32]) -> f64 {
    let square = |v: f64| v * v;
    let difference: f64 = x.iter().zip(reference).map(|(a, b)| square(f64::from(*a) - f64::from(*b))).sum();
    (difference / reference.iter().map(|b| square(f64::from(*b))).sum::<f64>()).sqrt()
}
