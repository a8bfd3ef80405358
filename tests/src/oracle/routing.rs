//! References of `routing.attn`: selections as sorted lists.

use super::loops::{At, In, attend, grid, largest, scores, sigmoid, softmax, sum, top};
use super::{Oracle, Outputs, case};
use einattn_compiler::interp::Value;

pub(super) const ORACLES: &[Oracle] = &[
    case("anchor_attention", "B=1 H=2 P=12 E=4 F=2 W=3", "scale=0.5 theta=0.1", anchor),
    case("longheads", "B=1 H=2 P=12 E=3 W=2 N=2", "scale=0.5", longheads),
    case("chunk_topk", "B=2 H=1 P=9 J=3 D=2 E=4 F=2 N=1", "scale=0.5", chunks),
    case("page_bounds", "B=2 H=3 M=12 E=4 F=2 N=2 W=3 S=2 R=3", "scale=0.5", pages),
    case("hax", "B=1 H=2 P=11 R=3 E=4 F=2 N=2", "scale=0.5", hax),
    case("biformer", "B=2 H=2 P=8 E=4 F=2 N=2 W=2", "scale=0.5", biformer),
    case("mosa", "B=1 H=2 T=9 E=4 F=2 N=4", "scale=0.5", mosa),
    case("attention_routed_tokens", "B=2 H=2 P=9 E=4 F=2 N=4", "scale=0.5", routed),
    case("token_select", "B=2 H=2 M=12 E=4 F=2 N=3 S=1 W=2", "scale=0.5", token_select),
    case("hierarchical_search", "B=1 H=2 P=4 M=16 N=2 E=4 F=2 T=2", "scale=0.5", search),
    case("routing_transformer", "B=1 H=2 T=9 C=3 E=4 F=2 N=4", "scale=0.5", routing),
];

/// Causal or full attention to a set of keys.
fn over(x: &In<'_>, keep: impl Fn(usize, usize, usize) -> Vec<usize>) -> Outputs {
    let (q, k, v) = (x.t("q"), x.t("k"), x.t("v"));
    let ([nb, nh, np, ne], [_, _, _, nf]) = (q.dims(), v.dims());
    vec![(
        "o",
        grid([nb, nh, np, nf], |[b, h, p, f]| {
            let keys = keep(b, h, p);
            let s = scores(
                keys.len(),
                |_| true,
                |i| x.s("scale") * sum(ne, |e| q.at([b, h, p, e]) * k.at([b, h, keys[i], e])),
            );
            attend(&s, |i| v.at([b, h, keys[i], f]))
        }),
    )]
}

fn anchor(x: &In<'_>) -> Outputs {
    let (q, k) = (x.t("q"), x.t("k"));
    let [_, _, _, ne] = q.dims();
    let s = |b: usize, h: usize, i: usize, j: usize| 0.5 * sum(ne, |e| q.at([b, h, i, e]) * k.at([b, h, j, e]));
    over(x, |b, h, p| {
        let own = p / 3;
        let rows = own * 3..own * 3 + 3;
        let peak = |i: usize| {
            (0..=i).filter(|j| *j < 3 || *j >= own * 3).map(|j| s(b, h, i, j)).fold(f64::NEG_INFINITY, f64::max)
        };
        let anchor = rows.clone().map(peak).sum::<f64>() / 3.0;
        let mean_score = |j: usize| rows.clone().map(|i| s(b, h, i, j)).sum::<f64>() / 3.0;
        (0..=p).filter(|j| *j < 3 || *j >= own * 3 || mean_score(*j) + 0.1 >= anchor).collect()
    })
}

