//! The passes on the kernels of the language reference: counted, rewritten, executed before and after.

use super::count::{contains_reduction, count_passes, reduced_sets};
use super::facts::{Direction, Facts};
use super::{brief, run_cascade_passes};
use crate::cascade::{Cascade, Extent, Node, RankId, node_text, parse};
use crate::check::{Options, check};
use crate::interp::{Bindings, Tensors, random_inputs, run_cascade};
use crate::syntax::parse_str;
use std::collections::BTreeMap;

const EXAMPLES: &str = include_str!("../check/tests/examples.attn");

/// The first member of every kernel.
fn kernels(src: &str) -> Vec<Cascade> {
    let (file, _) = parse_str(src);
    let (checked, diags) = check(&file, &Options::default());
    assert!(!crate::diag::has_errors(&diags), "{diags:?}");
    checked.kernels.into_iter().flat_map(|k| k.members).collect()
}

fn kernel(name: &str) -> Cascade {
    kernels(EXAMPLES).into_iter().find(|c| c.name == name).unwrap_or_else(|| panic!("no kernel `{name}`"))
}

fn ranks(c: &Cascade, names: &str) -> Vec<RankId> {
    names.split(' ').map(|n| c.rank_by_name(n).unwrap_or_else(|| panic!("no rank `{n}`"))).collect()
}

fn passes(c: &Cascade, names: &str) -> usize {
    count_passes(c, &ranks(c, names)).passes
}

#[test]
fn naive_passes_are_those_of_the_reference() {
    for (name, over, expected) in [
        ("mha_causal", "M", 3),
        ("gqa_swa_softcap_alibi", "M", 3),
        ("t5_bias", "M", 3),
        ("music_transformer", "M", 3),
        ("natten_2d", "U W", 3),
        ("sink_attention", "M", 2),
        ("sigmoid_attention", "M", 1),
        ("soft_gaussian", "M", 1),
        ("linear_elu", "M", 1),
        ("linear_hedgehog", "D S", 3),
        ("linear_hedgehog", "M", 1),
        ("block_select", "C", 1),
        ("block_sparse", "J N", 3),
        ("paged_decode", "M", 3),
        ("mla_absorbed", "M", 3),
        ("mla_absorbed", "C", 2),
    ] {
        assert_eq!(passes(&kernel(name), over), expected, "{name} over {over}");
    }
}

/// The pedagogical cascades of the literature.
#[test]
fn deferral_saves_a_pass() {
    let text = |z: &str| {
        let head = "cascade c\nrank K free\nin A f32 [K]\nin B f32 [K]\nout Z f32 []\nlet Y f32 []\nlet X f32 []\n";
        format!("{head}Y[] = sum[k] acc f32 A[k] * B[k]\nX[] = sum[k] acc f32 A[k]\n{z}\n")
    };
    let one = parse(&text("Z[] = sum[k] acc f32 Y[] * A[k]")).expect("parses");
    let two = parse(&text("Z[] = Y[] * X[]")).expect("parses");
    assert_eq!((passes(&one, "K"), passes(&two, "K")), (2, 1));
    let mut deferred = one;
    run_cascade_passes(&mut deferred).expect("no refusal");
    assert_eq!(passes(&deferred, "K"), 1);
}

#[test]
fn barriers_are_named() {
    let c = kernel("mha_causal");
    let count = count_passes(&c, &ranks(&c, "M"));
    let name = |i: usize| c.tensor(c.nodes[i].out).name.as_str();
    let barriers: Vec<(&str, &str)> = count.barriers.iter().map(|(a, b)| (name(*a), name(*b))).collect();
    assert_eq!(barriers, [("G", "N"), ("D", "A")]);
    assert_eq!(reduced_sets(&c), [ranks(&c, "E"), ranks(&c, "M")]);
    assert!(contains_reduction(&c, &c.nodes[5].body, &ranks(&c, "M")));
}

fn run(c: &Cascade, inputs: &Tensors, extents: &BTreeMap<String, i64>) -> Tensors {
    let scalars = c.scalars.iter().map(|s| (s.name.clone(), if s.dtype.is_int() { 1.0 } else { 1.5 })).collect();
    run_cascade(c, inputs, &scalars, extents).unwrap_or_else(|e| panic!("{}: {e}", c.name))
}

fn assert_close(name: &str, want: &Tensors, got: &Tensors) {
    for (out, want) in want {
        let scale = want.data.iter().filter(|x| x.is_finite()).fold(1e-3, |m: f64, x| m.max(x.abs()));
        for (a, b) in want.data.iter().zip(&got[out].data) {
            assert!(
                a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-12 * scale,
                "{name}: `{out}` has {b} for {a}"
            );
        }
    }
}

/// Extents that fit the asserts of every example; masks leave some rows empty.
const SHAPES: &[&[(&str, i64)]] = &[
    &[("B", 1), ("H", 2), ("G", 1), ("P", 3), ("M", 5), ("T", 4), ("C", 3), ("MP", 1), ("NP", 2)],
    &[("B", 2), ("H", 2), ("G", 2), ("P", 5), ("M", 3), ("T", 1), ("C", 2), ("MP", 2), ("NP", 1)],
    &[("B", 1), ("H", 1), ("G", 1), ("P", 2), ("M", 0), ("T", 0), ("C", 1), ("MP", 0), ("NP", 1)],
    &[("B", 1), ("H", 1), ("G", 1), ("P", 0), ("M", 2), ("T", 2), ("C", 0), ("MP", 1), ("NP", 1)],
];

