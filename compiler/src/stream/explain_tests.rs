//! The online and the split algorithm of kernels, as text and executed.

use super::{Form, Stream, einsums, explain, tiled};
use crate::cascade::{Cascade, verify};
use crate::check::{Options, check};
use crate::interp::{random_inputs, run_cascade};
use crate::passes::{PassCx, to_stream_with};
use crate::syntax::parse_str;
use std::collections::BTreeMap;

fn lower(src: &str) -> (Cascade, Stream) {
    let (file, diags) = parse_str(src);
    assert!(diags.is_empty(), "{diags:?}");
    let (checked, diags) = check(&file, &Options::default());
    assert!(!crate::diag::has_errors(&diags), "{:?}", diags.iter().map(|d| &d.message).collect::<Vec<_>>());
    let c = checked.kernels[0].members[0].clone();
    let s =
        to_stream_with(&c, &PassCx { base2: false, ..PassCx::of(&c) }).unwrap_or_else(|r| panic!("{}", r[0].message));
    (c, s)
}

/// Executes the tiled form of the last pass of the first stage beside the kernel.
#[track_caller]
fn executes(c: &Cascade, s: &Stream, form: Form) {
    let pass = s.stages[0].passes.len() - 1;
    let mut ran = 0;
    for (p, m) in [(3, 4), (8, 8), (2, 0), (1, 12)] {
        let t = tiled(s, 0, pass, 4, form).expect("tiled");
        assert_eq!(verify(&t), Ok(()), "{}", crate::cascade::print(&t));
        let extents: BTreeMap<String, i64> = [("P", p), ("M", m)].map(|(n, x)| (n.to_string(), x)).into();
        let inputs = random_inputs(c, &extents, 5).expect("inputs");
        // The kernel may promise that no extent is zero.
        let Ok(want) = run_cascade(c, &inputs, &BTreeMap::new(), &BTreeMap::new()) else { continue };
        ran += 1;
        let got = run_cascade(&t, &inputs, &BTreeMap::new(), &BTreeMap::new());
        let got = got.unwrap_or_else(|e| panic!("{e}\n{}", einsums(&t)));
        for (name, w) in &want {
            for (a, b) in got[name].data.iter().zip(&w.data) {
                assert!(a == b || (a - b).abs() <= 1e-11 * (1.0 + b.abs()), "{a} {b} {p} {m}\n{}", einsums(&t));
            }
        }
    }
    assert!(ran >= 3);
}

/// The three-pass cascade of the FuseMax paper.
const NAIVE: &str = "kernel attention {
    rank E = 4, F = 3, M = 8, P;
    in Q: f32[E, P];
    in K: f32[E, M];
    in V: f32[F, M];
    out AV: f32[F, P];
    let QK[m,p]: f32 = sum[e](Q[e,p] * K[e,m]);
    let GM[p]: f32 = max[m](QK[m,p]);
    let SN[m,p]: f32 = exp(QK[m,p] - GM[p]);
    let SD[p]: f32 = sum[m](SN[m,p]);
    let A[m,p]: f32 = SN[m,p] / SD[p];
    AV[f,p] = sum[m](A[m,p] * V[f,m]);
    assert passes(M) == 1;
}";

fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).collect()
}

/// Cascade 5 of the paper, Einsum for Einsum (equations 39 to 56).
#[test]
fn one_pass() {
    let (c, s) = lower(NAIVE);
    let t = tiled(&s, 0, 0, 4, Form::Online).expect("tiled");
    let want = "Initialization:
        RM[0, p] = -inf
        RD[0, p] = 0.0
        RNV[f, 0, p] = 0.0
        BK[e, m1, m0] = K[e, m1 * M0 + m0]
        BV[f, m1, m0] = V[f, m1 * M0 + m0]
        Extended Einsums:
        BQK[m1, m0, p] = sum[e] Q[e, p] * BK[e, m1, m0]
        LM[m1, p] = max[m0] BQK[m1, m0, p]
        RM[m1+1, p] = max(RM[m1, p], LM[m1, p])
        SLN[m1, m0, p] = exp(BQK[m1, m0, p] - RM[m1 + 1, p])
        SLD[m1, p] = sum[m0] SLN[m1, m0, p]
        SLNV[f, m1, p] = sum[m0] SLN[m1, m0, p] * BV[f, m1, m0]
        PRM[m1, p] = exp(RM[m1, p] - RM[m1 + 1, p])
        SPD[m1, p] = RD[m1, p] * PRM[m1, p]
        RD[m1+1, p] = SLD[m1, p] + SPD[m1, p]
        SPNV[f, m1, p] = RNV[f, m1, p] * PRM[m1, p]
        RNV[f, m1+1, p] = SLNV[f, m1, p] + SPNV[f, m1, p]
        AV[f, p] = RNV[f, M1, p] / RD[M1, p]
        until m1 >= M1";
    assert_eq!(lines(&einsums(&t)), lines(want), "\n{}", einsums(&t));
    executes(&c, &s, Form::Online);
}

