//! Chunks against single steps: every level, every end of the last chunk, and a state that is handed on.

use crate::cascade::{Cascade, Origin};
use crate::interp::{Tensors, Value, random_inputs, run_cascade, run_stream, run_tile};
use crate::passes::{PassCx, to_stream_with, to_tile};
use crate::schedule::{Cut, Split};
use crate::target::CpuCaps;
use crate::tile::TileKernel;
use std::collections::BTreeMap;

/// Name and statements about `st[b,h,t,e,f]`, its readers included.
const KERNELS: &[(&str, &str)] = &[
    (
        "no gate",
        "st[b,h,t+1,e,f] = st[b,h,t,e,f] + k[b,h,t,e] * v[b,h,t,f]; o[b,h,t,f] = sum[e](q[b,h,t,e] * st[b,h,t+1,e,f]);",
    ),
    (
        "a constant decay",
        "st[b,h,t+1,e,f] = exp(-abs(w[h])) * st[b,h,t,e,f] + k[b,h,t,e] * v[b,h,t,f];
        o[b,h,t,f] = 0.5 * sum[e](q[b,h,t,e] * st[b,h,t+1,e,f]);",
    ),
    (
        "decays of both signs",
        "st[b,h,t+1,e,f] = w[h] * st[b,h,t,e,f] + k[b,h,t,e] * v[b,h,t,f];
        o[b,h,t,f] = sum[e](q[b,h,t,e] * st[b,h,t+1,e,f]);",
    ),
    (
        "a gate",
        "st[b,h,t+1,e,f] = exp(g[b,h,t]) * st[b,h,t,e,f] + k[b,h,t,e] * v[b,h,t,f];
        o[b,h,t,f] = sum[e](q[b,h,t,e] * st[b,h,t+1,e,f]) + v[b,h,t,f];",
    ),
    (
        "gates down to exp(-8)",
        "st[b,h,t+1,e,f] = exp(-8.0 * sigmoid(3.0 * g[b,h,t])) * st[b,h,t,e,f] + k[b,h,t,e] * v[b,h,t,f];
        o[b,h,t,f] = sum[e](q[b,h,t,e] * st[b,h,t+1,e,f]);",
    ),
    (
        "gates of 0 between sequences",
        "st[b,h,t+1,e,f] = (if t % 5 == 2 { 0.0 } else { exp(g[b,h,t]) }) * st[b,h,t,e,f] + k[b,h,t,e] * v[b,h,t,f];
        o[b,h,t,f] = sum[e](q[b,h,t,e] * st[b,h,t+1,e,f]);",
    ),
    (
        "the state before the step, and a bonus",
        "st[b,h,t+1,e,f] = exp(g[b,h,t]) * st[b,h,t,e,f] + k[b,h,t,e] * v[b,h,t,f];
        o[b,h,t,f] = sum[e](q[b,h,t,e] * (st[b,h,t,e,f] + w[h] * k[b,h,t,e] * v[b,h,t,f]));",
    ),
    (
        "two terms, one without a value",
        "st[b,h,t+1,e,f] = exp(g[b,h,t]) * st[b,h,t,e,f] - k[b,h,t,e] * v[b,h,t,f] / 3.0 + q[b,h,t,e];
        o[b,h,t,f] = sum[e](q[b,h,t,e] * st[b,h,t+1,e,f]);",
    ),
    (
        "keys and queries that all heads share",
        "st[b,h,t+1,e,f] = exp(g[b,h,t]) * st[b,h,t,e,f] + k[b,h / 2,t,e] * v[b,h,t,f];
        o[b,h,t,f] = sum[e](q[b,h / 2,t,e] * st[b,h,t+1,e,f]);",
    ),
    (
        "two readers",
        "st[b,h,t+1,e,f] = exp(g[b,h,t]) * st[b,h,t,e,f] + k[b,h,t,e] * v[b,h,t,f];
        let y[b,h,t,f] = sum[e](k[b,h,t,e] * st[b,h,t,e,f]);
        o[b,h,t,f] = sum[e](q[b,h,t,e] * st[b,h,t+1,e,f]) + tanh(y[b,h,t,f]);",
    ),
];