#[test]
fn examples_keep_their_values() {
    let mut compared = 0;
    for before in kernels(EXAMPLES) {
        let mut after = before.clone();
        run_cascade_passes(&mut after).unwrap_or_else(|e| panic!("{}: {e:?}", before.name));
        for (seed, shape) in SHAPES.iter().enumerate() {
            let extents: BTreeMap<String, i64> = shape.iter().map(|(n, k)| (n.to_string(), *k)).collect();
            let Ok(inputs) = random_inputs(&before, &extents, seed as u64) else { continue };
            assert_close(&before.name, &run(&before, &inputs, &extents), &run(&after, &inputs, &extents));
            compared += 1;
        }
    }
    assert!(compared > 60, "only {compared} launches were compared");
}

/// Most points of nodes that a launch of a library kernel may have here.
const POINTS: i64 = 300_000;

/// The library's kernels before and after the rewrites, where small sizes fit their asserts.
#[test]
fn library_kernels_keep_their_values() {
    let (mut all, mut compared) = (0, 0);
    for before in crate::library::FILES.iter().flat_map(|(_, text)| kernels(text)) {
        let mut after = before.clone();
        run_cascade_passes(&mut after).unwrap_or_else(|e| panic!("{}: {e:?}", before.name));
        all += 1;
        compared += usize::from((0..4).any(|round| keeps_values(&before, &after, round)));
    }
    assert!(compared * 2 > all, "only {compared} of {all} kernels were compared");
}

/// Compares one launch; `false` if the kernel does not accept its sizes or is too large.
fn keeps_values(before: &Cascade, after: &Cascade, round: usize) -> bool {
    let free = before.ranks.iter().filter(|r| r.extent == Extent::Free);
    let size = |i: usize| [2, 4, 2, 6][(round * (i + 1)) % 4];
    let extents: BTreeMap<String, i64> = free.enumerate().map(|(i, r)| (r.name.clone(), size(i))).collect();
    let scalars = before.scalars.iter().map(|s| (s.name.clone(), if s.dtype.is_int() { 1.0 } else { 1.5 })).collect();
    let bound = Bindings::new(before, &scalars, &extents).extents;
    let over = |n: &Node| n.out_ranks().iter().chain(n.reduced()).filter_map(|r| bound[r.index()]).product::<i64>();
    if before.nodes.iter().map(over).sum::<i64>() > POINTS {
        return false;
    }
    let Ok(inputs) = random_inputs(before, &extents, round as u64) else { return false };
    let Ok(want) = run_cascade(before, &inputs, &scalars, &extents) else { return false };
    let got = run_cascade(after, &inputs, &scalars, &extents).unwrap_or_else(|e| panic!("{}: {e}", before.name));
    assert_close(&before.name, &want, &got);
    true
}

/// What is left of a kernel, node by node.
fn rewritten(name: &str) -> Vec<String> {
    let mut c = kernel(name);
    run_cascade_passes(&mut c).expect("no refusal");
    c.nodes.iter().map(|n| node_text(&c, n).split(" ; ").next().unwrap_or_default().to_string()).collect()
}

#[test]
fn two_softmaxes_feed_one_contraction() {
    let nodes = rewritten("linear_hedgehog");
    for expected in [
        "O_1_sum[b, t, h, f] = sum[m] acc f32 A_sum[b, h, t, m] * V[b, m, h, f] / D_3[b, m, h] fold (m <= t)",
        "O_2_sum[b, t, h] = sum[m] acc f32 A_sum[b, h, t, m] / D_3[b, m, h] fold (m <= t)",
    ] {
        assert!(nodes.iter().any(|n| n == expected), "{nodes:#?}");
    }
}

#[test]
fn facts_bound_what_they_can() {
    let c = kernel("linear_elu");
    let facts = Facts::new(&c);
    let of = |name: &str| facts.tensor(c.tensor_by_name(name).expect("a tensor"));
    assert!(of("A").is_positive(), "a contraction of positive features over a constant extent: {:?}", of("A"));
    assert!(of("Z").is_positive(), "no fiber of `m <= t` is empty: {:?}", of("Z"));

    let c = kernel("mha_causal");
    let facts = Facts::new(&c);
    let (g, n) = (c.tensor_by_name("G").expect("G"), c.tensor_by_name("N").expect("N"));
    assert!(facts.tensor(n).is_positive());
    let d = facts.tensor(c.tensor_by_name("D").expect("D"));
    assert!(d.is_nonnegative() && !d.is_positive(), "an empty sum is 0: {d:?}");
    let body = &c.def(n).expect("N is defined").body;
    assert_eq!(facts.direction(body, g), Direction::Down);
    assert_eq!(brief(&c, body), "exp(S - G)");
}
