//! References of `windows.attn`: a mask as a plain condition on two tokens.

use super::loops::{At, In, attend, grid, lse, scores, softmax, sum};
use super::{Oracle, Outputs, case};
use einattn_compiler::interp::Value;

pub(super) const ORACLES: &[Oracle] = &[
    case("duo_attention", "B=2 H=4 G=2 P=5 M=9 E=4 F=2 S=1 W=3", "scale=0.5", duo),
    case("window_kept_keys", "B=2 H=4 G=2 P=9 E=4 F=2 S=1 W=2", "scale=0.5", kept_keys),
    case("window_by_kind", "B=2 H=1 P=12 E=4 F=2 S=1 W0=2 W1=3", "scale=0.5", by_kind),
    case("attention_token_kinds", "B=1 H=3 P=12 E=4 F=2 W=3", "scale=0.5", token_kinds),
    case("attention_segment_table", "B=2 H=2 P=9 N=3 E=4 F=2", "scale=0.5", segment_table),
    case("parallel_context", "B=2 H=2 P=9 E=4 F=2 S=1", "scale=0.5", parallel),
    case("attention_image_neighbors", "B=2 H=2 P=9 E=4 F=2 R=1", "scale=0.5", image),
    case("swin3d", "B=2 H=2 P=7 T=5 E=4 F=2 N=2", "scale=0.5", swin3d),
    case("permuted_windows", "B=2 H=2 P=9 E=4 F=2 W=3", "scale=0.5", permuted),
    case("paro_attention", "B=2 H=2 P=9 E=4 F=2 W=3", "scale=0.001", paro),
    case("window_renormalised", "B=2 H=2 P=6 M=6 E=4 F=2 R=1", "scale=0.5", renormalised),
    case("striped_attention", "B=2 H=2 P=5 M=5 E=4 F=2 N=4", "scale=0.5", striped),
    case("axial_trajectory", "B=1 H=2 T=3 Y=4 E=4 F=3 D=2 L=2", "scale1=0.5 scale2=0.7", trajectory),
    case("clear_pooled", "B=1 H=2 P=14 N=3 E=4 F=2 N0=2 X=4 R2=3", "scale=0.5", clear),
    case("global_local_blend", "B=2 H=2 P=9 E=4 F=2 W=3 K=4", "scale=0.5", blend),
];

/// Attention under a mask over (b, h, query, key), key heads shared in groups.
fn masked(x: &In<'_>, visible: impl Fn(usize, usize, usize, usize) -> bool) -> Outputs {
    let (q, k, v) = (x.t("q"), x.t("k"), x.t("v"));
    let ([nb, nh, np, ne], [_, ng, nm, nf]) = (q.dims(), v.dims());
    let group = nh / ng;
    let s = |b: usize, h: usize, p: usize| {
        scores(
            nm,
            |m| visible(b, h, p, m),
            |m| x.s("scale") * sum(ne, |e| q.at([b, h, p, e]) * k.at([b, h / group, m, e])),
        )
    };
    let o = grid([nb, nh, np, nf], |[b, h, p, f]| attend(&s(b, h, p), |m| v.at([b, h / group, m, f])));
    vec![("o", o), ("lse", grid([nb, nh, np], |[b, h, p]| lse(&s(b, h, p))))]
}

/// Without the log-sum-exp, for kernels that do not return it.
fn only_o(mut outputs: Outputs) -> Outputs {
    outputs.truncate(1);
    outputs
}

fn duo(x: &In<'_>) -> Outputs {
    let r = x.t("retrieval");
    masked(x, |_, h, p, m| m <= p + 4 && (r.at([h]) == 1.0 || m < 1 || p + 4 - m < 3))
}

fn kept_keys(x: &In<'_>) -> Outputs {
    let keep = x.t("keep");
    masked(x, |b, h, p, m| m <= p && (m == 0 || p - m < 2 || keep.at([b, h, m]) == 1.0))
}

fn by_kind(x: &In<'_>) -> Outputs {
    let kind = x.t("kind");
    // Among the last tokens of its own kind, seen from p.
    let recent = |b: usize, p: usize, m: usize| {
        let newer = (m + 1..=p).filter(|l| kind.at([b, *l]) == kind.at([b, m])).count();
        newer < if kind.at([b, m]) == 1.0 { 3 } else { 2 }
    };
    only_o(masked(x, |b, _, p, m| m <= p && (m == 0 || recent(b, p, m))))
}

