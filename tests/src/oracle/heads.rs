//! References of `heads.attn`.

use super::loops::{At, In, attend, grid, relu, scores, softmax, sum, top};
use super::{Oracle, Outputs, case};
use einattn_compiler::interp::Value;

pub(super) const ORACLES: &[Oracle] = &[
    case("dcmha", "B=1 H=3 P=5 E=4 F=2 R=2", "scale=0.5", dcmha),
    case("mixture_of_attention_heads", "B=2 X=4 P=5 E=4 F=2 J=2", "scale=0.5", moa),
    case("mixture_of_heads", "B=1 H=5 S=2 P=5 E=4 F=2 J=2", "scale=0.5", moh),
    case("attention_two_values", "B=2 H=2 P=5 M=6 E=4 F=2 L=3", "scale=0.5", two_values),
    case("channel_attention", "B=1 H=2 N=7 C=4", "", channels),
    case("neural_attention", "B=2 H=2 P=6 D=3 F=2", "", neural),
    case("synthesizer_dense", "B=2 H=2 P=5 C=4 D=3 F=2", "", synthesizer_dense),
    case("synthesizer_random", "B=2 H=2 P=5 F=2", "", synthesizer_random),
];

/// The head vector of one pair of tokens, composed: static mix, two rank-R branches, two gates.
fn compose(x: &In<'_>, side: &str, a: &[f64], [b, i, j]: [usize; 3]) -> Vec<f64> {
    let t = |name: &str| x.t(&format!("{side}_{name}"));
    let (w, q1, q2, k1, k2, qd, kd) = (t("w"), t("q1"), t("q2"), t("k1"), t("k2"), t("qd"), t("kd"));
    let [_, _, rank, heads] = q1.dims();
    let branch = |down: &Value, up: &Value, at: usize, m: usize| {
        sum(rank, |r| sum(heads, |n| a[n] * down.at([b, at, r, n])) * up.at([b, at, r, m]))
    };
    let out = |m: usize| {
        a[m] + sum(heads, |n| a[n] * w.at([n, m]))
            + branch(q1, q2, i, m)
            + branch(k1, k2, j, m)
            + a[m] * (qd.at([b, i, m]).tanh() + kd.at([b, j, m]).tanh())
    };
    (0..heads).map(out).collect()
}

fn dcmha(x: &In<'_>) -> Outputs {
    let (q, k, v) = (x.t("q"), x.t("k"), x.t("v"));
    let ([nb, nh, np, ne], [_, _, _, nf]) = (q.dims(), v.dims());
    let logits = |b: usize, i: usize, j: usize| -> Vec<f64> {
        let s: Vec<f64> =
            (0..nh).map(|h| x.s("scale") * sum(ne, |e| q.at([b, h, i, e]) * k.at([b, h, j, e]))).collect();
        compose(x, "pre", &s, [b, i, j])
    };
    let weights = |b: usize, i: usize| -> Vec<Vec<f64>> {
        let rows: Vec<Vec<f64>> = (0..nh).map(|h| softmax(&scores(np, |j| j <= i, |j| logits(b, i, j)[h]))).collect();
        (0..np)
            .map(|j| {
                if j <= i {
                    compose(x, "post", &rows.iter().map(|r| r[j]).collect::<Vec<_>>(), [b, i, j])
                } else {
                    vec![0.0; nh]
                }
            })
            .collect()
    };
    vec![(
        "o",
        grid([nb, nh, np, nf], |[b, h, i, f]| {
            let w = weights(b, i);
            sum(i + 1, |j| w[j][h] * v.at([b, h, j, f]))
        }),
    )]
}

fn moa(x: &In<'_>) -> Outputs {
    let (q, k, v, router) = (x.t("q"), x.t("k"), x.t("v"), x.t("router"));
    let ([nb, nx, np, ne], [_, _, nf]) = (q.dims(), v.dims());
    let picked = |b: usize, p: usize| top(nx, 2, |_| true, |e| router.at([b, p, e]));
    let o = grid([nb, 2, np, nf], |[b, j, p, f]| {
        let experts = picked(b, p);
        let total = sum(2, |i| router.at([b, p, experts[i]]).exp());
        let s = scores(np, |m| m <= p, |m| x.s("scale") * sum(ne, |e| q.at([b, experts[j], p, e]) * k.at([b, m, e])));
        router.at([b, p, experts[j]]).exp() / total * attend(&s, |m| v.at([b, m, f]))
    });
    vec![("o", o), ("expert", grid([nb, np, 2], |[b, p, j]| picked(b, p)[j] as f64))]
}

