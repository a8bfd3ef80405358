//! References of `clusters.attn`.

use super::loops::{At, In, attend, grid, largest, lse, order, scores, sigmoid, softmax, sum, top};
use super::{Oracle, Outputs, case};
use einattn_compiler::interp::Value;

pub(super) const ORACLES: &[Oracle] = &[
    case("catanet", "B=1 H=2 P=11 C=3 D=3 E=4 F=2 W=3", "scale=0.5", catanet),
    case("cluster_mass", "B=1 H=2 P=7 M=9 C=3 D=4 E=4 F=2", "scale=0.5 tau=0.7", cluster_mass),
    case("hyper_attention", "B=1 H=2 P=9 M=9 N=4 E=4 F=2 W=3", "scale=0.5", hyper),
    case("reformer_round", "B=1 H=2 P=11 R=2 E=4 F=2 W=3", "scale=0.5", reformer),
    case("informer", "B=2 H=2 P=8 M=7 N=3 S=4 E=4 F=2", "scale=0.5", informer),
    case("vmoba", "B=1 H=2 P=8 E=4 F=2 W=2", "scale=0.5 tau=0.5", vmoba),
    case("seer_attention", "B=1 H=2 P=9 D=2 E=4 F=2 W=3", "scale=0.5 gate_scale=0.4 threshold=0.3", seer),
    case("sea", "B=1 H=2 P=5 M=11 C=4 N=2 E=4 F=2", "scale=0.5", sea),
    case("deformable_attention", "B=1 H=2 P=4 J=3 R=4 X=5 E=4 F=2", "scale=0.5", deformable),
    case("neighbor_lists", "B=2 H=2 P=5 M=7 J=3 E=4 F=2", "scale=0.5", neighbors),
    case("sinkhorn_attention", "B=1 H=2 P=8 E=4 F=2 W=2 T=3", "scale=0.5", sinkhorn),
];

fn score(x: &In<'_>, b: usize, h: usize, p: usize, m: usize) -> f64 {
    let (q, k) = (x.t("q"), x.t("k"));
    let [_, _, _, ne] = q.dims();
    x.s("scale") * sum(ne, |e| q.at([b, h, p, e]) * k.at([b, h, m, e]))
}

fn catanet(x: &In<'_>) -> Outputs {
    let (t, centroid, q, v, kc, vc) = (x.t("x"), x.t("centroid"), x.t("q"), x.t("v"), x.t("kc"), x.t("vc"));
    let ([nb, nh, np, ne], [_, _, _, nf], [nc, nd]) = (q.dims(), v.dims(), centroid.dims());
    let cosine = |b: usize, p: usize, c: usize| {
        let norm = |f: &dyn Fn(usize) -> f64| sum(nd, |d| f(d).powi(2)).sqrt();
        sum(nd, |d| t.at([b, p, d]) * centroid.at([c, d])) / norm(&|d| t.at([b, p, d])) / norm(&|d| centroid.at([c, d]))
    };
    vec![(
        "o",
        grid([nb, nh, np, nf], |[b, h, p, f]| {
            let place = order(np, |i| top(nc, 1, |_| true, |c| cosine(b, i, c))[0]);
            let group = |i: usize| place[i] / 3;
            let near = scores(np, |m| group(m) == group(p) || group(m) == group(p) + 1, |m| score(x, b, h, p, m));
            let far = scores(nc, |_| true, |c| 0.5 * sum(ne, |e| q.at([b, h, p, e]) * kc.at([b, h, c, e])));
            attend(&near, |m| v.at([b, h, m, f])) + attend(&far, |c| vc.at([b, h, c, f]))
        }),
    )]
}

