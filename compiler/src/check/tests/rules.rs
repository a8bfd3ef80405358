//! One line a rule: a kernel body and everything the checker says about it.

use super::{executes, run, text};

/// Declarations before every body.
const HEAD: &str = "rank P, M, E = 4, J = 2; iter T; scalar n: int; scalar c: f32; in q: f32[P, E]; in k: f32[M, E]; \
    in x: f32[P]; in y: f32[M]; in g: f32[T]; in seg: i32[P]; in keep: bool[P, M];";

fn check(body: &str, expected: &[&str]) {
    let src = format!("kernel k {{ {HEAD}\n{body} }}");
    let (checked, diags) = run(&src, &[]);
    let found: Vec<String> = diags.iter().map(|d| text(d).replacen(" 2:", ":", 1)).collect();
    assert_eq!(found, expected, "{body}");
    let errors = crate::diag::has_errors(&diags);
    assert_eq!(checked.kernels[0].members.is_empty(), errors, "{body}");
    checked.kernels[0].members.iter().for_each(executes);
}

#[test]
fn names() {
    check(
        "let s[p] = x[p] * scle;",
        &["N-NAME: `scle` is neither a rank variable (no `rank SCLE`), nor a param, scalar or const"],
    );
    check("let s[p] = xx[p];", &["N-NAME: `xx` is not a tensor of this kernel"]);
    check("let s[p] = sigmod(x[p]);", &["N-NAME: there is no function `sigmod`"]);
    check("let s[p] = float(x[p]);", &["N-NAME: there is no function `float`"]);
    check("let s[p] = sum[z](x[p]);", &["N-NAME: cannot reduce over `z`: no `rank Z` is declared"]);
    check("let s[w] = 1.0;", &["N-NAME: `w` is no rank variable: no `rank W` is declared"]);
    check("let s[p] = a[p]; let a[p] = x[p];", &["N-NAME: `a` is used before it is declared"]);
    check("let s[p] = s[p];", &["N-NAME: `s` is used before it is declared"]);
    check("in x: f32[P];", &["N-NAME: `x` is declared twice"]);
    check("scalar p: int;", &["N-NAME: `p` is the rank variable of `P` and cannot be another value"]);
    check("const c2 = 1; rank C2 = 3;", &["N-NAME: `c2` is the rank variable of `C2` and cannot be another value"]);
    check("rank Ab = 2, AB = 3;", &["N-NAME: the ranks `Ab` and `AB` have the same rank variable"]);
    check("rank AT = 2;", &["N-NAME: `at` is a reserved word"]);
    check("let p[p] = x[p]; let s[p] = p[p] * p;", &[]);
    check(
        "s[p] = x[p];",
        &["N-NAME: `s` is not an output or state of this kernel; a new intermediate is written with `let`"],
    );
    check("in z: F33[P];", &["N-NAME: `F33` is not a type"]);
    check("param w: int; let s[p] = x[p] * w;", &["N-NAME: param `w` has no value"]);
    check("assert passes(Q) == 1;", &["N-NAME: `Q` is not a rank; `passes` takes rank names"]);
}

#[test]
fn accesses() {
    check("let s[p] = q[p];", &["T-ACC: `q` has 2 ranks but is indexed with 1"]);
    check("let s[m] = x[m];", &["T-ACC: rank variable `m` ranges over `M`, but this position of `x` has rank `P`"]);
    check("let s[p] = q[p, p];", &["T-ACC: rank variable `p` ranges over `P`, but this position of `q` has rank `E`"]);
    check("let s[p] = x + 1.0;", &["T-ACC: `x` is a tensor; write its indices: `x[..]`"]);
    check("let s[p] = n[p];", &["T-ACC: `n` is a scalar, not a tensor"]);
    check("let s[p] = x[y[p]];", &["T-ACC: rank variable `p` ranges over `P`, but this position of `y` has rank `M`"]);
    check("let s[p] = x[c];", &["T-TYPE: an index must be an integer, this is a float"]);
    check(
        "out o: f32[P]; o[m] = y[m];",
        &["T-ACC: rank variable `m` ranges over `M`, but this position of `o` has rank `P`"],
    );
    check("rank R = P; let s[r] = x[r];", &[]);
    check("rank R = P * 2 - P; let s[r] = x[r];", &[]);
    check("assert M == P; let s[m] = x[m];", &[]);
    check("rank Z; in cu: i32[Z + 1]; let s[p] = sum[z](if cu[z] <= p && p < cu[z + 1] { z } else { 0 });", &[]);
    check(
        "rank Z = P + 1; out o: f32[Z]; o[p] = x[p];",
        &["T-ACC: rank variable `p` ranges over `P`, but this position of `o` has rank `Z`"],
    );
    check("rank R = 2 + 2; let s[p,r] = q[p,r];", &[]);
}