/// The partition-local form: blocks are independent, and the maxima are combined at the end.
#[test]
fn split() {
    let (c, s) = lower(NAIVE);
    let t = tiled(&s, 0, 0, 4, Form::Split).expect("tiled");
    let want = "Initialization:
        BK[e, m1, m0] = K[e, m1 * M0 + m0]
        BV[f, m1, m0] = V[f, m1 * M0 + m0]
        Extended Einsums:
        BQK[m1, m0, p] = sum[e] Q[e, p] * BK[e, m1, m0]
        LM[m1, p] = max[m0] BQK[m1, m0, p]
        GM[p] = max[m1] LM[m1, p]
        SLN[m1, m0, p] = exp(BQK[m1, m0, p] - LM[m1, p])
        SLD[m1, p] = sum[m0] SLN[m1, m0, p]
        SLNV[f, m1, p] = sum[m0] SLN[m1, m0, p] * BV[f, m1, m0]
        PLM[m1, p] = exp(LM[m1, p] - GM[p])
        SD[p] = sum[m1] SLD[m1, p] * PLM[m1, p]
        SNV[f, p] = sum[m1] SLNV[f, m1, p] * PLM[m1, p]
        AV[f, p] = SNV[f, p] / SD[p]";
    assert_eq!(lines(&einsums(&t)), lines(want), "\n{}", einsums(&t));
    executes(&c, &s, Form::Split);
}

/// Other monoids have their forms by the same rules: masks, a sink, an entropy, a plain sum.
#[test]
fn other_kernels() {
    let head = "rank E = 4, F = 3, M, P; in Q: f32[P, E]; in K: f32[M, E]; in V: f32[M, F]; out O: f32[P, F];";
    let s = "let S[p,m]: f32 = sum[e](Q[p,e] * K[m,e]) / 2.0 where m <= p;";
    for body in [
        "O[p,f] = sum[m](softmax[m](S[p,m]) * V[m,f]);".to_string(),
        "O[p,f] = sum[m](sigmoid(S[p,m]) * V[m,f]);".to_string(),
        "in Sink: f32[P];
         let G[p]: f32 = max(max[m](S[p,m]), Sink[p]);
         let N[p,m]: f32 = exp(S[p,m] - G[p]);
         let D[p]: f32 = sum[m](N[p,m]) + exp(Sink[p] - G[p]);
         O[p,f] = sum[m](N[p,m] * V[m,f]) / D[p];"
            .to_string(),
        "out H: f32[P];
         let A[p,m]: f32 = softmax[m](S[p,m]);
         H[p] = -sum[m](A[p,m] * log(A[p,m]));
         O[p,f] = sum[m](A[p,m] * V[m,f]);"
            .to_string(),
    ] {
        let (c, s) = lower(&format!("kernel k {{ {head} {s} {body} }}"));
        executes(&c, &s, Form::Online);
        executes(&c, &s, Form::Split);
    }
}

#[test]
fn explanation() {
    let (_, s) = lower(NAIVE);
    let text = explain(&s, &[Form::Online]);
    let want = "Stage 1 computes AV at every point of [p].
  pass 1 over m, state:
    GM[p] = max of QK, driver   (GM, line 8)
    SD[p] = sum of exp(QK - GM), multiplied by exp of the change of -GM when the drivers move   (SD, line 10)
    AV_sum[f, p] = sum of exp(QK - GM) * V, multiplied by exp of the change of -GM when the drivers move   (AV, line 12)
  finalize  AV[f, p] = AV_sum[f, p] / SD[p]   (AV, line 12)
  loops:
    for p in parallel
      for m
        fold GM, SD, AV_sum
      store AV
One pass, block by block, over `m` in stage `AV`:
  Initialization:
";
    assert!(text.starts_with(want), "{text}");
}
