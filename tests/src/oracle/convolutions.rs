//! References of `convolutions.attn`.

use super::loops::{At, In, gelu, grid, largest, relu, sigmoid, sum};
use super::{Oracle, Outputs, case};
use einattn_compiler::interp::Value;

pub(super) const ORACLES: &[Oracle] = &[
    case("depthwise", "B=1 C=2 Y=4 X=5 U=3 W=5", "", |x| vec![("o", conv(x.t("x"), x.t("w"), 1))]),
    case("gated_convolution", "B=1 T=6 C=3 J=3", "", gated),
    case("convolution_query_key_value", "B=1 C=2 Y=4 X=5 U=3 W=3", "", qkv),
    case("additive_convolution", "B=2 C=2 Y=3 X=4", "", additive),
    case("large_kernel_attention", "B=1 C=2 Y=6 X=7 U=3 W=3 R=3 S=3 G=2", "", large_kernel),
    case("learned_spacing_convolution", "B=1 C=2 Y=4 X=5 M=3 U=5 W=5", "", spacing),
    case("shift_mixer", "B=1 C=6 Y=3 X=4 G=3", "", shift),
    case("pervasive_attention", "B=1 P=4 M=5 E=2 D=3 L=2", "", pervasive),
    case("raft_mlp", "B=1 Y=3 X=2 R=2 C=2 D=4", "", raft),
    case("monarch_mixer", "B=1 I=2 J=3 C=2", "", monarch),
];

/// Depthwise correlation with zeros around the image, taps `dilation` apart.
fn conv(x: &Value, taps: &Value, dilation: i64) -> Value {
    let ([nb, nc, ny, nx], [_, nu, nw]) = (x.dims(), taps.dims());
    let pixel = |b: usize, c: usize, y: i64, z: i64| match (usize::try_from(y), usize::try_from(z)) {
        (Ok(y), Ok(z)) if y < ny && z < nx => x.at([b, c, y, z]),
        _ => 0.0,
    };
    grid([nb, nc, ny, nx], |[b, c, y, z]| {
        sum(nu, |u| {
            sum(nw, |w| {
                let (dy, dz) = (u as i64 - (nu / 2) as i64, w as i64 - (nw / 2) as i64);
                taps.at([c, u, w]) * pixel(b, c, y as i64 + dilation * dy, z as i64 + dilation * dz)
            })
        })
    })
}

fn map(x: &Value, f: impl Fn(f64) -> f64) -> Value {
    Value { shape: x.shape.clone(), data: x.data.iter().map(|x| f(*x)).collect() }
}

fn gated(x: &In<'_>) -> Outputs {
    let (t, w1, w2, w3, taps) = (x.t("x"), x.t("w1"), x.t("w2"), x.t("w3"), x.t("taps"));
    let [nb, nt, nc] = t.dims();
    let linear = |w: &Value, b: usize, i: usize, l: usize| sum(nc, |d| w.at([l, d]) * t.at([b, i, d]));
    vec![(
        "o",
        grid([nb, nt, nc], |[b, i, c]| {
            sum(nc, |l| {
                let conv = sum(3, |d| if d <= i { taps.at([l, 2 - d]) * linear(w1, b, i - d, l) } else { 0.0 });
                let g = linear(w2, b, i, l);
                w3.at([c, l]) * conv * g * sigmoid(g)
            })
        }),
    )]
}

fn qkv(x: &In<'_>) -> Outputs {
    vec![("o", conv(&map(&conv(x.t("q"), x.t("wk"), 1), gelu), x.t("wv"), 1))]
}

fn additive(x: &In<'_>) -> Outputs {
    let phi = |t: &Value, space: &Value, channel: &Value| {
        let [_, nc, ny, nx] = t.dims();
        let gate = map(&conv(t, space, 1), |y| sigmoid(relu(y)));
        let first = grid(t.dims::<4>(), |i| t.at(i) * gate.at(i));
        let mean = |b: usize, c: usize| sum(ny, |y| sum(nx, |z| first.at([b, c, y, z]))) / (ny * nx) as f64;
        grid(t.dims::<4>(), |[b, c, y, z]| {
            first.at([b, c, y, z]) * sigmoid(sum(nc, |d| channel.at([c, d]) * mean(b, d)))
        })
    };
    let q = phi(x.t("q"), x.t("space_q"), x.t("channel_q"));
    let k = phi(x.t("k"), x.t("space_k"), x.t("channel_k"));
    let mixed = conv(&grid(q.dims::<4>(), |i| q.at(i) + k.at(i)), x.t("mix"), 1);
    vec![("o", conv(&grid(q.dims::<4>(), |i| mixed.at(i) * x.t("v").at(i)), x.t("last"), 1))]
}

fn large_kernel(x: &In<'_>) -> Outputs {
    let t = x.t("x");
    let [_, nc, _, _] = t.dims();
    let far = conv(&conv(t, x.t("near"), 1), x.t("far"), 2);
    vec![(
        "o",
        grid(t.dims::<4>(), |[b, c, y, z]| {
            t.at([b, c, y, z]) * sum(nc, |d| x.t("point").at([c, d]) * far.at([b, d, y, z]))
        }),
    )]
}