fn token_kinds(x: &In<'_>) -> Outputs {
    let kind = x.t("kind");
    let visible = |b: usize, h: usize, p: usize, m: usize| match kind.index([b, h, m]) {
        0 => true,
        // The next global token still sees it.
        1 => (m + 1..p).all(|l| kind.at([b, h, l]) != 0.0),
        _ => p - m < 3,
    };
    only_o(masked(x, |b, h, p, m| m <= p && visible(b, h, p, m)))
}

fn segment_table(x: &In<'_>) -> Outputs {
    let (seg, sees) = (x.t("seg"), x.t("sees"));
    masked(x, |b, _, p, m| m <= p && sees.at([seg.index([b, p]), seg.index([b, m])]) == 1.0)
}

fn parallel(x: &In<'_>) -> Outputs {
    let (seg, question) = (x.t("seg"), x.t("question"));
    masked(x, |b, _, p, m| m <= p && (m == 0 || seg.at([b, p]) == seg.at([b, m]) || seg.at([b, p]) == question.at([b])))
}

fn image(x: &In<'_>) -> Outputs {
    let (q, k, v, image) = (x.t("q"), x.t("k"), x.t("v"), x.t("image"));
    let ([nb, nh, np, ne], [_, _, _, nf]) = (q.dims(), v.dims());
    let near = |t: &Value, b: usize, p: usize, m: usize| (t.at([b, p]) - t.at([b, m])).abs() <= 1.0;
    vec![(
        "o",
        grid([nb, nh, np, nf], |[b, h, p, f]| {
            let text = |m: usize| image.at([b, m]) == 0.0;
            let visible =
                |m: usize| m <= p && (text(p) || text(m) || near(x.t("row"), b, p, m) && near(x.t("column"), b, p, m));
            let s = scores(np, visible, |m| 0.5 * sum(ne, |e| q.at([b, h, p, e]) * k.at([b, h, m, e])));
            let sight = |m: usize| if image.at([b, m]) == 1.0 { x.t("sighted").at([h]) } else { 1.0 };
            attend(&s, |m| sight(m) * v.at([b, h, m, f]))
        }),
    )]
}

fn swin3d(x: &In<'_>) -> Outputs {
    let (q, k, v, cell, at) = (x.t("q"), x.t("k"), x.t("v"), x.t("cell"), x.t("at"));
    let ([nb, nh, np, ne], [_, _, _, nf]) = (q.dims(), v.dims());
    let step =
        |b: usize, p: usize, m: usize, a: usize| (at.at([b, p, a]) - at.at([b, m, a]) + 2.0).clamp(0.0, 4.0) as usize;
    vec![(
        "o",
        grid([nb, nh, np, nf], |[b, h, p, f]| {
            let s = scores(
                np,
                |m| cell.at([b, p]) == cell.at([b, m]),
                |m| {
                    0.5 * sum(ne, |e| {
                        let (qe, ke) = (q.at([b, h, p, e]), k.at([b, h, m, e]));
                        let tables = sum(3, |a| {
                            qe * x.t("tq").at([a, step(b, p, m, a), h, e])
                                + ke * x.t("tk").at([a, step(b, p, m, a), h, e])
                        });
                        qe * ke + tables
                    })
                },
            );
            attend(&s, |m| v.at([b, h, m, f]) + sum(3, |a| x.t("tv").at([a, step(b, p, m, a), h, f])))
        }),
    )]
}

fn permuted(x: &In<'_>) -> Outputs {
    let place = x.t("place");
    masked(x, |_, h, p, m| place.index([h, p]) / 3 == place.index([h, m]) / 3)
}

fn paro(x: &In<'_>) -> Outputs {
    let (q, k, v, place, bitmap) = (x.t("q8"), x.t("k8"), x.t("v"), x.t("place"), x.t("bitmap"));
    let ([nb, nh, np, ne], [_, _, _, nf]) = (q.dims(), v.dims());
    vec![(
        "o",
        grid([nb, nh, np, nf], |[b, h, p, f]| {
            let block = |m: usize| place.index([h, m]) / 3;
            let s = scores(
                np,
                |m| bitmap.at([h, block(p), block(m)]) == 1.0,
                |m| {
                    let (a, c) = (x.t("q_scale").at([b, h, block(p)]), x.t("k_scale").at([b, h, block(m)]));
                    x.s("scale") * sum(ne, |e| a * q.at([b, h, p, e]) * (c * k.at([b, h, m, e])))
                },
            );
            attend(&s, |m| v.at([b, h, m, f]))
        }),
    )]
}

