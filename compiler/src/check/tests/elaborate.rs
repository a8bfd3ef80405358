//! Elaboration: bodies of kernels and the nodes they become.

use super::{accepted, executes, nodes, run};
use crate::cascade::{Extent, TensorKind};
use crate::types::DType;

const HEAD: &str = "rank P, M, E = 4, J = 2; iter T; scalar n: int; scalar c: f32; in q: f32[P, E]; in k: f32[M, E]; \
    in x: f32[P]; in y: f32[M]; in g: f32[T]; in seg: i32[P]; in ks: i32[M]; in keep: bool[P, M];";

fn check(body: &str, expected: &[&str]) {
    let (all, _) = accepted(&format!("kernel k {{ {HEAD}\n{body} }}"), &[]);
    assert_eq!(nodes(&all[0]), expected, "{body}");
    executes(&all[0]);
}

#[test]
fn domains_of_reads_follow_the_statement() {
    check(
        "let a[p] = x[p] where p < n; let b[p] = a[p] + 1.0 where p > 2; let s[] = sum[p](b[p]);",
        &[
            "a[p] = x[p] dom (p < n)",
            "b[p] = a[p] + 1.0 dom (p > 2) (p < n)",
            "s[] = sum[p] acc f32 b[p] fold (p > 2) (p < n)",
        ],
    );
}

#[test]
fn domains_are_substituted() {
    check(
        "let a[p] = x[p] where seg[p] == n; let b[m] = a[P - 1 - m / 2] where m < P;",
        &["a[p] = x[p] dom (seg[p] == n)", "b[m] = a[P - 1 - m // 2] dom (m < P) (seg[P - 1 - m // 2] == n)"],
    );
}

#[test]
fn conjuncts_without_reduced_variables_pass_through_a_reduction() {
    check(
        "let a[p,m] = y[m] where m <= p && p < n; let b[p] = max[m](a[p,m]); let d[p] = b[p] * 2.0;",
        &[
            "a[p, m] = y[m] dom (m <= p) (p < n)",
            "b[p] = max[m] acc f32 a[p, m] fold (m <= p) dom (p < n)",
            "d[p] = b[p] * 2.0 dom (p < n)",
        ],
    );
}

#[test]
fn a_predicate_may_restrict_the_reduction_at_the_root() {
    check(
        "let a[p] = sum[m](y[m]) where causal(p, m) && seg[p] == ks[m] && p < n;",
        &["a[p] = sum[m] acc f32 y[m] fold (m <= p) (seg[p] == ks[m]) dom (p < n)"],
    );
}

#[test]
fn absence_is_filled_by_or() {
    check("let s[p] = or(x[p - 1], c);", &["s[p] = if p - 1 >= 0 { x[p - 1] } else { c }"]);
    check(
        "let a[p,m] = y[m] where m <= p; let s[p] = sum[m](or(a[p,m], 1.0));",
        &["a[p, m] = y[m] dom (m <= p)", "s[p] = sum[m] acc f32 if m <= p { a[p, m] } else { 1.0 }"],
    );
    check("let s[p] = or(x[p], 1.0);", &["s[p] = x[p]"]);
}

#[test]
fn branches_are_lazy() {
    check("let s[p] = if p > 0 { x[p - 1] } else { x[p] };", &["s[p] = if p > 0 { x[p - 1] } else { x[p] }"]);
    check(
        "let s[p] = if seg[p] > 3 { x[seg[p]] } else { 0.0 };",
        &["s[p] = if seg[p] > 3 { x[seg[p]] } else { 0.0 } dom (!(seg[p] > 3) || seg[p] < P)"],
    );
    check("let s[p] = x[p] where p > 0 && seg[p - 1] == n;", &["s[p] = x[p] dom (p > 0) (seg[p - 1] == n)"]);
    check("let s[p] = x[p] where p == 0 || seg[p - 1] == n;", &["s[p] = x[p] dom (p == 0 || seg[p - 1] == n)"]);
}

