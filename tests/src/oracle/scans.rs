//! References of `scans.attn`: the state is a local variable of a loop over time, or an explicit sum over the past.

use super::loops::{At, In, elu1, grid, scores, sigmoid, softmax, softplus, sum, top};
use super::{Oracle, Outputs, case};
use einattn_compiler::interp::Value;

pub(super) const ORACLES: &[Oracle] = &[
    case("mamba_orders", "B=1 R=2 C=2 N=3 T=5", "", orders),
    case("long_mamba", "B=2 C=2 N=3 T=6", "", long_mamba),
    case("ssd_bidirectional", "B=1 H=2 P=2 N=3 T=6", "", ssd),
    case("gla_bidirectional", "B=1 H=2 E=3 F=2 T=6", "scale=0.5", gla),
    case("conv_gla_normalised", "B=1 H=2 J=3 E=3 F=2 T=6", "", conv_gla),
    case("mixture_of_memories", "B=1 H=2 M=3 J=2 E=3 F=2 T=6", "scale=0.5", memories),
    case("sparse_state", "B=1 H=2 N=3 L=2 J=2 E=4 F=2 T=6", "", sparse_state),
    case("attention_on_states", "B=1 H=2 E=3 F=2 T=6 R=1", "scale=0.5", on_states),
    case("rwkv_two_sided", "B=2 T=6 C=2", "", two_sided),
    case("rwkv4_token_shift", "B=2 T=5 C=3", "", token_shift),
    case("leaky_spikes", "B=2 T=9 C=2", "beta=0.6 threshold=0.5", spikes),
    case("slstm", "B=1 H=2 E=3 T=5", "", slstm),
    case("linear_time_invariant", "B=1 C=2 N=3 T=5", "", lti),
    case("conv_s5", "B=1 Y=3 X=4 C=2 S=2 T=3", "", conv_s5),
    case("h3", "B=1 C=2 N=3 J=3 T=6", "", h3),
    case("atlas", "B=1 H=1 E=3 F=2 T=5 W=2", "", atlas),
];

fn orders(x: &In<'_>) -> Outputs {
    let (u, delta, a_log, bm, cm) = (x.t("u"), x.t("delta"), x.t("a_log"), x.t("bmat"), x.t("cmat"));
    let ([nb, nc, nt], [nr, _, nn]) = (u.dims(), a_log.dims());
    // What a scan in one order says at every step.
    let scan = |b: usize, r: usize, c: usize| -> Vec<f64> {
        let mut h = vec![0.0; nn];
        let mut out = vec![];
        for t in 0..nt {
            let i = x.t("order").index([r, t]);
            let step = softplus(delta.at([b, r, c, i]));
            for (n, h) in h.iter_mut().enumerate() {
                *h = (-a_log.at([r, c, n]).exp() * step).exp() * *h + step * bm.at([b, r, n, i]) * u.at([b, c, i]);
            }
            out.push(sum(nn, |n| cm.at([b, r, n, i]) * h[n]));
        }
        out
    };
    vec![(
        "y",
        grid([nb, nc, nt], |[b, c, p]| {
            x.t("dskip").at([c]) * u.at([b, c, p]) + sum(nr, |r| scan(b, r, c)[x.t("place").index([r, p])])
        }),
    )]
}

fn long_mamba(x: &In<'_>) -> Outputs {
    let (u, delta, a_log, bm, cm) = (x.t("u"), x.t("delta"), x.t("a_log"), x.t("bmat"), x.t("cmat"));
    let ([nb, nc, nt], [_, nn]) = (u.dims(), a_log.dims());
    vec![(
        "y",
        grid([nb, nc, nt], |[b, c, t]| {
            let mut h = vec![0.0; nn];
            for i in 0..=t {
                let step = softplus(delta.at([b, c, i]));
                if step < x.t("threshold").at([c]) {
                    continue;
                }
                for (n, h) in h.iter_mut().enumerate() {
                    *h = (-a_log.at([c, n]).exp() * step).exp() * *h + step * bm.at([b, n, i]) * u.at([b, c, i]);
                }
            }
            sum(nn, |n| cm.at([b, n, t]) * h[n]) + x.t("dskip").at([c]) * u.at([b, c, t])
        }),
    )]
}

