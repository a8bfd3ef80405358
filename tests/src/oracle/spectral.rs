//! References of `spectral.attn`, with complex numbers as pairs.

use super::loops::{At, In, attend, grid, relu, scores, sum};
use super::{Oracle, Outputs, case};
use einattn_compiler::interp::Value;
use std::f64::consts::{PI, TAU};

pub(super) const ORACLES: &[Oracle] = &[
    case("spectral_filter", "B=2 T=6 C=2", "", |x| filter(x, |_, z| z)),
    case("spectral_mod_relu", "B=2 T=5 C=2", "", |x| filter(x, mod_relu)),
    case("cosine_filter", "B=2 T=6 C=2", "", cosine_filter),
    case("cosine_attention_mixer", "B=1 H=2 T=6 D=4 E=3 F=2", "scale=0.5", cosine_attention),
    case("channel_fft", "B=1 T=3 C=6 N=2", "", channel_fft),
    case("multiscale_convolution", "B=1 T=9 C=2 J=3 N=2", "alpha=0.5", multiscale),
];

type Complex = (f64, f64);

fn times((a, b): Complex, (c, d): Complex) -> Complex {
    (a * c - b * d, a * d + b * c)
}

/// Discrete Fourier transform with exp(sign 2 pi i k s / n).
fn dft(x: &[Complex], sign: f64) -> Vec<Complex> {
    let n = x.len();
    let term = |k: usize, s: usize| {
        let angle = sign * TAU * (k as f64) * (s as f64) / n as f64;
        times(x[s], (angle.cos(), angle.sin()))
    };
    (0..n).map(|k| (0..n).map(|s| term(k, s)).fold((0.0, 0.0), |(a, b), (c, d)| (a + c, b + d))).collect()
}

fn mod_relu(bias: f64, (a, b): Complex) -> Complex {
    let size = a.hypot(b);
    let gain = relu(size + bias) / size;
    (gain * a, gain * b)
}

fn filter(x: &In<'_>, act: fn(f64, Complex) -> Complex) -> Outputs {
    let (t, re, im) = (x.t("x"), x.t("re"), x.t("im"));
    let [nb, nt, nc] = t.dims();
    // A filter without an activation has no bias.
    let bias = |c: usize| {
        if std::ptr::fn_addr_eq(act, mod_relu as fn(f64, Complex) -> Complex) { x.t("bias").at([c]) } else { 0.0 }
    };
    vec![(
        "o",
        grid([nb, nt, nc], |[b, i, c]| {
            let column: Vec<Complex> = (0..nt).map(|s| (t.at([b, s, c]), 0.0)).collect();
            let mut y = dft(&column, -1.0);
            for (k, z) in y.iter_mut().enumerate() {
                *z = act(bias(c), times(*z, (re.at([b, k, c]), im.at([b, k, c]))));
            }
            dft(&y, 1.0)[i].0 / nt as f64
        }),
    )]
}

/// Orthonormal cosine transform (type II).
fn dct(x: &[f64]) -> Vec<f64> {
    let n = x.len() as f64;
    let angle = |k: usize, s: usize| PI * (2.0 * s as f64 + 1.0) * k as f64 / (2.0 * n);
    let scale = |k: usize| if k == 0 { (1.0 / n).sqrt() } else { (2.0 / n).sqrt() };
    (0..x.len()).map(|k| scale(k) * x.iter().enumerate().map(|(s, x)| x * angle(k, s).cos()).sum::<f64>()).collect()
}

/// Its inverse (type III).
fn inverse_dct(y: &[f64]) -> Vec<f64> {
    let n = y.len() as f64;
    let term =
        |k: usize, s: usize| y[k] * (2.0 / n).sqrt() * (PI * (2.0 * s as f64 + 1.0) * k as f64 / (2.0 * n)).cos();
    (0..y.len()).map(|s| y[0] / n.sqrt() + (1..y.len()).map(|k| term(k, s)).sum::<f64>()).collect()
}

fn cosine_filter(x: &In<'_>) -> Outputs {
    let (t, gain) = (x.t("x"), x.t("gain"));
    let [nb, nt, nc] = t.dims();
    vec![(
        "o",
        grid([nb, nt, nc], |[b, i, c]| {
            let y = dct(&(0..nt).map(|s| t.at([b, s, c])).collect::<Vec<_>>());
            inverse_dct(&y.iter().enumerate().map(|(k, y)| gain.at([b, k, c]) * y).collect::<Vec<_>>())[i]
        }),
    )]
}

fn cosine_attention(x: &In<'_>) -> Outputs {
    let (q, k, v) = (x.t("q"), x.t("k"), x.t("v"));
    let ([nb, nh, nt, ne], [_, _, _, nf]) = (q.dims(), v.dims());
    let low = |t: &Value, b: usize, h: usize, c: usize| dct(&(0..nt).map(|s| t.at([b, h, s, c])).collect::<Vec<_>>());
    vec![(
        "o",
        grid([nb, nh, nt, nf], |[b, h, i, f]| {
            let (qs, ks): (Vec<_>, Vec<_>) = (0..ne).map(|e| (low(q, b, h, e), low(k, b, h, e))).unzip();
            let vs = low(v, b, h, f);
            let row = |d: usize| attend(&scores(4, |_| true, |j| 0.5 * sum(ne, |e| qs[e][d] * ks[e][j])), |j| vs[j]);
            // The frequencies above the fourth are dropped.
            inverse_dct(&(0..nt).map(|d| if d < 4 { row(d) } else { 0.0 }).collect::<Vec<_>>())[i]
        }),
    )]
}

fn channel_fft(x: &In<'_>) -> Outputs {
    let (t, wr, wi) = (x.t("x"), x.t("wr"), x.t("wi"));
    let [nb, nt, nc] = t.dims();
    vec![(
        "o",
        grid([nb, nt, nc], |[b, i, c]| {
            let y = dft(&(0..nc).map(|s| (t.at([b, i, s]), 0.0)).collect::<Vec<_>>(), -1.0);
            let mixed: Vec<Complex> = (0..nc)
                .map(|k| {
                    let (block, d) = (k / 3, k % 3);
                    let term = |l: usize| times(y[block * 3 + l], (wr.at([block, d, l]), wi.at([block, d, l])));
                    (relu(sum(3, |l| term(l).0)), relu(sum(3, |l| term(l).1)))
                })
                .collect();
            dft(&mixed, 1.0)[c].0 / nc as f64
        }),
    )]
}

fn multiscale(x: &In<'_>) -> Outputs {
    let (u, piece) = (x.t("u"), x.t("piece"));
    let [nb, nt, nc] = u.dims();
    // Pieces of length 2, 2 and 4: the last two are the sub-filter stretched by 1 and by 2.
    let filter = |c: usize| {
        let mut h = vec![];
        for (j, stretch) in [(0, 1), (1, 1), (2, 2)] {
            for n in 0..2 {
                h.extend(std::iter::repeat_n(0.5f64.powi(j as i32) * piece.at([c, j, n]), stretch));
            }
        }
        h
    };
    vec![(
        "o",
        grid([nb, nt, nc], |[b, t, c]| {
            let h = filter(c);
            let conv: f64 = (0..=t).filter(|s| t - s < h.len()).map(|s| h[t - s] * u.at([b, s, c])).sum();
            conv + x.t("dskip").at([c]) * u.at([b, t, c])
        }),
    )]
}
