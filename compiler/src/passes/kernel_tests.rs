//! Kernels from source text through the L1 rewrites, stages and fusion, executed on both levels.

use super::promise::stream_passes;
use super::split_kv::split_rank;
use super::to_stream;
use crate::cascade::{Cascade, Extent, Node, Origin, RankId};
use crate::check::{Options, check};
use crate::diag::Refusal;
use crate::interp::{self, Value};
use crate::stream::{self, Stage, Stream};
use crate::syntax::ast::Item;
use crate::syntax::parse_str;
use std::collections::BTreeMap;
use std::ops::Range;

/// The members of the kernel `name` (or of all kernels), with some names set.
fn cascades(src: &str, name: Option<&str>, set: &[(&str, &str)]) -> Vec<Cascade> {
    let (mut file, diags) = parse_str(src);
    assert!(diags.is_empty(), "{diags:?}");
    file.items.retain(|i| match i {
        Item::Kernel(k) => name.is_none_or(|n| k.name.name == n),
        Item::Schedule(_) => false,
        Item::Fn(_) | Item::Mask(_) => true,
    });
    let set = set.iter().map(|(k, v)| ((*k).to_string(), (*v).to_string())).collect();
    let (checked, diags) = check(&file, &Options { set });
    assert!(!crate::diag::has_errors(&diags), "{:?}", diags.iter().map(|d| &d.message).collect::<Vec<_>>());
    checked.kernels.into_iter().flat_map(|k| k.members).collect()
}

fn close(want: &Value, got: &Value) -> Result<(), String> {
    if want.shape != got.shape {
        return Err(format!("shape {:?} became {:?}", want.shape, got.shape));
    }
    let scale = want.data.iter().filter(|x| x.is_finite()).fold(1e-3, |m: f64, x| m.max(x.abs()));
    for (i, (a, b)) in want.data.iter().zip(&got.data).enumerate() {
        if !(a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-11 * scale) {
            return Err(format!("element {i} is {b}, was {a}"));
        }
    }
    Ok(())
}

/// Executes cascade and stream on random inputs; free ranks take small sizes by their position and the round.
fn same_results(c: &Cascade, s: &Stream) -> Result<(), String> {
    same_results_in(c, s, 0..6, &[1, 3, 7, usize::MAX])
}

fn same_results_in(c: &Cascade, s: &Stream, rounds: Range<usize>, blocks: &[usize]) -> Result<(), String> {
    let mut ran = 0;
    for round in rounds {
        let size = |i: usize| [2, 4, 6, 1, 8, 0][(round * (i + 1) + i) % 6];
        let free = c.ranks.iter().enumerate().filter(|(_, r)| r.extent == Extent::Free);
        let extents: BTreeMap<String, i64> = free.map(|(i, r)| (r.name.clone(), size(i))).collect();
        let scalars = c.scalars.iter().map(|x| (x.name.clone(), if x.dtype.is_int() { 1.0 } else { 1.25 })).collect();
        let Ok(inputs) = interp::random_inputs(c, &extents, round as u64) else { continue };
        // Extents that the kernel's own asserts refuse.
        let Ok(want) = interp::run_cascade(c, &inputs, &scalars, &extents) else { continue };
        ran += 1;
        for block in blocks {
            let got = interp::run_stream(s, &inputs, &scalars, &extents, *block);
            let got = got.map_err(|e| format!("{extents:?}: {e}"))?;
            for (name, want) in &want {
                close(want, &got[name]).map_err(|e| format!("`{name}`, block {block}, {extents:?}: {e}"))?;
            }
        }
    }
    if ran > 0 { Ok(()) } else { Err("no shape was accepted".to_string()) }
}