fn moh(x: &In<'_>) -> Outputs {
    let (q, k, v) = (x.t("q"), x.t("k"), x.t("v"));
    let (shared, routed, balance) = (x.t("shared"), x.t("routed"), x.t("balance"));
    let ([nb, nh, np, ne], [_, _, _, nf], [_, _, ns]) = (q.dims(), v.dims(), shared.dims());
    let list = |t: &Value, b: usize, p: usize, n: usize| (0..n).map(|i| t.at([b, p, i])).collect::<Vec<_>>();
    let gate = |b: usize, p: usize, h: usize| {
        let a = softmax(&list(balance, b, p, 2));
        if h < ns {
            return a[0] * softmax(&list(shared, b, p, ns))[h];
        }
        let r = list(routed, b, p, nh - ns);
        if top(nh - ns, 2, |_| true, |i| r[i]).contains(&(h - ns)) { a[1] * softmax(&r)[h - ns] } else { 0.0 }
    };
    vec![(
        "o",
        grid([nb, nh, np, nf], |[b, h, p, f]| {
            let s = scores(np, |m| m <= p, |m| x.s("scale") * sum(ne, |e| q.at([b, h, p, e]) * k.at([b, h, m, e])));
            gate(b, p, h) * attend(&s, |m| v.at([b, h, m, f]))
        }),
    )]
}

fn two_values(x: &In<'_>) -> Outputs {
    let (q, k, v, label) = (x.t("q"), x.t("k"), x.t("v"), x.t("label"));
    let ([nb, nh, np, ne], [_, _, nm, nf], [_, _, nl]) = (q.dims(), v.dims(), label.dims());
    let s = |b: usize, h: usize, p: usize| {
        scores(nm, |_| true, |m| x.s("scale") * sum(ne, |e| q.at([b, h, p, e]) * k.at([b, h, m, e])))
    };
    let o = grid([nb, nh, np, nf], |[b, h, p, f]| attend(&s(b, h, p), |m| v.at([b, h, m, f])));
    let aligned = grid([nb, np, nl], |[b, p, l]| sum(nh, |h| attend(&s(b, h, p), |m| label.at([b, m, l]))) / nh as f64);
    vec![("o", o), ("aligned", aligned)]
}

fn channels(x: &In<'_>) -> Outputs {
    let (q, k, v, tau) = (x.t("q"), x.t("k"), x.t("v"), x.t("tau"));
    let [nb, nh, nn, nc] = q.dims();
    vec![(
        "o",
        grid([nb, nh, nn, nc], |[b, h, n, c]| {
            let s = scores(nc, |_| true, |u| tau.at([h]) * sum(nn, |i| q.at([b, h, i, c]) * k.at([b, h, i, u])));
            attend(&s, |u| v.at([b, h, n, u]))
        }),
    )]
}

fn neural(x: &In<'_>) -> Outputs {
    let (q, k, v, b1, w2, b2) = (x.t("q"), x.t("k"), x.t("v"), x.t("b1"), x.t("w2"), x.t("b2"));
    let ([nb, nh, np, nd], [_, _, _, nf]) = (q.dims(), v.dims());
    vec![(
        "o",
        grid([nb, nh, np, nf], |[b, h, i, f]| {
            let s = scores(
                np,
                |j| j <= i,
                |j| {
                    sum(nd, |d| w2.at([h, d]) * relu(q.at([b, h, i, d]) + k.at([b, h, j, d]) + b1.at([h, d])))
                        + b2.at([h])
                },
            );
            attend(&s, |j| v.at([b, h, j, f]))
        }),
    )]
}

fn synthesizer_dense(x: &In<'_>) -> Outputs {
    let (t, w1, w2, v) = (x.t("x"), x.t("w1"), x.t("w2"), x.t("v"));
    let ([nb, nh, nm, nf], [_, nd, nc]) = (v.dims(), w1.dims());
    vec![(
        "o",
        grid([nb, nh, nm, nf], |[b, h, p, f]| {
            let hidden = |d: usize| relu(sum(nc, |c| w1.at([h, d, c]) * t.at([b, p, c])));
            attend(&scores(nm, |_| true, |m| sum(nd, |d| w2.at([h, m, d]) * hidden(d))), |m| v.at([b, h, m, f]))
        }),
    )]
}

fn synthesizer_random(x: &In<'_>) -> Outputs {
    let (r, v) = (x.t("r"), x.t("v"));
    let [nb, nh, nm, nf] = v.dims();
    vec![(
        "o",
        grid([nb, nh, nm, nf], |[b, h, p, f]| {
            attend(&scores(nm, |m| m <= p, |m| r.at([h, p, m])), |m| v.at([b, h, m, f]))
        }),
    )]
}