fn cluster_mass(x: &In<'_>) -> Outputs {
    let (q, k, v, cq, ck) = (x.t("q"), x.t("k"), x.t("v"), x.t("cq"), x.t("ck"));
    let ([nb, nh, np, ne], [_, _, nm, nf]) = (q.dims(), v.dims());
    let members = |t: &Value, b: usize, h: usize, c: usize, n: usize| {
        (0..n).filter(|i| t.index([b, h, *i]) == c).collect::<Vec<_>>()
    };
    let mean = |t: &Value, b: usize, h: usize, e: usize, list: &[usize]| {
        list.iter().map(|i| t.at([b, h, *i, e])).sum::<f64>() / list.len().max(1) as f64
    };
    let kept = |b: usize, h: usize, c: usize| -> Vec<usize> {
        let queries = members(cq, b, h, c, np);
        let mass = |d: usize| {
            let keys = members(ck, b, h, d, nm);
            keys.len() as f64 * (0.5 * sum(ne, |e| mean(q, b, h, e, &queries) * mean(k, b, h, e, &keys))).exp()
        };
        let (total, mut so_far, mut out) = (sum(4, mass), 0.0, vec![]);
        for d in top(4, 4, |_| true, mass) {
            if so_far < 0.7 * total {
                out.push(d);
            }
            so_far += mass(d);
        }
        out
    };
    let o = grid([nb, nh, np, nf], |[b, h, p, f]| {
        let kept = kept(b, h, cq.index([b, h, p]));
        attend(&scores(nm, |m| kept.contains(&ck.index([b, h, m])), |m| score(x, b, h, p, m)), |m| v.at([b, h, m, f]))
    });
    vec![("o", o), ("keep", grid([nb, nh, 3, 4], |[b, h, c, d]| f64::from(kept(b, h, c).contains(&d))))]
}

fn hyper(x: &In<'_>) -> Outputs {
    let (q, k, v, hq, hk, sample) = (x.t("q"), x.t("k"), x.t("v"), x.t("hash_q"), x.t("hash_k"), x.t("sample"));
    let ([nb, nh, np, _], [_, _, nm, nf], [_, _, nn]) = (q.dims(), v.dims(), sample.dims());
    assert_eq!(k.dims::<4>()[2], nm);
    let list = |b: usize, h: usize, p: usize| {
        let (pq, pk) = (order(np, |i| hq.at([b, h, i])), order(nm, |i| hk.at([b, h, i])));
        let own = |m: usize| pk[m] / 3 == pq[p] / 3;
        let mut list: Vec<(f64, usize)> = (0..nm).filter(|m| own(*m)).map(|m| (score(x, b, h, p, m), m)).collect();
        let sampled = (0..nn).map(|n| sample.index([b, h, n])).filter(|m| !own(*m));
        list.extend(sampled.map(|m| (score(x, b, h, p, m) + (nm as f64 / nn as f64).ln(), m)));
        list
    };
    let s = |l: &[(f64, usize)]| l.iter().map(|x| x.0).collect::<Vec<_>>();
    let o = grid([nb, nh, np, nf], |[b, h, p, f]| {
        let l = list(b, h, p);
        attend(&s(&l), |i| v.at([b, h, l[i].1, f]))
    });
    vec![("o", o), ("lse", grid([nb, nh, np], |[b, h, p]| lse(&s(&list(b, h, p)))))]
}

fn reformer(x: &In<'_>) -> Outputs {
    let (t, v, proj) = (x.t("x"), x.t("v"), x.t("proj"));
    let ([nb, nh, np, ne], [_, _, _, nf]) = (t.dims(), v.dims());
    let bucket = |b: usize, h: usize, p: usize| {
        let y: Vec<f64> = (0..2).map(|r| sum(ne, |e| t.at([b, h, p, e]) * proj.at([h, e, r]))).collect();
        top(4, 1, |_| true, |i| if i < 2 { y[i] } else { -y[i - 2] })[0]
    };
    let s = |b: usize, h: usize, p: usize| {
        let place = order(np, |i| bucket(b, h, i));
        let visible = |m: usize| {
            m <= p
                && bucket(b, h, m) == bucket(b, h, p)
                && (place[m] / 3 == place[p] / 3 || place[m] / 3 + 1 == place[p] / 3)
        };
        scores(np, visible, |m| {
            let norm = sum(ne, |e| t.at([b, h, m, e]).powi(2)).sqrt();
            if m == p { -1e5 } else { 0.5 * sum(ne, |e| t.at([b, h, p, e]) * t.at([b, h, m, e])) / norm }
        })
    };
    let o = grid([nb, nh, np, nf], |[b, h, p, f]| attend(&s(b, h, p), |m| v.at([b, h, m, f])));
    vec![("o", o), ("lse", grid([nb, nh, np], |[b, h, p]| lse(&s(b, h, p))))]
}