/// A kernel becomes stages with these names that need so many passes over the ranks, and computes the same.
fn check_kernel(c: &Cascade, ranks: &[&str], passes: usize, stages: &str) -> Result<(), String> {
    let s = to_stream(c).map_err(|r| format!("{}: {:?}", c.name, messages(&r)))?;
    let text = stream::print(&s);
    let fail = |m: String| format!("{}: {m}\n{text}", c.name);
    let names: Vec<&str> = s.stages.iter().map(|s| s.name.as_str()).collect();
    if names.join(" ") != stages {
        return Err(fail(format!("stages {names:?}, expected {stages}")));
    }
    let ids: Vec<_> = ranks.iter().filter_map(|r| s.cascade.rank_by_name(r)).collect();
    let have = stream_passes(&s, &ids).0;
    if have != passes {
        return Err(fail(format!("{have} passes, expected {passes}")));
    }
    if stream::parse(&text).as_ref() != Ok(&s) {
        return Err(fail("the text does not survive".to_string()));
    }
    same_results(c, &s).map_err(fail)
}

fn messages(r: &[Refusal]) -> Vec<String> {
    r.iter().map(|r| format!("{}: {}", r.code.0, r.message)).collect()
}

/// The examples of the language reference, with small extents.
#[test]
fn examples() {
    let text = include_str!("../check/tests/examples.attn");
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str], usize, &'a str);
    let expected: &[Case] = &[
        ("mha_causal", &[("E", "4"), ("F", "3")], &["M"], 1, "O"),
        ("gqa_swa_softcap_alibi", &[("E", "4"), ("F", "3"), ("W", "3")], &["M"], 1, "O"),
        ("t5_bias", &[("E", "4"), ("F", "3"), ("NB", "8")], &["M"], 1, "O"),
        ("music_transformer", &[("E", "4"), ("F", "3")], &["M"], 1, "O"),
        ("natten_2d", &[("E", "4"), ("F", "3"), ("R", "1")], &["U", "W"], 1, "O"),
        ("sink_attention", &[("E", "4"), ("F", "3"), ("W", "3")], &["M"], 1, "O"),
        ("sigmoid_attention", &[("E", "4"), ("F", "3")], &["M"], 1, "O"),
        ("soft_gaussian", &[("E", "4"), ("F", "3")], &["M"], 1, "O"),
        ("linear_elu", &[("E", "4"), ("F", "3")], &["M"], 1, "O"),
        ("linear_hedgehog", &[("D", "4"), ("F", "3")], &["M"], 1, "Yk_1_mem O"),
        ("block_select", &[("E", "4"), ("J", "2"), ("N", "2")], &["C"], 1, "Kb_1_mem Idx"),
        ("block_sparse", &[("E", "4"), ("F", "3"), ("J", "2"), ("N", "2")], &["J", "N"], 1, "O"),
        ("paged_decode", &[("E", "4"), ("F", "3"), ("PG", "2")], &["M"], 1, "O"),
        ("mla_absorbed", &[("C", "4"), ("R", "2")], &["M"], 1, "O"),
    ];
    let run = |(name, set, ranks, passes, stages): &Case| {
        let all = cascades(text, Some(name), set);
        all.iter().map(|c| check_kernel(c, ranks, *passes, stages)).collect::<Result<Vec<()>, String>>()
    };
    let failures: Vec<String> = expected.iter().filter_map(|c| run(c).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// Every recurrence of the library steps through its generations with the results of the cascade.
#[test]
fn recurrences_of_the_library() {
    let (mut failures, mut refused, mut done) = (vec![], vec![], 0);
    for (_, text) in crate::library::FILES {
        // Small heads: the interpreters take every element one by one.
        let text = &text.replace("= 128;", "= 3;").replace("= 64", "= 3").replace("N = 128", "N = 3");
        if !text.contains("iter T") {
            continue;
        }
        let set: &[_] = if text.contains("dtype Elem") { &[("Elem", "f32")] } else { &[] };
        for c in cascades(text, None, set).iter().filter(|c| c.nodes.iter().any(Node::is_stateful)) {
            done += 1;
            match to_stream(c) {
                Ok(s) => {
                    assert_eq!(stream::parse(&stream::print(&s)).as_ref(), Ok(&s), "{}", c.name);
                    let same = same_results_in(c, &s, 0..3, &[2]);
                    failures.extend(same.err().map(|e| format!("{}: {e}\n{}", c.name, stream::print(&s))));
                }
                // A search whose lists follow from each other: scans and selections would have to take turns.
                Err(r) if messages(&r) == ["U-TARGET: the stages of this kernel depend on each other in a circle"] => {
                    refused.push(c.name.clone());
                }
                Err(r) => failures.push(format!("{}: {:?}", c.name, messages(&r))),
            }
        }
    }
    assert_eq!(refused, ["hierarchical_search"]);
    assert!(failures.is_empty(), "{} of {done}\n{}", failures.len(), failures.join("\n\n"));
    assert!(done >= 18, "{done}");
}

/// Spans of any size, empty and ragged ones too, combine to the same results.
#[test]
fn split_kv() {
    let text = include_str!("../check/tests/examples.attn");
    type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);
    let cases: &[Case] = &[
        ("mha_causal", "M", &[("E", "4"), ("F", "3")]),
        ("sink_attention", "M", &[("E", "4"), ("F", "3"), ("W", "3")]),
        ("linear_hedgehog", "M", &[("D", "4"), ("F", "3")]),
        ("natten_2d", "U", &[("E", "4"), ("F", "3"), ("R", "1")]),
    ];
    for (name, rank, set) in cases {
        for c in cascades(text, Some(name), set) {
            for size in [1, 3, 100] {
                let mut s = to_stream(&c).unwrap_or_else(|r| panic!("{:?}", messages(&r)));
                let before = s.stages.len();
                split_rank(&mut s, rank, size, &Origin::default()).unwrap_or_else(|r| panic!("{}", r.message));
                assert_eq!(stream::verify(&s), Ok(()), "{}", stream::print(&s));
                assert_eq!(s.stages.len(), before + 1);
                same_results(&c, &s).unwrap_or_else(|e| panic!("{name} {size}: {e}\n{}", stream::print(&s)));
            }
        }
    }
}

