//! Broken programs: the checker never panics, and what it accepts is well formed.

use super::{Options, check, text};
use crate::cascade::verify;
use crate::syntax::parse_str;

/// Words and signs of a program.
fn lexemes(src: &str) -> Vec<&str> {
    let mut out = vec![];
    let mut rest = src;
    while let Some(c) = rest.chars().next() {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let n = if word(c) { rest.find(|c| !word(c)).unwrap_or(rest.len()) } else { c.len_utf8() };
        out.push(&rest[..n]);
        rest = &rest[n..];
    }
    out
}

/// The source with one lexeme replaced by another, or taken out.
fn mutant(words: &[&str], seed: u64) -> String {
    let pick = |salt: u64| {
        let x = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(salt).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (x >> 32) as usize % words.len()
    };
    let (at, from) = (pick(1), pick(2));
    let mut out = words.to_vec();
    out[at] = if seed.is_multiple_of(4) { "" } else { words[from] };
    out.concat()
}

#[test]
fn mutants_of_the_examples() {
    let (mut refused, mut accepted) = (0, 0);
    for (i, kernel) in include_str!("examples.attn").split("\n}\n").enumerate() {
        let src = format!("{kernel}\n}}\n");
        let words = lexemes(&src);
        for seed in 0..40 {
            let src = mutant(&words, seed * 31 + i as u64);
            let (file, broken) = parse_str(&src);
            let (checked, diags) = check(&file, &Options::default());
            for k in &checked.kernels {
                for c in &k.members {
                    assert_eq!(verify(c), Ok(()), "{src}");
                }
                accepted += usize::from(!k.members.is_empty() && broken.is_empty());
            }
            refused += usize::from(!diags.is_empty());
        }
    }
    assert!(refused > 100 && accepted > 50, "{refused} refused, {accepted} accepted");
}

#[test]
fn expansion_is_bounded() {
    let nested = |f: &str, n: usize| format!("{}x[p]{}", format!("{f}(").repeat(n), ")".repeat(n));
    let file = |body: &str| {
        let src = format!("fn d(i: int) -> int = i + i; kernel k {{ rank P; in x: f32[P]; let s[p] = {body}; }}");
        let (file, broken) = parse_str(&src);
        assert!(broken.is_empty());
        check(&file, &Options::default())
    };
    let (checked, diags) = file(&nested("sq", 60));
    assert!(diags.is_empty(), "{}", text(&diags[0]));
    assert!(checked.kernels[0].members[0].nodes.len() > 5);
    let (_, diags) = file(&nested("d", 60).replace("x[p]", "p"));
    assert_eq!(
        diags.iter().map(text).collect::<Vec<_>>(),
        ["T-TYPE 1: this argument expands to more than 10000 operators"]
    );
}
