//! Tests of the parser and the printer.

use super::{lex, parse, parse_str, print};
use crate::diag::Diagnostic;

const EXAMPLES: &str = include_str!("../../testdata/examples.attn");

/// The diagnostics as `line:column..line:column CODE message | help`.
fn report(diags: &[Diagnostic]) -> String {
    let line = |d: &Diagnostic| {
        let (a, b) = (d.span.start.start(), d.span.end.end());
        let help = d.help.as_ref().map_or(String::new(), |h| format!(" | {h}"));
        format!("{}:{}..{}:{} {} {}{help}\n", a.line, a.column, b.line, b.column, d.code.0, d.message)
    };
    diags.iter().map(line).collect()
}

#[track_caller]
fn errors(src: &str, expected: &str) {
    assert_eq!(report(&parse_str(src).1), expected, "for\n{src}");
}

/// Statements in a kernel, from the second line on.
#[track_caller]
fn stmt_errors(stmts: &str, expected: &str) {
    errors(&format!("kernel k {{\n{stmts}\n}}"), expected);
}

#[track_caller]
fn prints(src: &str, expected: &str) {
    let (file, diags) = parse_str(src);
    assert_eq!(report(&diags), "");
    assert_eq!(print(&file), expected);
    assert_eq!(print(&parse_str(expected).0), expected);
}

#[track_caller]
fn prints_stmt(stmt: &str, expected: &str) {
    prints(&format!("kernel k {{ {stmt} }}"), &format!("kernel k {{\n    {expected}\n}}\n"));
}

fn words(src: &str) -> Vec<String> {
    let (toks, _) = lex::flatten(src.parse().expect("examples lex"));
    toks.iter().map(lex::Tok::text).collect()
}

#[test]
fn examples_parse_and_print_back() {
    let (file, diags) = parse_str(EXAMPLES);
    assert_eq!(report(&diags), "");
    assert_eq!(file.items.len(), 21);
    let text = print(&file);
    assert_eq!(words(&text), words(EXAMPLES));
    assert_eq!(print(&parse_str(&text).0), text);
}

#[test]
fn macro_tokens_equal_file_text() {
    let (file, diags) = parse(EXAMPLES.parse().expect("examples lex"));
    assert!(diags.is_empty());
    assert_eq!(print(&file), print(&parse_str(EXAMPLES).0));
}

#[test]
fn none_delimited_groups_are_transparent() {
    use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
    let none = |s: &str| -> TokenTree { Group::new(Delimiter::None, s.parse::<TokenStream>().expect("lexes")).into() };
    let mut body: TokenStream = "let S[b]: f32 =".parse().expect("lexes");
    body.extend([none("X[b] * 2")]);
    body.extend(";".parse::<TokenStream>().expect("lexes"));
    let mut all: TokenStream = "kernel k".parse().expect("lexes");
    all.extend([TokenTree::from(Group::new(Delimiter::Brace, body))]);
    let (file, diags) = parse(all);
    assert!(diags.is_empty());
    assert_eq!(print(&file), "kernel k {\n    let S[b]: f32 = X[b] * 2;\n}\n");
}

#[test]
fn statements() {
    prints_stmt("rank B,M=P , E in {64,128,};", "rank B, M = P, E in {64, 128};");
    prints_stmt("iter T;", "iter T;");
    prints_stmt("dtype T in {f32,bf16};", "dtype T in {f32, bf16};");
    prints_stmt("param W: index = 4_096;", "param W: int = 4096;");
    prints_stmt("param W: bf16;", "param W: bf16;");
    prints_stmt("scalar cap:f32;", "scalar cap: f32;");
    prints_stmt("const R=H/G;", "const R = H / G;");
    prints_stmt("const Bk[i, j]=min(i,j);", "const Bk[i, j] = min(i, j);");
    prints_stmt("#[sorted] #[range(-1, M/N)] in Q:T[B, H,P ,];", "#[sorted] #[range(-1, M / N)] in Q: T[B, H, P];");
    prints_stmt("out l: f32;", "out l: f32;");
    prints_stmt("inout kv: f16[B];", "inout kv: f16[B];");
    prints_stmt(
        "view K[b,m]=Kc[Tbl[b,m/P],m%P] where m<Len[b];",
        "view K[b,m] = Kc[Tbl[b, m / P], m % P] where m < Len[b];",
    );
    prints_stmt("state St[b,t]: f32;", "state St[b,t]: f32;");
    prints_stmt("init St[b,0]=0.0;", "init St[b, 0] = 0.0;");
    prints_stmt("St[b,t+1]=St[b,t];", "St[b, t + 1] = St[b,t];");
    prints_stmt("let A[]=sum[e](x[e];acc=f64);", "let A[] = sum[e](x[e]; acc = f64);");
    prints_stmt("Idx[j]=topk[c,d](S[c,d];slot=j,);", "Idx[j] = topk[c,d](S[c,d]; slot = j);");
    prints_stmt("out[b] = in_x[b];", "out[b] = in_x[b];");
    prints_stmt("assert !(H%G==0)||passes(M)==1;", "assert !(H % G == 0) || passes(M) == 1;");
}

