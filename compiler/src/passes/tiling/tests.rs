//! Tile kernels against the L1 interpreter, at ragged and degenerate extents, for every kind of CPU.

use super::to_tile;
use crate::interp::{Tensors, random_inputs, run_cascade, run_tile};
use crate::stream::{self, Stream};
use crate::target::CpuCaps;
use crate::tile::{TileKernel, print_stages, verify};
use std::collections::BTreeMap;

const CAPS: [CpuCaps; 3] = [CpuCaps::AVX512, CpuCaps::AVX2, CpuCaps::PORTABLE];

fn extents(text: &str) -> BTreeMap<String, i64> {
    text.split_whitespace()
        .filter_map(|w| w.split_once('='))
        .map(|(n, x)| (n.to_string(), x.parse().expect("a number")))
        .collect()
}

/// Relative difference; equal infinities and NaNs agree.
fn differs(a: f64, b: f64) -> bool {
    !(a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs())))
}

#[track_caller]
fn compare(s: &Stream, k: &TileKernel, caps: &CpuCaps, ext: &BTreeMap<String, i64>, change: &dyn Fn(&mut Tensors)) {
    let scalars: BTreeMap<String, f64> = s.cascade.scalars.iter().map(|s| (s.name.clone(), 1.0)).collect();
    let mut inputs = random_inputs(&s.cascade, ext, 7).expect("inputs");
    change(&mut inputs);
    let want = run_cascade(&s.cascade, &inputs, &scalars, ext).expect("interpreter");
    let got = run_tile(k, &inputs, &scalars, ext).unwrap_or_else(|e| panic!("{e} at {ext:?}\n{}", print_stages(k)));
    crate::lane::tests::agrees(k, caps, &inputs, &scalars, ext, &want);
    for (name, w) in &want {
        let g = &got[name];
        assert_eq!(g.shape, w.shape);
        let bad = g.data.iter().zip(&w.data).position(|(g, w)| differs(*g, *w));
        if let Some(i) = bad {
            panic!("{name}[{i}] is {} instead of {} at {ext:?}\n{}", g.data[i], w.data[i], print_stages(k));
        }
    }
}

#[track_caller]
fn check_with(text: &str, sizes: &[&str], change: &dyn Fn(&mut Tensors)) {
    let s = stream::parse(text).expect("parses");
    for caps in CAPS {
        let k = to_tile(&s, &caps).unwrap_or_else(|e| panic!("{e:?}"));
        if let Err(e) = verify(k.clone()) {
            panic!("{e:#?}\n{}", print_stages(&k));
        }
        for size in sizes {
            compare(&s, &k, &caps, &extents(size), change);
        }
    }
}

#[track_caller]
fn check(text: &str, sizes: &[&str]) {
    check_with(text, sizes, &|_| {});
}

const HEAD: &str = "cascade k
rank B free
rank H free
rank G free
rank P free
rank M free
rank E const 5
rank F const 7
in q f32 [B, H, P, E]
in k f32 [B, G, M, E]
in v f32 [B, G, M, F]
in len i32 [B]
out o f32 [B, H, P, F]
out l f32 [B, H, P]
let s f32 [B, H, P, M]
let g f32 [B, H, P]
let d f32 [B, H, P]
let nv f32 [B, H, P, F]
assert holds (H % G == 0) text \"H % G == 0\"
";

const SIZES: [&str; 5] = [
    "B=1 H=2 G=1 P=70 M=200",
    "B=2 H=2 G=2 P=3 M=5",
    "B=1 H=1 G=1 P=1 M=97",
    "B=1 H=4 G=2 P=9 M=0",
    "B=1 H=1 G=1 P=0 M=4",
];

/// One-pass softmax attention under a predicate.
fn attention(pred: &str) -> String {
    let fold = if pred.is_empty() { String::new() } else { format!("fold {pred}") };
    let domain = if pred.is_empty() { String::new() } else { format!("where {pred}") };
    format!(
        "{HEAD}s[b,h,p,m] = sum[e] acc f32 q[b,h,p,e] * k[b,h // (H // G),m,e]
g[b,h,p] = max[m] acc f32 s[b,h,p,m] * 0.4 {fold}
d[b,h,p] = sum[m] acc f32 exp2(s[b,h,p,m] * 0.4 - g[b,h,p]) {fold}
nv[b,h,p,f] = sum[m] acc f32 exp2(s[b,h,p,m] * 0.4 - g[b,h,p]) * v[b,h // (H // G),m,f] {fold}
o[b,h,p,f] = if d[b,h,p] > 0.0 {{ nv[b,h,p,f] / d[b,h,p] }} else {{ 0.0 }}
l[b,h,p] = g[b,h,p] + log2(d[b,h,p])
place g state
place d state
place nv state
stage o grid [b, h, p]
pass [m] {domain}
acc g
acc d repair exp2 (-g[b,h,p])
acc nv repair exp2 (-g[b,h,p])
store o
store l
"
    )
}

#[test]
fn one_pass_softmax() {
    for pred in [
        "",
        "(m <= p)",
        "(m <= p + (M - P))",
        "(m <= p + (M - P)) (p + (M - P) - m < 20)",
        "(m < len[b])",
        "(m <= p || m < 10)",
        "(abs(p - m) <= 8)",
        "(p // 16 == m // 16)",
        "((p - m) % 3 == 0) (m <= p)",
        "(m > p) (m < 100)",
        "(m != p)",
    ] {
        println!("{pred}");
        check(&attention(pred), &SIZES);
    }
}

/// The worked example of ARCHITECTURE.md: one packed operand, one block of scores in place, two products.
#[test]
fn worked_example() {
    let s = stream::parse(&attention("(m <= p)")).expect("parses");
    let k = to_tile(&s, &CpuCaps::AVX512).expect("tiles");
    let text = print_stages(&k);
    let body = text.split_once("  grid b h p\n").map(|(_, b)| b.split("  } partial {").next().unwrap_or(b));
    let want = "  g = -inf
  d = 0.0
  nv = 0.0
  q = q[b, h, p, e]
  loop m in [0, base(p) + count(p)) full [0, base(p) + 1) {
    g_old = g
    s = contract e (k[b, max(min(h // (H // G), G - 1), 0), m, e]) q
    g max= fold over m (s * 0.4)
    g_safe = if g > -inf { g } else { 0.0 }
    r = if g_old > -inf { exp2(g_old - g_safe) } else { 1.0 }
    s = exp2(s * 0.4 - g_safe)
    d_block = 0.0
    d_block sum= fold over m (s)
    d = d * r + d_block
    nv_block = contract m (v[b, max(min(h // (H // G), G - 1), 0), m, f]) s
    nv = nv * r + nv_block
";
    assert_eq!(body, Some(want), "{text}");
}
