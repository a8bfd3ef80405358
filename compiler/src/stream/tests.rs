//! Text and verifier of the stream IR.

use super::{parse, print, verify};

const SOFTMAX: &str = "cascade softmax
rank P free
rank M free
rank F const 3
in s f32 [P, M]
in v f32 [M, F]
in sink f32 [P]
out o f32 [P, F]
let g f32 [P]
let d f32 [P]
let nv f32 [P, F]
let x f32 [P, M]
x[p, m] = s[p, m] * 0.5
g[p] = max[m] acc f32 x[p, m]
d[p] = sum[m] acc f32 exp(x[p, m] - g[p])
nv[p, f] = sum[m] acc f32 exp(x[p, m] - g[p]) * v[m, f] fold (m != 4)
o[p, f] = nv[p, f] / d[p]
place g state
place d state
place nv state
stage o grid [p]
pass [m] where (m <= p)
acc g init (sink[p])
acc d repair exp (-g[p]) init (1.0)
acc nv repair exp (-g[p])
store o
";

#[test]
fn text_is_a_fixed_point() {
    let s = parse(SOFTMAX).expect("parses");
    assert_eq!(print(&s), SOFTMAX);
    assert_eq!(verify(&s), Ok(()));
}

#[track_caller]
fn refuses(from: &str, to: &str, message: &str) {
    assert!(SOFTMAX.contains(from), "`{from}`");
    let s = parse(&SOFTMAX.replacen(from, to, 1)).expect("parses");
    let errs = verify(&s).expect_err("must be refused");
    assert!(errs.iter().any(|e| e.contains(message)), "{errs:?}");
}

#[test]
fn verifier_refuses() {
    refuses("place g state\n", "", "`g` is folded 1 times and stored 0 times, expected (0, 0)");
    refuses("store o\n", "", "`o` is folded 0 times and stored 0 times, expected (0, 1)");
    refuses("store o\n", "store o\nstore o\n", "`o` is folded 0 times and stored 2 times");
    refuses("acc d repair exp (-g[p])", "acc d", "`d` reads `g`, which is not complete");
    refuses("acc g init (sink[p])\n", "", "`g` is folded 0 times");
    refuses("exp (-g[p])", "exp (-s[p, 0] * float(m))", "mentions a streamed rank");
    refuses("acc d repair exp (-g[p])", "acc d repair exp (-d[p])", "`d` reads `d`, which is not complete");
    refuses("pass [m]", "pass [f]", "`g` does not reduce the ranks of its pass");
    refuses("grid [p]", "grid [p, p]", "`p` stands twice in the grid");
    refuses("grid [p]", "grid [p, m]", "a rank of the grid");
    refuses("grid [p]", "grid [m]", "a rank of the grid");
    refuses("where (m <= p)", "where (m <= p) (m != 4)", "`m != 4` stands in the domain and at `nv`");
    refuses("where (m <= p)", "where (m <= f)", "mentions `f`");
    refuses("- g[p])\n", "- g[m])\n", "`d` reads `g` beside its grid point");
    refuses("place d state", "place d memory", "`d` is folded 1 times and stored 0 times, expected (0, 1)");
    refuses("place nv state", "place nv state\nplace x memory", "reads `x` before it is stored");
    refuses("place nv state", "place nv state\nplace x dead", "reads `x`, which is dead");
}

#[track_caller]
fn error(text: &str, message: &str) {
    assert_eq!(parse(text).map(|_| ()), Err(message.to_string()));
}

#[test]
fn parser_reports_lines() {
    error("cascade a\nacc g", "2: `g` is no tensor");
    error("cascade a\nin g f32 []\nacc g", "3: `g` has no node");
    error("cascade a\nlet g f32 []\ng[] = 1.0\nstore g", "4: no `stage` line above");
    error("cascade a\nlet g f32 []\ng[] = 1.0\nstage s grid []\nacc g", "5: no `pass` line above");
    error("cascade a\nlet g f32 []\nplace g here", "3: `here` is no place");
    error("cascade a\nrank M free\nstage s grid [q]", "3: `q` is no rank variable");
}