#[test]
fn documentation_and_attributes() {
    prints(
        "//! File.\n//!\n/// Kernel.\n#[strict]\n#[operands(f32)] kernel k {\n/// Queries.\n///\n#[empty(0.5)] in Q: f32[B]; /** A\n B */ rank B;}",
        "//! File.\n//!\n\n/// Kernel.\n#[strict]\n#[operands(f32)]\nkernel k {\n    /// Queries.\n    ///\n    #[empty(0.5)] in Q: f32[B];\n    /// A\n    /// B\n    rank B;\n}\n",
    );
}

#[test]
fn items() {
    prints("mask m(q,k,)=q<=k&&true;", "mask m(q, k) = q <= k && true;\n");
    prints(
        "fn f(x:f32)->f32=if x>0.0{x}else{-x as f32};",
        "fn f(x: f32) -> f32 = if x > 0.0 { x } else { -x as f32 };\n",
    );
    prints(
        "schedule k on sm90 { pack h by R into mma_m; order [b, h1]; split M into M1, M0=64; }",
        "schedule k on sm90 {\n    pack h by R into mma_m;\n    order [b, h1];\n    split M into M1, M0 = 64;\n}\n",
    );
}

/// Precedence, shown by the parentheses that a tree without `Paren` nodes needs.
#[test]
fn precedence() {
    use super::ast::{Expr, ExprKind, Item, StmtKind};
    fn bare(e: &mut Expr) {
        match &mut e.kind {
            ExprKind::Paren(x) => {
                let mut inner = (**x).clone();
                bare(&mut inner);
                *e = inner;
            }
            ExprKind::Binary(_, a, b) => {
                bare(a);
                bare(b);
            }
            ExprKind::Unary(_, a) | ExprKind::As(a, _) => bare(a),
            _ => {}
        }
    }
    let check = |src: &str, expected: &str| {
        let (mut file, diags) = parse_str(&format!("kernel k {{ assert {src}; }}"));
        assert_eq!(report(&diags), "");
        let Item::Kernel(k) = &mut file.items[0] else { panic!("a kernel was written") };
        let StmtKind::Assert(e) = &mut k.stmts[0].kind else { panic!("an assertion was written") };
        bare(e);
        assert_eq!(super::print_expr(e), expected);
    };
    check("((a + b)) + (c)", "a + b + c");
    check("a + (b + c)", "a + (b + c)");
    check("a - (b - c) * (d / e)", "a - (b - c) * (d / e)");
    check("((a * b) as f32) * c", "(a * b) as f32 * c");
    check("-(a + b) as f32", "-(a + b) as f32");
    check("-(a as f32)", "-(a as f32)");
    check("(a < b) == (c < d)", "(a < b) == (c < d)");
    check("(a && b) || (c && (d || e))", "a && b || c && (d || e)");
    check("!(a && !b)", "!(a && !b)");
}

#[test]
fn numbers() {
    prints_stmt(
        "assert 0x10 + 1e-5 + 1_0.5 + 1e20 == 9223372036854775807;",
        "assert 16 + 1e-5 + 10.5 + 1e20 == 9223372036854775807;",
    );
    stmt_errors("assert 9223372036854775808 == 1;", "2:7..2:26 P-SYNTAX this integer does not fit in 64 bits\n");
    stmt_errors("assert 1e999 == 1;", "2:7..2:12 P-SYNTAX this number is too large for f64\n");
    stmt_errors(
        "assert 1u32 == 1;",
        "2:7..2:11 P-SYNTAX `1u32` is not a number | numbers have no suffix; a value is converted with `x as f32`\n",
    );
}

#[test]
fn every_broken_statement_is_reported() {
    stmt_errors(
        "rank B, p;\nlet S[b] = X[b] where m <= p && 0 < (p - m) < 7;\nfoo(1, 2) = 3;\nlet D[b] = sum[m] * 2;\nlet G[b] = 1 +",
        "2:8..2:9 P-SYNTAX rank names start with an upper-case letter; the rank variable `p` is implied by `rank P` | write `P`\n\
         3:44..3:45 P-SYNTAX comparisons do not chain; write `a <= b && b < c`\n\
         4:0..4:9 P-SYNTAX expected a declaration or an Einsum statement `T[..] = expr;`\n\
         5:11..5:17 P-SYNTAX `sum[..]` is a reduction and needs its argument in parentheses\n\
         7:0..7:1 P-SYNTAX expected an expression, found `}`\n",
    );
}