fn ssd(x: &In<'_>) -> Outputs {
    let (u, dt, bm, cm) = (x.t("x"), x.t("dt"), x.t("bmat"), x.t("cmat"));
    let ([nb, nt, nh, np], [_, _, nn]) = (u.dims(), bm.dims());
    vec![(
        "y",
        grid([nb, nt, nh, np], |[b, t, h, p]| {
            let decay = |i: usize| (-x.t("a_log").at([h]).exp() * softplus(dt.at([b, i, h]))).exp();
            let pair = |j: usize| {
                sum(nn, |n| cm.at([b, t, n]) * bm.at([b, j, n])) * softplus(dt.at([b, j, h])) * u.at([b, j, h, p])
            };
            let past = sum(t + 1, |j| (j + 1..=t).map(decay).product::<f64>() * pair(j));
            past + (t..nt).map(|j| (t..j).map(decay).product::<f64>() * pair(j)).sum::<f64>()
        }),
    )]
}

fn gla(x: &In<'_>) -> Outputs {
    let (q, k, v, gf, gb) = (x.t("q"), x.t("k"), x.t("v"), x.t("gf"), x.t("gb"));
    let ([nb, nh, nt, ne], [_, _, _, nf]) = (q.dims(), v.dims());
    vec![(
        "o",
        grid([nb, nh, nt, nf], |[b, h, t, f]| {
            let pair = |j: usize, decay: &dyn Fn(usize) -> f64| {
                sum(ne, |e| q.at([b, h, t, e]) * k.at([b, h, j, e]) * decay(e).exp()) * v.at([b, h, j, f])
            };
            let past = sum(t + 1, |j| pair(j, &|e| (j + 1..=t).map(|i| gf.at([b, h, i, e])).sum()));
            let future: f64 = (t..nt).map(|j| pair(j, &|e| (t..j).map(|i| gb.at([b, h, i, e])).sum())).sum();
            0.5 * (past + future) / 2.0
        }),
    )]
}

fn conv_gla(x: &In<'_>) -> Outputs {
    let (q, k, v, g) = (x.t("q"), x.t("k"), x.t("v"), x.t("g"));
    let ([nb, nh, nt, ne], [_, _, _, nf], [_, _, nj]) = (q.dims(), v.dims(), x.t("wq").dims());
    let phi = |t: &Value, w: &str, b: usize, h: usize, i: usize, e: usize| {
        // The last tap is the own token.
        elu1(sum(nj, |d| if d <= i { x.t(w).at([h, e, nj - 1 - d]) * t.at([b, h, i - d, e]) } else { 0.0 }))
    };
    vec![(
        "o",
        grid([nb, nh, nt, nf], |[b, h, t, f]| {
            let w = |j: usize| {
                let decay: f64 = (j + 1..=t).map(|i| g.at([b, h, i])).sum();
                decay.exp() * sum(ne, |e| phi(q, "wq", b, h, t, e) * phi(k, "wk", b, h, j, e))
            };
            sum(t + 1, |j| w(j) * v.at([b, h, j, f])) / sum(t + 1, w)
        }),
    )]
}

fn memories(x: &In<'_>) -> Outputs {
    let (q, k, v, g, beta, router) = (x.t("q"), x.t("k"), x.t("v"), x.t("g"), x.t("beta"), x.t("router"));
    let ([nb, nh, nt, ne], [_, nm, _, _, nf]) = (q.dims(), v.dims());
    let chosen = |b: usize, t: usize| top(nm, 2, |_| true, |m| router.at([b, t, m]));
    // S <- a S (I - b k k^T) + b v k^T over the tokens of one memory; the row f of S at the end.
    let row = |b: usize, m: usize, h: usize, t: usize, f: usize| {
        let mut s = vec![0.0; ne];
        for i in (0..=t).filter(|i| chosen(b, *i).contains(&m)) {
            let norm = sum(ne, |e| k.at([b, m, h, i, e]).powi(2)).sqrt();
            let key = |e: usize| k.at([b, m, h, i, e]) / norm;
            let (a, w) = (g.at([b, m, h, i]).exp(), beta.at([b, m, h, i]));
            let read = sum(ne, |e| s[e] * key(e));
            s = (0..ne).map(|e| a * (s[e] - w * read * key(e)) + w * v.at([b, m, h, i, f]) * key(e)).collect();
        }
        s
    };
    vec![(
        "o",
        grid([nb, nh, nt, nf], |[b, h, t, f]| {
            let list = chosen(b, t);
            let share = softmax(&list.iter().map(|m| router.at([b, t, *m])).collect::<Vec<_>>());
            let read = |m: usize| {
                0.5 * row(b, m, h, t, f).iter().enumerate().map(|(e, s)| s * q.at([b, h, t, e])).sum::<f64>()
            };
            list.iter().zip(share).map(|(m, w)| w * read(*m)).sum()
        }),
    )]
}

