//! Broken programs: two thousand mutants of the library and of the examples, texts that were never programs, and programs that are
//! ten thousand levels deep go through everything that a user's text reaches. Nothing may panic, nothing may take a second, and
//! every diagnostic has a place.

use einattn_compiler::diag::{Code, Diagnostic, has_errors};
use einattn_compiler::library::FILES;
use einattn_compiler::syntax::{ast, parse_str, print};
use einattn_compiler::target::CpuCaps;
use einattn_compiler::{check, driver};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

const EXAMPLES: &str = include_str!("../../compiler/testdata/examples.attn");
const MUTANTS: usize = 2000;
/// For a program of ordinary size.
const LIMIT: Duration = Duration::from_secs(1);
/// For a program that is big on purpose, in a build without optimisation.
const BIG_LIMIT: Duration = Duration::from_secs(10);

/// A small generator of numbers (SplitMix64), so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }
}

/// Every item of the library and the examples, as text.
fn items() -> Vec<String> {
    let texts = FILES.iter().map(|(_, text)| *text).chain([EXAMPLES]);
    let files = texts.map(|text| parse_str(text).0);
    let single = |item: ast::Item| print(&ast::File { docs: vec![], items: vec![item] });
    files.flat_map(|file| file.items).map(single).collect()
}

/// Cuts a text into words, numbers, single characters and white space.
fn tokens(text: &str) -> Vec<&str> {
    let mut out = vec![];
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let class = |c: char| {
            if c.is_alphanumeric() || c == '_' {
                0
            } else if c.is_whitespace() {
                1
            } else {
                2
            }
        };
        let len = match class(first) {
            2 => first.len_utf8(),
            k => rest.find(|c| class(c) != k).unwrap_or(rest.len()),
        };
        let (token, tail) = rest.split_at(len);
        out.push(token);
        rest = tail;
    }
    out
}

/// Tokens that tend to be trouble.
const TROUBLE: &[&str] = &[
    "0",
    "1",
    "-1",
    "9223372036854775807",
    "99999999999999999999",
    "1e308",
    "1e-320",
    "0.0",
    "-",
    "!",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ";",
    ",",
    "=",
    "==",
    "<",
    "&&",
    "||",
    "/",
    "%",
    "*",
    "+",
    "as",
    "where",
    "if",
    "else",
    "in",
    "rank",
    "iter",
    "state",
    "init",
    "let",
    "view",
    "const",
    "assert",
    "sum[e]",
    "max[m]",
    "softmax[m]",
    "topk[m]",
    "argmax[m]",
    "any[m]",
    "or(0,1)",
    "passes(M)",
    "true",
    "false",
    "f16",
    "i32",
    "bool",
    "int",
    "T",
    "M",
    "m",
    "t+1",
    "b",
    "E",
    "H / G",
    "P - P",
    "#[sorted]",
    "#[range(0, -1)]",
    "#[empty(-inf)]",
    "#",
    "'",
    "\"",
    "é",
    "×",
    "\u{0}",
    "\\",
    "/*",
    "//",
    "///",
    "$",
    "..",
    "p / 0",
    "p % 0",
    "rank Z = 0;",
    "rank Z = M - M;",
    "1 / 0",
    "ilog2(0)",
    "q[q[0]]",
    "log(0.0)",
    "exp(1e9)",
    "mask",
    "kernel",
];

fn mutant(item: &str, items: &[String], random: &mut Random) -> String {
    let mut toks: Vec<String> = tokens(item).into_iter().map(String::from).collect();
    for _ in 0..=random.below(4) {
        if toks.is_empty() {
            break;
        }
        let (at, other) = (random.below(toks.len()), random.below(toks.len()));
        match random.below(9) {
            0 => drop(toks.remove(at)),
            1 => toks.insert(at, toks[other].clone()),
            2 => toks.swap(at, other),
            3 | 4 => toks[at] = random.pick(TROUBLE).to_string(),
            5 => toks.insert(at, random.pick(TROUBLE).to_string()),
            6 => toks[at] = toks[other].clone(),
            7 => toks.truncate(at),
            _ => {
                let foreign = tokens(&items[random.below(items.len())]);
                toks[at] = (*random.pick(&foreign)).to_string();
            }
        }
    }
    toks.concat()
}