fn longheads(x: &In<'_>) -> Outputs {
    let (q, k, v) = (x.t("q"), x.t("k"), x.t("v"));
    let [_, _, _, ne] = q.dims();
    let chunk_key = |b: usize, h: usize, c: usize| -> Vec<f64> {
        let out = |i: usize, f: usize| {
            let s = scores(2, |_| true, |y| 0.5 * sum(ne, |e| q.at([b, h, c * 2 + i, e]) * k.at([b, h, c * 2 + y, e])));
            attend(&s, |y| v.at([b, h, c * 2 + y, f]))
        };
        let flag: Vec<f64> = (0..ne).map(|f| (out(0, f) + out(1, f)) / 2.0).collect();
        let s = scores(2, |_| true, |y| 0.5 * sum(ne, |e| flag[e] * k.at([b, h, c * 2 + y, e])));
        (0..ne).map(|e| attend(&s, |y| k.at([b, h, c * 2 + y, e]))).collect()
    };
    over(x, |b, h, p| {
        let own = p / 2;
        let gate = |c: usize| chunk_key(b, h, c).iter().enumerate().map(|(e, y)| y * q.at([b, h, p, e])).sum();
        let mut chosen = top(own, 2, |c| c > 0, gate);
        chosen.extend([0, own]);
        (0..=p).filter(|j| chosen.contains(&(j / 2))).collect()
    })
}

fn chunks(x: &In<'_>) -> Outputs {
    let (qa, ka, chunk, last) = (x.t("qa"), x.t("ka"), x.t("chunk"), x.t("last"));
    over(x, |b, _, p| {
        let own = chunk.index([b, p]);
        let gate = |j: usize| sum(2, |d| qa.at([b, p, d]) * ka.at([b, last.index([b, j]), d]));
        let mut chosen = top(3, 1, |j| j != own && last.index([b, j]) < p, gate);
        chosen.push(own);
        (0..=p).filter(|m| chosen.contains(&chunk.index([b, *m]))).collect()
    })
}

fn pages(x: &In<'_>) -> Outputs {
    let (q, k, v, streaming) = (x.t("q"), x.t("k"), x.t("v"), x.t("streaming"));
    let ([nb, nh, ne], [_, _, nm, nf]) = (q.dims(), v.dims());
    vec![(
        "o",
        grid([nb, nh, nf], |[b, h, f]| {
            // The largest product with any vector inside of the page's box.
            let bound = |j: usize| sum(ne, |e| largest(3, |i| q.at([b, h, e]) * k.at([b, h, j * 3 + i, e])));
            let best = top(nm / 3, 2, |_| true, bound);
            let visible = |m: usize| match streaming.index([h]) {
                0 => best.contains(&(m / 3)),
                1 => m < 2 || m >= nm - 3,
                _ => false,
            };
            attend(&scores(nm, visible, |m| 0.5 * sum(ne, |e| q.at([b, h, e]) * k.at([b, h, m, e]))), |m| {
                v.at([b, h, m, f])
            })
        }),
    )]
}

fn hax(x: &In<'_>) -> Outputs {
    let (q, k, proj, score) = (x.t("q"), x.t("k"), x.t("proj"), x.t("rank_score"));
    let [_, _, _, ne] = q.dims();
    let bucket = |t: &Value, b: usize, h: usize, i: usize| {
        top(3, 1, |_| true, |r| sum(ne, |e| t.at([b, h, i, e]) * proj.at([h, e, r])))[0]
    };
    over(x, |b, h, p| {
        let same: Vec<usize> = (0..=p).filter(|m| bucket(k, b, h, *m) == bucket(q, b, h, p)).collect();
        let mut keys: Vec<usize> = same[same.len().saturating_sub(2)..].to_vec();
        keys.extend(top(p + 1, 2, |_| true, |m| score.at([b, h, m])));
        keys.sort_unstable();
        keys.dedup();
        keys
    })
}

fn biformer(x: &In<'_>) -> Outputs {
    let (q, k) = (x.t("q"), x.t("k"));
    let [_, nh, np, ne] = q.dims();
    let mean =
        |t: &Value, b: usize, h: usize, r: usize, e: usize| (t.at([b, h, 2 * r, e]) + t.at([b, h, 2 * r + 1, e])) / 2.0;
    over(x, |b, _, p| {
        let affinity = |r: usize| sum(nh, |h| sum(ne, |e| mean(q, b, h, p / 2, e) * mean(k, b, h, r, e)));
        let regions = top(np / 2, 2, |_| true, affinity);
        (0..np).filter(|m| regions.contains(&(m / 2))).collect()
    })
}

