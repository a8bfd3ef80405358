//! References of `features.attn`.

use super::loops::{At, In, attend, elu1, gelu, grid, largest, relu, scores, sigmoid, softmax, sum};
use super::{Oracle, Outputs, case};
use einattn_compiler::interp::Value;

pub(super) const ORACLES: &[Oracle] = &[
    case("performer", "B=2 H=2 P=4 M=5 R=3 E=4 F=2", "", performer),
    case("linear_angular", "B=2 H=2 P=5 E=4 F=2", "", angular),
    case("linear_mlp_features", "B=1 H=2 P=4 M=5 D=3 R=4 E=3 F=2", "eps=0.0001", linfusion),
    case("softmax_linear_mix", "B=1 H=2 P=4 M=5 D=3 E=4 F=2", "scale=0.5", mix),
    case("linear_relu_conv", "B=1 H=2 Y=3 X=4 U=3 W=3 E=4 F=2", "eps=0.01", lit),
    case("hyper_mixer", "B=2 P=5 D=3 C=4", "", hyper_mixer),
    case("haar_random_features", "B=1 H=2 C=2 R=3 E=3 F=2", "", haar),
    case("attention_normaliser", "B=1 H=2 P=5 E=4 F=2 K=0 Z=0", "scale=0.5 eps=0.1", |x| normaliser(x, 0, 0)),
    case("attention_normaliser", "B=1 H=2 P=5 E=4 F=2 K=1 Z=1", "scale=0.5 eps=0.1", |x| normaliser(x, 1, 1)),
    case("attention_normaliser", "B=1 H=2 P=5 E=4 F=2 K=2 Z=1", "scale=0.5 eps=0.1", |x| normaliser(x, 2, 1)),
    case("attention_normaliser", "B=1 H=2 P=5 E=4 F=2 K=3 Z=2", "scale=0.5 eps=0.1", |x| normaliser(x, 3, 2)),
    case("ponet", "B=2 P=7 D=3", "scale=0.5", ponet),
];

/// Values weighted by features of a query and of each key, divided by the sum of the weights.
fn linear(n: usize, w: impl Fn(usize) -> f64, value: impl Fn(usize) -> f64) -> f64 {
    sum(n, |m| w(m) * value(m)) / sum(n, w)
}

fn performer(x: &In<'_>) -> Outputs {
    let (q, k, v, omega) = (x.t("q"), x.t("k"), x.t("v"), x.t("omega"));
    let ([nb, nh, np, ne], [_, _, nm, nf], [nr, _]) = (q.dims(), v.dims(), omega.dims());
    let phi = |t: &Value, b: usize, h: usize, i: usize, r: usize| {
        let y = |e: usize| t.at([b, h, i, e]) / (ne as f64).powf(0.25);
        (sum(ne, |e| omega.at([r, e]) * y(e)) - sum(ne, |e| y(e).powi(2)) / 2.0).exp()
    };
    vec![(
        "o",
        grid([nb, nh, np, nf], |[b, h, p, f]| {
            linear(nm, |m| sum(nr, |r| phi(q, b, h, p, r) * phi(k, b, h, m, r)), |m| v.at([b, h, m, f]))
        }),
    )]
}

fn angular(x: &In<'_>) -> Outputs {
    let (q, k, v) = (x.t("q"), x.t("k"), x.t("v"));
    let ([nb, nh, np, ne], [_, _, _, nf]) = (q.dims(), v.dims());
    let bit = |t: &Value, b: usize, h: usize, i: usize, e: usize| {
        f64::from(t.at([b, h, i, e]) > sum(ne, |c| t.at([b, h, i, c])) / ne as f64)
    };
    let y = |b: usize, h: usize, p: usize, f: usize| {
        let kv = |e: usize| sum(np, |m| bit(k, b, h, m, e) * v.at([b, h, m, f]));
        0.5 * v.at([b, h, p, f]) + sum(ne, |e| bit(q, b, h, p, e) * kv(e)) / std::f64::consts::PI
    };
    vec![("o", grid([nb, nh, np, nf], |[b, h, p, f]| y(b, h, p, f) / sum(nf, |c| y(b, h, p, c).powi(2)).sqrt()))]
}