fn informer(x: &In<'_>) -> Outputs {
    let (q, k, v, sample) = (x.t("q"), x.t("k"), x.t("v"), x.t("sample"));
    let ([nb, nh, np, ne], [_, _, nm, nf]) = (q.dims(), v.dims());
    vec![(
        "o",
        grid([nb, nh, np, nf], |[b, h, p, f]| {
            let plain = |p: usize, s: usize| sum(ne, |e| q.at([b, h, p, e]) * k.at([b, h, sample.index([p, s]), e]));
            let measure = |p: usize| largest(4, |s| plain(p, s)) - sum(4, |s| plain(p, s)) / nm as f64;
            if top(np, 3, |_| true, measure).contains(&p) {
                attend(&scores(nm, |_| true, |m| score(x, b, h, p, m)), |m| v.at([b, h, m, f]))
            } else {
                sum(nm, |m| v.at([b, h, m, f])) / nm as f64
            }
        }),
    )]
}

fn vmoba(x: &In<'_>) -> Outputs {
    let (q, k, v) = (x.t("q"), x.t("k"), x.t("v"));
    let ([nb, nh, np, ne], [_, _, _, nf]) = (q.dims(), v.dims());
    let blocks = np / 2;
    vec![(
        "o",
        grid([nb, nh, np, nf], |[b, h, p, f]| {
            let gate = |i: usize| {
                let (p, j) = (i / blocks, i % blocks);
                sum(ne, |e| q.at([b, h, p, e]) * (k.at([b, h, 2 * j, e]) + k.at([b, h, 2 * j + 1, e])) / 2.0)
            };
            let (high, low) = (largest(np * blocks, gate), -largest(np * blocks, |i| -gate(i)));
            let w = |i: usize| (gate(i) - low) / (high - low);
            let (total, mut so_far, mut kept) = (sum(np * blocks, w), 0.0, vec![]);
            for i in top(np * blocks, np * blocks, |_| true, w) {
                if so_far < 0.5 * total {
                    kept.push(i);
                }
                so_far += w(i);
            }
            let visible = |m: usize| m / 2 == p / 2 || kept.contains(&(p * blocks + m / 2));
            attend(&scores(np, visible, |m| score(x, b, h, p, m)), |m| v.at([b, h, m, f]))
        }),
    )]
}

fn seer(x: &In<'_>) -> Outputs {
    let (q, k, v) = (x.t("q"), x.t("k"), x.t("v"));
    let ([nb, nh, np, ne], [_, _, _, nf]) = (q.dims(), v.dims());
    let blocks = np / 3;
    let pooled = |t: &Value, w: &str, b: usize, h: usize, i: usize, d: usize| {
        sum(ne, |e| {
            let row = |c: usize| t.at([b, h, i * 3 + c, e]);
            let pools = [sum(3, row) / 3.0, largest(3, row), -largest(3, |c| -row(c))];
            sum(3, |a| pools[a] * x.t(w).at([h, a, e, d]))
        })
    };
    let gates = |b: usize, h: usize, i: usize| {
        softmax(&scores(
            blocks,
            |j| j <= i,
            |j| 0.4 * sum(2, |d| pooled(q, "wq", b, h, i, d) * pooled(k, "wk", b, h, j, d)),
        ))
    };
    let o = grid([nb, nh, np, nf], |[b, h, p, f]| {
        let g = gates(b, h, p / 3);
        let visible = |m: usize| m <= p && (m / 3 == p / 3 || g[m / 3] > 0.3);
        attend(&scores(np, visible, |m| score(x, b, h, p, m)), |m| v.at([b, h, m, f]))
    });
    vec![("o", o), ("gate", grid([nb, nh, blocks, blocks], |[b, h, i, j]| gates(b, h, i)[j]))]
}