/// Everything that is done with a text before a target makes code from it. True if the text was accepted.
fn pipeline(text: &str) -> bool {
    let (file, parsed) = parse_str(text);
    if parsed.is_empty() {
        let printed = print(&file);
        assert_eq!(print(&parse_str(&printed).0), printed, "printing is stable");
    }
    let (checked, found) = check::check(&file, &check::Options::default());
    let diags = driver::merge(&file, parsed, found);
    messages_are_sane(text, &diags);
    messages_are_sane(text, &driver::check_promises(&checked));
    checked.kernels.iter().for_each(|k| messages_are_sane(text, &k.advice));
    for cascade in checked.kernels.iter().flat_map(|k| k.members.iter().take(2)) {
        for caps in [CpuCaps::AVX512, CpuCaps::CRANELIFT] {
            let refusals = driver::lower(cascade, &caps, &driver::Options::default()).err().unwrap_or_default();
            let bug = refusals.iter().find(|r| r.code == Code::INTERNAL);
            assert!(bug.is_none(), "{bug:?}");
        }
    }
    !has_errors(&diags)
}

/// Every diagnostic says something in one line, about a place of the text.
fn messages_are_sane(text: &str, diags: &[Diagnostic]) {
    for d in diags {
        let (start, end) = (d.span.start.byte_range().start, d.span.end.byte_range().end);
        assert!(start < end && end <= text.len(), "{start}..{end} of {}: {}", text.len(), d.message);
        assert!(!d.message.is_empty() && !d.message.contains('\n'), "{:?}", d.message);
    }
}

/// Runs the pipeline on a text. Says what went wrong.
fn attempt(text: &str, limit: Duration) -> Result<bool, String> {
    let start = processor_time();
    let accepted = catch_unwind(AssertUnwindSafe(|| pipeline(text))).map_err(|p| panic_text(&*p))?;
    let time = processor_time() - start;
    if time <= limit { Ok(accepted) } else { Err(format!("took {time:?}")) }
}

/// Time that this thread ran, so that a busy machine fails no test; the time of day where the system does not say.
fn processor_time() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ran = stat.split(' ').next().and_then(|ns| ns.parse().ok());
    ran.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panic: {}", text.unwrap_or_default())
}

#[track_caller]
fn report(failures: &[(String, String)]) {
    let shown: Vec<String> = failures.iter().take(5).map(|(text, why)| format!("{why}\n{text}\n")).collect();
    assert!(failures.is_empty(), "{} failures, the first:\n{}", failures.len(), shown.join("\n"));
}

#[test]
fn mutants_do_no_harm() {
    let items = items();
    let mut random = Random(1);
    let mut failures = vec![];
    let mut accepted = 0;
    // Every item of every file of the library takes its turn.
    assert!(items.len() * 5 < MUTANTS, "{} items", items.len());
    for i in 0..MUTANTS {
        let text = mutant(&items[i % items.len()], &items, &mut random);
        match attempt(&text, LIMIT) {
            Ok(ok) => accepted += usize::from(ok),
            Err(why) => failures.push((text, why)),
        }
    }
    report(&failures);
    // Neither are the mutants all harmless, nor do all fail at the first look.
    assert!((MUTANTS / 100..MUTANTS / 2).contains(&accepted), "{accepted} of {MUTANTS} mutants were accepted");
}