fn linfusion(x: &In<'_>) -> Outputs {
    let (xq, xk, v) = (x.t("xq"), x.t("xk"), x.t("v"));
    let ([nb, np, nd], [_, nh, nm, nf], [nr, _], [_, ne, _]) =
        (xq.dims(), v.dims::<4>(), x.t("w1").dims(), x.t("wq").dims());
    let phi = |t: &Value, w: &str, b: usize, i: usize, h: usize, e: usize| {
        let y: Vec<f64> = (0..nr).map(|r| sum(nd, |d| x.t("w1").at([r, d]) * t.at([b, i, d]))).collect();
        let mean = y.iter().sum::<f64>() / nr as f64;
        let var = y.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / nr as f64;
        let act = |r: usize| {
            let n = (y[r] - mean) / (var + 1e-5).sqrt();
            if n > 0.0 { n } else { 0.01 * n }
        };
        let z = |d: usize| t.at([b, i, d]) + sum(nr, |r| x.t("w2").at([d, r]) * act(r));
        elu1(sum(nd, |d| x.t(w).at([h, e, d]) * z(d)))
    };
    vec![(
        "o",
        grid([nb, nh, np, nf], |[b, h, p, f]| {
            let w = |m: usize| sum(ne, |e| phi(xq, "wq", b, p, h, e) * phi(xk, "wk", b, m, h, e)) / nm as f64;
            sum(nm, |m| w(m) * v.at([b, h, m, f])) / (sum(nm, w) + 1e-4)
        }),
    )]
}

fn mix(x: &In<'_>) -> Outputs {
    let (q, k, v) = (x.t("q"), x.t("k"), x.t("v"));
    let ([nb, nh, np, ne], [_, _, nm, nf], [_, _, nd]) = (q.dims(), v.dims(), x.t("wq").dims());
    // [softmax(x W), softmax(-x W)]
    let phi = |t: &Value, w: &str, b: usize, h: usize, i: usize| {
        let y: Vec<f64> = (0..nd).map(|d| sum(ne, |e| t.at([b, h, i, e]) * x.t(w).at([h, e, d]))).collect();
        let negative: Vec<f64> = y.iter().map(|a| -a).collect();
        [softmax(&y), softmax(&negative)].concat()
    };
    vec![(
        "o",
        grid([nb, nh, np, nf], |[b, h, p, f]| {
            let fq = phi(q, "wq", b, h, p);
            let w = |m: usize| phi(k, "wk", b, h, m).iter().zip(&fq).map(|(a, c)| a * c).sum();
            let s = scores(nm, |_| true, |m| 0.5 * sum(ne, |e| q.at([b, h, p, e]) * k.at([b, h, m, e])));
            let r = x.t("r").at([h]);
            r * attend(&s, |m| v.at([b, h, m, f])) + (1.0 - r) * linear(nm, w, |m| v.at([b, h, m, f]))
        }),
    )]
}

fn lit(x: &In<'_>) -> Outputs {
    let (q, k, v, taps) = (x.t("q"), x.t("k"), x.t("v"), x.t("taps"));
    let ([nb, nh, ny, nx, ne], [_, _, _, _, nf]) = (q.dims(), v.dims());
    vec![(
        "o",
        grid([nb, nh, ny, nx, nf], |[b, h, y, c, f]| {
            let w = |m: usize| sum(ne, |e| relu(q.at([b, h, y, c, e])) * relu(k.at([b, h, m / nx, m % nx, e])));
            let attention = sum(ny * nx, |m| w(m) * v.at([b, h, m / nx, m % nx, f])) / (sum(ny * nx, w) + 0.01);
            let mut conv = 0.0;
            for (r, s) in (0..ny).flat_map(|r| (0..nx).map(move |s| (r, s))) {
                if y.abs_diff(r) <= 1 && c.abs_diff(s) <= 1 {
                    conv += taps.at([h, f, r + 1 - y, s + 1 - c]) * v.at([b, h, r, s, f]);
                }
            }
            attention + conv
        }),
    )]
}