#[test]
fn bounds() {
    check("let s[p] = x[P - 1 - p];", &[]);
    check("let s[p] = x[p + P];", &["T-BND: index `p + P` of `x` is never inside of its dimension"]);
    check("let s[p] = q[p, 4];", &["T-BND: index `4` of `q` is never inside of its dimension"]);
    check("let s[p] = q[p, 3] * q[p, p % 4];", &[]);
    check("let s[p] = q[p, -1 - p];", &["T-BND: index `-1 - p` of `q` is never inside of its dimension"]);
    check("let s[p] = x[p + 1];", &["A-OOB: index `p + 1` of `x` may leave its dimension"]);
    check("let s[p] = x[p + 1] where p + 1 < P;", &[]);
    check("let s[p] = x[p - 1] where p > 0;", &[]);
    check("let s[p] = or(x[p - 1], 0.0);", &[]);
    check("let s[p] = if p > 0 { x[p - 1] } else { 0.0 };", &[]);
    check("let s[p] = if p == 0 { 0.0 } else { x[p - 1] };", &[]);
    check("let s[p] = x[min(p + 1, P - 1)];", &[]);
    check("let s[p] = x[clamp(p - 3, 0, P - 1)];", &[]);
    check("let s[p] = x[abs(p - 3)];", &["A-OOB: index `abs(p - 3)` of `x` may leave its dimension"]);
    check("let s[p] = x[seg[p]] where 0 <= seg[p] && seg[p] < P;", &[]);
    check("#[range(0, P - 1)] in t: i32[M]; let s[m] = x[t[m]];", &[]);
    check("#[range(-1, P - 1)] in t: i32[M]; let s[m] = x[t[m]] where t[m] >= 0;", &[]);
    check("in b: u8[P]; rank W = 256; in w: f32[W]; let s[p] = w[b[p]];", &[]);
    check("rank U = (P + 7) / 8, W = 8; let s[u] = sum[w](x[u * 8 + w]);", &[]);
    check("let i[p] = argmax[m](keep[p,m] as i32); let s[p] = y[i[p]] where i[p] >= 0;", &[]);
    check("in w: f32[M + 1]; let i[p] = sum[m]((m <= p) as i32); let s[p] = w[i[p]];", &[]);
    check("let i[p] = sum[m](if m <= p { 1 } else { 0 }) - 1; let s[p] = y[i[p]] where i[p] >= 0;", &[]);
    check("let i[p]: i32 = min(p, 3); let s[p] = q[p, i[p]];", &[]);
    check("let s[p] = x[(p - 3) % P];", &[]);
    check("let s[p] = x[p / 2] + q[p / 2, p % 4];", &[]);
    check("let s[p] = x[(p / n) * n] where n > 0;", &[]);
    check("let s[p] = x[(p / n) * n];", &["A-OOB: index `p // n * n` of `x` may leave its dimension"]);
}

#[test]
fn free_variables_and_left_sides() {
    check(
        "let s[p] = q[p,e];",
        &["T-FREE: rank variable `e` appears on the right but not on the left, and no reduction binds it; \
         write `sum[e](..)` or add it to `s[..]`"],
    );
    check(
        "let s[p] = x[p] where m < 3;",
        &["T-FREE: rank variable `m` appears on the right but not on the left, and no reduction binds it; \
         write `sum[m](..)` or add it to `s[..]`"],
    );
    check("const r = p;", &["T-FREE: rank variable `p` has no value here; write `P` for the extent"]);
    check("let s[p] = softmax[m](k[m,0]);", &["T-FREE: `softmax[m]` keeps `m`, but nothing binds it here"]);
    check("let s[p, p] = 1.0;", &["T-OUT: `p` stands twice on the left side"]);
    check("let s[p + 1] = 1.0;", &["T-OUT: an index on the left side is a bare rank variable"]);
    check("let s[p] = 1.0; let s[p] = 2.0;", &["N-NAME: `s` is declared twice"]);
    check("let s[p] = 1.0; s[p] = 2.0;", &["T-OUT: `s` is assigned already"]);
    check("x[p] = 1.0;", &["T-OUT: `x` is an input"]);
    check("n[p] = 1.0;", &["T-OUT: `n` is a scalar and cannot be assigned"]);
    check("out o: f32[P];", &["T-OUT: output `o` is never assigned"]);
    check("inout o: f32[P];", &["T-OUT: output `o` is never assigned"]);
    check("out o: f32[P]; o[p] = x[p]; o[p] = x[p];", &["T-OUT: `o` is assigned already"]);
    check("out o: f32[P]; let s[p] = o[p]; o[p] = x[p];", &["N-NAME: output `o` is read before it is assigned"]);
    check("out o: f32[P]; o[p] = x[p]; let s[p] = o[p];", &[]);
    check("inout o: f32[P]; o[p] = o[p] + x[p];", &[]);
}