#[test]
fn predicates_that_load_are_guarded_by_their_bounds() {
    check(
        "let s[p,m] = y[m] where ks[seg[p]] == m;",
        &["s[p, m] = y[m] dom (seg[p] >= 0) (seg[p] < M) (ks[seg[p]] == m)"],
    );
    // What is tested over a reduced variable cannot guard what is tested before it.
    check(
        "let s[p] = sum[m](y[m]) where 0 <= seg[p] && seg[p] <= m && ks[seg[p]] == n;",
        &["s[p] = sum[m] acc f32 y[m] fold (seg[p] <= m) dom (0 <= seg[p]) (seg[p] < M) (ks[seg[p]] == n)"],
    );
}

#[test]
fn nested_reductions_get_nodes_over_their_free_variables() {
    check(
        "let s[p,m] = sum[e](q[p,e] * k[m,e]) + max[e](k[m,e]) * sum[p](x[p]);",
        &[
            "s_1[p, m] = sum[e] acc f32 q[p, e] * k[m, e]",
            "s_2[m] = max[e] acc f32 k[m, e]",
            "s_3[] = sum[p] acc f32 x[p]",
            "s[p, m] = s_1[p, m] + s_2[m] * s_3[]",
        ],
    );
    check(
        "let s_1[p] = x[p]; let s[p] = 1.0 + sum[m](sum[e](q[p,e] * k[m,e]));",
        &[
            "s_1[p] = x[p]",
            "s_2[p, m] = sum[e] acc f32 q[p, e] * k[m, e]",
            "s_3[p] = sum[m] acc f32 s_2[p, m]",
            "s[p] = 1.0 + s_3[p]",
        ],
    );
}

#[test]
fn softmax_is_sugar() {
    check(
        "let a[p,m] = softmax[m](sum[e](q[p,e] * k[m,e]) * c) where m <= p;",
        &[
            "a_1[p, m] = sum[e] acc f32 q[p, e] * k[m, e]",
            "a_2[p, m] = a_1[p, m] * c",
            "G[p] = max[m] acc f32 a_2[p, m]",
            "N[p, m] = exp(a_2[p, m] - G[p])",
            "D[p] = sum[m] acc f32 N[p, m]",
            "A[p, m] = N[p, m] / D[p]",
            "a[p, m] = A[p, m] dom (m <= p)",
        ],
    );
    check(
        "let s[p,m] = y[m] where m <= p && p < n; let l[p] = logsumexp[m](s[p,m]);",
        &[
            "s[p, m] = y[m] dom (m <= p) (p < n)",
            "G[p] = max[m] acc f32 s[p, m] fold (m <= p) dom (p < n)",
            "N[p, m] = exp(s[p, m] - G[p]) dom (m <= p) (p < n)",
            "D[p] = sum[m] acc f32 N[p, m] fold (m <= p) dom (p < n)",
            "l[p] = G[p] + log(D[p]) dom (p < n)",
        ],
    );
}

#[test]
fn types_and_accumulators_follow_the_statement() {
    check("let s[p]: f64 = sum[e](q[p,e]) * 2;", &["s_1[p] = sum[e] acc f64 q[p, e]", "s[p] = s_1[p] * 2.0"]);
    check("let s[p]: f32 = sum[e](q[p,e]; acc = f64);", &["s[p] = sum[e] acc f64 q[p, e]"]);
    check("let s[p] = sum[m](ks[m]);", &["s[p] = sum[m] acc i32 ks[m]"]);
    check("let s[p]: f32 = sum[m](ks[m]);", &["s_1[] = sum[m] acc i32 ks[m]", "s[p] = float(s_1[])"]);
    check("let s[p] = all[m](keep[p,m]);", &["s[p] = all[m] acc bool keep[p, m]"]);
    check(
        "let s[p] = y[argmax[m](y[m] * x[p])];",
        &["s_1[p] = argmax[m] acc f32 y[m] * x[p]", "s[p] = y[s_1[p]] dom (s_1[p] >= 0)"],
    );
}