#[test]
fn split_kv_refuses() {
    let text = include_str!("../check/tests/examples.attn");
    let c = &cascades(text, Some("mha_causal"), &[])[0];
    let mut s = to_stream(c).unwrap_or_else(|r| panic!("{:?}", messages(&r)));
    for (rank, size, message) in [
        ("Q", 4, "`split_kv Q`: there is no rank `Q`"),
        ("P", 4, "`split_kv P`: no stage streams rank `P`"),
        ("M", 0, "`split_kv M = 0`: a span has at least one element"),
    ] {
        assert_eq!(split_rank(&mut s, rank, size, &Origin::default()).map_err(|r| r.message), Err(message.to_string()));
    }
}

const HEAD: &str = "rank B, P, M, E = 4, F = 3;
    in Q: f32[B, P, E];
    in K: f32[B, M, E];
    in V: f32[B, M, F];
    out O: f32[B, P, F];
    let S[b,p,m]: f32 = sum[e](Q[b,p,e] * K[b,m,e]);
    let G[b,p]: f32 = max[m](S[b,p,m]);";

/// The refusal of a kernel, its notes included.
fn refusal(body: &str) -> String {
    let src = format!("kernel k {{ {HEAD}\n{body} }}");
    match to_stream(&cascades(&src, None, &[])[0]) {
        Ok(_) => "accepted".to_string(),
        Err(r) => r
            .iter()
            .flat_map(|r| messages(std::slice::from_ref(r)).into_iter().chain(r.notes.clone()))
            .collect::<Vec<_>>()
            .join("; "),
    }
}