#[test]
fn predicates() {
    check("let s[p] = x[p] where x[p] > 0.0;", &["T-WHERE: a `where` predicate compares integers, this has floats"]);
    check("let s[p] = x[p] where c > 0.5;", &["T-WHERE: a `where` predicate compares integers, this has floats"]);
    check("let s[p] = x[p] where seg[p];", &["T-WHERE: a `where` predicate is a truth value, this is a number"]);
    check("let s[p,m] = x[p] where keep[p,m];", &[]);
    check("let s[p,m] = x[p] where keep[p,m] == 1;", &[]);
    check("let b[p] = x[p] > 0.0; let s[p] = x[p] where b[p];", &[]);
    check("let s[p,m] = x[p] where causal(p, m) && seg[p] == n;", &[]);
    check("let s[p,m] = x[p] where causal(p);", &["T-TYPE: `causal` takes 2 arguments, 1 given"]);
    check("let s[p] = sum[m](y[m]) where m <= p;", &[]);
}

#[test]
fn reductions() {
    check("let s[p] = sum[m](m <= p);", &["T-RED: `sum` takes numbers, these are truth values"]);
    check("let s[p] = any[m](m);", &["T-RED: `any` takes truth values, these are numbers"]);
    check("let s[m] = sum[m](y[m]);", &["T-RED: `m` is reduced, but it stands on the left side as well"]);
    check("let s[p] = sum[m,m](y[m]);", &["T-RED: `m` is reduced twice"]);
    check("let s[p] = topk[m](y[m]);", &["T-RED: `topk` needs the rank variable of its slots"]);
    check("let s[p] = topk[m](y[m]; slot = j);", &["T-RED: the slot `j` of `topk` must be on the left side of `s`"]);
    check("let s[p,j] = topk[m](y[m]; slot = j);", &[]);
    check("let s[p] = sum[m](y[m]; slot = j);", &["T-RED: `sum` has no slots"]);
    check("let s[p] = sum[m](y[m]; acc = f16);", &["T-RED: `f16` is too narrow an accumulator"]);
    check("let s[p] = sum[m](y[m]; acc = f64);", &[]);
    check("let s[p] = sum[m](y[m]; ac = f64);", &["T-RED: a reduction has no option `ac`; it has `acc` and `slot`"]);
    check("let s[p] = sum[m](y[m]; acc = i32);", &["T-RED: `i32` does not accumulate floats"]);
    check("let s[p] = sum[m](m; acc = f64);", &["T-RED: `f64` does not accumulate integers"]);
    check("let s[p] = sum[m](m; acc = i32);", &[]);
    check("let s[p] = max[m](y[m]; acc = f64);", &["T-RED: `max` rounds nothing and takes no `acc`"]);
    check("let s[p] = sum[m](y[m]; acc = f32, acc = f32);", &["T-RED: `acc` is given twice"]);
    check("let s[p] = argmax[m,e](k[m,e]);", &["T-RED: `argmax` yields a coordinate of one rank"]);
}

