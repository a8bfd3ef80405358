//! The stream executor against the cascade interpreter: same numbers for every block size.

use super::{Tensors, random_inputs, run_cascade, run_stream};
use crate::cascade::{self, Cascade};
use crate::passes::fuse::fuse;
use crate::passes::{stages, to_stream};
use crate::stream::Stream;
use std::collections::BTreeMap;

/// Passes over `m` in all stages, in order.
fn passes_over_m(s: &Stream) -> usize {
    let m = s.cascade.rank_by_name("M");
    s.stages.iter().flat_map(|s| &s.passes).filter(|p| m.is_some_and(|m| p.over.contains(&m))).count()
}

fn close(a: f64, b: f64) -> bool {
    a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-9 * (a.abs() + b.abs() + 1.0)
}

#[track_caller]
fn same(got: &Tensors, want: &Tensors, what: &str) {
    for (name, w) in want {
        let g = &got[name];
        assert_eq!(g.shape, w.shape, "{what}: {name}");
        for (i, (a, b)) in g.data.iter().zip(&w.data).enumerate() {
            assert!(close(*a, *b), "{what}: {name}[{i}] = {a}, expected {b}");
        }
    }
}

/// Runs both interpreters for several extents and block sizes.
#[track_caller]
fn differential(c: &Cascade, s: &Stream, change: &dyn Fn(&mut Tensors)) {
    let scalars = c.scalars.iter().map(|x| (x.name.clone(), 1.5)).collect();
    for (p, m) in [(5, 8), (3, 0), (0, 4), (8, 3), (1, 17)] {
        let extents: BTreeMap<String, i64> =
            [("B", 1), ("H", 2), ("P", p), ("M", m)].map(|(n, x)| (n.to_string(), x)).into();
        let mut inputs = random_inputs(c, &extents, 7 + p as u64).expect("inputs");
        change(&mut inputs);
        let want = run_cascade(c, &inputs, &scalars, &extents).expect("oracle");
        for block in [1, 3, 7, usize::MAX] {
            let what = format!("P={p} M={m} block={block}");
            let got = run_stream(s, &inputs, &scalars, &extents, block).unwrap_or_else(|e| panic!("{what}: {e}"));
            same(&got, &want, &what);
        }
    }
}

const HEAD: &str = "cascade k
rank B free
rank H free
rank P free
rank M free
rank E const 4
rank F const 3
scalar scale f32
in q f32 [B, H, P, E]
in k f32 [B, H, M, E]
in v f32 [B, H, M, F]
out o f32 [B, H, P, F]
out l f32 [B, H, P]
let s f32 [B, H, P, M]
s[b,h,p,m] = sum[e] acc f32 q[b,h,p,e] * k[b,h,m,e]
";

/// `s` becomes a stream with this many passes over `m` that computes the same.
#[track_caller]
fn check(text: &str, passes: usize) -> Stream {
    let c = cascade::parse(&format!("{HEAD}{text}")).expect("parses");
    let s = to_stream(&c).expect("stages");
    assert_eq!(passes_over_m(&s), passes, "{}", crate::stream::print(&s));
    differential(&c, &s, &|_| ());
    s
}

/// A softmax over `x` with the given mask, written after DEFER.
fn softmax(x: &str, fold: &str) -> String {
    format!(
        "let g f32 [B, H, P]
let d f32 [B, H, P]
let nv f32 [B, H, P, F]
g[b,h,p] = max[m] acc f32 {x} {fold}
d[b,h,p] = sum[m] acc f32 exp({x} - g[b,h,p]) {fold}
nv[b,h,p,f] = sum[m] acc f32 exp({x} - g[b,h,p]) * v[b,h,m,f] {fold}
o[b,h,p,f] = if d[b,h,p] > 0.0 {{ nv[b,h,p,f] / d[b,h,p] }} else {{ 0.0 }}
l[b,h,p] = g[b,h,p] + log(d[b,h,p])
"
    )
}

#[test]
fn masks_and_scores() {
    for fold in ["", "fold (m <= p)", "fold (m < p)", "fold (m >= 3)", "fold (m > p + 2) (m != 4)", "fold (m < 0)"] {
        check(&softmax("s[b,h,p,m] * 0.5", fold), 1);
    }
    for x in ["-s[b,h,p,m]", "tanh(s[b,h,p,m] / 3.0) * 3.0 + float(m - p)", "s[b,h,p,m] * scale"] {
        check(&softmax(x, "fold (m <= p + 1)"), 1);
    }
}