/// The same, from the last generation to the first.
const REVERSE: &[(&str, &str)] = &[
    (
        "a gate, backwards",
        "st[b,h,t,e,f] = exp(g[b,h,t]) * st[b,h,t+1,e,f] + k[b,h,t,e] * v[b,h,t,f];
        o[b,h,t,f] = sum[e](q[b,h,t,e] * st[b,h,t,e,f]);",
    ),
    (
        "the state before the step, backwards",
        "st[b,h,t,e,f] = w[h] * st[b,h,t+1,e,f] + k[b,h,t,e] * v[b,h,t,f];
        o[b,h,t,f] = sum[e](q[b,h,t,e] * st[b,h,t+1,e,f]);",
    ),
];

fn kernel(statements: &str, reverse: bool) -> Cascade {
    let (first, last) = if reverse { ("T", "0") } else { ("0", "T") };
    let source = format!(
        "kernel k {{
            rank B, H, E = 3, F = 5;
            iter T;
            in q: f32[B, H, T, E];
            in k: f32[B, H, T, E];
            in v: f32[B, H, T, F];
            in w: f32[H];
            #[nonpositive] in g: f32[B, H, T];
            in s0: f32[B, H, E, F];
            out o: f32[B, H, T, F];
            out s1: f32[B, H, E, F];
            state st[b,h,t,e,f]: f32;
            init st[b,h,{first},e,f] = s0[b,h,e,f];
            {statements}
            s1[b,h,e,f] = st[b,h,{last},e,f];
        }}"
    );
    let (file, diags) = crate::syntax::parse_str(&source);
    assert!(diags.is_empty(), "{diags:?}");
    let (checked, diags) = crate::check::check(&file, &Default::default());
    assert!(!crate::diag::has_errors(&diags), "{diags:?}");
    checked.kernels[0].members[0].clone()
}

fn chunked(c: &Cascade, size: i64) -> crate::stream::Stream {
    let (target, rank) = ("any".to_string(), "T".to_string());
    let splits = vec![Split { cut: Cut::Chunks, target, rank, size, origin: Origin::default() }];
    to_stream_with(c, &PassCx { splits, ..PassCx::of(c) }).expect("stages")
}

fn is_chunked(s: &crate::stream::Stream) -> bool {
    s.stages.iter().any(|g| g.scan.as_ref().is_some_and(|k| crate::stream::blocks(&s.cascade, k.rank).is_some()))
}

fn extents(t: usize) -> BTreeMap<String, i64> {
    BTreeMap::from([("B".to_string(), 1), ("H".to_string(), 2), ("T".to_string(), t as i64)])
}

#[track_caller]
fn same(want: &Value, got: &Value, what: &str) {
    assert_eq!(want.shape, got.shape, "{what}");
    let worst = want.data.iter().zip(&got.data).map(|(a, b)| (a - b).abs() / (1.0 + a.abs())).fold(0.0, f64::max);
    assert!(worst < 1e-10, "{what}: {worst}");
}

fn check(name: &str, c: &Cascade, sizes: &[i64]) {
    for size in sizes {
        let s = chunked(c, *size);
        assert!(is_chunked(&s), "{name}");
        let k = to_tile(&s, &CpuCaps::AVX2).expect("tiles");
        for t in [1, 2, 17, 66] {
            let what = format!("{name}: {t} steps in chunks of {size}");
            let inputs = random_inputs(c, &extents(t), 7).expect("inputs");
            let none = BTreeMap::new();
            let want = run_cascade(c, &inputs, &none, &extents(t)).expect("interpreter");
            if t < 20 {
                let stream = run_stream(&s, &inputs, &none, &extents(t), 4).expect("stream");
                want.iter().for_each(|(n, x)| same(x, &stream[n], &format!("{what}, stream, {n}")));
                let tile = run_tile(&k, &inputs, &none, &extents(t)).expect("tiles");
                want.iter().for_each(|(n, x)| same(x, &tile[n], &format!("{what}, tiles, {n}")));
            }
            crate::lane::tests::agrees(&k, &CpuCaps::AVX2, &inputs, &none, &extents(t), &want);
        }
    }
}