#[test]
fn types() {
    check(
        "let s[p] = x[p] + keep[p,0];",
        &["T-TYPE: a number meets a truth value", "A-OOB: index `0` of `keep` may leave its dimension"],
    );
    check("let s[p]: i32 = x[p];", &["T-TYPE: a float where an integer is needed"]);
    check("let s[p]: i32 = x[p] as i32;", &[]);
    check("let s[p]: f32 = p;", &[]);
    check("let s[p]: bool = p;", &["T-TYPE: a number where a truth value is needed"]);
    check("let s[p]: f32 = p < 3;", &["T-TYPE: a truth value where a number is needed"]);
    check("let s[p] = x[p] % 2.0;", &["T-TYPE: `%` takes two integers"]);
    check("let s[p] = x[p] * (1 / 2);", &["T-TYPE: `1 / 2` of integers rounds down, to 0"]);
    check("let s[p] = x[p] * (4 / 2);", &[]);
    check("let s[p] = p / 0;", &["T-TYPE: division of an integer by 0"]);
    check("let s[p] = !p;", &["T-TYPE: `!` takes a truth value, this is a number"]);
    check("let s[p] = if p { 1.0 } else { 2.0 };", &["T-TYPE: a truth value is needed, this is a number"]);
    check("let s[p] = exp(x[p], x[p]);", &["T-TYPE: `exp` takes 1 argument, 2 given"]);
    check(
        "let s[p] = x[p] + z[p] + w;",
        &[
            "N-NAME: `z` is not a tensor of this kernel",
            "N-NAME: `w` is neither a rank variable (no `rank W`), nor a param, scalar or const",
        ],
    );
    check(
        "const r = x[0];",
        &["T-TYPE: a `const` is over extents, params and scalars", "A-OOB: index `0` of `x` may leave its dimension"],
    );
    check("param w: int = P;", &["T-TYPE: the default of a param is a compile-time constant"]);
    check("assert c > 0.5;", &["T-TYPE: an assertion compares integers, this has floats"]);
    check("assert P;", &["T-TYPE: a truth value is needed, this is a number"]);
    check("assert P / 2 * 2 == P && n >= 0;", &[]);
    check("assert E == 5;", &["T-ASSERT: the assertion `E == 5` does not hold"]);
    check("assert E == 4;", &[]);
}

#[test]
fn extents() {
    check("rank Z;", &["T-EXT: the extent of rank `Z` cannot be inferred"]);
    check("rank Z = n; let s[z] = z;", &[]);
    check("rank Z = Z2; rank Z2 = 2;", &["N-NAME: `Z2` is used before it is declared"]);
    check("rank Z = 0 - 4;", &["T-EXT: the extent is -4"]);
    check("rank Z; in z1: f32[2 * Z + 1]; let s[z] = z1[2 * z];", &[]);
    check(
        "rank Z, Z3; in z1: f32[Z + Z3];",
        &["T-EXT: the extent of rank `Z` cannot be inferred", "T-EXT: the extent of rank `Z3` cannot be inferred"],
    );
}

#[test]
fn states() {
    let head = "state st[t]: f32; init st[0] = 0.0;";
    check(&format!("{head} st[t+1] = st[t] * g[t];"), &[]);
    check(&format!("{head} st[t] = st[t] * g[t];"), &["T-STATE: `st` starts at 0, so its update defines `t+1`"]);
    check(head, &["T-STATE: state `st` has no update"]);
    check("state st[t]: f32; st[t+1] = st[t];", &["T-STATE: `st` has no `init` before its update"]);
    check("state st[t]: f32;", &["T-STATE: state `st` has no `init`"]);
    check("state st[p]: f32;", &["T-STATE: a state has one iterative rank, `st` has 0"]);
    check(&format!("{head} init st[0] = 1.0; st[t+1] = st[t];"), &["T-STATE: `st` has a second `init`"]);
    check(&format!("{head} st[t+1] = st[t+1];"), &["T-STATE: before and in its update, `st` can be read at `t` only"]);
    check(
        &format!("{head} st[t+1] = st[t+2];"),
        &["T-STATE: `st` takes `t`, `t+1`, `0` or `T` at its iterative position"],
    );
    check(&format!("{head} let d[t] = st[t] * g[t]; st[t+1] = d[t];"), &[]);
    check(
        &format!("{head} let d[t] = st[t] * g[t]; st[t+1] = d[t] + sum[t](d[t]);"),
        &["T-STATE: `d` is reduced over `t` before its update"],
    );
    check(
        &format!("{head} let d[t] = st[t]; st[t+1] = d[T - 1 - t];"),
        &["T-STATE: `d` depends on the state `st` and can be read at `t` only"],
    );
    check(
        &format!("{head} st[t+1] = st[t] * g[t - 1];"),
        &[
            "T-STATE: the update of `st` would be absent unless `t - 1 >= 0`",
            "A-OOB: index `t - 1` of `g` may leave its dimension",
        ],
    );
    check(&format!("{head} st[t+1] = st[t] * or(g[t - 1], 1.0);"), &[]);
    check(&format!("{head} st[t+1] = st[t]; let a[t] = st[t]; let b[t] = st[t+1]; let d[] = st[T] + st[0];"), &[]);
    check("state st[t]: f32; init st[T] = 0.0; st[t] = st[t+1] * g[t]; let a[] = st[0];", &[]);
    check(
        "state st[t]: f32; init st[T] = 0.0; st[t+1] = st[t];",
        &["T-STATE: `st` starts at its last generation, so its update defines `t`"],
    );
    check("init x[0] = 0.0;", &["T-STATE: `x` is not a state"]);
}