#[test]
fn scores_of_minus_infinity() {
    let text = format!("{HEAD}in bias f32 [P, M]\n{}", softmax("(s[b,h,p,m] + bias[p,m])", ""));
    let c = cascade::parse(&text).expect("parses");
    let s = to_stream(&c).expect("stages");
    assert_eq!(passes_over_m(&s), 1);
    // The first elements of every row are -inf; a row of nothing else would be NaN by definition.
    differential(&c, &s, &|inputs| {
        let Some(b) = inputs.get_mut("bias") else { return };
        let m = b.shape[1].max(1);
        for (i, x) in b.data.iter_mut().enumerate() {
            if i % m < m / 2 {
                *x = f64::NEG_INFINITY;
            }
        }
    });
}

#[test]
fn sink() {
    let s = check(
        "in sink f32 [H]
let g f32 [B, H, P]
let d f32 [B, H, P]
let nv f32 [B, H, P, F]
g[b,h,p] = max[m] acc f32 s[b,h,p,m] fold (m <= p)
d[b,h,p] = sum[m] acc f32 exp(s[b,h,p,m] - max(g[b,h,p], sink[h])) fold (m <= p)
nv[b,h,p,f] = sum[m] acc f32 exp(s[b,h,p,m] - max(g[b,h,p], sink[h])) * v[b,h,m,f] fold (m <= p)
o[b,h,p,f] = nv[b,h,p,f] / (d[b,h,p] + exp(sink[h] - max(g[b,h,p], sink[h])))
l[b,h,p] = max(g[b,h,p], sink[h])
",
        1,
    );
    assert_eq!(s.stages.len(), 1);
}

#[test]
fn entropy_and_maximal_probability() {
    check(
        "out mp f32 [B, H, P]
let g f32 [B, H, P]
let d f32 [B, H, P]
let t f32 [B, H, P]
let x f32 [B, H, P]
let nv f32 [B, H, P, F]
g[b,h,p] = max[m] acc f32 s[b,h,p,m] fold (m <= p)
d[b,h,p] = sum[m] acc f32 exp(s[b,h,p,m] - g[b,h,p]) fold (m <= p)
nv[b,h,p,f] = sum[m] acc f32 if m % 2 == 0 { exp(s[b,h,p,m] - g[b,h,p]) * v[b,h,m,f] } else { 0.0 } fold (m <= p)
t[b,h,p] = sum[m] acc f32 exp(s[b,h,p,m] - g[b,h,p]) * s[b,h,p,m] fold (m <= p)
x[b,h,p] = max[m] acc f32 exp(s[b,h,p,m] - g[b,h,p]) fold (m <= p)
o[b,h,p,f] = nv[b,h,p,f] / d[b,h,p]
l[b,h,p] = g[b,h,p] + log(d[b,h,p]) - t[b,h,p] / d[b,h,p]
mp[b,h,p] = x[b,h,p] / d[b,h,p]
",
        1,
    );
}

/// Two softmaxes over the same rank feed one contraction: two drivers, one repair. A minimum is shifted. (Without the
/// rewrites of the cascade, which would take the shift out of the minimum.)
#[test]
fn two_drivers() {
    let text = format!(
        "{HEAD}let g f32 [B, H, P]
let j f32 [B, H, P]
let nv f32 [B, H, P, F]
let t f32 [B, H, P]
g[b,h,p] = max[m] acc f32 s[b,h,p,m]
j[b,h,p] = max[m] acc f32 0.0 - s[b,h,p,m] * 2.0
nv[b,h,p,f] = sum[m] acc f32 exp(s[b,h,p,m] - g[b,h,p]) * exp2(-2.0 * s[b,h,p,m] - j[b,h,p]) * v[b,h,m,f]
t[b,h,p] = min[m] acc f32 s[b,h,p,m] - g[b,h,p] + v[b,h,m,0]
o[b,h,p,f] = nv[b,h,p,f]
l[b,h,p] = t[b,h,p]
"
    );
    let c = cascade::parse(&text).expect("parses");
    let mut s = stages(&c).expect("stages");
    assert_eq!(fuse(&mut s), []);
    assert_eq!(passes_over_m(&s), 1);
    let repairs: Vec<bool> = s.stages[0].passes[0].accs.iter().map(|a| a.repair.is_some()).collect();
    assert_eq!(repairs, [false, false, true, true]);
    differential(&c, &s, &|_| ());
}