#[test]
fn conversions() {
    check("let s[p] = sqrt(E) * p + 1 / 2;", &["s[p] = 2.0 * float(p) + 0.0"]);
    check("let s[p] = (x[p] as bf16) + (x[p] as f32) + (p as f32);", &["s[p] = bf16(x[p]) + x[p] + float(p)"]);
    check("let s[p] = (x[p] * 3) as i32 + (p < 3) as i32;", &["s[p] = index(x[p] * 3.0) + b2i(p < 3)"]);
    check("let s[p,m] = if keep[p,m] == 0 { x[p] } else { 1 };", &["s[p, m] = if !keep[p, m] { x[p] } else { 1.0 }"]);
    check(
        "let s[p] = clamp(x[p], -1, 1) + min(p, n, 3);",
        &["s[p] = min(max(x[p], -1.0), 1.0) + float(min(min(p, n), 3))"],
    );
}

#[test]
fn inouts_are_read_as_they_were() {
    check(
        "inout o: f32[P]; let a[p] = o[p] * 2.0; o[p] = a[p] + o[p] where p < n; let b[p] = o[p];",
        &["a[p] = o[p] * 2.0", "o[p] = a[p] + o[p] dom (p < n)", "b[p] = o[p]"],
    );
}

#[test]
fn scans_run_both_ways() {
    check(
        "state st[t]: f32; init st[T] = 0.0; st[t] = st[t+1] * g[t]; let a[t] = st[t+1]; let b[] = st[0];",
        &["st[at T] = 0.0", "st[prev t] = st[t + 1] * g[t]", "a[t] = st[t + 1]", "b[] = st[0]"],
    );
}

#[test]
fn states_may_be_absent_for_good() {
    check(
        "state st[p,t]: f32; init st[p,0] = y[seg[p]]; st[p,t+1] = st[p,t] * g[t]; let o[p] = st[p,T];",
        &[
            "st[p, at 0] = y[seg[p]] dom (seg[p] >= 0) (seg[p] < M)",
            "st[p, t+1] = st[p, t] * g[t] dom (seg[p] >= 0) (seg[p] < M)",
            "o[p] = st[p, T] dom (seg[p] >= 0) (seg[p] < M)",
        ],
    );
}

#[test]
fn views_of_views() {
    check(
        "rank I, U; in pool: f32[I, 2, E]; #[range(0, I - 1)] in tbl: i32[U]; rank R = U * 2; \
         view a[r,e] = pool[tbl[r / 2], r % 2, e] where r < n; view b[r] = a[R - 1 - r, 0]; let s[r] = b[r];",
        &["s[r] = pool[tbl[(R - 1 - r) // 2], (R - 1 - r) % 2, 0] dom (R - 1 - r < n)"],
    );
}

#[test]
fn tables_are_evaluated() {
    let src = format!(
        "kernel k {{ {HEAD} rank I = 5; const bk[i] = min(i * i, 10) / 2; const w[i,j] = exp2(-i) * j; \
        let s[p] = q[p, bk[3] - 2] * w[2, 1]; let u[i] = bk[i] where bk[i] >= 0; }}"
    );
    let (all, _) = accepted(&src, &[]);
    let bk = all[0].tensors.iter().find(|t| t.name == "bk").map(|t| (t.dtype, t.kind, t.table.clone()));
    assert_eq!(bk, Some((DType::I32, TensorKind::Table, Some(vec![0.0, 0.0, 2.0, 4.0, 5.0]))));
    let w = all[0].tensors.iter().find(|t| t.name == "w").and_then(|t| t.table.clone());
    assert_eq!(w.as_deref().map(|w| &w[..4]), Some(&[0.0, 1.0, 0.0, 0.5][..]));
    assert_eq!(nodes(&all[0]), ["s[p] = q[p, 2] * 0.25", "u[i] = bk[i] dom (bk[i] >= 0)"]);
}