#[test]
fn chunks_are_steps() {
    KERNELS.iter().for_each(|(name, text)| check(name, &kernel(text, false), &[3, 16]));
    check("a gate", &kernel(KERNELS[3].1, false), &[64]);
}

#[test]
fn chunks_are_steps_backwards() {
    REVERSE.iter().for_each(|(name, text)| check(name, &kernel(text, true), &[3, 16]));
}

#[test]
fn what_is_no_product_of_matrices_steps_one_by_one() {
    let o = "o[b,h,t,f] = sum[e](q[b,h,t,e] * st[b,h,t+1,e,f]);";
    for update in [
        "st[b,h,t+1,e,f] = exp(g[b,h,t] * abs(k[b,h,t,e])) * st[b,h,t,e,f] + k[b,h,t,e] * v[b,h,t,f];",
        "st[b,h,t+1,e,f] = exp(g[b,h,t] * abs(v[b,h,t,f])) * st[b,h,t,e,f] + k[b,h,t,e] * v[b,h,t,f];",
        "st[b,h,t+1,e,f] = tanh(st[b,h,t,e,f]) + k[b,h,t,e] * v[b,h,t,f];",
        "let r[b,h,t,f] = v[b,h,t,f] - sum[e](k[b,h,t,e] * st[b,h,t,e,f]);
         st[b,h,t+1,e,f] = st[b,h,t,e,f] + k[b,h,t,e] * r[b,h,t,f];",
    ] {
        let c = kernel(&format!("{update} {o}"), false);
        assert!(!is_chunked(&chunked(&c, 4)), "{update}");
    }
    let c = kernel("st[b,h,t+1,e,f] = st[b,h,t,e,f] + k[b,h,t,e] * v[b,h,t,f]; o[b,h,t,f] = st[b,h,t+1,0,f];", false);
    assert!(!is_chunked(&chunked(&c, 4)), "no sum");
}

/// The inputs of the steps `from..to`, with a state to start from.
fn span(all: &Tensors, from: usize, to: usize, state: &Value) -> Tensors {
    let cut = |(name, x): (&String, &Value)| {
        let x = match name.as_str() {
            "s0" => state.clone(),
            "w" => x.clone(),
            _ => rows(x, from, to),
        };
        (name.clone(), x)
    };
    all.iter().map(cut).collect()
}

/// Steps `from..to` of a tensor whose third dimension they are.
fn rows(x: &Value, from: usize, to: usize) -> Value {
    let (outer, len) = (x.shape[0] * x.shape[1], x.shape[2]);
    let inner = x.shape[3..].iter().product::<usize>();
    let row = |o: usize| x.data[(o * len + from) * inner..(o * len + to) * inner].iter().copied();
    let shape = [&x.shape[..2], &[to - from], &x.shape[3..]].concat();
    Value { data: (0..outer).flat_map(row).collect(), shape }
}

#[test]
fn a_prompt_in_chunks_and_tokens_by_steps_are_the_whole_sequence() {
    const T: usize = 13;
    for (name, text) in KERNELS.iter().filter(|(name, _)| !name.contains("between sequences")) {
        let c = kernel(text, false);
        let prompt = to_tile(&chunked(&c, 4), &CpuCaps::AVX2).expect("tiles");
        let step: TileKernel = to_tile(&chunked(&c, 1), &CpuCaps::AVX2).expect("tiles");
        let inputs = random_inputs(&c, &extents(T), 3).expect("inputs");
        let whole = run_cascade(&c, &inputs, &BTreeMap::new(), &extents(T)).expect("interpreter");
        let mut state = inputs["s0"].clone();
        for (k, from, to) in [(&prompt, 0, 6), (&prompt, 6, 11), (&step, 11, 12), (&step, 12, 13)] {
            let part = span(&inputs, from, to, &state);
            let got = run_tile(k, &part, &BTreeMap::new(), &extents(to - from)).expect("runs");
            same(&rows(&whole["o"], from, to), &got["o"], &format!("{name}: {from}..{to}"));
            state = got["s1"].clone();
        }
        same(&whole["s1"], &state, &format!("{name}: the last state"));
    }
}
