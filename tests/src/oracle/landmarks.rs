//! References of `landmarks.attn`.

use super::loops::{At, In, attend, grid, scores, softmax, sum};
use super::{Oracle, Outputs, case};
use einattn_compiler::interp::Value;

pub(super) const ORACLES: &[Oracle] = &[
    case("lookup_vit", "B=1 H=2 N=6 L=3 E=4", "scale=0.5", lookup),
    case("soft_landmarks", "B=1 H=2 P=6 L=3 E=4 F=2 T=25", "", soft),
    case("attention_strided_keys", "B=1 H=2 P=5 Y=4 X=6 E=3 F=2 S=2", "scale=0.5", strided),
    case("window_mean_keys", "B=1 H=2 P=5 Y=4 X=6 E=3 F=2 S=2", "scale=0.5", window_mean),
    case("two_level_blocks", "B=1 H=2 P=9 E=4 F=3 W=3", "scale=0.5", two_level),
];

fn lookup(x: &In<'_>) -> Outputs {
    let (q, k, v) = (x.t("q"), x.t("k"), x.t("v"));
    let ([nb, nh, nl, ne], [_, _, nn, nf]) = (q.dims(), v.dims());
    let s = |b: usize, h: usize, l: usize, n: usize| 0.5 * sum(ne, |e| q.at([b, h, l, e]) * k.at([b, h, n, e]));
    let gathered = |b: usize, h: usize, l: usize, f: usize| {
        attend(&scores(nn, |_| true, |n| s(b, h, l, n)), |n| v.at([b, h, n, f]))
    };
    let latent = |b: usize, h: usize, l: usize, f: usize| {
        let t = scores(nl, |_| true, |j| 0.5 * sum(nf, |c| gathered(b, h, l, c) * gathered(b, h, j, c)));
        attend(&t, |j| gathered(b, h, j, f))
    };
    let latents = grid([nb, nh, nl, nf], |[b, h, l, f]| latent(b, h, l, f));
    let o = grid([nb, nh, nn, nf], |[b, h, n, f]| {
        v.at([b, h, n, f]) + attend(&scores(nl, |_| true, |l| s(b, h, l, n)), |l| latents.at([b, h, l, f]))
    });
    vec![("o", o), ("latents", latents)]
}

/// Solves `a x = y` by Gauss-Jordan elimination; the iteration of the kernel has converged to the same inverse.
fn solve(mut a: Vec<Vec<f64>>, mut y: Vec<f64>) -> Vec<f64> {
    let n = y.len();
    for i in 0..n {
        let pivot = (i..n).max_by(|r, s| a[*r][i].abs().total_cmp(&a[*s][i].abs())).expect("a row is left");
        a.swap(i, pivot);
        y.swap(i, pivot);
        for r in (0..n).filter(|r| *r != i) {
            let factor = a[r][i] / a[i][i];
            let row = a[i].clone();
            a[r].iter_mut().zip(&row).for_each(|(x, p)| *x -= factor * p);
            y[r] -= factor * y[i];
        }
    }
    (0..n).map(|i| y[i] / a[i][i]).collect()
}

fn soft(x: &In<'_>) -> Outputs {
    let (q, mark, v) = (x.t("q"), x.t("landmark"), x.t("v"));
    let ([nb, nh, np, ne], [_, _, _, nf], [_, _, nl, _]) = (q.dims(), v.dims(), mark.dims());
    let gauss = |a: &Value, c: &Value, b: usize, h: usize, i: usize, j: usize| {
        (-sum(ne, |e| (a.at([b, h, i, e]) - c.at([b, h, j, e])).powi(2)) / (2.0 * (ne as f64).sqrt())).exp()
    };
    vec![(
        "o",
        grid([nb, nh, np, nf], |[b, h, p, f]| {
            let a = (0..nl).map(|i| (0..nl).map(|j| gauss(mark, mark, b, h, i, j)).collect()).collect();
            let right = (0..nl).map(|l| sum(np, |m| gauss(mark, q, b, h, l, m) * v.at([b, h, m, f]))).collect();
            let z = solve(a, right);
            sum(nl, |l| gauss(q, mark, b, h, p, l) * z[l])
        }),
    )]
}

fn strided(x: &In<'_>) -> Outputs {
    let (q, k, v, wk, wv) = (x.t("q"), x.t("k"), x.t("v"), x.t("wk"), x.t("wv"));
    let ([nb, nh, np, ne], [_, _, ny, nx, nf]) = (q.dims(), v.dims());
    // All pixels whose block is j, with the tap of their place inside of it.
    let reduce = |t: &Value, w: &Value, b: usize, h: usize, j: usize, c: usize| {
        sum(ny * nx, |i| {
            let (y, z) = (i / nx, i % nx);
            if y / 2 * (nx / 2) + z / 2 == j { w.at([h, c, y % 2, z % 2]) * t.at([b, h, y, z, c]) } else { 0.0 }
        })
    };
    vec![(
        "o",
        grid([nb, nh, np, nf], |[b, h, p, f]| {
            let s =
                scores(ny * nx / 4, |_| true, |j| 0.5 * sum(ne, |e| q.at([b, h, p, e]) * reduce(k, wk, b, h, j, e)));
            attend(&s, |j| reduce(v, wv, b, h, j, f))
        }),
    )]
}

fn window_mean(x: &In<'_>) -> Outputs {
    let (q, k, v) = (x.t("q"), x.t("k"), x.t("v"));
    let ([nb, nh, np, ne], [_, _, ny, nx, nf]) = (q.dims(), v.dims());
    let mean = |t: &Value, b: usize, h: usize, j: usize, c: usize| {
        let same = |i: &usize| (i / nx) % 2 * 2 + i % nx % 2 == j;
        let all: Vec<f64> = (0..ny * nx).filter(same).map(|i| t.at([b, h, i / nx, i % nx, c])).collect();
        all.iter().sum::<f64>() / all.len() as f64
    };
    vec![(
        "o",
        grid([nb, nh, np, nf], |[b, h, p, f]| {
            let s = scores(4, |_| true, |j| 0.5 * sum(ne, |e| q.at([b, h, p, e]) * mean(k, b, h, j, e)));
            attend(&s, |j| mean(v, b, h, j, f))
        }),
    )]
}

fn two_level(x: &In<'_>) -> Outputs {
    let (q, k, v) = (x.t("q"), x.t("k"), x.t("v"));
    let ([nb, nh, np, ne], [_, _, _, nf]) = (q.dims(), v.dims());
    let inner = |b: usize, h: usize, p: usize, f: usize| {
        let s = scores(np, |m| m / 3 == p / 3, |m| 0.5 * sum(ne, |e| q.at([b, h, p, e]) * k.at([b, h, m, e])));
        softmax(&s).iter().enumerate().map(|(m, w)| w * v.at([b, h, m, f])).sum::<f64>()
    };
    let project =
        |w: &str, b: usize, h: usize, c: usize, e: usize| sum(nf, |f| x.t(w).at([h, e, f]) * inner(b, h, 3 * c, f));
    let block = grid([nb, nh, np / 3, nf], |[b, h, c, f]| {
        let s = scores(np / 3, |_| true, |d| 0.5 * sum(ne, |e| project("wq", b, h, c, e) * project("wk", b, h, d, e)));
        attend(&s, |d| inner(b, h, 3 * d, f))
    });
    vec![("o", grid([nb, nh, np, nf], |[b, h, p, f]| inner(b, h, p, f))), ("block", block)]
}
