//! The interpreter against answers computed by hand.

use super::*;
use crate::cascade::{Cascade, parse};

fn cascade(text: &str) -> Cascade {
    parse(&format!("cascade t\n{text}")).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn value(shape: &[usize], data: &[f64]) -> Value {
    Value { shape: shape.to_vec(), data: data.to_vec() }
}

fn run(text: &str, inputs: &[(&str, Value)]) -> Result<Tensors, String> {
    let inputs = inputs.iter().map(|(n, v)| (n.to_string(), v.clone())).collect();
    let scalars = [("c".to_string(), 2.0)].into();
    run_cascade(&cascade(text), &inputs, &scalars, &[("N".to_string(), 3)].into())
}

#[track_caller]
fn check(text: &str, inputs: &[(&str, Value)], expected: &[f64]) {
    let out = run(text, inputs).unwrap_or_else(|e| panic!("{e}"));
    let got = &out["O"].data;
    let same = got.len() == expected.len() && got.iter().zip(expected).all(|(a, b)| a == b || (a - b).abs() < 1e-12);
    assert!(same, "{got:?} instead of {expected:?}");
}

#[track_caller]
fn fails(text: &str, inputs: &[(&str, Value)], message: &str) {
    let e = run(text, inputs).expect_err("must fail");
    assert!(e.contains(message), "{e}");
}

const MATRIX: &str = "rank P free\nrank M free\nscalar c f32\nin A f32 [P, M]\n";

fn matrix() -> (&'static str, Value) {
    ("A", value(&[2, 3], &[1.0, -2.0, 3.0, 4.0, 5.0, -6.0]))
}

#[test]
fn maps_and_reductions() {
    let red = |op: &str| format!("{MATRIX}out O f32 [P]\nO[p] = {op}[m] acc f32 A[p, m] fold (m <= p)");
    check(&red("sum"), &[matrix()], &[1.0, 9.0]);
    check(&red("prod"), &[matrix()], &[1.0, 20.0]);
    check(&red("max"), &[matrix()], &[1.0, 5.0]);
    check(&red("min"), &[matrix()], &[1.0, 4.0]);
    check(&format!("{MATRIX}out O i32 [P]\nO[p] = argmax[m] acc f32 A[p, m]"), &[matrix()], &[2.0, 1.0]);
    check(&format!("{MATRIX}out O f32 [P]\nO[p] = c * A[p, p + 1] - float(p)"), &[matrix()], &[-4.0, -13.0]);
    let all = format!("{MATRIX}out O f32 []\nO[] = sum[p, m] acc f32 A[p, m] fold (p + m == 2)");
    check(&all, &[matrix()], &[8.0]);
}

#[test]
fn empty_reductions_are_identities() {
    for (op, x) in [("sum", 0.0), ("prod", 1.0), ("max", f64::NEG_INFINITY), ("min", f64::INFINITY)] {
        check(&format!("{MATRIX}out O f32 [P]\nO[p] = {op}[m] acc f32 A[p, m] fold (m < 0)"), &[matrix()], &[x, x]);
    }
    check(&format!("{MATRIX}out O i32 [P]\nO[p] = argmax[m] acc f32 A[p, m] fold (m < 0)"), &[matrix()], &[-1.0, -1.0]);
}

#[test]
fn topk_orders_and_breaks_ties_low() {
    let text =
        "rank M free\nrank N free\nin A f32 [M]\nout O i32 [N]\nO[n] = topk[m] acc f32 slot n A[m] fold (m != 0)";
    check(text, &[("A", value(&[5], &[9.0, 1.0, 7.0, 7.0, 0.0]))], &[2.0, 3.0, 1.0]);
    check(text, &[("A", value(&[3], &[9.0, 1.0, 7.0]))], &[2.0, 1.0, -1.0]);
}

#[test]
fn absent_points() {
    let text = format!("{MATRIX}out O f32 [P, M] empty 7\nO[p, m] = A[p, m] dom (m <= p)");
    check(&text, &[matrix()], &[1.0, 7.0, 7.0, 4.0, 5.0, 7.0]);
    let reads = format!("{MATRIX}let S f32 [P, M]\nout O f32 [P]\nS[p, m] = A[p, m] dom (m <= p)\nO[p] = S[p, 1]");
    fails(&reads, &[matrix()], "in the definition of `O`: read of `S` at [0, 1], where it is absent");
}

#[test]
fn scans() {
    let decl = "rank T free iter\nin A f32 [T]\nlet S f32 [T + 1]\nlet D f32 [T]\nout O f32 [T]\n";
    let a = ("A", value(&[4], &[1.0, 2.0, 3.0, 4.0]));
    let forward = "S[at 0] = 10.0\nD[t] = S[t] * 2.0\nS[t+1] = D[t] + A[t]\nO[t] = S[t + 1] + S[T]";
    check(&format!("{decl}{forward}"), std::slice::from_ref(&a), &[207.0, 230.0, 277.0, 372.0]);
    let backward = "S[at T] = 0.0\nD[t] = 0.5 * S[t + 1]\nS[prev t] = D[t] + A[t]\nO[t] = S[t]";
    check(&format!("{decl}{backward}"), std::slice::from_ref(&a), &[3.25, 4.5, 5.0, 4.0]);
    let cyclic = "S[at 0] = 10.0\nD[t] = S[t + 1]\nS[t+1] = D[t] + A[t]\nO[t] = S[t]";
    fails(&format!("{decl}{cyclic}"), &[a], "D, S are defined by each other");
}

#[test]
fn nested_scans() {
    let text = "rank T free iter\nrank U free iter\nin A f32 [T, U]\nlet S f32 [T + 1]\nlet R f32 [T, U + 1]\nout O f32 [T]\n\
                S[at 0] = 1.0\nR[t, at 0] = S[t]\nR[t, u+1] = R[t, u] * A[t, u]\nS[t+1] = R[t, U] + 1.0\nO[t] = S[t + 1]";
    check(text, &[("A", value(&[2, 2], &[2.0, 3.0, 4.0, 5.0]))], &[7.0, 141.0]);
}

#[test]
fn inout_reads_the_value_before() {
    let text = "rank N free\ninout O f32 [N]\nO[n] = O[N - 1 - n] + 1.0";
    check(text, &[("O", value(&[3], &[1.0, 2.0, 3.0]))], &[4.0, 3.0, 2.0]);
}

#[test]
fn laziness_tables_and_casts() {
    let select = format!("{MATRIX}out O f32 [P]\nO[p] = if p < 1 || A[p, 99] > 0.0 {{ 1.0 }} else {{ 2.0 }}");
    fails(&select, &[matrix()], "read of `A` at [1, 99] is out of bounds: index 1 is 99, the shape is [2, 3]");
    let lazy = format!("{MATRIX}out O f32 [P]\nO[p] = if p < 2 || A[p, 99] > 0.0 {{ 1.0 }} else {{ A[9, 9] }}");
    check(&lazy, &[matrix()], &[1.0, 1.0]);
    let table = "rank N free\ntable T0 i32 [4] values [3, 2, 1, 0]\nout O i32 [N]\nO[n] = T0[n + 1] + i8(200)";
    check(table, &[], &[129.0, 128.0, 127.0]);
    check("rank N free\nout O f32 [N]\nO[n] = bf16(float(n) + 256.0)", &[], &[256.0, 256.0, 258.0]);
}

#[test]
fn extents_are_inferred_and_checked() {
    let text = "rank P free\nrank M derived (P * 2 - 1)\nrank J free\nin A f32 [M, J]\nin B f32 [J]\nout O f32 [P]\n\
                O[p] = A[p, 0]\nassert holds (J % 2 == 0) text \"J % 2 == 0\"";
    let a = |m: usize, j| ("A", Value::filled(&[m, j], 1.0));
    let b = |j| ("B", Value::filled(&[j], 1.0));
    check(text, &[a(5, 2), b(2)], &[1.0, 1.0, 1.0]);
    fails(text, &[a(6, 2), b(2)], "the extent of rank `P` follows from no input");
    fails(text, &[a(5, 2), b(4)], "a dimension of `B` is 4, expected 2");
    fails(text, &[a(5, 3), b(3)], "assert `J % 2 == 0` does not hold");
    fails(text, &[a(5, 2)], "input `B` is not given");
    fails(
        "rank P free\nrank Z const 5\nout O f32 [P]\nlet S f32 [P]\nO[p] = 1.0",
        &[],
        "rank `P` follows from no input",
    );
}

#[test]
fn random_inputs_respect_facts() {
    let c = cascade(
        "rank B free\nin A bf16 [B, 50] nonpositive\nin C f32 [B, 50] unit_norm\nin I i32 [B, 50] sorted range(-1, B)\n\
         in K bool [B, 50]\ninout S f32 [B]\nlet X f32 [B]",
    );
    let t = random_inputs(&c, &[("B".to_string(), 4)].into(), 1).expect("inputs");
    assert_eq!(t.keys().map(String::as_str).collect::<Vec<_>>(), ["A", "C", "I", "K", "S"]);
    assert!(t["A"].data.iter().all(|x| *x <= 0.0 && crate::types::DType::Bf16.round(*x) == *x));
    for row in t["C"].data.chunks(50) {
        let norm = row.iter().map(|x| x * x).sum::<f64>();
        assert!(norm <= 1.0 && norm > 0.9, "{norm}");
    }
    for row in t["I"].data.chunks(50) {
        assert!(row.is_sorted() && row[0] == -1.0 && row[49] == 4.0);
    }
    assert!([0.0, 1.0].iter().all(|x| t["K"].data.contains(x)));
    assert_eq!(t, random_inputs(&c, &[("B".to_string(), 4)].into(), 1).expect("inputs"));
    assert_ne!(t, random_inputs(&c, &[("B".to_string(), 4)].into(), 2).expect("inputs"));
}
