//! `attn!` and `attnc build --target rust` give the same code, token by token: kernel and launcher.

use einattn_target_rust::{expand, isas};
use proc_macro2::TokenStream;
use std::path::{Path, PathBuf};

/// A kernel with a specialisation set and a scalar; the files have none.
const MEMBERS: &str = "
/// Scores with a scale, for two head sizes and two storage types.
kernel members {
    rank B, P, M, E in {8, 16};
    dtype Elem in {f32, bf16};
    scalar scale: f32;
    in q: Elem[B, P, E];
    in k: Elem[B, M, E];
    out o: Elem[B, P, E];
    let s[b,p,m] = scale * sum[e](q[b,p,e] * k[b,m,e]) where causal(p, m);
    o[b,p,e] = sum[m](softmax[m](s[b,p,m]) * k[b,m,e]);
}
";

fn tokens(text: &str) -> TokenStream {
    text.parse().expect("Rust tokens")
}

/// What the command writes for a file, one text a kernel.
fn built(file: &Path, out: &Path) -> String {
    let (mut stdout, mut stderr) = (vec![], vec![]);
    let mut io = attnc::Io { out: &mut stdout, err: &mut stderr, styled: false };
    let args = ["attnc".into(), "build".into(), file.into(), "--target".into(), "rust".into(), "-o".into(), out.into()];
    assert_eq!(attnc::main(args, &mut io), 0, "{}", String::from_utf8_lossy(&stderr));
    let paths = String::from_utf8(stdout).expect("UTF-8");
    paths.lines().map(|path| std::fs::read_to_string(path).expect("a written file")).collect()
}

#[track_caller]
fn same(file: &Path, out: &Path) {
    let source = std::fs::read_to_string(file).expect("a readable file");
    let expanded = expand::tokens(tokens(&source), &isas::ALL).to_string();
    let built = tokens(&built(file, out)).to_string();
    let at = expanded.bytes().zip(built.bytes()).position(|(a, b)| a != b);
    assert!(expanded == built, "{} differs at byte {at:?}", file.display());
    assert!(expanded.contains("pub fn run") && expanded.contains("KERNEL"), "{}", file.display());
}

#[test]
fn the_macro_and_the_command_give_the_same_code() {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("same_code");
    std::fs::create_dir_all(&out).expect("a writable folder");
    let members = out.join("members.attn");
    std::fs::write(&members, MEMBERS).expect("a writable folder");
    same(&members, &out);
    let kernels = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels");
    let entries = std::fs::read_dir(kernels).expect("the folder of the kernels");
    let files: Vec<PathBuf> = entries.map(|e| e.expect("a readable entry").path()).collect();
    assert!(files.len() >= 12);
    files.iter().for_each(|file| same(file, &out));
}