#[test]
fn specialisation_sets_have_a_member_each() {
    let src = "kernel k { rank P, E in {2, 4}; dtype D in {f32, bf16}; param w: int = 3; \
        in x: D[P, E]; out o: D[P]; o[p] = sum[e](x[p,e]) * w; }";
    let (all, _) = accepted(src, &[]);
    let specs: Vec<String> = all.iter().map(|c| format!("{:?}", c.spec)).collect();
    assert_eq!(specs.len(), 4);
    assert_eq!(specs[1], r#"[("E", "2"), ("D", "bf16"), ("w", "3")]"#);
    assert_eq!((all[1].tensors[0].dtype, &all[1].ranks[1].extent), (DType::Bf16, &Extent::Const(2)));
    let (all, _) = accepted(src, &[("E", "8"), ("w", "5"), ("D", "f16"), ("P", "7")]);
    assert_eq!(format!("{:?}", all[0].spec), r#"[("P", "7"), ("E", "8"), ("D", "f16"), ("w", "5")]"#);
    assert_eq!(all[0].ranks[0].extent, Extent::Const(7));
    assert_eq!(nodes(&all[0])[1], "o[p] = o_1[p] * 5.0");
}

#[test]
fn overrides_that_do_not_fit() {
    let bad = |set: &[(&str, &str)], expected: &str| {
        let src = "kernel k { rank P, M = P; param w: int = 3; dtype D in {f32}; in x: D[P]; }";
        let found: Vec<String> = run(src, set).1.into_iter().map(|d| d.message).collect();
        assert_eq!(found, [expected], "{set:?}");
    };
    bad(&[("w", "3.5")], "`3.5` is no value for param `w`");
    bad(&[("P", "-1")], "`-1` is no extent for rank `P`");
    bad(&[("M", "4")], "the extent of `M` is derived and cannot be set");
    bad(&[("D", "f33")], "`f33` is no type for `D`");
    bad(&[("Z", "4")], "there is no `Z` to set");
}

#[test]
fn signatures_survive_errors() {
    let (checked, diags) = run(
        "/// One.\n/// Two.\nkernel k { rank P, E = 4; dtype D in {f32}; scalar c: f32; in x: D[P, E + 1]; out o: f32[P]; o[p] = zz; }\n\
         schedule k on cpu { tile P = 8; }",
        &[],
    );
    assert_eq!(diags.len(), 1);
    let k = &checked.kernels[0];
    assert!(k.members.is_empty());
    let tensors: Vec<String> =
        k.signature.tensors.iter().map(|t| format!("{} {}{:?}", t.name, t.dtype, t.dims)).collect();
    assert_eq!(tensors, [r#"x D["P", "E + 1"]"#, r#"o f32["P"]"#]);
    assert_eq!((k.signature.scalars.len(), k.schedules.len(), k.docs.len()), (1, 1, 2));
}

#[test]
fn definitions_are_hygienic() {
    check("let s[p] = softcap(x[p], c);", &["s[p] = c * tanh(x[p] / c)"]);
    let src = format!(
        "mask causal(a, b) = a < b; fn twice(m: f32) -> f32 = m + m; kernel k {{ {HEAD} \
         let s[p,m] = twice(x[p]) + m where causal(p, m); }}"
    );
    let (all, _) = accepted(&src, &[]);
    assert_eq!(nodes(&all[0]), ["s[p, m] = x[p] + x[p] + float(m) dom (p < m)"]);
}

#[test]
fn divisibility_becomes_a_promise() {
    let src = "kernel k { rank H, G; in x: f32[G]; in y: f32[H]; let s[h] = x[h / (H / G)] * y[h]; }";
    let (all, diags) = accepted(src, &[]);
    assert!(diags.is_empty());
    let text = crate::cascade::print(&all[0]);
    assert!(text.contains(r#"assert holds (G >= 1 && H % G == 0) text "H % G == 0""#), "{text}");
    assert_eq!(nodes(&all[0]), ["s[h] = x[h // (H // G)] * y[h]"]);
}