#[test]
fn noise_does_no_harm() {
    let mut random = Random(2);
    let mut failures = vec![];
    for i in 0..500 {
        let len = random.below(300);
        let text: String = match i % 3 {
            0 => (0..len).map(|_| char::from(random.next() as u8)).collect(),
            1 => (0..len).map(|_| random.pick(TROUBLE)).collect::<Vec<_>>().join(" "),
            _ => (0..len).filter_map(|_| char::from_u32(random.next() as u32 % 0x3000)).collect(),
        };
        if let Err(why) = attempt(&text, LIMIT) {
            failures.push((text, why));
        }
    }
    report(&failures);
}

/// Programs whose size is in one construct.
#[test]
fn big_programs_do_no_harm() {
    let kernel = |body: &str| format!("kernel k {{ rank P, M; in x: f32[P, M]; out o: f32[P]; {body} }}");
    let many = |n: usize, f: &dyn Fn(usize) -> String| (0..n).map(f).collect::<String>();
    let texts = [
        kernel(
            &(many(500, &|i| format!("let a{i}[p] = sum[m](x[p,m]) + {i}.0;")) + "o[p] = a9[p] + a99[p] * a499[p];"),
        ),
        kernel(&format!("o[p] = {};", vec!["sum[m](x[p,m])"; 200].join(" + "))),
        kernel(&format!("o[p] = sum[m](x[p,m]) where {};", vec!["(p < m + 1)"; 200].join(" && "))),
        kernel(&format!("o[p] = {}1.0{};", "if p > 3 { ".repeat(100), " } else { 2.0 }".repeat(100))),
        kernel(&(many(200, &|i| format!("let a{}[p] = sum[m](x[p,m]) + a{i}[p];", i + 1)) + "o[p] = a200[p];"))
            .replace("let a1[p] =", "let a0[p] = x[p,0]; let a1[p] ="),
        kernel(&(many(400, &|i| format!("rank R{i} = P + {i};")) + "o[p] = x[p,0];")),
        kernel(&(many(12, &|i| format!("dtype T{i} in {{f32, bf16}};")) + "o[p] = x[p,0];")),
        many(3000, &|i| format!("mask m{i}(a) = a > {i};")),
        many(24, &|i| format!("fn f{}(x: f32) -> f32 = f{i}(x) + f{i}(x * 2.0);", i + 1)) + &kernel("o[p] = f24(1.0);"),
        many(24, &|i| format!("mask f{}(x) = f{i}(x) || f{i}(x * 2);", i + 1)) + &kernel("o[p] = 1.0 where f24(p);"),
        kernel("let a0[p] = x[p,0]; ") + &"(".repeat(50_000),
        "[".repeat(100_000) + &"]".repeat(100_000),
        "#".repeat(10_000),
        "é".repeat(10_000),
        "kernel k { rank P; ".repeat(2000),
    ];
    attempt_all(&texts);
}

/// Large texts, each within its time.
fn attempt_all(texts: &[String]) {
    let mut failures = vec![];
    for text in texts {
        if let Err(why) = attempt(text, BIG_LIMIT) {
            failures.push((text.chars().take(200).collect(), why));
        }
    }
    report(&failures);
}