fn mosa(x: &In<'_>) -> Outputs {
    let (q, k, v, router) = (x.t("q"), x.t("k"), x.t("v"), x.t("router"));
    let ([nb, nh, nt, ne], [_, _, _, nf]) = (q.dims(), v.dims());
    vec![(
        "o",
        grid([nb, nh, nt, nf], |[b, h, t, f]| {
            let mine = top(nt, 4, |_| true, |i| router.at([b, h, i]));
            if !mine.contains(&t) {
                return 0.0;
            }
            let s = scores(
                nt,
                |m| m <= t && mine.contains(&m),
                |m| 0.5 * sum(ne, |e| q.at([b, h, t, e]) * k.at([b, h, m, e])),
            );
            sigmoid(router.at([b, h, t])) * attend(&s, |m| v.at([b, h, m, f]))
        }),
    )]
}

fn routed(x: &In<'_>) -> Outputs {
    let router = x.t("router");
    over(x, |b, _, p| {
        let active = top(9, 4, |_| true, |i| router.at([b, i]));
        if active.contains(&p) { (0..=p).filter(|m| active.contains(m)).collect() } else { vec![] }
    })
}

fn token_select(x: &In<'_>) -> Outputs {
    let (q, k, v) = (x.t("q"), x.t("k"), x.t("v"));
    let ([nb, nh, ne], [_, _, nm, nf]) = (q.dims(), v.dims());
    let s = |b: usize, h: usize| scores(nm, |_| true, |m| 0.5 * sum(ne, |e| q.at([b, h, e]) * k.at([b, h, m, e])));
    vec![(
        "o",
        grid([nb, nh, nf], |[b, h, f]| {
            let votes = |m: usize| sum(nh, |h| softmax(&s(b, h))[m]);
            let fixed = |m: usize| m < 1 || m >= nm - 2;
            let best = top(nm, 3, |m| !fixed(m), votes);
            let list = s(b, h);
            attend(&scores(nm, |m| fixed(m) || best.contains(&m), |m| list[m]), |m| v.at([b, h, m, f]))
        }),
    )]
}

fn routing(x: &In<'_>) -> Outputs {
    let (t, v, centroid) = (x.t("x"), x.t("v"), x.t("centroid"));
    let ([nb, nh, nt, ne], [_, _, _, nf], [_, nc, _]) = (t.dims(), v.dims(), centroid.dims());
    vec![(
        "o",
        grid([nb, nh, nt, nf], |[b, h, i, f]| {
            let mut results = vec![];
            for c in 0..nc {
                let members = top(nt, 4, |_| true, |j| sum(ne, |e| centroid.at([h, c, e]) * t.at([b, h, j, e])));
                if members.contains(&i) {
                    let s = scores(
                        nt,
                        |j| j <= i && members.contains(&j),
                        |j| 0.5 * sum(ne, |e| t.at([b, h, i, e]) * t.at([b, h, j, e])),
                    );
                    results.push(attend(&s, |j| v.at([b, h, j, f])));
                }
            }
            results.iter().sum::<f64>() / results.len().max(1) as f64
        }),
    )]
}

fn search(x: &In<'_>) -> Outputs {
    let (q, k) = (x.t("q"), x.t("k"));
    let [_, _, nm, ne] = k.dims();
    over(x, |b, h, p| {
        // Chunks as (start, width).
        let mut chunks: Vec<(usize, usize)> = (0..2).map(|n| (n * nm / 2, nm / 2)).collect();
        for _ in 0..2 {
            let halves: Vec<_> = chunks.iter().flat_map(|(s, w)| [(*s, w / 2), (s + w / 2, w / 2)]).collect();
            let score = |i: usize| {
                let (start, width) = halves[i];
                sum(ne, |e| q.at([b, h, p, e]) * k.at([b, h, start + width / 2, e]))
            };
            chunks = top(4, 2, |_| true, score).into_iter().map(|i| halves[i]).collect();
        }
        (0..nm).filter(|m| chunks.iter().any(|(s, w)| s <= m && *m < s + w)).collect()
    })
}
