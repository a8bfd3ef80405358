//! References of `eviction.attn`.

use super::loops::{At, In, attend, grid, largest, scores, softmax, sum, top};
use super::{Oracle, Outputs, case};
use einattn_compiler::interp::Value;

pub(super) const ORACLES: &[Oracle] = &[
    case("observed_topk", "B=1 H=4 G=2 M=12 N=3 J=3 E=4 F=2 R=1", "scale=0.5", observed),
    case("accumulated_topk", "B=2 H=2 M=9 J=2 E=4 F=2 W=3", "scale=0.5", accumulated),
    case("channel_topk", "B=2 H=2 P=4 M=6 E=5 F=2 D=3", "scale=0.5", channels),
    case("token_merge", "B=2 A=6 C=5 D=4 N=3", "", merge),
    case("attention_page_rank", "B=2 H=2 P=6 E=4 T=3", "scale=0.5", page_rank),
    case("attention_query_topk", "B=2 H=2 P=4 M=8 E=4 F=2 N=3", "scale=0.5", query_topk),
    case("spatten", "B=1 H=2 P=5 M=8 E=4 F=2 J=3", "scale=0.5 threshold=0.3", spatten),
    case("delta_keys", "B=1 H=2 T=8 E=4 F=2 W=2", "scale=0.5 threshold=0.7", delta),
    case("bit_buckets", "B=2 H=3 M=9 J=2 E=4 F=2", "scale=0.5", buckets),
];

fn observed(x: &In<'_>) -> Outputs {
    let (q, k, v) = (x.t("q"), x.t("k"), x.t("v"));
    let ([nb, nh, nn, ne], [_, ng, nm, nf]) = (q.dims(), v.dims());
    let s = |b: usize, h: usize, n: usize, m: usize| 0.5 * sum(ne, |e| q.at([b, h, n, e]) * k.at([b, h / 2, m, e]));
    let before = |n: usize, m: usize| m <= n + nm - nn;
    let column = |b: usize, g: usize, m: usize| {
        sum(2, |i| sum(nn, |n| softmax(&scores(nm, |m| before(n, m), |m| s(b, 2 * g + i, n, m)))[m])) / (2 * nn) as f64
    };
    let smooth = |b: usize, g: usize, m: usize| {
        (m.saturating_sub(1)..(m + 2).min(nm)).map(|j| column(b, g, j)).sum::<f64>() / 3.0
    };
    let o = grid([nb, nh, nn, nf], |[b, h, n, f]| {
        let best = top(nm - nn, 3, |_| true, |m| smooth(b, h / 2, m));
        let visible = |m: usize| before(n, m) && (m >= nm - nn || best.contains(&m));
        attend(&scores(nm, visible, |m| s(b, h, n, m)), |m| v.at([b, h / 2, m, f]))
    });
    vec![("o", o), ("importance", grid([nb, ng, nm], |[b, g, m]| smooth(b, g, m)))]
}

fn accumulated(x: &In<'_>) -> Outputs {
    let (q, k, v, mass) = (x.t("q"), x.t("k"), x.t("v"), x.t("mass"));
    let ([nb, nh, ne], [_, _, nm, nf]) = (q.dims(), v.dims());
    let s = |b: usize, h: usize| {
        let best = top(nm - 3, 2, |_| true, |m| mass.at([b, h, m]));
        scores(nm, |m| m >= nm - 3 || best.contains(&m), |m| 0.5 * sum(ne, |e| q.at([b, h, e]) * k.at([b, h, m, e])))
    };
    let o = grid([nb, nh, nf], |[b, h, f]| attend(&s(b, h), |m| v.at([b, h, m, f])));
    vec![("o", o), ("mass_out", grid([nb, nh, nm], |[b, h, m]| mass.at([b, h, m]) + softmax(&s(b, h))[m]))]
}

fn channels(x: &In<'_>) -> Outputs {
    let (q, k, v) = (x.t("q"), x.t("k"), x.t("v"));
    let ([nb, nh, np, ne], [_, _, nm, nf]) = (q.dims(), v.dims());
    vec![(
        "o",
        grid([nb, nh, np, nf], |[b, h, p, f]| {
            // Frobenius norm of the outer product of a query column and a key column.
            let norm = |e: usize| sum(np, |i| sum(nm, |j| (q.at([b, h, i, e]) * k.at([b, h, j, e])).powi(2))).sqrt();
            let kept = top(ne, 3, |_| true, norm);
            let s = scores(
                nm,
                |_| true,
                |m| 0.5 * kept.iter().map(|e| q.at([b, h, p, *e]) * k.at([b, h, m, *e])).sum::<f64>(),
            );
            attend(&s, |m| v.at([b, h, m, f]))
        }),
    )]
}

fn merge(x: &In<'_>) -> Outputs {
    let (xa, xc, sa, sc) = (x.t("xa"), x.t("xc"), x.t("size_a"), x.t("size_c"));
    let ([nb, na, nd], [_, nc, _]) = (xa.dims(), xc.dims());
    let cosine = |b: usize, a: usize, c: usize| {
        let dot = |t: &Value, i: usize, u: &Value, j: usize| sum(nd, |d| t.at([b, i, d]) * u.at([b, j, d]));
        dot(xa, a, xc, c) / (dot(xa, a, xa, a) * dot(xc, c, xc, c)).sqrt()
    };
    let target = |b: usize, a: usize| top(nc, 1, |_| true, |c| cosine(b, a, c))[0];
    let joined = |b: usize| top(na, 3, |_| true, |a| largest(nc, |c| cosine(b, a, c)));
    let into = |b: usize, c: usize| joined(b).into_iter().filter(|a| target(b, *a) == c).collect::<Vec<_>>();
    let size = |b: usize, c: usize| sc.at([b, c]) + into(b, c).iter().map(|a| sa.at([b, *a])).sum::<f64>();
    let y = grid([nb, nc, nd], |[b, c, d]| {
        let more: f64 = into(b, c).iter().map(|a| sa.at([b, *a]) * xa.at([b, *a, d])).sum();
        (sc.at([b, c]) * xc.at([b, c, d]) + more) / size(b, c)
    });
    let merged = grid([nb, na], |[b, a]| if joined(b).contains(&a) { target(b, a) as f64 } else { -1.0 });
    vec![("y", y), ("size", grid([nb, nc], |[b, c]| size(b, c))), ("merged", merged)]
}

