//! References of `sources.attn`: one list of scores over all sources, one softmax over the list.

use super::loops::{At, In, attend, elu1, grid, largest, lse, order, scores, softmax, softplus, sum, top};
use super::{Oracle, Outputs, case};
use einattn_compiler::interp::Value;

pub(super) const ORACLES: &[Oracle] = &[
    case("attention_two_sources", "B=2 H=2 P=3 M=5 N=4 E=4 F=2", "scale=0.5", two_sources),
    case("window_meta_tokens", "B=2 H=2 P=7 N=2 E=4 F=2 W=3", "scale=0.5", meta_tokens),
    case("scout_checkpoints", "B=1 H=2 P=11 E=4 F=2 K=3", "scale=0.5", scout),
    case("transnext_aggregated", "B=1 H=2 Y=4 X=3 M=2 E=4 F=2", "", transnext),
    case("combiner_fixed", "B=1 H=2 P=9 E=4 F=2 W=3", "scale=0.5", combiner),
    case("razor_attention", "B=2 H=4 M=9 E=4 F=2 S=2 W=3", "scale=0.5", razor),
    case("attention_codes", "B=2 H=2 P=4 M=9 N=3 E=4 F=2", "scale=0.5", codes),
    case("vcc", "B=1 H=2 P=3 V=2 M=12 E=4 F=2 J=2 W=3", "scale=0.5", vcc),
    case("ntk_attention", "B=1 H=2 P=6 E=4 F=2", "scale=0.5", ntk),
    case("significance_pooling", "B=1 H=2 P=3 M=16 E=4 F=2 A=1 C=2 D=4", "scale=0.5", significance),
];

fn dot<const N: usize, const M: usize>(a: &Value, i: [usize; N], b: &Value, j: [usize; M], n: usize) -> f64 {
    sum(n, |e| {
        let (mut x, mut y) = (i, j);
        x[N - 1] = e;
        y[M - 1] = e;
        a.at(x) * b.at(y)
    })
}

fn two_sources(x: &In<'_>) -> Outputs {
    let (q, k, v, k2, v2) = (x.t("q"), x.t("k"), x.t("v"), x.t("k2"), x.t("v2"));
    let ([nb, nh, np, ne], [_, _, nm, nf], [_, _, nn, _]) = (q.dims(), v.dims(), k2.dims());
    let s = |b: usize, h: usize, p: usize| {
        let key = |j: usize| {
            if j < nm {
                dot(q, [b, h, p, 0], k, [b, h, j, 0], ne)
            } else {
                dot(q, [b, h, p, 0], k2, [b, h, j - nm, 0], ne)
            }
        };
        scores(nm + nn, |_| true, |j| x.s("scale") * key(j))
    };
    let o = grid([nb, nh, np, nf], |[b, h, p, f]| {
        attend(&s(b, h, p), |j| if j < nm { v.at([b, h, j, f]) } else { v2.at([b, h, j - nm, f]) })
    });
    vec![("o", o), ("lse", grid([nb, nh, np], |[b, h, p]| lse(&s(b, h, p))))]
}

fn meta_tokens(x: &In<'_>) -> Outputs {
    let (q, k, v, k2, v2) = (x.t("q"), x.t("k"), x.t("v"), x.t("k2"), x.t("v2"));
    let ([nb, nh, np, ne], [_, _, _, nf], [_, nn, _]) = (q.dims(), v.dims(), k2.dims());
    vec![(
        "o",
        grid([nb, nh, np, nf], |[b, h, p, f]| {
            let s = scores(
                nn + np,
                |j| j < nn || j - nn <= p && p - (j - nn) < 3,
                |j| {
                    0.5 * if j < nn {
                        dot(q, [b, h, p, 0], k2, [h, j, 0], ne)
                    } else {
                        dot(q, [b, h, p, 0], k, [b, h, j - nn, 0], ne)
                    }
                },
            );
            attend(&s, |j| if j < nn { v2.at([h, j, f]) } else { v.at([b, h, j - nn, f]) })
        }),
    )]
}

fn scout(x: &In<'_>) -> Outputs {
    let (q, k, v) = (x.t("q"), x.t("k"), x.t("v"));
    let ([nb, nh, np, ne], [_, _, _, nf]) = (q.dims(), v.dims());
    let s = |b: usize, h: usize, p: usize| {
        scores(np, |j| j == p || (j % 3 == 2 && j < p), |j| 0.5 * dot(q, [b, h, p, 0], k, [b, h, j, 0], ne))
    };
    let o = grid([nb, nh, np, nf], |[b, h, p, f]| attend(&s(b, h, p), |j| v.at([b, h, j, f])));
    vec![("o", o), ("lse", grid([nb, nh, np], |[b, h, p]| lse(&s(b, h, p))))]
}

