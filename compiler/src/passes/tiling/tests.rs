//! Tile kernels against the L1 interpreter, at ragged and degenerate extents, for every kind of CPU.

use super::to_tile;
use crate::cascade::Cascade;
use crate::interp::{Tensors, random_inputs, run_cascade, run_tile};
use crate::stream;
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
fn compare(c: &Cascade, k: &TileKernel, caps: &CpuCaps, ext: &BTreeMap<String, i64>, change: &dyn Fn(&mut Tensors)) {
    let scalars: BTreeMap<String, f64> = c.scalars.iter().map(|s| (s.name.clone(), 1.0)).collect();
    let mut inputs = random_inputs(c, ext, 7).expect("inputs");
    change(&mut inputs);
    let want = run_cascade(c, &inputs, &scalars, ext).expect("interpreter");
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
            compare(&s.cascade, &k, &caps, &extents(size), change);
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
    "B=1 H=2 G=1 P=70 M=130",
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
        check(&attention(pred), if pred.len() < 30 { &SIZES } else { &SIZES[..2] });
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

/// What the softmax tests do not reach, as streams.
const KINDS: &[(&str, &str)] = &[
    (
        "two passes, and statistics in memory",
        "cascade k
rank B free
rank P free
rank M free
in x f32 [B, P, M]
in y f32 [B, M]
out o f32 [B, P]
out s f32 [B, P]
let m1 f32 [B, P]
let v f32 [B, P]
let u f32 [B]
let um f32 [B]
u[b] = max[m] acc f32 y[b,m]
um[b] = u[b]
m1[b,p] = sum[m] acc f32 x[b,p,m] fold (m <= p)
v[b,p] = sum[m] acc f32 (x[b,p,m] - m1[b,p] / float(M)) * (x[b,p,m] - m1[b,p] / float(M)) fold (m <= p)
o[b,p] = sqrt(v[b,p]) + um[b]
s[b,p] = m1[b,p]
place u state
place um memory
place m1 state
place v state
stage um grid [b]
pass [m]
acc u
store um
stage o grid [b, p]
pass [m] where (m <= p)
acc m1
pass [m] where (m <= p)
acc v
store o
store s
",
    ),
    (
        "a sink as the initial state",
        "cascade k
rank P free
rank M free
rank F const 3
in x f32 [P, M]
in v f32 [M, F]
in sink f32 [P]
out o f32 [P, F]
let g f32 [P]
let d f32 [P]
let nv f32 [P, F]
let gs f32 [P]
let ds f32 [P]
g[p] = max[m] acc f32 x[p,m] fold (m < p)
gs[p] = max(g[p], sink[p])
ds[p] = sum[m] acc f32 exp(x[p,m] - gs[p]) fold (m < p)
nv[p,f] = sum[m] acc f32 exp(x[p,m] - gs[p]) * v[m,f] fold (m < p)
o[p,f] = nv[p,f] / (ds[p] + exp(sink[p] - gs[p]))
place g state
place ds state
place nv state
place d dead
stage o grid [p]
pass [m] where (m < p)
acc g
pass [m] where (m < p)
acc ds
acc nv
store o
",
    ),
    (
        "an empty grid, several value ranks",
        "cascade k
rank E const 3
rank F const 4
rank M free
in k f32 [M, E]
in v f32 [M, F]
out s f32 [E, F]
out z f32 [E]
let sa f32 [E, F]
let za f32 [E]
sa[e,f] = sum[m] acc f32 k[m,e] * v[m,f]
za[e] = sum[m] acc f32 k[m,e]
s[e,f] = sa[e,f]
z[e] = za[e] * 2.0
place sa state
place za state
stage s grid []
pass [m]
acc sa
acc za
store s
store z
",
    ),
    (
        "talking heads: a reduction of reductions",
        "cascade k
rank H const 3
rank J const 3
rank P free
rank M free
rank E const 4
rank F const 2
in q f32 [J, P, E]
in k f32 [J, M, E]
in w f32 [H, J]
in v f32 [H, M, F]
out o f32 [H, P, F]
let s f32 [J, P, M]
let t f32 [H, P, M]
let g f32 [H, P]
let d f32 [H, P]
let nv f32 [H, P, F]
s[j,p,m] = sum[e] acc f32 q[j,p,e] * k[j,m,e]
t[h,p,m] = sum[j] acc f32 w[h,j] * s[j,p,m]
g[h,p] = max[m] acc f32 t[h,p,m] fold (m <= p)
d[h,p] = sum[m] acc f32 exp(t[h,p,m] - g[h,p]) fold (m <= p)
nv[h,p,f] = sum[m] acc f32 exp(t[h,p,m] - g[h,p]) * v[h,m,f] fold (m <= p)
o[h,p,f] = nv[h,p,f] / d[h,p]
place g state
place d state
place nv state
stage o grid [h, p]
pass [m] where (m <= p)
acc g
acc d repair exp (-g[h,p])
acc nv repair exp (-g[h,p])
store o
",
    ),
    (
        "argmax, any, counts and minima",
        "cascade k
rank P free
rank M free
in x f32 [P, M]
in seen bool [M]
out best i32 [P]
out some bool [P]
out n i32 [P]
out low f32 [P]
let ba i32 [P]
let sa bool [P]
let na i32 [P]
let la f32 [P]
ba[p] = argmax[m] acc f32 x[p,m] fold (m < p)
sa[p] = any[m] acc bool seen[m] fold (m < p)
na[p] = sum[m] acc i32 if seen[m] { 1 } else { 0 } fold (m < p)
la[p] = min[m] acc f32 x[p,m] fold (m < p)
best[p] = ba[p]
some[p] = sa[p]
n[p] = na[p]
low[p] = la[p]
place ba state
place sa state
place na state
place la state
stage best grid [p]
pass [m] where (m < p)
acc ba
store best
stage some grid [p]
pass [m] where (m < p)
acc sa
acc na
acc la
store some
store n
store low
",
    ),
    (
        "means of a masked input, repairs by shift and ratio",
        "cascade k
rank P free
rank M free
rank F const 3
in v f32 [M, F]
in x f32 [P, M]
out o f32 [P, F]
out t f32 [P]
let n f32 [P]
let sv f32 [P, F]
let g f32 [P]
let h f32 [P]
n[p] = sum[m] acc f32 1.0 fold (m <= p)
sv[p,f] = sum[m] acc f32 v[m,f] fold (m <= p)
g[p] = max[m] acc f32 x[p,m] fold (m <= p)
h[p] = max[m] acc f32 x[p,m] * 2.0 - g[p] fold (m <= p)
o[p,f] = sv[p,f] / n[p]
t[p] = h[p]
place n state
place sv state
place g state
place h state
stage o grid [p]
pass [m] where (m <= p)
acc n
acc sv
acc g
acc h repair add (-g[p])
store o
store t
",
    ),
    (
        "a repair by a ratio",
        "cascade k
rank P free
rank M free
in x f32 [P, M]
out o f32 [P]
let d f32 [P]
let t f32 [P]
d[p] = sum[m] acc f32 abs(x[p,m]) fold (m < p - 2)
t[p] = sum[m] acc f32 x[p,m] / d[p] fold (m < p - 2)
o[p] = t[p]
place d state
place t state
stage o grid [p]
pass [m] where (m < p - 2)
acc d
acc t repair ratio (1.0 / d[p])
store o
",
    ),
];

#[test]
fn kinds_of_kernels() {
    for (name, text) in KINDS {
        println!("{name}");
        check(text, &["B=2 P=70 M=70", "B=1 P=3 M=200", "B=1 P=5 M=1", "B=2 P=0 M=3", "B=2 P=4 M=0"]);
    }
}

/// Garbage at keys that a row masks must not reach its result, whichever rows of its tile see them.
#[test]
fn masked_elements_are_selected_away() {
    for garbage in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let poison = |inputs: &mut Tensors| {
            for name in ["k", "v"] {
                let t = inputs.get_mut(name).expect("an input");
                let row = t.shape[3];
                let (m, n) = (t.shape[2], t.data.len());
                // The first two keys and the last are invisible.
                let key = |i: &usize| i / row % m.max(1);
                (0..n).filter(|i| key(i) < 2 || key(i) + 1 == m).for_each(|i| t.data[i] = garbage);
            }
        };
        let text = attention("(m < M - 1) (m >= 2)");
        check_with(&text, &["B=1 H=1 G=1 P=5 M=9", "B=1 H=1 G=1 P=5 M=97"], &poison);
        // Later rows see the last keys, earlier ones of the same tile do not.
        let last = |inputs: &mut Tensors| {
            for name in ["k", "v"] {
                let t = inputs.get_mut(name).expect("an input");
                let (m, row) = (t.shape[2], t.shape[3]);
                (0..t.data.len()).filter(|i| (i / row) % m + 2 >= m).for_each(|i| t.data[i] = garbage);
            }
        };
        for pred in ["(m <= p)", "(m <= p) (p - m < 3)", "(m < len[b] || m == p)"] {
            let text = attention(pred);
            for text in [text.replace("in v f32", "in v bf16"), text] {
                check_with(&text, &["B=1 H=1 G=1 P=7 M=7", "B=1 H=2 G=1 P=70 M=70"], &last);
            }
        }
    }
}