/// What cannot be repaired keeps its passes and its values.
#[test]
fn blocked() {
    for body in [
        "round(exp(s[b,h,p,m] - g[b,h,p]))",
        "exp(s[b,h,p,m] * g[b,h,p])",
        "bf16(exp(s[b,h,p,m] - g[b,h,p]))",
        "exp(s[b,h,p,m] + g[b,h,p])",
        "exp(s[b,h,p,m] - scale * g[b,h,p])",
        "exp(s[b,h,p,m] - g[b,h,p]) + 1.0",
        "if s[b,h,p,m] > g[b,h,p] { 1.0 } else { 2.0 }",
    ] {
        check(
            &format!(
                "let g f32 [B, H, P]
let d f32 [B, H, P]
g[b,h,p] = max[m] acc f32 s[b,h,p,m]
d[b,h,p] = sum[m] acc f32 {body}
o[b,h,p,f] = d[b,h,p]
l[b,h,p] = g[b,h,p]
"
            ),
            2,
        );
    }
}

/// A sum over more elements than its maximum has seen must wait for the maximum.
#[test]
fn elements_outside_of_the_driver() {
    check(
        "let g f32 [B, H, P]
let d f32 [B, H, P]
g[b,h,p] = max[m] acc f32 s[b,h,p,m] fold (m >= 3)
d[b,h,p] = sum[m] acc f32 exp(s[b,h,p,m] - g[b,h,p]) dom (M > 3)
o[b,h,p,f] = d[b,h,p] dom (M > 3)
l[b,h,p] = g[b,h,p]
",
        2,
    );
}

/// Statistics that are read at other points are stored; the weights are recomputed.
#[test]
fn several_stages() {
    let s = check(
        "rank G derived (H)
in w f32 [H, G]
out c f32 [B, H, M]
let g f32 [B, H, P]
let d f32 [B, H, P]
let a f32 [B, H, P, M]
let kn f32 [B, H, M]
g[b,h,p] = max[m] acc f32 s[b,h,p,m] fold (m <= p)
d[b,h,p] = sum[m] acc f32 exp(s[b,h,p,m] - g[b,h,p]) fold (m <= p)
kn[b,h,m] = sum[e] acc f32 k[b,h,m,e] * k[b,h,m,e]
a[b,h,p,m] = sum[g] acc f32 w[h,g] * exp(s[b,g,p,m] - g[b,g,p]) / d[b,g,p] dom (m <= p)
o[b,h,p,f] = sum[m] acc f32 a[b,h,p,m] * v[b,h,m,f] * kn[b,h,m] fold (m <= p)
l[b,h,p] = g[b,h,p]
c[b,h,m] = sum[p] acc f32 exp(s[b,h,p,m] - g[b,h,p]) / d[b,h,p] fold (m <= p)
",
        2,
    );
    assert_eq!(s.stages.len(), 4);
}

/// Weights read column sums of themselves: the statistics are used before and after a stage of another grid.
#[test]
fn statistics_used_twice() {
    let s = check(
        "let g f32 [B, H, P]
let d f32 [B, H, P]
let c f32 [B, H, M]
g[b,h,p] = max[m] acc f32 s[b,h,p,m] fold (m <= p)
d[b,h,p] = sum[m] acc f32 exp(s[b,h,p,m] - g[b,h,p]) fold (m <= p)
c[b,h,m] = sum[p] acc f32 exp(s[b,h,p,m] - g[b,h,p]) / d[b,h,p] fold (m <= p)
o[b,h,p,f] = sum[m] acc f32 exp(s[b,h,p,m] - g[b,h,p]) / d[b,h,p] / (1.0 + c[b,h,m]) * v[b,h,m,f] fold (m <= p)
l[b,h,p] = g[b,h,p]
",
        2,
    );
    let names: Vec<&str> = s.stages.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["l", "c_mem", "o"]);
}

/// Outputs without common state over one traversal share a stage.
#[test]
fn one_traversal() {
    let s = check(
        "o[b,h,p,f] = sum[m] acc f32 tanh(s[b,h,p,m]) * v[b,h,m,f] fold (m <= p)
l[b,h,p] = sum[m] acc f32 tanh(s[b,h,p,m])
",
        1,
    );
    assert_eq!(s.stages.len(), 1);
}

#[test]
fn coordinates() {
    check(
        "rank J const 2
out i i32 [B, H, P, J]
i[b,h,p,j] = topk[m] acc f32 slot j s[b,h,p,m] fold (m <= p)
o[b,h,p,f] = sum[j] acc f32 v[b,h,i[b,h,p,j],f] fold (i[b,h,p,j] >= 0)
l[b,h,p] = 1.0
",
        1,
    );
}
