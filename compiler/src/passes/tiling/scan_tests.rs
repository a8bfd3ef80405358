//! Prefill and decode: a sequence computed at once, in spans, and token by token, with the state handed on as a tensor.

use super::to_tile;
use crate::cascade::Cascade;
use crate::interp::{Tensors, Value, random_inputs, run_cascade, run_tile};
use crate::target::CpuCaps;
use crate::tile::{TileKernel, verify};
use std::collections::BTreeMap;

/// Updates of every class, with what they read; `st` has the ranks B, E, F.
const UPDATES: &[(&str, &str)] = &[
    ("R0", "st[b,t,e,f] + k[b,t,e] * v[b,t,f]"),
    ("R1", "exp(-abs(w[b])) * st[b,t,e,f] + k[b,t,e] * v[b,t,f]"),
    ("R2", "exp(a[b,t]) * st[b,t,e,f] + k[b,t,e] * v[b,t,f]"),
    ("R3", "exp(g[b,t,e]) * st[b,t,e,f] + k[b,t,e] * v[b,t,f]"),
    ("R4", "st[b,t,e,f] + k[b,t,e] * (v[b,t,f] - kst[b,t,f])"),
    ("Rx", "exp(g[b,t,e] * v[b,t,f]) * st[b,t,e,f] + k[b,t,e] * v[b,t,f]"),
    ("R7", "tanh(st[b,t,e,f]) + k[b,t,e] * v[b,t,f]"),
];

fn kernel(update: &str) -> (Cascade, TileKernel) {
    let source = format!(
        "kernel k {{
            rank B, E = 3, F = 5;
            iter T;
            in q: f32[B, T, E];
            in k: f32[B, T, E];
            in v: f32[B, T, F];
            in w: f32[B];
            #[nonpositive] in a: f32[B, T];
            #[nonpositive] in g: f32[B, T, E];
            in s0: f32[B, E, F];
            out o: f32[B, T, F];
            out s1: f32[B, E, F];
            state st[b,t,e,f]: f32;
            init st[b,0,e,f] = s0[b,e,f];
            let kst[b,t,f] = sum[e](k[b,t,e] * st[b,t,e,f]);
            st[b,t+1,e,f] = {update};
            o[b,t,f] = sum[e](q[b,t,e] * st[b,t+1,e,f]);
            s1[b,e,f] = st[b,T,e,f];
        }}"
    );
    let (file, diags) = crate::syntax::parse_str(&source);
    assert!(diags.is_empty(), "{diags:?}");
    let (checked, diags) = crate::check::check(&file, &Default::default());
    assert!(!crate::diag::has_errors(&diags), "{diags:?}");
    let c = checked.kernels[0].members[0].clone();
    let s = crate::passes::to_stream(&c).expect("stages");
    let k = to_tile(&s, &CpuCaps::AVX2).expect("tiles");
    verify(k.clone()).expect("valid");
    (c, k)
}

/// The inputs of the steps `from..to`, with a state to start from.
fn span(all: &Tensors, from: usize, to: usize, state: &Value) -> Tensors {
    let cut = |(name, x): (&String, &Value)| {
        let timed = ["q", "k", "v", "a", "g"].contains(&name.as_str());
        let x = if timed { rows(x, from, to) } else { x.clone() };
        (name.clone(), if name == "s0" { state.clone() } else { x })
    };
    all.iter().map(cut).collect()
}

fn rows(x: &Value, from: usize, to: usize) -> Value {
    let (len, inner) = (x.shape[1], x.shape[2..].iter().product::<usize>());
    let batch = |b: usize| x.data[(b * len + from) * inner..(b * len + to) * inner].iter().copied();
    let shape = [&[x.shape[0], to - from], &x.shape[2..]].concat();
    Value { data: (0..x.shape[0]).flat_map(batch).collect(), shape }
}

#[track_caller]
fn same(want: &Value, got: &Value, what: &str) {
    assert_eq!(want.shape, got.shape, "{what}");
    let worst = want.data.iter().zip(&got.data).map(|(a, b)| (a - b).abs() / (1.0 + a.abs())).fold(0.0, f64::max);
    assert!(worst < 1e-9, "{what}: {worst}");
}

#[test]
fn spans_and_single_tokens_give_the_whole_sequence() {
    const T: usize = 11;
    for (class, update) in UPDATES {
        let (c, k) = kernel(update);
        let found = crate::passes::recurrence::classes(&c);
        assert_eq!(format!("{:?}", found[0].1), *class);
        let extents = |t: usize| BTreeMap::from([("B".to_string(), 2), ("T".to_string(), t as i64)]);
        let inputs = random_inputs(&c, &extents(T), 5).expect("inputs");
        let whole = run_cascade(&c, &inputs, &BTreeMap::new(), &extents(T)).expect("interpreter");
        for cuts in [vec![0, T], vec![0, 4, 4, 9, T], (0..=T).collect()] {
            let mut state = inputs["s0"].clone();
            for w in cuts.windows(2) {
                let part = span(&inputs, w[0], w[1], &state);
                let got = run_tile(&k, &part, &BTreeMap::new(), &extents(w[1] - w[0])).expect("runs");
                same(&rows(&whole["o"], w[0], w[1]), &got["o"], &format!("{class}: o of {w:?}"));
                state = got["s1"].clone();
            }
            same(&whole["s1"], &state, &format!("{class}: the last state"));
        }
    }
}