fn page_rank(x: &In<'_>) -> Outputs {
    let (q, k) = (x.t("q"), x.t("k"));
    let [nb, nh, np, ne] = q.dims();
    let row = |b: usize, h: usize, p: usize| {
        softmax(&scores(np, |_| true, |m| 0.5 * sum(ne, |e| q.at([b, h, p, e]) * k.at([b, h, m, e]))))
    };
    let head = |b: usize, h: usize| {
        let mut x = vec![1.0 / np as f64; np];
        for _ in 0..3 {
            x = (0..np).map(|m| sum(np, |p| row(b, h, p)[m] * x[p])).collect();
        }
        x
    };
    vec![("rank_of", grid([nb, np], |[b, m]| sum(nh, |h| head(b, h)[m]) / nh as f64))]
}

fn query_topk(x: &In<'_>) -> Outputs {
    let (probe, q, k, v) = (x.t("probe"), x.t("q"), x.t("k"), x.t("v"));
    let ([nb, nh, np, ne], [_, _, nm, nf]) = (q.dims(), v.dims());
    let kept = |b: usize| {
        let weight = |m: usize| {
            sum(nh, |h| {
                softmax(&scores(nm, |_| true, |j| 0.5 * sum(ne, |e| probe.at([b, h, e]) * k.at([b, h, j, e]))))[m]
            })
        };
        top(nm, 3, |_| true, weight)
    };
    let o = grid([nb, nh, np, nf], |[b, h, p, f]| {
        let kept = kept(b);
        let s = scores(nm, |m| kept.contains(&m), |m| 0.5 * sum(ne, |e| q.at([b, h, p, e]) * k.at([b, h, m, e])));
        attend(&s, |m| v.at([b, h, m, f]))
    });
    vec![("o", o), ("kept", grid([nb, 3], |[b, n]| kept(b)[n] as f64))]
}

fn spatten(x: &In<'_>) -> Outputs {
    let (q, k, v) = (x.t("q"), x.t("k"), x.t("v"));
    let ([nb, nh, np, ne], [_, _, nm, nf]) = (q.dims(), v.dims());
    let row = |b: usize, h: usize, p: usize| {
        let s = |q: &Value, k: &Value| {
            softmax(&scores(nm, |_| true, |m| 0.5 * sum(ne, |e| q.at([b, h, p, e]) * k.at([b, h, m, e]))))
        };
        let coarse = s(x.t("q_high"), x.t("k_high"));
        if largest(nm, |m| coarse[m]) < 0.3 { s(q, k) } else { coarse }
    };
    let o = grid([nb, nh, np, nf], |[b, h, p, f]| {
        let a = row(b, h, p);
        top(nm, 3, |_| true, |m| a[m]).iter().map(|m| a[*m] * v.at([b, h, *m, f])).sum()
    });
    let column = |b: usize, m: usize| sum(nh, |h| sum(np, |p| row(b, h, p)[m]));
    vec![("o", o), ("importance_out", grid([nb, nm], |[b, m]| x.t("importance").at([b, m]) + column(b, m)))]
}

fn delta(x: &In<'_>) -> Outputs {
    let (q, k, v) = (x.t("q"), x.t("k"), x.t("v"));
    let ([nb, nh, nt, ne], [_, _, _, nf]) = (q.dims(), v.dims());
    let stale = |b: usize, h: usize, m: usize, e: usize| {
        let mut last = 0.0;
        for j in 0..=m {
            let x = k.at([b, h, j, e]);
            if f64::abs(x - last) >= 0.7 {
                last = x;
            }
        }
        last
    };
    vec![(
        "o",
        grid([nb, nh, nt, nf], |[b, h, t, f]| {
            let key = |m: usize, e: usize| if t - m < 2 { k.at([b, h, m, e]) } else { stale(b, h, m, e) };
            attend(&scores(nt, |m| m <= t, |m| 0.5 * sum(ne, |e| q.at([b, h, t, e]) * key(m, e))), |m| {
                v.at([b, h, m, f])
            })
        }),
    )]
}

fn buckets(x: &In<'_>) -> Outputs {
    let (q, k, v, weight) = (x.t("q"), x.t("k"), x.t("v"), x.t("weight"));
    let ([nb, nh, ne], [_, _, nm, nf]) = (q.dims(), v.dims());
    vec![(
        "o",
        grid([nb, nh, nf], |[b, h, f]| {
            let distance = |m: usize| {
                let bit = |h: usize| f64::from(weight.at([b, h, m]) > x.t("threshold").at([h]));
                (0..nh).filter(|h| bit(*h) != x.t("anchor").at([b, *h])).count()
            };
            let mut keep = top(nm, 2, |_| true, |m| sum(nh, |h| weight.at([b, h, m])));
            keep.extend((0..nm).filter(|m| (0..*m).all(|l| distance(l) != distance(*m))));
            let s = scores(nm, |m| keep.contains(&m), |m| 0.5 * sum(ne, |e| q.at([b, h, e]) * k.at([b, h, m, e])));
            attend(&s, |m| v.at([b, h, m, f]))
        }),
    )]
}
