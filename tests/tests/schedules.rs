//! `split_kv` and `chunk` of a schedule change no result, at no level and in machine code: spans without elements, spans that a
//! mask hides, no elements at all, fewer elements than a span; and the bits do not depend on the number of threads.

use attnc::cpu::{Program, Scalars, Tensor};
use einattn_compiler::cascade::Cascade;
use einattn_compiler::check::Checked;
use einattn_compiler::driver::{Options, check_source, lower_observed};
use einattn_compiler::interp::{Tensors, Value, bind, random_inputs, run_cascade};
use einattn_compiler::passes::{Ir, Level};
use einattn_compiler::target::CpuCaps;
use einattn_tests::launch::{Launch, difference};
use std::collections::BTreeMap;

const HEAD: &str = "rank P, M, E = 4, F = 3;
    in q: f32[P, E]; in k: f32[M, E]; in v: f32[M, F]; out o: f32[P, F];";

/// Bodies: a softmax, masks that hide the first spans of a row, a sink, a sum without a maximum, and statistics.
const BODIES: [&str; 5] = [
    "let s[p,m]: f32 = sum[e](q[p,e] * k[m,e]) where m <= p;
     o[p,f] = sum[m](softmax[m](s[p,m]) * v[m,f]);
     assert passes(M) == 1;",
    "let s[p,m]: f32 = sum[e](q[p,e] * k[m,e]) where m <= p + 5 && p < m + 3;
     o[p,f] = sum[m](softmax[m](s[p,m]) * v[m,f]);",
    "in sink: f32[P];
     let s[p,m]: f32 = sum[e](q[p,e] * k[m,e]) where m > p + 2;
     let g[p]: f32 = max(max[m](s[p,m]), sink[p]);
     let n[p,m]: f32 = exp(s[p,m] - g[p]);
     let d[p]: f32 = sum[m](n[p,m]) + exp(sink[p] - g[p]);
     o[p,f] = sum[m](n[p,m] * v[m,f]) / d[p];",
    "o[p,f] = sum[m](sigmoid(sum[e](q[p,e] * k[m,e])) * v[m,f]);",
    "out lse: f32[P];
     let s[p,m]: f32 = sum[e](q[p,e] * k[m,e]) / 2.0;
     lse[p] = logsumexp[m](s[p,m]);
     o[p,f] = sum[m](softmax[m](s[p,m]) * v[m,f]);",
];

const SHAPES: [(i64, i64); 6] = [(3, 0), (2, 1), (5, 3), (9, 11), (11, 70), (0, 4)];

fn checked(body: &str, schedule: &str) -> Checked {
    let (checked, diags) = check_source(&format!("kernel k {{ {HEAD} {body} }} {schedule}"), &[]);
    assert!(diags.is_empty(), "{diags:?}");
    checked
}

fn launch(c: &Cascade, (p, m): (i64, i64)) -> Launch {
    let extents: BTreeMap<String, i64> = [("P".to_string(), p), ("M".to_string(), m)].into();
    let inputs = random_inputs(c, &extents, p as u64).expect("extents fit");
    Launch { inputs, scalars: BTreeMap::new(), extents }
}

/// Outputs of machine code, with their bits on one and on several threads the same.
fn machine(c: &Cascade, program: &Program, l: &Launch) -> Tensors {
    let bindings = bind(c, &l.inputs, &l.scalars, &l.extents).expect("arguments fit");
    let run = |threads| -> Vec<Tensor> {
        let mut tensors = program.arguments(c, &l.inputs, &bindings, f64::NAN).expect("arguments");
        program.run(&mut tensors, &Scalars::new(c, &bindings), threads).expect("the kernel runs");
        tensors
    };
    let [one, many] = [1, 5].map(run);
    let bits = |ts: &[Tensor]| -> Vec<u64> { ts.iter().flat_map(|t| t.data.values()).map(f64::to_bits).collect() };
    assert_eq!(bits(&one), bits(&many), "the bits depend on the number of threads");
    let named = program.callers().zip(&one);
    named.map(|(m, t)| (m.name.clone(), Value { shape: t.shape.clone(), data: t.data.values() })).collect()
}

fn check(body: &str, size: i64) {
    let checked = checked(body, &format!("schedule k on cpu {{ split_kv M = {size}; }}"));
    let (kernel, c) = (&checked.kernels[0], &checked.kernels[0].members[0]);
    let options = Options::scheduled(kernel, "cranelift");
    let mut levels = vec![];
    let lowered = lower_observed(c, &CpuCaps::CRANELIFT, &options, &mut |pass, ir| {
        if pass == "split_kv" || ir.level() > Level::Stream {
            levels.push(ir.clone());
        }
    });
    lowered.unwrap_or_else(|r| panic!("{r:?}\n{body}"));
    assert!(levels.iter().any(|l| matches!(l, Ir::Stream(s) if s.stages.len() == 2)), "{body} is not split");
    let program = Program::new(c, &options).unwrap_or_else(|e| panic!("{e:?}\n{body}"));
    for shape in SHAPES {
        let l = launch(c, shape);
        let want = run_cascade(c, &l.inputs, &l.scalars, &l.extents).expect("the interpreter runs");
        for ir in &levels {
            let got = l.execute(c, ir, 2).unwrap_or_else(|e| panic!("{e} for {shape:?}\n{}", ir.print()));
            let d = difference(&want, &got, ir.level());
            assert_eq!(d, None, "{} for {shape:?}, spans of {size}\n{}", ir.level(), ir.print());
        }
        let d = difference(&want, &machine(c, &program, &l), Level::Lane);
        assert_eq!(d, None, "machine code for {shape:?}, spans of {size}\n{body}");
    }
}