fn sea(x: &In<'_>) -> Outputs {
    let (q, v, map) = (x.t("q"), x.t("v"), x.t("map"));
    let ([nb, nh, np, _], [_, _, nm, nf], [_, _, _, nc]) = (q.dims(), v.dims(), map.dims());
    let cell = |m: usize| m * nc / nm;
    let row = |b: usize, h: usize, p: usize| softmax(&scores(nc, |_| true, |c| map.at([b, h, p, c])));
    vec![(
        "o",
        grid([nb, nh, np, nf], |[b, h, p, f]| {
            let best = top(nc, 2, |_| true, |c| map.at([b, h, p, c]));
            let sparse =
                attend(&scores(nm, |m| best.contains(&cell(m)), |m| score(x, b, h, p, m)), |m| v.at([b, h, m, f]));
            let column = |m: usize| sum(np, |p| row(b, h, p)[cell(m)]);
            let mean = sum(nm, |m| column(m) * v.at([b, h, m, f])) / sum(nm, column);
            let (gain, blend) = (sigmoid(x.t("gain").at([b, h, p])), sigmoid(x.t("blend").at([b, h, p])));
            blend * gain * sparse + (1.0 - blend) * mean
        }),
    )]
}

fn deformable(x: &In<'_>) -> Outputs {
    let (q, k, v, at) = (x.t("q"), x.t("k"), x.t("v"), x.t("at"));
    let ([nb, nh, np, ne], [_, _, nr, nx, nf], [_, _, _, nj, _]) = (q.dims(), v.dims(), at.dims());
    // Distances to all pixels, coordinates beyond the border moved onto it.
    let sample = |t: &Value, [b, h, p, j]: [usize; 4], c: usize| {
        let tent = |a: usize, n: usize, i: usize| {
            let place = at.at([b, h, p, j, a]);
            let low = place.floor();
            let weight = |corner: f64, w: f64| if corner.clamp(0.0, n as f64 - 1.0) == i as f64 { w } else { 0.0 };
            weight(low, 1.0 - (place - low)) + weight(low + 1.0, place - low)
        };
        sum(nr, |r| sum(nx, |y| tent(0, nr, r) * tent(1, nx, y) * t.at([b, h, r, y, c])))
    };
    vec![(
        "o",
        grid([nb, nh, np, nf], |[b, h, p, f]| {
            let s = scores(nj, |_| true, |j| 0.5 * sum(ne, |e| q.at([b, h, p, e]) * sample(k, [b, h, p, j], e)));
            attend(&s, |j| sample(v, [b, h, p, j], f))
        }),
    )]
}

fn neighbors(x: &In<'_>) -> Outputs {
    let (q, v, list) = (x.t("q"), x.t("v"), x.t("list"));
    let ([nb, nh, np, _], [_, _, _, nf], [_, _, nj]) = (q.dims(), v.dims(), list.dims());
    let s = |b: usize, h: usize, p: usize| {
        scores(nj, |j| list.at([b, p, j]) >= 0.0, |j| score(x, b, h, p, list.index([b, p, j])))
    };
    let o = grid([nb, nh, np, nf], |[b, h, p, f]| attend(&s(b, h, p), |j| v.at([b, h, list.index([b, p, j]), f])));
    vec![("o", o), ("lse", grid([nb, nh, np], |[b, h, p]| lse(&s(b, h, p))))]
}

fn sinkhorn(x: &In<'_>) -> Outputs {
    let (q, k, v, r) = (x.t("q"), x.t("k"), x.t("v"), x.t("r"));
    let ([nb, nh, np, ne], [_, _, _, nf]) = (q.dims(), v.dims());
    let n = np / 2;
    let matrix = |b: usize, h: usize| {
        let mut w: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| r.at([b, h, i, j]).exp()).collect()).collect();
        for _ in 0..3 {
            for row in &mut w {
                let total: f64 = row.iter().sum();
                row.iter_mut().for_each(|x| *x /= total);
            }
            for j in 0..n {
                let total = sum(n, |i| w[i][j]);
                w.iter_mut().for_each(|row| row[j] /= total);
            }
        }
        w
    };
    vec![(
        "o",
        grid([nb, nh, np, nf], |[b, h, p, f]| {
            let w = matrix(b, h);
            let own = p / 2;
            let mixed = |t: &Value, i: usize, c: usize| sum(n, |j| w[own][j] * t.at([b, h, j * 2 + i, c]));
            let s = scores(
                4,
                |_| true,
                |i| {
                    if i < 2 {
                        score(x, b, h, p, own * 2 + i)
                    } else {
                        0.5 * sum(ne, |e| q.at([b, h, p, e]) * mixed(k, i - 2, e))
                    }
                },
            );
            attend(&s, |i| if i < 2 { v.at([b, h, own * 2 + i, f]) } else { mixed(v, i - 2, f) })
        }),
    )]
}