fn sparse_state(x: &In<'_>) -> Outputs {
    let (q, k, v, router, g) = (x.t("q"), x.t("k"), x.t("v"), x.t("router"), x.t("g"));
    let ([nb, nh, nt, ne], [_, _, _, nf], [_, _, nn]) = (q.dims(), v.dims(), router.dims());
    let parts = |b: usize, t: usize| top(nn, 2, |_| true, |n| router.at([b, t, n]));
    let share = |b: usize, t: usize, n: usize| softmax(&scores(nn, |_| true, |n| router.at([b, t, n])))[n];
    vec![(
        "o",
        grid([nb, nh, nt, nf], |[b, h, t, f]| {
            let read = |n: usize| {
                let mut s = vec![0.0; ne];
                for i in (0..=t).filter(|i| parts(b, *i).contains(&n)) {
                    let rows = top(ne, 2, |_| true, |e| k.at([b, h, i, e]));
                    let key = softmax(&rows.iter().map(|e| k.at([b, h, i, *e])).collect::<Vec<_>>());
                    for (e, w) in rows.into_iter().zip(key) {
                        s[e] = g.at([b, h, i]).exp() * s[e] + share(b, i, n) * w * v.at([b, h, i, f]);
                    }
                }
                sum(ne, |e| q.at([b, h, t, e]) * s[e])
            };
            parts(b, t).into_iter().map(|n| share(b, t, n) * read(n)).sum()
        }),
    )]
}

fn on_states(x: &In<'_>) -> Outputs {
    let (q, k, v, dt) = (x.t("q"), x.t("k"), x.t("v"), x.t("dt"));
    let ([nb, nh, nt, ne], [_, _, _, nf]) = (q.dims(), v.dims());
    let weights = |b: usize, h: usize, t: usize| {
        softmax(&scores(nt, |m| t.abs_diff(m) <= 1, |m| 0.5 * sum(ne, |e| q.at([b, h, t, e]) * k.at([b, h, m, e]))))
    };
    vec![(
        "o",
        grid([nb, nh, nt, nf], |[b, h, t, f]| {
            let input =
                |i: usize| weights(b, h, i).iter().enumerate().map(|(m, w)| w * v.at([b, h, m, f])).sum::<f64>();
            let mut states: Vec<f64> = vec![];
            for i in 0..nt {
                let step = softplus(dt.at([b, h, i]));
                let last = states.last().copied().unwrap_or(0.0);
                states.push(
                    (-x.t("a_log").at([h]).exp() * step).exp() * last + step * x.t("bt").at([b, h, i]) * input(i),
                );
            }
            let mixed: f64 = weights(b, h, t).iter().zip(&states).map(|(w, s)| w * s).sum();
            x.t("ct").at([b, h, t]) * mixed + x.t("dskip").at([h]) * input(t)
        }),
    )]
}

fn two_sided(x: &In<'_>) -> Outputs {
    let (k, v) = (x.t("k"), x.t("v"));
    let [nb, nt, nc] = k.dims();
    vec![(
        "o",
        grid([nb, nt, nc], |[b, t, c]| {
            let weight = |i: usize| {
                let bonus = x.t("u").at([c]);
                if i == t {
                    (bonus + k.at([b, i, c])).exp()
                } else {
                    (-(t.abs_diff(i) as f64 - 1.0) * x.t("w").at([c]) + k.at([b, i, c])).exp()
                }
            };
            sigmoid(x.t("r").at([b, t, c])) * sum(nt, |i| weight(i) * v.at([b, i, c])) / sum(nt, weight)
        }),
    )]
}