/// Promises that do not hold name the factor in the way.
#[test]
fn promises() {
    let weights =
        |n: &str| format!("let N[b,p,m]: f32 = {n};\nO[b,p,f] = sum[m](N[b,p,m] * V[b,m,f]);\nassert passes(M) == 1;");
    let two = |code: &str, text: &str| {
        format!(
            "{code}: `assert passes(M) == 1` fails: the kernel needs 2 passes{text}; barrier 1: `G` (line 7) is complete only after pass 1, and `O` reads it"
        )
    };
    let cases = [
        (weights("round(exp(S[b,p,m] - G[b,p]))"), two("A-PASS", ": `round(exp(S - G))` in `O` rounds a running value, which cannot be repaired")),
        (weights("exp(S[b,p,m] * G[b,p])"), two("A-PASS", ": `S * G` in `O` multiplies a running value by a streamed one")),
        (weights("exp(S[b,p,m] - G[b,p]) as bf16"), two("A-PASS", ": `exp(S - G) as bf16` in `O` rounds a running value, which cannot be repaired")),
        (weights("(S[b,p,m] - G[b,p]) * (S[b,p,m] - G[b,p])"), two("A-EXPAND", "; one pass is possible by expanding `S - G` in `O`, which can cancel")),
        (
            "out A: f32[B, P, M];
            let N[b,p,m]: f32 = exp(S[b,p,m] - G[b,p]);
            let D[b,p]: f32 = sum[m](N[b,p,m]);
            A[b,p,m] = N[b,p,m] / D[b,p];
            O[b,p,f] = sum[m](N[b,p,m] * V[b,m,f]) / D[b,p];
            assert passes(M) == 1;".to_string(),
            "A-ESC: `assert passes(M) == 1` fails: the kernel needs 2 passes: output `A` keeps rank M, so the row statistics must be complete before it is written; barrier 1: `G` (line 7) is complete only after pass 1, and `A` reads it; barrier 2: `D` (line 10) is complete only after pass 1, and `A` reads it".to_string(),
        ),
        (
            "O[b,p,f] = G[b,p] + float(f);\nassert passes(M) == 2;".replace("float(f)", "f"),
            "A-PASS: `assert passes(M) == 2` fails: the kernel needs 1 pass".to_string(),
        ),
    ];
    let wrong: Vec<String> = cases
        .iter()
        .filter(|(src, want)| refusal(src) != *want)
        .map(|(s, w)| format!("{s}\n got: {}\nwant: {w}", refusal(s)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Stages, grids and passes of one kernel: `o[b,h,p]|m:3` has one pass over m with three accumulators, `|m:3+2` one in
/// which two of them have initial values, `o[b,h,f]~t:2` a scan over t with two states.
fn shape(s: &Stream) -> String {
    let c = &s.cascade;
    let vars =
        |ranks: &[RankId]| ranks.iter().map(|r| c.ranks[r.index()].name.to_lowercase()).collect::<Vec<_>>().join(",");
    let started = |p: &stream::Pass| match p.accs.iter().filter(|a| a.init.is_some()).count() {
        0 => String::new(),
        n => format!("+{n}"),
    };
    let pass = |p: &stream::Pass| format!("|{}:{}{}", vars(&p.over), p.accs.len(), started(p));
    let passes = |g: &Stage| g.passes.iter().map(pass).collect::<String>();
    let scan =
        |g: &Stage| g.scan.iter().map(|s| format!("~{}:{}", vars(&[s.rank]), s.carries.len())).collect::<String>();
    s.stages
        .iter()
        .map(|g| format!("{}[{}]{}{}", g.name, vars(&g.grid), passes(g), scan(g)))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Every kernel of the library has the stages that `stages/library.txt` says; `EINATTN_BLESS=1` writes the file.
#[test]
fn library() {
    let mut lines = vec![];
    for (_, text) in crate::library::FILES.iter().filter(|(f, _)| *f != "prelude.attn") {
        let all = cascades(text, None, &[]);
        let mut first: Vec<&Cascade> = all.iter().collect();
        first.dedup_by_key(|c| c.name.clone());
        for c in first {
            let got = match to_stream(c) {
                Ok(s) => shape(&s),
                Err(r) => format!("{:?}", messages(&r)),
            };
            lines.push(format!("{}: {got}\n", c.name));
        }
    }
    lines.sort();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/passes/stages/library.txt");
    if std::env::var_os("EINATTN_BLESS").is_some() {
        std::fs::write(path, lines.concat()).expect("the file can be written");
    }
    let stored = std::fs::read_to_string(path).expect("a readable file");
    let stored: Vec<&str> = stored.split_inclusive('\n').collect();
    let wrong: Vec<&String> = lines.iter().filter(|l| !stored.contains(&l.as_str())).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(stored.len(), lines.len());
}