fn spacing(x: &In<'_>) -> Outputs {
    let (weight, row, column) = (x.t("weight"), x.t("row"), x.t("column"));
    let [nc, nm] = weight.dims();
    // Every tap adds its weight to the four places around it.
    let mut taps = Value::filled(&[nc, 5, 5], 0.0);
    for (c, m) in (0..nc).flat_map(|c| (0..nm).map(move |m| (c, m))) {
        let (r, s) = (row.at([c, m]), column.at([c, m]));
        for (dr, ds) in [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)] {
            let (i, j) = (r.floor() + dr, s.floor() + ds);
            if (0.0..5.0).contains(&i) && (0.0..5.0).contains(&j) {
                let share = (1.0 - (r - i).abs()) * (1.0 - (s - j).abs());
                taps.data[c * 25 + i as usize * 5 + j as usize] += share * weight.at([c, m]);
            }
        }
    }
    vec![("o", conv(x.t("x"), &taps, 1))]
}

fn shift(x: &In<'_>) -> Outputs {
    let (t, w) = (x.t("x"), x.t("w"));
    let [_, nc, ny, nx] = t.dims();
    let pixel = |b: usize, c: usize, y: i64, z: i64| {
        if y >= 0 && z >= 0 && y < ny as i64 && z < nx as i64 { t.at([b, c, y as usize, z as usize]) } else { 0.0 }
    };
    vec![(
        "o",
        grid(t.dims::<4>(), |[b, c, y, z]| {
            t.at([b, c, y, z])
                + sum(nc, |d| {
                    // Three groups of two channels move by -1, 0 and 1.
                    let step = (d / 2) as i64 - 1;
                    w.at([c, d]) * gelu(pixel(b, d, y as i64, z as i64 + step) + pixel(b, d, y as i64 + step, z as i64))
                })
        }),
    )]
}

fn pervasive(x: &In<'_>) -> Outputs {
    let (s, t, wx, wy) = (x.t("x"), x.t("y"), x.t("wx"), x.t("wy"));
    let ([nb, np, ne], [_, nm, nd], [nl, _, _, _]) = (s.dims(), t.dims(), wx.dims());
    vec![(
        "o",
        grid([nb, np, nl], |[b, p, l]| {
            let cell = |m: usize| {
                let mut total = 0.0;
                // A 3 x 3 convolution of the grid [x_i ; y_j] that sees target rows up to its own.
                for (i, j) in (0..=p).flat_map(|i| (0..nm).map(move |j| (i, j))) {
                    if p - i <= 2 && m.abs_diff(j) <= 1 {
                        let (u, w) = (2 - (p - i), j + 1 - m);
                        total += sum(ne, |e| wx.at([l, e, u, w]) * s.at([b, i, e]));
                        total += sum(nd, |d| wy.at([l, d, u, w]) * t.at([b, j, d]));
                    }
                }
                relu(total)
            };
            largest(nm, cell)
        }),
    )]
}

fn raft(x: &In<'_>) -> Outputs {
    let (t, w1, w2) = (x.t("x"), x.t("w1"), x.t("w2"));
    let ([_, ny, _, nr, _], [nd, _, _]) = (t.dims::<5>(), w1.dims());
    vec![(
        "o",
        grid(t.dims::<5>(), |[b, y, z, r, c]| {
            let hidden = |d: usize| gelu(sum(ny, |s| sum(nr, |q| w1.at([d, s, q]) * t.at([b, s, z, q, c]))));
            t.at([b, y, z, r, c]) + sum(nd, |d| w2.at([y, r, d]) * hidden(d))
        }),
    )]
}

fn monarch(x: &In<'_>) -> Outputs {
    let t = x.t("x");
    let [nb, ni, nj, nc] = t.dims();
    // Dense matrices over the flattened tokens i J + j.
    let left = |w: &str, r: usize, s: usize| if r % nj == s % nj { x.t(w).at([r % nj, r / nj, s / nj]) } else { 0.0 };
    let right = |w: &str, r: usize, s: usize| if r / nj == s / nj { x.t(w).at([r / nj, r % nj, s % nj]) } else { 0.0 };
    let n = ni * nj;
    vec![(
        "o",
        grid([nb, ni, nj, nc], |[b, i, j, c]| {
            let mut y: Vec<f64> = (0..n).map(|s| t.at([b, s / nj, s % nj, c])).collect();
            y = (0..n).map(|r| sum(n, |s| left("left", r, s) * y[s])).collect();
            y = (0..n)
                .map(|r| x.t("filter").at([r / nj, r % nj, c]) * sum(n, |s| right("right", r, s) * y[s]))
                .collect();
            y = (0..n).map(|r| sum(n, |s| right("right_back", r, s) * y[s])).collect();
            sum(n, |s| left("left_back", i * nj + j, s) * y[s])
        }),
    )]
}