fn token_shift(x: &In<'_>) -> Outputs {
    let t = x.t("x");
    let [nb, nt, nc] = t.dims();
    let project = |w: &str, mu: &str, b: usize, i: usize, c: usize| {
        sum(nc, |d| {
            let m = x.t(mu).at([d]);
            let before = if i > 0 { t.at([b, i - 1, d]) } else { 0.0 };
            x.t(w).at([c, d]) * (m * t.at([b, i, d]) + (1.0 - m) * before)
        })
    };
    vec![(
        "o",
        grid([nb, nt, nc], |[b, i, c]| {
            let (mut above, mut below) = (0.0, 0.0);
            // The recurrence of the paper: a and b decay by exp(-w), the current token enters with its bonus first.
            for j in 0..=i {
                let (k, v) = (project("wk", "mu_k", b, j, c), project("wv", "mu_v", b, j, c));
                if j == i {
                    above += (x.t("u").at([c]) + k).exp() * v;
                    below += (x.t("u").at([c]) + k).exp();
                } else {
                    // The token before this one has not decayed yet.
                    let decay = if j + 1 == i { 1.0 } else { (-x.t("w").at([c])).exp() };
                    above = (above + k.exp() * v) * decay;
                    below = (below + k.exp()) * decay;
                }
            }
            sigmoid(project("wr", "mu_r", b, i, c)) * above / below
        }),
    )]
}

fn spikes(x: &In<'_>) -> Outputs {
    let t = x.t("x");
    let [nb, nt, nc] = t.dims();
    vec![(
        "spikes",
        grid([nb, nt, nc], |[b, i, c]| {
            let (mut h, mut fired) = (0.0, false);
            for j in 0..=i {
                let u = h + 0.6 * (t.at([b, j, c]) - h);
                fired = u >= 0.5;
                h = if fired { 0.0 } else { u };
            }
            f64::from(fired)
        }),
    )]
}

fn slstm(x: &In<'_>) -> Outputs {
    let [nb, nh, nt, ne] = x.t("zx").dims();
    vec![(
        "o",
        grid([nb, nh, nt, ne], |[b, h, t, e]| {
            // Without the stabiliser, which cancels in c / n.
            let (mut hid, mut c, mut n) = (vec![0.0; ne], vec![0.0; ne], vec![0.0; ne]);
            for i in 0..=t {
                let gate =
                    |g: &str, r: &str, e: usize| x.t(g).at([b, h, i, e]) + sum(ne, |d| x.t(r).at([h, e, d]) * hid[d]);
                let mut next = vec![0.0; ne];
                for e in 0..ne {
                    let (write, keep) = (gate("ix", "ri", e).exp(), sigmoid(gate("fx", "rf", e)));
                    c[e] = keep * c[e] + write * gate("zx", "rz", e).tanh();
                    n[e] = keep * n[e] + write;
                    next[e] = sigmoid(gate("ox", "ro", e)) * c[e] / n[e];
                }
                hid = next;
            }
            hid[e]
        }),
    )]
}

fn lti(x: &In<'_>) -> Outputs {
    let (u, a) = (x.t("u"), x.t("a"));
    let ([nb, nt, nc], [nn, _]) = (u.dims(), a.dims());
    vec![(
        "o",
        grid([nb, nt, nc, nn], |[b, t, c, n]| {
            // The impulse response A^l b, convolved with the input.
            let mut response: Vec<f64> = (0..nn).map(|i| x.t("bvec").at([i])).collect();
            let mut out = 0.0;
            for l in 0..=t {
                out += response[n] * u.at([b, t - l, c]);
                response = (0..nn).map(|i| sum(nn, |j| a.at([i, j]) * response[j])).collect();
            }
            out
        }),
    )]
}

fn conv_s5(x: &In<'_>) -> Outputs {
    let (u, a, bw, cw) = (x.t("u"), x.t("a"), x.t("bw"), x.t("cw"));
    let ([nb, nt, ny, nx, nc], [ns]) = (u.dims(), a.dims());
    // Sum over the neighbours of a pixel, with the tap of their offset.
    let around = |y: usize, c: usize, f: &dyn Fn(usize, usize, usize, usize) -> f64| {
        let near = |i: usize, n: usize| i.saturating_sub(1)..(i + 2).min(n);
        near(y, ny).map(|r| near(c, nx).map(|s| f(r, s, r + 1 - y, s + 1 - c)).sum::<f64>()).sum::<f64>()
    };
    let state = |b: usize, t: usize, y: usize, c: usize, s: usize| {
        sum(t + 1, |i| {
            let input = around(y, c, &|r, q, tr, tq| sum(nc, |d| bw.at([s, d, tr, tq]) * u.at([b, i, r, q, d])));
            a.at([s]).powi((t - i) as i32) * input
        })
    };
    vec![(
        "o",
        grid([nb, nt, ny, nx, nc], |[b, t, y, c, d]| {
            around(y, c, &|r, q, tr, tq| sum(ns, |s| cw.at([d, s, tr, tq]) * state(b, t, r, q, s)))
        }),
    )]
}

