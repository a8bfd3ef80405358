//! Printer, parser and verifier against each other.

use super::*;
use crate::types::{BinOp, DType, RedOp, UnOp};

const MHA: &str = r#"/// Causal attention.
///  Indented, with "quotes" and # signs.
cascade mha_causal
attrs strict nondeterministic operands_f32 expand
spec W = "4096"
rank B free
rank P free
rank M derived (P * 2 - 1)
rank E const 64
rank T free iter
scalar cap f32
scalar off i32
in Q bf16 [B, P, E] nonpositive
in K bf16 [B, M, E] sorted nonnegative unit_norm
in Idx i32 [B, P] range(-1, M // 2 - 1)
out O f32 [B, P] empty -inf
table Tab f32 [3] values [0.1, -inf, 1e-300]
let S f32 [B, P, M]
let St f32 [B, T + 1]
let J i32 [B, E]
S[b, p, m] = sum[e] acc f32 Q[b, p, e] * K[b, m, e] fold (e < 3) (e != m) dom (m <= p + off) ; "softmax of S" line 7 span 3
St[b, at 0] = -0.0
St[b, t+1] = St[b, t] + 1.5 ; St line 9
J[b, e] = topk[m] acc f32 slot e K[b, m, e] ; J
O[b, p] = max[m] acc f64 if m < p && !(p == 3) || Idx[b, p] >= 0 { -S[b, p, m] / cap } else { max(Tab[1], bf16(-(1.0 - 2.5))) } fold (m <= p)
assert passes(M, P) == 1
assert holds (P % 2 == 0) text "P % 2 == 0" ; "" line 4 span 1
"#;

#[test]
fn text_is_a_fixed_point() {
    let c = parse(MHA).expect("parses");
    assert_eq!(print(&c), MHA);
    assert_eq!(parse(&print(&c)).expect("parses again"), c);
    assert_eq!(verify(&c), Ok(()));
}

/// Every operator, literal and nesting survives printing.
#[test]
fn expressions_round_trip() {
    let base = parse(MHA).expect("parses");
    let (v, i, f, b) = (Expr::Var(RankId(1)), Expr::Int(-3), Expr::Float(-2.5), Expr::Bool(false));
    let mut exprs = vec![
        Expr::Int(i64::MIN),
        Expr::Int(i64::MAX),
        Expr::Float(f64::INFINITY),
        Expr::Float(f64::NEG_INFINITY),
        Expr::Float(1e16),
        Expr::Float(f64::MIN_POSITIVE / 4.0),
        Expr::Float(-0.0),
        Expr::Extent(RankId(2)),
        Expr::Scalar(ScalarId(0)),
        Expr::select(b.clone(), v.clone(), Expr::select(b, i.clone(), v.clone())),
    ];
    for (op, _) in UnOp::ALL {
        exprs.extend([&v, &i, &f].map(|a| Expr::un(*op, a.clone())));
        exprs.push(Expr::un(*op, Expr::un(UnOp::Neg, i.clone())));
    }
    for ty in DType::ALL {
        exprs.push(Expr::Cast(ty, Box::new(v.clone())));
    }
    for (outer, _) in BinOp::ALL {
        for (inner, _) in BinOp::ALL {
            let e = Expr::bin(*inner, v.clone(), i.clone());
            exprs.push(Expr::bin(*outer, e.clone(), f.clone()));
            exprs.push(Expr::bin(*outer, f.clone(), e.clone()));
            exprs.push(Expr::bin(*outer, Expr::un(UnOp::Not, e.clone()), Expr::un(UnOp::Neg, e)));
        }
    }
    for e in exprs {
        let text = text::expr_text(&base, &e);
        let mut cur = text::Cursor::new(&text).expect("tokens");
        let back = text::parse_expr(&mut cur, &base);
        assert_eq!(back, Ok(e.clone()), "`{text}`");
        assert!(cur.at_end(), "`{text}`");
    }
}

#[test]
fn reductions_round_trip() {
    for (op, name) in RedOp::ALL {
        let text = MHA.replace("max[m] acc f64", &format!("{name}[m] acc i8"));
        assert_eq!(parse(&text).map(|c| print(&c)), Ok(text.clone()));
        assert_eq!(parse(&text).expect("parses").nodes[4].reduce.as_ref().map(|r| r.op), Some(*op));
    }
}

#[track_caller]
fn refuses(from: &str, to: &str, message: &str) {
    assert!(MHA.contains(from));
    let c = parse(&MHA.replacen(from, to, 1)).expect("parses");
    let errs = verify(&c).expect_err("must be refused");
    assert!(errs.iter().any(|e| e.contains(message)), "{errs:?}");
}

#[test]
fn verifier_refuses() {
    refuses("scalar cap f32", "scalar cap f32\nscalar p f32", "the name `p` is taken twice");
    refuses("rank B free", "rank INF free\nrank B free", "`inf` is a reserved word");
    refuses("derived (P * 2 - 1)", "derived (M + 1)", "depends on itself");
    refuses("out O f32 [B, P]", "out O f32 [B, p]", "not known to the launcher");
    refuses("/ cap", "/ off", "`div` does not take a float and an index");
    refuses("-S[b, p, m]", "-S[b, p]", "3 indices are needed");
    refuses("(m <= p + off)", "(e <= p)", "`e` is not bound");
    refuses("fold (m <= p)", "fold (0 <= p)", "mentions no reduced rank");
    refuses("max[m] acc f64", "max[p] acc f64", "`p` stands twice");
    refuses("slot e", "", "`topk` has a slot");
    refuses("Idx[b, p] >= 0", "J[b, p] >= cap", "does not take an index and a float");
    refuses("let J i32", "let J f32", "the right side is an index");
    refuses("St[b, t+1] =", "St[b, at 3] =", "2 definitions (2 inits)");
    refuses("t+1", "p+1", "`p` is not iterative");
    refuses("= -0.0", "= O[b, 0]", "reads `O` before it is defined");
    refuses(" values [0.1, -inf, 1e-300]", "", "exactly the tables hold values");
    refuses("J[b, e] =", "Q[b, e, e] =", "`Q` has 1 definitions");
}

#[track_caller]
fn error(text: &str, message: &str) {
    assert_eq!(parse(text).map(|_| ()), Err(message.to_string()));
}

#[test]
fn parser_reports_lines() {
    error("", "1: no `cascade NAME` line");
    error("cascade a\nrank B fre", "2: expected `derived`, found `fre`");
    error("cascade a\nlet S f32 [B]", "2: `B` is no rank variable, rank or scalar");
    error("cascade a\nlet S f32 []\nS[] = 1 < 2 < 3", "3: comparisons do not chain");
    error("cascade a\nlet S f32 []\nS[] = foo(1)", "3: `foo` is no operator");
    error("cascade a\nlet S f32 []\nS[] = exp(1, 2)", "3: `exp` takes 1 arguments, not 2");
    error("cascade a\nlet S f32 []\nS[] = 1.0 )", "3: unexpected `)`");
    error("cascade a\nlet S f32 []\nS[] = 99999999999999999999", "3: `99999999999999999999` is not a number that fits");
    error("cascade \"a", "1: a string is not closed");
    let deep = format!("cascade a\nlet S f32 []\nS[] = {}1.0", "(".repeat(10_000));
    error(&deep, "3: the expression is nested too deeply");
}