#[test]
fn text_is_read_back() {
    let texts = KINDS.iter().map(|(_, t)| t.to_string()).chain([attention("(m <= p || m < len[b])")]);
    for text in texts {
        let s = stream::parse(&text).expect("parses");
        let k = to_tile(&s, &CpuCaps::AVX512).expect("tiles");
        let printed = crate::tile::print(&k);
        assert_eq!(crate::tile::parse(&printed).as_ref(), Ok(&k), "{printed}");
    }
}

/// The examples of the language through the whole pipeline.
#[test]
fn examples_of_the_language() {
    let set = [("E", "5"), ("F", "3"), ("D", "3"), ("R", "2")];
    let done = through_the_pipeline(include_str!("../../check/tests/examples.attn"), &set, &|_| true);
    assert!(done >= 15, "{done}");
}

/// Every recurrence of the library, step by step.
#[test]
fn recurrences_of_the_library() {
    let mut done = 0;
    for (_, text) in crate::library::FILES.iter().filter(|(_, t)| t.contains("    iter ")) {
        let text = text.replace("= 128;", "= 3;").replace("= 64", "= 3").replace("N = 128", "N = 3");
        let set: &[_] = if text.contains("dtype Elem") { &[("Elem", "f32")] } else { &[] };
        // Refused (a state that is convolved, a search whose lists follow from each other), and one for whole blocks only.
        let not = ["conv_s5", "hierarchical_search", "sinkhorn_attention"];
        let wanted = |c: &Cascade| c.nodes.iter().any(|n| n.is_stateful()) && !not.contains(&c.name.as_str());
        done += through_the_pipeline(&text, set, &wanted);
    }
    assert!(done >= 19, "{done}");
}