fn h3(x: &In<'_>) -> Outputs {
    let (q, k, v, a) = (x.t("q"), x.t("k"), x.t("v"), x.t("a"));
    let ([nb, nt, nc], [_, nn], [_, nj]) = (q.dims(), a.dims(), x.t("shift").dims());
    vec![(
        "o",
        grid([nb, nt, nc], |[b, t, c]| {
            let shifted =
                |i: usize| (0..nj.min(i + 1)).map(|j| x.t("shift").at([c, j]) * k.at([b, i - j, c])).sum::<f64>();
            let input = |i: usize| shifted(i) * v.at([b, i, c]);
            // The diagonal state space as a convolution with sum_n C_n A_n^l B_n.
            let filter =
                |l: usize| sum(nn, |n| x.t("cvec").at([c, n]) * a.at([c, n]).powi(l as i32) * x.t("bvec").at([c, n]));
            q.at([b, t, c]) * (sum(t + 1, |i| filter(t - i) * input(i)) + x.t("dskip").at([c]) * input(t))
        }),
    )]
}

type Matrix = Vec<Vec<f64>>;

fn product(a: &Matrix, b: &Matrix) -> Matrix {
    a.iter().map(|r| (0..b[0].len()).map(|j| r.iter().zip(b).map(|(x, row)| x * row[j]).sum()).collect()).collect()
}

fn transposed(a: &Matrix) -> Matrix {
    (0..a[0].len()).map(|j| a.iter().map(|r| r[j]).collect()).collect()
}

fn combined(terms: &[(f64, &Matrix)]) -> Matrix {
    let (rows, columns) = (terms[0].1.len(), terms[0].1[0].len());
    (0..rows).map(|i| (0..columns).map(|j| terms.iter().map(|(c, m)| c * m[i][j]).sum()).collect()).collect()
}

fn atlas(x: &In<'_>) -> Outputs {
    let (q, k, v) = (x.t("q"), x.t("k"), x.t("v"));
    let ([nb, nh, nt, ne], [_, _, _, nf]) = (q.dims(), v.dims());
    vec![(
        "o",
        grid([nb, nh, nt, nf], |[b, h, t, f]| {
            let at = |name: &str, i: usize| x.t(name).at([b, h, i]);
            let column = |t: &Value, i: usize, n: usize| (0..n).map(|c| vec![t.at([b, h, i, c])]).collect::<Matrix>();
            let mut memory = vec![vec![0.0; ne]; nf];
            let mut momentum = memory.clone();
            for i in 0..=t {
                // The gradient of sum_j gamma_j |M k_j - v_j|^2 over the window.
                let mut gradient = vec![vec![0.0; ne]; nf];
                for j in i.saturating_sub(1)..=i {
                    let (key, value) = (column(k, j, ne), column(v, j, nf));
                    let error = combined(&[(1.0, &product(&memory, &key)), (-1.0, &value)]);
                    gradient =
                        combined(&[(1.0, &gradient), (2.0 * at("gamma", j), &product(&error, &transposed(&key)))]);
                }
                momentum = combined(&[(at("theta", i), &momentum), (1.0, &gradient)]);
                let size = momentum.iter().flatten().map(|m| m * m).sum::<f64>().sqrt() + 1e-7;
                let unit = combined(&[(1.0 / size, &momentum)]);
                let square = product(&unit, &transposed(&unit));
                let fifth = product(&product(&square, &square), &unit);
                let step = combined(&[(3.4445, &unit), (-4.775, &product(&square, &unit)), (2.0315, &fifth)]);
                memory = combined(&[(at("alpha", i), &memory), (-at("eta", i), &step)]);
            }
            sum(ne, |e| memory[f][e] * q.at([b, h, t, e]))
        }),
    )]
}