#[test]
fn spans_change_no_result() {
    for body in BODIES {
        for size in [1, 4, 32, 1000] {
            check(body, size);
        }
    }
}

/// A recurrence with a constant decay (and the state after its steps), and one with gates that the data give.
const STEPS: [&str; 2] = ["exp(-abs(w))", "exp(-8.0 * sigmoid(g[t]))"];

#[test]
fn chunks_change_no_result() {
    for (gate, size) in STEPS.into_iter().flat_map(|g| [1, 3, 16, 64].map(|n| (g, n))) {
        let text = format!(
            "kernel k {{
                rank E = 5, F = 19; iter T; scalar w: f32;
                in q: f32[T, E]; in k: f32[T, E]; in v: f32[T, F]; in g: f32[T]; in s0: f32[E, F];
                out o: f32[T, F]; out s1: f32[E, F];
                state st[t,e,f]: f32;
                init st[0,e,f] = s0[e,f];
                st[t+1,e,f] = {gate} * st[t,e,f] + k[t,e] * v[t,f];
                o[t,f] = sum[e](q[t,e] * st[t+1,e,f]);
                s1[e,f] = st[T,e,f];
            }}
            schedule k on cpu {{ chunk T = {size}; }}"
        );
        let (checked, diags) = check_source(&text, &[]);
        assert!(diags.is_empty(), "{diags:?}");
        let (kernel, c) = (&checked.kernels[0], &checked.kernels[0].members[0]);
        let options = Options::scheduled(kernel, "cranelift");
        let program = Program::new(c, &options).unwrap_or_else(|e| panic!("{e:?}\n{text}"));
        for t in [0, 1, 2, 17, 64, 130] {
            let extents: BTreeMap<String, i64> = [("T".to_string(), t)].into();
            let inputs = random_inputs(c, &extents, t as u64).expect("extents fit");
            let l = Launch { inputs, scalars: [("w".to_string(), 0.1)].into(), extents };
            let want = run_cascade(c, &l.inputs, &l.scalars, &l.extents).expect("the interpreter runs");
            let d = difference(&want, &machine(c, &program, &l), Level::Lane);
            assert_eq!(d, None, "{t} steps in chunks of {size}\n{text}");
        }
    }
}

/// A target's own schedule comes before those for all CPUs.
#[test]
fn schedules_hold_for_their_targets() {
    let text = "schedule k on any { split_kv M = 1; } schedule k on cpu { split_kv M = 2; }
        schedule k on rust { split_kv M = 3; } schedule k on sm90 { tile M = 4; }";
    let checked = checked(BODIES[0], text);
    let size =
        |target| Options::scheduled(&checked.kernels[0], target).splits.iter().map(|s| s.size).collect::<Vec<_>>();
    assert_eq!([size("rust"), size("cranelift")], [vec![3], vec![2]]);
}

#[track_caller]
fn refuses(entry: &str, message: &str) {
    let source = format!("kernel k {{ {HEAD} {} }}\nschedule k on cpu {{ {entry} }}", BODIES[0]);
    let (checked, mut diags) = check_source(&source, &[]);
    if diags.is_empty() {
        let (kernel, c) = (&checked.kernels[0], &checked.kernels[0].members[0]);
        let options = Options::scheduled(kernel, "rust");
        let refusals = lower_observed(c, &CpuCaps::AVX2, &options, &mut |_, _| {}).expect_err("it is refused");
        diags.extend(refusals.iter().map(|r| r.diagnostic(&checked.spans)));
    }
    let found: Vec<String> = diags.iter().map(|d| format!("{}: {}", d.code.0, d.message)).collect();
    assert_eq!(found, [format!("U-SCHED: {message}")]);
    let line = source.lines().count();
    assert_eq!(diags[0].span.start.start().line, line, "the place of {message}");
}

#[test]
fn bad_splits_are_refused_at_their_place() {
    refuses("split_kv N = 4;", "`split_kv N`: `k` has no rank `N`");
    refuses("split_kv P = 4;", "`split_kv P`: no stage streams rank `P`");
    refuses("split_kv M = 0;", "`split_kv M = 0`: a span is a number of elements, at least 1");
    refuses("split_kv M 4;", "`split_kv M 4` cannot be read");
    refuses("split_kv M = 4; split_kv M = 5;", "rank `M` is split twice on `cpu`");
}