/// Ten thousand levels of everything that nests, and ten thousand of everything that repeats.
#[test]
fn depth_does_no_harm() {
    const N: usize = 10_000;
    let kernel = |body: &str| {
        format!("kernel k {{ rank P, M; in x: f32[P, M]; in y: f32[P]; in i: i32[P]; out o: f32[P]; {body} }}")
    };
    let nest = |open: &str, leaf: &str, close: &str| format!("o[p] = {}{leaf}{};", open.repeat(N), close.repeat(N));
    let chain = |n: usize, step: &str| {
        let steps = (0..n).map(|i| step.replace("NEXT", &format!("a{}", i + 1)).replace("LAST", &format!("a{i}")));
        kernel(&format!("let a0[p] = y[p]; {} o[p] = a{n}[p];", steps.collect::<String>()))
    };
    let list = |n: usize, item: &str| (0..n).map(|i| item.replace('#', &i.to_string())).collect::<String>();
    let texts = [
        kernel(&nest("(", "1.0", ")")),
        kernel(&nest("-", "y[p]", "")),
        kernel(&nest("1.0 where !", "(p < 3)", "")),
        kernel(&nest("if p > 3 { ", "1.0", " } else { 2.0 }")),
        kernel(&nest("y[", "p", "]")),
        kernel(&nest("exp(", "1.0", ")")),
        kernel(&nest("sum[m](x[p,m] + ", "1.0", ")")),
        kernel(&nest("", "y[p]", " as f32")),
        kernel(&nest("y[p] + ", "1.0", "")),
        kernel(&format!("o[p] = sum[m](x[p,m]) where {};", list(N, "m < p + # && ") + "true")),
        kernel(&format!("o[p] = sum[m](x[p,m]) where {}true{};", "(m < p && ".repeat(N), ")".repeat(N))),
        kernel(&format!("o[p] = sum[m](x[p,m]) where {}m < p;", list(N, "m < p + # || "))),
        "#[range(".repeat(N) + &")]".repeat(N) + &kernel("o[p] = y[p];"),
        kernel(&(list(N, "rank R#;") + "o[p] = y[p];")),
        kernel(&format!("rank {}Z = 3; o[p] = y[p];", list(N, "R# = 3, "))),
        list(N, "mask f#(x) = g#(x);") + &kernel("o[p] = 1.0 where f9(p);"),
        chain(N, "let NEXT[p] = LAST[p] * 1.5 + y[p];"),
        chain(N, "let NEXT[p] = sum[m](x[p,m] * LAST[p]);"),
        chain(N, "let NEXT[p] = LAST[p] where p < i[p];"),
        // As deep and as long as a kernel may be.
        chain(80, "let NEXT[p] = LAST[p] * 1.5 + y[p];"),
        chain(40, "let NEXT[p] = sum[m](x[p,m] * LAST[p]);"),
        chain(60, "let NEXT[p] = LAST[p] where p < i[p];"),
        list(60, "kernel k# { rank P; in x: f32[P]; out o: f32[P]; o[p] = x[p]; }"),
    ];
    attempt_all(&texts);
}

/// Numbers without an end, characters that do not belong, and nothing at all.
#[test]
fn odd_characters_do_no_harm() {
    let with = |body: &str| format!("kernel k {{ rank P; in x: f32[P]; out o: f32[P]; {body} }}");
    let check = |text: &str, accepted: bool| assert_eq!(attempt(text, LIMIT), Ok(accepted), "{text:.80}");
    check("", true);
    check(" \t\r\n", true);
    check("\u{feff}", true);
    check("\0", false);
    check(&with("o[p] = \0 x[p];"), false);
    check(&with(&format!("o[p] = {}.0;", "9".repeat(10_000))), false);
    check(&with(&format!("o[p] = 1.0 where p < {};", "9".repeat(10_000))), false);
    check(&with(&format!("rank R = {}; o[p] = x[p];", i64::MAX)), true);
    check(&with("o[p] = x[p] * 1e999;"), false);
    check(&with("let é[p] = x[p]; o[p] = é[p];"), false);
    check(&with("let 変数[p] = x[p]; o[p] = 変数[p];"), false);
    check(&with("o[p] = x[p] /* 変数 é */;"), true);
    check(&with("o[p] = x[p]; /* no end"), false);
}

/// A byte order mark and the line ends of other systems change nothing.
#[test]
fn line_ends_change_nothing() {
    for (name, text) in FILES {
        let plain = print(&parse_str(text).0);
        let unix = text.replace("\r\n", "\n");
        for other in [format!("\u{feff}{unix}"), unix.replace('\n', "\r\n")] {
            let (file, diags) = parse_str(&other);
            assert!(diags.is_empty(), "{name}: {}", diags[0].message);
            assert_eq!(print(&file), plain, "{name}");
        }
    }
}

#[test]
fn the_originals_are_accepted() {
    for (name, text) in FILES {
        assert!(pipeline(text), "{name}");
    }
    assert!(pipeline(EXAMPLES));
}