fn transnext(x: &In<'_>) -> Outputs {
    let (q, k, v, kp, vp) = (x.t("q"), x.t("k"), x.t("v"), x.t("kp"), x.t("vp"));
    let ([nb, nh, ny, nx, ne], [_, _, nm, nf]) = (q.dims(), vp.dims());
    let norm = |f: &dyn Fn(usize) -> f64| sum(ne, |e| f(e) * f(e)).sqrt();
    vec![(
        "o",
        grid([nb, nh, ny, nx, nf], |[b, h, y, c, f]| {
            // The window as a list of pixels with the place inside of it.
            let mut window = vec![];
            for u in 0..3 {
                for w in 0..3 {
                    let (r, s) = ((y + u).checked_sub(1), (c + w).checked_sub(1));
                    if let (Some(r), Some(s)) = (r, s)
                        && r < ny
                        && s < nx
                    {
                        window.push((u, w, r, s));
                    }
                }
            }
            let qn = norm(&|e| q.at([b, h, y, c, e]));
            let length = (window.len() + nm) as f64;
            let temperature = softplus(x.t("temp").at([h]));
            let qs = |e: usize| (q.at([b, h, y, c, e]) / qn + x.t("qe").at([h, e])) * temperature * length.ln();
            let mut s: Vec<f64> = vec![];
            for (u, w, r, t) in &window {
                let kn = norm(&|e| k.at([b, h, *r, *t, e]));
                s.push(sum(ne, |e| qs(e) * k.at([b, h, *r, *t, e]) / kn) + x.t("bias").at([h, *u, *w]));
            }
            for m in 0..nm {
                let kn = norm(&|e| kp.at([b, h, m, e]));
                s.push(sum(ne, |e| qs(e) * kp.at([b, h, m, e]) / kn) + x.t("pooled_bias").at([h, y, c, m]));
            }
            let a = softmax(&s);
            let mut out = 0.0;
            for (i, (u, w, r, t)) in window.iter().enumerate() {
                let learned = sum(ne, |e| q.at([b, h, y, c, e]) / qn * x.t("token").at([h, e, *u, *w]));
                out += (a[i] + learned + x.t("beta").at([h, *u, *w])) * v.at([b, h, *r, *t, f]);
            }
            out + sum(nm, |m| a[window.len() + m] * vp.at([b, h, m, f]))
        }),
    )]
}

fn combiner(x: &In<'_>) -> Outputs {
    let (q, k, v) = (x.t("q"), x.t("k"), x.t("v"));
    let ([nb, nh, np, ne], [_, _, _, nf]) = (q.dims(), v.dims());
    const W: usize = 3;
    let pooled = |t: &Value, b: usize, h: usize, r: usize, e: usize| largest(W, |i| t.at([b, h, r * W + i, e]));
    vec![(
        "o",
        grid([nb, nh, np, nf], |[b, h, p, f]| {
            let own = p / W;
            // Own tokens first, then one entry for each earlier region.
            let direct = p - own * W + 1;
            let score = |j: usize| {
                0.5 * if j < direct {
                    dot(q, [b, h, p, 0], k, [b, h, own * W + j, 0], ne)
                } else {
                    sum(ne, |e| q.at([b, h, p, e]) * pooled(k, b, h, j - direct, e))
                }
            };
            let abstraction = |r: usize| {
                let s = scores(W, |_| true, |i| 0.5 * sum(ne, |e| pooled(q, b, h, r, e) * k.at([b, h, r * W + i, e])));
                attend(&s, |i| v.at([b, h, r * W + i, f]))
            };
            let s = scores(direct + own, |_| true, score);
            attend(&s, |j| if j < direct { v.at([b, h, own * W + j, f]) } else { abstraction(j - direct) })
        }),
    )]
}

fn razor(x: &In<'_>) -> Outputs {
    let (q, k, v, retrieval) = (x.t("q"), x.t("k"), x.t("v"), x.t("retrieval"));
    let ([nb, nh, ne], [_, _, nm, nf]) = (q.dims(), v.dims());
    vec![(
        "o",
        grid([nb, nh, nf], |[b, h, f]| {
            let s = |j: usize| 0.5 * dot(q, [b, h, 0], k, [b, h, j, 0], ne);
            let kept = |j: usize| j < 2 || j + 3 >= nm;
            if retrieval.at([h]) == 1.0 {
                return attend(&scores(nm, |_| true, s), |j| v.at([b, h, j, f]));
            }
            let dropped: Vec<usize> = (0..nm).filter(|j| !kept(*j)).collect();
            let n = dropped.len() as f64;
            let mean = |t: &Value, c: usize| dropped.iter().map(|j| t.at([b, h, *j, c])).sum::<f64>() / n;
            // Heads that are neither (their flag is no truth value) keep their window and get no compensation.
            let compensated = retrieval.at([h]) == 0.0;
            let extra = if compensated { n * (0.5 * sum(ne, |e| q.at([b, h, e]) * mean(k, e))).exp() } else { 0.0 };
            let (mut top, mut below) = (extra * mean(v, f), extra);
            for j in (0..nm).filter(|j| kept(*j)) {
                top += s(j).exp() * v.at([b, h, j, f]);
                below += s(j).exp();
            }
            top / below
        }),
    )]
}