fn renormalised(x: &In<'_>) -> Outputs {
    let (q, k, v, rho, rest) = (x.t("q"), x.t("k"), x.t("v"), x.t("rho"), x.t("rest"));
    let ([nb, nh, np, ne], [_, _, nm, nf]) = (q.dims(), v.dims());
    let near = |p: usize, m: usize| p.abs_diff(m) <= 1;
    let s = |b: usize, h: usize, p: usize, m: usize| 0.5 * sum(ne, |e| q.at([b, h, p, e]) * k.at([b, h, m, e]));
    let o = grid([nb, nh, np, nf], |[b, h, p, f]| {
        let list = scores(nm, |m| near(p, m), |m| s(b, h, p, m));
        rho.at([b, h, p]) * attend(&list, |m| v.at([b, h, m, f])) + rest.at([b, h, p, f])
    });
    let share = grid([nb, nh, np], |[b, h, p]| {
        let all = softmax(&scores(nm, |_| true, |m| s(b, h, p, m)));
        sum(nm, |m| if near(p, m) { all[m] } else { 0.0 })
    });
    vec![("o", o), ("share", share)]
}

fn striped(x: &In<'_>) -> Outputs {
    let (a, b) = (x.t("q_device").index([0]), x.t("k_device").index([0]));
    masked(x, |_, _, p, m| p * 4 + a >= m * 4 + b)
}

fn trajectory(x: &In<'_>) -> Outputs {
    let (q, k, v) = (x.t("q"), x.t("k"), x.t("v"));
    let ([nb, nh, nt, ny, ne], [_, _, _, _, nf], [_, nl, _]) = (q.dims(), v.dims(), x.t("wv").dims());
    let [_, nd, _] = x.t("wq").dims();
    let point = |b: usize, h: usize, t: usize, y: usize, u: usize, f: usize| {
        let s = scores(ny, |_| true, |c| 0.5 * sum(ne, |e| q.at([b, h, t, y, e]) * k.at([b, h, u, c, e])));
        attend(&s, |c| v.at([b, h, u, c, f]))
    };
    let project =
        |w: &str, i: usize, [b, h, t, y, u]: [usize; 5]| sum(nf, |f| x.t(w).at([h, i, f]) * point(b, h, t, y, u, f));
    vec![(
        "o",
        grid([nb, nh, nt, ny, nl], |[b, h, t, y, l]| {
            let s = scores(
                nt,
                |_| true,
                |u| 0.7 * sum(nd, |d| project("wq", d, [b, h, t, y, t]) * project("wk", d, [b, h, t, y, u])),
            );
            attend(&s, |u| project("wv", l, [b, h, t, y, u]))
        }),
    )]
}

fn clear(x: &In<'_>) -> Outputs {
    let (q, k, v, kp, vp) = (x.t("q"), x.t("k"), x.t("v"), x.t("kp"), x.t("vp"));
    let ([nb, nh, np, ne], [_, _, _, nf], [_, _, nn, _]) = (q.dims(), v.dims(), kp.dims());
    let pixel = |p: usize| (((p - 2) / 4) as f64, ((p - 2) % 4) as f64);
    let visible = |p: usize, m: usize| {
        if p < 2 || m < 2 {
            return true;
        }
        let ((y, c), (u, w)) = (pixel(p), pixel(m));
        (y - u).powi(2) + (c - w).powi(2) < 3.0
    };
    vec![(
        "o",
        grid([nb, nh, np, nf], |[b, h, p, f]| {
            let shown = |j: usize| if j < np { visible(p, j) } else { p >= 2 };
            let s = scores(np + nn, shown, |j| {
                0.5 * sum(ne, |e| {
                    q.at([b, h, p, e]) * if j < np { k.at([b, h, j, e]) } else { kp.at([b, h, j - np, e]) }
                })
            });
            attend(&s, |j| if j < np { v.at([b, h, j, f]) } else { vp.at([b, h, j - np, f]) })
        }),
    )]
}

fn blend(x: &In<'_>) -> Outputs {
    let local = masked(x, |_, _, p, m| p / 3 == m / 3).swap_remove(0).1;
    let global = masked(x, |_, _, _, m| m % 4 == 0).swap_remove(0).1;
    vec![(
        "o",
        grid(local.dims::<4>(), |[b, h, p, f]| {
            let a = x.t("alpha").at([b]);
            a * global.at([b, h, p, f]) + (1.0 - a) * local.at([b, h, p, f])
        }),
    )]
}