/// Lowers the first member of every kernel that is wanted and compares it with the interpreter; returns how many there were.
fn through_the_pipeline(text: &str, set: &[(&str, &str)], wanted: &dyn Fn(&Cascade) -> bool) -> usize {
    let (file, diags) = crate::syntax::parse_str(text);
    assert!(diags.is_empty());
    let set = set.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
    let (checked, diags) = crate::check::check(&file, &crate::check::Options { set });
    assert!(!crate::diag::has_errors(&diags), "{diags:?}");
    let ext = extents("B=2 H=4 G=2 P=5 M=11 T=6 Y=6 X=7 NP=3 MP=2 PG=16 C=5 J=2 QK=2 S=3 I=4 D=5");
    let mut done = 0;
    for c in checked.kernels.iter().filter_map(|k| k.members.first()).filter(|c| wanted(c)) {
        let mut l1 = c.clone();
        let s = crate::passes::run_cascade_passes(&mut l1).and_then(|_| crate::passes::to_stream(&l1));
        let s = s.unwrap_or_else(|e| panic!("{}: {e:?}", c.name));
        let k = to_tile(&s, &CpuCaps::PORTABLE).unwrap_or_else(|e| panic!("{}: {e:?}", c.name));
        assert_eq!(crate::tile::parse(&crate::tile::print(&k)).as_ref(), Ok(&k), "{}", c.name);
        let k = verify(k).unwrap_or_else(|e| panic!("{}: {e:#?}", c.name));
        compare(c, &k, &CpuCaps::PORTABLE, &ext, &|_| {});
        done += 1;
    }
    done
}
/// A mask that compares attention weights: the driver is read in a domain, too.
#[test]
fn weights_that_choose_blocks() {
    let holds = |f: &&(&str, &str)| f.1.contains("kernel seer_attention");
    let (_, text) = crate::library::FILES.iter().find(holds).expect("in the library");
    let text = text.replace("W: int = 64", "W: int = 1").replace("= 64", "= 2");
    assert_eq!(through_the_pipeline(&text, &[("Elem", "f32")], &|c| c.name == "seer_attention"), 1);
}