fn codes(x: &In<'_>) -> Outputs {
    let (q, book, code, v) = (x.t("q"), x.t("codebook"), x.t("code"), x.t("v"));
    let ([nb, nh, np, ne], [_, _, nm, nf]) = (q.dims(), v.dims());
    vec![(
        "o",
        grid([nb, nh, np, nf], |[b, h, p, f]| {
            let s = scores(nm, |_| true, |j| 0.5 * dot(q, [b, h, p, 0], book, [h, code.index([b, h, j]), 0], ne));
            attend(&s, |j| v.at([b, h, j, f]))
        }),
    )]
}

fn vcc(x: &In<'_>) -> Outputs {
    let (q, k, v, qv, kv, vv) = (x.t("q"), x.t("k"), x.t("v"), x.t("qv"), x.t("kv"), x.t("vv"));
    let ([nb, nh, np, ne], [_, _, nm, nf], [_, _, nv, _]) = (q.dims(), v.dims(), qv.dims());
    const W: usize = 3;
    let mean = |t: &Value, b: usize, h: usize, c: usize, i: usize| sum(W, |w| t.at([b, h, c * W + w, i])) / W as f64;
    let blocks = nm / W;
    let fine = |b: usize| {
        let weight = |c: usize| {
            sum(nh, |h| {
                sum(nv, |a| {
                    softmax(&scores(blocks, |_| true, |c| 0.5 * sum(ne, |e| qv.at([b, h, a, e]) * mean(k, b, h, c, e))))
                        [c]
                })
            })
        };
        top(blocks, 2, |_| true, weight)
    };
    vec![(
        "o",
        grid([nb, nh, np, nf], |[b, h, p, f]| {
            let fine = fine(b);
            let mut list: Vec<(f64, f64)> =
                (0..nv).map(|a| (0.5 * dot(q, [b, h, p, 0], kv, [b, h, a, 0], ne), vv.at([b, h, a, f]))).collect();
            for c in 0..blocks {
                if fine.contains(&c) {
                    list.extend(
                        (c * W..c * W + W)
                            .map(|j| (0.5 * dot(q, [b, h, p, 0], k, [b, h, j, 0], ne), v.at([b, h, j, f]))),
                    );
                } else {
                    list.push((0.5 * sum(ne, |e| q.at([b, h, p, e]) * mean(k, b, h, c, e)), mean(v, b, h, c, f)));
                }
            }
            attend(&list.iter().map(|x| x.0).collect::<Vec<_>>(), |j| list[j].1)
        }),
    )]
}

fn ntk(x: &In<'_>) -> Outputs {
    let (q, k, v, z, kappa) = (x.t("q"), x.t("k"), x.t("v"), x.t("z"), x.t("kappa"));
    let ([nb, nh, np, ne], [_, _, _, nf]) = (q.dims(), v.dims());
    vec![(
        "o",
        grid([nb, nh, np, nf], |[b, h, p, f]| {
            let phi = |e: usize| elu1(q.at([b, h, p, e]) / (ne as f64).powf(0.25));
            let w = |j: usize| (0.5 * dot(q, [b, h, p, 0], k, [b, h, j, 0], ne)).exp();
            (sum(p + 1, |j| w(j) * v.at([b, h, j, f])) + sum(ne, |e| phi(e) * z.at([h, e, f])))
                / (sum(p + 1, w) + sum(ne, |e| phi(e) * kappa.at([h, e]).abs()))
        }),
    )]
}

fn significance(x: &In<'_>) -> Outputs {
    let (q, k, v, sig) = (x.t("q"), x.t("k"), x.t("v"), x.t("significance"));
    let ([nb, nh, np, ne], [_, _, nm, nf]) = (q.dims(), v.dims());
    vec![(
        "o",
        grid([nb, nh, np, nf], |[b, h, p, f]| {
            let place = order(nm, |m| -sig.at([b, m]));
            let mut sorted = vec![0; nm];
            place.iter().enumerate().for_each(|(m, i)| sorted[*i] = m);
            let mut rows: Vec<(Vec<f64>, f64)> = vec![];
            for (from, to, width, w) in [(0, 4, 1, "w1"), (4, 12, 2, "w2"), (12, 16, 4, "w3")] {
                for group in sorted[from..to].chunks(width) {
                    let reduce = |t: &Value, c: usize| {
                        group.iter().enumerate().map(|(i, m)| x.t(w).at([i]) * t.at([b, h, *m, c])).sum::<f64>()
                    };
                    rows.push(((0..ne).map(|e| reduce(k, e)).collect(), reduce(v, f)));
                }
            }
            let s = scores(rows.len(), |_| true, |j| 0.5 * sum(ne, |e| q.at([b, h, p, e]) * rows[j].0[e]));
            attend(&s, |j| rows[j].1)
        }),
    )]
}