#[test]
fn a_missing_semicolon_spoils_one_statement() {
    stmt_errors(
        "let A[b] = X[b]\nlet B[b] = X[b] Y[b];\nlet C[b] == 1;",
        "2:14..2:15 P-SYNTAX expected `;` after this | every statement ends with `;`\n\
         3:16..3:17 P-SYNTAX expected `;` (an operator is missing, or the statement is not finished), found `Y`\n\
         4:9..4:11 P-SYNTAX expected `=`, found `==`\n",
    );
    stmt_errors(
        "let A[b] = X[b]",
        "3:0..3:1 P-SYNTAX unexpected end of input, expected `;` (an operator is missing, or the statement is not finished)\n",
    );
}

#[test]
fn declarations_gone_wrong() {
    stmt_errors(
        "in Q, K: f32[B];\nin Q[B]: f32;\nin type: f32;\nin Q: float[B];\nlet x = 3;\nparam W = 3;\nin: f32;\ndtype T = f32;",
        "2:4..2:5 P-SYNTAX expected `:` and the type, found `,` | declare each tensor in a statement of its own\n\
         3:4..3:5 P-SYNTAX expected `:` and the type, found `[` | the ranks come after the type: `Q: f32[B, H]`\n\
         4:3..4:7 P-SYNTAX expected the name of a tensor, found `type`, which is a Rust keyword and cannot be a name\n\
         5:6..5:11 P-SYNTAX `float` is not a type | did you mean `f32`?\n\
         6:6..6:7 P-SYNTAX expected `[` and the indices (a tensor without ranks is written `T[]`), found `=` | `=` defines; equality is `==`\n\
         7:8..7:9 P-SYNTAX expected `:`, found `=` | `=` defines; equality is `==`\n\
         8:2..8:3 P-SYNTAX expected the name of a tensor, found `:`\n\
         9:8..9:9 P-SYNTAX expected `in` and the types, found `=` | write `dtype T in {f32, bf16};`\n",
    );
}

#[test]
fn expressions_gone_wrong() {
    stmt_errors(
        "assert sum(x) == 1;\nassert foo[e](x) == 1;\nassert sum[](x) == 1;\nassert sum[E](x) == 1;\nassert x.sqrt() == 1;\nassert x ** 2 == 1;\nassert a = b;\nassert a and b;\nassert if a { b };\nassert \"s\" == 1;\nassert ();\nassert a + where;",
        "2:7..2:10 P-SYNTAX `sum` needs the rank variables that it reduces | write `sum[e](..)`\n\
         3:7..3:10 P-SYNTAX `foo` is not a reduction | the reductions are `sum`, `prod`, `max`, `min`, `any`, `all`, `argmax`, `topk`, `softmax`, `logsumexp`\n\
         4:7..4:12 P-SYNTAX `sum[]` names no rank variable | write `sum[e](..)`\n\
         5:11..5:12 P-SYNTAX expected a rank variable, found the rank `E` | the rank variable is `e`\n\
         6:8..6:9 P-SYNTAX expected `;` (an operator is missing, or the statement is not finished), found `.` | there are no methods or fields; functions are written `sqrt(x)`\n\
         7:10..7:11 P-SYNTAX expected an expression, found `*` | a power is `pow(x, y)`, a square `x * x`\n\
         8:9..8:10 P-SYNTAX expected `;` (an operator is missing, or the statement is not finished), found `=` | `=` defines; equality is `==`\n\
         9:9..9:12 P-SYNTAX expected `;` (an operator is missing, or the statement is not finished), found `and` | conjunction is `&&`\n\
         10:17..10:18 P-SYNTAX expected `else`, found `;` | every `if` has an `else`: it is a value\n\
         11:7..11:10 P-SYNTAX expected an expression, found `\"s\"` | strings are not values\n\
         12:8..12:9 P-SYNTAX expected an expression, found `)`\n\
         13:11..13:16 P-SYNTAX expected an expression, found `where`\n",
    );
}