#[test]
fn attributes() {
    check("#[sortd] in z: i32[P];", &["T-ATTR: a tensor has no attribute `#[sortd]`"]);
    check("#[strict] in z: i32[P];", &["T-ATTR: a tensor has no attribute `#[strict]`"]);
    check("#[range(1)] in z: i32[P];", &["T-ATTR: `#[range(lo, hi)]` takes two inclusive bounds"]);
    check("#[range(0, 1)] in z: f32[P];", &["T-ATTR: `#[range(lo, hi)]` is about integers"]);
    check("#[empty(0)] in z: f32[P];", &["T-ATTR: `#[empty(x)]` belongs to outputs"]);
    check("#[empty(-inf)] out z: f32[P]; z[p] = x[p];", &[]);
    check("#[sorted] rank Z = 3;", &["T-ATTR: `#[sorted]` has no meaning here"]);
    check("/// Documentation.\nrank Z = 3;", &[]);
}

#[test]
fn definitions() {
    let file = |src: &str, expected: &[&str]| {
        let found: Vec<String> = run(src, &[]).1.iter().map(text).collect();
        assert_eq!(found, expected, "{src}");
    };
    file("fn f(x: f32) -> f32 = f(x);", &["N-NAME 1: `f` calls itself"]);
    file("fn f(x: f32) -> f32 = y;", &["N-NAME 1: `y` is not a parameter; a `fn` or `mask` sees its parameters only"]);
    file("fn f(x: f32) -> i32 = x;", &["T-TYPE 1: a float where an integer is needed"]);
    file("fn f(x: T) -> f32 = 1.0;", &["N-NAME 1: `T` is not a type"]);
    file(
        "fn f(x: f32) -> f32 = sum[m](x);",
        &["N-NAME 1: a `fn` or `mask` is scalar; reduce in the kernel and pass the result"],
    );
    file("fn f(x: f32) -> f32 = 1.0; mask f(a) = true;", &["N-NAME 1: `f` is declared twice"]);
    file("fn causal(x: f32) -> f32 = x;", &[]);
    file("kernel k { } kernel k { }", &["N-NAME 1: `k` is declared twice"]);
    file("schedule k on cpu { tile M = 64; }", &["N-NAME 1: there is no kernel `k`"]);
    file("#[fast] kernel k { }", &["T-ATTR 1: a kernel has no attribute `#[fast]`"]);
    file("#[strict] #[operands(f32)] #[expand] #[deterministic] kernel k { }", &[]);
}

/// What no person writes is refused before it takes minutes.
#[test]
fn limits() {
    let chain = |n: usize, step: &str| {
        let step = |i: usize| step.replace("NEXT", &format!("a{}", i + 1)).replace("LAST", &format!("a{i}"));
        format!("let a0[p] = x[p]; {}", (0..n).map(step).collect::<String>())
    };
    check(&chain(120, "let NEXT[p] = LAST[p] * 1.5;"), &[]);
    check(
        &chain(200, "let NEXT[p] = LAST[p] * 1.5;"),
        &["T-TYPE: `a128` is more than 256 operators and statements deep"],
    );
    check(
        &chain(70, "let NEXT[p] = LAST[p] where p < seg[p] + NEXT0;").replace("+ a", "+ 1"),
        &["T-TYPE: `a65` is present under more than 64 conditions"],
    );
    let ranks = (0..1100).map(|i| format!("R{i} = 2")).collect::<Vec<_>>().join(", ");
    check(&format!("rank {ranks};"), &["P-SYNTAX: `k` has more than 1024 statements"]);
}