fn hyper_mixer(x: &In<'_>) -> Outputs {
    let (t, w1, w2, mask) = (x.t("x"), x.t("w1"), x.t("w2"), x.t("keymask"));
    let ([nb, np, nc], [_, _, nd]) = (t.dims(), w1.dims());
    vec![(
        "o",
        grid([nb, np, nc], |[b, p, c]| {
            let hidden = |d: usize| {
                gelu((0..np).filter(|m| mask.at([b, *m]) == 1.0).map(|m| w1.at([b, m, d]) * t.at([b, m, c])).sum())
            };
            sum(nd, |d| w2.at([b, p, d]) * hidden(d))
        }),
    )]
}

/// A Haar matrix of four tokens: orthonormal rows for the mean, the coarse detail and the two fine details.
const HAAR: [[f64; 4]; 4] = [
    [0.5, 0.5, 0.5, 0.5],
    [0.5, 0.5, -0.5, -0.5],
    [std::f64::consts::FRAC_1_SQRT_2, -std::f64::consts::FRAC_1_SQRT_2, 0.0, 0.0],
    [0.0, 0.0, std::f64::consts::FRAC_1_SQRT_2, -std::f64::consts::FRAC_1_SQRT_2],
];

fn haar(x: &In<'_>) -> Outputs {
    let (q, k, v, omega) = (x.t("q"), x.t("k"), x.t("v"), x.t("omega"));
    let ([nb, nh, np, ne], [_, _, _, nf], [nr, _]) = (q.dims(), v.dims(), omega.dims());
    let filtered = |t: &Value, b: usize, h: usize, p: usize, e: usize| {
        let gains = [x.t("w0").at([h]), x.t("w2").at([h]), x.t("w1").at([h]), x.t("w1").at([h])];
        let first = p / 4 * 4;
        sum(4, |i| HAAR[i][p % 4] * gains[i] * sum(4, |j| HAAR[i][j] * t.at([b, h, first + j, e])))
    };
    let phi = |t: &Value, b: usize, h: usize, i: usize, r: usize| {
        let y = |e: usize| filtered(t, b, h, i, e);
        (sum(ne, |e| omega.at([r, e]) * y(e)) - sum(ne, |e| y(e).powi(2)) / 2.0).exp()
    };
    vec![(
        "o",
        grid([nb, nh, np, nf], |[b, h, p, f]| {
            linear(np, |m| sum(nr, |r| phi(q, b, h, p, r) * phi(k, b, h, m, r)), |m| v.at([b, h, m, f]))
        }),
    )]
}

fn normaliser(x: &In<'_>, kind: usize, divide: usize) -> Outputs {
    let (q, k, v) = (x.t("q"), x.t("k"), x.t("v"));
    let ([nb, nh, np, ne], [_, _, _, nf]) = (q.dims(), v.dims());
    vec![(
        "o",
        grid([nb, nh, np, nf], |[b, h, p, f]| {
            let w = |m: usize| {
                let s = 0.5 * sum(ne, |e| q.at([b, h, p, e]) * k.at([b, h, m, e]));
                [s.exp(), sigmoid(s), elu1(s), s][kind]
            };
            let total = sum(p + 1, w);
            sum(p + 1, |m| w(m) * v.at([b, h, m, f])) / [1.0, total + 0.1, total.abs().max(1.0)][divide]
        }),
    )]
}

fn ponet(x: &In<'_>) -> Outputs {
    let (q, k, s, n, g, seg) = (x.t("q"), x.t("k"), x.t("s"), x.t("n"), x.t("g"), x.t("seg"));
    let [nb, np, nd] = q.dims();
    vec![(
        "o",
        grid([nb, np, nd], |[b, p, d]| {
            let query = |c: usize| sum(np, |m| q.at([b, m, c])) / np as f64;
            let global =
                attend(&scores(np, |_| true, |m| 0.5 * sum(nd, |c| query(c) * k.at([b, m, c]))), |m| k.at([b, m, d]));
            let segment =
                largest(np, |m| if seg.at([b, m]) == seg.at([b, p]) { s.at([b, m, d]) } else { f64::NEG_INFINITY });
            let local = largest(np, |m| if p.abs_diff(m) <= 1 { n.at([b, m, d]) } else { f64::NEG_INFINITY });
            (global + segment) * g.at([b, p, d]) + local
        }),
    )]
}