#[test]
fn items_gone_wrong() {
    errors(
        "let x[b] = 1;\nkernel {\n}\nmask m(a: f32) = a;\nfn f(x: f32) = x;\nfn g(x: f32) -> f32 { x }\nschedule k { tile; }\nkernel ok { }\n#[strict]",
        "1:0..1:3 P-SYNTAX expected `kernel`, `fn`, `mask` or `schedule`, found `let` | statements belong into `kernel name { .. }`\n\
         2:7..2:8 P-SYNTAX expected the name of the kernel, found `{`\n\
         4:8..4:9 P-SYNTAX parameters of a mask are indices and have no type\n\
         5:13..5:14 P-SYNTAX expected `->` and the result type, found `=` | write `fn sq(x: f32) -> f32 = x * x;`\n\
         6:20..6:21 P-SYNTAX expected `=` and an expression, found `{` | the body is one expression: `= expr;`\n\
         7:11..7:12 P-SYNTAX expected `on` and a target, found `{` | write `schedule kernel on target { .. }`\n\
         9:0..9:9 P-SYNTAX this attribute or comment belongs to no item\n",
    );
    assert_eq!(parse_str("kernel { in }\nkernel ok { }").0.items.len(), 1);
}

#[test]
fn attributes_gone_wrong() {
    stmt_errors(
        "#[sorted in Q: f32[B];\n#[range(-1, in Q: f32[B];",
        "4:0..4:1 P-LEX `}` closes a bracket of another kind\n",
    );
    stmt_errors(
        "#[3] in Q: f32[B];\n#[sorted] in Q f32;\n/// nothing",
        "2:2..2:3 P-SYNTAX expected the name of an attribute, found `3`\n\
         3:15..3:18 P-SYNTAX expected `:`, found `f32`\n\
         4:0..4:11 P-SYNTAX this attribute or comment belongs to no statement\n",
    );
}

#[test]
fn foreign_characters() {
    stmt_errors(
        "let S[b] = a × b ≤ c;\nlet S'[b] = 1;\nlet S'a = 1;\nlet T[b] = $x ^ 2 & 3;\nlet é[b] = 'c';\nlet U[b] = \\x;\nlet V[b] = 1 +;",
        "2:13..2:14 P-LEX `×` is not a token of the language | multiplication is `*`\n\
         2:17..2:18 P-LEX `≤` is not a token of the language | write `<=`\n\
         3:5..3:6 P-LEX `'` is not a token of the language | tensors cannot be primed; write `S1`, not `S'`\n\
         4:5..4:6 P-LEX `'` is not a token of the language | tensors cannot be primed; write `S1`, not `S'`\n\
         5:11..5:12 P-LEX `$` is not a token of the language | names are plain: `Q`, not `$Q`\n\
         5:14..5:15 P-LEX `^` is not a token of the language | a power is `pow(x, y)`, a square `x * x`\n\
         5:18..5:19 P-LEX `&` is not a token of the language | conjunction is `&&`\n\
         6:4..6:5 P-LEX `é` is not a name: names are ASCII\n\
         6:11..6:14 P-LEX there are no character literals | tensors cannot be primed; write `S1`, not `S'`\n\
         7:11..7:12 P-LEX `\\` is not a token of the language\n\
         8:14..8:15 P-SYNTAX expected an expression, found `;`\n",
    );
}

#[test]
fn unbalanced_brackets() {
    errors("kernel k {\n  in Q: f32[B);\n}", "2:13..2:14 P-LEX `)` closes a bracket of another kind\n");
    errors("kernel k {\n  in Q: f32[B];\n", "1:9..1:10 P-LEX this `{` is never closed\n");
    errors("kernel k {\n}}", "2:1..2:2 P-LEX `}` closes a bracket that was never opened\n");
    errors("kernel k { /* ", "1:11..1:12 P-LEX this comment does not end\n");
    errors("kernel k { \"abc ", "1:11..1:12 P-LEX this string does not end\n");
}

#[test]
fn nesting_and_long_chains_are_limited() {
    let deep = |open: &str, close: &str, n: usize| {
        let src = format!("kernel k {{\nassert {}1{};\n}}", open.repeat(n), close.repeat(n));
        parse_str(&src).1.iter().map(|d| d.message.clone()).collect::<Vec<_>>()
    };
    let nest = "expressions nest at most 128 levels deep";
    let tall = "this expression is more than 256 operators deep";
    for (open, close) in
        [("(", ")"), ("-", ""), ("!", ""), ("f(", ")"), ("x[", "]"), ("sum[e](", ")"), ("if 1 { 2 } else {", "}")]
    {
        assert_eq!(deep(open, close, 100), Vec::<String>::new(), "{open}");
        assert_eq!(deep(open, close, 20_000), [nest], "{open}");
    }
    for (open, close) in [("", " + 1"), ("1 + ", ""), ("", " as f32")] {
        assert_eq!(deep(open, close, 200), Vec::<String>::new(), "{open}{close}");
        assert_eq!(deep(open, close, 20_000), [tall], "{open}{close}");
    }
    let unclosed = parse_str(&"(".repeat(20_000)).1;
    assert_eq!(unclosed.len(), 1);
}
